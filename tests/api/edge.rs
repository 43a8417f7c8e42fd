//! Around every route: paths, methods, sizes, languages, request ids, headers.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{PAID, World, card};

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_have_the_shape_of_errors() {
    let world = World::new().await;
    let alice = world.user("alice");
    for path in
        ["/v4", "/v4/payout/data/", "/v4//payout/data", "/v4/payout/nothing", "/..%2f", "/v4/payout/card/1/x", "/%00"]
    {
        alice.get(path).await.refused(404, "NOT_FOUND");
    }
    let answer = alice.get("/v4/payout/card").await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = alice.delete("/v4/payout/offer/1").await;
    answer.refused(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("GET, PUT"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_in_size_type_and_time() {
    let world = World::with(|settings| settings.http.client_timeout_ms = 2_000).await;
    let alice = world.user("alice");
    for size in [65_537, 100_000, 300_000] {
        let body = format!(r#"{{"cardHolder":"{}"}}"#, "x".repeat(size));
        alice.text(Method::POST, "/v4/payout/card", &body).await.refused(413, "REQUEST_TOO_LARGE");
    }
    let request = |kind: &'static str, value: &'static str| {
        let request = alice.request(Method::POST, "/v4/payout/card").body(card(PAID).to_string());
        request.header("Content-Type", "application/json").header(kind, value)
    };
    world.send(request("Content-Encoding", "gzip")).await.invalid("Content-Encoding");
    for other in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
    {
        let request = alice.request(Method::POST, "/v4/payout/card").body(card(PAID).to_string());
        world.send(request.header("Content-Type", other)).await.invalid("Content-Type");
    }
    assert_eq!(world.count("SELECT count(*) FROM card").await, 0);
    // A body that never comes.
    let address = world.url.strip_prefix("http://").unwrap();
    let mut slow = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v4/payout/card HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        world.token("alice", 3)
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let length = slow.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_its_own_id_and_language() {
    let world = World::new().await;
    let alice = world.user("alice");
    let answer = alice
        .header("X-Request-Id", "mine-1")
        .header("Accept-Language", "fr, uk;q=0.5")
        .get("/v4/payout/offer/x")
        .await;
    let body = answer.refused(400, "NOT_VALID_REQUEST_DATA");
    assert_eq!((&body["requestId"], &body["message"]), (&json!("mine-1"), &json!("Запит некоректний.")));
    let answer = alice.header("X-Request-Id", "<script>").get("/v4/payout/data").await;
    assert_eq!(answer.header("x-request-id").unwrap().len(), 36);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_carry_careful_headers() {
    let world = World::new().await;
    let read = world.user("alice").get("/v4/payout/data").await;
    // Its user's own cache may keep what was read, and asks each time.
    for (answer, caching) in [(read, "private, no-cache"), (world.get("/nowhere").await, "no-store")] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some(caching));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("server"), None);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_version_is_required_only_by_configuration() {
    let world = World::with(|settings| settings.http.sdk_version_required = true).await;
    let alice = world.user("alice");
    alice.get("/v4/payout/data").await.invalid("X-Sdk-Version");
    alice.header("X-Sdk-Version", "payoutCard=1.2").get("/v4/payout/data").await.ok();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_the_service_says_so() {
    let world = World::new().await;
    let alice = world.user("alice");
    alice.card(PAID).await;
    world.app.db.close();
    let answer = alice.get("/v4/payout/data").await;
    answer.refused(503, "SERVICE_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
    let keyed = alice.header("Idempotency-Key", "k");
    keyed.post("/v4/payout/card", &card(PAID)).await.refused(503, "SERVICE_UNAVAILABLE");
    world.stop().await;
}
