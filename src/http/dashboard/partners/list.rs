//! The list of partners.

use super::href;
use crate::http::dashboard::cell::{Cell, Column};
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::Section;
use crate::http::dashboard::list::{Lines, List, Order, Said, Source, Wanted};
use crate::http::dashboard::parts::{Badge, Tone};
use crate::staff::terms::TermsLine;

pub struct Partners;

impl List for Partners {
    type Line = TermsLine;
    type Search = ();
    const SECTION: Section = Section::Partners;
    const PATH: &'static str = "partners";
    const SAID: Said = Said {
        title: "Partners",
        intro: Some("Who pays out here, and under which terms. Whoever has none goes by the house's."),
        caption: "By code",
        order: Order::NewestFirst,
        nothing_yet: "There is no partner.",
        nothing_fits: "",
    };
    const COLUMNS: &'static [Column<TermsLine>] = &[
        Column::plain("Partner", |line, at| {
            Cell::link(href(at.mode, &line.partner), &line.name).with_small(&line.partner)
        }),
        Column::plain("Terms", |line, _| Cell::Badge(state(line.in_force.is_some(), line.is_readable))),
        Column::number("Version in force", |line, _| {
            line.in_force.as_ref().map_or(Cell::Empty, |terms| Cell::text(terms.version.to_string()))
        }),
        Column::plain("Since", |line, _| Cell::maybe_moment(line.in_force.as_ref().map(|terms| terms.created_at))),
        Column::outside("By", |line, _| {
            line.in_force.as_ref().map_or(Cell::Empty, |terms| Cell::text(&terms.created_by))
        }),
        Column::outside("Why", |line, _| line.in_force.as_ref().map_or(Cell::Empty, |terms| Cell::text(&terms.reason))),
    ];

    async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<TermsLine>, PageError> {
        Ok(Lines::all(source.desk.terms_lines(wanted.mode).await?))
    }
}

/// How a partner's terms stand.
pub fn state(has_own: bool, is_readable: bool) -> Badge {
    match (has_own, is_readable) {
        (_, false) => Badge::new(Tone::Bad, "Can't be read: the partner is refused"),
        (true, true) => Badge::new(Tone::Good, "Its own"),
        (false, true) => Badge::new(Tone::Neutral, "The house's"),
    }
}
