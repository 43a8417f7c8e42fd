//! What the published description promised still holds. `tests/openapi/published.txt` has a line for each promise: an operation, what it
//! takes, gives and needs, and the same of each schema. A promise that is gone, or a need that is new, breaks somebody's client.
//!
//! What is marked as deprecated when it is published may go with a later version. `PUBLISH=1` writes the file anew: at a release, and with
//! a break that was decided, whose lines are then to be seen in the change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

/// Promises by what they are of: `Offer gives amount`, and what is said of it: `ExactNumber always`.
type Promises = BTreeMap<String, String>;

const DEPRECATED: &str = "deprecated";
/// Bounds that only may be widened: up, and down.
const UPPER: [&str; 4] = ["maxLength", "maximum", "exclusiveMaximum", "maxItems"];
const LOWER: [&str; 4] = ["minLength", "minimum", "exclusiveMinimum", "minItems"];

/// A schema's name, or its types and its list's items.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return reference.rsplit('/').next().unwrap().to_owned();
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(parts) = schema[choice].as_array() {
            return parts.iter().map(kind).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("|");
        }
    }
    let mut kinds: Vec<String> = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        _ => vec!["any".to_owned()],
    };
    for kind_of in &mut kinds {
        if kind_of == "array" {
            *kind_of = format!("list of {}", kind(&schema["items"]));
        }
    }
    kinds.sort();
    kinds.join("|")
}

fn said(mut said: String, schema: &Value) -> String {
    if schema[DEPRECATED] == true {
        said.push(' ');
        said.push_str(DEPRECATED);
    }
    said
}

/// What is asked of a value that is sent.
fn needs(promises: &mut Promises, of: &str, schema: &Value) {
    for bound in UPPER.iter().chain(&LOWER) {
        if let Some(value) = schema[bound].as_i64() {
            promises.insert(format!("{of} needs {bound}"), value.to_string());
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        promises.insert(format!("{of} needs {pattern}"), String::new());
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        promises.insert(format!("{of} takes {value}"), String::new());
    }
}

/// The promises of an object's schema, for what is sent or for what is answered.
fn of_schema(promises: &mut Promises, name: &str, schema: &Value, is_sent: bool) {
    let required: BTreeSet<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (property, of) in schema["properties"].as_object().into_iter().flatten() {
        if is_sent {
            let at = format!("{name} takes {property}");
            promises.insert(at.clone(), said(kind(of), of));
            needs(promises, &at, of);
            if required.contains(property.as_str()) {
                promises.insert(format!("{name} needs {property}"), String::new());
            }
        } else {
            let always = if required.contains(property.as_str()) { " always" } else { "" };
            promises.insert(format!("{name} gives {property}"), said(format!("{}{always}", kind(of)), of));
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        of_schema(promises, name, part, is_sent);
    }
}

/// The schemas that these lead to, themselves included.
fn reached(schemas: &Value, from: &Value, found: &mut BTreeSet<String>) {
    if let Some(reference) = from["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        if found.insert(name.to_owned()) {
            reached(schemas, &schemas[name], found);
        }
    }
    match from {
        Value::Object(members) => members.values().for_each(|member| reached(schemas, member, found)),
        Value::Array(items) => items.iter().for_each(|item| reached(schemas, item, found)),
        _ => {}
    }
}

fn promises(api: &Value) -> Promises {
    let mut promises = Promises::new();
    let (mut sent, mut given) = (BTreeSet::new(), BTreeSet::new());
    let schemas = &api["components"]["schemas"];
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{} {path}", method.to_uppercase());
            promises.insert(at.clone(), said(operation["operationId"].as_str().unwrap().to_owned(), operation));
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = format!("{} {}", parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap());
                promises.insert(format!("{at} takes {name}"), said(kind(&parameter["schema"]), parameter));
                needs(&mut promises, &format!("{at} takes {name}"), &parameter["schema"]);
                if parameter["required"] == true {
                    promises.insert(format!("{at} needs {name}"), String::new());
                }
            }
            for (media, content) in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                promises.insert(format!("{at} takes {media}"), kind(&content["schema"]));
                reached(schemas, &content["schema"], &mut sent);
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                promises.insert(format!("{at} gives {status}"), String::new());
                for (media, content) in answer["content"].as_object().into_iter().flatten() {
                    promises.insert(format!("{at} gives {status} {media}"), kind(&content["schema"]));
                    reached(schemas, &content["schema"], &mut given);
                }
            }
            for scope in operation["security"][0]["apiKey"].as_array().into_iter().flatten() {
                promises.insert(format!("{at} needs {}", scope.as_str().unwrap()), String::new());
            }
        }
    }
    for (names, is_sent) in [(&sent, true), (&given, false)] {
        for name in names {
            of_schema(&mut promises, name, &schemas[name.as_str()], is_sent);
        }
    }
    promises
}

