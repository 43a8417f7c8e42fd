//! The life of data keys: sealing anew under load and by several processes, keys that end, keys that somebody knows.

mod broken_off;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use landfall::app::App;
use landfall::domain::card::CardExpiry;
use landfall::domain::ids::{CardId, Mode, PartnerId, Tenant};
use landfall::domain::staff::Role;
use landfall::gateway::Gateway;
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::{KeyChange, NewKey};
use landfall::gateway::approvals::{Change, Maker};
use landfall::gateway::key_life::KeyLifeError;
use landfall::gateway::key_life::retire::Retirement;
use landfall::staff::sign_in::{Entered, From as Whence, SignIn};
use landfall::store::cards::{self, Card};
use landfall::store::deks::{DekRecord, PgDeks};
use landfall::vault::keys::add_kek;
use landfall::vault::{
    CHANGE_COLUMN, CardOwner, Context, DekId, RecordId, Sealed, SealedCard, SealedTable, TOLD_COLUMN, TOTP_COLUMN,
    Vault, VaultError,
};
use landfall::wallet::User;
use landfall::wallet::cards::{AddCard, BillingAddress};
use secrecy::SecretString;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::manage::given;
use crate::partner::{Partner, execute, with_test_service};
use crate::world::{PAID, World};

const ADDRESS: &str = "221B Baker Street";

/// Columns of bytes that hold nothing sealed: hashes, MACs and wrapped keys.
const NOT_SEALED: &[(&str, &str)] = &[
    ("dek", "wrapped"),
    ("dek", "key_check_value"),
    ("card", "fingerprint"),
    ("request_card", "fingerprint"),
    ("block_list", "fingerprint"),
    ("block_print", "fingerprint"),
    ("audit", "hash"),
    ("audit_head", "hash"),
    ("api_key", "secret_hash"),
    ("batch", "digest"),
    ("idempotency_key", "body_mac"),
    ("event", "mac"),
    ("provider_callback", "digest"),
    ("payout_request", "body_mac"),
    ("payout_request", "event_mac"),
    ("payout_request", "events_before"),
    ("staff_session", "id"),
    ("staff_session", "device_id"),
    ("staff_device", "id"),
    ("staff_recovery_code", "code_hash"),
];

async fn lines(world: &World, sql: &str) -> BTreeSet<String> {
    let rows: Vec<String> =
        world.row(&format!("SELECT COALESCE(array_agg(x), '{{}}') FROM ({sql}) q (x)"), &[]).await.get(0);
    rows.into_iter().collect()
}

async fn number(world: &World, sql: &str) -> i64 {
    world.row(sql, &[]).await.get(0)
}

fn author(tenant: Tenant) -> Author {
    Author { actor: "cli:tests".to_owned(), ..Author::command(tenant) }
}

async fn keys(gateway: &Gateway, tenant: Tenant) -> Vec<DekRecord> {
    gateway.data_keys(Some(&[tenant])).await.unwrap()
}

/// Begins a new epoch; answers the old key.
async fn rotate(gateway: &Gateway, tenant: Tenant) -> DekId {
    let primary = keys(gateway, tenant).await.pop().unwrap();
    gateway.begin_epoch(&author(tenant), primary.epoch, "a test").await.unwrap();
    DekId(primary.id)
}

/// Steps of these processes by turns until no key is to be drained.
async fn drain(world: &World, gateways: &[&Gateway]) {
    for _ in 0..2_000 {
        let mut taken = 0;
        for gateway in gateways {
            taken += gateway.reseal_step().await.unwrap();
        }
        if taken == 0 && draining(world).await == 0 {
            return;
        }
        world.advance(600);
    }
    panic!("keys are never drained");
}

async fn draining(world: &World) -> i64 {
    let sql = "SELECT count(*) FROM dek d WHERE drained_at IS NULL AND retired_at IS NULL AND EXISTS \
        (SELECT 1 FROM dek n WHERE n.partner_id = d.partner_id AND n.mode = d.mode AND n.epoch > d.epoch)";
    number(world, sql).await
}

fn of(card: &Card) -> (CardOwner, SealedCard) {
    let owner =
        CardOwner { tenant: card.tenant(), customer_id: Some(card.customer_id), record: RecordId::from(card.id) };
    let pan = Sealed(card.pan_sealed.clone().unwrap());
    (owner, SealedCard { pan, holder: Sealed(card.holder_sealed.clone()) })
}

