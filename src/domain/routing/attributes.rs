//! The attributes that conditions look at: their names, their types, and how each is read from the facts of a request.
//!
//! Reads only what it is handed; a fact that isn't known is absent, never a default.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Timelike, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::Value;

use super::draw;
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::ids::{Mode, PayoutRequestId};

/// What is known of a request when it is routed.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The draw is derived from it.
    pub request_id: PayoutRequestId,
    pub now: DateTime<Utc>,
    /// The request's whole amount in the service's currency: all parts of a request take the same branches.
    pub amount: Decimal,
    /// The same in the reference currency; none without a rate.
    pub amount_reference: Option<Decimal>,
    pub currency: AssetCode,
    pub service: &'a str,
    pub mode: Mode,
    pub card: CardFacts<'a>,
    pub customer: CustomerFacts<'a>,
    /// The request's metadata, an object.
    pub metadata: Option<&'a Value>,
}

impl Facts<'_> {
    /// Facts of a request of which hardly anything is known: for questions that no scheme answers.
    pub fn bare<'a>(
        mode: Mode,
        currency: AssetCode,
        service: &'a str,
        amount: Decimal,
        card_scheme: Option<CardScheme>,
    ) -> Facts<'a> {
        Facts {
            request_id: PayoutRequestId(uuid::Uuid::nil()),
            now: DateTime::UNIX_EPOCH,
            amount,
            amount_reference: None,
            currency,
            service,
            mode,
            card: CardFacts { scheme: card_scheme, ..CardFacts::default() },
            customer: CustomerFacts::default(),
            metadata: None,
        }
    }
}

/// What is known of the card that is paid; nothing where no card is.
#[derive(Clone, Copy, Debug, Default)]
pub struct CardFacts<'a> {
    pub scheme: Option<CardScheme>,
    /// `debit`, `credit`, `prepaid`.
    pub kind: Option<&'a str>,
    pub brand: Option<&'a str>,
    /// The first six digits.
    pub iin6: Option<&'a str>,
    /// The first eight digits.
    pub iin8: Option<&'a str>,
    pub issuer_name: Option<&'a str>,
    /// ISO 3166-1 alpha-2.
    pub issuer_country: Option<&'a str>,
}

/// What is known of the customer who is paid.
#[derive(Clone, Copy, Debug, Default)]
pub struct CustomerFacts<'a> {
    pub reference: Option<&'a str>,
    pub kyc_level: Option<u8>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<&'a str>,
    /// An object.
    pub metadata: Option<&'a Value>,
    /// Payouts that were paid.
    pub paid_count: Option<u64>,
    /// Payouts that failed.
    pub failed_count: Option<u64>,
}

/// What a condition can look at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    Amount,
    AmountReference,
    Currency,
    Service,
    Mode,
    CardScheme,
    CardType,
    CardBrand,
    CardIin6,
    CardIin8,
    CardIssuerName,
    CardIssuerCountry,
    CustomerReference,
    CustomerKycLevel,
    CustomerCountry,
    /// One key of the customer's metadata.
    CustomerMetadata(String),
    CustomerPaidCount,
    CustomerFailedCount,
    /// One key of the request's metadata.
    Metadata(String),
    Hour,
    /// 1 is Monday.
    DayOfWeek,
    DayOfMonth,
    Month,
    Year,
    /// A number in 0..100 that each request draws once.
    Draw,
}

const CUSTOMER_METADATA: &str = "customer.metadata.";
const METADATA: &str = "metadata.";
/// The longest metadata key that is looked up, in bytes.
const KEY_LENGTH_MAX: usize = 64;

const NAMES: [(&str, Attribute); 23] = [
    ("amount", Attribute::Amount),
    ("amount_reference", Attribute::AmountReference),
    ("currency", Attribute::Currency),
    ("service", Attribute::Service),
    ("mode", Attribute::Mode),
    ("card.scheme", Attribute::CardScheme),
    ("card.type", Attribute::CardType),
    ("card.brand", Attribute::CardBrand),
    ("card.iin6", Attribute::CardIin6),
    ("card.iin8", Attribute::CardIin8),
    ("card.issuer_name", Attribute::CardIssuerName),
    ("card.issuer_country", Attribute::CardIssuerCountry),
    ("customer.reference", Attribute::CustomerReference),
    ("customer.kyc_level", Attribute::CustomerKycLevel),
    ("customer.country", Attribute::CustomerCountry),
    ("customer.paid_count", Attribute::CustomerPaidCount),
    ("customer.failed_count", Attribute::CustomerFailedCount),
    ("time.hour", Attribute::Hour),
    ("time.day_of_week", Attribute::DayOfWeek),
    ("time.day_of_month", Attribute::DayOfMonth),
    ("time.month", Attribute::Month),
    ("time.year", Attribute::Year),
    ("draw", Attribute::Draw),
];

