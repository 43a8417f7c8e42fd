//! What a batch decides from, beyond the requests themselves: routes with what is really left on their deposit accounts, cards,
//! customers, earlier payouts, and routing's counters. Read once for the batch, under the deposit accounts' locks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;

use super::super::breakers;
use super::super::invoke::TargetCard;
use super::super::prices::cost_of_one;
use super::super::route_book::{Routing, Snapshot};
use super::super::{Gateway, GatewayError};
use super::taken::Taken;
use crate::domain::asset::AssetCode;
use crate::domain::card::IssuerTable;
use crate::domain::exact::{self, Rounding};
use crate::domain::ids::{CardId, CustomerId, DepositAccountId, Mode, PayoutRequestId, ProviderAccountId, Tenant};
use crate::domain::rate::Pair;
use crate::domain::routing::{BreakerGate, Outcomes, PoolId, PoolUse, Route, Scheme, Statistics, window_start};
use crate::store::cards::{self, Card};
use crate::store::customers::{self, RoutedCustomer};
use crate::store::payouts::{self, Payout};
use crate::store::request_cards::{self, RequestCard};
use crate::store::requests::PayoutRequest;
use crate::store::{deposit_accounts, route_statistics};

/// How far back `conversion` looks, in hours.
const OUTCOMES_HOURS: i64 = 24;

pub struct Ground {
    /// Routes by whose they are.
    routes: HashMap<Tenant, Vec<Route>>,
    pub(super) cards: BTreeMap<(Tenant, CardId), Card>,
    /// Cards that came in with requests.
    request_cards: BTreeMap<PayoutRequestId, RequestCard>,
    /// What a unit of a service's currency is worth in the reference currency, where a scheme may ask.
    reference_rates: BTreeMap<(Mode, AssetCode), Decimal>,
    reference_scale: u8,
    pub(in crate::gateway) issuers: Arc<IssuerTable>,
    pub(super) customers: BTreeMap<(Tenant, CustomerId), RoutedCustomer>,
    payouts: BTreeMap<PayoutRequestId, Vec<Payout>>,
    /// How each request is routed.
    routing: BTreeMap<PayoutRequestId, Routing>,
    pub(in crate::gateway) statistics: Statistics,
    pub(super) lease_until: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
    holds: bool,
}

/// How a batch is to be looked at.
pub struct Basis {
    /// How each request is routed.
    pub routing: BTreeMap<PayoutRequestId, Routing>,
    pub lease_until: DateTime<Utc>,
    pub now: DateTime<Utc>,
    /// Deposit accounts are locked until the commit; otherwise nothing is, and nothing may be written by it.
    pub holds: bool,
}

