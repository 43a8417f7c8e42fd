//! `POST /v1/provider-callbacks/{providerAccount}`.

use reqwest::Method;

use crate::world::{Answer, World};

async fn call(world: &World, account: &str, body: &str) -> Answer {
    let url = format!("{}/v1/provider-callbacks/{account}", world.url);
    world.send(world.client.request(Method::POST, url).body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_believed_only_when_it_is_verified() {
    let world = World::new().await;
    for nobody in ["pac_00000000000000000000000000000000", "pac_", "x", "1"] {
        call(&world, nobody, "{}").await.refused(404, "NOT_FOUND");
    }
    let account = world.provider_account().await;
    let unsigned = r#"{"reference":"po_00000000000000000000000000000000","status":"paid"}"#;
    let answer = call(&world, &account, unsigned).await;
    assert!([400, 401].contains(&answer.status), "{answer:?}");
    answer.refusal();
    call(&world, &account, "{").await.refusal();
    call(&world, &account, &"x".repeat(70_000)).await.refused(413, "REQUEST_TOO_LARGE");
    assert_eq!(world.count("SELECT count(*) FROM provider_callback WHERE verified").await, 0);
    world.stop().await;
}
