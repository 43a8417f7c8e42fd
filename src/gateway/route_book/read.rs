//! Reads a snapshot: few statements, and nothing compiled or opened again that the snapshot before holds in the same version.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde_json::Value;

use super::{AccountState, EarlierContext, ExchangeState, PointState, SchemeState, ServiceState, Snapshot, TermsState};
use crate::config::gateway::HOUSE;
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::ids::{ExchangeSchemeId, PayoutSchemeId, Tenant};
use crate::domain::routing::{BreakerGate, Route, Scheme, SchemeRef};
use crate::domain::service::{Service, ServiceField};
use crate::domain::terms::TermsInForce;
use crate::gateway::GatewayError;
use crate::gateway::manage::credentials;
use crate::gateway::terms::stored_terms;
use crate::providers::provider::AccountContext;
use crate::providers::registry::ProviderRegistry;
use crate::store::partner_terms::{CurrentVersion, TermsVersion};
use crate::store::points::Point;
use crate::store::pool::Db;
use crate::store::provider_accounts::ProviderAccount;
use crate::store::routes::RouteRow;
use crate::store::schemes::{self, SchemeTable};
use crate::store::services::ServiceRow;
use crate::store::{partner_terms, partners, points, provider_accounts, routes, services};
use crate::vault::Vault;

pub(super) struct Reader<'a> {
    pub assets: &'a Assets,
    pub providers: &'a ProviderRegistry,
    /// From configuration, by account code: they serve the house's accounts that have none sealed.
    pub credentials: &'a BTreeMap<String, BTreeMap<String, SecretString>>,
    pub vault: Option<&'a Vault>,
    pub house_terms: Option<&'a Arc<TermsInForce>>,
    pub previous: &'a Snapshot,
}

