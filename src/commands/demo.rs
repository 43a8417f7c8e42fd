//! `demo`: one whole payout through the public HTTP API, as a wallet app would drive it, each step shown.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use chrono::TimeDelta;
use clap::Args;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::asset::AssetCode;
use landfall::domain::ids::Mode;
use landfall::gateway::access::audit::{Author, Gate};
use landfall::gateway::access::keys::NewKey;
use landfall::gateway::access::{Caller, Principal, Refusal, Scope};
use landfall::gateway::funds::PartnerCredit;
use landfall::gateway::manage::Slice;
use landfall::gateway::manage::points::PointFilter;
use landfall::http::auth::mint_development_token;
use reqwest::{Client, Method, Response};
use rust_decimal::Decimal;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Failure, system_clock};

/// A published test number that reaches nobody.
const CARD_NUMBER: u64 = 4_111_111_111_111_111;

/// Who the demonstration is of.
const PARTNER: &str = "demo";

#[derive(Args)]
pub struct Arguments {
    /// Where the server listens.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

/// Against a server that runs elsewhere, over the same settings.
pub async fn run(settings: Settings, arguments: &Arguments) -> Result<ExitCode, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = drive(&app, &arguments.url).await;
    drop(app);
    database.close().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Against the server of this process.
pub async fn show(app: &App, address: SocketAddr) -> Result<(), Failure> {
    drive(app, &format!("http://{address}")).await
}

/// Prints where everything is and what to type next.
pub async fn how_to_go_on(app: &App, address: SocketAddr) -> Result<(), Failure> {
    let user = "alice";
    let token = mint_development_token(&app.settings, user, Some(1), TimeDelta::hours(24), app.clock.now())?;
    fund(app, user).await?;
    let partner = partner(app).await?;
    let admin = app.staff.ensure_development_admin(&app.settings.modes, &app.settings.data_dir).await?;
    println!();
    println!("Landfall serves on http://{address}");
    println!("  documentation     http://{address}/docs  (begin with http://{address}/docs/start)");
    println!("  API description   http://{address}/docs/api/  (http://{address}/openapi.yaml)");
    println!(
        "  dashboard         http://{address}/dashboard  sign in as {} with {}",
        admin.email,
        admin.password.expose_secret()
    );
    println!("  health            http://{address}/health/ready");
    println!("  a wallet user     {user}, KYC level 1, with 1000 USDT more; her token for 24 hours:");
    println!();
    println!("export TOKEN={token}");
    println!("curl -s http://{address}/v4/payout/data -H \"Authorization: Bearer $TOKEN\"");
    println!();
    println!(
        "  a partner         {PARTNER}, with {} {} more on its balance; its test key for 24 hours, and its payout point:",
        partner.credit.amount, partner.credit.currency
    );
    println!();
    println!("export KEY={}", partner.key);
    println!("export POINT={}", partner.point);
    println!(
        "curl -s http://{address}/v1/payout-gateway/payout-requests -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\"
    );
    println!("  -d '{}'", sample("'$POINT'"));
    println!();
    println!("Ctrl-C ends it.");
    Ok(())
}

/// The documented sample request.
fn sample(point: &str) -> Value {
    json!({ "data": { "type": "payout-request", "attributes": {
        "point_amount": 1, "point_id": point, "point_currency": "USD", "service": "test_usd", "test_mode": true,
        "fields": { "account": "some_random_string" },
    } } })
}

/// What a new partner needs to ask for a payout.
struct Partner {
    key: String,
    point: String,
    credit: PartnerCredit,
}

/// The demonstration's partner with a new key and money on its balance.
async fn partner(app: &App) -> Result<Partner, Failure> {
    let tenant = app.wallet.user(PARTNER, Mode::Test, "demo", None).await?.tenant;
    let new = NewKey {
        name: "demonstration".to_owned(),
        scopes: Scope::ALL.into_iter().collect(),
        allowed_ips: Vec::new(),
        expires_at: Some(app.clock.now() + TimeDelta::hours(24)),
        signing_required: false,
    };
    let (key, secret) = app.gateway.make_key(&Author::command(tenant), false, new).await.map_err(said)?;
    let caller = Caller {
        tenant,
        by: Principal::Key(key.id),
        scopes: key.scopes,
        is_house: false,
        origin: None,
        gate: Gate::Open,
    };
    let credit = PartnerCredit {
        partner_id: None,
        currency: "USD".parse::<AssetCode>()?,
        amount: Decimal::ONE_THOUSAND,
        reference: format!("demo-{}", Uuid::now_v7().simple()),
    };
    app.gateway.credit_partner(&caller, &credit).await.map_err(said)?;
    let slice = Slice { newest_first: false, after: Slice::start(false), limit: 1 };
    let points = app.gateway.list_points(&caller, &PointFilter::default(), slice).await.map_err(said)?;
    let point = points.first().ok_or_else(|| format!("partner {PARTNER} has no payout point"))?;
    Ok(Partner { key: secret.expose().to_owned(), point: point.id.to_string(), credit })
}

fn said(refusal: Refusal) -> Failure {
    refusal.to_string().into()
}

async fn fund(app: &App, user: &str) -> Result<(), Failure> {
    let user = app.wallet.user("demo", Mode::Test, user, None).await?;
    let reference = format!("demo-{}", Uuid::now_v7().simple());
    app.wallet.credit(&user, "USDT", "1000", &reference).await?;
    Ok(())
}

/// An HTTP client that shows what it asks and what it is answered.
struct Steps {
    client: Client,
    url: String,
    token: String,
    step: u32,
}

impl Steps {
    async fn call(
        &mut self,
        what: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
        shown: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.step += 1;
        println!();
        println!("{}. {what}", self.step);
        println!("   {method} {path}");
        if let Some(shown) = shown.or(body) {
            println!("   {shown}");
        }
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(&self.token)
            .header("X-Sdk-Version", "payoutCard=1.2");
        if let Some(body) = body {
            request = request.json(body);
        }
        let response: Response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        let answer: Value = if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? };
        println!("   -> {status}");
        for line in serde_json::to_string_pretty(&summary(&answer))?.lines() {
            println!("      {line}");
        }
        if status.is_success() { Ok(answer) } else { Err(format!("{what}: {status} {text}").into()) }
    }
}