/// The type of an attribute: which operators and values go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Text,
    /// A text out of a closed list.
    Choice(&'static [&'static str]),
    /// Whatever the partner wrote: a text, a number or true/false, as the compared value is.
    Any,
}

const MODES: [&str; 2] = [Mode::Test.as_str(), Mode::Live.as_str()];
const SCHEMES: [&str; 9] = {
    let mut names = [""; 9];
    let mut n = 0;
    while n < names.len() {
        names[n] = CardScheme::ALL[n].as_str();
        n += 1;
    }
    names
};

/// An attribute's value in one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Actual<'a> {
    Number(Decimal),
    Text(Cow<'a, str>),
    Flag(bool),
}

impl Attribute {
    /// The attribute of that name: `card.scheme`, `metadata.shop`.
    pub fn parse(name: &str) -> Option<Self> {
        let key = |key: &str| (!key.is_empty() && key.len() <= KEY_LENGTH_MAX).then(|| key.to_owned());
        if let Some(rest) = name.strip_prefix(CUSTOMER_METADATA) {
            return key(rest).map(Attribute::CustomerMetadata);
        }
        if let Some(rest) = name.strip_prefix(METADATA) {
            return key(rest).map(Attribute::Metadata);
        }
        NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, attribute)| attribute)
    }

    /// The names that don't end in a key of one's own.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().map(|(name, _)| name)
    }

    pub fn kind(&self) -> Kind {
        match self {
            Attribute::Amount
            | Attribute::AmountReference
            | Attribute::CustomerKycLevel
            | Attribute::CustomerPaidCount
            | Attribute::CustomerFailedCount
            | Attribute::Hour
            | Attribute::DayOfWeek
            | Attribute::DayOfMonth
            | Attribute::Month
            | Attribute::Year
            | Attribute::Draw => Kind::Number,
            Attribute::Currency
            | Attribute::Service
            | Attribute::CardType
            | Attribute::CardBrand
            | Attribute::CardIin6
            | Attribute::CardIin8
            | Attribute::CardIssuerName
            | Attribute::CardIssuerCountry
            | Attribute::CustomerReference
            | Attribute::CustomerCountry => Kind::Text,
            Attribute::Mode => Kind::Choice(&MODES),
            Attribute::CardScheme => Kind::Choice(&SCHEMES),
            Attribute::CustomerMetadata(_) | Attribute::Metadata(_) => Kind::Any,
        }
    }

    /// Whether it is read from the clock, in a time zone.
    pub fn is_time(&self) -> bool {
        matches!(
            self,
            Attribute::Hour | Attribute::DayOfWeek | Attribute::DayOfMonth | Attribute::Month | Attribute::Year
        )
    }

    /// Whether every request has it.
    pub fn is_always_known(&self) -> bool {
        self.is_time()
            || matches!(
                self,
                Attribute::Amount | Attribute::Currency | Attribute::Service | Attribute::Mode | Attribute::Draw
            )
    }

    /// The least and the greatest value that it can have, both included.
    pub fn range(&self) -> (Option<Decimal>, Option<Decimal>) {
        let of = |low: i64, high: i64| (Some(Decimal::from(low)), Some(Decimal::from(high)));
        match self {
            Attribute::Hour => of(0, 23),
            Attribute::DayOfWeek => of(1, 7),
            Attribute::DayOfMonth => of(1, 31),
            Attribute::Month => of(1, 12),
            Attribute::Draw => (Some(Decimal::ZERO), Some(Decimal::new(99_9999, 4))),
            Attribute::Amount
            | Attribute::AmountReference
            | Attribute::CustomerKycLevel
            | Attribute::CustomerPaidCount
            | Attribute::CustomerFailedCount => (Some(Decimal::ZERO), None),
            _ => (None, None),
        }
    }

    /// Its value in this request; `zone` is what times are told in.
    pub fn read<'a>(&self, facts: &Facts<'a>, zone: Tz) -> Option<Actual<'a>> {
        let text = |text: &'a str| Actual::Text(Cow::Borrowed(text));
        let count = |count: u64| Actual::Number(Decimal::from(count));
        let local = || facts.now.with_timezone(&zone);
        match self {
            Attribute::Amount => Some(Actual::Number(facts.amount)),
            Attribute::AmountReference => facts.amount_reference.map(Actual::Number),
            Attribute::Currency => Some(Actual::Text(Cow::Owned(facts.currency.as_str().to_owned()))),
            Attribute::Service => Some(text(facts.service)),
            Attribute::Mode => Some(text(facts.mode.as_str())),
            Attribute::CardScheme => facts.card.scheme.map(|scheme| text(scheme.as_str())),
            Attribute::CardType => facts.card.kind.map(text),
            Attribute::CardBrand => facts.card.brand.map(text),
            Attribute::CardIin6 => facts.card.iin6.map(text),
            Attribute::CardIin8 => facts.card.iin8.map(text),
            Attribute::CardIssuerName => facts.card.issuer_name.map(text),
            Attribute::CardIssuerCountry => facts.card.issuer_country.map(text),
            Attribute::CustomerReference => facts.customer.reference.map(text),
            Attribute::CustomerKycLevel => facts.customer.kyc_level.map(|level| count(level.into())),
            Attribute::CustomerCountry => facts.customer.country.map(text),
            Attribute::CustomerMetadata(key) => member(facts.customer.metadata, key),
            Attribute::CustomerPaidCount => facts.customer.paid_count.map(count),
            Attribute::CustomerFailedCount => facts.customer.failed_count.map(count),
            Attribute::Metadata(key) => member(facts.metadata, key),
            Attribute::Hour => Some(count(local().hour().into())),
            Attribute::DayOfWeek => Some(count(local().weekday().number_from_monday().into())),
            Attribute::DayOfMonth => Some(count(local().day().into())),
            Attribute::Month => Some(count(local().month().into())),
            Attribute::Year => Some(Actual::Number(Decimal::from(local().year()))),
            Attribute::Draw => Some(Actual::Number(draw::percent(facts.request_id))),
        }
    }
}

