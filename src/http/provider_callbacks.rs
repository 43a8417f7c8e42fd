//! Where providers call back. A callback is durable when it is answered with 200; what it means is worked out later.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::body;
use super::call::Edge;
use super::error::{ApiError, Code, FieldProblem};
use super::proxies::Origin;
use crate::domain::ids::ProviderAccountId;
use crate::gateway::Gateway;
use crate::gateway::callback::Received;

/// That a callback is durable.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallbackReceived {
    /// Always `stored`.
    #[schema(example = "stored")]
    status: &'static str,
}

/// Takes a provider's callback in.
///
/// The body and the headers are the provider's own; their signature is checked by the provider's adapter. A callback
/// that can't be verified is refused and not believed.
#[utoipa::path(
    post, path = "/v1/provider-callbacks/{providerAccount}", operation_id = "receiveProviderCallback", tag = "provider callbacks",
    security(()),
    params(("providerAccount" = String, Path, description = "The provider account's id.", example = "pac_0190f3c1a2b47c3d8e5f60718293a4b5")),
    request_body(content = String, content_type = "*/*", description = "Whatever the provider sends, up to 64 KiB."),
    responses((status = 200, description = "Stored; sending it again does no harm.", body = CallbackReceived))
)]
pub async fn receive(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let edge: Arc<Edge> = Edge::part(&request)?;
    let gateway: Arc<Gateway> = Edge::part(&request)?;
    let account_id: ProviderAccountId =
        request.match_info().query("providerAccount").parse().map_err(|_| ApiError::new(Code::NotFound))?;
    let body = body::read(&request, payload, edge.body_bounds()).await?;
    // The names are in lower case already.
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let (origin, limits) = (Origin::of(&request), Arc::clone(&edge));
    let heeds_stray = move || origin.subject().is_none_or(|from| limits.limits.stray_callback.take(from).is_ok());
    let receive = async move { gateway.receive_callback_from(account_id, &headers, body.bytes(), heeds_stray).await };
    let received = edge.outlive(receive).await??;
    match received {
        Received::Stored => Ok(HttpResponse::Ok().json(CallbackReceived { status: "stored" })),
        Received::NotVerified => Err(ApiError::new(Code::CallbackNotVerified)),
        Received::Unheeded => Err(ApiError::new(Code::TooManyRequests)),
        Received::Malformed => Err(ApiError::field("", FieldProblem::Value)),
        Received::NoSuchAccount => Err(ApiError::new(Code::NotFound)),
    }
}
