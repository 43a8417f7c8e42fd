//! Partners' payout requests: made whole or not at all, once for a reference, held and given back to the cent.

use landfall::config::gateway::FeeSeed;
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::requests::{NewCustomer, NewRequest, Patch, RequestOptions};
use landfall::providers::provider::Outcome;
use landfall::store::Slice;
use landfall::store::partner_requests::RequestFilter;
use rust_decimal::{Decimal, dec};
use serde_json::json;

use crate::partner::{Partner, code_of, execute, object, with_test_service};
use crate::world::World;

async fn world() -> World {
    World::with(with_test_service, Vec::new()).await
}

fn manual() -> RequestOptions {
    RequestOptions { auto_process: Some(false), ..RequestOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_sample_is_held_and_dispatched() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let made = world.app.gateway.create_request(&partner.caller, partner.sample()).await.unwrap();
    assert!(made.is_new);
    let row = made.request;
    assert_eq!((row.status, row.amount.normalize(), row.service.as_str()), (RequestStatus::Ready, dec!(1), "test_usd"));
    assert_eq!(row.reference_id, row.id.to_string());
    assert_eq!(partner.funds(&world, "USD").await, (dec!(99), dec!(1)));
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    assert_eq!(tasks.len(), 1);
    let view = partner.view(&world, row.id).await;
    assert_eq!((view.request.status, view.payouts.len()), (RequestStatus::Pending, 1));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paid_is_settled_and_nothing_stays_held() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let row = partner.make(&world, partner.sample()).await;
    world.step().await;
    let row = partner.find(&world, row.id).await;
    assert_eq!((row.status, row.amount_processed.normalize()), (RequestStatus::Processed, dec!(1)));
    assert_eq!(partner.funds(&world, "USD").await, (dec!(99), dec!(0)));
    let late = world.app.gateway.cancel_request(&partner.caller, row.id).await.unwrap_err();
    assert_eq!(code_of(&late), "REQUEST_FINAL");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_reference_and_body_is_the_original_and_another_body_is_refused() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let first = partner.make(&world, partner.sample_of(dec!(5), "order-1")).await;
    let again =
        world.app.gateway.create_request(&partner.caller, partner.sample_of(dec!(5.00), "order-1")).await.unwrap();
    assert_eq!((again.request.id, again.is_new), (first.id, false));
    let other =
        world.app.gateway.create_request(&partner.caller, partner.sample_of(dec!(6), "order-1")).await.unwrap_err();
    assert_eq!(code_of(&other), "REFERENCE_REUSED");
    let reserved =
        world.app.gateway.create_request(&partner.caller, partner.sample_of(dec!(6), "offer-17")).await.unwrap_err();
    assert_eq!(code_of(&reserved), "RESERVED_REFERENCE");
    assert_eq!(partner.funds(&world, "USD").await, (dec!(95), dec!(5)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_duplicates_make_one_request() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let all = (0..16).map(|_| world.app.gateway.create_request(&partner.caller, partner.sample_of(dec!(7), "once")));
    let made = futures_util::future::join_all(all).await;
    let made: Vec<_> = made.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|one| one.is_new).count(), 1);
    assert!(made.iter().all(|one| one.request.id == made[0].request.id));
    assert_eq!(partner.funds(&world, "USD").await, (dec!(93), dec!(7)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_requests_never_hold_more_than_there_is() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(50)).await;
    let asks: Vec<NewRequest> = (0..12).map(|n| partner.sample_of(dec!(10), &format!("part-{n}"))).collect();
    let all = asks.into_iter().map(|ask| world.app.gateway.create_request(&partner.caller, ask));
    let made = futures_util::future::join_all(all).await;
    let refused: Vec<_> = made.iter().filter_map(|one| one.as_ref().err()).map(code_of).collect();
    assert_eq!(refused, vec!["INSUFFICIENT_FUNDS"; 7]);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(0), dec!(50)));
    assert_eq!(world.test_db.count("SELECT count(*) FROM payout_request").await, 5);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_without_an_account_has_nothing_and_nothing_is_left_behind() {
    let world = world().await;
    let partner = Partner::with(&world, Decimal::ZERO).await;
    let mut ask = partner.sample();
    ask.customer = Some(NewCustomer { reference_id: "c-1".to_owned(), ..NewCustomer::default() });
    let refused = world.app.gateway.create_request(&partner.caller, ask).await.unwrap_err();
    assert_eq!(code_of(&refused), "INSUFFICIENT_FUNDS");
    for table in [
        "payout_request",
        "event",
        "job WHERE kind = 'dispatch'",
        "entry WHERE kind = 'hold'",
        "customer WHERE reference = 'c-1'",
    ] {
        assert_eq!(world.test_db.count(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_is_held_on_top_and_rounded_up() {
    let fee = FeeSeed {
        partner: Some("demo".into()),
        percent: Some("1.5".into()),
        fixed: Some("0.10".into()),
        ..FeeSeed::default()
    };
    let world = World::with(
        |settings| {
            with_test_service(settings);
            settings.gateway.fees = vec![fee];
        },
        Vec::new(),
    )
    .await;
    let partner = Partner::with(&world, dec!(100)).await;
    let row = partner.make(&world, partner.sample_of(dec!(33.33), "f")).await;
    // 0.49995 + 0.10, up to the cent.
    assert_eq!(row.terms.fee, dec!(0.60));
    assert_eq!(partner.funds(&world, "USD").await, (dec!(66.07), dec!(33.93)));
    world.app.gateway.cancel_request(&partner.caller, row.id).await.unwrap();
    assert_eq!(partner.funds(&world, "USD").await, (dec!(100), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_told_with_its_place() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let told =
        async |ask: NewRequest| code_of(&world.app.gateway.create_request(&partner.caller, ask).await.unwrap_err());
    let sample = || partner.sample();
    assert_eq!(told(NewRequest { test_mode: Some(false), ..sample() }).await, "MODE_MISMATCH");
    assert_eq!(told(NewRequest { service: "card_xyz".into(), ..sample() }).await, "UNKNOWN_SERVICE");
    assert_eq!(
        told(NewRequest { point_id: landfall::domain::ids::PayoutPointId::new(), ..sample() }).await,
        "UNKNOWN_POINT"
    );
    assert_eq!(told(NewRequest { point_amount: None, ..sample() }).await, "AMOUNT_REQUIRED");
    assert_eq!(told(NewRequest { point_amount: Some(dec!(1.001)), ..sample() }).await, "TOO_PRECISE");
    assert_eq!(told(NewRequest { point_amount: Some(dec!(0.49)), ..sample() }).await, "AMOUNT_TOO_SMALL");
    assert_eq!(told(NewRequest { point_amount: Some(dec!(900.01)), ..sample() }).await, "AMOUNT_TOO_LARGE");
    assert_eq!(told(NewRequest { service_amount: Some(dec!(2)), ..sample() }).await, "AMOUNTS_DISAGREE");
    assert_eq!(told(NewRequest { point_currency: Some("GBP".parse().unwrap()), ..sample() }).await, "NO_EXCHANGE_RULE");
    assert_eq!(
        told(NewRequest { fields: object(json!({"account": "x", "cvv": "123"})), ..sample() }).await,
        "FIELD_UNKNOWN"
    );
    let number = "4111 1111 1111 1111";
    assert_eq!(told(NewRequest { fields: object(json!({ "account": number })), ..sample() }).await, "CARD_NUMBER");
    assert_eq!(told(NewRequest { description: Some(number.into()), ..sample() }).await, "CARD_NUMBER");
    assert_eq!(told(NewRequest { metadata: object(json!({ "note": number })), ..sample() }).await, "CARD_NUMBER");
    assert_eq!(told(NewRequest { metadata: object(json!({ "a": [1] })), ..sample() }).await, "WRONG_TYPE");
    assert_eq!(told(NewRequest { callback_url: Some("ftp://x".into()), ..sample() }).await, "INVALID_URL");
    let late = RequestOptions { expires_at: Some(world.app.clock.now()), ..RequestOptions::default() };
    assert_eq!(told(NewRequest { options: late, ..sample() }).await, "OUT_OF_RANGE");
    assert_eq!(world.test_db.count("SELECT count(*) FROM payout_request").await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_details_wait_hold_and_are_supplied() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(10)).await;
    let row = partner.make(&world, NewRequest { fields: object(json!({})), ..partner.sample() }).await;
    assert_eq!(row.status, RequestStatus::WaitingDetails);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(9), dec!(1)));
    assert_eq!(world.app.gateway.dispatch(10).await.unwrap().1, 0);
    let process = world.app.gateway.process_request(&partner.caller, row.id).await.unwrap_err();
    assert_eq!(code_of(&process), "REQUEST_NOT_READY");
    let patch = Patch { fields: Some(object(json!({"account": "a-1"}))), ..Patch::default() };
    let row = world.app.gateway.patch_request(&partner.caller, row.id, &patch).await.unwrap();
    assert_eq!((row.status, &row.fields), (RequestStatus::Ready, &json!({"account": "a-1"})));
    assert_eq!(world.app.gateway.dispatch(10).await.unwrap().0.len(), 1);
    let late = world.app.gateway.patch_request(&partner.caller, row.id, &patch).await.unwrap_err();
    assert_eq!(code_of(&late), "FIELDS_FIXED");
    let limit = Patch { attempts_limit: Some(7), allow_partially: Some(true), ..Patch::default() };
    let row = world.app.gateway.patch_request(&partner.caller, row.id, &limit).await.unwrap();
    assert_eq!((row.attempts_limit, row.allow_partially), (7, true));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_goes_to_the_vault_and_its_end_destroys_it() {
    let world = world().await;
    let partner = Partner::with(&world, Decimal::ZERO).await;
    partner.credit(&world, "EUR", dec!(100)).await;
    // Declined for the card: the request ends at once.
    let row = partner.make(&world, partner.to_card("4000000000130205")).await;
    assert_eq!(row.fields, json!({}));
    let mask = partner.view(&world, row.id).await.card.unwrap();
    assert_eq!((mask.iin.as_str(), mask.last_four.as_str()), ("400000", "0205"));
    assert_eq!(world.app.gateway.destroy_request_cards().await.unwrap(), 0);
    assert!(world.verify().await.is_clean(), "{}", world.verify().await);
    world.step().await;
    let row = partner.find(&world, row.id).await;
    assert_eq!(row.status, RequestStatus::Failed, "the provider saw the very card: {:?}", row.resolution);
    assert_eq!(row.resolution, Some(landfall::domain::payout::Resolution::CardRestricted));
    assert_eq!(partner.funds(&world, "EUR").await, (dec!(100), dec!(0)));
    assert_eq!(world.app.gateway.destroy_request_cards().await.unwrap(), 1);
    assert_eq!(
        world
            .test_db
            .count("SELECT count(*) FROM request_card WHERE pan_sealed IS NOT NULL OR length(holder_sealed) > 0")
            .await,
        0
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn part_of_a_card_is_none_of_it() {
    let world = world().await;
    let partner = Partner::with(&world, Decimal::ZERO).await;
    partner.credit(&world, "EUR", dec!(100)).await;
    let mut ask = partner.to_card("4111111111111111");
    ask.fields.remove("card_expiry");
    let row = partner.make(&world, ask).await;
    assert_eq!(row.status, RequestStatus::WaitingDetails);
    assert_eq!(world.test_db.count("SELECT count(*) FROM request_card").await, 0);
    let some = Patch { fields: Some(object(json!({"card_expiry": "12/35"}))), ..Patch::default() };
    let row = world.app.gateway.patch_request(&partner.caller, row.id, &some).await.unwrap();
    assert_eq!(row.status, RequestStatus::WaitingDetails);
    let all = Patch { fields: Some(partner.to_card("4111111111111111").fields), ..Patch::default() };
    let row = world.app.gateway.patch_request(&partner.caller, row.id, &all).await.unwrap();
    assert_eq!((row.status, row.fields), (RequestStatus::Ready, json!({})));
    assert_eq!(world.test_db.count("SELECT count(*) FROM request_card").await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_the_customers_own_card() {
    let world = world().await;
    let partner = Partner::with(&world, Decimal::ZERO).await;
    partner.credit(&world, "EUR", dec!(100)).await;
    let (alice, bob) = (world.user("alice").await, world.user("bob").await);
    let card = world.card(&alice, "4111111111111111").await;
    let _ = world.card(&bob, "4111111111111111").await;
    let ask = |customer: &str| NewRequest {
        fields: object(json!({"purpose": "rent"})),
        token: Some(card),
        customer: Some(NewCustomer { reference_id: customer.to_owned(), ..NewCustomer::default() }),
        ..partner.to_card("")
    };
    let refused = world.app.gateway.create_request(&partner.caller, ask("bob")).await.unwrap_err();
    assert_eq!(code_of(&refused), "UNKNOWN_CARD");
    let row = partner.make(&world, ask("alice")).await;
    assert_eq!((row.status, row.card_id), (RequestStatus::Ready, Some(card)));
    assert!(row.customer_id.is_some());
    world.app.wallet.delete_card(&alice, card).await.unwrap();
    let gone = world.app.gateway.create_request(&partner.caller, ask("alice")).await.unwrap_err();
    assert_eq!(code_of(&gone), "UNKNOWN_CARD");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_auto_process_it_waits_until_it_is_processed_or_terminated() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let ask = |reference: &str| NewRequest { options: manual(), ..partner.sample_of(dec!(10), reference) };
    let (one, two) = (partner.make(&world, ask("one")).await, partner.make(&world, ask("two")).await);
    assert_eq!(world.app.gateway.dispatch(10).await.unwrap().1, 0);
    for _ in 0..2 {
        world.app.gateway.process_request(&partner.caller, one.id).await.unwrap();
        let ended = world.app.gateway.terminate_request(&partner.caller, two.id).await.unwrap();
        assert_eq!(ended.status, RequestStatus::Terminated);
    }
    assert_eq!(world.app.gateway.dispatch(10).await.unwrap().0.len(), 1);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(90), dec!(10)));
    let late = world.app.gateway.terminate_request(&partner.caller, one.id).await.unwrap_err();
    assert_eq!(code_of(&late), "REQUEST_NOT_READY");
    let kinds: Vec<String> = world
        .app
        .gateway
        .events_of_request(&partner.caller, one.id)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.kind)
        .collect();
    assert_eq!(kinds, ["request_created", "processing_requested", "payout_started"]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_releases_at_once_or_waits_for_what_is_under_way() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let idle = partner.make(&world, NewRequest { options: manual(), ..partner.sample_of(dec!(10), "idle") }).await;
    let busy = partner.make(&world, partner.sample_of(dec!(20), "busy")).await;
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    for _ in 0..2 {
        let ended = world.app.gateway.cancel_request(&partner.caller, idle.id).await.unwrap();
        assert_eq!(ended.status, RequestStatus::Canceled);
        let told = world.app.gateway.cancel_request(&partner.caller, busy.id).await.unwrap();
        assert_eq!((told.status, told.stop_requested.as_deref()), (RequestStatus::Pending, Some("cancel")));
    }
    assert_eq!(partner.funds(&world, "USD").await, (dec!(80), dec!(20)));
    // The route refuses: no other is tried, and the end is the cancel.
    let declined = Outcome::Declined {
        resolution: landfall::domain::payout::Resolution::DeclinedError,
        code: "x".into(),
        message: "x".into(),
    };
    let report = world.callback(&tasks[0].payout, declined);
    world.app.gateway.complete(&[report]).await.unwrap();
    assert_eq!(partner.find(&world, busy.id).await.status, RequestStatus::Canceled);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(100), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancels_and_dispatches_that_race_never_both_win() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    for n in 0..20 {
        let row = partner.make(&world, partner.sample_of(dec!(1), &format!("race-{n}"))).await;
        let (canceled, dispatched) =
            tokio::join!(world.app.gateway.cancel_request(&partner.caller, row.id), world.app.gateway.dispatch(10),);
        let (canceled, sent) = (canceled.unwrap(), dispatched.unwrap().0.len());
        match canceled.status {
            RequestStatus::Canceled => assert_eq!(sent, 0),
            RequestStatus::Pending => assert_eq!((sent, canceled.stop_requested.as_deref()), (1, Some("cancel"))),
            other => panic!("{other}"),
        }
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_that_is_over_ends_what_rests_and_stops_what_moves() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let rests = partner.make(&world, NewRequest { options: manual(), ..partner.sample_of(dec!(10), "rests") }).await;
    let waits =
        partner.make(&world, NewRequest { fields: object(json!({})), ..partner.sample_of(dec!(10), "waits") }).await;
    let moves = partner.make(&world, partner.sample_of(dec!(10), "moves")).await;
    world.app.gateway.dispatch(10).await.unwrap();
    assert_eq!(world.app.gateway.expire_requests().await.unwrap(), 0);
    world.advance(86_400_000);
    assert_eq!(world.app.gateway.expire_requests().await.unwrap(), 3);
    assert_eq!(world.app.gateway.expire_requests().await.unwrap(), 0);
    for id in [rests.id, waits.id] {
        assert_eq!(partner.find(&world, id).await.status, RequestStatus::Expired);
    }
    let moves = partner.find(&world, moves.id).await;
    assert_eq!((moves.status, moves.stop_requested.as_deref()), (RequestStatus::Pending, Some("expiry")));
    assert_eq!(partner.funds(&world, "USD").await, (dec!(90), dec!(10)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_rule_turns_the_points_amount_into_the_services_and_back() {
    let world = world().await;
    let partner = Partner::with(&world, Decimal::ZERO).await;
    partner.credit(&world, "GBP", dec!(100)).await;
    let scheme = uuid::Uuid::now_v7();
    let id = partner.tenant().partner_id.0;
    let body = json!({"rules": [
        {"from": "GBP", "to": "USD", "kind": "fixed", "price": "1.25", "markup_percent": "2"},
        {"from": "EUR", "to": "USD", "kind": "commercial", "source": "board"},
    ]});
    execute(
        &world,
        &format!(
            "INSERT INTO exchange_scheme (partner_id, mode, id, code, name, version, created_at, updated_at) \
         VALUES ('{id}', 'test', '{scheme}', 'x', 'x', 1, now(), now())"
        ),
    )
    .await;
    execute(
        &world,
        &format!(
            "INSERT INTO exchange_scheme_version (partner_id, mode, scheme_id, version, body, created_by, created_at) \
         VALUES ('{id}', 'test', '{scheme}', 1, '{body}', 'test', now())"
        ),
    )
    .await;
    execute(&world, &format!("UPDATE payout_point SET exchange_scheme_id = '{scheme}' WHERE partner_id = '{id}'"))
        .await;
    let ask = |point: Option<Decimal>, service: Option<Decimal>, currency: &str| NewRequest {
        point_amount: point,
        service_amount: service,
        point_currency: Some(currency.parse().unwrap()),
        ..partner.sample()
    };
    let row = partner.make(&world, ask(Some(dec!(10)), None, "GBP")).await;
    assert_eq!((row.amount.normalize(), row.terms.point_amount.normalize()), (dec!(12.25), dec!(10)));
    let row = partner.make(&world, ask(None, Some(dec!(12.26)), "GBP")).await;
    assert_eq!((row.amount.normalize(), row.terms.point_amount.normalize()), (dec!(12.26), dec!(10.01)));
    assert_eq!(partner.funds(&world, "GBP").await, (dec!(79.99), dec!(20.01)));
    landfall::gateway::requests::terms::settlement_of_partner(&world.app.gateway.assets, &row).unwrap();
    let none = world.app.gateway.create_request(&partner.caller, ask(Some(dec!(10)), None, "EUR")).await.unwrap_err();
    assert_eq!(code_of(&none), "RATES_UNAVAILABLE");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_page_by_page_and_show_only_the_partners_own() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    for n in 0..5 {
        world.advance(10);
        let ask = NewRequest {
            customer: Some(NewCustomer { reference_id: format!("c-{}", n % 2), ..NewCustomer::default() }),
            ..partner.sample_of(dec!(1), &format!("l-{n}"))
        };
        partner.make(&world, ask).await;
    }
    let mut slice = Slice { newest_first: true, after: Slice::start(true), limit: 2 };
    let mut seen = Vec::new();
    loop {
        let page = world.app.gateway.requests(&partner.caller, &RequestFilter::default(), slice).await.unwrap();
        let Some(last) = page.last() else { break };
        slice.after = (last.request.created_at, last.request.id.0);
        seen.extend(page.into_iter().map(|view| view.request.reference_id));
    }
    assert_eq!(seen, ["l-4", "l-3", "l-2", "l-1", "l-0"]);
    let all = Slice { newest_first: false, after: Slice::start(false), limit: 50 };
    let of =
        async |filter: RequestFilter| world.app.gateway.requests(&partner.caller, &filter, all).await.unwrap().len();
    assert_eq!(of(RequestFilter { customer: Some("c-1".into()), ..RequestFilter::default() }).await, 2);
    assert_eq!(of(RequestFilter { reference_id: Some("l-3".into()), ..RequestFilter::default() }).await, 1);
    assert_eq!(of(RequestFilter { status: Some(RequestStatus::Failed), ..RequestFilter::default() }).await, 0);
    let lines = world.app.gateway.partner_statement(&partner.caller, all).await.unwrap();
    assert_eq!(lines.len(), 6);
    let events = world.app.gateway.events(&partner.caller, &Default::default(), all).await.unwrap();
    assert_eq!(events.len(), 5);
    let mut other = partner.caller.clone();
    other.tenant.mode = landfall::domain::ids::Mode::Live;
    assert!(world.app.gateway.requests(&other, &RequestFilter::default(), all).await.unwrap().is_empty());
    world.finish().await;
}
