//! The adapter `worldpay`, for Worldpay's Card Payouts API, version 4: a card by its number, paid by a basic disbursement or by Fast
//! Access (Visa Direct, Mastercard Send), as the account's setting `method` says.
//!
//! The outcome comes with the answer. There is no idempotency key, so nothing is ever sent twice, and an answer that doesn't tell for sure
//! is asked about by our reference and the account's entity (`GET /payouts/query`), which is the one look-up that a lost answer leaves.
//! Links in answers are never followed. It reads no callbacks: the API's description has none.

pub mod codes;
mod holder;
pub mod map;
pub mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, CredentialKind, Destination, Inquiry, Outcome,
    PayoutOrder, Provider, ProviderError, ReportedOutcome, ResendSafety, SettingField,
};
use super::told;
use super::transport::{Transport, TransportError, WireRequest, WireResponse};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::asset::AssetCode;
use crate::domain::card::{CardDetails, CardScheme, strike_numbers};
use crate::domain::ids::Mode;
use map::CURRENCIES;
use wire::MEDIA_TYPE;

/// The adapter's code.
pub const CODE: &str = "worldpay";

pub const USERNAME: &str = "username";
pub const PASSWORD: &str = "password";
pub const ENTITY: &str = "entity";
pub const METHOD: &str = "method";
pub const BASIC: &str = "basic";
pub const FAST_ACCESS: &str = "fast_access";
pub const NARRATIVE: &str = "narrative";
pub const FALLBACK_TO_BASIC: &str = "fallback_to_basic";

/// The API takes 64 characters, but its reference "Formatting" asks for 9 to 20: longer ones are cut by some acquirers.
const REFERENCE_LENGTH_MAX: usize = 20;
/// The API takes many more, of which its reference "Formatting" says that its firewall may take them for an attack.
const REFERENCE_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ENTITY_LENGTH_MAX: usize = 32;
/// Of each line (reference "Formatting").
const NARRATIVE_LENGTH_MAX: usize = 24;
/// More than any order has, so that no copy of the card's number is left behind where a buffer grew.
const BODY_CAPACITY: usize = 4096;
/// No payout's: ours have no hyphens.
const REFERENCE_OF_NOBODY: &str = "credentials-check";

/// See the module's head.
pub struct WorldpayProvider {
    settings: RemoteProviderSettings,
    capabilities: Capabilities,
    transport: Arc<dyn Transport>,
}

/// Why a request isn't even written.
struct Unwritten(&'static str);

/// How an account pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Basic,
    FastAccess,
}

impl Method {
    fn of(account: &AccountContext) -> Result<Self, Unwritten> {
        match account.settings.get(METHOD).map(String::as_str) {
            Some(BASIC) => Ok(Self::Basic),
            Some(FAST_ACCESS) => Ok(Self::FastAccess),
            _ => Err(Unwritten("the setting `method` is neither `basic` nor `fast_access`")),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Basic => "/payouts/basicDisbursement",
            Self::FastAccess => "/payouts/fastAccess",
        }
    }

    fn outcomes(self) -> &'static [(&'static str, map::Fate)] {
        match self {
            Self::Basic => &map::BASIC,
            Self::FastAccess => &map::FAST_ACCESS,
        }
    }
}

