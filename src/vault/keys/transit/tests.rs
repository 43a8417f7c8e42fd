//! Against a transit engine on loopback that encrypts as the documentation says, and against its mishaps.

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::config::vault::AppRoleSettings;
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::vault::aead::AeadKey;
use crate::vault::dek::DekId;
use crate::vault::keys::contract;
use crate::vault::keys::stage::{Asked, Reply, Stage, nobody};
use crate::vault::mac;

/// A named key with its versions, from 1.
struct Ring {
    versions: Vec<(SecretKey32, SecretKey32)>,
    derived: bool,
    exportable: bool,
    /// Versions below it are refused.
    min_decryption_version: usize,
}

impl Ring {
    fn new(derived: bool) -> Self {
        let mut ring = Self { versions: Vec::new(), derived, exportable: false, min_decryption_version: 1 };
        ring.rotate();
        ring
    }

    fn rotate(&mut self) {
        self.versions.push((SecretKey32::random().unwrap(), SecretKey32::random().unwrap()));
    }

    /// A key derived from the context, as `derived` says.
    fn cipher(&self, version: usize, context: &str) -> AeadKey {
        let key = &self.versions[version - 1].0;
        if self.derived { AeadKey::new(&mac::derive(key, context)) } else { AeadKey::new(key) }
    }

    fn encrypt(&self, plaintext: &[u8], context: &str) -> String {
        let version = self.versions.len();
        let sealed = self.cipher(version, context).seal(b"", b"", plaintext).unwrap();
        format!("vault:v{version}:{}", STANDARD.encode(sealed))
    }

    fn decrypt(&self, text: &str, context: &str) -> Result<Vec<u8>, &'static str> {
        let (version, sealed) = text
            .strip_prefix("vault:v")
            .and_then(|rest| rest.split_once(':'))
            .ok_or("invalid ciphertext: no prefix")?;
        let version: usize = version.parse().map_err(|_| "invalid ciphertext: version number could not be decoded")?;
        if version > self.versions.len() {
            return Err("invalid ciphertext: version is too new");
        }
        if version < self.min_decryption_version {
            return Err("ciphertext or signature version is disallowed by policy (too old)");
        }
        let sealed = STANDARD.decode(sealed).map_err(|_| "invalid ciphertext: could not decode base64")?;
        let opened = self.cipher(version, context).open(&sealed, b"");
        opened.map(|plain| plain.to_vec()).map_err(|_| "cipher: message authentication failed")
    }
}

struct Server {
    keys: BTreeMap<String, Ring>,
    tokens: Vec<String>,
    secret_id: String,
    namespace: Option<String>,
    sealed: bool,
    /// Replies that come before any answer of its own, each once.
    mishaps: VecDeque<Reply>,
}

