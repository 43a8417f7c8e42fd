//! The overview: what ended today, what waits, prices, and the money at the providers.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use askama::Template;
use askama::filters::HtmlSafe;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::balances;
use super::chart::Chart;
use super::charts::Charts;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, Moment, Tone, html, outside, span};
use super::visitor::Visitor;
use super::words;
use super::zone;
use crate::domain::asset::Assets;
use crate::domain::ids::Mode;
use crate::domain::payout_request::RequestStatus;
use crate::staff::balances::{History, Reach};
use crate::staff::desk::{Deposit, Desk, Overview, RateLine, age};

#[derive(Template)]
#[template(path = "overview.html", config = "web/askama.toml")]
struct OverviewPage {
    frame: Frame,
    changing: Changing,
}

/// What changes while somebody looks: the same for everybody, with nothing of who looks in it.
#[derive(Template)]
#[template(path = "parts/overview.html", config = "web/askama.toml")]
struct Changing {
    mode: Mode,
    since: Moment,
    is_counting: bool,
    charts: Charts,
    paid: i64,
    failed: i64,
    returned: i64,
    open: i64,
    unknown: i64,
    unknown_age: Option<String>,
    cases: i64,
    case_age: Option<String>,
    dead_jobs: i64,
    ended: Vec<EndedView>,
    rates: Vec<RateView>,
    rates_missing: usize,
    sources: Vec<SourceView>,
    sources_failing: usize,
    deposits: Vec<DepositView>,
    balances: Vec<Chart>,
}

impl HtmlSafe for Changing {}

struct EndedView {
    status: Badge,
    count: i64,
    processed: Amount,
}

struct RateView {
    pair: String,
    /// Or why there is none.
    price: Result<PriceView, String>,
}

struct PriceView {
    price: String,
    sources: usize,
    age: String,
    as_of: Moment,
}

struct SourceView {
    name: String,
    health: Badge,
    success_age: Option<String>,
    failures: u32,
    last_error: Option<String>,
    error_age: Option<String>,
}

struct DepositView {
    href: String,
    owner: String,
    code: String,
    account: String,
    state: Badge,
    balance: Amount,
    reserved: Amount,
    available: Amount,
    is_short: bool,
    /// Less than a tenth of the balance is left.
    is_low: bool,
    /// How much of the balance is available, of a hundred.
    percent: i64,
    kept_by: &'static str,
}

/// `/dashboard`: the overview of the mode that matters most.
pub async fn home(_: Visitor, desk: web::Data<Desk>) -> Result<HttpResponse, PageError> {
    let mode = if desk.modes().contains(&Mode::Live) { Mode::Live } else { Mode::Test };
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, format!("/dashboard/{mode}"))).finish())
}

pub async fn page(visitor: Visitor, desk: web::Data<Desk>, mode: web::Path<String>) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let read = desk.overview(mode).await?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Overview);
    let changing = zone::for_everybody(|| view(mode, &read, desk.assets()));
    Ok(html(HttpResponse::Ok(), &OverviewPage { frame, changing })?)
}

/// What changes, rendered for those who watch.
pub async fn changing(desk: &Desk, mode: Mode) -> Result<String, PageError> {
    let read = desk.overview(mode).await?;
    Ok(view(mode, &read, desk.assets()).render()?)
}

