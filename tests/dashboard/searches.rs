//! Lists: what a search finds, and that paging shows every line once.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use landfall::store::dashboard;

use crate::browser::{Browser, encoded};
use crate::world::{GOOD_CARD, RESTRICTED_CARD, World};

/// More of each, ten at the same moment, of changing status.
const MORE: &str = "INSERT INTO offer SELECT partner_id, mode, 1000000000000000 + row_number() OVER (ORDER BY id, n), customer_id, card_id, \
         CASE WHEN n % 3 = 0 THEN 'quoted' ELSE 'expired' END, version, currency_from, currency_to, fixed_side, amount, \
         amount_to, price, spread, fees, fee_total, total, amount_reference, amount_to_min, amount_to_max, rate_sources, \
         history, quoted_at - (n / 10) * interval '1 s', expires_at, NULL, NULL, NULL, 0, 0, NULL, NULL \
         FROM offer, generate_series(1, $COUNT) n; \
     INSERT INTO payout_request (partner_id, mode, id, point_id, reference_id, customer_id, card_id, offer_id, funding, service, amount, \
         currency, fields, description, status, resolution, amount_processed, amount_returned, attempts_limit, attempts_made, \
         allow_partially, stop_requested, moderation_reason, expires_at, event_seq, event_mac, created_at, updated_at, final_at, \
         point_amount, point_currency) \
     SELECT partner_id, mode, gen_random_uuid(), point_id, 'copy-' || n, customer_id, card_id, \
         NULL, funding, service, amount, currency, fields, description, 'failed', 'declined_error', 0, 0, attempts_limit, \
         attempts_made, allow_partially, NULL, NULL, expires_at, event_seq, event_mac, \
         created_at - (n / 10) * interval '1 s', updated_at, final_at, point_amount, point_currency FROM payout_request, generate_series(1, $COUNT) n; \
     INSERT INTO staff_case SELECT partner_id, mode, gen_random_uuid(), 'late_success', id, NULL, '{}', \
         created_at + (n / 10) * interval '1 s', NULL \
         FROM payout_request, generate_series(1, $COUNT) n WHERE offer_id IS NOT NULL";

/// Of the copies, some are open, some came back, and some payouts' fate is unknown; some jobs nobody takes any more.
const OF_EACH: &str = "UPDATE payout_request SET amount = 1 + ('x' || substr(md5(id::text), 1, 4))::bit(16)::int WHERE reference_id LIKE 'copy-%'; \
     UPDATE payout_request SET final_at = NULL, status = 'pending', resolution = NULL WHERE reference_id ~ 'copy-.*[13579]$'; \
     UPDATE payout_request SET status = 'returned', amount_processed = amount, amount_returned = 1 WHERE reference_id LIKE 'copy-%2'; \
     INSERT INTO payout SELECT (jsonb_populate_record(p, jsonb_build_object('id', r.id, 'request_id', r.id, \
         'provider_reference', r.reference_id, 'status', CASE WHEN r.final_at IS NULL THEN 'unknown' ELSE 'failed' END, 'final_at', r.final_at))).* \
         FROM payout p, payout_request r WHERE r.offer_id IS NULL; \
     INSERT INTO balance_sample (deposit_account_id, at, partner_id, mode, balance, reserved) \
         SELECT id, created_at + n * interval '15 min', partner_id, mode, n, 0 FROM deposit_account, generate_series(1, 2000) n; \
     INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at, dead_at) \
         SELECT partner_id, mode, 'inquire', id, created_at, created_at, CASE WHEN final_at IS NULL THEN created_at END \
         FROM payout_request WHERE offer_id IS NULL";

