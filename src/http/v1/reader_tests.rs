//! What a document may look like, and how each problem is told.

use rust_decimal::dec;

use super::*;

const ATTRIBUTES: [&str; 8] = ["name", "amount", "count", "flag", "list", "map", "object", "test_mode"];

fn wanted() -> Wanted<'static> {
    Wanted { kind: "thing", id: None, attributes: &ATTRIBUTES }
}

/// The problems of a document that is read whole: pointer and code.
fn problems(body: &str) -> Vec<(String, String)> {
    let body = Body::of(body);
    let refused = Reader::of_document(&body, &wanted()).and_then(|a| {
        a.text("name", 1..=5);
        a.optional_amount("amount");
        a.optional_integer("count", 0..=3);
        a.optional_flag("flag");
        a.optional_texts("list", 2, 1..=3);
        a.optional_map("map", 2, 8, 4);
        if let Some(object) = a.optional_object("object", &["id"]) {
            object.text("id", 1..=3);
        }
        a.test_mode(Mode::Live);
        a.finish()
    });
    let pointer = |source: &Option<Source>| match source {
        Some(Source::Pointer(pointer)) => pointer.clone(),
        _ => "none".to_owned(),
    };
    let errors = refused.unwrap_err().errors().to_vec();
    errors.iter().map(|error| (pointer(&error.source), error.code.to_string())).collect()
}

fn refused(attributes: &str, wanted: &[(&str, &str)]) {
    let found = problems(&format!(r#"{{"data":{{"type":"thing","attributes":{attributes}}}}}"#));
    let wanted: Vec<_> =
        wanted.iter().map(|(at, code)| (format!("/data/attributes{at}"), (*code).to_owned())).collect();
    assert_eq!(found, wanted, "{attributes}");
}

#[test]
fn every_problem_is_told_where_it_stands() {
    refused(
        r#"{"name":7,"amount":true,"count":4,"flag":"x","list":[1,"long"],"other":1}"#,
        &[
            ("/other", "UNKNOWN_MEMBER"),
            ("/name", "WRONG_TYPE"),
            ("/amount", "WRONG_TYPE"),
            ("/count", "OUT_OF_RANGE"),
            ("/flag", "WRONG_TYPE"),
            ("/list/0", "WRONG_TYPE"),
            ("/list/1", "WRONG_LENGTH"),
        ],
    );
    refused("{}", &[("/name", "MISSING")]);
    refused(r#"{"name":null}"#, &[("/name", "MISSING")]);
    refused(r#"{"name":"a\u0000"}"#, &[("/name", "INVALID_VALUE")]);
    refused(r#"{"name":"a\ud800"}"#, &[("/name", "INVALID_VALUE")]);
    refused(r#"{"name":"toolong"}"#, &[("/name", "WRONG_LENGTH")]);
    refused(r#"{"name":"a","object":{"id":"a","x":1}}"#, &[("/object/x", "UNKNOWN_MEMBER")]);
    refused(r#"{"name":"a","object":[]}"#, &[("/object", "WRONG_TYPE")]);
    refused(r#"{"name":"a","list":["a","b","c"]}"#, &[("/list", "TOO_MANY")]);
    refused(r#"{"name":"a","map":{"a":"b","c":1}}"#, &[("/map/c", "WRONG_TYPE")]);
    refused(r#"{"name":"a","map":{"a":"b","c":"d","e":"f"}}"#, &[("/map", "TOO_MANY")]);
    refused(r#"{"name":"a","test_mode":true}"#, &[("/test_mode", "MODE_MISMATCH")]);
    refused(r#"{"name":"a","amount":-1}"#, &[("/amount", "INVALID_VALUE")]);
    refused(r#"{"name":"a","count":1.5}"#, &[("/count", "OUT_OF_RANGE")]);
}

#[test]
fn repeated_and_forbidden_members_are_refused_wherever_they_stand() {
    refused(r#"{"name":"a","name":"a"}"#, &[("/name", "DUPLICATE_MEMBER")]);
    refused(r#"{"name":"a","cvv":"123"}"#, &[("/cvv", "FORBIDDEN_MEMBER")]);
    refused(r#"{"name":"a","map":{"card_cvc":"1"}}"#, &[("/map/card_cvc", "FORBIDDEN_MEMBER")]);
    // What could be a card number isn't repeated, even as a name.
    refused(r#"{"name":"a","4907000000003896":1}"#, &[("", "UNKNOWN_MEMBER")]);
}

#[test]
fn the_document_has_its_form() {
    for (body, at, code) in [
        ("", "none", "MALFORMED_JSON"),
        ("{", "none", "MALFORMED_JSON"),
        (r#"{"data":1}x"#, "none", "MALFORMED_JSON"),
        ("[]", "", "WRONG_TYPE"),
        ("{}", "/data", "MISSING"),
        (r#"{"data":[]}"#, "/data", "WRONG_TYPE"),
        (r#"{"data":{"type":"thing"}}"#, "/data/attributes", "MISSING"),
        (r#"{"data":{"type":"other","attributes":{}}}"#, "/data/type", "TYPE_MISMATCH"),
        (r#"{"data":{"type":"thing","attributes":{"name":"a"}},"meta":{}}"#, "/meta", "UNKNOWN_MEMBER"),
        (r#"{"data":{"type":"thing","id":"1","attributes":{"name":"a"}}}"#, "/data/id", "UNKNOWN_MEMBER"),
    ] {
        assert_eq!(problems(body), [(at.to_owned(), code.to_owned())], "{body}");
    }
    let deep = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
    assert_eq!(problems(&deep)[0].1, "WRONG_TYPE");
}

#[test]
fn amounts_keep_their_digits() {
    let body = Body::of(r#"{"data":{"type":"thing","attributes":{"amount":0.30000000000000004,"name":"100.10"}}}"#);
    let reader = Reader::of_document(&body, &wanted()).unwrap();
    assert_eq!(reader.amount("amount"), dec!(0.30000000000000004));
    assert_eq!(reader.amount("name"), dec!(100.1));
    reader.finish().unwrap();
}

#[test]
fn a_patch_tells_null_from_absent() {
    let body = Body::of(r#"{"data":{"type":"thing","id":"t_1","attributes":{"name":null,"list":[]}}}"#);
    let with_id = Wanted { id: Some("t_1"), ..wanted() };
    let reader = Reader::of_document(&body, &with_id).unwrap();
    assert_eq!(reader.change_text("name", 1..=5), Some(None));
    assert_eq!(reader.change_text("map", 1..=5), None);
    reader.finish().unwrap();
    let other = Wanted { id: Some("t_2"), ..wanted() };
    assert_eq!(Reader::of_document(&body, &other).map(drop).unwrap_err().to_string(), "ID_MISMATCH");
}

#[test]
fn free_json_keeps_digits_and_refuses_repeats() {
    let with = |object: &str| {
        let body = Body::of(format!(r#"{{"data":{{"type":"thing","attributes":{{"object":{object}}}}}}}"#));
        let reader = Reader::of_document(&body, &wanted()).unwrap();
        let value = reader.required_json("object");
        reader.finish().map(|()| value.unwrap().to_string())
    };
    assert_eq!(with(r#"{"a":[1.10,{"b":null}]}"#).unwrap(), r#"{"a":[1.10,{"b":null}]}"#);
    assert!(with(r#"{"a":{"b":1,"b":2}}"#).is_err());
    assert!(with(&format!("{}1{}", "[".repeat(40), "]".repeat(40))).is_err());
    assert_eq!(with(r#"{"$serde_json::private::Number":"1"}"#).unwrap(), r#"{"$serde_json::private::Number":"1"}"#);
}
