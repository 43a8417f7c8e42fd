//! Offers: a price for a payout that the house stands by for a few seconds. Owns an offer's states, its pricing, the one check that
//! says whether it can be paid, and what its settlement takes; the user's money is moved elsewhere.

pub mod book;
pub mod execution;
pub mod facts;
pub mod pricing;
pub mod settlement;
pub mod spend_all;
pub mod status;

pub use book::PriceBook;
pub use execution::{Refusal, RefusalCode, check_execution};
pub use facts::{
    BillingAddress, CardFacts, CardState, ExecutionFacts, LimitFacts, RouteFact, RuleRefusal, RuleResult, RuleVerdict,
};
pub use pricing::{FixedSide, OfferLimits, PricingError, Quote, Terms};
pub use settlement::{ReturnTerms, ReturnedFees, Settlement, SettlementError, SettlementRest, SettlementTerms};
pub use status::{OfferEvent, OfferStatus, TransitionError};
