//! Who holds the key-encryption key. A provider is one file here, one variant of `[vault] provider`, and it joins the tests in
//! `contract`.

#[cfg(test)]
pub(crate) mod contract;
mod file;
mod key_file;
mod provider;

use std::path::Path;
use std::sync::Arc;

pub use file::FileKeys;
pub use key_file::{KeyFileError, add_kek, generate_file};
pub use provider::{DekContext, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};

use crate::config::vault::{VaultProvider, VaultSettings};

/// The provider that the configuration names. `data_dir` is where relative paths start.
pub async fn open_provider(settings: &VaultSettings, data_dir: &Path) -> Result<Arc<dyn KeyProvider>, KeyError> {
    match settings.provider {
        VaultProvider::File => {
            let path = data_dir.join(&settings.file.path);
            let keys = if settings.file.generate_if_missing {
                FileKeys::open_or_generate(&path)
            } else {
                FileKeys::open(&path)
            };
            Ok(Arc::new(keys?))
        }
    }
}
