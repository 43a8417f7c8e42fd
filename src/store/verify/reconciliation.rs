//! What reconciliation booked: payments that no payout stands for, and what is to be recovered.

use super::{broken_rows, row_key};

broken_rows! {
    /// Unmatched payments whose entries don't come to what is booked, or whose closing isn't that of their cases.
    unmatched_payments, of "unmatched_payment",
    concat!("SELECT ", row_key!("unmatched_payment", "u", "id"), ", concat_ws('; ', \
         CASE WHEN COALESCE(b.amount, 0) <> u.booked \
             THEN 'has ' || u.booked || ' ' || u.asset || ' booked, its entries come to ' || COALESCE(b.amount, 0) END, \
         CASE WHEN COALESCE(b.entries, 0) <> u.entries \
             THEN 'has ' || u.entries || ' entries, ' || COALESCE(b.entries, 0) || ' are there' END, \
         CASE WHEN COALESCE(c.amount, 0) <> u.closed \
             THEN 'has ' || u.closed || ' ' || u.asset || ' closed, the entries of its cases come to ' || COALESCE(c.amount, 0) END, \
         CASE WHEN u.booked > u.closed AND NOT EXISTS (SELECT 1 FROM staff_case s \
                 WHERE s.provider_account_id = u.provider_account_id AND s.subject = u.reference AND s.closed_at IS NULL) \
             THEN 'has ' || u.booked - u.closed || ' ' || u.asset || ' open, and there is no case' END) \
     FROM unmatched_payment u \
     LEFT JOIN (SELECT e.partner_id, e.mode, split_part(e.reference, '.', 1) AS id, count(DISTINCT e.id) AS entries, sum(g.amount) AS amount \
         FROM entry e \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) AND a.kind = 'recoverable' \
         WHERE e.kind IN ('unmatched', 'recovery') AND e.reference LIKE '%.%' GROUP BY 1, 2, 3) b \
         ON (b.partner_id, b.mode, b.id) = (u.partner_id, u.mode, replace(u.id::text, '-', '')) \
     LEFT JOIN (SELECT s.provider_account_id, s.subject, -sum(g.amount) AS amount \
         FROM staff_case s \
         JOIN entry e ON (e.partner_id, e.mode, e.reference) = (s.partner_id, s.mode, replace(s.id::text, '-', '')) \
             AND e.kind IN ('recovery', 'write_off', 'correction') \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) AND a.kind = 'recoverable' \
         GROUP BY 1, 2) c \
         ON (c.provider_account_id, c.subject) = (u.provider_account_id, u.reference)")
}

broken_rows! {
    /// Tenants whose recoverable balance isn't what their open cases wait for: late successes, and payments without a payout, less
    /// what came back of them.
    recoverable, of "account",
    "SELECT 'recoverable ' || COALESCE(l.partner_id, o.partner_id)::text || '/' || COALESCE(l.mode, o.mode) || '/' || COALESCE(l.asset, o.asset), \
         CASE WHEN COALESCE(l.amount, 0) <> COALESCE(o.amount, 0) \
             THEN 'comes to ' || COALESCE(l.amount, 0) || ', what open cases wait for to ' || COALESCE(o.amount, 0) END \
     FROM (SELECT a.partner_id, a.mode, a.asset, sum(g.amount) AS amount FROM account a \
         JOIN posting g ON (g.partner_id, g.mode, g.account_id) = (a.partner_id, a.mode, a.id) \
         WHERE a.kind = 'recoverable' GROUP BY 1, 2, 3) l \
     FULL JOIN (SELECT partner_id, mode, asset, sum(amount) AS amount FROM ( \
             SELECT partner_id, mode, asset, booked - closed AS amount FROM unmatched_payment \
             UNION ALL \
             SELECT p.partner_id, p.mode, p.deposit_currency, p.deposit_debited + COALESCE(( \
                 SELECT sum(g.amount) FROM entry e \
                 JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
                 JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) AND a.kind = 'recoverable' \
                 WHERE (e.partner_id, e.mode, e.kind, e.reference) = (p.partner_id, p.mode, 'recovery', replace(p.id::text, '-', ''))), 0) \
             FROM payout p \
             WHERE p.status = 'late_processed' AND EXISTS (SELECT 1 FROM staff_case c \
                 WHERE (c.partner_id, c.mode, c.payout_id, c.kind) = (p.partner_id, p.mode, p.id, 'late_success') AND c.closed_at IS NULL)) w \
         GROUP BY 1, 2, 3) o \
     ON (o.partner_id, o.mode, o.asset) = (l.partner_id, l.mode, l.asset)"
}
