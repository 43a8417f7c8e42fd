//! Payout points.

use chrono::{DateTime, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::page::page_of;
use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{ExchangeSchemeId, Mode, PartnerId, PayoutPointId, PayoutSchemeId, Tenant};
use crate::domain::payout_request::Funding;

macro_rules! columns {
    () => {
        "t.partner_id, t.mode, t.id, t.code, t.name, t.description, t.currencies, t.enabled, t.funding, t.payout_scheme_id, \
         t.exchange_scheme_id, t.callback_url, t.options, t.version, t.created_at, t.updated_at"
    };
}

statement! {
    struct FindPoint { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutPointId as SqlUuid }
    -> #[derive(PartialEq)] pub Point {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutPointId as SqlUuid, code: String as Text, name: String as Text,
        description: Option<String> as Nullable<Text>, currencies: Vec<AssetCode> as Array<Text>, enabled: bool as Bool,
        funding: Funding as Text, payout_scheme_id: Option<PayoutSchemeId> as Nullable<SqlUuid>,
        exchange_scheme_id: Option<ExchangeSchemeId> as Nullable<SqlUuid>, callback_url: Option<String> as Nullable<Text>,
        options: Value as Jsonb, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
        updated_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = concat!("SELECT ", columns!(), " FROM payout_point t WHERE t.partner_id = ? AND t.mode = ? AND t.id = ?")
}

statement! {
    struct AllPoints {} => <FindPoint as Query>::SqlType
      = concat!("SELECT ", columns!(), " FROM payout_point t ORDER BY t.partner_id, t.mode, t.code")
}

statement! {
    struct ListPoints {
        tenant: String as Text, newest_first: bool as Bool, at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, size: i64 as BigInt, code: Option<String> as Nullable<Text>,
        currency: Option<AssetCode> as Nullable<Text>, enabled: Option<bool> as Nullable<Bool>, funding: Option<Funding> as Nullable<Text>,
    } => <FindPoint as Query>::SqlType
      = page_of!("payout_point", columns!(),
            ", ?::text AS code, ?::text AS currency, ?::boolean AS enabled, ?::text AS funding",
            "AND (ask.code IS NULL OR t.code = ask.code) AND (ask.currency IS NULL OR ask.currency = ANY (t.currencies)) \
             AND (ask.enabled IS NULL OR t.enabled = ask.enabled) AND (ask.funding IS NULL OR t.funding = ask.funding)")
}

statement! {
    struct InsertPoint {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutPointId as SqlUuid, code: String as Text, name: String as Text,
        description: Option<String> as Nullable<Text>, currencies: Vec<AssetCode> as Array<Text>, enabled: bool as Bool,
        funding: Funding as Text, payout_scheme_id: Option<PayoutSchemeId> as Nullable<SqlUuid>,
        exchange_scheme_id: Option<ExchangeSchemeId> as Nullable<SqlUuid>, callback_url: Option<String> as Nullable<Text>,
        options: Value as Jsonb, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_point (partner_id, mode, id, code, name, description, currencies, enabled, funding, payout_scheme_id, \
             exchange_scheme_id, callback_url, options, version, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct UpdatePoint {
        name: String as Text, description: Option<String> as Nullable<Text>, currencies: Vec<AssetCode> as Array<Text>,
        enabled: bool as Bool, funding: Funding as Text, payout_scheme_id: Option<PayoutSchemeId> as Nullable<SqlUuid>,
        exchange_scheme_id: Option<ExchangeSchemeId> as Nullable<SqlUuid>, callback_url: Option<String> as Nullable<Text>,
        options: Value as Jsonb, now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        id: PayoutPointId as SqlUuid, version: i32 as Integer,
    } = "UPDATE payout_point SET name = ?, description = ?, currencies = ?, enabled = ?, funding = ?, payout_scheme_id = ?, \
             exchange_scheme_id = ?, callback_url = ?, options = ?, updated_at = ?, version = version + 1 \
         WHERE partner_id = ? AND mode = ? AND id = ? AND version = ?"
}

statement! {
    /// What was changed through the API since (version above 1) stays as it is.
    struct EnsurePoint {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutPointId as SqlUuid, code: String as Text, name: String as Text,
        currencies: Vec<AssetCode> as Array<Text>, funding: Funding as Text,
        payout_scheme_id: Option<PayoutSchemeId> as Nullable<SqlUuid>, exchange_scheme_id: Option<ExchangeSchemeId> as Nullable<SqlUuid>,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO payout_point AS t (partner_id, mode, id, code, name, currencies, funding, payout_scheme_id, exchange_scheme_id, \
             created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET name = EXCLUDED.name, currencies = EXCLUDED.currencies, \
             funding = EXCLUDED.funding, payout_scheme_id = EXCLUDED.payout_scheme_id, \
             exchange_scheme_id = EXCLUDED.exchange_scheme_id WHERE t.version = 1"
}

impl Point {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// Which points a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointFilter {
    pub code: Option<String>,
    pub currency: Option<AssetCode>,
    pub enabled: Option<bool>,
    pub funding: Option<Funding>,
}

/// A point that configuration names.
#[derive(Clone, Debug)]
pub struct PointSeed {
    pub code: String,
    pub name: String,
    pub currencies: Vec<AssetCode>,
    pub funding: Funding,
    pub payout_scheme_id: Option<PayoutSchemeId>,
    pub exchange_scheme_id: Option<ExchangeSchemeId>,
}

pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: PayoutPointId) -> QueryResult<Option<Point>> {
    FindPoint { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(&mut &*conn).await.optional()
}

/// Every point of every tenant: read into memory by those who ask often.
pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<Point>> {
    AllPoints {}.load(&mut &*conn).await
}

pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &PointFilter,
    slice: Slice,
) -> QueryResult<Vec<Point>> {
    ListPoints {
        tenant: of_tenant(tenant),
        newest_first: slice.newest_first,
        at: slice.after.0,
        id: slice.after.1,
        size: slice.limit,
        code: filter.code.clone(),
        currency: filter.currency,
        enabled: filter.enabled,
        funding: filter.funding,
    }
    .load(&mut &*conn)
    .await
}

pub async fn insert(conn: &AsyncPgConnection, point: &Point) -> QueryResult<()> {
    let point = point.clone();
    InsertPoint {
        partner_id: point.partner_id,
        mode: point.mode,
        id: point.id,
        code: point.code,
        name: point.name,
        description: point.description,
        currencies: point.currencies,
        enabled: point.enabled,
        funding: point.funding,
        payout_scheme_id: point.payout_scheme_id,
        exchange_scheme_id: point.exchange_scheme_id,
        callback_url: point.callback_url,
        options: point.options,
        version: point.version,
        created_at: point.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Writes what may change, if the row still has `point.version`; answers whether it had.
pub async fn update(conn: &AsyncPgConnection, point: &Point, now: DateTime<Utc>) -> QueryResult<bool> {
    let point = point.clone();
    let written = UpdatePoint {
        name: point.name,
        description: point.description,
        currencies: point.currencies,
        enabled: point.enabled,
        funding: point.funding,
        payout_scheme_id: point.payout_scheme_id,
        exchange_scheme_id: point.exchange_scheme_id,
        callback_url: point.callback_url,
        options: point.options,
        now,
        partner_id: point.partner_id,
        mode: point.mode,
        id: point.id,
        version: point.version,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(written == 1)
}

/// Writes down a point that configuration names.
pub async fn ensure(conn: &AsyncPgConnection, tenant: Tenant, point: PointSeed, now: DateTime<Utc>) -> QueryResult<()> {
    EnsurePoint {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id: PayoutPointId::new(),
        code: point.code,
        name: point.name,
        currencies: point.currencies,
        funding: point.funding,
        payout_scheme_id: point.payout_scheme_id,
        exchange_scheme_id: point.exchange_scheme_id,
        now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}
