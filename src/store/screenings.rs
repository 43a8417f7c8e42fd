//! Cards that wait for their screening, and what a screening needs to know of a card or an offer. A row of `card_screening` is a job until it
//! is settled; its epoch rises when the card is added again, so that an answer about an earlier name settles nothing.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{CardId, CustomerId, Mode, OfferId, PartnerId, Tenant};

statement! {
    struct Open { partner_id: PartnerId as SqlUuid, mode: Mode as Text, card_id: CardId as BigInt, now: DateTime<Utc> as Timestamptz }
      = "INSERT INTO card_screening (partner_id, mode, card_id, state, due_at, updated_at) \
         SELECT k.partner_id, k.mode, k.card_id, 'open', k.now, k.now \
             FROM (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::bigint AS card_id, ?::timestamptz AS now) k \
             JOIN card c ON (c.partner_id, c.mode, c.id) = (k.partner_id, k.mode, k.card_id) AND c.validation_status = 'pending' \
         ON CONFLICT (card_id, partner_id, mode) DO UPDATE SET state = 'open', why = NULL, attempts = 0, \
             epoch = card_screening.epoch + 1, due_at = EXCLUDED.due_at, settled_by = NULL, reason = NULL, updated_at = EXCLUDED.updated_at"
}

statement! {
    /// Takes cards that are due; they come up again at `lease_until` if nobody settles them.
    struct Claim { now: DateTime<Utc> as Timestamptz, limit: i64 as BigInt, lease_until: DateTime<Utc> as Timestamptz }
      -> pub Claimed {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, card_id: CardId as BigInt, epoch: i32 as Integer,
      }
      = "WITH due AS MATERIALIZED ( \
             SELECT partner_id, mode, card_id FROM card_screening WHERE state = 'open' AND due_at <= ? \
             ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED) \
         UPDATE card_screening s SET due_at = ?::timestamptz, attempts = s.attempts + 1 FROM due \
         WHERE (s.partner_id, s.mode, s.card_id) = (due.partner_id, due.mode, due.card_id) \
         RETURNING s.partner_id, s.mode, s.card_id, s.epoch"
}

statement! {
    struct FindCards {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<CardId> as Array<BigInt>,
    } -> pub ScreenedCard {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, card_id: CardId as BigInt, customer_id: CustomerId as SqlUuid,
        holder_sealed: Vec<u8> as Bytea, iin: String as Text, reference: String as Text, country: Option<String> as Nullable<Text>,
    } = "SELECT c.partner_id, c.mode, c.id, c.customer_id, c.holder_sealed, c.iin, u.reference, u.country FROM card c \
         JOIN UNNEST(?::uuid[], ?::text[], ?::bigint[]) AS k (partner_id, mode, id) ON (c.partner_id, c.mode, c.id) = (k.partner_id, k.mode, k.id) \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (c.partner_id, c.mode, c.customer_id) \
         WHERE c.destroyed_at IS NULL"
}

statement! {
    /// The cards of offers that are open and whose time isn't over.
    struct FindOffers {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<OfferId> as Array<BigInt>,
        now: DateTime<Utc> as Timestamptz,
    } -> OfferCardRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, offer_id: OfferId as BigInt, card_id: CardId as BigInt,
        customer_id: CustomerId as SqlUuid, holder_sealed: Vec<u8> as Bytea, iin: String as Text, reference: String as Text,
        country: Option<String> as Nullable<Text>,
    } = "SELECT o.partner_id, o.mode, o.id, c.id, c.customer_id, c.holder_sealed, c.iin, u.reference, u.country FROM offer o \
         JOIN UNNEST(?::uuid[], ?::text[], ?::bigint[]) AS k (partner_id, mode, id) ON (o.partner_id, o.mode, o.id) = (k.partner_id, k.mode, k.id) \
         JOIN card c ON (c.partner_id, c.mode, c.id) = (o.partner_id, o.mode, o.card_id) \
         JOIN customer u ON (u.partner_id, u.mode, u.id) = (o.partner_id, o.mode, o.customer_id) \
         WHERE (o.status = 'quoted') IS TRUE AND o.expires_at > ?"
}

statement! {
    /// Answers the card only if it still waits for that very question.
    struct Settle {
        state: &'static str as Text, why: Option<String> as Nullable<Text>, now: DateTime<Utc> as Timestamptz,
        card_id: CardId as BigInt, partner_id: PartnerId as SqlUuid, mode: Mode as Text, epoch: i32 as Integer,
        status: &'static str as Text,
    } = "WITH settled AS (UPDATE card_screening SET state = ?, why = ?, settled_by = 'screening', updated_at = ? \
             WHERE card_id = ? AND partner_id = ? AND mode = ? AND state = 'open' AND epoch = ? RETURNING card_id, partner_id, mode, updated_at) \
         UPDATE card c SET validation_status = ?, updated_at = s.updated_at FROM settled s \
         WHERE (c.id, c.partner_id, c.mode) = (s.card_id, s.partner_id, s.mode) AND c.validation_status = 'pending'"
}

