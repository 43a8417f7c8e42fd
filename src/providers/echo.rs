//! Providers that repeat in an answer what they were sent: texts are struck of card numbers by [`told`](super::told), and here of a holder's
//! address; an id that has the number is none. So neither is kept, shown or told on with the outcome.
//!
//! Of ids there is one rule, for whatever adapter told them. What only looks like a card number may be a provider's id, and is the one by which a
//! payout is asked about: to lose it may leave its fate unknown. So where the number that was sent is known, the id is held against that
//! very number. Where it isn't, in answers to later questions, callbacks and reports, nobody can tell, and what passes for a card number is
//! none: the id that the send was answered with is kept already, and our own reference is always there to ask by.

use zeroize::Zeroizing;

use super::latin;
use super::provider::{Outcome, ProviderIds};
use crate::domain::card::{BillingAddress, Pan, strike_encoded, strike_numbers};

/// What stands for a word of the address.
const STRUCK: &str = "***";
/// Shorter words tell nobody's address, and are in every text.
const LETTERS_MIN: usize = 4;
/// Shorter numbers are statuses, codes and time-outs too.
const DIGITS_MIN: usize = 5;
/// A text is clipped: its last word may be the beginning of one.
const BEGINNING_MIN: usize = 3;
/// Words that say what is wrong, and may be in an address.
const OF_EVERY_TEXT: [&str; 11] =
    ["address", "card", "city", "code", "country", "invalid", "line", "postal", "required", "state", "street"];

/// `outcome`, without words of `address` in what the provider said.
pub fn without_address(outcome: Outcome, address: &BillingAddress) -> Outcome {
    match outcome {
        Outcome::Declined { resolution, code, message } => {
            Outcome::Declined { resolution, code, message: struck(&message, &words(address)) }
        }
        Outcome::Unknown { why, ids } => Outcome::Unknown { why: struck(&why, &words(address)), ids },
        // Their texts are our own, or there are none.
        Outcome::Processed { .. }
        | Outcome::Pending { .. }
        | Outcome::Returned { .. }
        | Outcome::NotFound
        | Outcome::NotSent { .. } => outcome,
    }
}

/// What a provider was sent that it may repeat.
#[derive(Clone, Copy)]
pub enum Sent<'a> {
    Number(&'a Pan),
    /// It pays to no card.
    NoNumber,
    NotKnown,
}

impl Sent<'_> {
    fn is_in(self, text: &str) -> bool {
        match self {
            Sent::Number(pan) => {
                let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect());
                digits.contains(pan.expose()) || (passes_for_number(text) && strike_numbers(text) == text)
            }
            Sent::NoNumber => false,
            Sent::NotKnown => passes_for_number(text),
        }
    }
}

/// Whether a text could hold a card number, in any spelling.
pub fn passes_for_number(text: &str) -> bool {
    strike_encoded(text) != text
}

/// `outcome`, without ids and codes that have what was sent of a card number.
pub fn without_number(outcome: Outcome, sent: Sent<'_>) -> Outcome {
    let cleared = |mut ids: ProviderIds| {
        for id in [&mut ids.original_id, &mut ids.rrn, &mut ids.arn] {
            *id = id.take().filter(|id| !sent.is_in(id));
        }
        ids
    };
    let text = |text: String| if sent.is_in(&text) { STRUCK.to_owned() } else { text };
    match outcome {
        Outcome::Processed { amount, ids } => Outcome::Processed { amount, ids: cleared(ids) },
        Outcome::Pending { ids } => Outcome::Pending { ids: cleared(ids) },
        Outcome::Returned { amount, ids } => Outcome::Returned { amount, ids: cleared(ids) },
        Outcome::Declined { resolution, code, message } => {
            Outcome::Declined { resolution, code: text(code), message: text(message) }
        }
        Outcome::Unknown { why, ids } => Outcome::Unknown { why: text(why), ids: cleared(ids) },
        Outcome::NotFound | Outcome::NotSent { .. } => outcome,
    }
}

/// The address's words in small letters, as somebody wrote them and in the plain letters that adapters send.
fn words(address: &BillingAddress) -> Vec<Zeroizing<String>> {
    let mut words = Vec::new();
    for part in address.parts() {
        let joined: Zeroizing<String> = Zeroizing::new(part.chars().filter(|c| c.is_alphanumeric()).collect());
        for form in [Some(Zeroizing::new(part.to_owned())), latin::plain(part, "", usize::MAX), Some(joined)] {
            let form = form.unwrap_or_default().to_lowercase();
            words.extend(form.split(|c: char| !c.is_alphanumeric()).filter(|word| is_telling(word)).map(owned));
        }
    }
    words
}

