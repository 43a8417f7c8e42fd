//! A provider with a ledger of its own and the faults that providers and networks have, all drawn from the seed. It knows nothing of
//! the engine: it sees references and amounts, and what it paid it paid.

mod acts;
mod adapter;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use landfall::clock::{Clock, ManualClock};
use landfall::domain::payout::Resolution;
use landfall::providers::provider::{Outcome, ProviderIds};
use rust_decimal::Decimal;

use super::draw::Draw;
use super::tally::Tally;
pub use adapter::{Adapter, ONCE, SIGNATURE, STEADY};

/// How long after a payment was taken its look-up may not find it yet.
pub const SETTLING_SECS: i64 = 5;

/// What became of a payment.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Decided at that time: so much is paid, or it is declined.
    Pending {
        until: DateTime<Utc>,
        pays: Option<Decimal>,
    },
    Paid,
    Declined(Resolution),
}

#[derive(Clone, Debug)]
pub struct Payment {
    pub lane: String,
    pub fate: Fate,
    pub paid: Decimal,
    pub returned: Decimal,
    /// It said that it declined, and pays all the same at that time.
    pub pays_all_the_same: Option<(DateTime<Utc>, Decimal)>,
    /// It has once told a refusal that turned out wrong.
    pub lied: bool,
    /// Look-ups find it from then on.
    pub visible_at: DateTime<Utc>,
    /// All or a part of it comes back then.
    comes_back: Option<(DateTime<Utc>, Decimal)>,
}

/// A request that the network holds back.
#[derive(Clone, Debug)]
struct Transit {
    at: DateTime<Utc>,
    lane: String,
    reference: String,
    amount: Decimal,
    may_repeat: bool,
}

/// Something to be told by callback.
#[derive(Clone, Debug)]
pub struct Note {
    pub lane: String,
    pub reference: String,
    pub outcome: Outcome,
}

/// An account at the provider.
#[derive(Clone, Debug)]
pub struct LaneState {
    pub at_first: Decimal,
    pub balance: Decimal,
    /// How wild it is: percent of sends that aren't simply paid.
    pub wild: usize,
    pub calls_back: bool,
    pub outage_until: Option<DateTime<Utc>>,
    /// It paid what we couldn't know of: it may lack what our books say is there.
    pub tainted: bool,
}

pub struct Books {
    pub draw: Draw,
    pub tally: Tally,
    clock: ManualClock,
    pub lanes: BTreeMap<String, LaneState>,
    pub payments: BTreeMap<String, Payment>,
    transit: Vec<Transit>,
    pub outbox: Vec<Note>,
    /// No faults any more.
    pub calm: bool,
    /// What must never happen, as the provider sees it.
    pub broken: Vec<String>,
    /// What the last call did, for the log.
    pub last: String,
}

/// The provider, shared by the adapters of all processes.
#[derive(Clone)]
pub struct Bank(Arc<Mutex<Books>>);

impl Bank {
    pub fn new(clock: ManualClock) -> Self {
        Self(Arc::new(Mutex::new(Books {
            draw: Draw::new(0),
            tally: Tally::default(),
            clock,
            lanes: BTreeMap::new(),
            payments: BTreeMap::new(),
            transit: Vec::new(),
            outbox: Vec::new(),
            calm: false,
            broken: Vec::new(),
            last: String::new(),
        })))
    }

    /// The ledger, up to date.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        let mut books = self.0.lock().unwrap();
        books.pass();
        books
    }

    /// A new seed: nothing paid yet.
    pub fn begin(&self, draw: Draw, lanes: BTreeMap<String, LaneState>) {
        let mut books = self.0.lock().unwrap();
        let clock = books.clock.clone();
        *books = Books {
            draw,
            tally: Tally::default(),
            clock,
            lanes,
            payments: BTreeMap::new(),
            transit: Vec::new(),
            outbox: Vec::new(),
            calm: false,
            broken: Vec::new(),
            last: String::new(),
        };
    }
}

pub fn processed(amount: Decimal) -> Outcome {
    Outcome::Processed { amount, ids: ProviderIds::default() }
}

pub fn declined(resolution: Resolution) -> Outcome {
    Outcome::Declined { resolution, code: resolution.to_string(), message: "simulated".to_owned() }
}

impl Books {
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn fault(&mut self, name: &'static str) {
        self.tally.note("fault", name);
        name.clone_into(&mut self.last);
    }

