//! The one style sheet, the one script and the icon, compiled in. Their addresses carry a hash of their content, so browsers may keep them for good.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use sha2::{Digest, Sha256};

const STYLE_SHEET: &str = include_str!("../../../web/assets/dashboard.css");
/// Pages are read and forms are sent without it.
const SCRIPT: &str = include_str!("../../../web/assets/dashboard.js");
const ICON: &str = include_str!("../../../web/assets/icon.svg");

/// Where pages find them.
pub static STYLE_SHEET_HREF: LazyLock<String> = LazyLock::new(|| href("dashboard.css", STYLE_SHEET));
pub static SCRIPT_HREF: LazyLock<String> = LazyLock::new(|| href("dashboard.js", SCRIPT));

fn href(name: &str, content: &str) -> String {
    let hash = hex::encode(&Sha256::digest(content.as_bytes())[..6]);
    format!("/dashboard/assets/{name}?v={hash}")
}

pub async fn style_sheet() -> HttpResponse {
    kept("text/css; charset=utf-8", STYLE_SHEET)
}

pub async fn script() -> HttpResponse {
    kept("text/javascript; charset=utf-8", SCRIPT)
}

pub async fn icon() -> HttpResponse {
    kept("image/svg+xml", ICON)
}

fn kept(kind: &'static str, content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(content)
}
