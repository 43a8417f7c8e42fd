//! A request that waits for a person, for each reason that there is.

use std::sync::Arc;

use landfall::domain::ids::{PayoutId, PayoutRequestId};
use landfall::domain::moderation::{DecisionKind, Reason};
use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::complete::{Report, Source};
use landfall::gateway::moderation::{Choice, DecideError, Decided, Decider, Decision};
use landfall::gateway::requests::{NewRequest, RequestOptions};
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::Payout;
use landfall::store::requests::PayoutRequest;
use rust_decimal::{Decimal, dec};

use crate::partner::Partner;
use crate::scripted::{Lane, Says, Scripted, by, lane, payouts_of, routed, routed_over};
use crate::world::World;

/// A world with one request that waits for a person.
pub struct Waiting {
    pub world: World,
    pub scripted: Arc<Scripted>,
    pub partner: Partner,
    pub id: PayoutRequestId,
}

/// Those that outcomes of payouts make; what a provider's report makes is tested with reports.
pub const REASONS: [Reason; 5] = [
    Reason::NotFoundAtProvider,
    Reason::FateOpen,
    Reason::PartlyPaid,
    Reason::ProcessedMoreThanAsked,
    Reason::LateSuccess,
];

pub fn lanes() -> [Lane; 3] {
    [lane("a", dec!(100)), lane("b", dec!(100)), lane("c", dec!(100))]
}

pub fn ada() -> Decider {
    Decider { actor: "staff:ada@landfall.example".to_owned(), origin: None }
}

pub fn bob() -> Decider {
    Decider { actor: "staff:bob@landfall.example".to_owned(), origin: None }
}

pub fn processed(amount: Decimal) -> Outcome {
    Outcome::Processed { amount, ids: ProviderIds::default() }
}

pub fn declined() -> Outcome {
    Outcome::Declined { resolution: Resolution::DeclinedError, code: "no".to_owned(), message: "no".to_owned() }
}

impl Waiting {
    /// 50 are lost on the way to the first lane's provider, which doesn't find them.
    pub async fn not_found() -> Self {
        Self::lost(&Scripted::new()).await
    }

    pub async fn lost(scripted: &Arc<Scripted>) -> Self {
        let (world, partner) = routed_over(scripted, &lanes(), by("direct", &lanes()), |_| {}).await;
        scripted.always("a", Says::Loses);
        let id = partner.make(&world, partner.sample_of(dec!(50), "lost")).await.id;
        let waiting = Self { world, scripted: Arc::clone(scripted), partner, id };
        waiting.until(Reason::NotFoundAtProvider).await;
        waiting
    }

    /// 50 are taken by a provider that never tells what became of them.
    pub async fn untold() -> Self {
        let scripted = Scripted::new();
        let (world, partner) = routed_over(&scripted, &lanes(), by("direct", &lanes()), |settings| {
            settings.gateway.fate_unknown_secs = 60;
        })
        .await;
        scripted.always("a", Says::NeverTells);
        let id = partner.make(&world, partner.sample_of(dec!(50), "untold")).await.id;
        let waiting = Self { world, scripted, partner, id };
        waiting.until(Reason::FateOpen).await;
        waiting
    }

    /// 100 of 250 are paid, and no other lane takes the rest.
    pub async fn partly_paid() -> Self {
        let (world, scripted, partner) = routed(&lanes(), by("balance", &lanes())).await;
        scripted.always("b", Says::DeclinesRoute);
        scripted.always("c", Says::DeclinesRoute);
        let waiting = Self::split(world, scripted, partner, true).await;
        waiting.until(Reason::PartlyPaid).await;
        waiting
    }

    /// Of 250 in three parts, one after the other, the first pays 120 instead of 100.
    pub async fn more_than_asked() -> Self {
        let (world, scripted, partner) = routed(&lanes(), by("direct", &lanes())).await;
        scripted.next("a", &[Says::PaysOnly(dec!(120))]);
        let waiting = Self::split(world, scripted, partner, false).await;
        waiting.until(Reason::ProcessedMoreThanAsked).await;
        waiting
    }

    /// The first lane declined 50 and paid them all the same; the second has them too, and hasn't said.
    pub async fn paid_late() -> Self {
        let (world, scripted, partner) = routed(&lanes(), by("direct", &lanes())).await;
        scripted.next("a", &[Says::LiesAndPays]);
        scripted.always("b", Says::Loses);
        let id = partner.make(&world, partner.sample_of(dec!(50), "late")).await.id;
        let waiting = Self { world, scripted, partner, id };
        waiting.world.step().await;
        waiting.world.step().await;
        let payouts = waiting.payouts().await;
        assert_eq!(payouts.iter().map(|p| p.status).collect::<Vec<_>>(), [PayoutStatus::Failed, PayoutStatus::Unknown]);
        waiting.tell(&payouts[0], processed(dec!(50))).await;
        waiting.until(Reason::LateSuccess).await;
        waiting
    }

