//! The list of payout requests.

use super::cell::{Cell, Column};
use super::error::PageError;
use super::form::Form;
use super::frame::Section;
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::CardPart;
use super::words;
use crate::domain::ids::Mode;
use crate::staff::desk::{Group, RequestLine, RequestSearch, Span};

pub struct Requests;

const GROUPS: [(&str, &str, Group); 5] = [
    ("", "All", Group::All),
    ("open", "Not ended", Group::Open),
    ("paid", "Paid", Group::Paid),
    ("unpaid", "Ended, not all of it paid", Group::Unpaid),
    ("returned", "Came back", Group::Returned),
];

/// Payout requests under each other: on their list, and wherever else some of them stand.
pub const COLUMNS: &[Column<RequestLine>] = &[
    Column::outside("Reference", |line, at| {
        let href = at.href(format_args!("requests/{}/{}", line.partner, line.id));
        Cell::link(href, &line.reference_id).with_small(&line.service)
    }),
    Column::plain("Created", |line, _| Cell::moment(line.created_at)),
    Column::plain("Status", |line, _| {
        Cell::Badge(words::request_state(line.status, line.moderation_reason.as_deref()))
    }),
    Column::plain("Partner", |line, _| Cell::text(&line.partner)),
    Column::outside("Customer", |line, _| Cell::text(line.customer.as_deref().unwrap_or("none"))),
    Column::plain("Card", |line, _| {
        line.card.as_ref().map_or_else(|| Cell::text("none"), |card| Cell::Card(CardPart::from(card)))
    }),
    Column::money("Amount", |line, at| at.amount(line.amount, line.currency)),
    Column::money("Paid", |line, at| at.amount(line.amount_processed, line.currency)),
];

impl List for Requests {
    type Line = RequestLine;
    type Search = (RequestSearch, Span);
    const SECTION: Section = Section::Requests;
    const PATH: &'static str = "requests";
    const SAID: Said = Said {
        title: "Payout requests",
        intro: Some("A reference, a card or an amount is looked for among all requests, whichever are chosen."),
        caption: "Newest first",
        order: Order::NewestFirst,
        nothing_yet: "There is no payout request in {mode} mode yet. One appears here when an offer is accepted.",
        nothing_fits: "No payout request in {mode} mode fits. References are compared exactly.",
    };
    const COLUMNS: &'static [Column<RequestLine>] = COLUMNS;

    async fn search(_: &Source, _: Mode, form: &mut Form) -> Result<(RequestSearch, Span), PageError> {
        let reference = form.text("reference", "Reference, or payout request id");
        let last_four = form.last_four();
        let amount = form.amount("Amount");
        let group = form.choice("group", "Which", GROUPS)?;
        // The one that names the fewest counts.
        let search = match (reference, last_four, amount) {
            (Some(text), ..) => text.parse().map_or_else(|_| RequestSearch::Reference(text), RequestSearch::Id),
            (None, Some(last_four), _) => RequestSearch::LastFour(last_four),
            (None, None, Some(amount)) => RequestSearch::Amount(amount),
            (None, None, None) => RequestSearch::Group(group),
        };
        Ok((search, form.span()))
    }

    async fn lines(
        source: &Source,
        wanted: Wanted<'_, (RequestSearch, Span)>,
    ) -> Result<Lines<RequestLine>, PageError> {
        let (search, span) = wanted.search;
        Ok(source.desk.requests(wanted.mode, search, *span, wanted.after()?, wanted.lines_max).await?.into())
    }
}
