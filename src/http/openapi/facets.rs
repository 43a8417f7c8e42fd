//! What values are like beyond their type: amounts, the values of a closed list, ids. Said once per name of a property, wherever it stands.

use super::tree::{self, Tree};
use crate::domain::card::CardScheme;
use crate::domain::ids;
use crate::domain::payout::PayoutStatus;
use crate::domain::payout_request::{Funding, RequestStatus, SplitMode};
use crate::gateway::access::Scope;
use crate::gateway::account_checks::Health;
use crate::gateway::manage::form::{AMOUNT_DIGITS_MAX, VERSION};
use crate::gateway::requests;
use crate::http::auth::customer_tokens;
use crate::http::v1::customers::{METADATA_MEMBERS_MAX, METADATA_NAME_CHARS_MAX, METADATA_VALUE_CHARS_MAX};
use crate::http::v1::openapi::WALLET_ID;
use crate::http::v1::webhooks::deliveries;

/// A decimal that the partners' API answers.
const AMOUNT: &str = "Amount";
/// A decimal that either API takes.
const AMOUNT_GIVEN: &str = "AmountGiven";

/// What the partners' API answers and takes as decimals.
const AMOUNTS: [&str; 19] = [
    "amount",
    "amount_max",
    "amount_min",
    "available",
    "balance",
    "cost_fixed",
    "cost_max",
    "cost_min",
    "cost_percent",
    "exchange_rate",
    "fee",
    "held",
    "percent",
    "point_amount",
    "processed_amount",
    "reserved",
    "returned_amount",
    "service_amount",
    "turnover_limits",
];

/// Requests that are read by a form, which refuses null unless it empties something.
const FORMS: [&str; 8] =
    ["PayoutPoint", "PayoutRoute", "ProviderAccount", "DepositAccount", "NewScheme", "TopUp", "Simulation", "Sample"];

/// What other readers refuse as null: a change that can't be made, or one of two of which one is given.
const KEPT: [(&str, &[&str]); 6] = [
    ("ApiKeyChangeRequest", &["name", "allowed_ips"]),
    ("CustomerChangeRequest", &["blocked", "kyc_level", "metadata"]),
    ("NewCreditRequest", &["customer_id", "customer_reference_id"]),
    ("PayoutRequestChangeRequest", &["description", "fields", "options", "service_amount"]),
    ("RequestOptionsChangeRequest", &["allow_partially", "attempts_limit"]),
    ("WebhookEndpointChangeRequest", &["description", "enabled", "event_types", "url"]),
];

fn is_form(owner: &str) -> bool {
    FORMS.iter().any(|form| owner.contains(form))
}

/// Whether a request's optional member may be null. Each is sent as null by a test.
fn takes_null(owner: &str, name: &str) -> bool {
    if !is_form(owner) {
        return !KEPT.iter().any(|(of, names)| *of == owner && names.contains(&name));
    }
    match name {
        "name" => !owner.contains("PayoutPoint"),
        "description" | "comment" | "callback_url" | "payout_scheme_id" | "exchange_rate_scheme_id" | "test_mode" => {
            true
        }
        _ => matches!(name, "amount_min" | "amount_max" | "cost_min" | "cost_max"),
    }
}

fn not_null(property: &mut Tree) {
    if let Some(kinds) = property.get("type").and_then(Tree::as_sequence) {
        let kinds: Vec<Tree> = kinds.iter().filter(|kind| kind.as_str() != Some("null")).cloned().collect();
        property["type"] = if let [one] = kinds.as_slice() { one.clone() } else { kinds.into() };
    }
    let of_null = |part: &Tree| part["type"].as_str() == Some("null");
    if let Some([one, null]) = property.get("oneOf").and_then(Tree::as_sequence).map(Vec::as_slice)
        && of_null(null)
    {
        *property = one.clone();
    }
}

