//! The wallet and the gateway as plain sums: who has what, what is held for what, and how far each request has come. Amounts are whole
//! units: cents, and eighth decimals of the users' crypto.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::offer::{Terms, up};

/// How many users a case has.
pub const PEOPLE: usize = 2;
/// How many routes a request can try, one after the other.
const TRIES_MAX: usize = 2;
const OFFER_TTL_SECS: i64 = 20;

#[derive(Clone, Debug)]
pub enum Operation {
    Credit { who: usize, cents: i128 },
    Quote { who: usize, cents: i128 },
    Reprice { offer: usize, cents: i128 },
    Pay { offer: usize, is_stale: bool },
    Tick { secs: i64 },
    Ask { cents: i128, partly: bool, at_once: bool },
    Process { request: usize },
    Cancel { request: usize },
    Expire { request: usize },
    Dispatch,
    Hear { request: usize, attempt: usize, heard: Heard },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Paid,
    PaidHalf,
    PaidMore,
    DeclinedForRoute,
    DeclinedForCard,
    Pending,
    Silence,
    /// All of it.
    Returned,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payer {
    Offer(usize),
    Partner,
}

#[derive(Clone, Debug)]
pub struct Offer {
    pub who: usize,
    pub terms: Terms,
    pub version: i32,
    pub until: i64,
    pub request: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Try {
    pub cents: i128,
    pub paid: i128,
    pub back: i128,
    pub is_refused: bool,
    /// What of the request it covered.
    pub from: i128,
    pub to: i128,
}

impl Try {
    pub fn is_open(&self) -> bool {
        self.paid == 0 && !self.is_refused
    }

    pub fn is_late(&self) -> bool {
        self.is_refused && self.paid > 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Ready,
    Dispatching,
    Pending,
    Processed,
    PartiallyProcessed,
    Failed,
    Expired,
    Canceled,
    Returned,
}

impl Phase {
    pub fn is_over(self) -> bool {
        !matches!(self, Phase::Ready | Phase::Dispatching | Phase::Pending)
    }
}

#[derive(Clone, Debug)]
pub struct Request {
    pub payer: Payer,
    pub cents: i128,
    pub partly: bool,
    pub is_queued: bool,
    pub phase: Phase,
    pub is_moderated: bool,
    /// The first of what stops it.
    pub stop: Option<Phase>,
    pub tries: Vec<Try>,
}

impl Request {
    fn covered(&self) -> i128 {
        self.tries.iter().filter(|attempt| !attempt.is_late()).map(|attempt| attempt.paid).sum()
    }
}

#[derive(Clone, Debug, Default)]
pub struct Purse {
    pub available: i128,
    pub held: i128,
}

#[derive(Clone, Debug)]
pub struct Sums {
    pub people: Vec<Purse>,
    /// What the partner has more or less than at first.
    pub partner: Purse,
    pub offers: Vec<Offer>,
    pub requests: Vec<Request>,
    pub secs: i64,
    /// Whether the last operation was accepted, where that is told.
    pub accepted: bool,
}

impl Sums {
    fn purse(&mut self, payer: Payer) -> &mut Purse {
        match payer {
            Payer::Partner => &mut self.partner,
            Payer::Offer(offer) => &mut self.people[self.offers[offer].who],
        }
    }

    /// What of its payer's money stands for so many cents of a request, and what of that isn't fees.
    fn worth(&self, payer: Payer, from: i128, to: i128) -> (i128, i128) {
        match payer {
            Payer::Partner => (to - from, to - from),
            Payer::Offer(offer) => {
                let terms = &self.offers[offer].terms;
                let (before, after) = (terms.taken(from), terms.taken(to));
                let part = |terms: std::ops::Range<usize>| terms.map(|term| after[term] - before[term]).sum();
                (part(0..6), part(0..3))
            }
        }
    }

    fn total(&self, payer: Payer, cents: i128) -> i128 {
        match payer {
            Payer::Partner => cents,
            Payer::Offer(offer) => self.offers[offer].terms.total(),
        }
    }

    fn begin(&mut self, payer: Payer, cents: i128, partly: bool, is_queued: bool) {
        let total = self.total(payer, cents);
        let purse = self.purse(payer);
        purse.available -= total;
        purse.held += total;
        self.requests.push(Request {
            payer,
            cents,
            partly,
            is_queued,
            phase: Phase::Ready,
            is_moderated: false,
            stop: None,
            tries: Vec::new(),
        });
    }

    /// What follows once nothing is open, or everything is paid.
    fn follow(&mut self, index: usize) {
        let request = &self.requests[index];
        let is_open = request.tries.iter().any(Try::is_open);
        let covered = request.covered();
        if request.phase.is_over() || is_open {
            return;
        }
        if covered >= request.cents {
            return self.end(index, Phase::Processed);
        }
        if request.is_moderated {
            return;
        }
        if request.stop.is_none() && request.tries.len() < TRIES_MAX {
            if !request.tries.is_empty() {
                self.requests[index].phase = Phase::Dispatching;
            }
            return;
        }
        let is_wanted = matches!(request.stop, Some(Phase::Canceled | Phase::Expired));
        match (covered, request.partly || is_wanted) {
            (0, _) => self.end(index, request.stop.unwrap_or(Phase::Failed)),
            (_, true) => self.end(index, Phase::PartiallyProcessed),
            (_, false) => self.requests[index].is_moderated = true,
        }
    }

