//! The form of one node of the editor: what it shows of the node, and what its fields make of it. Fields are named `n.`, and what they are
//! of: `n.0.strategy`, `n.0.r.3.weight`.

use askama::Template;
use askama::filters::HtmlSafe;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::json::pretty;
use super::tree::{known_route, route_name};
use crate::domain::routing::Strategy;
use crate::domain::routing::attributes::{Attribute, Kind};
use crate::domain::routing::condition::Operator;
use crate::http::dashboard::parts::outside;
use crate::staff::schemes::SchemeGround;

#[derive(Template)]
#[template(path = "parts/scheme_form.html", config = "web/askama.toml")]
pub struct NodeForm {
    shape: Shape,
    attributes: Vec<&'static str>,
    operators: Vec<&'static str>,
    strategies: Vec<&'static str>,
}
impl HtmlSafe for NodeForm {}

enum Shape {
    Branch(Branch),
    Leaf(Vec<StrategyForm>),
    Reject(String),
    Ref(String),
    /// Only as JSON.
    Other,
}

struct Branch {
    /// `any`, otherwise `all`.
    is_any: bool,
    rows: Vec<Comparison>,
    /// A condition that rows can't show.
    json: Option<String>,
}

struct Comparison {
    n: usize,
    attribute: String,
    operator: String,
    value: String,
    zone: String,
}

struct StrategyForm {
    n: usize,
    name: String,
    window: String,
    fast: bool,
    split: bool,
    routes: Vec<RouteRow>,
}

struct RouteRow {
    n: usize,
    name: String,
    place: String,
    weight: String,
    trouble: Option<&'static str>,
}

impl NodeForm {
    pub fn of(value: &Value, ground: &SchemeGround, service: &str) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(outside);
        let shape = if let Some(condition) = value.get("if") {
            Shape::Branch(Branch::of(condition))
        } else if let Some(strategies) = value.get("strategies").and_then(Value::as_array) {
            Shape::Leaf(
                strategies.iter().enumerate().map(|(n, one)| StrategyForm::of(n, one, ground, service)).collect(),
            )
        } else if let Some(reason) = text("reject") {
            Shape::Reject(reason)
        } else if let Some(name) = text("ref") {
            Shape::Ref(name)
        } else {
            Shape::Other
        };
        Self {
            shape,
            attributes: Attribute::names().collect(),
            operators: Operator::ALL.map(Operator::as_str).to_vec(),
            strategies: Strategy::ALL.map(Strategy::as_str).to_vec(),
        }
    }
}

impl Branch {
    fn of(condition: &Value) -> Self {
        let group = |name: &str| condition.get(name).and_then(Value::as_array);
        let (is_any, parts) = match (group("any"), group("all")) {
            (Some(parts), _) => (true, parts.iter().collect()),
            (None, Some(parts)) => (false, parts.iter().collect()),
            (None, None) => (false, vec![condition]),
        };
        let is_plain = parts.iter().all(|part| part.get("attribute").is_some());
        let mut rows: Vec<Comparison> = parts.iter().enumerate().map(|(n, part)| Comparison::of(n, part)).collect();
        // One more to be filled in.
        rows.push(Comparison {
            n: rows.len(),
            attribute: String::new(),
            operator: "=".to_owned(),
            value: String::new(),
            zone: String::new(),
        });
        Self { is_any, rows, json: (!is_plain).then(|| outside(&pretty(condition))) }
    }
}

impl Comparison {
    fn of(n: usize, value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(outside).unwrap_or_default();
        let typed = match value.get("value") {
            Some(Value::Array(values)) => values.iter().map(typed).collect::<Vec<_>>().join(", "),
            Some(value) => typed(value),
            None => String::new(),
        };
        Self {
            n,
            attribute: text("attribute"),
            operator: text("operator"),
            value: outside(&typed),
            zone: text("time_zone"),
        }
    }
}

