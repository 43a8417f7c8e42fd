//! Payout services, as configuration writes them down under the house.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Bool, Integer, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, Tenant};

macro_rules! columns {
    () => {
        "t.partner_id, t.mode, t.code, t.method, t.currency, t.enabled, t.amount_min, t.amount_max, t.fields, t.version, \
         t.created_at, t.updated_at"
    };
}

statement! {
    struct AllServices {} -> #[derive(PartialEq)] pub ServiceRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, code: String as Text, method: String as Text, currency: AssetCode as Text,
        enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>,
        fields: Value as Jsonb, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz, updated_at: DateTime<Utc> as Timestamptz,
    } = concat!("SELECT ", columns!(), " FROM payout_service t ORDER BY t.partner_id, t.mode, t.code")
}

statement! {
    struct EnsureService {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, code: String as Text, method: String as Text, currency: AssetCode as Text,
        enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>, amount_max: Option<Decimal> as Nullable<Numeric>,
        fields: Value as Jsonb, now: DateTime<Utc> as Timestamptz, again: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_service AS t (partner_id, mode, code, method, currency, enabled, amount_min, amount_max, fields, \
             created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET enabled = EXCLUDED.enabled, amount_min = EXCLUDED.amount_min, \
             amount_max = EXCLUDED.amount_max, fields = EXCLUDED.fields, version = t.version + 1, updated_at = EXCLUDED.updated_at \
         WHERE (t.enabled, t.amount_min, t.amount_max, t.fields) \
             IS DISTINCT FROM (EXCLUDED.enabled, EXCLUDED.amount_min, EXCLUDED.amount_max, EXCLUDED.fields)"
}

impl ServiceRow {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// A service that configuration names.
#[derive(Clone, Debug)]
pub struct ServiceSeed {
    pub code: String,
    pub method: String,
    pub currency: AssetCode,
    pub enabled: bool,
    pub amount_min: Option<Decimal>,
    pub amount_max: Option<Decimal>,
    pub fields: Value,
}

/// Every service: read into memory by those who ask often.
pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<ServiceRow>> {
    AllServices {}.load(&mut &*conn).await
}

/// Writes down a service that configuration names.
pub async fn ensure(
    conn: &AsyncPgConnection,
    owner: Tenant,
    service: ServiceSeed,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    EnsureService {
        partner_id: owner.partner_id,
        mode: owner.mode,
        code: service.code,
        method: service.method,
        currency: service.currency,
        enabled: service.enabled,
        amount_min: service.amount_min,
        amount_max: service.amount_max,
        fields: service.fields,
        now,
        again: now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
