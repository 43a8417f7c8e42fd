//! Inquiries: asking providers about payouts whose fate is open, at rising intervals, for as long as it takes.

use chrono::TimeDelta;

use super::complete::{Report, Source};
use super::{Gateway, GatewayError};
use crate::domain::payout::PayoutStatus;
use crate::providers::provider::{Inquiry, Outcome};
use crate::store::jobs::{self, JobKind};
use crate::store::payouts::{self, Payout};
use crate::store::retry::transaction;
use crate::torture::{self, Place};

impl Gateway {
    /// Takes due inquiries; what is final already has nothing to be asked about.
    pub async fn claim_inquiries(&self, batch_size: usize) -> Result<Vec<Payout>, GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let claimed = jobs::claim(conn, JobKind::Inquire, now, lease_until, batch_size).await?;
            let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), job.subject_id)).collect();
            let found = payouts::find(conn, &keys).await?;
            let done: Vec<_> = keys
                .iter()
                .filter(|(_, id)| !found.iter().any(|payout| payout.id.0 == *id && payout.status.is_open()))
                .map(|(tenant, id)| (*tenant, JobKind::Inquire, *id))
                .collect();
            jobs::delete(conn, &done).await?;
            Ok(found.into_iter().filter(|payout| payout.status.is_open()).collect())
        })
        .await
    }

    /// Asks about one payout. `None`: it couldn't even be asked; the lease's end brings it up again.
    pub async fn inquire(&self, payout: &Payout) -> Option<Report> {
        let provider = self.providers.get(&payout.provider)?;
        let snapshot = self.snapshot().await.ok()?;
        let (_, account) = snapshot.account(payout.provider_account_id)?;
        let inquiry = Inquiry {
            reference: payout.provider_reference.clone(),
            provider_original_id: payout.provider_original_id.clone(),
            amount: payout.amount,
            currency: payout.currency,
            is_pending: payout.status == PayoutStatus::Pending,
            first_sent_at: payout.first_sent_at(),
            last_sent_at: payout.sent_at.unwrap_or(payout.created_at),
        };
        torture::reach(Place::Call("inquire before")).await.ok()?;
        let timeout = provider.capabilities().send_timeout;
        let outcome = match tokio::time::timeout(timeout, provider.inquire(account, &inquiry)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::unknown(format!("no answer within {} ms", timeout.as_millis())),
        };
        torture::reach(Place::Call("inquire after")).await.ok()?;
        Some(self.report(payout, Source::Inquiry, outcome))
    }
}
