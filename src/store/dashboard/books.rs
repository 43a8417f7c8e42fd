//! What payouts run over and who may call: accounts, routes, points, schemes, keys, and the audit trail.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{
    Array, BigInt, Bool, Date, Integer, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::After;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{
    ApiKeyId, AuditId, DepositAccountId, Mode, PartnerId, PayoutPointId, ProviderAccountId, RouteId,
};
use crate::domain::payout_request::Funding;
use crate::store::statement::statement;

/// The most that is shown of what operators make by hand.
pub const SHOWN_MAX: i64 = 500;

statement! {
    struct Accounts { mode: Mode as Text, limit: i64 as BigInt } -> pub AccountRow {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: ProviderAccountId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, provider: String as Text, enabled: bool as Bool,
        credential_names: Vec<String> as Array<Text>, turnover_limits: Value as Jsonb, health: String as Text,
        health_detail: Option<String> as Nullable<Text>, health_checked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        breaker: String as Text, breaker_since: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        breaker_until: Option<DateTime<Utc>> as Nullable<Timestamptz>, breaker_openings: i32 as Integer, version: i32 as Integer,
        created_at: DateTime<Utc> as Timestamptz,
    } = "SELECT t.partner_id, p.code, t.id, t.code, t.name, t.provider, t.enabled, t.credential_names, t.turnover_limits, t.health, \
             t.health_detail, t.health_checked_at, t.breaker_state, t.breaker_since, t.breaker_until, t.breaker_openings, t.version, \
             t.created_at \
         FROM provider_account t JOIN partner p ON p.id = t.partner_id WHERE t.mode = ? ORDER BY p.code, t.code LIMIT ?"
}

statement! {
    struct Deposits { mode: Mode as Text, limit: i64 as BigInt } -> pub DepositLine {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: DepositAccountId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, account_id: ProviderAccountId as SqlUuid, account: String as Text,
        currency: AssetCode as Text, enabled: bool as Bool, balance: Decimal as Numeric, reserved: Decimal as Numeric,
        available: Decimal as Numeric, balance_source: String as Text, synced_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        sync_error: Option<String> as Nullable<Text>, version: i32 as Integer,
    } = "SELECT t.partner_id, p.code, t.id, t.code, t.name, t.provider_account_id, a.code, t.currency, t.enabled, t.balance, t.reserved, \
             t.balance - t.reserved, t.balance_source, t.synced_at, t.sync_error, t.version \
         FROM deposit_account t JOIN partner p ON p.id = t.partner_id \
         JOIN provider_account a ON (a.partner_id, a.mode, a.id) = (t.partner_id, t.mode, t.provider_account_id) \
         WHERE t.mode = ? ORDER BY p.code, t.code LIMIT ?"
}

statement! {
    struct Routes { mode: Mode as Text, limit: i64 as BigInt } -> pub RouteLine {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: RouteId as SqlUuid, code: String as Text,
        name: Option<String> as Nullable<Text>, service: String as Text, service_currency: Option<AssetCode> as Nullable<Text>,
        deposit: String as Text, account: String as Text, enabled: bool as Bool, amount_min: Option<Decimal> as Nullable<Numeric>,
        amount_max: Option<Decimal> as Nullable<Numeric>, cost_percent: Decimal as Numeric, cost_fixed: Decimal as Numeric,
        weight: i32 as Integer, position: i32 as Integer, version: i32 as Integer,
    } = "SELECT t.partner_id, p.code, t.id, t.code, t.name, t.service, s.currency, d.code, a.code, t.enabled, t.amount_min, t.amount_max, \
             t.cost_percent, t.cost_fixed, t.weight, t.position, t.version \
         FROM payout_route t JOIN partner p ON p.id = t.partner_id \
         JOIN deposit_account d ON (d.partner_id, d.mode, d.id) = (t.partner_id, t.mode, t.deposit_account_id) \
         JOIN provider_account a ON (a.partner_id, a.mode, a.id) = (d.partner_id, d.mode, d.provider_account_id) \
         LEFT JOIN LATERAL (SELECT v.currency FROM payout_service v \
             WHERE v.code = t.service AND v.mode = t.mode ORDER BY v.partner_id <> t.partner_id LIMIT 1) s ON true \
         WHERE t.mode = ? ORDER BY p.code, t.service, t.position, t.code LIMIT ?"
}

