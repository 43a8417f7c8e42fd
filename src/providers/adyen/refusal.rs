//! Adyen's refusals of a call: which of them took nothing, and what they say of the account's rights. Both forms of Adyen's errors are
//! read, the newer one (RFC 7807) and the older one.

use super::codes::{IN_DOUBT, Kind, REFUSALS};
use super::wire::Refused;
use crate::domain::payout::Resolution;
use crate::providers::provider::ProviderError;
use crate::providers::told::clipped;
use crate::providers::transport::WireResponse;

/// A refusal that took nothing: its resolution, code and message; for what isn't one, why it says nothing.
pub fn read(response: &WireResponse) -> Result<(Resolution, String, String), String> {
    let status = response.status;
    let Ok(refused) = serde_json::from_slice::<Refused>(&response.body) else {
        return Err(format!("HTTP {status} with a body that can't be read"));
    };
    let code = clipped(&refused.error_code);
    // A page of something in between has no such body, or another status in it.
    let known = REFUSALS.iter().find(|(of_status, kind, _)| {
        *of_status == status
            && match kind {
                Kind::Problem(page) => refused.problem.as_deref() == Some(page),
                Kind::ErrorType(name) => refused.problem.is_none() && refused.error_type.as_deref() == Some(name),
            }
    });
    match known {
        Some((_, _, resolution)) if refused.status == status && !IN_DOUBT.contains(&refused.error_code.as_str()) => {
            let message = clipped(&words(&refused));
            Ok((*resolution, code, message))
        }
        _ => Err(format!("HTTP {status}: {code:?}")),
    }
}

/// What a refusal says in words: of invalid fields, the first one's name and what is wrong with it, but never its value.
fn words(refused: &Refused) -> String {
    let text = refused.detail.as_deref().or(refused.message.as_deref()).unwrap_or_default();
    match refused.invalid_fields.iter().flatten().next() {
        Some(field) => {
            let (name, message) = (field.name.as_deref(), field.message.as_deref());
            format!("{}: {}", name.unwrap_or("a field"), message.unwrap_or(text))
        }
        None => text.to_owned(),
    }
}

/// What the answer to a question other than about a payout says; the reader turns a 200's body into it.
pub fn answered<T>(
    response: &WireResponse,
    reader: impl FnOnce(&WireResponse) -> Option<T>,
) -> Result<T, ProviderError> {
    if response.status == 200 {
        return reader(response).ok_or_else(|| ProviderError::Unavailable("the answer can't be understood".to_owned()));
    }
    match self::read(response) {
        Ok((Resolution::InvalidCredentials | Resolution::AccessDenied, code, message)) => {
            Err(ProviderError::Credentials(format!("{code} {message}")))
        }
        Ok((_, code, message)) => Err(ProviderError::Unavailable(format!("{code} {message}"))),
        Err(why) => Err(ProviderError::Unavailable(why)),
    }
}
