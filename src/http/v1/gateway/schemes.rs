//! What both kinds of schemes share: the scheme as it is shown, with its version in force; its versions; and what the operations do.

use std::str::FromStr;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::configure;
use crate::domain::ids::Mode;
use crate::gateway::access::Scope;
use crate::gateway::approvals::Configure;
use crate::gateway::manage::schemes::{Scheme, SchemeKind, SchemeVersion};
use crate::gateway::manage::version_key;
use crate::http::v1::call::PartnerCall;
use crate::http::v1::document::Resource;
use crate::http::v1::error::V1Error;

/// A scheme, with its version in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemeAttributes {
    /// Its short name; unique in its mode.
    #[schema(example = "standard")]
    pub code: String,
    /// What its owner calls it.
    #[schema(example = "Standard")]
    pub name: String,
    /// The version in force. A version never changes; a new one takes its place at once.
    #[schema(example = 1)]
    pub version: i32,
    /// What the version in force says, in the form of the published schema. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub body: Option<Value>,
    /// What its author said of the version in force. Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
    /// Whether it is of test mode.
    pub test_mode: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When the version in force was published.
    pub updated: DateTime<Utc>,
}

/// A version of a scheme. Its id is the scheme's, a point, and the version.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SchemeVersionAttributes {
    /// Which version it is, from 1.
    #[schema(example = 2)]
    pub version: i32,
    /// What it says, in the form of the published schema.
    #[schema(value_type = Object)]
    pub body: Value,
    /// What its author said of it.
    #[schema(example = "Half of it over bank B")]
    pub comment: Option<String>,
    /// Whose it is: a key's id, or `configuration`.
    pub created_by: String,
    /// When it was published.
    pub created: DateTime<Utc>,
}

/// A scheme that is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct NewSchemeRequest {
    /// Its short name: `a-z`, `0-9`, `_` and `-`. Its id unless given. The house's payout scheme `default` routes what names none.
    #[schema(min_length = 1, max_length = 64, example = "standard")]
    code: Option<String>,
    /// What its owner calls it.
    #[schema(min_length = 1, max_length = 200, example = "Standard")]
    name: String,
    /// What its version 1 says, in the form of the published schema.
    #[schema(value_type = Object)]
    body: Value,
    /// What there is to say of version 1.
    #[schema(max_length = 500)]
    comment: Option<String>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// A version that is to be in force.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the use case takes")]
pub struct NewSchemeVersionRequest {
    /// The version that it follows: if another is in force by then, it is a conflict. None: whatever is in force.
    #[schema(example = 1)]
    version: Option<i32>,
    /// What it says, in the form of the published schema.
    #[schema(value_type = Object)]
    body: Value,
    /// What there is to say of it.
    #[schema(max_length = 500, example = "Half of it over bank B")]
    comment: Option<String>,
    /// May say the mode again; a mode that isn't the key's is refused.
    test_mode: Option<bool>,
}

/// A kind of schemes as a resource.
pub trait SchemeResource: SchemeKind + FromStr + Into<Uuid> {
    const KIND: &'static str;
    const KIND_VERSION: &'static str;
    /// Where its schemes stand.
    const COLLECTION: &'static str;
    /// What making one is to a second person, and putting a version of one in force.
    const CREATING: Configure;
    fn publishing(self) -> Configure;
}

fn shown<Id: SchemeResource>(scheme: Scheme<Id>, current: Option<SchemeVersion>) -> Resource<SchemeAttributes> {
    let (body, comment) = current.map(|version| (version.body, version.comment)).unzip();
    let attributes = SchemeAttributes {
        code: scheme.code,
        name: scheme.name,
        version: scheme.version,
        body,
        comment,
        test_mode: scheme.mode == Mode::Test,
        created: scheme.created_at,
        updated: scheme.updated_at,
    };
    Resource::new(Id::KIND, Id::COLLECTION, scheme.id, attributes)
}

fn version_shown<Id: SchemeResource>(id: Id, version: SchemeVersion) -> Resource<SchemeVersionAttributes> {
    let number = version.version;
    let attributes = SchemeVersionAttributes {
        version: number,
        body: version.body,
        comment: version.comment,
        created_by: version.created_by,
        created: version.created_at,
    };
    let mut resource =
        Resource::new(Id::KIND_VERSION, &format!("{}/{id}/versions", Id::COLLECTION), number, attributes);
    resource.id = format!("{id}.{number}");
    resource
}

pub async fn create<Id: SchemeResource>(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::create(call, payload, Id::KIND, Id::CREATING, |gateway, caller, given| async move {
        let (scheme, first) = gateway.create_scheme::<Id>(&caller, &given).await?;
        Ok(shown(scheme, Some(first)))
    })
    .await
}

pub async fn list<Id: SchemeResource>(call: &PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let list = call.list(&["code"])?;
    let schemes = call.gateway.list_schemes::<Id>(&call.caller, list.parsed_filter("code")?, list.slice()).await?;
    call.ok(&list.page(schemes, |scheme| (scheme.created_at, scheme.id.into()), |scheme| shown(scheme, None)))
}

/// A JSON Schema, which is no JSON:API document.
pub fn schema(call: &PartnerCall, schema: fn() -> Value) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    call.no_parameters()?;
    let json = serde_json::to_string(&schema()).map_err(|error| V1Error::internal(&error))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/schema+json")).body(json))
}

pub async fn get<Id: SchemeResource>(call: &PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(call, async |id: Id| {
        let (scheme, current) = call.gateway.find_scheme(&call.caller, id).await?;
        Ok(shown(scheme, Some(current)))
    })
    .await
}

pub async fn publish<Id: SchemeResource>(call: PartnerCall, payload: web::Payload) -> Result<HttpResponse, V1Error> {
    configure::add(call, payload, Id::KIND_VERSION, Id::publishing, |gateway, caller, id, given| async move {
        let version = gateway.publish_scheme(&caller, id, &given).await?;
        Ok(version_shown(id, version))
    })
    .await
}

pub async fn list_versions<Id: SchemeResource>(call: &PartnerCall) -> Result<HttpResponse, V1Error> {
    call.require(Scope::RoutingRead)?;
    let id: Id = call.path_id("id")?;
    let list = call.list(&[])?;
    let versions = call.gateway.list_scheme_versions(&call.caller, id, list.slice()).await?;
    let key = |version: &SchemeVersion| (version.created_at, version_key(version.version));
    call.ok(&list.page(versions, key, |version| version_shown(id, version)))
}

pub async fn get_version<Id: SchemeResource>(call: &PartnerCall) -> Result<HttpResponse, V1Error> {
    configure::one(call, async |id: Id| {
        let version: i32 = call.path_id("version")?;
        if version < 1 {
            return Err(V1Error::new("NOT_FOUND"));
        }
        let version = call.gateway.find_scheme_version(&call.caller, id, version).await?;
        Ok(version_shown(id, version))
    })
    .await
}
