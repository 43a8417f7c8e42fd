//! Rate limits: who is told to wait, for how long, and who isn't.

use landfall::config::http::Rate;
use landfall::gateway::access::Scope;

use crate::world::{Answer, World};

const TWICE: Rate = Rate { per_minute: 1, burst: 2 };

fn waits(answer: &Answer) {
    let secs: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&secs), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_asks_too_often_waits_and_nobody_else_does() {
    let world = World::with(|settings| settings.http.rate_limits.user = TWICE).await;
    let (alice, bob) = (world.user("alice"), world.user("bob"));
    for _ in 0..2 {
        alice.get("/v4/payout/data").await.ok();
    }
    let answer = alice.header("X-Forwarded-For", "192.0.2.1").get("/v4/payout/data").await;
    answer.refused(429, "TOO_MANY_REQUESTS");
    waits(&answer);
    // The same user with another token.
    world.user("alice").get("/v4/payout/data").await.refused(429, "TOO_MANY_REQUESTS");
    bob.get("/v4/payout/data").await.ok();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_used_too_often_waits_and_no_other_does() {
    let world = World::with(|settings| settings.http.rate_limits.key = TWICE).await;
    let (one, other) = (world.backend().await, world.backend_with(&[Scope::CustomersRead]).await);
    for _ in 0..2 {
        one.get("/v1/customers").await.data(200);
    }
    let answer = one.get("/v1/customers").await;
    answer.errors(429, &[("TOO_MANY_REQUESTS", "")]);
    waits(&answer);
    other.get("/v1/customers").await.data(200);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_counted_before_anybody_is_known_and_health_is_not() {
    let limits = |settings: &mut landfall::config::Settings| {
        settings.http.rate_limits.address = Rate { per_minute: 1, burst: 3 };
        settings.http.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    };
    let world = World::with(limits).await;
    let from = |address: &str| world.user("alice").header("X-Forwarded-For", address);
    for path in ["/nowhere", "/v4/payout/data", "/v1/customers"] {
        from("2001:db8::1").get(path).await;
    }
    // The whole network of one host, in each API's form, a good token notwithstanding.
    let answer = from("2001:db8::ffff:2").get("/v4/payout/data").await;
    answer.refused(429, "TOO_MANY_REQUESTS");
    waits(&answer);
    assert_eq!(answer.header("connection"), Some("close"));
    from("2001:db8::3").get("/v1/customers").await.errors(429, &[("TOO_MANY_REQUESTS", "")]);
    let page = from("2001:db8::4").get("/dashboard/sign-in").await;
    assert_eq!((page.status, page.header("content-type")), (429, Some("text/html; charset=utf-8")));
    assert!(page.text.contains("Too often") && page.header("retry-after").is_some());
    from("2001:db8:0:1::1").get("/v4/payout/data").await.ok();
    for _ in 0..5 {
        from("2001:db8::1").get("/health/live").await.ok();
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_are_counted_by_address() {
    let world = World::with(|settings| settings.http.rate_limits.sign_in = TWICE).await;
    let page = world.get("/dashboard/sign-in").await;
    let cookie = page.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let form = page.text.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut statuses = Vec::new();
    for n in 0..3 {
        // Another account each time: what is counted is the address.
        let body = format!("form_token={form}&email=guess{n}%40example.com&password=not-the-password");
        let request = world.client.post(format!("{}/dashboard/sign-in", world.url)).body(body);
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").header("Cookie", &cookie);
        let answer = world.send(request).await;
        statuses.push(answer.status);
        if answer.status == 429 {
            waits(&answer);
        }
    }
    assert_eq!(statuses, [403, 403, 429]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_that_nobody_signed_are_heeded_and_kept_only_so_often() {
    let world = World::with(|settings| {
        settings.http.rate_limits.stray_callback = Rate { per_minute: 1, burst: 150 };
    })
    .await;
    let url = format!("{}/v1/provider-callbacks/{}", world.url, world.provider_account().await);
    let mut last = 0;
    for n in 0..152 {
        let body = format!(r#"{{"reference":"po_{n:032}","status":"paid"}}"#);
        last = world.send(world.client.post(&url).body(body)).await.status;
        assert_eq!(last, if n < 150 { 401 } else { 429 }, "{n}");
    }
    assert_eq!(last, 429);
    assert_eq!(world.count("SELECT count(*) FROM provider_callback WHERE NOT verified").await, 100);
    // The newest stay.
    let newest = "SELECT count(*) FROM provider_callback WHERE body_redacted LIKE '%[digits]%'";
    assert_eq!(world.count(newest).await, 100);
    world.stop().await;
}
