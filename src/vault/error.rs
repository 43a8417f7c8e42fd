//! What can go wrong in the vault. No variant holds a card number, a name, an address or a key.

use super::dek::{DekId, DekStoreError};
use super::envelope::EnvelopeError;
use super::keys::KeyError;
use super::secret::RandomError;

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("data key {0} is not known")]
    UnknownDek(DekId),
    /// Whatever named it was sealed anew before: whoever holds an old copy of the row reads it again.
    #[error("data key {0} is retired: it is destroyed, and nothing names it any more")]
    RetiredDek(DekId),
    /// Invariant 8: rows of two tenants never share a key.
    #[error("data key {0} belongs to another partner or mode")]
    ForeignDek(DekId),
    #[error("data key {0} is not what its check value says: it was unwrapped with a wrong key")]
    WrongKey(DekId),
    #[error("no data key could be made primary")]
    NoPrimary,
    #[error("what was sealed as a card is none")]
    NotACard,
    #[error("what was sealed as a billing address is none")]
    NotAnAddress,
    #[error(
        "live mode refuses keys that were made for development, or that are kept or reached as only development may (docs/keys.md)"
    )]
    DevelopmentKeys,
    #[error("the key provider failed: {0}")]
    Keys(#[from] KeyError),
    #[error(transparent)]
    Store(#[from] DekStoreError),
}

impl VaultError {
    /// Whether the same call may do later: a key service or the database is away, or isn't set up, and the sealed value is as it was.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Keys(error) => error.may_pass(),
            Self::Store(_) | Self::WrongKey(_) | Self::RetiredDek(_) => true,
            Self::Envelope(_)
            | Self::UnknownDek(_)
            | Self::ForeignDek(_)
            | Self::NoPrimary
            | Self::NotACard
            | Self::NotAnAddress
            | Self::DevelopmentKeys => false,
        }
    }
}

impl From<RandomError> for VaultError {
    fn from(error: RandomError) -> Self {
        Self::Envelope(EnvelopeError::Random(error))
    }
}
