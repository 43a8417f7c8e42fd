//! Screening through the real engine: a card waits for its answer, a pay is refused, stopped or put off by it, and nothing passes because
//! nobody could tell.

use std::path::PathBuf;
use std::sync::Arc;

use landfall::config::screening::ScreenAt;
use landfall::domain::ids::{CardId, Mode};
use landfall::domain::moderation::Reason;
use landfall::domain::offer::RefusalCode;
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::access::Refusal;
use landfall::gateway::access::audit::Author;
use landfall::gateway::moderation::Choice;
use landfall::torture::Action;
use landfall::wallet::User;
use landfall::wallet::accept::Answer;
use landfall::wallet::cards::AddCard;
use landfall::wallet::view::CardValidation;
use rust_decimal::dec;
use zeroize::Zeroizing;

use super::{ada, decision};
use crate::world::{Accepted, PAID, World};

struct Screened {
    world: World,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Screened {
    /// A world that screens by a list of these lines.
    async fn new(at: &[ScreenAt], lines: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.txt");
        let change = |settings: &mut landfall::config::Settings| {
            settings.screening.file = Some(path.clone());
            settings.screening.at = at.to_vec();
        };
        write(&path, lines);
        let world = World::with(change, Vec::new()).await;
        Self { world, path, _dir: dir }
    }

    fn lists(&self, lines: &str) {
        write(&self.path, lines);
    }

    async fn add(&self, user: &User, holder: &str) -> CardId {
        let card = AddCard {
            number: Zeroizing::new(PAID.to_owned()),
            holder: holder.to_owned(),
            expiry_year: "2035".to_owned(),
            expiry_month: "12".to_owned(),
        };
        self.world.app.wallet.add_card(user, card).await.unwrap().id
    }

    async fn standing(&self, user: &User) -> CardValidation {
        self.world.app.wallet.data(user).await.unwrap().cards[0].validation
    }

    async fn screens(&self) {
        self.world.app.gateway.screen_cards().await.unwrap();
    }
}

/// Each state of the list has another length: that it changed is seen also within a tick of the file system's clock.
fn write(path: &std::path::Path, lines: &str) {
    std::fs::write(path, format!("# Source: a test\n# Date: 2026-11-22\n{lines}\n")).unwrap();
}

async fn staff(world: &World, partner: &str) -> Author {
    let tenant = world.app.wallet.user(partner, Mode::Test, "staff", None).await.unwrap().tenant;
    Author::new(tenant, "cli:ada".to_owned(), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_is_pending_until_its_holder_was_screened() {
    let at = Screened::new(&[ScreenAt::Card], "Mallory Example\nEve Nora Dropper").await;
    let world = &at.world;
    let alice = world.funded("alice", "1000").await;
    let card = at.add(&alice, "ALICE EXAMPLE").await;
    assert_eq!(at.standing(&alice).await, CardValidation::Pending);
    let offer = world.offer_to(&alice, card, "25").await;
    assert_eq!(offer.reason, Some(RefusalCode::CardPending));
    at.screens().await;
    assert_eq!(at.standing(&alice).await, CardValidation::Approved);
    assert!(matches!(world.accept(&alice, offer.id).await, Answer::Accepted(_)));

    let mallory = world.funded("mallory", "1000").await;
    at.add(&mallory, "EXAMPLE MALLORY").await;
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!(at.standing(&mallory).await, CardValidation::Declined);
    // Adding it again under another name doesn't make it better.
    at.add(&mallory, "BOB BUILDER").await;
    at.screens().await;
    assert_eq!(at.standing(&mallory).await, CardValidation::Declined);
    world.step().await;
    at.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_a_person_has_to_look_at_is_settled_by_that_person_alone() {
    let at = Screened::new(&[ScreenAt::Card], "Eve Nora Dropper").await;
    let (world, gateway) = (&at.world, &at.world.app.gateway);
    let eve = world.funded("eve", "1000").await;
    let card = at.add(&eve, "EVE DROPPER").await;
    let author = staff(world, "demo").await;
    for _ in 0..3 {
        at.screens().await;
        world.advance(61_000);
    }
    assert_eq!(at.standing(&eve).await, CardValidation::Pending);
    let waiting = gateway.waiting_cards(author.tenant).await.unwrap();
    assert_eq!((waiting.len(), waiting[0].card_id, waiting[0].state.as_str()), (1, card, "review"));
    assert!(!waiting[0].why.as_ref().unwrap().contains("Dropper"));
    // Not another tenant's, and not without a reason.
    let elsewhere = staff(world, "house").await;
    let refused = gateway.settle_card(&elsewhere, card, true, "another person").await;
    assert!(matches!(refused, Err(Refusal::NotFound { .. })), "{refused:?}");
    assert!(matches!(gateway.settle_card(&author, card, true, " ").await, Err(Refusal::Invalid(_))));
    for _ in 0..2 {
        gateway.settle_card(&author, card, true, "another person").await.unwrap();
    }
    assert_eq!(at.standing(&eve).await, CardValidation::Approved);
    gateway.settle_card(&author, card, false, "the same after all").await.unwrap();
    assert_eq!(at.standing(&eve).await, CardValidation::Declined);
    assert_eq!(world.test_db.count("SELECT count(*) AS count FROM audit WHERE action LIKE 'card.%'").await, 2);
    assert!(gateway.waiting_cards(author.tenant).await.unwrap().is_empty());
    at.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_gone_leaves_cards_pending_until_it_is_back() {
    let at = Screened::new(&[ScreenAt::Card], "Mallory Example").await;
    let alice = at.world.funded("alice", "1000").await;
    at.add(&alice, "ALICE EXAMPLE").await;
    std::fs::remove_file(&at.path).unwrap();
    for _ in 0..3 {
        at.screens().await;
        assert_eq!(at.standing(&alice).await, CardValidation::Pending);
        at.world.advance(61_000);
    }
    at.lists("Mallory Example\nEve Dropper");
    at.screens().await;
    assert_eq!(at.standing(&alice).await, CardValidation::Approved);
    at.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_changes_between_card_and_pay_counts_at_the_pay() {
    let at = Screened::new(&[ScreenAt::Card, ScreenAt::Pay], "Mallory Example").await;
    let world = &at.world;
    let alice = world.funded("alice", "1000").await;
    let card = at.add(&alice, "ALICE EXAMPLE").await;
    at.screens().await;
    let offer = world.offer_to(&alice, card, "25").await;
    assert!(offer.possible_to_execute);
    at.lists("Example, Alice");
    match world.accept(&alice, offer.id).await {
        Answer::Refused(refusal) => assert_eq!(refusal.code, RefusalCode::CustomerBlocked),
        other => panic!("{other:?}"),
    }
    assert_eq!(world.balance(&alice).await, (dec!(1000), dec!(0)));
    // Nobody can tell: put off, and nothing has changed.
    std::fs::remove_file(&at.path).unwrap();
    assert!(matches!(world.accept(&alice, offer.id).await, Answer::Unscreened));
    assert_eq!(world.balance(&alice).await, (dec!(1000), dec!(0)));
    at.lists("nobody at all here");
    assert!(matches!(world.accept(&alice, offer.id).await, Answer::Accepted(_)));
    // What was accepted answers as it stands, whoever is listed and whether or not anybody can tell.
    std::fs::remove_file(&at.path).unwrap();
    assert!(matches!(world.accept(&alice, offer.id).await, Answer::Before(_)));
    world.step().await;
    at.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pay_that_a_person_has_to_look_at_is_accepted_and_stopped() {
    let at = Screened::new(&[ScreenAt::Pay], "Eve Nora Dropper\nreference: mallory").await;
    let world = &at.world;
    let eve = world.funded("eve", "1000").await;
    let card = at.add(&eve, "EVE DROPPER").await;
    assert_eq!(at.standing(&eve).await, CardValidation::Approved);
    let offer = world.offer_to(&eve, card, "25").await;
    let Answer::Accepted(request_id) = world.accept(&eve, offer.id).await else { panic!("not accepted") };
    let accepted = Accepted { user: eve.clone(), offer, request_id };
    for _ in 0..3 {
        world.step().await;
    }
    let row = world.request(&accepted).await;
    assert_eq!(row.moderation_reason.as_deref(), Some(Reason::Screening.as_str()));
    assert!(world.payouts(&accepted).await.is_empty());
    world.app.gateway.decide(&ada(), &decision(&accepted, row.event_seq, Choice::Continue)).await.unwrap();
    world.step().await;
    assert_eq!(world.request(&accepted).await.status, RequestStatus::Processed);
    // By the reference, whatever the name.
    let mallory = world.funded("mallory", "1000").await;
    let card = at.add(&mallory, "BOB BUILDER").await;
    let offer = world.offer_to(&mallory, card, "25").await;
    assert!(
        matches!(world.accept(&mallory, offer.id).await, Answer::Refused(r) if r.code == RefusalCode::CustomerBlocked)
    );
    at.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_at_the_acceptance_leaves_it_undone_or_done_with_its_stop() {
    for (step, is_done) in [("before commit", false), ("after commit", true)] {
        let at = Screened::new(&[ScreenAt::Pay], "Eve Nora Dropper").await;
        let world = &at.world;
        let user = world.funded("eve", "3000").await;
        let card = at.add(&user, "EVE DROPPER").await;
        let offer = world.offer_to(&user, card, "100").await;
        let dead = Arc::new(tokio::sync::Notify::new());
        let told = Arc::clone(&dead);
        landfall::torture::set_hook(Some(Arc::new(move |place: &str| {
            let is_there = place.contains("wallet/accept.rs") && place.ends_with(step);
            is_there.then(|| {
                told.notify_one();
                Action::Hang
            })
        })));
        // Dropped where it stands, as a process that died there would leave it.
        tokio::select! {
            biased;
            answer = world.accept(&user, offer.id) => panic!("it went on: {answer:?}"),
            () = dead.notified() => {}
        }
        landfall::torture::set_hook(None);
        let other = world.another_process(|_| {}, Vec::new()).await;
        assert!(other.gateway.dispatch(10).await.unwrap().0.is_empty(), "{step}");
        let answer = world.accept(&user, offer.id).await;
        assert_eq!(matches!(answer, Answer::Before(_)), is_done, "{step}: {answer:?}");
        world.step().await;
        assert!(world.balance(&user).await.1 > dec!(0));
        assert_eq!(world.test_db.count("SELECT count(*) AS count FROM payout").await, 0);
        let stopped = "SELECT count(*) AS count FROM payout_request WHERE moderation_reason = 'screening'";
        assert_eq!(world.test_db.count(stopped).await, 1, "{step}");
        drop(other);
        at.world.finish().await;
    }
}
