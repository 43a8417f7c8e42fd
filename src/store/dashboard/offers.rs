//! Offers, searched and shown.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{After, MaskedCard, Span};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, OfferId, PartnerId};
use crate::domain::offer::OfferStatus;
use crate::domain::payout::Resolution;
use crate::store::statement::statement;

macro_rules! line_columns {
    () => {
        "SELECT p.code, o.id, o.quoted_at, o.status, o.resolution, u.reference, c.scheme, left(c.iin, 4), c.last_four, \
         o.amount, o.total, o.currency_from, o.amount_to, o.currency_to "
    };
}

type LineSql =
    (Text, BigInt, Timestamptz, Text, Nullable<Text>, Text, (Text, Text, Text), Numeric, Numeric, Text, Numeric, Text);

/// A line of the list.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct OfferLine {
    pub partner: String,
    pub id: OfferId,
    pub quoted_at: DateTime<Utc>,
    pub status: OfferStatus,
    pub resolution: Option<Resolution>,
    pub customer: String,
    pub card: MaskedCard,
    pub amount: Decimal,
    pub total: Decimal,
    pub currency_from: AssetCode,
    pub amount_to: Decimal,
    pub currency_to: AssetCode,
}

statement! {
    // offer_by_status, a short piece of it for each status.
    struct Newest {
        statuses: Vec<OfferStatus> as Array<Text>, mode: Mode as Text, from: DateTime<Utc> as Timestamptz,
        at: DateTime<Utc> as Timestamptz, id: OfferId as BigInt,
        limit_each: i64 as BigInt, limit: i64 as BigInt,
    } => LineSql
      = concat!(line_columns!(), "FROM ( \
             SELECT n.* FROM UNNEST(?::text[]) AS s (status) CROSS JOIN LATERAL ( \
                 SELECT * FROM offer WHERE (mode || '') = ? AND status = s.status AND quoted_at >= ? AND (quoted_at, id) < (?, ?) \
                 ORDER BY quoted_at DESC, id DESC LIMIT ?) n \
             ORDER BY n.quoted_at DESC, n.id DESC LIMIT ?) o \
         JOIN partner p ON p.id = o.partner_id \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         ORDER BY o.quoted_at DESC, o.id DESC")
}

statement! {
    // The customer's unique key, partner by partner; then offer_of_customer.
    struct OfCustomer {
        mode: Mode as Text, reference: String as Text, statuses: Vec<OfferStatus> as Array<Text>,
        last_four: Option<String> as Nullable<Text>, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz,
        id: OfferId as BigInt, limit: i64 as BigInt,
    } => LineSql
      = concat!(line_columns!(), "FROM partner p \
         JOIN customer u ON (u.partner_id, u.mode, u.reference) = (p.id, ?, ?) \
         JOIN offer o ON (o.partner_id, o.mode, o.customer_id) = (u.partner_id, u.mode, u.id) \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         WHERE o.status = ANY (?) AND c.last_four = COALESCE(?, c.last_four) AND o.quoted_at >= ? AND (o.quoted_at, o.id) < (?, ?) \
         ORDER BY o.quoted_at DESC, o.id DESC LIMIT ?")
}

statement! {
    // card_by_last_four; then offer_of_customer.
    struct OfLastFour {
        mode: Mode as Text, last_four: String as Text, statuses: Vec<OfferStatus> as Array<Text>,
        from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz, id: OfferId as BigInt, limit: i64 as BigInt,
    } => LineSql
      = concat!(line_columns!(), "FROM card c \
         JOIN offer o ON (o.partner_id, o.mode, o.customer_id, o.card_id) = (c.partner_id, c.mode, c.customer_id, c.id) \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         JOIN partner p ON p.id = o.partner_id \
         WHERE c.mode = ? AND c.last_four = ? AND o.status = ANY (?) AND o.quoted_at >= ? AND (o.quoted_at, o.id) < (?, ?) \
         ORDER BY o.quoted_at DESC, o.id DESC LIMIT ?")
}

statement! {
    // offer_by_amount, offer_by_total: what was spent, without and with fees.
    struct OfAmount {
        amount: Decimal as Numeric, mode: Mode as Text, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz,
        id: OfferId as BigInt, limit_each: i64 as BigInt, total: Decimal as Numeric, total_mode: Mode as Text,
        total_from: DateTime<Utc> as Timestamptz, total_at: DateTime<Utc> as Timestamptz, total_id: OfferId as BigInt,
        total_limit: i64 as BigInt, statuses: Vec<OfferStatus> as Array<Text>, limit: i64 as BigInt,
    } => LineSql
      = concat!(line_columns!(), "FROM ( \
             (SELECT * FROM offer WHERE amount = ? AND (mode || '') = ? AND accepted_at IS NOT NULL AND quoted_at >= ? \
                 AND (quoted_at, id) < (?, ?) ORDER BY quoted_at DESC, id DESC LIMIT ?) \
             UNION ALL (SELECT * FROM offer WHERE total = ? AND amount <> total AND (mode || '') = ? AND accepted_at IS NOT NULL \
                 AND quoted_at >= ? AND (quoted_at, id) < (?, ?) ORDER BY quoted_at DESC, id DESC LIMIT ?)) o \
         JOIN partner p ON p.id = o.partner_id \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         WHERE o.status = ANY (?) ORDER BY o.quoted_at DESC, o.id DESC LIMIT ?")
}

