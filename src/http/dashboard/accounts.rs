//! What payouts run over: provider accounts with their health and breakers, deposit accounts with what is there, routes, payout points; and
//! switching them.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::Value;

use super::cell::{Cell, Kind, Table};
use super::detail::{Body, Detail};
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Form, Listed, Lists, Nothing};
use super::parts::{Badge, Tone, html};
use super::visitor::Visitor;
use super::{switch, words};
use crate::domain::asset::Assets;
use crate::domain::ids::{Mode, ProviderAccountId};
use crate::domain::staff::Role;
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
    let mut page = Detail::new(frame, "Accounts, routes and points");
    let short =
        read.deposits.iter().filter(|line| line.enabled && line.available <= rust_decimal::Decimal::ZERO).count();
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
    page.table("accounts", "Provider accounts", "By owner", accounts(&read.accounts), none("provider account"));
    page.table("deposits", "Deposit accounts", "By owner", deposits(&read.deposits, assets), none("deposit account"));
    page.table(
        "routes",
        "Payout routes",
        "By service, in the order of their position",
        routes(&read.routes, assets),
        none("route"),
    );
    page.table("points", "Payout points", "By partner", points(&read.points), none("payout point"));
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

fn on(enabled: bool) -> Cell {
    Cell::Badge(if enabled { Badge::new(Tone::Good, "On") } else { Badge::new(Tone::Neutral, "Switched off") })
}

