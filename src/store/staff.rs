//! Staff accounts and their sessions. A session is found by the hash of its token; the token never comes here.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::StaffId;
use crate::domain::staff::{Attempts, Email, Role};

/// The constraint that keeps an e-mail address to one account.
pub const EMAIL_ONCE: &str = "staff_email_once";

statement! {
    struct InsertStaff {
        id: StaffId as SqlUuid, email: Email as Text, name: String as Text, password_hash: String as Text, role: Role as Text,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO staff (id, email, name, password_hash, role, created_at) VALUES (?, ?, ?, ?, ?, ?)"
}

statement! {
    struct LockByEmail { email: Email as Text } -> StaffRow {
        id: StaffId as SqlUuid, email: Email as Text, name: String as Text, role: Role as Text, password_hash: String as Text,
        failed_count: i32 as Integer, locked_until: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT id, email, name, role, password_hash, failed_count, locked_until FROM staff \
         WHERE email = ? AND disabled_at IS NULL FOR UPDATE"
}

statement! {
    struct WriteAttempts {
        count: i32 as Integer, locked_until: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: StaffId as SqlUuid,
    } = "UPDATE staff SET failed_count = ?, locked_until = ? WHERE id = ?"
}

statement! {
    struct SetPassword { password_hash: String as Text, id: StaffId as SqlUuid }
        = "UPDATE staff SET password_hash = ?, failed_count = 0, locked_until = NULL WHERE id = ?"
}

statement! {
    struct InsertSession {
        id: Vec<u8> as Bytea, staff_id: StaffId as SqlUuid, created_at: DateTime<Utc> as Timestamptz,
        last_seen_at: DateTime<Utc> as Timestamptz, expires_at: DateTime<Utc> as Timestamptz,
        ip: Option<String> as Nullable<Text>, user_agent: Option<String> as Nullable<Text>,
    } = "INSERT INTO staff_session (id, staff_id, created_at, last_seen_at, expires_at, ip, user_agent) \
         VALUES (?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    /// Finds a living session and notes that it was used, in one step.
    struct TouchSession {
        now: DateTime<Utc> as Timestamptz, id: Vec<u8> as Bytea, alive_at: DateTime<Utc> as Timestamptz,
        seen_after: DateTime<Utc> as Timestamptz,
    } -> SessionRow { staff_id: StaffId as SqlUuid, email: Email as Text, name: String as Text, role: Role as Text }
      = "UPDATE staff_session s SET last_seen_at = ? FROM staff m \
         WHERE s.id = ? AND m.id = s.staff_id AND m.disabled_at IS NULL AND s.expires_at > ? AND s.last_seen_at > ? \
         RETURNING m.id, m.email, m.name, m.role"
}

statement! {
    struct DeleteSession { id: Vec<u8> as Bytea } = "DELETE FROM staff_session WHERE id = ?"
}

statement! {
    struct DeleteSessionsOf { staff_id: StaffId as SqlUuid } = "DELETE FROM staff_session WHERE staff_id = ?"
}

statement! {
    struct DeleteOldSessions { now: DateTime<Utc> as Timestamptz } = "DELETE FROM staff_session WHERE expires_at <= ?"
}

/// An account, as signing in looks at it. Its hash doesn't leave the use case.
pub struct Account {
    pub id: StaffId,
    pub email: Email,
    pub name: String,
    pub role: Role,
    pub password_hash: String,
    pub attempts: Attempts,
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOwner {
    pub id: StaffId,
    pub email: Email,
    pub name: String,
    pub role: Role,
}

/// A session to be written down.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// SHA-256 of the token.
    pub id: [u8; 32],
    pub staff_id: StaffId,
    pub expires_at: DateTime<Utc>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Writes an account down. [`EMAIL_ONCE`] refuses an address that is taken.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    id: StaffId,
    email: &Email,
    name: &str,
    role: Role,
    password_hash: String,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    InsertStaff { id, email: email.clone(), name: name.to_owned(), password_hash, role, now }.execute(conn).await?;
    Ok(())
}

/// The account of that address, locked against other attempts; disabled ones aren't found.
pub async fn lock_by_email(conn: &mut AsyncPgConnection, email: &Email) -> QueryResult<Option<Account>> {
    let row: Option<StaffRow> = LockByEmail { email: email.clone() }.get_result(conn).await.optional()?;
    Ok(row.map(|row| Account {
        id: row.id,
        email: row.email,
        name: row.name,
        role: row.role,
        password_hash: row.password_hash,
        attempts: Attempts { count: row.failed_count, locked_until: row.locked_until },
    }))
}

pub async fn write_attempts(conn: &mut AsyncPgConnection, id: StaffId, attempts: Attempts) -> QueryResult<()> {
    WriteAttempts { count: attempts.count, locked_until: attempts.locked_until, id }.execute(conn).await?;
    Ok(())
}

/// Sets a password, unlocks the account and ends its sessions.
pub async fn set_password(conn: &mut AsyncPgConnection, id: StaffId, password_hash: String) -> QueryResult<()> {
    SetPassword { password_hash, id }.execute(conn).await?;
    DeleteSessionsOf { staff_id: id }.execute(conn).await?;
    Ok(())
}

pub async fn insert_session(conn: &mut AsyncPgConnection, session: NewSession, now: DateTime<Utc>) -> QueryResult<()> {
    InsertSession {
        id: session.id.to_vec(),
        staff_id: session.staff_id,
        created_at: now,
        last_seen_at: now,
        expires_at: session.expires_at,
        ip: session.ip,
        user_agent: session.user_agent,
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// Whose session it is, if it is alive at `now` and was used after `seen_after`; it counts as used now.
pub async fn touch_session(
    conn: &mut AsyncPgConnection,
    id: &[u8; 32],
    now: DateTime<Utc>,
    seen_after: DateTime<Utc>,
) -> QueryResult<Option<SessionOwner>> {
    let row: Option<SessionRow> =
        TouchSession { now, id: id.to_vec(), alive_at: now, seen_after }.get_result(conn).await.optional()?;
    Ok(row.map(|row| SessionOwner { id: row.staff_id, email: row.email, name: row.name, role: row.role }))
}

pub async fn delete_session(conn: &mut AsyncPgConnection, id: &[u8; 32]) -> QueryResult<()> {
    DeleteSession { id: id.to_vec() }.execute(conn).await?;
    Ok(())
}

/// Forgets the sessions, of anybody, that are over by their age.
pub async fn delete_old_sessions(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    DeleteOldSessions { now }.execute(conn).await?;
    Ok(())
}
