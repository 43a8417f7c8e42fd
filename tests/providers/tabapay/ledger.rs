//! TabaPay in small: it answers in the shapes of its specification and keeps a ledger by reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{CLIENT, TOKEN};
use crate::contract::Situation;
use crate::stage::{Answer, Seen};

/// TabaPay in small.
#[derive(Default)]
pub struct Taba {
    /// What each reference shall meet; those that aren't arranged are paid.
    pub arranged: BTreeMap<String, Situation>,
    /// What was taken, by reference in lower case, since references have no case.
    pub ledger: BTreeMap<String, Transaction>,
    /// What every call is answered with instead.
    pub scripted: Option<(u16, Value)>,
}

#[derive(Clone)]
pub struct Transaction {
    pub id: String,
    pub reference: String,
    pub amount: String,
    pub status: &'static str,
    pub network_rc: Option<&'static str>,
    pub times_paid: usize,
}

pub fn said(sc: u16, body: &Value) -> Answer {
    let mut body = body.clone();
    body["SC"] = sc.into();
    Answer::json(sc, &body)
}

pub fn refused(sc: u16, em: &str) -> Answer {
    said(sc, &json!({"EC": "3C5E1312", "EM": em}))
}

impl Taba {
    pub fn answer(&mut self, seen: &Seen) -> Answer {
        if let Some((status, body)) = &self.scripted {
            return Answer::json(*status, body);
        }
        if seen.header("authorization") != Some(format!("Bearer {TOKEN}").as_str()) {
            return refused(401, "Unauthorized");
        }
        let Some(resource) = seen.path.strip_prefix(&format!("/v1/clients/{CLIENT}")) else {
            return refused(404, "Not Found");
        };
        match (seen.method.as_str(), resource) {
            ("GET", "") => {
                said(200, &json!({"EC": "0", "label": "ClientLabel", "networks": {"pull": [], "push": ["Visa"]}}))
            }
            ("POST", "/transactions") => self.create(seen),
            ("GET", "/transactions") => {
                let reference = seen.asked("referenceID").unwrap_or_default().to_lowercase();
                self.retrieve(self.ledger.get(&reference))
            }
            ("GET", resource) => {
                let id = resource.trim_start_matches("/transactions/");
                self.retrieve(self.ledger.values().find(|transaction| transaction.id == id))
            }
            _ => refused(405, "Method Not Allowed"),
        }
    }

    pub fn create(&mut self, seen: &Seen) -> Answer {
        let order = seen.json();
        let (Some(reference), Some(amount)) = (order["referenceID"].as_str(), order["amount"].as_str()) else {
            return refused(400, "referenceID");
        };
        let key = reference.to_lowercase();
        if self.ledger.contains_key(&key) {
            return refused(409, "referenceID");
        }
        let situation = self.arranged.get(reference).copied().unwrap_or(Situation::Paid);
        let (status, network_rc) = match situation {
            Situation::Paid | Situation::AmbiguousThenPaid => ("COMPLETED", Some("00")),
            Situation::PendingThenPaid => ("PENDING", None),
            Situation::DeclinedForCard => ("ERROR", Some("14")),
            Situation::DeclinedForRoute => ("ERROR", Some("05")),
            Situation::AmbiguousThenNotFound => {
                return said(207, &json!({"EC": "InternalErrorCode", "status": "UNKNOWN", "transactionID": ""}));
            }
            Situation::Undocumented => ("ERROR", Some("QQ")),
        };
        let id = format!("{:0>22}", self.ledger.len());
        let times_paid = usize::from(status == "COMPLETED");
        let (reference, amount) = (reference.to_owned(), amount.to_owned());
        let transaction = Transaction { id: id.clone(), reference, amount, status, network_rc, times_paid };
        self.ledger.insert(key, transaction);
        match situation {
            Situation::AmbiguousThenPaid => {
                said(207, &json!({"EC": "InternalErrorCode", "status": "UNKNOWN", "transactionID": id}))
            }
            Situation::PendingThenPaid => {
                said(201, &json!({"EC": "0", "transactionID": id, "network": "CreditCards", "status": "Pending"}))
            }
            _ => said(
                200,
                &json!({"EC": "0", "transactionID": id, "network": "Visa", "networkID": "123454646545645",
                    "networkRC": network_rc, "status": status, "approvalCode": "000000"}),
            ),
        }
    }

    pub fn retrieve(&self, found: Option<&Transaction>) -> Answer {
        let Some(found) = found else { return refused(404, "referenceID") };
        let mut body = json!({
            "EC": "0", "referenceID": found.reference, "network": "Visa", "status": found.status, "approvalCode": "000000",
            "amount": found.amount, "fees": {"interchange": "0.50", "network": "0.50", "tabapay": "0.25"},
        });
        if let Some(code) = found.network_rc {
            body["networkRC"] = code.into();
        }
        said(200, &body)
    }

    pub fn settle(&mut self) {
        for transaction in self.ledger.values_mut().filter(|transaction| transaction.status == "PENDING") {
            (transaction.status, transaction.network_rc, transaction.times_paid) = ("COMPLETED", Some("00"), 1);
        }
    }
}
