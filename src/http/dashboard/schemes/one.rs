//! One payout scheme: its tree in force, who goes by it, its versions; and one version with what it changed.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::diff::Diff;
use super::json::pretty;
use super::tree::{Drawing, Tree};
use super::{href, scheme_at};
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section};
use crate::http::dashboard::parts::{Moment, html, outside};
use crate::http::dashboard::visitor::Visitor;
use crate::staff::desk::Desk;
use crate::staff::schemes::{SchemePage, SchemeVersion};

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
    /// The version that another is compared with; else the one before it.
    against: Option<i32>,
}

/// What stands at the head of each page of a scheme.
pub struct Head {
    pub href: String,
    pub name: String,
    pub code: String,
    pub partner: String,
    /// In force.
    pub version: i32,
}

impl Head {
    pub fn of(page: &SchemePage) -> Self {
        let line = &page.line;
        Self {
            href: href(page.tenant.mode, &line.partner, line.id),
            name: outside(&line.name),
            code: line.code.clone(),
            partner: line.partner.clone(),
            version: line.version,
        }
    }
}

#[derive(Template)]
#[template(path = "schemes/one.html", config = "web/askama.toml")]
struct OnePage {
    frame: Frame,
    head: Head,
    is_published: bool,
    is_default: bool,
    needs_second_person: bool,
    current: Version,
    tree: Tree,
    json: String,
    points: Vec<(String, String)>,
    versions: Vec<Version>,
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "schemes/version.html", config = "web/askama.toml")]
struct VersionPage {
    frame: Frame,
    head: Head,
    version: Version,
    against: Option<i32>,
    diff: Option<Diff>,
    /// What it may be compared with, and whether it is.
    others: Vec<(i32, bool)>,
    tree: Tree,
    json: String,
}

struct Version {
    version: i32,
    comment: Option<String>,
    by: String,
    at: Moment,
}

impl Version {
    fn of(version: &SchemeVersion) -> Self {
        Self {
            version: version.version,
            comment: version.comment.as_deref().map(outside),
            by: outside(&version.created_by),
            at: Moment::of(version.created_at),
        }
    }
}

fn drawn(page: &SchemePage, version: &SchemeVersion) -> Tree {
    Tree::of(&version.body, &Drawing::of(&page.ground))
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id) = path.into_inner();
    let (mode, page) = scheme_at(&desk, (&mode, &partner, &id)).await?;
    let last = page.versions.last().map_or(1, |version| version.version);
    let view = OnePage {
        frame: Frame::new(&visitor, &desk, mode, Section::Schemes),
        head: Head::of(&page),
        is_published: query.done.as_deref() == Some("published"),
        is_default: page.is_default,
        needs_second_person: page.needs_second_person,
        current: Version::of(&page.current),
        tree: drawn(&page, &page.current),
        json: outside(&pretty(&page.current.body)),
        points: page.points.iter().map(|point| (point.partner.clone(), point.code.clone())).collect(),
        versions: page.versions.iter().map(Version::of).collect(),
        is_cut: last > 1,
    };
    Ok(html(HttpResponse::Ok(), &view)?)
}

pub async fn version(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, id, version) = path.into_inner();
    let version: i32 = version.parse().ok().filter(|version| *version > 0).ok_or(PageError::NotFound)?;
    let (mode, page) = scheme_at(&desk, (&mode, &partner, &id)).await?;
    let version = desk.scheme_version(&page, version).await?;
    let against = query.against.or_else(|| version.version.checked_sub(1)).filter(|n| *n > 0 && *n != version.version);
    let diff = match against {
        Some(other) => Some(Diff::of(&desk.scheme_version(&page, other).await?.body, &version.body)),
        None => None,
    };
    let others = page.versions.iter().map(|other| other.version).filter(|other| *other != version.version);
    let others = others.map(|other| (other, against == Some(other))).collect();
    let view = VersionPage {
        frame: Frame::new(&visitor, &desk, mode, Section::Schemes),
        head: Head::of(&page),
        against,
        diff,
        others,
        tree: drawn(&page, &version),
        json: outside(&pretty(&version.body)),
        version: Version::of(&version),
    };
    Ok(html(HttpResponse::Ok(), &view)?)
}
