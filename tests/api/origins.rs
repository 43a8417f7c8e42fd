//! Where a call came from, behind proxies and without them.

use std::collections::BTreeSet;

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::NewKey;
use serde_json::json;

use crate::v1::Partner;
use crate::world::World;

/// A key that may be used from 198.51.100.0/24 and 2001:db8:7::/48 alone.
async fn bound(world: &World) -> Partner<'_> {
    let new = NewKey {
        name: "bound".to_owned(),
        scopes: BTreeSet::from(Scope::ALL),
        allowed_ips: vec!["198.51.100.0/24".to_owned(), "2001:db8:7::/48".to_owned()],
        expires_at: None,
        signing_required: false,
    };
    let author = Author::command(world.tenant("demo", Mode::Test).await);
    let (key, secrets) = world.app.gateway.make_key(&author, false, new).await.unwrap();
    world.holder(secrets.expose(), &key.id.to_string())
}

const PATH: &str = "/v1/customers";

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_says_nothing_of_where_they_are() {
    let world = World::new().await;
    let partner = bound(&world).await;
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"] {
        for value in ["198.51.100.7", "for=198.51.100.7", "127.0.0.1, 198.51.100.7"] {
            partner.header(header, value).get(PATH).await.errors(401, &[("UNAUTHORIZED", "")]);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_where_its_caller_is() {
    let proxies = |settings: &mut landfall::config::Settings| {
        settings.http.trusted_proxies = ["127.0.0.0/8", "10.0.0.0/8"].map(|text| text.parse().unwrap()).to_vec();
    };
    let world = World::with(proxies).await;
    let partner = bound(&world).await;
    let from = |value: &str| partner.header("X-Forwarded-For", value);
    for good in ["198.51.100.7", "192.0.2.1, 198.51.100.7, 10.1.2.3", "[2001:db8:7::1]:4711", "::ffff:198.51.100.7"] {
        from(good).get(PATH).await.data(200);
    }
    // A line that was there before the proxy added its own, and the other header.
    from("198.51.100.7").header("X-Forwarded-For", "192.0.2.1").get(PATH).await.errors(401, &[("UNAUTHORIZED", "")]);
    from("192.0.2.1").header("X-Forwarded-For", "198.51.100.7").get(PATH).await.data(200);
    for bad in [
        "",
        "198.51.100.7, 192.0.2.1",
        "198.51.100.7, unknown",
        "198.51.100.7,",
        "10.1.2.3",
        "2001:db8:8::1",
        "for=198.51.100.7",
    ] {
        from(bad).get(PATH).await.errors(401, &[("UNAUTHORIZED", "")]);
    }
    partner.header("Forwarded", "for=198.51.100.7").get(PATH).await.errors(401, &[("UNAUTHORIZED", "")]);
    partner.get(PATH).await.errors(401, &[("UNAUTHORIZED", "")]);

    let wish = json!({ "name": "k", "scopes": ["payouts:read"], "allowed_ips": ["198.51.100.7"] });
    from("203.0.113.1, 198.51.100.7").post("/v1/api-keys", "api-key", wish).await.data(201);
    let noted = "SELECT count(*) FROM audit WHERE action = 'api_key.create' AND origin = '198.51.100.7'";
    assert_eq!(world.count(noted).await, 1);
    world.stop().await;
}
