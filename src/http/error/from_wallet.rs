//! How the wallet's refusals and failures become codes. What failed inside is logged here, once.

use serde_json::json;

use super::{ApiError, Code, FieldProblem};
use crate::domain::offer::{Refusal, RefusalCode};
use crate::gateway::GatewayError;
use crate::store::error::DbError;
use crate::wallet::WalletError;

impl From<WalletError> for ApiError {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::NotValid { field, what } => Self::field(field, FieldProblem::Value)
                .with_data(json!({ "problem": FieldProblem::Value.as_str(), "detail": what })),
            WalletError::CardNotSupported => Self::new(Code::CardNotSupported),
            WalletError::CardExpired => Self::new(Code::CardExpired),
            WalletError::TooManyCards => Self::new(Code::TooManyCards),
            WalletError::NotFound(_) => Self::new(Code::NotFound),
            WalletError::PairNotSupported { .. } => Self::new(Code::PairNotSupported),
            WalletError::RatesUnavailable(pair) => {
                tracing::warn!(%pair, "no rate");
                Self::new(Code::RatesUnavailable)
            }
            WalletError::AmountTooSmall { limit, currency } => {
                Self::new(Code::AmountTooSmall).with_limit(limit, currency)
            }
            WalletError::AmountTooLarge { limit, currency } => {
                Self::new(Code::AmountTooLarge).with_limit(limit, currency)
            }
            WalletError::Refused(refusal) => refusal.into(),
            WalletError::ScreeningUnavailable => Self::new(Code::ScreeningUnavailable),
            WalletError::VersionConflict { current } => {
                Self::new(Code::OfferVersionConflict).with_data(json!({ "version": current }))
            }
            WalletError::UnknownPartner => {
                tracing::warn!("a token of a partner that isn't ours");
                Self::new(Code::InvalidToken).with_data(json!({ "reason": "token_refused" }))
            }
            WalletError::Db(error) => error.into(),
            WalletError::Gateway(error) => error.into(),
            // The vault's keys may be out of reach; the wallet changed nothing.
            WalletError::Vault(error) => {
                tracing::error!(%error, "request failed");
                Self::new(Code::ServiceUnavailable)
            }
            WalletError::Internal(_) => Self::internal(&error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.code {
            RefusalCode::OfferAlreadyExecuted => Code::OfferAlreadyExecuted,
            RefusalCode::OfferExpired => Code::OfferExpired,
            RefusalCode::KycRequired => Code::KycRequired,
            RefusalCode::CustomerBlocked => Code::CustomerBlocked,
            RefusalCode::CardNotSupported => Code::CardNotSupported,
            RefusalCode::CardPending => Code::CardPending,
            RefusalCode::CardExpired => Code::CardExpired,
            RefusalCode::BillingAddressRequired => Code::BillingAddressRequired,
            RefusalCode::AmountTooSmall => Code::AmountTooSmall,
            RefusalCode::AmountTooLarge => Code::AmountTooLarge,
            RefusalCode::LimitExceeded => Code::LimitExceeded,
            RefusalCode::VelocityExceeded => Code::VelocityExceeded,
            RefusalCode::InsufficientFunds => Code::InsufficientFunds,
            RefusalCode::NoRoute => Code::NoRoute,
        };
        match refusal.limit {
            Some(limit) => Self::new(code).with_limit(limit.amount(), limit.asset().code),
            None => Self::new(code),
        }
    }
}

impl From<GatewayError> for ApiError {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Db(error) => error.into(),
            // Said once already, where they were read.
            GatewayError::TermsUnavailable(_) => Self::new(Code::TermsUnavailable),
            GatewayError::Signing(error) if error.may_pass() => {
                tracing::warn!(%error, "request refused");
                Self::new(Code::ServiceUnavailable)
            }
            error if error.is_provider_away() => {
                tracing::warn!(%error, "request refused");
                Self::new(Code::ServiceUnavailable)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match &error {
            DbError::Unavailable(_)
            | DbError::Timeout(_)
            | DbError::Collision(_)
            | DbError::RetriesExhausted { .. }
            | DbError::ReadOnly(_)
            | DbError::Full(_)
            // What was to be done may be done. Every write of this API may be sent again.
            | DbError::CommitUnknown(_) => {
                tracing::error!(%error, "the database failed");
                Self::new(Code::ServiceUnavailable)
            }
            DbError::Aborted | DbError::Held(_) | DbError::Conflict(_) | DbError::Refused(_) | DbError::Other(_) => {
                Self::internal(&error)
            }
        }
    }
}
