//! The published reference verifiers as receivers: `standardwebhooks` for JavaScript and for Python. `tools/webhooks` installs them, and
//! names in LANDFALL_VERIFIERS those that are there (`node=tests/webhooks/receiver.mjs,/path/to/python=tests/webhooks/receiver.py`).

use std::process::Stdio;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::*;

struct Verifier {
    url: String,
    client: reqwest::Client,
    _child: Child,
}

impl Verifier {
    async fn start(program: &str, script: &str) -> Self {
        let mut child = Command::new(program)
            .arg(script)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} {script}: {error}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().expect("it says where it listens");
        Self { url, client: reqwest::Client::builder().no_proxy().build().unwrap(), _child: child }
    }

    /// With which secret it verifies, by how many seconds its clock is moved, and what it answers to what it finds sound.
    async fn set(&self, what: Value) {
        let sent = self.client.put(format!("{}/settings", self.url)).body(what.to_string()).send().await.unwrap();
        assert!(sent.status().is_success());
    }

    /// Waits until `count` messages were judged: the id of each, and why it was refused.
    async fn judged(&self, count: usize) -> Vec<(String, Option<String>)> {
        for _ in 0..1_500 {
            let text = self.client.get(format!("{}/judged", self.url)).send().await.unwrap().text().await.unwrap();
            let judged: Vec<(String, Option<String>)> = serde_json::from_str(&text).unwrap();
            if judged.len() >= count {
                return judged;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{count} messages were waited for");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_verifiers_take_what_is_sound_and_nothing_else() {
    let named = std::env::var("LANDFALL_VERIFIERS").unwrap_or_default();
    if named.is_empty() {
        eprintln!("skipped: no reference verifier is installed (tools/webhooks)");
        return;
    }
    let world = world().await;
    let partner = world.backend().await;
    for verifier in named.split(',').filter(|text| !text.is_empty()) {
        let (program, script) = verifier.split_once('=').unwrap();
        let verifier = Verifier::start(program, script).await;
        let endpoint = endpoint(&partner, &format!("{}/hook", verifier.url), &["payout.failed"]).await;
        let ping = format!("{}/ping", endpoint.path);
        let mut moved = (world.app.clock.now() - chrono::Utc::now()).num_seconds();

        // As it comes.
        verifier.set(json!({ "secret": endpoint.secret, "moved_secs": moved })).await;
        partner.act(&ping).await.data(201);
        assert_eq!(verifier.judged(1).await[0].1, None, "{script}");

        // Under a secret that it doesn't have, until it has it: the same message, tried again.
        let rotate = format!("{}/rotate-secret", endpoint.path);
        let rotated = partner.post(&rotate, "webhook-secret-rotation", json!({ "overlap_secs": 0 })).await.data(200);
        let asked = partner.act(&ping).await.data(201);
        let refused = verifier.judged(2).await.remove(1);
        assert_eq!((asked["id"].as_str().unwrap(), refused.1.is_some()), (refused.0.as_str(), true), "{script}");
        let secret = rotated["attributes"]["secret"].clone();
        world.clock.advance(TimeDelta::seconds(6));
        moved += 6;
        verifier.set(json!({ "secret": secret, "moved_secs": moved })).await;
        assert_eq!(verifier.judged(3).await[2], (refused.0, None), "{script}");

        // With an overlap both are good.
        let rotated = partner.post(&rotate, "webhook-secret-rotation", json!({ "overlap_secs": 60 })).await.data(200);
        partner.act(&ping).await.data(201);
        assert_eq!(verifier.judged(4).await[3].1, None, "{script}");
        verifier.set(json!({ "secret": rotated["attributes"]["secret"], "moved_secs": moved })).await;
        partner.act(&ping).await.data(201);
        assert_eq!(verifier.judged(5).await[4].1, None, "{script}");

        // Out of its time window, either way.
        for (n, away) in [(6, 400), (7, -400)] {
            verifier.set(json!({ "secret": rotated["attributes"]["secret"], "moved_secs": moved + away })).await;
            partner.act(&ping).await.data(201);
            assert!(verifier.judged(n).await[n - 1].1.is_some(), "{script}: {away}");
        }

        // What somebody copied and altered on the way.
        verifier.set(json!({ "secret": rotated["attributes"]["secret"], "moved_secs": moved, "alter": true })).await;
        partner.act(&ping).await.data(201);
        assert!(verifier.judged(8).await[7].1.is_some(), "{script}");
        let deleted = partner.text(reqwest::Method::DELETE, &endpoint.path, "").await;
        assert_eq!(deleted.status, 204);
    }
    world.stop().await;
}
