//! The adapter `checkout`: payouts to cards at Checkout.com. `docs/providers/checkout.md` tells an operator what it needs and does.
//!
//! An order is taken with 202 and becomes final later: a webhook or the look-up by our reference tells how. Nothing is ever sent twice: the
//! idempotency key replays only what ended well, so that after any other answer the same key pays again
//! (<https://www.checkout.com/docs/developer-resources/api/idempotency>). What an order met is therefore always asked for, and an order
//! that isn't found is a person's to decide.

pub mod account;
pub mod codes;
pub mod currencies;
pub mod map;
pub mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use self::account::{Door, Unwritten};
use self::map::{Accepting, Asked};
use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, Destination, Inquiry, Outcome, PayoutOrder, Provider,
    ProviderError, ReportedOutcome, ResendSafety, SettingField,
};
use super::transport::{Transport, TransportError, WireRequest, WireResponse};
use super::{signature, told};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;

/// The adapter's code.
pub const CODE: &str = "checkout";

/// Carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "Cko-Signature";
/// Carries a webhook's authorization key, where the webhook has one.
const AUTHORIZATION_HEADER: &str = "Authorization";
const IDEMPOTENCY_HEADER: &str = "Cko-Idempotency-Key";

/// The API reference has 80 for payments and no limit for payouts; ours are shorter than either.
const REFERENCE_LENGTH_MAX: usize = 50;
const REFERENCE_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
/// The most payments that the list tells at once.
const LIST_LIMIT: &str = "100";
/// Of more payments under one reference than these, nobody makes sense without a person.
const PAYMENTS_MAX: usize = 4;
/// A reference that no payout has, for the question whether the key works.
const NO_REFERENCE: &str = "landfall-credentials-check";
/// An order's body is written in one piece of memory, which is wiped: longer ones would leave copies behind as they grow.
const BODY_BYTES: usize = 4096;

/// See the module's head.
pub struct CheckoutProvider {
    settings: RemoteProviderSettings,
    capabilities: Capabilities,
    transport: Arc<dyn Transport>,
}

