//! `serve`: the server in its roles, until told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use landfall::app::{App, Background, Database};
use landfall::config::Settings;
use landfall::http;

use super::{Failure, demo, system_clock};

#[derive(Args)]
pub struct Arguments {
    /// Address and port, instead of http.listen.
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// What this node does.
    #[arg(long, value_delimiter = ',', default_value = "api,worker,dashboard")]
    roles: Vec<Role>,
    /// Drive one payout through the API once it serves, and print how to go on (test mode).
    #[arg(long)]
    demo: bool,
    /// With --demo: end after the payout.
    #[arg(long, requires = "demo")]
    once: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Api,
    Worker,
    Dashboard,
}

/// A server that runs in this process.
pub struct Server {
    pub app: App,
    pub address: SocketAddr,
    database: Database,
    background: Background,
    handle: actix_web::dev::ServerHandle,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    /// The metrics' own server, where they have one.
    metrics: Option<actix_web::dev::ServerHandle>,
}

impl Server {
    /// Opens, wires, starts and listens.
    pub async fn start(mut settings: Settings, listen: Option<SocketAddr>, roles: &[Role]) -> Result<Self, Failure> {
        if let Some(listen) = listen {
            settings.http.listen = listen;
        }
        let database = Database::open(&settings).await?;
        let app = App::build(settings, system_clock(), database.db.clone()).await?;
        app.authenticator.warm().await;
        let background = app.start(roles.contains(&Role::Worker))?;
        let api = roles.contains(&Role::Api);
        let parts = http::Parts {
            settings: app.settings.http.clone(),
            roles: http::Roles {
                wallet: api,
                partners: api,
                provider_callbacks: api,
                docs: api && app.settings.http.docs,
                metrics: app.settings.http.metrics && app.settings.http.metrics_listen.is_none(),
                dashboard: roles.contains(&Role::Dashboard),
            },
            wallet: Arc::clone(&app.wallet),
            gateway: Arc::clone(&app.gateway),
            authenticator: Arc::clone(&app.authenticator),
            staff: Arc::clone(&app.staff),
            desk: Arc::clone(&app.desk),
            probes: app.probes(),
        };
        raise_file_limit(app.settings.http.connections_max);
        let listener = bind(app.settings.http.listen)?;
        let metrics = match app.settings.http.metrics_listen {
            Some(listen) => {
                let (wallet, gateway) = (Arc::clone(&app.wallet), Arc::clone(&app.gateway));
                let server = http::serve_metrics(wallet, gateway, bind(listen)?)?;
                let handle = server.handle();
                tokio::spawn(server);
                Some(handle)
            }
            None => None,
        };
        let address = listener.local_addr()?;
        let serving = http::serve(parts, listener)?;
        let handle = serving.handle();
        let serving = tokio::spawn(serving);
        tracing::info!(%address, "serving");
        Ok(Self { app, address, database, background, handle, serving, metrics })
    }

    /// Ends in order: no new requests, no new work, what is under way, the database.
    pub async fn stop(self) -> Result<(), Failure> {
        // Streams don't end by themselves within the time that requests under way are given.
        self.app.desk.live.end();
        self.app.wallet.watches.end();
        self.handle.stop(true).await;
        self.serving.await??;
        if let Some(metrics) = self.metrics {
            metrics.stop(true).await;
        }
        self.background.stopped().await;
        drop(self.app);
        self.database.close().await;
        Ok(())
    }
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Failure> {
    std::net::TcpListener::bind(address).map_err(|error| {
        format!("can't listen on {address}: {error} (another address: --listen 127.0.0.1:8081)").into()
    })
}

/// A connection takes two file descriptors. Many service managers begin with 1024 of them and allow more to those who ask.
pub fn raise_file_limit(connections_max: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_err() {
        tracing::warn!(soft, hard, "the limit of open files can't be raised");
    }
    let wanted = u64::try_from(connections_max).unwrap_or(u64::MAX).saturating_mul(2);
    if hard < wanted {
        tracing::warn!(hard, wanted, "there are fewer file descriptors than http.connections_max needs");
    }
}

pub async fn run(mut settings: Settings, arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.demo && settings.telemetry.level == "info" {
        // What the demonstration prints is for reading.
        settings.telemetry.level = "warn".to_owned();
    }
    if arguments.demo && !settings.is_live() && settings.webhooks.inner_networks.is_empty() {
        // Whoever tries it out has a receiver on the same machine.
        settings.webhooks.inner_networks = vec!["127.0.0.0/8".parse()?, "::1/128".parse()?];
    }
    landfall::telemetry::start(&settings.telemetry);
    let mut server = Server::start(settings, arguments.listen, &arguments.roles).await?;
    if arguments.demo {
        let paid = demo::show(&server.app, server.address).await;
        if arguments.once || paid.is_err() {
            server.stop().await?;
            return paid.map(|()| ExitCode::SUCCESS);
        }
        demo::how_to_go_on(&server.app, server.address).await?;
    }
    let ended = tokio::select! {
        () = told_to_stop() => None,
        ended = &mut server.serving => Some(ended),
    };
    if let Some(ended) = ended {
        ended??;
        return Err("the server ended by itself".into());
    }
    tracing::info!("stopping: requests and payouts under way are finished first");
    server.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Ctrl-C, or the signal that service managers send.
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM can't be listened for");
            let _ = tokio::signal::ctrl_c().await;
            return;
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
