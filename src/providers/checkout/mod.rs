//! The adapter `checkout`: payouts to cards at Checkout.com. `docs/providers/checkout.md` tells an operator what it needs and does.
//!
//! An order is taken with 202 and becomes final later: a webhook or the look-up by our reference tells how. Nothing is ever sent twice: the
//! idempotency key replays only what ended well, so that after any other answer the same key pays again
//! (<https://www.checkout.com/docs/developer-resources/api/idempotency>). What an order met is therefore always asked for, and an order
//! that isn't found is a person's to decide.

pub mod account;
pub mod codes;
pub mod currencies;
mod holder;
pub mod map;
pub mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use subtle::ConstantTimeEq;

use self::account::Door;
use self::map::{Accepting, Asked};
use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, Destination, Inquiry, Outcome, PayoutOrder, Provider,
    ProviderError, ProviderIds, ReportedOutcome, SettingField,
};
use super::remote::{self, JSON, REFERENCE_ALPHABET, Remote, Unwritten};
use super::transport::{Transport, WireRequest, WireResponse};
use super::{signature, told};
use crate::config::providers::RemoteProviderSettings;
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
/// The most payments that the list tells at once.
const LIST_LIMIT: &str = "100";
/// Of more payments under one reference than these, nobody makes sense without a person.
const PAYMENTS_MAX: usize = 4;
/// A reference that no payout has, for the question whether the key works.
const NO_REFERENCE: &str = "landfall-credentials-check";

/// See the module's head.
pub struct CheckoutProvider {
    capabilities: Capabilities,
    remote: Remote,
}

