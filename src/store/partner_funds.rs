//! What partners have on their own accounts, and what moved it.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::statement::statement;
use super::{Slice, of_tenant};
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::domain::ledger::{EntryKind, Holder};

statement! {
    struct Balances { partner_id: PartnerId as SqlUuid, mode: Mode as Text, ids: Vec<Uuid> as Array<SqlUuid> }
      -> pub PartnerBalance { kind: String as Text, asset: AssetCode as Text, balance: Decimal as Numeric }
      = "SELECT kind, asset, balance FROM account WHERE partner_id = ? AND mode = ? AND id = ANY (?) ORDER BY asset, kind"
}

statement! {
    struct MovedBy {
        account_id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: &'static str as Text, reference: String as Text,
    } => (Numeric,)
      = "SELECT COALESCE(sum(g.amount) FILTER (WHERE g.account_id = ?), 0) FROM entry e \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         WHERE e.partner_id = ? AND e.mode = ? AND e.kind = ? AND e.reference = ? GROUP BY e.id"
}

/// A statement in one direction: the planner reads the tenant's index in its order, so each direction has its own text.
macro_rules! list_of_lines {
    ($name:ident, $compare:literal, $order:literal) => {
        statement! {
            struct $name {
                tenant: String as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, size: i64 as BigInt,
            } => (SqlUuid, Text, Text, Timestamptz, Text, Numeric, Numeric)
              = concat!("WITH ask AS MATERIALIZED (SELECT ?::text AS tenant, ?::timestamptz AS at, ?::uuid AS id, ?::bigint AS size), \
                 page AS MATERIALIZED (SELECT e.partner_id, e.mode, e.id, e.kind, e.reference, e.created_at FROM entry e \
                     WHERE (e.partner_id::text || e.mode) = (SELECT tenant FROM ask) AND e.customer_id IS NULL \
                         AND e.kind IN ('credit', 'debit', 'hold', 'release', 'settle', 'return') \
                         AND (e.created_at, e.id) ", $compare, " ((SELECT at FROM ask), (SELECT id FROM ask)) \
                     ORDER BY e.created_at ", $order, ", e.id ", $order, " LIMIT (SELECT size FROM ask)) \
                 SELECT p.id, p.kind, p.reference, p.created_at, g.asset, \
                     COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'partner_available'), 0), \
                     COALESCE(sum(g.amount) FILTER (WHERE a.kind = 'partner_held'), 0) FROM page p \
                 JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (p.partner_id, p.mode, p.id) \
                 JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
                     AND a.kind IN ('partner_available', 'partner_held') \
                 GROUP BY p.id, p.kind, p.reference, p.created_at, g.asset ORDER BY p.created_at ", $order, ", p.id ", $order)
        }
    };
}
list_of_lines!(LinesNewest, "<", "DESC");
list_of_lines!(LinesOldest, ">", "ASC");

/// A line of a partner's statement: one entry, by what it moved.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct StatementLine {
    pub id: Uuid,
    pub kind: String,
    /// A payout request's or payout's id without its prefix, or a credit's reference.
    pub reference: String,
    pub created_at: DateTime<Utc>,
    pub asset: AssetCode,
    pub available: Decimal,
    pub held: Decimal,
}

/// The partner's accounts, whether they are there or not.
pub fn accounts_of(tenant: Tenant, assets: &Assets) -> Vec<Uuid> {
    let accounts = |code| [Holder::Partner.available(code).id(tenant), Holder::Partner.held(code).id(tenant)];
    assets.iter().flat_map(|asset| accounts(asset.code)).collect()
}

/// The partner's balances in every currency that it ever had one in.
pub async fn balances(conn: &AsyncPgConnection, tenant: Tenant, assets: &Assets) -> QueryResult<Vec<PartnerBalance>> {
    Balances { partner_id: tenant.partner_id, mode: tenant.mode, ids: accounts_of(tenant, assets) }
        .load(&mut &*conn)
        .await
}

/// What the entry of that kind and reference moved on the account, zero if only others; `None` if there is no such entry.
pub async fn moved_by(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    account_id: Uuid,
    kind: EntryKind,
    reference: &str,
) -> QueryResult<Option<Decimal>> {
    let moved: Option<(Decimal,)> = MovedBy {
        account_id,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        kind: kind.as_str(),
        reference: reference.to_owned(),
    }
    .get_result(&mut &*conn)
    .await
    .optional()?;
    Ok(moved.map(|(moved,)| moved))
}

/// A part of the partner's statement.
pub async fn lines(conn: &AsyncPgConnection, tenant: Tenant, slice: Slice) -> QueryResult<Vec<StatementLine>> {
    let ((at, id), size, tenant) = (slice.after, slice.limit, of_tenant(tenant));
    match slice.newest_first {
        true => LinesNewest { tenant, at, id, size }.load(&mut &*conn).await,
        false => LinesOldest { tenant, at, id, size }.load(&mut &*conn).await,
    }
}
