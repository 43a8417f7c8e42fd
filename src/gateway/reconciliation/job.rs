//! The job that reconciles a provider account now and then, and never ends.

use chrono::TimeDelta;

use super::{Counts, ReconcileError, Wanted};
use crate::domain::ids::ProviderAccountId;
use crate::gateway::balance_syncs::backoff;
use crate::gateway::{Gateway, GatewayError};
use crate::store::account_health::{self, CheckedAccount};
use crate::store::jobs::{self, ClaimedJob, JobKind};
use crate::store::retry::transaction;

/// How long a run may take before another process looks whether it is still under way.
const JOB_LEASE: TimeDelta = TimeDelta::minutes(15);
/// When an account is tried again that somebody else is at.
const BUSY_FOR: TimeDelta = TimeDelta::minutes(5);

/// A provider account whose report is due, under its job's lease.
#[derive(Clone, Debug)]
pub struct ReconcileTask {
    pub account: CheckedAccount,
    job: ClaimedJob,
}

impl Gateway {
    /// Takes due reconciliations. A job whose account is gone ends; one that is switched off goes on: what it paid stays true.
    pub async fn claim_reconciliations(&self, batch_size: usize) -> Result<Vec<ReconcileTask>, GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let claimed = jobs::claim(conn, JobKind::Reconcile, now, now + JOB_LEASE, batch_size).await?;
            let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), ProviderAccountId(job.subject_id))).collect();
            let found = account_health::find(conn, &keys).await?;
            let (mut tasks, mut done) = (Vec::new(), Vec::new());
            for job in claimed {
                match found.iter().find(|account| account.id.0 == job.subject_id) {
                    Some(account) => tasks.push(ReconcileTask { account: account.clone(), job }),
                    None => done.push((job.tenant(), JobKind::Reconcile, job.subject_id)),
                }
            }
            jobs::delete(conn, &done).await?;
            Ok(tasks)
        })
        .await
    }

    /// Reconciles the days that are looked back on, and makes the job due again. `None`: there was no comparison, and the run says why.
    pub async fn reconcile_due(&self, task: &ReconcileTask) -> Result<Option<Counts>, GatewayError> {
        let until = self.clock.now();
        let wanted = Wanted {
            account: task.account.clone(),
            from: until - TimeDelta::days(i64::from(self.settings.reconcile_days)),
            until,
            rows: None,
            by: "gateway".to_owned(),
        };
        let interval = TimeDelta::seconds(i64::from(self.settings.reconcile_every_secs));
        let (pause, error, counts) = match self.reconcile(&wanted).await {
            Ok(reconciled) => (interval, None, Some(reconciled.counts)),
            Err(ReconcileError::Busy | ReconcileError::Lost) => (BUSY_FOR.min(interval), None, None),
            Err(ReconcileError::Gateway(error)) => return Err(error),
            Err(error @ ReconcileError::Report(_)) => {
                tracing::error!(account = %task.account.id, code = task.account.code, %error, "an account could not be reconciled");
                // Sooner than the next one that is due anyway.
                (backoff(BUSY_FOR, &task.job).min(interval), Some(error.to_string()), None)
            }
        };
        transaction(&self.db, async |conn| {
            let run_at = self.clock.now() + pause;
            jobs::repeat(conn, JobKind::Reconcile, &task.job, run_at, error.as_deref()).await?;
            Ok::<_, GatewayError>(())
        })
        .await?;
        Ok(counts)
    }
}
