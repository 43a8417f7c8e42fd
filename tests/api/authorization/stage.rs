//! An installation with something of every kind in it, whose owner is the partner `demo` in test mode and its user `alice`; and those who
//! may not have it: `bob`, the partner `acme`, demo's own live mode, keys that are over, and staff of every role.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use chrono::{TimeDelta, Utc};
use landfall::config::auth::{IssuerSettings, KycSetting};
use landfall::config::gateway::PartnerSeed;
use landfall::domain::ids::Mode;
use landfall::domain::staff::Role;
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::{KeyChange, NewKey};
use landfall::gateway::approvals::{Change, Maker};
use landfall::providers::provider::{SettingField, SettingValue};
use landfall::wallet::cards::AddCard;
use landfall::wallet::offers::OfferInput;
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::routes::Route;
use crate::browser::Browser;
use crate::keys::Signer;
use crate::v1::entities::own;
use crate::v1::requests::{manual, path_of, sample};
use crate::world::{self, Answer, PAID, World, with};

pub const ISS: &str = "https://id.example";
pub const AUDIENCE: &str = "wallet";
/// The scope that the issuer `ISS/scoped` asks for.
pub const TOKEN_SCOPE: &str = "payouts";
const COOKIE: &str = "__Host-landfall-staff";
const PASSWORD: &str = "correct horse battery staple";

pub struct Stage {
    pub world: World,
    /// Goes nowhere by itself.
    client: reqwest::Client,
    /// The owner's object of each kind, by what stands before it in a path.
    ids: BTreeMap<&'static str, String>,
    /// By operation: what the right caller would send.
    bodies: BTreeMap<&'static str, (&'static str, String)>,
    /// Of the partners' keys.
    pub keys: Keys,
    pub staff: BTreeMap<&'static str, Session>,
    /// What tokens name as the place of their keys.
    trap: TcpListener,
    accounts: Vec<(&'static str, String)>,
}

/// API keys of demo, unless they say otherwise.
pub struct Keys {
    pub all: String,
    pub revoked: String,
    pub expired: String,
    pub elsewhere: String,
    pub acme: String,
    pub live: String,
    /// Every scope but this.
    pub without: BTreeMap<Scope, String>,
    /// This scope alone.
    pub only: BTreeMap<Scope, String>,
}

/// A browser's session, living or not.
pub struct Session {
    pub cookie: String,
    pub form_token: String,
}

fn issuer(name: &str, partner: &str, mode: Mode, jwks_file: &std::path::Path) -> IssuerSettings {
    IssuerSettings {
        name: name.to_owned(),
        iss: if name == "app" { ISS.to_owned() } else { format!("{ISS}/{name}") },
        aud: vec![AUDIENCE.to_owned()],
        partner: partner.to_owned(),
        mode,
        algorithms: vec!["RS256".into(), "ES256".into()],
        jwks_url: None,
        jwks_file: Some(jwks_file.to_owned()),
        public_key_file: None,
        secret_env: None,
        secret_file: None,
        development: false,
        kyc: KycSetting::Claim("kyc_level".into()),
        leeway_secs: 30,
        max_token_age_secs: None,
        required_scope: (name == "scoped").then(|| TOKEN_SCOPE.to_owned()),
    }
}

fn document(kind: &str, attributes: Value) -> (&'static str, String) {
    let document = json!({ "data": { "type": kind, "attributes": attributes } });
    ("application/vnd.api+json", document.to_string())
}

