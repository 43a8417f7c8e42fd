//! Offers: held against their requests and against what the ledger booked for them.

use std::collections::{BTreeMap, HashMap};

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Numeric, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use super::{NO_TENANT, PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::{Mode, OfferId, PartnerId, PayoutRequestId, Tenant};
use crate::store::offers::{Offer, OfferSql, offer_columns};
use crate::store::statement::statement;

broken_rows! {
    /// Accepted offers that don't agree with the request that pays them, and others that have one.
    requests_agree, of "offer",
    concat!("SELECT ", row_key!("offer", "o", "id"), ", CASE \
         WHEN o.accepted_at IS NULL THEN CASE WHEN o.request_id IS NOT NULL OR o.amount_to_processed <> 0 OR o.amount_to_returned <> 0 \
                 OR o.status NOT IN ('quoted', 'expired') THEN 'is ' || o.status || ' and was never accepted' END \
         WHEN r.id IS NULL THEN 'is ' || o.status || ', and its request isn''t there' \
         ELSE concat_ws('; ', \
             CASE WHEN r.offer_id IS DISTINCT FROM o.id THEN 'its request is another offer''s' END, \
             CASE WHEN r.reference_id <> 'offer-' || o.id THEN 'its request has another reference' END, \
             CASE WHEN r.funding <> 'wallet_hold' THEN 'its request is funded by ' || r.funding END, \
             CASE WHEN (r.amount, r.currency) IS DISTINCT FROM (o.amount_to, o.currency_to) \
                 THEN 'promises ' || o.amount_to || ' ' || o.currency_to || ', its request is for ' || r.amount || ' ' || r.currency END, \
             CASE WHEN r.customer_id IS DISTINCT FROM o.customer_id THEN 'its request is another customer''s' END, \
             CASE WHEN r.card_id IS DISTINCT FROM o.card_id THEN 'its request pays to another card' END, \
             CASE WHEN o.status <> CASE WHEN r.status = 'processed' THEN 'paid' WHEN r.status = 'partially_processed' THEN 'partly_paid' \
                     WHEN r.status = 'returned' THEN 'returned' \
                     WHEN r.status IN ('failed', 'expired', 'canceled', 'terminated') THEN 'released' ELSE 'accepted' END \
                 THEN 'is ' || o.status || ', its request is ' || r.status END, \
             CASE WHEN (o.status = 'accepted') <> (o.final_at IS NULL) THEN 'is ' || o.status || ', and final_at says otherwise' END, \
             CASE WHEN o.status <> 'accepted' AND o.resolution IS DISTINCT FROM r.resolution \
                 THEN 'its resolution is not its request''s' END, \
             CASE WHEN o.amount_to_processed <> LEAST(r.amount_processed, o.amount_to) \
                 THEN 'counts ' || o.amount_to_processed || ' as processed, its request ' || r.amount_processed END, \
             CASE WHEN o.amount_to_returned <> LEAST(r.amount_returned, o.amount_to_processed) \
                 THEN 'counts ' || o.amount_to_returned || ' as returned, its request ' || r.amount_returned END, \
             CASE WHEN o.status = 'paid' AND o.amount_to_processed <> o.amount_to \
                 THEN 'is paid, with ' || o.amount_to_processed || ' of ' || o.amount_to END) END \
     FROM offer o LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (o.partner_id, o.mode, o.request_id)")
}

broken_rows! {
    /// Requests that claim an offer which another request pays, or which isn't there.
    one_request_an_offer, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", CASE \
         WHEN o.id IS NULL THEN 'its offer ' || r.offer_id || ' isn''t there' \
         ELSE 'its offer ' || r.offer_id || ' is paid by ' || COALESCE(o.request_id::text, 'no request') END \
     FROM payout_request r LEFT JOIN offer o ON (o.partner_id, o.mode, o.id) = (r.partner_id, r.mode, r.offer_id) \
     WHERE r.offer_id IS NOT NULL AND o.request_id IS DISTINCT FROM r.id")
}

broken_rows! {
    references_once, of "payout_request",
    "SELECT 'payout_request ' || r.partner_id::text || '/' || r.mode || '/' || min(r.id::text), \
         'its reference stands for ' || count(*) || ' requests' \
     FROM payout_request r GROUP BY r.partner_id, r.mode, r.reference_id HAVING count(*) > 1"
}

broken_rows! {
    /// Customers whose held balance is not what their accepted offers still hold: their totals, less what was settled so far.
    held, of "account",
    "WITH holding AS ( \
         SELECT o.partner_id, o.mode, o.customer_id, o.currency_from AS asset, sum(o.total + COALESCE(s.amount, 0)) AS amount \
         FROM offer o \
         LEFT JOIN LATERAL (SELECT sum(g.amount) AS amount FROM payout p \
             JOIN entry e ON (e.partner_id, e.mode, e.kind, e.reference) \
                 = (p.partner_id, p.mode, 'settle', replace(p.id::text, '-', '')) \
             JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
             JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) AND a.kind = 'user_held' \
             WHERE (p.partner_id, p.mode, p.request_id) = (o.partner_id, o.mode, o.request_id)) s ON true \
         WHERE o.status = 'accepted' GROUP BY 1, 2, 3, 4), \
     held AS (SELECT partner_id, mode, id, owner_id AS customer_id, asset, balance FROM account WHERE kind = 'user_held') \
     SELECT CASE WHEN a.id IS NULL THEN 'customer ' || partner_id::text || '/' || mode || '/' || customer_id::text \
             ELSE 'account ' || partner_id::text || '/' || mode || '/' || a.id::text END, \
         'holds ' || COALESCE(a.balance, 0) || ' ' || asset || ', open offers hold ' || COALESCE(h.amount, 0) \
     FROM held a FULL JOIN holding h USING (partner_id, mode, customer_id, asset) \
     WHERE COALESCE(a.balance, 0) <> COALESCE(h.amount, 0)"
}

