//! The page of both state machines, `docs/states.md`, made from their transition tables so that it can't say anything else. To write
//! it anew: `LANDFALL_BLESS=1 cargo test --lib states_page`.

use std::fmt::{self, Write};

use super::payout::{PayoutEvent, PayoutStatus};
use super::payout_request::{RequestEvent, RequestStatus};

/// The text of the page.
pub fn page() -> String {
    let mut text = String::new();
    // Writing to a String doesn't fail.
    write_page(&mut text).unwrap_or_default();
    text
}

fn write_page(out: &mut String) -> fmt::Result {
    out.write_str(
        "# States\n\n\
         <!-- Made from src/domain/payout_request.rs and payout.rs. Don't edit: LANDFALL_BLESS=1 cargo test --lib states_page -->\n\n\
         A payout request is what a caller asks for; a payout is one try at one provider. A row is the state before, a column the state\n\
         after, and a cell what moves it from the one to the other. An empty cell never happens: such an event changes nothing and is\n\
         reported.\n\n\
         ## A payout request\n\n",
    )?;
    write_pairs(out, &RequestStatus::ALL.map(RequestStatus::as_str), |from, to| {
        let moves = |event: &RequestEvent| RequestStatus::ALL[from].apply(*event) == Ok(RequestStatus::ALL[to]);
        RequestEvent::ALL.into_iter().filter(moves).map(RequestEvent::as_str).collect()
    })?;
    write_events(out, RequestEvent::ALL.map(|event| (event.as_str(), event.in_words())))?;
    let ends = RequestStatus::ALL.into_iter().filter(|status| status.is_final()).map(RequestStatus::as_str);
    writeln!(
        out,
        "\nIt has ended when it is {}. While a payout is open, a cancel or the end of its time only sets `stop_requested`: nothing more is\n\
         sent, and the end follows the truth.\n\n\
         ## A payout\n",
        listed(ends),
    )?;
    write_pairs(out, &PayoutStatus::ALL.map(PayoutStatus::as_str), |from, to| {
        let moves = |event: &PayoutEvent| PayoutStatus::ALL[from].apply(*event) == Ok(PayoutStatus::ALL[to]);
        PayoutEvent::ALL.into_iter().filter(moves).map(PayoutEvent::as_str).collect()
    })?;
    write_events(out, PayoutEvent::ALL.map(|event| (event.as_str(), event.in_words())))?;
    let open = PayoutStatus::ALL.into_iter().filter(|status| status.is_open()).map(PayoutStatus::as_str);
    writeln!(
        out,
        "\nWhile one is {}, no other payout of the same part starts. `unknown` is no end: the provider is asked until it knows. A success\n\
         after a failure was recorded is `late_processed`: posted as it happened, with a case for a person.",
        listed(open),
    )
}

fn write_pairs(
    out: &mut String,
    states: &[&'static str],
    moving: impl Fn(usize, usize) -> Vec<&'static str>,
) -> fmt::Result {
    writeln!(out, "| from \\ to | `{}` |", states.join("` | `"))?;
    writeln!(out, "|---|{}", "---|".repeat(states.len()))?;
    for (from, name) in states.iter().enumerate() {
        write!(out, "| `{name}` |")?;
        for to in 0..states.len() {
            let events = moving(from, to);
            if events.is_empty() { out.write_str(" |")? } else { write!(out, " {} |", events.join(", "))? }
        }
        out.write_char('\n')?;
    }
    Ok(())
}

fn write_events(out: &mut String, events: impl IntoIterator<Item = (&'static str, &'static str)>) -> fmt::Result {
    out.write_str("\n| what moves it | when |\n|---|---|\n")?;
    for (name, when) in events {
        writeln!(out, "| {name} | {when} |")?;
    }
    Ok(())
}

/// `a`, `b` or `c`.
fn listed(names: impl Iterator<Item = &'static str>) -> String {
    let mut names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} or {last}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/states.md");

    #[test]
    fn the_states_page_is_what_the_transition_tables_say() {
        let page = page();
        if std::env::var_os("LANDFALL_BLESS").is_some() {
            std::fs::write(PATH, &page).expect("docs/states.md can be written");
        }
        let written = std::fs::read_to_string(PATH).expect("docs/states.md is there");
        assert!(written == page, "docs/states.md is old: LANDFALL_BLESS=1 cargo test --lib states_page");
    }

    #[test]
    fn the_page_has_a_row_and_a_column_for_each_state() {
        let page = page();
        for (section, states) in [
            ("## A payout request", RequestStatus::ALL.map(RequestStatus::as_str).to_vec()),
            ("## A payout\n", PayoutStatus::ALL.map(PayoutStatus::as_str).to_vec()),
        ] {
            let table = page.split(section).nth(1).unwrap();
            let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).take(states.len() + 1).collect();
            assert!(rows.iter().all(|row| row.matches(" |").count() == states.len() + 1), "{rows:?}");
            for (state, row) in states.iter().zip(&rows[1..]) {
                assert!(row.starts_with(&format!("| `{state}` |")) && rows[0].contains(&format!("`{state}`")));
            }
        }
    }
}
