//! A trace in plain English, for those who answer "why did it go there?". Says what was looked at, never more.

use rust_decimal::Decimal;
use serde_json::Value;

use super::condition::{ComparisonTrace, Operator};
use super::filter::Dropped;
use super::strategy::Strategy;
use super::trace::{RouteTrace, SchemeRef, Step, StrategyTrace, Trace};

impl Trace {
    /// The decision told, a sentence a line. Amounts are followed by the service's currency where the trace knows it.
    pub fn in_words(&self) -> Vec<String> {
        self.in_words_with(|amount| match self.currency {
            Some(currency) => format!("{} {currency}", amount.normalize()),
            None => amount.normalize().to_string(),
        })
    }

    /// The same, with amounts in the service's currency written by `money`.
    pub fn in_words_with(&self, money: impl Fn(Decimal) -> String) -> Vec<String> {
        let mut said = vec![self.opening(&money)];
        said.extend(self.branch.iter().map(of_step));
        if let Some(reason) = &self.rejected {
            said.push(format!("The scheme refuses it: {reason}"));
            return said;
        }
        if self.strategies.is_empty() {
            said.push("No strategy serves it.".to_owned());
        }
        for (n, tried) in self.strategies.iter().enumerate() {
            if self.scheme.is_some() {
                let next = if n == 0 { "The routes were to be ranked" } else { "No route was left, so next" };
                said.push(format!("{next}: {}.", rule(tried.strategy)));
            }
            if tried.routes.is_empty() {
                said.push("No route serves it.".to_owned());
            }
            said.extend(tried.routes.iter().map(|route| of_route(tried, route, &money)));
        }
        said
    }

    fn opening(&self, money: impl Fn(Decimal) -> String) -> String {
        let amount = money(self.amount);
        let place = match (self.part, self.attempt) {
            (0, 0 | 1) => String::new(),
            (0, attempt) => format!(", attempt {attempt}"),
            (part, attempt) => format!(", part {}, attempt {attempt}", i32::from(part) + 1),
        };
        match (self.scheme, self.strategies.first()) {
            (Some(SchemeRef::BUILT_IN), _) => format!("{amount} was to be routed by the built-in scheme{place}."),
            (Some(scheme), _) => {
                format!("{amount} was to be routed by version {} of scheme {}{place}.", scheme.version, scheme.id)
            }
            (None, Some(tried)) => format!("{amount} was to be routed, {}.", rule(tried.strategy)),
            (None, None) => format!("{amount} was to be routed."),
        }
    }
}

/// What a strategy goes by.
fn rule(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Optimal => "in equal shares, the least debited first",
        Strategy::Weight => "in shares by weight",
        Strategy::Balance => "by available balance, the highest first",
        Strategy::Conversion => "by success rate, with a draw",
        Strategy::Cost => "by expected cost, the least first",
        Strategy::Direct => "in the configured order",
    }
}

fn of_step(step: &Step) -> String {
    let made: Vec<String> = step.comparisons.iter().map(of_comparison).collect();
    let verdict = if step.taken { "the condition holds" } else { "the condition doesn't hold" };
    if made.is_empty() { format!("So {verdict}.") } else { format!("{}: {verdict}.", made.join("; ")) }
}

fn of_comparison(made: &ComparisonTrace) -> String {
    let ComparisonTrace { attribute, operator, value, actual, .. } = made;
    let zone = made.time_zone.as_ref().map(|zone| format!(" ({zone})")).unwrap_or_default();
    let was = match actual {
        Some(actual) => format!("{attribute}{zone} was {}", plain(actual)),
        None => format!("{attribute}{zone} was not known"),
    };
    let asked = match operator {
        Operator::Equal => "to be",
        Operator::NotEqual => "not to be",
        Operator::Less => "to be below",
        Operator::LessOrEqual => "to be at most",
        Operator::GreaterOrEqual => "to be at least",
        Operator::Greater => "to be above",
        Operator::In => "to be one of",
        Operator::NotIn => "to be none of",
        Operator::Between => "to be between",
        Operator::StartsWith => "to start with",
        Operator::Exists if *value == Value::Bool(true) => return format!("{was}, and had to be known"),
        Operator::Exists => return format!("{was}, and had to be unknown"),
    };
    let joint = if made.result { ", as it had" } else { ", and had" };
    format!("{was}{joint} {asked} {}", asked_value(*operator, value))
}

fn asked_value(operator: Operator, value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let joint = if operator == Operator::Between { " and " } else { ", " };
            values.iter().map(plain).collect::<Vec<_>>().join(joint)
        }
        one => plain(one),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn of_route(tried: &StrategyTrace, route: &RouteTrace, money: impl Fn(Decimal) -> String) -> String {
    let code = if route.code.is_empty() { route.route.to_string() } else { route.code.clone() };
    let because = because(tried, route, &money).map(|because| format!(", {because}")).unwrap_or_default();
    match (&route.dropped, route.rank) {
        (None, Some(1)) => format!("{code}: chosen{because}."),
        (None, Some(rank)) => format!("{code}: possible, number {rank}{because}."),
        (None, None) => format!("{code}: possible, not ranked."),
        (Some(dropped), _) => format!("{code}: left out, {}.", why(dropped, money)),
    }
}

/// What a route was ranked by.
fn because(tried: &StrategyTrace, route: &RouteTrace, money: impl Fn(Decimal) -> String) -> Option<String> {
    match tried.strategy {
        Strategy::Optimal => Some(format!("it had carried {} in the window", money(route.debited?))),
        Strategy::Weight => {
            Some(format!("it had carried {} in the window at weight {}", money(route.debited?), route.weight?))
        }
        Strategy::Balance => Some(format!("{} was available", money(route.balance?))),
        Strategy::Conversion => {
            let thousandths = route.draw? / 1_000;
            let (succeeded, failed) = (route.succeeded?, route.failed?);
            let percent = format!("{}.{}", thousandths / 10, thousandths % 10);
            Some(format!("of its payouts {succeeded} succeeded and {failed} failed, and it drew {percent} %"))
        }
        Strategy::Cost => Some(format!("it would cost {}", money(route.cost?))),
        Strategy::Direct => None,
    }
}

fn why(dropped: &Dropped, money: impl Fn(Decimal) -> String) -> String {
    // In the deposit currency, which the trace doesn't name where it is another.
    match dropped {
        Dropped::Gone => "it isn't there any more".to_owned(),
        Dropped::OtherService => "it serves another service now".to_owned(),
        Dropped::OtherMode => "it is of the other mode".to_owned(),
        Dropped::Disabled => "it is switched off".to_owned(),
        Dropped::TriedAlready => "it was tried before".to_owned(),
        Dropped::CardSchemeNotTaken => "it doesn't take this card scheme".to_owned(),
        Dropped::NoFastFunds => "it doesn't pay within minutes, as the strategy asks".to_owned(),
        Dropped::NoWeight => "its weight is zero".to_owned(),
        Dropped::NoRate => "there was no rate for its deposit account's currency".to_owned(),
        Dropped::BreakerOpen => "its provider account was failing and is rested".to_owned(),
        Dropped::CostOverflow => "its cost can't be computed".to_owned(),
        Dropped::BelowMinimum { amount_min } => format!("it carries {} at least", money(*amount_min)),
        Dropped::AboveMaximum { amount_max } => format!("it carries {} at most", money(*amount_max)),
        Dropped::TurnoverUsedUp { turnover_left } => {
            format!("its account may turn over {} more today, too little", turnover_left.normalize())
        }
        Dropped::InsufficientAvailable { available } => {
            format!("its deposit account had {} left, too little with its cost", available.normalize())
        }
    }
}
