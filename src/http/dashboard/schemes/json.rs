//! A scheme's body as people read it: members in the order in which they are thought of, and what fits on a line on one line. The same
//! body is always written the same, so that differences are differences.

use serde_json::Value;

/// The order of members; others follow in the order of their names.
const ORDER: [&str; 20] = [
    "services",
    "nodes",
    "if",
    "then",
    "else",
    "attribute",
    "operator",
    "value",
    "time_zone",
    "all",
    "any",
    "strategies",
    "strategy",
    "routes",
    "route",
    "weight",
    "window_hours",
    "require_fast_funds",
    "split_always",
    "reject",
];
/// The longest line that holds a whole value, in characters.
const LINE_MAX: usize = 96;

pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Value, depth: usize) {
    let whole = compact(value);
    let is_leaf = !matches!(value, Value::Object(_) | Value::Array(_));
    if is_leaf || (depth > 0 && !has_nodes(value) && whole.chars().count() + depth * 2 <= LINE_MAX) {
        text.push_str(&whole);
        return;
    }
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    let indent = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    text.push(open);
    let mut is_first = true;
    let mut begin = |text: &mut String| {
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        indent(text, depth + 1);
    };
    match value {
        Value::Array(values) => {
            for value in values {
                begin(text);
                write(text, value, depth + 1);
            }
        }
        Value::Object(_) => {
            for (name, value) in members(value) {
                begin(text);
                text.push_str(&Value::from(name).to_string());
                text.push_str(": ");
                write(text, value, depth + 1);
            }
        }
        _ => {}
    }
    indent(text, depth);
    text.push(close);
}

/// What branches gets its lines, however short it is.
fn has_nodes(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.contains_key("if") || members.contains_key("strategies"))
}

fn members(value: &Value) -> Vec<(&str, &Value)> {
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    let mut members: Vec<(&str, &Value)> =
        value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
    members.sort_by_key(|(name, _)| (place(name), *name));
    members
}

fn compact(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => {
            let members: Vec<String> = members(value)
                .into_iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name), compact(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        leaf => leaf.to_string(),
    }
}

/// A pointer one step further (RFC 6901).
pub fn join(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Whether `pointer` is at `at` or below it.
pub fn is_under(pointer: &str, at: &str) -> bool {
    pointer.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_reads_from_condition_to_strategy_and_comes_back_as_it_was() {
        let body = json!({"services": {"card_eur": {
            "else": {"reject": "no \"such\""}, "then": {"strategies": [{"routes": ["a", {"weight": 3, "route": "b"}], "strategy": "weight"}]},
            "if": {"value": [1, 2.5], "operator": "between", "attribute": "amount"}}}, "nodes": {}});
        let text = pretty(&body);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), body);
        assert!(
            text.contains("\"if\": {\"attribute\": \"amount\", \"operator\": \"between\", \"value\": [1, 2.5]},"),
            "{text}"
        );
        let places =
            ["\"if\"", "\"then\"", "\"strategies\"", "\"else\"", "\"nodes\""].map(|name| text.find(name).unwrap());
        assert!(places.is_sorted(), "{text}");
    }

    #[test]
    fn a_pointer_is_under_another_by_whole_steps() {
        assert!(is_under("/a/b", "/a") && is_under("/a", "/a") && is_under("/a", ""));
        assert!(!is_under("/ab", "/a"));
        assert_eq!(join("/nodes", "a/b~c"), "/nodes/a~1b~0c");
    }
}
