//! Offers: quoted, re-priced, accepted, and followed to their end.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Integer, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::blocks::{self, listed_for};
use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::block::Listed;
use crate::domain::ids::{CardId, CustomerId, Mode, OfferId, PartnerId, PayoutRequestId, Tenant};
use crate::domain::offer::{FixedSide, OfferStatus};
use crate::domain::payout::Resolution;

macro_rules! offer_columns {
    () => {
        "o.partner_id, o.mode, o.id, o.customer_id, o.card_id, o.status, o.version, o.currency_from, o.currency_to, \
         o.fixed_side, o.amount, o.amount_to, o.price, o.spread, o.fees, o.fee_total, o.total, o.amount_reference, \
         o.amount_to_min, o.amount_to_max, o.rate_sources, o.quoted_at, o.expires_at, o.accepted_at, o.limit_reservations, o.request_id, \
         o.amount_to_processed, o.amount_to_returned, o.resolution, o.final_at"
    };
}

pub(super) use offer_columns;

/// What an [`OfferCard`] is read from, the card being `c`.
macro_rules! offer_card_columns {
    () => {
        "c.scheme, c.validation_status, c.expiry_year, c.expiry_month, c.hidden_at IS NOT NULL, c.billing_country, \
         c.pan_sealed IS NOT NULL, c.fingerprint, c.iin"
    };
}

pub(super) use offer_card_columns;

pub(super) type OfferCardSql = (Text, Text, SmallInt, SmallInt, Bool, Nullable<Text>, Bool, Bytea, Text);

pub(super) type OfferSql = (
    SqlUuid,
    Text,
    BigInt,
    SqlUuid,
    BigInt,
    Text,
    Integer,
    Text,
    Text,
    Text,
    Numeric,
    Numeric,
    Numeric,
    Numeric,
    Jsonb,
    Numeric,
    Numeric,
    Numeric,
    Numeric,
    Numeric,
    Jsonb,
    Timestamptz,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Jsonb>,
    Nullable<SqlUuid>,
    Numeric,
    Numeric,
    Nullable<Text>,
    Nullable<Timestamptz>,
);

/// An offer as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Offer {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: OfferId,
    pub customer_id: CustomerId,
    pub card_id: CardId,
    pub status: OfferStatus,
    pub version: i32,
    pub currency_from: AssetCode,
    pub currency_to: AssetCode,
    pub fixed_side: FixedSide,
    pub amount: Decimal,
    pub amount_to: Decimal,
    pub price: Decimal,
    pub spread: Decimal,
    pub fees: Value,
    pub fee_total: Decimal,
    pub total: Decimal,
    pub amount_reference: Decimal,
    /// What one offer could pay, in units of `currency_to`, when this one was priced.
    pub amount_to_min: Decimal,
    pub amount_to_max: Decimal,
    pub rate_sources: Value,
    pub quoted_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub limit_reservations: Option<Value>,
    pub request_id: Option<PayoutRequestId>,
    pub amount_to_processed: Decimal,
    pub amount_to_returned: Decimal,
    pub resolution: Option<Resolution>,
    pub final_at: Option<DateTime<Utc>>,
}

