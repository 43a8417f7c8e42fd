//! One payout: what the provider was asked, what it answered, every reference, and each inquiry, with nothing secret in any of it.

use actix_web::{HttpResponse, web};

use super::cell::{Cell, Kind, Table};
use super::detail::{Body, Detail};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, CardPart, html};
use super::visitor::Visitor;
use super::{story, words};
use crate::domain::asset::Assets;
use crate::domain::payout::PayoutStatus;
use crate::staff::desk::Desk;
use crate::staff::lists::PayoutPage;

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let read = desk.payout(mode, &partner, id).await?.ok_or(PageError::NotFound)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Payouts);
    Ok(html(HttpResponse::Ok(), &view(frame, &partner, &read, desk.assets()))?)
}

fn view(frame: Frame, partner: &str, read: &PayoutPage, assets: &Assets) -> Detail {
    let (row, payout, mode) = (&read.row, &read.payout, frame.mode);
    let money = |amount| Cell::amount(amount, payout.currency, assets);
    let request_href = format!("/dashboard/{mode}/requests/{partner}/{}", row.request_id);
    let mut page = Detail::new(frame, format!("Payout {}", payout.provider_reference));
    page.crumb = Some((format!("/dashboard/{mode}/payouts"), "Payouts"));
    page.badge = Some(words::payout_status(payout.status));
    page.in_short = Some(in_short(read, assets));
    let card = read.card.as_ref().map_or(Cell::Empty, |card| Cell::Card(CardPart::from(card)));
    page.facts(
        "asked",
        "What the provider was asked",
        [
            ("Payout request", Cell::link(request_href, &row.reference_id)),
            (
                "Part and attempt",
                Cell::text(format!("part {}, attempt {}", payout.part.saturating_add(1), payout.attempt)),
            ),
            ("Provider", Cell::text(&payout.provider)),
            ("Provider account", Cell::text(&row.account)),
            ("Over", Cell::text(format!("{}, from {}", payout.route, payout.deposit))),
            ("Amount", money(payout.amount)),
            ("To the card", card),
            ("Customer", Cell::maybe(read.customer.as_ref())),
            ("Our reference", Cell::id(&payout.provider_reference)),
            ("Our id", Cell::id(payout.id)),
            ("Started", Cell::moment(payout.created_at)),
            ("Sends", Cell::text(payout.sends.to_string())),
        ],
    );
    page.facts(
        "answered",
        "What it answered",
        [
            ("Provider's id", Cell::maybe_code(payout.provider_original_id.as_ref())),
            ("RRN", Cell::maybe_code(payout.rrn.as_ref())),
            ("ARN", Cell::maybe_code(payout.arn.as_ref())),
            ("Provider's code", Cell::maybe_code(payout.provider_code.as_ref())),
            ("Provider's words", Cell::maybe(payout.provider_message.as_ref())),
            ("Outcome", Cell::maybe(payout.resolution.map(words::resolution))),
            ("Paid", money(payout.amount_processed)),
            ("Came back", money(payout.amount_returned)),
            ("Cost", if payout.status == PayoutStatus::Failed { Cell::Empty } else { money(payout.cost) }),
            ("Inquiries", Cell::text(payout.inquiries.to_string())),
            ("Ended", Cell::maybe_moment(payout.final_at)),
        ],
    );
    let exchanges: Vec<_> = read
        .events
        .iter()
        .map(|event| {
            [
                Cell::moment(event.at),
                Cell::text(words::event(&event.kind, &event.data, payout.currency, assets)),
                Cell::data("As it was noted", &event.data),
            ]
        })
        .collect();
    let columns = [("At", Kind::Plain), ("What was said", Kind::Outside), ("Data", Kind::Plain)];
    page.table(
        "exchanges",
        "Each exchange with the provider",
        "In order; card numbers, names and keys are never noted",
        Table::new(columns, exchanges),
        "What was said is forgotten after its time, or nothing was sent yet.",
    );
    if !read.events.is_empty() {
        let story = read.events.iter().map(|event| story::of_event(event, payout.currency, assets)).collect();
        page.section("events", "What happened", Body::Story(story));
    }
    page
}

/// Where the money is, in a sentence.
fn in_short(read: &PayoutPage, assets: &Assets) -> String {
    let payout = &read.payout;
    let money = |amount| Amount::of(amount, payout.currency, assets).text();
    let because = payout.resolution.map_or("the reason isn't known", words::resolution);
    match payout.status {
        PayoutStatus::Created => format!("{} is reserved and wasn't sent yet.", money(payout.amount)),
        PayoutStatus::Invoking => format!("{} is being sent.", money(payout.amount)),
        PayoutStatus::Pending => format!("The provider took {} and hasn't finished.", money(payout.amount)),
        PayoutStatus::Unknown => {
            format!("Whether {} was paid isn't known: the provider is asked again and again.", money(payout.amount))
        }
        PayoutStatus::Processed => format!("The provider paid {}.", money(payout.amount_processed)),
        PayoutStatus::Failed => format!("Nothing was paid here: {because}."),
        PayoutStatus::Canceled => "It was never sent.".to_owned(),
        PayoutStatus::Returned => format!(
            "The provider paid {}, and {} came back.",
            money(payout.amount_processed),
            money(payout.amount_returned)
        ),
        PayoutStatus::LateProcessed => {
            format!(
                "The provider paid {} after it counted as failed: a person has to look.",
                money(payout.amount_processed)
            )
        }
    }
}
