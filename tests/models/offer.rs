//! An offer from its quote to the last return: versions, states, and what is taken, kept and given back, in whole units and by
//! multiplication alone.

use landfall::domain::asset::{Asset, AssetKind};
use landfall::domain::exact;
use landfall::domain::fee::{FeeItem, FeeKind};
use landfall::domain::money::Money;
use landfall::domain::offer::{OfferEvent, OfferStatus, ReturnedFees, Settlement, SettlementRest};
use landfall::domain::rate::{Price, Rate, Spread};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use rust_decimal::Decimal;

use crate::config;

const SCALE: u8 = 8;
const ONE: i128 = 100_000_000;

/// All in units: of the source's eighth decimal, and in cents.
#[derive(Clone, Debug)]
pub struct Terms {
    pub amount: i128,
    pub cents: i128,
    /// In cents for 10^6 of the source.
    pub price: i128,
    /// In thousandths.
    pub spread: i128,
    pub fees: [i128; 2],
    pub partner_fee: i128,
}

impl Terms {
    pub fn total(&self) -> i128 {
        self.amount + self.fees.iter().sum::<i128>() + self.partner_fee
    }

    /// What all of it takes: inventory, spread, rounding, fees, the partner's fee.
    fn full(&self) -> [i128; 6] {
        let inventory = up(self.cents * ONE * 10_000, self.price);
        let spread = self.amount * self.spread / 1_000;
        [inventory, spread, self.amount - inventory - spread, self.fees[0], self.fees[1], self.partner_fee]
    }

    /// What is taken once so many cents are paid.
    pub fn taken(&self, cents: i128) -> [i128; 6] {
        self.full().map(|whole| up(whole * cents, self.cents))
    }
}

/// The quotient, rounded up; nothing is negative here.
pub fn up(above: i128, below: i128) -> i128 {
    (above + below - 1) / below
}

#[derive(Clone, Debug)]
struct Paid {
    from: i128,
    to: i128,
    back: i128,
}

#[derive(Clone, Debug)]
struct Model {
    terms: Terms,
    version: i32,
    accepted: bool,
    over: bool,
    expired: bool,
    steps: Vec<Paid>,
    released: i128,
    given_back: i128,
    allowed: bool,
}

impl Model {
    fn cents(&self) -> i128 {
        self.steps.last().map_or(0, |step| step.to)
    }

    fn back(&self) -> i128 {
        self.steps.iter().map(|step| step.back).sum()
    }

    fn status(&self) -> OfferStatus {
        match self {
            Model { expired: true, .. } => OfferStatus::Expired,
            Model { accepted: false, .. } => OfferStatus::Quoted,
            Model { over: false, .. } => OfferStatus::Accepted,
            _ if self.back() > 0 => OfferStatus::Returned,
            _ if self.cents() == 0 => OfferStatus::Released,
            _ if self.cents() < self.terms.cents => OfferStatus::PartlyPaid,
            _ => OfferStatus::Paid,
        }
    }

    /// Of a step, what is given back without fees once so much of it has come back.
    fn owed(&self, step: &Paid, back: i128) -> i128 {
        let (before, after) = (self.terms.taken(step.from), self.terms.taken(step.to));
        (0..3).map(|term| (after[term] - before[term]) * back / (step.to - step.from)).sum()
    }
}

#[derive(Clone, Debug)]
enum Event {
    Reprice,
    /// With the version that was seen: the present one, or one before it.
    Accept {
        stale: bool,
    },
    Expire,
    /// So much of what is left, in percent.
    Pay {
        percent: u8,
    },
    Close,
    /// Of a step, so much of what hasn't come back, in percent.
    Return {
        step: usize,
        percent: u8,
    },
}

struct OfferModel;

impl ReferenceStateMachine for OfferModel {
    type State = Model;
    type Transition = Event;

