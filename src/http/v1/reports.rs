//! `/v1/reports`: sums by day, as JSON:API or as a file (CSV). A report is read whole before it is answered: its lines are sums, so they are
//! few, and one that fails is an error and not a file that ends early.

use actix_web::{HttpResponse, web};
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{ListDocument, PageInfo, PageLinks, PageMeta, Resource};
use super::error::V1Error;
use super::request_view::amount;
use crate::gateway::access::Scope;
use crate::gateway::reports::{BalanceDay, DAYS_MAX, Range, Usage};
use crate::http::routes::resource;

pub const USAGE_KIND: &str = "usage";
pub const BALANCE_KIND: &str = "balance-day";
const USAGE: &str = "/v1/reports/usage";
const BALANCES: &str = "/v1/reports/balances";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource(USAGE, "GET", [web::get().to(usage)])).service(resource(
        BALANCES,
        "GET",
        [web::get().to(balances)],
    ));
}

/// What a report is asked for.
struct Asked {
    range: Range,
    is_csv: bool,
}

impl Asked {
    fn read(call: &PartnerCall) -> Result<Self, V1Error> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(call.request.query_string())
            .map_err(|_| V1Error::new("INVALID_PARAMETER").with_detail("The query can't be read."))?;
        let (mut from, mut to, mut is_csv) = (None, None, None);
        for (name, value) in pairs.iter() {
            let is_first = match name.as_str() {
                "from" => from.replace(day(name, value)?).is_none(),
                "to" => to.replace(day(name, value)?).is_none(),
                "format" if value == "csv" || value == "json" => is_csv.replace(value == "csv").is_none(),
                "format" => return Err(V1Error::parameter(name, "This is csv or json.")),
                _ => return Err(V1Error::unknown_parameter(name)),
            };
            if !is_first {
                return Err(V1Error::parameter(name, "This is there twice."));
            }
        }
        let missing = |name| V1Error::parameter(name, "This is missing.");
        let (from, to) = (from.ok_or_else(|| missing("from"))?, to.ok_or_else(|| missing("to"))?);
        let range = Range::new(from, to).ok_or_else(|| {
            V1Error::parameter("to", format!("This is from's day or later, {DAYS_MAX} days at most."))
        })?;
        Ok(Self { range, is_csv: is_csv.unwrap_or(false) })
    }
}

fn day(name: &str, text: &str) -> Result<NaiveDate, V1Error> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    day.ok_or_else(|| V1Error::parameter(name, "This is a day, as in 2026-11-22."))
}

/// Payout requests of one day, service, currency and status.
#[derive(Serialize, ToSchema)]
pub struct UsageAttributes {
    /// On which they were made, UTC.
    #[schema(example = "2026-11-21")]
    day: NaiveDate,
    /// The payout service.
    #[schema(example = "card_eur")]
    service: String,
    /// What was to be paid out.
    #[schema(example = "EUR")]
    currency: String,
    /// Where they stand now.
    #[schema(example = "processed")]
    status: &'static str,
    /// How many they are.
    #[schema(example = 12)]
    requests: i64,
    /// What was to be paid out, in units of `currency`, as a decimal string.
    #[schema(example = "126")]
    amount: String,
    /// What was paid of it.
    #[schema(example = "126")]
    processed: String,
    /// What of that came back.
    #[schema(example = "0")]
    returned: String,
    /// What they are charged in.
    #[schema(example = "USD")]
    charged_currency: String,
    /// What all of it costs without the fee, in units of `charged_currency`.
    #[schema(example = "136.08")]
    charged_amount: String,
    /// The fee for all of it.
    #[schema(example = "1.2")]
    fee: String,
}

/// A day of the partner's balance in one currency.
#[derive(Serialize, ToSchema)]
pub struct BalanceDayAttributes {
    /// UTC.
    #[schema(example = "2026-11-21")]
    day: NaiveDate,
    /// The currency's code.
    #[schema(example = "USD")]
    currency: String,
    /// What was there when it began, available and held, in units of `currency`, as a decimal string.
    #[schema(example = "0")]
    opening: String,
    /// What was credited.
    #[schema(example = "100")]
    credit: String,
    /// What was debited; below zero.
    #[schema(example = "0")]
    debit: String,
    /// What payouts took; below zero.
    #[schema(example = "-30")]
    settled: String,
    /// What came back of payouts.
    #[schema(example = "0")]
    returned: String,
    /// What was there when it ended: all of the above.
    #[schema(example = "70")]
    closing: String,
    /// What of `closing` open payout requests held.
    #[schema(example = "0")]
    closing_held: String,
}

