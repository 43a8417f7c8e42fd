//! API keys: made, checked at every request, changed, revoked. A key is 256 random bits, shown once and kept as their hash, so a
//! stolen database opens nothing and nobody guesses one. Each request looks its key up anew: a revoked key is dead at once, on
//! every node.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::audit::{self, Action, Author, Gate};
use super::signing::{self, Parts, SignatureRefused, SignedBody};
use super::{Caller, Principal, Problem, Refusal, Scope};
use crate::config::gateway::HOUSE;
use crate::config::networks::Network;
use crate::domain::ids::{ApiKeyId, Mode, Tenant};
use crate::gateway::sealing::sealed_again;
use crate::gateway::{Gateway, GatewayError};
pub use crate::store::Slice;
use crate::store::api_keys::{self, ApiKeyRow};
use crate::store::error::DbError;
use crate::store::retry::transaction;
use crate::vault::{Context, SIGNING_COLUMN, Sealed};

const SECRET_BYTES: usize = 32;
/// 32 bytes in base64url.
const SECRET_CHARS: usize = 43;
/// 4 bytes in base64url: tells a mistyped key from a key, and a key from anything else that looks like one.
const CHECK_CHARS: usize = 6;
/// How much of a key is kept readable: `sk_test_` and 4 characters.
const PREFIX_CHARS: usize = 12;
/// The most addresses or networks of a key.
pub const ALLOWED_IPS_MAX: usize = 50;
/// How long a use isn't noted again, in seconds.
pub const USE_NOTED_SECS: i64 = 60;

/// A key as its owner holds it. Redacts `Debug`, is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// What a new key's owner is shown, once.
#[derive(Clone, Debug)]
pub struct Secrets {
    pub key: Secret,
    /// What the key's requests are to be signed with, where they are.
    pub signing: Option<Secret>,
}

impl Secrets {
    /// The key itself. For its owner's eyes.
    pub fn expose(&self) -> &str {
        self.key.expose()
    }
}

impl Secret {
    fn draw_signing(mode: Mode) -> Result<Self, GatewayError> {
        let drawn = Self::draw(mode)?;
        Ok(Self(Zeroizing::new(format!("s{}", drawn.expose()))))
    }

    fn draw(mode: Mode) -> Result<Self, GatewayError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        let drawn = SysRng.try_fill_bytes(bytes.as_mut_slice());
        drawn.map_err(|_| GatewayError::Corrupt("the system gives no random bytes".to_owned()))?;
        let body = Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        let head = Zeroizing::new(format!("sk_{mode}_{}", body.as_str()));
        Ok(Self(Zeroizing::new(format!("{}{}", head.as_str(), check(&head)))))
    }

    /// The whole key. For its owner's eyes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn prefix(&self) -> String {
        self.0.chars().take(PREFIX_CHARS).collect()
    }

    fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn check(head: &str) -> String {
    let digest = Sha256::new().chain_update(b"landfall/api-key/").chain_update(head.as_bytes()).finalize();
    let mut check = URL_SAFE_NO_PAD.encode(digest);
    check.truncate(CHECK_CHARS);
    check
}

/// The mode of a text that is shaped like a key; `None`: no key was ever like that.
fn mode_of(text: &str) -> Option<Mode> {
    let mode = [Mode::Test, Mode::Live].into_iter().find(|mode| text.starts_with(&format!("sk_{mode}_")))?;
    let head_chars = "sk_test_".len() + SECRET_CHARS;
    let is_key = text.is_ascii() && text.len() == head_chars + CHECK_CHARS;
    let (head, checked) = is_key.then(|| text.split_at(head_chars))?;
    (check(head) == checked).then_some(mode)
}

/// Why a key is refused. For the log: the caller is told nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyRefused {
    #[error("no key, or a mistyped one")]
    Malformed,
    #[error("nobody's key")]
    Unknown,
    #[error("{0} is revoked")]
    Revoked(ApiKeyId),
    #[error("{0} has expired")]
    Expired(ApiKeyId),
    #[error("{0} may not be used from where it was")]
    Address(ApiKeyId),
    #[error("{id}: {why}")]
    Signature { id: ApiKeyId, why: SignatureRefused },
    #[error(transparent)]
    Failed(#[from] GatewayError),
}

impl From<DbError> for KeyRefused {
    fn from(error: DbError) -> Self {
        KeyRefused::Failed(error.into())
    }
}

