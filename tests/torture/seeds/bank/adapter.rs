//! The `http` adapter as the engine calls it here: over the line in process, under two codes, of which one may be sent the same order
//! again and one may not.

use std::sync::Arc;

use async_trait::async_trait;
use landfall::config::providers::{HttpProviderSettings, Resend};
use landfall::domain::asset::AssetCode;
use landfall::providers::http::{API_KEY, CALLBACK_SECRET, HttpProvider};
use landfall::providers::provider::{
    AccountContext, CallbackError, Capabilities, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    ReportedOutcome,
};
use rust_decimal::Decimal;
use secrecy::SecretString;

use super::line::Line;
use super::{Bank, SETTLING_MS};

/// Answers a repeat of a reference with the first one's fate.
pub const STEADY: &str = "steady";
/// May pay each time that it is sent an order.
pub const ONCE: &str = "once";

/// What a lane and its bank have in common.
pub fn secret_of(what: &str, lane: &str) -> SecretString {
    SecretString::from(format!("{what}-of-{lane}"))
}

pub struct Adapter {
    code: &'static str,
    http: HttpProvider,
}

impl Adapter {
    pub fn both(bank: &Bank) -> Vec<Arc<dyn Provider>> {
        let new = |code, resend| {
            let settings = HttpProviderSettings {
                send_timeout_ms: 2_000,
                settling_time_ms: SETTLING_MS,
                not_found_confirmations: 2,
                posting_lag_ms: 0,
                resend,
                inner_networks: Vec::new(),
            };
            let http = HttpProvider::with_transport(&settings, Arc::new(Line(bank.clone())));
            Arc::new(Self { code, http }) as Arc<dyn Provider>
        };
        vec![new(STEADY, Resend::SameReference), new(ONCE, Resend::Never)]
    }
}

/// The account with its secrets, which configuration takes from the environment only.
fn keyed(account: &AccountContext) -> AccountContext {
    let lane = &account.settings["account"];
    let mut account = account.clone();
    account.credentials.insert(API_KEY.to_owned(), secret_of("key", lane));
    account.credentials.insert(CALLBACK_SECRET.to_owned(), secret_of("callbacks", lane));
    account
}

#[async_trait]
impl Provider for Adapter {
    fn code(&self) -> &'static str {
        self.code
    }

    fn capabilities(&self) -> &Capabilities {
        self.http.capabilities()
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        self.http.send(&keyed(account), order, to).await
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        self.http.inquire(&keyed(account), inquiry).await
    }

    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        self.http.parse_callback(&keyed(account), headers, body)
    }

    fn has_balance(&self, account: &AccountContext, currency: AssetCode) -> bool {
        self.http.has_balance(account, currency)
    }

    async fn balance(&self, account: &AccountContext, currency: AssetCode) -> Result<Decimal, ProviderError> {
        self.http.balance(&keyed(account), currency).await
    }

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        self.http.check_credentials(&keyed(account)).await
    }
}
