//! Reading a whole database for `landfall verify`: what is broken, found by SQL where sets are compared, or handed out page by
//! page where it takes the domain or the vault to judge. Reads only, and keeps nothing.
//!
//! All of it is meant to run in one snapshot ([`begin`]). A statement that compares sets answers how many rows it looked at and
//! the first rows that are broken; PostgreSQL does the work on its disk, so memory here stays small whatever the tables hold.

pub mod audit;
pub mod cards;
pub mod deposits;
pub mod events;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod offers;
pub mod partners;
pub mod payouts;
pub mod reconciliation;
pub mod tables;
pub mod tenants;
pub mod terms;

use diesel::QueryResult;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use uuid::Uuid;

use crate::domain::ids::{Mode, PartnerId, Tenant};

/// How many rows a page holds.
const PAGE_ROWS: i64 = 500;

/// The tenant beside a key that is below all others: where the first page begins. Pages go by the key and then the tenant, as
/// the tables' indexes do.
const NO_TENANT: Tenant = Tenant { partner_id: PartnerId(Uuid::nil()), mode: Mode::Live };

/// A row that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenRow {
    /// The table and the primary key: `payout PARTNER/MODE/ID`.
    pub row: String,
    pub what: String,
}

/// What a comparison of sets found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// Rows looked at.
    pub rows: i64,
    /// All that are broken.
    pub total: i64,
    /// The first of them, in order.
    pub first: Vec<BrokenRow>,
}

/// A line of such an answer: the rows looked at, then a broken row with the number of all of them, if there is one.
type BrokenSql = (
    diesel::sql_types::BigInt,
    diesel::sql_types::Nullable<diesel::sql_types::Text>,
    diesel::sql_types::Nullable<diesel::sql_types::Text>,
    diesel::sql_types::Nullable<diesel::sql_types::BigInt>,
);
type BrokenLine = (i64, Option<String>, Option<String>, Option<i64>);

impl Broken {
    fn of(lines: Vec<BrokenLine>) -> Self {
        let mut broken = Self { rows: lines.first().map_or(0, |line| line.0), ..Self::default() };
        for (_, row, what, total) in lines {
            if let (Some(row), Some(what), Some(total)) = (row, what, total) {
                broken.total = total;
                broken.first.push(BrokenRow { row, what });
            }
        }
        broken
    }
}

/// Makes the transaction read-only and lets it take as long as it takes. The first statement of the snapshot.
pub async fn begin(conn: &mut AsyncPgConnection) -> QueryResult<()> {
    conn.batch_execute(
        "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
    )
    .await
}

/// SQL that names a row: its table and its primary key. `row_key!("payout", "p", "id")`.
macro_rules! row_key {
    ($table:literal, $alias:literal $(, $column:literal)+) => {
        concat!("'", $table, " ' || ", $alias, ".partner_id::text || '/' || ", $alias, ".mode"
            $(, " || '/' || ", $alias, ".", $column, "::text")+)
    };
}

/// Declares a function that answers the rows breaking a rule. The SQL selects a row's name and what is wrong with it, which
/// is empty or NULL for a row that keeps the rule; `of` is the table whose rows are counted.
macro_rules! broken_rows {
    ($(#[$doc:meta])* $name:ident, of $table:literal, $sql:expr) => {
        $(#[$doc])*
        pub async fn $name(
            conn: &mut diesel_async::AsyncPgConnection,
        ) -> diesel::QueryResult<$crate::store::verify::Broken> {
            $crate::store::statement::statement! {
                struct Find {} => $crate::store::verify::BrokenSql
                  = concat!(
                    "SELECT n.n, b.named, b.what, b.total FROM (SELECT count(*) AS n FROM ", $table, ") n \
                     LEFT JOIN (SELECT named, what, count(*) OVER () AS total FROM (", $sql, ") f (named, what) \
                         WHERE what <> '' ORDER BY named, what LIMIT 20) b ON true ORDER BY b.named, b.what"
                  )
            }
            let lines: Vec<$crate::store::verify::BrokenLine> =
                diesel_async::RunQueryDsl::load(Find {}, conn).await?;
            Ok($crate::store::verify::Broken::of(lines))
        }
    };
}

pub(crate) use {broken_rows, row_key};
