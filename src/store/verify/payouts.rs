//! Payout requests, their payouts, and the jobs and cases that carry them on.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{NO_TENANT, PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::{Mode, PartnerId, PayoutId};
use crate::store::statement::statement;

broken_rows! {
    /// Invariant 1: parts with more than one success, late ones apart.
    one_success_a_part, of "payout",
    "SELECT 'payout_request ' || p.partner_id::text || '/' || p.mode || '/' || p.request_id::text, \
         'part ' || p.part || ' was paid ' || count(*) || ' times: payouts ' || string_agg(p.id::text, ', ' ORDER BY p.id) \
     FROM payout p WHERE p.status IN ('processed', 'returned') \
     GROUP BY p.partner_id, p.mode, p.request_id, p.part HAVING count(*) > 1"
}

broken_rows! {
    /// Invariant 2: parts with more than one open payout, or with an open one beside a success.
    one_open_a_part, of "payout",
    "SELECT 'payout_request ' || p.partner_id::text || '/' || p.mode || '/' || p.request_id::text, \
         'part ' || p.part || ' has ' || count(*) FILTER (WHERE p.status NOT IN ('processed', 'returned')) || ' open payouts and ' \
             || count(*) FILTER (WHERE p.status IN ('processed', 'returned')) || ' paid' \
     FROM payout p WHERE p.status IN ('created', 'invoking', 'pending', 'unknown', 'processed', 'returned') \
     GROUP BY p.partner_id, p.mode, p.request_id, p.part \
     HAVING count(*) FILTER (WHERE p.status NOT IN ('processed', 'returned')) > 1 \
         OR (count(*) > 1 AND count(*) FILTER (WHERE p.status NOT IN ('processed', 'returned')) > 0)"
}

broken_rows! {
    /// Requests whose sums are not those of their payouts.
    request_sums, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", concat_ws('; ', \
         CASE WHEN r.amount_processed <> COALESCE(s.processed, 0) \
             THEN 'amount_processed is ' || r.amount_processed || ', its payouts come to ' || COALESCE(s.processed, 0) END, \
         CASE WHEN r.amount_returned <> COALESCE(s.returned, 0) \
             THEN 'amount_returned is ' || r.amount_returned || ', its payouts come to ' || COALESCE(s.returned, 0) END, \
         CASE WHEN r.attempts_made <> COALESCE(s.attempts, 0) \
             THEN 'attempts_made is ' || r.attempts_made || ', it has ' || COALESCE(s.attempts, 0) || ' payouts' END, \
         CASE WHEN s.gaps THEN 'its payouts don''t count up by part and attempt' END, \
         CASE WHEN s.currencies THEN 'it has payouts in another currency' END) \
     FROM payout_request r LEFT JOIN ( \
         SELECT p.partner_id, p.mode, p.request_id, count(*) AS attempts, \
             COALESCE(sum(p.amount_processed) FILTER (WHERE p.status IN ('processed', 'returned')), 0) AS processed, \
             COALESCE(sum(p.amount_returned) FILTER (WHERE p.status <> 'late_processed'), 0) AS returned, \
             bool_or(p.part <> p.part_expected OR p.attempt <> p.attempt_expected) AS gaps, bool_or(p.other_currency) AS currencies \
         FROM (SELECT q.*, q.currency <> t.currency AS other_currency, \
                 dense_rank() OVER (PARTITION BY q.partner_id, q.mode, q.request_id ORDER BY q.part) - 1 AS part_expected, \
                 row_number() OVER (PARTITION BY q.partner_id, q.mode, q.request_id, q.part ORDER BY q.attempt) AS attempt_expected \
             FROM payout q JOIN payout_request t ON (t.partner_id, t.mode, t.id) = (q.partner_id, q.mode, q.request_id)) p \
         GROUP BY p.partner_id, p.mode, p.request_id) s \
     ON (s.partner_id, s.mode, s.request_id) = (r.partner_id, r.mode, r.id)")
}

