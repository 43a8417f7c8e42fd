//! Payout schemes of all partners, as the dashboard lists them: without their bodies.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::After;
use crate::domain::ids::{Mode, PartnerId, PayoutSchemeId};
use crate::store::statement::statement;

macro_rules! scheme_sql {
    ($from:literal, $rest:literal) => {
        concat!(
            "SELECT p.code, t.partner_id, t.id, t.code, t.name, t.version, t.created_at, t.updated_at, \
                 (SELECT count(*) FROM payout_point x WHERE (x.payout_scheme_id, x.mode) = (t.id, t.mode)) \
             FROM ",
            $from,
            " JOIN partner p ON p.id = t.partner_id ",
            $rest
        )
    };
}

statement! {
    // payout_scheme_changed; payout_point_by_scheme
    struct ListSchemes { mode: Mode as Text, at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt }
    -> pub SchemeLine {
        partner: String as Text, partner_id: PartnerId as SqlUuid, id: PayoutSchemeId as SqlUuid, code: String as Text,
        name: String as Text, version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz,
        updated_at: DateTime<Utc> as Timestamptz, points: i64 as BigInt,
    } = scheme_sql!(
        "(SELECT * FROM payout_scheme WHERE (mode || '') = ? AND (updated_at, id) < (?, ?) ORDER BY updated_at DESC, id DESC LIMIT ?) t",
        "ORDER BY t.updated_at DESC, t.id DESC"
    )
}

statement! {
    // payout_scheme's key.
    struct FindScheme { mode: Mode as Text, id: PayoutSchemeId as SqlUuid, partner: String as Text }
    => (Text, SqlUuid, SqlUuid, Text, Text, Integer, Timestamptz, Timestamptz, BigInt)
        = scheme_sql!("payout_scheme t", "WHERE t.mode = ? AND t.id = ? AND p.code = ?")
}

statement! {
    // payout_point_by_scheme
    struct PointsOf { mode: Mode as Text, id: PayoutSchemeId as SqlUuid, limit: i64 as BigInt }
    -> pub PointLine { partner: String as Text, code: String as Text }
        = "SELECT p.code, x.code FROM payout_point x JOIN partner p ON p.id = x.partner_id \
           WHERE x.mode = ? AND x.payout_scheme_id = ? ORDER BY p.code, x.code LIMIT ?"
}

/// The index that each statement reads by, and the statement.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("payout_scheme_changed", ListSchemes::SQL),
    ("payout_point_by_scheme", ListSchemes::SQL),
    ("payout_point_by_scheme", PointsOf::SQL),
];

/// Schemes of a mode, those that were changed last first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    after: After<Uuid>,
    limit: i64,
) -> QueryResult<Vec<SchemeLine>> {
    ListSchemes { mode, at: after.at, id: after.id, limit }.load(conn).await
}

/// A partner's scheme.
pub async fn find(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    partner: &str,
    id: PayoutSchemeId,
) -> QueryResult<Option<SchemeLine>> {
    FindScheme { mode, id, partner: partner.to_owned() }.get_result(conn).await.optional()
}

/// The payout points that go by it, the first of them.
pub async fn points_of(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    id: PayoutSchemeId,
    limit: i64,
) -> QueryResult<Vec<PointLine>> {
    PointsOf { mode, id, limit }.load(conn).await
}
