//! What is sealed, table by table: pages of what stands under given keys, the same values sealed anew, and counts by key. And how far the
//! pass over all of it has come. The tables are those of [`SealedTable`]; nothing here can open anything.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use uuid::Uuid;

use super::statement::statement;
use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};
use crate::vault::{DekId, SEALED_COLUMNS_MAX, SealedTable};

/// The values of a row's sealed columns, in the order of [`SealedTable::columns`]; what the table hasn't is `None`.
pub type SealedValues = [Option<Vec<u8>>; SEALED_COLUMNS_MAX];

/// A row with sealed columns.
#[derive(Clone, Debug)]
pub struct SealedRow {
    pub tenant: Tenant,
    /// The row's own id, as text.
    pub id: String,
    pub customer_id: Option<CustomerId>,
    pub values: SealedValues,
}

/// A row's place in its table, in the order of its primary key: its id, and its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub id: String,
    pub tenant: Tenant,
}

/// A row that is to be written: as it was read, and as it is to be.
#[derive(Clone, Debug)]
pub struct Anew {
    pub row: SealedRow,
    pub values: SealedValues,
}

/// Part of a table.
#[derive(Clone, Debug)]
pub struct Page {
    /// Rows with a value under one of the keys.
    pub due: Vec<SealedRow>,
    /// How far was looked; `None`: to the table's end.
    pub end: Option<Place>,
}

/// Values of one column under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub table: SealedTable,
    pub column: &'static str,
    pub key: DekId,
    pub count: i64,
}

type PageSql =
    (SqlUuid, Text, Text, Nullable<SqlUuid>, Nullable<Bytea>, Nullable<Bytea>, Nullable<Bytea>, Bool, BigInt);

#[derive(diesel::Queryable)]
struct PageRow {
    partner_id: PartnerId,
    mode: Mode,
    id: String,
    customer_id: Option<CustomerId>,
    first: Option<Vec<u8>>,
    second: Option<Vec<u8>>,
    third: Option<Vec<u8>>,
    is_due: bool,
    looked_at: i64,
}

/// What a page asks for.
struct Ask {
    after: Place,
    rows_max: i64,
    keys: Vec<Uuid>,
    due_max: i64,
}

