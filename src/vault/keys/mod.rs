//! Who holds the key-encryption key. A provider is one file here, one variant of `[vault] provider`, and it joins the tests in
//! `contract`.

mod components;
#[cfg(test)]
pub(crate) mod contract;
mod file;
mod key_file;
mod kms;
mod moved;
mod probe;
mod provider;
mod secret_file;
mod service;
#[cfg(test)]
mod stage;
mod transit;

use std::path::Path;
use std::sync::Arc;

pub use components::{FileSummary, component_summary, joined_summary, key_file_summary};
pub use file::FileKeys;
pub use key_file::{KeyFileError, SetName, add_kek, generate_file, make_component};
pub use kms::KmsKeys;
pub use moved::MovedKeys;
pub use provider::{DekContext, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};
pub use transit::TransitKeys;

use crate::clock::Clock;
use crate::config::vault::{VaultProvider, VaultSettings};

/// The provider that the configuration names, over the former one where it names one. `data_dir` is where relative paths start.
pub async fn open_provider(
    settings: &VaultSettings,
    data_dir: &Path,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn KeyProvider>, KeyError> {
    let now = open_one(settings.provider, settings, data_dir, &clock).await?;
    match settings.moved_from {
        Some(before) => Ok(Arc::new(MovedKeys::new(now, open_one(before, settings, data_dir, &clock).await?))),
        None => Ok(now),
    }
}

async fn open_one(
    provider: VaultProvider,
    settings: &VaultSettings,
    data_dir: &Path,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn KeyProvider>, KeyError> {
    match provider {
        VaultProvider::File => Ok(Arc::new(open_files(settings, data_dir)?)),
        VaultProvider::Vault => Ok(Arc::new(TransitKeys::open(&settings.transit).await?)),
        VaultProvider::AwsKms => Ok(Arc::new(KmsKeys::open(&settings.aws_kms, Arc::clone(clock)).await?)),
    }
}

fn open_files(settings: &VaultSettings, data_dir: &Path) -> Result<FileKeys, KeyFileError> {
    let file = &settings.file;
    if let Some((one, other)) = file.component_paths(data_dir) {
        return FileKeys::open_components(&one, &other);
    }
    let path = data_dir.join(&file.path);
    if file.generate_if_missing { FileKeys::open_or_generate(&path) } else { FileKeys::open(&path) }
}
