//! Provider accounts and their credentials.

use landfall::config::gateway::HOUSE;
use landfall::domain::card::CardScheme;
use landfall::domain::ids::Mode;
use landfall::gateway::callback::Received;
use landfall::gateway::manage::credentials;
use landfall::gateway::manage::provider_accounts::ProviderAccountFilter;
use landfall::providers::adyen;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{caller, caller_in, code_of, count, expect_problems, first, given, world};

const SECRET: &str = "a-secret-that-nobody-reads-back";

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_sealed_for_their_row_and_reach_the_adapter_only() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "code": "mine", "provider": "test", "credentials": { "callback_secret": SECRET },
        "turnover_limits": { "EUR": "1000.50" }, "settings": { "merchant": "M1" } });
    let made = gateway.create_provider_account(&acme, &given(attributes)).await.unwrap();
    assert_eq!(made.credential_names, ["callback_secret"]);
    assert!(!format!("{made:?}").contains(SECRET));

    let snapshot = gateway.snapshot().await.unwrap();
    let (provider, context) = snapshot.account(made.id).unwrap();
    assert_eq!(provider, "test");
    assert_eq!(context.credentials["callback_secret"].expose_secret(), SECRET);
    assert_eq!(context.settings["merchant"], "M1");
    let state = snapshot.account_state(made.id).unwrap();
    assert_eq!(state.turnover_limits.get(&"EUR".parse().unwrap()).unwrap().to_string(), "1000.50");

    // Another row, and another tenant, don't open it.
    let sealed = made.credentials_sealed.unwrap();
    let other = gateway.create_provider_account(&acme, &given(json!({ "provider": "test" }))).await.unwrap();
    assert!(credentials::open(&gateway.vault, acme.tenant, other.id, &sealed).await.is_err());
    let demo = caller(&world, "demo").await;
    assert!(credentials::open(&gateway.vault, demo.tenant, made.id, &sealed).await.is_err());
    assert_eq!(other.credential_names, ["callback_secret"], "drawn, since it wasn't given");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_rotated_without_a_restart() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "provider": "test", "credentials": { "callback_secret": SECRET } });
    let made = gateway.create_provider_account(&acme, &given(attributes)).await.unwrap();
    gateway.snapshot().await.unwrap();
    let renamed = gateway.change_provider_account(&acme, made.id, &given(json!({ "name": "Mine" }))).await.unwrap();
    assert_eq!(renamed.credentials_sealed, made.credentials_sealed, "what isn't named stays");
    let change = json!({ "credentials": { "callback_secret": "the next one" } });
    let changed = gateway.change_provider_account(&acme, made.id, &given(change)).await.unwrap();
    assert_eq!(changed.version, 3);
    let snapshot = gateway.snapshot().await.unwrap();
    let (_, context) = snapshot.account(made.id).unwrap();
    assert_eq!(context.credentials["callback_secret"].expose_secret(), "the next one");
    // Read again in the same version: kept, not opened anew.
    world.advance(5_000);
    let later = gateway.snapshot().await.unwrap();
    assert_eq!(later.account(made.id).unwrap().1.credentials["callback_secret"].expose_secret(), "the next one");
    world.finish().await;
}

