//! Conditions and strategies in words.

use serde_json::Value;

/// A condition as half a sentence: "amount ≥ 1000 and card.scheme is one of VISA, MASTERCARD".
pub fn condition(value: &Value) -> String {
    told(value, true)
}

fn told(value: &Value, is_outermost: bool) -> String {
    for (name, word) in [("all", " and "), ("any", " or ")] {
        if let Some(parts) = value.get(name).and_then(Value::as_array) {
            let parts: Vec<String> = parts.iter().map(|part| told(part, false)).collect();
            let whole = parts.join(word);
            return if is_outermost || parts.len() < 2 { whole } else { format!("({whole})") };
        }
    }
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let (Some(attribute), Some(operator)) = (text("attribute"), text("operator")) else {
        return "something that can't be read".to_owned();
    };
    let compared = value.get("value").unwrap_or(&Value::Null);
    let zone = text("time_zone").map(|zone| format!(" in {zone}")).unwrap_or_default();
    let listed = |word: &str| match compared.as_array() {
        Some(values) => values.iter().map(plain).collect::<Vec<_>>().join(word),
        None => plain(compared),
    };
    let rest = match operator {
        "=" => format!("is {}", plain(compared)),
        "!=" => format!("is known and isn't {}", plain(compared)),
        "<=" => format!("≤ {}", plain(compared)),
        ">=" => format!("≥ {}", plain(compared)),
        "in" => format!("is one of {}", listed(", ")),
        "not_in" => format!("is known and none of {}", listed(", ")),
        "between" => format!("is from {}", listed(" to ")),
        "starts_with" => format!("starts with {}", listed(" or ")),
        "exists" if compared == &Value::Bool(false) => "isn't known".to_owned(),
        "exists" => "is known".to_owned(),
        other => format!("{other} {}", plain(compared)),
    };
    format!("{attribute} {rest}{zone}")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Which route a strategy puts first.
pub fn strategy(name: &str) -> &'static str {
    match name {
        "direct" => "the first of them that can take it",
        "cost" => "the cheapest for the amount",
        "optimal" => "in equal shares",
        "weight" => "in shares by weight",
        "balance" => "the one with the most left",
        "conversion" => "those that succeed more, more often",
        _ => "not a strategy",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_told() {
        let amount = json!({"attribute": "amount", "operator": ">=", "value": 1000});
        assert_eq!(condition(&amount), "amount ≥ 1000");
        let hour =
            json!({"attribute": "time.hour", "operator": "between", "value": [8, 18], "time_zone": "Europe/Berlin"});
        let group = json!({"all": [amount, {"any": [hour, {"attribute": "card.scheme", "operator": "in", "value": ["VISA", "UPI"]}]}]});
        assert_eq!(
            condition(&group),
            "amount ≥ 1000 and (time.hour is from 8 to 18 in Europe/Berlin or card.scheme is one of VISA, UPI)"
        );
        assert_eq!(
            condition(&json!({"attribute": "card.type", "operator": "exists", "value": false})),
            "card.type isn't known"
        );
        assert_eq!(condition(&json!(7)), "something that can't be read");
    }
}
