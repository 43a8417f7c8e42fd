//! Lists: `page[size]`, `page[cursor]`, `filter[...]` and `sort`, each against what the resource allows; what isn't known is
//! refused. Pages go by time of creation and id, so rows that are added meanwhile move none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use actix_web::web;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::cursor::Cursor;
use super::document::{ListDocument, PageInfo, PageLinks, PageMeta, Resource};
use super::error::{Source, V1Error};
use crate::gateway::access::keys::Slice;

pub const SIZE_DEFAULT: i64 = 20;
pub const SIZE_MAX: i64 = 100;
pub const FILTER_CHARS_MAX: usize = 255;

/// A list, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    path: String,
    size: i64,
    newest_first: bool,
    filters: BTreeMap<String, String>,
    cursor: Option<Cursor>,
    /// The `page[cursor]` that `cursor` was read from.
    cursor_text: Option<String>,
}

impl ListQuery {
    /// Reads the query of `path`. `filters` are the names that may stand in `filter[...]`. A list is sorted by `created`, newest
    /// first unless asked otherwise.
    pub fn parse(path: &str, query: &str, filters: &[&str]) -> Result<Self, V1Error> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| V1Error::new("INVALID_PARAMETER").with_detail("The query can't be read."))?;
        let mut list = Self {
            path: path.to_owned(),
            size: SIZE_DEFAULT,
            newest_first: true,
            filters: BTreeMap::new(),
            cursor: None,
            cursor_text: None,
        };
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in pairs.iter() {
            if seen.contains(&name.as_str()) {
                return Err(V1Error::parameter(name, "This is there twice."));
            }
            seen.push(name);
            let filter = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']'));
            match (name.as_str(), filter) {
                ("page[size]", _) => list.size = size(value)?,
                ("page[cursor]", _) => list.cursor_text = Some(value.clone()),
                ("sort", _) => list.newest_first = newest_first(value)?,
                (_, Some(filter)) if filters.contains(&filter) => {
                    if value.is_empty()
                        || value.chars().count() > FILTER_CHARS_MAX
                        || value.chars().any(char::is_control)
                    {
                        return Err(V1Error::parameter(name, "This has 1 to 255 characters."));
                    }
                    list.filters.insert(filter.to_owned(), value.clone());
                }
                _ => {
                    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                    return Err(V1Error::new("UNKNOWN_PARAMETER").at(Source::Parameter(shown)));
                }
            }
        }
        if let Some(text) = &list.cursor_text {
            let cursor = Cursor::decode(text, &list.scope());
            let refused =
                || V1Error::parameter("page[cursor]", "This is no cursor of this list, its order and its filters.");
            list.cursor = Some(cursor.ok_or_else(refused)?);
        }
        Ok(list)
    }

    /// The rows to read: one more than the page has, which tells whether there is another.
    pub fn slice(&self) -> Slice {
        let after = self.cursor.map_or_else(|| Slice::start(self.newest_first), |cursor| (cursor.at, cursor.id));
        Slice { newest_first: self.newest_first, after, limit: self.size.saturating_add(1) }
    }

    /// A filter's text.
    pub fn filter(&self, name: &str) -> Option<&str> {
        self.filters.get(name).map(String::as_str)
    }

    #[allow(dead_code, reason = "for filters that are no plain texts")]
    /// A filter's value; one that can't be read is refused.
    pub fn parsed_filter<T: FromStr>(&self, name: &str) -> Result<Option<T>, V1Error> {
        let refused = |_| V1Error::parameter(&format!("filter[{name}]"), "There is no such value.");
        self.filter(name).map(|text| text.parse().map_err(refused)).transpose()
    }

    /// The page of `rows`, which were read by [`ListQuery::slice`]; `key` is a row's time of creation and id.
    pub fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> (DateTime<Utc>, Uuid),
        resource: impl FnMut(R) -> Resource<T>,
    ) -> ListDocument<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let is_more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().map(key).filter(|_| is_more);
        let next_cursor = last.map(|(at, id)| Cursor { at, id }.encode(&self.scope()));
        let links = PageLinks {
            own: self.link(self.cursor_text.as_deref()),
            next: next_cursor.as_deref().map(|cursor| self.link(Some(cursor))),
        };
        let meta = PageMeta { page: PageInfo { size: self.size, next_cursor } };
        ListDocument { data: rows.into_iter().map(resource).collect(), links, meta }
    }

    const fn sort(&self) -> &'static str {
        if self.newest_first { "-created" } else { "created" }
    }

    /// What a cursor is bound to.
    fn scope(&self) -> String {
        let mut scope = format!("{}|{}", self.path, self.sort());
        for (name, value) in &self.filters {
            let _ = write!(scope, "|{name}={}:{value}", value.len());
        }
        scope
    }

    fn link(&self, cursor: Option<&str>) -> String {
        let size = self.size.to_string();
        let mut link = format!("{}?page%5Bsize%5D={size}&sort={}", self.path, self.sort());
        for (name, value) in &self.filters {
            let _ = write!(link, "&filter%5B{name}%5D={}", percent_encoded(value));
        }
        if let Some(cursor) = cursor {
            let _ = write!(link, "&page%5Bcursor%5D={cursor}");
        }
        link
    }
}

