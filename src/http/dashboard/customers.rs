//! The list of customers.

use super::cell::{Cell, Column};
use super::error::PageError;
use super::form::Form;
use super::frame::Section;
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::{Badge, Tone};
use crate::domain::ids::Mode;
use crate::staff::lists::{CustomerRow, CustomerSearch};

pub struct Customers;

/// Customers under each other: on their list, and where a search found some.
pub const COLUMNS: &[Column<CustomerRow>] = &[
    Column::outside("Reference", |row, at| {
        Cell::link(at.href(format_args!("customers/{}/{}", row.partner, row.id)), &row.reference)
    }),
    Column::plain("Partner", |row, _| Cell::text(&row.partner)),
    Column::outside("Name", |row, _| Cell::maybe(row.name.as_ref())),
    Column::outside("E-mail", |row, _| Cell::maybe(row.email.as_ref())),
    Column::number("KYC level", |row, _| Cell::text(row.kyc_level.to_string())),
    Column::plain("Standing", |row, _| Cell::Badge(standing(row))),
    Column::number("Paid", |row, _| Cell::text(row.paid_count.to_string())),
    Column::number("Not paid", |row, _| Cell::text(row.failed_count.to_string())),
    Column::plain("Since", |row, _| Cell::moment(row.created_at)),
];

impl List for Customers {
    type Line = CustomerRow;
    type Search = CustomerSearch;
    const SECTION: Section = Section::Customers;
    const PATH: &'static str = "customers";
    const SAID: Said = Said {
        title: "Customers",
        intro: None,
        caption: "Those that were made last stand first",
        order: Order::NewestFirst,
        nothing_yet: "There is no customer in {mode} mode yet. One appears here when a wallet adds a card, or a partner names them.",
        nothing_fits: "No customer in {mode} mode fits. References and addresses are compared exactly, capital letters too.",
    };
    const COLUMNS: &'static [Column<CustomerRow>] = COLUMNS;

    async fn search(_: &Source, _: Mode, form: &mut Form) -> Result<CustomerSearch, PageError> {
        let reference = form.text("reference", "Partner's reference, or customer id");
        let email = form.text("email", "E-mail address");
        Ok(match (reference, email) {
            (Some(text), _) => text.parse().map_or_else(|_| CustomerSearch::Reference(text), CustomerSearch::Id),
            (None, Some(email)) => CustomerSearch::Email(email),
            (None, None) => CustomerSearch::All,
        })
    }

    async fn lines(source: &Source, wanted: Wanted<'_, CustomerSearch>) -> Result<Lines<CustomerRow>, PageError> {
        Ok(source.desk.customers(wanted.mode, wanted.search, wanted.after()?, wanted.lines_max).await?.into())
    }
}

pub fn standing(row: &CustomerRow) -> Badge {
    match row.blocked_at {
        Some(_) => Badge::new(Tone::Bad, "Blocked"),
        None => Badge::new(Tone::Good, "Open"),
    }
}
