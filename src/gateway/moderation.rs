//! A person's decisions about what waits for one: what may be decided now, and the decision itself, in one transaction with its
//! event, its cases and its row in the audit trail. Which decisions there are is `domain::moderation`'s; what they do to payouts and
//! the ledger is done where reports do it (`complete`). Who may decide is looked at before, by whoever knows people.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::GatewayError;
use crate::domain::card::strike_numbers;
use crate::domain::ids::{PayoutId, PayoutRequestId, Tenant};
use crate::domain::moderation::{DecisionKind, NotNow, Reason};
use crate::domain::payout::PayoutStatus;
use crate::providers::provider::ProviderIds;
use crate::store::error::DbError;
use crate::store::requests::PayoutRequest;

/// How many characters a reason, and an evidence, may have.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// The least that tells anything.
const TEXT_CHARS_MIN: usize = 3;
/// How many characters a provider's own identifier may have.
const ID_CHARS_MAX: usize = 100;

/// Who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    /// As the event log and the audit trail name them: `staff:ada@example.com`, `cli:ada`. 1 to 200 characters.
    pub actor: String,
    /// The address that they came from.
    pub origin: Option<String>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Choice {
    Continue,
    Reject,
    /// With the amount that the provider has proved, in the request's currency, and what it calls the payment.
    MarkPaid {
        payout_id: PayoutId,
        #[serde(with = "rust_decimal::serde::str")]
        amount: Decimal,
        ids: ProviderIds,
    },
    MarkFailedRelease {
        payout_id: PayoutId,
    },
    MarkFailedFailover {
        payout_id: PayoutId,
    },
}

impl Choice {
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Choice::Continue => DecisionKind::Continue,
            Choice::Reject => DecisionKind::Reject,
            Choice::MarkPaid { .. } => DecisionKind::MarkPaid,
            Choice::MarkFailedRelease { .. } => DecisionKind::MarkFailedRelease,
            Choice::MarkFailedFailover { .. } => DecisionKind::MarkFailedFailover,
        }
    }

    pub const fn payout_id(&self) -> Option<PayoutId> {
        match self {
            Choice::Continue | Choice::Reject => None,
            Choice::MarkPaid { payout_id, .. }
            | Choice::MarkFailedRelease { payout_id }
            | Choice::MarkFailedFailover { payout_id } => Some(*payout_id),
        }
    }

    pub(super) const fn amount(&self) -> Option<Decimal> {
        match self {
            Choice::MarkPaid { amount, .. } => Some(*amount),
            Choice::Continue
            | Choice::Reject
            | Choice::MarkFailedRelease { .. }
            | Choice::MarkFailedFailover { .. } => None,
        }
    }
}

/// A person's decision about a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub tenant: Tenant,
    pub request_id: PayoutRequestId,
    /// The number of the request's last event that the person saw: what happened since is looked at first.
    pub seen: i32,
    pub choice: Choice,
    pub reason: String,
    /// What proves it: a statement's reference, a ticket of the provider's. Required where a payout is marked.
    pub evidence: String,
}

/// A decision that was taken.
#[derive(Clone, Debug)]
pub struct Decided {
    pub request: PayoutRequest,
    /// It had been taken before, by the same person, from the same view: nothing was done again.
    pub is_repeat: bool,
}

/// Why a decision wasn't taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    #[error("there is no such payout request")]
    NoRequest,
    #[error("the request has no such payout")]
    NoPayout,
    /// What was typed can't be taken.
    #[error("{0}")]
    Invalid(&'static str),
    /// Somebody or something else came first.
    #[error("something has happened to the request since you looked (event {now}, you saw {seen}): look again")]
    Changed { seen: i32, now: i32 },
    #[error("not now: {0}")]
    NotNow(NotNow),
    #[error(transparent)]
    Failed(#[from] GatewayError),
}

impl DecideError {
    /// Whether the same may work a moment later: the database can't be reached now.
    pub fn is_passing(&self) -> bool {
        let DecideError::Failed(GatewayError::Db(error)) = self else { return false };
        matches!(error, DbError::Unavailable(_) | DbError::Timeout(_) | DbError::RetriesExhausted { .. })
    }
}

impl From<DbError> for DecideError {
    fn from(error: DbError) -> Self {
        DecideError::Failed(error.into())
    }
}

impl From<diesel::result::Error> for DecideError {
    fn from(error: diesel::result::Error) -> Self {
        DecideError::Failed(error.into())
    }
}

impl crate::store::retry::TransactionError for DecideError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            DecideError::Failed(error) => error.db_error(),
            DecideError::NoRequest
            | DecideError::NoPayout
            | DecideError::Invalid(_)
            | DecideError::Changed { .. }
            | DecideError::NotNow(_) => None,
        }
    }
}

