//! Payout points.

use landfall::domain::ids::{Mode, PayoutSchemeId};
use landfall::domain::payout_request::{Funding, SplitMode};
use landfall::gateway::manage::points::PointFilter;
use serde_json::json;

use super::{caller, caller_in, code_of, expect_problems, first, given, world};
use landfall::gateway::manage::Slice;

#[tokio::test(flavor = "multi_thread")]
async fn a_point_is_made_found_listed_and_read_by_routing() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "code": "shop", "name": "The shop", "currencies": ["EUR", "USD"], "callback_url": "https://acme.example/cb",
        "options": { "attempts_limit": 5, "split_mode": "auto", "expires_in_secs": 3600 } });
    let made = gateway.create_point(&acme, &given(attributes)).await.unwrap();
    assert_eq!(gateway.find_point(&acme, made.id).await.unwrap(), made);
    let snapshot = gateway.snapshot().await.unwrap();
    let state = snapshot.point_state(acme.tenant, made.id).unwrap();
    assert_eq!((state.options.attempts_limit, state.options.split_mode), (Some(5), Some(SplitMode::Auto)));
    assert_eq!(state.funding, Funding::PartnerBalance);

    let listed = async |filter: PointFilter| gateway.list_points(&acme, &filter, first(10)).await.unwrap().len();
    assert_eq!(listed(PointFilter::default()).await, 1);
    assert_eq!(listed(PointFilter { currency: "USD".parse().ok(), ..PointFilter::default() }).await, 1);
    assert_eq!(listed(PointFilter { currency: "GBP".parse().ok(), ..PointFilter::default() }).await, 0);
    assert_eq!(listed(PointFilter { enabled: Some(false), ..PointFilter::default() }).await, 0);
    assert_eq!(listed(PointFilter { code: Some("shop".into()), ..PointFilter::default() }).await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_with_a_point_is_told_at_once() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "code": "Shop!", "currencies": ["EUR", "ZZZ"], "funding": "wallet_hold", "callback_url": "ftp://x",
        "payout_scheme_id": PayoutSchemeId::new().to_string(), "exchange_rate_scheme_id": "ers_1", "colour": "red",
        "options": { "attempts_limit": 0, "split_mode": "sometimes", "allow_partially": "yes", "expires_in_secs": 1, "x": 1 } });
    expect_problems(
        gateway.create_point(&acme, &given(attributes)).await,
        &[
            ("/callback_url", "INVALID_VALUE"),
            ("/code", "INVALID_VALUE"),
            ("/colour", "UNKNOWN_MEMBER"),
            ("/currencies/1", "UNKNOWN_CURRENCY"),
            ("/exchange_rate_scheme_id", "INVALID_VALUE"),
            ("/funding", "INVALID_VALUE"),
            ("/name", "MISSING"),
            ("/options/allow_partially", "WRONG_TYPE"),
            ("/options/attempts_limit", "OUT_OF_RANGE"),
            ("/options/expires_in_secs", "OUT_OF_RANGE"),
            ("/options/split_mode", "INVALID_VALUE"),
            ("/options/x", "UNKNOWN_MEMBER"),
            ("/payout_scheme_id", "UNKNOWN_SCHEME"),
        ],
    );
    let empty = json!({ "name": "x", "currencies": [] });
    expect_problems(gateway.create_point(&acme, &given(empty)).await, &[("/currencies", "WRONG_LENGTH")]);
    let twice = json!({ "name": "x", "currencies": ["EUR", "EUR"] });
    expect_problems(gateway.create_point(&acme, &given(twice)).await, &[("/currencies/1", "DUPLICATE_MEMBER")]);
    let live = caller_in(&world, "acme", Mode::Live).await;
    let plain = json!({ "name": "x", "currencies": ["EUR"], "callback_url": "http://acme.example/" });
    expect_problems(gateway.create_point(&live, &given(plain)).await, &[("/callback_url", "INVALID_VALUE")]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_change_changes_nothing() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let point = json!({ "code": "shop", "name": "The shop", "currencies": ["EUR"], "description": "old" });
    let made = gateway.create_point(&acme, &given(point.clone())).await.unwrap();
    assert_eq!(code_of(gateway.create_point(&acme, &given(point)).await), "CODE_TAKEN");

    let change = json!({ "name": "Another", "description": null, "version": 1 });
    let changed = gateway.change_point(&acme, made.id, &given(change.clone())).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.description, changed.version), ("Another", None, 2));
    assert_eq!(changed.currencies, made.currencies, "what isn't named stays");
    assert_eq!(code_of(gateway.change_point(&acme, made.id, &given(change)).await), "VERSION_CONFLICT");
    let fixed = json!({ "code": "other", "name": null, "currencies": null });
    expect_problems(
        gateway.change_point(&acme, made.id, &given(fixed)).await,
        &[("/code", "READ_ONLY"), ("/currencies", "MISSING"), ("/name", "MISSING")],
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_point_is_not_there() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let point = json!({ "name": "The shop", "currencies": ["EUR"] });
    let made = gateway.create_point(&acme, &given(point)).await.unwrap();
    for other in
        [caller(&world, "demo").await, caller(&world, "house").await, caller_in(&world, "acme", Mode::Live).await]
    {
        assert_eq!(code_of(gateway.find_point(&other, made.id).await), "NOT_FOUND");
        let change = given(json!({ "name": "Mine" }));
        assert_eq!(code_of(gateway.change_point(&other, made.id, &change).await), "NOT_FOUND");
        let listed = gateway.list_points(&other, &PointFilter::default(), first(10)).await.unwrap();
        assert!(listed.iter().all(|point| point.id != made.id));
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_where_it_ended_in_both_directions() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        // Two of each time: the id decides.
        if n % 2 == 0 {
            world.advance(1_000);
        }
        let point = given(json!({ "name": format!("Point {n}"), "currencies": ["EUR"] }));
        ids.push(gateway.create_point(&acme, &point).await.unwrap());
    }
    ids.sort_by_key(|point| (point.created_at, point.id));
    for newest_first in [false, true] {
        let mut seen = Vec::new();
        let mut slice = Slice { newest_first, after: Slice::start(newest_first), limit: 2 };
        loop {
            let page = gateway.list_points(&acme, &PointFilter::default(), slice).await.unwrap();
            let Some(last) = page.last() else { break };
            slice.after = (last.created_at, last.id.0);
            seen.extend(page.into_iter().map(|point| point.id));
        }
        if newest_first {
            seen.reverse();
        }
        assert_eq!(seen, ids.iter().map(|point| point.id).collect::<Vec<_>>());
    }
    world.finish().await;
}
