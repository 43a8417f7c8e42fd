//! Who gets in, for how long, and what a stolen or forged request meets.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use landfall::domain::staff::Role;
use landfall::http::dashboard::CONTENT_SECURITY_POLICY;
use landfall::staff::StaffError;
use secrecy::SecretString;

use crate::world::{EMAIL, PASSWORD, World};

const COOKIE: &str = "__Host-landfall-staff";
const PAGES: [&str; 6] = [
    "/dashboard",
    "/dashboard/test",
    "/dashboard/test/offers",
    "/dashboard/test/offers/demo/1000000000000001",
    "/dashboard/test/requests",
    "/dashboard/test/moderation",
];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_every_page_leads_to_the_sign_in() {
    let world = World::new().await;
    let browser = world.browser();
    assert_eq!(browser.get("/").await.location.as_deref(), Some("/dashboard"));
    for page in PAGES {
        let answer = browser.get(page).await;
        assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/dashboard/sign-in")), "{page}");
        assert_eq!(answer.body, "");
    }
    browser.set_cookie(COOKIE, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(browser.get("/dashboard/test").await.status, 303, "a made-up token is nobody's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_are_one_answer_in_one_time() {
    let world = World::new().await;
    let browser = world.browser();
    let mut answers = Vec::new();
    for (email, password) in
        [(EMAIL, "wrong horse battery"), ("nobody@landfall.example", PASSWORD), ("no address", "x")]
    {
        let began = Instant::now();
        let answer = browser.sign_in(email, password).await;
        assert!(began.elapsed() >= Duration::from_millis(250), "{email}");
        assert_eq!(answer.status, 403);
        assert!(browser.cookie(COOKIE).is_none());
        assert!(!answer.body.contains(password) || password == "x");
        answers.push(answer.body.replace(email, "EMAIL"));
    }
    assert!(answers.iter().all(|body| *body == answers[0]), "{answers:#?}");
    assert!(answers[0].contains("The e-mail address or the password is wrong"));
    // Any case of the address is the address.
    assert_eq!(browser.sign_in(" ADA@landfall.example ", PASSWORD).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_failures_lock_the_account_for_thirty_minutes() {
    let world = World::new().await;
    let browser = world.browser();
    // At once: guesses in parallel get no more tries than guesses in a row.
    let token = browser.get("/dashboard/sign-in").await.form_token();
    let guess = async |n: usize| {
        let password = format!("guess number {n}");
        let form = [("form_token", token.as_str()), ("email", EMAIL), ("password", password.as_str())];
        browser.post("/dashboard/sign-in", &form).await.status
    };
    let statuses = futures_util::future::join_all((0..10).map(guess)).await;
    assert_eq!(statuses, [403; 10]);
    let locked = browser.sign_in(EMAIL, PASSWORD).await;
    assert_eq!(locked.status, 403, "the right password doesn't open a locked account");
    assert_eq!(world.count("SELECT count(*) FROM staff WHERE locked_until IS NOT NULL AND failed_count = 10").await, 1);

    world.clock.advance(TimeDelta::minutes(29));
    assert_eq!(browser.sign_in(EMAIL, PASSWORD).await.status, 403);
    world.clock.advance(TimeDelta::minutes(1));
    assert_eq!(browser.sign_in(EMAIL, PASSWORD).await.status, 303);
    assert_eq!(world.count("SELECT count(*) FROM staff WHERE locked_until IS NULL AND failed_count = 0").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_forgets_the_failures_before_it() {
    let world = World::new().await;
    let browser = world.browser();
    for round in 0..2 {
        for _ in 0..6 {
            assert_eq!(browser.sign_in(EMAIL, "wrong horse battery").await.status, 403);
        }
        assert_eq!(world.browser().sign_in(EMAIL, PASSWORD).await.status, 303, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_fifteen_idle_minutes() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    for _ in 0..3 {
        world.clock.advance(TimeDelta::minutes(14));
        assert_eq!(browser.get("/dashboard/test").await.status, 200, "use keeps it alive");
    }
    world.clock.advance(TimeDelta::minutes(15));
    assert_eq!(browser.get("/dashboard/test").await.location.as_deref(), Some("/dashboard/sign-in"));
    assert_eq!(browser.get("/dashboard/test").await.status, 303, "asking again doesn't bring it back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_twelve_hours_however_busy() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    for _ in 0..71 {
        world.clock.advance(TimeDelta::minutes(10));
        assert_eq!(browser.get("/dashboard/test/moderation").await.status, 200);
    }
    world.clock.advance(TimeDelta::minutes(10));
    assert_eq!(browser.get("/dashboard/test/moderation").await.status, 303);
    world.signed_in().await;
    assert_eq!(world.count("SELECT count(*) FROM staff_session").await, 1, "the old session isn't kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_for_every_copy_of_its_token() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let copy = world.browser();
    copy.set_cookie(COOKIE, &browser.cookie(COOKIE).unwrap());
    let page = copy.get("/dashboard/test").await;
    assert_eq!(page.status, 200);
    let answer = browser.post("/dashboard/sign-out", &[("form_token", &page.form_token())]).await;
    assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/dashboard/sign-in")));
    assert!(browser.cookie(COOKIE).is_none());
    assert_eq!(copy.get("/dashboard/test").await.status, 303);
    assert_eq!(world.count("SELECT count(*) FROM staff_session").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sign_in_is_a_new_token_and_ends_the_old_one() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let old = browser.cookie(COOKIE).unwrap();
    // Whoever is signed in isn't shown the form; this one was opened before.
    let other = world.browser();
    let token = other.get("/dashboard/sign-in").await.form_token();
    other.set_cookie(COOKIE, &old);
    assert_eq!(other.get("/dashboard/sign-in").await.location.as_deref(), Some("/dashboard"));
    let form = [("form_token", token.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(other.post("/dashboard/sign-in", &form).await.status, 303);
    assert_ne!(other.cookie(COOKIE).unwrap(), old);
    assert_eq!(other.get("/dashboard/test").await.status, 200);
    assert_eq!(browser.get("/dashboard/test").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_out_at_once() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    world.execute("UPDATE staff SET disabled_at = now()").await;
    assert_eq!(browser.get("/dashboard/test").await.status, 303);
    assert_eq!(browser.sign_in(EMAIL, PASSWORD).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_its_own_token_does_nothing() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let theirs = world.signed_in().await.get("/dashboard/test").await.form_token();
    let empty: &[(&str, &str)] = &[];
    for form in [empty, &[("form_token", "")], &[("form_token", "nonsense")], &[("form_token", &theirs)]] {
        let answer = browser.post("/dashboard/sign-out", form).await;
        assert_eq!(answer.status, 403, "{form:?}");
        assert!(answer.body.contains("This form can&#39;t be used any more"), "{}", answer.body);
    }
    assert_eq!(browser.get("/dashboard/test").await.status, 200, "still signed in");
    assert_eq!(browser.get("/dashboard/sign-out").await.status, 404, "a link doesn't sign out");

    // The sign-in's own form: the token of another browser, and none at all.
    let fresh = world.browser();
    let foreign = world.browser().get("/dashboard/sign-in").await.form_token();
    fresh.get("/dashboard/sign-in").await;
    for token in [foreign.as_str(), "", "nonsense"] {
        let form = [("form_token", token), ("email", EMAIL), ("password", PASSWORD)];
        assert_eq!(fresh.post("/dashboard/sign-in", &form).await.status, 403);
        assert!(fresh.cookie(COOKIE).is_none());
    }
    let no_cookie = world.browser();
    let form = [("form_token", foreign.as_str()), ("email", EMAIL), ("password", PASSWORD)];
    assert_eq!(no_cookie.post("/dashboard/sign-in", &form).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_are_closed_to_scripts_other_sites_and_plain_http() {
    let world = World::new().await;
    let browser = world.browser();
    let opened = browser.get("/dashboard/sign-in").await;
    let signed_in = browser.sign_in(EMAIL, PASSWORD).await;
    for cookie in opened.set_cookies.iter().chain(&signed_in.set_cookies) {
        for flag in ["__Host-landfall-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    let token = browser.cookie(COOKIE).unwrap();
    assert_eq!(token.len(), 43, "256 bits");
    // The token is stored nowhere; its hash is.
    let stored = format!("SELECT count(*) FROM staff_session WHERE id = decode('{}', 'hex')", hash_hex(&token));
    assert_eq!(world.count(&stored).await, 1);
}

fn hash_hex(token: &str) -> String {
    use base64::Engine;
    use sha2::Digest;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).unwrap();
    hex::encode(sha2::Sha256::digest(bytes))
}

/// As pages name it.
const OWN_SCRIPT: &str = r#"<script src="/dashboard/assets/dashboard.js?v="#;

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_forbids_foreign_scripts_frames_and_other_origins() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let stranger = world.browser();
    let answers = [
        browser.get("/dashboard/test").await,
        browser.get("/dashboard/nothing/here").await,
        browser.get("/dashboard/test/offers?after=broken").await,
        stranger.get("/dashboard/sign-in").await,
        stranger.get("/dashboard/test").await,
        stranger.sign_in(EMAIL, "wrong horse battery").await,
    ];
    for answer in answers {
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(header("content-security-policy"), Some(CONTENT_SECURITY_POLICY));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("x-frame-options"), Some("DENY"));
        assert_eq!(header("cache-control"), Some("no-store"));
        let scripts = answer.body.matches("<script").count();
        assert_eq!(answer.body.matches(OWN_SCRIPT).count(), scripts, "our own file alone, and nothing inline");
        assert!(
            !answer.body.contains("style=") && !answer.body.contains(" onclick="),
            "nothing that the policy forbids"
        );
    }
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe") && CONTENT_SECURITY_POLICY.starts_with("default-src 'none'"));
    let page = browser.get("/dashboard/test").await;
    for (file, kind) in [("css", "text/css; charset=utf-8"), ("js", "text/javascript; charset=utf-8")] {
        let asset = browser.get(page.body.split('"').find(|text| text.contains(&format!(".{file}?v="))).unwrap()).await;
        assert_eq!(asset.headers["content-type"], kind);
        // For good by its content's hash, and by no other name.
        assert!(asset.headers["cache-control"].to_str().unwrap().contains("immutable"));
        let unnamed = browser.get(&format!("/dashboard/assets/dashboard.{file}")).await;
        assert_eq!(unnamed.headers["cache-control"], "public, no-cache");
        let text = asset.body.replace("DOMParser", "");
        assert!(
            !["innerHTML", "eval(", "document.write", "http://", "https://"].iter().any(|word| text.contains(word))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_needs_an_address_a_name_and_a_long_password_of_its_own() {
    let world = World::new().await;
    let create = async |email: &str, name: &str, password: &str| {
        world.staff.create(email, name, Role::Support, &SecretString::from(password)).await
    };
    assert!(matches!(create("nobody", "N", PASSWORD).await, Err(StaffError::Email(_))));
    assert!(matches!(create("n@x", " ", PASSWORD).await, Err(StaffError::Name)));
    assert!(matches!(create("n@x", "N", "short").await, Err(StaffError::PasswordLength)));
    assert!(matches!(create("n@x", "N", &"x".repeat(129)).await, Err(StaffError::PasswordLength)));
    assert!(matches!(create("ADA@landfall.example", "N", PASSWORD).await, Err(StaffError::EmailTaken)));
    create("n@x", "N", &"ü".repeat(128)).await.unwrap();
    assert_eq!(world.browser().sign_in("n@x", &"ü".repeat(128)).await.status, 303);
    assert_eq!(world.browser().sign_in("n@x", &"ü".repeat(129)).await.status, 403);
}
