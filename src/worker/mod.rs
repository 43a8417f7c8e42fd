//! Workers: claim due jobs in batches, do them outside any transaction, hand what came of it back in batches.
//!
//! Nothing is decided here, and nothing is kept here that matters: killed at any point, the leases of what was under
//! way run out and another worker goes on.

mod anchors;
mod housekeeping;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::config::audit::AuditSettings;
use crate::config::worker::WorkerSettings;
use crate::gateway::account_calls::CallPermit;
use crate::gateway::complete::Report;
use crate::gateway::invoke::SendTask;
use crate::gateway::{Gateway, GatewayError};

/// The kinds of work, one loop each.
#[derive(Clone, Copy, Debug)]
enum Work {
    Dispatch,
    Invoke,
    Inquire,
    Callback,
    SyncBalance,
    CheckAccount,
    Reconcile,
    Reseal,
}

impl Work {
    const ALL: [Work; 8] = [
        Work::Dispatch,
        Work::Invoke,
        Work::Inquire,
        Work::Callback,
        Work::SyncBalance,
        Work::CheckAccount,
        Work::Reconcile,
        Work::Reseal,
    ];
}

/// How seldom balances and accounts are looked for that are due.
const SELDOM_POLL: Duration = Duration::from_secs(1);

/// What a worker needs.
#[derive(Clone)]
pub struct Worker {
    gateway: Arc<Gateway>,
    settings: WorkerSettings,
    /// Calls to providers under way in this process. Nothing more is claimed than may be called about, so that a backlog waits as jobs, and
    /// not under leases that run out.
    calls: Arc<Semaphore>,
    reports: mpsc::UnboundedSender<Report>,
}

/// The running loops. Ends when told to stop, after the calls under way were reported.
pub struct Running {
    loops: JoinSet<()>,
    completer: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Waits until all loops have ended. Calls under way get as long as they take: they are bounded by their time-outs.
    pub async fn stopped(mut self) {
        while self.loops.join_next().await.is_some() {}
        if let Err(error) = self.completer.await {
            tracing::error!(%error, "the completer failed");
        }
    }
}

/// [`start`], with the loop that anchors the audit trail where a file for it is configured.
pub fn start_with_anchors(
    gateway: Arc<Gateway>,
    settings: WorkerSettings,
    audit: AuditSettings,
    stop: watch::Receiver<bool>,
) -> Running {
    let mut running = start(Arc::clone(&gateway), settings, stop.clone());
    if let Some(path) = audit.anchor_file.clone() {
        running.loops.spawn(anchors::run(gateway, path, audit.anchor_every(), stop));
    }
    running
}

/// Starts the loops. `stop` turning true ends them.
pub fn start(gateway: Arc<Gateway>, settings: WorkerSettings, stop: watch::Receiver<bool>) -> Running {
    // Bounded by the calls: no more reports are under way than payouts are in hand.
    let (reports, inbox) = mpsc::unbounded_channel();
    let calls = Arc::new(Semaphore::new(settings.calls_max));
    let completer = tokio::spawn(complete(Arc::clone(&gateway), settings.batch_size, inbox));
    let worker = Worker { gateway, settings, calls, reports };
    let mut loops = JoinSet::new();
    for work in Work::ALL {
        loops.spawn(worker.clone().run(work, stop.clone()));
    }
    loops.spawn(housekeeping::run(Arc::clone(&worker.gateway), worker.settings.clone(), stop));
    Running { loops, completer }
}

/// Applies reports as they come, as many at once as there are.
async fn complete(gateway: Arc<Gateway>, batch_size: usize, mut inbox: mpsc::UnboundedReceiver<Report>) {
    let mut batch = Vec::with_capacity(batch_size);
    while inbox.recv_many(&mut batch, batch_size).await > 0 {
        if let Err(error) = gateway.complete(&batch).await {
            tracing::warn!(%error, reports = batch.len(), "a batch of outcomes could not be applied; one by one now");
            for report in &batch {
                if let Err(error) = gateway.complete(std::slice::from_ref(report)).await {
                    // Not lost: the job's lease runs out and the provider is asked.
                    tracing::error!(payout = %report.payout_id, %error, "an outcome could not be applied");
                }
            }
        }
        batch.clear();
    }
}

