//! Schemes, of two kinds: payout schemes, which route, and exchange-rate schemes. A row points to the version in force; versions never
//! change.

use std::future::Future;

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel_async::AsyncPgConnection;
use serde_json::Value;

use super::Slice;
use crate::domain::ids::{Mode, PartnerId, Tenant};

/// A scheme, without what it says.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct Scheme<Id> {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: Id,
    pub code: String,
    pub name: String,
    /// The version in force.
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl<Id> Scheme<Id> {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// A version of a scheme: written once.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct SchemeVersion {
    pub version: i32,
    pub body: Value,
    pub comment: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// What the version in force of a scheme says.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct CurrentBody<Id> {
    pub id: Id,
    pub version: i32,
    pub body: Value,
}

/// The tables of a kind of schemes, which the type of its ids stands for.
pub trait SchemeTable: Copy + Send + Sync + 'static {
    fn find(
        conn: &AsyncPgConnection,
        tenant: Tenant,
        id: Self,
    ) -> impl Future<Output = QueryResult<Option<Scheme<Self>>>> + Send;

    fn find_by_code(
        conn: &AsyncPgConnection,
        tenant: Tenant,
        code: &str,
    ) -> impl Future<Output = QueryResult<Option<Scheme<Self>>>> + Send;

    /// Every scheme, without its body: who keeps compiled schemes asks for the bodies of those that moved on.
    fn all(conn: &AsyncPgConnection) -> impl Future<Output = QueryResult<Vec<Scheme<Self>>>> + Send;

    /// The bodies in force of the schemes named.
    fn current_bodies(
        conn: &AsyncPgConnection,
        ids: Vec<Self>,
    ) -> impl Future<Output = QueryResult<Vec<CurrentBody<Self>>>> + Send;

    fn list(
        conn: &AsyncPgConnection,
        tenant: Tenant,
        code: Option<String>,
        slice: Slice,
    ) -> impl Future<Output = QueryResult<Vec<Scheme<Self>>>> + Send;

    /// Writes a new scheme with its version 1.
    fn insert(
        conn: &AsyncPgConnection,
        scheme: &Scheme<Self>,
        first: &SchemeVersion,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Puts `next` in force, if the version before it still is; answers whether it was.
    fn publish(
        conn: &AsyncPgConnection,
        tenant: Tenant,
        id: Self,
        next: &SchemeVersion,
    ) -> impl Future<Output = QueryResult<bool>> + Send;

    fn find_version(
        conn: &AsyncPgConnection,
        tenant: Tenant,
        id: Self,
        version: i32,
    ) -> impl Future<Output = QueryResult<Option<SchemeVersion>>> + Send;

    /// At most `size` versions behind the version `after`; the newest first, or the oldest.
    fn list_versions(
        conn: &AsyncPgConnection,
        tenant: Tenant,
        id: Self,
        after: i32,
        newest_first: bool,
        size: i64,
    ) -> impl Future<Output = QueryResult<Vec<SchemeVersion>>> + Send;
}