impl CheckoutProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let capabilities = Capabilities {
            reference_length_max: REFERENCE_LENGTH_MAX,
            reference_alphabet: REFERENCE_ALPHABET,
            currencies: currencies::UNITS.currencies(),
            // Visa Direct and Mastercard Send.
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard],
            fast_funds: true,
            // Balances are told at another address (`balances.checkout.com`), which the configuration doesn't have.
            has_balance: false,
            has_callbacks: true,
            ..Capabilities::configured(settings)
        };
        Self { capabilities, remote: Remote::new(settings, transport) }
    }

    fn request(&self, door: &Door<'_>, method: &'static str, path: String) -> WireRequest {
        let request = self.remote.request_at(&door.base_url, method, path);
        request
            .with_header("Authorization", format!("Bearer {}", door.secret_key))
            .with_header("Accept", JSON.to_owned())
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        door: &Door<'_>,
        order: &PayoutOrder,
        to: &Destination,
    ) -> Result<WireRequest, Unwritten> {
        let terms = account::terms(account)?;
        let card = to.card.as_ref().ok_or(Unwritten("checkout pays to cards only"))?;
        let (first_name, last_name) =
            account::first_and_last(&card.holder).ok_or(Unwritten("the holder's name has no first and last name"))?;
        let amount = currencies::to_minor(order.amount, order.currency)
            .ok_or(Unwritten("the amount can't be written in the provider's minor units"))?;
        if !self.capabilities.takes_reference(&order.reference) {
            return Err(Unwritten("the reference isn't one that the provider takes"));
        }
        let address = holder::address(to);
        let billing_address = address.as_ref().map(holder::Address::written);
        let payout = wire::Payout {
            source: wire::Source { kind: "currency_account", id: terms.currency_account },
            destination: wire::Destination {
                kind: "card",
                number: card.pan.expose(),
                expiry_month: card.expiry.month,
                expiry_year: card.expiry.year,
                account_holder: wire::AccountHolder { kind: "individual", first_name, last_name, billing_address },
            },
            amount,
            currency: order.currency.as_str(),
            reference: &order.reference,
            billing_descriptor: order
                .statement_descriptor
                .as_deref()
                .or(terms.billing_descriptor)
                .map(|reference| wire::BillingDescriptor { reference }),
            sender: terms.sender,
            instruction: wire::Instruction { purpose: terms.purpose, funds_transfer_type: terms.funds_transfer_type },
            processing_channel_id: terms.processing_channel,
        };
        let request = self.request(door, "POST", "/payments".to_owned()).with_body(JSON, remote::json(&payout)?);
        // Not what makes a repeat safe, but what makes one that some proxy sends harmless where the first one ended well.
        Ok(request.with_header(IDEMPOTENCY_HEADER, order.reference.clone()))
    }

    /// The payments under a reference, `limit` of them at most.
    fn list(&self, door: &Door<'_>, reference: &str, limit: &str) -> WireRequest {
        let query = vec![("reference", reference.to_owned()), ("limit", limit.to_owned())];
        self.request(door, "GET", "/payments".to_owned()).with_query(query)
    }

    async fn answer(&self, door: &Door<'_>, path: String) -> Result<WireResponse, Outcome> {
        self.remote.answer_to_question(Ok(self.request(door, "GET", path))).await
    }

    /// What the payments say of the payout, with as many questions more as that needs.
    async fn settled(&self, door: &Door<'_>, payments: &[wire::Payment], asked: &Asked<'_>) -> Outcome {
        if payments.len() > PAYMENTS_MAX {
            return told::unknown(format!("{} payments under one reference", payments.len()));
        }
        let mut outcomes = Vec::with_capacity(payments.len());
        for payment in payments {
            let actions = if map::needs_actions(payment) {
                let answer = self.answer(door, format!("/payments/{}/actions", payment.id)).await;
                answer.and_then(|response| map::actions(&response))
            } else {
                Ok(Vec::new())
            };
            outcomes.push(match actions {
                Ok(actions) => map::told(payment, &actions, asked),
                Err(outcome) => outcome.naming(&map::ids(&payment.id, None)),
            });
        }
        map::together(outcomes)
    }

    /// Looks at the payment whose id Checkout.com gave.
    async fn look(&self, door: &Door<'_>, id: &str, asked: &Asked<'_>) -> Outcome {
        let answer = self.answer(door, format!("/payments/{id}")).await;
        match answer.and_then(|response| map::detailed(&response, id, asked)) {
            Ok(payment) => self.settled(door, &[payment], asked).await,
            Err(outcome) => outcome,
        }
    }

    fn is_authorized(account: &AccountContext, headers: &[(String, String)]) -> bool {
        let Some(key) = account.secret(account::AUTHORIZATION_KEY) else { return true };
        let mut told = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(AUTHORIZATION_HEADER));
        let (Some((_, told)), None) = (told.next(), told.next()) else { return false };
        key.as_bytes().ct_eq(told.trim().as_bytes()).into()
    }
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
        self.remote.modes()
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
        let door = match account::door(&self.remote, account) {
            Ok(door) => door,
            Err(why) => return why.unsent(),
        };
        let request = self.order_to_pay(account, &door, order, to);
        let asked = Asked { reference: &order.reference, amount: order.amount, currency: order.currency };
        let mut ids = ProviderIds::default();
        let conversation = async {
            match self.remote.answer_to_order(request).await {
                Ok(response) => match map::accepted(&response, asked.reference) {
                    Accepting::Done(outcome) => outcome,
                    Accepting::Look(id) => {
                        // It was taken under this id, whatever the look at it says, or if it says nothing in time.
                        ids = map::ids(&id, None);
                        self.look(&door, &id, &asked).await
                    }
                },
                Err(outcome) => outcome,
            }
        };
        let outcome = self.remote.within(conversation).await;
        outcome.naming(&ids)
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let door = match account::door(&self.remote, account) {
            Ok(door) => door,
            Err(why) => return why.unasked(),
        };
        let asked = Asked { reference: &inquiry.reference, amount: inquiry.amount, currency: inquiry.currency };
        self.remote
            .within(async {
                let list = self.list(&door, &inquiry.reference, LIST_LIMIT);
                let answer = self.remote.answer_to_question(Ok(list)).await;
                let listed = answer.and_then(|response| map::listed(&response, &asked));
                match (listed, inquiry.provider_original_id.as_deref()) {
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
        let named = self.capabilities.named_reference(body, "/data/reference");
        let key = account.credentials.get(account::SIGNATURE_KEY);
        let is_signed = signature::is_signed(key, SIGNATURE_HEADER, headers, body);
        if !is_signed || !Self::is_authorized(account, headers) {
            return Err(CallbackError::NotVerified { references: named.into_iter().collect() });
        }
        let event: wire::Event = serde_json::from_slice(body)
            .map_err(|_| CallbackError::Malformed("not an event of a payment".to_owned()))?;
        // A webhook may be told of much more than payouts: what names no reference of ours is well received and says nothing.
        let Some(reference) = named else { return Ok(Vec::new()) };
        let outcome = match serde_json::from_value(event.data.clone()) {
            Ok(data) => map::event(&event, &data),
            Err(_) => told::unknown(format!("the event {:?}, which can't be read", told::clipped(&event.kind))),
        };
        // "The order in which we send them may vary", and nothing in them tells it.
        Ok(vec![ReportedOutcome { reference, outcome, sequence: None }])
    }

    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        let door = account::door(&self.remote, account)?;
        account::terms(account)?;
        if account.secret(account::SIGNATURE_KEY).is_none() {
            return Err(Unwritten("webhook_signature_key is missing").into());
        }
        self.remote.fetch(Ok(self.list(&door, NO_REFERENCE, "1")), map::answered).await
    }
}
