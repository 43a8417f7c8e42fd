//! What the schemas of JSON:API's documents are called, so that generated clients have good names, and that each says of what type its
//! resources are.

use super::tree::{self, Tree};
use crate::http::v1;

/// Names documents after what they hold, has resources refer to their attributes, and names their type.
pub fn complete(api: &mut Tree) {
    split_schemes(api);
    for (name, schema) in tree::schemas(api) {
        if let Some((form @ ("Resource" | "RequestResource"), of)) = name.split_once('_') {
            resource(form, of, schema);
        }
    }
    let schemas = &mut api["components"]["schemas"];
    if let Some(schemas) = schemas.as_mapping_mut() {
        let renamed =
            std::mem::take(schemas).into_iter().map(|(name, schema)| match name.as_str().and_then(new_name) {
                Some(new) => (new.into(), schema),
                None => (name, schema),
            });
        let mut renamed: Vec<_> = renamed.collect();
        renamed.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
        schemas.extend(renamed);
    }
    refer(api, &new_name);
}

/// Schemes of payouts and of exchange rates have the same attributes, and are resources of two types: their documents are told apart.
fn split_schemes(api: &mut Tree) {
    const BOTH: [&str; 4] =
        ["SchemeAttributes", "SchemeVersionAttributes", "NewSchemeRequest", "NewSchemeVersionRequest"];
    let is_both = |name: &str| name.split_once('_').is_some_and(|(_, of)| BOTH.contains(&of));
    let of = |which: &str, name: &str| {
        let (form, of) = name.split_once('_').unwrap_or((name, ""));
        let of = of.strip_prefix("New").map_or_else(|| format!("{which}{of}"), |of| format!("New{which}{of}"));
        format!("{form}_{of}")
    };
    let mut split = Vec::new();
    for (name, schema) in tree::schemas(api).filter(|(name, _)| is_both(name)) {
        for which in ["Payout", "ExchangeRate"] {
            let mut schema = schema.clone();
            refer(&mut schema, &|name| is_both(name).then(|| of(which, name)));
            split.push((of(which, &name), schema));
        }
        split.push((name, Tree::Null));
    }
    for (path, operation) in tree::operations(api) {
        let which = if path.contains("/exchange-rate-schemes") { "ExchangeRate" } else { "Payout" };
        refer(operation, &|name| is_both(name).then(|| of(which, name)));
    }
    for (name, schema) in split {
        match schema {
            Tree::Null => drop(tree::take(&mut api["components"]["schemas"], &name)),
            schema => tree::set(&mut api["components"]["schemas"], &name, schema),
        }
    }
}

/// `Document_CustomerAttributes` is `CustomerDocument`.
fn new_name(name: &str) -> Option<String> {
    let (form, of) = name.split_once('_')?;
    let what = of.strip_suffix("Attributes").unwrap_or(of);
    let form = match form {
        "Document" | "RequestDocument" => "Document",
        "Resource" | "RequestResource" => "Resource",
        "ListDocument" => "List",
        _ => return None,
    };
    Some(format!("{what}{form}"))
}

fn resource(form: &str, of: &str, schema: &mut Tree) {
    let properties = &mut schema["properties"];
    // Whatever scheme it is of, its attributes are the same.
    let attributes = of.replace("PayoutScheme", "Scheme").replace("ExchangeRateScheme", "Scheme");
    properties["attributes"] = tree::object([("$ref", tree::reference(&attributes).into())]);
    let Some((kinds, id)) = v1::openapi::resource(of) else { return };
    properties["type"]["enum"] = tree::texts(kinds.iter().copied());
    properties["id"]["example"] = id.into();
    if form == "RequestResource" {
        if of.ends_with("ChangeRequest") {
            properties["id"]["type"] = "string".into();
        } else {
            tree::take(properties, "id");
        }
    }
}

/// Has every reference name what was renamed.
fn refer(tree: &mut Tree, new_name: &dyn Fn(&str) -> Option<String>) {
    if let Some(new) = tree::referred(tree).and_then(new_name) {
        tree["$ref"] = tree::reference(&new).into();
    }
    match tree {
        Tree::Mapping(members) => members.iter_mut().for_each(|(_, member)| refer(member, new_name)),
        Tree::Sequence(items) => items.iter_mut().for_each(|item| refer(item, new_name)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_named_after_what_they_hold() {
        for (name, new) in [
            ("Document_CustomerAttributes", Some("CustomerDocument")),
            ("ListDocument_CustomerAttributes", Some("CustomerList")),
            ("Resource_CustomerAttributes", Some("CustomerResource")),
            ("RequestDocument_NewCustomerRequest", Some("NewCustomerRequestDocument")),
            ("RequestResource_TopUpRequest", Some("TopUpRequestResource")),
            ("CustomerAttributes", None),
        ] {
            assert_eq!(new_name(name).as_deref(), new);
        }
    }
}
