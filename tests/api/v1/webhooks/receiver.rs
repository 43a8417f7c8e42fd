//! A receiver of webhooks that answers as it is told, and keeps what it got.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whether one of its signatures is that of `secret`: the specification's check, written down a second time.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let signed = format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.body);
        let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == wanted)
    }
}

/// What it answers.
#[derive(Clone, Copy, Debug)]
pub enum Answers {
    With(u16),
    /// 429, and how many seconds to wait.
    Later(u32),
    /// To another address.
    Elsewhere,
    /// Not before the caller has given up.
    Never,
}

struct Shared {
    answers: Mutex<Answers>,
    received: Mutex<Vec<Received>>,
}

pub struct Receiver {
    pub url: String,
    shared: Arc<Shared>,
    server: ServerHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

impl Receiver {
    pub fn new() -> Self {
        let shared = Arc::new(Shared { answers: Mutex::new(Answers::With(200)), received: Mutex::new(Vec::new()) });
        let data = web::Data::from(Arc::clone(&shared));
        let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(receive)))
            .workers(1)
            .bind("127.0.0.1:0")
            .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.disable_signals().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, shared, server: handle }
    }

    pub fn answer(&self, answers: Answers) {
        *self.shared.answers.lock().unwrap() = answers;
    }

    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Waits until it got `count` messages, and answers them.
    pub async fn until(&self, count: usize) -> Vec<Received> {
        for _ in 0..1_500 {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} messages were waited for, and these came: {:?}", self.received());
    }

    /// Waits until a message of that type came.
    pub async fn until_told(&self, kind: &str) -> Received {
        for _ in 0..1_500 {
            if let Some(found) = self.received().into_iter().find(|message| message.kind() == kind) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{kind} was waited for, and these came: {:?}", self.received());
    }
}

async fn receive(request: HttpRequest, body: String, shared: web::Data<Shared>) -> HttpResponse {
    let headers =
        request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    shared.received.lock().unwrap().push(Received { path: request.path().to_owned(), headers, body });
    let answers = *shared.answers.lock().unwrap();
    match answers {
        Answers::With(status) => HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish(),
        Answers::Later(secs) => {
            HttpResponse::TooManyRequests().insert_header(("Retry-After", secs.to_string())).finish()
        }
        Answers::Elsewhere => HttpResponse::Found().insert_header(("Location", "/elsewhere")).finish(),
        Answers::Never => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            HttpResponse::Ok().finish()
        }
    }
}
