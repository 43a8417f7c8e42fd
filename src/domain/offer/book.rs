//! Everything that prices are made of but the market's price: assets, pairs, spreads, fees, limits and how long an offer holds. Made
//! from configuration, and read by whoever quotes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::pricing::{PricingError, Terms};
use crate::domain::asset::{Asset, Assets};
use crate::domain::card::CardScheme;
use crate::domain::fee::FeeSchedules;
use crate::domain::ids::Mode;
use crate::domain::limit::LimitRules;
use crate::domain::rate::{Pair, Price, Rate, Spread};

#[derive(Clone, Debug)]
pub struct PriceBook {
    pub assets: Assets,
    /// The pairs offered, crypto to fiat. Both assets of each are in `assets`.
    pub pairs: BTreeSet<Pair>,
    pub spreads: Spreads,
    pub fees: FeeSchedules,
    pub limits: LimitRules,
    /// How long an offer can be paid.
    pub offer_ttl: Duration,
    /// How long the prices of `/data` hold.
    pub data_ttl: Duration,
    /// Which version of a partner's terms made it; `None`: it is the house's.
    pub terms_version: Option<u32>,
}

/// The spread of a partner and a pair: the most specific one that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spreads {
    pub default: Spread,
    /// By partner code and pair; `None` is every one.
    pub exceptions: BTreeMap<(Option<String>, Option<Pair>), Spread>,
}

impl Spreads {
    /// Partner and pair, then partner, then pair, then the default.
    pub fn get(&self, partner: &str, pair: Pair) -> Spread {
        let partner = Some(partner.to_owned());
        [(partner.clone(), Some(pair)), (partner, None), (None, Some(pair))]
            .iter()
            .find_map(|key| self.exceptions.get(key))
            .copied()
            .unwrap_or(self.default)
    }
}

impl PriceBook {
    /// The assets of an offered pair.
    pub fn pair_assets(&self, pair: Pair) -> Result<(Asset, Asset), PricingError> {
        self.pairs
            .get(&pair)
            .and_then(|pair| self.assets.get(pair.from).zip(self.assets.get(pair.to)))
            .ok_or(PricingError::PairNotOffered(pair))
    }

    /// The terms for a partner's payouts of `pair` to cards of `scheme`, at the market's `price`.
    pub fn terms(
        &self,
        partner: &str,
        mode: Mode,
        pair: Pair,
        scheme: CardScheme,
        price: Price,
    ) -> Result<Terms, PricingError> {
        let (source, target) = self.pair_assets(pair)?;
        let rate = Rate { price, spread: self.spreads.get(partner, pair) };
        Ok(Terms { source, target, rate, tariff: self.fees.tariff(partner, mode, pair, scheme) })
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::{Decimal, dec};

    use super::*;

    #[test]
    fn the_most_specific_spread_applies() {
        let pair = |from: &str| Pair { from: from.parse().unwrap(), to: "EUR".parse().unwrap() };
        let spread = |fraction: Decimal| Spread::new(fraction).unwrap();
        let acme = Some("acme".to_owned());
        let spreads = Spreads {
            default: spread(dec!(0.02)),
            exceptions: BTreeMap::from([
                ((None, Some(pair("BTC"))), spread(dec!(0.03))),
                ((acme.clone(), None), spread(dec!(0.01))),
                ((acme, Some(pair("ETH"))), spread(dec!(0.015))),
            ]),
        };
        assert_eq!(spreads.get("acme", pair("ETH")), spread(dec!(0.015)));
        assert_eq!(spreads.get("acme", pair("BTC")), spread(dec!(0.01)));
        assert_eq!(spreads.get("other", pair("BTC")), spread(dec!(0.03)));
        assert_eq!(spreads.get("other", pair("ETH")), spread(dec!(0.02)));
    }
}