impl Actual<'_> {
    /// As it is stored in a trace: numbers as JSON numbers, exact.
    pub fn to_json(&self) -> Value {
        match self {
            Actual::Number(number) => decimal_json(*number),
            Actual::Text(text) => Value::String(text.clone().into_owned()),
            Actual::Flag(flag) => Value::Bool(*flag),
        }
    }

    /// What [`Self::to_json`] wrote.
    pub fn from_json(value: &Value) -> Option<Actual<'_>> {
        match value {
            Value::Number(number) => decimal(&number.to_string()).map(Actual::Number),
            Value::String(text) => Some(Actual::Text(Cow::Borrowed(text))),
            Value::Bool(flag) => Some(Actual::Flag(*flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A JSON number with all its digits.
pub fn decimal_json(number: Decimal) -> Value {
    number.normalize().to_string().parse().map_or_else(|_| Value::String(number.to_string()), Value::Number)
}

/// A number as it is written, if a [`Decimal`] holds all its digits.
pub fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

fn member<'a>(object: Option<&'a Value>, key: &str) -> Option<Actual<'a>> {
    Actual::from_json(object?.get(key)?)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;
    use serde_json::json;

    use super::super::samples::facts;
    use super::*;

    fn read(name: &str, facts: &Facts<'_>, zone: Tz) -> Option<Value> {
        Attribute::parse(name).unwrap().read(facts, zone).map(|actual| actual.to_json())
    }

    #[test]
    fn unknown_names_are_no_attributes() {
        for bad in ["", "Amount", "card", "card.pan", "metadata", "metadata.", "customer.metadata.", "time.minute"] {
            assert_eq!(Attribute::parse(bad), None, "{bad}");
        }
        for name in Attribute::names() {
            assert!(Attribute::parse(name).is_some(), "{name}");
        }
    }

    #[test]
    fn times_are_told_in_the_named_zone() {
        // A Saturday evening in UTC is Sunday in Auckland and Saturday afternoon in New York.
        let facts = Facts { now: "2026-11-21T22:30:00Z".parse().unwrap(), ..facts(dec!(10)) };
        assert_eq!(read("time.day_of_week", &facts, Tz::UTC), Some(json!(6)));
        assert_eq!(read("time.day_of_week", &facts, Tz::Pacific__Auckland), Some(json!(7)));
        assert_eq!(read("time.hour", &facts, Tz::America__New_York), Some(json!(17)));
        assert_eq!(read("time.year", &facts, Tz::UTC), Some(json!(2026)));
    }

    #[test]
    fn metadata_keeps_its_json_types_and_what_is_no_scalar_is_absent() {
        let metadata = json!({"shop": "a.b", "tier": 3.50, "vip": true, "list": [1], "nothing": null, "a.b": 1});
        let facts = Facts { metadata: Some(&metadata), ..facts(dec!(10)) };
        assert_eq!(read("metadata.shop", &facts, Tz::UTC), Some(json!("a.b")));
        assert_eq!(read("metadata.tier", &facts, Tz::UTC).map(|v| v.to_string()), Some("3.5".into()));
        assert_eq!(read("metadata.vip", &facts, Tz::UTC), Some(json!(true)));
        assert_eq!(read("metadata.a.b", &facts, Tz::UTC), Some(json!(1)));
        for absent in ["metadata.list", "metadata.nothing", "metadata.none", "customer.metadata.shop", "card.iin6"] {
            assert_eq!(read(absent, &facts, Tz::UTC), None, "{absent}");
        }
    }
}
