//! Deciding on the dashboard: who may, what is refused and how it is told, and that a decision is taken once.

use chrono::TimeDelta;
use landfall::domain::ids::PayoutRequestId;
use landfall::domain::staff::Role;
use secrecy::SecretString;

use crate::browser::{Answer, Browser};
use crate::world::{PASSWORD, SILENT_CARD, World};

pub const OTTO: &str = "otto@landfall.example";

/// A request whose payout the provider doesn't find, and Otto, an operator.
pub async fn waiting() -> (World, PayoutRequestId) {
    waiting_in(World::new().await).await
}

/// The same in a world of one's own.
pub async fn waiting_in(world: World) -> (World, PayoutRequestId) {
    let user = world.user("demo", "ada-77").await;
    let card = world.card(&user, SILENT_CARD).await;
    let offer = world.offer(&user, card).await;
    let request = world.pay(&user, offer).await;
    world.ask(12).await;
    world.clock.advance(TimeDelta::hours(1));
    world.staff.create(OTTO, "Otto", Role::Operator, &SecretString::from(PASSWORD)).await.unwrap();
    (world, request)
}

pub async fn otto(world: &World) -> Browser {
    let browser = world.browser();
    assert_eq!(browser.sign_in(OTTO, PASSWORD).await.status, 303);
    browser
}

pub fn page_of(request: PayoutRequestId) -> String {
    format!("/dashboard/test/requests/demo/{request}")
}

/// What stands between two texts of a page.
fn between<'a>(page: &'a Answer, before: &str, after: &str) -> &'a str {
    let (_, rest) = page.body.split_once(before).unwrap_or_else(|| panic!("no {before} in {}", page.body));
    rest.split(after).next().unwrap()
}

