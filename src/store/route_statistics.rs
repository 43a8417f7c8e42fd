//! What routing counts: usage by strategy and window, outcomes by hour, the day's turnover, and each provider account's breaker.
//! Kept up by the transactions that create and end payouts, several payouts a statement; never gathered from history.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Date, Integer, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{ProviderAccountId, RouteId};

/// A strategy's counters in one window.
pub type PoolWindow = (Uuid, DateTime<Utc>);
/// A provider account's turnover of a day (UTC) in a deposit currency.
pub type TurnoverKey = (ProviderAccountId, NaiveDate, AssetCode);

statement! {
    struct ReadUsage { pools: Vec<Uuid> as Array<SqlUuid>, windows: Vec<DateTime<Utc>> as Array<Timestamptz> } -> pub UsageRow {
        pool_id: Uuid as SqlUuid, route_id: RouteId as SqlUuid, debited: Decimal as Numeric,
    } = "SELECT u.pool_id, u.route_id, u.debited FROM route_usage u \
         JOIN UNNEST(?::uuid[], ?::timestamptz[]) AS k (pool_id, window_start) USING (pool_id, window_start)"
}

statement! {
    struct ReadFloors { pools: Vec<Uuid> as Array<SqlUuid>, windows: Vec<DateTime<Utc>> as Array<Timestamptz> } -> pub FloorRow {
        pool_id: Uuid as SqlUuid, floor: Decimal as Numeric,
    } = "SELECT p.pool_id, p.floor FROM route_pool p \
         JOIN UNNEST(?::uuid[], ?::timestamptz[]) AS k (pool_id, window_start) USING (pool_id, window_start)"
}

statement! {
    struct AddUsage {
        pools: Vec<Uuid> as Array<SqlUuid>, windows: Vec<DateTime<Utc>> as Array<Timestamptz>, routes: Vec<RouteId> as Array<SqlUuid>,
        amounts: Vec<Decimal> as Array<Numeric>,
    } = "INSERT INTO route_usage AS u (pool_id, window_start, route_id, debited) \
         SELECT * FROM UNNEST(?::uuid[], ?::timestamptz[], ?::uuid[], ?::numeric[]) \
         ON CONFLICT (pool_id, window_start, route_id) DO UPDATE SET debited = u.debited + EXCLUDED.debited"
}

statement! {
    struct RaiseFloors {
        pools: Vec<Uuid> as Array<SqlUuid>, windows: Vec<DateTime<Utc>> as Array<Timestamptz>, floors: Vec<Decimal> as Array<Numeric>,
    } = "INSERT INTO route_pool AS p (pool_id, window_start, floor) \
         SELECT * FROM UNNEST(?::uuid[], ?::timestamptz[], ?::numeric[]) \
         ON CONFLICT (pool_id, window_start) DO UPDATE SET floor = GREATEST(p.floor, EXCLUDED.floor)"
}

statement! {
    struct ReadOutcomes { routes: Vec<RouteId> as Array<SqlUuid>, since: DateTime<Utc> as Timestamptz } -> pub OutcomeRow {
        route_id: RouteId as SqlUuid, succeeded: i64 as BigInt, failed: i64 as BigInt,
    } = "SELECT route_id, sum(succeeded)::bigint, sum(failed)::bigint FROM route_outcome \
         WHERE route_id = ANY (?) AND hour > ? GROUP BY route_id"
}

statement! {
    struct AddOutcomes {
        routes: Vec<RouteId> as Array<SqlUuid>, hours: Vec<DateTime<Utc>> as Array<Timestamptz>, succeeded: Vec<i64> as Array<BigInt>,
        failed: Vec<i64> as Array<BigInt>,
    } = "INSERT INTO route_outcome AS o (route_id, hour, succeeded, failed) \
         SELECT * FROM UNNEST(?::uuid[], ?::timestamptz[], ?::bigint[], ?::bigint[]) \
         ON CONFLICT (route_id, hour) DO UPDATE SET succeeded = o.succeeded + EXCLUDED.succeeded, failed = o.failed + EXCLUDED.failed"
}

