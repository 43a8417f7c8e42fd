//! Balances of deposit accounts over time.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::After;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode};
use crate::store::statement::statement;

macro_rules! samples_sql {
    ($of:literal) => {
        concat!(
            "SELECT s.at, p.code, d.id, d.code, d.currency, s.balance, s.reserved, s.balance - s.reserved \
             FROM (SELECT * FROM balance_sample WHERE ",
            $of,
            " AND (at, deposit_account_id) < (?, ?) ORDER BY at DESC, deposit_account_id DESC LIMIT ?) s \
             JOIN deposit_account d ON (d.partner_id, d.mode, d.id) = (s.partner_id, s.mode, s.deposit_account_id) \
             JOIN partner p ON p.id = s.partner_id ORDER BY s.at DESC, d.id DESC"
        )
    };
}

statement! {
    // balance_sample_newest
    struct Newest { mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt }
    -> pub SampleLine {
        at: DateTime<Utc> as Timestamptz, partner: String as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        currency: AssetCode as Text, balance: Decimal as Numeric, reserved: Decimal as Numeric, available: Decimal as Numeric,
    } = samples_sql!("(mode || '') = ?")
}

statement! {
    // balance_sample_pkey
    struct NewestOf {
        of: DepositAccountId as SqlUuid, mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid,
        limit: i64 as BigInt,
    } => (Timestamptz, Text, SqlUuid, Text, Text, Numeric, Numeric, Numeric)
      = samples_sql!("deposit_account_id = ? AND mode = ?")
}

statement! {
    // balance_sample_pkey, a probe a stretch.
    struct LastOfEach {
        ids: Vec<DepositAccountId> as Array<SqlUuid>, from: DateTime<Utc> as Timestamptz, until: DateTime<Utc> as Timestamptz,
        step: i64 as BigInt, length: i64 as BigInt,
    } -> pub Point {
        id: DepositAccountId as SqlUuid, at: DateTime<Utc> as Timestamptz, balance: Decimal as Numeric, reserved: Decimal as Numeric,
    } = "SELECT k.id, b.at, s.balance, s.reserved FROM UNNEST(?::uuid[]) AS k (id) \
         CROSS JOIN generate_series(?::timestamptz, ?::timestamptz, ?::bigint * interval '1 second') AS b (at) \
         CROSS JOIN (SELECT ?::bigint * interval '1 second' AS length) l \
         CROSS JOIN LATERAL (SELECT x.balance, x.reserved FROM balance_sample x \
             WHERE x.deposit_account_id = k.id AND x.at >= b.at AND x.at < b.at + l.length ORDER BY x.at DESC LIMIT 1) s"
}

/// The index that each statement reads by, and the statement.
pub(super) const PLANS: &[(&str, &str)] =
    &[("balance_sample_newest", Newest::SQL), ("balance_sample_pkey", LastOfEach::SQL)];

/// Samples of one account, or of all, the newest first.
pub async fn newest(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    of: Option<DepositAccountId>,
    after: After<Uuid>,
    limit: i64,
) -> QueryResult<Vec<SampleLine>> {
    match of {
        Some(of) => NewestOf { of, mode, at: after.at, id: after.id, limit }.load(conn).await,
        None => Newest { mode, at: after.at, id: after.id, limit }.load(conn).await,
    }
}

/// The last sample of each stretch of `step` that begins between `from` and `until`. A stretch without one has no point.
pub async fn last_of_each(
    conn: &mut AsyncPgConnection,
    ids: Vec<DepositAccountId>,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    step: TimeDelta,
) -> QueryResult<Vec<Point>> {
    let step = step.num_seconds();
    LastOfEach { ids, from, until, step, length: step }.load(conn).await
}
