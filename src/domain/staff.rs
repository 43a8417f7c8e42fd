//! Staff accounts: roles, what an e-mail address and a password must be, when an account locks, and how long a session lives.
//! Hashes nothing and knows no cookie.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::ids::StaffId;

/// After this many attempts without a success the account locks.
pub const ATTEMPTS_MAX: i32 = 10;
/// For this long.
pub const LOCK: TimeDelta = TimeDelta::minutes(30);
/// Who marks payouts by hand has proved within this time, by a password or a code, who they are.
pub const PROOF_AGE_MAX: TimeDelta = TimeDelta::minutes(10);
/// A session ends when nothing was asked for this long,
pub const SESSION_IDLE_MAX: TimeDelta = TimeDelta::minutes(15);
/// and at this age in any case.
pub const SESSION_AGE_MAX: TimeDelta = TimeDelta::hours(12);
/// How many characters a password has.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 12..=128;
/// How many passwords before the one in force are remembered; none of them, nor that one, is taken again (PCI DSS 8.3.7: four).
pub const PASSWORDS_REMEMBERED: usize = 4;
/// How long a browser whose password was right is asked for its second factor.
pub const CODE_WAIT_MAX: TimeDelta = TimeDelta::minutes(5);
/// How long a secret that was shown can be proved.
pub const OFFER_AGE_MAX: TimeDelta = TimeDelta::minutes(15);
/// An account that nobody signed in to for so long is refused until it is enabled anew (PCI DSS 8.2.6).
pub const UNUSED_MAX: TimeDelta = TimeDelta::days(90);
/// A browser is known for so long after its last sign-in,
pub const DEVICE_AGE_MAX: TimeDelta = TimeDelta::days(90);
/// and so many of them for an account: the ones that were made known last.
pub const DEVICES_MAX: i64 = 10;
/// How many recovery codes are given out at once.
pub const RECOVERY_CODES: usize = 10;

/// What a member of staff may do. Each may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Answers customers.
    Support,
    /// Runs routing and settles cases.
    Operator,
    /// Manages staff and keys.
    Admin,
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, support, operator or admin")]
pub struct UnknownRole;

impl Role {
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Support, Role::Operator, Role::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Support => "support",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

/// An e-mail address as accounts are found by: in lower case. It names an account; nothing is sent to it, so no more is checked
/// than that it can be told apart (`admin@localhost` is one).
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

/// A text that is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address")]
pub struct EmailError;

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Email {
    type Err = EmailError;

    /// Spaces around it don't count. ASCII only: what looks alike must be alike.
    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim().to_ascii_lowercase();
        let (local, domain) = text.split_once('@').ok_or(EmailError)?;
        let well_formed = text.len() <= 254
            && !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && text.bytes().all(|b| b.is_ascii_graphic());
        if well_formed { Ok(Self(text)) } else { Err(EmailError) }
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, EmailError> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// What stands before the name of somebody of the staff, where events and the audit trail name them.
const ACTOR: &str = "staff:";
/// The longest name of an actor.
const ACTOR_BYTES_MAX: usize = 200;

/// How events and the audit trail name somebody of the staff.
pub fn actor_of(email: &Email, id: StaffId) -> String {
    let named = format!("{ACTOR}{email}");
    // An address may be longer than an actor's name; an id isn't.
    if named.len() <= ACTOR_BYTES_MAX { named } else { format!("{ACTOR}{id}") }
}

/// Somebody of the staff, as an actor's name has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<'a>(&'a str);

/// Reads [`actor_of`]; `None`: it names nobody of the staff.
pub fn person_of(actor: &str) -> Option<Person<'_>> {
    actor.strip_prefix(ACTOR).map(Person)
}

impl Person<'_> {
    /// The address, where it is named by it.
    pub fn email(&self) -> Option<Email> {
        self.0.parse().ok()
    }

    /// Whether it is this account's owner.
    pub fn is(&self, email: &Email, id: StaffId) -> bool {
        actor_of(email, id).strip_prefix(ACTOR) == Some(self.0)
    }
}

/// Whether a new password's length is allowed.
pub fn is_password_length(password: &str) -> bool {
    PASSWORD_CHARS.contains(&password.chars().count())
}

