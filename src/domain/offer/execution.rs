//! Whether an offer can be paid: the one check behind `possibleToExecute` and behind pay, over facts that the caller has gathered.
//!
//! The rules stand in one order, and the first that refuses is the reason. Screening that calls out is not here: it runs only at pay.

use rust_decimal::Decimal;

use super::facts::{
    BillingAddress, CardState, ExecutionFacts, LimitFacts, RouteFact, RuleRefusal, RuleResult, RuleVerdict,
};
use super::pricing::FixedSide;
use super::status::OfferStatus;
use crate::domain::limit::{self, StripeError, Sums};
use crate::domain::money::Money;

/// Why an offer can't be paid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the offer can't be paid: {}", code.as_str())]
pub struct Refusal {
    pub code: RefusalCode,
    /// The limit that was met, where the rule has one.
    pub limit: Option<Money>,
}

/// The reasons, in the order of their rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefusalCode {
    OfferAlreadyExecuted,
    OfferExpired,
    KycRequired,
    CustomerBlocked,
    CardNotSupported,
    CardPending,
    CardExpired,
    BillingAddressRequired,
    AmountTooSmall,
    AmountTooLarge,
    LimitExceeded,
    VelocityExceeded,
    InsufficientFunds,
    NoRoute,
}

impl RefusalCode {
    /// The stable code of the wallet API's errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            RefusalCode::OfferAlreadyExecuted => "OFFER_ALREADY_EXECUTED",
            RefusalCode::OfferExpired => "OFFER_EXPIRED",
            RefusalCode::KycRequired => "KYC_REQUIRED",
            RefusalCode::CustomerBlocked => "CUSTOMER_BLOCKED",
            RefusalCode::CardNotSupported => "CARD_NOT_SUPPORTED",
            RefusalCode::CardPending => "CARD_PENDING",
            RefusalCode::CardExpired => "CARD_EXPIRED",
            RefusalCode::BillingAddressRequired => "BILLING_ADDRESS_REQUIRED",
            RefusalCode::AmountTooSmall => "AMOUNT_TOO_SMALL",
            RefusalCode::AmountTooLarge => "AMOUNT_TOO_LARGE",
            RefusalCode::LimitExceeded => "LIMIT_EXCEEDED",
            RefusalCode::VelocityExceeded => "VELOCITY_EXCEEDED",
            RefusalCode::InsufficientFunds => "INSUFFICIENT_FUNDS",
            RefusalCode::NoRoute => "NO_ROUTE",
        }
    }
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Self { code, limit: None }
    }
}

/// Whether the offer can be paid; the first rule that refuses is the answer.
pub fn check_execution(facts: &ExecutionFacts) -> Result<(), Refusal> {
    check_open(facts)?;
    if facts.kyc_level < facts.kyc_level_required {
        return Err(RefusalCode::KycRequired.into());
    }
    if facts.customer_blocked {
        return Err(RefusalCode::CustomerBlocked.into());
    }
    check_card(facts)?;
    check_offer_limits(facts)?;
    check_rolling_limits(&facts.limits)?;
    check_rules(&facts.rules)?;
    if !facts.balance.covers(&facts.total) {
        return Err(Refusal { code: RefusalCode::InsufficientFunds, limit: Some(facts.balance) });
    }
    match facts.route {
        RouteFact::Single | RouteFact::Split => Ok(()),
        RouteFact::None => Err(RefusalCode::NoRoute.into()),
    }
}

fn check_open(facts: &ExecutionFacts) -> Result<(), RefusalCode> {
    match facts.status {
        OfferStatus::Quoted if facts.now < facts.expires_at => Ok(()),
        OfferStatus::Quoted | OfferStatus::Expired => Err(RefusalCode::OfferExpired),
        OfferStatus::Accepted
        | OfferStatus::Paid
        | OfferStatus::PartlyPaid
        | OfferStatus::Released
        | OfferStatus::Returned => Err(RefusalCode::OfferAlreadyExecuted),
    }
}

