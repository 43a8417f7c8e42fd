//! Staff accounts as admins keep them on the dashboard: who is let in, what they may do, who is let in no more. Where a second person is
//! needed, a change waits for one; ending an account never does. The rules, and the change itself, are the gateway's.

use secrecy::SecretString;

use super::accounts::Listed;
use super::desk::Desk;
use super::manage::Done;
use super::moderation::Waits;
use super::session::SessionOwner;
use super::{Staff, StaffError};
use crate::domain::ids::{Mode, StaffId};
use crate::domain::staff::{Role, actor_of};
use crate::gateway::access::Refusal;
use crate::gateway::access::audit::Author;
use crate::gateway::approvals::{Change, ChangeError};
use crate::gateway::people::{self, StaffChange};

pub use crate::gateway::people::{KEEPS_STAFF, StaffVerb};

/// An account that was made, or that waits for a second person, with the password that is shown once.
pub struct Invited {
    pub id: StaffId,
    pub password: SecretString,
    pub waits: Option<Waits>,
}

impl Staff {
    /// The mode under which changes of accounts are written down, and wait.
    pub fn mode(&self) -> Mode {
        self.policy.mode
    }

    /// One account. `None`: there is none.
    pub async fn account(&self, id: StaffId) -> Result<Option<Listed>, StaffError> {
        Ok(self.list().await?.into_iter().find(|account| account.id == id))
    }

    /// Lets somebody in with a first password, which they change at the first sign-in.
    ///
    /// # Errors
    /// For what was typed, [`StaffError::EmailTaken`], and [`StaffError::NotSo`] with why not.
    pub async fn invite(
        &self,
        desk: &Desk,
        owner: &SessionOwner,
        origin: Option<String>,
        (email, name, role): (&str, &str, Role),
    ) -> Result<Invited, StaffError> {
        let (id, change, password) = self.first(email, name, role, None).await?;
        let waits = self.keep(desk, owner, origin, change).await?;
        Ok(Invited { id, password, waits })
    }

    /// Changes somebody else's account.
    ///
    /// # Errors
    /// [`StaffError::NoAccount`], and those of the database; all else is told as refused.
    pub async fn manage(
        &self,
        desk: &Desk,
        owner: &SessionOwner,
        origin: Option<String>,
        id: StaffId,
        what: StaffVerb,
    ) -> Result<Done, StaffError> {
        let account = self.account(id).await?.ok_or(StaffError::NoAccount)?;
        match self.keep(desk, owner, origin, StaffChange { email: account.email, what }).await {
            Ok(None) => Ok(Done::Done),
            Ok(Some(waits)) => Ok(Done::Waits(waits)),
            Err(StaffError::NotSo(why)) => Ok(Done::Refused(why)),
            Err(error) => Err(error),
        }
    }

    async fn keep(
        &self,
        desk: &Desk,
        owner: &SessionOwner,
        origin: Option<String>,
        change: StaffChange,
    ) -> Result<Option<Waits>, StaffError> {
        let author: Author = self.author(actor_of(&owner.email, owner.id), origin).await?;
        let gateway = desk.gateway();
        let asked = Change::Staff(change.clone());
        if gateway.needs_second_person(author.tenant.mode) && !asked.is_only_a_stop() {
            return Box::pin(gateway.ask_for(&author, &asked)).await.map_err(not_asked);
        }
        people::change(&self.db, &author, &change, self.clock.now()).await?;
        Ok(None)
    }
}

fn not_asked(error: ChangeError) -> StaffError {
    match error {
        ChangeError::People(error) => error.into(),
        ChangeError::Refused(Refusal::Conflict { detail, .. }) => StaffError::NotSo(detail),
        ChangeError::Refused(Refusal::Failed(error)) => StaffError::Gateway(error),
        other => StaffError::NotSo(other.to_string()),
    }
}
