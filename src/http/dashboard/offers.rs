//! The list of offers, with its search.

use super::cell::{Cell, Column};
use super::error::PageError;
use super::form::{FieldKind, Form};
use super::frame::Section;
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::CardPart;
use super::words;
use crate::domain::ids::Mode;
use crate::domain::offer::OfferStatus;
use crate::staff::desk::{OfferLine, OfferSearch};

pub struct Offers;

/// Offers under each other: on their list, and wherever else some of them stand.
pub const COLUMNS: &[Column<OfferLine>] = &[
    Column::plain("Offer", |line, at| {
        Cell::id_link(at.href(format_args!("offers/{}/{}", line.partner, line.id)), line.id)
    }),
    Column::plain("Priced", |line, _| Cell::moment(line.quoted_at)),
    Column::plain("Status", |line, _| Cell::Badge(words::offer_status(line.status))),
    Column::plain("Partner", |line, _| Cell::text(&line.partner)),
    Column::outside("Customer", |line, _| Cell::text(&line.customer)),
    Column::plain("Card", |line, _| Cell::Card(CardPart::from(&line.card))),
    Column::money("Total, with fees", |line, at| at.amount(line.total, line.currency_from)),
    Column::money("Arrives", |line, at| at.amount(line.amount_to, line.currency_to)),
];

impl List for Offers {
    type Line = OfferLine;
    type Search = OfferSearch;
    const SECTION: Section = Section::Offers;
    const PATH: &'static str = "offers";
    const SAID: Said = Said {
        title: "Offers",
        intro: None,
        caption: "Newest first",
        order: Order::NewestFirst,
        nothing_yet: "There is no offer in {mode} mode yet. They appear here as soon as a wallet asks for one.",
        nothing_fits: "No offer in {mode} mode fits. References are compared exactly; an offer's id names it without its partner; \
                       amounts are what was spent, of offers that were accepted.",
    };
    const COLUMNS: &'static [Column<OfferLine>] = COLUMNS;

    async fn search(_: &Source, _: Mode, form: &mut Form) -> Result<OfferSearch, PageError> {
        Ok(read(form))
    }

    async fn lines(source: &Source, wanted: Wanted<'_, OfferSearch>) -> Result<Lines<OfferLine>, PageError> {
        Ok(source.desk.offers(wanted.mode, wanted.search, wanted.after()?, wanted.lines_max).await?.into())
    }
}

fn read(form: &mut Form) -> OfferSearch {
    let digits = FieldKind::Digits { chars_max: 16 };
    let problem = "An offer id has up to 16 digits and nothing else.";
    let id = form.read(("offer", "Offer id", digits), problem, |text| text.parse().ok());
    let customer = form.text("customer", "Customer reference");
    let last_four = form.last_four();
    let amount = form.amount("Spent");
    let any = [(String::new(), "Any", None)];
    let each =
        OfferStatus::ALL.map(|status| (status.as_str().to_owned(), words::offer_status(status).text, Some(status)));
    let status = form.choice("status", "Status", any.into_iter().chain(each));
    let status = status.unwrap_or_else(|_| {
        form.problems.push("There is no such status.");
        None
    });
    OfferSearch { id, customer, last_four, amount, status, span: form.span() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_for_is_said_so() {
        for (name, text) in [
            ("offer", "abc"),
            ("offer", "4111 1111 1111 1111"),
            ("status", "nonsense"),
            ("amount", "much"),
            ("customer", "4111 1111 1111 1111"),
        ] {
            let mut form = Form::of([(name.to_owned(), text.to_owned())].into());
            read(&mut form);
            assert!(form.is_empty() && form.problems.len() == 1, "{name}={text}");
        }
        let mut form = Form::default();
        assert_eq!(read(&mut form), OfferSearch::default());
        assert!(form.problems.is_empty());
    }
}
