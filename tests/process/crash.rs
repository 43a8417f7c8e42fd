//! kill -9 between acceptance and payment: the payout is finished by the next process, once.

use std::time::Duration;

use crate::server::Place;

async fn funded(place: &Place) -> String {
    place.says(&["fund", "--user", "alice", "--asset", "USDT", "--amount", "1000"]).await;
    place.says(&["token", "--user", "alice", "--kyc", "1"]).await
}

async fn assert_paid_once(place: &Place) {
    let report = place.says(&["verify"]).await;
    assert!(!report.contains("BROKEN"), "{report}");
    let payments = place.test_db.count("SELECT count(*) FROM test_payment").await;
    assert_eq!(payments, 1, "the provider's own book");
    let successes = place.test_db.count("SELECT count(*) FROM payout WHERE status = 'processed'").await;
    assert_eq!(successes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_after_acceptance_pays_when_it_is_started_again() {
    let place = Place::new().await;
    let token = funded(&place).await;
    // No worker: what is accepted stays undone.
    let first = place.serve("api").await;
    let offer = first.offer(&token).await;
    assert_eq!(first.pay(&token, &offer).await["status"], "PENDING");
    first.kill().await;

    let second = place.serve("api,worker").await;
    assert_eq!(second.outcome(&token, &offer).await["status"], "SUCCESS");
    assert_eq!(second.pay(&token, &offer).await["status"], "SUCCESS");
    assert!(second.stop().await.success());
    assert_paid_once(&place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_sends_asks_before_it_sends_again() {
    for killed_after_ms in [150, 450] {
        let mut place = Place::new().await;
        place.set("LANDFALL__PROVIDERS__TEST__LATENCY_MS", "300");
        place.set("LANDFALL__PROVIDERS__TEST__SEND_TIMEOUT_MS", "1000");
        // Every adapter's, whether it is used or not: the lease outlasts each of them twice.
        for timeout in [
            "LANDFALL__PROVIDERS__HTTP__SEND_TIMEOUT_MS",
            "LANDFALL__PROVIDERS__ADYEN__SEND_TIMEOUT_MS",
            "LANDFALL__PROVIDERS__CHECKOUT__SEND_TIMEOUT_MS",
            "LANDFALL__PROVIDERS__TABAPAY__SEND_TIMEOUT_MS",
            "LANDFALL__PROVIDERS__WORLDPAY__SEND_TIMEOUT_MS",
        ] {
            place.set(timeout, "1000");
        }
        place.set("LANDFALL__PROVIDERS__TEST__SETTLING_TIME_MS", "200");
        place.set("LANDFALL__WORKER__LEASE_MS", "2000");
        place.set("LANDFALL__WORKER__POLL_MS", "20");
        let token = funded(&place).await;
        let first = place.serve("api,worker").await;
        let offer = first.offer(&token).await;
        first.pay(&token, &offer).await;
        tokio::time::sleep(Duration::from_millis(killed_after_ms)).await;
        first.kill().await;

        let second = place.serve("api,worker").await;
        assert_eq!(second.outcome(&token, &offer).await["status"], "SUCCESS");
        assert!(second.stop().await.success());
        assert_paid_once(&place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_over_one_database_pay_each_offer_once() {
    let place = Place::new().await;
    let token = funded(&place).await;
    let (a, b) = tokio::join!(place.serve("api,worker"), place.serve("api,worker"));
    let mut offers = Vec::new();
    for _ in 0..5 {
        offers.push(a.offer(&token).await);
    }
    for offer in &offers {
        let (x, y) = tokio::join!(a.pay(&token, offer), b.pay(&token, offer));
        assert_eq!((&x["offerId"], &x["amountTo"]), (&y["offerId"], &y["amountTo"]));
    }
    for offer in &offers {
        assert_eq!(b.outcome(&token, offer).await["status"], "SUCCESS");
    }
    assert!(a.stop().await.success());
    assert!(b.stop().await.success());
    assert_eq!(place.test_db.count("SELECT count(*) FROM test_payment").await, 5);
    let report = place.says(&["verify"]).await;
    assert!(!report.contains("BROKEN"), "{report}");
}
