//! Inquiries: asking providers about payouts whose fate is open, at rising intervals, for as long as it takes.

use std::ops::Deref;

use chrono::TimeDelta;

use super::account_calls::CallPermit;
use super::complete::{Report, Source};
use super::{Gateway, GatewayError};
use crate::domain::payout::PayoutStatus;
use crate::providers::echo::{self, Sent};
use crate::providers::provider::{Inquiry, Outcome};
use crate::store::jobs::{self, JobKind};
use crate::store::payouts::{self, Payout};
use crate::store::retry::transaction;
use crate::torture::{self, Place};

/// A payout that is to be asked about now, with leave for the call.
#[derive(Clone, Debug)]
pub struct DueInquiry {
    payout: Payout,
    _permit: CallPermit,
}

impl Deref for DueInquiry {
    type Target = Payout;

    fn deref(&self) -> &Payout {
        &self.payout
    }
}

impl Gateway {
    /// Takes due inquiries; what is final already has nothing to be asked about, and what finds its account full is due again later.
    pub async fn claim_inquiries(&self, batch_size: usize) -> Result<Vec<DueInquiry>, GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let claimed = jobs::claim(conn, JobKind::Inquire, now, lease_until, batch_size).await?;
            let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), job.subject_id)).collect();
            let found = payouts::find(conn, &keys).await?;
            let (mut due, mut done, mut given_back) = (Vec::new(), Vec::new(), Vec::new());
            for job in claimed {
                let open = found.iter().find(|payout| payout.id.0 == job.subject_id && payout.status.is_open());
                let Some(payout) = open else {
                    done.push((job.tenant(), JobKind::Inquire, job.subject_id));
                    continue;
                };
                match self.account_calls.permit(payout.provider_account_id) {
                    Some(permit) => due.push(DueInquiry { payout: payout.clone(), _permit: permit }),
                    None => {
                        let next_look = self.account_calls.next_look(payout.provider_account_id, now);
                        given_back.push((job, next_look));
                    }
                }
            }
            jobs::delete(conn, &done).await?;
            jobs::give_back(conn, JobKind::Inquire, &given_back).await?;
            Ok(due)
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
        let outcome = echo::without_number(outcome, Sent::NotKnown);
        Some(self.report(payout, Source::Inquiry, outcome))
    }
}
