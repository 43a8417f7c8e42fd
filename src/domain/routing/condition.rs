//! Conditions: comparisons of attributes, grouped by `all` and `any`. Compiled from a scheme's body; owns how they are
//! evaluated.
//!
//! One rule for what isn't known: a comparison with a missing value is false, whatever its operator, `!=` and `not_in`
//! included; only `exists: false` is true of it. A branch is taken for what is known of a request and never for what isn't:
//! "issuer country not in (...)" must not let through a card of which no issuer is known. A value of another type than the
//! one compared with, which only metadata can have, counts as missing.

use std::borrow::Cow;
use std::cmp::Ordering;

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::attributes::{Actual, Attribute, Facts, decimal};

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operator {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    NotEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = "in")]
    In,
    #[serde(rename = "not_in")]
    NotIn,
    /// Both ends included.
    #[serde(rename = "between")]
    Between,
    #[serde(rename = "starts_with")]
    StartsWith,
    #[serde(rename = "exists")]
    Exists,
}

impl Operator {
    pub const ALL: [Self; 11] = [
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::GreaterOrEqual,
        Self::Greater,
        Self::In,
        Self::NotIn,
        Self::Between,
        Self::StartsWith,
        Self::Exists,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
            Self::In => "in",
            Self::NotIn => "not_in",
            Self::Between => "between",
            Self::StartsWith => "starts_with",
            Self::Exists => "exists",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.as_str() == text)
    }

    /// Whether it asks for an order: of numbers only.
    pub const fn is_ordered(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::GreaterOrEqual | Self::Greater | Self::Between)
    }
}

/// What an attribute is compared with. Lists are sorted; `between` has its lower end first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operands {
    Numbers(Vec<Decimal>),
    Texts(Vec<String>),
    Flags(Vec<bool>),
    /// Of `exists`.
    Existence(bool),
}

/// One attribute compared with something.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    pub attribute: Attribute,
    /// What times are told in.
    pub zone: Tz,
    pub operator: Operator,
    pub operands: Operands,
    /// The attribute and the value as they stand in the scheme, for traces.
    pub name: String,
    pub value: Value,
}

/// A group of conditions, or a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Compare(Comparison),
}

/// A comparison as it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonTrace {
    pub attribute: String,
    pub operator: Operator,
    pub value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What the request had; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    pub result: bool,
}

impl Condition {
    /// Whether it is true of `facts`; the comparisons that decided it are added to `seen`. Stops as soon as it is decided.
    pub fn evaluate(&self, facts: &Facts<'_>, seen: &mut Vec<ComparisonTrace>) -> bool {
        match self {
            Condition::All(conditions) => conditions.iter().all(|condition| condition.evaluate(facts, seen)),
            Condition::Any(conditions) => conditions.iter().any(|condition| condition.evaluate(facts, seen)),
            Condition::Compare(comparison) => comparison.evaluate(facts, seen),
        }
    }
}

impl Comparison {
    fn evaluate(&self, facts: &Facts<'_>, seen: &mut Vec<ComparisonTrace>) -> bool {
        let actual = self.attribute.read(facts, self.zone);
        let result = self.operands.holds(self.operator, actual.as_ref());
        seen.push(ComparisonTrace {
            attribute: self.name.clone(),
            operator: self.operator,
            value: self.value.clone(),
            time_zone: self.attribute.is_time().then(|| self.zone.name().to_owned()),
            actual: actual.map(|actual| actual.to_json()),
            result,
        });
        result
    }
}

impl Operands {
    /// Whether the operator holds between `actual` and these.
    pub fn holds(&self, operator: Operator, actual: Option<&Actual<'_>>) -> bool {
        match (self, actual) {
            (Operands::Existence(wanted), actual) => actual.is_some() == *wanted,
            (Operands::Numbers(numbers), Some(Actual::Number(actual))) => {
                holds(operator, numbers, |operand| actual.cmp(operand))
            }
            (Operands::Texts(texts), Some(Actual::Text(actual))) if operator == Operator::StartsWith => {
                texts.iter().any(|prefix| actual.starts_with(prefix.as_str()))
            }
            (Operands::Texts(texts), Some(Actual::Text(actual))) => {
                holds(operator, texts, |operand| actual.as_ref().cmp(operand.as_str()))
            }
            (Operands::Flags(flags), Some(Actual::Flag(actual))) => {
                holds(operator, flags, |operand| actual.cmp(operand))
            }
            (Operands::Numbers(_) | Operands::Texts(_) | Operands::Flags(_), _) => false,
        }
    }

    /// The value of a stored comparison, read again.
    fn of_json(operator: Operator, value: &Value) -> Option<Self> {
        if operator == Operator::Exists {
            return value.as_bool().map(Operands::Existence);
        }
        let values = match value {
            Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        let actuals: Vec<Actual<'_>> = values.iter().map(Actual::from_json).collect::<Option<_>>()?;
        let numbers = |actual: &Actual<'_>| match actual {
            Actual::Number(number) => Some(*number),
            Actual::Text(text) => decimal(text),
            Actual::Flag(_) => None,
        };
        let operands = match actuals.first()? {
            Actual::Number(_) => Operands::Numbers(actuals.iter().map(numbers).collect::<Option<_>>()?),
            Actual::Text(_) => Operands::Texts(
                actuals
                    .into_iter()
                    .map(|actual| if let Actual::Text(text) = actual { Some(text.into_owned()) } else { None })
                    .collect::<Option<_>>()?,
            ),
            Actual::Flag(_) => Operands::Flags(
                actuals
                    .into_iter()
                    .map(|actual| if let Actual::Flag(flag) = actual { Some(flag) } else { None })
                    .collect::<Option<_>>()?,
            ),
        };
        Some(operands.sorted(operator))
    }

