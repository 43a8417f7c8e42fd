//! Webhook endpoints of every partner, with how much waits for each.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::After;
use crate::domain::ids::{Mode, PartnerId, WebhookEndpointId};
use crate::store::statement::statement;

/// A page has few endpoints: what waits is counted for each of them, up to this many.
macro_rules! endpoint_lines {
    ($from:literal, $order:literal) => {
        concat!(
            "SELECT w.partner_id, p.code, w.id, w.url, w.description, w.types, w.failing_since, w.disabled_at, w.disabled_why, \
                 (SELECT count(*) FROM (SELECT 1 FROM webhook_delivery d \
                     WHERE d.lane >= w.id::text AND d.lane < w.id::text || '0' AND d.due_at IS NOT NULL LIMIT 1000) waiting), \
                 w.created_by, w.created_at \
             FROM (",
            $from,
            ") w JOIN partner p ON p.id = w.partner_id ",
            $order
        )
    };
}

statement! {
    struct Endpoints {
        mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit_each: i64 as BigInt, limit: i64 as BigInt,
    } -> pub EndpointLine {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: WebhookEndpointId as SqlUuid,
        url: Option<String> as Nullable<Text>, description: String as Text, types: Vec<String> as Array<Text>,
        failing_since: Option<DateTime<Utc>> as Nullable<Timestamptz>, disabled_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        disabled_why: Option<String> as Nullable<Text>, waiting: i64 as BigInt, created_by: String as Text,
        created_at: DateTime<Utc> as Timestamptz,
    } = endpoint_lines!(
        "SELECT n.* FROM partner o CROSS JOIN LATERAL ( \
             SELECT * FROM webhook_endpoint x WHERE (x.partner_id::text || x.mode) = (o.id::text || ?) AND (x.created_at, x.id) < (?, ?) \
                 AND x.deleted_at IS NULL ORDER BY x.created_at DESC, x.id DESC LIMIT ?) n \
         ORDER BY n.created_at DESC, n.id DESC LIMIT ?",
        "ORDER BY w.created_at DESC, w.id DESC"
    )
}

type EndpointSql = (
    SqlUuid,
    Text,
    SqlUuid,
    Nullable<Text>,
    Text,
    Array<Text>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<Text>,
    BigInt,
    Text,
    Timestamptz,
);

statement! {
    struct Endpoint { id: WebhookEndpointId as SqlUuid, mode: Mode as Text } => EndpointSql
      = endpoint_lines!("SELECT * FROM webhook_endpoint x WHERE x.id = ? AND x.mode = ? AND x.deleted_at IS NULL", "")
}

/// Each statement, with the index that it reads by.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("webhook_endpoint_list", Endpoints::SQL),
    ("webhook_endpoint_pkey", Endpoint::SQL),
    ("webhook_delivery_due", Endpoints::SQL),
];

/// Up to `limit` endpoints of that mode, those that were made last first, whosever they are.
pub async fn endpoints(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    after: After<Uuid>,
    limit: i64,
) -> QueryResult<Vec<EndpointLine>> {
    Endpoints { mode, at: after.at, id: after.id, limit_each: limit, limit }.load(conn).await
}

pub async fn endpoint(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    id: WebhookEndpointId,
) -> QueryResult<Option<EndpointLine>> {
    Endpoint { id, mode }.get_result(conn).await.optional()
}
