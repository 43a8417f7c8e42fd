//! What was on deposit accounts over time: a row an account and quarter of an hour.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;

statement! {
    /// Of a balance that its provider hasn't told since `fresh_since` nothing is known: it has no row then.
    struct Take { at: DateTime<Utc> as Timestamptz, fresh_since: DateTime<Utc> as Timestamptz }
      = "INSERT INTO balance_sample (deposit_account_id, at, partner_id, mode, balance, reserved) \
         SELECT d.id, ?, d.partner_id, d.mode, d.balance, d.reserved FROM deposit_account d \
         WHERE d.balance_source = 'books' OR d.synced_at >= ? ON CONFLICT DO NOTHING"
}

statement! {
    // balance_sample_pkey, account by account: an index by time alone would serve charts in its place, and read every account's rows.
    struct Forget { before: DateTime<Utc> as Timestamptz, of_each: i64 as BigInt, limit: i64 as BigInt }
      = "DELETE FROM balance_sample WHERE (deposit_account_id, at) IN ( \
             SELECT s.deposit_account_id, s.at FROM (SELECT ?::timestamptz AS before, ?::bigint AS of_each) ask, deposit_account d \
             CROSS JOIN LATERAL (SELECT x.deposit_account_id, x.at FROM balance_sample x \
                 WHERE x.deposit_account_id = d.id AND x.at < ask.before ORDER BY x.at LIMIT ask.of_each) s LIMIT ?)"
}

/// Writes down what is on each account, as the row of `at`. One that has it already keeps it.
pub async fn take(conn: &AsyncPgConnection, at: DateTime<Utc>, fresh_since: DateTime<Utc>) -> QueryResult<usize> {
    Take { at, fresh_since }.execute(&mut &*conn).await
}

/// Deletes up to `limit` rows from before then; how many those were.
pub async fn forget(conn: &AsyncPgConnection, before: DateTime<Utc>, limit: i64) -> QueryResult<usize> {
    Forget { before, of_each: limit, limit }.execute(&mut &*conn).await
}
