//! Health, and the API's description.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_is_missing() {
    let world = World::new().await;
    assert_eq!(world.get("/health/live").await.ok()["status"], "live");
    assert_eq!(world.get("/health/ready").await.ok()["status"], "ready");
    let mut not_ready = None;
    for _ in 0..20 {
        // Prices are older than they may be, faster than the source fetches again.
        world.advance(11);
        let answer = world.get("/health/ready").await;
        if answer.status != 200 {
            not_ready = Some(answer);
            break;
        }
    }
    let answer = not_ready.unwrap();
    assert_eq!((answer.status, &answer.json()["problems"][0]["name"]), (503, &"rates".into()));
    world.app.db.close();
    let answer = world.get("/health/ready").await;
    assert_eq!(answer.json()["problems"][0], serde_json::json!({ "name": "database", "what": "does not answer" }));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_as_it_stands_at_the_root() {
    let world = World::new().await;
    let yaml = world.get("/openapi.yaml").await;
    assert_eq!((yaml.status, yaml.header("content-type")), (200, Some("application/yaml")));
    assert_eq!(yaml.text, include_str!("../../openapi.yaml"));
    assert_eq!(yaml.header("cache-control"), Some("public, no-cache"));
    let again =
        world.client.get(format!("{}/openapi.yaml", world.url)).header("If-None-Match", yaml.header("etag").unwrap());
    let again = again.send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.text().await.unwrap().as_str()), (304, ""));
    let page = world.get("/docs/api").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui-bundle.js"));
    assert!(!page.text.contains("http://") && !page.text.contains("https://"), "nothing comes from elsewhere");
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    let start = world.get("/docs/api/swagger-initializer.js").await;
    assert!(start.text.contains("/openapi.yaml"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_is_pages_without_scripts_that_are_kept_until_they_change() {
    let world = World::new().await;
    let landing = world.get("/docs").await;
    assert_eq!(landing.status, 200);
    assert!(landing.text.contains("<h1") && landing.text.contains("href=\"/docs/api/\""), "{}", landing.text);
    assert_eq!(world.get("/docs/").await.text, landing.text);
    let page = world.get("/docs/partners").await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("cache-control"), Some("public, no-cache"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src") && !policy.contains("unsafe"));
    let tag = page.header("etag").unwrap().to_owned();
    let again =
        world.client.get(format!("{}/docs/partners", world.url)).header("If-None-Match", &tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()["etag"], tag.as_str());

    // What a page needs is kept for good, under an address of its content.
    let hrefs: Vec<&str> = page.text.split(['"', '\'']).filter(|text| text.starts_with("/docs/assets/")).collect();
    assert_eq!(hrefs.len(), 2, "{hrefs:?}");
    for href in hrefs {
        let asset = world.get(href).await;
        assert_eq!(asset.status, 200, "{href}");
        assert!(asset.header("cache-control").unwrap().contains("immutable"), "{href}");
        // A newer node's page may ask an older node: what that has instead isn't kept under the new one's address.
        for other in [href.split('?').next().unwrap().to_owned(), format!("{href}0")] {
            let asset = world.get(&other).await;
            assert_eq!((asset.status, asset.header("cache-control")), (200, Some("public, no-cache")), "{other}");
        }
    }
    let picture = world.get("/docs/images/money.svg").await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));

    // Nothing but what is in the lists.
    for path in [
        "/docs/security",
        "/docs/penetration",
        "/docs/nothing",
        "/docs/README.md",
        "/docs/..%2fREADME",
        "/docs/%00",
        "/docs/images/overview-desktop.png",
        "/docs/images/..%2f..%2fCargo.toml",
        "/docs/partners/",
        "/docs/swagger-initializer.js",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    // Whoever mistypes an address reads a page, with the list of those that there are.
    let missing = world.get("/docs/webhoks").await;
    assert_eq!((missing.status, missing.header("content-type")), (404, Some("text/html; charset=utf-8")));
    assert!(missing.text.contains("There is no such page") && missing.text.contains("href=\"/docs/webhooks\""));
    assert_eq!(missing.header("content-security-policy"), Some(policy));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_counted_from_the_database_and_tell_no_amounts() {
    let world = World::new().await;
    let answer = world.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(answer.text.ends_with("# EOF\n"), "{}", answer.text);
    let none = "landfall_payouts_open{status=\"unknown\",mode=\"live\"} 0\n";
    assert!(answer.text.contains("# HELP landfall_payouts_open ") && answer.text.contains(none), "{}", answer.text);
    world.app.db.close();
    assert_eq!(world.get("/metrics").await.status, 503);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_how_rate_sources_do() {
    let world = World::new().await;
    let board = world.app.rates.board(landfall::domain::ids::Mode::Test).unwrap();
    let tick = |bid: &str, ask: &str| landfall::rates::source::Tick {
        pair: "USDT/EUR".parse().unwrap(),
        bid: bid.parse().unwrap(),
        ask: ask.parse().unwrap(),
        source_time: None,
    };
    let now = landfall::clock::Clock::now(&world.clock);
    board.record("near", &[tick("0.9298", "0.9300")], now);
    board.record("far", &[tick("0.5000", "0.5001")], now);
    board.record_failure("gone", "can't be reached", now);
    board.record_failure("gone", "can't be reached", now);
    board.record("late", &[tick("0.9298", "0.9300")], now - chrono::TimeDelta::seconds(3_600));
    let text = world.get("/metrics").await.text;
    let line = |line: &str| assert!(text.lines().any(|told| told == line), "{line} isn't in\n{text}");
    line("landfall_rate_source_up{source=\"fixed\",mode=\"test\"} 1");
    line("landfall_rate_source_up{source=\"gone\",mode=\"test\"} 0");
    line("landfall_rate_source_failures_total{source=\"gone\",mode=\"test\"} 2");
    line("landfall_rate_source_failures_total{source=\"fixed\",mode=\"test\"} 0");
    line("landfall_rate_quote_outlying{source=\"far\",pair=\"USDT/EUR\",mode=\"test\"} 1");
    line("landfall_rate_quote_outlying{source=\"near\",pair=\"USDT/EUR\",mode=\"test\"} 0");
    line("landfall_rate_quote_age_seconds{source=\"near\",pair=\"USDT/EUR\",mode=\"test\"} 0");
    line("landfall_rate_quote_age_seconds{source=\"late\",pair=\"USDT/EUR\",mode=\"test\"} 3600");
    line("landfall_rate_quote_fresh{source=\"late\",pair=\"USDT/EUR\",mode=\"test\"} 0");
    line("landfall_rate_pair_priced{pair=\"USDT/EUR\",mode=\"test\"} 1");
    // Once everything is old, nothing has a price.
    for _ in 0..20 {
        world.advance(60);
        if world.get("/metrics").await.text.contains("landfall_rate_pair_priced{pair=\"USDT/EUR\",mode=\"test\"} 0") {
            return world.stop().await;
        }
    }
    panic!("old quotes go on making prices");
}
