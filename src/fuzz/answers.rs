//! What providers answer: each adapter sends an order, or asks about it, and gets any status with any bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::{Decimal, dec};
use secrecy::SecretString;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::{assert_tells_no_number, debug_text};
use crate::clock::Clock;
use crate::config::providers::ProvidersSettings;
use crate::domain::card::{BillingAddress, CardDetails, CardExpiry, HolderName, Pan};
use crate::domain::ids::{DepositAccountId, Mode, ProviderAccountId};
use crate::providers::adyen::AdyenProvider;
use crate::providers::checkout::CheckoutProvider;
use crate::providers::echo::{self, Sent};
use crate::providers::http::HttpProvider;
use crate::providers::provider::{
    AccountContext, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderIds, ResendSafety,
};
use crate::providers::tabapay::TabapayProvider;
use crate::providers::told::TEXT_CHARS_MAX;
use crate::providers::transport::{Transport, TransportError, WireRequest, WireResponse};
use crate::providers::worldpay::WorldpayProvider;

/// Room for what adapters say beside a provider's text.
const WHY_CHARS_MAX: usize = 4 * TEXT_CHARS_MAX;
const NUMBER: &str = "4111111111111111";
/// As seeds have it.
const REFERENCE: &str = "0h5jx3k9qz7abcd";
/// By the first byte: what providers answer with, and what they shouldn't.
const STATUSES: [u16; 16] = [200, 201, 202, 207, 204, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503, 299];

/// Answers every call alike.
struct Alike(std::sync::Mutex<(u16, Vec<u8>)>);

#[async_trait]
impl Transport for Alike {
    async fn call(&self, _: WireRequest) -> Result<WireResponse, TransportError> {
        let (status, body) = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        Ok(WireResponse { status, body })
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_000_000, 0).unwrap_or_default()
    }
}

struct Stage {
    transport: Arc<Alike>,
    /// Each with an account, and an order's currency that it takes.
    providers: Vec<(Arc<dyn Provider>, AccountContext, &'static str)>,
    runtime: std::sync::Mutex<tokio::runtime::Runtime>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let shipped = ProvidersSettings::shipped();
    let transport = Arc::new(Alike(std::sync::Mutex::new((200, Vec::new()))));
    let carries = || Arc::clone(&transport) as Arc<dyn Transport>;
    let providers: Vec<(Arc<dyn Provider>, AccountContext, &'static str)> = vec![
        (
            Arc::new(AdyenProvider::new(&shipped.adyen, carries())),
            account(&[("balance_account_id", "BA00000000000000000000001")], &["api_key"]),
            "EUR",
        ),
        (
            Arc::new(CheckoutProvider::new(&shipped.checkout, carries())),
            account(
                &[
                    ("currency_account_id", "ca_y3oqhf46pyzuxjbcn2giaqnb44"),
                    ("processing_channel_id", "pc_hpswyyx23geezflc2ocz3exn4y"),
                    ("funds_transfer_type", "FD"),
                ],
                &["secret_key", "webhook_signature_key"],
            ),
            "EUR",
        ),
        (
            Arc::new(TabapayProvider::with_clock(&shipped.tabapay, carries(), Arc::new(Still))),
            account(
                &[("client_id", "TabaPay_Client_22Chars"), ("settlement_account_id", "SettlementAccountID_22")],
                &["bearer_token"],
            ),
            "USD",
        ),
        (
            Arc::new(WorldpayProvider::new(&shipped.worldpay, carries())),
            account(
                &[("entity", "default"), ("method", "fast_access"), ("narrative", "Landfall")],
                &["username", "password"],
            ),
            "GBP",
        ),
        (
            Arc::new(HttpProvider::with_transport(&shipped.http, carries())),
            account(
                &[("base_url", "http://127.0.0.1:1"), ("account", "main"), ("balance", "provider")],
                &["api_key", "callback_secret"],
            ),
            "EUR",
        ),
    ];
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => std::sync::Mutex::new(runtime),
        Err(error) => panic!("no runtime: {error}"),
    };
    Stage { transport, providers, runtime }
});

fn account(settings: &[(&str, &str)], secrets: &[&str]) -> AccountContext {
    AccountContext {
        account_id: ProviderAccountId(Uuid::from_u128(1)),
        mode: Mode::Test,
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        credentials: secrets.iter().map(|name| ((*name).to_owned(), SecretString::from("a secret"))).collect(),
    }
}

fn destination() -> Option<Destination> {
    let card = CardDetails {
        pan: Pan::parse(NUMBER).ok()?,
        expiry: CardExpiry { year: 2035, month: 12 },
        holder: HolderName::parse("Ada Lovelace").ok()?,
    };
    let billing = BillingAddress {
        line1: Some("274 Brannan St".to_owned()),
        line2: None,
        city: Some("San Francisco".to_owned()),
        country: Some("US".to_owned()),
        postal_code: Some("94107".to_owned()),
        state: Some("CA".to_owned()),
    };
    Some(Destination { card: Some(card), billing: Some(billing), fields: BTreeMap::new() })
}

