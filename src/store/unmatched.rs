//! Payments that left a provider account and that no payout of ours stands for: what is booked of each, and what of that is closed.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
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
        asset: AssetCode as Text, booked: Decimal as Numeric, closed: Decimal as Numeric, entries: i32 as Integer,
    } = "SELECT partner_id, mode, id, deposit_account_id, asset, booked, closed, entries FROM unmatched_payment \
         WHERE provider_account_id = ? AND reference = ? FOR UPDATE"
}

statement! {
    struct WriteUnmatched {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, account_id: ProviderAccountId as SqlUuid,
        reference: String as Text, deposit_account_id: DepositAccountId as SqlUuid, asset: AssetCode as Text, booked: Decimal as Numeric,
        closed: Decimal as Numeric, entries: i32 as Integer, created_at: DateTime<Utc> as Timestamptz, updated_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO unmatched_payment AS u (partner_id, mode, id, provider_account_id, reference, deposit_account_id, asset, booked, \
             closed, entries, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id, partner_id, mode) DO UPDATE SET booked = EXCLUDED.booked, closed = EXCLUDED.closed, \
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
