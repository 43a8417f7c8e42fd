//! Every table as the database itself describes it, so that one which is added later is looked at too.

use std::collections::BTreeMap;

use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use super::{Broken, BrokenLine};
use crate::store::statement::statement;

/// How many rows are fetched at once.
const FETCH_ROWS: u32 = 500;

statement! {
    struct Columns {} -> ColumnRow {
        table: String as Text, column: String as Text, column_type: String as Text, in_key: bool as Bool, holds_text: bool as Bool,
    } = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), \
             COALESCE(a.attnum = ANY (i.indkey::int2[]), false), \
             format_type(a.atttypid, NULL) IN ('text', 'text[]', 'character varying', 'character varying[]', 'character', 'json', \
                 'jsonb', 'name', 'xml') \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema() \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
         WHERE c.relkind = 'r' ORDER BY c.relname, a.attnum"
}

/// A table, its primary key in the order of its columns (its index may have another), and its columns that hold text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub key: Vec<String>,
    /// Name, and whether it is JSON.
    pub texts: Vec<(String, bool)>,
    pub has_partner: bool,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Table {
    /// SQL that names a row, as [`row_key!`](super::row_key) does.
    fn row_key(&self) -> String {
        let literal = format!("'{} '", self.name.replace('\'', "''"));
        if self.key.is_empty() {
            return format!("{literal} || ctid::text");
        }
        let columns: Vec<String> = self.key.iter().map(|column| format!("{}::text", quoted(column))).collect();
        format!("{literal} || {}", columns.join(" || '/' || "))
    }
}

/// All tables.
pub async fn all(conn: &mut AsyncPgConnection) -> QueryResult<Vec<Table>> {
    let rows: Vec<ColumnRow> = Columns {}.load(conn).await?;
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in rows {
        let table = tables.entry(row.table.clone()).or_default();
        table.name = row.table;
        table.has_partner |= row.column == "partner_id";
        if row.in_key {
            table.key.push(row.column.clone());
        }
        if row.holds_text {
            table.texts.push((row.column, row.column_type.starts_with("json")));
        }
    }
    Ok(tables.into_values().collect())
}

/// Rows of a table with a `partner_id` that is no partner's. Where it may be left out, the column says so (staff without a second factor).
pub async fn without_partner(conn: &mut AsyncPgConnection, table: &Table) -> QueryResult<Broken> {
    let (name, key) = (quoted(&table.name), table.row_key());
    let sql = format!(
        "SELECT n.n, b.named, b.what, b.total FROM (SELECT count(*) AS n FROM {name}) n LEFT JOIN ( \
             SELECT {key} AS named, 'its partner isn''t there' AS what, count(*) OVER () AS total FROM {name} \
             WHERE {name}.partner_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM partner WHERE partner.id = {name}.partner_id) \
             ORDER BY 1 LIMIT 20) b ON true"
    );
    let lines: Vec<Line> = diesel::sql_query(sql).load(conn).await?;
    let lines = lines.into_iter().map(|line| (line.n, line.named, line.what, line.total)).collect::<Vec<BrokenLine>>();
    Ok(Broken::of(lines))
}

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = Nullable<Text>)]
    named: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    what: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    total: Option<i64>,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// A row with a text that may hold a long number: its texts in the order of [`Table::texts`].
#[derive(Debug, diesel::QueryableByName)]
pub struct Texts {
    #[diesel(sql_type = Text)]
    pub named: String,
    #[diesel(sql_type = Array<Nullable<Text>>)]
    pub texts: Vec<Option<String>>,
}

/// Looks through a table's texts for runs of 12 and more digits, with spaces or hyphens among them, and hands each row that has
/// one to `look`, one after the other. Answers how many rows the table has.
pub async fn with_long_numbers(
    conn: &mut AsyncPgConnection,
    table: &Table,
    mut look: impl FnMut(Texts) + Send,
) -> QueryResult<i64> {
    let name = quoted(&table.name);
    let counted: Count = diesel::sql_query(format!("SELECT count(*) AS n FROM {name}")).get_result(conn).await?;
    if table.texts.is_empty() {
        return Ok(counted.n);
    }
    let texts: Vec<String> = table.texts.iter().map(|(column, _)| format!("{}::text", quoted(column))).collect();
    let key = table.row_key();
    conn.batch_execute(&format!(
        "DECLARE long_numbers NO SCROLL CURSOR FOR SELECT {key} AS named, ARRAY[{}] AS texts FROM {name} WHERE {}",
        texts.join(", "),
        texts.iter().map(|text| format!("{text} ~ '[0-9]([ -]*[0-9]){{11}}'")).collect::<Vec<_>>().join(" OR "),
    ))
    .await?;
    loop {
        let rows: Vec<Texts> = diesel::sql_query(format!("FETCH {FETCH_ROWS} FROM long_numbers")).load(conn).await?;
        if rows.is_empty() {
            break;
        }
        rows.into_iter().for_each(&mut look);
    }
    conn.batch_execute("CLOSE long_numbers").await?;
    Ok(counted.n)
}