impl Server {
    fn answer(&mut self, asked: &Asked) -> Reply {
        if let Some(mishap) = self.mishaps.pop_front() {
            return mishap;
        }
        if asked.path.starts_with("/v1/sys/health") {
            assert_eq!(asked.path, "/v1/sys/health?standbyok=true&perfstandbyok=true");
            return Reply::Json(if self.sealed { 503 } else { 200 }, json!({"sealed": self.sealed}));
        }
        assert_eq!(asked.header("x-vault-request"), Some("true"));
        if self.sealed {
            return errors(503, "Vault is sealed");
        }
        if asked.header("x-vault-namespace") != self.namespace.as_deref() {
            return errors(404, "no handler for route");
        }
        let (body, path) = (asked.json(), asked.path.strip_prefix("/v1/").unwrap().to_owned());
        if path == "auth/approle/login" {
            if body["role_id"] != json!("a-role") || body["secret_id"] != json!(self.secret_id) {
                return errors(400, "invalid role or secret ID");
            }
            let token = format!("login-{}", self.tokens.len());
            self.tokens.push(token.clone());
            return Reply::Json(
                200,
                json!({"auth": {"client_token": token, "lease_duration": 3600, "renewable": true}}),
            );
        }
        if !self.tokens.iter().any(|token| asked.header("x-vault-token") == Some(token)) {
            return errors(403, "permission denied");
        }
        let pieces: Vec<&str> = path.split('/').collect();
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let (name, is_get) = (pieces.last().copied().unwrap_or_default(), asked.method == "GET");
        match pieces[..] {
            ["transit", "keys", _] if is_get => match self.keys.get(name) {
                Some(ring) => Reply::Json(
                    200,
                    json!({"data": {
                        "type": "aes256-gcm96", "derived": ring.derived, "exportable": ring.exportable,
                        "allow_plaintext_backup": false, "latest_version": ring.versions.len(),
                        "min_decryption_version": ring.min_decryption_version, "min_encryption_version": 0, "name": name,
                        "supports_encryption": true, "supports_decryption": true, "supports_derivation": true,
                    }}),
                ),
                None => Reply::Json(404, json!({"errors": []})),
            },
            ["transit", "hmac", name, "sha2-256"] => {
                let version = usize::try_from(body["key_version"].as_u64().unwrap()).unwrap();
                let Some(key) = self.keys.get(name).and_then(|ring| ring.versions.get(version - 1)) else {
                    return errors(400, "cannot generate HMAC: version is too new");
                };
                let input = String::from_utf8(STANDARD.decode(text("input")).unwrap()).unwrap();
                let hmac = STANDARD.encode(mac::derive(&key.1, &input).expose());
                Reply::Json(200, json!({"data": {"hmac": format!("vault:v{version}:{hmac}")}}))
            }
            ["transit", "datakey", "plaintext", name] => {
                let Some(ring) = self.keys.get(name) else { return errors(400, "encryption key not found") };
                assert_eq!(body["bits"], json!(256));
                let key = SecretKey32::random().unwrap();
                let ciphertext = ring.encrypt(key.expose(), &text("context"));
                Reply::Json(
                    200,
                    json!({"data": {"plaintext": STANDARD.encode(key.expose()), "ciphertext": ciphertext}}),
                )
            }
            ["transit", operation @ ("decrypt" | "rewrap"), name] => {
                let Some(ring) = self.keys.get(name) else { return errors(400, "encryption key not found") };
                assert!(!text("context").is_empty(), "a derived key wants a context");
                match ring.decrypt(&text("ciphertext"), &text("context")) {
                    Err(why) => errors(400, why),
                    Ok(plain) if operation == "decrypt" => {
                        Reply::Json(200, json!({"data": {"plaintext": STANDARD.encode(plain)}}))
                    }
                    Ok(plain) => {
                        Reply::Json(200, json!({"data": {"ciphertext": ring.encrypt(&plain, &text("context"))}}))
                    }
                }
            }
            _ => errors(404, "unsupported path"),
        }
    }
}

fn errors(status: u16, text: &str) -> Reply {
    Reply::Json(status, json!({"errors": [text]}))
}

struct World {
    folder: tempfile::TempDir,
    engine: Arc<Mutex<Server>>,
    stage: Stage,
}

impl World {
    async fn new() -> Self {
        let keys = BTreeMap::from([
            ("landfall-cards".to_owned(), Ring::new(true)),
            ("landfall-mac".to_owned(), Ring::new(false)),
        ]);
        let engine = Arc::new(Mutex::new(Server {
            keys,
            tokens: vec!["first-token".to_owned()],
            secret_id: "a-secret".to_owned(),
            namespace: None,
            sealed: false,
            mishaps: VecDeque::new(),
        }));
        let answering = Arc::clone(&engine);
        let stage = Stage::open(move |asked| answering.lock().unwrap().answer(asked)).await;
        let world = Self { folder: tempfile::tempdir().unwrap(), engine, stage };
        write(&world.token_file(), "first-token\n");
        world
    }

    fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    fn settings(&self) -> TransitSettings {
        TransitSettings {
            address: self.stage.url.clone(),
            namespace: None,
            mount: "transit".to_owned(),
            key: "landfall-cards".to_owned(),
            mac_key: "landfall-mac".to_owned(),
            mac_key_version: 1,
            token_file: Some(self.token_file()),
            token_env: None,
            app_role: None,
            ca_file: None,
            timeout_ms: 400,
            attempts_max: 3,
        }
    }

    async fn keys(&self) -> TransitKeys {
        TransitKeys::open(&self.settings()).await.unwrap()
    }

    fn with<T>(&self, change: impl FnOnce(&mut Server) -> T) -> T {
        change(&mut self.engine.lock().unwrap())
    }

    fn rotate(&self, key: &str) {
        self.with(|engine| engine.keys.get_mut(key).unwrap().rotate());
    }

