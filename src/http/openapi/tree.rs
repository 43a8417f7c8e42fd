//! The description as a tree, for what its types can't say. Members keep their order.

use yaml_serde::{Mapping, Value};

pub type Tree = Value;

/// The schemas, by their names.
pub fn schemas(api: &mut Tree) -> impl Iterator<Item = (String, &mut Tree)> {
    members(&mut api["components"]["schemas"])
}

/// The properties of an object's schema, those of its parts among them.
pub fn properties(schema: &mut Tree) -> Vec<(String, &mut Tree)> {
    let Some(schema) = schema.as_mapping_mut() else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in schema.iter_mut() {
        match key.as_str() {
            Some("properties") => found.extend(members(value)),
            Some("allOf" | "oneOf") => {
                let parts = value.as_sequence_mut().into_iter().flatten();
                found.extend(parts.filter_map(|part| part.get_mut("properties")).flat_map(members));
            }
            _ => {}
        }
    }
    found
}

/// An object's members; none of what is no object.
pub fn members(tree: &mut Tree) -> impl Iterator<Item = (String, &mut Tree)> {
    let members = tree.as_mapping_mut().into_iter().flat_map(Mapping::iter_mut);
    members.filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)))
}

/// Every operation with its path and method in front: `get /v4/payout/data`.
pub fn operations(api: &mut Tree) -> impl Iterator<Item = (String, &mut Tree)> {
    members(&mut api["paths"])
        .flat_map(|(path, item)| members(item).map(move |(method, operation)| (format!("{method} {path}"), operation)))
}

/// Whether a schema's values are of that type.
pub fn is(schema: &Tree, wanted: &str) -> bool {
    let is_wanted = |name: &Tree| name.as_str() == Some(wanted);
    is_wanted(&schema["type"]) || schema["type"].as_sequence().is_some_and(|types| types.iter().any(is_wanted))
}

/// A reference to a schema.
pub fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The schema that is referred to.
pub fn referred(schema: &Tree) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

/// Sets a member, where it isn't there yet.
pub fn set(tree: &mut Tree, name: &str, value: impl Into<Tree>) {
    if let Some(tree) = tree.as_mapping_mut() {
        tree.entry(name.into()).or_insert_with(|| value.into());
    }
}

/// Takes a member out.
pub fn take(tree: &mut Tree, name: &str) -> Option<Tree> {
    tree.as_mapping_mut()?.shift_remove(name)
}

/// An object of these members.
pub fn object<const N: usize>(members: [(&str, Tree); N]) -> Tree {
    members.into_iter().map(|(name, value)| (Tree::from(name), value)).collect::<Mapping>().into()
}

/// A list of texts.
pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Tree {
    texts.into_iter().map(|text| Tree::from(text.into())).collect::<Vec<_>>().into()
}
