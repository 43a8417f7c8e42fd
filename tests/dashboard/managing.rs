//! What staff change on the dashboard: who is blocked, what payouts run over, who may call; by whom, and with whom.

use landfall::config::staff::MakerChecker;
use landfall::domain::staff::Role;

use crate::browser::{Answer, Browser};
use crate::world::{GOOD_CARD, World};

/// Opens a page and sends a form of it.
pub async fn send(browser: &Browser, page: &str, action: &str, form: &[(&str, &str)]) -> Answer {
    let token = browser.get(page).await.form_token();
    let mut all = vec![("form_token", token.as_str())];
    all.extend_from_slice(form);
    browser.post(action, &all).await
}

/// What a switch is called in its form.
async fn route_option(world: &World, code: &str) -> String {
    let sql = format!(
        "SELECT 'prt_' || replace(t.id::text, '-', '') || '.' || t.version || '.' || p.code FROM payout_route t \
         JOIN partner p ON p.id = t.partner_id WHERE t.code = '{code}' AND t.mode = 'test'"
    );
    world.texts(&sql).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_blocks_a_customer_and_takes_it_back() {
    let world = World::new().await;
    let user = world.user("demo", "ada").await;
    let card = world.card(&user, GOOD_CARD).await;
    let offer = world.offer(&user, card).await;
    // By the record too: nothing but the list stands against it.
    world.execute("UPDATE customer SET kyc_level = 3").await;
    let id = world.texts("SELECT 'cus_' || replace(id::text, '-', '') FROM customer").await.remove(0);
    let page = format!("/dashboard/test/customers/demo/{id}");
    let action = format!("{page}/block");
    let viewer = world.signed_in().await;
    assert_eq!(send(&viewer, &page, &action, &[("reason", "a test"), ("entry", "")]).await.status, 403);
    let operator = world.signed_in_as(Role::Operator).await;
    let without = send(&operator, &page, &action, &[("reason", ""), ("entry", "")]).await;
    assert_eq!(without.status, 422, "{}", without.body);
    assert_eq!(send(&operator, &page, &action, &[("reason", "a stolen account"), ("entry", "")]).await.status, 303);
    let shown = operator.get(&page).await.body;
    assert!(shown.contains("on the block list") && shown.contains("a stolen account"), "{shown}");
    let priced = operator.get(&format!("/dashboard/test/offers/demo/{offer}")).await.body;
    assert!(priced.contains("the customer is blocked"), "{priced}");
    let entry = world.texts("SELECT 'blk_' || replace(id::text, '-', '') FROM block_list").await.remove(0);
    assert!(shown.contains(&entry), "the form names the entry: {shown}");
    assert_eq!(send(&operator, &page, &action, &[("reason", "it was theirs"), ("entry", &entry)]).await.status, 303);
    assert!(operator.get(&page).await.body.contains("Neither the customer nor one of their cards"));
    let noted = "SELECT count(*) FROM audit WHERE action IN ('block_list.add', 'block_list.remove') \
                 AND actor = 'staff:operator@landfall.example'";
    assert_eq!(world.count(noted).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_switched_once_and_by_whoever_may() {
    let world = World::new().await;
    let page = "/dashboard/test/accounts";
    let action = "/dashboard/test/accounts/switch";
    let what = route_option(&world, "sandbox-a-card-eur").await;
    let viewer = world.signed_in().await;
    assert_eq!(viewer.get(page).await.status, 200);
    let support = world.signed_in_as(Role::Support).await;
    assert_eq!(send(&support, page, action, &[("what", &what), ("to", "off")]).await.status, 403);
    let operator = world.signed_in_as(Role::Operator).await;
    assert_eq!(send(&operator, page, action, &[("what", &what), ("to", "off")]).await.status, 303);
    let enabled = "SELECT count(*) FROM payout_route WHERE code = 'sandbox-a-card-eur' AND mode = 'test' AND enabled";
    assert_eq!(world.count(enabled).await, 0);
    let again = send(&operator, page, action, &[("what", &what), ("to", "on")]).await;
    assert_eq!(again.status, 422, "what was seen is old");
    assert!(again.body.contains("It was changed meanwhile."), "{}", again.body);
    for nonsense in ["", "prt_1.1.house", "po_1.x", "prt_00000000000000000000000000000000.1.house"] {
        assert_eq!(send(&operator, page, action, &[("what", nonsense), ("to", "on")]).await.status, 422, "{nonsense}");
    }
    let other = route_option(&world, "sandbox-b-card-eur").await.replace(".house", ".acme");
    assert_eq!(
        send(&operator, page, action, &[("what", &other), ("to", "off")]).await.status,
        422,
        "it is another owner's"
    );
    let now = route_option(&world, "sandbox-a-card-eur").await;
    assert_eq!(send(&operator, page, action, &[("what", &now), ("to", "on")]).await.status, 303);
    assert_eq!(world.count(enabled).await, 1);
    let noted =
        "SELECT count(*) FROM audit WHERE action = 'payout_route.change' AND actor = 'staff:operator@landfall.example'";
    assert_eq!(world.count(noted).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_two_are_needed_switching_on_waits_and_switching_off_does_not() {
    let world = World::of(false, MakerChecker::Always).await;
    let page = "/dashboard/test/accounts";
    let action = "/dashboard/test/accounts/switch";
    let operator = world.signed_in_as(Role::Operator).await;
    let what = route_option(&world, "sandbox-a-card-eur").await;
    let off = send(&operator, page, action, &[("what", &what), ("to", "off")]).await;
    assert_eq!(off.location.as_deref(), Some("/dashboard/test/accounts?done=done"), "{}", off.body);
    let what = route_option(&world, "sandbox-a-card-eur").await;
    let on = send(&operator, page, action, &[("what", &what), ("to", "on")]).await;
    assert_eq!(on.location.as_deref(), Some("/dashboard/test/accounts?done=waits"), "{}", on.body);
    let enabled = "SELECT count(*) FROM payout_route WHERE code = 'sandbox-a-card-eur' AND mode = 'test' AND enabled";
    assert_eq!(world.count(enabled).await, 0);
    let approval = operator.get("/dashboard/test/approvals").await.body;
    let href = approval.split("/dashboard/test/approvals/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let one = format!("/dashboard/test/approvals/{href}");
    let decide = format!("{one}/decide");
    let own =
        send(&operator, &one, &decide, &[("word", "approve"), ("decision", "approve"), ("reason", "by myself")]).await;
    assert_ne!(own.status, 303, "nobody is the second person to themselves");
    assert_eq!(world.count(enabled).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_works_and_is_revoked() {
    let world = World::new().await;
    let admin = world.signed_in_as(Role::Admin).await;
    let operator = world.signed_in_as(Role::Operator).await;
    assert_eq!(operator.get("/dashboard/test/keys").await.status, 403);
    assert_eq!(operator.get("/dashboard/test/keys/new").await.status, 403);
    let page = "/dashboard/test/keys/new";
    let none = send(&admin, page, page, &[("partner", "demo"), ("name", "back office")]).await;
    assert_eq!(none.status, 422, "a key without a scope: {}", none.body);
    let form =
        [("partner", "demo"), ("name", "back office"), ("payouts:read", "yes"), ("days", "30"), ("allowed_ips", "")];
    let made = send(&admin, page, page, &form).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let key = made.body.split("sk_test_").nth(1).unwrap().split('<').next().unwrap();
    let key = format!("sk_test_{key}");
    let known = world.wallet.gateway.authenticate_key(&key, None).await.unwrap();
    assert_eq!(known.partner_code, "demo");
    assert_eq!(known.caller.scopes.len(), 1);
    let list = admin.get("/dashboard/test/keys").await.body;
    assert!(list.contains("back office") && !list.contains(&key), "{list}");
    let href = list.split(r#"href="/dashboard/test/keys/demo/"#).nth(1).unwrap().split('"').next().unwrap().to_owned();
    let one = format!("/dashboard/test/keys/demo/{href}");
    assert!(!admin.get(&one).await.body.contains(&key));
    assert_eq!(admin.get(&one.replace("/demo/", "/acme/")).await.status, 404);
    assert_eq!(send(&admin, &one, &format!("{one}/revoke"), &[]).await.status, 303);
    assert!(world.wallet.gateway.authenticate_key(&key, None).await.is_err());
    assert!(admin.get(&one).await.body.contains("Revoked"));
    let kept = world.count(&format!("SELECT count(*) FROM audit t WHERE t::text LIKE '%{key}%'")).await;
    assert_eq!(kept, 0, "the key stands nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_trail_that_was_edited_is_told() {
    let world = World::new().await;
    let operator = world.signed_in_as(Role::Operator).await;
    let sound = operator.get("/dashboard/test/audit/check").await.body;
    assert!(sound.contains("none was changed, removed or put elsewhere"), "{sound}");
    world.execute("UPDATE audit SET object = 'another' WHERE seq = 1").await;
    let edited = operator.get("/dashboard/test/audit/check").await.body;
    assert!(edited.contains("house, row 1: it or its place was changed"), "{edited}");
}
