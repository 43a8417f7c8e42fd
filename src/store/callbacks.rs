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
        now: DateTime<Utc> as Timestamptz, unkeyed: Vec<u8> as Bytea, of_account: ProviderAccountId as SqlUuid,
    } = "INSERT INTO provider_callback (partner_id, mode, id, provider_account_id, digest, verified, reports, body_redacted, received_at, keyed) \
         SELECT k.*, true FROM (VALUES (?::uuid, ?::text, ?::uuid, ?::uuid, ?::bytea, ?::bool, ?::jsonb, ?::text, ?::timestamptz)) k \
         WHERE NOT EXISTS (SELECT 1 FROM provider_callback c WHERE c.digest = ? AND c.provider_account_id = ? AND NOT c.keyed) \
         ON CONFLICT (provider_account_id, digest) DO NOTHING"
}

statement! {
    struct Unkeyed { batch_size: i64 as BigInt } -> pub UnkeyedCallback {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, provider_account_id: ProviderAccountId as SqlUuid,
        digest: Vec<u8> as Bytea,
    } = "SELECT partner_id, mode, id, provider_account_id, digest FROM provider_callback WHERE NOT keyed LIMIT ? FOR UPDATE SKIP LOCKED"
}

statement! {
    /// What is there under its new name already is the same message, and has been applied: under a name of its own, it is met no more.
    struct SetDigests {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
        digests: Vec<Vec<u8>> as Array<Bytea>, others: Vec<Vec<u8>> as Array<Bytea>,
    } = "UPDATE provider_callback c SET keyed = true, digest = CASE WHEN EXISTS (SELECT 1 FROM provider_callback o \
             WHERE o.provider_account_id = c.provider_account_id AND o.digest = k.digest) THEN k.other ELSE k.digest END \
         FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::bytea[], ?::bytea[]) AS k (partner_id, mode, id, digest, other) \
         WHERE (c.partner_id, c.mode, c.id) = (k.partner_id, k.mode, k.id)"
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

statement! {
    /// Those that were applied, or that proved nothing, and name no payout that is still open.
    struct Forget { before: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt }
      = "DELETE FROM provider_callback c USING ( \
             SELECT o.partner_id, o.mode, o.id FROM provider_callback o \
             WHERE o.received_at < ? AND (o.processed_at IS NOT NULL OR NOT o.verified) AND NOT EXISTS ( \
                 SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof(o.reports) = 'array' THEN o.reports ELSE '[]' END) named \
                 JOIN payout p ON p.provider_account_id = o.provider_account_id \
                     AND p.provider_reference = COALESCE(named ->> 'reference', named #>> '{}') \
                 WHERE p.final_at IS NULL) \
             ORDER BY o.received_at LIMIT ? FOR UPDATE SKIP LOCKED) old \
         WHERE (c.partner_id, c.mode, c.id) = (old.partner_id, old.mode, old.id)"
}

/// A callback to be stored.
#[derive(Clone, Debug)]
pub struct NewCallback {
    /// The owner of the provider account.
    pub tenant: Tenant,
    pub id: Uuid,
    pub provider_account_id: ProviderAccountId,
    /// The vault's MAC of `unkeyed`.
    pub digest: Vec<u8>,
    /// SHA-256 of whether it is verified and its body: what earlier versions kept. Never kept, since a short body is guessed by it.
    pub unkeyed: Vec<u8>,
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
        unkeyed: callback.unkeyed,
        of_account: callback.provider_account_id,
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

/// Callbacks that are still kept by a hash without a key, locked.
pub async fn unkeyed(conn: &AsyncPgConnection, batch_size: i64) -> QueryResult<Vec<UnkeyedCallback>> {
    Unkeyed { batch_size }.load(&mut &*conn).await
}

/// Keeps callbacks by these digests, or, where the same message is there by that already, by the other.
pub async fn set_digests(
    conn: &AsyncPgConnection,
    callbacks: Vec<(UnkeyedCallback, Vec<u8>, Vec<u8>)>,
) -> QueryResult<()> {
    SetDigests {
        partner_ids: callbacks.iter().map(|(c, ..)| c.partner_id).collect(),
        modes: callbacks.iter().map(|(c, ..)| c.mode).collect(),
        ids: callbacks.iter().map(|(c, ..)| c.id).collect(),
        digests: callbacks.iter().map(|(_, digest, _)| digest.clone()).collect(),
        others: callbacks.into_iter().map(|(.., other)| other).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Deletes up to `batch_size` callbacks that came before `before` and that nothing open refers to, the oldest first; answers how many.
pub async fn forget(conn: &AsyncPgConnection, before: DateTime<Utc>, batch_size: i64) -> QueryResult<usize> {
    Forget { before, batch_size }.execute(&mut &*conn).await
}
