//! Entries, postings, accounts and balances.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_the_ledger_is_found() {
    let cases = [
        Case::of(
            "a posting's amount",
            "entries balance",
            "posting (entry_id, line)",
            "amount > 0",
            "UPDATE posting SET amount = amount + 0.01 WHERE entry_id = '{1}' AND line = {2}",
        )
        .names("entry {0}/{1}"),
        Case::of(
            "a posting is gone",
            "entries balance",
            "posting (entry_id, line)",
            "true",
            "DELETE FROM posting WHERE entry_id = '{1}' AND line = {2}",
        )
        .names("entry {0}/{1}"),
        Case::picked(
            "an entry doubled, in balance",
            "balances",
            "SELECT p.partner_id::text || '/' || p.mode, p.entry_id::text, p.account_id::text FROM posting p JOIN \
             entry e ON e.id = p.entry_id WHERE e.kind = 'credit' ORDER BY e.id, p.line LIMIT 1",
            "UPDATE posting SET amount = amount * 2 WHERE entry_id = '{1}'",
            "account {0}/{2}",
        ),
        Case::of(
            "a user's balance",
            "balances",
            "account (id)",
            "kind = 'user_available'",
            "UPDATE account SET balance = balance + 1 WHERE id = '{1}'",
        ),
        Case::of(
            "a house balance",
            "balances",
            "account (id)",
            "kind = 'fee_income'",
            "UPDATE account SET balance = balance - 1 WHERE id = '{1}'",
        ),
        Case::of(
            "what is to be folded is gone",
            "balances",
            "account_delta (account_id, id)",
            "true",
            "DELETE FROM account_delta WHERE id = '{2}'",
        )
        .names("account {0}/{1}"),
        Case::of(
            "a delta on a user's balance",
            "balances",
            "account (id)",
            "kind = 'user_held'",
            "INSERT INTO account_delta SELECT partner_id, mode, id, gen_random_uuid(), 0 FROM account WHERE id = \
             '{1}'",
        ),
        Case::of(
            "a delta of no account",
            "deltas have accounts",
            "account_delta (account_id, id)",
            "true",
            "UPDATE account_delta SET account_id = '00000000-0000-4000-8000-000000000000' WHERE id = '{2}'",
        )
        .names("account_delta {0}/00000000-0000-4000-8000-000000000000/{2}"),
        Case::of(
            "an entry without postings",
            "entries have postings",
            "entry (id)",
            "kind = 'hold'",
            "DELETE FROM posting WHERE entry_id = '{1}'",
        ),
        Case::of(
            "a posting in another asset",
            "postings fit",
            "posting (entry_id, line)",
            "asset = 'USDT'",
            "UPDATE posting SET asset = 'USDC' WHERE entry_id = '{1}' AND line = {2}",
        ),
        Case::of(
            "a posting of no account",
            "postings fit",
            "posting (entry_id, line)",
            "true",
            "UPDATE posting SET account_id = gen_random_uuid() WHERE entry_id = '{1}' AND line = {2}",
        ),
        Case::picked(
            "a posting of another tenant",
            "postings fit",
            "SELECT h.id::text || '/' || p.mode, p.entry_id::text, p.line::text, h.id::text FROM posting p, \
             partner h WHERE h.code = 'house' AND p.partner_id <> h.id ORDER BY p.entry_id, p.line LIMIT 1",
            "UPDATE posting SET partner_id = '{3}' WHERE entry_id = '{1}' AND line = {2}",
            "posting {0}/{1}/{2}",
        ),
        Case::of(
            "an account of another kind",
            "account ids",
            "account (id)",
            "kind = 'spread_income'",
            "UPDATE account SET kind = 'suspense' WHERE id = '{1}'",
        ),
        Case::of(
            "a balance below zero",
            "no balance below zero",
            "account (id)",
            "kind = 'user_available'",
            "ALTER TABLE account DROP CONSTRAINT balance_not_below_zero; UPDATE account SET balance = -1 WHERE id \
             = '{1}'",
        ),
        Case::of(
            "an entry booked twice",
            "entries booked once",
            "entry (id)",
            "kind = 'settle'",
            "ALTER TABLE entry DROP CONSTRAINT entry_booked_once; INSERT INTO entry SELECT partner_id, mode, \
             'ffffffff-0000-4000-8000-000000000000', kind, reference, customer_id, created_at FROM entry WHERE id \
             = '{1}'",
        ),
        Case::picked(
            "a settle entry is gone",
            "payouts in the ledger",
            "SELECT p.partner_id::text || '/' || p.mode, e.id::text, p.id::text FROM entry e JOIN payout p ON \
             replace(p.id::text, '-', '') = e.reference WHERE e.kind = 'settle' ORDER BY e.id LIMIT 1",
            "DELETE FROM posting WHERE entry_id = '{1}'; DELETE FROM entry WHERE id = '{1}'",
            "payout {0}/{2}",
        ),
        Case::picked(
            "a return entry is gone",
            "payouts in the ledger",
            "SELECT p.partner_id::text || '/' || p.mode, e.id::text, p.id::text FROM entry e JOIN payout p ON \
             replace(p.id::text, '-', '') = e.reference WHERE e.kind = 'return' ORDER BY e.id LIMIT 1",
            "DELETE FROM posting WHERE entry_id = '{1}'; DELETE FROM entry WHERE id = '{1}'",
            "payout {0}/{2}",
        ),
        Case::picked(
            "a late_success entry is gone",
            "payouts in the ledger",
            "SELECT p.partner_id::text || '/' || p.mode, e.id::text, p.id::text FROM entry e JOIN payout p ON \
             replace(p.id::text, '-', '') = e.reference WHERE e.kind = 'late_success' ORDER BY e.id LIMIT 1",
            "DELETE FROM posting WHERE entry_id = '{1}'; DELETE FROM entry WHERE id = '{1}'",
            "payout {0}/{2}",
        ),
        Case::picked(
            "a payout_cost entry is gone",
            "payouts in the ledger",
            "SELECT p.partner_id::text || '/' || p.mode, e.id::text, p.id::text FROM entry e JOIN payout p ON \
             replace(p.id::text, '-', '') = e.reference WHERE e.kind = 'payout_cost' ORDER BY e.id LIMIT 1",
            "DELETE FROM posting WHERE entry_id = '{1}'; DELETE FROM entry WHERE id = '{1}'",
            "payout {0}/{2}",
        ),
        Case::of(
            "an entry for nothing",
            "entries have causes",
            "entry (id)",
            "kind = 'payout_cost'",
            "UPDATE entry SET reference = 'nothing' WHERE id = '{1}'",
        ),
        Case::of(
            "a hold for nothing",
            "entries have causes",
            "entry (id)",
            "kind = 'hold'",
            "UPDATE entry SET reference = 'nothing' WHERE id = '{1}'",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
