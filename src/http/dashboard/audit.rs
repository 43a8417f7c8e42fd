//! The audit trail: who changed what, when, from where, before and after; and the check that nobody changed the trail itself.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::detail::Detail;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::list::{Form, Listed, Lists, Nothing};
use super::parts::html;
use super::visitor::Visitor;
use crate::config::gateway::HOUSE;
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::books::{TRAIL_ROWS_MAX, TrailLine};
use crate::staff::desk::Desk;
use crate::staff::manage::MANAGES;

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    partner: Option<String>,
    after: Option<String>,
}

impl Lists for Query {
    const SECTION: Section = Section::Audit;
    const PATH: &'static str = "audit";
    const READS: Role = MANAGES;

    fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    fn set_after(&mut self, after: String) {
        self.after = Some(after);
    }

    async fn read(&self, desk: &Desk, mode: Mode, lines_max: usize) -> Result<Listed, PageError> {
        let before = match self.after().filter(|after| !after.is_empty()) {
            Some(after) => Some(after.parse::<i64>().map_err(|_| PageError::NotFound)?),
            None => None,
        };
        let partners = desk.partners().await?;
        let options = std::iter::once((String::new(), "The house".to_owned())).chain(
            partners.iter().filter(|partner| partner.code != HOUSE).map(|one| (one.code.clone(), one.code.clone())),
        );
        let mut form = Form::default();
        let partner = form.choice("partner", "Whose", options.collect(), self.partner.as_deref())?;
        let partner = if partner.is_empty() { HOUSE } else { partner.as_str() };
        let (lines, next) = desk.trail(mode, partner, before, lines_max).await?;
        let row = |line: &TrailLine| {
            [
                Cell::text(line.seq.to_string()),
                Cell::moment(line.at),
                Cell::text(&line.actor),
                Cell::maybe(line.origin.as_ref()),
                Cell::text(&line.action),
                Cell::code(&line.object),
                Cell::text(&line.result),
                line.before.as_ref().map_or(Cell::Empty, |before| Cell::data("Before", before)),
                line.after.as_ref().map_or(Cell::Empty, |after| Cell::data("After", after)),
            ]
        };
        let columns = [
            ("Row", Kind::Plain),
            ("At", Kind::Plain),
            ("Who", Kind::Outside),
            ("From", Kind::Plain),
            ("What", Kind::Plain),
            ("Of", Kind::Outside),
            ("Result", Kind::Plain),
            ("Before", Kind::Plain),
            ("After", Kind::Plain),
        ];
        Ok(Listed {
            title: "Audit",
            intro: Some("What staff, keys and commands changed, each row chained to the one before it."),
            form,
            caption: "Newest first",
            table: Table::new(columns, lines.iter().map(row).collect()),
            next: next.map(|seq| seq.to_string()),
            nothing: Nothing {
                yet: format!("The house's trail has no row in {mode} mode yet."),
                fits: format!("This partner's trail has no row in {mode} mode."),
            },
        })
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