broken_rows! {
    /// Requests whose status doesn't fit what they hold.
    request_states, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", concat_ws('; ', \
         CASE WHEN f.is_final <> (r.final_at IS NOT NULL) THEN 'is ' || r.status || ', and final_at says otherwise' END, \
         CASE WHEN f.is_final AND r.resolution IS NULL AND r.status NOT IN ('canceled', 'terminated') THEN 'is ' || r.status || ' without a resolution' END, \
         CASE WHEN f.is_final AND s.open > 0 THEN 'is ' || r.status || ' and has an open payout' END, \
         CASE WHEN r.status IN ('created', 'waiting_details', 'ready') AND s.payouts > 0 \
             THEN 'is ' || r.status || ' and has payouts already' END, \
         CASE WHEN r.status = 'dispatching' AND s.sent > 0 AND NOT r.parallel_mode THEN 'is dispatching and has a payout under way' END, \
         CASE WHEN r.status = 'pending' AND COALESCE(s.open, 0) = 0 AND r.moderation_reason IS NULL \
             THEN 'is pending without an open payout' END, \
         CASE WHEN r.status = 'processed' AND r.amount_processed < r.amount \
             OR r.status = 'partially_processed' AND (r.amount_processed <= 0 OR r.amount_processed >= r.amount) \
             OR r.status IN ('failed', 'expired', 'canceled', 'terminated', 'created', 'waiting_details', 'ready') \
                 AND r.amount_processed <> 0 \
             OR NOT f.is_final AND r.amount_processed >= r.amount AND COALESCE(s.open, 0) = 0 \
             THEN 'is ' || r.status || ' with ' || r.amount_processed || ' of ' || r.amount || ' processed' END, \
         CASE WHEN r.amount_returned > r.amount_processed OR (r.status = 'returned') <> (f.is_final AND r.amount_returned > 0) \
             THEN 'is ' || r.status || ' with ' || r.amount_returned || ' of ' || r.amount_processed || ' returned' END) \
     FROM payout_request r \
     CROSS JOIN LATERAL (SELECT r.status NOT IN ('created', 'waiting_details', 'ready', 'dispatching', 'pending') AS is_final) f \
     LEFT JOIN (SELECT partner_id, mode, request_id, count(*) AS payouts, \
             count(*) FILTER (WHERE status IN ('created', 'invoking', 'pending', 'unknown')) AS open, \
             count(*) FILTER (WHERE status IN ('invoking', 'pending', 'unknown')) AS sent \
         FROM payout GROUP BY partner_id, mode, request_id) s \
     ON (s.partner_id, s.mode, s.request_id) = (r.partner_id, r.mode, r.id)")
}

broken_rows! {
    /// Payouts whose status doesn't fit what they hold.
    payout_states, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", concat_ws('; ', \
         CASE WHEN (p.status NOT IN ('created', 'invoking', 'pending', 'unknown')) <> (p.final_at IS NOT NULL) \
             THEN 'is ' || p.status || ', and final_at says otherwise' END, \
         CASE WHEN (p.status IN ('processed', 'returned', 'late_processed')) <> (p.amount_processed > 0) \
             THEN 'is ' || p.status || ' with ' || p.amount_processed || ' processed' END, \
         CASE WHEN p.status = 'returned' AND p.amount_returned = 0 OR p.status NOT IN ('returned', 'late_processed') AND p.amount_returned > 0 \
             OR p.amount_returned > p.amount_processed \
             THEN 'is ' || p.status || ' with ' || p.amount_returned || ' of ' || p.amount_processed || ' returned' END, \
         CASE WHEN p.status IN ('processed', 'returned') AND p.resolution IS DISTINCT FROM 'ok' \
             OR p.status = 'failed' AND COALESCE(p.resolution, 'ok') = 'ok' \
             THEN 'is ' || p.status || ' with the resolution ' || COALESCE(p.resolution, 'none') END, \
         CASE WHEN p.amount_processed > p.amount AND p.status IN ('processed', 'returned') AND NOT EXISTS ( \
                 SELECT 1 FROM staff_case c WHERE (c.partner_id, c.mode, c.payout_id) = (p.partner_id, p.mode, p.id) \
                 AND c.kind = 'processed_more_than_asked') \
             THEN 'paid ' || p.amount_processed || ' where ' || p.amount || ' was asked, and there is no case' END, \
         CASE WHEN p.status = 'late_processed' AND NOT EXISTS ( \
                 SELECT 1 FROM staff_case c WHERE (c.partner_id, c.mode, c.payout_id) = (p.partner_id, p.mode, p.id) \
                 AND c.kind = 'late_success') \
             THEN 'succeeded late, and there is no case' END) \
     FROM payout p")
}

