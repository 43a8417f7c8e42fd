//! The page for integrators, `docs/sandbox.md`, made from the [`table`](super::table) so that it can't say anything
//! else. To write it anew: `LANDFALL_BLESS=1 cargo test --lib sandbox_page`.

use std::fmt::{self, Write};
use std::time::Duration;

use super::behaviour::{
    Answer, Behaviour, Callbacks, FIELD_ACCOUNT, FIELD_RESOLUTION, FIELD_STATUS, FIELD_SUCCESS_RATE,
};
use super::callback::SIGNATURE_HEADER;
use super::table::{CURRENCIES, ON_DEMAND, OnDemand, ROWS, Row};
use super::{BALANCE, BALANCE_BY_PROVIDER};
use crate::config::providers::{ProvidersSettings, TestProviderSettings};
use crate::domain::payout::{Resolution, ResolutionClass};

/// The text of the page, with the delays of the shipped configuration.
pub fn page() -> String {
    let mut text = String::new();
    write_page(&mut text, &ProvidersSettings::shipped().test).expect("writing to a String doesn't fail");
    text
}

fn write_page(out: &mut String, settings: &TestProviderSettings) -> fmt::Result {
    writeln!(
        out,
        "# The sandbox\n\n\
         <!-- Made from src/providers/test/table.rs. Don't edit: LANDFALL_BLESS=1 cargo test --lib sandbox_page -->\n\n\
         In test mode no money moves. Payouts go to a built-in provider that keeps its own book and behaves, on demand, as real\n\
         providers do on bad days. You pick what happens with the card number or the amount; the same choice always gives the\n\
         same result, so you can write tests against it.\n\n\
         - Currencies: {}.\n\
         - Any future expiry date and any holder name will do. There is no CVV.\n\
         - The card numbers below are test numbers: they pass every check and reach nobody. Never use a real one here.\n\
         - A card or amount that isn't listed is simply paid.\n\n\
         ## Try it\n\n\
         1. Pay `10.00` to `4111 1111 1111 1111`: it is paid at once.\n\
         2. Pay `10.00` to `4000 0000 0013 0106`: it is pending, and paid about {} later.\n\
         3. Pay `113.02` to `4111 1111 1111 1111`: the amount's ending declines it.\n",
        CURRENCIES.join(", "),
        span(settings.later_ms),
    )?;
    writeln!(
        out,
        "## Cards and amounts\n\n\
         An amount picks a row when it **ends** in the digits shown: `13.05`, `113.05` and `2713.05` are alike. A card from a row\n\
         other than the first goes before the amount. The amount meant is the one that is sent to the provider, in its currency.\n\n\
         | row | card numbers | amount ends in | what happens | how it ends |\n\
         |---|---|---|---|---|"
    )?;
    for row in &ROWS {
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            row.title,
            row.cards.iter().map(|card| format!("`{}`", grouped(card))).collect::<Vec<_>>().join("<br>"),
            row.amount_ending.map_or(String::new(), |ending| format!("`{}.{:02}`", ending / 100, ending % 100)),
            row.what,
            ending_of(row, settings),
        )?;
    }
    writeln!(
        out,
        "\nEnds are those of one payout. A payout that failed for its route may be followed by another one on another route; since\n\
         the same card and amount meet the same there, the request usually fails with the last one's resolution.\n\n\
         ## The test service's fields\n\n\
         Test services, such as `test_usd`, take plain fields instead of a card. Letters may be of either case, and\n\
         spaces and hyphens stand for underscores. A value that isn't listed, or that contradicts another, ends as `invalid_details`.\n\n\
         | field | values | effect |\n\
         |---|---|---|\n\
         | `{FIELD_ACCOUNT}` | any text, required | none: amounts pick as above |\n\
         | `{FIELD_STATUS}` | `processed`, `partially_processed`, `pending`, `unknown`, `failed`, `returned` | how the payout ends; `pending` and `unknown` are paid in the end |\n\
         | `{FIELD_RESOLUTION}` | {} | why; alone, it implies the status |\n\
         | `{FIELD_SUCCESS_RATE}` | `0` to `100` | that many percent of payouts are paid, the rest are declined with the resolution given, or `declined_error`. Which ones follows from the payout's reference. Ignored beside a status |\n",
        resolutions(),
    )?;
    writeln!(
        out,
        "`failed` with `connection_timeout`, `provider_internal_error` or `unknown` is never taken by the provider and can't be told\n\
         from a payout whose answer was lost: it ends with a person's decision. With `processed` they are paid, and found so.\n\n\
         ## How long it takes\n\n\
         These are the shipped settings; an installation may have others (`[providers.test]`).\n\n\
         | what | how long |\n\
         |---|---|\n\
         | paid later, and callbacks that come later | {} |\n\
         | returned, after it was paid | {} |\n\
         | a send that times out | {} |\n\
         | before \"not found\" means anything | {}, then {} answers in a row |\n",
        span(settings.later_ms),
        span(settings.returned_after_ms),
        span(settings.timeout_ms),
        span(settings.settling_time_ms),
        settings.not_found_confirmations,
    )?;
    writeln!(
        out,
        "## On demand\n\n\
         Nobody waits for an end to come, or for a bank to return a payout: a test key has it happen now (`payouts:write`; no body). What is\n\
         over or under way doesn't expire (409 `NOT_OPEN`), and what isn't paid, or came back already, doesn't come back (409 `NOT_PAID`).\n\
         There is one clock, and only that thing's own end is moved: everything else happens as it does by time.\n\n\
         | what | POST | what then is |\n\
         |---|---|---|"
    )?;
    for OnDemand { what, path, effect } in &ON_DEMAND {
        writeln!(out, "| {what} | `{path}` | {effect} |")?;
    }
    writeln!(out, "\nWith a live key these paths aren't there (404).\n")?;
    writeln!(
        out,
        "## For those who run it\n\n\
         `[providers.test]` also has `latency_ms`, `error_rate` and `seed` (that share of sends is answered with an internal error, and\n\
         half of those are paid all the same), `outages` (every connection is refused) and `balances` (what runs out is declined with\n\
         `insufficient_funds`). Callbacks are signed: the header `{SIGNATURE_HEADER}` is the HMAC-SHA256 of the body, in hexadecimal, under\n\
         the provider account's `callback_secret`. A payout sent twice under one reference is paid once, and both sends get the same answer.\n\n\
         An account whose settings say `balance = \"{BALANCE_BY_PROVIDER}\"` and `{BALANCE}_eur = \"1000.00\"` (or are under `balances`) reports\n\
         what it holds: its first balance without what the sandbox's own book paid, and with what came back. Landfall then goes by that\n\
         balance, asked for every `balance_sync_secs`, and keeps what it paid reserved until a balance has it in it."
    )
}

