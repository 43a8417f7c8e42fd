//! Staff accounts and their sessions. A session is found by the hash of its token; the token never comes here.

use chrono::{DateTime, Utc};
use diesel::query_builder::Query;
use diesel::sql_types::{BigInt, Bool, Bytea, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, StaffId, Tenant};
use crate::domain::staff::{Attempts, Email, Role};

/// The constraint that keeps an e-mail address to one account.
pub const EMAIL_ONCE: &str = "staff_email_once";

type AccountSql = (
    SqlUuid,
    Text,
    Text,
    Text,
    Text,
    Integer,
    Nullable<Timestamptz>,
    Bool,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Nullable<Bytea>,
    Nullable<BigInt>,
    Nullable<Bytea>,
    Nullable<Timestamptz>,
    Timestamptz,
);

macro_rules! account_sql {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, role, password_hash, failed_count, locked_until, must_change_password, active_at, disabled_at, \
             mode, totp_secret, totp_step, totp_offered, totp_offered_at, created_at FROM staff ",
            $rest
        )
    };
}

statement! {
    struct InsertStaff {
        id: StaffId as SqlUuid, email: Email as Text, name: String as Text, password_hash: String as Text, role: Role as Text,
        must_change: bool as Bool, created_at: DateTime<Utc> as Timestamptz, password_at: DateTime<Utc> as Timestamptz,
        active_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO staff (id, email, name, password_hash, role, must_change_password, created_at, password_changed_at, active_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct LockByEmail { email: Email as Text } => AccountSql = account_sql!("WHERE email = ? FOR UPDATE")
}

statement! {
    struct LockById { id: StaffId as SqlUuid } => AccountSql = account_sql!("WHERE id = ? FOR UPDATE")
}

statement! {
    struct FindByEmail { email: Email as Text } => AccountSql = account_sql!("WHERE email = ?")
}

statement! {
    /// In one order, so that two who lock them wait for each other.
    struct LockAdmins {} => AccountSql = account_sql!("WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE")
}

statement! {
    struct All {} => AccountSql = account_sql!("ORDER BY email")
}

statement! {
    struct WriteAttempts {
        count: i32 as Integer, locked_until: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: StaffId as SqlUuid,
    } = "UPDATE staff SET failed_count = ?, locked_until = ? WHERE id = ?"
}

statement! {
    struct WriteDeviceAttempts {
        count: i32 as Integer, locked_until: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: Vec<u8> as Bytea,
    } = "UPDATE staff_device SET failed_count = ?, locked_until = ? WHERE id = ?"
}

statement! {
    struct LockDevice { id: Vec<u8> as Bytea, staff_id: StaffId as SqlUuid, now: DateTime<Utc> as Timestamptz } -> DeviceRow {
        failed_count: i32 as Integer, locked_until: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT failed_count, locked_until FROM staff_device WHERE id = ? AND staff_id = ? AND expires_at > ? FOR UPDATE"
}

statement! {
    struct InsertDevice {
        id: Vec<u8> as Bytea, staff_id: StaffId as SqlUuid, created_at: DateTime<Utc> as Timestamptz,
        expires_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO staff_device (id, staff_id, created_at, expires_at) VALUES (?, ?, ?, ?)"
}

statement! {
    struct DeleteDevice { id: Vec<u8> as Bytea, staff_id: StaffId as SqlUuid }
        = "DELETE FROM staff_device WHERE id = ? AND staff_id = ?"
}

statement! {
    /// All but the youngest, and those that are over.
    struct TrimDevices { staff_id: StaffId as SqlUuid, now: DateTime<Utc> as Timestamptz, of: StaffId as SqlUuid, kept: i64 as BigInt }
        = "DELETE FROM staff_device WHERE staff_id = ? AND (expires_at <= ? OR id NOT IN ( \
             SELECT id FROM staff_device WHERE staff_id = ? ORDER BY created_at DESC, id LIMIT ?))"
}

statement! {
    struct DeleteDevicesOf { staff_id: StaffId as SqlUuid } = "DELETE FROM staff_device WHERE staff_id = ?"
}

statement! {
    struct SetPassword { password_hash: String as Text, must_change: bool as Bool, now: DateTime<Utc> as Timestamptz, id: StaffId as SqlUuid }
        = "UPDATE staff SET password_hash = ?, must_change_password = ?, password_changed_at = ?, failed_count = 0, locked_until = NULL \
           WHERE id = ?"
}

statement! {
    struct RememberPassword { now: DateTime<Utc> as Timestamptz, id: StaffId as SqlUuid }
        = "INSERT INTO staff_password (staff_id, replaced_at, password_hash) SELECT id, ?, password_hash FROM staff WHERE id = ? \
           ON CONFLICT DO NOTHING"
}

statement! {
    struct TrimPasswords { id: StaffId as SqlUuid, of: StaffId as SqlUuid, kept: i64 as BigInt }
        = "DELETE FROM staff_password WHERE staff_id = ? AND (replaced_at, password_hash) NOT IN ( \
             SELECT replaced_at, password_hash FROM staff_password WHERE staff_id = ? \
             ORDER BY replaced_at DESC, password_hash LIMIT ?)"
}

statement! {
    struct EarlierPasswords { id: StaffId as SqlUuid } -> PasswordRow { password_hash: String as Text }
        = "SELECT password_hash FROM staff_password WHERE staff_id = ?"
}

statement! {
    struct SetActive { now: DateTime<Utc> as Timestamptz, id: StaffId as SqlUuid } = "UPDATE staff SET active_at = ? WHERE id = ?"
}

statement! {
    struct SetDisabled { disabled_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: StaffId as SqlUuid }
        = "UPDATE staff SET disabled_at = ? WHERE id = ?"
}

statement! {
    struct SetRole { role: Role as Text, id: StaffId as SqlUuid } = "UPDATE staff SET role = ? WHERE id = ?"
}

statement! {
    struct SetZone { zone: Option<String> as Nullable<Text>, id: StaffId as SqlUuid } = "UPDATE staff SET zone = ? WHERE id = ?"
}

statement! {
    struct OfferTotp {
        sealed: Vec<u8> as Bytea, now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        id: StaffId as SqlUuid,
    } = "UPDATE staff SET totp_offered = ?, totp_offered_at = ?, partner_id = ?, mode = ? WHERE id = ?"
}

statement! {
    struct EnrolTotp { now: DateTime<Utc> as Timestamptz, step: i64 as BigInt, id: StaffId as SqlUuid }
        = "UPDATE staff SET totp_secret = totp_offered, totp_enrolled_at = ?, totp_step = ?, totp_offered = NULL, totp_offered_at = NULL \
           WHERE id = ? AND totp_offered IS NOT NULL"
}

statement! {
    struct WriteTotpStep { step: i64 as BigInt, id: StaffId as SqlUuid } = "UPDATE staff SET totp_step = ? WHERE id = ?"
}

statement! {
    struct ResetTotp { id: StaffId as SqlUuid }
        = "UPDATE staff SET totp_secret = NULL, totp_enrolled_at = NULL, totp_step = NULL, totp_offered = NULL, totp_offered_at = NULL \
           WHERE id = ?"
}

statement! {
    struct DeleteCodes { id: StaffId as SqlUuid } = "DELETE FROM staff_recovery_code WHERE staff_id = ?"
}

statement! {
    struct InsertCode { id: StaffId as SqlUuid, hash: Vec<u8> as Bytea }
        = "INSERT INTO staff_recovery_code (staff_id, code_hash) VALUES (?, ?)"
}

statement! {
    struct TakeCode { id: StaffId as SqlUuid, hash: Vec<u8> as Bytea }
        = "DELETE FROM staff_recovery_code WHERE staff_id = ? AND code_hash = ?"
}

statement! {
    struct CountCodes { id: StaffId as SqlUuid } -> CountRow { count: i64 as BigInt }
        = "SELECT count(*) FROM staff_recovery_code WHERE staff_id = ?"
}

statement! {
    struct InsertSession {
        id: Vec<u8> as Bytea, staff_id: StaffId as SqlUuid, created_at: DateTime<Utc> as Timestamptz,
        last_seen_at: DateTime<Utc> as Timestamptz, expires_at: DateTime<Utc> as Timestamptz,
        ip: Option<String> as Nullable<Text>, user_agent: Option<String> as Nullable<Text>, is_pending: bool as Bool,
        device_id: Option<Vec<u8>> as Nullable<Bytea>,
    } = "INSERT INTO staff_session (id, staff_id, created_at, last_seen_at, expires_at, ip, user_agent, is_pending, device_id) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    /// Finds a living session and notes that it was used, in one step.
    struct TouchSession {
        now: DateTime<Utc> as Timestamptz, id: Vec<u8> as Bytea, alive_at: DateTime<Utc> as Timestamptz,
        seen_after: DateTime<Utc> as Timestamptz,
    } -> SessionRow {
        staff_id: StaffId as SqlUuid, email: Email as Text, name: String as Text, role: Role as Text, must_change: bool as Bool,
        has_totp: bool as Bool, device_id: Option<Vec<u8>> as Nullable<Bytea>, proved_at: DateTime<Utc> as Timestamptz,
        zone: Option<String> as Nullable<Text>,
    } = "UPDATE staff_session s SET last_seen_at = ? FROM staff m \
         WHERE s.id = ? AND m.id = s.staff_id AND m.disabled_at IS NULL AND s.expires_at > ? AND s.last_seen_at > ? AND NOT s.is_pending \
         RETURNING m.id, m.email, m.name, m.role, m.must_change_password, m.totp_secret IS NOT NULL, s.device_id, \
             COALESCE(s.proved_at, s.created_at), m.zone"
}

statement! {
    /// The same, and it doesn't count as used.
    struct SeeSession {
        id: Vec<u8> as Bytea, alive_at: DateTime<Utc> as Timestamptz, seen_after: DateTime<Utc> as Timestamptz,
    } => <TouchSession as Query>::SqlType
      = "SELECT m.id, m.email, m.name, m.role, m.must_change_password, m.totp_secret IS NOT NULL, s.device_id, \
             COALESCE(s.proved_at, s.created_at), m.zone \
         FROM staff_session s JOIN staff m ON m.id = s.staff_id \
         WHERE s.id = ? AND m.disabled_at IS NULL AND s.expires_at > ? AND s.last_seen_at > ? AND NOT s.is_pending"
}

statement! {
    struct FindPending { id: Vec<u8> as Bytea, now: DateTime<Utc> as Timestamptz } -> PendingRow { staff_id: StaffId as SqlUuid }
      = "SELECT s.staff_id FROM staff_session s JOIN staff m ON m.id = s.staff_id \
         WHERE s.id = ? AND s.is_pending AND s.expires_at > ? AND m.disabled_at IS NULL"
}

statement! {
    struct ProveSession { now: DateTime<Utc> as Timestamptz, id: Vec<u8> as Bytea } = "UPDATE staff_session SET proved_at = ? WHERE id = ?"
}

statement! {
    struct DeleteSession { id: Vec<u8> as Bytea } = "DELETE FROM staff_session WHERE id = ?"
}

statement! {
    struct DeleteSessionsOf { staff_id: StaffId as SqlUuid } = "DELETE FROM staff_session WHERE staff_id = ?"
}

statement! {
    /// The living ones, those used last first.
    struct SessionsOf {
        staff_id: StaffId as SqlUuid, alive_at: DateTime<Utc> as Timestamptz, seen_after: DateTime<Utc> as Timestamptz,
    } -> /// A session that somebody may see and end.
    pub OpenSession {
        id: Vec<u8> as Bytea, created_at: DateTime<Utc> as Timestamptz, last_seen_at: DateTime<Utc> as Timestamptz,
        ip: Option<String> as Nullable<Text>, user_agent: Option<String> as Nullable<Text>,
    } = "SELECT id, created_at, last_seen_at, ip, user_agent FROM staff_session \
         WHERE staff_id = ? AND expires_at > ? AND last_seen_at > ? AND NOT is_pending ORDER BY last_seen_at DESC, id"
}

statement! {
    struct EndSession { staff_id: StaffId as SqlUuid, id: Vec<u8> as Bytea }
        = "DELETE FROM staff_session WHERE staff_id = ? AND id = ?"
}

statement! {
    struct EndOtherSessions { staff_id: StaffId as SqlUuid, id: Vec<u8> as Bytea }
        = "DELETE FROM staff_session WHERE staff_id = ? AND id <> ?"
}

statement! {
    struct DeleteOldSessions { now: DateTime<Utc> as Timestamptz } = "DELETE FROM staff_session WHERE expires_at <= ?"
}

/// An account. Its hash doesn't leave the use case.
#[derive(Clone)]
pub struct Account {
    pub id: StaffId,
    pub email: Email,
    pub name: String,
    pub role: Role,
    pub password_hash: String,
    pub attempts: Attempts,
    pub must_change_password: bool,
    /// When it was last signed in to, made or enabled.
    pub active_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
    /// The mode of the house's data key that the secrets below are sealed under.
    pub sealed_mode: Option<Mode>,
    /// The second factor's secret, sealed.
    pub totp_secret: Option<Vec<u8>>,
    /// The time step of the last code that was taken.
    pub totp_step: Option<i64>,
    /// A secret that was shown and not proved yet, sealed, and when.
    pub totp_offered: Option<(Vec<u8>, DateTime<Utc>)>,
    pub created_at: DateTime<Utc>,
}

type AccountTuple = (
    StaffId,
    Email,
    String,
    Role,
    String,
    i32,
    Option<DateTime<Utc>>,
    bool,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<Mode>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
);

impl From<AccountTuple> for Account {
    fn from(row: AccountTuple) -> Self {
        let (
            id,
            email,
            name,
            role,
            password_hash,
            count,
            locked_until,
            must_change_password,
            active_at,
            disabled_at,
            ..,
        ) = row;
        let (.., sealed_mode, totp_secret, totp_step, offered, offered_at, created_at) = row;
        let attempts = Attempts { count, locked_until };
        let totp_offered = offered.zip(offered_at);
        Self {
            id,
            email,
            name,
            role,
            password_hash,
            attempts,
            must_change_password,
            active_at,
            disabled_at,
            sealed_mode,
            totp_secret,
            totp_step,
            totp_offered,
            created_at,
        }
    }
}

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOwner {
    pub id: StaffId,
    pub email: Email,
    pub name: String,
    pub role: Role,
    /// Somebody else chose the password.
    pub must_change_password: bool,
    /// Whether a second factor is enrolled.
    pub has_totp: bool,
    /// The device that the sign-in was counted by.
    pub device_id: Option<Vec<u8>>,
    /// When they proved last who they are: at the sign-in, or since.
    pub proved_at: DateTime<Utc>,
    /// The zone that they want times in beside UTC.
    pub zone: Option<String>,
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
    /// The second factor is still asked for.
    pub is_pending: bool,
    pub device_id: Option<Vec<u8>>,
}

/// Writes an account down. [`EMAIL_ONCE`] refuses an address that is taken.
#[expect(clippy::too_many_arguments, reason = "a row, written in one place")]
pub async fn insert(
    conn: &mut AsyncPgConnection,
    id: StaffId,
    email: &Email,
    name: &str,
    role: Role,
    password_hash: String,
    must_change: bool,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    InsertStaff {
        id,
        email: email.clone(),
        name: name.to_owned(),
        password_hash,
        role,
        must_change,
        created_at: now,
        password_at: now,
        active_at: now,
    }
    .execute(conn)
    .await?;
    Ok(())
}

/// The account of that address, locked against other attempts; disabled ones aren't found.
pub async fn lock_by_email(conn: &mut AsyncPgConnection, email: &Email) -> QueryResult<Option<Account>> {
    Ok(lock_any(conn, email).await?.filter(|account| account.disabled_at.is_none()))
}

/// The account of that address, disabled or not.
pub async fn lock_any(conn: &mut AsyncPgConnection, email: &Email) -> QueryResult<Option<Account>> {
    let row: Option<AccountTuple> = LockByEmail { email: email.clone() }.get_result(conn).await.optional()?;
    Ok(row.map(Account::from))
}

/// The account of that address, disabled or not, not locked.
pub async fn find_any(conn: &mut AsyncPgConnection, email: &Email) -> QueryResult<Option<Account>> {
    let row: Option<AccountTuple> = FindByEmail { email: email.clone() }.get_result(conn).await.optional()?;
    Ok(row.map(Account::from))
}

/// All admins who may sign in, locked.
pub async fn lock_admins(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Account>> {
    let rows: Vec<AccountTuple> = LockAdmins {}.load(conn).await?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// The account with that id, locked; disabled ones aren't found.
pub async fn lock(conn: &mut AsyncPgConnection, id: StaffId) -> QueryResult<Option<Account>> {
    let row: Option<AccountTuple> = LockById { id }.get_result(conn).await.optional()?;
    Ok(row.map(Account::from).filter(|account| account.disabled_at.is_none()))
}

/// All accounts, by address.
pub async fn all(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Account>> {
    let rows: Vec<AccountTuple> = All {}.load(conn).await?;
    Ok(rows.into_iter().map(Account::from).collect())
}

/// The attempts counted by a device that is known to that account, locked. `None`: it is unknown, another's, or too old.
pub async fn lock_device(
    conn: &mut AsyncPgConnection,
    device_id: &[u8],
    staff_id: StaffId,
    now: DateTime<Utc>,
) -> QueryResult<Option<Attempts>> {
    let row: Option<DeviceRow> =
        LockDevice { id: device_id.to_vec(), staff_id, now }.get_result(conn).await.optional()?;
    Ok(row.map(|row| Attempts { count: row.failed_count, locked_until: row.locked_until }))
}

pub async fn write_device_attempts(conn: &mut AsyncPgConnection, id: &[u8], attempts: Attempts) -> QueryResult<()> {
    WriteDeviceAttempts { count: attempts.count, locked_until: attempts.locked_until, id: id.to_vec() }
        .execute(conn)
        .await?;
    Ok(())
}

/// Makes a device known to an account, in place of `replaces`; the oldest beyond `kept` are forgotten.
pub async fn insert_device(
    conn: &mut AsyncPgConnection,
    id: [u8; 32],
    staff_id: StaffId,
    replaces: Option<&[u8]>,
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
    kept: i64,
) -> QueryResult<()> {
    if let Some(old) = replaces {
        DeleteDevice { id: old.to_vec(), staff_id }.execute(conn).await?;
    }
    InsertDevice { id: id.to_vec(), staff_id, created_at: now, expires_at }.execute(conn).await?;
    TrimDevices { staff_id, now, of: staff_id, kept }.execute(conn).await?;
    Ok(())
}

pub async fn delete_devices_of(conn: &mut AsyncPgConnection, staff_id: StaffId) -> QueryResult<()> {
    DeleteDevicesOf { staff_id }.execute(conn).await?;
    Ok(())
}

/// The hashes of the passwords before the one in force.
pub async fn earlier_passwords(conn: &mut AsyncPgConnection, id: StaffId) -> QueryResult<Vec<String>> {
    let rows: Vec<PasswordRow> = EarlierPasswords { id }.load(conn).await?;
    Ok(rows.into_iter().map(|row| row.password_hash).collect())
}

pub async fn set_active(conn: &mut AsyncPgConnection, id: StaffId, now: DateTime<Utc>) -> QueryResult<()> {
    SetActive { now, id }.execute(conn).await?;
    Ok(())
}

/// Disables an account and ends its sessions, or enables it.
pub async fn set_disabled(conn: &mut AsyncPgConnection, id: StaffId, at: Option<DateTime<Utc>>) -> QueryResult<()> {
    SetDisabled { disabled_at: at, id }.execute(conn).await?;
    DeleteSessionsOf { staff_id: id }.execute(conn).await?;
    Ok(())
}

pub async fn set_role(conn: &mut AsyncPgConnection, id: StaffId, role: Role) -> QueryResult<()> {
    SetRole { role, id }.execute(conn).await?;
    Ok(())
}

/// In which zone times are told beside UTC.
pub async fn set_zone(conn: &mut AsyncPgConnection, id: StaffId, zone: Option<String>) -> QueryResult<()> {
    SetZone { zone, id }.execute(conn).await?;
    Ok(())
}

/// Keeps a secret that is shown now, sealed under `tenant`'s data key.
pub async fn offer_totp(
    conn: &mut AsyncPgConnection,
    id: StaffId,
    sealed: Vec<u8>,
    tenant: Tenant,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    OfferTotp { sealed, now, partner_id: tenant.partner_id, mode: tenant.mode, id }.execute(conn).await?;
    Ok(())
}

/// The secret that was shown is the account's, from a code of `step` on, with these recovery codes.
pub async fn enrol_totp(
    conn: &mut AsyncPgConnection,
    id: StaffId,
    step: i64,
    codes: Vec<[u8; 32]>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    EnrolTotp { now, step, id }.execute(conn).await?;
    DeleteCodes { id }.execute(conn).await?;
    for hash in codes {
        InsertCode { id, hash: hash.to_vec() }.execute(conn).await?;
    }
    Ok(())
}

pub async fn write_totp_step(conn: &mut AsyncPgConnection, id: StaffId, step: i64) -> QueryResult<()> {
    WriteTotpStep { step, id }.execute(conn).await?;
    Ok(())
}

/// Forgets the second factor and its recovery codes, and ends all sessions.
pub async fn reset_totp(conn: &mut AsyncPgConnection, id: StaffId) -> QueryResult<()> {
    ResetTotp { id }.execute(conn).await?;
    DeleteCodes { id }.execute(conn).await?;
    DeleteSessionsOf { staff_id: id }.execute(conn).await?;
    Ok(())
}

/// Uses a recovery code up, if it is one of the account's.
pub async fn take_code(conn: &mut AsyncPgConnection, id: StaffId, hash: &[u8; 32]) -> QueryResult<bool> {
    Ok(TakeCode { id, hash: hash.to_vec() }.execute(conn).await? == 1)
}

/// How many recovery codes are left.
pub async fn count_codes(conn: &mut AsyncPgConnection, id: StaffId) -> QueryResult<i64> {
    let row: CountRow = CountCodes { id }.get_result(conn).await?;
    Ok(row.count)
}

pub async fn write_attempts(conn: &mut AsyncPgConnection, id: StaffId, attempts: Attempts) -> QueryResult<()> {
    WriteAttempts { count: attempts.count, locked_until: attempts.locked_until, id }.execute(conn).await?;
    Ok(())
}

/// Sets a password, unlocks the account and ends its sessions. The one before it is remembered, with `remembered` in all.
pub async fn set_password(
    conn: &mut AsyncPgConnection,
    id: StaffId,
    password_hash: String,
    must_change: bool,
    remembered: usize,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    RememberPassword { now, id }.execute(conn).await?;
    TrimPasswords { id, of: id, kept: i64::try_from(remembered).unwrap_or(i64::MAX) }.execute(conn).await?;
    SetPassword { password_hash, must_change, now, id }.execute(conn).await?;
    DeleteSessionsOf { staff_id: id }.execute(conn).await?;
    Ok(())
}

/// Ends all sessions of an account.
pub async fn delete_sessions_of(conn: &mut AsyncPgConnection, staff_id: StaffId) -> QueryResult<()> {
    DeleteSessionsOf { staff_id }.execute(conn).await?;
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
        is_pending: session.is_pending,
        device_id: session.device_id,
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
    Ok(row.map(owner_of))
}

/// The same, and it doesn't count as used: for what a page asks by itself while nobody does anything.
pub async fn see_session(
    conn: &mut AsyncPgConnection,
    id: &[u8; 32],
    now: DateTime<Utc>,
    seen_after: DateTime<Utc>,
) -> QueryResult<Option<SessionOwner>> {
    let row: Option<SessionRow> =
        SeeSession { id: id.to_vec(), alive_at: now, seen_after }.get_result(conn).await.optional()?;
    Ok(row.map(owner_of))
}

fn owner_of(row: SessionRow) -> SessionOwner {
    SessionOwner {
        id: row.staff_id,
        email: row.email,
        name: row.name,
        role: row.role,
        must_change_password: row.must_change,
        has_totp: row.has_totp,
        device_id: row.device_id,
        proved_at: row.proved_at,
        zone: row.zone,
    }
}

/// Whose second factor a session still asks for.
pub async fn find_pending(
    conn: &mut AsyncPgConnection,
    id: &[u8; 32],
    now: DateTime<Utc>,
) -> QueryResult<Option<StaffId>> {
    let row: Option<PendingRow> = FindPending { id: id.to_vec(), now }.get_result(conn).await.optional()?;
    Ok(row.map(|row| row.staff_id))
}

/// Notes that whoever the session is has proved who they are.
pub async fn prove_session(conn: &mut AsyncPgConnection, id: &[u8; 32], now: DateTime<Utc>) -> QueryResult<()> {
    ProveSession { now, id: id.to_vec() }.execute(conn).await?;
    Ok(())
}

pub async fn delete_session(conn: &mut AsyncPgConnection, id: &[u8; 32]) -> QueryResult<()> {
    DeleteSession { id: id.to_vec() }.execute(conn).await?;
    Ok(())
}

/// Forgets the sessions, of anybody, that are over by their age.
/// The sessions of an account that were used after `seen_after` and aren't over.
pub async fn sessions_of(
    conn: &mut AsyncPgConnection,
    staff_id: StaffId,
    now: DateTime<Utc>,
    seen_after: DateTime<Utc>,
) -> QueryResult<Vec<OpenSession>> {
    SessionsOf { staff_id, alive_at: now, seen_after }.load(conn).await
}

/// Ends a session, if it is this account's; whether it was.
pub async fn end_session(conn: &mut AsyncPgConnection, staff_id: StaffId, id: Vec<u8>) -> QueryResult<bool> {
    Ok(EndSession { staff_id, id }.execute(conn).await? == 1)
}

/// Ends every session of an account but this one; how many those were.
pub async fn end_other_sessions(conn: &mut AsyncPgConnection, staff_id: StaffId, id: &[u8; 32]) -> QueryResult<usize> {
    EndOtherSessions { staff_id, id: id.to_vec() }.execute(conn).await
}

pub async fn delete_old_sessions(conn: &mut AsyncPgConnection, now: DateTime<Utc>) -> QueryResult<()> {
    DeleteOldSessions { now }.execute(conn).await?;
    Ok(())
}
