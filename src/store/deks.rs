//! Wrapped data keys of the vault.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use std::sync::Arc;
use uuid::Uuid;

use super::pool::Db;
use super::statement::statement;
use crate::clock::Clock;
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::vault::keys::WrappedDek;
use crate::vault::{DekId, DekRow, DekStore, DekStoreError, KeyCheckValue};

type DekSql = (SqlUuid, SqlUuid, Text, Integer, Text, Bytea, Bytea);

#[derive(diesel::Queryable)]
struct Row {
    id: Uuid,
    partner_id: PartnerId,
    mode: Mode,
    epoch: i32,
    kek_id: String,
    wrapped: Vec<u8>,
    key_check_value: Vec<u8>,
}

impl Row {
    fn into_dek(self) -> Result<DekRow, DekStoreError> {
        let check: [u8; 8] = self
            .key_check_value
            .try_into()
            .map_err(|_| DekStoreError("a stored key check value has a wrong length".into()))?;
        Ok(DekRow {
            id: DekId(self.id),
            tenant: Tenant { partner_id: self.partner_id, mode: self.mode },
            epoch: self.epoch,
            wrapped: WrappedDek { kek_id: self.kek_id, bytes: self.wrapped },
            check: KeyCheckValue(check),
        })
    }
}

statement! {
    struct Primary { partner_id: PartnerId as SqlUuid, mode: Mode as Text } => DekSql
      = "SELECT id, partner_id, mode, epoch, kek_id, wrapped, key_check_value FROM dek \
         WHERE partner_id = ? AND mode = ? ORDER BY epoch DESC LIMIT 1"
}

statement! {
    struct OfEpoch { partner_id: PartnerId as SqlUuid, mode: Mode as Text, epoch: i32 as Integer } => DekSql
      = "SELECT id, partner_id, mode, epoch, kek_id, wrapped, key_check_value FROM dek \
         WHERE partner_id = ? AND mode = ? AND epoch = ?"
}

statement! {
    struct Find { id: Uuid as SqlUuid } => DekSql
      = "SELECT id, partner_id, mode, epoch, kek_id, wrapped, key_check_value FROM dek WHERE id = ?"
}

