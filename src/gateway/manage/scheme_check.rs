//! What keeps a scheme's body from being saved: everything that its compiler finds, told in the API's form; and card numbers, which
//! never stand in a row in the clear. Owns no rule of routing.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::Value;

use super::form::Form;
use crate::domain::card::strike_numbers;
use crate::domain::exchange::{self, ExchangeScheme, ProblemCode};
use crate::domain::ids::{ExchangeSchemeId, Mode, PayoutSchemeId, Tenant};
use crate::domain::routing::{Scheme, SchemeProblem, SchemeRef};
use crate::gateway::Gateway;
use crate::gateway::access::{Problem, Refusal};
use crate::gateway::route_book::Snapshot;

/// The API's code of each problem that a payout scheme can have. A problem that isn't listed is told as `INVALID_VALUE`.
pub const CODES: &[(&str, &str)] = &[
    ("wrong_type", "WRONG_TYPE"),
    ("missing_key", "MISSING"),
    ("unknown_key", "UNKNOWN_MEMBER"),
    ("unknown_value", "INVALID_VALUE"),
    ("value_length", "WRONG_LENGTH"),
    ("unknown_service", "UNKNOWN_SERVICE"),
    ("body_too_large", "SCHEME_TOO_LARGE"),
    ("too_many_nodes", "SCHEME_TOO_LARGE"),
    ("too_deep", "SCHEME_TOO_DEEP"),
    ("no_services", "NO_SERVICES"),
    ("never_routes", "NEVER_ROUTES"),
    ("unused_node", "UNUSED_NODE"),
    ("unknown_node", "UNKNOWN_NODE"),
    ("unknown_ref", "UNKNOWN_REFERENCE"),
    ("cycle", "CYCLE"),
    ("unreachable_branch", "UNREACHABLE_BRANCH"),
    ("reason_invalid", "REASON_INVALID"),
    ("unknown_condition", "UNKNOWN_CONDITION"),
    ("empty_group", "EMPTY_GROUP"),
    ("unknown_attribute", "UNKNOWN_ATTRIBUTE"),
    ("unknown_operator", "UNKNOWN_OPERATOR"),
    ("operator_type", "WRONG_OPERATOR"),
    ("value_type", "WRONG_OPERAND"),
    ("value_count", "WRONG_OPERAND"),
    ("empty_range", "EMPTY_RANGE"),
    ("unknown_time_zone", "UNKNOWN_TIME_ZONE"),
    ("time_zone_unused", "TIME_ZONE_UNUSED"),
    ("strategies_count", "STRATEGIES_COUNT"),
    ("unknown_strategy", "UNKNOWN_STRATEGY"),
    ("window_invalid", "WINDOW_INVALID"),
    ("split_always_unused", "SPLIT_ALWAYS_UNUSED"),
    ("routes_count", "ROUTES_COUNT"),
    ("unknown_route", "UNKNOWN_ROUTE"),
    ("route_of_other_service", "ROUTE_OF_OTHER_SERVICE"),
    ("route_of_other_currency", "ROUTE_OF_OTHER_CURRENCY"),
    ("duplicate_route", "DUPLICATE_ROUTE"),
    ("weight_invalid", "WEIGHT_INVALID"),
    ("weights_zero", "WEIGHTS_ZERO"),
];

const fn code_of_exchange(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::Missing => "MISSING",
        ProblemCode::Superfluous => "SUPERFLUOUS",
        ProblemCode::WrongType => "WRONG_TYPE",
        ProblemCode::UnknownKey => "UNKNOWN_MEMBER",
        ProblemCode::UnknownValue => "INVALID_VALUE",
        ProblemCode::UnknownCurrency => "UNKNOWN_CURRENCY",
        ProblemCode::UnknownSource => "UNKNOWN_SOURCE",
        ProblemCode::SameCurrency => "SAME_CURRENCY",
        ProblemCode::DuplicatePair => "DUPLICATE_PAIR",
        ProblemCode::SameSource => "SAME_SOURCE",
        ProblemCode::OutOfRange => "OUT_OF_RANGE",
        ProblemCode::TooPrecise => "TOO_PRECISE",
        ProblemCode::TooMany => "TOO_MANY",
    }
}

