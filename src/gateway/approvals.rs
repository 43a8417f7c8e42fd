//! Maker and checker: a change that one person or key asks for is made when another person approves it. Asking carries the change out as
//! far as its row of the audit trail and undoes it, so that what waits is known to be possible, with what it changes; approving carries it
//! out again, in one transaction with the approval's end, and only if it begins where it began when it was asked.
//!
//! What is to be done lies sealed for its row: whoever can write the database can't have something else approved. Who may approve is
//! looked at before, by whoever knows people; that it is another person is looked at here.

mod change;

use std::sync::{Arc, OnceLock};

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::audit::{self, Action, Approved, Asked, Author, Gate};
use super::access::{Caller, Principal, Refusal, Scope};
use super::manage::Attributes;
use super::moderation::Decider;
use super::people;
use super::sealing::sealed_again;
use super::{Gateway, GatewayError};
use crate::domain::card::{strike_and_cut, strike_numbers};
use crate::domain::ids::{ApiKeyId, ApprovalId, ExchangeSchemeId, Mode, PayoutSchemeId, Tenant};
use crate::domain::staff::Role;
use crate::store::approvals::{self, Verdict};
use crate::store::error::DbError;
use crate::store::retry::{TransactionError, transaction};
use crate::vault::{CHANGE_COLUMN, Context, EnvelopeError, Sealed, TOLD_COLUMN, VaultError};

pub use crate::store::approvals::Approval;
pub use change::{Change, ChangeError, Configure, DraftedScheme, Maker};

/// How many changes of a partner wait at once in a mode.
pub const OPEN_MAX: i64 = 500;
/// How many characters the reason of a decision may have.
const REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=1_000;

/// What needs a second person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondPerson {
    /// In which modes.
    pub modes: Vec<Mode>,
    /// How long a change waits.
    pub ttl: TimeDelta,
}

/// A change that waits from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    pub id: ApprovalId,
    pub action: String,
    pub object: String,
    pub expires_at: chrono::DateTime<chrono::Utc>,
}

/// A change, with what is sealed of it.
#[derive(Clone, Debug)]
pub struct ApprovalPage {
    pub approval: Approval,
    /// What it was before and is after it.
    pub told: Asked,
    /// What was sent, where that is more than is told: a scheme's whole body. Without credentials.
    pub wish: Option<Value>,
    /// The least role that asks for it, approves and declines it.
    pub least: Role,
    /// Of a payout scheme: the body that would be in force. What is told of it names its version alone.
    pub scheme: Option<DraftedScheme>,
}

/// Why an approval isn't decided so.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    #[error("there is no such approval")]
    NotFound,
    #[error("give a reason, of 3 to 1000 characters")]
    NoReason,
    #[error("it was decided already, or its time is over")]
    Over,
    #[error("whoever asked for a change doesn't approve it: somebody else does")]
    SamePerson,
    /// It is closed: what it was made against is no longer so, or the rules refuse it now.
    #[error("it can't be made any more and is closed: {0}")]
    Stale(String),
    #[error(transparent)]
    Failed(#[from] GatewayError),
}

impl From<DbError> for ApprovalError {
    fn from(error: DbError) -> Self {
        ApprovalError::Failed(error.into())
    }
}

impl From<diesel::result::Error> for ApprovalError {
    fn from(error: diesel::result::Error) -> Self {
        ApprovalError::Failed(error.into())
    }
}

impl TransactionError for ApprovalError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            ApprovalError::Failed(error) => error.db_error(),
            _ => None,
        }
    }
}

/// Whom an actor's name stands for: the same person on the dashboard and on the console.
fn person(actor: &str) -> String {
    actor.strip_prefix("staff:").or_else(|| actor.strip_prefix("cli:")).unwrap_or(actor).to_ascii_lowercase()
}

impl Gateway {
    /// Whether changes in that mode need a second person.
    pub fn needs_second_person(&self, mode: Mode) -> bool {
        self.second_person.modes.contains(&mode)
    }