/// Completes every property and every filter.
pub fn complete(api: &mut Tree) {
    for (owner, schema) in tree::schemas(api) {
        let is_request = owner.ends_with("Request");
        for (name, property) in tree::properties(schema) {
            if is_request && !takes_null(&owner, &name) {
                not_null(property);
            }
            if is_request && matches!(name.as_str(), "amount" | "amountTo") && property.get("anyOf").is_some() {
                refer(property, AMOUNT_GIVEN);
            } else if AMOUNTS.contains(&name.as_str()) {
                amount(property, if is_request { AMOUNT_GIVEN } else { AMOUNT });
                if is_request && is_form(&owner) {
                    bounded_amount(&name, property);
                }
            } else {
                narrow(&owner, &name, property);
            }
        }
        match owner.as_str() {
            "CreateOfferRequest" | "UpdateOfferRequest" => exactly_one(schema, "amount", "amountTo"),
            "OfferMessage" => told_as_json(&mut schema["properties"]["data"], "OfferEvent"),
            "NewCreditRequest" => exactly_one(schema, "customer_reference_id", "customer_id"),
            "SimulationRequest" => exactly_one(schema, "sample", "last"),
            change if change.ends_with("ChangeRequest") => changes_something(schema),
            _ => {}
        }
    }
    let schemas = &mut api["components"]["schemas"];
    schemas[AMOUNT] = amount_schema();
    schemas[AMOUNT_GIVEN] = amount_given_schema();
    for (_, operation) in tree::operations(api) {
        let of = operation["tags"][0].as_str().unwrap_or_default().to_owned();
        for parameter in operation.get_mut("parameters").and_then(Tree::as_sequence_mut).into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            match name.as_str() {
                "point_id" => tree::set(&mut parameter["schema"], "pattern", id_pattern(ids::PayoutPointId::PREFIX)),
                "name" => {
                    bounded(&mut parameter["schema"], 200);
                    tree::set(&mut parameter["schema"], "pattern", TEXT);
                }
                "from" | "to" => tree::set(&mut parameter["schema"], "format", "date"),
                "format" => tree::set(&mut parameter["schema"], "enum", tree::texts(["json", "csv"])),
                "version" if parameter["in"] == "path" => tree::set(&mut parameter["schema"], "minimum", 1),
                _ => {}
            }
            if let Some(filter) = name.strip_prefix("filter[").and_then(|rest| rest.strip_suffix(']')) {
                let owner = match of.as_str() {
                    "payouts" => "PayoutAttributes",
                    "webhook endpoints" => "WebhookDeliveryAttributes",
                    _ => "PayoutRequestAttributes",
                };
                narrow_filter(owner, filter, &mut parameter["schema"]);
            }
        }
    }
}

fn amount_schema() -> Tree {
    let about = "A decimal with its exact digits, without an exponent and without trailing zeros. Read it as a decimal, never as a binary float.";
    tree::object([
        ("type", "string".into()),
        ("format", "decimal".into()),
        ("pattern", r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$".into()),
        ("description", about.into()),
        ("examples", tree::texts(["760.06209697"])),
    ])
}

fn amount_given_schema() -> Tree {
    let about = "A decimal that isn't negative, as a string or as a number: either is taken by its digits. It has at most 18 digits \
                 before the point and no more decimals than its currency. Write a string where your language would put a number through a binary float.";
    let text = [
        ("type", "string".into()),
        ("format", "decimal".into()),
        ("pattern", r"^(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?$".into()),
        ("maxLength", 64.into()),
    ];
    let number = [("type", "number".into()), ("minimum", 0.into()), ("exclusiveMaximum", power_of_ten(18))];
    tree::object([
        ("anyOf", vec![tree::object(text), tree::object(number)].into()),
        ("description", about.into()),
        ("examples", tree::texts(["760.06209697"])),
    ])
}

/// A property of one type becomes a reference to that type's schema; what is said of it stays beside.
fn refer(property: &mut Tree, schema: &str) {
    let nullable = tree::is(property, "null");
    for member in ["type", "anyOf", "oneOf"] {
        tree::take(property, member);
    }
    let reference = ("$ref", tree::reference(schema).into());
    if nullable {
        let null = tree::object([("type", "null".into())]);
        tree::set(property, "oneOf", vec![tree::object([reference]), null]);
    } else {
        tree::set(property, reference.0, reference.1);
    }
}

/// A decimal, or a map of decimals.
fn amount(property: &mut Tree, schema: &str) {
    if tree::is(property, "string") {
        refer(property, schema);
    } else if tree::is(property, "object") {
        property["additionalProperties"] = tree::object([("$ref", tree::reference(schema).into())]);
    }
}

/// Says that a change has something to change, beside the version that it was made for.
fn changes_something(schema: &mut Tree) {
    tree::set(schema, "minProperties", 1);
    let is_optional = |name: &str| !schema["required"].as_sequence().is_some_and(|all| all.contains(&name.into()));
    if schema["properties"].get(VERSION).is_some() && is_optional(VERSION) {
        let more = tree::object([("minProperties", 2.into())]);
        tree::set(schema, "dependentSchemas", tree::object([(VERSION, more)]));
    }
}

fn power_of_ten(digits: u8) -> Tree {
    10_u64.saturating_pow(digits.into()).into()
}

/// The bounds of an amount that a form reads, beside what is said of every amount: of a number, and of a string.
fn bounded_amount(name: &str, property: &mut Tree) {
    if let Some(each) = property.get_mut("additionalProperties") {
        return bounded_amount(name, each);
    }
    let (bound, most, pattern) = match name {
        "cost_percent" => ("maximum", 100.into(), r"^(100(\.0{1,18})?|[1-9]?[0-9](\.[0-9]{1,18})?)$"),
        "amount" | "service_amount" => {
            tree::set(property, "exclusiveMinimum", 0);
            let above_zero = r"^([1-9][0-9]{0,14}(\.[0-9]{1,18})?|0\.[0-9]{0,17}[1-9][0-9]{0,17})$";
            ("exclusiveMaximum", power_of_ten(AMOUNT_DIGITS_MAX), above_zero)
        }
        _ => ("exclusiveMaximum", power_of_ten(AMOUNT_DIGITS_MAX), r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,18})?$"),
    };
    tree::set(property, bound, most);
    tree::set(property, "pattern", pattern);
}

