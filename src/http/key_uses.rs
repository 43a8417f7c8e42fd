//! Which uses of API keys a process has noted, so that a busy key costs a row a minute and not one a request.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::ids::ApiKeyId;
use crate::gateway::access::keys::USE_NOTED_SECS;

/// How many keys' last uses a process remembers.
const KEYS_REMEMBERED: usize = 10_000;

/// When the uses of keys were last noted by this process, so that a busy key isn't written down at each request.
#[derive(Default)]
pub struct KeyUses(Mutex<BTreeMap<ApiKeyId, DateTime<Utc>>>);

impl KeyUses {
    /// Whether a use at `now` is to be noted, and by nobody else in this process.
    pub(super) fn claim(&self, key: ApiKeyId, last_noted: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let is_old = |at: DateTime<Utc>| at <= now - TimeDelta::seconds(USE_NOTED_SECS);
        if !last_noted.is_none_or(is_old) {
            return false;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !noted.get(&key).copied().is_none_or(is_old) {
            return false;
        }
        if noted.len() >= KEYS_REMEMBERED {
            noted.clear();
        }
        noted.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_noted_once_a_minute() {
        let uses = KeyUses::default();
        let at = |secs: i64| DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap();
        let id = ApiKeyId::new();
        assert!(uses.claim(id, None, at(0)));
        assert!(!uses.claim(id, None, at(59)));
        assert!(uses.claim(id, None, at(60)));
        assert!(!uses.claim(id, Some(at(110)), at(120)));
        assert!(uses.claim(ApiKeyId::new(), None, at(60)));
    }
}
