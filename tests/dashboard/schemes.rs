//! The routing editor: a scheme is made, changed by form and as JSON, tried and published; what is wrong is told where it is, and whoever
//! may not is refused.

use landfall::config::staff::MakerChecker;
use landfall::domain::staff::Role;
use secrecy::SecretString;

use crate::browser::{Answer, Browser};
use crate::moderation::OTTO;
use crate::world::{GOOD_CARD, PASSWORD, World};

const ORA: &str = "ora@landfall.example";
const OVER_B: &str =
    r#"{"services": {"card_eur": {"strategies": [{"strategy": "direct", "routes": ["sandbox-b-card-eur"]}]}}}"#;
const VERSIONS: &str = "SELECT count(*) FROM payout_scheme_version";

async fn hired(world: &World, email: &str) -> Browser {
    world.staff.create(email, "Somebody", Role::Operator, &SecretString::from(PASSWORD)).await.unwrap();
    let browser = world.browser();
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, 303);
    browser
}

/// Sends the editor's form.
async fn sent(browser: &Browser, edit: &str, op: &str, body: &str, more: &[(&str, &str)]) -> Answer {
    let token = browser.get("/dashboard/test").await.form_token();
    let mut form = vec![("form_token", token.as_str()), ("op", op), ("body", body), ("last", "100")];
    form.extend(more);
    browser.post(edit, &form).await
}

