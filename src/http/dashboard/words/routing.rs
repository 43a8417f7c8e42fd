//! A routing trace, a sentence a route.

use serde_json::Value;

use crate::domain::asset::{AssetCode, Assets};
use crate::domain::routing::strategy::Strategy;
use crate::domain::routing::{Dropped, RouteTrace, Trace};
use crate::http::dashboard::parts::Amount;

/// What routing decided, in words; `None` if the event carries no decision.
pub fn trace(data: &Value, currency: AssetCode, assets: &Assets) -> Option<Vec<String>> {
    let trace: Trace = serde_json::from_value(data.get("routing")?.clone()).ok()?;
    let amount = Amount::of(trace.amount, currency, assets).text();
    let strategy = match trace.strategy {
        Strategy::Direct => "in the configured order",
    };
    let mut said = vec![format!("{amount} was to be routed, {strategy}.")];
    if trace.routes.is_empty() {
        said.push("No route serves it.".to_owned());
    }
    said.extend(trace.routes.iter().map(|route| of_route(route, currency, assets)));
    Some(said)
}

fn of_route(route: &RouteTrace, currency: AssetCode, assets: &Assets) -> String {
    let code = &route.code;
    let money = |amount| Amount::of(amount, currency, assets).text();
    match (&route.dropped, route.rank) {
        (None, Some(1)) => format!("{code}: chosen."),
        (None, Some(rank)) => format!("{code}: possible, number {rank}."),
        (None, None) => format!("{code}: possible, not ranked."),
        (Some(Dropped::Disabled), _) => format!("{code}: left out, it is switched off."),
        (Some(Dropped::BelowMinimum { amount_min }), _) => {
            format!("{code}: left out, it carries {} at least.", money(*amount_min))
        }
        (Some(Dropped::AboveMaximum { amount_max }), _) => {
            format!("{code}: left out, it carries {} at most.", money(*amount_max))
        }
        (Some(Dropped::InsufficientAvailable { available }), _) => {
            format!("{code}: left out, its deposit account had {} left, too little with its cost.", money(*available))
        }
        (Some(Dropped::CardSchemeNotTaken), _) => format!("{code}: left out, it doesn't take this card scheme."),
        (Some(Dropped::TriedAlready), _) => format!("{code}: left out, it was tried before."),
        (Some(Dropped::CostOverflow), _) => format!("{code}: left out, its cost can't be computed."),
    }
}
