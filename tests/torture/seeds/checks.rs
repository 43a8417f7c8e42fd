//! What must hold after every step, asked of the database in one statement: the payouts, the money, and both against what the provider
//! paid by its own ledger.

use super::bank::Bank;
use super::ground::Ground;

/// Of payouts and jobs; `paid` is what the provider paid by reference, and whether it had told otherwise before.
const STEP: &str = "
WITH paid AS MATERIALIZED (SELECT reference, amount::numeric AS amount, lied
    FROM UNNEST($1::text[], $2::text[], $3::bool[]) AS t (reference, amount, lied)),
p AS MATERIALIZED (SELECT o.*, COALESCE(t.amount, 0) AS bank, COALESCE(t.lied, false) AS lied
    FROM payout o LEFT JOIN paid t ON t.reference = o.provider_reference),
sums AS MATERIALIZED (SELECT deposit_account_id, sum(amount_reserved) AS reserved FROM p GROUP BY 1)
SELECT 'one success a part', request_id::text || ' part ' || part FROM p WHERE status IN ('processed', 'returned')
    GROUP BY request_id, part HAVING count(*) > 1
UNION ALL SELECT 'one open a part', request_id::text || ' part ' || part FROM p
    WHERE status IN ('created', 'invoking', 'pending', 'unknown', 'processed', 'returned') GROUP BY request_id, part
    HAVING count(*) FILTER (WHERE final_at IS NULL) > 1 OR (count(*) > 1 AND count(*) FILTER (WHERE final_at IS NULL) > 0)
UNION ALL SELECT 'paid once a part', request_id::text || ' part ' || part || ': ' || string_agg(provider_reference || ' ' || bank, ', ')
    FROM p WHERE bank > 0 AND NOT lied AND status <> 'late_processed' GROUP BY request_id, part HAVING count(*) > 1
UNION ALL SELECT 'never failed on a guess', provider_reference || ' is ' || status || ' and the provider paid ' || bank
    FROM p WHERE status IN ('failed', 'canceled') AND bank > 0 AND NOT lied
UNION ALL SELECT 'late only where the provider lied', provider_reference FROM p WHERE status = 'late_processed' AND NOT lied
UNION ALL SELECT 'late has a case', provider_reference FROM p WHERE status = 'late_processed' AND NOT EXISTS (
    SELECT 1 FROM staff_case c WHERE c.payout_id = p.id AND c.kind = 'late_success')
UNION ALL SELECT 'processed is what was paid', provider_reference || ' is ' || status || ' with ' || amount_processed || ', paid ' || bank
    FROM p WHERE amount_processed > 0 AND amount_processed <> bank
UNION ALL SELECT 'no more than asked', r.id::text || ': ' || sum(LEAST(p.bank, p.amount)) || ' of ' || r.amount
    FROM p JOIN payout_request r ON r.id = p.request_id WHERE NOT p.lied AND p.status <> 'late_processed'
    GROUP BY r.id, r.amount HAVING sum(LEAST(p.bank, p.amount)) > r.amount
        AND NOT EXISTS (SELECT 1 FROM staff_case c WHERE c.request_id = r.id AND c.kind = 'processed_more_than_asked')
UNION ALL SELECT 'every payment is a payout''s', t.reference FROM paid t
    WHERE NOT EXISTS (SELECT 1 FROM payout o WHERE o.provider_reference = t.reference)
UNION ALL SELECT 'reserved is the sum', d.code || ' reserves ' || d.reserved || ', its payouts ' || COALESCE(s.reserved, 0)
    FROM deposit_account d LEFT JOIN sums s ON s.deposit_account_id = d.id WHERE d.reserved <> COALESCE(s.reserved, 0)
UNION ALL SELECT 'open reserves its amount', provider_reference || ' reserves ' || amount_reserved || ' of ' || amount + cost
    FROM p WHERE final_at IS NULL AND amount_reserved < amount + cost
