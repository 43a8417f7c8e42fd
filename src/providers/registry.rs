//! The adapters that this installation is compiled with, by code. Filled once, at start-up; it never decides which one is used.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::provider::Provider;

/// The adapters by [`Provider::code`]. Clones share the adapters.
#[derive(Clone, Default)]
pub struct ProviderRegistry {
    by_code: BTreeMap<&'static str, Arc<dyn Provider>>,
}

/// Two adapters with one code: rows that name it could mean either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two providers have the code {0:?}")]
pub struct DuplicateCode(pub &'static str);

impl ProviderRegistry {
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn Provider>>) -> Result<Self, DuplicateCode> {
        let mut by_code = BTreeMap::new();
        for provider in providers {
            let code = provider.code();
            if by_code.insert(code, provider).is_some() {
                return Err(DuplicateCode(code));
            }
        }
        Ok(Self { by_code })
    }

    pub fn get(&self, code: &str) -> Option<&Arc<dyn Provider>> {
        self.by_code.get(code)
    }

    /// Every code, in alphabetical order.
    pub fn codes(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.by_code.keys().copied()
    }
}

impl fmt::Debug for ProviderRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.codes()).finish()
    }
}
