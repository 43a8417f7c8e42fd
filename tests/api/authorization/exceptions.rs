//! The one file of exceptions, and that each of them is still needed.

use std::collections::BTreeSet;

use serde::Deserialize;

const TEXT: &str = include_str!("exceptions.toml");
/// An answer that isn't asked for.
pub const NOT_ASKED: &str = "not asked";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Routes that answer whoever asks.
    pub open: Vec<Open>,
    /// Routes that refuse in another way than the rest.
    pub other: Vec<Other>,
    /// Tables that refused requests may write to.
    pub writes: Vec<Write>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// `GET /health/live`.
    pub route: String,
    /// The path that is asked for, where the route's is a pattern.
    pub asked: Option<String>,
    /// `200`, or a status and a stable code.
    pub answer: String,
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    pub routes: Vec<String>,
    pub ways: Vec<String>,
    /// A status and a stable code, or [`NOT_ASKED`].
    pub answer: String,
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    pub table: String,
    pub reason: String,
}

impl Exceptions {
    pub fn read() -> Self {
        let file = config::File::from_str(TEXT, config::FileFormat::Toml);
        let read: Self = config::Config::builder().add_source(file).build().unwrap().try_deserialize().unwrap();
        let reasons = read.open.iter().map(|open| &open.reason).chain(read.other.iter().map(|other| &other.reason));
        for reason in reasons.chain(read.writes.iter().map(|write| &write.reason)) {
            assert!(reason.len() > 20 && reason.ends_with('.'), "a reason is a sentence: {reason:?}");
        }
        let mut seen = BTreeSet::new();
        for (route, way) in read.others() {
            assert!(seen.insert((route, way)), "{route}, {way}: two exceptions");
        }
        read
    }

    fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.other.iter().flat_map(|other| {
            other.routes.iter().flat_map(move |route| other.ways.iter().map(move |way| (route.as_str(), way.as_str())))
        })
    }

    pub fn open(&self, route: &str) -> Option<&Open> {
        self.open.iter().find(|open| open.route == route)
    }

    pub fn other(&self, route: &str, way: &str) -> Option<&Other> {
        let has = |texts: &[String], text: &str| texts.iter().any(|one| one == text);
        self.other.iter().find(|other| has(&other.routes, route) && has(&other.ways, way))
    }

    /// What stands in the file and was never met.
    pub fn unused(&self, used: &BTreeSet<(String, String)>) -> Vec<String> {
        let met = |route: &str, way: &str| used.iter().any(|(r, w)| r == route && w == way);
        let others = self.others().filter(|(route, way)| !met(route, way));
        let open = self.open.iter().map(|open| (open.route.as_str(), "open")).filter(|(route, way)| !met(route, way));
        others
            .chain(open)
            .map(|(route, way)| format!("exceptions.toml: {route}, {way}: there is no such case"))
            .collect()
    }
}
