//! Wiring: configuration becomes adapters, adapters become the application. The only place that knows every adapter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::Settings;
use crate::config::gateway::ProviderAccountSeed;
use crate::config::screening::{ScreenAt, ScreeningSettings};
use crate::config::staff::{MakerChecker, StaffSettings};
use crate::domain::card::IssuerTable;
use crate::domain::exact;
use crate::domain::exchange::BidAsk;
use crate::domain::ids::{Mode, ProviderAccountId};
use crate::domain::rate::Pair;
use crate::gateway::account_calls::AccountCalls;
use crate::gateway::approvals::SecondPerson;
use crate::gateway::key_life::KeyPolicy;
use crate::gateway::prices::MarketPrices;
use crate::gateway::route_book::RouteBook;
use crate::gateway::screening::Screening;
use crate::gateway::waiters::Waiters;
use crate::gateway::webhooks::Webhooks;
use crate::gateway::{Gateway, GatewayError};
use crate::http::auth::customer_tokens::CustomerTokens;
use crate::http::auth::{AuthSetupError, Authenticator};
use crate::http::ops::Probe;
use crate::providers::adyen::AdyenProvider;
use crate::providers::checkout::CheckoutProvider;
use crate::providers::http::HttpProvider;
use crate::providers::provider::Provider;
use crate::providers::registry::ProviderRegistry;
use crate::providers::tabapay::TabapayProvider;
use crate::providers::test::TestProvider;
use crate::providers::test::callback::{CallbackSink, SECRET};
use crate::providers::transport::{TcpTransport, Transport};
use crate::providers::worldpay::WorldpayProvider;
use crate::rates::Rates;
use crate::rates::registry::BuildError;
use crate::screening::Screen;
use crate::screening::file::FileScreen;
use crate::staff::desk::Desk;
use crate::staff::{Policy, Staff, StaffError};
use crate::store::cluster::{ClusterError, ClusterOptions, PrivateCluster};
use crate::store::connect::ConnectError;
use crate::store::deks::PgDeks;
use crate::store::error::DbError;
use crate::store::migrate::{self, MigrateError};
use crate::store::pool::Db;
use crate::store::test_book::PgBook;
use crate::vault::keys::{self, KeyError};
use crate::vault::{Vault, VaultError};
use crate::wallet::Wallet;
use crate::wallet::accept::Acceptances;
use crate::wallet::cards::CardPolicy;
use crate::wallet::fate::Watches;
use crate::worker;

