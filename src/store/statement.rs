//! Statements as types: the SQL once, its parameters by name, prepared once a connection.
//!
//! `diesel::sql_query` prepares anew at each call; a type with a static `QueryId` doesn't. A `?` in the text is the
//! next parameter, in the order of the fields.

/// Declares a statement, and the row that it answers if it answers any.
///
/// ```ignore
/// statement! {
///     struct FindPartner { code: String as Text } -> PartnerRow { id: Uuid as SqlUuid }
///         = "SELECT id FROM partner WHERE code = ?"
/// }
/// ```
macro_rules! statement {
    (
        $(#[$doc:meta])*
        struct $name:ident { $($field:ident : $ty:ty as $sql:ty),* $(,)? }
            -> $(#[$row_doc:meta])* $vis:vis $row:ident { $($col:ident : $col_ty:ty as $col_sql:ty),* $(,)? }
            = $text:expr
    ) => {
        $crate::store::statement::statement! {
            $(#[$doc])* struct $name { $($field : $ty as $sql),* } = $text
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = ($($col_sql,)*);
        }

        $(#[$row_doc])*
        #[derive(Clone, Debug, diesel::Queryable)]
        $vis struct $row {
            $(pub $col: $col_ty,)*
        }
    };
    (
        $(#[$doc:meta])*
        struct $name:ident { $($field:ident : $ty:ty as $sql:ty),* $(,)? } => $row_sql:ty
            = $text:expr
    ) => {
        $crate::store::statement::statement! {
            $(#[$doc])* struct $name { $($field : $ty as $sql),* } = $text
        }

        impl diesel::query_builder::Query for $name {
            type SqlType = $row_sql;
        }
    };
    (
        $(#[$doc:meta])*
        struct $name:ident { $($field:ident : $ty:ty as $sql:ty),* $(,)? } = $text:expr
    ) => {
        $(#[$doc])*
        struct $name {
            $($field: $ty,)*
        }

        impl $name {
            const SQL: &'static str = $text;
        }

        impl diesel::query_builder::QueryId for $name {
            type QueryId = $name;
            const HAS_STATIC_QUERY_ID: bool = true;
        }

        impl diesel::query_builder::QueryFragment<diesel::pg::Pg> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, diesel::pg::Pg>,
            ) -> diesel::QueryResult<()> {
                #[allow(unused_mut, reason = "a statement may have no parameters")]
                let mut pieces = Self::SQL.split('?');
                out.push_sql(pieces.next().unwrap_or(""));
                $(
                    out.push_bind_param::<$sql, _>(&self.$field)?;
                    out.push_sql(pieces.next().unwrap_or(""));
                )*
                debug_assert!(pieces.next().is_none(), "more ? than parameters in {}", stringify!($name));
                Ok(())
            }
        }
    };
}

pub(crate) use statement;
