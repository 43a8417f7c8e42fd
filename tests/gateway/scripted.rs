//! A provider that answers by a script, with a ledger of its own of what it paid; and a world whose `test_usd` goes over lanes of
//! it: each a route to a deposit account at a provider account of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use landfall::config::Settings;
use landfall::config::gateway::{DepositAccountSeed, ProviderAccountSeed, SchemeSeed};
use landfall::domain::asset::AssetCode;
use landfall::domain::ids::{Mode, PayoutRequestId};
use landfall::domain::payout::Resolution;
use landfall::providers::provider::{
    AccountContext, CallbackError, Capabilities, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    ProviderIds, ReportedOutcome, ResendSafety,
};
use landfall::store::events::Event;
use landfall::store::payouts::{self, Payout};
use rust_decimal::{Decimal, dec};
use serde_json::Value;

use crate::partner::Partner;
use crate::world::World;

/// What a lane's provider does with a send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says {
    Pays,
    /// Less than was asked.
    PaysOnly(Decimal),
    DeclinesRoute,
    DeclinesCard,
    /// Our balance there doesn't suffice.
    LacksFunds,
    /// Not one byte left.
    NotSent,
    /// Takes it and pays, and no answer comes.
    PaysSilently,
    /// Takes it, pays, and tells so when it is asked.
    PaysLater,
    /// Takes it, and declines for the route when it is asked.
    DeclinesLater,
    /// Says that it declines, and pays.
    LiesAndPays,
    /// Never gets it, and nobody can tell.
    Loses,
}

#[derive(Default)]
struct Script {
    next: HashMap<String, VecDeque<Says>>,
    always: HashMap<String, Says>,
    /// By reference: the lane and the amount.
    paid: BTreeMap<String, (String, Decimal)>,
    declined: BTreeSet<String>,
    sends: HashMap<String, usize>,
}

pub struct Scripted {
    capabilities: Capabilities,
    script: Mutex<Script>,
}

impl Scripted {
    pub fn new() -> Arc<Self> {
        Self::that(|_| {})
    }

    pub fn that(change: impl FnOnce(&mut Capabilities)) -> Arc<Self> {
        let mut capabilities = Capabilities {
            resend: ResendSafety::Never,
            reference_length_max: 36,
            reference_alphabet: "abcdefghijklmnopqrstuvwxyz0123456789_-",
            settling_time: Duration::from_secs(1),
            not_found_confirmations: 2,
            send_timeout: Duration::from_secs(2),
            currencies: ["USD", "EUR"].map(|code| code.parse().unwrap()).to_vec(),
            card_schemes: Vec::new(),
            fast_funds: true,
            has_balance: false,
            posting_lag: Duration::ZERO,
            has_callbacks: false,
        };
        change(&mut capabilities);
        Arc::new(Self { capabilities, script: Mutex::default() })
    }

    /// What a lane does from now on, once each, before what it always does.
    pub fn next(&self, lane: &str, says: &[Says]) {
        self.script.lock().unwrap().next.entry(lane.to_owned()).or_default().extend(says);
    }

    pub fn always(&self, lane: &str, says: Says) {
        self.script.lock().unwrap().always.insert(lane.to_owned(), says);
    }

    /// What a lane paid out, by its own ledger.
    pub fn paid_by(&self, lane: &str) -> Decimal {
        let script = self.script.lock().unwrap();
        script.paid.values().filter(|(of, _)| of == lane).map(|(_, amount)| *amount).sum()
    }

    pub fn paid(&self) -> Decimal {
        self.script.lock().unwrap().paid.values().map(|(_, amount)| *amount).sum()
    }

    /// What it paid under one of our references.
    pub fn paid_for(&self, reference: &str) -> Option<Decimal> {
        self.script.lock().unwrap().paid.get(reference).map(|(_, amount)| *amount)
    }

    pub fn sends_to(&self, lane: &str) -> usize {
        self.script.lock().unwrap().sends.get(lane).copied().unwrap_or(0)
    }
}

