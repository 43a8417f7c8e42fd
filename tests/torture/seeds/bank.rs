//! The provider of a simulation: the simulator's banks, one an account, behind a network that the seed's driver holds in its hand. It
//! knows nothing of the engine: it sees references and amounts, and what its ledger says was paid was paid.

mod adapter;
mod line;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use landfall::clock::{Clock, ManualClock};
use landfall::config::providers::Share;
use landfall::simulator::api::ApiRequest;
use landfall::simulator::bank::{Bank as Ledger, BankAccount, BankSettings};
use landfall::simulator::faults::{BALANCE_OUT, Fault, Faults, Rates};
use landfall::simulator::payment::Timings;
use rust_decimal::Decimal;

use super::draw::Draw;
use super::tally::Tally;
pub use adapter::{Adapter, ONCE, STEADY, secret_of};

/// How long after a payment was taken its look-up may not find it yet.
pub const SETTLING_MS: u64 = 5_000;

/// A payment as it stands now.
#[derive(Clone, Debug)]
pub struct Payment {
    pub paid: Decimal,
    pub returned: Decimal,
    /// It once said that it declined, and paid all the same.
    pub lied: bool,
}

/// A request that the network holds back.
struct Transit {
    at: DateTime<Utc>,
    lane: String,
    request: ApiRequest,
}

/// A callback on its way to us.
#[derive(Clone, Debug)]
pub struct Note {
    pub lane: String,
    pub reference: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// An account at the provider, as a seed has it.
#[derive(Clone, Debug)]
pub struct LaneState {
    pub currency: &'static str,
    pub at_first: Decimal,
    pub balance: Decimal,
    pub knows_repeats: bool,
    /// How wild it is, in percent.
    pub wild: usize,
    pub outage_until: Option<DateTime<Utc>>,
    /// It paid what we couldn't know of: it may lack what our books say is there.
    pub tainted: bool,
}

pub struct Books {
    pub draw: Draw,
    pub tally: Tally,
    clock: ManualClock,
    pub lanes: BTreeMap<String, LaneState>,
    ledgers: BTreeMap<String, Ledger>,
    /// By reference, as the ledgers have them now.
    pub payments: BTreeMap<String, Payment>,
    transit: Vec<Transit>,
    pub outbox: Vec<Note>,
    /// A callback that was told once: what a forger may have seen.
    pub seen: Vec<Note>,
    /// No faults any more.
    calm: bool,
    /// What must never happen, as the provider sees it.
    pub broken: Vec<String>,
    /// What the last call came to, for the log.
    pub last: String,
}

/// The provider, shared by the adapters of all processes.
#[derive(Clone)]
pub struct Bank(Arc<Mutex<Books>>);

/// How often a lane that is altogether wild meets a fault, in thousandths of its sends.
const PAY: [(Fault, u32); 21] = [
    (Fault::ConnectionRefused, 40),
    (Fault::ResetBefore, 45),
    (Fault::ResetAfter, 60),
    (Fault::ErrorWithoutEffect, 40),
    (Fault::ErrorWithEffect, 60),
    (Fault::LostAnswer, 60),
    (Fault::RateLimited, 80),
    (Fault::Unavailable, 30),
    (Fault::Hidden, 120),
    (Fault::PendingThenProcessed, 120),
    (Fault::PendingThenDeclined, 70),
    (Fault::DeclinedThenProcessed, 15),
    (Fault::ProcessedThenReturned, 30),
    (Fault::AmountLess, 120),
    (Fault::AmountMore, 10),
    (Fault::OutOfFunds, 110),
    (Fault::DuplicateCallback, 200),
    (Fault::LateCallback, 200),
    (Fault::ReorderedCallbacks, 100),
    (Fault::LostCallback, 100),
    (Fault::EarlyCallback, 100),
];
/// The same of its questions.
const ASK: [(Fault, u32); 5] = [
    (Fault::ConnectionRefused, 30),
    (Fault::ResetBefore, 20),
    (Fault::LostAnswer, 40),
    (Fault::ErrorWithoutEffect, 30),
    (Fault::RateLimited, 30),
];

fn rates(of: &[(Fault, u32)], wild: usize) -> Rates {
    let wild = u32::try_from(wild).unwrap();
    of.iter().map(|(fault, thousandths)| (*fault, Share::of_millionths(thousandths * 10 * wild).unwrap())).collect()
}

impl Books {
    fn empty(clock: ManualClock, draw: Draw) -> Self {
        Self {
            draw,
            tally: Tally::default(),
            clock,
            lanes: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            payments: BTreeMap::new(),
            transit: Vec::new(),
            outbox: Vec::new(),
            seen: Vec::new(),
            calm: false,
            broken: Vec::new(),
            last: String::new(),
        }
    }
}

impl Bank {
    pub fn new(clock: ManualClock) -> Self {
        Self(Arc::new(Mutex::new(Books::empty(clock, Draw::new(0)))))
    }

