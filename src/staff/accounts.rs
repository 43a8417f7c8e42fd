//! Making, listing, changing and ending staff accounts, by whoever runs the console; what admins do on the dashboard is [`super::people`]'s.
//! The change itself is the gateway's, and stands in the house's audit trail.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::development::random_password;
use super::password::check_choice;
use super::{Staff, StaffError};
use crate::domain::ids::StaffId;
use crate::domain::staff::{Email, Role, UNUSED_MAX, is_password_length};
use crate::gateway::access::audit::Author;
use crate::gateway::people::{self, FirstPassword, StaffChange, StaffVerb};
use crate::store::retry::transaction;
use crate::store::staff::{self, Account};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

/// An account, as it is listed.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: StaffId,
    pub email: Email,
    pub name: String,
    pub role: Role,
    pub has_totp: bool,
    pub must_change_password: bool,
    pub locked_until: Option<DateTime<Utc>>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// Nobody signed in for so long that it is refused.
    pub is_unused: bool,
    pub active_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

impl Staff {
    /// Makes an account whose password its owner has chosen, without asking for more of it than its length.
    ///
    /// # Errors
    /// [`StaffError::Email`], [`StaffError::Name`] and [`StaffError::PasswordLength`] for what was typed,
    /// [`StaffError::EmailTaken`] if there is one already.
    pub async fn create(
        &self,
        email: &str,
        name: &str,
        role: Role,
        password: &SecretString,
    ) -> Result<StaffId, StaffError> {
        let account = self.drafted(email, name, role, password).await?;
        let NewAccount { id, email, name, role, password: FirstPassword(hash) } = account;
        let now = self.clock.now();
        let made: Result<(), StaffError> = transaction(&self.db, async |conn| {
            Ok(staff::insert(conn, id, &email, &name, role, hash.clone(), false, now).await?)
        })
        .await;
        match made {
            Err(StaffError::Db(error)) if error.is_conflict_on(staff::EMAIL_ONCE) => Err(StaffError::EmailTaken),
            made => made.map(|()| id),
        }
    }

    /// Makes an account with a first password, which its owner changes at the first sign-in (PCI DSS 8.3.5). Without `password`, one is
    /// drawn. It is answered: it is shown once.
    ///
    /// # Errors
    /// As [`create`](Self::create); [`StaffError::PasswordKinds`] and [`StaffError::PasswordWeak`] for a password that was chosen.
    pub async fn add(
        &self,
        author: &Author,
        email: &str,
        name: &str,
        role: Role,
        password: Option<SecretString>,
    ) -> Result<(StaffId, SecretString), StaffError> {
        let (id, change, password) = self.first(email, name, role, password).await?;
        people::change(&self.db, author, &change, self.clock.now()).await?;
        Ok((id, password))
    }

    /// What makes an account with a first password, and that password.
    pub(super) async fn first(
        &self,
        email: &str,
        name: &str,
        role: Role,
        password: Option<SecretString>,
    ) -> Result<(StaffId, StaffChange, SecretString), StaffError> {
        let first = first_password(password, &email.parse()?, name)?;
        let NewAccount { id, email, name, role, password } = self.drafted(email, name, role, &first).await?;
        Ok((id, StaffChange { email, what: StaffVerb::Add { id, name, role, password } }, first))
    }

    async fn drafted(
        &self,
        email: &str,
        name: &str,
        role: Role,
        password: &SecretString,
    ) -> Result<NewAccount, StaffError> {
        let email: Email = email.parse()?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(StaffError::Name);
        }
        if !is_password_length(password.expose_secret()) {
            return Err(StaffError::PasswordLength);
        }
        let password = FirstPassword(self.passwords.hash(password).await?);
        Ok(NewAccount { id: StaffId::new(), email, name: name.to_owned(), role, password })
    }

    /// All accounts, by address.
    pub async fn list(&self) -> Result<Vec<Listed>, StaffError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        Ok(staff::all(&mut conn).await?.into_iter().map(|account| listed(account, now)).collect())
    }

    /// Ends an account: its sessions are over at once, and nobody signs in to it until it is enabled. Again, it changes nothing.
    pub async fn disable(&self, author: &Author, email: &str) -> Result<(), StaffError> {
        self.change(author, email, StaffVerb::Disable).await
    }

    /// Lets its owner in again: after it was disabled, when it wasn't used for long, and where it is locked.
    pub async fn enable(&self, author: &Author, email: &str) -> Result<(), StaffError> {
        self.change(author, email, StaffVerb::Enable).await
    }

    /// Gives an account another first password, as [`add`](Self::add) does; its sessions end, and no browser is known to it.
    pub async fn reset_password(
        &self,
        author: &Author,
        email: &str,
        password: Option<SecretString>,
    ) -> Result<SecretString, StaffError> {
        let password = first_password(password, &email.parse()?, "")?;
        let hash = self.passwords.hash(&password).await?;
        self.change(author, email, StaffVerb::Password(FirstPassword(hash))).await?;
        Ok(password)
    }

    /// Forgets an account's second factor and recovery codes, and ends its sessions: its owner enrols another.
    pub async fn reset_totp(&self, author: &Author, email: &str) -> Result<(), StaffError> {
        self.change(author, email, StaffVerb::Totp).await
    }

    /// Changes what somebody may do, from their next click on.
    pub async fn set_role(&self, author: &Author, email: &str, role: Role) -> Result<(), StaffError> {
        self.change(author, email, StaffVerb::Role(role)).await
    }

    async fn change(&self, author: &Author, email: &str, what: StaffVerb) -> Result<(), StaffError> {
        let change = StaffChange { email: email.parse()?, what };
        Ok(people::change(&self.db, author, &change, self.clock.now()).await?)
    }
}

/// What was typed of an account, checked.
struct NewAccount {
    id: StaffId,
    email: Email,
    name: String,
    role: Role,
    password: FirstPassword,
}

/// One that was chosen, if it is good enough; or one that is drawn.
fn first_password(chosen: Option<SecretString>, email: &Email, name: &str) -> Result<SecretString, StaffError> {
    match chosen {
        Some(password) => check_choice(password.expose_secret(), email, name).map(|()| password),
        None => Ok(random_password()?),
    }
}

fn listed(account: Account, now: DateTime<Utc>) -> Listed {
    Listed {
        id: account.id,
        has_totp: account.totp_secret.is_some(),
        must_change_password: account.must_change_password,
        locked_until: account.attempts.locked_until.filter(|until| now < *until),
        disabled_at: account.disabled_at,
        is_unused: is_unused(&account, now),
        active_at: account.active_at,
        created_at: account.created_at,
        email: account.email,
        name: account.name,
        role: account.role,
    }
}

/// Whether nobody signed in to it for so long that it is refused.
pub(super) fn is_unused(account: &Account, now: DateTime<Utc>) -> bool {
    now - account.active_at >= UNUSED_MAX
}
