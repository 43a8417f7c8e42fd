//! What can go wrong with the database, sorted by what a caller can do about it. Never holds SQL, parameters or rows:
//! PostgreSQL's primary messages name constraints and tables only, and its details (which quote values) are left out.

use diesel::result::{DatabaseErrorKind, Error};

/// A failure of the database, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection, or it broke before COMMIT was sent: nothing was changed. Try later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),

    /// Waiting for a connection, a lock or a statement took longer than configured: nothing was changed.
    #[error("the database took too long: {0}")]
    Timeout(String),

    /// A serialization failure or a deadlock. [`transaction`](super::retry::transaction) retries it.
    #[error("the transaction collided with another: {0}")]
    Collision(String),

    /// Each attempt collided or lost its connection: nothing was changed.
    #[error("gave up after {attempts} attempts: {last}")]
    RetriesExhausted { attempts: u32, last: Box<DbError> },

    /// COMMIT was sent and its answer was lost. The work may be done: **read back before doing it again**.
    #[error("whether the transaction was committed is unknown: {0}")]
    CommitUnknown(String),

    /// This server takes no writes: it is a standby now, or an operator said so. Nothing was changed, and another connection may lead
    /// to one that does.
    #[error("the database takes no writes: {0}")]
    ReadOnly(String),

    /// The server has no room for it on its disk: nothing was changed. Somebody has to make room.
    #[error("the database's disk is full: {0}")]
    Full(String),

    /// A statement failed, the closure hid its error and answered `Ok`: PostgreSQL had given the transaction up, so it was
    /// rolled back. A mistake in the calling code.
    #[error("a failed statement's error was swallowed inside its transaction, which was rolled back")]
    Aborted,

    /// The audit trail didn't take the change: it waits for a second person, or what was approved can't be applied any more. Nothing was
    /// changed.
    #[error("held back: {0}")]
    Held(&'static str),

    /// A unique constraint, by its name: what was to be inserted is there already.
    #[error("conflicts with an existing row ({0})")]
    Conflict(String),

    /// A check, foreign key, exclusion or not-null rule of the schema, by its name.
    #[error("refused by the schema ({0})")]
    Refused(String),

    /// Anything else: a mistake in a statement, a row that can't be read, no row where one was wanted.
    #[error("database error: {0}")]
    Other(#[source] Error),
}

impl DbError {
    /// Whether running the same closure again in a new transaction is safe and may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, DbError::Collision(_) | DbError::Unavailable(_))
    }

    /// Whether a value was sealed under a key that seals nothing any more. Sealed under the tenant's primary key, it would be taken.
    pub fn is_seal_refused(&self) -> bool {
        matches!(self, DbError::Refused(rule) if rule == "sealed_under_a_key_in_use")
    }

    /// Whether the unique constraint `name` refused the row.
    pub fn is_conflict_on(&self, name: &str) -> bool {
        matches!(self, DbError::Conflict(constraint) if constraint == name)
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind as Kind;
        let Error::DatabaseError(kind, info) = &error else {
            return match error {
                Error::BrokenTransactionManager => DbError::Unavailable(error.to_string()),
                error => DbError::Other(error),
            };
        };
        let rule = || info.constraint_name().or(info.column_name()).unwrap_or("unnamed rule").to_owned();
        match kind {
            Kind::SerializationFailure => DbError::Collision(info.message().to_owned()),
            Kind::UniqueViolation => DbError::Conflict(rule()),
            Kind::ForeignKeyViolation
            | Kind::CheckViolation
            | Kind::NotNullViolation
            | Kind::ExclusionViolation
            | Kind::RestrictViolation => DbError::Refused(rule()),
            Kind::UnableToSendCommand | Kind::ClosedConnection => DbError::Unavailable(info.message().to_owned()),
            _ => by_message(info.message()).unwrap_or(DbError::Other(error)),
        }
    }
}

/// Sorts an error whose SQLSTATE diesel hides, by its message (connections set `lc_messages=C`). `None`: not one we know.
fn by_message(message: &str) -> Option<DbError> {
    let owned = || message.to_owned();
    Some(match message {
        // 40P01
        "deadlock detected" => DbError::Collision(owned()),
        // 57014, 55P03
        "canceling statement due to statement timeout" | "canceling statement due to lock timeout" => {
            DbError::Timeout(owned())
        }
        // 25P02
        m if m.starts_with("current transaction is aborted") => DbError::Aborted,
        // 55P03 with NOWAIT
        m if m.starts_with("could not obtain lock on") => DbError::Timeout(owned()),
        // 57P01, 57P02, 25P03, 57P03, 53300: the connection is gone or was never let in
        m if m.starts_with("terminating connection")
            || m.starts_with("the database system is")
            || m.starts_with("sorry, too many clients already")
            || m.starts_with("remaining connection slots are reserved") =>
        {
            DbError::Unavailable(owned())
        }
        // 25006: after a failover this is no longer the primary
        m if m.starts_with("cannot execute") && m.ends_with("in a read-only transaction") => DbError::ReadOnly(owned()),
        m if m.ends_with("during recovery") => DbError::ReadOnly(owned()),
        // 53100
        m if m.contains("No space left on device")
            || m.contains("Disk quota exceeded")
            || m.starts_with("could not extend file") =>
        {
            DbError::Full(owned())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_says(kind: DatabaseErrorKind, message: &str) -> DbError {
        DbError::from(Error::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn collisions_are_retryable_and_refusals_are_not() {
        assert!(server_says(DatabaseErrorKind::Unknown, "deadlock detected").is_retryable());
        assert!(server_says(DatabaseErrorKind::SerializationFailure, "could not serialize access").is_retryable());
        assert!(!server_says(DatabaseErrorKind::UniqueViolation, "duplicate key").is_retryable());
        assert!(!server_says(DatabaseErrorKind::Unknown, "relation \"x\" does not exist").is_retryable());
        assert!(!DbError::CommitUnknown("lost".into()).is_retryable());
        assert!(!DbError::Timeout("slow".into()).is_retryable());
    }

    #[test]
    fn time_outs_and_lost_connections_are_told_apart() {
        let timeout = "canceling statement due to statement timeout";
        assert!(matches!(server_says(DatabaseErrorKind::Unknown, timeout), DbError::Timeout(_)));
        let gone = "terminating connection due to administrator command";
        assert!(matches!(server_says(DatabaseErrorKind::Unknown, gone), DbError::Unavailable(_)));
        assert!(matches!(server_says(DatabaseErrorKind::ClosedConnection, "x"), DbError::Unavailable(_)));
        let standby = "cannot execute INSERT in a read-only transaction";
        assert!(matches!(server_says(DatabaseErrorKind::ReadOnlyTransaction, standby), DbError::ReadOnly(_)));
        let full = "could not extend file \"base/5/2619\": No space left on device";
        assert!(matches!(server_says(DatabaseErrorKind::Unknown, full), DbError::Full(_)));
        assert!(matches!(DbError::from(Error::NotFound), DbError::Other(Error::NotFound)));
    }
}