/// Whose key it is, and when its use was last noted.
#[derive(Clone, Debug)]
pub struct Known {
    pub caller: Caller,
    pub key_id: ApiKeyId,
    pub partner_code: String,
    pub last_used_at: Option<DateTime<Utc>>,
    /// What the request must be signed with; `None`: it needs no signature.
    pub signing: Option<Secret>,
}

impl Known {
    /// Checks the signature of a request whose key demands one. `None`: it demands none.
    ///
    /// # Errors
    /// [`KeyRefused::Signature`], which says why.
    pub fn check_signature(
        &self,
        parts: &Parts<'_>,
        header: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Option<SignedBody>, KeyRefused> {
        let Some(secret) = &self.signing else { return Ok(None) };
        let checked = header
            .ok_or(SignatureRefused::Missing)
            .and_then(|header| signing::verify(secret.expose(), parts, header, now));
        checked.map(Some).map_err(|why| KeyRefused::Signature { id: self.key_id, why })
    }
}

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    /// 1 to 200 characters.
    pub name: String,
    pub scopes: BTreeSet<Scope>,
    /// Addresses and networks; empty: any.
    pub allowed_ips: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether its requests are signed.
    pub signing_required: bool,
}

/// What is to be changed of a key; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    pub name: Option<String>,
    pub allowed_ips: Option<Vec<String>>,
    // JSON has one null: that it is to be removed is a list without one.
    #[serde(with = "change_of_time")]
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

mod change_of_time {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Time = Option<Option<DateTime<Utc>>>;

    pub fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(Vec::from_iter).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        Ok(Option::<Vec<DateTime<Utc>>>::deserialize(deserializer)?.map(|time| time.first().copied()))
    }
}

/// A key that is drawn before it is made: its secrets are shown now, and what is kept of them goes, sealed, with what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drawn {
    pub id: ApiKeyId,
    prefix: String,
    secret_hash: [u8; 32],
    #[serde(default)]
    signing: Option<DrawnSigning>,
}

impl Drawn {
    /// `is_signing`: the key's requests are to be signed.
    pub fn new(mode: Mode, is_signing: bool) -> Result<(Self, Secrets), GatewayError> {
        let secret = Secret::draw(mode)?;
        let signing = if is_signing { Some(Secret::draw_signing(mode)?) } else { None };
        let drawn = Self {
            id: ApiKeyId::new(),
            prefix: secret.prefix(),
            secret_hash: secret.hash(),
            signing: signing.clone().map(DrawnSigning),
        };
        Ok((drawn, Secrets { key: secret, signing }))
    }
}

/// A signing secret on its way into what is sealed, and out of it.
#[derive(Clone, Debug)]
struct DrawnSigning(Secret);

impl PartialEq for DrawnSigning {
    fn eq(&self, other: &Self) -> bool {
        self.0.0.as_bytes().ct_eq(other.0.0.as_bytes()).into()
    }
}

impl Eq for DrawnSigning {}

impl Serialize for DrawnSigning {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for DrawnSigning {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret(Zeroizing::new(text))))
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub mode: Mode,
    pub name: String,
    pub prefix: String,
    pub scopes: BTreeSet<Scope>,
    pub allowed_ips: Vec<String>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub signing_required: bool,
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.id,
            mode: row.mode,
            name: row.name,
            prefix: row.prefix,
            scopes: scopes_of(&row.scopes),
            allowed_ips: row.allowed_ips,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            created_by: row.created_by,
            created_at: row.created_at,
            signing_required: row.signing_sealed.is_some(),
        }
    }
}

/// A scope that this version doesn't know grants nothing.
fn scopes_of(texts: &[String]) -> BTreeSet<Scope> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// What the audit trail keeps of a key.
fn audited(key: &ApiKeyRow) -> Value {
    json!({
        "name": key.name, "prefix": key.prefix, "scopes": key.scopes, "allowed_ips": key.allowed_ips,
        "expires_at": key.expires_at, "revoked_at": key.revoked_at, "signing_required": key.signing_sealed.is_some(),
    })
}

const NOT_FOUND: Refusal = Refusal::NotFound { what: "API key" };

