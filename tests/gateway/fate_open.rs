//! A payout whose provider doesn't tell what became of it: it is asked for ever, and from time to time a person is.

use std::sync::Arc;

use landfall::domain::ids::PayoutRequestId;
use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::moderation::{Choice, Decider, Decision};
use rust_decimal::dec;

use crate::partner::Partner;
use crate::scripted::{Says, Scripted, by, lane, payouts_of, routed_over};
use crate::world::World;

struct Untold {
    world: World,
    scripted: Arc<Scripted>,
    partner: Partner,
    id: PayoutRequestId,
}

impl Untold {
    async fn that(says: Says) -> Self {
        let scripted = Scripted::new();
        let lanes = [lane("a", dec!(100)), lane("b", dec!(100))];
        let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |settings| {
            settings.gateway.inquiry_intervals_ms = vec![1_000, 60_000];
            settings.gateway.fate_unknown_secs = 600;
            settings.gateway.fate_pending_secs = 1_200;
        })
        .await;
        scripted.always("a", says);
        let id = partner.make(&world, partner.sample_of(dec!(50), "untold")).await.id;
        Self { world, scripted, partner, id }
    }

    /// Minutes until a person is asked; `None`: nobody is within the hour.
    async fn minutes_to_a_person(&self) -> Option<u32> {
        for minute in 0..60 {
            self.world.step().await;
            if let Some(reason) = self.partner.find(&self.world, self.id).await.moderation_reason {
                assert_eq!(reason, "fate_open");
                return Some(minute);
            }
            self.world.advance(60_000);
        }
        None
    }

    async fn decide(&self, choice: Choice) {
        let row = self.partner.find(&self.world, self.id).await;
        let decision = Decision {
            tenant: row.tenant(),
            request_id: row.id,
            seen: row.event_seq,
            choice,
            reason: "asked by telephone".to_owned(),
            evidence: "ticket 4711".to_owned(),
        };
        let ada = Decider { actor: "staff:ada@landfall.example".to_owned(), origin: None };
        self.world.app.gateway.decide(&ada, &decision).await.unwrap();
    }

    async fn open_cases(&self) -> i64 {
        let sql = "SELECT count(*) FROM staff_case WHERE kind = 'fate_open' AND closed_at IS NULL";
        self.world.row(sql, &[]).await.get(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_tells_nothing_is_asked_on_and_a_person_sees_to_it_again_and_again() {
    let untold = Untold::that(Says::NeverTells).await;
    let first = untold.minutes_to_a_person().await.expect("a person is asked");
    assert!((9..=13).contains(&first), "after ten minutes of asking, and not {first}");
    assert_eq!(untold.open_cases().await, 1);
    // It goes on being asked, and the case stays the one that it is.
    for _ in 0..25 {
        untold.world.advance(60_000);
        untold.world.step().await;
    }
    assert_eq!(untold.open_cases().await, 1);
    // Whoever leaves it at that is asked again after as long.
    untold.decide(Choice::Continue).await;
    assert_eq!(untold.open_cases().await, 0);
    let second = untold.minutes_to_a_person().await.expect("a person is asked again");
    assert!((1..=13).contains(&second), "{second}");
    assert_eq!(untold.scripted.sends_to("a") + untold.scripted.sends_to("b"), 1, "nothing is sent meanwhile");

    // The truth that comes after all ends it without anybody.
    untold.scripted.pays_untold();
    untold.world.advance(60_000);
    untold.world.step().await;
    let row = untold.partner.find(&untold.world, untold.id).await;
    assert_eq!((row.status, row.moderation_reason), (RequestStatus::Processed, None));
    assert_eq!(untold.open_cases().await, 0);
    untold.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_working_on_it_gets_the_longer_time() {
    let untold = Untold::that(Says::StaysPending).await;
    let minutes = untold.minutes_to_a_person().await.expect("a person is asked");
    assert!((19..=23).contains(&minutes), "after twenty minutes of asking, and not {minutes}");
    untold.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_proved_unpaid_goes_another_way() {
    let untold = Untold::that(Says::NeverTells).await;
    untold.minutes_to_a_person().await.expect("a person is asked");
    let payout = payouts_of(&untold.world, &untold.partner, untold.id).await.remove(0);
    untold.decide(Choice::MarkFailedFailover { payout_id: payout.id }).await;
    untold.world.step().await;
    untold.world.step().await;
    let statuses: Vec<_> =
        payouts_of(&untold.world, &untold.partner, untold.id).await.iter().map(|p| p.status).collect();
    assert_eq!(statuses, [PayoutStatus::Failed, PayoutStatus::Processed]);
    assert_eq!(untold.open_cases().await, 0);
    untold.world.finish().await;
}
