//! What an account at Checkout.com needs beside the address: its keys, its ids and who is named as the sender. Read at each call; what is
//! missing or malformed is told before a byte leaves.

use super::wire::{Address, Sender};
use crate::config::providers::is_base_url;
use crate::domain::card::HolderName;
use crate::providers::provider::{AccountContext, CredentialField, SettingField};
use crate::providers::remote::{Remote, Unwritten};

pub const SECRET_KEY: &str = "secret_key";
pub const SIGNATURE_KEY: &str = "webhook_signature_key";
pub const AUTHORIZATION_KEY: &str = "webhook_authorization_key";

pub const CURRENCY_ACCOUNT: &str = "currency_account_id";
pub const PROCESSING_CHANNEL: &str = "processing_channel_id";
pub const FUNDS_TRANSFER_TYPE: &str = "funds_transfer_type";
pub const PURPOSE: &str = "purpose";
pub const BILLING_DESCRIPTOR: &str = "billing_descriptor";
pub const API_PREFIX: &str = "api_prefix";
pub const SENDER_COMPANY: &str = "sender_company_name";
pub const SENDER_ADDRESS: &str = "sender_address_line1";
pub const SENDER_CITY: &str = "sender_city";
pub const SENDER_ZIP: &str = "sender_zip";
pub const SENDER_COUNTRY: &str = "sender_country";
pub const SENDER_REFERENCE: &str = "sender_reference";

/// The longest free text of a setting, in characters.
const TEXT_CHARS_MAX: usize = 100;

pub const CREDENTIALS: [CredentialField; 3] = [
    CredentialField::required(
        SECRET_KEY,
        "The secret API key (sk_…): Dashboard, Developers, Keys. It needs the scopes gateway:payment and \
         gateway:payment-details.",
    ),
    CredentialField::required(
        SIGNATURE_KEY,
        "The webhook's signature key: Dashboard, Developers, Webhooks, \"Generate key\" under the signature.",
    ),
    CredentialField::optional(
        AUTHORIZATION_KEY,
        "The webhook's authorization header key, if the webhook has one: Dashboard, Developers, Webhooks.",
    ),
];

pub const SETTINGS: [SettingField; 14] = [
    SettingField::required(
        CURRENCY_ACCOUNT,
        "The sub-account that pays (ca_…): Dashboard, Balances, the sub-account's details.",
    ),
    SettingField::required(
        PROCESSING_CHANNEL,
        "The processing channel (pc_…): Dashboard, Settings, Account structure.",
    ),
    SettingField::required(
        FUNDS_TRANSFER_TYPE,
        "The funds transfer type that Checkout.com assigned for card payouts, such as FD or AA.",
    ),
    SettingField::optional(PURPOSE, "The purpose of the payouts, where the recipients' country asks for one."),
    SettingField::optional(BILLING_DESCRIPTOR, "The text on the recipient's statement."),
    SettingField::optional(
        API_PREFIX,
        "The first eight characters of the client id without cli_, where the account has its own base URL: Dashboard, Developers.",
    ),
    SettingField::optional(
        SENDER_COMPANY,
        "The company in whose name the payouts are made, where the funds transfer type needs a sender.",
    ),
    SettingField::optional(SENDER_ADDRESS, "The sender's street and number; needed with the company's name."),
    SettingField::optional(SENDER_CITY, "The sender's city; needed with the company's name."),
    SettingField::optional(SENDER_ZIP, "The sender's postal code; needed with the company's name."),
    SettingField::optional(
        SENDER_COUNTRY,
        "The sender's country, two letters of ISO 3166; needed with the company's name.",
    ),
    SettingField::optional(SENDER_REFERENCE, "The sender's own number at the house, up to 15 letters and digits."),
    SettingField::FAST_FUNDS,
    SettingField::card_schemes(&["VISA", "MASTERCARD"]),
];

/// Where an account calls, and with what key: all that a question needs.
pub struct Door<'a> {
    /// Without a slash at the end.
    pub base_url: String,
    pub secret_key: &'a str,
}

/// What an order needs more.
#[derive(Debug)]
pub struct Terms<'a> {
    pub currency_account: &'a str,
    pub processing_channel: &'a str,
    pub funds_transfer_type: &'a str,
    pub purpose: Option<&'a str>,
    pub billing_descriptor: Option<&'a str>,
    pub sender: Option<Sender<'a>>,
}

pub fn door<'a>(remote: &Remote, account: &'a AccountContext) -> Result<Door<'a>, Unwritten> {
    let base_url = remote.base_url(account.mode)?;
    let base_url = match text(account, API_PREFIX)? {
        Some(prefix) => prefixed(base_url, prefix).ok_or(Unwritten("api_prefix can't stand before the base URL"))?,
        None => base_url.to_owned(),
    };
    let secret_key = account.secret(SECRET_KEY).ok_or(Unwritten("secret_key is missing"))?;
    Ok(Door { base_url, secret_key })
}

