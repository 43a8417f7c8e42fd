//! What wasn't taken: tried again at its times, given up, asked for anew; and receivers that are left alone.

use chrono::TimeDelta;
use serde_json::json;

use super::receiver::Answers;
use super::*;

/// The pauses of the Standard Webhooks specification, in seconds.
const PAUSES: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// Moves the clock to just before a pause is over, and then beyond it with its spread.
async fn pass(world: &World, receiver: &Receiver, secs: i64, tries: usize) {
    world.clock.advance(TimeDelta::seconds(secs - 1));
    tokio::time::sleep(std::time::Duration::from_millis(120)).await;
    assert_eq!(receiver.received().len(), tries, "it was tried before its time");
    world.clock.advance(TimeDelta::seconds(secs / 10 + 2));
}

/// Waits until the attempts of the only delivery are written down.
async fn until_written(world: &World, attempts: usize) {
    for _ in 0..500 {
        if world.count("SELECT count(*) FROM webhook_attempt").await == i64::try_from(attempts).unwrap() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{attempts} attempts were waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_tried_again_at_the_published_times_and_given_up() {
    let world = world().await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    receiver.answer(Answers::With(500));
    let endpoint = endpoint(&partner, &receiver.url, &[]).await;
    let ping = partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
    let path = ping["links"]["self"].as_str().unwrap();
    for (n, secs) in PAUSES.into_iter().enumerate() {
        receiver.until(n + 1).await;
        until_written(&world, n + 1).await;
        pass(&world, &receiver, secs, n + 1).await;
    }
    let tries = receiver.until(10).await;
    until_written(&world, 10).await;
    let given_up = partner.get(path).await.data(200);
    assert_eq!(
        (&given_up["attributes"]["status"], &given_up["attributes"]["attempts"]),
        (&json!("failed"), &json!(10))
    );
    assert_eq!(given_up["attributes"]["last_error"], "answered 500");
    // The same message each time, sent at another time and signed for that.
    let first = &tries[0];
    assert!(tries.iter().all(|again| again.id() == first.id() && again.body == first.body));
    assert!(tries.iter().all(|again| again.is_signed_with(&endpoint.secret)));
    assert!(tries.windows(2).all(|pair| pair[0].headers["webhook-timestamp"] < pair[1].headers["webhook-timestamp"]));
    world.clock.advance(TimeDelta::days(3));
    tokio::time::sleep(std::time::Duration::from_millis(120)).await;
    assert_eq!(receiver.received().len(), 10);
    // Asked for anew, it is as new.
    receiver.answer(Answers::With(204));
    let again = partner.act(&format!("{path}/resend")).await;
    again.data(200);
    assert_eq!(receiver.until(11).await[10].id(), first.id());
    until_written(&world, 11).await;
    let told = partner.get(path).await.data(200);
    assert_eq!((&told["attributes"]["status"], &told["attributes"]["attempts"]), (&json!("delivered"), &json!(11)));
    assert_eq!(told["attributes"]["tries"].as_array().unwrap().len(), 11);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_may_ask_for_more_time_and_sends_nobody_elsewhere() {
    let world = world().await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    let endpoint = endpoint(&partner, &receiver.url, &[]).await;
    receiver.answer(Answers::Later(60));
    partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
    receiver.until(1).await;
    until_written(&world, 1).await;
    pass(&world, &receiver, 60, 1).await;
    receiver.answer(Answers::Elsewhere);
    receiver.until(2).await;
    until_written(&world, 2).await;
    assert!(receiver.received().iter().all(|message| message.path == "/"));
    let log = partner.get(&format!("{}/deliveries?filter%5Bstatus%5D=pending", endpoint.path)).await.data(200);
    assert!(log[0]["attributes"]["last_error"].as_str().unwrap().contains("redirects"), "{log}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers_gone_is_switched_off_and_the_others_are_told() {
    let world = world().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let (gone, other) = (Receiver::new(), Receiver::new());
    gone.answer(Answers::With(410));
    let endpoint_gone = endpoint(&partner, &gone.url, &[]).await;
    endpoint(&partner, &other.url, &["webhook_endpoint.disabled"]).await;
    partner.act(&format!("{}/ping", endpoint_gone.path)).await.data(201);
    let notice = other.until_told("webhook_endpoint.disabled").await.json();
    assert_eq!((&notice["data"]["url"], &notice["data"]["why"]), (&json!(gone.url), &json!("gone")));
    let now = partner.get(&endpoint_gone.path).await.data(200);
    assert_eq!((&now["attributes"]["enabled"], &now["attributes"]["disabled_reason"]), (&json!(false), &json!("gone")));
    partner.act(&format!("{}/ping", endpoint_gone.path)).await.errors(409, &[("ENDPOINT_DISABLED", "")]);
    paid(&partner, |_| {}).await;
    assert_eq!(gone.received().len(), 1);
    // Switched on again, it is told what it has missed, once.
    gone.answer(Answers::With(200));
    partner.patch(&endpoint_gone.path, "webhook-endpoint", json!({ "enabled": true })).await.data(200);
    let replay = json!({ "from": "2020-01-01T00:00:00Z" });
    let path = format!("{}/replay", endpoint_gone.path);
    let answer = partner.post(&path, "webhook-replay", replay.clone()).await;
    assert_eq!((answer.status, &answer.json()["meta"]["count"]), (200, &json!(4)));
    gone.until_told("payout_request.processed").await;
    gone.until(5).await;
    for _ in 0..500 {
        if world
            .count("SELECT count(*) FROM webhook_delivery WHERE state = 'delivered' AND request_id IS NOT NULL")
            .await
            == 4
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let again = partner.post(&path, "webhook-replay", replay).await.json();
    assert_eq!(again["meta"], json!({ "count": 0, "next_from": null }));
    let all = json!({ "from": "2020-01-01T00:00:00Z", "all": true });
    assert_eq!(partner.post(&path, "webhook-replay", all).await.json()["meta"]["count"], 4);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_arrives_for_days_nothing_is_sent_any_more() {
    let world = world().await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    receiver.answer(Answers::With(503));
    let endpoint = endpoint(&partner, &receiver.url, &[]).await;
    partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
    receiver.until(1).await;
    until_written(&world, 1).await;
    world.clock.advance(TimeDelta::days(5) - TimeDelta::hours(1));
    world.app.gateway.disable_failing_endpoints().await.unwrap();
    assert_eq!(partner.get(&endpoint.path).await.data(200)["attributes"]["enabled"], json!(true));
    world.clock.advance(TimeDelta::hours(2));
    world.app.gateway.disable_failing_endpoints().await.unwrap();
    let now = partner.get(&endpoint.path).await.data(200);
    assert_eq!(now["attributes"]["disabled_reason"], json!("failing"));
    let audited = "SELECT count(*) FROM audit WHERE action = 'webhook_endpoint.disable' AND actor = 'gateway'";
    assert_eq!(world.count(audited).await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_while_it_tells_has_lost_nothing() {
    let world = World::without_workers(settings).await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    let endpoint = endpoint(&partner, &receiver.url, &[]).await;
    partner.act(&format!("{}/ping", endpoint.path)).await.data(201);
    // Claimed, made ready, and no more was heard of it.
    let places = || landfall::gateway::webhooks::telling::Places::for_all(10);
    let gateway = &world.app.gateway;
    let first = gateway.claim_deliveries(places()).await.unwrap();
    assert_eq!(first.len(), 1);
    assert!(gateway.claim_deliveries(places()).await.unwrap().is_empty(), "it was claimed twice");
    world.clock.advance(TimeDelta::seconds(11));
    let second = gateway.claim_deliveries(places()).await.unwrap();
    assert_eq!((second.len(), &second[0].body), (1, &first[0].body));
    // What the first one says after all is not taken for the second's word.
    let tried = |ready: &landfall::gateway::webhooks::telling::Ready, error: Option<&str>| {
        landfall::gateway::webhooks::telling::Tried {
            claimed: ready.claimed.clone(),
            at: world.app.clock.now(),
            took: TimeDelta::zero(),
            status: Some(200),
            error: error.map(str::to_owned),
            asked: None,
        }
    };
    gateway.complete_deliveries(&[tried(&first[0], Some("it is late"))]).await.unwrap();
    assert_eq!(world.count("SELECT count(*) FROM webhook_attempt").await, 0);
    gateway.complete_deliveries(&[tried(&second[0], None)]).await.unwrap();
    gateway.complete_deliveries(&[tried(&second[0], None)]).await.unwrap();
    assert_eq!(
        world.count("SELECT count(*) FROM webhook_delivery WHERE state = 'delivered' AND attempts = 2").await,
        1
    );
    assert_eq!(world.count("SELECT count(*) FROM webhook_attempt").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_is_forgotten_in_time_and_what_a_deleted_endpoint_waited_for_at_once() {
    let world = world().await;
    let partner = world.backend().await;
    let receiver = Receiver::new();
    let (lasting, deleted) =
        (endpoint(&partner, &receiver.url, &[]).await, endpoint(&partner, &receiver.url, &[]).await);
    partner.act(&format!("{}/ping", lasting.path)).await.data(201);
    receiver.until(1).await;
    until_written(&world, 1).await;
    receiver.answer(Answers::With(500));
    partner.act(&format!("{}/ping", deleted.path)).await.data(201);
    receiver.until(2).await;
    until_written(&world, 2).await;
    assert_eq!(partner.text(reqwest::Method::DELETE, &deleted.path, "").await.status, 204);
    let counts = async || {
        let mut counts = Vec::new();
        for table in ["delivery", "attempt", "message"] {
            counts.push(world.count(&format!("SELECT count(*) FROM webhook_{table}")).await);
        }
        counts
    };
    world.app.gateway.forget_deliveries().await.unwrap();
    assert_eq!(counts().await, [1, 1, 2]);
    world.clock.advance(TimeDelta::days(29));
    world.app.gateway.forget_deliveries().await.unwrap();
    assert_eq!(counts().await, [1, 1, 2]);
    world.clock.advance(TimeDelta::days(2));
    world.app.gateway.forget_deliveries().await.unwrap();
    assert_eq!(counts().await, [0, 0, 0]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_made_hold_up_no_other_and_their_tries_are_not_used_up() {
    let world = world().await;
    let partner = world.backend().await;
    partner.funded("USD", "100").await;
    let receiver = Receiver::new();
    endpoint(&partner, &receiver.url, &["payout_request.processed"]).await;
    // A version of us to come has a resolution that this one can't read.
    const SPOILT: i64 = 5;
    for _ in 0..SPOILT {
        partner.asked(super::super::requests::manual(&world.point().await)).await;
    }
    world.execute("ALTER TABLE payout_request DISABLE TRIGGER USER").await;
    world
        .execute(
            "INSERT INTO webhook_delivery (partner_id, mode, endpoint_id, message_id, type, request_id, sequence, lane, state, due_at, created_at) \
             SELECT e.partner_id, e.mode, w.id, e.id, 'payout_request.created', e.request_id, e.seq, w.id::text, 'pending', e.at, e.at \
             FROM event e JOIN webhook_endpoint w ON true WHERE e.seq = 1; \
             UPDATE payout_request SET point_currency = 'n'",
        )
        .await;
    let told = paid(&partner, |_| {}).await;
    let message = receiver.until_told("payout_request.processed").await;
    assert_eq!(message.json()["data"]["request_id"], told["id"]);
    let waits = "SELECT count(*) FROM webhook_delivery d JOIN payout_request r ON r.id = d.request_id \
                 WHERE r.point_currency = 'n' AND d.state = 'pending' AND d.tries = 0";
    for _ in 0..500 {
        if world.count(waits).await == SPOILT {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(world.count(waits).await, SPOILT);
    world.stop().await;
}
