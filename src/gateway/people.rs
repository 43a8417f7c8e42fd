//! Changes of staff accounts, each with its row of the house's audit trail: by whoever runs the console, and by admins on the dashboard,
//! where they may wait for a second person. Sessions, passwords and what a person sees are `staff`'s; no password comes here, only the hash
//! of one.
//!
//! Whoever changes accounts on the dashboard is an admin at that moment, changes none of their own, and leaves an admin behind: that is
//! looked at with all admins' rows locked, so that two who end each other's accounts at once don't both succeed.

use std::fmt;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::audit::{self, Action, Author, DONE};
use super::{Gateway, GatewayError};
use crate::domain::ids::StaffId;
use crate::domain::staff::{Attempts, Email, PASSWORDS_REMEMBERED, Role, person_of};
use crate::store::error::DbError;
use crate::store::pool::Db;
use crate::store::retry::transaction;
use crate::store::staff::{self, Account};

/// The least role that makes and changes accounts.
pub const KEEPS_STAFF: Role = Role::Admin;

/// The hash of a password that its owner has to change. Redacts `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstPassword(pub String);

impl fmt::Debug for FirstPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstPassword(redacted)")
    }
}

/// A change of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaffChange {
    /// Whose account.
    pub email: Email,
    pub what: StaffVerb,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StaffVerb {
    Add {
        id: StaffId,
        name: String,
        role: Role,
        password: FirstPassword,
    },
    /// Its sessions end at once.
    Disable,
    /// After it was disabled, when it wasn't used for long, and where it is locked.
    Enable,
    Password(FirstPassword),
    /// Forgets the second factor and its recovery codes.
    Totp,
    Role(Role),
}

/// Why an account isn't changed. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    #[error("there is no account with this e-mail address")]
    NoAccount,
    #[error("there is an account with this e-mail address")]
    EmailTaken,
    #[error("nobody changes their own account: another admin does")]
    Own,
    #[error("this is the last admin who may sign in: make another one first")]
    LastAdmin,
    #[error("an admin who may sign in does this")]
    NotAdmin,
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<diesel::result::Error> for PeopleError {
    fn from(error: diesel::result::Error) -> Self {
        PeopleError::Db(error.into())
    }
}

crate::transaction_error!(PeopleError::Db);

impl StaffVerb {
    const fn action(&self) -> &'static str {
        match self {
            StaffVerb::Add { .. } => "staff.add",
            StaffVerb::Disable => "staff.disable",
            StaffVerb::Enable => "staff.enable",
            StaffVerb::Password(_) => "staff.reset_password",
            StaffVerb::Totp => "staff.reset_totp",
            StaffVerb::Role(_) => "staff.role",
        }
    }

    async fn write(&self, conn: &mut AsyncPgConnection, account: &Account, now: DateTime<Utc>) -> Result<(), DbError> {
        let id = account.id;
        match self {
            StaffVerb::Add { .. } => {}
            StaffVerb::Disable if account.disabled_at.is_some() => {}
            StaffVerb::Disable => {
                staff::set_disabled(conn, id, Some(now)).await?;
                staff::delete_devices_of(conn, id).await?;
            }
            StaffVerb::Enable => {
                if account.disabled_at.is_some() {
                    staff::set_disabled(conn, id, None).await?;
                }
                staff::write_attempts(conn, id, Attempts::default()).await?;
                staff::set_active(conn, id, now).await?;
            }
            StaffVerb::Password(FirstPassword(hash)) => {
                staff::set_password(conn, id, hash.clone(), true, PASSWORDS_REMEMBERED, now).await?;
                staff::delete_devices_of(conn, id).await?;
                staff::set_active(conn, id, now).await?;
            }
            StaffVerb::Totp => staff::reset_totp(conn, id).await?,
            StaffVerb::Role(role) => staff::set_role(conn, id, *role).await?,
        }
        Ok(())
    }
}