    /// The ledgers, up to date.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        let mut books = self.0.lock().unwrap();
        books.pass();
        books
    }

    /// A new seed: nothing paid yet.
    pub fn begin(&self, mut draw: Draw, lanes: BTreeMap<String, LaneState>) {
        let mut books = self.0.lock().unwrap();
        let mut ledgers = BTreeMap::new();
        for (code, lane) in &lanes {
            let mut secs = |least, most| Duration::from_secs(u64::try_from(draw.between(least, most)).unwrap());
            let timings = Timings {
                later: secs(1, 600),
                returned_after: secs(1, 3_600),
                hidden_for: secs(1, 4),
                flips_after: secs(2, 1_800),
                late_by: secs(5, 1_800),
                ..Timings::default()
            };
            let account = BankAccount {
                name: code.clone(),
                api_key: secret_of("key", code),
                callback_secret: secret_of("callbacks", code),
                callback_url: None,
                knows_repeats: lane.knows_repeats,
                balances: BTreeMap::from([(lane.currency.parse().unwrap(), lane.at_first)]),
            };
            let faults = Faults { pay: rates(&PAY, lane.wild), ask: rates(&ASK, lane.wild), ..Faults::default() };
            let seed = u64::try_from(draw.below(usize::MAX)).unwrap();
            let settings = BankSettings { seed, timings, accounts: vec![account], faults, keeps_records: false };
            ledgers.insert(code.clone(), Ledger::new(settings));
        }
        let clock = books.clock.clone();
        *books = Books { lanes, ledgers, ..Books::empty(clock, draw) };
    }
}

impl Books {
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn fault(&mut self, name: &'static str) {
        self.tally.note("fault", name);
    }

    /// What is under way comes to what it comes to by now.
    pub fn pass(&mut self) {
        let now = self.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.transit).into_iter().partition(|transit| self.calm || transit.at <= now);
        self.transit = later;
        for Transit { lane, request, .. } in due {
            let _ = self.handle(&lane, &request);
        }
        for (code, ledger) in &mut self.ledgers {
            for due in ledger.due_callbacks(now) {
                let note = Note { lane: code.clone(), reference: due.reference, headers: due.headers, body: due.body };
                self.outbox.push(note);
            }
        }
        self.read(now);
    }

    /// Looks at the ledgers as they are now.
    fn read(&mut self, now: DateTime<Utc>) {
        let mut payments: BTreeMap<String, Payment> = BTreeMap::new();
        for (code, ledger) in &self.ledgers {
            let lane = self.lanes.get_mut(code).unwrap();
            let mut out = Decimal::ZERO;
            for payment in ledger.payments() {
                let state = payment.state(now);
                let lied = payment.faults.contains(&Fault::DeclinedThenProcessed);
                lane.tainted |= lied || payment.end().amount_processed > payment.amount_asked;
                out += state.amount_processed - state.amount_returned;
                let seen = Payment { paid: state.amount_processed, returned: state.amount_returned, lied };
                if let Some(before) = payments.insert(payment.reference.clone(), seen)
                    && !before.paid.is_zero()
                {
                    let what = format!("{} was paid more than once under one reference", payment.reference);
                    if !self.broken.contains(&what) {
                        self.broken.push(what);
                    }
                }
            }
            lane.balance = lane.at_first - out;
            if ledger.injected().contains_key(BALANCE_OUT) && !lane.tainted {
                let what = format!("more was sent to {code} than it holds");
                if !self.broken.contains(&what) {
                    self.broken.push(what);
                }
            }
        }
        self.payments = payments;
    }

    /// Faults end, and what the network held back arrives.
    pub fn calm_down(&mut self) {
        self.calm = true;
        for lane in self.lanes.values_mut() {
            lane.outage_until = None;
        }
        for ledger in self.ledgers.values_mut() {
            ledger.faults = Faults::default();
        }
        self.pass();
    }

    /// How long it takes until nothing more becomes of any payment.
    pub fn quiet_in(&self) -> TimeDelta {
        let quiet_at = self.ledgers.values().filter_map(Ledger::quiet_at).max();
        quiet_at.map_or(TimeDelta::zero(), |at| (at - self.now()).max(TimeDelta::zero()))
    }

    /// Everything that was injected in this seed.
    pub fn injected(&self) -> Tally {
        let mut tally = self.tally.clone();
        for ledger in self.ledgers.values() {
            for (name, count) in ledger.injected() {
                tally.add("fault", format!("provider: {name}"), count);
            }
            for payment in ledger.payments() {
                tally.note("provider's behaviour", payment.behaviour.clone());
            }
        }
        tally
    }

    /// What it paid, by reference.
    pub fn paid(&self) -> impl Iterator<Item = (&String, &Payment)> {
        self.payments.iter().filter(|(_, payment)| !payment.paid.is_zero())
    }
}
