//! What an app shows ahead of an offer: the user's cards with what may be paid to each, pairs with their rates, fees.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;

use super::facts::{Priced, sums};
use super::view::{CardView, DataView, FeesView, PairLimits, PairView};
use super::{User, Wallet, WalletError, cards};
use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::exact::{self, Rounding};
use crate::domain::fee::FeeKind;
use crate::domain::ids::{CardId, CustomerId};
use crate::domain::limit::{LimitRules, Period, PeriodLimits, Sums};
use crate::domain::money::Money;
use crate::domain::offer::{OfferLimits, PriceBook};
use crate::domain::routing::Route;
use crate::store::accounts::{self, CustomerBalance};
use crate::store::blocks::Concerned;
use crate::store::cards::Card;
use crate::store::customers;
use crate::store::limits::{self, Subject, Usages};

/// The scheme by which a pair is shown where no card is named.
const DEFAULT_SCHEME: CardScheme = CardScheme::Visa;

/// What a user's cards and pairs are shown by, read once.
pub(super) struct Ground {
    now: DateTime<Utc>,
    balances: Vec<CustomerBalance>,
    usages: Usages,
    customer_id: Option<CustomerId>,
    kyc_level: u8,
    routes: Vec<Route>,
    /// Cards that nothing is paid to while the block list stands as it does.
    blocked: BTreeSet<CardId>,
}

impl Ground {
    fn balance(&self, asset: AssetCode) -> Decimal {
        self.balances
            .iter()
            .find(|row| row.asset == asset && row.kind == "user_available")
            .map_or(Decimal::ZERO, |row| row.balance)
    }
}

impl Wallet {
    /// Cards, pairs with a price, and fees. The prices hold `valid_seconds`.
    pub async fn data(&self, user: &User) -> Result<DataView, WalletError> {
        let in_force = self.terms(user).await?;
        let book = &in_force.book;
        let mut conn = self.gateway.db.get().await?;
        let customer = customers::find(&mut conn, user.tenant, &user.reference).await?;
        let stored = match &customer {
            Some(customer) => crate::store::cards::of_customer(&mut conn, user.tenant, customer.id).await?,
            None => Vec::new(),
        };
        let ground = match &customer {
            Some(customer) => self.data_ground(&mut conn, user, customer.id, &stored).await?,
            None => self.empty_ground(user),
        };
        drop(conn);
        let cards =
            stored.iter().map(|card| self.view_of_card(book, user, card, &ground)).collect::<Result<Vec<_>, _>>()?;
        Ok(DataView {
            cards,
            pairs: self.pair_views(book, user, &ground)?,
            fees: fees_view(book, user),
            valid_seconds: self.house.data_ttl.as_secs(),
        })
    }

    fn empty_ground(&self, user: &User) -> Ground {
        Ground {
            now: self.now(),
            balances: Vec::new(),
            usages: Usages::new(),
            customer_id: None,
            kyc_level: self.kyc_level(user, 0),
            routes: Vec::new(),
            blocked: BTreeSet::new(),
        }
    }

    pub(super) async fn data_ground(
        &self,
        conn: &mut AsyncPgConnection,
        user: &User,
        customer_id: CustomerId,
        stored: &[Card],
    ) -> Result<Ground, WalletError> {
        let balances = accounts::balances_of_customer(conn, user.tenant, customer_id).await?;
        let subjects: Vec<_> = stored
            .iter()
            .map(|card| (user.tenant, Subject::Card(card.id)))
            .chain([(user.tenant, Subject::Customer(customer_id))])
            .collect();
        let usages = limits::read(conn, &subjects).await?;
        let concerned: Vec<Concerned> = stored
            .iter()
            .map(|card| Concerned { card_id: Some(card.id), customer_id: Some(customer_id), number: None })
            .collect();
        let blocked = self.gateway.blocked(conn, user.tenant, &concerned, self.now()).await?;
        let blocked = stored.iter().zip(blocked).filter(|(_, by)| by.is_some()).map(|(card, _)| card.id).collect();
        let recorded = customers::find(conn, user.tenant, &user.reference).await?.map_or(0, |c| c.kyc_level);
        Ok(Ground {
            balances,
            usages,
            customer_id: Some(customer_id),
            kyc_level: self.kyc_level(user, recorded),
            blocked,
            ..self.empty_ground(user)
        })
    }

    pub(super) fn view_of_card(
        &self,
        book: &PriceBook,
        user: &User,
        card: &Card,
        ground: &Ground,
    ) -> Result<CardView, WalletError> {
        let card_sums = sums(ground.usages.get(&(user.tenant, Subject::Card(card.id))), ground.now)?;
        let mut pair_limits = Vec::new();
        for pair in &book.pairs {
            let priced = match self.priced(book, user, *pair, card.scheme, ground.now) {
                Ok(priced) => priced,
                // A pair without a price now isn't shown; the others are.
                Err(WalletError::RatesUnavailable(_)) => continue,
                Err(error) => return Err(error),
            };
            let range = range(&book.limits, user, &priced, &card_sums, ground)?;
            let all = self.all_of(&priced, &range, ground)?;
            pair_limits.push(PairLimits {
                currency_from: pair.from,
                currency_to: pair.to,
                amount_from_min: range.source_min.amount(),
                amount_from_max: range.source_max.amount(),
                amount_from_all: all,
            });
        }
        let requires = self.settings.billing_address_required.contains(&card.scheme);
        Ok(CardView {
            id: card.id,
            scheme: card.scheme,
            masked_pan: cards::masked(&card.iin, &card.last_four),
            validation: cards::validation_of(card, ground.blocked.contains(&card.id), ground.now),
            pair_limits,
            billing_address_required: requires && card.billing_country.is_none(),
            fast_funds: self.has_fast_funds(user, card.scheme, &ground.routes),
        })
    }

