//! Terms of partners: prices, limits, pairs and the statement descriptor follow them in each mode, on every node, and in nobody else's calls.

use std::sync::Arc;

use landfall::app::App;
use landfall::clock::Clock;
use landfall::config::pricing::ExactText;
use landfall::domain::ids::{CardId, Mode, Tenant};
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::{Refusal, Scope};
use landfall::gateway::terms::NewTerms;
use landfall::wallet::offers::OfferInput;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::v1::requests::sample;
use crate::world::{Answer, Client, PAID, World, offer};

impl World {
    /// Puts a document in force after whatever is.
    pub async fn try_terms(&self, partner: &str, mode: Mode, document: Value) -> Result<i32, Refusal> {
        let gateway = &self.app.gateway;
        let tenant = self.tenant(partner, mode).await;
        let follows = gateway.newest_terms(tenant).await.unwrap().map_or(0, |version| version.version);
        let author = Author::new(tenant, "cli:ada".to_owned(), None);
        let new = NewTerms { document, reason: "agreed".to_owned(), follows };
        gateway.set_terms(&author, &new).await.map(|version| version.version)
    }

    pub async fn terms(&self, partner: &str, mode: Mode, document: Value) -> i32 {
        self.try_terms(partner, mode, document).await.unwrap()
    }

    /// A version that this program can't read, as a newer one may have written it.
    async fn unreadable_terms(&self, partner: &str) {
        self.execute(&format!(
            "INSERT INTO partner_terms SELECT id, 'test', coalesce((SELECT max(version) FROM partner_terms t WHERE t.partner_id = p.id \
             AND t.mode = 'test'), 0) + 1, '{{\"rebates\": []}}', 'of a newer program', 'cli:ada', now() \
             FROM partner p WHERE code = '{partner}'"
        ))
        .await;
        // As every node would a second later.
        self.app.gateway.routes.forget();
    }
}

async fn quoted(user: &Client<'_>, card: &Value, amount: &str) -> Answer {
    user.post("/v4/payout/offer", &offer(card, amount)).await
}

fn decimal(value: &Value) -> Decimal {
    value.to_string().trim_matches('"').parse().unwrap()
}