impl Gateway {
    /// Compiles the body of one of `owner`'s payout schemes against the routes and services as they are now, or tells `form` what is
    /// wrong with it.
    pub(in crate::gateway) async fn compile_payout_scheme(
        &self,
        form: &mut Form<'_>,
        owner: Tenant,
        scheme: SchemeRef,
        body: &Value,
    ) -> Result<Option<Scheme>, Refusal> {
        let known = self.fresh_snapshot().await?.known_to(owner);
        if has_card_number(form, body) {
            return Ok(None);
        }
        match Scheme::compile(body, &known.of(scheme)) {
            Ok(compiled) => Ok(Some(compiled)),
            Err(problems) => {
                form.add_under("body", problems.into_iter().map(problem));
                Ok(None)
            }
        }
    }

    /// The same for an exchange-rate scheme.
    pub(in crate::gateway) fn compile_exchange_scheme(
        &self,
        form: &mut Form<'_>,
        mode: Mode,
        body: &Value,
    ) -> Option<ExchangeScheme> {
        if has_card_number(form, body) {
            return None;
        }
        let sources = self.prices.sources(mode);
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        match ExchangeScheme::compile(body, &self.assets, &sources) {
            Ok(compiled) => Some(compiled),
            Err(problems) => {
                form.add_under("body", problems.into_iter().map(problem_of_exchange));
                None
            }
        }
    }

    /// What is there now, also what another node wrote a moment ago.
    async fn fresh_snapshot(&self) -> Result<Arc<Snapshot>, Refusal> {
        self.routes.forget();
        Ok(self.snapshot().await?)
    }
}

fn problem(found: SchemeProblem) -> Problem {
    let code = CODES.iter().find(|(of_scheme, _)| *of_scheme == found.code).map_or("INVALID_VALUE", |(_, code)| code);
    Problem { pointer: found.pointer, code: Cow::Borrowed(code), detail: found.detail }
}

fn problem_of_exchange(found: exchange::Problem) -> Problem {
    let mut chars = found.detail.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let detail = format!("{first}{}.", chars.as_str());
    Problem { pointer: found.pointer, code: Cow::Borrowed(code_of_exchange(found.code)), detail }
}

/// Tells where a text, a number or a name passes for a card number. An id of ours may hold as many digits: it is none.
fn has_card_number(form: &mut Form<'_>, body: &Value) -> bool {
    let passes = |text: &str| !is_id(text) && matches!(strike_numbers(text), Cow::Owned(_));
    let mut open = vec![("body".to_owned(), body)];
    let mut found = false;
    while let Some((at, value)) = open.pop() {
        let is_number = match value {
            Value::String(text) => passes(text),
            Value::Number(number) => passes(number.as_str()),
            Value::Array(values) => {
                open.extend(values.iter().enumerate().map(|(n, value)| (format!("{at}/{n}"), value)));
                false
            }
            Value::Object(members) => {
                let is_in_a_name = members.keys().any(|name| passes(name));
                if !is_in_a_name {
                    let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
                    open.extend(members.iter().map(|(name, value)| (format!("{at}/{}", escaped(name)), value)));
                }
                is_in_a_name
            }
            Value::Null | Value::Bool(_) => false,
        };
        if is_number {
            form.add(&at, "CARD_NUMBER", "passes for a card number, which must not stand here");
            found = true;
        }
    }
    found
}

fn is_id(text: &str) -> bool {
    text.parse::<crate::domain::ids::RouteId>().is_ok()
        || text.parse::<PayoutSchemeId>().is_ok()
        || text.parse::<ExchangeSchemeId>().is_ok()
}
