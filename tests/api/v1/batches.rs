//! Batches over HTTP: a file becomes payout requests, its bad lines are told, and nothing is sent before it is processed.

use reqwest::Method;
use serde_json::{Value, json};

use super::Partner;
use super::lists::walk;
use super::requests::{REQUESTS, path_of};
use crate::world::{Answer, World};

const BATCHES: &str = "/v1/payout-gateway/batches";

impl Partner<'_> {
    pub async fn upload(&self, point: &str, name: &str, file: impl Into<reqwest::Body>) -> Answer {
        let path = format!("{BATCHES}?point_id={point}&name={name}");
        self.world.send(self.request(Method::POST, &path).header("Content-Type", "text/csv").body(file)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_reported_by_line_edited_and_processed() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let point = world.point().await;
    let file = "\u{feff}service;service_amount;fields.account;reference_id;description;customer\r\n\
                test_usd;10;a;one;\"Rent; of \"\"May\"\"\";c-1\r\n\
                test_usd;ten;a;two;;\r\n\
                test_usd;10;a;one;;\r\n\
                nothing_usd;1;a;;;\r\n\
                test_usd;20;;waits;;\r\n\
                test_usd;5;a;;;c-1\r\n";
    let made = partner.upload(&point, "May%20rents", file).await.data(201);
    let attributes = &made["attributes"];
    assert_eq!((&attributes["name"], &attributes["status"]), (&json!("May rents"), &json!("ready")));
    assert_eq!(
        (&attributes["rows"], &attributes["items"], &attributes["rows_skipped"]),
        (&json!(6), &json!(3), &json!(3))
    );
    assert_eq!(attributes["progress"], json!({ "ready": 2, "waiting_details": 1 }));
    let path = path_of(&made);
    let problems = partner.get(&format!("{path}/problems")).await.data(200);
    let told: Vec<Value> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["attributes"])
        .map(|one| json!([one["line"], one["column"], one["code"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([3, "service_amount", "INVALID_AMOUNT"]),
            json!([4, "reference_id", "DUPLICATE_REFERENCE"]),
            json!([5, "service", "UNKNOWN_SERVICE"]),
        ]
    );
    let paged = walk(&partner, &format!("{path}/problems?page[size]=1"), async || ()).await;
    assert_eq!(paged.len(), 3);
    let items = walk(&partner, &format!("{path}/items?page[size]=2"), async || ()).await;
    assert_eq!(items.len(), 3);
    let listed = partner.get(&format!("{REQUESTS}?filter[batch_id]={}", made["id"].as_str().unwrap())).await.data(200);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let item = |n: usize| format!("{REQUESTS}/{}", items[n]);
    let first = partner.get(&item(0)).await.data(200);
    assert_eq!(first["attributes"]["description"], "Rent; of \"May\"");
    assert_eq!((&first["attributes"]["batch_id"], &first["attributes"]["batch_row"]), (&made["id"], &json!(1)));

    // An item is edited until the batch is processed.
    let edited =
        partner.patch(&item(0), "payout-request", json!({ "service_amount": "12.50", "description": "x" })).await;
    assert_eq!(edited.data(200)["attributes"]["service_amount"], "12.5");
    assert_eq!(partner.funds("USD").await, ("62.5".to_owned(), "37.5".to_owned()));
    partner.patch(&item(1), "payout-request", json!({ "fields": { "account": "b" } })).await.data(200);
    let keyed = partner.header("Idempotency-Key", "go");
    for _ in 0..2 {
        assert_eq!(keyed.act(&format!("{path}/process")).await.data(200)["attributes"]["status"], "processing");
    }
    for id in &items {
        partner.until(&json!(id), "processed").await;
    }
    let done = partner.get(&path).await.data(200);
    assert_eq!(
        (&done["attributes"]["status"], &done["attributes"]["progress"]),
        (&json!("processed"), &json!({ "processed": 3 }))
    );
    partner
        .patch(&item(0), "payout-request", json!({ "service_amount": 1 }))
        .await
        .errors(409, &[("REQUEST_FINAL", "")]);
    assert_eq!(partner.funds("USD").await, ("62.5".to_owned(), "0".to_owned()));

    let again = partner.upload(&point, "again", file).await.data(201);
    assert_eq!((&again["attributes"]["same_file_as"], &again["attributes"]["items"]), (&made["id"], &json!(1)));
    let ended = partner.act(&format!("{}/terminate", path_of(&again))).await.data(200);
    assert_eq!(
        (&ended["attributes"]["status"], &ended["attributes"]["progress"]),
        (&json!("terminated"), &json!({ "terminated": 1 }))
    );
    partner.act(&format!("{}/process", path_of(&again))).await.errors(409, &[("BATCH_TERMINATED", "")]);
    let all = partner.get(BATCHES).await.data(200);
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(partner.funds("USD").await, ("62.5".to_owned(), "0".to_owned()));
    world.verified().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_refused_whole() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "100000").await;
    let point = world.point().await;
    let rows = |count: usize| format!("service,service_amount,fields.account\n{}", "test_usd,1,a\n".repeat(count));
    for (file, code) in [
        (rows(10_000).into_bytes(), "TOO_MANY_ROWS"),
        (rows(1_001).into_bytes(), "TOO_MANY_ROWS"),
        (Vec::new(), "EMPTY_FILE"),
        (b"service,service_amount\n".to_vec(), "EMPTY_FILE"),
        (b"service,service_amount\ntest_usd,1\ntest_usd,\xe9\n".to_vec(), "NOT_UTF8"),
        ("service,service_amount\ntest_usd,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect(), "NOT_UTF8"),
        (b"test_usd,1,4111111111111111\n".to_vec(), "UNKNOWN_COLUMN"),
        (b"service,service,service_amount\na,b,1\n".to_vec(), "DUPLICATE_COLUMN"),
        (b"service\ntest_usd\n".to_vec(), "MISSING_COLUMN"),
    ] {
        let answer = partner.upload(&point, "b", file).await;
        answer.errors(422, &[(code, "")]);
        assert!(!answer.text.contains("4111"), "{answer:?}");
    }
    let told = partner.upload(&point, "b", b"service,service_amount\ntest_usd,1\ntest_usd,\xe9\n".to_vec()).await;
    assert!(told.text.contains("line 3"), "{told:?}");
    partner.upload(&point, "b", vec![b'x'; 2 * 1024 * 1024 + 1]).await.errors(413, &[("REQUEST_TOO_LARGE", "")]);
    partner.upload(&point, "4111111111111111", rows(1)).await.errors(422, &[("CARD_NUMBER", "name")]);
    partner.upload(&point, &"n".repeat(201), rows(1)).await.errors(422, &[("WRONG_LENGTH", "name")]);
    let other = "pop_00000000000000000000000000000000";
    partner.upload(other, "b", rows(1)).await.errors(422, &[("UNKNOWN_POINT", "point_id")]);
    partner.upload("x", "b", rows(1)).await.errors(400, &[("INVALID_PARAMETER", "point_id")]);
    let post = |path: &str, kind: &str| partner.request(Method::POST, path).header("Content-Type", kind).body(rows(1));
    let path = format!("{BATCHES}?point_id={point}&name=b");
    for kind in ["application/json", "text/csv; charset=windows-1252", "multipart/form-data; boundary=x"] {
        world.send(post(&path, kind)).await.errors(415, &[("UNSUPPORTED_MEDIA_TYPE", "Content-Type")]);
    }
    for (query, code, parameter) in [
        (format!("?point_id={point}"), "INVALID_PARAMETER", "name"),
        ("?name=b".to_owned(), "INVALID_PARAMETER", "point_id"),
        (format!("?point_id={point}&name=b&name=c"), "INVALID_PARAMETER", "name"),
        (format!("?point_id={point}&name=b&when=now"), "UNKNOWN_PARAMETER", "when"),
    ] {
        world.send(post(&format!("{BATCHES}{query}"), "text/csv")).await.errors(400, &[(code, parameter)]);
    }
    assert_eq!(world.count("SELECT count(*) FROM batch").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 0);

    // As many as there may be, once for the key, and by another name with another key.
    let keyed = partner.header("Idempotency-Key", "file-1");
    let first = keyed.upload(&point, "b", rows(1_000)).await;
    assert_eq!(first.data(201)["attributes"]["progress"], json!({ "ready": 1000 }));
    assert_eq!(keyed.upload(&point, "b", rows(1_000)).await.text, first.text);
    keyed.upload(&point, "c", rows(1_000)).await.errors(422, &[("IDEMPOTENCY_MISMATCH", "")]);
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, 1_000);
    let items = walk(&partner, &format!("{}/items?page[size]=100", path_of(&first.data(201))), async || ()).await;
    assert_eq!(items.len(), 1_000);
    world.verified().await;
    world.stop().await;
}
