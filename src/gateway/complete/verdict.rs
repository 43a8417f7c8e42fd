//! What a report means for a payout as it stands. Pure: it judges and changes nothing but the payout's counters.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Report, Source};
use crate::domain::moderation::Reason;
use crate::domain::payout::{PayoutEvent, PayoutStatus, Resolution, ResolutionClass};
use crate::domain::routing::failover::{self, AfterNotFound, NotFoundFacts};
use crate::providers::provider::{Capabilities, Outcome, ProviderIds, ResendSafety};
use crate::store::payouts::Payout;
use crate::torture::{self, Rule};

/// The longest provider text that is kept.
const TEXT_CHARS_MAX: usize = 300;

#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// Nothing new, or nothing that counts.
    Ignore {
        why: &'static str,
    },
    /// The fate stays open: taken, or ambiguous.
    Open {
        event: PayoutEvent,
        resolution: Resolution,
        why: String,
        ids: ProviderIds,
    },
    Paid {
        amount: Decimal,
        ids: ProviderIds,
    },
    PaidLate {
        amount: Decimal,
        ids: ProviderIds,
    },
    Refused {
        resolution: Resolution,
        code: Option<String>,
        message: Option<String>,
    },
    Returned {
        amount: Decimal,
        ids: ProviderIds,
    },
    /// What a payout paid that counted as failed came back.
    Recovered {
        amount: Decimal,
        ids: ProviderIds,
    },
    Resend,
    /// Nothing of it left, for a reason of ours: it is begun again later.
    Withheld {
        why: String,
    },
    Moderate {
        why: Reason,
    },
    /// It contradicts what is written down: a person looks.
    Case {
        kind: &'static str,
        evidence: Value,
    },
}

pub(super) fn judge(
    payout: &mut Payout,
    report: &Report,
    is_stale: bool,
    capabilities: &Capabilities,
    sends_max: u16,
    scale: u8,
    now: DateTime<Utc>,
) -> Verdict {
    let counts_as_not_found = matches!(report.outcome, Outcome::NotFound);
    if !counts_as_not_found && report.source == Source::Inquiry {
        payout.not_found_count = 0;
    }
    match report.outcome.clone() {
        Outcome::Processed { amount, ids } => processed(payout, amount, ids, scale),
        Outcome::Pending { ids } if payout.status.is_open() => Verdict::Open {
            event: PayoutEvent::Taken,
            resolution: Resolution::Unknown,
            why: "the provider took it and hasn't finished".to_owned(),
            ids,
        },
        Outcome::Pending { .. } => Verdict::Ignore { why: "final already" },
        Outcome::Returned { amount, ids } => returned(payout, amount, ids),
        Outcome::Declined { resolution, code, message } => {
            declined(payout, report.source, is_stale, resolution, clipped(code), clipped(message))
        }
        Outcome::NotFound => not_found(payout, report.source, capabilities, sends_max, now),
        Outcome::NotSent { why, is_unfit } => not_sent(payout, report.source, is_stale, why, is_unfit),
        Outcome::Unknown { why, .. } if payout.status.is_open() && torture::is_off(Rule::NoFailoverOnUnknown) => {
            Verdict::Refused { resolution: Resolution::ProviderUnavailable, code: None, message: Some(clipped(why)) }
        }
        Outcome::Unknown { why, ids } if payout.status.is_open() && !is_stale => {
            Verdict::Open { event: PayoutEvent::Ambiguous, resolution: Resolution::Unknown, why: clipped(why), ids }
        }
        Outcome::Unknown { .. } => Verdict::Ignore { why: "says nothing" },
    }
}

/// `scale` is the currency's: an amount with more decimals can't have reached a card, and what it leaves couldn't be paid.
fn processed(payout: &Payout, amount: Decimal, ids: ProviderIds, scale: u8) -> Verdict {
    if amount.normalize().scale() > u32::from(scale) {
        let evidence = json!({"asked": payout.amount.to_string(), "processed": amount.to_string()});
        return Verdict::Case { kind: "processed_amount_unpayable", evidence };
    }
    let contradiction = |kind| Verdict::Case {
        kind,
        evidence: json!({"amount_processed_before": payout.amount_processed.to_string(), "amount_processed": amount.to_string()}),
    };
    match payout.status {
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown if amount > Decimal::ZERO => {
            Verdict::Paid { amount, ids }
        }
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown => Verdict::Open {
            event: PayoutEvent::Ambiguous,
            resolution: Resolution::Unknown,
            why: "the provider says it paid nothing".to_owned(),
            ids,
        },
        PayoutStatus::Failed | PayoutStatus::Canceled if amount > Decimal::ZERO && payout.sends > 0 => {
            Verdict::PaidLate { amount, ids }
        }
        PayoutStatus::Processed | PayoutStatus::LateProcessed | PayoutStatus::Returned
            if amount == payout.amount_processed =>
        {
            Verdict::Ignore { why: "known already" }
        }
        PayoutStatus::Processed | PayoutStatus::LateProcessed | PayoutStatus::Returned => {
            contradiction("processed_amount_changed")
        }
        PayoutStatus::Created | PayoutStatus::Failed | PayoutStatus::Canceled => contradiction("processed_unsent"),
    }
}

