//! Payout schemes and exchange-rate schemes.

use landfall::domain::ids::{ExchangeSchemeId, Mode, PayoutSchemeId};
use landfall::gateway::manage::{Slice, version_key};
use serde_json::{Value, json};

use super::{caller, caller_in, code_of, count, expect_problems, first, given, world};

#[tokio::test(flavor = "multi_thread")]
async fn versions_follow_each_other_and_never_change() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let (one, two) = (json!({ "rules": [] }), json!({ "rules": [] }));
    let (scheme, version) = gateway
        .create_scheme::<ExchangeSchemeId>(&acme, &given(json!({ "code": "std", "name": "Standard", "body": one })))
        .await
        .unwrap();
    assert_eq!((scheme.version, version.version, &version.body), (1, 1, &one));
    let next = given(json!({ "body": two, "comment": "Second", "version": 1 }));
    let published = gateway.publish_scheme(&acme, scheme.id, &next).await.unwrap();
    assert_eq!((published.version, published.comment.as_deref()), (2, Some("Second")));
    assert_eq!(published.created_by, acme.actor());
    assert_eq!(code_of(gateway.publish_scheme(&acme, scheme.id, &next).await), "VERSION_CONFLICT");

    let (found, current) = gateway.find_scheme(&acme, scheme.id).await.unwrap();
    assert_eq!((found.version, current.version), (2, 2));
    assert_eq!(gateway.find_scheme_version(&acme, scheme.id, 1).await.unwrap(), version);
    let listed = gateway.list_scheme_versions(&acme, scheme.id, first(10)).await.unwrap();
    assert_eq!(listed.iter().map(|version| version.version).collect::<Vec<_>>(), [2, 1]);
    let below_two = Slice { after: (version.created_at, version_key(2)), ..first(10) };
    let below = gateway.list_scheme_versions(&acme, scheme.id, below_two).await.unwrap();
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
    let (scheme, _) = gateway.create_scheme::<ExchangeSchemeId>(&acme, &made).await.unwrap();
    let next = given(json!({ "body": body, "version": 1 }));
    let (a, b) =
        tokio::join!(gateway.publish_scheme(&acme, scheme.id, &next), gateway.publish_scheme(&acme, scheme.id, &next),);
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
    let (own, _) = gateway.create_scheme::<ExchangeSchemeId>(&acme, &scheme).await.unwrap();
    let (houses, _) = gateway.create_scheme::<ExchangeSchemeId>(&house, &scheme).await.unwrap();
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

    assert_eq!(code_of(gateway.find_scheme(&acme, houses.id).await), "NOT_FOUND");
    assert_eq!(code_of(gateway.publish_scheme(&acme, houses.id, &scheme).await), "NOT_FOUND");
    assert_eq!(gateway.list_schemes::<ExchangeSchemeId>(&acme, None, first(10)).await.unwrap().len(), 1);
    world.finish().await;
}

fn direct(routes: Value) -> Value {
    json!({ "strategies": [{ "strategy": "direct", "routes": routes }] })
}

fn card_eur(node: Value) -> Value {
    json!({ "services": { "card_eur": node } })
}

