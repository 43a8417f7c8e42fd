//! Lengths of texts, by the rules that stand on a request's fields.

use validator::Validate;

use crate::http::error::{ApiError, FieldProblem};

/// The first field, by name, whose length is out of its bounds. Never says what its value was.
pub fn check_lengths(request: &impl Validate) -> Result<(), ApiError> {
    let Err(errors) = request.validate() else { return Ok(()) };
    let first = errors.field_errors().into_keys().min();
    Err(ApiError::field(first.map(|name| camel_case(&name)).unwrap_or_default(), FieldProblem::Length))
}

/// A field's name on the wire.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or("").to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_wire() {
        assert_eq!(camel_case("country_code"), "countryCode");
        assert_eq!(camel_case("zip"), "zip");
    }
}