    pub async fn split(world: World, scripted: Arc<Scripted>, partner: Partner, parallel: bool) -> Self {
        let options = RequestOptions {
            split_mode: Some(SplitMode::Auto),
            attempts_limit: Some(10),
            parallel_mode: Some(parallel),
            ..RequestOptions::default()
        };
        let ask = NewRequest { options, ..partner.sample_of(dec!(250), "split") };
        let id = partner.make(&world, ask).await.id;
        Self { world, scripted, partner, id }
    }

    pub async fn for_reason(reason: Reason) -> Self {
        match reason {
            Reason::NotFoundAtProvider => Self::not_found().await,
            Reason::FateOpen => Self::untold().await,
            Reason::PartlyPaid => Self::partly_paid().await,
            Reason::ProcessedMoreThanAsked => Self::more_than_asked().await,
            Reason::LateSuccess => Self::paid_late().await,
            Reason::UnsentAtProvider => unreachable!("a provider's report makes it"),
            Reason::Screening => unreachable!("a rule makes it, of what was never sent"),
        }
    }

    /// Goes on until it waits for that.
    pub async fn until(&self, reason: Reason) {
        for _ in 0..20 {
            if self.reason().await.as_deref() == Some(reason.as_str()) {
                // The last send's lease is over, and the provider has had its time.
                self.world.advance(120_000);
                return;
            }
            self.world.step().await;
            self.world.advance(20_000);
        }
        panic!("it never waits for {reason}: {:?}", self.row().await);
    }

    pub async fn steps(&self, count: usize) {
        for _ in 0..count {
            self.world.step().await;
            self.world.advance(20_000);
        }
    }

    pub async fn row(&self) -> PayoutRequest {
        self.partner.find(&self.world, self.id).await
    }

    pub async fn reason(&self) -> Option<String> {
        self.row().await.moderation_reason
    }

    pub async fn payouts(&self) -> Vec<Payout> {
        payouts_of(&self.world, &self.partner, self.id).await
    }

    /// The payout whose fate is open.
    pub async fn open(&self) -> Payout {
        let is_open = |p: &Payout| matches!(p.status, PayoutStatus::Pending | PayoutStatus::Unknown);
        self.payouts().await.into_iter().find(is_open).unwrap()
    }

    pub async fn tell(&self, payout: &Payout, outcome: Outcome) {
        self.world.app.gateway.complete(&[self.world.callback(payout, outcome)]).await.unwrap();
    }

    pub async fn decision(&self, choice: Choice) -> Decision {
        Decision {
            tenant: self.partner.tenant(),
            request_id: self.id,
            seen: self.row().await.event_seq,
            choice,
            reason: "the provider's desk says so".to_owned(),
            evidence: "statement 2026-11-21, line 7".to_owned(),
        }
    }

    pub async fn decide(&self, choice: Choice) -> Result<Decided, DecideError> {
        let decision = self.decision(choice).await;
        self.world.app.gateway.decide(&ada(), &decision).await
    }

    pub async fn choice(&self, kind: DecisionKind) -> Choice {
        let payout_id = match kind.marks_payout() {
            true => self.open().await.id,
            false => PayoutId::new(),
        };
        match kind {
            DecisionKind::Continue => Choice::Continue,
            DecisionKind::Reject => Choice::Reject,
            DecisionKind::MarkPaid => Choice::MarkPaid { payout_id, amount: dec!(50), ids: ids() },
            DecisionKind::MarkFailedRelease => Choice::MarkFailedRelease { payout_id },
            DecisionKind::MarkFailedFailover => Choice::MarkFailedFailover { payout_id },
        }
    }

    pub async fn open_cases(&self) -> Vec<String> {
        let sql = "SELECT COALESCE(string_agg(kind, ' ' ORDER BY kind), '') FROM staff_case WHERE closed_at IS NULL";
        let kinds: String = self.world.row(sql, &[]).await.get(0);
        kinds.split_whitespace().map(str::to_owned).collect()
    }

    pub async fn reserved(&self) -> i64 {
        self.world.test_db.count("SELECT COALESCE(sum(reserved * 100), 0)::bigint AS count FROM deposit_account").await
    }

    /// It has ended so, having paid that of what was held; nothing is held or reserved any more, and everything agrees.
    pub async fn ends(self, status: RequestStatus, paid: Decimal) {
        let row = self.row().await;
        assert_eq!((row.status, row.amount_processed.normalize()), (status, paid), "{row:?}");
        assert_eq!(self.partner.funds(&self.world, "USD").await, (dec!(100000) - paid, dec!(0)));
        assert_eq!(self.reserved().await, 0);
        self.world.finish().await;
    }

    /// The provider says twice that it doesn't find that part's payout.
    pub async fn not_found_at(&self, part: usize) {
        for _ in 0..2 {
            let payout = self.payouts().await.remove(part);
            let report = Report { source: Source::Inquiry, ..self.world.callback(&payout, Outcome::NotFound) };
            self.world.app.gateway.complete(&[report]).await.unwrap();
        }
    }
}

pub fn ids() -> ProviderIds {
    ProviderIds { original_id: Some("tr-1".to_owned()), rrn: Some("rrn-1".to_owned()), ..ProviderIds::default() }
}