/// Reads the cards and opens each with its address.
async fn open_all(app: &App, tenant: Tenant, ids: &[CardId]) -> Result<usize, VaultError> {
    let wanted: Vec<_> = ids.iter().map(|id| (tenant, *id)).collect();
    let found = {
        let conn = app.db.get().await.unwrap();
        cards::find_all(&conn, &wanted).await.unwrap()
    };
    for card in found.iter().filter(|card| card.pan_sealed.is_some()) {
        let (owner, sealed) = of(card);
        let opened = app.vault.open_card(&owner, &sealed, CardExpiry { year: 2035, month: 12 }).await?;
        assert_eq!(opened.pan.last_four(), card.last_four);
        if let Some(billing) = &card.billing_sealed {
            let address = app.vault.open_billing(&owner, &Sealed(billing.clone())).await?;
            assert_eq!(address.line1.as_deref(), Some(ADDRESS));
        }
    }
    Ok(found.len())
}

fn card_of(number: &str) -> AddCard {
    AddCard {
        number: Zeroizing::new(number.to_owned()),
        holder: "ALICE EXAMPLE".to_owned(),
        expiry_year: "2035".to_owned(),
        expiry_month: "12".to_owned(),
    }
}

fn address() -> BillingAddress {
    BillingAddress {
        address: ADDRESS.to_owned(),
        city: "London".to_owned(),
        country_code: "GB".to_owned(),
        zip: "NW1 6XE".to_owned(),
        state: None,
    }
}

async fn add(app: &App, name: &str) -> (User, CardId) {
    let user = app.wallet.user("demo", Mode::Test, name, Some(3)).await.unwrap();
    let id = app.wallet.add_card(&user, card_of(PAID)).await.unwrap().id;
    (user, id)
}

/// Cards of users of their own.
async fn some_cards(app: &App, prefix: &str, count: usize) -> Vec<CardId> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(add(app, &format!("{prefix}-{n}")).await.1);
    }
    ids
}

