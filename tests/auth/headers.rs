//! The HTTP header around the token, and the token's own header.

use landfall::http::auth::AuthError;
use serde_json::json;

use crate::keys::{Signer, b64};
use crate::world::{World, assert_refused};

#[tokio::test(flavor = "multi_thread")]
async fn the_authorization_header_is_bearer_and_one() {
    let world = World::start();
    let token = world.token();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let response = world.get(&[format!("{scheme} {token}").as_bytes()]).await;
        assert_eq!(response.status(), 200, "{scheme}");
    }
    assert_refused(world.get(&[]).await, AuthError::Missing).await;
    let good = format!("Bearer {token}");
    for two in [[good.as_bytes(), good.as_bytes()], [good.as_bytes(), b""], [b"Basic YTpi", good.as_bytes()]] {
        assert_refused(world.get(&two).await, AuthError::HeaderRepeated).await;
    }
    let bad = [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer  ".into(),
        token.clone(),
        format!("Basic {token}"),
        format!("Bearer{token}"),
        format!("Bearer:{token}"),
        format!("Bearer\t{token}"),
        format!("Bearer  {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer token={token}"),
    ];
    for value in bad {
        assert_refused(world.get(&[value.as_bytes()]).await, AuthError::NotBearer).await;
    }
    let mut not_utf8 = good.into_bytes();
    not_utf8.push(0xff);
    assert_refused(world.get(&[&not_utf8]).await, AuthError::NotBearer).await;
    assert_refused(world.get(&[b"Bearer \xc3\x28.\xff\xfe.\x80"]).await, AuthError::NotBearer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_is_refused_before_any_key_is_fetched() {
    let world = World::start();
    world.refused(&"a".repeat(8193), AuthError::TooLong).await;
    let padded = Signer::ec().token("ec", &world.claims_with(json!({ "pad": "x".repeat(8192) })));
    world.refused(&padded, AuthError::TooLong).await;
    let not_utf8 = format!("{}.{}.AAAA", b64([0xff, 0xfe]), b64([0xff]));
    world.refused(&not_utf8, AuthError::HeaderMalformed).await;
    let header = b64(r#"{"alg":"ES256","kid":"ec"}"#);
    world.refused(&format!("{header}.{}.AAAA", b64([b'"', 0xff, b'"'])), AuthError::ClaimsMalformed).await;
    world.refused(&format!("{header}.{}.AAAA", b64("[".repeat(4000))), AuthError::ClaimsMalformed).await;
    world.refused(&format!("{header}.{}.AAAA", b64("")), AuthError::ClaimsMalformed).await;
    for bad in ["x", "..", "a.b.c.d", "é.é.é", "a b.c d.e f", "'; DROP TABLE users; --", "../../etc/passwd"] {
        assert!(world.authenticator.authenticate(bad).await.is_err(), "{bad}");
    }
    assert_eq!(world.keys.fetches(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_can_not_bring_its_own_key() {
    let world = World::start();
    world.authenticator.warm().await;
    let attacker = Signer::rsa_attacker();
    let evil = &world.keys.evil_url;
    for header in [
        json!({ "alg": "RS256", "kid": "evil", "jku": evil }),
        json!({ "alg": "RS256", "kid": "evil", "x5u": evil }),
        json!({ "alg": "RS256", "kid": evil }),
        json!({ "alg": "RS256", "kid": "evil", "jwk": attacker.jwk("evil") }),
        json!({ "alg": "RS256", "kid": "evil", "x5c": [b64("certificate")], "x5t": "AAAA" }),
    ] {
        world.refused(&attacker.token_with(&header, &world.claims()), AuthError::KeyUnknown).await;
    }
    for header in [json!({ "alg": "RS256", "jku": evil, "jwk": attacker.jwk("evil") }), json!({ "alg": "RS256" })] {
        world.refused(&attacker.token_with(&header, &world.claims()), AuthError::KeyAmbiguous).await;
    }
    let named = json!({ "alg": "RS256", "kid": "rsa", "jku": evil, "x5u": evil, "jwk": attacker.jwk("rsa") });
    world.refused(&attacker.token_with(&named, &world.claims()), AuthError::SignatureInvalid).await;
    // Ignored is ignored: the issuer's own signature holds, whatever stands beside it.
    world.admitted(&Signer::rsa().token_with(&named, &world.claims())).await;
    assert_eq!(world.keys.evil_fetches(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_id_is_a_name_and_nothing_else() {
    let world = World::start();
    let kids =
        ["../../../../dev/null", "/etc/passwd", "ec' OR '1'='1", "ec\u{0}", "EC", " ec", "", "ec; rm -rf /", "%65%63"];
    for kid in kids {
        world.refused(&Signer::ec().token(kid, &world.claims()), AuthError::KeyUnknown).await;
        // The classic: a file of known content as the HMAC secret.
        world.refused(&Signer::hmac("").token(kid, &world.claims()), AuthError::AlgorithmRefused).await;
    }
    let long = "k".repeat(256);
    for kid in [json!(7), json!(null), json!(["ec"]), json!({}), json!(long)] {
        let token = Signer::ec().token_with(&json!({ "alg": "ES256", "kid": kid }), &world.claims());
        world.refused(&token, AuthError::HeaderMalformed).await;
    }
    assert!(world.keys.fetches() <= 2, "{}", world.keys.fetches());
}

#[tokio::test(flavor = "multi_thread")]
async fn critical_extensions_and_other_kinds_of_token_are_refused() {
    let world = World::start();
    let token = |header: serde_json::Value| Signer::ec().token_with(&header, &world.claims());
    for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!(null), json!("exp")] {
        let header = json!({ "alg": "ES256", "kid": "ec", "crit": crit, "b64": false });
        world.refused(&token(header), AuthError::CriticalExtension).await;
    }
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt", "JWE", ""] {
        world.refused(&token(json!({ "alg": "ES256", "kid": "ec", "typ": typ })), AuthError::OtherType).await;
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        world.admitted(&token(json!({ "alg": "ES256", "kid": "ec", "typ": typ }))).await;
    }
    world.admitted(&token(json!({ "alg": "ES256", "kid": "ec" }))).await;
    let twice = r#"{"alg":"ES256","kid":"ec","kid":"ec"}"#;
    let token = Signer::ec().token_of(twice, &world.claims().to_string());
    world.refused(&token, AuthError::HeaderMalformed).await;
}
