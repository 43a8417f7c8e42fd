//! Lists and the pages about one thing: what they say, files of them, and that whatever comes from outside stays text on every page there is.

use landfall::domain::staff::Role;

use crate::browser::Browser;
use crate::world::{GOOD_CARD, RESTRICTED_CARD, SILENT_CARD, World};

const ATTACK: &str = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)>"#;

/// Every page of one installation by somebody who may see all, with something on each.
async fn pages(world: &World, browser: &Browser) -> Vec<String> {
    let mut pages: Vec<String> = [
        "",
        "/offers",
        "/requests",
        "/payouts",
        "/customers",
        "/moderation",
        "/approvals",
        "/accounts",
        "/rates",
        "/keys",
        "/keys/new",
        "/staff",
        "/staff/new",
        "/schemes",
        "/partners",
        "/balances",
        "/audit",
        "/audit/check",
        "/requests?group=open",
        "/payouts?group=open",
        "/payouts?group=unknown",
    ]
    .map(|page| format!("/dashboard/test{page}"))
    .to_vec();
    for (list, sql) in [
        ("offers", "SELECT p.code || '/' || o.id FROM offer o JOIN partner p ON p.id = o.partner_id"),
        (
            "requests",
            "SELECT p.code || '/porq_' || replace(r.id::text, '-', '') FROM payout_request r JOIN partner p ON p.id = r.partner_id",
        ),
        (
            "payouts",
            "SELECT p.code || '/po_' || replace(r.id::text, '-', '') FROM payout r JOIN partner p ON p.id = r.partner_id",
        ),
        (
            "customers",
            "SELECT p.code || '/cus_' || replace(r.id::text, '-', '') FROM customer r JOIN partner p ON p.id = r.partner_id",
        ),
        (
            "keys",
            "SELECT p.code || '/key_' || replace(r.id::text, '-', '') FROM api_key r JOIN partner p ON p.id = r.partner_id",
        ),
        (
            "deposit-accounts",
            "SELECT p.code || '/dac_' || replace(d.id::text, '-', '') FROM deposit_account d JOIN partner p ON p.id = d.partner_id \
             WHERE d.mode = 'test'",
        ),
        ("staff", "SELECT 'stf_' || replace(id::text, '-', '') FROM staff"),
    ] {
        pages.extend(world.texts(sql).await.into_iter().map(|one| format!("/dashboard/test/{list}/{one}")));
    }
    for page in &pages {
        assert_eq!(browser.get(page).await.status, 200, "{page}");
    }
    pages
}

