//! What the description says may be null, against what is: each member of each document that the partners' API takes is sent as null. It is
//! refused for that, or isn't, as its schema says. Client generators go by that, and some send null for whatever isn't set.

use landfall::http::openapi;
use serde_json::{Value, json};

use super::exceptions::Exceptions;
use super::routes::Table;
use super::stage::Stage;

/// A schema's members with the schemas that they refer to, if they do; those of its own objects too.
struct Members<'a> {
    schemas: &'a Value,
    /// Each with where it stands, and whether it may be null.
    found: Vec<(String, bool)>,
}

impl Members<'_> {
    fn referred(&self, schema: &Value) -> Value {
        match schema["$ref"].as_str() {
            Some(reference) => self.schemas[reference.rsplit('/').next().unwrap()].clone(),
            None => schema.clone(),
        }
    }

    fn walk(&mut self, at: &str, schema: &Value) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}/{name}");
            let choices = property["oneOf"].as_array().cloned().unwrap_or_default();
            let of_null =
                |kinds: &Value| kinds == "null" || kinds.as_array().is_some_and(|k| k.contains(&json!("null")));
            let takes_null = of_null(&property["type"]) || choices.iter().any(|choice| of_null(&choice["type"]));
            self.found.push((at.clone(), takes_null));
            let object = choices.first().unwrap_or(property);
            let object = self.referred(object);
            self.walk(&at, &object);
        }
    }
}

/// The document with null at a pointer of its attributes.
fn with_null(body: &str, at: &str) -> String {
    let mut document: Value = serde_json::from_str(body).unwrap();
    let mut place = &mut document["data"]["attributes"];
    // That it was made for an older version would be told first.
    place.as_object_mut().unwrap().remove("version");
    for name in at.trim_start_matches('/').split('/') {
        place = &mut place[name];
    }
    *place = Value::Null;
    document.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_described_as_nullable_is_what_is_taken_as_null() {
    let api = serde_json::to_value(openapi::openapi().unwrap()).unwrap();
    let table = Table::of(&Exceptions::read());
    let stage = Stage::new().await;
    let (mut asked, mut wrong) = (0, Vec::new());
    for (route, _) in table.of_keys().into_iter().filter(|(route, _)| route.takes_body) {
        let content = &api["paths"][&route.path][route.method.to_lowercase()]["requestBody"]["content"];
        let Some(document) = content.get("application/vnd.api+json") else { continue };
        let mut members = Members { schemas: &api["components"]["schemas"], found: Vec::new() };
        let document = members.referred(&document["schema"]);
        let resource = members.referred(&document["properties"]["data"]);
        let attributes = members.referred(&resource["properties"]["attributes"]);
        members.walk("", &attributes);
        for (at, takes_null) in &members.found {
            let pointer = format!("/data/attributes{at}");
            let request = stage.request_with(route, |body| with_null(body, at));
            let answer = stage.send(request.bearer_auth(&stage.keys.all)).await;
            assert!(answer.status < 500, "{}: {answer:?}", route.name());
            let errors = if answer.status < 300 { json!([]) } else { answer.json()["errors"].clone() };
            let told = errors.as_array().unwrap().iter().find(|error| {
                // That one of two is missing isn't about this one's null.
                error["source"]["pointer"] == *pointer && error["code"] != "AMOUNT_REQUIRED"
            });
            asked += 1;
            if told.is_some() == *takes_null {
                wrong.push(format!(
                    "{} {at}: described as {}, and {told:?}",
                    route.name(),
                    if *takes_null { "nullable" } else { "not" }
                ));
            }
        }
    }
    assert!(asked > 150, "{asked}");
    assert!(wrong.is_empty(), "{} of {asked} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    stage.world.stop().await;
}
