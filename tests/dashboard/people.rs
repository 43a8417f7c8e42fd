//! Staff accounts on the dashboard: who lets whom in, what nobody does to themselves, and that what somebody asked for ends with their account.

use landfall::config::staff::MakerChecker;
use landfall::domain::staff::Role;
use secrecy::SecretString;

use crate::browser::Browser;
use crate::managing::send;
use crate::world::{PASSWORD, World};

const STAFF: &str = "/dashboard/test/staff";
const NEW: &str = "/dashboard/test/staff/new";
const NORA: &str = "nora@landfall.example";

/// The page of an account.
async fn page_of(world: &World, email: &str) -> String {
    let ids =
        world.texts(&format!("SELECT 'stf_' || replace(id::text, '-', '') FROM staff WHERE email = '{email}'")).await;
    format!("{STAFF}/{}", ids[0])
}

async fn admin(world: &World, email: &str) -> Browser {
    world.staff.create(email, "Another", Role::Admin, &SecretString::from(PASSWORD)).await.unwrap();
    let browser = world.browser();
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, 303);
    browser
}

async fn approve(browser: &Browser, approval: &str) -> crate::browser::Answer {
    send(browser, approval, &format!("{approval}/decide"), &[("decision", "approve"), ("reason", "I know them")]).await
}

