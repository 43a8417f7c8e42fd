//! The answer to a change that waits for a second person: 202, with the approval's id and nothing else, since nothing is there yet; and
//! `/v1/approvals/{id}`, where whoever asked is told what became of it.

use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::call::PartnerCall;
use super::document::{Document, Resource, answer, secret_answer};
use super::error::V1Error;
use crate::domain::ids::{ApprovalId, Mode};
use crate::gateway::Gateway;
use crate::gateway::access::audit::Author;
use crate::gateway::access::keys::Secrets;
use crate::gateway::access::{Caller, Scope};
use crate::gateway::approvals::{Approval, Change, ChangeError, Configure, Maker, Waits};
use crate::gateway::manage::Attributes;
use crate::http::call::Answer;
use crate::http::routes::resource;

pub(in crate::http::v1) const KIND: &str = "approval";
const COLLECTION: &str = "/v1/approvals";

pub fn routes(cfg: &mut web::ServiceConfig) {
    cfg.service(resource("/v1/approvals/{id}", "GET", [web::get().to(get)]));
}

/// A change that a key asked for and that waits, or waited, for a second person.
#[derive(Clone, Serialize, ToSchema)]
pub struct ApprovalAttributes {
    /// What the audit trail calls the change.
    #[schema(example = "payout_scheme.publish")]
    action: String,
    /// What it would change; `new` for what would be made.
    #[schema(example = "new")]
    object: String,
    /// `open`: it waits. `applied`: another person approved it, and it was made. `declined`. `stale`: it was approved and couldn't be made
    /// any more, since what it was made against had changed. `expired`: nobody decided in time. All but the first are final.
    #[schema(example = "applied")]
    status: String,
    /// The id of what was changed or made; null unless it was.
    made: Option<String>,
    /// The id of the key that asked.
    asked_by: String,
    /// When it was asked for.
    asked: DateTime<Utc>,
    /// When it stops waiting, unless it is decided before.
    expires: DateTime<Utc>,
    /// When it was decided; null: it wasn't.
    decided: Option<DateTime<Utc>>,
    /// Why it wasn't made, in the words of whoever decided.
    reason: Option<String>,
    /// Whether it is of test mode.
    test_mode: bool,
}

fn shown(approval: Approval) -> Resource<ApprovalAttributes> {
    let is_refused = matches!(approval.status.as_str(), "declined" | "stale");
    let attributes = ApprovalAttributes {
        action: approval.action,
        object: approval.object,
        made: approval.made,
        asked_by: approval.asked_by,
        asked: approval.asked_at,
        expires: approval.expires_at,
        decided: approval.decided_at,
        // Who approved, and with which words, is the house's.
        reason: approval.reason.filter(|_| is_refused),
        test_mode: approval.mode == Mode::Test,
        status: approval.status,
    };
    Resource::new(KIND, COLLECTION, approval.id, attributes)
}

/// What became of a change that waits for a second person.
///
/// Needs `keys:write` for a change of API keys, and `routing:write` for any other: what asking for it took. The id is that of the 202.
#[utoipa::path(
    get, path = "/v1/approvals/{id}", operation_id = "getApproval", tag = "approvals",
    responses((status = 200, description = "The change as it stands.", body = Document<ApprovalAttributes>, content_type = "application/vnd.api+json"))
)]
pub async fn get(call: PartnerCall) -> Result<HttpResponse, V1Error> {
    // Whoever can ask for nothing is refused before anything is looked up.
    if !call.caller.scopes.contains(&Scope::RoutingWrite) {
        call.require(Scope::KeysWrite)?;
    }
    call.no_parameters()?;
    let id: ApprovalId = call.path_id("id")?;
    let (approval, scope) = call.gateway.approval_of(call.caller.tenant, id).await?;
    call.require(scope)?;
    call.ok(&Document::from(shown(approval)))
}

/// A change that waits: it is made when a second person approves it on the dashboard.
#[derive(Clone, Serialize, ToSchema)]
pub struct WaitsDocument {
    /// About the change.
    meta: WaitsMeta,
}

/// About a change that waits.
#[derive(Clone, Serialize, ToSchema)]
pub struct WaitsMeta {
    /// What waits.
    approval: WaitsFor,
    /// For a person.
    note: &'static str,
}

/// What waits for a second person.
#[derive(Clone, Serialize, ToSchema)]
pub struct WaitsFor {
    /// The approval's id, as the dashboard has it.
    #[schema(example = "apr_0198c0de000070008000000000000001")]
    id: String,
    /// What the audit trail calls the change.
    #[schema(example = "payout_scheme.publish")]
    action: String,
    /// What it would change; `new` for what would be made.
    object: String,
    /// When it stops waiting.
    expires: DateTime<Utc>,
    /// Of an API key: its secret, in this answer only. It opens nothing before the key is approved.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// The same of what its requests are to be signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
}

const NOTE: &str = "Nothing is changed yet: another person approves or declines it on the dashboard. GET /v1/approvals/{id} tells which.";

fn document(waits: &Waits, secrets: Option<&Secrets>) -> WaitsDocument {
    let approval = WaitsFor {
        id: waits.id.to_string(),
        action: waits.action.clone(),
        object: waits.object.clone(),
        expires: waits.expires_at,
        secret: secrets.map(|secrets| secrets.key.expose().to_owned()),
        signing_secret: secrets.and_then(|secrets| secrets.signing.as_ref()).map(|secret| secret.expose().to_owned()),
    };
    WaitsDocument { meta: WaitsMeta { approval, note: NOTE } }
}

/// The 202.
pub fn waits_answer(waits: &Waits) -> Result<Answer, V1Error> {
    answer(202, &document(waits, None))
}

/// The same with the secrets of a key, which aren't kept for replays.
pub fn waits_with_secret(waits: &Waits, secrets: &Secrets) -> Result<Answer, V1Error> {
    secret_answer(202, &document(waits, Some(secrets)), &document(waits, None))
}

/// Asks for a change where its mode needs a second person. `None`: it is to be made now.
pub async fn asked_for(
    gateway: &Gateway,
    caller: &Caller,
    change: impl FnOnce() -> Change,
) -> Result<Option<Waits>, V1Error> {
    if !gateway.needs_second_person(caller.tenant.mode) {
        return Ok(None);
    }
    let change = change();
    if change.is_only_a_stop() {
        return Ok(None);
    }
    Box::pin(gateway.ask_for(&Author::from(caller), &change)).await.map_err(|error| match error {
        ChangeError::Refused(refusal) => refusal.into(),
        // Decisions about money aren't this API's.
        other => V1Error::internal(&other),
    })
}

/// The 202 of a change of configuration that has to wait. `None`: it is to be made now.
pub async fn configured_later(
    gateway: &Gateway,
    caller: &Caller,
    what: Configure,
    given: &Attributes,
) -> Result<Option<Answer>, V1Error> {
    let change = || Change::Configure { by: Maker::from(caller), what, given: given.clone() };
    asked_for(gateway, caller, change).await?.as_ref().map(waits_answer).transpose()
}