impl Offer {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

statement! {
    struct InsertOffer {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: OfferId as BigInt, customer_id: CustomerId as SqlUuid,
        card_id: CardId as BigInt, currency_from: AssetCode as Text, currency_to: AssetCode as Text,
        fixed_side: FixedSide as Text, amount: Decimal as Numeric, amount_to: Decimal as Numeric, price: Decimal as Numeric,
        spread: Decimal as Numeric, fees: Value as Jsonb, fee_total: Decimal as Numeric, total: Decimal as Numeric,
        amount_reference: Decimal as Numeric, amount_to_min: Decimal as Numeric, amount_to_max: Decimal as Numeric,
        rate_sources: Value as Jsonb, quoted_at: DateTime<Utc> as Timestamptz, expires_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO offer (partner_id, mode, id, customer_id, card_id, status, version, currency_from, currency_to, \
             fixed_side, amount, amount_to, price, spread, fees, fee_total, total, amount_reference, amount_to_min, amount_to_max, \
             rate_sources, quoted_at, expires_at) \
         VALUES (?, ?, ?, ?, ?, 'quoted', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, id) DO NOTHING"
}

statement! {
    /// Re-prices an offer that is still open, keeping what it was before (the last 50 versions: an offer can be changed for
    /// as long as its user likes). `IS TRUE` keeps the planner from looking for it among all quoted offers.
    struct RepriceOffer {
        currency_from: AssetCode as Text, currency_to: AssetCode as Text, fixed_side: FixedSide as Text,
        amount: Decimal as Numeric, amount_to: Decimal as Numeric, price: Decimal as Numeric, spread: Decimal as Numeric,
        fees: Value as Jsonb, fee_total: Decimal as Numeric, total: Decimal as Numeric, amount_reference: Decimal as Numeric,
        amount_to_min: Decimal as Numeric, amount_to_max: Decimal as Numeric,
        rate_sources: Value as Jsonb, quoted_at: DateTime<Utc> as Timestamptz, expires_at: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: OfferId as BigInt, version: i32 as Integer,
    } = "UPDATE offer SET version = version + 1, \
             history = CASE WHEN jsonb_array_length(history) >= 50 THEN history - 0 ELSE history END || jsonb_build_array(jsonb_build_object( \
                 'version', version, 'amount', amount::text, 'amount_to', amount_to::text, 'price', price::text, \
                 'spread', spread::text, 'fees', fees, 'total', total::text, 'currency_from', currency_from, \
                 'currency_to', currency_to, 'rate_sources', rate_sources, 'quoted_at', quoted_at)), \
             currency_from = ?, currency_to = ?, fixed_side = ?, amount = ?, amount_to = ?, price = ?, spread = ?, fees = ?, \
             fee_total = ?, total = ?, amount_reference = ?, amount_to_min = ?, amount_to_max = ?, rate_sources = ?, quoted_at = ?, expires_at = ? \
         WHERE partner_id = ? AND mode = ? AND id = ? AND (status = 'quoted') IS TRUE AND version = ?"
}

statement! {
    struct FindOffer { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: OfferId as BigInt, reference: String as Text } => OfferSql
      = concat!("SELECT ", offer_columns!(), " FROM offer o \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         WHERE o.partner_id = ? AND o.mode = ? AND o.id = ? AND u.reference = ?")
}

statement! {
    struct OfferStandings {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<OfferId> as Array<BigInt>,
    } => (SqlUuid, Text, BigInt, Text, Integer)
      = "SELECT o.partner_id, o.mode, o.id, o.status, o.version FROM offer o \
         JOIN UNNEST(?::uuid[], ?::text[], ?::bigint[]) AS k (partner_id, mode, id) \
         ON (o.partner_id, o.mode, o.id) = (k.partner_id, k.mode, k.id)"
}

statement! {
    struct LockOffers {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<OfferId> as Array<BigInt>,
    } => OfferSql
      = concat!("SELECT ", offer_columns!(), " FROM offer o \
         JOIN UNNEST(?::uuid[], ?::text[], ?::bigint[]) AS k (partner_id, mode, id) \
         ON (o.partner_id, o.mode, o.id) = (k.partner_id, k.mode, k.id) \
         ORDER BY o.partner_id, o.mode, o.id FOR UPDATE OF o")
}

statement! {
    /// What a pay is judged by, with the offers locked against updates and pays, and their cards against deletion.
    struct LockForAcceptance {
        now: DateTime<Utc> as Timestamptz,
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<OfferId> as Array<BigInt>,
    } => (OfferSql, (Text, SmallInt, Bool, Nullable<Text>), OfferCardSql, Array<Text>)
      = concat!("SELECT ", offer_columns!(), ", \
             u.reference, u.kyc_level, u.blocked_at IS NOT NULL, u.country, \
             ", offer_card_columns!(), ", ", listed_for!(), " \
         FROM offer o CROSS JOIN (SELECT ?::timestamptz AS now) n \
         JOIN UNNEST(?::uuid[], ?::text[], ?::bigint[]) AS k (partner_id, mode, id) \
         ON (o.partner_id, o.mode, o.id) = (k.partner_id, k.mode, k.id) \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         JOIN card c ON (c.partner_id, c.mode, c.id, c.customer_id) = (o.partner_id, o.mode, o.card_id, o.customer_id) \
         ORDER BY o.partner_id, o.mode, o.id FOR UPDATE OF o FOR SHARE OF c")
}

/// The customer that an offer was made to, as acceptance sees it.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct OfferCustomer {
    pub reference: String,
    pub kyc_level: i16,
    pub is_blocked: bool,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
}

/// The card that an offer pays to, as acceptance sees it.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct OfferCard {
    pub scheme: crate::domain::card::CardScheme,
    pub validation_status: String,
    pub expiry_year: i16,
    pub expiry_month: i16,
    pub is_hidden: bool,
    pub billing_country: Option<String>,
    pub has_number: bool,
    /// Of its number, in its tenant: 32 bytes.
    pub fingerprint: Vec<u8>,
    pub iin: String,
}

