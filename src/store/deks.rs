//! Wrapped data keys of the vault.

use async_trait::async_trait;
use diesel::OptionalExtension;
use diesel::sql_types::{BigInt, Bytea, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
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
        wrapped: Vec<u8> as Bytea, check: Vec<u8> as Bytea, now: chrono::DateTime<chrono::Utc> as Timestamptz,
    } = "INSERT INTO dek (id, partner_id, mode, epoch, kek_id, wrapped, key_check_value, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (partner_id, mode, epoch) DO NOTHING"
}

statement! {
    struct Count { reserved: i64 as BigInt, id: Uuid as SqlUuid } => (BigInt,)
      = "UPDATE dek SET message_count = message_count + ? WHERE id = ? RETURNING message_count"
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
        Insert {
            id: row.id.0,
            partner_id: tenant.partner_id,
            mode: tenant.mode,
            epoch,
            kek_id: row.wrapped.kek_id,
            wrapped: row.wrapped.bytes,
            check: row.check.0.to_vec(),
            now: self.clock.now(),
        }
        .execute(&mut conn)
        .await
        .map_err(failed)?;
        one(&mut conn, OfEpoch { partner_id: tenant.partner_id, mode: tenant.mode, epoch })
            .await?
            .ok_or_else(|| DekStoreError("the data key just written isn't there".into()))
    }

    async fn get(&self, id: DekId) -> Result<Option<DekRow>, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        one(&mut conn, Find { id: id.0 }).await
    }

    async fn count_messages(&self, id: DekId, reserved: i64) -> Result<i64, DekStoreError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        let (total,): (i64,) = Count { reserved, id: id.0 }.get_result(&mut conn).await.map_err(failed)?;
        Ok(total)
    }
}
