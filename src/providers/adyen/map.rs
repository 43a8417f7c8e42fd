//! What Adyen's answers and callbacks mean. What each status, reason and refusal means stands in [`codes`](super::codes), one by one;
//! whatever stands in none of its tables is [`Outcome::Unknown`], never a decline.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::codes::{CURRENCIES, REASONS, STATUSES, Standing};
use super::refusal;
use super::wire::{BalanceAccount, Transfer, Transfers};
use crate::domain::asset::AssetCode;
use crate::domain::exact;
use crate::providers::provider::{
    Inquiry, Outcome, PayoutOrder, ProviderIds, ReportPage, ReportRow, ReportedOutcome, ReportedStatus,
};
use crate::providers::told::{clipped, refused_call, unknown, unreadable};
use crate::providers::transport::WireResponse;

/// The category of transfers to and from cards.
pub const CATEGORY: &str = "card";
/// The type of a transfer to a card.
const TRANSFER: &str = "cardTransfer";
/// The types that money which comes back from a card may have.
const RETURNS: [&str; 2] = ["cardTransfer", "refund"];
const OUTGOING: &str = "outgoing";
const INCOMING: &str = "incoming";
/// "Accepted for processing": both are documented for a transfer that was taken.
const TAKEN: [u16; 2] = [200, 202];
/// The status of a balance account that can pay.
const ACTIVE: &str = "active";

/// The payout that an answer has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub reference: &'a str,
    pub amount: Decimal,
    pub currency: AssetCode,
    /// The balance account that pays.
    pub balance_account: &'a str,
}

impl<'a> Asked<'a> {
    pub fn by_order(order: &'a PayoutOrder, balance_account: &'a str) -> Self {
        Self { reference: &order.reference, amount: order.amount, currency: order.currency, balance_account }
    }

    pub fn by_inquiry(inquiry: &'a Inquiry, balance_account: &'a str) -> Self {
        Self { reference: &inquiry.reference, amount: inquiry.amount, currency: inquiry.currency, balance_account }
    }
}

/// What the answer to a send means.
pub fn sent(response: &WireResponse, order: &PayoutOrder, balance_account: &str) -> Outcome {
    if TAKEN.contains(&response.status) {
        return match serde_json::from_slice::<Transfer>(&response.body) {
            Ok(transfer) => of_ours(&transfer, &Asked::by_order(order, balance_account)),
            Err(_) => unreadable(response),
        };
    }
    match refusal::read(response) {
        Ok((resolution, code, message)) => refused_call(order, resolution, code, message),
        Err(why) => unknown(why),
    }
}

/// A page of a list of transfers.
#[derive(Debug)]
pub struct Page {
    pub transfers: Vec<Transfer>,
    /// Asks for the next page; `None`: this is the last.
    pub next: Option<String>,
}

/// A page of a list of transfers, or why it tells nothing.
pub fn page(response: &WireResponse) -> Result<Page, String> {
    if response.status != 200 {
        // A refusal refuses the question and says nothing of the payout.
        return Err(refusal::read(response).map_or_else(|why| why, |(_, code, _)| format!("not told: {code}")));
    }
    let unreadable = || format!("HTTP {} with a body that can't be read", response.status);
    let Transfers { data, links } = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
    let next = links.and_then(|links| links.next);
    let next = next.map(|link| link.href.as_deref().and_then(cursor).ok_or_else(unreadable)).transpose()?;
    Ok(Page { transfers: data, next })
}

/// The cursor in a link to a page: the link itself is never called.
fn cursor(href: &str) -> Option<String> {
    let base = reqwest::Url::parse("https://adyen.invalid/").ok()?;
    let url = base.join(href).ok()?;
    let found = url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned());
    found.filter(|cursor| !cursor.is_empty())
}

