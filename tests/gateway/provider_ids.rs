//! What providers call our payments: kept from whatever answer tells it, asked by, and never lost to another answer in silence.

use landfall::domain::payout::PayoutStatus;
use landfall::gateway::complete::{Report, Source};
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::Payout;
use landfall::store::requests::PayoutRequest;
use rust_decimal::dec;
use serde_json::json;

use crate::partner::Partner;
use crate::scripted::{Says, by, events_of, lane, payouts_of, routed};
use crate::support::scripted::ids_of;
use crate::world::World;

fn called(id: &str) -> ProviderIds {
    ProviderIds { original_id: Some(id.to_owned()), ..ProviderIds::default() }
}

/// A request whose payout was sent and answered by `says`, and nothing more.
async fn sent(says: Says) -> (World, Partner, PayoutRequest, Report) {
    let lanes = [lane("a", dec!(100))];
    let (world, scripted, partner) = routed(&lanes, by("direct", &lanes)).await;
    scripted.next("a", &[says]);
    let row = partner.make(&world, partner.sample_of(dec!(50), "named")).await;
    let reports = world.send_due().await;
    assert_eq!(reports.len(), 1);
    (world, partner, row, reports.into_iter().next().unwrap())
}

async fn payout(world: &World, partner: &Partner, row: &PayoutRequest) -> Payout {
    payouts_of(world, partner, row.id).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_told_with_an_unknown_fate_is_kept_and_the_payout_is_found_by_it() {
    let (world, partner, row, report) = sent(Says::PaysAndNamesIt).await;
    world.app.gateway.complete(std::slice::from_ref(&report)).await.unwrap();
    let open = payout(&world, &partner, &row).await;
    assert_eq!((open.status, open.sends), (PayoutStatus::Unknown, 1));
    assert_eq!(open.provider_original_id, ids_of(&open.provider_reference).original_id);
    // An answer without an id takes it from nobody.
    let silent = world.callback(&open, Outcome::unknown("no answer"));
    world.app.gateway.complete(&[silent]).await.unwrap();
    for _ in 0..5 {
        world.advance(10_000);
        world.step().await;
    }
    // By the reference it is never found.
    let found = payout(&world, &partner, &row).await;
    assert_eq!((found.status, found.sends, found.amount_processed), (PayoutStatus::Processed, 1, dec!(50)));
    assert_eq!(found.provider_original_id, open.provider_original_id);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_id_gives_way_only_to_an_answer_that_tells_the_fate_and_never_in_silence() {
    let (world, partner, row, report) = sent(Says::PaysAndNamesIt).await;
    let open = payout(&world, &partner, &row).await;
    let known = ids_of(&open.provider_reference).original_id.unwrap();
    let another = world.callback(&open, Outcome::unknown("who knows").naming(&called("another")));
    world.app.gateway.complete(&[report, another]).await.unwrap();
    assert_eq!(payout(&world, &partner, &row).await.provider_original_id.as_ref(), Some(&known));
    let paid = Outcome::Processed { amount: dec!(50), ids: called("the payment") };
    world.app.gateway.complete(&[world.callback(&open, paid)]).await.unwrap();
    let paid = payout(&world, &partner, &row).await;
    assert_eq!(paid.status, PayoutStatus::Processed);
    assert_eq!(paid.provider_original_id.as_deref(), Some("the payment"));
    let events = events_of(&world, &partner, row.id).await;
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "payout_id_differs")
        .map(|event| {
            assert_eq!(event.data["source"], json!("callback"));
            ["known", "told", "kept"].map(|name| event.data[name].as_str().unwrap().to_owned())
        })
        .collect();
    assert_eq!(told, [[known.as_str(), "another", &known], [&known, "the payment", "the payment"]]);
    world.finish().await;
}

/// Its sender has overstayed its lease: what it says of the fate counts for nothing, and what it says of the name does.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_kept_even_from_a_sender_whose_lease_is_over() {
    let (world, partner, row, report) = sent(Says::PaysAndNamesIt).await;
    world.advance(61_000);
    let Source::Send { sends, .. } = report.source else { panic!("a send") };
    let stale = Report { source: Source::Send { epoch: -1, sends }, ..report };
    world.app.gateway.complete(&[stale]).await.unwrap();
    let open = payout(&world, &partner, &row).await;
    assert_eq!(open.status, PayoutStatus::Invoking, "whoever holds it now says what became of it");
    assert_eq!(open.provider_original_id, ids_of(&open.provider_reference).original_id);
    for _ in 0..5 {
        world.step().await;
        world.advance(10_000);
    }
    assert_eq!(payout(&world, &partner, &row).await.status, PayoutStatus::Processed);
    world.finish().await;
}
