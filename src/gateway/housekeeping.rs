//! Housekeeping: what has to happen from time to time on any one node. Each step takes a bounded bite, skips what
//! another node has locked, and may be repeated at will.

use chrono::TimeDelta;

use super::{Gateway, GatewayError};
use crate::domain::ids::CardId;
use crate::store::jobs::JobKind;
use crate::store::retry::transaction;
use crate::store::{
    account_health, accounts, balance_syncs, cards, idempotency, jobs, offers, provider_accounts, reconciliations,
    request_cards, requests, route_statistics,
};

/// How much one step takes.
const BITE: i64 = 1_000;

impl Gateway {
    /// One round of everything.
    pub async fn keep_house(&self) -> Result<(), GatewayError> {
        self.fold_deltas().await?;
        self.sample_balances().await?;
        self.expire_offers().await?;
        self.expire_requests().await?;
        self.destroy_request_cards().await?;
        self.forget_old_keys().await?;
        self.forget_old_counts().await?;
        self.forget_callback_keys().await?;
        self.keep_accounts_watched().await?;
        self.screen_cards().await?;
        self.destroy_deleted_numbers().await?;
        // Not the house's fault where the key provider is away.
        if let Err(error) = self.rotate_aged().await {
            tracing::warn!(%error, "a data key that is too old could not be followed by the next");
        }
        self.destroy_leftovers().await?;
        self.key_callbacks(BITE).await?;
        self.disable_failing_endpoints().await?;
        self.retain_when_due().await
    }

    /// Gathers what batches added to the house's accounts.
    pub async fn fold_deltas(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            accounts::fold_deltas(conn, BITE).await?;
            Ok(())
        })
        .await
    }

    async fn expire_offers(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            offers::expire(conn, self.clock.now(), BITE).await?;
            Ok(())
        })
        .await
    }

    async fn forget_old_keys(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            let before = self.clock.now() - TimeDelta::hours(i64::from(self.settings.retention.idempotency_hours));
            idempotency::delete_old(conn, before, BITE).await?;
            Ok(())
        })
        .await
    }

    /// Destroys the numbers that came in with requests which are over.
    pub async fn destroy_request_cards(&self) -> Result<usize, GatewayError> {
        transaction(&self.db, async |conn| Ok(request_cards::destroy_of_final(conn, BITE, self.clock.now()).await?))
            .await
    }

    /// What routing counted, once no window reaches it any more.
    async fn forget_old_counts(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            route_statistics::forget(conn, self.clock.now(), BITE).await?;
            Ok(())
        })
        .await
    }

    /// Callback keys that were replaced, once callbacks aren't taken under them any more.
    async fn forget_callback_keys(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            provider_accounts::forget_callback_keys(conn, self.clock.now(), BITE).await?;
            Ok(())
        })
        .await
    }

    /// Accounts that were added meanwhile get the jobs that ask after them.
    async fn keep_accounts_watched(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            balance_syncs::ensure_jobs(conn, now).await?;
            account_health::ensure_jobs(conn, now).await?;
            reconciliations::ensure_jobs(conn, self.reporting_providers(), now).await?;
            Ok(())
        })
        .await
    }

    /// Names and addresses that earlier versions left behind their cards' numbers.
    async fn destroy_leftovers(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            cards::destroy_leftovers(conn, BITE).await?;
            Ok(())
        })
        .await
    }

    /// Destroys the numbers of deleted cards that no open payout needs any more.
    async fn destroy_deleted_numbers(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
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
}