impl Gateway {
    /// Who calls with the key `text` from `address`. One indexed read; nothing is cached.
    pub async fn authenticate_key(&self, text: &str, address: Option<IpAddr>) -> Result<Known, KeyRefused> {
        let mode = mode_of(text).ok_or(KeyRefused::Malformed)?;
        let hash = hash(text);
        let conn = self.db.get().await?;
        let found = api_keys::find_by_hash(&conn, &hash).await.map_err(DbError::from)?;
        drop(conn);
        let (key, partner_code) = found.ok_or(KeyRefused::Unknown)?;
        if key.mode != mode || !bool::from(key.secret_hash.as_slice().ct_eq(&hash)) {
            return Err(KeyRefused::Unknown);
        }
        if key.revoked_at.is_some() {
            return Err(KeyRefused::Revoked(key.id));
        }
        if key.expires_at.is_some_and(|at| at <= self.clock.now()) {
            return Err(KeyRefused::Expired(key.id));
        }
        if !key.allowed_ips.is_empty() {
            let mut networks = key.allowed_ips.iter().filter_map(|text| text.parse::<Network>().ok());
            if !address.is_some_and(|address| networks.any(|network| network.contains(address))) {
                return Err(KeyRefused::Address(key.id));
            }
        }
        let signing = match &key.signing_sealed {
            Some(sealed) => Some(self.open_signing(key.tenant(), key.id, sealed).await?),
            None => None,
        };
        let caller = Caller {
            tenant: key.tenant(),
            by: Principal::Key(key.id),
            scopes: scopes_of(&key.scopes),
            is_house: partner_code == HOUSE,
            origin: address.map(|address| address.to_canonical().to_string()),
            gate: Gate::Open,
        };
        Ok(Known { caller, key_id: key.id, partner_code, last_used_at: key.last_used_at, signing })
    }

    async fn open_signing(&self, tenant: Tenant, id: ApiKeyId, sealed: &[u8]) -> Result<Secret, GatewayError> {
        let opened = self.vault.open(&signing_place(tenant, id), &Sealed(sealed.to_vec())).await?;
        let text = std::str::from_utf8(&opened);
        let text = text.map_err(|_| GatewayError::Corrupt(format!("the signing secret of {id} is no text")))?;
        Ok(Secret(Zeroizing::new(text.to_owned())))
    }

    /// Notes that a key was used, at most once in [`USE_NOTED_SECS`].
    pub async fn note_key_use(&self, tenant: Tenant, id: ApiKeyId) -> Result<(), DbError> {
        let now = self.clock.now();
        let conn = self.db.get().await?;
        Ok(api_keys::note_use(&conn, tenant, id, now - TimeDelta::seconds(USE_NOTED_SECS), now).await?)
    }

    /// Makes a key in the caller's own mode. It can't do what the caller can't.
    pub async fn create_key(&self, caller: &Caller, new: NewKey) -> Result<(ApiKey, Secrets), Refusal> {
        let (drawn, secrets) = Drawn::new(caller.tenant.mode, new.signing_required)?;
        Ok((self.create_drawn_key(caller, new, drawn).await?, secrets))
    }

    /// The same with secrets that were drawn before.
    pub async fn create_drawn_key(&self, caller: &Caller, new: NewKey, drawn: Drawn) -> Result<ApiKey, Refusal> {
        if let Some(scope) = new.scopes.difference(&caller.scopes).next() {
            let detail = format!("This key doesn't have the scope {scope} and can't give it.");
            return Err(Refusal::Forbidden { code: "SCOPE_NOT_HELD", detail });
        }
        // Staff hold no key that a new one could be wider than.
        if caller.key_id().is_some() {
            let maker = self.key_of(caller).await?;
            check_within(&maker, Some(&new.allowed_ips), Some(new.expires_at))?;
            if maker.signing_sealed.is_some() && !new.signing_required {
                return Err(too_wide("This key's requests are signed: so are those of the keys that it makes."));
            }
        }
        self.make_drawn_key(&Author::from(caller), caller.is_house, new, drawn).await
    }

    /// Changes a key as [`Self::change_key`] does, to nothing that the caller couldn't make.
    pub async fn change_key_by(&self, caller: &Caller, id: ApiKeyId, change: KeyChange) -> Result<ApiKey, Refusal> {
        let maker = self.key_of(caller).await?;
        check_within(&maker, change.allowed_ips.as_deref(), change.expires_at)?;
        self.change_key(&Author::from(caller), id, change).await
    }

    /// The caller's own key.
    async fn key_of(&self, caller: &Caller) -> Result<ApiKeyRow, Refusal> {
        let id = caller.key_id().ok_or(NOT_FOUND)?;
        let conn = self.db.get().await?;
        api_keys::find(&conn, caller.tenant, id).await?.ok_or(NOT_FOUND)
    }

