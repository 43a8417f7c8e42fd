//! A scheme's body drawn as a tree: each service's conditions, and the strategies in which they end. What is wrong stands at the node that
//! it is about. Bodies that can't be read are drawn as far as they can be.

use std::cell::Cell;

use askama::Template;
use askama::filters::HtmlSafe;
use serde_json::Value;

use super::draft_form::NodeForm;
use super::json::{is_under, join};
use super::words;
use crate::gateway::access::Problem;
use crate::http::dashboard::parts::outside;
use crate::staff::schemes::{KnownRoute, SchemeGround};

/// Deeper nodes aren't drawn: no sound scheme has them.
const DEPTH_MAX: usize = 40;
/// Nor more of them: a sound one has fewer.
const NODES_MAX: usize = 600;

#[derive(Template)]
#[template(path = "parts/scheme_tree.html", config = "web/askama.toml")]
pub struct Tree {
    /// About no node that is drawn.
    problems: Vec<Told>,
    services: Vec<Service>,
    named: Vec<(String, Node)>,
}
impl HtmlSafe for Tree {}

struct Service {
    code: String,
    currency: Option<String>,
    at: String,
    is_edited: bool,
    root: Node,
}

/// A problem, and where it is below what it stands at.
struct Told {
    at: String,
    detail: String,
}

#[derive(Template)]
#[template(path = "parts/scheme_node.html", config = "web/askama.toml")]
struct Node {
    at: String,
    /// The address of the node within the page.
    anchor: String,
    shape: Shape,
    problems: Vec<Told>,
    is_edited: bool,
    is_focused: bool,
    form: Option<NodeForm>,
}
impl HtmlSafe for Node {}

enum Shape {
    Branch { condition: String, then: Box<Node>, otherwise: Box<Node> },
    Leaf(Vec<Strategy>),
    Reject(String),
    Ref(String),
    Unreadable(String),
}

struct Strategy {
    name: String,
    what: &'static str,
    notes: Vec<String>,
    routes: Vec<RouteView>,
}

struct RouteView {
    name: String,
    weight: Option<String>,
    /// Of a hundred of all weights.
    share: Option<u64>,
    trouble: Option<&'static str>,
}

/// What is drawn, and how.
pub struct Drawing<'a> {
    pub ground: &'a SchemeGround,
    /// Pointers begin at the body.
    pub problems: &'a [Problem],
    /// Whether nodes have buttons.
    pub is_edited: bool,
    /// The node whose form is open.
    pub open: Option<&'a str>,
    /// The node that was changed last.
    pub focus: Option<&'a str>,
    /// How many nodes are still drawn.
    left: Cell<usize>,
}

impl<'a> Drawing<'a> {
    /// To be looked at.
    pub fn of(ground: &'a SchemeGround) -> Self {
        Self { ground, problems: &[], is_edited: false, open: None, focus: None, left: Cell::new(NODES_MAX) }
    }
}

impl Tree {
    pub fn of(body: &Value, drawing: &Drawing<'_>) -> Self {
        let members = |name: &str| body.get(name).and_then(Value::as_object).into_iter().flatten();
        let services: Vec<Service> = members("services")
            .map(|(code, root)| {
                let at = join("/services", code);
                let currency = drawing.ground.services.get(code).map(ToString::to_string);
                let root = drawing.node(root, &at, code, 0);
                Service { code: outside(code), currency, at, is_edited: drawing.is_edited, root }
            })
            .collect();
        let named: Vec<(String, Node)> = members("nodes")
            .map(|(name, node)| (outside(name), drawing.node(node, &join("/nodes", name), "", 0)))
            .collect();
        let drawn: Vec<&str> = services
            .iter()
            .map(|service| &service.root)
            .chain(named.iter().map(|(_, node)| node))
            .map(|node| node.at.as_str())
            .collect();
        let problems = drawing.problems.iter().filter(|problem| !drawn.iter().any(|at| is_under(&problem.pointer, at)));
        Self { problems: problems.map(|problem| told(problem, "")).collect(), services, named }
    }
}

fn told(problem: &Problem, at: &str) -> Told {
    let rest = problem.pointer.strip_prefix(at).unwrap_or(&problem.pointer).trim_start_matches('/');
    Told { at: outside(&rest.replace('/', " › ")), detail: outside(&problem.detail) }
}

