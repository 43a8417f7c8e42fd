//! Routes, payout points and provider accounts in memory, read again when they are older than a second. Quotes and routing read
//! here; what a deposit account really has left is decided under its lock when a payout is written down.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::Value;

use super::GatewayError;
use crate::config::gateway::HOUSE;
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, PayoutPointId, ProviderAccountId, Tenant};
use crate::domain::payout_request::Funding;
use crate::domain::routing::{BreakerGate, Route, Scheme};
use crate::providers::provider::AccountContext;
use crate::providers::registry::ProviderRegistry;
use crate::store::pool::Db;
use crate::store::requests::PayoutRequest;
use crate::store::{partners, routes};

/// How old a snapshot may be, in seconds.
const AGE_SECS_MAX: i64 = 1;

/// What was read, whole.
#[derive(Debug)]
pub struct Snapshot {
    read_at: DateTime<Utc>,
    /// By whose they are, in the configured order. The house's routes serve every partner of their mode.
    routes: HashMap<Tenant, Vec<Route>>,
    /// The scheme of each point that names one, and of the rest of the mode.
    schemes: HashMap<PayoutPointId, Arc<Scheme>>,
    defaults: HashMap<Mode, Arc<Scheme>>,
    /// Deposit accounts whose balance their provider reports.
    synced: BTreeSet<DepositAccountId>,
    points: HashMap<Tenant, Vec<(PayoutPointId, Vec<AssetCode>)>>,
    accounts: HashMap<ProviderAccountId, (String, Arc<AccountContext>)>,
    house: PartnerId,
    partners: HashMap<String, PartnerId>,
}

impl Default for Snapshot {
    /// Nothing read yet.
    fn default() -> Self {
        Self {
            read_at: DateTime::default(),
            routes: HashMap::new(),
            schemes: HashMap::new(),
            defaults: HashMap::new(),
            synced: BTreeSet::new(),
            points: HashMap::new(),
            accounts: HashMap::new(),
            house: PartnerId(uuid::Uuid::nil()),
            partners: HashMap::new(),
        }
    }
}

impl Snapshot {
    /// The partner that the house's own accounts and routes stand under.
    pub fn house(&self) -> PartnerId {
        self.house
    }

    /// The partner of that code.
    pub fn partner(&self, code: &str) -> Option<PartnerId> {
        self.partners.get(code).copied()
    }

    /// The house's routes, which serve every partner of the mode.
    pub fn routes(&self, mode: Mode) -> &[Route] {
        self.routes_of(Tenant { partner_id: self.house, mode })
    }

    pub fn routes_of(&self, owner: Tenant) -> &[Route] {
        self.routes.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// Whose routes may carry the request: the partner's own where its own deposit accounts pay, the house's otherwise.
    pub fn route_owner(&self, request: &PayoutRequest) -> Tenant {
        match request.funding {
            Funding::OwnDeposit => request.tenant(),
            Funding::WalletHold | Funding::PartnerBalance => Tenant { partner_id: self.house, mode: request.mode },
        }
    }

    /// The scheme that routes the request; `None`: the built-in one.
    pub fn scheme_of(&self, request: &PayoutRequest) -> Option<Arc<Scheme>> {
        let of_point = self.schemes.get(&request.point_id);
        let default = || match request.funding {
            Funding::OwnDeposit => None,
            Funding::WalletHold | Funding::PartnerBalance => self.defaults.get(&request.mode),
        };
        of_point.or_else(default).cloned()
    }

    /// Deposit accounts whose balance their provider reports.
    pub fn synced(&self) -> &BTreeSet<DepositAccountId> {
        &self.synced
    }

    /// The tenant's first payout point that pays out `currency`.
    pub fn point(&self, tenant: Tenant, currency: AssetCode) -> Option<PayoutPointId> {
        self.points.get(&tenant)?.iter().find(|(_, currencies)| currencies.contains(&currency)).map(|(id, _)| *id)
    }

    /// The provider's name and the context that its adapter is called with.
    pub fn account(&self, id: ProviderAccountId) -> Option<&(String, Arc<AccountContext>)> {
        self.accounts.get(&id)
    }
}

/// The snapshot in force.
#[derive(Debug, Default)]
pub struct RouteBook {
    current: RwLock<Arc<Snapshot>>,
}

impl RouteBook {
    /// What was read last, however old: for what only informs.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The snapshot, read again if it is too old. If it can't be read, the old one goes on: it only ever advises.
    pub async fn snapshot(
        &self,
        db: &Db,
        assets: &Assets,
        providers: &ProviderRegistry,
        credentials: &BTreeMap<String, BTreeMap<String, SecretString>>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Snapshot>, GatewayError> {
        let current = self.latest();
        if now.signed_duration_since(current.read_at).abs() <= TimeDelta::seconds(AGE_SECS_MAX) {
            return Ok(current);
        }
        let read = tokio::time::timeout(Duration::from_secs(5), read(db, assets, providers, credentials, now)).await;
        match read {
            Ok(Ok(snapshot)) => {
                let snapshot = Arc::new(snapshot);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&snapshot);
                Ok(snapshot)
            }
            Ok(Err(error)) if current.read_at == DateTime::<Utc>::default() => Err(error),
            Ok(Err(error)) => {
                tracing::warn!(%error, "routes could not be read again");
                Ok(current)
            }
            Err(_) => Ok(current),
        }
    }

