//! The ring against a store in memory: races, epochs, wrong keys.

use std::collections::HashSet;
use std::path::PathBuf;

use super::*;
use crate::domain::ids::{Mode, PartnerId};
use crate::vault::keys::{FileKeys, KeyError, add_kek};
use crate::vault::testing::{BrokenDeks, MemoryDeks, Switched};

struct Fixture {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: Arc<MemoryDeks>,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/kek.json");
        Self { _folder: folder, path, store: Arc::default() }
    }

    /// A ring as one process has it.
    fn ring(&self, limits: Limits) -> KeyRing {
        let keys = FileKeys::open_or_generate(&self.path).unwrap();
        KeyRing::new(Arc::new(keys), Arc::clone(&self.store) as Arc<dyn DekStore>, limits)
    }
}

fn tenant() -> Tenant {
    Tenant { partner_id: PartnerId::new(), mode: Mode::Test }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_first_seals_in_four_processes_make_one_key() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let rings: Vec<Arc<KeyRing>> = (0..4).map(|_| Arc::new(fixture.ring(Limits::default()))).collect();
    let mut seals = tokio::task::JoinSet::new();
    for n in 0..100 {
        let ring = Arc::clone(&rings[n % rings.len()]);
        seals.spawn(async move { ring.for_seal(tenant).await.unwrap().id });
    }
    let ids: HashSet<DekId> = seals.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(fixture.store.rows().len(), 1);
    assert_eq!(fixture.store.messages(fixture.store.rows()[0].id), 4 * 1024);
}

#[tokio::test]
async fn each_partner_and_mode_has_its_own_key() {
    let fixture = Fixture::new();
    let ring = fixture.ring(Limits::default());
    let ours = tenant();
    let others = [tenant(), Tenant { mode: Mode::Live, ..ours }];
    let id = ring.for_seal(ours).await.unwrap().id;
    for other in others {
        assert_ne!(ring.for_seal(other).await.unwrap().id, id);
        // Known in memory, and read afresh.
        for ring in [&ring, &fixture.ring(Limits::default())] {
            assert!(matches!(ring.for_open(other, id).await, Err(VaultError::ForeignDek(found)) if found == id));
        }
    }
    assert_eq!(ring.for_open(ours, id).await.unwrap().id, id);
}

#[tokio::test]
async fn a_used_up_key_is_followed_by_the_next_epoch() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let limits = Limits { messages_max: 8, reserved: 4, ..Limits::default() };
    let (one, two) = (fixture.ring(limits), fixture.ring(limits));
    let mut sealed = HashMap::<DekId, i64>::new();
    for n in 0..40 {
        let ring = if n % 3 == 0 { &one } else { &two };
        *sealed.entry(ring.for_seal(tenant).await.unwrap().id).or_default() += 1;
    }
    assert!(sealed.values().all(|count| *count <= 8), "{sealed:?}");
    let rows = fixture.store.rows();
    assert!(rows.iter().map(|row| row.epoch).eq(1..=i32::try_from(rows.len()).unwrap()));
    // Old keys still open.
    for id in sealed.keys() {
        assert_eq!(fixture.ring(limits).for_open(tenant, *id).await.unwrap().id, *id);
    }
}

#[tokio::test]
async fn a_rotation_is_followed_here_at_once_and_elsewhere_when_the_primary_is_old() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let here = fixture.ring(Limits::default());
    let patient = fixture.ring(Limits::default());
    let eager = fixture.ring(Limits { primary_age_max: Duration::ZERO, ..Limits::default() });
    let old = here.for_seal(tenant).await.unwrap().id;
    assert_eq!(patient.for_seal(tenant).await.unwrap().id, old);
    assert_eq!(eager.for_seal(tenant).await.unwrap().id, old);
    assert_eq!(eager.for_seal(tenant).await.unwrap().id, old);
    assert_eq!(fixture.store.messages(old), 3 * 1024, "asking again reserves nothing");

    let new = here.rotate(tenant).await.unwrap();
    assert_ne!(new, old);
    assert_eq!(here.for_seal(tenant).await.unwrap().id, new);
    assert_eq!(eager.for_seal(tenant).await.unwrap().id, new);
    assert_eq!(patient.for_seal(tenant).await.unwrap().id, old);
    // Either side reads what the other writes.
    assert!(patient.for_open(tenant, new).await.is_ok());
    assert!(here.for_open(tenant, old).await.is_ok());
}

