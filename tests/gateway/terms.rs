//! Terms of a partner where time and failures come between: a resend says what the first send said, and what can't be looked up is good for
//! a while only.

use std::time::Duration;

use landfall::gateway::GatewayError;
use landfall::gateway::access::audit::Author;
use landfall::gateway::terms::NewTerms;
use landfall::providers::provider::ResendSafety;
use rust_decimal::dec;
use serde_json::{Value, json};

use crate::partner::Partner;
use crate::scripted::{Says, Scripted, by, lane, routed_over};
use crate::world::World;

async fn set(world: &World, partner: &Partner, follows: i32, document: Value) {
    let author = Author::new(partner.tenant(), "staff:tess@landfall.example".to_owned(), None);
    let new = NewTerms { document, reason: "as agreed".to_owned(), follows };
    world.app.gateway.set_terms(&author, &new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resend_says_what_the_first_send_said_whatever_the_terms_are_by_then() {
    let lanes = [lane("a", dec!(100))];
    let scripted = Scripted::that(|capabilities| {
        capabilities.resend = ResendSafety::SameReferenceWithin(Duration::from_secs(86_400));
    });
    let (world, partner) = routed_over(&scripted, &lanes, by("direct", &lanes), |_| {}).await;
    set(&world, &partner, 0, json!({"statement_descriptor": "DEMO PAYOUT"})).await;
    scripted.next("a", &[Says::Loses]);
    let row = partner.make(&world, partner.sample_of(dec!(50), "twice")).await;
    world.step().await;
    set(&world, &partner, 1, json!({"statement_descriptor": "SOMETHING ELSE"})).await;
    for _ in 0..30 {
        world.advance(61_000);
        world.step().await;
    }
    assert_eq!(scripted.descriptors(), [Some("DEMO PAYOUT".to_owned()), Some("DEMO PAYOUT".to_owned())]);
    assert_eq!(scripted.paid(), dec!(50));
    // What comes in by now has the new one.
    partner.make(&world, partner.sample_of(dec!(10), "next")).await;
    world.step().await;
    assert_eq!(scripted.descriptors().last().unwrap().as_deref(), Some("SOMETHING ELSE"));
    assert!(partner.find(&world, row.id).await.status.is_final());
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_look_terms_up_goes_by_them_for_ten_seconds() {
    let world = World::new().await;
    let partner = Partner::with(&world, dec!(0)).await;
    set(&world, &partner, 0, json!({"spread": "0.03"})).await;
    let node = world.another_process(|_| {}, Vec::new()).await;
    let known = node.gateway.terms_in_force(partner.tenant()).await.unwrap();
    node.db.close();
    world.advance(10_000);
    let still = node.gateway.terms_in_force(partner.tenant()).await.unwrap();
    assert_eq!(still.book.spreads, known.book.spreads);
    world.advance(1);
    let refused = node.gateway.terms_in_force(partner.tenant()).await.unwrap_err();
    assert!(matches!(refused, GatewayError::Db(_)), "{refused}");
    // The others, which can, go on.
    world.app.gateway.terms_in_force(partner.tenant()).await.unwrap();
    world.finish().await;
}