/// Says that one of two properties is given, and not both. Two optional properties are what most generators can make of it.
fn exactly_one(schema: &mut Tree, one: &str, other: &str) {
    let has = |name: &str| {
        let property = tree::object([(name, tree::object([]))]);
        tree::object([("properties", property), ("required", tree::texts([name]))])
    };
    tree::set(schema, "if", has(one));
    tree::set(schema, "then", tree::object([("not", has(other))]));
    tree::set(schema, "else", has(other));
}

/// A text that holds a value of that schema.
fn told_as_json(property: &mut Tree, schema: &str) {
    tree::set(property, "contentMediaType", "application/json");
    tree::set(property, "contentSchema", tree::object([("$ref", tree::reference(schema).into())]));
}

fn bounded(schema: &mut Tree, length_max: u64) {
    tree::set(schema, "minLength", 1);
    tree::set(schema, "maxLength", length_max);
}

fn narrow(owner: &str, name: &str, property: &mut Tree) {
    if name == "metadata" && owner.ends_with("Request") {
        return metadata(owner, property);
    }
    if matches!(name, "cardId" | "offerId") && tree::is(property, "integer") {
        tree::set(property, "minimum", 1);
        tree::set(property, "maximum", 9_007_199_254_740_991_i64);
    }
    if name == VERSION && owner.ends_with("Request") {
        tree::set(property, "minimum", 1);
        tree::set(property, "maximum", i32::MAX);
    }
    match name {
        "allowed_ips" => bounded(&mut property["items"], 64),
        "currencies" => tree::set(&mut property["items"], "pattern", CURRENCY),
        "scopes" => {
            tree::set(&mut property["items"], "enum", tree::texts(Scope::ALL.map(Scope::as_str)));
            if owner.ends_with("Request") {
                tree::set(property, "minItems", 1);
                tree::set(property, "maxItems", size(Scope::ALL.len()));
            }
        }
        _ => {}
    }
    if !tree::is(property, "string") || property.get("format").is_some() || property.get("pattern").is_some() {
        return;
    }
    if let Some(values) = values(owner, name) {
        let mut values: Vec<Tree> = values.into_iter().map(Tree::from).collect();
        if tree::is(property, "null") {
            values.push(Tree::Null);
        }
        return tree::set(property, "enum", values);
    }
    let pattern = match name {
        "countryCode" => Some("^[A-Z]{2}$".to_owned()),
        "fromCurrency" | "toCurrency" => Some(CURRENCY.to_owned()),
        "currency" | "asset" | "point_currency" if owner.ends_with("Request") => Some(CURRENCY.to_owned()),
        "code" if owner.starts_with("New") => Some(CODE.to_owned()),
        "customer_id" => Some(id_pattern(ids::CustomerId::PREFIX)),
        "payout_scheme_id" => Some(id_pattern(ids::PayoutSchemeId::PREFIX)),
        "exchange_rate_scheme_id" => Some(id_pattern(ids::ExchangeSchemeId::PREFIX)),
        "id" if SANDBOX.contains(&owner) => Some(format!("{}|{WALLET_ID}", id_pattern(ids::PayoutRequestId::PREFIX))),
        _ if name == "id" || name.ends_with("_id") => {
            prefix(property).map(|prefix| format!("^{prefix}[0-9a-f]{{32}}$"))
        }
        _ => None,
    };
    let text = owner.ends_with("Request").then(|| if is_form(owner) { FORM_TEXT } else { TEXT }.to_owned());
    if let Some(pattern) = pattern.or(text) {
        tree::set(property, "pattern", pattern);
    }
}

fn id_pattern(prefix: &str) -> String {
    format!("^{prefix}[0-9a-f]{{32}}$")
}

/// No text has control characters, and a form's is more than spaces.
const TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
const FORM_TEXT: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

/// What the sandbox did something to: a payout request, or an offer or a card, whose ids are numbers.
const SANDBOX: [&str; 2] = ["ExpirationResource", "ReturnResource"];

/// A short name.
const CODE: &str = "^[a-z0-9_-]{1,64}$";
/// A code of a currency, as it is written.
const CURRENCY: &str = "^[A-Z][A-Z0-9]{1,9}$";

