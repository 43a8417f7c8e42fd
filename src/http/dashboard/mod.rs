//! The staff dashboard: server-rendered pages over `staff`, one style sheet, and one script that adds comfort and is needed for nothing.
//! Owns cookies, forms, words and layout; holds no SQL and no rule.
//!
//! Mount [`routes`] where the role `dashboard` is served, with `web::Data<Staff>` and `web::Data<Desk>` in the app data:
//!
//! ```ignore
//! App::new().app_data(web::Data::from(staff)).app_data(web::Data::from(desk)).configure(http::dashboard::routes)
//! ```
//!
//! A page's address names its mode (`/dashboard/test/offers`), so that test and live are never mistaken for each other. Whatever
//! comes from outside is text: askama escapes it, and the content security policy allows no script but our own file.

mod account;
mod accounts;
mod approvals;
mod assets;
mod audit;
mod balances;
mod case;
mod cell;
mod chart;
mod charts;
mod cookies;
mod customer;
mod customers;
mod decide;
mod detail;
mod error;
mod form;
mod frame;
mod key;
mod keys;
mod list;
mod live;
mod moderation;
mod offer;
mod offers;
mod overview;
mod partners;
mod parts;
mod payout;
mod payouts;
mod person;
mod query;
mod rates;
mod request;
mod requests;
mod schemes;
mod search;
mod sign_in;
mod staff;
mod story;
mod switch;
mod visitor;
mod webhooks;
mod words;
mod zone;

use actix_web::body::MessageBody;
use actix_web::dev::{Response, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::{DefaultHeaders, Next, from_fn};
use actix_web::{Error, HttpResponse, Route, web};

use crate::domain::staff::Role;
use crate::staff::manage::{KEEPS_KEYS, MANAGES};
use crate::staff::moderation::DECIDES;
use crate::staff::people::KEEPS_STAFF;
use crate::staff::schemes::ROUTES;
use crate::staff::terms::TERMS;
pub use error::PageError;

/// The largest form that is taken, in bytes: two texts of a thousand characters in any script fit, percent-encoded.
const FORM_BYTES_MAX: usize = 32_768;

/// Nothing but our own style sheet, our own script and what it asks us, and forms to ourselves; nothing inline, no frame, no plug-in, no
/// other origin. Whoever managed to write into a page would still run nothing: texts aren't made into markup by scripts either.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The dashboard under `/dashboard`, and the way there from `/`.
pub fn routes(config: &mut web::ServiceConfig) {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::X_FRAME_OPTIONS, "DENY"))
        .add((header::REFERRER_POLICY, "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        // Assets say otherwise.
        .add((header::CACHE_CONTROL, "no-store"));
    let scope = web::scope(PREFIX)
        .wrap(from_fn(keep_own_errors))
        .wrap(headers)
        .app_data(
            web::FormConfig::default().limit(FORM_BYTES_MAX).error_handler(|error, _| PageError::from(error).into()),
        )
        .app_data(web::QueryConfig::default().error_handler(|_, _| PageError::NotFound.into()))
        .default_service(web::to(error::not_found));
    let pages = table().into_iter().fold(scope, |scope, (address, route)| scope.route(address.path, route));
    config.service(web::redirect("/", PREFIX).see_other()).service(pages);
}

/// Under which all addresses lie.
pub const PREFIX: &str = "/dashboard";

/// Whether a path is answered with pages.
pub fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whom an address answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever asks.
    Anybody,
    /// Somebody with a living session, whose role is this or a higher one.
    Staff(Role),
}

/// An address of the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub method: Method,
    /// Under [`PREFIX`].
    pub path: &'static str,
    pub access: Access,
}

/// Every address. What its access says is done by the handlers and by `staff`; the tests hold them to it.
pub fn addresses() -> Vec<Address> {
    table().into_iter().map(|(address, _)| address).collect()
}

