//! `seed`: a database of as many payouts as are wanted, for measuring what reads them. A few payouts are really made, by the sandbox; the
//! rest are copies of them that the database writes itself.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use landfall::app::{App, Database};
use landfall::config::Settings;
use landfall::domain::ids::{Mode, PayoutRequestId};
use landfall::rates::{Tick, pair_text};
use landfall::store::seeding::{self, Original, Range};
use landfall::wallet::User;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::cards::AddCard;
use landfall::wallet::offers::OfferInput;
use rust_decimal::dec;

use super::{Failure, system_clock};

/// The sandbox pays to the first, and declines the second for good.
const PAID: &str = "4111111111111111";
const DECLINED: &str = "4000000000130205";
/// How many copies are written at once.
const BATCH: i64 = 20_000;
/// One in so many was declined.
const DECLINED_ONE_IN: i64 = 20;

#[derive(Args)]
pub struct Arguments {
    /// How many offers, each with its request and payout.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(20..=50_000_000))]
    offers: i64,
}

pub async fn run(settings: Settings, arguments: Arguments) -> Result<ExitCode, Failure> {
    if settings.is_live() {
        return Err("copies of payouts are made where no live mode is served".into());
    }
    let database = Database::open(&settings).await?;
    let app = App::build(settings, system_clock(), database.db.clone()).await?;
    fill(&app, arguments.offers).await?;
    drop(app);
    database.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Makes the originals and copies them until there are so many.
pub async fn fill(app: &App, offers: i64) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut conn = app.db.dedicated().await?;
    if seeding::count(&mut conn).await? > 0 {
        // Whatever is due is worked below, and what isn't ours is somebody's money.
        return Err("this database has offers or payout requests already: take an empty one".into());
    }
    let user = app.wallet.user("demo", Mode::Test, "seed", Some(3)).await?;
    app.wallet.credit(&user, "USDT", &(offers.saturating_mul(200)).to_string(), "seed").await?;
    let paid = pay(app, &user, PAID).await?;
    let declined = pay(app, &user, DECLINED).await?;
    let now = app.clock.now();
    seeding::begin(&mut conn).await?;
    seeding::customers(&mut conn, paid, offers, now).await?;
    let mut from = 0;
    while from < offers {
        let until = (from + BATCH).min(offers);
        let middle = until - (until - from) / DECLINED_ONE_IN;
        seeding::copy(&mut conn, paid, Range { from, until: middle, of: offers }, now).await?;
        seeding::copy(&mut conn, declined, Range { from: middle, until, of: offers }, now).await?;
        from = until;
        progress(from, offers, begun);
    }
    seeding::end(&mut conn, paid.partner_id).await?;
    super::complain(&format!("{offers} offers were written in {} s", begun.elapsed().as_secs()));
    Ok(())
}

/// One line that grows, where somebody looks; nothing where a file does.
fn progress(done: i64, all: i64, begun: Instant) {
    let mut err = std::io::stderr();
    if !err.is_terminal() {
        return;
    }
    let tenths = usize::try_from(done.saturating_mul(40) / all.max(1)).unwrap_or(0);
    let bar = format!("{}{}", "#".repeat(tenths), ".".repeat(40_usize.saturating_sub(tenths)));
    let end = if done == all { "\n" } else { "" };
    let _ = write!(err, "\r[{bar}] {done} of {all}, {} s{end}", begun.elapsed().as_secs());
    let _ = err.flush();
}

/// One payout by the sandbox, until it is over.
async fn pay(app: &App, user: &User, number: &str) -> Result<Original, Failure> {
    let now = app.clock.now();
    if let Some(board) = app.wallet.rates.board(Mode::Test) {
        let pair = pair_text::parse("USDT/EUR").map_err(|error| error.to_string())?;
        board.record("fixed", &[Tick { pair, bid: dec!(0.9297), ask: dec!(0.9301), source_time: Some(now) }], now);
    }
    let card = AddCard {
        number: number.to_owned().into(),
        holder: "SEED SEED".to_owned(),
        expiry_year: "2035".to_owned(),
        expiry_month: "12".to_owned(),
    };
    let card_id = app.wallet.add_card(user, card).await?.id;
    let input = OfferInput {
        amount: Some("100".to_owned()),
        amount_to: None,
        currency_from: "USDT".to_owned(),
        currency_to: "EUR".to_owned(),
    };
    let offer_id = app.wallet.create_offer(user, input, card_id).await?.id;
    let request_id = PayoutRequestId::new();
    let pay = Pay { user: user.clone(), offer_id, seen_version: None, request_id };
    let answers = app.wallet.accept(&[pay]).await?;
    if !matches!(answers[..], [Answer::Accepted(_)]) {
        return Err("the first payout wasn't accepted".into());
    }
    for _ in 0..20 {
        let (tasks, _) = app.gateway.dispatch(16).await?;
        let resent = app.gateway.claim_invokes(16).await?.tasks;
        for task in tasks.into_iter().chain(resent) {
            let report = app.gateway.send(&task).await.ok_or("the sandbox can't be asked")?;
            app.gateway.complete(&[report]).await?;
        }
        for payout in app.gateway.claim_inquiries(16).await? {
            let report = app.gateway.inquire(&payout).await.ok_or("the sandbox can't be asked")?;
            app.gateway.complete(&[report]).await?;
        }
        let conn = app.db.get().await?;
        let request = landfall::store::requests::find(&conn, user.tenant, request_id).await?;
        if request.is_some_and(|request| request.status.is_final()) {
            return Ok(Original { partner_id: user.tenant.partner_id, offer_id, request_id });
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    Err("the sandbox didn't finish the first payouts".into())
}