/// The provider, the status and the body that `data` stands for.
fn staged(data: &[u8]) -> Option<(&'static Stage, usize, u16, &[u8])> {
    let (first, body) = data.split_first()?;
    let status = STATUSES[usize::from(first & 0x0f)];
    let stage = &*STAGE;
    let which = usize::from(first >> 4) % stage.providers.len();
    *stage.transport.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (status, body.to_vec());
    Some((stage, which, status, body))
}

fn without_ids(outcome: Outcome) -> Outcome {
    let ids = ProviderIds::default();
    match outcome {
        Outcome::Processed { amount, .. } => Outcome::Processed { amount, ids },
        Outcome::Pending { .. } => Outcome::Pending { ids },
        Outcome::Returned { amount, .. } => Outcome::Returned { amount, ids },
        Outcome::Unknown { why, .. } => Outcome::Unknown { why, ids },
        Outcome::Declined { .. } | Outcome::NotFound | Outcome::NotSent { .. } => outcome,
    }
}

/// What any outcome must be, whatever was answered.
fn check(code: &str, outcome: Outcome, sent: Sent<'_>, status: u16, body: &[u8], asked: Decimal) {
    let outcome = &echo::without_number(outcome, sent);
    let told = debug_text(outcome);
    if matches!(sent, Sent::NotKnown) {
        assert_tells_no_number("an outcome", &told);
    } else {
        // Another number may be the provider's id.
        assert!(!told.contains(NUMBER), "the number that was sent is kept");
        assert_tells_no_number("an outcome", &debug_text(&without_ids(outcome.clone())));
    }
    match outcome {
        Outcome::Processed { amount, ids } => {
            assert!(*amount > Decimal::ZERO, "{told}");
            assert!(ids.debited.is_none_or(|debited| debited >= Decimal::ZERO), "{told}");
            assert!((200..300).contains(&status), "HTTP {status} is {told}");
        }
        Outcome::Returned { amount, .. } => {
            assert!(*amount > Decimal::ZERO && *amount <= asked * dec!(1000000), "{told}");
        }
        Outcome::Unknown { why, .. } | Outcome::NotSent { why, .. } => {
            assert!(why.chars().count() <= WHY_CHARS_MAX, "{told}");
        }
        Outcome::Declined { code: theirs, message, .. } => {
            assert!(theirs.chars().count() <= WHY_CHARS_MAX && message.chars().count() <= WHY_CHARS_MAX, "{told}");
        }
        Outcome::Pending { .. } | Outcome::NotFound => {}
    }
    // What nobody reads may be anything that has JSON's form.
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if !is_json && (200..300).contains(&status) {
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{code}: HTTP {status} without JSON is {told}");
    }
}

pub(super) fn send(data: &[u8]) {
    let Some((stage, which, status, body)) = staged(data) else { return };
    let Some(to) = destination() else { return };
    let (provider, account, currency) = &stage.providers[which];
    let Ok(currency) = currency.parse() else { return };
    let order = |resend| PayoutOrder {
        reference: REFERENCE.to_owned(),
        deposit_account_id: DepositAccountId(Uuid::from_u128(2)),
        amount: dec!(100.50),
        currency,
        description: Some("Payout".to_owned()),
        statement_descriptor: None,
        resend,
    };
    let runtime = stage.runtime.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let resends: &[u32] = if provider.capabilities().resend == ResendSafety::Never { &[0] } else { &[0, 1] };
    for resend in resends.iter().copied() {
        let outcome = runtime.block_on(provider.send(account, &order(resend), &to));
        assert!(
            !matches!(outcome, Outcome::NotSent { .. }),
            "{} was answered, so it was sent: {outcome:?}",
            provider.code()
        );
        let Some(card) = &to.card else { return };
        check(provider.code(), outcome, Sent::Number(&card.pan), status, body, dec!(100.50));
    }
}

pub(super) fn inquiry(data: &[u8]) {
    let Some((stage, which, status, body)) = staged(data) else { return };
    let (provider, account, currency) = &stage.providers[which];
    let Ok(currency) = currency.parse() else { return };
    // Long enough ago to be asked about.
    let sent_at = Still.now() - TimeDelta::hours(2);
    let runtime = stage.runtime.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for is_pending in [false, true] {
        let inquiry = Inquiry {
            reference: REFERENCE.to_owned(),
            provider_original_id: is_pending.then(|| "6JKRLZ8LOT000001".to_owned()),
            amount: dec!(100.50),
            currency,
            is_pending,
            first_sent_at: sent_at,
            last_sent_at: sent_at,
        };
        let outcome = runtime.block_on(provider.inquire(account, &inquiry));
        assert!(!matches!(outcome, Outcome::NotSent { .. }), "a question says nothing of what was sent");
        check(provider.code(), outcome, Sent::NotKnown, status, body, dec!(100.50));
        let _ = runtime.block_on(provider.balance(account, currency));
        let _ = runtime.block_on(provider.check_credentials(account));
    }
}
