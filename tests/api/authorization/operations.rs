//! What answers whoever asks, and that nothing else does: the exceptions' routes, providers' callbacks, methods that no route has.

use std::collections::BTreeSet;

use reqwest::Method;

use super::routes::Table;
use super::sweep::{Sweep, Way};

const FACE: &str = "Without credentials";
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Signatures that no provider made, by the header that each of them signs in.
const FORGED: [(&str, Option<(&str, &str)>); 6] = [
    ("a callback without a signature", None),
    ("a callback with a forged signature of the sandbox's", Some(("X-Test-Signature", ZEROS))),
    ("a callback with a forged signature of the simulator's", Some(("X-Simulator-Signature", ZEROS))),
    (
        "a callback with a forged signature of Adyen's",
        Some(("HmacSignature", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    ),
    ("a callback with a forged signature of Checkout.com's", Some(("Cko-Signature", ZEROS))),
    ("a callback with a partner's key instead", Some(("Authorization", "KEY"))),
];
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub async fn answered(sweep: &mut Sweep<'_>, table: &Table) {
    let (stage, exceptions) = (sweep.stage, sweep.exceptions);
    for route in table.open() {
        sweep.met_open(route);
        let open = exceptions.open(&route.name()).unwrap();
        if route.operation == "receiveProviderCallback" {
            callbacks(sweep, route, &open.answer).await;
            continue;
        }
        if route.path.starts_with("/dashboard/") && route.method == "POST" {
            // Asked with the dashboard's own ways.
            continue;
        }
        let way = Way { face: FACE, place: 0, name: "open by an exception" };
        let request = stage.request(route, open.asked.as_deref().unwrap_or(&route.path));
        sweep.ask(way, route, request, &open.answer).await;
    }
}

async fn callbacks(sweep: &mut Sweep<'_>, route: &super::routes::Route, rule: &str) {
    let stage = sweep.stage;
    for (code, account) in stage.accounts_of_providers() {
        // A provider that reports nothing by itself has no callback that could be verified.
        let rule = if ["adyen", "checkout", "test"].contains(code) { rule } else { "400 NOT_VALID_REQUEST_DATA" };
        for (place, (name, header)) in FORGED.iter().enumerate() {
            let path = route.path.replace("{providerAccount}", account);
            let mut request = stage.request(route, &path);
            if let Some((header, value)) = header {
                request = request.header(*header, value.replace("KEY", &format!("Bearer {}", stage.keys.all)));
            }
            let way = Way { face: FACE, place: 10 + place, name };
            sweep.ask(way, route, request, rule).await;
        }
    }
}

/// No path answers to a method that isn't in the table, also not to somebody who may do everything.
pub async fn other_methods(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let known: BTreeSet<String> = table.0.iter().map(|route| route.name()).collect();
    for route in &table.0 {
        let is_first =
            table.0.iter().find(|other| other.path == route.path).is_some_and(|first| first.name() == route.name());
        // The redirect at the root and the description's files answer to more methods, with the same.
        if !is_first || route.path.contains(":.*") || route.path == "/" {
            continue;
        }
        for method in METHODS.into_iter().filter(|method| !known.contains(&format!("{method} {}", route.path))) {
            let path = match route.who {
                super::routes::Who::Anybody | super::routes::Who::Visitor => {
                    route.path.replace("{providerAccount}", stage.id("provider-callbacks"))
                }
                _ => stage.path(route),
            };
            let mut other = route.clone();
            (other.method, other.operation) = (method.to_string(), String::new());
            let is_page = route.path.starts_with("/dashboard");
            let rule = if is_page { "404 no such page" } else { "405 METHOD_NOT_ALLOWED" };
            let request = stage.request(&other, &path).bearer_auth(&stage.keys.all);
            let way = Way { face: FACE, place: 30, name: "a method that isn't there" };
            sweep.ask(way, &other, stage.with_cookie(request, &stage.staff["admin"].cookie), rule).await;
        }
    }
}
