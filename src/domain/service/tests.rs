use serde_json::{Map, Value, json};

use super::*;

fn service(fields: Value) -> Service {
    let mut fields: Vec<ServiceField> = serde_json::from_value(fields).unwrap();
    fields.sort_by_key(|field| field.position);
    Service {
        code: "card_eur".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        enabled: true,
        amount_min: None,
        amount_max: None,
        fields,
    }
}

fn cards() -> Service {
    service(json!([
        { "key": "card_number", "type": "card_number", "required": true,
          "hint": { "en": "Enter the card number.", "es": "Introduzca el número de la tarjeta." } },
        { "key": "card_expiry_month", "type": "card_expiry_month", "required": true },
        { "key": "card_expiry_year", "type": "card_expiry_year", "required": true },
        { "key": "card_holder", "type": "card_holder", "required": true, "hint": { "en": "Enter the name." } },
        { "key": "passport", "type": "text", "regexp": "[A-Z]{2}[0-9]{6}" },
        { "key": "email", "type": "email" },
    ]))
}

fn given(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn whole() -> Value {
    json!({ "card_number": "4111 1111 1111 1111", "card_expiry_month": "07", "card_expiry_year": 2031,
            "card_holder": "Ada Lovelace", "passport": "AB123456", "email": "ada@example.com" })
}

#[test]
fn a_card_is_read_and_kept_apart_from_what_may_be_stored() {
    let checked = cards().check_fields(&given(whole()), "en").unwrap();
    assert!(checked.is_complete());
    assert_eq!(checked.card_number.as_ref().unwrap().expose(), "4111111111111111");
    assert_eq!(checked.card_expiry, Some(("07".into(), "2031".into())));
    assert_eq!(checked.card_holder.as_ref().unwrap().expose(), "Ada Lovelace");
    let kept: Vec<_> = checked.plain.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(kept, [("email", "ada@example.com"), ("passport", "AB123456")]);
    assert!(!format!("{checked:?}").contains("4111"));
}

#[test]
fn what_is_missing_is_told_apart_from_what_is_wrong_and_in_the_asked_language() {
    let mut fields = given(whole());
    fields.remove("card_number");
    fields.insert("card_holder".into(), json!(null));
    let checked = cards().check_fields(&fields, "es-MX").unwrap();
    let missing: Vec<_> = checked.missing.iter().map(|p| (p.pointer(), p.code, p.detail.as_str())).collect();
    assert_eq!(
        missing,
        [
            ("/data/attributes/fields/card_number".to_owned(), "FIELD_MISSING", "Introduzca el número de la tarjeta."),
            // No Spanish hint: English.
            ("/data/attributes/fields/card_holder".to_owned(), "FIELD_MISSING", "Enter the name."),
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let fields = json!({ "card_number": "4111 1111 1111 1112", "card_expiry_month": "13", "card_expiry_year": "203",
        "card_holder": "4111 1111 1111 1111", "passport": "xAB123456", "email": "nobody", "cvv": "123",
        "4111111111111111": "x" });
    let problems = cards().check_fields(&given(fields), "en").unwrap_err();
    let mut told: Vec<_> = problems.iter().map(|p| (p.key.as_str(), p.code)).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("", "FIELD_UNKNOWN"),
            ("card_expiry_month", "FIELD_INVALID"),
            ("card_expiry_year", "FIELD_INVALID"),
            ("card_holder", "FIELD_INVALID"),
            ("card_number", "FIELD_INVALID"),
            ("cvv", "FIELD_UNKNOWN"),
            ("email", "FIELD_INVALID"),
            ("passport", "FIELD_INVALID"),
        ]
    );
    assert!(!format!("{problems:?}").contains("4111"), "no value and no such name is repeated");
}

#[test]
fn a_pattern_is_matched_with_the_whole_value() {
    let one = service(json!([{ "key": "iban", "type": "text", "regexp": "a|b" }]));
    for (value, fits) in [("a", true), ("b", true), ("ab", false), ("xa", false), ("a\n", false)] {
        let fields = given(json!({ "iban": value }));
        assert_eq!(one.check_fields(&fields, "en").is_ok(), fits, "{value:?}");
    }
}

#[test]
fn an_expiry_may_be_one_field() {
    let one = service(json!([{ "key": "card_expiry", "type": "card_expiry", "required": true }]));
    let expiry = |text: &str| one.check_fields(&given(json!({ "card_expiry": text })), "en").ok()?.card_expiry;
    assert_eq!(expiry("7/31"), Some(("7".into(), "31".into())));
    assert_eq!(expiry("07 / 2031"), Some(("07".into(), "2031".into())));
    for bad in ["0731", "13/31", "00/31", "7/311", "+7/31"] {
        assert_eq!(expiry(bad), None, "{bad}");
    }
}

#[test]
fn a_field_that_describes_nothing_sound_is_refused() {
    for bad in [
        json!({ "key": "Card", "type": "text" }),
        json!({ "key": "x", "type": "cvv" }),
        json!({ "key": "x", "type": "text", "regexp": "(" }),
        json!({ "key": "x", "type": "text", "regexp": "a)|(b" }),
        json!({ "key": "x", "type": "text", "regexp": "(a{1000}){1000}" }),
        json!({ "key": "x", "type": "text", "label": { "english": "X" } }),
        json!({ "key": "x", "type": "text", "secret": true }),
    ] {
        assert!(serde_json::from_value::<ServiceField>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_field_survives_being_written_down() {
    let service = cards();
    let written = serde_json::to_value(&service.fields).unwrap();
    assert_eq!(serde_json::from_value::<Vec<ServiceField>>(written).unwrap(), service.fields);
}

#[test]
fn a_code_is_a_method_and_a_currency() {
    let code: ServiceCode = "card_eur".parse().unwrap();
    assert_eq!((code.method(), code.currency()), ("card", "EUR".parse().ok()));
    for bad in ["", "card", "card_", "_eur", "Card_eur", "card_EUR", "card_e", "card_eur_x", "card-eur"] {
        assert!(bad.parse::<ServiceCode>().is_err(), "{bad}");
    }
}
