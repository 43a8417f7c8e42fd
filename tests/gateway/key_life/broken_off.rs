//! Each durable step failed, and its answer lost; and a process that dies in the middle.

use std::sync::Mutex;

use landfall::gateway::GatewayError;
use landfall::torture::{self, Action};
use tokio::sync::Notify;

use super::*;

/// The places of the life of keys that are reached from now on, in order; the one that is named does `action` when it is first reached.
fn watch(at: Option<(String, Action)>, reached: &Arc<Notify>) -> Arc<Mutex<Vec<String>>> {
    let places = Arc::new(Mutex::new(Vec::new()));
    let (seen, reached) = (Arc::clone(&places), Arc::clone(reached));
    torture::set_hook(Some(Arc::new(move |place: &str| {
        let is_ours = place.contains("gateway/key_life/") || place.starts_with("reseal ") || place.starts_with("key ");
        let mut seen = seen.lock().unwrap();
        if !is_ours || seen.iter().any(|known| known == place) {
            return None;
        }
        seen.push(place.to_owned());
        let (name, action) = at.as_ref()?;
        (name == place).then(|| {
            reached.notify_one();
            *action
        })
    })));
    places
}

/// How a key ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Drained,
    Compromised,
}

/// From a new key-encryption key to the end of the first data key; whatever is done already is left so.
async fn life(world: &World, app: &App, tenant: Tenant, end: End) -> Result<(), KeyLifeError> {
    app.gateway.rewrap_keys("cli:tests", None, |_, _, _| {}).await?;
    if end == End::Compromised {
        app.gateway.compromise_key(&author(tenant), 1, "a test", |_| {}).await?;
        return Ok(());
    }
    if keys(&app.gateway, tenant).await.len() == 1 {
        app.gateway.begin_epoch(&author(tenant), 1, "a test").await?;
    }
    for _ in 0..60 {
        match app.gateway.reseal_step().await {
            Ok(_) => {}
            Err(GatewayError::Keys(error)) => return Err(*error),
            Err(GatewayError::Db(error)) => return Err(error.into()),
            Err(other) => panic!("{other}"),
        }
        world.advance(1_000);
        let first = keys(&app.gateway, tenant).await.remove(0);
        if first.drained_at.is_some() || first.retired_at.is_some() {
            break;
        }
    }
    world.advance(3_600_000);
    let old = DekId(keys(&app.gateway, tenant).await[0].id);
    app.gateway.retire_key(&author(tenant), old).await?;
    Ok(())
}

/// A process with a few cards under one key, and a new key-encryption key.
async fn stage() -> (World, App, Vec<CardId>, Tenant) {
    let slow = |settings: &mut landfall::config::Settings| settings.vault.reseal_per_sec = 8;
    let world = World::with(slow, Vec::new()).await;
    let ids = some_cards(&world.app, "card", 3).await;
    let tenant = world.user("nobody").await.tenant;
    add_kek(&world.app.settings.data_dir.join("keys/kek.json")).unwrap();
    let app = world.another_process(slow, Vec::new()).await;
    (world, app, ids, tenant)
}

async fn attack(action: Action, end: End) {
    let reached = Arc::new(Notify::new());
    let places = {
        let (world, app, _, tenant) = stage().await;
        let places = watch(None, &reached);
        life(&world, &app, tenant, end).await.unwrap();
        torture::set_hook(None);
        world.finish().await;
        places.lock().unwrap().clone()
    };
    let least = if end == End::Drained { 15 } else { 12 };
    assert!(places.len() >= least, "{places:?}");
    for place in places {
        let (world, app, ids, tenant) = stage().await;
        watch(Some((place.clone(), action)), &reached);
        // One that hangs is dropped where it stands, as a process that died there would leave it.
        tokio::select! {
            biased;
            broken = life(&world, &app, tenant, end) => assert!(broken.is_err(), "{place} failed, and nobody was told"),
            () = async { reached.notified().await; if action == Action::Error { std::future::pending().await } } => {}
        }
        torture::set_hook(None);
        let other = world.another_process(|settings| settings.vault.reseal_per_sec = 8, Vec::new()).await;
        let mended = life(&world, &other, tenant, end).await;
        assert!(mended.is_ok(), "{place}: {mended:?}");
        let after = keys(&other.gateway, tenant).await;
        assert_eq!((after.len(), after[0].retired_at.is_some()), (2, true), "{place}");
        assert_eq!(open_all(&other, tenant, &ids).await.unwrap(), ids.len());
        assert_eq!(under_old_keys(&world).await, 0, "{place}");
        for step in ["rewrap", "rotate", "compromise", "retire"] {
            let audited = format!("SELECT count(*) FROM audit WHERE action = 'data_key.{step}'");
            let once = i64::from(step != "compromise" || end == End::Compromised);
            assert_eq!(number(&world, &audited).await, once, "{place}: {step}");
        }
        world.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_keys_life_may_fail_and_is_done_by_the_next() {
    Box::pin(attack(Action::Error, End::Drained)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_keys_life_may_be_the_last_of_its_process() {
    Box::pin(attack(Action::Hang, End::Drained)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_compromise_may_fail_and_is_asked_for_again() {
    Box::pin(attack(Action::Error, End::Compromised)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_a_compromise_may_be_the_last_of_its_process() {
    Box::pin(attack(Action::Hang, End::Compromised)).await;
}
