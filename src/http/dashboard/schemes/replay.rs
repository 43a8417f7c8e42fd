//! What a draft would have done with the last requests: each route's share as it was and as it would be.

use askama::Template;
use askama::filters::HtmlSafe;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::domain::asset::Assets;
use crate::http::dashboard::parts::{Amount, Moment, outside};
use crate::staff::schemes::{Example, Replay, Share, Taking};

#[derive(Template)]
#[template(path = "parts/scheme_replay.html", config = "web/askama.toml")]
pub struct ReplayView {
    requests: u64,
    of_other_services: u64,
    moved: u64,
    between: Option<(Moment, Moment)>,
    shares: Vec<ShareView>,
    not_routed: Vec<(&'static str, u64, u64)>,
    examples: Vec<ExampleView>,
}
impl HtmlSafe for ReplayView {}

struct ShareView {
    service: String,
    route: String,
    before: TakingView,
    after: TakingView,
}

struct TakingView {
    payouts: u64,
    amount: Amount,
    percent: String,
    /// Of a hundred, for the bar.
    width: i64,
}

struct ExampleView {
    request: String,
    before: String,
    after: String,
    words: Vec<String>,
}

impl ReplayView {
    pub fn of(replay: &Replay, assets: &Assets) -> Self {
        let outcome = |outcome| match outcome {
            "rejected" => "refused by the scheme",
            "filtered" => "every route was left out",
            _ => "no route",
        };
        Self {
            requests: replay.requests,
            of_other_services: replay.of_other_services,
            moved: replay.moved,
            between: replay.between.map(|(first, last)| (Moment::of(first), Moment::of(last))),
            shares: replay.shares.iter().map(|share| share_view(share, assets)).collect(),
            not_routed: replay.not_routed.iter().map(|none| (outcome(none.outcome), none.before, none.after)).collect(),
            examples: replay.examples.iter().map(example_view).collect(),
        }
    }
}

fn share_view(share: &Share, assets: &Assets) -> ShareView {
    let view = |taking: &Taking| TakingView {
        payouts: taking.payouts,
        amount: Amount::of(taking.amount, share.currency, assets),
        percent: taking.percent.normalize().to_string(),
        width: taking.percent.min(Decimal::ONE_HUNDRED).round().to_i64().unwrap_or(0),
    };
    let route =
        if share.route.is_empty() { "a route that isn't there any more".to_owned() } else { share.route.clone() };
    ShareView { service: share.service.clone(), route, before: view(&share.before), after: view(&share.after) }
}

fn example_view(example: &Example) -> ExampleView {
    let routes = |parts: &[crate::gateway::simulate::Part]| match parts {
        [] => "nowhere".to_owned(),
        parts => parts.iter().map(|part| part.route.as_str()).collect::<Vec<_>>().join(", "),
    };
    ExampleView {
        request: example.request_id.to_string(),
        before: routes(&example.before),
        after: routes(&example.after.parts),
        words: example.after.in_words().iter().map(|sentence| outside(sentence)).collect(),
    }
}
