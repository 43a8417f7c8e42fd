//! The one style sheet, compiled in. Its address carries a hash of its content, so browsers may keep it for good.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

const STYLE_SHEET: &str = include_str!("../../../web/assets/dashboard.css");

/// Where pages find it.
pub static STYLE_SHEET_HREF: LazyLock<String> = LazyLock::new(|| {
    let hash = hex::encode(&Sha256::digest(STYLE_SHEET.as_bytes())[..6]);
    format!("/dashboard/assets/dashboard.css?v={hash}")
});

pub async fn style_sheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/css; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(STYLE_SHEET)
}
