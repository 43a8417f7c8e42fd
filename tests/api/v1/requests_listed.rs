//! Lists of requests and events: whole while new ones come, and filtered by what they say.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::lists::walk;
use super::requests::{REQUESTS, manual, path_of, sample};
use crate::world::{World, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_over_requests_and_events_misses_nothing_while_new_ones_come() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "1000").await;
    let point = world.point().await;
    let mut before = BTreeSet::new();
    for n in 0..15 {
        if n % 3 == 0 {
            world.advance(1);
        }
        before.insert(partner.asked(manual(&point)).await["id"].as_str().unwrap().to_owned());
    }
    for sort in ["-created", "created"] {
        let mut added = 0;
        let ids = walk(&partner, &format!("{REQUESTS}?page[size]=4&sort={sort}"), async || {
            if added < 6 {
                added += 1;
                world.advance(1);
                partner.asked(sample(&point)).await;
            }
        })
        .await;
        let unique: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(unique.len(), ids.len(), "a request came twice, sorted by {sort}");
        assert!(before.is_subset(&unique), "a request was missed, sorted by {sort}");
    }
    let events = walk(&partner, "/v1/events?filter[kind]=request_created&sort=created&page[size]=7", async || ()).await;
    assert_eq!(i64::try_from(events.len()), Ok(world.count("SELECT count(*) FROM payout_request").await));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_they_say_and_nothing_else() {
    let world = World::new().await;
    let partner = world.backend().await;
    partner.funded("USD", "1000").await;
    let point = world.point().await;
    let ada = with(&manual(&point), "customer", json!({ "reference_id": "ada" }));
    let first = partner.asked(with(&ada, "reference_id", json!("one"))).await;
    world.advance(60);
    let second = partner.asked(with(&manual(&point), "reference_id", json!("two"))).await;
    partner.act(&format!("{}/cancel", path_of(&second))).await.data(200);
    world.advance(60);
    partner.asked(ada).await;
    let time = |resource: &Value| resource["attributes"]["created"].as_str().unwrap().to_owned();
    let count = async |query: &str| {
        let answer = partner.get(&format!("{REQUESTS}?{query}")).await;
        answer.data(200).as_array().unwrap().len()
    };
    for (query, wanted) in [
        ("filter[status]=ready".to_owned(), 2),
        ("filter[status]=canceled".to_owned(), 1),
        ("filter[reference_id]=two".to_owned(), 1),
        ("filter[reference_id]=two&filter[status]=ready".to_owned(), 0),
        ("filter[reference_id]=one&filter[customer_reference_id]=ada".to_owned(), 1),
        ("filter[reference_id]=two&filter[customer_reference_id]=ada".to_owned(), 0),
        ("filter[customer_reference_id]=ada".to_owned(), 2),
        ("filter[customer_reference_id]=nobody".to_owned(), 0),
        ("filter[service]=test_usd".to_owned(), 3),
        ("filter[service]=card_eur".to_owned(), 0),
        (format!("filter[point_id]={point}"), 3),
        ("filter[point_id]=pop_00000000000000000000000000000000".to_owned(), 0),
        (format!("filter[created_from]={}", time(&second)), 2),
        (format!("filter[created_to]={}", time(&second)), 1),
        (format!("filter[created_from]={}&filter[created_to]={}", time(&first), time(&second)), 1),
    ] {
        assert_eq!(count(&query).await, wanted, "{query}");
    }
    for (query, code, parameter) in [
        ("filter[status]=open", "INVALID_PARAMETER", "filter[status]"),
        ("filter[point_id]=x", "INVALID_PARAMETER", "filter[point_id]"),
        ("filter[created_from]=yesterday", "INVALID_PARAMETER", "filter[created_from]"),
        ("filter[created_from]=%2B262142-01-01T00:00:00Z", "INVALID_PARAMETER", "filter[created_from]"),
        ("filter[amount]=1", "UNKNOWN_PARAMETER", "filter[amount]"),
        ("include=payouts", "UNKNOWN_PARAMETER", "include"),
        ("sort=amount", "INVALID_PARAMETER", "sort"),
    ] {
        partner.get(&format!("{REQUESTS}?{query}")).await.errors(400, &[(code, parameter)]);
    }
    let path = path_of(&first);
    partner.get(&format!("{path}?include=payouts")).await.errors(400, &[("UNKNOWN_PARAMETER", "include")]);
    partner.get(&format!("{path}/events?sort=created")).await.errors(400, &[("UNKNOWN_PARAMETER", "sort")]);
    partner.get(&format!("{path}/events?page[cursor]=x")).await.errors(400, &[("INVALID_PARAMETER", "page[cursor]")]);
    world.stop().await;
}
