//! The block list's entries, and which of them concern a payout. An entry of the house's is there for every partner of its mode; a
//! partner's own for its customers alone. A card is listed by its fingerprint, which differs from tenant to tenant: `block_print` has those
//! of each listed number, so that no row links the cards of two partners unless they are blocked.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::block::{BlockKind, Listed};
use crate::domain::ids::{BlockId, CardId, CustomerId, Mode, PartnerId, Tenant};

/// An SQL array of what is listed that may concern a payout: to the card `c` (`partner_id`, `mode`, `fingerprint`, `iin`), of the customer
/// `u` (`reference`), at `n.now`. Part of the statements that a quote and a pay make anyway.
macro_rules! listed_for {
    () => {
        "ARRAY( \
             SELECT b.kind FROM block_list b WHERE b.kind = 'customer' AND b.value = u.reference AND b.mode = c.mode \
                 AND b.partner_id IN (c.partner_id, (SELECT id FROM partner WHERE code = 'house')) \
                 AND b.removed_at IS NULL AND b.starts_at <= n.now AND (b.ends_at IS NULL OR b.ends_at > n.now) \
             UNION ALL \
             SELECT b.kind FROM block_list b WHERE b.kind = 'iin' AND b.mode = c.mode \
                 AND b.value IN (left(c.iin, 4), left(c.iin, 5), left(c.iin, 6), left(c.iin, 7), left(c.iin, 8)) \
                 AND b.partner_id IN (c.partner_id, (SELECT id FROM partner WHERE code = 'house')) \
                 AND b.removed_at IS NULL AND b.starts_at <= n.now AND (b.ends_at IS NULL OR b.ends_at > n.now) \
             UNION ALL \
             SELECT b.kind FROM block_print p JOIN block_list b ON b.id = p.block_id \
                 WHERE p.fingerprint = c.fingerprint AND p.partner_id = c.partner_id AND p.mode = c.mode \
                 AND b.removed_at IS NULL AND b.starts_at <= n.now AND (b.ends_at IS NULL OR b.ends_at > n.now) \
             UNION ALL \
             SELECT 'country:' || b.value FROM block_list b WHERE b.kind = 'country' AND b.mode = c.mode \
                 AND b.partner_id IN (c.partner_id, (SELECT id FROM partner WHERE code = 'house')) \
                 AND b.removed_at IS NULL AND b.starts_at <= n.now AND (b.ends_at IS NULL OR b.ends_at > n.now))"
    };
}

pub(super) use listed_for;

/// Reads what [`listed_for`] answered.
pub fn listed(texts: &[String]) -> QueryResult<Listed> {
    let mut listed = Listed::default();
    for text in texts {
        match text.strip_prefix("country:") {
            Some(country) => listed.countries.push(country.to_owned()),
            None => listed.named.push(text.parse().map_err(|error: crate::domain::block::UnknownKind| {
                diesel::result::Error::DeserializationError(error.into())
            })?),
        }
    }
    Ok(listed)
}

/// An entry as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Block {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: BlockId,
    pub kind: BlockKind,
    /// The reference, the first digits or the country; of a card its masked number.
    pub value: String,
    pub reason: String,
    pub added_by: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub removed_at: Option<DateTime<Utc>>,
    pub removed_by: Option<String>,
    pub removal_reason: Option<String>,
}

type BlockSql = (
    SqlUuid,
    Text,
    SqlUuid,
    Text,
    Text,
    Text,
    Text,
    Timestamptz,
    Nullable<Timestamptz>,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Nullable<Text>,
);

macro_rules! block_columns {
    () => {
        "b.partner_id, b.mode, b.id, b.kind, b.value, b.reason, b.added_by, b.starts_at, b.ends_at, b.created_at, b.removed_at, \
         b.removed_by, b.removal_reason"
    };
}

