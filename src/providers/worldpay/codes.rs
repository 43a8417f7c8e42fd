//! The scheme response codes that Worldpay repeats as `refusalCode`, one by one: Worldpay's reference "Raw response codes" (the unmodified
//! code of the card scheme), with Visa's table (VisaNet field 39) and Mastercard's ("Network Response Codes" of Mastercard Send, DE 39).
//!
//! Only codes that say why a payment was declined stand here. Approvals (00, 08, 10, 11, 85, 87), duplicates (94), codes of reversals and
//! of other messages, and whatever a scheme adds later do not: beside a refusal they leave it open what happened.

use crate::domain::payout::Resolution;

/// A code, its resolution, and what it says.
pub type Code = (&'static str, Resolution, &'static str);

pub const VISA: [Code; 49] = [
    ("01", Resolution::DeclinedError, "refer to the card's issuer"),
    ("02", Resolution::DeclinedError, "refer to the card's issuer, special condition"),
    ("03", Resolution::AccessDenied, "invalid merchant"),
    ("04", Resolution::CardRestricted, "pick up the card, no fraud"),
    ("05", Resolution::DeclinedError, "do not honor"),
    ("06", Resolution::DeclinedError, "error"),
    ("07", Resolution::StolenCard, "pick up the card, fraud account"),
    ("12", Resolution::DeclinedError, "invalid transaction"),
    ("13", Resolution::LimitViolation, "invalid amount"),
    ("14", Resolution::InvalidDetails, "invalid account number"),
    ("15", Resolution::InvalidDetails, "no such issuer"),
    ("19", Resolution::DeclinedError, "re-enter the transaction"),
    ("39", Resolution::RecipientNotFound, "no credit account"),
    ("41", Resolution::StolenCard, "lost card"),
    ("43", Resolution::StolenCard, "stolen card"),
    ("46", Resolution::RecipientNotFound, "closed account"),
    ("51", Resolution::InsufficientFunds, "not sufficient funds"),
    ("52", Resolution::RecipientNotFound, "no checking account"),
    ("53", Resolution::RecipientNotFound, "no savings account"),
    ("54", Resolution::CardExpired, "expired card"),
    ("55", Resolution::DeclinedError, "PIN incorrect or missing"),
    ("57", Resolution::CardRestricted, "transaction not permitted to the cardholder"),
    ("58", Resolution::InvalidMethod, "transaction not allowed at the terminal"),
    ("59", Resolution::AntifraudError, "suspected fraud"),
    ("61", Resolution::LimitViolation, "exceeds the amount limit"),
    ("62", Resolution::CardRestricted, "restricted card"),
    ("63", Resolution::DeclinedError, "security violation"),
    ("64", Resolution::AntifraudError, "does not fulfill AML requirements"),
    ("65", Resolution::LimitViolation, "exceeds the frequency limit"),
    ("70", Resolution::DeclinedError, "PIN data required"),
    ("75", Resolution::CardRestricted, "PIN tries exceeded"),
    ("78", Resolution::CardRestricted, "blocked, first used"),
    ("81", Resolution::DeclinedError, "cryptographic error in the PIN"),
    ("82", Resolution::DeclinedError, "negative card authentication results"),
    ("86", Resolution::DeclinedError, "PIN can't be verified"),
    ("91", Resolution::DeclinedError, "the issuer doesn't respond"),
    ("92", Resolution::DeclinedError, "can't be routed to the issuer"),
    ("93", Resolution::InvalidRecipient, "can't be completed: violation of law"),
    ("96", Resolution::DeclinedError, "system malfunction"),
    ("1A", Resolution::DeclinedError, "additional customer authentication required"),
    ("5C", Resolution::CardRestricted, "not supported, or blocked by the issuer"),
    ("6P", Resolution::InvalidDetails, "verification data failed"),
    ("9G", Resolution::CardRestricted, "blocked by the cardholder"),
    ("N3", Resolution::InvalidMethod, "cash service not available"),
    ("N4", Resolution::LimitViolation, "exceeds the issuer's limit"),
    ("N7", Resolution::DeclinedError, "CVV2 failure"),
    ("R0", Resolution::CardRestricted, "stop this payment"),
    ("R1", Resolution::CardRestricted, "stop all future payments"),
    ("R3", Resolution::CardRestricted, "stop all merchants"),
];

pub const MASTERCARD: [Code; 34] = [
    ("01", Resolution::DeclinedError, "refer to the card's issuer"),
    ("03", Resolution::AccessDenied, "invalid merchant"),
    ("04", Resolution::CardRestricted, "capture the card"),
    ("05", Resolution::DeclinedError, "do not honor"),
    ("12", Resolution::DeclinedError, "invalid transaction"),
    ("13", Resolution::LimitViolation, "invalid amount"),
    ("14", Resolution::InvalidDetails, "invalid card number"),
    ("15", Resolution::InvalidDetails, "invalid issuer"),
    ("30", Resolution::DeclinedError, "format error"),
    ("41", Resolution::StolenCard, "lost card"),
    ("43", Resolution::StolenCard, "stolen card"),
    ("51", Resolution::InsufficientFunds, "insufficient funds, or over the credit limit"),
    ("54", Resolution::CardExpired, "expired card"),
    ("55", Resolution::DeclinedError, "invalid PIN"),
    ("57", Resolution::CardRestricted, "transaction not permitted to the cardholder"),
    ("58", Resolution::InvalidMethod, "transaction not permitted to the acquirer"),
    ("61", Resolution::LimitViolation, "exceeds the amount limit"),
    ("62", Resolution::CardRestricted, "restricted card"),
    ("63", Resolution::DeclinedError, "security violation"),
    ("65", Resolution::LimitViolation, "exceeds the count limit"),
    ("70", Resolution::DeclinedError, "contact the card's issuer"),
    ("71", Resolution::DeclinedError, "PIN not changed"),
    ("75", Resolution::CardRestricted, "PIN tries exceeded"),
    ("76", Resolution::RecipientNotFound, "invalid \"to account\""),
    ("78", Resolution::RecipientNotFound, "invalid or nonexistent account"),
    ("79", Resolution::InvalidDetails, "life cycle: the account isn't current"),
    ("82", Resolution::DeclinedError, "policy"),
    ("83", Resolution::AntifraudError, "fraud or security"),
    ("86", Resolution::DeclinedError, "PIN validation not possible"),
    ("88", Resolution::DeclinedError, "cryptographic failure"),
    ("89", Resolution::DeclinedError, "unacceptable PIN"),
    ("91", Resolution::DeclinedError, "the issuer's system is inoperative"),
    ("92", Resolution::DeclinedError, "unable to route the transaction"),
    ("96", Resolution::DeclinedError, "system error"),
];

/// What a scheme's code says. Without a scheme's name only what both schemes say alike counts.
pub fn of(scheme: Option<&str>, code: &str) -> Option<&'static Code> {
    let (visa, mastercard) = (in_table(&VISA, code), in_table(&MASTERCARD, code));
    match (scheme, visa, mastercard) {
        (Some("visa"), known, _) | (Some("mastercard"), _, known) => known,
        (Some(_), _, _) => None,
        (None, Some((_, one, _)), Some((_, other, _))) if one != other => None,
        (None, _, _) => visa.or(mastercard),
    }
}

fn in_table(table: &'static [Code], code: &str) -> Option<&'static Code> {
    table.iter().find(|(known, _, _)| *known == code)
}
