//! Idempotency keys: the saved answer of a write, for 24 hours.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bytea, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, Tenant};

/// Whose key it is: keys of two principals never meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOwner {
    pub tenant: Tenant,
    pub principal: String,
    pub key: String,
}

statement! {
    struct InsertKey {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, principal: String as Text, key: String as Text,
        operation: String as Text, body_mac: Vec<u8> as Bytea, lease_until: DateTime<Utc> as Timestamptz,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO idempotency_key (partner_id, mode, principal, key, operation, body_mac, lease_until, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
}

statement! {
    struct FindKey { partner_id: PartnerId as SqlUuid, mode: Mode as Text, principal: String as Text, key: String as Text }
      -> pub SavedKey {
        operation: String as Text, body_mac: Vec<u8> as Bytea, lease_until: DateTime<Utc> as Timestamptz,
        response_status: Option<i16> as Nullable<SmallInt>, response_body: Option<String> as Nullable<Text>,
        created_at: DateTime<Utc> as Timestamptz,
    } = "SELECT operation, body_mac, lease_until, response_status, response_body, created_at FROM idempotency_key \
         WHERE partner_id = ? AND mode = ? AND principal = ? AND key = ?"
}

statement! {
    /// Takes over from a process that died, or a key whose 24 hours are over, if nobody else did first. `created_at` is when the work
    /// was first claimed: of a process that died, as it was.
    struct TakeOver {
        operation: String as Text, body_mac: Vec<u8> as Bytea, lease_until: DateTime<Utc> as Timestamptz,
        created_at: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, principal: String as Text,
        key: String as Text, seen_lease: DateTime<Utc> as Timestamptz,
    } = "UPDATE idempotency_key SET operation = ?, body_mac = ?, lease_until = ?, response_status = NULL, response_body = NULL, \
             created_at = ? \
         WHERE partner_id = ? AND mode = ? AND principal = ? AND key = ? AND lease_until = ?"
}

statement! {
    struct SaveResponse {
        status: i16 as SmallInt, body: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, principal: String as Text,
        key: String as Text, lease_until: DateTime<Utc> as Timestamptz,
    } = "UPDATE idempotency_key SET response_status = ?, response_body = ? \
         WHERE partner_id = ? AND mode = ? AND principal = ? AND key = ? AND lease_until = ?"
}

statement! {
    /// Whoever comes next may go on with the work.
    struct ReleaseKey {
        now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, principal: String as Text,
        key: String as Text, lease_until: DateTime<Utc> as Timestamptz,
    } = "UPDATE idempotency_key SET lease_until = ? \
         WHERE partner_id = ? AND mode = ? AND principal = ? AND key = ? AND lease_until = ? AND response_status IS NULL"
}

statement! {
    struct ForgetKey {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, principal: String as Text, key: String as Text,
        lease_until: DateTime<Utc> as Timestamptz,
    } = "DELETE FROM idempotency_key WHERE partner_id = ? AND mode = ? AND principal = ? AND key = ? AND lease_until = ? \
         AND response_status IS NULL"
}

statement! {
    struct DeleteOld { before: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt }
      = "DELETE FROM idempotency_key k USING ( \
             SELECT partner_id, mode, principal, key FROM idempotency_key WHERE created_at < ? ORDER BY created_at LIMIT ? \
             FOR UPDATE SKIP LOCKED) old \
         WHERE (k.partner_id, k.mode, k.principal, k.key) = (old.partner_id, old.mode, old.principal, old.key)"
}

/// Claims a key; `false` if it is there already.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    owner: &KeyOwner,
    operation: &str,
    body_mac: &[u8],
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let claimed = InsertKey {
        partner_id: owner.tenant.partner_id,
        mode: owner.tenant.mode,
        principal: owner.principal.clone(),
        key: owner.key.clone(),
        operation: operation.to_owned(),
        body_mac: body_mac.to_vec(),
        lease_until,
        now,
    }
    .execute(conn)
    .await?;
    Ok(claimed == 1)
}

pub async fn find(conn: &mut AsyncPgConnection, owner: &KeyOwner) -> QueryResult<Option<SavedKey>> {
    FindKey {
        partner_id: owner.tenant.partner_id,
        mode: owner.tenant.mode,
        principal: owner.principal.clone(),
        key: owner.key.clone(),
    }
    .get_result(conn)
    .await
    .optional()
}

/// Takes a key over whose lease was seen to be over; `false` if somebody else did.
pub async fn take_over(
    conn: &mut AsyncPgConnection,
    owner: &KeyOwner,
    operation: &str,
    body_mac: &[u8],
    seen_lease: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    created_at: DateTime<Utc>,
) -> QueryResult<bool> {
    let taken = TakeOver {
        operation: operation.to_owned(),
        body_mac: body_mac.to_vec(),
        lease_until,
        created_at,
        partner_id: owner.tenant.partner_id,
        mode: owner.tenant.mode,
        principal: owner.principal.clone(),
        key: owner.key.clone(),
        seen_lease,
    }
    .execute(conn)
    .await?;
    Ok(taken == 1)
}

/// Saves the answer under a lease that is still ours.
pub async fn save(
    conn: &mut AsyncPgConnection,
    owner: &KeyOwner,
    lease_until: DateTime<Utc>,
    status: u16,
    body: &str,
) -> QueryResult<()> {
    SaveResponse {
        status: i16::try_from(status).unwrap_or(i16::MAX),
        body: body.to_owned(),
        partner_id: owner.tenant.partner_id,
        mode: owner.tenant.mode,
        principal: owner.principal.clone(),
        key: owner.key.clone(),
        lease_until,
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets go of a key whose request failed in a way that isn't to be replayed.
pub async fn release(
    conn: &mut AsyncPgConnection,
    owner: &KeyOwner,
    lease_until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    ReleaseKey {
        now,
        partner_id: owner.tenant.partner_id,
        mode: owner.tenant.mode,
        principal: owner.principal.clone(),
        key: owner.key.clone(),
        lease_until,
    }
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn forget(conn: &mut AsyncPgConnection, owner: &KeyOwner, lease_until: DateTime<Utc>) -> QueryResult<()> {
    ForgetKey {
        partner_id: owner.tenant.partner_id,
        mode: owner.tenant.mode,
        principal: owner.principal.clone(),
        key: owner.key.clone(),
        lease_until,
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes up to `batch_size` keys older than `before`; answers how many.
pub async fn delete_old(conn: &mut AsyncPgConnection, before: DateTime<Utc>, batch_size: i64) -> QueryResult<usize> {
    DeleteOld { before, batch_size }.execute(conn).await
}
