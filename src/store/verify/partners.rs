//! Partners' own money and the card numbers that came in with their requests.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{NO_TENANT, PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::{Mode, PartnerId, PayoutRequestId, Tenant};
use crate::store::request_cards::{RequestCard, RequestCardSql, request_card_columns};
use crate::store::statement::statement;
use uuid::Uuid;

broken_rows! {
    /// Partners whose held balance is not what their open requests hold: amounts and fees, less what was settled so far.
    held, of "account",
    "WITH holding AS ( \
         SELECT r.partner_id, r.mode, r.point_currency AS asset, sum(r.point_amount + r.fee + COALESCE(s.amount, 0)) AS amount \
         FROM payout_request r \
         LEFT JOIN LATERAL (SELECT sum(g.amount) AS amount FROM payout p \
             JOIN entry e ON (e.partner_id, e.mode, e.kind, e.reference) \
                 = (p.partner_id, p.mode, 'settle', replace(p.id::text, '-', '')) \
             JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
             JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) AND a.kind = 'partner_held' \
             WHERE (p.partner_id, p.mode, p.request_id) = (r.partner_id, r.mode, r.id)) s ON true \
         WHERE r.funding = 'partner_balance' AND r.final_at IS NULL GROUP BY 1, 2, 3), \
     held AS (SELECT partner_id, mode, asset, balance FROM account WHERE kind = 'partner_held') \
     SELECT 'partner_held ' || partner_id::text || '/' || mode || '/' || asset, \
         CASE WHEN COALESCE(h.balance, 0) <> COALESCE(g.amount, 0) \
             THEN 'holds ' || COALESCE(h.balance, 0) || ', its open requests ' || COALESCE(g.amount, 0) END \
     FROM held h FULL JOIN holding g USING (partner_id, mode, asset)"
}

broken_rows! {
    /// Cards whose number is gone while their request needs it, or is kept for a day after it.
    request_cards, of "request_card",
    concat!("SELECT ", row_key!("request_card", "c", "request_id"), ", concat_ws('; ', \
         CASE WHEN r.id IS NULL THEN 'its request isn''t there' END, \
         CASE WHEN c.destroyed_at IS NOT NULL AND r.final_at IS NULL THEN 'its number is destroyed, and its request isn''t over' END, \
         CASE WHEN c.destroyed_at IS NULL AND r.final_at < (SELECT max(updated_at) FROM payout_request) - interval '1 day' \
             THEN 'its number is kept, and its request is over for a day' END) \
     FROM request_card c LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (c.partner_id, c.mode, c.request_id)")
}

statement! {
    struct RequestCards { id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, limit: i64 as BigInt }
      => RequestCardSql
      = concat!("SELECT ", request_card_columns!(), " FROM request_card c \
         WHERE (c.request_id, c.partner_id, c.mode) > (?, ?, ?) ORDER BY c.request_id, c.partner_id, c.mode LIMIT ?")
}

/// A page of cards that came in with requests, after `key`, in the order of the key.
pub async fn cards_page(
    conn: &mut AsyncPgConnection,
    after: Option<(Tenant, PayoutRequestId)>,
) -> QueryResult<Vec<RequestCard>> {
    let start = (NO_TENANT, PayoutRequestId(Uuid::nil()));
    let (tenant, id) = after.unwrap_or(start);
    RequestCards { id: id.0, partner_id: tenant.partner_id, mode: tenant.mode, limit: PAGE_ROWS }.load(conn).await
}
