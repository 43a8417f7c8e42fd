//! A world whose `test_usd` goes over lanes of a scripted provider: each a route to a deposit account at a provider account of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use landfall::config::Settings;
use landfall::config::gateway::{DepositAccountSeed, ProviderAccountSeed, SchemeSeed};
use landfall::domain::ids::{Mode, PayoutRequestId};
use landfall::providers::provider::Provider;
use landfall::store::events::Event;
use landfall::store::payouts::{self, Payout};
use rust_decimal::{Decimal, dec};
use serde_json::Value;

use crate::partner::Partner;
pub use crate::support::scripted::{Says, Scripted};
use crate::world::World;

/// A route with accounts of its own. `code` names all of them.
#[derive(Clone)]
pub struct Lane {
    pub code: &'static str,
    pub balance: Decimal,
    pub currency: &'static str,
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
    pub weight: u32,
    pub cost_percent: Decimal,
}

/// A lane that carries whatever its balance allows, at no cost.
pub fn lane(code: &'static str, balance: Decimal) -> Lane {
    Lane { code, balance, currency: "USD", min: None, max: None, weight: 1, cost_percent: Decimal::ZERO }
}

/// A world in which `test_usd` goes over these lanes, by the scheme `default` with this body.
pub async fn routed(lanes: &[Lane], body: Value) -> (World, Arc<Scripted>, Partner) {
    routed_with(lanes, body, |_| {}).await
}

pub async fn routed_with(
    lanes: &[Lane],
    body: Value,
    change: impl FnOnce(&mut Settings),
) -> (World, Arc<Scripted>, Partner) {
    let scripted = Scripted::new();
    let (world, partner) = routed_over(&scripted, lanes, body, change).await;
    (world, scripted, partner)
}

/// Over lanes of this provider.
pub async fn routed_over(
    scripted: &Arc<Scripted>,
    lanes: &[Lane],
    body: Value,
    change: impl FnOnce(&mut Settings),
) -> (World, Partner) {
    let world = World::with(
        |settings| {
            let gateway = &mut settings.gateway;
            let model = gateway.routes.iter().find(|route| route.service == "test_usd").unwrap().clone();
            gateway.routes.retain(|route| route.service != "test_usd");
            for (lane, position) in lanes.iter().zip(1..) {
                gateway.provider_accounts.push(ProviderAccountSeed {
                    code: lane.code.to_owned(),
                    provider: "scripted".to_owned(),
                    mode: Mode::Test,
                    enabled: true,
                    settings: BTreeMap::from([("lane".to_owned(), lane.code.to_owned())]),
                    credentials_env: BTreeMap::new(),
                });
                gateway.deposit_accounts.push(DepositAccountSeed {
                    code: lane.code.to_owned(),
                    provider_account: lane.code.to_owned(),
                    currency: lane.currency.parse().unwrap(),
                    initial_balance: Some(lane.balance.to_string()),
                });
                let mut route = model.clone();
                route.code = lane.code.to_owned();
                route.deposit_account = lane.code.to_owned();
                route.amount_min = lane.min.map(|amount| amount.to_string());
                route.amount_max = lane.max.map(|amount| amount.to_string());
                route.cost_percent = lane.cost_percent.to_string();
                route.cost_fixed = "0".to_owned();
                route.weight = lane.weight;
                route.position = position;
                gateway.routes.push(route);
            }
            gateway.payout_schemes.push(SchemeSeed {
                code: "default".to_owned(),
                modes: vec![Mode::Test],
                name: "Of the test".to_owned(),
                body: body.to_string(),
            });
            change(settings);
        },
        vec![Arc::clone(scripted) as Arc<dyn Provider>],
    )
    .await;
    let partner = Partner::with(&world, dec!(100000)).await;
    (world, partner)
}

/// The scheme with one strategy over lanes.
pub fn by(strategy: &str, lanes: &[Lane]) -> Value {
    let routes: Vec<_> = lanes.iter().map(|lane| lane.code).collect();
    serde_json::json!({"services": {"test_usd": {"strategies": [{"strategy": strategy, "routes": routes}]}}})
}

pub async fn payouts_of(world: &World, partner: &Partner, id: PayoutRequestId) -> Vec<Payout> {
    let conn = world.app.db.get().await.unwrap();
    payouts::of_requests(&conn, &[(partner.tenant(), id)]).await.unwrap()
}

pub async fn events_of(world: &World, partner: &Partner, id: PayoutRequestId) -> Vec<Event> {
    world.app.gateway.events_of_request(&partner.caller, id).await.unwrap()
}

/// The lanes that payouts went over, in order.
pub async fn lanes_of(world: &World, payouts: &[Payout]) -> Vec<String> {
    let snapshot = world.app.gateway.snapshot().await.unwrap();
    let code = |payout: &Payout| {
        let routes = snapshot.routes(Mode::Test);
        routes.iter().find(|route| route.id == payout.route_id).unwrap().code.clone()
    };
    payouts.iter().map(code).collect()
}

/// What is reserved on a lane's deposit account.
pub async fn reserved(world: &World, lane: &str) -> i64 {
    let sql = format!("SELECT (reserved * 100)::bigint AS count FROM deposit_account WHERE code = '{lane}'");
    world.test_db.count(&sql).await
}
