//! The stable table of error codes: each with its number, its system and its status. Codes and numbers are never
//! reused or changed, since apps branch on them; `docs/errors.md` is written from this table.

use actix_web::http::StatusCode;

use super::super::messages::{self, Language};

/// Which part of the system an error comes from: `systemId` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    Core,
    Auth,
    Card,
    Payout,
}

impl System {
    pub const fn as_str(self) -> &'static str {
        match self {
            System::Core => "core",
            System::Auth => "auth",
            System::Card => "card",
            System::Payout => "payout",
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $number:literal, $system:ident, $status:ident;)+) => {
        /// A stable error code: `error` on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)+ }
            }

            /// `errorId` on the wire.
            pub const fn number(self) -> u32 {
                match self { $(Code::$name => $number,)+ }
            }

            pub const fn system(self) -> System {
                match self { $(Code::$name => System::$system,)+ }
            }

            pub const fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status,)+ }
            }
        }
    };
}

codes! {
    /// A failure of ours. Nothing is told but the request id.
    Common = "COMMON", 0, Core, INTERNAL_SERVER_ERROR;
    /// `field` names what can't be read, `data.problem` says how.
    NotValidRequestData = "NOT_VALID_REQUEST_DATA", 1, Core, BAD_REQUEST;
    NotFound = "NOT_FOUND", 2, Core, NOT_FOUND;
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 3, Core, METHOD_NOT_ALLOWED;
    RequestTooLarge = "REQUEST_TOO_LARGE", 4, Core, PAYLOAD_TOO_LARGE;
    /// The body did not come in time.
    RequestTimeout = "REQUEST_TIMEOUT", 5, Core, REQUEST_TIMEOUT;
    TooManyRequests = "TOO_MANY_REQUESTS", 6, Core, TOO_MANY_REQUESTS;
    /// The database or the key provider can't be reached, or there is too much to do: try again.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 7, Core, SERVICE_UNAVAILABLE;
    /// The key was used for another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 8, Core, UNPROCESSABLE_ENTITY;
    /// The first request with this key is still running.
    RequestInProgress = "REQUEST_IN_PROGRESS", 9, Core, CONFLICT;
    /// The target and the headers together are too long, or there are too many headers.
    HeadersTooLarge = "HEADERS_TOO_LARGE", 10, Core, REQUEST_HEADER_FIELDS_TOO_LARGE;

    InvalidToken = "invalid_token", 100, Auth, UNAUTHORIZED;
    InsufficientScope = "insufficient_scope", 101, Auth, FORBIDDEN;

    CardNotSupported = "CARD_NOT_SUPPORTED", 200, Card, BAD_REQUEST;
    CardExpired = "CARD_EXPIRED", 201, Card, BAD_REQUEST;
    BillingAddressRequired = "BILLING_ADDRESS_REQUIRED", 202, Card, BAD_REQUEST;
    /// The card is being checked.
    CardPending = "CARD_PENDING", 203, Card, BAD_REQUEST;
    TooManyCards = "TOO_MANY_CARDS", 204, Card, BAD_REQUEST;

    OfferExpired = "OFFER_EXPIRED", 300, Payout, BAD_REQUEST;
    OfferAlreadyExecuted = "OFFER_ALREADY_EXECUTED", 301, Payout, BAD_REQUEST;
    /// The offer changed since the caller saw it: `data.version` is the current one.
    OfferVersionConflict = "OFFER_VERSION_CONFLICT", 302, Payout, CONFLICT;
    InsufficientFunds = "INSUFFICIENT_FUNDS", 303, Payout, BAD_REQUEST;
    LimitExceeded = "LIMIT_EXCEEDED", 304, Payout, BAD_REQUEST;
    /// Too many payouts, or too much, in a short time.
    VelocityExceeded = "VELOCITY_EXCEEDED", 305, Payout, BAD_REQUEST;
    AmountTooSmall = "AMOUNT_TOO_SMALL", 306, Payout, BAD_REQUEST;
    AmountTooLarge = "AMOUNT_TOO_LARGE", 307, Payout, BAD_REQUEST;
    PairNotSupported = "PAIR_NOT_SUPPORTED", 308, Payout, BAD_REQUEST;
    KycRequired = "KYC_REQUIRED", 309, Payout, FORBIDDEN;
    CustomerBlocked = "CUSTOMER_BLOCKED", 310, Payout, BAD_REQUEST;
    RatesUnavailable = "RATES_UNAVAILABLE", 311, Payout, SERVICE_UNAVAILABLE;
    NoRoute = "NO_ROUTE", 312, Payout, SERVICE_UNAVAILABLE;
    /// A provider's callback that can't be verified. No app ever sees it.
    CallbackNotVerified = "CALLBACK_NOT_VERIFIED", 313, Payout, UNAUTHORIZED;
    /// Nobody can tell now whether the payout may be made. Nothing was changed.
    ScreeningUnavailable = "SCREENING_UNAVAILABLE", 314, Payout, SERVICE_UNAVAILABLE;
}

