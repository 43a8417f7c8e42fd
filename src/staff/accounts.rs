//! Making, listing, changing and ending staff accounts, by whoever runs the console. Each change stands in the house's audit trail.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::development::random_password;
use super::password::check_choice;
use super::{Staff, StaffError, note};
use crate::domain::ids::StaffId;
use crate::domain::staff::{Attempts, Email, PASSWORDS_REMEMBERED, Role, UNUSED_MAX, is_password_length};
use crate::gateway::access::audit::{Author, DONE};
use crate::store::error::DbError;
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
        self.make(email, name, role, password, None).await
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
        let password = first_password(password, &email.parse()?, name)?;
        let id = self.make(email, name, role, &password, Some(author)).await?;
        Ok((id, password))
    }

    async fn make(
        &self,
        email: &str,
        name: &str,
        role: Role,
        password: &SecretString,
        author: Option<&Author>,
    ) -> Result<StaffId, StaffError> {
        let email: Email = email.parse()?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(StaffError::Name);
        }
        if !is_password_length(password.expose_secret()) {
            return Err(StaffError::PasswordLength);
        }
        let hash = self.passwords.hash(password).await?;
        let (id, now) = (StaffId::new(), self.clock.now());
        let made: Result<(), StaffError> = transaction(&self.db, async |conn| {
            staff::insert(conn, id, &email, name, role, hash.clone(), author.is_some(), now).await?;
            if let Some(author) = author {
                let after = json!({"email": email.as_str(), "name": name, "role": role.as_str()});
                note(conn, author, "staff.add", id, (None, Some(after)), DONE, now).await?;
            }
            Ok(())
        })
        .await;
        match made {
            Ok(()) => Ok(id),
            Err(StaffError::Db(error)) if error.is_conflict_on(staff::EMAIL_ONCE) => Err(StaffError::EmailTaken),
            Err(error) => Err(error),
        }
    }

    /// All accounts, by address.
    pub async fn list(&self) -> Result<Vec<Listed>, StaffError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        Ok(staff::all(&mut conn).await?.into_iter().map(|account| listed(account, now)).collect())
    }

    /// Ends an account: its sessions are over at once, and nobody signs in to it until it is enabled. Again, it changes nothing.
    pub async fn disable(&self, author: &Author, email: &str) -> Result<(), StaffError> {
        self.change(author, email, &Change::Disable).await
    }

    /// Lets its owner in again: after it was disabled, when it wasn't used for long, and where it is locked.
    pub async fn enable(&self, author: &Author, email: &str) -> Result<(), StaffError> {
        self.change(author, email, &Change::Enable).await
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
        self.change(author, email, &Change::Password(hash)).await?;
        Ok(password)
    }

    /// Forgets an account's second factor and recovery codes, and ends its sessions: its owner enrols another.
    pub async fn reset_totp(&self, author: &Author, email: &str) -> Result<(), StaffError> {
        self.change(author, email, &Change::Totp).await
    }

    /// Changes what somebody may do, from their next click on.
    pub async fn set_role(&self, author: &Author, email: &str, role: Role) -> Result<(), StaffError> {
        self.change(author, email, &Change::Role(role)).await
    }

    /// Changes an account, disabled or not, with its row of the audit trail.
    async fn change(&self, author: &Author, email: &str, change: &Change) -> Result<(), StaffError> {
        let email: Email = email.parse()?;
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let before = staff::lock_any(conn, &email).await?.ok_or(StaffError::NoAccount)?;
            change.write(conn, &before, now).await?;
            let after = staff::lock_any(conn, &email).await?.ok_or(StaffError::NoAccount)?;
            let told = (Some(audited(&before)), Some(audited(&after)));
            Ok(note(conn, author, change.action(), before.id, told, DONE, now).await?)
        })
        .await
    }
}

/// What the console changes of an account.
enum Change {
    Disable,
    Enable,
    /// With the hash of a first password.
    Password(String),
    Totp,
    Role(Role),
}

impl Change {
    const fn action(&self) -> &'static str {
        match self {
            Change::Disable => "staff.disable",
            Change::Enable => "staff.enable",
            Change::Password(_) => "staff.reset_password",
            Change::Totp => "staff.reset_totp",
            Change::Role(_) => "staff.role",
        }
    }

    async fn write(&self, conn: &mut AsyncPgConnection, account: &Account, now: DateTime<Utc>) -> Result<(), DbError> {
        let id = account.id;
        match self {
            Change::Disable if account.disabled_at.is_some() => {}
            Change::Disable => {
                staff::set_disabled(conn, id, Some(now)).await?;
                staff::delete_devices_of(conn, id).await?;
            }
            Change::Enable => {
                if account.disabled_at.is_some() {
                    staff::set_disabled(conn, id, None).await?;
                }
                staff::write_attempts(conn, id, Attempts::default()).await?;
                staff::set_active(conn, id, now).await?;
            }
            Change::Password(hash) => {
                staff::set_password(conn, id, hash.clone(), true, PASSWORDS_REMEMBERED, now).await?;
                staff::delete_devices_of(conn, id).await?;
                staff::set_active(conn, id, now).await?;
            }
            Change::Totp => staff::reset_totp(conn, id).await?,
            Change::Role(role) => staff::set_role(conn, id, *role).await?,
        }
        Ok(())
    }
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

/// What the audit trail keeps of an account: no secret, and no hash of one.
fn audited(account: &Account) -> Value {
    json!({
        "email": account.email.as_str(),
        "name": account.name,
        "role": account.role.as_str(),
        "disabled_at": account.disabled_at,
        "locked_until": account.attempts.locked_until,
        "must_change_password": account.must_change_password,
        "has_totp": account.totp_secret.is_some(),
        "active_at": account.active_at,
    })
}
