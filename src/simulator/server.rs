//! The simulator on TCP: the published API and, under `/admin`, what whoever tests asks of it. Faults are real: a connection that is
//! to break is reset without an answer, and one that is never answered stays open until its caller leaves. No card number and no
//! key is ever logged.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use secrecy::SecretString;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::admin;
use super::api::{ApiRequest, Reply};
use super::courier::Courier;
use super::house::House;

/// The longest request body, in bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A connection that ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset on purpose")]
struct Reset;

/// A simulator that serves. Dropped, it ends at once, connections and callbacks with it.
pub struct Server {
    pub address: SocketAddr,
    house: Arc<House>,
    tasks: JoinSet<()>,
}

impl Server {
    /// Serves on `listener`, whose address tells nobody's card numbers: loopback, unless somebody chose otherwise.
    pub fn start(house: Arc<House>, listener: TcpListener, admin_token: SecretString) -> Result<Self, ServerError> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let address = listener.local_addr()?;
        let courier = Courier::new(Arc::clone(&house))?;
        let desk = Arc::new(Desk { house: Arc::clone(&house), courier: courier.clone(), admin_token });
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { courier.run().await });
        tasks.spawn(accept(listener, desk));
        Ok(Self { address, house, tasks })
    }

    /// Returns when the ledger can't be written any more: a provider that can't write down what it pays must not pay.
    pub async fn failed(&self) {
        self.house.failed().await;
    }

    pub fn stop(mut self) {
        self.tasks.abort_all();
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("listening: {0}")]
    Listen(#[from] std::io::Error),
    #[error("posting callbacks: {0}")]
    Client(#[from] reqwest::Error),
}

/// What every connection shares.
struct Desk {
    house: Arc<House>,
    courier: Courier,
    admin_token: SecretString,
}

async fn accept(listener: tokio::net::TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, Arc::clone(&desk)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection couldn't be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Serves one connection until it ends, or is to be reset.
async fn serve(stream: TcpStream, desk: Arc<Desk>) {
    // Small answers must not wait for the acknowledgement of what went before.
    let _ = stream.set_nodelay(true);
    let is_reset = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        let (desk, is_reset) = (&desk, &is_reset);
        Box::pin(async move {
            let answer = desk.answer(request).await;
            if answer.is_err() {
                is_reset.store(true, Ordering::Relaxed);
            }
            answer
        })
    });
    let mut connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    // Not shut down in order, so that a reset can follow.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    if is_reset.load(Ordering::Relaxed) {
        // Closed with RST instead of FIN: what a broken provider or network does.
        let _ = stream.set_zero_linger();
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Reset> {
        let request = match read(request).await {
            Ok(request) => request,
            Err(TooLarge) => return response(413, &[], Vec::new()),
        };
        if request.path.starts_with(admin::PREFIX) {
            let now = self.house.clock().now();
            let page = self.house.with(|bank| admin::handle(bank, &self.admin_token, &request, now));
            let page = page.map_err(|_| Reset)?;
            tracing::debug!(method = %request.method, path = %request.path, status = page.status, "admin");
            return response(page.status, &[("Content-Type".to_owned(), page.content_type.to_owned())], page.body);
        }
        let (reply, callbacks) = self.house.handle(&request).map_err(|_| Reset)?;
        tracing::debug!(method = %request.method, path = %request.path, reply = name(&reply), "call");
        match reply {
            Reply::Answer { status, headers, body, after, .. } => {
                if !callbacks.is_empty() {
                    self.courier.before_answer(callbacks).await;
                }
                tokio::time::sleep(after).await;
                response(status, &headers, body)
            }
            Reply::ResetBefore { after } | Reply::ResetAfter { after } => {
                tokio::time::sleep(after).await;
                Err(Reset)
            }
            Reply::Never => std::future::pending().await,
            // It listens already: the nearest to a refusal.
            Reply::Refused => Err(Reset),
        }
    }
}

fn name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Answer { .. } => "answered",
        Reply::ResetBefore { .. } => "reset before",
        Reply::ResetAfter { .. } => "reset after",
        Reply::Never => "never",
        Reply::Refused => "refused",
    }
}

struct TooLarge;

async fn read(request: Request<Incoming>) -> Result<ApiRequest, TooLarge> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| TooLarge)?;
    let headers =
        head.headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    Ok(ApiRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: body.to_bytes().to_vec(),
    })
}

fn response(status: u16, headers: &[(String, String)], body: Vec<u8>) -> Result<Response<Full<Bytes>>, Reset> {
    let response = Response::builder().status(status);
    let response = headers.iter().fold(response, |response, (name, value)| response.header(name, value));
    response.body(Full::new(Bytes::from(body))).map_err(|_| Reset)
}