/// Writes one kind's statements over its tables. The text of a statement is a constant, which a type parameter can't be put into.
macro_rules! scheme_table {
    ($id:ident, $table:literal, $versions:literal) => {
        use chrono::{DateTime, Utc};
        use diesel::query_builder::Query;
        use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
        use diesel::{OptionalExtension, QueryResult};
        use diesel_async::{AsyncPgConnection, RunQueryDsl};
        use serde_json::Value;
        use uuid::Uuid;

        use super::{CurrentBody, Scheme, SchemeTable, SchemeVersion};
        use crate::domain::ids::{$id, Mode, PartnerId, Tenant};
        use crate::store::page::page_of;
        use crate::store::statement::statement;
        use crate::store::{Slice, of_tenant};

        macro_rules! columns {
            () => {
                "t.partner_id, t.mode, t.id, t.code, t.name, t.version, t.created_at, t.updated_at"
            };
        }

        statement! {
            struct FindScheme { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid }
            => (SqlUuid, Text, SqlUuid, Text, Text, Integer, Timestamptz, Timestamptz)
              = concat!("SELECT ", columns!(), " FROM ", $table, " t WHERE t.partner_id = ? AND t.mode = ? AND t.id = ?")
        }

        statement! {
            struct FindSchemeByCode { partner_id: PartnerId as SqlUuid, mode: Mode as Text, code: String as Text }
            => <FindScheme as Query>::SqlType
              = concat!("SELECT ", columns!(), " FROM ", $table, " t WHERE t.partner_id = ? AND t.mode = ? AND t.code = ?")
        }

        statement! {
            struct AllSchemes {} => <FindScheme as Query>::SqlType
              = concat!("SELECT ", columns!(), " FROM ", $table, " t ORDER BY t.partner_id, t.mode, t.code")
        }

        statement! {
            struct ListSchemes {
                tenant: String as Text, newest_first: bool as Bool, at: DateTime<Utc> as Timestamptz,
                id: Uuid as SqlUuid, size: i64 as BigInt, code: Option<String> as Nullable<Text>,
            } => <FindScheme as Query>::SqlType
              = page_of!($table, columns!(), ", ?::text AS code", "AND (ask.code IS NULL OR t.code = ask.code)")
        }

        statement! {
            struct InsertScheme {
                partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid, code: String as Text, name: String as Text,
                version: i32 as Integer, now: DateTime<Utc> as Timestamptz, again: DateTime<Utc> as Timestamptz,
            } = concat!("INSERT INTO ", $table, " (partner_id, mode, id, code, name, version, created_at, updated_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        }

        statement! {
            struct InsertVersion {
                partner_id: PartnerId as SqlUuid, mode: Mode as Text, scheme_id: $id as SqlUuid, version: i32 as Integer,
                body: Value as Jsonb, comment: Option<String> as Nullable<Text>, created_by: String as Text,
                now: DateTime<Utc> as Timestamptz,
            } = concat!("INSERT INTO ", $versions, " (partner_id, mode, scheme_id, version, body, comment, created_by, created_at) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        }

        statement! {
            struct MoveOn {
                now: DateTime<Utc> as Timestamptz, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid,
                version: i32 as Integer,
            } = concat!("UPDATE ", $table, " SET version = version + 1, updated_at = ? \
                 WHERE partner_id = ? AND mode = ? AND id = ? AND version = ?")
        }

        statement! {
            struct FindVersion {
                partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid, version: i32 as Integer,
            } => (Integer, Jsonb, Nullable<Text>, Text, Timestamptz)
              = concat!("SELECT version, body, comment, created_by, created_at FROM ", $versions, " \
                 WHERE partner_id = ? AND mode = ? AND scheme_id = ? AND version = ?")
        }

        statement! {
            struct ListVersions {
                newest_first: bool as Bool, after: i32 as Integer, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid,
                size: i64 as BigInt,
            } => (Integer, Jsonb, Nullable<Text>, Text, Timestamptz)
              = concat!("WITH ask AS (SELECT ?::boolean AS newest_first, ?::integer AS after) \
                 SELECT v.version, v.body, v.comment, v.created_by, v.created_at FROM ", $versions, " v, ask \
                 WHERE v.partner_id = ? AND v.mode = ? AND v.scheme_id = ? \
                   AND CASE WHEN ask.newest_first THEN v.version < ask.after ELSE v.version > ask.after END \
                 ORDER BY CASE WHEN ask.newest_first THEN -v.version ELSE v.version END LIMIT ?")
        }

        statement! {
            struct CurrentBodies { ids: Vec<$id> as Array<SqlUuid> }
            => (SqlUuid, Integer, Jsonb)
              = concat!("SELECT t.id, t.version, v.body FROM ", $table, " t JOIN ", $versions, " v \
                 ON (v.scheme_id, v.version, v.partner_id, v.mode) = (t.id, t.version, t.partner_id, t.mode) WHERE t.id = ANY (?)")
        }

        impl SchemeTable for $id {
            async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: Self) -> QueryResult<Option<Scheme<Self>>> {
                FindScheme { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(&mut &*conn).await.optional()
            }

            async fn find_by_code(conn: &AsyncPgConnection, tenant: Tenant, code: &str) -> QueryResult<Option<Scheme<Self>>> {
                FindSchemeByCode { partner_id: tenant.partner_id, mode: tenant.mode, code: code.to_owned() }
                    .get_result(&mut &*conn)
                    .await
                    .optional()
            }

            async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<Scheme<Self>>> {
                AllSchemes {}.load(&mut &*conn).await
            }

            async fn current_bodies(conn: &AsyncPgConnection, ids: Vec<Self>) -> QueryResult<Vec<CurrentBody<Self>>> {
                if ids.is_empty() {
                    return Ok(Vec::new());
                }
                CurrentBodies { ids }.load(&mut &*conn).await
            }

            async fn list(
                conn: &AsyncPgConnection,
                tenant: Tenant,
                code: Option<String>,
                slice: Slice,
            ) -> QueryResult<Vec<Scheme<Self>>> {
                ListSchemes {
                    tenant: of_tenant(tenant),
                    newest_first: slice.newest_first,
                    at: slice.after.0,
                    id: slice.after.1,
                    size: slice.limit,
                    code,
                }
                .load(&mut &*conn)
                .await
            }

            async fn insert(conn: &AsyncPgConnection, scheme: &Scheme<Self>, first: &SchemeVersion) -> QueryResult<()> {
                InsertScheme {
                    partner_id: scheme.partner_id,
                    mode: scheme.mode,
                    id: scheme.id,
                    code: scheme.code.clone(),
                    name: scheme.name.clone(),
                    version: first.version,
                    now: scheme.created_at,
                    again: scheme.updated_at,
                }
                .execute(&mut &*conn)
                .await?;
                insert_version(conn, scheme.tenant(), scheme.id, first).await
            }

            async fn publish(
                conn: &AsyncPgConnection,
                tenant: Tenant,
                id: Self,
                next: &SchemeVersion,
            ) -> QueryResult<bool> {
                let moved = MoveOn {
                    now: next.created_at,
                    partner_id: tenant.partner_id,
                    mode: tenant.mode,
                    id,
                    version: next.version.saturating_sub(1),
                }
                .execute(&mut &*conn)
                .await?;
                if moved == 1 {
                    insert_version(conn, tenant, id, next).await?;
                }
                Ok(moved == 1)
            }

            async fn find_version(
                conn: &AsyncPgConnection,
                tenant: Tenant,
                id: Self,
                version: i32,
            ) -> QueryResult<Option<SchemeVersion>> {
                FindVersion { partner_id: tenant.partner_id, mode: tenant.mode, id, version }
                    .get_result(&mut &*conn)
                    .await
                    .optional()
            }

            async fn list_versions(
                conn: &AsyncPgConnection,
                tenant: Tenant,
                id: Self,
                after: i32,
                newest_first: bool,
                size: i64,
            ) -> QueryResult<Vec<SchemeVersion>> {
                ListVersions { newest_first, after, partner_id: tenant.partner_id, mode: tenant.mode, id, size }
                    .load(&mut &*conn)
                    .await
            }
        }

        async fn insert_version(
            conn: &AsyncPgConnection,
            tenant: Tenant,
            id: $id,
            version: &SchemeVersion,
        ) -> QueryResult<()> {
            InsertVersion {
                partner_id: tenant.partner_id,
                mode: tenant.mode,
                scheme_id: id,
                version: version.version,
                body: version.body.clone(),
                comment: version.comment.clone(),
                created_by: version.created_by.clone(),
                now: version.created_at,
            }
            .execute(&mut &*conn)
            .await?;
            Ok(())
        }
    };
}

mod payout {
    scheme_table!(PayoutSchemeId, "payout_scheme", "payout_scheme_version");
}

mod exchange {
    scheme_table!(ExchangeSchemeId, "exchange_scheme", "exchange_scheme_version");
}
