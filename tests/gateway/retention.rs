//! Retention: what was kept long enough goes, what something open refers to stays, and every invariant holds over the rest.

use landfall::domain::ids::CardId;
use landfall::domain::payout::PayoutStatus;
use landfall::gateway::retention::Gone;
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::Payout;
use landfall::wallet::accept::Answer;
use landfall::wallet::cards::BillingAddress;
use rust_decimal::dec;
use sha2::{Digest, Sha256};

use crate::partner::execute;
use crate::world::World;

const PAID: &str = "4111111111111111";
const PENDING: &str = "4000000000131500";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn number(world: &World, sql: &str) -> i64 {
    world.test_db.count(sql).await
}

/// A request that is over, and one whose payout is pending.
async fn one_over_and_one_open(world: &World) -> (Payout, Payout) {
    let over = world.accepted("alice", PAID, "50").await;
    let open = world.accepted("bob", PENDING, "60").await;
    world.step().await;
    let (over, open) = (world.payouts(&over).await.remove(0), world.payouts(&open).await.remove(0));
    assert_eq!((over.status, open.status), (PayoutStatus::Processed, PayoutStatus::Pending));
    (over, open)
}

/// A callback that came `days` ago.
async fn callback(world: &World, named: &Payout, days: i64, verified: bool, processed: bool) {
    let reports = if verified {
        format!(r#"[{{"reference": "{}", "outcome": {{"outcome": "not_found"}}}}]"#, named.provider_reference)
    } else {
        format!(r#"["{}"]"#, named.provider_reference)
    };
    let now = world.app.clock.now().to_rfc3339();
    let sql = format!(
        "WITH made AS (INSERT INTO provider_callback (partner_id, mode, id, provider_account_id, digest, verified, reports, body_redacted, \
             received_at, processed_at, keyed) \
         SELECT partner_id, mode, gen_random_uuid(), id, sha256(gen_random_uuid()::text::bytea), {verified}, '{reports}', 'body', \
             '{now}'::timestamptz - interval '{days} days', CASE WHEN {processed} THEN '{now}'::timestamptz END, true \
         FROM provider_account WHERE id = '{}' RETURNING partner_id, mode, id) \
         INSERT INTO job (partner_id, mode, kind, subject_id, run_at, created_at) \
         SELECT partner_id, mode, 'callback', id, '{now}'::timestamptz + interval '9 years', '{now}' FROM made WHERE {verified} AND NOT {processed}",
        named.provider_account_id.0
    );
    execute(world, &sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_go_after_their_time_unless_they_wait_or_name_what_is_open() {
    let world = World::new().await;
    let (over, open) = one_over_and_one_open(&world).await;
    execute(&world, "DELETE FROM provider_callback WHERE processed_at IS NOT NULL OR NOT verified").await;
    let before = number(&world, "SELECT count(*) FROM provider_callback").await;
    for (named, days, verified, processed) in [
        // These go.
        (&over, 91, true, true),
        (&over, 91, false, false),
        // These are too young, not applied yet, or about something open.
        (&over, 89, true, true),
        (&over, 89, false, false),
        (&over, 91, true, false),
        (&open, 91, true, true),
        (&open, 91, false, false),
    ] {
        callback(&world, named, days, verified, processed).await;
    }
    let gone = world.app.gateway.retain().await.unwrap();
    assert_eq!(gone, Gone { callbacks: 2, ..Gone::default() });
    assert_eq!(number(&world, "SELECT count(*) FROM provider_callback").await, before + 5);
    assert_eq!(world.app.gateway.retain().await.unwrap(), Gone::default());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_that_was_known_by_a_bare_hash_stays_the_same_one() {
    let world = World::new().await;
    let (over, _) = one_over_and_one_open(&world).await;
    execute(&world, "DELETE FROM job WHERE kind = 'callback'").await;
    execute(&world, "DELETE FROM provider_callback").await;
    let body = br#"{"reference": "nobody's", "pan": "4111 1111 1111 1111"}"#;
    let gateway = &world.app.gateway;
    let take = async || {
        gateway.receive_callback(over.provider_account_id, &[], body).await.unwrap();
        number(&world, "SELECT count(*) FROM provider_callback").await
    };
    assert_eq!((take().await, take().await), (1, 1));
    let bare = hex::encode(Sha256::digest([&[0], body.as_slice()].concat()));
    let is_bare = format!("SELECT count(*) FROM provider_callback WHERE digest = '\\x{bare}'");
    assert_eq!(number(&world, &is_bare).await, 0, "a hash without a key isn't kept");

    // As an earlier version left it.
    execute(&world, &format!("UPDATE provider_callback SET digest = '\\x{bare}', keyed = false")).await;
    assert_eq!(take().await, 1, "before it is carried over");
    gateway.keep_house().await.unwrap();
    assert_eq!(number(&world, &is_bare).await, 0);
    assert_eq!(take().await, 1, "and after");

    // An earlier version that still runs beside this one writes the very message down once more.
    execute(
        &world,
        &format!(
            "INSERT INTO provider_callback (partner_id, mode, id, provider_account_id, digest, verified, reports, body_redacted, received_at) \
             SELECT partner_id, mode, gen_random_uuid(), provider_account_id, '\\x{bare}', verified, reports, body_redacted, received_at \
             FROM provider_callback"
        ),
    )
    .await;
    gateway.keep_house().await.unwrap();
    assert_eq!(number(&world, "SELECT count(*) FROM provider_callback WHERE NOT keyed").await, 0);
    assert_eq!(take().await, 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_cards_are_kept_for_good_unless_a_time_is_set() {
    let world = World::new().await;
    one_over_and_one_open(&world).await;
    world.advance(40 * 365 * DAY_MS);
    let gone = world.app.gateway.retain().await.unwrap();
    assert_eq!((gone.logs, gone.cards), (0, 0));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_what_was_over_long_ago_keeps_its_end_and_that_of_what_is_open_all_of_it() {
    let world = World::with(|settings| settings.gateway.retention.event_days = Some(730), Vec::new()).await;
    let (over, open) = one_over_and_one_open(&world).await;
    let events = async |payout: &Payout| {
        number(&world, &format!("SELECT count(*) FROM event WHERE request_id = '{}'", payout.request_id.0)).await
    };
    let (of_over, of_open) = (events(&over).await, events(&open).await);
    assert!(of_over > 2 && of_open > 2);
    world.advance(729 * DAY_MS);
    assert_eq!(world.app.gateway.retain().await.unwrap().logs, 0);
    world.advance(2 * DAY_MS);
    assert_eq!(world.app.gateway.retain().await.unwrap().logs, 1);
    assert_eq!((events(&over).await, events(&open).await), (1, of_open));
    assert_eq!(world.app.gateway.retain().await.unwrap().logs, 0);

    // What comes late is chained to what is left.
    let back = Outcome::Returned { amount: dec!(50), ids: ProviderIds::default() };
    world.app.gateway.complete(&[world.callback(&over, back)]).await.unwrap();
    assert!(events(&over).await > 1);
    assert!(world.verify().await.is_clean(), "{}", world.verify().await);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_cut_by_hand_is_found_all_the_same() {
    let world = World::new().await;
    let (over, open) = one_over_and_one_open(&world).await;
    let broken = async |sql: String| {
        execute(&world, &sql).await;
        let report = world.verify().await;
        report.checks.iter().filter(|check| check.findings_total > 0).map(|check| check.name).collect::<Vec<_>>()
    };
    let (id, other) = (over.request_id.0, open.request_id.0);
    // As retention does it, but before its time.
    let marked = format!(
        "UPDATE payout_request r SET events_from = r.event_seq, events_before = e.mac FROM event e \
         WHERE r.id = '{id}' AND e.request_id = r.id AND e.seq = r.event_seq - 1"
    );
    execute(&world, &marked).await;
    let cut = format!(
        "DELETE FROM event e USING payout_request r WHERE r.id = '{id}' AND e.request_id = r.id AND e.seq < r.event_seq"
    );
    assert_eq!(broken(cut).await, ["logs of requests"]);
    world.advance(800 * DAY_MS);
    // Something newer, so that it is old.
    execute(
        &world,
        &format!("UPDATE payout_request SET updated_at = updated_at + interval '800 days' WHERE id = '{other}'"),
    )
    .await;
    assert!(broken("SELECT 1".to_owned()).await.is_empty());
    let forged = format!("UPDATE payout_request SET events_before = sha256('x') WHERE id = '{id}'");
    assert_eq!(broken(forged).await, ["event chains"]);
    let gone = format!("DELETE FROM event WHERE request_id = '{id}'");
    assert!(broken(gone).await.contains(&"requests have events"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_nobody_uses_goes_with_all_that_is_sealed_of_it_and_one_in_use_stays() {
    let world = World::with(|settings| settings.gateway.retention.unused_card_days = Some(540), Vec::new()).await;
    let alice = world.funded("alice", "3000").await;
    let (unused, used) = (world.card(&alice, PAID).await, world.card(&alice, "4242424242424242").await);
    let address = BillingAddress {
        address: "1 Main Street".to_owned(),
        city: "Springfield".to_owned(),
        country_code: "DE".to_owned(),
        zip: "12345".to_owned(),
        state: None,
    };
    world.app.wallet.set_billing_address(&alice, unused, address).await.unwrap();
    let sealed = async |id: CardId| {
        let sql = format!(
            "SELECT ((pan_sealed IS NOT NULL)::int + (holder_sealed <> '')::int + (billing_sealed IS NOT NULL)::int + \
             (billing_country IS NOT NULL)::int)::bigint AS count FROM card WHERE id = {}",
            id.0
        );
        number(&world, &sql).await
    };
    assert_eq!((sealed(unused).await, sealed(used).await), (4, 2));
    world.advance(400 * DAY_MS);
    let offer = world.offer_to(&alice, used, "50").await;
    assert!(matches!(world.accept(&alice, offer.id).await, Answer::Accepted(_)));
    world.step().await;
    world.advance(139 * DAY_MS);
    assert_eq!(world.app.gateway.retain().await.unwrap().cards, 0);
    world.advance(2 * DAY_MS);
    assert_eq!(world.app.gateway.retain().await.unwrap().cards, 1);
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!((sealed(unused).await, sealed(used).await), (0, 2));
    assert!(world.verify().await.is_clean(), "{}", world.verify().await);

    // Added again, it is the same card and whole.
    assert_eq!(world.card(&alice, PAID).await, unused);
    assert_eq!(sealed(unused).await, 2);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_stays_while_a_request_pays_to_it_and_what_was_left_behind_goes() {
    let world = World::with(|settings| settings.gateway.retention.unused_card_days = Some(540), Vec::new()).await;
    let (_, open) = one_over_and_one_open(&world).await;
    world.advance(1000 * DAY_MS);
    // Alice's goes, Bob's is paid to.
    assert_eq!(world.app.gateway.retain().await.unwrap().cards, 1);
    let of_open = format!(
        "SELECT count(*) FROM card c JOIN payout_request r ON r.card_id = c.id WHERE r.id = '{}' AND c.hidden_at IS NULL",
        open.request_id.0
    );
    assert_eq!(number(&world, &of_open).await, 1);
    world.app.gateway.keep_house().await.unwrap();
    let destroyed = "SELECT count(*) FROM card WHERE destroyed_at IS NOT NULL AND holder_sealed = ''";
    assert_eq!(number(&world, destroyed).await, 1);
    // As an earlier version destroyed it: the number alone.
    execute(&world, "UPDATE card SET holder_sealed = 'x', billing_sealed = 'y', billing_country = 'DE' WHERE destroyed_at IS NOT NULL").await;
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!(number(&world, destroyed).await, 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn saved_answers_go_after_the_time_that_is_set() {
    for (hours, left) in [(24, 1), (48, 2)] {
        let world = World::with(|settings| settings.gateway.retention.idempotency_hours = hours, Vec::new()).await;
        let now = world.app.clock.now().to_rfc3339();
        execute(
            &world,
            &format!(
                "INSERT INTO idempotency_key (partner_id, mode, principal, key, operation, body_mac, lease_until, response_status, response_body, created_at) \
                 SELECT id, 'test', 'user:alice', n::text, 'POST /x', sha256('x'), '{now}', 200, '{{}}', '{now}'::timestamptz - n * interval '1 hour' \
                 FROM partner, generate_series(23, 49, 13) n WHERE code = 'demo'"
            ),
        )
        .await;
        world.app.gateway.keep_house().await.unwrap();
        assert_eq!(number(&world, "SELECT count(*) FROM idempotency_key").await, left);
        world.finish().await;
    }
}
