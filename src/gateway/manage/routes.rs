//! Payout routes: a service over one of the caller's deposit accounts, with its limits and what it costs.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::form::Form;
use super::{Attributes, amount_json, code_taken, noted, version_conflict};
use crate::domain::asset::AssetKind;
use crate::domain::ids::{DepositAccountId, RouteId, Tenant};
use crate::domain::service::Service;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::route_book::Snapshot;
use crate::gateway::{Gateway, GatewayError};
use crate::store::deposit_accounts::{self, DepositAccount};
use crate::store::retry::transaction;
use crate::store::{Slice, provider_accounts, routes};

pub use crate::store::routes::{PayoutRoute, RouteFilter};

/// What a refusal calls it.
const WHAT: &str = "payout route";
/// Decimals of a percentage.
const PERCENT_SCALE: u8 = 6;
const WEIGHT_MAX: i64 = 1_000_000;
const POSITION_MAX: i64 = 1_000_000;
const KNOWN: &[&str] = &[
    "code",
    "name",
    "service",
    "deposit_account_id",
    "enabled",
    "amount_min",
    "amount_max",
    "cost_percent",
    "cost_fixed",
    "cost_min",
    "cost_max",
    "weight",
    "position",
];
/// What a route is; another one is another route.
const FIXED: &[&str] = &["code", "service", "deposit_account_id"];

impl Gateway {
    /// Makes a route over one of the caller's deposit accounts.
    pub async fn create_route(&self, caller: &Caller, given: &Attributes) -> Result<PayoutRoute, Refusal> {
        let now = self.clock.now();
        let id = RouteId::new();
        let snapshot = self.snapshot().await?;
        let mut form = Form::create(given, KNOWN, &["service", "deposit_account_id"]);
        let code = form.code("code").unwrap_or_else(|| id.to_string());
        let service = read_service(&mut form, &snapshot, caller.tenant);
        let deposit = self.read_deposit(&mut form, caller.tenant).await?;
        if let (Some(service), Some((deposit, provider))) = (service, &deposit) {
            self.check_fit(&mut form, service, deposit, provider);
        }
        let mut route = PayoutRoute {
            partner_id: caller.tenant.partner_id,
            mode: caller.tenant.mode,
            id,
            code,
            name: None,
            service: service.map(|service| service.code.to_string()).unwrap_or_default(),
            deposit_account_id: deposit.as_ref().map_or(DepositAccountId(uuid::Uuid::nil()), |(deposit, _)| deposit.id),
            enabled: true,
            amount_min: None,
            amount_max: None,
            cost_percent: Decimal::ZERO,
            cost_fixed: Decimal::ZERO,
            cost_min: None,
            cost_max: None,
            weight: 1,
            position: 0,
            version: 1,
            created_at: now,
            updated_at: None,
        };
        fill(&mut form, &mut route, self.scale_of(service));
        form.finish()?;
        transaction(&self.db, async |conn| {
            routes::insert(conn, &route).await?;
            noted(conn, caller, "payout_route.create", id, None, Some(told(&route)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, "payout_route_code_partner_id_mode_key"))?;
        self.routes.forget();
        Ok(route)
    }

    /// Changes what was given of a route. Schemes that name a disabled one pass it over.
    pub async fn change_route(&self, caller: &Caller, id: RouteId, given: &Attributes) -> Result<PayoutRoute, Refusal> {
        let before = self.find_route(caller, id).await?;
        let mut route = before.clone();
        let snapshot = self.snapshot().await?;
        let service = snapshot.service(route.mode, &route.service).map(|service| &**service);
        let mut form = Form::change(given, KNOWN, FIXED);
        form.check_version(before.version)?;
        fill(&mut form, &mut route, self.scale_of(service));
        form.finish()?;
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            if !routes::update(conn, &route, now).await? {
                return Err(version_conflict());
            }
            let (was, is) = (told(&before), told(&route));
            noted(conn, caller, "payout_route.change", id, Some(was), Some(is), now).await
        })
        .await?;
        self.routes.forget();
        self.find_route(caller, id).await
    }

