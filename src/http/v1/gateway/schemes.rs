//! How both kinds of schemes are shown: the scheme with its version in force, and versions.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::gateway::manage::payout_schemes::SchemeVersion;
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

/// A version of the scheme `id`, of the type `kind`; `collection` is where schemes stand.
pub fn version_shown(
    kind: &'static str,
    collection: &str,
    id: &str,
    version: SchemeVersion,
) -> Resource<SchemeVersionAttributes> {
    let number = version.version;
    let attributes = SchemeVersionAttributes {
        version: number,
        body: version.body,
        comment: version.comment,
        created_by: version.created_by,
        created: version.created_at,
    };
    let mut resource = Resource::new(kind, &format!("{collection}/{id}/versions"), number, attributes);
    resource.id = format!("{id}.{number}");
    resource
}

/// A JSON Schema, which is no JSON:API document.
pub fn schema_answer(schema: &Value) -> Result<HttpResponse, V1Error> {
    let json = serde_json::to_string(schema).map_err(|error| V1Error::internal(&error))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/schema+json")).body(json))
}

/// A version of the path.
pub fn path_version(call: &PartnerCall) -> Result<i32, V1Error> {
    let version: i32 = call.path_id("version")?;
    if version < 1 { Err(V1Error::new("NOT_FOUND")) } else { Ok(version) }
}
