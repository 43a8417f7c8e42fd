//! Who calls the gateway's own API, what they may do, and how a refusal is told. It knows nothing of HTTP.

pub mod anchors;
pub mod audit;
pub mod keys;
pub mod signing;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::GatewayError;
use crate::domain::ids::{ApiKeyId, IdError, Tenant};

/// What an API key may do. A key without the scope is refused before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    PayoutsRead,
    PayoutsWrite,
    RoutingRead,
    RoutingWrite,
    CustomersRead,
    CustomersWrite,
    /// Balances and statements of the partner, and its customers' wallets.
    FundsRead,
    /// Credits. In live mode only the house's keys may have it.
    FundsWrite,
    KeysRead,
    KeysWrite,
    EventsRead,
    WebhooksRead,
    WebhooksWrite,
}

impl Scope {
    pub const ALL: [Scope; 13] = [
        Scope::PayoutsRead,
        Scope::PayoutsWrite,
        Scope::RoutingRead,
        Scope::RoutingWrite,
        Scope::CustomersRead,
        Scope::CustomersWrite,
        Scope::FundsRead,
        Scope::FundsWrite,
        Scope::KeysRead,
        Scope::KeysWrite,
        Scope::EventsRead,
        Scope::WebhooksRead,
        Scope::WebhooksWrite,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::PayoutsRead => "payouts:read",
            Scope::PayoutsWrite => "payouts:write",
            Scope::RoutingRead => "routing:read",
            Scope::RoutingWrite => "routing:write",
            Scope::CustomersRead => "customers:read",
            Scope::CustomersWrite => "customers:write",
            Scope::FundsRead => "funds:read",
            Scope::FundsWrite => "funds:write",
            Scope::KeysRead => "keys:read",
            Scope::KeysWrite => "keys:write",
            Scope::EventsRead => "events:read",
            Scope::WebhooksRead => "webhooks:read",
            Scope::WebhooksWrite => "webhooks:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(IdError { kind: "scope" })
    }
}

/// Under which name somebody calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    Key(ApiKeyId),
    /// Somebody of the staff, as events and the audit trail name them. Their role was looked at before.
    Staff(String),
}

/// Who calls, once their key or their session was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Everything that the call reads or writes belongs to it.
    pub tenant: Tenant,
    pub by: Principal,
    pub scopes: BTreeSet<Scope>,
    /// The house's own key: it manages what serves every partner of its mode.
    pub is_house: bool,
    /// The address that the call came from, for the audit trail.
    pub origin: Option<String>,
    /// Whether what it changes is made, asked for, or approved.
    pub gate: audit::Gate,
}

impl Caller {
    /// How events and the audit trail name the caller.
    pub fn actor(&self) -> String {
        match &self.by {
            Principal::Key(id) => id.to_string(),
            Principal::Staff(name) => name.clone(),
        }
    }

    /// `None`: it isn't a key that calls.
    pub const fn key_id(&self) -> Option<ApiKeyId> {
        match &self.by {
            Principal::Key(id) => Some(*id),
            Principal::Staff(_) => None,
        }
    }
}

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// JSON pointer (RFC 6901) into the request's document; empty: the document itself.
    pub pointer: String,
    /// Stable, upper case.
    pub code: Cow<'static, str>,
    /// For a person, in English.
    pub detail: String,
}

impl Problem {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: Cow::Borrowed(code), detail: detail.into() }
    }
}

/// Why a call was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// What was sent is wrong: every problem that was found.
    #[error("invalid: {0:?}")]
    Invalid(Vec<Problem>),
    /// Not there, or not the caller's.
    #[error("there is no such {what}")]
    NotFound { what: &'static str },
    /// It contradicts the state as it is.
    #[error("{code}: {detail}")]
    Conflict { code: &'static str, detail: String },
    /// The caller may not.
    #[error("{code}: {detail}")]
    Forbidden { code: &'static str, detail: String },
    /// A failure of ours.
    #[error(transparent)]
    Failed(#[from] GatewayError),
}

impl Refusal {
    /// One problem alone.
    pub fn invalid(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Refusal::Invalid(vec![Problem::new(pointer, code, detail)])
    }

    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Refusal::Conflict { code, detail: detail.into() }
    }
}

impl From<crate::store::error::DbError> for Refusal {
    fn from(error: crate::store::error::DbError) -> Self {
        Refusal::Failed(error.into())
    }
}

impl From<diesel::result::Error> for Refusal {
    fn from(error: diesel::result::Error) -> Self {
        Refusal::Failed(error.into())
    }
}

impl crate::store::retry::TransactionError for Refusal {
    fn db_error(&self) -> Option<&crate::store::error::DbError> {
        match self {
            Refusal::Failed(error) => error.db_error(),
            Refusal::Invalid(_) | Refusal::NotFound { .. } | Refusal::Conflict { .. } | Refusal::Forbidden { .. } => {
                None
            }
        }
    }
}