statement! {
    struct Accepted { id: OfferId as BigInt, partner_id: PartnerId as SqlUuid, mode: Mode as Text, limit: i64 as BigInt } => OfferSql
      = concat!("SELECT ", offer_columns!(), " FROM offer o \
         WHERE (o.id, o.partner_id, o.mode) > (?, ?, ?) AND o.accepted_at IS NOT NULL ORDER BY o.id, o.partner_id, o.mode LIMIT ?")
}

statement! {
    /// What the ledger booked for requests, by kind of entry, kind of account and asset.
    struct Booked {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
    } -> BookedRow {
        request_id: PayoutRequestId as SqlUuid, entry_kind: String as Text, account_kind: String as Text, asset: String as Text,
        amount: Decimal as Numeric,
    } = "WITH k AS MATERIALIZED (SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id)), \
         causes AS ( \
             SELECT k.*, t.kind, replace(k.id::text, '-', '') AS reference FROM k CROSS JOIN (VALUES ('hold'), ('release')) t (kind) \
             UNION ALL \
             SELECT k.*, t.kind, replace(p.id::text, '-', '') \
             FROM k JOIN payout p ON (p.partner_id, p.mode, p.request_id) = (k.partner_id, k.mode, k.id) \
             CROSS JOIN (VALUES ('settle'), ('return')) t (kind)) \
         SELECT c.id, e.kind, COALESCE(a.kind, 'no account'), g.asset, sum(g.amount) FROM causes c \
         JOIN entry e ON (e.partner_id, e.mode, e.kind, e.reference) = (c.partner_id, c.mode, c.kind, c.reference) \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         LEFT JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
         GROUP BY 1, 2, 3, 4"
}

statement! {
    /// What requests' payouts paid and gave back, as providers said, in the order of their parts.
    struct Fiat {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<PayoutRequestId> as Array<SqlUuid>,
    } -> FiatRow { request_id: PayoutRequestId as SqlUuid, processed: Decimal as Numeric, returned: Decimal as Numeric }
      = "SELECT p.request_id, p.amount_processed, p.amount_returned FROM payout p \
         JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (p.partner_id, p.mode, p.request_id) = (k.partner_id, k.mode, k.id) \
         WHERE p.status IN ('processed', 'returned') ORDER BY p.request_id, p.part, p.attempt"
}

/// Amounts by kind of entry, kind of account and asset.
pub type Amounts = BTreeMap<(String, String, String), Decimal>;

/// What was done about one offer's request.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// What its ledger entries move.
    pub booked: Amounts,
    /// The fiat that each payout paid and what of it came back, in the order of the parts, late ones apart.
    pub paid: Vec<(Decimal, Decimal)>,
}

/// A page of offers that were accepted after `key`, in the order of the key, each with what was done about it.
pub async fn accepted(
    conn: &mut AsyncPgConnection,
    after: Option<(Tenant, OfferId)>,
) -> QueryResult<Vec<(Offer, Done)>> {
    let (partner_id, mode, id) = after.map_or((NO_TENANT.partner_id, NO_TENANT.mode, OfferId(0)), |(tenant, id)| {
        (tenant.partner_id, tenant.mode, id)
    });
    let offers: Vec<Offer> = Accepted { partner_id, mode, id, limit: PAGE_ROWS }.load(conn).await?;
    let keys: Vec<(Tenant, PayoutRequestId)> =
        offers.iter().filter_map(|offer| Some((offer.tenant(), offer.request_id?))).collect();
    let partner_ids: Vec<_> = keys.iter().map(|(tenant, _)| tenant.partner_id).collect();
    let modes: Vec<_> = keys.iter().map(|(tenant, _)| tenant.mode).collect();
    let ids: Vec<_> = keys.iter().map(|(_, id)| *id).collect();
    let mut done: HashMap<PayoutRequestId, Done> = HashMap::new();
    let booked: Vec<BookedRow> =
        Booked { partner_ids: partner_ids.clone(), modes: modes.clone(), ids: ids.clone() }.load(conn).await?;
    for row in booked {
        let key = (row.entry_kind, row.account_kind, row.asset);
        done.entry(row.request_id).or_default().booked.insert(key, row.amount);
    }
    let fiat: Vec<FiatRow> = Fiat { partner_ids, modes, ids }.load(conn).await?;
    for row in fiat {
        done.entry(row.request_id).or_default().paid.push((row.processed, row.returned));
    }
    let done_of = |offer: &Offer| offer.request_id.and_then(|id| done.get(&id).cloned()).unwrap_or_default();
    Ok(offers.into_iter().map(|offer| (done_of(&offer), offer)).map(|(done, offer)| (offer, done)).collect())
}
