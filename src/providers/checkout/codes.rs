//! Every code that Checkout.com documents, one by one: what a payment's `response_code` says of a payout, and what the `error_codes` of a
//! refused request say. The ranges (20xxx "soft", 30xxx "hard") decide nothing: both hold codes after which the money may have moved.

use crate::domain::payout::Resolution::{self, *};

/// What a response code says of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The money went out, all of it.
    Approved,
    /// Finally refused: no money went out and none will.
    Declined(Resolution),
    /// Documented, but the money may have moved: a time-out behind the provider, a malfunction, a duplicate of something, a return, or a
    /// code that isn't meant for a payout to a card.
    Open,
}

use Said::{Approved, Declined, Open};

/// What `code` says; `None` if it isn't documented.
pub fn said(code: &str) -> Option<Said> {
    RESPONSE_CODES.iter().find(|(known, _)| *known == code).map(|(_, said)| *said)
}

/// What the codes of a refused request say together: the refusal that is final for the card, if one is, else the first; `None` unless
/// there is a code and each of them is in the table.
pub fn refused(codes: &[String]) -> Option<(&'static str, Resolution)> {
    use crate::domain::payout::ResolutionClass::FinalForCard;
    let known: Option<Vec<_>> =
        codes.iter().map(|code| ERROR_CODES.iter().find(|(known, _)| known == code).copied()).collect();
    let known = known?;
    known.iter().find(|(_, resolution)| resolution.class() == FinalForCard).or(known.first()).copied()
}

