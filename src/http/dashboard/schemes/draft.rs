//! What a button of the editor does to the draft.

use serde_json::{Map, Value, json};

use super::draft_form;
use super::fields::Fields;
use super::json::join;
use crate::staff::schemes::SchemeGround;

/// A button, as its value says: `check`, or what is done and where: `open:/services/card_eur/then`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Check,
    Simulate,
    Publish,
    Open(String),
    /// Takes over what the open node's form says.
    Set(String),
    /// Puts a condition above the node.
    Branch(String),
    MakeStrategies(String),
    MakeReject(String),
    /// Keeps one side of a branch in its place.
    Keep(String, &'static str),
    AddStrategy(String),
    DropStrategy(String, usize),
    AddService,
    DropService(String),
}

impl Op {
    pub fn parse(text: &str) -> Option<Self> {
        let (name, at) = text.split_once(':').unwrap_or((text, ""));
        let place = at.to_owned();
        Some(match name {
            "" | "check" => Op::Check,
            "simulate" => Op::Simulate,
            "publish" => Op::Publish,
            "open" => Op::Open(place),
            "set" => Op::Set(place),
            "branch" => Op::Branch(place),
            "strategies" => Op::MakeStrategies(place),
            "reject" => Op::MakeReject(place),
            "keep-then" => Op::Keep(place, "then"),
            "keep-else" => Op::Keep(place, "else"),
            "add-strategy" => Op::AddStrategy(place),
            "drop-strategy" => {
                let (n, at) = at.split_once(':')?;
                Op::DropStrategy(at.to_owned(), n.parse().ok()?)
            }
            "add-service" => Op::AddService,
            "drop-service" => Op::DropService(place),
            _ => return None,
        })
    }
}

/// Where the reader looks next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The node whose form is open.
    pub open: Option<String>,
    /// The node that was changed.
    pub focus: Option<String>,
}

const GONE: &str = "That node isn't there any more: the JSON was changed meanwhile.";

/// Does it. A body that it can't be done to stays as it was.
///
/// # Errors
/// Why not, for a person.
pub fn apply(body: &mut Value, op: &Op, fields: &Fields, ground: &SchemeGround) -> Result<Look, String> {
    let opened = |at: &str| Ok(Look { open: Some(at.to_owned()), focus: None });
    let closed = |at: &str| Ok(Look { open: None, focus: Some(at.to_owned()) });
    match op {
        Op::Check | Op::Simulate | Op::Publish => Ok(Look::default()),
        Op::Open(at) => {
            node(body, at)?;
            opened(at)
        }
        Op::Set(at) => {
            let node = node(body, at)?;
            *node = draft_form::read(fields, node)?;
            closed(at)
        }
        Op::Branch(at) => {
            let node = node(body, at)?;
            let below = std::mem::take(node);
            let condition = json!({"attribute": "amount", "operator": ">=", "value": 1000});
            *node = json!({"if": condition, "then": below.clone(), "else": below});
            opened(at)
        }
        Op::MakeStrategies(at) => {
            let made = strategies(ground, service_of(at));
            *node(body, at)? = made;
            opened(at)
        }
        Op::MakeReject(at) => {
            *node(body, at)? = json!({"reject": "Not served."});
            opened(at)
        }
        Op::Keep(at, side) => {
            let node = node(body, at)?;
            let kept = node.get_mut(*side).map(std::mem::take).ok_or(GONE)?;
            *node = kept;
            closed(at)
        }
        Op::AddStrategy(at) => {
            let node = node(body, at)?;
            let mut read = draft_form::read(fields, node)?;
            let added = strategies(ground, service_of(at));
            let list = read.get_mut("strategies").and_then(Value::as_array_mut).ok_or(GONE)?;
            list.extend(added["strategies"].as_array().cloned().unwrap_or_default());
            *node = read;
            opened(at)
        }
        Op::DropStrategy(at, n) => {
            let node = node(body, at)?;
            let mut read = draft_form::read(fields, node)?;
            let list = read.get_mut("strategies").and_then(Value::as_array_mut).ok_or(GONE)?;
            if *n >= list.len() || list.len() == 1 {
                return Err("A node that ends in strategies has at least one.".to_owned());
            }
            list.remove(*n);
            *node = read;
            opened(at)
        }
        Op::AddService => {
            let code = fields.get("new_service").to_owned();
            if code.is_empty() {
                return Err("Choose the service that is added.".to_owned());
            }
            let made = strategies(ground, &code);
            let services = services(body)?;
            if services.contains_key(&code) {
                return Err("The scheme has this service already.".to_owned());
            }
            services.insert(code.clone(), made);
            opened(&join("/services", &code))
        }
        Op::DropService(at) => {
            let code = service_of(at).to_owned();
            services(body)?.remove(&code).map(|_| Look::default()).ok_or_else(|| GONE.to_owned())
        }
    }
}