/// What the editor's page has as JSON.
fn draft(page: &Answer) -> String {
    let (_, rest) = page.body.split_once(r#"<textarea id="body""#).unwrap_or_else(|| panic!("{}", page.body));
    let text = rest.split_once('>').unwrap().1.split("</textarea>").next().unwrap();
    text.replace("&#34;", "\"").replace("&#62;", ">").replace("&#60;", "<").replace("&#39;", "'").replace("&#38;", "&")
}

/// The house's scheme `default`, made on the dashboard; the editor's address.
async fn made(browser: &Browser) -> String {
    let token = browser.get("/dashboard/test/schemes/new").await.form_token();
    let form = [("form_token", token.as_str()), ("partner", "house"), ("name", "Main <b>"), ("code", "default")];
    let answer = browser.post("/dashboard/test/schemes/new", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let edit = answer.location.unwrap();
    assert!(edit.starts_with("/dashboard/test/schemes/house/") && edit.ends_with("/edit"), "{edit}");
    edit
}

async fn pay(world: &World, reference: &str) {
    let user = world.user("demo", reference).await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    world.pay(&user, offer).await;
}

async fn over(world: &World, route: &str) -> i64 {
    let sql = "SELECT count(*) FROM payout p JOIN payout_route r ON r.id = p.route_id WHERE r.code = ";
    world.count(&format!("{sql}'{route}'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheme_is_made_changed_by_form_tried_and_published() {
    let world = World::new().await;
    let otto = hired(&world, OTTO).await;
    assert!(otto.get("/dashboard/test/schemes").await.body.contains("There is no payout scheme in test mode"));
    let edit = made(&otto).await;
    let one = edit.strip_suffix("/edit").unwrap();
    pay(&world, "ada").await;
    assert_eq!(over(&world, "sandbox-a-card-eur").await, 1, "the routes in their order");

    // A condition above the service's strategies, its values typed, and the other side sent over the second route.
    let page = otto.get(&edit).await;
    assert_eq!(page.status, 200);
    let page = sent(&otto, &edit, "branch:/services/card_eur", &draft(&page), &[]).await;
    assert!(page.status == 200 && page.body.contains(r#"name="n.0.attribute""#), "{}", page.body);
    let row = [("n.joined", "all"), ("n.0.attribute", "amount"), ("n.0.operator", ">="), ("n.0.value", "5000")];
    let page = sent(&otto, &edit, "set:/services/card_eur", &draft(&page), &row).await;
    assert!(page.body.contains("amount ≥ 5000") && page.body.contains("The draft is sound"), "{}", page.body);
    let page = sent(&otto, &edit, "open:/services/card_eur/else", &draft(&page), &[]).await;
    assert!(page.body.contains(r#"aria-label="Place of sandbox-b-card-eur""#), "{}", page.body);
    let routes = [
        ("n.0.strategy", "direct"),
        ("n.0.r.0.name", "sandbox-a-card-eur"),
        ("n.0.r.0.place", "2"),
        ("n.0.r.1.name", "sandbox-b-card-eur"),
        ("n.0.r.1.place", "1"),
    ];
    let page = sent(&otto, &edit, "set:/services/card_eur/else", &draft(&page), &routes).await;
    assert!(draft(&page).contains(r#"["sandbox-b-card-eur", "sandbox-a-card-eur"]"#), "{}", draft(&page));
    assert!(page.body.contains("class=\"added\""), "what differs from the version in force is shown");

    let page = sent(&otto, &edit, "simulate", &draft(&page), &[]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("<strong>1 would have begun elsewhere</strong>"), "{}", page.body);
    assert_eq!(world.count(VERSIONS).await, 1, "nothing is changed by trying");

    let more = [("version", "1"), ("comment", "Small ones over <b>")];
    let published = sent(&otto, &edit, "publish", &draft(&page), &more).await;
    assert_eq!(
        (published.status, published.location),
        (303, Some(format!("{one}?done=published"))),
        "{}",
        published.body
    );
    pay(&world, "bob").await;
    assert_eq!(over(&world, "sandbox-b-card-eur").await, 1, "the next payout goes by it");
    let shown = otto.get(one).await.body;
    assert!(shown.contains("Small ones over &#60;b&#62;") && shown.contains("Main &#60;b&#62;"), "{shown}");
    let version = otto.get(&format!("{one}/versions/2")).await.body;
    assert!(version.contains("Against version 1") && version.contains("class=\"added\""), "{version}");
    assert_eq!(otto.get(&format!("{one}/versions/2?against=7")).await.status, 404);
    let audited = "SELECT count(*) FROM audit WHERE action = 'payout_scheme.publish' AND actor = 'staff:otto@landfall.example' \
                   AND origin = '127.0.0.1'";
    assert_eq!(world.count(audited).await, 1);
    let by = "SELECT count(*) FROM payout_scheme_version WHERE created_by = 'staff:otto@landfall.example'";
    assert_eq!(world.count(by).await, 2);

    // Another tab began from version 1.
    let stale = sent(&otto, &edit, "publish", OVER_B, &[("version", "1")]).await;
    assert_eq!(stale.status, 409);
    assert!(
        stale.body.contains("changed meanwhile") && stale.body.contains("The draft follows version 1"),
        "{}",
        stale.body
    );
    assert_eq!(draft(&stale).matches("sandbox-b-card-eur").count(), 1, "the draft isn't lost");
    assert_eq!(world.count(VERSIONS).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_where_it_is_and_nothing_is_saved() {
    let world = World::new().await;
    let otto = hired(&world, OTTO).await;
    let edit = made(&otto).await;
    let node = r#"id="node-services-card_eur""#;
    for (op, body, status, said) in [
        (
            "publish",
            r#"{"services": {"card_eur": {"strategies": [{"strategy": "direct", "routes": ["no-such"]}]}}}"#,
            422,
            "There is no route",
        ),
        (
            "check",
            r#"{"services": {"card_eur": {"strategies": [{"strategy": "luck", "routes": ["sandbox-a-card-eur"]}]}}}"#,
            422,
            "Strategies are",
        ),
        (
            "simulate",
            r#"{"services": {"card_eur": {"if": {"attribute": "mood", "operator": "=", "value": 1}, "then": {"reject": "a"}, "else": {"reject": "b"}}}}"#,
            422,
            "mood",
        ),
    ] {
        let page = sent(&otto, &edit, op, body, &[("version", "1")]).await;
        assert_eq!(page.status, status, "{body}");
        let (_, at) = page.body.split_once(node).unwrap_or_else(|| panic!("{}", page.body));
        let at = at.split("class=\"node").next().unwrap();
        assert!(at.contains("class=\"problems\"") && at.contains(said), "{said}: {at}");
        assert!(draft(&page).contains("card_eur"), "the draft isn't lost");
    }
    for (body, said) in [
        ("{\"services\": ", "in line 1, at character 13"),
        ("[]", "A scheme is an object"),
        (r#"{"services": {"card_mars": {"reject": "x"}}}"#, "There is no service"),
        (r#"{"services": {"card_eur": {"reject": "4111111111111111"}}}"#, "passes for a card number"),
        (r#"{"services": 7}"#, "Services are an object"),
    ] {
        let page = sent(&otto, &edit, "publish", body, &[("version", "1")]).await;
        assert_eq!(page.status, 422, "{body}");
        assert!(page.body.contains(said) && !page.body.contains("4111111111111111"), "{said}: {}", page.body);
    }
    for (op, status) in [("open:/services/card_usd/then", 422), ("set:/nodes/x", 422), ("drop-database", 403)] {
        assert_eq!(sent(&otto, &edit, op, OVER_B, &[]).await.status, status, "{op}");
    }
    let large = format!("{{\"services\": \"{}\"}}", "x".repeat(300_000));
    assert_eq!(sent(&otto, &edit, "check", &large, &[]).await.status, 413);
    assert_eq!(world.count(VERSIONS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_change_how_payouts_are_routed() {
    let world = World::new().await;
    let otto = hired(&world, OTTO).await;
    let edit = made(&otto).await;
    let one = edit.strip_suffix("/edit").unwrap();
    let viewer = world.signed_in().await;
    let (list, shown) = (viewer.get("/dashboard/test/schemes").await.body, viewer.get(one).await.body);
    assert!(list.contains(one) && !list.contains("/schemes/new") && !shown.contains("/edit"), "{shown}");
    assert_eq!(viewer.get(&format!("{one}/versions/1")).await.status, 200);
    for page in [&edit, "/dashboard/test/schemes/new"] {
        let refused = viewer.get(page).await;
        assert!(refused.status == 403 && refused.body.contains("A role of operator or above is needed"), "{page}");
    }
    for op in ["publish", "simulate", "check"] {
        assert_eq!(sent(&viewer, &edit, op, OVER_B, &[("version", "1")]).await.status, 403, "{op}");
    }
    // A form of another browser, and none.
    let token = viewer.get("/dashboard/test").await.form_token();
    for token in [token.as_str(), ""] {
        let form = [("form_token", token), ("op", "publish"), ("body", OVER_B), ("version", "1")];
        assert_eq!(otto.post(&edit, &form).await.status, 403);
    }
    // By another partner's address, or in another mode, there is no such scheme.
    for elsewhere in [one.replace("/house/", "/demo/"), one.replace("/test/", "/live/"), format!("{one}x")] {
        for path in [elsewhere.clone(), format!("{elsewhere}/edit"), format!("{elsewhere}/versions/1")] {
            assert_eq!(otto.get(&path).await.status, 404, "{path}");
        }
        assert_eq!(sent(&otto, &format!("{elsewhere}/edit"), "publish", OVER_B, &[]).await.status, 404);
    }
    assert_eq!(world.count(VERSIONS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_approves_what_is_published() {
    let world = World::of(false, MakerChecker::Always).await;
    let (otto, ora) = (hired(&world, OTTO).await, hired(&world, ORA).await);
    let approve = async |browser: &Browser, at: &str| {
        let token = browser.get(at).await.form_token();
        let form = [("form_token", token.as_str()), ("decision", "approve"), ("reason", "looked at it")];
        browser.post(&format!("{at}/decide"), &form).await.status
    };
    let token = otto.get("/dashboard/test/schemes/new").await.form_token();
    let form = [("form_token", token.as_str()), ("partner", "house"), ("name", "Main"), ("code", "default")];
    let asked = otto.post("/dashboard/test/schemes/new", &form).await;
    let at = asked.location.unwrap().replace("?asked=now", "");
    assert!(at.contains("/approvals/"), "{at}");
    assert_eq!(world.count(VERSIONS).await, 0);
    assert_eq!(approve(&otto, &at).await, 403, "not whoever asked");
    assert_eq!(approve(&ora, &at).await, 303);
    let list = otto.get("/dashboard/test/schemes").await.body;
    let one = list
        .split(r#"<th scope="row" data-label="Scheme"><a href=""#)
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let edit = format!("{one}/edit");
    assert!(otto.get(&edit).await.body.contains("Ask for it to be published"));
    let asked = sent(&otto, &edit, "publish", OVER_B, &[("version", "1"), ("comment", "Over b")]).await;
    assert_eq!(asked.status, 303, "{}", asked.body);
    let at = asked.location.unwrap().replace("?asked=now", "");
    let page = ora.get(&at).await.body;
    assert!(
        page.contains("class=\"added\"") && page.contains("How payouts would be routed"),
        "what is approved is seen: {page}"
    );
    pay(&world, "ada").await;
    assert_eq!(over(&world, "sandbox-b-card-eur").await, 0, "it isn't in force yet");
    // Twice, while the first waits; and what is unsound isn't even asked for.
    assert_eq!(sent(&otto, &edit, "publish", OVER_B, &[("version", "1")]).await.status, 409);
    assert_eq!(sent(&otto, &edit, "publish", "{}", &[("version", "1")]).await.status, 422);
    let (one_way, other_way) = futures_util::future::join(approve(&ora, &at), approve(&ora, &at)).await;
    assert_eq!(one_way.min(other_way), 303);
    assert_eq!(world.count(VERSIONS).await, 2, "once");
    pay(&world, "bob").await;
    assert_eq!(over(&world, "sandbox-b-card-eur").await, 1);
    let named = "SELECT count(*) FROM audit WHERE action = 'payout_scheme.publish' AND actor = 'staff:otto@landfall.example' \
                 AND after #>> '{approval,approved_by}' = 'staff:ora@landfall.example'";
    assert_eq!(world.count(named).await, 1);
}