statement! {
    struct AcceptOffers {
        now: DateTime<Utc> as Timestamptz,
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<OfferId> as Array<BigInt>,
        request_ids: Vec<PayoutRequestId> as Array<SqlUuid>, reservations: Vec<Value> as Array<Jsonb>,
    } = "UPDATE offer o SET status = 'accepted', accepted_at = ?, request_id = k.request_id, limit_reservations = k.reservations \
         FROM UNNEST(?::uuid[], ?::text[], ?::bigint[], ?::uuid[], ?::jsonb[]) AS k (partner_id, mode, id, request_id, reservations) \
         WHERE (o.partner_id, o.mode, o.id) = (k.partner_id, k.mode, k.id)"
}

statement! {
    struct FollowOffers {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<OfferId> as Array<BigInt>,
        statuses: Vec<OfferStatus> as Array<Text>, processed: Vec<Decimal> as Array<Numeric>, returned: Vec<Decimal> as Array<Numeric>,
        resolutions: Vec<Option<Resolution>> as Array<Nullable<Text>>, final_ats: Vec<Option<DateTime<Utc>>> as Array<Nullable<Timestamptz>>,
    } = "UPDATE offer o SET status = k.status, amount_to_processed = k.processed, amount_to_returned = k.returned, \
             resolution = k.resolution, final_at = k.final_at \
         FROM UNNEST(?::uuid[], ?::text[], ?::bigint[], ?::text[], ?::numeric[], ?::numeric[], ?::text[], ?::timestamptz[]) \
              AS k (partner_id, mode, id, status, processed, returned, resolution, final_at) \
         WHERE (o.partner_id, o.mode, o.id) = (k.partner_id, k.mode, k.id)"
}

statement! {
    struct ExpireOffers { now: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt }
      = "WITH due AS MATERIALIZED ( \
             SELECT partner_id, mode, id FROM offer WHERE status = 'quoted' AND accepted_at IS NULL AND expires_at <= ? \
             ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED) \
         UPDATE offer o SET status = 'expired' FROM due \
         WHERE (o.partner_id, o.mode, o.id) = (due.partner_id, due.mode, due.id)"
}

statement! {
    struct OfferHistory {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid,
        before_at: DateTime<Utc> as Timestamptz, before_id: OfferId as BigInt, limit: i64 as BigInt,
    } => (OfferSql, Text, Text)
      = concat!("SELECT ", offer_columns!(), ", c.iin, c.last_four FROM offer o \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         WHERE o.partner_id = ? AND o.mode = ? AND o.customer_id = ? AND o.accepted_at IS NOT NULL \
           AND (o.accepted_at, o.id) < (?, ?) \
         ORDER BY o.accepted_at DESC, o.id DESC LIMIT ?")
}

