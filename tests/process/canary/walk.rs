//! A walk through everything that takes something in: every operation of the API, every page and form, every provider's answers and
//! callbacks, files and commands, each with card numbers where they belong and where they don't. What is answered is kept for the search.

use std::time::Duration;

use landfall::http::{dashboard, openapi};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Map, Value, json};

use super::ground::{Ground, SERVICES};
use super::needles::Secret;

const HOLDER: &str = "Quillon Zybraxanthe";
const STREET: &str = "77 Vermiculite Crescent";
const WRONG_PASSWORD: &str = "a wrong passphrase of tests, Yt5";

pub struct Walk<'a> {
    ground: &'a Ground,
    url: String,
    client: Client,
    /// What was asked, and the answer: its status, its headers but cookies, its body.
    pub answers: Vec<(String, String)>,
    pub secrets: Vec<Secret>,
    /// A card with an address, in the wallet.
    card: Value,
}

/// One of the users of the API.
#[derive(Clone)]
struct Bearer(String);

impl<'a> Walk<'a> {
    pub fn new(ground: &'a Ground, url: String) -> Self {
        // A connection for each call, so that none of the server's keeps a number in its buffer.
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        let secrets = vec![
            Secret::text("a card holder's name", HOLDER),
            Secret::text("a street", STREET),
            Secret::text("a mistyped password", WRONG_PASSWORD),
        ];
        Self { ground, url, client, answers: Vec::new(), secrets, card: Value::Null }
    }

    fn number(&self, name: &str) -> String {
        self.ground.number(name).to_owned()
    }

