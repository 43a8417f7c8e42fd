//! Against a KMS on loopback that encrypts as the API reference says, and against its mishaps. `moto` has the same contract kept by
//! somebody else's KMS.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use chrono::DateTime;

use super::*;
use crate::clock::ManualClock;
use crate::config::vault::KmsCredentials;
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::vault::aead::AeadKey;
use crate::vault::dek::DekId;
use crate::vault::keys::contract;
use crate::vault::keys::stage::{Asked, Reply, Stage, nobody};
use crate::vault::mac;

const REGION: &str = "eu-central-1";

struct StoredKey {
    arn: String,
    key: SecretKey32,
    spec: &'static str,
    usage: &'static str,
    state: &'static str,
}

impl StoredKey {
    fn new(id: &str, spec: &'static str, usage: &'static str) -> Self {
        let arn = format!("arn:aws:kms:{REGION}:123456789012:key/{id}");
        Self { arn, key: SecretKey32::random().unwrap(), spec, usage, state: "Enabled" }
    }
}

struct Service {
    keys: Vec<StoredKey>,
    /// What `alias/cards` stands for.
    alias: usize,
    access_key: String,
    mishaps: VecDeque<Reply>,
}

fn exception(status: u16, kind: &str, message: &str) -> Reply {
    Reply::Json(status, json!({"__type": kind, "message": message}))
}

impl Service {
    fn key(&self, id: &str) -> Result<&StoredKey, Reply> {
        let index = if id == "alias/cards" {
            Some(self.alias)
        } else {
            self.keys.iter().position(|key| key.arn == id || key.arn.ends_with(&format!("/{id}")))
        };
        let key = index.and_then(|index| self.keys.get(index));
        key.ok_or_else(|| exception(400, "NotFoundException", &format!("Key '{id}' does not exist")))
    }

    /// A key that is to be used.
    fn enabled(&self, id: &str) -> Result<&StoredKey, Reply> {
        let key = self.key(id)?;
        if key.state == "Enabled" { Ok(key) } else { Err(exception(400, "DisabledException", "is disabled")) }
    }

    fn open(&self, blob: &Value, key: &Value, context: &Value) -> Result<(Vec<u8>, String), Reply> {
        let bytes = STANDARD.decode(blob.as_str().unwrap()).unwrap();
        let invalid = || exception(400, "com.amazonaws.kms#InvalidCiphertextException", "");
        let (index, sealed) = bytes.split_first().ok_or_else(invalid)?;
        let owner = self.keys.get(usize::from(*index)).ok_or_else(invalid)?;
        if self.enabled(key.as_str().unwrap())?.arn != owner.arn {
            return Err(exception(400, "IncorrectKeyException", ""));
        }
        let plain = AeadKey::new(&owner.key).open(sealed, context.to_string().as_bytes()).map_err(|_| invalid())?;
        Ok((plain.to_vec(), owner.arn.clone()))
    }

    fn seal(&self, key: &Value, context: &Value, plain: &[u8]) -> Result<(String, String), Reply> {
        let arn = self.enabled(key.as_str().unwrap())?.arn.clone();
        let index = self.keys.iter().position(|key| key.arn == arn).unwrap();
        let header = [u8::try_from(index).unwrap()];
        let sealed = AeadKey::new(&self.keys[index].key).seal(&header, context.to_string().as_bytes(), plain).unwrap();
        Ok((STANDARD.encode(sealed), arn))
    }

