//! API keys. A key is found by the hash of its secret; the secret never comes here.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::ids::{ApiKeyId, Mode, PartnerId, Tenant};

type KeySql = (
    SqlUuid,
    Text,
    SqlUuid,
    Text,
    Text,
    Bytea,
    Array<Text>,
    Array<Text>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Text,
    Timestamptz,
    Nullable<Bytea>,
);

/// A key as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct ApiKeyRow {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: ApiKeyId,
    pub name: String,
    /// The first characters of the key.
    pub prefix: String,
    /// SHA-256 of the key.
    pub secret_hash: Vec<u8>,
    pub scopes: Vec<String>,
    /// Addresses and networks; empty: any.
    pub allowed_ips: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    /// The secret that its requests are signed with, sealed for this row; `None`: they aren't.
    pub signing_sealed: Option<Vec<u8>>,
}

impl ApiKeyRow {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

statement! {
    struct InsertKey {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ApiKeyId as SqlUuid, name: String as Text, prefix: String as Text,
        secret_hash: Vec<u8> as Bytea, scopes: Vec<String> as Array<Text>, allowed_ips: Vec<String> as Array<Text>,
        expires_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, created_by: String as Text, now: DateTime<Utc> as Timestamptz,
        signing_sealed: Option<Vec<u8>> as Nullable<Bytea>,
    } = "INSERT INTO api_key (partner_id, mode, id, name, prefix, secret_hash, scopes, allowed_ips, expires_at, created_by, \
             created_at, signing_sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    /// One read of one row by a unique index, and its partner's code.
    struct FindByHash { secret_hash: Vec<u8> as Bytea } => (KeySql, Text)
      = "SELECT k.partner_id, k.mode, k.id, k.name, k.prefix, k.secret_hash, k.scopes, k.allowed_ips, k.expires_at, \
             k.revoked_at, k.last_used_at, k.created_by, k.created_at, k.signing_sealed, p.code \
         FROM api_key k JOIN partner p ON p.id = k.partner_id WHERE k.secret_hash = ?"
}

statement! {
    struct FindKey { id: ApiKeyId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => KeySql
      = "SELECT partner_id, mode, id, name, prefix, secret_hash, scopes, allowed_ips, expires_at, revoked_at, last_used_at, \
             created_by, created_at, signing_sealed FROM api_key WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct LockKey { id: ApiKeyId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => KeySql
      = "SELECT partner_id, mode, id, name, prefix, secret_hash, scopes, allowed_ips, expires_at, revoked_at, last_used_at, \
             created_by, created_at, signing_sealed FROM api_key WHERE id = ? AND partner_id = ? AND mode = ? FOR UPDATE"
}

statement! {
    struct NewestFirst {
        tenant: String as Text, created_at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt,
    } => KeySql
      = "SELECT partner_id, mode, id, name, prefix, secret_hash, scopes, allowed_ips, expires_at, revoked_at, last_used_at, \
             created_by, created_at, signing_sealed FROM api_key \
         WHERE (partner_id::text || mode) = ? AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?"
}

statement! {
    struct OldestFirst {
        tenant: String as Text, created_at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt,
    } => KeySql
      = "SELECT partner_id, mode, id, name, prefix, secret_hash, scopes, allowed_ips, expires_at, revoked_at, last_used_at, \
             created_by, created_at, signing_sealed FROM api_key \
         WHERE (partner_id::text || mode) = ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?"
}

statement! {
    struct UpdateKey {
        name: String as Text, allowed_ips: Vec<String> as Array<Text>, expires_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        revoked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: ApiKeyId as SqlUuid, partner_id: PartnerId as SqlUuid,
        mode: Mode as Text,
    } = "UPDATE api_key SET name = ?, allowed_ips = ?, expires_at = ?, revoked_at = ? WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct NoteUse {
        now: DateTime<Utc> as Timestamptz, id: ApiKeyId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        before: DateTime<Utc> as Timestamptz,
    } = "UPDATE api_key SET last_used_at = ? WHERE id = ? AND partner_id = ? AND mode = ? \
             AND (last_used_at IS NULL OR last_used_at <= ?)"
}

pub async fn insert(conn: &AsyncPgConnection, key: ApiKeyRow) -> QueryResult<()> {
    InsertKey {
        partner_id: key.partner_id,
        mode: key.mode,
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        secret_hash: key.secret_hash,
        scopes: key.scopes,
        allowed_ips: key.allowed_ips,
        expires_at: key.expires_at,
        created_by: key.created_by,
        now: key.created_at,
        signing_sealed: key.signing_sealed,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// The key with that secret, whoever's it is, with its partner's code.
pub async fn find_by_hash(
    conn: &AsyncPgConnection,
    secret_hash: &[u8; 32],
) -> QueryResult<Option<(ApiKeyRow, String)>> {
    FindByHash { secret_hash: secret_hash.to_vec() }.get_result(&mut &*conn).await.optional()
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: ApiKeyId) -> QueryResult<Option<ApiKeyRow>> {
    FindKey { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

pub async fn lock(conn: &AsyncPgConnection, tenant: Tenant, id: ApiKeyId) -> QueryResult<Option<ApiKeyRow>> {
    LockKey { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

/// A tenant's keys, in the slice's order.
pub async fn list(conn: &AsyncPgConnection, tenant: Tenant, slice: Slice) -> QueryResult<Vec<ApiKeyRow>> {
    let Slice { newest_first, after: (created_at, id), limit } = slice;
    let tenant = of_tenant(tenant);
    if newest_first {
        NewestFirst { tenant, created_at, id, limit }.load(&mut &*conn).await
    } else {
        OldestFirst { tenant, created_at, id, limit }.load(&mut &*conn).await
    }
}

/// Writes what can change of a key: name, addresses, expiry, revocation.
pub async fn update(conn: &AsyncPgConnection, key: &ApiKeyRow) -> QueryResult<()> {
    UpdateKey {
        name: key.name.clone(),
        allowed_ips: key.allowed_ips.clone(),
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        id: key.id,
        partner_id: key.partner_id,
        mode: key.mode,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Notes that a key was used, unless that was noted after `before`.
pub async fn note_use(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: ApiKeyId,
    before: DateTime<Utc>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    NoteUse { now, id, partner_id: tenant.partner_id, mode: tenant.mode, before }.execute(&mut &*conn).await?;
    Ok(())
}
