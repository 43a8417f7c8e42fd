//! The page `docs/providers/contract.md`: what each adapter answers in each situation of the contract, as the run sees it. To write it
//! anew: `LANDFALL_BLESS=1 cargo test --features torture --test providers contract_page`.

use std::fmt::Write;
use std::future::Future;
use std::pin::Pin;

use crate::contract::Subject;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/providers/contract.md");
const BLESS: &str = "LANDFALL_BLESS=1 cargo test --features torture --test providers contract_page";

/// Watches a promise kept, and says what was seen.
pub type Observe = for<'a> fn(&'a dyn Subject) -> Pin<Box<dyn Future<Output = String> + 'a>>;

pub struct Row {
    pub section: &'static str,
    pub title: &'static str,
    pub observe: Observe,
}

pub struct Column {
    pub name: &'static str,
    pub subject: fn() -> Box<dyn Subject>,
}

/// Each row's cells, a column's by a subject of its own each.
async fn observed(rows: &[Row], columns: &[Column]) -> Vec<Vec<String>> {
    let mut cells = Vec::with_capacity(rows.len());
    for row in rows {
        let mut of_row = Vec::with_capacity(columns.len());
        for column in columns {
            let subject = (column.subject)();
            of_row.push((row.observe)(subject.as_ref()).await);
        }
        cells.push(of_row);
    }
    cells
}

fn written(rows: &[Row], columns: &[Column], cells: &[Vec<String>]) -> String {
    let mut text = format!(
        "# The contract of the adapters\n\n\
         <!-- Made by tests/providers/contract.rs from what it saw. Don't edit: {BLESS} -->\n\n\
         What the gateway relies on, run on every adapter against its provider in small (`tests/providers`), and what each of them\n\
         answered. \"Unknown\" makes the gateway ask, and never pay elsewhere; \"found\" is what an inquiry says then. \"Taken\" and\n\
         \"not taken\" say whether the provider had got the order when its answer was lost. What a decline's word is final for,\n\
         and which of a provider's own codes it stands for, is on the provider's page beside this one.\n"
    );
    let mut section = "";
    for (row, cells) in rows.iter().zip(cells) {
        if row.section != section {
            section = row.section;
            let names: Vec<_> = columns.iter().map(|column| format!("`{}`", column.name)).collect();
            let rule = "---|".repeat(columns.len());
            write!(text, "\n## {section}\n\n| | {} |\n|---|{rule}\n", names.join(" | ")).unwrap();
        }
        writeln!(text, "| {} | {} |", row.title, cells.join(" | ")).unwrap();
    }
    text
}

#[tokio::test]
async fn contract_page() {
    let rows: Vec<Row> = crate::promises!(promise_rows!);
    let columns = crate::columns().into_iter().filter(|column| (column.subject)().provider().code() == column.name);
    let columns: Vec<Column> = columns.collect();
    let page = written(&rows, &columns, &observed(&rows, &columns).await);
    if std::env::var_os("LANDFALL_BLESS").is_some() {
        std::fs::write(PATH, &page).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(kept == page, "docs/providers/contract.md is old: {BLESS}");
}
