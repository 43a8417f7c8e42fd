//! Invariants 5 and 6: nothing vanishes, and an offer is paid by one request. What the ledger booked for each accepted offer is
//! computed again from its terms, to the last digit.

use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;

use super::{CheckResult, Report, VerifyError, store};
use crate::domain::asset::Assets;
use crate::domain::exact;
use crate::domain::fee::FeeItem;
use crate::domain::ledger::{AccountKind, EntryKind};
use crate::domain::offer::{OfferStatus, ReturnedFees, SettlementRest};
use crate::gateway::GatewayError;
use crate::gateway::settle::settlement_of;
use crate::store::offers::Offer;
use crate::store::verify::offers::{Amounts, Done};

pub(super) async fn check(
    conn: &mut AsyncPgConnection,
    assets: &Assets,
    report: &mut Report,
) -> Result<(), VerifyError> {
    report.add(
        "offers and requests",
        5,
        "An accepted offer and the request that pays it agree on amounts, card, customer and end.",
        store::offers::requests_agree(conn).await?,
    );
    report.checks.push(settlements(conn, assets).await?);
    report.add(
        "held balances",
        5,
        "A customer's held balance is what open offers hold: their totals less what was settled so far.",
        store::offers::held(conn).await?,
    );
    report.add(
        "rolling sums",
        5,
        "Rolling sums count what accepted offers reserved and did not give back.",
        store::limits::usage(conn).await?,
    );
    report.add(
        "windows of rolling sums",
        5,
        "A rolling sum keeps everything that can still count.",
        store::limits::window_starts(conn).await?,
    );
    report.add(
        "one request an offer",
        6,
        "An offer is paid by one request, which it knows.",
        store::offers::one_request_an_offer(conn).await?,
    );
    report.add(
        "references of requests once",
        6,
        "A tenant's reference stands for one request.",
        store::offers::references_once(conn).await?,
    );
    Ok(())
}

async fn settlements(conn: &mut AsyncPgConnection, assets: &Assets) -> Result<CheckResult, VerifyError> {
    let mut check = CheckResult::new(
        "settlements of offers",
        5,
        "What was held, settled, released and given back for an offer is what its terms come to, and adds up to its total.",
    );
    let mut last = None;
    loop {
        let page = store::offers::accepted(conn, last).await?;
        let Some((end, _)) = page.last() else { return Ok(check) };
        last = Some((end.tenant(), end.id));
        for (offer, done) in &page {
            check.rows_checked += 1;
            let row = || format!("offer {}/{}/{}", offer.partner_id.0, offer.mode, offer.id);
            match expected(assets, offer, done) {
                Ok(expected) => {
                    for what in differences(&expected, &done.booked) {
                        check.found(row(), what);
                    }
                }
                Err(error) => check.found(row(), format!("its settlement can't be computed: {error}")),
            }
        }
    }
}

/// The accounts that a settlement takes to, in the order in which its parts are listed below.
const TAKERS: [AccountKind; 5] = [
    AccountKind::HouseInventory,
    AccountKind::SpreadIncome,
    AccountKind::Rounding,
    AccountKind::FeeIncome,
    AccountKind::PartnerPayable,
];

/// What the ledger should have booked for an offer.
fn expected(assets: &Assets, offer: &Offer, done: &Done) -> Result<Amounts, GatewayError> {
    use AccountKind::{External, ProviderFunding, UserAvailable, UserHeld};
    let terms = settlement_of(assets, offer)?;
    let (from, to) = (offer.currency_from.as_str(), offer.currency_to.as_str());
    let mut book = Book::default();
    book.add(EntryKind::Hold, UserAvailable, from, -offer.total)?;
    book.add(EntryKind::Hold, UserHeld, from, offer.total)?;

    let processed = offer.amount_to_processed;
    let taken = terms.settle(Decimal::ZERO, processed, SettlementRest::StaysHeld)?;
    let parts = [taken.house_inventory, taken.spread_income, taken.rounding, sum(&taken.fees)?, taken.partner_fee];
    for (account, amount) in TAKERS.into_iter().zip(parts) {
        book.add(EntryKind::Settle, account, from, amount)?;
        book.add(EntryKind::Settle, UserHeld, from, -amount)?;
    }
    if offer.status != OfferStatus::Accepted {
        let released = terms.settle(processed, processed, SettlementRest::Released)?.released;
        book.add(EntryKind::Release, UserHeld, from, -released)?;
        book.add(EntryKind::Release, UserAvailable, from, released)?;
    }

    // Fiat is booked as it went. A payout gives back out of what was taken for it, and beyond the offer nothing was.
    let mut so_far = Decimal::ZERO;
    for (paid, returned) in &done.paid {
        book.add(EntryKind::Settle, ProviderFunding, to, -paid)?;
        book.add(EntryKind::Settle, External, to, *paid)?;
        book.add(EntryKind::Return, ProviderFunding, to, *returned)?;
        book.add(EntryKind::Return, External, to, -returned)?;
        let start = so_far.min(offer.amount_to);
        so_far = exact::add(so_far, *paid)?;
        let end = so_far.min(offer.amount_to);
        let charged = exact::sub(end, start)?.min(*returned);
        let back = terms.give_back_of((start, end), Decimal::ZERO, charged, ReturnedFees::Kept)?;
        let parts = [back.house_inventory, back.spread_income, back.rounding, sum(&back.fees)?, back.partner_fee];
        for (account, amount) in TAKERS.into_iter().zip(parts) {
            book.add(EntryKind::Return, account, from, -amount)?;
            book.add(EntryKind::Return, UserAvailable, from, amount)?;
        }
    }
    Ok(book.amounts)
}

#[derive(Default)]
struct Book {
    amounts: Amounts,
}

impl Book {
    fn add(
        &mut self,
        entry: EntryKind,
        account: AccountKind,
        asset: &str,
        amount: Decimal,
    ) -> Result<(), GatewayError> {
        let key = (entry.as_str().to_owned(), account.as_str().to_owned(), asset.to_owned());
        let booked = self.amounts.entry(key).or_default();
        *booked = exact::add(*booked, amount)?;
        Ok(())
    }
}

fn sum(fees: &[FeeItem]) -> Result<Decimal, GatewayError> {
    Ok(fees.iter().try_fold(Decimal::ZERO, |sum, item| exact::add(sum, item.amount))?)
}

fn differences(expected: &Amounts, booked: &Amounts) -> Vec<String> {
    let mut keys: Vec<_> = expected.keys().chain(booked.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter_map(|key| {
            let of = |amounts: &Amounts| amounts.get(key).copied().unwrap_or_default();
            let (entry, account, asset) = key;
            (of(expected) != of(booked)).then(|| {
                format!(
                    "its {entry} entries move {} {asset} on {account}, its terms come to {}",
                    of(booked),
                    of(expected)
                )
            })
        })
        .collect()
}
