//! Signing in: the password first, then, where one is enrolled, the second factor. Each attempt is counted before it is looked at, and
//! every refusal takes the same time.
//!
//! That a password was right shows by the page that follows it, as everywhere; whoever knows a password has its account's ten guesses of a
//! code, and then the lock. Where somebody has signed in before, the browser has a cookie of its own (OWASP's device cookies): its failures
//! are counted by themselves, so that strangers who lock the account lock nobody out of the browsers that they know.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::accounts::is_unused;
use super::totp::{Authenticator, recovery_hash};
use super::{REFUSED, SessionToken, SignedIn, Staff, StaffError, note};
use crate::domain::staff::{
    Attempts, CODE_WAIT_MAX, DEVICE_AGE_MAX, DEVICES_MAX, Email, PASSWORD_CHARS, SESSION_AGE_MAX, actor_of,
};
use crate::gateway::access::audit::DONE;
use crate::store::error::DbError;
use crate::store::retry::transaction;
use crate::store::staff::{self, Account, NewSession, SessionOwner};
use crate::vault::{Context, Sealed, TOTP_COLUMN};

/// No refusal comes sooner: what the database and the hashing take differs by less than this.
const REFUSAL_TAKES_AT_LEAST: Duration = Duration::from_millis(250);
/// The longest user agent that is kept, in characters.
const USER_AGENT_CHARS_MAX: usize = 200;

/// Where somebody asks from.
#[derive(Clone, Debug, Default)]
pub struct From {
    /// The address of the peer.
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The browser's own cookie, if it has one.
    pub device: Option<SessionToken>,
}

/// What somebody typed first.
pub struct SignIn {
    pub email: String,
    pub password: SecretString,
    pub from: From,
    /// The session that this browser has now: it ends, so that nobody goes on with an old token.
    pub replaces: Option<SessionToken>,
}

/// How far somebody got.
#[derive(Debug)]
pub enum Entered {
    /// Signed in, in a browser that is known from now on.
    In { signed_in: SignedIn, device: SessionToken },
    /// The password was right: this token opens the page that asks for the second factor, for five minutes.
    NeedsCode(SessionToken),
}

/// Whose counter an attempt is counted by: the account's, or that of a device that is known to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Counter {
    Account,
    Device(Vec<u8>),
}

/// An attempt that is counted.
pub(super) struct Attempt {
    pub account: Account,
    counter: Counter,
    /// As this attempt left the counter.
    counted: Attempts,
}

/// What came of looking at a code.
enum Judged {
    In(SignedIn, SessionToken),
    Refused,
    Locked,
}

impl From {
    /// As the audit trail has it.
    pub fn origin(&self) -> Option<String> {
        self.ip.map(|ip| ip.to_canonical().to_string())
    }

    fn device_id(&self) -> Option<[u8; 32]> {
        self.device.as_ref().map(SessionToken::id)
    }
}

impl Staff {
    /// Looks at a password.
    ///
    /// # Errors
    /// [`StaffError::Refused`] for anything wrong with who or what was typed, [`StaffError::Busy`] when too many try at once.
    pub async fn sign_in(&self, form: SignIn) -> Result<Entered, StaffError> {
        alike(self.judge_password(form)).await
    }

    /// Looks at a code of the second factor, or at a recovery code. `pending` is what [`sign_in`](Self::sign_in) answered.
    ///
    /// # Errors
    /// [`StaffError::WrongCode`] where another may be tried; [`StaffError::Refused`] where signing in begins anew.
    pub async fn sign_in_code(&self, pending: &SessionToken, code: &str, from: &From) -> Result<Entered, StaffError> {
        alike(self.judge_code(pending, code, from)).await
    }

    /// Whether a browser is asked for a second factor.
    pub async fn is_pending(&self, pending: &SessionToken) -> Result<bool, StaffError> {
        let mut conn = self.db.get().await?;
        Ok(staff::find_pending(&mut conn, &pending.id(), self.clock.now()).await?.is_some())
    }

