//! The scenario of streams: how many apps at once may watch an offer of theirs, what the server's memory takes for each, and what it does to
//! pays. Each stream watches an offer of its own that stays open, which is what costs most. Has a server and a database of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use landfall::app::{App, Database};
use landfall::config::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::task::JoinSet;

use super::super::{Failure, serve, system_clock};
use super::load::Target;

/// As many streams as a user may be allowed.
const STREAMS_OF_USER: usize = 100;
/// How many clients pay meanwhile, and for how long.
const PAYING: usize = 8;
const TIME: Duration = Duration::from_secs(10);
/// How many open streams at a time.
const OPENERS: usize = 32;

const OVERRIDES: [(&str, &str); 5] = [
    ("LANDFALL__WALLET__STREAMS_MAX", "100000"),
    ("LANDFALL__WALLET__USER_STREAMS_MAX", "100"),
    ("LANDFALL__HTTP__CONNECTIONS_MAX", "200000"),
    ("LANDFALL__HTTP__ADDRESS_CONNECTIONS_MAX", "200000"),
    ("LANDFALL__PRICING__OFFER_TTL_SECS", "300"),
];

/// Measures for each number of streams.
pub async fn run(settings: Settings, dir: &Path, counts: &[usize]) -> Result<bool, Failure> {
    serve::raise_file_limit(counts.iter().copied().max().unwrap_or(0));
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let address = super::free_address()?;
    let mut server = super::start_server(dir, address, &OVERRIDES)?;
    let outcome = async {
        super::wait_until_ready(address).await?;
        let most = counts.iter().copied().max().unwrap_or(1);
        let target = Target::prepare(&app, address, most.div_ceil(STREAMS_OF_USER).max(PAYING)).await?;
        println!("streams: apps that each watch an open offer of their own; {PAYING} clients pay meanwhile");
        println!();
        println!(
            "{:>8} {:>12} {:>10} {:>10} {:>10} {:>12}",
            "streams", "opened a s", "pays/s", "p50 ms", "p99 ms", "KB a stream"
        );
        // The first pays fill pools and caches.
        target.payouts(PAYING, TIME / 2).await?;
        measure(&target, address, &server, 0).await?;
        for count in counts {
            measure(&target, address, &server, *count).await?;
        }
        super::verify(&app).await
    }
    .await;
    super::stop(&mut server).await?;
    drop(app);
    database.close().await;
    outcome
}

async fn measure(target: &Target, address: SocketAddr, server: &Child, count: usize) -> Result<(), Failure> {
    let mut offers = Vec::with_capacity(count);
    for user in 0..count.div_ceil(STREAMS_OF_USER) {
        offers.extend(target.open_offers(user, STREAMS_OF_USER.min(count - offers.len())).await?);
    }
    let (before, begun) = (super::memory_kb(server)?, Instant::now());
    let mut streams = Vec::with_capacity(count);
    for some in offers.chunks(OPENERS) {
        let mut opening = JoinSet::new();
        for (token, offer) in some {
            opening.spawn(open(address, token.clone(), offer.clone()));
        }
        while let Some(opened) = opening.join_next().await {
            streams.push(opened??);
        }
    }
    let opening_ms = u64::try_from(begun.elapsed().as_millis())?.max(1);
    let after = super::memory_kb(server)?;
    let measured = target.payouts(PAYING, TIME).await?;
    let open = u64::try_from(streams.len())?;
    println!(
        "{count:>8} {:>12} {:>10} {:>10} {:>10} {:>12}{}",
        open * 1_000 / opening_ms,
        measured.per_second(),
        measured.millis(50),
        measured.millis(99),
        after.saturating_sub(before).checked_div(open).unwrap_or(0),
        if measured.failures > 0 { format!("   {} FAILED", measured.failures) } else { String::new() },
    );
    Ok(())
}

/// A stream that has told how its offer stands. What else comes of it fits the socket.
async fn open(address: SocketAddr, token: String, offer: String) -> Result<TcpStream, Failure> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /v4/payout/pay/{offer}/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("event: offer") {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(format!("no stream: {}", String::from_utf8_lossy(&read)).into());
        }
    }
    Ok(stream)
}