/// Customers, cards, cards of requests and entries of the ledger, so many that reading all of them isn't cheaper than an index.
const MANY: &str = "INSERT INTO customer (partner_id, mode, id, reference, created_at) \
         SELECT partner_id, mode, gen_random_uuid(), 'many-' || n, created_at FROM customer, generate_series(1, 3000) n WHERE reference = 'ada'; \
     INSERT INTO card (partner_id, mode, id, customer_id, fingerprint, fingerprint_key_id, scheme, iin, last_four, expiry_year, expiry_month, \
         pan_sealed, holder_sealed, validation_status, hidden_at, destroyed_at, created_at, updated_at) \
         SELECT u.partner_id, u.mode, 7000000000000000 + row_number() OVER (ORDER BY u.id), u.id, sha256(u.reference::bytea), c.fingerprint_key_id, c.scheme, c.iin, \
         lpad((row_number() OVER (ORDER BY u.id))::text, 4, '0'), 2035, 12, NULL, '', 'approved', u.created_at, u.created_at, u.created_at, u.created_at \
         FROM customer u, (SELECT * FROM card LIMIT 1) c WHERE u.reference LIKE 'many-%'; \
     INSERT INTO request_card (partner_id, mode, request_id, fingerprint, fingerprint_key_id, scheme, iin, last_four, expiry_year, expiry_month, \
         pan_sealed, holder_sealed, destroyed_at, created_at) \
         SELECT r.partner_id, r.mode, r.id, sha256(r.id::text::bytea), c.fingerprint_key_id, c.scheme, c.iin, \
         lpad((row_number() OVER (ORDER BY r.id))::text, 4, '0'), 2035, 12, NULL, '', r.created_at, r.created_at \
         FROM payout_request r, (SELECT * FROM card LIMIT 1) c WHERE r.offer_id IS NULL; \
     UPDATE payout_request r SET card_id = c.id FROM (SELECT id, lpad((row_number() OVER (ORDER BY id))::text, 4, '0') AS last_four FROM payout_request \
         WHERE offer_id IS NULL) k JOIN card c ON c.last_four = k.last_four WHERE r.id = k.id; \
     INSERT INTO entry (partner_id, mode, id, kind, reference, created_at) \
         SELECT partner_id, mode, gen_random_uuid(), 'top_up', id::text, created_at FROM payout_request WHERE offer_id IS NULL; \
     INSERT INTO posting (partner_id, mode, entry_id, line, account_id, asset, amount) \
         SELECT e.partner_id, e.mode, e.id, n, a.id, 'EUR', n * 2 - 1 FROM entry e, generate_series(0, 1) n, (SELECT id FROM account LIMIT 1) a \
         WHERE e.kind = 'top_up' AND length(e.reference) = 36";

