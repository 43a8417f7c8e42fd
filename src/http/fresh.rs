//! Conditional reads (RFC 9110 section 13): an answer has a tag of what is in it, and whoever shows that tag again is told that nothing
//! changed, without a body. A cache may keep such an answer for its one user, and asks each time.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

/// What a tag is made of.
pub enum Tagged<'a> {
    /// The body itself: two answers with one tag are the same, byte for byte.
    Body,
    /// What the body means, without what changes by itself, such as the time that is left.
    Meaning(&'a str),
}

/// Answers `json`, or that nothing changed. `whose` tells callers apart: a tag that one of them was given says nothing to another.
pub fn answer(request: &HttpRequest, whose: &str, media_type: &str, json: String, tagged: &Tagged<'_>) -> HttpResponse {
    let tag = match tagged {
        Tagged::Body => hash(whose, media_type, &json),
        Tagged::Meaning(meaning) => hash(whose, media_type, meaning),
    };
    let is_known = is_known(request, &tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, if matches!(tagged, Tagged::Body) { tag } else { format!("W/{tag}") }))
        .insert_header((CACHE_CONTROL, "private, no-cache"))
        .insert_header((VARY, "Authorization, Accept, Accept-Language"));
    if is_known { response.finish() } else { response.insert_header((CONTENT_TYPE, media_type)).body(json) }
}

/// What is there for everybody, and stays as it is while the process lives: any cache may keep it, and asks each time.
pub struct Public {
    media_type: &'static str,
    body: Bytes,
    tag: String,
}

impl Public {
    pub fn new(media_type: &'static str, body: String) -> Self {
        Self { media_type, tag: hash("", media_type, &body), body: body.into() }
    }

    #[cfg(test)]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let is_known = is_known(request, &self.tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response.insert_header((ETAG, self.tag.as_str())).insert_header((CACHE_CONTROL, "public, no-cache"));
        if is_known {
            return response.finish();
        }
        response.insert_header((CONTENT_TYPE, self.media_type)).body(self.body.clone())
    }
}

fn is_known(request: &HttpRequest, tag: &str) -> bool {
    request.headers().get_all(IF_NONE_MATCH).any(|seen| seen.to_str().is_ok_and(|seen| names(seen, tag)))
}

/// In quotes.
fn hash(whose: &str, media_type: &str, content: &str) -> String {
    let mut hash = Sha256::new();
    for part in [whose, media_type, content] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    format!("\"{}\"", hex::encode(hash.finalize().get(..16).unwrap_or_default()))
}

/// Whether `If-None-Match` names the tag; weak or strong makes no difference there.
fn names(if_none_match: &str, tag: &str) -> bool {
    if_none_match.split(',').map(str::trim).any(|seen| seen == "*" || seen.strip_prefix("W/").unwrap_or(seen) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_again_by_its_owner_alone() {
        let tag = hash("demo/test/alice", "application/json", "{}");
        assert_eq!(tag.len(), 34);
        for seen in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            assert!(names(&seen, &tag), "{seen}");
        }
        let bare = tag.trim_matches('"').to_owned();
        for seen in [String::new(), bare, "\"x\"".to_owned(), hash("demo/test/bob", "application/json", "{}")] {
            assert!(!names(&seen, &tag), "{seen}");
        }
        assert_ne!(hash("ab", "c", "{}"), hash("a", "bc", "{}"));
    }
}