impl Worker {
    /// One loop: works while there is work, then waits for a hint or the poll interval.
    async fn run(self, work: Work, mut stop: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        while !*stop.borrow() {
            // The hint is listened for before the work is looked at, so that none is missed in between.
            let hint = self.hint(work);
            tokio::pin!(hint);
            if let Some(hint) = hint.as_mut().as_pin_mut() {
                hint.enable();
            }
            let step = tokio::select! {
                step = self.step(work) => step,
                // A report may take long, and a run that is broken off is repeated.
                _ = stop.wait_for(|stop| *stop), if matches!(work, Work::Reconcile) => break,
            };
            let pause = match step {
                Ok(taken) => {
                    failures = 0;
                    if taken > 0 { Duration::ZERO } else { self.poll(work) }
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(?work, %error, failures, "a step failed");
                    self.poll(work).saturating_mul(2_u32.saturating_pow(failures.min(6)))
                }
            };
            if pause.is_zero() {
                tokio::task::yield_now().await;
                continue;
            }
            tokio::select! {
                () = async { match hint.as_mut().as_pin_mut() { Some(hint) => hint.await, None => std::future::pending().await } } => {}
                () = tokio::time::sleep(pause) => {}
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
    }

    /// What tells this process at once that there is such work; the rest is found by looking.
    fn hint(&self, work: Work) -> Option<tokio::sync::futures::Notified<'_>> {
        match work {
            Work::Dispatch => Some(self.gateway.dispatch_hint.notified()),
            Work::Callback => Some(self.gateway.callback_hint.notified()),
            Work::Invoke | Work::Inquire | Work::SyncBalance | Work::CheckAccount | Work::Reconcile | Work::Reseal => {
                None
            }
        }
    }

    async fn step(&self, work: Work) -> Result<usize, GatewayError> {
        match work {
            Work::Dispatch => self.dispatch().await,
            Work::Invoke => self.invoke().await,
            Work::Inquire => self.inquire().await,
            Work::Callback => self.callback().await,
            Work::SyncBalance => self.sync_balances().await,
            Work::CheckAccount => self.check_accounts().await,
            Work::Reconcile => self.reconcile().await,
            Work::Reseal => self.gateway.reseal_step().await,
        }
    }

    /// How long to wait when there is nothing to do. What is due by the minute isn't looked for by the millisecond.
    fn poll(&self, work: Work) -> Duration {
        match work {
            Work::Dispatch | Work::Invoke | Work::Inquire | Work::Callback => self.settings.poll(),
            Work::SyncBalance | Work::CheckAccount | Work::Reconcile | Work::Reseal => {
                self.settings.poll().max(SELDOM_POLL)
            }
        }
    }

    /// Leave for as many calls as may be begun now, up to a batch; waits until at least one may. `None`: never again.
    async fn permits(&self) -> Option<OwnedSemaphorePermit> {
        let mut permits = Arc::clone(&self.calls).acquire_owned().await.ok()?;
        let more = self.calls.available_permits().min(self.settings.batch_size.saturating_sub(1));
        // Somebody else may have been faster: then one is enough.
        if let Some(more) =
            u32::try_from(more).ok().and_then(|n| Arc::clone(&self.calls).try_acquire_many_owned(n).ok())
        {
            permits.merge(more);
        }
        Some(permits)
    }

    async fn dispatch(&self) -> Result<usize, GatewayError> {
        let Some(permits) = self.permits().await else { return Ok(0) };
        let (tasks, claimed) = self.gateway.dispatch(permits.num_permits()).await?;
        self.send_all(tasks, permits);
        Ok(claimed)
    }

    async fn invoke(&self) -> Result<usize, GatewayError> {
        let Some(permits) = self.permits().await else { return Ok(0) };
        let invokes = self.gateway.claim_invokes(permits.num_permits()).await?;
        for report in invokes.reports {
            self.report(report);
        }
        self.send_all(invokes.tasks, permits);
        Ok(invokes.claimed)
    }

    /// Sends payouts at once, each by a permit of its own. A request that is sent in several parts may have more of them than permits:
    /// those wait, and one that finds no place while its lease is sure isn't sent: it is begun again later.
    fn send_all(&self, tasks: Vec<SendTask>, mut permits: OwnedSemaphorePermit) {
        for task in tasks {
            let worker = self.clone();
            let permit = permits.split(1);
            tokio::spawn(async move {
                // Boxed, so that it takes no memory while the call is waited for.
                let Some(permits) = Box::pin(worker.may_send(&task, permit)).await else {
                    let why = "too many calls to providers are under way";
                    worker.report(worker.gateway.withheld(&task, why));
                    return;
                };
                if let Some(report) = worker.gateway.send(&task).await {
                    worker.report(report);
                }
                drop((permits, task));
            });
        }
    }

    /// Waits for what a send lacks: a place at its account first, so that whoever waits for a slow provider takes none from the others.
    async fn may_send(
        &self,
        task: &SendTask,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Option<(Option<CallPermit>, OwnedSemaphorePermit)> {
        let (gateway, account) = (&self.gateway, task.payout.provider_account_id);
        let at_account = match task.may_call() {
            true => None,
            false => Some(gateway.account_calls.permit_within(account, gateway.patience(task)).await?),
        };
        let permit = match permit {
            Some(permit) => permit,
            None => {
                let any = Arc::clone(&self.calls).acquire_owned();
                tokio::time::timeout(gateway.patience(task), any).await.ok()?.ok()?
            }
        };
        Some((at_account, permit))
    }

    async fn inquire(&self) -> Result<usize, GatewayError> {
        let Some(mut permits) = self.permits().await else { return Ok(0) };
        let due = self.gateway.claim_inquiries(permits.num_permits()).await?;
        let taken = due.len();
        for payout in due {
            let worker = self.clone();
            let permit = permits.split(1);
            tokio::spawn(async move {
                if let Some(report) = worker.gateway.inquire(&payout).await {
                    worker.report(report);
                }
                drop((permit, payout));
            });
        }
        Ok(taken)
    }

    async fn callback(&self) -> Result<usize, GatewayError> {
        self.gateway.apply_callbacks(self.settings.batch_size).await
    }

    async fn sync_balances(&self) -> Result<usize, GatewayError> {
        let Some(mut permits) = self.permits().await else { return Ok(0) };
        let due = self.gateway.claim_syncs(permits.num_permits()).await?;
        let taken = due.len();
        for task in due {
            let gateway = Arc::clone(&self.gateway);
            let permit = permits.split(1);
            tokio::spawn(async move {
                if let Err(error) = gateway.sync(&task).await {
                    tracing::warn!(deposit_account = %task.deposit.id, %error, "a balance sync failed; the lease's end brings it up again");
                }
                drop(permit);
            });
        }
        Ok(taken)
    }

    async fn check_accounts(&self) -> Result<usize, GatewayError> {
        let Some(mut permits) = self.permits().await else { return Ok(0) };
        let due = self.gateway.claim_checks(permits.num_permits()).await?;
        let taken = due.len();
        for task in due {
            let gateway = Arc::clone(&self.gateway);
            let permit = permits.split(1);
            tokio::spawn(async move {
                if let Err(error) = gateway.check(&task).await {
                    tracing::warn!(account = %task.account.id, %error, "an account check failed; the lease's end brings it up again");
                }
                drop(permit);
            });
        }
        Ok(taken)
    }

    /// One account at a time in this process: a report can be large, and nothing waits for it.
    async fn reconcile(&self) -> Result<usize, GatewayError> {
        let due = self.gateway.claim_reconciliations(1).await?;
        for task in &due {
            if let Err(error) = self.gateway.reconcile_due(task).await {
                tracing::warn!(account = %task.account.id, %error, "a reconciliation failed; the lease's end brings it up again");
            }
        }
        Ok(due.len())
    }

    fn report(&self, report: Report) {
        // The completer outlives all senders; were it gone, the job's lease would bring the payout up again.
        if let Err(error) = self.reports.send(report) {
            tracing::error!(%error, "nobody takes outcomes any more");
        }
    }
}
