//! Many receivers, few places: who waits for whom, and who doesn't.

use std::collections::HashMap;
use std::time::Duration;

use landfall::domain::ids::{Mode, Tenant};
use landfall::gateway::access::Scope;
use landfall::gateway::webhooks::telling::{LanePlaces, Places, Ready};

use super::receiver::Answers;
use super::*;

/// Messages of an endpoint that wait at so many hosts, as of so many payout requests with a `callback_url` each: where nobody listens, or
/// at a port of this machine, which has as many names.
async fn crowd(world: &World, endpoint: &Endpoint, hosts: u32, port: u16) {
    let id = endpoint_id(endpoint);
    world
        .execute(&format!(
            "CREATE TEMP TABLE one ON COMMIT DROP AS SELECT n, gen_random_uuid() AS id FROM generate_series(1, {hosts}) n; \
             INSERT INTO webhook_message (partner_id, mode, id, type, body, created_at) \
                 SELECT w.partner_id, w.mode, one.id, 'webhook_endpoint.ping', '{{}}', now() FROM one, webhook_endpoint w WHERE w.id = '{id}'; \
             INSERT INTO webhook_delivery (partner_id, mode, endpoint_id, message_id, type, lane, url, state, due_at, created_at) \
                 SELECT w.partner_id, w.mode, w.id, one.id, 'webhook_endpoint.ping', w.id || '/' || k.host, 'http://' || k.host || '/', \
                     'pending', now() - interval '1 day', now() \
                 FROM one CROSS JOIN LATERAL (SELECT '127.1.' || n / 250 || '.' || n % 250 + 1 || ':{port}' AS host) k, webhook_endpoint w \
                 WHERE w.id = '{id}'"
        ))
        .await;
}

fn endpoint_id(endpoint: &Endpoint) -> uuid::Uuid {
    endpoint.path.rsplit('_').next().unwrap().parse().unwrap()
}

