//! From a body to a tree: nodes, references and services. Every path is walked as a decision would walk it, so that what no
//! request can reach is found; references are copied where they stand, so that a tree comes out.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::knowledge::Knowledge;
use super::problems::{Problems, clipped, join};
use super::{BODY_BYTES_MAX, DEPTH_MAX, Known, NODES_MAX, Node, Scheme, SchemeProblem};
use crate::domain::asset::AssetCode;

/// The longest reason of a refusal, in characters.
const REASON_CHARS_MAX: usize = 500;

pub fn compile(body: &Value, known: &Known<'_>) -> Result<Scheme, Vec<SchemeProblem>> {
    let mut problems = Problems::default();
    if !fits(body) {
        problems.add("", "body_too_large", format!("A scheme has at most {BODY_BYTES_MAX} bytes."));
        return problems.into_result(Scheme::default_for(""));
    }
    let Some(body) = body.as_object() else {
        problems.add("", "wrong_type", "A scheme is an object.");
        return problems.into_result(Scheme::default_for(""));
    };
    let mut compiler = Compiler {
        known,
        named: None,
        used: BTreeSet::new(),
        problems,
        nodes: Vec::new(),
        nodes_seen: 0,
        service: "",
        currency: None,
        routes_enabled: 0,
        incomplete: false,
    };
    compiler.only_keys(body, "", &["services", "nodes"]);
    match body.get("nodes") {
        Some(Value::Object(nodes)) => compiler.named = Some(nodes),
        Some(_) => compiler.problems.add("/nodes", "wrong_type", "Named nodes are an object."),
        None => {}
    }
    let mut roots = HashMap::new();
    match body.get("services") {
        Some(Value::Object(services)) if services.is_empty() => {
            compiler.problems.add("/services", "no_services", "A scheme has at least one service.");
        }
        Some(Value::Object(services)) => {
            for (service, root) in services {
                if let Some(index) = compiler.service(service, root) {
                    roots.insert(service.clone(), index);
                }
            }
        }
        Some(_) => compiler.problems.add("/services", "wrong_type", "Services are an object."),
        None => compiler.problems.add("", "missing_key", "A scheme has services."),
    }
    for name in compiler.named.into_iter().flat_map(Map::keys) {
        if !compiler.used.contains(name.as_str()) {
            compiler.problems.add(&join("/nodes", name), "unused_node", "Nothing refers to this node.");
        }
    }
    let scheme = Scheme { scheme: known.scheme, roots, nodes: compiler.nodes };
    compiler.problems.into_result(scheme)
}

pub(super) struct Compiler<'a> {
    pub known: &'a Known<'a>,
    named: Option<&'a Map<String, Value>>,
    /// The named nodes that something refers to.
    used: BTreeSet<&'a str>,
    pub problems: Problems,
    nodes: Vec<Node>,
    /// Nodes and conditions so far.
    nodes_seen: usize,
    /// The service whose tree is compiled.
    pub service: &'a str,
    pub currency: Option<AssetCode>,
    /// How many enabled routes the service's leaves have.
    pub routes_enabled: usize,
    /// Whether part of the service's tree couldn't be read: then nothing is said of where it leads.
    pub incomplete: bool,
}

impl<'a> Compiler<'a> {
    fn service(&mut self, service: &'a str, root: &'a Value) -> Option<usize> {
        let at = join("/services", service);
        self.service = service;
        self.currency = self.known.services.get(service).copied();
        self.routes_enabled = 0;
        self.incomplete = false;
        if self.currency.is_none() {
            self.problems.add(&at, "unknown_service", format!("There is no service {:?}.", clipped(service)));
        }
        let before = self.problems.count();
        let index = self.node(root, &at, 1, &mut Vec::new(), &Knowledge::default());
        if self.routes_enabled == 0 && !self.incomplete && self.problems.count() == before {
            let detail = "No branch of this tree has an enabled route: it can never route anything.";
            self.problems.add(&at, "never_routes", detail);
        }
        index
    }

    /// `path`: the named nodes that are being read.
    fn node(
        &mut self,
        value: &'a Value,
        at: &str,
        depth: usize,
        path: &mut Vec<&'a str>,
        knowledge: &Knowledge,
    ) -> Option<usize> {
        let index = self.node_of(value, at, depth, path, knowledge);
        self.incomplete |= index.is_none();
        index
    }

    fn node_of(
        &mut self,
        value: &'a Value,
        at: &str,
        depth: usize,
        path: &mut Vec<&'a str>,
        knowledge: &Knowledge,
    ) -> Option<usize> {
        self.count(at, depth)?;
        let Some(node) = value.as_object() else {
            self.problems.add(at, "wrong_type", "A node is an object.");
            return None;
        };
        let shapes = ["if", "strategies", "reject", "ref"];
        let mut present = shapes.into_iter().filter(|key| node.contains_key(*key));
        match (present.next(), present.next()) {
            (Some("if"), None) => self.branch(node, at, depth, path, knowledge),
            (Some("strategies"), None) => {
                self.only_keys(node, at, &["strategies"]);
                let leaves = self.leaves(node.get("strategies")?, &join(at, "strategies"))?;
                Some(self.push(Node::Leaf(leaves)))
            }
            (Some("reject"), None) => {
                self.only_keys(node, at, &["reject"]);
                let reason = self.reason(node.get("reject")?, &join(at, "reject"))?;
                Some(self.push(Node::Reject(reason)))
            }
            (Some("ref"), None) => {
                self.only_keys(node, at, &["ref"]);
                self.reference(node.get("ref")?, &join(at, "ref"), depth, path)
            }
            _ => {
                self.problems.add(
                    at,
                    "unknown_node",
                    "A node has exactly one of \"if\", \"strategies\", \"reject\", \"ref\".",
                );
                None
            }
        }
    }

