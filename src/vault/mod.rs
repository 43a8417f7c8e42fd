//! The card vault: envelope encryption of card data, the ring of data keys, fingerprints and MACs, and the providers that hold the
//! keys above them.
//!
//! A card number is sealed with AES-256-GCM under a data key (DEK) of its partner, mode and epoch; data keys are wrapped by a
//! key-encryption key (KEK) that a [`keys::KeyProvider`] holds outside the database. The vault never stores anything: sealed bytes go
//! back to the caller, wrapped data keys to a [`DekStore`]. It never decides whether a card is good (`domain::card` does), and it
//! never imports `store`.

mod aead;
mod card_vault;
mod context;
mod dek;
mod envelope;
mod error;
#[cfg(feature = "torture")]
pub(crate) mod fuzz;
pub mod keys;
mod mac;
mod ring;
mod sealed;
mod secret;
mod standing;
#[cfg(test)]
pub(crate) mod testing;

pub use aead::KeyCheckValue;
pub use card_vault::{BILLING_COLUMN, CardOwner, HOLDER_COLUMN, PAN_COLUMN, SealedCard, Vault};
pub use context::{Context, RecordId};
pub use dek::{DekId, DekRow, DekStore, DekStoreError};
pub use envelope::{EnvelopeError, Sealed};
pub use error::VaultError;
pub use mac::{EVENT_CHAIN_START, Fingerprint};
pub use sealed::{
    CALLBACK_KEYS_COLUMN, CHANGE_COLUMN, CREDENTIALS_COLUMN, SEALED_COLUMNS_MAX, SIGNING_COLUMN, SealedColumn,
    SealedTable, TOLD_COLUMN, TOTP_COLUMN, WEBHOOK_COLUMN,
};
pub use secret::{RandomError, SecretKey32};
