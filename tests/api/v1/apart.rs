//! What is another partner's, or of the other mode, doesn't exist.

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use reqwest::Method;
use serde_json::json;

use super::Partner;
use super::requests::{REQUESTS, manual, path_of, sample};
use crate::world::{World, with};

const BATCHES: &str = "/v1/payout-gateway/batches";

async fn sees_nothing(stranger: &Partner<'_>, request: &str, payout: &str, batch: &str) {
    for path in [
        request.to_owned(),
        format!("{request}/payouts"),
        format!("{request}/events"),
        payout.to_owned(),
        batch.to_owned(),
        format!("{batch}/items"),
        format!("{batch}/problems"),
    ] {
        stranger.get(&path).await.errors(404, &[("NOT_FOUND", "")]);
    }
    for path in ["process", "cancel", "terminate"].map(|verb| format!("{request}/{verb}")) {
        stranger.act(&path).await.errors(404, &[("NOT_FOUND", "")]);
    }
    for path in ["process", "terminate"].map(|verb| format!("{batch}/{verb}")) {
        stranger.act(&path).await.errors(404, &[("NOT_FOUND", "")]);
    }
    let change = json!({ "options": { "allow_partially": true } });
    stranger.patch(request, "payout-request", change).await.errors(404, &[("NOT_FOUND", "")]);
    for list in [
        REQUESTS,
        "/v1/payout-gateway/payouts",
        BATCHES,
        "/v1/events",
        "/v1/partner-accounts/statement",
        "/v1/partner-accounts",
    ] {
        assert_eq!(stranger.get(list).await.data(200), json!([]), "{list}");
    }
    let id = request.rsplit('/').next().unwrap();
    for list in ["/v1/payout-gateway/payouts", "/v1/events"] {
        assert_eq!(stranger.get(&format!("{list}?filter[request_id]={id}")).await.data(200), json!([]));
    }
    let id = batch.rsplit('/').next().unwrap();
    assert_eq!(stranger.get(&format!("{REQUESTS}?filter[batch_id]={id}")).await.data(200), json!([]));
    assert_eq!(stranger.get(&format!("{REQUESTS}?filter[reference_id]=mine")).await.data(200), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_partners_and_the_other_mode_see_nothing_and_change_nothing() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let point = world.point().await;
    let paid = partner.asked(sample(&point)).await;
    partner.until(&paid["id"], "processed").await;
    let payouts = partner.get(&format!("{}/payouts", path_of(&paid))).await.data(200);
    let request = partner.asked(with(&manual(&point), "reference_id", json!("mine"))).await;
    let file = "service,service_amount,fields.account\ntest_usd,1,a\n";
    let batch = partner.upload(&point, "b", file).await.data(201);

    world.partner("other").await;
    let other = world.backend_of("other", Mode::Test, &Scope::ALL).await;
    let live: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::FundsWrite).collect();
    let live = world.backend_of("demo", Mode::Live, &live).await;
    for stranger in [&other, &live] {
        sees_nothing(stranger, &path_of(&request), &path_of(&payouts[0]), &path_of(&batch)).await;
    }
    // Nor is there the other's payout point, and a test request isn't asked for by a live key.
    other.ask(sample(&point)).await.errors(422, &[("UNKNOWN_POINT", "/data/attributes/point_id")]);
    other.upload(&point, "b", file).await.errors(422, &[("UNKNOWN_POINT", "point_id")]);
    live.ask(sample(&point)).await.errors(422, &[("MODE_MISMATCH", "/data/attributes/test_mode")]);
    let mut silent = sample(&point);
    silent.as_object_mut().unwrap().remove("test_mode");
    live.ask(silent).await.errors(422, &[("UNKNOWN_POINT", "/data/attributes/point_id")]);
    let credit = json!({ "reference_id": "a", "currency": "USD", "amount": 1, "partner": "demo" });
    other
        .post("/v1/partner-accounts/credits", "partner-credit", credit)
        .await
        .errors(422, &[("INVALID_VALUE", "/data/attributes/partner")]);
    let still = partner.get(&path_of(&request)).await.data(200);
    assert_eq!(
        (&still["attributes"]["status"], &still["attributes"]["updated"]),
        (&json!("ready"), &request["attributes"]["updated"])
    );
    partner.text(Method::GET, &path_of(&batch), "").await.data(200);
    world.verified().await;
    world.stop().await;
}
