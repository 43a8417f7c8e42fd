//! What is in a process's memory stays there: card numbers and keys are, while they are used (PCI DSS 3.3.2, 3.6.1).

use landfall::config::telemetry::TelemetrySettings;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// No core dump, and no other process of the same user reads the memory or the environment: for every command, unless a test-mode
/// configuration says otherwise. A process that isn't dumpable is root's in `/proc`, and can be attached to by root alone.
pub fn protect(settings: &TelemetrySettings) -> Result<(), Errno> {
    if settings.core_dumps {
        return Ok(());
    }
    prctl::set_dumpable(false)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
}
