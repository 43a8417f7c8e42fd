//! `[[pricing.fee_schedules]]`: from text to the domain's schedules, in the order in which they are tried.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::{ExactText, Reader};
use crate::domain::card::{CardScheme, strike_numbers};
use crate::domain::fee::{FeeConditions, FeeKind, FeeRule, FeeSchedule, ScheduleEntry};
use crate::domain::ids::Mode;
use crate::domain::rate::Pair;

const AMOUNT_SCALE_MAX: u8 = 18;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeScheduleSettings {
    pub id: String,
    /// In a partner's terms absent: theirs is its version.
    pub version: Option<u32>,
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

/// Whose schedules are read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    House,
    /// A version of a partner's terms. Offers name its schedules `acme@3/id`, as no schedule of the house is named.
    Terms {
        partner: &'a str,
        mode: Mode,
        version: u32,
    },
}

pub(super) fn read(
    schedules: &[FeeScheduleSettings],
    pairs: &BTreeSet<Pair>,
    reader: &mut Reader<'_>,
) -> Vec<ScheduleEntry> {
    if schedules.is_empty() {
        reader.wrong("fee_schedules", "without a schedule nothing can be priced; one without rules is free");
    }
    let named: Vec<_> =
        schedules.iter().enumerate().map(|(n, schedule)| (format!("fee_schedules[{n}]"), schedule.clone())).collect();
    read_each(&named, Whose::House, pairs, reader)
}

/// Reads schedules by their names.
pub(super) fn read_each(
    schedules: &[(String, FeeScheduleSettings)],
    whose: Whose<'_>,
    pairs: &BTreeSet<Pair>,
    reader: &mut Reader<'_>,
) -> Vec<ScheduleEntry> {
    let mut ids = BTreeSet::new();
    let mut entries = Vec::with_capacity(schedules.len());
    for (key, schedule) in schedules {
        if schedule.id.is_empty() || !ids.insert(schedule.id.as_str()) {
            reader.wrong(format!("{key}.id"), "a schedule's id is its own and not empty");
        }
        entries.extend(schedule.read(key, whose, pairs, reader));
    }
    entries
}

impl FeeScheduleSettings {
    fn read(
        &self,
        key: &str,
        whose: Whose<'_>,
        pairs: &BTreeSet<Pair>,
        reader: &mut Reader<'_>,
    ) -> Option<ScheduleEntry> {
        let named = |(n, text): (usize, &String)| reader.offered(format!("{key}.pairs[{n}]"), text, pairs);
        let conditions = FeeConditions {
            pairs: self.pairs.iter().enumerate().filter_map(named).collect(),
            card_schemes: self.card_schemes.iter().copied().collect(),
            amount_from: reader.optional(format!("{key}.amount_from"), self.amount_from.as_ref(), AMOUNT_SCALE_MAX),
            amount_below: reader.optional(format!("{key}.amount_below"), self.amount_below.as_ref(), AMOUNT_SCALE_MAX),
        };
        let rules = self.rules.iter().enumerate().map(|(n, rule)| rule.read(&format!("{key}.rules[{n}]"), reader));
        let rules = rules.collect();
        let (id, version, partner, mode) = self.named(key, whose, reader)?;
        let schedule = reader.ok(key, FeeSchedule::new(id, version, rules, conditions))?;
        Some(ScheduleEntry { partner, mode, schedule: Arc::new(schedule) })
    }

    /// Under which id and version offers remember it, and whom it is for.
    fn named(
        &self,
        key: &str,
        whose: Whose<'_>,
        reader: &mut Reader<'_>,
    ) -> Option<(String, u32, Option<String>, Option<Mode>)> {
        match whose {
            Whose::House => {
                if self.id.contains('@') {
                    reader.wrong(format!("{key}.id"), "an @ is in the names of schedules of partners' terms alone");
                }
                let version = self.version.ok_or("is missing");
                let version = reader.ok(format!("{key}.version"), version)?;
                Some((self.id.clone(), version, self.partner.clone(), self.mode))
            }
            Whose::Terms { partner, mode, version } => {
                let given = [
                    ("version", self.version.is_some()),
                    ("partner", self.partner.is_some()),
                    ("mode", self.mode.is_some()),
                ];
                if !is_plain(&self.id) {
                    reader.wrong(format!("{key}.id"), "1 to 64 letters, digits, full stops, hyphens and underscores");
                }
                for (name, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
                    reader.wrong(format!("{key}.{name}"), "is that of the terms, and not given here");
                }
                Some((format!("{partner}@{version}/{}", self.id), version, Some(partner.to_owned()), Some(mode)))
            }
        }
    }
}

/// An id that offers, logs and pages may show as it is.
fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && strike_numbers(id) == id
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
