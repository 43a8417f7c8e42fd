//! The dashboard's style sheet, script and icon.

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};

use crate::http::assets::{self, Asset};

const STYLE_SHEET: Asset = Asset::new(
    "/dashboard/assets/dashboard.css",
    "text/css; charset=utf-8",
    concat!(include_str!("../../../web/assets/base.css"), include_str!("../../../web/assets/dashboard.css")),
);
/// Pages are read and forms are sent without it.
const SCRIPT: Asset = Asset::new(
    "/dashboard/assets/dashboard.js",
    "text/javascript; charset=utf-8",
    include_str!("../../../web/assets/dashboard.js"),
);
const ICON: Asset = Asset::new("/dashboard/assets/icon.svg", "image/svg+xml", assets::ICON);

/// Where pages find them.
pub static STYLE_SHEET_HREF: LazyLock<String> = LazyLock::new(|| STYLE_SHEET.href());
pub static SCRIPT_HREF: LazyLock<String> = LazyLock::new(|| SCRIPT.href());

pub async fn style_sheet(request: HttpRequest) -> HttpResponse {
    STYLE_SHEET.answer(&request)
}

pub async fn script(request: HttpRequest) -> HttpResponse {
    SCRIPT.answer(&request)
}

pub async fn icon(request: HttpRequest) -> HttpResponse {
    ICON.answer(&request)
}
