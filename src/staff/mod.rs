//! Staff accounts and sessions, and what the dashboard looks at ([`desk`]). Signing in is judged here, once, for whatever face
//! asks; cookies and pages are `http`'s.
//!
//! A wrong password, an unknown address and a locked account are one answer that takes the same time.

pub mod accounts;
pub mod desk;
pub mod development;
pub mod moderation;
pub mod password;
pub mod session;
pub mod sign_in;

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::staff::EmailError;
use crate::store::error::DbError;
use crate::store::pool::Db;

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
    passwords: password::Passwords,
}

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
    #[error("there is an account with this e-mail address")]
    EmailTaken,
    #[error("a development account isn't made where live mode is served")]
    LiveMode,
    #[error("{path}: {source}")]
    PasswordFile { path: std::path::PathBuf, source: std::io::Error },
    #[error(transparent)]
    Db(#[from] DbError),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("hashing: {0}")]
    Hash(String),
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
            _ => false,
        }
    }
}

/// Whether a failure of the database says nothing but that it can't be reached now.
fn is_passing(error: &DbError) -> bool {
    matches!(error, DbError::Unavailable(_) | DbError::Timeout(_) | DbError::RetriesExhausted { .. })
}

impl Staff {
    /// Hashes once, for the answers to unknown addresses: takes some hundredths of a second.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Result<Self, StaffError> {
        Ok(Self { db, clock, passwords: password::Passwords::new()? })
    }
}