fn branch(condition: Value) -> Value {
    card_eur(
        json!({ "if": condition, "then": direct(json!(["sandbox-a-card-eur"])), "else": { "reject": "Not today." } }),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_scheme_that_cannot_route_is_never_saved() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let house = caller(&world, "house").await;
    let eur = "/body/services/card_eur";
    let at = |rest: &str| format!("{eur}{rest}");
    let compare = |attribute: &str, operator: &str, value: Value| {
        branch(json!({ "attribute": attribute, "operator": operator, "value": value }))
    };
    let weights =
        json!([{ "route": "sandbox-a-card-eur", "weight": 0 }, { "route": "sandbox-b-card-eur", "weight": 0 }]);
    let cycle =
        json!({ "services": { "card_eur": { "ref": "a" } }, "nodes": { "a": { "ref": "b" }, "b": { "ref": "a" } } });
    for (body, pointer, code) in [
        (json!([]), "/body".to_owned(), "WRONG_TYPE"),
        (json!({ "services": {} }), "/body/services".to_owned(), "NO_SERVICES"),
        (card_eur(json!({ "reject": "Never." })), at(""), "NEVER_ROUTES"),
        (cycle, "/body/nodes/b/ref".to_owned(), "CYCLE"),
        (
            card_eur(json!({ "strategies": [{ "strategy": "weight", "routes": weights }] })),
            at("/strategies/0/routes"),
            "WEIGHTS_ZERO",
        ),
        (card_eur(direct(json!(["sandbox-a-card-usd"]))), at("/strategies/0/routes/0"), "ROUTE_OF_OTHER_SERVICE"),
        (card_eur(direct(json!(["nowhere"]))), at("/strategies/0/routes/0"), "UNKNOWN_ROUTE"),
        (compare("shoe_size", "=", json!(44)), at("/if/attribute"), "UNKNOWN_ATTRIBUTE"),
        (compare("amount", "starts_with", json!("1")), at("/if/operator"), "WRONG_OPERATOR"),
        (compare("amount", ">", json!("much")), at("/if/value"), "WRONG_OPERAND"),
        (compare("card.iin8", "=", json!("4111 1111 1111 1111")), at("/if/value"), "CARD_NUMBER"),
        (compare("amount", ">=", json!(0)), at("/else"), "UNREACHABLE_BRANCH"),
    ] {
        let given = given(json!({ "name": "x", "body": body }));
        expect_problems(gateway.create_scheme::<PayoutSchemeId>(&house, &given).await, &[(&pointer, code)]);
    }
    let elsewhere = given(json!({ "name": "x", "body": { "services": { "card_xyz": { "reject": "x" } } } }));
    expect_problems(
        gateway.create_scheme::<PayoutSchemeId>(&house, &elsewhere).await,
        &[("/body/services/card_xyz", "NEVER_ROUTES"), ("/body/services/card_xyz", "UNKNOWN_SERVICE")],
    );
    let many = card_eur(json!({ "if": { "any": [] }, "then": direct(json!(["nowhere"])), "else": { "reject": " " } }));
    expect_problems(
        gateway
            .create_scheme::<PayoutSchemeId>(&house, &given(json!({ "name": "x", "code": "A B", "body": many })))
            .await,
        &[
            (&at("/else/reject"), "REASON_INVALID"),
            (&at("/if/any"), "EMPTY_GROUP"),
            (&at("/then/strategies/0/routes/0"), "UNKNOWN_ROUTE"),
            ("/code", "INVALID_VALUE"),
        ],
    );
    assert_eq!(count(&world, "SELECT count(*) AS n FROM payout_scheme WHERE code <> 'default'").await, 0);
    assert_eq!(count(&world, "SELECT count(*) AS n FROM audit WHERE action = 'payout_scheme.create'").await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_scheme_names_routes_of_its_owner_and_mode_only() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let house = caller(&world, "house").await;
    let scheme =
        given(json!({ "code": "first", "name": "First", "body": card_eur(direct(json!(["sandbox-a-card-eur"]))) }));
    let unknown = [("/body/services/card_eur/strategies/0/routes/0", "UNKNOWN_ROUTE")];
    for other in [caller(&world, "acme").await, caller_in(&world, "house", Mode::Live).await] {
        expect_problems(gateway.create_scheme::<PayoutSchemeId>(&other, &scheme).await, &unknown);
    }
    let (made, _) = gateway.create_scheme::<PayoutSchemeId>(&house, &scheme).await.unwrap();
    // A later version is checked as the first is, and a refused one leaves the one in force.
    let bad = given(json!({ "body": card_eur(direct(json!(["nowhere"]))) }));
    expect_problems(gateway.publish_scheme(&house, made.id, &bad).await, &unknown);
    let snapshot = gateway.snapshot().await.unwrap();
    let state = snapshot.payout_scheme(house.tenant, made.id).unwrap();
    assert_eq!((state.version, state.compiled.is_some()), (1, true));
    // A scheme of disabled routes alone can never route.
    let route = snapshot.routes_of(house.tenant).iter().find(|route| route.code == "sandbox-a-card-eur").unwrap().id;
    gateway.change_route(&house, route, &given(json!({ "enabled": false }))).await.unwrap();
    let again = given(json!({ "body": card_eur(direct(json!([route.to_string()]))) }));
    let never = [("/body/services/card_eur", "NEVER_ROUTES")];
    expect_problems(gateway.publish_scheme(&house, made.id, &again).await, &never);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_scheme_with_a_wrong_rule_is_never_saved() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let rules = json!([
        { "from": "USD", "to": "EUR", "kind": "fixed", "price": "0" },
        { "from": "USD", "to": "ZZZ", "kind": "commercial", "source": "nobody" },
        { "from": "EUR", "to": "EUR", "kind": "fixed", "price": "1" },
    ]);
    expect_problems(
        gateway
            .create_scheme::<ExchangeSchemeId>(&acme, &given(json!({ "name": "x", "body": { "rules": rules } })))
            .await,
        &[
            ("/body/rules/0/price", "OUT_OF_RANGE"),
            ("/body/rules/1/source", "UNKNOWN_SOURCE"),
            ("/body/rules/1/to", "UNKNOWN_CURRENCY"),
            ("/body/rules/2/to", "SAME_CURRENCY"),
        ],
    );
    let sound =
        json!([{ "from": "USD", "to": "EUR", "kind": "commercial", "source": "board", "markup_percent": "1.5" }]);
    gateway
        .create_scheme::<ExchangeSchemeId>(&acme, &given(json!({ "name": "x", "body": { "rules": sound } })))
        .await
        .unwrap();
    assert_eq!(count(&world, "SELECT count(*) AS n FROM exchange_scheme").await, 1);
    world.finish().await;
}
