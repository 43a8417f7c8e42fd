//! What test mode does on demand: each line of the page's table, through the API.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use landfall::gateway::sandbox::ON_DEMAND;
use serde_json::json;

use super::requests::{manual, sample};
use crate::world::{PAID, World};

/// The path of the table's line about `what`.
fn path(what: &str, id: &str) -> String {
    ON_DEMAND.iter().find(|line| line.what == what).unwrap().path.replace("{id}", id)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_expires_when_it_is_told_to_and_then_is_not_paid() {
    let world = World::new().await;
    let (alice, backend) = (world.user("alice"), world.backend().await);
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let expire = path("an offer expires", &offer["offerId"].to_string());
    backend.act(&expire).await.data(200);
    assert_eq!(alice.get(&format!("/v4/payout/offer/{}", offer["offerId"])).await.ok()["status"], "EXPIRED");
    alice.pay(&offer["offerId"]).await.refused(400, "OFFER_EXPIRED");
    backend.act(&expire).await.errors(409, &[("NOT_OPEN", "")]);
    let paid = alice.offer(&card_id, "100").await;
    alice.pay(&paid["offerId"]).await.ok();
    backend.act(&path("an offer expires", &paid["offerId"].to_string())).await.errors(409, &[("NOT_OPEN", "")]);
    assert_eq!(alice.get(&format!("/v4/payout/offer/{}", paid["offerId"])).await.ok()["status"], "PAID");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_expires_and_gives_back_what_it_held() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.funded("USD", "100").await;
    let made = backend.asked(manual(&world.point().await)).await;
    assert_eq!(made["attributes"]["status"], "ready");
    let before = backend.funds("USD").await;
    assert_ne!(before.1, "0");
    let id = made["id"].as_str().unwrap();
    backend.act(&path("a payout request expires", id)).await.data(200);
    let over = backend.get(&format!("/v1/payout-gateway/payout-requests/{id}")).await.data(200);
    assert_eq!((&over["attributes"]["status"], &over["attributes"]["final"]), (&json!("expired"), &json!(true)));
    assert_eq!(backend.funds("USD").await.1, "0");
    backend.act(&path("a payout request expires", id)).await.errors(409, &[("NOT_OPEN", "")]);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_expires_and_holds_again_once_it_is_added_again() {
    let world = World::new().await;
    let (alice, backend) = (world.user("alice"), world.backend().await);
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    backend.act(&path("a user's card expires", &card_id.to_string())).await.data(200);
    assert_eq!(alice.get("/v4/payout/data").await.ok()["cards"][0]["validationStatus"], "EXPIRED");
    alice.pay(&offer["offerId"]).await.refused(400, "CARD_EXPIRED");
    assert_eq!(alice.card(PAID).await, card_id);
    assert_eq!(alice.pay(&offer["offerId"]).await.ok()["status"], "SUCCESS");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_request_comes_back_once_and_its_money_with_it() {
    let world = World::new().await;
    let backend = world.backend().await;
    backend.funded("USD", "100").await;
    let before = backend.funds("USD").await;
    let paid = backend.asked(sample(&world.point().await)).await;
    let id = paid["id"].as_str().unwrap();
    let come_back = path("a payout request comes back", id);
    let unpaid = backend.asked(manual(&world.point().await)).await;
    let early = path("a payout request comes back", unpaid["id"].as_str().unwrap());
    backend.act(&early).await.errors(409, &[("NOT_PAID", "")]);
    let paid = backend.until(&paid["id"], "processed").await;
    // Twice at once: the money comes back once.
    let (one, other) = tokio::join!(backend.act(&come_back), backend.act(&come_back));
    for answer in [one, other] {
        assert!([200, 409].contains(&answer.status), "{}", answer.text);
    }
    let over = backend.until(&paid["id"], "returned").await;
    assert_eq!(over["attributes"]["returned_amount"], paid["attributes"]["processed_amount"]);
    backend.act(&come_back).await.errors(409, &[("NOT_PAID", "")]);
    backend.act(&path("a payout request expires", unpaid["id"].as_str().unwrap())).await.data(200);
    assert_eq!(backend.funds("USD").await, before);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offers_payout_comes_back_to_its_user() {
    let world = World::new().await;
    let (alice, backend) = (world.user("alice"), world.backend().await);
    alice.fund("300").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let come_back = path("an offer's payout comes back", &offer["offerId"].to_string());
    backend.act(&come_back).await.errors(409, &[("NOT_PAID", "")]);
    assert_eq!(alice.pay(&offer["offerId"]).await.ok()["status"], "SUCCESS");
    let left = async || alice.get("/v4/payout/data").await.ok()["cards"][0]["pairsLimits"][9]["allAmountFrom"].as_f64();
    let before = left().await;
    backend.act(&come_back).await.data(200);
    assert_eq!(alice.get(&format!("/v4/payout/pay/{}", offer["offerId"])).await.ok()["status"], "RETURNED");
    assert!(left().await > before, "{before:?}");
    backend.act(&come_back).await.errors(409, &[("NOT_PAID", "")]);
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_it_is_there_in_live_mode_or_for_another_partner() {
    let world = World::new().await;
    world.partner("acme").await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let live = world.backend_of("demo", Mode::Live, &[Scope::PayoutsWrite]).await;
    let stranger = world.backend_of("acme", Mode::Test, &[Scope::PayoutsWrite]).await;
    for line in &ON_DEMAND {
        let id = match line.path.split('/').nth(3) {
            Some("offers") => offer["offerId"].to_string(),
            Some("cards") => card_id.to_string(),
            _ => "porq_00000000000000000000000000000000".to_owned(),
        };
        for backend in [&live, &stranger] {
            backend.act(&line.path.replace("{id}", &id)).await.errors(404, &[("NOT_FOUND", "")]);
        }
    }
    assert_eq!(alice.get(&format!("/v4/payout/offer/{}", offer["offerId"])).await.ok()["status"], "QUOTED");
    world.stop().await;
}
