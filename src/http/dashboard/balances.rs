//! Balances of deposit accounts over time: the list of what was there, an account's page, and the charts of both it and the overview.

use actix_web::{HttpResponse, web};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::cell::{Cell, Column};
use super::chart::{self, Chart, Plan};
use super::detail::{Body, Detail};
use super::error::PageError;
use super::form::Form;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::{Amount, html};
use super::visitor::Visitor;
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::ids::{DepositAccountId, Mode};
use crate::staff::balances::{History, Reach, SampleLine};
use crate::staff::desk::Desk;

/// A column's name stands below every third, or every fifth of a month's; not below the first, where a long one has no room.
const NAMED_EVERY: (usize, usize) = (3, 5);

pub struct Balances;

impl List for Balances {
    type Line = SampleLine;
    type Search = Option<DepositAccountId>;
    const SECTION: Section = Section::Accounts;
    const PATH: &'static str = "balances";
    const SAID: Said = Said {
        title: "Balances over time",
        intro: Some(
            "What was on each deposit account, every quarter of an hour. What a provider didn't tell isn't there.",
        ),
        caption: "Newest first",
        order: Order::NewestFirst,
        nothing_yet: "Nothing was written down in {mode} mode yet: the first line comes within a quarter of an hour.",
        nothing_fits: "Nothing was written down of this account yet.",
    };
    const COLUMNS: &'static [Column<SampleLine>] = &[
        Column::plain("At", |line, _| Cell::moment(line.at)),
        Column::plain("Deposit account", |line, at| {
            Cell::link(at.href(format_args!("deposit-accounts/{}/{}", line.partner, line.id)), &line.code)
        }),
        Column::plain("Owner", |line, _| Cell::text(&line.partner)),
        Column::money("Balance", |line, at| at.amount(line.balance, line.currency)),
        Column::money("Reserved", |line, at| at.amount(line.reserved, line.currency)),
        Column::money("Available", |line, at| at.amount(line.available, line.currency)),
    ];

    async fn search(source: &Source, mode: Mode, form: &mut Form) -> Result<Option<DepositAccountId>, PageError> {
        let each = source.desk.deposits(mode).await?.into_iter();
        let each = each.map(|line| (line.id.to_string(), format!("{} of {}", line.code, line.partner), Some(line.id)));
        let all = (String::new(), "All".to_owned(), None);
        form.choice("account", "Deposit account", std::iter::once(all).chain(each))
    }

    async fn lines(
        source: &Source,
        wanted: Wanted<'_, Option<DepositAccountId>>,
    ) -> Result<Lines<SampleLine>, PageError> {
        Ok(source.desk.balances(wanted.mode, *wanted.search, wanted.after()?, wanted.lines_max).await?.into())
    }
}

/// One deposit account.
pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id: DepositAccountId = id.parse().map_err(|_| PageError::NotFound)?;
    let read = desk.deposit(mode, &partner, id).await?.ok_or(PageError::NotFound)?;
    let (line, assets) = (&read.line, desk.assets());
    let money = |amount| Cell::amount(amount, line.currency, assets);
    let mut page =
        Detail::new(Frame::new(&visitor, &desk, mode, Section::Accounts), format!("Deposit account {}", line.code));
    page.crumb = Some((format!("/dashboard/{mode}/accounts"), "Accounts, routes and points"));
    page.badge = Some(super::accounts::standing(line.enabled));
    page.facts(
        "account",
        "Now",
        [
            ("Owner", Cell::text(&line.partner)),
            ("Name", Cell::maybe(line.name.as_ref())),
            ("At", Cell::text(&line.account)),
            ("Balance", money(line.balance)),
            ("Reserved", money(line.reserved)),
            ("Available", money(line.available)),
            ("Told by", Cell::text(super::accounts::told_by(&line.balance_source))),
            ("Synced", Cell::maybe_moment(line.synced_at)),
            ("What went wrong", Cell::maybe(line.sync_error.as_ref())),
            (
                "Every quarter of an hour",
                Cell::link(format!("/dashboard/{mode}/balances?account={id}"), "what was there"),
            ),
        ],
    );
    let charts = vec![
        drawn("The last 24 hours".to_owned(), &read.day, Reach::Day, line.currency, assets),
        drawn("The last 30 days".to_owned(), &read.month, Reach::Month, line.currency, assets),
    ];
    page.section("history", "Balance over time", Body::Charts(charts));
    Ok(html(HttpResponse::Ok(), &page)?)
}

/// An account's balance as columns: what is available below, what is reserved above it.
pub fn drawn(title: String, history: &History, reach: Reach, currency: AssetCode, assets: &Assets) -> Chart {
    // Whole units are fine enough for a drawing; below nothing there is nothing to draw.
    let units = |amount: Decimal| amount.max(Decimal::ZERO).ceil().to_i64().unwrap_or(i64::MAX);
    let text = |amount| Amount::of(amount, currency, assets).text();
    let known = || history.iter().filter_map(|(_, point)| point.as_ref());
    let top = known().map(|point| point.balance).max().unwrap_or_default();
    let least = known().map(|point| point.balance).min();
    let in_short = match (least, known().next_back()) {
        (Some(least), Some(last)) => {
            format!("{title}: between {} and {}, {} at last.", text(least), text(top), text(last.balance))
        }
        _ => format!("{title}: nothing is known."),
    };
    let plan = Plan {
        title,
        in_short,
        top: units(top),
        top_told: text(top),
        legend: vec![("main", "available"), ("pale", "reserved")],
    };
    let (every, name, clock) = match reach {
        Reach::Day => (NAMED_EVERY.0, "%H", "%H:00 UTC"),
        Reach::Month => (NAMED_EVERY.1, "%m-%d", "%Y-%m-%d"),
    };
    let columns = history.iter().enumerate().map(|(n, (at, point))| {
        let (parts, told) = match point {
            Some(point) => {
                let reserved = units(point.reserved).min(units(point.balance));
                let available = units(point.balance).saturating_sub(reserved);
                let told = format!("{}, {} of it reserved", text(point.balance), text(point.reserved));
                (Some(vec![("main", available), ("pale", reserved)]), told)
            }
            None => (None, "not known".to_owned()),
        };
        let name = if n % every == every / 2 { at.format(name).to_string() } else { String::new() };
        chart::Column { name, told: format!("{}: {told}", at.format(clock)), parts }
    });
    plan.draw(columns.collect())
}
