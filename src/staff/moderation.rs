//! What staff may decide: who it is and which role they need is looked at here, for every face; the decision itself is the gateway's.

use rust_decimal::Decimal;
use uuid::Uuid;

use super::desk::{Desk, DeskError};
use super::session::SessionOwner;
use crate::domain::ids::{Mode, Tenant};
use crate::domain::staff::{PROOF_AGE_MAX, Role, actor_of};
use crate::gateway::Gateway;
use crate::gateway::access::Refusal;
use crate::gateway::access::audit::Author;
use crate::gateway::approvals::{Change, ChangeError};
use crate::store::cases::Case;
use crate::store::dashboard::cases::{self, CaseLine};

pub use crate::domain::moderation::{DecisionKind, NotNow, Reason};
pub use crate::gateway::approvals::Waits;
pub use crate::gateway::cases::{CaseClosing, CaseEnd, CaseRefusal, OpenMoney};
pub use crate::gateway::moderation::{Choice, DecideError, Decided, Decider, Decision, Options, Possibility};
pub use crate::providers::provider::ProviderIds;

/// The least role that decides.
pub const DECIDES: Role = Role::Operator;

/// Why staff's word wasn't taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum WordError {
    #[error("a role of {DECIDES} or above decides")]
    Role,
    /// Whoever marks a payout by hand proves first who they are.
    #[error("prove once more who you are: it is longer ago than {} minutes", PROOF_AGE_MAX.num_minutes())]
    NotProved,
    #[error(transparent)]
    Decision(#[from] DecideError),
    #[error(transparent)]
    Case(#[from] CaseRefusal),
    /// It can't even be asked for.
    #[error("{0}")]
    Waits(String),
}

/// What came of staff's word.
#[derive(Clone, Debug)]
pub enum Word<T> {
    Done(T),
    /// Another person has to approve it.
    Waits(Waits),
}

/// A case with the money that is open of it.
#[derive(Clone, Debug)]
pub struct CasePage {
    pub case: CaseLine,
    pub tenant: Tenant,
    pub open: Option<OpenMoney>,
}

/// Who decides, as events and the audit trail name them.
pub fn decider(owner: &SessionOwner, origin: Option<String>) -> Decider {
    Decider { actor: actor_of(&owner.email, owner.id), origin }
}

/// Whether somebody of that role decides.
pub fn may_decide(role: Role) -> bool {
    role >= DECIDES
}

/// Decides, or asks for it where another person has to approve.
pub async fn decide_or_ask(
    gateway: &Gateway,
    decider: &Decider,
    decision: &Decision,
) -> Result<Word<Decided>, WordError> {
    if gateway.needs_second_person(decision.tenant.mode) {
        let asker = Author::new(decision.tenant, decider.actor.clone(), decider.origin.clone());
        if let Some(waits) = gateway.ask_for(&asker, &Change::Decide(decision.clone())).await? {
            return Ok(Word::Waits(waits));
        }
    }
    Ok(Word::Done(gateway.decide(decider, decision).await?))
}

/// Closes a case, or asks for it where another person has to approve.
pub async fn close_or_ask(
    gateway: &Gateway,
    decider: &Decider,
    tenant: Tenant,
    case_id: Uuid,
    closing: CaseClosing,
) -> Result<Word<Case>, WordError> {
    if gateway.needs_second_person(tenant.mode) {
        let asker = Author::new(tenant, decider.actor.clone(), decider.origin.clone());
        let change = Change::CloseCase { case_id, closing: closing.clone() };
        if let Some(waits) = gateway.ask_for(&asker, &change).await? {
            return Ok(Word::Waits(waits));
        }
    }
    Ok(Word::Done(gateway.close_case(decider, case_id, closing).await?))
}

impl From<ChangeError> for WordError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Decision(error) => WordError::Decision(error),
            ChangeError::Case(error) => WordError::Case(error),
            ChangeError::Refused(Refusal::Failed(error)) => WordError::Decision(DecideError::Failed(error)),
            ChangeError::Refused(Refusal::Conflict { detail, .. }) => WordError::Waits(detail),
            ChangeError::Refused(refusal) => WordError::Waits(refusal.to_string()),
            ChangeError::People(error) => WordError::Waits(error.to_string()),
        }
    }
}

impl Desk {
    /// Whether somebody proved lately enough who they are to mark payouts by hand.
    pub fn has_proved(&self, owner: &SessionOwner) -> bool {
        self.now() - owner.proved_at <= PROOF_AGE_MAX
    }

    /// Takes a decision about a payout request by somebody who is signed in, or asks for it where another person has to approve.
    pub async fn decide(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        decision: &Decision,
    ) -> Result<Word<Decided>, WordError> {
        if !may_decide(owner.role) {
            return Err(WordError::Role);
        }
        // Nothing of the provider's stands behind what a person says became of a payout.
        if decision.choice.payout_id().is_some() && !self.has_proved(owner) {
            return Err(WordError::NotProved);
        }
        decide_or_ask(self.gateway(), &decider(owner, origin), decision).await
    }

    /// Closes a case about money by somebody who is signed in.
    pub async fn close_case(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        tenant: Tenant,
        id: Uuid,
        closing: CaseClosing,
    ) -> Result<Word<Case>, WordError> {
        if !may_decide(owner.role) {
            return Err(WordError::Role);
        }
        close_or_ask(self.gateway(), &decider(owner, origin), tenant, id, closing).await
    }

    /// `None`: there is no such case in that mode.
    pub async fn case(&self, mode: Mode, id: Uuid) -> Result<Option<CasePage>, DeskError> {
        let found = {
            let mut conn = self.connection().await?;
            let found = cases::find(&mut conn, mode, id).await?;
            let stored = crate::store::cases::find(&conn, id).await?;
            found.zip(stored)
        };
        let Some((case, stored)) = found else { return Ok(None) };
        let tenant = stored.tenant();
        let open = match case.ended {
            Some(_) => None,
            None => self.gateway().open_money(&stored).await?,
        };
        Ok(Some(CasePage { case, tenant, open: open.filter(|open| open.amount != Decimal::ZERO) }))
    }
}
