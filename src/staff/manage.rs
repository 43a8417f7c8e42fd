//! What staff change besides decisions: who is blocked, what payouts run over, who may call. Who it is and which role they need is looked at
//! here; the change itself is the gateway's, and where a second person is needed it waits for one, unless all it does is to stop something.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::desk::{Desk, DeskError};
use super::lists::CustomerRow;
use super::moderation::{DECIDES, Waits, decider};
use super::session::SessionOwner;
use crate::config::gateway::HOUSE;
use crate::domain::ids::{
    ApiKeyId, BlockId, DepositAccountId, Mode, PayoutPointId, ProviderAccountId, RouteId, Tenant,
};
use crate::domain::staff::Role;
use crate::gateway::access::audit::{self, Action, Author, Gate};
use crate::gateway::access::{Caller, Principal, Refusal};
use crate::gateway::approvals::{Change, ChangeError, Configure, Maker};
use crate::gateway::blocks::{About, NewBlock};
use crate::gateway::manage::Attributes;
use crate::store::partners;
use crate::store::retry::transaction;

pub use crate::gateway::access::Scope;
pub use crate::gateway::access::keys::{Drawn, NewKey, Secrets};

/// The least role that switches what payouts run over, and blocks customers.
pub const MANAGES: Role = DECIDES;
/// The least role that makes and revokes keys.
pub const KEEPS_KEYS: Role = Role::Admin;

/// What is switched on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switched {
    Account(ProviderAccountId),
    Deposit(DepositAccountId),
    Route(RouteId),
    Point(PayoutPointId),
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Done {
    Done,
    /// Another person has to approve it.
    Waits(Waits),
    /// Nothing was done, and why.
    Refused(String),
}

/// A key that was made, or that waits for a second person: its secrets are shown now and never again.
pub struct MadeKey {
    pub id: ApiKeyId,
    pub secrets: Secrets,
    pub waits: Option<Waits>,
}

impl Desk {
    /// Whether changes in that mode need a second person.
    pub fn needs_second_person(&self, mode: Mode) -> bool {
        self.gateway().needs_second_person(mode)
    }

    /// Puts a customer on the block list for their partner, or takes an entry of the list off again.
    pub async fn block_customer(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        mode: Mode,
        row: &CustomerRow,
        taken_off: Option<BlockId>,
        reason: &str,
    ) -> Result<Done, DeskError> {
        if owner.role < MANAGES {
            return Ok(Done::Refused(format!("A role of {MANAGES} or above does this.")));
        }
        let author = author(owner, origin, Tenant { partner_id: row.partner_id, mode });
        let reason = reason.to_owned();
        let outcome = match taken_off {
            Some(id) => self.gateway().remove_block(&author, id, &reason).await.map(drop),
            None => {
                let about = About::Customer(row.reference.clone());
                let new = NewBlock { about, reason, starts_at: None, ends_at: None };
                self.gateway().add_block(&author, new).await.map(drop)
            }
        };
        done(outcome)
    }

    /// Switches something of that partner on or off, as it was at that version.
    pub async fn switch(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        (mode, partner): (Mode, &str),
        (what, version): (Switched, i32),
        is_on: bool,
    ) -> Result<Done, DeskError> {
        if owner.role < MANAGES {
            return Ok(Done::Refused(format!("A role of {MANAGES} or above does this.")));
        }
        let Some(caller) = self.staff_caller(owner, origin, mode, partner).await? else {
            return Ok(Done::Refused("There is no such partner.".to_owned()));
        };
        let mut given = Attributes::new();
        given.insert("enabled".to_owned(), Value::Bool(is_on));
        given.insert("version".to_owned(), json!(version));
        let configure = match what {
            Switched::Account(id) => Configure::ChangeProviderAccount(id),
            Switched::Deposit(id) => Configure::ChangeDepositAccount(id),
            Switched::Route(id) => Configure::ChangeRoute(id),
            Switched::Point(id) => Configure::ChangePoint(id),
        };
        let change = Change::Configure { by: Maker::from(&caller), what: configure, given: given.clone() };
        if self.gateway().needs_second_person(mode) && !change.is_only_a_stop() {
            match self.gateway().ask_for(&Author::from(&caller), &change).await {
                Ok(Some(waits)) => return Ok(Done::Waits(waits)),
                Ok(None) => return Ok(Done::Done),
                Err(error) => return done(Err(refusal(error))),
            }
        }
        let gateway = self.gateway();
        done(match what {
            Switched::Account(id) => gateway.change_provider_account(&caller, id, &given).await.map(drop),
            Switched::Deposit(id) => gateway.change_deposit_account(&caller, id, &given).await.map(drop),
            Switched::Route(id) => gateway.change_route(&caller, id, &given).await.map(drop),
            Switched::Point(id) => gateway.change_point(&caller, id, &given).await.map(drop),
        })
    }

