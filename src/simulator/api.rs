//! The API that the simulator publishes (`docs/simulator.md`), one call at a time, without a wire: a request in, a reply out. The
//! server puts it on TCP; a driver in process calls it as it is.
//!
//! | call | answer |
//! |---|---|
//! | `POST /v1/payouts` | the payout, whatever became of it |
//! | `GET /v1/payouts?reference=R` | `{"payouts": [..]}`, empty where nothing is found |
//! | `GET /v1/balances/EUR` | `{"currency", "available"}` |
//! | `GET /v1/report?from=&until=&cursor=&limit=` | `{"rows": [..], "next"}` |
//! | `GET /v1/account` | `{"account"}` |

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::bank::{Asked, Bank, Ending, Order, Refusal};
use super::callback::Shown;
use super::payment::status_name;
use crate::domain::asset::AssetCode;
use crate::domain::card::Pan;
use crate::domain::exact::{Rounding, round};
use crate::providers::provider::ReportRow;

/// The longest reference that is taken, in characters.
pub const REFERENCE_LENGTH_MAX: usize = 64;
/// The most rows of a report in one answer.
pub const REPORT_LIMIT_MAX: usize = 1_000;
const REPORT_LIMIT: usize = 100;

/// A call as it came in. `Debug` shows neither headers nor the body: they hold keys and card numbers.
#[derive(Clone)]
pub struct ApiRequest {
    /// In capitals.
    pub method: String,
    pub path: String,
    /// Without the question mark.
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiRequest").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// What the caller meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        /// How long it takes.
        after: Duration,
        /// Whether the callbacks that are due go out before it.
        callbacks_first: bool,
    },
    /// The connection breaks before the request was looked at.
    ResetBefore { after: Duration },
    /// The connection breaks after the request took effect.
    ResetAfter { after: Duration },
    /// The connection stays open, and nothing comes.
    Never,
    /// There is no connection: nothing was sent.
    Refused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PayBody {
    reference: String,
    amount: String,
    currency: String,
    #[serde(default)]
    card: Option<CardBody>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    callback_url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardBody {
    number: String,
    #[serde(rename = "expiry_year")]
    _expiry_year: u16,
    #[serde(rename = "expiry_month")]
    _expiry_month: u8,
    #[serde(rename = "holder")]
    _holder: String,
}

#[derive(Serialize)]
struct Row<'a> {
    reference: &'a str,
    id: Option<&'a str>,
    status: &'static str,
    processed_amount: String,
    returned_amount: String,
    currency: &'a str,
    taken_at: DateTime<Utc>,
}

/// One call of the API.
pub fn handle(bank: &mut Bank, request: &ApiRequest, now: DateTime<Utc>) -> Reply {
    let Some(account) = account_of(bank, request) else {
        return refused(Refusal::UNAUTHORIZED, bank.timings.latency);
    };
    let pieces: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    match (request.method.as_str(), pieces.as_slice()) {
        ("POST", ["v1", "payouts"]) => pay(bank, &account, &request.body, now),
        ("GET", ["v1", "payouts"]) => find(bank, &account, &request.query, now),
        ("GET", ["v1", "balances", currency]) => balance(bank, &account, currency, now),
        ("GET", ["v1", "report"]) => report(bank, &account, &request.query, now),
        ("GET", ["v1", "account"]) => {
            let (ending, after) = bank.ask(&account, "account", now);
            reply(ending, after, || Some(json!({ "account": account })))
        }
        _ => {
            refused(Refusal { status: 404, code: "no_such_path", message: "the API has no such path" }, Duration::ZERO)
        }
    }
}

/// The name of the account whose key the request presents.
fn account_of(bank: &Bank, request: &ApiRequest) -> Option<String> {
    let mut given = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let (Some((_, given)), None) = (given.next(), given.next()) else { return None };
    let given = given.strip_prefix("Bearer ")?.as_bytes();
    let owns = |key: &str| !key.is_empty() && bool::from(key.as_bytes().ct_eq(given));
    bank.accounts().find(|account| owns(account.api_key.expose_secret())).map(|account| account.name.clone())
}

fn pay(bank: &mut Bank, account: &str, body: &[u8], now: DateTime<Utc>) -> Reply {
    let order = match read_order(body) {
        Ok(order) => order,
        Err(refusal) => return refused(refusal, bank.timings.latency),
    };
    let verdict = bank.pay(account, &order, now);
    let shown = || verdict.payment.as_ref().and_then(|payment| Shown::of(payment, payment.change_index(now)));
    match reply(verdict.ending, verdict.after, || serde_json::to_value(shown()?).ok()) {
        Reply::Answer { status, headers, body, after, .. } => {
            Reply::Answer { status, headers, body, after, callbacks_first: verdict.callbacks_first }
        }
        other => other,
    }
}