fn fee(offer: &Value) -> Decimal {
    decimal(&offer["totalFrom"]) - decimal(&offer["amount"])
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_follow_the_terms_and_an_open_offer_keeps_its_price() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card = alice.card(PAID).await;
    let before = alice.offer(&card, "100").await;
    let free = json!({"id": "free", "rules": []});
    let version = world.terms("demo", Mode::Test, json!({"spread": "0", "fee_schedules": [free]})).await;
    assert_eq!(version, 1);
    let after = alice.offer(&card, "100").await;
    assert!(decimal(&after["rate"]) > decimal(&before["rate"]), "{after} {before}");
    assert_eq!(fee(&after), Decimal::ZERO);
    assert!(fee(&before) > Decimal::ZERO);
    let data = alice.get("/v4/payout/data").await.ok();
    assert_eq!(decimal(&data["fees"]["rate"]), Decimal::ZERO, "{data}");
    // Which schedule priced it can't be taken for one of the house's, nor for another version's.
    let named = world
        .text(&format!(
            "SELECT concat(rate_sources->>'fee_schedule', ' ', rate_sources->>'fee_schedule_version', ' ', rate_sources->>'terms_version') \
             FROM offer WHERE id = {}",
            after["offerId"]
        ))
        .await;
    assert_eq!(named, "demo@1/free 1 1");
    // What was quoted stands.
    let open = alice.get(&format!("/v4/payout/offer/{}", before["offerId"])).await.ok();
    assert_eq!((&open["rate"], &open["totalFrom"]), (&before["rate"], &before["totalFrom"]));
    let paid = alice.pay(&before["offerId"]).await.ok();
    assert_eq!((&paid["status"], &paid["totalFrom"]), (&json!("SUCCESS"), &before["totalFrom"]));
    // Changing an open offer prices it anew.
    let changed = json!({"amount": "100", "fromCurrency": "USDT", "toCurrency": "EUR"});
    world.terms("demo", Mode::Test, json!({"spread": "0.5"})).await;
    let path = format!("/v4/payout/offer/{}", after["offerId"]);
    let repriced = alice.put(&path, &changed).await.ok();
    assert!(decimal(&repriced["rate"]) < decimal(&before["rate"]));
    assert_eq!(fee(&repriced), fee(&before), "the house's fees are back");
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_of_one_partner_and_one_mode() {
    let world = World::new().await;
    world.partner("other").await;
    let alice = world.user("alice");
    let card = alice.card(PAID).await;
    let before = alice.offer(&card, "100").await;
    world.terms("other", Mode::Test, json!({"spread": "0.5", "limits": {"reference": "EUR", "offer_max": "30"}})).await;
    // Live terms of the same partner.
    let live = Tenant { mode: Mode::Live, ..world.tenant("demo", Mode::Test).await };
    let live = Author::new(live, "cli:ada".to_owned(), None);
    let new = NewTerms { document: json!({"spread": "0.5"}), reason: "agreed".to_owned(), follows: 0 };
    world.app.gateway.set_terms(&live, &new).await.unwrap();
    let after = alice.offer(&card, "100").await;
    assert_eq!(after["rate"], before["rate"]);
    let other = world.tenant("other", Mode::Test).await;
    let book = &world.app.gateway.terms_in_force(other).await.unwrap().book;
    assert_eq!(book.limits.offer_max, Decimal::from(30));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_in_force_hold_at_pay() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card = alice.card(PAID).await;
    let (first, second) = (alice.offer(&card, "100").await, alice.offer(&card, "100").await);
    // Room for one of them, which the partner's sum is striped for.
    let limits = json!({"reference": "EUR", "partner": {"day": "150"}, "customer": {"day": "150"}});
    world.terms("demo", Mode::Test, json!({"limits": limits})).await;
    assert_eq!(alice.pay(&first["offerId"]).await.ok()["status"], "SUCCESS");
    alice.pay(&second["offerId"]).await.refused(400, "LIMIT_EXCEEDED");
    let bob = world.user("bob");
    bob.fund("3000").await;
    let of_bob = bob.card("5555555555554444").await;
    let third = bob.offer(&of_bob, "100").await;
    assert_eq!(
        (&third["possibleToExecute"], &third["reason"]),
        (&json!(false), &json!("LIMIT_EXCEEDED")),
        "the partner's"
    );
    bob.pay(&third["offerId"]).await.refused(400, "LIMIT_EXCEEDED");
    // The next version lets it through.
    world.terms("demo", Mode::Test, json!({})).await;
    assert_eq!(bob.pay(&third["offerId"]).await.ok()["status"], "SUCCESS");
    world.terms("demo", Mode::Test, json!({"limits": {"reference": "EUR", "offer_max": "50"}})).await;
    let large = alice.offer(&card, "100").await;
    assert_eq!((&large["possibleToExecute"], &large["reason"]), (&json!(false), &json!("AMOUNT_TOO_LARGE")));
    alice.pay(&large["offerId"]).await.refused(400, "AMOUNT_TOO_LARGE");
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_under_terms_hold_against_parallel_pays() {
    let world = World::new().await;
    world.terms("demo", Mode::Test, json!({"limits": {"reference": "EUR", "partner": {"day": "250"}}})).await;
    let mut offers = Vec::new();
    for n in 0..8 {
        let user = world.user(&format!("user-{n}"));
        user.fund("500").await;
        let card = user.card(PAID).await;
        let made = user.offer(&card, "100").await;
        offers.push((user, made));
    }
    let pays = offers.iter().map(|(user, made)| user.pay(&made["offerId"]));
    let answers = futures_util::future::join_all(pays).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(paid, 2, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(400, "LIMIT_EXCEEDED");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_pair_has_no_new_offers_and_open_ones_are_paid() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card = alice.card(PAID).await;
    let open = alice.offer(&card, "100").await;
    world.terms("demo", Mode::Test, json!({"pairs": ["BTC/EUR"]})).await;
    quoted(&alice, &card, "100").await.refused(400, "PAIR_NOT_SUPPORTED");
    let changed = json!({"amount": "120", "fromCurrency": "USDT", "toCurrency": "EUR"});
    alice.put(&format!("/v4/payout/offer/{}", open["offerId"]), &changed).await.refused(400, "PAIR_NOT_SUPPORTED");
    let data = alice.get("/v4/payout/data").await.ok();
    assert!(data.to_string().contains("BTC") && !data["pairs"].to_string().contains("USDT"), "{data}");
    assert_eq!(alice.pay(&open["offerId"]).await.ok()["status"], "SUCCESS");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_goes_by_new_terms_within_a_second() {
    let world = World::new().await;
    let second =
        App::build(world.app.settings.clone(), Arc::new(world.clock.clone()), world.test_db.db()).await.unwrap();
    let user = world.wallet_user("alice").await;
    let alice = world.user("alice");
    let card = CardId(alice.card(PAID).await.as_i64().unwrap());
    let running = second.start(false).unwrap();
    let rate = async |app: &App| {
        let input = OfferInput {
            amount: Some("100".to_owned()),
            currency_from: "USDT".to_owned(),
            currency_to: "EUR".to_owned(),
            ..OfferInput::default()
        };
        app.wallet.create_offer(&user, input, card).await.unwrap().rate
    };
    for _ in 0..200 {
        let board = second.rates.board(Mode::Test).unwrap();
        let pairs: Vec<_> = second.wallet.house.pairs.iter().copied().collect();
        if board.is_ready(&pairs, world.clock.now()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let before = rate(&second).await;
    world.terms("demo", Mode::Test, json!({"spread": "0.3"})).await;
    assert!(rate(&world.app).await < before, "here at once");
    world.advance(2);
    world.rates_ready().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(rate(&second).await < before, "there when its snapshot is older than a second");
    running.stopped().await;
    second.db.close();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_documents_are_named_whole_and_change_nothing() {
    let world = World::new().await;
    world.terms("demo", Mode::Test, json!({"spread": "0.01"})).await;
    let wrong = json!({
        "spread": "2", "pairs": ["DOGE/EUR"], "limits": {"reference": "EUR", "offer_max": "1"}, "statement_descriptor": "Ä",
        "fee_schedules": [{"id": "x", "rules": [{"kind": "fixed", "min": "2", "max": "1"}]}], "kyc": 1,
    });
    let refused = world.try_terms("demo", Mode::Test, wrong).await.unwrap_err();
    let Refusal::Invalid(problems) = refused else { panic!("{refused:?}") };
    let keys: Vec<_> = problems.iter().map(|problem| problem.detail.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["kyc", "spread", "fee_schedules[0]", "limits.offer_min", "pairs[0]", "statement_descriptor"]);
    assert_eq!(world.count("SELECT count(*) FROM partner_terms").await, 1);
    assert!(matches!(
        world.try_terms("house", Mode::Test, json!({})).await,
        Err(Refusal::Conflict { code: "HOUSE_TERMS", .. })
    ));
    // One who wrote for another version than the one in force.
    let author = Author::new(world.tenant("demo", Mode::Test).await, "cli:ada".to_owned(), None);
    for follows in [0, 2, -1] {
        let new = NewTerms { document: json!({}), reason: "agreed".to_owned(), follows };
        let refused = world.app.gateway.set_terms(&author, &new).await;
        assert!(matches!(refused, Err(Refusal::Conflict { code: "VERSION_CONFLICT", .. })), "{refused:?}");
    }
    let new = NewTerms { document: json!({}), reason: "no".to_owned(), follows: 1 };
    assert!(matches!(world.app.gateway.set_terms(&author, &new).await, Err(Refusal::Invalid(_))));
    // Of many at once, one is next.
    let new = NewTerms { document: json!({}), reason: "at once".to_owned(), follows: 1 };
    let at_once = (0..8).map(|_| world.app.gateway.set_terms(&author, &new));
    let made = futures_util::future::join_all(at_once).await.into_iter().filter(Result::is_ok).count();
    assert_eq!((made, world.count("SELECT count(*) FROM partner_terms").await), (1, 2));
    let audited = "SELECT count(*) FROM audit WHERE action = 'partner_terms.set'";
    assert_eq!(world.count(audited).await, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_cannot_be_read_refuse_their_partner_alone_until_they_are_mended() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card = alice.card(PAID).await;
    let (paid, open) = (alice.offer(&card, "100").await, alice.offer(&card, "100").await);
    alice.pay(&paid["offerId"]).await.ok();
    let backend = world.backend().await;
    backend.funded("USD", "100").await;
    let known = crate::world::with(&sample(&world.point().await), "reference_id", json!("known"));
    backend.asked(known.clone()).await;
    world.partner("other").await;
    world.unreadable_terms("demo").await;
    for answer in [
        alice.get("/v4/payout/data").await,
        quoted(&alice, &card, "100").await,
        alice.get(&format!("/v4/payout/offer/{}", open["offerId"])).await,
        alice.pay(&open["offerId"]).await,
        alice.post("/v4/payout/card", &crate::world::card("5555555555554444")).await,
    ] {
        answer.refused(503, "TERMS_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), Some("10"));
    }
    assert_eq!(world.count("SELECT count(*) FROM card").await, 1, "nothing was written");
    let refused = backend.ask(sample(&world.point().await)).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (503, &json!("TERMS_UNAVAILABLE")));
    // What was taken before is told as it stands.
    assert_eq!(alice.pay(&paid["offerId"]).await.ok()["status"], "SUCCESS");
    assert!(matches!(backend.ask(known).await.status, 200 | 201));
    alice.get("/v4/payout/history").await.ok();
    assert!(world.app.gateway.terms_in_force(world.tenant("other", Mode::Test).await).await.is_ok());
    world.advance(5);
    quoted(&alice, &card, "100").await.refused(503, "TERMS_UNAVAILABLE");
    world.terms("demo", Mode::Test, json!({})).await;
    world.rates_ready().await;
    quoted(&alice, &card, "100").await.ok();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_kept_as_they_are() {
    let world = World::new().await;
    world.terms("demo", Mode::Test, json!({"spread": "0.01"})).await;
    let (client, driver) = world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    for statement in [
        "UPDATE partner_terms SET body = '{}'",
        "DELETE FROM partner_terms",
        "TRUNCATE partner_terms",
        "INSERT INTO partner_terms SELECT partner_id, mode, 3, body, reason, created_by, created_at FROM partner_terms",
        "INSERT INTO partner_terms SELECT partner_id, mode, 1, body, reason, created_by, created_at FROM partner_terms",
    ] {
        assert!(client.batch_execute(statement).await.is_err(), "{statement}");
    }
    driver.abort();
    world.stop().await;
}

/// Each part by itself over a house that has another value for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_terms_leave_out_stays_the_houses() {
    let world = World::with(|settings| {
        settings.pricing.spread = ExactText("0.04".to_owned());
    })
    .await;
    let house = world.app.wallet.house.clone();
    world.terms("demo", Mode::Test, json!({"statement_descriptor": "DEMO PAYOUT"})).await;
    let in_force = world.app.gateway.terms_in_force(world.tenant("demo", Mode::Test).await).await.unwrap();
    assert_eq!(in_force.descriptor.as_ref().unwrap().as_str(), "DEMO PAYOUT");
    assert_eq!((&in_force.book.spreads, &in_force.book.fees), (&house.spreads, &house.fees));
    assert_eq!((&in_force.book.limits, &in_force.book.pairs), (&house.limits, &house.pairs));
    // Each request keeps the one that it came in under.
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card = alice.card(PAID).await;
    let made = alice.offer(&card, "100").await;
    alice.pay(&made["offerId"]).await.ok();
    let backend = world.backend().await;
    backend.funded("USD", "100").await;
    backend.asked(sample(&world.point().await)).await;
    let kept = "SELECT count(*) FROM payout_request WHERE statement_descriptor = 'DEMO PAYOUT'";
    assert_eq!(world.count(kept).await, 2);
    world.terms("demo", Mode::Test, json!({})).await;
    backend.asked(sample(&world.point().await)).await;
    assert_eq!(world.count("SELECT count(*) FROM payout_request WHERE statement_descriptor IS NULL").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_reads_what_is_in_force_for_it() {
    let world = World::new().await;
    world.partner("other").await;
    let (demo, other) = (world.backend().await, world.backend_of("other", Mode::Test, &Scope::ALL).await);
    let house = other.get("/v1/partner-terms").await.data(200);
    assert_eq!((&house["type"], &house["id"]), (&json!("partner-terms"), &json!("test")));
    assert_eq!(house["attributes"]["version"], Value::Null);
    let document = json!({
        "spread": "0.01", "pairs": ["BTC/EUR"], "statement_descriptor": "DEMO PAYOUT",
        "fee_schedules": [{"id": "visa", "card_schemes": ["VISA"], "rules": [{"kind": "fixed", "fixed_target": 1.50}]}],
        "limits": {"reference": "EUR", "offer_max": "500", "card": {"day": "700"}},
    });
    world.terms("demo", Mode::Test, document).await;
    let own = demo.get("/v1/partner-terms").await.data(200)["attributes"].clone();
    assert_eq!(own["version"], 1);
    assert_eq!(own["pairs"], json!([{"pair": "BTC/EUR", "spread": "0.01"}]));
    assert_eq!(own["statement_descriptor"], "DEMO PAYOUT");
    assert_eq!(own["fee_schedules"][0]["id"], "demo@1/visa");
    assert_eq!(own["fee_schedules"][0]["rules"][0]["fixed_target"], "1.5");
    // Behind its own, what the house charges.
    assert_eq!(own["fee_schedules"][1], house["attributes"]["fee_schedules"][0]);
    assert_eq!((&own["limits"]["offer_max"], &own["limits"]["card"]["day"]), (&json!("500"), &json!("700")));
    assert_eq!(own["limits"]["offer_min"], house["attributes"]["limits"]["offer_min"]);
    // Nobody else's changed.
    assert_eq!(other.get("/v1/partner-terms").await.data(200), house);
    let poor = world.backend_with(&[Scope::PayoutsRead]).await;
    poor.get("/v1/partner-terms").await.errors(403, &[("SCOPE_MISSING", "")]);
    world.unreadable_terms("demo").await;
    let refused = demo.get("/v1/partner-terms").await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["code"]), (503, &json!("TERMS_UNAVAILABLE")));
    world.stop().await;
}
