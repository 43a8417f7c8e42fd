//! Managing the gateway's own entities, without HTTP: who may, what is refused and where, and what is written.

mod deposit_accounts;
mod points;
mod provider_accounts;
mod routes;
mod schemes;
mod services;

use std::collections::BTreeSet;

use diesel_async::RunQueryDsl;
use landfall::config::Settings;
use landfall::domain::ids::{ApiKeyId, Mode, Tenant};
use landfall::gateway::access::{Caller, Principal, Refusal, Scope};
use landfall::gateway::manage::{Attributes, Slice};
use serde_json::Value;

use crate::world::World;

/// A world with a second partner, `acme`.
pub async fn world() -> World {
    World::with(acme, Vec::new()).await
}

fn acme(settings: &mut Settings) {
    let mut partner = settings.gateway.partners[0].clone();
    partner.code = "acme".to_owned();
    settings.gateway.partners.push(partner);
}

/// A caller of the partner with that code; `house` is the house itself.
pub async fn caller(world: &World, code: &str) -> Caller {
    caller_in(world, code, Mode::Test).await
}

pub async fn caller_in(world: &World, code: &str, mode: Mode) -> Caller {
    let snapshot = world.app.gateway.snapshot().await.unwrap();
    Caller {
        tenant: Tenant { partner_id: snapshot.partner(code).unwrap(), mode },
        by: Principal::Key(ApiKeyId::new()),
        scopes: BTreeSet::from(Scope::ALL),
        is_house: code == "house",
        origin: None,
        gate: landfall::gateway::access::audit::Gate::Open,
    }
}

pub fn given(value: Value) -> Attributes {
    value.as_object().unwrap().clone()
}

/// The pointers and codes of a refusal, sorted.
pub fn problems<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> Vec<(String, String)> {
    match answer {
        Err(Refusal::Invalid(problems)) => {
            let mut told: Vec<_> = problems
                .into_iter()
                .map(|problem| {
                    let pointer = problem.pointer.strip_prefix("/data/attributes").unwrap().to_owned();
                    (pointer, problem.code.into_owned())
                })
                .collect();
            told.sort();
            told
        }
        other => panic!("not refused as invalid: {other:?}"),
    }
}

pub fn expect_problems<T: std::fmt::Debug>(answer: Result<T, Refusal>, expected: &[(&str, &str)]) {
    let told = problems(answer);
    let told: Vec<_> = told.iter().map(|(pointer, code)| (pointer.as_str(), code.as_str())).collect();
    assert_eq!(told, expected);
}

pub fn code_of<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> &'static str {
    match answer {
        Err(Refusal::Conflict { code, .. } | Refusal::Forbidden { code, .. }) => code,
        Err(Refusal::NotFound { .. }) => "NOT_FOUND",
        other => panic!("not refused so: {other:?}"),
    }
}

pub fn first(limit: i64) -> Slice {
    Slice { newest_first: true, after: Slice::start(true), limit }
}

/// A number that a statement answers.
#[derive(diesel::QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    n: i64,
}

pub async fn count(world: &World, sql: &str) -> i64 {
    let mut conn = world.app.db.get().await.unwrap();
    let row: Number = diesel::sql_query(sql).get_result(&mut conn).await.unwrap();
    row.n
}