/// Whatever isn't under its tenant's primary key.
async fn under_old_keys(world: &World) -> i64 {
    let mut left = 0;
    for table in SealedTable::ALL {
        for column in table.columns() {
            let sql = format!(
                "SELECT count(*) FROM {table} t JOIN dek d ON d.id = sealed_key(t.{column}) WHERE d.epoch < \
                 (SELECT max(epoch) FROM dek n WHERE n.partner_id = t.partner_id AND n.mode = t.mode)",
                table = table.name(),
                column = column.name
            );
            left += number(world, &sql).await;
        }
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sealed_column_of_the_schema_is_in_the_list_and_knows_its_keys() {
    let world = World::new().await;
    let sql = "SELECT table_name || '.' || column_name FROM information_schema.columns \
        WHERE table_schema = current_schema() AND data_type = 'bytea'";
    let listed: BTreeSet<String> = SealedTable::ALL
        .iter()
        .flat_map(|table| table.columns().iter().map(|column| format!("{}.{}", table.name(), column.name)))
        .collect();
    let others: BTreeSet<String> = NOT_SEALED.iter().map(|(table, column)| format!("{table}.{column}")).collect();
    let schema = lines(&world, sql).await;
    let known: BTreeSet<String> = listed.union(&others).cloned().collect();
    assert_eq!(schema, known, "a column of bytes is sealed (src/vault/sealed.rs), or it is not (NOT_SEALED)");

    let sql = "SELECT DISTINCT event_object_table || '.' || event_object_column FROM information_schema.triggered_update_columns \
        WHERE trigger_name = event_object_table || '_sealed'";
    assert_eq!(lines(&world, sql).await, listed, "each has a trigger that keeps it from keys that are over");
    for table in SealedTable::ALL {
        assert_eq!(SealedTable::named(table.name()), Some(table));
    }
}

/// Sends SQL as a program does that knows nothing of all this.
async fn put_back(world: &World, id: CardId, pan: &[u8]) -> Result<u64, tokio_postgres::Error> {
    let (client, driver) = world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let outcome = client.execute("UPDATE card SET pan_sealed = $1 WHERE id = $2", &[&pan, &id.0]).await;
    driver.abort();
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_fails_no_read_loses_no_write_and_ends_with_the_old_key_destroyed() {
    let world = World::with(|settings| settings.vault.reseal_per_sec = 100, Vec::new()).await;
    // It has sealed under the first epoch, and goes on with it for a minute whatever the others do.
    let stale = Arc::new(world.another_process(|settings| settings.vault.reseal_per_sec = 100, Vec::new()).await);
    let two = world.another_process(|settings| settings.vault.reseal_per_sec = 100, Vec::new()).await;
    let mut ids = some_cards(&world.app, "here", 30).await;
    ids.extend(some_cards(&stale, "there", 30).await);
    let tenant = world.user("nobody").await.tenant;

    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = tokio::task::JoinSet::new();
    for n in 0..2 {
        let (app, ids, stop, reads) = (Arc::clone(&stale), ids.clone(), Arc::clone(&stop), Arc::clone(&reads));
        load.spawn(async move {
            let mut k = n;
            while !stop.load(Ordering::SeqCst) {
                let some: Vec<CardId> = ids.iter().copied().skip(k % 20).step_by(3).collect();
                reads.fetch_add(open_all(&app, tenant, &some).await.unwrap(), Ordering::SeqCst);
                k += 1;
            }
            Vec::new()
        });
    }
    for n in 0..2 {
        let (app, stop) = (Arc::clone(&stale), Arc::clone(&stop));
        load.spawn(async move {
            let mut added = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                let (user, id) = add(&app, &format!("adder-{n}-{}", added.len())).await;
                app.wallet.set_billing_address(&user, id, address()).await.unwrap();
                // Some are added again, and some are deleted.
                match added.len() % 4 {
                    1 => assert_eq!(app.wallet.add_card(&user, card_of(PAID)).await.unwrap().id, id),
                    2 => app.wallet.delete_card(&user, id).await.unwrap(),
                    _ => {}
                }
                added.push(id);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            added
        });
    }
    let old = rotate(&world.app.gateway, tenant).await;
    for _ in 0..40 {
        let (one, other) = tokio::join!(world.app.gateway.reseal_step(), two.gateway.reseal_step());
        one.unwrap();
        other.unwrap();
        world.advance(600);
        open_all(&world.app, tenant, &ids).await.unwrap();
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(added) = load.join_next().await {
        ids.extend(added.unwrap());
    }
    assert!(reads.load(Ordering::SeqCst) > 100);

    // A late write under the old key by a program that doesn't know of the new one: seen, and taken up again.
    drain(&world, &[&world.app.gateway, &two.gateway]).await;
    let card = {
        let conn = world.app.db.get().await.unwrap();
        cards::find_all(&conn, &[(tenant, ids[0])]).await.unwrap().remove(0)
    };
    let (owner, sealed) = of(&card);
    let first = keys(&world.app.gateway, tenant).await.remove(0);
    assert!(first.drained_at.is_some() && first.retired_at.is_none());
    let late = under(&world.app, &first, &owner).await;
    assert_eq!(put_back(&world, card.id, &late.0).await.unwrap(), 1);
    assert_eq!(keys(&world.app.gateway, tenant).await[0].drained_at, None, "a late write starts the time anew");
    let author = author(tenant);
    world.advance(3_600_000);
    match world.app.gateway.retire_key(&author, old).await.unwrap() {
        Retirement::InUse(uses) => {
            assert_eq!(
                (uses.len(), uses[0].table, uses[0].column, uses[0].count),
                (1, SealedTable::Card, "pan_sealed", 1)
            );
        }
        other => panic!("{other:?}"),
    }
    drain(&world, &[&world.app.gateway]).await;
    assert_eq!(under_old_keys(&world).await, 0);
    assert!(matches!(world.app.gateway.retire_key(&author, old).await.unwrap(), Retirement::NotBefore(_)));
    world.advance(3_600_000);
    assert_eq!(world.app.gateway.retire_key(&author, old).await.unwrap(), Retirement::Retired);
    assert_eq!(world.app.gateway.retire_key(&author, old).await.unwrap(), Retirement::Already);
    let row = world
        .row("SELECT length(wrapped), retired_at IS NOT NULL FROM dek WHERE id = $1::text::uuid", &[&old.to_string()])
        .await;
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (0, true));

    // Now it is refused, and by whoever learns from that it is sealed again.
    let refused = put_back(&world, card.id, &late.0).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().constraint(), Some("sealed_under_a_key_in_use"));
    ids.push(add(&stale, "late").await.1);
    assert_eq!(stale.vault.forget_retired().await.unwrap(), 1, "wiped from its memory");
    let fresh = world.another_process(|_| {}, Vec::new()).await;
    for app in [&world.app, &stale, &fresh] {
        assert_eq!(open_all(app, tenant, &ids).await.unwrap(), ids.len());
        assert!(
            matches!(app.vault.open_card(&owner, &SealedCard { pan: late.clone(), ..sealed.clone() }, CardExpiry { year: 2035, month: 12 }).await,
            Err(VaultError::RetiredDek(id)) if id == old)
        );
    }
    assert_eq!(under_old_keys(&world).await, 0);
    world.finish().await;
}

/// The card's number sealed under that key, as a ring seals that takes it for primary.
async fn under(app: &App, key: &DekRecord, owner: &CardOwner) -> Sealed {
    struct Only(landfall::vault::DekRow);

    #[async_trait::async_trait]
    impl landfall::vault::DekStore for Only {
        async fn primary(&self, _: Tenant) -> Result<Option<landfall::vault::DekRow>, landfall::vault::DekStoreError> {
            Ok(Some(self.0.clone()))
        }

        async fn insert_primary(
            &self,
            _: landfall::vault::DekRow,
        ) -> Result<landfall::vault::DekRow, landfall::vault::DekStoreError> {
            Ok(self.0.clone())
        }

        async fn get(&self, _: DekId) -> Result<Option<landfall::vault::DekRow>, landfall::vault::DekStoreError> {
            Ok(Some(self.0.clone()))
        }

        async fn retired(&self, _: Vec<DekId>) -> Result<Vec<DekId>, landfall::vault::DekStoreError> {
            Ok(Vec::new())
        }

        async fn count_messages(&self, _: DekId, reserved: i64) -> Result<i64, landfall::vault::DekStoreError> {
            Ok(reserved)
        }
    }

    let settings = &app.settings;
    let provider = landfall::vault::keys::open_provider(&settings.vault, &settings.data_dir, Arc::clone(&app.clock))
        .await
        .unwrap();
    let vault = Vault::start(provider, Arc::new(Only(key.to_dek().unwrap())), false).await.unwrap();
    let pan = landfall::domain::card::Pan::parse(PAID).unwrap();
    let holder = landfall::domain::card::HolderName::parse("ALICE EXAMPLE").unwrap();
    vault.seal_card(owner, &pan, &holder).await.unwrap().pan
}

/// A key that signs, somebody with a second factor, somebody without, and a change that waits.
async fn the_rest(world: &World, tenant: Tenant) {
    let new = NewKey {
        name: "signs".to_owned(),
        scopes: [Scope::PayoutsRead].into_iter().collect(),
        allowed_ips: Vec::new(),
        expires_at: None,
        signing_required: true,
    };
    world.app.gateway.make_key(&Author::command(tenant), false, new).await.unwrap();
    let (staff, approval) = (Uuid::now_v7(), Uuid::now_v7());
    let mut sealed = Vec::new();
    for (id, column) in [(staff, TOTP_COLUMN), (approval, CHANGE_COLUMN), (approval, TOLD_COLUMN)] {
        let context = Context { tenant, customer_id: None, record: id.into(), column };
        sealed.push(hex::encode(world.app.vault.seal(&context, b"something to hide").await.unwrap().0));
    }
    let (partner_id, mode) = (tenant.partner_id.0, tenant.mode);
    let account = "password_hash, role, created_at, password_changed_at, active_at";
    let of_account = "'$argon2id$', 'viewer', now(), now(), now()";
    execute(
        world,
        &format!(
            "INSERT INTO staff (id, email, name, partner_id, mode, totp_secret, totp_enrolled_at, {account}) \
             VALUES ('{staff}', 'a@b.example', 'Ada', '{partner_id}', '{mode}', '\\x{}', now(), {of_account})",
            sealed[0]
        ),
    )
    .await;
    let nobody = format!(
        "INSERT INTO staff (id, email, name, {account}) VALUES ('{}', 'c@d.example', 'Cy', {of_account})",
        Uuid::max()
    );
    execute(world, &nobody).await;
    execute(
        world,
        &format!(
            "INSERT INTO approval (partner_id, mode, id, action, object, change, told, asked_by, asked_at, expires_at, status) \
             VALUES ('{partner_id}', '{mode}', '{approval}', 'route.change', 'new', '\\x{}', '\\x{}', 'ada', now(), now() + interval '1 day', \
             'open')",
            sealed[1], sealed[2]
        ),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_that_is_sealed_each_row_is_sealed_anew_once_by_two_processes() {
    let world = World::with(with_test_service, Vec::new()).await;
    let two = world.another_process(with_test_service, Vec::new()).await;
    some_cards(&world.app, "one", 40).await;
    let (user, id) = add(&world.app, "addressed").await;
    world.app.wallet.set_billing_address(&user, id, address()).await.unwrap();
    let (gone, gone_id) = add(&world.app, "gone").await;
    world.app.wallet.delete_card(&gone, gone_id).await.unwrap();
    let partner = Partner::with(&world, rust_decimal::dec!(1000)).await;
    partner.credit(&world, "EUR", rust_decimal::dec!(1000)).await;
    partner.make(&world, partner.to_card(PAID)).await;
    let account = json!({"code": "mine", "provider": "adyen", "settings": {"balance_account_id": "BA00000000000000000000001"},
        "credentials": {"api_key": "a key", "hmac_key": "44782DEF547AAA06C910C43932B1EB0C"}});
    let account = world.app.gateway.create_provider_account(&partner.caller, &given(account)).await.unwrap();
    let change = json!({"credentials": {"hmac_key": "55782DEF547AAA06C910C43932B1EB0C"}});
    world.app.gateway.change_provider_account(&partner.caller, account.id, &given(change)).await.unwrap();
    let tenant = partner.tenant();
    the_rest(&world, tenant).await;
    let count = "SELECT (SELECT count(*) FROM card WHERE length(holder_sealed) > 0) + (SELECT count(*) FROM request_card) + \
        (SELECT count(*) FROM provider_account WHERE credentials_sealed IS NOT NULL) + (SELECT count(*) FROM approval) + \
        (SELECT count(*) FROM api_key WHERE signing_sealed IS NOT NULL) + (SELECT count(*) FROM staff WHERE totp_secret IS NOT NULL)";
    let rows = number(&world, count).await;
    assert!(rows >= 46, "{rows}");
    let version = number(&world, "SELECT version::bigint FROM provider_account WHERE code = 'mine'").await;

    rotate(&world.app.gateway, tenant).await;
    let before = under_old_keys(&world).await;
    assert!(before > 2 * 42, "{before}");
    for _ in 0..400 {
        let (one, other) = tokio::join!(world.app.gateway.reseal_step(), two.gateway.reseal_step());
        let taken = one.unwrap() + other.unwrap();
        world.advance(600);
        if taken == 0 && draining(&world).await == 0 {
            break;
        }
    }
    assert_eq!(under_old_keys(&world).await, 0);
    assert_eq!(number(&world, "SELECT resealed_total FROM reseal_pass").await, rows, "none twice");
    // The destroyed number stays destroyed, the account is no other one, and its keys are what they were.
    assert_eq!(
        number(&world, "SELECT count(*) FROM card WHERE pan_sealed IS NULL AND destroyed_at IS NOT NULL").await,
        1
    );
    assert_eq!(number(&world, "SELECT version::bigint FROM provider_account WHERE code = 'mine'").await, version);
    let fresh = world.another_process(with_test_service, Vec::new()).await;
    let snapshot = fresh.gateway.snapshot().await.unwrap();
    let state = snapshot.account_state(account.id).unwrap();
    assert_eq!(state.earlier_contexts(world.app.clock.now()).count(), 1, "keys that were replaced still open");
    let (status, _) = world.app.gateway.key_status(Some(&[tenant])).await.unwrap();
    let states: Vec<_> =
        status.iter().map(|key| (key.state(), key.uses.iter().map(|one| one.count).sum::<i64>())).collect();
    assert_eq!(states, [("drained", 0), ("primary", before)]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_or_destroyed_meanwhile_stays_as_it_is() {
    let world = World::new().await;
    let (user, id) = add(&world.app, "alice").await;
    let tenant = user.tenant;
    let old = rotate(&world.app.gateway, tenant).await;
    let row = {
        let conn = world.app.db.get().await.unwrap();
        let start = landfall::store::sealed::start(SealedTable::Card);
        landfall::store::sealed::page(&conn, SealedTable::Card, start, 100, &[old], 100).await.unwrap().due.remove(0)
    };
    // Read, and then: added again, deleted.
    world.app.wallet.add_card(&user, card_of(PAID)).await.unwrap();
    let swapped = async || {
        let conn = world.app.db.get().await.unwrap();
        let values = row.values.clone();
        let anew = [landfall::store::sealed::Anew { row: row.clone(), values }];
        landfall::store::sealed::swap(&conn, SealedTable::Card, &anew).await.unwrap()
    };
    assert_eq!(swapped().await, 0);
    world.app.wallet.delete_card(&user, id).await.unwrap();
    assert_eq!(swapped().await, 0);
    assert_eq!(number(&world, "SELECT count(*) FROM card WHERE pan_sealed IS NULL").await, 1);
    drain(&world, &[&world.app.gateway]).await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_a_key_of_others_or_none_is_left_told_and_keeps_the_key() {
    let world = World::new().await;
    let (ours, moved) = add(&world.app, "moved").await;
    let (_, edited) = add(&world.app, "edited").await;
    let sound = some_cards(&world.app, "sound", 5).await;
    // Another tenant's key, by sealing something there.
    let theirs = Tenant { mode: Mode::Live, ..ours.tenant };
    let owner = CardOwner { tenant: theirs, customer_id: None, record: RecordId::Number(1) };
    let pan = landfall::domain::card::Pan::parse(PAID).unwrap();
    let holder = landfall::domain::card::HolderName::parse("ALICE EXAMPLE").unwrap();
    world.app.vault.seal_card(&owner, &pan, &holder).await.unwrap();
    let their_key = DekId(keys(&world.app.gateway, theirs).await[0].id);
    let relabel = |id: CardId, key: DekId| {
        format!(
            "UPDATE card SET pan_sealed = substring(pan_sealed FOR 1) || decode(replace('{key}', '-', ''), 'hex') || substring(pan_sealed FROM 18) \
             WHERE id = {}",
            id.0
        )
    };
    execute(&world, &relabel(moved, their_key)).await;
    execute(&world, &relabel(edited, DekId::new())).await;
    rotate(&world.app.gateway, theirs).await;
    let old = rotate(&world.app.gateway, ours.tenant).await;
    for _ in 0..50 {
        world.app.gateway.reseal_step().await.unwrap();
        world.advance(600);
    }
    open_all(&world.app, ours.tenant, &sound).await.unwrap();
    let failed = number(&world, "SELECT greatest(failed, failed_before) FROM reseal_pass").await;
    assert_eq!(failed, 2, "both are told");
    assert!(number(&world, "SELECT pass FROM reseal_pass").await < 8, "and not looked at over and over");
    // Theirs is kept, for what names it; ours isn't named by what can't be opened anyway.
    world.advance(7_200_000);
    let kept = world.app.gateway.retire_key(&author(theirs), their_key).await.unwrap();
    assert!(matches!(&kept, Retirement::InUse(uses) if uses[0].count == 1), "{kept:?}");
    let still = under_old_keys(&world).await;
    let ended = world.app.gateway.retire_key(&author(ours.tenant), old).await.unwrap();
    assert!(matches!(&ended, Retirement::InUse(_)), "holders of the two rows are under it still: {ended:?}, {still}");
    // Nobody ends another's key, or his own primary.
    let foreign = world.app.gateway.retire_key(&author(ours.tenant), their_key).await;
    assert!(matches!(foreign, Err(KeyLifeError::NotFound)));
    let primary = DekId(keys(&world.app.gateway, ours.tenant).await.pop().unwrap().id);
    let refused = world.app.gateway.retire_key(&author(ours.tenant), primary).await;
    assert!(matches!(refused, Err(KeyLifeError::IsPrimary(id)) if id == primary));
    let report = world.verify().await.to_string();
    for what in
        ["pan_sealed names a data key of another partner or mode", "pan_sealed names a data key that isn't there"]
    {
        assert!(report.contains(what), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_key_seals_nothing_more_and_is_destroyed_while_everybody_goes_on() {
    let world = World::new().await;
    let stale = Arc::new(world.another_process(|_| {}, Vec::new()).await);
    let mut ids = some_cards(&world.app, "before", 60).await;
    ids.extend(some_cards(&stale, "there", 5).await);
    let tenant = world.user("nobody").await.tenant;
    let stop = Arc::new(AtomicBool::new(false));
    let adder = {
        let (app, stop) = (Arc::clone(&stale), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut added = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                // Its ring names the old key; the database refuses, and it is sealed again.
                added.push(add(&app, &format!("adder-{}", added.len())).await.1);
            }
            added
        })
    };
    let reader = {
        let (app, ids, stop) = (Arc::clone(&stale), ids.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            while !stop.load(Ordering::SeqCst) {
                match open_all(&app, tenant, &ids).await {
                    Ok(count) => assert_eq!(count, ids.len()),
                    // A copy from before the end: read again.
                    Err(error) => assert!(matches!(error, VaultError::RetiredDek(_)) && error.may_pass(), "{error}"),
                }
            }
        })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    let by = author(tenant);
    let (one, two) = tokio::join!(
        world.app.gateway.compromise_key(&by, 1, "a stolen laptop", |_| {}),
        stale.gateway.compromise_key(&by, 1, "a stolen laptop", |_| {}),
    );
    let mut outcomes = [one.unwrap(), two.unwrap()];
    outcomes.sort_by_key(|one| *one == Retirement::Already);
    assert_eq!(outcomes, [Retirement::Retired, Retirement::Already]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    stop.store(true, Ordering::SeqCst);
    reader.await.unwrap();
    ids.extend(adder.await.unwrap());
    assert!(ids.len() > 70, "{}", ids.len());

    let rows = keys(&world.app.gateway, tenant).await;
    assert_eq!(rows.len(), 2, "two at once begin one epoch");
    assert!(rows[0].compromised_at.is_some() && rows[0].retired_at.is_some() && rows[0].wrapped.is_empty());
    assert_eq!(under_old_keys(&world).await, 0);
    let again = world.app.gateway.compromise_key(&author(tenant), 1, "again", |_| {}).await.unwrap();
    assert_eq!((again, keys(&world.app.gateway, tenant).await.len()), (Retirement::Already, 2));
    let fresh = world.another_process(|_| {}, Vec::new()).await;
    assert_eq!(open_all(&fresh, tenant, &ids).await.unwrap(), ids.len());
    let audited = "SELECT action FROM audit WHERE action LIKE 'data_key.%'";
    let audited = lines(&world, audited).await;
    assert_eq!(audited, ["data_key.compromise", "data_key.retire", "data_key.rotate"].map(str::to_owned).into());
    world.finish().await;
}

/// Each writer of what is sealed, in a process whose ring doesn't know yet that the key is over.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_seals_under_a_key_that_is_over_seals_again_and_nobody_is_refused() {
    let world = World::new().await;
    let house = number(&world, "SELECT count(*) FROM partner WHERE code = 'house'").await;
    assert_eq!(house, 1);
    let house = lines(&world, "SELECT id::text FROM partner WHERE code = 'house'").await.pop_first().unwrap();
    let tenant = Tenant { partner_id: PartnerId(house.parse().unwrap()), mode: Mode::Test };
    let new = || NewKey {
        name: "signs".to_owned(),
        scopes: [Scope::KeysWrite].into_iter().collect(),
        allowed_ips: Vec::new(),
        expires_at: None,
        signing_required: true,
    };
    let (made, secrets) = world.app.gateway.make_key(&Author::command(tenant), true, new()).await.unwrap();
    let caller = world.app.gateway.authenticate_key(secrets.expose(), None).await.unwrap().caller;
    let password = SecretString::from("correct horse battery staple 9");
    world.app.staff.create("ada@landfall.example", "Ada", Role::Admin, &password).await.unwrap();
    let mut stale = Vec::new();
    for _ in 0..3 {
        let app = world.another_process(|_| {}, Vec::new()).await;
        let place = Context { tenant, customer_id: None, record: Uuid::now_v7().into(), column: TOTP_COLUMN };
        app.vault.seal(&place, b"so that it knows the key").await.unwrap();
        stale.push(app);
    }
    world.app.gateway.compromise_key(&author(tenant), 1, "a stolen laptop", |_| {}).await.unwrap();

    stale[0].gateway.make_key(&Author::command(tenant), true, new()).await.unwrap();
    let change = KeyChange { name: Some("renamed".to_owned()), ..KeyChange::default() };
    let change = Change::ChangeKey { by: Maker::from(&caller), id: made.id, change };
    stale[1].gateway.ask_for(&Author::from(&caller), &change).await.unwrap().unwrap();
    let form = SignIn {
        email: "ada@landfall.example".to_owned(),
        password: password.clone(),
        from: Whence::default(),
        replaces: None,
    };
    let Entered::In { signed_in, .. } = stale[2].staff.sign_in(form).await.unwrap() else { panic!("no code yet") };
    stale[2].staff.offer_totp(&signed_in, &password, "", &Whence::default()).await.unwrap();
    assert_eq!(under_old_keys(&world).await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_is_followed_once_however_many_keep_house() {
    let world = World::with(|settings| settings.vault.dek_max_age_days = 30, Vec::new()).await;
    let two = world.another_process(|settings| settings.vault.dek_max_age_days = 30, Vec::new()).await;
    let (user, _) = add(&world.app, "alice").await;
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!(keys(&world.app.gateway, user.tenant).await.len(), 1);
    world.clock.advance(TimeDelta::days(31));
    let (one, other) = tokio::join!(world.app.gateway.keep_house(), two.gateway.keep_house());
    one.unwrap();
    other.unwrap();
    world.app.gateway.keep_house().await.unwrap();
    assert_eq!(keys(&world.app.gateway, user.tenant).await.len(), 2);
    drain(&world, &[&two.gateway]).await;
    assert_eq!(under_old_keys(&world).await, 0);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rewrapped_once_and_open_under_the_new_key_encryption_key() {
    let world = World::new().await;
    let (user, id) = add(&world.app, "alice").await;
    let old = rotate(&world.app.gateway, user.tenant).await;
    drain(&world, &[&world.app.gateway]).await;
    world.advance(3_600_000);
    assert_eq!(world.app.gateway.retire_key(&author(user.tenant), old).await.unwrap(), Retirement::Retired);
    rotate(&world.app.gateway, user.tenant).await;
    let kek = add_kek(&world.app.settings.data_dir.join("keys/kek.json")).unwrap();
    let now = world.another_process(|_| {}, Vec::new()).await;
    let first = now.gateway.rewrap_keys("cli:tests", None, |_, _, _| {}).await.unwrap();
    assert_eq!((first.rewrapped, first.current, first.changed), (2, 0, 0), "the retired one has nothing to wrap");
    let second = now.gateway.rewrap_keys("cli:tests", None, |_, _, _| {}).await.unwrap();
    assert_eq!((second.rewrapped, second.current, second.changed), (0, 2, 0));
    let under = lines(&world, "SELECT DISTINCT kek_id FROM dek WHERE retired_at IS NULL").await;
    assert_eq!(under, BTreeSet::from([kek]));
    let fresh = world.another_process(|_| {}, Vec::new()).await;
    assert_eq!(open_all(&fresh, user.tenant, &[id]).await.unwrap(), 1);
    // Over what was changed meanwhile nothing is written: a key that was destroyed stays destroyed.
    let deks = PgDeks { db: world.app.db.clone(), clock: world.app.clock.clone() };
    let row = landfall::vault::DekStore::primary(&deks, user.tenant).await.unwrap().unwrap();
    execute(&world, &format!("UPDATE dek SET wrapped = '', retired_at = now() WHERE id = '{}'", row.id)).await;
    let conn = world.app.db.get().await.unwrap();
    assert!(!landfall::store::deks::rewrap(&conn, row.id, &row.wrapped, row.wrapped.clone()).await.unwrap());
}
