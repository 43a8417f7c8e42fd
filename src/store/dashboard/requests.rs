//! Payout requests, listed and shown.

use chrono::{DateTime, Utc};
use diesel::sql_types::{
    Array, BigInt, Bytea, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use super::{After, MaskedCard, Span};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::payout::{PayoutStatus, Resolution};
use crate::domain::payout_request::RequestStatus;
use crate::store::statement::statement;

type MaskedCardSql = (Text, Text, Text);

type LineSql = (
    Text,
    SqlUuid,
    Timestamptz,
    Text,
    Text,
    Text,
    Numeric,
    Text,
    Numeric,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<MaskedCardSql>,
);

/// A line of the list.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct RequestLine {
    pub partner: String,
    pub id: PayoutRequestId,
    pub created_at: DateTime<Utc>,
    pub status: RequestStatus,
    pub reference_id: String,
    pub service: String,
    pub amount: Decimal,
    pub currency: AssetCode,
    pub amount_processed: Decimal,
    pub resolution: Option<Resolution>,
    pub moderation_reason: Option<String>,
    pub customer: Option<String>,
    pub card: Option<MaskedCard>,
}

macro_rules! line_sql {
    ($from:expr, $rest:expr) => {
        concat!(
            "SELECT p.code, r.id, r.created_at, r.status, r.reference_id, r.service, r.amount, r.currency, r.amount_processed, \
             r.resolution, r.moderation_reason, u.reference, COALESCE(c.scheme, k.scheme), \
             left(COALESCE(c.iin, k.iin), 4), COALESCE(c.last_four, k.last_four) FROM ",
            $from,
            " LEFT JOIN customer u ON (u.partner_id, u.mode, u.id) = (r.partner_id, r.mode, r.customer_id) \
             LEFT JOIN card c ON (c.partner_id, c.mode, c.id) = (r.partner_id, r.mode, r.card_id) \
             LEFT JOIN request_card k ON (k.partner_id, k.mode, k.request_id) = (r.partner_id, r.mode, r.id) ",
            $rest
        )
    };
}

