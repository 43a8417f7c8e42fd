//! A payout request: what a caller asks for. Its states and the one transition table.

use std::fmt;
use std::str::FromStr;

/// Where a payout request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestStatus {
    Created,
    /// Fields are missing; the caller supplies them.
    WaitingDetails,
    Ready,
    /// Routing is to choose where the money goes next.
    Dispatching,
    /// A payout is under way.
    Pending,
    Processed,
    PartiallyProcessed,
    Failed,
    Expired,
    Canceled,
    Terminated,
    /// Paid, and the money came back.
    Returned,
}

/// What can happen to a payout request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestEvent {
    DetailsMissing,
    MadeReady,
    DispatchStarted,
    /// At least one payout was written down and is open.
    PayoutStarted,
    /// The open payout ended finally for its route, or its part has a remainder: routing runs again.
    FailedOver,
    PaidInFull,
    PaidInPart,
    Failed,
    Expired,
    Canceled,
    Terminated,
    Returned,
}

impl RequestEvent {
    pub const ALL: [RequestEvent; 12] = [
        RequestEvent::DetailsMissing,
        RequestEvent::MadeReady,
        RequestEvent::DispatchStarted,
        RequestEvent::PayoutStarted,
        RequestEvent::FailedOver,
        RequestEvent::PaidInFull,
        RequestEvent::PaidInPart,
        RequestEvent::Failed,
        RequestEvent::Expired,
        RequestEvent::Canceled,
        RequestEvent::Terminated,
        RequestEvent::Returned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            RequestEvent::DetailsMissing => "details_missing",
            RequestEvent::MadeReady => "made_ready",
            RequestEvent::DispatchStarted => "dispatch_started",
            RequestEvent::PayoutStarted => "payout_started",
            RequestEvent::FailedOver => "failed_over",
            RequestEvent::PaidInFull => "paid_in_full",
            RequestEvent::PaidInPart => "paid_in_part",
            RequestEvent::Failed => "failed",
            RequestEvent::Expired => "expired",
            RequestEvent::Canceled => "canceled",
            RequestEvent::Terminated => "terminated",
            RequestEvent::Returned => "returned",
        }
    }

    /// When it happens, for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            RequestEvent::DetailsMissing => "fields are missing that the caller has to supply",
            RequestEvent::MadeReady => "everything that is needed is there",
            RequestEvent::DispatchStarted => "routing begins",
            RequestEvent::PayoutStarted => "at least one payout is written down and open",
            RequestEvent::FailedOver => {
                "an open payout ended finally for its route, or its part has a remainder: routing runs again"
            }
            RequestEvent::PaidInFull => "all of it was paid",
            RequestEvent::PaidInPart => "some of it was paid, and the rest can't be",
            RequestEvent::Failed => "nothing was paid, and nothing more can be tried",
            RequestEvent::Expired => "its time was over with nothing paid and nothing open",
            RequestEvent::Canceled => "the caller canceled it, with nothing paid and nothing open",
            RequestEvent::Terminated => "it was terminated before it began",
            RequestEvent::Returned => "money that was paid came back",
        }
    }
}

/// An event that the state doesn't allow. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payout request that is {from:?} can't take {event:?}")]
pub struct RequestTransitionError {
    pub from: RequestStatus,
    pub event: RequestEvent,
}

