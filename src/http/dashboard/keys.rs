//! The list of API keys, of every partner. No key stands here: what is kept of one opens nothing.

use serde::Deserialize;

use super::cell::{Cell, Kind, Table};
use super::error::PageError;
use super::frame::Section;
use super::list::{Form, Listed, Lists, Nothing};
use super::parts::{Badge, Tone};
use super::query::{after_text, parse_after};
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::books::KeyLine;
use crate::staff::desk::Desk;
use crate::staff::manage::KEEPS_KEYS;

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    after: Option<String>,
}

impl Lists for Query {
    const SECTION: Section = Section::Keys;
    const PATH: &'static str = "keys";
    const READS: Role = KEEPS_KEYS;

    fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    fn set_after(&mut self, after: String) {
        self.after = Some(after);
    }

    async fn read(&self, desk: &Desk, mode: Mode, lines_max: usize) -> Result<Listed, PageError> {
        let found = desk.partner_keys(mode, parse_after(self.after())?, lines_max).await?;
        let row = |key: &KeyLine| {
            let state = match key.revoked_at {
                Some(_) => Badge::new(Tone::Neutral, "Revoked"),
                None => Badge::new(Tone::Good, "Not revoked"),
            };
            [
                Cell::link(format!("/dashboard/{mode}/keys/{}/{}", key.partner, key.id), &key.name)
                    .with_small(&key.prefix),
                Cell::text(&key.partner),
                Cell::Badge(state),
                Cell::text(key.scopes.join(", ")),
                Cell::text(if key.allowed_ips.is_empty() { "anywhere".to_owned() } else { key.allowed_ips.join(", ") }),
                Cell::text(if key.is_signed { "yes" } else { "no" }),
                Cell::maybe_moment(key.expires_at),
                Cell::maybe_moment(key.last_used_at),
                Cell::text(&key.created_by),
                Cell::moment(key.created_at),
            ]
        };
        let columns = [
            ("Key", Kind::Outside),
            ("Partner", Kind::Plain),
            ("State", Kind::Plain),
            ("May", Kind::Plain),
            ("From", Kind::Outside),
            ("Signed", Kind::Plain),
            ("Expires", Kind::Plain),
            ("Last used", Kind::Plain),
            ("Made by", Kind::Outside),
            ("Made", Kind::Plain),
        ];
        Ok(Listed {
            title: "API keys",
            intro: Some("Keys themselves are shown once, to whoever makes them, and kept as hashes."),
            form: Form::default(),
            caption: "Those that were made last stand first",
            table: Table::new(columns, found.lines.iter().map(row).collect()),
            next: found.next.as_ref().map(after_text),
            nothing: Nothing {
                yet: format!("There is no API key in {mode} mode yet. Make one for a partner who calls the gateway."),
                fits: String::new(),
            },
        })
    }
}