fn written(promises: &Promises) -> String {
    promises.iter().map(|(of, said)| format!("{of}: {said}\n").replace(": \n", "\n")).collect()
}

fn read(text: &str) -> Promises {
    // An operation's path may hold a colon; what is said never does after a space.
    let lines = text.lines().map(|line| line.rsplit_once(": ").unwrap_or((line, "")));
    lines.map(|(of, said)| (of.to_owned(), said.to_owned())).collect()
}

fn kinds(said: &str) -> BTreeSet<&str> {
    said.trim_end_matches(DEPRECATED).trim_end().trim_end_matches(" always").split('|').collect()
}

/// Whether what is said now of something keeps what was said of it before.
fn keeps(of: &str, before: &str, now: &str) -> bool {
    let bound = of.rsplit(' ').next().unwrap();
    let number = |text: &str| text.parse::<i64>().unwrap_or_default();
    if UPPER.contains(&bound) {
        return number(now) >= number(before);
    }
    if LOWER.contains(&bound) {
        return number(now) <= number(before);
    }
    if of.contains(" takes ") {
        return kinds(before).is_subset(&kinds(now));
    }
    let is_always = |said: &str| said.contains(" always");
    if of.contains(" gives ") {
        return kinds(now).is_subset(&kinds(before)) && (is_always(now) || !is_always(before));
    }
    kinds(before) == kinds(now)
}

/// What of `before` doesn't hold any more.
fn broken(before: &Promises, now: &Promises) -> Vec<String> {
    let mut broken = Vec::new();
    // Whatever stands under what was deprecated may go with it.
    let may_go =
        |of: &str| before.iter().any(|(head, said)| said.ends_with(DEPRECATED) && of.starts_with(head.as_str()));
    for (of, said) in before {
        match now.get(of) {
            Some(new) if !keeps(of, said, new) => broken.push(format!("{of}: was {said}, is {new}")),
            None if !of.contains(" needs ") && !may_go(of) => broken.push(format!("{of}: is gone")),
            _ => {}
        }
    }
    for of in now.keys().filter(|of| !before.contains_key(*of)) {
        let Some((whose, _)) = of.split_once(" needs ") else { continue };
        // What is new may ask for what it likes.
        let was_there = before.keys().any(|known| known == whose || known.starts_with(&format!("{whose} ")));
        if was_there {
            broken.push(format!("{of}: is new"));
        }
    }
    broken
}

