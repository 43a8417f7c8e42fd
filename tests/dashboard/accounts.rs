//! Staff accounts as live mode has them: first passwords, one's own password, the second factor, browsers that are known, and what the
//! console does with an account.

use chrono::TimeDelta;
use landfall::clock::Clock;
use landfall::config::staff::MakerChecker;
use landfall::domain::staff::Role;
use landfall::gateway::access::audit::Author;
use landfall::staff::StaffError;
use landfall::staff::totp::Authenticator;
use secrecy::{ExposeSecret, SecretString};

use crate::browser::{Answer, Browser};
use crate::world::{EMAIL, PASSWORD, World};

const COOKIE: &str = "__Host-landfall-staff";
const DEVICE: &str = "__Host-landfall-device";
const GRACE: &str = "grace@landfall.example";
const CHOSEN: &str = "7 tin boats over gravel";

async fn console(world: &World) -> Author {
    world.staff.console("cli:tester".to_owned()).await.unwrap()
}

async fn change(browser: &Browser, old: &str, new: &str) -> Answer {
    let token = browser.get("/dashboard/account/password").await.form_token();
    let form = [("form_token", token.as_str()), ("old", old), ("new", new), ("again", new)];
    browser.post("/dashboard/account/password", &form).await
}

/// Enrols a second factor; what makes its codes, and the recovery codes.
async fn enrol(world: &World, browser: &Browser, password: &str) -> (Authenticator, Vec<String>) {
    let token = browser.get("/dashboard/account/totp").await.form_token();
    let form = [("form_token", token.as_str()), ("password", password)];
    let offered = browser.post("/dashboard/account/totp/offer", &form).await;
    assert_eq!(
        (offered.status, offered.location.as_deref()),
        (303, Some("/dashboard/account/totp")),
        "{}",
        offered.body
    );
    let page = browser.get("/dashboard/account/totp").await;
    let (_, rest) = page.body.split_once("?secret=").unwrap();
    let secret = totp_rs::Secret::try_from_base32(rest.split("&").next().unwrap()).unwrap();
    let authenticator = Authenticator::new(secret.as_bytes(), EMAIL).unwrap();
    assert!(page.body.contains(&authenticator.secret_text()) && page.body.contains("<svg"), "{}", page.body);
    assert!(!page.body.contains("<script") && !page.body.contains("style="));
    let code = authenticator.code_at(world.clock.now().timestamp());
    let form = [("form_token", page.form_token()), ("code", code)];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let enrolled = browser.post("/dashboard/account/totp", &form).await;
    assert_eq!(enrolled.status, 200, "{}", enrolled.body);
    let codes: Vec<String> =
        enrolled.body.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 10);
    (authenticator, codes)
}

async fn send_code(browser: &Browser, code: &str) -> Answer {
    let page = browser.get("/dashboard/sign-in/code").await;
    assert_eq!(page.status, 200);
    let token = page.form_token();
    browser.post("/dashboard/sign-in/code", &[("form_token", &token), ("code", code)]).await
}

