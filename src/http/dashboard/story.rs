//! One story of a payout, from the quote to the card, in plain words: what was offered and by which prices, what was checked, how it was
//! routed, what each provider was asked and said, what the ledger booked, and who did what.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::detail::Happened;
use super::parts::{Amount, Moment, outside, raw};
use super::words;
use crate::domain::asset::{AssetCode, Assets};
use crate::rates::BoardPrice;
use crate::staff::desk::{Booked, Event, Offer, RequestPage};

/// Everything that happened to a request, its offer and its payouts, in the order in which it did.
pub fn of_request(read: &RequestPage, assets: &Assets) -> Vec<Happened> {
    let request = &read.request;
    let mut story: Vec<(DateTime<Utc>, Happened)> = Vec::new();
    if let Some(offer) = &read.offer {
        story.extend(of_offer(offer, assets));
    }
    story.extend(read.events.iter().map(|event| (event.at, of_event(event, request.currency, assets))));
    story.extend(of_ledger(&read.booked, assets));
    // Of the same moment, in this order: the offer, the event, what was booked for it.
    story.sort_by_key(|(at, _)| *at);
    story.into_iter().map(|(_, happened)| happened).collect()
}

pub fn of_event(event: &Event, currency: AssetCode, assets: &Assets) -> Happened {
    Happened {
        at: Moment::of(event.at),
        words: words::event(&event.kind, &event.data, currency, assets),
        actor: outside(&event.actor),
        kind: event.kind.clone(),
        routing: words::trace(&event.data, currency, assets),
        raw: raw(&event.data),
    }
}

fn happened(at: DateTime<Utc>, words: String, actor: &str, kind: &str, data: &Value) -> (DateTime<Utc>, Happened) {
    let (actor, kind) = (outside(actor), kind.to_owned());
    (at, Happened { at: Moment::of(at), words, actor, kind, routing: None, raw: raw(data) })
}

fn of_offer(offer: &Offer, assets: &Assets) -> Vec<(DateTime<Utc>, Happened)> {
    let from = |amount| Amount::of(amount, offer.currency_from, assets).text();
    let to = |amount| Amount::of(amount, offer.currency_to, assets).text();
    let sources = &offer.rate_sources;
    let quoted = format!(
        "The customer was offered {} on the card for {}, fees of {} included: one {} at {} {}, less a spread of {}{}. One offer could pay \
         {} to {} then.",
        to(offer.amount_to),
        from(offer.total),
        from(offer.fee_total),
        offer.currency_from,
        offer.price.normalize(),
        offer.currency_to,
        percent(offer.spread),
        priced_by(sources),
        to(offer.amount_to_min),
        to(offer.amount_to_max),
    );
    let mut story = vec![happened(offer.quoted_at, quoted, "wallet", "offer_priced", sources)];
    if let Some(at) = offer.accepted_at {
        let words = format!(
            "The customer accepted it. Their KYC level, their card, the block list and the limits were checked, and let it pass: it counts \
             as {} against what the customer, the card and the partner may pay out.",
            offer.amount_reference.normalize(),
        );
        let data = json!({ "offer": offer.id.to_string(), "counts_as": offer.amount_reference.to_string() });
        story.push(happened(at, words, "wallet", "offer_accepted", &data));
    }
    story
}

/// `, by the prices of binance and kraken, 2 s old`.
fn priced_by(sources: &Value) -> String {
    let board = sources.get("board").and_then(|board| serde_json::from_value::<BoardPrice>(board.clone()).ok());
    let Some(board) = board else { return String::new() };
    let mut names: Vec<&str> = board.sources.iter().map(|quote| quote.source.as_str()).collect();
    names.dedup();
    match names.as_slice() {
        [] => String::new(),
        names => format!(", by the prices of {}", names.join(", ")),
    }
}

fn percent(fraction: Decimal) -> String {
    let percent = fraction.checked_mul(Decimal::ONE_HUNDRED).unwrap_or_default();
    format!("{}\u{a0}%", percent.normalize())
}

/// What was booked, an entry a sentence.
fn of_ledger(booked: &[Booked], assets: &Assets) -> Vec<(DateTime<Utc>, Happened)> {
    booked
        .chunk_by(|one, other| one.id == other.id)
        .filter_map(|entry| {
            let first = entry.first()?;
            let postings: Vec<Value> = entry
                .iter()
                .map(|line| json!({ "account": line.account, "asset": line.asset.to_string(), "amount": line.amount.to_string() }))
                .collect();
            let data = json!({ "kind": first.kind, "reference": first.reference, "postings": postings });
            Some(happened(first.at, in_words(entry, &first.kind, assets), "ledger", &first.kind, &data))
        })
        .collect()
}

fn in_words(entry: &[Booked], kind: &str, assets: &Assets) -> String {
    let of = |accounts: &[&str]| {
        let lines = entry.iter().filter(|line| line.account.as_deref().is_some_and(|kind| accounts.contains(&kind)));
        let told: Vec<String> = lines.map(|line| Amount::of(line.amount.abs(), line.asset, assets).text()).collect();
        if told.is_empty() { "an amount".to_owned() } else { told.join(" and ") }
    };
    let held = ["user_held", "partner_held"];
    let available = ["user_available", "partner_available"];
    match kind {
        "hold" => format!("In the ledger: {} was held from the balance.", of(&held)),
        "release" => format!("In the ledger: {} went back from the hold to the balance.", of(&available)),
        "settle" => {
            format!(
                "In the ledger: {} left the hold, and {} left our money at the provider.",
                of(&held),
                of(&["provider_funding"])
            )
        }
        "return" => format!("In the ledger: {} came back to the balance.", of(&available)),
        "payout_cost" => format!("In the ledger: the payout cost us {}.", of(&["payout_cost"])),
        "late_success" => format!("In the ledger: {} is to be recovered.", of(&["recoverable"])),
        other => format!("In the ledger: {}.", words::entry(other)),
    }
}
