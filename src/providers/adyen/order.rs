//! A payout as Adyen is asked for it: what can't be written so is refused before anything is sent.

use zeroize::Zeroizing;

use super::{Unwritten, codes, holder, map, wire};
use crate::domain::card::CardExpiry;
use crate::providers::provider::{Destination, PayoutOrder};

/// A reference may have 80 characters, an idempotency key 64.
pub const REFERENCE_LENGTH_MAX: usize = 64;
/// Adyen's description of `reference` names no alphabet; that of its first version had letters, digits and hyphens.
pub const REFERENCE_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
/// What a description may have, beside letters and digits of ASCII, and how long it may be.
const DESCRIPTION_SIGNS: &str = "/-?:().,'+ ";
const DESCRIPTION_CHARS_MAX: usize = 140;
/// The longest request body, in bytes: it is written without growing, so that no copy of a card number stays behind.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// The body of `POST /btl/v4/transfers`.
pub fn body(order: &PayoutOrder, to: &Destination, balance_account_id: &str) -> Result<Zeroizing<Vec<u8>>, Unwritten> {
    if !is_reference(&order.reference) {
        return Err(Unwritten("the reference is not as Adyen takes it"));
    }
    let card = to.card.as_ref().ok_or(Unwritten("Adyen pays to cards only"))?;
    let value = codes::CURRENCIES
        .to_minor(order.amount, order.currency)
        .ok_or(Unwritten("the amount can't be written in the currency's minor units"))?;
    let (expiry_month, expiry_year) = expiry(card.expiry);
    let name = holder::name(&card.holder)?;
    let address = holder::address(to)?;
    let address = wire::Address {
        line1: &address.line1,
        line2: address.line2.as_ref().map(|line| line.as_str()),
        city: &address.city,
        postal_code: address.postal_code.as_ref().map(|code| code.as_str()),
        state_or_province: address.state,
        country: address.country,
    };
    // What banks show of a transfer: the partner's word for it as it is, and else what the request says, as far as Adyen takes it.
    let description = match &order.statement_descriptor {
        Some(descriptor) => Some(descriptor.clone()),
        None => order.description.as_deref().map(description).filter(|text| !text.is_empty()),
    };
    let transfer = wire::TransferInfo {
        amount: wire::AmountToSend { currency: order.currency.as_str(), value },
        balance_account_id,
        category: map::CATEGORY,
        counterparty: wire::Counterparty {
            card: wire::Card {
                card_holder: wire::CardHolder {
                    kind: "individual",
                    first_name: &name.first,
                    last_name: &name.last,
                    address,
                },
                card_identification: wire::CardIdentification {
                    number: card.pan.expose(),
                    expiry_month: &expiry_month,
                    expiry_year: &expiry_year,
                },
            },
        },
        reference: &order.reference,
        description: description.as_deref(),
    };
    let mut body = Zeroizing::new(Vec::with_capacity(BODY_BYTES_MAX));
    serde_json::to_writer(&mut *body, &transfer).map_err(|_| Unwritten("the order can't be written"))?;
    Ok(body)
}

/// Whether a text could be a reference of ours.
pub fn is_reference(text: &str) -> bool {
    (1..=REFERENCE_LENGTH_MAX).contains(&text.len()) && text.chars().all(|c| REFERENCE_ALPHABET.contains(c))
}

/// Two digits of a month, and four of a year.
fn expiry(expiry: CardExpiry) -> (Zeroizing<String>, Zeroizing<String>) {
    (Zeroizing::new(format!("{:02}", expiry.month)), Zeroizing::new(format!("{:04}", expiry.year)))
}

/// What Adyen takes of a description; the rest of it is left out.
fn description(text: &str) -> String {
    let is_taken = |c: &char| c.is_ascii_alphanumeric() || DESCRIPTION_SIGNS.contains(*c);
    let taken: String = text.chars().filter(is_taken).take(DESCRIPTION_CHARS_MAX).collect();
    taken.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_keeps_what_adyen_takes() {
        assert_eq!(description("Payout #7: O'Brien & Söhne <b>"), "Payout 7: O'Brien  Shne b");
        assert_eq!(description("«»"), "");
        assert_eq!(description(&"x".repeat(200)).len(), 140);
    }

    #[test]
    fn an_expiry_has_two_digits_and_four() {
        let (month, year) = expiry(CardExpiry { year: 2030, month: 3 });
        assert_eq!((month.as_str(), year.as_str()), ("03", "2030"));
    }
}
