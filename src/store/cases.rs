//! Cases: what waits for a person.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, PayoutId, PayoutRequestId, Tenant};

/// A case to be opened.
#[derive(Clone, Debug)]
pub struct NewCase {
    pub tenant: Tenant,
    pub kind: &'static str,
    pub request_id: PayoutRequestId,
    pub payout_id: Option<PayoutId>,
    pub evidence: Value,
}

statement! {
    struct InsertCase {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, kind: &'static str as Text,
        request_id: PayoutRequestId as SqlUuid, payout_id: Option<PayoutId> as Nullable<SqlUuid>, evidence: Value as Jsonb,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO staff_case (partner_id, mode, id, kind, request_id, payout_id, evidence, opened_at) \
         SELECT k.* FROM (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::uuid AS id, ?::text AS kind, ?::uuid AS request_id, \
             ?::uuid AS payout_id, ?::jsonb, ?::timestamptz) k \
         WHERE NOT EXISTS (SELECT 1 FROM staff_case c WHERE c.request_id = k.request_id AND c.kind = k.kind \
             AND c.payout_id IS NOT DISTINCT FROM k.payout_id AND c.partner_id = k.partner_id AND c.mode = k.mode AND c.closed_at IS NULL)"
}

/// Opens cases. What is open already, of the same kind about the same payout, isn't opened twice.
pub async fn open(conn: &mut AsyncPgConnection, cases: Vec<NewCase>, now: DateTime<Utc>) -> QueryResult<()> {
    for case in cases {
        InsertCase {
            partner_id: case.tenant.partner_id,
            mode: case.tenant.mode,
            id: Uuid::now_v7(),
            kind: case.kind,
            request_id: case.request_id,
            payout_id: case.payout_id,
            evidence: case.evidence,
            now,
        }
        .execute(conn)
        .await?;
    }
    Ok(())
}
