//! The adapters' requests, judged by the providers' own specifications: `tools/contract` starts a mock server that validates for each, and
//! names it in the environment. Without one there is nothing to judge; `PRISM_REQUIRED` makes that a failure.

#![allow(clippy::print_stderr, reason = "whoever runs `make contract` sees what was judged")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use landfall::config::providers::{ProvidersSettings, RemoteProviderSettings};
use landfall::providers::provider::{AccountContext, Inquiry, Provider};
use landfall::providers::transport::{TcpTransport, Transport, TransportError, WireRequest, WireResponse};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::contract::{Situation, Subject};
use crate::end_to_end;
use crate::props::question;

/// What the judge's own answers say of themselves; an example from a specification never does.
const VERDICT: &str = "stoplight.io/prism/errors#";

/// What is done to a request's body on its way, to see that the judge notices.
type Spoil = fn(&mut Value);

/// Carries requests to the judge, perhaps spoilt, and keeps what it found wrong.
struct Court {
    tcp: TcpTransport,
    spoil: Option<Spoil>,
    violations: Mutex<Vec<String>>,
    calls: Mutex<usize>,
}

impl Court {
    fn new(spoil: Option<Spoil>) -> Arc<Self> {
        let tcp = TcpTransport::new().unwrap();
        Arc::new(Self { tcp, spoil, violations: Mutex::default(), calls: Mutex::default() })
    }

    fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Court {
    async fn call(&self, mut request: WireRequest) -> Result<WireResponse, TransportError> {
        let what = format!("{} {}", request.method, request.path);
        if let (Some(spoil), false) = (self.spoil, request.body.is_empty()) {
            let mut body = serde_json::from_slice(&request.body).unwrap();
            spoil(&mut body);
            request.body = Zeroizing::new(body.to_string().into_bytes());
        }
        let answer = self.tcp.call(request).await;
        *self.calls.lock().unwrap() += 1;
        match &answer {
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body);
                // Of an example that the judge couldn't make up, the adapter isn't to blame.
                if text.contains(VERDICT) {
                    self.violations.lock().unwrap().push(format!("{what}: {} {text}", answer.status));
                }
            }
            Err(error) => self.violations.lock().unwrap().push(format!("{what}: {error}")),
        }
        answer
    }
}

/// An adapter before the judge.
pub struct Judged {
    /// `PRISM_` and this, in capitals, names its server.
    pub code: &'static str,
    pub settings: fn(&ProvidersSettings) -> RemoteProviderSettings,
    pub make: fn(&RemoteProviderSettings, Arc<dyn Transport>) -> Arc<dyn Provider>,
    /// Gives accounts and orders; its own provider isn't called.
    pub subject: Box<dyn Subject>,
    /// Account settings that make the adapter write something else, each an account of its own beside the subject's.
    pub variants: &'static [&'static [(&'static str, &'static str)]],
    /// What the provider calls a payment where an inquiry knows it; `None` asks by our reference.
    pub inquiries: &'static [Option<&'static str>],
    /// A field of the order that is misspelt, and one that is left out.
    pub misspell: Spoil,
    pub omit: Spoil,
}

/// Renames a member of an object.
pub fn rename(object: &mut Value, from: &str, to: &str) {
    let members = object.as_object_mut().unwrap();
    let value = members.remove(from).unwrap_or_else(|| panic!("there is no {from}"));
    members.insert(to.to_owned(), value);
}

fn base_url(code: &str) -> Option<String> {
    let name = format!("PRISM_{}", code.to_ascii_uppercase());
    let url = std::env::var(&name).ok();
    assert!(url.is_some() || std::env::var("PRISM_REQUIRED").is_err(), "{name} names no server");
    url
}

/// Orders with the holder's address that an account sends to the judge; one without goes before them, where the adapter sends such.
const ORDERS: usize = 3;

fn accounts(judged: &Judged) -> Vec<AccountContext> {
    let mut accounts = vec![judged.subject.account()];
    for variant in judged.variants {
        let mut account = judged.subject.account();
        account.settings.extend(variant.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        accounts.push(account);
    }
    accounts
}

async fn drive(judged: &Judged, url: &str, spoil: Option<Spoil>) -> (usize, Vec<String>) {
    let court = Court::new(spoil);
    let mut settings = (judged.settings)(&ProvidersSettings::shipped());
    settings.test_url = url.to_owned();
    settings.settling_time_ms = 0;
    let provider = (judged.make)(&settings, Arc::clone(&court) as Arc<dyn Transport>);
    for account in accounts(judged) {
        for n in 0..=ORDERS {
            let (order, mut to) = judged.subject.arrange(Situation::Paid).await;
            to.billing = (n > 0).then(end_to_end::home);
            provider.send(&account, &order, &to).await;
            for original_id in judged.inquiries {
                let inquiry = Inquiry { provider_original_id: original_id.map(str::to_owned), ..question(&order) };
                provider.inquire(&account, &inquiry).await;
            }
        }
    }
    let calls = *court.calls.lock().unwrap();
    (calls, court.violations())
}

/// What one adapter writes is what its provider's specification asks for; and a misspelt or missing field would have been noticed.
pub async fn judge(judged: Judged) {
    let Some(url) = base_url(judged.code) else { return };
    let (calls, violations) = drive(&judged, &url, None).await;
    assert!(violations.is_empty(), "{}: {violations:#?}", judged.code);
    let orders = accounts(&judged).len() * ORDERS;
    assert!(calls >= orders * 2, "{}: {calls} calls for {orders} orders", judged.code);
    eprintln!("contract: {}: {calls} requests, no violation", judged.code);

    for (what, spoil) in [("a misspelt field", judged.misspell), ("a missing field", judged.omit)] {
        let (_, violations) = drive(&judged, &url, Some(spoil)).await;
        assert!(violations.len() >= orders, "{}: {what} passes: {violations:#?}", judged.code);
        eprintln!("contract: {}: {what} is noticed each time", judged.code);
    }
}
