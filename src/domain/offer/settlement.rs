//! What a settlement takes from the held total, and what a return gives back: the figures for the ledger's entries. Posts nothing.
//!
//! Each term of a settlement is a share of the offer's full term, in proportion to the fiat processed so far, rounded up, less what was
//! settled before. So partial settlements add up to the full terms exactly when everything is processed, whatever the steps were, and
//! rounding is never in the user's favour before that.

use rust_decimal::Decimal;

use super::pricing::Quote;
use crate::domain::exact::{self, ArithmeticError, Rounding};
use crate::domain::fee::{FeeItem, FeeKind};
use crate::domain::money::Money;
use crate::domain::rate::Rate;

/// Why there is no settlement for these figures.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettlementError {
    #[error("the offer's figures contradict each other: {0}")]
    Inconsistent(&'static str),
    #[error("processed so far goes from 0 up to {amount_to}, not from {before} to {after}")]
    Processed { before: Decimal, after: Decimal, amount_to: Decimal },
    #[error("returned so far goes from 0 up to the {processed} processed, not from {before} to {after}")]
    Returned { before: Decimal, after: Decimal, processed: Decimal },
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
}

/// Whether the held rest goes back to the user with this settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettlementRest {
    /// More may still be processed.
    StaysHeld,
    /// Nothing more will be processed.
    Released,
}

/// Whether fees come back with a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReturnedFees {
    Kept,
    GivenBack,
}

/// What one settlement takes from the held total, in units of the source. Nothing is negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettlementTerms {
    pub house_inventory: Decimal,
    pub spread_income: Decimal,
    pub rounding: Decimal,
    /// The house's own fees, in the quote's order.
    pub fees: Vec<FeeItem>,
    pub partner_fee: Decimal,
    /// Back to the user.
    pub released: Decimal,
}

/// What one return gives back to the user, and out of what, in units of the source. Nothing is negative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTerms {
    pub house_inventory: Decimal,
    pub spread_income: Decimal,
    pub rounding: Decimal,
    /// The house's own fees; zeros when fees are kept.
    pub fees: Vec<FeeItem>,
    pub partner_fee: Decimal,
    /// The sum of the above.
    pub to_user: Decimal,
}

/// An accepted offer's full terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// What is to reach the card.
    amount_to: Decimal,
    total: Decimal,
    /// The source's, which every share is rounded to.
    scale: u8,
    full: Shares,
}

/// The parts that a total is made of, or some of each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shares {
    house_inventory: Decimal,
    spread_income: Decimal,
    rounding: Decimal,
    fees: Vec<FeeItem>,
    partner_fee: Decimal,
}

impl Settlement {
    /// The terms of a quote as it was accepted.
    pub fn of(quote: &Quote) -> Result<Self, SettlementError> {
        Self::new(&quote.amount, &quote.amount_to, &quote.total, &quote.rate, &quote.fees)
    }

    /// Full terms: inventory `C = ceil(amount_to / price)`, spread `floor(amount x spread)`, and what the amount has left over as
    /// rounding. Refuses figures that leave a negative rounding or don't make up the total.
    pub fn new(
        amount: &Money,
        amount_to: &Money,
        total: &Money,
        rate: &Rate,
        fees: &[FeeItem],
    ) -> Result<Self, SettlementError> {
        let scale = amount.asset().scale;
        let house_inventory = exact::div(amount_to.amount(), rate.price.value(), scale, Rounding::Up)?;
        let spread_income = exact::mul(amount.amount(), rate.spread.value(), scale, Rounding::Down)?;
        let rounding = exact::sub(exact::sub(amount.amount(), house_inventory)?, spread_income)?;
        let (partner, own): (Vec<FeeItem>, Vec<FeeItem>) =
            fees.iter().copied().partition(|item| item.kind == FeeKind::Partner);
        let partner_fee = partner.iter().try_fold(Decimal::ZERO, |sum, item| exact::add(sum, item.amount))?;
        let full = Shares { house_inventory, spread_income, rounding, fees: own, partner_fee };
        let settlement = Self { amount_to: amount_to.amount(), total: total.amount(), scale, full };
        settlement.check(amount, total, fees)?;
        Ok(settlement)
    }

