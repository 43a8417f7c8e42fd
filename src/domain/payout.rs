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

/// Where a payout stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutStatus {
    /// Written down with its reference; nothing is sent yet.
    Created,
    /// About to be sent, or being sent: bytes may have left.
    Invoking,
    /// The provider took it and hasn't finished.
    Pending,
    /// Bytes may have left and no definitive answer came back. Not final.
    Unknown,
    Processed,
    Failed,
    /// Paid, and the money came back.
    Returned,
    /// Ended before anything was sent.
    Canceled,
    /// A success that showed up after a failure was recorded: the truth, with a case for staff.
    LateProcessed,
}

/// What can happen to a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutEvent {
    /// The send begins, or begins again.
    Invoked,
    /// The send was not begun, for a reason of ours: it waits for its turn again.
    Withheld,
    /// The provider took it.
    Taken,
    /// The answer can't be relied on.
    Ambiguous,
    Paid,
    /// A definitive refusal, or proof that nothing was sent.
    Refused,
    Canceled,
    Returned,
}

impl PayoutEvent {
    pub const ALL: [PayoutEvent; 8] = [
        PayoutEvent::Invoked,
        PayoutEvent::Withheld,
        PayoutEvent::Taken,
        PayoutEvent::Ambiguous,
        PayoutEvent::Paid,
        PayoutEvent::Refused,
        PayoutEvent::Canceled,
        PayoutEvent::Returned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            PayoutEvent::Invoked => "invoked",
            PayoutEvent::Withheld => "withheld",
            PayoutEvent::Taken => "taken",
            PayoutEvent::Ambiguous => "ambiguous",
            PayoutEvent::Paid => "paid",
            PayoutEvent::Refused => "refused",
            PayoutEvent::Canceled => "canceled",
            PayoutEvent::Returned => "returned",
        }
    }

    /// When it happens, for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            PayoutEvent::Invoked => "the send begins, or begins again under the same reference",
            PayoutEvent::Withheld => {
                "the first send was not begun, for a reason of ours: nothing left, and it is begun later"
            }
            PayoutEvent::Taken => "the provider took it and hasn't finished",
            PayoutEvent::Ambiguous => "bytes may have left and no answer that can be relied on came back",
            PayoutEvent::Paid => "the provider says that it was paid: at once, when asked, or by its callback",
            PayoutEvent::Refused => "a definitive refusal, or proof that nothing was sent",
            PayoutEvent::Canceled => "the request stopped before it was sent",
            PayoutEvent::Returned => "the money came back",
        }
    }
}

/// An event that the state doesn't allow. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payout that is {from:?} can't take {event:?}")]
pub struct PayoutTransitionError {
    pub from: PayoutStatus,
    pub event: PayoutEvent,
}

impl PayoutStatus {
    pub const ALL: [PayoutStatus; 9] = [
        PayoutStatus::Created,
        PayoutStatus::Invoking,
        PayoutStatus::Pending,
        PayoutStatus::Unknown,
        PayoutStatus::Processed,
        PayoutStatus::Failed,
        PayoutStatus::Returned,
        PayoutStatus::Canceled,
        PayoutStatus::LateProcessed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            PayoutStatus::Created => "created",
            PayoutStatus::Invoking => "invoking",
            PayoutStatus::Pending => "pending",
            PayoutStatus::Unknown => "unknown",
            PayoutStatus::Processed => "processed",
            PayoutStatus::Failed => "failed",
            PayoutStatus::Returned => "returned",
            PayoutStatus::Canceled => "canceled",
            PayoutStatus::LateProcessed => "late_processed",
        }
    }

    /// While a payout is open, no other payout of the same part may start (invariant 2).
    pub const fn is_open(self) -> bool {
        matches!(self, PayoutStatus::Created | PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown)
    }

    /// The transition table. `Refused` from `Unknown` is an inquiry's or a callback's definitive answer.
    pub const fn apply(self, event: PayoutEvent) -> Result<PayoutStatus, PayoutTransitionError> {
        use PayoutStatus as S;
        let next = match event {
            // A resend keeps `Unknown` until its answer is in: an earlier send may still have paid.
            PayoutEvent::Invoked => match self {
                S::Created => Some(S::Invoking),
                S::Unknown => Some(S::Unknown),
                S::Invoking | S::Pending | S::Processed | S::Failed | S::Returned | S::Canceled | S::LateProcessed => {
                    None
                }
            },
            PayoutEvent::Withheld => match self {
                S::Invoking => Some(S::Created),
                S::Created
                | S::Pending
                | S::Unknown
                | S::Processed
                | S::Failed
                | S::Returned
                | S::Canceled
                | S::LateProcessed => None,
            },
            PayoutEvent::Taken => match self {
                S::Invoking | S::Pending | S::Unknown => Some(S::Pending),
                S::Created | S::Processed | S::Failed | S::Returned | S::Canceled | S::LateProcessed => None,
            },
            PayoutEvent::Ambiguous => match self {
                S::Invoking | S::Pending | S::Unknown => Some(S::Unknown),
                S::Created | S::Processed | S::Failed | S::Returned | S::Canceled | S::LateProcessed => None,
            },
            PayoutEvent::Paid => match self {
                S::Invoking | S::Pending | S::Unknown => Some(S::Processed),
                S::Failed | S::Canceled => Some(S::LateProcessed),
                S::Created | S::Processed | S::Returned | S::LateProcessed => None,
            },
            PayoutEvent::Refused => match self {
                S::Invoking | S::Pending | S::Unknown => Some(S::Failed),
                S::Created | S::Processed | S::Failed | S::Returned | S::Canceled | S::LateProcessed => None,
            },
            PayoutEvent::Canceled => match self {
                S::Created => Some(S::Canceled),
                S::Invoking
                | S::Pending
                | S::Unknown
                | S::Processed
                | S::Failed
                | S::Returned
                | S::Canceled
                | S::LateProcessed => None,
            },
            PayoutEvent::Returned => match self {
                S::Processed => Some(S::Returned),
                S::Created
                | S::Invoking
                | S::Pending
                | S::Unknown
                | S::Failed
                | S::Returned
                | S::Canceled
                | S::LateProcessed => None,
            },
        };
        match next {
            Some(next) => Ok(next),
            None => Err(PayoutTransitionError { from: self, event }),
        }
    }
}

