//! The list of payouts.

use super::cell::{Cell, Column};
use super::error::PageError;
use super::form::Form;
use super::frame::Section;
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::words;
use crate::domain::ids::Mode;
use crate::staff::desk::Span;
use crate::staff::lists::{PayoutRow, PayoutSearch};

pub struct Payouts;

/// Payouts under each other: on their list, and wherever else some of them stand.
pub const COLUMNS: &[Column<PayoutRow>] = &[
    Column::plain("Our reference", |row, at| {
        Cell::id_link(at.href(format_args!("payouts/{}/{}", row.partner, row.id)), &row.provider_reference)
    }),
    Column::plain("Started", |row, _| Cell::moment(row.created_at)),
    Column::plain("Status", |row, _| Cell::Badge(words::payout_status(row.status))),
    Column::plain("Partner", |row, _| Cell::text(&row.partner)),
    Column::outside("Payout request", |row, at| {
        Cell::link(at.href(format_args!("requests/{}/{}", row.partner, row.request_id)), &row.reference_id)
    }),
    Column::plain("Account and route", |row, _| Cell::text(format!("{} over {}", row.account, row.route))),
    Column::outside("Provider's id", |row, _| Cell::maybe_code(row.provider_original_id.as_ref())),
    Column::outside("RRN", |row, _| Cell::maybe_code(row.rrn.as_ref())),
    Column::money("Amount", |row, at| at.amount(row.amount, row.currency)),
    Column::money("Paid", |row, at| at.amount(row.amount_processed, row.currency)),
];

impl List for Payouts {
    type Line = PayoutRow;
    type Search = (PayoutSearch, Span);
    const SECTION: Section = Section::Payouts;
    const PATH: &'static str = "payouts";
    const SAID: Said = Said {
        title: "Payouts",
        intro: Some("What was sent to providers: one line a try. A reference is looked for among all of them."),
        caption: "Newest first",
        order: Order::NewestFirst,
        nothing_yet: "There is no payout in {mode} mode yet. One appears here when a payout request is sent to a provider.",
        nothing_fits: "No payout in {mode} mode fits. References are compared exactly.",
    };
    const COLUMNS: &'static [Column<PayoutRow>] = COLUMNS;

    async fn search(_: &Source, _: Mode, form: &mut Form) -> Result<(PayoutSearch, Span), PageError> {
        let reference = form.text("reference", "Payout id, our or the provider's reference, RRN or ARN");
        let groups = [
            ("", "All", PayoutSearch::All),
            ("open", "Not ended", PayoutSearch::Open),
            ("unknown", "Fate unknown", PayoutSearch::Unknown),
        ];
        let group = form.choice("group", "Which", groups)?;
        let search = match reference {
            Some(text) => text.parse().map_or_else(|_| PayoutSearch::Called(text), PayoutSearch::Id),
            None => group,
        };
        Ok((search, form.span()))
    }

    async fn lines(source: &Source, wanted: Wanted<'_, (PayoutSearch, Span)>) -> Result<Lines<PayoutRow>, PageError> {
        let (search, span) = wanted.search;
        Ok(source.desk.payouts(wanted.mode, search, *span, wanted.after()?, wanted.lines_max).await?.into())
    }
}