    fn check(&self, amount: &Money, total: &Money, fees: &[FeeItem]) -> Result<(), SettlementError> {
        let wrong = |what| Err(SettlementError::Inconsistent(what));
        if self.amount_to <= Decimal::ZERO {
            return wrong("nothing is to reach the card");
        }
        if total.asset() != amount.asset() {
            return wrong("the total is not in the amount's asset");
        }
        if self.full.rounding < Decimal::ZERO {
            return wrong("the amount doesn't cover what is to reach the card");
        }
        if fees.iter().any(|item| item.amount < Decimal::ZERO) {
            return wrong("a fee is negative");
        }
        if fees.iter().any(|item| item.amount.normalize().scale() > u32::from(self.scale)) {
            return wrong("a fee has more decimals than its currency");
        }
        if self.full.sum()? != self.total {
            return wrong("amount and fees don't make up the total");
        }
        Ok(())
    }

    /// What is taken when the fiat processed so far goes from `before` to `after`. The same step asked for again takes nothing:
    /// its `before` is then its `after`. A failed payout is `settle(0, 0, Released)`.
    pub fn settle(
        &self,
        before: Decimal,
        after: Decimal,
        rest: SettlementRest,
    ) -> Result<SettlementTerms, SettlementError> {
        if before < Decimal::ZERO || after < before || after > self.amount_to {
            return Err(SettlementError::Processed { before, after, amount_to: self.amount_to });
        }
        let settled = self.settled(after)?;
        let released = match rest {
            SettlementRest::StaysHeld => Decimal::ZERO,
            SettlementRest::Released => exact::sub(self.total, settled.sum()?)?,
        };
        let step = settled.less(&self.settled(before)?)?;
        Ok(SettlementTerms {
            house_inventory: step.house_inventory,
            spread_income: step.spread_income,
            rounding: step.rounding,
            fees: step.fees,
            partner_fee: step.partner_fee,
            released,
        })
    }

    /// What goes back to the user when, of the fiat `processed`, what came back so far goes from `before` to `after`. Shares round down,
    /// so that never more is given back than was taken, and everything taken is given back when everything came back.
    pub fn give_back(
        &self,
        processed: Decimal,
        before: Decimal,
        after: Decimal,
        fees: ReturnedFees,
    ) -> Result<ReturnTerms, SettlementError> {
        self.give_back_of((Decimal::ZERO, processed), before, after, fees)
    }

    /// What goes back to the user of one step of the settlement, in which the fiat processed so far went from `paid.0` to `paid.1`,
    /// when what came back of that fiat goes from `before` to `after`. What is processed later doesn't change it, so it may come back
    /// before everything is processed. Rounds as [`Settlement::give_back`].
    pub fn give_back_of(
        &self,
        paid: (Decimal, Decimal),
        before: Decimal,
        after: Decimal,
        fees: ReturnedFees,
    ) -> Result<ReturnTerms, SettlementError> {
        let (from, to) = paid;
        if from < Decimal::ZERO || to < from || to > self.amount_to {
            return Err(SettlementError::Processed { before: from, after: to, amount_to: self.amount_to });
        }
        let processed = exact::sub(to, from)?;
        if before < Decimal::ZERO || after < before || after > processed {
            return Err(SettlementError::Returned { before, after, processed });
        }
        let taken = self.settled(to)?.less(&self.settled(from)?)?;
        let taken = match fees {
            ReturnedFees::GivenBack => taken,
            ReturnedFees::Kept => taken.without_fees(),
        };
        let returned = |so_far| taken.share(so_far, processed, self.scale, Rounding::Down);
        let step = returned(after)?.less(&returned(before)?)?;
        Ok(ReturnTerms {
            to_user: step.sum()?,
            house_inventory: step.house_inventory,
            spread_income: step.spread_income,
            rounding: step.rounding,
            fees: step.fees,
            partner_fee: step.partner_fee,
        })
    }

    /// All that is taken once `processed` of the fiat is.
    fn settled(&self, processed: Decimal) -> Result<Shares, ArithmeticError> {
        self.full.share(processed, self.amount_to, self.scale, Rounding::Up)
    }
}

impl Shares {
    /// `part / whole` of each; nothing of a whole that is nothing.
    fn share(&self, part: Decimal, whole: Decimal, scale: u8, rounding: Rounding) -> Result<Self, ArithmeticError> {
        let of = |full| match whole.is_zero() {
            true => exact::from_units(0, scale),
            false => exact::mul_div(full, part, whole, scale, rounding),
        };
        let fee = |item: &FeeItem| Ok(FeeItem { kind: item.kind, amount: of(item.amount)? });
        Ok(Self {
            house_inventory: of(self.house_inventory)?,
            spread_income: of(self.spread_income)?,
            rounding: of(self.rounding)?,
            fees: self.fees.iter().map(fee).collect::<Result<_, _>>()?,
            partner_fee: of(self.partner_fee)?,
        })
    }

