//! The audit trail: who changed what, when, from where, before and after; and the check that nobody changed the trail itself.

use actix_web::{HttpResponse, web};

use super::cell::{Cell, Column, Kind, Table};
use super::detail::Detail;
use super::error::PageError;
use super::form::Form;
use super::frame::{Frame, Section, served};
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::html;
use super::visitor::Visitor;
use crate::config::gateway::HOUSE;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::books::{TRAIL_ROWS_MAX, TrailLine};
use crate::staff::desk::Desk;
use crate::staff::manage::MANAGES;

pub struct Audit;

impl List for Audit {
    type Line = TrailLine;
    /// Whose trail.
    type Search = String;
    const SECTION: Section = Section::Audit;
    const PATH: &'static str = "audit";
    const READS: Role = MANAGES;
    const SAID: Said = Said {
        title: "Audit",
        intro: Some("What staff, keys and commands changed, each row chained to the one before it."),
        caption: "Newest first",
        order: Order::NewestFirst,
        nothing_yet: "The house's trail has no row in {mode} mode yet.",
        nothing_fits: "This partner's trail has no row in {mode} mode.",
    };
    const COLUMNS: &'static [Column<TrailLine>] = &[
        Column::plain("Row", |line, _| Cell::text(line.seq.to_string())),
        Column::plain("At", |line, _| Cell::moment(line.at)),
        Column::outside("Who", |line, _| Cell::text(&line.actor)),
        Column::plain("From", |line, _| Cell::maybe(line.origin.as_ref())),
        Column::plain("What", |line, _| Cell::text(&line.action)),
        Column::outside("Of", |line, _| Cell::code(&line.object)),
        Column::plain("Result", |line, _| Cell::text(&line.result)),
        Column::plain("Before", |line, _| {
            line.before.as_ref().map_or(Cell::Empty, |before| Cell::data("Before", before))
        }),
        Column::plain("After", |line, _| line.after.as_ref().map_or(Cell::Empty, |after| Cell::data("After", after))),
    ];

    async fn search(source: &Source, _: Mode, form: &mut Form) -> Result<String, PageError> {
        let partners = source.desk.partners().await?.into_iter().map(|partner| partner.code);
        let each = partners.filter(|code| code != HOUSE).map(|code| (code.clone(), code.clone(), code));
        let house = (String::new(), "The house".to_owned(), HOUSE.to_owned());
        form.choice("partner", "Whose", std::iter::once(house).chain(each))
    }

    async fn lines(source: &Source, wanted: Wanted<'_, String>) -> Result<Lines<TrailLine>, PageError> {
        let before = wanted.after_text.map(str::parse::<i64>).transpose().map_err(|_| PageError::NotFound)?;
        let (lines, next) = source.desk.trail(wanted.mode, wanted.search, before, wanted.lines_max).await?;
        Ok(Lines { lines, next: next.map(|seq| seq.to_string()) })
    }

    fn make(frame: &Frame) -> Option<(String, &'static str)> {
        Some((format!("/dashboard/{}/audit/check", frame.mode), "Check that nobody changed the trail"))
    }
}

/// Looks at the chains of all partners, in both modes.
pub async fn check(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(MANAGES)?;
    let check = desk.check_trail().await?;
    let mut page = Detail::new(Frame::new(&visitor, &desk, mode, Section::Audit), "Check of the audit trail");
    page.crumb = Some((format!("/dashboard/{mode}/audit"), "Audit"));
    if check.findings.is_empty() {
        page.notice(
            true,
            format!("{} rows of all partners were looked at: none was changed, removed or put elsewhere.", check.rows),
        );
    } else {
        page.notice(
            false,
            format!("{} rows were looked at. Keep the database as it is and tell whoever is responsible.", check.rows),
        );
    }
    if check.is_cut {
        page.notice(
            false,
            format!("Only the first {TRAIL_ROWS_MAX} rows were looked at: `landfall verify` looks at all."),
        );
    }
    let findings = check.findings.iter().map(|finding| [Cell::text(finding)]).collect();
    page.table("findings", "Findings", "Row by row", Table::new([("What is wrong", Kind::Outside)], findings), "None.");
    page.in_short = Some(
        "Whoever could write both the rows and the heads could make a chain anew: only an anchor outside tells (docs/security.md).".to_owned(),
    );
    Ok(html(HttpResponse::Ok(), &page)?)
}
