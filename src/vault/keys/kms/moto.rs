//! The contract, kept over somebody else's KMS: moto's, from PyPI (`make kms` installs and starts it). moto checks requests by AWS's own
//! models and encrypts; it doesn't look at signatures, which `sign` holds against AWS's published ones.

use serde_json::{Value, json};

use super::tests::{clock, place, settings};
use super::*;
use crate::vault::keys::contract;

/// Where moto listens. Without it there is nothing to be judged by, which is only right where nobody asked for it.
fn moto() -> Option<String> {
    let url = std::env::var("KMS_MOTO").ok();
    let is_required = std::env::var("KMS_REQUIRED").is_ok();
    assert!(url.is_some() || !is_required, "KMS_REQUIRED is set, and KMS_MOTO isn't");
    url
}

async fn ask(url: &str, operation: &str, body: Value) -> Value {
    let client = reqwest::Client::builder().build().unwrap();
    let request = client
        .post(url)
        .header("x-amz-target", format!("TrentService.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20261122/eu-central-1/kms/aws4_request, Signature=0")
        .body(body.to_string());
    let answer = request.send().await.unwrap();
    let (status, bytes) = (answer.status(), answer.bytes().await.unwrap());
    assert!(status.is_success(), "{operation}: {status} {}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

async fn make(url: &str, spec: &str, usage: &str) -> String {
    let made = ask(url, "CreateKey", json!({"KeySpec": spec, "KeyUsage": usage})).await;
    made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

fn variables() -> Variables {
    Arc::new(|name| ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].contains(&name).then(|| "test".to_owned()))
}

#[tokio::test]
async fn moto_keeps_the_contract_and_follows_a_rotation() {
    let Some(url) = moto() else {
        eprintln!("NOT judged by moto: `make kms` installs and starts it");
        return;
    };
    let first = make(&url, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let second = make(&url, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT").await;
    let mac = make(&url, "HMAC_256", "GENERATE_VERIFY_MAC").await;
    let alias = format!("alias/landfall-{first}");
    ask(&url, "CreateAlias", json!({"AliasName": alias, "TargetKeyId": first})).await;
    let mut settings = settings(&url, &alias, &mac);
    settings.timeout_ms = 10_000;
    let keys = KmsKeys::open_with(&settings, clock(), variables()).await.unwrap();
    contract::holds_for(&keys).await;
    contract::agree(&keys, &KmsKeys::open_with(&settings, clock(), variables()).await.unwrap()).await;

    let place = place();
    let old = keys.generate_dek(&place).await.unwrap();
    ask(&url, "UpdateAlias", json!({"AliasName": alias, "TargetKeyId": second})).await;
    settings.key_ids_old = vec![first.clone()];
    let after = KmsKeys::open_with(&settings, clock(), variables()).await.unwrap();
    let new = after.rewrap(&old.wrapped, &place).await.unwrap();
    assert_ne!(new.kek_id, old.wrapped.kek_id);
    assert_eq!(after.unwrap(&new, &place).await.unwrap().expose(), old.key.expose());
    assert_eq!(after.unwrap(&old.wrapped, &place).await.unwrap().expose(), old.key.expose());
    let renamed = WrappedDek { kek_id: new.kek_id.clone(), ..old.wrapped.clone() };
    assert!(after.unwrap(&renamed, &place).await.is_err());

    // A key that was disabled is told, though moto goes on decrypting with it.
    ask(&url, "DisableKey", json!({"KeyId": second})).await;
    assert!(matches!(after.health().await, Err(KeyError::Unavailable(_))));
    ask(&url, "EnableKey", json!({"KeyId": second})).await;
    after.health().await.unwrap();
}