/// Makes the change, with its row of the audit trail.
pub async fn change(db: &Db, author: &Author, change: &StaffChange, now: DateTime<Utc>) -> Result<(), PeopleError> {
    let made = transaction(db, async |conn| {
        // Before the account's own row is locked: whoever locks several locks the admins' first.
        check_author(conn, author, change).await?;
        let before = staff::lock_any(conn, &change.email).await?;
        let (id, told) = match (&change.what, before) {
            (StaffVerb::Add { .. }, Some(_)) => return Err(PeopleError::EmailTaken),
            (StaffVerb::Add { id, name, role, password }, None) => {
                staff::insert(conn, *id, &change.email, name, *role, password.0.clone(), true, now).await?;
                let after = json!({"email": change.email.as_str(), "name": name, "role": role.as_str()});
                (*id, (None, Some(after)))
            }
            (_, None) => return Err(PeopleError::NoAccount),
            (what, Some(before)) => {
                what.write(conn, &before, now).await?;
                let after = staff::lock_any(conn, &change.email).await?.ok_or(PeopleError::NoAccount)?;
                (before.id, (Some(audited(&before, what)), Some(audited(&after, what))))
            }
        };
        let (before, after) = told;
        let action = Action { action: change.what.action(), object: id.to_string(), before, after, result: DONE };
        Ok(audit::record(conn, author, action, now).await?)
    })
    .await;
    match made {
        Err(PeopleError::Db(error)) if error.is_conflict_on(staff::EMAIL_ONCE) => Err(PeopleError::EmailTaken),
        made => made,
    }
}

/// Whoever runs the console may change every account: they hold the database. Somebody of the staff may if they are an admin now.
async fn check_author(conn: &mut AsyncPgConnection, author: &Author, change: &StaffChange) -> Result<(), PeopleError> {
    let Some(person) = person_of(&author.actor) else { return Ok(()) };
    let admins = staff::lock_admins(conn).await?;
    let author_id = admins.iter().find(|admin| person.is(&admin.email, admin.id)).map(|admin| admin.id);
    let author_id = author_id.ok_or(PeopleError::NotAdmin)?;
    let subject = admins.iter().find(|admin| admin.email == change.email);
    if subject.is_some_and(|subject| subject.id == author_id) {
        return Err(PeopleError::Own);
    }
    let takes_an_admin = match change.what {
        StaffVerb::Disable => subject.is_some(),
        StaffVerb::Role(role) => subject.is_some() && role < KEEPS_STAFF,
        _ => false,
    };
    if takes_an_admin && admins.len() < 2 { Err(PeopleError::LastAdmin) } else { Ok(()) }
}

/// What the audit trail keeps of an account: no secret, and no hash of one. What a sign-in changes only where that is what is changed: a
/// change that waits is made if it begins where it began when it was asked for.
fn audited(account: &Account, what: &StaffVerb) -> Value {
    let mut told = json!({
        "email": account.email.as_str(),
        "name": account.name,
        "role": account.role.as_str(),
        "disabled_at": account.disabled_at,
        "must_change_password": account.must_change_password,
        "has_totp": account.totp_secret.is_some(),
    });
    if let (StaffVerb::Enable, Some(members)) = (what, told.as_object_mut()) {
        members.insert("locked_until".to_owned(), json!(account.attempts.locked_until));
        members.insert("active_at".to_owned(), json!(account.active_at));
    }
    told
}

impl Gateway {
    /// Whether somebody of the staff who asked for a change, on the dashboard or by their address on the console, may still have it made:
    /// they may sign in, and have that role. Others who ask, such as keys, are nobody of the staff.
    pub(super) async fn may_still_ask(&self, asked_by: &str, least: Role) -> Result<bool, GatewayError> {
        let console = asked_by.strip_prefix("cli:").map(str::parse::<Email>);
        let (email, id) = match (console, person_of(asked_by)) {
            (Some(Ok(email)), _) => (Some(email), None),
            (None, Some(person)) => (person.email(), Some(person)),
            // On the console, a name that is no address is nobody's account.
            (Some(Err(_)), _) | (None, None) => return Ok(true),
        };
        let mut conn = self.db.get().await?;
        let account = match (email, id) {
            (Some(email), _) => staff::find_any(&mut conn, &email).await?,
            (None, Some(person)) => staff::all(&mut conn).await?.into_iter().find(|one| person.is(&one.email, one.id)),
            (None, None) => None,
        };
        Ok(account.is_some_and(|account| account.disabled_at.is_none() && account.role >= least))
    }
}
