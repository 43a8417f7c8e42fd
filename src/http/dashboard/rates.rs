//! Rates and fees: the board with its sources, their ages and how far each lies from the price; exchange-rate schemes; fee schedules.

use actix_web::{HttpResponse, web};
use rust_decimal::Decimal;

use super::cell::{At, Cell, Column, Kind, Table};
use super::detail::Detail;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Said, Source, Wanted, file_of};
use super::parts::{Badge, Tone, html, outside, span};
use super::visitor::Visitor;
use crate::domain::asset::Assets;
use crate::domain::exact::{Rounding, mul};
use crate::domain::fee::{FeeRule, ScheduleEntry};
use crate::staff::books::{Prices, Quoted};
use crate::staff::desk::{Desk, age};

pub async fn page(visitor: Visitor, desk: web::Data<Desk>, mode: web::Path<String>) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let read = desk.prices(mode).await?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Rates);
    Ok(html(HttpResponse::Ok(), &view(frame, &read, desk.assets()))?)
}

fn view(frame: Frame, read: &Prices, assets: &Assets) -> Detail {
    let mode = frame.mode;
    let at = At { mode, assets };
    let mut page = Detail::new(frame, "Rates and fees");
    let missing = read.rates.iter().filter(|rate| rate.price.is_err()).count();
    page.in_short = Some(match (read.rates.len(), missing) {
        (0, _) => format!("There is no rate board in {mode} mode: rates.pairs in the configuration makes one."),
        (_, 0) => "Every pair has a price.".to_owned(),
        (all, missing) => format!("{missing} of {all} pairs have no price now: no offer is made in them."),
    });
    let prices = read.rates.iter().map(|rate| match &rate.price {
        Ok(price) => [
            Cell::text(rate.pair.to_string()),
            Cell::text(price.price.normalize().to_string()),
            Cell::text(price.mid.normalize().to_string()),
            Cell::text(price.sources.len().to_string()),
            Cell::text(span(age(read.now, price.as_of))),
            Cell::Badge(Badge::new(Tone::Good, "Priced")),
        ],
        Err(why) => [
            Cell::text(rate.pair.to_string()),
            Cell::Empty,
            Cell::Empty,
            Cell::Empty,
            Cell::text(why),
            Cell::Badge(Badge::new(Tone::Bad, "No price")),
        ],
    });
    let columns = [
        ("Pair", Kind::Plain),
        ("Price (bid)", Kind::Number),
        ("Half way to the ask", Kind::Number),
        ("Sources", Kind::Number),
        ("Age of the oldest, or what is missing", Kind::Plain),
        ("State", Kind::Plain),
    ];
    page.table("board", "The board", "Now", Table::new(columns, prices.collect()), "There is no pair.");
    page.table(
        "quotes",
        "What each source says",
        "Now",
        Table::of(QUOTES, &read.quotes, at),
        "No source was heard yet.",
    );
    let sources = read.sources.iter().map(|source| {
        [
            Cell::text(&source.source),
            Cell::Badge(if source.is_up() { Badge::new(Tone::Good, "Works") } else { Badge::new(Tone::Bad, "Fails") }),
            Cell::maybe_moment(source.last_success_at),
            Cell::text(source.failures_consecutive.to_string()),
            Cell::maybe(source.last_error.as_ref()),
            Cell::maybe_moment(source.last_error_at),
        ]
    });
    let columns = [
        ("Source", Kind::Plain),
        ("State", Kind::Plain),
        ("Last heard", Kind::Plain),
        ("Failures since", Kind::Number),
        ("Last error", Kind::Outside),
        ("At", Kind::Plain),
    ];
    page.table("sources", "Sources", "Since this server began", Table::new(columns, sources.collect()), "None.");
    let schemes = read.schemes.iter().map(|scheme| {
        [
            Cell::text(&scheme.code),
            Cell::text(&scheme.partner),
            Cell::text(&scheme.name),
            Cell::text(scheme.version.to_string()),
            Cell::text(&scheme.created_by),
            Cell::moment(scheme.updated_at),
            Cell::data("Its rules", &scheme.body),
        ]
    });
    let columns = [
        ("Scheme", Kind::Plain),
        ("Owner", Kind::Plain),
        ("Name", Kind::Outside),
        ("Version in force", Kind::Number),
        ("By", Kind::Outside),
        ("Since", Kind::Plain),
        ("Rules", Kind::Plain),
    ];
    let empty = "There is none: partners are charged in the service's own currency, one for one.";
    page.table("schemes", "Exchange-rate schemes", "By owner", Table::new(columns, schemes.collect()), empty);
    let empty = "There is none: no offer can be priced. pricing.fee_schedules in the configuration makes one.";
    page.table("fees", "Fee schedules", "In the order in which they are tried", schedules(&read.schedules), empty);
    page.files = vec![("rates", "What each source says")];
    page
}

