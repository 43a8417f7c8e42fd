//! Accepting offers: once, exactly, under races.

use std::sync::Arc;
use std::time::Duration;

use landfall::domain::ids::PayoutRequestId;
use landfall::domain::offer::RefusalCode;
use landfall::wallet::WalletError;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::view::PayStatus;
use rust_decimal::{Decimal, dec};

use crate::world::{PAID, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_published_payout_is_paid_and_booked_to_the_last_unit() {
    let world = World::new().await;
    let background = world.start();
    let user = world.funded("alice", "1000").await;
    let card = world.card(&user, PAID).await;
    let offer = world.offer(&user, card, "760.06209697").await;
    assert!(offer.possible_to_execute, "{offer:?}");
    assert_eq!(offer.amount_to, dec!(692.49));
    assert_eq!(offer.total_from, dec!(789.35330985));

    let paid = world.app.wallet.pay(&user, offer.id, Some(1), Duration::from_secs(10)).await.unwrap();
    assert_eq!(paid.status, PayStatus::Success);
    assert_eq!(paid.fee_amount, dec!(29.29121288));
    assert_eq!(world.balance(&user).await, (dec!(210.64669015), Decimal::ZERO));
    background.stopped().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_offer_paid_100_times_in_parallel_is_accepted_once_and_answered_100_times_alike() {
    let world = World::new().await;
    let background = world.start();
    let user = world.funded("alice", "3000").await;
    let card = world.card(&user, PAID).await;
    let offer = world.offer(&user, card, "100").await;
    let mut pays = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (wallet, user) = (Arc::clone(&world.app.wallet), user.clone());
        pays.spawn(async move { wallet.pay(&user, offer.id, None, Duration::from_secs(15)).await.unwrap() });
    }
    let answers = pays.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].status, PayStatus::Success);
    let (available, held) = world.balance(&user).await;
    assert_eq!((available, held), (dec!(3000) - offer.total_from, Decimal::ZERO));
    background.stopped().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_pays_empty_one_balance_and_never_more() {
    let world = World::new().await;
    let background = world.start();
    let user = world.funded("alice", "1000").await;
    let card = world.card(&user, PAID).await;
    let mut offers = Vec::new();
    for _ in 0..50 {
        offers.push(world.offer(&user, card, "100").await);
    }
    let total = offers[0].total_from;
    let mut pays = tokio::task::JoinSet::new();
    for offer in &offers {
        let (wallet, user, id) = (Arc::clone(&world.app.wallet), user.clone(), offer.id);
        pays.spawn(async move { wallet.pay(&user, id, None, Duration::from_secs(15)).await });
    }
    let (mut paid, mut refused) = (0, 0);
    for answer in pays.join_all().await {
        match answer {
            Ok(view) if view.status == PayStatus::Success => paid += 1,
            Err(WalletError::Refused(refusal)) if refusal.code == RefusalCode::InsufficientFunds => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((paid, refused), (9, 41));
    assert_eq!(world.balance(&user).await, (dec!(1000) - total * dec!(9), Decimal::ZERO));
    background.stopped().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_offer_cannot_be_paid_and_nothing_changes() {
    let world = World::new().await;
    let user = world.funded("alice", "1000").await;
    let card = world.card(&user, PAID).await;
    let offer = world.offer(&user, card, "100").await;
    world.advance(19_999);
    assert!(matches!(world.accept(&user, offer.id).await, Answer::Accepted(_)));
    let late = world.offer(&user, card, "100").await;
    world.advance(20_000);
    let answer = world.accept(&user, late.id).await;
    assert!(matches!(answer, Answer::Refused(refusal) if refusal.code == RefusalCode::OfferExpired));
    let (_, held) = world.balance(&user).await;
    assert_eq!(held, offer.total_from);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pay_of_another_version_or_by_another_user_is_refused() {
    let world = World::new().await;
    let user = world.funded("alice", "1000").await;
    let eve = world.funded("eve", "1000").await;
    let card = world.card(&user, PAID).await;
    let offer = world.offer(&user, card, "100").await;
    let pay = |user: &landfall::wallet::User, seen_version| Pay {
        user: user.clone(),
        offer_id: offer.id,
        seen_version,
        request_id: PayoutRequestId::new(),
    };
    let answers = world.app.wallet.accept(&[pay(&eve, None), pay(&user, Some(2))]).await.unwrap();
    assert!(matches!(answers[..], [Answer::NotFound, Answer::Version { current: 1 }]), "{answers:?}");
    assert_eq!(world.balance(&user).await.1, Decimal::ZERO);
    assert!(matches!(
        world.app.wallet.pay_state(&eve, offer.id, std::time::Duration::ZERO).await,
        Err(WalletError::NotFound(_))
    ));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_limits_hold_under_parallel_pays_and_a_failed_payout_gives_its_share_back() {
    let world = World::with(
        |settings| {
            settings.pricing.limits.partner.day = Some(landfall::config::pricing::ExactText("1000".to_owned()));
        },
        Vec::new(),
    )
    .await;
    let mut users = Vec::new();
    for n in 0..20 {
        let user = world.funded(&format!("user-{n}"), "1000").await;
        // Final for the card: everything is released in the end.
        let card = world.card(&user, "4000000000130205").await;
        let offer = world.offer_to(&user, card, "100").await;
        users.push((user, offer));
    }
    let mut pays = tokio::task::JoinSet::new();
    for (user, offer) in &users {
        let (wallet, pay) = (
            Arc::clone(&world.app.wallet),
            Pay { user: user.clone(), offer_id: offer.id, seen_version: None, request_id: PayoutRequestId::new() },
        );
        pays.spawn(async move { wallet.accept(&[pay]).await.unwrap().remove(0) });
    }
    let answers = pays.join_all().await;
    let accepted = answers.iter().filter(|answer| matches!(answer, Answer::Accepted(_))).count();
    assert_eq!(accepted, 10, "{answers:?}");
    assert!(answers.iter().all(|answer| match answer {
        Answer::Refused(refusal) => refusal.code == RefusalCode::LimitExceeded,
        _ => true,
    }));
    world.step().await;
    // All failed: the whole limit is free again.
    let (user, _) = &users[0];
    let card = world.card(user, PAID).await;
    let offer = world.offer_to(user, card, "800").await;
    assert!(matches!(world.accept(user, offer.id).await, Answer::Accepted(_)));
    world.finish().await;
}
