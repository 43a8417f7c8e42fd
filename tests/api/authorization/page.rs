//! `docs/authorization.md`: what was asked, how often, and what came.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::exceptions::Exceptions;
use super::sweep::Line;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/authorization.md");
const BLESS: &str = "LANDFALL_BLESS=1 cargo test --features torture --test api authorization";

fn written(lines: &BTreeMap<(&'static str, usize), Line>, exceptions: &Exceptions) -> String {
    let mut text = format!(
        "# Who is refused what\n\n\
         <!-- Made by tests/api/authorization from what it saw. Don't edit: {BLESS} -->\n\n\
         Every route is asked in every way that must fail, with a body and ids that would do for the right caller. The routes come from\n\
         the description that `openapi.yaml` is written from and from the dashboard's table of addresses; that the server listens to these\n\
         and no others is tested too. No refused request changes a row, and no answer tells anything internal. The same requests by the\n\
         right caller, a key with the described scope alone or staff of the least role, then pass.\n"
    );
    let faces: BTreeSet<&str> = lines.keys().map(|(face, _)| *face).collect();
    let of = |face: &str| lines.iter().filter(move |((f, _), _)| *f == face).map(|(_, line)| line).collect::<Vec<_>>();
    let cases = |lines: &[&Line]| lines.iter().flat_map(|line| line.answers.values()).sum::<usize>();
    let all: Vec<&Line> = lines.values().collect();
    write!(text, "\n**{} cases** in {} ways:\n", cases(&all), all.len()).unwrap();
    for face in faces {
        let lines = of(face);
        write!(text, "\n## {face}: {} cases\n\n| way | what came | routes |\n|---|---|---|\n", cases(&lines)).unwrap();
        for line in lines {
            let total: usize = line.answers.values().sum();
            let answers: Vec<String> = line
                .answers
                .iter()
                .map(
                    |(answer, count)| {
                        if *count == total { format!("`{answer}`") } else { format!("`{answer}` ({count})") }
                    },
                )
                .collect();
            writeln!(text, "| {} | {} | {total} |", line.way, answers.join(", ")).unwrap();
        }
    }
    write!(text, "\n## Exceptions\n\nFrom `tests/api/authorization/exceptions.toml`.\n\n| route | way | answer | why |\n|---|---|---|---|\n").unwrap();
    for open in &exceptions.open {
        writeln!(text, "| `{}` | anybody | `{}` | {} |", open.route, open.answer, open.reason).unwrap();
    }
    for other in &exceptions.other {
        let routes: Vec<String> = other.routes.iter().map(|route| format!("`{route}`")).collect();
        let (routes, ways) = (routes.join(", "), other.ways.join(", "));
        writeln!(text, "| {routes} | {ways} | `{}` | {} |", other.answer, other.reason).unwrap();
    }
    for write in &exceptions.writes {
        writeln!(text, "| the table `{}` | may be written to | | {} |", write.table, write.reason).unwrap();
    }
    text
}

/// Prints the count, and holds the page to it.
#[allow(clippy::print_stderr, reason = "the count is for whoever runs the test")]
pub fn check(lines: &BTreeMap<(&'static str, usize), Line>, exceptions: &Exceptions) {
    let mut faces: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for ((face, _), line) in lines {
        let count: usize = line.answers.values().sum();
        let (ways, routes, cases) = faces.entry(face).or_default();
        (*ways, *routes, *cases) = (*ways + 1, (*routes).max(count), *cases + count);
    }
    for (face, (ways, routes, cases)) in faces {
        eprintln!("{face}: {routes} routes x {ways} ways = {cases} cases");
    }
    let page = written(lines, exceptions);
    if std::env::var_os("LANDFALL_BLESS").is_some() {
        std::fs::write(PATH, &page).unwrap();
    }
    let found = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(found == page, "docs/authorization.md is old: {BLESS}");
}