    /// Makes a key for a partner. Where a second person is needed, it works once they have approved it.
    ///
    /// # Errors
    /// The inner one says, in a sentence, why no key was made.
    pub async fn make_partner_key(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        (mode, partner): (Mode, &str),
        new: NewKey,
    ) -> Result<Result<MadeKey, String>, DeskError> {
        if owner.role < KEEPS_KEYS {
            return Ok(Err(format!("A role of {KEEPS_KEYS} does this.")));
        }
        let Some(caller) = self.staff_caller(owner, origin, mode, partner).await? else {
            return Ok(Err("There is no such partner.".to_owned()));
        };
        let (drawn, secrets) = Drawn::new(mode, new.signing_required)?;
        let id = drawn.id;
        let waits = if self.gateway().needs_second_person(mode) {
            let change = Change::CreateKey { by: Maker::from(&caller), new, drawn };
            self.gateway().ask_for(&Author::from(&caller), &change).await.map_err(refusal)
        } else {
            self.gateway().create_drawn_key(&caller, new, drawn).await.map(|_| None)
        };
        match waits {
            Ok(waits) => Ok(Ok(MadeKey { id, secrets, waits })),
            Err(Refusal::Failed(error)) => Err(error.into()),
            Err(refusal) => Ok(Err(said(&refusal))),
        }
    }

    /// Revokes a key: it is dead at once. That waits for nobody.
    pub async fn revoke_partner_key(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        (mode, partner): (Mode, &str),
        id: ApiKeyId,
    ) -> Result<Done, DeskError> {
        if owner.role < KEEPS_KEYS {
            return Ok(Done::Refused(format!("A role of {KEEPS_KEYS} does this.")));
        }
        let Some(caller) = self.staff_caller(owner, origin, mode, partner).await? else {
            return Ok(Done::Refused("There is no such partner.".to_owned()));
        };
        done(self.gateway().revoke_key(&Author::from(&caller), id).await.map(drop))
    }

    /// Notes that somebody took a list away as a file.
    pub async fn note_file(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        mode: Mode,
        list: &'static str,
        filters: Map<String, Value>,
    ) -> Result<(), DeskError> {
        let now = self.now();
        let Some(caller) = self.staff_caller(owner, origin, mode, HOUSE).await? else { return Ok(()) };
        let author = Author::from(&caller);
        let noted: Result<(), Refusal> = transaction(&self.gateway().db, async |conn| {
            let action = Action {
                action: "dashboard.file",
                object: list.to_owned(),
                before: None,
                after: Some(json!({ "filters": filters })),
                result: audit::DONE,
            };
            Ok(audit::record(conn, &author, action, now).await?)
        })
        .await;
        match noted {
            Ok(()) => Ok(()),
            Err(Refusal::Failed(error)) => Err(error.into()),
            Err(refusal) => Err(crate::gateway::GatewayError::Corrupt(refusal.to_string()).into()),
        }
    }

    /// Somebody of the staff, as the gateway's own use cases know callers. `None`: there is no such partner.
    pub(super) async fn staff_caller(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        mode: Mode,
        partner: &str,
    ) -> Result<Option<Caller>, DeskError> {
        let mut conn = self.connection().await?;
        let all = partners::all(&mut conn).await?;
        let Some(found) = all.into_iter().find(|one| one.code == partner) else { return Ok(None) };
        Ok(Some(Caller {
            tenant: Tenant { partner_id: found.id, mode },
            by: Principal::Staff(decider(owner, None).actor),
            scopes: BTreeSet::from(Scope::ALL),
            is_house: partner == HOUSE,
            origin,
            gate: Gate::Open,
        }))
    }
}

fn author(owner: &SessionOwner, origin: Option<String>, tenant: Tenant) -> Author {
    let decider = decider(owner, origin);
    Author::new(tenant, decider.actor, decider.origin)
}

fn refusal(error: ChangeError) -> Refusal {
    match error {
        ChangeError::Refused(refusal) => refusal,
        other => Refusal::conflict("NOT_DONE", other.to_string()),
    }
}

pub(super) fn done(outcome: Result<(), Refusal>) -> Result<Done, DeskError> {
    match outcome {
        Ok(()) => Ok(Done::Done),
        Err(Refusal::Failed(error)) => Err(error.into()),
        Err(refusal) => Ok(Done::Refused(said(&refusal))),
    }
}

/// In a sentence.
fn said(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Invalid(problems) => problems
            .iter()
            .map(|problem| {
                let name = problem.pointer.rsplit('/').next().unwrap_or_default().replace('_', " ");
                if problem.detail.ends_with('.') {
                    problem.detail.clone()
                } else {
                    format!("{name} {}.", problem.detail)
                }
            })
            .collect::<Vec<_>>()
            .join(" "),
        Refusal::NotFound { what } => format!("There is no such {what}."),
        Refusal::Conflict { code: "VERSION_CONFLICT", .. } => {
            "It was changed meanwhile. Look at how it is now, and decide again.".to_owned()
        }
        Refusal::Conflict { detail, .. } | Refusal::Forbidden { detail, .. } => detail.clone(),
        Refusal::Failed(_) => "It failed.".to_owned(),
    }
}
