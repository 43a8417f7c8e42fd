//! What the operations on a piece of configuration share: it is read by its id; it is made or changed as a document says, unless that
//! waits for a second person. In which order a call is refused is decided here.

use std::fmt::Display;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::gateway::Gateway;
use crate::gateway::access::{Caller, Refusal, Scope};
use crate::gateway::approvals::Configure;
use crate::gateway::manage::Attributes;
use crate::http::v1::approvals::configured_later;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::{Document, Resource, answer};
use crate::http::v1::error::V1Error;

/// Answers the one that the path names, as `find` shows it.
pub async fn one<Id: FromStr, T: Serialize>(
    call: &PartnerCall,
    find: impl AsyncFnOnce(Id) -> Result<Resource<T>, V1Error>,
) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    call.no_parameters()?;
    let found = find(call.path_id("id")?).await?;
    call.ok(&Document::from(found))
}

/// Makes what a document of type `kind` describes.
pub async fn create<T, F>(
    call: PartnerCall,
    payload: web::Payload,
    kind: &'static str,
    what: Configure,
    make: impl FnOnce(Arc<Gateway>, Caller, Attributes) -> F + Send + 'static,
) -> Result<HttpResponse, V1Error>
where
    T: Serialize,
    F: Future<Output = Result<Resource<T>, Refusal>> + Send,
{
    may_write(&call)?;
    carry_out(call, payload, Wish { kind, id: None, what, status: 201 }, make).await
}

/// Changes the one that the path names as a document of type `kind` says, which may name its id.
pub async fn change<Id, T, F>(
    call: PartnerCall,
    payload: web::Payload,
    kind: &'static str,
    what: impl FnOnce(Id) -> Configure,
    make: impl FnOnce(Arc<Gateway>, Caller, Id, Attributes) -> F + Send + 'static,
) -> Result<HttpResponse, V1Error>
where
    Id: FromStr + Display + Copy + Send + 'static,
    T: Serialize,
    F: Future<Output = Result<Resource<T>, Refusal>> + Send,
{
    may_write(&call)?;
    let id: Id = call.path_id("id")?;
    let wish = Wish { kind, id: Some(id.to_string()), what: what(id), status: 200 };
    carry_out(call, payload, wish, move |gateway, caller, given| make(gateway, caller, id, given)).await
}

/// Makes what a document of type `kind` describes as a part of the one that the path names.
pub async fn add<Id, T, F>(
    call: PartnerCall,
    payload: web::Payload,
    kind: &'static str,
    what: impl FnOnce(Id) -> Configure,
    make: impl FnOnce(Arc<Gateway>, Caller, Id, Attributes) -> F + Send + 'static,
) -> Result<HttpResponse, V1Error>
where
    Id: FromStr + Copy + Send + 'static,
    T: Serialize,
    F: Future<Output = Result<Resource<T>, Refusal>> + Send,
{
    may_write(&call)?;
    let id: Id = call.path_id("id")?;
    let wish = Wish { kind, id: None, what: what(id), status: 201 };
    carry_out(call, payload, wish, move |gateway, caller, given| make(gateway, caller, id, given)).await
}

fn may_write(call: &PartnerCall) -> Result<(), V1Error> {
    call.require(Scope::RoutingWrite)?;
    call.no_parameters()
}

/// What is wanted beside what the document says.
struct Wish {
    kind: &'static str,
    /// The id that the document may name.
    id: Option<String>,
    what: Configure,
    /// Of the answer, where nothing waits.
    status: u16,
}

/// `make` is carried out once per idempotency key, and not before a second person approves where it needs one: then it's 202.
async fn carry_out<T, F>(
    call: PartnerCall,
    payload: web::Payload,
    wish: Wish,
    make: impl FnOnce(Arc<Gateway>, Caller, Attributes) -> F + Send + 'static,
) -> Result<HttpResponse, V1Error>
where
    T: Serialize,
    F: Future<Output = Result<Resource<T>, Refusal>> + Send,
{
    let body = call.body(payload).await?;
    let given = call.attributes(&body, wish.kind, wish.id)?;
    let (gateway, caller) = (Arc::clone(&call.gateway), call.caller.clone());
    call.write(&body, async move {
        if let Some(waits) = configured_later(&gateway, &caller, wish.what, &given).await? {
            return Ok(waits);
        }
        let made = make(gateway, caller, given).await?;
        answer(wish.status, &Document::from(made))
    })
    .await
}