impl Ground {
    pub fn payouts_of(&self, id: PayoutRequestId) -> &[Payout] {
        self.payouts.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Adds a payout that this batch writes down, or puts one that it begins in place of what was read.
    pub(super) fn put(&mut self, payout: Payout) {
        let of_request = self.payouts.entry(payout.request_id).or_default();
        match of_request.iter_mut().find(|other| other.id == payout.id) {
            Some(other) => *other = payout,
            None => of_request.push(payout),
        }
    }

    /// The routes that may carry a request: the house's, or the partner's own.
    pub fn routes_of(&self, owner: Tenant) -> &[Route] {
        self.routes.get(&owner).map_or(&[], Vec::as_slice)
    }

    pub fn routing_of(&self, id: PayoutRequestId) -> Routing {
        self.routing.get(&id).cloned().unwrap_or(Routing::Broken)
    }

    fn schemes(&self) -> impl Iterator<Item = &Arc<Scheme>> {
        self.routing.values().filter_map(|routing| match routing {
            Routing::Scheme(scheme) => Some(scheme),
            Routing::BuiltIn | Routing::Broken => None,
        })
    }

    /// The card that a request is for; of a wallet's user, or its own.
    pub fn card_of(&self, row: &PayoutRequest) -> Option<TargetCard> {
        match row.card_id {
            Some(id) => self.cards.get(&(row.tenant(), id)).cloned().map(|card| TargetCard::vaulted(card, row)),
            None => self.request_cards.get(&row.id).cloned().map(Box::new).map(TargetCard::OfRequest),
        }
    }

    /// The request's amount in the reference currency, rounded down to its decimals; none without a price.
    pub fn amount_reference(&self, row: &PayoutRequest) -> Option<Decimal> {
        let rate = self.reference_rates.get(&(row.mode, row.currency))?;
        exact::mul(row.amount, *rate, self.reference_scale, Rounding::Down).ok()
    }

    /// The card and the customer that a request pays, as far as they are known.
    pub fn of_request(&self, row: &PayoutRequest) -> (Option<TargetCard>, Option<&RoutedCustomer>) {
        let customer = row.customer_id.and_then(|id| self.customers.get(&(row.tenant(), id)));
        (self.card_of(row), customer)
    }

    /// Later requests of the batch see what this one takes of a route's accounts, and what it counts in its strategy's pool.
    pub fn take(&mut self, route: &Route, pool: Option<&PoolUse>, taken: &Taken) -> Result<(), GatewayError> {
        if let Some(pool) = pool {
            let usage = self.statistics.usage.entry((pool.id, route.id)).or_default();
            *usage = exact::add(*usage, taken.used)?;
            self.statistics.floors.insert(pool.id, pool.floor);
        }
        for other in self.routes.values_mut().flatten() {
            if other.deposit_account_id == route.deposit_account_id {
                other.available = exact::sub(other.available, taken.reserved)?;
            }
            if other.provider_account_id == route.provider_account_id {
                if let (Some(left), true) = (other.turnover_left, other.deposit_currency == route.deposit_currency) {
                    other.turnover_left = Some(exact::sub(left, taken.deposit_amount)?);
                }
                if let (BreakerGate::HalfOpen { probes_left }, true) = (&mut other.breaker, taken.is_probe) {
                    *probes_left = probes_left.saturating_sub(1);
                }
            }
        }
        Ok(())
    }
}

impl Gateway {
    pub(super) async fn ground(
        &self,
        conn: &AsyncPgConnection,
        snapshot: &Snapshot,
        rows: &[PayoutRequest],
        lease_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Ground, GatewayError> {
        let routing = rows.iter().map(|row| (row.id, snapshot.routing_of(row))).collect();
        self.ground_on(conn, snapshot, rows, Basis { routing, lease_until, now, holds: true }).await
    }

    /// The same with requests routed as the basis says.
    pub(in crate::gateway) async fn ground_on(
        &self,
        conn: &AsyncPgConnection,
        snapshot: &Snapshot,
        rows: &[PayoutRequest],
        basis: Basis,
    ) -> Result<Ground, GatewayError> {
        let Basis { routing, lease_until, now, holds } = basis;
        let tried: Vec<_> = rows.iter().filter(|row| row.attempts_made > 0).map(|row| (row.tenant(), row.id)).collect();
        let sorted = |mut keys: Vec<(Tenant, CardId)>| {
            keys.sort_unstable();
            keys.dedup();
            keys
        };
        let wanted = sorted(rows.iter().filter_map(|row| Some((row.tenant(), row.card_id?))).collect());
        // A built-in scheme asks nothing of a customer.
        let asked: BTreeSet<(Tenant, CustomerId)> = rows
            .iter()
            .filter(|row| matches!(routing.get(&row.id), Some(Routing::Scheme(_))))
            .filter_map(|row| Some((row.tenant(), row.customer_id?)))
            .collect();
        let asked: Vec<_> = asked.into_iter().collect();
        let bringing: Vec<_> = rows.iter().filter(|row| row.may_bring_card()).map(|r| (r.tenant(), r.id)).collect();
        let (before, cards, request_cards, customers) = tokio::try_join!(
            biased;
            payouts::of_requests(conn, &tried),
            cards::find_all(conn, &wanted),
            request_cards::find_all(conn, &bringing),
            customers::routed(conn, &asked),
        )?;
        let mut by_request: BTreeMap<PayoutRequestId, Vec<Payout>> = BTreeMap::new();
        for payout in before {
            by_request.entry(payout.request_id).or_default().push(payout);
        }
        let mut ground = Ground {
            routes: HashMap::new(),
            cards: cards.into_iter().map(|card| ((card.tenant(), card.id), card)).collect(),
            request_cards: request_cards.into_iter().map(|card| (card.request_id, card)).collect(),
            reference_rates: BTreeMap::new(),
            reference_scale: self.reference_currency.scale,
            issuers: Arc::clone(&self.issuers),
            customers: customers.into_iter().map(|customer| ((customer.tenant(), customer.id), customer)).collect(),
            payouts: by_request,
            routing,
            statistics: Statistics::default(),
            lease_until,
            now,
            holds,
        };
        for row in rows.iter().filter(|row| matches!(ground.routing.get(&row.id), Some(Routing::Scheme(_)))) {
            let pair = Pair { from: row.currency, to: self.reference_currency.code };
            let source = &self.settings.deposit_exchange.source;
            if let Some(rate) = cost_of_one(&*self.prices, row.mode, source, pair, now) {
                ground.reference_rates.insert((row.mode, row.currency), rate);
            }
        }
        for row in rows {
            let owner = snapshot.owner_for(row.tenant(), row.funding);
            let known = ground.routes.entry(owner).or_default();
            let missing = !known.iter().any(|route| route.service == row.service);
            if missing {
                let serving = snapshot.routes_of(owner).iter().filter(|route| route.service == row.service);
                known.extend(serving.cloned());
            }
        }
        self.freshen(conn, &mut ground).await?;
        Ok(ground)
    }

    /// Brings what the snapshot only remembers to what is there now, and reads what strategies go by.
    pub(in crate::gateway) async fn freshen(
        &self,
        conn: &AsyncPgConnection,
        ground: &mut Ground,
    ) -> Result<(), GatewayError> {
        let now = ground.now;
        let deposits: BTreeSet<DepositAccountId> =
            ground.routes.values().flatten().map(|route| route.deposit_account_id).collect();
        let accounts: BTreeSet<ProviderAccountId> =
            ground.routes.values().flatten().map(|route| route.provider_account_id).collect();
        let (deposits, accounts): (Vec<_>, Vec<_>) = (deposits.into_iter().collect(), accounts.into_iter().collect());
        let pools: BTreeSet<(uuid::Uuid, DateTime<Utc>)> = ground
            .schemes()
            .flat_map(|scheme| scheme.pools())
            .map(|pool| (pool.id.0, window_start(now, pool.window_hours)))
            .collect();
        let pools: Vec<_> = pools.into_iter().collect();
        let reads_outcomes = ground.schemes().any(|scheme| scheme.reads_outcomes());
        let counted: Vec<_> = match reads_outcomes {
            true => ground.routes.values().flatten().map(|route| route.id).collect(),
            false => Vec::new(),
        };
        let since = now - TimeDelta::hours(OUTCOMES_HOURS);
        // The locks first: what is read after them stands still until the commit.
        let holds = ground.holds;
        let available = async || match holds {
            true => deposit_accounts::lock_deposits(conn, &deposits).await,
            false => deposit_accounts::look_at_deposits(conn, &deposits).await,
        };
        let (locked, gates, turnovers, (usage, floors), outcomes) = tokio::try_join!(
            biased;
            available(),
            route_statistics::read_gates(conn, &accounts),
            route_statistics::read_turnovers(conn, &accounts, now.date_naive()),
            route_statistics::read_usage(conn, &pools),
            route_statistics::read_outcomes(conn, &counted, since),
        )?;
        let available: HashMap<_, _> = locked.into_iter().map(|deposit| (deposit.id, deposit.available)).collect();
        let turnovers: HashMap<_, _> =
            turnovers.into_iter().map(|row| ((row.provider_account_id, row.currency), row.amount)).collect();
        let mut by_account = HashMap::new();
        for gate in gates {
            by_account.insert(gate.id, (breakers::breaker_of(&gate)?, gate.turnover_limits));
        }
        let exchange = &self.settings.deposit_exchange;
        for route in ground.routes.values_mut().flatten() {
            if route.converts() {
                let pair = Pair { from: route.currency, to: route.deposit_currency };
                route.deposit_rate = cost_of_one(&*self.prices, route.mode, &exchange.source, pair, now);
                route.exchange_spread_percent = exchange.spread();
                route.exchange_buffer_percent = exchange.buffer();
            }
            route.available = available.get(&route.deposit_account_id).copied().unwrap_or_default();
            let Some((breaker, limits)) = by_account.get(&route.provider_account_id) else { continue };
            route.breaker = breakers::gate_of(breaker.gate(&self.settings.breaker, now));
            let limit = limits.get(route.deposit_currency.as_str()).and_then(|limit| limit.as_str());
            if let Some(limit) = limit.and_then(|text| Decimal::from_str_exact(text).ok()) {
                let key = (route.provider_account_id, route.deposit_currency);
                let asked = turnovers.get(&key).copied().unwrap_or_default();
                route.turnover_left = Some(exact::sub(limit, asked)?.max(Decimal::ZERO));
            }
        }
        let statistics = &mut ground.statistics;
        statistics.usage = usage.into_iter().map(|row| ((PoolId(row.pool_id), row.route_id), row.debited)).collect();
        statistics.floors = floors.into_iter().map(|row| (PoolId(row.pool_id), row.floor)).collect();
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        statistics.outcomes = outcomes
            .into_iter()
            .map(|row| (row.route_id, Outcomes { succeeded: count(row.succeeded), failed: count(row.failed) }))
            .collect();
        Ok(())
    }
}
