//! What the provider, and the network before it, do with a send.

use chrono::TimeDelta;
use landfall::domain::payout::Resolution;
use landfall::providers::provider::{Outcome, ProviderIds};
use rust_decimal::Decimal;

use super::{Books, Fate, Payment, SETTLING_SECS, Transit, declined, processed, told};

/// Between us and the provider.
#[derive(Clone, Copy, PartialEq)]
enum Wire {
    Whole,
    /// Not one byte left.
    Refused,
    /// Bytes left, and none arrived.
    LostOnTheWay,
    /// They arrive later than anybody waits.
    HeldBack,
    AnswerLost,
    /// A body that can't be what it says.
    Garbled,
}

/// What it does with an order that it sees for the first time.
#[derive(Clone, Copy)]
enum Act {
    Pay,
    PayInPart,
    PayMore,
    PayLater,
    DeclineRoute,
    DeclineCard,
    DeclineLater,
    /// Says that it declines, and pays.
    Lie,
    PayAndReturn,
    PayAndReturnInPart,
    /// Says too many requests, and keeps nothing.
    TooMany,
    /// An internal error, and keeps nothing.
    ErrorUntaken,
    /// An internal error, and pays.
    ErrorTaken,
}

impl Books {
    /// A send as the caller sees it.
    pub fn send(&mut self, lane: &str, reference: &str, amount: Decimal, may_repeat: bool) -> Outcome {
        "paid".clone_into(&mut self.last);
        let now = self.now();
        let wire = self.wire(lane);
        match wire {
            Wire::Refused => {
                self.fault("connection refused");
                return Outcome::NotSent { why: "connection refused".to_owned() };
            }
            Wire::LostOnTheWay => {
                self.fault("request lost");
                return unknown("no answer");
            }
            Wire::HeldBack => {
                let millis = self.draw.millis();
                let at = now + TimeDelta::milliseconds(millis);
                self.fault("request held back by the network");
                let (lane, reference) = (lane.to_owned(), reference.to_owned());
                self.transit.push(Transit { at, lane, reference, amount, may_repeat });
                return unknown("no answer");
            }
            Wire::Whole | Wire::AnswerLost | Wire::Garbled => {}
        }
        let answer = self.arrive(lane, reference, amount, may_repeat);
        match (wire, &answer) {
            (Wire::AnswerLost, _) => {
                self.fault("answer lost");
                unknown("connection reset")
            }
            (Wire::Garbled, Outcome::Processed { amount, .. }) => {
                let amount = *amount + Decimal::new(1, 3);
                self.fault("amount that the currency doesn't have");
                processed(amount)
            }
            _ => answer,
        }
    }

    fn wire(&mut self, lane: &str) -> Wire {
        if self.calm {
            return Wire::Whole;
        }
        let state = &self.lanes[lane];
        let wild = state.wild;
        if state.outage_until.is_some_and(|until| self.now() < until) {
            let wire = self.draw.of(&[Wire::Refused, Wire::Refused, Wire::LostOnTheWay, Wire::AnswerLost]);
            self.tally.note("fault", "outage of a provider account");
            return wire;
        }
        if !self.draw.percent(wild) {
            return Wire::Whole;
        }
        self.draw.weighted(&[
            (62, Wire::Whole),
            (7, Wire::Refused),
            (8, Wire::LostOnTheWay),
            (9, Wire::HeldBack),
            (12, Wire::AnswerLost),
            (1, Wire::Garbled),
        ])
    }

