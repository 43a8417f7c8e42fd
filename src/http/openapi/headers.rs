//! The headers of answers.

use super::tree::{self, Tree};

/// Names, for each answer, the headers that it can have.
pub fn complete(api: &mut Tree) {
    for (path, operation) in tree::operations(api) {
        let has_key = operation["parameters"]
            .as_sequence()
            .is_some_and(|parameters| parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key"));
        let is_of_callers = path.contains(" /v1/") || path.contains(" /v4/");
        for (status, answer) in operation.get_mut("responses").map(tree::members).into_iter().flatten() {
            let mut named = Vec::new();
            if is_of_callers {
                named.push("X-Request-Id");
            }
            if has_key && !matches!(status.as_str(), "401" | "429" | "431" | "500" | "503") {
                named.push("Idempotency-Replayed");
            }
            if is_of_callers && matches!(status.as_str(), "429" | "503") {
                named.push("Retry-After");
            }
            if is_of_callers && status == "401" {
                named.push("WWW-Authenticate");
            }
            let reference = |name: &str| tree::object([("$ref", format!("#/components/headers/{name}").into())]);
            let headers = named.into_iter().map(|name| (Tree::from(name), reference(name)));
            let headers: yaml_serde::Mapping = headers.collect();
            if !headers.is_empty() {
                tree::set(answer, "headers", headers);
            }
        }
    }
    let headers = [
        header(
            "X-Request-Id",
            "string",
            "What support asks for: the request's id, the caller's own where there was a good one.",
            "0f8e6c1c-8a5e-4c36-9a4e-2f6d1b7c9a10".into(),
        ),
        header(
            "Idempotency-Replayed",
            "string",
            "`true`: this is the saved answer to an earlier request with the same key.",
            "true".into(),
        ),
        header("Retry-After", "integer", "Wait so many seconds, and send the same again.", 1.into()),
        header("WWW-Authenticate", "string", "What is wanted instead.", "Bearer realm=\"landfall\"".into()),
    ];
    api["components"]["headers"] =
        headers.into_iter().map(|(name, header)| (Tree::from(name), header)).collect::<yaml_serde::Mapping>().into();
}

fn header(name: &'static str, kind: &str, about: &str, example: Tree) -> (&'static str, Tree) {
    let schema = tree::object([("type", kind.into())]);
    (name, tree::object([("description", about.into()), ("schema", schema), ("example", example)]))
}