/// One decision, and whether it is possible now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Possibility {
    pub kind: DecisionKind,
    pub payout_id: Option<PayoutId>,
    pub allowed: Result<(), NotNow>,
}

/// What may be decided about a request now.
#[derive(Clone, Debug)]
pub struct Options {
    pub stopped: Option<Reason>,
    /// To be named by the decision.
    pub seen: i32,
    /// Those about the request, then those about each payout whose fate is open.
    pub options: Vec<Possibility>,
}

impl Options {
    /// Whether there is anything to decide at all.
    pub fn is_any(&self) -> bool {
        self.options.iter().any(|option| option.allowed.is_ok())
    }
}

impl Decision {
    /// The decision with its texts as they are kept, or what is wrong with it.
    pub(super) fn checked(&self) -> Result<Self, DecideError> {
        let mut checked = self.clone();
        checked.reason = text(&self.reason).ok_or(DecideError::Invalid("give a reason, of 3 to 1000 characters"))?;
        let marks = self.choice.kind().marks_payout();
        checked.evidence = match text(&self.evidence) {
            Some(evidence) => evidence,
            None if self.evidence.trim().is_empty() && !marks => String::new(),
            None => return Err(DecideError::Invalid("give the evidence, of 3 to 1000 characters")),
        };
        if let Choice::MarkPaid { amount, ids, .. } = &mut checked.choice {
            if *amount <= Decimal::ZERO {
                return Err(DecideError::Invalid("the amount that was paid is above zero"));
            }
            // Proof of a debit in another currency comes with a balance or a report, not by hand.
            ids.debited = None;
            for id in [&mut ids.original_id, &mut ids.rrn, &mut ids.arn] {
                *id = id.take().map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
                if id.as_ref().is_some_and(|id| id.len() > ID_CHARS_MAX || !id.chars().all(|c| c.is_ascii_graphic())) {
                    return Err(DecideError::Invalid("a provider's id has at most 100 letters, digits and signs"));
                }
                if id.as_ref().is_some_and(|id| strike_numbers(id) != id.as_str()) {
                    return Err(DecideError::Invalid(
                        "a provider's id passes for a card number: check it, or leave it out and describe it in the evidence",
                    ));
                }
            }
        }
        Ok(checked)
    }

    /// What the event log and the audit trail keep of it.
    pub(super) fn told(&self, stopped: Option<Reason>) -> Value {
        let mut data = Map::new();
        data.insert("decision".to_owned(), json!(self.choice.kind().as_str()));
        data.insert("moderation".to_owned(), json!(stopped.map(Reason::as_str)));
        data.insert("reason".to_owned(), json!(self.reason));
        data.insert("evidence".to_owned(), json!(self.evidence));
        data.insert("seen".to_owned(), json!(self.seen));
        if let Choice::MarkPaid { amount, ids, .. } = &self.choice {
            data.insert("amount".to_owned(), json!(amount.normalize().to_string()));
            let ids = json!({"provider_original_id": ids.original_id, "rrn": ids.rrn, "arn": ids.arn});
            data.insert("provider_ids".to_owned(), ids);
        }
        Value::Object(data)
    }
}

/// As it is kept: trimmed, without control characters and card numbers. `None`: too short or too long.
fn text(text: &str) -> Option<String> {
    let plain: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let struck = strike_numbers(&plain).into_owned();
    (TEXT_CHARS_MIN..=TEXT_CHARS_MAX).contains(&struck.chars().count()).then_some(struck)
}

/// Whether decisions are about a payout that stands so.
pub(super) const fn is_asked_about(status: PayoutStatus) -> bool {
    matches!(status, PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown)
}