    async fn judge_password(&self, form: SignIn) -> Result<Entered, StaffError> {
        let is_long = form.password.expose_secret().chars().count() > *PASSWORD_CHARS.end();
        let password = if is_long { SecretString::default() } else { form.password.clone() };
        // Before the attempt is counted: an account isn't locked by a crowd that nobody listened to.
        let turn = self.passwords.turn().await?;
        let attempt = match form.email.parse::<Email>() {
            Ok(email) => self.begin_attempt(&email, &form.from).await?,
            Err(_) => None,
        };
        let hash = attempt.as_ref().map(|attempt| attempt.account.password_hash.clone());
        let matches = self.passwords.verify(&password, hash).await?;
        drop(turn);
        match attempt {
            Some(attempt) if matches && attempt.account.totp_secret.is_some() => self.ask_for_code(attempt, form).await,
            Some(attempt) if matches => {
                let replaces = form.replaces.as_ref();
                let (signed_in, device) = self.enter(&attempt, &form.from, replaces).await?;
                Ok(Entered::In { signed_in, device })
            }
            Some(attempt) => {
                self.note_refusal(&attempt, &form.from, "password").await?;
                Err(StaffError::Refused)
            }
            None => {
                let ip = form.from.origin();
                tracing::warn!(ip, "a sign-in to no account, or to one that is locked or unused, was refused");
                Err(StaffError::Refused)
            }
        }
    }

