//! Card numbers that came in with payout requests, in the vault's envelopes, until their requests are over.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bytea, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::card::CardScheme;
use crate::domain::ids::{Mode, PartnerId, PayoutRequestId, Tenant};

pub(super) type RequestCardSql = (
    SqlUuid,
    Text,
    SqlUuid,
    Bytea,
    Text,
    Text,
    Text,
    Text,
    SmallInt,
    SmallInt,
    Nullable<Bytea>,
    Bytea,
    Nullable<Timestamptz>,
    Timestamptz,
);

/// A card of one request. Its number and holder are envelopes that only the vault opens.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct RequestCard {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub request_id: PayoutRequestId,
    pub fingerprint: Vec<u8>,
    pub fingerprint_key_id: String,
    pub scheme: CardScheme,
    pub iin: String,
    pub last_four: String,
    pub expiry_year: i16,
    pub expiry_month: i16,
    /// Gone once the request is over.
    pub pan_sealed: Option<Vec<u8>>,
    /// Empty once the request is over.
    pub holder_sealed: Vec<u8>,
    pub destroyed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl RequestCard {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

macro_rules! request_card_columns {
    () => {
        "c.partner_id, c.mode, c.request_id, c.fingerprint, c.fingerprint_key_id, c.scheme, c.iin, c.last_four, c.expiry_year, \
         c.expiry_month, c.pan_sealed, c.holder_sealed, c.destroyed_at, c.created_at"
    };
}

pub(super) use request_card_columns;

statement! {
    struct InsertCards {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
        fingerprints: Vec<Vec<u8>> as Array<Bytea>, key_ids: Vec<String> as Array<Text>, schemes: Vec<CardScheme> as Array<Text>,
        iins: Vec<String> as Array<Text>, last_fours: Vec<String> as Array<Text>, years: Vec<i16> as Array<SmallInt>,
        months: Vec<i16> as Array<SmallInt>, pans: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>, holders: Vec<Vec<u8>> as Array<Bytea>,
        created_ats: Vec<DateTime<Utc>> as Array<Timestamptz>,
    } = "INSERT INTO request_card (partner_id, mode, request_id, fingerprint, fingerprint_key_id, scheme, iin, last_four, expiry_year, \
             expiry_month, pan_sealed, holder_sealed, created_at) \
         SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::bytea[], ?::text[], ?::text[], ?::text[], ?::text[], ?::smallint[], \
             ?::smallint[], ?::bytea[], ?::bytea[], ?::timestamptz[]) \
         ON CONFLICT (request_id, partner_id, mode) DO UPDATE SET fingerprint = EXCLUDED.fingerprint, \
             fingerprint_key_id = EXCLUDED.fingerprint_key_id, scheme = EXCLUDED.scheme, iin = EXCLUDED.iin, \
             last_four = EXCLUDED.last_four, expiry_year = EXCLUDED.expiry_year, expiry_month = EXCLUDED.expiry_month, \
             pan_sealed = EXCLUDED.pan_sealed, holder_sealed = EXCLUDED.holder_sealed, destroyed_at = NULL"
}

statement! {
    struct FindCards {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
    } => RequestCardSql
      = concat!("SELECT ", request_card_columns!(), " FROM request_card c \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (c.partner_id, c.mode, c.request_id) = (k.partner_id, k.mode, k.id)")
}

statement! {
    /// Of cards that are locked, those whose requests are over lose their number and holder.
    struct DestroyOfFinal { batch_size: i64 as BigInt, now: DateTime<Utc> as Timestamptz }
      = "WITH due AS MATERIALIZED ( \
             SELECT c.partner_id, c.mode, c.request_id FROM request_card c \
             JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (c.partner_id, c.mode, c.request_id) \
             WHERE c.destroyed_at IS NULL AND r.final_at IS NOT NULL LIMIT ? FOR UPDATE OF c SKIP LOCKED) \
         UPDATE request_card c SET pan_sealed = NULL, holder_sealed = '', destroyed_at = ?::timestamptz FROM due \
         WHERE (c.partner_id, c.mode, c.request_id) = (due.partner_id, due.mode, due.request_id)"
}

/// Writes cards, in place of others of the same requests.
pub async fn insert(conn: &AsyncPgConnection, cards: &[RequestCard]) -> QueryResult<()> {
    if cards.is_empty() {
        return Ok(());
    }
    InsertCards {
        partner_ids: cards.iter().map(|c| c.partner_id).collect(),
        modes: cards.iter().map(|c| c.mode).collect(),
        ids: cards.iter().map(|c| c.request_id).collect(),
        fingerprints: cards.iter().map(|c| c.fingerprint.clone()).collect(),
        key_ids: cards.iter().map(|c| c.fingerprint_key_id.clone()).collect(),
        schemes: cards.iter().map(|c| c.scheme).collect(),
        iins: cards.iter().map(|c| c.iin.clone()).collect(),
        last_fours: cards.iter().map(|c| c.last_four.clone()).collect(),
        years: cards.iter().map(|c| c.expiry_year).collect(),
        months: cards.iter().map(|c| c.expiry_month).collect(),
        pans: cards.iter().map(|c| c.pan_sealed.clone()).collect(),
        holders: cards.iter().map(|c| c.holder_sealed.clone()).collect(),
        created_ats: cards.iter().map(|c| c.created_at).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// The cards of those of these requests that have one.
pub async fn find_all(
    conn: &AsyncPgConnection,
    requests: &[(Tenant, PayoutRequestId)],
) -> QueryResult<Vec<RequestCard>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    FindCards {
        partner_ids: requests.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: requests.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: requests.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}

/// Destroys numbers and holders of requests that are over; answers how many.
pub async fn destroy_of_final(conn: &AsyncPgConnection, batch_size: i64, now: DateTime<Utc>) -> QueryResult<usize> {
    DestroyOfFinal { batch_size, now }.execute(&mut &*conn).await
}
