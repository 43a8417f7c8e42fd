//! The list of offers, with its search.

use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::error::PageError;
use super::frame::Section;
use super::list::{Field, FieldKind, Form, Listed, Lists, Nothing};
use super::parts::CardPart;
use super::query::{CARD_NUMBER_TYPED, Typed, after_text, parse_after, typed};
use super::words;
use crate::domain::asset::Assets;
use crate::domain::ids::Mode;
use crate::domain::offer::OfferStatus;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, OfferLine, OfferSearch, Page};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    offer: Option<String>,
    customer: Option<String>,
    last_four: Option<String>,
    amount: Option<String>,
    status: Option<String>,
    from: Option<String>,
    until: Option<String>,
    after: Option<String>,
}

impl Lists for Query {
    const SECTION: Section = Section::Offers;
    const PATH: &'static str = "offers";
    const READS: Role = Role::Viewer;

    fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    fn set_after(&mut self, after: String) {
        self.after = Some(after);
    }

    async fn read(&self, desk: &Desk, mode: Mode, lines_max: usize) -> Result<Listed, PageError> {
        let after = parse_after(self.after())?;
        let (form, search) = read(self);
        let found = match search {
            Some(search) => desk.offers(mode, &search, after, lines_max).await?,
            None => Page { lines: Vec::new(), next: None },
        };
        Ok(Listed {
            title: "Offers",
            intro: None,
            form,
            caption: "Newest first",
            table: table(&found.lines, mode, desk.assets()),
            next: found.next.as_ref().map(after_text),
            nothing: Nothing {
                yet: format!(
                    "There is no offer in {mode} mode yet. They appear here as soon as a wallet asks for one."
                ),
                fits: format!(
                    "No offer in {mode} mode fits. References are compared exactly; an offer's id names it without its partner; \
                     amounts are what was spent, of offers that were accepted."
                ),
            },
        })
    }
}

/// What is looked for; `None` if something that was typed can't be.
fn read(query: &Query) -> (Form, Option<OfferSearch>) {
    let mut form = Form::default();
    let mut search = OfferSearch::default();
    let mut value = String::new();
    match typed(query.offer.as_deref()) {
        Typed::Nothing => {}
        Typed::Text(text) => {
            search.id = text.parse().ok();
            if search.id.is_none() {
                form.problems.push("An offer id has up to 16 digits and nothing else.");
            }
            value = text;
        }
        Typed::CardNumber => form.problems.push(CARD_NUMBER_TYPED),
        Typed::TooLong => form.problems.push("An offer id has up to 16 digits and nothing else."),
    }
    form.fields.push(Field { name: "offer", label: "Offer id", value, kind: FieldKind::Digits { chars_max: 16 } });
    search.customer = form.text("customer", "Customer reference", query.customer.as_deref());
    search.last_four = form.last_four(query.last_four.as_deref());
    search.amount = form.amount("Spent", query.amount.as_deref());
    let mut options = vec![(String::new(), "Any".to_owned())];
    options.extend(
        OfferStatus::ALL.map(|status| (status.as_str().to_owned(), words::offer_status(status).text.to_owned())),
    );
    match form.choice("status", "Status", options, query.status.as_deref()) {
        Ok(status) => search.status = status.parse().ok(),
        Err(_) => form.problems.push("There is no such status."),
    }
    search.span = form.span(query.from.as_deref(), query.until.as_deref());
    let search = form.problems.is_empty().then_some(search);
    (form, search)
}

/// Offers under each other: on their list, and wherever else some of them stand.
pub fn table(lines: &[OfferLine], mode: Mode, assets: &Assets) -> Table {
    let row = |line: &OfferLine| {
        [
            Cell::id_link(format!("/dashboard/{mode}/offers/{}/{}", line.partner, line.id), line.id),
            Cell::moment(line.quoted_at),
            Cell::Badge(words::offer_status(line.status)),
            Cell::text(&line.partner),
            Cell::text(&line.customer),
            Cell::Card(CardPart::from(&line.card)),
            Cell::amount(line.total, line.currency_from, assets),
            Cell::amount(line.amount_to, line.currency_to, assets),
        ]
    };
    let columns = [
        ("Offer", Kind::Plain),
        ("Priced", Kind::Plain),
        ("Status", Kind::Plain),
        ("Partner", Kind::Plain),
        ("Customer", Kind::Outside),
        ("Card", Kind::Plain),
        ("Total, with fees", Kind::Money),
        ("Arrives", Kind::Money),
    ];
    Table::new(columns, lines.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(field: fn(&mut Query) -> &mut Option<String>, text: &str) -> (Form, Option<OfferSearch>) {
        let mut query = Query::default();
        *field(&mut query) = Some(text.to_owned());
        read(&query)
    }

    #[test]
    fn more_of_a_card_than_its_last_four_is_neither_looked_for_nor_shown_again() {
        for text in ["4111111111111111", "4111 1111 1111 1111", "11111", "111a"] {
            let (form, search) = query(|query| &mut query.last_four, text);
            assert!(search.is_none() && form.is_empty() && !form.problems.is_empty(), "{text}");
        }
        let number = "4111 1111 1111 1111";
        for (form, search) in [query(|query| &mut query.offer, number), query(|query| &mut query.customer, number)] {
            assert!(search.is_none() && form.is_empty());
        }
        assert_eq!(query(|query| &mut query.last_four, "0001").1.unwrap().last_four.as_deref(), Some("0001"));
    }

    #[test]
    fn what_cannot_be_an_id_or_a_status_is_said_so() {
        assert!(query(|query| &mut query.offer, "abc").1.is_none());
        assert!(query(|query| &mut query.status, "nonsense").1.is_none());
        assert!(query(|query| &mut query.amount, "much").1.is_none());
        assert_eq!(read(&Query::default()).1, Some(OfferSearch::default()));
    }
}