    /// In the order in which they are searched.
    pub fn sorted(mut self, operator: Operator) -> Self {
        if matches!(operator, Operator::In | Operator::NotIn) {
            match &mut self {
                Operands::Numbers(numbers) => numbers.sort_unstable(),
                Operands::Texts(texts) => texts.sort_unstable(),
                Operands::Flags(flags) => flags.sort_unstable(),
                Operands::Existence(_) => {}
            }
        }
        self
    }
}

/// `compare` orders the actual value against an operand.
fn holds<T>(operator: Operator, operands: &[T], compare: impl Fn(&T) -> Ordering) -> bool {
    let first = || operands.first().map(&compare);
    match operator {
        Operator::Equal => first() == Some(Ordering::Equal),
        Operator::NotEqual => first().is_some_and(Ordering::is_ne),
        Operator::Less => first() == Some(Ordering::Less),
        Operator::LessOrEqual => first().is_some_and(Ordering::is_le),
        Operator::GreaterOrEqual => first().is_some_and(Ordering::is_ge),
        Operator::Greater => first() == Some(Ordering::Greater),
        Operator::In => operands.binary_search_by(|operand| compare(operand).reverse()).is_ok(),
        Operator::NotIn => operands.binary_search_by(|operand| compare(operand).reverse()).is_err(),
        Operator::Between => match operands {
            [low, high] => compare(low).is_ge() && compare(high).is_le(),
            _ => false,
        },
        Operator::StartsWith | Operator::Exists => false,
    }
}

impl ComparisonTrace {
    /// The comparison made again from what the trace holds; `None` if it can't be read.
    pub fn replay(&self) -> Option<bool> {
        let attribute = Attribute::parse(&self.attribute)?;
        let mut operands = Operands::of_json(self.operator, &self.value)?;
        // Numbers may be written as texts.
        if let (super::attributes::Kind::Number, Operands::Texts(texts)) = (attribute.kind(), &operands) {
            operands = Operands::Numbers(texts.iter().map(|text| decimal(text)).collect::<Option<_>>()?);
            operands = operands.sorted(self.operator);
        }
        let actual = match &self.actual {
            Some(value) => Some(Actual::from_json(value)?),
            None => None,
        };
        Some(operands.holds(self.operator, actual.as_ref()))
    }
}

impl From<&str> for Actual<'static> {
    fn from(text: &str) -> Self {
        Actual::Text(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    const OPERATORS_BUT_EXISTS: [Operator; 10] = [
        Operator::Equal,
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::GreaterOrEqual,
        Operator::Greater,
        Operator::In,
        Operator::NotIn,
        Operator::Between,
        Operator::StartsWith,
    ];

    #[test]
    fn of_a_missing_value_nothing_is_true_but_that_it_is_missing() {
        for operator in OPERATORS_BUT_EXISTS {
            assert!(!Operands::Numbers(vec![dec!(1), dec!(2)]).holds(operator, None), "{operator:?}");
            assert!(!Operands::Texts(vec!["a".into(), "b".into()]).holds(operator, None), "{operator:?}");
            let other = Actual::Flag(true);
            assert!(!Operands::Texts(vec!["true".into()]).holds(operator, Some(&other)), "{operator:?}");
        }
        assert!(Operands::Existence(false).holds(Operator::Exists, None));
        assert!(!Operands::Existence(true).holds(Operator::Exists, None));
        assert!(Operands::Existence(true).holds(Operator::Exists, Some(&Actual::Flag(false))));
    }

    #[test]
    fn numbers_compare_by_value_and_not_by_their_digits() {
        let holds = |operator, operand: Decimal, actual: Decimal| {
            Operands::Numbers(vec![operand]).holds(operator, Some(&Actual::Number(actual)))
        };
        assert!(holds(Operator::Equal, dec!(10), dec!(10.00)));
        assert!(!holds(Operator::NotEqual, dec!(10), dec!(10.00)));
        assert!(holds(Operator::Less, dec!(10), dec!(9.99)) && !holds(Operator::Less, dec!(10), dec!(10)));
        assert!(holds(Operator::GreaterOrEqual, dec!(10), dec!(10)) && !holds(Operator::Greater, dec!(10), dec!(10)));
        let between = Operands::Numbers(vec![dec!(1), dec!(2)]);
        for (actual, inside) in [(dec!(0.99), false), (dec!(1), true), (dec!(2.0), true), (dec!(2.01), false)] {
            assert_eq!(between.holds(Operator::Between, Some(&Actual::Number(actual))), inside, "{actual}");
        }
    }

    #[test]
    fn a_list_is_searched_whole() {
        let list = Operands::Texts(vec!["DE".into(), "FR".into(), "AT".into()]).sorted(Operator::In);
        for (country, inside) in [("AT", true), ("DE", true), ("FR", true), ("GB", false), ("", false)] {
            assert_eq!(list.holds(Operator::In, Some(&country.into())), inside, "{country}");
            assert_eq!(list.holds(Operator::NotIn, Some(&country.into())), !inside, "{country}");
        }
    }
}