fn view(mode: Mode, read: &Overview, assets: &Assets) -> Changing {
    let ended = read.pulse.ended_today();
    let count = |statuses: &[RequestStatus]| {
        ended.iter().filter(|ended| statuses.contains(&ended.status)).map(|ended| ended.count).sum()
    };
    let rates: Vec<RateView> = read.rates.iter().map(|rate| rate_view(rate, read)).collect();
    let sources: Vec<SourceView> = read
        .sources
        .iter()
        .map(|source| SourceView {
            name: source.source.clone(),
            health: match (source.failures_consecutive, source.last_success_at) {
                (0, Some(_)) => Badge::new(Tone::Good, "Works"),
                (0, None) => Badge::new(Tone::Open, "Not heard yet"),
                _ => Badge::new(Tone::Bad, "Fails"),
            },
            success_age: source.last_success_at.map(|at| span(age(read.now, at))),
            failures: source.failures_consecutive,
            last_error: source.last_error.as_deref().map(outside),
            error_age: source.last_error_at.map(|at| span(age(read.now, at))),
        })
        .collect();
    Changing {
        mode,
        since: Moment::of(read.pulse.today),
        is_counting: read.pulse.is_counting(),
        charts: Charts::of(&read.pulse, assets),
        paid: count(&[RequestStatus::Processed, RequestStatus::PartiallyProcessed]),
        failed: count(&[
            RequestStatus::Failed,
            RequestStatus::Expired,
            RequestStatus::Canceled,
            RequestStatus::Terminated,
        ]),
        returned: count(&[RequestStatus::Returned]),
        open: read.open.requests,
        unknown: read.open.unknown,
        unknown_age: read.open.unknown_since.map(|since| span(age(read.now, since))),
        cases: read.open.cases,
        case_age: read.open.case_since.map(|since| span(age(read.now, since))),
        dead_jobs: read.open.dead_jobs,
        ended: ended
            .iter()
            .map(|ended| EndedView {
                status: words::request_status(ended.status),
                count: ended.count,
                processed: Amount::of(ended.amount_processed, ended.currency, assets),
            })
            .collect(),
        rates_missing: rates.iter().filter(|rate| rate.price.is_err()).count(),
        rates,
        sources_failing: sources.iter().filter(|source| source.failures > 0).count(),
        sources,
        deposits: read.deposits.iter().map(|deposit| deposit_view(mode, deposit, assets)).collect(),
        balances: read.histories.iter().map(|(deposit, history)| balance_chart(deposit, history, assets)).collect(),
    }
}

fn rate_view(rate: &RateLine, read: &Overview) -> RateView {
    RateView {
        pair: rate.pair.to_string(),
        price: match &rate.price {
            Ok(price) => Ok(PriceView {
                price: price.price.normalize().to_string(),
                sources: price.sources.len(),
                age: span(age(read.now, price.as_of)),
                as_of: Moment::of(price.as_of),
            }),
            Err(why) => Err(why.clone()),
        },
    }
}

fn balance_chart(deposit: &Deposit, history: &History, assets: &Assets) -> Chart {
    let title = format!("{} at {}, the last 24 hours", deposit.code, deposit.account);
    balances::drawn(title, history, Reach::Day, deposit.currency, assets)
}

fn deposit_view(mode: Mode, deposit: &Deposit, assets: &Assets) -> DepositView {
    let money = |amount| Amount::of(amount, deposit.currency, assets);
    let is_short = deposit.available <= Decimal::ZERO;
    let share =
        deposit.available.checked_div(deposit.balance).and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
    let percent = share.and_then(|share| share.floor().to_i64()).unwrap_or(0).clamp(0, 100);
    DepositView {
        owner: deposit.owner.clone(),
        href: format!("/dashboard/{mode}/deposit-accounts/{}/{}", deposit.owner, deposit.id),
        code: deposit.code.clone(),
        account: format!("{} ({})", deposit.account, deposit.provider),
        state: match (deposit.account_enabled, is_short) {
            (false, _) => Badge::new(Tone::Neutral, "Switched off"),
            (true, true) => Badge::new(Tone::Bad, "Nothing left"),
            (true, false) => Badge::new(Tone::Good, "In use"),
        },
        balance: money(deposit.balance),
        reserved: money(deposit.reserved),
        available: money(deposit.available),
        is_short,
        is_low: percent < 10,
        percent,
        kept_by: if deposit.by_books { "our books" } else { "the provider" },
    }
}