impl CheckoutProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let capabilities = Capabilities {
            resend: ResendSafety::Never,
            reference_length_max: REFERENCE_LENGTH_MAX,
            reference_alphabet: REFERENCE_ALPHABET,
            settling_time: settings.settling_time(),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: settings.send_timeout(),
            currencies: currencies::UNITS.currencies(),
            // Visa Direct and Mastercard Send.
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard],
            fast_funds: true,
            // Balances are told at another address (`balances.checkout.com`), which the configuration doesn't have.
            has_balance: false,
            posting_lag: settings.posting_lag(),
            has_callbacks: true,
        };
        Self { settings: settings.clone(), capabilities, transport }
    }

    fn request(&self, door: &Door<'_>, method: &'static str, path: String) -> WireRequest {
        WireRequest {
            method,
            base_url: door.base_url.clone(),
            path,
            query: Vec::new(),
            headers: vec![
                ("Authorization", Zeroizing::new(format!("Bearer {}", door.secret_key))),
                ("Accept", Zeroizing::new("application/json".to_owned())),
            ],
            body: Zeroizing::new(Vec::new()),
            timeout: self.capabilities.send_timeout,
        }
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        order: &PayoutOrder,
        to: &Destination,
    ) -> Result<WireRequest, Unwritten> {
        let door = account::door(&self.settings, account)?;
        let terms = account::terms(account)?;
        let card = to.card.as_ref().ok_or(Unwritten("checkout pays to cards only"))?;
        let (first_name, last_name) =
            account::first_and_last(&card.holder).ok_or(Unwritten("the holder's name has no first and last name"))?;
        let amount = currencies::to_minor(order.amount, order.currency)
            .ok_or(Unwritten("the amount can't be written in the provider's minor units"))?;
        if !is_reference(&order.reference) {
            return Err(Unwritten("the reference isn't one that the provider takes"));
        }
        let payout = wire::Payout {
            source: wire::Source { kind: "currency_account", id: terms.currency_account },
            destination: wire::Destination {
                kind: "card",
                number: card.pan.expose(),
                expiry_month: card.expiry.month,
                expiry_year: card.expiry.year,
                account_holder: wire::AccountHolder { kind: "individual", first_name, last_name },
            },
            amount,
            currency: order.currency.as_str(),
            reference: &order.reference,
            billing_descriptor: terms.billing_descriptor.map(|reference| wire::BillingDescriptor { reference }),
            sender: terms.sender,
            instruction: wire::Instruction { purpose: terms.purpose, funds_transfer_type: terms.funds_transfer_type },
            processing_channel_id: terms.processing_channel,
        };
        let mut request = self.request(&door, "POST", "/payments".to_owned());
        request.headers.push(("Content-Type", Zeroizing::new("application/json".to_owned())));
        // Not what makes a repeat safe, but what makes one that some proxy sends harmless where the first one ended well.
        request.headers.push((IDEMPOTENCY_HEADER, Zeroizing::new(order.reference.clone())));
        request.body = Zeroizing::new(Vec::with_capacity(BODY_BYTES));
        serde_json::to_writer(&mut *request.body, &payout).map_err(|_| Unwritten("the order can't be written"))?;
        Ok(request)
    }

    async fn ask(
        &self,
        door: &Door<'_>,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Result<WireResponse, TransportError> {
        let mut request = self.request(door, "GET", path);
        request.query = query;
        self.transport.call(request).await
    }

    /// What the payments say of the payout, with as many questions more as that needs.
    async fn settled(&self, door: &Door<'_>, payments: &[wire::Payment], asked: &Asked<'_>) -> Outcome {
        if payments.len() > PAYMENTS_MAX {
            return told::unknown(format!("{} payments under one reference", payments.len()));
        }
        let mut outcomes = Vec::with_capacity(payments.len());
        for payment in payments {
            let actions = if map::needs_actions(payment) {
                match self.ask(door, format!("/payments/{}/actions", payment.id), Vec::new()).await {
                    Ok(response) => map::actions(&response),
                    Err(error) => Err(told::unasked(&error)),
                }
            } else {
                Ok(Vec::new())
            };
            outcomes.push(match actions {
                Ok(actions) => map::told(payment, &actions, asked),
                Err(outcome) => outcome,
            });
        }
        map::together(outcomes)
    }

    /// Looks at the payment whose id Checkout.com gave.
    async fn look(&self, door: &Door<'_>, id: &str, asked: &Asked<'_>) -> Outcome {
        let payment = match self.ask(door, format!("/payments/{id}"), Vec::new()).await {
            Ok(response) => map::detailed(&response, id, asked),
            Err(error) => Err(told::unasked(&error)),
        };
        match payment {
            Ok(payment) => self.settled(door, &[payment], asked).await,
            Err(outcome) => outcome,
        }
    }

    /// Within the send time-out, however many questions it takes.
    async fn within(&self, conversation: impl Future<Output = Outcome> + Send) -> Outcome {
        let timeout = self.capabilities.send_timeout;
        match tokio::time::timeout(timeout, conversation).await {
            Ok(outcome) => outcome,
            Err(_) => told::unknown(format!("no answer within {} ms", timeout.as_millis())),
        }
    }

    fn is_authorized(account: &AccountContext, headers: &[(String, String)]) -> bool {
        let Some(key) = account::credential(account, account::AUTHORIZATION_KEY) else { return true };
        let mut told = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION_HEADER));
        let (Some((_, told)), None) = (told.next(), told.next()) else { return false };
        key.expose_secret().as_bytes().ct_eq(told.trim().as_bytes()).into()
    }
}

fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_LENGTH_MAX).contains(&text.len()) && text.chars().all(|c| REFERENCE_ALPHABET.contains(c))
}

/// The reference that a body names, if it names one that could be ours.
fn named_reference(body: &[u8]) -> Option<String> {
    let named = serde_json::from_slice::<wire::Named>(body).ok()?;
    Some(named.data.reference).filter(|reference| is_reference(reference))
}

#[async_trait]
impl Provider for CheckoutProvider {
    fn code(&self) -> &'static str {
        CODE
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn modes(&self) -> &[Mode] {
        self.settings.modes()
    }

    fn credentials_schema(&self) -> &[CredentialField] {
        &account::CREDENTIALS
    }

