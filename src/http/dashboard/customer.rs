//! One customer: KYC level, what they have used of their limits and what is left, cards, balances, the block list, offers, ledger.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::cell::{At, Cell, Kind, Table};
use super::detail::{Action, Body, Detail};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Badge, CardPart, Tone, html};
use super::query::{after_text, parse_after};
use super::visitor::{Visitor, check_form, whence};
use super::{customers, offers, words};
use crate::domain::asset::Assets;
use crate::domain::limit::Period;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, MaskedCard, PAGE_LINES};
use crate::staff::lists::{CardRow, CustomerPage, LimitLine};
use crate::staff::manage::{Done, MANAGES};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    after: Option<String>,
    done: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    reason: String,
    /// The entry of the block list that is to be taken off; empty: the customer is to be put on it.
    entry: String,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let after = parse_after(query.after.as_deref())?;
    let read = desk.customer(mode, &partner, id, after, PAGE_LINES).await?.ok_or(PageError::NotFound)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Customers);
    let mut page = view(frame, &partner, &read, desk.assets());
    if query.done.is_some() {
        page.notice(true, "Done. It counts from now on, also for offers that are open.");
    }
    Ok(html(HttpResponse::Ok(), &page)?)
}

/// Blocks a customer, or lets them pay again.
pub async fn block(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String, String)>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &typed.form_token)?;
    visitor.needs(MANAGES)?;
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let read = desk.customer(mode, &partner, id, None, PAGE_LINES).await?.ok_or(PageError::NotFound)?;
    let entry = typed.entry.trim();
    let taken_off = if entry.is_empty() { None } else { Some(entry.parse().map_err(|_| PageError::NotFound)?) };
    let origin = whence(&http).origin();
    match desk.block_customer(&visitor.0.owner, origin, mode, &read.row, taken_off, &typed.reason).await? {
        Done::Refused(problem) => {
            let frame = Frame::new(&visitor, &desk, mode, Section::Customers);
            let mut page = view(frame, &partner, &read, desk.assets());
            page.notice(false, format!("Nothing was done. {problem}"));
            Ok(html(HttpResponse::UnprocessableEntity(), &page)?)
        }
        Done::Done | Done::Waits(_) => {
            let location = format!("/dashboard/{mode}/customers/{partner}/{id}?done=yes");
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
        }
    }
}

fn view(frame: Frame, partner: &str, read: &CustomerPage, assets: &Assets) -> Detail {
    let (row, mode) = (&read.row, frame.mode);
    let may_manage = frame.is_operator;
    let mut page = Detail::new(frame, format!("Customer {}", super::parts::outside(&row.reference)));
    page.crumb = Some((format!("/dashboard/{mode}/customers"), "Customers"));
    page.badge = Some(customers::standing(row));
    page.in_short = Some(in_short(read));
    page.facts(
        "who",
        "Who",
        [
            ("Partner", Cell::text(format!("{} ({partner})", row.partner_name))),
            ("Partner's reference", Cell::code(&row.reference)),
            ("Our id", Cell::id(row.id)),
            ("Name", Cell::maybe(row.name.as_ref())),
            ("E-mail", Cell::maybe(row.email.as_ref())),
            ("Country", Cell::maybe(row.country.as_ref())),
            ("KYC level, by the record", Cell::text(row.kyc_level.to_string())),
            ("Blocked since", Cell::maybe_moment(row.blocked_at)),
            ("Requests that were paid", Cell::text(row.paid_count.to_string())),
            ("Requests that were not", Cell::text(row.failed_count.to_string())),
            ("Known since", Cell::moment(row.created_at)),
        ],
    );
    let balances = read.balances.iter().map(|(currency, (available, held))| {
        [
            Cell::text(currency.to_string()),
            Cell::amount(*available, *currency, assets),
            Cell::amount(*held, *currency, assets),
        ]
    });
    let columns = [("Currency", Kind::Plain), ("Can be spent", Kind::Money), ("Held by offers", Kind::Money)];
    let empty = "This customer never had a balance here.";
    page.table("balances", "Balances", "Now", Table::new(columns, balances.collect()), empty);
    let limits = read.limits.iter().map(|line| limit(line, read, assets));
    let columns = [
        ("Of", Kind::Plain),
        ("In", Kind::Plain),
        ("Used", Kind::Money),
        ("Limit", Kind::Money),
        ("Left", Kind::Money),
    ];
    let caption = "Rolling, ending now; a token of the wallet may vouch for a higher KYC level than the record has";
    page.table("limits", "Limits", caption, Table::new(columns, limits.collect()), "No limit is kept.");
    let cards = read.cards.iter().map(card);
    let columns = [("Card", Kind::Plain), ("Expires", Kind::Plain), ("Standing", Kind::Plain), ("Added", Kind::Plain)];
    page.table("cards", "Cards", "Deleted ones last", Table::new(columns, cards.collect()), "There is no card.");
    let blocks = read.blocks.iter().map(|block| {
        [
            Cell::text(format!("{} {}", block.kind, block.value)),
            Cell::text(if block.by_house { "for every partner" } else { "for this partner" }),
            Cell::text(&block.reason),
            Cell::text(&block.added_by),
            Cell::moment(block.starts_at),
            Cell::maybe_moment(block.ends_at),
        ]
    });
    let columns = [
        ("What is listed", Kind::Outside),
        ("For whom", Kind::Plain),
        ("Why", Kind::Outside),
        ("By", Kind::Outside),
        ("From", Kind::Plain),
        ("Until", Kind::Plain),
    ];
    let empty = "Neither the customer nor one of their cards is on the block list.";
    page.table("blocks", "Block list", "What stands", Table::new(columns, blocks.collect()), empty);
    let empty = "This customer never asked for an offer.";
    page.table("offers", "Offers", "The newest", Table::of(offers::COLUMNS, &read.offers, At { mode, assets }), empty);
    let entries = read.entries.lines.iter().map(|line| {
        [
            Cell::text(words::entry(&line.kind)),
            Cell::moment(line.created_at),
            Cell::code(&line.reference),
            Cell::amount(line.available, line.asset, assets),
            Cell::amount(line.held, line.asset, assets),
        ]
    });
    let columns = [
        ("What", Kind::Plain),
        ("At", Kind::Plain),
        ("For", Kind::Outside),
        ("Can be spent", Kind::Money),
        ("Held", Kind::Money),
    ];
    let caption = "What moved the balances, newest first";
    page.table("ledger", "Ledger", caption, Table::new(columns, entries.collect()), "Nothing is booked.");
    page.older = read.entries.next.as_ref().map(after_text);
    let own = read.blocks.iter().find(|block| !block.by_house && block.kind == "customer");
    let (hint, button) = match own {
        None => (
            "Nothing more is paid out to a customer who is on the list; what was sent already goes on.",
            "Block the customer",
        ),
        Some(_) => ("The customer may ask for offers and be paid again.", "Take the customer off the block list"),
    };
    let href = format!("/dashboard/{mode}/customers/{partner}/{}/block", row.id);
    let mut action = Action::with_reason(href, hint, button);
    action.hidden.push(("entry", own.map(|block| block.id.to_string()).unwrap_or_default()));
    action.why_not = (!may_manage).then(|| format!("{} or above does this.", capital(MANAGES)));
    page.section("block", button, Body::Action(action));
    page
}