/// The statements of one table: its name, its id's type, its customer, its columns, what is compared before and set by a swap, and what is
/// counted.
macro_rules! sealed_table {
    ($module:ident, $table:literal, $key:literal, $type:literal, $customer:literal, $columns:literal, $same:literal, $set:literal,
     $values:literal) => {
        mod $module {
            use super::*;

            statement! {
                // A bounded number of rows by the primary key, of which those that are due are answered, and the last that was looked at. A
                // row of nobody (staff without a second factor) has nothing sealed, and is at most that last one.
                struct PageOf {
                    id: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, rows_max: i64 as BigInt,
                    keys: Vec<Uuid> as Array<SqlUuid>, due_max: i64 as BigInt,
                } => PageSql = concat!(
                    "WITH page AS MATERIALIZED ( \
                         SELECT t.partner_id, t.mode, t.", $key, " AS id, ", $customer, " AS customer_id, ", $columns, " FROM ", $table, " t \
                         WHERE (t.", $key, ", t.partner_id, t.mode) > (?::text::", $type, ", ?, ?) \
                         ORDER BY t.", $key, ", t.partner_id, t.mode LIMIT ?), \
                     looked AS (SELECT page.*, row_number() OVER (ORDER BY id, partner_id, mode) AS n, count(*) OVER () AS total, \
                         COALESCE(sealed_key(s1) = ANY (k.keys), false) OR COALESCE(sealed_key(s2) = ANY (k.keys), false) \
                             OR COALESCE(sealed_key(s3) = ANY (k.keys), false) AS due \
                         FROM page CROSS JOIN (SELECT ?::uuid[] AS keys) k) \
                     SELECT COALESCE(partner_id, '00000000-0000-0000-0000-000000000000'), COALESCE(mode, 'test'), id::text, customer_id, s1, s2, s3, due, total FROM looked WHERE due OR n = total \
                     ORDER BY n LIMIT ?")
            }

            statement! {
                // Rows that somebody works with are left for later: nobody waits here, and nobody for a whole batch. Compared again under
                // the lock: what was changed or destroyed since it was read stays so.
                struct SwapIn {
                    partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<String> as Array<Text>,
                    was_1: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>, was_2: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>,
                    was_3: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>, is_1: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>,
                    is_2: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>, is_3: Vec<Option<Vec<u8>>> as Array<Nullable<Bytea>>,
                } = concat!(
                    "WITH k AS (SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::text[], ?::bytea[], ?::bytea[], ?::bytea[], ?::bytea[], \
                         ?::bytea[], ?::bytea[]) AS k (partner_id, mode, id, was_1, was_2, was_3, is_1, is_2, is_3)), \
                     locked AS MATERIALIZED ( \
                         SELECT t.partner_id, t.mode, t.", $key, " FROM ", $table, " t \
                         JOIN k ON (t.", $key, ", t.partner_id, t.mode) = (k.id::", $type, ", k.partner_id, k.mode) AND ", $same, " \
                         ORDER BY t.", $key, ", t.partner_id, t.mode FOR NO KEY UPDATE OF t SKIP LOCKED) \
                     UPDATE ", $table, " t SET ", $set, " FROM k, locked l \
                     WHERE (t.", $key, ", t.partner_id, t.mode) = (l.", $key, ", l.partner_id, l.mode) \
                         AND (t.", $key, ", t.partner_id, t.mode) = (k.id::", $type, ", k.partner_id, k.mode) AND ", $same)
            }

            statement! {
                struct CountIn { keys: Option<Vec<Uuid>> as Nullable<Array<SqlUuid>> } => (Text, SqlUuid, BigInt)
                  = concat!("SELECT v.name, v.key, count(*) FROM (SELECT ?::uuid[] AS keys) ask CROSS JOIN ", $table, " t \
                         CROSS JOIN LATERAL (VALUES ", $values, ") AS v (name, key) \
                     WHERE v.key IS NOT NULL AND (ask.keys IS NULL OR v.key = ANY (ask.keys)) GROUP BY v.name, v.key ORDER BY v.name, v.key")
            }

            pub async fn page(conn: &AsyncPgConnection, ask: Ask) -> QueryResult<Vec<PageRow>> {
                let Ask { after: Place { id, tenant }, rows_max, keys, due_max } = ask;
                PageOf { id, partner_id: tenant.partner_id, mode: tenant.mode, rows_max, keys, due_max }.load(&mut &*conn).await
            }

            pub async fn swap(conn: &AsyncPgConnection, anew: &[Anew]) -> QueryResult<usize> {
                let was = |n: usize| anew.iter().map(|one| one.row.values.get(n).cloned().flatten()).collect();
                let is = |n: usize| anew.iter().map(|one| one.values.get(n).cloned().flatten()).collect();
                SwapIn {
                    partner_ids: anew.iter().map(|one| one.row.tenant.partner_id).collect(),
                    modes: anew.iter().map(|one| one.row.tenant.mode).collect(),
                    ids: anew.iter().map(|one| one.row.id.clone()).collect(),
                    was_1: was(0),
                    was_2: was(1),
                    was_3: was(2),
                    is_1: is(0),
                    is_2: is(1),
                    is_3: is(2),
                }
                .execute(&mut &*conn)
                .await
            }

            pub async fn count(conn: &AsyncPgConnection, keys: Option<Vec<Uuid>>) -> QueryResult<Vec<(String, Uuid, i64)>> {
                CountIn { keys }.load(&mut &*conn).await
            }
        }
    };
}

sealed_table!(
    card,
    "card",
    "id",
    "bigint",
    "t.customer_id",
    "t.pan_sealed AS s1, t.holder_sealed AS s2, t.billing_sealed AS s3",
    "(t.pan_sealed, t.holder_sealed, t.billing_sealed) IS NOT DISTINCT FROM (k.was_1, k.was_2, k.was_3)",
    "pan_sealed = k.is_1, holder_sealed = k.is_2, billing_sealed = k.is_3",
    "('pan_sealed', sealed_key(t.pan_sealed)), ('holder_sealed', sealed_key(t.holder_sealed)), \
     ('billing_sealed', sealed_key(t.billing_sealed))"
);

