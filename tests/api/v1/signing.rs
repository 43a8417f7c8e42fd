//! Keys whose requests are signed: every part altered, sent again, and left out.

use std::collections::BTreeSet;

use landfall::domain::ids::Mode;
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::NewKey;
use landfall::gateway::access::signing::{Parts, sign};
use reqwest::Method;
use serde_json::json;

use super::Partner;
use crate::world::{Answer, World};

/// A key that signs, and its secret.
struct Signer<'a> {
    partner: Partner<'a>,
    secret: String,
}

/// A request as it is to be signed, and what else it is then sent with.
#[derive(Clone)]
struct Wish<'a> {
    method: Method,
    path: &'a str,
    key: Option<&'a str>,
    body: &'a str,
    secs_off: i64,
}

impl<'a> Signer<'a> {
    async fn new(world: &'a World) -> Self {
        let new = NewKey {
            name: "signs".to_owned(),
            scopes: BTreeSet::from(Scope::ALL),
            allowed_ips: Vec::new(),
            expires_at: None,
            signing_required: true,
        };
        let author = Author::command(world.tenant("demo", Mode::Test).await);
        let (key, secrets) = world.app.gateway.make_key(&author, false, new).await.unwrap();
        let secret = secrets.signing.as_ref().unwrap().expose().to_owned();
        Self { partner: world.holder(secrets.expose(), &key.id.to_string()), secret }
    }

    fn signature(&self, wish: &Wish<'_>) -> String {
        let parts = Parts { method: wish.method.as_str(), target: wish.path, idempotency_key: wish.key };
        let at = self.partner.world.app.clock.now() + chrono::TimeDelta::seconds(wish.secs_off);
        sign(&self.secret, &parts, at, wish.body.as_bytes())
    }

    /// Sends `sent` with the signature of `signed`.
    async fn send(&self, sent: &Wish<'_>, signed: &Wish<'_>) -> Answer {
        let request =
            self.partner.request(sent.method.clone(), sent.path).header("Landfall-Signature", self.signature(signed));
        let request = request.header("Content-Type", "application/vnd.api+json").body(sent.body.to_owned());
        let request = sent.key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
        self.partner.world.send(request).await
    }
}

const REFUSED: [(&str, &str); 1] = [("SIGNATURE_INVALID", "Landfall-Signature")];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_signed_request_can_be_altered() {
    let world = World::new().await;
    let signer = Signer::new(&world).await;
    let body = json!({ "data": { "type": "api-key", "attributes": {
        "name": "made", "scopes": ["payouts:read"], "signing_required": true } } })
    .to_string();
    let good = Wish { method: Method::POST, path: "/v1/api-keys", key: Some("k-1"), body: &body, secs_off: 0 };
    let other_body = body.replace("payouts:read", "payouts:write");
    for altered in [
        Wish { body: &other_body, ..good.clone() },
        Wish { body: "", ..good.clone() },
        Wish { key: Some("k-2"), ..good.clone() },
        Wish { path: "/v1/api-keys?x=1", ..good.clone() },
        Wish { path: "/v1/customers", ..good.clone() },
        Wish { method: Method::PATCH, path: "/v1/api-keys/x", ..good.clone() },
    ] {
        signer.send(&altered, &good).await.errors(401, &REFUSED);
    }
    for secs_off in [-301, 301] {
        let stale = Wish { secs_off, ..good.clone() };
        signer.send(&stale, &stale).await.errors(401, &REFUSED);
    }
    // The key alone, another secret's signature, two signatures.
    signer
        .partner
        .text(Method::POST, "/v1/api-keys", &body)
        .await
        .errors(400, &[("IDEMPOTENCY_KEY_MISSING", "Idempotency-Key")]);
    signer
        .partner
        .header("Idempotency-Key", "k-1")
        .text(Method::POST, "/v1/api-keys", &body)
        .await
        .errors(401, &REFUSED);
    signer.partner.get("/v1/api-keys").await.errors(401, &REFUSED);
    let other = Signer::new(&world).await;
    let foreign = Signer { partner: signer.partner.clone(), secret: other.secret };
    foreign.send(&good, &good).await.errors(401, &REFUSED);
    let twice = signer.partner.header("Landfall-Signature", "t=0");
    let twice = Signer { partner: twice, secret: signer.secret.clone() };
    twice.send(&good, &good).await.errors(401, &REFUSED);
    assert_eq!(world.count("SELECT count(*) FROM api_key WHERE name = 'made'").await, 0);

    let read = Wish { method: Method::GET, path: "/v1/api-keys?page[size]=1", key: None, body: "", secs_off: 299 };
    signer.send(&read, &read).await.data(200);
    signer.send(&good, &good).await.data(201);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_write_that_is_sent_again_is_done_once() {
    let world = World::new().await;
    let signer = Signer::new(&world).await;
    let body = json!({ "data": { "type": "api-key", "attributes": {
        "name": "made", "scopes": ["payouts:read"], "signing_required": true } } })
    .to_string();
    let wish = Wish { method: Method::POST, path: "/v1/api-keys", key: Some("k-1"), body: &body, secs_off: 0 };
    let (one, two, three) =
        tokio::join!(signer.send(&wish, &wish), signer.send(&wish, &wish), signer.send(&wish, &wish));
    for answer in [one, two, three] {
        assert!([201, 409].contains(&answer.status), "{answer:?}");
    }
    let replay = signer.send(&wish, &wish).await;
    assert_eq!((replay.status, replay.header("idempotency-replayed")), (201, Some("true")));
    let shown = &replay.json()["data"]["attributes"];
    assert_eq!((&shown["secret"], &shown["signing_secret"]), (&json!(null), &json!(null)));
    assert_eq!(world.count("SELECT count(*) FROM api_key WHERE name = 'made'").await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_secret_is_shown_once_and_kept_sealed() {
    let world = World::new().await;
    let partner = world.backend().await;
    let wish = json!({ "name": "made", "scopes": ["keys:read"], "signing_required": true });
    let made = partner.post("/v1/api-keys", "api-key", wish).await.data(201);
    let attributes = &made["attributes"];
    assert_eq!(attributes["signing_required"], json!(true));
    let secret = attributes["signing_secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("ssk_test_") && secret.len() == 58, "{secret}");
    let shown = partner.get(&format!("/v1/api-keys/{}", made["id"].as_str().unwrap())).await.data(200);
    assert_eq!(shown["attributes"]["signing_required"], json!(true));
    assert!(shown["attributes"].get("signing_secret").is_none());
    let dump = world.dump().await;
    assert!(!dump.contains(&secret[9..40]) && !dump.contains(&hex::encode(&secret[9..40])));

    let signer = Signer { partner: world.holder(attributes["secret"].as_str().unwrap(), ""), secret };
    let read = Wish { method: Method::GET, path: "/v1/api-keys", key: None, body: "", secs_off: 0 };
    signer.send(&read, &read).await.data(200);
    // Sealed for its own row: another key's secret in its place opens nothing.
    world.execute("UPDATE api_key k SET signing_sealed = o.signing_sealed FROM api_key o WHERE o.name = 'made' AND k.name = 'test'").await;
    let answer = partner.get("/v1/api-keys").await;
    assert!(answer.status >= 500, "{answer:?}");
    world.stop().await;
}
