//! The list of payout schemes.

use super::href;
use crate::http::dashboard::cell::{Cell, Column};
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section};
use crate::http::dashboard::list::{Lines, List, Order, Said, Source, Wanted};
use crate::staff::schemes::SchemeLine;

pub struct Schemes;

impl List for Schemes {
    type Line = SchemeLine;
    type Search = ();
    const SECTION: Section = Section::Schemes;
    const PATH: &'static str = "schemes";
    const SAID: Said = Said {
        title: "Payout schemes",
        intro: Some(
            "Which routes carry which payouts. What names no scheme goes by the house's scheme default, and without one by the routes' \
             order.",
        ),
        caption: "Changed last first",
        order: Order::NewestFirst,
        nothing_yet: "There is no payout scheme in {mode} mode: payouts take the routes in their order.",
        nothing_fits: "",
    };
    const COLUMNS: &'static [Column<SchemeLine>] = &[
        Column::plain("Scheme", |line, at| {
            Cell::link(href(at.mode, &line.partner, line.id), &line.name).with_small(&line.code)
        }),
        Column::plain("Partner", |line, _| Cell::text(&line.partner)),
        Column::number("Version in force", |line, _| Cell::text(line.version.to_string())),
        Column::plain("Since", |line, _| Cell::moment(line.updated_at)),
        Column::number("Payout points", |line, _| Cell::text(line.points.to_string())),
    ];

    async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<SchemeLine>, PageError> {
        Ok(source.desk.schemes(wanted.mode, wanted.after()?, wanted.lines_max).await?.into())
    }

    fn make(frame: &Frame) -> Option<(String, &'static str)> {
        frame.is_operator.then(|| (format!("/dashboard/{}/schemes/new", frame.mode), "New scheme"))
    }
}