impl WorldpayProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        let capabilities = Capabilities {
            resend: ResendSafety::Never,
            reference_length_max: REFERENCE_LENGTH_MAX,
            reference_alphabet: REFERENCE_ALPHABET,
            settling_time: settings.settling_time(),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: settings.send_timeout(),
            currencies: CURRENCIES.currencies(),
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard, CardScheme::Maestro],
            // Not of every account: basic disbursements take days, and Fast Access falls back to them.
            fast_funds: false,
            has_balance: false,
            posting_lag: settings.posting_lag(),
            has_callbacks: false,
        };
        Self { settings: settings.clone(), capabilities, transport }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        path: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<WireRequest, Unwritten> {
        let base_url = self.settings.base_url(account.mode);
        let base_url = base_url.ok_or(Unwritten("the configuration has no URL for this mode"))?.to_owned();
        let headers =
            vec![("Authorization", authorization(account)?), ("Accept", Zeroizing::new(MEDIA_TYPE.to_owned()))];
        let timeout = self.capabilities.send_timeout;
        let body = Zeroizing::new(Vec::new());
        Ok(WireRequest { method, base_url, path: path.to_owned(), query, headers, body, timeout })
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        order: &PayoutOrder,
        to: &Destination,
        method: Method,
    ) -> Result<WireRequest, Unwritten> {
        let card = to.card.as_ref().ok_or(Unwritten("it pays to cards only, and there is none"))?;
        if !is_reference(&order.reference) {
            return Err(Unwritten("the reference isn't one that Worldpay takes"));
        }
        let amount = CURRENCIES.to_minor(order.amount, order.currency);
        let holder = holder::written(card.holder.expose());
        let address = holder::address(to);
        let pay = wire::Disbursement {
            merchant: wire::Merchant { entity: entity(account)? },
            instruction: wire::Instruction {
                value: wire::Value {
                    amount: amount.ok_or(Unwritten("the amount can't be written in the currency's minor units"))?,
                    currency: order.currency.as_str(),
                },
                payout_instrument: wire::PlainCard {
                    billing_address: address.as_ref().map(holder::Address::written),
                    ..instrument(card, holder.as_ref().map(|name| name.as_str()))
                },
                narrative: wire::Narrative { line1: narrative(account)?, line2: second_line(order) },
                routing: match method {
                    Method::Basic => None,
                    Method::FastAccess => routing(account)?,
                },
            },
            transaction_reference: &order.reference,
        };
        let mut request = self.request(account, "POST", method.path(), Vec::new())?;
        request.headers.push(("Content-Type", Zeroizing::new(MEDIA_TYPE.to_owned())));
        request.body.reserve(BODY_CAPACITY);
        serde_json::to_writer(&mut *request.body, &pay).map_err(|_| Unwritten("the order can't be written"))?;
        Ok(request)
    }

    /// `GET /payouts/query`: by our reference and the entity, both of which it needs.
    fn look_up(&self, account: &AccountContext, reference: &str) -> Result<WireRequest, Unwritten> {
        let query = vec![("transactionReference", reference.to_owned()), ("entity", entity(account)?.to_owned())];
        self.request(account, "GET", "/payouts/query", query)
    }

    /// Within the send time-out, whatever the transport does.
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.transport.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(TransportError::Broken(format!("no answer within {} ms", timeout.as_millis()))),
        }
    }

    /// Whether an account has all that a payout needs.
    fn check_settings(account: &AccountContext) -> Result<(), Unwritten> {
        narrative(account)?;
        routing(account)?;
        Method::of(account).map(drop)
    }
}

/// `Basic` with the account's name and password.
fn authorization(account: &AccountContext) -> Result<Zeroizing<String>, Unwritten> {
    let secret = |name: &str| {
        let text = account.credentials.get(name).map(ExposeSecret::expose_secret);
        text.filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
    };
    let username = secret(USERNAME).filter(|name| !name.contains(':'));
    let username = username.ok_or(Unwritten("the credential `username` is missing, or it has a colon in it"))?;
    let password = secret(PASSWORD).ok_or(Unwritten("the credential `password` is missing"))?;
    let pair = Zeroizing::new(format!("{username}:{password}"));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Ok(Zeroizing::new(format!("Basic {}", *encoded)))
}

/// `^([A-Za-z0-9]+[A-Za-z0-9 ]*)?$`, 1 to 32 characters.
fn entity(account: &AccountContext) -> Result<&str, Unwritten> {
    let is_entity = |text: &&str| {
        (1..=ENTITY_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
            && !text.starts_with(' ')
    };
    let text = account.settings.get(ENTITY).map(String::as_str);
    text.filter(is_entity)
        .ok_or(Unwritten("the setting `entity` is missing, or isn't 1 to 32 letters, digits and spaces"))
}

fn narrative(account: &AccountContext) -> Result<&str, Unwritten> {
    let text = account.settings.get(NARRATIVE).map(String::as_str);
    text.filter(|text| is_narrative(text)).ok_or(Unwritten(
        "the setting `narrative` is missing, or isn't 1 to 24 letters, digits, spaces, hyphens, full stops and commas",
    ))
}

/// What was written with the order, if it fits as it is: half of it on a statement would be worse than nothing.
fn second_line(order: &PayoutOrder) -> Option<&str> {
    order.description.as_deref().map(str::trim).filter(|text| is_narrative(text) && strike_numbers(text) == *text)
}

fn is_narrative(text: &str) -> bool {
    (1..=NARRATIVE_LENGTH_MAX).contains(&text.len())
        && !text.trim().is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | b'.' | b','))
}