sealed_table!(
    request_card,
    "request_card",
    "request_id",
    "uuid",
    "NULL::uuid",
    "t.pan_sealed AS s1, t.holder_sealed AS s2, NULL::bytea AS s3",
    "(t.pan_sealed, t.holder_sealed) IS NOT DISTINCT FROM (k.was_1, k.was_2)",
    "pan_sealed = k.is_1, holder_sealed = k.is_2",
    "('pan_sealed', sealed_key(t.pan_sealed)), ('holder_sealed', sealed_key(t.holder_sealed))"
);

sealed_table!(
    provider_account,
    "provider_account",
    "id",
    "uuid",
    "NULL::uuid",
    "t.credentials_sealed AS s1, t.callback_keys_sealed AS s2, NULL::bytea AS s3",
    "(t.credentials_sealed, t.callback_keys_sealed) IS NOT DISTINCT FROM (k.was_1, k.was_2)",
    "credentials_sealed = k.is_1, callback_keys_sealed = k.is_2",
    "('credentials_sealed', sealed_key(t.credentials_sealed)), ('callback_keys_sealed', sealed_key(t.callback_keys_sealed))"
);

sealed_table!(
    api_key,
    "api_key",
    "id",
    "uuid",
    "NULL::uuid",
    "t.signing_sealed AS s1, NULL::bytea AS s2, NULL::bytea AS s3",
    "t.signing_sealed IS NOT DISTINCT FROM k.was_1",
    "signing_sealed = k.is_1",
    "('signing_sealed', sealed_key(t.signing_sealed))"
);

sealed_table!(
    staff,
    "staff",
    "id",
    "uuid",
    "NULL::uuid",
    "t.totp_secret AS s1, t.totp_offered AS s2, NULL::bytea AS s3",
    "(t.totp_secret, t.totp_offered) IS NOT DISTINCT FROM (k.was_1, k.was_2)",
    "totp_secret = k.is_1, totp_offered = k.is_2",
    "('totp_secret', sealed_key(t.totp_secret)), ('totp_offered', sealed_key(t.totp_offered))"
);

sealed_table!(
    approval,
    "approval",
    "id",
    "uuid",
    "NULL::uuid",
    "t.change AS s1, t.told AS s2, NULL::bytea AS s3",
    "(t.change, t.told) IS NOT DISTINCT FROM (k.was_1, k.was_2)",
    "change = k.is_1, told = k.is_2",
    "('change', sealed_key(t.change)), ('told', sealed_key(t.told))"
);

sealed_table!(
    webhook_endpoint,
    "webhook_endpoint",
    "id",
    "uuid",
    "NULL::uuid",
    "t.secrets_sealed AS s1, NULL::bytea AS s2, NULL::bytea AS s3",
    "t.secrets_sealed IS NOT DISTINCT FROM k.was_1",
    "secrets_sealed = k.is_1",
    "('secrets_sealed', sealed_key(t.secrets_sealed))"
);

/// Before the table's first row.
pub fn start(table: SealedTable) -> Place {
    let id = match table {
        SealedTable::Card => "0".to_owned(),
        SealedTable::RequestCard
        | SealedTable::ProviderAccount
        | SealedTable::ApiKey
        | SealedTable::Staff
        | SealedTable::Approval
        | SealedTable::WebhookEndpoint => Uuid::nil().to_string(),
    };
    Place { id, tenant: Tenant { partner_id: PartnerId(Uuid::nil()), mode: Mode::Live } }
}

