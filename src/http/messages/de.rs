//! German.

use super::super::error::Code;
use super::super::v4::FeeType;

/// Before a limit that is shown.
pub const LIMIT: &str = "Grenze";

pub const fn message(code: Code) -> &'static str {
    match code {
        Code::Common => "Bei uns ist ein Fehler aufgetreten. Bitte versuchen Sie es später noch einmal.",
        Code::NotValidRequestData => "Die Anfrage ist ungültig.",
        Code::NotFound => "Unter diesem Namen gibt es hier nichts.",
        Code::MethodNotAllowed => "Das ist hier nicht möglich.",
        Code::RequestTooLarge => "Die Anfrage ist zu groß.",
        Code::HeadersTooLarge => "Die Kopfzeilen der Anfrage sind zu groß.",
        Code::RequestTimeout => "Die Anfrage hat zu lange gebraucht.",
        Code::TooManyRequests => "Zu viele Anfragen. Bitte warten Sie einen Moment.",
        Code::ServiceUnavailable => "Der Dienst ist gerade nicht verfügbar. Bitte versuchen Sie es noch einmal.",
        Code::IdempotencyMismatch => "Dieser Idempotenzschlüssel wurde für eine andere Anfrage verwendet.",
        Code::RequestInProgress => "Dieselbe Anfrage wird noch bearbeitet.",
        Code::InvalidToken => "Bitte melden Sie sich erneut an.",
        Code::InsufficientScope => "Dazu fehlt Ihnen die Berechtigung.",
        Code::CardNotSupported => "Diese Karte wird nicht unterstützt.",
        Code::CardExpired => "Die Karte ist abgelaufen.",
        Code::BillingAddressRequired => "Bitte geben Sie zuerst die Rechnungsadresse der Karte an.",
        Code::CardPending => "Die Karte wird noch geprüft.",
        Code::TooManyCards => "Sie haben die Höchstzahl an Karten erreicht.",
        Code::OfferExpired => "Das Angebot ist abgelaufen. Bitte fordern Sie ein neues an.",
        Code::OfferAlreadyExecuted => "Das Angebot wurde bereits ausgeführt.",
        Code::OfferVersionConflict => "Das Angebot hat sich geändert. Bitte sehen Sie es noch einmal an.",
        Code::InsufficientFunds => "Ihr Guthaben reicht nicht aus.",
        Code::LimitExceeded => "Damit würde Ihr Limit überschritten.",
        Code::VelocityExceeded => "Zu viele Auszahlungen in kurzer Zeit. Bitte versuchen Sie es später noch einmal.",
        Code::AmountTooSmall => "Der Betrag ist zu klein.",
        Code::AmountTooLarge => "Der Betrag ist zu groß.",
        Code::PairNotSupported => "Dieses Währungspaar wird nicht unterstützt.",
        Code::KycRequired => "Bitte bestätigen Sie zuerst Ihre Identität.",
        Code::CustomerBlocked => "Auszahlungen sind für Sie gesperrt. Bitte wenden Sie sich an den Support.",
        Code::RatesUnavailable => "Zurzeit gibt es keinen Kurs. Bitte versuchen Sie es noch einmal.",
        Code::ScreeningUnavailable => "Die Auszahlung kann gerade nicht geprüft werden. Bitte versuchen Sie es erneut.",
        Code::TermsUnavailable => "Auszahlungen sind gerade nicht möglich. Bitte versuchen Sie es später erneut.",
        Code::NoRoute => "Die Auszahlung ist zurzeit nicht möglich. Bitte versuchen Sie es später noch einmal.",
        Code::CallbackNotVerified => "Die Rückmeldung konnte nicht überprüft werden.",
    }
}

pub const fn fee_name(fee: FeeType) -> &'static str {
    match fee {
        FeeType::Transaction => "Transaktionsgebühr",
        FeeType::Gas => "Netzwerkgebühr",
        FeeType::Additional => "Zusatzgebühr",
        FeeType::Partner => "Partnergebühr",
    }
}
