//! Deposit accounts: what is reserved on them, and the balances that our own books keep.

use super::{broken_rows, row_key};

broken_rows! {
    /// Payouts that reserve something else than their amount and cost while they are open (more, where a conversion has a buffer), or
    /// something when they are final, but for what a provider's next balance is waited for.
    reservations, of "payout",
    concat!("SELECT ", row_key!("payout", "p", "id"), ", 'is ' || p.status || ' and reserves ' || p.amount_reserved || ', not ' || x.expected \
     FROM payout p JOIN deposit_account d ON d.id = p.deposit_account_id \
     CROSS JOIN LATERAL (SELECT CASE \
         WHEN p.status IN ('created', 'invoking', 'pending', 'unknown') THEN \
             CASE WHEN p.deposit_currency = p.currency THEN p.amount + p.cost ELSE GREATEST(p.amount_reserved, p.amount * p.deposit_rate + p.cost) END \
         WHEN d.balance_source = 'provider' AND p.amount_processed > 0 AND p.amount_reserved <> 0 THEN p.deposit_debited + p.cost \
         ELSE 0 END AS expected) x \
     WHERE p.amount_reserved <> x.expected")
}

broken_rows! {
    /// Deposit accounts whose reservation is not the sum of their payouts'.
    reserved, of "deposit_account",
    concat!("SELECT ", row_key!("deposit_account", "d", "id"), ", 'reserves ' || d.reserved || ' ' || d.currency \
         || ', its payouts come to ' || COALESCE(p.amount, 0) \
     FROM deposit_account d LEFT JOIN (SELECT deposit_account_id, sum(amount_reserved) AS amount FROM payout \
         WHERE amount_reserved <> 0 GROUP BY 1) p ON p.deposit_account_id = d.id \
     WHERE d.reserved <> COALESCE(p.amount, 0)")
}

broken_rows! {
    /// Deposit accounts kept by our books whose balance is not what every tenant's ledger says of them.
    books, of "deposit_account",
    concat!("SELECT ", row_key!("deposit_account", "d", "id"), ", 'its balance is ' || d.balance || ' ' || d.currency \
         || ', the ledger''s is ' || COALESCE(l.amount, 0) \
     FROM deposit_account d LEFT JOIN (SELECT a.owner_id, sum(p.amount) AS amount FROM account a \
         JOIN posting p ON (p.partner_id, p.mode, p.account_id) = (a.partner_id, a.mode, a.id) \
         WHERE a.kind = 'provider_funding' GROUP BY 1) l ON l.owner_id = d.id \
     WHERE d.balance_source = 'books' AND d.balance <> COALESCE(l.amount, 0)")
}