fn read_order(body: &[u8]) -> Result<Order, Refusal> {
    let invalid = |message| Refusal { status: 400, code: "invalid_request", message };
    let body: PayBody = serde_json::from_slice(body).map_err(|_| invalid("the body isn't an order to pay"))?;
    let of_reference = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !(1..=REFERENCE_LENGTH_MAX).contains(&body.reference.len()) || !body.reference.chars().all(of_reference) {
        return Err(invalid("a reference has 1 to 64 characters of A-Z, a-z, 0-9, _ and -"));
    }
    let amount = Decimal::from_str_exact(&body.amount).map_err(|_| invalid("the amount isn't a decimal in text"))?;
    // Far below where sums could fail.
    if amount > Decimal::from(1_000_000_000_000_u64) {
        return Err(invalid("the amount is too large"));
    }
    let currency: AssetCode = body.currency.parse().map_err(|_| invalid("the currency isn't a code"))?;
    let pan = match body.card {
        Some(card) => Some(Pan::parse(&card.number).map_err(|_| Refusal {
            status: 400,
            code: "invalid_card",
            message: "the card's number is not one",
        })?),
        None => None,
    };
    Ok(Order { reference: body.reference, amount, currency, pan, fields: body.fields, callback_url: body.callback_url })
}

fn find(bank: &mut Bank, account: &str, query: &str, now: DateTime<Utc>) -> Reply {
    let Some(reference) = parameters(query).remove("reference") else {
        return refused(
            Refusal { status: 400, code: "invalid_request", message: "`reference` is missing" },
            Duration::ZERO,
        );
    };
    let Asked { ending, answer, after } = bank.find(account, &reference, now);
    reply(ending, after, || {
        let payouts: Option<Vec<Shown>> =
            answer.iter().map(|payment| Shown::of(payment, payment.change_index(now))).collect();
        Some(json!({ "payouts": payouts? }))
    })
}

fn balance(bank: &mut Bank, account: &str, currency: &str, now: DateTime<Utc>) -> Reply {
    let no_balance =
        Refusal { status: 404, code: "no_balance", message: "the account has no balance in that currency" };
    let Ok(code) = currency.parse::<AssetCode>() else { return refused(no_balance, Duration::ZERO) };
    let Asked { ending, answer, after } = bank.balance(account, code, now);
    match answer {
        None if ending == Ending::Answered => refused(no_balance, after),
        left => reply(ending, after, || Some(json!({ "currency": currency, "available": amount(left?)? }))),
    }
}

fn report(bank: &mut Bank, account: &str, query: &str, now: DateTime<Utc>) -> Reply {
    let parameters = parameters(query);
    let time = |name: &str| parameters.get(name).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    let cursor = parameters.get("cursor").map(|text| text.parse::<u64>()).transpose();
    let limit = parameters.get("limit").map(|text| text.parse::<usize>()).transpose();
    let (Some(from), Some(until), Ok(cursor), Ok(limit)) = (time("from"), time("until"), cursor, limit) else {
        let message = "`from` and `until` are times (RFC 3339), `cursor` is what `next` said, `limit` a number";
        return refused(Refusal { status: 400, code: "invalid_request", message }, Duration::ZERO);
    };
    let limit = limit.unwrap_or(REPORT_LIMIT).clamp(1, REPORT_LIMIT_MAX);
    let Asked { ending, answer, after } = bank.report(account, (from, until), cursor, limit, now);
    reply(ending, after, || {
        let rows: Option<Vec<Row<'_>>> = answer.rows.iter().map(row).collect();
        Some(json!({ "rows": serde_json::to_value(rows?).ok()?, "next": answer.next }))
    })
}

fn row(row: &ReportRow) -> Option<Row<'_>> {
    Some(Row {
        reference: &row.reference,
        id: row.original_id.as_deref(),
        status: status_name(row.status),
        processed_amount: amount(row.amount_processed)?,
        returned_amount: amount(row.amount_returned)?,
        currency: row.currency.as_str(),
        taken_at: row.taken_at,
    })
}

fn amount(amount: Decimal) -> Option<String> {
    Some(round(amount, 2, Rounding::Down).ok()?.to_string())
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    // The query's own grammar, whatever host stands before it.
    reqwest::Url::parse(&format!("http://simulator/?{query}"))
        .map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

/// The reply to a call that ended so; `answer` is what it says if it says something.
fn reply(ending: Ending, after: Duration, answer: impl FnOnce() -> Option<Value>) -> Reply {
    match ending {
        Ending::Answered => answer().map_or_else(|| internal_error(after), |body| with(200, &body, after)),
        Ending::Refused(refusal) => refused(refusal, after),
        Ending::Error => internal_error(after),
        Ending::ResetBefore => Reply::ResetBefore { after },
        Ending::ResetAfter => Reply::ResetAfter { after },
        Ending::NoAnswer => Reply::Never,
        Ending::NotConnected => Reply::Refused,
    }
}

fn internal_error(after: Duration) -> Reply {
    refused(Refusal { status: 500, code: "internal_error", message: "something went wrong" }, after)
}

fn refused(refusal: Refusal, after: Duration) -> Reply {
    with(refusal.status, &json!({ "error": { "code": refusal.code, "message": refusal.message } }), after)
}

fn with(status: u16, body: &Value, after: Duration) -> Reply {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    Reply::Answer { status, headers, body: body.to_string().into_bytes(), after, callbacks_first: false }
}
