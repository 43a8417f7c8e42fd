//! One reference: a payout of ours, or none, against the payments that a report has under it.

use rust_decimal::Decimal;

use super::{DifferenceKind, Finding, Ours, Scope, TheirStatus, Theirs, Truth};
use crate::domain::asset::AssetCode;
use crate::domain::exact::{self, ArithmeticError};
use crate::domain::payout::PayoutStatus;

pub(super) fn compare(ours: Option<&Ours>, theirs: &[Theirs], scope: Scope) -> Result<Finding, ArithmeticError> {
    if theirs.iter().any(|row| row.taken_at > scope.settled_until) {
        return Ok(Finding::Left);
    }
    let Some(ours) = ours else { return unknown(theirs) };
    if ours.updated_at > scope.started_at {
        return Ok(Finding::Left);
    }
    let finding = match ours.status {
        PayoutStatus::Created | PayoutStatus::Canceled => unsent(ours, theirs)?,
        PayoutStatus::Failed if !ours.was_sent => unsent(ours, theirs)?,
        PayoutStatus::Failed => failed(ours, theirs),
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown => open(ours, theirs),
        PayoutStatus::Processed | PayoutStatus::Returned | PayoutStatus::LateProcessed => paid(ours, theirs)?,
    };
    // What we learnt a moment ago, a report may be without.
    let is_fresh = ours.updated_at > scope.settled_until;
    Ok(match finding {
        Finding::Differs { .. } if is_fresh => Finding::Left,
        finding => finding,
    })
}

/// Whether money went out for it.
fn has_paid(row: &Theirs) -> bool {
    match row.status {
        TheirStatus::Processed | TheirStatus::Returned => row.amount_processed > Decimal::ZERO,
        TheirStatus::Pending | TheirStatus::Declined => false,
    }
}

fn is_pending(row: &Theirs) -> bool {
    row.status == TheirStatus::Pending
}

/// What went out and didn't come back, if all of it is in `currency`.
fn net(theirs: &[Theirs], currency: AssetCode) -> Result<Option<Decimal>, ArithmeticError> {
    let mut sum = Decimal::ZERO;
    for row in theirs.iter().filter(|row| has_paid(row)) {
        if row.currency != currency {
            return Ok(None);
        }
        sum = exact::add(sum, exact::sub(row.amount_processed, row.amount_returned)?)?;
    }
    Ok(Some(sum))
}

fn differs(kind: DifferenceKind, surplus: Option<(Decimal, AssetCode)>) -> Finding {
    Finding::Differs { kind, surplus: surplus.map(|(amount, currency)| (amount.max(Decimal::ZERO), currency)) }
}

/// A reference that isn't ours: whatever went out under it stands for no payout.
fn unknown(theirs: &[Theirs]) -> Result<Finding, ArithmeticError> {
    let Some(first) = theirs.iter().find(|row| has_paid(row)) else {
        return Ok(if theirs.iter().any(is_pending) { Finding::Left } else { Finding::Agrees });
    };
    let surplus = net(theirs, first.currency)?;
    if surplus.is_some_and(|amount| amount.is_zero()) && !theirs.iter().any(is_pending) {
        // It came back, or never was.
        return Ok(Finding::Agrees);
    }
    Ok(differs(DifferenceKind::UnmatchedAtProvider, surplus.map(|amount| (amount, first.currency))))
}

/// Nothing of it ever left: whatever the provider has under its reference isn't ours.
fn unsent(ours: &Ours, theirs: &[Theirs]) -> Result<Finding, ArithmeticError> {
    let surplus = net(theirs, ours.currency)?;
    let is_quiet = surplus.is_some_and(|amount| amount.is_zero()) && !theirs.iter().any(is_pending);
    if is_quiet {
        return Ok(Finding::Agrees);
    }
    Ok(differs(DifferenceKind::UnsentAtProvider, surplus.map(|amount| (amount, ours.currency))))
}

