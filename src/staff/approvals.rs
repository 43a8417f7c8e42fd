//! The second person, for every face: who may approve what. That it is another person than the one who asked, and that a change is made
//! once, is the gateway's.

use uuid::Uuid;

use super::desk::{After, Desk, DeskError, Page, limit};
use super::moderation::decider;
use super::session::SessionOwner;
use crate::domain::ids::{ApprovalId, Mode};
use crate::domain::staff::Role;

pub use crate::gateway::approvals::{ApprovalError, ApprovalPage, DraftedScheme};
pub use crate::store::approvals::Approval;

/// How many that are over are shown beside those that wait.
const DECIDED_SHOWN: i64 = 20;

/// Why somebody's word about a change wasn't taken.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error("a role of {0} or above decides")]
    Role(Role),
    #[error(transparent)]
    Approval(#[from] ApprovalError),
}

impl Desk {
    /// What waits for a second person, oldest first.
    pub async fn waiting_approvals(
        &self,
        mode: Mode,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<Page<Approval, Uuid>, DeskError> {
        let after = after.map(|after| (after.at, ApprovalId(after.id)));
        let waiting = self.gateway().waiting_approvals(mode, after, limit(lines_max)).await?;
        Ok(Page::of(waiting, lines_max, |line| After { at: line.asked_at, id: line.id.0 }))
    }

    /// What was decided last.
    pub async fn decided_approvals(&self, mode: Mode) -> Result<Vec<Approval>, DeskError> {
        Ok(self.gateway().decided_approvals(mode, DECIDED_SHOWN).await?)
    }

    /// One change with what it changes.
    pub async fn approval(&self, mode: Mode, id: ApprovalId) -> Result<Option<ApprovalPage>, ApprovalError> {
        self.gateway().approval(mode, id).await
    }

    /// Approves a change, which is then made, or declines it.
    pub async fn settle_approval(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        (mode, id): (Mode, ApprovalId),
        is_approved: bool,
        reason: &str,
    ) -> Result<(), SettleError> {
        let page = self.approval(mode, id).await?.ok_or(ApprovalError::NotFound)?;
        let least = page.least;
        if owner.role < least {
            return Err(SettleError::Role(least));
        }
        let decider = decider(owner, origin);
        if is_approved {
            self.gateway().approve(&decider, mode, id, reason).await?;
        } else {
            self.gateway().decline(&decider, mode, id, reason).await?;
        }
        Ok(())
    }
}