fn typed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl StrategyForm {
    fn of(n: usize, value: &Value, ground: &SchemeGround, service: &str) -> Self {
        let used: Vec<&Value> = value.get("routes").and_then(Value::as_array).into_iter().flatten().collect();
        let mut routes: Vec<RouteRow> = Vec::new();
        for (place, route) in used.iter().enumerate() {
            let name = route_name(route);
            let known = known_route(ground, name, service);
            routes.push(RouteRow {
                n: routes.len(),
                name: outside(known.map_or(name, |known| &known.code)),
                place: place.saturating_add(1).to_string(),
                weight: route.get("weight").map(ToString::to_string).unwrap_or_default(),
                trouble: match known {
                    None => Some("isn't there"),
                    Some(known) if !known.enabled => Some("switched off"),
                    Some(_) => None,
                },
            });
        }
        for route in ground.routes.iter().filter(|route| service.is_empty() || route.service == service) {
            if !routes.iter().any(|row| row.name == route.code) {
                let trouble = (!route.enabled).then_some("switched off");
                let (place, weight) = Default::default();
                routes.push(RouteRow { n: routes.len(), name: route.code.clone(), place, weight, trouble });
            }
        }
        let is_true = |name: &str| value.get(name) == Some(&Value::Bool(true));
        Self {
            n,
            name: outside(value.get("strategy").and_then(Value::as_str).unwrap_or_default()),
            window: value.get("window_hours").map(ToString::to_string).unwrap_or_default(),
            fast: is_true("require_fast_funds"),
            split: is_true("split_always"),
            routes,
        }
    }
}

/// What the fields make of the node as it was.
///
/// # Errors
/// What can't be read, for a person. Whatever else is wrong is found by the scheme's check.
pub fn read(fields: &Fields, was: &Value) -> Result<Value, String> {
    let mut node = was.as_object().cloned().unwrap_or_default();
    if node.contains_key("if") {
        node.insert("if".to_owned(), condition(fields)?);
    } else if let Some(strategies) = was.get("strategies").and_then(Value::as_array) {
        let read = strategies.iter().enumerate().map(|(n, one)| strategy(fields, n, one)).collect();
        node.insert("strategies".to_owned(), Value::Array(read));
    } else {
        for name in ["reject", "ref"] {
            if node.contains_key(name) {
                node.insert(name.to_owned(), Value::from(fields.get(&format!("n.{name}"))));
            }
        }
    }
    Ok(Value::Object(node))
}

fn condition(fields: &Fields) -> Result<Value, String> {
    if let Some(text) = fields.find("n.condition") {
        return serde_json::from_str(text).map_err(|error| format!("The condition isn't JSON: {error}."));
    }
    let mut rows = Vec::new();
    for n in 0..fields.rows("n.") {
        let get = |name: &str| fields.get(&format!("n.{n}.{name}"));
        if get("attribute").is_empty() {
            continue;
        }
        let mut row = json!({"attribute": get("attribute"), "operator": get("operator")});
        row["value"] = compared(get("attribute"), get("operator"), get("value"));
        if !get("zone").is_empty() {
            row["time_zone"] = Value::from(get("zone"));
        }
        rows.push(row);
    }
    match rows.len() {
        0 => Err("A condition compares at least one attribute.".to_owned()),
        1 => Ok(rows.remove(0)),
        _ if fields.get("n.joined") == "any" => Ok(json!({"any": rows})),
        _ => Ok(json!({"all": rows})),
    }
}

/// What is compared with: a list where the operator takes one, and of the attribute's type.
fn compared(attribute: &str, operator: &str, text: &str) -> Value {
    let kind = Attribute::parse(attribute).map(|attribute| attribute.kind());
    let one = |text: &str| scalar(kind, text.trim());
    match operator {
        "in" | "not_in" | "between" => Value::Array(text.split(',').map(one).collect()),
        "starts_with" if text.contains(',') => Value::Array(text.split(',').map(one).collect()),
        "exists" => Value::Bool(!text.eq_ignore_ascii_case("false")),
        _ => one(text),
    }
}

fn scalar(kind: Option<Kind>, text: &str) -> Value {
    let read = || serde_json::from_str::<Value>(text).ok();
    match kind {
        Some(Kind::Text | Kind::Choice(_)) => Value::from(text),
        // Text in quotes is text, whatever it looks like.
        Some(Kind::Any) | None => {
            read().filter(|value| !value.is_object() && !value.is_array()).unwrap_or_else(|| Value::from(text))
        }
        Some(Kind::Number) => read().filter(Value::is_number).unwrap_or_else(|| Value::from(text)),
    }
}

