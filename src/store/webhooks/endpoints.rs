//! Endpoints: where a partner is told what happened.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::domain::ids::{Mode, PartnerId, Tenant, WebhookEndpointId};
use crate::store::statement::statement;
use crate::store::{Slice, of_tenant};

type EndpointSql = (
    SqlUuid,
    Text,
    SqlUuid,
    Text,
    Nullable<Text>,
    Text,
    Array<Text>,
    Bytea,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Text,
    Timestamptz,
);

/// The kind of an endpoint with one address, and of the one for addresses that requests name.
pub const KIND_URL: &str = "url";
pub const KIND_CALLBACK: &str = "callback";

/// An endpoint as stored.
#[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable)]
pub struct EndpointRow {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: WebhookEndpointId,
    /// [`KIND_URL`] or [`KIND_CALLBACK`].
    pub kind: String,
    /// `None`: each request names its own.
    pub url: Option<String>,
    pub description: String,
    /// What it wants to hear of; empty: everything.
    pub types: Vec<String>,
    pub secrets_sealed: Vec<u8>,
    /// Since when nothing has arrived.
    pub failing_since: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// `asked`, `gone` (it answered 410) or `failing`.
    pub disabled_why: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

impl EndpointRow {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

macro_rules! endpoints {
    ($rest:literal) => {
        concat!(
            "SELECT partner_id, mode, id, kind, url, description, types, secrets_sealed, failing_since, disabled_at, disabled_why, created_by, \
                 created_at FROM webhook_endpoint WHERE deleted_at IS NULL AND ",
            $rest
        )
    };
}

statement! {
    struct Insert {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: WebhookEndpointId as SqlUuid, kind: String as Text,
        url: Option<String> as Nullable<Text>, description: String as Text, types: Vec<String> as Array<Text>,
        secrets_sealed: Vec<u8> as Bytea, created_by: String as Text, created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO webhook_endpoint (partner_id, mode, id, kind, url, description, types, secrets_sealed, created_by, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (partner_id, mode) WHERE kind = 'callback' DO NOTHING"
}

statement! {
    struct Find { id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => EndpointSql
      = endpoints!("id = ? AND partner_id = ? AND mode = ?")
}

statement! {
    struct Lock { id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => EndpointSql
      = endpoints!("id = ? AND partner_id = ? AND mode = ? FOR UPDATE")
}

statement! {
    struct FindCallback { partner_id: PartnerId as SqlUuid, mode: Mode as Text } => EndpointSql
      = endpoints!("kind = 'callback' AND partner_id = ? AND mode = ?")
}

statement! {
    struct Newest { tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt } => EndpointSql
      = endpoints!("(partner_id::text || mode) = ? AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?")
}

statement! {
    struct Oldest { tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt } => EndpointSql
      = endpoints!("(partner_id::text || mode) = ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?")
}

statement! {
    struct Count { partner_id: PartnerId as SqlUuid, mode: Mode as Text } => (BigInt,)
      = "SELECT count(*) FROM webhook_endpoint WHERE deleted_at IS NULL AND partner_id = ? AND mode = ?"
}

statement! {
    struct Update {
        url: Option<String> as Nullable<Text>, description: String as Text, types: Vec<String> as Array<Text>,
        secrets_sealed: Vec<u8> as Bytea, failing_since: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        disabled_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, disabled_why: Option<String> as Nullable<Text>,
        id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } = "UPDATE webhook_endpoint SET url = ?, description = ?, types = ?, secrets_sealed = ?, failing_since = ?, disabled_at = ?, \
             disabled_why = ? WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct Delete { now: DateTime<Utc> as Timestamptz, id: WebhookEndpointId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text }
      = "UPDATE webhook_endpoint SET deleted_at = ? WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct Arrived { ids: Vec<WebhookEndpointId> as Array<SqlUuid> }
      = "UPDATE webhook_endpoint SET failing_since = NULL WHERE id = ANY (?) AND failing_since IS NOT NULL"
}

statement! {
    struct Failed { now: DateTime<Utc> as Timestamptz, ids: Vec<WebhookEndpointId> as Array<SqlUuid> }
      = "UPDATE webhook_endpoint SET failing_since = ? WHERE id = ANY (?) AND failing_since IS NULL AND kind = 'url'"
}

statement! {
    struct FailingSince { before: DateTime<Utc> as Timestamptz, limit: i64 as BigInt } => EndpointSql
      = endpoints!("failing_since < ? AND disabled_at IS NULL ORDER BY failing_since LIMIT ? FOR UPDATE SKIP LOCKED")
}

/// Writes a new endpoint. Of callbacks there is one: another changes nothing.
pub async fn insert(conn: &AsyncPgConnection, row: &EndpointRow) -> QueryResult<()> {
    Insert {
        partner_id: row.partner_id,
        mode: row.mode,
        id: row.id,
        kind: row.kind.clone(),
        url: row.url.clone(),
        description: row.description.clone(),
        types: row.types.clone(),
        secrets_sealed: row.secrets_sealed.clone(),
        created_by: row.created_by.clone(),
        created_at: row.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: WebhookEndpointId) -> QueryResult<Option<EndpointRow>> {
    Find { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

pub async fn lock(conn: &AsyncPgConnection, tenant: Tenant, id: WebhookEndpointId) -> QueryResult<Option<EndpointRow>> {
    Lock { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

/// The tenant's endpoint for addresses that requests name.
pub async fn find_callback(conn: &AsyncPgConnection, tenant: Tenant) -> QueryResult<Option<EndpointRow>> {
    FindCallback { partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

/// A tenant's endpoints, in the slice's order.
pub async fn list(conn: &AsyncPgConnection, tenant: Tenant, slice: Slice) -> QueryResult<Vec<EndpointRow>> {
    let Slice { newest_first, after: (at, id), limit } = slice;
    let tenant = of_tenant(tenant);
    match newest_first {
        true => Newest { tenant, at, id, limit }.load(&mut &*conn).await,
        false => Oldest { tenant, at, id, limit }.load(&mut &*conn).await,
    }
}

pub async fn count(conn: &AsyncPgConnection, tenant: Tenant) -> QueryResult<i64> {
    let (count,) = Count { partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await?;
    Ok(count)
}

/// Writes what can change of an endpoint.
pub async fn update(conn: &AsyncPgConnection, row: &EndpointRow) -> QueryResult<()> {
    Update {
        url: row.url.clone(),
        description: row.description.clone(),
        types: row.types.clone(),
        secrets_sealed: row.secrets_sealed.clone(),
        failing_since: row.failing_since,
        disabled_at: row.disabled_at,
        disabled_why: row.disabled_why.clone(),
        id: row.id,
        partner_id: row.partner_id,
        mode: row.mode,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Takes an endpoint out of every list. Its row stays: deliveries and the audit trail name it.
pub async fn delete(conn: &AsyncPgConnection, row: &EndpointRow, now: DateTime<Utc>) -> QueryResult<()> {
    Delete { now, id: row.id, partner_id: row.partner_id, mode: row.mode }.execute(&mut &*conn).await?;
    Ok(())
}

/// Something arrived at these: they fail no more.
pub async fn note_arrivals(conn: &AsyncPgConnection, ids: Vec<WebhookEndpointId>) -> QueryResult<usize> {
    if ids.is_empty() { Ok(0) } else { Arrived { ids }.execute(&mut &*conn).await }
}

/// Nothing arrives at these, from now on unless that was so before.
pub async fn note_failures(
    conn: &AsyncPgConnection,
    ids: Vec<WebhookEndpointId>,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    if ids.is_empty() { Ok(0) } else { Failed { now, ids }.execute(&mut &*conn).await }
}

/// Locks endpoints where nothing has arrived since before `before`.
pub async fn lock_failing(
    conn: &AsyncPgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<EndpointRow>> {
    FailingSince { before, limit }.load(&mut &*conn).await
}
