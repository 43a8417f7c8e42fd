//! Test-only: named places where a process is made to die, fail or hang ([`reach`]), and rules of the engine that can be switched
//! off to show that the tests notice ([`is_off`]). Without the feature `torture` both are nothing, and a release never has it.
//!
//! A failpoint is named by where it stands: `gateway/dispatch.rs:117 before commit` for the transaction begun in that line, and
//! by a name of its own where the outside world is called: `send before`. Since every transaction goes through one wrapper, a new
//! durable step has its failpoints without anybody thinking of it.
//!
//! Ids can be drawn from a seed too ([`new_uuid`]), since what is drawn for a request or a payout follows from its id.
//!
//! Two ways to set failpoints: a process is told by its environment (`LANDFALL_FAILPOINTS`, see [`Plan`]); a driver in the same process
//! installs a hook ([`set_hook`]) that decides each time.

use std::fmt;
use std::panic::Location;

/// A rule that money's safety rests on, and that a test may switch off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A payout whose fate is unknown never fails over.
    NoFailoverOnUnknown,
    /// A send, and what comes back of it, counts only under the current epoch of its lease.
    LeaseEpoch,
    /// The same reference asked for again is the same request.
    Idempotency,
    /// A payout reserves its amount on its deposit account.
    Reservation,
}

impl Rule {
    pub const ALL: [Rule; 4] = [Rule::NoFailoverOnUnknown, Rule::LeaseEpoch, Rule::Idempotency, Rule::Reservation];

    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::NoFailoverOnUnknown => "no_failover_on_unknown",
            Rule::LeaseEpoch => "lease_epoch",
            Rule::Idempotency => "idempotency",
            Rule::Reservation => "reservation",
        }
    }
}

/// Where a failpoint stands.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// At a step of the transaction that was begun there.
    Transaction(&'static Location<'static>, &'static str),
    /// At a call to the outside world.
    Call(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Transaction(at, step) => {
                write!(f, "{}:{} {step}", at.file().trim_start_matches("src/"), at.line())
            }
            Place::Call(name) => f.write_str(name),
        }
    }
}

/// What a failpoint made of the step that reached it: it is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a failpoint made this step fail")]
pub struct Injected;

#[cfg(not(feature = "torture"))]
mod nothing {
    use uuid::Uuid;

    use super::{Injected, Place, Rule};

    /// Nothing happens.
    #[inline]
    pub async fn reach(_: Place) -> Result<(), Injected> {
        Ok(())
    }

    /// A new UUIDv7.
    #[inline]
    pub fn new_uuid() -> Uuid {
        Uuid::now_v7()
    }

    /// No rule can be switched off.
    #[inline]
    pub const fn is_off(_: Rule) -> bool {
        false
    }
}
#[cfg(not(feature = "torture"))]
pub use nothing::{is_off, new_uuid, reach};

#[cfg(feature = "torture")]
mod armed;
#[cfg(feature = "torture")]
pub use armed::{Action, Hook, Plan, PlanError, is_off, new_uuid, reach, seen, set_hook, set_ids, set_off, set_plan};