impl From<Usage> for UsageAttributes {
    fn from(row: Usage) -> Self {
        Self {
            day: row.day,
            service: row.service,
            currency: row.currency.to_string(),
            status: row.status.as_str(),
            requests: row.count,
            amount: amount(row.amount),
            processed: amount(row.processed),
            returned: amount(row.returned),
            charged_currency: row.charged_currency.to_string(),
            charged_amount: amount(row.charged_amount),
            fee: amount(row.fee),
        }
    }
}

impl From<BalanceDay> for BalanceDayAttributes {
    fn from(row: BalanceDay) -> Self {
        let moved = |kind: &str| amount(row.moved.get(kind).copied().unwrap_or_default());
        Self {
            day: row.day,
            currency: row.currency.to_string(),
            opening: amount(row.opening),
            credit: moved("credit"),
            debit: moved("debit"),
            settled: moved("settle"),
            returned: moved("return"),
            closing: amount(row.closing),
            closing_held: amount(row.closing_held),
        }
    }
}

/// A report's lines in the form that was asked for; `id` names a line.
fn answered<T: Serialize>(
    call: &PartnerCall,
    asked: &Asked,
    (kind, path): (&'static str, &str),
    lines: Vec<T>,
    id: impl Fn(&T) -> String,
) -> Result<HttpResponse, V1Error> {
    if asked.is_csv {
        let mut file = csv::Writer::from_writer(Vec::new());
        for line in &lines {
            file.serialize(line).map_err(|error| V1Error::internal(&error))?;
        }
        let bytes = file.into_inner().map_err(|error| V1Error::internal(&error))?;
        let text = String::from_utf8(bytes).map_err(|error| V1Error::internal(&error))?;
        return Ok(call.fresh("text/csv; charset=utf-8", text));
    }
    let size = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    call.ok(&ListDocument {
        data: lines.into_iter().map(|line| Resource::new(kind, path, id(&line), line).found_at(path)).collect(),
        links: PageLinks { own: path.to_owned(), next: None },
        meta: PageMeta { page: PageInfo { size, next_cursor: None } },
    })
}

/// What was paid out, by day.
///
/// Needs `payouts:read`. Payout requests by the day on which they were made (UTC), service, currency and status as it is now: an open one
/// moves to another line when it ends. 92 days at most.
#[utoipa::path(
    get, path = "/v1/reports/usage", operation_id = "getUsageReport", tag = "reports",
    params(
        ("from" = String, Query, description = "The first day.", example = "2026-11-01"),
        ("to" = String, Query, description = "The last day.", example = "2026-11-30"),
        ("format" = Option<String>, Query, description = "`json`, unless given, or `csv`."),
    ),
    responses((status = 200, description = "All lines, on one page or in one file.", content(
        (ListDocument<UsageAttributes> = "application/vnd.api+json"), (String = "text/csv"),
    )))
)]
pub async fn usage(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::PayoutsRead)?;
    let asked = Asked::read(&call)?;
    let lines: Vec<UsageAttributes> =
        call.gateway.usage(&call.caller, asked.range).await?.into_iter().map(Into::into).collect();
    let id = |line: &UsageAttributes| {
        [&line.day.to_string(), &line.service, &line.currency, line.status, &line.charged_currency].join(".")
    };
    answered(&call, &asked, (USAGE_KIND, USAGE), lines, id)
}

/// What moved the balances, by day.
///
/// Needs `funds:read`. A line for each day (UTC) and currency in which something moved: what the day closed with is what the next opens with,
/// and what the last one closes with is the balance. 92 days at most.
#[utoipa::path(
    get, path = "/v1/reports/balances", operation_id = "getBalanceReport", tag = "reports",
    params(
        ("from" = String, Query, description = "The first day.", example = "2026-11-01"),
        ("to" = String, Query, description = "The last day.", example = "2026-11-30"),
        ("format" = Option<String>, Query, description = "`json`, unless given, or `csv`."),
    ),
    responses((status = 200, description = "All lines, on one page or in one file.", content(
        (ListDocument<BalanceDayAttributes> = "application/vnd.api+json"), (String = "text/csv"),
    )))
)]
pub async fn balances(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::FundsRead)?;
    let asked = Asked::read(&call)?;
    let lines: Vec<BalanceDayAttributes> =
        call.gateway.balance_days(&call.caller, asked.range).await?.into_iter().map(Into::into).collect();
    let id = |line: &BalanceDayAttributes| [&line.day.to_string(), &line.currency].map(String::as_str).join(".");
    answered(&call, &asked, (BALANCE_KIND, BALANCES), lines, id)
}