#[tokio::test]
async fn a_key_that_its_check_value_disowns_is_never_used() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let id = fixture.ring(Limits::default()).for_seal(tenant).await.unwrap().id;
    let row = fixture.store.rows().remove(0);
    fixture.store.overwrite(DekRow { check: KeyCheckValue([7; 8]), ..row });
    let ring = fixture.ring(Limits::default());
    assert!(matches!(ring.for_open(tenant, id).await, Err(VaultError::WrongKey(found)) if found == id));
    assert!(matches!(ring.for_seal(tenant).await, Err(VaultError::WrongKey(found)) if found == id));
}

#[tokio::test]
async fn a_key_file_that_was_lost_and_made_anew_opens_nothing() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let id = fixture.ring(Limits::default()).for_seal(tenant).await.unwrap().id;
    std::fs::remove_file(&fixture.path).unwrap();
    let refused = fixture.ring(Limits::default()).for_open(tenant, id).await;
    assert!(matches!(refused, Err(VaultError::Keys(KeyError::UnknownKek(_)))));
}

#[tokio::test]
async fn a_wrapped_key_moved_between_rows_is_refused() {
    let fixture = Fixture::new();
    let (ours, theirs) = (tenant(), tenant());
    let ring = fixture.ring(Limits::default());
    let id = ring.for_seal(ours).await.unwrap().id;
    ring.for_seal(theirs).await.unwrap();
    let rows = fixture.store.rows();
    let (our_row, their_row) = if rows[0].id == id { (&rows[0], &rows[1]) } else { (&rows[1], &rows[0]) };
    fixture.store.overwrite(DekRow { wrapped: their_row.wrapped.clone(), check: their_row.check, ..our_row.clone() });
    let refused = fixture.ring(Limits::default()).for_open(ours, id).await;
    assert!(matches!(refused, Err(VaultError::Keys(KeyError::Refused))));
}

#[tokio::test]
async fn an_unknown_key_and_a_broken_store_are_told_apart() {
    let fixture = Fixture::new();
    let ring = fixture.ring(Limits::default());
    assert!(matches!(ring.for_open(tenant(), DekId::new()).await, Err(VaultError::UnknownDek(_))));
    let keys = Arc::new(FileKeys::open(&fixture.path).unwrap());
    let broken = KeyRing::new(keys, Arc::new(BrokenDeks), Limits::default());
    assert!(matches!(broken.for_open(tenant(), DekId::new()).await, Err(VaultError::Store(_))));
    assert!(matches!(broken.for_seal(tenant()).await, Err(VaultError::Store(_))));
    assert!(matches!(broken.rotate(tenant()).await, Err(VaultError::Store(_))));
}

#[tokio::test]
async fn rewrapping_changes_the_outer_key_only() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let ring = fixture.ring(Limits::default());
    let id = ring.for_seal(tenant).await.unwrap().id;
    let row = fixture.store.rows().remove(0);
    assert_eq!(ring.rewrap(&row).await.unwrap(), None);

    let kek = add_kek(&fixture.path).unwrap();
    let wrapped = fixture.ring(Limits::default()).rewrap(&row).await.unwrap().unwrap();
    assert_eq!(wrapped.kek_id, kek);
    fixture.store.overwrite(DekRow { wrapped, ..row });
    let sealed = ring.for_open(tenant, id).await.unwrap().key.seal(b"", b"", b"x").unwrap();
    let fresh = fixture.ring(Limits::default()).for_open(tenant, id).await.unwrap();
    assert_eq!(fresh.key.open(&sealed, b"").unwrap().as_slice(), b"x");
}