UNION ALL SELECT 'no balance below zero', kind || ' ' || balance FROM account
    WHERE kind IN ('user_available', 'user_held', 'partner_available', 'partner_held') AND balance < 0
UNION ALL SELECT 'an open payout goes on', provider_reference || ' is ' || status FROM p
    WHERE status IN ('invoking', 'pending', 'unknown') AND NOT EXISTS (SELECT 1 FROM job j
        WHERE j.subject_id = p.id AND j.kind IN ('invoke', 'inquire') AND j.dead_at IS NULL)
UNION ALL SELECT 'a request goes on', r.id::text || ' is ' || r.status FROM payout_request r
    WHERE r.status IN ('created', 'ready', 'dispatching', 'pending') AND r.moderation_reason IS NULL AND (r.status <> 'ready' OR r.auto_process)
      AND NOT EXISTS (SELECT 1 FROM job j WHERE j.subject_id = r.id AND j.kind = 'dispatch' AND j.dead_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM p WHERE p.request_id = r.id AND p.final_at IS NULL)
";

/// Of the ledger, where every account's postings are added up.
const LEDGER: &str = "
SELECT 'an entry balances', entry_id::text FROM posting GROUP BY entry_id, asset HAVING sum(amount) <> 0
UNION ALL SELECT 'a balance is its postings', a.kind || ' ' || a.balance || ', postings ' || COALESCE(p.amount, 0)
    FROM account a LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM posting GROUP BY 1) p ON p.account_id = a.id
    LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM account_delta GROUP BY 1) d ON d.account_id = a.id
    WHERE a.balance + COALESCE(d.amount, 0) <> COALESCE(p.amount, 0)
UNION ALL SELECT 'our books of a deposit account', d.code || ' holds ' || d.balance || ', its ledger ' || COALESCE(l.amount, 0)
    FROM deposit_account d LEFT JOIN (SELECT a.owner_id, sum(p.amount) AS amount FROM account a
        JOIN posting p ON p.account_id = a.id WHERE a.kind = 'provider_funding' GROUP BY 1) l ON l.owner_id = d.id
    WHERE d.balance_source = 'books' AND d.balance <> COALESCE(l.amount, 0)
";

/// How many checks one look makes.
pub const STEP_CHECKS: u64 = 14;
pub const LEDGER_CHECKS: u64 = 3;

/// The statements, prepared.
pub struct Checks {
    step: tokio_postgres::Statement,
    ledger: tokio_postgres::Statement,
}

/// What is broken: which check, and where.
#[derive(Clone, Debug)]
pub struct Violation {
    pub check: String,
    pub what: String,
}

impl Violation {
    pub fn of(check: &str, what: impl Into<String>) -> Self {
        Self { check: check.to_owned(), what: what.into() }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

impl Checks {
    pub async fn prepare(ground: &Ground) -> Self {
        let step = ground.eye.prepare(STEP).await.unwrap();
        Self { step, ledger: ground.eye.prepare(LEDGER).await.unwrap() }
    }

    pub async fn step(&self, eye: &tokio_postgres::Client, bank: &Bank) -> Vec<Violation> {
        let (mut references, mut amounts, mut lied) = (Vec::new(), Vec::new(), Vec::new());
        let mut broken = Vec::new();
        {
            let books = bank.books();
            for (reference, payment) in books.paid() {
                references.push(reference.clone());
                amounts.push(payment.paid.to_string());
                lied.push(payment.lied);
            }
            broken.extend(books.broken.iter().map(|what| Violation::of("the provider's own", what.clone())));
        }
        let rows = eye.query(&self.step, &[&references, &amounts, &lied]).await.unwrap();
        broken.extend(rows.iter().map(read));
        broken
    }

    pub async fn ledger(&self, eye: &tokio_postgres::Client) -> Vec<Violation> {
        eye.query(&self.ledger, &[]).await.unwrap().iter().map(read).collect()
    }
}

fn read(row: &tokio_postgres::Row) -> Violation {
    Violation { check: row.get(0), what: row.get(1) }
}
