//! An installation that has moved from one key provider to another: new data keys are wrapped by the new one, those that the old one wrapped
//! still open, until each has been followed by a new epoch and retired. The MAC keys stay with the old one for good: under another root the
//! same card would have another fingerprint, and chains of events couldn't be checked.

use std::sync::Arc;

use async_trait::async_trait;

use super::provider::{DekContext, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};
use crate::vault::secret::SecretKey32;

#[derive(Debug)]
pub struct MovedKeys {
    now: Arc<dyn KeyProvider>,
    before: Arc<dyn KeyProvider>,
}

impl MovedKeys {
    pub fn new(now: Arc<dyn KeyProvider>, before: Arc<dyn KeyProvider>) -> Self {
        Self { now, before }
    }
}

#[async_trait]
impl KeyProvider for MovedKeys {
    fn code(&self) -> &'static str {
        self.now.code()
    }

    /// Of either: the MAC keys are the old one's.
    fn is_development(&self) -> bool {
        self.now.is_development() || self.before.is_development()
    }

    async fn kek_id(&self) -> Result<String, KeyError> {
        self.now.kek_id().await
    }

    async fn generate_dek(&self, context: &DekContext) -> Result<GeneratedDek, KeyError> {
        self.now.generate_dek(context).await
    }

    async fn unwrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<SecretKey32, KeyError> {
        match self.now.unwrap(wrapped, context).await {
            Err(KeyError::UnknownKek(_)) => self.before.unwrap(wrapped, context).await,
            other => other,
        }
    }

    /// No provider wraps what another one has wrapped without seeing it: such a key is followed by a new epoch instead.
    async fn rewrap(&self, wrapped: &WrappedDek, context: &DekContext) -> Result<WrappedDek, KeyError> {
        match self.now.rewrap(wrapped, context).await {
            Err(KeyError::UnknownKek(kek)) => Err(KeyError::Misconfigured(format!(
                "{kek} is the former provider's: rotate, and retire what it has wrapped (docs/keys.md)"
            ))),
            other => other,
        }
    }

    async fn mac_key(&self, purpose: MacPurpose) -> Result<MacKey, KeyError> {
        self.before.mac_key(purpose).await
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.now.health().await?;
        self.before.health().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Mode, PartnerId, Tenant};
    use crate::vault::dek::DekId;
    use crate::vault::keys::FileKeys;

    #[tokio::test]
    async fn what_the_former_provider_wrapped_opens_and_new_keys_are_the_new_ones() {
        let folder = tempfile::tempdir().unwrap();
        let keys = |name: &str| -> Arc<dyn KeyProvider> {
            Arc::new(FileKeys::open_or_generate(&folder.path().join(name)).unwrap())
        };
        let (before, now) = (keys("before.json"), keys("now.json"));
        let moved = MovedKeys::new(Arc::clone(&now), Arc::clone(&before));
        let tenant = Tenant { partner_id: PartnerId::new(), mode: Mode::Test };
        let context = |epoch| DekContext { dek_id: DekId::new(), tenant, epoch };
        let (first, second) = (context(1), context(2));
        let old = before.generate_dek(&first).await.unwrap();
        let new = moved.generate_dek(&second).await.unwrap();
        assert_eq!(moved.unwrap(&old.wrapped, &first).await.unwrap().expose(), old.key.expose());
        assert_eq!(now.unwrap(&new.wrapped, &second).await.unwrap().expose(), new.key.expose());
        assert!(matches!(before.unwrap(&new.wrapped, &second).await, Err(KeyError::UnknownKek(_))));
        assert!(matches!(moved.unwrap(&old.wrapped, &second).await, Err(KeyError::Refused)), "bound as ever");
        assert!(matches!(moved.rewrap(&old.wrapped, &first).await, Err(KeyError::Misconfigured(_))));
        for purpose in MacPurpose::ALL {
            let (kept, was) = (moved.mac_key(purpose).await.unwrap(), before.mac_key(purpose).await.unwrap());
            assert_eq!((kept.id, kept.key.expose()), (was.id, was.key.expose()));
        }
        moved.health().await.unwrap();
    }
}
