//! The scenario of a provider that hangs: how much memory a payout takes while its answer is waited for. A server of its own process,
//! with worker, adapter (Adyen's) and TCP transport as they are, sends to a provider on loopback that takes orders and doesn't answer: one
//! of this process over HTTP/1.1, or one elsewhere (`tools/hanging-provider`: TLS and HTTP/2, as providers speak it).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::{DepositAccountId, Mode, PayoutPointId, PayoutSchemeId};
use landfall::gateway::access::audit::{Author, Gate};
use landfall::gateway::access::keys::NewKey;
use landfall::gateway::access::{Caller, Principal, Scope};
use landfall::gateway::manage::Attributes;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use super::super::{Failure, system_clock};
use super::gateway::said;

const PARTNER: &str = "demo";
const CODE: &str = "hanging";
const BALANCE_ACCOUNT: &str = "BA00000000000000000000001";
/// As long as configuration lets an adapter wait: all payouts of a run have to be in flight at once within it.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);
/// So many are answered before anything is measured, so that pools and caches are there.
const WARM_UP: usize = 200;
/// How many requests are submitted at once.
const SUBMITTERS: usize = 16;
/// Open files beside a payout's connection: database, listener, logs.
const FILES_BESIDE: usize = 500;

/// A provider outside of this process.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// Its base URL.
    pub url: String,
    /// A file with the certificate that it shows.
    pub certificate: PathBuf,
}

/// Submits payouts until `in_flight` hang, for each of these numbers in turn, and tells what each takes.
pub async fn run(
    settings: Settings,
    dir: &Path,
    in_flight: &[usize],
    elsewhere: Option<Elsewhere>,
) -> Result<bool, Failure> {
    let most = in_flight.iter().copied().max().unwrap_or(0);
    expect_open_files(most + FILES_BESIDE)?;
    let provider = match &elsewhere {
        None => Side::Here(Here::begin().await?),
        Some(elsewhere) => Side::Elsewhere(Remote::new(elsewhere)?),
    };
    let provider_url = provider.url();
    let certificate = elsewhere.map(|elsewhere| elsewhere.certificate.display().to_string());

    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let address = super::free_address()?;
    let places = (most + WARM_UP).to_string();
    let (send_timeout_ms, lease_ms) =
        (SEND_TIMEOUT.as_millis().to_string(), (SEND_TIMEOUT.as_millis() * 3).to_string());
    let mut overrides = vec![
        ("LANDFALL__PROVIDERS__ADYEN__TEST_URL", provider_url.as_str()),
        ("LANDFALL__PROVIDERS__ADYEN__SEND_TIMEOUT_MS", send_timeout_ms.as_str()),
        ("LANDFALL__WORKER__CALLS_MAX", &places),
        ("LANDFALL__WORKER__ACCOUNT_CALLS_MAX", &places),
        ("LANDFALL__WORKER__LEASE_MS", &lease_ms),
    ];
    if let Some(certificate) = &certificate {
        overrides.push(("SSL_CERT_FILE", certificate));
    }
    let mut server = super::start_server(dir, address, &overrides)?;
    let outcome = async {
        super::wait_until_ready(address).await?;
        let partner = Partner::prepare(&app, address).await?;
        partner.submit(WARM_UP).await?;
        provider.until(|told| told.answered >= WARM_UP).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;

        provider.hang().await?;
        let idle = super::memory_kb(&server)?;
        println!("memory of a payout in flight: sent by the worker over TCP to a provider that doesn't answer");
        println!();
        println!("    none in flight: {idle} kB");
        let mut sent = 0;
        let mut ascending = in_flight.to_vec();
        ascending.sort_unstable();
        for wanted in ascending {
            let begun = Instant::now();
            partner.submit(wanted.saturating_sub(sent)).await?;
            sent = wanted;
            provider.until(|told| told.open >= wanted).await?;
            let took = begun.elapsed();
            // What submitting took in passing is given back meanwhile, and nothing has timed out yet.
            tokio::time::sleep(Duration::from_secs(2)).await;
            let open = provider.told().await?.open;
            if open != wanted {
                return Err(format!("{open} payouts are in flight instead of {wanted}: the machine is too slow").into());
            }
            let loaded = super::memory_kb(&server)?;
            let each = u128::from(loaded.saturating_sub(idle)) * 10 / u128::try_from(wanted.max(1))?;
            println!(
                "{wanted:>8} in flight: {loaded} kB, {}.{} kB each   (in flight after {} ms)",
                each / 10,
                each % 10,
                took.as_millis()
            );
        }
        Ok(())
    }
    .await;
    provider.let_go().await?;
    if outcome.is_ok() {
        // Their outcomes are unknown now, and written down.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    super::stop(&mut server).await?;
    drop(provider);
    let outcome: Result<(), Failure> = outcome;
    let is_clean = match outcome {
        Ok(()) => super::verify(&app).await,
        Err(error) => Err(error),
    };
    drop(app);
    database.close().await;
    is_clean
}

/// Refuses a run that this process or the server would have too few open files for.
fn expect_open_files(needed: usize) -> Result<(), Failure> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let soft = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next())
        .ok_or("no limit of open files")?;
    match soft.parse::<usize>() {
        Ok(soft) if soft < needed => Err(format!("{soft} files may be open; try: ulimit -n {needed}").into()),
        // Without a limit it is no number.
        _ => Ok(()),
    }
}