    fn init_state() -> BoxedStrategy<Model> {
        (1..100_000_i128, 1_000..2_000_000_i128, 0..100_i128, 0..50_i128, [0..10 * ONE, 0..ONE], 0..ONE)
            .prop_map(|(cents, price, spread, surplus, fees, partner_fee)| {
                // Enough to buy the fiat after the spread, and some units that rounding leaves.
                let inventory = up(cents * ONE * 10_000, price);
                let amount = up(inventory * 1_000, 1_000 - spread) + surplus;
                let terms = Terms { amount, cents, price, spread, fees, partner_fee };
                Model {
                    terms,
                    version: 1,
                    accepted: false,
                    over: false,
                    expired: false,
                    steps: Vec::new(),
                    released: 0,
                    given_back: 0,
                    allowed: true,
                }
            })
            .boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Event> {
        let any = prop_oneof![
            Just(Event::Reprice),
            any::<bool>().prop_map(|stale| Event::Accept { stale }),
            Just(Event::Expire),
            Just(Event::Close),
            (0..=100_u8).prop_map(|percent| Event::Pay { percent }),
            (0..4_usize, 1..=100_u8).prop_map(|(step, percent)| Event::Return { step, percent }),
        ];
        let pay = (1..=100_u8).prop_map(|percent| Event::Pay { percent });
        let back = (0..4_usize, 1..=100_u8).prop_map(|(step, percent)| Event::Return { step, percent });
        match (model.accepted, model.over) {
            (false, _) => prop_oneof![2 => any, 1 => Just(Event::Accept { stale: false })].boxed(),
            (true, false) => prop_oneof![1 => any, 3 => pay, 1 => back].boxed(),
            (true, true) => prop_oneof![1 => any, 2 => back].boxed(),
        }
    }

    fn apply(mut model: Model, event: &Event) -> Model {
        let open = model.accepted && !model.over;
        let quoted = !model.accepted && !model.expired;
        model.allowed = match event {
            Event::Reprice | Event::Expire => quoted,
            Event::Accept { stale } => quoted && !stale,
            Event::Pay { .. } | Event::Close => open,
            Event::Return { step, .. } => {
                model.steps.get(*step).is_some_and(|step| step.back == 0 && step.to > step.from)
            }
        };
        if !model.allowed {
            return model;
        }
        match event {
            Event::Reprice => model.version += 1,
            Event::Accept { .. } => model.accepted = true,
            Event::Expire => model.expired = true,
            Event::Pay { percent } => {
                let from = model.cents();
                let to = from + (model.terms.cents - from) * i128::from(*percent) / 100;
                model.steps.push(Paid { from, to, back: 0 });
            }
            Event::Close => {
                model.over = true;
                model.released = model.terms.total() - model.terms.taken(model.cents()).iter().sum::<i128>();
            }
            Event::Return { step, percent } => {
                let mut paid = model.steps[*step].clone();
                paid.back = ((paid.to - paid.from) * i128::from(*percent) / 100).max(1);
                model.given_back += model.owed(&paid, paid.back);
                model.steps[*step] = paid;
            }
        }
        model
    }
}

/// The domain's own, with what it said adds up to.
struct Offer {
    settlement: Settlement,
    status: OfferStatus,
    version: i32,
    taken: Decimal,
    released: Decimal,
    given_back: Decimal,
}

fn units(count: i128) -> Decimal {
    exact::from_units(count, SCALE).unwrap()
}

fn cents(count: i128) -> Decimal {
    exact::from_units(count, 2).unwrap()
}

struct OfferTest;

impl StateMachineTest for OfferTest {
    type SystemUnderTest = Offer;
    type Reference = OfferModel;

    fn init_test(model: &Model) -> Offer {
        let asset = |code: &str, kind, scale| Asset { code: code.parse().unwrap(), kind, scale };
        let usdt = |count| Money::from_units(count, asset("USDT", AssetKind::Crypto, SCALE)).unwrap();
        let terms = &model.terms;
        let eur = Money::from_units(terms.cents, asset("EUR", AssetKind::Fiat, 2)).unwrap();
        let rate = Rate {
            price: Price::new(exact::from_units(terms.price, 6).unwrap()).unwrap(),
            spread: Spread::new(exact::from_units(terms.spread, 3).unwrap()).unwrap(),
        };
        let item = |kind, count| FeeItem { kind, amount: units(count) };
        let fees = [
            item(FeeKind::Transaction, terms.fees[0]),
            item(FeeKind::Fixed, terms.fees[1]),
            item(FeeKind::Partner, terms.partner_fee),
        ];
        let settlement = Settlement::new(&usdt(terms.amount), &eur, &usdt(terms.total()), &rate, &fees).unwrap();
        let zero = Decimal::ZERO;
        Offer { settlement, status: OfferStatus::Quoted, version: 1, taken: zero, released: zero, given_back: zero }
    }

