//! What operators watch, counted from the database: few rows each, by an index of just what is open or waits.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::sealed::{self, Pass};
use super::statement::statement;
use super::webhooks::deliveries::{self, Waiting};
use crate::domain::ids::Mode;

statement! {
    // staff_case_open
    struct OpenCases {} -> pub OpenCase { mode: Mode as Text, kind: String as Text, count: i64 as BigInt, since: DateTime<Utc> as Timestamptz }
      = "SELECT mode, kind, count(*), min(opened_at) FROM staff_case WHERE closed_at IS NULL GROUP BY mode, kind ORDER BY mode, kind"
}

statement! {
    // payout_one_open_a_part
    struct OpenPayouts {} -> pub OpenPayout { mode: Mode as Text, status: String as Text, count: i64 as BigInt, since: DateTime<Utc> as Timestamptz }
      = "SELECT mode, status, count(*), min(created_at) FROM payout WHERE status IN ('created', 'invoking', 'pending', 'unknown') \
         GROUP BY mode, status ORDER BY mode, status"
}

statement! {
    // payout_request_open
    struct Moderated {} -> pub ModeratedRequest { mode: Mode as Text, reason: String as Text, count: i64 as BigInt }
      = "SELECT mode, moderation_reason, count(*) FROM payout_request WHERE final_at IS NULL AND moderation_reason IS NOT NULL \
         GROUP BY mode, moderation_reason ORDER BY mode, moderation_reason"
}

statement! {
    // job_due
    struct DueJobs { now: DateTime<Utc> as Timestamptz } -> pub DueJob { kind: String as Text, count: i64 as BigInt, since: DateTime<Utc> as Timestamptz }
      = "SELECT kind, count(*), min(run_at) FROM job WHERE dead_at IS NULL AND run_at <= ? GROUP BY kind ORDER BY kind"
}

statement! {
    // job_dead
    struct DeadJobs {} -> pub DeadJob { kind: String as Text, count: i64 as BigInt }
      = "SELECT kind, count(*) FROM job WHERE dead_at IS NOT NULL GROUP BY kind ORDER BY kind"
}

statement! {
    // reconciliation_latest, for each of the few provider accounts.
    struct LatestRuns {} -> pub LatestRun {
        mode: Mode as Text, owner: String as Text, account: String as Text, finished_at: DateTime<Utc> as Timestamptz, failed: bool as Bool,
        only_ours: i32 as Integer, only_theirs: i32 as Integer, differing: i32 as Integer,
        succeeded_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT a.mode, p.code, a.code, r.finished_at, r.error IS NOT NULL, r.only_ours, r.only_theirs, r.differing, s.finished_at \
         FROM provider_account a \
         JOIN partner p ON p.id = a.partner_id \
         CROSS JOIN LATERAL (SELECT * FROM reconciliation c WHERE c.provider_account_id = a.id AND c.finished_at IS NOT NULL \
             ORDER BY c.started_at DESC LIMIT 1) r \
         LEFT JOIN LATERAL (SELECT c.finished_at FROM reconciliation c WHERE c.provider_account_id = a.id AND c.finished_at IS NOT NULL \
             AND c.error IS NULL ORDER BY c.started_at DESC LIMIT 1) s ON true \
         ORDER BY a.mode, p.code, a.code"
}

statement! {
    // Few rows: one a partner, mode and epoch.
    struct DataKeys {} -> pub DataKeyCount {
        state: String as Text, count: i64 as BigInt, since: DateTime<Utc> as Timestamptz, messages_max: i64 as BigInt,
    } = "SELECT state, count(*), min(created_at), max(message_count) FROM ( \
             SELECT created_at, message_count, CASE WHEN retired_at IS NOT NULL THEN 'retired' WHEN compromised_at IS NOT NULL THEN 'compromised' \
                 WHEN lead(epoch) OVER (PARTITION BY partner_id, mode ORDER BY epoch) IS NULL THEN 'primary' \
                 WHEN drained_at IS NOT NULL THEN 'drained' ELSE 'draining' END AS state FROM dek) d \
         GROUP BY state ORDER BY state"
}

/// All of it, at one time.
#[derive(Clone, Debug)]
pub struct Counted {
    pub at: DateTime<Utc>,
    pub cases: Vec<OpenCase>,
    pub payouts: Vec<OpenPayout>,
    pub moderated: Vec<ModeratedRequest>,
    pub due: Vec<DueJob>,
    pub dead: Vec<DeadJob>,
    pub runs: Vec<LatestRun>,
    pub keys: Vec<DataKeyCount>,
    pub reseal: Pass,
    /// Of webhooks.
    pub webhooks: Waiting,
}

/// Counts.
pub async fn count(conn: &AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<Counted> {
    Ok(Counted {
        at: now,
        cases: OpenCases {}.load(&mut &*conn).await?,
        payouts: OpenPayouts {}.load(&mut &*conn).await?,
        moderated: Moderated {}.load(&mut &*conn).await?,
        due: DueJobs { now }.load(&mut &*conn).await?,
        dead: DeadJobs {}.load(&mut &*conn).await?,
        runs: LatestRuns {}.load(&mut &*conn).await?,
        keys: DataKeys {}.load(&mut &*conn).await?,
        reseal: sealed::find_pass(conn).await?,
        webhooks: deliveries::waiting(conn, now).await?,
    })
}
