//! Batches: a file becomes requests, its bad lines are told and skipped, and nothing is sent before it is processed.

use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::requests::Patch;
use rust_decimal::dec;

use crate::partner::{Partner, code_of, with_test_service};
use crate::world::World;

async fn world() -> World {
    World::with(with_test_service, Vec::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn good_lines_become_items_and_bad_ones_are_told() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    partner.make(&world, partner.sample_of(dec!(1), "taken")).await;
    let file = "service;service_amount;fields.account;reference_id;customer\n\
                test_usd;10;a;one;c-1\n\
                test_usd;x;a;two;\n\
                test_usd;10;a;one;\n\
                test_usd;1;some_random_string;taken;\n\
                nothing_usd;1;a;;\n\
                test_usd;20;a;;c-1\n\
                test_usd;80;a;;\n\
                test_usd;5;;waits;\n";
    let gateway = &world.app.gateway;
    let batch = gateway.create_batch(&partner.caller, partner.point_id, "November", file.as_bytes()).await.unwrap();
    assert_eq!((batch.status, batch.batch.row_count), ("ready", 8));
    let counts: Vec<_> = batch.counts.iter().map(|(status, count)| (status.as_str(), *count)).collect();
    assert_eq!(counts, [("waiting_details", 1), ("ready", 2)]);
    let problems = gateway.batch_problems(&partner.caller, batch.batch.id, (0, 0), 100).await.unwrap();
    let told: Vec<_> = problems.iter().map(|p| (p.line, p.field.as_deref(), p.code.as_str())).collect();
    assert_eq!(
        told,
        [
            (3, Some("service_amount"), "INVALID_AMOUNT"),
            (4, Some("reference_id"), "DUPLICATE_REFERENCE"),
            (5, None, "REFERENCE_REUSED"),
            (6, Some("service"), "UNKNOWN_SERVICE"),
            (8, None, "INSUFFICIENT_FUNDS"),
        ]
    );
    assert_eq!(partner.funds(&world, "USD").await, (dec!(64), dec!(36)));
    let items = gateway.batch_items(&partner.caller, batch.batch.id, 0, 100).await.unwrap();
    let references: Vec<_> = items.iter().map(|item| item.request.reference_id.clone()).collect();
    assert_eq!(references, ["one".to_owned(), format!("{}-6", batch.batch.id), "waits".to_owned()]);
    assert_eq!(items[0].customer.as_ref().unwrap().reference, "c-1");
    let again = gateway.create_batch(&partner.caller, partner.point_id, "Again", file.as_bytes()).await.unwrap();
    assert_eq!(again.same_file_as, Some(batch.batch.id));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_processed_once_and_terminated_where_it_is_still_ready() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(1000)).await;
    let gateway = &world.app.gateway;
    let rows: String = (0..30).map(|n| format!("test_usd,1,a-{n}\n")).collect();
    let file = format!("service,service_amount,fields.account\n{rows}");
    let batch = gateway.create_batch(&partner.caller, partner.point_id, "b", file.as_bytes()).await.unwrap().batch.id;
    assert_eq!(gateway.dispatch(100).await.unwrap().1, 0);
    let item = gateway.batch_items(&partner.caller, batch, 0, 1).await.unwrap().remove(0).request;
    gateway.process_request(&partner.caller, item.id).await.unwrap();
    for _ in 0..2 {
        assert_eq!(gateway.process_batch(&partner.caller, batch).await.unwrap().status, "processing");
    }
    assert_eq!(gateway.dispatch(20).await.unwrap().0.len(), 20);
    let ended = gateway.terminate_batch(&partner.caller, batch).await.unwrap();
    let counts: Vec<_> = ended.counts.iter().map(|(status, count)| (status.as_str(), *count)).collect();
    assert_eq!(counts, [("pending", 20), ("terminated", 10)]);
    assert_eq!(partner.funds(&world, "USD").await, (dec!(980), dec!(20)));
    let late = gateway.process_batch(&partner.caller, batch).await.unwrap_err();
    assert_eq!(code_of(&late), "BATCH_TERMINATED");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_edited_until_it_is_processed() {
    let world = world().await;
    let partner = Partner::with(&world, dec!(100)).await;
    let gateway = &world.app.gateway;
    let file = b"service,service_amount,fields.account\ntest_usd,10,a\n";
    let batch = gateway.create_batch(&partner.caller, partner.point_id, "b", file).await.unwrap().batch.id;
    let item = gateway.batch_items(&partner.caller, batch, 0, 1).await.unwrap().remove(0).request;
    let amount = |amount| Patch { service_amount: Some(amount), description: Some("rent".into()), ..Patch::default() };
    for (asked, left) in [(dec!(30), dec!(70)), (dec!(5), dec!(95)), (dec!(100), dec!(0))] {
        let row = gateway.patch_request(&partner.caller, item.id, &amount(asked)).await.unwrap();
        assert_eq!((row.amount, row.status), (asked, RequestStatus::Ready));
        assert_eq!(partner.funds(&world, "USD").await, (left, asked));
    }
    let more = gateway.patch_request(&partner.caller, item.id, &amount(dec!(101))).await.unwrap_err();
    assert_eq!(code_of(&more), "INSUFFICIENT_FUNDS");
    gateway.process_batch(&partner.caller, batch).await.unwrap();
    let late = gateway.patch_request(&partner.caller, item.id, &amount(dec!(1))).await.unwrap_err();
    assert_eq!(code_of(&late), "NOT_EDITABLE");
    gateway.cancel_request(&partner.caller, item.id).await.unwrap();
    assert_eq!(partner.funds(&world, "USD").await, (dec!(100), dec!(0)));
    world.finish().await;
}
