//! Customers, listed and shown with all that is theirs.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::query_builder::Query;
use diesel::sql_types::{
    Array, BigInt, Bool, Bytea, Integer, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::After;
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::ids::{BlockId, CardId, CustomerId, Mode, PartnerId, Tenant};
use crate::store::statement::statement;

macro_rules! line_sql {
    ($from:expr) => {
        concat!(
            "SELECT u.partner_id, p.code, p.name, u.id, u.reference, u.kyc_level, u.blocked_at, u.email, u.name, u.country, u.paid_count, \
             u.failed_count, u.version, u.created_at FROM ",
            $from,
            " ORDER BY u.created_at DESC, u.id DESC"
        )
    };
}

statement! {
    // customer_of_partner, a short piece of it for each partner.
    struct Newest {
        mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: CustomerId as SqlUuid, limit_each: i64 as BigInt,
        limit: i64 as BigInt,
    } -> pub CustomerRow {
        partner_id: PartnerId as SqlUuid, partner: String as Text, partner_name: String as Text, id: CustomerId as SqlUuid,
        reference: String as Text, kyc_level: i16 as SmallInt, blocked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        email: Option<String> as Nullable<Text>, name: Option<String> as Nullable<Text>, country: Option<String> as Nullable<Text>,
        paid_count: i32 as Integer, failed_count: i32 as Integer, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
    } = line_sql!(
            "(SELECT n.* FROM partner w CROSS JOIN LATERAL ( \
                 SELECT * FROM customer x WHERE (x.partner_id::text || x.mode) = (w.id::text || ?) AND (x.created_at, x.id) < (?, ?) \
                 ORDER BY x.created_at DESC, x.id DESC LIMIT ?) n \
             ORDER BY n.created_at DESC, n.id DESC LIMIT ?) u JOIN partner p ON p.id = u.partner_id"
        )
}

statement! {
    // The unique key, partner by partner.
    struct ByReference { mode: Mode as Text, reference: String as Text } => <Newest as Query>::SqlType
      = line_sql!("partner p JOIN customer u ON (u.partner_id, u.mode, u.reference) = (p.id, ?, ?)")
}

statement! {
    // customer_by_email, partner by partner.
    struct ByEmail { mode: Mode as Text, email: String as Text } => <Newest as Query>::SqlType
      = line_sql!("partner p JOIN customer u ON (u.partner_id, u.mode, u.email) = (p.id, ?, ?)")
}

statement! {
    // The primary key.
    struct ById { mode: Mode as Text, id: CustomerId as SqlUuid } => <Newest as Query>::SqlType
      = line_sql!("partner p JOIN customer u ON (u.partner_id, u.mode, u.id) = (p.id, ?, ?)")
}

statement! {
    // card_by_fingerprint: each partner knows a number by another one.
    struct OfPrints { partner_ids: Vec<PartnerId> as Array<SqlUuid>, prints: Vec<Vec<u8>> as Array<Bytea>, mode: Mode as Text }
      => <Newest as Query>::SqlType
      = line_sql!(
            "UNNEST(?::uuid[], ?::bytea[]) AS k (partner_id, fingerprint) \
             JOIN card c ON (c.fingerprint, c.partner_id) = (k.fingerprint, k.partner_id) AND c.mode = ? \
             JOIN customer u ON (u.partner_id, u.mode, u.id) = (c.partner_id, c.mode, c.customer_id) \
             JOIN partner p ON p.id = u.partner_id"
        )
}

statement! {
    // The unique key of cards, which begins with the customer.
    struct Cards { customer_id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } -> pub CardRow {
        id: CardId as BigInt, scheme: CardScheme as Text, first_four: String as Text, last_four: String as Text,
        expiry_year: i16 as SmallInt, expiry_month: i16 as SmallInt, validation_status: String as Text,
        hidden_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, destroyed_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        created_at: DateTime<Utc> as Timestamptz,
    } = "SELECT id, scheme, left(iin, 4), last_four, expiry_year, expiry_month, validation_status, hidden_at, destroyed_at, created_at \
         FROM card WHERE customer_id = ? AND partner_id = ? AND mode = ? ORDER BY hidden_at IS NOT NULL, created_at DESC, id LIMIT 100"
}

statement! {
    // entry_of_customer
    struct Entries {
        customer_id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, limit: i64 as BigInt,
    } -> pub LedgerLine {
        id: Uuid as SqlUuid, kind: String as Text, reference: String as Text, created_at: DateTime<Utc> as Timestamptz,
        asset: AssetCode as Text, available: Decimal as Numeric, held: Decimal as Numeric,
    } = "SELECT e.id, e.kind, e.reference, e.created_at, g.asset, \
             COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'user_available'), 0), \
             COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'user_held'), 0) \
         FROM (SELECT * FROM entry WHERE customer_id = ? AND partner_id = ? AND mode = ? AND (created_at, id) < (?, ?) \
               ORDER BY created_at DESC, id DESC LIMIT ?) e \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
             AND a.kind IN ('user_available', 'user_held') \
         GROUP BY e.id, e.kind, e.reference, e.created_at, g.asset ORDER BY e.created_at DESC, e.id DESC, g.asset"
}

statement! {
    // block_list_values; block_print's primary key, for each of the customer's cards.
    struct Blocks {
        reference: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid,
        card_partner_id: PartnerId as SqlUuid, card_mode: Mode as Text,
    } -> pub BlockLine {
        id: BlockId as SqlUuid, by_house: bool as Bool, kind: String as Text, value: String as Text, reason: String as Text,
        added_by: String as Text, starts_at: DateTime<Utc> as Timestamptz, ends_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT b.id, w.code = 'house', b.kind, b.value, b.reason, b.added_by, b.starts_at, b.ends_at FROM ( \
             SELECT * FROM block_list WHERE value = ? AND kind = 'customer' AND partner_id = ? AND mode = ? AND removed_at IS NULL \
             UNION SELECT l.* FROM card c \
                 JOIN block_print k ON (k.fingerprint, k.partner_id, k.mode) = (c.fingerprint, c.partner_id, c.mode) \
                 JOIN block_list l ON l.id = k.block_id AND l.mode = k.mode AND l.removed_at IS NULL \
             WHERE c.customer_id = ? AND c.partner_id = ? AND c.mode = ?) b \
         JOIN partner w ON w.id = b.partner_id ORDER BY b.created_at"
}

/// The index that each list reads by, and the list's statement.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("customer_of_partner", Newest::SQL),
    ("customer_reference_partner_id_mode_key", ByReference::SQL),
    ("customer_by_email", ByEmail::SQL),
    ("customer_pkey", ById::SQL),
    ("card_by_fingerprint", OfPrints::SQL),
    ("card_customer_id_fingerprint_partner_id_mode_key", Cards::SQL),
    ("entry_of_customer", Entries::SQL),
];

/// Which customers are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CustomerSearch {
    #[default]
    All,
    Id(CustomerId),
    /// The partner's own name for its customer, exactly.
    Reference(String),
    /// As the partner wrote it.
    Email(String),
}