fn processed(amount: Decimal) -> Outcome {
    Outcome::Processed { amount, ids: ProviderIds::default() }
}

fn declined(resolution: Resolution) -> Outcome {
    Outcome::Declined { resolution, code: resolution.to_string(), message: "scripted".to_owned() }
}

#[async_trait]
impl Provider for Scripted {
    fn code(&self) -> &'static str {
        "scripted"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, _: &Destination) -> Outcome {
        let lane = account.settings["lane"].clone();
        let mut script = self.script.lock().unwrap();
        let may_repeat = matches!(self.capabilities.resend, ResendSafety::SameReferenceWithin(_));
        if may_repeat && let Some((_, amount)) = script.paid.get(&order.reference) {
            return processed(*amount);
        }
        *script.sends.entry(lane.clone()).or_default() += 1;
        let scripted = script.next.get_mut(&lane).and_then(VecDeque::pop_front);
        let says = scripted.or(script.always.get(&lane).copied()).unwrap_or(Says::Pays);
        let amount = match says {
            Says::DeclinesRoute => return declined(Resolution::DeclinedError),
            Says::DeclinesCard => return declined(Resolution::CardRestricted),
            Says::LacksFunds => return declined(Resolution::InsufficientFunds),
            Says::NotSent => return Outcome::NotSent { why: "connection refused".to_owned() },
            Says::Loses => return Outcome::Unknown { why: "no answer".to_owned() },
            Says::DeclinesLater => {
                script.declined.insert(order.reference.clone());
                return Outcome::Pending { ids: ProviderIds::default() };
            }
            Says::PaysOnly(amount) => amount,
            Says::Pays | Says::PaysSilently | Says::PaysLater | Says::LiesAndPays => order.amount,
        };
        let twice = script.paid.insert(order.reference.clone(), (lane, amount));
        assert!(twice.is_none(), "{} was sent twice", order.reference);
        match says {
            Says::PaysSilently => Outcome::Unknown { why: "no answer".to_owned() },
            Says::PaysLater => Outcome::Pending { ids: ProviderIds::default() },
            Says::LiesAndPays => declined(Resolution::DeclinedError),
            _ => processed(amount),
        }
    }

    async fn inquire(&self, _: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let script = self.script.lock().unwrap();
        if script.declined.contains(&inquiry.reference) {
            return declined(Resolution::DeclinedError);
        }
        script.paid.get(&inquiry.reference).map_or(Outcome::NotFound, |(_, amount)| processed(*amount))
    }

    fn parse_callback(
        &self,
        _: &AccountContext,
        _: &[(String, String)],
        _: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        Err(CallbackError::NotSupported)
    }

    /// Where the account's settings say what was there at first.
    fn has_balance(&self, account: &AccountContext, _: AssetCode) -> bool {
        account.settings.contains_key("balance")
    }

    async fn balance(&self, account: &AccountContext, _: AssetCode) -> Result<Decimal, ProviderError> {
        let at_first = account.settings.get("balance").ok_or(ProviderError::NotSupported)?;
        Ok(at_first.parse::<Decimal>().unwrap() - self.paid_by(&account.settings["lane"]))
    }

    async fn check_credentials(&self, _: &AccountContext) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// A route with accounts of its own. `code` names all of them.
#[derive(Clone)]
pub struct Lane {
    pub code: &'static str,
    pub balance: Decimal,
    pub currency: &'static str,
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    pub weight: u32,
    pub cost_percent: Decimal,
}

/// A lane that carries whatever its balance allows, at no cost.
pub fn lane(code: &'static str, balance: Decimal) -> Lane {
    Lane { code, balance, currency: "USD", min: None, max: None, weight: 1, cost_percent: Decimal::ZERO }
}

/// A world in which `test_usd` goes over these lanes, by the scheme `default` with this body.
pub async fn routed(lanes: &[Lane], body: Value) -> (World, Arc<Scripted>, Partner) {
    routed_with(lanes, body, |_| {}).await
}

