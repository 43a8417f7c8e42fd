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
use chrono::TimeDelta;
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::provider::{
    AccountContext, CallbackError, Capabilities, CredentialField, CredentialKind, Destination, Inquiry, Outcome,
    PayoutOrder, Provider, ProviderError, ProviderIds, ReportedOutcome, ResendSafety, SettingField,
};
use super::told;
use super::transport::{Transport, TransportError, WireRequest, WireResponse};
use crate::clock::{Clock, SystemClock};
use crate::config::providers::RemoteProviderSettings;
use crate::domain::asset::AssetCode;
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

/// The specification's `referenceID`.
const REFERENCE_LENGTH_MAX: usize = 15;
const REFERENCE_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
/// How long TabaPay answers by reference: what it doesn't find afterwards may be there.
const ANSWERS_BY_REFERENCE: TimeDelta = TimeDelta::hours(24);
/// How long it is asked by reference. Longer than it promises to answer, since a payout is written down before it is its turn to be sent,
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
/// More than the longest request has, so that the buffer with the card number is never outgrown and copied.
const BODY_BYTES: usize = 2048;

/// See the module's head.
pub struct TabapayProvider {
    capabilities: Capabilities,
    settings: RemoteProviderSettings,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
}

/// Why a request isn't even written.
struct Unwritten(&'static str);

impl TabapayProvider {
    pub fn new(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>) -> Self {
        Self::with_clock(settings, transport, Arc::new(SystemClock))
    }

    /// With a clock of one's own, which says what it is too soon or too late to ask for.
    pub fn with_clock(settings: &RemoteProviderSettings, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let capabilities = Capabilities {
            // A repeated reference is refused with 409, which doesn't say what became of the first.
            resend: ResendSafety::Never,
            reference_length_max: REFERENCE_LENGTH_MAX,
            reference_alphabet: REFERENCE_ALPHABET,
            settling_time: settings.settling_time(),
            not_found_confirmations: settings.not_found_confirmations,
            send_timeout: settings.send_timeout(),
            currencies: currencies::UNITS.currencies(),
            card_schemes: vec![CardScheme::Visa, CardScheme::Mastercard, CardScheme::Discover],
            fast_funds: true,
            has_balance: false,
            posting_lag: settings.posting_lag(),
            has_callbacks: false,
        };
        Self { capabilities, settings: settings.clone(), transport, clock }
    }

    fn request(
        &self,
        account: &AccountContext,
        method: &'static str,
        resource: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<WireRequest, Unwritten> {
        let base_url = self.settings.base_url(account.mode).ok_or(Unwritten("no URL is configured for this mode"))?;
        let client_id = setting(account, CLIENT_ID).filter(|id| is_client_id(id));
        let client_id = client_id.ok_or(Unwritten("client_id is missing or none of TabaPay's"))?;
        let token = account.credentials.get(BEARER_TOKEN).map(ExposeSecret::expose_secret);
        let token = token.filter(|token| !token.is_empty()).ok_or(Unwritten("bearer_token is missing"))?;
        Ok(WireRequest {
            method,
            base_url: base_url.to_owned(),
            path: format!("/v1/clients/{client_id}{resource}"),
            query,
            headers: vec![
                ("Authorization", Zeroizing::new(format!("Bearer {token}"))),
                ("Accept", Zeroizing::new("application/json".to_owned())),
            ],
            body: Zeroizing::new(Vec::new()),
            timeout: self.capabilities.send_timeout,
        })
    }

    fn push(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Result<WireRequest, Unwritten> {
        let card = to.card.as_ref().ok_or(Unwritten("TabaPay is asked to pay to cards only"))?;
        if !is_reference(&order.reference) {
            return Err(Unwritten("the reference isn't of 1 to 15 characters of TabaPay's"));
        }
        let source_account_id = setting(account, SETTLEMENT_ACCOUNT_ID).filter(|id| is_id(id));
        let source_account_id =
            source_account_id.ok_or(Unwritten("settlement_account_id is missing or none of TabaPay's"))?;
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
        };
        let mut request = self.request(account, "POST", "/transactions", Vec::new())?;
        request.headers.push(("Content-Type", Zeroizing::new("application/json".to_owned())));
        request.body.reserve_exact(BODY_BYTES);
        // Without white space: TabaPay refuses a body that isn't packed.
        serde_json::to_writer(&mut *request.body, &create).map_err(|_| Unwritten("the order can't be written"))?;
        Ok(request)
    }

    /// Within the send time-out, whatever the transport does.
    async fn call(&self, request: WireRequest) -> Result<WireResponse, TransportError> {
        let timeout = request.timeout;
        match tokio::time::timeout(timeout, self.transport.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(TransportError::Broken(format!("no answer within {} ms", timeout.as_millis()))),
        }
    }

    /// How long ago the payout was sent.
    fn age(&self, inquiry: &Inquiry) -> TimeDelta {
        self.clock.now().signed_duration_since(inquiry.sent_at).max(TimeDelta::zero())
    }
}

fn setting<'a>(account: &'a AccountContext, name: &str) -> Option<&'a str> {
    account.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// Who pays, where the account's settings say so.
fn sender(account: &AccountContext) -> Result<Option<wire::Sender<'_>>, Unwritten> {
    let text = |name: &str, more: &[u8]| match setting(account, name) {
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
        country: setting(account, SENDER_COUNTRY),
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

fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_LENGTH_MAX).contains(&text.len()) && is_of(text, b"_-")
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
        self.settings.modes()
    }

    fn credentials_schema(&self) -> &[CredentialField] {
        &[CredentialField {
            name: BEARER_TOKEN,
            kind: CredentialKind::Required,
            description: "The bearer token in the credentials file that TabaPay issues, one for the sandbox and one for production.",
        }]
    }

    fn settings_schema(&self) -> Option<&[SettingField]> {
        const FIELDS: [SettingField; 8] = [
            SettingField {
                name: CLIENT_ID,
                is_required: true,
                description: "The ClientID in TabaPay's credentials file: 22 characters, followed by the SubClientID where TabaPay says so.",
            },
            SettingField {
                name: SETTLEMENT_ACCOUNT_ID,
                is_required: true,
                description: "The Settlement AccountID in TabaPay's credentials file, 22 characters: what pushes are paid from.",
            },
            SettingField {
                name: SENDER_NAME,
                is_required: false,
                description: "The name of who pays, as the card networks want it told. Letters, digits, spaces, _ and -.",
            },
            SettingField {
                name: SENDER_LINE,
                is_required: false,
                description: "The street and number of who pays. Letters, digits, spaces, full stops, _ and -.",
            },
            SettingField {
                name: SENDER_CITY,
                is_required: false,
                description: "The city of who pays. Letters, digits, spaces, _ and -.",
            },
            SettingField {
                name: SENDER_STATE,
                is_required: false,
                description: "The two letters of the state or province of who pays, in the USA and Canada.",
            },
            SettingField { name: SENDER_ZIPCODE, is_required: false, description: "The postal code of who pays." },
            SettingField {
                name: SENDER_COUNTRY,
                is_required: false,
                description: "The country of who pays, as its ISO 3166-1 number: 840 for the USA, 124 for Canada.",
            },
        ];
        Some(&FIELDS)
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, to: &Destination) -> Outcome {
        let request = match self.push(account, order, to) {
            Ok(request) => request,
            Err(Unwritten(why)) => return Outcome::NotSent { why: why.to_owned() },
        };
        match self.call(request).await {
            Ok(response) => map::sent(&response, order),
            Err(error) => told::unanswered(&error),
        }
    }

    async fn inquire(&self, account: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let age = self.age(inquiry);
        let transaction_id = inquiry.provider_original_id.as_deref().filter(|id| is_id(id));
        if age.to_std().unwrap_or(Duration::ZERO) < self.capabilities.settling_time {
            return match transaction_id {
                // Nothing was asked since the send, which told an id of what isn't final only with a pending transaction.
                Some(id) => {
                    Outcome::Pending { ids: ProviderIds { original_id: Some(id.to_owned()), ..ProviderIds::default() } }
                }
                None => told::unknown("not asked yet: TabaPay wants to be left alone for the settling time".to_owned()),
            };
        }
        let (by, request) = match transaction_id {
            Some(id) => {
                let resource = format!("/transactions/{id}");
                (map::By::TransactionId(id), self.request(account, "GET", &resource, Vec::new()))
            }
            None if age >= ASKED_BY_REFERENCE => {
                return told::unknown("not asked: TabaPay answers by reference for 24 hours only".to_owned());
            }
            None => {
                let query = vec![("referenceID", inquiry.reference.clone())];
                (map::By::Reference, self.request(account, "GET", "/transactions", query))
            }
        };
        let request = match request {
            Ok(request) => request,
            Err(Unwritten(why)) => return told::unknown(why.to_owned()),
        };
        match self.call(request).await {
            Ok(response) => match map::found(&response, inquiry, by) {
                Outcome::NotFound if age >= ANSWERS_BY_REFERENCE => {
                    told::unknown("not found, but TabaPay answers by reference for 24 hours only".to_owned())
                }
                outcome => outcome,
            },
            Err(error) => told::unasked(&error),
        }
    }

    fn parse_callback(
        &self,
        _: &AccountContext,
        _: &[(String, String)],
        _: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        Err(CallbackError::NotSupported)
    }

    async fn balance(&self, _: &AccountContext, _: AssetCode) -> Result<Decimal, ProviderError> {
        Err(ProviderError::NotSupported)
    }

    /// By asking for the client itself.
    async fn check_credentials(&self, account: &AccountContext) -> Result<(), ProviderError> {
        let refused = |why: &str| ProviderError::Credentials(why.to_owned());
        let request = self.request(account, "GET", "", Vec::new()).map_err(|Unwritten(why)| refused(why))?;
        if setting(account, SETTLEMENT_ACCOUNT_ID).is_none_or(|id| !is_id(id)) {
            return Err(refused("settlement_account_id is missing or none of TabaPay's"));
        }
        sender(account).map_err(|Unwritten(why)| refused(why))?;
        map::checked(self.call(request).await)
    }
}
