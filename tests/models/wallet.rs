//! Users' and a partner's operations on a real PostgreSQL, predicted one by one by plain sums: who has what, what is held and reserved,
//! where each request stands, and what is paid to each card.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use landfall::config::Settings;
use landfall::config::gateway::DepositAccountSeed;
use landfall::domain::card::CardScheme;
use landfall::domain::exact;
use landfall::domain::ids::{CardId, OfferId, PayoutRequestId};
use landfall::domain::payout::{PayoutStatus, Resolution};
use landfall::domain::payout_request::{RequestStatus, SplitMode};
use landfall::gateway::complete::{Report, Source};
use landfall::gateway::requests::RequestOptions;
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::{self, Payout};
use landfall::store::requests::{self, PayoutRequest};
use landfall::wallet::User;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::offers::OfferInput;
use proptest::test_runner::TestRunner;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use rust_decimal::{Decimal, dec};
use serde_json::json;

use crate::config;
use crate::partner::Partner;
use crate::reference::{Heard, Model, Offer, Operation, PEOPLE, Payer, Phase, Request, Sums};
use crate::scripted::{Lane, Scripted, by, lane, routed_over};
use crate::world::{PAID, World};

/// Settings under which cards are paid over two lanes too, one after the other.
pub fn with_card_lanes(settings: &mut Settings) {
    let gateway = &mut settings.gateway;
    gateway.attempts_limit = 2;
    gateway.breaker.calls_min = 1_000_000;
    let model = gateway.routes.iter().find(|route| route.service == "card_eur").unwrap().clone();
    gateway.routes.retain(|route| route.service != "card_eur");
    for (lane, position) in ["a", "b"].into_iter().zip(1..) {
        let code = format!("{lane}-eur");
        gateway.deposit_accounts.push(DepositAccountSeed {
            code: code.clone(),
            provider_account: lane.to_owned(),
            currency: "EUR".parse().unwrap(),
            initial_balance: Some("10000000".to_owned()),
        });
        let mut route = model.clone();
        (route.code, route.deposit_account, route.position) = (code.clone(), code, position);
        (route.amount_min, route.amount_max) = (None, None);
        (route.cost_percent, route.cost_fixed) = ("0".to_owned(), "0".to_owned());
        gateway.routes.push(route);
    }
}

pub fn lanes() -> [Lane; 2] {
    [lane("a", dec!(10000000)), lane("b", dec!(10000000))]
}

/// A provider that takes every card.
pub fn provider() -> Arc<Scripted> {
    Scripted::that(|capabilities| capabilities.card_schemes = CardScheme::ALL.to_vec())
}

pub fn scheme(lanes: &[Lane]) -> serde_json::Value {
    let mut body = by("direct", lanes);
    body["services"]["card_eur"] = json!({"strategies": [{"strategy": "direct", "routes": ["a-eur", "b-eur"]}]});
    body
}

/// What all cases of a process stand on. Each brings its own users and requests.
struct Ground {
    runtime: tokio::runtime::Runtime,
    world: World,
    partner: Partner,
    cases: RefCell<usize>,
    /// What the latest case asked for.
    asked: RefCell<Vec<PayoutRequestId>>,
}

thread_local! {
    static GROUND: RefCell<Option<Rc<Ground>>> = const { RefCell::new(None) };
}