impl Code {
    /// After how many seconds another try may help; `None`: not before something changes.
    pub const fn retry_after_secs(self) -> Option<u64> {
        match self {
            Code::ServiceUnavailable | Code::RequestInProgress => Some(1),
            Code::RatesUnavailable => Some(2),
            Code::TooManyRequests | Code::ScreeningUnavailable => Some(5),
            Code::NoRoute => Some(10),
            _ => None,
        }
    }
}

/// `docs/errors.md`.
pub fn errors_markdown() -> String {
    let mut page = String::from(
        "# Errors\n\n\
         Every error of the wallet API has the same shape. `error` and `errorId` are stable: branch on either. `message` is for the\n\
         user, in the language that `Accept-Language` asks for (LANGUAGES). `field` names what is wrong in a request, `data`\n\
         holds details (`problem`, `detail`, `limit`, `version`, `reason`), and `requestId` is what support asks for.\n\n\
         ```json\n",
    );
    let languages: Vec<&str> = Language::ALL.iter().map(|language| language.as_str()).collect();
    page = page.replace("LANGUAGES", &languages.join(", "));
    page.push_str(EXAMPLE);
    page.push_str(
        "\n```\n\n\
         `data.problem` of `NOT_VALID_REQUEST_DATA` is one of `missing`, `type`, `length`, `value`, `unknown`, `forbidden`, `duplicate`\n\
         and `json`. `Retry-After` comes with the codes that name seconds below.\n\n\
         This table is written from the code by `make openapi`.\n\n\
         | errorId | error | systemId | status | Retry-After | message |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let retry_after = code.retry_after_secs().map(|secs| format!("{secs} s")).unwrap_or_default();
        page.push_str(&format!(
            "| {} | `{}` | `{}` | {} | {} | {} |\n",
            code.number(),
            code.as_str(),
            code.system().as_str(),
            code.status().as_u16(),
            retry_after,
            messages::message(*code, Language::En)
        ));
    }
    page.push_str(&crate::http::v1::codes::markdown());
    page
}

const EXAMPLE: &str = r#"{
  "error": "AMOUNT_TOO_SMALL",
  "errorId": 306,
  "systemId": "payout",
  "message": "The amount is too small. Limit: 23.04890979 USDT.",
  "field": "amount",
  "data": { "limit": { "value": 23.04890979, "currency": "USDT" } },
  "requestId": "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10"
}"#;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_and_numbers_are_unique_and_common_is_zero() {
        let numbers: BTreeSet<u32> = Code::ALL.iter().map(|code| code.number()).collect();
        let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!((numbers.len(), texts.len()), (Code::ALL.len(), Code::ALL.len()));
        assert_eq!(Code::Common.number(), 0);
    }

    #[test]
    fn the_published_codes_are_all_there() {
        for text in [
            "COMMON",
            "NOT_VALID_REQUEST_DATA",
            "invalid_token",
            "CARD_NOT_SUPPORTED",
            "CARD_EXPIRED",
            "OFFER_EXPIRED",
            "OFFER_ALREADY_EXECUTED",
            "INSUFFICIENT_FUNDS",
            "LIMIT_EXCEEDED",
            "AMOUNT_TOO_SMALL",
            "AMOUNT_TOO_LARGE",
            "KYC_REQUIRED",
            "BILLING_ADDRESS_REQUIRED",
            "PAIR_NOT_SUPPORTED",
            "RATES_UNAVAILABLE",
            "NO_ROUTE",
            "CUSTOMER_BLOCKED",
        ] {
            assert!(Code::ALL.iter().any(|code| code.as_str() == text), "{text}");
        }
    }

    #[test]
    fn the_page_of_errors_is_the_table() {
        crate::http::openapi::assert_generated(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md"),
            &errors_markdown(),
        );
    }
}
