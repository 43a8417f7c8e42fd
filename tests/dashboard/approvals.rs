//! Maker and checker on the dashboard: another person approves, what was asked is done once, and only if nothing changed under it.

use chrono::TimeDelta;
use landfall::config::staff::MakerChecker;
use landfall::domain::ids::PayoutRequestId;
use landfall::domain::staff::Role;
use secrecy::SecretString;

use crate::browser::{Answer, Browser};
use crate::moderation::{DECIDED, about_payout, decide, otto, page_of, waiting_in};
use crate::world::{PASSWORD, World};

const ORA: &str = "ora@landfall.example";

async fn waiting() -> (World, PayoutRequestId) {
    let (world, request) = waiting_in(World::of(false, MakerChecker::Always).await).await;
    world.staff.create(ORA, "Ora", Role::Operator, &SecretString::from(PASSWORD)).await.unwrap();
    (world, request)
}

async fn ora(world: &World) -> Browser {
    let browser = world.browser();
    assert_eq!(browser.sign_in(ORA, PASSWORD).await.status, 303);
    browser
}

/// Otto asks that the payout be given up; the approval's page.
async fn asked(browser: &Browser, request: PayoutRequestId) -> String {
    let to = page_of(request);
    let page = browser.get(&to).await;
    let release = about_payout(&page, "mark_failed_release");
    let answer = decide(browser, &page, &to, &release, "ticket 4711").await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let to = answer.location.unwrap();
    to.strip_suffix("?asked=now").unwrap_or_else(|| panic!("{to}")).to_owned()
}

async fn settle(browser: &Browser, approval: &str, decision: &str, reason: &str) -> Answer {
    let token = browser.get(approval).await.form_token();
    let form = [("form_token", token.as_str()), ("decision", decision), ("reason", reason)];
    browser.post(&format!("{approval}/decide"), &form).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_person_approves_and_it_is_done_once_in_both_their_names() {
    let (world, request) = waiting().await;
    let (maker, checker) = (otto(&world).await, ora(&world).await);
    let before = world.count("SELECT count(*) FROM event").await;
    let approval = asked(&maker, request).await;
    assert_eq!(
        (world.count(DECIDED).await, world.count("SELECT count(*) FROM event").await),
        (0, before),
        "nothing is done"
    );
    assert!(checker.get("/dashboard/test/approvals").await.body.contains("Moderation decide"));
    let page = checker.get(&approval).await.body;
    for said in
        ["staff:otto@landfall.example from 127.0.0.1", "not_found_at_provider", "ticket 4711", "mark_failed_release"]
    {
        assert!(page.contains(said), "{said}\n{page}");
    }
    let own = settle(&maker, &approval, "approve", "I am sure").await;
    assert_eq!(own.status, 403);
    assert!(own.body.contains("Whoever asked for a change doesn&#39;t approve it"), "{}", own.body);
    assert_eq!(settle(&checker, &approval, "approve", "").await.status, 422, "without a reason");
    assert_eq!(settle(&checker, &approval, "", "why not").await.status, 422);
    let viewer = world.signed_in().await;
    assert!(viewer.get(&approval).await.body.contains("somebody with the role operator or above decides"));
    assert_eq!(settle(&viewer, &approval, "approve", "I may look").await.status, 403);
    assert_eq!(world.count(DECIDED).await, 0);

    // The same person asks again: it waits already.
    let to = page_of(request);
    let open = maker.get(&to).await;
    let again = decide(&maker, &open, &to, "reject", "").await;
    assert_eq!(again.status, 409);
    assert!(again.body.contains("waits for a second person already"), "{}", again.body);

    // Twice at once.
    let third = ora(&world).await;
    let both = futures_util::future::join(
        settle(&checker, &approval, "approve", "ticket read"),
        settle(&third, &approval, "approve", "ticket read"),
    );
    let (one, other) = both.await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409], "{}\n{}", one.body, other.body);
    assert_eq!(world.count(DECIDED).await, 1);
    let page = maker.get(&approval).await.body;
    assert!(
        page.contains("Approved and made") && page.contains("ticket read") && !page.contains("id=\"decide\""),
        "{page}"
    );
    for (action, actor) in [("approval.ask", "otto"), ("moderation.decide", "otto"), ("approval.approve", "ora")] {
        let rows = format!(
            "SELECT count(*) FROM audit WHERE action = '{action}' AND actor = 'staff:{actor}@landfall.example' AND origin = '127.0.0.1'"
        );
        assert_eq!(world.count(&rows).await, 1, "{action}");
    }
    let named = "SELECT count(*) FROM audit WHERE action = 'moderation.decide' \
                 AND after #>> '{approval,approved_by}' = 'staff:ora@landfall.example'";
    assert_eq!(world.count(named).await, 1);
    assert_eq!(settle_closed(&checker, &approval).await, 409);
}