statement! {
    struct Insert {
        id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, epoch: i32 as Integer, kek_id: String as Text,
        wrapped: Vec<u8> as Bytea, check: Vec<u8> as Bytea, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO dek (id, partner_id, mode, epoch, kek_id, wrapped, key_check_value, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (partner_id, mode, epoch) DO NOTHING"
}

statement! {
    struct Retired { ids: Vec<Uuid> as Array<SqlUuid> } => (SqlUuid,)
      = "SELECT id FROM dek WHERE id = ANY (?) AND retired_at IS NOT NULL"
}

statement! {
    struct AllDeks {} -> pub DekRecord {
        id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, epoch: i32 as Integer, kek_id: String as Text,
        wrapped: Vec<u8> as Bytea, key_check_value: Vec<u8> as Bytea, message_count: i64 as BigInt, is_primary: bool as Bool,
        created_at: DateTime<Utc> as Timestamptz, superseded_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        drained_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, compromised_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        retired_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT id, partner_id, mode, epoch, kek_id, wrapped, key_check_value, message_count, \
             lead(epoch) OVER later IS NULL, created_at, lead(created_at) OVER later, drained_at, compromised_at, retired_at \
         FROM dek WINDOW later AS (PARTITION BY partner_id, mode ORDER BY epoch) ORDER BY partner_id, mode, epoch"
}

statement! {
    struct DrainingDeks {} => (SqlUuid, SqlUuid, Text)
      = "SELECT d.id, d.partner_id, d.mode FROM dek d WHERE d.retired_at IS NULL AND d.drained_at IS NULL \
         AND EXISTS (SELECT 1 FROM dek n WHERE n.partner_id = d.partner_id AND n.mode = d.mode AND n.epoch > d.epoch) \
         ORDER BY d.compromised_at, d.created_at"
}

statement! {
    struct AloneWith { id: Uuid as SqlUuid } = "SELECT pg_advisory_xact_lock(sealed_key_lock(?))"
}

statement! {
    struct LockDek { id: Uuid as SqlUuid } -> pub DekLife {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, epoch: i32 as Integer, is_primary: bool as Bool,
        drained_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, compromised_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        retired_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT d.partner_id, d.mode, d.epoch, \
             NOT EXISTS (SELECT 1 FROM dek n WHERE n.partner_id = d.partner_id AND n.mode = d.mode AND n.epoch > d.epoch), \
             d.drained_at, d.compromised_at, d.retired_at \
         FROM dek d WHERE d.id = ? FOR UPDATE OF d"
}

statement! {
    struct SetDrained { at: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: Uuid as SqlUuid }
      = "UPDATE dek SET drained_at = ? WHERE id = ? AND retired_at IS NULL"
}

statement! {
    struct SetCompromised { at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid }
      = "UPDATE dek SET compromised_at = ? WHERE id = ? AND compromised_at IS NULL"
}

statement! {
    struct Retire { at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid }
      = "UPDATE dek SET wrapped = '', retired_at = ? WHERE id = ? AND retired_at IS NULL"
}

statement! {
    /// Only over the very bytes that were rewrapped: what was destroyed meanwhile stays so.
    struct Rewrap { kek_id: String as Text, wrapped: Vec<u8> as Bytea, id: Uuid as SqlUuid, was: Vec<u8> as Bytea }
      = "UPDATE dek SET kek_id = ?, wrapped = ? WHERE id = ? AND wrapped = ? AND retired_at IS NULL"
}

statement! {
    struct Count { reserved: i64 as BigInt, id: Uuid as SqlUuid } => (BigInt,)
      = "UPDATE dek SET message_count = message_count + ? WHERE id = ? RETURNING message_count"
}

impl DekRecord {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }

    /// As the vault has it.
    pub fn to_dek(&self) -> Result<DekRow, DekStoreError> {
        Row {
            id: self.id,
            partner_id: self.partner_id,
            mode: self.mode,
            epoch: self.epoch,
            kek_id: self.kek_id.clone(),
            wrapped: self.wrapped.clone(),
            key_check_value: self.key_check_value.clone(),
        }
        .into_dek()
    }
}

impl DekLife {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// Every data key there ever was, by tenant and epoch.
pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<DekRecord>> {
    AllDeks {}.load(&mut &*conn).await
}

/// Keys that aren't primary any more and may still be named by rows.
pub async fn draining(conn: &AsyncPgConnection) -> QueryResult<Vec<(DekId, Tenant)>> {
    let found: Vec<(Uuid, PartnerId, Mode)> = DrainingDeks {}.load(&mut &*conn).await?;
    Ok(found.into_iter().map(|(id, partner_id, mode)| (DekId(id), Tenant { partner_id, mode })).collect())
}

/// Waits until nobody is about to write something sealed under the key, and keeps everybody from it until the transaction ends. Statements
/// after this one see all that was written. What follows may take as long as it takes.
pub async fn alone_with(conn: &mut AsyncPgConnection, id: DekId) -> QueryResult<()> {
    AloneWith { id: id.0 }.execute(&mut *conn).await?;
    conn.batch_execute("SET LOCAL statement_timeout = 0").await
}

/// What became of a key, locked until the transaction ends.
pub async fn lock(conn: &AsyncPgConnection, id: DekId) -> QueryResult<Option<DekLife>> {
    LockDek { id: id.0 }.get_result(&mut &*conn).await.optional()
}

/// Notes since when nothing is sealed under a key, or that something is.
pub async fn set_drained(conn: &AsyncPgConnection, id: DekId, at: Option<DateTime<Utc>>) -> QueryResult<()> {
    SetDrained { at, id: id.0 }.execute(&mut &*conn).await?;
    Ok(())
}

/// From now on the database takes nothing that is sealed under the key.
pub async fn set_compromised(conn: &AsyncPgConnection, id: DekId, at: DateTime<Utc>) -> QueryResult<()> {
    SetCompromised { at, id: id.0 }.execute(&mut &*conn).await?;
    Ok(())
}

/// Destroys the wrapped key.
pub async fn retire(conn: &AsyncPgConnection, id: DekId, at: DateTime<Utc>) -> QueryResult<()> {
    Retire { at, id: id.0 }.execute(&mut &*conn).await?;
    Ok(())
}

/// Puts a rewrapped key in the place of `was`; `false` where something else stands there by now.
pub async fn rewrap(conn: &AsyncPgConnection, id: DekId, was: &WrappedDek, is: WrappedDek) -> QueryResult<bool> {
    let written = Rewrap { kek_id: is.kek_id, wrapped: is.bytes, id: id.0, was: was.bytes.clone() };
    Ok(written.execute(&mut &*conn).await? == 1)
}

/// Adds a new epoch's key, which is primary from then on; `false` if the tenant has a key of that epoch.
pub async fn insert(conn: &AsyncPgConnection, row: &DekRow, now: DateTime<Utc>) -> QueryResult<bool> {
    let row = row.clone();
    let insert = Insert {
        id: row.id.0,
        partner_id: row.tenant.partner_id,
        mode: row.tenant.mode,
        epoch: row.epoch,
        kek_id: row.wrapped.kek_id,
        wrapped: row.wrapped.bytes,
        check: row.check.0.to_vec(),
        now,
    };
    Ok(insert.execute(&mut &*conn).await? == 1)
}

/// The table of data keys, for the vault.
pub struct PgDeks {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> DekStoreError {
    DekStoreError(Box::new(error))
}

async fn one(
    conn: &mut AsyncPgConnection,
    query: impl diesel_async::methods::LoadQuery<'static, AsyncPgConnection, Row> + Send + 'static,
) -> Result<Option<DekRow>, DekStoreError> {
    let row: Option<Row> = query.get_result(conn).await.optional().map_err(failed)?;
    row.map(Row::into_dek).transpose()
}

#[async_trait]
impl DekStore for PgDeks {
    async fn primary(&self, tenant: Tenant) -> Result<Option<DekRow>, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        one(&mut conn, Primary { partner_id: tenant.partner_id, mode: tenant.mode }).await
    }

    async fn insert_primary(&self, row: DekRow) -> Result<DekRow, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        let (tenant, epoch) = (row.tenant, row.epoch);
        insert(&conn, &row, self.clock.now()).await.map_err(failed)?;
        one(&mut conn, OfEpoch { partner_id: tenant.partner_id, mode: tenant.mode, epoch })
            .await?
            .ok_or_else(|| DekStoreError("the data key just written isn't there".into()))
    }

    async fn get(&self, id: DekId) -> Result<Option<DekRow>, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        one(&mut conn, Find { id: id.0 }).await
    }

    async fn retired(&self, ids: Vec<DekId>) -> Result<Vec<DekId>, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        let ids = ids.into_iter().map(|id| id.0).collect();
        let found: Vec<(Uuid,)> = Retired { ids }.load(&mut conn).await.map_err(failed)?;
        Ok(found.into_iter().map(|(id,)| DekId(id)).collect())
    }

    async fn count_messages(&self, id: DekId, reserved: i64) -> Result<i64, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        let (total,): (i64,) = Count { reserved, id: id.0 }.get_result(&mut conn).await.map_err(failed)?;
        Ok(total)
    }
}