impl RequestStatus {
    pub const ALL: [RequestStatus; 12] = [
        RequestStatus::Created,
        RequestStatus::WaitingDetails,
        RequestStatus::Ready,
        RequestStatus::Dispatching,
        RequestStatus::Pending,
        RequestStatus::Processed,
        RequestStatus::PartiallyProcessed,
        RequestStatus::Failed,
        RequestStatus::Expired,
        RequestStatus::Canceled,
        RequestStatus::Terminated,
        RequestStatus::Returned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            RequestStatus::Created => "created",
            RequestStatus::WaitingDetails => "waiting_details",
            RequestStatus::Ready => "ready",
            RequestStatus::Dispatching => "dispatching",
            RequestStatus::Pending => "pending",
            RequestStatus::Processed => "processed",
            RequestStatus::PartiallyProcessed => "partially_processed",
            RequestStatus::Failed => "failed",
            RequestStatus::Expired => "expired",
            RequestStatus::Canceled => "canceled",
            RequestStatus::Terminated => "terminated",
            RequestStatus::Returned => "returned",
        }
    }

    /// Nothing more is going to be tried. (`processed` may still become `returned`.)
    pub const fn is_final(self) -> bool {
        match self {
            RequestStatus::Created
            | RequestStatus::WaitingDetails
            | RequestStatus::Ready
            | RequestStatus::Dispatching
            | RequestStatus::Pending => false,
            RequestStatus::Processed
            | RequestStatus::PartiallyProcessed
            | RequestStatus::Failed
            | RequestStatus::Expired
            | RequestStatus::Canceled
            | RequestStatus::Terminated
            | RequestStatus::Returned => true,
        }
    }

    /// The transition table. Cancel and expiry are applied only where nothing is open: with an open payout they set
    /// `stop_requested`, and the end follows the truth.
    pub const fn apply(self, event: RequestEvent) -> Result<RequestStatus, RequestTransitionError> {
        use RequestEvent as E;
        use RequestStatus as S;
        let next = match self {
            S::Created => match event {
                E::DetailsMissing => Some(S::WaitingDetails),
                E::MadeReady => Some(S::Ready),
                E::Failed => Some(S::Failed),
                E::DispatchStarted
                | E::PayoutStarted
                | E::FailedOver
                | E::PaidInFull
                | E::PaidInPart
                | E::Expired
                | E::Canceled
                | E::Terminated
                | E::Returned => None,
            },
            S::WaitingDetails => match event {
                E::MadeReady => Some(S::Ready),
                E::Expired => Some(S::Expired),
                E::Canceled => Some(S::Canceled),
                E::DetailsMissing
                | E::DispatchStarted
                | E::PayoutStarted
                | E::FailedOver
                | E::PaidInFull
                | E::PaidInPart
                | E::Failed
                | E::Terminated
                | E::Returned => None,
            },
            S::Ready => match event {
                E::DispatchStarted => Some(S::Dispatching),
                E::Expired => Some(S::Expired),
                E::Canceled => Some(S::Canceled),
                E::Terminated => Some(S::Terminated),
                E::DetailsMissing
                | E::MadeReady
                | E::PayoutStarted
                | E::FailedOver
                | E::PaidInFull
                | E::PaidInPart
                | E::Failed
                | E::Returned => None,
            },
            // `PaidInPart` here: a remainder that no route takes any more.
            S::Dispatching => match event {
                E::PayoutStarted => Some(S::Pending),
                E::PaidInPart => Some(S::PartiallyProcessed),
                E::Failed => Some(S::Failed),
                E::Expired => Some(S::Expired),
                E::Canceled => Some(S::Canceled),
                E::DetailsMissing
                | E::MadeReady
                | E::DispatchStarted
                | E::FailedOver
                | E::PaidInFull
                | E::Terminated
                | E::Returned => None,
            },
            S::Pending => match event {
                E::FailedOver => Some(S::Dispatching),
                E::PaidInFull => Some(S::Processed),
                E::PaidInPart => Some(S::PartiallyProcessed),
                E::Failed => Some(S::Failed),
                E::Expired => Some(S::Expired),
                E::Canceled => Some(S::Canceled),
                E::DetailsMissing
                | E::MadeReady
                | E::DispatchStarted
                | E::PayoutStarted
                | E::Terminated
                | E::Returned => None,
            },
            S::Processed | S::PartiallyProcessed => match event {
                E::Returned => Some(S::Returned),
                E::DetailsMissing
                | E::MadeReady
                | E::DispatchStarted
                | E::PayoutStarted
                | E::FailedOver
                | E::PaidInFull
                | E::PaidInPart
                | E::Failed
                | E::Expired
                | E::Canceled
                | E::Terminated => None,
            },
            S::Failed | S::Expired | S::Canceled | S::Terminated | S::Returned => None,
        };
        match next {
            Some(next) => Ok(next),
            None => Err(RequestTransitionError { from: self, event }),
        }
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RequestStatus {
    type Err = super::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(super::ids::IdError { kind: "request status" })
    }
}

/// Who pays for a payout request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funding {
    /// An offer's hold on the user's balance.
    WalletHold,
    /// A prefunded partner on the house's provider accounts.
    PartnerBalance,
    /// A partner's own provider account: the reservation on its deposit account is the hold.
    OwnDeposit,
}

impl Funding {
    pub const fn as_str(self) -> &'static str {
        match self {
            Funding::WalletHold => "wallet_hold",
            Funding::PartnerBalance => "partner_balance",
            Funding::OwnDeposit => "own_deposit",
        }
    }
}

