//! Housekeeping: what has to happen from time to time on any one node. Each step takes a bounded bite, skips what
//! another node has locked, and may be repeated at will.

use std::sync::Arc;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::config::worker::WorkerSettings;
use crate::domain::ids::CardId;
use crate::gateway::{Gateway, GatewayError};
use crate::store::jobs::JobKind;
use crate::store::retry::transaction;
use crate::store::{accounts, cards, idempotency, jobs, offers, requests};

/// How much one step takes.
const BITE: i64 = 1_000;

pub(super) async fn run(gateway: Arc<Gateway>, settings: WorkerSettings, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = round(&gateway).await {
            tracing::warn!(%error, "housekeeping failed");
        }
        tokio::select! {
            () = tokio::time::sleep(settings.housekeeping()) => {}
            changed = stop.changed() => if changed.is_err() { break },
        }
    }
}

async fn round(gateway: &Gateway) -> Result<(), GatewayError> {
    fold_deltas(gateway).await?;
    expire_offers(gateway).await?;
    forget_old_keys(gateway).await?;
    destroy_deleted_numbers(gateway).await
}

/// Gathers what batches added to the house's accounts.
pub async fn fold_deltas(gateway: &Gateway) -> Result<(), GatewayError> {
    transaction(&gateway.db, async |conn| {
        accounts::fold_deltas(conn, BITE).await?;
        Ok(())
    })
    .await
}

async fn expire_offers(gateway: &Gateway) -> Result<(), GatewayError> {
    transaction(&gateway.db, async |conn| {
        offers::expire(conn, gateway.clock.now(), BITE).await?;
        Ok(())
    })
    .await
}

/// Idempotency keys are kept for 24 hours.
async fn forget_old_keys(gateway: &Gateway) -> Result<(), GatewayError> {
    transaction(&gateway.db, async |conn| {
        idempotency::delete_old(conn, gateway.clock.now() - TimeDelta::hours(24), BITE).await?;
        Ok(())
    })
    .await
}

/// Destroys the numbers of deleted cards that no open payout needs any more.
async fn destroy_deleted_numbers(gateway: &Gateway) -> Result<(), GatewayError> {
    transaction(&gateway.db, async |conn| {
        let now = gateway.clock.now();
        let lease_until = now + TimeDelta::seconds(30);
        let due = jobs::claim(conn, JobKind::DestroyCard, now, lease_until, 100).await?;
        let mut done = Vec::new();
        for job in &due {
            let card = CardId(i64::try_from(job.subject_id.as_u128()).unwrap_or(0));
            let waits = cards::lock_for_destruction(conn, job.tenant(), card).await?;
            if waits && requests::any_open_of_card(conn, job.tenant(), card).await? {
                // Looked at again when the lease is over.
                continue;
            }
            if waits {
                cards::destroy_number(conn, job.tenant(), card, now).await?;
            }
            done.push((job.tenant(), JobKind::DestroyCard, job.subject_id));
        }
        jobs::delete(conn, &done).await?;
        Ok(())
    })
    .await
}
