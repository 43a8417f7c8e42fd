//! The `[pricing]` section: assets, pairs, spreads, fees, limits and how long an offer holds. Owns the way from an operator's text to
//! the domain's [`PriceBook`], and names everything that is wrong on it; decides no price.

mod fees;
mod limits;
pub mod terms;
mod velocity;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::Problems;
use crate::domain::asset::{Asset, AssetCode, AssetKind, Assets, iso_4217_scale};
use crate::domain::exact::parse_amount;
use crate::domain::fee::FeeSchedules;
use crate::domain::offer::PriceBook;
use crate::domain::offer::book::Spreads;
use crate::domain::rate::{Pair, Spread};

pub use fees::{FeeRuleSettings, FeeScheduleSettings};
pub use limits::{LimitSettings, PeriodLimitSettings};
pub use velocity::VelocitySettings;

const CRYPTO_SCALE_DEFAULT: u8 = 8;
const SCALE_MAX: u8 = 18;
const INTEGER_DIGITS_MAX: u8 = 15;
const TTL_SECS_MAX: u64 = 3_600;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricingSettings {
    pub offer_ttl_secs: u64,
    pub data_ttl_secs: u64,
    /// A fraction: 0.02 is 2 %.
    pub spread: ExactText,
    pub spreads: Vec<SpreadSettings>,
    pub assets: Vec<AssetSettings>,
    /// As in `BTC/EUR`.
    pub pairs: Vec<String>,
    pub fee_schedules: Vec<FeeScheduleSettings>,
    pub limits: LimitSettings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetSettings {
    pub code: String,
    pub kind: AssetKind,
    pub scale: Option<u8>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpreadSettings {
    /// A partner's code; absent for every partner.
    pub partner: Option<String>,
    /// Absent for every pair.
    pub pair: Option<String>,
    pub spread: ExactText,
}

/// A number by its digits, not yet judged. A binary float is refused here, where its digits are already lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactText(pub String);

impl<'de> Deserialize<'de> for ExactText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = ExactText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotation marks, as in \"3.5\"")
            }

            fn visit_str<E>(self, text: &str) -> Result<ExactText, E> {
                Ok(ExactText(text.to_owned()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<ExactText, E> {
                Ok(ExactText(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<ExactText, E> {
                Ok(ExactText(number.to_string()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// Collects what is wrong while it reads.
struct Reader<'a> {
    problems: &'a mut Problems,
    /// What stands before each name.
    section: &'static str,
    /// Whether a pair that isn't offered is a problem: of what was checked when it was written it isn't.
    is_strict: bool,
}

impl Reader<'_> {
    fn wrong(&mut self, key: impl fmt::Display, what: impl fmt::Display) {
        self.problems.add(format!("{}{key}", self.section), what.to_string());
    }

    /// Notes an error under `key`.
    fn ok<T, E: fmt::Display>(&mut self, key: impl fmt::Display, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.wrong(key, error)).ok()
    }

    /// A number with at most `scale` decimals.
    fn number(&mut self, key: impl fmt::Display, text: &ExactText, scale: u8) -> Option<Decimal> {
        self.ok(key, parse_amount(&text.0, scale, INTEGER_DIGITS_MAX)).map(|number| number.normalize())
    }

    fn optional(&mut self, key: impl fmt::Display, text: Option<&ExactText>, scale: u8) -> Option<Decimal> {
        text.and_then(|text| self.number(key, text, scale))
    }

    fn spread(&mut self, key: impl fmt::Display, text: &ExactText) -> Option<Spread> {
        let fraction = self.number(&key, text, SCALE_MAX)?;
        self.ok(key, Spread::new(fraction))
    }

    /// A pair that is offered.
    fn offered(&mut self, key: impl fmt::Display, text: &str, pairs: &BTreeSet<Pair>) -> Option<Pair> {
        let pair: Pair = self.ok(&key, text.parse())?;
        if self.is_strict && !pairs.contains(&pair) {
            self.wrong(key, format!("{pair} is not among pricing.pairs"));
        }
        Some(pair)
    }
}

impl PricingSettings {
    /// Adds everything that is wrong, each by its dotted name.
    pub fn check(&self, problems: &mut Problems) {
        self.read(problems);
    }

    /// The domain's form of this section.
    pub fn to_domain(&self) -> Result<PriceBook, Problems> {
        let mut problems = Problems::default();
        match self.read(&mut problems) {
            Some(book) if problems.0.is_empty() => Ok(book),
            _ => Err(problems),
        }
    }

    /// Reads on after a problem, so that all of them are named; then the answer must not be used.
    fn read(&self, problems: &mut Problems) -> Option<PriceBook> {
        let mut reader = Reader { problems, section: "pricing.", is_strict: true };
        for (key, secs) in [("offer_ttl_secs", self.offer_ttl_secs), ("data_ttl_secs", self.data_ttl_secs)] {
            if !(1..=TTL_SECS_MAX).contains(&secs) {
                reader.wrong(key, format!("between 1 and {TTL_SECS_MAX} seconds, not {secs}"));
            }
        }
        let assets = self.read_assets(&mut reader);
        let pairs = self.read_pairs(&assets, &mut reader);
        let spreads = self.read_spreads(&pairs, &mut reader);
        let fees = fees::read(&self.fee_schedules, &pairs, &mut reader);
        let limits = self.limits.read(&assets, &pairs, &mut reader);
        Some(PriceBook {
            assets,
            pairs,
            spreads: spreads?,
            fees: FeeSchedules::new(fees),
            limits: limits?,
            offer_ttl: Duration::from_secs(self.offer_ttl_secs),
            data_ttl: Duration::from_secs(self.data_ttl_secs),
            terms_version: None,
        })
    }

    fn read_assets(&self, reader: &mut Reader<'_>) -> Assets {
        let mut known = BTreeMap::new();
        for (n, settings) in self.assets.iter().enumerate() {
            let key = format!("assets[{n}]");
            let Some(asset) = settings.read(&key, reader) else { continue };
            if known.insert(asset.code, asset).is_some() {
                reader.wrong(key, format!("{asset} is there twice"));
            }
        }
        Assets::new(known.into_values())
    }

    fn read_pairs(&self, assets: &Assets, reader: &mut Reader<'_>) -> BTreeSet<Pair> {
        let mut pairs = BTreeSet::new();
        for (n, text) in self.pairs.iter().enumerate() {
            let key = format!("pairs[{n}]");
            let Some(pair) = reader.ok::<Pair, _>(&key, text.parse()) else { continue };
            let kind = |code| assets.get(code).map(|asset| asset.kind);
            if (kind(pair.from), kind(pair.to)) != (Some(AssetKind::Crypto), Some(AssetKind::Fiat)) {
                reader
                    .wrong(&key, format!("{pair} doesn't go from a crypto asset to a fiat currency of pricing.assets"));
            }
            if !pairs.insert(pair) {
                reader.wrong(key, format!("{pair} is there twice"));
            }
        }
        if self.pairs.is_empty() {
            reader.wrong("pairs", "name at least one pair, as in \"BTC/EUR\"");
        }
        pairs
    }

    fn read_spreads(&self, pairs: &BTreeSet<Pair>, reader: &mut Reader<'_>) -> Option<Spreads> {
        let default = reader.spread("spread", &self.spread);
        let mut exceptions = BTreeMap::new();
        for (n, settings) in self.spreads.iter().enumerate() {
            let key = format!("spreads[{n}]");
            let pair = match &settings.pair {
                Some(text) => match reader.offered(format!("{key}.pair"), text, pairs) {
                    Some(pair) => Some(pair),
                    None => continue,
                },
                None => None,
            };
            let Some(spread) = reader.spread(format!("{key}.spread"), &settings.spread) else { continue };
            if settings.partner.is_none() && pair.is_none() {
                reader.wrong(&key, "name a partner, a pair or both; pricing.spread is for all");
            }
            if exceptions.insert((settings.partner.clone(), pair), spread).is_some() {
                reader.wrong(key, "this partner and pair are there twice");
            }
        }
        Some(Spreads { default: default?, exceptions })
    }
}

impl AssetSettings {
    fn read(&self, key: &str, reader: &mut Reader<'_>) -> Option<Asset> {
        let code: AssetCode = reader.ok(format!("{key}.code"), self.code.parse())?;
        let scale = match self.kind {
            AssetKind::Crypto => self.scale.unwrap_or(CRYPTO_SCALE_DEFAULT),
            AssetKind::Fiat => {
                let Some(scale) = iso_4217_scale(code) else {
                    reader.wrong(format!("{key}.code"), format!("{code} is not a currency that is known here"));
                    return None;
                };
                if self.scale.is_some_and(|set| set != scale) {
                    reader.wrong(format!("{key}.scale"), format!("{code} has {scale} decimals in ISO 4217"));
                }
                scale
            }
        };
        if scale > SCALE_MAX {
            reader.wrong(format!("{key}.scale"), format!("at most {SCALE_MAX} decimals"));
            return None;
        }
        Some(Asset { code, kind: self.kind, scale })
    }
}

#[cfg(test)]
mod tests;