statement! {
    struct InsertBlock {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: BlockId as SqlUuid, kind: BlockKind as Text, value: String as Text,
        fingerprint: Option<Vec<u8>> as Nullable<Bytea>, reason: String as Text, added_by: String as Text,
        starts_at: DateTime<Utc> as Timestamptz, ends_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO block_list (partner_id, mode, id, kind, value, fingerprint, reason, added_by, starts_at, ends_at, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
}

statement! {
    /// The entry about the same that nobody removed, whether or not its time is over.
    struct FindSame {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: BlockKind as Text,
        fingerprint: Option<Vec<u8>> as Nullable<Bytea>, value: String as Text,
    } => BlockSql
      = concat!("SELECT ", block_columns!(), " FROM block_list b WHERE b.partner_id = ? AND b.mode = ? AND b.kind = ? \
         AND (b.fingerprint = ? OR (b.fingerprint IS NULL AND b.value = ?)) AND b.removed_at IS NULL FOR UPDATE")
}

statement! {
    struct LockBlock { id: BlockId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => BlockSql
      = concat!("SELECT ", block_columns!(), " FROM block_list b WHERE b.id = ? AND b.partner_id = ? AND b.mode = ? FOR UPDATE")
}

statement! {
    struct RemoveBlock {
        now: DateTime<Utc> as Timestamptz, by: String as Text, reason: String as Text, id: BlockId as SqlUuid,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } = "UPDATE block_list SET removed_at = ?, removed_by = ?, removal_reason = ? \
         WHERE id = ? AND partner_id = ? AND mode = ? AND removed_at IS NULL"
}

statement! {
    struct ListBlocks {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, all: bool as diesel::sql_types::Bool, now: DateTime<Utc> as Timestamptz,
        after: DateTime<Utc> as Timestamptz, after_id: BlockId as SqlUuid, limit: i64 as BigInt,
    } => BlockSql
      = concat!("SELECT ", block_columns!(), " FROM block_list b WHERE b.partner_id = ? AND b.mode = ? \
         AND (? OR (b.removed_at IS NULL AND (b.ends_at IS NULL OR b.ends_at > ?))) AND (b.created_at, b.id) > (?, ?) \
         ORDER BY b.created_at, b.id LIMIT ?")
}

statement! {
    struct InsertPrints {
        block_id: BlockId as SqlUuid, mode: Mode as Text, fingerprints: Vec<Vec<u8>> as Array<Bytea>, partner_ids: Vec<PartnerId> as Array<SqlUuid>,
    } = "INSERT INTO block_print (block_id, mode, fingerprint, partner_id) \
         SELECT n.*, k.* FROM (SELECT ?::uuid, ?::text) n, UNNEST(?::bytea[], ?::uuid[]) k ON CONFLICT DO NOTHING"
}

statement! {
    /// Numbers that the house lists, as a partner that came later meets them for the first time.
    struct SpreadPrints {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, at_house: Vec<Vec<u8>> as Array<Bytea>, here: Vec<Vec<u8>> as Array<Bytea>,
    } = "INSERT INTO block_print (block_id, mode, fingerprint, partner_id) \
         SELECT p.block_id, n.mode, k.here, n.partner_id FROM (SELECT ?::uuid AS partner_id, ?::text AS mode) n, \
             UNNEST(?::bytea[], ?::bytea[]) AS k (at_house, here) \
         JOIN block_print p ON p.fingerprint = k.at_house \
         WHERE p.partner_id = (SELECT id FROM partner WHERE code = 'house') AND p.mode = n.mode ON CONFLICT DO NOTHING"
}

statement! {
    struct FindListed {
        numbers: Vec<i32> as Array<Integer>, card_ids: Vec<Option<CardId>> as Array<Nullable<BigInt>>,
        fingerprints: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>, iins: Vec<Option<String>> as Array<Nullable<Text>>,
        customer_ids: Vec<Option<CustomerId>> as Array<Nullable<SqlUuid>>,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, now: DateTime<Utc> as Timestamptz,
    } -> ListedRow {
        number: i32 as Integer, listed: Vec<String> as Array<Text>, iin: Option<String> as Nullable<Text>,
        billing_country: Option<String> as Nullable<Text>, customer_country: Option<String> as Nullable<Text>,
    } = concat!("SELECT k.n, ", listed_for!(), ", c.iin, c.billing_country, u.country \
         FROM UNNEST(?::int[], ?::bigint[], ?::bytea[], ?::text[], ?::uuid[]) AS k (n, card_id, fingerprint, iin, customer_id) \
         CROSS JOIN (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::timestamptz AS now) n \
         LEFT JOIN card t ON t.id = k.card_id AND t.partner_id = n.partner_id AND t.mode = n.mode \
         LEFT JOIN customer u ON u.id = k.customer_id AND u.partner_id = n.partner_id AND u.mode = n.mode \
         CROSS JOIN LATERAL (SELECT n.partner_id, n.mode, COALESCE(k.fingerprint, t.fingerprint) AS fingerprint, \
             COALESCE(k.iin, t.iin) AS iin, t.billing_country) c")
}

/// A payout, or a card, to be held against the list.
#[derive(Clone, Debug, Default)]
pub struct Concerned {
    /// A card of the wallet's.
    pub card_id: Option<CardId>,
    /// Of a number that came in with a request: its fingerprint in its tenant, and its first digits.
    pub number: Option<(Vec<u8>, String)>,
    pub customer_id: Option<CustomerId>,
}

/// What is listed that may concern it, and the countries that it has to do with, as far as rows tell.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub listed: Listed,
    pub iin: Option<String>,
    pub billing_country: Option<String>,
    pub customer_country: Option<String>,
}

/// What the list has about each, in the same order.
pub async fn find_listed(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    concerned: &[Concerned],
    now: DateTime<Utc>,
) -> QueryResult<Vec<Found>> {
    if concerned.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<ListedRow> = FindListed {
        numbers: (0_i32..).take(concerned.len()).collect(),
        card_ids: concerned.iter().map(|one| one.card_id).collect(),
        fingerprints: concerned.iter().map(|one| one.number.as_ref().map(|(print, _)| print.clone())).collect(),
        iins: concerned.iter().map(|one| one.number.as_ref().map(|(_, iin)| iin.clone())).collect(),
        customer_ids: concerned.iter().map(|one| one.customer_id).collect(),
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        now,
    }
    .load(&mut &*conn)
    .await?;
    let mut found = vec![Found::default(); concerned.len()];
    for row in rows {
        if let Some(slot) = usize::try_from(row.number).ok().and_then(|n| found.get_mut(n)) {
            *slot = Found {
                listed: listed(&row.listed)?,
                iin: row.iin,
                billing_country: row.billing_country,
                customer_country: row.customer_country,
            };
        }
    }
    Ok(found)
}

/// An entry to be written.
#[derive(Clone, Debug)]
pub struct NewBlock {
    pub tenant: Tenant,
    pub id: BlockId,
    pub kind: BlockKind,
    pub value: String,
    /// Of a card, in the entry's own tenant.
    pub fingerprint: Option<Vec<u8>>,
    pub reason: String,
    pub added_by: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
}

/// Writes an entry down; `false`: somebody else has just listed the same.
pub async fn insert(conn: &AsyncPgConnection, new: &NewBlock, now: DateTime<Utc>) -> QueryResult<bool> {
    let new = new.clone();
    let inserted = InsertBlock {
        partner_id: new.tenant.partner_id,
        mode: new.tenant.mode,
        id: new.id,
        kind: new.kind,
        value: new.value,
        fingerprint: new.fingerprint,
        reason: new.reason,
        added_by: new.added_by,
        starts_at: new.starts_at,
        ends_at: new.ends_at,
        created_at: now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(inserted == 1)
}

/// The entry about the same that nobody removed, locked.
pub async fn find_same(conn: &AsyncPgConnection, new: &NewBlock) -> QueryResult<Option<Block>> {
    FindSame {
        partner_id: new.tenant.partner_id,
        mode: new.tenant.mode,
        kind: new.kind,
        fingerprint: new.fingerprint.clone(),
        value: new.value.clone(),
    }
    .get_result(&mut &*conn)
    .await
    .optional()
}

/// A tenant's own entry, locked.
pub async fn lock(conn: &AsyncPgConnection, tenant: Tenant, id: BlockId) -> QueryResult<Option<Block>> {
    LockBlock { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

/// Removes an entry; it stays for the record.
pub async fn remove(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: BlockId,
    by: String,
    reason: String,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    RemoveBlock { now, by, reason, id, partner_id: tenant.partner_id, mode: tenant.mode }.execute(&mut &*conn).await?;
    Ok(())
}

/// A tenant's own entries, oldest first, after the one of `after`; `all`: also those that were removed or whose time is over.
pub async fn list(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    all: bool,
    after: (DateTime<Utc>, BlockId),
    limit: i64,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Block>> {
    let (after, after_id) = after;
    ListBlocks { partner_id: tenant.partner_id, mode: tenant.mode, all, now, after, after_id, limit }
        .load(&mut &*conn)
        .await
}

/// Notes a listed number's fingerprints, one a partner.
pub async fn insert_prints(
    conn: &AsyncPgConnection,
    id: BlockId,
    mode: Mode,
    prints: Vec<(PartnerId, Vec<u8>)>,
) -> QueryResult<()> {
    let (partner_ids, fingerprints) = prints.into_iter().unzip();
    InsertPrints { block_id: id, mode, fingerprints, partner_ids }.execute(&mut &*conn).await?;
    Ok(())
}

/// A number as two tenants know it.
#[derive(Clone, Debug)]
pub struct TwoPrints {
    /// Its fingerprint in the house's tenant.
    pub at_house: Vec<u8>,
    pub here: Vec<u8>,
}

/// Notes which of these numbers the house lists, so that they are found by their fingerprints here from now on.
pub async fn spread(conn: &AsyncPgConnection, tenant: Tenant, prints: Vec<TwoPrints>) -> QueryResult<()> {
    if prints.is_empty() {
        return Ok(());
    }
    let (at_house, here) = prints.into_iter().map(|prints| (prints.at_house, prints.here)).unzip();
    SpreadPrints { partner_id: tenant.partner_id, mode: tenant.mode, at_house, here }.execute(&mut &*conn).await?;
    Ok(())
}