    fn end(&mut self, index: usize, end: Phase) {
        let (payer, cents) = (self.requests[index].payer, self.requests[index].cents);
        let covered = self.requests[index].covered().min(cents);
        let rest = self.total(payer, cents) - self.worth(payer, 0, covered).0;
        let purse = self.purse(payer);
        purse.held -= rest;
        purse.available += rest;
        let request = &mut self.requests[index];
        let is_back = request.tries.iter().any(|attempt| attempt.back > 0 && !attempt.is_late());
        request.phase = if is_back { Phase::Returned } else { end };
        request.is_moderated = false;
    }

    fn stop(&mut self, index: usize, why: Phase) {
        let request = &mut self.requests[index];
        if !request.phase.is_over() {
            request.stop.get_or_insert(why);
            let has_late = request.tries.iter().any(|attempt| attempt.is_late() && attempt.paid > 0);
            if request.is_moderated && !has_late {
                // Whoever lets go of the rest has said that the part will do.
                request.is_moderated = false;
                request.stop = Some(why);
            }
            self.follow(index);
        }
    }

    fn hear(&mut self, index: usize, attempt: usize, heard: Heard) {
        let request = &self.requests[index];
        let (payer, covered, cents) = (request.payer, request.covered(), request.cents);
        let mut of = request.tries[attempt].clone();
        let amount = match heard {
            Heard::Paid => of.cents,
            Heard::PaidHalf => (of.cents / 2).max(1),
            Heard::PaidMore => of.cents + 100,
            Heard::DeclinedForRoute | Heard::DeclinedForCard => {
                if of.is_open() {
                    of.is_refused = true;
                    self.requests[index].tries[attempt] = of;
                    if heard == Heard::DeclinedForCard {
                        self.requests[index].stop.get_or_insert(Phase::Failed);
                    }
                    self.follow(index);
                }
                return;
            }
            Heard::Pending | Heard::Silence => return,
            Heard::Returned if of.paid > 0 => of.paid,
            Heard::Returned => of.cents,
        };
        if of.paid == 0 {
            of.paid = amount;
            if of.is_late() {
                self.requests[index].is_moderated |= !self.requests[index].phase.is_over();
            } else {
                (of.from, of.to) = (covered.min(cents), (covered + amount).min(cents));
                let (taken, _) = self.worth(payer, of.from, of.to);
                self.purse(payer).held -= taken;
            }
        }
        if heard == Heard::Returned && of.back == 0 {
            of.back = of.paid;
            if !of.is_late() {
                let (_, given_back) = self.worth(payer, of.from, of.to);
                self.purse(payer).available += given_back;
                if self.requests[index].phase.is_over() {
                    self.requests[index].phase = Phase::Returned;
                }
            }
        }
        self.requests[index].tries[attempt] = of;
        self.follow(index);
    }

    fn dispatch(&mut self) {
        for request in &mut self.requests {
            let is_open = request.tries.iter().any(Try::is_open);
            let goes_on =
                request.is_queued && !request.is_moderated && request.stop.is_none() && !request.phase.is_over();
            let left = request.cents - request.covered();
            if goes_on && !is_open && left > 0 && request.tries.len() < TRIES_MAX {
                request.tries.push(Try { cents: left, paid: 0, back: 0, is_refused: false, from: 0, to: 0 });
                request.phase = Phase::Pending;
            }
        }
    }
}

/// What an offer of so many cents costs, at the price and by the fees of the tests' world.
fn terms(cents: i128) -> Terms {
    // 0.9297 less 2 %: 0.911106. Fees: 3.5 % and EUR 2.50.
    let amount = up(cents * 1_000_000_000_000, 911_106);
    let fees = [up(amount * 35, 1_000), up(250 * 1_000_000_000_000, 929_700)];
    Terms { amount, cents, price: 929_700, spread: 20, fees, partner_fee: 0 }
}

pub struct Model;

impl ReferenceStateMachine for Model {
    type State = Sums;
    type Transition = Operation;

    fn init_state() -> BoxedStrategy<Sums> {
        Just(Sums {
            people: vec![Purse::default(); PEOPLE],
            partner: Purse::default(),
            offers: Vec::new(),
            requests: Vec::new(),
            secs: 0,
            accepted: true,
        })
        .boxed()
    }

