//! Tampering by hand with a copy of a populated database, and what verify says of it.

use landfall::app::open_vault;
use landfall::store::audit::AuditRow;
use landfall::verify::Report;
use tokio_postgres::SimpleQueryMessage;

use crate::populated;
use crate::support::TestDb;
use crate::world::World;

/// A populated database that is never changed.
pub struct Original {
    world: World,
}

/// One kind of tampering.
pub struct Case {
    what: &'static str,
    /// The check that must find it.
    check: &'static str,
    /// SQL that picks a row before it is tampered with. Its columns stand for `{0}`, `{1}`, ... in what follows.
    pick: String,
    sql: &'static str,
    /// The row that must be named.
    row: String,
}

impl Case {
    /// Tampers with the first row of `table`, written with its key as in `"posting (entry_id, line)"`, that is `like` this. `{0}`
    /// is its tenant, as findings write it, `{1}` and so on its key. That row must be named.
    pub fn of(
        what: &'static str,
        check: &'static str,
        table: &'static str,
        like: &'static str,
        sql: &'static str,
    ) -> Self {
        let (table, key) = table.trim_end_matches(')').split_once(" (").unwrap();
        let columns: Vec<&str> = key.split(", ").collect();
        let texts: String = columns.iter().map(|column| format!(", {column}::text")).collect();
        let places: String = (1..=columns.len()).map(|n| format!("/{{{n}}}")).collect();
        Self {
            what,
            check,
            pick: format!(
                "SELECT partner_id::text || '/' || mode{texts} FROM {table} WHERE {like} ORDER BY {key} LIMIT 1"
            ),
            sql,
            row: format!("{table} {{0}}{places}"),
        }
    }

    /// Another row than the one tampered with must be named.
    pub fn names(self, row: &'static str) -> Self {
        Self { row: row.to_owned(), ..self }
    }

    /// Tampers with what `pick` selects; `row` must be named.
    pub fn picked(
        what: &'static str,
        check: &'static str,
        pick: &'static str,
        sql: &'static str,
        row: &'static str,
    ) -> Self {
        Self { what, check, pick: pick.to_owned(), sql, row: row.to_owned() }
    }
}

impl Original {
    pub async fn new() -> Self {
        Self::of(populated::world().await).await
    }

    pub async fn of(world: World) -> Self {
        world.app.db.close();
        Self { world }
    }

    /// The first row that `sql` answers, as texts; `of` is said when there is none.
    pub async fn query(&self, sql: &str, of: &str) -> Vec<String> {
        query(&self.world.test_db, sql).await.unwrap_or_else(|| panic!("{of}: nothing to tamper with"))
    }

    /// What verify says of a copy after `sql`. Foreign keys don't hold for it.
    pub async fn tampered(&self, sql: &str) -> Report {
        self.judged(sql, None).await
    }

    /// The same with the audit trail held against a file of anchors.
    pub async fn anchored(&self, sql: &str, anchors: &str) -> Report {
        self.judged(sql, Some(anchors)).await
    }

    /// The audit trail, by partner and number.
    pub async fn audit_rows(&self) -> Vec<AuditRow> {
        let copy = self.world.test_db.copy().await;
        let db = copy.db();
        let mut conn = db.get().await.unwrap();
        let page = landfall::store::verify::audit::page(&mut conn, None).await.unwrap();
        page.into_iter().map(|(row, _)| row).collect()
    }

    async fn judged(&self, sql: &str, anchors: Option<&str>) -> Report {
        let copy = self.world.test_db.copy().await;
        query(&copy, &format!("SET session_replication_role = replica; {sql}")).await;
        let app = &self.world.app;
        let db = copy.db();
        let vault = open_vault(&app.settings, &app.clock, &db).await.unwrap();
        let (house, now) = (&app.wallet.house, app.clock.now());
        landfall::verify::run_with_anchors(&db, &vault, house, now, anchors).await.unwrap()
    }

    /// Each of `cases` is found by its check, in its row.
    pub async fn each_is_found(&self, cases: &[Case]) {
        let mut missed = Vec::new();
        for case in cases {
            let picked = self.query(&case.pick, case.what).await;
            let filled = |text: &str| {
                picked
                    .iter()
                    .enumerate()
                    .fold(text.to_owned(), |text, (n, value)| text.replace(&format!("{{{n}}}"), value))
            };
            let report = self.tampered(&filled(case.sql)).await;
            let row = filled(&case.row);
            let named = report.findings().any(|(check, finding)| check == case.check && finding.row == row);
            if !named {
                missed.push(format!("{}: {} did not name {row}\n{report}", case.what, case.check));
            }
        }
        assert!(missed.is_empty(), "{}", missed.join("\n\n"));
    }
}

async fn query(db: &TestDb, sql: &str) -> Option<Vec<String>> {
    let (client, driver) = db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(driver);
    let answer = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    drop(client);
    let _ = driver.await;
    answer.into_iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|n| row.get(n).unwrap_or_default().to_owned()).collect())
        }
        _ => None,
    })
}
