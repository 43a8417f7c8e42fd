//! What waits for a person, what the person may decide about it, and when. One table ([`judge`]), from which `docs/moderation.md` is
//! made too. It changes nothing: what a decision does to payouts and the ledger is the gateway's.

use std::fmt;
use std::str::FromStr;

use super::payout::PayoutStatus;

/// Why a payout request is stopped until a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// We sent a payout, the provider says again and again that it has none, and sending it once more isn't safe.
    NotFoundAtProvider,
    /// A payout was sent, and its provider has been asked for long and doesn't tell what became of it.
    FateOpen,
    /// A part was paid, the rest can't be, and the caller wanted all or nothing.
    PartlyPaid,
    /// A payout paid more than itself, and what the others ask for is more than is left.
    ProcessedMoreThanAsked,
    /// A payout that counted as failed has paid, and the request went on without it.
    LateSuccess,
    /// The provider's report has a payment of a payout that was planned and never sent: sending it might pay twice.
    UnsentAtProvider,
    /// A rule or a screening wants a person to look at it before anything is sent.
    Screening,
}

/// A text that names no reason or no decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {0}")]
pub struct Unknown(&'static str);

impl Reason {
    pub const ALL: [Reason; 7] = [
        Reason::NotFoundAtProvider,
        Reason::FateOpen,
        Reason::PartlyPaid,
        Reason::ProcessedMoreThanAsked,
        Reason::LateSuccess,
        Reason::UnsentAtProvider,
        Reason::Screening,
    ];

    /// Also the kind of the case that is opened.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::NotFoundAtProvider => "not_found_at_provider",
            Reason::FateOpen => "fate_open",
            Reason::PartlyPaid => "partly_paid",
            Reason::ProcessedMoreThanAsked => "processed_more_than_asked",
            Reason::LateSuccess => "late_success",
            Reason::UnsentAtProvider => "unsent_at_provider",
            Reason::Screening => "screening",
        }
    }

    /// For people: what it means.
    pub const fn in_words(self) -> &'static str {
        match self {
            Reason::NotFoundAtProvider => {
                "a payout was sent, the provider says that it has none, and sending it again might pay twice"
            }
            Reason::FateOpen => {
                "a payout was sent, and its provider, asked again and again for long, doesn't say whether it is paid"
            }
            Reason::PartlyPaid => "a part was paid, the rest can't be, and the caller wanted all or nothing",
            Reason::ProcessedMoreThanAsked => {
                "a payout paid more than itself, and what the others ask for is more than is left"
            }
            Reason::LateSuccess => "a payout that counted as failed has paid, and the request went on without it",
            Reason::UnsentAtProvider => {
                "the provider's report has a payment of a payout that was planned and never sent: sending it might pay twice"
            }
            Reason::Screening => "a rule or a screening wants a person to look at it; nothing of it has been sent",
        }
    }

    /// Whether the question is only whether and how the request goes on. The others are about money too, which is settled by itself:
    /// their cases stay open when the request goes on.
    pub const fn is_settled_by_going_on(self) -> bool {
        match self {
            Reason::NotFoundAtProvider | Reason::FateOpen | Reason::PartlyPaid | Reason::Screening => true,
            Reason::ProcessedMoreThanAsked | Reason::LateSuccess | Reason::UnsentAtProvider => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Reason {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(Unknown("reason of moderation"))
    }
}

/// What a person may decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DecisionKind {
    Continue,
    Reject,
    MarkPaid,
    MarkFailedRelease,
    MarkFailedFailover,
}

impl DecisionKind {
    pub const ALL: [DecisionKind; 5] = [
        DecisionKind::Continue,
        DecisionKind::Reject,
        DecisionKind::MarkPaid,
        DecisionKind::MarkFailedRelease,
        DecisionKind::MarkFailedFailover,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            DecisionKind::Continue => "continue",
            DecisionKind::Reject => "reject",
            DecisionKind::MarkPaid => "mark_paid",
            DecisionKind::MarkFailedRelease => "mark_failed_release",
            DecisionKind::MarkFailedFailover => "mark_failed_failover",
        }
    }

    /// What it does, for people.
    pub const fn in_words(self) -> &'static str {
        match self {
            DecisionKind::Continue => {
                "lift the stop: what may go on by the usual rules goes on, and the provider is asked again about what is open"
            }
            DecisionKind::Reject => {
                "send nothing more: what wasn't sent is given back, and the end follows what is open or paid"
            }
            DecisionKind::MarkPaid => {
                "the provider has proved that it paid: the payout counts as processed, and is settled as any other"
            }
            DecisionKind::MarkFailedRelease => {
                "the provider has proved that it never paid: the payout counts as failed, and the rest is given back"
            }
            DecisionKind::MarkFailedFailover => {
                "the provider has proved that it never paid: the payout counts as failed, and another route is tried"
            }
        }
    }

    /// Whether it is about one payout, and rests on a proof.
    pub const fn marks_payout(self) -> bool {
        match self {
            DecisionKind::Continue | DecisionKind::Reject => false,
            DecisionKind::MarkPaid | DecisionKind::MarkFailedRelease | DecisionKind::MarkFailedFailover => true,
        }
    }
}

impl fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DecisionKind {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(Unknown("decision"))
    }
}

/// The payout that a decision names, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayoutFacts {
    pub status: PayoutStatus,
    /// Its provider reports something of it that can't be booked, and the case of that is open.
    pub is_reported: bool,
    /// Somebody holds the lease to send it: bytes may leave at any moment.
    pub is_being_sent: bool,
    /// The last send must be over, and the provider's settling time after it.
    pub has_settled: bool,
    /// Another try of its part is allowed: it isn't given up, and attempts are left.
    pub may_be_tried_again: bool,
}

