//! Managing the gateway's own entities: points, provider and deposit accounts, routes, services, schemes. Each use case reads what
//! was given, tells everything that is wrong with it at once, writes it with its row of the audit trail, and makes routing read anew.
//!
//! Whoever calls sees and changes rows of its own tenant only; the house's own key manages what serves every partner of its mode.
//! Nothing is deleted: what is no longer wanted is disabled, since payouts go on to name it.

pub mod credentials;
pub mod deposit_accounts;
pub mod form;
pub mod points;
pub mod provider_accounts;
pub mod routes;
pub mod scheme_check;
pub mod schemes;
pub mod services;

use std::fmt::Display;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::audit::{self, Action, Author};
use super::access::{Caller, Refusal};
use crate::store::error::DbError;

pub use crate::store::Slice;

/// The attributes of a request's document, as they came in.
pub type Attributes = serde_json::Map<String, Value>;

/// Turns a unique code that is taken into its refusal.
fn code_taken(refusal: Refusal, constraint: &str) -> Refusal {
    match refusal {
        Refusal::Failed(super::GatewayError::Db(DbError::Conflict(name))) if name == constraint => {
            Refusal::conflict("CODE_TAKEN", "another one has this code")
        }
        other => other,
    }
}

/// What the audit trail and answers show of an amount.
fn amount_json(amount: Option<Decimal>) -> Value {
    amount.map_or(Value::Null, |amount| json!(amount.to_string()))
}

/// The row had another version than the one that the change was made for.
fn version_conflict() -> Refusal {
    Refusal::conflict("VERSION_CONFLICT", "it was changed meanwhile: read it again")
}

/// Notes a change in the audit trail, in the change's own transaction. Call it last: it locks the partner's chain.
async fn noted(
    conn: &AsyncPgConnection,
    caller: &Caller,
    action: &'static str,
    object: impl Display,
    before: Option<Value>,
    after: Option<Value>,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let action = Action { action, object: object.to_string(), before, after, result: audit::DONE };
    Ok(audit::record(conn, &Author::from(caller), action, now).await?)
}

/// A version as the id of a list's row.
pub fn version_key(version: i32) -> Uuid {
    Uuid::from_u128(u128::try_from(version).unwrap_or(0))
}

/// The version that a list of versions begins behind.
fn version_of(slice: Slice) -> i32 {
    i32::try_from(slice.after.1.as_u128()).unwrap_or(i32::MAX)
}
