//! Velocity rules through the real engine: they hold when pays come all at once, count what was accepted, and what they send to a person
//! moves only by that person's decision.

mod blocks;
mod screening;

use std::sync::Arc;

use landfall::config::Settings;
use landfall::config::pricing::{ExactText, VelocitySettings};
use landfall::domain::moderation::{DecisionKind, NotNow, Reason};
use landfall::domain::offer::RefusalCode;
use landfall::domain::payout_request::RequestStatus;
use landfall::domain::velocity::{VelocityEffect, VelocitySubject};
use landfall::gateway::moderation::{Choice, DecideError, Decider, Decision};
use landfall::wallet::User;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::view::OfferView;
use rust_decimal::dec;

use crate::world::{Accepted, PAID, World};

fn rule(subject: VelocitySubject, count_max: Option<u32>, effect: VelocityEffect) -> VelocitySettings {
    VelocitySettings {
        name: "a few a day".to_owned(),
        partner: None,
        subject,
        window: "24h".to_owned(),
        count_max,
        sum_max: None,
        pair: None,
        card_scheme: None,
        kyc_level: None,
        effect,
    }
}

async fn world_of(rules: Vec<VelocitySettings>) -> World {
    World::with(|settings: &mut Settings| settings.pricing.limits.velocity = rules, Vec::new()).await
}

fn pay_of(user: &User, offer: &OfferView) -> Pay {
    let request_id = landfall::domain::ids::PayoutRequestId::new();
    Pay { user: user.clone(), offer_id: offer.id, seen_version: None, request_id }
}