fn capital(role: Role) -> &'static str {
    match role {
        Role::Viewer => "A viewer",
        Role::Support => "Support",
        Role::Operator => "An operator",
        Role::Admin => "An admin",
    }
}

fn in_short(read: &CustomerPage) -> String {
    match (read.row.blocked_at, read.may_pay, read.blocks.is_empty()) {
        (Some(_), ..) => "The customer is blocked: nothing is paid out to them.".to_owned(),
        (None, _, false) => "The customer or one of their cards is on the block list.".to_owned(),
        (None, false, true) => {
            format!("At KYC level {}, which the record has, nothing may be paid out.", read.row.kyc_level)
        }
        (None, true, true) => "Nothing stands against paying this customer, as far as their record goes.".to_owned(),
    }
}

fn limit(line: &LimitLine, read: &CustomerPage, assets: &Assets) -> [Cell; 5] {
    let money = |amount| Cell::amount(amount, read.reference_currency, assets);
    let of = match line.card.and_then(|id| read.cards.iter().find(|card| card.id == id)) {
        Some(card) => Cell::Card(masked(card)),
        None => Cell::text("The customer"),
    };
    let period = match line.period {
        Period::Day => "24 hours",
        Period::Month => "30 days",
        Period::Year => "365 days",
    };
    [
        of,
        Cell::text(period),
        money(line.used),
        line.limit.map_or_else(|| Cell::text("none"), money),
        line.left.map_or_else(|| Cell::text("no limit"), money),
    ]
}

fn masked(card: &CardRow) -> CardPart {
    CardPart::from(&MaskedCard {
        scheme: card.scheme,
        first_four: card.first_four.clone(),
        last_four: card.last_four.clone(),
    })
}

fn card(card: &CardRow) -> [Cell; 4] {
    let standing = match (card.hidden_at, card.destroyed_at, card.validation_status.as_str()) {
        (_, Some(_), _) => Badge::new(Tone::Neutral, "Deleted, number destroyed"),
        (Some(_), None, _) => Badge::new(Tone::Neutral, "Deleted by the customer"),
        (None, None, "approved") => Badge::new(Tone::Good, "Approved"),
        (None, None, "pending") => Badge::new(Tone::Open, "Being checked"),
        (None, None, _) => Badge::new(Tone::Bad, "Declined"),
    };
    [
        Cell::Card(masked(card)),
        Cell::text(format!("{:02}/{}", card.expiry_month, card.expiry_year)),
        Cell::Badge(standing),
        Cell::moment(card.created_at),
    ]
}