impl Reader<'_> {
    pub async fn read(&self, db: &Db, now: DateTime<Utc>) -> Result<Snapshot, GatewayError> {
        let mut conn = db.get().await?;
        let mut snapshot = Snapshot { read_at: now, house_terms: self.house_terms.cloned(), ..Snapshot::default() };
        for partner in partners::all(&mut conn).await? {
            if partner.code == HOUSE {
                snapshot.house = partner.id;
            }
            snapshot.partners.insert(partner.code, partner.id);
        }
        // Sent one behind the other without waiting: one round trip for all.
        let (accounts, all_routes, all_points, all_services, schemes, exchanges, terms) = tokio::try_join!(
            biased;
            provider_accounts::all(&conn),
            routes::all(&conn),
            points::all(&conn),
            services::all(&conn),
            PayoutSchemeId::all(&conn),
            ExchangeSchemeId::all(&conn),
            partner_terms::current(&conn),
        )?;
        let moved = schemes.iter().filter(|scheme| self.kept_scheme(scheme).is_none()).map(|scheme| scheme.id);
        let moved_exchanges =
            exchanges.iter().filter(|scheme| self.kept_exchange(scheme).is_none()).map(|scheme| scheme.id);
        let moved_terms = terms.iter().filter(|terms| self.kept_terms(terms).is_none()).cloned().collect();
        let (bodies, exchange_bodies, terms_bodies) = tokio::try_join!(
            biased;
            PayoutSchemeId::current_bodies(&conn, moved.collect()),
            ExchangeSchemeId::current_bodies(&conn, moved_exchanges.collect()),
            partner_terms::of_versions(&conn, moved_terms),
        )?;
        // Opening credentials may ask the key provider: no connection is held meanwhile.
        drop(conn);

        for row in accounts {
            self.add_account(&mut snapshot, row).await;
        }
        for row in all_services {
            self.add_service(&mut snapshot, row);
        }
        for row in all_routes {
            self.add_route(&mut snapshot, row);
        }
        for row in all_points {
            let point = point_state(row);
            snapshot.points.entry(point.tenant).or_default().push(Arc::new(point));
        }
        for scheme in schemes {
            let kept = self.kept_scheme(&scheme).cloned();
            let body = bodies.iter().find(|body| body.id == scheme.id);
            let state = kept.or_else(|| {
                let body = body?;
                Some(Arc::new(SchemeState {
                    compiled: compiled(&snapshot, &scheme, body),
                    owner: scheme.tenant(),
                    id: scheme.id,
                    code: scheme.code.clone(),
                    version: body.version,
                    body: body.body.clone(),
                }))
            });
            snapshot.payout_schemes.extend(state.map(|state| (scheme.id, state)));
        }
        for scheme in exchanges {
            let kept = self.kept_exchange(&scheme).cloned();
            let body = exchange_bodies.iter().find(|body| body.id == scheme.id);
            let state = kept.or_else(|| {
                let body = body?;
                Some(Arc::new(ExchangeState {
                    owner: scheme.tenant(),
                    id: scheme.id,
                    code: scheme.code.clone(),
                    version: body.version,
                    body: body.body.clone(),
                }))
            });
            snapshot.exchange_schemes.extend(state.map(|state| (scheme.id, state)));
        }
        for current in terms {
            let tenant = Tenant { partner_id: current.partner_id, mode: current.mode };
            let stored = terms_bodies.iter().find(|stored| stored.tenant() == tenant);
            let state = match (self.kept_terms(&current), stored) {
                (Some(kept), _) => kept.clone(),
                (None, Some(stored)) => self.terms_state(&snapshot, stored),
                // Never taken for the house's; read again the next time.
                (None, None) => TermsState { version: 0, in_force: None },
            };
            snapshot.terms.insert(tenant, state);
        }
        Ok(snapshot)
    }

    /// What was made of that very version before, whether or not it could be read.
    fn kept_terms(&self, current: &CurrentVersion) -> Option<&TermsState> {
        let tenant = Tenant { partner_id: current.partner_id, mode: current.mode };
        self.previous.terms.get(&tenant).filter(|state| state.version == current.version)
    }

    fn terms_state(&self, snapshot: &Snapshot, stored: &TermsVersion) -> TermsState {
        // A partner that was made while this was read is known the next time.
        let unknown = TermsState { version: 0, in_force: None };
        let Some(partner) = snapshot.partner_code(stored.partner_id) else { return unknown };
        let Some(house) = self.house_terms else { return unknown };
        let in_force = match stored_terms(&house.book, partner, stored) {
            Ok(terms) => {
                let version = u32::try_from(stored.version).unwrap_or(0);
                Some(TermsInForce::of(&house.book, partner, version, &terms))
            }
            Err(problems) => {
                let (mode, version) = (stored.mode, stored.version);
                tracing::error!(partner, %mode, version, %problems, "a partner's terms can't be read: it is refused until it has others");
                None
            }
        };
        TermsState { version: stored.version, in_force }
    }

    fn kept_scheme(&self, scheme: &schemes::Scheme<PayoutSchemeId>) -> Option<&Arc<SchemeState>> {
        self.previous.payout_schemes.get(&scheme.id).filter(|state| state.version == scheme.version)
    }

    fn kept_exchange(&self, scheme: &schemes::Scheme<ExchangeSchemeId>) -> Option<&Arc<ExchangeState>> {
        self.previous.exchange_schemes.get(&scheme.id).filter(|state| state.version == scheme.version)
    }

    /// An account whose credentials can't be opened isn't there: nothing is sent over it.
    async fn add_account(&self, snapshot: &mut Snapshot, row: ProviderAccount) {
        let owner = row.tenant();
        let is_sealed = row.credentials_sealed.is_some();
        let known = self.previous.account_states.get(&row.id).filter(|s| s.is_sealed && s.version == row.version);
        let credentials = match (&row.credentials_sealed, known, self.vault) {
            (None, ..) if owner.partner_id == snapshot.house => {
                self.credentials.get(&row.code).cloned().unwrap_or_default()
            }
            (None, ..) => BTreeMap::new(),
            (Some(_), Some(known), _) => known.context.credentials.clone(),
            (Some(sealed), None, Some(vault)) => match credentials::open(vault, owner, row.id, sealed).await {
                Ok(credentials) => credentials,
                Err(error) => {
                    tracing::error!(account = %row.id, %error, "a provider account's credentials could not be opened");
                    return;
                }
            },
            (Some(_), None, None) => return,
        };
        let context = Arc::new(AccountContext {
            account_id: row.id,
            mode: row.mode,
            settings: text_map(&row.settings),
            credentials,
        });
        let earlier = match known {
            Some(known) => known.earlier.clone(),
            None => self.earlier(&row, &context).await,
        };
        snapshot.accounts.insert(row.id, (row.provider.clone(), Arc::clone(&context)));
        let state = AccountState {
            owner,
            id: row.id,
            code: row.code,
            provider: row.provider,
            enabled: row.enabled,
            health: row.health,
            breaker_state: row.breaker_state,
            breaker_since: row.breaker_since,
            breaker_until: row.breaker_until,
            breaker_openings: row.breaker_openings,
            breaker_probes: row.breaker_probes,
            turnover_limits: amounts(&row.turnover_limits),
            version: row.version,
            is_sealed,
            context,
            earlier,
        };
        snapshot.account_states.insert(row.id, Arc::new(state));
    }

    /// The account with each set of callback keys that was replaced. Keys that can't be opened verify nothing: only an inquiry follows.
    async fn earlier(&self, row: &ProviderAccount, context: &AccountContext) -> Vec<EarlierContext> {
        let (Some(sealed), Some(vault)) = (&row.callback_keys_sealed, self.vault) else { return Vec::new() };
        let opened = credentials::open_earlier(vault, row.tenant(), row.id, sealed).await.unwrap_or_else(|error| {
            tracing::error!(account = %row.id, %error, "callback keys that were replaced could not be opened");
            Vec::new()
        });
        let verifying = self.providers.get(&row.provider).map_or(&[][..], |p| p.callback_credentials());
        opened
            .into_iter()
            .map(|keys| {
                let mut context = context.clone();
                context.credentials.retain(|name, _| !verifying.contains(&name.as_str()));
                context.credentials.extend(keys.credentials);
                EarlierContext { until: keys.until, context: Arc::new(context) }
            })
            .collect()
    }

    fn add_service(&self, snapshot: &mut Snapshot, row: ServiceRow) {
        if row.partner_id != snapshot.house {
            return;
        }
        let known = self.previous.services.get(&row.mode).and_then(|services| services.get(&row.code));
        let state = match known.filter(|known| known.version == row.version) {
            Some(known) => Arc::clone(known),
            None => match service(&row) {
                Ok(service) => Arc::new(ServiceState { version: row.version, service: Arc::new(service) }),
                Err(error) => {
                    tracing::error!(service = row.code, error, "a payout service can't be read");
                    return;
                }
            },
        };
        snapshot.services.entry(row.mode).or_default().insert(row.code, state);
    }

    fn add_route(&self, snapshot: &mut Snapshot, row: RouteRow) {
        if row.is_synced {
            snapshot.synced.insert(row.deposit_account_id);
        }
        let Some(account) = snapshot.account_states.get(&row.provider_account_id) else { return };
        let Some(provider) = self.providers.get(&account.provider) else {
            tracing::warn!(provider = account.provider, route = row.code, "a route's provider isn't compiled in");
            return;
        };
        let Some(asset) = self.assets.get(row.deposit_currency) else {
            tracing::warn!(currency = %row.deposit_currency, route = row.code, "a route's currency isn't configured");
            return;
        };
        let service = snapshot.services.get(&row.mode).and_then(|services| services.get(&row.service));
        let currency = service.map_or(row.deposit_currency, |state| state.service.currency);
        let Some(service_asset) = self.assets.get(currency) else {
            tracing::warn!(%currency, route = row.code, "a route's currency isn't configured");
            return;
        };
        let provider_name = account.provider.clone();
        let enabled = row.enabled && row.deposit_enabled && account.enabled;
        let owner = row.tenant();
        snapshot.routes.entry(owner).or_default().push(Route {
            id: row.id,
            code: row.code,
            service: row.service,
            mode: owner.mode,
            currency,
            currency_scale: service_asset.scale,
            deposit_account_id: row.deposit_account_id,
            provider_account_id: row.provider_account_id,
            provider: provider_name,
            enabled,
            amount_min: row.amount_min,
            amount_max: row.amount_max,
            cost_percent: row.cost_percent,
            cost_fixed: row.cost_fixed,
            cost_min: row.cost_min,
            cost_max: row.cost_max,
            weight: u32::try_from(row.weight).unwrap_or(0),
            fast_funds: provider.has_fast_funds(&account.context),
            breaker: BreakerGate::Closed,
            deposit_currency: row.deposit_currency,
            deposit_scale: asset.scale,
            // Of another currency: there is one when it is asked for.
            deposit_rate: (currency == row.deposit_currency).then_some(Decimal::ONE),
            exchange_spread_percent: Decimal::ZERO,
            exchange_buffer_percent: Decimal::ZERO,
            turnover_left: None,
            available: row.available,
            card_schemes: provider.card_schemes(&account.context),
        });
    }
}