/// Up to `limit` customers of that mode, those that were made last first, whosever they are.
pub async fn search(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    search: &CustomerSearch,
    after: After<CustomerId>,
    limit: i64,
) -> QueryResult<Vec<CustomerRow>> {
    let After { at, id } = after;
    match search.clone() {
        CustomerSearch::All => Newest { mode, at, id, limit_each: limit, limit }.load(conn).await,
        CustomerSearch::Id(id) => ById { mode, id }.load(conn).await,
        CustomerSearch::Reference(reference) => ByReference { mode, reference }.load(conn).await,
        CustomerSearch::Email(email) => ByEmail { mode, email }.load(conn).await,
    }
}

/// The customers who have a card with that number, by what each partner knows it by.
pub async fn of_prints(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    prints: Vec<(PartnerId, Vec<u8>)>,
) -> QueryResult<Vec<CustomerRow>> {
    let (partner_ids, prints) = prints.into_iter().unzip();
    OfPrints { partner_ids, prints, mode }.load(conn).await
}

/// A customer's cards, deleted ones last.
pub async fn cards(conn: &mut AsyncPgConnection, tenant: Tenant, id: CustomerId) -> QueryResult<Vec<CardRow>> {
    Cards { customer_id: id, partner_id: tenant.partner_id, mode: tenant.mode }.load(conn).await
}

/// What moved a customer's balances, newest first: up to `limit` entries, a line an asset.
pub async fn entries(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    id: CustomerId,
    after: After<Uuid>,
    limit: i64,
) -> QueryResult<Vec<LedgerLine>> {
    let Tenant { partner_id, mode } = tenant;
    Entries { customer_id: id, partner_id, mode, at: after.at, id: after.id, limit }.load(conn).await
}

/// What stands on the block list about a customer or one of their cards.
pub async fn blocks(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    id: CustomerId,
    reference: &str,
) -> QueryResult<Vec<BlockLine>> {
    let Tenant { partner_id, mode } = tenant;
    let reference = reference.to_owned();
    Blocks { reference, partner_id, mode, customer_id: id, card_partner_id: partner_id, card_mode: mode }
        .load(conn)
        .await
}
