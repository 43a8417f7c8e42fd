//! What payouts run over: provider accounts with their health and breakers, deposit accounts with what is there, routes, payout points; and
//! switching them.

use actix_web::{HttpResponse, web};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::cell::{At, Cell, Column, Kind, Table};
use super::detail::{Body, Detail};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Said, Source, Wanted, file_of};
use super::parts::{Badge, Tone, html};
use super::visitor::Visitor;
use super::{switch, words};
use crate::domain::asset::Assets;
use crate::domain::ids::ProviderAccountId;
use crate::staff::books::{AccountRow, Accounts, DepositLine, PointLine, RouteLine};
use crate::staff::desk::Desk;

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let read = desk.accounts(mode).await?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Accounts);
    let mut page = view(frame, &read, desk.assets());
    match query.done.as_deref() {
        Some("done") => {
            page.notice(true, "Switched. Routing reads it anew.");
        }
        Some("waits") => {
            page.notice(true, "It waits for a second person, under Approvals.");
        }
        _ => {}
    }
    Ok(html(HttpResponse::Ok(), &page)?)
}

/// The page; also where something couldn't be switched.
pub fn view(frame: Frame, read: &Accounts, assets: &Assets) -> Detail {
    let (mode, may_manage) = (frame.mode, frame.is_operator);
    let at = At { mode, assets };
    let mut page = Detail::new(frame, "Accounts, routes and points");
    let short = read.deposits.iter().filter(|line| line.enabled && line.available <= Decimal::ZERO).count();
    let down =
        read.accounts.iter().filter(|line| line.enabled && (line.health == "unhealthy" || line.breaker != "closed"));
    let down = down.count();
    page.in_short = Some(match (down, short) {
        (0, 0) => "All that is switched on works, and has money.".to_owned(),
        (down, short) => {
            format!("{down} of the provider accounts need a look; {short} of the deposit accounts are empty.")
        }
    });
    let none = |what: &str| format!("There is no {what} in {mode} mode. Configuration or the API makes one.");
    page.table(
        "accounts",
        "Provider accounts",
        "By owner",
        Table::of(ACCOUNTS, &read.accounts, at),
        none("provider account"),
    );
    page.table(
        "deposits",
        "Deposit accounts",
        "By owner",
        Table::of(DEPOSITS, &read.deposits, at),
        none("deposit account"),
    );
    page.table(
        "routes",
        "Payout routes",
        "By service, in the order of their position",
        Table::of(ROUTES, &read.routes, at),
        none("route"),
    );
    page.table("points", "Payout points", "By partner", Table::of(POINTS, &read.points, at), none("payout point"));
    let name = |id: ProviderAccountId| {
        read.accounts.iter().find(|account| account.id == id).map_or("gone", |account| account.code.as_str())
    };
    let turnover = read.turnover.iter().map(|line| {
        [
            Cell::text(name(line.account_id)),
            Cell::text(format!("{} UTC", line.day)),
            Cell::amount(line.amount, line.currency, assets),
        ]
    });
    let columns = [("Provider account", Kind::Plain), ("Day", Kind::Plain), ("Asked of it", Kind::Money)];
    page.table(
        "turnover",
        "Turnover",
        "The last 14 days; what failed was given back",
        Table::new(columns, turnover.collect()),
        "Nothing was asked of any account.",
    );
    page.files = vec![
        ("provider-accounts", "Provider accounts"),
        ("deposit-accounts", "Deposit accounts"),
        ("routes", "Routes"),
        ("points", "Points"),
    ];
    page.section("switch", "Switch on or off", Body::Action(switch::action(mode, read, may_manage)));
    page
}

/// Whether something is switched on.
pub fn standing(enabled: bool) -> Badge {
    if enabled { Badge::new(Tone::Good, "On") } else { Badge::new(Tone::Neutral, "Switched off") }
}

fn on(enabled: bool) -> Cell {
    Cell::Badge(standing(enabled))
}

/// Who keeps a deposit account's balance.
pub fn told_by(balance_source: &str) -> &'static str {
    if balance_source == "books" { "our books" } else { "the provider" }
}

const ACCOUNTS: &[Column<AccountRow>] = &[
    Column::plain("Account", |row, _| Cell::text(&row.code)),
    Column::plain("Owner", |row, _| Cell::text(&row.partner)),
    Column::outside("Name", |row, _| Cell::maybe(row.name.as_ref())),
    Column::plain("Provider", |row, _| Cell::text(&row.provider)),
    Column::plain("State", |row, _| on(row.enabled)),
    Column::plain("Health", |row, _| {
        Cell::Badge(match row.health.as_str() {
            "healthy" => Badge::new(Tone::Good, "Healthy"),
            "unhealthy" => Badge::new(Tone::Bad, "Unhealthy"),
            _ => Badge::new(Tone::Open, "Not asked yet"),
        })
    }),
    Column::outside("What it said", |row, _| Cell::maybe(row.health_detail.as_ref())),
    Column::plain("Asked", |row, _| Cell::maybe_moment(row.health_checked_at)),
    Column::plain("Breaker", |row, _| {
        Cell::Badge(match row.breaker.as_str() {
            "closed" => Badge::new(Tone::Good, "Closed"),
            "open" => Badge::new(Tone::Bad, "Open: nothing is sent"),
            _ => Badge::new(Tone::Open, "Half open: a few are tried"),
        })
    }),
    Column::plain("Until", |row, _| Cell::maybe_moment(row.breaker_until)),
    Column::plain("Most a day", |row, _| Cell::text(limits(&row.turnover_limits))),
];