const QUOTES: &[Column<Quoted>] = &[
    Column::plain("Source", |quote, _| Cell::text(&quote.source)),
    Column::plain("Pair", |quote, _| Cell::text(quote.pair.to_string())),
    Column::number("Bid", |quote, _| number(quote.quote.map(|quote| quote.0))),
    Column::number("Ask", |quote, _| number(quote.quote.map(|quote| quote.1))),
    Column::plain("Age", |quote, _| Cell::text(span(quote.age))),
    Column::number("Off the price", |quote, _| {
        let percent = |fraction| mul(fraction, Decimal::ONE_HUNDRED, 4, Rounding::Down).ok();
        let percent = quote.deviation.and_then(percent);
        Cell::maybe(percent.map(|percent| format!("{}\u{a0}%", percent.normalize())))
    }),
    Column::plain("State", |quote, _| {
        Cell::Badge(match (quote.is_fresh, quote.is_outlier) {
            (false, _) => Badge::new(Tone::Bad, "Too old"),
            (true, true) => Badge::new(Tone::Bad, "Left out: too far off"),
            (true, false) => Badge::new(Tone::Good, "Counts"),
        })
    }),
];

fn number(number: Option<Decimal>) -> Cell {
    Cell::maybe(number.map(|number| number.normalize().to_string()))
}

fn schedules(entries: &[ScheduleEntry]) -> Table {
    let row = |entry: &ScheduleEntry| {
        let (schedule, conditions) = (&entry.schedule, entry.schedule.conditions());
        let pairs: Vec<String> = conditions.pairs.iter().map(ToString::to_string).collect();
        let cards: Vec<String> = conditions.card_schemes.iter().map(ToString::to_string).collect();
        let some = |texts: Vec<String>, all: &str| if texts.is_empty() { all.to_owned() } else { texts.join(", ") };
        let band = match (conditions.amount_from, conditions.amount_below) {
            (None, None) => "any amount".to_owned(),
            (from, below) => {
                let from = from.map(|from| format!("from {}", from.normalize()));
                let below = below.map(|below| format!("below {}", below.normalize()));
                [from, below].into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        };
        let rules: Vec<String> = schedule.rules().iter().map(rule).collect();
        [
            Cell::text(outside(schedule.id())),
            Cell::text(schedule.version().to_string()),
            Cell::text(entry.partner.as_deref().unwrap_or("every partner")),
            Cell::text(some(pairs, "every pair")),
            Cell::text(some(cards, "every card")),
            Cell::text(band),
            Cell::text(rules.join("; ")),
        ]
    };
    let columns = [
        ("Schedule", Kind::Plain),
        ("Version", Kind::Number),
        ("For", Kind::Plain),
        ("Pairs", Kind::Plain),
        ("Cards", Kind::Plain),
        ("Spending", Kind::Plain),
        ("Charges", Kind::Plain),
    ];
    Table::new(columns, entries.iter().map(row).collect())
}

/// `transaction: 3.5 % and 0.5 of the target's currency, at least 1 of the source's`.
fn rule(rule: &FeeRule) -> String {
    let parts = [
        rule.percent.map(|percent| format!("{}\u{a0}%", percent.normalize())),
        rule.fixed_target.map(|fixed| format!("{} in the card's currency", fixed.normalize())),
        rule.fixed_source.map(|fixed| format!("{} in the currency spent", fixed.normalize())),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let least = rule.min.map(|min| format!(", at least {} spent", min.normalize())).unwrap_or_default();
    let most = rule.max.map(|max| format!(", at most {} spent", max.normalize())).unwrap_or_default();
    format!("{}: {}{least}{most}", rule.kind.as_str().replace('_', " "), parts.join(" and "))
}

file_of!(Quotes, Rates, "rates", Quoted, QUOTES, |desk, mode| desk.prices(mode).await?.quotes);