    /// How often a path was asked for.
    fn asked(&self, path: &str) -> usize {
        self.stage.asked().iter().filter(|asked| asked.path.contains(path)).count()
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn place() -> DekContext {
    DekContext { dek_id: DekId::new(), tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Live }, epoch: 1 }
}

#[tokio::test]
async fn the_transit_provider_keeps_the_contract() {
    let world = World::new().await;
    let keys = world.keys().await;
    contract::holds_for(&keys).await;
    contract::agree(&keys, &world.keys().await).await;
    assert!(keys.is_development(), "http is for development");
}

#[tokio::test]
async fn after_a_rotation_old_keys_open_and_are_rewrapped() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let old = keys.generate_dek(&place).await.unwrap();
    assert_eq!(old.wrapped.kek_id, "transit/landfall-cards:v1");
    assert!(old.wrapped.bytes.starts_with(b"vault:v1:"));
    let mac = keys.mac_key(MacPurpose::Fingerprint).await.unwrap();
    world.rotate("landfall-cards");
    world.rotate("landfall-mac");
    assert_eq!(keys.kek_id().await.unwrap(), "transit/landfall-cards:v2");
    assert_eq!(keys.unwrap(&old.wrapped, &place).await.unwrap().expose(), old.key.expose());
    let new = keys.rewrap(&old.wrapped, &place).await.unwrap();
    assert_eq!(new.kek_id, "transit/landfall-cards:v2");
    assert!(new.bytes.starts_with(b"vault:v2:"));
    assert_eq!(keys.unwrap(&new, &place).await.unwrap().expose(), old.key.expose());
    // The MAC key stays the version that was named.
    let same = keys.mac_key(MacPurpose::Fingerprint).await.unwrap();
    assert_eq!((same.id, same.key.expose()), (mac.id, mac.key.expose()));

    // A version that policy has retired is told from damage.
    world.with(|engine| engine.keys.get_mut("landfall-cards").unwrap().min_decryption_version = 2);
    assert!(matches!(keys.unwrap(&old.wrapped, &place).await, Err(KeyError::UnknownKek(id)) if id.ends_with(":v1")));
    assert_eq!(keys.unwrap(&new, &place).await.unwrap().expose(), old.key.expose());
}

#[tokio::test]
async fn a_version_that_its_row_does_not_say_is_refused_unasked() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let wrapped = keys.generate_dek(&place).await.unwrap().wrapped;
    world.rotate("landfall-cards");
    let asked = world.asked("decrypt");
    for (kek_id, is_known) in [
        ("transit/landfall-cards:v2", true),
        ("transit/landfall-cards:v01", false),
        ("transit/landfall-cards", false),
        ("transit/other:v1", false),
        ("other/landfall-cards:v1", false),
    ] {
        let moved = WrappedDek { kek_id: kek_id.to_owned(), ..wrapped.clone() };
        match keys.unwrap(&moved, &place).await {
            Err(KeyError::Malformed) => assert!(is_known, "{kek_id}"),
            Err(KeyError::UnknownKek(_)) => assert!(!is_known, "{kek_id}"),
            result => panic!("{kek_id}: {result:?}"),
        }
    }
    assert_eq!(world.asked("decrypt"), asked);
    // Too new for the engine, as after a restored backup.
    let text = String::from_utf8(wrapped.bytes).unwrap().replace("vault:v1", "vault:v7");
    let newer = WrappedDek { kek_id: "transit/landfall-cards:v7".to_owned(), bytes: text.into_bytes() };
    assert!(matches!(keys.unwrap(&newer, &place).await, Err(KeyError::UnknownKek(_))));
}

#[tokio::test]
async fn a_sealed_server_is_told_and_comes_back() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    assert!(keys.health().await.is_ok());
    world.with(|engine| engine.sealed = true);
    for failed in [keys.health().await.err(), keys.unwrap(&made.wrapped, &place).await.err()] {
        assert!(matches!(&failed, Some(KeyError::Unavailable(why)) if why.contains("sealed")), "{failed:?}");
    }
    assert!(matches!(TransitKeys::open(&world.settings()).await, Err(KeyError::Unavailable(_))));
    world.with(|engine| engine.sealed = false);
    assert!(keys.health().await.is_ok());
    assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
}

#[tokio::test]
async fn a_token_that_ended_is_followed_by_the_one_in_the_file() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    world.with(|engine| engine.tokens = vec!["second-token".to_owned()]);
    let refused = keys.unwrap(&made.wrapped, &place).await;
    assert!(matches!(refused, Err(KeyError::Denied(why)) if why == "permission denied"));
    write(&world.token_file(), "second-token");
    assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
    // A file that everybody can read, or that isn't there, is said.
    std::fs::set_permissions(world.token_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(keys.health().await, Err(KeyError::Misconfigured(why)) if why.contains("0644")));
    std::fs::remove_file(world.token_file()).unwrap();
    assert!(matches!(keys.health().await, Err(KeyError::Misconfigured(_))));
}

