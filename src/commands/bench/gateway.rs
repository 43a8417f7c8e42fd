//! The gateway's scenario: a partner's payout requests under `/v1/`, from submit to final, with one send in ten declined for its route,
//! so that the payout fails over to another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use landfall::app::App;
use landfall::config::Settings;
use landfall::config::gateway::{PointSeed, RouteSeed, SchemeSeed};
use landfall::domain::ids::Mode;
use landfall::domain::payout_request::Funding;
use landfall::gateway::access::audit::{Author, Gate};
use landfall::gateway::access::keys::NewKey;
use landfall::gateway::access::{Caller, Principal, Refusal, Scope};
use landfall::gateway::funds::PartnerCredit;
use landfall::gateway::manage::Slice;
use landfall::gateway::manage::points::PointFilter;
use reqwest::{Client, Method};
use rust_decimal::{Decimal, dec};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::super::{Failure, complain};
use super::load::Measured;

const REQUESTS: &str = "/v1/payout-gateway/payout-requests";
const PARTNER: &str = "demo";
/// The code of the scenario's payout point and of its scheme.
const CODE: &str = "bench";
const SERVICE: &str = "test_usd";
/// So many percent of sends are paid; the others are declined for their route, whichever it is.
const PAID_PERCENT: &str = "90";
/// A request that isn't final by then is given up.
const FINAL_WITHIN: Duration = Duration::from_secs(30);
/// How often a client asks for its request's state, once it may be final.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// Writes into the configuration what the scenario goes by: a payout point with a scheme of its own, whose routes are the sandbox's
/// and each of them once more. Four routes leave one payout in ten thousand without any.
pub fn configure(settings: &mut Settings) {
    let gateway = &mut settings.gateway;
    let again: Vec<RouteSeed> = gateway
        .routes
        .iter()
        .filter(|route| route.service == SERVICE)
        .map(|route| RouteSeed {
            code: format!("{}-again", route.code),
            position: route.position.saturating_add(100),
            ..route.clone()
        })
        .collect();
    gateway.routes.extend(again);
    let routes: Vec<&str> =
        gateway.routes.iter().filter(|route| route.service == SERVICE).map(|route| route.code.as_str()).collect();
    let body = json!({"services": {SERVICE: {
        "if": {"attribute": "amount", "operator": "<=", "value": 1_000},
        "then": {"strategies": [{"strategy": "optimal", "routes": routes}]},
        "else": {"strategies": [{"strategy": "cost", "routes": routes}]},
    }}});
    gateway.payout_schemes.push(SchemeSeed {
        code: CODE.to_owned(),
        modes: vec![Mode::Test],
        name: "The benchmark's routing".to_owned(),
        body: body.to_string(),
    });
    gateway.payout_points.push(PointSeed {
        code: CODE.to_owned(),
        partner: PARTNER.to_owned(),
        mode: Mode::Test,
        name: "The benchmark's payouts".to_owned(),
        currencies: "USD".parse().into_iter().collect(),
        funding: Funding::PartnerBalance,
        payout_scheme: Some(CODE.to_owned()),
        exchange_rate_scheme: None,
    });
}

/// The server under load and the partner that loads it.
#[derive(Clone)]
pub struct Partner {
    client: Client,
    url: Arc<str>,
    key: Arc<str>,
    point: Arc<str>,
    /// How many requests were asked for: their references.
    orders: Arc<AtomicU64>,
}

