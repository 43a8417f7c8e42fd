//! The `aws-kms` provider: AWS Key Management Service, over its JSON protocol with requests signed by AWS's own signer. The
//! key-encryption key never leaves it.
//!
//! A data key is bound to its place by the encryption context. Rows name a key by a digest of its ARN: an ARN holds an account number,
//! and twelve digits may pass for a card's. Which version of a rotated key wrapped a data key is inside the ciphertext, KMS's own.
//!
//! Source: the AWS KMS API reference (GenerateDataKey, Decrypt, ReEncrypt, GenerateMac, DescribeKey) and AWS JSON 1.1.

mod credentials;
#[cfg(test)]
mod moto;
mod sign;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::credentials::{Credentials, Variables};
use super::key_file::{decode, in_letters};
use super::probe;
use super::provider::{DekContext, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};
use super::service::{Answer, Line, Repeat, clipped, unreadable};
use crate::clock::Clock;
use crate::config::vault::KmsSettings;
use crate::vault::secret::SecretKey32;

/// Keys of AWS KMS.
pub struct KmsKeys {
    line: Line,
    clock: Arc<dyn Clock>,
    credentials: Credentials,
    endpoint: String,
    settings: KmsSettings,
    keys: RwLock<Arc<Known>>,
}

impl fmt::Debug for KmsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsKeys").field("region", &self.settings.region).finish_non_exhaustive()
    }
}

/// The configured keys, by the names that rows have for them.
#[derive(Debug)]
struct Known {
    primary: String,
    /// Name to ARN.
    arns: BTreeMap<String, String>,
    mac: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataKey<'a> {
    #[serde(borrow)]
    plaintext: Cow<'a, str>,
    ciphertext_blob: String,
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Opened<'a> {
    #[serde(borrow)]
    plaintext: Cow<'a, str>,
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReEncrypted {
    ciphertext_blob: String,
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mac<'a> {
    #[serde(borrow)]
    mac: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    key_metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    arn: String,
    key_state: String,
    key_usage: String,
    key_spec: String,
}

/// How an error is told: with the exception's name, perhaps after its shape's namespace.
#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(default, alias = "Message")]
    message: String,
}

impl KmsKeys {
    /// Connects, and looks at the keys.
    pub async fn open(settings: &KmsSettings, clock: Arc<dyn Clock>) -> Result<Self, KeyError> {
        Self::open_with(settings, clock, Arc::new(|name| std::env::var(name).ok())).await
    }

    async fn open_with(settings: &KmsSettings, clock: Arc<dyn Clock>, variables: Variables) -> Result<Self, KeyError> {
        let suffix = if settings.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let default = format!("https://kms.{}.{suffix}", settings.region);
        let keys = Self {
            line: Line::new(settings.ca_file.as_deref(), settings.timeout(), settings.attempts_max)?,
            credentials: Credentials::new(settings, variables)?,
            endpoint: settings.endpoint.clone().unwrap_or(default).trim_end_matches('/').to_owned(),
            settings: settings.clone(),
            keys: RwLock::new(Arc::new(Known { primary: String::new(), arns: BTreeMap::new(), mac: String::new() })),
            clock,
        };
        keys.look_up().await?;
        Ok(keys)
    }

