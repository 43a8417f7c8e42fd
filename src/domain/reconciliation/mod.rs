//! Our payouts held against a provider's report, by our reference: both sides agree, only ours is there, only theirs, or they differ.
//! Pure: it says what a difference is and what may be taken over, and never writes anything.
//!
//! Nothing is decided on what moves: a payment that is younger than the provider takes to settle and to post, or a payout that changed
//! after the run began, is left to the next run.

mod compare;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::asset::AssetCode;
use super::exact::ArithmeticError;
use super::ids::{PayoutId, PayoutRequestId, Tenant};
use super::payout::PayoutStatus;

/// A payout of ours, as a report is held against it. Amounts are in units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ours {
    pub tenant: Tenant,
    pub request_id: PayoutRequestId,
    pub payout_id: PayoutId,
    pub reference: String,
    pub original_id: Option<String>,
    pub status: PayoutStatus,
    /// Whether any byte of it may have left.
    pub was_sent: bool,
    pub amount_processed: Decimal,
    pub amount_returned: Decimal,
    pub currency: AssetCode,
    pub updated_at: DateTime<Utc>,
    /// Whether the report must have it: it paid, and all of its life lies in the report's range.
    pub is_expected: bool,
}

/// How a provider says that a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TheirStatus {
    Pending,
    Processed,
    Declined,
    Returned,
}

impl TheirStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            TheirStatus::Pending => "pending",
            TheirStatus::Processed => "processed",
            TheirStatus::Declined => "declined",
            TheirStatus::Returned => "returned",
        }
    }
}

/// A line of a provider's report. Amounts are in units of `currency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    pub reference: String,
    pub original_id: Option<String>,
    pub status: TheirStatus,
    pub amount_processed: Decimal,
    pub amount_returned: Decimal,
    pub currency: AssetCode,
    pub taken_at: DateTime<Utc>,
}

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// A payout that changed after it is left alone.
    pub started_at: DateTime<Utc>,
    /// A payment that the provider took after it is left alone, and so is what differs about a payout that changed after it: a report
    /// may be without it.
    pub settled_until: DateTime<Utc>,
}

/// A difference that a person has to know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// We count it as paid and the report doesn't have it.
    MissingAtProvider,
    /// The report has a payment under a reference that isn't ours.
    UnmatchedAtProvider,
    /// The report has more than one payment under our reference.
    PaidTwiceAtProvider,
    /// The report has a payment under the reference of a payout that was never sent.
    UnsentAtProvider,
    StatusDiffers,
    AmountDiffers,
    CurrencyDiffers,
    /// Something came back, and it can't be booked as a return of this payout.
    ReturnDiffers,
}

impl DifferenceKind {
    pub const ALL: [DifferenceKind; 8] = [
        DifferenceKind::MissingAtProvider,
        DifferenceKind::UnmatchedAtProvider,
        DifferenceKind::PaidTwiceAtProvider,
        DifferenceKind::UnsentAtProvider,
        DifferenceKind::StatusDiffers,
        DifferenceKind::AmountDiffers,
        DifferenceKind::CurrencyDiffers,
        DifferenceKind::ReturnDiffers,
    ];

    /// The kind of its case.
    pub const fn as_str(self) -> &'static str {
        match self {
            DifferenceKind::MissingAtProvider => "missing_at_provider",
            DifferenceKind::UnmatchedAtProvider => "unmatched_at_provider",
            DifferenceKind::PaidTwiceAtProvider => "paid_twice_at_provider",
            DifferenceKind::UnsentAtProvider => "unsent_at_provider",
            DifferenceKind::StatusDiffers => "status_differs",
            DifferenceKind::AmountDiffers => "amount_differs",
            DifferenceKind::CurrencyDiffers => "currency_differs",
            DifferenceKind::ReturnDiffers => "return_differs",
        }
    }
}

/// What the provider knows and we don't yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Truth {
    Processed {
        amount: Decimal,
        original_id: Option<String>,
    },
    Declined,
    /// It paid `processed`, and `amount` of it came back.
    Returned {
        processed: Decimal,
        amount: Decimal,
        original_id: Option<String>,
    },
}

/// What a comparison comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Agrees,
    /// Not comparable yet.
    Left,
    Apply(Truth),
    /// A success that had come late is back, all of it.
    LateSuccessReturned {
        amount: Decimal,
    },
    Differs {
        kind: DifferenceKind,
        /// What left the provider account beyond what our payout stands for, zero or above; `None`: it can't be told.
        surplus: Option<(Decimal, AssetCode)>,
    },
}

/// One reference: both sides, and what they come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub reference: String,
    pub ours: Option<Ours>,
    pub theirs: Vec<Theirs>,
    pub finding: Finding,
}

/// Holds a whole report against our payouts: those that it names, and those that it must have. A line for each reference, in their order.
pub fn reconcile(ours: Vec<Ours>, theirs: Vec<Theirs>, scope: Scope) -> Result<Vec<Line>, ArithmeticError> {
    let mut sides: BTreeMap<String, (Option<Ours>, Vec<Theirs>)> = BTreeMap::new();
    for row in theirs {
        let (_, rows) = sides.entry(row.reference.clone()).or_default();
        // The same payment told twice is one payment; the later line tells how it stands.
        let known = rows.iter_mut().find(|known| known.original_id.is_some() && known.original_id == row.original_id);
        match known {
            Some(known) => *known = row,
            None => rows.push(row),
        }
    }
    for payout in ours {
        let (side, _) = sides.entry(payout.reference.clone()).or_default();
        *side = Some(payout);
    }
    sides
        .into_iter()
        .map(|(reference, (ours, mut theirs))| {
            theirs.sort_by(|a, b| (a.taken_at, &a.original_id).cmp(&(b.taken_at, &b.original_id)));
            let finding = compare::compare(ours.as_ref(), &theirs, scope)?;
            Ok(Line { reference, ours, theirs, finding })
        })
        .collect()
}
