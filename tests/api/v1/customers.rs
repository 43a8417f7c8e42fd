//! Customers.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_kept_and_changed_by_version() {
    let world = World::new().await;
    let partner = world.backend().await;
    let attributes = json!({
        "reference_id": "user-1", "email": "alice@example.com", "name": "Alice", "country": "DE",
        "metadata": { "segment": "gold" }, "kyc_level": 2, "test_mode": true,
    });
    let made = partner.post("/v1/customers", "customer", attributes.clone()).await.data(201);
    let path = made["links"]["self"].as_str().unwrap();
    assert_eq!(made["attributes"]["metadata"], json!({ "segment": "gold" }));
    assert_eq!((&made["attributes"]["version"], &made["attributes"]["blocked"]), (&json!(1), &json!(false)));
    assert_eq!(partner.get(path).await.data(200), made);
    partner.post("/v1/customers", "customer", attributes).await.errors(409, &[("REFERENCE_TAKEN", "")]);

    let change = json!({ "version": 1, "email": null, "blocked": true });
    let changed = partner.patch(path, "customer", change.clone()).await.data(200);
    let attributes = &changed["attributes"];
    assert_eq!(
        (&attributes["version"], &attributes["email"], &attributes["name"]),
        (&json!(2), &json!(null), &json!("Alice"))
    );
    assert_eq!(attributes["blocked"], json!(true));
    partner.patch(path, "customer", change).await.errors(409, &[("VERSION_CONFLICT", "")]);
    let audited =
        "SELECT count(*) FROM audit WHERE object LIKE 'cus_%' AND action IN ('customer.create', 'customer.change')";
    assert_eq!(world.count(audited).await, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_of_one_version_one_is_done() {
    let world = World::new().await;
    let partner = world.backend().await;
    let made = partner.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await.data(201);
    let path = made["links"]["self"].as_str().unwrap();
    let changes = (0..20).map(|n| partner.patch(path, "customer", json!({ "version": 1, "name": format!("n{n}") })));
    let answers = futures_util::future::join_all(changes).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 19);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_customers_are_refused() {
    let world = World::new().await;
    let partner = world.backend().await;
    let attributes =
        json!({ "reference_id": "a", "email": "nobody", "country": "de", "kyc_level": 4, "metadata": { "a": 1 } });
    partner
        .post("/v1/customers", "customer", attributes)
        .await
        .errors(422, &[("WRONG_TYPE", "/data/attributes/metadata/a"), ("OUT_OF_RANGE", "/data/attributes/kyc_level")]);
    let attributes = json!({ "reference_id": "a", "email": "nobody", "country": "de" });
    partner
        .post("/v1/customers", "customer", attributes)
        .await
        .errors(422, &[("INVALID_VALUE", "/data/attributes/email"), ("INVALID_VALUE", "/data/attributes/country")]);
    let attributes =
        json!({ "reference_id": "a", "name": "4111 1111 1111 1111", "metadata": { "pan": "4111111111111111" } });
    partner
        .post("/v1/customers", "customer", attributes)
        .await
        .errors(422, &[("CARD_NUMBER", "/data/attributes/name"), ("CARD_NUMBER", "/data/attributes/metadata")]);
    let many: serde_json::Map<_, _> = (0..21).map(|n| (format!("k{n}"), json!("v"))).collect();
    partner
        .post("/v1/customers", "customer", json!({ "reference_id": "a", "metadata": many }))
        .await
        .errors(422, &[("TOO_MANY", "/data/attributes/metadata")]);
    assert_eq!(world.count("SELECT count(*) FROM customer").await, 0);
    world.stop().await;
}
