//! Payout schemes and exchange-rate schemes.

use landfall::gateway::manage::{Slice, version_key};
use serde_json::json;

use super::{caller, code_of, expect_problems, first, given, world};

#[tokio::test(flavor = "multi_thread")]
async fn versions_follow_each_other_and_never_change() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let (one, two) = (json!({ "rules": [] }), json!({ "rules": [] }));
    let (scheme, version) = gateway
        .create_exchange_scheme(&acme, &given(json!({ "code": "std", "name": "Standard", "body": one })))
        .await
        .unwrap();
    assert_eq!((scheme.version, version.version, &version.body), (1, 1, &one));
    let next = given(json!({ "body": two, "comment": "Second", "version": 1 }));
    let published = gateway.publish_exchange_scheme(&acme, scheme.id, &next).await.unwrap();
    assert_eq!((published.version, published.comment.as_deref()), (2, Some("Second")));
    assert_eq!(published.created_by, acme.actor());
    assert_eq!(code_of(gateway.publish_exchange_scheme(&acme, scheme.id, &next).await), "VERSION_CONFLICT");

    let (found, current) = gateway.find_exchange_scheme(&acme, scheme.id).await.unwrap();
    assert_eq!((found.version, current.version), (2, 2));
    assert_eq!(gateway.find_exchange_scheme_version(&acme, scheme.id, 1).await.unwrap(), version);
    let listed = gateway.list_exchange_scheme_versions(&acme, scheme.id, first(10)).await.unwrap();
    assert_eq!(listed.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    let below_two = Slice { after: (version.created_at, version_key(2)), ..first(10) };
    let below = gateway.list_exchange_scheme_versions(&acme, scheme.id, below_two).await.unwrap();
    assert_eq!(below.len(), 1);
    let snapshot = gateway.snapshot().await.unwrap();
    assert_eq!(snapshot.exchange_scheme(acme.tenant, scheme.id).unwrap().version, 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_versions_at_once_one_is_published() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let body = json!({ "rules": [] });
    let made = given(json!({ "name": "Standard", "body": body }));
    let (scheme, _) = gateway.create_exchange_scheme(&acme, &made).await.unwrap();
    let next = given(json!({ "body": body, "version": 1 }));
    let (a, b) = tokio::join!(
        gateway.publish_exchange_scheme(&acme, scheme.id, &next),
        gateway.publish_exchange_scheme(&acme, scheme.id, &next),
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
    let lost = if a.is_ok() { b } else { a };
    assert_eq!(code_of(lost), "VERSION_CONFLICT");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_points_schemes_are_of_those_whose_accounts_pay() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let (acme, house) = (caller(&world, "acme").await, caller(&world, "house").await);
    let scheme = given(json!({ "name": "Standard", "body": { "rules": [] } }));
    let (own, _) = gateway.create_exchange_scheme(&acme, &scheme).await.unwrap();
    let (houses, _) = gateway.create_exchange_scheme(&house, &scheme).await.unwrap();
    let point = |funding: &str, id: String| {
        given(json!({ "name": "x", "currencies": ["EUR"], "funding": funding, "exchange_rate_scheme_id": id }))
    };
    let refused = [("/exchange_rate_scheme_id", "UNKNOWN_SCHEME")];
    expect_problems(gateway.create_point(&acme, &point("partner_balance", own.id.to_string())).await, &refused);
    expect_problems(gateway.create_point(&acme, &point("own_deposit", houses.id.to_string())).await, &refused);
    gateway.create_point(&acme, &point("partner_balance", houses.id.to_string())).await.unwrap();
    let made = gateway.create_point(&acme, &point("own_deposit", own.id.to_string())).await.unwrap();
    // The funding alone can't be changed under the scheme.
    let change = given(json!({ "funding": "partner_balance" }));
    expect_problems(gateway.change_point(&acme, made.id, &change).await, &refused);

    assert_eq!(code_of(gateway.find_exchange_scheme(&acme, houses.id).await), "NOT_FOUND");
    assert_eq!(code_of(gateway.publish_exchange_scheme(&acme, houses.id, &scheme).await), "NOT_FOUND");
    assert_eq!(gateway.list_exchange_schemes(&acme, None, first(10)).await.unwrap().len(), 1);
    world.finish().await;
}