#[tokio::test]
async fn a_login_is_made_once_and_again_when_its_token_is_refused() {
    let (world, place) = (World::new().await, place());
    let (role, secret) = (world.folder.path().join("role"), world.folder.path().join("secret"));
    write(&role, "a-role");
    write(&secret, "a-secret");
    let app_role = AppRoleSettings { mount: "approle".to_owned(), role_id_file: role, secret_id_file: secret.clone() };
    let settings = TransitSettings { token_file: None, app_role: Some(app_role), ..world.settings() };
    let keys = TransitKeys::open(&settings).await.unwrap();
    let made = keys.generate_dek(&place).await.unwrap();
    assert_eq!(world.asked("approle/login"), 1);
    world.with(|engine| engine.tokens.clear());
    assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
    assert_eq!(world.asked("approle/login"), 2);
    // The secret id has ended too, and is renewed.
    world.with(|engine| {
        engine.tokens.clear();
        engine.secret_id = "another".to_owned();
    });
    assert!(matches!(keys.unwrap(&made.wrapped, &place).await, Err(KeyError::Denied(_))));
    write(&secret, "another");
    assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
}

#[tokio::test]
async fn a_namespace_goes_with_every_call_but_health() {
    let world = World::new().await;
    world.with(|engine| engine.namespace = Some("team/payments".to_owned()));
    assert!(matches!(TransitKeys::open(&world.settings()).await, Err(KeyError::UnknownKek(_))));
    let settings = TransitSettings { namespace: Some("team/payments".to_owned()), ..world.settings() };
    let keys = TransitKeys::open(&settings).await.unwrap();
    keys.health().await.unwrap();
    for asked in world.stage.asked().iter().filter(|asked| asked.path.contains("sys/health")) {
        assert_eq!((asked.header("x-vault-namespace"), asked.header("x-vault-token")), (None, None));
    }
}

