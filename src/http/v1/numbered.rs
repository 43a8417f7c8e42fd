//! Lists whose rows are numbered: a file's lines, a batch's rows, a request's events. They go from the first number on, and so do
//! their cursors; the page's form is the one of every list.

use actix_web::web;
use chrono::{DateTime, Utc};

use super::document::{ListDocument, PageInfo, PageLinks, PageMeta, Resource};
use super::error::{Source, V1Error};
use super::list::{SIZE_DEFAULT, SIZE_MAX};

/// A row's number, and its number within that.
pub type Number = (i32, i16);

/// A page of a numbered list, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedQuery {
    path: String,
    size: i64,
    /// The row before the page.
    pub after: Number,
    cursor: Option<String>,
}

impl NumberedQuery {
    /// Reads the query of `path`: `page[size]` and `page[cursor]`, and nothing else.
    pub fn parse(path: &str, query: &str) -> Result<Self, V1Error> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query)
            .map_err(|_| V1Error::new("INVALID_PARAMETER").with_detail("The query can't be read."))?;
        let mut list = Self { path: path.to_owned(), size: SIZE_DEFAULT, after: (-1, 0), cursor: None };
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in pairs.iter() {
            if seen.contains(&name.as_str()) {
                return Err(V1Error::parameter(name, "This is there twice."));
            }
            seen.push(name);
            match name.as_str() {
                "page[size]" => {
                    let size = value.parse().ok().filter(|size| (1..=SIZE_MAX).contains(size));
                    let detail = format!("This is a whole number from 1 to {SIZE_MAX}.");
                    list.size = size.ok_or_else(|| V1Error::parameter(name, detail))?;
                }
                "page[cursor]" => {
                    let refused = || V1Error::parameter(name, "This is no cursor of this list.");
                    list.after = number_of(value).ok_or_else(refused)?;
                    list.cursor = Some(value.clone());
                }
                _ => {
                    let shown: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
                    return Err(V1Error::new("UNKNOWN_PARAMETER").at(Source::Parameter(shown)));
                }
            }
        }
        Ok(list)
    }

    /// How many rows to read: one more than the page has, which tells whether there is another.
    pub fn limit(&self) -> i64 {
        self.size.saturating_add(1)
    }

    /// The rows of a list that was read whole.
    pub fn of<R>(&self, mut rows: Vec<R>, number: impl Fn(&R) -> Number) -> Vec<R> {
        rows.retain(|row| number(row) > self.after);
        rows.truncate(usize::try_from(self.limit()).unwrap_or(usize::MAX));
        rows
    }

    /// The page of `rows`, which come in the order of their numbers.
    pub fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        number: impl Fn(&R) -> Number,
        resource: impl FnMut(R) -> Resource<T>,
    ) -> ListDocument<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let is_more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().map(number).filter(|_| is_more);
        let next_cursor = last.map(|(major, minor)| format!("{major}.{minor}"));
        let links = PageLinks {
            own: self.link(self.cursor.as_deref()),
            next: next_cursor.as_deref().map(|cursor| self.link(Some(cursor))),
        };
        let meta = PageMeta { page: PageInfo { size: self.size, next_cursor } };
        ListDocument { data: rows.into_iter().map(resource).collect(), links, meta }
    }

    fn link(&self, cursor: Option<&str>) -> String {
        let link = format!("{}?page%5Bsize%5D={}", self.path, self.size);
        match cursor {
            Some(cursor) => format!("{link}&page%5Bcursor%5D={cursor}"),
            None => link,
        }
    }
}

fn number_of(text: &str) -> Option<Number> {
    let (major, minor) = text.split_once('.')?;
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(major) || !plain(minor) {
        return None;
    }
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A time in a `filter[...]`: RFC 3339, to the microsecond, which is what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterTime(pub DateTime<Utc>);

impl std::str::FromStr for FilterTime {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let time = DateTime::parse_from_rfc3339(text).map_err(drop)?;
        DateTime::from_timestamp_micros(time.timestamp_micros()).map(Self).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_list_goes_on_behind_its_cursor() {
        let query = |text: &str| NumberedQuery::parse("/v1/x", text);
        let first = query("page[size]=2").unwrap();
        let rows: Vec<i32> = (0..5).collect();
        let number = |row: &i32| (*row, 0);
        let page = first.page(first.of(rows.clone(), number), number, |row| Resource::new("x", "/v1/x", row, ()));
        assert_eq!(page.data.len(), 2);
        let next = page.links.next.unwrap();
        let (_, text) = next.split_once('?').unwrap();
        let second = query(text).unwrap();
        assert_eq!((second.after, second.of(rows, number)), ((1, 0), vec![2, 3, 4]));
        for bad in ["page[cursor]=1", "page[cursor]=a.b", "page[cursor]=-1.0", "page[size]=0", "sort=created"] {
            assert!(query(bad).is_err(), "{bad}");
        }
    }
}