fn owned(word: &str) -> Zeroizing<String> {
    Zeroizing::new(word.to_owned())
}

fn is_telling(word: &str) -> bool {
    let length_min = if word.bytes().all(|b| b.is_ascii_digit()) { DIGITS_MIN } else { LETTERS_MIN };
    word.chars().count() >= length_min && !OF_EVERY_TEXT.contains(&word)
}

fn struck(text: &str, words: &[Zeroizing<String>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        let small = owned(&word.to_lowercase());
        let is_cut_off = after.is_empty()
            && small.chars().count() >= BEGINNING_MIN
            && words.iter().any(|known| known.starts_with(small.as_str()));
        out.push_str(if words.contains(&small) || is_cut_off { STRUCK } else { word });
        let next = after.chars().next().map_or(0, char::len_utf8);
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payout::Resolution;

    fn address() -> BillingAddress {
        let text = r#"{"address": "1500 O'Farrell Street, Straße", "city": "Łódź", "country_code": "US", "zip": "63101-1234",
            "state": "Missouri"}"#;
        BillingAddress::from_plaintext(text.as_bytes()).unwrap()
    }

    fn told(message: &str) -> String {
        let outcome = Outcome::Declined {
            resolution: Resolution::DeclinedError,
            code: "1500".to_owned(),
            message: message.to_owned(),
        };
        match without_address(outcome, &address()) {
            Outcome::Declined { resolution: Resolution::DeclinedError, code, message } if code == "1500" => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_that_is_repeated_is_struck() {
        for (text, expected) in [
            ("city: 'ŁÓDŹ' is too short", "city: '***' is too short"),
            ("city: 'Lodz' is too short", "city: '***' is too short"),
            ("line1 (1500 OFarrell Street Strasse) invalid", "line1 (1500 *** Street ***) invalid"),
            ("zipcode 631011234 and 63101-1234", "zipcode *** and ***-1234"),
            ("state missouri", "state ***"),
            ("cut off: Miss", "cut off: ***"),
            ("HTTP 422: address required", "HTTP 422: address required"),
            ("", ""),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn our_own_words_stay() {
        let unknown = Outcome::unknown("no answer within 1500 ms");
        assert_eq!(without_address(unknown.clone(), &address()), unknown);
        let not_sent = Outcome::not_sent("Missouri");
        assert_eq!(without_address(not_sent.clone(), &address()), not_sent);
    }

    #[test]
    fn an_id_that_is_the_number_is_none_and_one_that_only_looks_like_a_number_stays() {
        let pan = Pan::parse("4111111111111111").unwrap();
        let kept = |id: &str, sent: Sent<'_>| {
            let id = Some(id.to_owned());
            let ids = ProviderIds { original_id: id.clone(), rrn: id.clone(), arn: id, debited: None };
            match without_number(Outcome::Pending { ids }, sent) {
                Outcome::Pending { ids } => {
                    assert!(ids.original_id == ids.rrn && ids.rrn == ids.arn);
                    ids.original_id
                }
                other => panic!("{other:?}"),
            }
        };
        let told = |id: &str| kept(id, Sent::Number(&pan));
        for id in [
            "4111111111111111",
            "card-4111-1111-1111-1111",
            "34313131313131313131313131313131",
            "NDExMTExMTExMTExMTExMQ",
        ] {
            assert_eq!(told(id), None, "{id}");
        }
        for id in ["5555555555554444", "411111111111", "tr_8ac7a4a1", "NPQSldEOV8cUKvoLOeSjl06WsFmbtPhDcX"] {
            assert_eq!(told(id).as_deref(), Some(id));
        }
        // Where nobody knows what was sent, nothing that passes for a number is kept; where none was, whatever it is.
        for id in ["4111111111111111", "5555555555554444", "tr-5555-5555-5555-4444", "NTU1NTU1NTU1NTU1NDQ0NA"] {
            assert_eq!(kept(id, Sent::NotKnown), None, "{id}");
            assert_eq!(kept(id, Sent::NoNumber).as_deref(), Some(id));
        }
        assert_eq!(kept("411111111111", Sent::NotKnown).as_deref(), Some("411111111111"));
        let declined = Outcome::Declined {
            resolution: Resolution::DeclinedError,
            code: "4111 1111 1111 1111".to_owned(),
            message: "no".to_owned(),
        };
        assert!(
            matches!(without_number(declined, Sent::Number(&pan)), Outcome::Declined { code, message, .. } if code == STRUCK && message == "no")
        );
    }
}
