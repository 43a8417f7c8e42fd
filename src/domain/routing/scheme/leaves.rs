//! From a body's strategies to compiled ones: routes are found by code or id and held against the service.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::compile::Compiler;
use super::problems::{clipped, join};
use super::{KnownRoute, Leaf, LeafRoute, LeafRoutes, WEIGHT_MAX, WINDOW_HOURS_DEFAULT, WINDOW_HOURS_MAX};
use crate::domain::ids::RouteId;
use crate::domain::routing::statistics::PoolId;
use crate::domain::routing::strategy::Strategy;

/// The most strategies of one leaf.
const STRATEGIES_MAX: usize = 20;
/// The most routes of one strategy.
const ROUTES_MAX: usize = 200;

impl<'a> Compiler<'a> {
    pub(super) fn leaves(&mut self, value: &'a Value, at: &str) -> Option<Vec<Leaf>> {
        let Some(strategies) = value.as_array() else {
            self.problems.add(at, "wrong_type", "Strategies are a list, tried in order.");
            return None;
        };
        if strategies.is_empty() || strategies.len() > STRATEGIES_MAX {
            self.problems.add(at, "strategies_count", format!("A leaf has 1 to {STRATEGIES_MAX} strategies."));
            return None;
        }
        let leaves: Vec<Option<Leaf>> =
            strategies.iter().enumerate().map(|(n, value)| self.leaf(value, &join(at, &n.to_string()))).collect();
        leaves.into_iter().collect()
    }

    fn leaf(&mut self, value: &'a Value, at: &str) -> Option<Leaf> {
        let Some(object) = value.as_object() else {
            self.problems.add(at, "wrong_type", "A strategy is an object.");
            return None;
        };
        let keys = ["strategy", "routes", "window_hours", "split_always", "require_fast_funds"];
        self.only_keys(object, at, &keys);
        let strategy = self.strategy(object, at);
        let window_hours = self.window_hours(object, at);
        let split_always = self.flag(object, at, "split_always");
        let require_fast_funds = self.flag(object, at, "require_fast_funds");
        let routes = self.routes(object, at, strategy);
        let (strategy, split_always) = (strategy?, split_always?);
        if split_always && strategy != Strategy::Optimal {
            let detail = "Only \"optimal\" divides every request in equal shares.";
            self.problems.add(&join(at, "split_always"), "split_always_unused", detail);
        }
        let mut leaf = Leaf {
            strategy,
            routes: LeafRoutes::Listed(routes?),
            window_hours: window_hours?,
            split_always,
            require_fast_funds: require_fast_funds?,
            pool: None,
        };
        if strategy.counts_usage() {
            leaf.pool = Some(PoolId::of(self.known.scheme.id, self.service, &canonical(&leaf)));
        }
        Some(leaf)
    }

    fn strategy(&mut self, object: &Map<String, Value>, at: &str) -> Option<Strategy> {
        let Some(value) = object.get("strategy") else {
            self.problems.add(at, "missing_key", "A strategy is named by \"strategy\".");
            return None;
        };
        let strategy = value.as_str().and_then(Strategy::parse);
        if strategy.is_none() {
            let known = Strategy::ALL.map(Strategy::as_str).join(", ");
            self.problems.add(&join(at, "strategy"), "unknown_strategy", format!("Strategies are {known}."));
        }
        strategy
    }

    fn window_hours(&mut self, object: &Map<String, Value>, at: &str) -> Option<u32> {
        let Some(value) = object.get("window_hours") else { return Some(WINDOW_HOURS_DEFAULT) };
        let hours = value.as_u64().and_then(|hours| u32::try_from(hours).ok());
        let hours = hours.filter(|hours| (1..=WINDOW_HOURS_MAX).contains(hours));
        if hours.is_none() {
            let detail = format!("A window has 1 to {WINDOW_HOURS_MAX} whole hours.");
            self.problems.add(&join(at, "window_hours"), "window_invalid", detail);
        }
        hours
    }

    fn flag(&mut self, object: &Map<String, Value>, at: &str, key: &str) -> Option<bool> {
        let Some(value) = object.get(key) else { return Some(false) };
        if value.as_bool().is_none() {
            self.problems.add(&join(at, key), "wrong_type", "It is true or false.");
        }
        value.as_bool()
    }

