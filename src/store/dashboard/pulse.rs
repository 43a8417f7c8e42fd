//! What the overview's charts are drawn from: what ended within an hour, how long it took, and since when payouts' fate is unknown.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Numeric, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use crate::domain::asset::AssetCode;
use crate::domain::ids::Mode;
use crate::domain::payout_request::RequestStatus;
use crate::store::statement::statement;

statement! {
    // payout_request_ended
    struct EndedWithin { mode: Mode as Text, from: DateTime<Utc> as Timestamptz, until: DateTime<Utc> as Timestamptz }
    -> pub Ended {
        status: RequestStatus as Text, currency: AssetCode as Text, count: i64 as BigInt, amount_processed: Decimal as Numeric,
    } = "SELECT status, currency, count(*), sum(amount_processed) FROM payout_request \
         WHERE (mode || '') = ? AND final_at >= ? AND final_at < ? GROUP BY status, currency ORDER BY status, currency"
}

statement! {
    // payout_request_ended. In milliseconds; none where nothing was paid.
    struct PaidWithin { mode: Mode as Text, from: DateTime<Utc> as Timestamptz, until: DateTime<Utc> as Timestamptz }
    -> pub TimeToPaid { median_ms: Option<i64> as Nullable<BigInt>, slow_ms: Option<i64> as Nullable<BigInt> }
      = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ms), percentile_disc(0.95) WITHIN GROUP (ORDER BY ms) \
         FROM (SELECT (extract(epoch FROM final_at - created_at) * 1000)::bigint AS ms FROM payout_request \
               WHERE (mode || '') = ? AND final_at >= ? AND final_at < ? AND status IN ('processed', 'partially_processed')) paid"
}

statement! {
    // payout_unknown: few. Younger than each of the times, which go back.
    struct UnknownByAge {
        minute: DateTime<Utc> as Timestamptz, minute_again: DateTime<Utc> as Timestamptz, ten: DateTime<Utc> as Timestamptz,
        ten_again: DateTime<Utc> as Timestamptz, hour: DateTime<Utc> as Timestamptz, hour_again: DateTime<Utc> as Timestamptz,
        day: DateTime<Utc> as Timestamptz, day_again: DateTime<Utc> as Timestamptz, mode: Mode as Text,
    } -> pub UnknownAges {
        under_minute: i64 as BigInt, under_ten_minutes: i64 as BigInt, under_hour: i64 as BigInt, under_day: i64 as BigInt,
        older: i64 as BigInt,
    } = "SELECT count(*) FILTER (WHERE created_at > ?), count(*) FILTER (WHERE created_at <= ? AND created_at > ?), \
             count(*) FILTER (WHERE created_at <= ? AND created_at > ?), count(*) FILTER (WHERE created_at <= ? AND created_at > ?), \
             count(*) FILTER (WHERE created_at <= ?) \
         FROM payout WHERE mode = ? AND status = 'unknown'"
}

/// The index that each statement reads by, and the statement.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("payout_request_ended", EndedWithin::SQL),
    ("payout_request_ended", PaidWithin::SQL),
    ("payout_unknown", UnknownByAge::SQL),
];

/// Payout requests that ended within a time, by how and in which currency.
pub async fn ended_within(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> QueryResult<Vec<Ended>> {
    EndedWithin { mode, from, until }.load(conn).await
}

/// How long those that were paid took from their creation to their end: half of them at most this long, and 95 of a hundred.
pub async fn time_to_paid(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> QueryResult<TimeToPaid> {
    PaidWithin { mode, from, until }.get_result(conn).await
}

/// Payouts whose fate is unknown, by their age at `now`.
pub async fn unknown_ages(conn: &mut AsyncPgConnection, mode: Mode, now: DateTime<Utc>) -> QueryResult<UnknownAges> {
    let ago = |minutes| now - TimeDelta::minutes(minutes);
    let (minute, ten, hour, day) = (ago(1), ago(10), ago(60), ago(24 * 60));
    UnknownByAge {
        minute,
        minute_again: minute,
        ten,
        ten_again: ten,
        hour,
        hour_again: hour,
        day,
        day_again: day,
        mode,
    }
    .get_result(conn)
    .await
}