    /// Asks what the configured names stand for now: an alias may have moved to another key.
    async fn look_up(&self) -> Result<Arc<Known>, KeyError> {
        let primary = self.describe(&self.settings.key_id, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT").await?;
        // What an alias stood for before is remembered as long as this process runs.
        let mut arns = self.known().arns.clone();
        arns.insert(name_of(&primary), primary.clone());
        for old in &self.settings.key_ids_old {
            let arn = self.describe(old, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT").await?;
            arns.insert(name_of(&arn), arn);
        }
        let mac = self.describe(&self.settings.mac_key_id, "GENERATE_VERIFY_MAC", "HMAC_256").await?;
        let known = Arc::new(Known { primary: name_of(&primary), arns, mac });
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&known);
        Ok(known)
    }

    /// The ARN of a key that is enabled and of the right kind.
    async fn describe(&self, key_id: &str, usage: &str, spec: &str) -> Result<String, KeyError> {
        let answer = self.call(Repeat::Safely, "DescribeKey", &json!({"KeyId": key_id})).await?;
        if answer.status != 200 {
            return Err(failed(&answer, key_id));
        }
        let Described { key_metadata: key } = serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
        if (key.key_usage.as_str(), key.key_spec.as_str()) != (usage, spec) {
            return Err(KeyError::Misconfigured(format!(
                "the key {} is {} for {}, not {spec} for {usage}",
                name_of(&key.arn),
                key.key_spec,
                key.key_usage
            )));
        }
        if key.key_state != "Enabled" {
            return Err(KeyError::Unavailable(format!("the key {} is {}", name_of(&key.arn), key.key_state)));
        }
        Ok(key.arn)
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ARN of the key that a row names. One that isn't known may be where an alias has moved to meanwhile.
    async fn arn_of(&self, kek_id: &str) -> Result<String, KeyError> {
        if let Some(arn) = self.known().arns.get(kek_id) {
            return Ok(arn.clone());
        }
        if !kek_id.starts_with(NAME_PREFIX) {
            return Err(KeyError::UnknownKek(kek_id.to_owned()));
        }
        let known = self.look_up().await?;
        known.arns.get(kek_id).cloned().ok_or_else(|| KeyError::UnknownKek(kek_id.to_owned()))
    }

    fn primary_arn(&self) -> Result<String, KeyError> {
        let known = self.known();
        known.arns.get(&known.primary).cloned().ok_or_else(|| KeyError::UnknownKek(known.primary.clone()))
    }

    /// A signed call; credentials that were refused are fetched anew once.
    async fn call(&self, repeat: Repeat, operation: &str, body: &Value) -> Result<Answer, KeyError> {
        let body = body.to_string();
        let used = self.credentials.get(self.clock.now()).await?;
        let answer = self.call_with(&used, repeat, operation, &body).await?;
        let is_refused = exception(&answer).is_some_and(|exception| is_about_credentials(&exception.kind));
        if !is_refused {
            return Ok(answer);
        }
        self.credentials.forget(&used).await;
        let fresh = self.credentials.get(self.clock.now()).await?;
        if fresh.is_same(&used) { Ok(answer) } else { self.call_with(&fresh, repeat, operation, &body).await }
    }

    async fn call_with(
        &self,
        keys: &credentials::Keys,
        repeat: Repeat,
        operation: &str,
        body: &str,
    ) -> Result<Answer, KeyError> {
        let url = format!("{}/", self.endpoint);
        let target = format!("TrentService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        self.line
            .call(repeat, is_passing, |client| {
                let order = sign::Order {
                    method: "POST",
                    url: &url,
                    headers: &headers,
                    body: body.as_bytes(),
                    region: &self.settings.region,
                    service: "kms",
                };
                let mut request = client.post(&url).body(body.to_owned());
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                for (name, value) in sign::signed(&order, keys, self.clock.now())? {
                    request = request.header(name, value);
                }
                Ok(request)
            })
            .await
    }
}

const NAME_PREFIX: &str = "aws-kms-";

/// What rows call a key: letters alone, from its ARN's digest.
fn name_of(arn: &str) -> String {
    let digest = Sha256::digest(arn.as_bytes());
    format!("{NAME_PREFIX}{}", in_letters(&digest[..10]))
}

fn exception(answer: &Answer) -> Option<Exception> {
    if answer.status == 200 {
        return None;
    }
    let exception: Exception = serde_json::from_slice(&answer.body).ok()?;
    let kind = exception.kind.rsplit('#').next().unwrap_or_default().to_owned();
    Some(Exception { kind, ..exception })
}

fn is_about_credentials(kind: &str) -> bool {
    matches!(
        kind,
        "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidClientTokenId" | "InvalidSignatureException"
    )
}

fn is_passing(answer: &Answer) -> bool {
    answer.status >= 500
        || answer.status == 429
        || exception(answer).is_some_and(|exception| {
            matches!(
                exception.kind.as_str(),
                "ThrottlingException" | "DependencyTimeoutException" | "LimitExceededException"
            )
        })
}

/// What an answer other than 200 means, for the key that a row calls `kek_id`.
fn failed(answer: &Answer, kek_id: &str) -> KeyError {
    let Some(exception) = exception(answer) else { return unreadable(answer) };
    let told = || format!("{}: {}", exception.kind, clipped(&exception.message));
    match exception.kind.as_str() {
        "InvalidCiphertextException" => KeyError::Refused,
        "IncorrectKeyException" => KeyError::WrongKek(kek_id.to_owned()),
        "NotFoundException" => KeyError::UnknownKek(kek_id.to_owned()),
        "AccessDeniedException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "OptInRequired" => KeyError::Denied(told()),
        kind if is_about_credentials(kind) => KeyError::Denied(told()),
        "DisabledException" | "KMSInvalidStateException" | "KeyUnavailableException" => KeyError::Unavailable(told()),
        _ if is_passing(answer) => KeyError::Unavailable(told()),
        _ => KeyError::Misconfigured(told()),
    }
}

/// The encryption context: shown in CloudTrail, and no secret.
fn context(place: &DekContext) -> Value {
    let pairs = place.pairs().into_iter().map(|(name, value)| (name.to_owned(), Value::String(value)));
    pairs.chain([("purpose".to_owned(), json!("landfall/wrapped-dek"))]).collect::<serde_json::Map<_, _>>().into()
}

fn blob(text: &str, answer: &Answer) -> Result<Vec<u8>, KeyError> {
    STANDARD.decode(text).map_err(|_| unreadable(answer))
}

#[async_trait]
impl KeyProvider for KmsKeys {
    fn code(&self) -> &'static str {
        "aws-kms"
    }

    /// What goes there in the clear is anybody's.
    fn is_development(&self) -> bool {
        !self.endpoint.starts_with("https://")
    }

    async fn kek_id(&self) -> Result<String, KeyError> {
        Ok(self.look_up().await?.primary.clone())
    }

    async fn generate_dek(&self, place: &DekContext) -> Result<GeneratedDek, KeyError> {
        let arn = self.primary_arn()?;
        let body = json!({"KeyId": arn, "KeySpec": "AES_256", "EncryptionContext": context(place)});
        let answer = self.call(Repeat::Never, "GenerateDataKey", &body).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &name_of(&arn)));
        }
        let made: DataKey<'_> = serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
        let key = decode(&made.plaintext).filter(|_| made.key_id == arn).ok_or_else(|| unreadable(&answer))?;
        let bytes = blob(&made.ciphertext_blob, &answer)?;
        Ok(GeneratedDek { wrapped: WrappedDek { kek_id: name_of(&arn), bytes }, key })
    }

    async fn unwrap(&self, wrapped: &WrappedDek, place: &DekContext) -> Result<SecretKey32, KeyError> {
        let arn = self.arn_of(&wrapped.kek_id).await?;
        if wrapped.bytes.is_empty() {
            return Err(KeyError::Malformed);
        }
        // Naming the key refuses a ciphertext under any other that we may use.
        let body = json!({
            "KeyId": arn,
            "CiphertextBlob": STANDARD.encode(&wrapped.bytes),
            "EncryptionContext": context(place),
        });
        let answer = self.call(Repeat::Safely, "Decrypt", &body).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &wrapped.kek_id));
        }
        let opened: Opened<'_> = serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
        if opened.key_id != arn {
            return Err(KeyError::WrongKek(wrapped.kek_id.clone()));
        }
        decode(&opened.plaintext).ok_or_else(|| unreadable(&answer))
    }

    async fn rewrap(&self, wrapped: &WrappedDek, place: &DekContext) -> Result<WrappedDek, KeyError> {
        let (source, destination) = (self.arn_of(&wrapped.kek_id).await?, self.primary_arn()?);
        if wrapped.bytes.is_empty() {
            return Err(KeyError::Malformed);
        }
        let body = json!({
            "CiphertextBlob": STANDARD.encode(&wrapped.bytes),
            "SourceKeyId": source,
            "SourceEncryptionContext": context(place),
            "DestinationKeyId": destination,
            "DestinationEncryptionContext": context(place),
        });
        let answer = self.call(Repeat::Never, "ReEncrypt", &body).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &wrapped.kek_id));
        }
        let made: ReEncrypted = serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
        if made.key_id != destination {
            return Err(unreadable(&answer));
        }
        Ok(WrappedDek { kek_id: name_of(&destination), bytes: blob(&made.ciphertext_blob, &answer)? })
    }

    async fn mac_key(&self, purpose: MacPurpose) -> Result<MacKey, KeyError> {
        let arn = self.known().mac.clone();
        let id = name_of(&arn);
        let body = json!({
            "KeyId": arn,
            "Message": STANDARD.encode(purpose.label()),
            "MacAlgorithm": "HMAC_SHA_256",
        });
        let answer = self.call(Repeat::Safely, "GenerateMac", &body).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &id));
        }
        let made: Mac<'_> = serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
        let key = decode(&made.mac).ok_or_else(|| unreadable(&answer))?;
        Ok(MacKey { id, key })
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.look_up().await?;
        probe::round_trip(self).await
    }
}
