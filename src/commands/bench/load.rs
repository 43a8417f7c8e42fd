//! The load: clients that each do the same over and over, for a bounded time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use landfall::app::App;
use landfall::http::auth::mint_development_token;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::{Failure, complain};

/// One client's user, with a card and a balance.
struct User {
    token: String,
    card_id: Value,
    /// An offer that was paid, to look at.
    paid_offer: String,
}

/// The server under load and the users that load it.
pub struct Target {
    client: Client,
    url: String,
    users: Arc<Vec<User>>,
}

/// Latencies of what succeeded, in microseconds, and how much didn't.
#[derive(Default)]
pub struct Measured {
    micros: Vec<u64>,
    pub failures: usize,
    took: Duration,
}

impl Measured {
    pub fn note(&mut self, took: Duration) {
        self.micros.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub fn add(&mut self, other: Self) {
        self.micros.extend(other.micros);
        self.failures += other.failures;
    }

    /// All is measured, in `took`.
    pub fn close(&mut self, took: Duration) {
        self.took = took;
        self.micros.sort_unstable();
    }

    pub fn count(&self) -> usize {
        self.micros.len()
    }

    pub fn per_second(&self) -> u64 {
        let millis = u64::try_from(self.took.as_millis()).unwrap_or(1).max(1);
        u64::try_from(self.micros.len()).unwrap_or(0).saturating_mul(1_000) / millis
    }

    /// A percentile in microseconds; 0 where nothing was measured.
    pub fn micros(&self, percent: usize) -> u64 {
        self.micros.len().checked_sub(1).and_then(|last| self.micros.get(last * percent / 100)).copied().unwrap_or(0)
    }

    /// A percentile in milliseconds, as text.
    pub fn millis(&self, percent: usize) -> String {
        let Some(last) = self.micros.len().checked_sub(1) else { return "-".to_owned() };
        let micros = self.micros[last * percent / 100];
        format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
    }
}

/// What a client does over and over.
#[derive(Clone, Copy)]
enum Work {
    Payout,
    Endpoint(Endpoint),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    AddCard,
    Data,
    CreateOffer,
    UpdateOffer,
    Pay,
    PayState,
    Offer,
    History,
    Balances,
}

impl Endpoint {
    pub const ALL: [Endpoint; 9] = [
        Endpoint::AddCard,
        Endpoint::Data,
        Endpoint::CreateOffer,
        Endpoint::UpdateOffer,
        Endpoint::Pay,
        Endpoint::PayState,
        Endpoint::Offer,
        Endpoint::History,
        Endpoint::Balances,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Endpoint::AddCard => "POST /v4/payout/card",
            Endpoint::Data => "GET  /v4/payout/data",
            Endpoint::CreateOffer => "POST /v4/payout/offer",
            Endpoint::UpdateOffer => "PUT  /v4/payout/offer/{id}",
            Endpoint::Pay => "POST /v4/payout/pay/{id}",
            Endpoint::PayState => "GET  /v4/payout/pay/{id}",
            Endpoint::Offer => "GET  /v4/payout/offer/{id}",
            Endpoint::History => "GET  /v4/payout/history",
            Endpoint::Balances => "GET  /v4/wallet/balances",
        }
    }
}

impl Target {
    /// Makes users, funds them through the ledger and gives each a card and a paid offer.
    pub async fn prepare(app: &App, address: SocketAddr, clients: usize) -> Result<Self, Failure> {
        let client = Client::builder().timeout(Duration::from_secs(30)).pool_max_idle_per_host(clients).build()?;
        let mut target = Self { client, url: format!("http://{address}"), users: Arc::default() };
        let mut users = Vec::new();
        for n in 0..clients {
            let name = format!("bench-{n}");
            super::fund(app, &name).await?;
            let ttl = TimeDelta::hours(2);
            let token = mint_development_token(&app.settings, &name, Some(3), ttl, app.clock.now())?;
            let mut user = User { token, card_id: Value::Null, paid_offer: String::new() };
            user.card_id = target.add_card(&user).await?["cardId"].clone();
            let offer = target.offer(&user).await?;
            user.paid_offer = offer.clone();
            target.call(&user, Method::POST, &format!("/v4/payout/pay/{offer}"), None).await?;
            users.push(user);
        }
        target.users = Arc::new(users);
        Ok(target)
    }