#[test]
fn what_was_published_still_holds() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/published.txt");
    let now = promises(&serde_json::to_value(super::openapi().unwrap()).unwrap());
    if std::env::var_os("PUBLISH").is_some() {
        std::fs::write(&file, written(&now)).unwrap();
    }
    let before = read(&std::fs::read_to_string(&file).unwrap());
    assert!(before.len() > 1000, "{} promises", before.len());
    let broken = broken(&before, &now);
    assert!(broken.is_empty(), "openapi.yaml breaks what was published (docs/clients.md):\n{}", broken.join("\n"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api() -> Value {
        json!({
            "paths": {"/v4/offer": {"post": {
                "operationId": "createOffer",
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Wish"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Offer"}}}}, "404": {}},
            }}},
            "components": {"schemas": {
                "Wish": {"required": ["card"], "properties": {
                    "card": {"type": "integer"},
                    "mode": {"type": ["string", "null"], "enum": ["a", "b"], "maxLength": 9},
                    "old": {"type": "string", "deprecated": true},
                }},
                "Offer": {"required": ["id"], "properties": {"id": {"type": "integer"}, "rate": {"type": "string"}}},
            }},
        })
    }

    const POST: &str = "/paths/~1v4~1offer/post";
    const SCHEMAS: &str = "/components/schemas";

    /// What is missed where the member at the end of `at` becomes `value`, or goes.
    fn broken_by(at: &str, value: Option<Value>) -> Vec<String> {
        let (parent, name) = at.rsplit_once('/').unwrap();
        let mut now = api();
        let members = now.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        let before = promises(&api());
        assert_eq!(read(&written(&before)), before);
        broken(&before, &promises(&now))
    }

    #[test]
    fn what_only_adds_breaks_nothing() {
        let text = json!({"type": "string"});
        for (at, value) in [
            (format!("{SCHEMAS}/Offer/properties/new"), Some(text.clone())),
            (format!("{SCHEMAS}/Offer/required"), Some(json!(["id", "rate"]))),
            (format!("{SCHEMAS}/Wish/properties/new"), Some(text)),
            (format!("{SCHEMAS}/Wish/properties/mode/enum"), Some(json!(["a", "b", "c"]))),
            (format!("{SCHEMAS}/Wish/properties/mode/maxLength"), Some(json!(10))),
            (format!("{SCHEMAS}/Wish/properties/old"), None),
            (format!("{POST}/responses/409"), Some(json!({}))),
        ] {
            assert_eq!(broken_by(&at, value), [""; 0], "{at}");
        }
    }

    #[test]
    fn what_a_client_relies_on_is_missed() {
        let mode = format!("{SCHEMAS}/Wish/properties/mode");
        let limit = json!({"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}});
        let changed = |at: &str, value: Value| {
            let mut limit = limit.clone();
            *limit.pointer_mut(at).unwrap() = value;
            Some(json!([limit]))
        };
        let mut required = limit.clone();
        required["required"] = json!(true);
        for (told, at, value) in [
            ("POST /v4/offer: is gone", "/paths".to_owned(), Some(json!({}))),
            ("POST /v4/offer: was createOffer, is makeOffer", format!("{POST}/operationId"), Some(json!("makeOffer"))),
            ("POST /v4/offer takes query limit: is gone", format!("{POST}/parameters"), None),
            ("POST /v4/offer needs query limit: is new", format!("{POST}/parameters"), Some(json!([required]))),
            (
                "POST /v4/offer takes query limit needs maximum: was 100, is 50",
                format!("{POST}/parameters"),
                changed("/schema/maximum", json!(50)),
            ),
            ("POST /v4/offer gives 404: is gone", format!("{POST}/responses/404"), None),
            ("Wish needs mode: is new", format!("{SCHEMAS}/Wish/required"), Some(json!(["card", "mode"]))),
            ("Wish takes mode: was null|string, is string", format!("{mode}/type"), Some(json!("string"))),
            ("Wish takes mode takes \"b\": is gone", format!("{mode}/enum"), Some(json!(["a"]))),
            ("Wish takes mode needs ^[0-9]$: is new", format!("{mode}/pattern"), Some(json!("^[0-9]$"))),
            ("Offer gives id: was integer always, is integer", format!("{SCHEMAS}/Offer/required"), Some(json!([]))),
            (
                "Offer gives rate: was string, is null|string",
                format!("{SCHEMAS}/Offer/properties/rate/type"),
                Some(json!(["string", "null"])),
            ),
        ] {
            let broken = broken_by(&at, value);
            assert!(broken.contains(&told.to_owned()), "{told}: {broken:?}");
        }
    }
}
