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
        signing_required: false,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_and_changes_none_that_reaches_further_than_itself() {
    let world = World::new().await;
    let ends = world.app.clock.now() + chrono::TimeDelta::days(30);
    let new = NewKey {
        name: "maker".to_owned(),
        scopes: BTreeSet::from(Scope::ALL),
        allowed_ips: vec!["127.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()],
        expires_at: Some(ends),
        signing_required: false,
    };
    let author = Author::command(world.tenant("demo", Mode::Test).await);
    let (key, secrets) = world.app.gateway.make_key(&author, false, new).await.unwrap();
    let maker = world.holder(secrets.expose(), &key.id.to_string());
    let wish = |ips: serde_json::Value, ends: Option<chrono::DateTime<chrono::Utc>>| json!({ "name": "made", "scopes": ["keys:read"], "allowed_ips": ips, "expires_at": ends });
    let too_wide = [("KEY_TOO_WIDE", "")];
    let later = ends + chrono::TimeDelta::seconds(1);
    for (ips, until) in [
        (json!([]), Some(ends)),
        (json!(null), Some(ends)),
        (json!(["0.0.0.0/0"]), Some(ends)),
        (json!(["127.0.0.1", "192.0.2.1"]), Some(ends)),
        (json!(["2001:d00::/24"]), Some(ends)),
        (json!(["127.0.0.1"]), None),
        (json!(["127.0.0.1"]), Some(later)),
    ] {
        maker.post("/v1/api-keys", "api-key", wish(ips, until)).await.errors(403, &too_wide);
    }
    let made = maker.post("/v1/api-keys", "api-key", wish(json!(["127.0.0.1"]), Some(ends))).await.data(201);
    for id in [made["id"].as_str().unwrap(), &maker.key_id] {
        let path = format!("/v1/api-keys/{id}");
        for change in [
            json!({ "allowed_ips": [] }),
            json!({ "allowed_ips": ["0.0.0.0/0"] }),
            json!({ "expires_at": null }),
            json!({ "expires_at": later }),
        ] {
            maker.patch(&path, "api-key", change).await.errors(403, &too_wide);
        }
        maker.patch(&path, "api-key", json!({ "allowed_ips": ["127.0.0.0/16"], "name": "n" })).await.data(200);
    }
    // It is narrower itself now.
    let wide = wish(json!(["127.1.0.0/16"]), Some(ends));
    maker.post("/v1/api-keys", "api-key", wide).await.errors(403, &too_wide);
    world.stop().await;
}
