//! Every list of the dashboard: its search form, its lines, its pages, and the same lines as a file (CSV).
//!
//! A list is described once ([`List`]): its columns, its filters and how it is read. The page, the file and the paging are made here.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::str::FromStr;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use futures_util::stream;

use super::cell::{At, Column, Table};
use super::error::PageError;
use super::form::{FieldKind, Form};
use super::frame::{Frame, Section, served};
use super::parts::html;
use super::query::{after_text, parse_after};
use super::visitor::{Visitor, whence};
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::Staff;
use crate::staff::desk::{After, Desk, FILE_LINES, PAGE_LINES, Page};

/// The most lines of a file: one that would have more says so at its end.
const FILE_LINES_MAX: usize = 100_000;

/// What lists are read from.
#[derive(Clone)]
pub struct Source {
    pub desk: web::Data<Desk>,
    pub staff: web::Data<Staff>,
}

/// A list. One that has no page of its own is a file: then nothing of what is said around it matters.
pub trait List: 'static {
    type Line;
    /// What is looked for; `()`: nothing, and there is no form.
    type Search: Default;
    const SECTION: Section;
    /// The last part of its address.
    const PATH: &'static str;
    /// Who sees it, and takes it away as a file.
    const READS: Role = Role::Viewer;
    const SAID: Said;
    const COLUMNS: &'static [Column<Self::Line>];

    /// Makes the fields of the search form, with what was typed in them. Where the form has problems, nothing is read.
    async fn search(_: &Source, _: Mode, _: &mut Form) -> Result<Self::Search, PageError> {
        Ok(Self::Search::default())
    }

    async fn lines(source: &Source, wanted: Wanted<'_, Self::Search>) -> Result<Lines<Self::Line>, PageError>;

    /// What can be done from here, by whoever looks: its address and its name.
    fn make(_: &Frame) -> Option<(String, &'static str)> {
        None
    }

    /// What the first page shows below the list: its caption, and the table.
    async fn besides(_: &Source, _: Mode) -> Result<Option<(&'static str, Table)>, PageError> {
        Ok(None)
    }
}

/// Which lines of a list are wanted.
pub struct Wanted<'a, S> {
    pub mode: Mode,
    pub search: &'a S,
    /// Where they begin, as an address carries it; `None`: with the first.
    pub after_text: Option<&'a str>,
    pub lines_max: usize,
}

impl<S> Wanted<'_, S> {
    /// Where they begin, in a list that is read by times.
    pub fn after<Id: FromStr>(&self) -> Result<Option<After<Id>>, PageError> {
        parse_after(self.after_text)
    }
}

/// What a list's page says. `{mode}` stands for the mode.
pub struct Said {
    pub title: &'static str,
    pub intro: Option<&'static str>,
    pub caption: &'static str,
    pub order: Order,
    /// Where there are no lines, and nothing was looked for.
    pub nothing_yet: &'static str,
    /// Where something was.
    pub nothing_fits: &'static str,
}

impl Said {
    /// Of a list that is a file alone.
    pub const FILE: Self =
        Self { title: "", intro: None, caption: "", order: Order::NewestFirst, nothing_yet: "", nothing_fits: "" };
}

/// Which line stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

impl Order {
    /// What the way to the first page and the way on are called.
    const fn ways(self) -> (&'static str, &'static str) {
        match self {
            Order::NewestFirst => ("Newest", "Older"),
            Order::OldestFirst => ("Oldest", "Newer"),
        }
    }
}

/// Lines of a page or of a file.
pub struct Lines<L> {
    pub lines: Vec<L>,
    /// Where the next ones begin, as an address carries it.
    pub next: Option<String>,
}

impl<L> Lines<L> {
    /// All that there are.
    pub fn all(lines: Vec<L>) -> Self {
        Self { lines, next: None }
    }
}

impl<L, Id: Display> From<Page<L, Id>> for Lines<L> {
    fn from(page: Page<L, Id>) -> Self {
        Self { next: page.next.as_ref().map(after_text), lines: page.lines }
    }
}

/// What a list's address carries: where its page begins (`after`), and what is looked for by the names of the fields.
pub type Asked = web::Query<BTreeMap<String, String>>;

