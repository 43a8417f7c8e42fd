//! The service under attack, its issuers, and the key server.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use chrono::DateTime;
use landfall::clock::{Clock, ManualClock};
use landfall::config::auth::{AuthSettings, IssuerSettings, KycSetting};
use landfall::domain::ids::Mode;
use landfall::http::auth::{AuthError, AuthFailure, Authenticator, Principal, WalletUser};
use serde_json::{Value, json};

use crate::keys::Signer;

pub const ISS: &str = "https://id.example";
pub const AUD: &str = "wallet";
static HUGE_CHUNK: &[u8] = &[b' '; 64 * 1024];

/// What the key server answers with.
#[derive(Clone)]
pub enum Answer {
    Keys(Vec<Value>),
    Text(String),
    Status(u16),
    Redirect(String),
    /// A body without an end.
    Huge,
    Slow(Duration, Vec<Value>),
}

/// A key server, and the attacker's server beside it (`/evil`).
#[derive(Clone)]
pub struct KeyServer {
    pub url: String,
    pub evil_url: String,
    answer: Arc<Mutex<Answer>>,
    fetches: Arc<AtomicUsize>,
    evil_fetches: Arc<AtomicUsize>,
    huge_bytes: Arc<AtomicUsize>,
}

impl KeyServer {
    pub fn start(first: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            url: format!("{base}/jwks"),
            evil_url: format!("{base}/evil"),
            answer: Arc::new(Mutex::new(first)),
            fetches: Arc::default(),
            evil_fetches: Arc::default(),
            huge_bytes: Arc::default(),
        };
        let data = server.clone();
        let app = move || {
            App::new()
                .app_data(web::Data::new(data.clone()))
                .route("/jwks", web::get().to(serve_keys))
                .route("/evil", web::get().to(serve_evil))
        };
        tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
        server
    }

    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// What was taken of bodies without an end, in bytes.
    pub fn huge_bytes(&self) -> usize {
        self.huge_bytes.load(Ordering::SeqCst)
    }

    pub fn evil_fetches(&self) -> usize {
        self.evil_fetches.load(Ordering::SeqCst)
    }
}

async fn serve_keys(server: web::Data<KeyServer>) -> HttpResponse {
    server.fetches.fetch_add(1, Ordering::SeqCst);
    let answer = server.answer.lock().unwrap().clone();
    match answer {
        Answer::Keys(keys) => HttpResponse::Ok().json(json!({ "keys": keys })),
        Answer::Text(text) => HttpResponse::Ok().body(text),
        Answer::Status(status) => HttpResponse::build(status.try_into().unwrap()).finish(),
        Answer::Redirect(to) => HttpResponse::Found().insert_header(("Location", to)).finish(),
        Answer::Huge => HttpResponse::Ok().streaming(futures_util::stream::repeat_with(move || {
            server.huge_bytes.fetch_add(HUGE_CHUNK.len(), Ordering::SeqCst);
            Ok::<_, std::io::Error>(web::Bytes::from_static(HUGE_CHUNK))
        })),
        Answer::Slow(delay, keys) => {
            tokio::time::sleep(delay).await;
            HttpResponse::Ok().json(json!({ "keys": keys }))
        }
    }
}

async fn serve_evil(server: web::Data<KeyServer>) -> HttpResponse {
    server.evil_fetches.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().json(json!({ "keys": [Signer::rsa_attacker().jwk("evil"), Signer::rsa().jwk("rsa")] }))
}

pub fn issuer(name: &str) -> IssuerSettings {
    IssuerSettings {
        name: name.into(),
        iss: ISS.into(),
        aud: vec![AUD.into()],
        partner: "demo".into(),
        mode: Mode::Test,
        algorithms: vec!["RS256".into(), "ES256".into(), "EdDSA".into()],
        jwks_url: None,
        jwks_file: None,
        public_key_file: None,
        secret_env: None,
        secret_file: None,
        development: false,
        kyc: KycSetting::Record,
        leeway_secs: 30,
        max_token_age_secs: None,
        required_scope: None,
    }
}

pub fn settings(issuers: Vec<IssuerSettings>) -> AuthSettings {
    AuthSettings {
        jwks_refresh_secs: 300,
        jwks_refresh_secs_min: 30,
        jwks_stale_secs_max: 3600,
        jwks_timeout_ms: 2000,
        issuers,
    }
}

/// The service under attack.
pub struct World {
    pub clock: ManualClock,
    pub keys: KeyServer,
    pub authenticator: Arc<Authenticator>,
    pub url: String,
    pub client: reqwest::Client,
    /// For files of keys.
    pub folder: tempfile::TempDir,
}

