//! The form of documents, media types and errors, whatever the resource.

use reqwest::Method;
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_path_under_v1_answers_in_this_apis_form() {
    let world = World::new().await;
    let partner = world.backend().await;
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/customers/", "/v1/api-keys/x/y/z", "/v1/%00"] {
        partner.get(path).await.errors(404, &[("NOT_FOUND", "")]);
    }
    let answer = partner.text(Method::DELETE, "/v1/customers", "").await;
    answer.errors(405, &[("METHOD_NOT_ALLOWED", "")]);
    assert_eq!(answer.header("allow"), Some("GET, POST"));
    let large = format!(r#"{{"data":"{}"}}"#, "x".repeat(70_000));
    partner.text(Method::POST, "/v1/customers", &large).await.errors(413, &[("REQUEST_TOO_LARGE", "")]);
    // Providers' callbacks keep their form.
    partner.act("/v1/provider-callbacks/x").await.refused(404, "NOT_FOUND");
    world.app.db.close();
    let answer = partner.get("/v1/customers").await;
    answer.errors(503, &[("SERVICE_UNAVAILABLE", "")]);
    assert!(answer.header("retry-after").is_some());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_types_are_answered_as_they_come() {
    let world = World::new().await;
    let partner = world.backend().await;
    let document = json!({ "data": { "type": "customer", "attributes": { "reference_id": "a" } } }).to_string();
    let post =
        |kind: &str| partner.request(Method::POST, "/v1/customers").header("Content-Type", kind).body(document.clone());
    // Plain curl.
    let answer = world.send(post("application/json")).await;
    answer.data(201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = world.send(post("application/vnd.api+json")).await;
    answer.errors(409, &[("REFERENCE_TAKEN", "")]);
    assert_eq!(answer.header("content-type"), Some("application/vnd.api+json"));
    world.send(post("text/plain")).await.errors(415, &[("UNSUPPORTED_MEDIA_TYPE", "Content-Type")]);
    world
        .send(post("application/json").header("Content-Encoding", "gzip"))
        .await
        .errors(415, &[("UNSUPPORTED_MEDIA_TYPE", "Content-Encoding")]);
    partner.header("Accept", "text/html").get("/v1/customers").await.errors(406, &[("NOT_ACCEPTABLE", "")]);
    let answer = partner.header("Accept", "application/json").get("/v1/customers").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_document_is_told_by_pointers() {
    let world = World::new().await;
    let partner = world.backend().await;
    let post = async |body: &str| partner.text(Method::POST, "/v1/customers", body).await;
    for body in ["", "{", "null x", r#"{"data":}"#, "\u{feff}{}"] {
        post(body).await.errors(400, &[("MALFORMED_JSON", "")]);
    }
    post("[]").await.errors(422, &[("WRONG_TYPE", "")]);
    post("{}").await.errors(422, &[("MISSING", "/data")]);
    post(r#"{"data":{"attributes":{}}}"#)
        .await
        .errors(422, &[("MISSING", "/data/type"), ("MISSING", "/data/attributes/reference_id")]);
    post(r#"{"data":{"type":"customers","attributes":{}}}"#).await.errors(409, &[("TYPE_MISMATCH", "/data/type")]);
    post(r#"{"data":{"type":"customer","id":"cus_1","attributes":{"reference_id":"a"}},"included":[]}"#)
        .await
        .errors(422, &[("UNKNOWN_MEMBER", "/included"), ("UNKNOWN_MEMBER", "/data/id")]);
    post(r#"{"data":{"type":"customer","attributes":{"reference_id":"a","cvv":"123","reference_id":"b"}}}"#)
        .await
        .errors(422, &[("DUPLICATE_MEMBER", "/data/attributes/reference_id")]);
    post(r#"{"data":{"type":"customer","attributes":{"reference_id":"a","card_cvv":"123"}}}"#)
        .await
        .errors(422, &[("FORBIDDEN_MEMBER", "/data/attributes/card_cvv")]);
    let pointless = partner.act("/v1/customers?x=1").await;
    pointless.errors(400, &[("UNKNOWN_PARAMETER", "x")]);
    assert_eq!(world.count("SELECT count(*) FROM customer").await, 0);
    world.stop().await;
}