statement! {
    struct AddAccountOutcomes {
        accounts: Vec<ProviderAccountId> as Array<SqlUuid>, buckets: Vec<DateTime<Utc>> as Array<Timestamptz>,
        ok: Vec<i64> as Array<BigInt>, errors: Vec<i64> as Array<BigInt>, unknowns: Vec<i64> as Array<BigInt>,
    } = "INSERT INTO provider_account_outcome AS o (provider_account_id, bucket, ok, errors, unknowns) \
         SELECT * FROM UNNEST(?::uuid[], ?::timestamptz[], ?::bigint[], ?::bigint[], ?::bigint[]) \
         ON CONFLICT (provider_account_id, bucket) DO UPDATE SET ok = o.ok + EXCLUDED.ok, errors = o.errors + EXCLUDED.errors, \
             unknowns = o.unknowns + EXCLUDED.unknowns"
}

statement! {
    struct CountAccountOutcomes { account_id: ProviderAccountId as SqlUuid, since: DateTime<Utc> as Timestamptz } => (BigInt, BigInt, BigInt)
      = "SELECT COALESCE(sum(ok), 0)::bigint, COALESCE(sum(errors), 0)::bigint, COALESCE(sum(unknowns), 0)::bigint \
         FROM provider_account_outcome WHERE provider_account_id = ? AND bucket >= ?"
}

statement! {
    struct ReadTurnovers { accounts: Vec<ProviderAccountId> as Array<SqlUuid>, day: NaiveDate as Date } -> pub TurnoverRow {
        provider_account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text, amount: Decimal as Numeric,
    } = "SELECT provider_account_id, currency, amount FROM provider_turnover WHERE provider_account_id = ANY (?) AND day = ?"
}

statement! {
    struct AddTurnovers {
        accounts: Vec<ProviderAccountId> as Array<SqlUuid>, days: Vec<NaiveDate> as Array<Date>, currencies: Vec<AssetCode> as Array<Text>,
        amounts: Vec<Decimal> as Array<Numeric>,
    } = "INSERT INTO provider_turnover AS t (provider_account_id, day, currency, amount) \
         SELECT * FROM UNNEST(?::uuid[], ?::date[], ?::text[], ?::numeric[]) \
         ON CONFLICT (provider_account_id, day, currency) DO UPDATE SET amount = t.amount + EXCLUDED.amount"
}

macro_rules! breaker_columns {
    () => {
        "SELECT id, turnover_limits, breaker_state, COALESCE(breaker_since, 'epoch'), breaker_until, breaker_openings, \
             breaker_probes, breaker_probes_ok FROM provider_account WHERE id = ANY (?)"
    };
}

statement! {
    struct ReadGates { ids: Vec<ProviderAccountId> as Array<SqlUuid> } -> pub GateRow {
        id: ProviderAccountId as SqlUuid, turnover_limits: Value as Jsonb, state: String as Text, since: DateTime<Utc> as Timestamptz,
        until: Option<DateTime<Utc>> as Nullable<Timestamptz>, openings: i32 as Integer, probes_sent: i32 as Integer,
        probes_ok: i32 as Integer,
    } = breaker_columns!()
}

statement! {
    struct LockGates { ids: Vec<ProviderAccountId> as Array<SqlUuid> }
        => (SqlUuid, Jsonb, Text, Timestamptz, Nullable<Timestamptz>, Integer, Integer, Integer)
        = concat!(breaker_columns!(), " ORDER BY id FOR UPDATE")
}

statement! {
    struct WriteBreaker {
        state: &'static str as Text, since: DateTime<Utc> as Timestamptz, until: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        openings: i32 as Integer, probes_sent: i32 as Integer, probes_ok: i32 as Integer, id: ProviderAccountId as SqlUuid,
    } = "UPDATE provider_account SET breaker_state = ?, breaker_since = ?, breaker_until = ?, breaker_openings = ?, breaker_probes = ?, \
             breaker_probes_ok = ? WHERE id = ?"
}

/// What the routes of these pools were debited in these windows, and the pools' floors.
pub async fn read_usage(conn: &AsyncPgConnection, pools: &[PoolWindow]) -> QueryResult<(Vec<UsageRow>, Vec<FloorRow>)> {
    if pools.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let (ids, windows): (Vec<Uuid>, Vec<DateTime<Utc>>) = pools.iter().copied().unzip();
    let usage = ReadUsage { pools: ids.clone(), windows: windows.clone() };
    let floors = ReadFloors { pools: ids, windows };
    tokio::try_join!(biased; usage.load(&mut &*conn), floors.load(&mut &*conn))
}