    fn callback_credentials(&self) -> &[&'static str] {
        &[account::SIGNATURE_KEY, account::AUTHORIZATION_KEY]
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        Some(&account::SETTINGS)
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        if order.resend > 0 {
            // After an answer that wasn't 2xx the same key pays again, and after a day any does.
            return told::unknown("not sent again: a repeat may pay again".to_owned());
        }
        let unsent = |Unwritten(why): Unwritten| Outcome::NotSent { why: why.to_owned() };
        let door = match account::door(&self.settings, account) {
            Ok(door) => door,
            Err(why) => return unsent(why),
        };
        let request = match self.order_to_pay(account, order, to) {
            Ok(request) => request,
            Err(why) => return unsent(why),
        };
        let asked = Asked { reference: &order.reference, amount: order.amount, currency: order.currency };
        self.within(async {
            let response = match self.transport.call(request).await {
                Ok(response) => response,
                Err(error) => return told::unanswered(&error),
            };
            match map::accepted(&response, asked.reference) {
                Accepting::Done(outcome) => outcome,
                Accepting::Look(id) => self.look(&door, &id, &asked).await,
            }
        })
        .await
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let door = match account::door(&self.settings, account) {
            Ok(door) => door,
            Err(Unwritten(why)) => return told::unknown(why.to_owned()),
        };
        let asked = Asked { reference: &inquiry.reference, amount: inquiry.amount, currency: inquiry.currency };
        self.within(async {
            let query = vec![("reference", inquiry.reference.clone()), ("limit", LIST_LIMIT.to_owned())];
            let response = match self.ask(&door, "/payments".to_owned(), query).await {
                Ok(response) => response,
                Err(error) => return told::unasked(&error),
            };
            match (map::listed(&response, &asked), inquiry.provider_original_id.as_deref()) {
                (Ok(payments), _) => self.settled(&door, &payments, &asked).await,
                // It was taken: the list may be behind, and its id is known.
                (Err(Outcome::NotFound), Some(id)) if map::is_payment_id(id) => self.look(&door, id, &asked).await,
                (Err(outcome), _) => outcome,
            }
        })
        .await
    }

    fn parse_callback(
        &self,
        account: &AccountContext,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        let key = account::credential(account, account::SIGNATURE_KEY);
        let is_signed = signature::is_signed(key, SIGNATURE_HEADER, headers, body);
        if !is_signed || !Self::is_authorized(account, headers) {
            return Err(CallbackError::NotVerified { references: named_reference(body).into_iter().collect() });
        }
        let event: wire::Event = serde_json::from_slice(body)
            .map_err(|_| CallbackError::Malformed("not an event of a payment".to_owned()))?;
        // A webhook may be told of much more than payouts: what names no reference of ours is well received and says nothing.
        let Some(reference) = named_reference(body) else { return Ok(Vec::new()) };
        let outcome = match serde_json::from_value(event.data.clone()) {
            Ok(data) => map::event(&event, &data),
            Err(_) => told::unknown(format!("the event {:?}, which can't be read", told::clipped(&event.kind))),
        };
        // "The order in which we send them may vary", and nothing in them tells it.
        Ok(vec![ReportedOutcome { reference, outcome, sequence: None }])
    }

    async fn balance(&self, _account: &AccountContext, _currency: AssetCode) -> Result<Decimal, ProviderError> {
        Err(ProviderError::NotSupported)
    }

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        let refused = |Unwritten(why): Unwritten| ProviderError::Credentials(why.to_owned());
        let door = account::door(&self.settings, account).map_err(refused)?;
        account::terms(account).map_err(refused)?;
        if account::credential(account, account::SIGNATURE_KEY).is_none() {
            return Err(refused(Unwritten("webhook_signature_key is missing")));
        }
        let query = vec![("reference", NO_REFERENCE.to_owned()), ("limit", "1".to_owned())];
        let timeout: Duration = self.capabilities.send_timeout;
        match tokio::time::timeout(timeout, self.ask(&door, "/payments".to_owned(), query)).await {
            Ok(answer) => map::answered(answer),
            Err(_) => Err(ProviderError::Unavailable(format!("no answer within {} ms", timeout.as_millis()))),
        }
    }
}
