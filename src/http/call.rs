//! One call of the wallet API: who asks, what the app needs to answer, and how a write outlives its caller.
//! Everything that can be refused before the body is read is refused here, the token first.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::auth::{AuthError, AuthFailure, KycSource, Signed, WalletUser};
use super::body::{self, Body, BodyBounds};
use super::connections::Connections;
use super::context::RequestContext;
use super::error::{ApiError, Code, FieldProblem};
use super::fresh::{self, Tagged};
use super::idempotency::{self, IdempotencyKey, KeyedRequest};
use super::key_uses::KeyUses;
use super::limits::RateLimits;
use super::ops::Probe;
use super::proxies::Unbelieved;
use crate::config::http::HttpSettings;
use crate::gateway::Gateway;
use crate::wallet::{User, Wallet};

const JSON: &str = "application/json";
/// How many characters of an app's version are logged.
const SDK_VERSION_CHARS_MAX: usize = 64;

/// What every handler may need of the process.
pub struct Edge {
    pub settings: HttpSettings,
    /// Writes run here: a worker's own runtime drops what its client no longer waits for.
    pub runtime: tokio::runtime::Handle,
    pub probes: Vec<Probe>,
    /// When the uses of API keys were last noted by this process.
    pub key_uses: KeyUses,
    pub limits: RateLimits,
    pub connections: Arc<Connections>,
    /// How many requests are being answered.
    pub requests: AtomicUsize,
    /// Proxies that aren't believed, and should perhaps be.
    pub unbelieved: Unbelieved,
}

impl Edge {
    pub fn new(settings: HttpSettings, runtime: tokio::runtime::Handle, probes: Vec<Probe>) -> Self {
        Self {
            runtime,
            probes,
            key_uses: KeyUses::default(),
            limits: RateLimits::new(&settings.rate_limits),
            connections: Connections::new(&settings),
            requests: AtomicUsize::new(0),
            unbelieved: Unbelieved::default(),
            settings,
        }
    }

    pub fn body_bounds(&self) -> BodyBounds {
        BodyBounds { bytes_max: self.settings.body_bytes_max, timeout: self.settings.client_timeout() }
    }

    /// What the process needs is put into the app's data when it starts.
    pub fn part<T: Clone + 'static>(request: &HttpRequest) -> Result<T, ApiError> {
        let part = request.app_data::<T>().cloned();
        part.ok_or_else(|| ApiError::internal(&format_args!("{} isn't wired", std::any::type_name::<T>())))
    }

    /// Runs `work` to its end, whether or not the caller waits for it.
    pub async fn outlive<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, ApiError> {
        use tracing::Instrument;
        let task = self.runtime.spawn(work.in_current_span());
        task.await.map_err(|error| ApiError::internal(&format_args!("a write's task ended: {error}")))
    }
}

/// A call by a verified user.
pub struct Call {
    pub user: User,
    /// When the token that came with it is over.
    pub token_expires_at: DateTime<Utc>,
    pub wallet: Arc<Wallet>,
    pub edge: Arc<Edge>,
    pub request: HttpRequest,
    pub context: RequestContext,
}

impl FromRequest for Call {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let WalletUser(who) = WalletUser::extract(&request).await.map_err(|failure| ApiError::from(&failure))?;
            let edge: Arc<Edge> = Edge::part(&request)?;
            let wallet: Arc<Wallet> = Edge::part(&request)?;
            edge.limits.user.take((&who.partner_code, who.mode.as_str(), &who.subject))?;
            check_sdk_version(&request, edge.settings.sdk_version_required)?;
            let kyc = match who.kyc {
                KycSource::FromRecord => None,
                KycSource::Claim(level) => Some(level),
            };
            let user = wallet.user(&who.partner_code, who.mode, &who.subject, kyc).await?;
            if let Some(signed) = who.signed_by_us {
                check_own_token(&wallet, &user, signed, &request).await?;
            }
            let context = RequestContext::from_request(&request);
            Ok(Self { user, token_expires_at: who.expires_at, wallet, edge, request, context })
        })
    }
}

impl Call {
    /// The JSON body.
    pub async fn body(&self, payload: web::Payload) -> Result<Body, ApiError> {
        body::read_json(&self.request, payload, self.edge.body_bounds()).await
    }

    /// No body: none at all, or `{}`.
    pub async fn empty_body(&self, payload: web::Payload) -> Result<Body, ApiError> {
        let body = body::read(&self.request, payload, self.edge.body_bounds()).await?;
        if body.is_blank() { Ok(body) } else { Err(ApiError::field("body", FieldProblem::Unknown)) }
    }

    /// An id of the path.
    pub fn path_id<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, ApiError> {
        let text = self.request.match_info().query(name);
        text.parse().map_err(|_| ApiError::field(name, FieldProblem::Value))
    }