fn node<'b>(body: &'b mut Value, at: &str) -> Result<&'b mut Value, String> {
    let is_node = at.starts_with("/services/") || at.starts_with("/nodes/");
    body.pointer_mut(at).filter(|node| is_node && node.is_object()).ok_or_else(|| GONE.to_owned())
}

fn services(body: &mut Value) -> Result<&mut Map<String, Value>, String> {
    if !body.is_object() {
        return Err("A scheme is an object: mend the JSON first.".to_owned());
    }
    let services = &mut body["services"];
    if services.is_null() {
        *services = json!({});
    }
    services.as_object_mut().ok_or_else(|| "Services are an object: mend the JSON first.".to_owned())
}

/// The service that a node belongs to; empty: it is shared.
fn service_of(at: &str) -> &str {
    at.strip_prefix("/services/").and_then(|rest| rest.split('/').next()).unwrap_or_default()
}

/// Strategies to begin with: the service's routes in their order.
fn strategies(ground: &SchemeGround, service: &str) -> Value {
    let of_service = |is_enabled: bool| {
        let routes = ground.routes.iter().filter(move |route| route.service == service && route.enabled == is_enabled);
        routes.map(|route| route.code.as_str()).collect::<Vec<_>>()
    };
    let enabled = of_service(true);
    let routes = if enabled.is_empty() { of_service(false) } else { enabled };
    json!({"strategies": [{"strategy": "direct", "routes": routes}]})
}

/// A scheme to begin with: one service with its routes in their order.
pub fn first_body(ground: &SchemeGround) -> Value {
    let mut services: Vec<&str> =
        ground.routes.iter().filter(|route| route.enabled).map(|route| route.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let trees: Map<String, Value> =
        services.into_iter().map(|code| (code.to_owned(), strategies(ground, code))).collect();
    json!({"services": trees})
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::ids::RouteId;
    use crate::staff::schemes::KnownRoute;

    fn ground() -> SchemeGround {
        let eur = "EUR".parse().unwrap();
        let route = |code: &str, enabled| KnownRoute {
            id: RouteId::new(),
            code: code.to_owned(),
            service: "card_eur".to_owned(),
            currency: eur,
            enabled,
        };
        SchemeGround {
            services: HashMap::from([("card_eur".to_owned(), eur)]),
            routes: vec![route("a", true), route("b", false)],
        }
    }

    fn done(body: &mut Value, op: &str, fields: &[(&str, &str)]) -> Result<Look, String> {
        apply(body, &Op::parse(op).unwrap(), &Fields::of(fields), &ground())
    }

    #[test]
    fn a_tree_is_built_without_writing_json() {
        let mut body = json!({});
        done(&mut body, "add-service", &[("new_service", "card_eur")]).unwrap();
        assert_eq!(body, json!({"services": {"card_eur": {"strategies": [{"strategy": "direct", "routes": ["a"]}]}}}));
        let look = done(&mut body, "branch:/services/card_eur", &[]).unwrap();
        assert_eq!(look.open.as_deref(), Some("/services/card_eur"));
        done(&mut body, "reject:/services/card_eur/then", &[]).unwrap();
        let fields = [("n.0.attribute", "amount"), ("n.0.operator", ">"), ("n.0.value", "5")];
        done(&mut body, "set:/services/card_eur", &fields).unwrap();
        done(&mut body, "set:/services/card_eur/then", &[("n.reject", "Too much.")]).unwrap();
        let root = &body["services"]["card_eur"];
        assert_eq!((&root["if"]["value"], &root["then"]), (&json!(5), &json!({"reject": "Too much."})));
        done(&mut body, "keep-else:/services/card_eur", &[]).unwrap();
        assert_eq!(body["services"]["card_eur"]["strategies"][0]["routes"], json!(["a"]));
    }

    #[test]
    fn what_isnt_there_is_told_and_nothing_is_changed() {
        let mut body = json!({"services": {"card_eur": {"reject": "no"}}});
        let before = body.clone();
        for op in [
            "open:/services/card_usd",
            "open:",
            "open:/services",
            "branch:/services/card_eur/then",
            "keep-then:/services/card_eur",
            "add-service",
            "drop-service:/services/x",
            "drop-strategy:0:/services/card_eur",
            "set:/services/card_eur/reject",
        ] {
            assert!(done(&mut body, op, &[]).is_err(), "{op}");
        }
        assert_eq!(body, before);
        assert!(Op::parse("format:/").is_none() && Op::parse("drop-strategy:x:/services/a").is_none());
        assert!(done(&mut json!([1]), "add-service", &[("new_service", "card_eur")]).is_err());
    }
}
