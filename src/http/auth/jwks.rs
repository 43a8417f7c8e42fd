//! An issuer's key set from a URL or a file: fetched when needed, kept, refreshed in the background.
//!
//! What strangers can cause is bounded: a token with an unknown key id makes at most one fetch per
//! `refresh_min`, however many come at once. A fetch runs in its own task, so that a caller who goes away can't
//! cut it short. While the source does not answer, the last keys hold for `stale_max`, and then none do.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::io::AsyncReadExt;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::error::AuthError;
use super::keys::{KeyError, KeySet, VerifyingKey};
use crate::clock::Clock;
use crate::config::auth::{AuthSettings, TokenAlgorithm};

/// No larger key set is read.
const JWKS_BYTES_MAX: usize = 256 * 1024;

/// Where a key set is fetched from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The client follows no redirects.
    Url(reqwest::Client, reqwest::Url),
    File(PathBuf),
}

/// How often, how long, how late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    refresh: TimeDelta,
    refresh_min: TimeDelta,
    stale_max: TimeDelta,
    timeout: Duration,
}

impl Pace {
    pub fn of(settings: &AuthSettings) -> Self {
        Self {
            refresh: TimeDelta::seconds(settings.jwks_refresh_secs.into()),
            refresh_min: TimeDelta::seconds(settings.jwks_refresh_secs_min.into()),
            stale_max: TimeDelta::seconds(settings.jwks_stale_secs_max.into()),
            timeout: Duration::from_millis(settings.jwks_timeout_ms.into()),
        }
    }
}

/// Why a fetch brought no keys.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("no answer in time")]
    TimedOut,
    #[error("the request failed: {0}")]
    Http(#[source] reqwest::Error),
    #[error("answered with status {0}; redirects are not followed")]
    Status(u16),
    #[error("the file can't be read: {0}")]
    File(#[from] std::io::Error),
    #[error("is larger than 256 KiB")]
    TooLarge,
    #[error("{0}")]
    Malformed(#[from] KeyError),
}

#[derive(Default)]
struct State {
    keys: Option<(Arc<KeySet>, DateTime<Utc>)>,
    attempted_at: Option<DateTime<Utc>>,
}

/// One issuer's key set.
pub(super) struct JwksCache {
    issuer: String,
    origin: Origin,
    algorithms: Vec<TokenAlgorithm>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    state: RwLock<State>,
    /// Held by the one fetch in flight.
    flight: Arc<Mutex<()>>,
}

impl JwksCache {
    pub fn new(
        issuer: String,
        origin: Origin,
        algorithms: Vec<TokenAlgorithm>,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let (state, flight) = (RwLock::default(), Arc::default());
        Arc::new(Self { issuer, origin, algorithms, pace, clock, state, flight })
    }

    /// The key that a token means, after at most one fetch.
    pub async fn find(
        self: &Arc<Self>,
        key_id: Option<&str>,
        algorithm: TokenAlgorithm,
    ) -> Result<VerifyingKey, AuthError> {
        if let Some(keys) = self.usable_keys() {
            if self.is_due_for_refresh() {
                self.refresh_in_background();
            }
            match keys.find(key_id, algorithm) {
                Err(AuthError::KeyUnknown) => {}
                found => return found.cloned(),
            }
        }
        self.refresh().await;
        self.usable_keys().ok_or(AuthError::KeysUnavailable)?.find(key_id, algorithm).cloned()
    }

    /// Fetches now, unless that was tried just before; waits for a fetch in flight.
    pub async fn refresh(self: &Arc<Self>) {
        let flight = self.flight.clone().lock_owned().await;
        if self.may_attempt() {
            // A panic in the task or a shutdown leaves the old keys, which is what a failed fetch does too.
            let _ = tokio::spawn(self.clone().fetch_and_keep(flight)).await;
        }
    }

    fn refresh_in_background(self: &Arc<Self>) {
        if let Ok(flight) = self.flight.clone().try_lock_owned()
            && self.may_attempt()
        {
            tokio::spawn(self.clone().fetch_and_keep(flight));
        }
    }

    async fn fetch_and_keep(self: Arc<Self>, _flight: OwnedMutexGuard<()>) {
        let now = self.clock.now();
        self.write().attempted_at = Some(now);
        let fetched = match tokio::time::timeout(self.pace.timeout, self.fetch()).await {
            Ok(fetched) => fetched,
            Err(_) => Err(FetchError::TimedOut),
        };
        match fetched {
            Ok(keys) => self.keep(keys, now),
            Err(error) => {
                let held = self.usable_keys().is_some();
                tracing::warn!(issuer = %self.issuer, %error, held, "the issuer's keys could not be fetched");
            }
        }
    }

    /// Keeps a key set that was current at `now`.
    pub fn keep(&self, keys: KeySet, now: DateTime<Utc>) {
        if keys.len() == 0 {
            tracing::error!(issuer = %self.issuer, "the issuer publishes no key that may sign: its tokens are refused");
        } else {
            tracing::debug!(issuer = %self.issuer, keys = keys.len(), "the issuer's keys were fetched");
        }
        self.write().keys = Some((Arc::new(keys), now));
    }

    /// Reads a key set from bytes by this issuer's rules.
    pub fn read(&self, json: &[u8]) -> Result<KeySet, FetchError> {
        if json.len() > JWKS_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        Ok(KeySet::from_jwks(json, &self.algorithms)?)
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let json = match &self.origin {
            Origin::Url(client, url) => fetch_url(client, url.clone()).await?,
            Origin::File(path) => {
                let mut json = Vec::new();
                let limit = u64::try_from(JWKS_BYTES_MAX + 1).unwrap_or(u64::MAX);
                tokio::fs::File::open(path).await?.take(limit).read_to_end(&mut json).await?;
                json
            }
        };
        self.read(&json)
    }

    fn usable_keys(&self) -> Option<Arc<KeySet>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let (keys, fetched_at) = state.keys.as_ref()?;
        (self.clock.now() - *fetched_at <= self.pace.stale_max).then(|| keys.clone())
    }

    fn is_due_for_refresh(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.keys.as_ref().is_none_or(|(_, fetched_at)| self.clock.now() - *fetched_at >= self.pace.refresh)
    }

    fn may_attempt(&self) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        // A clock that was set back must not keep the keys from being fetched until it has caught up.
        state.attempted_at.is_none_or(|at| now < at || now - at >= self.pace.refresh_min)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch_url(client: &reqwest::Client, url: reqwest::Url) -> Result<Vec<u8>, FetchError> {
    let failed = |error: reqwest::Error| FetchError::Http(error.without_url());
    let request = client.get(url).header(reqwest::header::ACCEPT, "application/json, application/jwk-set+json");
    let mut response = request.send().await.map_err(failed)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    let mut json = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if json.len() + chunk.len() > JWKS_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        json.extend_from_slice(&chunk);
    }
    Ok(json)
}
