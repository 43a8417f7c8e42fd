//! Credentials of provider accounts: sealed in the vault for their row, opened when routing reads a new version of it, and never
//! told to anybody.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Attributes;
use super::form::Form;
use crate::domain::ids::{ProviderAccountId, Tenant};
use crate::providers::provider::{CredentialField, CredentialKind};
use crate::vault::{CALLBACK_KEYS_COLUMN, CREDENTIALS_COLUMN, Context, Sealed, Vault, VaultError};

/// How many sets of replaced keys are kept at once; the oldest go first.
pub const EARLIER_KEYS_MAX: usize = 4;
/// The longest credential: a private key in PEM fits.
const CHARS_MAX: usize = 8_000;

/// Credentials by name.
pub type Credentials = BTreeMap<String, SecretString>;

/// Why credentials can't be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("what was sealed as credentials is none")]
    Malformed,
}

/// What callbacks were verified with before it was replaced.
#[derive(Debug)]
pub struct EarlierKeys {
    /// From then on callbacks under them are refused.
    pub until: DateTime<Utc>,
    pub credentials: Credentials,
}

impl EarlierKeys {
    /// Of the credentials named in `verifying`, those that were set, if `is` has other ones.
    pub fn replaced(was: &Credentials, is: &Credentials, verifying: &[&str]) -> Option<Credentials> {
        let is_same = |name: &&str| match (was.get(*name), is.get(*name)) {
            (Some(was), Some(is)) => was.expose_secret() == is.expose_secret(),
            (was, is) => was.is_none() && is.is_none(),
        };
        if verifying.iter().all(is_same) {
            return None;
        }
        let kept: Credentials = was
            .iter()
            .filter(|(name, _)| verifying.contains(&name.as_str()))
            .map(|(n, s)| (n.clone(), s.clone()))
            .collect();
        if kept.is_empty() { None } else { Some(kept) }
    }
}

/// [`EarlierKeys`] as they are sealed.
#[derive(Serialize, Deserialize)]
struct EarlierSealed<'a> {
    until: DateTime<Utc>,
    credentials: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
}

fn place(owner: Tenant, id: ProviderAccountId, column: &'static str) -> Context {
    Context { tenant: owner, customer_id: None, record: id.0.into(), column }
}

/// Seals credentials for the row of account `id`.
pub async fn seal(
    vault: &Vault,
    owner: Tenant,
    id: ProviderAccountId,
    credentials: &Credentials,
) -> Result<Vec<u8>, CredentialsError> {
    let exposed: BTreeMap<&str, &str> =
        credentials.iter().map(|(name, secret)| (name.as_str(), secret.expose_secret())).collect();
    let plaintext = Zeroizing::new(serde_json::to_vec(&exposed).map_err(|_| CredentialsError::Malformed)?);
    Ok(vault.seal(&place(owner, id, CREDENTIALS_COLUMN), &plaintext).await?.0)
}

/// Opens what was sealed for the row of account `id`.
pub async fn open(
    vault: &Vault,
    owner: Tenant,
    id: ProviderAccountId,
    sealed: &[u8],
) -> Result<Credentials, CredentialsError> {
    let plaintext = vault.open(&place(owner, id, CREDENTIALS_COLUMN), &Sealed(sealed.to_vec())).await?;
    let exposed: BTreeMap<String, String> =
        serde_json::from_slice(&plaintext).map_err(|_| CredentialsError::Malformed)?;
    Ok(exposed.into_iter().map(|(name, secret)| (name, SecretString::from(secret))).collect())
}

/// Seals keys that were replaced for the row of account `id`.
pub async fn seal_earlier(
    vault: &Vault,
    owner: Tenant,
    id: ProviderAccountId,
    keys: &[EarlierKeys],
) -> Result<Vec<u8>, CredentialsError> {
    let secrets =
        |set| Credentials::iter(set).map(|(name, secret)| (name.into(), secret.expose_secret().into())).collect();
    let exposed: Vec<EarlierSealed<'_>> =
        keys.iter().map(|set| EarlierSealed { until: set.until, credentials: secrets(&set.credentials) }).collect();
    let plaintext = Zeroizing::new(serde_json::to_vec(&exposed).map_err(|_| CredentialsError::Malformed)?);
    Ok(vault.seal(&place(owner, id, CALLBACK_KEYS_COLUMN), &plaintext).await?.0)
}

/// Opens what [`seal_earlier`] sealed.
pub async fn open_earlier(
    vault: &Vault,
    owner: Tenant,
    id: ProviderAccountId,
    sealed: &[u8],
) -> Result<Vec<EarlierKeys>, CredentialsError> {
    let plaintext = vault.open(&place(owner, id, CALLBACK_KEYS_COLUMN), &Sealed(sealed.to_vec())).await?;
    let exposed: Vec<EarlierSealed<'_>> =
        serde_json::from_slice(&plaintext).map_err(|_| CredentialsError::Malformed)?;
    let secret = |(name, value): (Cow<'_, str>, Cow<'_, str>)| (name.into_owned(), value.into_owned().into());
    Ok(exposed
        .into_iter()
        .map(|set| EarlierKeys { until: set.until, credentials: set.credentials.into_iter().map(secret).collect() })
        .collect())
}

/// Reads the attribute `credentials` over what is set already: a text sets one, null removes it. What the provider doesn't know is
/// refused, and what it can't do without is told if it ends up missing.
pub fn read(
    form: &mut Form<'_>,
    given: Option<&Attributes>,
    schema: &[CredentialField],
    mut set: Credentials,
) -> Credentials {
    for (name, value) in given.into_iter().flatten() {
        let at = format!("credentials/{name}");
        if !schema.iter().any(|field| field.name == name.as_str()) {
            form.add("credentials", "UNKNOWN_CREDENTIAL", "names a credential that the provider doesn't know");
            continue;
        }
        match value {
            Value::Null => drop(set.remove(name)),
            Value::String(secret) if !secret.is_empty() && secret.chars().count() <= CHARS_MAX => {
                set.insert(name.clone(), SecretString::from(secret.clone()));
            }
            _ => form.add(&at, "WRONG_LENGTH", format!("is a string of 1 to {CHARS_MAX} characters")),
        }
    }
    for field in schema {
        match field.kind {
            CredentialKind::Required if !set.contains_key(field.name) => {
                form.add(&format!("credentials/{}", field.name), "MISSING", "is required by the provider");
            }
            CredentialKind::Generated if !set.contains_key(field.name) => {
                let secret = hex::encode(rand::random::<[u8; 32]>());
                set.insert(field.name.to_owned(), SecretString::from(secret));
            }
            CredentialKind::Required | CredentialKind::Generated | CredentialKind::Optional => {}
        }
    }
    set
}
