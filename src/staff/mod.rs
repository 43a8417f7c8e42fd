//! Staff accounts and sessions, and what the dashboard looks at ([`desk`]). Signing in is judged here, once, for whatever face
//! asks; cookies and pages are `http`'s.
//!
//! A wrong password, an unknown address, a locked and an unused account are one answer that takes the same time. Who signed in, who was
//! refused, and each change of an account stand in the house's audit trail.

pub mod accounts;
pub mod approvals;
pub mod balances;
pub mod books;
pub mod desk;
pub mod development;
pub mod lists;
pub mod live;
pub mod manage;
pub mod moderation;
pub mod own;
pub mod password;
pub mod people;
pub mod pulse;
pub mod schemes;
pub mod session;
pub mod sign_in;
pub mod terms;
pub mod totp;
pub mod webhooks;

use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::clock::Clock;
use crate::config::gateway::HOUSE;
use crate::domain::ids::{Mode, PartnerId, StaffId, Tenant};
use crate::domain::staff::EmailError;
use crate::gateway::access::audit::{self, Action, Author};
use crate::gateway::people::PeopleError;
use crate::store::error::DbError;
use crate::store::partners;
use crate::store::pool::Db;
use crate::vault::{Vault, VaultError};

pub use development::DevelopmentAdmin;
pub use session::{SessionToken, SignedIn};

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct RandomError;

/// What the use cases of staff accounts need.
pub struct Staff {
    db: Db,
    clock: Arc<dyn Clock>,
    vault: Arc<Vault>,
    passwords: password::Passwords,
    policy: Policy,
    house: OnceCell<PartnerId>,
}

/// What is asked of everybody who signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Without a second factor nothing is shown but the page on which one is enrolled.
    pub needs_totp: bool,
    /// Staff belong to no mode; what is written down of them names this one: live where it is served.
    pub mode: Mode,
}

/// How an action that was refused is noted in the audit trail.
const REFUSED: &str = "refused";

/// Why something about a staff account wasn't done.
#[derive(Debug, thiserror::Error)]
pub enum StaffError {
    /// Which of these it is, nobody is told.
    #[error("no such account, a wrong password, or a locked account")]
    Refused,
    /// Too many sign-ins are being looked at. Nothing was counted.
    #[error("too many sign-ins at once")]
    Busy,
    #[error(transparent)]
    Email(#[from] EmailError),
    #[error("a name has 1 to 200 characters")]
    Name,
    #[error("a password has 12 to 128 characters")]
    PasswordLength,
    #[error("a password needs letters and digits")]
    PasswordKinds,
    #[error("this password is too easily guessed: make it longer, of words that don't belong together")]
    PasswordWeak,
    #[error("this password was used before")]
    PasswordUsed,
    #[error("there is an account with this e-mail address")]
    EmailTaken,
    #[error("there is no account with this e-mail address")]
    NoAccount,
    /// What an admin may not do to this account, or not now.
    #[error("{0}")]
    NotSo(String),
    /// What was shown is too old, or was proved already.
    #[error("there is no secret to be proved: begin again")]
    NothingOffered,
    #[error("the code is wrong: mind the clock of the device, and take the next one")]
    WrongCode,
    #[error("one-time passwords: {0}")]
    Totp(String),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("a development account isn't made where live mode is served")]
    LiveMode,
    #[error("{path}: {source}")]
    PasswordFile { path: std::path::PathBuf, source: std::io::Error },
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the house isn't among the partners")]
    NoHouse,
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("there is no such time zone")]
    Zone,
    #[error("hashing: {0}")]
    Hash(String),
    #[error("asking for a second person: {0}")]
    Gateway(crate::gateway::GatewayError),
}

impl From<PeopleError> for StaffError {
    fn from(error: PeopleError) -> Self {
        match error {
            PeopleError::NoAccount => StaffError::NoAccount,
            PeopleError::EmailTaken => StaffError::EmailTaken,
            PeopleError::Own | PeopleError::LastAdmin | PeopleError::NotAdmin => StaffError::NotSo(error.to_string()),
            PeopleError::Db(error) => StaffError::Db(error),
        }
    }
}

impl From<diesel::result::Error> for StaffError {
    fn from(error: diesel::result::Error) -> Self {
        StaffError::Db(error.into())
    }
}

crate::transaction_error!(StaffError::Db);

impl StaffError {
    /// Whether the same may work a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            StaffError::Busy => true,
            StaffError::Db(error) => is_passing(error),
            StaffError::Gateway(error) => is_passing_failure(error),
            _ => false,
        }
    }
}

/// Whether a failure of the gateway's is of the database, which can't be reached now.
pub fn is_passing_failure(error: &crate::gateway::GatewayError) -> bool {
    matches!(error, crate::gateway::GatewayError::Db(error) if is_passing(error))
}

/// Whether a failure of the database says nothing but that it can't be reached now.
fn is_passing(error: &DbError) -> bool {
    matches!(error, DbError::Unavailable(_) | DbError::Timeout(_) | DbError::RetriesExhausted { .. })
}

impl Staff {
    /// Hashes once, for the answers to unknown addresses: takes some hundredths of a second.
    pub fn new(db: Db, clock: Arc<dyn Clock>, vault: Arc<Vault>, policy: Policy) -> Result<Self, StaffError> {
        let passwords = password::Passwords::new()?;
        Ok(Self { db, clock, vault, passwords, policy, house: OnceCell::new() })
    }

    /// Whom staff's own rows of the audit trail, and their sealed secrets, belong to.
    async fn house(&self) -> Result<PartnerId, StaffError> {
        let find = async || {
            let mut conn = self.db.get().await?;
            let all = partners::all(&mut conn).await?;
            let house = all.into_iter().find(|partner| partner.code == HOUSE);
            house.map(|partner| partner.id).ok_or(StaffError::NoHouse)
        };
        Ok(*self.house.get_or_try_init(find).await?)
    }

    /// Whoever typed a command, for the audit trail.
    pub async fn console(&self, actor: String) -> Result<Author, StaffError> {
        self.author(actor, None).await
    }

    async fn author(&self, actor: String, origin: Option<String>) -> Result<Author, StaffError> {
        let tenant = Tenant { partner_id: self.house().await?, mode: self.policy.mode };
        Ok(Author::new(tenant, actor, origin))
    }
}

/// Notes something about an account in the audit trail, in the transaction of the change itself. Call it last: it locks the chain.
async fn note(
    conn: &AsyncPgConnection,
    author: &Author,
    action: &'static str,
    id: StaffId,
    (before, after): (Option<Value>, Option<Value>),
    result: &'static str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), DbError> {
    audit::record(conn, author, Action { action, object: id.to_string(), before, after, result }, now).await
}
