//! How the key provider is, for health checks and metrics: asked now and then, by one at a time, and never by each who wants to know.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::keys::KeyProvider;

/// How old an answer may be.
const AGE_MAX: Duration = Duration::from_secs(15);

type Answer = Result<(), &'static str>;

pub(super) struct Standing {
    provider: Arc<dyn KeyProvider>,
    last: Arc<RwLock<Option<(Instant, Answer)>>>,
    /// Held by whoever asks.
    flight: Arc<Mutex<()>>,
    age_max: Duration,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").finish_non_exhaustive()
    }
}

impl Standing {
    /// It was just seen to work.
    pub fn of(provider: Arc<dyn KeyProvider>) -> Self {
        let last = Arc::new(RwLock::new(Some((Instant::now(), Ok(())))));
        Self { provider, last, flight: Arc::default(), age_max: AGE_MAX }
    }

    /// The last answer, if it isn't too old; otherwise a new one. Whoever stops waiting for it doesn't end the asking.
    pub async fn now(&self) -> Answer {
        if let Some(answer) = self.fresh() {
            return answer;
        }
        let flight = Arc::clone(&self.flight).lock_owned().await;
        // Somebody else has asked meanwhile.
        if let Some(answer) = self.fresh() {
            return answer;
        }
        let (provider, last) = (Arc::clone(&self.provider), Arc::clone(&self.last));
        let asked = tokio::spawn(async move {
            let answer = provider.health().await;
            if let Err(error) = &answer {
                tracing::warn!(provider = provider.code(), %error, "the key provider doesn't work");
            }
            let answer = answer.map_err(|error| error.in_short());
            *last.write().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), answer));
            drop(flight);
            answer
        });
        asked.await.unwrap_or(Err("can't be asked"))
    }

    fn fresh(&self) -> Option<Answer> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < self.age_max).map(|(_, answer)| *answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::testing::Switched;

    #[tokio::test]
    async fn a_hundred_who_want_to_know_ask_once() {
        let folder = tempfile::tempdir().unwrap();
        let provider = Switched::over(&folder.path().join("kek.json"));
        let mut standing = Standing::of(Arc::clone(&provider) as Arc<dyn KeyProvider>);
        assert_eq!((standing.now().await, provider.asked()), (Ok(()), 0));
        *standing.last.write().unwrap() = None;
        provider.fail(true);
        let answers = futures_util::future::join_all((0..100).map(|_| standing.now())).await;
        assert!(answers.iter().all(|answer| *answer == Err("gives no answer that can be used")));
        assert_eq!(provider.asked(), 1);
        provider.fail(false);
        standing.age_max = Duration::ZERO;
        assert_eq!((standing.now().await, provider.asked()), (Ok(()), 2));
    }
}
