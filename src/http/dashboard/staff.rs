//! Who may sign in here. Accounts are made and ended by a command (`landfall staff`), by whoever runs the installation.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use super::cell::{Cell, Kind, Table};
use super::detail::Detail;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::{Badge, Tone, html};
use super::visitor::{Visitor, whence};
use crate::staff::Staff;
use crate::staff::accounts::Listed;
use crate::staff::desk::Desk;
use crate::staff::manage::KEEPS_KEYS;

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    staff: web::Data<Staff>,
    mode: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(KEEPS_KEYS)?;
    let rows = staff.list().await?;
    let mut page = Detail::new(Frame::new(&visitor, &desk, mode, Section::Staff), "Staff");
    page.in_short = Some(
        "Everybody who may sign in, in every mode. `landfall staff` on the server adds, disables and enables accounts, changes roles and \
         resets passwords and second factors."
            .to_owned(),
    );
    page.files = vec![("staff", "Staff")];
    page.table("staff", "Accounts", "By address", table(&rows), "There is nobody.");
    Ok(html(HttpResponse::Ok(), &page)?)
}

pub async fn file(
    visitor: Visitor,
    desk: web::Data<Desk>,
    staff: web::Data<Staff>,
    http: HttpRequest,
    mode: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(KEEPS_KEYS)?;
    let table = table(&staff.list().await?);
    desk.note_file(&visitor.0.owner, whence(&http).origin(), mode, "staff", serde_json::Map::new()).await?;
    let failed = |error: &dyn std::fmt::Display| PageError::Internal(error.to_string());
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(table.file_header()).map_err(|error| failed(&error))?;
    for row in table.file_rows() {
        file.write_record(row).map_err(|error| failed(&error))?;
    }
    let body = file.into_inner().map_err(|error| failed(&error))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"landfall-staff.csv\""))
        .body(body))
}

fn table(rows: &[Listed]) -> Table {
    let row = |row: &Listed| {
        let state = match (row.disabled_at, row.is_unused, row.locked_until) {
            (Some(_), ..) => Badge::new(Tone::Neutral, "Disabled"),
            (None, true, _) => Badge::new(Tone::Bad, "Unused for long: enable it anew"),
            (None, false, Some(_)) => Badge::new(Tone::Bad, "Locked after failures"),
            (None, false, None) => Badge::new(Tone::Good, "May sign in"),
        };
        [
            Cell::text(row.email.as_str()),
            Cell::text(&row.name),
            Cell::text(row.role.as_str()),
            Cell::Badge(state),
            Cell::maybe_moment(row.locked_until),
            Cell::text(if row.has_totp { "yes" } else { "no" }),
            Cell::text(if row.must_change_password { "yes" } else { "no" }),
            Cell::moment(row.active_at),
            Cell::moment(row.created_at),
        ]
    };
    let columns = [
        ("Address", Kind::Outside),
        ("Name", Kind::Outside),
        ("Role", Kind::Plain),
        ("State", Kind::Plain),
        ("Locked until", Kind::Plain),
        ("Second factor", Kind::Plain),
        ("Must change the password", Kind::Plain),
        ("Last signed in, made or enabled", Kind::Plain),
        ("Made", Kind::Plain),
    ];
    Table::new(columns, rows.iter().map(row).collect())
}