/// What all transfers under our reference mean: the payout is the one that left, and what came in under the same reference came back.
pub fn found(transfers: &[Transfer], asked: &Asked<'_>) -> Outcome {
    if transfers.iter().any(|transfer| transfer.reference.as_deref() != Some(asked.reference)) {
        return unknown("the answer is about another payout".to_owned());
    }
    let (back, out): (Vec<_>, Vec<_>) =
        transfers.iter().partition(|transfer| transfer.direction.as_deref() == Some(INCOMING));
    match (out.as_slice(), back.as_slice()) {
        ([], []) => Outcome::NotFound,
        ([transfer], []) => of_ours(transfer, asked),
        ([transfer], back) => with_returns(of_ours(transfer, asked), back, asked),
        (out, _) => unknown(format!("Adyen has {} transfers out and {} in under one reference", out.len(), back.len())),
    }
}

/// A payout of which some may have come back as transfers of their own.
fn with_returns(payout: Outcome, back: &[&Transfer], asked: &Asked<'_>) -> Outcome {
    let mut returned = Decimal::ZERO;
    for transfer in back {
        match came_back(transfer, asked.balance_account) {
            Some(CameBack::Booked { amount, currency }) if currency == asked.currency => {
                let Ok(sum) = exact::add(returned, amount) else {
                    return unknown("what came back can't be added up".to_owned());
                };
                returned = sum;
            }
            Some(CameBack::NotYet) => {}
            Some(CameBack::Booked { .. }) | None => {
                return unknown("a transfer came in under this reference that is no return of the payout".to_owned());
            }
        }
    }
    match payout {
        payout if returned.is_zero() => payout,
        Outcome::Processed { amount, ids } if returned <= amount => Outcome::Returned { amount: returned, ids },
        // The payout's own transfer may say so as well.
        Outcome::Returned { amount, ids } if returned == amount => Outcome::Returned { amount, ids },
        _ => unknown("money came back under this reference that doesn't fit the payout".to_owned()),
    }
}

/// What a transfer from a card into our balance account says.
#[derive(Debug, PartialEq, Eq)]
enum CameBack {
    Booked {
        amount: Decimal,
        currency: AssetCode,
    },
    /// On its way, or refused.
    NotYet,
}

/// `None`: it isn't money that comes back from a card.
fn came_back(transfer: &Transfer, balance_account: &str) -> Option<CameBack> {
    let is_return = transfer.category == CATEGORY
        && is_of_account(transfer, balance_account)
        && transfer.kind.as_deref().is_none_or(|kind| RETURNS.contains(&kind));
    if !is_return {
        return None;
    }
    match standing(&transfer.status)? {
        Standing::Paid => {
            let (amount, currency) = amount(transfer)?;
            Some(CameBack::Booked { amount, currency })
        }
        Standing::Pending | Standing::Refused => Some(CameBack::NotYet),
        Standing::Returned | Standing::Foreign => None,
    }
}

fn is_of_account(transfer: &Transfer, balance_account: &str) -> bool {
    transfer.balance_account.as_ref().and_then(|account| account.id.as_deref()) == Some(balance_account)
}

/// Whether it is a transfer from our balance account to a card.
fn is_payout(transfer: &Transfer, balance_account: &str) -> bool {
    transfer.category == CATEGORY
        && transfer.direction.as_deref() == Some(OUTGOING)
        && transfer.kind.as_deref().is_none_or(|kind| kind == TRANSFER)
        && is_of_account(transfer, balance_account)
}

/// What Adyen tells of the payout that we asked for; unknown if it tells of something else.
fn of_ours(transfer: &Transfer, asked: &Asked<'_>) -> Outcome {
    if transfer.reference.as_deref() != Some(asked.reference) || !is_payout(transfer, asked.balance_account) {
        return unknown("the answer is about another payout".to_owned());
    }
    if amount(transfer) != Some((asked.amount, asked.currency)) {
        return unknown("Adyen has another amount or currency under this reference".to_owned());
    }
    told(transfer)
}

