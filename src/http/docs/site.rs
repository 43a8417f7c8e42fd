//! The site, rendered once for the process: every page with what stands around it, the style sheet and the pictures, each with its tag.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use askama::Template;

use super::list::{GROUPS, PICTURES, Picture, Source, address, address_of, sources};
use super::markdown::{Addresses, Heading, Rendered, render};
use crate::http::assets::{self, Asset};
use crate::http::fresh::Public;

pub const HTML: &str = "text/html; charset=utf-8";

/// The dashboard's colours and letters, and what these pages need beside them.
pub static STYLE_SHEET: Asset = Asset::new(
    "/docs/assets/docs.css",
    "text/css; charset=utf-8",
    concat!(include_str!("../../../web/assets/base.css"), include_str!("../../../web/assets/docs.css")),
);
pub static ICON: Asset = Asset::new("/docs/assets/icon.svg", "image/svg+xml", assets::ICON);

/// All pages by their slugs.
pub static SITE: LazyLock<BTreeMap<&'static str, Public>> = LazyLock::new(|| {
    let pages: Vec<(&Source, Rendered)> =
        sources().map(|source| (source, render(source.text, source.file, &OfSite))).collect();
    let whole = |n: usize| Public::new(HTML, whole(&pages[n].1, Some(pages[n].0), pages.get(n + 1).map(|next| next.0)));
    pages.iter().enumerate().map(|(n, (source, _))| (source.slug, whole(n))).collect()
});

/// For whoever mistypes an address: what pages there are.
pub static MISSING: LazyLock<String> = LazyLock::new(|| {
    let text = "# There is no such page\n\nThe address may be mistyped, or a page has another name now. All pages are in the list.";
    whole(&render(text, "docs/README.md", &OfSite), None, None)
});

/// A picture by its file's name.
pub fn picture(name: &str) -> Option<Asset> {
    PICTURES.iter().find(|picture| picture.name == name).map(asset)
}

fn asset(picture: &Picture) -> Asset {
    Asset::new("/docs/images/", "image/svg+xml", picture.text)
}

struct OfSite;

impl Addresses for OfSite {
    fn page(&self, file: &str) -> Option<String> {
        address_of(file)
    }

    fn picture(&self, file: &str) -> Option<String> {
        let name = file.strip_prefix("docs/images/")?;
        picture(name).map(|asset| format!("/docs/images/{name}?v={}", asset.hash()))
    }
}

/// A page of the list beside the page itself.
struct Entry {
    name: &'static str,
    address: String,
    is_here: bool,
}

struct Listed {
    name: &'static str,
    entries: Vec<Entry>,
}

#[derive(Template)]
#[template(path = "docs.html", config = "web/askama.toml")]
struct Whole<'a> {
    title: &'a str,
    style_sheet: String,
    icon: String,
    groups: Vec<Listed>,
    /// Of the page itself, of the second level.
    sections: Vec<&'a Heading>,
    /// Made by [`render`], which escapes.
    content: &'a str,
    next: Option<Entry>,
    canonical: Option<String>,
}

/// `here` is the page itself, if it is one of the list.
fn whole(rendered: &Rendered, here: Option<&Source>, next: Option<&Source>) -> String {
    let is_here = |slug: &str| here.is_some_and(|here| here.slug == slug);
    let entry = |of: &Source| Entry { name: of.name, address: address(of.slug), is_here: is_here(of.slug) };
    let page = Whole {
        title: &rendered.title,
        style_sheet: STYLE_SHEET.href(),
        icon: ICON.href(),
        groups: GROUPS
            .iter()
            .map(|group| Listed { name: group.name, entries: group.pages.iter().map(entry).collect() })
            .collect(),
        sections: rendered.headings.iter().filter(|heading| heading.level == 2).collect(),
        content: &rendered.html,
        next: next.map(entry),
        canonical: here.map(|here| address(here.slug)),
    };
    // Writing to a String doesn't fail.
    page.render().unwrap_or_default()
}
