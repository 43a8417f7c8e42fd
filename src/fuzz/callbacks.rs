//! Callbacks: what isn't signed is never believed, and what is signed is read or refused.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use secrecy::SecretString;
use uuid::Uuid;

use super::{assert_tells_no_number, debug_text};
use crate::config::providers::ProvidersSettings;
use crate::domain::ids::{Mode, ProviderAccountId};
use crate::providers::adyen::{AdyenProvider, signature as adyen};
use crate::providers::checkout::{CheckoutProvider, SIGNATURE_HEADER as CHECKOUT_HEADER};
use crate::providers::echo::{self, Sent};
use crate::providers::http::{HttpProvider, SIGNATURE_HEADER as HTTP_HEADER};
use crate::providers::provider::{AccountContext, CallbackError, Provider};
use crate::providers::signature;
use crate::providers::transport::{Transport, TransportError, WireRequest, WireResponse};

/// In hexadecimal, as Adyen's keys are.
const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

/// Callbacks are read without asking anybody.
struct Nobody;

#[async_trait]
impl Transport for Nobody {
    async fn call(&self, _: WireRequest) -> Result<WireResponse, TransportError> {
        panic!("a callback led to a call");
    }
}

type Sign = fn(&SecretString, &[u8]) -> Option<String>;

/// Who sends callbacks, by which header and signature.
type Sender = (Box<dyn Provider>, &'static str, Sign);

static SENDERS: LazyLock<[Sender; 3]> = LazyLock::new(|| {
    let shipped = ProvidersSettings::shipped();
    let nobody = || Arc::new(Nobody) as Arc<dyn Transport>;
    [
        (Box::new(AdyenProvider::new(&shipped.adyen, nobody())), adyen::HEADER, adyen::sign),
        (Box::new(CheckoutProvider::new(&shipped.checkout, nobody())), CHECKOUT_HEADER, signature::sign),
        (Box::new(HttpProvider::with_transport(&shipped.http, nobody())), HTTP_HEADER, signature::sign),
    ]
});

/// The first byte says whose callback it is, and whether what follows is signed, or begins with a line that is its signature.
pub(super) fn callback(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let (provider, header, sign) = &SENDERS[usize::from(*first) % SENDERS.len()];
    let key = SecretString::from(KEY);
    let account = AccountContext {
        account_id: ProviderAccountId(Uuid::from_u128(1)),
        mode: Mode::Test,
        settings: [("balance_account_id", "BA00000000000000000000001"), ("account", "main")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        credentials: ["hmac_key", "webhook_signature_key", "callback_secret"]
            .map(|name| (name.to_owned(), key.clone()))
            .into(),
    };
    let (line, body) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (rest, rest),
    };
    let good = sign(&key, body).unwrap_or_default();
    let claimed = String::from_utf8_lossy(line).into_owned();
    for (claimed, is_signed) in [(claimed.clone(), claimed.trim() == good), (good, true)] {
        let headers = [((*header).to_owned(), claimed)];
        match provider.parse_callback(&account, &headers, body) {
            Ok(told) => {
                assert!(is_signed, "{} believes what isn't signed", provider.code());
                for told in told {
                    let kept = echo::without_number(told.outcome, Sent::NotKnown);
                    assert_tells_no_number("a callback's outcome", &debug_text(&kept));
                }
            }
            Err(CallbackError::NotVerified { references }) => {
                assert!(references.len() <= 64, "{} references of a stranger", references.len());
            }
            Err(CallbackError::Malformed(what)) => assert_tells_no_number("a refusal", &what),
            Err(CallbackError::NotSupported) => panic!("{} sends callbacks", provider.code()),
        }
    }
}
