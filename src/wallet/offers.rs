//! Offers: quoted, changed, looked at. Prices come from memory; an offer is one read and one write.

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng;
use rust_decimal::Decimal;
use serde_json::json;

use super::facts::{Around, Priced, pricing_error, sums};
use super::velocity::Judged;
use super::view::{FeeView, OfferView};
use super::{User, Wallet, WalletError};
use crate::domain::asset::Asset;
use crate::domain::block::BlockKind;
use crate::domain::exact::{AmountError, parse_amount};
use crate::domain::fee::FeeItem;
use crate::domain::ids::{CardId, OfferId};
use crate::domain::limit::{LimitRules, Sums};
use crate::domain::money::Money;
use crate::domain::offer::{OfferEvent, OfferStatus, PriceBook, Quote, RefusalCode, RuleResult, check_execution};
use crate::store::limits::{self, Subject};
use crate::store::offers::{self, Offer, Pricing};
use crate::store::standing::{self, Standing};

/// How many digits an amount may have before its point.
const INTEGER_DIGITS_MAX: u8 = 15;
/// How many stripes a partner's rolling sum is spread over.
pub(super) const STRIPES: i16 = 16;
/// How many ids are drawn before a free one must have been found.
const DRAWS_MAX: usize = 8;

/// What an offer is asked for: one of both amounts, as written.
#[derive(Clone, Debug, Default)]
pub struct OfferInput {
    pub amount: Option<String>,
    pub amount_to: Option<String>,
    pub currency_from: String,
    pub currency_to: String,
}

impl Wallet {
    /// Quotes a payout to one of the user's cards.
    pub async fn create_offer(
        &self,
        user: &User,
        input: OfferInput,
        card_id: CardId,
    ) -> Result<OfferView, WalletError> {
        let now = self.now();
        let in_force = self.terms(user).await?;
        let book = &in_force.book;
        let (pair, source, target) = self.pair(book, &input.currency_from, &input.currency_to)?;
        let wish = Wish::parse(&input, source, target)?;
        let mut conn = self.gateway.db.get().await?;
        let standing = standing::find(&mut conn, user.tenant, &user.reference, card_id, source.code, now)
            .await?
            .filter(|standing| !standing.card.is_hidden)
            .ok_or(WalletError::NotFound("card"))?;
        let priced = self.priced(book, user, pair, standing.card.scheme, now)?;
        let pricing = self.pricing(book, &priced, &wish, now)?;
        for _ in 0..DRAWS_MAX {
            let id = OfferId::draw(|| rand::rng().next_u64());
            if offers::insert(&conn, user.tenant, id, standing.customer_id, card_id, &pricing).await? {
                let offer = quoted(user, id, standing.customer_id, card_id, 1, pricing);
                let looked_up = self.look_up(&mut conn, book, user, &offer, &standing, now).await?;
                // Given back first: what follows may need one itself.
                drop(conn);
                return self.view(book, user, &offer, &standing, looked_up, now).await;
            }
        }
        Err(WalletError::Internal("no free offer id was drawn".to_owned()))
    }

    /// Prices an open offer anew: its version rises and its clock restarts.
    pub async fn update_offer(&self, user: &User, id: OfferId, input: OfferInput) -> Result<OfferView, WalletError> {
        let now = self.now();
        let in_force = self.terms(user).await?;
        let book = &in_force.book;
        let (pair, source, target) = self.pair(book, &input.currency_from, &input.currency_to)?;
        let wish = Wish::parse(&input, source, target)?;
        let mut conn = self.gateway.db.get().await?;
        let before =
            offers::find(&conn, user.tenant, &user.reference, id).await?.ok_or(WalletError::NotFound("offer"))?;
        expect_open(&before, now)?;
        let standing = standing::find(&mut conn, user.tenant, &user.reference, before.card_id, source.code, now)
            .await?
            .ok_or(WalletError::NotFound("card"))?;
        let priced = self.priced(book, user, pair, standing.card.scheme, now)?;
        let pricing = self.pricing(book, &priced, &wish, now)?;
        // The write holds only for the version that was looked at: a pay or another update in between refuses it.
        if !offers::reprice(&conn, user.tenant, id, before.version, &pricing).await? {
            let current =
                offers::find(&conn, user.tenant, &user.reference, id).await?.ok_or(WalletError::NotFound("offer"))?;
            expect_open(&current, self.now())?;
            return Err(WalletError::VersionConflict { current: current.version });
        }
        let offer = quoted(user, id, before.customer_id, before.card_id, before.version + 1, pricing);
        let looked_up = self.look_up(&mut conn, book, user, &offer, &standing, now).await?;
        drop(conn);
        self.view(book, user, &offer, &standing, looked_up, now).await
    }

