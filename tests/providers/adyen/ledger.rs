//! Adyen in small: it answers as the OpenAPI descriptions of the Transfers API version 4 have it, with a ledger by idempotency key.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{ACCOUNT, KEY};
use crate::contract::Situation;
use crate::stage::{Answer, Seen};

/// A transfer in the ledger, as `TransferData` has it.
pub struct Entry {
    pub situation: Situation,
    pub data: Value,
}

#[derive(Default)]
pub struct Ledger {
    pub situations: BTreeMap<String, Situation>,
    pub entries: Vec<Entry>,
    /// By idempotency key: a repeat gets the first one's answer.
    pub answers: BTreeMap<String, (u16, Value)>,
    /// How many transfers a page has at most.
    pub page_length: usize,
}

pub fn refusal(status: u16, page: &str, code: &str) -> (u16, Value) {
    let problem = json!({
        "type": format!("https://docs.adyen.com/errors/{page}"), "title": "Refused", "status": status,
        "detail": "What is wrong", "errorCode": code, "requestId": "1W1UI15PLVGC9V8O",
    });
    (status, problem)
}

/// `TransferData` of a transfer in `status`, by the published examples.
pub fn transfer_data(asked: &Value, id: &str, status: &str, reason: &str) -> Value {
    let value = asked["amount"]["value"].as_i64().unwrap();
    let currency = asked["amount"]["currency"].clone();
    let received = json!({
        "bookingDate": "2026-03-01T13:00:00+01:00", "id": "EVJN00000000000000000000000001",
        "mutations": [{"currency": currency, "received": -value}], "status": "received", "type": "accounting",
    });
    let mut events = vec![received];
    let (balance, received) = match status {
        "booked" => (-value, 0),
        "received" => (0, -value),
        _ => (0, 0),
    };
    if status == "booked" {
        events.push(json!({
            "bookingDate": "2026-03-01T13:00:01+01:00", "id": "EVJN00000000000000000000000003",
            "mutations": [{"balance": -value, "currency": currency, "received": value}],
            "status": "booked", "transactionId": "EVJN00000000000000000000000003EUR", "type": "accounting",
            "valueDate": "2026-03-01T13:00:01+01:00",
        }));
    }
    let number = asked["counterparty"]["card"]["cardIdentification"]["number"].as_str().unwrap();
    json!({
        "accountHolder": {"description": "Your description of the account holder", "id": "AH00000000000000000000001"},
        "amount": {"currency": currency, "value": value},
        "balanceAccount": {"description": "Your description of the balance account", "id": asked["balanceAccountId"]},
        "balancePlatform": "YOUR_BALANCE_PLATFORM",
        "balances": [{"balance": balance, "currency": currency, "received": received, "reserved": 0}],
        "category": "card",
        "counterparty": {"card": {
            "cardHolder": asked["counterparty"]["card"]["cardHolder"],
            "cardIdentification": {"expiryMonth": "12", "expiryYear": "2031",
                "number": format!("************{}", &number[number.len() - 4..])},
        }},
        "creationDate": "2026-03-01T13:00:00+01:00",
        "direction": "outgoing",
        "events": events,
        "id": id,
        "reason": reason,
        "reference": asked["reference"],
        "sequenceNumber": events_told(status),
        "status": status,
        "transactionRulesResult": {"allHardBlockRulesPassed": true},
        "type": "cardTransfer",
    })
}

/// How many webhooks were sent when a transfer got to `status`: received, authorised, booked.
pub fn events_told(status: &str) -> i64 {
    match status {
        "received" => 1,
        "booked" => 3,
        _ => 2,
    }
}

/// `Transfer`, the answer to a request: without what only `TransferData` has.
pub fn transfer(data: &Value) -> Value {
    let mut transfer = data.clone();
    for member in ["balancePlatform", "balances", "events", "sequenceNumber", "transactionRulesResult"] {
        transfer.as_object_mut().unwrap().remove(member);
    }
    transfer
}

