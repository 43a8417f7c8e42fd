//! One partner's terms: those in force beside the house's and the other modes', and the versions before with what each changed.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::{Value, json};

use super::list::state;
use super::{Version, href, terms_at};
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::frame::{Frame, Section};
use crate::http::dashboard::parts::{Badge, html, outside};
use crate::http::dashboard::schemes::diff::Diff;
use crate::http::dashboard::schemes::json::pretty;
use crate::http::dashboard::visitor::Visitor;
use crate::staff::desk::Desk;

#[derive(Debug, Default, Deserialize)]
pub struct Query {
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "partners/one.html", config = "web/askama.toml")]
struct OnePage {
    frame: Frame,
    href: String,
    partner: String,
    badge: Badge,
    is_set: bool,
    needs_second_person: bool,
    current: Option<Version>,
    json: String,
    house: String,
    /// The other modes' documents, by mode and version.
    others: Vec<(String, i32, String)>,
    versions: Vec<Version>,
}

pub async fn page(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String)>,
    query: web::Query<Query>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner) = path.into_inner();
    let (mode, page) = terms_at(&desk, (&mode, &partner)).await?;
    let other = |(mode, version): &(crate::domain::ids::Mode, Option<crate::staff::terms::TermsVersion>)| {
        let body = version.as_ref().map_or_else(|| json!({}), |version| version.body.clone());
        (mode.to_string(), version.as_ref().map_or(0, |version| version.version), outside(&pretty(&body)))
    };
    let view = OnePage {
        frame: Frame::new(&visitor, &desk, mode, Section::Partners),
        href: href(mode, &page.partner),
        partner: outside(&page.partner),
        badge: state(page.current.is_some(), page.is_readable),
        is_set: query.done.as_deref() == Some("set"),
        needs_second_person: page.needs_second_person,
        current: page.current.as_ref().map(Version::from),
        json: outside(&pretty(&page.body())),
        house: outside(&pretty(&page.house)),
        others: page.others.iter().map(other).collect(),
        versions: page.versions.iter().map(Version::from).collect(),
    };
    Ok(html(HttpResponse::Ok(), &view)?)
}

#[derive(Template)]
#[template(path = "partners/version.html", config = "web/askama.toml")]
struct VersionPage {
    frame: Frame,
    href: String,
    partner: String,
    version: Version,
    is_in_force: bool,
    diff: Option<Diff>,
    json: String,
}

/// A version with what it changed.
pub async fn version(
    visitor: Visitor,
    desk: web::Data<Desk>,
    path: web::Path<(String, String, String)>,
) -> Result<HttpResponse, PageError> {
    let (mode, partner, version) = path.into_inner();
    let (mode, page) = terms_at(&desk, (&mode, &partner)).await?;
    let version = desk.partner_terms_version(&page, version.parse().map_err(|_| PageError::NotFound)?).await?;
    let before: Value = match version.version {
        1 => json!({}),
        number => desk.partner_terms_version(&page, number.saturating_sub(1)).await?.body,
    };
    let view = VersionPage {
        frame: Frame::new(&visitor, &desk, mode, Section::Partners),
        href: href(mode, &page.partner),
        partner: outside(&page.partner),
        is_in_force: version.version == page.version(),
        diff: Some(Diff::of(&before, &version.body)).filter(|diff| !diff.is_empty()),
        json: outside(&pretty(&version.body)),
        version: Version::from(&version),
    };
    Ok(html(HttpResponse::Ok(), &view)?)
}