    /// The offer as it stands.
    pub async fn offer(&self, user: &User, id: OfferId) -> Result<OfferView, WalletError> {
        let now = self.now();
        let in_force = self.terms(user).await?;
        let book = &in_force.book;
        let mut conn = self.gateway.db.get().await?;
        let offer =
            offers::find(&conn, user.tenant, &user.reference, id).await?.ok_or(WalletError::NotFound("offer"))?;
        let standing = standing::find(&mut conn, user.tenant, &user.reference, offer.card_id, offer.currency_from, now)
            .await?
            .ok_or(WalletError::NotFound("card"))?;
        let looked_up = self.look_up(&mut conn, book, user, &offer, &standing, now).await?;
        drop(conn);
        self.view(book, user, &offer, &standing, looked_up, now).await
    }

    /// What only some installations look up for an offer: nothing where there are neither partner limits nor rules.
    async fn look_up(
        &self,
        conn: &mut diesel_async::AsyncPgConnection,
        book: &PriceBook,
        user: &User,
        offer: &Offer,
        standing: &Standing,
        now: DateTime<Utc>,
    ) -> Result<LookedUp, WalletError> {
        let partner_sums = partner_sums(conn, book, user, now).await?;
        let kyc_level = self.kyc_level(user, standing.kyc_level);
        let judged = Judged { book, user, offer, card: &standing.card, kyc_level };
        let rules = match offer.status {
            OfferStatus::Quoted => {
                let counts = self.velocity_counts(conn, &[judged], now).await?;
                self.velocity_results(judged, &counts)?
            }
            // It can't be paid, or was: no rule is asked any more.
            _ => Vec::new(),
        };
        Ok(LookedUp { partner_sums, rules })
    }

    fn pricing(
        &self,
        book: &PriceBook,
        priced: &Priced,
        wish: &Wish,
        now: DateTime<Utc>,
    ) -> Result<Pricing, WalletError> {
        let quote = match wish {
            Wish::Source(amount) => {
                priced.terms.price_by_source(amount).map_err(|error| pricing_error(&error, "amount"))?
            }
            Wish::Target(amount) => {
                priced.terms.price_by_target(amount).map_err(|error| pricing_error(&error, "amountTo"))?
            }
        };
        expect_something_arrives(&quote, priced)?;
        let counted = book
            .limits
            .counted(&quote.amount_to, priced.reference_price)
            .map_err(|_| WalletError::not_valid("amount", "is too large"))?;
        let ttl = TimeDelta::from_std(self.house.offer_ttl).unwrap_or(TimeDelta::seconds(20));
        let json = |value: serde_json::Result<serde_json::Value>| {
            value.map_err(|error| WalletError::Internal(error.to_string()))
        };
        Ok(Pricing {
            currency_from: quote.amount.asset().code,
            currency_to: quote.amount_to.asset().code,
            fixed_side: quote.fixed_side,
            amount: quote.amount.amount(),
            amount_to: quote.amount_to.amount(),
            price: quote.rate.price.value(),
            spread: quote.rate.spread.value(),
            fees: json(serde_json::to_value(&quote.fees))?,
            fee_total: quote.fee_total.amount(),
            total: quote.total.amount(),
            amount_reference: counted,
            amount_to_min: priced.limits.target_min.amount(),
            amount_to_max: priced.limits.target_max.amount(),
            rate_sources: json!({
                "board": json(serde_json::to_value(&priced.board))?,
                // What its limits were counted by, for who asks later why it was refused or let through.
                "reference": {
                    "currency": book.limits.reference.code,
                    "price": priced.reference_price.value().to_string(),
                    "board": json(serde_json::to_value(&priced.reference_board))?,
                },
                "fee_schedule": quote.schedule_id,
                "fee_schedule_version": quote.schedule_version,
                // By which version of the partner's own terms it was priced and limited; null: by the house's.
                "terms_version": book.terms_version,
            }),
            quoted_at: now,
            expires_at: now + ttl,
        })
    }

