//! An example of every value, and of every document that is sent or answered: composed of the examples of its properties.

use super::tree::{self, Tree};

/// How deep documents are composed.
const DEPTH_MAX: u8 = 40;

/// What doesn't stand in an example, since it can't stand beside the rest: only the house names partners, a token stands in place of fields.
const LEFT_OUT: [(&str, &str); 9] = [
    ("NewCreditRequest", "partner"),
    ("NewPartnerCreditRequest", "partner"),
    ("NewPayoutRequest", "point_amount"),
    ("NewPayoutRequest", "token"),
    ("NewSinglePayoutRequest", "point_amount"),
    ("NewSinglePayoutRequest", "token"),
    ("NewPayoutPointRequest", "payout_scheme_id"),
    ("NewPayoutPointRequest", "exchange_rate_scheme_id"),
    ("SimulationRequest", "version"),
];

/// Gives every property an example, and every body one of the whole.
pub fn complete(api: &mut Tree) {
    for (owner, schema) in tree::schemas(api) {
        for (name, property) in tree::properties(schema) {
            if let Some(example) = tree::take(property, "example") {
                tree::set(property, "examples", vec![example]);
            }
            if is_leaf(property) && property.get("examples").is_none() {
                tree::set(property, "examples", vec![example(&owner, &name, property)]);
            }
        }
    }
    let schemas = api["components"]["schemas"].clone();
    let mut documents = Vec::new();
    for (_, operation) in tree::operations(api) {
        for (_, media) in bodies(operation) {
            if let Some(name) = tree::referred(&media["schema"]).map(str::to_owned)
                && media.get("examples").is_none()
                && media.get("example").is_none()
            {
                let reference = tree::object([("$ref", format!("#/components/examples/{name}").into())]);
                tree::set(media, "examples", tree::object([("example", reference)]));
                documents.push(name);
            }
        }
    }
    for name in documents {
        let whole = tree::object([("$ref", tree::reference(&name).into())]);
        if let Some(mut value) = composed(&schemas, &whole, DEPTH_MAX) {
            // Both kinds of schemes have the same attributes.
            if name.contains("ExchangeRateScheme")
                && let Some(body) =
                    value["data"].get_mut("attributes").and_then(|attributes| attributes.get_mut("body"))
            {
                *body = json(r#"{"rules": [{"from": "USD", "to": "EUR", "kind": "fixed", "price": "0.92"}]}"#);
            }
            tree::set(&mut api["components"]["examples"], &name, tree::object([("value", value)]));
        }
    }
}

/// The bodies of a request and of its answers, by their media types.
fn bodies(operation: &mut Tree) -> impl Iterator<Item = (String, &mut Tree)> {
    let mut found = Vec::new();
    for (name, member) in tree::members(operation) {
        match name.as_str() {
            "requestBody" => found.extend(member.get_mut("content").map(tree::members).into_iter().flatten()),
            "responses" => found.extend(
                tree::members(member).filter_map(|(_, answer)| answer.get_mut("content")).flat_map(tree::members),
            ),
            _ => {}
        }
    }
    found.into_iter()
}

/// Whether a property is a value of its own rather than an object that is described elsewhere.
fn is_leaf(property: &Tree) -> bool {
    const VALUES: [&str; 3] = ["Amount", "AmountGiven", "ExactNumber"];
    let refers = |schema: &Tree| tree::referred(schema).is_some_and(|name| !VALUES.contains(&name));
    let is_composed = property.get("oneOf").and_then(Tree::as_sequence).is_some_and(|parts| parts.iter().any(refers));
    let has_parts = property.get("properties").is_some();
    !has_parts && !refers(property) && !is_composed && !property.get("items").is_some_and(refers)
}

fn composed(schemas: &Tree, schema: &Tree, depth: u8) -> Option<Tree> {
    let depth = depth.checked_sub(1)?;
    if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)).or_else(|| schema.get("example"))
    {
        return Some(example.clone());
    }
    if let Some(name) = tree::referred(schema) {
        let mut whole = composed(schemas, schemas.get(name)?, depth)?;
        for (_, left_out) in LEFT_OUT.iter().filter(|(of, _)| *of == name) {
            tree::take(&mut whole, left_out);
        }
        return Some(whole);
    }
    if let Some(value) = schema.get("enum").and_then(|values| values.get(0)) {
        return Some(value.clone());
    }
    if let Some(parts) = schema.get("allOf").and_then(Tree::as_sequence) {
        let parts = parts.iter().filter_map(|part| composed(schemas, part, depth));
        let members = parts.filter_map(|part| part.as_mapping().cloned()).flatten();
        return Some(members.collect::<yaml_serde::Mapping>().into());
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(parts) = schema.get(choice).and_then(Tree::as_sequence) {
            return parts.iter().find_map(|part| composed(schemas, part, depth));
        }
    }
    if let Some(items) = schema.get("items") {
        return Some(composed(schemas, items, depth).into_iter().collect::<Vec<_>>().into());
    }
    let properties = schema.get("properties")?.as_mapping()?;
    // Of two where one is given, the first.
    let excluded = schema.get("then").and_then(|then| then["not"]["required"][0].as_str());
    let members = properties
        .iter()
        .filter(|(name, _)| name.as_str() != excluded)
        .filter_map(|(name, property)| Some((name.clone(), composed(schemas, property, depth)?)));
    Some(members.collect::<yaml_serde::Mapping>().into())
}

