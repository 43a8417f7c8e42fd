//! Webhooks: the list of every partner's endpoints, and one of them with what was told there.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::cell::{At, Cell, Column, Table};
use super::detail::{Action, Body, Detail};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::{Badge, Tone, html, outside};
use super::visitor::{Visitor, check_form, whence};
use crate::domain::ids::{Mode, WebhookEndpointId};
use crate::gateway::webhooks::{Attempt, Delivery};
use crate::staff::desk::Desk;
use crate::staff::manage::{Done, MANAGES};
use crate::staff::webhooks::{EndpointLine, WebhookDeed, WebhookEndpoint};

pub struct Endpoints;

fn state(line: &EndpointLine) -> Badge {
    match (line.disabled_why.as_deref(), line.failing_since) {
        (Some("asked"), _) => Badge::new(Tone::Neutral, "Switched off"),
        (Some("gone"), _) => Badge::new(Tone::Bad, "Switched off: it answered that it is gone"),
        (Some(_), _) => Badge::new(Tone::Bad, "Switched off: nothing arrived for days"),
        (None, Some(_)) => Badge::new(Tone::Bad, "Nothing arrives"),
        (None, None) => Badge::new(Tone::Good, "On"),
    }
}

fn delivery_state(delivery: &Delivery) -> Badge {
    match (delivery.state.as_str(), delivery.attempts) {
        ("delivered", _) => Badge::new(Tone::Good, "Told"),
        ("failed", _) => Badge::new(Tone::Bad, "Given up"),
        (_, 0) => Badge::new(Tone::Neutral, "Not tried yet"),
        (_, _) => Badge::new(Tone::Open, "Tried, and tried again"),
    }
}

fn address(line: &EndpointLine) -> String {
    line.url.clone().unwrap_or_else(|| "what payout requests name".to_owned())
}

fn wanted(line: &EndpointLine) -> String {
    if line.types.is_empty() { "everything".to_owned() } else { line.types.join(", ") }
}

impl List for Endpoints {
    type Line = EndpointLine;
    type Search = ();
    const SECTION: Section = Section::Webhooks;
    const PATH: &'static str = "webhooks";
    const SAID: Said = Said {
        title: "Webhooks",
        intro: Some("Where partners are told what happens to their payouts. Partners keep their endpoints by the API."),
        caption: "Those that were made last stand first",
        order: Order::NewestFirst,
        nothing_yet: "No partner is told of anything in {mode} mode yet. An endpoint is made by POST /v1/webhook-endpoints.",
        nothing_fits: "",
    };
    const COLUMNS: &'static [Column<EndpointLine>] = &[
        Column::outside("Address", |line, at| {
            let href = at.href(format_args!("webhooks/{}/{}", line.partner, line.id));
            Cell::link(href, address(line)).with_small(&line.description)
        }),
        Column::plain("Partner", |line, _| Cell::text(&line.partner)),
        Column::plain("State", |line, _| Cell::Badge(state(line))),
        Column::number("Waiting", |line, _| Cell::text(line.waiting.to_string())),
        Column::plain("Nothing arrives since", |line, _| Cell::maybe_moment(line.failing_since)),
        Column::plain("Hears of", |line, _| Cell::text(wanted(line))),
        Column::outside("Made by", |line, _| Cell::text(&line.created_by)),
        Column::plain("Made", |line, _| Cell::moment(line.created_at)),
    ];

    async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<EndpointLine>, PageError> {
        Ok(source.desk.webhook_endpoints(wanted.mode, wanted.after()?, wanted.lines_max).await?.into())
    }
}

/// A delivery, with the partner whose part of the addresses it stands in.
struct Told {
    partner: String,
    delivery: Delivery,
}

const DELIVERIES: &[Column<Told>] = &[
    Column::plain("Message", |told, at| {
        let (endpoint, message) = (told.delivery.endpoint_id, told.delivery.message_id);
        let href = at.href(format_args!("webhooks/{}/{endpoint}?message={message}", told.partner));
        Cell::link(href, &told.delivery.kind)
    }),
    Column::plain("State", |told, _| Cell::Badge(delivery_state(&told.delivery))),
    Column::number("Tries", |told, _| Cell::text(told.delivery.attempts.to_string())),
    Column::plain("Last answer", |told, _| {
        let status = told.delivery.last_status.map(|status| status.to_string());
        Cell::maybe(told.delivery.last_error.clone().or(status))
    }),
    Column::plain("Next try", |told, _| Cell::maybe_moment(told.delivery.due_at)),
    Column::plain("Payout request", |told, at| match told.delivery.request_id {
        Some(id) => Cell::id_link(at.href(format_args!("requests/{}/{id}", told.partner)), id),
        None => Cell::Empty,
    }),
    Column::plain("Happened", |told, _| Cell::moment(told.delivery.created_at)),
];

const TRIES: &[Column<Attempt>] = &[
    Column::number("Try", |tried, _| Cell::text(tried.n.to_string())),
    Column::plain("Sent", |tried, _| Cell::moment(tried.at)),
    Column::number("Took", |tried, _| Cell::text(format!("{} ms", tried.took_ms))),
    Column::plain("Answered", |tried, _| Cell::maybe(tried.status.map(|status| status.to_string()))),
    Column::plain("Why it doesn't count", |tried, _| Cell::maybe(tried.error.as_ref())),
];

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
    /// A message whose tries are shown.
    message: Option<String>,
    /// Only deliveries in that state.
    state: Option<String>,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let mut page = view(&visitor, &desk, &path, &query).await?;
    match query.done.as_deref() {
        Some("enable") => page.notice(true, "It is on: what still waits goes out now."),
        Some("disable") => page.notice(true, "It is off: nothing is sent there."),
        Some("resend") => page.notice(true, "The message goes out once more."),
        _ => &mut page,
    };
    Ok(html(HttpResponse::Ok(), &page)?)
}