    /// The query's parameters; unknown or repeated ones are refused.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        match web::Query::<T>::from_query(self.request.query_string()) {
            Ok(query) => Ok(query.into_inner()),
            Err(_) => Err(ApiError::field("query", FieldProblem::Value)),
        }
    }

    /// A header's text, if the header is there once.
    pub fn header(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let mut values = self.request.headers().get_all(name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| ApiError::field(name, FieldProblem::Value)),
            (Some(_), Some(_)) => Err(ApiError::field(name, FieldProblem::Duplicate)),
        }
    }

    /// Answers what was read, or that nothing changed since the caller read it.
    pub fn fresh(&self, value: &impl Serialize) -> Result<HttpResponse, ApiError> {
        Ok(self.tagged(json(value)?, &Tagged::Body))
    }

    /// The same for what has something in it that changes by itself; `meaning` is the value without that.
    pub fn fresh_by(&self, value: &impl Serialize, meaning: &impl Serialize) -> Result<HttpResponse, ApiError> {
        Ok(self.tagged(json(value)?, &Tagged::Meaning(&json(meaning)?)))
    }

    fn tagged(&self, json: String, tagged: &Tagged<'_>) -> HttpResponse {
        let User { tenant, reference, .. } = &self.user;
        let whose = format!("{}/{}/{reference}", tenant.partner_id, tenant.mode);
        fresh::answer(&self.request, &whose, JSON, json, tagged)
    }

    /// Does a write that outlives its caller, once per idempotency key if there is one.
    pub async fn write<F>(self, body: &Body, work: F) -> Result<HttpResponse, ApiError>
    where
        F: Future<Output = Result<Answer, ApiError>> + Send + 'static,
    {
        let key = self.header(IdempotencyKey::HEADER)?.map(IdempotencyKey::parse).transpose()?;
        let Some(key) = key else {
            let answer = self.edge.outlive(work).await??;
            return Ok(answer.respond());
        };
        let gateway: Arc<Gateway> = Edge::part(&self.request)?;
        let principal = format!("user:{}", self.user.reference);
        let lease_secs = self.edge.settings.idempotency_lease_secs;
        let request = KeyedRequest::new(&gateway, self.user.tenant, principal, key, &self.request, body, lease_secs);
        let (context, edge) = (self.context, self.edge);
        let answer = edge.outlive(idempotency::once(gateway, request, context, |_| work)).await??;
        Ok(answer.respond())
    }
}

/// What a token of our own can't say of itself: that it stands, and that it may do what is asked.
async fn check_own_token(wallet: &Wallet, user: &User, signed: Signed, request: &HttpRequest) -> Result<(), ApiError> {
    let refused = |error: AuthError| ApiError::from(&AuthFailure(error));
    if !wallet.token_stands(user, signed.customer_id, signed.generation).await? {
        return Err(refused(AuthError::Revoked));
    }
    if signed.reads_only && !request.method().is_safe() { Err(refused(AuthError::ScopeMissing)) } else { Ok(()) }
}

/// Accepted and logged. Required only where configured.
fn check_sdk_version(request: &HttpRequest, required: bool) -> Result<(), ApiError> {
    match request.headers().get("X-Sdk-Version") {
        Some(version) => {
            let text = version.to_str().unwrap_or("").chars().filter(|c| !c.is_control());
            let shown: String = text.take(SDK_VERSION_CHARS_MAX).collect();
            // Eight digits tell no card number.
            let digits = shown.chars().filter(char::is_ascii_digit).count();
            tracing::info!(sdk_version = if digits > 8 { "unreadable" } else { &shown }, "app");
            Ok(())
        }
        None if required => Err(ApiError::field("X-Sdk-Version", FieldProblem::Missing)),
        None => Ok(()),
    }
}

fn json(value: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(value).map_err(|error| ApiError::internal(&error))
}

/// An answer that can be saved: a status and its JSON, or no body at all. `Debug` doesn't show the body: a key is told in one.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Empty when there is none.
    pub body: String,
    /// What is saved in place of a `body` that holds a secret.
    pub saved_body: Option<String>,
    /// Whether it was saved before.
    pub replayed: bool,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, length) = (self.status, self.body.len());
        write!(f, "Answer({status}, {length} bytes{})", if self.replayed { ", replayed" } else { "" })
    }
}

impl Answer {
    pub const fn new(status: u16, body: String) -> Self {
        Self { status, body, saved_body: None, replayed: false }
    }

    pub fn json(value: &impl Serialize) -> Result<Self, ApiError> {
        Ok(Self::new(200, json(value)?))
    }

    pub const fn no_content() -> Self {
        Self::new(204, String::new())
    }

    pub fn respond(self) -> HttpResponse {
        self.respond_as(JSON)
    }

    pub fn respond_as(self, media_type: &'static str) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(Code::Common.status());
        let mut response = HttpResponse::build(status);
        if self.replayed {
            response.insert_header(("Idempotency-Replayed", "true"));
        }
        if self.body.is_empty() {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, media_type)).body(self.body)
    }
}
