//! What is looked at when it is decided whether an offer can be paid: plain data, gathered by the caller. Judges nothing itself.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::pricing::{FixedSide, OfferLimits};
use super::status::OfferStatus;
use crate::domain::asset::Asset;
use crate::domain::card::CardExpiry;
use crate::domain::limit::{PeriodLimits, Sums};
use crate::domain::money::Money;

/// Everything that the check looks at, as of `now`.
#[derive(Clone, Debug)]
pub struct ExecutionFacts {
    pub now: DateTime<Utc>,
    /// The offer can be paid before this instant, not at it.
    pub expires_at: DateTime<Utc>,
    pub status: OfferStatus,
    pub kyc_level: u8,
    /// The lowest level that may pay.
    pub kyc_level_required: u8,
    pub customer_blocked: bool,
    pub card: CardFacts,
    /// In the source.
    pub amount: Money,
    /// In the target.
    pub amount_to: Money,
    /// Amount and fees, in the source.
    pub total: Money,
    pub fixed_side: FixedSide,
    pub limits: LimitFacts,
    /// What the velocity rules and block lists said, in their order.
    pub rules: Vec<RuleResult>,
    /// What the user has available, in the source.
    pub balance: Money,
    pub route: RouteFact,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardFacts {
    pub state: CardState,
    pub expiry: CardExpiry,
    pub billing_address: BillingAddress,
}

/// What is known of a card, whatever its expiry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CardState {
    Approved,
    Pending,
    Declined,
    /// Deleted by its user; kept for the history.
    Hidden,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BillingAddress {
    NotRequired,
    Given,
    Missing,
}

/// What the amount is held against. Sums don't include this offer.
#[derive(Clone, Debug)]
pub struct LimitFacts {
    pub offer: OfferLimits,
    /// The currency that everything below is counted in.
    pub reference: Asset,
    /// What the offer counts as.
    pub counted: Decimal,
    /// Limits of the customer at its KYC level.
    pub customer: (Sums, PeriodLimits),
    pub card: (Sums, PeriodLimits),
    /// One sum per stripe.
    pub partner: (Vec<Sums>, PeriodLimits),
}

/// What one rule said of this payout, evaluated before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleResult {
    /// The rule's name, for the record.
    pub rule: String,
    pub verdict: RuleVerdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleVerdict {
    Pass,
    /// Staff look at it after acceptance; it doesn't refuse.
    Moderate,
    /// `limit` is what the rule allows, if that can be told.
    Refuse {
        code: RuleRefusal,
        limit: Option<Money>,
    },
}

/// What a rule refuses for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleRefusal {
    /// Too many payouts or too much in a window.
    Velocity,
    /// The customer, the card's number, its issuer or its country is on a block list.
    Blocked,
}

/// Whether the payout can be carried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteFact {
    /// One route carries it all.
    Single,
    /// It takes several.
    Split,
    None,
}