impl Ground {
    fn begin() -> Rc<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (world, partner) = runtime.block_on(async {
            let scripted = provider();
            let (world, partner) = routed_over(&scripted, &lanes(), scheme(&lanes()), with_card_lanes).await;
            partner.credit(&world, "USD", dec!(10000000)).await;
            (world, partner)
        });
        Rc::new(Self { runtime, world, partner, cases: RefCell::new(0), asked: RefCell::default() })
    }

    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// Leaves nothing of a case, done or failed, that would go on in the next.
    async fn sweep(&self) {
        let (gateway, partner) = (&self.world.app.gateway, &self.partner);
        let asked = self.asked.take();
        for id in &asked {
            // What is over is refused.
            let _ = gateway.cancel_request(&partner.caller, *id).await;
        }
        let keys: Vec<_> = asked.iter().map(|id| (partner.tenant(), *id)).collect();
        let payouts = {
            let conn = self.world.app.db.get().await.unwrap();
            payouts::of_requests(&conn, &keys).await.unwrap()
        };
        let refused = |payout: &Payout| {
            let (resolution, code, message) = (Resolution::CardRestricted, "no".to_owned(), "model".to_owned());
            self.world.callback(payout, Outcome::Declined { resolution, code, message })
        };
        let open: Vec<Report> = payouts.iter().filter(|payout| payout.status.is_open()).map(refused).collect();
        gateway.complete(&open).await.unwrap();
    }

    async fn reserved(&self) -> BTreeMap<String, Decimal> {
        let mut reserved = BTreeMap::new();
        for lane in ["a", "b", "a-eur", "b-eur"] {
            let sql = format!("SELECT (reserved * 100)::bigint AS count FROM deposit_account WHERE code = '{lane}'");
            reserved.insert(lane.to_owned(), Decimal::new(self.world.test_db.count(&sql).await, 2));
        }
        reserved
    }
}

/// A case's own.
struct Case {
    ground: Rc<Ground>,
    number: usize,
    people: Vec<(User, CardId)>,
    offers: Vec<OfferId>,
    requests: Vec<PayoutRequestId>,
    credits: usize,
    /// The partner's balances and the lanes' reservations when it began.
    funds: (Decimal, Decimal),
    reserved: BTreeMap<String, Decimal>,
}

fn cents(count: i128) -> Decimal {
    exact::from_units(count, 2).unwrap()
}

fn units(count: i128) -> Decimal {
    exact::from_units(count, 8).unwrap()
}

impl Case {
    async fn rows(&self) -> Vec<(PayoutRequest, Vec<Payout>)> {
        let (world, tenant) = (&self.ground.world, self.ground.partner.tenant());
        let conn = world.app.db.get().await.unwrap();
        let keys: Vec<_> = self.requests.iter().map(|id| (tenant, *id)).collect();
        let rows = requests::lock(&conn, &keys).await.unwrap();
        let payouts = payouts::of_requests(&conn, &keys).await.unwrap();
        let find = |id: &PayoutRequestId| {
            let own: Vec<Payout> = payouts.iter().filter(|payout| payout.request_id == *id).cloned().collect();
            (rows.iter().find(|row| row.id == *id).unwrap().clone(), own)
        };
        self.requests.iter().map(find).collect()
    }

    fn input(amount_to: i128) -> OfferInput {
        OfferInput {
            amount: None,
            amount_to: Some(cents(amount_to).to_string()),
            currency_from: "USDT".to_owned(),
            currency_to: "EUR".to_owned(),
        }
    }

    fn made(&mut self, id: PayoutRequestId) {
        self.requests.push(id);
        self.ground.asked.borrow_mut().push(id);
    }

