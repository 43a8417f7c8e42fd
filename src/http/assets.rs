//! Files that are compiled in and served as they are. Their addresses carry a hash of their content, so browsers may keep them for good.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

pub const ICON: &str = include_str!("../../web/assets/icon.svg");

/// A file that is compiled in.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    path: &'static str,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    pub const fn new(path: &'static str, media_type: &'static str, content: &'static str) -> Self {
        Self { path, media_type, content }
    }

    /// Where pages find it.
    pub fn href(&self) -> String {
        format!("{}?v={}", self.path, self.hash())
    }

    /// Of its content, in hexadecimal.
    pub fn hash(&self) -> String {
        hex::encode(&Sha256::digest(self.content.as_bytes())[..6])
    }

    /// To be kept for a year where it was asked for by its hash: another content has another address. Beside a newer node this one may be
    /// asked for what it doesn't have; what it has instead must not be kept under that address.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let is_asked_for = request.query_string().strip_prefix("v=") == Some(self.hash().as_str());
        let kept = if is_asked_for { "public, max-age=31536000, immutable" } else { "public, no-cache" };
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, self.media_type))
            .insert_header((CACHE_CONTROL, kept))
            .body(self.content)
    }
}