/// Why the application can't start. Says what an operator can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Configuration(#[from] crate::config::Problems),
    #[error("the private database: {0}")]
    Cluster(#[from] ClusterError),
    #[error("connecting to the database: {0}")]
    Connect(#[from] ConnectError),
    #[error("the database: {0}")]
    Db(#[from] DbError),
    #[error("migrations: {0}")]
    Migrate(#[from] MigrateError),
    #[error("keys: {0}")]
    Keys(#[from] KeyError),
    #[error("the vault: {0}")]
    Vault(#[from] VaultError),
    #[error("authentication: {0}")]
    Auth(#[from] AuthSetupError),
    #[error("rates: {0}")]
    Rates(#[from] BuildError),
    #[error("the gateway: {0}")]
    Gateway(#[from] GatewayError),
    #[error("provider account {account}: the environment variable {variable} isn't set")]
    Credential { account: String, variable: String },
    #[error("gateway.issuers_file: {}: {why}", path.display())]
    Issuers { path: PathBuf, why: String },
    #[error("screening.file: {0}")]
    Screening(String),
    #[error("staff: {0}")]
    Staff(#[from] StaffError),
    #[error("providers: {0}")]
    Providers(String),
    #[error("webhooks: {0}")]
    Webhooks(#[from] reqwest::Error),
    #[error(
        "worker.lease_ms: {lease_ms} ms don't outlast the {provider} provider's send time-out of {timeout_ms} ms twice"
    )]
    Lease { provider: String, lease_ms: u128, timeout_ms: u128 },
}

/// The database, with the private cluster that it may run in.
pub struct Database {
    pub db: Db,
    cluster: Option<PrivateCluster>,
}

impl Database {
    /// Opens the configured database; without one, the private cluster, starting it if nobody has.
    pub async fn open(settings: &Settings) -> Result<Self, StartError> {
        if let Some(url) = settings.database.server()? {
            return Ok(Self { db: Db::new(&url, &settings.database)?, cluster: None });
        }
        let options = ClusterOptions::from_settings(&settings.data_dir, &settings.database);
        let cluster = PrivateCluster::start_or_join(&options).await?;
        cluster.ensure_database(&settings.database.name).await?;
        let url = cluster.database_url(&settings.database.name)?;
        Ok(Self { db: Db::new(&url, &settings.database)?, cluster: Some(cluster) })
    }

    /// The URL of another database in the private cluster, made if it isn't there; `None` on a configured server.
    pub async fn private_url(&self, name: &str) -> Result<Option<String>, StartError> {
        let Some(cluster) = &self.cluster else { return Ok(None) };
        cluster.ensure_database(name).await?;
        Ok(Some(cluster.url(name)))
    }

    /// Closes the connections and leaves the private cluster, which ends when its last user leaves.
    pub async fn close(self) {
        self.db.close();
        if let Some(cluster) = self.cluster
            && let Err(error) = cluster.stop().await
        {
            tracing::warn!(%error, "the private database was not stopped");
        }
    }
}

/// The application, wired. Nothing runs until [`App::start`].
pub struct App {
    pub settings: Settings,
    pub clock: Arc<dyn Clock>,
    pub db: Db,
    pub vault: Arc<Vault>,
    pub rates: Arc<Rates>,
    pub gateway: Arc<Gateway>,
    pub wallet: Arc<Wallet>,
    pub authenticator: Arc<Authenticator>,
    pub staff: Arc<Staff>,
    pub desk: Arc<Desk>,
}

/// What runs in the background.
pub struct Background {
    stop: watch::Sender<bool>,
    rates: crate::rates::runner::Runner,
    workers: Option<worker::Running>,
    webhooks: Option<crate::webhooks::Running>,
    _lanes: JoinSet<()>,
}

impl Background {
    /// Ends everything in order: no new work, then what is under way.
    pub async fn stopped(self) {
        // Nobody listening means that everything has ended by itself.
        let _ = self.stop.send(true);
        if let Some(workers) = self.workers {
            workers.stopped().await;
        }
        // After the workers, whose last words are to be told: what isn't told yet is by the next process.
        if let Some(webhooks) = self.webhooks {
            webhooks.stopped().await;
        }
        self.rates.stopped().await;
    }
}

impl App {
    /// Wires the application over an open database: migrations, keys, adapters, and what configuration names.
    pub async fn build(settings: Settings, clock: Arc<dyn Clock>, db: Db) -> Result<Self, StartError> {
        Self::build_with(settings, clock, db, Vec::new()).await
    }

    /// [`App::build`] with adapters beside the compiled-in ones.
    pub async fn build_with(
        settings: Settings,
        clock: Arc<dyn Clock>,
        db: Db,
        adapters: Vec<Arc<dyn Provider>>,
    ) -> Result<Self, StartError> {
        migrate::at_start(&db, settings.database.migrate_at_start).await?;
        let vault = Arc::new(open_vault(&settings, &clock, &db).await?);
        let rates = Arc::new(Rates::build(&settings.rates, &settings.modes, Arc::clone(&clock))?);
        let book = settings.pricing.to_domain()?;

        let sandbox = Arc::new(TestProvider::new(
            settings.providers.test.clone(),
            Arc::clone(&clock),
            Arc::new(PgBook { db: db.clone() }),
        ));
        let builtin = builtin_adapters(&settings, &clock, &sandbox)?;
        let providers = ProviderRegistry::new(builtin.into_iter().chain(adapters))
            .map_err(|error| StartError::Providers(error.to_string()))?;
        for code in providers.codes() {
            let send_timeout =
                providers.get(code).map_or(Duration::ZERO, |provider| provider.capabilities().send_timeout);
            if settings.worker.lease() < send_timeout.saturating_mul(2) {
                return Err(StartError::Lease {
                    provider: code.to_owned(),
                    lease_ms: settings.worker.lease().as_millis(),
                    timeout_ms: send_timeout.as_millis(),
                });
            }
        }
        let credentials = settings
            .gateway
            .provider_accounts
            .iter()
            .map(|account| Ok((account.code.clone(), credentials_of(account, &vault)?)))
            .collect::<Result<BTreeMap<_, _>, StartError>>()?;

        let gateway = Arc::new(Gateway {
            db: db.clone(),
            clock: Arc::clone(&clock),
            vault: Arc::clone(&vault),
            providers: Arc::new(providers),
            routes: RouteBook::new(Arc::clone(&vault), book.clone()),
            assets: book.assets.clone(),
            settings: settings.gateway.clone(),
            prices: Arc::new(BoardPrices(Arc::clone(&rates))),
            reference_currency: book.limits.reference,
            iin_digits: settings.vault.iin_kept(),
            second_person: second_person(&settings.staff),
            screening: open_screening(&settings.screening).await?,
            issuers: Arc::new(open_issuers(settings.gateway.issuers_file.as_deref())?),
            keys: KeyPolicy::of(&settings.vault),
            lease: settings.worker.lease(),
            account_calls: AccountCalls::new(settings.worker.account_calls_max),
            credentials,
            waiters: Waiters::default(),
            dispatch_hint: tokio::sync::Notify::new(),
            callback_hint: tokio::sync::Notify::new(),
            webhooks: Webhooks::new(settings.webhooks.clone()),
            retention_turn: crate::gateway::retention::Turn::default(),
            balances_sampled: crate::gateway::balance_samples::Last::default(),
        });
        seed(&gateway).await?;
        // What partners are priced and limited by is known before anybody is served.
        Box::pin(gateway.terms_snapshot()).await?;
        sandbox.connect(Arc::new(Callbacks(Arc::downgrade(&gateway))));

        let wallet = Arc::new(Wallet {
            gateway: Arc::clone(&gateway),
            rates: Arc::clone(&rates),
            house: book,
            settings: settings.wallet.clone(),
            cards: CardPolicy { iin_digits: settings.vault.iin_kept() },
            acceptances: Acceptances::default(),
            watches: Watches::new(&settings.wallet),
        });
        let authenticator = Arc::new(
            Authenticator::new(&settings.auth, reqwest::Client::builder(), Arc::clone(&clock), &settings.data_dir)?
                .with_customer_tokens(CustomerTokens::new(Arc::clone(&vault))),
        );
        let mode = if settings.is_live() { Mode::Live } else { Mode::Test };
        let policy = Policy { needs_totp: settings.staff.needs_totp(settings.is_live()), mode };
        let staff = Arc::new(Staff::new(db.clone(), Arc::clone(&clock), Arc::clone(&vault), policy)?);
        let desk = Arc::new(Desk::new(Arc::clone(&wallet), settings.modes.clone()));
        Ok(Self { settings, clock, db, vault, rates, gateway, wallet, authenticator, staff, desk })
    }

    /// What `/health/ready` asks: the database answers, every offered pair of every served mode has a price, the key provider works.
    pub fn probes(&self) -> Vec<Probe> {
        vec![Probe::database(&self.db), Probe::rates(&self.wallet, &self.settings.modes), Probe::keys(&self.vault)]
    }

    /// Starts what runs in the background: rates always, accepting always, workers where this node has that role.
    ///
    /// # Errors
    /// [`StartError::Webhooks`], where no client for them can be made.
    pub fn start(&self, works: bool) -> Result<Background, StartError> {
        let (stop, stopping) = watch::channel(false);
        let webhooks = match works {
            true => Some(crate::webhooks::start(Arc::clone(&self.gateway), stopping.clone())?),
            false => None,
        };
        let rates = self.rates.start(stopping.clone());
        let audit = self.settings.audit.clone();
        let workers = works.then(|| {
            worker::start_with_anchors(Arc::clone(&self.gateway), self.settings.worker.clone(), audit, stopping)
        });
        let mut lanes = self.wallet.start_accepting();
        lanes.spawn(forget_retired_keys(Arc::clone(&self.vault)));
        let (gateway, wallet) = (Arc::clone(&self.gateway), Arc::clone(&self.wallet));
        lanes.spawn(async move { gateway.look_for_ends().await });
        lanes.spawn(async move { wallet.look_for_moves().await });
        Ok(Background { stop, rates, workers, webhooks, _lanes: lanes })
    }
}

/// How often a process asks whether keys that it knows were destroyed.
const RETIRED_KEYS_POLL: Duration = Duration::from_secs(60);

/// Wipes keys from this process's memory once they are destroyed in the database.
async fn forget_retired_keys(vault: Arc<Vault>) {
    loop {
        tokio::time::sleep(RETIRED_KEYS_POLL).await;
        match vault.forget_retired().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "retired data keys were wiped from memory"),
            Err(error) => tracing::warn!(%error, "it can't be told which data keys are retired"),
        }
    }
}

/// Opens the vault with the configured key provider.
pub async fn open_vault(settings: &Settings, clock: &Arc<dyn Clock>, db: &Db) -> Result<Vault, StartError> {
    let provider = keys::open_provider(&settings.vault, &settings.data_dir, Arc::clone(clock)).await?;
    let deks = Arc::new(PgDeks { db: db.clone(), clock: Arc::clone(clock) });
    Ok(Vault::start(provider, deks, settings.is_live()).await?)
}

/// Writes down what configuration names. Two nodes that start at once write the same: the loser tries again.
async fn seed(gateway: &Gateway) -> Result<(), StartError> {
    let mut attempt = 0;
    loop {
        match gateway.seed().await {
            Err(GatewayError::Db(DbError::Conflict(what))) if attempt < 3 => {
                tracing::info!(what, "another node is writing the configuration down too");
                attempt += 1;
            }
            other => return Ok(other?),
        }
    }
}

fn credentials_of(account: &ProviderAccountSeed, vault: &Vault) -> Result<BTreeMap<String, SecretString>, StartError> {
    let mut credentials = BTreeMap::new();
    for (name, variable) in &account.credentials_env {
        let secret = std::env::var(variable)
            .map_err(|_| StartError::Credential { account: account.code.clone(), variable: variable.clone() })?;
        credentials.insert(name.clone(), SecretString::from(secret));
    }
    if account.provider == crate::providers::test::CODE {
        // The sandbox is ours on both sides: nobody has to hand it a secret.
        credentials.entry(SECRET.to_owned()).or_insert_with(|| {
            let label = format!("sandbox callback secret of {}", account.code);
            SecretString::from(hex::encode(vault.body_hmac(label.as_bytes())))
        });
    }
    Ok(credentials)
}

/// The boards' prices, as exchange-rate schemes ask for them: by source, or `board` for what the sources agree on.
struct BoardPrices(Arc<Rates>);

/// The source that stands for a board's own price.
const SOURCE_BOARD: &str = "board";

impl MarketPrices for BoardPrices {
    fn sources(&self, mode: Mode) -> Vec<String> {
        let board = self.0.board(mode);
        let named = board.into_iter().flat_map(|board| board.health()).map(|health| health.source);
        std::iter::once(SOURCE_BOARD.to_owned()).chain(named).collect()
    }

    fn quote(&self, mode: Mode, source: &str, pair: Pair, now: DateTime<Utc>) -> Option<BidAsk> {
        let board = self.0.board(mode)?;
        if source == SOURCE_BOARD {
            let price = board.price(pair, now).ok()?;
            // As far above the middle as the bid is below it.
            let ask = exact::sub(exact::add(price.mid, price.mid).ok()?, price.price).ok()?;
            return Some(BidAsk { bid: price.price, ask: ask.max(price.price) });
        }
        board.quote_of(source, pair, now).map(|(bid, ask)| BidAsk { bid, ask })
    }
}

/// Hands the sandbox's callbacks to the very use case that the HTTP endpoint calls.
struct Callbacks(std::sync::Weak<Gateway>);

#[async_trait]
impl CallbackSink for Callbacks {
    async fn deliver(&self, account_id: ProviderAccountId, headers: Vec<(String, String)>, body: Vec<u8>) {
        let Some(gateway) = self.0.upgrade() else { return };
        if let Err(error) = gateway.receive_callback(account_id, &headers, &body).await {
            tracing::warn!(%error, "a callback of the sandbox was lost; the inquiry finds the truth");
        }
    }
}

/// Where development keys lie, for those who print it.
pub fn keys_dir(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("keys")
}

/// The adapters that ship with the program, over one pool of connections.
fn builtin_adapters(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    sandbox: &Arc<TestProvider>,
) -> Result<Vec<Arc<dyn Provider>>, StartError> {
    let tcp = TcpTransport::new().map_err(|error| StartError::Providers(error.to_string()))?;
    let over = || Arc::new(tcp.clone()) as Arc<dyn Transport>;
    let of = &settings.providers;
    Ok(vec![
        Arc::clone(sandbox) as Arc<dyn Provider>,
        Arc::new(HttpProvider::new(&of.http).map_err(|error| StartError::Providers(error.to_string()))?),
        Arc::new(AdyenProvider::new(&of.adyen, over())),
        Arc::new(CheckoutProvider::new(&of.checkout, over())),
        Arc::new(TabapayProvider::with_clock(&of.tabapay, over(), Arc::clone(clock))),
        Arc::new(WorldpayProvider::new(&of.worldpay, over())),
    ])
}

/// What needs a second person, by configuration.
fn second_person(settings: &StaffSettings) -> SecondPerson {
    let modes = match settings.maker_checker {
        MakerChecker::Live => vec![Mode::Live],
        MakerChecker::Always => vec![Mode::Test, Mode::Live],
        MakerChecker::Never => Vec::new(),
    };
    SecondPerson { modes, ttl: settings.approval_ttl() }
}

/// Who screens. A list that can't be read now is said now; later, it stops what it screens.
async fn open_screening(settings: &ScreeningSettings) -> Result<Screening, StartError> {
    let asks = |when| settings.at.contains(&when);
    let (at_card, at_pay) = (asks(ScreenAt::Card), asks(ScreenAt::Pay));
    let screen: Option<Arc<dyn Screen>> = match &settings.file {
        Some(path) if at_card || at_pay => {
            let file = FileScreen::new(path);
            file.list().await.map_err(|error| StartError::Screening(error.0))?;
            Some(Arc::new(file))
        }
        _ => None,
    };
    Ok(Screening { screen, at_card, at_pay, timeout: settings.timeout() })
}

/// Reads the file of card issuers, if one is named.
fn open_issuers(path: Option<&Path>) -> Result<IssuerTable, StartError> {
    let Some(path) = path else { return Ok(IssuerTable::default()) };
    let refused = |why: String| StartError::Issuers { path: path.to_owned(), why };
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    let table = IssuerTable::parse(&text).map_err(|error| refused(error.to_string()))?;
    tracing::info!(ranges = table.len(), source = table.source, date = table.date, "card issuers are known");
    Ok(table)
}
