//! The `vault` provider: the transit engine of HashiCorp Vault or OpenBao, over its HTTP API. The key-encryption key never leaves it.
//!
//! A data key is bound to its place by the context that the transit key is derived from, so the key must be made with `derived`: of one
//! that isn't, transit ignores the context without a word, and that is looked at before anything is wrapped. The roots of the MAC keys
//! are a second transit key, of which one version is used for good.
//!
//! Source: "Transit secrets engine (API)" of OpenBao and of Vault, and "/sys/health".

mod token;

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use self::token::Tokens;
use super::key_file::decode;
use super::probe;
use super::provider::{DekContext, GeneratedDek, KeyError, KeyProvider, MacKey, MacPurpose, WrappedDek};
use super::service::{Answer, Line, Repeat, clipped, unreadable};
use crate::config::vault::TransitSettings;
use crate::vault::context::joined;
use crate::vault::secret::SecretKey32;

/// Keys of a transit engine.
pub struct TransitKeys {
    line: Line,
    /// Without a slash at its end.
    address: String,
    namespace: Option<String>,
    mount: String,
    key: String,
    mac_key: String,
    mac_key_version: u32,
    tokens: Tokens,
    is_development: bool,
}

impl fmt::Debug for TransitKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransitKeys").field("mount", &self.mount).field("key", &self.key).finish_non_exhaustive()
    }
}

/// What `data` holds of the answers that are read.
#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct DataKey<'a> {
    #[serde(borrow)]
    plaintext: Cow<'a, str>,
    #[serde(borrow)]
    ciphertext: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Opened<'a> {
    #[serde(borrow)]
    plaintext: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Rewrapped {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Hmac<'a> {
    #[serde(borrow)]
    hmac: Cow<'a, str>,
}

/// A named key, as far as it matters.
#[derive(Deserialize)]
struct NamedKey {
    latest_version: u32,
    derived: bool,
    supports_encryption: bool,
    supports_decryption: bool,
    #[serde(default)]
    exportable: bool,
    #[serde(default)]
    allow_plaintext_backup: bool,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

impl TransitKeys {
    /// Connects, and looks at the key.
    pub async fn open(settings: &TransitSettings) -> Result<Self, KeyError> {
        let mut keys = Self {
            line: Line::new(settings.ca_file.as_deref(), settings.timeout(), settings.attempts_max)?,
            address: settings.address.trim_end_matches('/').to_owned(),
            namespace: settings.namespace.clone(),
            mount: settings.mount.trim_matches('/').to_owned(),
            key: settings.key.clone(),
            mac_key: settings.mac_key.clone(),
            mac_key_version: settings.mac_key_version,
            tokens: Tokens::new(settings),
            is_development: false,
        };
        let key = keys.named_key().await?;
        // What can be taken out of the service is no better than a file, and what goes there in the clear is anybody's.
        keys.is_development = key.exportable || key.allow_plaintext_backup || !keys.address.starts_with("https://");
        Ok(keys)
    }

    /// The key's name with a version, as rows keep it.
    fn kek_id_of(&self, version: u32) -> String {
        format!("{}/{}:v{version}", self.mount, self.key)
    }

    /// The version that a row's key names, if it is one of this key.
    fn version_of(&self, kek_id: &str) -> Result<u32, KeyError> {
        kek_id
            .rsplit_once(":v")
            .and_then(|(_, version)| version.parse().ok())
            .filter(|version| self.kek_id_of(*version) == kek_id)
            .ok_or_else(|| KeyError::UnknownKek(kek_id.to_owned()))
    }