fn returned(payout: &Payout, amount: Decimal, ids: ProviderIds) -> Verdict {
    // Before its success is known only a whole return tells how much had been paid.
    let fits = match payout.status {
        PayoutStatus::Processed | PayoutStatus::LateProcessed => {
            payout.amount_returned.is_zero() && amount > Decimal::ZERO && amount <= payout.amount_processed
        }
        _ => amount == payout.amount,
    };
    match payout.status {
        PayoutStatus::Processed | PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown if fits => {
            Verdict::Returned { amount, ids }
        }
        // What counts as failed and came back was paid in between.
        PayoutStatus::LateProcessed | PayoutStatus::Failed if fits => Verdict::Recovered { amount, ids },
        PayoutStatus::Returned | PayoutStatus::LateProcessed if amount == payout.amount_returned => {
            Verdict::Ignore { why: "known already" }
        }
        PayoutStatus::Created
        | PayoutStatus::Invoking
        | PayoutStatus::Pending
        | PayoutStatus::Unknown
        | PayoutStatus::Processed
        | PayoutStatus::Failed
        | PayoutStatus::Returned
        | PayoutStatus::Canceled
        | PayoutStatus::LateProcessed => return_does_not_fit(payout, amount),
    }
}

pub(super) fn return_does_not_fit(payout: &Payout, amount: Decimal) -> Verdict {
    Verdict::Case {
        kind: "return_does_not_fit",
        evidence: json!({"status": payout.status.as_str(), "amount_returned": amount.to_string()}),
    }
}

/// Whether the refusal was made at the provider's door, before anybody looked at the payout: it says nothing of an earlier send of the
/// same order, which may have paid.
fn is_at_the_door(resolution: Resolution) -> bool {
    matches!(
        resolution,
        Resolution::RateLimited
            | Resolution::AccessDenied
            | Resolution::InvalidCredentials
            | Resolution::SignatureError
            | Resolution::ProviderUnavailable
    )
}

fn declined(
    payout: &Payout,
    source: Source,
    is_stale: bool,
    resolution: Resolution,
    code: String,
    message: String,
) -> Verdict {
    let is_resend = matches!(source, Source::Send { sends, .. } if sends > 1);
    let is_final = matches!(resolution.class(), ResolutionClass::FinalForCard | ResolutionClass::FinalForRoute)
        && !(is_resend && is_at_the_door(resolution));
    match payout.status {
        // Somebody else holds the payout now and may have sent it again: ask instead of trusting an old answer.
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown if is_stale => {
            Verdict::Ignore { why: "a refusal from a lease that is over" }
        }
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown if is_final => {
            Verdict::Refused { resolution, code: Some(code), message: Some(message) }
        }
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown => Verdict::Open {
            event: PayoutEvent::Ambiguous,
            resolution,
            why: format!("declined with what isn't final here: {code}"),
            ids: ProviderIds::default(),
        },
        // Of one of several sends another one was paid: nothing contradicts itself.
        PayoutStatus::Processed if is_stale && payout.sends > 1 => {
            Verdict::Ignore { why: "a refusal from a lease that is over" }
        }
        PayoutStatus::Processed => Verdict::Case {
            kind: "declined_after_success",
            evidence: json!({"resolution": resolution.as_str(), "code": code, "message": message}),
        },
        PayoutStatus::Created
        | PayoutStatus::Failed
        | PayoutStatus::Returned
        | PayoutStatus::Canceled
        | PayoutStatus::LateProcessed => Verdict::Ignore { why: "final already" },
    }
}