impl FromStr for Funding {
    type Err = super::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Funding::WalletHold, Funding::PartnerBalance, Funding::OwnDeposit]
            .into_iter()
            .find(|f| f.as_str() == text)
            .ok_or(super::ids::IdError { kind: "funding" })
    }
}

/// Whether an amount may be divided over routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitMode {
    #[default]
    Never,
    /// When no single route can carry it.
    Auto,
    /// In equal shares, where the strategy asks for them.
    Always,
}

impl SplitMode {
    pub const ALL: [SplitMode; 3] = [SplitMode::Never, SplitMode::Auto, SplitMode::Always];

    pub const fn as_str(self) -> &'static str {
        match self {
            SplitMode::Never => "never",
            SplitMode::Auto => "auto",
            SplitMode::Always => "always",
        }
    }
}

impl FromStr for SplitMode {
    type Err = super::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|m| m.as_str() == text).ok_or(super::ids::IdError { kind: "split mode" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_transitions_are_allowed() {
        use RequestEvent as E;
        use RequestStatus as S;
        let allowed = [
            (S::Created, E::DetailsMissing, S::WaitingDetails),
            (S::Created, E::MadeReady, S::Ready),
            (S::Created, E::Failed, S::Failed),
            (S::WaitingDetails, E::MadeReady, S::Ready),
            (S::WaitingDetails, E::Expired, S::Expired),
            (S::WaitingDetails, E::Canceled, S::Canceled),
            (S::Ready, E::DispatchStarted, S::Dispatching),
            (S::Ready, E::Expired, S::Expired),
            (S::Ready, E::Canceled, S::Canceled),
            (S::Ready, E::Terminated, S::Terminated),
            (S::Dispatching, E::PayoutStarted, S::Pending),
            (S::Dispatching, E::PaidInPart, S::PartiallyProcessed),
            (S::Dispatching, E::Failed, S::Failed),
            (S::Dispatching, E::Expired, S::Expired),
            (S::Dispatching, E::Canceled, S::Canceled),
            (S::Pending, E::FailedOver, S::Dispatching),
            (S::Pending, E::PaidInFull, S::Processed),
            (S::Pending, E::PaidInPart, S::PartiallyProcessed),
            (S::Pending, E::Failed, S::Failed),
            (S::Pending, E::Expired, S::Expired),
            (S::Pending, E::Canceled, S::Canceled),
            (S::Processed, E::Returned, S::Returned),
            (S::PartiallyProcessed, E::Returned, S::Returned),
        ];
        for from in RequestStatus::ALL {
            for event in E::ALL {
                let expected = allowed.iter().find(|(s, e, _)| *s == from && *e == event).map(|(_, _, to)| *to);
                assert_eq!(from.apply(event).ok(), expected, "{from:?} {event:?}");
            }
        }
    }

    #[test]
    fn each_state_pair_is_moved_by_what_is_listed_and_by_nothing_else() {
        use RequestEvent as E;
        use RequestStatus as S;
        let pairs = [
            (S::Created, S::WaitingDetails, E::DetailsMissing),
            (S::Created, S::Ready, E::MadeReady),
            (S::Created, S::Failed, E::Failed),
            (S::WaitingDetails, S::Ready, E::MadeReady),
            (S::WaitingDetails, S::Expired, E::Expired),
            (S::WaitingDetails, S::Canceled, E::Canceled),
            (S::Ready, S::Dispatching, E::DispatchStarted),
            (S::Ready, S::Expired, E::Expired),
            (S::Ready, S::Canceled, E::Canceled),
            (S::Ready, S::Terminated, E::Terminated),
            (S::Dispatching, S::Pending, E::PayoutStarted),
            (S::Dispatching, S::PartiallyProcessed, E::PaidInPart),
            (S::Dispatching, S::Failed, E::Failed),
            (S::Dispatching, S::Expired, E::Expired),
            (S::Dispatching, S::Canceled, E::Canceled),
            (S::Pending, S::Dispatching, E::FailedOver),
            (S::Pending, S::Processed, E::PaidInFull),
            (S::Pending, S::PartiallyProcessed, E::PaidInPart),
            (S::Pending, S::Failed, E::Failed),
            (S::Pending, S::Expired, E::Expired),
            (S::Pending, S::Canceled, E::Canceled),
            (S::Processed, S::Returned, E::Returned),
            (S::PartiallyProcessed, S::Returned, E::Returned),
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
}
