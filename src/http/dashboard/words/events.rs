//! Events of a payout request, a sentence each. An event whose kind isn't known here is shown by its name; its data stands beside it
//! either way.

use rust_decimal::Decimal;
use serde_json::Value;

use super::{case, decision, request_status, resolution};
use crate::domain::asset::{AssetCode, Assets};
use crate::domain::payout::Resolution;
use crate::http::dashboard::parts::{Amount, outside};

/// What happened. `currency` is the request's.
pub fn event(kind: &str, data: &Value, currency: AssetCode, assets: &Assets) -> String {
    let told = Told { data, currency, assets };
    match kind {
        "request_created" => {
            let missing = told.names("missing");
            let asked = format!("The payout of {} was asked for", told.amount("amount"));
            if missing.is_empty() { format!("{asked}.") } else { format!("{asked}; it waits for {missing}.") }
        }
        "request_changed" => "The request was changed.".to_owned(),
        "details_supplied" => "Details that were missing were supplied.".to_owned(),
        "processing_requested" => "It was asked to be sent now.".to_owned(),
        "request_split" => format!(
            "{} {}divided over {} payouts, {}.",
            told.amount("amount"),
            if told.find("of_part").is_some() {
                "of a part that no single route carries any more was "
            } else {
                "was "
            },
            told.count("parts"),
            if told.is_true("parallel") { "sent side by side" } else { "sent one after the other" },
        ),
        "request_waits" => "It waits for what is under way.".to_owned(),
        "request_goes_on" => "What is still due is routed again.".to_owned(),
        "request_ended" => {
            let status = told.text("status");
            let status = status.parse().map_or(status, |known| request_status(known).text.to_lowercase());
            match told.find("resolution") {
                Some(_) if told.text("resolution") != "ok" => {
                    format!("It ended: {status}, since {}.", told.resolution())
                }
                _ => format!("It ended: {status}."),
            }
        }
        "request_canceled" => "The request was canceled before anything was paid.".to_owned(),
        "request_terminated" => "The request was terminated before it began.".to_owned(),
        "request_expired" => "Its time was over with nothing paid and nothing open.".to_owned(),
        "stop_requested" => {
            let why = match told.text("why").as_str() {
                "cancel" => "It was canceled".to_owned(),
                "expiry" => "Its time is over".to_owned(),
                "rejected" => "A person rejected the rest".to_owned(),
                other => format!("It stops ({other})"),
            };
            format!("{why}: nothing more is sent, and what is under way is waited for.")
        }
        "payout_planned" => format!(
            "{}{} is to go out over {}; it is reserved and waits for its turn.",
            told.amount("amount"),
            told.part(),
            told.text("route"),
        ),
        "payout_canceled" => {
            format!("{}{} was never sent: its reservation is given back.", told.amount("amount"), told.part())
        }
        "payout_started" => format!(
            "Attempt {}{}: {} goes out over {}, under our reference {}.",
            told.text("attempt"),
            told.part(),
            told.amount("amount"),
            told.text("route"),
            told.text("provider_reference"),
        ),
        "payout_withheld" => {
            format!("It was not sent yet: {}. Nothing left, and it is tried again.", told.text("why"))
        }
        "payout_pending" => format!("The provider took it and hasn't finished ({}).", told.source()),
        "payout_unknown" => {
            format!(
                "Whether it was paid isn't known: {} ({}). The provider is asked again.",
                told.text("why"),
                told.source()
            )
        }
        "payout_id_differs" => format!(
            "The provider calls the payment {} now, and called it {} before ({}): {} is kept.",
            told.text("told"),
            told.text("known"),
            told.source(),
            told.text("kept"),
        ),
        "payout_to_be_resent" => {
            "The provider doesn't have it: it goes out again under the same reference, which is taken once.".to_owned()
        }
        "payout_resent" => format!("Sent again, for the {} time, under the same reference.", told.ordinal("sends")),
        "payout_processed" => {
            format!("The provider paid {} ({}).", told.amount("amount_processed"), told.source())
        }
        "payout_processed_late" => format!(
            "The provider paid {} after all, though this payout counted as failed ({}). A person has to look.",
            told.amount("amount_processed"),
            told.source(),
        ),
        "payout_failed" => {
            let why = told.resolution();
            match told.find("provider_message") {
                Some(message) => format!("The payout failed: {why}. The provider said: \u{201c}{message}\u{201d}."),
                None => format!("The payout failed: {why}."),
            }
        }
        "payout_recovered" => {
            format!("{} of the late success came back ({}).", told.amount("amount_returned"), told.source())
        }
        "payout_returned" => format!("{} came back ({}).", told.amount("amount_returned"), told.source()),
        "request_not_routed" => format!("It went no further: {}.", told.resolution()),
        "moderation_started" => format!("Stopped for a person to look: {}.", case(&told.text("why")).to_lowercase()),
        "moderation_ended" => {
            format!("What a person was to look at has come out by itself: {}.", case(&told.text("why")).to_lowercase())
        }
        "moderation_decided" => {
            let decided = told.text("decision");
            let decided = decided.parse().map_or(decided, |known| decision(known).to_lowercase());
            format!("A person decided: {decided}. Because: {}.", told.text("reason").trim_end_matches('.'))
        }
        "case_opened" => format!("A case was opened: {}.", case(&told.text("case")).to_lowercase()),
        "case_closed" => {
            format!("A case was closed ({}): {}.", told.closing(), case(&told.text("case")).to_lowercase())
        }
        other => other.replace('_', " "),
    }
}

