//! Partners' terms on the dashboard: shown beside the house's, changed with what changes in view, by those who may and by two where it is asked.

use landfall::config::staff::MakerChecker;
use landfall::domain::staff::Role;
use secrecy::SecretString;

use crate::browser::{Answer, Browser};
use crate::moderation::OTTO;
use crate::world::{PASSWORD, World};

const ORA: &str = "ora@landfall.example";
const ONE: &str = "/dashboard/test/partners/demo";
const VERSIONS: &str = "SELECT count(*) FROM partner_terms";
const FREE: &str = r#"{"spread": "0", "statement_descriptor": "DEMO PAYOUT"}"#;

async fn hired(world: &World, email: &str) -> Browser {
    world.staff.create(email, "Somebody", Role::Operator, &SecretString::from(PASSWORD)).await.unwrap();
    let browser = world.browser();
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, 303);
    browser
}

async fn sent(browser: &Browser, op: &str, body: &str, version: &str, reason: &str) -> Answer {
    let token = browser.get("/dashboard/test").await.form_token();
    let form = [("form_token", token.as_str()), ("op", op), ("body", body), ("version", version), ("reason", reason)];
    browser.post(&format!("{ONE}/edit"), &form).await
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_checked_shown_as_a_difference_and_put_in_force() {
    let world = World::new().await;
    let otto = hired(&world, OTTO).await;
    let list = otto.get("/dashboard/test/partners").await.body;
    assert!(list.contains(ONE) && list.contains("The house&#39;s") && !list.contains("partners/house"), "{list}");
    let page = otto.get(ONE).await.body;
    assert!(page.contains("None of its own") && page.contains("offer_max") && page.contains("/edit"), "{page}");
    let checked = sent(&otto, "check", FREE, "0", "").await;
    assert!(checked.status == 200 && checked.body.contains("is sound"), "{}", checked.body);
    assert!(checked.body.contains("class=\"added\"") && checked.body.contains("DEMO PAYOUT"), "{}", checked.body);
    assert_eq!(world.count(VERSIONS).await, 0, "looked at only");
    let set = sent(&otto, "set", FREE, "0", "a <b>new</b> contract").await;
    assert_eq!((set.status, set.location.as_deref()), (303, Some("/dashboard/test/partners/demo?done=set")));
    let page = otto.get(&set.location.unwrap()).await.body;
    assert!(page.contains("They are in force") && page.contains("DEMO PAYOUT") && page.contains("Version 1"), "{page}");
    assert!(page.contains("a &#60;b&#62;new&#60;/b&#62; contract") && page.contains("staff:"), "{page}");
    let version = otto.get(&format!("{ONE}/versions/1")).await.body;
    assert!(version.contains("In force") && version.contains("class=\"added\""), "{version}");
    let actor = "SELECT count(*) FROM audit WHERE action = 'partner_terms.set' AND actor LIKE 'staff:%otto%'";
    assert_eq!(world.count(actor).await, 1);

    // What is wrong is told whole, and changes nothing; neither does a draft that follows an older version, or no reason.
    let wrong = sent(&otto, "set", r#"{"spread": "2", "pairs": ["DOGE/EUR"]}"#, "1", "why not").await;
    assert!(
        wrong.status == 422 && wrong.body.contains("spread:") && wrong.body.contains("pairs[0]:"),
        "{}",
        wrong.body
    );
    assert_eq!(sent(&otto, "set", "{", "1", "why not").await.status, 422);
    assert_eq!(sent(&otto, "set", "{}", "0", "too late").await.status, 409);
    assert_eq!(sent(&otto, "set", "{}", "1", "").await.status, 422);
    assert_eq!(sent(&otto, "nothing", "{}", "1", "why not").await.status, 403);
    assert_eq!(world.count(VERSIONS).await, 1);
    assert_eq!(sent(&otto, "set", "{}", "1", "the contract ended").await.status, 303);
    for nobody in ["house", "nobody"] {
        assert_eq!(otto.get(&format!("/dashboard/test/partners/{nobody}")).await.status, 404);
        assert_eq!(otto.get(&format!("/dashboard/test/partners/{nobody}/edit")).await.status, 404);
    }
    assert_eq!(otto.get(&format!("{ONE}/versions/9")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_change_terms_and_everybody_on_the_staff_sees_them() {
    let world = World::new().await;
    let viewer = world.signed_in().await;
    let page = viewer.get(ONE).await;
    assert!(page.status == 200 && !page.body.contains("/edit"), "{}", page.body);
    assert_eq!(viewer.get(&format!("{ONE}/edit")).await.status, 403);
    for op in ["check", "set"] {
        assert_eq!(sent(&viewer, op, FREE, "0", "for myself").await.status, 403);
    }
    let otto = hired(&world, OTTO).await;
    for token in [viewer.get("/dashboard/test").await.form_token(), String::new()] {
        let form =
            [("form_token", token.as_str()), ("op", "set"), ("body", FREE), ("version", "0"), ("reason", "none")];
        assert_eq!(otto.post(&format!("{ONE}/edit"), &form).await.status, 403);
    }
    assert_eq!(world.count(VERSIONS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_approves_terms() {
    let world = World::of(false, MakerChecker::Always).await;
    let (otto, ora) = (hired(&world, OTTO).await, hired(&world, ORA).await);
    let approve = async |browser: &Browser, at: &str| {
        let token = browser.get(at).await.form_token();
        let form = [("form_token", token.as_str()), ("decision", "approve"), ("reason", "looked at it")];
        browser.post(&format!("{at}/decide"), &form).await.status
    };
    let asked = sent(&otto, "set", FREE, "0", "a new contract").await;
    let at = asked.location.unwrap().replace("?asked=now", "");
    assert!(at.contains("/approvals/"), "{at}");
    assert_eq!(world.count(VERSIONS).await, 0, "it waits");
    // One at a time, and nothing unsound.
    assert_eq!(sent(&ora, "set", "{}", "0", "another one").await.status, 409);
    assert_eq!(sent(&otto, "set", r#"{"spread": "x"}"#, "0", "a new contract").await.status, 422);
    let page = ora.get(&at).await.body;
    assert!(page.contains("DEMO PAYOUT"), "what is approved is seen: {page}");
    assert_eq!(approve(&otto, &at).await, 403, "not whoever asked");
    assert_eq!(approve(&ora, &at).await, 303);
    assert_eq!(world.count(VERSIONS).await, 1);
    assert!(otto.get(ONE).await.body.contains("DEMO PAYOUT"));
    // What was asked against another version is closed, and not made.
    let asked = sent(&otto, "set", "{}", "1", "it ended").await;
    let at = asked.location.unwrap().replace("?asked=now", "");
    world.execute("INSERT INTO partner_terms SELECT partner_id, mode, 2, body, reason, created_by, created_at FROM partner_terms").await;
    assert_ne!(approve(&ora, &at).await, 303);
    assert_eq!(world.count(VERSIONS).await, 2);
}
