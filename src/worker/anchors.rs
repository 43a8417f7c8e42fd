//! The loop that anchors the heads of the audit trail in a file.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::gateway::Gateway;

pub(super) async fn run(gateway: Arc<Gateway>, path: PathBuf, every: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        match gateway.anchor_heads(&path).await {
            Ok(0) => {}
            Ok(written) => tracing::debug!(written, "the audit trail was anchored"),
            Err(error) => tracing::error!(path = %path.display(), %error, "the audit trail was not anchored"),
        }
        // Once more at the end: what was done last is anchored too.
        if *stop.borrow() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            changed = stop.changed() => if changed.is_err() { return },
        }
    }
}