/// `4111111111111111` in groups of four, as it stands on a card.
fn grouped(card: &str) -> String {
    let mut text = String::with_capacity(card.len() + card.len() / 4);
    for (n, digit) in card.chars().enumerate() {
        if n > 0 && n % 4 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `2 s`, `500 ms`.
fn span(ms: u64) -> String {
    if ms > 0 && ms.is_multiple_of(1_000) { format!("{} s", ms / 1_000) } else { format!("{ms} ms") }
}

fn resolutions() -> String {
    let of_a_provider = Resolution::ALL.iter().filter(|resolution| resolution.class() != ResolutionClass::Routing);
    of_a_provider.map(|resolution| format!("`{resolution}`")).collect::<Vec<_>>().join(", ")
}

/// The statuses that the payout of a row goes through, and when.
fn ending_of(row: &Row, settings: &TestProviderSettings) -> String {
    let behaviour = row.behaviour;
    if behaviour.resolution() != Resolution::Ok {
        return format!("`failed`, `{}`", behaviour.resolution());
    }
    let paid_after =
        u64::try_from(behaviour.paid_after(Duration::from_millis(settings.later_ms)).as_millis()).unwrap_or(u64::MAX);
    let returned = behaviour
        .returned_after(Duration::from_millis(settings.returned_after_ms))
        .map(|_| span(settings.returned_after_ms));
    match (behaviour.answer(), returned) {
        (Answer::TimesOut, _) if !behaviour.is_taken() => "`unknown`, then a person decides".to_owned(),
        (Answer::TimesOut | Answer::InternalError, _) => "`unknown`, then `processed`".to_owned(),
        (_, Some(returned)) => format!("`processed`, {returned} later `returned`"),
        _ if paid_after > 0 => format!("`pending`, {} later `processed`", span(paid_after)),
        (Answer::After(delay), _) => format!("`processed` after {} s", delay.as_secs()),
        _ if behaviour == Behaviour::PaidPartly => "`processed` with half the amount".to_owned(),
        _ if behaviour.callbacks() == Callbacks::BeforeAnswer => "`processed`, once".to_owned(),
        _ => "`processed`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sandbox.md");

    #[test]
    fn the_sandbox_page_is_what_the_table_says() {
        let page = page();
        if std::env::var_os("LANDFALL_BLESS").is_some() {
            std::fs::write(PATH, &page).expect("docs/sandbox.md can be written");
        }
        let written = std::fs::read_to_string(PATH).expect("docs/sandbox.md is there");
        assert!(written == page, "docs/sandbox.md is old: LANDFALL_BLESS=1 cargo test --lib sandbox_page");
    }
}
