//! `[[pricing.limits.velocity]]`: from text to the domain's velocity rules.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde::Deserialize;

use super::{ExactText, Reader};
use crate::domain::rate::Pair;
use crate::domain::velocity::{VelocityEffect, VelocityRule, VelocitySubject};

/// The longest window: what is older is not counted.
const WINDOW_MAX: TimeDelta = TimeDelta::days(366);
const NAME_CHARS_MAX: usize = 64;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VelocitySettings {
    pub name: String,
    /// A partner's code; absent: every partner, each counted by itself.
    pub partner: Option<String>,
    /// customer, card (a number, across the partner's customers) or partner.
    pub subject: VelocitySubject,
    /// Minutes, hours or days: "10m", "24h", "30d".
    pub window: String,
    pub count_max: Option<u32>,
    /// In the currency of limits.
    pub sum_max: Option<ExactText>,
    /// As in "BTC/EUR".
    pub pair: Option<String>,
    pub card_scheme: Option<String>,
    pub kyc_level: Option<u8>,
    /// refuse or moderate.
    pub effect: VelocityEffect,
}

pub(super) fn read(
    settings: &[VelocitySettings],
    pairs: &BTreeSet<Pair>,
    scale: u8,
    reader: &mut Reader<'_>,
) -> Vec<VelocityRule> {
    let mut names = BTreeSet::new();
    let mut rules = Vec::new();
    for (n, settings) in settings.iter().enumerate() {
        let key = format!("limits.velocity[{n}]");
        if !names.insert(settings.name.as_str()) {
            reader.wrong(format!("{key}.name"), format!("{:?} is there twice", settings.name));
        }
        rules.extend(settings.read(&key, pairs, scale, reader));
    }
    rules
}

impl VelocitySettings {
    fn read(&self, key: &str, pairs: &BTreeSet<Pair>, scale: u8, reader: &mut Reader<'_>) -> Option<VelocityRule> {
        let is_name = (1..=NAME_CHARS_MAX).contains(&self.name.chars().count())
            && !self.name.chars().any(char::is_control)
            && self.name.trim() == self.name;
        if !is_name {
            reader.wrong(format!("{key}.name"), format!("has 1 to {NAME_CHARS_MAX} characters"));
        }
        if self.count_max.is_none() && self.sum_max.is_none() {
            reader.wrong(key, "name count_max, sum_max or both");
        }
        let window = window(&self.window);
        if window.is_none() {
            reader.wrong(
                format!("{key}.window"),
                "minutes, hours or days up to 366 days, as in \"10m\", \"24h\" or \"30d\"",
            );
        }
        let sum_max = reader.optional(format!("{key}.sum_max"), self.sum_max.as_ref(), scale);
        let pair = self.pair.as_ref().and_then(|text| reader.offered(format!("{key}.pair"), text, pairs));
        let scheme = self.card_scheme.as_ref().map(|text| text.parse().map_err(|_| format!("no scheme: {text:?}")));
        let card_scheme = scheme.and_then(|scheme| reader.ok(format!("{key}.card_scheme"), scheme));
        Some(VelocityRule {
            name: self.name.clone(),
            partner: self.partner.clone(),
            subject: self.subject,
            window: window?,
            count_max: self.count_max,
            sum_max,
            pair,
            card_scheme,
            kyc_level: self.kyc_level,
            effect: self.effect,
        })
    }
}

fn window(text: &str) -> Option<TimeDelta> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = number.parse().ok()?;
    let window = match unit {
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        _ => None,
    };
    window.filter(|window| *window > TimeDelta::zero() && *window <= WINDOW_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_number_of_minutes_hours_or_days() {
        assert_eq!(window("10m"), Some(TimeDelta::minutes(10)));
        assert_eq!(window("24h"), Some(TimeDelta::days(1)));
        assert_eq!(window("366d"), Some(WINDOW_MAX));
        for text in [
            "",
            "m",
            "10",
            "0m",
            "-1h",
            "+1h",
            "367d",
            "99999999999999999999d",
            "9223372036854775807d",
            "1w",
            "1 h",
            "1é",
        ] {
            assert_eq!(window(text), None, "{text}");
        }
    }
}