broken_rows! {
    /// Payouts whose fiat is not in the ledger as it was paid, returned and charged: once each, on their deposit account.
    payout_entries, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", CASE \
         WHEN x.expected IS NULL AND e.id IS NOT NULL THEN 'is ' || p.status || ' and has a ' || x.kind || ' entry' \
         WHEN x.expected IS NOT NULL AND e.id IS NULL THEN 'has no ' || x.kind || ' entry' \
         WHEN x.kind IN ('return', 'recovery') AND p.deposit_currency <> p.currency AND b.amount > 0 AND b.amount <= p.deposit_debited THEN NULL \
         WHEN x.expected <> COALESCE(b.amount, 0) THEN 'its ' || x.kind || ' entry moves ' || COALESCE(b.amount, 0) \
             || ' on its deposit account, not ' || x.expected END \
     FROM payout p \
     CROSS JOIN LATERAL (VALUES \
         ('settle', CASE WHEN p.status IN ('processed', 'returned') THEN -(CASE WHEN p.deposit_currency = p.currency THEN p.amount_processed ELSE p.deposit_debited END) END), \
         ('return', CASE WHEN p.status = 'returned' THEN p.amount_returned END), \
         ('late_success', CASE WHEN p.status = 'late_processed' THEN -(CASE WHEN p.deposit_currency = p.currency THEN p.amount_processed ELSE p.deposit_debited END) END), \
         ('recovery', CASE WHEN p.status = 'late_processed' AND p.amount_returned > 0 THEN p.amount_returned END), \
         ('payout_cost', CASE WHEN p.status IN ('processed', 'returned', 'late_processed') AND p.cost > 0 THEN -p.cost END) \
     ) x (kind, expected) \
     LEFT JOIN entry e ON (e.partner_id, e.mode, e.kind, e.reference) \
         = (p.partner_id, p.mode, x.kind, replace(p.id::text, '-', '')) \
     LEFT JOIN LATERAL (SELECT sum(g.amount) AS amount FROM posting g \
         JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
         WHERE (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
             AND a.kind = 'provider_funding' AND a.owner_id = p.deposit_account_id AND g.asset = p.deposit_currency) b ON true")
}

broken_rows! {
    /// Entries that were made for a payout or a request that isn't there.
    entries_have_causes, of "entry",
    concat!("SELECT ", row_key!("entry", "e", "id"), ", 'was booked as ' || e.kind || ' for ' || e.reference || ', which isn''t there' \
     FROM entry e \
     LEFT JOIN payout p ON e.kind IN ('settle', 'return', 'payout_cost', 'late_success', 'recovery') \
         AND (p.partner_id, p.mode, replace(p.id::text, '-', '')) = (e.partner_id, e.mode, e.reference) \
     LEFT JOIN payout_request r ON e.kind IN ('hold', 'release') \
         AND (r.partner_id, r.mode, replace(r.id::text, '-', '')) = (e.partner_id, e.mode, split_part(e.reference, '.', 1)) \
     LEFT JOIN unmatched_payment u ON e.kind IN ('unmatched', 'recovery') \
         AND (u.partner_id, u.mode, replace(u.id::text, '-', '')) = (e.partner_id, e.mode, split_part(e.reference, '.', 1)) \
     LEFT JOIN staff_case c ON e.kind IN ('recovery', 'write_off', 'correction') AND c.closed_at IS NOT NULL \
         AND (c.partner_id, c.mode, replace(c.id::text, '-', '')) = (e.partner_id, e.mode, e.reference) \
     WHERE e.kind NOT IN ('credit', 'debit', 'top_up') AND p.id IS NULL AND r.id IS NULL AND u.id IS NULL AND c.id IS NULL")
}

broken_rows! {
    /// Open payouts that nothing will send or ask about again.
    open_payouts_go_on, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", 'is ' || p.status || ', and no invoke or inquire job is there for it' \
     FROM payout p WHERE (p.status IN ('invoking', 'pending', 'unknown') AND NOT EXISTS ( \
         SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.subject_id) = (p.partner_id, p.mode, p.id) \
         AND j.kind IN ('invoke', 'inquire') AND j.dead_at IS NULL)) \
     OR (p.status = 'created' AND NOT EXISTS ( \
         SELECT 1 FROM payout o WHERE (o.partner_id, o.mode, o.request_id) = (p.partner_id, p.mode, p.request_id) \
         AND o.status IN ('invoking', 'pending', 'unknown')) AND NOT EXISTS ( \
         SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.kind, j.subject_id) = (p.partner_id, p.mode, 'dispatch', p.request_id) \
         AND j.dead_at IS NULL) AND NOT EXISTS ( \
         SELECT 1 FROM payout_request r WHERE (r.partner_id, r.mode, r.id) = (p.partner_id, p.mode, p.request_id) \
         AND r.moderation_reason IS NOT NULL))")
}