/// `None` leaves it to Worldpay, which falls back.
fn routing(account: &AccountContext) -> Result<Option<wire::Routing<'_>>, Unwritten> {
    match account.settings.get(FALLBACK_TO_BASIC).map(String::as_str) {
        None => Ok(None),
        Some(choice @ ("enabled" | "disabled")) => Ok(Some(wire::Routing { fallback_to_basic: choice })),
        Some(_) => Err(Unwritten("the setting `fallback_to_basic` is neither `enabled` nor `disabled`")),
    }
}

fn instrument<'a>(card: &'a CardDetails, holder: Option<&'a str>) -> wire::PlainCard<'a> {
    wire::PlainCard {
        kind: "card/plain",
        card_holder_name: holder,
        card_expiry_date: wire::ExpiryDate { month: card.expiry.month, year: card.expiry.year },
        card_number: card.pan.expose(),
        billing_address: None,
    }
}

fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_LENGTH_MAX).contains(&text.len()) && text.chars().all(|c| REFERENCE_ALPHABET.contains(c))
}

#[async_trait]
impl Provider for WorldpayProvider {
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
        &[
            CredentialField {
                name: USERNAME,
                kind: CredentialKind::Required,
                description: "The user name of the Access Worldpay credentials (Basic Auth), which the implementation manager at \
                    Worldpay hands out. Test (Try) and live have their own.",
            },
            CredentialField {
                name: PASSWORD,
                kind: CredentialKind::Required,
                description: "The password that belongs to the user name.",
            },
        ]
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        Some(&[
            SettingField {
                name: ENTITY,
                is_required: true,
                description: "The merchant entity that payouts are billed and reported under, as the implementation manager at Worldpay \
                    named it (often `default`). 1 to 32 letters, digits and spaces. Payouts are looked up under it: never change it \
                    while some are open.",
            },
            SettingField {
                name: METHOD,
                is_required: true,
                description: "`fast_access`: by Visa Direct or Mastercard Send, within 30 minutes where the card's issuer supports it. \
                    `basic`: a basic disbursement, which takes days. The entity must be enabled for it.",
            },
            SettingField {
                name: NARRATIVE,
                is_required: true,
                description: "Who pays, for the first line of the card holder's statement: 1 to 24 letters, digits, spaces, hyphens, full \
                    stops and commas.",
            },
            SettingField {
                name: FALLBACK_TO_BASIC,
                is_required: false,
                description: "Of `fast_access`: `disabled` stops Worldpay from paying by a basic disbursement where the scheme doesn't \
                    answer. Without it Worldpay does.",
            },
        ])
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        if order.resend > 0 {
            return Outcome::NotSent { why: "Worldpay would take a repeat as another payment".to_owned() };
        }
        let written = Method::of(account)
            .and_then(|method| Ok((method.outcomes(), self.order_to_pay(account, order, to, method)?)));
        let (outcomes, request) = match written {
            Ok(written) => written,
            Err(Unwritten(why)) => return Outcome::NotSent { why: why.to_owned() },
        };
        match self.call(request).await {
            Ok(response) => map::sent(&response, order, outcomes),
            Err(error) => told::unanswered(&error),
        }
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let request = match self.look_up(account, &inquiry.reference) {
            Ok(request) => request,
            Err(Unwritten(why)) => return told::unknown(why.to_owned()),
        };
        match self.call(request).await {
            Ok(response) => map::found(&response, inquiry),
            Err(error) => told::unasked(&error),
        }
    }

    fn parse_callback(
        &self,
        _account: &AccountContext,
        _headers: &[(String, String)],
        _body: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        Err(CallbackError::NotSupported)
    }

    async fn balance(&self, _account: &AccountContext, _currency: AssetCode) -> Result<Decimal, ProviderError> {
        Err(ProviderError::NotSupported)
    }

    /// Looks up a payout that nobody has sent: the answer shows whether the credentials and the entity are good, and moves nothing.
    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        let request = Self::check_settings(account).and_then(|()| self.look_up(account, REFERENCE_OF_NOBODY));
        let request = request.map_err(|Unwritten(why)| ProviderError::Credentials(why.to_owned()))?;
        map::checked(self.call(request).await)
    }
}
