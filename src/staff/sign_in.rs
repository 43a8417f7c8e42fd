//! Signing in. The attempt is counted before the password is looked at, and every refusal takes the same time.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep_until};

use super::{SessionToken, SignedIn, Staff, StaffError};
use crate::domain::staff::{Attempts, Email, PASSWORD_CHARS, SESSION_AGE_MAX};
use crate::store::retry::transaction;
use crate::store::staff::{self, Account, NewSession, SessionOwner};

/// No refusal comes sooner: what the database and the hashing take differs by less than this.
const REFUSAL_TAKES_AT_LEAST: Duration = Duration::from_millis(250);
/// The longest user agent that is kept, in characters.
const USER_AGENT_CHARS_MAX: usize = 200;

/// What somebody typed, and from where.
pub struct SignIn {
    pub email: String,
    pub password: SecretString,
    /// The address of the peer.
    pub ip: Option<std::net::IpAddr>,
    pub user_agent: Option<String>,
    /// The session that this browser has now: it ends, so that nobody goes on with an old token.
    pub replaces: Option<SessionToken>,
}

impl Staff {
    /// Begins a session under a new token.
    ///
    /// # Errors
    /// [`StaffError::Refused`] for anything wrong with who or what was typed, [`StaffError::Busy`] when too many try at once.
    pub async fn sign_in(&self, form: SignIn) -> Result<SignedIn, StaffError> {
        let began = Instant::now();
        let result = self.judge(form).await;
        if let Err(StaffError::Refused) = result {
            sleep_until(began + REFUSAL_TAKES_AT_LEAST).await;
        }
        result
    }

    async fn judge(&self, form: SignIn) -> Result<SignedIn, StaffError> {
        let is_long = form.password.expose_secret().chars().count() > *PASSWORD_CHARS.end();
        let password = if is_long { SecretString::default() } else { form.password.clone() };
        // Before the attempt is counted: an account isn't locked by a crowd that nobody listened to.
        let turn = self.passwords.turn().await?;
        let account = match form.email.parse::<Email>() {
            Ok(email) => self.begin_attempt(&email).await?,
            Err(_) => None,
        };
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let matches = self.passwords.verify(&password, hash).await?;
        drop(turn);
        match account {
            Some(account) if matches => self.begin_session(account, form).await,
            Some(account) => {
                tracing::info!(staff = %account.id, "a sign-in was refused");
                Err(StaffError::Refused)
            }
            None => Err(StaffError::Refused),
        }
    }

    /// The account whose password may be looked at, with this attempt counted. `None`: there is none, or it is locked.
    async fn begin_attempt(&self, email: &Email) -> Result<Option<Account>, StaffError> {
        transaction(&self.db, async |conn| {
            let Some(account) = staff::lock_by_email(conn, email).await? else { return Ok(None) };
            let Ok(attempts) = account.attempts.begin(self.clock.now()) else { return Ok(None) };
            staff::write_attempts(conn, account.id, attempts).await?;
            if attempts.locked_until.is_some() {
                tracing::warn!(staff = %account.id, "the last attempt before a lock");
            }
            Ok::<_, StaffError>(Some(account))
        })
        .await
    }

    async fn begin_session(&self, account: Account, form: SignIn) -> Result<SignedIn, StaffError> {
        let token = SessionToken::random()?;
        let now = self.clock.now();
        let session = NewSession {
            id: token.id(),
            staff_id: account.id,
            expires_at: now + SESSION_AGE_MAX,
            ip: form.ip.map(|ip| ip.to_string()),
            user_agent: form.user_agent.map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect()),
        };
        transaction(&self.db, async |conn| {
            staff::delete_old_sessions(conn, now).await?;
            if let Some(old) = &form.replaces {
                staff::delete_session(conn, &old.id()).await?;
            }
            staff::write_attempts(conn, account.id, Attempts::default()).await?;
            staff::insert_session(conn, session.clone(), now).await?;
            Ok::<_, StaffError>(())
        })
        .await?;
        tracing::info!(staff = %account.id, "signed in");
        let owner = SessionOwner { id: account.id, email: account.email, name: account.name, role: account.role };
        Ok(SignedIn { owner, token })
    }
}
