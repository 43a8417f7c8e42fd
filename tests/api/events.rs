//! Streams of an offer's fate: what they tell, across processes too, when they end, and who has none.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use landfall::app::App;
use landfall::http::auth::mint_development_token;
use reqwest::{Method, Response};
use serde_json::Value;

use crate::world::{Client, PAID, World};

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An open stream, and what came of it that isn't read yet.
struct Stream {
    response: Response,
    text: String,
}

/// An event's id and its data.
type Event = (String, Value);

impl Stream {
    async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, text: String::new() }
    }

    async fn of(client: &Client<'_>, offer_id: &Value) -> Self {
        Self::open(client.request(Method::GET, &path(offer_id))).await
    }

    /// The next event; `None`: the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    assert_eq!(field("event: ").as_deref(), Some("offer"));
                    return Some((id, serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("nothing came");
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }

    async fn told(&mut self, id: &str) -> Value {
        let (found, data) = self.next().await.unwrap_or_else(|| panic!("no {id}"));
        assert_eq!(found, id, "{data}");
        data
    }
}

fn path(offer_id: &Value) -> String {
    format!("/v4/payout/pay/{offer_id}/events")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_each_change_and_ends_with_the_final_one() {
    let world = World::with(|settings| settings.providers.test.latency_ms = 1_500).await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let offer_id = &offer["offerId"];
    let mut stream = Stream::of(&alice, offer_id).await;
    let first = stream.told("1.quoted").await;
    assert_eq!((&first["offerId"], &first["status"]), (offer_id, &"QUOTED".into()));
    assert_eq!((&first["final"], &first["pay"]), (&false.into(), &Value::Null));
    alice.header("Prefer", "wait=0").pay(offer_id).await.ok();
    assert_eq!(stream.told("1.accepted").await["pay"]["status"], "PENDING");
    let last = stream.told("1.paid").await;
    assert_eq!((&last["status"], &last["final"]), (&"PAID".into(), &true.into()));
    assert_eq!(last["pay"], alice.get(&format!("/v4/payout/pay/{offer_id}")).await.ok());
    assert_eq!(stream.next().await, None, "nothing comes after the final one");

    // Whoever comes late is told how it ended, once.
    let mut late =
        Stream::open(alice.header("Last-Event-ID", "1.accepted").request(Method::GET, &path(offer_id))).await;
    late.told("1.paid").await;
    assert_eq!(late.next().await, None);
    let over = alice.header("Last-Event-ID", "1.paid").get(&path(offer_id)).await;
    assert_eq!((over.status, over.text.as_str()), (204, ""));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_does_is_told_and_what_was_told_is_not_told_again() {
    let world = World::without_workers(|_| {}).await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let offer_id = &offer["offerId"];
    let seen = alice.header("Last-Event-ID", "1.quoted");
    let mut stream = Stream::of(&seen, offer_id).await;
    let update = serde_json::json!({ "amount": 200, "fromCurrency": "USDT", "toCurrency": "EUR" });

    let elsewhere =
        App::build(world.app.settings.clone(), Arc::new(world.clock.clone()), world.test_db.db()).await.unwrap();
    let background = elsewhere.start(true).unwrap();
    alice.put(&format!("/v4/payout/offer/{offer_id}"), &update).await.ok();
    stream.told("2.quoted").await;
    let user = world.wallet_user("alice").await;
    let id = landfall::domain::ids::OfferId(offer_id.as_i64().unwrap());
    let wallet = Arc::clone(&elsewhere.wallet);
    wallet.pay(&user, id, None, Duration::from_secs(20)).await.unwrap();
    loop {
        let (event, _) = stream.next().await.expect("it goes on to the end");
        assert!(["2.accepted", "2.paid"].contains(&event.as_str()), "{event}");
        if event == "2.paid" {
            break;
        }
    }
    assert_eq!(stream.next().await, None);
    background.stopped().await;
    elsewhere.db.close();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_nobody_pays_ends_its_stream_expired() {
    let world = World::new().await;
    let alice = world.user("alice");
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    let mut stream = Stream::of(&alice, &offer["offerId"]).await;
    stream.told("1.quoted").await;
    world.advance(60);
    let last = stream.told("1.expired").await;
    assert_eq!((&last["status"], &last["final"], &last["pay"]), (&"EXPIRED".into(), &true.into(), &Value::Null));
    assert_eq!(stream.next().await, None);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let world = World::without_workers(|_| {}).await;
    let alice = world.user("alice");
    alice.fund("3000").await;
    let card_id = alice.card(PAID).await;
    let offer = alice.offer(&card_id, "100").await;
    alice.header("Prefer", "wait=0").pay(&offer["offerId"]).await.ok();
    let short = TimeDelta::seconds(2);
    let token = mint_development_token(&world.app.settings, "alice", Some(3), short, world.app.clock.now()).unwrap();
    let url = format!("{}{}", world.url, path(&offer["offerId"]));
    let mut stream = Stream::open(world.client.get(url).bearer_auth(token)).await;
    stream.told("1.accepted").await;
    world.advance(3);
    assert_eq!(stream.next().await, None, "the offer goes on without it");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_for_a_user_and_for_all_and_are_their_owners() {
    let world = World::with(|settings| {
        settings.wallet.streams_max = 3;
        settings.wallet.user_streams_max = 2;
    })
    .await;
    let (alice, bob) = (world.user("alice"), world.user("bob"));
    let card_id = alice.card(PAID).await;
    let hers = alice.offer(&card_id, "100").await["offerId"].clone();
    bob.get(&path(&hers)).await.refused(404, "NOT_FOUND");
    let his_card = bob.card(PAID).await;
    let his = bob.offer(&his_card, "100").await["offerId"].clone();
    let (mut first, mut second) = (Stream::of(&alice, &hers).await, Stream::of(&alice, &hers).await);
    let refused = alice.get(&path(&hers)).await;
    refused.refused(429, "TOO_MANY_REQUESTS");
    assert!(refused.header("retry-after").is_some());
    let _his = Stream::of(&bob, &his).await;
    let refused = bob.get(&path(&his)).await;
    refused.refused(503, "SERVICE_UNAVAILABLE");
    assert!(refused.header("retry-after").is_some());
    // A place is free again once its stream has ended, and whoever watches at the end of the process is sent away.
    alice.fund("3000").await;
    alice.pay(&hers).await.ok();
    for stream in [&mut first, &mut second] {
        while stream.next().await.is_some() {}
    }
    let next = alice.offer(&card_id, "100").await["offerId"].clone();
    let mut again = Stream::of(&alice, &next).await;
    again.told("1.quoted").await;
    world.app.wallet.watches.end();
    assert_eq!(again.next().await, None);
    bob.get(&path(&his)).await.refused(503, "SERVICE_UNAVAILABLE");
    world.stop().await;
}