impl Stage {
    pub async fn new() -> Self {
        let world = World::without_workers(|settings| {
            settings.wallet.pay_wait_secs = 1;
            let jwks_file = settings.data_dir.join("jwks.json");
            let keys = json!({ "keys": [Signer::rsa().jwk("rsa"), Signer::ec().jwk("ec")] });
            std::fs::write(&jwks_file, keys.to_string()).unwrap();
            // Nobody is called: the accounts at providers on the internet have an address where nothing listens.
            for remote in [
                &mut settings.providers.adyen.test_url,
                &mut settings.providers.checkout.test_url,
                &mut settings.providers.tabapay.test_url,
                &mut settings.providers.worldpay.test_url,
            ] {
                "http://127.0.0.1:9".clone_into(remote);
            }
            settings.gateway.partners.push(PartnerSeed { code: "acme".into(), name: "Acme".into() });
            let issuer = |name, partner, mode| issuer(name, partner, mode, &jwks_file);
            settings.auth.issuers = vec![
                issuer("app", "demo", Mode::Test),
                issuer("scoped", "demo", Mode::Test),
                issuer("acme", "acme", Mode::Test),
                issuer("live", "demo", Mode::Live),
            ];
        })
        .await;
        let trap = TcpListener::bind("127.0.0.1:0").unwrap();
        trap.set_nonblocking(true).unwrap();
        let (ids, bodies, staff) = Default::default();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut stage = Self { world, client, ids, bodies, keys: Keys::none(), staff, trap, accounts: Vec::new() };
        // Sessions and keys first that are over once the clock has moved.
        for (name, role) in [("idle", Role::Admin), ("expired", Role::Admin), ("disabled", Role::Admin)] {
            stage.hire(name, role).await;
        }
        stage.sign_in("idle").await;
        let soon = stage.world.app.clock.now() + TimeDelta::seconds(60);
        stage.keys.expired = stage.key("demo", Mode::Test, &Scope::ALL, &[], Some(soon)).await;
        stage.world.advance(16 * 60);
        stage.world.rates_ready().await;

        stage.keys().await;
        stage.partners_objects().await;
        stage.providers_accounts().await;
        stage.users_objects().await;
        stage.staff().await;
        stage
    }

