//! Cases: what waits for a person.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::After;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::payout_request::RequestStatus;
use crate::store::statement::statement;

statement! {
    // staff_case_open: what waits is little, of either mode.
    struct Waiting { mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt } -> pub WaitingCase {
        partner: String as Text, id: Uuid as SqlUuid, kind: String as Text, opened_at: DateTime<Utc> as Timestamptz,
        request_id: Option<PayoutRequestId> as Nullable<SqlUuid>, reference_id: Option<String> as Nullable<Text>,
        status: Option<RequestStatus> as Nullable<Text>, amount: Option<Decimal> as Nullable<Numeric>,
        currency: Option<AssetCode> as Nullable<Text>, payout_id: Option<PayoutId> as Nullable<SqlUuid>, evidence: Value as Jsonb,
        provider_account: Option<String> as Nullable<Text>, subject: Option<String> as Nullable<Text>,
    } = "SELECT p.code, s.id, s.kind, s.opened_at, r.id, r.reference_id, r.status, r.amount, r.currency, s.payout_id, s.evidence, a.code, \
             s.subject \
         FROM (SELECT * FROM staff_case WHERE mode = ? AND closed_at IS NULL AND (opened_at, id) > (?, ?) \
               ORDER BY opened_at, id LIMIT ?) s \
         JOIN partner p ON p.id = s.partner_id \
         LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (s.partner_id, s.mode, s.request_id) \
         LEFT JOIN provider_account a ON a.id = s.provider_account_id \
         ORDER BY s.opened_at, s.id"
}

statement! {
    // staff_case_of_request
    struct OfRequest { partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid } -> pub RequestCase {
        kind: String as Text, opened_at: DateTime<Utc> as Timestamptz, closed_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        payout_id: Option<PayoutId> as Nullable<SqlUuid>, evidence: Value as Jsonb,
    } = "SELECT kind, opened_at, closed_at, payout_id, evidence FROM staff_case \
         WHERE partner_id = ? AND mode = ? AND request_id = ? ORDER BY opened_at, id"
}

/// The index that each list reads by, and the list's statement.
pub(super) const PLANS: &[(&str, &str)] = &[("staff_case_open", Waiting::SQL)];

/// Up to `limit` open cases of that mode, oldest first, whosever they are.
pub async fn waiting(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    after: After<Uuid>,
    limit: i64,
) -> QueryResult<Vec<WaitingCase>> {
    Waiting { mode, at: after.at, id: after.id, limit }.load(conn).await
}

/// A request's cases, open and closed.
pub async fn of_request(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    request_id: PayoutRequestId,
) -> QueryResult<Vec<RequestCase>> {
    OfRequest { partner_id: tenant.partner_id, mode: tenant.mode, request_id }.load(conn).await
}