/// The first of two steps.
async fn password_step(world: &World) -> Browser {
    let browser = world.browser();
    let answer = browser.sign_in(EMAIL, PASSWORD).await;
    assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/dashboard/sign-in/code")), "{}", answer.body);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_password_is_changed_before_anything_else_is_shown() {
    let world = World::new().await;
    let (_, first) = world.staff.add(&console(&world).await, GRACE, "Grace", Role::Operator, None).await.unwrap();
    let first = first.expose_secret();
    let (browser, other) = (world.browser(), world.browser());
    for browser in [&browser, &other] {
        assert_eq!(browser.sign_in(GRACE, first).await.status, 303);
        for page in ["/dashboard", "/dashboard/test", "/dashboard/test/moderation", "/dashboard/test/approvals"] {
            let answer = browser.get(page).await;
            assert_eq!(
                (answer.status, answer.location.as_deref()),
                (303, Some("/dashboard/account/password")),
                "{page}"
            );
        }
    }
    let token = browser.get("/dashboard/account/password").await.form_token();
    let forged = [("form_token", token.as_str()), ("old", first), ("new", CHOSEN), ("again", CHOSEN)];
    assert_eq!(other.post("/dashboard/account/password", &forged).await.status, 403, "another browser's form");
    for (old, new, status, said) in [
        (first, "short 1", 422, "12 to 128 characters"),
        (first, "only letters in this one", 422, "letters and digits"),
        (first, "grace@landfall1", 422, "too easily guessed"),
        (first, "Password12345", 422, "too easily guessed"),
        (first, first, 422, "used before"),
        ("not the old one 1", CHOSEN, 403, "The old password is wrong"),
    ] {
        let answer = change(&browser, old, new).await;
        assert_eq!(answer.status, status, "{new}: {}", answer.body);
        assert!(answer.body.contains(said) && !answer.body.contains(new), "{said}: {}", answer.body);
    }
    let before = browser.cookie(COOKIE).unwrap();
    let changed = change(&browser, first, CHOSEN).await;
    assert_eq!((changed.status, changed.location.as_deref()), (303, Some("/dashboard/account?changed=password")));
    assert_ne!(browser.cookie(COOKIE).unwrap(), before, "a new token");
    assert_eq!(browser.get("/dashboard/test").await.status, 200);
    assert_eq!(other.get("/dashboard/account").await.location.as_deref(), Some("/dashboard/sign-in"), "others end");
    assert_eq!(world.browser().sign_in(GRACE, first).await.status, 403);
    assert_eq!(world.browser().sign_in(GRACE, CHOSEN).await.status, 303);
    let audited = "SELECT count(*) FROM audit WHERE actor = 'staff:grace@landfall.example' AND result = 'ok' \
                   AND action IN ('staff.sign_in', 'staff.change_password')";
    assert_eq!(world.count(audited).await, 4);
    assert_eq!(
        world.count("SELECT count(*) FROM audit WHERE before::text LIKE '%argon%' OR after::text LIKE '%argon%'").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn none_of_the_last_five_passwords_is_taken_again() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let password = |n: usize| format!("{n} tin boats over gravel");
    let mut now = PASSWORD.to_owned();
    for n in 0..5 {
        world.clock.advance(TimeDelta::seconds(1));
        assert_eq!(change(&browser, &now, &password(n)).await.status, 303, "{n}");
        now = password(n);
    }
    for n in 0..5 {
        assert_eq!(change(&browser, &now, &password(n)).await.status, 422, "{n}");
    }
    assert_eq!(world.count("SELECT count(*) FROM staff_password").await, 4);
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(change(&browser, &now, &password(9)).await.status, 303);
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(change(&browser, &password(9), &password(0)).await.status, 303, "it is the sixth now");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_factor_is_asked_for_and_each_code_is_taken_once() {
    let world = World::new().await;
    let owner = world.signed_in().await;
    let (authenticator, recovery) = enrol(&world, &owner, PASSWORD).await;
    let secret = "SELECT count(*) FROM staff WHERE totp_secret IS NOT NULL AND totp_offered IS NULL AND length(totp_secret) > 60";
    assert_eq!(world.count(secret).await, 1, "sealed");
    let code = |steps: i64| authenticator.code_at(world.clock.now().timestamp() + steps * 30);

    let browser = password_step(&world).await;
    for page in ["/dashboard/test", "/dashboard/account", "/dashboard/account/totp"] {
        let answer = browser.get(page).await;
        assert_eq!((answer.status, answer.location.as_deref()), (303, Some("/dashboard/sign-in")), "{page}");
    }
    assert_eq!(send_code(&browser, &code(0)).await.status, 403, "enrolling took it");
    for wrong in ["000000", "", "nonsense", recovery[0].get(1..).unwrap()] {
        assert_eq!(send_code(&browser, wrong).await.status, 403, "{wrong}");
    }
    let pending = browser.cookie(COOKIE).unwrap();
    let entered = send_code(&browser, &code(1)).await;
    assert_eq!((entered.status, entered.location.as_deref()), (303, Some("/dashboard")), "{}", entered.body);
    assert_ne!(browser.cookie(COOKIE).unwrap(), pending, "a new token");
    assert_eq!(browser.get("/dashboard/test").await.status, 200);
    assert_eq!(world.count("SELECT failed_count::bigint FROM staff").await, 0);

    // The same code, and an older one, in another browser.
    let replaying = password_step(&world).await;
    for old in [code(1), code(0), code(-1)] {
        assert_eq!(send_code(&replaying, &old).await.status, 403);
    }
    // A recovery code counts once, however it is typed.
    let typed = recovery[3].to_uppercase().replace('-', " ");
    assert_eq!(send_code(&replaying, &typed).await.status, 303);
    assert_eq!(send_code(&password_step(&world).await, &recovery[3]).await.status, 403);
    assert!(replaying.get("/dashboard/account").await.body.contains("with 9 recovery codes left"));
    // Whoever waits too long begins anew.
    let slow = password_step(&world).await;
    world.clock.advance(TimeDelta::minutes(5));
    assert_eq!(slow.get("/dashboard/sign-in/code").await.location.as_deref(), Some("/dashboard/sign-in"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_at_once_lets_one_in() {
    let world = World::new().await;
    let (authenticator, _) = enrol(&world, &world.signed_in().await, PASSWORD).await;
    world.clock.advance(TimeDelta::minutes(2));
    let code = authenticator.code_at(world.clock.now().timestamp());
    let browsers = [password_step(&world).await, password_step(&world).await, password_step(&world).await];
    let answers = futures_util::future::join_all(browsers.iter().map(|browser| send_code(browser, &code))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403, 403]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_wrong_codes_lock_as_ten_wrong_passwords_do() {
    let world = World::new().await;
    let (authenticator, _) = enrol(&world, &world.signed_in().await, PASSWORD).await;
    world.clock.advance(TimeDelta::minutes(2));
    let code = || authenticator.code_at(world.clock.now().timestamp());
    // A password that is right in between takes nothing back but itself.
    for n in 0..10 {
        let browser = password_step(&world).await;
        assert_eq!(send_code(&browser, "000000").await.status, 403, "{n}");
    }
    assert_eq!(world.browser().sign_in(EMAIL, PASSWORD).await.status, 403, "locked");
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE action = 'staff.lock' AND result = 'refused'").await, 1);
    world.clock.advance(TimeDelta::minutes(30));
    assert_eq!(send_code(&password_step(&world).await, &code()).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_second_factor_is_required_nothing_is_shown_without_one() {
    let world = World::of(true, MakerChecker::Live).await;
    let browser = world.signed_in().await;
    for page in ["/dashboard", "/dashboard/test", "/dashboard/test/requests"] {
        assert_eq!(browser.get(page).await.location.as_deref(), Some("/dashboard/account/totp"), "{page}");
    }
    let token = browser.get("/dashboard/account/totp").await.form_token();
    let wrong = [("form_token", token.as_str()), ("password", "wrong horse battery")];
    assert_eq!(browser.post("/dashboard/account/totp/offer", &wrong).await.status, 403);
    assert_eq!(
        browser.post("/dashboard/account/totp", &[("form_token", &token), ("code", "123456")]).await.status,
        422
    );
    let (authenticator, recovery) = enrol(&world, &browser, PASSWORD).await;
    assert_eq!(browser.get("/dashboard/test").await.status, 200);
    // Another one only by the one that is there.
    let token = browser.get("/dashboard/account/totp").await.form_token();
    let form =
        |code: &str| [("form_token", token.clone()), ("password", PASSWORD.to_owned()), ("code", code.to_owned())];
    let post = async |code: &str| {
        let form = form(code);
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/dashboard/account/totp/offer", &form).await.status
    };
    assert_eq!(post(&authenticator.code_at(world.clock.now().timestamp())).await, 403, "it was taken");
    assert_eq!(post(&recovery[0]).await, 303);
    // The console forgets it, and ends the session.
    world.staff.reset_totp(&console(&world).await, EMAIL).await.unwrap();
    assert_eq!(browser.get("/dashboard/test").await.location.as_deref(), Some("/dashboard/sign-in"));
    assert_eq!(world.count("SELECT count(*) FROM staff_recovery_code").await, 0);
    let again = world.signed_in().await;
    assert_eq!(again.get("/dashboard/test").await.location.as_deref(), Some("/dashboard/account/totp"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_shown_is_forgotten_and_one_moved_to_another_account_does_not_open() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let token = browser.get("/dashboard/account/totp").await.form_token();
    let form = [("form_token", token.as_str()), ("password", PASSWORD)];
    assert_eq!(browser.post("/dashboard/account/totp/offer", &form).await.status, 303);
    assert!(browser.get("/dashboard/account/totp").await.body.contains("<svg"));
    world.staff.create(GRACE, "Grace", Role::Viewer, &SecretString::from(PASSWORD)).await.unwrap();
    world
        .execute(
            "UPDATE staff g SET totp_secret = a.totp_offered, totp_enrolled_at = now(), partner_id = a.partner_id, mode = a.mode FROM staff a \
             WHERE a.email = 'ada@landfall.example' AND g.email = 'grace@landfall.example'",
        )
        .await;
    let moved = world.browser();
    assert_eq!(moved.sign_in(GRACE, PASSWORD).await.location.as_deref(), Some("/dashboard/sign-in/code"));
    assert_eq!(send_code(&moved, "123456").await.status, 500, "it was sealed for another row");
    world.clock.advance(TimeDelta::minutes(14));
    browser.get("/dashboard/account").await;
    world.clock.advance(TimeDelta::minutes(1));
    assert!(!browser.get("/dashboard/account/totp").await.body.contains("<svg"), "too old");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_lock_nobody_out_of_a_browser_that_is_known() {
    let world = World::new().await;
    let known = world.signed_in().await;
    let cookie = known.get("/dashboard/account").await;
    assert_eq!(cookie.status, 200);
    let device = known.cookie(DEVICE).unwrap();
    world.staff.create(GRACE, "Grace", Role::Viewer, &SecretString::from(PASSWORD)).await.unwrap();
    let stranger = world.browser();
    for _ in 0..10 {
        assert_eq!(stranger.sign_in(EMAIL, "wrong horse battery").await.status, 403);
    }
    assert_eq!(world.browser().sign_in(EMAIL, PASSWORD).await.status, 403, "the account is locked");
    let back = world.browser();
    back.set_cookie(DEVICE, &device);
    assert_eq!(back.sign_in(EMAIL, PASSWORD).await.status, 303, "the browser is known");
    assert_ne!(back.cookie(DEVICE).unwrap(), device, "and is known by another cookie now");
    assert_eq!(world.browser().sign_in(EMAIL, PASSWORD).await.status, 403, "the account stays locked for others");
    // The old cookie is nobody's; another account's, and one that is made up, don't help.
    let grace = world.browser();
    assert_eq!(grace.sign_in(GRACE, PASSWORD).await.status, 303);
    for cookie in [device.as_str(), &grace.cookie(DEVICE).unwrap(), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x"]
    {
        let browser = world.browser();
        browser.set_cookie(DEVICE, cookie);
        assert_eq!(browser.sign_in(EMAIL, PASSWORD).await.status, 403, "{cookie}");
    }
    // Its own failures lock it, and it alone; the account is open again by then.
    world.clock.advance(TimeDelta::minutes(30));
    let device = back.cookie(DEVICE).unwrap();
    let thief = world.browser();
    thief.set_cookie(DEVICE, &device);
    for _ in 0..10 {
        assert_eq!(thief.sign_in(EMAIL, "wrong horse battery").await.status, 403);
    }
    assert_eq!(thief.sign_in(EMAIL, PASSWORD).await.status, 403, "the stolen cookie has its ten guesses");
    assert_eq!(world.browser().sign_in(EMAIL, PASSWORD).await.status, 303);
    let signed_in = world.browser();
    let answer = signed_in.sign_in(EMAIL, PASSWORD).await;
    let cookie = answer.set_cookies.iter().find(|cookie| cookie.starts_with(DEVICE)).unwrap();
    for flag in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict", "; Max-Age=7776000"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_ends_and_opens_accounts_and_leaves_a_row_of_each() {
    let world = World::new().await;
    let author = console(&world).await;
    let staff = &world.staff;
    let chosen = SecretString::from(CHOSEN);
    staff.add(&author, GRACE, "Grace", Role::Viewer, Some(chosen)).await.unwrap();
    let weak = staff.add(&author, "x@x", "X", Role::Viewer, Some(SecretString::from("Password12345"))).await;
    assert!(matches!(weak, Err(StaffError::PasswordWeak)));
    assert!(matches!(staff.add(&author, GRACE, "G", Role::Admin, None).await, Err(StaffError::EmailTaken)));
    assert!(matches!(staff.disable(&author, "nobody@x").await, Err(StaffError::NoAccount)));

    let browser = world.signed_in().await;
    staff.set_role(&author, EMAIL, Role::Admin).await.unwrap();
    assert!(browser.get("/dashboard/test").await.body.contains("Ada, admin"), "from the next click on");
    staff.disable(&author, EMAIL).await.unwrap();
    assert_eq!(browser.get("/dashboard/test").await.status, 303);
    assert_eq!(world.browser().sign_in(EMAIL, PASSWORD).await.status, 403);
    staff.enable(&author, EMAIL).await.unwrap();
    assert_eq!(browser.get("/dashboard/test").await.status, 303, "the old session doesn't come back");
    let browser = world.signed_in().await;
    let second = staff.reset_password(&author, EMAIL, None).await.unwrap();
    assert_eq!(browser.get("/dashboard/test").await.status, 303);
    let browser = world.browser();
    assert_eq!(browser.sign_in(EMAIL, second.expose_secret()).await.status, 303);
    assert_eq!(browser.get("/dashboard/test").await.location.as_deref(), Some("/dashboard/account/password"));

    // Nobody signed in to Grace's for 90 days.
    world.clock.advance(TimeDelta::days(90));
    assert_eq!(world.browser().sign_in(GRACE, CHOSEN).await.status, 403);
    let listed = staff.list().await.unwrap();
    let grace = listed.iter().find(|account| account.email.as_str() == GRACE).unwrap();
    assert!(grace.is_unused && grace.must_change_password && !grace.has_totp && grace.disabled_at.is_none());
    staff.enable(&author, GRACE).await.unwrap();
    assert_eq!(world.browser().sign_in(GRACE, CHOSEN).await.status, 303);
    for action in ["staff.add", "staff.role", "staff.disable", "staff.reset_password"] {
        let rows = format!(
            "SELECT count(*) FROM audit WHERE action = '{action}' AND actor = 'cli:tester' AND after IS NOT NULL"
        );
        assert_eq!(world.count(&rows).await, 1, "{action}");
    }
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE action = 'staff.enable'").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_sessions_are_listed_and_ended_and_nobody_elses() {
    let world = World::new().await;
    let (here, there, third) = (world.browser(), world.browser(), world.browser());
    for browser in [&here, &there, &third] {
        assert_eq!(browser.sign_in(EMAIL, PASSWORD).await.status, 303);
    }
    world.staff.create(GRACE, "Grace", Role::Viewer, &SecretString::from(CHOSEN)).await.unwrap();
    let hers = world.browser();
    assert_eq!(hers.sign_in(GRACE, CHOSEN).await.status, 303);
    let page = here.get("/dashboard/account").await;
    let listed = |page: &Answer| -> Vec<String> {
        let ids = page.body.split(r#"name="session" value=""#).skip(1);
        ids.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    // Its own has no button.
    let others = listed(&page);
    assert_eq!((others.len(), page.body.matches("this one").count()), (2, 1), "{}", page.body);
    let end = "/dashboard/account/sessions/end";

    // Without the form's token nothing ends; nor does somebody else's session, or what is no session at all.
    assert_eq!(here.post(end, &[("session", &others[0])]).await.status, 403);
    let token = page.form_token();
    assert_eq!(here.post(end, &[("form_token", &token), ("session", "AAAA")]).await.status, 303);
    let her_token = hers.get("/dashboard/account/password").await.form_token();
    assert_eq!(hers.post(end, &[("form_token", &her_token), ("session", &others[0])]).await.status, 303);
    assert_eq!(here.post(end, &[("form_token", &token), ("session", "not base64!")]).await.status, 404);
    assert_eq!(listed(&here.get("/dashboard/account").await).len(), 2);

    // Used last first: the third browser's stands before the second's.
    let ended = here.post(end, &[("form_token", &token), ("session", &others[0])]).await;
    assert_eq!(ended.location.as_deref(), Some("/dashboard/account?ended=1"));
    let statuses = [there.get("/dashboard/account").await.status, third.get("/dashboard/account").await.status];
    assert!(statuses == [200, 303] || statuses == [303, 200], "{statuses:?}");
    assert_eq!(here.post(end, &[("form_token", &token)]).await.status, 303);
    for (browser, status) in [(&here, 200), (&there, 303), (&third, 303)] {
        assert_eq!(browser.get("/dashboard/account").await.status, status);
    }
    assert_eq!(world.count("SELECT count(*) FROM audit WHERE action = 'staff.end_sessions'").await, 2);
}