    /// The account whose password may be looked at, with this attempt counted. `None`: there is none, or it is locked or unused.
    async fn begin_attempt(&self, email: &Email, from: &From) -> Result<Option<Attempt>, StaffError> {
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let Some(account) = staff::lock_by_email(conn, email).await? else { return Ok(None) };
            Ok::<_, StaffError>(begin(conn, account, from.device_id().as_ref(), now).await?)
        })
        .await
    }

    /// The same for somebody who is signed in, and proves once more who they are.
    pub(super) async fn begin_own_attempt(&self, owner: &SessionOwner) -> Result<Option<Attempt>, StaffError> {
        let now = self.clock.now();
        let device: Option<[u8; 32]> = owner.device_id.as_deref().and_then(|id| id.try_into().ok());
        transaction(&self.db, async |conn| {
            let Some(account) = staff::lock(conn, owner.id).await? else { return Ok(None) };
            Ok::<_, StaffError>(begin(conn, account, device.as_ref(), now).await?)
        })
        .await
    }

    /// A password that was right isn't an attempt that failed.
    pub(super) async fn forget_attempt(&self, attempt: &Attempt) -> Result<(), StaffError> {
        let now = self.clock.now();
        transaction(&self.db, async |conn| Ok(take_back(conn, attempt, now).await?)).await
    }

    /// Notes an attempt that failed, and the lock that it brought.
    pub(super) async fn note_refusal(&self, attempt: &Attempt, from: &From, what: &str) -> Result<(), StaffError> {
        let account = &attempt.account;
        let author = self.author(actor_of(&account.email, account.id), from.origin()).await?;
        let now = self.clock.now();
        let (count, locked_until) = (attempt.counted.count, attempt.counted.locked_until);
        tracing::warn!(staff = %account.id, what, count, locked = locked_until.is_some(), ip = from.origin(), "a sign-in was refused");
        transaction(&self.db, async |conn| {
            let by = if attempt.counter == Counter::Account { "account" } else { "device" };
            let told = json!({"what": what, "counted_by": by, "count": count, "locked_until": locked_until});
            let action = if locked_until.is_some() { "staff.lock" } else { "staff.sign_in" };
            Ok(note(conn, &author, action, account.id, (None, Some(told)), REFUSED, now).await?)
        })
        .await
    }

    async fn ask_for_code(&self, attempt: Attempt, form: SignIn) -> Result<Entered, StaffError> {
        let token = SessionToken::random()?;
        let now = self.clock.now();
        let session = NewSession { is_pending: true, ..new_session(&token, &attempt.account, &form.from, now) };
        let session = NewSession { expires_at: now + CODE_WAIT_MAX, ..session };
        transaction(&self.db, async |conn| {
            take_back(conn, &attempt, now).await?;
            staff::delete_old_sessions(conn, now).await?;
            if let Some(old) = &form.replaces {
                staff::delete_session(conn, &old.id()).await?;
            }
            staff::insert_session(conn, session.clone(), now).await?;
            Ok::<_, StaffError>(())
        })
        .await?;
        Ok(Entered::NeedsCode(token))
    }

    async fn judge_code(&self, pending: &SessionToken, code: &str, from: &From) -> Result<Entered, StaffError> {
        let now = self.clock.now();
        let known = {
            let mut conn = self.db.get().await?;
            staff::find_pending(&mut conn, &pending.id(), now).await?
        };
        let id = known.ok_or(StaffError::Refused)?;
        let account: Result<_, StaffError> = transaction(&self.db, async |conn| Ok(staff::lock(conn, id).await?)).await;
        let account = account?.ok_or(StaffError::Refused)?;
        // Outside of the transaction: the key may be a service's.
        let authenticator = self.authenticator(&account).await?.ok_or(StaffError::Refused)?;
        let author = self.author(actor_of(&account.email, account.id), from.origin()).await?;
        let (token, device) = (SessionToken::random()?, SessionToken::random()?);
        let judged = transaction(&self.db, async |conn| {
            let Some(locked) = staff::lock(conn, id).await? else { return Ok(Judged::Locked) };
            // One that was asked twice at once was answered meanwhile, or reset.
            let is_same = locked.totp_secret == account.totp_secret;
            if !is_same || staff::find_pending(conn, &pending.id(), now).await? != Some(id) {
                return Ok(Judged::Locked);
            }
            let Some(attempt) = begin(conn, locked, from.device_id().as_ref(), now).await? else {
                staff::delete_session(conn, &pending.id()).await?;
                return Ok(Judged::Locked);
            };
            let Some(how) = take(conn, &attempt.account, &authenticator, code, now).await? else {
                let told = json!({"what": "code", "count": attempt.counted.count, "locked_until": attempt.counted.locked_until});
                let action = if attempt.counted.locked_until.is_some() { "staff.lock" } else { "staff.sign_in" };
                note(conn, &author, action, id, (None, Some(told)), REFUSED, now).await?;
                return Ok(Judged::Refused);
            };
            staff::delete_session(conn, &pending.id()).await?;
            let owner = write_entry(conn, &attempt, from, (&token, &device), now).await?;
            let told = json!({"second_factor": how, "role": attempt.account.role.as_str()});
            note(conn, &author, "staff.sign_in", id, (None, Some(told)), DONE, now).await?;
            Ok::<_, StaffError>(Judged::In(SignedIn { owner, token: token.clone() }, device.clone()))
        })
        .await?;
        match judged {
            Judged::In(signed_in, device) => {
                tracing::info!(staff = %id, "signed in");
                Ok(Entered::In { signed_in, device })
            }
            Judged::Refused => {
                tracing::warn!(staff = %id, ip = from.origin(), "a code was refused");
                Err(StaffError::WrongCode)
            }
            Judged::Locked => Err(StaffError::Refused),
        }
    }

    async fn enter(
        &self,
        attempt: &Attempt,
        from: &From,
        replaces: Option<&SessionToken>,
    ) -> Result<(SignedIn, SessionToken), StaffError> {
        let (token, device) = (SessionToken::random()?, SessionToken::random()?);
        let now = self.clock.now();
        let account = &attempt.account;
        let author = self.author(actor_of(&account.email, account.id), from.origin()).await?;
        let owner = transaction(&self.db, async |conn| {
            staff::delete_old_sessions(conn, now).await?;
            if let Some(old) = replaces {
                staff::delete_session(conn, &old.id()).await?;
            }
            let owner = write_entry(conn, attempt, from, (&token, &device), now).await?;
            let told = json!({"second_factor": null, "role": account.role.as_str()});
            note(conn, &author, "staff.sign_in", account.id, (None, Some(told)), DONE, now).await?;
            Ok::<_, StaffError>(owner)
        })
        .await?;
        tracing::info!(staff = %account.id, "signed in");
        Ok((SignedIn { owner, token }, device))
    }

    /// What an account's second factor is checked by; `None`: it has none.
    pub(super) async fn authenticator(&self, account: &Account) -> Result<Option<Authenticator>, StaffError> {
        let Some(sealed) = &account.totp_secret else { return Ok(None) };
        self.open_totp(account, sealed).await.map(Some)
    }

    pub(super) async fn open_totp(&self, account: &Account, sealed: &[u8]) -> Result<Authenticator, StaffError> {
        let secret = self.vault.open(&self.totp_place(account).await?, &Sealed(sealed.to_vec())).await?;
        Authenticator::new(&secret, account.email.as_str())
    }

    /// Where an account's secrets belong.
    pub(super) async fn totp_place(&self, account: &Account) -> Result<Context, StaffError> {
        let mode = account.sealed_mode.unwrap_or(self.policy.mode);
        let tenant = crate::domain::ids::Tenant { partner_id: self.house().await?, mode };
        Ok(Context { tenant, customer_id: None, record: account.id.0.into(), column: TOTP_COLUMN })
    }
}

