//! The audit trail: who changed what, when, from where, before and after. A partner's rows are chained by SHA-256, so that a row
//! edited, deleted or put elsewhere is found (`landfall verify`). Written in the transaction of the change itself: neither is
//! there without the other. Secrets never come here.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Caller;
use crate::domain::ids::{AuditId, Tenant};
use crate::gateway::journal::write_canonical;
use crate::store::audit::{self, AuditRow};
use crate::store::error::DbError;

/// What a chain's first hash takes as its predecessor.
pub const CHAIN_START: [u8; 32] = [0; 32];

/// How an action that was done is noted.
pub const DONE: &str = "ok";

/// Who does something, for whom, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub tenant: Tenant,
    pub actor: String,
    pub origin: Option<String>,
}

impl Author {
    pub fn new(tenant: Tenant, actor: String, origin: Option<String>) -> Self {
        Self { tenant, actor, origin }
    }

    /// An operator with the binary and its configuration.
    pub fn command(tenant: Tenant) -> Self {
        Self { tenant, actor: "command".to_owned(), origin: None }
    }
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        Self { tenant: caller.tenant, actor: caller.actor(), origin: caller.origin.clone() }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Object and verb: `api_key.revoke`. At most 100 characters.
    pub action: &'static str,
    /// The object's id, as it is on the wire.
    pub object: String,
    /// What the object was; `None` for what is new. Decimals as strings: PostgreSQL may write a number in another way.
    pub before: Option<Value>,
    /// What it is now.
    pub after: Option<Value>,
    /// [`DONE`], or how else it ended.
    pub result: &'static str,
}

/// Appends a row to the partner's chain. The chain's head stays locked until the transaction ends: call it last.
pub async fn record(
    conn: &AsyncPgConnection,
    author: &Author,
    action: Action,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let tenant = author.tenant;
    let head = audit::lock_head(conn, tenant.partner_id, &CHAIN_START).await?;
    let mut row = AuditRow {
        partner_id: tenant.partner_id,
        seq: head.seq.saturating_add(1),
        mode: tenant.mode,
        id: AuditId::new(),
        actor: author.actor.clone(),
        origin: author.origin.clone(),
        action: action.action.to_owned(),
        object: action.object,
        before: action.before,
        after: action.after,
        result: action.result.to_owned(),
        hash: Vec::new(),
        at: now,
    };
    row.hash = hash(&head.hash, &row).to_vec();
    audit::append(conn, row).await?;
    Ok(())
}

/// The hash that `row` must have after a row with the hash `previous`.
pub fn hash(previous: &[u8], row: &AuditRow) -> [u8; 32] {
    let mut text = String::with_capacity(512);
    let whole = json!([
        row.partner_id.0,
        row.seq,
        row.mode.as_str(),
        row.id.0,
        row.actor,
        row.origin,
        row.action,
        row.object,
        row.before,
        row.after,
        row.result,
        row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
    ]);
    write_canonical(&whole, &mut text);
    Sha256::new().chain_update(previous).chain_update(text.as_bytes()).finalize().into()
}
