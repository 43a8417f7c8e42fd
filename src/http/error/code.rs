//! The stable table of error codes: each with its number, its system and its status. Codes and numbers are never
//! reused or changed, since apps branch on them; `docs/errors.md` is written from this table.

use actix_web::http::StatusCode;

use super::super::messages::{self, Language};
use super::advice::Advice;

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
    ($($(#[$doc:meta])* $name:ident = $text:literal, $number:literal, $system:ident, $status:ident, $advice:expr;)+) => {
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

            /// What a caller does about it.
            pub const fn advice(self) -> Advice {
                match self { $(Code::$name => $advice,)+ }
            }
        }
    };
}

codes! {
    /// A failure of ours. Nothing is told but the request id.
    Common = "COMMON", 0, Core, INTERNAL_SERVER_ERROR,
        Advice::again("A pay is the same by its offer, another write under the same `Idempotency-Key`. If it stays, ask with the `requestId`.").but_money_may_have_moved();
    /// `field` names what can't be read, `data.problem` says how.
    NotValidRequestData = "NOT_VALID_REQUEST_DATA", 1, Core, BAD_REQUEST,
        Advice::change("`field` names what is wrong, `data.problem` how. A fault of the app: the same fails each time.");
    NotFound = "NOT_FOUND", 2, Core, NOT_FOUND,
        Advice::change("There is no such path, or nothing of this user under this id in the token's mode.");
    MethodNotAllowed = "METHOD_NOT_ALLOWED", 3, Core, METHOD_NOT_ALLOWED,
        Advice::change("`Allow` lists the path's methods.");
    RequestTooLarge = "REQUEST_TOO_LARGE", 4, Core, PAYLOAD_TOO_LARGE,
        Advice::change("No body of this API needs to be so long.");
    /// The body did not come in time.
    RequestTimeout = "REQUEST_TIMEOUT", 5, Core, REQUEST_TIMEOUT,
        Advice::again("The connection was too slow; nothing was looked at.");
    TooManyRequests = "TOO_MANY_REQUESTS", 6, Core, TOO_MANY_REQUESTS,
        Advice::again("After `Retry-After`. Follow a payout by its stream instead of asking.");
    /// The database or the key provider can't be reached, or there is too much to do: try again.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 7, Core, SERVICE_UNAVAILABLE,
        Advice::again("After `Retry-After`, under the same `Idempotency-Key`; a pay is the same by its offer.").but_money_may_have_moved();
    /// The key was used for another request.
    IdempotencyMismatch = "IDEMPOTENCY_MISMATCH", 8, Core, UNPROCESSABLE_ENTITY,
        Advice::change("Read what became of the first request; a new one takes a key of its own.").but_money_may_have_moved();
    /// The first request with this key is still running.
    RequestInProgress = "REQUEST_IN_PROGRESS", 9, Core, CONFLICT,
        Advice::again("After `Retry-After`, under the same key: the answer is then the first one's.").but_money_may_have_moved();
    /// The target and the headers together are too long, or there are too many headers.
    HeadersTooLarge = "HEADERS_TOO_LARGE", 10, Core, REQUEST_HEADER_FIELDS_TOO_LARGE,
        Advice::change("Send fewer or shorter headers.");

    InvalidToken = "invalid_token", 100, Auth, UNAUTHORIZED,
        Advice::change("Get another token, then send the same again. `data.reason` says what is wrong with this one.");
    InsufficientScope = "insufficient_scope", 101, Auth, FORBIDDEN,
        Advice::change("The token is for something else, or for reading alone: get one with the scope.");

    CardNotSupported = "CARD_NOT_SUPPORTED", 200, Card, BAD_REQUEST,
        Advice::change("Let the user take another card.");
    CardExpired = "CARD_EXPIRED", 201, Card, BAD_REQUEST,
        Advice::change("Let the user add the card anew with its new date, or take another one.");
    BillingAddressRequired = "BILLING_ADDRESS_REQUIRED", 202, Card, BAD_REQUEST,
        Advice::change("`PUT /v4/payout/card/{cardId}/billing-address`, then pay again.");
    /// The card is being checked.
    CardPending = "CARD_PENDING", 203, Card, BAD_REQUEST,
        Advice::again("Later: once `validationStatus` of the card in `GET /v4/payout/data` is `APPROVED`.");
    TooManyCards = "TOO_MANY_CARDS", 204, Card, BAD_REQUEST,
        Advice::change("Let the user delete a card first.");

    OfferExpired = "OFFER_EXPIRED", 300, Payout, BAD_REQUEST,
        Advice::change("Ask for a new offer, show its price, and pay that one.");
    OfferAlreadyExecuted = "OFFER_ALREADY_EXECUTED", 301, Payout, BAD_REQUEST,
        Advice::change("It was paid before: `GET /v4/payout/pay/{offerId}` says what became of it. Don't pay another offer in its place.").but_money_may_have_moved();
    /// The offer changed since the caller saw it: `data.version` is the current one.
    OfferVersionConflict = "OFFER_VERSION_CONFLICT", 302, Payout, CONFLICT,
        Advice::change("Read the offer, show it again, and pay the version in `data.version`.");
    InsufficientFunds = "INSUFFICIENT_FUNDS", 303, Payout, BAD_REQUEST,
        Advice::change("A smaller amount, or more money: amount and fees are more than what is available.");
    LimitExceeded = "LIMIT_EXCEEDED", 304, Payout, BAD_REQUEST,
        Advice::change("`data.limit` says how much there is room for, where it can be told.");
    /// Too many payouts, or too much, in a short time.
    VelocityExceeded = "VELOCITY_EXCEEDED", 305, Payout, BAD_REQUEST,
        Advice::again("Later: so many payouts in so short a time aren't allowed. A new offer may be needed.");
    AmountTooSmall = "AMOUNT_TOO_SMALL", 306, Payout, BAD_REQUEST,
        Advice::change("`data.limit` is the least.");
    AmountTooLarge = "AMOUNT_TOO_LARGE", 307, Payout, BAD_REQUEST,
        Advice::change("`data.limit` is the most.");
    PairNotSupported = "PAIR_NOT_SUPPORTED", 308, Payout, BAD_REQUEST,
        Advice::change("`pairs` of `GET /v4/payout/data` lists those that are.");
    KycRequired = "KYC_REQUIRED", 309, Payout, FORBIDDEN,
        Advice::change("The user's identity has to be verified first; then get another token.");
    CustomerBlocked = "CUSTOMER_BLOCKED", 310, Payout, BAD_REQUEST,
        Advice::ask("The house has blocked the user; nothing in the request helps.");
    RatesUnavailable = "RATES_UNAVAILABLE", 311, Payout, SERVICE_UNAVAILABLE,
        Advice::again("After `Retry-After`. No old price is ever given.");
    NoRoute = "NO_ROUTE", 312, Payout, SERVICE_UNAVAILABLE,
        Advice::again("After `Retry-After`, while the offer holds; then ask for a new one. A smaller amount may go at once.");
    /// A provider's callback that can't be verified. No app ever sees it.
    CallbackNotVerified = "CALLBACK_NOT_VERIFIED", 313, Payout, UNAUTHORIZED,
        Advice::change("For payout providers: no app meets it.");
    /// Nobody can tell now whether the payout may be made. Nothing was changed.
    ScreeningUnavailable = "SCREENING_UNAVAILABLE", 314, Payout, SERVICE_UNAVAILABLE,
        Advice::again("After `Retry-After`, while the offer holds; then ask for a new one.");
    /// What the partner is priced and limited by can't be read: nothing is offered or paid until somebody has mended it.
    TermsUnavailable = "TERMS_UNAVAILABLE", 315, Payout, SERVICE_UNAVAILABLE,
        Advice::again("After `Retry-After`. If it stays, ask: the terms of the app's partner can't be read.");
}