    async fn view(
        &self,
        book: &PriceBook,
        user: &User,
        offer: &Offer,
        standing: &Standing,
        looked_up: LookedUp,
        now: DateTime<Utc>,
    ) -> Result<OfferView, WalletError> {
        let gateway = &self.gateway;
        let snapshot = gateway
            .routes
            .snapshot(&gateway.db, &gateway.assets, &gateway.providers, &gateway.credentials, now)
            .await?;
        let countries = [standing.card.billing_country.as_deref(), standing.country.as_deref()];
        let blocked = gateway.blocked_by(&standing.listed, &standing.card.iin, countries);
        let rules = blocked.map(BlockKind::refusal).into_iter().chain(looked_up.rules).collect();
        let around = Around {
            now,
            kyc_level: self.kyc_level(user, standing.kyc_level),
            customer_blocked: standing.is_blocked || blocked == Some(BlockKind::Customer),
            card: self.card_facts(&standing.card),
            scheme: standing.card.scheme,
            customer_sums: sums(Some(&standing.customer_usage), now)?,
            card_sums: sums(Some(&standing.card_usage), now)?,
            partner_sums: looked_up.partner_sums,
            limits: &book.limits,
            rules,
            balance: standing.balance,
            routes: snapshot.routes(user.tenant.mode),
        };
        let refusal = check_execution(&self.execution_facts(offer, around)?).err();
        let (source, _) = self.offer_assets(offer)?;
        let rate = crate::domain::rate::Rate {
            price: super::facts::price(offer.price)?,
            spread: crate::domain::rate::Spread::new(offer.spread)
                .map_err(|error| WalletError::Internal(error.to_string()))?,
        };
        let fees: Vec<FeeItem> = serde_json::from_value(offer.fees.clone())
            .map_err(|error| WalletError::Internal(format!("offer {}: {error}", offer.id)))?;
        let left = offer.expires_at.signed_duration_since(now).num_seconds().max(0).unsigned_abs();
        Ok(OfferView {
            id: offer.id,
            valid_seconds: if offer.status == OfferStatus::Quoted { left } else { 0 },
            amount: offer.amount,
            currency_from: offer.currency_from,
            amount_to: offer.amount_to,
            currency_to: offer.currency_to,
            rate: rate.shown(),
            fees: fees.iter().map(|item| fee_view(item, source)).collect(),
            total_from: offer.total,
            status: status_at(offer, now),
            version: offer.version,
            expires_at: offer.expires_at,
            server_time: now,
            possible_to_execute: refusal.is_none(),
            reason: refusal.map(|refusal| refusal.code),
            limit: refusal.and_then(|refusal| refusal.limit).map(|limit| (limit.amount(), limit.asset().code)),
        })
    }
}

/// What [`Wallet::look_up`] found.
struct LookedUp {
    partner_sums: Vec<Sums>,
    rules: Vec<RuleResult>,
}

/// Which amount the user fixed.
enum Wish {
    Source(Money),
    Target(Money),
}

impl Wish {
    fn parse(input: &OfferInput, source: Asset, target: Asset) -> Result<Self, WalletError> {
        match (&input.amount, &input.amount_to) {
            (Some(amount), None) => Ok(Wish::Source(parse_money("amount", amount, source)?)),
            (None, Some(amount)) => Ok(Wish::Target(parse_money("amountTo", amount, target)?)),
            (Some(_), Some(_)) => Err(WalletError::not_valid("amountTo", "name one of amount and amountTo, not both")),
            (None, None) => Err(WalletError::not_valid("amount", "is missing")),
        }
    }
}

