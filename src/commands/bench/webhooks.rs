//! The scenario of many receivers: ten thousand messages wait for a hundred endpoints, ten of which take calls and never answer. How long the
//! living wait for theirs, and what the server's memory does meanwhile. The receivers are of this process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::{Mode, WebhookEndpointId};
use landfall::gateway::access::audit::Author;
use landfall::gateway::webhooks::endpoints::NewEndpoint;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::{Failure, system_clock};

const PARTNER: &str = "demo";
/// How long the living may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// In one message's path: nothing is answered there.
const DEAD: &str = "/dead/";

/// How many receivers there are, how many of them never answer, and how many messages each is to be told.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub endpoints: usize,
    pub dead: usize,
    pub messages: usize,
}

/// What came, by path: how many, and how long after the beginning the last of them.
#[derive(Default)]
struct Got(Mutex<HashMap<String, (usize, Duration)>>);

pub async fn run(settings: Settings, dir: &Path, crowd: Crowd) -> Result<bool, Failure> {
    let Crowd { endpoints, dead, messages } = crowd;
    let database = Database::open(&settings).await?;
    let mut settings = settings;
    settings.webhooks.endpoints_max = u32::try_from(endpoints)?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let receivers = Receivers::listen().await?;
    let (url, got, begun) = (&receivers.url, &receivers.got, receivers.begun);

    println!("webhooks: {messages} messages for each of {endpoints} endpoints, {dead} of which never answer");
    println!();
    let tenant = app.wallet.user(PARTNER, Mode::Test, "nobody", None).await?.tenant;
    let author = Author::command(tenant);
    let mut ids: Vec<WebhookEndpointId> = Vec::with_capacity(endpoints);
    for n in 0..endpoints {
        let path = if n < dead { format!("{DEAD}{n}") } else { format!("/living/{n}") };
        let new = NewEndpoint { url: format!("{url}{path}"), description: String::new(), types: Vec::new() };
        ids.push(app.gateway.create_endpoint(&author, new).await?.0.id);
    }
    for _ in 0..messages {
        for id in &ids {
            app.gateway.ping_endpoint(tenant, *id).await?;
        }
    }

    let address = super::free_address()?;
    let mut server = super::start_server(dir, address, &[])?;
    let outcome = async {
        super::wait_until_ready(address).await?;
        let ready = begun.elapsed();
        let idle = super::memory_kb(&server)?;
        let wanted = (endpoints - dead) * messages;
        let mut most = idle;
        loop {
            let (count, last) = got.living();
            most = most.max(super::memory_kb(&server)?);
            if count >= wanted {
                println!("    the living got {count} in {} ms", last.saturating_sub(ready).as_millis());
                break;
            }
            if begun.elapsed() > ready + PATIENCE {
                return Err(format!("after {} s the living have {count} of {wanted}", PATIENCE.as_secs()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        println!("    the dead were called {} times", got.dead());
        println!("    memory of the server: {idle} kB when it began, {most} kB at most");
        Ok(())
    }
    .await;
    super::stop(&mut server).await?;
    drop(receivers);
    let outcome: Result<(), Failure> = outcome;
    let is_clean = match outcome {
        Ok(()) => super::verify(&app).await,
        Err(error) => Err(error),
    };
    drop(app);
    database.close().await;
    is_clean
}

/// Receivers of this process, at one address.
pub struct Receivers {
    url: String,
    got: Arc<Got>,
    begun: Instant,
    task: JoinHandle<()>,
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receivers {
    async fn listen() -> Result<Self, Failure> {
        let (got, begun) = (Arc::new(Got::default()), Instant::now());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let task = receive(listener, Arc::clone(&got), begun);
        Ok(Self { url, got, begun, task })
    }

    /// One that is told everything of the partner, from now on.
    pub async fn of_one(app: &App) -> Result<Self, Failure> {
        let receivers = Self::listen().await?;
        let tenant = app.wallet.user(PARTNER, Mode::Test, "nobody", None).await?.tenant;
        let new = NewEndpoint { url: receivers.url.clone(), description: String::new(), types: Vec::new() };
        app.gateway.create_endpoint(&Author::command(tenant), new).await?;
        Ok(receivers)
    }

    /// How many messages came so far.
    pub fn came(&self) -> usize {
        self.got.living().0
    }
}

impl Got {
    fn note(&self, path: &str, after: Duration) {
        let mut got = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = got.entry(path.to_owned()).or_default();
        *count += 1;
        *last = after;
    }

    /// How many came to those that answer, and when the last.
    fn living(&self) -> (usize, Duration) {
        let got = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let living = got.iter().filter(|(path, _)| !path.starts_with(DEAD)).map(|(_, got)| *got);
        living.fold((0, Duration::ZERO), |(sum, latest), (count, last)| (sum + count, latest.max(last)))
    }

    fn dead(&self) -> usize {
        let got = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        got.iter().filter(|(path, _)| path.starts_with(DEAD)).map(|(_, (count, _))| count).sum()
    }
}

fn receive(listener: TcpListener, got: Arc<Got>, begun: Instant) -> JoinHandle<()> {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&got), begun));
        }
    })
}

async fn serve(stream: TcpStream, got: Arc<Got>, begun: Instant) {
    let service = service_fn(|request: Request<Incoming>| {
        let got = Arc::clone(&got);
        async move {
            let path = request.uri().path().to_owned();
            // Read to its end, so that the connection can go on.
            let _read = request.into_body().collect().await;
            got.note(&path, begun.elapsed());
            if path.starts_with(DEAD) {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    // A connection that breaks off is the caller's matter.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