fn check_card(facts: &ExecutionFacts) -> Result<(), RefusalCode> {
    match facts.card.state {
        CardState::Approved => {}
        CardState::Pending => return Err(RefusalCode::CardPending),
        CardState::Declined | CardState::Hidden => return Err(RefusalCode::CardNotSupported),
    }
    if facts.card.expiry.is_past(facts.now) {
        return Err(RefusalCode::CardExpired);
    }
    match facts.card.billing_address {
        BillingAddress::NotRequired | BillingAddress::Given => Ok(()),
        BillingAddress::Missing => Err(RefusalCode::BillingAddressRequired),
    }
}

/// Judged by what reaches the card, and told in the side that the user named.
fn check_offer_limits(facts: &ExecutionFacts) -> Result<(), Refusal> {
    let limits = &facts.limits.offer;
    let told = |source, target| match facts.fixed_side {
        FixedSide::Source => Some(source),
        FixedSide::Target => Some(target),
    };
    if !facts.amount_to.is_positive() || !facts.amount_to.covers(&limits.target_min) {
        let limit = told(limits.source_min, limits.target_min);
        return Err(Refusal { code: RefusalCode::AmountTooSmall, limit });
    }
    if !limits.target_max.covers(&facts.amount_to) {
        let limit = told(limits.source_max, limits.target_max);
        return Err(Refusal { code: RefusalCode::AmountTooLarge, limit });
    }
    Ok(())
}

fn check_rolling_limits(facts: &LimitFacts) -> Result<(), Refusal> {
    let exceeded = |limit: Option<Decimal>| Refusal {
        code: RefusalCode::LimitExceeded,
        limit: limit.and_then(|limit| Money::new(limit, facts.reference).ok()),
    };
    for (sums, limits) in [&facts.customer, &facts.card] {
        limit::check(sums, limits, facts.counted).map_err(|refusal| exceeded(Some(refusal.limit)))?;
    }
    let (stripes, limits) = &facts.partner;
    match limit::plan_striped(stripes, limits, facts.counted, 0, facts.reference.scale) {
        Ok(_) => Ok(()),
        // A partner without rows has used nothing yet.
        Err(StripeError::NoStripes) => {
            limit::check(&Sums::default(), limits, facts.counted).map_err(|refusal| exceeded(Some(refusal.limit)))
        }
        Err(StripeError::Limit(refusal)) => Err(exceeded(Some(refusal.limit))),
        Err(StripeError::Arithmetic(_)) => Err(exceeded(None)),
    }
}