/// Looks at `rows_max` rows after `after` at most, and answers those with a value under one of `keys`, `due_max` at most.
pub async fn page(
    conn: &AsyncPgConnection,
    table: SealedTable,
    after: Place,
    rows_max: i64,
    keys: &[DekId],
    due_max: usize,
) -> QueryResult<Page> {
    let keys = keys.iter().map(|key| key.0).collect();
    // One more: the last row that was looked at, which may not be due.
    let ask = Ask { after, rows_max, keys, due_max: i64::try_from(due_max).unwrap_or(i64::MAX - 1) + 1 };
    let rows = match table {
        SealedTable::Card => card::page(conn, ask).await?,
        SealedTable::RequestCard => request_card::page(conn, ask).await?,
        SealedTable::ProviderAccount => provider_account::page(conn, ask).await?,
        SealedTable::ApiKey => api_key::page(conn, ask).await?,
        SealedTable::Staff => staff::page(conn, ask).await?,
        SealedTable::Approval => approval::page(conn, ask).await?,
        SealedTable::WebhookEndpoint => webhook_endpoint::page(conn, ask).await?,
    };
    let is_whole = rows.len() <= due_max;
    let looked_at = rows.as_slice().first().map_or(0, |row| row.looked_at);
    let mut end = None;
    let mut due = Vec::new();
    for row in rows.into_iter().take(if is_whole { usize::MAX } else { due_max }) {
        let tenant = Tenant { partner_id: row.partner_id, mode: row.mode };
        end = Some(Place { id: row.id.clone(), tenant });
        if row.is_due {
            let values = [row.first, row.second, row.third];
            due.push(SealedRow { tenant, id: row.id, customer_id: row.customer_id, values });
        }
    }
    if is_whole && looked_at < rows_max {
        end = None;
    }
    Ok(Page { due, end })
}

/// Writes values sealed anew over those that were read; rows that were changed since, or that somebody works with, stay. Answers how many
/// were written.
pub async fn swap(conn: &AsyncPgConnection, table: SealedTable, anew: &[Anew]) -> QueryResult<usize> {
    if anew.is_empty() {
        return Ok(0);
    }
    match table {
        SealedTable::Card => card::swap(conn, anew).await,
        SealedTable::RequestCard => request_card::swap(conn, anew).await,
        SealedTable::ProviderAccount => provider_account::swap(conn, anew).await,
        SealedTable::ApiKey => api_key::swap(conn, anew).await,
        SealedTable::Staff => staff::swap(conn, anew).await,
        SealedTable::Approval => approval::swap(conn, anew).await,
        SealedTable::WebhookEndpoint => webhook_endpoint::swap(conn, anew).await,
    }
}

/// How many values stand under each key, or under each of these; as long as that takes. Call it in a transaction.
pub async fn count(conn: &mut AsyncPgConnection, keys: Option<&[DekId]>) -> QueryResult<Vec<KeyUse>> {
    conn.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let mut uses = Vec::new();
    for table in SealedTable::ALL {
        let keys = keys.map(|keys| keys.iter().map(|key| key.0).collect());
        let found = match table {
            SealedTable::Card => card::count(conn, keys).await?,
            SealedTable::RequestCard => request_card::count(conn, keys).await?,
            SealedTable::ProviderAccount => provider_account::count(conn, keys).await?,
            SealedTable::ApiKey => api_key::count(conn, keys).await?,
            SealedTable::Staff => staff::count(conn, keys).await?,
            SealedTable::Approval => approval::count(conn, keys).await?,
            SealedTable::WebhookEndpoint => webhook_endpoint::count(conn, keys).await?,
        };
        for (name, key, count) in found {
            let column = table.columns().iter().find(|column| column.name == name).map_or("", |column| column.name);
            uses.push(KeyUse { table, column, key: DekId(key), count });
        }
    }
    Ok(uses)
}

statement! {
    struct LockPass {} => PassSql
      = "SELECT pass, started_at, finished_at, table_name, after_id, after_partner_id, after_mode, next_at, due, resealed, failed, \
             failed_before, resealed_total FROM reseal_pass WHERE id = 1 FOR UPDATE"
}

statement! {
    struct FindPass {} => PassSql
      = "SELECT pass, started_at, finished_at, table_name, after_id, after_partner_id, after_mode, next_at, due, resealed, failed, \
             failed_before, resealed_total FROM reseal_pass WHERE id = 1"
}

type PassSql = (
    BigInt,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Text,
    Nullable<Text>,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Timestamptz,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
    BigInt,
);

/// How far the pass over everything sealed has come.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Pass {
    pub pass: i64,
    pub started_at: Option<DateTime<Utc>>,
    /// `None` while it is under way.
    pub finished_at: Option<DateTime<Utc>>,
    pub table_name: String,
    pub after_id: Option<String>,
    pub after_partner_id: Option<PartnerId>,
    pub after_mode: Option<Mode>,
    /// Nothing more is handed out before.
    pub next_at: DateTime<Utc>,
    /// Values under old keys when it began.
    pub due: i64,
    /// Rows.
    pub resealed: i64,
    pub failed: i64,
    pub failed_before: i64,
    pub resealed_total: i64,
}

