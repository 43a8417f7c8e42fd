//! Provider callbacks: stored before they are answered, applied once.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, ProviderAccountId, Tenant};

statement! {
    struct InsertCallback {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, provider_account_id: ProviderAccountId as SqlUuid,
        digest: Vec<u8> as Bytea, verified: bool as Bool, reports: Value as Jsonb, body_redacted: String as Text,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO provider_callback (partner_id, mode, id, provider_account_id, digest, verified, reports, body_redacted, received_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (provider_account_id, digest) DO NOTHING"
}

statement! {
    struct FindCallbacks {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
    } -> pub Callback {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, provider_account_id: ProviderAccountId as SqlUuid,
        verified: bool as Bool, reports: Value as Jsonb, processed_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT c.partner_id, c.mode, c.id, c.provider_account_id, c.verified, c.reports, c.processed_at FROM provider_callback c \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (c.partner_id, c.mode, c.id) = (k.partner_id, k.mode, k.id)"
}

statement! {
    struct MarkProcessed { now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid }
      = "UPDATE provider_callback SET processed_at = ? WHERE partner_id = ? AND mode = ? AND id = ?"
}

statement! {
    /// Skips what another one prunes already.
    struct PruneStrays { provider_account_id: ProviderAccountId as SqlUuid, kept: i64 as BigInt }
      = "DELETE FROM provider_callback WHERE id IN (SELECT id FROM provider_callback WHERE provider_account_id = ? AND NOT verified \
             ORDER BY received_at DESC, id DESC OFFSET ? FOR UPDATE SKIP LOCKED)"
}

/// A callback to be stored.
#[derive(Clone, Debug)]
pub struct NewCallback {
    /// The owner of the provider account.
    pub tenant: Tenant,
    pub id: Uuid,
    pub provider_account_id: ProviderAccountId,
    pub digest: Vec<u8>,
    pub verified: bool,
    pub reports: Value,
    pub body_redacted: String,
}

/// Stores a callback; `false` if the very same was stored before.
pub async fn insert(conn: &mut AsyncPgConnection, callback: NewCallback, now: DateTime<Utc>) -> QueryResult<bool> {
    let inserted = InsertCallback {
        partner_id: callback.tenant.partner_id,
        mode: callback.tenant.mode,
        id: callback.id,
        provider_account_id: callback.provider_account_id,
        digest: callback.digest,
        verified: callback.verified,
        reports: callback.reports,
        body_redacted: callback.body_redacted,
        now,
    }
    .execute(conn)
    .await?;
    Ok(inserted == 1)
}

pub async fn find(conn: &mut AsyncPgConnection, callbacks: &[(Tenant, Uuid)]) -> QueryResult<Vec<Callback>> {
    FindCallbacks {
        partner_ids: callbacks.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: callbacks.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: callbacks.iter().map(|(_, id)| *id).collect(),
    }
    .load(conn)
    .await
}

/// Deletes an account's callbacks that couldn't be verified, but for the newest `kept`.
pub async fn prune_strays(
    conn: &mut AsyncPgConnection,
    provider_account_id: ProviderAccountId,
    kept: i64,
) -> QueryResult<()> {
    PruneStrays { provider_account_id, kept }.execute(conn).await?;
    Ok(())
}

pub async fn mark_processed(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    id: Uuid,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    MarkProcessed { now, partner_id: tenant.partner_id, mode: tenant.mode, id }.execute(conn).await?;
    Ok(())
}
