//! The block list through the real engine: it works from the moment it is written, for the partner that wrote it or for all, and no longer
//! than it stands.

use chrono::TimeDelta;
use landfall::clock::Clock;
use landfall::config::Settings;
use landfall::config::gateway::PartnerSeed;
use landfall::domain::card::Pan;
use landfall::domain::ids::{BlockId, Mode};
use landfall::domain::offer::RefusalCode;
use landfall::gateway::access::Refusal;
use landfall::gateway::access::audit::Author;
use landfall::gateway::blocks::{About, Block, NewBlock};
use landfall::gateway::requests::Patch;
use landfall::wallet::User;
use landfall::wallet::accept::Answer;
use landfall::wallet::cards::BillingAddress;
use landfall::wallet::view::CardValidation;
use rust_decimal::dec;
use serde_json::json;

use crate::partner::{Partner, execute};
use crate::world::{PAID, World};

/// With a second partner, whose wallet has routes as the first one's.
fn another_partner(settings: &mut Settings) {
    settings.gateway.partners.push(PartnerSeed { code: "other".to_owned(), name: "Another partner".to_owned() });
    let mut point = settings.gateway.payout_points[0].clone();
    point.partner = "other".to_owned();
    settings.gateway.payout_points.push(point);
}

async fn world() -> World {
    World::with(another_partner, Vec::new()).await
}

async fn user_of(world: &World, partner: &str, name: &str) -> User {
    let user = world.app.wallet.user(partner, Mode::Test, name, Some(3)).await.unwrap();
    world.app.wallet.credit(&user, "USDT", "1000", &format!("test-{partner}-{name}")).await.unwrap();
    user
}

async fn author(world: &World, partner: &str) -> Author {
    let tenant = world.app.wallet.user(partner, Mode::Test, "staff", None).await.unwrap().tenant;
    Author::new(tenant, "cli:ada".to_owned(), None)
}

fn entry(about: About) -> NewBlock {
    NewBlock { about, reason: "reported stolen".to_owned(), starts_at: None, ends_at: None }
}

fn number(text: &str) -> About {
    About::Card(Pan::parse(text).unwrap())
}

async fn block(world: &World, partner: &str, about: About) -> Block {
    let (block, is_new) = world.app.gateway.add_block(&author(world, partner).await, entry(about)).await.unwrap();
    assert!(is_new);
    block
}

async fn unblock(world: &World, partner: &str, id: BlockId) {
    let author = author(world, partner).await;
    world.app.gateway.remove_block(&author, id, "found again").await.unwrap();
}

/// How the user's first card is shown, and whether an offer to it can be paid.
async fn shown(world: &World, user: &User) -> (CardValidation, bool) {
    let card = world.app.wallet.data(user).await.unwrap().cards.remove(0);
    let offer = world.offer_to(user, card.id, "25").await;
    if !offer.possible_to_execute {
        assert_eq!(offer.reason, Some(RefusalCode::CustomerBlocked));
    }
    (card.validation, offer.possible_to_execute)
}