    /// Asks for a change. `None`: it is made already, and asking for it again changes nothing.
    ///
    /// # Errors
    /// Whatever would refuse the change itself; a conflict where another change of the same thing waits.
    pub async fn ask_for(&self, asker: &Author, change: &Change) -> Result<Option<Waits>, ChangeError> {
        let seen = Arc::new(OnceLock::new());
        match self.carry_out_change(asker, change, &Gate::Ask(Arc::clone(&seen))).await {
            Ok(()) => return Ok(None),
            Err(error) if error.held().is_none() => return Err(error),
            Err(_) => {}
        }
        let asked = seen.get().map(Asked::from);
        let asked = asked.ok_or_else(|| GatewayError::Corrupt("nothing was asked for".to_owned()))?;
        let waits = Waits {
            id: ApprovalId::new(),
            action: asked.action.clone(),
            object: asked.object.clone(),
            expires_at: self.clock.now() + self.second_person.ttl,
        };
        match sealed_again(&self.vault, asker.tenant, || self.write_down(asker, change, &asked, &waits)).await {
            Ok(()) => Ok(Some(waits)),
            Err(Refusal::Failed(GatewayError::Db(error))) if error.is_conflict_on(approvals::ONCE) => {
                let detail = "another change of it waits for a second person already";
                Err(Refusal::conflict("WAITS_ALREADY", detail).into())
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Writes down what waits from now on.
    async fn write_down(&self, asker: &Author, change: &Change, asked: &Asked, waits: &Waits) -> Result<(), Refusal> {
        let (id, now) = (waits.id, self.clock.now());
        let seal = async |column, bytes: Vec<u8>| match self.vault.seal(&place(asker.tenant, id, column), &bytes).await
        {
            Ok(sealed) => Ok(sealed),
            Err(VaultError::Envelope(EnvelopeError::TooLong)) => {
                let detail = "This is too long to wait for a second person.";
                Err(Refusal::invalid("/data/attributes", "TOO_LONG", detail))
            }
            Err(error) => Err(unsealed(&error).into()),
        };
        let told = seal(TOLD_COLUMN, written(&(asked, &asker.actor))?).await?;
        let sealed = seal(CHANGE_COLUMN, written(change)?).await?;
        let approval = Approval {
            partner_id: asker.tenant.partner_id,
            mode: asker.tenant.mode,
            id,
            action: asked.action.clone(),
            object: asked.object.clone(),
            change: sealed.0,
            told: told.0,
            asked_by: asker.actor.clone(),
            asked_origin: asker.origin.clone(),
            asked_at: now,
            expires_at: waits.expires_at,
            status: "open".to_owned(),
            decided_by: None,
            decided_at: None,
            reason: None,
            made: None,
            partner: String::new(),
        };
        transaction(&self.db, async |conn| {
            approvals::expire(conn, now).await?;
            if approvals::count_open(conn, asker.tenant).await? >= OPEN_MAX {
                let detail = "too many changes wait for a second person: have some of them decided";
                return Err(Refusal::conflict("TOO_MANY_WAIT", detail));
            }
            approvals::insert(conn, approval.clone()).await?;
            let action = Action {
                action: "approval.ask",
                object: id.to_string(),
                before: None,
                after: Some(json!({"action": asked.action, "object": asked.object, "before": asked.before, "after": asked.after})),
                result: audit::DONE,
            };
            Ok(audit::record(conn, asker, action, now).await?)
        })
        .await
    }

    /// Makes a change that another person asked for: once, in one transaction with the approval's end.
    ///
    /// # Errors
    /// [`ApprovalError::Stale`] closes the approval; after any other nothing was changed.
    pub async fn approve(
        &self,
        approver: &Decider,
        mode: Mode,
        id: ApprovalId,
        reason: &str,
    ) -> Result<(), ApprovalError> {
        let reason = checked_reason(reason)?;
        let (approval, told, change) = self.open_approval(mode, id).await?.ok_or(ApprovalError::NotFound)?;
        if !approval.is_open(self.clock.now()) {
            return Err(ApprovalError::Over);
        }
        if person(&approver.actor) == person(&approval.asked_by) {
            return Err(ApprovalError::SamePerson);
        }
        let stale = async |why: String| {
            self.end_approval(approver, &approval, "stale", "approval.stale", &why).await?;
            Err(ApprovalError::Stale(why))
        };
        if let Some(key_id) = change.maker().and_then(|maker| maker.key_id)
            && !self.is_key_alive(approval.tenant(), key_id).await?
        {
            return stale("the key that asked is revoked or has expired".to_owned()).await;
        }
        if !self.may_still_ask(&approval.asked_by, change.least_role()).await? {
            return stale("whoever asked may not sign in any more, or has a lower role now".to_owned()).await;
        }
        let approved = Arc::new(Approved {
            id,
            by: approver.actor.clone(),
            origin: approver.origin.clone(),
            reason,
            asked: told,
            done: OnceLock::new(),
        });
        let asker = Author::new(approval.tenant(), approval.asked_by.clone(), approval.asked_origin.clone());
        match self.carry_out_change(&asker, &change, &Gate::Approved(Arc::clone(&approved))).await {
            Ok(()) if approved.done.get().is_some() => Ok(()),
            Ok(()) => stale("it was made already".to_owned()).await,
            Err(error) if error.is_failure() => {
                // Of two who approve at once, one may find that the other's change is there.
                let now = self.clock.now();
                let conn = self.db.get().await?;
                let is_open = approvals::find(&conn, mode, id).await?.is_some_and(|found| found.is_open(now));
                // It stays open: the same may work a moment later.
                Err(if is_open { ApprovalError::Failed(error.into_gateway()) } else { ApprovalError::Over })
            }
            Err(error) => {
                let why = error.held().map_or_else(|| error.to_string(), str::to_owned);
                stale(strike_and_cut(&why, *REASON_CHARS.end())).await
            }
        }
    }

    /// Ends an approval without the change. Whoever asked may take it back so.
    pub async fn decline(
        &self,
        decider: &Decider,
        mode: Mode,
        id: ApprovalId,
        reason: &str,
    ) -> Result<(), ApprovalError> {
        let reason = checked_reason(reason)?;
        let approval = {
            let conn = self.db.get().await?;
            approvals::find(&conn, mode, id).await?.ok_or(ApprovalError::NotFound)?
        };
        self.end_approval(decider, &approval, "declined", "approval.decline", &reason).await
    }

    /// What waits in a mode, oldest first.
    pub async fn waiting_approvals(
        &self,
        mode: Mode,
        after: Option<(chrono::DateTime<chrono::Utc>, ApprovalId)>,
        limit: i64,
    ) -> Result<Vec<Approval>, GatewayError> {
        let now = self.clock.now();
        let after = after.unwrap_or((chrono::DateTime::UNIX_EPOCH, ApprovalId(Uuid::nil())));
        let conn = self.db.get().await?;
        let found = approvals::waiting(&conn, mode, after, limit).await?;
        Ok(found.into_iter().filter(|approval| approval.is_open(now)).collect())
    }

    /// What was asked last and is over.
    pub async fn decided_approvals(&self, mode: Mode, limit: i64) -> Result<Vec<Approval>, GatewayError> {
        let conn = self.db.get().await?;
        Ok(approvals::decided(&conn, mode, limit).await?)
    }

    /// One change with what it changes. `None`: there is none in that mode.
    pub async fn approval(&self, mode: Mode, id: ApprovalId) -> Result<Option<ApprovalPage>, ApprovalError> {
        let Some((approval, told, change)) = self.open_approval(mode, id).await? else { return Ok(None) };
        let (wish, least, scheme) = (change.wish(), change.least_role(), change.drafted_scheme());
        Ok(Some(ApprovalPage { approval, told, wish, least, scheme }))
    }

    async fn open_approval(
        &self,
        mode: Mode,
        id: ApprovalId,
    ) -> Result<Option<(Approval, Asked, Change)>, ApprovalError> {
        let found = {
            let conn = self.db.get().await?;
            approvals::find(&conn, mode, id).await?
        };
        let Some(approval) = found else { return Ok(None) };
        let (told, change) = self.opened(&approval).await?;
        Ok(Some((approval, told, change)))
    }

    /// What was asked for by a tenant's key, as it stands, and the scope that asking for it took. Others', and what people asked for, isn't there.
    pub async fn approval_of(&self, tenant: Tenant, id: ApprovalId) -> Result<(Approval, Scope), Refusal> {
        let found = {
            let conn = self.db.get().await?;
            approvals::find(&conn, tenant.mode, id).await?
        };
        let none = Refusal::NotFound { what: "approval" };
        let Some(mut approval) = found.filter(|approval| approval.tenant() == tenant) else { return Err(none) };
        let (_, change) = self.opened(&approval).await?;
        let scope = change.scope().ok_or(none)?;
        if approval.status == "open" && !approval.is_open(self.clock.now()) {
            "expired".clone_into(&mut approval.status);
        }
        Ok((approval, scope))
    }

    /// What is sealed of an approval.
    async fn opened(&self, approval: &Approval) -> Result<(Asked, Change), GatewayError> {
        let id = approval.id;
        let open = async |column, sealed: &[u8]| {
            let place = place(approval.tenant(), id, column);
            self.vault.open(&place, &Sealed(sealed.to_vec())).await.map_err(|error| unsealed(&error))
        };
        let told = open(TOLD_COLUMN, &approval.told).await?;
        let change = open(CHANGE_COLUMN, &approval.change).await?;
        let (told, asked_by): (Asked, String) = serde_json::from_slice(&told).map_err(|_| unreadable(id))?;
        let change: Change = serde_json::from_slice(&change).map_err(|_| unreadable(id))?;
        // The columns beside what is sealed are for lists: they must say the same, above all who can't be the second person.
        let columns = (approval.action.as_str(), approval.object.as_str(), approval.asked_by.as_str());
        if (told.action.as_str(), told.object.as_str(), asked_by.as_str()) != columns {
            return Err(unreadable(id));
        }
        Ok((told, change))
    }

    async fn end_approval(
        &self,
        decider: &Decider,
        approval: &Approval,
        status: &'static str,
        action: &'static str,
        reason: &str,
    ) -> Result<(), ApprovalError> {
        let now = self.clock.now();
        let author = Author::new(approval.tenant(), decider.actor.clone(), decider.origin.clone());
        transaction(&self.db, async |conn| {
            let (by, origin, reason) = (author.actor.clone(), author.origin.clone(), reason.to_owned());
            let told = json!({"action": approval.action, "object": approval.object, "asked_by": approval.asked_by, "reason": reason});
            let verdict = Verdict { status, by, origin, reason, made: None };
            if !approvals::decide(conn, approval.tenant(), approval.id, verdict, now).await? {
                return Err(ApprovalError::Over);
            }
            let action =
                Action { action, object: approval.id.to_string(), before: None, after: Some(told), result: audit::DONE };
            Ok(audit::record(conn, &author, action, now).await?)
        })
        .await
    }

    async fn is_key_alive(&self, tenant: Tenant, id: ApiKeyId) -> Result<bool, ApprovalError> {
        match self.find_key(tenant, id).await {
            Ok(key) => {
                let now = self.clock.now();
                Ok(key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at))
            }
            Err(Refusal::NotFound { .. }) => Ok(false),
            Err(refusal) => Err(ApprovalError::Failed(ChangeError::Refused(refusal).into_gateway())),
        }
    }

    /// Does it, through the gate.
    async fn carry_out_change(&self, asker: &Author, change: &Change, gate: &Gate) -> Result<(), ChangeError> {
        let decider = || Decider { actor: asker.actor.clone(), origin: asker.origin.clone() };
        let author = || Author { gate: gate.clone(), ..asker.clone() };
        let caller = |maker: &Maker| Caller {
            tenant: asker.tenant,
            by: maker.key_id.map_or_else(|| Principal::Staff(asker.actor.clone()), Principal::Key),
            scopes: maker.scopes.iter().copied().collect(),
            is_house: maker.is_house,
            origin: asker.origin.clone(),
            gate: gate.clone(),
        };
        match change {
            Change::Decide(decision) => {
                Box::pin(self.decide_through(gate, &decider(), decision)).await?;
            }
            Change::CloseCase { case_id, closing } => {
                Box::pin(self.close_case_through(gate, &decider(), *case_id, closing.clone())).await?;
            }
            Change::CreateKey { by, new, drawn } => {
                self.create_drawn_key(&caller(by), new.clone(), drawn.clone()).await?;
            }
            Change::ChangeKey { by, id, change } => {
                self.change_key_by(&caller(by), *id, change.clone()).await?;
            }
            Change::Staff(change) => people::change(&self.db, &author(), change, self.clock.now()).await?,
            Change::Terms(new) => {
                Box::pin(self.set_terms(&author(), new)).await?;
            }
            Change::Configure { by, what, given } => {
                Box::pin(self.configure(&caller(by), *what, given)).await?;
            }
        }
        Ok(())
    }

    async fn configure(&self, caller: &Caller, what: Configure, given: &Attributes) -> Result<(), Refusal> {
        match what {
            Configure::CreatePoint => drop(self.create_point(caller, given).await?),
            Configure::ChangePoint(id) => drop(self.change_point(caller, id, given).await?),
            Configure::CreateProviderAccount => drop(self.create_provider_account(caller, given).await?),
            Configure::ChangeProviderAccount(id) => drop(self.change_provider_account(caller, id, given).await?),
            Configure::CreateDepositAccount => drop(self.create_deposit_account(caller, given).await?),
            Configure::ChangeDepositAccount(id) => drop(self.change_deposit_account(caller, id, given).await?),
            Configure::CreateRoute => drop(self.create_route(caller, given).await?),
            Configure::ChangeRoute(id) => drop(self.change_route(caller, id, given).await?),
            Configure::CreatePayoutScheme => drop(self.create_scheme::<PayoutSchemeId>(caller, given).await?),
            Configure::PublishPayoutScheme(id) => drop(self.publish_scheme(caller, id, given).await?),
            Configure::CreateExchangeScheme => drop(self.create_scheme::<ExchangeSchemeId>(caller, given).await?),
            Configure::PublishExchangeScheme(id) => drop(self.publish_scheme(caller, id, given).await?),
        }
        Ok(())
    }
}

fn place(tenant: Tenant, id: ApprovalId, column: &'static str) -> Context {
    Context { tenant, customer_id: None, record: id.0.into(), column }
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, GatewayError> {
    serde_json::to_vec(value).map_err(|error| GatewayError::Corrupt(format!("a change can't be written down: {error}")))
}

fn unsealed(error: &VaultError) -> GatewayError {
    GatewayError::Corrupt(format!("a change that waits: {error}"))
}

fn unreadable(id: ApprovalId) -> GatewayError {
    GatewayError::Corrupt(format!("{id} isn't what was asked for"))
}

/// As it is kept: trimmed, without control characters and card numbers.
fn checked_reason(reason: &str) -> Result<String, ApprovalError> {
    let plain: String = reason.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let struck = strike_numbers(&plain).into_owned();
    if REASON_CHARS.contains(&struck.chars().count()) { Ok(struck) } else { Err(ApprovalError::NoReason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_on_the_console_and_on_the_dashboard() {
        assert_eq!(person("staff:ada@landfall.example"), person("cli:Ada@landfall.example"));
        assert_ne!(person("staff:ada@landfall.example"), person("key_1"));
    }
}
