//! The scenario of a rotation: cards under one data key, a new epoch, and the workers of a server of its own process that seal all of them anew
//! while clients use its API. Latencies are told beside those before it, since absolute figures differ from machine to machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::{Mode, Tenant};
use landfall::gateway::access::audit::Author;
use landfall::store::deks::DekRecord;
use landfall::wallet::cards::AddCard;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::super::{Failure, complain, system_clock};
use super::load::{Endpoint, Measured, Target};

/// Clients of the API, before the rotation and during it.
const CLIENTS: usize = 8;
/// What they do, one after the other.
const ENDPOINTS: [Endpoint; 3] = [Endpoint::AddCard, Endpoint::Data, Endpoint::Pay];
/// How long each is measured at a time.
const SLICE: Duration = Duration::from_secs(3);
/// How often they all are before the rotation.
const ROUNDS_BEFORE: usize = 3;
/// How many cards are added at once.
const ADDERS: usize = 8;

/// Seals `cards` anew at `per_sec`; answers whether `verify` found nothing.
pub async fn run(settings: Settings, dir: &Path, cards: usize, per_sec: u32) -> Result<bool, Failure> {
    let database = Database::open(&settings).await?;
    let app = Arc::new(App::build(settings, system_clock(), database.db.clone()).await?);
    let address = super::free_address()?;
    let rate = per_sec.to_string();
    let mut server = super::start_server(dir, address, &[("LANDFALL__VAULT__RESEAL_PER_SEC", &rate)])?;
    let outcome = async {
        super::wait_until_ready(address).await?;
        let target = Target::prepare(&app, address, CLIENTS).await?;
        fill(&app, cards).await?;
        println!("rotation: {cards} cards sealed anew at {per_sec} a second, with {CLIENTS} clients on the API");
        println!();
        let mut before = Latencies::default();
        for _ in 0..ROUNDS_BEFORE {
            before.round(&target).await?;
        }
        let during = rotate(&app, &target).await?;
        print(&before, &during);
        Ok::<_, Failure>(())
    }
    .await;
    super::stop(&mut server).await?;
    let is_clean = match outcome {
        Ok(()) => super::verify(&app).await,
        Err(error) => Err(error),
    };
    drop(app);
    database.close().await;
    is_clean
}

/// Adds a card each to so many customers.
async fn fill(app: &Arc<App>, cards: usize) -> Result<(), Failure> {
    let (begun, next) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let mut adders = JoinSet::new();
    for _ in 0..ADDERS {
        let (app, next) = (Arc::clone(app), Arc::clone(&next));
        adders.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= cards {
                    return Ok::<(), Failure>(());
                }
                let user = app.wallet.user("demo", Mode::Test, &format!("rotation-{n}"), None).await?;
                let card = AddCard {
                    number: Zeroizing::new("4111111111111111".to_owned()),
                    holder: "BENCH MARK".to_owned(),
                    expiry_year: "2035".to_owned(),
                    expiry_month: "12".to_owned(),
                };
                app.wallet.add_card(&user, card).await?;
                if n > 0 && n.is_multiple_of(10_000) {
                    complain(&format!("{n} cards are added"));
                }
            }
        });
    }
    while let Some(adder) = adders.join_next().await {
        adder??;
    }
    complain(&format!("{cards} cards were added in {} s", begun.elapsed().as_secs()));
    Ok(())
}

/// Begins a new epoch and measures until no row is under the old one.
async fn rotate(app: &App, target: &Target) -> Result<Latencies, Failure> {
    let tenant = app.wallet.user("demo", Mode::Test, "rotation", None).await?.tenant;
    let old = keys(app, tenant).await?.pop().ok_or("no card was sealed")?;
    let begun = Instant::now();
    app.gateway.begin_epoch(&Author::command(tenant), old.epoch, "a benchmark").await?;
    let mut during = Latencies::default();
    let waits = async {
        loop {
            let drained = keys(app, tenant).await?.into_iter().any(|key| key.id == old.id && key.drained_at.is_some());
            if drained {
                return Ok::<_, Failure>(begun.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::pin!(waits);
    let took = loop {
        tokio::select! {
            took = &mut waits => break took?,
            round = during.round(target) => round?,
        }
    };
    let (_, pass) = app.gateway.key_status(Some(&[tenant])).await?;
    let millis = u64::try_from(took.as_millis())?.max(1);
    let rows = u64::try_from(pass.resealed_total)?;
    println!(
        "{rows} rows in {}.{} s: {} a second, from the new epoch until no row was under the old key",
        millis / 1_000,
        millis % 1_000 / 100,
        rows * 1_000 / millis
    );
    println!();
    Ok(during)
}

async fn keys(app: &App, tenant: Tenant) -> Result<Vec<DekRecord>, Failure> {
    Ok(app.gateway.data_keys(Some(&[tenant])).await?)
}

/// Latencies of each of [`ENDPOINTS`].
#[derive(Default)]
struct Latencies([Measured; ENDPOINTS.len()]);

impl Latencies {
    /// Measures each endpoint for a while. What a round that is broken off has measured stays.
    async fn round(&mut self, target: &Target) -> Result<(), Failure> {
        for (measured, endpoint) in self.0.iter_mut().zip(ENDPOINTS) {
            measured.add(target.endpoint(endpoint, CLIENTS, SLICE).await?);
            measured.close(SLICE);
        }
        Ok(())
    }
}

fn print(before: &Latencies, during: &Latencies) {
    println!(
        "{:<28} {:>8} {:>8} {:>12} {:>12} {:>8}",
        "endpoint", "p50 ms", "p99 ms", "p50 during", "p99 during", "p99 x"
    );
    for ((endpoint, before), during) in ENDPOINTS.into_iter().zip(&before.0).zip(&during.0) {
        println!(
            "{:<28} {:>8} {:>8} {:>12} {:>12} {:>8}{}",
            endpoint.name(),
            before.millis(50),
            before.millis(99),
            during.millis(50),
            during.millis(99),
            super::ratio(during.micros(99), before.micros(99)),
            if before.failures + during.failures > 0 {
                format!("   {} failed", before.failures + during.failures)
            } else {
                String::new()
            }
        );
    }
}