/// One statement a group, so that each can be read by its own partial index: a parameter would hide it from the planner.
macro_rules! list_statement {
    ($(#[$doc:meta])* $name:ident, $condition:literal) => {
        statement! {
            $(#[$doc])*
            struct $name {
                mode: Mode as Text, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz,
                id: PayoutRequestId as SqlUuid, limit: i64 as BigInt,
            } => LineSql
              = line_sql!(
                    concat!(
                        "(SELECT * FROM payout_request WHERE (mode || '') = ? AND created_at >= ? AND (created_at, id) < (?, ?) ", $condition,
                        " ORDER BY created_at DESC, id DESC LIMIT ?) r JOIN partner p ON p.id = r.partner_id"
                    ),
                    "ORDER BY r.created_at DESC, r.id DESC"
                )
        }
    };
}

list_statement!(
    /// payout_request_newest
    All, ""
);
list_statement!(
    /// payout_request_open
    Open, "AND final_at IS NULL"
);
list_statement!(
    /// payout_request_newest: most requests are among these.
    Paid, "AND status = 'processed'"
);
list_statement!(
    /// payout_request_unpaid
    Unpaid, "AND final_at IS NOT NULL AND amount_processed < amount"
);
list_statement!(
    /// payout_request_returned
    Returned, "AND amount_returned > 0"
);

statement! {
    // The primary key, partner by partner.
    struct ById { mode: Mode as Text, id: PayoutRequestId as SqlUuid } => LineSql
      = line_sql!(
            "partner p JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (p.id, ?, ?)",
            "ORDER BY r.created_at DESC, p.code"
        )
}

statement! {
    // payout_request_by_amount
    struct OfAmount {
        amount: Decimal as Numeric, mode: Mode as Text, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz,
        id: PayoutRequestId as SqlUuid, limit: i64 as BigInt,
    } => LineSql
      = line_sql!(
            "(SELECT * FROM payout_request WHERE amount = ? AND (mode || '') = ? AND created_at >= ? AND (created_at, id) < (?, ?) \
               ORDER BY created_at DESC, id DESC LIMIT ?) r JOIN partner p ON p.id = r.partner_id",
            "ORDER BY r.created_at DESC, r.id DESC"
        )
}

statement! {
    // card_by_last_four and payout_request_of_card; request_card_by_last_four and the primary key.
    struct OfLastFour {
        card_last_four: String as Text, card_mode: Mode as Text, last_four: String as Text, mode: Mode as Text,
        from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz, id: PayoutRequestId as SqlUuid, limit: i64 as BigInt,
    } => LineSql
      = line_sql!(
            "(SELECT f.* FROM ( \
                 SELECT x.* FROM card d JOIN payout_request x ON (x.card_id, x.partner_id, x.mode) = (d.id, d.partner_id, d.mode) \
                     WHERE d.last_four = ? AND d.mode = ? \
                 UNION ALL SELECT x.* FROM request_card d \
                     JOIN payout_request x ON (x.id, x.partner_id, x.mode) = (d.request_id, d.partner_id, d.mode) \
                     WHERE d.last_four = ? AND d.mode = ?) f \
               WHERE f.created_at >= ? AND (f.created_at, f.id) < (?, ?) ORDER BY f.created_at DESC, f.id DESC LIMIT ?) r \
             JOIN partner p ON p.id = r.partner_id",
            "ORDER BY r.created_at DESC, r.id DESC"
        )
}

statement! {
    // request_card_by_fingerprint: each partner knows a number by another one.
    struct OfPrints { partner_ids: Vec<PartnerId> as Array<SqlUuid>, prints: Vec<Vec<u8>> as Array<Bytea>, mode: Mode as Text } => LineSql
      = line_sql!(
            "(SELECT x.* FROM UNNEST(?::uuid[], ?::bytea[]) AS q (partner_id, fingerprint) \
                 JOIN request_card d ON (d.fingerprint, d.partner_id) = (q.fingerprint, q.partner_id) AND d.mode = ? \
                 JOIN payout_request x ON (x.id, x.partner_id, x.mode) = (d.request_id, d.partner_id, d.mode) \
               ORDER BY x.created_at DESC, x.id DESC LIMIT 51) r JOIN partner p ON p.id = r.partner_id",
            "ORDER BY r.created_at DESC, r.id DESC"
        )
}

statement! {
    // payout_request_reference_once, partner by partner.
    struct ByReference { mode: Mode as Text, reference_id: String as Text } => LineSql
      = line_sql!(
            "partner p JOIN payout_request r ON (r.partner_id, r.mode, r.reference_id) = (p.id, ?, ?)",
            "ORDER BY r.created_at DESC, p.code"
        )
}

statement! {
    struct FindContext { partner: String as Text, mode: Mode as Text, id: PayoutRequestId as SqlUuid } => (
        SqlUuid, Text, Text, Nullable<Text>, Nullable<MaskedCardSql>,
    ) = "SELECT p.id, p.name, COALESCE(t.code, 'gone'), u.reference, COALESCE(c.scheme, k.scheme), \
             left(COALESCE(c.iin, k.iin), 4), COALESCE(c.last_four, k.last_four) \
         FROM partner p \
         JOIN payout_request r ON r.partner_id = p.id \
         LEFT JOIN payout_point t ON (t.partner_id, t.mode, t.id) = (r.partner_id, r.mode, r.point_id) \
         LEFT JOIN customer u ON (u.partner_id, u.mode, u.id) = (r.partner_id, r.mode, r.customer_id) \
         LEFT JOIN card c ON (c.partner_id, c.mode, c.id) = (r.partner_id, r.mode, r.card_id) \
             LEFT JOIN request_card k ON (k.partner_id, k.mode, k.request_id) = (r.partner_id, r.mode, r.id) \
         WHERE p.code = ? AND r.mode = ? AND r.id = ?"
}

/// What stands around one request.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct RequestContext {
    pub partner_id: PartnerId,
    pub partner_name: String,
    pub point: String,
    pub customer: Option<String>,
    pub card: Option<MaskedCard>,
}

statement! {
    // payout_of_request
    struct PayoutsOf { partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid } -> pub PayoutLine {
        id: PayoutId as SqlUuid, part: i16 as SmallInt, attempt: i16 as SmallInt, route: String as Text, deposit: String as Text,
        provider: String as Text, status: PayoutStatus as Text, provider_reference: String as Text,
        provider_original_id: Option<String> as Nullable<Text>, rrn: Option<String> as Nullable<Text>,
        arn: Option<String> as Nullable<Text>, amount: Decimal as Numeric, currency: AssetCode as Text,
        amount_processed: Decimal as Numeric, amount_returned: Decimal as Numeric, cost: Decimal as Numeric,
        resolution: Option<Resolution> as Nullable<Text>, provider_code: Option<String> as Nullable<Text>,
        provider_message: Option<String> as Nullable<Text>, sends: i16 as SmallInt, inquiries: i32 as Integer,
        created_at: DateTime<Utc> as Timestamptz, final_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT o.id, o.part, o.attempt, COALESCE(r.code, 'gone'), COALESCE(d.code, 'gone'), o.provider, o.status, o.provider_reference, \
             o.provider_original_id, o.rrn, o.arn, o.amount, o.currency, o.amount_processed, o.amount_returned, o.cost, \
             o.resolution, o.provider_code, o.provider_message, o.sends, o.inquiries, o.created_at, o.final_at \
         FROM payout o \
         LEFT JOIN payout_route r ON r.id = o.route_id \
         LEFT JOIN deposit_account d ON d.id = o.deposit_account_id \
         WHERE o.partner_id = ? AND o.mode = ? AND o.request_id = ? ORDER BY o.part, o.attempt"
}

/// The index that each list reads by, and the list's statement.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("payout_request_newest", All::SQL),
    ("payout_request_open", Open::SQL),
    ("payout_request_newest", Paid::SQL),
    ("payout_request_unpaid", Unpaid::SQL),
    ("payout_request_returned", Returned::SQL),
    ("payout_request_by_amount", OfAmount::SQL),
    ("card_by_last_four", OfLastFour::SQL),
    ("payout_request_of_card", OfLastFour::SQL),
    ("request_card_by_last_four", OfLastFour::SQL),
    ("request_card_by_fingerprint", OfPrints::SQL),
    ("payout_request_pkey", ById::SQL),
    ("payout_request_reference_once", ByReference::SQL),
];

/// Which requests are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Group {
    #[default]
    All,
    /// Not ended.
    Open,
    /// Paid in full, and not returned.
    Paid,
    /// Ended without all of it being paid.
    Unpaid,
    /// Paid, and some or all of it came back.
    Returned,
}