statement! {
    struct LockStatus { id: CardId as BigInt, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => (Text,)
      = "SELECT validation_status FROM card WHERE id = ? AND partner_id = ? AND mode = ? FOR UPDATE"
}

statement! {
    struct SettleByHand {
        status: &'static str as Text, now: DateTime<Utc> as Timestamptz, id: CardId as BigInt, partner_id: PartnerId as SqlUuid,
        mode: Mode as Text, by: String as Text, reason: String as Text,
    } = "WITH c AS (UPDATE card SET validation_status = ?, updated_at = ? WHERE id = ? AND partner_id = ? AND mode = ? \
             RETURNING id, partner_id, mode, validation_status, updated_at) \
         INSERT INTO card_screening (partner_id, mode, card_id, state, due_at, settled_by, reason, updated_at) \
         SELECT c.partner_id, c.mode, c.id, c.validation_status, c.updated_at, ?, ?, c.updated_at FROM c \
         ON CONFLICT (card_id, partner_id, mode) DO UPDATE SET state = EXCLUDED.state, settled_by = EXCLUDED.settled_by, \
             reason = EXCLUDED.reason, updated_at = EXCLUDED.updated_at"
}

statement! {
    struct Waiting { partner_id: PartnerId as SqlUuid, mode: Mode as Text } -> pub WaitingCard {
        card_id: CardId as BigInt, reference: String as Text, iin: String as Text, last_four: String as Text, state: String as Text,
        why: Option<String> as Nullable<Text>, attempts: i32 as Integer, since: DateTime<Utc> as Timestamptz,
    } = "SELECT s.card_id, u.reference, c.iin, c.last_four, s.state, s.why, s.attempts, s.updated_at FROM card_screening s \
         JOIN card c ON (c.id, c.partner_id, c.mode) = (s.card_id, s.partner_id, s.mode) \
         JOIN customer u ON (u.id, u.partner_id, u.mode) = (c.customer_id, c.partner_id, c.mode) \
         WHERE s.partner_id = ? AND s.mode = ? AND s.state IN ('open', 'review') AND c.hidden_at IS NULL ORDER BY s.updated_at, s.card_id LIMIT 1000"
}

impl Claimed {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

impl ScreenedCard {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// A card that is pending waits for its screening from now on.
pub async fn open(conn: &AsyncPgConnection, tenant: Tenant, id: CardId, now: DateTime<Utc>) -> QueryResult<()> {
    Open { partner_id: tenant.partner_id, mode: tenant.mode, card_id: id, now }.execute(&mut &*conn).await?;
    Ok(())
}

pub async fn claim(
    conn: &AsyncPgConnection,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Claimed>> {
    Claim { now, limit, lease_until }.load(&mut &*conn).await
}

pub async fn cards(conn: &AsyncPgConnection, cards: &[(Tenant, CardId)]) -> QueryResult<Vec<ScreenedCard>> {
    FindCards {
        partner_ids: cards.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: cards.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: cards.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// The cards that open offers pay to.
pub async fn cards_of_offers(
    conn: &AsyncPgConnection,
    offers: &[(Tenant, OfferId)],
    now: DateTime<Utc>,
) -> QueryResult<Vec<(OfferId, ScreenedCard)>> {
    let rows: Vec<OfferCardRow> = FindOffers {
        partner_ids: offers.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: offers.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: offers.iter().map(|(_, id)| *id).collect(),
        now,
    }
    .load(&mut &*conn)
    .await?;
    let card = |row: OfferCardRow| {
        let OfferCardRow { partner_id, mode, offer_id, card_id, customer_id, holder_sealed, iin, reference, country } =
            row;
        (offer_id, ScreenedCard { partner_id, mode, card_id, customer_id, holder_sealed, iin, reference, country })
    };
    Ok(rows.into_iter().map(card).collect())
}

/// How a screening left a card.
#[derive(Clone, Debug)]
pub struct Settled {
    /// `approved`, `declined` or `review`.
    pub state: &'static str,
    /// What the card is from now on: `approved`, `declined` or `pending`.
    pub status: &'static str,
    pub why: Option<String>,
}

pub async fn settle(
    conn: &AsyncPgConnection,
    claimed: &Claimed,
    settled: Settled,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    Settle {
        state: settled.state,
        why: settled.why,
        now,
        card_id: claimed.card_id,
        partner_id: claimed.partner_id,
        mode: claimed.mode,
        epoch: claimed.epoch,
        status: settled.status,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// What is kept of a card's standing, the card locked; `None`: there is no such card.
pub async fn lock_status(conn: &AsyncPgConnection, tenant: Tenant, id: CardId) -> QueryResult<Option<String>> {
    let found: Option<(String,)> =
        LockStatus { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()?;
    Ok(found.map(|(status,)| status))
}

/// Settles a locked card by a person's word.
pub async fn settle_by_hand(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: CardId,
    status: &'static str,
    by: String,
    reason: String,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    SettleByHand { status, now, id, partner_id: tenant.partner_id, mode: tenant.mode, by, reason }
        .execute(&mut &*conn)
        .await?;
    Ok(())
}

/// A tenant's cards that wait for their screening or for a person, the longest first.
pub async fn waiting(conn: &AsyncPgConnection, tenant: Tenant) -> QueryResult<Vec<WaitingCard>> {
    Waiting { partner_id: tenant.partner_id, mode: tenant.mode }.load(&mut &*conn).await
}
