//! Who may sign in here, in every mode.

use super::cell::{Cell, Column};
use super::error::PageError;
use super::frame::{Frame, Section};
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::{Badge, Tone};
use crate::domain::staff::Role;
use crate::staff::accounts::Listed;
use crate::staff::people::KEEPS_STAFF;

pub struct Accounts;

impl List for Accounts {
    type Line = Listed;
    type Search = ();
    const SECTION: Section = Section::Staff;
    const PATH: &'static str = "staff";
    const READS: Role = KEEPS_STAFF;
    const SAID: Said = Said {
        title: "Staff",
        intro: Some(
            "Everybody who may sign in, in every mode. The command landfall staff on the server does the same, and resets passwords and second \
             factors.",
        ),
        caption: "By address",
        order: Order::NewestFirst,
        nothing_yet: "There is nobody.",
        nothing_fits: "",
    };
    const COLUMNS: &'static [Column<Listed>] = &[
        Column::outside("Address", |row, at| Cell::link(at.href(format_args!("staff/{}", row.id)), row.email.as_str())),
        Column::outside("Name", |row, _| Cell::text(&row.name)),
        Column::plain("Role", |row, _| Cell::text(row.role.as_str())),
        Column::plain("State", |row, _| Cell::Badge(state(row))),
        Column::plain("Locked until", |row, _| Cell::maybe_moment(row.locked_until)),
        Column::plain("Second factor", |row, _| Cell::text(if row.has_totp { "yes" } else { "no" })),
        Column::plain("Must change the password", |row, _| {
            Cell::text(if row.must_change_password { "yes" } else { "no" })
        }),
        Column::plain("Last signed in, made or enabled", |row, _| Cell::moment(row.active_at)),
        Column::plain("Made", |row, _| Cell::moment(row.created_at)),
    ];

    async fn lines(source: &Source, _: Wanted<'_, ()>) -> Result<Lines<Listed>, PageError> {
        Ok(Lines::all(source.staff.list().await?))
    }

    fn make(frame: &Frame) -> Option<(String, &'static str)> {
        Some((format!("/dashboard/{}/staff/new", frame.mode), "Let somebody in"))
    }
}

/// Whether somebody may sign in.
pub fn state(row: &Listed) -> Badge {
    match (row.disabled_at, row.is_unused, row.locked_until) {
        (Some(_), ..) => Badge::new(Tone::Neutral, "Disabled"),
        (None, true, _) => Badge::new(Tone::Bad, "Unused for long: enable it anew"),
        (None, false, Some(_)) => Badge::new(Tone::Bad, "Locked after failures"),
        (None, false, None) => Badge::new(Tone::Good, "May sign in"),
    }
}