/// The example of a property that names none itself.
fn example(owner: &str, name: &str, property: &Tree) -> Tree {
    if let Some(number) = number(owner, name).filter(|_| tree::referred(property) == Some("ExactNumber")) {
        return number;
    }
    if let Some(value) = property.get("enum").and_then(|values| values.get(0)) {
        return value.clone();
    }
    if let Some(text) = text(owner, name) {
        return text.into();
    }
    let is = |name: &str| tree::is(property, name);
    if is("boolean") {
        return (!matches!(name, "blocked" | "moderation" | "allow_partially" | "parallel_mode" | "signing_required"))
            .into();
    }
    if is("integer") {
        return 1.into();
    }
    if property.get("format").and_then(Tree::as_str) == Some("date-time") {
        return time(name).into();
    }
    if property.get("$ref").is_some() || property.get("oneOf").is_some() {
        return "1.5".into();
    }
    if is("array") {
        return match name {
            "allowed_ips" => tree::texts(["192.0.2.0/24"]),
            "currencies" => tree::texts(["EUR", "USD"]),
            _ => Vec::<Tree>::new().into(),
        };
    }
    if is("object") {
        return members(owner, name);
    }
    Tree::Null
}

fn time(name: &str) -> &'static str {
    match name {
        "created" | "asked" | "first_created" => "2026-11-21T10:15:42.107Z",
        "sent_at" => "2026-11-21T10:15:42.391Z",
        "expires_at" => "2035-01-01T00:00:00Z",
        "expires" | "until" | "previous_callback_keys_until" => "2026-11-22T10:15:42.107Z",
        _ => "2026-11-21T10:15:43.018Z",
    }
}

/// From the published example: 760.06209697 USDT at a rate of 0.911106 EUR.
fn number(owner: &str, name: &str) -> Option<Tree> {
    let digits = match (owner, name) {
        ("Fees", "rate") => "2",
        ("FeeInfo", "value") | (_, "feeAmount") => "29.29121288",
        ("Limit", "value") => "1980",
        (_, "rate") => "0.911106",
        (_, "amount" | "amountFrom" | "allAmountFrom" | "defaultMaxAmountAll") => "760.06209697",
        (_, "amountTo") => "692.49",
        (_, "totalFrom" | "available") => "789.35330985",
        (_, "minAmountFrom" | "defaultMinAmountFrom") => "23.04890979",
        (_, "maxAmountFrom" | "defaultMaxAmountFrom") => "2173.18292273",
        (_, "transactionFee") => "3.5",
        (_, "fixFee") => "2.5",
        _ => "0",
    };
    yaml_serde::from_str(digits).ok()
}

fn text(owner: &str, name: &str) -> Option<&'static str> {
    Some(match (owner, name) {
        (_, "arn") => "74537604221431003881865",
        (_, "asked_by" | "created_by" | "made") => "key_019aa5f0b1c27d3e8f4a5b6c7d8e9f01",
        (_, "callback_url") => "https://shop.example/payouts",
        (_, "comment") => "Half of it over bank B",
        (_, "country") => "DE",
        (_, "customer_id") => "cus_019aa5f0b1c27d3e8f4a5b6c7d8e9f01",
        (_, "description") => "Cards in euros",
        (_, "email") => "alice@example.com",
        (_, "exchange_rate_scheme_id") => "ers_019aa5f0b1c27d3e8f4a5b6c7d8e9f01",
        (_, "health_detail" | "sync_error") => "the provider can't be reached",
        ("Source", "pointer") => "/data/attributes/point_amount",
        ("Source", "parameter") => "page[size]",
        ("Source", "header") => "Idempotency-Key",
        ("ResourceId", "id") => "pop_019aa5f0b1c27d3e8f4a5b6c7d8e9f01",
        ("ResourceId", "type") => "payout-point",
        ("CustomerChangeRequest", "name") => "Alice Example",
        (_, "name") => "Bank A, euros",
        (_, "next") => "/v1/payout-gateway/payout-requests?page%5Bsize%5D=20&sort=-created&page%5Bcursor%5D=AZqlS2k",
        (_, "self") => "/v1/payout-gateway/payout-requests/porq_019aa5f0b1c27d3e8f4a5b6c7d8e9f01",
        (_, "nextCursor" | "next_cursor") => "AZqlS2k",
        (_, "note") => "It is made when another person approves it.",
        (_, "object") => "new",
        (_, "payout_scheme_id") => "posc_019aa5f0b1c27d3e8f4a5b6c7d8e9f01",
        (_, "provider_original_id") => "tr_88315",
        (_, "reason") => "not agreed with the bank",
        (_, "secret") => "sk_test_...",
        (_, "signing_secret") => "ss_test_...",
        _ => return None,
    })
}

fn members(owner: &str, name: &str) -> Tree {
    let text = match name {
        "body" => {
            r#"{"services": {"card_eur": {"strategies": [{"strategy": "cost", "routes": ["bank-a-card-eur", "bank-b-card-eur"]}]}}}"#
        }
        "credentials" => r#"{"api_key": "..."}"#,
        "data" if owner == "ErrorBody" => r#"{"limit": {"value": 23.04890979, "currency": "USDT"}}"#,
        "data" => r#"{"status": "created"}"#,
        "metadata" => r#"{"segment": "gold"}"#,
        "settings" => r#"{"merchant": "4711"}"#,
        "trace" => r#"{"scheme": "standard"}"#,
        "turnover_limits" => r#"{"EUR": "250000"}"#,
        _ => "{}",
    };
    json(text)
}

fn json(text: &str) -> Tree {
    yaml_serde::from_str(text).unwrap_or_default()
}
