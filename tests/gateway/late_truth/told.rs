//! What a provider says of a payout, and what must be believed of it: a reference of its own, that knows neither statuses nor tables.

use std::collections::BTreeSet;

use landfall::domain::payout::Resolution;
use landfall::providers::provider::{Outcome, ProviderIds};
use rust_decimal::{Decimal, dec};

/// What is told, in relation to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Paid,
    PaidLess,
    PaidMore,
    DeclinedForRoute,
    DeclinedForCard,
    Pending,
    NotFound,
    /// All of what was paid or, of one that isn't known to be, of what was asked.
    Returned,
    /// Three of it.
    ReturnedThree,
    /// No answer.
    Nothing,
}

/// What is known of a payout that was sent.
#[derive(Clone, Debug)]
pub struct Told {
    pub asked: Decimal,
    pub paid: Decimal,
    pub returned: Decimal,
    pub is_refused: bool,
    /// Kinds of cases that there have to be.
    pub cases: BTreeSet<&'static str>,
}

impl Told {
    pub fn new(asked: Decimal) -> Self {
        Self { asked, paid: Decimal::ZERO, returned: Decimal::ZERO, is_refused: false, cases: BTreeSet::new() }
    }

    /// Nobody has said how it ended.
    pub fn is_open(&self) -> bool {
        self.paid.is_zero() && !self.is_refused
    }

    /// The success came after a refusal had been believed.
    pub fn is_late(&self) -> bool {
        self.is_refused && !self.paid.is_zero()
    }

    pub fn outcome(&self, heard: Heard) -> Outcome {
        let ids = ProviderIds::default();
        let declined = |resolution| Outcome::Declined { resolution, code: "no".to_owned(), message: "told".to_owned() };
        let processed = |amount| Outcome::Processed { amount, ids: ProviderIds::default() };
        match heard {
            Heard::Paid => processed(self.asked),
            Heard::PaidLess => processed((self.asked / dec!(2)).round_dp(2)),
            Heard::PaidMore => processed(self.asked + dec!(1)),
            Heard::DeclinedForRoute => declined(Resolution::DeclinedError),
            Heard::DeclinedForCard => declined(Resolution::CardRestricted),
            Heard::Pending => Outcome::Pending { ids },
            Heard::NotFound => Outcome::NotFound,
            Heard::Returned => {
                Outcome::Returned { amount: if self.paid.is_zero() { self.asked } else { self.paid }, ids }
            }
            Heard::ReturnedThree => Outcome::Returned { amount: dec!(3), ids },
            Heard::Nothing => Outcome::unknown("no answer"),
        }
    }

    /// The first success and the first return count; what contradicts them is for a person. A refusal from a lease that is over counts
    /// for nothing while the question is open.
    pub fn hear(&mut self, outcome: &Outcome, is_stale: bool) {
        match outcome {
            Outcome::Processed { amount, .. } if self.paid.is_zero() => {
                self.paid = *amount;
                if self.is_refused {
                    self.cases.insert("late_success");
                } else if *amount > self.asked {
                    self.cases.insert("processed_more_than_asked");
                }
            }
            Outcome::Processed { amount, .. } if *amount != self.paid => {
                self.cases.insert("processed_amount_changed");
            }
            Outcome::Declined { .. } if self.is_open() && !is_stale => self.is_refused = true,
            Outcome::Declined { .. } if !self.paid.is_zero() && !self.is_late() && self.returned.is_zero() => {
                self.cases.insert("declined_after_success");
            }
            Outcome::Returned { amount, .. } => self.hear_of_return(*amount),
            _ => {}
        }
    }

    fn hear_of_return(&mut self, amount: Decimal) {
        if !self.returned.is_zero() {
            if amount != self.returned {
                self.cases.insert("return_does_not_fit");
            }
            return;
        }
        // Only a whole return tells how much had been paid.
        let paid = if self.paid.is_zero() { self.asked } else { self.paid };
        if amount > paid || (self.paid.is_zero() && amount != self.asked) {
            self.cases.insert("return_does_not_fit");
            return;
        }
        if self.paid.is_zero() && self.is_refused {
            self.cases.insert("late_success");
        }
        self.paid = paid;
        self.returned = amount;
    }
}
