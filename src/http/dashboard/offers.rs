//! The list of offers, with its search.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, CardPart, Moment, html, outside};
use super::query::{CARD_NUMBER_TYPED, Typed, after_text, parse_after, typed};
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::Assets;
use crate::domain::offer::OfferStatus;
use crate::staff::desk::{Desk, OfferLine, OfferSearch, Page};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    offer: Option<String>,
    customer: Option<String>,
    last_four: Option<String>,
    status: Option<String>,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "offers.html", config = "web/askama.toml")]
struct OffersPage {
    frame: Frame,
    form: Form,
    lines: Vec<LineView>,
    next: Option<String>,
    is_first: bool,
}

/// What is typed in the form, and what is wrong with it.
#[derive(Default)]
struct Form {
    offer: String,
    customer: String,
    last_four: String,
    status: String,
    problems: Vec<&'static str>,
    statuses: Vec<(&'static str, &'static str)>,
}

impl Form {
    fn is_empty(&self) -> bool {
        [&self.offer, &self.customer, &self.last_four, &self.status].iter().all(|text| text.is_empty())
    }
}

struct LineView {
    href: String,
    id: String,
    partner: String,
    customer: String,
    card: CardPart,
    status: Badge,
    amount: Amount,
    amount_to: Amount,
    quoted_at: Moment,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let after = parse_after(query.after.as_deref())?;
    let is_first = after.is_none();
    let (form, search) = read(&query);
    let found = match search {
        Some(search) => desk.offers(mode, &search, after).await?,
        None => Page { lines: Vec::new(), next: None },
    };
    let page = OffersPage {
        frame: Frame::new(&visitor, &desk, mode, Section::Offers),
        form,
        next: found.next.as_ref().map(after_text),
        lines: found.lines.iter().map(|line| line_view(line, mode.as_str(), desk.assets())).collect(),
        is_first,
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}

/// What is looked for; `None` if something that was typed can't be.
fn read(query: &Query) -> (Form, Option<OfferSearch>) {
    let mut form = Form {
        statuses: OfferStatus::ALL.map(|status| (status.as_str(), words::offer_status(status).text)).to_vec(),
        ..Form::default()
    };
    let mut search = OfferSearch::default();
    match typed(query.offer.as_deref()) {
        Typed::Nothing => {}
        Typed::Text(text) => {
            search.id = text.parse().ok();
            if search.id.is_none() {
                form.problems.push("An offer id has up to 16 digits and nothing else.");
            }
            form.offer = text;
        }
        Typed::CardNumber => form.problems.push(CARD_NUMBER_TYPED),
        Typed::TooLong => form.problems.push("An offer id has up to 16 digits and nothing else."),
    }
    match typed(query.customer.as_deref()) {
        Typed::Nothing => {}
        Typed::Text(text) => {
            form.customer.clone_from(&text);
            search.customer = Some(text);
        }
        Typed::CardNumber => form.problems.push(CARD_NUMBER_TYPED),
        Typed::TooLong => form.problems.push("A customer reference has up to 255 characters."),
    }
    match typed(query.last_four.as_deref()) {
        Typed::Nothing => {}
        Typed::Text(text) if text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) => {
            form.last_four.clone_from(&text);
            search.last_four = Some(text);
        }
        Typed::CardNumber => form.problems.push(CARD_NUMBER_TYPED),
        // Not shown again: it may be more of a card than anybody should see.
        Typed::Text(_) | Typed::TooLong => form.problems.push("Of a card, type the last four digits only."),
    }
    match query.status.as_deref().unwrap_or("") {
        "" => {}
        text => match text.parse::<OfferStatus>() {
            Ok(status) => {
                form.status = status.as_str().to_owned();
                search.status = Some(status);
            }
            Err(_) => form.problems.push("There is no such status."),
        },
    }
    let search = form.problems.is_empty().then_some(search);
    (form, search)
}

fn line_view(line: &OfferLine, mode: &str, assets: &Assets) -> LineView {
    LineView {
        href: format!("/dashboard/{mode}/offers/{}/{}", line.partner, line.id),
        id: line.id.to_string(),
        partner: line.partner.clone(),
        customer: outside(&line.customer),
        card: CardPart::from(&line.card),
        status: words::offer_status(line.status),
        amount: Amount::of(line.total, line.currency_from, assets),
        amount_to: Amount::of(line.amount_to, line.currency_to, assets),
        quoted_at: Moment::of(line.quoted_at),
    }
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
            assert!(search.is_none() && form.last_four.is_empty() && !form.problems.is_empty(), "{text}");
        }
        let number = "4111 1111 1111 1111";
        for (form, search) in [query(|query| &mut query.offer, number), query(|query| &mut query.customer, number)] {
            assert!(search.is_none() && form.offer.is_empty() && form.customer.is_empty());
        }
        assert_eq!(query(|query| &mut query.last_four, "0001").1.unwrap().last_four.as_deref(), Some("0001"));
    }

    #[test]
    fn what_cannot_be_an_id_or_a_status_is_said_so() {
        assert!(query(|query| &mut query.offer, "abc").1.is_none());
        assert!(query(|query| &mut query.status, "nonsense").1.is_none());
        assert_eq!(read(&Query::default()).1, Some(OfferSearch::default()));
    }
}