    /// Makes a key for the author's tenant.
    pub async fn make_key(&self, author: &Author, is_house: bool, new: NewKey) -> Result<(ApiKey, Secrets), Refusal> {
        let (drawn, secrets) = Drawn::new(author.tenant.mode, new.signing_required)?;
        Ok((self.make_drawn_key(author, is_house, new, drawn).await?, secrets))
    }

    async fn make_drawn_key(
        &self,
        author: &Author,
        is_house: bool,
        new: NewKey,
        drawn: Drawn,
    ) -> Result<ApiKey, Refusal> {
        let now = self.clock.now();
        let mut problems = problems_of(Some(&new.name), Some(&new.allowed_ips), new.expires_at, now);
        if new.scopes.is_empty() {
            problems.push(Problem::new("/data/attributes/scopes", "MISSING", "A key has at least one scope."));
        }
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        if author.tenant.mode == Mode::Live && !is_house && new.scopes.contains(&Scope::FundsWrite) {
            let detail = "In live mode only keys of the house may have funds:write.".to_owned();
            return Err(Refusal::Forbidden { code: "SCOPE_RESERVED", detail });
        }
        let row = ApiKeyRow {
            partner_id: author.tenant.partner_id,
            mode: author.tenant.mode,
            id: drawn.id,
            name: new.name,
            prefix: drawn.prefix.clone(),
            secret_hash: drawn.secret_hash.to_vec(),
            scopes: new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            allowed_ips: new.allowed_ips,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
            created_by: author.actor.clone(),
            created_at: now,
            signing_sealed: None,
        };
        let row = sealed_again(&self.vault, author.tenant, || async {
            let signing_sealed = match &drawn.signing {
                Some(DrawnSigning(signing)) => {
                    let place = signing_place(author.tenant, drawn.id);
                    let sealed = self.vault.seal(&place, signing.expose().as_bytes()).await;
                    Some(sealed.map_err(GatewayError::from)?.0)
                }
                None => None,
            };
            let row = ApiKeyRow { signing_sealed, ..row.clone() };
            transaction(&self.db, async |conn| {
                api_keys::insert(conn, row.clone()).await?;
                let action = Action {
                    action: "api_key.create",
                    object: row.id.to_string(),
                    before: None,
                    after: Some(audited(&row)),
                    result: audit::DONE,
                };
                audit::record(conn, author, action, now).await?;
                Ok::<_, Refusal>(())
            })
            .await?;
            Ok::<_, Refusal>(row)
        })
        .await?;
        Ok(row.into())
    }

    /// A tenant's keys, revoked ones too.
    pub async fn list_keys(&self, tenant: Tenant, slice: Slice) -> Result<Vec<ApiKey>, Refusal> {
        let conn = self.db.get().await?;
        Ok(api_keys::list(&conn, tenant, slice).await?.into_iter().map(ApiKey::from).collect())
    }

    pub async fn find_key(&self, tenant: Tenant, id: ApiKeyId) -> Result<ApiKey, Refusal> {
        let conn = self.db.get().await?;
        Ok(api_keys::find(&conn, tenant, id).await?.ok_or(NOT_FOUND)?.into())
    }

    /// Changes a key that isn't revoked.
    pub async fn change_key(&self, author: &Author, id: ApiKeyId, change: KeyChange) -> Result<ApiKey, Refusal> {
        let now = self.clock.now();
        let expires_at = change.expires_at.flatten();
        let problems = problems_of(change.name.as_deref(), change.allowed_ips.as_deref(), expires_at, now);
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        transaction(&self.db, async |conn| {
            let before = api_keys::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            if before.revoked_at.is_some() {
                return Err(Refusal::conflict("KEY_REVOKED", "A revoked key stays as it is."));
            }
            let mut after = before.clone();
            let KeyChange { name, allowed_ips, expires_at } = change.clone();
            after.name = name.unwrap_or(after.name);
            after.allowed_ips = allowed_ips.unwrap_or(after.allowed_ips);
            after.expires_at = expires_at.unwrap_or(after.expires_at);
            write(conn, author, "api_key.change", &before, &after, now).await?;
            Ok(after.into())
        })
        .await
    }

    /// Revokes a key for good. Once this is answered no request with it passes. Again, it changes nothing.
    pub async fn revoke_key(&self, author: &Author, id: ApiKeyId) -> Result<ApiKey, Refusal> {
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let before = api_keys::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            if before.revoked_at.is_some() {
                return Ok(before.into());
            }
            let after = ApiKeyRow { revoked_at: Some(now), ..before.clone() };
            write(conn, author, "api_key.revoke", &before, &after, now).await?;
            Ok::<_, Refusal>(after.into())
        })
        .await
    }
}

