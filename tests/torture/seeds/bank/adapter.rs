//! The provider as the engine calls it, in process: two adapters, of which one may be sent the same order again and one may not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use landfall::domain::asset::AssetCode;
use landfall::domain::payout::Resolution;
use landfall::providers::provider::{
    AccountContext, CallbackError, Capabilities, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    ReportedOutcome, ResendSafety,
};
use rust_decimal::Decimal;

use super::{Bank, SETTLING_SECS};

/// Answers a repeat of a reference with the first one's fate.
pub const STEADY: &str = "steady";
/// May pay each time that it is sent an order.
pub const ONCE: &str = "once";

/// The header that makes a callback believed.
pub const SIGNATURE: &str = "x-signature";

pub struct Adapter {
    code: &'static str,
    capabilities: Capabilities,
    bank: Bank,
}

impl Adapter {
    pub fn both(bank: &Bank) -> Vec<Arc<dyn Provider>> {
        let day = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
        vec![Arc::new(Self::new(STEADY, day, bank)), Arc::new(Self::new(ONCE, ResendSafety::Never, bank))]
    }

    fn new(code: &'static str, resend: ResendSafety, bank: &Bank) -> Self {
        let capabilities = Capabilities {
            resend,
            reference_length_max: 36,
            reference_alphabet: "abcdefghijklmnopqrstuvwxyz0123456789_-",
            settling_time: Duration::from_secs(u64::try_from(SETTLING_SECS).unwrap()),
            not_found_confirmations: 2,
            send_timeout: Duration::from_secs(2),
            currencies: ["USD", "EUR"].map(|code| code.parse().unwrap()).to_vec(),
            card_schemes: Vec::new(),
            fast_funds: true,
            has_balance: true,
            posting_lag: Duration::ZERO,
            has_callbacks: true,
        };
        Self { code, capabilities, bank: bank.clone() }
    }
}

#[async_trait]
impl Provider for Adapter {
    fn code(&self) -> &'static str {
        self.code
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, _: &Destination) -> Outcome {
        let may_repeat = matches!(self.capabilities.resend, ResendSafety::SameReferenceWithin(_));
        let said = self.bank.books().send(&account.settings["lane"], &order.reference, order.amount, may_repeat);
        match said {
            // It is about this call alone: of an earlier one that is still on its way it proves nothing.
            Outcome::Declined { resolution: Resolution::RateLimited, code, .. } if order.resend > 0 => {
                Outcome::Unknown { why: format!("{code}, of a repeat") }
            }
            Outcome::NotSent { .. }
            | Outcome::Processed { .. }
            | Outcome::Pending { .. }
            | Outcome::Declined { .. }
            | Outcome::Returned { .. }
            | Outcome::NotFound
            | Outcome::Unknown { .. } => said,
        }
    }

    async fn inquire(&self, _: &AccountContext, inquiry: &Inquiry) -> Outcome {
        self.bank.books().inquire(&inquiry.reference)
    }

    fn parse_callback(
        &self,
        _: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        let reports: Vec<ReportedOutcome> =
            serde_json::from_slice(body).map_err(|error| CallbackError::Malformed(error.to_string()))?;
        if headers.iter().any(|(name, value)| name == SIGNATURE && value == "ours") {
            return Ok(reports);
        }
        Err(CallbackError::NotVerified { references: reports.into_iter().map(|report| report.reference).collect() })
    }

    fn has_balance(&self, account: &AccountContext, _: AssetCode) -> bool {
        account.settings.contains_key("balance")
    }

    async fn balance(&self, account: &AccountContext, _: AssetCode) -> Result<Decimal, ProviderError> {
        let told = self.bank.books().balance(&account.settings["lane"]);
        told.ok_or_else(|| ProviderError::Unavailable("no answer".to_owned()))
    }

    async fn check_credentials(&self, _: &AccountContext) -> Result<(), ProviderError> {
        Ok(())
    }
}
