//! From a body's conditions to compiled ones: names become attributes, values become operands of the right type.

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::compile::Compiler;
use super::problems::{clipped, join};
use crate::domain::routing::attributes::{Attribute, Kind, decimal};
use crate::domain::routing::condition::{Comparison, Condition, Operands, Operator};

/// The longest text that is compared with, in bytes.
const TEXT_LENGTH_MAX: usize = 200;
/// The longest list that is searched.
const LIST_LENGTH_MAX: usize = 1_000;

impl<'a> Compiler<'a> {
    pub(super) fn condition(&mut self, value: &'a Value, at: &str, depth: usize) -> Option<Condition> {
        self.count(at, depth)?;
        let Some(object) = value.as_object() else {
            self.problems.add(at, "wrong_type", "A condition is an object.");
            return None;
        };
        let mut present = ["all", "any", "attribute"].into_iter().filter(|key| object.contains_key(*key));
        match (present.next(), present.next()) {
            (Some("attribute"), None) => self.comparison(object, at).map(Condition::Compare),
            (Some(group), None) => {
                self.only_keys(object, at, &[group]);
                let conditions = self.group(object.get(group)?, &join(at, group), depth)?;
                Some(if group == "all" { Condition::All(conditions) } else { Condition::Any(conditions) })
            }
            _ => {
                let detail = "A condition has exactly one of \"all\", \"any\", \"attribute\".";
                self.problems.add(at, "unknown_condition", detail);
                None
            }
        }
    }

    fn group(&mut self, value: &'a Value, at: &str, depth: usize) -> Option<Vec<Condition>> {
        let Some(values) = value.as_array() else {
            self.problems.add(at, "wrong_type", "A group is a list of conditions.");
            return None;
        };
        if values.is_empty() {
            self.problems.add(at, "empty_group", "A group has at least one condition.");
            return None;
        }
        let conditions: Vec<Option<Condition>> = values
            .iter()
            .enumerate()
            .map(|(n, value)| self.condition(value, &join(at, &n.to_string()), depth + 1))
            .collect();
        conditions.into_iter().collect()
    }

    fn comparison(&mut self, object: &'a Map<String, Value>, at: &str) -> Option<Comparison> {
        self.only_keys(object, at, &["attribute", "operator", "value", "time_zone"]);
        let attribute = self.attribute(object, at);
        let operator = self.operator(object, at);
        let zone = self.zone(object, at, attribute.as_ref());
        let Some(value) = object.get("value") else {
            self.problems.add(at, "missing_key", "A comparison has a \"value\".");
            return None;
        };
        let (attribute, operator, zone) = (attribute?, operator?, zone?);
        if !goes_with(operator, attribute.kind()) {
            let detail = format!("{:?} can't be asked of a {}.", operator.as_str(), shown(attribute.kind()));
            self.problems.add(&join(at, "operator"), "operator_type", detail);
            return None;
        }
        let operands = self.operands(&attribute, operator, value, &join(at, "value"))?;
        let name = object.get("attribute")?.as_str()?.to_owned();
        Some(Comparison { attribute, zone, operator, operands, name, value: value.clone() })
    }

    fn attribute(&mut self, object: &Map<String, Value>, at: &str) -> Option<Attribute> {
        let at = join(at, "attribute");
        let Some(name) = object.get("attribute").and_then(Value::as_str) else {
            self.problems.add(&at, "wrong_type", "An attribute is a text.");
            return None;
        };
        let attribute = Attribute::parse(name);
        if attribute.is_none() {
            self.problems.add(&at, "unknown_attribute", format!("There is no attribute {:?}.", clipped(name)));
        }
        attribute
    }

    fn operator(&mut self, object: &Map<String, Value>, at: &str) -> Option<Operator> {
        let Some(value) = object.get("operator") else {
            self.problems.add(at, "missing_key", "A comparison has an \"operator\".");
            return None;
        };
        let at = join(at, "operator");
        let Some(text) = value.as_str() else {
            self.problems.add(&at, "wrong_type", "An operator is a text.");
            return None;
        };
        let operator = Operator::parse(text);
        if operator.is_none() {
            let known = Operator::ALL.map(Operator::as_str).join(" ");
            self.problems.add(&at, "unknown_operator", format!("Operators are {known}."));
        }
        operator
    }

    fn zone(&mut self, object: &Map<String, Value>, at: &str, attribute: Option<&Attribute>) -> Option<Tz> {
        let Some(value) = object.get("time_zone") else { return Some(Tz::UTC) };
        let at = join(at, "time_zone");
        let Some(name) = value.as_str() else {
            self.problems.add(&at, "wrong_type", "A time zone is a text.");
            return None;
        };
        if attribute.is_some_and(|attribute| !attribute.is_time()) {
            self.problems.add(&at, "time_zone_unused", "Only times are told in a time zone.");
        }
        let zone = name.parse::<Tz>().ok();
        if zone.is_none() {
            let detail = format!("There is no time zone {:?}; one is Europe/Berlin.", clipped(name));
            self.problems.add(&at, "unknown_time_zone", detail);
        }
        zone
    }

