//! Attacks on the engine: orders of events that nobody plans for, each ending in a check of every invariant.

use std::time::Duration;

use landfall::config::Settings;
use landfall::domain::ids::PayoutRequestId;
use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::balance_syncs::{Asked, SyncTask};
use landfall::gateway::complete::{Report, Source};
use landfall::gateway::requests::{NewRequest, RequestOptions};
use landfall::providers::provider::{Outcome, ProviderIds, ResendSafety};
use landfall::store::payouts::Payout;
use landfall::store::requests::PayoutRequest;
use rust_decimal::{Decimal, dec};

use crate::partner::{Partner, execute};
use crate::scripted::{Lane, Says, Scripted, by, lane, payouts_of, reserved, routed, routed_over};
use crate::world::World;

fn splits() -> RequestOptions {
    RequestOptions { split_mode: Some(SplitMode::Auto), attempts_limit: Some(10), ..RequestOptions::default() }
}

fn ask(partner: &Partner, amount: Decimal, name: &str, options: RequestOptions) -> NewRequest {
    NewRequest { options, ..partner.sample_of(amount, name) }
}

fn three() -> [Lane; 3] {
    [lane("a", dec!(100)), lane("b", dec!(100)), lane("c", dec!(100))]
}

async fn reserved_in_all(world: &World) -> i64 {
    world.test_db.count("SELECT COALESCE(sum(reserved * 100), 0)::bigint AS count FROM deposit_account").await
}

async fn steps(world: &World, count: usize) {
    for _ in 0..count {
        world.step().await;
    }
}

async fn read(world: &World, partner: &Partner, id: PayoutRequestId) -> (PayoutRequest, Vec<Payout>) {
    (partner.find(world, id).await, payouts_of(world, partner, id).await)
}

fn processed(amount: Decimal) -> Outcome {
    Outcome::Processed { amount, ids: ProviderIds::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_planned_is_given_back_when_one_part_pays_for_all() {
    let (world, scripted, partner) = routed(&three(), by("balance", &three())).await;
    scripted.next("a", &[Says::PaysOnly(dec!(250))]);
    scripted.next("b", &[Says::PaysOnly(dec!(250))]);
    scripted.next("c", &[Says::PaysOnly(dec!(250))]);
    let row = partner.make(&world, ask(&partner, dec!(250), "all-at-once", splits())).await;
    steps(&world, 3).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, scripted.paid()), (RequestStatus::Processed, dec!(250)));
    assert_eq!(payouts.iter().filter(|payout| payout.status == PayoutStatus::Canceled).count(), 2);
    assert_eq!(reserved_in_all(&world).await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_more_was_paid_than_asked_nothing_more_goes_out_until_a_person_looks() {
    let (world, scripted, partner) = routed(&three(), by("direct", &three())).await;
    scripted.next("a", &[Says::PaysOnly(dec!(120))]);
    let row = partner.make(&world, ask(&partner, dec!(250), "a-bit-more", splits())).await;
    steps(&world, 4).await;
    let (row, _) = read(&world, &partner, row.id).await;
    assert!(scripted.paid() <= dec!(250), "{}", scripted.paid());
    assert_eq!(row.moderation_reason.as_deref(), Some("processed_more_than_asked"));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_remainders_at_once_of_which_one_is_divided_get_parts_of_their_own() {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100)), lane("c", dec!(30))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::PaysOnly(dec!(40))]);
    scripted.next("b", &[Says::PaysOnly(dec!(50))]);
    let options = RequestOptions { parallel_mode: Some(true), ..splits() };
    let row = partner.make(&world, ask(&partner, dec!(200), "remainders", options)).await;
    steps(&world, 8).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    let seen: Vec<_> = payouts.iter().map(|p| (p.part, p.attempt, p.amount.normalize(), p.status)).collect();
    assert_eq!((row.status, scripted.paid()), (RequestStatus::Processed, dec!(200)), "{seen:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_is_found_after_all_ends_its_request() {
    let lanes = [lane("a", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::Loses]);
    let row = partner.make(&world, partner.sample_of(dec!(50), "found")).await;
    for _ in 0..10 {
        world.step().await;
        world.advance(20_000);
    }
    let (open, payouts) = read(&world, &partner, row.id).await;
    assert_eq!(open.moderation_reason.as_deref(), Some("not_found_at_provider"));
    world.app.gateway.complete(&[world.callback(&payouts[0], processed(dec!(50)))]).await.unwrap();
    let (row, _) = read(&world, &partner, row.id).await;
    assert_eq!(row.status, RequestStatus::Processed);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(99950), dec!(0)));
    world.finish().await;
}