struct Told<'a> {
    data: &'a Value,
    currency: AssetCode,
    assets: &'a Assets,
}

impl Told<'_> {
    fn find(&self, key: &str) -> Option<String> {
        match self.data.get(key)? {
            Value::String(text) => Some(outside(text)),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn text(&self, key: &str) -> String {
        self.find(key).unwrap_or_else(|| "?".to_owned())
    }

    fn amount(&self, key: &str) -> String {
        let amount = self.find(key).and_then(|text| Decimal::from_str_exact(&text).ok());
        amount.map_or_else(|| "an amount".to_owned(), |amount| Amount::of(amount, self.currency, self.assets).text())
    }

    fn is_true(&self, key: &str) -> bool {
        self.data.get(key).and_then(Value::as_bool) == Some(true)
    }

    /// What a list names.
    fn names(&self, key: &str) -> String {
        let names = self.data.get(key).and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(outside).collect::<Vec<_>>().join(", ")
    }

    /// How many a list has.
    fn count(&self, key: &str) -> usize {
        self.data.get(key).and_then(Value::as_array).map_or(0, Vec::len)
    }

    fn resolution(&self) -> String {
        let text = self.text("resolution");
        text.parse::<Resolution>().map_or(text, |known| resolution(known).to_owned())
    }

    /// Which part, where there is more than one: they are counted from 0, and people count from 1.
    fn part(&self) -> String {
        match self.data.get("part").and_then(Value::as_i64) {
            None | Some(..=0) => String::new(),
            Some(part) => format!(" of part {}", part.saturating_add(1)),
        }
    }

    fn ordinal(&self, key: &str) -> String {
        match self.text(key).as_str() {
            "2" => "second".to_owned(),
            "3" => "third".to_owned(),
            other => format!("{other}th"),
        }
    }

    /// How a case ended.
    fn closing(&self) -> String {
        match self.text("how").as_str() {
            "agrees" => "both sides agree by now".to_owned(),
            "returned" => "the money came back".to_owned(),
            "superseded" => "another difference took its place".to_owned(),
            "recovered" => "the money was recovered".to_owned(),
            "recovered_in_part" => "the money was recovered in part, the rest written off".to_owned(),
            "written_off" => "the money was written off".to_owned(),
            other => other.replace('_', " "),
        }
    }

    /// How it was learnt.
    fn source(&self) -> String {
        match self.text("source").as_str() {
            "send" => "its answer to the payout".to_owned(),
            "inquiry" => "its answer when asked".to_owned(),
            "callback" => "its callback".to_owned(),
            "reconciliation" => "its report".to_owned(),
            "reclaimed" => "found when its sender was gone".to_owned(),
            "staff" => "by a person's word, with the provider's proof".to_owned(),
            other => other.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::asset::{Asset, AssetKind};

    #[test]
    fn each_kind_that_the_gateway_writes_has_words() {
        let assets = Assets::new([Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 }]);
        for kind in crate::gateway::journal::KINDS {
            let told = event(kind, &json!({}), "EUR".parse().unwrap(), &assets);
            assert_ne!(told, kind.replace('_', " "));
            assert!(told.ends_with(['.', ')']), "{told}");
        }
    }

    #[test]
    fn a_split_and_an_end_are_told() {
        let eur = Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 };
        let tell = |kind, data: Value| event(kind, &data, eur.code, &Assets::new([eur])).replace('\u{a0}', " ");
        assert_eq!(
            tell("request_split", json!({"amount": "300", "of_part": null, "parts": [{}, {}, {}], "parallel": false})),
            "300.00 EUR was divided over 3 payouts, sent one after the other."
        );
        assert_eq!(
            tell("request_created", json!({"amount": "10", "missing": ["account", "<b>"]})),
            "The payout of 10.00 EUR was asked for; it waits for account, <b>."
        );
        assert_eq!(
            tell("stop_requested", json!({"why": "expiry"})),
            "Its time is over: nothing more is sent, and what is under way is waited for."
        );
        assert_eq!(
            tell("request_split", json!({"amount": "200", "of_part": 1, "parts": [{}, {}], "parallel": true})),
            "200.00 EUR of a part that no single route carries any more was divided over 2 payouts, sent side by side."
        );
        assert_eq!(
            tell(
                "request_ended",
                json!({"status": "failed", "resolution": "strategy_configured_routes_were_filtered"})
            ),
            "It ended: failed, since no route could carry it."
        );
        assert_eq!(
            tell("payout_planned", json!({"amount": "5", "part": 1, "route": "a"})),
            "5.00 EUR of part 2 is to go out over a; it is reserved and waits for its turn."
        );
    }

    #[test]
    fn events_are_told_and_never_with_a_card_number() {
        let eur = Asset { code: "EUR".parse().unwrap(), kind: AssetKind::Fiat, scale: 2 };
        let tell = |kind, data: Value| event(kind, &data, eur.code, &Assets::new([eur])).replace('\u{a0}', " ");
        assert_eq!(
            tell("payout_processed", json!({"amount_processed": "692.49", "source": "callback"})),
            "The provider paid 692.49 EUR (its callback)."
        );
        let failed = json!({"resolution": "card_restricted", "provider_message": "<b>4111 1111 1111 1111</b>"});
        assert_eq!(
            tell("payout_failed", failed),
            "The payout failed: the card is restricted by its bank. The provider said: \u{201c}<b>[card number]</b>\u{201d}."
        );
        assert!(tell("payout_unknown", json!({})).contains("isn't known: ?"));
        assert_eq!(tell("something_new", json!([])), "something new");
    }
}
