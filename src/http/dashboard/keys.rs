//! The list of API keys, of every partner. No key stands here: what is kept of one opens nothing.

use super::cell::{Cell, Column};
use super::error::PageError;
use super::frame::{Frame, Section};
use super::list::{Lines, List, Order, Said, Source, Wanted};
use super::parts::{Badge, Tone};
use crate::domain::staff::Role;
use crate::staff::books::KeyLine;
use crate::staff::manage::KEEPS_KEYS;

pub struct Keys;

impl List for Keys {
    type Line = KeyLine;
    type Search = ();
    const SECTION: Section = Section::Keys;
    const PATH: &'static str = "keys";
    const READS: Role = KEEPS_KEYS;
    const SAID: Said = Said {
        title: "API keys",
        intro: Some("Keys themselves are shown once, to whoever makes them, and kept as hashes."),
        caption: "Those that were made last stand first",
        order: Order::NewestFirst,
        nothing_yet: "There is no API key in {mode} mode yet. Make one for a partner who calls the gateway.",
        nothing_fits: "",
    };
    const COLUMNS: &'static [Column<KeyLine>] = &[
        Column::outside("Key", |key, at| {
            let href = at.href(format_args!("keys/{}/{}", key.partner, key.id));
            Cell::link(href, &key.name).with_small(&key.prefix)
        }),
        Column::plain("Partner", |key, _| Cell::text(&key.partner)),
        Column::plain("State", |key, _| {
            Cell::Badge(match key.revoked_at {
                Some(_) => Badge::new(Tone::Neutral, "Revoked"),
                None => Badge::new(Tone::Good, "Not revoked"),
            })
        }),
        Column::plain("May", |key, _| Cell::text(key.scopes.join(", "))),
        Column::outside("From", |key, _| {
            let everywhere = key.allowed_ips.is_empty();
            Cell::text(if everywhere { "anywhere".to_owned() } else { key.allowed_ips.join(", ") })
        }),
        Column::plain("Signed", |key, _| Cell::text(if key.is_signed { "yes" } else { "no" })),
        Column::plain("Expires", |key, _| Cell::maybe_moment(key.expires_at)),
        Column::plain("Last used", |key, _| Cell::maybe_moment(key.last_used_at)),
        Column::outside("Made by", |key, _| Cell::text(&key.created_by)),
        Column::plain("Made", |key, _| Cell::moment(key.created_at)),
    ];

    async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<KeyLine>, PageError> {
        Ok(source.desk.partner_keys(wanted.mode, wanted.after()?, wanted.lines_max).await?.into())
    }

    fn make(frame: &Frame) -> Option<(String, &'static str)> {
        Some((format!("/dashboard/{}/keys/new", frame.mode), "Make a key"))
    }
}