impl fmt::Display for PayoutStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PayoutStatus {
    type Err = super::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(super::ids::IdError { kind: "payout status" })
    }
}

/// Our reference of a payout at a provider: made from the payout's id, so that it is known before the first byte
/// is sent and the same at every resend. Base 32 of the id's bits, as many as `length_max` characters hold
/// (at least 12: 60 bits, and a unique key behind it).
pub fn provider_reference(id: super::ids::PayoutId, length_max: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    const FULL: usize = 26;
    let length = length_max.clamp(12, FULL);
    let bits = id.0.as_u128();
    // The low bits are the random ones of a UUIDv7; the text is written from the most significant kept.
    (0..length)
        .rev()
        .map(|place| char::from(ALPHABET[usize::try_from((bits >> (5 * place)) & 31).unwrap_or(0)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::ids::PayoutId;
    use super::*;

    #[test]
    fn only_the_listed_transitions_are_allowed() {
        use PayoutEvent as E;
        use PayoutStatus as S;
        let allowed = [
            (S::Created, E::Invoked, S::Invoking),
            (S::Unknown, E::Invoked, S::Unknown),
            (S::Invoking, E::Withheld, S::Created),
            (S::Invoking, E::Taken, S::Pending),
            (S::Pending, E::Taken, S::Pending),
            (S::Unknown, E::Taken, S::Pending),
            (S::Invoking, E::Ambiguous, S::Unknown),
            (S::Pending, E::Ambiguous, S::Unknown),
            (S::Unknown, E::Ambiguous, S::Unknown),
            (S::Invoking, E::Paid, S::Processed),
            (S::Pending, E::Paid, S::Processed),
            (S::Unknown, E::Paid, S::Processed),
            (S::Failed, E::Paid, S::LateProcessed),
            (S::Canceled, E::Paid, S::LateProcessed),
            (S::Invoking, E::Refused, S::Failed),
            (S::Pending, E::Refused, S::Failed),
            (S::Unknown, E::Refused, S::Failed),
            (S::Created, E::Canceled, S::Canceled),
            (S::Processed, E::Returned, S::Returned),
        ];
        for from in PayoutStatus::ALL {
            for event in E::ALL {
                let expected = allowed.iter().find(|(s, e, _)| *s == from && *e == event).map(|(_, _, to)| *to);
                assert_eq!(from.apply(event).ok(), expected, "{from:?} {event:?}");
            }
        }
    }

    #[test]
    fn each_state_pair_is_moved_by_what_is_listed_and_by_nothing_else() {
        use PayoutEvent as E;
        use PayoutStatus as S;
        let pairs = [
            (S::Created, S::Invoking, E::Invoked),
            (S::Created, S::Canceled, E::Canceled),
            (S::Invoking, S::Created, E::Withheld),
            (S::Invoking, S::Pending, E::Taken),
            (S::Invoking, S::Unknown, E::Ambiguous),
            (S::Invoking, S::Processed, E::Paid),
            (S::Invoking, S::Failed, E::Refused),
            (S::Pending, S::Pending, E::Taken),
            (S::Pending, S::Unknown, E::Ambiguous),
            (S::Pending, S::Processed, E::Paid),
            (S::Pending, S::Failed, E::Refused),
            (S::Unknown, S::Unknown, E::Invoked),
            (S::Unknown, S::Unknown, E::Ambiguous),
            (S::Unknown, S::Pending, E::Taken),
            (S::Unknown, S::Processed, E::Paid),
            (S::Unknown, S::Failed, E::Refused),
            (S::Processed, S::Returned, E::Returned),
            (S::Failed, S::LateProcessed, E::Paid),
            (S::Canceled, S::LateProcessed, E::Paid),
        ];
        for from in S::ALL {
            for to in S::ALL {
                let moving: Vec<E> = E::ALL.into_iter().filter(|event| from.apply(*event) == Ok(to)).collect();
                let listed: Vec<E> =
                    pairs.iter().filter(|(f, t, _)| (*f, *t) == (from, to)).map(|(.., e)| *e).collect();
                assert_eq!(moving, listed, "{from} to {to}");
            }
        }
    }

    #[test]
    fn an_open_payout_never_becomes_refused_by_an_ambiguous_answer() {
        for from in PayoutStatus::ALL.into_iter().filter(|s| s.is_open()) {
            if let Ok(next) = from.apply(PayoutEvent::Ambiguous) {
                assert!(next.is_open());
            }
        }
    }

    #[test]
    fn references_fit_the_provider_and_differ() {
        let ids: Vec<_> = (0..1_000).map(|_| PayoutId::new()).collect();
        for length_max in [12, 15, 26, 80] {
            let mut references: Vec<_> = ids.iter().map(|id| provider_reference(*id, length_max)).collect();
            assert!(references.iter().all(|r| r.len() == length_max.min(26)));
            references.sort();
            references.dedup();
            assert_eq!(references.len(), ids.len());
        }
        let id = ids[0];
        assert_eq!(provider_reference(id, 15), provider_reference(id, 15));
    }
}