/// Source: "API response codes" (<https://www.checkout.com/docs/developer-resources/codes/api-response-codes>), as of July 2026, and the
/// codes of its 2025 edition that it no longer has (200O5, 40101 and 402xx, which accounts without the newer risk codes still get, 44301).
/// Where the page says what a code means for payouts, that decides.
pub const RESPONSE_CODES: &[(&str, Said)] = &[
    // 10xxx: approved.
    ("10000", Approved), // approved
    ("10008", Approved), // approved, honour with ID
    ("10010", Open),     // a part of the value approved: of which amount, the payment says
    ("10011", Approved), // approved, VIP
    ("10076", Approved), // approved, country club
    ("10077", Approved), // approved, local banks
    ("10081", Approved), // approved, commercial
    ("10100", Open),     // flagged as potentially risky
    ("10200", Open),     // deferred capture
    // 20xxx: declined by the issuer, the scheme or the gateway.
    ("20001", Declined(DeclinedError)),       // refer to card issuer
    ("20002", Declined(DeclinedError)),       // refer to card issuer, special conditions
    ("20003", Declined(AccessDenied)),        // invalid merchant or service provider
    ("20004", Declined(CardRestricted)),      // card should be captured
    ("20005", Declined(DeclinedError)),       // do not honour; payouts: declined by the issuer
    ("20006", Declined(DeclinedError)),       // invalid request parameters
    ("20009", Open),                          // request in progress
    ("20012", Declined(DeclinedError)),       // invalid transaction
    ("20013", Declined(DeclinedError)),       // invalid value or amount
    ("20014", Declined(InvalidDetails)),      // invalid account number (no such number)
    ("20015", Declined(DeclinedError)),       // can't be processed through the debit network
    ("20016", Declined(CardRestricted)),      // card not initialised
    ("20017", Declined(DeclinedError)),       // customer cancellation
    ("20018", Open),                          // customer dispute
    ("20019", Open),                          // re-enter transaction; transaction has expired
    ("20020", Open),                          // invalid response
    ("20021", Open),                          // no action taken (unable to back out a prior transaction)
    ("20022", Open),                          // suspected malfunction
    ("20023", Declined(DeclinedError)),       // unacceptable transaction fee
    ("20024", Declined(DeclinedError)),       // file update not supported by the receiver
    ("20025", Declined(DeclinedError)),       // unable to locate the record on file
    ("20026", Open),                          // duplicate file update record
    ("20027", Declined(DeclinedError)),       // file update field edit error
    ("20028", Declined(DeclinedError)),       // file is temporarily unavailable
    ("20029", Declined(DeclinedError)),       // file update not successful
    ("20030", Declined(DeclinedError)),       // format error
    ("20031", Declined(DeclinedError)),       // bank not supported by the switch
    ("20032", Open),                          // completed partially
    ("20033", Declined(DeclinedError)),       // previous scheme transaction id invalid
    ("20038", Declined(CardRestricted)),      // allowable PIN tries exceeded
    ("20039", Declined(InvalidRecipient)),    // no credit account
    ("20040", Declined(DeclinedError)),       // requested function not supported
    ("20042", Declined(DeclinedError)),       // no universal value or amount
    ("20044", Declined(InvalidRecipient)),    // no investment account
    ("20045", Declined(DeclinedError)),       // fallback transactions of a hybrid card not supported
    ("20046", Declined(DeclinedError)),       // bank decline
    ("20051", Declined(InsufficientFunds)),   // insufficient funds
    ("20052", Declined(InvalidRecipient)),    // no current account
    ("20053", Declined(InvalidRecipient)),    // no savings account
    ("20054", Declined(CardExpired)),         // expired card
    ("20055", Declined(DeclinedError)),       // incorrect PIN, or PIN validation not possible
    ("20056", Declined(RecipientNotFound)),   // no card record
    ("20057", Declined(CardRestricted)),      // not permitted to the cardholder; payouts: a restricted recipient's card
    ("20058", Declined(DeclinedError)),       // not permitted to the terminal
    ("20059", Declined(AntifraudError)),      // suspected fraud
    ("2005C", Declined(CardRestricted)),      // not supported, or blocked by the issuer
    ("20060", Declined(DeclinedError)),       // card acceptor contact acquirer
    ("20061", Declined(LimitViolation)),      // activity amount limit exceeded; payouts: the card's velocity limits
    ("20062", Declined(CardRestricted)),      // restricted card
    ("20063", Declined(AntifraudError)),      // security violation
    ("20064", Declined(DeclinedError)),       // original value incorrect (earlier: the AML requirement isn't fulfilled)
    ("20065", Declined(LimitViolation)),      // exceeds frequency limit; payouts: the card's velocity limits
    ("20066", Declined(DeclinedError)),       // card acceptor call acquirer security
    ("20067", Declined(CardRestricted)),      // hard capture
    ("20068", Open),                          // response received too late, time-out; internal error
    ("2006P", Declined(InvalidRecipient)),    // cardholder ID verification failed
    ("20070", Declined(DeclinedError)),       // PIN required
    ("20072", Declined(CardRestricted)),      // account not yet activated
    ("20075", Declined(CardRestricted)),      // allowable PIN entry tries exceeded
    ("20078", Declined(CardRestricted)),      // blocked at first use
    ("20081", Declined(DeclinedError)),       // card is for local use only: a domestic route may pay it
    ("20082", Declined(DeclinedError)),       // no security model; PIN or CVV results
    ("20083", Declined(InvalidRecipient)),    // no accounts
    ("20084", Declined(DeclinedError)),       // no PBF
    ("20085", Open),                          // PBF update error
    ("20086", Open),                          // ATM malfunction; invalid authorization type
    ("20087", Declined(InvalidDetails)),      // bad track data (invalid CVV or expiry date)
    ("20088", Declined(DeclinedError)),       // unable to dispense or process
    ("20089", Open),                          // administration error
    ("20090", Open),                          // cut-off in progress
    ("20091", Declined(ProviderUnavailable)), // issuer unavailable; payouts: to be retried when the connection is back
    ("20092", Declined(DeclinedError)),       // destination can't be found for routing
    ("20093", Declined(DeclinedError)),       // violation of law
    ("20094", Open),                          // duplicate transmission: of what, may have been paid
    ("20095", Open),                          // reconcile error
    ("20096", Open),                          // system malfunction
    ("20097", Open),                          // reconciliation totals reset
    ("20098", Open),                          // MAC error
    ("20099", Open),                          // other, unidentified responses
    ("2009G", Declined(CardRestricted)),      // blocked by the cardholder
    ("200A4", Open),                          // transaction with defect
    ("200A5", Open),                          // the original transactions are rejected
    ("200A6", Open),                          // forwarded, without a response from the issuer
    ("200E0", Declined(AccessDenied)),        // unauthorised access
    ("200E2", Declined(SignatureError)),      // signature verification failure
    ("200E3", Open),                          // system busy
    ("200N0", Open),                          // force STIP: someone else decides in the issuer's place
    ("200N7", Declined(InvalidDetails)),      // CVV2 failure
    ("200O5", Declined(DeclinedError)),       // PIN required
    ("200P1", Declined(LimitViolation)),      // over the daily limit
    ("200P9", Declined(LimitViolation)),      // limit exceeded, enter a lesser value
    ("200R1", Declined(DeclinedError)),       // stop payment for this authorization
    ("200R3", Declined(DeclinedError)),       // stop payment for all authorizations
    ("200S4", Open),                          // PTLF full
    ("200T2", Declined(DeclinedError)),       // invalid transaction date
    ("200T3", Declined(DeclinedError)),       // card not supported
    ("200T5", Declined(CardRestricted)),      // CAF status 0 or 9
    ("20100", Declined(InvalidDetails)),      // invalid expiry date format
    ("20101", Declined(DeclinedError)),       // no account, no customer (token is invalid)
    ("20102", Declined(AccessDenied)),        // invalid merchant or wallet id
    ("20103", Declined(DeclinedError)),       // card type or payment method not supported
    ("20104", Declined(DeclinedError)),       // gateway reject, invalid transaction
    ("20105", Declined(DeclinedError)),       // gateway reject, violation
    ("20106", Declined(InvalidMethod)),       // unsupported currency
    ("20107", Declined(DeclinedError)),       // billing address is missing
    ("20108", Declined(InvalidDetails)),      // updated cardholder available
    ("20109", Open),                          // already reversed; an inconsistent repeat
    ("20110", Open),                          // authorization completed
    ("20111", Open),                          // already reversed
    ("20112", Declined(DeclinedError)),       // merchant not Mastercard SecureCode enabled
    ("20113", Declined(DeclinedError)),       // invalid property
    ("20114", Declined(DeclinedError)),       // token is incorrect
    ("20115", Declined(DeclinedError)),       // missing or invalid lifetime
    ("20116", Declined(DeclinedError)),       // invalid encoding
    ("20117", Declined(DeclinedError)),       // invalid API version
    ("20118", Open),                          // transaction pending
    ("20119", Declined(DeclinedError)),       // invalid batch data
    ("20120", Declined(DeclinedError)),       // invalid customer or user
    ("20121", Declined(LimitViolation)),      // transaction limit for the merchant exceeded
    ("20122", Declined(DeclinedError)),       // Mastercard instalments not supported
    ("20123", Declined(DeclinedError)),       // missing basic data
    ("20124", Declined(DeclinedError)),       // missing CVV
    ("20150", Declined(DeclinedError)),       // card not 3DS enabled
    ("20151", Declined(DeclinedError)),       // cardholder failed 3DS
    ("20152", Declined(DeclinedError)),       // 3DS not completed within 15 minutes
    ("20153", Declined(DeclinedError)),       // 3DS system malfunction
    ("20154", Declined(DeclinedError)),       // 3DS authentication required
    ("20155", Declined(DeclinedError)),       // 3DS result invalid
    ("20156", Declined(InvalidMethod)),       // requested function not supported by the acquirer
    ("20157", Declined(AccessDenied)),        // invalid merchant configuration
    ("20158", Open),                          // refund validity period has expired: not a payout's
    ("20159", Declined(DeclinedError)),       // ACS malfunction
    ("20179", Declined(InvalidDetails)),      // lifecycle: invalid card data
    ("20182", Declined(DeclinedError)),       // policy
    ("20183", Declined(AntifraudError)),      // security: suspected to be fraudulent
    ("20193", Declined(DeclinedError)),       // invalid country code
    ("20197", Declined(AccessDenied)),        // the terminal has not been registered
    ("20199", Open),                          // mandate approval pending
    // 30xxx: hard declines.
    ("30004", Declined(CardRestricted)),   // pick up card (no fraud)
    ("30007", Declined(CardRestricted)),   // pick up card, special conditions
    ("30015", Declined(InvalidDetails)),   // no such issuer; payouts: the number is incorrect, invalid or restricted
    ("30016", Declined(DeclinedError)),    // issuer does not allow online gambling payouts
    ("30017", Declined(CardRestricted)),   // issuer does not allow original credit transactions
    ("30018", Declined(DeclinedError)),    // issuer does not allow money transfer payouts
    ("30019", Declined(DeclinedError)),    // issuer does not allow non-money transfer payouts
    ("30020", Declined(DeclinedError)),    // invalid amount
    ("30021", Declined(LimitViolation)),   // total amount limit reached
    ("30022", Declined(LimitViolation)),   // total transaction count limit reached
    ("30033", Declined(CardExpired)),      // expired card, pick up
    ("30034", Declined(AntifraudError)),   // suspected fraud, pick up; payouts: not to be attempted again
    ("30035", Declined(CardRestricted)),   // contact acquirer, pick up
    ("30036", Declined(CardRestricted)),   // restricted card, pick up
    ("30037", Declined(CardRestricted)),   // call acquirer security, pick up
    ("30038", Declined(CardRestricted)),   // allowable PIN tries exceeded, pick up
    ("30041", Declined(StolenCard)),       // lost card, pick up
    ("30043", Declined(StolenCard)),       // stolen card, pick up
    ("30044", Declined(CardRestricted)),   // AMLD5: an anonymous prepaid card
    ("30045", Declined(InvalidMethod)),    // the funds transfer type isn't one that the account may use
    ("30046", Declined(InvalidRecipient)), // closed account
    ("30401", Open),                       // capture amount greater than allowed: not a payout's
    ("30402", Open),                       // overcapture with partial capture: not a payout's
    ("30403", Open),                       // overcapture with partial authorization: not a payout's
    ("30404", Declined(AccessDenied)),     // sub-merchant id missing
    ("30405", Declined(DeclinedError)),    // invalid order description format
    // 4xxxx: declined by Checkout.com's risk engine, before any issuer is asked.
    ("40101", Declined(AntifraudError)), // risk blocked transaction
    ("40201", Declined(AntifraudError)), // card number blocklist
    ("40202", Declined(AntifraudError)), // IP address blocklist
    ("40203", Declined(AntifraudError)), // email blocklist
    ("40204", Declined(AntifraudError)), // phone number blocklist
    ("40205", Declined(AntifraudError)), // BIN blocklist
    ("41101", Declined(AntifraudError)), // a rule of the client
    ("41201", Declined(AntifraudError)), // the client's decline lists: card number
    ("41202", Declined(AntifraudError)), // BIN
    ("41203", Declined(AntifraudError)), // email address
    ("41204", Declined(AntifraudError)), // phone
    ("41205", Declined(AntifraudError)), // payment IP
    ("41206", Declined(AntifraudError)), // email domain
    ("41301", Declined(AntifraudError)), // fraud score exceeds the client's threshold
    ("42101", Declined(AntifraudError)), // a rule of the entity
    ("42201", Declined(AntifraudError)), // the entity's decline lists: card number
    ("42202", Declined(AntifraudError)), // BIN
    ("42203", Declined(AntifraudError)), // email address
    ("42204", Declined(AntifraudError)), // phone
    ("42205", Declined(AntifraudError)), // payment IP
    ("42206", Declined(AntifraudError)), // email domain
    ("42301", Declined(AntifraudError)), // fraud score exceeds the entity's threshold
    ("43101", Declined(AntifraudError)), // potential fraud risk
    ("43102", Declined(AntifraudError)), // a rule of Checkout.com
    ("43201", Declined(AntifraudError)), // Checkout.com's decline lists: card number
    ("43202", Declined(AntifraudError)), // BIN
    ("43203", Declined(AntifraudError)), // email address
    ("43204", Declined(AntifraudError)), // phone
    ("43205", Declined(AntifraudError)), // payment IP
    ("43206", Declined(AntifraudError)), // email domain
    ("43301", Declined(AntifraudError)), // fraud score exceeds the threshold
    ("43401", Declined(DeclinedError)),  // 3DS authentication required
    ("44301", Declined(DeclinedError)),  // the same, as the 2025 edition has it
    // 50xxx: payouts that Checkout.com declined itself.
    ("50001", Declined(AntifraudError)),    // compliance error
    ("50002", Declined(AntifraudError)),    // sanction screening failure: no other route may pay it either
    ("50003", Declined(InsufficientFunds)), // the sub-account's available balance is insufficient
    ("50005", Declined(InvalidRecipient)),  // barred beneficiary
    ("50020", Declined(InvalidRecipient)),  // recipient error
    ("50021", Declined(InvalidRecipient)),  // invalid recipient
    ("50022", Declined(DeclinedError)),     // unsupported recipient
    ("50023", Declined(LimitViolation)),    // recipient limit
    ("50025", Declined(InvalidRecipient)),  // invalid recipient account
    ("50026", Declined(RecipientNotFound)), // recipient account not found
    ("50027", Declined(DeclinedError)),     // recipient bank error
    ("50030", Declined(InvalidDetails)),    // invalid recipient details
    ("50070", Declined(DeclinedError)),     // sender error
    ("50100", Declined(DeclinedError)),     // instruction error
    ("50101", Declined(LimitViolation)),    // instruction amount limit
    ("50102", Declined(LimitViolation)),    // instruction amount limit of the sender
    ("50103", Declined(LimitViolation)),    // instruction amount limit of the recipient
    ("50104", Declined(LimitViolation)),    // velocity limit
    ("50105", Declined(LimitViolation)),    // velocity limit of the sender
    ("50106", Declined(LimitViolation)),    // velocity limit of the recipient
    ("50150", Open),                        // processing error
    ("50180", Declined(DeclinedError)),     // validation error
    ("50200", Declined(InvalidMethod)),     // configuration error
    ("50240", Open),                        // cancellation error
    ("50260", Open),                        // returned error: it had gone out
    ("50280", Declined(InsufficientFunds)), // insufficient funds
    ("50399", Open),                        // unmapped response
    // The next are of payouts to bank accounts: for a card they say nothing.
    ("50401", Open), // bank details invalid
    ("50402", Open), // account not found
    ("50403", Open), // account inactive
    ("50404", Open), // account dormant
    ("50405", Open), // account number invalid
    ("50406", Open), // branch not found
    ("50407", Open), // branch code invalid
    ("50408", Open), // branch code required
    ("50409", Open), // bank code invalid
    ("50410", Open), // bank code required
    ("50441", Open), // account type required
    ("50451", Open), // account holder details invalid
    ("50452", Open), // account holder identification number required
    ("50453", Open), // account holder type not supported
    ("50454", Open), // account holder type not allowed
    ("50466", Open), // account closed
    ("50471", Open), // account blocked
    ("50481", Open), // invalid debtor account type
    ("50490", Open), // duplicate payment: of which one, may have been paid
    ("50491", Open), // account holder billing address incorrect
    ("50492", Open), // account holder billing address required
    ("50494", Open), // account holder billing address is a PO box
    ("50499", Open), // payout returned
    // Of all payouts again.
    ("50501", Declined(DeclinedError)),  // unsupported characters
    ("50511", Declined(DeclinedError)),  // invalid amount
    ("50512", Declined(LimitViolation)), // minimum amount not met
    ("50513", Declined(LimitViolation)), // exceeded transaction value
    ("50514", Declined(LimitViolation)), // exceeded daily limit
    ("50515", Declined(LimitViolation)), // exceeded weekly limit
    ("50517", Declined(LimitViolation)), // exceeded monthly limit
    ("50531", Open),                     // recalled
    ("50599", Open),                     // unknown reason
];

