//! `[pricing.limits]`: from text to the domain's limit rules.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use serde::Deserialize;

use super::velocity::{self, VelocitySettings};
use super::{ExactText, Reader};
use crate::domain::asset::{AssetKind, Assets};
use crate::domain::limit::{LimitRules, Period, PeriodLimits};
use crate::domain::rate::Pair;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSettings {
    /// The fiat currency that all limits are counted in.
    pub reference: String,
    pub offer_min: ExactText,
    pub offer_max: ExactText,
    /// By KYC level, from 1 on.
    pub kyc_yearly: BTreeMap<String, ExactText>,
    #[serde(default)]
    pub customer: PeriodLimitSettings,
    #[serde(default)]
    pub card: PeriodLimitSettings,
    #[serde(default)]
    pub partner: PeriodLimitSettings,
    /// How often and how much in a rolling window (docs/rules.md).
    #[serde(default)]
    pub velocity: Vec<VelocitySettings>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeriodLimitSettings {
    pub day: Option<ExactText>,
    pub month: Option<ExactText>,
    pub year: Option<ExactText>,
}

impl LimitSettings {
    pub(super) fn read(&self, assets: &Assets, pairs: &BTreeSet<Pair>, reader: &mut Reader<'_>) -> Option<LimitRules> {
        let Some(reference) = assets.find(&self.reference).filter(|asset| asset.kind == AssetKind::Fiat) else {
            reader.wrong("limits.reference", format!("{:?} is not a fiat currency of pricing.assets", self.reference));
            return None;
        };
        let scale = reference.scale;
        let offer_min = reader.number("limits.offer_min", &self.offer_min, scale);
        let offer_max = reader.number("limits.offer_max", &self.offer_max, scale);
        if offer_min.zip(offer_max).is_some_and(|(least, most)| least > most) {
            reader.wrong("limits.offer_min", "above limits.offer_max");
        }
        Some(LimitRules {
            reference,
            kyc_yearly: self.read_kyc(scale, reader),
            customer: self.customer.read("limits.customer", scale, reader),
            card: self.card.read("limits.card", scale, reader),
            partner: self.partner.read("limits.partner", scale, reader),
            velocity: velocity::read(&self.velocity, pairs, scale, reader),
            offer_min: offer_min?,
            offer_max: offer_max?,
        })
    }

    fn read_kyc(&self, scale: u8, reader: &mut Reader<'_>) -> BTreeMap<u8, Decimal> {
        let mut yearly = BTreeMap::new();
        for (text, limit) in &self.kyc_yearly {
            let key = format!("limits.kyc_yearly.{text}");
            let limit = reader.number(&key, limit, scale);
            match text.parse::<u8>() {
                // The number's plain form only, so that no level is there twice.
                Ok(level) if level > 0 && level.to_string() == *text => {
                    yearly.extend(limit.map(|limit| (level, limit)));
                }
                Ok(0) => reader.wrong(key, "KYC level 0 may not pay"),
                _ => reader.wrong(key, "a KYC level is a number from 1 to 255"),
            }
        }
        if self.kyc_yearly.is_empty() {
            reader.wrong("limits.kyc_yearly", "without a level nobody may pay");
        }
        if !yearly.values().is_sorted() {
            reader.wrong("limits.kyc_yearly", "a higher level has a lower limit");
        }
        yearly
    }
}

impl PeriodLimitSettings {
    pub(super) fn read(&self, key: &str, scale: u8, reader: &mut Reader<'_>) -> PeriodLimits {
        let mut limit =
            |name: &str, text: &Option<ExactText>| reader.optional(format!("{key}.{name}"), text.as_ref(), scale);
        let limits = PeriodLimits {
            day: limit("day", &self.day),
            month: limit("month", &self.month),
            year: limit("year", &self.year),
        };
        if !Period::ALL.into_iter().filter_map(|period| limits.get(period)).is_sorted() {
            reader.wrong(key, "a longer period has a lower limit");
        }
        limits
    }
}
