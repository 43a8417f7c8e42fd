//! The loop that keeps house from time to time.

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::worker::WorkerSettings;
use crate::gateway::Gateway;

pub(super) async fn run(gateway: Arc<Gateway>, settings: WorkerSettings, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = gateway.keep_house().await {
            tracing::warn!(%error, "housekeeping failed");
        }
        tokio::select! {
            () = tokio::time::sleep(settings.housekeeping()) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
}