pub async fn routed_with(
    lanes: &[Lane],
    body: Value,
    change: impl FnOnce(&mut Settings),
) -> (World, Arc<Scripted>, Partner) {
    let scripted = Scripted::new();
    let (world, partner) = routed_over(&scripted, lanes, body, change).await;
    (world, scripted, partner)
}

/// Over lanes of this provider.
pub async fn routed_over(
    scripted: &Arc<Scripted>,
    lanes: &[Lane],
    body: Value,
    change: impl FnOnce(&mut Settings),
) -> (World, Partner) {
    let world = World::with(
        |settings| {
            let gateway = &mut settings.gateway;
            let model = gateway.routes.iter().find(|route| route.service == "test_usd").unwrap().clone();
            gateway.routes.retain(|route| route.service != "test_usd");
            for (lane, position) in lanes.iter().zip(1..) {
                gateway.provider_accounts.push(ProviderAccountSeed {
                    code: lane.code.to_owned(),
                    provider: "scripted".to_owned(),
                    mode: Mode::Test,
                    enabled: true,
                    settings: BTreeMap::from([("lane".to_owned(), lane.code.to_owned())]),
                    credentials_env: BTreeMap::new(),
                });
                gateway.deposit_accounts.push(DepositAccountSeed {
                    code: lane.code.to_owned(),
                    provider_account: lane.code.to_owned(),
                    currency: lane.currency.parse().unwrap(),
                    initial_balance: Some(lane.balance.to_string()),
                });
                let mut route = model.clone();
                route.code = lane.code.to_owned();
                route.deposit_account = lane.code.to_owned();
                route.amount_min = lane.min.map(|amount| amount.to_string());
                route.amount_max = lane.max.map(|amount| amount.to_string());
                route.cost_percent = lane.cost_percent.to_string();
                route.cost_fixed = "0".to_owned();
                route.weight = lane.weight;
                route.position = position;
                gateway.routes.push(route);
            }
            gateway.payout_schemes.push(SchemeSeed {
                code: "default".to_owned(),
                modes: vec![Mode::Test],
                name: "Of the test".to_owned(),
                body: body.to_string(),
            });
            change(settings);
        },
        vec![Arc::clone(scripted) as Arc<dyn Provider>],
    )
    .await;
    let partner = Partner::with(&world, dec!(100000)).await;
    (world, partner)
}

/// The scheme with one strategy over lanes.
pub fn by(strategy: &str, lanes: &[Lane]) -> Value {
    let routes: Vec<_> = lanes.iter().map(|lane| lane.code).collect();
    serde_json::json!({"services": {"test_usd": {"strategies": [{"strategy": strategy, "routes": routes}]}}})
}

pub async fn payouts_of(world: &World, partner: &Partner, id: PayoutRequestId) -> Vec<Payout> {
    let conn = world.app.db.get().await.unwrap();
    payouts::of_requests(&conn, &[(partner.tenant(), id)]).await.unwrap()
}

pub async fn events_of(world: &World, partner: &Partner, id: PayoutRequestId) -> Vec<Event> {
    world.app.gateway.events_of_request(&partner.caller, id).await.unwrap()
}

/// The lanes that payouts went over, in order.
pub async fn lanes_of(world: &World, payouts: &[Payout]) -> Vec<String> {
    let snapshot = world.app.gateway.snapshot().await.unwrap();
    let code = |payout: &Payout| {
        let routes = snapshot.routes(Mode::Test);
        routes.iter().find(|route| route.id == payout.route_id).unwrap().code.clone()
    };
    payouts.iter().map(code).collect()
}

/// What is reserved on a lane's deposit account.
pub async fn reserved(world: &World, lane: &str) -> i64 {
    let sql = format!("SELECT (reserved * 100)::bigint AS count FROM deposit_account WHERE code = '{lane}'");
    world.test_db.count(&sql).await
}
