//! Offers and what was booked for them, and rolling sums.

use crate::tampering::{Case, Original};

#[tokio::test(flavor = "multi_thread")]
async fn tampering_with_offers_and_limits_is_found() {
    let cases = [
        Case::of(
            "what a paid offer promised",
            "offers and requests",
            "offer (id)",
            "status = 'paid'",
            "UPDATE offer SET amount_to = amount_to + 0.01 WHERE id = {1}",
        ),
        Case::of(
            "what a paid offer costs",
            "settlements of offers",
            "offer (id)",
            "status = 'paid'",
            "UPDATE offer SET amount = amount + 0.00000001, total = total + 0.00000001 WHERE id = {1}",
        ),
        Case::of(
            "what a partly_paid offer promised",
            "offers and requests",
            "offer (id)",
            "status = 'partly_paid'",
            "UPDATE offer SET amount_to = amount_to + 0.01 WHERE id = {1}",
        ),
        Case::of(
            "what a partly_paid offer costs",
            "settlements of offers",
            "offer (id)",
            "status = 'partly_paid'",
            "UPDATE offer SET amount = amount + 0.00000001, total = total + 0.00000001 WHERE id = {1}",
        ),
        Case::of(
            "what a released offer promised",
            "offers and requests",
            "offer (id)",
            "status = 'released'",
            "UPDATE offer SET amount_to = amount_to + 0.01 WHERE id = {1}",
        ),
        Case::of(
            "what a released offer costs",
            "settlements of offers",
            "offer (id)",
            "status = 'released'",
            "UPDATE offer SET amount = amount + 0.00000001, total = total + 0.00000001 WHERE id = {1}",
        ),
        Case::of(
            "what a accepted offer promised",
            "offers and requests",
            "offer (id)",
            "status = 'accepted'",
            "UPDATE offer SET amount_to = amount_to + 0.01 WHERE id = {1}",
        ),
        Case::of(
            "what a accepted offer costs",
            "settlements of offers",
            "offer (id)",
            "status = 'accepted'",
            "UPDATE offer SET amount = amount + 0.00000001, total = total + 0.00000001 WHERE id = {1}",
        ),
        Case::of(
            "what a returned offer promised",
            "offers and requests",
            "offer (id)",
            "status = 'returned'",
            "UPDATE offer SET amount_to = amount_to + 0.01 WHERE id = {1}",
        ),
        Case::of(
            "what a returned offer costs",
            "settlements of offers",
            "offer (id)",
            "status = 'returned'",
            "UPDATE offer SET amount = amount + 0.00000001, total = total + 0.00000001 WHERE id = {1}",
        ),
        Case::of(
            "an offer's fees",
            "settlements of offers",
            "offer (id)",
            "status = 'paid'",
            "UPDATE offer SET fees = '[]' WHERE id = {1}",
        ),
        Case::of(
            "an offer's price",
            "settlements of offers",
            "offer (id)",
            "status = 'paid'",
            "UPDATE offer SET price = price * 1.0001 WHERE id = {1}",
        ),
        Case::of(
            "what an offer counts as processed",
            "offers and requests",
            "offer (id)",
            "status = 'partly_paid'",
            "UPDATE offer SET amount_to_processed = amount_to_processed - 0.01 WHERE id = {1}",
        ),
        Case::of(
            "an offer released while its request is pending",
            "offers and requests",
            "offer (id)",
            "status = 'accepted'",
            "UPDATE offer SET status = 'released' WHERE id = {1}",
        ),
        Case::of(
            "an offer's resolution",
            "offers and requests",
            "offer (id)",
            "status = 'released'",
            "UPDATE offer SET resolution = 'ok' WHERE id = {1}",
        ),
        Case::picked(
            "a release that gives twice as much",
            "settlements of offers",
            "SELECT o.partner_id::text || '/' || o.mode, o.id::text, e.id::text FROM offer o JOIN entry e ON \
             e.reference = replace(o.request_id::text, '-', '') AND e.kind = 'release' ORDER BY o.id LIMIT 1",
            "UPDATE posting SET amount = amount * 2 WHERE entry_id = '{2}'",
            "offer {0}/{1}",
        ),
        Case::picked(
            "a spread booked as a fee",
            "settlements of offers",
            "SELECT o.partner_id::text || '/' || o.mode, o.id::text, e.id::text FROM offer o JOIN payout p ON \
             p.request_id = o.request_id JOIN entry e ON e.reference = replace(p.id::text, '-', '') AND e.kind = \
             'settle' ORDER BY o.id LIMIT 1",
            "UPDATE posting SET account_id = (SELECT id FROM account WHERE kind = 'fee_income') WHERE entry_id = \
             '{2}' AND account_id = (SELECT id FROM account WHERE kind = 'spread_income')",
            "offer {0}/{1}",
        ),
        Case::picked(
            "an offer without its hold",
            "settlements of offers",
            "SELECT o.partner_id::text || '/' || o.mode, o.id::text, e.id::text FROM offer o JOIN entry e ON \
             e.reference = replace(o.request_id::text, '-', '') AND e.kind = 'hold' ORDER BY o.id LIMIT 1",
            "DELETE FROM posting WHERE entry_id = '{2}'; DELETE FROM entry WHERE id = '{2}'",
            "offer {0}/{1}",
        ),
        Case::of(
            "a held balance",
            "held balances",
            "account (id)",
            "kind = 'user_held' AND balance > 0",
            "UPDATE account SET balance = balance - 1 WHERE id = '{1}'",
        ),
        Case::of(
            "a customer's rolling sum",
            "rolling sums",
            "limit_usage (subject_kind, subject_id, stripe)",
            "subject_kind = 'customer' AND usage ->> 'days' <> '{}'",
            "UPDATE limit_usage SET usage = jsonb_set(usage, '{days}', '{}') WHERE subject_id = '{2}'",
        ),
        Case::of(
            "a card's rolling sum",
            "rolling sums",
            "limit_usage (subject_kind, subject_id, stripe)",
            "subject_kind = 'card' AND usage ->> 'days' <> '{}'",
            "UPDATE limit_usage SET usage = jsonb_set(usage, '{days}', '{}') WHERE subject_id = '{2}'",
        ),
        Case::of(
            "a rolling sum's hours",
            "rolling sums",
            "limit_usage (subject_kind, subject_id, stripe)",
            "usage ->> 'hours' <> '{}'",
            "UPDATE limit_usage SET usage = jsonb_set(usage, '{hours}', (SELECT jsonb_object_agg(key, '0.01') \
             FROM jsonb_each(usage -> 'hours'))) WHERE subject_id = '{2}'",
        ),
        Case::of(
            "a rolling sum is gone",
            "rolling sums",
            "limit_usage (subject_kind, subject_id, stripe)",
            "usage ->> 'days' <> '{}'",
            "DELETE FROM limit_usage WHERE subject_id = '{2}'",
        ),
        Case::of(
            "a window moved over what it forgets",
            "windows of rolling sums",
            "limit_usage (subject_kind, subject_id, stripe)",
            "usage ->> 'days' <> '{}'",
            r#"UPDATE limit_usage SET usage = '{"hours": {}, "days": {}, "hours_from": 9999999, "days_from": 999999}' WHERE subject_id = '{2}'"#,
        ),
        Case::picked(
            "what an offer reserved",
            "rolling sums",
            "SELECT partner_id::text || '/' || mode, id::text, replace(customer_id::text, '-', '') FROM offer \
             WHERE status = 'paid' ORDER BY id LIMIT 1",
            "UPDATE offer SET limit_reservations = '[]' WHERE id = {1}",
            "limit_usage {0}/customer/{2}/0",
        ),
        Case::picked(
            "a request of another offer",
            "one request an offer",
            "SELECT a.partner_id::text || '/' || a.mode, a.id::text, b.offer_id::text FROM payout_request a, \
             payout_request b WHERE a.id < b.id LIMIT 1",
            "UPDATE payout_request SET offer_id = {2} WHERE id = '{1}'",
            "payout_request {0}/{1}",
        ),
        Case::of(
            "a second request for an offer",
            "one request an offer",
            "payout_request (id)",
            "status = 'processed'",
            "CREATE TEMP TABLE c AS SELECT * FROM payout_request WHERE id = '{1}'; UPDATE c SET id = \
             'ffffffff-0000-4000-8000-000000000000', reference_id = 'another'; INSERT INTO payout_request SELECT \
             * FROM c",
        )
        .names("payout_request {0}/ffffffff-0000-4000-8000-000000000000"),
        Case::of(
            "a request's reference used twice",
            "references of requests once",
            "payout_request (id)",
            "status = 'processed'",
            "ALTER TABLE payout_request DROP CONSTRAINT payout_request_reference_once; CREATE TEMP TABLE c AS \
             SELECT * FROM payout_request WHERE id = '{1}'; UPDATE c SET id = \
             'ffffffff-0000-4000-8000-000000000000'; INSERT INTO payout_request SELECT * FROM c",
        ),
    ];
    Original::new().await.each_is_found(&cases).await;
}
