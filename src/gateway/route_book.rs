//! What routing and quotes read, in memory: routes, payout points, services, schemes, provider accounts and partners' terms, read again
//! when they are older than a second. What a deposit account really has left is decided under its lock when a payout is written down.

mod read;
mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Gateway, GatewayError};
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::ids::{
    DepositAccountId, ExchangeSchemeId, Mode, PartnerId, PayoutPointId, PayoutSchemeId, ProviderAccountId, RouteId,
    Tenant,
};
use crate::domain::offer::PriceBook;
use crate::domain::payout_request::Funding;
use crate::domain::routing::{Route, Scheme};
use crate::domain::service::Service;
use crate::domain::terms::TermsInForce;
use crate::providers::provider::AccountContext;
use crate::providers::registry::ProviderRegistry;
use crate::store::pool::Db;
use crate::store::requests::PayoutRequest;
use crate::vault::Vault;

pub(in crate::gateway) use read::text_map;
pub use state::{AccountState, EarlierContext, ExchangeState, PointState, SchemeGround, SchemeState, TermsState};

/// How old a snapshot may be, in seconds.
const AGE_SECS_MAX: i64 = 1;

/// The code of the house's scheme that routes what names none.
pub const DEFAULT_SCHEME: &str = "default";

/// How a request is routed.
#[derive(Clone, Debug)]
pub enum Routing {
    /// The routes in their given order.
    BuiltIn,
    Scheme(Arc<Scheme>),
    /// The scheme that it names isn't there or can't be read: nothing is sent on a guess.
    Broken,
}

/// What was read, whole.
#[derive(Debug)]
pub struct Snapshot {
    read_at: DateTime<Utc>,
    /// How often the book had been told to forget when this was read.
    generation: u64,
    /// By owner, in the given order.
    routes: HashMap<Tenant, Vec<Route>>,
    /// By tenant, in the order of their codes.
    points: HashMap<Tenant, Vec<Arc<PointState>>>,
    accounts: HashMap<ProviderAccountId, (String, Arc<AccountContext>)>,
    account_states: HashMap<ProviderAccountId, Arc<AccountState>>,
    services: HashMap<Mode, BTreeMap<String, Arc<ServiceState>>>,
    payout_schemes: HashMap<PayoutSchemeId, Arc<SchemeState>>,
    exchange_schemes: HashMap<ExchangeSchemeId, Arc<ExchangeState>>,
    /// Deposit accounts whose balance their provider reports.
    synced: BTreeSet<DepositAccountId>,
    house: PartnerId,
    partners: HashMap<String, PartnerId>,
    /// What the house's own configuration says; `None`: nothing was read yet.
    house_terms: Option<Arc<TermsInForce>>,
    /// Of partners that have terms of their own.
    terms: HashMap<Tenant, TermsState>,
}

/// A service as it was read, with its row's version.
#[derive(Debug)]
struct ServiceState {
    version: i32,
    service: Arc<Service>,
}

impl Default for Snapshot {
    /// Nothing read yet.
    fn default() -> Self {
        Self {
            read_at: DateTime::default(),
            generation: 0,
            routes: HashMap::new(),
            points: HashMap::new(),
            accounts: HashMap::new(),
            account_states: HashMap::new(),
            services: HashMap::new(),
            payout_schemes: HashMap::new(),
            exchange_schemes: HashMap::new(),
            synced: BTreeSet::new(),
            house: PartnerId(uuid::Uuid::nil()),
            partners: HashMap::new(),
            house_terms: None,
            terms: HashMap::new(),
        }
    }
}

impl Snapshot {
    /// When reading began.
    pub fn read_at(&self) -> DateTime<Utc> {
        self.read_at
    }

    /// The partner that the house's own accounts and routes stand under.
    pub fn house(&self) -> PartnerId {
        self.house
    }

    /// What partners without terms of their own go by.
    pub fn house_terms(&self) -> Option<&Arc<TermsInForce>> {
        self.house_terms.as_ref()
    }

