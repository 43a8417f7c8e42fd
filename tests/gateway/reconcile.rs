//! Our payouts held against a provider's report: what agrees, what is taken over, what becomes a case, and how cases end.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use landfall::clock::{Clock, SystemClock};
use landfall::domain::ids::PayoutRequestId;
use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::cases::{CaseClosing, CaseEnd, CaseRefusal};
use landfall::gateway::moderation::Decider;
use landfall::gateway::reconciliation::{Counts, ReconcileError, Reconciled, Wanted, file};
use landfall::gateway::requests::{NewRequest, RequestOptions};
use landfall::providers::provider::{Outcome, ProviderIds, ReportRow, ReportedStatus};
use landfall::store::cases::{self, Case};
use landfall::store::payouts::Payout;
use rust_decimal::{Decimal, dec};

use crate::partner::Partner;
use crate::scripted::{Lane, Says, Scripted, by, lane, payouts_of, routed_over};
use crate::world::{World, eventually};

/// The provider's account, its deposit account and their lane.
const CODE: &str = "a";

struct Bench {
    world: World,
    scripted: Arc<Scripted>,
    partner: Partner,
}

impl Bench {
    async fn new() -> Self {
        Self::over(&[lane(CODE, dec!(1000))]).await
    }

    async fn over(lanes: &[Lane]) -> Self {
        let scripted = Scripted::new();
        scripted.clock(SystemClock.now());
        let (world, partner) = routed_over(&scripted, lanes, by("direct", lanes), |_| {}).await;
        Self { world, scripted, partner }
    }

    fn now(&self) -> DateTime<Utc> {
        self.world.app.clock.now()
    }

    /// A request that was sent, to which the provider says this.
    async fn sent(&self, reference: &str, amount: Decimal, says: Says) -> PayoutRequestId {
        self.scripted.clock(self.now());
        self.scripted.next(CODE, &[says]);
        let request = self.partner.make(&self.world, self.partner.sample_of(amount, reference)).await;
        let reports = self.world.send_due().await;
        self.world.app.gateway.complete(&reports).await.unwrap();
        request.id
    }

    async fn payout(&self, id: PayoutRequestId) -> Payout {
        payouts_of(&self.world, &self.partner, id).await.remove(0)
    }

    async fn wanted(&self) -> Wanted {
        let account = self.world.app.gateway.accounts_to_reconcile(Some(CODE)).await.unwrap().remove(0);
        Wanted { account, from: self.now() - TimeDelta::days(3), until: self.now(), rows: None, by: "test".to_owned() }
    }

    /// A run two hours later, when everything has settled.
    async fn run(&self) -> Reconciled {
        self.world.advance(7_200_000);
        self.run_now().await
    }

    async fn run_now(&self) -> Reconciled {
        self.world.app.gateway.reconcile(&self.wanted().await).await.unwrap()
    }

    async fn cases(&self, subject: &str) -> Vec<Case> {
        let account = self.wanted().await.account.id;
        let conn = self.world.app.db.get().await.unwrap();
        cases::of_subject(&conn, account, subject).await.unwrap()
    }