statement! {
    // The primary key, partner by partner.
    struct ById { mode: Mode as Text, id: OfferId as BigInt } => LineSql
      = concat!(line_columns!(), "FROM partner p \
         JOIN offer o ON (o.partner_id, o.mode, o.id) = (p.id, ?, ?) \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         ORDER BY o.quoted_at DESC, p.code")
}

statement! {
    struct FindContext { partner: String as Text, mode: Mode as Text, id: OfferId as BigInt } => (
        SqlUuid, Text, Text, SmallInt, Bool, (Text, Text, Text), SmallInt, SmallInt, Text, Bool, Integer, Jsonb,
    ) = "SELECT p.id, p.name, u.reference, u.kyc_level, u.blocked_at IS NOT NULL, c.scheme, left(c.iin, 4), c.last_four, \
             c.expiry_year, c.expiry_month, c.validation_status, c.hidden_at IS NOT NULL, o.version, o.history \
         FROM partner p \
         JOIN offer o ON o.partner_id = p.id \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         WHERE p.code = ? AND o.mode = ? AND o.id = ?"
}

/// What stands around one offer.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct OfferContext {
    pub partner_id: PartnerId,
    pub partner_name: String,
    pub customer: String,
    pub kyc_level: i16,
    pub is_customer_blocked: bool,
    pub card: MaskedCard,
    pub expiry_year: i16,
    pub expiry_month: i16,
    pub validation_status: String,
    pub is_card_hidden: bool,
    pub version: i32,
    /// The prices of earlier versions, oldest first.
    pub history: Value,
}

/// The index that a list over all customers reads by, and the list's statement.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("offer_by_status", Newest::SQL),
    ("offer_of_customer", OfCustomer::SQL),
    ("card_by_last_four", OfLastFour::SQL),
    ("offer_by_amount", OfAmount::SQL),
    ("offer_by_total", OfAmount::SQL),
    ("offer_pkey", ById::SQL),
];

/// What is looked for. Everything that is named must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferSearch {
    /// Names one offer; nothing else is looked at then.
    pub id: Option<OfferId>,
    /// The partner's own name for its customer, exactly.
    pub customer: Option<String>,
    pub last_four: Option<String>,
    /// What was spent, with or without the fees, of an offer that was accepted. It isn't looked at beside a customer or a card.
    pub amount: Option<Decimal>,
    pub status: Option<OfferStatus>,
    /// When it was priced.
    pub span: Span,
}

/// Up to `limit` offers of that mode, newest first, whosever they are.
pub async fn search(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    search: &OfferSearch,
    after: After<OfferId>,
    limit: i64,
) -> QueryResult<Vec<OfferLine>> {
    let statuses = search.status.map_or(OfferStatus::ALL.to_vec(), |status| vec![status]);
    let (from, After { at, id }) = (search.span.from(), search.span.cut(after));
    match search.clone() {
        OfferSearch { id: Some(id), .. } => ById { mode, id }.load(conn).await,
        OfferSearch { customer: Some(reference), last_four, .. } => {
            OfCustomer { mode, reference, statuses, last_four, from, at, id, limit }.load(conn).await
        }
        OfferSearch { last_four: Some(last_four), .. } => {
            OfLastFour { mode, last_four, statuses, from, at, id, limit }.load(conn).await
        }
        OfferSearch { amount: Some(amount), .. } => {
            let (limit_each, total, total_mode, total_from, total_at, total_id, total_limit) =
                (limit, amount, mode, from, at, id, limit);
            OfAmount {
                amount,
                mode,
                from,
                at,
                id,
                limit_each,
                total,
                total_mode,
                total_from,
                total_at,
                total_id,
                total_limit,
                statuses,
                limit,
            }
            .load(conn)
            .await
        }
        OfferSearch { .. } => Newest { statuses, mode, from, at, id, limit_each: limit, limit }.load(conn).await,
    }
}

/// What stands around an offer of that partner and mode, if there is one.
pub async fn context(
    conn: &mut AsyncPgConnection,
    partner: &str,
    mode: Mode,
    id: OfferId,
) -> QueryResult<Option<OfferContext>> {
    FindContext { partner: partner.to_owned(), mode, id }.get_result(conn).await.optional()
}
