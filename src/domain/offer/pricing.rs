//! What a payout costs and what it brings: from either side to a quote. Pure arithmetic over a rate and a tariff that are handed in.
//!
//! The house never loses a unit to rounding: the fiat that the user receives rounds down, the crypto that the user is charged rounds up.

use rust_decimal::Decimal;

use crate::domain::asset::Asset;
use crate::domain::exact::{self, ArithmeticError, Rounding};
use crate::domain::fee::{FeeItem, FeeTariff};
use crate::domain::money::{Money, MoneyError};
use crate::domain::rate::Rate;

/// All that a price depends on, but the amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The crypto that is spent.
    pub source: Asset,
    /// The fiat that is received.
    pub target: Asset,
    /// Fiat for one unit of crypto.
    pub rate: Rate,
    pub tariff: FeeTariff,
}

/// Which amount the user named; the other one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixedSide {
    Source,
    Target,
}

/// A text that names no side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither source nor target")]
pub struct FixedSideError;

impl FixedSide {
    pub const fn as_str(self) -> &'static str {
        match self {
            FixedSide::Source => "source",
            FixedSide::Target => "target",
        }
    }
}

impl std::str::FromStr for FixedSide {
    type Err = FixedSideError;

    fn from_str(text: &str) -> Result<Self, FixedSideError> {
        match text {
            "source" => Ok(FixedSide::Source),
            "target" => Ok(FixedSide::Target),
            _ => Err(FixedSideError),
        }
    }
}

/// A priced payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What is exchanged, in the source.
    pub amount: Money,
    /// What reaches the card, in the target.
    pub amount_to: Money,
    pub rate: Rate,
    /// In units of the source, each within its scale.
    pub fees: Vec<FeeItem>,
    pub fee_total: Money,
    /// What leaves the balance: amount and fees.
    pub total: Money,
    pub fixed_side: FixedSide,
    /// Which fee schedule applied, and in which version.
    pub schedule_id: String,
    pub schedule_version: u32,
}

/// Why an amount has no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricingError {
    #[error("an amount to pay out is above zero")]
    NotPositive,
    #[error("no fee schedule applies to {0}")]
    NoFeeSchedule(Money),
    #[error("{0} is not offered")]
    PairNotOffered(crate::domain::rate::Pair),
    #[error("the amount is too large to be priced")]
    TooLarge(#[source] ArithmeticError),
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl From<ArithmeticError> for PricingError {
    fn from(error: ArithmeticError) -> Self {
        PricingError::TooLarge(error)
    }
}

/// The least and the most of an offer, on both sides. The target's are the rule; the source's are what an app shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferLimits {
    pub source_min: Money,
    pub source_max: Money,
    pub target_min: Money,
    pub target_max: Money,
}

impl OfferLimits {
    /// The limits of an offer that may bring from `target_min` to `target_max`. In the source the least is rounded up, so that it
    /// brings `target_min`, and the most down, so that it never brings above `target_max`.
    pub fn at(source: Asset, rate: &Rate, target_min: Money, target_max: Money) -> Result<Self, PricingError> {
        let in_source = |target: &Money, rounding| {
            let amount = exact::div(target.amount(), rate.value(), source.scale, rounding)?;
            Ok::<_, PricingError>(Money::new(amount, source)?)
        };
        Ok(Self {
            source_min: in_source(&target_min, Rounding::Up)?,
            source_max: in_source(&target_max, Rounding::Down)?,
            target_min,
            target_max,
        })
    }
}

impl Terms {
    /// Prices a payout of exactly `amount`, in the source.
    pub fn price_by_source(&self, amount: &Money) -> Result<Quote, PricingError> {
        expect_positive(amount, self.source)?;
        let received = exact::mul(amount.amount(), self.rate.value(), self.target.scale, Rounding::Down)?;
        self.quote(*amount, Money::new(received, self.target)?, FixedSide::Source)
    }

