//! One call of the partners' API: whose key it came with, what the app needs to answer, and how a write outlives its caller. The
//! key is checked before anything else; a refused one is never told why.

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::{Source, V1Error};
use super::list::ListQuery;
use super::media::Media;
use super::reader::{Reader, Wanted};
use crate::domain::ids::Mode;
use crate::gateway::Gateway;
use crate::gateway::access::audit::Author;
use crate::gateway::access::keys::{KeyRefused, Known};
use crate::gateway::access::signing::{Parts, SignedBody};
use crate::gateway::access::{Caller, Scope};
use crate::gateway::manage::Attributes;
use crate::http::body::{self, Body, BodyBounds};
use crate::http::call::{Answer, Edge};
use crate::http::context::RequestContext;
use crate::http::error::{ApiError, FieldProblem};
use crate::http::fresh::{self, Tagged};
use crate::http::idempotency::{self, IdempotencyKey, KeyedRequest, OnceId};
use crate::http::proxies::Origin;
use crate::wallet::Wallet;

/// No header longer than this is looked at: a key has 57 characters.
const AUTHORIZATION_BYTES_MAX: usize = 256;

/// Carries the signature of a request whose key demands one.
pub const SIGNATURE: &str = "Landfall-Signature";

/// A call with a valid key.
pub struct PartnerCall {
    pub caller: Caller,
    pub gateway: Arc<Gateway>,
    pub wallet: Arc<Wallet>,
    pub edge: Arc<Edge>,
    pub request: HttpRequest,
    pub context: RequestContext,
    pub media: Media,
    /// What a signed request's body must be.
    signed_body: Option<SignedBody>,
}

impl FromRequest for PartnerCall {
    type Error = V1Error;
    type Future = LocalBoxFuture<'static, Result<Self, V1Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let edge: Arc<Edge> = Edge::part(&request)?;
            let gateway: Arc<Gateway> = Edge::part(&request)?;
            let wallet: Arc<Wallet> = Edge::part(&request)?;
            let key = key_of(request.headers()).ok_or_else(|| refused(&KeyRefused::Malformed))?;
            let origin = Origin::of(&request);
            let known = gateway.authenticate_key(&key, origin.caller).await.map_err(|error| match error {
                KeyRefused::Failed(error) => error.into(),
                error => refused(&error),
            })?;
            let signed_body = check_signature(&request, &known, gateway.clock.now())?;
            edge.limits.key.take(known.key_id.0).map_err(ApiError::from)?;
            edge.note_key_use(&gateway, &known);
            let media = Media::negotiate(request.headers()).ok_or_else(|| V1Error::new("NOT_ACCEPTABLE"))?;
            let context = RequestContext::from_request(&request);
            let caller = known.caller;
            Ok(Self { caller, gateway, wallet, edge, request, context, media, signed_body })
        })
    }
}

/// The same for every reason, which is for the log.
fn refused(reason: &KeyRefused) -> V1Error {
    tracing::info!(%reason, "request refused");
    V1Error::new("UNAUTHORIZED")
}

/// Checks all of a signed request but its body, which isn't there yet.
fn check_signature(request: &HttpRequest, known: &Known, now: DateTime<Utc>) -> Result<Option<SignedBody>, V1Error> {
    if known.signing.is_none() {
        return Ok(None);
    }
    let key = idempotency_key(request)?;
    // A copy of a write is harmless only where its key makes it one.
    if !request.method().is_safe() && key.is_none() {
        return Err(V1Error::new("IDEMPOTENCY_KEY_MISSING").at(Source::Header(IdempotencyKey::HEADER.to_owned())));
    }
    let parts = Parts {
        method: request.method().as_str(),
        target: request.uri().path_and_query().map_or("/", |target| target.as_str()),
        idempotency_key: key.as_ref().map(IdempotencyKey::as_str),
    };
    let mut values = request.headers().get_all(SIGNATURE);
    let header = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
    known.check_signature(&parts, header, now).map_err(|refused| unsigned(&refused))
}

/// The same for every reason, which is for the log.
fn unsigned(reason: &impl std::fmt::Display) -> V1Error {
    tracing::info!(%reason, "request refused");
    V1Error::new("SIGNATURE_INVALID").at(Source::Header(SIGNATURE.to_owned()))
}