    /// What these are above `other`, part by part.
    fn less(&self, other: &Self) -> Result<Self, ArithmeticError> {
        let fee = |(own, other): (&FeeItem, &FeeItem)| {
            Ok(FeeItem { kind: own.kind, amount: exact::sub(own.amount, other.amount)? })
        };
        Ok(Self {
            house_inventory: exact::sub(self.house_inventory, other.house_inventory)?,
            spread_income: exact::sub(self.spread_income, other.spread_income)?,
            rounding: exact::sub(self.rounding, other.rounding)?,
            fees: self.fees.iter().zip(&other.fees).map(fee).collect::<Result<_, _>>()?,
            partner_fee: exact::sub(self.partner_fee, other.partner_fee)?,
        })
    }

    fn sum(&self) -> Result<Decimal, ArithmeticError> {
        let parts = [self.spread_income, self.rounding, self.partner_fee];
        let parts = parts.into_iter().chain(self.fees.iter().map(|item| item.amount));
        parts.into_iter().try_fold(self.house_inventory, exact::add)
    }

    fn without_fees(mut self) -> Self {
        self.partner_fee = Decimal::ZERO;
        self.fees.iter_mut().for_each(|item| item.amount = Decimal::ZERO);
        self
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::{Asset, AssetKind};
    use crate::domain::rate::{Price, Spread};

    fn money(amount: Decimal, code: &str, scale: u8) -> Money {
        Money::new(amount, Asset { code: code.parse().unwrap(), kind: AssetKind::Crypto, scale }).unwrap()
    }

    fn usdt(amount: Decimal) -> Money {
        money(amount, "USDT", 8)
    }

    fn item(kind: FeeKind, amount: Decimal) -> FeeItem {
        FeeItem { kind, amount }
    }

    fn fees() -> Vec<FeeItem> {
        vec![
            item(FeeKind::Transaction, dec!(26.60217340)),
            item(FeeKind::Fixed, dec!(2.68903948)),
            item(FeeKind::Partner, dec!(1)),
        ]
    }

    fn rate() -> Rate {
        Rate { price: Price::new(dec!(0.9297)).unwrap(), spread: Spread::new(dec!(0.02)).unwrap() }
    }

    fn published() -> Settlement {
        let total = usdt(dec!(790.35330985));
        Settlement::new(&usdt(dec!(760.06209697)), &money(dec!(692.49), "EUR", 2), &total, &rate(), &fees()).unwrap()
    }

    #[test]
    fn a_paid_offer_takes_its_full_terms() {
        let terms = published().settle(dec!(0), dec!(692.49), SettlementRest::Released).unwrap();
        assert_eq!(terms.house_inventory, dec!(744.85317845));
        assert_eq!(terms.spread_income, dec!(15.20124193));
        assert_eq!(terms.rounding, dec!(0.00767659));
        assert_eq!(terms.fees, fees()[..2]);
        assert_eq!(terms.partner_fee, dec!(1));
        assert_eq!(terms.released, dec!(0));
    }

    #[test]
    fn a_failed_offer_gives_everything_back() {
        let terms = published().settle(dec!(0), dec!(0), SettlementRest::Released).unwrap();
        assert_eq!(terms.released, dec!(790.35330985));
        assert_eq!((terms.house_inventory, terms.spread_income, terms.rounding), (dec!(0), dec!(0), dec!(0)));
        assert_eq!(terms.partner_fee, dec!(0));
    }

    #[test]
    fn a_partly_paid_offer_takes_its_share_and_releases_the_rest() {
        let terms = published().settle(dec!(0), dec!(230.83), SettlementRest::Released).unwrap();
        assert_eq!(terms.house_inventory, dec!(248.28439282));
        assert_eq!(terms.spread_income, dec!(5.06708065));
        assert_eq!(terms.fees[1].amount, dec!(0.89634650));
        // Shares of whole amounts keep the currency's decimals.
        assert_eq!(terms.partner_fee, dec!(0.33333334));
        let held = published().settle(dec!(0), dec!(230.83), SettlementRest::StaysHeld).unwrap();
        assert_eq!(held.released, dec!(0));
    }

    #[test]
    fn the_same_step_again_takes_nothing() {
        let terms = published().settle(dec!(100), dec!(100), SettlementRest::StaysHeld).unwrap();
        assert_eq!((terms.house_inventory, terms.partner_fee, terms.released), (dec!(0), dec!(0), dec!(0)));
    }

    #[test]
    fn more_than_was_asked_for_or_less_than_before_is_refused() {
        for (before, after) in [(dec!(0), dec!(692.50)), (dec!(-1), dec!(1)), (dec!(5), dec!(4))] {
            let refused = published().settle(before, after, SettlementRest::StaysHeld);
            assert!(matches!(refused, Err(SettlementError::Processed { .. })), "{before} {after}");
        }
        for (processed, before, after) in [(dec!(100), dec!(0), dec!(100.01)), (dec!(100), dec!(5), dec!(4))] {
            let refused = published().give_back(processed, before, after, ReturnedFees::Kept);
            assert!(matches!(refused, Err(SettlementError::Returned { .. })), "{before} {after}");
        }
        let refused = published().give_back(dec!(692.50), dec!(0), dec!(1), ReturnedFees::Kept);
        assert!(matches!(refused, Err(SettlementError::Processed { .. })));
    }

    #[test]
    fn a_full_return_gives_back_what_was_taken_and_fees_only_if_so_configured() {
        let all = dec!(692.49);
        let kept = published().give_back(all, dec!(0), all, ReturnedFees::Kept).unwrap();
        assert_eq!(kept.to_user, dec!(760.06209697));
        let given = published().give_back(all, dec!(0), all, ReturnedFees::GivenBack).unwrap();
        assert_eq!(given.to_user, dec!(790.35330985));
        assert_eq!((given.fees, given.partner_fee), (fees()[..2].to_vec(), dec!(1)));
        let nothing = published().give_back(dec!(0), dec!(0), dec!(0), ReturnedFees::GivenBack).unwrap();
        assert_eq!(nothing.to_user, dec!(0));
    }

    #[test]
    fn a_step_gives_back_what_it_took_whatever_was_processed_before_or_after() {
        let kept = ReturnedFees::Kept;
        let taken = |from, to| {
            let terms = published().settle(from, to, SettlementRest::StaysHeld).unwrap();
            terms.house_inventory + terms.spread_income + terms.rounding
        };
        let mut back = dec!(0);
        for (from, to) in [(dec!(0), dec!(100.01)), (dec!(100.01), dec!(333.33)), (dec!(333.33), dec!(692.49))] {
            let all = published().give_back_of((from, to), dec!(0), to - from, kept).unwrap().to_user;
            assert_eq!(all, taken(from, to));
            let some = published().give_back_of((from, to), dec!(0), dec!(7.77), kept).unwrap().to_user;
            let rest = published().give_back_of((from, to), dec!(7.77), to - from, kept).unwrap().to_user;
            assert_eq!(some + rest, all);
            back += all;
        }
        assert_eq!(back, dec!(760.06209697));
        for (paid, after) in
            [((dec!(5), dec!(4)), dec!(0)), ((dec!(1), dec!(692.50)), dec!(0)), ((dec!(5), dec!(9)), dec!(4.01))]
        {
            assert!(published().give_back_of(paid, dec!(0), after, kept).is_err(), "{paid:?} {after}");
        }
    }

    #[test]
    fn figures_that_contradict_each_other_are_refused() {
        let new = |amount, to, total, fees: &[FeeItem]| {
            Settlement::new(&usdt(amount), &money(to, "EUR", 2), &usdt(total), &rate(), fees)
        };
        let refused = |settlement| matches!(settlement, Err(SettlementError::Inconsistent(_)));
        assert!(new(dec!(100), dec!(91.11), dec!(100), &[]).is_ok());
        assert!(refused(new(dec!(100), dec!(91.12), dec!(100), &[])));
        assert!(refused(new(dec!(100), dec!(0), dec!(100), &[])));
        assert!(refused(new(dec!(100), dec!(91.11), dec!(100.1), &[])));
        assert!(refused(new(dec!(100), dec!(91.11), dec!(99), &[item(FeeKind::Fixed, dec!(-1))])));
        let fine = [item(FeeKind::Fixed, dec!(0.0000000001))];
        assert!(refused(new(dec!(100), dec!(91.11), dec!(100), &fine)));
    }
}
