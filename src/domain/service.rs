//! Payout services: a method in a currency, with the fields that it needs. Owns the fields' form and their check; never decides
//! whether a card is good, stores nothing, and reads no clock.

mod check;
mod field;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

use super::asset::AssetCode;

pub use check::{CheckedFields, FieldProblem};
pub use field::{FieldError, FieldKind, ServiceField, Texts};

/// The most fields that a service may have.
pub const FIELDS_MAX: usize = 32;

/// `method_currency`, in lower case: `card_eur`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceCode(String);

/// A text that is not a service's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a service's code is method_currency in lower case, such as card_eur")]
pub struct ServiceCodeError;

impl ServiceCode {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the currency: `card`.
    pub fn method(&self) -> &str {
        self.0.split_once('_').map_or("", |(method, _)| method)
    }

    /// What the service pays out.
    pub fn currency(&self) -> Option<AssetCode> {
        let (_, currency) = self.0.split_once('_')?;
        currency.to_ascii_uppercase().parse().ok()
    }
}

impl FromStr for ServiceCode {
    type Err = ServiceCodeError;

    fn from_str(text: &str) -> Result<Self, ServiceCodeError> {
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let (method, currency) = text.split_once('_').ok_or(ServiceCodeError)?;
        let well_formed = (1..=32).contains(&method.len()) && plain(method) && plain(currency);
        let code = Self(text.to_owned());
        if well_formed && code.currency().is_some() { Ok(code) } else { Err(ServiceCodeError) }
    }
}

impl fmt::Display for ServiceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can be asked for.
#[derive(Clone, Debug)]
pub struct Service {
    pub code: ServiceCode,
    pub currency: AssetCode,
    pub enabled: bool,
    pub amount_min: Option<Decimal>,
    pub amount_max: Option<Decimal>,
    /// In the order in which a form shows them.
    pub fields: Vec<ServiceField>,
}

impl Service {
    /// Whether it pays to a card, whose number comes in its fields or from the vault.
    pub fn takes_card(&self) -> bool {
        self.fields.iter().any(|field| field.kind == FieldKind::CardNumber)
    }

    pub fn field(&self, key: &str) -> Option<&ServiceField> {
        self.fields.iter().find(|field| field.key == key)
    }
}