impl Code {
    /// After how many seconds another try may help; `None`: not before something changes.
    pub const fn retry_after_secs(self) -> Option<u64> {
        match self {
            Code::ServiceUnavailable | Code::RequestInProgress => Some(1),
            Code::RatesUnavailable => Some(2),
            Code::TooManyRequests | Code::ScreeningUnavailable => Some(5),
            Code::NoRoute | Code::TermsUnavailable => Some(10),
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
         ## What to do\n\n\
         For each code of both APIs the tables say what helps, and whether money may have moved:\n\n\
         - **Same again**: send the very same request, with the same body and the same names (`Idempotency-Key`, `reference_id`, the\n\
         \x20 offer's id), no sooner than `Retry-After` says and at growing intervals. What was done already isn't done twice.\n\
         - **Change** something first: the same request fails each time.\n\
         - **Ask** the house, with the request's id.\n\
         - *Money*, `no`: nothing was held or paid by this request. `maybe`: this request, or the one before it under the same name, may have\n\
         \x20 been carried out. Read where it stands (`GET /v4/payout/pay/{offerId}`, or the payout request by its `reference_id`) before anything\n\
         \x20 else is asked for. **Never choose a new name to get past it.**\n\n\
         No answer at all (a time-out, a broken connection) is like a 503: maybe, and the same again.\n\n\
         A refusal is an answer too: it is saved under its `Idempotency-Key` for 24 hours, and comes again under that key even where the reason is\n\
         gone. So what is sent again after a **Change** takes another key, and keeps its `reference_id`. Not saved is what was malformed, a 401, a\n\
         429 and a 5xx.\n\n\
         ## The wallet API (`/v4/`)\n\n\
         These tables are written from the code by `make openapi`.\n\n\
         | error | errorId | status | what to do | money | message | Retry-After | systemId |\n|---|---|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let retry_after = code.retry_after_secs().map(|secs| format!("{secs} s")).unwrap_or_default();
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} | `{}` |\n",
            code.as_str(),
            code.number(),
            code.status().as_u16(),
            code.advice().cells(),
            messages::message(*code, Language::En),
            retry_after,
            code.system().as_str(),
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

    /// What is answered when a commit's outcome isn't known, and what stands for something that was done before.
    #[test]
    fn what_may_have_moved_money_says_so() {
        let may = |code: &&Code| code.advice().money == super::super::advice::Money::MayHaveMoved;
        let may: Vec<&str> = Code::ALL.iter().filter(may).map(|code| code.as_str()).collect();
        let wanted =
            ["COMMON", "SERVICE_UNAVAILABLE", "IDEMPOTENCY_MISMATCH", "REQUEST_IN_PROGRESS", "OFFER_ALREADY_EXECUTED"];
        assert_eq!(may, wanted);
        for code in Code::ALL.iter().filter(|code| code.retry_after_secs().is_some()) {
            assert_eq!(code.advice().next, super::super::advice::Next::SameAgain, "{code:?}");
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
