//! A key that is revoked while its holders are at work.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::requests::sample;
use crate::world::{World, with};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_under_load_lets_nothing_in_and_loses_nothing() {
    let world = World::new().await;
    let (partner, owner) = (world.backend().await, world.backend().await);
    owner.funded("USD", "100000").await;
    let point = world.point().await;
    let is_revoked = AtomicBool::new(false);
    // Each client asks on until it is refused, and some more.
    let clients = (0..8).map(|client| {
        let (partner, is_revoked, point) = (&partner, &is_revoked, &point);
        async move {
            let (mut accepted, mut refused) = (Vec::new(), 0);
            for n in 0..10_000 {
                let was_revoked = is_revoked.load(Ordering::SeqCst);
                let reference = format!("client-{client}-{n}");
                let answer = partner.ask(with(&sample(point), "reference_id", json!(reference))).await;
                match answer.status {
                    201 => {
                        assert!(!was_revoked, "{reference} was accepted after the revocation was answered");
                        accepted.push(answer.data(201)["id"].as_str().unwrap().to_owned());
                    }
                    _ => {
                        answer.errors(401, &[("UNAUTHORIZED", "")]);
                        refused += 1;
                    }
                }
                if refused == 3 {
                    break;
                }
            }
            accepted
        }
    });
    let revoke = async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        owner.act(&format!("/v1/api-keys/{}/revoke", partner.key_id)).await.data(200);
        is_revoked.store(true, Ordering::SeqCst);
    };
    let (accepted, ()) = tokio::join!(futures_util::future::join_all(clients), revoke);
    let accepted: BTreeSet<String> = accepted.into_iter().flatten().collect();
    assert!(!accepted.is_empty());
    let made = i64::try_from(accepted.len()).unwrap();
    assert_eq!(world.count("SELECT count(*) FROM payout_request").await, made);
    for id in &accepted {
        owner.until(&json!(id), "processed").await;
    }
    assert_eq!(world.count("SELECT count(*) FROM payout WHERE status = 'processed'").await, made);
    assert_eq!(world.count("SELECT count(*) FROM payout").await, made);
    assert_eq!(owner.funds("USD").await, ((100_000 - made).to_string(), "0".to_owned()));
    world.verified().await;
    world.stop().await;
}
