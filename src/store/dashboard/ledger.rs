//! What the ledger booked for a payout request and its payouts.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::store::statement::statement;

statement! {
    // entry_booked_once
    struct OfReferences { references: Vec<String> as Array<Text>, partner_id: PartnerId as SqlUuid, mode: Mode as Text } -> pub Booked {
        id: Uuid as SqlUuid, kind: String as Text, reference: String as Text, at: DateTime<Utc> as Timestamptz,
        account: Option<String> as Nullable<Text>, asset: AssetCode as Text, amount: Decimal as Numeric,
    } = "SELECT e.id, e.kind, e.reference, e.created_at, a.kind, g.asset, g.amount FROM entry e \
         JOIN posting g ON (g.partner_id, g.mode, g.entry_id) = (e.partner_id, e.mode, e.id) \
         LEFT JOIN account a ON (a.partner_id, a.mode, a.id) = (g.partner_id, g.mode, g.account_id) \
         WHERE e.reference = ANY (?) AND e.partner_id = ? AND e.mode = ? ORDER BY e.created_at, e.id, g.line"
}

/// The index that each list reads by, and the list's statement.
pub(super) const PLANS: &[(&str, &str)] = &[("entry_booked_once", OfReferences::SQL)];

/// The postings of the entries that were booked for these references, in the order in which they were booked.
pub async fn of_references(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    references: Vec<String>,
) -> QueryResult<Vec<Booked>> {
    OfReferences { references, partner_id: tenant.partner_id, mode: tenant.mode }.load(conn).await
}
