//! What a snapshot holds of points, provider accounts and schemes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::domain::asset::AssetCode;
use crate::domain::ids::{ExchangeSchemeId, PayoutPointId, PayoutSchemeId, ProviderAccountId, Tenant};
use crate::domain::payout_point::PointOptions;
use crate::domain::payout_request::Funding;
use crate::domain::routing::{Known, KnownRoute, Scheme, SchemeRef};
use crate::domain::terms::TermsInForce;
use crate::providers::provider::AccountContext;

/// A payout point.
#[derive(Clone, Debug, PartialEq)]
pub struct PointState {
    pub tenant: Tenant,
    pub id: PayoutPointId,
    pub code: String,
    pub currencies: Vec<AssetCode>,
    pub enabled: bool,
    pub funding: Funding,
    pub payout_scheme_id: Option<PayoutSchemeId>,
    pub exchange_scheme_id: Option<ExchangeSchemeId>,
    pub callback_url: Option<String>,
    pub options: PointOptions,
}

/// A provider account: who owns it, and whether payouts may go over it.
#[derive(Clone, Debug)]
pub struct AccountState {
    pub owner: Tenant,
    pub id: ProviderAccountId,
    pub code: String,
    pub provider: String,
    pub enabled: bool,
    /// `unknown`, `healthy`, `unhealthy`.
    pub health: String,
    /// `closed`, `open`, `half_open`.
    pub breaker_state: String,
    pub breaker_since: Option<DateTime<Utc>>,
    pub breaker_until: Option<DateTime<Utc>>,
    pub breaker_openings: i32,
    pub breaker_probes: i32,
    /// The most that may be paid out a day (UTC), by deposit currency.
    pub turnover_limits: BTreeMap<AssetCode, Decimal>,
    /// Of the row: changes with its settings and credentials.
    pub version: i32,
    /// Whether its credentials came from its row, and not from configuration.
    pub(super) is_sealed: bool,
    pub(super) context: Arc<AccountContext>,
    /// How its adapter verifies callbacks under keys that were replaced, latest first.
    pub(super) earlier: Vec<EarlierContext>,
}

/// A provider account as callbacks saw it before their key was replaced.
#[derive(Clone, Debug)]
pub struct EarlierContext {
    pub until: DateTime<Utc>,
    pub context: Arc<AccountContext>,
}

impl AccountState {
    /// The contexts under which callbacks are still taken beside the one in force.
    pub fn earlier_contexts(&self, now: DateTime<Utc>) -> impl Iterator<Item = &AccountContext> {
        self.earlier.iter().filter(move |earlier| now < earlier.until).map(|earlier| &*earlier.context)
    }
}

/// The version in force of a payout scheme.
#[derive(Clone, Debug)]
pub struct SchemeState {
    pub owner: Tenant,
    pub id: PayoutSchemeId,
    pub code: String,
    pub version: i32,
    pub body: Value,
    /// Ready to decide; `None`: it can't be read any more.
    pub compiled: Option<Arc<Scheme>>,
}

/// The version in force of an exchange-rate scheme.
#[derive(Clone, Debug)]
pub struct ExchangeState {
    pub owner: Tenant,
    pub id: ExchangeSchemeId,
    pub code: String,
    pub version: i32,
    pub body: Value,
}

/// The terms in force of a partner in a mode.
#[derive(Clone, Debug)]
pub struct TermsState {
    pub version: i32,
    /// `None`: they can't be read.
    pub in_force: Option<Arc<TermsInForce>>,
}

/// What the bodies of an owner's payout schemes may refer to.
#[derive(Clone, Debug)]
pub struct SchemeGround {
    /// Services with their currencies.
    pub services: HashMap<String, AssetCode>,
    pub routes: Vec<KnownRoute>,
}

impl SchemeGround {
    pub fn of(&self, scheme: SchemeRef) -> Known<'_> {
        Known { scheme, services: &self.services, routes: &self.routes }
    }

    /// For bodies that were checked when they were saved: a route that was disabled since doesn't make them unreadable.
    #[must_use]
    pub fn as_if_enabled(mut self) -> Self {
        for route in &mut self.routes {
            route.enabled = true;
        }
        self
    }
}
