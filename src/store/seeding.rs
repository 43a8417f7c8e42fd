//! Copies of payouts by the hundred thousand, for measuring what reads them: rows of a few that were really made, under ids, references,
//! times, customers, cards and amounts of their own, written by the database itself. Nothing but `landfall seed` calls it.
//!
//! Not copied: what is sealed (the copies' cards are deleted ones) and the rolling sums of limits. The chains of events keep the MACs of the
//! first, and the ledger its amounts: `landfall verify` tells the copies from payouts that were made.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::statement::statement;
use crate::domain::ids::{OfferId, PartnerId, PayoutRequestId};

/// How many payouts a copied customer has.
const PAYOUTS_OF_A_CUSTOMER: i64 = 5;

/// Which copies are written.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The first one's number, and the one behind the last.
    pub from: i64,
    pub until: i64,
    /// How many there will be in all.
    pub of: i64,
}

/// What is copied: an offer with its request, which is over.
#[derive(Clone, Copy, Debug)]
pub struct Original {
    pub partner_id: PartnerId,
    pub offer_id: OfferId,
    pub request_id: PayoutRequestId,
}

/// Ids that lie together as those of one moment do, and are the same for the same number.
const FUNCTIONS: &str = "\
    CREATE FUNCTION pg_temp.seed_id(what text, at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ \
        SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(what), 1, 3) || '8' \
            || substr(md5(what || '-'), 1, 15))::uuid $$; \
    CREATE FUNCTION pg_temp.seed_at(n bigint, all_of bigint, until timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ \
        SELECT until - (all_of - n) * (interval '90 days' / all_of::double precision) $$";

statement! {
    struct Customers {
        now: DateTime<Utc> as Timestamptz, all_of: i64 as BigInt, first: i64 as BigInt, last: i64 as BigInt,
        partner_id: PartnerId as SqlUuid, offer_id: OfferId as BigInt,
    } = "WITH ask AS MATERIALIZED (SELECT ?::timestamptz AS now, ?::bigint AS all_of), made AS MATERIALIZED ( \
             SELECT k, pg_temp.seed_id('customer-' || k, pg_temp.seed_at(k, ask.all_of, ask.now)) AS id, \
                 pg_temp.seed_at(k, ask.all_of, ask.now) AS at FROM ask, generate_series(?::bigint, ?::bigint) k), \
         of_offer AS MATERIALIZED (SELECT * FROM offer WHERE partner_id = ? AND mode = 'test' AND id = ?), \
         customers AS ( \
             INSERT INTO customer (partner_id, mode, id, reference, kyc_level, email, name, paid_count, created_at) \
             SELECT o.partner_id, o.mode, m.id, 'seed-' || m.k, 2, 'seed-' || m.k || '@example.com', 'Customer ' || m.k, 5, m.at \
             FROM made m, of_offer o ON CONFLICT DO NOTHING) \
         INSERT INTO card (partner_id, mode, id, customer_id, fingerprint, fingerprint_key_id, scheme, iin, last_four, expiry_year, \
             expiry_month, pan_sealed, holder_sealed, validation_status, hidden_at, destroyed_at, created_at, updated_at) \
         SELECT o.partner_id, o.mode, 7000000000000000 + m.k, m.id, sha256(convert_to('seed-card-' || m.k, 'UTF8')), c.fingerprint_key_id, \
             c.scheme, c.iin, lpad((m.k % 10000)::text, 4, '0'), 2035, 12, NULL, '', 'approved', m.at, m.at, m.at, m.at \
         FROM made m, of_offer o JOIN card c ON (c.id, c.partner_id, c.mode) = (o.card_id, o.partner_id, o.mode) ON CONFLICT DO NOTHING"
}

/// The copies' numbers with everything that is made of them. `n` runs over the range.
const COPIES: &str = "\
    CREATE TEMPORARY TABLE IF NOT EXISTS seed_copy ( \
        n bigint, offer_id bigint, request_id uuid, customer_id uuid, card_id bigint, at timestamptz, amount numeric, amount_to numeric); \
    TRUNCATE seed_copy";

statement! {
    struct FillCopies {
        now: DateTime<Utc> as Timestamptz, all_of: i64 as BigInt, customers: i64 as BigInt, first: i64 as BigInt, last: i64 as BigInt,
    } = "INSERT INTO seed_copy \
         SELECT n, 6000000000000000 + n, pg_temp.seed_id('request-' || n, at), \
             pg_temp.seed_id('customer-' || k, pg_temp.seed_at(k, all_of, now)), 7000000000000000 + k, at, \
             10 + (n % 100000) / 100.0, round((10 + (n % 100000) / 100.0) * 0.911106, 2) \
         FROM (SELECT ?::timestamptz AS now, ?::bigint AS all_of, ?::bigint AS customers) ask \
         CROSS JOIN LATERAL (SELECT n, n % customers AS k, pg_temp.seed_at(n, all_of, now) AS at \
             FROM generate_series(?::bigint, ?::bigint) n) made"
}