    /// The ciphertext, if it is of the version that its row says.
    fn ciphertext<'a>(&self, wrapped: &'a WrappedDek) -> Result<&'a str, KeyError> {
        let version = self.version_of(&wrapped.kek_id)?;
        let text = std::str::from_utf8(&wrapped.bytes).map_err(|_| KeyError::Malformed)?;
        if version_in(text) == Some(version) { Ok(text) } else { Err(KeyError::Malformed) }
    }

    fn wrapped(&self, ciphertext: &str) -> Result<WrappedDek, KeyError> {
        let version =
            version_in(ciphertext).ok_or_else(|| KeyError::Unavailable("a ciphertext without a version".into()))?;
        Ok(WrappedDek { kek_id: self.kek_id_of(version), bytes: ciphertext.as_bytes().to_vec() })
    }

    async fn named_key(&self) -> Result<NamedKey, KeyError> {
        let answer = self.call(Repeat::Safely, Method::GET, &format!("keys/{}", self.key), None).await?;
        match answer.status {
            200 => {}
            404 => return Err(KeyError::UnknownKek(format!("{}/{}", self.mount, self.key))),
            _ => return Err(failed(&answer, "")),
        }
        let Data { data: key } =
            serde_json::from_slice::<Data<NamedKey>>(&answer.body).map_err(|_| unreadable(&answer))?;
        if !key.derived {
            return Err(KeyError::Misconfigured(format!(
                "the transit key {} isn't derived, so that nothing would bind a data key to its place: make one with derived=true",
                self.key
            )));
        }
        if !key.supports_encryption || !key.supports_decryption {
            return Err(KeyError::Misconfigured(format!("the transit key {} doesn't encrypt and decrypt", self.key)));
        }
        Ok(key)
    }

    /// A call to the transit engine's `path`, with a token; a token that was refused is fetched anew once.
    async fn call(&self, repeat: Repeat, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, KeyError> {
        let token = self.tokens.get(&self.line, &self.address, self.namespace.as_deref()).await?;
        let answer = self.call_with(&token, repeat, &method, path, body).await?;
        if answer.status != 403 {
            return Ok(answer);
        }
        match self.tokens.renewed(&token, &self.line, &self.address, self.namespace.as_deref()).await? {
            // Refused before anything was done: made again whatever it is.
            Some(token) => self.call_with(&token, repeat, &method, path, body).await,
            None => Ok(answer),
        }
    }

    async fn call_with(
        &self,
        token: &SecretString,
        repeat: Repeat,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, KeyError> {
        let url = format!("{}/v1/{}/{path}", self.address, self.mount);
        let mut header = HeaderValue::from_str(token.expose_secret())
            .map_err(|_| KeyError::Misconfigured("the token can't be sent as a header".into()))?;
        header.set_sensitive(true);
        self.line
            .call(repeat, is_passing, |client| {
                let request = client
                    .request(method.clone(), &url)
                    .header("X-Vault-Request", "true")
                    .header("X-Vault-Token", header.clone());
                let request = with_namespace(request, self.namespace.as_deref());
                Ok(match body {
                    Some(body) => request.json(body),
                    None => request,
                })
            })
            .await
    }

    /// Whether the server serves: sealed, standing by and not set up are told apart before anything needs a token.
    async fn server_health(&self) -> Result<(), KeyError> {
        let url = format!("{}/v1/sys/health?standbyok=true&perfstandbyok=true", self.address);
        let answer = self.line.call(Repeat::Safely, is_passing, |client| Ok(client.get(&url))).await?;
        match answer.status {
            200 => Ok(()),
            501 => Err(KeyError::Unavailable("it isn't initialized".into())),
            503 => Err(KeyError::Unavailable("it is sealed".into())),
            status => Err(KeyError::Unavailable(format!("its health is HTTP {status}"))),
        }
    }
}

fn with_namespace(request: reqwest::RequestBuilder, namespace: Option<&str>) -> reqwest::RequestBuilder {
    match namespace {
        Some(namespace) => request.header("X-Vault-Namespace", namespace),
        None => request,
    }
}

/// 412: a standby that isn't as far as the request needs; 429: a quota.
fn is_passing(answer: &Answer) -> bool {
    matches!(answer.status, 412 | 429 | 500 | 502 | 503 | 504)
}

/// The version of `vault:v3:...`.
fn version_in(text: &str) -> Option<u32> {
    let (version, rest) = text.strip_prefix("vault:v")?.split_once(':')?;
    let version: u32 = version.parse().ok()?;
    (version > 0 && !rest.is_empty()).then_some(version)
}

/// What an answer other than 200 means, for `kek_id` where it is about one.
fn failed(answer: &Answer, kek_id: &str) -> KeyError {
    let told =
        serde_json::from_slice::<Errors>(&answer.body).map(|errors| errors.errors.join("; ")).unwrap_or_default();
    let told = clipped(&told);
    match answer.status {
        // The texts of the versions that can't be used any more, and of a key that was deleted.
        400 if ["too old", "too new", "key not found"].iter().any(|text| told.contains(text)) => {
            KeyError::UnknownKek(kek_id.to_owned())
        }
        400 => KeyError::Refused,
        403 => KeyError::Denied(told),
        404 | 405 => {
            KeyError::Misconfigured(format!("HTTP {}: is the transit engine mounted there? {told}", answer.status))
        }
        307 | 308 => KeyError::Misconfigured("it sends us to another server: name that one".into()),
        503 => KeyError::Unavailable("it is sealed, or in maintenance".into()),
        status => KeyError::Unavailable(format!("HTTP {status} {told}")),
    }
}

/// What a data key is bound to. The version isn't part of it: a rewrap changes that alone.
fn context(context: &DekContext) -> String {
    let pairs = context.pairs();
    let mut parts: Vec<&[u8]> = vec![b"landfall/wrapped-dek"];
    parts.extend(pairs.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    STANDARD.encode(joined(&parts))
}

#[async_trait]
impl KeyProvider for TransitKeys {
    fn code(&self) -> &'static str {
        "vault"
    }

    fn is_development(&self) -> bool {
        self.is_development
    }

    async fn kek_id(&self) -> Result<String, KeyError> {
        Ok(self.kek_id_of(self.named_key().await?.latest_version))
    }

    async fn generate_dek(&self, place: &DekContext) -> Result<GeneratedDek, KeyError> {
        let body = json!({"context": context(place), "bits": 256});
        let path = format!("datakey/plaintext/{}", self.key);
        let answer = self.call(Repeat::Never, Method::POST, &path, Some(&body)).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &self.key));
        }
        let Data { data: made } =
            serde_json::from_slice::<Data<DataKey<'_>>>(&answer.body).map_err(|_| unreadable(&answer))?;
        let key = decode(&made.plaintext).ok_or_else(|| unreadable(&answer))?;
        Ok(GeneratedDek { wrapped: self.wrapped(&made.ciphertext)?, key })
    }

    async fn unwrap(&self, wrapped: &WrappedDek, place: &DekContext) -> Result<SecretKey32, KeyError> {
        let body = json!({"ciphertext": self.ciphertext(wrapped)?, "context": context(place)});
        let path = format!("decrypt/{}", self.key);
        let answer = self.call(Repeat::Safely, Method::POST, &path, Some(&body)).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &wrapped.kek_id));
        }
        let Data { data: opened } =
            serde_json::from_slice::<Data<Opened<'_>>>(&answer.body).map_err(|_| unreadable(&answer))?;
        decode(&opened.plaintext).ok_or_else(|| unreadable(&answer))
    }

    async fn rewrap(&self, wrapped: &WrappedDek, place: &DekContext) -> Result<WrappedDek, KeyError> {
        let body = json!({"ciphertext": self.ciphertext(wrapped)?, "context": context(place)});
        let path = format!("rewrap/{}", self.key);
        let answer = self.call(Repeat::Never, Method::POST, &path, Some(&body)).await?;
        if answer.status != 200 {
            return Err(failed(&answer, &wrapped.kek_id));
        }
        let Data { data: rewrapped } =
            serde_json::from_slice::<Data<Rewrapped>>(&answer.body).map_err(|_| unreadable(&answer))?;
        self.wrapped(&rewrapped.ciphertext)
    }

    /// One version for good: another would fingerprint the same card anew.
    async fn mac_key(&self, purpose: MacPurpose) -> Result<MacKey, KeyError> {
        let version = self.mac_key_version;
        let id = format!("{}/{}:v{version}", self.mount, self.mac_key);
        let body = json!({"input": STANDARD.encode(purpose.label()), "key_version": version});
        let path = format!("hmac/{}/sha2-256", self.mac_key);
        let answer = self.call(Repeat::Safely, Method::POST, &path, Some(&body)).await?;
        match answer.status {
            200 => {}
            400 => return Err(KeyError::UnknownKek(id)),
            _ => return Err(failed(&answer, &id)),
        }
        let Data { data: made } =
            serde_json::from_slice::<Data<Hmac<'_>>>(&answer.body).map_err(|_| unreadable(&answer))?;
        let key = made.hmac.strip_prefix(&format!("vault:v{version}:")).and_then(decode);
        Ok(MacKey { id, key: key.ok_or_else(|| unreadable(&answer))? })
    }

    async fn health(&self) -> Result<(), KeyError> {
        self.server_health().await?;
        self.named_key().await?;
        probe::round_trip(self).await
    }
}

#[cfg(test)]
mod tests;
