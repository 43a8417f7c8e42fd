//! One offer: its prices, fees, limits and versions, what it was priced by, and where it stands, in words.

use actix_web::{HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Amount, Badge, CardPart, Moment, Tone, html, outside, raw, span};
use super::visitor::Visitor;
use super::words;
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::fee::{FeeItem, FeeKind};
use crate::domain::offer::{FixedSide, OfferStatus, RefusalCode};
use crate::domain::rate::{Price, Rate, Spread};
use crate::rates::BoardPrice;
use crate::staff::desk::{Desk, Offer, OfferPage, age};

#[derive(Template)]
#[template(path = "offer.html", config = "web/askama.toml")]
struct View {
    frame: Frame,
    id: String,
    status: Badge,
    in_short: String,
    /// Whether it can be paid now, of an offer that is open.
    check: Option<CheckView>,
    request_href: Option<String>,
    partner: String,
    customer: String,
    kyc_level: i16,
    is_customer_blocked: bool,
    card: CardPart,
    card_expiry: String,
    card_state: Badge,
    amount: Amount,
    amount_to: Amount,
    total: Amount,
    fixed_side: &'static str,
    processed: Amount,
    returned: Amount,
    pair: String,
    price: String,
    spread: String,
    rate: String,
    fees: Vec<(&'static str, Amount)>,
    fee_total: Amount,
    schedule: String,
    least: Amount,
    most: Amount,
    reference: String,
    /// What one unit that arrives counted as.
    reference_price: Option<String>,
    reference_board: Option<BoardView>,
    board: Option<BoardView>,
    rate_sources_raw: String,
    version: i32,
    versions: Vec<VersionView>,
    moments: Vec<(&'static str, Moment)>,
}

struct CheckView {
    can_be_paid: bool,
    why: String,
    by_record: bool,
}

struct BoardView {
    mid: String,
    as_of: Moment,
    sources: Vec<SourceView>,
}

struct SourceView {
    source: String,
    pair: String,
    bid: String,
    ask: String,
    at: Moment,
}

struct VersionView {
    version: String,
    quoted_at: Option<Moment>,
    amount: String,
    amount_to: String,
    total: String,
    price: String,
    /// The quotes that made its price.
    board: Option<BoardView>,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let mode = served(&desk, &mode)?;
    let id = id.parse().map_err(|_| PageError::NotFound)?;
    let read = desk.offer(mode, &partner, id).await?.ok_or(PageError::NotFound)?;
    let frame = Frame::new(&visitor, &desk, mode, Section::Offers);
    Ok(html(HttpResponse::Ok(), &view(frame, &partner, &read, desk.assets()))?)
}

fn view(frame: Frame, partner: &str, read: &OfferPage, assets: &Assets) -> View {
    let OfferPage { offer, around, .. } = read;
    let from = |amount| Amount::of(amount, offer.currency_from, assets);
    let to = |amount| Amount::of(amount, offer.currency_to, assets);
    let fees: Vec<FeeItem> = serde_json::from_value(offer.fees.clone()).unwrap_or_default();
    View {
        id: offer.id.to_string(),
        status: words::offer_status(offer.status),
        in_short: in_short(offer, read.now, assets),
        check: check(read, assets),
        request_href: offer.request_id.map(|id| format!("/dashboard/{}/requests/{partner}/{id}", offer.mode)),
        partner: format!("{} ({partner})", around.partner_name),
        customer: outside(&around.customer),
        kyc_level: around.kyc_level,
        is_customer_blocked: around.is_customer_blocked,
        card: CardPart::from(&around.card),
        card_expiry: format!("{:02}/{}", around.expiry_month, around.expiry_year),
        card_state: match (around.is_card_hidden, around.validation_status.as_str()) {
            (true, _) => Badge::new(Tone::Neutral, "Deleted by the customer"),
            (false, "approved") => Badge::new(Tone::Good, "Approved"),
            (false, "pending") => Badge::new(Tone::Open, "Being checked"),
            (false, _) => Badge::new(Tone::Bad, "Declined"),
        },
        amount: from(offer.amount),
        amount_to: to(offer.amount_to),
        total: from(offer.total),
        fixed_side: match offer.fixed_side {
            FixedSide::Source => "what is spent",
            FixedSide::Target => "what arrives",
        },
        processed: to(offer.amount_to_processed),
        returned: to(offer.amount_to_returned),
        pair: format!("{}/{}", offer.currency_from, offer.currency_to),
        price: number(offer.price),
        spread: percent(offer.spread),
        rate: rate(offer).map_or_else(|| "?".to_owned(), |rate| rate.shown().to_string()),
        fees: fees.iter().map(|fee| (fee_kind(fee.kind), from(fee.amount))).collect(),
        fee_total: from(offer.fee_total),
        schedule: schedule(&offer.rate_sources),
        least: to(offer.amount_to_min),
        most: to(offer.amount_to_max),
        reference: counted(offer, assets),
        reference_price: reference_price(offer),
        reference_board: offer.rate_sources.get("reference").and_then(board),
        board: board(&offer.rate_sources),
        rate_sources_raw: raw(&offer.rate_sources),
        version: offer.version,
        versions: versions(&around.history, assets),
        moments: moments(offer),
        frame,
    }
}

/// Where the money is, in a sentence or two.
fn in_short(offer: &Offer, now: DateTime<Utc>, assets: &Assets) -> String {
    let from = |amount| Amount::of(amount, offer.currency_from, assets).text();
    let to = |amount| Amount::of(amount, offer.currency_to, assets).text();
    let because = offer.resolution.map_or("the reason isn't known", words::resolution);
    match offer.status {
        OfferStatus::Quoted if now < offer.expires_at => {
            format!(
                "The customer was offered {} and can accept it for another {}.",
                to(offer.amount_to),
                span(age(offer.expires_at, now))
            )
        }
        OfferStatus::Quoted | OfferStatus::Expired => {
            "It wasn't accepted in time. Nothing was taken from the customer.".to_owned()
        }
        OfferStatus::Accepted => format!(
            "{} is held from the customer's balance while {} is being paid to the card.",
            from(offer.total),
            to(offer.amount_to)
        ),
        OfferStatus::Paid => format!("{} reached the card.", to(offer.amount_to_processed)),
        OfferStatus::PartlyPaid => format!(
            "{} of {} reached the card; what was held for the rest went back to the customer. It went no further: {because}.",
            to(offer.amount_to_processed),
            to(offer.amount_to)
        ),
        OfferStatus::Released => format!(
            "Nothing reached the card: {because}. All of {} went back to the customer's balance.",
            from(offer.total)
        ),
        OfferStatus::Returned => format!(
            "{} reached the card and {} of it came back; its worth went back to the customer, the fees were kept.",
            to(offer.amount_to_processed),
            to(offer.amount_to_returned)
        ),
    }
}

fn check(read: &OfferPage, assets: &Assets) -> Option<CheckView> {
    let checked = read.check.as_ref()?;
    let mut why = checked.reason.map_or(String::new(), |code| words::refusal(code).to_owned());
    if let Some((limit, currency)) = checked.limit {
        why = format!("{why} ({})", Amount::of(limit, currency, assets).text());
    }
    Some(CheckView {
        can_be_paid: checked.possible_to_execute,
        why,
        by_record: checked.reason == Some(RefusalCode::KycRequired),
    })
}

fn rate(offer: &Offer) -> Option<Rate> {
    Some(Rate { price: Price::new(offer.price).ok()?, spread: Spread::new(offer.spread).ok()? })
}

fn number(value: Decimal) -> String {
    value.normalize().to_string()
}

/// 0.02 as `2 %`.
fn percent(fraction: Decimal) -> String {
    let percent = crate::domain::exact::mul(fraction, Decimal::ONE_HUNDRED, 8, crate::domain::exact::Rounding::Down);
    percent.map_or_else(|_| fraction.to_string(), |percent| format!("{}\u{a0}%", percent.normalize()))
}

const fn fee_kind(kind: FeeKind) -> &'static str {
    match kind {
        FeeKind::Transaction => "Transaction fee",
        FeeKind::Fixed => "Fixed fee",
        FeeKind::Additional => "Additional fee",
        FeeKind::NetworkGas => "Network gas",
        FeeKind::Partner => "Partner's fee",
    }
}

fn schedule(sources: &Value) -> String {
    let id = sources.get("fee_schedule").and_then(Value::as_str).unwrap_or("?");
    match sources.get("fee_schedule_version") {
        Some(Value::Number(version)) => format!("{id}, version {version}"),
        _ => id.to_owned(),
    }
}

/// What the offer counts against limits as: of an older one the currency wasn't kept.
fn counted(offer: &Offer, assets: &Assets) -> String {
    let currency = offer.rate_sources.pointer("/reference/currency").and_then(Value::as_str);
    match currency.and_then(|currency| currency.parse::<AssetCode>().ok()) {
        Some(currency) => Amount::of(offer.amount_reference, currency, assets).text(),
        None => number(offer.amount_reference),
    }
}

/// The price that limits were counted by: `1 GBP = 1.17 EUR`.
fn reference_price(offer: &Offer) -> Option<String> {
    let reference = offer.rate_sources.get("reference")?;
    let text = |key: &str| reference.get(key).and_then(Value::as_str);
    let price = Decimal::from_str_exact(text("price")?).ok()?;
    Some(format!("1 {} = {} {}", offer.currency_to, number(price), text("currency")?))
}

fn board(sources: &Value) -> Option<BoardView> {
    let price: BoardPrice = serde_json::from_value(sources.get("board")?.clone()).ok()?;
    Some(BoardView {
        mid: number(price.mid),
        as_of: Moment::of(price.as_of),
        sources: price
            .sources
            .iter()
            .map(|quote| SourceView {
                source: quote.source.clone(),
                pair: if quote.inverted { format!("{} (turned round)", quote.pair) } else { quote.pair.to_string() },
                bid: number(quote.bid),
                ask: number(quote.ask),
                at: Moment::of(quote.at),
            })
            .collect(),
    })
}

/// Earlier versions as the row keeps them: amounts as text, currencies beside them.
fn versions(history: &Value, assets: &Assets) -> Vec<VersionView> {
    let text = |version: &Value, key: &str| version.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    let money = |version: &Value, amount: &str, currency: &str| {
        let (amount, currency) = (text(version, amount), text(version, currency));
        match (Decimal::from_str_exact(&amount), currency.parse::<AssetCode>()) {
            (Ok(amount), Ok(currency)) => Amount::of(amount, currency, assets).text(),
            _ => format!("{amount} {currency}"),
        }
    };
    history
        .as_array()
        .into_iter()
        .flatten()
        .rev()
        .map(|version| VersionView {
            version: version.get("version").map_or("?".to_owned(), Value::to_string),
            quoted_at: text(version, "quoted_at").parse::<DateTime<Utc>>().ok().map(Moment::of),
            amount: money(version, "amount", "currency_from"),
            amount_to: money(version, "amount_to", "currency_to"),
            total: money(version, "total", "currency_from"),
            price: text(version, "price"),
            board: version.get("rate_sources").and_then(board),
        })
        .collect()
}

fn moments(offer: &Offer) -> Vec<(&'static str, Moment)> {
    let all = [
        ("Priced", Some(offer.quoted_at)),
        ("Open until", Some(offer.expires_at)),
        ("Accepted", offer.accepted_at),
        ("Ended", offer.final_at),
    ];
    all.into_iter().filter_map(|(what, at)| Some((what, Moment::of(at?)))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_earlier_version_tells_the_quotes_that_made_its_price() {
        let quote = json!({
            "source": "binance", "pair": "EUR/USDT", "inverted": true, "bid": "1.0751", "ask": "1.0756", "at": "2026-11-21T12:00:00Z",
        });
        let board = json!({
            "pair": "USDT/EUR", "price": "0.929713648196", "mid": "0.92992984", "as_of": "2026-11-21T12:00:00Z", "sources": [quote],
        });
        let history = json!([{
            "version": 1, "amount": "100", "amount_to": "90", "total": "101", "currency_from": "USDT", "currency_to": "EUR",
            "price": "0.929713648196", "quoted_at": "2026-11-21T12:00:01Z",
            "rate_sources": { "board": board, "fee_schedule": "default", "fee_schedule_version": 1 },
        }, { "version": 2, "price": "0.93" }]);
        let versions = versions(&history, &Assets::default());
        let [second, first] = versions.as_slice() else { panic!("two versions, newest first") };
        assert!(second.board.is_none(), "what isn't there isn't invented");
        let quotes = &first.board.as_ref().unwrap().sources;
        assert_eq!(quotes.len(), 1);
        assert_eq!((quotes[0].source.as_str(), quotes[0].pair.as_str()), ("binance", "EUR/USDT (turned round)"));
        assert_eq!((quotes[0].bid.as_str(), quotes[0].ask.as_str()), ("1.0751", "1.0756"));
    }
}
