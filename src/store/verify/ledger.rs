//! The ledger: entries, postings, accounts and their balances.

use diesel::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{NO_TENANT, PAGE_ROWS, broken_rows, row_key};
use crate::domain::ids::{Mode, PartnerId};
use crate::store::statement::statement;

broken_rows! {
    /// Entries whose postings don't sum to zero in each asset.
    entries_balance, of "entry",
    "SELECT 'entry ' || p.partner_id::text || '/' || p.mode || '/' || p.entry_id::text, \
         'is out of balance by ' || sum(p.amount) || ' ' || p.asset \
     FROM posting p GROUP BY p.partner_id, p.mode, p.entry_id, p.asset HAVING sum(p.amount) <> 0"
}

broken_rows! {
    entries_have_postings, of "entry",
    concat!("SELECT ", row_key!("entry", "e", "id"), ", 'has no postings' FROM entry e WHERE NOT EXISTS ( \
         SELECT 1 FROM posting p WHERE (p.partner_id, p.mode, p.entry_id) = (e.partner_id, e.mode, e.id))")
}

broken_rows! {
    /// Postings without their entry or account in the same tenant, or in another asset than the account's.
    postings_fit, of "posting",
    concat!("SELECT ", row_key!("posting", "p", "entry_id", "line"), ", concat_ws('; ', \
         CASE WHEN e.id IS NULL THEN 'its entry isn''t there' END, \
         CASE WHEN a.id IS NULL THEN 'its account ' || p.account_id || ' isn''t there' END, \
         CASE WHEN a.asset <> p.asset THEN 'is in ' || p.asset || ' on an account in ' || a.asset END) \
     FROM posting p \
     LEFT JOIN entry e ON (e.partner_id, e.mode, e.id) = (p.partner_id, p.mode, p.entry_id) \
     LEFT JOIN account a ON (a.partner_id, a.mode, a.id) = (p.partner_id, p.mode, p.account_id)")
}

broken_rows! {
    /// Accounts whose balance, with what is still to be folded into it, is not the sum of their postings.
    balances, of "account",
    concat!("SELECT ", row_key!("account", "a", "id"), ", concat_ws('; ', \
         CASE WHEN a.balance + COALESCE(d.amount, 0) <> COALESCE(p.amount, 0) \
             THEN 'its ' || a.kind || ' balance of ' || a.balance + COALESCE(d.amount, 0) || ' ' || a.asset \
                 || ' is not the sum of its postings, ' || COALESCE(p.amount, 0) END, \
         CASE WHEN d.amount IS NOT NULL AND a.kind IN ('user_available', 'user_held', 'partner_available', 'partner_held') \
             THEN 'a ' || a.kind || ' balance is kept in its row and takes no deltas' END) \
     FROM account a \
     LEFT JOIN (SELECT partner_id, mode, account_id, sum(amount) AS amount FROM posting GROUP BY 1, 2, 3) p \
         ON (p.partner_id, p.mode, p.account_id) = (a.partner_id, a.mode, a.id) \
     LEFT JOIN (SELECT partner_id, mode, account_id, sum(amount) AS amount FROM account_delta GROUP BY 1, 2, 3) d \
         ON (d.partner_id, d.mode, d.account_id) = (a.partner_id, a.mode, a.id)")
}

broken_rows! {
    deltas_have_accounts, of "account_delta",
    concat!("SELECT ", row_key!("account_delta", "d", "account_id", "id"), ", 'its account isn''t there' FROM account_delta d \
     WHERE NOT EXISTS (SELECT 1 FROM account a WHERE (a.partner_id, a.mode, a.id) = (d.partner_id, d.mode, d.account_id))")
}

broken_rows! {
    /// Balances of users and partners below zero.
    not_below_zero, of "account",
    concat!("SELECT ", row_key!("account", "a", "id"), ", 'its ' || a.kind || ' balance is ' || a.balance || ' ' || a.asset \
     FROM account a WHERE a.balance < 0 AND a.kind IN ('user_available', 'user_held', 'partner_available', 'partner_held')")
}

broken_rows! {
    /// Entries that were booked twice.
    booked_once, of "entry",
    "SELECT 'entry ' || e.partner_id::text || '/' || e.mode || '/' || min(e.id::text), \
         e.kind || ' for ' || e.reference || ' is booked ' || count(*) || ' times' \
     FROM entry e GROUP BY e.partner_id, e.mode, e.kind, e.reference HAVING count(*) > 1"
}

statement! {
    struct Accounts { id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, limit: i64 as BigInt }
      -> pub AccountRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, owner_kind: String as Text,
        owner_id: Option<Uuid> as Nullable<SqlUuid>, kind: String as Text, asset: String as Text,
    } = "SELECT partner_id, mode, id, owner_kind, owner_id, kind, asset FROM account WHERE (id, partner_id, mode) > (?, ?, ?) \
         ORDER BY id, partner_id, mode LIMIT ?"
}

type Key = (PartnerId, Mode, Uuid);

impl AccountRow {
    pub fn key(&self) -> Key {
        (self.partner_id, self.mode, self.id)
    }
}

/// A page of accounts after `key`, in the order of the key.
pub async fn accounts(conn: &mut AsyncPgConnection, after: Option<Key>) -> QueryResult<Vec<AccountRow>> {
    let (partner_id, mode, id) = after.unwrap_or((NO_TENANT.partner_id, NO_TENANT.mode, Uuid::nil()));
    Accounts { partner_id, mode, id, limit: PAGE_ROWS }.load(conn).await
}