    async fn send(&mut self, name: &str, request: RequestBuilder) -> (u16, Value) {
        let (status, text) = self.send_text(name, request).await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn send_text(&mut self, name: &str, request: RequestBuilder) -> (u16, String) {
        let answer = request.timeout(Duration::from_secs(60)).send().await.unwrap();
        let status = answer.status().as_u16();
        let headers: Vec<String> = answer
            .headers()
            .iter()
            .filter(|(name, _)| *name != "set-cookie")
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let text = answer.text().await.unwrap();
        self.answers.push((name.to_owned(), format!("{status}\n{}\n\n{text}", headers.join("\n"))));
        (status, text)
    }

    fn call(&self, method: Method, path: &str, bearer: &Bearer) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&bearer.0).header("Prefer", "wait=5")
    }

    async fn v4(&mut self, bearer: &Bearer, method: Method, path: &str, body: impl Into<String>) -> (u16, Value) {
        let name = format!("{method} {path}");
        let request = self.call(method, path, bearer).header("Content-Type", "application/json").body(body.into());
        self.send(&name, request).await
    }

    async fn v1(&mut self, bearer: &Bearer, method: Method, path: &str, kind: &str, attributes: Value) -> (u16, Value) {
        let name = format!("{method} {path}");
        let body = json!({"data": {"type": kind, "attributes": attributes}}).to_string();
        let request = self.call(method, path, bearer).header("Content-Type", "application/vnd.api+json").body(body);
        self.send(&name, request).await
    }

    /// Everything, once.
    pub async fn whole(&mut self) {
        let token = self.ground.says(&["token", "--user", "alice", "--kyc", "3"]).await;
        self.ground.says(&["fund", "--user", "alice", "--asset", "USDT", "--amount", "5000"]).await;
        let key = self.ground.says(&["api-key", "create", "--name", "canary", "--scopes", "all"]).await;
        let key = key.lines().last().unwrap().trim().to_owned();
        self.secrets.push(Secret::text("a wallet token's signature", token.rsplit('.').next().unwrap()));
        self.secrets.push(Secret::text("an API key", key.trim_start_matches("sk_test_")));
        let (user, partner) = (Bearer(token), Bearer(key));
        self.wallet(&user).await;
        self.gateway(&partner).await;
        self.batch(&partner).await;
        self.callbacks().await;
        self.every_operation(&user, &partner).await;
        self.dashboard().await;
        self.commands().await;
        self.metrics("after the walk").await;
    }

    async fn wallet(&mut self, user: &Bearer) {
        let (number, other) = (self.number("of a wallet's card"), self.number("of a wallet's other card"));
        let card = |number: &str| {
            format!(
                r#"{{"cardNumber": {number}, "cardHolder": "{HOLDER}", "cardExpirationYear": 2035, "cardExpirationMonth": 12}}"#
            )
        };
        let grouped =
            number.as_bytes().chunks(4).map(|g| std::str::from_utf8(g).unwrap()).collect::<Vec<_>>().join(" ");
        let escaped: String = number.bytes().map(|b| format!("\\u{b:04x}")).collect();
        let mut id = Value::Null;
        for spelt in [number.clone(), format!("\"{grouped}\""), format!("\"{escaped}\"")] {
            let (status, added) = self.v4(user, Method::POST, "/v4/payout/card", card(&spelt)).await;
            assert_eq!(status, 200, "{added}");
            id = added["cardId"].clone();
        }
        let (status, second) = self.v4(user, Method::POST, "/v4/payout/card", card(&format!("\"{other}\""))).await;
        assert_eq!(status, 200, "{second}");
        let address = json!({"address": STREET, "city": "Ghent", "countryCode": "BE", "zip": "9000", "state": ""});
        let path = format!("/v4/payout/card/{id}/billing-address");
        assert_eq!(self.v4(user, Method::PUT, &path, address.to_string()).await.0, 200);

        self.card = id.clone();

        // What is refused: mistyped, with a code, in the wrong member, in none that there is, and not JSON.
        let mistyped = self.number("that is mistyped").replacen('8', "9", 1);
        self.v4(user, Method::POST, "/v4/payout/card", card(&mistyped)).await;
        let stray = self.number("where none belongs");
        for body in [
            card(&self.number("that is mistyped")).replace('}', r#", "cvv": "123"}"#),
            card(&number).replace(HOLDER, &stray),
            card(&number).replace("2035", &stray),
            json!({ "cardNumber": {"number": stray}, "cardHolder": HOLDER }).to_string(),
            json!({ stray.as_str(): 1 }).to_string(),
            format!(r#"{{"cardNumber": "{stray}", "#),
            format!("cardNumber={stray}"),
            stray.clone(),
        ] {
            self.v4(user, Method::POST, "/v4/payout/card", body).await;
        }
        let in_address = json!({"address": stray, "city": stray, "countryCode": "BE", "zip": stray, "state": stray});
        self.v4(user, Method::PUT, &path, in_address.to_string()).await;

        for card in [id.clone(), second["cardId"].clone()] {
            let wish = json!({"amount": 100, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": card});
            let (status, offer) = self.v4(user, Method::POST, "/v4/payout/offer", wish.to_string()).await;
            assert_eq!(status, 200, "{offer}");
            let path = format!("/v4/payout/pay/{}", offer["offerId"]);
            let keyed = self.call(Method::POST, &path, user).header("Idempotency-Key", "pay-once");
            self.send("POST pay", keyed).await;
            let again = self.call(Method::POST, &path, user).header("Idempotency-Key", "pay-once");
            self.send("POST pay, again", again).await;
            self.v4(user, Method::GET, &path, "").await;
        }
        let wish = json!({"amount": stray, "fromCurrency": stray, "toCurrency": "EUR", "cardId": stray});
        self.v4(user, Method::POST, "/v4/payout/offer", wish.to_string()).await;
        let in_header = self.number("in a header");
        for header in
            ["Idempotency-Key", "Accept-Language", "Prefer", "User-Agent", "Cookie", "Content-Type", "traceparent"]
        {
            let request = self.call(Method::POST, "/v4/payout/card", user).body(card(&number));
            self.send(&format!("{header} with a number"), request.header(header, &in_header)).await;
        }
        let request = self.client.get(format!("{}/v4/payout/data", self.url)).bearer_auth(&in_header);
        self.send("a number for a token", request).await;
        self.v4(user, Method::DELETE, &format!("/v4/payout/card/{}", second["cardId"]), "").await;
    }

    fn fields(number: &str) -> Value {
        json!({"card_number": number, "card_expiry_month": "12", "card_expiry_year": "2035", "card_holder": HOLDER,
            "address": "1 Harbour Street", "city": "Ghent", "zip": "9000", "state": "Oost-Vlaanderen", "country_code": "BE"})
    }

    async fn point(&self) -> String {
        let sql = "SELECT 'pop_' || replace(id::text, '-', '') FROM payout_point WHERE code = 'wallet'";
        self.ground.query(sql).await.remove(0)
    }

    async fn gateway(&mut self, partner: &Bearer) {
        for currency in ["EUR", "USD", "GBP"] {
            let credit = json!({"reference_id": format!("canary-{currency}"), "currency": currency, "amount": "5000"});
            assert_eq!(
                self.v1(partner, Method::POST, "/v1/partner-accounts/credits", "partner-credit", credit).await.0,
                201
            );
        }
        let point = self.point().await;
        let requests = "/v1/payout-gateway/payout-requests";
        let (number, amex) = (self.number("of a request"), self.number("of an American Express card"));
        let stray = self.number("where none belongs");
        for (service, currency) in SERVICES {
            // Several, since each call is answered in another way.
            for n in 0..7 {
                let spelt = if n == 3 { amex.clone() } else { number.clone() };
                let mut ask = json!({
                    "point_id": point, "point_currency": currency, "service": service, "service_amount": format!("1{n}.50"),
                    "fields": Self::fields(&spelt), "description": "A canary's pay",
                });
                // It pays to no card without an address, which is the wallet's.
                if service == "adyen_eur" {
                    ask["token"] = json!(self.card.to_string());
                    ask["fields"] = json!({});
                }
                let body = json!({"data": {"type": "payout-request", "attributes": ask}}).to_string();
                let keyed =
                    self.call(Method::POST, requests, partner).header("Idempotency-Key", format!("{service}-{n}"));
                let keyed = keyed.header("Content-Type", "application/vnd.api+json").body(body);
                let (status, made) = self.send("POST a request", keyed).await;
                assert!(status == 201 || spelt == amex, "{service}: {made}");
            }
        }
        for (name, value) in [
            ("description", json!(format!("rent, {stray}"))),
            ("reference_id", json!(stray)),
            ("customer", json!({"reference_id": stray})),
            ("callback_url", json!(format!("https://partner.example/{stray}"))),
            ("metadata", json!({"note": stray, stray.as_str(): "x"})),
            ("custom", json!({"note": stray})),
            ("fields", json!({"account": stray})),
            ("fields", json!({"account": format!("for {stray}, please")})),
            ("fields", json!({"account": "a", "test_details_payout_resolution": format!("see {stray}")})),
            ("service", json!(stray)),
            ("token", json!(stray)),
        ] {
            let mut ask = json!({"point_id": point, "point_currency": "USD", "service": "test_usd", "service_amount": "1", "fields": {"account": "a"}});
            ask[name] = value;
            self.v1(partner, Method::POST, requests, "payout-request", ask).await;
        }
        // Until everything was sent and asked about some times.
        for _ in 0..100 {
            let calls = self.ground.provider_calls();
            if calls.values().all(|count| *count >= 4) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let request = self.call(Method::GET, requests, partner);
        self.send("GET the requests", request).await;
        let request = self.call(Method::GET, "/v1/events?page[size]=100", partner);
        self.send("GET the events", request).await;
    }

    async fn batch(&mut self, partner: &Bearer) {
        let (point, number) = (self.point().await, self.number("of a batch"));
        let stray = self.number("where none belongs");
        let file = format!(
            "service;service_amount;fields.card_number;fields.card_expiry_month;fields.card_expiry_year;fields.card_holder;reference_id;description\r\n\
             card_eur;10;{number};12;2035;{HOLDER};b-1;Rent\r\n\
             card_eur;10;{number};12;2035;{HOLDER};{stray};Rent\r\n\
             card_eur;{stray};{number};12;2035;{HOLDER};b-3;{stray}\r\n\
             {stray};1;{number};12;2035;{stray};b-4;x\r\n\
             \"{stray};1\r\n"
        );
        let path = format!("/v1/payout-gateway/batches?point_id={point}&name=canary");
        let request = self.call(Method::POST, &path, partner).header("Content-Type", "text/csv").body(file);
        let (_, made) = self.send("POST a batch", request).await;
        if let Some(path) = made["data"]["links"]["self"].as_str() {
            for path in [path.to_owned(), format!("{path}/problems"), format!("{path}/items")] {
                let request = self.call(Method::GET, &path, partner);
                self.send("GET of the batch", request).await;
            }
            let request = self.call(Method::POST, &format!("{path}/process"), partner);
            self.send("POST process", request).await;
        }
    }

    /// Callbacks of every provider's account: unsigned, with a number in every spelling, and signed where a provider signs.
    async fn callbacks(&mut self) {
        let number = Secret::number("in a callback", self.ground.number("in a callback"));
        let accounts = self
            .ground
            .query("SELECT 'pac_' || replace(id::text, '-', '') || ' ' || provider FROM provider_account WHERE mode = 'test'")
            .await;
        // As programs write it: whole, with something around.
        let mut spelt = number.spellings();
        let digits = number.expose();
        spelt.extend([
            ("digits", digits.to_vec()),
            ("hex", hex::encode(digits).into_bytes()),
            ("HEX", hex::encode_upper(digits).into_bytes()),
        ]);
        for (name, before) in [("base64", ""), ("base64 after one byte", "x"), ("base64 after two bytes", "xy")] {
            use base64::Engine;
            let plain = [before.as_bytes(), digits, b"z"].concat();
            spelt.push((name, base64::engine::general_purpose::STANDARD.encode(plain).into_bytes()));
        }
        for account in accounts {
            let (id, provider) = account.split_once(' ').unwrap();
            let url = format!("{}/v1/provider-callbacks/{id}", self.url);
            for (name, written) in &spelt {
                let written = String::from_utf8_lossy(written).into_owned();
                // The escapes of JSON as they are, not escaped again.
                let body = format!(
                    r#"{{"reference": "nobody's", "id": "x", "type": "x", "pan": "{written}", "data": {{"reference": "{written}", "status": "booked"}}}}"#
                );
                let request = self.client.post(&url).header("Content-Type", "application/json").body(body.clone());
                let request = request.header("X-Signature", hex::encode(number.expose()));
                self.send(&format!("a callback of {provider}, {name}"), request).await;
                if provider == "adyen" {
                    use landfall::providers::adyen::signature;
                    let hmac = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
                    let signed = signature::sign(&hmac.into(), body.as_bytes()).unwrap();
                    let request =
                        self.client.post(&url).header("HmacSignature", signed).header("Protocol", "HmacSHA256");
                    self.send("a signed callback", request.header("Content-Type", "application/json").body(body)).await;
                }
            }
            let form = format!("pan={}&x=1", String::from_utf8_lossy(number.expose()));
            let request = self.client.post(&url).header("Content-Type", "application/x-www-form-urlencoded").body(form);
            self.send(&format!("a callback of {provider}, a form"), request).await;
        }
    }

    /// Every operation of the description, with a number for each id in its path and in every member of its body.
    async fn every_operation(&mut self, user: &Bearer, partner: &Bearer) {
        let api = serde_json::to_value(openapi::openapi().unwrap()).unwrap();
        let (in_path, stray) = (self.number("in a path"), self.number("where none belongs"));
        let mut asked = 0;
        for (path, item) in api["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let bearer = if path.starts_with("/v4/") { user } else { partner };
                let there: String = path
                    .split('/')
                    .map(|part| if part.starts_with('{') { in_path.as_str() } else { part })
                    .collect::<Vec<_>>()
                    .join("/");
                let mut members = Map::new();
                members_of(&api, &operation["requestBody"], &mut members, &stray, 0);
                let bodies = if operation["requestBody"].is_object() {
                    let of_v1 = json!({"data": {"type": stray, "id": stray, "attributes": members}});
                    let body = if path.starts_with("/v4/") { Value::Object(members) } else { of_v1 };
                    vec![body.to_string(), format!("[\"{stray}\""), format!("\"{stray}\"")]
                } else {
                    vec![String::new()]
                };
                for body in bodies {
                    let kind = if path.starts_with("/v4/") { "application/json" } else { "application/vnd.api+json" };
                    let mut request = self.call(method.clone(), &there, bearer).header("Content-Type", kind);
                    request = request.header("Idempotency-Key", format!("sweep-{asked}"));
                    if !body.is_empty() {
                        request = request.body(body);
                    }
                    self.send(&format!("{method} {path}"), request).await;
                    asked += 1;
                }
            }
        }
        assert!(asked > 60, "{asked}");
        // And as a path that there is not, with methods that there are not.
        for method in [Method::GET, Method::POST, Method::DELETE, Method::TRACE] {
            let request = self.call(method, &format!("/v1/{in_path}/{in_path}"), partner);
            self.send("nothing there", request).await;
        }
    }

    async fn dashboard(&mut self) {
        let password = std::fs::read_to_string(self.ground.path().join("data/keys/dashboard-admin.txt")).unwrap();
        let password = password.trim().to_owned();
        self.secrets.push(Secret::text("a password of staff", &password));
        let stray = self.number("in a form");
        for (email, typed) in [
            (stray.as_str(), WRONG_PASSWORD),
            ("admin@localhost", WRONG_PASSWORD),
            ("admin@localhost", stray.as_str()),
            ("admin@localhost", &password),
        ] {
            let form = self.client.get(format!("{}/dashboard/sign-in", self.url)).send().await.unwrap();
            let cookie = cookie_of(&form);
            let token = form_token(&form.text().await.unwrap()).unwrap();
            let body = format!("form_token={}&email={}&password={}", encoded(&token), encoded(email), encoded(typed));
            let request = self
                .client
                .post(format!("{}/dashboard/sign-in", self.url))
                .header("Cookie", &cookie)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .body(body);
            let answer = request.send().await.unwrap();
            if answer.status() == 303 {
                let session = cookie_of(&answer);
                self.secrets.push(Secret::text("a session's token", session.split_once('=').unwrap().1));
                self.pages(&session, &stray).await;
                return;
            }
            assert!(typed != password, "{:?}", answer.status());
            let text = answer.text().await.unwrap();
            self.answers.push(("a sign-in that is refused".to_owned(), text));
        }
    }

    async fn pages(&mut self, session: &str, stray: &str) {
        let request_path = self
            .ground
            .query("SELECT 'demo/porq_' || replace(id::text, '-', '') FROM payout_request ORDER BY created_at")
            .await;
        let mut token = String::new();
        // The stream has what the overview has, and goes on.
        for address in dashboard::addresses().into_iter().filter(|address| !address.path.ends_with("/live")) {
            let mut paths =
                vec![address.path.replace("{mode}", "test").replace("{partner}", "demo").replace("{id}", stray)];
            if address.path.ends_with("requests/{partner}/{id}") {
                paths.extend(request_path.iter().map(|path| format!("/test/requests/{path}")));
            }
            for path in paths {
                let url = format!("{}{}{path}", self.url, dashboard::PREFIX);
                let name = format!("{} {}", address.method, address.path);
                if address.method.as_str() == "GET" {
                    let (_, page) = self.send_text(&name, self.client.get(url).header("Cookie", session)).await;
                    token = form_token(&page).unwrap_or(token);
                } else if !path.contains("sign-") {
                    let fields = [
                        "reason",
                        "evidence",
                        "original_id",
                        "rrn",
                        "arn",
                        "amount",
                        "decision",
                        "seen",
                        "payout",
                        "end",
                        "partner",
                        "name",
                        "code",
                        "body",
                        "comment",
                        "last",
                    ];
                    let form: Vec<String> = fields.iter().map(|field| format!("{field}={stray}")).collect();
                    let body = format!("form_token={}&{}", encoded(&token), form.join("&"));
                    let request = self.client.post(url).header("Cookie", session).body(body);
                    let request = request.header("Content-Type", "application/x-www-form-urlencoded");
                    self.send_text(&name, request).await;
                }
            }
        }
    }

    /// What is typed on a console, and a report.
    async fn commands(&mut self) {
        let (in_report, listed) = (self.number("in a report"), self.number("on a block list"));
        let file = self.ground.path().join("report.csv");
        let header = "reference,original_id,status,amount_processed,amount_returned,currency,taken_at";
        let line = |reference: &str, id: &str| format!("{reference},{id},processed,25,0,EUR,2020-01-01T12:00:00Z");
        let grouped =
            in_report.as_bytes().chunks(4).map(|g| std::str::from_utf8(g).unwrap()).collect::<Vec<_>>().join("-");
        let lines = [
            header.to_owned(),
            line(&in_report, "x"),
            line("by hand", &in_report),
            line(&format!("to {grouped}"), &grouped),
        ];
        std::fs::write(&file, lines.join("\n")).unwrap();
        for _ in 0..2 {
            let output =
                self.ground.run(&["reconcile", "--account", "sandbox", "--file", file.to_str().unwrap()]).await;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            self.answers.push(("what the command reconcile says".to_owned(), said));
        }
        // What is handed in isn't ours to search.
        std::fs::remove_file(&file).unwrap();
        let mut command = self.ground.command(&["block", "add", "card", "--by", "ada", "--reason", "stolen"]);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        use tokio::io::AsyncWriteExt;
        child.stdin.take().unwrap().write_all(format!("{listed}\n").as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        self.answers.push(("what the command block says".to_owned(), String::from_utf8_lossy(&said).into_owned()));
        for arguments in
            [&["moderation", "list"][..], &["verify"], &["config", "check"], &["keys", "check"], &["cards", "list"]]
        {
            let output = self.ground.run(arguments).await;
            let said = [output.stdout, output.stderr].concat();
            self.answers
                .push((format!("what the command {arguments:?} says"), String::from_utf8_lossy(&said).into_owned()));
        }
    }

    pub async fn metrics(&mut self, when: &str) {
        for path in ["/metrics", "/health", "/health/ready"] {
            let request = self.client.get(format!("{}{path}", self.url));
            self.send_text(&format!("{path} {when}"), request).await;
        }
    }
}

/// Each member that a body may have, with the number in it: the names out of its schema, as deep as they go.
fn members_of(api: &Value, schema: &Value, members: &mut Map<String, Value>, number: &str, depth: usize) {
    if depth > 12 {
        return;
    }
    if let Some(name) = schema["$ref"].as_str() {
        return members_of(
            api,
            api.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null),
            members,
            number,
            depth + 1,
        );
    }
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "properties" {
                    for (member, inner) in value.as_object().into_iter().flatten() {
                        members.insert(member.clone(), json!(number));
                        members_of(api, inner, members, number, depth + 1);
                    }
                } else {
                    members_of(api, value, members, number, depth + 1);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members_of(api, item, members, number, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn cookie_of(answer: &reqwest::Response) -> String {
    let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    let pair = cookies.filter_map(|cookie| cookie.split(';').next()).find(|pair| !pair.ends_with('='));
    pair.unwrap_or_default().to_owned()
}

fn form_token(page: &str) -> Option<String> {
    let (_, rest) = page.split_once(r#"name="form_token" value=""#)?;
    Some(rest.split('"').next()?.to_owned())
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
