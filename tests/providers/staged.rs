//! The `http` adapter under the contract, over TCP to a stage: a simulated bank answers, and mishaps come between it and the adapter.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::TimeDelta;
use landfall::clock::{Clock, ManualClock};
use landfall::config::providers::ProvidersSettings;
use landfall::providers::http::HttpProvider;
use landfall::providers::provider::{AccountContext, Destination, PayoutOrder, Provider};
use landfall::simulator::api::{ApiRequest, Reply, handle};
use landfall::simulator::bank::{Bank, BankSettings};

use crate::contract::{Situation, Subject, Wire};
use crate::line::{account_at, house};
use crate::props;
use crate::sandbox::arranged;
use crate::stage::{Answer, Seen, Stage};

struct Play {
    bank: Bank,
    clock: ManualClock,
    /// References of payments that are told with a status which the API doesn't have.
    undocumented: BTreeSet<String>,
}

impl Play {
    fn answer(&mut self, seen: &Seen) -> Answer {
        let query = reqwest::Url::parse_with_params("http://simulator/", &seen.query).unwrap();
        let request = ApiRequest {
            method: seen.method.clone(),
            path: seen.path.clone(),
            query: query.query().unwrap_or_default().to_owned(),
            headers: seen.headers.clone(),
            body: seen.body.clone(),
        };
        match handle(&mut self.bank, &request, self.clock.now()) {
            Reply::Answer { status, headers, body, after, .. } => {
                let text = String::from_utf8(body).unwrap();
                let is_undocumented = self.undocumented.iter().any(|reference| text.contains(reference));
                let text = if is_undocumented {
                    text.replace(r#""status":"processed""#, r#""status":"settled""#)
                } else {
                    text
                };
                Answer { status, headers, body: text.into_bytes(), after }
            }
            Reply::Never | Reply::ResetBefore { .. } | Reply::ResetAfter { .. } | Reply::Refused => Answer::never(),
        }
    }
}

pub struct StagedSubject {
    stage: Stage,
    play: Arc<Mutex<Play>>,
    provider: Arc<dyn Provider>,
    account: AccountContext,
    clock: ManualClock,
}

impl StagedSubject {
    pub fn new() -> Self {
        let clock = ManualClock::at("2026-03-01T12:00:00Z".parse().unwrap());
        let bank = Bank::new(BankSettings { accounts: vec![house(true)], ..BankSettings::default() });
        let play = Play { bank, clock: clock.clone(), undocumented: BTreeSet::new() };
        let (stage, play) = props::played(play, Play::answer);
        let mut settings = ProvidersSettings::shipped().http;
        settings.send_timeout_ms = props::PATIENCE_MS;
        let provider = Arc::new(HttpProvider::with_transport(&settings, props::tcp()));
        let account = account_at(&stage.url);
        Self { stage, play, provider, account, clock }
    }
}

#[async_trait]
impl Subject for StagedSubject {
    fn provider(&self) -> Arc<dyn Provider> {
        Arc::clone(&self.provider)
    }

    fn account(&self) -> AccountContext {
        self.account.clone()
    }

    async fn arrange(&self, situation: Situation) -> (PayoutOrder, Destination) {
        let (order, to) = arranged(situation);
        if situation == Situation::Undocumented {
            self.play.lock().unwrap().undocumented.insert(order.reference.clone());
        }
        (order, to)
    }

    async fn let_time_pass(&self) {
        self.clock.advance(TimeDelta::seconds(2));
    }

    async fn paid_callback(&self, order: &PayoutOrder) -> Wire {
        let due = self.play.lock().unwrap().bank.due_callbacks(self.clock.now());
        let found = due.into_iter().find(|callback| callback.reference == order.reference);
        found.map(|callback| Wire { headers: callback.headers, body: callback.body }).expect("a callback is due")
    }

    fn stage(&self) -> Option<&Stage> {
        Some(&self.stage)
    }

    fn unreachable(&self) -> (Arc<dyn Provider>, AccountContext) {
        (self.provider(), account_at(&props::nowhere()))
    }

    fn times_paid(&self, order: &PayoutOrder) -> usize {
        let play = self.play.lock().unwrap();
        play.bank.payments().iter().filter(|payment| payment.reference == order.reference).count()
    }
}
