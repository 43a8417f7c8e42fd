//! Card numbers and what can be told from them: scheme, IIN, last four, expiry, holder, address, standing. Pure: nothing here encrypts, stores
//! or sends. A CVV has no type here, since it is never accepted.

mod billing;
mod expiry;
mod holder;
mod identifiers;
mod iin;
mod issuer;
mod pan;
mod scheme;
mod standing;
mod strike;

pub use billing::BillingAddress;
pub use expiry::{CardExpiry, ExpiryError};
pub use holder::{HolderName, HolderNameError};
pub use identifiers::without_ids;
pub use iin::{CardCheckError, CardNumberRules, IinTable, IinTableError, identify};
pub use issuer::{COLUMNS as ISSUER_COLUMNS, Issuer, IssuerTable, IssuerTableError};
pub use pan::{Iin, IinDigits, IinError, Pan, PanError, masked_pan};
pub use scheme::{CardScheme, UnknownScheme};
pub use standing::{Screening, UnknownStatus, ValidationStatus, validation_status};
pub use strike::{strike_and_cut, strike_encoded, strike_numbers};

/// A card in the clear, on its way from the vault to a provider's request. Lives in memory only.
#[derive(Clone, Debug)]
pub struct CardDetails {
    pub pan: Pan,
    pub expiry: CardExpiry,
    pub holder: HolderName,
}