/// What Adyen tells of a transfer to a card, with its id even where its fate can't be told.
pub fn told(transfer: &Transfer) -> Outcome {
    let ids = ids(transfer);
    fate(transfer, ids.clone()).naming(&ids)
}

fn fate(transfer: &Transfer, ids: ProviderIds) -> Outcome {
    let Some((amount, _)) = amount(transfer) else { return unknown("an amount can't be read".to_owned()) };
    match standing(&transfer.status) {
        Some(Standing::Pending) => Outcome::Pending { ids },
        Some(Standing::Paid) => Outcome::Processed { amount, ids },
        Some(Standing::Returned) => match returned(transfer, amount) {
            Some(amount) => Outcome::Returned { amount, ids },
            None => unknown("what came back doesn't fit the payout".to_owned()),
        },
        Some(Standing::Refused) => refused(transfer),
        Some(Standing::Foreign) => {
            unknown(format!("the status {:?}, which is no payout's to a card", clipped(&transfer.status)))
        }
        None => unknown(format!("the unmapped status {:?}", clipped(&transfer.status))),
    }
}

fn standing(status: &str) -> Option<Standing> {
    STATUSES.iter().find(|(known, _)| *known == status).map(|(_, standing)| *standing)
}

/// The transfer's amount in units of its currency; `None` if it isn't a positive amount of a currency that Adyen pays in.
fn amount(transfer: &Transfer) -> Option<(Decimal, AssetCode)> {
    let currency = transfer.amount.currency.parse().ok()?;
    let amount = CURRENCIES.of_minor(transfer.amount.value, currency)?;
    (amount > Decimal::ZERO).then_some((amount, currency))
}

fn ids(transfer: &Transfer) -> ProviderIds {
    let arn = transfer.events.iter().flatten().rev().find_map(|event| event.arn.as_deref());
    ProviderIds { original_id: transfer.id.clone(), arn: arn.map(str::to_owned), ..ProviderIds::default() }
}

/// How much of a returned transfer came back: what its events say in its currency, and all of it where they say nothing.
fn returned(transfer: &Transfer, amount: Decimal) -> Option<Decimal> {
    let events = transfer.events.iter().flatten();
    let of_return = events.filter(|event| event.status.as_deref().and_then(standing) == Some(Standing::Returned));
    let mut credited: Option<i64> = None;
    for mutation in of_return.flat_map(|event| event.mutations.iter().flatten()) {
        if let (Some(balance), Some(currency)) = (mutation.balance, &mutation.currency)
            && *currency == transfer.amount.currency
        {
            credited = Some(credited.unwrap_or(0).checked_add(balance)?);
        }
    }
    let Some(credited) = credited else { return Some(amount) };
    let credited = CURRENCIES.of_minor(credited, transfer.amount.currency.parse().ok()?)?;
    (credited > Decimal::ZERO && credited <= amount).then_some(credited)
}

/// A transfer that was refused, by its reason; unknown if money left the balance account all the same.
fn refused(transfer: &Transfer) -> Outcome {
    if transfer.balances.iter().flatten().any(|balance| balance.balance.unwrap_or(0) != 0) {
        return unknown(format!("{:?}, but the balance account was debited", clipped(&transfer.status)));
    }
    let reason = transfer.reason.as_deref().unwrap_or_default();
    match REASONS.iter().find(|(known, _)| *known == reason) {
        Some((code, Some(resolution))) => Outcome::Declined {
            resolution: *resolution,
            code: (*code).to_owned(),
            message: clipped(&format!("{}: {code}", transfer.status)),
        },
        Some((code, None)) => unknown(format!("{:?} with the reason {code}", clipped(&transfer.status))),
        None => unknown(format!("{:?} with the unmapped reason {:?}", clipped(&transfer.status), clipped(reason))),
    }
}