    async fn call(&self, user: &User, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&user.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let bytes = response.bytes().await?;
        if !status.is_success() {
            return Err(format!("{path}: {status} {}", String::from_utf8_lossy(&bytes)).into());
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    async fn add_card(&self, user: &User) -> Result<Value, Failure> {
        let card = json!({
            "cardNumber": 4_111_111_111_111_111_u64,
            "cardHolder": "BENCH MARK",
            "cardExpirationYear": 2035,
            "cardExpirationMonth": 12,
        });
        self.call(user, Method::POST, "/v4/payout/card", Some(card)).await
    }

    async fn offer(&self, user: &User) -> Result<String, Failure> {
        let wish = json!({"amount": 100, "fromCurrency": "USDT", "toCurrency": "EUR", "cardId": user.card_id});
        let offer = self.call(user, Method::POST, "/v4/payout/offer", Some(wish)).await?;
        Ok(offer["offerId"].to_string())
    }

    /// Offers and pays until the time is over; a payout counts when it is paid. Latencies are the pays'.
    pub async fn payouts(&self, clients: usize, time: Duration) -> Result<Measured, Failure> {
        self.run(clients, time, Work::Payout).await
    }

    /// One endpoint over and over; what it needs first isn't in its latency.
    pub async fn endpoint(&self, endpoint: Endpoint, clients: usize, time: Duration) -> Result<Measured, Failure> {
        self.run(clients, time, Work::Endpoint(endpoint)).await
    }

    /// So many offers of a user that nobody pays, each with the user's token.
    pub async fn open_offers(&self, user: usize, count: usize) -> Result<Vec<(String, String)>, Failure> {
        let user = self.users.get(user).ok_or("there is no such user")?;
        let mut offers = Vec::with_capacity(count);
        for _ in 0..count {
            offers.push((user.token.clone(), self.offer(user).await?));
        }
        Ok(offers)
    }

    async fn pay(&self, user: &User) -> Result<Duration, Failure> {
        let offer = self.offer(user).await?;
        let begun = Instant::now();
        let paid = self.call(user, Method::POST, &format!("/v4/payout/pay/{offer}"), None).await?;
        if paid["status"] == "SUCCESS" { Ok(begun.elapsed()) } else { Err(paid["status"].to_string().into()) }
    }

    async fn ask(&self, user: &User, endpoint: Endpoint) -> Result<Duration, Failure> {
        let needs_offer = matches!(endpoint, Endpoint::UpdateOffer | Endpoint::Pay | Endpoint::Offer);
        let offer = if needs_offer { self.offer(user).await? } else { user.paid_offer.clone() };
        let begun = Instant::now();
        match endpoint {
            Endpoint::AddCard => self.add_card(user).await?,
            Endpoint::Data => self.call(user, Method::GET, "/v4/payout/data", None).await?,
            Endpoint::CreateOffer => Value::String(self.offer(user).await?),
            Endpoint::UpdateOffer => {
                let wish = json!({"amount": 150, "fromCurrency": "USDT", "toCurrency": "EUR"});
                self.call(user, Method::PUT, &format!("/v4/payout/offer/{offer}"), Some(wish)).await?
            }
            Endpoint::Pay => self.call(user, Method::POST, &format!("/v4/payout/pay/{offer}"), None).await?,
            Endpoint::PayState => self.call(user, Method::GET, &format!("/v4/payout/pay/{offer}"), None).await?,
            Endpoint::Offer => self.call(user, Method::GET, &format!("/v4/payout/offer/{offer}"), None).await?,
            Endpoint::History => self.call(user, Method::GET, "/v4/payout/history?limit=20", None).await?,
            Endpoint::Balances => self.call(user, Method::GET, "/v4/wallet/balances", None).await?,
        };
        Ok(begun.elapsed())
    }

    async fn run(&self, clients: usize, time: Duration, work: Work) -> Result<Measured, Failure> {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for n in 0..clients {
            let target = Target { client: self.client.clone(), url: self.url.clone(), users: Arc::clone(&self.users) };
            tasks.spawn(async move {
                let mut measured = Measured::default();
                while begun.elapsed() < time {
                    let user = &target.users[n];
                    let took = match work {
                        Work::Payout => target.pay(user).await,
                        Work::Endpoint(endpoint) => target.ask(user, endpoint).await,
                    };
                    match took {
                        Ok(took) => measured.note(took),
                        Err(error) => {
                            if measured.failures == 0 {
                                complain(&format!("a request failed: {error}"));
                            }
                            measured.failures += 1;
                        }
                    }
                }
                measured
            });
        }
        let mut all = Measured::default();
        while let Some(measured) = tasks.join_next().await {
            all.add(measured?);
        }
        all.close(begun.elapsed());
        Ok(all)
    }
}
