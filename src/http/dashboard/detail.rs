//! Every page about one thing: facts beside their names, tables, a story in time, and what can be done, each escaped by what it is made of.

use askama::Template;

use super::cell::{Cell, Table};
use super::chart::Chart;
use super::frame::Frame;
use super::parts::{Badge, Moment};

/// A page about one thing.
#[derive(Template)]
#[template(path = "detail.html", config = "web/askama.toml")]
pub struct Detail {
    pub frame: Frame,
    pub title: String,
    /// The list that it stands on: its address and its name.
    pub crumb: Option<(String, &'static str)>,
    pub badge: Option<Badge>,
    pub in_short: Option<String>,
    pub notices: Vec<Notice>,
    /// Shown once, to be copied.
    pub secrets: Vec<(&'static str, String)>,
    pub sections: Vec<Section>,
    /// Where the first section's list goes on.
    pub older: Option<String>,
    /// The page's tables as files: the last part of each one's address, and what it has.
    pub files: Vec<(&'static str, &'static str)>,
}

pub struct Notice {
    pub is_good: bool,
    pub text: String,
}

pub struct Section {
    /// What links and labels call it.
    pub id: &'static str,
    pub title: String,
    pub body: Body,
}

pub enum Body {
    Facts(Vec<(String, Cell)>),
    Table { caption: String, table: Table, empty: String },
    Story(Vec<Happened>),
    Action(Action),
    Charts(Vec<Chart>),
}

/// Something that happened, in words.
pub struct Happened {
    pub at: Moment,
    pub words: String,
    pub actor: String,
    pub kind: String,
    pub routing: Option<Vec<String>>,
    pub raw: String,
}

/// A form that does something to the thing.
pub struct Action {
    pub href: String,
    pub hint: String,
    pub hidden: Vec<(&'static str, String)>,
    pub inputs: Vec<Input>,
    pub button: String,
    /// Why this visitor can't.
    pub why_not: Option<String>,
}

pub struct Input {
    pub name: &'static str,
    pub label: String,
    pub value: String,
    pub kind: InputKind,
    pub is_required: bool,
}

pub enum InputKind {
    Text,
    /// One of several.
    Choice(Vec<(String, String)>),
    /// Any of several, each sent under its own name.
    Boxes(Vec<(String, String, bool)>),
}

impl Detail {
    pub fn new(frame: Frame, title: impl Into<String>) -> Self {
        Self {
            frame,
            title: title.into(),
            crumb: None,
            badge: None,
            in_short: None,
            notices: Vec::new(),
            secrets: Vec::new(),
            sections: Vec::new(),
            older: None,
            files: Vec::new(),
        }
    }

    pub fn facts<const N: usize>(&mut self, id: &'static str, title: &str, facts: [(&str, Cell); N]) -> &mut Self {
        let facts = facts.into_iter().filter(|(_, cell)| !matches!(cell, Cell::Empty));
        let body = Body::Facts(facts.map(|(name, cell)| (name.to_owned(), cell)).collect());
        self.section(id, title, body)
    }

    pub fn table(
        &mut self,
        id: &'static str,
        title: &str,
        caption: impl Into<String>,
        table: Table,
        empty: impl Into<String>,
    ) -> &mut Self {
        self.section(id, title, Body::Table { caption: caption.into(), table, empty: empty.into() })
    }

    pub fn section(&mut self, id: &'static str, title: &str, body: Body) -> &mut Self {
        self.sections.push(Section { id, title: title.to_owned(), body });
        self
    }

    pub fn notice(&mut self, is_good: bool, text: impl Into<String>) -> &mut Self {
        self.notices.push(Notice { is_good, text: text.into() });
        self
    }
}

impl Action {
    /// With a reason that is asked for.
    pub fn with_reason(href: String, hint: &str, button: &str) -> Self {
        let input = Input {
            name: "reason",
            label: "Reason".to_owned(),
            value: String::new(),
            kind: InputKind::Text,
            is_required: true,
        };
        Self {
            href,
            hint: hint.to_owned(),
            hidden: Vec::new(),
            inputs: vec![input],
            button: button.to_owned(),
            why_not: None,
        }
    }
}