fn parse_money(field: &'static str, text: &str, asset: Asset) -> Result<Money, WalletError> {
    let amount = parse_amount(text, asset.scale, INTEGER_DIGITS_MAX).map_err(|error| {
        let what = match error {
            AmountError::TooPrecise => format!("has more than {} decimals", asset.scale),
            AmountError::Malformed | AmountError::TooLarge | AmountError::Negative => error.to_string(),
        };
        WalletError::not_valid(field, what)
    })?;
    if amount.is_zero() {
        return Err(WalletError::not_valid(field, "must be above zero"));
    }
    Money::new(amount, asset).map_err(|error| WalletError::not_valid(field, error.to_string()))
}

/// An amount of which nothing would reach the card is no offer.
fn expect_something_arrives(quote: &Quote, priced: &Priced) -> Result<(), WalletError> {
    if quote.amount_to.is_positive() {
        return Ok(());
    }
    let least = priced.limits.source_min;
    Err(WalletError::AmountTooSmall { limit: least.amount(), currency: least.asset().code })
}

/// An offer that is over is expired; housekeeping writes it down a little later.
pub(super) fn status_at(offer: &Offer, now: DateTime<Utc>) -> OfferStatus {
    let is_over = offer.status == OfferStatus::Quoted && now >= offer.expires_at;
    if is_over { OfferStatus::Expired } else { offer.status }
}

/// Only an open offer can be changed.
fn expect_open(offer: &Offer, now: DateTime<Utc>) -> Result<(), WalletError> {
    if offer.status.apply(OfferEvent::Reprice).is_err() {
        let code = match offer.status {
            OfferStatus::Quoted | OfferStatus::Expired => RefusalCode::OfferExpired,
            OfferStatus::Accepted
            | OfferStatus::Paid
            | OfferStatus::PartlyPaid
            | OfferStatus::Released
            | OfferStatus::Returned => RefusalCode::OfferAlreadyExecuted,
        };
        return Err(WalletError::Refused(code.into()));
    }
    if now >= offer.expires_at { Err(WalletError::Refused(RefusalCode::OfferExpired.into())) } else { Ok(()) }
}

pub(super) fn has_partner_limits(rules: &LimitRules) -> bool {
    let limits = &rules.partner;
    limits.day.is_some() || limits.month.is_some() || limits.year.is_some()
}

/// The partner's rolling sums, read without a lock; not read at all where the partner has no limits.
async fn partner_sums(
    conn: &mut diesel_async::AsyncPgConnection,
    book: &PriceBook,
    user: &User,
    now: DateTime<Utc>,
) -> Result<Vec<Sums>, WalletError> {
    if !has_partner_limits(&book.limits) {
        return Ok(Vec::new());
    }
    let stripes: Vec<_> = (0..STRIPES).map(|n| (user.tenant, Subject::Partner(n))).collect();
    let usages = limits::read(conn, &stripes).await?;
    stripes.iter().map(|key| sums(usages.get(key), now)).collect()
}

fn fee_view(item: &FeeItem, source: Asset) -> FeeView {
    FeeView { kind: item.kind, currency: source.code, scale: source.scale, value: item.amount }
}

/// The offer that was just written.
fn quoted(
    user: &User,
    id: OfferId,
    customer_id: crate::domain::ids::CustomerId,
    card_id: CardId,
    version: i32,
    pricing: Pricing,
) -> Offer {
    Offer {
        partner_id: user.tenant.partner_id,
        mode: user.tenant.mode,
        id,
        customer_id,
        card_id,
        status: OfferStatus::Quoted,
        version,
        currency_from: pricing.currency_from,
        currency_to: pricing.currency_to,
        fixed_side: pricing.fixed_side,
        amount: pricing.amount,
        amount_to: pricing.amount_to,
        price: pricing.price,
        spread: pricing.spread,
        fees: pricing.fees,
        fee_total: pricing.fee_total,
        total: pricing.total,
        amount_reference: pricing.amount_reference,
        amount_to_min: pricing.amount_to_min,
        amount_to_max: pricing.amount_to_max,
        rate_sources: pricing.rate_sources,
        quoted_at: pricing.quoted_at,
        expires_at: pricing.expires_at,
        accepted_at: None,
        limit_reservations: None,
        request_id: None,
        amount_to_processed: Decimal::ZERO,
        amount_to_returned: Decimal::ZERO,
        resolution: None,
        final_at: None,
    }
}
