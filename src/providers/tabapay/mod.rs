//! The adapter `tabapay`, for pushes to cards over TabaPay's transaction API (version 1). It decides nothing and stores nothing.
//!
//! A payout is asked about by TabaPay's own id where it was told, and else by our reference, as TabaPay asks its clients to. By reference
//! TabaPay answers for 24 hours only: "not found" counts no longer than that. A client that asks too soon or too often is locked out: nothing
//! is asked within the settling time (`[providers.tabapay]`), nor by reference after two days. There are no callbacks, no balance and no report.

mod address;
pub mod codes;
pub mod currencies;
pub mod map;
mod names;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use zeroize::Zeroizing;

use super::provider::{
    AccountContext, Capabilities, CredentialField, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    ProviderIds, SettingField,
};
use super::remote::{self, JSON, Remote, Unwritten};
use super::told;
use super::transport::{Transport, WireRequest};
use crate::clock::{Clock, SystemClock};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;

/// The adapter's code.
pub const CODE: &str = "tabapay";

pub const BEARER_TOKEN: &str = "bearer_token";
pub const CLIENT_ID: &str = "client_id";
pub const SETTLEMENT_ACCOUNT_ID: &str = "settlement_account_id";
pub const SENDER_NAME: &str = "sender_name";
pub const SENDER_LINE: &str = "sender_line";
pub const SENDER_CITY: &str = "sender_city";
pub const SENDER_STATE: &str = "sender_state";
pub const SENDER_ZIPCODE: &str = "sender_zipcode";
pub const SENDER_COUNTRY: &str = "sender_country";
pub const DESCRIPTOR_LINE: &str = "descriptor_line";
pub const DESCRIPTOR_CITY: &str = "descriptor_city";
pub const DESCRIPTOR_STATE: &str = "descriptor_state";
pub const DESCRIPTOR_COUNTY: &str = "descriptor_county";
pub const DESCRIPTOR_ZIPCODE: &str = "descriptor_zipcode";
pub const DESCRIPTOR_COUNTRY: &str = "descriptor_country";

/// The specification's `referenceID`.
const REFERENCE_LENGTH_MAX: usize = 15;
/// How long TabaPay answers by reference: what it doesn't find afterwards may be there.
const ANSWERS_BY_REFERENCE: TimeDelta = TimeDelta::hours(24);
/// How long it is asked by reference. Longer than it promises to answer, since a payout may be sent later than it is known to have been,
/// and then never again: a client that goes on asking is locked out.
const ASKED_BY_REFERENCE: TimeDelta = TimeDelta::hours(48);
/// The length of every id that TabaPay gives.
const ID_LENGTH: usize = 22;
/// A client's id may be followed by a sub-client's.
const CLIENT_ID_LENGTH_MAX: usize = 64;
/// The specification's `accountNumber` of a card.
const PAN_DIGITS_MIN: usize = 13;
/// The specification's `memo`.
const MEMO_CHARS_MAX: usize = 32;
/// The longest of the sender's fields, in characters. The specification has no bound.
const SENDER_CHARS_MAX: usize = 64;

/// See the module's head.
pub struct TabapayProvider {
    capabilities: Capabilities,
    remote: Remote,
    clock: Arc<dyn Clock>,
}

impl TabapayProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        Self::with_clock(settings, transport, Arc::new(SystemClock))
    }

    /// With a clock of one's own, which says what it is too soon or too late to ask for.
    pub fn with_clock(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let capabilities = Capabilities {
            // No resend: a repeated reference is refused with 409, which doesn't say what became of the first.
            reference_length_max: REFERENCE_LENGTH_MAX,
            currencies: currencies::UNITS.currencies(),
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard, CardScheme::Discover],
            fast_funds: true,
            ..Capabilities::configured(settings)
        };
        Self { capabilities, remote: Remote::new(settings, transport), clock }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        resource: &str,
    ) -> Result<WireRequest, Unwritten> {
        let client_id = account.setting(CLIENT_ID).filter(|id| is_client_id(id));
        let client_id = client_id.ok_or(Unwritten("client_id is missing or none of TabaPay's"))?;
        let token = account.secret(BEARER_TOKEN).ok_or(Unwritten("bearer_token is missing"))?;
        let request = self.remote.request(account.mode, method, format!("/v1/clients/{client_id}{resource}"))?;
        Ok(request.with_header("Authorization", format!("Bearer {token}")).with_header("Accept", JSON.to_owned()))
    }

    fn push(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Result<WireRequest, Unwritten> {
        let card = to.card.as_ref().ok_or(Unwritten("TabaPay is asked to pay to cards only"))?;
        if !self.capabilities.takes_reference(&order.reference) {
            return Err(Unwritten("the reference isn't of 1 to 15 characters of TabaPay's"));
        }
        let source_account_id = settlement_account_id(account)?;
        let currency = currencies::number(order.currency).ok_or(Unwritten("TabaPay isn't asked for this currency"))?;
        let amount = currencies::UNITS.to_text(order.amount, order.currency);
        let amount = amount.ok_or(Unwritten("the amount can't be written in the currency's minor units"))?;
        if card.pan.expose().len() < PAN_DIGITS_MIN {
            return Err(Unwritten("the card number has less than 13 digits"));
        }
        let owner = names::owner(card.holder.expose())
            .ok_or(Unwritten("the holder's name can't be written as a first and a last name in plain letters"))?;
        let address = address::of(to);
        let expiry = Zeroizing::new(format!("{:04}{:02}", card.expiry.year, card.expiry.month));
        let create = wire::CreateTransaction {
            reference_id: &order.reference,
            corresponding: sender(account)?,
            kind: "push",
            accounts: wire::Accounts {
                source_account_id,
                destination_account: wire::DestinationAccount {
                    card: wire::Card { account_number: card.pan.expose(), expiration_date: &expiry },
                    owner: wire::Owner {
                        name: wire::Name { first: &owner.first, last: Some(&*owner.last) },
                        address: address.as_ref().map(address::Address::written),
                    },
                },
            },
            currency,
            amount,
            memo: order.description.as_deref().and_then(memo),
            soft_descriptor: soft_descriptor(account, order)?,
        };
        // Without white space: TabaPay refuses a body that isn't packed.
        Ok(self.request(account, "POST", "/transactions")?.with_body(JSON, remote::json(&create)?))
    }

    /// How long ago something was.
    fn since(&self, time: DateTime<Utc>) -> TimeDelta {
        self.clock.now().signed_duration_since(time).max(TimeDelta::zero())
    }
}

