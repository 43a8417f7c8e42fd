//! A partner's terms as people write them: one JSON document, whose parts are those of `[pricing]` and read by the same code. What is wrong
//! in it is told all at once, each by its dotted name; the domain's [`PartnerTerms`] come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::fees::{self, FeeRuleSettings, FeeScheduleSettings};
use super::limits::PeriodLimitSettings;
use super::{ExactText, Reader, SpreadSettings};
use crate::config::Problems;
use crate::domain::fee::ScheduleEntry;
use crate::domain::ids::Mode;
use crate::domain::limit::PeriodLimits;
use crate::domain::offer::PriceBook;
use crate::domain::rate::{Pair, Spread};
use crate::domain::terms::{LimitTerms, PartnerTerms, StatementDescriptor};

/// The parts of a document.
pub const PARTS: [&str; 6] = ["spread", "spreads", "fee_schedules", "limits", "pairs", "statement_descriptor"];
const PERIODS: [&str; 3] = ["customer", "card", "partner"];
/// How deep objects and lists lie in each other at most.
const DEPTH_MAX: usize = 16;
/// How many entries a list of a document has at most.
const ENTRIES_MAX: usize = 200;

/// Limits of a partner, in the reference currency, which they name: under another one they would mean other sums.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitTermsSettings {
    reference: String,
    offer_min: Option<ExactText>,
    offer_max: Option<ExactText>,
    #[serde(default)]
    customer: PeriodLimitSettings,
    #[serde(default)]
    card: PeriodLimitSettings,
    #[serde(default)]
    partner: PeriodLimitSettings,
}

/// What a document is read for.
#[derive(Clone, Copy, Debug)]
pub struct TermsGround<'a> {
    pub house: &'a PriceBook,
    /// The partner's code.
    pub partner: &'a str,
    pub mode: Mode,
    pub version: u32,
    /// A new document names only pairs that the house offers. Of one that is stored, a pair that the house has dropped since isn't offered.
    pub is_new: bool,
}

/// Reads a document's text. A member that is there twice would be read as one of both: it is refused.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    fn value(raw: &RawValue, depth: usize) -> Result<Value, serde_json::Error> {
        if depth == 0 {
            return Err(serde::de::Error::custom("nested too deeply"));
        }
        match raw.get().as_bytes().first() {
            Some(b'{') => {
                let members: Members = serde_json::from_str(raw.get())?;
                let read = |(name, raw): (String, Box<RawValue>)| Ok((name, value(&raw, depth - 1)?));
                members.0.into_iter().map(read).collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            Some(b'[') => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(raw.get())?;
                items.iter().map(|raw| value(raw, depth - 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            _ => serde_json::from_str(raw.get()),
        }
    }
    value(serde_json::from_str::<&RawValue>(text)?, DEPTH_MAX)
}

/// The members of an object, each once.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom("a member is there twice"));
                    }
                    members.push((name, raw));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// A document as it is kept: numbers that aren't whole become texts of their digits, since a database may write them in another way.
pub fn kept(document: Value) -> Value {
    match document {
        Value::Number(number) if number.as_i64().is_none() => Value::String(number.to_string()),
        Value::Array(items) => Value::Array(items.into_iter().map(kept).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(key, value)| (key, kept(value))).collect()),
        other => other,
    }
}

/// Reads a document that [`kept`] has made.
///
/// # Errors
/// Everything that is wrong in it.
pub fn read(document: &Value, ground: &TermsGround<'_>) -> Result<PartnerTerms, Problems> {
    let mut problems = Problems::default();
    let mut reader = Reader { problems: &mut problems, section: "", is_strict: ground.is_new };
    let terms = Document::of(document, &mut reader).map(|document| document.read(ground, &mut reader));
    match terms {
        Some(terms) if problems.0.is_empty() => Ok(terms),
        _ => Err(problems),
    }
}

struct Document<'a>(&'a Map<String, Value>);

