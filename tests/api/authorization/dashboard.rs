//! The dashboard: no session, one that is over or made up, forms that another browser was given, roles that are too low, and addresses
//! that name another partner or mode than the thing has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall::domain::staff::Role;
use reqwest::RequestBuilder;
use sha2::{Digest, Sha256};

use super::routes::{Route, Table};
use super::stage::Stage;
use super::sweep::{Sweep, Way, told};

const FACE: &str = "Staff's sessions";
const SIGNED_OUT: &str = "303 to /dashboard/sign-in";
const FORM: &str = "403 a form that isn't this session's";
const NO_PAGE: &str = "404 no such page";

/// Cookies that are nobody's, or nobody's any more.
fn unsound(stage: &Stage) -> Vec<(&'static str, Option<String>)> {
    let cookie = |name: &str| Some(stage.staff[name].cookie.clone());
    let token = URL_SAFE_NO_PAD.decode(&stage.staff["admin"].cookie).unwrap();
    vec![
        ("no cookie", None),
        ("a made-up cookie", Some(URL_SAFE_NO_PAD.encode([7; 32]))),
        ("a cookie that can't be one", Some("admin".to_owned())),
        ("what the database keeps of a session", Some(URL_SAFE_NO_PAD.encode(Sha256::digest(token)))),
        ("a session's form token as its cookie", Some(stage.staff["admin"].form_token.clone())),
        ("an idle session", cookie("idle")),
        ("a session past its age", cookie("expired")),
        ("a session that was signed out", cookie("signed out")),
        ("a session of a disabled account", cookie("disabled")),
    ]
}

fn show(stage: &Stage, route: &Route, path: &str, cookie: Option<&str>, form_token: Option<&str>) -> RequestBuilder {
    let mut request = stage.request(route, path);
    if let Some(cookie) = cookie {
        request = stage.with_cookie(request, cookie);
    }
    if route.method != "POST" {
        return request;
    }
    let form = match (route.path.rsplit('/').next(), form_token) {
        (Some("decide"), _) => "seen=1&decision=reject&reason=none&evidence=none",
        (Some("edit"), _) => "op=check&version=1&body=%7B%7D",
        (Some("end"), _) => "session=AAAA",
        (Some("close"), _) => "end=explained&reason=none&evidence=none",
        (Some("sign-out"), _) => "a=b",
        (Some("search"), _) => "q=1111",
        (Some("block"), _) => "entry=&reason=none",
        (Some("switch"), _) => "what=&to=off",
        (Some("revoke"), _) => "a=b",
        (Some("do"), _) => "deed=disable",
        (Some("zone"), _) => "zone=Europe%2FBerlin",
        (Some("change"), _) => "to=role&role=viewer",
        (Some("new"), _) => "partner=demo&name=swept",
        (Some("code"), _) => "code=123456",
        (Some("password"), _) => "old=none&new=none&again=none",
        (Some("totp"), _) => "code=123456",
        (Some("offer"), _) => "password=correct%20horse%20battery%20staple",
        (Some("sign-in"), _) => "email=admin%40landfall.example&password=correct%20horse%20battery%20staple",
        (other, _) => panic!("dashboard.rs has no form for {other:?}"),
    };
    let form = form_token.map_or(form.to_owned(), |token| format!("{form}&form_token={token}"));
    request.header("Content-Type", "application/x-www-form-urlencoded").body(form)
}

pub async fn refused(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let unsound = unsound(stage);
    let admin = &stage.staff["admin"];
    for (route, least) in table.of_staff() {
        let path = stage.path(route);
        let token = Some(admin.form_token.as_str());
        let mut place = 0;
        let mut way = |name| {
            place += 1;
            Way { face: FACE, place, name }
        };
        for (name, cookie) in &unsound {
            sweep.ask(way(name), route, show(stage, route, &path, cookie.as_deref(), token), SIGNED_OUT).await;
        }
        let forms = forms(stage);
        for (name, form_token) in &forms {
            let way = way(name);
            if route.method == "POST" {
                sweep.ask(way, route, show(stage, route, &path, Some(&admin.cookie), *form_token), FORM).await;
            }
        }
        for (role, name) in [(Role::Viewer, "a viewer"), (Role::Support, "support"), (Role::Operator, "an operator")] {
            let (way, session) = (way(name), &stage.staff[role.as_str()]);
            if role < least {
                let request = show(stage, route, &path, Some(&session.cookie), Some(&session.form_token));
                sweep.ask(way, route, request, "403 the role is too low").await;
            }
        }
        let of_acme = way("the address names another partner");
        if route.path.contains("{partner}") {
            let path = path.replace("/demo/", "/acme/");
            sweep.ask(of_acme, route, show(stage, route, &path, Some(&admin.cookie), token), NO_PAGE).await;
        }
        let of_live = way("the address names another mode");
        if route.path.contains("{mode}") {
            let path = path.replace("/dashboard/test", "/dashboard/live");
            sweep.ask(of_live, route, show(stage, route, &path, Some(&admin.cookie), token), NO_PAGE).await;
        }
    }
    // The sign-in has a form too, which belongs to a cookie of its own.
    for route in
        table.open().into_iter().filter(|route| route.path.starts_with("/dashboard/") && route.method == "POST")
    {
        for (place, (name, form_token)) in forms(stage).iter().enumerate() {
            let way = Way { face: FACE, place: unsound.len() + 1 + place, name };
            sweep.ask(way, route, show(stage, route, &route.path, None, *form_token), FORM).await;
        }
    }
}

/// Form tokens that this browser wasn't given.
fn forms(stage: &Stage) -> [(&'static str, Option<&str>); 4] {
    [
        ("a form without a token", None),
        ("an empty form token", Some("")),
        ("a made-up form token", Some("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("another session's form token", Some(&stage.staff["operator"].form_token)),
    ]
}

/// Whoever has just the role gets past all of it: to the page, or to what the form itself has to say.
pub async fn let_in(sweep: &mut Sweep<'_>, table: &Table) {
    let stage = sweep.stage;
    let mut routes = table.of_staff();
    routes.sort_by_key(|(route, _)| route.path.ends_with("/sign-out"));
    for (route, least) in routes {
        let session = &stage.staff[least.as_str()];
        let request = show(stage, route, &stage.path(route), Some(&session.cookie), Some(&session.form_token));
        // Its answer goes on for as long as somebody looks.
        if route.path.ends_with("/live") {
            let answer = request.send().await.unwrap();
            let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            if answer.status() != 200 || !kind.starts_with("text/event-stream") {
                sweep.wrong(format!("{}: a {least} is told {}", route.name(), answer.status()));
            }
            continue;
        }
        // As a browser that doesn't go where it is led.
        let answer = stage.send(request).await;
        let told = told(&answer);
        let is_in = match answer.status {
            200 | 409 | 422 => true,
            303 => told != SIGNED_OUT || route.path.ends_with("/sign-out"),
            _ => false,
        };
        if !is_in {
            sweep.wrong(format!("{}: a {least} is told {told}", route.name()));
        }
    }
}