    /// Makes the next reader read again.
    pub fn forget(&self) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }
}

async fn read(
    db: &Db,
    assets: &Assets,
    providers: &ProviderRegistry,
    credentials: &BTreeMap<String, BTreeMap<String, SecretString>>,
    now: DateTime<Utc>,
) -> Result<Snapshot, GatewayError> {
    let mut conn = db.get().await?;
    let mut snapshot = Snapshot { read_at: now, ..Snapshot::default() };
    for partner in partners::all(&mut conn).await? {
        if partner.code == HOUSE {
            snapshot.house = partner.id;
        }
        snapshot.partners.insert(partner.code, partner.id);
    }
    for row in routes::all(&conn).await? {
        let Some(provider) = providers.get(&row.provider) else {
            tracing::warn!(provider = row.provider, route = row.code, "a route's provider isn't compiled in");
            continue;
        };
        let settings = text_map(&row.settings);
        let account_credentials = credentials.get(&row.account_code).cloned().unwrap_or_default();
        snapshot.accounts.entry(row.provider_account_id).or_insert_with(|| {
            let context = AccountContext {
                account_id: row.provider_account_id,
                mode: row.mode,
                settings,
                credentials: account_credentials,
            };
            (row.provider.clone(), Arc::new(context))
        });
        let Some(asset) = assets.get(row.currency) else {
            tracing::warn!(currency = %row.currency, route = row.code, "a route's currency isn't configured");
            continue;
        };
        snapshot.routes.entry(Tenant { partner_id: row.partner_id, mode: row.mode }).or_default().push(Route {
            id: row.id,
            code: row.code,
            service: row.service,
            mode: row.mode,
            currency: row.currency,
            currency_scale: asset.scale,
            deposit_account_id: row.deposit_account_id,
            provider_account_id: row.provider_account_id,
            provider: row.provider,
            enabled: row.enabled && row.account_enabled,
            amount_min: row.amount_min,
            amount_max: row.amount_max,
            cost_percent: row.cost_percent,
            cost_fixed: row.cost_fixed,
            cost_min: None,
            cost_max: None,
            weight: 1,
            fast_funds: provider.capabilities().fast_funds,
            card_schemes: provider.capabilities().card_schemes.clone(),
            breaker: BreakerGate::Closed,
            deposit_currency: row.currency,
            deposit_scale: asset.scale,
            deposit_rate: Some(Decimal::ONE),
            exchange_spread_percent: Decimal::ZERO,
            exchange_buffer_percent: Decimal::ZERO,
            available: row.available,
            turnover_left: None,
        });
    }
    snapshot.synced = routes::synced(&conn).await?.into_iter().collect();
    for point in routes::points(&conn).await? {
        let tenant = Tenant { partner_id: point.partner_id, mode: point.mode };
        snapshot.points.entry(tenant).or_default().push((point.id, point.currencies));
    }
    Ok(snapshot)
}

fn text_map(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| value.as_str().map(|text| (key.clone(), text.to_owned())))
        .collect()
}
