//! Who screens: the trait behind which a list or a service tells whether something may be paid to somebody. It is asked outside any
//! transaction. Whoever asks decides what follows; nothing here knows of offers or cards.

pub mod file;

use async_trait::async_trait;

use crate::domain::screening::{Answer, Subject, Unavailable};

/// A list or a service that screens.
#[async_trait]
pub trait Screen: Send + Sync {
    /// # Errors
    /// Nobody could tell now. Whoever asks must not go on as if all were well.
    async fn screen(&self, subject: &Subject<'_>) -> Result<Answer, Unavailable>;
}
