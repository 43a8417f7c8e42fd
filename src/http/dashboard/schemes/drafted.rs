//! A payout scheme's body that waits for a second person: what they approve, drawn, and against what is in force.

use askama::Template;
use askama::filters::HtmlSafe;

use super::diff::Diff;
use super::href;
use super::json::pretty;
use super::tree::{Drawing, Tree};
use crate::domain::ids::Mode;
use crate::http::dashboard::error::PageError;
use crate::http::dashboard::parts::outside;
use crate::staff::approvals::DraftedScheme;
use crate::staff::desk::Desk;

#[derive(Template)]
#[template(path = "parts/scheme_drafted.html", config = "web/askama.toml")]
pub struct Drafted {
    /// The scheme's page, and the version that is in force, if there is the scheme already.
    scheme: Option<(String, i32)>,
    diff: Option<Diff>,
    tree: Tree,
    json: String,
}
impl HtmlSafe for Drafted {}

impl Drafted {
    /// `is_open`: it isn't decided yet, so that it is compared with what is in force.
    pub async fn of(
        desk: &Desk,
        (mode, partner): (Mode, &str),
        drafted: &DraftedScheme,
        is_open: bool,
    ) -> Result<Self, PageError> {
        let (scheme, diff, ground) = match drafted.id {
            Some(id) => {
                let page = desk.scheme(mode, partner, id).await?;
                let diff = is_open.then(|| Diff::of(&page.current.body, &drafted.body));
                (Some((href(mode, partner, id), page.line.version)), diff, page.ground)
            }
            None => (None, None, desk.scheme_ground(mode, partner).await?.ok_or(PageError::NotFound)?),
        };
        let tree = Tree::of(&drafted.body, &Drawing::of(&ground));
        Ok(Self { scheme, diff, tree, json: outside(&pretty(&drafted.body)) })
    }
}
