//! Gathering what an offer is priced and judged by: terms from the board's price, and the facts of the one check that
//! `possibleToExecute` and pay share.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{User, Wallet, WalletError, cards};
use crate::domain::asset::{Asset, AssetCode};
use crate::domain::card::CardScheme;
use crate::domain::ids::Mode;
use crate::domain::limit::{LimitRules, PeriodLimits, Sums, UsageWindow};
use crate::domain::money::Money;
use crate::domain::offer::{
    BillingAddress, CardFacts, CardState, ExecutionFacts, LimitFacts, OfferLimits, PriceBook, PricingError, RouteFact,
    RuleResult, Terms,
};
use crate::domain::rate::{Pair, Price, Rate, Spread};
use crate::domain::routing::{Route, any_route_carries};
use crate::gateway::submit::card_service;
use crate::rates::price::BoardPrice;
use crate::store::offers::{Offer, OfferCard};

/// What one pair is priced by now.
pub(super) struct Priced {
    pub terms: Terms,
    pub limits: OfferLimits,
    /// How much of the reference currency one unit of the target is worth.
    pub reference_price: Price,
    pub board: BoardPrice,
    /// What the reference price was made of; `None` where the target is the reference currency itself.
    pub reference_board: Option<BoardPrice>,
}

impl Wallet {
    /// The assets of an offered pair, by their codes as a caller wrote them.
    pub(super) fn pair(&self, book: &PriceBook, from: &str, to: &str) -> Result<(Pair, Asset, Asset), WalletError> {
        let refused = || WalletError::PairNotSupported { from: clipped(from), to: clipped(to) };
        let pair = Pair {
            from: from.parse::<AssetCode>().map_err(|_| refused())?,
            to: to.parse::<AssetCode>().map_err(|_| refused())?,
        };
        let (source, target) = book.pair_assets(pair).map_err(|_| refused())?;
        Ok((pair, source, target))
    }

    fn board_price(&self, mode: Mode, pair: Pair, now: DateTime<Utc>) -> Result<BoardPrice, WalletError> {
        let unavailable = || WalletError::RatesUnavailable(pair.to_string());
        let board = self.rates.board(mode).ok_or_else(unavailable)?;
        board.price(pair, now).map_err(|error| {
            tracing::warn!(%pair, %error, "no price");
            unavailable()
        })
    }

    /// What one unit of `currency` is worth in the reference currency, by the board; `None` if it is that currency.
    fn reference_board(
        &self,
        mode: Mode,
        currency: Asset,
        now: DateTime<Utc>,
    ) -> Result<Option<BoardPrice>, WalletError> {
        // The same for everybody: limits that name another one are refused.
        let reference = self.house.limits.reference;
        if currency == reference {
            return Ok(None);
        }
        let pair = Pair { from: currency.code, to: reference.code };
        self.board_price(mode, pair, now).map(Some)
    }

    /// Prices a pair for a card's scheme at the board's price.
    pub(super) fn priced(
        &self,
        book: &PriceBook,
        user: &User,
        pair: Pair,
        scheme: CardScheme,
        now: DateTime<Utc>,
    ) -> Result<Priced, WalletError> {
        let mode = user.tenant.mode;
        let board = self.board_price(mode, pair, now)?;
        let terms = book
            .terms(&user.partner_code, mode, pair, scheme, price(board.price)?)
            .map_err(|error| pricing_error(&error, "amount"))?;
        let reference_board = self.reference_board(mode, terms.target, now)?;
        let reference_price = price(reference_board.as_ref().map_or(Decimal::ONE, |board| board.price))?;
        let limits = offer_limits(&book.limits, &terms, reference_price)?;
        Ok(Priced { terms, limits, reference_price, board, reference_board })
    }

    /// The KYC level that counts: an issuer's claim where the issuer is trusted with it, else the record's.
    pub(super) fn kyc_level(&self, user: &User, recorded: i16) -> u8 {
        user.kyc_claimed.unwrap_or_else(|| u8::try_from(recorded).unwrap_or(0))
    }

    pub(super) fn card_facts(&self, card: &OfferCard) -> CardFacts {
        let state = match card.validation_status.as_str() {
            _ if card.is_hidden || !card.has_number => CardState::Hidden,
            "approved" => CardState::Approved,
            "pending" => CardState::Pending,
            _ => CardState::Declined,
        };
        let billing_address = if !self.settings.billing_address_required.contains(&card.scheme) {
            BillingAddress::NotRequired
        } else if card.billing_country.is_some() {
            BillingAddress::Given
        } else {
            BillingAddress::Missing
        };
        CardFacts { state, expiry: cards::expiry_of(card.expiry_year, card.expiry_month), billing_address }
    }