    fn operands(&mut self, attribute: &Attribute, operator: Operator, value: &Value, at: &str) -> Option<Operands> {
        if operator == Operator::Exists {
            let wanted = value.as_bool();
            if wanted.is_none() {
                self.problems.add(at, "value_type", "\"exists\" asks for true or false.");
            }
            return wanted.map(Operands::Existence);
        }
        let values = self.values(operator, value, at)?;
        let listed = value.is_array();
        let mut collected = Collected::default();
        let mut sound = true;
        for (n, value) in values.iter().enumerate() {
            let at = if listed { join(at, &n.to_string()) } else { at.to_owned() };
            if let Err((code, detail)) = collected.add(attribute.kind(), operator, value) {
                self.problems.add(&at, code, detail);
                sound = false;
            }
        }
        if !sound {
            return None;
        }
        let Some(operands) = collected.into_operands() else {
            self.problems.add(at, "value_type", "The values of a list are of one type.");
            return None;
        };
        if let (Operator::Between, Operands::Numbers(ends)) = (operator, &operands)
            && ends.first() > ends.last()
        {
            self.problems.add(at, "empty_range", "The lower end comes first.");
            return None;
        }
        Some(operands.sorted(operator))
    }

    fn values<'v>(&mut self, operator: Operator, value: &'v Value, at: &str) -> Option<&'v [Value]> {
        let (values, wanted) = match (operator, value) {
            (Operator::In | Operator::NotIn, Value::Array(values)) => (values.as_slice(), 1..=LIST_LENGTH_MAX),
            (Operator::Between, Value::Array(values)) => (values.as_slice(), 2..=2),
            (Operator::In | Operator::NotIn | Operator::Between, _) => {
                self.problems.add(at, "value_type", format!("{:?} asks for a list.", operator.as_str()));
                return None;
            }
            (_, Value::Array(_)) => {
                self.problems.add(at, "value_type", format!("{:?} asks for one value.", operator.as_str()));
                return None;
            }
            (_, one) => (std::slice::from_ref(one), 1..=1),
        };
        if !wanted.contains(&values.len()) {
            let detail = match operator {
                Operator::Between => "\"between\" asks for two values, the lower first.".to_owned(),
                _ => format!("A list has 1 to {LIST_LENGTH_MAX} values."),
            };
            self.problems.add(at, "value_count", detail);
            return None;
        }
        Some(values)
    }
}

/// Values of one type each.
#[derive(Default)]
struct Collected {
    numbers: Vec<Decimal>,
    texts: Vec<String>,
    flags: Vec<bool>,
}

impl Collected {
    fn add(&mut self, kind: Kind, operator: Operator, value: &Value) -> Result<(), (&'static str, String)> {
        let wrong = |wanted: &str| Err(("value_type", format!("{:?} here asks for {wanted}.", operator.as_str())));
        match (kind, value) {
            (Kind::Number, Value::String(text)) => match decimal(text) {
                Some(number) => self.numbers.push(number),
                None => return wrong("a number"),
            },
            (Kind::Number | Kind::Any, Value::Number(number)) if operator != Operator::StartsWith => {
                match decimal(number.as_str()) {
                    Some(number) => self.numbers.push(number),
                    None => return Err(("value_type", "A number has at most 28 digits.".to_owned())),
                }
            }
            (Kind::Number, _) => return wrong("a number"),
            (Kind::Any, Value::Bool(flag)) if !operator.is_ordered() && operator != Operator::StartsWith => {
                self.flags.push(*flag);
            }
            (Kind::Text | Kind::Any, Value::String(text)) if !operator.is_ordered() => {
                if text.len() > TEXT_LENGTH_MAX || (text.is_empty() && operator == Operator::StartsWith) {
                    let detail = format!("A text has at most {TEXT_LENGTH_MAX} bytes, a prefix at least one.");
                    return Err(("value_length", detail));
                }
                self.texts.push(text.clone());
            }
            (Kind::Choice(choices), Value::String(text)) => {
                if !choices.contains(&text.as_str()) {
                    return Err(("unknown_value", format!("It is one of {}.", choices.join(", "))));
                }
                self.texts.push(text.clone());
            }
            (Kind::Text | Kind::Choice(_), _) => return wrong("a text"),
            (Kind::Any, _) if operator.is_ordered() => return wrong("a number"),
            (Kind::Any, _) if operator == Operator::StartsWith => return wrong("a text"),
            (Kind::Any, _) => return wrong("a text, a number, true or false"),
        }
        Ok(())
    }

    /// `None` if types are mixed.
    fn into_operands(self) -> Option<Operands> {
        match (self.numbers.is_empty(), self.texts.is_empty(), self.flags.is_empty()) {
            (false, true, true) => Some(Operands::Numbers(self.numbers)),
            (true, false, true) => Some(Operands::Texts(self.texts)),
            (true, true, false) => Some(Operands::Flags(self.flags)),
            _ => None,
        }
    }
}

fn goes_with(operator: Operator, kind: Kind) -> bool {
    match kind {
        Kind::Number => operator != Operator::StartsWith,
        Kind::Text => !operator.is_ordered(),
        Kind::Choice(_) => !operator.is_ordered() && operator != Operator::StartsWith,
        Kind::Any => true,
    }
}

fn shown(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "number",
        Kind::Text => "text",
        Kind::Choice(_) => "name out of a list",
        Kind::Any => "value of metadata",
    }
}
