//! The one search: whatever a customer or a provider reads out is recognised for what it is, looked for wherever it may stand, and led on to
//! the lists that have more of it. It is sent as a form, so that a card number that somebody pastes stands in no address, no log and no
//! history; what may stand there is led on to an address that can be kept.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::cell::{At, Table};
use super::detail::Detail;
use super::error::PageError;
use super::form::Form;
use super::frame::{Frame, Section, served};
use super::list::Asked;
use super::parts::html;
use super::query::{Typed, parse_amount, typed};
use super::visitor::{Visitor, check_form};
use super::{customers, offers, payouts, requests};
use crate::domain::card::Pan;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, OfferLine, OfferSearch, RequestLine, RequestSearch, Span};
use crate::staff::lists::{CustomerRow, CustomerSearch, PayoutRow, PayoutSearch};

/// How many of each are shown; their lists have more.
const SHOWN: usize = 10;
/// The least role that looks for a whole card number.
const LOOKS_FOR_NUMBERS: Role = Role::Support;

/// What was typed may be a card number: it is wiped, and never told.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Typing {
    form_token: String,
    q: String,
}

/// What a text may be. One may be several things: twelve digits are an RRN, an offer's id or an amount.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meant {
    offers: Vec<OfferSearch>,
    requests: Vec<RequestSearch>,
    payouts: Vec<PayoutSearch>,
    customers: Vec<CustomerSearch>,
    /// In words.
    taken_for: Vec<&'static str>,
}

#[derive(Default)]
struct Found {
    offers: Vec<OfferLine>,
    requests: Vec<RequestLine>,
    payouts: Vec<PayoutRow>,
    customers: Vec<CustomerRow>,
}

/// What a text may be, by how it looks.
fn recognise(text: &str) -> Meant {
    let mut meant = Meant::default();
    if let Ok(id) = text.parse() {
        meant.requests.push(RequestSearch::Id(id));
        meant.taken_for.push("a payout request's id");
        return meant;
    }
    if let Ok(id) = text.parse() {
        meant.payouts.push(PayoutSearch::Id(id));
        meant.taken_for.push("a payout's id");
        return meant;
    }
    if let Ok(id) = text.parse() {
        meant.customers.push(CustomerSearch::Id(id));
        meant.taken_for.push("a customer's id");
        return meant;
    }
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    if is_digits && text.len() == 4 {
        meant.offers.push(OfferSearch { last_four: Some(text.to_owned()), ..OfferSearch::default() });
        meant.requests.push(RequestSearch::LastFour(text.to_owned()));
        meant.taken_for.push("a card's last four digits");
    }
    if let Ok(id) = text.parse() {
        meant.offers.push(OfferSearch { id: Some(id), ..OfferSearch::default() });
        meant.taken_for.push("an offer's number");
    }
    if let Some((amount, _)) = parse_amount(text).filter(|_| !is_digits || text.len() <= 9) {
        meant.requests.push(RequestSearch::Amount(amount));
        meant.offers.push(OfferSearch { amount: Some(amount), ..OfferSearch::default() });
        meant.taken_for.push("an amount");
    }
    if text.contains('@') {
        meant.customers.push(CustomerSearch::Email(text.to_owned()));
        meant.taken_for.push("an e-mail address");
    }
    meant.requests.push(RequestSearch::Reference(text.to_owned()));
    meant.payouts.push(PayoutSearch::Called(text.to_owned()));
    meant.customers.push(CustomerSearch::Reference(text.to_owned()));
    meant.taken_for.push("a reference of a partner's, of ours or of a provider's, an RRN or an ARN");
    meant
}

async fn find(desk: &Desk, mode: Mode, meant: &Meant, span: Span) -> Result<Found, PageError> {
    let mut found = Found::default();
    for search in &meant.offers {
        let search = OfferSearch { span, ..search.clone() };
        found.offers.extend(desk.offers(mode, &search, None, SHOWN).await?.lines);
    }
    for search in &meant.requests {
        found.requests.extend(desk.requests(mode, search, span, None, SHOWN).await?.lines);
    }
    for search in &meant.payouts {
        found.payouts.extend(desk.payouts(mode, search, span, None, SHOWN).await?.lines);
    }
    for search in &meant.customers {
        found.customers.extend(desk.customers(mode, search, None, SHOWN).await?.lines);
    }
    // What a customer is called finds their offers too.
    for customer in found.customers.iter().take(3) {
        let reference = Some(customer.reference.clone());
        let search = OfferSearch { customer: reference, span, ..OfferSearch::default() };
        let of_them = desk.offers(mode, &search, None, SHOWN).await?.lines;
        found.offers.extend(of_them.into_iter().filter(|offer| offer.partner == customer.partner));
    }
    found.offers.sort_by_key(|line| (std::cmp::Reverse(line.quoted_at), line.id));
    found.offers.dedup_by_key(|line| (line.partner.clone(), line.id));
    found.requests.sort_by_key(|line| (std::cmp::Reverse(line.created_at), line.id));
    found.requests.dedup_by_key(|line| line.id);
    Ok(found)
}

/// What was found, for an address that can be kept.
pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    asked_for: Asked,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Search);
    let mut form = Form::of(asked_for.into_inner());
    let span = form.span();
    let text = match typed(form.asked("q")) {
        Typed::Text(text) if form.problems.is_empty() => text,
        Typed::Nothing => return asked(frame, "Type what the customer can read out: it is recognised."),
        Typed::CardNumber => {
            return asked(frame, "A card number goes into the search at the top, never into an address.");
        }
        Typed::Text(_) | Typed::TooLong => return asked(frame, "What is looked for has up to 255 characters."),
    };
    let meant = recognise(&text);
    let found = find(&desk, mode, &meant, span).await?;
    // An id names one thing: the way leads there.
    if let Some(location) = only(&meant, &found, mode) {
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish());
    }
    let title = format!("Found for {text}");
    Ok(html(HttpResponse::Ok(), &view(frame, title, Some(meant.taken_for.join("; ")), &found, &desk))?)
}

