//! What stands on the overview.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bool, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode};
use crate::store::statement::statement;

statement! {
    // An index of the open requests; payout_unknown; staff_case_open; job_dead
    struct OpenNow {
        requests_mode: Mode as Text, unknown_mode: Mode as Text, oldest_mode: Mode as Text, cases_mode: Mode as Text,
        case_oldest_mode: Mode as Text, dead_mode: Mode as Text,
    } -> pub Open {
        requests: i64 as BigInt, unknown: i64 as BigInt, unknown_since: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        cases: i64 as BigInt, case_since: Option<DateTime<Utc>> as Nullable<Timestamptz>, dead_jobs: i64 as BigInt,
    } = "SELECT (SELECT count(*) FROM payout_request WHERE (mode || '') = ? AND final_at IS NULL), \
             (SELECT count(*) FROM payout WHERE mode = ? AND status = 'unknown'), \
             (SELECT min(created_at) FROM payout WHERE mode = ? AND status = 'unknown'), \
             (SELECT count(*) FROM staff_case WHERE mode = ? AND closed_at IS NULL), \
             (SELECT min(opened_at) FROM staff_case WHERE mode = ? AND closed_at IS NULL), \
             (SELECT count(*) FROM job WHERE mode = ? AND dead_at IS NOT NULL)"
}

statement! {
    // Few: what configuration names.
    struct Deposits { mode: Mode as Text } -> pub Deposit {
        owner: String as Text, code: String as Text, account: String as Text, provider: String as Text,
        account_enabled: bool as Bool, currency: AssetCode as Text, balance: Decimal as Numeric, reserved: Decimal as Numeric,
        available: Decimal as Numeric, by_books: bool as Bool, synced_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        id: DepositAccountId as SqlUuid,
    } = "SELECT p.code, d.code, a.code, a.provider, a.enabled, d.currency, d.balance, d.reserved, d.balance - d.reserved, \
             d.balance_source = 'books', d.synced_at, d.id \
         FROM deposit_account d \
         JOIN provider_account a ON (a.partner_id, a.mode, a.id) = (d.partner_id, d.mode, d.provider_account_id) \
         JOIN partner p ON p.id = d.partner_id \
         WHERE d.mode = ? ORDER BY p.code, d.currency, d.code"
}

/// The index that each statement reads by, and the statement.
pub(super) const PLANS: &[(&str, &str)] =
    &[("payout_unknown", OpenNow::SQL), ("staff_case_open", OpenNow::SQL), ("job_dead", OpenNow::SQL)];

/// What is under way or waits, now.
pub async fn open_now(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Open> {
    OpenNow {
        requests_mode: mode,
        unknown_mode: mode,
        oldest_mode: mode,
        cases_mode: mode,
        case_oldest_mode: mode,
        dead_mode: mode,
    }
    .get_result(conn)
    .await
}

pub async fn deposits(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Vec<Deposit>> {
    Deposits { mode }.load(conn).await
}
