//! Adyen's words, one by one: every currency, transfer status, transfer reason and refusal that its documentation has, with what it means
//! here. What stands in no table proves nothing.
//!
//! Sources, as of November 2026: the OpenAPI description of the Transfers API version 4 (`TransferData.status`, `TransferData.reason`;
//! the answers of `POST /transfers`), and Adyen's pages "Currency codes and minor units", "Pay out to third-party cards", "Errors" and "API
//! idempotency".

use crate::domain::payout::Resolution;
use crate::providers::minor_units::MinorUnits;

/// What Adyen pays to cards in: the local currencies of the European Economic Area, of the United Kingdom and of the United States. The
/// decimals are Adyen's: ISK has two, where ISO 4217 has none.
pub const CURRENCIES: MinorUnits = MinorUnits(&[
    ("CHF", 2),
    ("CZK", 2),
    ("DKK", 2),
    ("EUR", 2),
    ("GBP", 2),
    ("HUF", 2),
    ("ISK", 2),
    ("NOK", 2),
    ("PLN", 2),
    ("RON", 2),
    ("SEK", 2),
    ("USD", 2),
]);

/// Where a payout to a card stands, by the status of its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Pending,
    Paid,
    Refused,
    Returned,
    /// Documented, and says nothing of a payout to a card.
    Foreign,
}

/// The statuses of a transfer (`TransferData.status`), all of them.
pub const STATUSES: [(&str, Standing); 72] = [
    // Taken, and not final.
    ("approvalPending", Standing::Pending),
    ("authorised", Standing::Pending),
    ("bookingPending", Standing::Pending),
    ("pending", Standing::Pending),
    ("pendingApproval", Standing::Pending),
    ("pendingExecution", Standing::Pending),
    ("received", Standing::Pending),
    // Out of the balance account, on the card.
    ("booked", Standing::Paid),
    ("credited", Standing::Paid),
    // Finally refused; why, the reason says.
    ("cancelled", Standing::Refused),
    ("expired", Standing::Refused),
    ("failed", Standing::Refused),
    ("refused", Standing::Refused),
    ("rejected", Standing::Refused),
    // Refused by the card's bank after it was booked.
    ("returned", Standing::Returned),
    // Of payments, captures, chargebacks, top-ups, fees and corrections, or without a documented end (`error`, `undefined`): proves nothing
    // of a payout to a card.
    ("adviceAuthorised", Standing::Foreign),
    ("adviceRefused", Standing::Foreign),
    ("atmWithdrawal", Standing::Foreign),
    ("atmWithdrawalReversalPending", Standing::Foreign),
    ("atmWithdrawalReversed", Standing::Foreign),
    ("authAdjustmentAuthorised", Standing::Foreign),
    ("authAdjustmentError", Standing::Foreign),
    ("authAdjustmentRefused", Standing::Foreign),
    ("bankTransfer", Standing::Foreign),
    ("bankTransferPending", Standing::Foreign),
    ("capturePending", Standing::Foreign),
    ("captureReversalPending", Standing::Foreign),
    ("captureReversed", Standing::Foreign),
    ("captured", Standing::Foreign),
    ("capturedExternally", Standing::Foreign),
    ("chargeback", Standing::Foreign),
    ("chargebackExternally", Standing::Foreign),
    ("chargebackPending", Standing::Foreign),
    ("chargebackReversalPending", Standing::Foreign),
    ("chargebackReversed", Standing::Foreign),
    ("depositCorrection", Standing::Foreign),
    ("depositCorrectionPending", Standing::Foreign),
    ("dispute", Standing::Foreign),
    ("disputeClosed", Standing::Foreign),
    ("disputeExpired", Standing::Foreign),
    ("disputeNeedsReview", Standing::Foreign),
    ("error", Standing::Foreign),
    ("fee", Standing::Foreign),
    ("feePending", Standing::Foreign),
    ("interchangeAdjusted", Standing::Foreign),
    ("internalTransfer", Standing::Foreign),
    ("internalTransferPending", Standing::Foreign),
    ("invoiceDeduction", Standing::Foreign),
    ("invoiceDeductionPending", Standing::Foreign),
    ("manualCorrectionPending", Standing::Foreign),
    ("manuallyCorrected", Standing::Foreign),
    ("matchedStatement", Standing::Foreign),
    ("matchedStatementPending", Standing::Foreign),
    ("merchantPayin", Standing::Foreign),
    ("merchantPayinPending", Standing::Foreign),
    ("merchantPayinReversed", Standing::Foreign),
    ("merchantPayinReversedPending", Standing::Foreign),
    ("miscCost", Standing::Foreign),
    ("miscCostPending", Standing::Foreign),
    ("paymentCost", Standing::Foreign),
    ("paymentCostPending", Standing::Foreign),
    ("refundPending", Standing::Foreign),
    ("refundReversalPending", Standing::Foreign),
    ("refundReversed", Standing::Foreign),
    ("refunded", Standing::Foreign),
    ("refundedExternally", Standing::Foreign),
    ("reserveAdjustment", Standing::Foreign),
    ("reserveAdjustmentPending", Standing::Foreign),
    ("reversed", Standing::Foreign),
    ("secondChargeback", Standing::Foreign),
    ("secondChargebackPending", Standing::Foreign),
    ("undefined", Standing::Foreign),
];