/// The newest change that waits.
async fn waiting(browser: &Browser) -> String {
    let list = browser.get("/dashboard/test/approvals").await.body;
    let id = list.split("/dashboard/test/approvals/apr_").nth(1).unwrap_or_else(|| panic!("{list}"));
    format!("/dashboard/test/approvals/apr_{}", id.split('"').next().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_lets_somebody_in_by_a_first_password_that_is_shown_once() {
    let world = World::new().await;
    let admin = world.signed_in_as(Role::Admin).await;
    let form = [("email", "Nora@Landfall.example"), ("name", "Nora"), ("role", "support")];
    let made = send(&admin, NEW, NEW, &form).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let password = made.body.split(r#"<code class="once">"#).nth(1).unwrap().split('<').next().unwrap();
    let nora = world.browser();
    let first = nora.sign_in(NORA, password).await;
    assert_eq!(first.status, 303, "{}", first.body);
    assert_eq!(nora.get("/dashboard/test").await.location.as_deref(), Some("/dashboard/account/password"));
    let twice = send(&admin, NEW, NEW, &form).await;
    assert!(
        twice.status == 422 && twice.body.contains("There is an account with this e-mail address"),
        "{}",
        twice.body
    );
    for (email, name, role) in
        [("nobody", "N", "viewer"), ("n@x", " ", "viewer"), ("n@x", "N", "owner"), ("n@x", "N", "")]
    {
        let form = [("email", email), ("name", name), ("role", role)];
        assert_eq!(send(&admin, NEW, NEW, &form).await.status, 422, "{email} {name} {role}");
    }
    let audited = "SELECT count(*) FROM audit WHERE action = 'staff.add' AND actor = 'staff:admin@landfall.example' \
                   AND origin = '127.0.0.1' AND after ->> 'email' = 'nora@landfall.example'";
    assert_eq!(world.count(audited).await, 1);
    let told = format!("SELECT count(*) FROM audit WHERE position('{password}' in coalesce(after::text, '')) > 0");
    assert_eq!(world.count(&told).await, 0);
    assert!(!admin.get(STAFF).await.body.contains(password));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_disabled_is_out_at_once_and_who_is_enabled_comes_back() {
    let world = World::new().await;
    let admin = world.signed_in_as(Role::Admin).await;
    let operator = world.signed_in_as(Role::Operator).await;
    let page = page_of(&world, "operator@landfall.example").await;
    let action = format!("{page}/change");
    assert_eq!(send(&admin, &page, &action, &[("to", "role"), ("role", "viewer")]).await.status, 303);
    assert_eq!(operator.get("/dashboard/test/audit").await.status, 403, "from the next click on");
    assert_eq!(send(&admin, &page, &action, &[("to", "disable")]).await.status, 303);
    assert_eq!(operator.get("/dashboard/test").await.location.as_deref(), Some("/dashboard/sign-in"));
    assert_eq!(operator.sign_in("operator@landfall.example", PASSWORD).await.status, 403);
    assert_eq!(send(&admin, &page, &action, &[("to", "enable")]).await.status, 303);
    assert_eq!(operator.sign_in("operator@landfall.example", PASSWORD).await.status, 303);
    for (to, role) in [("", ""), ("role", "owner"), ("delete", "viewer")] {
        assert_eq!(send(&admin, &page, &action, &[("to", to), ("role", role)]).await.status, 422, "{to} {role}");
    }
    for nobody in ["stf_0198aaaa000070008000000000000001", "nonsense"] {
        assert_eq!(admin.get(&format!("{STAFF}/{nobody}")).await.status, 404);
    }
    let audited = "SELECT count(*) FROM audit WHERE action IN ('staff.role', 'staff.disable', 'staff.enable') \
                   AND actor = 'staff:admin@landfall.example' AND before IS NOT NULL";
    assert_eq!(world.count(audited).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_raises_themselves_and_the_last_admin_stays() {
    let world = World::new().await;
    let admin = world.signed_in_as(Role::Admin).await;
    let own = page_of(&world, "admin@landfall.example").await;
    let action = format!("{own}/change");
    for form in
        [[("to", "disable"), ("role", "")], [("to", "role"), ("role", "viewer")], [("to", "role"), ("role", "admin")]]
    {
        let refused = send(&admin, NEW, &action, &form).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body.contains("Nobody changes their own account"), "{}", refused.body);
    }
    let operator = world.signed_in_as(Role::Operator).await;
    let token = operator.get("/dashboard/test").await.form_token();
    let raise = [("form_token", token.as_str()), ("to", "role"), ("role", "admin")];
    let theirs = page_of(&world, "operator@landfall.example").await;
    assert_eq!(operator.post(&format!("{theirs}/change"), &raise).await.status, 403);
    assert_eq!(operator.get(STAFF).await.status, 403);
    // Two who end each other at once: one of them stays.
    let other = self::admin(&world, NORA).await;
    let hers = page_of(&world, NORA).await;
    let hers = format!("{hers}/change");
    let (mine, theirs) = (admin.get(NEW).await.form_token(), other.get(NEW).await.form_token());
    let (ends_other, ends_admin) =
        ([("form_token", mine.as_str()), ("to", "disable")], [("form_token", theirs.as_str()), ("to", "disable")]);
    let both = futures_util::future::join(admin.post(&hers, &ends_other), other.post(&action, &ends_admin));
    let (one, two) = both.await;
    let living = "SELECT count(*) FROM staff WHERE role = 'admin' AND disabled_at IS NULL";
    assert_eq!(world.count(living).await, 1, "{}\n{}", one.body, two.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_are_needed_an_account_waits_for_one_and_its_end_does_not() {
    let world = World::of(false, MakerChecker::Always).await;
    let (maker, checker) = (world.signed_in_as(Role::Admin).await, admin(&world, NORA).await);
    let operator = world.signed_in_as(Role::Operator).await;
    let form = [("email", "new@landfall.example"), ("name", "New"), ("role", "operator")];
    let asked = send(&maker, NEW, NEW, &form).await;
    assert!(asked.status == 200 && asked.body.contains("Waits for a second person"), "{}", asked.body);
    let password = asked.body.split(r#"<code class="once">"#).nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(world.browser().sign_in("new@landfall.example", password).await.status, 403);
    let approval = waiting(&maker).await;
    assert_eq!(approve(&maker, &approval).await.status, 403, "not whoever asked");
    assert_eq!(approve(&operator, &approval).await.status, 403, "nor a lower role");
    let shown = checker.get(&approval).await.body;
    assert!(shown.contains("new@landfall.example") && !shown.contains("argon2"), "{shown}");
    let done = approve(&checker, &approval).await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert_eq!(world.browser().sign_in("new@landfall.example", password).await.status, 303);
    let page = page_of(&world, "operator@landfall.example").await;
    let action = format!("{page}/change");
    let asked = send(&maker, &page, &action, &[("to", "role"), ("role", "admin")]).await;
    assert_eq!(asked.location, Some(format!("{page}?done=waits")), "{}", asked.body);
    assert_eq!(world.count("SELECT count(*) FROM staff WHERE role = 'admin'").await, 2);
    assert_eq!(approve(&checker, &waiting(&checker).await).await.status, 303);
    assert_eq!(world.count("SELECT count(*) FROM staff WHERE role = 'admin'").await, 3);
    let ended = send(&maker, &page, &action, &[("to", "disable")]).await;
    assert_eq!(ended.location, Some(format!("{page}?done=done")), "{}", ended.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_asked_for_cannot_be_approved_once_they_are_out_or_lower() {
    let world = World::of(false, MakerChecker::Always).await;
    let (maker, checker) = (world.signed_in_as(Role::Admin).await, admin(&world, NORA).await);
    for (change, name) in [("disabled_at = now()", "one"), ("disabled_at = NULL, role = 'operator'", "two")] {
        let email = format!("{name}@landfall.example");
        let form = [("email", email.as_str()), ("name", name), ("role", "admin")];
        assert_eq!(send(&maker, NEW, NEW, &form).await.status, 200);
        let approval = waiting(&checker).await;
        world.execute(&format!("UPDATE staff SET {change} WHERE email = 'admin@landfall.example'")).await;
        let refused = approve(&checker, &approval).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        assert!(refused.body.contains("may not sign in any more, or has a lower role now"), "{}", refused.body);
        assert_eq!(world.count(&format!("SELECT count(*) FROM staff WHERE email = '{email}'")).await, 0);
        let stale = "UPDATE staff SET disabled_at = NULL, role = 'admin' WHERE email = 'admin@landfall.example'";
        world.execute(stale).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM approval WHERE status = 'stale'").await, 2);
}
