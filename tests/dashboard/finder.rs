//! The one search: whatever a customer or a provider reads out finds what it is about, a pasted card number is kept nowhere, and what
//! is found is found by an index.

use chrono::TimeDelta;
use landfall::domain::staff::Role;

use crate::browser::{Answer, Browser, encoded};
use crate::world::{GOOD_CARD, RESTRICTED_CARD, World};

/// What the page at the end of a search says.
async fn found(browser: &Browser, text: &str) -> Answer {
    let token = browser.get("/dashboard/test/offers").await.form_token();
    let answer = browser.post("/dashboard/test/search", &[("form_token", &token), ("q", text)]).await;
    let Some(mut location) = answer.location.clone() else { return answer };
    loop {
        let answer = browser.get(&location).await;
        match &answer.location {
            Some(next) => location.clone_from(next),
            None => return answer,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_read_out_finds_the_payout() {
    let world = World::new().await;
    let (ada, bob) = (world.user("demo", "ada@example.com").await, world.user("acme", "bob-7").await);
    let visa = world.card(&ada, GOOD_CARD).await;
    let bobs = world.card(&bob, RESTRICTED_CARD).await;
    let offer = world.offer(&ada, visa).await;
    let request = world.pay(&ada, offer).await;
    world.clock.advance(TimeDelta::seconds(1));
    let other = world.offer(&bob, bobs).await;
    world.pay(&bob, other).await;
    world.execute("UPDATE payout SET rrn = '603312345678', arn = 'arn-7', provider_original_id = 'their/1 <b>' WHERE status = 'processed'").await;
    world.execute("UPDATE customer SET email = 'Ada@mail.example' WHERE reference LIKE 'ada%'").await;
    let references = world.texts("SELECT provider_reference FROM payout WHERE status = 'processed'").await;
    let ids = world.texts("SELECT 'po_' || replace(id::text, '-', '') FROM payout WHERE status = 'processed'").await;
    let customers =
        world.texts("SELECT 'cus_' || replace(id::text, '-', '') FROM customer WHERE reference LIKE 'ada%'").await;

    let browser = world.signed_in().await;
    let (offer_text, request_text) = (offer.to_string(), request.to_string());
    let offer_href = format!("/dashboard/test/offers/demo/{offer}");
    let request_href = format!("/dashboard/test/requests/demo/{request}");
    let reference = format!("offer-{offer}");
    for (text, leads_to) in [
        (offer_text.as_str(), offer_href.as_str()),
        ("1111", &*offer_href),
        ("1111", &*request_href),
        ("91.11", &*request_href),
        ("91,11 EUR", &*request_href),
        ("100 USDT", &*offer_href),
        ("603312345678", &*request_href),
        ("arn-7", &*request_href),
        ("their/1 <b>", &*request_href),
        (&*references[0], &*request_href),
        ("ada@example.com", &*offer_href),
        ("Ada@mail.example", &*offer_href),
        ("  1111  ", &*offer_href),
    ] {
        let page = found(&browser, text).await;
        assert_eq!(page.status, 200, "{text}: {}", page.body);
        assert!(page.body.contains(&format!(r#"href="{leads_to}""#)), "{text} doesn't find {leads_to}: {}", page.body);
        // The same amount is found of everybody.
        if !text.contains("91") && !text.contains("USDT") {
            assert!(!page.body.contains("bob-7"), "{text} finds somebody else's");
        }
    }
    // An id names one thing, and so does a reference that only one thing has: the way leads there.
    for (text, said) in [
        (request_text.as_str(), "91.11\u{a0}EUR was paid."),
        (&*ids[0], "The provider paid 91.11"),
        (&*customers[0], "Balances"),
        (&*reference, "91.11\u{a0}EUR was paid."),
    ] {
        let page = found(&browser, text).await.body;
        assert!(page.contains(said), "{text}: {page}");
    }
    let nothing = found(&browser, "no-such-thing <b>").await.body;
    assert!(nothing.contains("Nothing in test mode is called so.") && !nothing.contains("<b>"), "{nothing}");
    assert!(browser.get("/dashboard/test/search").await.body.contains("Type what the customer can read out"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_card_number_finds_its_customers_and_stands_nowhere() {
    let world = World::new().await;
    let (ada, bob) = (world.user("demo", "ada").await, world.user("acme", "bob").await);
    let visa = world.card(&ada, GOOD_CARD).await;
    world.card(&bob, GOOD_CARD).await;
    let dan = world.user("demo", "dan").await;
    world.card(&dan, RESTRICTED_CARD).await;
    let offer = world.offer(&ada, visa).await;
    let support = world.signed_in_as(Role::Support).await;
    for typed in [GOOD_CARD.to_owned(), GOOD_CARD.replace(' ', ""), GOOD_CARD.replace(' ', "-")] {
        let page = found(&support, &typed).await;
        assert_eq!((page.status, &page.location), (200, &None), "it isn't led on to an address");
        for said in [
            "Found for the card that ends in 1111",
            ">ada</a>",
            ">bob</a>",
            &format!("/dashboard/test/offers/demo/{offer}"),
        ] {
            assert!(page.body.contains(said), "{said}: {}", page.body);
        }
        assert!(!page.body.contains(">dan</a>"));
        assert!(!page.body.replace([' ', '-'], "").contains("41111111"), "it is shown again");
    }
    let viewer = world.signed_in().await;
    let page = found(&viewer, GOOD_CARD).await;
    assert!(page.body.contains("Somebody of the role support") && !page.body.contains(">bob</a>"), "{}", page.body);
    let address = format!("/dashboard/test/search?q={}", encoded(GOOD_CARD));
    let page = support.get(&address).await.body;
    assert!(page.contains("A card number goes into the search at the top") && !page.contains("4111 1111"), "{page}");
    // Nothing that can be read back has it.
    let digits = GOOD_CARD.replace(' ', "");
    for table in ["audit", "staff_session", "event"] {
        let count = world.count(&format!("SELECT count(*) FROM {table} t WHERE t::text LIKE '%{digits}%'")).await;
        assert_eq!(count, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_needs_the_form_of_this_session() {
    let world = World::new().await;
    let browser = world.signed_in().await;
    let answer = browser.post("/dashboard/test/search", &[("form_token", "x"), ("q", "1111")]).await;
    assert_eq!(answer.status, 403);
}
