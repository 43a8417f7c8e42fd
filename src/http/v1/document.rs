//! What is answered: a document with one resource or a page of them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::error::V1Error;
use crate::http::call::Answer;

/// A resource: what it is, its id, and what is known of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Resource<T> {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// What is known of it.
    pub attributes: T,
    /// What it belongs to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relationships: BTreeMap<&'static str, Relationship>,
    /// Where it is found.
    pub links: SelfLink,
}

/// What a resource belongs to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Relationship {
    /// The other resource; null: there is none.
    data: Option<ResourceId>,
}

/// Names a resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResourceId {
    /// What kind of thing it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its id.
    id: String,
}

/// Where a resource is found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SelfLink {
    /// Its path.
    #[serde(rename = "self")]
    own: String,
}

impl<T> Resource<T> {
    /// A resource of `collection` (`/v1/api-keys`), whose path is the collection's and its id.
    pub fn new(kind: &'static str, collection: &str, id: impl ToString, attributes: T) -> Self {
        let id = id.to_string();
        let links = SelfLink { own: format!("{collection}/{id}") };
        Self { kind, id, attributes, relationships: BTreeMap::new(), links }
    }

    /// With another path than the collection's and its id.
    #[must_use]
    pub fn found_at(mut self, path: impl Into<String>) -> Self {
        self.links.own = path.into();
        self
    }

    /// Adds what it belongs to.
    #[must_use]
    pub fn related(mut self, name: &'static str, kind: &'static str, id: Option<impl ToString>) -> Self {
        let data = id.map(|id| ResourceId { kind, id: id.to_string() });
        self.relationships.insert(name, Relationship { data });
        self
    }
}

/// A document with one resource.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Document<T> {
    /// The resource.
    pub data: Resource<T>,
    /// About the answer, where there is something to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Note>,
}

/// Something to know about an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Note {
    /// For a person.
    pub note: &'static str,
}

impl<T> From<Resource<T>> for Document<T> {
    fn from(data: Resource<T>) -> Self {
        Self { data, meta: None }
    }
}

/// A document with a page of resources.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListDocument<T> {
    /// The page's resources, in order.
    pub data: Vec<Resource<T>>,
    /// Where this page and the next one are.
    pub links: PageLinks,
    /// About the page.
    pub meta: PageMeta,
}

/// Where pages are.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PageLinks {
    /// This page.
    #[serde(rename = "self")]
    pub own: String,
    /// The page after it; null: this is the last.
    pub next: Option<String>,
}

/// About a page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PageMeta {
    /// The page.
    pub page: PageInfo,
}

/// How the list goes on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PageInfo {
    /// The most resources of a page.
    #[schema(example = 20)]
    pub size: i64,
    /// For `page[cursor]`: where the next page begins; null: this is the last.
    pub next_cursor: Option<String>,
}

/// A request's document with one resource.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct RequestDocument<T> {
    /// What is wanted.
    pub data: RequestResource<T>,
}

/// A resource as it is wanted.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the reader takes")]
pub struct RequestResource<T> {
    /// The type, as the operation says.
    #[schema(rename = "type")]
    pub kind: String,
    /// In a PATCH, the path's id may stand here too.
    pub id: Option<String>,
    /// What it is to be.
    pub attributes: T,
}

/// An answer of a document.
pub fn answer(status: u16, document: &impl Serialize) -> Result<Answer, V1Error> {
    Ok(Answer::new(status, json(document)?))
}

/// An answer whose document holds a secret, with the document that is kept and replayed without it.
pub fn secret_answer(status: u16, document: &impl Serialize, kept: &impl Serialize) -> Result<Answer, V1Error> {
    Ok(Answer { saved_body: Some(json(kept)?), ..answer(status, document)? })
}

fn json(document: &impl Serialize) -> Result<String, V1Error> {
    serde_json::to_string(document).map_err(|error| V1Error::internal(&error))
}