pub async fn decide(browser: &Browser, page: &Answer, to: &str, decision: &str, evidence: &str) -> Answer {
    let (token, seen) = (page.form_token(), between(page, r#"name="seen" value=""#, "\""));
    let form = [
        ("form_token", token.as_str()),
        ("seen", seen),
        ("decision", decision),
        ("reason", "the provider's desk says <so>"),
        ("evidence", evidence),
    ];
    browser.post(&format!("{to}/decide"), &form).await
}

/// The value of the radio button of that decision about the payout.
pub fn about_payout(page: &Answer, kind: &str) -> String {
    format!("{kind}:{}", between(page, &format!(r#"value="{kind}:"#), "\""))
}

pub const DECIDED: &str = "SELECT count(*) FROM event WHERE kind = 'moderation_decided'";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_decides_with_the_evidence_before_them_and_once() {
    let (world, request) = waiting().await;
    let (browser, second) = (otto(&world).await, otto(&world).await);
    let to = page_of(request);
    let page = browser.get(&to).await;
    for said in
        ["It waits for a person.", "Let it go on", "Send nothing more", "provider_reference", "try another route"]
    {
        assert!(page.body.contains(said), "{said}\n{}", page.body);
    }
    let release = about_payout(&page, "mark_failed_release");
    let answer = decide(&browser, &page, &to, &release, "ticket 4711").await;
    assert_eq!((answer.status, answer.location), (303, Some(format!("{to}?done=decided"))), "{}", answer.body);
    let after = browser.get(&format!("{to}?done=decided")).await.body;
    for said in [
        "Decided. What followed stands below.",
        "A person decided: it was never paid: give the rest back. Because: the provider&#39;s desk says &#60;so&#62;.",
        "moderation_decided, by staff:otto@landfall.example",
        "It ended: failed",
    ] {
        assert!(after.contains(said), "{said}\n{after}");
    }
    assert!(!after.contains("id=\"decide\""), "there is nothing left to decide");
    // The same form again, and one that somebody else had open.
    let again = decide(&browser, &page, &to, &release, "ticket 4711").await;
    assert_eq!(again.location, Some(format!("{to}?done=repeated")));
    let stale = decide(&second, &page, &to, "continue", "").await;
    assert_eq!(stale.status, 403, "its token is another browser's");
    let token = second.get(&to).await.form_token();
    let seen = between(&page, r#"name="seen" value=""#, "\"");
    let form = [
        ("form_token", token.as_str()),
        ("seen", seen),
        ("decision", "reject"),
        ("reason", "kept as it was typed"),
        ("evidence", ""),
    ];
    let late = second.post(&format!("{to}/decide"), &form).await;
    assert_eq!(late.status, 409);
    assert!(late.body.contains("look again") && late.body.contains("kept as it was typed"), "{}", late.body);
    assert_eq!(world.count(DECIDED).await, 1);
    let audited = "SELECT count(*) FROM audit WHERE action = 'moderation.decide' AND actor = 'staff:otto@landfall.example' \
                   AND origin = '127.0.0.1'";
    assert_eq!(world.count(audited).await, 1);
    assert!(browser.get("/dashboard/test/moderation").await.body.contains("Nothing waits for a person in test mode."));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_marks_a_payout_proves_first_who_they_are_where_that_is_a_while_ago() {
    let (world, request) = waiting().await;
    let browser = otto(&world).await;
    let to = page_of(request);
    assert!(!browser.get(&to).await.body.contains("name=\"proof\""), "the sign-in is such a proof");
    world.clock.advance(TimeDelta::minutes(11));
    let page = browser.get(&to).await;
    assert!(page.body.contains("Your password, where a payout is marked"), "{}", page.body);
    let (token, release) = (page.form_token(), about_payout(&page, "mark_failed_release"));
    let send = async |proof: &str| {
        let form = [
            ("form_token", token.as_str()),
            ("seen", between(&page, r#"name="seen" value=""#, "\"")),
            ("decision", release.as_str()),
            ("reason", "kept as it was typed"),
            ("evidence", "ticket 4711"),
            ("proof", proof),
        ];
        browser.post(&format!("{to}/decide"), &form).await
    };
    for (proof, said) in [("", "Prove once more who you are"), ("not the password 1", "That isn&#39;t it")] {
        let refused = send(proof).await;
        assert_eq!(refused.status, 403, "{}", refused.body);
        assert!(refused.body.contains(said) && refused.body.contains("kept as it was typed"), "{}", refused.body);
        assert!(!refused.body.contains("not the password"), "{}", refused.body);
    }
    assert_eq!(world.count(DECIDED).await, 0);
    assert_eq!(send(PASSWORD).await.status, 303);
    assert_eq!(world.count(DECIDED).await, 1);
    let noted = "SELECT count(*) FROM audit WHERE actor = 'staff:otto@landfall.example' AND action = 'staff.prove'";
    assert_eq!(world.count(noted).await, 1);
    let refused = "SELECT count(*) FROM audit WHERE action = 'staff.sign_in' AND result = 'refused' AND after ->> 'what' = 'own_password'";
    assert_eq!(world.count(refused).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_decide_is_told_so_and_changes_nothing() {
    let (world, request) = waiting().await;
    let viewer = world.signed_in().await;
    let to = page_of(request);
    let page = viewer.get(&to).await;
    assert!(page.body.contains("You are signed in as viewer: an operator or an admin decides."), "{}", page.body);
    assert!(!page.body.contains(r#"name="decision""#));
    let seen = world.count("SELECT event_seq::bigint FROM payout_request").await.to_string();
    let token = page.form_token();
    let form = [
        ("form_token", token.as_str()),
        ("seen", seen.as_str()),
        ("decision", "reject"),
        ("reason", "because I can"),
        ("evidence", ""),
    ];
    let answer = viewer.post(&format!("{to}/decide"), &form).await;
    assert_eq!(answer.status, 403);
    let case = world.count("SELECT count(*) FROM staff_case WHERE closed_at IS NULL").await;
    assert_eq!((world.count(DECIDED).await, case), (0, 1));
    // Nor does a form that this browser wasn't given.
    let operator = otto(&world).await;
    let forged =
        [("form_token", token.as_str()), ("seen", seen.as_str()), ("decision", "reject"), ("reason", "because")];
    assert_eq!(operator.post(&format!("{to}/decide"), &forged).await.status, 403);
    assert_eq!(world.browser().post(&format!("{to}/decide"), &forged).await.status, 303, "signed out");
    assert_eq!(world.count(DECIDED).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_said_and_what_was_typed_stays() {
    let (world, request) = waiting().await;
    let browser = otto(&world).await;
    let to = page_of(request);
    let page = browser.get(&to).await;
    let paid = about_payout(&page, "mark_paid");
    for (decision, said) in [
        (about_payout(&page, "mark_failed_release").as_str(), "Give the evidence"),
        (paid.as_str(), "Give the amount that was paid"),
        ("", "Choose what is to happen."),
        ("mark_failed_release", "Choose the payout that it is about."),
    ] {
        let answer = decide(&browser, &page, &to, decision, "").await;
        assert_eq!(answer.status, 422, "{decision}");
        assert!(
            answer.body.contains(said) && answer.body.contains("desk says &#60;so&#62;</textarea>"),
            "{}",
            answer.body
        );
    }
    assert_eq!(world.count(DECIDED).await, 0);
    // Let it go on: the stop is gone, and its case with it.
    assert_eq!(decide(&browser, &page, &to, "continue", "").await.status, 303);
    assert!(!browser.get(&to).await.body.contains("It waits for a person."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_no_request_stands_for_is_listed_and_closed() {
    let (world, _) = waiting().await;
    world
        .execute(
            "INSERT INTO staff_case (partner_id, mode, id, kind, provider_account_id, subject, evidence, opened_at) \
             SELECT partner_id, mode, '0198aaaa-0000-7000-8000-000000000001', 'currency_differs', id, 'their-<ref>', \
                 '{\"reported\": \"5\"}', '2026-03-14T12:30:00Z' FROM provider_account WHERE mode = 'test' LIMIT 1",
        )
        .await;
    let (viewer, browser) = (world.signed_in().await, otto(&world).await);
    let list = viewer.get("/dashboard/test/moderation").await.body;
    assert!(list.contains("None: their-&#60;ref&#62;<small>in the report of "), "{list}");
    let to = "/dashboard/test/cases/0198aaaa000070008000000000000001";
    assert!(list.contains(to));
    let seen = viewer.get(to).await.body;
    assert!(seen.contains("The provider&#39;s report has another currency") && seen.contains("reported"), "{seen}");
    assert!(seen.contains("an operator or an admin closes it"));
    let page = browser.get(to).await;
    assert!(!page.body.contains("Settled"), "nothing is booked for it");
    let token = page.form_token();
    let mut form =
        vec![("form_token", token.as_str()), ("end", "explained"), ("reason", ""), ("evidence", "mail of today")];
    assert_eq!(browser.post(&format!("{to}/close"), &form).await.status, 409);
    form[2] = ("reason", "an old report");
    assert_eq!(browser.post(&format!("{to}/close"), &form).await.status, 303);
    let closed = browser.get(to).await.body;
    for said in ["it was explained", "staff:otto@landfall.example", "an old report", "mail of today"] {
        assert!(closed.contains(said), "{said}\n{closed}");
    }
    assert_eq!(browser.get("/dashboard/live/cases/0198aaaa000070008000000000000001").await.status, 404);
    assert_eq!(browser.get("/dashboard/test/cases/nonsense").await.status, 404);
}
