//! What stands before every route: bounds of a request's head, how much is worked on at once, how often an address may call, and how
//! long a body may take where a form is read. Who calls isn't known here yet.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use futures_util::stream;
use futures_util::{Stream, StreamExt};

use super::call::Edge;
use super::connections::{Busy, Line, Surplus};
use super::error::{ApiError, Code};
use super::proxies::Origin;

/// Answered however much is going on: whoever asks decides whether the process goes on.
const HEALTH: &str = "/health/";
/// Answered however often it is asked: it costs nothing. Readiness asks the database.
const LIVENESS: &str = "/health/live";

/// A request that is under way, until this is dropped.
pub struct Passed {
    edge: Option<Arc<Edge>>,
    line: Option<Busy>,
}

impl Passed {
    /// Writes down where the request came from, and counts it in.
    ///
    /// # Errors
    /// [`ApiError`] for a request that goes no further. Its connection is to be closed.
    pub fn enter(request: &ServiceRequest) -> (Self, Result<(), ApiError>) {
        let line = request.conn_data::<Arc<Line>>().map(Line::begin);
        let Some(edge) = request.app_data::<Arc<Edge>>().map(Arc::clone) else {
            return (Self { edge: None, line }, Ok(()));
        };
        let origin = Origin::find(request, &edge.settings);
        edge.unbelieved.heed(request.headers(), origin, &edge.settings);
        request.extensions_mut().insert(origin);
        let under_way = edge.requests.fetch_add(1, Ordering::Relaxed);
        let is_surplus = request.conn_data::<Surplus>().is_some();
        let checked = if is_surplus { Err(too_much()) } else { check(request, &edge, origin, under_way) };
        (Self { edge: Some(edge), line }, checked)
    }

    /// The connection ends with the answer.
    pub fn is_last(&self) {
        if let Some(line) = &self.line {
            line.is_last();
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        if let Some(edge) = &self.edge {
            edge.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn too_much() -> ApiError {
    ApiError::new(Code::ServiceUnavailable)
}

fn check(request: &ServiceRequest, edge: &Edge, origin: Origin, under_way: usize) -> Result<(), ApiError> {
    let settings = &edge.settings;
    let target_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let (count, bytes) = size(request.headers());
    if count > settings.headers_max || bytes.saturating_add(target_bytes) > settings.header_bytes_max {
        return Err(ApiError::new(Code::HeadersTooLarge));
    }
    if under_way >= settings.requests_max && !request.path().starts_with(HEALTH) {
        tracing::warn!(under_way, "a request was turned away: there is too much to do");
        return Err(too_much());
    }
    if let Some(address) = origin.subject().filter(|_| request.path() != LIVENESS) {
        edge.limits.address.take(address)?;
    }
    Ok(())
}

/// How many headers there are, and their bytes as they are written.
fn size(headers: &HeaderMap) -> (usize, usize) {
    const COLON_SPACE_AND_LINE_END: usize = 4;
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + COLON_SPACE_AND_LINE_END).sum();
    (headers.len(), bytes)
}

/// Lets the body of `request` take no longer than a client may. What is read with `body` has its bound there.
pub fn bound_body(request: &mut ServiceRequest) {
    let Some(timeout) = request.app_data::<Arc<Edge>>().map(|edge| edge.settings.client_timeout()) else { return };
    let payload = request.take_payload();
    if !matches!(payload, Payload::None) {
        let deadline = tokio::time::Instant::now() + timeout;
        request.set_payload(Payload::Stream { payload: Box::pin(until(payload, deadline)) });
    }
}

fn until(payload: Payload, deadline: tokio::time::Instant) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let is_late = || PayloadError::Io(io::ErrorKind::TimedOut.into());
    stream::unfold(Some(payload), move |payload| async move {
        let mut payload = payload?;
        match tokio::time::timeout_at(deadline, payload.next()).await {
            Ok(None) => None,
            Ok(Some(read)) => Some((read, Some(payload))),
            Err(_) => Some((Err(is_late()), None)),
        }
    })
}
