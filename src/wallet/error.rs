//! What a use case of the wallet refuses, by what the caller can do about it. Turned into codes and texts by `http`.

use rust_decimal::Decimal;

use crate::domain::asset::AssetCode;
use crate::domain::offer::Refusal;
use crate::gateway::GatewayError;
use crate::store::error::DbError;
use crate::store::retry::TransactionError;
use crate::vault::VaultError;

#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A field can't be read or has no such value. Nothing was changed.
    #[error("{field}: {what}")]
    NotValid { field: &'static str, what: String },
    #[error("this card's scheme isn't paid to")]
    CardNotSupported,
    #[error("the card has expired")]
    CardExpired,
    #[error("the user has as many cards as may be")]
    TooManyCards,
    /// There is no such thing, or it isn't the user's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("{from}/{to} isn't offered")]
    PairNotSupported { from: String, to: String },
    #[error("there is no price for {0} now")]
    RatesUnavailable(String),
    /// An amount outside what one offer may pay, with the limit in units of the source.
    #[error("the amount is below {limit} {currency}")]
    AmountTooSmall { limit: Decimal, currency: AssetCode },
    #[error("the amount is above {limit} {currency}")]
    AmountTooLarge { limit: Decimal, currency: AssetCode },
    /// A rule refuses to execute the offer.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody can tell now whether the pay may be accepted. Nothing was changed; later it may be.
    #[error("the pay can't be screened now")]
    ScreeningUnavailable,
    /// The offer was changed since the caller saw it.
    #[error("the offer is at version {current}")]
    VersionConflict { current: i32 },
    /// The token's partner isn't one of ours.
    #[error("the partner isn't known")]
    UnknownPartner,
    #[error("the gateway failed: {0}")]
    Gateway(#[from] GatewayError),
    #[error("the database failed: {0}")]
    Db(#[from] DbError),
    #[error("the vault failed: {0}")]
    Vault(#[from] VaultError),
    /// A bug: something that can't be, was.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<diesel::result::Error> for WalletError {
    fn from(error: diesel::result::Error) -> Self {
        WalletError::Db(error.into())
    }
}

impl WalletError {
    pub fn not_valid(field: &'static str, what: impl Into<String>) -> Self {
        WalletError::NotValid { field, what: what.into() }
    }
}

impl TransactionError for WalletError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            WalletError::Db(error) | WalletError::Gateway(GatewayError::Db(error)) => Some(error),
            _ => None,
        }
    }
}
