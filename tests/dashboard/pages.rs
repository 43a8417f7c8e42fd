//! What pages say, and that what comes from outside stays text.

use chrono::TimeDelta;
use landfall::domain::staff::Role;

use crate::world::{GOOD_CARD, RESTRICTED_CARD, SILENT_CARD, World};

const ATTACK: &str = r#"<script>alert(1)</script>"><img src=x onerror=alert(2)>"#;
const ATTACK_SHOWN: &str = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#62;&#60;img src=x onerror=alert(2)&#62;";

/// No page shows the middle of a card, nor anything that a browser would run.
fn assert_harmless(body: &str) {
    let plain = body.replace("&nbsp;", "").replace([' ', '\u{a0}'], "");
    for number in [GOOD_CARD, RESTRICTED_CARD, SILENT_CARD] {
        let digits = number.replace(' ', "");
        for part in [&digits[..6], &digits[4..12], &digits[6..]] {
            assert!(!plain.contains(part), "{part} of a card is shown");
        }
    }
    // One script, which is our own file.
    let scripts = body.matches("<script").count();
    assert_eq!(body.matches(r#"<script src="/dashboard/assets/dashboard.js?v="#).count(), scripts, "{body}");
    assert!(scripts <= 1 && !body.contains("<img"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_installation_says_what_to_expect() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let overview = browser.get("/dashboard/test").await.body;
    assert!(overview.contains("No payout request has ended today."));
    assert!(overview.contains(r#"<span class="mode test">test mode</span>"#));
    assert!(overview.contains("Ada, viewer"));
    assert!(overview.contains("100\u{202f}000\u{202f}000.00&nbsp;<abbr>EUR</abbr>"), "{overview}");
    assert!(browser.get("/dashboard/test/offers").await.body.contains("There is no offer in test mode yet."));
    assert!(
        browser.get("/dashboard/test/requests").await.body.contains("There is no payout request in test mode yet.")
    );
    assert!(browser.get("/dashboard/test/moderation").await.body.contains("Nothing waits for a person in test mode."));
    let live = browser.get("/dashboard/live").await.body;
    assert!(live.contains(r#"<span class="mode live">live mode</span>"#));
    assert!(
        live.contains("There is no rate board in this mode.")
            && live.contains("There is no deposit account in this mode.")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_offer_is_told_from_its_price_to_its_retrieval_number() {
    let world = World::new().await;
    let user = world.user("demo", "ada-77").await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    world.clock.advance(TimeDelta::seconds(5));
    world.reprice(&user, offer).await;
    let request = world.pay(&user, offer).await;
    let browser = world.signed_in().await;

    let page = browser.get(&format!("/dashboard/test/offers/demo/{offer}")).await.body;
    for said in [
        "91.11\u{a0}EUR reached the card.",
        "Demo wallet (demo)",
        "ada-77",
        "4111&nbsp;&bull;&bull;&bull;&bull;&nbsp;1111",
        "Transaction fee",
        "3.50000000&nbsp;<abbr>USDT</abbr>",
        "Market price of USDT/EUR",
        "0.9297",
        "2\u{a0}%",
        "0.911106",
        "schedule default, version 1",
        r#"<th scope="row" data-label="Source">fixed</th>"#,
        "What stands above is version 2.",
        r#"<time datetime="2026-03-14T12:00:05.000000Z">2026-03-14 12:00:05 UTC</time>"#,
        &format!("/dashboard/test/requests/demo/{request}"),
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
    assert_harmless(&page);

    let page = browser.get(&format!("/dashboard/test/requests/demo/{request}")).await.body;
    for said in [
        "91.11\u{a0}EUR was paid.",
        "The payout of 91.11\u{a0}EUR was asked for.",
        "goes out over sandbox-a-card-eur",
        "sandbox-a-card-eur: chosen.",
        "sandbox-b-card-eur: possible, number 2.",
        "The provider paid 91.11\u{a0}EUR (its answer to the payout).",
        "RRN",
        "held when the offer was accepted",
        "<summary>Data <small>payout_processed, by gateway</small></summary>",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
    assert_harmless(&page);

    let overview = browser.get("/dashboard/test").await.body;
    assert!(overview.contains("<div><dt>Paid</dt><dd>1</dd></div>"), "{overview}");
    assert!(overview.contains(r#"<data class="amount" value="91.11">"#));
    assert_harmless(&overview);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_payout_says_why_and_where_the_money_is() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, RESTRICTED_CARD).await;
    let offer = world.offer(&user, card).await;
    let request = world.pay(&user, offer).await;
    let browser = world.signed_in().await;
    let page = browser.get(&format!("/dashboard/test/offers/demo/{offer}")).await.body;
    assert!(page.contains("Nothing reached the card: the card is restricted by its bank. All of "), "{page}");
    assert!(page.contains("went back to the customer&#39;s balance."));
    let page = browser.get(&format!("/dashboard/test/requests/demo/{request}")).await.body;
    assert!(page.contains("The payout failed: the card is restricted by its bank."), "{page}");
    assert_harmless(&page);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_offer_says_whether_it_can_be_paid() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    let browser = world.signed_in().await;
    let path = format!("/dashboard/test/offers/demo/{offer}");
    let page = browser.get(&path).await.body;
    assert!(page.contains("It can't be paid now: the customer&#39;s KYC level is too low."), "{page}");
    assert!(page.contains("a token of the wallet may vouch for a higher level"));
    world.execute("UPDATE customer SET kyc_level = 1").await;
    assert!(browser.get(&path).await.body.contains("It can be paid now."));
    world.execute("UPDATE customer SET blocked_at = now()").await;
    assert!(browser.get(&path).await.body.contains("It can't be paid now: the customer is blocked."));
    world.clock.advance(TimeDelta::seconds(20));
    let page = browser.get(&path).await.body;
    assert!(page.contains("It wasn&#39;t accepted in time. Nothing was taken from the customer."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_the_fate_of_waits_for_a_person() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, SILENT_CARD).await;
    let offer = world.offer(&user, card).await;
    let request = world.pay(&user, offer).await;
    let browser = world.signed_in().await;
    let overview = browser.get("/dashboard/test").await.body;
    assert!(overview.contains(r#"<div class="bad"><dt>Unknown now</dt><dd>1</dd></div>"#), "{overview}");
    assert!(overview.contains("1 payout's fate is unknown"), "{overview}");

    world.ask(12).await;
    let waiting = browser.get("/dashboard/test/moderation").await.body;
    assert!(waiting.contains("The provider doesn&#39;t find a payout that we sent"), "{waiting}");
    assert!(waiting.contains(&format!("/dashboard/test/requests/demo/{request}")));
    assert_harmless(&waiting);
    let page = browser.get(&format!("/dashboard/test/requests/demo/{request}")).await.body;
    for said in [
        "It waits for a person.",
        "Whether it was paid isn&#39;t known",
        "Sent again, for the second time",
        "Stopped for a person to look",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
    assert!(browser.get("/dashboard/test").await.body.contains("1 case waits for a person"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_not_ours_waits_for_a_person_without_a_request() {
    let world = World::new().await;
    world
        .execute(
            "INSERT INTO staff_case (partner_id, mode, id, kind, provider_account_id, subject, evidence, opened_at) \
             SELECT partner_id, mode, gen_random_uuid(), 'unmatched_at_provider', id, '<b>theirs', '{}', now() \
             FROM provider_account WHERE code = 'sandbox-a'",
        )
        .await;
    let browser = world.signed_in().await;
    let waiting = browser.get("/dashboard/test/moderation").await.body;
    assert!(waiting.contains("The provider&#39;s report has a payment that isn&#39;t ours"), "{waiting}");
    assert!(waiting.contains("in the report of sandbox-a") && waiting.contains("None: "), "{waiting}");
    assert_harmless(&waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_outside_stays_text() {
    let world = World::new().await;
    let user = world.user("demo", ATTACK).await;
    let card = world.card(&user, RESTRICTED_CARD).await;
    let offer = world.offer(&user, card).await;
    let request = world.pay(&user, offer).await;
    let quoted = ATTACK.replace('\'', "''");
    let message = format!("{quoted} 4111 1111 1111 1111");
    world
        .execute(&format!(
            "UPDATE payout_request SET description = '{message}', reference_id = '{quoted}', service = '{quoted}', \
                 fields = jsonb_build_object('{quoted}', '{message}'); \
             UPDATE payout SET provider_message = '{message}', provider_code = '{quoted}', rrn = '{quoted}', \
                 provider_original_id = '{quoted}', arn = '{quoted}'; \
             UPDATE event SET kind = 'x<script>', actor = '{quoted}', data = data || jsonb_build_object('why', '{message}') \
                 WHERE kind = 'request_created'; \
             UPDATE event SET data = data || jsonb_build_object('provider_message', '{message}') WHERE kind = 'payout_failed'; \
             UPDATE partner SET name = '{quoted}' WHERE code = 'demo'; \
             INSERT INTO staff_case (partner_id, mode, id, kind, request_id, evidence, opened_at) \
                 SELECT partner_id, mode, id, 'late<script>', id, jsonb_build_object('x', '{message}'), now() \
                 FROM payout_request;"
        ))
        .await;
    world.wallet.rates.board(landfall::domain::ids::Mode::Test).unwrap().record_failure(
        "fixed",
        ATTACK,
        chrono::DateTime::UNIX_EPOCH,
    );

    let browser = world.signed_in().await;
    for page in [
        "/dashboard/test".to_owned(),
        "/dashboard/test/offers".to_owned(),
        format!("/dashboard/test/offers/demo/{offer}"),
        "/dashboard/test/requests".to_owned(),
        format!("/dashboard/test/requests/demo/{request}"),
        "/dashboard/test/moderation".to_owned(),
    ] {
        let answer = browser.get(&page).await;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.body.contains(ATTACK_SHOWN), "{page}: {}", answer.body);
        assert_harmless(&answer.body);
    }
    // Typed into a search, and into the sign-in.
    for search in ["offers?customer", "offers?offer", "requests?reference"] {
        let answer = browser.get(&format!("/dashboard/test/{search}={}", crate::browser::encoded(ATTACK))).await;
        assert_eq!(answer.status, 200);
        assert_harmless(&answer.body);
    }
    let refused = world.browser().sign_in(ATTACK, "wrong horse battery").await;
    assert!(refused.body.contains(ATTACK_SHOWN));
    assert_harmless(&refused.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_seen_under_its_own_partner_and_mode_only() {
    let world = World::new().await;
    let (demo, acme) = (world.user("demo", "ada").await, world.user("acme", "ada").await);
    let mut seen = Vec::new();
    for user in [&demo, &acme] {
        let card = world.card(user, GOOD_CARD).await;
        let offer = world.offer(user, card).await;
        let request = world.pay(user, offer).await;
        seen.push((user.partner_code.clone(), offer, request));
    }
    let browser = world.signed_in().await;
    let (offers, requests) =
        (browser.get("/dashboard/test/offers").await.body, browser.get("/dashboard/test/requests").await.body);
    for (partner, offer, request) in &seen {
        assert!(offers.contains(&format!("/dashboard/test/offers/{partner}/{offer}")));
        assert!(requests.contains(&format!("/dashboard/test/requests/{partner}/{request}")));
        assert!(offers.contains(&format!(r#"<td data-label="Partner">{partner}</td>"#)));
        let other = if partner == "demo" { "acme" } else { "demo" };
        for wrong in [
            format!("/dashboard/test/offers/{other}/{offer}"),
            format!("/dashboard/live/offers/{partner}/{offer}"),
            format!("/dashboard/test/requests/{other}/{request}"),
            format!("/dashboard/live/requests/{partner}/{request}"),
            format!("/dashboard/test/requests/{partner}/nonsense"),
            format!("/dashboard/test/offers/nobody/{offer}"),
            "/dashboard/sandbox/offers".to_owned(),
        ] {
            let answer = browser.get(&wrong).await;
            assert_eq!(answer.status, 404, "{wrong}");
            assert!(answer.body.contains("There is no such page"));
        }
    }
    for empty in ["/dashboard/live/offers", "/dashboard/live/requests"] {
        assert!(!browser.get(empty).await.body.contains("<tbody>"), "{empty}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_came_in_with_a_partners_request_is_shown_masked() {
    use landfall::domain::ids::ApiKeyId;
    use landfall::gateway::access::{Caller, Principal, Scope};
    use landfall::gateway::funds::PartnerCredit;
    use landfall::gateway::requests::{NewRequest, RequestOptions};
    use rust_decimal::dec;

    let world = World::new().await;
    let tenant = world.user("demo", "nobody").await.tenant;
    let caller = Caller {
        tenant,
        by: Principal::Key(ApiKeyId::new()),
        scopes: Scope::ALL.into_iter().collect(),
        is_house: false,
        origin: None,
        gate: landfall::gateway::access::audit::Gate::Open,
    };
    let gateway = &world.wallet.gateway;
    let credit = PartnerCredit {
        partner_id: None,
        currency: "EUR".parse().unwrap(),
        amount: dec!(50),
        reference: "first".to_owned(),
    };
    gateway.credit_partner(&caller, &credit).await.unwrap();
    let snapshot = gateway.snapshot().await.unwrap();
    let point = snapshot.point(tenant, "EUR".parse().unwrap()).unwrap();
    let mut ask = NewRequest::new(point, "card_eur");
    ask.service_amount = Some(dec!(10));
    ask.reference_id = Some("invoice-1".to_owned());
    ask.options = RequestOptions { auto_process: Some(false), ..RequestOptions::default() };
    for (field, value) in [
        ("card_number", GOOD_CARD.replace(' ', "").as_str()),
        ("card_expiry_month", "12"),
        ("card_expiry_year", "2035"),
        ("card_holder", "ADA LOVELACE"),
    ] {
        ask.fields.insert(field.to_owned(), serde_json::Value::String(value.to_owned()));
    }
    let id = gateway.create_request(&caller, ask).await.unwrap().request.id;
    let browser = world.signed_in().await;
    for path in ["/dashboard/test/requests".to_owned(), format!("/dashboard/test/requests/demo/{id}")] {
        let page = browser.get(&path).await.body;
        assert!(page.contains("invoice-1") && page.contains("4111&nbsp;&bull;&bull;&bull;&bull;&nbsp;1111"), "{page}");
        assert_harmless(&page);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_told_in_the_zone_of_whoever_reads_without_a_script() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, GOOD_CARD).await;
    world.offer(&user, card).await;
    let (ada, other) = (world.signed_in().await, world.signed_in_as(Role::Support).await);
    let own = "2026-03-14 12:00:00 UTC <small>17:45:00 +0545</small>";
    assert!(!ada.get("/dashboard/test/offers").await.body.contains("data-own"));
    let set = async |zone: &str| {
        let token = ada.get("/dashboard/account").await.form_token();
        ada.post("/dashboard/account/zone", &[("form_token", &token), ("zone", zone)]).await.status
    };
    assert_eq!(set("Asia/Kathmandu").await, 303);
    let page = ada.get("/dashboard/test/offers").await.body;
    assert!(page.contains(own), "{page}");
    assert!(ada.get("/dashboard/account").await.body.contains("<option selected>Asia/Kathmandu</option>"));
    assert!(!other.get("/dashboard/test/offers").await.body.contains("data-own"), "it is hers alone");
    assert!(!ada.get("/dashboard/test/offers.csv").await.body.contains("+0545"), "files have UTC");
    assert_eq!(set("Nowhere/None").await, 404);
    assert!(ada.get("/dashboard/test/offers").await.body.contains(own));
    assert_eq!(set("").await, 303);
    assert!(!ada.get("/dashboard/test/offers").await.body.contains("data-own"));
}
