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

/// What the steps of a round came to.
#[derive(Default)]
struct Round {
    failed: Option<GatewayError>,
}

impl Round {
    /// Goes on where a step fails by what it works on, such as one row that can't be read: it must keep no other step from its work, nor
    /// another tenant from what is due to it. Without the database no step would get anywhere.
    fn step<T>(&mut self, name: &'static str, done: Result<T, GatewayError>) -> Result<(), GatewayError> {
        match done {
            Err(error) if error.is_of_the_database() => return Err(error),
            Err(error) => {
                tracing::error!(%error, step = name, "a step of housekeeping failed");
                self.failed.get_or_insert(error);
            }
            Ok(_) => {}
        }
        Ok(())
    }
}

impl Gateway {
    /// One round of everything.
    ///
    /// # Errors
    /// The first step's that failed, once all others are done; at once if it is the database's.
    pub async fn keep_house(&self) -> Result<(), GatewayError> {
        let mut round = Round::default();
        round.step("fold deltas", self.fold_deltas().await)?;
        round.step("sample balances", self.sample_balances().await)?;
        round.step("expire offers", self.expire_offers().await)?;
        round.step("expire requests", self.expire_requests().await)?;
        round.step("destroy request cards", self.destroy_request_cards().await)?;
        round.step("forget old keys", self.forget_old_keys().await)?;
        round.step("forget old counts", self.forget_old_counts().await)?;
        round.step("forget callback keys", self.forget_callback_keys().await)?;
        round.step("keep accounts watched", self.keep_accounts_watched().await)?;
        round.step("screen cards", self.screen_cards().await)?;
        round.step("destroy deleted numbers", self.destroy_deleted_numbers().await)?;
        // Not the house's fault where the key provider is away.
        if let Err(error) = self.rotate_aged().await {
            tracing::warn!(%error, "a data key that is too old could not be followed by the next");
        }
        round.step("destroy leftovers", self.destroy_leftovers().await)?;
        round.step("key callbacks", self.key_callbacks(BITE).await)?;
        round.step("disable failing endpoints", self.disable_failing_endpoints().await)?;
        round.step("retention", self.retain_when_due().await)?;
        round.failed.map_or(Ok(()), Err)
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
