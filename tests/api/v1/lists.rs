//! Lists: whole, without repeats, while rows are added.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Partner;
use crate::world::World;

/// All ids of a list, page by page; `between` runs after each page.
pub async fn walk(partner: &Partner<'_>, first: &str, mut between: impl AsyncFnMut()) -> Vec<String> {
    let mut ids = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let answer = partner.get(&path).await;
        let page = answer.data(200);
        ids.extend(page.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
        next = answer.json()["links"]["next"].as_str().map(str::to_owned);
        between().await;
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_sees_every_row_exactly_once_while_rows_are_added() {
    let world = World::new().await;
    let partner = world.backend().await;
    let add = async |reference: String| {
        let made = partner.post("/v1/customers", "customer", json!({ "reference_id": reference })).await;
        made.data(201)["id"].as_str().unwrap().to_owned()
    };
    let mut before = BTreeSet::new();
    for n in 0..25 {
        // Some of the same moment: the id tells them apart.
        if n % 3 == 0 {
            world.advance(1);
        }
        before.insert(add(format!("before-{n}")).await);
    }
    let mut added = 0;
    for sort in ["-created", "created"] {
        let ids = walk(&partner, &format!("/v1/customers?page[size]=4&sort={sort}"), async || {
            world.advance(1);
            if added < 15 {
                added += 1;
                add(format!("during-{sort}-{added}")).await;
            }
        })
        .await;
        let unique: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(unique.len(), ids.len(), "a row came twice, sorted by {sort}");
        assert!(before.is_subset(&unique), "a row was missed, sorted by {sort}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_they_say_and_nothing_else() {
    let world = World::new().await;
    let partner = world.backend().await;
    for (reference, email) in [("a", "x@example.com"), ("b", "x@example.com"), ("c", "y@example.com")] {
        let attributes = json!({ "reference_id": reference, "email": email });
        partner.post("/v1/customers", "customer", attributes).await.data(201);
    }
    let references = async |query: &str| -> Vec<Value> {
        let data = partner.get(&format!("/v1/customers?{query}")).await.data(200);
        data.as_array().unwrap().iter().map(|one| one["attributes"]["reference_id"].clone()).collect()
    };
    assert_eq!(references("filter[reference_id]=b").await, [json!("b")]);
    assert_eq!(references("filter[email]=x@example.com&sort=created").await.len(), 2);
    assert_eq!(references("filter[reference_id]=c&filter[email]=x@example.com").await.len(), 0);
    assert_eq!(references("filter[reference_id]=nobody").await.len(), 0);
    let ids = walk(&partner, "/v1/customers?filter[email]=x%40example.com&page[size]=1", async || ()).await;
    assert_eq!(ids.len(), 2);
    let ids = walk(&partner, "/v1/customers?filter[reference_id]=b&page[size]=1", async || ()).await;
    assert_eq!(ids.len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_does_not_know_is_refused() {
    let world = World::new().await;
    let partner = world.backend().await;
    for (query, code, parameter) in [
        ("page[size]=0", "INVALID_PARAMETER", "page[size]"),
        ("page[size]=101", "INVALID_PARAMETER", "page[size]"),
        ("page[cursor]=AAAA", "INVALID_PARAMETER", "page[cursor]"),
        ("filter[name]=x", "UNKNOWN_PARAMETER", "filter[name]"),
        ("sort=name", "INVALID_PARAMETER", "sort"),
        ("include=all", "UNKNOWN_PARAMETER", "include"),
    ] {
        partner.get(&format!("/v1/customers?{query}")).await.errors(400, &[(code, parameter)]);
    }
    let answer = partner.get("/v1/api-keys?page[size]=1").await;
    assert_eq!(answer.json()["meta"]["page"]["size"], json!(1));
    world.stop().await;
}