/// Counts an attempt. `None`: the account, or the device, is locked, or the account is unused.
async fn begin(
    conn: &mut AsyncPgConnection,
    account: Account,
    device: Option<&[u8; 32]>,
    now: DateTime<Utc>,
) -> Result<Option<Attempt>, DbError> {
    if is_unused(&account, now) {
        return Ok(None);
    }
    let known = match device {
        Some(id) => staff::lock_device(conn, id, account.id, now).await?.map(|attempts| (id, attempts)),
        None => None,
    };
    if let Some((id, attempts)) = known {
        let Ok(counted) = attempts.begin(now) else { return Ok(None) };
        staff::write_device_attempts(conn, id, counted).await?;
        return Ok(Some(Attempt { account, counter: Counter::Device(id.to_vec()), counted }));
    }
    let Ok(counted) = account.attempts.begin(now) else { return Ok(None) };
    staff::write_attempts(conn, account.id, counted).await?;
    Ok(Some(Attempt { account, counter: Counter::Account, counted }))
}

/// Takes an attempt back that was right as far as it went.
async fn take_back(conn: &mut AsyncPgConnection, attempt: &Attempt, now: DateTime<Utc>) -> Result<(), DbError> {
    let Some(account) = staff::lock(conn, attempt.account.id).await? else { return Ok(()) };
    match &attempt.counter {
        Counter::Account => {
            staff::write_attempts(conn, account.id, account.attempts.take_back(attempt.counted)).await?;
        }
        Counter::Device(id) => {
            if let Some(attempts) = staff::lock_device(conn, id, account.id, now).await? {
                staff::write_device_attempts(conn, id, attempts.take_back(attempt.counted)).await?;
            }
        }
    }
    Ok(())
}

/// Takes a code, if it is right: how it was one. The account is locked by the caller.
pub(super) async fn take(
    conn: &mut AsyncPgConnection,
    account: &Account,
    authenticator: &Authenticator,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Option<&'static str>, DbError> {
    let plain: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(step) = authenticator.check(&plain, now.timestamp(), account.totp_step) {
        staff::write_totp_step(conn, account.id, step).await?;
        return Ok(Some("totp"));
    }
    match recovery_hash(&plain) {
        Some(hash) if staff::take_code(conn, account.id, &hash).await? => Ok(Some("recovery_code")),
        _ => Ok(None),
    }
}

/// Begins a session in a browser that is known from now on. What was counted by the same counter is forgotten, and nothing else: a lock
/// that strangers brought stays for strangers.
async fn write_entry(
    conn: &mut AsyncPgConnection,
    attempt: &Attempt,
    from: &From,
    (token, device): (&SessionToken, &SessionToken),
    now: DateTime<Utc>,
) -> Result<SessionOwner, DbError> {
    let account = &attempt.account;
    let old = match &attempt.counter {
        Counter::Account => {
            staff::write_attempts(conn, account.id, Attempts::default()).await?;
            None
        }
        Counter::Device(id) => Some(id.as_slice()),
    };
    staff::insert_device(conn, device.id(), account.id, old, (now, now + DEVICE_AGE_MAX), DEVICES_MAX).await?;
    let session = NewSession { device_id: Some(device.id().to_vec()), ..new_session(token, account, from, now) };
    staff::insert_session(conn, session, now).await?;
    staff::set_active(conn, account.id, now).await?;
    Ok(owner_of(account, Some(device.id().to_vec()), now))
}

pub(super) fn owner_of(account: &Account, device_id: Option<Vec<u8>>, proved_at: DateTime<Utc>) -> SessionOwner {
    SessionOwner {
        id: account.id,
        email: account.email.clone(),
        name: account.name.clone(),
        role: account.role,
        must_change_password: account.must_change_password,
        has_totp: account.totp_secret.is_some(),
        device_id,
        proved_at,
        // Of a session that only begins nothing is shown.
        zone: None,
    }
}

pub(super) fn new_session(token: &SessionToken, account: &Account, from: &From, now: DateTime<Utc>) -> NewSession {
    NewSession {
        id: token.id(),
        staff_id: account.id,
        expires_at: now + SESSION_AGE_MAX,
        ip: from.ip.map(|ip| ip.to_string()),
        user_agent: from.user_agent.as_ref().map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect()),
        is_pending: false,
        device_id: None,
    }
}

/// Refusals take the same time, whatever was wrong.
async fn alike<T>(judging: impl Future<Output = Result<T, StaffError>>) -> Result<T, StaffError> {
    let began = Instant::now();
    let result = judging.await;
    if matches!(result, Err(StaffError::Refused | StaffError::WrongCode)) {
        sleep_until(began + REFUSAL_TAKES_AT_LEAST).await;
    }
    result
}
