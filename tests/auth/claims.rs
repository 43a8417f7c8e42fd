//! What a token says, when its signature is sound.

use chrono::TimeDelta;
use landfall::config::auth::{IssuerSettings, KycSetting};
use landfall::domain::ids::Mode;
use landfall::http::auth::{AuthError, KycSource};
use serde_json::{Value, json};

use crate::keys::Signer;
use crate::world::{Answer, ISS, World, issuer};

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_token_names_the_user_and_the_issuer_names_the_tenant() {
    let world = World::start();
    for (signer, kid) in [(Signer::rsa(), "rsa"), (Signer::ec(), "ec"), (Signer::ed(), "ed")] {
        let claims = world.claims_with(json!({ "jti": "t-1", "partner": "other", "mode": "live", "kyc_level": 9 }));
        let alice = world.admitted(&signer.token(kid, &claims)).await;
        assert_eq!((alice.partner_code.as_str(), alice.mode, alice.subject.as_str()), ("demo", Mode::Test, "alice"));
        assert_eq!((alice.kyc, alice.issuer.as_str()), (KycSource::FromRecord, "app"));
        assert_eq!((alice.token_id.as_deref(), alice.expires_at.timestamp()), (Some("t-1"), world.now() + 300));
    }
    assert_eq!(world.keys.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_holds_from_nbf_to_exp_give_or_take_the_leeway() {
    let world = World::start();
    let now = world.now();
    let token = |changed: Value| Signer::ec().token("ec", &world.claims_with(changed));
    for good in [
        json!({ "exp": now - 29 }),
        json!({ "exp": now + 1 }),
        json!({ "nbf": now + 30, "iat": now + 30 }),
        json!({ "nbf": null, "iat": null }),
    ] {
        world.admitted(&token(good)).await;
    }
    for (bad, error) in [
        (json!({ "exp": now - 30 }), AuthError::Expired),
        (json!({ "exp": 0 }), AuthError::Expired),
        (json!({ "exp": null }), AuthError::ExpiryMissing),
        (json!({ "exp": "2099-01-01" }), AuthError::ClaimsMalformed),
        (json!({ "exp": (now + 300).to_string() }), AuthError::ClaimsMalformed),
        (json!({ "exp": -1 }), AuthError::ClaimsMalformed),
        (json!({ "exp": u64::MAX }), AuthError::ClaimsMalformed),
        (json!({ "nbf": now + 31 }), AuthError::NotYetValid),
        (json!({ "nbf": "soon" }), AuthError::ClaimsMalformed),
        (json!({ "iat": now + 31 }), AuthError::IssuedInFuture),
    ] {
        world.refused(&token(bad), error).await;
    }
    let token = token(json!({ "exp": now + 60 }));
    world.admitted(&token).await;
    world.clock.advance(TimeDelta::seconds(90));
    world.refused(&token, AuthError::Expired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_audience_and_subject_are_required_and_exact() {
    let world = World::start();
    let huge = "x".repeat(256);
    for (bad, error) in [
        (json!({ "iss": null }), AuthError::IssuerMissing),
        (json!({ "iss": "" }), AuthError::IssuerUnknown),
        (json!({ "iss": "https://id.example/" }), AuthError::IssuerUnknown),
        (json!({ "iss": "HTTPS://ID.EXAMPLE" }), AuthError::IssuerUnknown),
        (json!({ "iss": [ISS] }), AuthError::ClaimsMalformed),
        (json!({ "aud": null }), AuthError::AudienceMissing),
        (json!({ "aud": [] }), AuthError::AudienceMissing),
        (json!({ "aud": "" }), AuthError::AudienceOther),
        (json!({ "aud": "wallet2" }), AuthError::AudienceOther),
        (json!({ "aud": ["other", "Wallet"] }), AuthError::AudienceOther),
        (json!({ "aud": { "wallet": true } }), AuthError::ClaimsMalformed),
        (json!({ "sub": null }), AuthError::SubjectMissing),
        (json!({ "sub": "" }), AuthError::SubjectInvalid),
        (json!({ "sub": huge }), AuthError::SubjectInvalid),
        (json!({ "sub": "ali\u{0}ce" }), AuthError::SubjectInvalid),
        (json!({ "sub": "alice\u{200b}" }), AuthError::SubjectInvalid),
        (json!({ "sub": ["alice"] }), AuthError::ClaimsMalformed),
        (json!({ "jti": 7 }), AuthError::ClaimsMalformed),
    ] {
        world.refused(&Signer::ec().token("ec", &world.claims_with(bad)), error).await;
    }
    world.admitted(&Signer::ec().token("ec", &world.claims_with(json!({ "aud": ["other", "wallet"] })))).await;
    let twice = world.claims().to_string().replace(r#""sub":"alice""#, r#""sub":"alice","sub":"bob""#);
    let header = r#"{"alg":"ES256","kid":"ec"}"#;
    world.refused(&Signer::ec().token_of(header, &twice), AuthError::ClaimsMalformed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_issuer_can_not_speak_for_another() {
    let own = Signer::new_ec();
    let own_jwks = json!({ "keys": [own.jwk("ec")] }).to_string();
    let world = World::with(Answer::Keys(vec![Signer::ec().jwk("ec")]), |keys, folder| {
        std::fs::write(folder.join("live.json"), own_jwks).unwrap();
        std::fs::write(folder.join("second.pem"), Signer::ec().pem()).unwrap();
        let live = IssuerSettings {
            iss: "https://live.example".into(),
            mode: Mode::Live,
            partner: "live-partner".into(),
            jwks_file: Some(folder.join("live.json")),
            ..issuer("live")
        };
        let app = IssuerSettings { jwks_url: Some(keys.url.replace("http://", "https://")), ..issuer("app") };
        // The same iss for another tenant, told apart by its audience.
        let second = IssuerSettings {
            aud: vec!["second".into()],
            partner: "second".into(),
            algorithms: vec!["ES256".into()],
            public_key_file: Some(folder.join("second.pem")),
            ..issuer("second")
        };
        let third = IssuerSettings {
            aud: vec!["third".into()],
            partner: "third".into(),
            name: "third".into(),
            ..second.clone()
        };
        vec![live, app, second, third]
    });
    let live_claims = world.claims_with(json!({ "iss": "https://live.example" }));
    let alice = world.admitted(&own.token("ec", &live_claims)).await;
    assert_eq!((alice.mode, alice.partner_code.as_str()), (Mode::Live, "live-partner"));
    // The test issuer's key with the live issuer's name, and the other way round.
    world.refused(&Signer::ec().token("ec", &live_claims), AuthError::SignatureInvalid).await;
    let second = world.claims_with(json!({ "aud": "second" }));
    world.refused(&own.token("ec", &second), AuthError::SignatureInvalid).await;
    assert_eq!(world.admitted(&Signer::ec().token("any", &second)).await.partner_code, "second");
    // A token for two tenants may not choose.
    let both = world.claims_with(json!({ "aud": ["second", "third"] }));
    world.refused(&Signer::ec().token("any", &both), AuthError::AudienceAmbiguous).await;
    world
        .refused(
            &own.token("ec", &world.claims_with(json!({ "aud": "second", "iss": "https://live.example" }))),
            AuthError::AudienceOther,
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kyc_age_and_scope_follow_the_issuers_configuration() {
    let world = World::with(Answer::Keys(vec![Signer::ec().jwk("ec")]), |keys, _| {
        vec![IssuerSettings {
            jwks_url: Some(keys.url.clone()),
            kyc: KycSetting::Claim("level".into()),
            max_token_age_secs: Some(600),
            required_scope: Some("payout".into()),
            leeway_secs: 0,
            ..issuer("app")
        }]
    });
    let now = world.now();
    let token = |changed: Value| {
        let mut claims = world.claims_with(json!({ "scope": "openid payout", "level": 1 }));
        for (name, value) in changed.as_object().unwrap() {
            claims[name] = value.clone();
        }
        Signer::ec().token("ec", &claims)
    };
    assert_eq!(world.admitted(&token(json!({}))).await.kyc, KycSource::Claim(1));
    assert_eq!(world.admitted(&token(json!({ "level": null }))).await.kyc, KycSource::Claim(0));
    world.admitted(&token(json!({ "iat": now - 599 }))).await;
    for (bad, error) in [
        (json!({ "level": "1" }), AuthError::KycInvalid),
        (json!({ "level": -1 }), AuthError::KycInvalid),
        (json!({ "level": 1000 }), AuthError::KycInvalid),
        (json!({ "iat": now - 600 }), AuthError::TooOld),
        (json!({ "iat": null }), AuthError::IssuedAtMissing),
        (json!({ "scope": null }), AuthError::ScopeMissing),
        (json!({ "scope": "openid payouts" }), AuthError::ScopeMissing),
    ] {
        world.refused(&token(bad), error).await;
    }
}