fn settlement_account_id(account: &AccountContext) -> Result<&str, Unwritten> {
    let id = account.setting(SETTLEMENT_ACCOUNT_ID).filter(|id| is_id(id));
    id.ok_or(Unwritten("settlement_account_id is missing or none of TabaPay's"))
}

/// Who pays, where the account's settings say so.
fn sender(account: &AccountContext) -> Result<Option<wire::Sender<'_>>, Unwritten> {
    let text = |name: &str, more: &[u8]| match account.setting(name) {
        Some(value) if value.len() > SENDER_CHARS_MAX || !is_of(value, more) => {
            Err(Unwritten("a setting of the sender has characters that TabaPay doesn't take, or too many"))
        }
        value => Ok(value),
    };
    let first = text(SENDER_NAME, b" _-")?;
    let address = wire::SenderAddress {
        line: text(SENDER_LINE, b" ._-")?,
        city: text(SENDER_CITY, b" _-")?,
        state: text(SENDER_STATE, b" _-")?,
        zipcode: text(SENDER_ZIPCODE, b" _-")?,
        country: account.setting(SENDER_COUNTRY),
    };
    if address.country.is_some_and(|country| country.len() != 3 || !country.bytes().all(|b| b.is_ascii_digit())) {
        return Err(Unwritten("sender_country isn't the three digits of a country"));
    }
    match first {
        Some(first) => Ok(Some(wire::Sender { name: wire::Name { first, last: None }, address })),
        None if address.is_empty() => Ok(None),
        None => Err(Unwritten("the sender has an address and no name")),
    }
}

/// What the card holder reads, where the partner has a word for it and the account an address: TabaPay takes neither without the other, and
/// shows what it has agreed with the client where there is none.
fn soft_descriptor<'a>(
    account: &'a AccountContext,
    order: &'a PayoutOrder,
) -> Result<Option<wire::SoftDescriptor<'a>>, Unwritten> {
    let address = descriptor_address(account)?;
    let Some((name, address)) = order.statement_descriptor.as_deref().zip(address) else { return Ok(None) };
    if name.is_empty() || !is_of(name, b" _-") {
        return Err(Unwritten("the statement descriptor isn't one that TabaPay takes"));
    }
    Ok(Some(wire::SoftDescriptor { name, address }))
}

/// Where whoever pays is, for the card networks. Half of an address is refused.
fn descriptor_address(account: &AccountContext) -> Result<Option<wire::DescriptorAddress<'_>>, Unwritten> {
    let text = |name: &str, more: &[u8]| match account.setting(name) {
        Some(value) if value.len() > SENDER_CHARS_MAX || !is_of(value, more) => {
            Err(Unwritten("a setting of the descriptor has characters that TabaPay doesn't take, or too many"))
        }
        value => Ok(value),
    };
    let country = account.setting(DESCRIPTOR_COUNTRY);
    if country.is_some_and(|country| country.len() != 3 || !country.bytes().all(|b| b.is_ascii_digit())) {
        return Err(Unwritten("descriptor_country isn't the three digits of a country"));
    }
    let parts = (
        text(DESCRIPTOR_LINE, b" ._-")?,
        text(DESCRIPTOR_CITY, b" _-")?,
        text(DESCRIPTOR_STATE, b" _-")?,
        text(DESCRIPTOR_COUNTY, b" _-")?,
        text(DESCRIPTOR_ZIPCODE, b" _-")?,
    );
    match parts {
        (Some(line1), Some(city), Some(state), Some(county), Some(zipcode)) => {
            if county.len() != 3 {
                return Err(Unwritten("descriptor_county isn't the three characters of a county"));
            }
            Ok(Some(wire::DescriptorAddress { line1, city, state, county, zipcode, country }))
        }
        (None, None, None, None, None) if country.is_none() => Ok(None),
        _ => Err(Unwritten("the descriptor's address lacks a line, a city, a state, a county or a zip code")),
    }
}