/// `{"EUR": "100000"}` as `100000 EUR`.
fn limits(limits: &Value) -> String {
    let told = |(currency, amount): (&String, &Value)| {
        let amount = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        format!("{amount} {currency}")
    };
    let told: Vec<String> = limits.as_object().into_iter().flatten().map(told).collect();
    if told.is_empty() { "no limit".to_owned() } else { told.join(", ") }
}

const DEPOSITS: &[Column<DepositLine>] = &[
    Column::plain("Deposit account", |row, at| {
        Cell::link(at.href(format_args!("deposit-accounts/{}/{}", row.partner, row.id)), &row.code)
    }),
    Column::plain("Owner", |row, _| Cell::text(&row.partner)),
    Column::outside("Name", |row, _| Cell::maybe(row.name.as_ref())),
    Column::plain("At", |row, _| Cell::text(&row.account)),
    Column::plain("State", |row, _| on(row.enabled)),
    Column::money("Balance", |row, at| at.amount(row.balance, row.currency)),
    Column::money("Reserved", |row, at| at.amount(row.reserved, row.currency)),
    Column::money("Available", |row, at| at.amount(row.available, row.currency)),
    Column::plain("Told by", |row, _| Cell::text(told_by(&row.balance_source))),
    Column::plain("Synced", |row, _| Cell::maybe_moment(row.synced_at)),
    Column::outside("What went wrong", |row, _| Cell::maybe(row.sync_error.as_ref())),
];

/// An amount of a route, in the currency of its service.
fn of_service(row: &RouteLine, amount: Option<Decimal>, at: At<'_>) -> Cell {
    match (amount, row.service_currency) {
        (Some(amount), Some(currency)) => at.amount(amount, currency),
        (Some(amount), None) => Cell::text(amount.to_string()),
        (None, _) => Cell::Empty,
    }
}

const ROUTES: &[Column<RouteLine>] = &[
    Column::plain("Route", |row, _| Cell::text(&row.code)),
    Column::plain("Owner", |row, _| Cell::text(&row.partner)),
    Column::outside("Name", |row, _| Cell::maybe(row.name.as_ref())),
    Column::plain("Service", |row, _| Cell::text(&row.service)),
    Column::plain("Pays from", |row, _| Cell::text(format!("{} at {}", row.deposit, row.account))),
    Column::plain("State", |row, _| on(row.enabled)),
    Column::money("Least", |row, at| of_service(row, row.amount_min, at)),
    Column::money("Most", |row, at| of_service(row, row.amount_max, at)),
    Column::number("Costs of the amount", |row, _| Cell::text(format!("{}\u{a0}%", row.cost_percent.normalize()))),
    Column::money("Costs besides", |row, at| of_service(row, Some(row.cost_fixed), at)),
    Column::number("Weight", |row, _| Cell::text(row.weight.to_string())),
];

const POINTS: &[Column<PointLine>] = &[
    Column::plain("Point", |row, _| Cell::text(&row.code)),
    Column::plain("Partner", |row, _| Cell::text(&row.partner)),
    Column::outside("Name", |row, _| Cell::text(&row.name)),
    Column::plain("Currencies", |row, _| {
        let currencies: Vec<String> = row.currencies.iter().map(ToString::to_string).collect();
        Cell::text(currencies.join(", "))
    }),
    Column::plain("State", |row, _| on(row.enabled)),
    Column::plain("Paid from", |row, _| Cell::text(words::funding(row.funding))),
    Column::plain("Payout scheme", |row, _| Cell::maybe(row.payout_scheme.as_ref())),
    Column::plain("Exchange-rate scheme", |row, _| Cell::maybe(row.exchange_scheme.as_ref())),
    Column::outside("Calls back", |row, _| Cell::maybe(row.callback_url.as_ref())),
];

file_of!(ProviderAccounts, Accounts, "provider-accounts", AccountRow, ACCOUNTS, |desk, mode| {
    desk.accounts(mode).await?.accounts
});
file_of!(DepositAccounts, Accounts, "deposit-accounts", DepositLine, DEPOSITS, |desk, mode| {
    desk.accounts(mode).await?.deposits
});
file_of!(Routes, Accounts, "routes", RouteLine, ROUTES, |desk, mode| desk.accounts(mode).await?.routes);
file_of!(Points, Accounts, "points", PointLine, POINTS, |desk, mode| desk.accounts(mode).await?.points);
