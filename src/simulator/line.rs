//! The line between the `http` adapter and a bank in the same process: what the adapter writes becomes a call of the API, and a reply
//! becomes what the adapter sees of it. Pure; whoever drives it waits as long as the reply says.

use std::time::Duration;

use super::api::{ApiRequest, Reply};
use crate::providers::transport::{TransportError, WireRequest, WireResponse};

/// The call that arrives at the API. The base URL isn't looked at: the line leads to one bank.
pub fn arriving(request: &WireRequest) -> ApiRequest {
    let query = reqwest::Url::parse_with_params("http://simulator/", &request.query);
    ApiRequest {
        method: request.method.to_owned(),
        path: request.path.clone(),
        query: query.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default(),
        headers: request.headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
        body: request.body.to_vec(),
    }
}

/// What the caller sees of `reply`, and how long after it had called; a reply that never comes is seen after `patience`.
pub fn seen(reply: Reply, patience: Duration) -> (Result<WireResponse, TransportError>, Duration) {
    let broken = |what: &str| Err(TransportError::Broken(what.to_owned()));
    let (what, after) = match reply {
        Reply::Answer { status, body, after, .. } => (Ok(WireResponse { status, body }), after),
        Reply::ResetBefore { after } | Reply::ResetAfter { after } => (broken("connection reset by peer"), after),
        Reply::Never => (broken("timed out"), patience),
        Reply::Refused => (Err(TransportError::NotConnected("connection refused".to_owned())), Duration::ZERO),
    };
    if after > patience { (broken("timed out"), patience) } else { (what, after) }
}