    /// Prices a payout that brings exactly `amount_to`, in the target. The amount rounds up, so it is never worth less than that.
    pub fn price_by_target(&self, amount_to: &Money) -> Result<Quote, PricingError> {
        expect_positive(amount_to, self.target)?;
        let amount = exact::div(amount_to.amount(), self.rate.value(), self.source.scale, Rounding::Up)?;
        self.quote(Money::new(amount, self.source)?, *amount_to, FixedSide::Target)
    }

    /// What a payout of `amount` takes from the balance: the amount and its fees.
    pub fn total(&self, amount: &Money) -> Result<Money, PricingError> {
        expect_positive(amount, self.source)?;
        let schedule = self.tariff.schedule_for(amount.amount()).ok_or(PricingError::NoFeeSchedule(*amount))?;
        let fees = schedule.sum(amount.amount(), self.rate.price, self.source.scale)?;
        Ok(Money::new(exact::add(amount.amount(), fees)?, self.source)?)
    }

    /// [`OfferLimits::at`] these terms.
    pub fn limits(&self, target_min: Money, target_max: Money) -> Result<OfferLimits, PricingError> {
        expect_asset(&target_min, self.target)?;
        expect_asset(&target_max, self.target)?;
        OfferLimits::at(self.source, &self.rate, target_min, target_max)
    }

    fn quote(&self, amount: Money, amount_to: Money, fixed_side: FixedSide) -> Result<Quote, PricingError> {
        let schedule = self.tariff.schedule_for(amount.amount()).ok_or(PricingError::NoFeeSchedule(amount))?;
        let fees = schedule.items(amount.amount(), self.rate.price, self.source.scale)?;
        let fee_sum = fees.iter().try_fold(Decimal::ZERO, |sum, item| exact::add(sum, item.amount))?;
        let fee_total = Money::new(fee_sum, self.source)?;
        Ok(Quote {
            amount,
            amount_to,
            rate: self.rate,
            fees,
            fee_total,
            total: amount.add(&fee_total)?,
            fixed_side,
            schedule_id: schedule.id().to_owned(),
            schedule_version: schedule.version(),
        })
    }
}

fn expect_positive(money: &Money, asset: Asset) -> Result<(), PricingError> {
    expect_asset(money, asset)?;
    if money.is_positive() { Ok(()) } else { Err(PricingError::NotPositive) }
}