impl World {
    /// One issuer whose keys `rsa`, `ec` and `ed` are served.
    pub fn start() -> Self {
        let keys = vec![Signer::rsa().jwk("rsa"), Signer::ec().jwk("ec"), Signer::ed().jwk("ed")];
        Self::serving(Answer::Keys(keys))
    }

    pub fn serving(answer: Answer) -> Self {
        Self::with(answer, |keys, _| vec![IssuerSettings { jwks_url: Some(keys.url.clone()), ..issuer("app") }])
    }

    pub fn with(answer: Answer, issuers: impl FnOnce(&KeyServer, &std::path::Path) -> Vec<IssuerSettings>) -> Self {
        let keys = KeyServer::start(answer);
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(issuers(&keys, folder.path()));
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let http = reqwest::Client::builder().no_proxy();
        let authenticator =
            Arc::new(Authenticator::new(&settings, http, Arc::new(clock.clone()), folder.path()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/who", listener.local_addr().unwrap());
        let data = authenticator.clone();
        let app = move || App::new().app_data(data.clone()).route("/who", web::get().to(who));
        tokio::spawn(HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { clock, keys, authenticator, url, client, folder }
    }

    pub fn now(&self) -> i64 {
        self.clock.now().timestamp()
    }

    /// Claims of a sound token.
    pub fn claims(&self) -> Value {
        let now = self.now();
        json!({ "iss": ISS, "aud": AUD, "sub": "alice", "iat": now, "exp": now + 300 })
    }

    /// Sound claims with `changed` over them; a `null` takes the claim out.
    pub fn claims_with(&self, changed: Value) -> Value {
        let mut claims = self.claims();
        for (name, value) in changed.as_object().unwrap() {
            let claims = claims.as_object_mut().unwrap();
            match value {
                Value::Null => claims.remove(name),
                _ => claims.insert(name.clone(), value.clone()),
            };
        }
        claims
    }

    /// A sound token by the issuer's ES256 key.
    pub fn token(&self) -> String {
        Signer::ec().token("ec", &self.claims())
    }

    pub async fn get(&self, authorizations: &[&[u8]]) -> reqwest::Response {
        let mut request = self.client.get(&self.url);
        for value in authorizations {
            request = request.header("Authorization", reqwest::header::HeaderValue::from_bytes(value).unwrap());
        }
        request.send().await.unwrap()
    }

    pub async fn admitted(&self, token: &str) -> Principal {
        let response = self.get(&[format!("Bearer {token}").as_bytes()]).await;
        assert_eq!(response.status(), 200, "{:?}", self.authenticator.authenticate(token).await);
        let principal = self.authenticator.authenticate(token).await.unwrap();
        let echoed: Value = response.json().await.unwrap();
        assert_eq!(echoed["subject"], principal.subject);
        assert_eq!(echoed["partner"], principal.partner_code);
        assert_eq!(echoed["mode"], principal.mode.as_str());
        principal
    }

    /// The token is refused for this reason, and the caller is not told it.
    pub async fn refused(&self, token: &str, error: AuthError) {
        let shown: String = token.chars().take(60).collect();
        assert_eq!(self.authenticator.authenticate(token).await, Err(error), "{shown}");
        assert_refused(self.get(&[format!("Bearer {token}").as_bytes()]).await, error).await;
    }
}

pub async fn assert_refused(response: reqwest::Response, error: AuthError) {
    let (status, code, challenge) = match error {
        AuthError::ScopeMissing => (403, "insufficient_scope", Some(AuthFailure::SCOPE_CHALLENGE)),
        AuthError::KeysUnavailable => (503, "SERVICE_UNAVAILABLE", None),
        _ => (401, "invalid_token", Some(AuthFailure::CHALLENGE)),
    };
    let reason = match error {
        AuthError::Missing => json!({ "reason": "token_missing" }),
        AuthError::Expired => json!({ "reason": "token_expired" }),
        AuthError::ScopeMissing | AuthError::KeysUnavailable => Value::Null,
        _ => json!({ "reason": "token_refused" }),
    };
    assert_eq!(response.status(), status);
    let challenges: Vec<_> = response.headers().get_all("WWW-Authenticate").iter().cloned().collect();
    assert_eq!(challenges, challenge.into_iter().collect::<Vec<_>>());
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["error"], &body["data"], &body["field"]), (&json!(code), &reason, &Value::Null));
    let fields: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["data", "error", "errorId", "field", "message", "requestId", "systemId"]);
}

async fn who(WalletUser(user): WalletUser) -> HttpResponse {
    HttpResponse::Ok().json(json!({
        "partner": user.partner_code,
        "mode": user.mode.as_str(),
        "subject": user.subject,
    }))
}