/// Pays all at once, each in a transaction of its own, and answers how many were accepted; the others were refused for velocity.
async fn accepted_of(world: &World, offers: &[(User, OfferView)]) -> usize {
    let mut pays = tokio::task::JoinSet::new();
    for (user, offer) in offers {
        let (wallet, pay) = (Arc::clone(&world.app.wallet), pay_of(user, offer));
        pays.spawn(async move { wallet.accept(&[pay]).await.unwrap().remove(0) });
    }
    let answers = pays.join_all().await;
    let is_refused = |answer: &Answer| matches!(answer, Answer::Refused(r) if r.code == RefusalCode::VelocityExceeded);
    let accepted = answers.iter().filter(|answer| matches!(answer, Answer::Accepted(_))).count();
    let refused = answers.iter().filter(|answer| is_refused(answer)).count();
    assert_eq!(accepted + refused, offers.len(), "{answers:?}");
    accepted
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_pays_of_one_customer_are_accepted_as_often_as_the_rule_says() {
    let world = world_of(vec![rule(VelocitySubject::Customer, Some(3), VelocityEffect::Refuse)]).await;
    let user = world.funded("alice", "5000").await;
    let card = world.card(&user, PAID).await;
    let mut offers = Vec::new();
    for _ in 0..50 {
        offers.push((user.clone(), world.offer_to(&user, card, "25").await));
    }
    assert!(offers.iter().all(|(_, offer)| offer.possible_to_execute));
    assert_eq!(accepted_of(&world, &offers).await, 3);
    let after = world.offer_to(&user, card, "25").await;
    assert_eq!((after.possible_to_execute, after.reason), (false, Some(RefusalCode::VelocityExceeded)));
    // Somebody else isn't counted with her, and the window rolls on.
    let bob = world.funded("bob", "500").await;
    let card_of_bob = world.card(&bob, PAID).await;
    assert!(world.offer_to(&bob, card_of_bob, "25").await.possible_to_execute);
    world.step().await;
    world.advance(24 * 3_600_000);
    assert!(world.offer_to(&user, card, "25").await.possible_to_execute);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_counts_what_it_accepts_itself() {
    let world = world_of(vec![rule(VelocitySubject::Customer, Some(3), VelocityEffect::Refuse)]).await;
    let user = world.funded("alice", "5000").await;
    let card = world.card(&user, PAID).await;
    let mut pays = Vec::new();
    for _ in 0..10 {
        pays.push(pay_of(&user, &world.offer_to(&user, card, "25").await));
    }
    // Twice the same offer is one payout, and counts once.
    pays.push(pays[0].clone());
    let answers = world.app.wallet.accept(&pays).await.unwrap();
    let mut accepted: Vec<_> = answers
        .iter()
        .filter_map(|answer| match answer {
            Answer::Accepted(id) => Some(*id),
            _ => None,
        })
        .collect();
    accepted.sort();
    accepted.dedup();
    assert_eq!(accepted.len(), 3, "{answers:?}");
    // An accepted offer answers as it stands, whatever the rules say by now.
    let before = pays.iter().position(|pay| accepted.contains(&pay.request_id)).unwrap();
    let again = world.app.wallet.accept(&pays[before..=before]).await.unwrap().remove(0);
    assert!(matches!(again, Answer::Before(_)), "{again:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_counted_across_customers_under_parallel_pays() {
    let world = world_of(vec![rule(VelocitySubject::Card, Some(3), VelocityEffect::Refuse)]).await;
    let mut offers = Vec::new();
    for n in 0..25 {
        let user = world.funded(&format!("user-{n}"), "1000").await;
        let card = world.card(&user, PAID).await;
        for _ in 0..2 {
            offers.push((user.clone(), world.offer_to(&user, card, "25").await));
        }
    }
    assert_eq!(accepted_of(&world, &offers).await, 3);
    // A card that was deleted doesn't take its payouts with it.
    let late = world.funded("late", "1000").await;
    let card = world.card(&late, PAID).await;
    assert!(!world.offer_to(&late, card, "25").await.possible_to_execute);
    let other = world.card(&late, "5555555555554444").await;
    assert!(world.offer_to(&late, other, "25").await.possible_to_execute);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_sum_is_never_passed_by_parallel_pays() {
    let of_partner = VelocitySettings {
        sum_max: Some(ExactText("1000".to_owned())),
        partner: Some("demo".to_owned()),
        window: "60m".to_owned(),
        ..rule(VelocitySubject::Partner, None, VelocityEffect::Refuse)
    };
    let elsewhere = VelocitySettings {
        name: "nobody's".to_owned(),
        partner: Some("somebody-else".to_owned()),
        ..rule(VelocitySubject::Partner, Some(0), VelocityEffect::Refuse)
    };
    let world = world_of(vec![of_partner, elsewhere]).await;
    let mut offers = Vec::new();
    for n in 0..20 {
        let user = world.funded(&format!("user-{n}"), "1000").await;
        let card = world.card(&user, PAID).await;
        offers.push((user.clone(), world.offer_to(&user, card, "100").await));
    }
    assert_eq!(accepted_of(&world, &offers).await, 10);
    let (user, _) = &offers[0];
    let card = world.card(user, PAID).await;
    let refused = world.offer_to(user, card, "30").await;
    assert_eq!(refused.limit, Some((dec!(1000), "EUR".parse().unwrap())));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_choose_what_is_counted_and_who_is_judged() {
    let rules = vec![
        VelocitySettings {
            name: "mastercard".to_owned(),
            card_scheme: Some("MASTERCARD".to_owned()),
            ..rule(VelocitySubject::Customer, Some(1), VelocityEffect::Refuse)
        },
        VelocitySettings {
            name: "bitcoin".to_owned(),
            pair: Some("BTC/EUR".to_owned()),
            ..rule(VelocitySubject::Customer, Some(0), VelocityEffect::Refuse)
        },
        VelocitySettings {
            name: "level one".to_owned(),
            kyc_level: Some(1),
            ..rule(VelocitySubject::Customer, Some(0), VelocityEffect::Refuse)
        },
    ];
    let world = world_of(rules).await;
    let user = world.funded("alice", "5000").await;
    let (visa, mastercard) = (world.card(&user, PAID).await, world.card(&user, "5555555555554444").await);
    for card in [visa, visa, mastercard] {
        let offer = world.offer_to(&user, card, "25").await;
        assert!(matches!(world.accept(&user, offer.id).await, Answer::Accepted(_)));
    }
    assert!(!world.offer_to(&user, mastercard, "25").await.possible_to_execute);
    assert!(world.offer_to(&user, visa, "25").await.possible_to_execute);
    let new_here = User { kyc_claimed: Some(1), ..user.clone() };
    assert!(!world.offer_to(&new_here, visa, "25").await.possible_to_execute);
    world.finish().await;
}

/// A request that a rule has stopped.
async fn stopped() -> (World, Accepted) {
    let world = world_of(vec![rule(VelocitySubject::Customer, Some(0), VelocityEffect::Moderate)]).await;
    let accepted = world.accepted("alice", PAID, "100").await;
    (world, accepted)
}

fn decision(accepted: &Accepted, seen: i32, choice: Choice) -> Decision {
    Decision {
        tenant: accepted.user.tenant,
        request_id: accepted.request_id,
        seen,
        choice,
        reason: "looked at".to_owned(),
        evidence: String::new(),
    }
}

fn ada() -> Decider {
    Decider { actor: "staff:ada@landfall.example".to_owned(), origin: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rule_stops_is_held_and_sent_by_nobody_until_a_person_lets_it_go_on() {
    let (world, accepted) = stopped().await;
    assert!(accepted.offer.possible_to_execute);
    let held = world.balance(&accepted.user).await;
    // As many workers as you like, also of a process that starts later: nothing is there that could be sent.
    let other = world.another_process(|_| {}, Vec::new()).await;
    for _ in 0..5 {
        world.step().await;
        assert!(other.gateway.dispatch(10).await.unwrap().0.is_empty());
        world.advance(61_000);
    }
    other.gateway.keep_house().await.unwrap();
    let row = world.request(&accepted).await;
    assert_eq!((row.status, row.moderation_reason.as_deref()), (RequestStatus::Dispatching, Some("screening")));
    assert!(world.payouts(&accepted).await.is_empty());
    assert_eq!(world.balance(&accepted.user).await, held);
    assert!(held.1 > dec!(0));
    assert!(world.verify().await.is_clean());
    // Paying it again is the same payout, and changes nothing.
    assert!(matches!(world.accept(&accepted.user, accepted.offer.id).await, Answer::Before(_)));

    let options = world.app.gateway.decisions(accepted.user.tenant, accepted.request_id).await.unwrap().unwrap();
    assert_eq!(options.stopped, Some(Reason::Screening));
    let allowed: Vec<_> = options.options.iter().filter(|o| o.allowed.is_ok()).map(|option| option.kind).collect();
    assert_eq!(allowed, [DecisionKind::Continue, DecisionKind::Reject]);
    let going_on = decision(&accepted, row.event_seq, Choice::Continue);
    world.app.gateway.decide(&ada(), &going_on).await.unwrap();
    assert!(world.app.gateway.decide(&ada(), &going_on).await.unwrap().is_repeat);
    world.step().await;
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Processed);
    assert_eq!(world.payouts(&accepted).await.len(), 1);
    assert_eq!(world.balance(&accepted.user).await.1, dec!(0));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_rejects_is_given_back_whole() {
    let (world, accepted) = stopped().await;
    let seen = world.request(&accepted).await.event_seq;
    world.app.gateway.decide(&ada(), &decision(&accepted, seen, Choice::Reject)).await.unwrap();
    world.step().await;
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Failed);
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000), dec!(0)));
    assert!(world.payouts(&accepted).await.is_empty());
    let late = world.app.gateway.decide(&ada(), &decision(&accepted, seen, Choice::Continue)).await;
    assert!(matches!(late, Err(DecideError::Changed { .. } | DecideError::NotNow(NotNow::NothingWaits))), "{late:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decides_in_its_time_ends_and_is_given_back() {
    let (world, accepted) = stopped().await;
    let expires_at = world.request(&accepted).await.expires_at;
    world.advance((expires_at - landfall::clock::Clock::now(&world.clock)).num_milliseconds() + 1);
    world.app.gateway.keep_house().await.unwrap();
    world.step().await;
    let row = world.request(&accepted).await;
    assert_eq!((row.status, row.moderation_reason), (RequestStatus::Expired, None));
    assert_eq!(world.balance(&accepted.user).await, (dec!(3000), dec!(0)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_read_by_their_indexes() {
    let world = world_of(vec![rule(VelocitySubject::Customer, Some(3), VelocityEffect::Refuse)]).await;
    let plan_of = async |sql: &str| {
        let (client, driver) = world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        // What a large table makes the planner do, without the large table.
        client.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.unwrap();
        let rows = client.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        driver.abort();
        rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n")
    };
    let asked =
        "(SELECT gen_random_uuid() AS id, now() - interval '1 day' AS since, '\\x00'::bytea AS fingerprint OFFSET 0) k";
    let customers = plan_of(&format!(
        "SELECT a.count FROM {asked} CROSS JOIN LATERAL (SELECT count(*) FROM offer o \
         WHERE o.customer_id = k.id AND o.accepted_at > k.since AND o.partner_id = k.id AND o.mode = 'test') a"
    ))
    .await;
    assert!(customers.contains("Index Scan using offer_history"), "{customers}");
    let cards = plan_of(&format!(
        "SELECT a.count FROM {asked} CROSS JOIN LATERAL (SELECT count(*) FROM card c \
         JOIN offer o ON o.customer_id = c.customer_id AND (o.card_id, o.partner_id, o.mode) = (c.id, c.partner_id, c.mode) \
         WHERE c.fingerprint = k.fingerprint AND c.partner_id = k.id AND c.mode = 'test' AND o.accepted_at > k.since) a"
    ))
    .await;
    assert!(cards.contains("card_by_fingerprint") && cards.contains("offer_history"), "{cards}");
    let partners = plan_of(&format!(
        "SELECT a.count FROM {asked} CROSS JOIN LATERAL (SELECT count(*) FROM offer o \
         WHERE (o.partner_id::text || o.mode) = (k.id::text || 'test') AND o.accepted_at > k.since) a"
    ))
    .await;
    assert!(partners.contains("Index Scan using offer_accepted"), "{partners}");
    world.finish().await;
}