    fn transitions(sums: &Sums) -> BoxedStrategy<Operation> {
        use proptest::strategy::Union;

        let heard = prop_oneof![
            4 => Just(Heard::Paid),
            2 => Just(Heard::PaidHalf),
            1 => Just(Heard::PaidMore),
            3 => Just(Heard::DeclinedForRoute),
            1 => Just(Heard::DeclinedForCard),
            1 => Just(Heard::Pending),
            1 => Just(Heard::Silence),
            2 => Just(Heard::Returned),
        ];
        let credit = (0..PEOPLE, 1_000..50_000_i128).prop_map(|(who, cents)| Operation::Credit { who, cents });
        let quote = (0..PEOPLE, 2_100..20_000_i128).prop_map(|(who, cents)| Operation::Quote { who, cents });
        let ask = (100..10_000_i128, any::<bool>(), any::<bool>())
            .prop_map(|(cents, partly, at_once)| Operation::Ask { cents, partly, at_once });
        let tick = prop_oneof![Just(1), Just(5), Just(25)].prop_map(|secs| Operation::Tick { secs });
        let mut drawn = vec![(2, credit.boxed()), (2, quote.boxed()), (2, ask.boxed()), (1, tick.boxed())];
        if !sums.offers.is_empty() {
            let offers = 0..sums.offers.len();
            let reprice = (offers.clone(), 2_100..20_000_i128);
            let pay = (offers, proptest::bool::weighted(0.15));
            drawn.push((1, reprice.prop_map(|(offer, cents)| Operation::Reprice { offer, cents }).boxed()));
            drawn.push((4, pay.prop_map(|(offer, is_stale)| Operation::Pay { offer, is_stale }).boxed()));
        }
        if !sums.requests.is_empty() {
            let requests = 0..sums.requests.len();
            drawn.push((4, Just(Operation::Dispatch).boxed()));
            drawn.push((1, requests.clone().prop_map(|request| Operation::Process { request }).boxed()));
            drawn.push((1, requests.clone().prop_map(|request| Operation::Cancel { request }).boxed()));
            drawn.push((1, requests.prop_map(|request| Operation::Expire { request }).boxed()));
        }
        let tried: Vec<(usize, usize)> = sums
            .requests
            .iter()
            .enumerate()
            .flat_map(|(request, of)| (0..of.tries.len()).map(move |attempt| (request, attempt)))
            .collect();
        if !tried.is_empty() {
            let hear = (proptest::sample::select(tried), heard);
            drawn.push((
                10,
                hear.prop_map(|((request, attempt), heard)| Operation::Hear { request, attempt, heard }).boxed(),
            ));
        }
        Union::new_weighted(drawn).boxed()
    }

    /// Shrinking takes operations away: what was about something that isn't there any more goes with it.
    fn preconditions(sums: &Sums, operation: &Operation) -> bool {
        match operation {
            Operation::Reprice { offer, .. } | Operation::Pay { offer, .. } => *offer < sums.offers.len(),
            Operation::Process { request } | Operation::Cancel { request } | Operation::Expire { request } => {
                *request < sums.requests.len()
            }
            Operation::Hear { request, attempt, .. } => {
                sums.requests.get(*request).is_some_and(|request| *attempt < request.tries.len())
            }
            Operation::Credit { .. }
            | Operation::Quote { .. }
            | Operation::Tick { .. }
            | Operation::Ask { .. }
            | Operation::Dispatch => true,
        }
    }

    fn apply(mut sums: Sums, operation: &Operation) -> Sums {
        sums.accepted = true;
        match *operation {
            Operation::Credit { who, cents } => sums.people[who].available += cents * 1_000_000,
            Operation::Quote { who, cents } => {
                let until = sums.secs + OFFER_TTL_SECS;
                sums.offers.push(Offer { who, terms: terms(cents), version: 1, until, request: None });
            }
            Operation::Reprice { offer, cents } => {
                let until = sums.secs + OFFER_TTL_SECS;
                let of = &mut sums.offers[offer];
                sums.accepted = of.request.is_none() && sums.secs < of.until;
                if sums.accepted {
                    (of.terms, of.until, of.version) = (terms(cents), until, of.version + 1);
                }
            }
            Operation::Pay { offer, is_stale } => {
                let of = &sums.offers[offer];
                let covers = sums.people[of.who].available >= of.terms.total();
                sums.accepted = of.request.is_none() && sums.secs < of.until && covers && !is_stale;
                if sums.accepted {
                    let cents = of.terms.cents;
                    sums.offers[offer].request = Some(sums.requests.len());
                    sums.begin(Payer::Offer(offer), cents, true, true);
                }
            }
            Operation::Tick { secs } => sums.secs += secs,
            Operation::Ask { cents, partly, at_once } => sums.begin(Payer::Partner, cents, partly, at_once),
            Operation::Process { request } => {
                let of = &mut sums.requests[request];
                of.is_queued |= of.phase == Phase::Ready;
            }
            Operation::Cancel { request } => sums.stop(request, Phase::Canceled),
            Operation::Expire { request } => sums.stop(request, Phase::Expired),
            Operation::Dispatch => sums.dispatch(),
            Operation::Hear { request, attempt, heard } => sums.hear(request, attempt, heard),
        }
        sums
    }
}