/// A form that was open from before.
async fn settle_closed(browser: &Browser, approval: &str) -> u16 {
    let token = browser.get("/dashboard/test").await.form_token();
    let form = [("form_token", token.as_str()), ("decision", "approve"), ("reason", "once more")];
    browser.post(&format!("{approval}/decide"), &form).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_before_something_happened_is_refused_and_closed() {
    let (world, request) = waiting().await;
    let (maker, checker) = (otto(&world).await, ora(&world).await);
    let approval = asked(&maker, request).await;
    world.execute("UPDATE payout_request SET event_seq = event_seq + 1").await;
    let stale = settle(&checker, &approval, "approve", "ticket read").await;
    assert_eq!(stale.status, 409);
    assert!(stale.body.contains("something has happened to the request since you looked"), "{}", stale.body);
    world.execute("UPDATE payout_request SET event_seq = event_seq - 1").await;
    assert_eq!(settle_closed(&checker, &approval).await, 409, "it stays closed");
    assert_eq!(world.count(DECIDED).await, 0);
    assert_eq!(
        world.count("SELECT count(*) FROM approval WHERE status = 'stale' AND decided_by LIKE 'staff:ora%'").await,
        1
    );
    // One that is declined, and one whose time is over.
    let declined = asked(&maker, request).await;
    assert_eq!(settle(&checker, &declined, "decline", "no such ticket").await.status, 303);
    assert!(maker.get(&declined).await.body.contains("no such ticket"));
    let late = asked(&maker, request).await;
    world.clock.advance(TimeDelta::days(3));
    let (maker, checker) = (otto(&world).await, ora(&world).await);
    assert_eq!(settle_closed(&checker, &late).await, 409);
    assert_eq!(world.count(DECIDED).await, 0);
    assert!(asked(&maker, request).await.contains("/approvals/apr_"), "it may be asked for anew");
    assert_eq!(world.count("SELECT count(*) FROM approval WHERE status = 'expired'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_the_database_has_nothing_else_approved() {
    let (world, request) = waiting().await;
    let (maker, checker) = (otto(&world).await, ora(&world).await);
    let first = asked(&maker, request).await;
    assert_eq!(settle(&checker, &first, "decline", "another way").await.status, 303);
    let second = asked(&maker, request).await;
    world
        .execute(
            "UPDATE approval a SET change = b.change FROM approval b WHERE a.status = 'open' AND b.status = 'declined'",
        )
        .await;
    assert_eq!(checker.get(&second).await.status, 500, "it was sealed for another row");
    world.execute("UPDATE approval SET status = 'declined', decided_at = now() WHERE status = 'open'").await;
    let third = asked(&maker, request).await;
    assert_eq!(checker.get(&third).await.status, 200);
    // Nor does whoever asked become somebody else, so that they approve it themselves.
    world.execute("UPDATE approval SET asked_by = 'staff:nobody@x' WHERE status = 'open'").await;
    assert_eq!(settle_closed(&maker, &third).await, 500);
    world
        .execute(
            "UPDATE approval SET asked_by = 'staff:otto@landfall.example', action = 'case.close' WHERE status = 'open'",
        )
        .await;
    assert_eq!(checker.get(&third).await.status, 500);
    assert_eq!(world.count(DECIDED).await, 0);
    assert_eq!(checker.get("/dashboard/live/approvals/apr_0198aaaa000070008000000000000001").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_closed_by_two_people_with_its_origin() {
    let (world, _) = waiting().await;
    world
        .execute(
            "INSERT INTO staff_case (partner_id, mode, id, kind, provider_account_id, subject, evidence, opened_at) \
             SELECT partner_id, mode, '0198aaaa-0000-7000-8000-000000000001', 'currency_differs', id, 'theirs', '{}', \
                 '2026-03-14T12:30:00Z' FROM provider_account WHERE mode = 'test' LIMIT 1",
        )
        .await;
    let (maker, checker) = (otto(&world).await, ora(&world).await);
    let to = "/dashboard/test/cases/0198aaaa000070008000000000000001";
    let token = maker.get(to).await.form_token();
    let form = [
        ("form_token", token.as_str()),
        ("end", "explained"),
        ("reason", "an old report"),
        ("evidence", "mail of today"),
    ];
    let asked = maker.post(&format!("{to}/close"), &form).await;
    let approval = asked.location.unwrap().replace("?asked=now", "");
    assert_eq!(world.count("SELECT count(*) FROM staff_case WHERE closed_at IS NOT NULL").await, 0);
    assert_eq!(settle(&checker, &approval, "approve", "mail read").await.status, 303);
    assert!(maker.get(to).await.body.contains("an old report"));
    let audited = "SELECT count(*) FROM audit WHERE action = 'case.close' AND actor = 'staff:otto@landfall.example' AND origin = '127.0.0.1'";
    assert_eq!(world.count(audited).await, 1);
}
