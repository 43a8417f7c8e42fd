//! Every route against everybody who may not use it. The routes come from where they are made: the partners' and the wallet's API from
//! the description that `openapi.yaml` is written from, the dashboard from its table of addresses, and both are held to what the server
//! really listens to. Each is asked in every way that must fail, with a body and ids that would do for the right caller; what is allowed
//! to be otherwise stands in `exceptions.toml` with its reason. So a route that is new is asked too, or the test fails.
//!
//! What was asked and what came is `docs/authorization.md`; to write it anew: `LANDFALL_BLESS=1 cargo test --features torture --test api
//! authorization`.

mod dashboard;
mod exceptions;
mod nulls;
mod operations;
mod page;
mod partners;
mod routes;
mod stage;
mod sweep;
mod wallet;

use exceptions::Exceptions;
use routes::Table;
use stage::Stage;
use sweep::Sweep;

#[tokio::test(flavor = "multi_thread")]
async fn authorization_holds_on_every_route() {
    let exceptions = Exceptions::read();
    let table = Table::of(&exceptions);
    let stage = Stage::new().await;
    for route in table.0.iter().filter(|route| route.takes_body) {
        assert!(stage.has_body(&route.operation), "stage.rs has no body for {}", route.name());
    }
    stage.rest().await;
    let before = stage.digests().await;

    let mut sweep = Sweep::new(&stage, &exceptions);
    wallet::refused(&mut sweep, &table).await;
    partners::refused(&mut sweep, &table).await;
    dashboard::refused(&mut sweep, &table).await;
    operations::answered(&mut sweep, &table).await;
    operations::other_methods(&mut sweep, &table).await;
    let heard_of_nobody = stage.nobody_called();
    let after = stage.digests().await;
    // Last, since it changes what is there: the same requests by those who may.
    let report = sweep.asked();
    let mut control = Sweep::new(&stage, &exceptions);
    wallet::let_in(&mut control, &table).await;
    partners::let_in(&mut control, &table).await;
    dashboard::let_in(&mut control, &table).await;

    let mut wrong = report.wrong;
    wrong.extend(control.asked().wrong);
    if !heard_of_nobody {
        wrong.push("the server fetched a key from an address that a token named".to_owned());
    }
    for (name, digest) in &before {
        let is_excepted = exceptions.writes.iter().any(|write| write.table == *name);
        match (after.get(name) == Some(digest), is_excepted) {
            (false, false) => wrong.push(format!("the refused requests changed the table {name}")),
            (true, true) => wrong.push(format!("exceptions.toml: the table {name} isn't written to")),
            (true, false) | (false, true) => {}
        }
    }
    let unverified = "SELECT count(*) FROM provider_callback WHERE verified";
    assert_eq!(stage.world.count(unverified).await, 0, "a callback was believed");
    wrong.extend(exceptions.unused(&report.exceptions_used));
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    page::check(&report.lines, &exceptions);
    stage.world.stop().await;
}
