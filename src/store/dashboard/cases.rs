//! Cases: what waits for a person, and what was settled.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Jsonb, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::After;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::payout_request::RequestStatus;
use crate::store::statement::statement;

type RequestSql = (SqlUuid, Text, Text, Numeric, Text, Nullable<Text>);
type ClosingSql = (Timestamptz, Text, Text, Nullable<Text>, Nullable<Jsonb>);
type CaseSql = (
    Text,
    SqlUuid,
    Text,
    Timestamptz,
    Nullable<RequestSql>,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Nullable<Text>,
    Jsonb,
    Nullable<ClosingSql>,
);

/// The payout request that a case is about.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct CaseRequest {
    pub id: PayoutRequestId,
    pub reference_id: String,
    pub status: RequestStatus,
    pub amount: Decimal,
    pub currency: AssetCode,
    /// Why it waits for a decision, if it does.
    pub moderation_reason: Option<String>,
}

/// How a case ended.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct CaseEnded {
    pub at: DateTime<Utc>,
    pub how: String,
    pub by: String,
    pub reason: Option<String>,
    pub evidence: Option<Value>,
}

/// A case with what it is about.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct CaseLine {
    pub partner: String,
    pub id: Uuid,
    pub kind: String,
    pub opened_at: DateTime<Utc>,
    /// `None`: it is about a provider's payment that no request of ours stands for.
    pub request: Option<CaseRequest>,
    pub payout_id: Option<PayoutId>,
    pub provider_account: Option<String>,
    pub subject: Option<String>,
    pub evidence: Value,
    pub ended: Option<CaseEnded>,
}

macro_rules! case_sql {
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT p.code, s.id, s.kind, s.opened_at, r.id, r.reference_id, r.status, r.amount, r.currency, r.moderation_reason, \
             s.payout_id, a.code, s.subject, s.evidence, s.closed_at, s.closing, s.closed_by, s.closing_reason, s.closing_evidence \
             FROM ",
            $from,
            " JOIN partner p ON p.id = s.partner_id \
             LEFT JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (s.partner_id, s.mode, s.request_id) \
             LEFT JOIN provider_account a ON a.id = s.provider_account_id AND a.mode = s.mode ",
            $rest
        )
    };
}

statement! {
    // staff_case_open: what waits is little, of either mode.
    struct Waiting { mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt } => CaseSql
      = case_sql!(
            "(SELECT * FROM staff_case WHERE mode = ? AND closed_at IS NULL AND (opened_at, id) > (?, ?) \
               ORDER BY opened_at, id LIMIT ?) s",
            "ORDER BY s.opened_at, s.id"
        )
}

statement! {
    // The primary key.
    struct Find { mode: Mode as Text, id: Uuid as SqlUuid } => CaseSql
      = case_sql!("staff_case s", "WHERE s.mode = ? AND s.id = ?")
}

statement! {
    // staff_case_of_request
    struct OfRequest { partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid } -> pub RequestCase {
        id: Uuid as SqlUuid, kind: String as Text, opened_at: DateTime<Utc> as Timestamptz,
        payout_id: Option<PayoutId> as Nullable<SqlUuid>, evidence: Value as Jsonb,
        closed_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, closing: Option<String> as Nullable<Text>,
        closed_by: Option<String> as Nullable<Text>, closing_reason: Option<String> as Nullable<Text>,
    } = "SELECT id, kind, opened_at, payout_id, evidence, closed_at, closing, closed_by, closing_reason FROM staff_case \
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
) -> QueryResult<Vec<CaseLine>> {
    Waiting { mode, at: after.at, id: after.id, limit }.load(conn).await
}

/// A case of that mode, open or closed.
pub async fn find(conn: &mut AsyncPgConnection, mode: Mode, id: Uuid) -> QueryResult<Option<CaseLine>> {
    Find { mode, id }.get_result(conn).await.optional()
}

/// A request's cases, open and closed.
pub async fn of_request(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    request_id: PayoutRequestId,
) -> QueryResult<Vec<RequestCase>> {
    OfRequest { partner_id: tenant.partner_id, mode: tenant.mode, request_id }.load(conn).await
}
