//! Routing by schemes over a real database: shares, reservations, failover by outcome, breakers, turnovers, currencies.

use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::RequestStatus;
use landfall::domain::routing::Trace;
use landfall::gateway::requests::{NewRequest, RequestOptions};
use rust_decimal::{Decimal, dec};
use serde_json::json;

use crate::partner::{Partner, execute};
use crate::scripted::{Lane, Says, by, events_of, lane, lanes_of, payouts_of, reserved, routed, routed_with};
use crate::world::World;

const PLENTY: Decimal = dec!(50000);

fn three() -> [Lane; 3] {
    [lane("a", PLENTY), lane("b", PLENTY), lane("c", PLENTY)]
}

#[tokio::test(flavor = "multi_thread")]
async fn weight_gives_each_route_its_share_to_within_a_request_at_every_moment() {
    let mut lanes = three();
    for (lane, weight) in lanes.iter_mut().zip([5, 3, 2]) {
        lane.weight = weight;
    }
    let (world, scripted, partner) = routed(&lanes, by("weight", &lanes)).await;
    for n in 1..=40_i64 {
        partner.make(&world, partner.sample_of(dec!(10), &format!("w-{n}"))).await;
        world.step().await;
        for (lane, weight) in [("a", 5), ("b", 3), ("c", 2)] {
            let share = Decimal::from(n * weight);
            assert!(
                (scripted.paid_by(lane) - share).abs() <= dec!(10),
                "after {n}, {lane} has {}",
                scripted.paid_by(lane)
            );
        }
    }
    assert_eq!([scripted.paid_by("a"), scripted.paid_by("b"), scripted.paid_by("c")], [dec!(200), dec!(120), dec!(80)]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn optimal_debits_equal_amounts_and_a_batch_counts_its_own() {
    let lanes = three();
    let (world, scripted, partner) = routed(&lanes, by("optimal", &lanes)).await;
    for (n, amount) in (0..).zip([70, 10, 35, 20, 90, 55, 5, 80, 45, 15, 60, 25]) {
        partner.make(&world, partner.sample_of(Decimal::from(amount), &format!("o-{n}"))).await;
        if n % 4 == 3 {
            world.step().await;
        }
    }
    let paid = ["a", "b", "c"].map(|lane| scripted.paid_by(lane));
    let (least, most) = (paid.iter().min().unwrap(), paid.iter().max().unwrap());
    assert!(most - least <= dec!(90), "{paid:?}");
    assert_eq!(paid.iter().sum::<Decimal>(), dec!(510));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_routes_final_decline_fails_over_and_the_stored_trace_gives_the_same_decision() {
    let lanes = three();
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::DeclinesRoute]);
    scripted.next("b", &[Says::NotSent]);
    let row = partner.make(&world, partner.sample_of(dec!(25), "failover")).await;
    for _ in 0..3 {
        world.step().await;
    }
    let payouts = payouts_of(&world, &partner, row.id).await;
    assert_eq!(lanes_of(&world, &payouts).await, ["a", "b", "c"]);
    let ends: Vec<_> = payouts.iter().map(|payout| (payout.status, payout.resolution)).collect();
    assert_eq!(
        ends,
        [
            (PayoutStatus::Failed, Some(Resolution::DeclinedError)),
            (PayoutStatus::Failed, Some(Resolution::ProviderUnavailable)),
            (PayoutStatus::Processed, Some(Resolution::Ok)),
        ]
    );
    assert_eq!(scripted.paid(), dec!(25));
    let events = events_of(&world, &partner, row.id).await;
    let started: Vec<_> = events.iter().filter(|event| event.kind == "payout_started").collect();
    assert_eq!(started.len(), 3);
    for (event, payout) in started.iter().zip(&payouts) {
        let trace: Trace = serde_json::from_value(event.data["routing"].clone()).unwrap();
        assert_eq!(trace.replay().first(), Some(&payout.route_id), "{:?}", trace.in_words());
        assert_eq!(trace.scheme.unwrap().version, 1);
    }
    // Why the first was passed over is told.
    let third: Trace = serde_json::from_value(started[2].data["routing"].clone()).unwrap();
    assert!(third.in_words().iter().any(|line| line.contains("tried")), "{:?}", third.in_words());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cards_decline_and_an_unknown_fate_never_fail_over() {
    let lanes = three();
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::DeclinesCard, Says::PaysSilently]);
    let declined = partner.make(&world, partner.sample_of(dec!(10), "card")).await;
    world.step().await;
    let silent = partner.make(&world, partner.sample_of(dec!(10), "silent")).await;
    for _ in 0..3 {
        world.step().await;
    }
    assert_eq!(payouts_of(&world, &partner, declined.id).await.len(), 1);
    let declined = partner.find(&world, declined.id).await;
    assert_eq!((declined.status, declined.resolution), (RequestStatus::Failed, Some(Resolution::CardRestricted)));
    let payouts = payouts_of(&world, &partner, silent.id).await;
    assert_eq!(payouts.iter().map(|payout| payout.status).collect::<Vec<_>>(), [PayoutStatus::Unknown]);
    assert_eq!(partner.funds(&world, "USD").await.1, dec!(10));
    for _ in 0..5 {
        world.advance(20_000);
        world.step().await;
    }
    assert_eq!(partner.find(&world, silent.id).await.status, RequestStatus::Processed);
    assert_eq!((scripted.sends_to("a"), scripted.sends_to("b"), scripted.paid()), (2, 0, dec!(10)));
    // The card's decline is no failure of its route.
    let failed = "SELECT COALESCE(sum(failed), 0)::bigint AS count FROM route_outcome";
    assert_eq!(world.test_db.count(failed).await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_are_limited_over_all_routes_and_per_route() {
    let lanes = three();
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    for lane in ["a", "b", "c"] {
        scripted.always(lane, Says::DeclinesRoute);
    }
    let cases = [
        (Some(1), None, vec!["a"]),
        (Some(2), None, vec!["a", "b"]),
        (Some(9), None, vec!["a", "b", "c"]),
        (Some(5), Some(2), vec!["a", "a", "b", "b", "c"]),
    ];
    for (n, (attempts_limit, attempts_per_route_limit, over)) in (0..).zip(cases) {
        let options = RequestOptions { attempts_limit, attempts_per_route_limit, ..RequestOptions::default() };
        let ask = NewRequest { options, ..partner.sample_of(dec!(10), &format!("limit-{n}")) };
        let row = partner.make(&world, ask).await;
        for _ in 0..6 {
            world.step().await;
        }
        let payouts = payouts_of(&world, &partner, row.id).await;
        assert_eq!(lanes_of(&world, &payouts).await, over);
        let row = partner.find(&world, row.id).await;
        assert_eq!((row.status, row.resolution), (RequestStatus::Failed, Some(Resolution::DeclinedError)));
    }
    assert_eq!(partner.funds(&world, "USD").await, (dec!(100000), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_takes_a_failing_account_out_and_lets_it_back_by_probes() {
    let lanes = [lane("a", PLENTY), lane("b", PLENTY)];
    let (world, scripted, partner) = routed_with(&lanes, by("direct", &lanes), |settings| {
        settings.gateway.breaker.calls_min = 4;
    })
    .await;
    scripted.always("a", Says::NotSent);
    let one = async |name: &str| {
        let row = partner.make(&world, partner.sample_of(dec!(1), name)).await;
        for _ in 0..2 {
            world.step().await;
        }
        lanes_of(&world, &payouts_of(&world, &partner, row.id).await).await
    };
    for n in 0..4 {
        assert_eq!(one(&format!("breaks-{n}")).await, ["a", "b"]);
    }
    let shut_out = partner.make(&world, partner.sample_of(dec!(1), "open")).await;
    world.step().await;
    assert_eq!(lanes_of(&world, &payouts_of(&world, &partner, shut_out.id).await).await, ["b"]);
    let events = events_of(&world, &partner, shut_out.id).await;
    let started = events.iter().find(|event| event.kind == "payout_started").unwrap();
    let trace: Trace = serde_json::from_value(started.data["routing"].clone()).unwrap();
    assert!(trace.in_words().join("\n").contains("is rested"), "{:?}", trace.in_words());

    // That our balance there is too low says nothing of the provider.
    scripted.always("b", Says::LacksFunds);
    for n in 0..6 {
        assert_eq!(one(&format!("no-funds-{n}")).await, ["b"]);
    }
    scripted.always("b", Says::Pays);

    // After a while it is probed; a probe that fails shuts it again, one that succeeds opens the way.
    world.advance(31_000);
    assert_eq!(one("probe-fails").await, ["a", "b"]);
    assert_eq!(one("shut-again").await, ["b"]);
    scripted.always("a", Says::Pays);
    world.advance(120_000);
    for n in 0..5 {
        assert_eq!(one(&format!("back-{n}")).await, ["a"]);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turnover_of_the_day_that_is_used_up_takes_the_route_out_until_the_next() {
    let lanes = [lane("a", PLENTY), lane("b", PLENTY)];
    let (world, _, partner) = routed(&lanes, by("direct", &lanes)).await;
    execute(&world, r#"UPDATE provider_account SET turnover_limits = '{"USD": "25"}' WHERE code = 'a'"#).await;
    world.app.gateway.routes.forget();
    let mut over = Vec::new();
    for n in 0..3 {
        let row = partner.make(&world, partner.sample_of(dec!(10), &format!("t-{n}"))).await;
        world.step().await;
        over.extend(lanes_of(&world, &payouts_of(&world, &partner, row.id).await).await);
    }
    assert_eq!(over, ["a", "a", "b"]);
    world.advance(86_400_000);
    let row = partner.make(&world, partner.sample_of(dec!(10), "tomorrow")).await;
    world.step().await;
    assert_eq!(lanes_of(&world, &payouts_of(&world, &partner, row.id).await).await, ["a"]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_read_from_the_request_and_a_refusal_says_why() {
    let lanes = three();
    let only = |lane: &str| json!({"strategies": [{"strategy": "direct", "routes": [lane]}]});
    let body = json!({"services": {"test_usd": {
        "if": {"attribute": "amount", "operator": ">", "value": 500},
        "then": {"reject": "too much for this service"},
        "else": {
            // 100 USD are some 93 EUR.
            "if": {"all": [
                {"attribute": "amount_reference", "operator": "between", "value": [92, 95]},
                {"attribute": "metadata.channel", "operator": "=", "value": "shop"},
            ]},
            "then": only("b"),
            "else": {
                "if": {"attribute": "customer.paid_count", "operator": ">=", "value": 1},
                "then": only("c"),
                "else": only("a"),
            },
        },
    }}});
    let (world, _, partner) = routed(&lanes, body).await;
    let mut quoted = landfall::rates::source::Tick {
        pair: "USDT/USD".parse().unwrap(),
        bid: dec!(0.9998),
        ask: dec!(1.0002),
        source_time: None,
    };
    let board = world.app.rates.board(landfall::domain::ids::Mode::Test).unwrap();
    board.record("fixed", std::slice::from_ref(&quoted), world.app.clock.now());
    quoted.pair = "USDT/EUR".parse().unwrap();
    (quoted.bid, quoted.ask) = (dec!(0.9297), dec!(0.9301));
    board.record("fixed", &[quoted], world.app.clock.now());

    let customer = landfall::gateway::requests::NewCustomer { reference_id: "c-1".to_owned(), ..Default::default() };
    let mut shop = partner.sample_of(dec!(100), "shop");
    shop.metadata = crate::partner::object(json!({"channel": "shop"}));
    let cases = [
        (shop, Some("b")),
        (NewRequest { customer: Some(customer.clone()), ..partner.sample_of(dec!(100), "first") }, Some("a")),
        (NewRequest { customer: Some(customer), ..partner.sample_of(dec!(100), "second") }, Some("c")),
        (partner.sample_of(dec!(501), "refused"), None),
    ];
    for (ask, over) in cases {
        let row = partner.make(&world, ask).await;
        world.step().await;
        let payouts = payouts_of(&world, &partner, row.id).await;
        assert_eq!(lanes_of(&world, &payouts).await.first().map(String::as_str), over);
        let row = partner.find(&world, row.id).await;
        let end = match over {
            Some(_) => (RequestStatus::Processed, Some(Resolution::Ok)),
            None => (RequestStatus::Failed, Some(Resolution::StrategyReceivedNoRoutes)),
        };
        assert_eq!((row.status, row.resolution), end);
        if over.is_none() {
            let events = events_of(&world, &partner, row.id).await;
            let told = serde_json::to_string(&events.iter().map(|event| &event.data).collect::<Vec<_>>()).unwrap();
            assert!(told.contains("too much for this service"), "{told}");
        }
    }
    assert_eq!(partner.funds(&world, "USD").await, (dec!(99700), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_strategies_goes_on_to_the_next_where_one_gives_no_route() {
    let lanes = [Lane { max: Some(dec!(50)), ..lane("small", PLENTY) }, lane("big", PLENTY)];
    let body = json!({"services": {"test_usd": {"strategies": [
        {"strategy": "cost", "routes": ["small"]},
        {"strategy": "balance", "routes": ["big"]},
    ]}}});
    let (world, _, partner) = routed(&lanes, body).await;
    for (amount, over) in [(dec!(50), "small"), (dec!(50.01), "big")] {
        let row = partner.make(&world, partner.sample_of(amount, over)).await;
        world.step().await;
        assert_eq!(lanes_of(&world, &payouts_of(&world, &partner, row.id).await).await, [over]);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversion_leaves_a_failing_route_without_forgetting_it() {
    let lanes = [lane("good", PLENTY), lane("bad", PLENTY)];
    let (world, scripted, partner) = routed_with(&lanes, by("conversion", &lanes), |settings| {
        settings.gateway.breaker.calls_min = 10_000;
    })
    .await;
    scripted.always("bad", Says::DeclinesRoute);
    for n in 0..120 {
        partner.make(&world, partner.sample_of(dec!(1), &format!("c-{n}"))).await;
        world.step().await;
        world.step().await;
    }
    let (good, bad) = (scripted.sends_to("good"), scripted.sends_to("bad"));
    assert_eq!((scripted.paid_by("good"), good), (dec!(120), 120));
    assert!((1..40).contains(&bad), "the failing route was tried {bad} times");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_in_another_currency_is_reserved_with_a_buffer_and_debited_at_its_rate() {
    let lanes = [Lane { currency: "EUR", cost_percent: dec!(1), ..lane("euros", dec!(1000)) }];
    let (world, scripted, partner) = routed(&lanes, by("balance", &lanes)).await;
    let row = partner.make(&world, partner.sample_of(dec!(100), "no-price")).await;
    world.step().await;
    // No price of USD in EUR: nothing is sent on a guess.
    let row = partner.find(&world, row.id).await;
    assert_eq!(row.resolution, Some(Resolution::StrategyConfiguredRoutesWereFiltered));
    assert_eq!(scripted.sends_to("euros"), 0);

    let tick = |pair: &str, bid, ask| landfall::rates::source::Tick {
        pair: pair.parse().unwrap(),
        bid,
        ask,
        source_time: None,
    };
    let board = world.app.rates.board(landfall::domain::ids::Mode::Test).unwrap();
    let ticks = [tick("USDT/USD", dec!(1), dec!(1)), tick("USDT/EUR", dec!(0.9), dec!(0.9))];
    board.record("fixed", &ticks, world.app.clock.now());
    let row = partner.make(&world, partner.sample_of(dec!(100), "priced")).await;
    let reports = world.send_due().await;
    // 90 EUR and 2 % of it for the rate's moves, and a cost of 1 USD.
    assert_eq!(reserved(&world, "euros").await, 9_270);
    world.app.gateway.complete(&reports).await.unwrap();
    assert_eq!(reserved(&world, "euros").await, 0);
    let payout = payouts_of(&world, &partner, row.id).await.remove(0);
    assert_eq!(payout.placement.deposit_currency.as_str(), "EUR");
    assert_eq!(payout.placement.deposit_rate.normalize(), dec!(0.9));
    assert_eq!((payout.placement.deposit_debited.normalize(), payout.cost.normalize()), (dec!(90), dec!(0.9)));
    assert_eq!(partner.find(&world, row.id).await.status, RequestStatus::Processed);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_place_all_money_on_three_accounts_that_just_suffice() {
    let lanes = [lane("a", dec!(220)), lane("b", dec!(210)), lane("c", dec!(210))];
    let (world, scripted, partner) = routed(&lanes, by("balance", &lanes)).await;
    let background = world.start();
    let (world_ref, partner_ref) = (&world, &partner);
    let clients = (0..64).map(|n| async move {
        let row = partner_ref.make(world_ref, partner_ref.sample_of(dec!(10), &format!("client-{n}"))).await;
        // Beside the workers, as other processes' workers would.
        let (tasks, _) = world_ref.app.gateway.dispatch(8).await.unwrap();
        let mut reports = Vec::new();
        for task in &tasks {
            reports.extend(world_ref.app.gateway.send(task).await);
        }
        world_ref.app.gateway.complete(&reports).await.unwrap();
        row.id
    });
    let ids = futures_util::future::join_all(clients).await;
    crate::world::eventually("all are paid", async || {
        let open = "SELECT count(*) AS count FROM payout_request WHERE final_at IS NULL";
        world.test_db.count(open).await == 0
    })
    .await;
    background.stopped().await;
    for id in ids {
        assert_eq!(partner.find(&world, id).await.status, RequestStatus::Processed);
    }
    assert_eq!(["a", "b", "c"].map(|lane| scripted.paid_by(lane)), [dec!(220), dec!(210), dec!(210)]);
    for lane in ["a", "b", "c"] {
        assert_eq!(reserved(&world, lane).await, 0);
        let left = format!("SELECT (balance * 100)::bigint AS count FROM deposit_account WHERE code = '{lane}'");
        assert_eq!(world.test_db.count(&left).await, 0);
    }
    // There is nothing left: one more is refused by routing, and its hold goes back.
    let more = partner.make(&world, partner.sample_of(dec!(0.5), "one-too-many")).await;
    world.step().await;
    let more = partner.find(&world, more.id).await;
    assert_eq!(more.resolution, Some(Resolution::StrategyConfiguredRoutesWereFiltered));
    assert_eq!(partner.funds(&world, "USD").await.1, dec!(0));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_set_up_through_another_process_counts_for_what_is_asked_for_after_it() {
    let world = World::new().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let other = world.another_process(|_| {}, Vec::new()).await;
    execute(&world, "UPDATE payout_route SET enabled = false").await;
    other.gateway.routes.forget();
    other.gateway.snapshot().await.unwrap();
    world.advance(5);
    execute(&world, "UPDATE payout_route SET enabled = true").await;
    world.advance(5);
    let made = partner.make(&world, partner.sample_of(dec!(10), "fresh")).await;
    // What it has read is still young enough to be used.
    let (tasks, _) = other.gateway.dispatch(10).await.unwrap();
    assert_eq!(tasks.len(), 1, "{:?}", partner.find(&world, made.id).await.resolution);
    world.finish().await;
}
