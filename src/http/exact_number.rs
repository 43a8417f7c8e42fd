//! Amounts on the wire: JSON numbers with their exact digits, never through a float and never with an exponent.

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// A decimal that is written as a JSON number, without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExactNumber(pub Decimal);

impl Serialize for ExactNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // With serde_json's arbitrary precision a number is its text, and a decimal's text is a JSON number.
        let number: serde_json::Number = self.0.normalize().to_string().parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

impl PartialSchema for ExactNumber {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .format(Some(SchemaFormat::Custom("decimal".to_owned())))
            .description(Some("A decimal with its exact digits: read it as a decimal, not as a binary float."))
            .into()
    }
}

impl ToSchema for ExactNumber {}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (number, text) in [
            (dec!(692.49), "692.49"),
            (dec!(29.29121288), "29.29121288"),
            (dec!(692.50), "692.5"),
            (dec!(100.00), "100"),
            (dec!(0.00), "0"),
            (dec!(-0.0), "0"),
            (dec!(0.00000001), "0.00000001"),
            (dec!(0.0000000000000000000000000001), "0.0000000000000000000000000001"),
            (dec!(79228162514264337593543950335), "79228162514264337593543950335"),
            (dec!(-1.10), "-1.1"),
        ] {
            assert_eq!(serde_json::to_string(&ExactNumber(number)).unwrap(), text);
            assert_eq!(serde_json::to_value(ExactNumber(number)).unwrap().to_string(), text);
        }
    }
}
