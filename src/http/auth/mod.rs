//! Who is asking: a wallet user, by the bearer token (JWT) of a configured issuer.
//!
//! Owns the reading and verification of tokens, the issuers' keys, and the [`WalletUser`] extractor. The issuer fixes
//! partner and mode; a token can't. It never looks at a customer record, never trusts anything that a token says
//! about its own key (`jku`, `x5u`, `jwk`, `x5c`), and never writes a token to a log.

mod authenticator;
mod claims;
pub mod customer_tokens;
mod development;
mod error;
mod extractor;
#[cfg(feature = "torture")]
pub(super) mod fuzz;
mod jwks;
mod keys;
mod token;

pub use authenticator::{AuthSetupError, Authenticator};
pub use development::{DevIssuer, DevIssuerError, MintError, MintRequest, mint_development_token};
pub use error::AuthError;
pub use extractor::{AuthFailure, WalletUser};

use chrono::{DateTime, Utc};

use crate::domain::ids::{CustomerId, Mode};

/// A wallet user, as a verified token names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The partner of the issuer's configuration, never of the token.
    pub partner_code: String,
    /// The mode of the issuer's configuration.
    pub mode: Mode,
    /// The partner's name for the user (`sub`): 1 to 255 printable characters, compared exactly.
    pub subject: String,
    pub kyc: KycSource,
    /// Our name for the issuer.
    pub issuer: String,
    /// `jti`, when the issuer sets one.
    pub token_id: Option<String>,
    /// `exp`. The token is accepted for the issuer's leeway longer.
    pub expires_at: DateTime<Utc>,
    /// What we signed ourselves; `None`: another issuer's token.
    pub signed_by_us: Option<Signed>,
}

/// What a token of our own says beside whom it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    pub customer_id: CustomerId,
    /// Of the customer's tokens when it was signed. Revoking them begins another, and this one isn't taken any more.
    pub generation: i64,
    pub reads_only: bool,
}

/// Where the user's KYC level stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KycSource {
    /// Ask the customer record.
    FromRecord,
    /// The issuer vouches for this level.
    Claim(u8),
}
