//! What the subjects of the contract have alike: the shipped settings at another address, accounts, cards, orders and questions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use landfall::clock::{Clock, SystemClock};
use landfall::config::providers::{ProvidersSettings, RemoteProviderSettings};
use landfall::domain::card::{CardDetails, CardExpiry, HolderName, Pan};
use landfall::domain::ids::{DepositAccountId, Mode, PayoutId, ProviderAccountId};
use landfall::domain::payout::provider_reference;
use landfall::providers::provider::{AccountContext, Destination, Inquiry, Outcome, PayoutOrder};
use landfall::providers::transport::{TcpTransport, Transport};
use rust_decimal::Decimal;
use secrecy::SecretString;

use crate::stage::{Answer, Seen, Stage};

/// The longest that an adapter of tests waits, in milliseconds.
pub const PATIENCE_MS: u64 = 700;

/// A provider's shipped settings with its sandbox at `url`, no live service, and little patience.
pub fn settings(of: impl FnOnce(ProvidersSettings) -> RemoteProviderSettings, url: &str) -> RemoteProviderSettings {
    let shipped = of(ProvidersSettings::shipped());
    RemoteProviderSettings { test_url: url.to_owned(), live_url: None, send_timeout_ms: PATIENCE_MS, ..shipped }
}

pub fn tcp() -> Arc<dyn Transport> {
    crate::support::canary::listen();
    Arc::new(TcpTransport::new().unwrap())
}

/// Where nobody listens: the port of a listener that is gone.
pub fn nowhere() -> String {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("http://{gone}")
}

/// A provider in small on a stage of its own, with what it knows.
pub fn played<Book: Send + 'static>(
    book: Book,
    answer: impl Fn(&mut Book, &Seen) -> Answer + Send + Sync + 'static,
) -> (Stage, Arc<Mutex<Book>>) {
    let book = Arc::new(Mutex::new(book));
    let kept = Arc::clone(&book);
    (Stage::open(move |seen| answer(&mut kept.lock().unwrap(), seen)), book)
}

/// An account of test mode.
pub fn account(settings: &[(&str, &str)], credentials: &[(&str, &str)]) -> AccountContext {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    AccountContext {
        account_id: ProviderAccountId::new(),
        mode: Mode::Test,
        settings: settings.iter().map(owned).collect(),
        credentials: credentials.iter().map(owned).map(|(name, value)| (name, SecretString::from(value))).collect(),
    }
}

/// The same account with other settings; `None` takes one away.
pub fn with_settings(account: &AccountContext, changes: &[(&str, Option<&str>)]) -> AccountContext {
    let mut account = account.clone();
    for (name, value) in changes {
        account.settings.remove(*name);
        account.settings.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
    }
    account
}

/// The same account with other credentials; `None` takes one away.
pub fn with_secrets(account: &AccountContext, changes: &[(&str, Option<&str>)]) -> AccountContext {
    let mut account = account.clone();
    for (name, value) in changes {
        account.credentials.remove(*name);
        account.credentials.extend(value.map(|value| ((*name).to_owned(), SecretString::from(value))));
    }
    account
}

pub fn card(number: &str, (year, month): (u16, u8), holder: &str) -> CardDetails {
    CardDetails {
        pan: Pan::parse(number).unwrap(),
        expiry: CardExpiry { year, month },
        holder: HolderName::new(holder.to_owned()),
    }
}

pub fn to(card: CardDetails) -> Destination {
    Destination { card: Some(card), billing: None, fields: BTreeMap::new() }
}

pub fn to_nobody() -> Destination {
    Destination { card: None, billing: None, fields: BTreeMap::new() }
}

/// An order under a reference as the gateway makes them for a provider that takes so many characters.
pub fn order(reference_length_max: usize, amount: Decimal, currency: &str) -> PayoutOrder {
    PayoutOrder {
        reference: provider_reference(PayoutId::new(), reference_length_max),
        deposit_account_id: DepositAccountId::new(),
        amount,
        currency: currency.parse().unwrap(),
        description: Some("Payout".to_owned()),
        statement_descriptor: None,
        resend: 0,
    }
}

/// What is asked about an order whose one send was at `sent_at`.
pub fn question_about(order: &PayoutOrder, sent_at: DateTime<Utc>) -> Inquiry {
    Inquiry {
        reference: order.reference.clone(),
        provider_original_id: None,
        amount: order.amount,
        currency: order.currency,
        is_pending: false,
        first_sent_at: sent_at,
        last_sent_at: sent_at,
    }
}

/// What is asked about an order that was sent just now.
pub fn question(order: &PayoutOrder) -> Inquiry {
    question_about(order, SystemClock.now())
}

/// The same question by the provider's own id.
pub fn by_id(question: Inquiry, id: &str) -> Inquiry {
    Inquiry { provider_original_id: Some(id.to_owned()), ..question }
}

pub fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unknown { .. })
}

pub fn is_unsent(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotSent { .. })
}
