//! Commands: what they print, and what a newcomer reads when something is wrong.

use crate::server::Place;

#[tokio::test(flavor = "multi_thread")]
async fn token_prints_the_token_alone() {
    let place = Place::new().await;
    let token = place.says(&["token", "--user", "alice", "--kyc", "2"]).await;
    assert_eq!(token.lines().count(), 1);
    assert_eq!(token.split('.').count(), 3, "{token}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fund_credits_a_reference_once_and_refuses_nonsense() {
    let place = Place::new().await;
    let fund = ["fund", "--user", "alice", "--asset", "USDT", "--amount", "12.5", "--reference", "one"];
    assert_eq!(place.says(&fund).await, "alice has 12.5 USDT");
    assert_eq!(place.says(&fund).await, "alice has 12.5 USDT");
    for (asset, amount) in [("DOGE", "1"), ("USDT", "0"), ("USDT", "-1"), ("USDT", "1e400"), ("USDT", "0.000000001")] {
        let output = place.run(&["fund", "--user", "alice", "--asset", asset, &format!("--amount={amount}")]).await;
        assert!(!output.status.success(), "{asset} {amount}");
        assert!(!String::from_utf8_lossy(&output.stderr).is_empty());
    }
    assert_eq!(place.test_db.count("SELECT count(*) FROM entry WHERE kind = 'credit'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn moderation_says_when_nothing_waits_and_refuses_what_is_not_there() {
    let place = Place::new().await;
    let output = place.run(&["moderation", "list"]).await;
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing waits for a person in test mode"));
    let request = "porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01";
    let case = "019aa5f0b1c27d3e8f4a5b6c7d8e9f03";
    let why = ["--by", "ada", "--reason", "a trial"];
    for (arguments, said) in [
        (vec!["moderation", "show", request], "there is no payout request"),
        (vec!["moderation", "show", case], "there is no case"),
        (vec!["moderation", "show", "nonsense"], "neither a payout request nor a case"),
        (
            [&["moderation", "decide", request, "reject", "--seen", "3"], &why[..]].concat(),
            "there is no payout request",
        ),
        ([&["moderation", "decide", request, "approve", "--seen", "3"], &why[..]].concat(), "not a decision"),
        ([&["moderation", "close", case, "--explained"], &why[..]].concat(), "there is no case"),
    ] {
        let output = place.run(&arguments).await;
        assert!(!output.status.success(), "{arguments:?}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_setting_is_refused_by_its_name() {
    let mut place = Place::new().await;
    place.set("LANDFALL__GATEWAY__ATTEMPTS_LIMIT", "0");
    place.set("LANDFALL__PRICING__LIMITS__OFFER_MIN", "many");
    place.set("LANDFALL__GATEWAY__RETENTION__EVENT_DAYS", "30");
    place.set("LANDFALL__GATEWAY__RETENTION__UNUSED_CARD_DAYS", "0");
    let output = place.run(&["config", "check"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("gateway.attempts_limit: must be 1 to 100"), "{said}");
    assert!(said.contains("gateway.retention.event_days: must be 90") && !said.contains("unused_card_days"), "{said}");
    assert!(said.contains("pricing.limits.offer_min"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn live_mode_refuses_what_was_made_for_development() {
    let mut place = Place::new().await;
    place.set("LANDFALL__MODES", "test,live");
    let output = place.run(&["config", "check"]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("auth.issuers"), "{said}");
    assert!(said.contains("vault.file.generate_if_missing"), "{said}");
    assert!(said.contains("vault.file.components"), "{said}");
    assert!(said.contains("rates.live"), "{said}");
}

/// What a place's `data_dir` isn't: where components may lie in live mode.
fn custodians(folder: &std::path::Path) -> (String, String) {
    let of = |name: &str| folder.join(name).join("component.json").to_str().unwrap().to_owned();
    (of("a"), of("b"))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_custodians_make_keys_that_are_ready_and_one_does_not() {
    let mut place = Place::new().await;
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = custodians(folder.path());
    let said = place.says(&["keys", "component", "--out", &one]).await;
    let letters = said.split("--set ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let said_again = place.says(&["keys", "show", "--component", &one]).await;
    assert!(said.starts_with(&said_again), "{said}\n{said_again}");

    let config = folder.path().join("landfall.toml");
    std::fs::write(&config, format!("[vault.file]\ncomponents = [{one:?}, {other:?}]\n")).unwrap();
    place.set("LANDFALL_CONFIG", config.to_str().unwrap());
    let missing = place.run(&["keys", "check"]).await;
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("b/component.json"));

    // Never over a file that is there, and never with a set that isn't one.
    assert!(!place.run(&["keys", "component", "--out", &one, "--set", &letters]).await.status.success());
    assert!(!place.run(&["keys", "component", "--out", &other, "--set", "four"]).await.status.success());
    place.says(&["keys", "component", "--out", &other, "--set", &letters]).await;
    let ready = place.says(&["keys", "check"]).await;
    assert!(ready.contains("ready: ") && ready.contains("together, primary key kek-"), "{ready}");
    for file in [&one, &other] {
        let text = std::fs::read_to_string(file).unwrap();
        let keys = text.lines().filter_map(|line| line.trim().strip_prefix("\"key\": \""));
        for key in keys.map(|rest| rest.split('"').next().unwrap()) {
            assert!(!ready.contains(key) && !said.contains(key));
        }
    }
    // Whole keys aren't added to components.
    assert!(!place.run(&["keys", "add"]).await.status.success());

    // The same file twice, under a name of its own.
    let linked = folder.path().join("linked.json");
    std::fs::hard_link(&one, &linked).unwrap();
    std::fs::write(&config, format!("[vault.file]\ncomponents = [{one:?}, {linked:?}]\n")).unwrap();
    let refused = place.run(&["keys", "check"]).await;
    assert!(String::from_utf8_lossy(&refused.stderr).contains("one file"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_provider_is_printed_without_its_secrets() {
    let mut place = Place::new().await;
    place.set("LANDFALL__VAULT__PROVIDER", "vault");
    place.set("LANDFALL__VAULT__TRANSIT__ADDRESS", "https://vault.example:8200");
    place.set("LANDFALL__VAULT__TRANSIT__TOKEN_ENV", "OUR_TOKEN");
    place.set("OUR_TOKEN", "hvs.a-secret-token");
    let printed = place.says(&["config", "check"]).await;
    assert!(printed.contains("vault.example:8200") && printed.contains("OUR_TOKEN"), "{printed}");
    assert!(!printed.contains("a-secret-token"));
    place.set("LANDFALL__VAULT__TRANSIT__ADDRESS", "https://me:a-secret@vault.example");
    let refused = place.run(&["config", "check"]).await;
    let said = format!("{refused:?}");
    assert!(!refused.status.success() && said.contains("vault.transit.address"), "{said}");
    assert!(!said.contains("a-secret"), "{said}");
    // Nor where another provider is chosen.
    place.set("LANDFALL__VAULT__PROVIDER", "file");
    let refused = format!("{:?}", place.run(&["config", "check"]).await);
    assert!(refused.contains("vault.transit.address") && !refused.contains("a-secret"), "{refused}");
    place.set("LANDFALL__VAULT__TRANSIT__ADDRESS", "https://vault.example");
    place.set("LANDFALL__VAULT__PROVIDER", "aws-kms");
    place.set("LANDFALL__VAULT__AWS_KMS__REGION", "eu-central-1");
    place.set("LANDFALL__VAULT__AWS_KMS__KEY_ID", "alias/cards");
    place.set("LANDFALL__VAULT__AWS_KMS__MAC_KEY_ID", "a-mac-key");
    place.set("AWS_SECRET_ACCESS_KEY", "a-secret-access-key");
    let printed = place.says(&["config", "check"]).await;
    assert!(printed.contains("alias/cards") && !printed.contains("a-secret"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_production_lacks_nothing() {
    let place = Place::new().await;
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/production.example.toml");
    let output = place.run(&["--config", example, "config", "check"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_said_with_a_way_out() {
    let place = Place::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = place.run(&["serve", "--listen", &address]).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_prints_the_description_at_the_root() {
    let place = Place::new().await;
    let printed = place.says(&["openapi"]).await;
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.yaml")).unwrap();
    assert!(printed == file.trim_end(), "openapi.yaml is not what the code describes: make openapi");
    assert!(place.path().is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_is_served_beside_the_others() {
    let place = Place::new().await;
    let server = place.serve("api,worker,dashboard").await;
    let client = reqwest::Client::builder().build().unwrap();
    for path in ["/health/live", "/openapi.yaml", "/docs/", "/dashboard/sign-in", "/"] {
        let answer = client.get(format!("http://{}{path}", server.address)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    let unknown = client.get(format!("http://{}/nothing", server.address)).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(server.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_port_of_their_own_and_the_docs_can_be_off() {
    let mut place = Place::new().await;
    let metrics = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    place.set("LANDFALL__HTTP__METRICS_LISTEN", &metrics.to_string());
    place.set("LANDFALL__HTTP__DOCS", "false");
    let server = place.serve("api").await;
    let status = async |address, path: &str| reqwest::get(format!("http://{address}{path}")).await.unwrap().status();
    for path in ["/metrics", "/docs", "/docs/", "/openapi.yaml"] {
        assert_eq!(status(server.address, path).await, 404, "{path}");
    }
    assert_eq!(status(metrics, "/metrics").await, 200);
    for path in ["/health/live", "/v1/customers", "/v4/payout/data", "/docs"] {
        assert_eq!(status(metrics, path).await, 404, "{path}");
    }
    assert!(server.stop().await.success());
    // Beside nothing at all.
    place.set("LANDFALL__HTTP__METRICS", "false");
    let output = place.run(&["config", "check"]).await;
    assert!(String::from_utf8_lossy(&output.stderr).contains("http.metrics_listen"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_is_printed_alone_listed_without_its_secret_and_revoked() {
    let place = Place::new().await;
    let key = place.says(&["api-key", "create", "--partner", "demo", "--mode", "test", "--name", "shop"]).await;
    assert!(key.starts_with("sk_test_") && key.lines().count() == 1, "{key}");
    place
        .says(&["api-key", "create", "--partner", "house", "--scopes", "routing:read,routing:write", "--name", "ops"])
        .await;
    let listed = place.says(&["api-key", "list"]).await;
    assert!(listed.contains("shop  valid  payouts:read,") && listed.lines().count() == 1, "{listed}");
    assert!(!listed.contains(&key));
    let signed = place.says(&["api-key", "create", "--partner", "house", "--name", "signs", "--signed"]).await;
    assert!(signed.lines().count() == 2 && signed.lines().nth(1).unwrap().starts_with("ssk_test_"), "{signed}");
    let id = listed.split_whitespace().next().unwrap();
    let house = place.run(&["api-key", "revoke", "--partner", "house", id]).await;
    assert!(!house.status.success());
    place.says(&["api-key", "revoke", id]).await;
    assert!(place.says(&["api-key", "list"]).await.contains("shop  revoked 20"));
    for bad in [
        ["--partner", "nobody", "--name", "x", "--scopes", "all"],
        ["--partner", "demo", "--name", "x", "--scopes", "everything"],
        ["--partner", "demo", "--name", "x", "--allow-ip", "10.0.0.1/8"],
        ["--mode", "live", "--name", "x", "--scopes", "all"],
    ] {
        let output = place.run(&[&["api-key", "create"], bad.as_slice()].concat()).await;
        assert!(!output.status.success(), "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reconcile_compares_a_file_and_its_exit_code_says_what_it_found() {
    let place = Place::new().await;
    let file = place.path().join("report.csv");
    let reconcile = async |lines: &str| {
        let header = "reference,original_id,status,amount_processed,amount_returned,currency,taken_at";
        std::fs::write(&file, format!("{header}\n{lines}")).unwrap();
        let output = place.run(&["reconcile", "--account", "sandbox-a", "--file", file.to_str().unwrap()]).await;
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), said)
    };
    let declined = "abc,1,declined,0,0,EUR,2026-01-01T10:00:00Z\n";
    let (code, said) = reconcile(declined).await;
    assert_eq!(code, 0, "{said}");
    for _ in 0..2 {
        let (code, said) = reconcile("abc,1,processed,25.5,0,EUR,2026-01-01T10:00:00Z\n").await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("abc: the report has a payment that isn't ours"), "{said}");
        assert!(said.contains("processed 25.5 EUR"), "{said}");
        assert_eq!(place.test_db.count("SELECT count(*) FROM entry WHERE kind = 'unmatched'").await, 1);
    }
    let (code, said) = reconcile("abc,1,paid,25.5,0,EUR,2026-01-01T10:00:00Z\n").await;
    assert!(code != 0 && said.contains("line 2: status is one of"), "{said}");
    let (code, said) = reconcile("abc,1,returned,25.5,25.5,EUR,2026-01-01T10:00:00Z\n").await;
    assert_eq!(code, 0, "{said}");
    place.says(&["verify"]).await;
    assert!(!place.run(&["reconcile", "--account", "nobody"]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_listed_from_standard_input_and_an_entry_is_removed_once() {
    let place = Place::new().await;
    let signed = ["--by", "ada", "--reason", "a trial"];
    let file = place.path().join("number.txt");
    std::fs::write(&file, "4111 1111 1111 1111\n").unwrap();
    let mut command = place.command(&[&["block", "add", "card"], &signed[..]].concat());
    let output = command.stdin(std::fs::File::open(&file).unwrap()).output().await.unwrap();
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(listed.starts_with("blk_") && listed.contains("4111***1111"), "{listed}");
    let country = place.says(&[&["block", "add", "country", "KP", "--partner", "house"], &signed[..]].concat()).await;
    assert!(country.contains("country  KP") && country.contains("by cli:ada: a trial"), "{country}");
    assert_eq!(place.says(&["block", "list"]).await, listed.trim_end());
    let id = listed.split_whitespace().next().unwrap();
    let removed = place.says(&[&["block", "remove", id], &signed[..]].concat()).await;
    assert!(removed.contains("removed"), "{removed}");
    assert_eq!(place.says(&["block", "list"]).await, "");
    assert_eq!(place.says(&["block", "list", "--all"]).await, removed);
    for (arguments, said) in [
        (vec!["block", "add", "card"], "card number"),
        (vec!["block", "add", "card", "4111111111111111"], "standard input"),
        (vec!["block", "add", "iin", "41"], "digits"),
        (vec!["block", "add", "country", "--until", "2020-01-01T00:00:00Z", "KP"], "lies ahead"),
        (vec!["block", "remove", "blk_019aa5f0b1c27d3e8f4a5b6c7d8e9f01"], "there is no such entry"),
        (vec!["cards", "approve", "12345"], "there is no such card"),
    ] {
        let output = place.run(&[&arguments[..], &signed[..]].concat()).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(said), "{arguments:?}: {told}");
    }
    assert_eq!(place.says(&["cards", "list"]).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_key_is_followed_drained_by_the_server_and_ends_and_one_in_use_does_not() {
    let mut place = Place::new().await;
    place.set("LANDFALL__VAULT__RESEAL_PER_SEC", "1000");
    let server = place.serve("api,worker").await;
    let token = place.says(&["token", "--user", "alice", "--kyc", "2"]).await;
    let refused = async |arguments: &[&str], why: &str| {
        let output = place.run(arguments).await;
        let told = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && told.contains(why), "{arguments:?}: {told}");
    };
    let demo = ["--partner", "demo", "--mode", "test"];
    let signed = [&demo[..], &["--by", "ops"]].concat();
    refused(&[&["keys", "rotate"], &signed[..]].concat(), "there is no data key yet").await;
    server.offer(&token).await;

    let first = place.says(&[&["keys", "status"], &demo[..]].concat()).await;
    assert!(first.contains("demo/test epoch 1") && first.contains("  primary  check value "), "{first}");
    assert!(first.contains("seals 1 in card.holder_sealed, 1 in card.pan_sealed"), "{first}");
    assert!(first.contains("0 values are under old keys"), "{first}");
    refused(&["keys", "rotate", "--by", "ops"], "name a partner").await;
    refused(&["keys", "rotate", "--all", "--by", "o p s"], "--by is a name").await;
    refused(&["keys", "status", "--partner", "nobody"], "there is no partner nobody").await;
    refused(&["keys", "retire", "--by", "ops", "--epoch", "1"], "name both").await;
    refused(&[&["keys", "retire", "--epoch", "1"], &signed[..]].concat(), "primary key: begin a new epoch first").await;
    refused(&[&["keys", "retire", "--epoch", "9"], &signed[..]].concat(), "there is no such epoch").await;

    let rotated = place.says(&[&["keys", "rotate"], &signed[..]].concat()).await;
    assert!(rotated.starts_with("demo/test epoch 1 is followed by "), "{rotated}");
    // The server's worker does it; the command finds what is left, if anything is.
    for _ in 0..200 {
        if place.test_db.count("SELECT count(*) FROM dek WHERE drained_at IS NOT NULL").await == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let second = place.says(&[&["keys", "status"], &demo[..]].concat()).await;
    assert!(second.contains("  drained  ") && second.contains("may be retired "), "{second}");
    assert!(place.says(&[&["keys", "reseal"], &demo[..]].concat()).await.contains("nothing is under an old key"));
    refused(&[&["keys", "retire", "--epoch", "1"], &signed[..]].concat(), "may be retired ").await;
    assert!(place.says(&[&["keys", "rewrap"], &signed[..]].concat()).await.contains("0 keys were rewrapped"));

    let compromise = [&["keys", "compromise", "--epoch", "2", "--reason", "a trial"], &signed[..]].concat();
    let ended = place.says(&compromise).await;
    assert!(ended.contains("demo/test epoch 2 is compromised"), "{ended}");
    let third = place.says(&[&["keys", "status"], &demo[..]].concat()).await;
    assert!(third.contains("demo/test epoch 3") && third.contains("  retired  "), "{third}");
    assert!(place.run(&["verify"]).await.status.success());
    // The server goes on with its card under the third key, and tells of all three.
    server.offer(&token).await;
    let metrics = reqwest::get(format!("http://{}/metrics", server.address)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("landfall_data_keys{state=\"retired\"} 1"), "{metrics}");
    assert!(server.stop().await.success());
}