    /// What a partner goes by in a mode. Who has terms that can't be read doesn't go by the house's instead.
    pub fn terms(&self, tenant: Tenant) -> Result<&Arc<TermsInForce>, GatewayError> {
        let in_force = match self.terms.get(&tenant) {
            Some(state) => state.in_force.as_ref(),
            None => self.house_terms.as_ref(),
        };
        in_force.ok_or(GatewayError::TermsUnavailable(tenant))
    }

    /// The house in a mode.
    pub fn house_in(&self, mode: Mode) -> Tenant {
        Tenant { partner_id: self.house, mode }
    }

    /// The partner of that code.
    pub fn partner(&self, code: &str) -> Option<PartnerId> {
        self.partners.get(code).copied()
    }

    /// That partner's code. They are few.
    pub fn partner_code(&self, id: PartnerId) -> Option<&str> {
        self.partners.iter().find(|(_, known)| **known == id).map(|(code, _)| code.as_str())
    }

    /// The house's routes, in the given order: they serve every partner of their mode.
    pub fn routes(&self, mode: Mode) -> &[Route] {
        self.routes_of(self.house_in(mode))
    }

    /// The routes that `owner` owns, in the given order.
    pub fn routes_of(&self, owner: Tenant) -> &[Route] {
        self.routes.get(&owner).map_or(&[], Vec::as_slice)
    }

    /// The routes that may carry what `tenant` pays for with `funding`: its own for its own deposits, else the house's.
    pub fn routes_for(&self, tenant: Tenant, funding: Funding) -> &[Route] {
        self.routes_of(self.owner_for(tenant, funding))
    }

    /// Whose routes and schemes serve what `tenant` pays for with `funding`.
    pub fn owner_for(&self, tenant: Tenant, funding: Funding) -> Tenant {
        match funding {
            Funding::OwnDeposit => tenant,
            Funding::WalletHold | Funding::PartnerBalance => self.house_in(tenant.mode),
        }
    }

    /// A route, whoever owns it.
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.values().flatten().find(|route| route.id == id)
    }

    /// The tenant's first payout point that pays out `currency` over the house's accounts.
    pub fn point(&self, tenant: Tenant, currency: AssetCode) -> Option<PayoutPointId> {
        let serves = |point: &&Arc<PointState>| {
            point.enabled && point.funding == Funding::PartnerBalance && point.currencies.contains(&currency)
        };
        self.points.get(&tenant)?.iter().find(serves).map(|point| point.id)
    }

    /// A payout point of the tenant.
    pub fn point_state(&self, tenant: Tenant, id: PayoutPointId) -> Option<&Arc<PointState>> {
        self.points.get(&tenant)?.iter().find(|point| point.id == id)
    }

    /// The provider's name and the context that its adapter is called with.
    pub fn account(&self, id: ProviderAccountId) -> Option<&(String, Arc<AccountContext>)> {
        self.accounts.get(&id)
    }

    /// What is known of a provider account beside how it is called.
    pub fn account_state(&self, id: ProviderAccountId) -> Option<&Arc<AccountState>> {
        self.account_states.get(&id)
    }

    /// The service of that code, enabled or not.
    pub fn service(&self, mode: Mode, code: &str) -> Option<&Arc<Service>> {
        self.services.get(&mode)?.get(code).map(|state| &state.service)
    }

    /// Every service of the mode, by its code.
    pub fn services(&self, mode: Mode) -> impl Iterator<Item = &Arc<Service>> {
        self.services.get(&mode).into_iter().flatten().map(|(_, state)| &state.service)
    }

    /// The version in force of a payout scheme.
    pub fn payout_scheme(&self, owner: Tenant, id: PayoutSchemeId) -> Option<&Arc<SchemeState>> {
        self.payout_schemes.get(&id).filter(|scheme| scheme.owner == owner)
    }

    /// The version in force of the owner's payout scheme of that code.
    pub fn payout_scheme_by_code(&self, owner: Tenant, code: &str) -> Option<&Arc<SchemeState>> {
        self.payout_schemes.values().find(|scheme| scheme.owner == owner && scheme.code == code)
    }

    /// How a request is routed: by its point's scheme, or by the house's scheme `default` where the house's routes carry it.
    pub fn routing_of(&self, request: &PayoutRequest) -> Routing {
        let owner = self.owner_for(request.tenant(), request.funding);
        let of_point = self.point_state(request.tenant(), request.point_id).and_then(|point| point.payout_scheme_id);
        let scheme = match of_point {
            Some(id) => match self.payout_scheme(owner, id) {
                Some(scheme) => Some(scheme),
                None => return Routing::Broken,
            },
            None if owner.partner_id == self.house => self.payout_scheme_by_code(owner, DEFAULT_SCHEME),
            None => None,
        };
        match scheme.map(|scheme| &scheme.compiled) {
            None => Routing::BuiltIn,
            Some(Some(compiled)) => Routing::Scheme(Arc::clone(compiled)),
            Some(None) => Routing::Broken,
        }
    }

    /// What the bodies of the owner's payout schemes may refer to.
    pub fn known_to(&self, owner: Tenant) -> SchemeGround {
        let services = self.services(owner.mode).map(|service| (service.code.to_string(), service.currency));
        SchemeGround { services: services.collect(), routes: self.routes_of(owner).iter().map(Into::into).collect() }
    }

    /// Deposit accounts whose balance their provider reports.
    pub fn synced(&self) -> &BTreeSet<DepositAccountId> {
        &self.synced
    }

    /// The version in force of an exchange-rate scheme.
    pub fn exchange_scheme(&self, owner: Tenant, id: ExchangeSchemeId) -> Option<&Arc<ExchangeState>> {
        self.exchange_schemes.get(&id).filter(|scheme| scheme.owner == owner)
    }
}