fn not_sent(payout: &Payout, source: Source, is_stale: bool, why: String, is_unfit: bool) -> Verdict {
    let is_first_send = source.lease().is_some() && payout.sends == 1;
    match payout.status {
        PayoutStatus::Invoking if is_first_send && !is_stale && matches!(source, Source::Withheld { .. }) => {
            Verdict::Withheld { why: clipped(why) }
        }
        PayoutStatus::Invoking if is_first_send && !is_stale => {
            // What the provider can't be asked to pay says nothing of how it does.
            let resolution = if is_unfit { Resolution::InvalidMethod } else { Resolution::ProviderUnavailable };
            Verdict::Refused { resolution, code: None, message: Some(clipped(why)) }
        }
        // An earlier send may have arrived, or this is no proof about a send at all.
        PayoutStatus::Invoking | PayoutStatus::Pending | PayoutStatus::Unknown if !is_stale => Verdict::Open {
            event: PayoutEvent::Ambiguous,
            resolution: Resolution::Unknown,
            why: clipped(why),
            ids: ProviderIds::default(),
        },
        PayoutStatus::Created
        | PayoutStatus::Invoking
        | PayoutStatus::Pending
        | PayoutStatus::Unknown
        | PayoutStatus::Processed
        | PayoutStatus::Failed
        | PayoutStatus::Returned
        | PayoutStatus::Canceled
        | PayoutStatus::LateProcessed => Verdict::Ignore { why: "no news" },
    }
}

fn not_found(
    payout: &mut Payout,
    source: Source,
    capabilities: &Capabilities,
    sends_max: u16,
    now: DateTime<Utc>,
) -> Verdict {
    if !payout.status.is_open() || source != Source::Inquiry {
        return Verdict::Ignore { why: "\"not found\" counts as the answer to an open question only" };
    }
    let first_sent_at = payout.first_sent_at();
    let send_timeout = TimeDelta::from_std(capabilities.send_timeout).unwrap_or(TimeDelta::hours(1));
    let facts = NotFoundFacts {
        now,
        first_sent_at,
        last_send_over_at: payout.sent_at.unwrap_or(first_sent_at) + send_timeout,
        settling_time: capabilities.settling_time,
        confirmations: u32::try_from(payout.not_found_count).unwrap_or(0) + 1,
        confirmations_needed: capabilities.not_found_confirmations,
        resend_window: match capabilities.resend {
            ResendSafety::SameReferenceWithin(window) => Some(window),
            ResendSafety::Never => None,
        },
        sends: u16::try_from(payout.sends).unwrap_or(u16::MAX),
        sends_max,
    };
    if failover::not_found_counts(&facts) {
        payout.not_found_count += 1;
    }
    match failover::after_not_found(&facts) {
        AfterNotFound::Resend => Verdict::Resend,
        AfterNotFound::Moderate => Verdict::Moderate { why: Reason::NotFoundAtProvider },
        AfterNotFound::AskAgain if payout.status == PayoutStatus::Unknown => Verdict::Ignore { why: "too early" },
        AfterNotFound::AskAgain => Verdict::Open {
            event: PayoutEvent::Ambiguous,
            resolution: Resolution::Unknown,
            why: "the provider doesn't find it".to_owned(),
            ids: ProviderIds::default(),
        },
    }
}

/// Keeps what the provider told of its own identifiers; what is known is never forgotten. Where it calls the payment something else than it
/// did before, an answer that tells the fate is believed (`is_sure`), and one that leaves it open isn't: questions go by the id, and must
/// not be led away from the payment. Answers the difference, which has to be written down.
pub(super) fn remember_ids(payout: &mut Payout, ids: ProviderIds, is_sure: bool) -> Option<Value> {
    let chosen = |known: Option<String>, told: Option<String>| {
        let told = told.map(clipped);
        if is_sure { told.or(known) } else { known.or(told) }
    };
    let before = payout.provider_original_id.take();
    let told = ids.original_id.clone().map(clipped);
    payout.provider_original_id = chosen(before.clone(), ids.original_id);
    payout.rrn = chosen(payout.rrn.take(), ids.rrn);
    payout.arn = chosen(payout.arn.take(), ids.arn);
    // Counts when the payout is finished; what is no amount is worked out from the rate.
    let converts = payout.placement.deposit_currency != payout.currency;
    if let Some(debited) = ids.debited.filter(|debited| converts && *debited > Decimal::ZERO) {
        payout.placement.deposit_debited = debited;
    }
    let (before, told) = (before?, told?);
    (before != told).then(|| json!({"known": before, "told": told, "kept": payout.provider_original_id}))
}

/// At most so much of a provider's text, as the database can hold it: PostgreSQL's text takes no NUL.
fn clipped(text: String) -> String {
    text.chars().take(TEXT_CHARS_MAX).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}