/// The addresses of the lines of a list.
async fn lines(browser: &Browser, path: &str) -> Vec<String> {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let rows = answer.body.split("<tbody>").nth(1).unwrap_or("");
    rows.split(r#"<th scope="row""#)
        .skip(1)
        .map(|row| row.split(r#"href=""#).nth(1).unwrap().split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_found_by_what_support_knows_of_them() {
    let world = World::new().await;
    let (ada, bob) = (world.user("demo", "ada").await, world.user("acme", "bob/7 & co").await);
    let visa = world.card(&ada, GOOD_CARD).await;
    let restricted = world.card(&ada, RESTRICTED_CARD).await;
    let bobs = world.card(&bob, GOOD_CARD).await;
    let paid = world.offer(&ada, visa).await;
    world.pay(&ada, paid).await;
    world.clock.advance(TimeDelta::seconds(1));
    let failed = world.offer(&ada, restricted).await;
    world.pay(&ada, failed).await;
    world.clock.advance(TimeDelta::seconds(1));
    let open = world.offer(&bob, bobs).await;

    let browser = world.signed_in().await;
    let href = |partner: &str, id| format!("/dashboard/test/offers/{partner}/{id}");
    let (paid_href, failed_href, open_href) = (href("demo", paid), href("demo", failed), href("acme", open));
    for (query, found) in [
        ("", vec![&open_href, &failed_href, &paid_href]),
        (&*format!("?offer={paid}"), vec![&paid_href]),
        ("?offer=1000000000000001", vec![]),
        ("?customer=ada", vec![&failed_href, &paid_href]),
        ("?customer=Ada", vec![]),
        (&*format!("?customer={}", encoded("bob/7 & co")), vec![&open_href]),
        ("?last_four=1111", vec![&open_href, &paid_href]),
        ("?last_four=0205", vec![&failed_href]),
        ("?last_four=9999", vec![]),
        ("?customer=ada&last_four=1111", vec![&paid_href]),
        ("?status=paid", vec![&paid_href]),
        ("?status=released", vec![&failed_href]),
        ("?status=quoted&last_four=1111", vec![&open_href]),
        ("?status=returned", vec![]),
    ] {
        let path = format!("/dashboard/test/offers{query}");
        let found: Vec<String> = found.into_iter().cloned().collect();
        assert_eq!(lines(&browser, &path).await, found, "{query}");
    }
    let empty = browser.get("/dashboard/test/offers?customer=nobody").await.body;
    assert!(empty.contains("No offer in test mode fits."), "{empty}");
    let number = browser.get("/dashboard/test/offers?offer=4111111111111111").await.body;
    assert!(number.contains("This looks like a card number.") && !number.contains("4111111111111111"), "{number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_found_by_id_reference_and_how_they_ended() {
    let world = World::new().await;
    let ada = world.user("demo", "ada").await;
    let (visa, restricted) = (world.card(&ada, GOOD_CARD).await, world.card(&ada, RESTRICTED_CARD).await);
    let paid_offer = world.offer(&ada, visa).await;
    let paid = world.pay(&ada, paid_offer).await;
    world.clock.advance(TimeDelta::seconds(1));
    let failed_offer = world.offer(&ada, restricted).await;
    let failed = world.pay(&ada, failed_offer).await;

    let browser = world.signed_in().await;
    let href = |id| format!("/dashboard/test/requests/demo/{id}");
    for (query, found) in [
        ("", vec![failed, paid]),
        (&*format!("?reference={paid}"), vec![paid]),
        (&*format!("?reference=offer-{failed_offer}"), vec![failed]),
        ("?reference=offer-1", vec![]),
        ("?group=open", vec![]),
        ("?group=paid", vec![paid]),
        ("?group=unpaid", vec![failed]),
        ("?group=returned", vec![]),
    ] {
        let path = format!("/dashboard/test/requests{query}");
        let found: Vec<String> = found.into_iter().map(href).collect();
        assert_eq!(lines(&browser, &path).await, found, "{query}");
    }
    assert_eq!(browser.get("/dashboard/test/requests?group=nonsense").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn paging_shows_every_line_once_newest_first() {
    let world = World::new().await;
    let ada = world.user("demo", "ada").await;
    let visa = world.card(&ada, GOOD_CARD).await;
    let offer = world.offer(&ada, visa).await;
    world.pay(&ada, offer).await;
    // 120 more of each, ten at the same moment, of changing status.
    world.execute(&MORE.replace("$COUNT", "120")).await;
    let browser = world.signed_in().await;
    for (list, expected) in [
        ("/dashboard/test/offers", 121),
        ("/dashboard/test/offers?customer=ada", 121),
        ("/dashboard/test/offers?last_four=1111", 121),
        ("/dashboard/test/offers?status=expired", 80),
        ("/dashboard/test/requests", 121),
        ("/dashboard/test/requests?group=unpaid", 120),
    ] {
        let base = list.split('?').next().unwrap();
        let (mut path, mut seen, mut pages) = (list.to_owned(), Vec::new(), 0);
        loop {
            let page = lines(&browser, &path).await;
            assert!(page.len() <= 50);
            seen.extend(page);
            pages += 1;
            let Some(next) = browser.get(&path).await.next() else { break };
            path = format!("{base}{next}");
        }
        assert_eq!(seen.len(), expected, "{list}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), expected, "{list}: none twice");
        assert_eq!(pages, expected.div_ceil(50), "{list}");
    }
    let mut path = "/dashboard/test/moderation".to_owned();
    let mut cases = 0;
    loop {
        cases += lines(&browser, &path).await.len();
        let Some(next) = browser.get(&path).await.next() else { break };
        path = format!("/dashboard/test/moderation{next}");
    }
    assert_eq!(cases, 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_list_reads_by_its_index() {
    let world = World::new().await;
    for name in ["ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal"] {
        let user = world.user("demo", name).await;
        let card = world.card(&user, if name == "ada" { GOOD_CARD } else { RESTRICTED_CARD }).await;
        let offer = world.offer(&user, card).await;
        if name == "ada" {
            world.pay(&user, offer).await;
        }
    }
    world.execute(&MORE.replace("$COUNT", "1000")).await;
    world.execute(OF_EACH).await;
    world.execute(MANY).await;
    world.execute("ANALYZE").await;
    for (index, sql) in dashboard::plans() {
        let plan = world.generic_plan(sql, false).await;
        assert!(
            plan.contains(&format!("Scan on {index} ")) || plan.contains(&format!("using {index} ")),
            "not by {index}: {plan}"
        );
    }
}

/// Statements of the engine name a mode beside a key. Without statistics one index looks like another.
#[tokio::test(flavor = "multi_thread")]
async fn no_look_up_of_the_engines_can_be_served_by_a_lists_index() {
    let world = World::new().await;
    let nobody = "'00000000-0000-0000-0000-000000000000'";
    for sql in [
        format!(
            "SELECT * FROM offer WHERE partner_id = {nobody} AND mode = 'test' AND id = 1000000000000000 FOR UPDATE"
        ),
        format!(
            "UPDATE offer SET version = 2 WHERE partner_id = {nobody} AND mode = 'test' AND id = 1000000000000000 AND status = 'quoted'"
        ),
        format!(
            "SELECT * FROM payout_request WHERE partner_id = {nobody} AND mode = 'test' AND id = {nobody} AND final_at IS NULL"
        ),
        format!("SELECT * FROM payout_request WHERE mode = 'test' AND final_at IS NULL AND id = {nobody}"),
        "SELECT * FROM offer WHERE mode = 'test' AND status = 'quoted'".to_owned(),
        "SELECT * FROM payout_request WHERE mode = 'test' AND final_at IS NULL AND created_at > '2026-01-01'"
            .to_owned(),
    ] {
        let plan = world.plan(&sql).await;
        // What an index begins with stands first in its condition.
        assert!(!plan.contains("Index Cond: ((mode") && !plan.contains("Index Cond: (mode"), "{sql}: {plan}");
    }
}
