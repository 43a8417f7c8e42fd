//! The audit trail: who changed what, when, from where, before and after. A partner's rows are chained by SHA-256, so that a row
//! edited, deleted or put elsewhere is found (`landfall verify`). Written in the transaction of the change itself: neither is
//! there without the other. Secrets never come here.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, SecondsFormat, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Caller;
use crate::domain::ids::{ApprovalId, AuditId, Tenant};
use crate::gateway::journal::write_canonical;
use crate::store::approvals::{self, Verdict};
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
    pub gate: Gate,
}

/// Whether a change is made, only asked for, or made because a second person approved it. Every audited change passes here, in its own
/// transaction and last: what isn't let through is rolled back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    #[default]
    Open,
    /// The change is carried out as far as its row of the audit trail, which is kept here, and undone: so that what is asked for is
    /// known to be possible, and what it would change is known.
    Ask(Arc<OnceLock<Action>>),
    Approved(Arc<Approved>),
}

/// A second person's word, which is good for one change, once.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved {
    pub id: ApprovalId,
    /// Who approved, and from where.
    pub by: String,
    pub origin: Option<String>,
    pub reason: String,
    /// What was asked: the change must still be that very one.
    pub asked: Asked,
    /// Set once the change is about to be committed.
    pub done: OnceLock<()>,
}

/// What was asked for, as the audit trail would have it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Asked {
    pub action: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// What stands in an approval for the id of something that is yet to be made.
pub const NEW: &str = "new";

impl From<&Action> for Asked {
    fn from(action: &Action) -> Self {
        let object = if action.before.is_some() { action.object.clone() } else { NEW.to_owned() };
        let (before, after) = (action.before.clone(), action.after.clone());
        Self { action: action.action.to_owned(), object, before, after }
    }
}

impl Asked {
    /// Whether a change is the one that was asked for, and begins where that one would have begun.
    fn is(&self, action: &Action) -> bool {
        let now = Asked::from(action);
        self.action == now.action && self.object == now.object && self.before == now.before
    }
}

impl Author {
    pub fn new(tenant: Tenant, actor: String, origin: Option<String>) -> Self {
        Self { tenant, actor, origin, gate: Gate::Open }
    }

    /// An operator with the binary and its configuration.
    pub fn command(tenant: Tenant) -> Self {
        Self::new(tenant, "command".to_owned(), None)
    }
}

impl From<&Caller> for Author {
    fn from(caller: &Caller) -> Self {
        let (tenant, origin, gate) = (caller.tenant, caller.origin.clone(), caller.gate.clone());
        Self { tenant, actor: caller.actor(), origin, gate }
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

/// Appends a row to the partner's chain, if the author's [`Gate`] lets the change through. The chain's head stays locked until the
/// transaction ends: call it last.
///
/// # Errors
/// [`DbError::Held`] where the gate doesn't; the transaction must roll back.
pub async fn record(
    conn: &AsyncPgConnection,
    author: &Author,
    action: Action,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    match &author.gate {
        Gate::Open => append(conn, author, action, now).await,
        Gate::Ask(seen) => {
            // Set by an earlier attempt of the same transaction: that one was undone too.
            let _ = seen.set(action);
            Err(DbError::Held("it waits for a second person"))
        }
        Gate::Approved(approved) => approved.let_through(conn, author, action, now).await,
    }
}

impl Approved {
    /// Closes the approval and notes the change, by whoever asked, and the approval, by whoever approved.
    async fn let_through(
        &self,
        conn: &AsyncPgConnection,
        author: &Author,
        mut action: Action,
        now: DateTime<Utc>,
    ) -> Result<(), DbError> {
        if !self.asked.is(&action) {
            return Err(DbError::Held("what it was made against has changed"));
        }
        let verdict = Verdict {
            status: "applied",
            by: self.by.clone(),
            origin: self.origin.clone(),
            reason: self.reason.clone(),
            made: Some(action.object.clone()),
        };
        if !approvals::decide(conn, author.tenant, self.id, verdict, now).await? {
            return Err(DbError::Held("it was decided already, or its time is over"));
        }
        if let Some(Value::Object(after)) = &mut action.after {
            after.insert("approval".to_owned(), json!({"id": self.id.to_string(), "approved_by": self.by}));
        }
        let what =
            json!({"action": action.action, "object": action.object, "asked_by": author.actor, "reason": self.reason});
        append(conn, author, action, now).await?;
        let approver = Author::new(author.tenant, self.by.clone(), self.origin.clone());
        let approval = Action {
            action: "approval.approve",
            object: self.id.to_string(),
            before: None,
            after: Some(what),
            result: DONE,
        };
        append(conn, &approver, approval, now).await?;
        let _ = self.done.set(());
        Ok(())
    }
}

async fn append(conn: &AsyncPgConnection, author: &Author, action: Action, now: DateTime<Utc>) -> Result<(), DbError> {
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