/// A scheme's body was checked when it was saved. A route that was disabled since doesn't make it unreadable.
fn compiled(
    snapshot: &Snapshot,
    scheme: &schemes::Scheme<PayoutSchemeId>,
    body: &schemes::CurrentBody<PayoutSchemeId>,
) -> Option<Arc<Scheme>> {
    let owner = scheme.tenant();
    let known = snapshot.known_to(owner).as_if_enabled();
    match Scheme::compile(&body.body, &known.of(SchemeRef { id: scheme.id, version: body.version })) {
        Ok(scheme) => Some(Arc::new(scheme)),
        Err(problems) => {
            tracing::error!(scheme = %scheme.id, ?problems, "a payout scheme can't be read: what it routes waits for a version that can");
            None
        }
    }
}

fn point_state(row: Point) -> PointState {
    let tenant: Tenant = row.tenant();
    let options = serde_json::from_value(row.options).unwrap_or_else(|error| {
        tracing::error!(point = %row.id, %error, "a payout point's options can't be read");
        Default::default()
    });
    PointState {
        tenant,
        id: row.id,
        code: row.code,
        currencies: row.currencies,
        enabled: row.enabled,
        funding: row.funding,
        payout_scheme_id: row.payout_scheme_id,
        exchange_scheme_id: row.exchange_scheme_id,
        callback_url: row.callback_url,
        options,
    }
}

/// The service that a row describes.
pub(in crate::gateway) fn service(row: &ServiceRow) -> Result<Service, String> {
    let mut fields: Vec<ServiceField> =
        serde_json::from_value(row.fields.clone()).map_err(|error| error.to_string())?;
    fields.sort_by_key(|field| field.position);
    Ok(Service {
        code: row.code.parse().map_err(|error: crate::domain::service::ServiceCodeError| error.to_string())?,
        currency: row.currency,
        enabled: row.enabled,
        amount_min: row.amount_min,
        amount_max: row.amount_max,
        fields,
    })
}

/// The texts of an object, by name.
pub(in crate::gateway) fn text_map(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| value.as_str().map(|text| (key.clone(), text.to_owned())))
        .collect()
}

/// Amounts by currency. They were checked when they were written.
fn amounts(value: &Value) -> BTreeMap<AssetCode, Decimal> {
    let amounts = value.as_object().into_iter().flatten();
    amounts
        .filter_map(|(currency, amount)| {
            Some((currency.parse().ok()?, Decimal::from_str_exact(amount.as_str()?).ok()?))
        })
        .collect()
}