/// What a provider tells of itself.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Told {
    answered: usize,
    /// Orders that were read and not answered.
    open: usize,
}

/// Where the provider is.
enum Side {
    Here(Here),
    Elsewhere(Remote),
}

impl Side {
    fn url(&self) -> String {
        match self {
            Side::Here(here) => format!("http://{}", here.address),
            Side::Elsewhere(remote) => remote.url.clone(),
        }
    }

    async fn told(&self) -> Result<Told, Failure> {
        match self {
            Side::Here(here) => Ok(Told {
                answered: here.provider.answered.load(Ordering::Relaxed),
                open: here.provider.open.load(Ordering::Relaxed),
            }),
            Side::Elsewhere(remote) => remote.ask("told").await,
        }
    }

    /// No order is answered from now on.
    async fn hang(&self) -> Result<(), Failure> {
        match self {
            Side::Here(here) => here.provider.hangs.store(true, Ordering::Relaxed),
            Side::Elsewhere(remote) => _ = remote.ask("hang").await?,
        }
        Ok(())
    }

    async fn let_go(&self) -> Result<(), Failure> {
        match self {
            Side::Here(here) => here.provider.let_go(),
            Side::Elsewhere(remote) => _ = remote.ask("let-go").await?,
        }
        Ok(())
    }