/// The `error_codes` of HTTP 422 with the type `request_invalid`: the request was refused as it stood, and no payment was made.
///
/// Source: "Error codes" (<https://www.checkout.com/docs/developer-resources/codes/error-codes>), those of `/payments` that a payout to a
/// card can meet. Those that its wording doesn't settle (`processing_error`, `service_unavailable`, `issuer_network_unavailable`,
/// `payment_invalid`, `card_authorization_failed`, `duplicate_request`) are left out on purpose: unmapped is unknown.
pub const ERROR_CODES: &[(&str, Resolution)] = &[
    // The card's.
    ("card_disabled", CardRestricted),
    ("card_expired", CardExpired),
    ("card_expiry_month_invalid", InvalidDetails),
    ("card_expiry_month_required", InvalidDetails),
    ("card_expiry_year_invalid", InvalidDetails),
    ("card_expiry_year_required", InvalidDetails),
    ("card_holder_invalid", InvalidDetails),
    ("card_not_found", RecipientNotFound),
    ("card_number_invalid", InvalidDetails),
    ("card_number_required", InvalidDetails),
    ("expiry_date_format_invalid", InvalidDetails),
    // The account's, its settings', or this adapter's.
    ("address_invalid", DeclinedError),
    ("amount_exceeds_balance", InsufficientFunds),
    ("amount_invalid", DeclinedError),
    ("amount_limit_exceeded", LimitViolation),
    ("api_calls_quota_exceeded", RateLimited),
    ("billing_descriptor_city_invalid", DeclinedError),
    ("billing_descriptor_city_required", DeclinedError),
    ("billing_descriptor_name_invalid", DeclinedError),
    ("billing_descriptor_name_required", DeclinedError),
    ("business_invalid", AccessDenied),
    ("business_settings_missing", AccessDenied),
    ("channel_details_invalid", AccessDenied),
    ("channel_url_missing", AccessDenied),
    ("city_invalid", DeclinedError),
    ("country_address_invalid", DeclinedError),
    ("country_invalid", DeclinedError),
    ("currency_invalid", InvalidMethod),
    ("currency_required", InvalidMethod),
    ("destination_amount_invalid", DeclinedError),
    ("destination_id_invalid", InvalidMethod),
    ("endpoint_invalid", InvalidMethod),
    ("first_name_required", DeclinedError),
    ("last_name_required", DeclinedError),
    ("parameter_invalid", DeclinedError),
    ("payment_method_invalid", InvalidMethod),
    ("payment_method_not_supported", InvalidMethod),
    ("payment_source_required", InvalidMethod),
    ("payment_type_invalid", InvalidMethod),
    ("processing_channel_id_required", AccessDenied),
    ("processing_key_required", AccessDenied),
    ("processing_value_required", AccessDenied),
    ("request_invalid", DeclinedError),
    ("request_json_invalid", DeclinedError),
    ("server_api_not_allowed", AccessDenied),
    ("source_id_invalid", InvalidMethod),
    ("source_id_required", InvalidMethod),
    ("source_id_unknown", InvalidMethod),
    ("source_invalid", InvalidMethod),
    ("source_or_destination_required", InvalidMethod),
    ("source_type_required", InvalidMethod),
    ("velocity_amount_limit_exceeded", LimitViolation),
    ("velocity_count_limit_exceeded", LimitViolation),
    ("zip_invalid", DeclinedError),
];