/// Every address with what answers there, in the order in which they are looked for.
fn table() -> Vec<(Address, Route)> {
    use Access::{Anybody, Staff};
    let (view, decide, route_it) = (Staff(Role::Viewer), Staff(DECIDES), Staff(ROUTES));
    let change_terms = Staff(TERMS);
    let (manage, keep_keys, keep_staff) = (Staff(MANAGES), Staff(KEEPS_KEYS), Staff(KEEPS_STAFF));
    let get = |path, access, route: Route| (Address { method: Method::GET, path, access }, route.method(Method::GET));
    let post =
        |path, access, route: Route| (Address { method: Method::POST, path, access }, route.method(Method::POST));
    vec![
        get("", view, web::to(overview::home)),
        get("/", view, web::to(overview::home)),
        get("/assets/dashboard.css", Anybody, web::to(assets::style_sheet)),
        get("/assets/dashboard.js", Anybody, web::to(assets::script)),
        get("/assets/icon.svg", Anybody, web::to(assets::icon)),
        get("/sign-in", Anybody, web::to(sign_in::form)),
        post("/sign-in", Anybody, web::to(sign_in::submit)),
        get("/sign-in/code", Anybody, web::to(sign_in::code_form)),
        post("/sign-in/code", Anybody, web::to(sign_in::code_submit)),
        post("/sign-out", view, web::to(sign_in::sign_out)),
        get("/account", view, web::to(account::page)),
        post("/account/zone", view, web::to(account::zone_submit)),
        post("/account/sessions/end", view, web::to(account::end_sessions)),
        get("/account/password", view, web::to(account::password_page)),
        post("/account/password", view, web::to(account::password_submit)),
        get("/account/totp", view, web::to(account::totp_page)),
        post("/account/totp", view, web::to(account::totp_submit)),
        post("/account/totp/offer", view, web::to(account::totp_offer)),
        get("/{mode}", view, web::to(overview::page)),
        get("/{mode}/live", view, web::to(live::events)),
        get("/{mode}/schemes", view, web::to(list::page::<schemes::list::Schemes>)),
        get("/{mode}/schemes.csv", view, web::to(list::file::<schemes::list::Schemes>)),
        get("/{mode}/schemes/new", route_it, web::to(schemes::new::page)),
        post("/{mode}/schemes/new", route_it, web::to(schemes::new::submit)),
        get("/{mode}/schemes/{partner}/{id}", view, web::to(schemes::one::page)),
        get("/{mode}/schemes/{partner}/{id}/versions/{version}", view, web::to(schemes::one::version)),
        get("/{mode}/schemes/{partner}/{id}/edit", route_it, web::to(schemes::edit::page)),
        post("/{mode}/schemes/{partner}/{id}/edit", route_it, web::to(schemes::edit::submit)),
        get("/{mode}/partners", view, web::to(list::page::<partners::list::Partners>)),
        get("/{mode}/partners.csv", view, web::to(list::file::<partners::list::Partners>)),
        get("/{mode}/partners/{id}", view, web::to(partners::one::page)),
        get("/{mode}/partners/{id}/versions/{version}", view, web::to(partners::one::version)),
        get("/{mode}/partners/{id}/edit", change_terms, web::to(partners::edit::page)),
        post("/{mode}/partners/{id}/edit", change_terms, web::to(partners::edit::submit)),
        get("/{mode}/search", view, web::to(search::page)),
        post("/{mode}/search", view, web::to(search::submit)),
        get("/{mode}/offers", view, web::to(list::page::<offers::Offers>)),
        get("/{mode}/offers.csv", view, web::to(list::file::<offers::Offers>)),
        get("/{mode}/offers/{partner}/{id}", view, web::to(offer::page)),
        get("/{mode}/requests", view, web::to(list::page::<requests::Requests>)),
        get("/{mode}/requests.csv", view, web::to(list::file::<requests::Requests>)),
        get("/{mode}/requests/{partner}/{id}", view, web::to(request::page)),
        post("/{mode}/requests/{partner}/{id}/decide", decide, web::to(decide::submit)),
        get("/{mode}/payouts", view, web::to(list::page::<payouts::Payouts>)),
        get("/{mode}/payouts.csv", view, web::to(list::file::<payouts::Payouts>)),
        get("/{mode}/payouts/{partner}/{id}", view, web::to(payout::page)),
        get("/{mode}/customers", view, web::to(list::page::<customers::Customers>)),
        get("/{mode}/customers.csv", view, web::to(list::file::<customers::Customers>)),
        get("/{mode}/customers/{partner}/{id}", view, web::to(customer::page)),
        post("/{mode}/customers/{partner}/{id}/block", manage, web::to(customer::block)),
        get("/{mode}/accounts", view, web::to(accounts::page)),
        post("/{mode}/accounts/switch", manage, web::to(switch::submit)),
        get("/{mode}/balances", view, web::to(list::page::<balances::Balances>)),
        get("/{mode}/balances.csv", view, web::to(list::file::<balances::Balances>)),
        get("/{mode}/deposit-accounts/{partner}/{id}", view, web::to(balances::page)),
        get("/{mode}/provider-accounts.csv", view, web::to(list::file::<accounts::ProviderAccounts>)),
        get("/{mode}/deposit-accounts.csv", view, web::to(list::file::<accounts::DepositAccounts>)),
        get("/{mode}/routes.csv", view, web::to(list::file::<accounts::Routes>)),
        get("/{mode}/points.csv", view, web::to(list::file::<accounts::Points>)),
        get("/{mode}/rates", view, web::to(rates::page)),
        get("/{mode}/rates.csv", view, web::to(list::file::<rates::Quotes>)),
        get("/{mode}/webhooks", view, web::to(list::page::<webhooks::Endpoints>)),
        get("/{mode}/webhooks.csv", view, web::to(list::file::<webhooks::Endpoints>)),
        get("/{mode}/webhooks/{partner}/{id}", view, web::to(webhooks::page)),
        post("/{mode}/webhooks/{partner}/{id}/do", manage, web::to(webhooks::submit)),
        get("/{mode}/keys", keep_keys, web::to(list::page::<keys::Keys>)),
        get("/{mode}/keys.csv", keep_keys, web::to(list::file::<keys::Keys>)),
        get("/{mode}/keys/new", keep_keys, web::to(key::form)),
        post("/{mode}/keys/new", keep_keys, web::to(key::make)),
        get("/{mode}/keys/{partner}/{id}", keep_keys, web::to(key::page)),
        post("/{mode}/keys/{partner}/{id}/revoke", keep_keys, web::to(key::revoke)),
        get("/{mode}/staff", keep_staff, web::to(list::page::<staff::Accounts>)),
        get("/{mode}/staff.csv", keep_staff, web::to(list::file::<staff::Accounts>)),
        get("/{mode}/staff/new", keep_staff, web::to(person::form)),
        post("/{mode}/staff/new", keep_staff, web::to(person::invite)),
        get("/{mode}/staff/{id}", keep_staff, web::to(person::page)),
        post("/{mode}/staff/{id}/change", keep_staff, web::to(person::change)),
        get("/{mode}/audit", manage, web::to(list::page::<audit::Audit>)),
        get("/{mode}/audit.csv", manage, web::to(list::file::<audit::Audit>)),
        get("/{mode}/audit/check", manage, web::to(audit::check)),
        get("/{mode}/moderation", view, web::to(moderation::page)),
        get("/{mode}/moderation.csv", view, web::to(list::file::<moderation::Waiting>)),
        get("/{mode}/approvals", view, web::to(list::page::<approvals::Approvals>)),
        get("/{mode}/approvals.csv", view, web::to(list::file::<approvals::Approvals>)),
        get("/{mode}/approvals/{id}", view, web::to(approvals::one)),
        post("/{mode}/approvals/{id}/decide", decide, web::to(approvals::submit)),
        get("/{mode}/cases/{id}", view, web::to(case::page)),
        post("/{mode}/cases/{id}/close", decide, web::to(case::submit)),
    ]
}

/// Takes the error off an answer that it was already turned into: the edge around all routes would put the API's JSON in place of a
/// page that is for people.
async fn keep_own_errors(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let (request, answer) = zone::answering(next.call(request)).await?.into_parts();
    Ok(ServiceResponse::new(request, HttpResponse::from(Response::from(answer))))
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service, read_body};

    use super::*;
    use crate::http::context::edge;

    #[actix_web::test]
    async fn people_are_told_in_html_also_inside_the_edge_of_the_api() {
        let app = init_service(App::new().wrap(from_fn(edge)).configure(routes)).await;
        let answer = call_service(&app, TestRequest::get().uri("/dashboard/no/such/page").to_request()).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header(header::CONTENT_TYPE), Some("text/html; charset=utf-8"));
        assert_eq!(header(header::CONTENT_SECURITY_POLICY), Some(CONTENT_SECURITY_POLICY));
        let body = read_body(answer).await;
        assert!(String::from_utf8_lossy(&body).contains("There is no such page"));
    }
}