    /// Whether a provider on an enabled route pays such cards within minutes.
    fn has_fast_funds(&self, user: &User, scheme: CardScheme, routes: &[Route]) -> bool {
        let known = self.gateway.routes.latest();
        let routes = if routes.is_empty() { known.routes(user.tenant.mode) } else { routes };
        routes.iter().any(|route| route.enabled && route.fast_funds && route.card_schemes.contains(&scheme))
    }

    fn pair_views(&self, book: &PriceBook, user: &User, ground: &Ground) -> Result<Vec<PairView>, WalletError> {
        let mut views = Vec::new();
        for pair in &book.pairs {
            let priced = match self.priced(book, user, *pair, DEFAULT_SCHEME, ground.now) {
                Ok(priced) => priced,
                Err(WalletError::RatesUnavailable(_)) => continue,
                Err(error) => return Err(error),
            };
            let all = self.all_of(&priced, &priced.limits, ground)?;
            views.push(PairView {
                currency_from: pair.from,
                currency_to: pair.to,
                rate: priced.terms.rate.shown(),
                amount_scale_from: priced.terms.source.scale,
                amount_scale_to: priced.terms.target.scale,
                default_amount_from_min: priced.limits.source_min.amount(),
                default_amount_from_max: priced.limits.source_max.amount(),
                default_amount_max_all: all,
            });
        }
        Ok(views)
    }

    /// What spending everything comes to, within the limits; zero if it comes to nothing.
    fn all_of(&self, priced: &Priced, range: &OfferLimits, ground: &Ground) -> Result<Decimal, WalletError> {
        let balance = Money::new(ground.balance(priced.terms.source.code), priced.terms.source)
            .map_err(|error| WalletError::Internal(error.to_string()))?;
        Ok(priced.terms.all_amount(&balance, &range.source_max).map_or(Decimal::ZERO, |all| all.amount()))
    }
}

/// The limits of one offer to a card: the offer's own, narrowed by what the rolling sums have left.
fn range(
    rules: &LimitRules,
    user: &User,
    priced: &Priced,
    card_sums: &Sums,
    ground: &Ground,
) -> Result<OfferLimits, WalletError> {
    let customer_key = ground.customer_id.map(|id| (user.tenant, Subject::Customer(id)));
    let customer_sums = sums(customer_key.and_then(|key| ground.usages.get(&key)), ground.now)?;
    let mut left = room(card_sums, &rules.card);
    // A level that may not pay sees the limits that it would have; the offer says what is missing.
    if let Some(limits) = rules.customer_limits(ground.kyc_level) {
        left = least(left, room(&customer_sums, &limits));
    }
    let Some(left) = left else { return Ok(priced.limits) };
    let target = priced.terms.target;
    let fits = exact::div(left, priced.reference_price.value(), target.scale, Rounding::Down)
        .map_err(|error| WalletError::Internal(error.to_string()))?;
    let most = Money::new(fits.min(priced.limits.target_max.amount()), target)
        .map_err(|error| WalletError::Internal(error.to_string()))?;
    priced.terms.limits(priced.limits.target_min, most).map_err(|error| WalletError::Internal(error.to_string()))
}

/// The fees of the first pair, as the published contract shows one set for all. An offer itemises its own.
fn fees_view(book: &PriceBook, user: &User) -> FeesView {
    let Some(pair) = book.pairs.iter().next() else { return FeesView::default() };
    let spread = book.spreads.get(&user.partner_code, *pair).value();
    let mut view = FeesView { rate: percent(spread), ..FeesView::default() };
    let tariff = book.fees.tariff(&user.partner_code, user.tenant.mode, *pair, DEFAULT_SCHEME);
    let Some(schedule) = tariff.schedule_for(Decimal::ONE) else { return view };
    for rule in schedule.rules() {
        let by_percent = rule.percent.unwrap_or_default();
        match rule.kind {
            FeeKind::Transaction => view.transaction_fee += by_percent,
            FeeKind::Fixed => view.fix_fee += rule.fixed_target.unwrap_or_default(),
            FeeKind::Additional => view.additional_fee += by_percent,
            FeeKind::NetworkGas => view.network_gas += rule.fixed_source.unwrap_or_default(),
            FeeKind::Partner => view.partner_fee += by_percent,
        }
    }
    view
}

/// A fraction in percent.
fn percent(fraction: Decimal) -> Decimal {
    exact::mul(fraction, Decimal::ONE_HUNDRED, 6, Rounding::Down).map_or(Decimal::ZERO, |p| p.normalize())
}

/// The least that any period has left; `None` without limits.
fn room(sums: &Sums, limits: &PeriodLimits) -> Option<Decimal> {
    Period::ALL
        .into_iter()
        .filter_map(|period| {
            let left = exact::sub(limits.get(period)?, sums.get(period)).unwrap_or_default();
            Some(left.max(Decimal::ZERO))
        })
        .min()
}

fn least(a: Option<Decimal>, b: Option<Decimal>) -> Option<Decimal> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