/// Which of several payments is our payout's: by the provider's identifier if we know it, or the first.
fn primary<'a>(ours: &Ours, theirs: &'a [Theirs]) -> Option<&'a Theirs> {
    let mut paid = theirs.iter().filter(|row| has_paid(row));
    let is_ours = |row: &&Theirs| row.original_id.is_some() && row.original_id == ours.original_id;
    paid.clone().find(is_ours).or_else(|| paid.next())
}

fn failed(ours: &Ours, theirs: &[Theirs]) -> Finding {
    match primary(ours, theirs) {
        Some(row) if row.currency != ours.currency => differs(DifferenceKind::CurrencyDiffers, None),
        // That it came back since is the next run's, once the success is written down.
        Some(row) => {
            Finding::Apply(Truth::Processed { amount: row.amount_processed, original_id: row.original_id.clone() })
        }
        None if theirs.iter().any(is_pending) => Finding::Left,
        None => Finding::Agrees,
    }
}

fn open(ours: &Ours, theirs: &[Theirs]) -> Finding {
    let is_declined = |row: &Theirs| row.status == TheirStatus::Declined;
    match primary(ours, theirs) {
        Some(row) if row.currency != ours.currency => differs(DifferenceKind::CurrencyDiffers, None),
        Some(row) if row.amount_returned > Decimal::ZERO => Finding::Apply(Truth::Returned {
            processed: row.amount_processed,
            amount: row.amount_returned,
            original_id: row.original_id.clone(),
        }),
        Some(row) => {
            Finding::Apply(Truth::Processed { amount: row.amount_processed, original_id: row.original_id.clone() })
        }
        // While it is being sent, a refusal may be an earlier send's.
        None if ours.status == PayoutStatus::Invoking => Finding::Left,
        None if !theirs.is_empty() && theirs.iter().all(is_declined) => Finding::Apply(Truth::Declined),
        // Absence is no answer: it is asked about until there is one.
        None => Finding::Left,
    }
}

fn paid(ours: &Ours, theirs: &[Theirs]) -> Result<Finding, ArithmeticError> {
    let Some(row) = primary(ours, theirs) else {
        return Ok(match theirs {
            [] if ours.is_expected => differs(DifferenceKind::MissingAtProvider, None),
            [] => Finding::Left,
            [..] => differs(DifferenceKind::StatusDiffers, None),
        });
    };
    let Some(net_theirs) = net(theirs, ours.currency)? else {
        return Ok(differs(DifferenceKind::CurrencyDiffers, None));
    };
    let net_ours = exact::sub(ours.amount_processed, ours.amount_returned)?;
    let surplus = Some((exact::sub(net_theirs, net_ours)?, ours.currency));
    let is_several = theirs.iter().filter(|row| has_paid(row)).count() > 1;
    if is_several {
        return Ok(match net_theirs.cmp(&net_ours) {
            std::cmp::Ordering::Equal => Finding::Agrees,
            std::cmp::Ordering::Greater => differs(DifferenceKind::PaidTwiceAtProvider, surplus),
            std::cmp::Ordering::Less => differs(DifferenceKind::ReturnDiffers, surplus),
        });
    }
    if row.amount_processed != ours.amount_processed {
        return Ok(differs(DifferenceKind::AmountDiffers, surplus));
    }
    if row.amount_returned == ours.amount_returned {
        return Ok(Finding::Agrees);
    }
    let is_whole = row.amount_returned == row.amount_processed;
    let fits = row.amount_returned > Decimal::ZERO && row.amount_returned <= row.amount_processed;
    Ok(match ours.status {
        PayoutStatus::Processed if fits => Finding::Apply(Truth::Returned {
            processed: row.amount_processed,
            amount: row.amount_returned,
            original_id: row.original_id.clone(),
        }),
        PayoutStatus::LateProcessed if is_whole => Finding::LateSuccessReturned { amount: row.amount_returned },
        // We say that it came back, and they don't.
        PayoutStatus::Returned if row.amount_returned.is_zero() => differs(DifferenceKind::StatusDiffers, surplus),
        _ => differs(DifferenceKind::ReturnDiffers, surplus),
    })
}