    /// The only case about a reference.
    async fn case(&self, subject: &str) -> Case {
        let mut found = self.cases(subject).await;
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// What is booked on an account of that kind, in USD, over all tenants.
    async fn booked(&self, kind: &str) -> Decimal {
        let sql = "SELECT COALESCE(sum(g.amount), 0)::text FROM posting g JOIN account a ON (a.id, a.partner_id, a.mode) \
                   = (g.account_id, g.partner_id, g.mode) WHERE a.kind = $1 AND a.asset = 'USD'";
        self.world.row(sql, &[&kind]).await.get::<_, String>(0).parse::<Decimal>().unwrap().normalize()
    }

    async fn entries(&self, kind: &str) -> i64 {
        self.world.row("SELECT count(*) FROM entry WHERE kind = $1", &[&kind]).await.get(0)
    }

    /// What our books say of the deposit account.
    async fn balance(&self) -> Decimal {
        let sql = "SELECT balance::text FROM deposit_account WHERE code = $1";
        self.world.row(sql, &[&CODE]).await.get::<_, String>(0).parse::<Decimal>().unwrap().normalize()
    }

    async fn events(&self, id: PayoutRequestId, kind: &str) -> usize {
        let events = crate::scripted::events_of(&self.world, &self.partner, id).await;
        events.iter().filter(|event| event.kind == kind).count()
    }

    /// A line that the provider has and that nobody sent.
    fn row(&self, reference: &str, original_id: &str, amount: Decimal) -> ReportRow {
        ReportRow {
            reference: reference.to_owned(),
            original_id: Some(original_id.to_owned()),
            status: ReportedStatus::Processed,
            amount_processed: amount,
            amount_returned: Decimal::ZERO,
            currency: "USD".parse().unwrap(),
            taken_at: self.now(),
        }
    }

    async fn close(&self, case: &Case, end: CaseEnd) -> Result<Case, CaseRefusal> {
        let closing = CaseClosing { end, reason: "the provider's ticket 7".to_owned(), evidence: None };
        self.world.app.gateway.close_case(&Decider { actor: "olga".to_owned(), origin: None }, case.id, closing).await
    }
}

fn waiting(counts: Counts) -> (i32, i32, i32) {
    (counts.only_ours, counts.only_theirs, counts.differing)
}

fn came_back(row: &mut ReportRow) {
    row.status = ReportedStatus::Returned;
    row.amount_returned = row.amount_processed;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_both_sides_know_agrees_and_changes_nothing() {
    let bench = Bench::new().await;
    bench.sent("paid", dec!(10), Says::Pays).await;
    bench.sent("declined", dec!(10), Says::DeclinesCard).await;
    bench.sent("in part", dec!(10), Says::PaysOnly(dec!(4))).await;
    // Too young to be compared.
    let early = bench.run_now().await.counts;
    assert_eq!((early.agreed, early.left_for_later, early.is_clean()), (0, early.rows_read, true));
    for _ in 0..2 {
        let counts = bench.run().await.counts;
        assert_eq!((counts.agreed, counts.applied, counts.is_clean()), (counts.rows_read, 0, true), "{counts:?}");
        assert!(counts.rows_read >= 3);
    }
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_knows_of_open_payouts_is_taken_over() {
    let bench = Bench::new().await;
    let paid = bench.sent("silent", dec!(10), Says::PaysSilently).await;
    let refused = bench.sent("refused", dec!(20), Says::DeclinesLater).await;
    let lost = bench.sent("lost", dec!(30), Says::Loses).await;
    let back = bench.sent("back", dec!(40), Says::PaysSilently).await;
    let reference = bench.payout(back).await.provider_reference;
    bench.scripted.restates(&reference, came_back);

    let counts = bench.run().await.counts;
    assert_eq!((counts.applied, counts.is_clean()), (3, true), "{counts:?}");
    let payout = bench.payout(paid).await;
    assert_eq!((payout.status, payout.amount_processed), (PayoutStatus::Processed, dec!(10)));
    assert_eq!(payout.provider_original_id, Some(format!("id-{}", payout.provider_reference)));
    assert_eq!(bench.payout(refused).await.status, PayoutStatus::Failed);
    let payout = bench.payout(back).await;
    assert_eq!((payout.status, payout.amount_returned), (PayoutStatus::Returned, dec!(40)));
    assert_eq!(bench.payout(lost).await.status, PayoutStatus::Unknown, "absence is no answer");
    assert_eq!(bench.partner.find(&bench.world, paid).await.status, RequestStatus::Processed);

    let again = bench.run().await.counts;
    assert_eq!((again.applied, again.agreed, again.is_clean()), (0, 3, true), "{again:?}");
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_is_booked_once_and_recovered_when_it_comes_back() {
    let bench = Bench::new().await;
    let id = bench.sent("refused", dec!(50), Says::DeclinesCard).await;
    let payout = bench.payout(id).await;
    assert_eq!(bench.partner.find(&bench.world, id).await.status, RequestStatus::Failed);
    let paid = |row: &mut ReportRow| {
        row.status = ReportedStatus::Processed;
        row.amount_processed = dec!(50);
    };
    bench.scripted.restates(&payout.provider_reference, paid);
    for applied in [1, 0] {
        assert_eq!(bench.run().await.counts.applied, applied);
        assert_eq!(bench.payout(id).await.status, PayoutStatus::LateProcessed);
        assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(50), dec!(950)));
    }

    bench.scripted.restates(&payout.provider_reference, came_back);
    for _ in 0..2 {
        let counts = bench.run().await.counts;
        assert_eq!((counts.agreed, counts.is_clean()), (1, true), "{counts:?}");
        assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(0), dec!(1000)));
        assert_eq!((bench.entries("recovery").await, bench.events(id, "case_closed").await), (1, 1));
    }
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_ours_is_a_case_that_closes_when_it_shows_up() {
    let bench = Bench::new().await;
    let id = bench.sent("gone", dec!(10), Says::Pays).await;
    let reference = bench.payout(id).await.provider_reference;
    let row = bench.row(&reference, &format!("id-{reference}"), dec!(10));
    bench.scripted.forgets(&reference);
    for _ in 0..2 {
        assert_eq!(waiting(bench.run().await.counts), (1, 0, 0));
        let case = bench.case(&reference).await;
        assert_eq!((case.kind.as_str(), case.request_id, case.closed_at), ("missing_at_provider", Some(id), None));
        assert_eq!(case.evidence["ours"]["amount_processed"], "10");
        assert_eq!(case.evidence["theirs"].as_array().map(Vec::len), Some(0));
        assert_eq!(bench.events(id, "case_opened").await, 1);
    }
    // A person can't make money of it: nothing was booked.
    let settled = CaseEnd::Settled { recovered: dec!(10), written_off: dec!(0) };
    let refused = bench.close(&bench.case(&reference).await, settled).await;
    assert!(matches!(refused, Err(CaseRefusal::NothingBooked)), "{refused:?}");

    bench.scripted.reports(CODE, row);
    assert!(bench.run().await.counts.is_clean());
    let case = bench.case(&reference).await;
    assert_eq!((case.closing.as_deref(), case.closed_by.as_deref()), (Some("agrees"), Some("gateway")));
    assert_eq!(bench.events(id, "case_closed").await, 1);
    bench.world.finish().await;
}

/// A reference that could be a card number is named by a MAC. What an earlier version named by a bare hash is the same payment still.
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_was_named_by_a_bare_hash_is_booked_once() {
    use sha2::{Digest, Sha256};

    let bench = Bench::new().await;
    let number = "4111111111111111";
    bench.scripted.reports(CODE, bench.row(number, number, dec!(70)));
    assert_eq!(waiting(bench.run().await.counts), (0, 1, 0));
    let name = "SELECT reference FROM unmatched_payment";
    let keyed: String = bench.world.row(name, &[]).await.get(0);
    assert!(keyed.starts_with("keyed/"), "{keyed}");
    let case = bench.case(&keyed).await;
    assert!(!case.evidence.to_string().contains(number), "{}", case.evidence);

    let letters = Sha256::digest(number)
        .iter()
        .take(16)
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|n| char::from(b'a' + n))
        .collect::<String>();
    let bare = format!("masked/{letters}");
    for sql in [
        "UPDATE unmatched_payment SET reference = $1 RETURNING 1",
        "UPDATE staff_case SET subject = $1, evidence = jsonb_set(evidence, '{reference}', to_jsonb($1::text)) RETURNING 1",
    ] {
        bench.world.row(sql, &[&bare]).await;
    }
    assert_eq!(waiting(bench.run().await.counts), (0, 1, 0));
    assert_eq!((bench.booked("recoverable").await, bench.entries("unmatched").await), (dec!(70), 1));
    assert_eq!(bench.world.row(name, &[]).await.get::<_, String>(0), keyed);
    assert_eq!((bench.case(&keyed).await.id, bench.case(&keyed).await.evidence), (case.id, case.evidence));
    assert_eq!(bench.cases(&bare).await.len(), 0);
    bench.scripted.restates(number, came_back);
    assert!(bench.run().await.counts.is_clean());
    assert_eq!(bench.case(&keyed).await.closing.as_deref(), Some("returned"));
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_theirs_is_booked_once_and_taken_back_when_it_comes_back() {
    let bench = Bench::new().await;
    bench.scripted.reports(CODE, bench.row("by hand", "x1", dec!(70)));
    for _ in 0..2 {
        assert_eq!(waiting(bench.run().await.counts), (0, 1, 0));
        assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(70), dec!(930)));
        assert_eq!(bench.booked("suspense").await, dec!(-70));
        assert_eq!(bench.entries("unmatched").await, 1);
        let case = bench.case("by hand").await;
        assert_eq!((case.kind.as_str(), case.request_id), ("unmatched_at_provider", None));
    }
    // More under the same reference: the rest is booked, and the case says so.
    bench.scripted.reports(CODE, bench.row("by hand", "x2", dec!(5)));
    assert_eq!(waiting(bench.run().await.counts), (0, 1, 0));
    assert_eq!((bench.booked("recoverable").await, bench.entries("unmatched").await), (dec!(75), 2));
    assert_eq!(bench.case("by hand").await.evidence["surplus"]["amount"], "75");

    bench.scripted.restates("by hand", came_back);
    for _ in 0..2 {
        assert!(bench.run().await.counts.is_clean());
        assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(0), dec!(1000)));
        assert_eq!(bench.case("by hand").await.closing.as_deref(), Some("returned"));
    }
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_the_provider_paid_twice_is_a_surplus_that_a_person_settles() {
    let bench = Bench::new().await;
    let id = bench.sent("twice", dec!(60), Says::Pays).await;
    let reference = bench.payout(id).await.provider_reference;
    bench.scripted.reports(CODE, bench.row(&reference, "second", dec!(60)));
    for _ in 0..2 {
        assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
        assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(60), dec!(880)));
    }
    let case = bench.case(&reference).await;
    assert_eq!((case.kind.as_str(), case.request_id), ("paid_twice_at_provider", Some(id)));

    for (recovered, written_off) in [(dec!(60), dec!(1)), (dec!(0), dec!(0)), (dec!(70), dec!(-10))] {
        let refused = bench.close(&case, CaseEnd::Settled { recovered, written_off }).await;
        assert!(matches!(refused, Err(CaseRefusal::Amounts { .. })), "{refused:?}");
    }
    let end = CaseEnd::Settled { recovered: dec!(45), written_off: dec!(15) };
    for _ in 0..2 {
        let closed = bench.close(&case, end).await.unwrap();
        assert_eq!((closed.closing.as_deref(), closed.closed_by.as_deref()), (Some("recovered_in_part"), Some("olga")));
        assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(0), dec!(925)));
    }
    let refused = bench.close(&case, CaseEnd::Explained).await;
    assert!(matches!(refused, Err(CaseRefusal::ClosedAlready { .. })), "{refused:?}");
    let none = CaseClosing { end, reason: " ".to_owned(), evidence: None };
    assert!(matches!(
        bench.world.app.gateway.close_case(&Decider { actor: "olga".to_owned(), origin: None }, case.id, none).await,
        Err(CaseRefusal::NoReason)
    ));
    let audited = "SELECT count(*) FROM audit WHERE action = 'case.close' AND actor = 'olga'";
    assert_eq!(bench.world.row(audited, &[]).await.get::<_, i64>(0), 1);
    assert_eq!(bench.events(id, "case_closed").await, 1);

    // As it was when it was closed, it isn't opened again; a third payment is another matter.
    assert!(bench.run().await.counts.is_clean());
    bench.scripted.reports(CODE, bench.row(&reference, "third", dec!(2)));
    assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
    assert_eq!((bench.cases(&reference).await.len(), bench.booked("recoverable").await), (2, dec!(2)));
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_explained_and_comes_back_after_all_is_told() {
    let bench = Bench::new().await;
    bench.scripted.reports(CODE, bench.row("staff", "x", dec!(30)));
    assert_eq!(waiting(bench.run().await.counts), (0, 1, 0));
    bench.close(&bench.case("staff").await, CaseEnd::Explained).await.unwrap();
    assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(0), dec!(970)));
    assert!(bench.run().await.counts.is_clean());
    assert_eq!(bench.cases("staff").await.len(), 1);

    bench.scripted.restates("staff", came_back);
    for _ in 0..2 {
        assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
        assert_eq!(bench.cases("staff").await.last().unwrap().kind, "return_differs");
        assert_eq!(bench.cases("staff").await.len(), 2);
    }
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_status_amount_or_currency_is_a_case_and_one_at_a_time() {
    let bench = Bench::new().await;
    let id = bench.sent("differs", dec!(10), Says::Pays).await;
    let reference = bench.payout(id).await.provider_reference;
    let restate = |change: &dyn Fn(&mut ReportRow)| bench.scripted.restates(&reference, change);

    restate(&|row| row.status = ReportedStatus::Pending);
    assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
    assert_eq!(bench.case(&reference).await.kind, "status_differs");

    restate(&|row| {
        row.status = ReportedStatus::Processed;
        row.amount_processed = dec!(13);
    });
    assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
    assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(3), dec!(987)));

    restate(&|row| row.currency = "EUR".parse().unwrap());
    assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
    let kinds: Vec<_> = bench.cases(&reference).await.into_iter().map(|c| (c.kind, c.closing)).collect();
    let superseded = || Some("superseded".to_owned());
    assert_eq!(
        kinds,
        [
            ("status_differs".to_owned(), superseded()),
            ("amount_differs".to_owned(), superseded()),
            ("currency_differs".to_owned(), None)
        ]
    );
    let report = bench.world.verify().await;
    assert!(report.is_clean(), "{report}");

    restate(&|row| {
        row.currency = "USD".parse().unwrap();
        row.amount_processed = dec!(10);
    });
    assert!(bench.run().await.counts.is_clean());
    assert_eq!((bench.booked("recoverable").await, bench.balance().await), (dec!(0), dec!(990)));
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_is_booked_once_and_a_second_one_is_a_case() {
    let bench = Bench::new().await;
    let id = bench.sent("returned", dec!(10), Says::Pays).await;
    let reference = bench.payout(id).await.provider_reference;
    let back = |amount: Decimal| {
        move |row: &mut ReportRow| {
            row.status = ReportedStatus::Returned;
            row.amount_returned = amount;
        }
    };
    bench.scripted.restates(&reference, back(dec!(4)));
    let counts = bench.run().await.counts;
    assert_eq!((counts.applied, counts.is_clean()), (1, true));
    let payout = bench.payout(id).await;
    assert_eq!((payout.status, payout.amount_returned), (PayoutStatus::Returned, dec!(4)));
    assert!(bench.run().await.counts.is_clean());

    bench.scripted.restates(&reference, back(dec!(9)));
    assert_eq!(waiting(bench.run().await.counts), (0, 0, 1));
    assert_eq!(bench.case(&reference).await.kind, "return_differs");
    assert_eq!(bench.entries("return").await, 1);
    bench.world.finish().await;
}