fn size(text: &str) -> Result<i64, V1Error> {
    let size = text.parse().ok().filter(|size| (1..=SIZE_MAX).contains(size) && !text.starts_with('+'));
    size.ok_or_else(|| V1Error::parameter("page[size]", format!("This is a whole number from 1 to {SIZE_MAX}.")))
}

fn newest_first(text: &str) -> Result<bool, V1Error> {
    match text {
        "-created" => Ok(true),
        "created" => Ok(false),
        _ => Err(V1Error::parameter("sort", "This is created or -created.")),
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<ListQuery, V1Error> {
        ListQuery::parse("/v1/customers", query, &["email"])
    }

    #[test]
    fn a_list_is_asked_for_by_known_parameters_only() {
        let list = parse("page%5Bsize%5D=3&filter[email]=a%2Bb%40c&sort=created").unwrap();
        assert_eq!((list.slice().limit, list.slice().newest_first, list.filter("email")), (4, false, Some("a+b@c")));
        assert_eq!(parse("").unwrap().slice().limit, 21);
        for (query, code, parameter) in [
            ("page[size]=0", "INVALID_PARAMETER", "page[size]"),
            ("page[size]=101", "INVALID_PARAMETER", "page[size]"),
            ("page[size]=%2B5", "INVALID_PARAMETER", "page[size]"),
            ("page[size]=x", "INVALID_PARAMETER", "page[size]"),
            ("page[number]=1", "UNKNOWN_PARAMETER", "page[number]"),
            ("filter[name]=x", "UNKNOWN_PARAMETER", "filter[name]"),
            ("filter[email]=", "INVALID_PARAMETER", "filter[email]"),
            ("filter[email]=a&filter[email]=b", "INVALID_PARAMETER", "filter[email]"),
            ("sort=name", "INVALID_PARAMETER", "sort"),
            ("page[cursor]=x", "INVALID_PARAMETER", "page[cursor]"),
            ("x", "UNKNOWN_PARAMETER", "x"),
        ] {
            let error = parse(query).unwrap_err();
            let error = &error.errors()[0];
            assert_eq!((&*error.code, &error.source), (code, &Some(Source::Parameter(parameter.into()))), "{query}");
        }
    }

    #[test]
    fn a_page_links_to_the_next() {
        let list = parse("page[size]=2&filter[email]=a@b").unwrap();
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let rows: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
        let page = list.page(rows.clone(), |id| (at, *id), |id| Resource::new("customer", "/v1/customers", id, ()));
        assert_eq!(page.data.len(), 2);
        let next = page.links.next.unwrap();
        let (_, query) = next.split_once('?').unwrap();
        let next = parse(query).unwrap();
        assert_eq!(next.slice().after, (at, rows[1]));
        assert!(next.page(vec![rows[2]], |id| (at, *id), |id| Resource::new("c", "/c", id, ())).links.next.is_none());
        let other = query.replace("a%40b", "c%40d");
        assert!(parse(&other).is_err());
    }
}