    /// An order reaches the provider.
    pub(super) fn arrive(&mut self, lane: &str, reference: &str, amount: Decimal, may_repeat: bool) -> Outcome {
        if let Some(known) = self.payments.get(reference) {
            if may_repeat {
                return told(known);
            }
            // It promised nothing about repeats.
            self.broken.push(format!("{reference} was sent again to a provider that pays each time"));
            return told(known);
        }
        let act = self.act(lane);
        let now = self.now();
        let whole = processed(amount);
        let lacks = self.lanes[lane].balance < amount;
        if lacks && self.lanes[lane].tainted {
            self.take(lane, reference, Fate::Declined(Resolution::InsufficientFunds));
            self.fault("provider account without funds");
            return declined(Resolution::InsufficientFunds);
        }
        match act {
            Act::TooMany => {
                self.fault("too many requests");
                return declined(Resolution::RateLimited);
            }
            Act::ErrorUntaken => {
                self.fault("internal error, not taken");
                return unknown("500");
            }
            Act::DeclineRoute => {
                self.fault("declined for the route");
                self.take(lane, reference, Fate::Declined(Resolution::DeclinedError));
                return declined(Resolution::DeclinedError);
            }
            Act::DeclineCard => {
                self.fault("declined for the card");
                self.take(lane, reference, Fate::Declined(Resolution::CardRestricted));
                return declined(Resolution::CardRestricted);
            }
            Act::Lie => {
                self.fault("declined, and paid all the same");
                self.take(lane, reference, Fate::Declined(Resolution::DeclinedError));
                let at = self.later();
                self.payments.get_mut(reference).unwrap().pays_all_the_same = Some((at, amount));
                return declined(Resolution::DeclinedError);
            }
            Act::PayLater | Act::DeclineLater => {
                let pays = matches!(act, Act::PayLater).then_some(amount);
                self.fault(if pays.is_some() { "paid later" } else { "declined later" });
                let until = self.later();
                self.take(lane, reference, Fate::Pending { until, pays });
                return Outcome::Pending { ids: ProviderIds::default() };
            }
            Act::Pay
            | Act::PayInPart
            | Act::PayMore
            | Act::PayAndReturn
            | Act::PayAndReturnInPart
            | Act::ErrorTaken => {}
        }
        self.take(lane, reference, Fate::Pending { until: now, pays: None });
        let cents = usize::try_from((amount * Decimal::ONE_HUNDRED).mantissa().max(2)).unwrap_or(2);
        let share = Decimal::new(i64::try_from(self.draw.between(1, cents.max(2) - 1)).unwrap(), 2).min(amount);
        match act {
            Act::PayInPart => {
                self.fault("paid in part");
                self.pay(reference, share);
                processed(share)
            }
            Act::PayMore => {
                self.fault("paid more than asked");
                let more = amount + Decimal::new(i64::try_from(self.draw.between(1, 2_000)).unwrap(), 2);
                self.lanes.get_mut(lane).unwrap().tainted = true;
                self.pay(reference, more);
                processed(more)
            }
            Act::PayAndReturn | Act::PayAndReturnInPart => {
                let is_whole = matches!(act, Act::PayAndReturn);
                self.fault(if is_whole { "paid and returned" } else { "paid and returned in part" });
                let at = self.later();
                let back = if is_whole { amount } else { share };
                self.pay(reference, amount);
                self.payments.get_mut(reference).unwrap().comes_back = Some((at, back));
                whole
            }
            Act::ErrorTaken => {
                self.fault("internal error, and paid");
                self.pay(reference, amount);
                unknown("500")
            }
            _ => {
                self.pay(reference, amount);
                whole
            }
        }
    }

    fn act(&mut self, lane: &str) -> Act {
        let wild = self.lanes[lane].wild;
        if self.calm || !self.draw.percent(wild) {
            return Act::Pay;
        }
        self.draw.weighted(&[
            (20, Act::Pay),
            (12, Act::PayInPart),
            (1, Act::PayMore),
            (9, Act::PayLater),
            (12, Act::DeclineRoute),
            (1, Act::DeclineCard),
            (5, Act::DeclineLater),
            (2, Act::Lie),
            (2, Act::PayAndReturn),
            (1, Act::PayAndReturnInPart),
            (9, Act::TooMany),
            (4, Act::ErrorUntaken),
            (5, Act::ErrorTaken),
        ])
    }

    fn take(&mut self, lane: &str, reference: &str, fate: Fate) {
        let now = self.now();
        let hidden = !self.calm && self.draw.percent(20);
        let millis = self.draw.below(usize::try_from(SETTLING_SECS * 1_000).unwrap());
        let visible_at = if hidden { now + TimeDelta::milliseconds(i64::try_from(millis).unwrap()) } else { now };
        let payment = Payment {
            lane: lane.to_owned(),
            fate,
            paid: Decimal::ZERO,
            returned: Decimal::ZERO,
            pays_all_the_same: None,
            lied: false,
            visible_at,
            comes_back: None,
        };
        self.payments.insert(reference.to_owned(), payment);
    }

    /// A look-up as the caller sees it.
    pub fn inquire(&mut self, reference: &str) -> Outcome {
        if !self.calm && self.draw.percent(6) {
            self.fault("inquiry without an answer");
            return unknown("no answer");
        }
        let now = self.now();
        match self.payments.get(reference) {
            Some(payment) if payment.visible_at <= now => told(payment),
            Some(_) => {
                self.fault("inquiry before the payment can be seen");
                Outcome::NotFound
            }
            None => Outcome::NotFound,
        }
    }

    /// A balance as the caller sees it.
    pub fn balance(&mut self, lane: &str) -> Option<Decimal> {
        if !self.calm && self.draw.percent(10) {
            self.fault("balance without an answer");
            return None;
        }
        Some(self.lanes[lane].balance)
    }
}

fn unknown(why: &str) -> Outcome {
    Outcome::Unknown { why: why.to_owned() }
}