    fn answer(&mut self, asked: &Asked) -> Result<Reply, Reply> {
        if let Some(mishap) = self.mishaps.pop_front() {
            return Ok(mishap);
        }
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/"));
        assert_eq!(asked.header("content-type"), Some("application/x-amz-json-1.1"));
        let authorization = asked.header("authorization").unwrap();
        let scope = format!("AWS4-HMAC-SHA256 Credential={}/20261122/{REGION}/kms/aws4_request, ", self.access_key);
        if !authorization.starts_with(&scope) {
            return Err(exception(400, "UnrecognizedClientException", "The security token is invalid."));
        }
        assert!(authorization.contains("SignedHeaders=content-type;host;x-amz-date"), "{authorization}");
        assert!(authorization.contains(";x-amz-target, Signature="), "{authorization}");
        assert_eq!(asked.header("x-amz-date").unwrap().len(), "20261122T000000Z".len());
        let body = asked.json();
        let operation = asked.header("x-amz-target").unwrap().strip_prefix("TrentService.").unwrap();
        Ok(Reply::Json(
            200,
            match operation {
                "DescribeKey" => {
                    let key = self.key(body["KeyId"].as_str().unwrap())?;
                    json!({"KeyMetadata": {
                        "Arn": key.arn, "Enabled": key.state == "Enabled", "KeyState": key.state, "KeyUsage": key.usage,
                        "KeySpec": key.spec, "CreationDate": 1.5e9,
                    }})
                }
                "GenerateDataKey" => {
                    assert_eq!(body["KeySpec"], json!("AES_256"));
                    let key = SecretKey32::random().unwrap();
                    let (blob, arn) = self.seal(&body["KeyId"], &body["EncryptionContext"], key.expose())?;
                    json!({"CiphertextBlob": blob, "Plaintext": STANDARD.encode(key.expose()), "KeyId": arn})
                }
                "Decrypt" => {
                    let (plain, arn) =
                        self.open(&body["CiphertextBlob"], &body["KeyId"], &body["EncryptionContext"])?;
                    json!({"Plaintext": STANDARD.encode(plain), "KeyId": arn, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"})
                }
                "ReEncrypt" => {
                    let (plain, source) =
                        self.open(&body["CiphertextBlob"], &body["SourceKeyId"], &body["SourceEncryptionContext"])?;
                    let (blob, arn) =
                        self.seal(&body["DestinationKeyId"], &body["DestinationEncryptionContext"], &plain)?;
                    json!({"CiphertextBlob": blob, "SourceKeyId": source, "KeyId": arn})
                }
                "GenerateMac" => {
                    let key = self.enabled(body["KeyId"].as_str().unwrap())?;
                    assert_eq!((key.spec, &body["MacAlgorithm"]), ("HMAC_256", &json!("HMAC_SHA_256")));
                    let message = STANDARD.decode(body["Message"].as_str().unwrap()).unwrap();
                    let made = mac::derive(&key.key, std::str::from_utf8(&message).unwrap());
                    json!({"Mac": STANDARD.encode(made.expose()), "KeyId": key.arn, "MacAlgorithm": "HMAC_SHA_256"})
                }
                other => return Err(exception(400, "UnknownOperationException", other)),
            },
        ))
    }
}

struct World {
    service: Arc<Mutex<Service>>,
    stage: Stage,
    access_key: Arc<Mutex<String>>,
}

impl World {
    async fn new() -> Self {
        let keys = vec![
            StoredKey::new("first", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            StoredKey::new("second", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            StoredKey::new("mac", "HMAC_256", "GENERATE_VERIFY_MAC"),
        ];
        let access_key = "AKIDFIRST".to_owned();
        let service = Service { keys, alias: 0, access_key: access_key.clone(), mishaps: VecDeque::new() };
        let service = Arc::new(Mutex::new(service));
        let answering = Arc::clone(&service);
        let stage = Stage::open(move |asked| {
            let answer = answering.lock().unwrap().answer(asked);
            answer.unwrap_or_else(|refused| refused)
        });
        Self { service, stage: stage.await, access_key: Arc::new(Mutex::new(access_key)) }
    }

    fn settings(&self) -> KmsSettings {
        settings(&self.stage.url, "alias/cards", "mac")
    }

    async fn open(&self, settings: &KmsSettings) -> Result<KmsKeys, KeyError> {
        let access_key = Arc::clone(&self.access_key);
        let variables: Variables = Arc::new(move |name| match name {
            "AWS_ACCESS_KEY_ID" => Some(access_key.lock().unwrap().clone()),
            "AWS_SECRET_ACCESS_KEY" => Some("a-secret-access-key".to_owned()),
            _ => None,
        });
        KmsKeys::open_with(settings, clock(), variables).await
    }

    async fn keys(&self) -> KmsKeys {
        self.open(&self.settings()).await.unwrap()
    }

    fn with<T>(&self, change: impl FnOnce(&mut Service) -> T) -> T {
        change(&mut self.service.lock().unwrap())
    }

    fn asked(&self, operation: &str) -> usize {
        let target = format!("TrentService.{operation}");
        self.stage.asked().iter().filter(|asked| asked.header("x-amz-target") == Some(&target)).count()
    }
}

pub(super) fn settings(endpoint: &str, key_id: &str, mac_key_id: &str) -> KmsSettings {
    KmsSettings {
        region: REGION.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        key_id: key_id.to_owned(),
        key_ids_old: Vec::new(),
        mac_key_id: mac_key_id.to_owned(),
        credentials: KmsCredentials::Environment,
        credentials_file: None,
        profile: None,
        sts_endpoint: None,
        ca_file: None,
        timeout_ms: 400,
        attempts_max: 3,
    }
}

pub(super) fn clock() -> Arc<dyn Clock> {
    let now: DateTime<chrono::Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
    Arc::new(ManualClock::at(now))
}

pub(super) fn place() -> DekContext {
    DekContext { dek_id: DekId::new(), tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Live }, epoch: 1 }
}

#[tokio::test]
async fn the_kms_provider_keeps_the_contract() {
    let world = World::new().await;
    let keys = world.keys().await;
    contract::holds_for(&keys).await;
    contract::agree(&keys, &world.keys().await).await;
    assert!(keys.is_development(), "http is for development");
}

#[tokio::test]
async fn an_alias_that_moves_on_is_followed_and_the_old_key_still_opens() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let old = keys.generate_dek(&place).await.unwrap();
    assert!(!old.wrapped.kek_id.chars().any(|c| c.is_ascii_digit()), "{}", old.wrapped.kek_id);
    world.with(|service| service.alias = 1);
    // As the operator restarts it, with the old key beside the alias.
    let mut moved = world.settings();
    moved.key_ids_old = vec!["first".to_owned()];
    let after = world.open(&moved).await.unwrap();
    assert_eq!(after.unwrap(&old.wrapped, &place).await.unwrap().expose(), old.key.expose());
    let new = after.rewrap(&old.wrapped, &place).await.unwrap();
    assert_ne!(new.kek_id, old.wrapped.kek_id);
    assert_eq!(after.unwrap(&new, &place).await.unwrap().expose(), old.key.expose());
    // The process from before finds the new key under the alias when it meets it.
    assert_eq!(keys.unwrap(&new, &place).await.unwrap().expose(), old.key.expose());
    assert_eq!(keys.kek_id().await.unwrap(), new.kek_id);
    assert_eq!(keys.unwrap(&old.wrapped, &place).await.unwrap().expose(), old.key.expose());
    // Without the old key's name nothing that it wrapped opens, and it is said.
    let without = world.keys().await;
    assert!(matches!(without.unwrap(&old.wrapped, &place).await, Err(KeyError::UnknownKek(_))));
    // Under the name of another of our keys it is told from damage.
    let renamed = WrappedDek { kek_id: new.kek_id.clone(), ..old.wrapped.clone() };
    assert!(matches!(after.unwrap(&renamed, &place).await, Err(KeyError::WrongKek(_))));
}

#[tokio::test]
async fn keys_of_the_wrong_kind_and_state_are_refused_at_start() {
    let world = World::new().await;
    for (key_id, mac_key_id) in [("mac", "mac"), ("first", "second")] {
        let refused = world.open(&settings(&world.stage.url, key_id, mac_key_id)).await;
        assert!(matches!(refused, Err(KeyError::Misconfigured(_))), "{refused:?}");
    }
    let absent = world.open(&settings(&world.stage.url, "absent", "mac")).await;
    assert!(matches!(absent, Err(KeyError::UnknownKek(id)) if id == "absent"));
    world.with(|service| service.keys[0].state = "PendingDeletion");
    let refused = world.open(&world.settings()).await;
    assert!(matches!(refused, Err(KeyError::Unavailable(why)) if why.contains("PendingDeletion")));
}

#[tokio::test]
async fn a_disabled_key_and_a_missing_right_are_told() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    keys.health().await.unwrap();
    world.with(|service| service.keys[0].state = "Disabled");
    assert!(matches!(keys.unwrap(&made.wrapped, &place).await, Err(KeyError::Unavailable(_))));
    assert!(matches!(keys.health().await, Err(KeyError::Unavailable(why)) if why.contains("Disabled")));
    world.with(|service| service.keys[0].state = "Enabled");
    let denied = exception(400, "AccessDeniedException", "User: x is not authorized to perform: kms:Decrypt");
    world.with(|service| service.mishaps = vec![denied].into());
    let refused = keys.unwrap(&made.wrapped, &place).await;
    assert!(matches!(refused, Err(KeyError::Denied(why)) if why.contains("kms:Decrypt")));
    assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
}

#[tokio::test]
async fn credentials_that_ended_are_followed_by_new_ones() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    world.with(|service| service.access_key = "AKIDSECOND".to_owned());
    assert!(matches!(keys.unwrap(&made.wrapped, &place).await, Err(KeyError::Denied(_))));
    *world.access_key.lock().unwrap() = "AKIDSECOND".to_owned();
    assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
}