/// Up to `limit` requests of that mode, newest first, whosever they are.
pub async fn list(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    group: Group,
    span: Span,
    after: After<PayoutRequestId>,
    limit: i64,
) -> QueryResult<Vec<RequestLine>> {
    let (from, After { at, id }) = (span.from(), span.cut(after));
    match group {
        Group::All => All { mode, from, at, id, limit }.load(conn).await,
        Group::Open => Open { mode, from, at, id, limit }.load(conn).await,
        Group::Paid => Paid { mode, from, at, id, limit }.load(conn).await,
        Group::Unpaid => Unpaid { mode, from, at, id, limit }.load(conn).await,
        Group::Returned => Returned { mode, from, at, id, limit }.load(conn).await,
    }
}

/// Up to `limit` requests that are to pay exactly that, newest first.
pub async fn of_amount(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    amount: Decimal,
    span: Span,
    after: After<PayoutRequestId>,
    limit: i64,
) -> QueryResult<Vec<RequestLine>> {
    let (from, After { at, id }) = (span.from(), span.cut(after));
    OfAmount { amount, mode, from, at, id, limit }.load(conn).await
}

/// Up to `limit` requests to cards that end so, newest first: cards of the wallet's, and those that came in with requests.
pub async fn of_last_four(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    last_four: &str,
    span: Span,
    after: After<PayoutRequestId>,
    limit: i64,
) -> QueryResult<Vec<RequestLine>> {
    let (from, After { at, id }) = (span.from(), span.cut(after));
    let (card_last_four, last_four) = (last_four.to_owned(), last_four.to_owned());
    OfLastFour { card_last_four, card_mode: mode, last_four, mode, from, at, id, limit }.load(conn).await
}

/// The newest requests that a number came in with, by what each partner knows it by.
pub async fn of_prints(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    prints: Vec<(PartnerId, Vec<u8>)>,
) -> QueryResult<Vec<RequestLine>> {
    let (partner_ids, prints) = prints.into_iter().unzip();
    OfPrints { partner_ids, prints, mode }.load(conn).await
}

/// The requests of that id; one at most, unless two partners were given the same.
pub async fn by_id(conn: &mut AsyncPgConnection, mode: Mode, id: PayoutRequestId) -> QueryResult<Vec<RequestLine>> {
    ById { mode, id }.load(conn).await
}

/// The requests that their partners call so: each partner has one at most.
pub async fn by_reference(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    reference_id: &str,
) -> QueryResult<Vec<RequestLine>> {
    ByReference { mode, reference_id: reference_id.to_owned() }.load(conn).await
}

/// What stands around a request of that partner and mode, if there is one.
pub async fn context(
    conn: &mut AsyncPgConnection,
    partner: &str,
    mode: Mode,
    id: PayoutRequestId,
) -> QueryResult<Option<RequestContext>> {
    FindContext { partner: partner.to_owned(), mode, id }.get_result(conn).await.optional()
}

/// A request's payouts, in the order in which they were tried.
pub async fn payouts(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    request_id: PayoutRequestId,
) -> QueryResult<Vec<PayoutLine>> {
    PayoutsOf { partner_id: tenant.partner_id, mode: tenant.mode, request_id }.load(conn).await
}
