//! The partners' API, with keys made for each test.

mod apart;
mod approvals;
mod auth;
mod batches;
mod credits;
mod customers;
mod documents;
pub mod entities;
mod funds;
mod idempotency;
mod keys;
mod lists;
mod reports;
pub mod requests;
mod requests_listed;
mod revoked;
mod rotation;
mod routed;
mod sandbox;
mod schemes;
mod signing;
mod tokens;
mod webhooks;

use std::collections::BTreeSet;

use landfall::domain::ids::{Mode, Tenant};
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::NewKey;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// A partner's backend with a key.
#[derive(Clone)]
pub struct Partner<'a> {
    pub world: &'a World,
    pub key: String,
    pub key_id: String,
    headers: Vec<(&'static str, String)>,
}

impl World {
    /// A new partner beside the configured one.
    pub async fn partner(&self, code: &str) {
        self.execute(&format!(
            "INSERT INTO partner (id, code, name, created_at) VALUES (gen_random_uuid(), '{code}', '{code}', now())"
        ))
        .await;
        self.app.gateway.routes.forget();
    }

    pub async fn tenant(&self, partner: &str, mode: Mode) -> Tenant {
        self.app.wallet.user(partner, mode, "x", None).await.unwrap().tenant
    }

    /// A key of the configured partner in test mode with every scope.
    pub async fn backend(&self) -> Partner<'_> {
        self.backend_with(&Scope::ALL).await
    }

    pub async fn backend_with(&self, scopes: &[Scope]) -> Partner<'_> {
        self.backend_of("demo", Mode::Test, scopes).await
    }

    pub async fn backend_of(&self, partner: &str, mode: Mode, scopes: &[Scope]) -> Partner<'_> {
        let author = Author::command(self.tenant(partner, mode).await);
        let scopes: BTreeSet<Scope> = scopes.iter().copied().collect();
        let new = NewKey {
            name: "test".to_owned(),
            scopes,
            allowed_ips: Vec::new(),
            expires_at: None,
            signing_required: false,
        };
        let (key, secret) = self.app.gateway.make_key(&author, partner == "house", new).await.unwrap();
        self.holder(secret.expose(), &key.id.to_string())
    }

    pub fn holder(&self, key: &str, key_id: &str) -> Partner<'_> {
        Partner { world: self, key: key.to_owned(), key_id: key_id.to_owned(), headers: Vec::new() }
    }
}

impl Partner<'_> {
    /// The same with a header more in every request.
    pub fn header(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name, value.to_owned()));
        other
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.world.client.request(method, format!("{}{path}", self.world.url)).bearer_auth(&self.key);
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.world.send(self.request(Method::GET, path)).await
    }

    /// A body exactly as written.
    pub async fn text(&self, method: Method, path: &str, body: &str) -> Answer {
        let request = self.request(method, path).header("Content-Type", "application/vnd.api+json");
        self.world.send(request.body(body.to_owned())).await
    }

    /// A POST of a document with these attributes.
    pub async fn post(&self, path: &str, kind: &str, attributes: Value) -> Answer {
        let document = json!({ "data": { "type": kind, "attributes": attributes } });
        self.text(Method::POST, path, &document.to_string()).await
    }

    pub async fn patch(&self, path: &str, kind: &str, attributes: Value) -> Answer {
        let document = json!({ "data": { "type": kind, "attributes": attributes } });
        self.text(Method::PATCH, path, &document.to_string()).await
    }

    /// A POST without a body.
    pub async fn act(&self, path: &str) -> Answer {
        self.world.send(self.request(Method::POST, path)).await
    }
}

impl Answer {
    /// A document's `data`.
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()["data"].clone()
    }

    /// Refused in this API's form with these errors: code and where it stands. Nothing of ours leaks.
    pub fn errors(&self, status: u16, wanted: &[(&str, &str)]) {
        let body = self.json();
        let found: Vec<(&str, &str)> = body["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("{self:?}"))
            .iter()
            .map(|error| {
                assert_eq!(error["status"], status.to_string(), "{self:?}");
                assert!(error["title"].is_string(), "{self:?}");
                let source = error["source"].as_object().and_then(|source| source.values().next());
                (error["code"].as_str().unwrap(), source.and_then(Value::as_str).unwrap_or(""))
            })
            .collect();
        assert_eq!((self.status, found.as_slice()), (status, wanted), "{self:?}");
        assert_eq!(self.header("x-request-id"), body["meta"]["request_id"].as_str());
        for leak in ["panick", "diesel", "postgres", "src/", "SELECT", "constraint", "sk_test_", "sk_live_"] {
            assert!(!self.text.contains(leak), "{leak}: {self:?}");
        }
    }
}
