//! What a payout point says of the requests that are submitted to it: the defaults of their options. Stores nothing.

use serde::{Deserialize, Serialize};

use super::payout_request::SplitMode;

/// Bounds of `attempts_limit` and `attempts_per_route_limit`.
pub const ATTEMPTS: std::ops::RangeInclusive<u16> = 1..=100;
/// Bounds of how long a request may start payouts, in seconds: a minute to 90 days.
pub const EXPIRES_IN_SECS: std::ops::RangeInclusive<u32> = 60..=7_776_000;

/// Defaults of a request's options; what is `None` is the installation's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_limit: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_per_route_limit: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_partially: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_process: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_mode: Option<SplitMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel_mode: Option<bool>,
    /// How long after its creation a request starts payouts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_secs: Option<u32>,
}