fn strategy(fields: &Fields, n: usize, was: &Value) -> Value {
    let get = |name: &str| fields.get(&format!("n.{n}.{name}"));
    let mut strategy: Map<String, Value> = was.as_object().cloned().unwrap_or_default();
    strategy.insert("strategy".to_owned(), Value::from(get("strategy")));
    let window = get("window");
    if window.is_empty() {
        strategy.remove("window_hours");
    } else {
        strategy.insert("window_hours".to_owned(), scalar(Some(Kind::Number), window));
    }
    for (field, name) in [("fast", "require_fast_funds"), ("split", "split_always")] {
        if fields.find(&format!("n.{n}.{field}")).is_some() {
            strategy.insert(name.to_owned(), Value::Bool(true));
        } else {
            strategy.remove(name);
        }
    }
    let prefix = format!("n.{n}.r.");
    let mut routes: Vec<(u32, Value)> = Vec::new();
    for row in 0..fields.rows(&prefix) {
        let get = |name: &str| fields.get(&format!("{prefix}{row}.{name}"));
        // What is no number goes last rather than nowhere.
        let place = match get("place") {
            "" => continue,
            place => place.parse().unwrap_or(u32::MAX),
        };
        let (name, weight) = (get("name"), get("weight"));
        let is_weighed = !weight.is_empty() && strategy["strategy"] == "weight";
        let route = if is_weighed {
            json!({"route": name, "weight": scalar(Some(Kind::Number), weight)})
        } else {
            Value::from(name)
        };
        routes.push((place, route));
    }
    routes.sort_by_key(|(place, _)| *place);
    strategy.insert("routes".to_owned(), routes.into_iter().map(|(_, route)| route).collect());
    Value::Object(strategy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_make_a_condition_of_the_attributes_types() {
        let fields = Fields::of(&[
            ("n.joined", "any"),
            ("n.0.attribute", "amount"),
            ("n.0.operator", ">="),
            ("n.0.value", "1000.50"),
            ("n.1.attribute", "card.iin6"),
            ("n.1.operator", "in"),
            ("n.1.value", "411111, 422222"),
            ("n.2.attribute", "time.hour"),
            ("n.2.operator", "between"),
            ("n.2.value", "8,18"),
            ("n.2.zone", "Europe/Berlin"),
            ("n.3.attribute", ""),
            ("n.3.operator", "="),
            ("n.3.value", ""),
        ]);
        let read = read(&fields, &json!({"if": {}, "then": 1, "else": 2})).unwrap();
        let expected = json!({"any": [
            {"attribute": "amount", "operator": ">=", "value": serde_json::from_str::<Value>("1000.50").unwrap()},
            {"attribute": "card.iin6", "operator": "in", "value": ["411111", "422222"]},
            {"attribute": "time.hour", "operator": "between", "value": [8, 18], "time_zone": "Europe/Berlin"},
        ]});
        assert_eq!((&read["if"], &read["then"]), (&expected, &json!(1)));
        assert!(super::read(&Fields::default(), &json!({"if": {}})).is_err());
    }

    #[test]
    fn fields_make_a_strategy_in_the_order_of_its_places() {
        let fields = Fields::of(&[
            ("n.0.strategy", "weight"),
            ("n.0.window", "12"),
            ("n.0.fast", "on"),
            ("n.0.r.0.name", "a"),
            ("n.0.r.0.place", "2"),
            ("n.0.r.0.weight", "3"),
            ("n.0.r.1.name", "b"),
            ("n.0.r.1.place", "1"),
            ("n.0.r.1.weight", ""),
            ("n.0.r.2.name", "c"),
            ("n.0.r.2.place", ""),
            ("n.0.r.2.weight", "9"),
        ]);
        let was = json!({"strategies": [{"strategy": "optimal", "routes": ["a"], "split_always": true, "other": 1}]});
        let read = read(&fields, &was).unwrap();
        let expected = json!({"strategies": [{"strategy": "weight", "window_hours": 12, "require_fast_funds": true, "other": 1,
            "routes": ["b", {"route": "a", "weight": 3}]}]});
        assert_eq!(read, expected, "what the form doesn't show is kept");
    }

    #[test]
    fn metadata_may_be_of_any_type_and_quotes_make_a_text() {
        assert_eq!(compared("metadata.shop", "=", "12"), json!(12));
        assert_eq!(compared("metadata.shop", "=", "\"12\""), json!("12"));
        assert_eq!(compared("metadata.shop", "=", "{\"a\": 1}"), json!("{\"a\": 1}"));
        assert_eq!(compared("card.type", "exists", "false"), json!(false));
    }
}
