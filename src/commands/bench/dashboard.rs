//! The scenario of the dashboard: how long its pages take over many payouts, each asked for over and over by somebody who is signed in. Has
//! a server and a database of its own, filled as `landfall seed` does.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::Mode;
use landfall::domain::staff::Role;
use landfall::staff::desk::{RequestSearch, Span};
use landfall::staff::{Policy, Staff};
use reqwest::header::{COOKIE, SET_COOKIE};
use secrecy::SecretString;

use super::super::{Failure, system_clock};
use super::load::Measured;

const EMAIL: &str = "bench@localhost";
const PASSWORD: &str = "a bench that measures 1 dashboard";
/// How often each page is asked for.
const TIMES: usize = 60;

/// Fills a database with so many offers and asks for each page.
pub async fn run(settings: Settings, dir: &Path, offers: i64) -> Result<bool, Failure> {
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    let outcome = async {
        crate::commands::seed::fill(&app, offers).await?;
        let policy = Policy { needs_totp: false, mode: Mode::Test };
        let staff = Staff::new(app.db.clone(), system_clock(), Arc::clone(&app.vault), policy)?;
        staff.create(EMAIL, "Bench", Role::Admin, &SecretString::from(PASSWORD)).await?;
        let address = super::free_address()?;
        let mut server = super::start_server(dir, address, &[])?;
        let measured = async {
            super::wait_until_ready(address).await?;
            let pages = pages(&app).await?;
            measure(&format!("http://{address}"), &pages, offers).await
        }
        .await;
        super::stop(&mut server).await?;
        measured
    }
    .await;
    drop(app);
    database.close().await;
    outcome.map(|()| true)
}

/// What is looked at: every list, its filters, a page deep within, and one of each thing.
async fn pages(app: &App) -> Result<Vec<(&'static str, String)>, Failure> {
    let desk = &app.desk;
    let search = RequestSearch::Group(landfall::staff::desk::Group::Paid);
    let some = desk.requests(Mode::Test, &search, Span::default(), None, 500).await?.lines;
    let one = some.get(some.len() / 2).ok_or("there is nothing to look at")?;
    let request = desk.request(Mode::Test, &one.partner, one.id).await?.ok_or("the request is gone")?;
    let payout = request.payouts.first().ok_or("the request has no payout")?;
    let offer = request.request.offer_id.ok_or("the request has no offer")?;
    let customer = request.request.customer_id.ok_or("the request has no customer")?;
    let reference = one.customer.clone().unwrap_or_default();
    let partner = &one.partner;
    let deep = one.created_at - chrono::TimeDelta::days(45);
    let deep = format!("{}.{}", deep.timestamp_micros(), one.id);
    let search = |text: &str| format!("/search?q={text}");
    let rrn = payout.rrn.clone().unwrap_or_default();
    let amount = request.request.amount.to_string();
    Ok(vec![
        ("overview", String::new()),
        ("offers", "/offers".to_owned()),
        ("offers, released", "/offers?status=released".to_owned()),
        ("offers by last four", "/offers?last_four=0042".to_owned()),
        ("offers by customer", format!("/offers?customer={reference}")),
        ("one offer", format!("/offers/{partner}/{offer}")),
        ("requests", "/requests".to_owned()),
        ("requests, 45 days back", format!("/requests?after={deep}")),
        ("requests, unpaid", "/requests?group=unpaid".to_owned()),
        ("requests by amount", format!("/requests?amount={amount}")),
        ("requests by last four", "/requests?last_four=0042".to_owned()),
        ("one request", format!("/requests/{partner}/{}", one.id)),
        ("payouts", "/payouts".to_owned()),
        ("payouts by RRN", format!("/payouts?reference={rrn}")),
        ("one payout", format!("/payouts/{partner}/{}", payout.id)),
        ("customers", "/customers".to_owned()),
        ("one customer", format!("/customers/{partner}/{customer}")),
        ("search: offer", search(&offer.to_string())),
        ("search: last four", search("0042")),
        ("search: amount", search(&amount)),
        ("search: RRN", search(&rrn)),
        ("search: e-mail", search(&format!("{reference}%40example.com"))),
        ("search: nothing", search("no-such-thing")),
        ("payouts of unknown fate", "/payouts?group=unknown".to_owned()),
        ("moderation", "/moderation".to_owned()),
        ("approvals", "/approvals".to_owned()),
        ("schemes", "/schemes".to_owned()),
        ("balances", "/balances".to_owned()),
        ("staff", "/staff".to_owned()),
        ("accounts", "/accounts".to_owned()),
        ("rates", "/rates".to_owned()),
        ("keys", "/keys".to_owned()),
        ("audit", "/audit".to_owned()),
    ])
}

async fn measure(url: &str, pages: &[(&'static str, String)], offers: i64) -> Result<(), Failure> {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let cookie = sign_in(&client, url).await?;
    println!("dashboard: pages over {offers} offers, one client, {TIMES} times each, as the server answers over HTTP");
    println!();
    println!("{:<28} {:>10} {:>10} {:>10} {:>10}", "page", "p50 ms", "p95 ms", "p99 ms", "KB");
    for (name, path) in pages {
        let (mut measured, mut bytes, begun) = (Measured::default(), 0, Instant::now());
        for _ in 0..TIMES {
            let asked = Instant::now();
            let address = format!("{url}/dashboard/test{path}");
            let answer = client.get(address).header(COOKIE, &cookie).send().await?;
            let status = answer.status();
            bytes = answer.bytes().await?.len();
            if status.is_success() || status.is_redirection() {
                measured.note(asked.elapsed());
            } else {
                measured.failures += 1;
            }
        }
        measured.close(begun.elapsed().max(Duration::from_millis(1)));
        println!(
            "{name:<28} {:>10} {:>10} {:>10} {:>10}{}",
            measured.millis(50),
            measured.millis(95),
            measured.millis(99),
            bytes / 1_024,
            if measured.failures > 0 { format!("   {} FAILED", measured.failures) } else { String::new() },
        );
    }
    Ok(())
}

/// The cookie of a session.
async fn sign_in(client: &reqwest::Client, url: &str) -> Result<String, Failure> {
    let page = client.get(format!("{url}/dashboard/sign-in")).send().await?;
    let cookies = |answer: &reqwest::Response| -> Vec<String> {
        let all = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        all.filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
    };
    let mut kept = cookies(&page);
    let body = page.text().await?;
    let token = body.split(r#"name="form_token" value=""#).nth(1).and_then(|rest| rest.split('"').next());
    let token = token.ok_or("the sign-in page has no form")?;
    let encoded = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02X}")).collect() };
    let form = format!("form_token={token}&email={}&password={}", encoded(EMAIL), encoded(PASSWORD));
    let answer = client
        .post(format!("{url}/dashboard/sign-in"))
        .header(COOKIE, kept.join("; "))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await?;
    if answer.status() != 303 {
        return Err(format!("nobody is let in: {}", answer.status()).into());
    }
    kept.extend(cookies(&answer));
    Ok(kept.join("; "))
}
