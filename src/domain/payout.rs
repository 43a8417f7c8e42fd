//! A payout: one try at one provider. Its states, its resolutions and the one transition table.

use std::fmt;
use std::str::FromStr;

/// Why a payout or a payout request ended as it did, or what is known while it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    Ok,
    // Final for the card: no other route would do better.
    InvalidDetails,
    RecipientNotFound,
    CardExpired,
    CardRestricted,
    StolenCard,
    AntifraudError,
    InvalidRecipient,
    // Final for the route: another may be tried.
    InsufficientFunds,
    LimitViolation,
    DeclinedError,
    AccessDenied,
    InvalidCredentials,
    SignatureError,
    ProviderUnavailable,
    InvalidMethod,
    RateLimited,
    // Not final.
    ConnectionTimeout,
    ProviderInternalError,
    Unknown,
    // Of the routing.
    StrategyReceivedNoRoutes,
    StrategyConfiguredRoutesWereFiltered,
    AttemptLimitReached,
    OperationExpired,
}

/// What a resolution lets us do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolutionClass {
    Paid,
    /// No other route would do better: no failover.
    FinalForCard,
    /// Another route may be tried.
    FinalForRoute,
    /// The fate is open: no other payout of the same part may start.
    NotFinal,
    /// Routing gave up before anything was sent.
    Routing,
}

impl Resolution {
    pub const ALL: [Resolution; 24] = [
        Resolution::Ok,
        Resolution::InvalidDetails,
        Resolution::RecipientNotFound,
        Resolution::CardExpired,
        Resolution::CardRestricted,
        Resolution::StolenCard,
        Resolution::AntifraudError,
        Resolution::InvalidRecipient,
        Resolution::InsufficientFunds,
        Resolution::LimitViolation,
        Resolution::DeclinedError,
        Resolution::AccessDenied,
        Resolution::InvalidCredentials,
        Resolution::SignatureError,
        Resolution::ProviderUnavailable,
        Resolution::InvalidMethod,
        Resolution::RateLimited,
        Resolution::ConnectionTimeout,
        Resolution::ProviderInternalError,
        Resolution::Unknown,
        Resolution::StrategyReceivedNoRoutes,
        Resolution::StrategyConfiguredRoutesWereFiltered,
        Resolution::AttemptLimitReached,
        Resolution::OperationExpired,
    ];

    pub const fn class(self) -> ResolutionClass {
        match self {
            Resolution::Ok => ResolutionClass::Paid,
            Resolution::InvalidDetails
            | Resolution::RecipientNotFound
            | Resolution::CardExpired
            | Resolution::CardRestricted
            | Resolution::StolenCard
            | Resolution::AntifraudError
            | Resolution::InvalidRecipient => ResolutionClass::FinalForCard,
            Resolution::InsufficientFunds
            | Resolution::LimitViolation
            | Resolution::DeclinedError
            | Resolution::AccessDenied
            | Resolution::InvalidCredentials
            | Resolution::SignatureError
            | Resolution::ProviderUnavailable
            | Resolution::InvalidMethod
            | Resolution::RateLimited => ResolutionClass::FinalForRoute,
            Resolution::ConnectionTimeout | Resolution::ProviderInternalError | Resolution::Unknown => {
                ResolutionClass::NotFinal
            }
            Resolution::StrategyReceivedNoRoutes
            | Resolution::StrategyConfiguredRoutesWereFiltered
            | Resolution::AttemptLimitReached
            | Resolution::OperationExpired => ResolutionClass::Routing,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Resolution::Ok => "ok",
            Resolution::InvalidDetails => "invalid_details",
            Resolution::RecipientNotFound => "recipient_not_found",
            Resolution::CardExpired => "card_expired",
            Resolution::CardRestricted => "card_restricted",
            Resolution::StolenCard => "stolen_card",
            Resolution::AntifraudError => "antifraud_error",
            Resolution::InvalidRecipient => "invalid_recipient",
            Resolution::InsufficientFunds => "insufficient_funds",
            Resolution::LimitViolation => "limit_violation",
            Resolution::DeclinedError => "declined_error",
            Resolution::AccessDenied => "access_denied",
            Resolution::InvalidCredentials => "invalid_credentials",
            Resolution::SignatureError => "signature_error",
            Resolution::ProviderUnavailable => "provider_unavailable",
            Resolution::InvalidMethod => "invalid_method",
            Resolution::RateLimited => "rate_limited",
            Resolution::ConnectionTimeout => "connection_timeout",
            Resolution::ProviderInternalError => "provider_internal_error",
            Resolution::Unknown => "unknown",
            Resolution::StrategyReceivedNoRoutes => "strategy_received_no_routes",
            Resolution::StrategyConfiguredRoutesWereFiltered => "strategy_configured_routes_were_filtered",
            Resolution::AttemptLimitReached => "attempt_limit_reached",
            Resolution::OperationExpired => "operation_expired",
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Resolution {
    type Err = super::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|r| r.as_str() == text).ok_or(super::ids::IdError { kind: "resolution" })
    }
}
