//! Who is let in, and to what.

use chrono::TimeDelta;
use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use reqwest::Method;
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_failed_authentication_is_the_same_401() {
    let world = World::new().await;
    let partner = world.backend().await;
    let revoked = world.backend().await;
    partner.act(&format!("/v1/api-keys/{}/revoke", revoked.key_id)).await.data(200);
    let expired = world.backend().await;
    let soon = world.app.clock.now() + TimeDelta::seconds(60);
    let attributes = json!({ "expires_at": soon.to_rfc3339() });
    partner.patch(&format!("/v1/api-keys/{}", expired.key_id), "api-key", attributes).await.data(200);
    expired.get("/v1/customers").await.data(200);
    world.advance(60);
    let elsewhere = world.backend().await;
    let attributes = json!({ "allowed_ips": ["192.0.2.0/24", "2001:db8::/32"] });
    partner.patch(&format!("/v1/api-keys/{}", elsewhere.key_id), "api-key", attributes).await.data(200);
    let here = world.backend().await;
    let attributes = json!({ "allowed_ips": ["192.0.2.0/24", "127.0.0.0/8"] });
    partner.patch(&format!("/v1/api-keys/{}", here.key_id), "api-key", attributes).await.data(200);
    here.get("/v1/customers").await.data(200);

    let url = format!("{}/v1/customers", world.url);
    let mistyped = format!("{}A", &partner.key[..partner.key.len() - 1]);
    let mistyped =
        if mistyped == partner.key { format!("{}B", &partner.key[..partner.key.len() - 1]) } else { mistyped };
    let live = partner.key.replace("sk_test_", "sk_live_");
    let bearer = |key: &str| world.client.get(&url).bearer_auth(key);
    let user_token = world.token("alice", 3);
    let mut texts = std::collections::BTreeSet::new();
    for (what, request) in [
        ("nothing", world.client.get(&url)),
        ("an empty key", bearer("")),
        ("garbage", bearer("garbage")),
        ("a mistyped key", bearer(&mistyped)),
        ("a key of the other mode", bearer(&live)),
        ("a wallet user's token", bearer(&user_token)),
        ("another scheme", world.client.get(&url).header("Authorization", format!("Digest {}", partner.key))),
        ("no scheme", world.client.get(&url).header("Authorization", &partner.key)),
        ("two headers", bearer(&partner.key).header("Authorization", format!("Bearer {}", partner.key))),
        ("a password", world.client.get(&url).basic_auth(&partner.key, Some("x"))),
        ("a revoked key", bearer(&revoked.key)),
        ("an expired key", bearer(&expired.key)),
        ("a key used from elsewhere", bearer(&elsewhere.key)),
        ("a forwarded address", bearer(&elsewhere.key).header("X-Forwarded-For", "192.0.2.1")),
    ] {
        let answer = world.send(request.header("X-Request-Id", "same-1")).await;
        answer.errors(401, &[("UNAUTHORIZED", "")]);
        assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")), "{what}");
        texts.insert(answer.text);
    }
    assert_eq!(texts.len(), 1, "{texts:?}");
    let basic = world.client.get(&url).basic_auth(&partner.key, Some(""));
    world.send(basic).await.data(200);
    // A key opens nothing of the wallet API.
    partner.get("/v4/payout/data").await.refused(401, "invalid_token");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_scopes_say() {
    let world = World::new().await;
    let none = world.backend_with(&[Scope::EventsRead]).await;
    let scope = [("SCOPE_MISSING", "")];
    for path in ["/v1/customers", "/v1/api-keys", "/v1/wallet/credits/x", "/v1/customers/cus_x"] {
        none.get(path).await.errors(403, &scope);
    }
    for path in ["/v1/customers", "/v1/api-keys", "/v1/wallet/credits", "/v1/api-keys/x/revoke"] {
        // Whatever is in the body: it isn't looked at.
        none.text(Method::POST, path, "garbage").await.errors(403, &scope);
    }
    let reader = world.backend_with(&[Scope::CustomersRead]).await;
    reader.get("/v1/customers").await.data(200);
    reader.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await.errors(403, &scope);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_not_there() {
    let world = World::new().await;
    world.partner("acme").await;
    let ours = world.backend().await;
    let all = Scope::ALL;
    let live: Vec<Scope> = all.into_iter().filter(|scope| *scope != Scope::FundsWrite).collect();
    let others = [
        world.backend_of("acme", Mode::Test, &all).await,
        world.backend_of("demo", Mode::Live, &live).await,
        world.backend_of("house", Mode::Test, &all).await,
    ];
    let customer = ours.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await.data(201);
    let customer = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
    let key = format!("/v1/api-keys/{}", ours.key_id);
    for other in &others {
        for path in [&customer, &key] {
            other.get(path).await.errors(404, &[("NOT_FOUND", "")]);
        }
        other
            .patch(&customer, "customer", json!({ "version": 1, "name": "x" }))
            .await
            .errors(404, &[("NOT_FOUND", "")]);
        other.patch(&key, "api-key", json!({ "name": "x" })).await.errors(404, &[("NOT_FOUND", "")]);
        other.act(&format!("{key}/revoke")).await.errors(404, &[("NOT_FOUND", "")]);
        assert_eq!(other.get("/v1/customers").await.data(200), json!([]));
        assert_eq!(other.get("/v1/api-keys").await.data(200).as_array().unwrap().len(), 1);
        // The reference is free for everybody else.
        other.post("/v1/customers", "customer", json!({ "reference_id": "a" })).await.data(201);
    }
    ours.get(&customer).await.data(200);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_after_a_revoke_is_answered() {
    let world = World::new().await;
    let admin = world.backend().await;
    for _ in 0..5 {
        let victim = world.backend().await;
        let revoked = std::sync::atomic::AtomicBool::new(false);
        let attempts = async {
            let mut before = 0;
            let mut after = 0;
            while after < 20 {
                let was_revoked = revoked.load(std::sync::atomic::Ordering::SeqCst);
                let status = victim.get("/v1/customers").await.status;
                if was_revoked {
                    assert_eq!(status, 401, "a revoked key passed");
                    after += 1;
                } else {
                    assert!(status == 200 || status == 401);
                    before += 1;
                }
            }
            before
        };
        let revoke = async {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            admin.act(&format!("/v1/api-keys/{}/revoke", victim.key_id)).await.data(200);
            revoked.store(true, std::sync::atomic::Ordering::SeqCst);
        };
        let (a, b, c, ()) = tokio::join!(
            attempts,
            async { victim.get("/v1/customers").await },
            async { victim.get("/v1/api-keys").await },
            revoke
        );
        assert!(a > 0 && b.status < 500 && c.status < 500);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_is_noted_within_a_minute_and_once_a_minute() {
    let world = World::new().await;
    let partner = world.backend().await;
    let path = format!("/v1/api-keys/{}", partner.key_id);
    let used = async || partner.get(&path).await.data(200)["attributes"]["last_used_at"].clone();
    let mut first = used().await;
    for _ in 0..100 {
        if !first.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        first = used().await;
    }
    assert!(first.is_string());
    world.advance(59);
    used().await;
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(used().await, first);
    world.advance(1);
    used().await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_ne!(used().await, first);
    world.stop().await;
}