    fn branch(
        &mut self,
        node: &'a Map<String, Value>,
        at: &str,
        depth: usize,
        path: &mut Vec<&'a str>,
        knowledge: &Knowledge,
    ) -> Option<usize> {
        self.only_keys(node, at, &["if", "then", "else"]);
        let condition = self.condition(node.get("if")?, &join(at, "if"), depth + 1);
        let verdict = condition.as_ref().and_then(|condition| knowledge.verdict(condition));
        if let Some(verdict) = verdict {
            let (dead, always) = if verdict { ("else", "true") } else { ("then", "false") };
            let detail = format!("Whatever comes here, the condition is {always}: this branch is never taken.");
            self.problems.add(&join(at, dead), "unreachable_branch", detail);
        }
        let mut child = |key: &str, truth: bool| {
            let Some(value) = node.get(key) else {
                self.problems.add(at, "missing_key", format!("A branch has {key:?}."));
                return None;
            };
            // Below a branch that is never taken, its condition would only contradict everything.
            let below = match &condition {
                Some(condition) if verdict.is_none() => &knowledge.assuming(condition, truth),
                _ => knowledge,
            };
            self.node(value, &join(at, key), depth + 1, path, below)
        };
        let (then, otherwise) = (child("then", true), child("else", false));
        Some(self.push(Node::Branch { condition: condition?, then: then?, otherwise: otherwise? }))
    }

    fn reference(&mut self, value: &'a Value, at: &str, depth: usize, path: &mut Vec<&'a str>) -> Option<usize> {
        let Some(name) = value.as_str() else {
            self.problems.add(at, "wrong_type", "A reference is the name of a node.");
            return None;
        };
        let Some(node) = self.named.and_then(|named| named.get(name)) else {
            self.problems.add(at, "unknown_ref", format!("There is no node {:?}.", clipped(name)));
            return None;
        };
        self.used.insert(name);
        if path.contains(&name) {
            self.problems.add(at, "cycle", format!("The node {:?} leads back to itself.", clipped(name)));
            return None;
        }
        path.push(name);
        // What is known on this way isn't on another: a branch that only one of them never takes is no mistake.
        let index = self.node(node, &join("/nodes", name), depth + 1, path, &Knowledge::default());
        path.pop();
        index
    }

    fn reason(&mut self, value: &Value, at: &str) -> Option<String> {
        let reason = value.as_str().unwrap_or_default().trim();
        if reason.is_empty() || reason.chars().count() > REASON_CHARS_MAX {
            let detail = format!("A refusal names its reason, in at most {REASON_CHARS_MAX} characters.");
            self.problems.add(at, "reason_invalid", detail);
            return None;
        }
        Some(reason.to_owned())
    }

    /// Counts a node or a condition; `None` if there are too many, or too deep.
    pub fn count(&mut self, at: &str, depth: usize) -> Option<()> {
        self.nodes_seen += 1;
        if self.nodes_seen > NODES_MAX {
            // Told once: everything that follows is beyond it.
            let detail = format!("A scheme has at most {NODES_MAX} nodes and conditions, references counted out.");
            self.problems.add("", "too_many_nodes", detail);
            return None;
        }
        if depth > DEPTH_MAX {
            self.problems.add(at, "too_deep", format!("A scheme is at most {DEPTH_MAX} levels deep."));
            return None;
        }
        Some(())
    }

    pub fn only_keys(&mut self, object: &Map<String, Value>, at: &str, allowed: &[&str]) {
        for key in object.keys().filter(|key| !allowed.contains(&key.as_str())) {
            self.problems.add(&join(at, key), "unknown_key", format!("Known here are {}.", allowed.join(", ")));
        }
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// Whether the body is small enough, without writing it.
fn fits(body: &Value) -> bool {
    let mut left = BODY_BYTES_MAX;
    let mut open = vec![body];
    while let Some(value) = open.pop() {
        let size = match value {
            Value::Null | Value::Bool(_) => 4,
            Value::Number(number) => number.as_str().len(),
            Value::String(text) => text.len() + 2,
            Value::Array(values) => {
                open.extend(values);
                values.len() + 1
            }
            Value::Object(members) => {
                open.extend(members.values());
                members.keys().map(|key| key.len() + 4).sum::<usize>() + 1
            }
        };
        match left.checked_sub(size) {
            Some(rest) => left = rest,
            None => return false,
        }
    }
    true
}