    /// Waits until what was under way is written. Nothing works in the background, so nothing follows.
    pub async fn rest(&self) {
        // The first use of a key is noted, later ones of this minute aren't.
        for key in self.keys.living() {
            self.partner(&key, Method::GET, "/v1/customers").send().await.unwrap();
        }
        let (mut before, mut times) = (self.digests().await, 0);
        for _ in 0..200 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            let now = self.digests().await;
            times = if now == before { times + 1 } else { 0 };
            if times == 5 {
                return;
            }
            before = now;
        }
        panic!("the database doesn't come to rest");
    }

    /// How many rows each table has, and a digest of them.
    pub async fn digests(&self) -> BTreeMap<String, String> {
        let (client, driver) = self.world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let tables = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'";
        let mut digests = BTreeMap::new();
        for table in client.query(tables, &[]).await.unwrap() {
            let table: String = table.get(0);
            let digest = format!(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE \"C\")), '') FROM {table} t"
            );
            let digest: String = client.query_one(&digest, &[]).await.unwrap().get(0);
            digests.insert(table, digest);
        }
        driver.abort();
        assert!(digests.len() > 30);
        digests
    }

    /// Whether nobody tried to fetch anything from where a token pointed.
    pub fn nobody_called(&self) -> bool {
        matches!(self.trap.accept(), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    pub fn trap_url(&self) -> String {
        format!("http://{}/jwks", self.trap.local_addr().unwrap())
    }

    /// The path of a route with the owner's objects in it.
    pub fn path(&self, route: &Route) -> String {
        let mut parts: Vec<String> = Vec::new();
        for part in route.path.split('/') {
            if part.starts_with('{') {
                let before = if part == "{partner}" || part == "{mode}" { part } else { self.kind_before(&parts) };
                let id = self.ids.get(before);
                parts.push(id.unwrap_or_else(|| panic!("stage.rs has nothing for {}: {before}", route.path)).clone());
            } else {
                parts.push(part.to_owned());
            }
        }
        let path = parts.join("/");
        match route.operation.as_str() {
            "createBatch" => format!("{path}?point_id={}&name=b", self.ids["payout-points"]),
            "getUsageReport" | "getBalanceReport" => format!("{path}?from=2026-11-01&to=2026-11-30"),
            _ => path,
        }
    }

    /// The collection that the next part of a path is in. In the dashboard's addresses a partner stands between.
    fn kind_before<'p>(&self, parts: &'p [String]) -> &'p str {
        let parts: Vec<&str> = parts
            .iter()
            .map(String::as_str)
            .filter(|part| *part != self.ids["{partner}"] || parts[1] != "dashboard")
            .collect();
        parts.last().copied().unwrap_or_default()
    }

    /// A route with a body that would do.
    pub fn request(&self, route: &Route, path: &str) -> RequestBuilder {
        let method: Method = route.method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.world.url));
        match self.bodies.get(route.operation.as_str()) {
            Some((kind, body)) => request.header("Content-Type", *kind).body(body.clone()),
            None => request,
        }
    }

    /// The same with another body, made of the one that would do.
    pub fn request_with(&self, route: &Route, change: impl FnOnce(&str) -> String) -> RequestBuilder {
        let (_, body) = &self.bodies[route.operation.as_str()];
        self.request(route, &self.path(route)).body(change(body))
    }

    /// For whether each operation that takes a body has one.
    pub fn has_body(&self, operation: &str) -> bool {
        self.bodies.contains_key(operation)
    }

    pub fn id(&self, kind: &str) -> &str {
        &self.ids[kind]
    }

    /// What a stranger must not find in a list.
    pub fn owned(&self) -> impl Iterator<Item = &str> {
        let common = ["{partner}", "{mode}", "partners", "versions", "payout-services", "provider-callbacks"];
        self.ids.iter().filter(move |(kind, _)| !common.contains(*kind)).map(|(_, id)| id.as_str())
    }

    /// An account at each provider that is compiled in, with credentials that no provider knows.
    pub fn accounts_of_providers(&self) -> &[(&'static str, String)] {
        &self.accounts
    }

    fn partner(&self, key: &str, method: Method, path: &str) -> RequestBuilder {
        self.world.client.request(method, format!("{}{path}", self.world.url)).bearer_auth(key)
    }

    async fn key(
        &self,
        partner: &str,
        mode: Mode,
        scopes: &[Scope],
        allowed_ips: &[&str],
        expires_at: Option<chrono::DateTime<Utc>>,
    ) -> String {
        let author = Author::command(self.world.tenant(partner, mode).await);
        let scopes: BTreeSet<Scope> = scopes.iter().copied().collect();
        let allowed_ips = allowed_ips.iter().map(|ip| (*ip).to_owned()).collect();
        let new = NewKey { name: "sweep".to_owned(), scopes, allowed_ips, expires_at, signing_required: false };
        let (_, secret) = self.world.app.gateway.make_key(&author, false, new).await.unwrap();
        secret.expose().to_owned()
    }

    async fn keys(&mut self) {
        let (demo, test) = ("demo", Mode::Test);
        self.keys.all = self.key(demo, test, &Scope::ALL, &[], None).await;
        self.keys.elsewhere = self.key(demo, test, &Scope::ALL, &["192.0.2.0/24", "2001:db8::/32"], None).await;
        self.keys.acme = self.key("acme", test, &Scope::ALL, &[], None).await;
        let live: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::FundsWrite).collect();
        self.keys.live = self.key(demo, Mode::Live, &live, &[], None).await;
        for scope in Scope::ALL {
            let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
            let (without, only) =
                (self.key(demo, test, &others, &[], None).await, self.key(demo, test, &[scope], &[], None).await);
            self.keys.without.insert(scope, without);
            self.keys.only.insert(scope, only);
        }
        let revoked = self.world.backend().await;
        let (key, path) = (revoked.key.clone(), format!("/v1/api-keys/{}/revoke", revoked.key_id));
        let answer = self.world.send(self.partner(&self.keys.all, Method::POST, &path)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.keys.revoked = key;
    }

    async fn partners_objects(&mut self) {
        let world = &self.world;
        let partner = world.holder(&self.keys.all, "");
        world.terms("demo", Mode::Test, json!({})).await;
        partner.funded("USD", "100").await;
        let wallet_point = world.point().await;
        let paid = partner.asked(sample(&wallet_point)).await;
        let gateway = &world.app.gateway;
        for task in gateway.dispatch(16).await.unwrap().0 {
            let report = gateway.send(&task).await.unwrap();
            gateway.complete(&[report]).await.unwrap();
        }
        partner.until(&paid["id"], "processed").await;
        let payouts = partner.get(&format!("{}/payouts", path_of(&paid))).await.data(200);
        let request = partner.asked(with(&manual(&wallet_point), "reference_id", json!("mine"))).await;
        let file = "service,service_amount,fields.account\ntest_usd,1,a\n";
        let batch = partner.upload(&wallet_point, "b", file).await.data(201);
        let customer = partner.post("/v1/customers", "customer", json!({ "reference_id": "carol" })).await.data(201);
        let key = json!({ "name": "spare", "scopes": ["keys:read"] });
        let key = partner.post("/v1/api-keys", "api-key", key).await.data(201);
        let credit = json!({ "reference_id": "credit-of-alice", "customer_reference_id": "alice", "asset": "USDT", "amount": 3000 });
        partner.post("/v1/wallet/credits", "wallet-credit", credit.clone()).await.data(201);
        let entities = own(&partner).await;
        let [point, route, scheme, rates, account, deposit] = entities.as_slice() else { panic!() };
        let services = partner.get("/v1/payout-gateway/payout-services").await.data(200);
        let service = services
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["id"].as_str().is_some_and(|id| id.contains("test_usd")));
        let sandbox_route = world.route("sandbox-a-test-usd").await;
        let case = uuid::Uuid::now_v7();
        let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
        let request_uuid = uuid::Uuid::parse_str(text(&request).trim_start_matches("porq_")).unwrap();
        world
            .execute(&format!(
                "INSERT INTO staff_case (partner_id, mode, id, kind, request_id, evidence, opened_at) \
                 SELECT partner_id, mode, '{case}', 'late_processed', id, '{{}}', created_at FROM payout_request WHERE id = '{request_uuid}'"
            ))
            .await;
        let caller = gateway.authenticate_key(&self.keys.all, None).await.unwrap().caller;
        let change = KeyChange { name: Some("renamed".to_owned()), ..KeyChange::default() };
        let change = Change::ChangeKey { by: Maker::from(&caller), id: text(&key).parse().unwrap(), change };
        let approval = gateway.ask_for(&Author::from(&caller), &change).await.unwrap().unwrap();
        let sandbox = world.provider_account().await;
        let hook = json!({ "url": "https://shop.example/landfall" });
        let endpoint = partner.post("/v1/webhook-endpoints", "webhook-endpoint", hook.clone()).await.data(201);
        // The API's is deleted on the way; the dashboard's isn't.
        let lasting = partner.post("/v1/webhook-endpoints", "webhook-endpoint", hook.clone()).await.data(201);
        let ping = format!("/v1/webhook-endpoints/{}/ping", text(&endpoint));
        let delivery = world.send(self.partner(&self.keys.all, Method::POST, &ping)).await.data(201);
        let schemes =
            json!({ "services": { "card_eur": { "strategies": [{ "strategy": "direct", "routes": ["own"] }] } } });
        let rules = json!({ "rules": [{ "from": "USD", "to": "EUR", "kind": "fixed", "price": "0.93" }] });
        let usd = |reference: &str| json!({ "reference_id": reference, "currency": "USD", "amount": 1 });
        let mut single = manual(&text(point));
        single["point_currency"] = json!("USD");
        single["point_id"] = json!(wallet_point);
        single["route_id"] = json!(sandbox_route);
        single.as_object_mut().unwrap().remove("test_mode");
        single.as_object_mut().unwrap().remove("service");
        let mut ask = manual(&wallet_point);
        ask.as_object_mut().unwrap().remove("test_mode");
        let named = json!({ "code": "swept", "name": "Swept" });
        self.bodies = BTreeMap::from([
            ("createApiKey", document("api-key", json!({ "name": "swept", "scopes": ["keys:write"] }))),
            ("changeApiKey", document("api-key", json!({ "name": "swept" }))),
            ("createCustomer", document("customer", json!({ "reference_id": "swept" }))),
            ("createCustomerToken", document("customer-token", json!({ "scope": "wallet:read" }))),
            ("changeCustomer", document("customer", json!({ "version": 1, "name": "Swept" }))),
            ("createPartnerCredit", document("partner-credit", usd("swept"))),
            ("createBatch", ("text/csv", file.to_owned())),
            (
                "createDepositAccount",
                document(
                    "deposit-account",
                    json!({ "code": "swept", "provider_account_id": account["id"], "currency": "USD" }),
                ),
            ),
            ("changeDepositAccount", document("deposit-account", json!({ "version": 1, "name": "Swept" }))),
            ("topUpDepositAccount", document("deposit-account-top-up", json!({ "reference": "swept", "amount": "1" }))),
            ("createExchangeRateScheme", document("exchange-rate-scheme", with(&named, "body", rules.clone()))),
            ("publishExchangeRateSchemeVersion", document("exchange-rate-scheme-version", json!({ "body": rules }))),
            (
                "createPayoutPoint",
                document(
                    "payout-point",
                    json!({ "code": "swept", "name": "Swept", "currencies": ["EUR"], "funding": "own_deposit", "payout_scheme_id": scheme["id"] }),
                ),
            ),
            ("changePayoutPoint", document("payout-point", json!({ "version": 1, "enabled": false }))),
            ("createPayoutRequest", document("payout-request", ask)),
            ("changePayoutRequest", document("payout-request", json!({ "options": { "allow_partially": true } }))),
            (
                "createPayoutRoute",
                document(
                    "payout-route",
                    json!({ "code": "swept", "service": "card_eur", "deposit_account_id": deposit["id"] }),
                ),
            ),
            ("changePayoutRoute", document("payout-route", json!({ "version": 1, "weight": 5 }))),
            ("createPayoutScheme", document("payout-scheme", with(&named, "body", schemes.clone()))),
            ("publishPayoutSchemeVersion", document("payout-scheme-version", json!({ "body": schemes }))),
            (
                "simulatePayoutScheme",
                document(
                    "payout-scheme-simulation",
                    json!({ "sample": { "service": "card_eur", "service_amount": "10", "card": { "scheme": "VISA", "iin": "41111111" } } }),
                ),
            ),
            ("createSinglePayout", document("payout", single)),
            ("createProviderAccount", document("provider-account", json!({ "code": "swept", "provider": "test" }))),
            ("changeProviderAccount", document("provider-account", json!({ "name": "Swept" }))),
            ("createWebhookEndpoint", document("webhook-endpoint", hook)),
            ("changeWebhookEndpoint", document("webhook-endpoint", json!({ "description": "swept" }))),
            ("rotateWebhookSecret", document("webhook-secret-rotation", json!({ "overlap_secs": 60 }))),
            ("replayWebhooks", document("webhook-replay", json!({ "from": "2026-01-01T00:00:00Z" }))),
            ("createWalletCredit", document("wallet-credit", with(&credit, "reference_id", json!("swept")))),
            (
                "receiveProviderCallback",
                ("application/json", json!({ "reference": text(&payouts[0]), "status": "paid" }).to_string()),
            ),
        ]);
        self.ids = BTreeMap::from([
            ("{mode}", "test".to_owned()),
            ("{partner}", "demo".to_owned()),
            ("versions", "1".to_owned()),
            ("partners", "demo".to_owned()),
            ("api-keys", text(&key)),
            ("keys", text(&key)),
            ("customers", text(&customer)),
            ("batches", text(&batch)),
            ("deposit-accounts", text(deposit)),
            ("exchange-rate-schemes", text(rates)),
            ("payout-points", text(point)),
            ("payout-requests", text(&request)),
            ("requests", text(&request)),
            ("payout-routes", text(route)),
            ("payout-schemes", text(scheme)),
            ("schemes", text(scheme)),
            ("payout-services", text(service.unwrap())),
            ("payouts", text(&payouts[0])),
            ("provider-accounts", text(account)),
            ("provider-callbacks", sandbox),
            ("credits", "credit-of-alice".to_owned()),
            ("cases", case.simple().to_string()),
            ("approvals", approval.id.to_string()),
            ("webhook-endpoints", text(&endpoint)),
            ("webhooks", text(&lasting)),
            ("deliveries", text(&delivery)),
        ]);
    }

    async fn providers_accounts(&mut self) {
        // As Adyen makes its keys: the others take any text.
        let secret = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
        let partner = self.world.holder(&self.keys.all, "");
        let providers = &self.world.app.gateway.providers;
        // The simulator's accounts are configured, not made by partners; it signs as the sandbox does.
        for code in providers.codes().filter(|code| *code != "http") {
            let schema = providers.get(code).unwrap().credentials_schema();
            let credentials: serde_json::Map<String, Value> =
                schema.iter().map(|field| (field.name.to_owned(), json!(secret))).collect();
            let value = |field: &SettingField| match field.value {
                SettingValue::Text => "4711",
                SettingValue::OneOf(words) | SettingValue::SomeOf(words) => words[0],
            };
            let fields = providers.get(code).unwrap().settings_schema().into_iter().flatten();
            let settings: serde_json::Map<String, Value> = fields
                .filter(|field| field.is_required)
                .map(|field| (field.name.to_owned(), json!(value(field))))
                .collect();
            let account = json!({ "code": format!("at-{code}"), "provider": code, "credentials": credentials, "settings": settings });
            let made =
                partner.post("/v1/payout-gateway/provider-accounts", "provider-account", account).await.data(201);
            self.accounts.push((code, made["id"].as_str().unwrap().to_owned()));
        }
    }

    async fn users_objects(&mut self) {
        let wallet = &self.world.app.wallet;
        let card = || AddCard {
            number: PAID.to_owned().into(),
            holder: "ALICE EXAMPLE".into(),
            expiry_year: "2035".into(),
            expiry_month: "12".into(),
        };
        let (alice, bob) = (self.world.wallet_user("alice").await, self.world.wallet_user("bob").await);
        let of_acme = wallet.user("acme", Mode::Test, "alice", Some(3)).await.unwrap();
        for (n, stranger) in [&bob, &of_acme].into_iter().enumerate() {
            wallet.add_card(stranger, card()).await.unwrap();
            wallet.credit(stranger, "USDT", "3000", &format!("credit-{n}")).await.unwrap();
        }
        let card_id = wallet.add_card(&alice, card()).await.unwrap().id;
        let (amount, amount_to) = (Some("100".to_owned()), None);
        let input = OfferInput { amount, amount_to, currency_from: "USDT".into(), currency_to: "EUR".into() };
        self.world.rates_ready().await;
        let offer_id = wallet.create_offer(&alice, input, card_id).await.unwrap().id;
        let address = json!({ "address": "a", "city": "c", "countryCode": "DE", "zip": "1" });
        let card_id: Value = serde_json::from_str(&card_id.to_string()).unwrap();
        let mut add = |operation, body: Value| self.bodies.insert(operation, ("application/json", body.to_string()));
        add("addCard", world::card(PAID));
        add("setCardBillingAddress", address);
        add("createOffer", world::offer(&card_id, "100"));
        add("updateOffer", json!({ "amount": 200, "fromCurrency": "USDT", "toCurrency": "EUR" }));
        for kind in ["offer", "pay", "offers"] {
            self.ids.insert(kind, offer_id.to_string());
        }
        for kind in ["card", "cards"] {
            self.ids.insert(kind, card_id.to_string());
        }
    }

    async fn hire(&self, name: &str, role: Role) {
        let password = SecretString::from(PASSWORD);
        self.world.app.staff.create(&format!("{name}@landfall.example"), name, role, &password).await.unwrap();
    }

    async fn sign_in(&mut self, name: &'static str) {
        let browser = Browser::new(&self.world.url);
        let answer = browser.sign_in(&format!("{name}@landfall.example"), PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        let form_token = browser.get("/dashboard/test").await.form_token();
        self.staff.insert(name, Session { cookie: browser.cookie(COOKIE).unwrap(), form_token });
    }

    async fn staff(&mut self) {
        for role in Role::ALL {
            self.hire(role.as_str(), role).await;
            self.sign_in(role.as_str()).await;
        }
        let all = self.world.app.staff.list().await.unwrap();
        let viewer = all.into_iter().find(|one| one.role == Role::Viewer).unwrap();
        self.ids.insert("staff", viewer.id.to_string());
        for name in ["expired", "disabled"] {
            self.sign_in(name).await;
        }
        // Signed out, and kept by somebody who copied it.
        self.sign_in("admin").await;
        let browser = Browser::new(&self.world.url);
        let session = self.staff.remove("admin").unwrap();
        browser.set_cookie(COOKIE, &session.cookie);
        let answer = browser.post("/dashboard/sign-out", &[("form_token", &session.form_token)]).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        self.staff.insert("signed out", session);
        self.sign_in("admin").await;
        // A sign-in clears away sessions that are over.
        let of = |name: &str| format!("(SELECT id FROM staff WHERE email = '{name}@landfall.example')");
        let now = self.world.app.clock.now().to_rfc3339();
        let expired = format!(
            "UPDATE staff_session SET created_at = '{now}'::timestamptz - interval '12 hours', expires_at = '{now}' WHERE staff_id = {}",
            of("expired")
        );
        self.world.execute(&expired).await;
        self.world.execute(&format!("UPDATE staff SET disabled_at = '{now}' WHERE id = {}", of("disabled"))).await;
    }

    /// As a browser with this session's cookie.
    pub fn with_cookie(&self, request: RequestBuilder, cookie: &str) -> RequestBuilder {
        request.header("Cookie", format!("{COOKIE}={cookie}"))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.world.send(request).await
    }
}

impl Keys {
    fn none() -> Self {
        let none = String::new;
        let (without, only) = Default::default();
        Self {
            all: none(),
            revoked: none(),
            expired: none(),
            elsewhere: none(),
            acme: none(),
            live: none(),
            without,
            only,
        }
    }

    fn living(&self) -> Vec<String> {
        let some = [&self.all, &self.acme, &self.live].into_iter();
        some.chain(self.without.values()).chain(self.only.values()).cloned().collect()
    }
}
