//! What configuration names is written down at start: partners, services, schemes, payout points, provider accounts, deposit accounts
//! and routes, by their codes. Doing it again changes what configuration changed and nothing else; what was changed through the API
//! since stays as it is.

use std::collections::BTreeMap;

use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::balance_syncs::balance_source;
use super::manage::schemes::{Scheme, SchemeKind, SchemeVersion};
use super::{Gateway, GatewayError};
use crate::config::gateway::{DepositAccountSeed, HOUSE, RouteSeed, SchemeSeed, ServiceSeed, decimal};
use crate::domain::ids::{DepositAccountId, ExchangeSchemeId, PartnerId, PayoutSchemeId, ProviderAccountId, Tenant};
use crate::domain::ledger::{self, EntryKind, FiatSide};
use crate::domain::service::ServiceCode;
use crate::providers::provider::AccountContext;
use crate::store::deposit_accounts::BalanceSource;
use crate::store::retry::transaction;
use crate::store::schemes::SchemeTable;
use crate::store::{
    account_health, balance_syncs, deposit_accounts, entries, partners, points, provider_accounts, reconciliations,
    routes, services,
};

/// Who versions of schemes that come from configuration are by.
const AUTHOR: &str = "configuration";

impl Gateway {
    /// Writes the configured entities down.
    pub async fn seed(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            partners::ensure(conn, HOUSE, "The house", now).await?;
            for partner in &self.settings.partners {
                partners::ensure(conn, &partner.code, &partner.name, now).await?;
            }
            let known = partners::all(conn).await?;
            let id_of = |code: &str| -> Result<PartnerId, GatewayError> {
                known
                    .iter()
                    .find(|partner| partner.code == code)
                    .map(|partner| partner.id)
                    .ok_or_else(|| GatewayError::Corrupt(format!("partner {code} isn't there")))
            };
            let house = id_of(HOUSE)?;
            for service in &self.settings.services {
                self.seed_services(conn, house, service).await?;
            }
            for account in &self.settings.provider_accounts {
                let owner = Tenant { partner_id: house, mode: account.mode };
                let settings = json!(account.settings);
                let provider = self.providers.get(&account.provider);
                let account_id = provider_accounts::ensure(
                    conn,
                    owner,
                    &account.code,
                    &account.provider,
                    account.enabled,
                    settings,
                    now,
                )
                .await?;
                let deposits = self.settings.deposit_accounts.iter();
                for deposit in deposits.filter(|deposit| deposit.provider_account == account.code) {
                    let context = AccountContext {
                        account_id,
                        mode: account.mode,
                        settings: account.settings.clone(),
                        credentials: BTreeMap::new(),
                    };
                    let source = provider.map_or(BalanceSource::Books, |provider| {
                        balance_source(provider.as_ref(), &context, deposit.currency)
                    });
                    let id = self.seed_deposit(conn, owner, account_id, source, deposit).await?;
                    let of_deposit = self.settings.routes.iter().filter(|r| r.deposit_account == deposit.code);
                    for route in of_deposit {
                        routes::ensure(conn, owner, id, route_row(route), now).await?;
                    }
                }
            }
            for scheme in &self.settings.payout_schemes {
                self.seed_scheme::<PayoutSchemeId>(conn, house, scheme).await?;
            }
            for scheme in &self.settings.exchange_rate_schemes {
                self.seed_scheme::<ExchangeSchemeId>(conn, house, scheme).await?;
            }
            for point in &self.settings.payout_points {
                let tenant = Tenant { partner_id: id_of(&point.partner)?, mode: point.mode };
                let owner = Tenant { partner_id: house, mode: point.mode };
                let payout_scheme_id = match &point.payout_scheme {
                    Some(code) => PayoutSchemeId::find_by_code(conn, owner, code).await?.map(|scheme| scheme.id),
                    None => None,
                };
                let exchange_scheme_id = match &point.exchange_rate_scheme {
                    Some(code) => ExchangeSchemeId::find_by_code(conn, owner, code).await?.map(|scheme| scheme.id),
                    None => None,
                };
                let seed = points::PointSeed {
                    code: point.code.clone(),
                    name: point.name.clone(),
                    currencies: point.currencies.clone(),
                    funding: point.funding,
                    payout_scheme_id,
                    exchange_scheme_id,
                };
                points::ensure(conn, tenant, seed, now).await?;
            }
            balance_syncs::ensure_jobs(conn, now).await?;
            account_health::ensure_jobs(conn, now).await?;
            reconciliations::ensure_jobs(conn, self.reporting_providers(), now).await?;
            Ok::<_, GatewayError>(())
        })
        .await?;
        self.routes.forget();
        // Never without one, though the next reader reads again: what is settled goes by which balances are synced.
        self.snapshot().await?;
        self.routes.forget();
        Ok(())
    }

    /// Writes a scheme down: as version 1, or as the next version where configuration changed and nobody has published another since.
    async fn seed_scheme<Id: SchemeKind>(
        &self,
        conn: &AsyncPgConnection,
        house: PartnerId,
        seed: &SchemeSeed,
    ) -> Result<(), GatewayError> {
        let now = self.clock.now();
        for &mode in &seed.modes {
            let owner = Tenant { partner_id: house, mode };
            let mut version = SchemeVersion {
                version: 1,
                body: body_of(seed),
                comment: None,
                created_by: AUTHOR.to_owned(),
                created_at: now,
            };
            let Some(known) = Id::find_by_code(conn, owner, &seed.code).await? else {
                let scheme = Scheme {
                    partner_id: house,
                    mode,
                    id: Id::draw(),
                    code: seed.code.clone(),
                    name: seed.name.clone(),
                    version: 1,
                    created_at: now,
                    updated_at: now,
                };
                Id::insert(conn, &scheme, &version).await?;
                continue;
            };
            let current = Id::find_version(conn, owner, known.id, known.version).await?;
            if current.is_some_and(|current| current.created_by == AUTHOR && current.body != version.body) {
                version.version = known.version.saturating_add(1);
                Id::publish(conn, owner, known.id, &version).await?;
            }
        }
        Ok(())
    }

    async fn seed_services(
        &self,
        conn: &AsyncPgConnection,
        house: PartnerId,
        seed: &ServiceSeed,
    ) -> Result<(), GatewayError> {
        for code in &seed.codes {
            // Configuration was checked: what can't be read was refused at start.
            let Ok(parsed) = code.parse::<ServiceCode>() else { continue };
            let Some(currency) = parsed.currency() else { continue };
            for mode in &seed.modes {
                let row = services::ServiceSeed {
                    code: code.clone(),
                    method: parsed.method().to_owned(),
                    currency,
                    enabled: seed.enabled,
                    amount_min: seed.amount_min.as_deref().and_then(decimal),
                    amount_max: seed.amount_max.as_deref().and_then(decimal),
                    fields: json!(seed.fields),
                };
                services::ensure(conn, Tenant { partner_id: house, mode: *mode }, row, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    async fn seed_deposit(
        &self,
        conn: &AsyncPgConnection,
        owner: Tenant,
        account_id: ProviderAccountId,
        source: BalanceSource,
        deposit: &DepositAccountSeed,
    ) -> Result<DepositAccountId, GatewayError> {
        let now = self.clock.now();
        let (id, _) =
            deposit_accounts::ensure(conn, owner, &deposit.code, account_id, deposit.currency, source, now).await?;
        let amount = deposit.initial_balance.as_deref().and_then(decimal).unwrap_or(Decimal::ZERO);
        let reference = format!("initial-{}", id.0.simple());
        let is_due = !amount.is_zero() && !entries::is_booked(conn, owner, EntryKind::TopUp, &reference).await?;
        if is_due {
            let fiat = FiatSide { deposit_account: id, asset: deposit.currency, amount };
            entries::book(conn, &[ledger::top_up(owner, fiat, &reference)?], now).await?;
            deposit_accounts::top_up(conn, id, amount).await?;
        }
        Ok(id)
    }
}

/// What a version of a scheme says, from its seed.
fn body_of(seed: &SchemeSeed) -> Value {
    // Configuration was checked: what is no JSON was refused at start.
    serde_json::from_str(&seed.body).unwrap_or_default()
}

fn route_row(route: &RouteSeed) -> routes::RouteSeed {
    // Configuration was checked: what isn't a number was refused at start.
    let number = |text: &str| decimal(text).unwrap_or(Decimal::ZERO);
    routes::RouteSeed {
        code: route.code.clone(),
        service: route.service.clone(),
        enabled: route.enabled,
        amount_min: route.amount_min.as_deref().map(number),
        amount_max: route.amount_max.as_deref().map(number),
        cost_percent: number(&route.cost_percent),
        cost_fixed: number(&route.cost_fixed),
        cost_min: route.cost_min.as_deref().map(number),
        cost_max: route.cost_max.as_deref().map(number),
        weight: i32::try_from(route.weight).unwrap_or(1),
        position: route.position,
    }
}
