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
use zeroize::Zeroizing;

use super::provider::{
    AccountContext, Capabilities, CredentialField, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    SettingField,
};
use super::remote::{self, REFERENCE_ALPHABET, Remote, Unwritten};
use super::transport::{Transport, WireRequest};
use crate::config::providers::RemoteProviderSettings;
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
const ENTITY_LENGTH_MAX: usize = 32;
/// Of each line (reference "Formatting").
const NARRATIVE_LENGTH_MAX: usize = 24;
/// No payout's: ours have no hyphens.
const REFERENCE_OF_NOBODY: &str = "credentials-check";

/// See the module's head.
pub struct WorldpayProvider {
    capabilities: Capabilities,
    remote: Remote,
}

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
            reference_length_max: REFERENCE_LENGTH_MAX,
            // The API takes many more, of which its reference "Formatting" says that its firewall may take them for an attack.
            reference_alphabet: REFERENCE_ALPHABET,
            currencies: CURRENCIES.currencies(),
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard, CardScheme::Maestro],
            // Not of every account, which says so itself: basic disbursements take days, and Fast Access falls back to them.
            fast_funds: false,
            ..Capabilities::configured(settings)
        };
        Self { capabilities, remote: Remote::new(settings, transport) }
    }

    fn request(&self, account: &AccountContext, method: &'static str, path: &str) -> Result<WireRequest, Unwritten> {
        let request = self.remote.request(account.mode, method, path)?;
        let request = request.with_header("Authorization", authorization(account)?);
        Ok(request.with_header("Accept", MEDIA_TYPE.to_owned()))
    }

    fn order_to_pay(
        &self,
        account: &AccountContext,
        order: &PayoutOrder,
        to: &Destination,
        method: Method,
    ) -> Result<WireRequest, Unwritten> {
        let card = to.card.as_ref().ok_or(Unwritten("it pays to cards only, and there is none"))?;
        if !self.capabilities.takes_reference(&order.reference) {
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
                narrative: wire::Narrative { line1: first_line(account, order)?, line2: second_line(order) },
                routing: match method {
                    Method::Basic => None,
                    Method::FastAccess => routing(account)?,
                },
            },
            transaction_reference: &order.reference,
        };
        Ok(self.request(account, "POST", method.path())?.with_body(MEDIA_TYPE, remote::json(&pay)?))
    }

    /// `GET /payouts/query`: by our reference and the entity, both of which it needs.
    fn look_up(&self, account: &AccountContext, reference: &str) -> Result<WireRequest, Unwritten> {
        let query = vec![("transactionReference", reference.to_owned()), ("entity", entity(account)?.to_owned())];
        Ok(self.request(account, "GET", "/payouts/query")?.with_query(query))
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
    let secret = |name: &str| account.secret(name).filter(|text| !text.chars().any(char::is_control));
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
    account
        .setting(ENTITY)
        .filter(is_entity)
        .ok_or(Unwritten("the setting `entity` is missing, or isn't 1 to 32 letters, digits and spaces"))
}

fn narrative(account: &AccountContext) -> Result<&str, Unwritten> {
    account.setting(NARRATIVE).filter(|text| is_narrative(text)).ok_or(Unwritten(
        "the setting `narrative` is missing, or isn't 1 to 24 letters, digits, spaces, hyphens, full stops and commas",
    ))
}

/// Who pays: the partner's own word for it, and else the account's.
fn first_line<'a>(account: &'a AccountContext, order: &'a PayoutOrder) -> Result<&'a str, Unwritten> {
    match order.statement_descriptor.as_deref() {
        Some(text) if is_narrative(text) => Ok(text),
        Some(_) => Err(Unwritten("the statement descriptor isn't one that Worldpay takes")),
        None => narrative(account),
    }
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

#[async_trait]
impl Provider for WorldpayProvider {
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
        const FIELDS: [CredentialField; 2] = [
            CredentialField::required(
                USERNAME,
                "The user name of the Access Worldpay credentials (Basic Auth), which the implementation manager at \
                    Worldpay hands out. Test (Try) and live have their own.",
            ),
            CredentialField::required(PASSWORD, "The password that belongs to the user name."),
        ];
        &FIELDS
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        const FIELDS: [SettingField; 5] = [
            SettingField::required(
                ENTITY,
                "The merchant entity that payouts are billed and reported under, as the implementation manager at Worldpay \
                    named it (often `default`). 1 to 32 letters, digits and spaces. Payouts are looked up under it: never change it \
                    while some are open.",
            ),
            SettingField::required(
                METHOD,
                "`fast_access`: by Visa Direct or Mastercard Send, within 30 minutes where the card's issuer supports it. \
                    `basic`: a basic disbursement, which takes days. The entity must be enabled for it.",
            )
            .one_of(&[BASIC, FAST_ACCESS]),
            SettingField::required(
                NARRATIVE,
                "Who pays, for the first line of the card holder's statement: 1 to 24 letters, digits, spaces, hyphens, full \
                    stops and commas.",
            ),
            SettingField::optional(
                FALLBACK_TO_BASIC,
                "Of `fast_access`: `disabled` stops Worldpay from paying by a basic disbursement where the scheme doesn't \
                    answer. Without it Worldpay does.",
            )
            .one_of(&["enabled", "disabled"]),
            SettingField::card_schemes(&["VISA", "MASTERCARD", "MAESTRO"]),
        ];
        Some(&FIELDS)
    }

    /// Where the account pays by Fast Access and Worldpay may not fall back to a basic disbursement.
    fn has_fast_funds(&self, account: &AccountContext) -> bool {
        matches!(Method::of(account), Ok(Method::FastAccess)) && account.setting(FALLBACK_TO_BASIC) == Some("disabled")
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        if order.resend > 0 {
            return Unwritten("Worldpay would take a repeat as another payment").unsent();
        }
        let method = match Method::of(account) {
            Ok(method) => method,
            Err(why) => return why.unsent(),
        };
        let request = self.order_to_pay(account, order, to, method);
        self.remote.pay(request, |response| map::sent(response, order, method.outcomes())).await
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let request = self.look_up(account, &inquiry.reference);
        self.remote.ask(request, |response| map::found(response, inquiry)).await
    }

    /// Looks up a payout that nobody has sent: the answer shows whether the credentials and the entity are good, and moves nothing.
    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        Self::check_settings(account)?;
        self.remote.fetch(self.look_up(account, REFERENCE_OF_NOBODY), map::checked).await
    }
}