/// Files with lists.
const FILES: [&str; 17] = [
    "balances",
    "offers",
    "requests",
    "payouts",
    "customers",
    "moderation",
    "provider-accounts",
    "deposit-accounts",
    "routes",
    "points",
    "rates",
    "keys",
    "audit",
    "schemes",
    "partners",
    "approvals",
    "staff",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_outsiders_write_is_text_on_every_page_and_no_formula_in_any_file() {
    let world = World::new().await;
    let user = world.user("demo", ATTACK).await;
    let card = world.card(&user, GOOD_CARD).await;
    let silent = world.card(&user, SILENT_CARD).await;
    let offer = world.offer(&user, card).await;
    world.pay(&user, offer).await;
    let offer = world.offer(&user, silent).await;
    world.pay(&user, offer).await;
    let admin = world.signed_in_as(Role::Admin).await;
    let token = admin.get("/dashboard/test/keys/new").await.form_token();
    let form = [("form_token", token.as_str()), ("partner", "demo"), ("name", ATTACK), ("payouts:read", "yes")];
    assert_eq!(admin.post("/dashboard/test/keys/new", &form).await.status, 200);
    let hostile = ATTACK.replace('\'', "''");
    world
        .execute(&format!(
            "UPDATE customer SET email = '{hostile}', name = '{hostile}'; \
             UPDATE payout_request SET description = '{hostile}', fields = jsonb_build_object('{hostile}', '{hostile}'); \
             UPDATE payout_request SET reference_id = '{hostile}' || id::text WHERE reference_id NOT LIKE '%nothing%'; \
             UPDATE payout SET provider_code = '{hostile}', provider_message = '{hostile}', rrn = '{hostile}', arn = '{hostile}', \
                 provider_original_id = '{hostile}'; \
             UPDATE event SET data = data || jsonb_build_object('provider_message', '{hostile}', 'why', '{hostile}'), actor = left('{hostile}', 190); \
             UPDATE provider_account SET name = '{hostile}', health_detail = '{hostile}'; \
             UPDATE deposit_account SET name = '{hostile}', sync_error = '{hostile}'; \
             UPDATE payout_route SET name = '{hostile}'; \
             UPDATE payout_point SET name = '{hostile}', callback_url = '{hostile}'; \
             UPDATE partner SET name = '{hostile}'; \
             UPDATE staff SET name = '{hostile}'; \
             UPDATE api_key SET name = '{hostile}', created_by = '{hostile}', allowed_ips = ARRAY['{hostile}']; \
             UPDATE audit SET actor = '{hostile}', origin = '{hostile}', object = '{hostile}', \
                 before = jsonb_build_object('{hostile}', '{hostile}'), after = jsonb_build_object('{hostile}', '{hostile}'); \
             INSERT INTO block_list (partner_id, mode, id, kind, value, reason, added_by, starts_at, created_at) \
                 SELECT partner_id, mode, gen_random_uuid(), 'customer', reference, '{hostile}', '{hostile}', created_at, created_at FROM customer; \
             INSERT INTO staff_case (partner_id, mode, id, kind, request_id, evidence, opened_at) \
                 SELECT partner_id, mode, gen_random_uuid(), left('{hostile}', 60), id, jsonb_build_object('{hostile}', '{hostile}'), created_at \
                 FROM payout_request"
        ))
        .await;
    for page in pages(&world, &admin).await {
        let body = admin.get(&page).await.body;
        // The only script is our own file.
        assert_eq!(
            body.matches("<script").count(),
            body.matches("<script src=\"/dashboard/assets/").count(),
            "{page}: {body}"
        );
        assert!(!body.contains("<img"), "{page}: {body}");
        let plain = body.replace("&nbsp;", "").replace([' ', '\u{a0}'], "");
        assert!(
            !plain.contains("411111") && !plain.contains("400000000013"),
            "{page} shows more of a card than it may"
        );
    }
    for sign in ["=", "+", "-", "@", "\t="] {
        let formula = format!("{sign}cmd|'' /C calc''!A0");
        world.execute(&format!("UPDATE customer SET name = '{formula}', email = '{formula}'")).await;
        let file = admin.get("/dashboard/test/customers.csv").await;
        assert_eq!(file.status, 200, "{}", file.body);
        let formula = formula.replace("''", "'");
        assert!(file.body.contains(&format!("'{formula}")), "{}", file.body);
        assert!(
            !file.body.contains(&format!(",{formula}")) && !file.body.contains(&format!(",\"{formula}")),
            "{}",
            file.body
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_taken_away_whole_with_its_filters_and_that_is_noted() {
    let world = World::new().await;
    let ada = world.user("demo", "ada").await;
    let visa = world.card(&ada, GOOD_CARD).await;
    let offer = world.offer(&ada, visa).await;
    world.pay(&ada, offer).await;
    let more = "INSERT INTO customer (partner_id, mode, id, reference, created_at) SELECT partner_id, mode, gen_random_uuid(), \
                'more-' || n, created_at + n * interval '1 ms' FROM customer, generate_series(1, 1200) n";
    world.execute(more).await;
    let admin = world.signed_in_as(Role::Admin).await;
    let file = admin.get("/dashboard/test/customers.csv").await;
    assert_eq!(file.status, 200, "{}", file.body);
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    assert!(file.headers["content-disposition"].to_str().unwrap().contains("landfall-test-customers.csv"));
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines.len(), 1 + 1201, "a header, and each customer once");
    let unique: std::collections::BTreeSet<&&str> = lines.iter().collect();
    assert_eq!(unique.len(), lines.len());
    let one = admin.get("/dashboard/test/customers.csv?reference=more-7").await.body;
    assert_eq!(one.lines().count(), 2, "{one}");
    let offers = admin.get("/dashboard/test/offers.csv?status=paid").await.body;
    assert!(offers.starts_with("Offer,Priced,Status,Partner,Customer,Card,\"Total, with fees\",\"Total, with fees currency\",Arrives,Arrives currency"), "{offers}");
    assert!(offers.contains(",106.18903948,USDT,91.11,EUR") && offers.contains("4111****1111"), "{offers}");
    let noted = "SELECT count(*) FROM audit WHERE action = 'dashboard.file' AND actor = 'staff:admin@landfall.example'";
    assert_eq!(world.count(noted).await, 3);
    let filters = "SELECT count(*) FROM audit WHERE action = 'dashboard.file' AND object = 'offers' AND after #>> '{filters,status}' = 'paid'";
    assert_eq!(world.count(filters).await, 1);
    for name in FILES {
        let file = admin.get(&format!("/dashboard/test/{name}.csv")).await;
        assert_eq!(file.status, 200, "{name}: {}", file.body);
        assert!(!file.body.contains("41111111"), "{name}");
    }
    assert_eq!(admin.get("/dashboard/test/offers.csv?offer=abc").await.status, 404);
    let viewer = world.signed_in().await;
    for name in ["keys", "audit", "staff"] {
        assert_eq!(viewer.get(&format!("/dashboard/test/{name}.csv")).await.status, 403, "{name}");
        assert_eq!(viewer.get(&format!("/dashboard/test/{name}")).await.status, 403, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_tells_what_was_asked_and_answered() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, RESTRICTED_CARD).await;
    let offer = world.offer(&user, card).await;
    world.pay(&user, offer).await;
    let ids = world.texts("SELECT 'po_' || replace(id::text, '-', '') FROM payout").await;
    let browser = world.signed_in().await;
    let list = browser.get("/dashboard/test/payouts").await.body;
    assert!(list.contains(&format!("/dashboard/test/payouts/demo/{}", ids[0])), "{list}");
    let page = browser.get(&format!("/dashboard/test/payouts/demo/{}", ids[0])).await.body;
    for said in [
        "Nothing was paid here: the card is restricted by its bank.",
        "What the provider was asked",
        "What it answered",
        "sandbox-a",
        "4000&nbsp;&bull;&bull;&bull;&bull;&nbsp;0205",
        "Each exchange with the provider",
        "The payout failed: the card is restricted by its bank.",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(browser.get(&format!("/dashboard/test/payouts/acme/{}", ids[0])).await.status, 404);
    assert_eq!(browser.get(&format!("/dashboard/live/payouts/demo/{}", ids[0])).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requests_story_runs_from_the_quote_to_the_ledger() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    world.clock.advance(chrono::TimeDelta::seconds(3));
    let request = world.pay(&user, offer).await;
    let page = world.signed_in().await.get(&format!("/dashboard/test/requests/demo/{request}")).await.body;
    let mut from = 0;
    for said in [
        "The customer was offered 91.11",
        "by the prices of fixed",
        "The customer accepted it.",
        "The payout of 91.11\u{a0}EUR was asked for.",
        "The provider paid 91.11\u{a0}EUR",
    ] {
        let at = page[from..].find(said).unwrap_or_else(|| panic!("no {said:?} after {from}: {page}"));
        from += at;
    }
    for said in ["In the ledger: 106.18903948\u{a0}USDT was held from the balance.", "left the hold"] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_shows_limits_cards_balances_and_the_ledger() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    world.pay(&user, offer).await;
    world.execute("UPDATE customer SET kyc_level = 2").await;
    let ids = world.texts("SELECT 'cus_' || replace(id::text, '-', '') FROM customer").await;
    let browser = world.signed_in().await;
    let page = browser.get(&format!("/dashboard/test/customers/demo/{}", ids[0])).await.body;
    for said in [
        "Customer ada",
        "4\u{202f}893.81096052",
        "KYC level, by the record",
        "365 days",
        "4111&nbsp;&bull;&bull;&bull;&bull;&nbsp;1111",
        "Held for a payout",
        "Neither the customer nor one of their cards is on the block list.",
        &format!("/dashboard/test/offers/demo/{offer}"),
        "An operator or above does this.",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(browser.get(&format!("/dashboard/test/customers/acme/{}", ids[0])).await.status, 404);
}