impl Drawing<'_> {
    fn node(&self, value: &Value, at: &str, service: &str, depth: usize) -> Node {
        let shape = self.shape(value, at, service, depth);
        let below: Vec<&str> = match &shape {
            Shape::Branch { then, otherwise, .. } => vec![&then.at, &otherwise.at],
            _ => Vec::new(),
        };
        let is_own = |problem: &&Problem| {
            is_under(&problem.pointer, at) && !below.iter().any(|below| is_under(&problem.pointer, below))
        };
        let form = (self.open == Some(at)).then(|| NodeForm::of(value, self.ground, service));
        Node {
            problems: self.problems.iter().filter(is_own).map(|problem| told(problem, at)).collect(),
            anchor: anchor(at),
            is_edited: self.is_edited,
            is_focused: self.focus == Some(at) && self.open != Some(at),
            form,
            at: at.to_owned(),
            shape,
        }
    }

    fn shape(&self, value: &Value, at: &str, service: &str, depth: usize) -> Shape {
        let left = self.left.get().checked_sub(1);
        let Some(left) = left.filter(|_| depth <= DEPTH_MAX) else {
            return Shape::Unreadable("Too deep, or too much, to be drawn.".to_owned());
        };
        self.left.set(left);
        if let Some(condition) = value.get("if") {
            let below = |name: &str| {
                let at = join(at, name);
                Box::new(self.node(value.get(name).unwrap_or(&Value::Null), &at, service, depth + 1))
            };
            return Shape::Branch {
                condition: outside(&words::condition(condition)),
                then: below("then"),
                otherwise: below("else"),
            };
        }
        if let Some(strategies) = value.get("strategies").and_then(Value::as_array) {
            return Shape::Leaf(strategies.iter().map(|strategy| self.strategy(strategy, service)).collect());
        }
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(outside);
        match (text("reject"), text("ref")) {
            (Some(reason), _) => Shape::Reject(reason),
            (None, Some(name)) => Shape::Ref(name),
            (None, None) if value.is_null() => Shape::Unreadable("Nothing is here.".to_owned()),
            (None, None) => Shape::Unreadable("This can't be read as a node.".to_owned()),
        }
    }

    fn strategy(&self, value: &Value, service: &str) -> Strategy {
        let name = value.get("strategy").and_then(Value::as_str).unwrap_or_default();
        let is_true = |name: &str| value.get(name) == Some(&Value::Bool(true));
        let mut notes = Vec::new();
        if let Some(hours) = value.get("window_hours") {
            notes.push(format!("over {hours} hours"));
        }
        if is_true("split_always") {
            notes.push("every request that may be is divided".to_owned());
        }
        if is_true("require_fast_funds") {
            notes.push("fast funds only".to_owned());
        }
        let routes: Vec<&Value> = value.get("routes").and_then(Value::as_array).into_iter().flatten().collect();
        let is_by_weight = name == "weight";
        let all: u64 = routes.iter().filter_map(|route| weight(route)).fold(0, u64::saturating_add);
        let route = |route: &&Value| {
            let weight = weight(route).filter(|_| is_by_weight);
            let name = route_name(route);
            let known = self.known(name, service);
            RouteView {
                name: outside(known.map_or(name, |known| &known.code)),
                weight: weight.map(|weight| weight.to_string()),
                share: weight.and_then(|weight| weight.saturating_mul(100).checked_div(all)),
                trouble: match known {
                    None => Some("isn't there"),
                    Some(known) if !known.enabled => Some("switched off"),
                    Some(_) => None,
                },
            }
        };
        Strategy {
            what: words::strategy(name),
            name: outside(name),
            notes: notes.iter().map(|note| outside(note)).collect(),
            routes: routes.iter().map(route).collect(),
        }
    }

    fn known(&self, name: &str, service: &str) -> Option<&KnownRoute> {
        known_route(self.ground, name, service)
    }
}

/// A weight that is written down.
fn weight(route: &Value) -> Option<u64> {
    route.get("weight").and_then(Value::as_u64)
}

/// The name that a strategy has a route by.
pub fn route_name(route: &Value) -> &str {
    route.as_str().or_else(|| route.get("route")?.as_str()).unwrap_or_default()
}

/// The route of that code or id. A code may be in use once a service; nodes that several services share name any.
pub fn known_route<'g>(ground: &'g SchemeGround, name: &str, service: &str) -> Option<&'g KnownRoute> {
    let named = |route: &&KnownRoute| route.code == name || route.id.to_string() == name;
    let mut routes = ground.routes.iter().filter(named);
    routes.clone().find(|route| route.service == service).or_else(|| routes.next())
}

/// A node's id within the page: pointers hold what ids mustn't.
pub fn anchor(at: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    format!("node{}", at.chars().map(plain).collect::<String>())
}