    fn routes(
        &mut self,
        object: &'a Map<String, Value>,
        at: &str,
        strategy: Option<Strategy>,
    ) -> Option<Vec<LeafRoute>> {
        let Some(value) = object.get("routes") else {
            self.problems.add(at, "missing_key", "A strategy has \"routes\".");
            return None;
        };
        let at = join(at, "routes");
        let Some(values) = value.as_array() else {
            self.problems.add(&at, "wrong_type", "Routes are a list.");
            return None;
        };
        if values.is_empty() || values.len() > ROUTES_MAX {
            self.problems.add(&at, "routes_count", format!("A strategy has 1 to {ROUTES_MAX} routes."));
            return None;
        }
        let mut seen: HashSet<RouteId> = HashSet::new();
        let mut routes = Vec::with_capacity(values.len());
        for (n, value) in values.iter().enumerate() {
            let at = join(&at, &n.to_string());
            let Some(route) = self.route(value, &at) else { continue };
            if !seen.insert(route.id) {
                self.problems.add(&at, "duplicate_route", "The strategy names this route twice.");
            }
            routes.push(route);
        }
        if strategy == Some(Strategy::Weight)
            && routes.len() == values.len()
            && routes.iter().all(|route| route.weight == Some(0))
        {
            self.problems.add(&at, "weights_zero", "At least one weight is above zero.");
        }
        (routes.len() == values.len()).then_some(routes)
    }

    fn route(&mut self, value: &Value, at: &str) -> Option<LeafRoute> {
        let (name, name_at, weight) = match value {
            Value::String(name) => (name, at.to_owned(), None),
            Value::Object(object) => {
                self.only_keys(object, at, &["route", "weight"]);
                let weight = object.get("weight");
                let weight = weight.map(|weight| self.weight(weight, &join(at, "weight")));
                let Some(name) = object.get("route").and_then(Value::as_str) else {
                    self.problems.add(at, "missing_key", "A route is named by \"route\", its code or its id.");
                    return None;
                };
                (&name.to_owned(), join(at, "route"), weight)
            }
            _ => {
                self.problems.add(at, "wrong_type", "A route is its code, its id, or an object.");
                return None;
            }
        };
        let route = self.find(name, &name_at)?;
        if route.enabled {
            self.routes_enabled += 1;
        }
        let weight = match weight {
            Some(weight) => Some(weight?),
            None => None,
        };
        Some(LeafRoute { id: route.id, weight })
    }

    fn weight(&mut self, value: &Value, at: &str) -> Option<u32> {
        let weight = value.as_u64().and_then(|weight| u32::try_from(weight).ok()).filter(|w| *w <= WEIGHT_MAX);
        if weight.is_none() {
            let detail = format!("A weight is a whole number from 0 to {WEIGHT_MAX}.");
            self.problems.add(at, "weight_invalid", detail);
        }
        weight
    }

    /// The route of that code or id, if it serves this service.
    fn find(&mut self, name: &str, at: &str) -> Option<&'a KnownRoute> {
        let id: Option<RouteId> = name.parse().ok();
        let named = |route: &&KnownRoute| Some(route.id) == id || route.code == name;
        let service = self.service;
        // A code may be in use once a service.
        let routes = self.known.routes;
        let found = routes.iter().filter(named).find(|route| route.service == service);
        let Some(route) = found.or_else(|| routes.iter().find(named)) else {
            self.problems.add(at, "unknown_route", format!("There is no route {:?}.", clipped(name)));
            return None;
        };
        if route.service != service {
            let detail = format!("This route serves {}, not {}.", route.service, clipped(service));
            self.problems.add(at, "route_of_other_service", detail);
        } else if let Some(currency) = self.currency
            && route.currency != currency
        {
            let detail = format!("This route pays out {}, the service {currency}.", route.currency);
            self.problems.add(at, "route_of_other_currency", detail);
        }
        Some(route)
    }
}

/// The strategy as JSON in one fixed form, whatever way it was written.
fn canonical(leaf: &Leaf) -> String {
    let routes: Vec<Value> = match &leaf.routes {
        LeafRoutes::Every => Vec::new(),
        LeafRoutes::Listed(routes) => routes.iter().map(|r| json!([r.id.to_string(), r.weight])).collect(),
    };
    json!([leaf.strategy, routes, leaf.window_hours, leaf.split_always, leaf.require_fast_funds]).to_string()
}