/// What a decision is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `None`: nothing stops the request.
    pub stopped: Option<Reason>,
    /// Nothing more may be sent of it in any case: it was canceled, its time is over, it was rejected, or its card refused.
    pub is_ending: bool,
    /// Something that was given up may be tried again: attempts are left for it.
    pub may_try_rest: bool,
    /// The payout that the decision names.
    pub payout: Option<PayoutFacts>,
}

/// Why a decision isn't possible now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotNow {
    NothingWaits,
    PayoutUnnamed,
    PayoutUnsent,
    PayoutFinal,
    BeingSent,
    NotSettled,
    NothingToTry,
    MayHavePaid,
}

impl NotNow {
    /// Stable, for programs and tests.
    pub const fn as_str(self) -> &'static str {
        match self {
            NotNow::NothingWaits => "nothing_waits",
            NotNow::PayoutUnnamed => "payout_unnamed",
            NotNow::PayoutUnsent => "payout_unsent",
            NotNow::PayoutFinal => "payout_final",
            NotNow::BeingSent => "being_sent",
            NotNow::NotSettled => "not_settled",
            NotNow::NothingToTry => "nothing_to_try",
            NotNow::MayHavePaid => "may_have_paid",
        }
    }

    /// For people.
    pub const fn in_words(self) -> &'static str {
        match self {
            NotNow::NothingWaits => "nothing of it waits for a person",
            NotNow::PayoutUnnamed => "name the payout that it is about",
            NotNow::PayoutUnsent => "the payout was never sent: reject the request to give it back",
            NotNow::PayoutFinal => "the payout's fate is known already",
            NotNow::BeingSent => "the payout is being sent: wait until its sender's lease is over",
            NotNow::NotSettled => {
                "the provider may still be working on the last send: wait until its settling time is over"
            }
            NotNow::NothingToTry => "nothing more may be tried of it: it is ending, or its attempts are used up",
            NotNow::MayHavePaid => {
                "a provider reports money of it that isn't settled: where something may have been paid, no other route is tried"
            }
        }
    }
}

impl fmt::Display for NotNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_words())
    }
}

/// Whether a decision is possible.
///
/// # Errors
/// Why it isn't. Nothing that could make money leave twice is ever possible: a payout counts as failed by a person's word only when
/// nobody is sending it and the provider has had its time, and another route is tried only where nothing else may have paid.
pub fn judge(kind: DecisionKind, facts: &Facts) -> Result<(), NotNow> {
    match (kind, facts.stopped) {
        (DecisionKind::Continue | DecisionKind::Reject, None) => Err(NotNow::NothingWaits),
        (DecisionKind::Continue, Some(Reason::PartlyPaid)) if facts.is_ending || !facts.may_try_rest => {
            Err(NotNow::NothingToTry)
        }
        (DecisionKind::Continue, Some(Reason::UnsentAtProvider)) => Err(NotNow::MayHavePaid),
        (DecisionKind::Continue | DecisionKind::Reject, Some(_)) => Ok(()),
        (DecisionKind::MarkPaid, _) => open_payout(facts).map(|_| ()),
        (DecisionKind::MarkFailedRelease, _) => unpaid_payout(facts).map(|_| ()),
        (DecisionKind::MarkFailedFailover, stopped) => {
            let payout = unpaid_payout(facts)?;
            match stopped {
                Some(
                    Reason::PartlyPaid
                    | Reason::ProcessedMoreThanAsked
                    | Reason::LateSuccess
                    | Reason::UnsentAtProvider
                    | Reason::Screening,
                ) => Err(NotNow::MayHavePaid),
                Some(Reason::NotFoundAtProvider | Reason::FateOpen) | None if payout.is_reported => {
                    Err(NotNow::MayHavePaid)
                }
                Some(Reason::NotFoundAtProvider | Reason::FateOpen) | None
                    if facts.is_ending || !payout.may_be_tried_again =>
                {
                    Err(NotNow::NothingToTry)
                }
                Some(Reason::NotFoundAtProvider | Reason::FateOpen) | None => Ok(()),
            }
        }
    }
}

/// A payout whose fate is open, and which nobody is sending.
fn open_payout(facts: &Facts) -> Result<PayoutFacts, NotNow> {
    let payout = facts.payout.ok_or(NotNow::PayoutUnnamed)?;
    if facts.stopped.is_none() && !payout.is_reported {
        return Err(NotNow::NothingWaits);
    }
    if facts.stopped == Some(Reason::Screening) {
        return Err(NotNow::PayoutUnsent);
    }
    match payout.status {
        PayoutStatus::Created => Err(NotNow::PayoutUnsent),
        PayoutStatus::Invoking => Err(NotNow::BeingSent),
        PayoutStatus::Pending | PayoutStatus::Unknown if payout.is_being_sent => Err(NotNow::BeingSent),
        PayoutStatus::Pending | PayoutStatus::Unknown => Ok(payout),
        PayoutStatus::Processed
        | PayoutStatus::Failed
        | PayoutStatus::Returned
        | PayoutStatus::Canceled
        | PayoutStatus::LateProcessed => Err(NotNow::PayoutFinal),
    }
}

fn unpaid_payout(facts: &Facts) -> Result<PayoutFacts, NotNow> {
    let payout = open_payout(facts)?;
    if payout.has_settled { Ok(payout) } else { Err(NotNow::NotSettled) }
}

#[cfg(test)]
#[path = "moderation_tests.rs"]
mod tests;