/// Two processes, one change: the other one goes by it as soon as it reads again what routing reads.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_takes_new_secrets_within_a_snapshots_age() {
    const KEYS: [&str; 2] = ["44782DEF547AAA06C910C43932B1EB0C", "55782DEF547AAA06C910C43932B1EB0D"];
    let world = world().await;
    let other = world.another_process(|_| {}, Vec::new()).await;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "provider": "adyen", "settings": { "balance_account_id": "BA1" },
        "credentials": { "api_key": "first", "hmac_key": KEYS[0] } });
    let made = world.app.gateway.create_provider_account(&acme, &given(attributes)).await.unwrap();
    world.advance(1_001);
    let api_key = async |gateway: &landfall::gateway::Gateway| {
        let snapshot = gateway.snapshot().await.unwrap();
        snapshot.account(made.id).unwrap().1.credentials["api_key"].expose_secret().to_owned()
    };
    let receive = async |gateway: &landfall::gateway::Gateway, key: &str, nth: u8| {
        let body = json!({ "environment": "test", "type": "balancePlatform.other", "data": { "n": nth } }).to_string();
        let signature = adyen::signature::sign(&key.into(), body.as_bytes()).unwrap();
        let headers = [(adyen::signature::HEADER.to_owned(), signature)];
        gateway.receive_callback(made.id, &headers, body.as_bytes()).await.unwrap()
    };
    assert_eq!(api_key(&other.gateway).await, "first");
    let change = json!({ "credentials": { "api_key": "second", "hmac_key": KEYS[1] } });
    world.app.gateway.change_provider_account(&acme, made.id, &given(change)).await.unwrap();
    assert_eq!(api_key(&world.app.gateway).await, "second", "at once where it was changed");
    assert_eq!(receive(&other.gateway, KEYS[1], 1).await, Received::NotVerified, "not read yet");

    world.advance(1_001);
    assert_eq!(api_key(&other.gateway).await, "second");
    for gateway in [&world.app.gateway, &other.gateway] {
        for key in KEYS {
            assert_eq!(receive(gateway, key, 1).await, Received::Stored, "{key}");
        }
    }
    // A day later the old key is refused everywhere, whoever read it when.
    world.advance(86_400_001);
    for gateway in [&world.app.gateway, &other.gateway] {
        assert_eq!(receive(gateway, KEYS[0], 2).await, Received::NotVerified);
        assert_eq!(receive(gateway, KEYS[1], 2).await, Received::Stored);
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_with_an_account_is_told_at_once() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "code": "", "provider": "test", "enabled": "yes",
        "credentials": { "callback_secret": 7, "4111111111111111": "x" },
        "turnover_limits": { "EUR": "1.001", "BTC": "1", "USD": -1 }, "settings": { "a": 1, "B!": "x" } });
    expect_problems(
        gateway.create_provider_account(&acme, &given(attributes)).await,
        &[
            ("/code", "WRONG_LENGTH"),
            ("/credentials", "UNKNOWN_CREDENTIAL"),
            ("/credentials/callback_secret", "WRONG_LENGTH"),
            ("/enabled", "WRONG_TYPE"),
            ("/settings", "INVALID_VALUE"),
            ("/settings/a", "WRONG_TYPE"),
            ("/turnover_limits", "UNKNOWN_CURRENCY"),
            ("/turnover_limits/EUR", "TOO_PRECISE"),
            ("/turnover_limits/USD", "INVALID_VALUE"),
        ],
    );
    let unknown = json!({ "provider": "mint" });
    expect_problems(
        gateway.create_provider_account(&acme, &given(unknown)).await,
        &[("/provider", "UNKNOWN_PROVIDER")],
    );
    // It connects wherever its settings say: only configuration makes accounts of it.
    let anywhere = json!({ "provider": "http", "settings": { "base_url": "http://127.0.0.1:1" } });
    expect_problems(
        gateway.create_provider_account(&acme, &given(anywhere)).await,
        &[("/provider", "UNKNOWN_PROVIDER")],
    );
    let live = caller_in(&world, "acme", Mode::Live).await;
    expect_problems(
        gateway.create_provider_account(&live, &given(json!({ "provider": "test" }))).await,
        &[("/provider", "WRONG_MODE")],
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_has_agreed_with_an_account_is_the_accounts_and_counts_for_its_routes() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let house = caller(&world, HOUSE).await;
    let account = |code: &str, more: Value| {
        let mut settings =
            json!({ "client_id": "TabaPay_Client_22Chars", "settlement_account_id": "SettlementAccountID_22" });
        settings.as_object_mut().unwrap().extend(given(more));
        given(
            json!({ "code": code, "provider": "tabapay", "settings": settings, "credentials": { "bearer_token": SECRET } }),
        )
    };
    let odd = account("odd", json!({ "fast_funds": "maybe", "card_schemes": "VISA,JCB", "sender_country": 840 }));
    expect_problems(
        gateway.create_provider_account(&house, &odd).await,
        &[
            ("/settings/card_schemes", "INVALID_VALUE"),
            ("/settings/fast_funds", "INVALID_VALUE"),
            ("/settings/sender_country", "WRONG_TYPE"),
        ],
    );
    let mut made = Vec::new();
    for (code, more) in [("as-ever", json!({})), ("own", json!({ "fast_funds": "no", "card_schemes": "VISA" }))] {
        let account = gateway.create_provider_account(&house, &account(code, more)).await.unwrap();
        let deposit = json!({ "code": code, "provider_account_id": account.id.to_string(), "currency": "USD" });
        let deposit = gateway.create_deposit_account(&house, &given(deposit)).await.unwrap();
        let route = json!({ "code": code, "service": "card_usd", "deposit_account_id": deposit.id.to_string() });
        made.push(gateway.create_route(&house, &given(route)).await.unwrap().id);
    }
    let snapshot = gateway.snapshot().await.unwrap();
    let routes = snapshot.routes(Mode::Test);
    let [as_ever, own] = [made[0], made[1]].map(|id| routes.iter().find(|route| route.id == id).unwrap());
    assert!(as_ever.fast_funds && !own.fast_funds);
    assert_eq!(as_ever.card_schemes, [CardScheme::Visa, CardScheme::Mastercard, CardScheme::Discover]);
    assert_eq!(own.card_schemes, [CardScheme::Visa]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_notes_what_the_provider_said() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let acme = caller(&world, "acme").await;
    let made = gateway.create_provider_account(&acme, &given(json!({ "provider": "test" }))).await.unwrap();
    assert_eq!(made.health, "unknown");
    let checked = gateway.check_provider_account(&acme, made.id).await.unwrap();
    assert_eq!((checked.health.as_str(), checked.version), ("healthy", 1));
    assert!(checked.health_checked_at.is_some());
    let demo = caller(&world, "demo").await;
    assert_eq!(code_of(gateway.check_provider_account(&demo, made.id).await), "NOT_FOUND");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_houses_configured_accounts_are_the_houses_to_change_and_stay_changed() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let house = caller(&world, HOUSE).await;
    let demo = caller(&world, "demo").await;
    assert!(
        gateway.list_provider_accounts(&demo, &ProviderAccountFilter::default(), first(10)).await.unwrap().is_empty()
    );
    let filter = ProviderAccountFilter { code: Some("sandbox-a".into()), ..ProviderAccountFilter::default() };
    let listed = gateway.list_provider_accounts(&house, &filter, first(10)).await.unwrap();
    let account = &listed[0];
    assert!(account.credentials_sealed.is_none(), "they come from configuration");
    assert_eq!(gateway.check_provider_account(&house, account.id).await.unwrap().health, "healthy");

    gateway.change_provider_account(&house, account.id, &given(json!({ "enabled": false }))).await.unwrap();
    let snapshot = gateway.snapshot().await.unwrap();
    let of_account = |route: &&landfall::domain::routing::Route| route.provider_account_id == account.id;
    assert!(snapshot.routes(Mode::Test).iter().filter(of_account).all(|route| !route.enabled));
    // A restart writes configuration down again, and doesn't switch on what somebody switched off.
    gateway.seed().await.unwrap();
    let found = gateway.find_provider_account(&house, account.id).await.unwrap();
    assert_eq!((found.enabled, found.version), (false, 2));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credential_stands_in_the_database_in_the_clear() {
    let world = world().await;
    let acme = caller(&world, "acme").await;
    let attributes = json!({ "provider": "test", "credentials": { "callback_secret": SECRET } });
    let made = world.app.gateway.create_provider_account(&acme, &given(attributes)).await.unwrap();
    let change = json!({ "credentials": { "callback_secret": format!("{SECRET}-2") } });
    world.app.gateway.change_provider_account(&acme, made.id, &given(change)).await.unwrap();
    let found = count(
        &world,
        &format!(
            "SELECT (SELECT count(*) FROM provider_account t WHERE t::text LIKE '%{SECRET}%') + \
                 (SELECT count(*) FROM provider_account t WHERE position('{SECRET}'::bytea IN t.credentials_sealed) > 0) + \
                 (SELECT count(*) FROM audit t WHERE t::text LIKE '%{SECRET}%') AS n"
        ),
    )
    .await;
    assert_eq!(found, 0);
    world.finish().await;
}
