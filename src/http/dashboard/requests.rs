//! The list of payout requests.

use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::error::PageError;
use super::frame::Section;
use super::list::{Form, Listed, Lists, Nothing};
use super::parts::CardPart;
use super::query::{after_text, parse_after};
use super::words;
use crate::domain::asset::Assets;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, Group, Page, RequestLine, RequestSearch};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    reference: Option<String>,
    last_four: Option<String>,
    amount: Option<String>,
    group: Option<String>,
    from: Option<String>,
    until: Option<String>,
    after: Option<String>,
}

const GROUPS: [(&str, &str, Group); 5] = [
    ("", "All", Group::All),
    ("open", "Not ended", Group::Open),
    ("paid", "Paid", Group::Paid),
    ("unpaid", "Ended, not all of it paid", Group::Unpaid),
    ("returned", "Came back", Group::Returned),
];

impl Lists for Query {
    const SECTION: Section = Section::Requests;
    const PATH: &'static str = "requests";
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
        let reference = form.text("reference", "Reference, or payout request id", self.reference.as_deref());
        let last_four = form.last_four(self.last_four.as_deref());
        let amount = form.amount("Amount", self.amount.as_deref());
        let options = GROUPS.map(|(key, text, _)| (key.to_owned(), text.to_owned())).to_vec();
        let wanted = form.choice("group", "Which", options, self.group.as_deref())?;
        let span = form.span(self.from.as_deref(), self.until.as_deref());
        let group = GROUPS.into_iter().find(|(key, ..)| *key == wanted).map_or(Group::All, |(_, _, group)| group);
        // The one that names the fewest counts.
        let search = match (reference, last_four, amount) {
            (Some(text), ..) => text.parse().map_or_else(|_| RequestSearch::Reference(text), RequestSearch::Id),
            (None, Some(last_four), _) => RequestSearch::LastFour(last_four),
            (None, None, Some(amount)) => RequestSearch::Amount(amount),
            (None, None, None) => RequestSearch::Group(group),
        };
        let found = if form.problems.is_empty() {
            desk.requests(mode, &search, span, after, lines_max).await?
        } else {
            Page { lines: Vec::new(), next: None }
        };
        Ok(Listed {
            title: "Payout requests",
            intro: Some("A reference, a card or an amount is looked for among all requests, whichever are chosen."),
            form,
            caption: "Newest first",
            table: table(&found.lines, mode, desk.assets()),
            next: found.next.as_ref().map(after_text),
            nothing: Nothing {
                yet: format!(
                    "There is no payout request in {mode} mode yet. One appears here when an offer is accepted."
                ),
                fits: format!("No payout request in {mode} mode fits. References are compared exactly."),
            },
        })
    }
}

/// Payout requests under each other: on their list, and wherever else some of them stand.
pub fn table(lines: &[RequestLine], mode: Mode, assets: &Assets) -> Table {
    let row = |line: &RequestLine| {
        let href = format!("/dashboard/{mode}/requests/{}/{}", line.partner, line.id);
        [
            Cell::link(href, &line.reference_id).with_small(&line.service),
            Cell::moment(line.created_at),
            Cell::Badge(words::request_state(line.status, line.moderation_reason.as_deref())),
            Cell::text(&line.partner),
            line.customer.as_ref().map_or_else(|| Cell::text("none"), Cell::text),
            line.card.as_ref().map_or_else(|| Cell::text("none"), |card| Cell::Card(CardPart::from(card))),
            Cell::amount(line.amount, line.currency, assets),
            Cell::amount(line.amount_processed, line.currency, assets),
        ]
    };
    let columns = [
        ("Reference", Kind::Outside),
        ("Created", Kind::Plain),
        ("Status", Kind::Plain),
        ("Partner", Kind::Plain),
        ("Customer", Kind::Outside),
        ("Card", Kind::Plain),
        ("Amount", Kind::Money),
        ("Paid", Kind::Money),
    ];
    Table::new(columns, lines.iter().map(row).collect())
}