    /// What is under way comes to what it comes to by now.
    pub fn pass(&mut self) {
        let now = self.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.transit).into_iter().partition(|transit| self.calm || transit.at <= now);
        self.transit = later;
        for transit in due {
            let _ = self.arrive(&transit.lane, &transit.reference, transit.amount, transit.may_repeat);
        }
        let references: BTreeSet<String> = self.payments.keys().cloned().collect();
        for reference in references {
            self.pass_one(&reference, now);
        }
    }

    fn pass_one(&mut self, reference: &str, now: DateTime<Utc>) {
        let Some(payment) = self.payments.get(reference).cloned() else { return };
        if let Fate::Pending { until, pays } = payment.fate
            && until <= now
        {
            match pays {
                Some(amount) => self.pay(reference, amount),
                None => {
                    self.payments.get_mut(reference).unwrap().fate = Fate::Declined(Resolution::DeclinedError);
                    self.call_back(reference);
                }
            }
        }
        if let Some((at, amount)) = payment.pays_all_the_same
            && at <= now
        {
            let changed = self.payments.get_mut(reference).unwrap();
            changed.pays_all_the_same = None;
            changed.lied = true;
            let lane = changed.lane.clone();
            self.lanes.get_mut(&lane).unwrap().tainted = true;
            self.pay(reference, amount);
        }
        if let Some((at, amount)) = payment.comes_back
            && at <= now
            && payment.fate == Fate::Paid
        {
            let changed = self.payments.get_mut(reference).unwrap();
            changed.comes_back = None;
            changed.returned = amount.min(changed.paid);
            let (lane, back) = (changed.lane.clone(), changed.returned);
            self.lanes.get_mut(&lane).unwrap().balance += back;
            self.tell(reference, Outcome::Returned { amount: back, ids: ProviderIds::default() });
        }
    }

    /// The money leaves.
    fn pay(&mut self, reference: &str, amount: Decimal) {
        let payment = self.payments.get_mut(reference).unwrap();
        if !payment.paid.is_zero() {
            self.broken.push(format!("{reference} was paid twice under one reference"));
            return;
        }
        payment.fate = Fate::Paid;
        payment.paid = amount;
        let lane = payment.lane.clone();
        let lane = self.lanes.get_mut(&lane).unwrap();
        lane.balance -= amount;
        if lane.balance < Decimal::ZERO && !lane.tainted {
            let lane = self.payments[reference].lane.clone();
            self.broken.push(format!("{reference} overdrew {lane}: more was sent to it than it holds"));
        }
        self.call_back(reference);
    }

    fn call_back(&mut self, reference: &str) {
        let outcome = told(&self.payments[reference]);
        self.tell(reference, outcome);
    }

    fn tell(&mut self, reference: &str, outcome: Outcome) {
        let payment = &self.payments[reference];
        if !self.lanes[&payment.lane].calls_back {
            return;
        }
        let note = Note { lane: payment.lane.clone(), reference: reference.to_owned(), outcome };
        self.outbox.push(note);
    }

    /// All lanes are whole again, and nothing is held back.
    pub fn calm_down(&mut self) {
        self.calm = true;
        for lane in self.lanes.values_mut() {
            lane.outage_until = None;
        }
        let now = self.now();
        for payment in self.payments.values_mut() {
            payment.visible_at = payment.visible_at.min(now);
            if let Fate::Pending { until, .. } = &mut payment.fate {
                *until = (*until).min(now);
            }
            if let Some((at, _)) = &mut payment.pays_all_the_same {
                *at = (*at).min(now);
            }
            if let Some((at, _)) = &mut payment.comes_back {
                *at = (*at).min(now);
            }
        }
        self.pass();
    }

    /// What it paid, by reference: the amount, and whether it had told otherwise.
    pub fn paid(&self) -> impl Iterator<Item = (&String, &Payment)> {
        self.payments.iter().filter(|(_, payment)| !payment.paid.is_zero())
    }

    fn later(&mut self) -> DateTime<Utc> {
        let millis = self.draw.millis();
        self.now() + TimeDelta::milliseconds(millis)
    }
}

/// What it says of a payment when it is asked. Of what came back only in part it says that it was paid.
pub fn told(payment: &Payment) -> Outcome {
    let ids = ProviderIds::default();
    match &payment.fate {
        Fate::Pending { .. } => Outcome::Pending { ids },
        Fate::Declined(resolution) => declined(*resolution),
        Fate::Paid if payment.returned == payment.paid => Outcome::Returned { amount: payment.returned, ids },
        Fate::Paid => processed(payment.paid),
    }
}
