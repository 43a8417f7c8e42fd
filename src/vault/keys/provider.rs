//! The trait that every key provider implements. Wrapped keys are opaque: a provider alone knows what is in them.

use std::fmt;

use async_trait::async_trait;

use super::key_file::KeyFileError;
use crate::domain::ids::Tenant;
use crate::vault::dek::DekId;
use crate::vault::secret::{RandomError, SecretKey32};

/// What a wrapped data key is bound to: it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DekContext {
    pub dek_id: DekId,
    pub tenant: Tenant,
    pub epoch: i32,
}

impl DekContext {
    /// The context as names and values, in a fixed order: the encryption context of a key service.
    pub fn pairs(&self) -> [(&'static str, String); 4] {
        [
            ("dek_id", self.dek_id.to_string()),
            ("partner_id", self.tenant.partner_id.to_string()),
            ("mode", self.tenant.mode.to_string()),
            ("epoch", self.epoch.to_string()),
        ]
    }
}

/// A data key, encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDek {
    /// The key that wraps it, by the provider's own name and version.
    pub kek_id: String,
    pub bytes: Vec<u8>,
}

impl fmt::Debug for WrappedDek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedDek").field("kek_id", &self.kek_id).finish_non_exhaustive()
    }
}

/// A new data key, both ways.
#[derive(Debug)]
pub struct GeneratedDek {
    pub wrapped: WrappedDek,
    pub key: SecretKey32,
}

/// What a MAC key is for. Keys of two purposes have nothing in common that can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacPurpose {
    /// Fingerprints of card numbers.
    Fingerprint,
    /// Bodies of idempotent requests.
    IdempotentBody,
    /// The chains of payout events.
    Event,
    /// The anchored heads of the audit trail.
    AuditAnchor,
    /// What others sent or call things, where it is known again by its hash alone.
    Foreign,
    /// Tokens of partners' customers.
    CustomerToken,
}

impl MacPurpose {
    pub const ALL: [Self; 6] =
        [Self::Fingerprint, Self::IdempotentBody, Self::Event, Self::AuditAnchor, Self::Foreign, Self::CustomerToken];

    /// The message whose HMAC, under the provider's root key, is the key of this purpose.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fingerprint => "landfall/mac/fingerprint/1",
            Self::IdempotentBody => "landfall/mac/idempotent-body/1",
            Self::Event => "landfall/mac/event/1",
            Self::AuditAnchor => "landfall/mac/audit-anchor/1",
            Self::Foreign => "landfall/mac/foreign/1",
            Self::CustomerToken => "landfall/mac/customer-token/1",
        }
    }
}

/// A MAC key with the name of the root that it comes from.
#[derive(Debug)]
pub struct MacKey {
    pub id: String,
    pub key: SecretKey32,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("key-encryption key {0} is not known")]
    UnknownKek(String),
    /// The name fits, the bytes don't: most likely another installation's or another backup's key.
    #[error("key-encryption key {0} is not the one that wrapped this data key")]
    WrongKek(String),
    #[error("a wrapped data key was altered, or belongs elsewhere")]
    Refused,
    #[error("a wrapped data key can't be read")]
    Malformed,
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// Worth another try.
    #[error("the key service gives no answer that can be used: {0}")]
    Unavailable(String),
    /// A token that has ended, or a right that is missing: an operator's to mend.
    #[error("the key service refuses us: {0}")]
    Denied(String),
    #[error("the key service or our way to it isn't set up as it must be: {0}")]
    Misconfigured(String),
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl KeyError {
    /// Whether the same call may do later, without the wrapped key being any other.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Denied(_)
            | Self::Misconfigured(_)
            | Self::UnknownKek(_)
            | Self::WrongKek(_)
            | Self::File(_)
            | Self::Random(_) => true,
            Self::Refused | Self::Malformed => false,
        }
    }

    /// What is wrong, for whoever asks without authentication: no name, no address, no word of the service's.
    pub fn in_short(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "gives no answer that can be used",
            Self::Denied(_) => "refuses our credentials, or our right to the key",
            Self::UnknownKek(_) | Self::WrongKek(_) => "doesn't have our key",
            Self::Misconfigured(_) | Self::File(_) => "isn't set up as it must be",
            Self::Refused | Self::Malformed => "doesn't open what it has wrapped",
            Self::Random(_) => "has no randomness",
        }
    }
}

/// Holds the key-encryption keys and the roots of the MAC keys, outside the database. A key service fits it as it is: data keys are
/// its `GenerateDataKey` / `datakey`, the context its encryption context, MAC keys its HMAC of the purpose's label.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The provider's name in configuration: `file`, `vault`, `aws-kms`.
    fn code(&self) -> &'static str;

    /// Whether the keys were made for development, or are kept or reached as only development may. Live mode refuses them.
    fn is_development(&self) -> bool;

    /// The key that new data keys are wrapped with.
    async fn kek_id(&self) -> Result<String, KeyError>;

    async fn generate_dek(&self, context: &DekContext) -> Result<GeneratedDek, KeyError>;

    /// Opens a wrapped key in the context that it was generated for.
    async fn unwrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<SecretKey32, KeyError>;

    /// The same data key under the current key-encryption key.
    async fn rewrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<WrappedDek, KeyError>;

    /// The MAC key of a purpose: the same at every call and in every process. Asked once at start-up.
    async fn mac_key(&self, purpose: MacPurpose) -> Result<MacKey, KeyError>;

    /// Whether keys can be wrapped and unwrapped now.
    async fn health(&self) -> Result<(), KeyError>;
}
