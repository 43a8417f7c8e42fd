//! Forged signatures: no algorithm, another algorithm, another key, another payload.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall::config::auth::IssuerSettings;
use landfall::http::auth::{AuthError, AuthSetupError, Authenticator};
use serde_json::json;

use crate::keys::{Signer, b64};
use crate::world::{Answer, World, issuer, settings};

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_token_is_refused_in_every_spelling() {
    let world = World::start();
    let claims = b64(world.claims().to_string());
    for alg in ["none", "None", "NONE", "nOnE", "none ", "", "null", "HS384", "RS512", "ES384", "PS256", "ed25519"] {
        let header = b64(json!({ "alg": alg, "kid": "ec" }).to_string());
        world.refused(&format!("{header}.{claims}."), AuthError::NotAJws).await;
        world.refused(&format!("{header}.{claims}.AAAA"), AuthError::AlgorithmUnknown).await;
    }
    for header in [json!({}), json!({ "alg": null }), json!({ "alg": ["ES256"] }), json!({ "alg": 0 }), json!([])] {
        let header = b64(header.to_string());
        world.refused(&format!("{header}.{claims}.AAAA"), AuthError::HeaderMalformed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hmac_made_with_public_key_material_is_refused() {
    let world = World::start();
    for (signer, kid) in [(Signer::rsa(), "rsa"), (Signer::ec(), "ec"), (Signer::ed(), "ed")] {
        let jwk = signer.jwk(kid);
        let secrets = [
            signer.pem(),
            signer.pem().trim_end().to_owned(),
            jwk.to_string(),
            json!({ "keys": [jwk] }).to_string(),
            jwk["n"].as_str().or(jwk["x"].as_str()).unwrap().to_owned(),
            String::new(),
        ];
        for secret in secrets {
            let token = Signer::hmac(&secret).token(kid, &world.claims());
            world.refused(&token, AuthError::AlgorithmRefused).await;
        }
        let raw = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().or(jwk["x"].as_str()).unwrap()).unwrap();
        world.refused(&Signer::hmac(raw).token(kid, &world.claims()), AuthError::AlgorithmRefused).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_symmetric_key_in_a_key_set_is_no_key() {
    let shared = Signer::hmac([7; 32]);
    let world = World::serving(Answer::Keys(vec![shared.jwk("oct"), Signer::ec().jwk("ec")]));
    world.refused(&shared.token("oct", &world.claims()), AuthError::AlgorithmRefused).await;
    let claimed = json!({ "alg": "ES256", "kid": "oct" });
    world.refused(&shared.token_with(&claimed, &world.claims()), AuthError::KeyUnknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_and_a_public_key_are_never_the_same_issuer() {
    let world = World::with(Answer::Keys(vec![]), |_, folder| {
        std::fs::write(folder.join("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
        let secret_file = Some(folder.join("secret"));
        vec![IssuerSettings { secret_file, algorithms: vec!["HS256".into()], ..issuer("app") }]
    });
    let secret = Signer::hmac("0123456789abcdef0123456789abcdef");
    world.admitted(&secret.token("any", &world.claims())).await;
    world.refused(&Signer::hmac("0123456789abcdef").token("any", &world.claims()), AuthError::SignatureInvalid).await;
    world.refused(&Signer::hmac("").token("any", &world.claims()), AuthError::SignatureInvalid).await;
    world.refused(&Signer::ec().token("any", &world.claims()), AuthError::AlgorithmRefused).await;

    let refused = |secret: &str| {
        let path = world.folder.path().join("other");
        std::fs::write(&path, secret).unwrap();
        let issuer = IssuerSettings { secret_file: Some(path), algorithms: vec!["HS256".into()], ..issuer("app") };
        let clock = std::sync::Arc::new(world.clock.clone());
        let made = Authenticator::new(&settings(vec![issuer]), reqwest::Client::builder(), clock, world.folder.path());
        assert!(matches!(made.map(|_| ()), Err(AuthSetupError::Key { .. })), "{secret:?}");
    };
    refused("short");
    refused(&Signer::rsa().pem());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_algorithm_must_fit_the_key() {
    let world = World::start();
    for (signer, kid) in [(Signer::rsa(), "rsa"), (Signer::ec(), "ec"), (Signer::ed(), "ed")] {
        for alg in ["RS256", "ES256", "EdDSA"] {
            let other_kid = ["rsa", "ec", "ed"].into_iter().find(|other| *other != kid).unwrap();
            let mismatched = signer.token_with(&json!({ "alg": alg, "kid": kid }), &world.claims());
            if alg != signer.algorithm() {
                world.refused(&mismatched, AuthError::KeyMismatch).await;
            } else {
                world.refused(&signer.token(other_kid, &world.claims()), AuthError::KeyMismatch).await;
            }
        }
    }
    // Allowed by the key, not by the issuer.
    let world = World::with(Answer::Keys(vec![Signer::rsa().jwk("rsa"), Signer::ec().jwk("ec")]), |keys, _| {
        vec![IssuerSettings { jwks_url: Some(keys.url.clone()), algorithms: vec!["ES256".into()], ..issuer("app") }]
    });
    world.admitted(&world.token()).await;
    world.refused(&Signer::rsa().token("rsa", &world.claims()), AuthError::AlgorithmRefused).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_holds_for_its_own_words_only() {
    let world = World::start();
    for (signer, kid) in [(Signer::rsa(), "rsa"), (Signer::ec(), "ec"), (Signer::ed(), "ed")] {
        let alice = signer.token(kid, &world.claims());
        let mallory = signer.token(kid, &world.claims_with(json!({ "sub": "mallory" })));
        let [header, payload, signature] = alice.split('.').collect::<Vec<_>>().try_into().unwrap();
        let other: Vec<_> = mallory.split('.').collect();
        world.admitted(&alice).await;
        let swapped = json!({ "alg": signer.algorithm(), "kid": kid, "note": "edited" }).to_string();
        for forged in [
            format!("{header}.{}.{signature}", other[1]),
            format!("{header}.{payload}.{}", other[2]),
            format!("{}.{payload}.{signature}", b64(swapped)),
            format!("{header}.{payload}.AAAA"),
            format!("{header}.{payload}.{}", b64([0; 64])),
            format!("{header}.{payload}.{}", b64([0; 256])),
            format!("{header}.{payload}.{signature}AAAA"),
        ] {
            world.refused(&forged, AuthError::SignatureInvalid).await;
        }
        for broken in [
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!(".{payload}.{signature}"),
            format!("{header}..{signature}"),
            format!("{header}.{payload}.{signature}.{signature}"),
            format!("{header}=.{payload}.{signature}"),
        ] {
            assert!(world.authenticator.authenticate(&broken).await.is_err(), "{broken}");
        }
        let other_encoding = format!("{header}.{payload}.{signature}=");
        world.refused(&other_encoding, AuthError::SignatureInvalid).await;
    }
    let attacker = Signer::rsa_attacker();
    world.refused(&attacker.token("rsa", &world.claims()), AuthError::SignatureInvalid).await;
}