#[derive(Template)]
#[template(path = "list.html", config = "web/askama.toml")]
struct View {
    frame: Frame,
    path: &'static str,
    title: &'static str,
    intro: Option<String>,
    caption: &'static str,
    form: Form,
    table: Table,
    /// What is said where there are no lines.
    empty: String,
    is_first: bool,
    next: Option<String>,
    ways: (&'static str, &'static str),
    make: Option<(String, &'static str)>,
    besides: Option<Besides>,
}

struct Besides {
    caption: &'static str,
    table: Table,
}

pub async fn page<L: List>(
    visitor: Visitor,
    (desk, staff): (web::Data<Desk>, web::Data<Staff>),
    mode: web::Path<String>,
    asked: Asked,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(L::READS)?;
    let source = Source { desk, staff };
    let mut form = Form::of(asked.into_inner());
    let search = L::search(&source, mode, &mut form).await?;
    let after = form.asked("after").map(str::to_owned);
    let is_first = after.is_none();
    let found = if form.problems.is_empty() {
        let wanted = Wanted { mode, search: &search, after_text: after.as_deref(), lines_max: PAGE_LINES };
        L::lines(&source, wanted).await?
    } else {
        Lines::all(Vec::new())
    };
    let besides = if is_first { L::besides(&source, mode).await? } else { None };
    let frame = Frame::new(&visitor, &source.desk, mode, L::SECTION);
    let in_mode = |text: &str| text.replace("{mode}", mode.as_str());
    let view = View {
        make: L::make(&frame),
        frame,
        path: L::PATH,
        title: L::SAID.title,
        intro: L::SAID.intro.map(in_mode),
        caption: L::SAID.caption,
        empty: in_mode(if form.is_empty() { L::SAID.nothing_yet } else { L::SAID.nothing_fits }),
        form,
        table: Table::of(L::COLUMNS, &found.lines, At { mode, assets: source.desk.assets() }),
        is_first,
        next: found.next,
        ways: L::SAID.order.ways(),
        besides: besides.map(|(caption, table)| Besides { caption, table }),
    };
    Ok(html(HttpResponse::Ok(), &view)?)
}

/// The same lines from the first one on, with the same filters, for the same role. Who took them stands in the audit trail.
pub async fn file<L: List>(
    visitor: Visitor,
    (desk, staff): (web::Data<Desk>, web::Data<Staff>),
    http: HttpRequest,
    mode: web::Path<String>,
    asked: Asked,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(L::READS)?;
    let source = Source { desk, staff };
    let mut form = Form::of(asked.into_inner());
    let search = L::search(&source, mode, &mut form).await?;
    if !form.problems.is_empty() {
        return Err(PageError::NotFound);
    }
    let wanted = Wanted { mode, search: &search, after_text: None, lines_max: FILE_LINES };
    let first = L::lines(&source, wanted).await?;
    source.desk.note_file(&visitor.0.owner, whence(&http).origin(), mode, L::PATH, form.filters()).await?;
    let name = format!("attachment; filename=\"landfall-{mode}-{}.csv\"", L::PATH);
    let begun = Sent::<L> { search, source, mode, next: Some(first), sent: 0, has_header: false };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(stream::try_unfold(begun, Sent::go_on)))
}

/// How far a file has come: it is read and sent a piece at a time, so that it is never held whole.
struct Sent<L: List> {
    search: L::Search,
    source: Source,
    mode: Mode,
    next: Option<Lines<L::Line>>,
    sent: usize,
    has_header: bool,
}

impl<L: List> Sent<L> {
    async fn go_on(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(found) = self.next.take() else { return Ok(None) };
        let table = Table::of(L::COLUMNS, &found.lines, At { mode: self.mode, assets: self.source.desk.assets() });
        let mut file = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        if !self.has_header {
            self.has_header = true;
            file.write_record(table.file_header()).map_err(io::Error::other)?;
        }
        for row in table.file_rows() {
            file.write_record(row).map_err(io::Error::other)?;
        }
        self.sent = self.sent.saturating_add(table.rows.len());
        if let Some(after) = found.next {
            if self.sent < FILE_LINES_MAX {
                let wanted =
                    Wanted { mode: self.mode, search: &self.search, after_text: Some(&after), lines_max: FILE_LINES };
                let next = L::lines(&self.source, wanted).await;
                self.next = Some(next.map_err(|error| io::Error::other(error.to_string()))?);
            } else {
                let end = format!("There is more: a file has up to {FILE_LINES_MAX} lines. Narrow the search.");
                file.write_record([end]).map_err(io::Error::other)?;
            }
        }
        let bytes = file.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Some((Bytes::from(bytes), self)))
    }
}

/// A list that is a file alone: what it is called, what stands in its columns, and how all of its lines are read.
macro_rules! file_of {
    ($name:ident, $section:ident, $path:literal, $line:ty, $columns:expr, |$desk:ident, $mode:ident| $read:expr) => {
        pub struct $name;

        impl List for $name {
            type Line = $line;
            type Search = ();
            const SECTION: Section = Section::$section;
            const PATH: &'static str = $path;
            const SAID: Said = Said::FILE;
            const COLUMNS: &'static [Column<$line>] = $columns;

            async fn lines(source: &Source, wanted: Wanted<'_, ()>) -> Result<Lines<$line>, PageError> {
                let ($desk, $mode) = (&source.desk, wanted.mode);
                Ok(Lines::all($read))
            }
        }
    };
}
pub(super) use file_of;