impl Pass {
    /// Rows that don't open, as far as is known: while a pass is under way, the one before knows best.
    pub fn unopened(&self) -> i64 {
        if self.finished_at.is_some() { self.failed } else { self.failed.max(self.failed_before) }
    }

    /// Begins the next pass, with so many values under old keys.
    pub fn begin(&mut self, due: i64, now: DateTime<Utc>) {
        (self.pass, self.started_at, self.finished_at) = (self.pass + 1, Some(now), None);
        (self.due, self.resealed, self.failed_before, self.failed) = (due, 0, self.failed, 0);
        self.go_on(SealedTable::ALL[0], None);
    }

    /// The place after which it goes on in its table.
    pub fn place(&self, table: SealedTable) -> Place {
        match (&self.after_id, self.after_partner_id, self.after_mode) {
            (Some(id), Some(partner_id), Some(mode)) => Place { id: id.clone(), tenant: Tenant { partner_id, mode } },
            _ => start(table),
        }
    }

    /// Goes on after `place`; `None`: at the table's beginning.
    pub fn go_on(&mut self, table: SealedTable, place: Option<Place>) {
        table.name().clone_into(&mut self.table_name);
        self.after_partner_id = place.as_ref().map(|place| place.tenant.partner_id);
        self.after_mode = place.as_ref().map(|place| place.tenant.mode);
        self.after_id = place.map(|place| place.id);
    }
}

statement! {
    struct SavePass {
        pass: i64 as BigInt, started_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        finished_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, table_name: String as Text, after_id: Option<String> as Nullable<Text>,
        after_partner_id: Option<PartnerId> as Nullable<SqlUuid>, after_mode: Option<Mode> as Nullable<Text>,
        next_at: DateTime<Utc> as Timestamptz, due: i64 as BigInt, resealed: i64 as BigInt, failed: i64 as BigInt,
        failed_before: i64 as BigInt,
    } = "UPDATE reseal_pass SET pass = ?, started_at = ?, finished_at = ?, table_name = ?, after_id = ?, after_partner_id = ?, \
             after_mode = ?, next_at = ?, due = ?, resealed = ?, failed = ?, failed_before = ? WHERE id = 1"
}

statement! {
    struct AddDone { resealed: i64 as BigInt, failed: i64 as BigInt, total: i64 as BigInt }
      = "UPDATE reseal_pass SET resealed = resealed + ?, failed = failed + ?, resealed_total = resealed_total + ? WHERE id = 1"
}

/// Locked until the transaction ends: one process at a time takes its part of the work.
pub async fn lock_pass(conn: &AsyncPgConnection) -> QueryResult<Pass> {
    LockPass {}.get_result(&mut &*conn).await
}

pub async fn find_pass(conn: &AsyncPgConnection) -> QueryResult<Pass> {
    FindPass {}.get_result(&mut &*conn).await
}

/// Writes down how far the locked pass has come.
pub async fn save_pass(conn: &AsyncPgConnection, pass: &Pass) -> QueryResult<()> {
    let pass = pass.clone();
    SavePass {
        pass: pass.pass,
        started_at: pass.started_at,
        finished_at: pass.finished_at,
        table_name: pass.table_name,
        after_id: pass.after_id,
        after_partner_id: pass.after_partner_id,
        after_mode: pass.after_mode,
        next_at: pass.next_at,
        due: pass.due,
        resealed: pass.resealed,
        failed: pass.failed,
        failed_before: pass.failed_before,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// Adds what was done: in the transaction that did it.
pub async fn add_done(conn: &AsyncPgConnection, resealed: usize, failed: usize) -> QueryResult<()> {
    let (resealed, failed) = (i64::try_from(resealed).unwrap_or(0), i64::try_from(failed).unwrap_or(0));
    AddDone { resealed, failed, total: resealed }.execute(&mut &*conn).await?;
    Ok(())
}
