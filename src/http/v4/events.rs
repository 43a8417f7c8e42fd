//! An offer's fate as it goes: server-sent events, for apps that would ask again and again.

use std::sync::Arc;

use actix_web::HttpResponse;
use futures_util::{Stream, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::offers::Status;
use super::pay::Pay;
use crate::domain::ids::OfferId;
use crate::domain::offer::OfferStatus;
use crate::gateway::places::NoPlace;
use crate::http::call::Call;
use crate::http::connections::{Busy, Line};
use crate::http::error::{ApiError, Code};
use crate::http::sse;
use crate::wallet::Wallet;
use crate::wallet::fate::{Told, Watch};
use crate::wallet::view::{FateView, OfferStage};

/// How an offer stands: the data of an event `offer`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferEvent {
    /// Below 2^53.
    #[schema(example = 7310548820196645_i64)]
    offer_id: i64,
    status: Status,
    /// Raised by every update of the offer.
    #[schema(example = 1)]
    version: i32,
    /// Whether this is the last event.
    #[serde(rename = "final")]
    #[schema(example = true)]
    is_final: bool,
    /// The payout, as `getPay` answers it; null while nobody has paid the offer.
    pay: Option<Pay>,
}

/// One event of the stream, by the fields that server-sent events have.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written line by line")]
pub struct OfferMessage {
    /// The event's name.
    #[schema(pattern = "^offer$", example = "offer")]
    event: String,
    /// What a client says in `Last-Event-ID` when it comes again.
    #[schema(pattern = "^[0-9]+\\.[a-z_]+$", example = "1.accepted")]
    id: String,
    /// How the offer stands, as JSON in one line.
    #[schema(example = r#"{"offerId":7310548820196645,"status":"ACCEPTED","version":1,"final":false,"pay":null}"#)]
    data: String,
}

impl From<FateView> for OfferEvent {
    fn from(fate: FateView) -> Self {
        Self {
            offer_id: fate.offer_id.0,
            status: fate.stage.status.into(),
            version: fate.stage.version,
            is_final: fate.stage.is_final(),
            pay: fate.pay.map(Pay::from),
        }
    }
}

/// An event's id: `1.paid`. It says all that was told, so any process can go on from it.
fn id_of(stage: OfferStage) -> String {
    format!("{}.{}", stage.version, stage.status)
}

/// What an event with this id told; of an id that isn't ours nothing is known, and everything is told.
fn stage_of(id: &str) -> Option<OfferStage> {
    let (version, status) = id.split_once('.')?;
    let status = OfferStatus::ALL.into_iter().find(|known| known.as_str() == status)?;
    Some(OfferStage { version: version.parse().ok()?, status })
}

/// What becomes of an offer, as it happens.
///
/// Server-sent events (`text/event-stream`): first how the offer stands now, then each change, the final one last; then the stream ends. It
/// may be opened before the offer is paid. In between, comments say that it goes on. It ends too when the token does, after 15 minutes, and
/// when the process stops: come again with `Last-Event-ID`, and what was told isn't told again. Whoever saw the final event is answered 204,
/// and browsers then stop asking. A user has 4 streams at once unless configured (429), a process 5 000 (503).
#[utoipa::path(
    get, path = "/v4/payout/pay/{offerId}/events", operation_id = "getPayEvents", tag = "pay",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen.", example = "1.accepted")),
    responses(
        (status = 200, description = "Events; the schema is of each one.", body = OfferMessage, content_type = "text/event-stream"),
        (status = 204, description = "The final event was seen: there is nothing more to tell."),
    )
)]
pub async fn watch(call: Call) -> Result<HttpResponse, ApiError> {
    let offer_id: OfferId = call.path_id("offerId")?;
    let seen = call.header("Last-Event-ID")?.and_then(stage_of);
    let watch = match call.wallet.watch(&call.user, offer_id, seen, call.token_expires_at).await? {
        Ok(Some(watch)) => watch,
        Ok(None) => return Ok(HttpResponse::NoContent().finish()),
        Err(NoPlace::Own) => return Err(ApiError::new(Code::TooManyRequests)),
        Err(NoPlace::All) => return Err(ApiError::new(Code::ServiceUnavailable)),
    };
    // The connection isn't idle while the stream is open.
    let busy = call.request.conn_data::<Arc<Line>>().map(Line::begin);
    Ok(sse::answer(events(call.wallet, watch, busy)))
}

fn events(wallet: Arc<Wallet>, watch: Watch, busy: Option<Busy>) -> impl Stream<Item = String> {
    let began = stream::once(async { sse::RETRY.to_owned() });
    let told = stream::unfold((wallet, watch, busy), |(wallet, mut watch, busy)| async move {
        let text = match wallet.next_fate(&mut watch).await {
            Ok(Some(Told::Fate(fate))) => written(fate),
            Ok(Some(Told::Beat)) => Some(sse::BEAT.to_owned()),
            Ok(None) => None,
            // The app comes again, to another process perhaps.
            Err(error) => {
                tracing::warn!(%error, "a stream of an offer's fate ended early");
                None
            }
        };
        Some((text?, (wallet, watch, busy)))
    });
    futures_util::StreamExt::chain(began, told)
}

fn written(fate: FateView) -> Option<String> {
    let id = id_of(fate.stage);
    let data = serde_json::to_string(&OfferEvent::from(fate)).ok()?;
    Some(format!("id: {id}\n{}", sse::event("offer", &data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_a_strange_one_says_nothing() {
        for status in OfferStatus::ALL {
            let stage = OfferStage { version: 3, status };
            assert_eq!(stage_of(&id_of(stage)), Some(stage));
        }
        for strange in ["", "1", "paid", "x.paid", "1.PAID", "1.paid.2", "99999999999.paid"] {
            assert_eq!(stage_of(strange), None, "{strange}");
        }
    }
}
