//! Sends webhooks: signs them, calls their receivers, and tells the gateway what came of it. What is to be told, to whom, and when it is
//! tried again is the gateway's; nothing is kept here that matters. Killed at any point, leases run out and the messages go out once more.

mod lanes;
#[cfg(test)]
mod page_tests;
pub mod send;
pub mod sign;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::gateway::Gateway;
use crate::gateway::webhooks::telling::{Ready, Tried};

use self::lanes::Lanes;
use self::send::Sender;

/// How many outcomes are written at once.
const BATCH: usize = 256;
/// How long to wait for more receivers to be free once one is: a claim for each by itself would cost more.
const GATHERING: Duration = Duration::from_millis(10);
/// The longest pause after claims that failed, in polls.
const PAUSE_POLLS_MAX: u32 = 64;

/// The running loops. Ends when told to stop, after the calls under way were written down.
pub struct Running {
    teller: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl Running {
    /// Waits until both have ended. Calls under way get as long as they take: they are bounded by their time-out.
    pub async fn stopped(self) {
        for (name, task) in [("teller", self.teller), ("writer", self.writer)] {
            if let Err(error) = task.await {
                tracing::error!(%error, name, "webhooks: a loop failed");
            }
        }
    }
}

/// Starts the loops. `stop` turning true ends them.
///
/// # Errors
/// That of the HTTP client, if it can't be made.
pub fn start(gateway: Arc<Gateway>, stop: watch::Receiver<bool>) -> Result<Running, reqwest::Error> {
    let settings = &gateway.webhooks.settings;
    let sender = Sender::new(&gateway.webhooks)?;
    // Bounded by the places: no more outcomes are on their way than deliveries are.
    let (outcomes, inbox) = mpsc::unbounded_channel();
    let teller = Teller {
        places: Arc::new(Semaphore::new(settings.calls_max)),
        places_max: settings.calls_max,
        lanes: Arc::new(Lanes::new(settings.receiver_calls_max, settings.calls_max)),
        freed: Arc::new(Notify::new()),
        sender: Arc::new(sender),
        outcomes,
        gateway: Arc::clone(&gateway),
    };
    Ok(Running { teller: tokio::spawn(teller.run(stop)), writer: tokio::spawn(write(gateway, inbox)) })
}

/// Writes outcomes as they come, as many at once as there are.
async fn write(gateway: Arc<Gateway>, mut inbox: mpsc::UnboundedReceiver<Tried>) {
    let mut batch = Vec::with_capacity(BATCH);
    while inbox.recv_many(&mut batch, BATCH).await > 0 {
        if let Err(error) = gateway.complete_deliveries(&batch).await {
            // Not lost: their leases run out, and they are told once more.
            tracing::warn!(%error, deliveries = batch.len(), "what came of deliveries could not be written down");
        }
        batch.clear();
    }
}

struct Teller {
    gateway: Arc<Gateway>,
    sender: Arc<Sender>,
    places: Arc<Semaphore>,
    places_max: usize,
    lanes: Arc<Lanes>,
    /// A delivery has ended.
    freed: Arc<Notify>,
    outcomes: mpsc::UnboundedSender<Tried>,
}

impl Teller {
    async fn run(self, mut stop: watch::Receiver<bool>) {
        let poll = self.gateway.webhooks.settings.poll();
        let mut failures = 0_u32;
        while !*stop.borrow() {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let pause = match self.step().await {
                Ok(0) => poll,
                Ok(_) => {
                    failures = 0;
                    continue;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(%error, failures, "webhooks could not be claimed");
                    poll.saturating_mul(2_u32.saturating_pow(failures).min(PAUSE_POLLS_MAX))
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = freed, if failures == 0 => tokio::time::sleep(GATHERING).await,
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        // Those under way hold their places until they have told what came of them.
        let all = u32::try_from(self.places_max).unwrap_or(u32::MAX);
        let _ended = self.places.acquire_many(all).await;
    }

    /// Claims what there are places for and begins to send it; answers how much.
    async fn step(&self) -> Result<usize, crate::gateway::GatewayError> {
        let Ok(mut permits) = Arc::clone(&self.places).acquire_owned().await else { return Ok(0) };
        let more = u32::try_from(self.places.available_permits()).unwrap_or(0);
        if let Ok(more) = Arc::clone(&self.places).try_acquire_many_owned(more) {
            permits.merge(more);
        }
        let ready = self.gateway.claim_deliveries(self.lanes.places(permits.num_permits(), Instant::now())).await?;
        let count = ready.len();
        for ready in ready {
            // As many as there are permits were claimed at most.
            let permit = permits.split(1);
            self.tell(ready, permit);
        }
        Ok(count)
    }

    fn tell(&self, ready: Ready, permit: Option<OwnedSemaphorePermit>) {
        let (gateway, sender, lanes, freed) =
            (Arc::clone(&self.gateway), Arc::clone(&self.sender), Arc::clone(&self.lanes), Arc::clone(&self.freed));
        let outcomes = self.outcomes.clone();
        lanes.begin(&ready.claimed.lane, ready.claimed.tenant());
        tokio::spawn(async move {
            let lane = ready.claimed.lane.clone();
            let tried = sender.send(ready, gateway.clock.as_ref()).await;
            lanes.end(&lane, tried.error.is_none(), Instant::now());
            // The writer outlives all tellers; were it gone, the lease would bring the delivery up again.
            if let Err(error) = outcomes.send(tried) {
                tracing::error!(%error, "nobody writes down what came of deliveries any more");
            }
            drop(permit);
            freed.notify_waiters();
        });
    }
}
