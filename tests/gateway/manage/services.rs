//! Payout services.

use landfall::domain::ids::Mode;
use landfall::gateway::manage::services::ServiceFilter;

use super::{caller, caller_in, code_of, world};

#[tokio::test(flavor = "multi_thread")]
async fn the_houses_services_are_read_by_every_key_of_their_mode() {
    let world = world().await;
    let gateway = &world.app.gateway;
    let codes = async |caller, filter| {
        let services = gateway.list_services(&caller, &filter).await.unwrap();
        services.iter().map(|service| service.code.to_string()).collect::<Vec<_>>()
    };
    let demo = caller(&world, "demo").await;
    let all = ["card_eur", "card_gbp", "card_usd", "test_eur", "test_usd"];
    assert_eq!(codes(demo.clone(), ServiceFilter::default()).await, all);
    let dollars = ServiceFilter { currency: "USD".parse().ok(), ..ServiceFilter::default() };
    assert_eq!(codes(demo.clone(), dollars).await, ["card_usd", "test_usd"]);
    let live = caller_in(&world, "demo", Mode::Live).await;
    assert_eq!(codes(live.clone(), ServiceFilter::default()).await, all[..3]);
    assert_eq!(code_of(gateway.find_service(&live, "test_usd").await), "NOT_FOUND");

    let service = gateway.find_service(&demo, "card_eur").await.unwrap();
    assert!(service.takes_card());
    for field in &service.fields {
        for language in ["en", "es", "de", "uk", "ru"] {
            assert!(field.label.0.contains_key(language) && field.hint.0.contains_key(language), "{}", field.key);
        }
    }
    world.finish().await;
}