    /// The facts about a stored offer.
    pub(super) fn execution_facts(&self, offer: &Offer, around: Around<'_>) -> Result<ExecutionFacts, WalletError> {
        let (source, target) = self.offer_assets(offer)?;
        let money = |amount, asset| {
            Money::new(amount, asset).map_err(|error| WalletError::Internal(format!("offer {}: {error}", offer.id)))
        };
        let rate = Rate {
            price: price(offer.price)?,
            spread: Spread::new(offer.spread).map_err(|error| WalletError::Internal(error.to_string()))?,
        };
        let target_min = money(offer.amount_to_min, target)?;
        let target_max = money(offer.amount_to_max, target)?;
        let limits = source_limits(source, &rate, target_min, target_max)?;
        let rules = around.limits;
        let none = PeriodLimits { day: None, month: None, year: Some(Decimal::ZERO) };
        Ok(ExecutionFacts {
            now: around.now,
            expires_at: offer.expires_at,
            status: offer.status,
            kyc_level: around.kyc_level,
            // No level may pay at all: then no level is high enough.
            kyc_level_required: rules.kyc_level_required().unwrap_or(u8::MAX),
            customer_blocked: around.customer_blocked,
            card: around.card,
            amount: money(offer.amount, source)?,
            amount_to: money(offer.amount_to, target)?,
            total: money(offer.total, source)?,
            fixed_side: offer.fixed_side,
            limits: LimitFacts {
                offer: limits,
                reference: rules.reference,
                counted: offer.amount_reference,
                customer: (around.customer_sums, rules.customer_limits(around.kyc_level).unwrap_or(none)),
                card: (around.card_sums, rules.card),
                partner: (around.partner_sums, rules.partner),
            },
            rules: around.rules,
            balance: money(around.balance, source)?,
            route: route_fact(around.routes, offer.currency_to, offer.amount_to, around.scheme),
        })
    }

    pub(super) fn offer_assets(&self, offer: &Offer) -> Result<(Asset, Asset), WalletError> {
        let of = |code: AssetCode| {
            self.house.assets.get(code).ok_or_else(|| WalletError::Internal(format!("{code} is no longer configured")))
        };
        Ok((of(offer.currency_from)?, of(offer.currency_to)?))
    }
}

/// What stands around an offer when it is judged.
pub(super) struct Around<'a> {
    pub now: DateTime<Utc>,
    pub kyc_level: u8,
    pub customer_blocked: bool,
    pub card: CardFacts,
    pub scheme: CardScheme,
    pub customer_sums: Sums,
    pub card_sums: Sums,
    pub partner_sums: Vec<Sums>,
    /// The limits in force of the user's partner.
    pub limits: &'a LimitRules,
    /// What velocity rules and block lists say.
    pub rules: Vec<RuleResult>,
    pub balance: Decimal,
    pub routes: &'a [Route],
}

/// Whether a route can carry the amount now, as far as memory tells.
fn route_fact(routes: &[Route], currency: AssetCode, amount: Decimal, scheme: CardScheme) -> RouteFact {
    let service = card_service(currency);
    if any_route_carries(routes, &service, amount, Some(scheme)) { RouteFact::Single } else { RouteFact::None }
}

/// A window's sums; an unreadable sum is a bug, and no reason to let an amount through.
pub(super) fn sums(window: Option<&UsageWindow>, now: DateTime<Utc>) -> Result<Sums, WalletError> {
    window
        .map_or(Ok(Sums::default()), |window| window.sums(now))
        .map_err(|error| WalletError::Internal(error.to_string()))
}

pub(super) fn price(value: Decimal) -> Result<Price, WalletError> {
    Price::new(value).map_err(|error| WalletError::Internal(format!("price {value}: {error}")))
}

fn offer_limits(rules: &LimitRules, terms: &Terms, reference_price: Price) -> Result<OfferLimits, WalletError> {
    let internal = |error: String| WalletError::Internal(error);
    let (least, most) =
        rules.offer_range(terms.target, reference_price).map_err(|error| internal(error.to_string()))?;
    terms.limits(least, most).map_err(|error| internal(error.to_string()))
}

fn source_limits(source: Asset, rate: &Rate, target_min: Money, target_max: Money) -> Result<OfferLimits, WalletError> {
    OfferLimits::at(source, rate, target_min, target_max).map_err(|error| WalletError::Internal(error.to_string()))
}

/// A pricing failure as the caller is told of it; `field` is the amount that they named.
pub(super) fn pricing_error(error: &PricingError, field: &'static str) -> WalletError {
    match error {
        PricingError::NotPositive => WalletError::not_valid(field, "must be above zero"),
        PricingError::TooLarge(_) | PricingError::NoFeeSchedule(_) => WalletError::not_valid(field, "is too large"),
        PricingError::PairNotOffered(pair) => {
            WalletError::PairNotSupported { from: pair.from.to_string(), to: pair.to.to_string() }
        }
        PricingError::Money(error) => WalletError::Internal(error.to_string()),
    }
}

/// What a caller wrote, short enough to be told back.
fn clipped(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic()).take(10).collect()
}