broken_rows! {
    /// Requests that are not final and that neither a job, an open payout nor a person will carry on; one that its partner is to process
    /// is carried on by its expiry.
    requests_go_on, of "payout_request",
    concat!("SELECT ", row_key!("payout_request", "r", "id"), ", CASE WHEN r.moderation_reason IS NULL \
             THEN 'is ' || r.status || ', without a job, an open payout or moderation' \
             ELSE 'is ' || r.status || ' in moderation for ' || r.moderation_reason || ', without an open case of it' END \
     FROM payout_request r \
     WHERE r.status IN ('created', 'ready', 'dispatching', 'pending') AND (r.status <> 'ready' OR r.auto_process) \
       AND (r.moderation_reason IS NULL OR NOT EXISTS ( \
           SELECT 1 FROM staff_case c WHERE (c.partner_id, c.mode, c.request_id) = (r.partner_id, r.mode, r.id) \
           AND c.kind = r.moderation_reason AND c.closed_at IS NULL)) \
       AND (r.moderation_reason IS NOT NULL OR NOT EXISTS ( \
           SELECT 1 FROM payout p WHERE (p.partner_id, p.mode, p.request_id) = (r.partner_id, r.mode, r.id) \
           AND p.status IN ('created', 'invoking', 'pending', 'unknown'))) \
       AND NOT EXISTS ( \
           SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.kind, j.subject_id) = (r.partner_id, r.mode, 'dispatch', r.id) \
           AND j.dead_at IS NULL)")
}

broken_rows! {
    /// Cases that ask whether a request goes on, of requests that aren't stopped: somebody would be asked what was answered.
    questions_are_asked, of "staff_case",
    concat!("SELECT ", row_key!("staff_case", "c", "id"), ", 'is an open ' || c.kind || ', and its request isn''t stopped' \
     FROM staff_case c JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (c.partner_id, c.mode, c.request_id) \
     WHERE c.closed_at IS NULL AND c.kind IN ('not_found_at_provider', 'fate_open', 'partly_paid', 'screening') AND r.moderation_reason IS NULL")
}

broken_rows! {
    /// Payouts that were sent of requests which waited for a person before anything was to be sent, and which no person let go on.
    screened_before_sent, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", 'was sent, and its request was stopped for screening' \
         || COALESCE(', which ended as ' || c.closing, ' and still is') \
     FROM staff_case c JOIN payout p ON (p.partner_id, p.mode, p.request_id) = (c.partner_id, c.mode, c.request_id) \
     WHERE c.kind = 'screening' AND c.closing IS DISTINCT FROM 'continue' AND p.sends > 0")
}

broken_rows! {
    /// Cases that a person's decision closed, without the decision in their request's chain.
    decisions_are_told, of "staff_case",
    concat!("SELECT ", row_key!("staff_case", "c", "id"), ", 'was closed by ' || c.closed_by || ' as ' || c.closing || ', and no event says so' \
     FROM staff_case c WHERE c.closing IN ('continue', 'reject', 'mark_paid', 'mark_failed_release', 'mark_failed_failover') \
     AND NOT EXISTS (SELECT 1 FROM event e WHERE (e.partner_id, e.mode, e.request_id) = (c.partner_id, c.mode, c.request_id) \
         AND e.kind = 'moderation_decided' AND e.actor = c.closed_by AND e.data ->> 'decision' = c.closing) \
     AND NOT EXISTS (SELECT 1 FROM payout_request r WHERE (r.partner_id, r.mode, r.id) = (c.partner_id, c.mode, c.request_id) \
         AND r.events_from IS NOT NULL)")
}

