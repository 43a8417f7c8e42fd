//! The issuer's key set: rotation, outage, nonsense, and what strangers can make us fetch.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use landfall::config::auth::IssuerSettings;
use landfall::http::auth::{AuthError, AuthSetupError, Authenticator};

use crate::keys::Signer;
use crate::world::{Answer, World, issuer, settings};

/// Waits for a background fetch.
async fn fetched(world: &World, fetches: usize) {
    for _ in 0..200 {
        if world.keys.fetches() >= fetches {
            // The answer is on its way to the cache.
            tokio::time::sleep(Duration::from_millis(100)).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} fetches", world.keys.fetches());
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_without_a_gap() {
    let (old, new) = (Signer::new_ec(), Signer::new_ec());
    let world = World::serving(Answer::Keys(vec![old.jwk("old")]));
    let old_token = |world: &World| old.token("old", &world.claims());
    let new_token = |world: &World| new.token("new", &world.claims());
    world.admitted(&old_token(&world)).await;
    world.keys.answer(Answer::Keys(vec![old.jwk("old"), new.jwk("new")]));
    // Within the least time between fetches the new key is not looked for yet.
    world.refused(&new_token(&world), AuthError::KeyUnknown).await;
    assert_eq!(world.keys.fetches(), 1);
    world.clock.advance(TimeDelta::seconds(30));
    world.admitted(&new_token(&world)).await;
    world.admitted(&old_token(&world)).await;
    assert_eq!(world.keys.fetches(), 2);
    world.keys.answer(Answer::Keys(vec![new.jwk("new")]));
    world.clock.advance(TimeDelta::seconds(299));
    world.admitted(&old_token(&world)).await;
    // Old enough: this caller is still served with what is there, and the set is fetched behind its back.
    world.clock.advance(TimeDelta::seconds(1));
    world.authenticator.authenticate(&old_token(&world)).await.unwrap();
    fetched(&world, 3).await;
    world.refused(&old_token(&world), AuthError::KeyUnknown).await;
    world.admitted(&new_token(&world)).await;
    assert_eq!(world.keys.fetches(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_set_withdraws_every_key() {
    let world = World::start();
    world.admitted(&world.token()).await;
    world.keys.answer(Answer::Keys(vec![]));
    world.clock.advance(TimeDelta::seconds(300));
    world.authenticator.warm().await;
    world.refused(&world.token(), AuthError::KeyUnknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_unknown_keys_at_once_make_one_fetch() {
    let keys = vec![Signer::ec().jwk("ec")];
    let world = World::serving(Answer::Slow(Duration::from_millis(200), keys));
    world.admitted(&world.token()).await;
    assert_eq!(world.keys.fetches(), 1);
    world.clock.advance(TimeDelta::seconds(60));
    for _ in 0..3 {
        let mut flood = tokio::task::JoinSet::new();
        for n in 0..100 {
            let token = Signer::ec().token(&format!("unknown-{n}"), &world.claims());
            let authenticator = world.authenticator.clone();
            flood.spawn(async move { authenticator.authenticate(&token).await });
        }
        while let Some(refused) = flood.join_next().await {
            assert_eq!(refused.unwrap(), Err(AuthError::KeyUnknown));
        }
    }
    assert_eq!(world.keys.fetches(), 2);
    world.admitted(&world.token()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_of_a_hundred_users_makes_one_fetch() {
    let world = World::serving(Answer::Slow(Duration::from_millis(100), vec![Signer::ec().jwk("ec")]));
    let mut users = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (authenticator, token) = (world.authenticator.clone(), world.token());
        users.spawn(async move { authenticator.authenticate(&token).await });
    }
    while let Some(admitted) = users.join_next().await {
        admitted.unwrap().unwrap();
    }
    assert_eq!(world.keys.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_goes_away_does_not_cut_the_fetch_short() {
    let world = World::serving(Answer::Slow(Duration::from_millis(300), vec![Signer::ec().jwk("ec")]));
    let token = world.token();
    let impatient = world.authenticator.authenticate(&token);
    assert!(tokio::time::timeout(Duration::from_millis(50), impatient).await.is_err());
    world.admitted(&token).await;
    assert_eq!(world.keys.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_outlive_an_outage_for_a_bounded_time() {
    let world = World::start();
    world.admitted(&world.token()).await;
    for down in [Answer::Status(500), Answer::Status(404), Answer::Text("<html>".into()), Answer::Huge] {
        world.keys.answer(down);
        world.clock.advance(TimeDelta::seconds(600));
        world.authenticator.warm().await;
        world.admitted(&world.token()).await;
    }
    assert_eq!(world.keys.fetches(), 5);
    world.clock.advance(TimeDelta::seconds(3600 - 4 * 600));
    world.admitted(&world.token()).await;
    world.clock.advance(TimeDelta::seconds(1));
    world.refused(&world.token(), AuthError::KeysUnavailable).await;
    // The issuer is back, and so are its users.
    world.keys.answer(Answer::Keys(vec![Signer::ec().jwk("ec")]));
    world.clock.advance(TimeDelta::seconds(30));
    world.admitted(&world.token()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_server_that_answers_nonsense_brings_no_keys() {
    let slow = Answer::Slow(Duration::from_secs(60), vec![Signer::ec().jwk("ec")]);
    let answers = [
        Answer::Status(500),
        Answer::Status(204),
        Answer::Text(String::new()),
        Answer::Text("{\"keys\":".into()),
        Answer::Text(Signer::ec().jwk("ec").to_string()),
        Answer::Huge,
        slow,
    ];
    for answer in answers {
        let world = World::serving(answer);
        world.refused(&world.token(), AuthError::KeysUnavailable).await;
        assert_eq!(world.keys.fetches(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_set_without_an_end_is_not_read_on() {
    let world = World::serving(Answer::Huge);
    world.refused(&world.token(), AuthError::KeysUnavailable).await;
    // 256 KiB are read; the rest is in the buffers of the connection.
    assert!(world.keys.huge_bytes() < 16 << 20, "{}", world.keys.huge_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_server_that_is_down_brings_no_keys() {
    let world = World::with(Answer::Keys(vec![]), |_, _| {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        vec![IssuerSettings { jwks_url: Some(format!("http://127.0.0.1:{port}/jwks")), ..issuer("app") }]
    });
    world.refused(&world.token(), AuthError::KeysUnavailable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let world = World::serving(Answer::Status(500));
    world.keys.answer(Answer::Redirect(world.keys.evil_url.clone()));
    world.refused(&Signer::rsa().token("rsa", &world.claims()), AuthError::KeysUnavailable).await;
    world.refused(&Signer::rsa_attacker().token("evil", &world.claims()), AuthError::KeysUnavailable).await;
    assert_eq!(world.keys.evil_fetches(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_key_id_needs_a_set_of_one() {
    let header = serde_json::json!({ "alg": "ES256" });
    let world = World::serving(Answer::Keys(vec![Signer::ec().jwk("ec")]));
    world.admitted(&Signer::ec().token_with(&header, &world.claims())).await;
    let world = World::serving(Answer::Keys(vec![Signer::ec().jwk("a"), Signer::new_ec().jwk("b")]));
    world.refused(&Signer::ec().token_with(&header, &world.claims()), AuthError::KeyAmbiguous).await;
    // Keys that may not sign don't count.
    let mut encryption = Signer::rsa().jwk("enc");
    encryption["use"] = "enc".into();
    let world = World::serving(Answer::Keys(vec![encryption, Signer::ec().jwk("a")]));
    world.admitted(&Signer::ec().token_with(&header, &world.claims())).await;
    world.refused(&Signer::rsa().token("enc", &world.claims()), AuthError::KeyUnknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_keys_rotates_too() {
    let new = Signer::new_ec();
    let jwks = |keys: Vec<serde_json::Value>| serde_json::json!({ "keys": keys }).to_string();
    let world = World::with(Answer::Keys(vec![]), |_, folder| {
        let path = folder.join("jwks.json");
        std::fs::write(&path, jwks(vec![Signer::ec().jwk("ec")])).unwrap();
        vec![IssuerSettings { jwks_file: Some(path), ..issuer("app") }]
    });
    world.admitted(&world.token()).await;
    std::fs::write(world.folder.path().join("jwks.json"), jwks(vec![new.jwk("new")])).unwrap();
    world.admitted(&new.token("new", &world.claims())).await;
    world.refused(&world.token(), AuthError::KeyUnknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_public_key_of_each_kind_can_be_given_as_pem() {
    for (signer, other) in [(Signer::rsa(), Signer::ec()), (Signer::ec(), Signer::ed()), (Signer::ed(), Signer::rsa())]
    {
        let one = |folder: &std::path::Path, pem: &str| {
            std::fs::write(folder.join("key.pem"), pem).unwrap();
            let algorithms = vec![signer.algorithm().to_owned()];
            vec![IssuerSettings { public_key_file: Some(folder.join("key.pem")), algorithms, ..issuer("app") }]
        };
        let world = World::with(Answer::Keys(vec![]), |_, folder| one(folder, &signer.pem()));
        world.admitted(&signer.token("any", &world.claims())).await;
        world.refused(&other.token("any", &world.claims()), AuthError::AlgorithmRefused).await;
        world.refused(&Signer::hmac(signer.pem()).token("any", &world.claims()), AuthError::AlgorithmRefused).await;
        let private = signer.pem().replace("PUBLIC", "PRIVATE");
        for bad in [other.pem(), private, format!("{}{}", signer.pem(), signer.pem()), String::new()] {
            let settings = settings(one(world.folder.path(), &bad));
            let (http, clock) = (reqwest::Client::builder(), Arc::new(world.clock.clone()));
            let made = Authenticator::new(&settings, http, clock, world.folder.path());
            assert!(matches!(made.map(|_| ()), Err(AuthSetupError::Key { .. })), "{bad}");
        }
    }
}
