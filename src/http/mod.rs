//! What is on the wire: the wallet API, the partners' API, providers' callbacks, health, the documentation and the API's own description. It parses, asks a
//! use case, and renders; it holds no SQL and no rule about money.

mod assets;
pub mod auth;
mod body;
mod call;
mod connections;
mod context;
pub mod dashboard;
mod deprecation;
mod docs;
pub mod error;
mod exact_number;
mod fields;
mod fresh;
#[cfg(feature = "torture")]
pub(crate) mod fuzz;
mod gate;
mod idempotency;
mod key_uses;
mod limits;
mod messages;
pub mod openapi;
pub mod ops;
mod prefer;
mod provider_callbacks;
mod proxies;
mod routes;
mod sse;
mod v1;
mod v4;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

pub use routes::{Roles, routes};

use crate::config::http::HttpSettings;
use crate::gateway::Gateway;
use crate::staff::Staff;
use crate::staff::desk::Desk;
use crate::wallet::Wallet;
use auth::Authenticator;
use call::Edge;
use connections::Connections;
use ops::Probe;

/// What the server answers with.
pub struct Parts {
    pub settings: HttpSettings,
    pub roles: Roles,
    pub wallet: Arc<Wallet>,
    pub gateway: Arc<Gateway>,
    pub authenticator: Arc<Authenticator>,
    pub staff: Arc<Staff>,
    pub desk: Arc<Desk>,
    /// What `/health/ready` asks.
    pub probes: Vec<Probe>,
}

/// A server on `listener`, which runs when awaited. It doesn't listen for signals: stop it by its handle. Writes run
/// on the caller's runtime, which must outlive the server.
pub fn serve(parts: Parts, listener: TcpListener) -> io::Result<Server> {
    let Parts { settings, roles, wallet, gateway, authenticator, staff, desk, probes } = parts;
    let (client_timeout, keep_alive) = (settings.client_timeout(), Duration::from_millis(settings.keep_alive_ms));
    let (workers, shutdown_secs) = (settings.workers, settings.shutdown_timeout_secs);
    let edge = Arc::new(Edge::new(settings, tokio::runtime::Handle::current(), probes));
    let connections = Arc::clone(&edge.connections);
    tokio::spawn(Connections::watch(Arc::downgrade(&connections)));
    let app = move || {
        App::new()
            .app_data(Arc::clone(&edge))
            .app_data(Arc::clone(&wallet))
            .app_data(Arc::clone(&gateway))
            .app_data(Arc::clone(&authenticator))
            .app_data(web::Data::from(Arc::clone(&staff)))
            .app_data(web::Data::from(Arc::clone(&desk)))
            .wrap(from_fn(context::edge))
            .configure(|cfg| routes(cfg, roles))
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .keep_alive(keep_alive)
        .client_request_timeout(client_timeout)
        .client_disconnect_timeout(Duration::from_secs(1))
        .on_connect(move |connection, data| connections.connected(connection, data))
        .shutdown_timeout(shutdown_secs)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// A server on `listener` that answers `/metrics` alone, for a port of its own. Run as [`serve`]'s.
pub fn serve_metrics(wallet: Arc<Wallet>, gateway: Arc<Gateway>, listener: TcpListener) -> io::Result<Server> {
    let app = move || {
        App::new()
            .app_data(Arc::clone(&wallet))
            .app_data(Arc::clone(&gateway))
            .wrap(from_fn(context::edge))
            .configure(routes::metrics_alone)
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}
