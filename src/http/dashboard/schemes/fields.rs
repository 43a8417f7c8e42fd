//! The fields of the editor's form: many, with names that are made up as nodes are, and larger than other forms.

use actix_web::error::UrlencodedError;
use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::StreamExt;

use crate::http::dashboard::error::PageError;

/// The largest form, in bytes: a body of what the API takes, percent-encoded.
pub const FORM_BYTES_MAX: usize = 256 * 1024;
/// The most fields: all routes of several strategies.
const FIELDS_MAX: usize = 4_000;

#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form. Whoever sends it is known by then.
    pub async fn read(mut payload: web::Payload) -> Result<Self, PageError> {
        let mut bytes = web::BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| PageError::from(UrlencodedError::Payload(error)))?;
            if bytes.len().saturating_add(chunk.len()) > FORM_BYTES_MAX {
                return Err(PageError::Request(StatusCode::PAYLOAD_TOO_LARGE));
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| PageError::Form)?;
        let read = web::Query::<Vec<(String, String)>>::from_query(text).map_err(|_| PageError::Form)?;
        let fields = read.into_inner();
        if fields.len() > FIELDS_MAX { Err(PageError::Form) } else { Ok(Self(fields)) }
    }

    /// What a field says, trimmed; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// The same with the blanks around it: what is told of a text by lines counts them.
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// `None`: there is no such field, as of a box that isn't ticked.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// How many rows there are of fields named `prefix` and a number.
    pub fn rows(&self, prefix: &str) -> usize {
        let number = |name: &str| name.strip_prefix(prefix)?.split('.').next()?.parse::<usize>().ok();
        self.0
            .iter()
            .filter_map(|(name, _)| number(name))
            .max()
            .map_or(0, |last| last.saturating_add(1))
            .min(FIELDS_MAX)
    }

    #[cfg(test)]
    pub fn of(fields: &[(&str, &str)]) -> Self {
        Self(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}