impl Ledger {
    pub fn answer(&mut self, seen: &Seen) -> Answer {
        let (status, body) = if seen.header("X-API-Key") == Some(KEY) {
            match (seen.method.as_str(), seen.path.as_str()) {
                ("POST", "/btl/v4/transfers") => self.pay(seen),
                ("GET", "/btl/v4/transfers") => self.list(seen),
                ("GET", path) => Self::balance_account(path),
                _ => refusal(404, "not-found", "00_404"),
            }
        } else {
            let message = "HTTP Status Response - Unauthorized";
            (401, json!({"status": 401, "errorCode": "000", "message": message, "errorType": "security"}))
        };
        Answer::json(status, &body)
    }

    pub fn pay(&mut self, seen: &Seen) -> (u16, Value) {
        let key = seen.header("Idempotency-Key").expect("a key").to_owned();
        if let Some(first) = self.answers.get(&key) {
            return first.clone();
        }
        let asked = seen.json();
        let reference = asked["reference"].as_str().unwrap().to_owned();
        assert_eq!(key, reference);
        let situation = self.situations.get(&reference).copied().unwrap_or(Situation::Paid);
        let (status, reason) = match situation {
            Situation::Paid | Situation::AmbiguousThenPaid => ("booked", "approved"),
            Situation::PendingThenPaid => ("received", "pending"),
            Situation::DeclinedForCard => ("refused", "invalidCard"),
            Situation::DeclinedForRoute => ("refused", "notEnoughBalance"),
            Situation::Undocumented => ("declinedByTheMoon", "fullMoon"),
            Situation::AmbiguousThenNotFound => return refusal(500, "general/internal-server-error", "00_500"),
        };
        let id = format!("6JKRLZ8LOT{:06}", self.entries.len());
        let data = transfer_data(&asked, &id, status, reason);
        let answer = match situation {
            Situation::AmbiguousThenPaid => refusal(500, "general/internal-server-error", "00_500"),
            _ => (202, transfer(&data)),
        };
        self.entries.push(Entry { situation, data });
        self.answers.insert(key, answer.clone());
        answer
    }

    pub fn list(&self, seen: &Seen) -> (u16, Value) {
        let (Some(account), Some(since), Some(until)) =
            (seen.asked("balanceAccountId"), seen.asked("createdSince"), seen.asked("createdUntil"))
        else {
            return refusal(422, "validation", "30_000");
        };
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert!(time(since) < time(until) && (time(until) - time(since)).num_days() < 180, "at most six months");
        let is_asked = |data: &Value| {
            data["balanceAccount"]["id"] == account
                && seen.asked("reference").is_none_or(|reference| data["reference"] == reference)
                && seen.asked("category").is_none_or(|category| data["category"] == category)
        };
        let from: usize =
            seen.asked("cursor").map_or(0, |cursor| cursor.strip_prefix("S2B-").unwrap().parse().unwrap());
        let all: Vec<_> = self.entries.iter().map(|entry| &entry.data).filter(|data| is_asked(data)).collect();
        let to = (from + self.page_length).min(all.len());
        let mut page = json!({"data": all[from..to]});
        if to < all.len() {
            let href = format!("https://balanceplatform-api-test.adyen.com/btl/v4/transfers?limit=2&cursor=S2B-{to}");
            page["_links"] = json!({"next": {"href": href}});
        }
        (200, page)
    }

    pub fn balance_account(path: &str) -> (u16, Value) {
        let account = |id: &str, status: &str| {
            let balances =
                json!([{"available": 30_751, "balance": 30_751, "currency": "EUR", "pending": 0, "reserved": 0}]);
            json!({"accountHolderId": "AH00000000000000000000001", "defaultCurrencyCode": "EUR", "balances": balances,
                "id": id, "status": status})
        };
        match path.strip_prefix("/bcl/v2/balanceAccounts/") {
            Some(ACCOUNT) => (200, account(ACCOUNT, "active")),
            Some("BACLOSED") => (200, account("BACLOSED", "closed")),
            _ => refusal(404, "not-found", "30_112"),
        }
    }
}