statement! {
    struct Offers { partner_id: PartnerId as SqlUuid, offer_id: OfferId as BigInt, request_id: PayoutRequestId as SqlUuid }
      = "INSERT INTO offer SELECT r.* FROM seed_copy s \
         JOIN offer o ON o.partner_id = ? AND o.mode = 'test' AND o.id = ? AND o.request_id = ? \
         CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object( \
             'id', s.offer_id, 'customer_id', s.customer_id, 'card_id', s.card_id, 'request_id', s.request_id, 'amount', s.amount, \
             'total', s.amount + o.fee_total, 'amount_to', s.amount_to, \
             'amount_to_processed', CASE WHEN o.amount_to_processed > 0 THEN s.amount_to ELSE 0 END, \
             'quoted_at', s.at, 'expires_at', s.at + interval '30 s', 'accepted_at', s.at + interval '5 s', \
             'final_at', s.at + interval '7 s')) r"
}

statement! {
    struct Requests { partner_id: PartnerId as SqlUuid, request_id: PayoutRequestId as SqlUuid }
      = "INSERT INTO payout_request SELECT r.* FROM seed_copy s \
         JOIN payout_request o ON o.partner_id = ? AND o.mode = 'test' AND o.id = ? \
         CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object( \
             'id', s.request_id, 'reference_id', 'offer-' || s.offer_id, 'customer_id', s.customer_id, 'card_id', s.card_id, \
             'offer_id', s.offer_id, 'amount', s.amount_to, 'point_amount', s.amount_to, \
             'amount_processed', CASE WHEN o.amount_processed > 0 THEN s.amount_to ELSE 0 END, \
             'created_at', s.at + interval '5 s', 'updated_at', s.at + interval '7 s', 'final_at', s.at + interval '7 s', \
             'expires_at', s.at + interval '1 day')) r"
}

statement! {
    struct Payouts { partner_id: PartnerId as SqlUuid, request_id: PayoutRequestId as SqlUuid }
      = "INSERT INTO payout SELECT r.* FROM seed_copy s \
         JOIN payout o ON o.partner_id = ? AND o.mode = 'test' AND o.request_id = ? \
         CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object( \
             'id', pg_temp.seed_id('payout-' || o.id || s.n, s.at), 'request_id', s.request_id, \
             'provider_reference', 'S' || md5(o.id::text || s.n), \
             'provider_original_id', CASE WHEN o.provider_original_id IS NOT NULL THEN 'sx-' || md5(o.id::text || '-' || s.n) END, \
             'rrn', CASE WHEN o.rrn IS NOT NULL THEN lpad(s.n::text, 12, '6') END, 'amount', s.amount_to, \
             'amount_processed', CASE WHEN o.amount_processed > 0 THEN s.amount_to ELSE 0 END, \
             'created_at', s.at + interval '5 s', 'sent_at', s.at + interval '6 s', 'updated_at', s.at + interval '7 s', \
             'final_at', s.at + interval '7 s')) r"
}

statement! {
    struct Events { partner_id: PartnerId as SqlUuid, request_id: PayoutRequestId as SqlUuid }
      = "INSERT INTO event (partner_id, mode, request_id, seq, id, payout_id, kind, actor, data, mac, at) \
         SELECT e.partner_id, e.mode, s.request_id, e.seq, pg_temp.seed_id('event-' || e.id || s.n, s.at), \
             CASE WHEN e.payout_id IS NOT NULL THEN pg_temp.seed_id('payout-' || e.payout_id || s.n, s.at) END, e.kind, e.actor, e.data, \
             e.mac, s.at + interval '5 s' + e.seq * interval '200 ms' \
         FROM event e, seed_copy s WHERE e.partner_id = ? AND e.mode = 'test' AND e.request_id = ?"
}