/// What a callback about a transfer means for `balance_account`; nothing, where it is about another one's or about no payout.
pub fn reported(
    transfer: &Transfer,
    balance_account: &str,
    is_reference: impl Fn(&str) -> bool,
) -> Option<ReportedOutcome> {
    let reference = transfer.reference.clone().filter(|reference| is_reference(reference))?;
    if is_payout(transfer, balance_account) {
        let (outcome, sequence) = (told(transfer), transfer.sequence_number);
        return Some(ReportedOutcome { reference, outcome, sequence });
    }
    if transfer.direction.as_deref() != Some(INCOMING) {
        return None;
    }
    match came_back(transfer, balance_account)? {
        // Numbered in an order of its own, which is not the payout's.
        CameBack::Booked { amount, .. } => {
            let ids = ProviderIds { arn: ids(transfer).arn, ..ProviderIds::default() };
            Some(ReportedOutcome { reference, outcome: Outcome::Returned { amount, ids }, sequence: None })
        }
        CameBack::NotYet => None,
    }
}

/// A balance account's own answer about itself: what it holds is for [`balance`] to say.
pub fn balance_account(response: &WireResponse, id: &str) -> Option<BalanceAccount> {
    serde_json::from_slice::<BalanceAccount>(&response.body).ok().filter(|account| account.id == id)
}

/// Whether a balance account can pay: it says so, or says nothing of it.
pub fn is_active(account: &BalanceAccount) -> bool {
    account.status.as_deref().is_none_or(|status| status.eq_ignore_ascii_case(ACTIVE))
}

/// What is available of `currency`, which may be below nothing; nothing of a currency that isn't listed. `None` if it can't be told.
pub fn balance(account: &BalanceAccount, currency: AssetCode) -> Option<Decimal> {
    let mut of_currency = account.balances.as_ref()?.iter().filter(|balance| balance.currency == currency.as_str());
    match (of_currency.next(), of_currency.next()) {
        (Some(balance), None) => CURRENCIES.of_minor(balance.available, currency),
        (None, _) => CURRENCIES.of_minor(0, currency),
        (Some(_), Some(_)) => None,
    }
}

/// A page of a report: the transfers from our balance account to cards that were created from `from` until just before `until`. `None` if
/// any of it can't be read: half a report would be taken for a whole one.
pub fn report_page(
    page: Page,
    balance_account: &str,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    is_reference: impl Fn(&str) -> bool,
) -> Option<ReportPage> {
    let mut rows = Vec::new();
    for transfer in &page.transfers {
        if is_payout(transfer, balance_account) {
            let reference = transfer.reference.as_deref()?;
            // What somebody paid from the Customer Area is told of as well, under whatever reference it has.
            let reference = if is_reference(reference) { reference.to_owned() } else { clipped(reference) };
            let row = report_row(transfer, reference)?;
            // Adyen's range includes its end, and its bounds have whole seconds.
            rows.extend((from <= row.taken_at && row.taken_at < until).then_some(row));
        }
    }
    Some(ReportPage { rows, next: page.next })
}

fn report_row(transfer: &Transfer, reference: String) -> Option<ReportRow> {
    let (asked, currency) = amount(transfer)?;
    let created = transfer.created_at.as_deref().or(transfer.creation_date.as_deref())?;
    let taken_at = DateTime::parse_from_rfc3339(created).ok()?.with_timezone(&Utc);
    let (status, amount_processed, amount_returned) = match told(transfer) {
        Outcome::Processed { amount, .. } => (ReportedStatus::Processed, amount, Decimal::ZERO),
        Outcome::Returned { amount, .. } => (ReportedStatus::Returned, asked, amount),
        Outcome::Declined { .. } => (ReportedStatus::Declined, Decimal::ZERO, Decimal::ZERO),
        // What isn't understood isn't final for us: beside a payout that is, it is a difference that a person sees.
        _ => (ReportedStatus::Pending, Decimal::ZERO, Decimal::ZERO),
    };
    let original_id = transfer.id.clone();
    Some(ReportRow { reference, original_id, status, amount_processed, amount_returned, currency, taken_at })
}

#[cfg(test)]
#[path = "map_tests.rs"]
mod tests;
