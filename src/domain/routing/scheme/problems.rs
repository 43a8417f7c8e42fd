//! What is wrong with a scheme's body, and where.

use serde::Serialize;

/// One thing that is wrong with a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemeProblem {
    /// Where, as a JSON pointer into the body (RFC 6901); empty: the body as a whole.
    pub pointer: String,
    /// What, for programs: `unknown_route`.
    pub code: &'static str,
    /// What, for people.
    pub detail: String,
}

/// No more problems than this are told.
const PROBLEMS_MAX: usize = 100;

/// The problems found so far. A place that several paths lead to is told of once.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<SchemeProblem>,
}

impl Problems {
    pub fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        let told = self.found.iter().any(|problem| problem.code == code && problem.pointer == pointer);
        if !told && self.found.len() < PROBLEMS_MAX {
            self.found.push(SchemeProblem { pointer: pointer.to_owned(), code, detail: detail.into() });
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.found.len()
    }

    pub fn into_result<T>(self, value: T) -> Result<T, Vec<SchemeProblem>> {
        if self.found.is_empty() { Ok(value) } else { Err(self.found) }
    }
}

/// The pointer one step further.
pub(super) fn join(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// What a caller wrote, short enough to be told back.
pub(super) fn clipped(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let shown: String = text.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect();
    if shown.len() < text.len() { format!("{shown}...") } else { shown }
}
