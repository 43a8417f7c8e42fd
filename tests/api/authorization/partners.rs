//! The partners' API: no key, every forged one, one that is over or used from elsewhere, one without the scope, and sound ones of others.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::RequestBuilder;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::routes::{Route, Table};
use super::stage::{AUDIENCE, ISS, Stage};
use super::sweep::{Sweep, Way, told};
use crate::keys::Signer;

const FACE: &str = "Partners' API keys";
const REFUSED: &str = "401 UNAUTHORIZED";

/// A text with the check characters that a key with this head would have.
fn checked(head: &str) -> String {
    let digest = Sha256::new().chain_update(b"landfall/api-key/").chain_update(head.as_bytes()).finalize();
    format!("{head}{}", &URL_SAFE_NO_PAD.encode(digest)[..6])
}

/// Values of `Authorization` headers that are refused whatever they ask for.
fn unsound(stage: &Stage) -> Vec<(&'static str, Vec<String>)> {
    let bearer = |key: &str| vec![format!("Bearer {key}")];
    let key = &stage.keys.all;
    let (head, last) = (&key[..key.len() - 6], &key[key.len() - 1..]);
    let mistyped = format!("{}{}", &key[..key.len() - 1], if last == "A" { "B" } else { "A" });
    assert_eq!(&checked(head), key, "how a key is checked has changed");
    let secret = &head["sk_test_".len()..];
    let turned = format!("{}{}", &secret[1..], &secret[..1]);
    let now = stage.world.app.clock.now().timestamp();
    let claims = json!({ "iss": ISS, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300 });
    vec![
        ("no credentials", vec![]),
        ("an empty key", bearer("")),
        ("no key at all", bearer("garbage")),
        ("a mistyped key", bearer(&mistyped)),
        ("a key cut short", bearer(&key[..key.len() - 1])),
        ("a key that nobody has", bearer(&checked(&format!("sk_test_{turned}")))),
        ("a key renamed to the other mode", bearer(&checked(&format!("sk_live_{secret}")))),
        ("the hash of a key", bearer(&hex::encode(Sha256::digest(key)))),
        ("a key as Basic's password", vec![format!("Basic {}", STANDARD.encode(format!(":{key}")))]),
        ("a key of another scheme", vec![format!("Digest {key}")]),
        ("two sound keys", vec![format!("Bearer {key}"), format!("Bearer {key}")]),
        ("a wallet user's token", bearer(&Signer::ec().token("ec", &claims))),
        ("a revoked key", bearer(&stage.keys.revoked)),
        ("an expired key", bearer(&stage.keys.expired)),
        ("a key from an address that isn't its own", bearer(&stage.keys.elsewhere)),
    ]
}

fn show(stage: &Stage, route: &Route, authorization: &[String]) -> RequestBuilder {
    let request = stage.request(route, &stage.path(route));
    authorization.iter().fold(request, |request, value| request.header("Authorization", value))
}

pub async fn refused(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let unsound = unsound(stage);
    for (route, scope) in table.of_keys() {
        let of_strangers = if route.has_id() { "404 NOT_FOUND" } else { "200" };
        let bearer = |key: &str| vec![format!("Bearer {key}")];
        let others = [
            ("without the scope", bearer(&stage.keys.without[&scope]), "403 SCOPE_MISSING"),
            ("another partner", bearer(&stage.keys.acme), of_strangers),
            ("the same partner in another mode", bearer(&stage.keys.live), of_strangers),
        ];
        let ways = unsound.iter().map(|(name, shown)| (*name, shown.clone(), REFUSED)).chain(others);
        for (place, (name, shown, rule)) in ways.enumerate() {
            let way = Way { face: FACE, place, name };
            sweep.ask(way, route, show(stage, route, &shown), rule).await;
        }
    }
}

/// A key with the described scope alone gets past all of it.
pub async fn let_in(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let mut routes = table.of_keys();
    let ends = |route: &Route| {
        route.method == "DELETE"
            || ["/cancel", "/terminate", "/revoke", "/expire", "/return"].iter().any(|verb| route.path.ends_with(verb))
    };
    routes.sort_by_key(|(route, _)| (ends(route), route.method != "GET"));
    for (route, scope) in routes {
        let answer = stage.send(show(stage, route, &[format!("Bearer {}", stage.keys.only[&scope])])).await;
        // What an earlier one of these requests ended is in conflict with a later one.
        if !(200..300).contains(&answer.status) && answer.status != 409 {
            sweep.wrong(format!("{}: a key with {scope} is told {}: {}", route.name(), told(&answer), answer.text));
        }
    }
}
