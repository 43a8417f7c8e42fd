//! Webhooks: what partners are told, by whom it is signed, when it is tried again, and who is let alone.

mod crowds;
mod endpoints;
mod meanwhile;
mod receiver;
mod told;
mod tried_again;
mod verifiers;

use landfall::config::Settings;
use serde_json::{Value, json};

use self::receiver::Receiver;
use super::Partner;
use crate::world::World;

/// A world that calls receivers of this machine, and looks often.
async fn world() -> World {
    World::with(settings).await
}

fn settings(settings: &mut Settings) {
    settings.webhooks.inner_networks = vec!["127.0.0.0/8".parse().unwrap()];
    settings.webhooks.poll_ms = 20;
    settings.webhooks.timeout_ms = 500;
}

/// An endpoint, with its path and its secret.
struct Endpoint {
    path: String,
    secret: String,
}

async fn endpoint(partner: &Partner<'_>, url: &str, types: &[&str]) -> Endpoint {
    let wanted = json!({ "url": url, "event_types": types });
    let made = partner.post("/v1/webhook-endpoints", "webhook-endpoint", wanted).await.data(201);
    let secret = made["attributes"]["secret"].as_str().unwrap().to_owned();
    Endpoint { path: made["links"]["self"].as_str().unwrap().to_owned(), secret }
}

/// A payout request that the sandbox pays, as it was answered.
async fn paid(partner: &Partner<'_>, change: impl FnOnce(&mut Value)) -> Value {
    let mut wanted = super::requests::sample(&partner.world.point().await);
    change(&mut wanted);
    let made = partner.asked(wanted).await;
    partner.until(&made["id"], "processed").await;
    made
}
