//! Cards: what may be shown in the clear, and the vault's envelopes.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::card::CardScheme;
use crate::domain::ids::{CardId, CustomerId, Mode, PartnerId, Tenant};

macro_rules! card_columns {
    () => {
        "c.partner_id, c.mode, c.id, c.customer_id, c.scheme, c.iin, c.last_four, c.expiry_year, c.expiry_month, c.pan_sealed, \
         c.holder_sealed, c.billing_sealed, c.billing_country, c.validation_status, c.hidden_at, c.destroyed_at, c.created_at"
    };
}

type CardSql = (
    SqlUuid,
    Text,
    BigInt,
    SqlUuid,
    Text,
    Text,
    Text,
    SmallInt,
    SmallInt,
    Nullable<Bytea>,
    Bytea,
    Nullable<Bytea>,
    Nullable<Text>,
    Text,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Timestamptz,
);

/// A card as stored. Its secrets are envelopes that only the vault opens.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Card {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: CardId,
    pub customer_id: CustomerId,
    pub scheme: CardScheme,
    pub iin: String,
    pub last_four: String,
    pub expiry_year: i16,
    pub expiry_month: i16,
    /// Gone once the card is deleted and no open request pays to it; holder and address go with it.
    pub pan_sealed: Option<Vec<u8>>,
    /// Empty with the number gone.
    pub holder_sealed: Vec<u8>,
    pub billing_sealed: Option<Vec<u8>>,
    pub billing_country: Option<String>,
    pub validation_status: String,
    pub hidden_at: Option<DateTime<Utc>>,
    pub destroyed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Card {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// A card to be added.
#[derive(Clone, Debug)]
pub struct NewCard {
    pub tenant: Tenant,
    pub id: CardId,
    pub customer_id: CustomerId,
    pub fingerprint: Vec<u8>,
    pub fingerprint_key_id: String,
    pub scheme: CardScheme,
    pub iin: String,
    pub last_four: String,
    pub expiry_year: i16,
    pub expiry_month: i16,
    pub pan_sealed: Vec<u8>,
    pub holder_sealed: Vec<u8>,
    pub validation_status: String,
}

statement! {
    struct InsertCard {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt, customer_id: CustomerId as SqlUuid,
        fingerprint: Vec<u8> as Bytea, fingerprint_key_id: String as Text, scheme: CardScheme as Text, iin: String as Text,
        last_four: String as Text, expiry_year: i16 as SmallInt, expiry_month: i16 as SmallInt, pan_sealed: Vec<u8> as Bytea,
        holder_sealed: Vec<u8> as Bytea, validation_status: String as Text, created_at: DateTime<Utc> as Timestamptz,
        updated_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO card (partner_id, mode, id, customer_id, fingerprint, fingerprint_key_id, scheme, iin, last_four, \
             expiry_year, expiry_month, pan_sealed, holder_sealed, validation_status, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
}

statement! {
    struct FindByFingerprint {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid, fingerprint: Vec<u8> as Bytea,
    } => (BigInt,)
      = "SELECT id FROM card WHERE partner_id = ? AND mode = ? AND customer_id = ? AND fingerprint = ?"
}

statement! {
    /// The same card added again: it shows again, with the expiry and holder it has now, and its number is there. One that was declined stays
    /// so until a person approves it.
    struct RenewCard {
        expiry_year: i16 as SmallInt, expiry_month: i16 as SmallInt, pan_sealed: Vec<u8> as Bytea, holder_sealed: Vec<u8> as Bytea,
        validation_status: String as Text, now: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt,
    } = "UPDATE card SET expiry_year = ?, expiry_month = ?, pan_sealed = ?, holder_sealed = ?, \
             validation_status = CASE WHEN validation_status = 'declined' THEN 'declined' ELSE ? END, \
             hidden_at = NULL, destroyed_at = NULL, updated_at = ? \
         WHERE partner_id = ? AND mode = ? AND id = ?"
}

statement! {
    struct OfCustomer { partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid } => CardSql
      = concat!("SELECT ", card_columns!(), " FROM card c \
         WHERE c.partner_id = ? AND c.mode = ? AND c.customer_id = ? AND c.hidden_at IS NULL ORDER BY c.created_at, c.id")
}

statement! {
    struct FindCard { partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid, id: CardId as BigInt }
        => CardSql
        = concat!("SELECT ", card_columns!(), " FROM card c \
           WHERE c.partner_id = ? AND c.mode = ? AND c.customer_id = ? AND c.id = ? AND c.hidden_at IS NULL")
}

statement! {
    struct FindCards { partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<CardId> as Array<BigInt> }
        => CardSql
        = concat!("SELECT ", card_columns!(), " FROM card c \
           JOIN UNNEST(?::uuid[], ?::text[], ?::bigint[]) AS k (partner_id, mode, id) \
           ON (c.partner_id, c.mode, c.id) = (k.partner_id, k.mode, k.id)")
}

statement! {
    struct SetBilling {
        sealed: Vec<u8> as Bytea, country: String as Text, now: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid, id: CardId as BigInt,
    } = "UPDATE card SET billing_sealed = ?, billing_country = ?, updated_at = ? \
         WHERE partner_id = ? AND mode = ? AND customer_id = ? AND id = ? AND hidden_at IS NULL"
}

statement! {
    struct HideCard {
        hidden_at: DateTime<Utc> as Timestamptz, updated_at: DateTime<Utc> as Timestamptz,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, customer_id: CustomerId as SqlUuid, id: CardId as BigInt,
    } = "UPDATE card SET hidden_at = ?, updated_at = ? \
         WHERE partner_id = ? AND mode = ? AND customer_id = ? AND id = ? AND hidden_at IS NULL"
}

statement! {
    struct DestroyNumber { now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt }
      = "UPDATE card SET pan_sealed = NULL, holder_sealed = '', billing_sealed = NULL, billing_country = NULL, destroyed_at = ? \
         WHERE partner_id = ? AND mode = ? AND id = ? AND hidden_at IS NOT NULL AND destroyed_at IS NULL"
}

statement! {
    /// Neither added, changed nor paid to since.
    struct HideUnused {
        hidden_at: DateTime<Utc> as Timestamptz, updated_at: DateTime<Utc> as Timestamptz, before: DateTime<Utc> as Timestamptz,
        asked_before: DateTime<Utc> as Timestamptz, batch_size: i64 as BigInt,
    } -> HiddenCard { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt }
      = "UPDATE card c SET hidden_at = ?, updated_at = ? FROM ( \
             SELECT k.partner_id, k.mode, k.id FROM card k WHERE k.hidden_at IS NULL AND k.updated_at < ? \
                 AND NOT EXISTS (SELECT 1 FROM payout_request r WHERE (r.partner_id, r.mode, r.card_id) = (k.partner_id, k.mode, k.id) \
                     AND (r.created_at >= ? OR r.final_at IS NULL)) \
             ORDER BY k.updated_at LIMIT ? FOR UPDATE OF k SKIP LOCKED) unused \
         WHERE (c.partner_id, c.mode, c.id) = (unused.partner_id, unused.mode, unused.id) RETURNING c.partner_id, c.mode, c.id"
}

statement! {
    /// What earlier versions left when they destroyed a number.
    struct DestroyLeftovers { batch_size: i64 as BigInt }
      = "UPDATE card c SET holder_sealed = '', billing_sealed = NULL, billing_country = NULL \
         FROM (SELECT partner_id, mode, id FROM card WHERE destroyed_at IS NOT NULL AND (holder_sealed <> '' OR billing_sealed IS NOT NULL) \
             LIMIT ? FOR UPDATE SKIP LOCKED) left_over \
         WHERE (c.partner_id, c.mode, c.id) = (left_over.partner_id, left_over.mode, left_over.id)"
}

statement! {
    struct LockCard { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt } => (Bool,)
      = "SELECT hidden_at IS NOT NULL AND destroyed_at IS NULL FROM card WHERE partner_id = ? AND mode = ? AND id = ? FOR UPDATE"
}

statement! {
    struct LockUsable { partner_id: PartnerId as SqlUuid, mode: Mode as Text, ids: Vec<CardId> as Array<BigInt> } => (BigInt,)
      = "SELECT id FROM card WHERE partner_id = ? AND mode = ? AND id = ANY (?) AND hidden_at IS NULL AND pan_sealed IS NOT NULL \
         ORDER BY id FOR SHARE"
}

/// Those of the cards that are neither deleted nor destroyed, locked against both.
pub async fn lock_usable(conn: &AsyncPgConnection, tenant: Tenant, ids: Vec<CardId>) -> QueryResult<Vec<CardId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<(CardId,)> =
        LockUsable { partner_id: tenant.partner_id, mode: tenant.mode, ids }.load(&mut &*conn).await?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// Adds a card; `false` if the customer has it already or the id is taken.
pub async fn insert(conn: &mut AsyncPgConnection, card: NewCard, now: DateTime<Utc>) -> QueryResult<bool> {
    let inserted = InsertCard {
        partner_id: card.tenant.partner_id,
        mode: card.tenant.mode,
        id: card.id,
        customer_id: card.customer_id,
        fingerprint: card.fingerprint,
        fingerprint_key_id: card.fingerprint_key_id,
        scheme: card.scheme,
        iin: card.iin,
        last_four: card.last_four,
        expiry_year: card.expiry_year,
        expiry_month: card.expiry_month,
        pan_sealed: card.pan_sealed,
        holder_sealed: card.holder_sealed,
        validation_status: card.validation_status,
        created_at: now,
        updated_at: now,
    }
    .execute(conn)
    .await?;
    Ok(inserted == 1)
}

/// The id of the customer's card of that fingerprint, hidden or not.
pub async fn find_by_fingerprint(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
    fingerprint: &[u8],
) -> QueryResult<Option<CardId>> {
    let found: Option<(CardId,)> = FindByFingerprint {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        customer_id,
        fingerprint: fingerprint.to_vec(),
    }
    .get_result(conn)
    .await
    .optional()?;
    Ok(found.map(|(id,)| id))
}

/// What a card that is added again says now.
#[derive(Clone, Debug)]
pub struct Renewal {
    pub expiry_year: i16,
    pub expiry_month: i16,
    pub pan_sealed: Vec<u8>,
    pub holder_sealed: Vec<u8>,
    pub validation_status: String,
}

pub async fn renew(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    id: CardId,
    renewal: Renewal,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    RenewCard {
        expiry_year: renewal.expiry_year,
        expiry_month: renewal.expiry_month,
        pan_sealed: renewal.pan_sealed,
        holder_sealed: renewal.holder_sealed,
        validation_status: renewal.validation_status,
        now,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id,
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// A customer's cards, oldest first, without hidden ones.
pub async fn of_customer(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
) -> QueryResult<Vec<Card>> {
    OfCustomer { partner_id: tenant.partner_id, mode: tenant.mode, customer_id }.load(conn).await
}

/// A card of that very customer, unless hidden.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
    id: CardId,
) -> QueryResult<Option<Card>> {
    FindCard { partner_id: tenant.partner_id, mode: tenant.mode, customer_id, id }.get_result(conn).await.optional()
}

/// Cards by id, hidden ones too: open payouts still need them.
pub async fn find_all(conn: &AsyncPgConnection, cards: &[(Tenant, CardId)]) -> QueryResult<Vec<Card>> {
    if cards.is_empty() {
        return Ok(Vec::new());
    }
    FindCards {
        partner_ids: cards.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: cards.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: cards.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// Sets a card's billing address; `false` if there is no such card.
pub async fn set_billing(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
    id: CardId,
    sealed: Vec<u8>,
    country: &str,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let updated = SetBilling {
        sealed,
        country: country.to_owned(),
        now,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        customer_id,
        id,
    }
    .execute(conn)
    .await?;
    Ok(updated == 1)
}

/// Hides a card; `false` if there is no such card.
pub async fn hide(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    customer_id: CustomerId,
    id: CardId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let hidden =
        HideCard { hidden_at: now, updated_at: now, partner_id: tenant.partner_id, mode: tenant.mode, customer_id, id }
            .execute(conn)
            .await?;
    Ok(hidden == 1)
}

/// Locks a card and tells whether its number waits for destruction.
pub async fn lock_for_destruction(conn: &mut AsyncPgConnection, tenant: Tenant, id: CardId) -> QueryResult<bool> {
    let found: Option<(bool,)> =
        LockCard { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(conn).await.optional()?;
    Ok(found.is_some_and(|(waits,)| waits))
}

/// Destroys a hidden card's number for good, and its holder's name and address with it.
pub async fn destroy_number(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    id: CardId,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    DestroyNumber { now, partner_id: tenant.partner_id, mode: tenant.mode, id }.execute(conn).await?;
    Ok(())
}

/// Destroys names and addresses of cards whose number was destroyed without them; answers how many.
pub async fn destroy_leftovers(conn: &mut AsyncPgConnection, batch_size: i64) -> QueryResult<usize> {
    DestroyLeftovers { batch_size }.execute(conn).await
}

/// Hides up to `batch_size` cards that were last used before `before`; answers which.
pub async fn hide_unused(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
    batch_size: i64,
    now: DateTime<Utc>,
) -> QueryResult<Vec<(Tenant, CardId)>> {
    let hidden: Vec<HiddenCard> =
        HideUnused { hidden_at: now, updated_at: now, before, asked_before: before, batch_size }.load(conn).await?;
    Ok(hidden.into_iter().map(|card| (Tenant { partner_id: card.partner_id, mode: card.mode }, card.id)).collect())
}
