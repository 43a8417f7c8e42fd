//! The overview as it goes on: who is shown it, when they are sent away, and that watching doesn't keep a session alive.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Client, Response};

use crate::browser::Browser;
use crate::world::{GOOD_CARD, World};

const COOKIE: &str = "__Host-landfall-staff";
/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(50);

async fn watch(world: &World, browser: &Browser) -> Response {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let cookie = browser.cookie(COOKIE).unwrap_or_default();
    client
        .get(format!("{}/dashboard/test/live", world.url))
        .header("Cookie", format!("{COOKIE}={cookie}"))
        .send()
        .await
        .unwrap()
}

/// Reads until the text comes, or the stream ends; all that came.
async fn until(stream: &mut Response, text: &str) -> String {
    let mut read = String::new();
    let reading = async {
        while let Ok(Some(chunk)) = stream.chunk().await {
            read.push_str(&String::from_utf8_lossy(&chunk));
            if read.contains(text) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {text:?} came"));
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_sees_what_happens_until_their_session_ends() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let mut stream = watch(&world, &browser).await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(stream.headers()["cache-control"], "no-store");
    let first = until(&mut stream, "</section>\n\n").await;
    assert!(first.contains("event: overview") && first.contains("No payout request has ended today."), "{first}");
    assert!(!first.contains("form_token") && !first.contains("Ada"), "nothing of who looks: {first}");
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    world.pay(&user, offer).await;
    until(&mut stream, "1 paid, 0 otherwise").await;
    let token = browser.get("/dashboard/test").await.form_token();
    assert_eq!(browser.post("/dashboard/sign-out", &[("form_token", &token)]).await.status, 303);
    let end = until(&mut stream, "event: over\n").await;
    assert!(end.ends_with("event: over\ndata: signed out\n\n"), "{end}");
    assert_eq!(until(&mut stream, "event:").await, "", "nothing comes after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_keeps_no_session_alive() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    world.clock.advance(TimeDelta::minutes(10));
    let mut stream = watch(&world, &browser).await;
    until(&mut stream, "event: overview").await;
    world.clock.advance(TimeDelta::minutes(6));
    assert!(until(&mut stream, "event: over\n").await.contains("event: over\n"));
    assert_eq!(browser.get("/dashboard/test").await.status, 303, "it was idle for too long");
    let refused = watch(&world, &browser).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["location"].to_str().unwrap()),
        (303, "/dashboard/sign-in")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_few_streams_and_gets_their_places_back() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let mut streams = Vec::new();
    for _ in 0..landfall::staff::live::STREAMS_OF_SESSION_MAX {
        let stream = watch(&world, &browser).await;
        assert_eq!(stream.status(), 200);
        streams.push(stream);
    }
    assert_eq!(watch(&world, &browser).await.status(), 503);
    let other = world.signed_in().await;
    assert_eq!(watch(&world, &other).await.status(), 200, "another session has its own");
    drop(streams);
    // The server notices that somebody left when it next has something to say.
    let again = async {
        while watch(&world, &browser).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}