    async fn operate(&mut self, sums: &Sums, operation: Operation) {
        let ground = Rc::clone(&self.ground);
        let (world, partner) = (&ground.world, &ground.partner);
        let gateway = &world.app.gateway;
        match operation {
            Operation::Credit { who, cents: amount } => {
                self.credits += 1;
                let reference = format!("model-{}-{}", self.number, self.credits);
                let amount = cents(amount).to_string();
                // Told twice, credited once.
                for _ in 0..2 {
                    world.app.wallet.credit(&self.people[who].0, "USDT", &amount, &reference).await.unwrap();
                }
            }
            Operation::Quote { who, cents } => {
                world.quote_rates();
                let (user, card) = &self.people[who];
                let offer = world.app.wallet.create_offer(user, Self::input(cents), *card).await.unwrap();
                assert_eq!(offer.total_from, units(sums.offers[self.offers.len()].terms.total()));
                self.offers.push(offer.id);
            }
            Operation::Reprice { offer, cents } => {
                world.quote_rates();
                let user = &self.people[sums.offers[offer].who].0;
                let updated = world.app.wallet.update_offer(user, self.offers[offer], Self::input(cents)).await;
                assert_eq!(updated.is_ok(), sums.accepted, "{:?}", updated.err());
            }
            Operation::Pay { offer, is_stale } => {
                let Offer { who, version, .. } = sums.offers[offer];
                let pay = Pay {
                    user: self.people[who].0.clone(),
                    offer_id: self.offers[offer],
                    seen_version: Some(if is_stale { version + 1 } else { version }),
                    request_id: PayoutRequestId::new(),
                };
                let answer = world.app.wallet.accept(std::slice::from_ref(&pay)).await.unwrap().remove(0);
                assert_eq!(matches!(answer, Answer::Accepted(_)), sums.accepted, "{answer:?}");
                if let Answer::Accepted(id) = answer {
                    self.made(id);
                    // Once more: it was accepted before.
                    let again = world.app.wallet.accept(&[pay]).await.unwrap().remove(0);
                    assert!(matches!(again, Answer::Before(_)), "{again:?}");
                }
            }
            Operation::Tick { secs } => world.advance(secs * 1_000),
            Operation::Ask { cents: amount, partly, at_once } => {
                let options = RequestOptions {
                    attempts_limit: Some(2),
                    attempts_per_route_limit: Some(1),
                    allow_partially: Some(partly),
                    auto_process: Some(at_once),
                    split_mode: Some(SplitMode::Never),
                    ..RequestOptions::default()
                };
                let reference = format!("model-{}-{}", self.number, self.requests.len());
                let mut ask = partner.sample_of(cents(amount), &reference);
                ask.options = options;
                self.made(partner.make(world, ask).await.id);
            }
            // What is over is refused, which its state shows.
            Operation::Process { request } => {
                let _ = gateway.process_request(&partner.caller, self.requests[request]).await;
            }
            Operation::Cancel { request } => {
                let _ = gateway.cancel_request(&partner.caller, self.requests[request]).await;
            }
            Operation::Expire { request } => self.expire(request).await,
            Operation::Dispatch => while gateway.dispatch(50).await.unwrap().1 > 0 {},
            Operation::Hear { request, attempt, heard } => self.hear(request, attempt, heard).await,
        }
    }

    async fn expire(&self, request: usize) {
        let world = &self.ground.world;
        let (now, id) = (world.app.clock.now().to_rfc3339(), self.requests[request].0);
        let sql = format!("UPDATE payout_request SET expires_at = '{now}' WHERE id = '{id}' AND final_at IS NULL");
        crate::partner::execute(world, &sql).await;
        world.app.gateway.expire_requests().await.unwrap();
    }

    async fn hear(&self, request: usize, attempt: usize, heard: Heard) {
        let gateway = &self.ground.world.app.gateway;
        let (_, payouts) = self.rows().await.swap_remove(request);
        let payout = &payouts[attempt];
        let ids = ProviderIds::default();
        let declined =
            |resolution| Outcome::Declined { resolution, code: "no".to_owned(), message: "model".to_owned() };
        let half = (payout.amount / dec!(2)).trunc_with_scale(2).max(dec!(0.01));
        let outcome = match heard {
            Heard::Paid => Outcome::Processed { amount: payout.amount, ids },
            Heard::PaidHalf => Outcome::Processed { amount: half, ids },
            Heard::PaidMore => Outcome::Processed { amount: payout.amount + dec!(1), ids },
            Heard::DeclinedForRoute => declined(Resolution::DeclinedError),
            Heard::DeclinedForCard => declined(Resolution::CardRestricted),
            Heard::Pending => Outcome::Pending { ids },
            Heard::Silence => Outcome::unknown("model"),
            Heard::Returned => {
                let paid = payout.amount_processed;
                Outcome::Returned { amount: if paid.is_zero() { payout.amount } else { paid }, ids }
            }
        };
        let report = Report {
            tenant: payout.tenant(),
            request_id: payout.request_id,
            payout_id: payout.id,
            source: Source::Callback,
            outcome,
        };
        // Told twice, believed once.
        gateway.complete(&[report.clone(), report]).await.unwrap();
    }