fn accounts(rows: &[AccountRow]) -> Table {
    let row = |row: &AccountRow| {
        let health = match row.health.as_str() {
            "healthy" => Badge::new(Tone::Good, "Healthy"),
            "unhealthy" => Badge::new(Tone::Bad, "Unhealthy"),
            _ => Badge::new(Tone::Open, "Not asked yet"),
        };
        let breaker = match row.breaker.as_str() {
            "closed" => Badge::new(Tone::Good, "Closed"),
            "open" => Badge::new(Tone::Bad, "Open: nothing is sent"),
            _ => Badge::new(Tone::Open, "Half open: a few are tried"),
        };
        [
            Cell::text(&row.code),
            Cell::text(&row.partner),
            Cell::maybe(row.name.as_ref()),
            Cell::text(&row.provider),
            on(row.enabled),
            Cell::Badge(health),
            Cell::maybe(row.health_detail.as_ref()),
            Cell::maybe_moment(row.health_checked_at),
            Cell::Badge(breaker),
            Cell::maybe_moment(row.breaker_until),
            Cell::text(limits(&row.turnover_limits)),
        ]
    };
    let columns = [
        ("Account", Kind::Plain),
        ("Owner", Kind::Plain),
        ("Name", Kind::Outside),
        ("Provider", Kind::Plain),
        ("State", Kind::Plain),
        ("Health", Kind::Plain),
        ("What it said", Kind::Outside),
        ("Asked", Kind::Plain),
        ("Breaker", Kind::Plain),
        ("Until", Kind::Plain),
        ("Most a day", Kind::Plain),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}

/// `{"EUR": "100000"}` as `100000 EUR`.
fn limits(limits: &Value) -> String {
    let told = |(currency, amount): (&String, &Value)| {
        let amount = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
        format!("{amount} {currency}")
    };
    let told: Vec<String> = limits.as_object().into_iter().flatten().map(told).collect();
    if told.is_empty() { "no limit".to_owned() } else { told.join(", ") }
}

fn deposits(rows: &[DepositLine], assets: &Assets) -> Table {
    let row = |row: &DepositLine| {
        let money = |amount| Cell::amount(amount, row.currency, assets);
        [
            Cell::text(&row.code),
            Cell::text(&row.partner),
            Cell::maybe(row.name.as_ref()),
            Cell::text(&row.account),
            on(row.enabled),
            money(row.balance),
            money(row.reserved),
            money(row.available),
            Cell::text(if row.balance_source == "books" { "our books" } else { "the provider" }),
            Cell::maybe_moment(row.synced_at),
            Cell::maybe(row.sync_error.as_ref()),
        ]
    };
    let columns = [
        ("Deposit account", Kind::Plain),
        ("Owner", Kind::Plain),
        ("Name", Kind::Outside),
        ("At", Kind::Plain),
        ("State", Kind::Plain),
        ("Balance", Kind::Money),
        ("Reserved", Kind::Money),
        ("Available", Kind::Money),
        ("Told by", Kind::Plain),
        ("Synced", Kind::Plain),
        ("What went wrong", Kind::Outside),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}

fn routes(rows: &[RouteLine], assets: &Assets) -> Table {
    let row = |row: &RouteLine| {
        let money = |amount: Option<rust_decimal::Decimal>| match (amount, row.service_currency) {
            (Some(amount), Some(currency)) => Cell::amount(amount, currency, assets),
            (Some(amount), None) => Cell::text(amount.to_string()),
            (None, _) => Cell::Empty,
        };
        [
            Cell::text(&row.code),
            Cell::text(&row.partner),
            Cell::maybe(row.name.as_ref()),
            Cell::text(&row.service),
            Cell::text(format!("{} at {}", row.deposit, row.account)),
            on(row.enabled),
            money(row.amount_min),
            money(row.amount_max),
            Cell::text(format!("{}\u{a0}%", row.cost_percent.normalize())),
            money(Some(row.cost_fixed)),
            Cell::text(row.weight.to_string()),
        ]
    };
    let columns = [
        ("Route", Kind::Plain),
        ("Owner", Kind::Plain),
        ("Name", Kind::Outside),
        ("Service", Kind::Plain),
        ("Pays from", Kind::Plain),
        ("State", Kind::Plain),
        ("Least", Kind::Money),
        ("Most", Kind::Money),
        ("Costs of the amount", Kind::Number),
        ("Costs besides", Kind::Money),
        ("Weight", Kind::Number),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}

fn points(rows: &[PointLine]) -> Table {
    let row = |row: &PointLine| {
        let currencies: Vec<String> = row.currencies.iter().map(ToString::to_string).collect();
        [
            Cell::text(&row.code),
            Cell::text(&row.partner),
            Cell::text(&row.name),
            Cell::text(currencies.join(", ")),
            on(row.enabled),
            Cell::text(words::funding(row.funding)),
            Cell::maybe(row.payout_scheme.as_ref()),
            Cell::maybe(row.exchange_scheme.as_ref()),
            Cell::maybe(row.callback_url.as_ref()),
        ]
    };
    let columns = [
        ("Point", Kind::Plain),
        ("Partner", Kind::Plain),
        ("Name", Kind::Outside),
        ("Currencies", Kind::Plain),
        ("State", Kind::Plain),
        ("Paid from", Kind::Plain),
        ("Payout scheme", Kind::Plain),
        ("Exchange-rate scheme", Kind::Plain),
        ("Calls back", Kind::Outside),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}

/// One of the page's tables as a file.
macro_rules! file_of {
    ($name:ident, $path:literal, |$read:ident, $assets:ident| $table:expr) => {
        #[derive(Debug, Default, Deserialize)]
        pub struct $name {}

        impl Lists for $name {
            const SECTION: Section = Section::Accounts;
            const PATH: &'static str = $path;
            const READS: Role = Role::Viewer;

            fn after(&self) -> Option<&str> {
                None
            }

            fn set_after(&mut self, _: String) {}

            async fn read(&self, desk: &Desk, mode: Mode, _: usize) -> Result<Listed, PageError> {
                let ($read, $assets) = (desk.accounts(mode).await?, desk.assets());
                Ok(Listed {
                    title: $path,
                    intro: None,
                    form: Form::default(),
                    caption: "",
                    table: $table,
                    next: None,
                    nothing: Nothing { yet: String::new(), fits: String::new() },
                })
            }
        }
    };
}

file_of!(ProviderAccounts, "provider-accounts", |read, _assets| accounts(&read.accounts));
file_of!(DepositAccounts, "deposit-accounts", |read, assets| deposits(&read.deposits, assets));
file_of!(Routes, "routes", |read, assets| routes(&read.routes, assets));
file_of!(Points, "points", |read, _assets| points(&read.points));