/// The base URL of one client: its prefix is a label before the configured host, so that it can't lead anywhere else.
/// `^(pl-)?[a-z0-9]+$` is what the official SDKs take for a prefix.
fn prefixed(base_url: &str, prefix: &str) -> Option<String> {
    let label = prefix.strip_prefix("pl-").unwrap_or(prefix);
    let is_label = (1..=40).contains(&label.len()) && label.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'));
    let (scheme, rest) = base_url.split_once("://")?;
    let host = rest.split([':', '/']).next()?;
    let is_name = host.contains('.') && host.bytes().any(|b| b.is_ascii_alphabetic());
    let url = format!("{scheme}://{prefix}.{rest}");
    (is_label && is_name && is_base_url(&url)).then_some(url)
}

pub fn terms(account: &AccountContext) -> Result<Terms<'_>, Unwritten> {
    let funds_transfer_type = text(account, FUNDS_TRANSFER_TYPE)?.ok_or(Unwritten("funds_transfer_type is missing"))?;
    if !((2..=3).contains(&funds_transfer_type.len())
        && funds_transfer_type.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
    {
        return Err(Unwritten("funds_transfer_type has two or three capital letters and digits"));
    }
    Ok(Terms {
        currency_account: id(account, CURRENCY_ACCOUNT, "ca_")
            .ok_or(Unwritten("currency_account_id is missing or isn't ca_ and 26 characters"))?,
        processing_channel: id(account, PROCESSING_CHANNEL, "pc_")
            .ok_or(Unwritten("processing_channel_id is missing or isn't pc_ and 26 characters"))?,
        funds_transfer_type,
        purpose: text(account, PURPOSE)?,
        billing_descriptor: text(account, BILLING_DESCRIPTOR)?,
        sender: sender(account)?,
    })
}

/// The sender where a company is named; half of one is refused: the schemes would decline it.
fn sender(account: &AccountContext) -> Result<Option<Sender<'_>>, Unwritten> {
    let fields = [SENDER_COMPANY, SENDER_ADDRESS, SENDER_CITY, SENDER_ZIP, SENDER_COUNTRY];
    let [company, line, city, zip, country] = fields.map(|name| text(account, name));
    let reference = text(account, SENDER_REFERENCE)?;
    match (company?, line?, city?, zip?, country?) {
        (None, None, None, None, None) if reference.is_none() => Ok(None),
        (Some(company_name), Some(address_line1), Some(city), Some(zip), Some(country)) => {
            if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
                return Err(Unwritten("sender_country has two capital letters"));
            }
            if reference.is_some_and(|text| text.len() > 15 || !text.bytes().all(|b| b.is_ascii_alphanumeric())) {
                return Err(Unwritten("sender_reference has up to 15 letters and digits"));
            }
            let address = Address { address_line1, city, zip, country };
            Ok(Some(Sender { kind: "corporate", company_name, address, reference }))
        }
        _ => Err(Unwritten("a sender has a company's name, a street, a city, a postal code and a country")),
    }
}

/// An id as the API reference has them: `^(ca)_(\w{26})$`.
fn id<'a>(account: &'a AccountContext, name: &str, prefix: &str) -> Option<&'a str> {
    let id = account.settings.get(name)?;
    let rest = id.strip_prefix(prefix)?;
    let fits = rest.len() == 26 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    fits.then_some(id.as_str())
}

/// A setting's text; an empty one isn't there.
fn text<'a>(account: &'a AccountContext, name: &str) -> Result<Option<&'a str>, Unwritten> {
    let text = account.settings.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control)) {
        return Err(Unwritten("a setting is longer than 100 characters, or no plain text"));
    }
    Ok(text)
}

/// A holder's first and last name: the last word is the last name. A name of one word isn't made into two.
pub fn first_and_last(holder: &HolderName) -> Option<(&str, &str)> {
    let (first, last) = holder.expose().trim().rsplit_once(' ')?;
    let first = first.trim_end();
    (!first.is_empty()).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_label_before_the_host_and_nothing_else() {
        let live = "https://api.checkout.com";
        assert_eq!(prefixed(live, "vkuhvk4v").as_deref(), Some("https://vkuhvk4v.api.checkout.com"));
        assert_eq!(prefixed(live, "pl-vkuhvk4v").as_deref(), Some("https://pl-vkuhvk4v.api.checkout.com"));
        for prefix in ["", "VKUH", "evil.example/", "evil.example", "a@b", "a:b", "pl-", "-a", "a#", "a?", "a/..", "é"]
        {
            assert_eq!(prefixed(live, prefix), None, "{prefix}");
        }
        for base_url in ["http://127.0.0.1:8090", "http://[::1]:8090", "http://localhost:8090"] {
            assert_eq!(prefixed(base_url, "vkuhvk4v"), None, "{base_url}");
        }
    }

    #[test]
    fn the_last_word_is_the_last_name() {
        let split = |name: &str| {
            let holder = HolderName::new(name.to_owned());
            first_and_last(&holder).map(|(first, last)| (first.to_owned(), last.to_owned()))
        };
        let names = |first: &str, last: &str| Some((first.to_owned(), last.to_owned()));
        assert_eq!(split("GRACE HOPPER"), names("GRACE", "HOPPER"));
        assert_eq!(split("Anne-Marie St.  Clair"), names("Anne-Marie St.", "Clair"));
        assert_eq!((split("Plato"), split(" Plato "), split("")), (None, None, None));
    }
}