    async fn until(&self, is_so: impl Fn(Told) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        loop {
            let told = self.told().await?;
            if is_so(told) {
                return Ok(());
            }
            if begun.elapsed() > SEND_TIMEOUT {
                let Told { answered, open } = told;
                return Err(format!("the payouts don't arrive: {answered} were answered, {open} are in flight").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A provider of this process, over HTTP/1.1. Serves until it is dropped.
struct Here {
    provider: Arc<Provider>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Here {
    async fn begin() -> Result<Self, Failure> {
        let provider = Arc::new(Provider::default());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(Arc::clone(&provider).serve(listener));
        Ok(Self { provider, address, serving })
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The provider of another process, that is told under `/bench/` what to do.
struct Remote {
    client: Client,
    url: String,
}

impl Remote {
    fn new(elsewhere: &Elsewhere) -> Result<Self, Failure> {
        let certificate = reqwest::Certificate::from_pem(&std::fs::read(&elsewhere.certificate)?)?;
        let client = Client::builder().tls_certs_only([certificate]).timeout(Duration::from_secs(10)).build()?;
        Ok(Self { client, url: elsewhere.url.trim_end_matches('/').to_owned() })
    }

    async fn ask(&self, what: &str) -> Result<Told, Failure> {
        let answer = self.client.get(format!("{}/bench/{what}", self.url)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// Takes orders as Adyen does, and answers them or doesn't.
#[derive(Default)]
struct Provider {
    hangs: AtomicBool,
    answered: AtomicUsize,
    /// Orders that were read and not answered.
    open: AtomicUsize,
    over: Notify,
    is_over: AtomicBool,
}

impl Provider {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let provider = Arc::clone(&self);
            tokio::spawn(async move {
                // A connection that breaks is nothing to measure.
                let _ = provider.connection(stream).await;
            });
        }
    }

    async fn connection(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        loop {
            let (head, body, length) = loop {
                if let Some(call) = whole_call(&bytes) {
                    break call;
                }
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Ok(());
                }
            };
            bytes.drain(..length);
            let answer = if head.starts_with("POST ") {
                if self.hangs.load(Ordering::Relaxed) {
                    self.hang(&mut stream).await;
                    return Ok(());
                }
                self.answered.fetch_add(1, Ordering::Relaxed);
                booked(&body)
            } else if head.starts_with("GET /bcl/") {
                let balance = json!({"available": 1_000_000_000_000_i64, "balance": 1_000_000_000_000_i64, "currency": "EUR",
                    "pending": 0, "reserved": 0});
                json!({"id": BALANCE_ACCOUNT, "status": "active", "balances": [balance]})
            } else {
                json!({"data": []})
            };
            let body = answer.to_string();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(body.as_bytes()).await?;
        }
    }

    /// Until the scenario is over, or who called goes away.
    async fn hang(&self, stream: &mut TcpStream) {
        let over = self.over.notified();
        self.open.fetch_add(1, Ordering::Relaxed);
        if !self.is_over.load(Ordering::Acquire) {
            let mut byte = [0];
            tokio::select! {
                () = over => {}
                _ = stream.read(&mut byte) => {}
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn let_go(&self) {
        self.is_over.store(true, Ordering::Release);
        self.over.notify_waiters();
    }
}

/// The head and the body of a call that is there as a whole, and how long both are.
fn whole_call(bytes: &[u8]) -> Option<(String, Vec<u8>, usize)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(bytes.get(..head_end)?).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head_end + length.unwrap_or(0);
    Some((head, bytes.get(head_end..end)?.to_vec(), end))
}

/// The transfer that an order asked for, as done.
fn booked(order: &[u8]) -> Value {
    let order: Value = serde_json::from_slice(order).unwrap_or_default();
    let value = order["amount"]["value"].as_i64().unwrap_or(0);
    json!({
        "id": "6JKRLZ8LOT000001", "amount": order["amount"], "balanceAccount": {"id": order["balanceAccountId"]},
        "balances": [{"balance": -value, "currency": "EUR", "received": 0, "reserved": 0}], "category": "card",
        "creationDate": "2026-03-01T13:00:00+01:00", "direction": "outgoing", "reason": "approved",
        "reference": order["reference"], "sequenceNumber": 3, "status": "booked", "type": "cardTransfer",
    })
}

/// A partner with an account of its own at the provider, and the server that it asks.
#[derive(Clone)]
struct Partner {
    client: Client,
    url: Arc<str>,
    key: Arc<str>,
    point: PayoutPointId,
    orders: Arc<AtomicUsize>,
}

impl Partner {
    async fn prepare(app: &App, address: SocketAddr) -> Result<Self, Failure> {
        let gateway = &app.gateway;
        let tenant = app.wallet.user(PARTNER, Mode::Test, CODE, None).await?.tenant;
        let new = NewKey {
            name: CODE.to_owned(),
            scopes: [Scope::PayoutsRead, Scope::PayoutsWrite].into_iter().collect(),
            allowed_ips: Vec::new(),
            expires_at: None,
            signing_required: false,
        };
        let (key, secret) = gateway.make_key(&Author::command(tenant), false, new).await.map_err(said)?;
        let caller = Caller {
            tenant,
            by: Principal::Key(key.id),
            scopes: Scope::ALL.into(),
            is_house: false,
            origin: None,
            gate: Gate::Open,
        };
        let account =
            given(json!({"code": CODE, "provider": "adyen", "settings": {"balance_account_id": BALANCE_ACCOUNT},
            "credentials": {"api_key": "a key of the benchmark", "hmac_key": "44782DEF547AAA06C910C43932B1EB0C"}}));
        let account = gateway.create_provider_account(&caller, &account).await.map_err(said)?;
        let deposit = given(json!({"code": CODE, "provider_account_id": account.id.to_string(), "currency": "EUR"}));
        let deposit = gateway.create_deposit_account(&caller, &deposit).await.map_err(said)?;
        let route = json!({"code": CODE, "service": "card_eur", "deposit_account_id": deposit.id.to_string()});
        gateway.create_route(&caller, &given(route)).await.map_err(said)?;
        let body = json!({"services": {"card_eur": {"strategies": [{"strategy": "direct", "routes": [CODE]}]}}});
        let scheme =
            gateway.create_scheme::<PayoutSchemeId>(&caller, &given(json!({"name": CODE, "body": body}))).await;
        let (scheme, _) = scheme.map_err(said)?;
        let point = json!({"name": CODE, "currencies": ["EUR"], "funding": "own_deposit",
            "payout_scheme_id": scheme.id.to_string()});
        let point = gateway.create_point(&caller, &given(point)).await.map_err(said)?;
        until_synced(app, &caller, deposit.id).await?;
        Ok(Self {
            client: Client::builder().timeout(SEND_TIMEOUT).build()?,
            url: format!("http://{address}/v1/payout-gateway/payout-requests").into(),
            key: secret.expose().into(),
            point: point.id,
            orders: Arc::default(),
        })
    }

    /// Submits so many requests, a few at once.
    async fn submit(&self, count: usize) -> Result<(), Failure> {
        let mut tasks = JoinSet::new();
        let left = Arc::new(AtomicUsize::new(count));
        for _ in 0..SUBMITTERS {
            let (partner, left) = (self.clone(), Arc::clone(&left));
            tasks.spawn(async move {
                while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                    partner.submit_one().await?;
                }
                Ok::<(), Failure>(())
            });
        }
        while let Some(submitted) = tasks.join_next().await {
            submitted??;
        }
        Ok(())
    }

    async fn submit_one(&self) -> Result<(), Failure> {
        let asked = json!({"data": {"type": "payout-request", "attributes": {
            "point_id": self.point.to_string(), "point_currency": "EUR", "service": "card_eur", "service_amount": "10",
            "reference_id": format!("order-{}", self.orders.fetch_add(1, Ordering::Relaxed)),
            "fields": {"card_number": "4111111111111111", "card_expiry_month": "12", "card_expiry_year": "2035",
                "card_holder": "ADA LOVELACE", "address": "274 Brannan St", "city": "San Francisco", "state": "CA",
                "zip": "94107", "country_code": "US"},
        }}});
        let response = self.client.post(&*self.url).bearer_auth(&self.key).json(&asked).send().await?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("a request was refused: {status} {}", response.text().await?).into());
        }
        Ok(())
    }
}

/// Waits until the server has asked the provider for the balance that payouts are made of.
async fn until_synced(app: &App, caller: &Caller, id: DepositAccountId) -> Result<(), Failure> {
    for _ in 0..300 {
        let deposit = app.gateway.find_deposit_account(caller, id).await.map_err(said)?;
        if !deposit.balance.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err("the provider's balance was never asked for".into())
}

fn given(value: Value) -> Attributes {
    match value {
        Value::Object(attributes) => attributes,
        _ => Attributes::new(),
    }
}
