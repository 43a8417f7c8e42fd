//! From a scheme's JSON to sound rules, or to all that is wrong with it, each with the pointer of its place.

use std::collections::BTreeSet;
use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::{ExchangeScheme, Rule, RuleKind, SOURCE_FIXED};
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::card::strike_numbers;
use crate::domain::exact::{self, AmountError, Rounding};
use crate::domain::rate::{Pair, Price, Spread};

/// The most rules of a scheme.
pub const RULES_MAX: usize = 1_000;
/// Decimals of a price and of a fixed mark-up.
const PRICE_SCALE: u8 = 12;
/// Digits before the point of a price.
const PRICE_DIGITS: u8 = 15;
/// Decimals of a percentage: a spread has eight.
const PERCENT_SCALE: u8 = 6;

const BODY_KEYS: &[&str] = &["rules"];
const RULE_KEYS: &[&str] =
    &["from", "to", "kind", "source", "fallback_source", "price", "inverted", "markup_percent", "markup_fixed"];

/// What kind of mistake it is, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    Missing,
    /// Given where it means nothing.
    Superfluous,
    WrongType,
    UnknownKey,
    UnknownValue,
    UnknownCurrency,
    UnknownSource,
    SameCurrency,
    DuplicatePair,
    SameSource,
    OutOfRange,
    TooPrecise,
    TooMany,
}

impl ProblemCode {
    pub const fn as_str(self) -> &'static str {
        match self {
            ProblemCode::Missing => "missing",
            ProblemCode::Superfluous => "superfluous",
            ProblemCode::WrongType => "wrong_type",
            ProblemCode::UnknownKey => "unknown_key",
            ProblemCode::UnknownValue => "unknown_value",
            ProblemCode::UnknownCurrency => "unknown_currency",
            ProblemCode::UnknownSource => "unknown_source",
            ProblemCode::SameCurrency => "same_currency",
            ProblemCode::DuplicatePair => "duplicate_pair",
            ProblemCode::SameSource => "same_source",
            ProblemCode::OutOfRange => "out_of_range",
            ProblemCode::TooPrecise => "too_precise",
            ProblemCode::TooMany => "too_many",
        }
    }
}

/// One mistake in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer (RFC 6901) within the body.
    pub pointer: String,
    pub code: ProblemCode,
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)
    }
}

impl ExchangeScheme {
    /// Reads a scheme's body. `sources` are the names that prices may be asked of; [`SOURCE_FIXED`] is always known.
    pub fn compile(body: &Value, assets: &Assets, sources: &[&str]) -> Result<Self, Vec<Problem>> {
        let mut reader = Reader { assets, sources, problems: Vec::new(), pairs: BTreeSet::new() };
        let rules = reader.body(body);
        if reader.problems.is_empty() { Ok(Self { rules }) } else { Err(reader.problems) }
    }
}

struct Reader<'a> {
    assets: &'a Assets,
    sources: &'a [&'a str],
    problems: Vec<Problem>,
    pairs: BTreeSet<Pair>,
}