    pub async fn find_route(&self, caller: &Caller, id: RouteId) -> Result<PayoutRoute, Refusal> {
        let conn = self.db.get().await?;
        routes::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })
    }

    pub async fn list_routes(
        &self,
        caller: &Caller,
        filter: &RouteFilter,
        slice: Slice,
    ) -> Result<Vec<PayoutRoute>, Refusal> {
        let conn = self.db.get().await?;
        Ok(routes::list(&conn, caller.tenant, filter, slice).await?)
    }

    /// The deposit account that was named, if it is the tenant's, with its provider.
    async fn read_deposit(
        &self,
        form: &mut Form<'_>,
        tenant: Tenant,
    ) -> Result<Option<(DepositAccount, String)>, Refusal> {
        let Some(id) = form.parsed("deposit_account_id", "the id of a deposit account (dac_...)") else {
            return Ok(None);
        };
        let conn = self.db.get().await?;
        let Some(deposit) = deposit_accounts::find(&conn, tenant, id).await? else {
            form.add("deposit_account_id", "UNKNOWN_ACCOUNT", "names no deposit account of yours");
            return Ok(None);
        };
        let account = provider_accounts::find(&conn, tenant, deposit.provider_account_id).await?;
        let account =
            account.ok_or_else(|| GatewayError::Corrupt(format!("deposit account {id} has no provider account")))?;
        Ok(Some((deposit, account.provider)))
    }

    /// Whether the provider pays the service out, and whether the deposit account's money can become its currency.
    fn check_fit(&self, form: &mut Form<'_>, service: &Service, deposit: &DepositAccount, provider: &str) {
        let Some(adapter) = self.providers.get(provider) else {
            form.add(
                "deposit_account_id",
                "UNKNOWN_PROVIDER",
                format!("stands at {provider}, which isn't compiled in"),
            );
            return;
        };
        let capabilities = adapter.capabilities();
        if !capabilities.currencies.contains(&service.currency) {
            form.add(
                "service",
                "UNSUPPORTED_CURRENCY",
                format!("pays out {}, which {provider} doesn't", service.currency),
            );
        }
        if service.takes_card() && capabilities.card_schemes.is_empty() {
            form.add("service", "UNSUPPORTED_METHOD", format!("pays to cards, which {provider} doesn't"));
        }
        let is_fiat = |code| self.assets.get(code).is_some_and(|asset| asset.kind == AssetKind::Fiat);
        if deposit.currency != service.currency && !(is_fiat(deposit.currency) && is_fiat(service.currency)) {
            let detail = format!("holds {}, which can't be converted to {}", deposit.currency, service.currency);
            form.add("deposit_account_id", "NO_CONVERSION", detail);
        }
    }

    /// Decimals of what the service pays out.
    fn scale_of(&self, service: Option<&Service>) -> u8 {
        service.and_then(|service| self.assets.get(service.currency)).map_or(2, |asset| asset.scale)
    }
}

fn read_service<'s>(form: &mut Form<'_>, snapshot: &'s Snapshot, tenant: Tenant) -> Option<&'s Service> {
    let code = form.text("service", 64)?;
    let service = snapshot.service(tenant.mode, &code).map(|service| &**service);
    if service.is_none() {
        form.add("service", "UNKNOWN_SERVICE", format!("is a payout service of {} mode", tenant.mode));
    }
    service
}

fn fill(form: &mut Form<'_>, route: &mut PayoutRoute, scale: u8) {
    if let Some(name) = form.text_or_null("name", 200) {
        route.name = name;
    }
    if let Some(enabled) = form.flag("enabled") {
        route.enabled = enabled;
    }
    if let Some(amount) = form.amount_or_null("amount_min", scale) {
        route.amount_min = amount;
    }
    if let Some(amount) = form.amount_or_null("amount_max", scale) {
        route.amount_max = amount;
    }
    if let Some(percent) = form.amount("cost_percent", PERCENT_SCALE) {
        if percent > Decimal::ONE_HUNDRED {
            form.add("cost_percent", "OUT_OF_RANGE", "is at most 100");
        }
        route.cost_percent = percent;
    }
    if let Some(cost) = form.amount("cost_fixed", scale) {
        route.cost_fixed = cost;
    }
    if let Some(cost) = form.amount_or_null("cost_min", scale) {
        route.cost_min = cost;
    }
    if let Some(cost) = form.amount_or_null("cost_max", scale) {
        route.cost_max = cost;
    }
    if let Some(weight) = form.integer("weight", 0..=WEIGHT_MAX).and_then(|n| n.try_into().ok()) {
        route.weight = weight;
    }
    if let Some(position) = form.integer("position", 0..=POSITION_MAX).and_then(|n| n.try_into().ok()) {
        route.position = position;
    }
    let is_upside_down =
        |least: Option<Decimal>, most: Option<Decimal>| matches!((least, most), (Some(l), Some(m)) if l > m);
    if is_upside_down(route.amount_min, route.amount_max) {
        form.add("amount_max", "OUT_OF_RANGE", "is at least amount_min");
    }
    if is_upside_down(route.cost_min, route.cost_max) {
        form.add("cost_max", "OUT_OF_RANGE", "is at least cost_min");
    }
}

/// What the audit trail keeps of a route.
fn told(route: &PayoutRoute) -> Value {
    json!({
        "code": route.code,
        "name": route.name,
        "service": route.service,
        "deposit_account_id": route.deposit_account_id.to_string(),
        "enabled": route.enabled,
        "amount_min": amount_json(route.amount_min),
        "amount_max": amount_json(route.amount_max),
        "cost_percent": route.cost_percent.to_string(),
        "cost_fixed": route.cost_fixed.to_string(),
        "cost_min": amount_json(route.cost_min),
        "cost_max": amount_json(route.cost_max),
        "weight": route.weight,
        "position": route.position,
    })
}
