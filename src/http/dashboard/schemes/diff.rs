//! What differs between two bodies, line by line.

use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::json::pretty;
use crate::http::dashboard::parts::outside;

/// How many lines that are the same are shown around those that differ.
const AROUND: usize = 3;
/// How long the shortest difference is looked for. Then it is a longer one that is told.
const TIME_MAX: Duration = Duration::from_millis(200);

#[derive(Template)]
#[template(path = "parts/scheme_diff.html", config = "web/askama.toml")]
pub struct Diff {
    added: usize,
    removed: usize,
    /// Lines that differ with those around them, in groups.
    groups: Vec<Vec<Line>>,
}
impl HtmlSafe for Diff {}

struct Line {
    class: &'static str,
    /// For those who don't see the colour.
    sign: &'static str,
    said: &'static str,
    text: String,
}

impl Diff {
    pub fn of(before: &Value, after: &Value) -> Self {
        let (before, after) = (pretty(before), pretty(after));
        let diff = TextDiff::configure().timeout(TIME_MAX).diff_lines(&before, &after);
        let (mut added, mut removed) = (0_usize, 0_usize);
        let mut groups = Vec::new();
        for group in diff.grouped_ops(AROUND) {
            let mut lines = Vec::new();
            for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
                let (class, sign, said) = match change.tag() {
                    ChangeTag::Equal => ("same", " ", ""),
                    ChangeTag::Insert => ("added", "+", "added: "),
                    ChangeTag::Delete => ("removed", "\u{2212}", "removed: "),
                };
                added = added.saturating_add(usize::from(change.tag() == ChangeTag::Insert));
                removed = removed.saturating_add(usize::from(change.tag() == ChangeTag::Delete));
                lines.push(Line { class, sign, said, text: outside(change.value().trim_end_matches('\n')) });
            }
            groups.push(lines);
        }
        Self { added, removed, groups }
    }

    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let before = json!({"services": {"a": {"reject": "no"}, "b": {"reject": "no"}}});
        let after = json!({"services": {"a": {"reject": "no"}, "b": {"reject": "yes <b>"}}});
        assert!(Diff::of(&before, &before).is_empty());
        let diff = Diff::of(&before, &after);
        assert_eq!((diff.added, diff.removed), (1, 1));
        let html = diff.render().unwrap();
        assert!(html.contains("yes &#60;b&#62;") && html.contains("class=\"removed\""), "{html}");
    }
}
