//! Our accounts at providers. Their credentials are envelopes that only the vault opens.

use chrono::{DateTime, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::page::page_of;
use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::ids::{Mode, PartnerId, ProviderAccountId, Tenant};

macro_rules! columns {
    () => {
        "t.partner_id, t.mode, t.id, t.code, t.name, t.provider, t.enabled, t.settings, t.credentials_sealed, t.credential_names, \
         t.callback_keys_sealed, t.callback_keys_until, t.turnover_limits, t.health, t.health_detail, t.health_checked_at, t.breaker_state, t.breaker_since, t.breaker_until, \
         t.breaker_openings, t.breaker_probes, t.version, t.created_at, t.updated_at"
    };
}

statement! {
    struct FindProviderAccount { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid }
    -> #[derive(PartialEq)] pub ProviderAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, provider: String as Text, enabled: bool as Bool, settings: Value as Jsonb,
        credentials_sealed: Option<Vec<u8>> as Nullable<Bytea>, credential_names: Vec<String> as Array<Text>,
        callback_keys_sealed: Option<Vec<u8>> as Nullable<Bytea>, callback_keys_until: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        turnover_limits: Value as Jsonb, health: String as Text, health_detail: Option<String> as Nullable<Text>,
        health_checked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, breaker_state: String as Text,
        breaker_since: Option<DateTime<Utc>> as Nullable<Timestamptz>, breaker_until: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        breaker_openings: i32 as Integer, breaker_probes: i32 as Integer, version: i32 as Integer,
        created_at: DateTime<Utc> as Timestamptz, updated_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = concat!("SELECT ", columns!(), " FROM provider_account t WHERE t.partner_id = ? AND t.mode = ? AND t.id = ?")
}

statement! {
    struct AllProviderAccounts {} => <FindProviderAccount as Query>::SqlType
      = concat!("SELECT ", columns!(), " FROM provider_account t ORDER BY t.partner_id, t.mode, t.code")
}

statement! {
    struct ListProviderAccounts {
        tenant: String as Text, newest_first: bool as Bool, at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, size: i64 as BigInt, code: Option<String> as Nullable<Text>,
        provider: Option<String> as Nullable<Text>, enabled: Option<bool> as Nullable<Bool>, health: Option<String> as Nullable<Text>,
    } => <FindProviderAccount as Query>::SqlType
      = page_of!("provider_account", columns!(),
            ", ?::text AS code, ?::text AS provider, ?::boolean AS enabled, ?::text AS health",
            "AND (ask.code IS NULL OR t.code = ask.code) AND (ask.provider IS NULL OR t.provider = ask.provider) \
             AND (ask.enabled IS NULL OR t.enabled = ask.enabled) AND (ask.health IS NULL OR t.health = ask.health)")
}

statement! {
    struct InsertProviderAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, provider: String as Text, enabled: bool as Bool, settings: Value as Jsonb,
        credentials_sealed: Option<Vec<u8>> as Nullable<Bytea>, credential_names: Vec<String> as Array<Text>,
        turnover_limits: Value as Jsonb, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO provider_account (partner_id, mode, id, code, name, provider, enabled, settings, credentials_sealed, \
             credential_names, turnover_limits, version, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct UpdateProviderAccount {
        name: Option<String> as Nullable<Text>, enabled: bool as Bool, settings: Value as Jsonb,
        credentials_sealed: Option<Vec<u8>> as Nullable<Bytea>, credential_names: Vec<String> as Array<Text>,
        callback_keys_sealed: Option<Vec<u8>> as Nullable<Bytea>, callback_keys_until: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        turnover_limits: Value as Jsonb, now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        id: ProviderAccountId as SqlUuid, version: i32 as Integer,
    } = "UPDATE provider_account SET name = ?, enabled = ?, settings = ?, credentials_sealed = ?, credential_names = ?, \
             callback_keys_sealed = ?, callback_keys_until = ?, turnover_limits = ?, updated_at = ?, version = version + 1 \
         WHERE partner_id = ? AND mode = ? AND id = ? AND version = ?"
}

statement! {
    /// What was changed through the API since (version above 1) stays as it is.
    struct EnsureProviderAccount {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: ProviderAccountId as SqlUuid, code: String as Text,
        provider: String as Text, enabled: bool as Bool, settings: Value as Jsonb, now: DateTime<Utc> as Timestamptz,
    } => (SqlUuid,)
      = "INSERT INTO provider_account AS t (partner_id, mode, id, code, provider, enabled, settings, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, code) DO UPDATE SET \
             enabled = CASE WHEN t.version = 1 THEN EXCLUDED.enabled ELSE t.enabled END, \
             settings = CASE WHEN t.version = 1 THEN EXCLUDED.settings ELSE t.settings END \
         RETURNING id"
}

statement! {
    /// Not a change of the account: its version stays.
    struct ForgetCallbackKeys { now: DateTime<Utc> as Timestamptz, size: i64 as BigInt }
      = "UPDATE provider_account SET callback_keys_sealed = NULL, callback_keys_until = NULL \
         WHERE id IN (SELECT id FROM provider_account WHERE callback_keys_until <= ? LIMIT ? FOR UPDATE SKIP LOCKED)"
}

impl ProviderAccount {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// Which accounts a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProviderAccountFilter {
    pub code: Option<String>,
    pub provider: Option<String>,
    pub enabled: Option<bool>,
    pub health: Option<String>,
}

pub async fn find(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: ProviderAccountId,
) -> QueryResult<Option<ProviderAccount>> {
    FindProviderAccount { partner_id: tenant.partner_id, mode: tenant.mode, id }
        .get_result(&mut &*conn)
        .await
        .optional()
}

/// Every account of every tenant: read into memory by those who ask often.
pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<ProviderAccount>> {
    AllProviderAccounts {}.load(&mut &*conn).await
}

pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    filter: &ProviderAccountFilter,
    slice: Slice,
) -> QueryResult<Vec<ProviderAccount>> {
    ListProviderAccounts {
        tenant: of_tenant(tenant),
        newest_first: slice.newest_first,
        at: slice.after.0,
        id: slice.after.1,
        size: slice.limit,
        code: filter.code.clone(),
        provider: filter.provider.clone(),
        enabled: filter.enabled,
        health: filter.health.clone(),
    }
    .load(&mut &*conn)
    .await
}

/// Writes a new account. Its health and its breaker begin as the schema says.
pub async fn insert(conn: &AsyncPgConnection, account: &ProviderAccount) -> QueryResult<()> {
    let account = account.clone();
    InsertProviderAccount {
        partner_id: account.partner_id,
        mode: account.mode,
        id: account.id,
        code: account.code,
        name: account.name,
        provider: account.provider,
        enabled: account.enabled,
        settings: account.settings,
        credentials_sealed: account.credentials_sealed,
        credential_names: account.credential_names,
        turnover_limits: account.turnover_limits,
        version: account.version,
        created_at: account.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Writes what an owner may change, if the row still has `account.version`; answers whether it had.
pub async fn update(conn: &AsyncPgConnection, account: &ProviderAccount, now: DateTime<Utc>) -> QueryResult<bool> {
    let account = account.clone();
    let written = UpdateProviderAccount {
        name: account.name,
        enabled: account.enabled,
        settings: account.settings,
        credentials_sealed: account.credentials_sealed,
        credential_names: account.credential_names,
        callback_keys_sealed: account.callback_keys_sealed,
        callback_keys_until: account.callback_keys_until,
        turnover_limits: account.turnover_limits,
        now,
        partner_id: account.partner_id,
        mode: account.mode,
        id: account.id,
        version: account.version,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(written == 1)
}

/// Removes callback keys that were replaced and whose time is over; answers how many accounts had any.
pub async fn forget_callback_keys(conn: &AsyncPgConnection, now: DateTime<Utc>, size: i64) -> QueryResult<usize> {
    ForgetCallbackKeys { now, size }.execute(&mut &*conn).await
}

/// Writes down an account that configuration names, and answers its id.
pub async fn ensure(
    conn: &AsyncPgConnection,
    owner: Tenant,
    code: &str,
    provider: &str,
    enabled: bool,
    settings: Value,
    now: DateTime<Utc>,
) -> QueryResult<ProviderAccountId> {
    let (id,) = EnsureProviderAccount {
        partner_id: owner.partner_id,
        mode: owner.mode,
        id: ProviderAccountId::new(),
        code: code.to_owned(),
        provider: provider.to_owned(),
        enabled,
        settings,
        now,
    }
    .get_result(&mut &*conn)
    .await?;
    Ok(id)
}