/// The snapshot in force.
#[derive(Debug, Default)]
pub struct RouteBook {
    current: RwLock<Arc<Snapshot>>,
    /// How often something was changed: the next reader reads again.
    generation: AtomicU64,
    /// Opens credentials that are sealed in rows; without it their accounts can't be called.
    vault: Option<Arc<Vault>>,
    house_terms: Option<Arc<TermsInForce>>,
}

impl RouteBook {
    /// `book` is what partners go by as far as their own terms leave it.
    pub fn new(vault: Arc<Vault>, book: PriceBook) -> Self {
        Self { vault: Some(vault), house_terms: Some(Arc::new(TermsInForce::house(book))), ..Self::default() }
    }

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
        let generation = self.generation.load(Ordering::Acquire);
        let current = self.latest();
        if current.generation == generation
            && now.signed_duration_since(current.read_at).abs() <= TimeDelta::seconds(AGE_SECS_MAX)
        {
            return Ok(current);
        }
        let reader = read::Reader {
            assets,
            providers,
            credentials,
            vault: self.vault.as_deref(),
            house_terms: self.house_terms.as_ref(),
            previous: &current,
        };
        let failed = match tokio::time::timeout(Duration::from_secs(5), reader.read(db, now)).await {
            Ok(Ok(snapshot)) => {
                let snapshot = Arc::new(Snapshot { generation, ..snapshot });
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&snapshot);
                return Ok(snapshot);
            }
            Ok(Err(error)) => Some(error),
            Err(_) => None,
        };
        match failed {
            Some(error) if current.read_at == DateTime::<Utc>::default() => return Err(error),
            Some(error) => tracing::warn!(%error, "routes could not be read again"),
            None => tracing::warn!("routes could not be read again in time"),
        }
        Ok(current)
    }

    /// Makes the next reader read again. Until then [`RouteBook::latest`] answers what was read before, rather than nothing.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}

impl Gateway {
    /// What routing reads, at most a second old.
    pub async fn snapshot(&self) -> Result<Arc<Snapshot>, GatewayError> {
        self.routes.snapshot(&self.db, &self.assets, &self.providers, &self.credentials, self.clock.now()).await
    }
}