/// What of a description TabaPay takes as a memo.
fn memo(description: &str) -> Option<String> {
    let plain: String = told::clipped(description)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || " _-".contains(*c))
        .take(MEMO_CHARS_MAX)
        .collect();
    let plain = plain.trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

/// Letters, digits and `more`.
fn is_of(text: &str, more: &[u8]) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && is_of(text, b"_-")
}

fn is_client_id(text: &str) -> bool {
    (ID_LENGTH..=CLIENT_ID_LENGTH_MAX).contains(&text.len()) && is_of(text, b"_-")
}

#[async_trait]
impl Provider for TabapayProvider {
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
        const FIELDS: [CredentialField; 1] = [CredentialField::required(
            BEARER_TOKEN,
            "The bearer token in the credentials file that TabaPay issues, one for the sandbox and one for production.",
        )];
        &FIELDS
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        const FIELDS: [SettingField; 16] = [
            SettingField::required(
                CLIENT_ID,
                "The ClientID in TabaPay's credentials file: 22 characters, followed by the SubClientID where TabaPay says so.",
            ),
            SettingField::required(
                SETTLEMENT_ACCOUNT_ID,
                "The Settlement AccountID in TabaPay's credentials file, 22 characters: what pushes are paid from.",
            ),
            SettingField::optional(
                SENDER_NAME,
                "The name of who pays, as the card networks want it told. Letters, digits, spaces, _ and -.",
            ),
            SettingField::optional(
                SENDER_LINE,
                "The street and number of who pays. Letters, digits, spaces, full stops, _ and -.",
            ),
            SettingField::optional(SENDER_CITY, "The city of who pays. Letters, digits, spaces, _ and -."),
            SettingField::optional(
                SENDER_STATE,
                "The two letters of the state or province of who pays, in the USA and Canada.",
            ),
            SettingField::optional(SENDER_ZIPCODE, "The postal code of who pays."),
            SettingField::optional(
                SENDER_COUNTRY,
                "The country of who pays, as its ISO 3166-1 number: 840 for the USA, 124 for Canada.",
            ),
            SettingField::optional(
                DESCRIPTOR_LINE,
                "The street and number that stand beside a partner's statement descriptor. With it the other parts are required.",
            ),
            SettingField::optional(DESCRIPTOR_CITY, "The city beside a statement descriptor."),
            SettingField::optional(DESCRIPTOR_STATE, "The state beside it; it has to go with the zip code."),
            SettingField::optional(DESCRIPTOR_COUNTY, "The county beside it: three characters."),
            SettingField::optional(DESCRIPTOR_ZIPCODE, "The zip code beside it."),
            SettingField::optional(DESCRIPTOR_COUNTRY, "The country beside it, as its ISO 3166-1 number. None: 840."),
            SettingField::FAST_FUNDS,
            SettingField::card_schemes(&["VISA", "MASTERCARD", "DISCOVER"]),
        ];
        Some(&FIELDS)
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        self.remote.pay(self.push(account, order, to), |response| map::sent(response, order)).await
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let transaction_id = inquiry.provider_original_id.as_deref().filter(|id| is_id(id));
        if self.since(inquiry.last_sent_at).to_std().unwrap_or(Duration::ZERO) < self.capabilities.settling_time {
            // Nothing was asked since the send: what it told is all that is known.
            return if inquiry.is_pending {
                let original_id = transaction_id.map(str::to_owned);
                Outcome::Pending { ids: ProviderIds { original_id, ..ProviderIds::default() } }
            } else {
                told::unknown("not asked yet: TabaPay wants to be left alone for the settling time".to_owned())
            };
        }
        let age = self.since(inquiry.first_sent_at);
        let (by, request) = match transaction_id {
            Some(id) => {
                let resource = format!("/transactions/{id}");
                (map::By::TransactionId(id), self.request(account, "GET", &resource))
            }
            None if age >= ASKED_BY_REFERENCE => {
                return told::unknown("not asked: TabaPay answers by reference for 24 hours only".to_owned());
            }
            None => {
                let query = vec![("referenceID", inquiry.reference.clone())];
                let request = self.request(account, "GET", "/transactions").map(|request| request.with_query(query));
                (map::By::Reference, request)
            }
        };
        match self.remote.ask(request, |response| map::found(response, inquiry, by)).await {
            Outcome::NotFound if age >= ANSWERS_BY_REFERENCE => {
                told::unknown("not found, but TabaPay answers by reference for 24 hours only".to_owned())
            }
            outcome => outcome,
        }
    }

    /// By asking for the client itself.
    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        settlement_account_id(account)?;
        sender(account)?;
        descriptor_address(account)?;
        self.remote.fetch(self.request(account, "GET", ""), map::checked).await
    }
}