fn resendable() -> std::sync::Arc<Scripted> {
    Scripted::that(|capabilities| {
        capabilities.resend = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_request_whose_payout_never_arrived_comes_to_a_person() {
    let lanes = [lane("a", dec!(100))];
    let scripted = resendable();
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |_| {}).await;
    scripted.always("a", Says::Loses);
    let row = partner.make(&world, partner.sample_of(dec!(50), "lost")).await;
    world.step().await;
    world.app.gateway.cancel_request(&partner.caller, row.id).await.unwrap();
    for _ in 0..30 {
        world.advance(61_000);
        world.step().await;
    }
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((payouts[0].status, payouts[0].sends), (PayoutStatus::Unknown, 1));
    assert_eq!(row.moderation_reason.as_deref(), Some("not_found_at_provider"));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_first_send_says_nothing_once_it_was_sent_again() {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100))];
    let scripted = resendable();
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |_| {}).await;
    let row = partner.make(&world, partner.sample_of(dec!(50), "stale")).await;
    let (tasks, _) = world.app.gateway.dispatch(10).await.unwrap();
    // Its answer hangs somewhere, for longer than the lease.
    let declined = Outcome::Declined {
        resolution: Resolution::DeclinedError,
        code: "declined".to_owned(),
        message: "late".to_owned(),
    };
    let stale = Report {
        source: Source::Send { epoch: tasks[0].epoch, sends: tasks[0].payout.sends },
        ..world.callback(&tasks[0].payout, declined)
    };
    let mut again = Vec::new();
    for _ in 0..20 {
        world.advance(61_000);
        let invokes = world.app.gateway.claim_invokes(10).await.unwrap();
        let mut reports = invokes.reports;
        again.extend(invokes.tasks);
        if !again.is_empty() {
            break;
        }
        for payout in world.app.gateway.claim_inquiries(10).await.unwrap() {
            reports.extend(world.app.gateway.inquire(&payout).await);
        }
        world.app.gateway.complete(&reports).await.unwrap();
    }
    assert_eq!((again.len(), again[0].payout.sends), (1, 2));
    let answer = world.app.gateway.send(&again[0]).await.unwrap();
    world.app.gateway.complete(&[stale]).await.unwrap();
    world.app.gateway.complete(&[answer]).await.unwrap();
    steps(&world, 3).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((payouts.len(), payouts[0].status), (1, PayoutStatus::Processed));
    assert_eq!((row.status, scripted.paid()), (RequestStatus::Processed, dec!(50)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_return_says_of_the_debit_does_not_rewrite_it() {
    let lanes = [Lane { currency: "EUR", ..lane("euros", dec!(1000)) }];
    let (world, _, partner) = routed(&lanes, by("balance", &lanes)).await;
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
    world.step().await;
    let (_, payouts) = read(&world, &partner, row.id).await;
    let ids = ProviderIds { debited: Some(dec!(45)), ..ProviderIds::default() };
    let back = Outcome::Returned { amount: dec!(50), ids };
    world.app.gateway.complete(&[world.callback(&payouts[0], back)]).await.unwrap();
    let (_, payouts) = read(&world, &partner, row.id).await;
    assert_eq!(payouts[0].placement.deposit_debited.normalize(), dec!(90));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_its_currency_does_not_have_is_not_believed_and_comes_to_a_person() {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[Says::PaysOnly(dec!(33.333))]);
    let row = partner.make(&world, partner.sample_of(dec!(50), "decimals")).await;
    for _ in 0..5 {
        world.step().await;
        world.advance(61_000);
    }
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, payouts.len(), payouts[0].status), (RequestStatus::Pending, 1, PayoutStatus::Unknown));
    let cases = "SELECT count(*) AS count FROM staff_case WHERE kind = 'processed_amount_unpayable'";
    assert_eq!((world.test_db.count(cases).await, reserved(&world, "a").await), (1, 5_000));
    // The truth, at last.
    world.app.gateway.complete(&[world.callback(&payouts[0], processed(dec!(33.33)))]).await.unwrap();
    steps(&world, 3).await;
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!((row.status, payouts[1].amount_processed.normalize()), (RequestStatus::Processed, dec!(16.67)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_parts_of_one_request_that_are_sent_again_together_leave_its_events_whole() {
    let lanes = [lane("a", dec!(100)), lane("b", dec!(100))];
    let scripted = resendable();
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |_| {}).await;
    scripted.next("a", &[Says::Loses]);
    scripted.next("b", &[Says::Loses]);
    let options = RequestOptions { parallel_mode: Some(true), ..splits() };
    let row = partner.make(&world, ask(&partner, dec!(200), "both-lost", options)).await;
    for _ in 0..12 {
        world.step().await;
        world.advance(61_000);
    }
    let (row, payouts) = read(&world, &partner, row.id).await;
    assert_eq!(payouts.iter().map(|payout| payout.sends).collect::<Vec<_>>(), [2, 2]);
    assert_eq!((row.status, scripted.paid()), (RequestStatus::Processed, dec!(200)));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_being_changed_is_waited_for_without_its_job_locked() {
    let lanes = [lane("a", dec!(100))];
    let (world, _, partner) = routed(&lanes, by("direct", &lanes)).await;
    let row = partner.make(&world, partner.sample_of(dec!(50), "changed")).await;
    let (mut client, driver) = world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    // Whoever changes a request locks it, and its jobs after it.
    let change = client.transaction().await.unwrap();
    let lock = format!("SELECT 1 FROM payout_request WHERE id = '{}' FOR UPDATE", row.id.0);
    change.batch_execute(&lock).await.unwrap();
    let gateway = std::sync::Arc::clone(&world.app.gateway);
    let dispatch = tokio::spawn(async move { gateway.dispatch(10).await.unwrap() });
    crate::world::eventually("dispatch waits for the request", async || {
        let waiting = "SELECT count(*) AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        world.test_db.count(waiting).await == 1
    })
    .await;
    let of_job =
        format!("SET LOCAL lock_timeout = 500; UPDATE job SET run_at = run_at WHERE subject_id = '{}'", row.id.0);
    change.batch_execute(&of_job).await.unwrap();
    change.commit().await.unwrap();
    let (tasks, _) = dispatch.await.unwrap();
    assert_eq!(tasks.len(), 1);
    driver.abort();
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_written_does_not_keep_the_others_of_its_batch() {
    let lanes = [lane("a", dec!(1000))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    let mut ids = Vec::new();
    for n in 0..3_usize {
        let options = RequestOptions { auto_process: Some(false), ..RequestOptions::default() };
        ids.push(partner.make(&world, ask(&partner, dec!(50), &format!("batch-{n}"), options)).await.id);
        world.app.gateway.process_request(&partner.caller, ids[n]).await.unwrap();
    }
    // Its next event's number is taken.
    let of_first = format!("WHERE id = '{}'", ids[0].0);
    execute(&world, &format!("UPDATE payout_request SET event_seq = event_seq - 1 {of_first}")).await;
    world.step().await;
    assert_eq!(scripted.paid(), dec!(100));
    execute(&world, &format!("UPDATE payout_request SET event_seq = event_seq + 1 {of_first}")).await;
    world.advance(61_000);
    steps(&world, 2).await;
    for id in ids {
        assert_eq!(partner.find(&world, id).await.status, RequestStatus::Processed);
    }
    assert_eq!(scripted.paid(), dec!(150));
    world.finish().await;
}

/// Drawn numbers, the same for the same seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// Cents between two whole amounts.
    fn amount(&mut self, from: usize, to: usize) -> Decimal {
        let whole = self.percent(60);
        let cents = from * 100 + self.below((to - from) * 100);
        let cents = if whole { cents / 1_000 * 1_000 + 1_000 } else { cents };
        Decimal::new(i64::try_from(cents).unwrap(), 2)
    }
}

const CODES: [&str; 5] = ["a", "b", "c", "d", "e"];

struct Storm {
    world: World,
    scripted: std::sync::Arc<Scripted>,
    partner: Partner,
    draw: Draw,
    asked: Vec<PayoutRequestId>,
    tasks: Vec<landfall::gateway::invoke::SendTask>,
    /// What was said and may be told again.
    reports: Vec<Report>,
    /// Balances that were asked for and not written yet.
    balances: Vec<(SyncTask, Asked)>,
}

impl Storm {
    async fn begin(seed: u64) -> Self {
        let mut draw = Draw(seed);
        let count = 2 + draw.below(4);
        let lanes: Vec<Lane> = CODES[..count]
            .iter()
            .map(|code| Lane {
                min: draw.percent(30).then(|| draw.amount(1, 30)),
                max: draw.percent(40).then(|| draw.amount(40, 150)),
                weight: 1 + u32::try_from(draw.below(5)).unwrap(),
                cost_percent: draw.of(&[dec!(0), dec!(0), dec!(1), dec!(0.5)]),
                ..lane(code, draw.amount(20, 250))
            })
            .collect();
        let strategy = draw.of(&["direct", "balance", "weight", "optimal", "cost", "conversion"]);
        let scripted = if draw.percent(50) { resendable() } else { Scripted::new() };
        let synced: Vec<&str> = lanes.iter().map(|lane| lane.code).filter(|_| draw.percent(25)).collect();
        let calls_max = draw.of(&[1, 2, 256, 256]);
        let change = |settings: &mut Settings| {
            settings.worker.account_calls_max = calls_max;
            settings.gateway.balance_sync_secs = 10;
            for account in settings.gateway.provider_accounts.iter_mut().filter(|a| synced.contains(&a.code.as_str())) {
                let lane = lanes.iter().find(|lane| lane.code == account.code).unwrap();
                account.settings.insert("balance".to_owned(), lane.balance.to_string());
            }
        };
        let (world, partner) = routed_over(&scripted, &lanes, by(strategy, &lanes), change).await;
        for task in world.app.gateway.claim_syncs(10).await.unwrap() {
            world.app.gateway.sync(&task).await.unwrap();
        }
        for lane in &lanes {
            let is_calm = draw.percent(40);
            let says: Vec<Says> = (0..12)
                .map(|_| {
                    let kind = if is_calm { draw.below(3) } else { draw.below(16) };
                    match kind {
                        0..3 => Says::Pays,
                        3 | 4 => Says::PaysOnly(draw.amount(1, 60)),
                        5 | 6 => Says::DeclinesRoute,
                        7 => Says::LacksFunds,
                        8 => Says::NotSent,
                        9 | 10 => Says::PaysSilently,
                        11 => Says::PaysLater,
                        12 => Says::DeclinesLater,
                        13 => Says::LiesAndPays,
                        14 => Says::Loses,
                        _ if draw.percent(20) => Says::DeclinesCard,
                        _ => Says::Pays,
                    }
                })
                .collect();
            scripted.next(lane.code, &says);
            scripted.always(lane.code, draw.of(&[Says::Pays, Says::Pays, Says::DeclinesRoute]));
        }
        Self {
            world,
            scripted,
            partner,
            draw,
            asked: Vec::new(),
            tasks: Vec::new(),
            reports: Vec::new(),
            balances: Vec::new(),
        }
    }

    async fn ask_one(&mut self) {
        let draw = &mut self.draw;
        let in_secs = draw.below(600);
        let options = RequestOptions {
            attempts_limit: Some(u16::try_from(1 + draw.below(6)).unwrap()),
            attempts_per_route_limit: Some(u16::try_from(1 + draw.below(2)).unwrap()),
            allow_partially: Some(draw.percent(50)),
            split_mode: Some(draw.of(&[SplitMode::Auto, SplitMode::Auto, SplitMode::Always, SplitMode::Never])),
            parallel_mode: Some(draw.percent(50)),
            expires_at: draw
                .percent(20)
                .then(|| self.world.app.clock.now() + chrono::TimeDelta::seconds(i64::try_from(60 + in_secs).unwrap())),
            ..RequestOptions::default()
        };
        let amount = draw.amount(1, 300);
        let name = format!("storm-{}", self.asked.len());
        let new = ask(&self.partner, amount, &name, options);
        self.asked.push(self.partner.make(&self.world, new).await.id);
    }

    async fn payouts(&self) -> Vec<Payout> {
        let mut all = Vec::new();
        for id in &self.asked {
            all.extend(payouts_of(&self.world, &self.partner, *id).await);
        }
        all
    }

    /// Something that a provider may say of a payout at any time, true to what it did.
    async fn hearsay(&mut self) {
        let payouts = self.payouts().await;
        if payouts.is_empty() {
            return;
        }
        let payout = self.draw.of(&payouts);
        if payout.sends == 0 {
            return;
        }
        let outcome = match self.scripted.paid_for(&payout.provider_reference) {
            Some(amount) if payout.status == PayoutStatus::Processed && self.draw.percent(30) => {
                let share = self.draw.of(&[dec!(1), dec!(0.5)]);
                Outcome::Returned { amount: (amount * share).round_dp(2).max(dec!(0.01)), ids: ProviderIds::default() }
            }
            Some(amount) => processed(amount),
            None => self.draw.of(&[Outcome::unknown("who knows"), Outcome::NotFound, Outcome::not_sent("no")]),
        };
        let report = self.world.callback(&payout, outcome);
        self.reports.push(report);
    }

    async fn act(&mut self) {
        let gateway = std::sync::Arc::clone(&self.world.app.gateway);
        match self.draw.below(18) {
            16 => {
                for task in gateway.claim_syncs(2).await.unwrap() {
                    let asked = gateway.ask_balance(&task).await.unwrap();
                    self.balances.push((task, asked));
                }
            }
            17 if !self.balances.is_empty() => {
                let index = self.draw.below(self.balances.len());
                let (task, asked) = self.balances.swap_remove(index);
                gateway.write_balance(&task, &asked).await.unwrap();
            }
            0 | 1 => {
                let sizes = [1 + self.draw.below(3), 1 + self.draw.below(3)];
                let (one, two) = tokio::join!(gateway.dispatch(sizes[0]), gateway.dispatch(sizes[1]));
                self.tasks.extend(one.unwrap().0);
                self.tasks.extend(two.unwrap().0);
            }
            2..6 if !self.tasks.is_empty() => {
                let index = self.draw.below(self.tasks.len());
                let task = self.tasks.swap_remove(index);
                // Now and then its process dies.
                if !self.draw.percent(8) {
                    self.reports.extend(gateway.send(&task).await);
                }
            }
            6..10 if !self.reports.is_empty() => {
                let mut batches = [Vec::new(), Vec::new()];
                for n in 0..1 + self.draw.below(4) {
                    let index = self.draw.below(self.reports.len());
                    batches[n % 2].push(self.reports[index].clone());
                    if self.draw.percent(75) {
                        self.reports.swap_remove(index);
                        if self.reports.is_empty() {
                            break;
                        }
                    }
                }
                let (one, two) = tokio::join!(gateway.complete(&batches[0]), gateway.complete(&batches[1]));
                one.unwrap();
                two.unwrap();
            }
            10 => {
                let invokes = gateway.claim_invokes(5).await.unwrap();
                self.tasks.extend(invokes.tasks);
                self.reports.extend(invokes.reports);
            }
            11 => {
                for payout in gateway.claim_inquiries(5).await.unwrap() {
                    self.reports.extend(gateway.inquire(&payout).await);
                }
            }
            12 => {
                let millis = self.draw.of(&[500, 3_000, 20_000, 61_000]);
                self.world.advance(millis);
            }
            13 => self.hearsay().await,
            14 if !self.asked.is_empty() && self.draw.percent(30) => {
                let id = self.draw.of(&self.asked);
                // What is over is refused.
                let _ = gateway.cancel_request(&self.partner.caller, id).await;
            }
            15 => {
                gateway.expire_requests().await.unwrap();
            }
            _ => {}
        }
    }

    async fn calm_down(&mut self) {
        let gateway = std::sync::Arc::clone(&self.world.app.gateway);
        for _ in 0..60 {
            for task in std::mem::take(&mut self.tasks) {
                self.reports.extend(gateway.send(&task).await);
            }
            gateway.complete(&std::mem::take(&mut self.reports)).await.unwrap();
            gateway.expire_requests().await.unwrap();
            self.world.step().await;
            let open = "SELECT (SELECT count(*) FROM payout WHERE final_at IS NULL) + (SELECT count(*) FROM payout_request WHERE final_at \
                        IS NULL AND moderation_reason IS NULL) AS count";
            if self.world.test_db.count(open).await == 0 {
                break;
            }
            self.world.advance(120_000);
        }
        // The truth about what a provider paid and denied.
        for payout in self.payouts().await {
            if let (PayoutStatus::Failed | PayoutStatus::Canceled, Some(amount)) =
                (payout.status, self.scripted.paid_for(&payout.provider_reference))
            {
                gateway.complete(&[self.world.callback(&payout, processed(amount))]).await.unwrap();
            }
        }
        for _ in 0..2 {
            self.world.step().await;
            self.world.advance(120_000);
            for task in gateway.claim_syncs(10).await.unwrap() {
                gateway.sync(&task).await.unwrap();
            }
        }
    }

    async fn judge(self, seed: u64) {
        let Self { world, scripted, partner, asked, .. } = self;
        let (mut paid, mut spent, mut held) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        let mut reserved_left = Decimal::ZERO;
        for id in &asked {
            let (row, payouts) = read(&world, &partner, *id).await;
            let told: Vec<_> = payouts
                .iter()
                .map(|p| {
                    (
                        p.part,
                        p.attempt,
                        p.placement.parent_part,
                        p.amount.normalize(),
                        p.amount_processed.normalize(),
                        p.status,
                    )
                })
                .collect();
            let what = format!(
                "seed {seed}, {id} {} of {} {:?} stop {:?} {told:?}",
                row.status, row.amount, row.moderation_reason, row.stop_requested
            );
            assert!(row.status.is_final() || row.moderation_reason.is_some(), "{what}");
            let mut covered = Decimal::ZERO;
            for payout in &payouts {
                let truth = scripted.paid_for(&payout.provider_reference).unwrap_or_default();
                assert_eq!(payout.amount_processed, truth, "{what}");
                paid += truth;
                match payout.status {
                    PayoutStatus::Processed | PayoutStatus::Returned => covered += truth.min(payout.amount),
                    PayoutStatus::Created | PayoutStatus::Unknown => {
                        assert!(row.moderation_reason.is_some(), "{what}");
                        reserved_left += payout.amount_reserved;
                    }
                    PayoutStatus::Failed | PayoutStatus::Canceled | PayoutStatus::LateProcessed => {}
                    PayoutStatus::Invoking | PayoutStatus::Pending => panic!("{what}"),
                }
                if payout.status != PayoutStatus::Created && payout.status != PayoutStatus::Unknown {
                    assert_eq!(payout.amount_reserved, Decimal::ZERO, "{what}");
                }
            }
            assert!(covered <= row.amount, "{what}");
            for payout in &payouts {
                // What was paid beyond the request was never charged, and what comes back of it isn't given back.
                let Some(from) = payout.placement.settled_from else { continue };
                let charged = (from + payout.amount_processed).min(row.amount) - from.min(row.amount);
                spent += charged - payout.amount_returned.min(charged);
            }
            if !row.status.is_final() {
                held += row.amount - row.amount_processed.min(row.amount);
            }
        }
        assert_eq!(paid, scripted.paid(), "seed {seed}");
        let (available, held_now) = partner.funds(&world, "USD").await;
        assert_eq!(held_now, held.normalize(), "seed {seed}");
        assert_eq!(available + held, dec!(100000) - spent, "seed {seed}");
        assert_eq!(Decimal::new(reserved_in_all(&world).await, 2), reserved_left, "seed {seed}");
        let report = world.verify().await;
        assert!(report.is_clean(), "seed {seed}: {report}");
    }
}

async fn storm(seed: u64) {
    let mut storm = Storm::begin(seed).await;
    storm.ask_one().await;
    for _ in 0..120 {
        if storm.asked.len() < 6 && storm.draw.percent(8) {
            storm.ask_one().await;
        }
        storm.act().await;
    }
    storm.calm_down().await;
    storm.judge(seed).await;
}

/// `STORMS=from..to` runs other seeds than the few of the suite.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_in_whatever_order_the_money_adds_up() {
    let seeds = std::env::var("STORMS").unwrap_or_else(|_| "0..6".to_owned());
    let (from, to) = seeds.split_once("..").unwrap();
    let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
    let mut failed = Vec::new();
    for seed in from..to {
        if let Err(error) = tokio::spawn(storm(seed)).await {
            failed.push((seed, error.to_string()));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}