/// What the caller may note beside a thing: a customer's are texts, a payout's numbers and truths too.
fn metadata(owner: &str, property: &mut Tree) {
    let (count, name_chars_max, names, value_chars, kinds) = match owner {
        "NewCustomerRequest" | "CustomerChangeRequest" => {
            (METADATA_MEMBERS_MAX, METADATA_NAME_CHARS_MAX, TEXT, METADATA_VALUE_CHARS_MAX, tree::texts(["string"]))
        }
        "NewPayoutRequest" | "NewSinglePayoutRequest" | "RequestCustomerRequest" => {
            let kinds = tree::texts(["string", "number", "boolean", "null"]);
            let name_chars_max = requests::METADATA_KEY_CHARS_MAX;
            (requests::METADATA_KEYS_MAX, name_chars_max, "^[A-Za-z0-9_.-]+$", requests::METADATA_CHARS_MAX, kinds)
        }
        _ => return,
    };
    property["propertyNames"] = tree::object([
        ("type", "string".into()),
        ("minLength", 1.into()),
        ("maxLength", size(name_chars_max)),
        ("pattern", names.into()),
    ]);
    property["additionalProperties"] =
        tree::object([("type", kinds), ("maxLength", size(value_chars)), ("pattern", TEXT.into())]);
    tree::set(property, "maxProperties", size(count));
}

fn size(size: usize) -> Tree {
    u64::try_from(size).unwrap_or(u64::MAX).into()
}

fn narrow_filter(owner: &str, filter: &str, schema: &mut Tree) {
    let prefix = match filter {
        "batch_id" => Some(ids::BatchId::PREFIX),
        "deposit_account_id" => Some(ids::DepositAccountId::PREFIX),
        "point_id" => Some(ids::PayoutPointId::PREFIX),
        "provider_account_id" => Some(ids::ProviderAccountId::PREFIX),
        "request_id" => Some(ids::PayoutRequestId::PREFIX),
        _ => None,
    };
    if let Some(prefix) = prefix {
        tree::set(schema, "pattern", id_pattern(prefix));
    } else if filter == "currency" {
        tree::set(schema, "pattern", CURRENCY);
    } else if filter.starts_with("created_") {
        tree::set(schema, "format", "date-time");
    } else if let Some(values) = values(owner, filter) {
        tree::set(schema, "enum", tree::texts(values));
    } else if tree::is(schema, "string") {
        tree::set(schema, "pattern", TEXT);
    }
}

/// The prefix of the id that stands as an example.
fn prefix(property: &Tree) -> Option<&str> {
    let (prefix, digits) = property["example"].as_str()?.split_once('_')?;
    let is_id = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { property["example"].as_str()?.get(..=prefix.len()) } else { None }
}

/// All values that there are, where they are a closed list.
fn values(owner: &str, name: &str) -> Option<Vec<&'static str>> {
    let values = match (owner, name) {
        ("PayoutRequestAttributes", "status") => RequestStatus::ALL.iter().map(|status| status.as_str()).collect(),
        ("PayoutAttributes" | "PayoutBrief", "status") => {
            PayoutStatus::ALL.iter().map(|status| status.as_str()).collect()
        }
        ("BatchAttributes", "status") => vec!["ready", "processing", "processed", "terminated"],
        ("ApprovalAttributes", "status") => vec!["open", "applied", "declined", "stale", "expired"],
        ("WebhookDeliveryAttributes", "status") => deliveries::STATES.to_vec(),
        ("WebhookEndpointAttributes", "disabled_reason") => vec!["asked", "gone", "failing"],
        ("StatementLineAttributes", "kind") => vec!["credit", "debit", "hold", "release", "settle", "return"],
        ("BreakerState", "state") => vec!["closed", "open", "half_open"],
        ("NewCustomerTokenRequest", "scope") => customer_tokens::SCOPES.to_vec(),
        ("SampleCardRequest", "scheme") | (_, "cardType") => {
            CardScheme::ALL.iter().map(|scheme| scheme.as_str()).collect()
        }
        ("ErrorBody", "systemId") => vec!["core", "auth", "card", "payout"],
        (_, "health") => {
            [Health::Unknown, Health::Healthy, Health::Unhealthy].iter().map(|health| health.as_str()).collect()
        }
        (_, "split_mode") => SplitMode::ALL.iter().map(|mode| mode.as_str()).collect(),
        (owner, "funding") => {
            let own = [Funding::PartnerBalance, Funding::OwnDeposit].iter().map(|funding| funding.as_str());
            let wallet = Some(Funding::WalletHold.as_str()).filter(|_| !owner.ends_with("Request"));
            own.chain(wallet).collect()
        }
        _ => return None,
    };
    Some(values)
}
