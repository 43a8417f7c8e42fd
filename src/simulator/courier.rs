//! Posts callbacks where they are wanted, at least once: each is tried a few times, and one that neither arrived nor was given up is
//! posted again after a restart.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::callback::DueCallback;
use super::house::House;

/// The waits before the tries of one callback.
const TRIES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// How long the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer waits for the callbacks that go before it.
const BEFORE_ANSWER: Duration = Duration::from_secs(2);
/// Looks at least this often, in case the clock was moved.
const LOOK: Duration = Duration::from_secs(1);

/// Clones share their connections.
#[derive(Clone)]
pub struct Courier {
    house: Arc<House>,
    client: reqwest::Client,
}

impl Courier {
    pub fn new(house: Arc<House>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { house, client })
    }

    /// Posts what is due, as it becomes due, until it is dropped.
    pub async fn run(&self) {
        let mut posting = JoinSet::new();
        loop {
            self.post_all(self.house.due_callbacks(), &mut posting);
            let wait = self.house.next_callback_in().map_or(LOOK, |due| due.min(LOOK));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.house.callbacks_planned() => {}
                Some(_) = posting.join_next() => {}
            }
        }
    }

    /// Posts `callbacks`, and returns when they have arrived or have taken too long; they are posted on all the same.
    pub async fn before_answer(&self, callbacks: Vec<DueCallback>) {
        let mut posting = JoinSet::new();
        self.post_all(callbacks, &mut posting);
        let all = async { while posting.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(BEFORE_ANSWER, all).await;
        posting.detach_all();
    }

    /// Callbacks of one payment go out one after another, those of different ones side by side.
    fn post_all(&self, callbacks: Vec<DueCallback>, posting: &mut JoinSet<()>) {
        let mut by_payment: BTreeMap<u64, Vec<DueCallback>> = BTreeMap::new();
        for callback in callbacks {
            by_payment.entry(callback.number).or_default().push(callback);
        }
        for callbacks in by_payment.into_values() {
            let courier = self.clone();
            posting.spawn(async move {
                for callback in callbacks {
                    courier.post(callback).await;
                }
            });
        }
    }

    async fn post(&self, callback: DueCallback) {
        let DueCallback { number, telling, url, headers, body, reference, .. } = callback;
        if let Some(url) = url {
            let mut arrived = false;
            for wait in TRIES {
                tokio::time::sleep(wait).await;
                let request = self.client.post(&url).body(body.clone());
                let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
                match request.send().await {
                    Ok(answer) if answer.status().is_success() => {
                        arrived = true;
                        break;
                    }
                    Ok(answer) => tracing::debug!(%reference, status = %answer.status(), "a callback was refused"),
                    Err(error) => tracing::debug!(%reference, error = %error.without_url(), "a callback didn't arrive"),
                }
            }
            if !arrived {
                tracing::warn!(%reference, "a callback is given up");
            }
        }
        // Not written: it goes out again after a restart, which a callback may.
        let _ = self.house.with(|bank| bank.told(number, telling));
    }
}