statement! {
    struct Points { mode: Mode as Text, limit: i64 as BigInt } -> pub PointLine {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: PayoutPointId as SqlUuid, code: String as Text,
        name: String as Text, currencies: Vec<AssetCode> as Array<Text>, enabled: bool as Bool, funding: Funding as Text,
        payout_scheme: Option<String> as Nullable<Text>, exchange_scheme: Option<String> as Nullable<Text>,
        callback_url: Option<String> as Nullable<Text>, version: i32 as Integer,
    } = "SELECT t.partner_id, p.code, t.id, t.code, t.name, t.currencies, t.enabled, t.funding, s.code, x.code, t.callback_url, t.version \
         FROM payout_point t JOIN partner p ON p.id = t.partner_id \
         LEFT JOIN payout_scheme s ON s.id = t.payout_scheme_id AND s.mode = t.mode \
         LEFT JOIN exchange_scheme x ON x.id = t.exchange_scheme_id AND x.mode = t.mode \
         WHERE t.mode = ? ORDER BY p.code, t.code LIMIT ?"
}

statement! {
    // The primary key, account by account.
    struct Turnover { ids: Vec<ProviderAccountId> as Array<SqlUuid>, from: NaiveDate as Date } -> pub TurnoverLine {
        account_id: ProviderAccountId as SqlUuid, day: NaiveDate as Date, currency: AssetCode as Text, amount: Decimal as Numeric,
    } = "SELECT provider_account_id, day, currency, amount FROM provider_turnover WHERE provider_account_id = ANY (?) AND day >= ? \
         ORDER BY day DESC, currency"
}

statement! {
    struct ExchangeSchemes { mode: Mode as Text, limit: i64 as BigInt } -> pub ExchangeLine {
        partner: String as Text, code: String as Text, name: String as Text, version: i32 as Integer, body: Value as Jsonb,
        created_by: String as Text, updated_at: DateTime<Utc> as Timestamptz,
    } = "SELECT p.code, t.code, t.name, t.version, v.body, v.created_by, t.updated_at \
         FROM exchange_scheme t JOIN partner p ON p.id = t.partner_id \
         JOIN exchange_scheme_version v \
             ON (v.partner_id, v.mode, v.scheme_id, v.version) = (t.partner_id, t.mode, t.id, t.version) \
         WHERE t.mode = ? ORDER BY p.code, t.code LIMIT ?"
}

statement! {
    // api_key_of_partner, a short piece of it for each partner.
    struct Keys {
        mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: ApiKeyId as SqlUuid, limit_each: i64 as BigInt, limit: i64 as BigInt,
    } -> pub KeyLine {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: ApiKeyId as SqlUuid, name: String as Text, prefix: String as Text,
        scopes: Vec<String> as Array<Text>, allowed_ips: Vec<String> as Array<Text>, is_signed: bool as Bool,
        expires_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, revoked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        last_used_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, created_by: String as Text,
        created_at: DateTime<Utc> as Timestamptz,
    } = "SELECT k.partner_id, p.code, k.id, k.name, k.prefix, k.scopes, k.allowed_ips, k.signing_sealed IS NOT NULL, k.expires_at, \
             k.revoked_at, k.last_used_at, k.created_by, k.created_at \
         FROM (SELECT n.* FROM partner w CROSS JOIN LATERAL ( \
                 SELECT * FROM api_key x WHERE (x.partner_id::text || x.mode) = (w.id::text || ?) AND (x.created_at, x.id) < (?, ?) \
                 ORDER BY x.created_at DESC, x.id DESC LIMIT ?) n \
               ORDER BY n.created_at DESC, n.id DESC LIMIT ?) k JOIN partner p ON p.id = k.partner_id \
         ORDER BY k.created_at DESC, k.id DESC"
}