/// Takes calls and never answers, whatever name of this machine is called. Dropped, it breaks them off.
fn silence() -> (std::net::TcpListener, u16) {
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Waits until so many were claimed at least once, and answers how many then stay so.
async fn claimed(world: &World, endpoint: &Endpoint, at_least: i64) -> i64 {
    let count = format!(
        "SELECT count(*) FROM webhook_delivery WHERE endpoint_id = '{}' AND attempts > 0",
        endpoint_id(endpoint)
    );
    for _ in 0..1_500 {
        if world.count(&count).await >= at_least {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.count(&count).await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_dead_hosts_of_one_partner_keep_no_other_waiting() {
    let world = World::with(|settings| {
        super::settings(settings);
        settings.webhooks.timeout_ms = 60_000;
        settings.webhooks.calls_max = 16;
        settings.webhooks.receiver_calls_max = 2;
    })
    .await;
    world.partner("other").await;
    let (hog, other) = (world.backend().await, world.backend_of("other", Mode::Test, &Scope::ALL).await);
    let (silence, port) = silence();
    let hogs = endpoint(&hog, "http://127.0.0.1:9001/", &[]).await;
    crowd(&world, &hogs, 200, port).await;
    // Three quarters of the places: nobody else has anything due.
    assert_eq!(claimed(&world, &hogs, 12).await, 12);
    let receiver = Receiver::new();
    let living = endpoint(&other, &receiver.url, &[]).await;
    for n in 1..=5 {
        other.act(&format!("{}/ping", living.path)).await.data(201);
        receiver.until(n).await;
    }
    // Nobody had to give a place up for it.
    assert_eq!(claimed(&world, &hogs, 12).await, 12);
    drop(silence);
    world.stop().await;
}

/// Tenants of what was claimed.
fn of_tenants(claimed: &[Ready]) -> HashMap<Tenant, usize> {
    let mut counts = HashMap::new();
    for ready in claimed {
        *counts.entry(ready.claimed.tenant()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn places_go_to_tenants_in_turn_and_never_all_to_test_mode() {
    let world = World::without_workers(settings).await;
    world.partner("other").await;
    let test = world.backend().await;
    let live = world.backend_of("other", Mode::Live, &[Scope::WebhooksRead, Scope::WebhooksWrite]).await;
    let (hog, own) = (world.tenant("demo", Mode::Test).await, world.tenant("other", Mode::Live).await);
    let crowded = endpoint(&test, "http://127.0.0.1:9001/", &[]).await;
    crowd(&world, &crowded, 300, 1).await;
    let living = endpoint(&live, "https://shop.example/", &[]).await;
    let ping = async |count: usize| {
        for _ in 0..count {
            live.act(&format!("{}/ping", living.path)).await.data(201);
        }
    };
    let gateway = &world.app.gateway;
    let claim = async |places: Places| of_tenants(&gateway.claim_deliveries(places).await.unwrap());
    // In turn, though three hundred have waited for longer.
    ping(3).await;
    assert_eq!(claim(Places::for_all(6)).await, HashMap::from([(hog, 3), (own, 3)]));
    // Whoever has something under way comes after who hasn't.
    ping(3).await;
    let places = Places { tenants: vec![(hog, 10)], ..Places::for_all(3) };
    assert_eq!(claim(places).await, HashMap::from([(own, 3)]));
    // A share is no bound where nobody else is there; what is kept for those who come is.
    let places = || Places { share: 4, beyond: 7, ..Places::for_all(20) };
    assert_eq!(claim(places()).await, HashMap::from([(hog, 7)]));
    let places = || Places { beyond: 0, tenants: vec![(hog, 3)], ..places() };
    assert_eq!(claim(places()).await, HashMap::from([(hog, 1)]));
    ping(6).await;
    assert_eq!(claim(Places { tenants: vec![(hog, 4)], ..places() }).await, HashMap::from([(own, 4)]));
    // Test mode has its own bound, and live mode what is behind it.
    let places = Places { test: 2, ..Places::for_all(20) };
    assert_eq!(claim(places).await, HashMap::from([(hog, 2), (own, 2)]));
    // One lane has no more than its places.
    ping(5).await;
    let places = Places { per_lane: 2, test: 0, ..Places::for_all(20) };
    assert_eq!(claim(places).await, HashMap::from([(own, 2)]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn places_of_those_that_fail_go_to_those_that_have_something_due() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    let crowded = endpoint(&partner, "http://127.0.0.1:9001/", &[]).await;
    crowd(&world, &crowded, 20, 1).await;
    let living = endpoint(&partner, "http://127.0.0.1:9002/", &[]).await;
    let gateway = &world.app.gateway;
    let lane = |lane: String, is_failing: bool| LanePlaces { lane, free: 1, is_failing };
    // A thousand have failed once and aren't called any more; one of them is to be told something.
    let idle = (0..1_000).map(|n| lane(format!("{}/gone{n}.example", endpoint_id(&crowded)), true));
    let crowd = (1..=20).map(|n| lane(format!("{}/127.1.0.{}:1", endpoint_id(&crowded), n + 1), true));
    let lanes: Vec<_> = idle.chain(crowd).chain([lane(endpoint_id(&living).to_string(), true)]).collect();
    let places = |failing: usize| Places { failing, lanes: lanes.clone(), ..Places::for_all(10) };
    assert_eq!(gateway.claim_deliveries(places(3)).await.unwrap().len(), 3);
    assert!(gateway.claim_deliveries(places(0)).await.unwrap().is_empty());
    // Who doesn't fail comes first among the tenant's own.
    partner.act(&format!("{}/ping", living.path)).await.data(201);
    let mut places = places(5);
    places.lanes.pop();
    let share = Places { share: 1, beyond: 1, ..places };
    let told = gateway.claim_deliveries(share).await.unwrap();
    assert_eq!(told.iter().map(|ready| ready.claimed.endpoint_id.0).collect::<Vec<_>>(), [endpoint_id(&living)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_works_again_is_called_however_many_others_have_failed() {
    let world = World::with(|settings| {
        super::settings(settings);
        settings.webhooks.calls_max = 4;
    })
    .await;
    let partner = world.backend().await;
    let (dead, living) = (Receiver::new(), Receiver::new());
    for receiver in [&dead, &living] {
        receiver.answer(Answers::With(502));
    }
    let mut endpoints = Vec::new();
    for n in 0..12 {
        endpoints.push(endpoint(&partner, &format!("{}/{n}", dead.url), &[]).await);
    }
    let recovered = endpoint(&partner, &living.url, &[]).await;
    for endpoint in endpoints.iter().chain([&recovered]) {
        for _ in 0..3 {
            partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
        }
    }
    dead.until(36).await;
    living.until(3).await;
    // Nothing else is due: the clock stands, and what failed is tried again by it.
    living.answer(Answers::With(200));
    partner.act(&format!("{}/ping", recovered.path)).await.data(201);
    living.until(4).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn among_many_lanes_as_many_are_claimed_as_there_are_places() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    let crowded = endpoint(&partner, "http://127.0.0.1:9001/", &[]).await;
    crowd(&world, &crowded, 5_000, 1).await;
    world.execute("ANALYZE webhook_delivery").await;
    let lane = |n: usize| LanePlaces { lane: format!("{}/{n}", endpoint_id(&crowded)), free: 1, is_failing: true };
    let places = || Places { lanes: (0..1_200).map(lane).collect(), per_lane: 8, ..Places::for_all(16) };
    for _ in 0..12 {
        assert_eq!(world.app.gateway.claim_deliveries(places()).await.unwrap().len(), 16);
    }
    world.stop().await;
}
