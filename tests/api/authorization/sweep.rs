//! Asking, and comparing what came with what must come.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::RequestBuilder;
use serde_json::Value;

use super::exceptions::{Exceptions, NOT_ASKED};
use super::routes::Route;
use super::stage::Stage;
use crate::world::Answer;

/// Nothing of these stands in any refusal.
const INTERNALS: [&str; 14] = [
    "panick",
    "diesel",
    "postgres",
    "tokio",
    "src/",
    ".rs:",
    "select ",
    "insert ",
    "stack",
    "sealed",
    "constraint",
    "sk_test_",
    "sk_live_",
    "eyj",
];

pub struct Sweep<'a> {
    pub stage: &'a Stage,
    pub exceptions: &'a Exceptions,
    report: Report,
}

/// What was asked, and what came.
#[derive(Default)]
pub struct Report {
    /// By face and way: how many routes answered what.
    pub lines: BTreeMap<(&'static str, usize), Line>,
    pub wrong: Vec<String>,
    pub exceptions_used: BTreeSet<(String, String)>,
}

pub struct Line {
    pub way: &'static str,
    /// How many routes answered that.
    pub answers: BTreeMap<String, usize>,
}

/// A way to ask what mustn't be answered.
#[derive(Clone, Copy)]
pub struct Way {
    pub face: &'static str,
    /// Where it stands in the page.
    pub place: usize,
    pub name: &'static str,
}

impl<'a> Sweep<'a> {
    pub fn new(stage: &'a Stage, exceptions: &'a Exceptions) -> Self {
        Self { stage, exceptions, report: Report::default() }
    }

    pub fn asked(self) -> Report {
        self.report
    }

    pub fn wrong(&mut self, what: String) {
        self.report.wrong.push(what);
    }

    /// What is expected instead of `rule`; `None`: it isn't asked.
    pub fn expected(&mut self, route: &Route, way: &str, rule: &str) -> Option<String> {
        let name = route.name();
        let Some(other) = self.exceptions.other(&name, way) else { return Some(rule.to_owned()) };
        self.report.exceptions_used.insert((name, way.to_owned()));
        (other.answer != NOT_ASKED).then(|| other.answer.clone())
    }

    pub fn met_open(&mut self, route: &Route) {
        self.report.exceptions_used.insert((route.name(), "open".to_owned()));
    }

    /// Asks, unless an exception says not to. The answer must be `rule`, or what an exception says.
    pub async fn ask(&mut self, way: Way, route: &Route, request: RequestBuilder, rule: &str) {
        let Some(expected) = self.expected(route, way.name, rule) else { return };
        let answer = self.stage.world.send(request).await;
        let told = told(&answer);
        let new = || Line { way: way.name, answers: BTreeMap::new() };
        let line = self.report.lines.entry((way.face, way.place)).or_insert_with(new);
        *line.answers.entry(told.clone()).or_default() += 1;
        let what = format!("{}, {}", route.name(), way.name);
        if told != expected {
            self.wrong(format!(
                "{what}: {told}, not {expected}: {}",
                answer.text.chars().take(300).collect::<String>()
            ));
        }
        if let Some(what_leaked) = self.leak(&answer) {
            self.wrong(format!("{what}: its answer holds {what_leaked:?}"));
        }
        let is_api = route.path.starts_with("/v1/") || route.path.starts_with("/v4/");
        if expected.starts_with("401") && is_api && route.operation != "receiveProviderCallback" {
            let challenge = answer.header("www-authenticate");
            if !challenge.is_some_and(|text| text.starts_with("Bearer")) {
                self.wrong(format!("{what}: it doesn't say how to sign in"));
            }
        }
    }

    /// Something of ours, or of the owner's, that a stranger was told.
    fn leak(&self, answer: &Answer) -> Option<String> {
        if answer.status < 300 && answer.header("content-type").is_some_and(|kind| !kind.contains("json")) {
            return None;
        }
        let text = without_prefixes(&answer.text.to_lowercase());
        let internal = INTERNALS.into_iter().find(|leak| answer.status >= 400 && text.contains(leak));
        let owned = self.stage.owned().find(|id| answer.status < 300 && answer.text.contains(id));
        internal.or(owned).map(str::to_owned)
    }
}

/// What people tell keys apart by, their first twelve characters, may be shown to whoever may see them.
fn without_prefixes(text: &str) -> String {
    let mut parts = text.split("sk_");
    let mut rest = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let key_chars = part.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).count();
        if key_chars > "test_".len() + 4 {
            rest.push_str("sk_");
        }
        rest.push_str(part);
    }
    rest
}

/// The status with the stable code, the address that is led to, or what a page says.
pub fn told(answer: &Answer) -> String {
    let json: Option<Value> = serde_json::from_str(&answer.text).ok();
    let code = |value: &Value| value.as_str().map(str::to_owned);
    let said = match (&json, answer.header("location")) {
        (_, Some(location)) => Some(format!("to {location}")),
        (Some(json), None) if json["errors"].is_array() => {
            let codes: BTreeSet<String> =
                json["errors"].as_array().unwrap().iter().filter_map(|error| code(&error["code"])).collect();
            Some(codes.into_iter().collect::<Vec<_>>().join(" "))
        }
        (Some(json), None) => code(&json["error"]),
        (None, None) if answer.status >= 400 => heading(&answer.text),
        (None, None) => None,
    };
    match said {
        Some(said) => format!("{} {said}", answer.status),
        None => answer.status.to_string(),
    }
}

/// What a page of the dashboard is about.
fn heading(page: &str) -> Option<String> {
    const SAID: [(&str, &str); 5] = [
        ("This form can", "a form that isn't this session's"),
        ("There is no such page", "no such page"),
        ("A role of operator or above decides", "the role is too low"),
        ("or above is needed", "the role is too low"),
        ("A role of admin is needed", "the role is too low"),
    ];
    SAID.into_iter().find(|(text, _)| page.contains(text)).map(|(_, said)| said.to_owned())
}