#[tokio::test]
async fn what_may_pass_is_tried_again_where_it_only_reads() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    let slow = || Reply::Late(Duration::from_secs(2), Box::new(Reply::Cut));
    for mishaps in [
        vec![Reply::Cut],
        vec![Reply::CutShort, Reply::Text(503, "<html>".to_owned())],
        vec![exception(400, "ThrottlingException", "Rate exceeded"), exception(500, "KMSInternalException", "")],
        vec![slow(), exception(503, "DependencyTimeoutException", "")],
    ] {
        let (before, expected) = (world.asked("Decrypt"), mishaps.len() + 1);
        world.with(|service| service.mishaps = mishaps.into());
        assert_eq!(keys.unwrap(&made.wrapped, &place).await.unwrap().expose(), made.key.expose());
        assert_eq!(world.asked("Decrypt"), before + expected);
    }
    world.with(|service| service.mishaps = vec![slow(), slow(), slow()].into());
    assert!(matches!(keys.unwrap(&made.wrapped, &place).await, Err(KeyError::Unavailable(why)) if why == "timed out"));
    let before = world.stage.asked().len();
    world.with(|service| service.mishaps = vec![Reply::Cut, Reply::Cut].into());
    assert!(matches!(keys.generate_dek(&place).await, Err(KeyError::Unavailable(_))));
    assert!(matches!(keys.rewrap(&made.wrapped, &place).await, Err(KeyError::Unavailable(_))));
    assert_eq!(world.stage.asked().len(), before + 2);
    let gone = world.open(&settings(&nobody().await, "alias/cards", "mac")).await;
    assert!(matches!(gone, Err(KeyError::Unavailable(_))));
}

