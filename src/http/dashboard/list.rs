//! Every list of the dashboard: its search form, its lines, its pages, and the same lines as a file (CSV).

use std::future::Future;
use std::io;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use askama::filters::HtmlSafe;
use futures_util::stream;
use serde::de::DeserializeOwned;

use super::cell::Table;
use super::error::PageError;
use super::frame::{Frame, Section, served};
use super::parts::html;
use super::visitor::{Visitor, whence};
use crate::domain::ids::Mode;
use crate::domain::staff::Role;
use crate::staff::desk::{Desk, FILE_LINES, PAGE_LINES};

/// The most lines of a file: one that would have more says so at its end.
const FILE_LINES_MAX: usize = 100_000;

/// What a list was asked for, as its address carries it.
pub trait Lists: DeserializeOwned + 'static {
    const SECTION: Section;
    /// The last part of its address.
    const PATH: &'static str;
    /// Who sees it, and takes it away as a file.
    const READS: Role;

    /// Where the page begins.
    fn after(&self) -> Option<&str>;
    fn set_after(&mut self, after: String);
    fn read(&self, desk: &Desk, mode: Mode, lines_max: usize) -> impl Future<Output = Result<Listed, PageError>>;
}

/// A field of a search form.
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub value: String,
    pub kind: FieldKind,
}

pub enum FieldKind {
    Text {
        chars_max: u16,
    },
    Digits {
        chars_max: u16,
    },
    /// A day or a minute, in UTC.
    When,
    Choice(Vec<(String, String)>),
}

/// What is typed in a form, and what is wrong with it.
#[derive(Default)]
pub struct Form {
    pub fields: Vec<Field>,
    pub problems: Vec<&'static str>,
}

impl Form {
    pub fn is_empty(&self) -> bool {
        self.fields.iter().all(|field| field.value.is_empty())
    }

    /// As the addresses of the list's other pages carry it.
    fn query(&self) -> QueryPart {
        QueryPart { pairs: self.fields.iter().map(|field| (field.name, field.value.clone())).collect() }
    }
}

#[derive(Template)]
#[template(path = "parts/query.html", config = "web/askama.toml")]
struct QueryPart {
    pairs: Vec<(&'static str, String)>,
}
impl HtmlSafe for QueryPart {}

/// What is said where there are no lines.
pub struct Nothing {
    /// Nothing was looked for.
    pub yet: String,
    /// Something was.
    pub fits: String,
}

/// A page of a list.
pub struct Listed {
    pub title: &'static str,
    pub intro: Option<&'static str>,
    pub form: Form,
    pub caption: &'static str,
    pub table: Table,
    pub next: Option<String>,
    pub nothing: Nothing,
}

impl Listed {
    fn table(&self) -> &Table {
        &self.table
    }
}

#[derive(Template)]
#[template(path = "list.html", config = "web/askama.toml")]
struct View {
    frame: Frame,
    path: &'static str,
    list: Listed,
    is_first: bool,
    /// What can be done from here: its address and its name.
    make: Option<(String, &'static str)>,
}

pub async fn page<Q: Lists>(
    visitor: Visitor,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
    query: web::Query<Q>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(Q::READS)?;
    let is_first = query.after().is_none_or(str::is_empty);
    let list = query.read(&desk, mode, PAGE_LINES).await?;
    let make = match Q::SECTION {
        Section::Keys => Some((format!("/dashboard/{mode}/keys/new"), "Make a key")),
        Section::Audit => Some((format!("/dashboard/{mode}/audit/check"), "Check that nobody changed the trail")),
        _ => None,
    };
    let view = View { frame: Frame::new(&visitor, &desk, mode, Q::SECTION), path: Q::PATH, list, is_first, make };
    Ok(html(HttpResponse::Ok(), &view)?)
}

/// The same lines from the first one on, with the same filters, for the same role. Who took them stands in the audit trail.
pub async fn file<Q: Lists>(
    visitor: Visitor,
    desk: web::Data<Desk>,
    http: HttpRequest,
    mode: web::Path<String>,
    query: web::Query<Q>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    visitor.needs(Q::READS)?;
    let mut query = query.into_inner();
    query.set_after(String::new());
    let first = query.read(&desk, mode, FILE_LINES).await?;
    if !first.form.problems.is_empty() {
        return Err(PageError::NotFound);
    }
    let filters = first.form.fields.iter().filter(|field| !field.value.is_empty());
    let filters = filters.map(|field| (field.name.to_owned(), serde_json::Value::from(field.value.clone()))).collect();
    desk.note_file(&visitor.0.owner, whence(&http).origin(), mode, Q::PATH, filters).await?;
    let name = format!("attachment; filename=\"landfall-{mode}-{}.csv\"", Q::PATH);
    let begun = Sent { query, desk, mode, next: Some(first), sent: 0, has_header: false };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, name))
        .streaming(stream::try_unfold(begun, Sent::go_on)))
}

/// How far a file has come: it is read and sent a piece at a time, so that it is never held whole.
struct Sent<Q> {
    query: Q,
    desk: web::Data<Desk>,
    mode: Mode,
    next: Option<Listed>,
    sent: usize,
    has_header: bool,
}

impl<Q: Lists> Sent<Q> {
    async fn go_on(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let Some(list) = self.next.take() else { return Ok(None) };
        let mut file = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        if !self.has_header {
            self.has_header = true;
            file.write_record(list.table.file_header()).map_err(io::Error::other)?;
        }
        for row in list.table.file_rows() {
            file.write_record(row).map_err(io::Error::other)?;
        }
        self.sent = self.sent.saturating_add(list.table.rows.len());
        if let Some(after) = list.next {
            if self.sent < FILE_LINES_MAX {
                self.query.set_after(after);
                let next = self.query.read(&self.desk, self.mode, FILE_LINES).await;
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