/// Why a transfer was refused (`TransferData.reason`), all of them; `None`: beside a refusal it leaves in doubt whether money moved.
pub const REASONS: [(&str, Option<Resolution>); 85] = [
    // Final for the card.
    ("invalidCard", Some(Resolution::InvalidDetails)),
    ("invalidExpiryDate", Some(Resolution::InvalidDetails)),
    ("invalidIssuer", Some(Resolution::InvalidDetails)),
    ("counterpartyAccountNotFound", Some(Resolution::RecipientNotFound)),
    ("transferInstrumentDoesNotExist", Some(Resolution::RecipientNotFound)),
    ("cardExpired", Some(Resolution::CardExpired)),
    ("blockCard", Some(Resolution::CardRestricted)),
    ("captureCard", Some(Resolution::CardRestricted)),
    ("counterpartyAccountBlocked", Some(Resolution::CardRestricted)),
    ("restrictedCard", Some(Resolution::CardRestricted)),
    ("transactionNotPermitted", Some(Resolution::CardRestricted)),
    ("lostCard", Some(Resolution::StolenCard)),
    ("stolenCard", Some(Resolution::StolenCard)),
    ("fraud", Some(Resolution::AntifraudError)),
    ("fraudCancelled", Some(Resolution::AntifraudError)),
    ("issuerSuspectedFraud", Some(Resolution::AntifraudError)),
    ("counterpartyAccountClosed", Some(Resolution::InvalidRecipient)),
    ("invalidAccount", Some(Resolution::InvalidRecipient)),
    ("invalidToAccount", Some(Resolution::InvalidRecipient)),
    ("noCheckingAccount", Some(Resolution::InvalidRecipient)),
    ("noSavingsAccount", Some(Resolution::InvalidRecipient)),
    // Final for the route: our balance account, our rights at Adyen, or a refusal that another provider may not meet.
    ("notEnoughBalance", Some(Resolution::InsufficientFunds)),
    ("amountLimitExceeded", Some(Resolution::LimitViolation)),
    ("cashbackAmountExceedsLimit", Some(Resolution::LimitViolation)),
    ("contactlessLimitReached", Some(Resolution::LimitViolation)),
    ("withdrawalAmountExceeded", Some(Resolution::LimitViolation)),
    ("withdrawalCountExceeded", Some(Resolution::LimitViolation)),
    ("accountHierarchyNotActive", Some(Resolution::AccessDenied)),
    ("balanceAccountTemporarilyBlockedByTransactionRule", Some(Resolution::AccessDenied)),
    ("invalidFromAccount", Some(Resolution::AccessDenied)),
    ("invalidMerchant", Some(Resolution::AccessDenied)),
    ("scaAuthenticationRequired", Some(Resolution::AccessDenied)),
    ("scaFailed", Some(Resolution::AccessDenied)),
    ("counterpartyBankUnavailable", Some(Resolution::ProviderUnavailable)),
    ("directDebitNotSupported", Some(Resolution::InvalidMethod)),
    ("notSupported", Some(Resolution::InvalidMethod)),
    ("routeNotFound", Some(Resolution::InvalidMethod)),
    ("unableToRouteTransaction", Some(Resolution::InvalidMethod)),
    ("approvalExpired", Some(Resolution::DeclinedError)),
    ("avsDeclined", Some(Resolution::DeclinedError)),
    ("callReferral", Some(Resolution::DeclinedError)),
    ("cancelled", Some(Resolution::DeclinedError)),
    ("cardholderAuthenticationRequired", Some(Resolution::DeclinedError)),
    ("cavvDeclined", Some(Resolution::DeclinedError)),
    ("contactlessFallback", Some(Resolution::DeclinedError)),
    ("counterpartyAddressRequired", Some(Resolution::DeclinedError)),
    ("cryptographicFailure", Some(Resolution::DeclinedError)),
    ("cvcDeclined", Some(Resolution::DeclinedError)),
    ("declined", Some(Resolution::DeclinedError)),
    ("declinedByBapValidation", Some(Resolution::DeclinedError)),
    ("declinedByTransactionRule", Some(Resolution::DeclinedError)),
    ("declinedNonGeneric", Some(Resolution::DeclinedError)),
    ("doNotHonor", Some(Resolution::DeclinedError)),
    ("domesticDebitTransactionNotAllowed", Some(Resolution::DeclinedError)),
    ("formatError", Some(Resolution::DeclinedError)),
    ("invalidAmount", Some(Resolution::DeclinedError)),
    ("invalidAuthorizationLifeCycle", Some(Resolution::DeclinedError)),
    ("invalidPin", Some(Resolution::DeclinedError)),
    ("invalidTransaction", Some(Resolution::DeclinedError)),
    ("mobilePinRequired", Some(Resolution::DeclinedError)),
    ("not3dAuthenticated", Some(Resolution::DeclinedError)),
    ("notSubmitted", Some(Resolution::DeclinedError)),
    ("pinNotChanged", Some(Resolution::DeclinedError)),
    ("pinRequired", Some(Resolution::DeclinedError)),
    ("pinTriesExceeded", Some(Resolution::DeclinedError)),
    ("pinValidationNotPossible", Some(Resolution::DeclinedError)),
    ("purchaseAmountOnlyNoCashBack", Some(Resolution::DeclinedError)),
    ("refusedByCounterpartyBank", Some(Resolution::DeclinedError)),
    ("refusedByCustomer", Some(Resolution::DeclinedError)),
    ("revocationOfAuth", Some(Resolution::DeclinedError)),
    ("securityViolation", Some(Resolution::DeclinedError)),
    ("shopperCancelled", Some(Resolution::DeclinedError)),
    ("threedsDynamicLinkingMismatch", Some(Resolution::DeclinedError)),
    ("unknown", Some(Resolution::DeclinedError)),
    // Of no refusal, or in doubt: a time-out on the way to the bank, a duplicate of what may have paid, an approval beside a refusal.
    ("approved", None),
    ("counterpartyBankTimedOut", None),
    ("duplicateTransmissionDetected", None),
    ("error", None),
    ("honorWithId", None),
    ("internalTimeout", None),
    ("partiallyApproved", None),
    ("pending", None),
    ("pendingApproval", None),
    ("pendingExecution", None),
    ("schemeAdvice", None),
];

/// How a refusal of a call is told apart from others of its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `type` of the newer form of errors (RFC 7807): the page that documents it.
    Problem(&'static str),
    /// `errorType` of the older form.
    ErrorType(&'static str),
}

/// Refusals of a call that took nothing, by HTTP status and kind: no right to call, or a request that failed validation.
pub const REFUSALS: [(u16, Kind, Resolution); 5] = [
    (401, Kind::ErrorType("security"), Resolution::InvalidCredentials),
    (403, Kind::ErrorType("security"), Resolution::AccessDenied),
    (403, Kind::Problem("https://docs.adyen.com/errors/forbidden"), Resolution::AccessDenied),
    (422, Kind::Problem("https://docs.adyen.com/errors/not-found"), Resolution::DeclinedError),
    (422, Kind::Problem("https://docs.adyen.com/errors/validation"), Resolution::DeclinedError),
];

/// Codes of errors that leave open what became of the request, whatever comes with them: the store of idempotency keys can't be reached
/// (703), and the request is processed already or just now (704).
pub const IN_DOUBT: [&str; 2] = ["703", "704"];