broken_rows! {
    /// Jobs about what isn't there.
    jobs_have_subjects, of "job",
    "SELECT 'job ' || j.partner_id::text || '/' || j.mode || '/' || j.kind || '/' || j.subject_id::text, 'its subject isn''t there' \
     FROM job j WHERE CASE \
         WHEN j.kind = 'dispatch' THEN NOT EXISTS (SELECT 1 FROM payout_request r \
             WHERE (r.partner_id, r.mode, r.id) = (j.partner_id, j.mode, j.subject_id)) \
         WHEN j.kind IN ('invoke', 'inquire') THEN NOT EXISTS (SELECT 1 FROM payout p \
             WHERE (p.partner_id, p.mode, p.id) = (j.partner_id, j.mode, j.subject_id)) \
         WHEN j.kind = 'callback' THEN NOT EXISTS (SELECT 1 FROM provider_callback c \
             WHERE (c.partner_id, c.mode, c.id) = (j.partner_id, j.mode, j.subject_id)) \
         WHEN j.kind = 'destroy_card' THEN NOT EXISTS (SELECT 1 FROM card c WHERE (c.partner_id, c.mode, c.id) \
             = (j.partner_id, j.mode, ('x' || right(replace(j.subject_id::text, '-', ''), 16))::bit(64)::bigint)) \
         WHEN j.kind = 'sync_balance' THEN NOT EXISTS (SELECT 1 FROM deposit_account d \
             WHERE (d.partner_id, d.mode, d.id) = (j.partner_id, j.mode, j.subject_id)) \
         WHEN j.kind IN ('check_account', 'reconcile') THEN NOT EXISTS (SELECT 1 FROM provider_account a \
             WHERE (a.partner_id, a.mode, a.id) = (j.partner_id, j.mode, j.subject_id)) END"
}

broken_rows! {
    /// Callbacks that were stored and that no job will apply.
    callbacks_go_on, of "provider_callback",
    concat!("SELECT ", row_key!("provider_callback", "c", "id"), ", 'is verified and not applied, and no job is there for it' \
     FROM provider_callback c WHERE c.verified AND c.processed_at IS NULL AND NOT EXISTS ( \
         SELECT 1 FROM job j WHERE (j.partner_id, j.mode, j.kind, j.subject_id) = (c.partner_id, c.mode, 'callback', c.id) \
         AND j.dead_at IS NULL)")
}

broken_rows! {
    /// Invariant 3: payouts that were sent without having been written down for it.
    intent_before_wire, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", concat_ws('; ', \
         CASE WHEN p.status NOT IN ('created', 'canceled') AND (p.sends < 1 OR p.sent_at IS NULL) \
             THEN 'is ' || p.status || ' and was never sent' END, \
         CASE WHEN p.sends > 0 AND NOT EXISTS (SELECT 1 FROM payout_request r \
                 WHERE (r.partner_id, r.mode, r.id) = (p.partner_id, p.mode, p.request_id) AND r.events_from IS NOT NULL) \
             AND NOT EXISTS (SELECT 1 FROM event e \
                 WHERE (e.partner_id, e.mode, e.request_id) = (p.partner_id, p.mode, p.request_id) \
                 AND e.payout_id = p.id AND e.kind = 'payout_started' \
                 AND e.data ->> 'provider_reference' = p.provider_reference) \
             THEN 'was sent, and no event says that it was started with its reference' END) \
     FROM payout p")
}

broken_rows! {
    /// References that stand for two payouts at one provider account.
    references_once, of "payout",
    "SELECT 'provider_account ' || p.provider_account_id::text, \
         'a reference stands for ' || count(*) || ' payouts: ' || string_agg(p.id::text, ', ' ORDER BY p.id) \
     FROM payout p GROUP BY p.provider_account_id, p.provider_reference HAVING count(*) > 1"
}

type Key = (PartnerId, Mode, PayoutId);

statement! {
    struct References { id: PayoutId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, limit: i64 as BigInt }
      -> pub Reference {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: PayoutId as SqlUuid, provider_reference: String as Text,
    } = "SELECT partner_id, mode, id, provider_reference FROM payout WHERE (id, partner_id, mode) > (?, ?, ?) \
         ORDER BY id, partner_id, mode LIMIT ?"
}

impl Reference {
    pub fn key(&self) -> Key {
        (self.partner_id, self.mode, self.id)
    }
}

/// A page of payouts' references after `key`, in the order of the key.
pub async fn references(conn: &mut AsyncPgConnection, after: Option<Key>) -> QueryResult<Vec<Reference>> {
    let (partner_id, mode, id) = after.unwrap_or((NO_TENANT.partner_id, NO_TENANT.mode, PayoutId(Uuid::nil())));
    References { partner_id, mode, id, limit: PAGE_ROWS }.load(conn).await
}