/// Whether a password has letters and digits (PCI DSS 8.3.6). Letters of any script count.
pub fn has_letters_and_digits(password: &str) -> bool {
    password.chars().any(char::is_alphabetic) && password.chars().any(|c| c.is_ascii_digit())
}

/// A count of attempts to sign in: of an account, or of a browser that is known to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Since the last success or the last lock.
    pub count: i32,
    pub locked_until: Option<DateTime<Utc>>,
}

/// The account is locked: no password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked;

impl Attempts {
    /// Counts an attempt **before** its password is looked at, so that guesses made at once can't pass together. The last one
    /// allowed locks the account; a success takes it all back (`Attempts::default()`).
    pub fn begin(self, now: DateTime<Utc>) -> Result<Self, Locked> {
        let before = match self.locked_until {
            Some(until) if now < until => return Err(Locked),
            Some(_) => 0,
            None => self.count,
        };
        let count = before.saturating_add(1);
        Ok(Self { count, locked_until: (count >= ATTEMPTS_MAX).then(|| now + LOCK) })
    }

    /// Takes back an attempt that was right as far as it went. `mine` is what [`begin`](Self::begin) answered: a lock that somebody
    /// else's attempt brought stays.
    #[must_use]
    pub fn take_back(self, mine: Self) -> Self {
        let locked_until = self.locked_until.filter(|_| self.locked_until != mine.locked_until);
        Self { count: self.count.saturating_sub(1).max(0), locked_until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).unwrap()
    }

    #[test]
    fn the_tenth_attempt_locks_for_thirty_minutes() {
        let mut attempts = Attempts::default();
        for n in 1..=9 {
            attempts = attempts.begin(at(0)).unwrap();
            assert_eq!(attempts, Attempts { count: n, locked_until: None });
        }
        attempts = attempts.begin(at(0)).unwrap();
        assert_eq!(attempts.locked_until, Some(at(30)));
        assert_eq!(attempts.begin(at(29)), Err(Locked));
        assert_eq!(attempts.begin(at(30)), Ok(Attempts { count: 1, locked_until: None }));
    }

    #[test]
    fn an_attempt_that_was_right_is_taken_back_with_the_lock_that_it_brought_and_no_other() {
        let ninth = Attempts { count: 9, locked_until: None };
        let mine = ninth.begin(at(0)).unwrap();
        assert_eq!(mine.take_back(mine), ninth);
        let fifth = Attempts { count: 5, locked_until: None }.begin(at(0)).unwrap();
        let locked_since = Attempts { count: 10, locked_until: Some(at(31)) };
        assert_eq!(locked_since.take_back(fifth).locked_until, Some(at(31)));
        assert_eq!(Attempts::default().take_back(fifth), Attempts::default(), "a success came in between");
    }

    #[test]
    fn letters_and_digits_are_both_wanted() {
        assert!(has_letters_and_digits("ünd 1"));
        for bad in ["only letters", "123456789012", "!!!! ....", ""] {
            assert!(!has_letters_and_digits(bad), "{bad:?}");
        }
    }

    #[test]
    fn an_e_mail_is_one_whatever_its_case() {
        assert_eq!("  Ada@Example.COM ".parse::<Email>().unwrap().as_str(), "ada@example.com");
        assert!("admin@localhost".parse::<Email>().is_ok());
        for bad in ["", "ada", "@x", "ada@", "a@b@c", "a b@c", "ädä@c", "a\u{0}@c"] {
            assert_eq!(bad.parse::<Email>(), Err(EmailError), "{bad:?}");
        }
        assert_eq!(format!("{}@b", "a".repeat(253)).parse::<Email>(), Err(EmailError));
    }

    #[test]
    fn a_password_has_12_to_128_characters() {
        assert!(!is_password_length(&"x".repeat(11)));
        assert!(is_password_length(&"ü".repeat(12)));
        assert!(is_password_length(&"ü".repeat(128)));
        assert!(!is_password_length(&"x".repeat(129)));
    }

    #[test]
    fn roles_rise() {
        assert!(Role::ALL.is_sorted());
        assert!(Role::ALL.into_iter().all(|role| role.as_str().parse() == Ok(role)));
        assert_eq!("root".parse::<Role>(), Err(UnknownRole));
    }
}
