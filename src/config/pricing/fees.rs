//! `[[pricing.fee_schedules]]`: from text to the domain's schedules, in the order in which they are tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::{ExactText, Reader};
use crate::domain::card::CardScheme;
use crate::domain::fee::{FeeConditions, FeeKind, FeeRule, FeeSchedule, ScheduleEntry};
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;

const AMOUNT_SCALE_MAX: u8 = 18;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeScheduleSettings {
    pub id: String,
    pub version: u32,
    /// A partner's code; absent for every partner.
    pub partner: Option<String>,
    /// Absent for both.
    pub mode: Option<Mode>,
    /// As in `BTC/EUR`; none for every pair.
    #[serde(default)]
    pub pairs: Vec<String>,
    /// As in `VISA`; none for every scheme.
    #[serde(default)]
    pub card_schemes: Vec<CardScheme>,
    pub amount_from: Option<ExactText>,
    pub amount_below: Option<ExactText>,
    /// No rules at all is a free schedule.
    pub rules: Vec<FeeRuleSettings>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeRuleSettings {
    pub kind: FeeKind,
    pub percent: Option<ExactText>,
    pub fixed_target: Option<ExactText>,
    pub fixed_source: Option<ExactText>,
    pub min: Option<ExactText>,
    pub max: Option<ExactText>,
}

pub(super) fn read(
    schedules: &[FeeScheduleSettings],
    pairs: &BTreeSet<Pair>,
    reader: &mut Reader<'_>,
) -> Vec<ScheduleEntry> {
    if schedules.is_empty() {
        reader.wrong("fee_schedules", "without a schedule nothing can be priced; one without rules is free");
    }
    let mut ids = BTreeSet::new();
    let mut entries = Vec::with_capacity(schedules.len());
    for (n, schedule) in schedules.iter().enumerate() {
        let key = format!("fee_schedules[{n}]");
        if schedule.id.is_empty() || !ids.insert(schedule.id.as_str()) {
            reader.wrong(format!("{key}.id"), "a schedule's id is its own and not empty");
        }
        entries.extend(schedule.read(&key, pairs, reader));
    }
    entries
}

impl FeeScheduleSettings {
    fn read(&self, key: &str, pairs: &BTreeSet<Pair>, reader: &mut Reader<'_>) -> Option<ScheduleEntry> {
        let named = |(n, text): (usize, &String)| reader.offered(format!("{key}.pairs[{n}]"), text, pairs);
        let conditions = FeeConditions {
            pairs: self.pairs.iter().enumerate().filter_map(named).collect(),
            card_schemes: self.card_schemes.iter().copied().collect(),
            amount_from: reader.optional(format!("{key}.amount_from"), self.amount_from.as_ref(), AMOUNT_SCALE_MAX),
            amount_below: reader.optional(format!("{key}.amount_below"), self.amount_below.as_ref(), AMOUNT_SCALE_MAX),
        };
        let rules = self.rules.iter().enumerate().map(|(n, rule)| rule.read(&format!("{key}.rules[{n}]"), reader));
        let rules = rules.collect();
        let schedule = reader.ok(key, FeeSchedule::new(self.id.clone(), self.version, rules, conditions))?;
        Some(ScheduleEntry { partner: self.partner.clone(), mode: self.mode, schedule: Arc::new(schedule) })
    }
}

impl FeeRuleSettings {
    fn read(&self, key: &str, reader: &mut Reader<'_>) -> FeeRule {
        let mut part = |name: &str, text: &Option<ExactText>| {
            reader.optional(format!("{key}.{name}"), text.as_ref(), AMOUNT_SCALE_MAX)
        };
        FeeRule {
            kind: self.kind,
            percent: part("percent", &self.percent),
            fixed_target: part("fixed_target", &self.fixed_target),
            fixed_source: part("fixed_source", &self.fixed_source),
            min: part("min", &self.min),
            max: part("max", &self.max),
        }
    }
}