/// What a new offer, or an offer's new version, says.
#[derive(Clone, Debug)]
pub struct Pricing {
    pub currency_from: AssetCode,
    pub currency_to: AssetCode,
    pub fixed_side: FixedSide,
    pub amount: Decimal,
    pub amount_to: Decimal,
    pub price: Decimal,
    pub spread: Decimal,
    pub fees: Value,
    pub fee_total: Decimal,
    pub total: Decimal,
    pub amount_reference: Decimal,
    /// What one offer could pay, in units of `currency_to`, when this one was priced.
    pub amount_to_min: Decimal,
    pub amount_to_max: Decimal,
    pub rate_sources: Value,
    pub quoted_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// Writes a new offer; `false` if its id is taken.
pub async fn insert(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: OfferId,
    customer_id: CustomerId,
    card_id: CardId,
    pricing: &Pricing,
) -> QueryResult<bool> {
    let p = pricing.clone();
    let inserted = InsertOffer {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id,
        customer_id,
        card_id,
        currency_from: p.currency_from,
        currency_to: p.currency_to,
        fixed_side: p.fixed_side,
        amount: p.amount,
        amount_to: p.amount_to,
        price: p.price,
        spread: p.spread,
        fees: p.fees,
        fee_total: p.fee_total,
        total: p.total,
        amount_reference: p.amount_reference,
        amount_to_min: p.amount_to_min,
        amount_to_max: p.amount_to_max,
        rate_sources: p.rate_sources,
        quoted_at: p.quoted_at,
        expires_at: p.expires_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(inserted == 1)
}

/// Gives a quoted offer a new version; `false` if it is no longer quoted, or not at `version`.
pub async fn reprice(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: OfferId,
    version: i32,
    pricing: &Pricing,
) -> QueryResult<bool> {
    let p = pricing.clone();
    let updated = RepriceOffer {
        currency_from: p.currency_from,
        currency_to: p.currency_to,
        fixed_side: p.fixed_side,
        amount: p.amount,
        amount_to: p.amount_to,
        price: p.price,
        spread: p.spread,
        fees: p.fees,
        fee_total: p.fee_total,
        total: p.total,
        amount_reference: p.amount_reference,
        amount_to_min: p.amount_to_min,
        amount_to_max: p.amount_to_max,
        rate_sources: p.rate_sources,
        quoted_at: p.quoted_at,
        expires_at: p.expires_at,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id,
        version,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(updated == 1)
}

/// An offer of that very customer, by the partner's reference.
pub async fn find(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    reference: &str,
    id: OfferId,
) -> QueryResult<Option<Offer>> {
    FindOffer { partner_id: tenant.partner_id, mode: tenant.mode, id, reference: reference.to_owned() }
        .get_result(&mut &*conn)
        .await
        .optional()
}

/// Where offers stand, by status and version, for whoever waits for them. Nobody is shown it.
pub async fn standings(
    conn: &AsyncPgConnection,
    keys: &[(Tenant, OfferId)],
) -> QueryResult<Vec<((Tenant, OfferId), (OfferStatus, i32))>> {
    let found: Vec<(PartnerId, Mode, OfferId, OfferStatus, i32)> = OfferStandings {
        partner_ids: keys.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: keys.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: keys.iter().map(|(_, id)| *id).collect(),
    }
    .get_results(&mut &*conn)
    .await?;
    let standing = |(partner_id, mode, id, status, version)| ((Tenant { partner_id, mode }, id), (status, version));
    Ok(found.into_iter().map(standing).collect())
}

/// Locks offers in one order.
pub async fn lock(conn: &AsyncPgConnection, offers: &[(Tenant, OfferId)]) -> QueryResult<Vec<Offer>> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    LockOffers {
        partner_ids: offers.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: offers.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: offers.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// Locks offers for acceptance, each with its customer and its card.
pub async fn lock_for_acceptance(
    conn: &AsyncPgConnection,
    offers: &[(Tenant, OfferId)],
    now: DateTime<Utc>,
) -> QueryResult<Vec<ForAcceptance>> {
    let rows: Vec<(Offer, OfferCustomer, OfferCard, Vec<String>)> = LockForAcceptance {
        now,
        partner_ids: offers.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: offers.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: offers.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await?;
    rows.into_iter()
        .map(|(offer, customer, card, texts)| {
            Ok(ForAcceptance { offer, customer, card, listed: blocks::listed(&texts)? })
        })
        .collect()
}

/// What a pay is judged by.
#[derive(Clone, Debug)]
pub struct ForAcceptance {
    pub offer: Offer,
    pub customer: OfferCustomer,
    pub card: OfferCard,
    /// What the block list has that may concern it.
    pub listed: Listed,
}

/// An offer being accepted: the request that pays it and the sums it reserved.
#[derive(Clone, Debug)]
pub struct Acceptance {
    pub tenant: Tenant,
    pub id: OfferId,
    pub request_id: PayoutRequestId,
    pub limit_reservations: Value,
}

/// Marks locked, quoted offers as accepted.
pub async fn accept(conn: &AsyncPgConnection, acceptances: &[Acceptance], now: DateTime<Utc>) -> QueryResult<()> {
    if acceptances.is_empty() {
        return Ok(());
    }
    AcceptOffers {
        now,
        partner_ids: acceptances.iter().map(|a| a.tenant.partner_id).collect(),
        modes: acceptances.iter().map(|a| a.tenant.mode).collect(),
        ids: acceptances.iter().map(|a| a.id).collect(),
        request_ids: acceptances.iter().map(|a| a.request_id).collect(),
        reservations: acceptances.iter().map(|a| a.limit_reservations.clone()).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Writes back where locked, accepted offers stand now.
pub async fn follow(conn: &AsyncPgConnection, offers: &[Offer]) -> QueryResult<()> {
    if offers.is_empty() {
        return Ok(());
    }
    FollowOffers {
        partner_ids: offers.iter().map(|o| o.partner_id).collect(),
        modes: offers.iter().map(|o| o.mode).collect(),
        ids: offers.iter().map(|o| o.id).collect(),
        statuses: offers.iter().map(|o| o.status).collect(),
        processed: offers.iter().map(|o| o.amount_to_processed).collect(),
        returned: offers.iter().map(|o| o.amount_to_returned).collect(),
        resolutions: offers.iter().map(|o| o.resolution).collect(),
        final_ats: offers.iter().map(|o| o.final_at).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Marks up to `batch_size` quotes whose time is over; answers how many.
pub async fn expire(conn: &AsyncPgConnection, now: DateTime<Utc>, batch_size: i64) -> QueryResult<usize> {
    ExpireOffers { now, batch_size }.execute(&mut &*conn).await
}

/// Accepted offers of a customer before a point in time, newest first, with the card's IIN and last four.
pub async fn history(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
    before: (DateTime<Utc>, OfferId),
    limit: i64,
) -> QueryResult<Vec<(Offer, String, String)>> {
    let (before_at, before_id) = before;
    OfferHistory { partner_id: tenant.partner_id, mode: tenant.mode, customer_id, before_at, before_id, limit }
        .load(&mut &*conn)
        .await
}