/// A request of two parts, of which one is at the provider and the other is planned.
async fn half_sent() -> (Bench, PayoutRequestId, Payout) {
    let bench = Bench::over(&[Lane { max: Some(dec!(60)), ..lane(CODE, dec!(1000)) }]).await;
    bench.scripted.next(CODE, &[Says::PaysLater]);
    let options = RequestOptions { split_mode: Some(SplitMode::Auto), ..RequestOptions::default() };
    let ask = NewRequest { options, ..bench.partner.sample_of(dec!(100), "split") };
    let id = bench.partner.make(&bench.world, ask).await.id;
    let reports = bench.world.send_due().await;
    bench.world.app.gateway.complete(&reports).await.unwrap();
    let payouts = payouts_of(&bench.world, &bench.partner, id).await;
    let planned = payouts.into_iter().find(|payout| payout.status == PayoutStatus::Created).unwrap();
    (bench, id, planned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_about_what_was_never_sent_is_a_case_and_no_late_success() {
    let (bench, id, planned) = half_sent().await;
    bench.world.app.gateway.cancel_request(&bench.partner.caller, id).await.unwrap();
    let paid = Outcome::Processed { amount: planned.amount, ids: ProviderIds::default() };
    bench.world.app.gateway.complete(&[bench.world.callback(&planned, paid)]).await.unwrap();
    let payouts = payouts_of(&bench.world, &bench.partner, id).await;
    let canceled = payouts.iter().find(|payout| payout.id == planned.id).unwrap();
    assert_eq!((canceled.status, canceled.sends), (PayoutStatus::Canceled, 0));
    let opened = "SELECT count(*) FROM staff_case WHERE kind = 'processed_unsent'";
    assert_eq!(bench.world.row(opened, &[]).await.get::<_, i64>(0), 1);
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_what_was_never_sent_stops_the_request() {
    let (bench, id, planned) = half_sent().await;
    bench.scripted.reports(CODE, bench.row(&planned.provider_reference, "ghost", planned.amount));

    let counts = bench.run().await.counts;
    assert_eq!((counts.applied, waiting(counts)), (1, (0, 0, 1)), "{counts:?}");
    let case = bench.case(&planned.provider_reference).await;
    assert_eq!(case.kind, "unsent_at_provider");
    let request = bench.partner.find(&bench.world, id).await;
    assert_eq!(request.moderation_reason.as_deref(), Some("unsent_at_provider"));
    bench.world.step().await;
    assert_eq!(bench.scripted.sends_to(CODE), 1, "nothing more is sent");
    let refused = bench.close(&case, CaseEnd::Explained).await;
    assert!(matches!(refused, Err(CaseRefusal::RequestWaits)), "{refused:?}");
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_breaks_off_changes_nothing_and_is_told() {
    let bench = Bench::new().await;
    for reference in ["a1", "a2", "a3"] {
        bench.scripted.reports(CODE, bench.row(reference, reference, dec!(1)));
    }
    bench.scripted.breaks_off_after(Some(1));
    bench.world.advance(7_200_000);
    let failed = bench.world.app.gateway.reconcile(&bench.wanted().await).await;
    assert!(matches!(&failed, Err(ReconcileError::Report(why)) if why.contains("connection reset")), "{failed:?}");
    assert_eq!(bench.entries("unmatched").await, 0);
    let run = bench.world.row("SELECT error, finished_at IS NOT NULL FROM reconciliation", &[]).await;
    assert!(run.get::<_, String>(0).contains("connection reset") && run.get::<_, bool>(1));

    bench.scripted.breaks_off_after(None);
    assert_eq!(waiting(bench.run().await.counts), (0, 3, 0));
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_compared_as_a_report_is() {
    let bench = Bench::new().await;
    let paid = bench.sent("paid", dec!(10), Says::PaysSilently).await;
    let gone = bench.sent("gone", dec!(20), Says::Pays).await;
    let (paid, gone) = (bench.payout(paid).await, bench.payout(gone).await);
    let taken_at = bench.now().to_rfc3339();
    bench.world.advance(7_200_000);
    // With what could be a card number for a reference, and one without any.
    let text = format!(
        "{}\n{},p1,processed,10.00,0,USD,{taken_at}\n4111 1111 1111 1111,p2,processed,3,0,USD,{taken_at}\n\
         ,p3,processed,4,0,USD,{taken_at}\n,p4,processed,5,0,USD,{taken_at}\n",
        file::COLUMNS.join(","),
        paid.provider_reference
    );
    let rows = file::read(text.as_bytes()).unwrap();
    let wanted = Wanted { rows: Some(rows), ..bench.wanted().await };
    for applied in [1, 0] {
        let counts = bench.world.app.gateway.reconcile(&wanted).await.unwrap().counts;
        assert_eq!((counts.applied, waiting(counts)), (applied, (1, 3, 0)), "{counts:?}");
    }
    assert_eq!(bench.case(&gone.provider_reference).await.kind, "missing_at_provider");
    assert_eq!((bench.entries("unmatched").await, bench.booked("recoverable").await), (3, dec!(12)));
    assert_eq!(bench.cases("-/p3").await.len(), 1);
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_are_one() {
    let bench = Bench::new().await;
    bench.sent("silent", dec!(10), Says::PaysSilently).await;
    bench.scripted.reports(CODE, bench.row("unknown", "x", dec!(5)));
    bench.world.advance(7_200_000);
    let wanted = bench.wanted().await;
    let gateway = &bench.world.app.gateway;
    let runs = futures_util::future::join_all((0..6).map(|_| gateway.reconcile(&wanted))).await;
    let done = runs.iter().filter(|run| run.is_ok()).count();
    assert!(done >= 1);
    for run in runs {
        assert!(matches!(run, Ok(_) | Err(ReconcileError::Busy)), "{run:?}");
    }
    assert_eq!((bench.entries("unmatched").await, bench.cases("unknown").await.len()), (1, 1));
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_anywhere_is_repeated_and_books_nothing_twice() {
    let bench = Bench::new().await;
    for n in 0..4 {
        bench.sent(&format!("silent {n}"), dec!(10), Says::PaysSilently).await;
        bench.scripted.reports(CODE, bench.row(&format!("unknown {n}"), &n.to_string(), dec!(5)));
    }
    bench.world.advance(7_200_000);
    let mut died = 0;
    for millis in (0..400).step_by(3) {
        let wanted = bench.wanted().await;
        let run = bench.world.app.gateway.reconcile(&wanted);
        if tokio::time::timeout(Duration::from_millis(millis), run).await.is_ok() {
            break;
        }
        died += 1;
        // Nobody takes over before its lease is over.
        bench.world.advance(240_000);
    }
    assert!(died > 0);
    let counts = bench.run().await.counts;
    assert_eq!((counts.agreed, waiting(counts)), (4, (0, 4, 0)), "{counts:?}");
    assert_eq!((bench.entries("unmatched").await, bench.booked("recoverable").await), (4, dec!(20)));
    assert_eq!(bench.balance().await, dec!(940));
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_run_is_under_way_no_other_begins() {
    let bench = Bench::new().await;
    bench.scripted.hangs(true);
    let wanted = bench.wanted().await;
    let run = bench.world.app.gateway.reconcile(&wanted);
    assert!(tokio::time::timeout(Duration::from_millis(300), run).await.is_err());
    let second = bench.world.app.gateway.reconcile(&wanted).await;
    assert!(matches!(second, Err(ReconcileError::Busy)), "{second:?}");
    bench.scripted.hangs(false);
    bench.world.advance(240_000);
    bench.world.app.gateway.reconcile(&wanted).await.unwrap();
    let ended = "SELECT count(*) FROM reconciliation WHERE error = 'broken off'";
    assert_eq!(bench.world.row(ended, &[]).await.get::<_, i64>(0), 1);
    bench.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_reconcile_by_themselves_and_go_on() {
    let bench = Bench::new().await;
    bench.scripted.reports(CODE, bench.row("unknown", "x", dec!(5)));
    bench.world.advance(7_200_000);
    let running = bench.world.start();
    eventually("a case is open", async || !bench.cases("unknown").await.is_empty()).await;
    let due = "SELECT run_at > now() + interval '1 hour' AND attempts = 0 FROM job WHERE kind = 'reconcile'";
    eventually("the next run waits for its time", async || bench.world.row(due, &[]).await.get(0)).await;
    running.stopped().await;
    bench.world.finish().await;
}