/// The key of the one `Authorization` header: a bearer's, or the user of Basic without a password.
fn key_of(headers: &HeaderMap) -> Option<Zeroizing<String>> {
    let mut values = headers.get_all(AUTHORIZATION);
    let value = values.next().filter(|value| value.len() <= AUTHORIZATION_BYTES_MAX)?;
    if values.next().is_some() {
        return None;
    }
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(credentials.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials).ok()?);
    let user = std::str::from_utf8(&decoded).ok()?.strip_suffix(':')?;
    Some(Zeroizing::new(user.to_owned()))
}

impl PartnerCall {
    /// Refuses a key without `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), V1Error> {
        if self.caller.scopes.contains(&scope) { Ok(()) } else { Err(V1Error::scope_missing(scope)) }
    }

    pub fn mode(&self) -> Mode {
        self.caller.tenant.mode
    }

    /// Whom the audit trail names.
    pub fn author(&self) -> Author {
        Author::from(&self.caller)
    }

    /// The body, which is a JSON:API document; read it with [`Self::document`].
    pub async fn body(&self, payload: web::Payload) -> Result<Body, V1Error> {
        self.as_signed(body::read_json_api(&self.request, payload, self.edge.body_bounds()).await?)
    }

    /// A body of any type, up to `bytes_max`.
    pub async fn file(&self, payload: web::Payload, bytes_max: usize) -> Result<Body, V1Error> {
        let bounds = BodyBounds { bytes_max, ..self.edge.body_bounds() };
        self.as_signed(body::read(&self.request, payload, bounds).await?)
    }

    /// Refuses a body that isn't the one which was signed.
    fn as_signed(&self, body: Body) -> Result<Body, V1Error> {
        match &self.signed_body {
            Some(signed) => signed.check(body.bytes()).map(|()| body).map_err(|refused| unsigned(&refused)),
            None => Ok(body),
        }
    }

    /// No body: none at all, or `{}`.
    pub async fn empty_body(&self, payload: web::Payload) -> Result<Body, V1Error> {
        let body = self.as_signed(body::read(&self.request, payload, self.edge.body_bounds()).await?)?;
        if body.is_blank() { Ok(body) } else { Err(ApiError::field("body", FieldProblem::Unknown).into()) }
    }

    /// The attributes of a document of type `kind`, which are all among `attributes`.
    pub fn document<'b>(&self, body: &'b Body, kind: &str, attributes: &[&str]) -> Result<Reader<'b>, V1Error> {
        Reader::of_document(body, &Wanted { kind, id: None, attributes })
    }

    /// The same for the change of one thing: the document may name its id.
    pub fn change_document<'b>(
        &self,
        body: &'b Body,
        kind: &str,
        id: impl ToString,
        attributes: &[&str],
    ) -> Result<Reader<'b>, V1Error> {
        Reader::of_document(body, &Wanted { kind, id: Some(&id.to_string()), attributes })
    }

    /// The attributes of a document of type `kind`, for a use case that reads them by itself; `id` as in
    /// [`Self::change_document`].
    pub fn attributes(&self, body: &Body, kind: &str, id: Option<String>) -> Result<Attributes, V1Error> {
        Reader::attributes_of(body, &Wanted { kind, id: id.as_deref(), attributes: &[] }, self.mode())
    }

    /// An id of the path. What is no id of that kind isn't there.
    pub fn path_id<T: FromStr>(&self, name: &str) -> Result<T, V1Error> {
        self.request.match_info().query(name).parse().map_err(|_| V1Error::new("NOT_FOUND"))
    }

    /// The list's parameters; `filters` are the names that may stand in `filter[...]`.
    pub fn list(&self, filters: &[&str]) -> Result<ListQuery, V1Error> {
        ListQuery::parse(self.request.path(), self.request.query_string(), filters)
    }

    /// Refuses any query parameter.
    pub fn no_parameters(&self) -> Result<(), V1Error> {
        let query = self.request.query_string();
        if query.is_empty() {
            return Ok(());
        }
        let shown: String = query.split(['=', '&']).next().unwrap_or("").chars().take(64).collect();
        Err(V1Error::new("UNKNOWN_PARAMETER").at(Source::Parameter(shown)))
    }

    /// Answers a document that was read, or that nothing changed since the caller read it.
    pub fn ok(&self, document: &impl Serialize) -> Result<HttpResponse, V1Error> {
        let json = serde_json::to_string(document).map_err(|error| V1Error::internal(&error))?;
        if !self.request.method().is_safe() {
            return Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, self.media.as_str())).body(json));
        }
        Ok(self.fresh(self.media.as_str(), json))
    }

    /// Answers a text of any type that was read, or that nothing changed.
    pub fn fresh(&self, media_type: &str, text: String) -> HttpResponse {
        let whose = format!("{}/{}/{}", self.caller.tenant.partner_id, self.mode(), self.caller.actor());
        fresh::answer(&self.request, &whose, media_type, text, &Tagged::Body)
    }

    /// Does a write that outlives its caller, once per idempotency key if there is one.
    pub async fn write<F>(self, body: &Body, work: F) -> Result<HttpResponse, V1Error>
    where
        F: Future<Output = Result<Answer, V1Error>> + Send + 'static,
    {
        self.write_once(body, |_| work).await
    }

    /// The same for what makes something that only the idempotency key names: `work` is given the id that the key stands for.
    pub async fn write_once<W, F>(self, body: &Body, work: W) -> Result<HttpResponse, V1Error>
    where
        W: FnOnce(Option<OnceId>) -> F + Send + 'static,
        F: Future<Output = Result<Answer, V1Error>> + Send + 'static,
    {
        let Self { caller, gateway, edge, request, context, media, .. } = self;
        let answer = match idempotency_key(&request)? {
            None => edge.outlive(work(None)).await??,
            Some(key) => {
                let principal = format!("key:{}", caller.actor());
                let keyed = KeyedRequest::new(
                    &gateway,
                    caller.tenant,
                    principal,
                    key,
                    &request,
                    body,
                    edge.settings.idempotency_lease_secs,
                );
                edge.outlive(idempotency::once(gateway, keyed, context, |id| work(Some(id)))).await??
            }
        };
        Ok(answer.respond_as(media.as_str()))
    }
}

fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, V1Error> {
    let mut values = request.headers().get_all(IdempotencyKey::HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    let refused = |problem| V1Error::from(ApiError::field(IdempotencyKey::HEADER, problem));
    if values.next().is_some() {
        return Err(refused(FieldProblem::Duplicate));
    }
    let text = value.to_str().map_err(|_| refused(FieldProblem::Value))?;
    Ok(Some(IdempotencyKey::parse(text)?))
}

impl Edge {
    /// Notes that a key was used, off the request's path.
    fn note_key_use(&self, gateway: &Arc<Gateway>, known: &Known) {
        if !self.key_uses.claim(known.key_id, known.last_used_at, gateway.clock.now()) {
            return;
        }
        let (gateway, tenant, id) = (Arc::clone(gateway), known.caller.tenant, known.key_id);
        self.runtime.spawn(async move {
            if let Err(error) = gateway.note_key_use(tenant, id).await {
                tracing::warn!(%error, key = %id, "the key's use wasn't noted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn key(headers: &[&str]) -> Option<String> {
        let request = headers
            .iter()
            .fold(TestRequest::get(), |request, value| request.append_header(("Authorization", (*value).to_owned())));
        key_of(request.to_http_request().headers()).map(|key| key.to_string())
    }

    #[test]
    fn a_key_comes_in_one_header_as_bearer_or_as_basic_user() {
        assert_eq!(key(&["Bearer sk_test_x"]).as_deref(), Some("sk_test_x"));
        assert_eq!(key(&["bearer sk_test_x"]).as_deref(), Some("sk_test_x"));
        assert_eq!(key(&[&format!("Basic {}", STANDARD.encode("sk_test_x:"))]).as_deref(), Some("sk_test_x"));
        for refused in [
            vec![],
            vec!["sk_test_x"],
            vec!["Bearer sk_test_x", "Bearer sk_test_x"],
            vec!["Basic sk_test_x"],
            vec!["Digest sk_test_x"],
        ] {
            assert_eq!(key(&refused), None, "{refused:?}");
        }
        for user in ["sk_test_x", "sk_test_x:password", ""] {
            assert_eq!(key(&[&format!("Basic {}", STANDARD.encode(user))]), None, "{user}");
        }
        assert_eq!(key(&[&format!("Bearer {}", "x".repeat(300))]), None);
    }
}