async fn write(
    conn: &diesel_async::AsyncPgConnection,
    author: &Author,
    action: &'static str,
    before: &ApiKeyRow,
    after: &ApiKeyRow,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    api_keys::update(conn, after).await?;
    let action = Action {
        action,
        object: after.id.to_string(),
        before: Some(audited(before)),
        after: Some(audited(after)),
        result: audit::DONE,
    };
    Ok(audit::record(conn, author, action, now).await?)
}

/// What a signing secret's ciphertext is bound to.
fn signing_place(tenant: Tenant, id: ApiKeyId) -> Context {
    Context { tenant, customer_id: None, record: id.0.into(), column: SIGNING_COLUMN }
}

fn too_wide(detail: &str) -> Refusal {
    Refusal::Forbidden { code: "KEY_TOO_WIDE", detail: detail.to_owned() }
}

/// Refuses what reaches beyond `maker`: a key that was handed on for less must not become one for more. What can't be read as a network
/// is told elsewhere.
fn check_within(
    maker: &ApiKeyRow,
    allowed_ips: Option<&[String]>,
    expires_at: Option<Option<DateTime<Utc>>>,
) -> Result<(), Refusal> {
    let networks = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect::<Vec<Network>>();
    if let Some(wanted) = allowed_ips.filter(|_| !maker.allowed_ips.is_empty()) {
        let own = networks(&maker.allowed_ips);
        let is_within = |network: &Network| own.iter().any(|own| network.is_within(own));
        if wanted.is_empty() || !networks(wanted).iter().all(is_within) {
            return Err(too_wide(
                "This key may be used from its own addresses only: so may the keys that it makes or changes.",
            ));
        }
    }
    if let (Some(wanted), Some(own)) = (expires_at, maker.expires_at)
        && wanted.is_none_or(|wanted| wanted > own)
    {
        return Err(too_wide("This key ends: so do the keys that it makes or changes, no later than itself."));
    }
    Ok(())
}

/// Everything that is wrong with what a key is to be.
fn problems_of(
    name: Option<&str>,
    allowed_ips: Option<&[String]>,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if name.is_some_and(|name| !(1..=200).contains(&name.chars().count())) {
        problems.push(Problem::new("/data/attributes/name", "WRONG_LENGTH", "A name has 1 to 200 characters."));
    }
    let allowed_ips = allowed_ips.unwrap_or_default();
    if allowed_ips.len() > ALLOWED_IPS_MAX {
        let detail = format!("At most {ALLOWED_IPS_MAX} addresses or networks.");
        problems.push(Problem::new("/data/attributes/allowed_ips", "TOO_MANY", detail));
    }
    for (n, text) in allowed_ips.iter().enumerate() {
        if let Err(error) = text.parse::<Network>() {
            problems.push(Problem::new(
                format!("/data/attributes/allowed_ips/{n}"),
                "INVALID_VALUE",
                format!("This is {error}."),
            ));
        }
    }
    if expires_at.is_some_and(|at| at <= now) {
        problems.push(Problem::new("/data/attributes/expires_at", "INVALID_VALUE", "This time is over."));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_256_random_bits_with_its_mode_in_front() {
        let secret = Secret::draw(Mode::Test).unwrap();
        assert!(secret.expose().starts_with("sk_test_") && secret.expose().len() == 57);
        assert_ne!(secret.expose(), Secret::draw(Mode::Test).unwrap().expose());
        assert_eq!(mode_of(secret.expose()), Some(Mode::Test));
        assert_eq!(mode_of(Secret::draw(Mode::Live).unwrap().expose()), Some(Mode::Live));
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert!(secret.prefix().len() == 12 && secret.expose().starts_with(&secret.prefix()));
    }

    #[test]
    fn a_mistyped_key_is_no_key() {
        let secret = Secret::draw(Mode::Test).unwrap();
        let key = secret.expose();
        let other = if key.ends_with('A') { "B" } else { "A" };
        for bad in [
            "",
            "sk_test_",
            &key[1..],
            &key[..56],
            &format!("{key}x"),
            &key.replace("sk_test_", "sk_live_"),
            &format!("{}{other}", &key[..56]),
            &"é".repeat(57),
        ] {
            assert_eq!(mode_of(bad), None, "{bad}");
        }
    }
}