#[tokio::test]
async fn an_answer_that_is_none_gives_no_key() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let arn = world.with(|service| service.keys[0].arn.clone());
    let (short, whole) = (STANDARD.encode([7; 31]), STANDARD.encode([7; 32]));
    for reply in [
        Reply::Text(200, "<html>Welcome</html>".to_owned()),
        Reply::Json(200, json!({})),
        Reply::Json(200, json!({"Plaintext": short, "CiphertextBlob": "AAAA", "KeyId": arn, "Mac": short})),
        Reply::Json(200, json!({"Plaintext": whole, "CiphertextBlob": "???", "KeyId": arn, "Mac": "AAAA"})),
        Reply::Json(200, json!({"Plaintext": whole, "CiphertextBlob": "AAAA", "KeyId": "another", "Mac": "???"})),
        Reply::Text(400, "<html>".to_owned()),
        Reply::Json(400, json!({"__type": "SomethingNew"})),
    ] {
        let shown = format!("{reply:?}");
        world.with(|service| service.mishaps = vec![reply.clone()].into());
        let made = keys.generate_dek(&place).await;
        assert!(matches!(made, Err(KeyError::Unavailable(_) | KeyError::Misconfigured(_))), "{shown}: {made:?}");
        world.with(|service| service.mishaps = vec![reply].into());
        assert!(keys.mac_key(MacPurpose::Event).await.is_err(), "{shown}");
    }
}

#[tokio::test]
async fn nothing_printed_holds_credentials_or_a_key() {
    let (world, place) = (World::new().await, place());
    let keys = world.keys().await;
    let made = keys.generate_dek(&place).await.unwrap();
    let repeated = exception(400, "AccessDeniedException", "account 123456789012, card 4111111111111111");
    world.with(|service| service.mishaps = vec![repeated].into());
    let error = keys.unwrap(&made.wrapped, &place).await.unwrap_err();
    let shown = format!("{keys:?} {made:?} {error:?} {error} {:?}", world.settings());
    for secret in ["a-secret-access-key", "4111111111111111", &STANDARD.encode(made.key.expose())] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for asked in world.stage.asked() {
        assert!(!format!("{asked:?}").contains("a-secret-access-key"));
    }
}
