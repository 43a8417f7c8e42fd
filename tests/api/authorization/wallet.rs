//! The wallet's API: no token, every forged one, one that is over, and sound ones of people who have nothing there.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::routes::{Route, Table};
use super::stage::{AUDIENCE, ISS, Stage};
use super::sweep::{Sweep, Way, told};
use crate::keys::{Signer, b64};

const FACE: &str = "Wallet users' tokens";
const REFUSED: &str = "401 invalid_token";

/// How a request shows who asks.
enum Shown {
    Nothing,
    Token(String),
    /// As they are.
    Headers(Vec<String>),
    InQuery(String),
}

fn claims(stage: &Stage, changed: Value) -> Value {
    let now = stage.world.app.clock.now().timestamp();
    let mut claims =
        json!({ "iss": ISS, "aud": AUDIENCE, "sub": "alice", "kyc_level": 3, "iat": now - 60, "exp": now + 300 });
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            _ => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

/// A token by the issuers' own key.
fn signed(stage: &Stage, changed: Value) -> String {
    Signer::ec().token("ec", &claims(stage, changed))
}

/// Tokens that are refused whatever they ask for.
fn unsound(stage: &Stage) -> Vec<(&'static str, Shown)> {
    let now = stage.world.app.clock.now().timestamp();
    let alice = || claims(stage, json!({}));
    let sound = || signed(stage, json!({}));
    let changed = |changed| Shown::Token(signed(stage, changed));
    let attacker = Signer::rsa_attacker();
    let headed = |header: Value| Shown::Token(attacker.token_with(&header, &alice()));
    let trap = stage.trap_url();
    let unsigned = format!("{}.{}.", b64(json!({ "alg": "none", "kid": "rsa" }).to_string()), b64(alice().to_string()));
    let mut parts: Vec<String> = sound().split('.').map(str::to_owned).collect();
    let stripped = format!("{}.{}.", parts[0], parts[1]);
    parts[1] = b64(claims(stage, json!({ "sub": "bob" })).to_string());
    let edited = parts.join(".");
    vec![
        ("no credentials", Shown::Nothing),
        ("an empty token", Shown::Headers(vec!["Bearer ".to_owned()])),
        ("a sound token as Basic", Shown::Headers(vec![format!("Basic {}", sound())])),
        ("two sound tokens", Shown::Headers(vec![format!("Bearer {}", sound()), format!("Bearer {}", sound())])),
        ("a sound token in the query", Shown::InQuery(sound())),
        ("expired", changed(json!({ "iat": now - 600, "exp": now - 31 }))),
        ("without an expiry", changed(json!({ "exp": null }))),
        ("not yet valid", changed(json!({ "nbf": now + 60 }))),
        ("of an unknown issuer", changed(json!({ "iss": "https://evil.example" }))),
        ("for another audience", changed(json!({ "aud": "another" }))),
        ("without a subject", changed(json!({ "sub": null }))),
        ("alg none", Shown::Token(unsigned)),
        ("its signature cut off", Shown::Token(stripped)),
        ("its payload edited", Shown::Token(edited)),
        ("HS256 by the RSA key's PEM", Shown::Token(Signer::hmac(Signer::rsa().pem()).token("rsa", &alice()))),
        ("HS256 by the EC key's PEM", Shown::Token(Signer::hmac(Signer::ec().pem()).token("ec", &alice()))),
        ("another key under the known kid", Shown::Token(attacker.token("rsa", &alice()))),
        ("an unknown kid", Shown::Token(attacker.token("evil", &alice()))),
        ("an embedded jwk", headed(json!({ "alg": "RS256", "kid": "evil", "jwk": attacker.jwk("evil") }))),
        ("a jku of its own", headed(json!({ "alg": "RS256", "kid": "evil", "jku": trap }))),
        ("an x5u of its own", headed(json!({ "alg": "RS256", "kid": "rsa", "x5u": trap }))),
        ("a partner's API key", Shown::Token(stage.keys.all.clone())),
    ]
}

fn show(stage: &Stage, route: &Route, shown: &Shown) -> RequestBuilder {
    let path = stage.path(route);
    match shown {
        Shown::Nothing => stage.request(route, &path),
        Shown::Token(token) => stage.request(route, &path).bearer_auth(token),
        Shown::Headers(values) => {
            values.iter().fold(stage.request(route, &path), |request, value| request.header("Authorization", value))
        }
        Shown::InQuery(token) => stage.request(route, &format!("{path}?access_token={token}")),
    }
}

pub async fn refused(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let unsound = unsound(stage);
    let scoped = |scope: Value| Shown::Token(signed(stage, json!({ "iss": format!("{ISS}/scoped"), "scope": scope })));
    let without = [("without the issuer's scope", scoped(json!(null))), ("with another scope", scoped(json!("other")))];
    let of = |iss: &str| Shown::Token(signed(stage, json!({ "iss": format!("{ISS}/{iss}") })));
    let strangers = [
        ("another user", Shown::Token(signed(stage, json!({ "sub": "bob" })))),
        ("another partner's user of the same name", of("acme")),
        ("the same user in another mode", of("live")),
    ];
    for route in table.of_users() {
        let of_strangers = if route.has_id() { "404 NOT_FOUND" } else { "200" };
        let rules = [REFUSED, "403 insufficient_scope", of_strangers];
        let ways = [unsound.as_slice(), &without, &strangers].into_iter().zip(rules);
        let ways = ways.flat_map(|(ways, rule)| ways.iter().map(move |(name, shown)| (*name, shown, rule)));
        for (place, (name, shown, rule)) in ways.enumerate() {
            let way = Way { face: FACE, place, name };
            sweep.ask(way, route, show(stage, route, shown), rule).await;
        }
    }
}

/// The right user gets past all of it, so that a refusal above came from who asked.
pub async fn let_in(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let alice = Shown::Token(signed(stage, json!({})));
    let mut routes = table.of_users();
    routes.sort_by_key(|route| (route.method == "DELETE", route.operation == "getPay"));
    for route in routes {
        if route.operation == "getPayEvents" {
            // The stream goes on for as long as the token does: its head says enough.
            let status = show(stage, route, &alice).send().await.unwrap().status().as_u16();
            if status != 200 {
                sweep.wrong(format!("{}: its owner is told {status}", route.name()));
            }
            continue;
        }
        let answer = stage.send(show(stage, route, &alice)).await;
        if ![200, 204].contains(&answer.status) {
            sweep.wrong(format!("{}: its owner is told {}: {}", route.name(), told(&answer), answer.text));
        }
    }
}