/// What came of a run.
#[derive(Default)]
pub struct Tally {
    /// Of the POST alone.
    pub submits: Measured,
    /// From the POST until a GET shows the request final.
    pub finals: Measured,
    pub payouts: usize,
    /// Payouts that followed a declined one, on another route.
    pub failed_over: usize,
    /// Requests that ended otherwise than paid.
    pub unpaid: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.submits.add(other.submits);
        self.finals.add(other.finals);
        self.payouts += other.payouts;
        self.failed_over += other.failed_over;
        self.unpaid += other.unpaid;
    }

    /// Payouts that failed over, of a hundred.
    pub fn failed_over_percent(&self) -> String {
        let tenths = (self.failed_over * 1_000).checked_div(self.payouts).unwrap_or(0);
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

impl Partner {
    /// A key, a balance and the payout point of the partner.
    pub async fn prepare(app: &App, address: SocketAddr, clients: usize) -> Result<Self, Failure> {
        let tenant = app.wallet.user(PARTNER, Mode::Test, CODE, None).await?.tenant;
        let new = NewKey {
            name: CODE.to_owned(),
            scopes: [Scope::PayoutsRead, Scope::PayoutsWrite, Scope::FundsWrite].into_iter().collect(),
            allowed_ips: Vec::new(),
            expires_at: None,
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
            currency: "USD".parse()?,
            amount: dec!(10_000_000),
            reference: CODE.to_owned(),
        };
        app.gateway.credit_partner(&caller, &credit).await.map_err(said)?;
        let filter = PointFilter { code: Some(CODE.to_owned()), ..PointFilter::default() };
        let slice = Slice { newest_first: false, after: Slice::start(false), limit: 1 };
        let points = app.gateway.list_points(&caller, &filter, slice).await.map_err(said)?;
        let point = points.first().ok_or("the benchmark's payout point isn't there")?;
        Ok(Self {
            client: Client::builder().timeout(FINAL_WITHIN).pool_max_idle_per_host(clients).build()?,
            url: format!("http://{address}").into(),
            key: secret.expose().into(),
            point: point.id.to_string().into(),
            orders: Arc::default(),
        })
    }

    /// Each client submits, waits until its request is final, and goes on, until the time is over.
    pub async fn run(&self, clients: usize, time: Duration) -> Result<Tally, Failure> {
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let partner = self.clone();
            tasks.spawn(async move {
                let mut tally = Tally::default();
                let mut expected = Duration::ZERO;
                while begun.elapsed() < time {
                    match partner.payout(expected, &mut tally).await {
                        // Asked for a little before it took so long: what takes as long as the last one is seen at once.
                        Ok(took) => expected = took.saturating_sub(took / 4),
                        Err(error) => {
                            if tally.finals.failures == 0 {
                                complain(&format!("a payout request failed: {error}"));
                            }
                            tally.finals.failures += 1;
                        }
                    }
                }
                tally
            });
        }
        let mut all = Tally::default();
        while let Some(tally) = tasks.join_next().await {
            all.add(tally?);
        }
        all.submits.close(begun.elapsed());
        all.finals.close(begun.elapsed());
        Ok(all)
    }

    /// One request until it is final. Answers how long that took.
    async fn payout(&self, expected: Duration, tally: &mut Tally) -> Result<Duration, Failure> {
        let asked = json!({"data": {"type": "payout-request", "attributes": {
            "point_id": &*self.point,
            "point_amount": Decimal::TEN.to_string(),
            "point_currency": "USD",
            "service": SERVICE,
            "test_mode": true,
            "reference_id": format!("order-{}", self.orders.fetch_add(1, Ordering::Relaxed)),
            "fields": {"account": "some_random_string", "test_details_success_rate": PAID_PERCENT},
            "options": {"attempts_limit": 4},
        }}});
        let begun = Instant::now();
        let made = self.call(Method::POST, REQUESTS, Some(asked)).await?;
        tally.submits.note(begun.elapsed());
        let id = made["data"]["id"].as_str().ok_or("a payout request without an id")?;
        let path = format!("{REQUESTS}/{id}");
        tokio::time::sleep(expected.saturating_sub(begun.elapsed())).await;
        let ended = loop {
            let mut seen = self.call(Method::GET, &path, None).await?;
            if seen["data"]["attributes"]["final"] == true {
                break seen["data"]["attributes"].take();
            }
            if begun.elapsed() > FINAL_WITHIN {
                return Err(format!("{id} is not final after {} s", FINAL_WITHIN.as_secs()).into());
            }
            tokio::time::sleep(ASK_EVERY).await;
        };
        let took = begun.elapsed();
        tally.finals.note(took);
        let payouts = ended["payouts"].as_array().map_or(&[][..], Vec::as_slice);
        tally.payouts += payouts.len();
        tally.failed_over += payouts.iter().filter(|payout| payout["attempt"] != 1).count();
        tally.unpaid += usize::from(ended["status"] != "processed");
        Ok(took)
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
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
}

pub fn said(refusal: Refusal) -> Failure {
    refusal.to_string().into()
}
