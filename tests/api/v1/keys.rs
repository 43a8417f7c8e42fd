//! API keys as a resource.

use std::collections::BTreeSet;

use landfall::domain::ids::Mode;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::NewKey;
use landfall::gateway::access::{Refusal, Scope};
use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let world = World::new().await;
    let partner = world.backend().await;
    let attributes = json!({
        "name": "shop", "scopes": ["payouts:read", "customers:read"], "allowed_ips": ["127.0.0.1", "::1"], "test_mode": true,
    });
    let made = partner.post("/v1/api-keys", "api-key", attributes).await.data(201);
    let secret = made["attributes"]["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("sk_test_") && secret.starts_with(made["attributes"]["prefix"].as_str().unwrap()));
    let path = made["links"]["self"].as_str().unwrap();
    let found = partner.get(path).await.data(200);
    assert_eq!(found["attributes"]["scopes"], json!(["payouts:read", "customers:read"]));
    assert_eq!(found["attributes"]["created_by"], json!(partner.key_id));
    assert!(found["attributes"].get("secret").is_none());
    world.holder(&secret, "").get("/v1/customers").await.data(200);
    for kept in [&secret, &partner.key] {
        let body = kept.trim_start_matches("sk_test_");
        assert!(!world.dump().await.contains(&body[5..30]), "a secret is in the database");
    }
    let audited = "SELECT count(*) FROM audit WHERE action = 'api_key.create' AND after ->> 'name' = 'shop'";
    assert_eq!(world.count(audited).await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_gives_no_scope_that_it_has_not() {
    let world = World::new().await;
    let partner = world.backend_with(&[Scope::KeysWrite, Scope::PayoutsRead]).await;
    let wish = |scopes: &[&str]| json!({ "name": "k", "scopes": scopes });
    partner.post("/v1/api-keys", "api-key", wish(&["payouts:read"])).await.data(201);
    partner.post("/v1/api-keys", "api-key", wish(&["payouts:write"])).await.errors(403, &[("SCOPE_NOT_HELD", "")]);
    let live = world.tenant("demo", Mode::Live).await;
    let new = NewKey {
        name: "k".to_owned(),
        scopes: BTreeSet::from([Scope::FundsWrite]),
        allowed_ips: Vec::new(),
        expires_at: None,
    };
    let refused = world.app.gateway.make_key(&Author::command(live), false, new).await.unwrap_err();
    assert!(matches!(refused, Refusal::Forbidden { code: "SCOPE_RESERVED", .. }));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_may_not_be_is_told_all_at_once() {
    let world = World::new().await;
    let partner = world.backend().await;
    let past = (world.app.clock.now() - chrono::TimeDelta::seconds(1)).to_rfc3339();
    let attributes =
        json!({ "name": "", "scopes": ["all", 1], "allowed_ips": "x", "expires_at": "soon", "test_mode": false });
    partner.post("/v1/api-keys", "api-key", attributes).await.errors(
        422,
        &[
            ("MODE_MISMATCH", "/data/attributes/test_mode"),
            ("WRONG_LENGTH", "/data/attributes/name"),
            ("INVALID_VALUE", "/data/attributes/scopes/0"),
            ("WRONG_TYPE", "/data/attributes/scopes/1"),
            ("WRONG_TYPE", "/data/attributes/allowed_ips"),
            ("INVALID_VALUE", "/data/attributes/expires_at"),
        ],
    );
    let attributes = json!({ "name": "k", "scopes": [], "allowed_ips": ["1.2.3.4", "10.0.0.1/8"], "expires_at": past });
    partner.post("/v1/api-keys", "api-key", attributes).await.errors(
        422,
        &[
            ("INVALID_VALUE", "/data/attributes/allowed_ips/1"),
            ("INVALID_VALUE", "/data/attributes/expires_at"),
            ("MISSING", "/data/attributes/scopes"),
        ],
    );
    assert_eq!(world.count("SELECT count(*) FROM api_key").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stays_as_it_is() {
    let world = World::new().await;
    let partner = world.backend().await;
    let other = world.backend().await;
    let path = format!("/v1/api-keys/{}", other.key_id);
    let revoked = partner.act(&format!("{path}/revoke")).await.data(200);
    world.advance(10);
    assert_eq!(partner.act(&format!("{path}/revoke")).await.data(200), revoked);
    partner.patch(&path, "api-key", json!({ "name": "x" })).await.errors(409, &[("KEY_REVOKED", "")]);
    partner.patch(&path, "api-key", json!({})).await.errors(422, &[("MISSING", "/data/attributes")]);
    partner
        .patch(&path, "api-key", json!({ "scopes": [] }))
        .await
        .errors(422, &[("UNKNOWN_MEMBER", "/data/attributes/scopes")]);
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE action = 'api_key.revoke'").await, 1);
    world.stop().await;
}