statement! {
    /// Entries for the request and its payouts, under the copies' references; the accounts that they move stay the first one's.
    struct Entries {
        partner_id: PartnerId as SqlUuid, request_id: PayoutRequestId as SqlUuid, of_partner: PartnerId as SqlUuid,
        of_request: PayoutRequestId as SqlUuid,
    } = "WITH causes AS MATERIALIZED ( \
             SELECT r.partner_id, r.mode, replace(r.id::text, '-', '') AS reference, NULL::uuid AS payout_id FROM payout_request r \
                 WHERE r.partner_id = ? AND r.mode = 'test' AND r.id = ? \
             UNION ALL SELECT p.partner_id, p.mode, replace(p.id::text, '-', ''), p.id FROM payout p \
                 WHERE p.partner_id = ? AND p.mode = 'test' AND p.request_id = ?), \
         booked AS MATERIALIZED (SELECT e.*, c.payout_id FROM causes c JOIN entry e \
             ON (e.reference, e.partner_id, e.mode) = (c.reference, c.partner_id, c.mode)), \
         entries AS (INSERT INTO entry (partner_id, mode, id, kind, reference, customer_id, created_at) \
             SELECT b.partner_id, b.mode, pg_temp.seed_id('entry-' || b.id || s.n, s.at), b.kind, \
                 replace((CASE WHEN b.payout_id IS NULL THEN s.request_id \
                     ELSE pg_temp.seed_id('payout-' || b.payout_id || s.n, s.at) END)::text, '-', ''), \
                 CASE WHEN b.customer_id IS NOT NULL THEN s.customer_id END, s.at + interval '6 s' FROM booked b, seed_copy s) \
         INSERT INTO posting (partner_id, mode, entry_id, line, account_id, asset, amount) \
         SELECT g.partner_id, g.mode, pg_temp.seed_id('entry-' || b.id || s.n, s.at), g.line, g.account_id, g.asset, g.amount \
         FROM booked b JOIN posting g ON (g.entry_id, g.partner_id, g.mode) = (b.id, b.partner_id, b.mode), seed_copy s"
}

statement! {
    /// Balances of the accounts that the copies moved.
    struct Balances { partner_id: PartnerId as SqlUuid }
      = "UPDATE account a SET balance = a.balance + (s.amount - a.balance - COALESCE((SELECT sum(d.amount) FROM account_delta d \
             WHERE (d.account_id, d.partner_id, d.mode) = (a.id, a.partner_id, a.mode)), 0)) \
         FROM (SELECT partner_id, mode, account_id, sum(amount) AS amount FROM posting WHERE partner_id = ? GROUP BY 1, 2, 3) s \
         WHERE (s.account_id, s.partner_id, s.mode) = (a.id, a.partner_id, a.mode)"
}

/// Prepares a connection, which all of the others are then called with.
pub async fn begin(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(FUNCTIONS).await?;
    // A batch takes longer than a request may.
    conn.batch_execute("SET synchronous_commit = off; SET statement_timeout = 0").await
}

fn customers_of(all: i64) -> i64 {
    (all / PAYOUTS_OF_A_CUSTOMER).max(1)
}

/// Writes the customers of all copies, a card each.
pub async fn customers(
    conn: &mut AsyncPgConnection,
    original: Original,
    all: i64,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let Original { partner_id, offer_id, .. } = original;
    Customers { now, all_of: all, first: 0, last: customers_of(all) - 1, partner_id, offer_id }.execute(conn).await
}

/// Writes a range of copies of an original: offers, requests, payouts, events and what the ledger booked.
pub async fn copy(
    conn: &mut AsyncPgConnection,
    original: Original,
    range: Range,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let Original { partner_id, offer_id, request_id } = original;
    conn.batch_execute(COPIES).await?;
    let customers = customers_of(range.of);
    FillCopies { now, all_of: range.of, customers, first: range.from, last: range.until - 1 }.execute(conn).await?;
    conn.batch_execute("ANALYZE seed_copy").await?;
    Offers { partner_id, offer_id, request_id }.execute(conn).await?;
    Requests { partner_id, request_id }.execute(conn).await?;
    Payouts { partner_id, request_id }.execute(conn).await?;
    Events { partner_id, request_id }.execute(conn).await?;
    Entries { partner_id, request_id, of_partner: partner_id, of_request: request_id }.execute(conn).await?;
    Ok(())
}

/// Brings the balances to what was booked, and the planner to what there is.
pub async fn end(conn: &mut AsyncPgConnection, partner_id: PartnerId) -> QueryResult<()> {
    Balances { partner_id }.execute(conn).await?;
    conn.batch_execute("ANALYZE").await
}

/// Whether anything was ever offered or asked for, as a number above 0.
pub async fn count(conn: &mut AsyncPgConnection) -> QueryResult<i64> {
    let row: Counted = Count {}.get_result(conn).await?;
    Ok(row.count)
}

statement! {
    struct Count {} -> Counted { count: i64 as BigInt } = "SELECT (SELECT count(*) FROM (SELECT 1 FROM offer LIMIT 1) o) + (SELECT count(*) FROM (SELECT 1 FROM payout_request LIMIT 1) r)"
}
