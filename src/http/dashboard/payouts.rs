//! The list of payouts.

use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::error::PageError;
use super::frame::Section;
use super::list::{Form, Listed, Lists, Nothing};
use super::query::{after_text, parse_after};
use super::words;
use crate::domain::asset::Assets;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, Page};
use crate::staff::lists::{PayoutRow, PayoutSearch};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    reference: Option<String>,
    group: Option<String>,
    from: Option<String>,
    until: Option<String>,
    after: Option<String>,
}

const GROUPS: [(&str, &str); 3] = [("", "All"), ("open", "Not ended"), ("unknown", "Fate unknown")];

impl Lists for Query {
    const SECTION: Section = Section::Payouts;
    const PATH: &'static str = "payouts";
    const READS: Role = Role::Viewer;

    fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    fn set_after(&mut self, after: String) {
        self.after = Some(after);
    }

    async fn read(&self, desk: &Desk, mode: Mode, lines_max: usize) -> Result<Listed, PageError> {
        let after = parse_after(self.after())?;
        let mut form = Form::default();
        let label = "Payout id, our or the provider's reference, RRN or ARN";
        let reference = form.text("reference", label, self.reference.as_deref());
        let options = GROUPS.map(|(key, text)| (key.to_owned(), text.to_owned())).to_vec();
        let group = form.choice("group", "Which", options, self.group.as_deref())?;
        let span = form.span(self.from.as_deref(), self.until.as_deref());
        let search = match (reference, group.as_str()) {
            (Some(text), _) => text.parse().map_or_else(|_| PayoutSearch::Called(text), PayoutSearch::Id),
            (None, "open") => PayoutSearch::Open,
            (None, "unknown") => PayoutSearch::Unknown,
            (None, _) => PayoutSearch::All,
        };
        let found = if form.problems.is_empty() {
            desk.payouts(mode, &search, span, after, lines_max).await?
        } else {
            Page { lines: Vec::new(), next: None }
        };
        Ok(Listed {
            title: "Payouts",
            intro: Some("What was sent to providers: one line a try. A reference is looked for among all of them."),
            form,
            caption: "Newest first",
            table: table(&found.lines, mode, desk.assets()),
            next: found.next.as_ref().map(after_text),
            nothing: Nothing {
                yet: format!(
                    "There is no payout in {mode} mode yet. One appears here when a payout request is sent to a provider."
                ),
                fits: format!("No payout in {mode} mode fits. References are compared exactly."),
            },
        })
    }
}

/// Payouts under each other: on their list, and wherever else some of them stand.
pub fn table(rows: &[PayoutRow], mode: Mode, assets: &Assets) -> Table {
    let row = |row: &PayoutRow| {
        [
            Cell::id_link(format!("/dashboard/{mode}/payouts/{}/{}", row.partner, row.id), &row.provider_reference),
            Cell::moment(row.created_at),
            Cell::Badge(words::payout_status(row.status)),
            Cell::text(&row.partner),
            Cell::link(format!("/dashboard/{mode}/requests/{}/{}", row.partner, row.request_id), &row.reference_id),
            Cell::text(format!("{} over {}", row.account, row.route)),
            Cell::maybe_code(row.provider_original_id.as_ref()),
            Cell::maybe_code(row.rrn.as_ref()),
            Cell::amount(row.amount, row.currency, assets),
            Cell::amount(row.amount_processed, row.currency, assets),
        ]
    };
    let columns = [
        ("Our reference", Kind::Plain),
        ("Started", Kind::Plain),
        ("Status", Kind::Plain),
        ("Partner", Kind::Plain),
        ("Payout request", Kind::Outside),
        ("Account and route", Kind::Plain),
        ("Provider's id", Kind::Outside),
        ("RRN", Kind::Outside),
        ("Amount", Kind::Money),
        ("Paid", Kind::Money),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}