    /// Everything there is, against what was predicted.
    async fn compare(&self, sums: &Sums) {
        let world = &self.ground.world;
        for ((user, _), purse) in self.people.iter().zip(&sums.people) {
            let expected = (units(purse.available).normalize(), units(purse.held).normalize());
            assert_eq!(world.balance(user).await, expected, "{user:?}");
        }
        let (available, held) = self.ground.partner.funds(world, "USD").await;
        let moved = (available - self.funds.0, held - self.funds.1);
        assert_eq!(moved, (cents(sums.partner.available), cents(sums.partner.held)), "the partner");
        let mut reserved = self.reserved.clone();
        for ((row, payouts), request) in self.rows().await.iter().zip(&sums.requests) {
            assert_eq!(
                (row.status, row.moderation_reason.is_some()),
                (status(request), request.is_moderated),
                "{request:?}"
            );
            assert_eq!(payouts.len(), request.tries.len(), "{request:?}");
            let lanes = if request.payer == Payer::Partner { ["a", "b"] } else { ["a-eur", "b-eur"] };
            for ((payout, attempt), lane) in payouts.iter().zip(&request.tries).zip(lanes) {
                let told = (payout.amount, payout.amount_processed, payout.amount_returned);
                assert_eq!(told, (cents(attempt.cents), cents(attempt.paid), cents(attempt.back)), "{request:?}");
                assert_eq!(payout.status.is_open(), attempt.is_open(), "{request:?}");
                assert_eq!(payout.status == PayoutStatus::LateProcessed, attempt.is_late(), "{request:?}");
                if attempt.is_open() {
                    *reserved.get_mut(lane).unwrap() += cents(attempt.cents);
                }
            }
        }
        assert_eq!(self.ground.reserved().await, reserved);
    }
}

fn status(request: &Request) -> RequestStatus {
    match request.phase {
        Phase::Ready => RequestStatus::Ready,
        Phase::Dispatching => RequestStatus::Dispatching,
        Phase::Pending => RequestStatus::Pending,
        Phase::Processed => RequestStatus::Processed,
        Phase::PartiallyProcessed => RequestStatus::PartiallyProcessed,
        Phase::Failed => RequestStatus::Failed,
        Phase::Expired => RequestStatus::Expired,
        Phase::Canceled => RequestStatus::Canceled,
        Phase::Returned => RequestStatus::Returned,
    }
}

struct WalletTest;

impl StateMachineTest for WalletTest {
    type SystemUnderTest = Case;
    type Reference = Model;

    fn init_test(_: &Sums) -> Case {
        let ground = GROUND.with_borrow(|ground| ground.clone().unwrap());
        let number = ground.cases.replace_with(|number| *number + 1);
        let (people, funds, reserved) = ground.wait(async {
            ground.sweep().await;
            let mut people = Vec::new();
            for who in 0..PEOPLE {
                let user = ground.world.user(&format!("model-{number}-{who}")).await;
                let card = ground.world.card(&user, PAID).await;
                people.push((user, card));
            }
            (people, ground.partner.funds(&ground.world, "USD").await, ground.reserved().await)
        });
        let (offers, requests) = (Vec::new(), Vec::new());
        Case { ground, number, people, offers, requests, credits: 0, funds, reserved }
    }

    fn apply(mut case: Case, sums: &Sums, operation: Operation) -> Case {
        let ground = Rc::clone(&case.ground);
        ground.wait(case.operate(sums, operation));
        case
    }

    fn check_invariants(case: &Case, sums: &Sums) {
        case.ground.wait(case.compare(sums));
    }

    fn teardown(case: Case, _: Sums) {
        case.ground.wait(async {
            case.ground.sweep().await;
            let report = case.ground.world.verify().await;
            assert!(report.is_clean(), "{report}");
        });
    }
}

#[test]
fn the_wallet_and_the_gateway_do_what_plain_sums_predict() {
    let ground = Ground::begin();
    GROUND.set(Some(Rc::clone(&ground)));
    let config = config(8);
    let outcome =
        TestRunner::new(config.clone()).run(&Model::sequential_strategy(20..50), |(sums, operations, counter)| {
            WalletTest::test_sequential(config.clone(), sums, operations, counter);
            Ok(())
        });
    GROUND.set(None);
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let Ground { runtime, world, .. } = Rc::into_inner(ground).unwrap();
    runtime.block_on(world.finish());
}
