//! Provider accounts' health: the job that tries their credentials, and what came of it. It takes no route out.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, ProviderAccountId, Tenant};

statement! {
    /// A look at few rows: the insert is for accounts that are new.
    struct EnsureJobs { now: DateTime<Utc> as Timestamptz }
      = "INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at) \
         SELECT a.partner_id, a.mode, 'check_account', a.id, n.now, n.now \
         FROM provider_account a, (SELECT ?::timestamptz AS now) n \
         WHERE NOT EXISTS ( \
             SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.kind, j.subject_id) = (a.partner_id, a.mode, 'check_account', a.id)) \
         ON CONFLICT (partner_id, mode, kind, subject_id) DO NOTHING"
}

statement! {
    struct FindAccounts {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<ProviderAccountId> as Array<SqlUuid>,
    } -> pub CheckedAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid, code: String as Text,
        provider: String as Text, enabled: bool as Bool,
    } = "SELECT a.partner_id, a.mode, a.id, a.code, a.provider, a.enabled FROM provider_account a \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
             ON (a.partner_id, a.mode, a.id) = (k.partner_id, k.mode, k.id) \
         ORDER BY a.id"
}

statement! {
    struct WriteHealth {
        health: &'static str as Text, detail: Option<String> as Nullable<Text>, checked_at: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid, not_after: DateTime<Utc> as Timestamptz,
    } = "UPDATE provider_account SET health = ?, health_detail = ?, health_checked_at = ? \
         WHERE partner_id = ? AND mode = ? AND id = ? AND COALESCE(health_checked_at <= ?, true)"
}

/// Writes down the jobs of accounts that have none yet, due at once.
pub async fn ensure_jobs(conn: &AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    EnsureJobs { now }.execute(&mut &*conn).await?;
    Ok(())
}

/// Those of these accounts that are there.
pub async fn find(
    conn: &AsyncPgConnection,
    accounts: &[(Tenant, ProviderAccountId)],
) -> QueryResult<Vec<CheckedAccount>> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    FindAccounts {
        partner_ids: accounts.iter().map(|(owner, _)| owner.partner_id).collect(),
        modes: accounts.iter().map(|(owner, _)| owner.mode).collect(),
        ids: accounts.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// Writes what a check that began at `checked_at` found, unless a later one has.
pub async fn write(
    conn: &AsyncPgConnection,
    owner: Tenant,
    id: ProviderAccountId,
    health: &'static str,
    detail: Option<String>,
    checked_at: DateTime<Utc>,
) -> QueryResult<()> {
    let Tenant { partner_id, mode } = owner;
    WriteHealth { health, detail, checked_at, partner_id, mode, id, not_after: checked_at }
        .execute(&mut &*conn)
        .await?;
    Ok(())
}