impl Reader<'_> {
    fn problem(&mut self, pointer: impl Into<String>, code: ProblemCode, detail: impl Into<String>) {
        // It names what it doesn't know, which may be anything.
        let detail = strike_numbers(&detail.into()).into_owned();
        self.problems.push(Problem { pointer: pointer.into(), code, detail });
    }

    fn body(&mut self, body: &Value) -> Vec<Rule> {
        let Some(fields) = body.as_object() else {
            self.problem("", ProblemCode::WrongType, "a scheme is an object with rules");
            return Vec::new();
        };
        self.known_keys("", fields, BODY_KEYS);
        let rules = match fields.get("rules") {
            Some(Value::Array(rules)) => rules,
            Some(_) => {
                self.problem("/rules", ProblemCode::WrongType, "rules are an array");
                return Vec::new();
            }
            None => {
                self.problem("/rules", ProblemCode::Missing, "a scheme has rules");
                return Vec::new();
            }
        };
        if rules.len() > RULES_MAX {
            self.problem("/rules", ProblemCode::TooMany, format!("a scheme has at most {RULES_MAX} rules"));
            return Vec::new();
        }
        rules.iter().enumerate().filter_map(|(at, rule)| self.rule(&format!("/rules/{at}"), rule)).collect()
    }

    /// `None` only after a problem was told.
    fn rule(&mut self, at: &str, body: &Value) -> Option<Rule> {
        let Some(fields) = body.as_object() else {
            self.problem(at, ProblemCode::WrongType, "a rule is an object");
            return None;
        };
        self.known_keys(at, fields, RULE_KEYS);
        let pair = self.pair(at, fields);
        let kind = self.kind(at, fields);
        let (source, fallback_source) = self.sources_of(at, fields, kind);
        let price = self.price(at, fields, source.as_deref(), fallback_source.as_deref());
        let inverted = match fields.get("inverted") {
            None => false,
            Some(Value::Bool(inverted)) => *inverted,
            Some(_) => {
                self.problem(format!("{at}/inverted"), ProblemCode::WrongType, "true or false");
                false
            }
        };
        let markup = self.markup_percent(at, fields);
        let markup_fixed = self.decimal(at, fields, "markup_fixed", PRICE_SCALE)?.unwrap_or(Decimal::ZERO);
        if !inverted
            && kind == Some(RuleKind::Fixed)
            && let Some(price) = price
            && markup_fixed >= price
        {
            let detail = "the mark-up takes all of the price";
            self.problem(format!("{at}/markup_fixed"), ProblemCode::OutOfRange, detail);
        }
        Some(Rule {
            pair: pair?,
            kind: kind?,
            source: source?,
            fallback_source,
            price,
            inverted,
            markup: markup?,
            markup_fixed,
            body: body.clone(),
        })
    }

    fn known_keys(&mut self, at: &str, fields: &Map<String, Value>, known: &[&str]) {
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            let escaped: String = key.chars().take(64).collect::<String>().replace('~', "~0").replace('/', "~1");
            let detail = format!("unknown; known are {}", known.join(", "));
            self.problem(format!("{at}/{escaped}"), ProblemCode::UnknownKey, detail);
        }
    }

    /// A text, if it is given; told if it isn't one.
    fn text<'v>(&mut self, at: &str, fields: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
        match fields.get(key)? {
            Value::String(text) => Some(text),
            _ => {
                self.problem(format!("{at}/{key}"), ProblemCode::WrongType, "a text");
                None
            }
        }
    }

    fn require(&mut self, at: &str, fields: &Map<String, Value>, key: &str, detail: &str) {
        if !fields.contains_key(key) {
            self.problem(format!("{at}/{key}"), ProblemCode::Missing, detail);
        }
    }

    fn pair(&mut self, at: &str, fields: &Map<String, Value>) -> Option<Pair> {
        let from = self.currency(at, fields, "from");
        let to = self.currency(at, fields, "to");
        let pair = Pair { from: from?, to: to? };
        if pair.from == pair.to {
            let detail = format!("{} to itself is 1, without a rule", pair.to);
            self.problem(format!("{at}/to"), ProblemCode::SameCurrency, detail);
            return None;
        }
        if !self.pairs.insert(pair) {
            self.problem(at, ProblemCode::DuplicatePair, format!("{pair} has a rule already"));
            return None;
        }
        Some(pair)
    }

    fn currency(&mut self, at: &str, fields: &Map<String, Value>, key: &str) -> Option<AssetCode> {
        self.require(at, fields, key, "a currency");
        let text = self.text(at, fields, key)?;
        let found = self.assets.find(text).map(|asset| asset.code);
        if found.is_none() {
            let detail = format!("{:?} is no currency here", shortened(text));
            self.problem(format!("{at}/{key}"), ProblemCode::UnknownCurrency, detail);
        }
        found
    }

    fn kind(&mut self, at: &str, fields: &Map<String, Value>) -> Option<RuleKind> {
        self.require(at, fields, "kind", "fixed or commercial");
        match self.text(at, fields, "kind")? {
            "fixed" => Some(RuleKind::Fixed),
            "commercial" => Some(RuleKind::Commercial),
            _ => {
                self.problem(format!("{at}/kind"), ProblemCode::UnknownValue, "fixed or commercial");
                None
            }
        }
    }

    fn sources_of(
        &mut self,
        at: &str,
        fields: &Map<String, Value>,
        kind: Option<RuleKind>,
    ) -> (Option<String>, Option<String>) {
        let source = self.source(at, fields, "source");
        let fallback = self.source(at, fields, "fallback_source");
        let (source_at, fallback_at) = (format!("{at}/source"), format!("{at}/fallback_source"));
        match kind {
            Some(RuleKind::Fixed) => {
                if source.as_deref().is_some_and(|source| source != SOURCE_FIXED) {
                    self.problem(source_at, ProblemCode::Superfluous, "a fixed rule states its price itself");
                }
                if fields.contains_key("fallback_source") {
                    self.problem(fallback_at, ProblemCode::Superfluous, "a fixed price never fails");
                }
                (Some(SOURCE_FIXED.to_owned()), None)
            }
            Some(RuleKind::Commercial) => {
                self.require(at, fields, "source", "where the price comes from");
                if source.as_deref() == Some(SOURCE_FIXED) {
                    let detail = "\"fixed\" is no market: use the kind fixed";
                    self.problem(source_at, ProblemCode::UnknownSource, detail);
                }
                if source.is_some() && source == fallback {
                    self.problem(fallback_at, ProblemCode::SameSource, "the same source again is no second choice");
                }
                (source, fallback)
            }
            None => (source, fallback),
        }
    }

    fn source(&mut self, at: &str, fields: &Map<String, Value>, key: &str) -> Option<String> {
        let text = self.text(at, fields, key)?;
        if text == SOURCE_FIXED || self.sources.contains(&text) {
            return Some(text.to_owned());
        }
        let detail = format!("{:?} is no source here; there are {}", shortened(text), self.sources.join(", "));
        self.problem(format!("{at}/{key}"), ProblemCode::UnknownSource, detail);
        None
    }

    fn price(
        &mut self,
        at: &str,
        fields: &Map<String, Value>,
        source: Option<&str>,
        fallback: Option<&str>,
    ) -> Option<Decimal> {
        let pointer = format!("{at}/price");
        let is_needed = source == Some(SOURCE_FIXED) || fallback == Some(SOURCE_FIXED);
        if is_needed {
            self.require(at, fields, "price", "what \"fixed\" stands for");
        } else if fields.contains_key("price") && source.is_some() {
            self.problem(&pointer, ProblemCode::Superfluous, "no source of this rule is \"fixed\"");
        }
        let price = self.decimal(at, fields, "price", PRICE_SCALE)??;
        if price.is_zero() {
            self.problem(&pointer, ProblemCode::OutOfRange, "a price is above zero");
            return None;
        }
        match Price::new(price) {
            Ok(price) => Some(price.value()),
            Err(error) => {
                self.problem(&pointer, ProblemCode::TooPrecise, error.to_string());
                None
            }
        }
    }

    fn markup_percent(&mut self, at: &str, fields: &Map<String, Value>) -> Option<Spread> {
        let percent = self.decimal(at, fields, "markup_percent", PERCENT_SCALE)?.unwrap_or(Decimal::ZERO);
        let fraction = exact::div(percent, Decimal::ONE_HUNDRED, PERCENT_SCALE + 2, Rounding::Up).ok();
        let spread = fraction.and_then(|fraction| Spread::new(fraction).ok());
        if spread.is_none() {
            self.problem(format!("{at}/markup_percent"), ProblemCode::OutOfRange, "a mark-up is below 100 %");
        }
        spread
    }

    /// `None` after a problem was told, `Some(None)` where nothing is given.
    fn decimal(&mut self, at: &str, fields: &Map<String, Value>, key: &str, scale: u8) -> Option<Option<Decimal>> {
        let pointer = format!("{at}/{key}");
        let text = match fields.get(key) {
            None => return Some(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => {
                self.problem(pointer, ProblemCode::WrongType, "a decimal number, as a text or a number");
                return None;
            }
        };
        match exact::parse_amount(&text, scale, PRICE_DIGITS) {
            Ok(decimal) => Some(Some(decimal.normalize())),
            Err(error) => {
                let (code, detail) = match error {
                    AmountError::Malformed => (ProblemCode::WrongType, "a decimal number, as in 0.92".to_owned()),
                    AmountError::TooPrecise => (ProblemCode::TooPrecise, format!("at most {scale} decimals")),
                    AmountError::TooLarge => (ProblemCode::OutOfRange, "too large".to_owned()),
                    AmountError::Negative => (ProblemCode::OutOfRange, "not below zero".to_owned()),
                };
                self.problem(pointer, code, detail);
                None
            }
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