/// Adds to usage; less than zero gives back.
pub async fn add_usage(
    conn: &AsyncPgConnection,
    amounts: &BTreeMap<(PoolWindow, RouteId), Decimal>,
) -> QueryResult<()> {
    if amounts.is_empty() {
        return Ok(());
    }
    AddUsage {
        pools: amounts.keys().map(|((pool, _), _)| *pool).collect(),
        windows: amounts.keys().map(|((_, window), _)| *window).collect(),
        routes: amounts.keys().map(|(_, route)| *route).collect(),
        amounts: amounts.values().copied().collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Raises floors; one that is higher already stands.
pub async fn raise_floors(conn: &AsyncPgConnection, floors: &BTreeMap<PoolWindow, Decimal>) -> QueryResult<()> {
    if floors.is_empty() {
        return Ok(());
    }
    RaiseFloors {
        pools: floors.keys().map(|(pool, _)| *pool).collect(),
        windows: floors.keys().map(|(_, window)| *window).collect(),
        floors: floors.values().copied().collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// How the routes' payouts ended in the hours after `since`.
pub async fn read_outcomes(
    conn: &AsyncPgConnection,
    routes: &[RouteId],
    since: DateTime<Utc>,
) -> QueryResult<Vec<OutcomeRow>> {
    if routes.is_empty() {
        return Ok(Vec::new());
    }
    ReadOutcomes { routes: routes.to_vec(), since }.load(&mut &*conn).await
}

/// Adds to outcomes by route and hour: succeeded, failed.
pub async fn add_outcomes(
    conn: &AsyncPgConnection,
    outcomes: &BTreeMap<(RouteId, DateTime<Utc>), (i64, i64)>,
) -> QueryResult<()> {
    if outcomes.is_empty() {
        return Ok(());
    }
    AddOutcomes {
        routes: outcomes.keys().map(|(route, _)| *route).collect(),
        hours: outcomes.keys().map(|(_, hour)| *hour).collect(),
        succeeded: outcomes.values().map(|(succeeded, _)| *succeeded).collect(),
        failed: outcomes.values().map(|(_, failed)| *failed).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// How calls to a provider account ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCalls {
    pub ok: i64,
    pub errors: i64,
    pub unknowns: i64,
}

/// Adds calls by provider account and bucket.
pub async fn add_calls(
    conn: &AsyncPgConnection,
    calls: &BTreeMap<(ProviderAccountId, DateTime<Utc>), AccountCalls>,
) -> QueryResult<()> {
    if calls.is_empty() {
        return Ok(());
    }
    AddAccountOutcomes {
        accounts: calls.keys().map(|(account, _)| *account).collect(),
        buckets: calls.keys().map(|(_, bucket)| *bucket).collect(),
        ok: calls.values().map(|c| c.ok).collect(),
        errors: calls.values().map(|c| c.errors).collect(),
        unknowns: calls.values().map(|c| c.unknowns).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// A provider account's calls in the buckets that begin at `since` or later.
pub async fn count_calls(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    since: DateTime<Utc>,
) -> QueryResult<AccountCalls> {
    let (ok, errors, unknowns) = CountAccountOutcomes { account_id, since }.get_result(&mut &*conn).await?;
    Ok(AccountCalls { ok, errors, unknowns })
}

/// The day's turnover of provider accounts, by deposit currency.
pub async fn read_turnovers(
    conn: &AsyncPgConnection,
    accounts: &[ProviderAccountId],
    day: NaiveDate,
) -> QueryResult<Vec<TurnoverRow>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    ReadTurnovers { accounts: accounts.to_vec(), day }.load(&mut &*conn).await
}

/// Adds to turnovers; less than zero gives back.
pub async fn add_turnovers(conn: &AsyncPgConnection, amounts: &BTreeMap<TurnoverKey, Decimal>) -> QueryResult<()> {
    if amounts.is_empty() {
        return Ok(());
    }
    AddTurnovers {
        accounts: amounts.keys().map(|(account, ..)| *account).collect(),
        days: amounts.keys().map(|(_, day, _)| *day).collect(),
        currencies: amounts.keys().map(|(.., currency)| *currency).collect(),
        amounts: amounts.values().copied().collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// The breakers and turnover limits of provider accounts.
pub async fn read_gates(conn: &AsyncPgConnection, ids: &[ProviderAccountId]) -> QueryResult<Vec<GateRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ReadGates { ids: ids.to_vec() }.load(&mut &*conn).await
}

/// The same, locked in one order, to be changed.
pub async fn lock_gates(conn: &AsyncPgConnection, ids: &[ProviderAccountId]) -> QueryResult<Vec<GateRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    LockGates { ids: ids.to_vec() }.load(&mut &*conn).await
}

/// Writes a locked account's breaker back.
#[expect(clippy::too_many_arguments, reason = "the row's columns")]
pub async fn write_breaker(
    conn: &AsyncPgConnection,
    id: ProviderAccountId,
    state: &'static str,
    since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
    openings: i32,
    probes_sent: i32,
    probes_ok: i32,
) -> QueryResult<()> {
    WriteBreaker { state, since, until, openings, probes_sent, probes_ok, id }.execute(&mut &*conn).await?;
    Ok(())
}

statement! {
    struct ForgetUsage { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt }
      = "DELETE FROM route_usage u USING ( \
             SELECT pool_id, window_start, route_id FROM route_usage WHERE window_start < ? LIMIT ? FOR UPDATE SKIP LOCKED) old \
         WHERE (u.pool_id, u.window_start, u.route_id) = (old.pool_id, old.window_start, old.route_id)"
}

statement! {
    struct ForgetPools { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt }
      = "DELETE FROM route_pool p USING ( \
             SELECT pool_id, window_start FROM route_pool WHERE window_start < ? LIMIT ? FOR UPDATE SKIP LOCKED) old \
         WHERE (p.pool_id, p.window_start) = (old.pool_id, old.window_start)"
}

statement! {
    // By the primary key, route by route.
    struct ForgetOutcomes { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt }
      = "DELETE FROM route_outcome o USING ( \
             SELECT k.route_id, k.hour FROM payout_route r JOIN route_outcome k ON k.route_id = r.id \
             WHERE k.hour < ? LIMIT ? FOR UPDATE OF k SKIP LOCKED) old \
         WHERE (o.route_id, o.hour) = (old.route_id, old.hour)"
}

statement! {
    // By the primary key, account by account.
    struct ForgetCalls { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt }
      = "DELETE FROM provider_account_outcome o USING ( \
             SELECT k.provider_account_id, k.bucket FROM provider_account a \
             JOIN provider_account_outcome k ON k.provider_account_id = a.id \
             WHERE k.bucket < ? LIMIT ? FOR UPDATE OF k SKIP LOCKED) old \
         WHERE (o.provider_account_id, o.bucket) = (old.provider_account_id, old.bucket)"
}

statement! {
    // By the primary key, account by account.
    struct ForgetTurnovers { before: NaiveDate as Date, limit: i64 as BigInt }
      = "DELETE FROM provider_turnover t USING ( \
             SELECT k.provider_account_id, k.day, k.currency FROM provider_account a \
             JOIN provider_turnover k ON k.provider_account_id = a.id \
             WHERE k.day < ? LIMIT ? FOR UPDATE OF k SKIP LOCKED) old \
         WHERE (t.provider_account_id, t.day, t.currency) = (old.provider_account_id, old.day, old.currency)"
}

/// How long a strategy's counters are kept: no window is longer than a year.
const USAGE_KEPT_DAYS: i64 = 2 * 366;
/// Outcomes are read over a day; a week is for people.
const OUTCOMES_KEPT_DAYS: i64 = 8;
/// A breaker's window is minutes.
const CALLS_KEPT_DAYS: i64 = 1;
/// Turnover counts by the day; the year before is for people.
const TURNOVERS_KEPT_DAYS: i64 = 400;

/// Deletes what no window reaches any more, up to `limit` rows of each table. Answers how many rows it were.
pub async fn forget(conn: &AsyncPgConnection, now: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    let before = |days: i64| now - chrono::TimeDelta::days(days);
    let mut forgotten = ForgetUsage { before: before(USAGE_KEPT_DAYS), limit }.execute(&mut &*conn).await?;
    forgotten += ForgetPools { before: before(USAGE_KEPT_DAYS), limit }.execute(&mut &*conn).await?;
    forgotten += ForgetOutcomes { before: before(OUTCOMES_KEPT_DAYS), limit }.execute(&mut &*conn).await?;
    forgotten += ForgetCalls { before: before(CALLS_KEPT_DAYS), limit }.execute(&mut &*conn).await?;
    let day = before(TURNOVERS_KEPT_DAYS).date_naive();
    forgotten += ForgetTurnovers { before: day, limit }.execute(&mut &*conn).await?;
    Ok(forgotten)
}
