//! Ledger entries: written whole, in batches, with the balances that they move.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::result::Error;
use diesel::sql_types::{Array, Bool, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::accounts;
use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::exact;
use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};
use crate::domain::ledger::{AccountKey, Entry, EntryKind};

statement! {
    struct InsertEntries {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<Uuid> as Array<SqlUuid>,
        kinds: Vec<&'static str> as Array<Text>, references: Vec<String> as Array<Text>,
        customer_ids: Vec<Option<CustomerId>> as Array<Nullable<SqlUuid>>, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO entry (partner_id, mode, id, kind, reference, customer_id, created_at) \
         SELECT k.*, n.now FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::text[], ?::text[], ?::uuid[]) AS k, \
              (SELECT ?::timestamptz AS now) n"
}

statement! {
    struct InsertPostings {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, entry_ids: Vec<Uuid> as Array<SqlUuid>,
        lines: Vec<i16> as Array<SmallInt>, account_ids: Vec<Uuid> as Array<SqlUuid>, assets: Vec<AssetCode> as Array<Text>,
        amounts: Vec<Decimal> as Array<Numeric>,
    } = "INSERT INTO posting (partner_id, mode, entry_id, line, account_id, asset, amount) \
         SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::smallint[], ?::uuid[], ?::text[], ?::numeric[])"
}

statement! {
    struct EntryExists { partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: &'static str as Text, reference: String as Text }
        => (Bool,)
        = "SELECT EXISTS (SELECT 1 FROM entry WHERE partner_id = ? AND mode = ? AND kind = ? AND reference = ?)"
}

statement! {
    struct AmountBooked { partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: &'static str as Text, reference: String as Text }
        => (diesel::sql_types::Nullable<Numeric>,)
        = "SELECT max(p.amount) FROM entry e JOIN posting p ON (p.partner_id, p.mode, p.entry_id) = (e.partner_id, e.mode, e.id) \
           WHERE e.partner_id = ? AND e.mode = ? AND e.kind = ? AND e.reference = ?"
}

/// The greatest posting of an entry of that kind and reference: what a top-up put in. `None`: there is no such entry.
pub async fn amount_booked(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    kind: EntryKind,
    reference: &str,
) -> QueryResult<Option<Decimal>> {
    let (amount,): (Option<Decimal>,) = AmountBooked {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        kind: kind.as_str(),
        reference: reference.to_owned(),
    }
    .get_result(&mut &*conn)
    .await?;
    Ok(amount)
}

statement! {
    struct FindCredit { reference: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text } -> pub CreditRow {
        customer_id: CustomerId as SqlUuid, customer_reference: String as Text, asset: AssetCode as Text,
        amount: Decimal as Numeric, created_at: DateTime<Utc> as Timestamptz,
    } = "SELECT e.customer_id, c.reference, p.asset, p.amount, e.created_at FROM entry e \
         JOIN posting p ON (p.entry_id, p.partner_id, p.mode) = (e.id, e.partner_id, e.mode) AND p.amount > 0 \
         JOIN customer c ON (c.id, c.partner_id, c.mode) = (e.customer_id, e.partner_id, e.mode) \
         WHERE e.reference = ? AND e.kind = 'credit' AND e.partner_id = ? AND e.mode = ?"
}

/// A customer's credit of that reference.
pub async fn find_credit(conn: &AsyncPgConnection, tenant: Tenant, reference: &str) -> QueryResult<Option<CreditRow>> {
    FindCredit { reference: reference.to_owned(), partner_id: tenant.partner_id, mode: tenant.mode }
        .get_result(&mut &*conn)
        .await
        .optional()
}

/// Whether an entry of that kind and reference is booked.
pub async fn is_booked(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    kind: EntryKind,
    reference: &str,
) -> QueryResult<bool> {
    let (booked,): (bool,) = EntryExists {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        kind: kind.as_str(),
        reference: reference.to_owned(),
    }
    .get_result(&mut &*conn)
    .await?;
    Ok(booked)
}

/// Books entries: their postings, the balances kept in rows, and the deltas of all other accounts.
///
/// An entry whose kind and reference are booked already is a unique violation and undoes the transaction around it: what
/// may be asked twice is asked by the caller first. A user's balance that would fall below zero is a check violation.
pub async fn book(conn: &AsyncPgConnection, entries: &[Entry], now: DateTime<Utc>) -> QueryResult<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = entries.iter().map(|_| Uuid::now_v7()).collect();
    let mut own_row: BTreeMap<(Tenant, Uuid), (AccountKey, Decimal)> = BTreeMap::new();
    let mut gathered: BTreeMap<(Tenant, Uuid), (AccountKey, Decimal)> = BTreeMap::new();
    let mut postings = InsertPostings {
        partner_ids: Vec::new(),
        modes: Vec::new(),
        entry_ids: Vec::new(),
        lines: Vec::new(),
        account_ids: Vec::new(),
        assets: Vec::new(),
        amounts: Vec::new(),
    };
    for (entry, id) in entries.iter().zip(&ids) {
        for (line, posting) in entry.postings().iter().enumerate() {
            let account_id = posting.account.id(entry.tenant);
            postings.partner_ids.push(entry.tenant.partner_id);
            postings.modes.push(entry.tenant.mode);
            postings.entry_ids.push(*id);
            postings.lines.push(i16::try_from(line).map_err(|e| Error::SerializationError(e.into()))?);
            postings.account_ids.push(account_id);
            postings.assets.push(posting.account.asset);
            postings.amounts.push(posting.amount);
            let sums = if posting.account.kind.has_own_row_balance() { &mut own_row } else { &mut gathered };
            let (_, sum) = sums.entry((entry.tenant, account_id)).or_insert((posting.account, Decimal::ZERO));
            *sum = exact::add(*sum, posting.amount).map_err(|e| Error::SerializationError(e.into()))?;
        }
    }
    let new_entries = InsertEntries {
        partner_ids: entries.iter().map(|e| e.tenant.partner_id).collect(),
        modes: entries.iter().map(|e| e.tenant.mode).collect(),
        ids,
        kinds: entries.iter().map(|e| e.kind.as_str()).collect(),
        references: entries.iter().map(|e| e.reference.clone()).collect(),
        customer_ids: entries.iter().map(|e| e.customer).collect(),
        now,
    };
    let own_row: Vec<_> = own_row.into_iter().map(|((tenant, id), (_, sum))| (tenant, id, sum)).collect();
    let opened: Vec<_> = gathered.iter().map(|((tenant, _), (key, _))| (*tenant, *key)).collect();
    let deltas: Vec<_> = gathered
        .into_iter()
        .filter(|(_, (_, sum))| !sum.is_zero())
        .map(|((tenant, id), (_, sum))| (tenant, id, sum))
        .collect();
    // Sent one behind the other without waiting: one round trip for all.
    let (_, _, found, (), ()) = tokio::try_join!(
        biased;
        new_entries.execute(&mut &*conn),
        postings.execute(&mut &*conn),
        accounts::add_to_balances(conn, &own_row),
        accounts::ensure(conn, &opened, now),
        accounts::insert_deltas(conn, &deltas),
    )?;
    if found != own_row.len() {
        // An account is opened by the credit that first fills it: to be missing here is a bug, not a balance of zero.
        return Err(Error::NotFound);
    }
    Ok(())
}