async fn view(
    visitor: &Visitor,
    desk: &Desk,
    (mode, partner, id): &(String, String, String),
    query: &Query,
) -> Result<Detail, PageError> {
    let mode = served(desk, mode)?;
    let id: WebhookEndpointId = id.parse().map_err(|_| PageError::NotFound)?;
    let state_wanted = query.state.clone().filter(|state| ["pending", "delivered", "failed"].contains(&state.as_str()));
    let found = desk.webhook_endpoint(mode, partner, id, state_wanted).await?.ok_or(PageError::NotFound)?;
    let WebhookEndpoint { line, deliveries } = found;
    let at = At { mode, assets: desk.assets() };
    let may_manage = visitor.0.owner.role >= MANAGES;
    let why_not = || (!may_manage).then(|| format!("A role of {MANAGES} or above does this."));
    let mut page = Detail::new(Frame::new(visitor, desk, mode, Section::Webhooks), outside(&address(&line)));
    page.crumb = Some((format!("/dashboard/{mode}/webhooks"), "Webhooks"));
    page.badge = Some(state(&line));
    page.facts(
        "endpoint",
        "The endpoint",
        [
            ("Partner", Cell::text(&line.partner)),
            ("Id", Cell::id(line.id)),
            ("Description", Cell::text(&line.description)),
            ("Hears of", Cell::text(wanted(&line))),
            ("Waiting", Cell::text(line.waiting.to_string())),
            ("Nothing arrives since", Cell::maybe_moment(line.failing_since)),
            ("Switched off", Cell::maybe_moment(line.disabled_at)),
            ("Made by", Cell::text(&line.created_by)),
            ("Made", Cell::moment(line.created_at)),
        ],
    );
    if let Some(message) = query.message.as_deref().and_then(|text| text.parse().ok())
        && let Some((delivery, tries)) = desk.webhook_delivery(mode, &line, message).await?
    {
        let caption = format!("{} of {}", delivery.kind, delivery.message_id);
        let empty = "It wasn't tried yet.";
        page.table("tries", "The message's tries", caption, Table::of(TRIES, &tries, at), empty);
        let mut action =
            deed(&line, mode, "resend", "It goes out at once, with the same body and id.", "Tell it again");
        action.hidden.push(("message", message.to_string()));
        action.why_not = why_not();
        page.section("resend", "Tell it again", Body::Action(action));
    }
    let told: Vec<Told> =
        deliveries.into_iter().map(|delivery| Told { partner: line.partner.clone(), delivery }).collect();
    let empty = "Nothing was told there yet.";
    page.table("told", "What was told", "Newest first, fifty at most", Table::of(DELIVERIES, &told, at), empty);
    let (name, hint, button) = match line.disabled_at {
        Some(_) => {
            ("enable", "What still waits goes out; what happened meanwhile the partner replays.", "Switch it on")
        }
        None => ("disable", "Nothing is sent there any more. What waits stays.", "Switch it off"),
    };
    let mut switch = deed(&line, mode, name, hint, button);
    switch.why_not = why_not();
    page.section("switch", "Switch", Body::Action(switch));
    Ok(page)
}

fn deed(line: &EndpointLine, mode: Mode, name: &str, hint: &str, button: &str) -> Action {
    Action {
        href: format!("/dashboard/{mode}/webhooks/{}/{}/do", line.partner, line.id),
        hint: hint.to_owned(),
        hidden: vec![("deed", name.to_owned())],
        inputs: Vec::new(),
        button: button.to_owned(),
        why_not: None,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Typed {
    form_token: String,
    deed: String,
    message: String,
}

pub async fn submit(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    path: web::Path<(String, String, String)>,
    typed: web::Form<Typed>,
) -> Result<HttpResponse, PageError> {
    check_form(&visitor, &typed.form_token)?;
    visitor.needs(MANAGES)?;
    let mode = served(&desk, &path.0)?;
    let id: WebhookEndpointId = path.2.parse().map_err(|_| PageError::NotFound)?;
    let deed = match typed.deed.as_str() {
        "enable" => WebhookDeed::Enable,
        "disable" => WebhookDeed::Disable,
        "resend" => WebhookDeed::Resend(typed.message.parse().map_err(|_| PageError::NotFound)?),
        _ => return Err(PageError::NotFound),
    };
    let origin = whence(&http).origin();
    match desk.do_to_webhook(&visitor.0.owner, origin, (mode, &path.1), id, deed).await? {
        Done::Done | Done::Waits(_) => {
            let location = format!("/dashboard/{mode}/webhooks/{}/{id}?done={}", path.1, typed.deed);
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish())
        }
        Done::Refused(problem) => {
            let mut page = view(&visitor, &desk, &path, &Query::default()).await?;
            page.notice(false, format!("Nothing was done. {problem}"));
            Ok(html(HttpResponse::UnprocessableEntity(), &page)?)
        }
    }
}
