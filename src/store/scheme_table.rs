//! What the two kinds of schemes share: a row that points to the version in force, and versions that never change.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// A version of a scheme: written once.
#[derive(Clone, Debug, PartialEq, diesel::Queryable)]
pub struct SchemeVersion {
    pub version: i32,
    pub body: Value,
    pub comment: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
}

/// Writes the functions of one kind of scheme over its tables.
macro_rules! scheme_table {
    ($id:ident, $table:literal, $versions:literal) => {
        use chrono::{DateTime, Utc};
        use diesel::query_builder::Query;
        use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
        use diesel::{OptionalExtension, QueryResult};
        use diesel_async::{AsyncPgConnection, RunQueryDsl};
        use serde_json::Value;
        use uuid::Uuid;

        use super::page::page_of;
use super::{Slice, of_tenant};
        use super::statement::statement;
        use crate::domain::ids::{$id, Mode, PartnerId, Tenant};

        pub use super::scheme_table::SchemeVersion;

        macro_rules! columns {
            () => {
                "t.partner_id, t.mode, t.id, t.code, t.name, t.version, t.created_at, t.updated_at"
            };
        }

        statement! {
            struct FindScheme { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid }
            -> #[derive(PartialEq)] pub Scheme {
                partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: $id as SqlUuid, code: String as Text, name: String as Text,
                version: i32 as Integer, created_at: DateTime<Utc> as Timestamptz, updated_at: DateTime<Utc> as Timestamptz,
            } = concat!("SELECT ", columns!(), " FROM ", $table, " t WHERE t.partner_id = ? AND t.mode = ? AND t.id = ?")
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
            -> pub CurrentBody { id: $id as SqlUuid, version: i32 as Integer, body: Value as Jsonb }
              = concat!("SELECT t.id, t.version, v.body FROM ", $table, " t JOIN ", $versions, " v \
                 ON (v.scheme_id, v.version, v.partner_id, v.mode) = (t.id, t.version, t.partner_id, t.mode) WHERE t.id = ANY (?)")
        }

        impl Scheme {
            pub fn tenant(&self) -> Tenant {
                Tenant { partner_id: self.partner_id, mode: self.mode }
            }
        }

        pub async fn find(conn: &AsyncPgConnection, tenant: Tenant, id: $id) -> QueryResult<Option<Scheme>> {
            FindScheme { partner_id: tenant.partner_id, mode: tenant.mode, id }.get_result(&mut &*conn).await.optional()
        }

        pub async fn find_by_code(conn: &AsyncPgConnection, tenant: Tenant, code: &str) -> QueryResult<Option<Scheme>> {
            FindSchemeByCode { partner_id: tenant.partner_id, mode: tenant.mode, code: code.to_owned() }
                .get_result(&mut &*conn)
                .await
                .optional()
        }

        /// Every scheme, without its body: who keeps compiled schemes asks for the bodies of those that moved on.
        pub async fn all(conn: &AsyncPgConnection) -> QueryResult<Vec<Scheme>> {
            AllSchemes {}.load(&mut &*conn).await
        }

        /// The bodies in force of the schemes named.
        pub async fn current_bodies(conn: &AsyncPgConnection, ids: Vec<$id>) -> QueryResult<Vec<CurrentBody>> {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            CurrentBodies { ids }.load(&mut &*conn).await
        }

        pub async fn list(
            conn: &AsyncPgConnection,
            tenant: Tenant,
            code: Option<String>,
            slice: Slice,
        ) -> QueryResult<Vec<Scheme>> {
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

        /// Writes a new scheme with its version 1.
        pub async fn insert(conn: &AsyncPgConnection, scheme: &Scheme, first: &SchemeVersion) -> QueryResult<()> {
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

        /// Puts `next` in force, if the version before it still is; answers whether it was.
        pub async fn publish(
            conn: &AsyncPgConnection,
            tenant: Tenant,
            id: $id,
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

        pub async fn find_version(
            conn: &AsyncPgConnection,
            tenant: Tenant,
            id: $id,
            version: i32,
        ) -> QueryResult<Option<SchemeVersion>> {
            FindVersion { partner_id: tenant.partner_id, mode: tenant.mode, id, version }
                .get_result(&mut &*conn)
                .await
                .optional()
        }

        /// At most `size` versions behind the version `after`; the newest first, or the oldest.
        pub async fn list_versions(
            conn: &AsyncPgConnection,
            tenant: Tenant,
            id: $id,
            after: i32,
            newest_first: bool,
            size: i64,
        ) -> QueryResult<Vec<SchemeVersion>> {
            ListVersions { newest_first, after, partner_id: tenant.partner_id, mode: tenant.mode, id, size }
                .load(&mut &*conn)
                .await
        }
    };
}

pub(super) use scheme_table;