/// Long lists are cut for reading.
fn summary(answer: &Value) -> Value {
    match answer {
        Value::Array(items) if items.len() > 2 => {
            let mut kept: Vec<Value> = items.iter().take(2).map(summary).collect();
            kept.push(json!(format!("... and {} more", items.len() - 2)));
            Value::Array(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(summary).collect()),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), summary(value))).collect())
        }
        other => other.clone(),
    }
}

async fn drive(app: &App, url: &str) -> Result<(), Failure> {
    let user = format!("demo-{}", Uuid::now_v7().simple());
    let token = mint_development_token(&app.settings, &user, Some(1), TimeDelta::hours(1), app.clock.now())?;
    println!("A user ({user}, KYC level 1) receives 1000 USDT in the wallet.");
    fund(app, &user).await?;
    let client = Client::builder().timeout(Duration::from_secs(30)).build()?;
    let mut steps = Steps { client, url: url.trim_end_matches('/').to_owned(), token, step: 0 };

    let card = json!({
        "cardNumber": CARD_NUMBER,
        "cardHolder": "ALICE EXAMPLE",
        "cardExpirationYear": 2030,
        "cardExpirationMonth": 12,
    });
    let mut shown = card.clone();
    shown["cardNumber"] = json!("4111***1111");
    let added = steps.call("Add a card", Method::POST, "/v4/payout/card", Some(&card), Some(&shown)).await?;
    steps.call("See cards, rates and fees", Method::GET, "/v4/payout/data", None, None).await?;
    let wish = json!({
        "amount": 500,
        "fromCurrency": "USDT",
        "toCurrency": "EUR",
        "cardId": added["cardId"],
    });
    let offer = steps.call("Ask for an offer", Method::POST, "/v4/payout/offer", Some(&wish), None).await?;
    let id = offer["offerId"].to_string();
    let wish = json!({"amount": "760.06209697", "fromCurrency": "USDT", "toCurrency": "EUR"});
    let path = format!("/v4/payout/offer/{id}");
    steps.call("Change it", Method::PUT, &path, Some(&wish), None).await?;
    let paid = steps.call("Pay it", Method::POST, &format!("/v4/payout/pay/{id}"), None, None).await?;
    steps.call("See what is left", Method::GET, "/v4/wallet/balances", None, None).await?;
    println!();
    if paid["status"] != "SUCCESS" {
        return Err(format!("the payout ended as {}", paid["status"]).into());
    }
    println!("Paid: {} {} reached the card.", paid["amountTo"], paid["currencyTo"].as_str().unwrap_or(""));
    Ok(())
}
