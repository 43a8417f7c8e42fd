//! Which routes there are: what is described, what the dashboard's table says, and the exceptions. Together they are what the server
//! listens to, no more and no less.

use std::collections::BTreeSet;

use actix_web::dev::Service;
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, HttpResponse};
use landfall::domain::staff::Role;
use landfall::gateway::access::Scope;
use landfall::http::dashboard::{self, Access};
use landfall::http::{Roles, openapi, routes};
use serde_json::Value;

use super::exceptions::Exceptions;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    User,
    Key(Scope),
    Staff(Role),
    /// A page for whoever asks; a form of it is still refused without its token.
    Visitor,
    /// By an exception.
    Anybody,
}

#[derive(Clone, Debug)]
pub struct Route {
    pub method: String,
    pub path: String,
    /// `createOffer`; empty where it isn't described.
    pub operation: String,
    pub takes_body: bool,
    pub who: Who,
}

impl Route {
    /// As the exceptions and the page name it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub fn has_id(&self) -> bool {
        self.path.contains('{')
    }
}

pub struct Table(pub Vec<Route>);

impl Table {
    pub fn of(exceptions: &Exceptions) -> Self {
        let mut table: Vec<Route> = described().chain(pages()).collect();
        for open in &exceptions.open {
            match table.iter_mut().find(|route| route.name() == open.route) {
                // What isn't described has to be written down as open, and what is described must say so itself.
                Some(route) => assert!(
                    matches!(route.who, Who::Anybody | Who::Visitor),
                    "{} asks for credentials: it is no exception",
                    open.route
                ),
                None => {
                    let (method, path) = open.route.split_once(' ').unwrap();
                    let (method, path) = (method.to_owned(), path.to_owned());
                    let (operation, takes_body) = (String::new(), false);
                    table.push(Route { method, path, operation, takes_body, who: Who::Anybody });
                }
            }
        }
        for route in table.iter().filter(|route| matches!(route.who, Who::Anybody | Who::Visitor)) {
            let name = route.name();
            assert!(exceptions.open(&name).is_some(), "{name} asks for no credentials: exceptions.toml has no reason");
        }
        Self(table)
    }

    pub fn of_users(&self) -> Vec<&Route> {
        self.0.iter().filter(|route| route.who == Who::User).collect()
    }

    pub fn of_keys(&self) -> Vec<(&Route, Scope)> {
        let scope = |route: &Route| match route.who {
            Who::Key(scope) => Some(scope),
            _ => None,
        };
        self.0.iter().filter_map(|route| Some((route, scope(route)?))).collect()
    }

    pub fn of_staff(&self) -> Vec<(&Route, Role)> {
        let role = |route: &Route| match route.who {
            Who::Staff(role) => Some(role),
            _ => None,
        };
        self.0.iter().filter_map(|route| Some((route, role(route)?))).collect()
    }

    pub fn open(&self) -> Vec<&Route> {
        self.0.iter().filter(|route| matches!(route.who, Who::Anybody | Who::Visitor)).collect()
    }

    pub fn paths(&self) -> BTreeSet<&str> {
        self.0.iter().map(|route| route.path.as_str()).collect()
    }
}

fn described() -> impl Iterator<Item = Route> {
    let api = serde_json::to_value(openapi::openapi().unwrap()).unwrap();
    let everywhere = api["security"].clone();
    let paths = api["paths"].as_object().unwrap().clone();
    paths.into_iter().flat_map(move |(path, item)| {
        let operations = item.as_object().unwrap().clone();
        let everywhere = everywhere.clone();
        operations.into_iter().map(move |(method, operation)| {
            let security = operation.get("security").unwrap_or(&everywhere);
            Route {
                method: method.to_uppercase(),
                path: path.clone(),
                operation: operation["operationId"].as_str().unwrap().to_owned(),
                takes_body: operation["requestBody"].is_object(),
                who: who(&path, security),
            }
        })
    })
}

/// From a security requirement: the schemes of which one is needed, each with what it must grant.
fn who(path: &str, security: &Value) -> Who {
    let alternatives: Vec<&serde_json::Map<_, _>> =
        security.as_array().unwrap().iter().map(|one| one.as_object().unwrap()).collect();
    let names: Vec<&str> = alternatives.iter().flat_map(|one| one.keys()).map(String::as_str).collect();
    match names.as_slice() {
        [] => Who::Anybody,
        ["bearer"] => Who::User,
        ["apiKey", "apiKeyBasic"] => {
            let scopes: Vec<Scope> = alternatives
                .iter()
                .map(|one| one.values().next().unwrap()[0].as_str().unwrap().parse().unwrap())
                .collect();
            assert_eq!(scopes[0], scopes[1], "{path}");
            Who::Key(scopes[0])
        }
        other => panic!("{path}: nobody has tests for the security {other:?}"),
    }
}

fn pages() -> impl Iterator<Item = Route> {
    dashboard::addresses().into_iter().map(|address| Route {
        method: address.method.as_str().to_owned(),
        path: format!("{}{}", dashboard::PREFIX, address.path),
        operation: String::new(),
        takes_body: false,
        who: match address.access {
            Access::Anybody => Who::Visitor,
            Access::Staff(role) => Who::Staff(role),
        },
    })
}

/// The paths that a server with every role listens to, out of how actix-web prints its tree of resources: a level is 12 columns deep.
async fn listened_to() -> BTreeSet<String> {
    let service = init_service(App::new().configure(|cfg| routes(cfg, Roles::ALL)).wrap_fn(|request, _| {
        let tree = format!("{:#?}", request.resource_map());
        async move { Ok(request.into_response(HttpResponse::Ok().body(tree))) }
    }))
    .await;
    let answer = service.call(TestRequest::get().uri("/").to_request()).await.unwrap();
    let tree = actix_web::body::to_bytes(answer.into_body()).await.unwrap_or_default();
    let tree = String::from_utf8(tree.to_vec()).unwrap();
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut lines = tree.lines();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let columns = line.len() - text.len();
        assert!(!text.starts_with("patterns: List("), "a route with several patterns isn't read yet");
        if text == "patterns: Single(" && columns % 12 == 8 {
            let pattern: String = serde_json::from_str(lines.next().unwrap().trim().trim_end_matches(',')).unwrap();
            found.push((columns / 12, pattern));
        }
    }
    let mut paths = BTreeSet::new();
    let mut above: Vec<&str> = Vec::new();
    for (n, (level, pattern)) in found.iter().enumerate() {
        above.truncate(*level);
        above.push(pattern);
        let is_leaf = found.get(n + 1).is_none_or(|(next, _)| next <= level);
        if is_leaf {
            paths.insert(above.concat());
        }
    }
    paths
}

#[actix_web::test]
async fn what_is_listened_to_is_what_is_in_the_table() {
    let table = Table::of(&Exceptions::read());
    let listened = listened_to().await;
    assert!(listened.len() > 60, "{listened:?}");
    let listened: BTreeSet<&str> = listened.iter().map(String::as_str).collect();
    let paths = table.paths();
    let unknown: Vec<_> = listened.difference(&paths).collect();
    let gone: Vec<_> = paths.difference(&listened).collect();
    assert!(unknown.is_empty(), "not in openapi.yaml, the dashboard's table or exceptions.toml: {unknown:?}");
    assert!(gone.is_empty(), "nothing listens to {gone:?}");
    let names: BTreeSet<String> = table.0.iter().map(Route::name).collect();
    assert_eq!(names.len(), table.0.len(), "a route stands twice");
}