statement! {
    // The primary key.
    struct Key { id: ApiKeyId as SqlUuid, mode: Mode as Text } => <Keys as Query>::SqlType
      = "SELECT k.partner_id, p.code, k.id, k.name, k.prefix, k.scopes, k.allowed_ips, k.signing_sealed IS NOT NULL, k.expires_at, \
             k.revoked_at, k.last_used_at, k.created_by, k.created_at \
         FROM api_key k JOIN partner p ON p.id = k.partner_id WHERE k.id = ? AND k.mode = ?"
}

statement! {
    // The primary key.
    struct Trail { partner: String as Text, seq: i64 as BigInt, mode: Mode as Text, limit: i64 as BigInt } -> pub TrailLine {
        partner: String as Text, seq: i64 as BigInt, id: AuditId as SqlUuid, at: DateTime<Utc> as Timestamptz, actor: String as Text,
        origin: Option<String> as Nullable<Text>, action: String as Text, object: String as Text,
        before: Option<Value> as Nullable<Jsonb>, after: Option<Value> as Nullable<Jsonb>, result: String as Text,
    } = "SELECT p.code, a.seq, a.id, a.at, a.actor, a.origin, a.action, a.object, a.before, a.after, a.result \
         FROM partner p JOIN audit a ON a.partner_id = p.id WHERE p.code = ? AND a.seq < ? AND a.mode = ? ORDER BY a.seq DESC LIMIT ?"
}

/// The index that each list reads by, and the list's statement. What operators make by hand is little, and read whole.
pub(super) const PLANS: &[(&str, &str)] = &[("api_key_of_partner", Keys::SQL), ("audit_pkey", Trail::SQL)];

pub async fn accounts(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Vec<AccountRow>> {
    Accounts { mode, limit: SHOWN_MAX }.load(conn).await
}

pub async fn deposits(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Vec<DepositLine>> {
    Deposits { mode, limit: SHOWN_MAX }.load(conn).await
}

/// By service, in the order in which they are tried without a scheme.
pub async fn routes(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Vec<RouteLine>> {
    Routes { mode, limit: SHOWN_MAX }.load(conn).await
}

pub async fn points(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Vec<PointLine>> {
    Points { mode, limit: SHOWN_MAX }.load(conn).await
}

/// What was asked of these accounts since that day (UTC), newest first.
pub async fn turnover(
    conn: &mut AsyncPgConnection,
    ids: Vec<ProviderAccountId>,
    from: NaiveDate,
) -> QueryResult<Vec<TurnoverLine>> {
    Turnover { ids, from }.load(conn).await
}

/// Exchange-rate schemes, each as it is in force.
pub async fn exchange_schemes(conn: &mut AsyncPgConnection, mode: Mode) -> QueryResult<Vec<ExchangeLine>> {
    ExchangeSchemes { mode, limit: SHOWN_MAX }.load(conn).await
}

/// Up to `limit` keys of that mode, those that were made last first, whosever they are.
pub async fn keys(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    after: After<Uuid>,
    limit: i64,
) -> QueryResult<Vec<KeyLine>> {
    Keys { mode, at: after.at, id: ApiKeyId(after.id), limit_each: limit, limit }.load(conn).await
}

pub async fn key(conn: &mut AsyncPgConnection, mode: Mode, id: ApiKeyId) -> QueryResult<Option<KeyLine>> {
    Key { id, mode }.get_result(conn).await.optional()
}

/// Up to `limit` rows of a partner's audit trail in that mode, newest first, before the row `seq`.
pub async fn trail(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    partner: &str,
    seq: i64,
    limit: i64,
) -> QueryResult<Vec<TrailLine>> {
    Trail { partner: partner.to_owned(), seq, mode, limit }.load(conn).await
}