fn expect_asset(money: &Money, asset: Asset) -> Result<(), PricingError> {
    if money.asset() == asset {
        Ok(())
    } else {
        Err(MoneyError::MixedAssets { left: money.asset().code, right: asset.code }.into())
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::AssetKind;
    use crate::domain::card::CardScheme;
    use crate::domain::fee::{FeeConditions, FeeKind, FeeRule, FeeSchedule, FeeSchedules};
    use crate::domain::ids::Mode;
    use crate::domain::rate::{Pair, Price, Spread};

    fn published() -> Terms {
        let rules = vec![
            FeeRule { percent: Some(dec!(3.5)), ..FeeRule::of(FeeKind::Transaction) },
            FeeRule { fixed_target: Some(dec!(2.5)), ..FeeRule::of(FeeKind::Fixed) },
        ];
        Terms {
            source: Asset { code: "USDT".parse().unwrap(), kind: AssetKind::Crypto, scale: 8 },
            target: Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 },
            rate: Rate { price: Price::new(dec!(0.9297)).unwrap(), spread: Spread::new(dec!(0.02)).unwrap() },
            tariff: FeeTariff::single(FeeSchedule::new("published", 7, rules, FeeConditions::default()).unwrap()),
        }
    }

    fn usdt(amount: Decimal) -> Money {
        Money::new(amount, published().source).unwrap()
    }

    fn eur(amount: Decimal) -> Money {
        Money::new(amount, published().target).unwrap()
    }

    #[test]
    fn the_published_example_comes_out() {
        let quote = published().price_by_source(&usdt(dec!(760.06209697))).unwrap();
        assert_eq!(quote.rate.shown(), dec!(0.911106));
        assert_eq!(quote.amount_to, eur(dec!(692.49)));
        let fees: Vec<_> = quote.fees.iter().map(|item| (item.kind, item.amount)).collect();
        assert_eq!(fees, [(FeeKind::Transaction, dec!(26.60217340)), (FeeKind::Fixed, dec!(2.68903948))]);
        assert_eq!(quote.fee_total, usdt(dec!(29.29121288)));
        assert_eq!(quote.total, usdt(dec!(789.35330985)));
        assert_eq!(published().total(&quote.amount), Ok(quote.total));
        assert_eq!((quote.schedule_id.as_str(), quote.schedule_version), ("published", 7));
    }

    #[test]
    fn a_fixed_target_stands_and_the_amount_rounds_up() {
        let quote = published().price_by_target(&eur(dec!(692.49))).unwrap();
        assert_eq!(quote.amount_to, eur(dec!(692.49)));
        assert_eq!(quote.amount, usdt(dec!(760.05426372)));
        assert_eq!(quote.fixed_side, FixedSide::Target);
        let one_less = usdt(dec!(760.05426371));
        assert_eq!(published().price_by_source(&one_less).map(|quote| quote.amount_to), Ok(eur(dec!(692.48))));
    }

    #[test]
    fn everything_is_spent_to_the_last_unit() {
        let terms = published();
        let max = usdt(dec!(10000));
        assert_eq!(terms.all_amount(&usdt(dec!(789.35330985)), &max), Some(usdt(dec!(760.06209697))));
        // A unit more in the balance is not always a unit more to spend, and never a unit too much.
        assert_eq!(terms.all_amount(&usdt(dec!(789.35330984)), &max), Some(usdt(dec!(760.06209696))));
        assert_eq!(terms.all_amount(&usdt(dec!(1000000)), &max), Some(max));
        assert_eq!(terms.all_amount(&usdt(dec!(2.68903949)), &max), None);
        // One unit, one unit of its fee rounded up, and the fixed fee.
        assert_eq!(terms.all_amount(&usdt(dec!(2.68903950)), &max), Some(usdt(dec!(0.00000001))));
        assert_eq!(terms.all_amount(&usdt(dec!(0)), &max), None);
        assert_eq!(terms.all_amount(&eur(dec!(100)), &max), None);
    }

    #[test]
    fn limits_in_the_source_bring_what_the_limits_in_the_target_say() {
        let terms = published();
        let limits = terms.limits(eur(dec!(21)), eur(dec!(1980))).unwrap();
        let brings = |amount: Money| terms.price_by_source(&amount).map(|quote| quote.amount_to);
        assert_eq!(brings(limits.source_min), Ok(eur(dec!(21))));
        assert_eq!(
            brings(usdt(exact::sub(limits.source_min.amount(), dec!(0.00000001)).unwrap())),
            Ok(eur(dec!(20.99)))
        );
        assert!(eur(dec!(1980)).covers(&brings(limits.source_max).unwrap()));
        assert_eq!(limits.source_max, usdt(dec!(2173.18292273)));
    }

    #[test]
    fn what_has_no_price_is_refused() {
        let terms = published();
        assert_eq!(terms.price_by_source(&usdt(dec!(0))), Err(PricingError::NotPositive));
        assert_eq!(terms.price_by_target(&eur(dec!(-1))), Err(PricingError::NotPositive));
        assert!(matches!(
            terms.price_by_source(&eur(dec!(1))),
            Err(PricingError::Money(MoneyError::MixedAssets { .. }))
        ));
        assert!(matches!(
            terms.price_by_target(&usdt(dec!(1))),
            Err(PricingError::Money(MoneyError::MixedAssets { .. }))
        ));
        let most = Money::from_units(Decimal::MAX.mantissa(), terms.source).unwrap();
        assert!(matches!(terms.price_by_source(&most), Err(PricingError::TooLarge(_) | PricingError::Money(_))));
        let pair = Pair { from: terms.source.code, to: terms.target.code };
        let no_schedule = FeeSchedules::default().tariff("any", Mode::Test, pair, CardScheme::Visa);
        let unpriced = Terms { tariff: no_schedule, ..terms };
        assert_eq!(unpriced.price_by_source(&usdt(dec!(1))), Err(PricingError::NoFeeSchedule(usdt(dec!(1)))));
        assert_eq!(unpriced.all_amount(&usdt(dec!(10)), &usdt(dec!(10))), None);
    }
}