fn check_rules(rules: &[RuleResult]) -> Result<(), Refusal> {
    for rule in rules {
        match rule.verdict {
            RuleVerdict::Pass | RuleVerdict::Moderate => {}
            RuleVerdict::Refuse { code: RuleRefusal::Velocity, limit } => {
                return Err(Refusal { code: RefusalCode::VelocityExceeded, limit });
            }
            RuleVerdict::Refuse { code: RuleRefusal::Blocked, limit } => {
                return Err(Refusal { code: RefusalCode::CustomerBlocked, limit });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use rust_decimal::dec;

    use super::*;
    use crate::domain::asset::{Asset, AssetKind};
    use crate::domain::card::CardExpiry;
    use crate::domain::limit::PeriodLimits;
    use crate::domain::offer::facts::CardFacts;
    use crate::domain::offer::pricing::OfferLimits;

    fn asset(code: &str, kind: AssetKind, scale: u8) -> Asset {
        Asset { code: code.parse().unwrap(), kind, scale }
    }

    fn usdt(amount: Decimal) -> Money {
        Money::new(amount, asset("USDT", AssetKind::Crypto, 8)).unwrap()
    }

    fn eur(amount: Decimal) -> Money {
        Money::new(amount, asset("EUR", AssetKind::Fiat, 2)).unwrap()
    }

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + secs, 0).unwrap()
    }

    /// An offer that can be paid, with nothing to spare: its balance and its limits are met exactly.
    fn payable() -> ExecutionFacts {
        let yearly = |limit| PeriodLimits { year: Some(limit), ..PeriodLimits::default() };
        let used = |sum| Sums { year: sum, ..Sums::default() };
        ExecutionFacts {
            now: at(19),
            expires_at: at(20),
            status: OfferStatus::Quoted,
            kyc_level: 1,
            kyc_level_required: 1,
            customer_blocked: false,
            card: CardFacts {
                state: CardState::Approved,
                expiry: CardExpiry { year: 2023, month: 11 },
                billing_address: BillingAddress::Given,
            },
            amount: usdt(dec!(100)),
            amount_to: eur(dec!(91.11)),
            total: usdt(dec!(106.2)),
            fixed_side: FixedSide::Source,
            limits: LimitFacts {
                offer: OfferLimits {
                    source_min: usdt(dec!(23.04894052)),
                    source_max: usdt(dec!(2173.18292273)),
                    target_min: eur(dec!(21)),
                    target_max: eur(dec!(1980)),
                },
                reference: asset("EUR", AssetKind::Fiat, 2),
                counted: dec!(91.11),
                customer: (used(dec!(9608.89)), yearly(dec!(9700))),
                card: (used(dec!(8.89)), yearly(dec!(100))),
                partner: (vec![used(dec!(0)), used(dec!(50))], yearly(dec!(200))),
            },
            rules: vec![RuleResult { rule: "first payout".into(), verdict: RuleVerdict::Moderate }],
            balance: usdt(dec!(106.2)),
            route: RouteFact::Split,
        }
    }

    fn refused(change: impl FnOnce(&mut ExecutionFacts)) -> (RefusalCode, Option<Money>) {
        let mut facts = payable();
        change(&mut facts);
        let refusal = check_execution(&facts).unwrap_err();
        (refusal.code, refusal.limit)
    }

    #[test]
    fn an_offer_within_every_rule_can_be_paid_to_the_last_unit() {
        assert_eq!(check_execution(&payable()), Ok(()));
    }

    #[test]
    fn an_expired_offer_cannot_be_paid() {
        assert_eq!(refused(|facts| facts.now = facts.expires_at), (RefusalCode::OfferExpired, None));
        assert_eq!(refused(|facts| facts.status = OfferStatus::Expired), (RefusalCode::OfferExpired, None));
    }

    #[test]
    fn an_offer_is_paid_once_whenever_it_is_asked_for_again() {
        use OfferStatus::{Accepted, Paid, PartlyPaid, Released, Returned};
        for status in [Accepted, Paid, PartlyPaid, Released, Returned] {
            let (code, _) = refused(|facts| (facts.status, facts.now) = (status, at(9_999)));
            assert_eq!(code, RefusalCode::OfferAlreadyExecuted);
        }
    }

    #[test]
    fn customer_and_card_must_be_in_order() {
        use RefusalCode::{
            BillingAddressRequired, CardExpired, CardNotSupported, CardPending, CustomerBlocked, KycRequired,
        };
        assert_eq!(refused(|facts| facts.kyc_level = 0).0, KycRequired);
        assert_eq!(refused(|facts| facts.customer_blocked = true).0, CustomerBlocked);
        assert_eq!(refused(|facts| facts.card.state = CardState::Pending).0, CardPending);
        assert_eq!(refused(|facts| facts.card.state = CardState::Declined).0, CardNotSupported);
        assert_eq!(refused(|facts| facts.card.state = CardState::Hidden).0, CardNotSupported);
        assert_eq!(refused(|facts| facts.card.expiry.month = 10).0, CardExpired);
        assert_eq!(refused(|facts| facts.card.billing_address = BillingAddress::Missing).0, BillingAddressRequired);
    }

    #[test]
    fn an_offer_outside_its_limits_is_refused_with_the_limit_of_the_side_that_was_named() {
        use RefusalCode::{AmountTooLarge, AmountTooSmall};
        let small = refused(|facts| facts.amount_to = eur(dec!(20.99)));
        assert_eq!(small, (AmountTooSmall, Some(usdt(dec!(23.04894052)))));
        let large = refused(|facts| (facts.amount_to, facts.fixed_side) = (eur(dec!(1980.01)), FixedSide::Target));
        assert_eq!(large, (AmountTooLarge, Some(eur(dec!(1980)))));
        let nothing = refused(|facts| {
            facts.amount_to = eur(dec!(0));
            facts.limits.offer.target_min = eur(dec!(0));
        });
        assert_eq!(nothing.0, AmountTooSmall);
    }

    #[test]
    fn rolling_limits_hold_for_customer_card_and_partner() {
        let limit = |limit| (RefusalCode::LimitExceeded, Some(eur(limit)));
        assert_eq!(refused(|facts| facts.limits.customer.0.year = dec!(9608.90)), limit(dec!(9700)));
        assert_eq!(refused(|facts| facts.limits.card.0.year = dec!(8.90)), limit(dec!(100)));
        assert_eq!(refused(|facts| facts.limits.partner.0[0].year = dec!(58.90)), limit(dec!(200)));
        // A partner that has no rows yet is held to its limit too.
        assert_eq!(
            refused(|facts| {
                facts.limits.partner.0.clear();
                facts.limits.partner.1.year = Some(dec!(91.10));
            }),
            limit(dec!(91.10))
        );
    }

    #[test]
    fn rules_balance_and_routes_can_refuse() {
        let refuse = |code| RuleResult { rule: "any".into(), verdict: RuleVerdict::Refuse { code, limit: None } };
        let code = |change: fn(&mut ExecutionFacts)| refused(change).0;
        assert_eq!(refused(|facts| facts.rules.push(refuse(RuleRefusal::Velocity))).0, RefusalCode::VelocityExceeded);
        assert_eq!(refused(|facts| facts.rules.push(refuse(RuleRefusal::Blocked))).0, RefusalCode::CustomerBlocked);
        let short = usdt(dec!(106.19999999));
        assert_eq!(refused(|facts| facts.balance = short), (RefusalCode::InsufficientFunds, Some(short)));
        assert_eq!(code(|facts| facts.balance = eur(dec!(1000))), RefusalCode::InsufficientFunds);
        assert_eq!(code(|facts| facts.route = RouteFact::None), RefusalCode::NoRoute);
    }

    #[test]
    fn the_first_rule_that_refuses_is_the_reason() {
        // Each step mends what the step before it refused for; everything after is still broken.
        let mut facts = payable();
        let good = payable();
        facts.status = OfferStatus::Expired;
        facts.kyc_level = 0;
        facts.customer_blocked = true;
        facts.card = CardFacts {
            state: CardState::Pending,
            expiry: CardExpiry { year: 2020, month: 1 },
            billing_address: BillingAddress::Missing,
        };
        facts.amount_to = eur(dec!(1));
        facts.limits.customer.0.year = dec!(9700);
        let verdict = RuleVerdict::Refuse { code: RuleRefusal::Velocity, limit: None };
        facts.rules = vec![RuleResult { rule: "count".into(), verdict }];
        facts.balance = usdt(dec!(0));
        facts.route = RouteFact::None;

        type Mend = fn(&mut ExecutionFacts, &ExecutionFacts);
        let steps: [(RefusalCode, Mend); 11] = [
            (RefusalCode::OfferExpired, |facts, good| facts.status = good.status),
            (RefusalCode::KycRequired, |facts, good| facts.kyc_level = good.kyc_level),
            (RefusalCode::CustomerBlocked, |facts, good| facts.customer_blocked = good.customer_blocked),
            (RefusalCode::CardPending, |facts, good| facts.card.state = good.card.state),
            (RefusalCode::CardExpired, |facts, good| facts.card.expiry = good.card.expiry),
            (RefusalCode::BillingAddressRequired, |facts, good| facts.card = good.card),
            (RefusalCode::AmountTooSmall, |facts, good| facts.amount_to = good.amount_to),
            (RefusalCode::LimitExceeded, |facts, good| facts.limits = good.limits.clone()),
            (RefusalCode::VelocityExceeded, |facts, good| facts.rules = good.rules.clone()),
            (RefusalCode::InsufficientFunds, |facts, good| facts.balance = good.balance),
            (RefusalCode::NoRoute, |facts, good| facts.route = good.route),
        ];
        for (code, mend) in steps {
            assert_eq!(check_execution(&facts).map_err(|refusal| refusal.code), Err(code));
            mend(&mut facts, &good);
        }
        assert_eq!(check_execution(&facts), Ok(()));
    }
}