    fn apply(mut offer: Offer, model: &Model, event: Event) -> Offer {
        let before = offer.status;
        let took = match event {
            Event::Reprice => offer.follow(OfferEvent::Reprice).inspect(|()| offer.version += 1),
            // Refused before its state is asked.
            Event::Accept { stale: true } => Err(()),
            Event::Accept { stale: false } => offer.follow(OfferEvent::Accept),
            Event::Expire => offer.follow(OfferEvent::Expire),
            Event::Pay { .. } if offer.status != OfferStatus::Accepted => Err(()),
            Event::Pay { .. } => {
                let paid = model.steps.last().unwrap();
                offer.pay(cents(paid.from), cents(paid.to));
                // Told again, the step takes nothing.
                offer.pay(cents(paid.to), cents(paid.to));
                Ok(())
            }
            Event::Close => {
                let paid = cents(model.cents());
                let end = match model.cents() {
                    0 => OfferEvent::Release,
                    some if some < model.terms.cents => OfferEvent::PayInPart,
                    _ => OfferEvent::PayInFull,
                };
                let closed = offer.follow(end);
                if closed.is_ok() {
                    offer.released = offer.settlement.settle(paid, paid, SettlementRest::Released).unwrap().released;
                    if model.back() > 0 {
                        offer.follow(OfferEvent::Return).unwrap();
                    }
                }
                closed
            }
            Event::Return { .. } if !model.allowed => Err(()),
            Event::Return { step, .. } => {
                let paid = &model.steps[step];
                let of = (cents(paid.from), cents(paid.to));
                let terms =
                    offer.settlement.give_back_of(of, Decimal::ZERO, cents(paid.back), ReturnedFees::Kept).unwrap();
                offer.given_back += terms.to_user;
                if offer.status != OfferStatus::Accepted {
                    offer.follow(OfferEvent::Return).unwrap();
                }
                Ok(())
            }
        };
        assert_eq!(took.is_ok(), model.allowed);
        if took.is_err() {
            assert_eq!(offer.status, before);
        }
        offer
    }

    fn check_invariants(offer: &Offer, model: &Model) {
        assert_eq!((offer.status, offer.version), (model.status(), model.version));
        let taken: i128 = model.terms.taken(model.cents()).iter().sum();
        assert_eq!(offer.taken, units(taken));
        assert_eq!((offer.released, offer.given_back), (units(model.released), units(model.given_back)));
        // What is held now is what nothing else has: never below zero, and nothing at all once it is over.
        let held = units(model.terms.total()) - offer.taken - offer.released;
        assert!(held >= Decimal::ZERO && offer.given_back <= offer.taken && offer.released >= Decimal::ZERO);
        assert!(!model.over || held.is_zero());
    }

    fn teardown(offer: Offer, model: Model) {
        // Whatever the steps were, they come to one.
        let all = offer.settlement.settle(Decimal::ZERO, cents(model.cents()), SettlementRest::Released).unwrap();
        let fees: Decimal = all.fees.iter().map(|item| item.amount).sum();
        assert_eq!(offer.taken, all.house_inventory + all.spread_income + all.rounding + fees + all.partner_fee);
        assert_eq!(offer.taken + all.released, units(model.terms.total()));
    }
}

impl Offer {
    fn follow(&mut self, event: OfferEvent) -> Result<(), ()> {
        self.status = self.status.apply(event).map_err(|_| ())?;
        Ok(())
    }

    fn pay(&mut self, from: Decimal, to: Decimal) {
        let terms = self.settlement.settle(from, to, SettlementRest::StaysHeld).unwrap();
        let parts = [terms.house_inventory, terms.spread_income, terms.rounding, terms.partner_fee];
        let fees = terms.fees.iter().map(|item| item.amount);
        for part in parts.into_iter().chain(fees) {
            assert!(part >= Decimal::ZERO);
            self.taken += part;
        }
    }
}

prop_state_machine! {
    #![proptest_config(config(400))]

    #[test]
    fn nothing_of_an_offer_vanishes_whatever_happens_to_it(sequential 1..20 => OfferTest);
}
