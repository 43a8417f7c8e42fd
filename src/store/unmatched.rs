//! Payments that left a provider account and that no payout of ours stands for: what is booked of each, and what of that is closed.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode, PartnerId, ProviderAccountId, Tenant};
use crate::domain::ledger::EntryKind;

statement! {
    struct LockUnmatched { account_id: ProviderAccountId as SqlUuid, reference: String as Text } -> pub Unmatched {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, deposit_account_id: DepositAccountId as SqlUuid,
        asset: AssetCode as Text, booked: Decimal as Numeric, closed: Decimal as Numeric, forgone: Decimal as Numeric,
        entries: i32 as Integer,
    } = "SELECT partner_id, mode, id, deposit_account_id, asset, booked, closed, forgone, entries FROM unmatched_payment \
         WHERE provider_account_id = ? AND reference = ? FOR UPDATE"
}

statement! {
    struct WriteUnmatched {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, account_id: ProviderAccountId as SqlUuid,
        reference: String as Text, deposit_account_id: DepositAccountId as SqlUuid, asset: AssetCode as Text, booked: Decimal as Numeric,
        closed: Decimal as Numeric, forgone: Decimal as Numeric, entries: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
        updated_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO unmatched_payment AS u (partner_id, mode, id, provider_account_id, reference, deposit_account_id, asset, booked, \
             closed, forgone, entries, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id, partner_id, mode) DO UPDATE SET booked = EXCLUDED.booked, closed = EXCLUDED.closed, \
             forgone = EXCLUDED.forgone, \
             entries = EXCLUDED.entries, updated_at = EXCLUDED.updated_at"
}

statement! {
    struct BookedOpen { partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: &'static str as Text, reference: String as Text }
      -> pub BookedFiat {
        deposit_account_id: Option<DepositAccountId> as Nullable<SqlUuid>, asset: AssetCode as Text, amount: Decimal as Numeric,
    } = "SELECT max(a.owner_id::text) FILTER (WHERE a.kind = 'provider_funding')::uuid, g.asset, \
             COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'recoverable'), 0) \
         FROM entry e \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
         WHERE e.partner_id = ? AND e.mode = ? AND e.kind = ? AND e.reference = ? \
         GROUP BY g.asset"
}

statement! {
    struct Forgone { account_id: ProviderAccountId as SqlUuid } -> ForgoneRow { reference: String as Text }
      = "SELECT reference FROM unmatched_payment WHERE provider_account_id = ? AND forgone > 0"
}

statement! {
    struct Names { account_id: ProviderAccountId as SqlUuid, pattern: String as Text, same_id: ProviderAccountId as SqlUuid, again: String as Text }
      -> NameRow { name: String as Text }
      = "SELECT subject FROM staff_case WHERE provider_account_id = ? AND subject LIKE ? \
         UNION SELECT reference FROM unmatched_payment WHERE provider_account_id = ? AND reference LIKE ?"
}

statement! {
    struct RenameCases { old: Vec<String> as Array<Text>, new: Vec<String> as Array<Text>, account_id: ProviderAccountId as SqlUuid }
      = "UPDATE staff_case c SET subject = k.new, \
             evidence = CASE WHEN c.evidence ->> 'reference' = k.old THEN jsonb_set(c.evidence, '{reference}', to_jsonb(k.new)) ELSE c.evidence END, \
             closing_evidence = CASE WHEN c.closing_evidence ->> 'reference' = k.old \
                 THEN jsonb_set(c.closing_evidence, '{reference}', to_jsonb(k.new)) ELSE c.closing_evidence END \
         FROM UNNEST(?::text[], ?::text[]) AS k (old, new) WHERE c.provider_account_id = ? AND c.subject = k.old"
}

statement! {
    struct RenameUnmatched { old: Vec<String> as Array<Text>, new: Vec<String> as Array<Text>, account_id: ProviderAccountId as SqlUuid }
      = "UPDATE unmatched_payment u SET reference = k.new FROM UNNEST(?::text[], ?::text[]) AS k (old, new) \
         WHERE u.provider_account_id = ? AND u.reference = k.old"
}

impl Unmatched {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }

    /// The reference of its next entry.
    pub fn next_entry(&mut self) -> String {
        self.entries += 1;
        format!("{}.{}", self.id.simple(), self.entries)
    }
}

/// What is booked of a reference at a provider account, until the transaction ends.
pub async fn lock(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    reference: &str,
) -> QueryResult<Option<Unmatched>> {
    LockUnmatched { account_id, reference: reference.to_owned() }.get_result(&mut &*conn).await.optional()
}

/// The references of which persons have written something off, or explained it.
pub async fn forgone(conn: &AsyncPgConnection, account_id: ProviderAccountId) -> QueryResult<Vec<String>> {
    let rows: Vec<ForgoneRow> = Forgone { account_id }.load(&mut &*conn).await?;
    Ok(rows.into_iter().map(|row| row.reference).collect())
}

/// Writes what is booked of a reference: a new row, or what changed of one that is locked.
pub async fn write(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    reference: &str,
    row: &Unmatched,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    WriteUnmatched {
        partner_id: row.partner_id,
        mode: row.mode,
        id: row.id,
        account_id,
        reference: reference.to_owned(),
        deposit_account_id: row.deposit_account_id,
        asset: row.asset,
        booked: row.booked,
        closed: row.closed,
        forgone: row.forgone,
        entries: row.entries,
        created_at: now,
        updated_at: now,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

/// What an entry made recoverable, and out of which deposit account it went.
pub async fn booked(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    kind: EntryKind,
    reference: &str,
) -> QueryResult<Option<BookedFiat>> {
    let Tenant { partner_id, mode } = tenant;
    BookedOpen { partner_id, mode, kind: kind.as_str(), reference: reference.to_owned() }
        .get_result(&mut &*conn)
        .await
        .optional()
}

/// The names of cases and payments of a provider account that begin so.
pub async fn names_with(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    prefix: &str,
) -> QueryResult<Vec<String>> {
    let pattern = format!("{prefix}%");
    let rows: Vec<NameRow> =
        Names { account_id, pattern: pattern.clone(), same_id: account_id, again: pattern }.load(&mut &*conn).await?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// Names cases and payments of a provider account anew, each of `old` as the one of `new` in its place.
pub async fn rename(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    old: Vec<String>,
    new: Vec<String>,
) -> QueryResult<()> {
    // In the order in which everybody locks them.
    RenameUnmatched { old: old.clone(), new: new.clone(), account_id }.execute(&mut &*conn).await?;
    RenameCases { old, new, account_id }.execute(&mut &*conn).await?;
    Ok(())
}