#[tokio::test]
async fn a_key_that_was_destroyed_is_wiped_and_named() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let (ring, other) = (fixture.ring(Limits::default()), fixture.ring(Limits::default()));
    let old = ring.for_seal(tenant).await.unwrap().id;
    assert_eq!(other.for_seal(tenant).await.unwrap().id, old);
    let new = ring.rotate(tenant).await.unwrap();
    assert_eq!((ring.forget_retired().await.unwrap(), ring.for_open(tenant, old).await.is_ok()), (0, true));
    let row = fixture.store.rows().remove(0);
    let wrapped = WrappedDek { bytes: Vec::new(), ..row.wrapped.clone() };
    fixture.store.overwrite(DekRow { wrapped, ..row });
    for ring in [&ring, &other] {
        assert_eq!(ring.forget_retired().await.unwrap(), 1);
        let refused = ring.for_open(tenant, old).await;
        assert!(matches!(&refused, Err(error @ VaultError::RetiredDek(id)) if *id == old && error.may_pass()));
        // One that took it for primary asks again.
        assert_eq!(ring.for_seal(tenant).await.unwrap().id, new);
    }
    let retired = fixture.store.rows().remove(0);
    assert_eq!(ring.rewrap(&retired).await.unwrap(), None, "nothing is there to wrap");
}

#[tokio::test]
async fn a_primary_is_asked_for_again_where_it_is_one_of_the_old() {
    let (fixture, tenant) = (Fixture::new(), tenant());
    let (here, stale) = (fixture.ring(Limits::default()), fixture.ring(Limits::default()));
    let old = stale.for_seal(tenant).await.unwrap().id;
    let new = here.rotate(tenant).await.unwrap();
    stale.forget_primary_among(tenant, &[new]).await;
    assert_eq!(stale.for_seal(tenant).await.unwrap().id, old);
    stale.forget_primary_among(tenant, &[old]).await;
    assert_eq!(stale.for_seal(tenant).await.unwrap().id, new);
    stale.forget_primary_among(tenant, &[old]).await;
    assert_eq!(stale.for_seal(tenant).await.unwrap().id, new);
    assert_eq!(fixture.store.messages(new), 1_024, "what is right isn't read again");
}

#[tokio::test]
async fn a_provider_that_is_down_stops_nothing_whose_key_is_known() {
    let (fixture, ours) = (Fixture::new(), tenant());
    let provider = Switched::over(&fixture.path);
    let store = || Arc::clone(&fixture.store) as Arc<dyn DekStore>;
    // Asks the store again at every seal.
    let limits = Limits { primary_age_max: Duration::ZERO, ..Limits::default() };
    let ring = KeyRing::new(Arc::clone(&provider) as Arc<dyn KeyProvider>, store(), limits);
    let id = ring.for_seal(ours).await.unwrap().id;
    let asked = provider.asked();
    provider.fail(true);
    for _ in 0..3 {
        assert_eq!(ring.for_seal(ours).await.unwrap().id, id);
        assert_eq!(ring.for_open(ours, id).await.unwrap().id, id);
    }
    assert_eq!(provider.asked(), asked);

    // Nothing else is sealed or opened, and it is said that it may be later.
    let fresh = KeyRing::new(Arc::clone(&provider) as Arc<dyn KeyProvider>, store(), limits);
    for failed in [ring.for_seal(tenant()).await.err(), fresh.for_open(ours, id).await.err()] {
        assert!(failed.as_ref().is_some_and(VaultError::may_pass), "{failed:?}");
    }
    provider.fail(false);
    assert!(ring.for_seal(tenant()).await.is_ok());
    assert_eq!(fresh.for_open(ours, id).await.unwrap().id, id);
}

#[tokio::test]
async fn a_hundred_who_want_one_key_ask_for_it_once() {
    let (fixture, ours) = (Fixture::new(), tenant());
    let id = fixture.ring(Limits::default()).for_seal(ours).await.unwrap().id;
    let provider = Switched::over(&fixture.path);
    let store = Arc::clone(&fixture.store) as Arc<dyn DekStore>;
    let ring = KeyRing::new(Arc::clone(&provider) as Arc<dyn KeyProvider>, store, Limits::default());
    for (is_down, asked) in [(true, 1), (false, 2)] {
        provider.fail(is_down);
        let opened = futures_util::future::join_all((0..100).map(|_| ring.for_open(ours, id))).await;
        assert!(opened.iter().all(|dek| dek.is_err() == is_down));
        assert_eq!(provider.asked(), asked, "a failure is shared by those who waited for it");
    }
}