const PAYABLE: (CardValidation, bool) = (CardValidation::Approved, true);
const BLOCKED: (CardValidation, bool) = (CardValidation::Declined, false);

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_entry_blocks_and_a_removed_one_blocks_no_more() {
    let world = world().await;
    let user = user_of(&world, "demo", "alice").await;
    let card = world.card(&user, PAID).await;
    execute(&world, "UPDATE customer SET country = 'LT'").await;
    let address = BillingAddress {
        address: "Brivibas iela 1".to_owned(),
        city: "Riga".to_owned(),
        country_code: "LV".to_owned(),
        zip: "LV-1010".to_owned(),
        state: None,
    };
    world.app.wallet.set_billing_address(&user, card, address).await.unwrap();
    for (about, kind, value) in [
        (number(PAID), "card", "4111***1111"),
        (About::Iin("4111".to_owned()), "iin", "4111"),
        (About::Iin("411111".to_owned()), "iin", "411111"),
        (About::Customer("alice".to_owned()), "customer", "alice"),
        (About::Country("LT".to_owned()), "country", "LT"),
        (About::Country("LV".to_owned()), "country", "LV"),
    ] {
        assert_eq!(shown(&world, &user).await, PAYABLE, "before {kind} {value}");
        let before = world.offer_to(&user, card, "25").await;
        assert!(before.possible_to_execute);
        let listed = block(&world, "demo", about).await;
        assert_eq!((listed.kind.as_str(), listed.value.as_str()), (kind, value));
        assert_eq!(shown(&world, &user).await, BLOCKED, "{kind} {value}");
        // Blocked between the offer and the pay.
        match world.accept(&user, before.id).await {
            Answer::Refused(refusal) => assert_eq!(refusal.code, RefusalCode::CustomerBlocked),
            other => panic!("{kind} {value}: {other:?}"),
        }
        unblock(&world, "demo", listed.id).await;
        // Again, it changes nothing.
        unblock(&world, "demo", listed.id).await;
        assert!(matches!(world.accept(&user, before.id).await, Answer::Accepted(_)), "{kind} {value}");
    }
    for about in [About::Iin("4222".to_owned()), About::Country("FR".to_owned()), About::Customer("alic".to_owned())] {
        block(&world, "demo", about).await;
    }
    block(&world, "demo", number("5555555555554444")).await;
    assert_eq!(shown(&world, &user).await, PAYABLE);
    // Each entry and each removal once in the audit trail, and no number anywhere.
    let audited = world.test_db.count("SELECT count(*) AS count FROM audit WHERE action LIKE 'block_list.%'").await;
    assert_eq!(audited, 6 * 2 + 4);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_entry_is_nobody_elses_and_the_houses_is_everybodys() {
    let world = world().await;
    let (ours, theirs) = (user_of(&world, "demo", "alice").await, user_of(&world, "other", "alice").await);
    world.card(&ours, PAID).await;
    world.card(&theirs, PAID).await;
    for about in [number(PAID), About::Iin("411111".to_owned()), About::Customer("alice".to_owned())] {
        let listed = block(&world, "other", about).await;
        assert_eq!((shown(&world, &ours).await, shown(&world, &theirs).await), (PAYABLE, BLOCKED));
        // Another partner's entry isn't there for whoever asks for it.
        let author = author(&world, "demo").await;
        let refused = world.app.gateway.remove_block(&author, listed.id, "not mine").await;
        assert!(matches!(refused, Err(Refusal::NotFound { .. })), "{refused:?}");
        unblock(&world, "other", listed.id).await;
    }
    for about in [number(PAID), About::Iin("411111".to_owned()), About::Customer("alice".to_owned())] {
        let listed = block(&world, "house", about).await;
        assert_eq!((shown(&world, &ours).await, shown(&world, &theirs).await), (BLOCKED, BLOCKED));
        unblock(&world, "house", listed.id).await;
        assert_eq!((shown(&world, &ours).await, shown(&world, &theirs).await), (PAYABLE, PAYABLE));
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_the_house_lists_is_met_by_a_partner_that_comes_later() {
    let world = World::new().await;
    block(&world, "house", number(PAID)).await;
    let later = world.another_process(another_partner, Vec::new()).await;
    let user = later.wallet.user("other", Mode::Test, "alice", Some(3)).await.unwrap();
    let card = |number: &str| landfall::wallet::cards::AddCard {
        number: zeroize::Zeroizing::new(number.to_owned()),
        holder: "ALICE EXAMPLE".to_owned(),
        expiry_year: "2035".to_owned(),
        expiry_month: "12".to_owned(),
    };
    let added = later.wallet.add_card(&user, card(PAID)).await.unwrap();
    assert_eq!(added.validation, CardValidation::Declined);
    let added = later.wallet.add_card(&user, card("5555555555554444")).await.unwrap();
    assert_eq!(added.validation, CardValidation::Approved);
    drop(later);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_holds_from_its_beginning_until_its_end() {
    let world = world().await;
    let user = user_of(&world, "demo", "alice").await;
    world.card(&user, PAID).await;
    let now = world.clock.now();
    let new = NewBlock {
        starts_at: Some(now + TimeDelta::hours(1)),
        ends_at: Some(now + TimeDelta::hours(2)),
        ..entry(About::Customer("alice".to_owned()))
    };
    let author = author(&world, "demo").await;
    let (first, _) = world.app.gateway.add_block(&author, new).await.unwrap();
    assert_eq!(shown(&world, &user).await, PAYABLE);
    world.advance(3_600_000);
    assert_eq!(shown(&world, &user).await, BLOCKED);
    world.advance(3_600_000);
    assert_eq!(shown(&world, &user).await, PAYABLE);
    // What is over makes room for a new entry; what stands doesn't.
    let (second, is_new) =
        world.app.gateway.add_block(&author, entry(About::Customer("alice".to_owned()))).await.unwrap();
    assert!(is_new && second.id != first.id);
    let (again, is_new) =
        world.app.gateway.add_block(&author, entry(About::Customer("alice".to_owned()))).await.unwrap();
    assert!(!is_new && again.id == second.id);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partners_requests_meet_the_list_by_number_by_token_and_by_customer() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(0)).await;
    partner.credit(&world, "EUR", dec!(100)).await;
    let code = async |ask| match world.app.gateway.create_request(&partner.caller, ask).await {
        Err(Refusal::Conflict { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let listed = block(&world, "demo", number(PAID)).await;
    assert_eq!(code(partner.to_card(PAID)).await, "CARD_BLOCKED");
    // Nothing of it is there, and its money is free.
    assert_eq!(partner.funds(&world, "EUR").await, (dec!(100), dec!(0)));
    partner.make(&world, partner.to_card("5555555555554444")).await;

    // A number that is supplied later.
    let mut incomplete = partner.to_card(PAID);
    incomplete.fields.clear();
    let row = partner.make(&world, incomplete).await;
    let supplied = Patch { fields: Some(partner.to_card(PAID).fields), ..Patch::default() };
    let refused = world.app.gateway.patch_request(&partner.caller, row.id, &supplied).await;
    assert!(matches!(refused, Err(Refusal::Conflict { code: "CARD_BLOCKED", .. })), "{refused:?}");
    unblock(&world, "demo", listed.id).await;
    world.app.gateway.patch_request(&partner.caller, row.id, &supplied).await.unwrap();

    // A card of the wallet's, by its token.
    let user = user_of(&world, "demo", "alice").await;
    let mut by_token = partner.to_card(PAID);
    by_token.fields.clear();
    by_token.token = Some(world.card(&user, PAID).await);
    let listed = block(&world, "demo", About::Iin("411111".to_owned())).await;
    assert_eq!(code(by_token.clone()).await, "CARD_BLOCKED");
    unblock(&world, "demo", listed.id).await;
    let listed = block(&world, "demo", About::Customer("alice".to_owned())).await;
    assert_eq!(code(by_token.clone()).await, "CUSTOMER_BLOCKED");
    unblock(&world, "demo", listed.id).await;
    partner.make(&world, by_token).await;
    world.step().await;
    world.step().await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_an_entry_is_refused_and_nothing_is_written() {
    let world = World::new().await;
    let author = author(&world, "demo").await;
    let ended = NewBlock { ends_at: Some(world.clock.now()), ..entry(About::Country("LT".to_owned())) };
    let unexplained = NewBlock { reason: "  x ".to_owned(), ..entry(About::Country("LT".to_owned())) };
    let wrong = [
        entry(About::Iin("411".to_owned())),
        entry(About::Iin("4111111111".to_owned())),
        entry(About::Iin("41111a".to_owned())),
        entry(About::Country("lt".to_owned())),
        entry(About::Country("LTU".to_owned())),
        entry(About::Customer(String::new())),
        entry(About::Customer(PAID.to_owned())),
        ended,
        unexplained,
    ];
    for new in wrong {
        let refused = world.app.gateway.add_block(&author, new).await;
        assert!(matches!(refused, Err(Refusal::Invalid(_))), "{refused:?}");
    }
    assert_eq!(world.test_db.count("SELECT count(*) AS count FROM block_list").await, 0);
    // A number in a reason goes nowhere.
    let told = NewBlock { reason: format!("seen with {PAID}"), ..entry(number(PAID)) };
    let (listed, _) = world.app.gateway.add_block(&author, told).await.unwrap();
    assert_eq!(listed.reason, "seen with [card number]");
    let stored = world.row("SELECT to_jsonb(b)::text FROM block_list b", &[]).await;
    assert!(!stored.get::<_, String>(0).contains(PAID));
    let audited = world.row("SELECT after::text FROM audit WHERE action = 'block_list.add'", &[]).await;
    let after: serde_json::Value = serde_json::from_str(audited.get(0)).unwrap();
    assert_eq!((&after["kind"], &after["value"]), (&json!("card"), &json!("4111***1111")));
    world.finish().await;
}
