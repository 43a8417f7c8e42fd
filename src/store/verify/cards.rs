//! Cards with their envelopes, for the vault to open.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Bytea, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{NO_TENANT, PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::{CardId, CustomerId, Mode, PartnerId, Tenant};
use crate::store::statement::statement;

broken_rows! {
    /// Cards whose number is gone while a request still needs it, or that wait for destruction without a job.
    numbers_are_kept, of "card",
    concat!("SELECT ", row_key!("card", "c", "id"), ", concat_ws('; ', \
         CASE WHEN (c.pan_sealed IS NULL) <> (c.destroyed_at IS NOT NULL) \
             THEN 'destroyed_at does not say whether its number is there' END, \
         CASE WHEN c.destroyed_at < (SELECT max(updated_at) FROM card) - interval '1 day' \
                 AND (c.holder_sealed <> '' OR c.billing_sealed IS NOT NULL) \
             THEN 'its number is destroyed, and its holder''s name or address isn''t' END, \
         CASE WHEN c.pan_sealed IS NULL AND q.open \
             THEN 'its number is destroyed, and a request that isn''t final pays to it' END, \
         CASE WHEN c.hidden_at IS NOT NULL AND c.pan_sealed IS NOT NULL AND NOT EXISTS (SELECT 1 FROM job j \
                 WHERE (j.partner_id, j.mode, j.kind, j.subject_id) \
                     = (c.partner_id, c.mode, 'destroy_card', lpad(to_hex(c.id), 32, '0')::uuid) AND j.dead_at IS NULL) \
             THEN 'is deleted, and no job is there to destroy its number' END) \
     FROM card c LEFT JOIN (SELECT DISTINCT partner_id, mode, card_id, true AS open FROM payout_request WHERE final_at IS NULL) q \
         ON (q.partner_id, q.mode, q.card_id) = (c.partner_id, c.mode, c.id)")
}

statement! {
    struct Cards { id: CardId as BigInt, partner_id: PartnerId as SqlUuid, mode: Mode as Text, limit: i64 as BigInt }
      -> pub CardRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CardId as BigInt, customer_id: CustomerId as SqlUuid,
        fingerprint: Vec<u8> as Bytea, fingerprint_key_id: String as Text, scheme: String as Text, iin: String as Text,
        last_four: String as Text, pan_sealed: Option<Vec<u8>> as Nullable<Bytea>, holder_sealed: Vec<u8> as Bytea,
        billing_sealed: Option<Vec<u8>> as Nullable<Bytea>, billing_country: Option<String> as Nullable<Text>,
    } = "SELECT partner_id, mode, id, customer_id, fingerprint, fingerprint_key_id, scheme, iin, last_four, pan_sealed, \
             holder_sealed, billing_sealed, billing_country \
         FROM card WHERE (id, partner_id, mode) > (?, ?, ?) ORDER BY id, partner_id, mode LIMIT ?"
}

impl CardRow {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// A page of cards after `key`, in the order of the key.
pub async fn page(conn: &mut AsyncPgConnection, after: Option<(Tenant, CardId)>) -> QueryResult<Vec<CardRow>> {
    let (partner_id, mode, id) = after
        .map_or((NO_TENANT.partner_id, NO_TENANT.mode, CardId(0)), |(tenant, id)| (tenant.partner_id, tenant.mode, id));
    Cards { partner_id, mode, id, limit: PAGE_ROWS }.load(conn).await
}
