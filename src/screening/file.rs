//! Screening by a file: a list of names and references (`domain::screening`), read again whenever it changes. A file that is gone or can't
//! be read answers nothing: an old list isn't used in its place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use super::Screen;
use crate::domain::screening::{Answer, NameList, Subject, Unavailable};

/// What tells one state of the file from another.
type Stamp = (Option<SystemTime>, u64);

pub struct FileScreen {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Arc<NameList>)>>,
}

impl FileScreen {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), read: Mutex::new(None) }
    }

    /// The list as the file has it now.
    pub async fn list(&self) -> Result<Arc<NameList>, Unavailable> {
        let failed = |why: String| Unavailable(format!("{}: {why}", self.path.display()));
        let about = tokio::fs::metadata(&self.path).await.map_err(|error| failed(error.to_string()))?;
        let stamp = (about.modified().ok(), about.len());
        if let Some((known, list)) = &*self.read.lock().unwrap_or_else(PoisonError::into_inner)
            && *known == stamp
        {
            return Ok(Arc::clone(list));
        }
        let text = tokio::fs::read_to_string(&self.path).await.map_err(|error| failed(error.to_string()))?;
        let list = Arc::new(NameList::parse(&text).map_err(|error| failed(error.to_string()))?);
        tracing::info!(entries = list.len(), source = list.source, date = list.date, "a list to screen by was read");
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((stamp, Arc::clone(&list)));
        Ok(list)
    }
}

#[async_trait]
impl Screen for FileScreen {
    async fn screen(&self, subject: &Subject<'_>) -> Result<Answer, Unavailable> {
        Ok(self.list().await?.screen(subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_is_read_again_when_it_changes_and_missed_when_it_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("names.txt");
        let screen = FileScreen::new(&path);
        let subject = Subject { name: "Ada Lovelace", reference: "ada", country: None, issuer_country: None };
        assert!(screen.screen(&subject).await.is_err());
        std::fs::write(&path, "# Source: a test\n# Date: 2026-11-22\n").unwrap();
        assert_eq!(screen.screen(&subject).await, Ok(Answer::Pass));
        std::fs::write(&path, "# Source: a test\n# Date: 2026-11-22\nLovelace, Ada\n").unwrap();
        assert!(matches!(screen.screen(&subject).await, Ok(Answer::Refuse { .. })));
        std::fs::write(&path, "half a li").unwrap();
        assert!(screen.screen(&subject).await.is_err());
        std::fs::remove_file(&path).unwrap();
        assert!(screen.screen(&subject).await.is_err());
    }
}