fn asked(frame: Frame, hint: &str) -> Result<HttpResponse, PageError> {
    let mut page = Detail::new(frame, "Search");
    page.notice(false, hint);
    Ok(html(HttpResponse::Ok(), &page)?)
}

fn only(meant: &Meant, found: &Found, mode: Mode) -> Option<String> {
    let is_id = meant.taken_for.len() == 1;
    let one = (found.offers.len(), found.requests.as_slice(), found.payouts.as_slice(), found.customers.as_slice());
    match one {
        (0, [request], [], []) if is_id => {
            Some(format!("/dashboard/{mode}/requests/{}/{}", request.partner, request.id))
        }
        (0, [], [payout], []) if is_id => Some(format!("/dashboard/{mode}/payouts/{}/{}", payout.partner, payout.id)),
        (_, [], [], [customer]) if is_id && matches!(meant.customers.as_slice(), [CustomerSearch::Id(_)]) => {
            Some(format!("/dashboard/{mode}/customers/{}/{}", customer.partner, customer.id))
        }
        _ => None,
    }
}

/// What was typed at the top of a page.
pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    typing: web::Form<Typing>,
) -> Result<HttpResponse, PageError> {
    let Typing { form_token, q } = typing.into_inner();
    let text = Zeroizing::new(q);
    check_form(&visitor, &form_token)?;
    let mode = served(&desk, &mode)?;
    match typed(Some(text.as_str())) {
        Typed::CardNumber => {}
        Typed::Text(text) => {
            let location = format!("/dashboard/{mode}/search?q={}", encoded(&text));
            return Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish());
        }
        Typed::Nothing | Typed::TooLong => {
            let location = format!("/dashboard/{mode}/search");
            return Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish());
        }
    }
    let frame = Frame::new(&visitor, &desk, mode, Section::Search);
    let Ok(pan) = Pan::parse(&text) else {
        return asked(
            frame,
            "This holds a card number and more. Paste the number alone, or search by its last four digits.",
        );
    };
    if visitor.0.owner.role < LOOKS_FOR_NUMBERS {
        return asked(
            frame,
            "This is a card number. Somebody of the role support or above can look for one; by its last four digits you can.",
        );
    }
    let (customers, requests) = desk.of_number(mode, &pan).await?;
    let title = format!("Found for the card that ends in {}", pan.last_four());
    let mut found = Found { customers, requests, ..Found::default() };
    for customer in found.customers.iter().take(3) {
        let search = OfferSearch {
            customer: Some(customer.reference.clone()),
            last_four: Some(pan.last_four().to_owned()),
            ..OfferSearch::default()
        };
        let of_them = desk.offers(mode, &search, None, SHOWN).await?.lines;
        found.offers.extend(of_them.into_iter().filter(|offer| offer.partner == customer.partner));
    }
    let taken_for = "a card number: it was looked for by its fingerprint, and is kept nowhere".to_owned();
    Ok(html(HttpResponse::Ok(), &view(frame, title, Some(taken_for), &found, &desk))?)
}

fn view(frame: Frame, title: String, taken_for: Option<String>, found: &Found, desk: &Desk) -> Detail {
    let mode = frame.mode;
    let at = At { mode, assets: desk.assets() };
    let mut page = Detail::new(frame, title);
    page.in_short = taken_for.map(|taken_for| format!("Taken for {taken_for}."));
    let tables: [(&'static str, &str, Table); 4] = [
        ("offers", "Offers", Table::of(offers::COLUMNS, &found.offers, at)),
        ("requests", "Payout requests", Table::of(requests::COLUMNS, &found.requests, at)),
        ("payouts", "Payouts", Table::of(payouts::COLUMNS, &found.payouts, at)),
        ("customers", "Customers", Table::of(customers::COLUMNS, &found.customers, at)),
    ];
    let is_empty = tables.iter().all(|(.., table)| table.rows.is_empty());
    for (id, name, table) in tables {
        if !table.rows.is_empty() {
            page.table(
                id,
                name,
                format!("The newest {SHOWN} at most; the list of {} finds more", name.to_lowercase()),
                table,
                "",
            );
        }
    }
    if is_empty {
        page.notice(
            false,
            format!(
                "Nothing in {mode} mode is called so. References are compared exactly, capital letters too. Ask for the offer's number, the \
                 card's last four digits, or the amount with the day."
            ),
        );
    }
    page
}

/// For an address.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{CustomerId, PayoutId, PayoutRequestId};

    #[test]
    fn what_is_read_out_is_recognised() {
        let taken = |text: &str| recognise(text).taken_for.join(", ");
        assert_eq!(taken(&PayoutRequestId::new().to_string()), "a payout request's id");
        assert_eq!(taken(&PayoutId::new().to_string()), "a payout's id");
        assert_eq!(taken(&CustomerId::new().to_string()), "a customer's id");
        let reference = "a reference of a partner's, of ours or of a provider's, an RRN or an ARN";
        assert_eq!(taken("invoice-7"), reference);
        assert_eq!(taken("ada@example.com"), format!("an e-mail address, {reference}"));
        assert_eq!(taken("91.11 EUR"), format!("an amount, {reference}"));
        assert_eq!(taken("603312345678"), format!("an offer's number, {reference}"));
        assert_eq!(taken("1111"), format!("a card's last four digits, an offer's number, an amount, {reference}"));
    }
}