impl<'a> Document<'a> {
    fn of(document: &'a Value, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(parts) = document.as_object() else {
            reader.wrong("terms", "are an object");
            return None;
        };
        for name in parts.keys().filter(|name| !PARTS.contains(&name.as_str())) {
            reader.wrong(name, format!("isn't a part of terms, which are {}", PARTS.join(", ")));
        }
        Some(Self(parts))
    }

    /// Reads on after a problem; then the answer must not be used.
    fn read(&self, ground: &TermsGround<'_>, reader: &mut Reader<'_>) -> PartnerTerms {
        let spread: Option<ExactText> = self.part("spread", reader);
        let descriptor: Option<String> = self.part("statement_descriptor", reader);
        PartnerTerms {
            spread: spread.and_then(|text| reader.spread("spread", &text)),
            spreads: self.spreads(ground, reader),
            fees: self.fees(ground, reader),
            limits: self.limits(ground, reader).unwrap_or_default(),
            pairs: self.0.get("pairs").map(|_| self.pairs(ground, reader)),
            descriptor: descriptor
                .and_then(|text| reader.ok::<StatementDescriptor, _>("statement_descriptor", text.parse())),
        }
    }

    fn part<T: DeserializeOwned>(&self, name: &str, reader: &mut Reader<'_>) -> Option<T> {
        shaped(name, self.0.get(name)?, reader)
    }

    /// The entries of a list, each with its name; those of another shape are told and left out.
    fn list<T: DeserializeOwned>(&self, name: &str, reader: &mut Reader<'_>) -> Vec<(String, T)> {
        let Some(value) = self.0.get(name) else { return Vec::new() };
        let Some(items) = value.as_array() else {
            reader.wrong(name, "is a list");
            return Vec::new();
        };
        if items.is_empty() {
            reader.wrong(name, "is empty: leave it out, and the house's applies");
        }
        if items.len() > ENTRIES_MAX {
            reader.wrong(name, format!("has at most {ENTRIES_MAX} entries"));
            return Vec::new();
        }
        let named = items.iter().enumerate().map(|(n, item)| (format!("{name}[{n}]"), item));
        named.filter_map(|(key, item)| Some((key.clone(), shaped(&key, item, reader)?))).collect()
    }

    fn spreads(&self, ground: &TermsGround<'_>, reader: &mut Reader<'_>) -> BTreeMap<Pair, Spread> {
        let mut spreads = BTreeMap::new();
        for (key, settings) in self.list::<SpreadSettings>("spreads", reader) {
            if settings.partner.is_some() {
                reader.wrong(format!("{key}.partner"), "is that of the terms, and not given here");
            }
            let Some(pair) = &settings.pair else {
                reader.wrong(format!("{key}.pair"), "is missing; `spread` is for all pairs");
                continue;
            };
            let pair = reader.offered(format!("{key}.pair"), pair, &ground.house.pairs);
            let spread = reader.spread(format!("{key}.spread"), &settings.spread);
            let Some((pair, spread)) = pair.zip(spread) else { continue };
            if spreads.insert(pair, spread).is_some() {
                reader.wrong(key, format!("{pair} is there twice"));
            }
        }
        spreads
    }

    fn pairs(&self, ground: &TermsGround<'_>, reader: &mut Reader<'_>) -> BTreeSet<Pair> {
        let mut pairs = BTreeSet::new();
        for (key, text) in self.list::<String>("pairs", reader) {
            let Some(pair) = reader.offered(&key, &text, &ground.house.pairs) else { continue };
            if !pairs.insert(pair) {
                reader.wrong(key, format!("{pair} is there twice"));
            }
        }
        pairs
    }

    fn fees(&self, ground: &TermsGround<'_>, reader: &mut Reader<'_>) -> Vec<ScheduleEntry> {
        if !self.0.contains_key("fee_schedules") {
            return Vec::new();
        }
        // Their rules by themselves first, so that each one's shape is told by its own name.
        let rules = self.0.get("fee_schedules").and_then(Value::as_array).into_iter().flatten().enumerate();
        let mut is_shaped = true;
        for (n, schedule) in rules {
            let rules = schedule.get("rules").and_then(Value::as_array).into_iter().flatten().enumerate();
            for (m, rule) in rules {
                let key = format!("fee_schedules[{n}].rules[{m}]");
                is_shaped &= shaped::<FeeRuleSettings>(&key, rule, reader).is_some();
            }
        }
        if !is_shaped {
            return Vec::new();
        }
        let schedules = self.list::<FeeScheduleSettings>("fee_schedules", reader);
        let whose = fees::Whose::Terms { partner: ground.partner, mode: ground.mode, version: ground.version };
        fees::read_each(&schedules, whose, &ground.house.pairs, reader)
    }

    fn limits(&self, ground: &TermsGround<'_>, reader: &mut Reader<'_>) -> Option<LimitTerms> {
        let value = self.0.get("limits")?;
        for name in PERIODS {
            if let Some(periods) = value.get(name) {
                shaped::<PeriodLimitSettings>(&format!("limits.{name}"), periods, reader)?;
            }
        }
        let settings: LimitTermsSettings = shaped("limits", value, reader)?;
        let house = &ground.house.limits;
        if settings.reference != house.reference.code.as_str() {
            let what = format!("limits are counted in {} here", house.reference);
            reader.wrong("limits.reference", what);
            return None;
        }
        let scale = house.reference.scale;
        let own = |limits: &PeriodLimitSettings, name: &str, reader: &mut Reader<'_>| -> PeriodLimits {
            limits.read(&format!("limits.{name}"), scale, reader)
        };
        let terms = LimitTerms {
            offer_min: reader.optional("limits.offer_min", settings.offer_min.as_ref(), scale),
            offer_max: reader.optional("limits.offer_max", settings.offer_max.as_ref(), scale),
            customer: own(&settings.customer, "customer", reader),
            card: own(&settings.card, "card", reader),
            partner: own(&settings.partner, "partner", reader),
        };
        for error in terms.check(house) {
            if !reader.problems.0.iter().any(|problem| problem.key == error.key()) {
                reader.wrong(error.key(), error);
            }
        }
        Some(terms)
    }
}

/// A value of the shape of `T`, or a problem.
fn shaped<T: DeserializeOwned>(key: &str, value: &Value, reader: &mut Reader<'_>) -> Option<T> {
    reader.ok(key, T::deserialize(value))
}

#[cfg(test)]
#[path = "terms_tests.rs"]
mod tests;
