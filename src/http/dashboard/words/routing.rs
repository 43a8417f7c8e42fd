//! A routing trace, a sentence a line.

use serde_json::Value;

use crate::domain::asset::{AssetCode, Assets};
use crate::domain::routing::Trace;
use crate::http::dashboard::parts::Amount;

/// What routing decided, in words; `None` if the event carries no decision.
pub fn trace(data: &Value, currency: AssetCode, assets: &Assets) -> Option<Vec<String>> {
    let trace: Trace = serde_json::from_value(data.get("routing")?.clone()).ok()?;
    Some(trace.in_words_with(|amount| Amount::of(amount, currency, assets).text()))
}
