//! The list of customers.

use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::error::PageError;
use super::frame::Section;
use super::list::{Form, Listed, Lists, Nothing};
use super::parts::{Badge, Tone};
use super::query::{after_text, parse_after};
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, Page};
use crate::staff::lists::{CustomerRow, CustomerSearch};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    reference: Option<String>,
    email: Option<String>,
    after: Option<String>,
}

impl Lists for Query {
    const SECTION: Section = Section::Customers;
    const PATH: &'static str = "customers";
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
        let reference = form.text("reference", "Partner's reference, or customer id", self.reference.as_deref());
        let email = form.text("email", "E-mail address", self.email.as_deref());
        let search = match (reference, email) {
            (Some(text), _) => text.parse().map_or_else(|_| CustomerSearch::Reference(text), CustomerSearch::Id),
            (None, Some(email)) => CustomerSearch::Email(email),
            (None, None) => CustomerSearch::All,
        };
        let found = if form.problems.is_empty() {
            desk.customers(mode, &search, after, lines_max).await?
        } else {
            Page { lines: Vec::new(), next: None }
        };
        Ok(Listed {
            title: "Customers",
            intro: None,
            form,
            caption: "Those that were made last stand first",
            table: table(&found.lines, mode),
            next: found.next.as_ref().map(after_text),
            nothing: Nothing {
                yet: format!(
                    "There is no customer in {mode} mode yet. One appears here when a wallet adds a card, or a partner names them."
                ),
                fits: format!(
                    "No customer in {mode} mode fits. References and addresses are compared exactly, capital letters too."
                ),
            },
        })
    }
}

/// Customers under each other: on their list, and where a search found some.
pub fn table(rows: &[CustomerRow], mode: Mode) -> Table {
    let row = |row: &CustomerRow| {
        [
            Cell::link(format!("/dashboard/{mode}/customers/{}/{}", row.partner, row.id), &row.reference),
            Cell::text(&row.partner),
            Cell::maybe(row.name.as_ref()),
            Cell::maybe(row.email.as_ref()),
            Cell::text(row.kyc_level.to_string()),
            Cell::Badge(standing(row)),
            Cell::text(row.paid_count.to_string()),
            Cell::text(row.failed_count.to_string()),
            Cell::moment(row.created_at),
        ]
    };
    let columns = [
        ("Reference", Kind::Outside),
        ("Partner", Kind::Plain),
        ("Name", Kind::Outside),
        ("E-mail", Kind::Outside),
        ("KYC level", Kind::Number),
        ("Standing", Kind::Plain),
        ("Paid", Kind::Number),
        ("Not paid", Kind::Number),
        ("Since", Kind::Plain),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}

pub fn standing(row: &CustomerRow) -> Badge {
    match row.blocked_at {
        Some(_) => Badge::new(Tone::Bad, "Blocked"),
        None => Badge::new(Tone::Good, "Open"),
    }
}