#[tokio::test]
async fn keys_that_bind_nothing_or_are_not_there_are_refused_at_start() {
    let world = World::new().await;
    world.with(|engine| engine.keys.insert("plain".to_owned(), Ring::new(false)));
    let open = async |key: &str| {
        TransitKeys::open(&TransitSettings { key: key.to_owned(), ..world.settings() }).await.unwrap_err()
    };
    assert!(matches!(open("plain").await, KeyError::Misconfigured(why) if why.contains("derived")));
    assert!(matches!(open("absent").await, KeyError::UnknownKek(id) if id == "transit/absent"));
    let elsewhere = TransitSettings { mount: "elsewhere".to_owned(), ..world.settings() };
    assert!(TransitKeys::open(&elsewhere).await.is_err());
    // A MAC key, or a version of it, that isn't there.
    for settings in [
        TransitSettings { mac_key: "absent".to_owned(), ..world.settings() },
        TransitSettings { mac_key_version: 2, ..world.settings() },
    ] {
        let keys = TransitKeys::open(&settings).await.unwrap();
        assert!(matches!(keys.mac_key(MacPurpose::Event).await, Err(KeyError::UnknownKek(_))));
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_where_it_only_reads() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    let slow = || Reply::Late(Duration::from_secs(2), Box::new(Reply::Cut));
    let garbage = || Reply::Text(502, "<html>Bad Gateway</html>".to_owned());
    for mishaps in [
        vec![Reply::Cut],
        vec![Reply::CutShort],
        vec![garbage(), Reply::Cut],
        vec![
            errors(429, "request path \"transit\": rate limit quota exceeded"),
            errors(412, "required index state not present"),
        ],
        vec![slow(), errors(500, "internal error")],
    ] {
        let before = world.asked("decrypt");
        let expected = mishaps.len() + 1;
        world.with(|engine| engine.mishaps = mishaps.into());
        assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
        assert_eq!(world.asked("decrypt"), before + expected);
    }
    // No more than that often, and never where something is made.
    world.with(|engine| engine.mishaps = vec![Reply::Cut; 3].into());
    assert!(matches!(keys.unwrap(&made.wrapped, &place).await, Err(KeyError::Unavailable(_))));
    for _ in 0..2 {
        let before = world.stage.asked().len();
        world.with(|engine| engine.mishaps = vec![Reply::Cut].into());
        assert!(matches!(keys.generate_dek(&place).await, Err(KeyError::Unavailable(_))));
        world.with(|engine| engine.mishaps = vec![Reply::Cut].into());
        assert!(matches!(keys.rewrap(&made.wrapped, &place).await, Err(KeyError::Unavailable(_))));
        assert_eq!(world.stage.asked().len(), before + 2);
    }
}

#[tokio::test]
async fn an_answer_that_is_none_gives_no_key() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    let short = STANDARD.encode([7; 31]);
    for reply in [
        Reply::Text(200, "<html>Welcome</html>".to_owned()),
        Reply::Text(200, String::new()),
        Reply::Json(200, json!({"data": {}})),
        Reply::Json(200, json!({"data": {"plaintext": "???"}})),
        Reply::Json(200, json!({"data": {"plaintext": short, "ciphertext": "vault:v1:AAAA"}})),
        Reply::Json(200, json!({"data": {"plaintext": STANDARD.encode([7; 32]), "ciphertext": "AAAA"}})),
        Reply::Json(200, json!({"data": {"plaintext": STANDARD.encode([7; 32]), "ciphertext": "vault:v0:AAAA"}})),
        Reply::Json(200, json!({"data": {"hmac": "vault:v2:AAAA"}})),
        Reply::Text(204, String::new()),
        Reply::Text(307, String::new()),
        Reply::Text(418, "x".repeat(300_000)),
    ] {
        let shown = format!("{reply:?}");
        world.with(|engine| engine.mishaps = vec![reply.clone()].into());
        let made = keys.generate_dek(&place).await;
        assert!(matches!(made, Err(KeyError::Unavailable(_) | KeyError::Misconfigured(_))), "{shown}: {made:?}");
        // As often as it is tried.
        world.with(|engine| engine.mishaps = vec![reply; 3].into());
        assert!(keys.mac_key(MacPurpose::Event).await.is_err(), "{shown}");
    }
    // What it says of the key itself is looked at by who unwraps: here the answer is another key.
    let other = Reply::Json(200, json!({"data": {"plaintext": STANDARD.encode([7; 32])}}));
    world.with(|engine| engine.mishaps = vec![other].into());
    assert_ne!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
}

#[tokio::test]
async fn a_server_that_hangs_or_is_gone_holds_nobody_up_for_long() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let hang = || Reply::Late(Duration::from_secs(60), Box::new(Reply::Cut));
    world.with(|engine| engine.mishaps = vec![hang(), hang(), hang()].into());
    let began = Instant::now();
    assert!(matches!(keys.kek_id().await, Err(KeyError::Unavailable(why)) if why == "timed out"));
    assert!(began.elapsed() < Duration::from_secs(5));
    let gone = TransitSettings { address: nobody().await, ..world.settings() };
    assert!(matches!(TransitKeys::open(&gone).await, Err(KeyError::Unavailable(_))));
    let _ = place;
}

#[tokio::test]
async fn nothing_printed_holds_a_token_or_a_key() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    world.with(|engine| engine.tokens.clear());
    let error = keys.unwrap(&made.wrapped, &place).await.unwrap_err();
    let shown = format!("{keys:?} {made:?} {error:?} {error} {:?}", world.settings());
    for secret in ["first-token", &STANDARD.encode(made.key.expose()), &hex::encode(made.key.expose())] {
        assert!(!shown.contains(secret), "{shown}");
    }
    // Nor is a number that a server repeats.
    world.with(|engine| {
        engine.mishaps = vec![errors(403, "no 4111111111111111"), errors(403, "no 4111111111111111")].into();
    });
    let error = keys.kek_id().await.unwrap_err().to_string();
    assert!(!error.contains("4111111111111111"), "{error}");
}

/// A server whose certificate descends from nothing that is trusted isn't talked to.
#[tokio::test]
async fn certificates_of_its_own_are_read_or_said_to_be_none() {
    let world = World::new().await;
    let path = world.folder.path().join("ca.pem");
    for text in ["", "no certificate"] {
        write(&path, text);
        let settings = TransitSettings { ca_file: Some(path.clone()), ..world.settings() };
        assert!(matches!(TransitKeys::open(&settings).await, Err(KeyError::Misconfigured(_))), "{text:?}");
    }
}
