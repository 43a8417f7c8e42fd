//! Webhooks: which events are told as what, who wants to hear of them, and when telling is tried again. How it is sent, and signed, isn't
//! known here.

use std::fmt;
use std::str::FromStr;

use chrono::TimeDelta;

use super::ids::IdError;

/// What a message is about, as its `type` has it: the object, a full stop, and what became of it.
pub const TYPES: &[(&str, &str)] = &[
    ("payout_request.created", "A payout request was made."),
    ("payout_request.changed", "Its fields, its limits or its description changed."),
    ("payout_request.moderation_started", "It waits for a person of the house."),
    ("payout_request.moderation_ended", "It doesn't wait for a person any more."),
    ("payout_request.processed", "It ended paid in full."),
    ("payout_request.partially_processed", "It ended paid in part; the rest was given back."),
    ("payout_request.failed", "It ended unpaid; everything was given back."),
    ("payout_request.expired", "It ended unpaid, since its time was over."),
    ("payout_request.canceled", "It ended unpaid, since it was canceled."),
    ("payout_request.terminated", "It ended unpaid before anything was sent."),
    ("payout_request.returned", "It had been paid, and the money, or a part of it, came back."),
    ("payout.started", "A payout is about to be sent to a provider."),
    ("payout.pending", "The provider has taken a payout, and hasn't paid it yet."),
    ("payout.unknown", "Whether a payout was made isn't known yet; it is asked about."),
    ("payout.processed", "The provider has paid a payout."),
    ("payout.failed", "The provider hasn't paid a payout, and won't."),
    ("payout.canceled", "A payout wasn't sent."),
    ("payout.returned", "A part of a payout came back before its request ended."),
    (PING, "Somebody asked for a test message."),
    (DISABLED, "Another endpoint was switched off, since nothing arrived there."),
];

/// A message that somebody asked for, to see that it arrives. Goes to one endpoint, whatever it wants to hear of.
pub const PING: &str = "webhook_endpoint.ping";
/// That an endpoint was switched off, told to the others.
pub const DISABLED: &str = "webhook_endpoint.disabled";

/// As what an event is told, by its kind and the status of its request after it; `None`: to nobody. Every final status of a request has a
/// type.
pub fn type_of(kind: &str, request_status: &str) -> Option<&'static str> {
    let wanted = match kind {
        "request_created" => "payout_request.created",
        "request_changed" | "details_supplied" => "payout_request.changed",
        "moderation_started" => "payout_request.moderation_started",
        "moderation_ended" => "payout_request.moderation_ended",
        "request_ended" | "request_canceled" | "request_terminated" | "request_expired" => {
            return known(&format!("payout_request.{request_status}"));
        }
        "payout_started" => "payout.started",
        "payout_pending" => "payout.pending",
        "payout_unknown" => "payout.unknown",
        "payout_processed" | "payout_processed_late" => "payout.processed",
        "payout_failed" => "payout.failed",
        "payout_canceled" => "payout.canceled",
        "payout_returned" if request_status == "returned" => "payout_request.returned",
        "payout_returned" => "payout.returned",
        _ => return None,
    };
    known(wanted)
}

fn known(text: &str) -> Option<&'static str> {
    TYPES.iter().map(|(name, _)| *name).find(|name| *name == text)
}

/// A type that an endpoint wants to hear of, or all of an object's (`payout.*`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted(String);

impl Wanted {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Wanted {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_whole_object = |object: &str| TYPES.iter().any(|(name, _)| name.split('.').next() == Some(object));
        let fits = match text.strip_suffix(".*") {
            Some(object) => is_whole_object(object),
            None => known(text).is_some(),
        };
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError { kind: "event type" }) }
    }
}

/// Whether an endpoint that wants `types` (none: all) is told of `name`. The statement that writes events judges by the same rule.
pub fn wants(types: &[String], name: &str) -> bool {
    let object = name.split('.').next().unwrap_or(name);
    types.is_empty() || types.iter().any(|wanted| wanted == name || wanted.strip_suffix(".*") == Some(object))
}

/// The pauses after the first try and each further one: the times of the Standard Webhooks specification ("Deliverability and
/// reliability"), 75 hours and 35 minutes in all.
const PAUSES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];

/// The most tries, unless a message is asked for anew.
pub const TRIES_MAX: usize = PAUSES.len() + 1;

/// How long to wait after `tries` tries that failed, with up to a tenth more by `spread` (0 to 255), so that what failed together doesn't
/// come back together. A receiver that asks for more is given it, up to a day. `None`: it is given up.
pub fn pause_after(tries: i32, spread: u8, asked: Option<TimeDelta>) -> Option<TimeDelta> {
    let index = usize::try_from(tries).ok()?.checked_sub(1)?;
    let pause = *PAUSES.get(index)?;
    let more = TimeDelta::milliseconds(pause.num_milliseconds() / 10 * i64::from(spread) / 255);
    let asked = asked.unwrap_or_default().min(TimeDelta::hours(24));
    Some((pause + more).max(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payout_request::RequestStatus;

    #[test]
    fn every_end_of_a_request_is_told() {
        for status in RequestStatus::ALL.into_iter().filter(|status| status.is_final()) {
            assert!(type_of("request_ended", status.as_str()).is_some(), "{}", status.as_str());
        }
        assert_eq!(type_of("request_canceled", "canceled"), Some("payout_request.canceled"));
        assert_eq!(type_of("payout_returned", "returned"), Some("payout_request.returned"));
        assert_eq!(type_of("payout_returned", "pending"), Some("payout.returned"));
        assert_eq!(type_of("request_split", "ready"), None);
        assert_eq!(type_of("request_ended", "never heard of"), None);
    }

    #[test]
    fn every_type_stands_in_the_docs_with_what_it_means() {
        let page = include_str!("../../docs/webhooks.md");
        let told: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let wanted: Vec<String> = TYPES.iter().map(|(name, what)| format!("| `{name}` | {what} |")).collect();
        assert_eq!(told, wanted);
    }

    #[test]
    fn an_endpoint_hears_of_what_it_wants() {
        let types = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert!(wants(&[], "payout.started"));
        assert!(wants(&types(&["payout.*"]), "payout.started"));
        assert!(!wants(&types(&["payout.*"]), "payout_request.created"));
        assert!(wants(&types(&["payout.failed", "payout_request.created"]), "payout_request.created"));
        for (text, fits) in [
            ("payout.*", true),
            ("payout_request.*", true),
            ("payout.failed", true),
            ("*", false),
            ("payout", false),
            ("payout.", false),
            ("payout.failed.*", false),
            ("card.*", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Wanted>().is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn pauses_are_the_specifications_and_end() {
        assert_eq!(pause_after(0, 0, None), None);
        assert_eq!(pause_after(1, 0, None), Some(TimeDelta::seconds(5)));
        assert_eq!(pause_after(1, 255, None), Some(TimeDelta::milliseconds(5_500)));
        assert_eq!(pause_after(9, 0, None), Some(TimeDelta::hours(24)));
        assert_eq!(pause_after(10, 0, None), None);
        assert_eq!(pause_after(1, 0, Some(TimeDelta::seconds(90))), Some(TimeDelta::seconds(90)));
        assert_eq!(pause_after(3, 0, Some(TimeDelta::seconds(90))), Some(TimeDelta::minutes(30)));
        assert_eq!(pause_after(1, 0, Some(TimeDelta::days(30))), Some(TimeDelta::hours(24)));
    }
}
