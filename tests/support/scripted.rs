//! A provider that answers by a script, with a ledger of its own of what it paid. Its accounts' setting `lane` says which script.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use landfall::domain::asset::AssetCode;
use landfall::domain::payout::Resolution;
use landfall::providers::provider::{
    AccountContext, CallbackError, Capabilities, Destination, Inquiry, Outcome, PayoutOrder, Provider, ProviderError,
    ProviderIds, ReportPage, ReportRow, ReportedOutcome, ReportedStatus, ResendSafety,
};
use rust_decimal::Decimal;

/// What a lane's provider does with a send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Says {
    Pays,
    /// Pays, and takes 75 ms for it.
    PaysSlowly,
    /// Less than was asked.
    PaysOnly(Decimal),
    DeclinesRoute,
    DeclinesCard,
    /// Our balance there doesn't suffice.
    LacksFunds,
    /// Not one byte left.
    NotSent,
    /// Takes it and pays, and no answer comes.
    PaysSilently,
    /// Takes it and pays, and its answer tells nothing but what it calls the payment: it is found by that name alone.
    PaysAndNamesIt,
    /// Takes it, pays, and tells so when it is asked.
    PaysLater,
    /// Takes it, and declines for the route when it is asked.
    DeclinesLater,
    /// Says that it declines, and pays.
    LiesAndPays,
    /// Never gets it, and nobody can tell.
    Loses,
    /// Takes it, says nothing, and has no answer when it is asked, until it is told to pay.
    NeverTells,
    /// The same, and says that it is working on it.
    StaysPending,
    /// Says nothing until it is let go, and has paid nothing then.
    Hangs,
}

#[derive(Default)]
struct Script {
    next: HashMap<String, VecDeque<Says>>,
    always: HashMap<String, Says>,
    /// By reference: the lane and the amount.
    paid: BTreeMap<String, (String, Decimal)>,
    declined: BTreeSet<String>,
    /// By reference: the lane, the amount, and what it says of it.
    untold: BTreeMap<String, (String, Decimal, Outcome)>,
    /// What is found by its own id only.
    named: BTreeSet<String>,
    /// Every question so far.
    asked: Vec<Inquiry>,
    sends: HashMap<String, usize>,
    /// What each order had for the card's statement, in the order in which they came.
    descriptors: Vec<Option<String>>,
    /// Reports, where somebody wrote down when things were taken.
    book: Vec<(String, ReportRow)>,
    now: Option<DateTime<Utc>>,
    /// How many more pages it gives before it breaks off.
    pages_left: Option<usize>,
    /// Whether it never answers.
    hangs: bool,
}

pub struct Scripted {
    capabilities: Capabilities,
    script: Mutex<Script>,
    let_go: tokio::sync::Semaphore,
}

impl Scripted {
    pub fn new() -> Arc<Self> {
        Self::that(|_| {})
    }

    pub fn that(change: impl FnOnce(&mut Capabilities)) -> Arc<Self> {
        let mut capabilities = Capabilities {
            resend: ResendSafety::Never,
            reference_length_max: 36,
            reference_alphabet: "abcdefghijklmnopqrstuvwxyz0123456789_-",
            settling_time: Duration::from_secs(1),
            not_found_confirmations: 2,
            send_timeout: Duration::from_secs(2),
            currencies: ["USD", "EUR"].map(|code| code.parse().unwrap()).to_vec(),
            card_schemes: Vec::new(),
            fast_funds: true,
            has_balance: false,
            posting_lag: Duration::ZERO,
            has_callbacks: false,
        };
        change(&mut capabilities);
        Arc::new(Self { capabilities, script: Mutex::default(), let_go: tokio::sync::Semaphore::new(0) })
    }

    /// What the sends so far had for the card's statement.
    #[allow(dead_code, reason = "not all test binaries ask")]
    pub fn descriptors(&self) -> Vec<Option<String>> {
        self.script.lock().unwrap().descriptors.clone()
    }

    /// What a lane does from now on, once each, before what it always does.
    pub fn next(&self, lane: &str, says: &[Says]) {
        self.script.lock().unwrap().next.entry(lane.to_owned()).or_default().extend(says);
    }

    pub fn always(&self, lane: &str, says: Says) {
        self.script.lock().unwrap().always.insert(lane.to_owned(), says);
    }

    /// What a lane paid out, by its own ledger.
    pub fn paid_by(&self, lane: &str) -> Decimal {
        let script = self.script.lock().unwrap();
        script.paid.values().filter(|(of, _)| of == lane).map(|(_, amount)| *amount).sum()
    }

    pub fn paid(&self) -> Decimal {
        self.script.lock().unwrap().paid.values().map(|(_, amount)| *amount).sum()
    }

    /// What it paid under one of our references.
    pub fn paid_for(&self, reference: &str) -> Option<Decimal> {
        self.script.lock().unwrap().paid.get(reference).map(|(_, amount)| *amount)
    }

    /// What it takes from now on, it takes at this time by its own clock, and has it in its report.
    pub fn clock(&self, now: DateTime<Utc>) {
        self.script.lock().unwrap().now = Some(now);
    }

    /// Puts a line into a lane's report.
    pub fn reports(&self, lane: &str, row: ReportRow) {
        self.script.lock().unwrap().book.push((lane.to_owned(), row));
    }

    /// Changes the lines of a reference.
    pub fn restates(&self, reference: &str, change: impl Fn(&mut ReportRow)) {
        let mut script = self.script.lock().unwrap();
        script.book.iter_mut().filter(|(_, row)| row.reference == reference).for_each(|(_, row)| change(row));
    }

    /// Drops the lines of a reference.
    pub fn forgets(&self, reference: &str) {
        self.script.lock().unwrap().book.retain(|(_, row)| row.reference != reference);
    }

    pub fn breaks_off_after(&self, pages: Option<usize>) {
        self.script.lock().unwrap().pages_left = pages;
    }

    pub fn hangs(&self, hangs: bool) {
        self.script.lock().unwrap().hangs = hangs;
    }

    /// Whatever hangs in a send, now and later, comes to its end.
    #[allow(dead_code, reason = "other test binaries make copies of it")]
    pub fn let_go(&self) {
        self.let_go.close();
    }

    /// What comes of a send, by the lane's script.
    fn answer(&self, lane: String, order: &PayoutOrder) -> Outcome {
        let mut script = self.script.lock().unwrap();
        script.descriptors.push(order.statement_descriptor.clone());
        let may_repeat = matches!(self.capabilities.resend, ResendSafety::SameReferenceWithin(_));
        if may_repeat && let Some((_, amount)) = script.paid.get(&order.reference) {
            return processed(*amount);
        }
        *script.sends.entry(lane.clone()).or_default() += 1;
        let scripted = script.next.get_mut(&lane).and_then(VecDeque::pop_front);
        let says = scripted.or(script.always.get(&lane).copied()).unwrap_or(Says::Pays);
        if let Some(now) = script.now {
            let (status, paid) = match says {
                Says::NotSent | Says::Loses | Says::Hangs | Says::NeverTells | Says::StaysPending => {
                    (None, Decimal::ZERO)
                }
                Says::DeclinesRoute | Says::DeclinesCard | Says::LacksFunds | Says::DeclinesLater => {
                    (Some(ReportedStatus::Declined), Decimal::ZERO)
                }
                Says::PaysOnly(amount) => (Some(ReportedStatus::Processed), amount),
                Says::Pays
                | Says::PaysSlowly
                | Says::PaysSilently
                | Says::PaysAndNamesIt
                | Says::PaysLater
                | Says::LiesAndPays => (Some(ReportedStatus::Processed), order.amount),
            };
            let row = status.map(|status| ReportRow {
                reference: order.reference.clone(),
                original_id: ids_of(&order.reference).original_id,
                status,
                amount_processed: paid,
                amount_returned: Decimal::ZERO,
                currency: order.currency,
                taken_at: now,
            });
            script.book.extend(row.map(|row| (lane.clone(), row)));
        }
        let amount = match says {
            Says::DeclinesRoute => return declined(Resolution::DeclinedError),
            Says::DeclinesCard => return declined(Resolution::CardRestricted),
            Says::LacksFunds => return declined(Resolution::InsufficientFunds),
            Says::NotSent => return Outcome::not_sent("connection refused"),
            Says::Loses | Says::Hangs => return Outcome::unknown("no answer"),
            Says::NeverTells | Says::StaysPending => {
                let says = match says {
                    Says::StaysPending => Outcome::Pending { ids: ProviderIds::default() },
                    _ => Outcome::unknown("we are looking into it"),
                };
                script.untold.insert(order.reference.clone(), (lane, order.amount, says.clone()));
                return says;
            }
            Says::DeclinesLater => {
                script.declined.insert(order.reference.clone());
                return Outcome::Pending { ids: ProviderIds::default() };
            }
            Says::PaysOnly(amount) => amount,
            Says::PaysAndNamesIt => {
                script.named.insert(order.reference.clone());
                order.amount
            }
            Says::Pays | Says::PaysSlowly | Says::PaysSilently | Says::PaysLater | Says::LiesAndPays => order.amount,
        };
        let twice = script.paid.insert(order.reference.clone(), (lane, amount));
        assert!(twice.is_none(), "{} was sent twice", order.reference);
        match says {
            Says::PaysSilently => Outcome::unknown("no answer"),
            Says::PaysAndNamesIt => {
                Outcome::unknown("taken, and its fate isn't told").naming(&ids_of(&order.reference))
            }
            Says::PaysLater => Outcome::Pending { ids: ProviderIds::default() },
            Says::LiesAndPays => declined(Resolution::DeclinedError),
            _ => processed(amount),
        }
    }

    /// Pays what it hadn't told of.
    #[allow(dead_code, reason = "other test binaries make copies of it")]
    pub fn pays_untold(&self) {
        let mut script = self.script.lock().unwrap();
        for (reference, (lane, amount, _)) in std::mem::take(&mut script.untold) {
            script.paid.insert(reference, (lane, amount));
        }
    }

    /// The questions that it was asked, in their order.
    #[allow(dead_code, reason = "other test binaries make copies of it")]
    pub fn asked(&self) -> Vec<Inquiry> {
        self.script.lock().unwrap().asked.clone()
    }

    pub fn sends_to(&self, lane: &str) -> usize {
        self.script.lock().unwrap().sends.get(lane).copied().unwrap_or(0)
    }
}

/// What it calls the payment of a reference.
pub fn ids_of(reference: &str) -> ProviderIds {
    ProviderIds { original_id: Some(format!("id-{reference}")), ..ProviderIds::default() }
}

fn processed(amount: Decimal) -> Outcome {
    Outcome::Processed { amount, ids: ProviderIds::default() }
}

fn declined(resolution: Resolution) -> Outcome {
    Outcome::Declined { resolution, code: resolution.to_string(), message: "scripted".to_owned() }
}

#[async_trait]
impl Provider for Scripted {
    fn code(&self) -> &'static str {
        "scripted"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn send(&self, account: &AccountContext, order: &PayoutOrder, _: &Destination) -> Outcome {
        let lane = account.settings["lane"].clone();
        let outcome = self.answer(lane.clone(), order);
        let always = self.script.lock().unwrap().always.get(&lane).copied();
        match always {
            Some(Says::Hangs) => drop(self.let_go.acquire().await),
            Some(Says::PaysSlowly) => tokio::time::sleep(Duration::from_millis(75)).await,
            _ => {}
        }
        outcome
    }

    async fn inquire(&self, _: &AccountContext, inquiry: &Inquiry) -> Outcome {
        let mut script = self.script.lock().unwrap();
        script.asked.push(inquiry.clone());
        if script.declined.contains(&inquiry.reference) {
            return declined(Resolution::DeclinedError);
        }
        if let Some((.., says)) = script.untold.get(&inquiry.reference) {
            return says.clone();
        }
        if script.named.contains(&inquiry.reference)
            && inquiry.provider_original_id != ids_of(&inquiry.reference).original_id
        {
            return Outcome::NotFound;
        }
        script.paid.get(&inquiry.reference).map_or(Outcome::NotFound, |(_, amount)| processed(*amount))
    }

    fn parse_callback(
        &self,
        _: &AccountContext,
        _: &[(String, String)],
        _: &[u8],
    ) -> Result<Vec<ReportedOutcome>, CallbackError> {
        Err(CallbackError::NotSupported)
    }

    /// Where the account's settings say what was there at first.
    fn has_balance(&self, account: &AccountContext, _: AssetCode) -> bool {
        account.settings.contains_key("balance")
    }

    async fn balance(&self, account: &AccountContext, _: AssetCode) -> Result<Decimal, ProviderError> {
        let at_first = account.settings.get("balance").ok_or(ProviderError::NotSupported)?;
        Ok(at_first.parse::<Decimal>().unwrap() - self.paid_by(&account.settings["lane"]))
    }

    fn has_report(&self) -> bool {
        self.script.lock().unwrap().now.is_some()
    }

    /// Two lines a page.
    async fn report(
        &self,
        account: &AccountContext,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        cursor: Option<&str>,
    ) -> Result<ReportPage, ProviderError> {
        let page = {
            let mut script = self.script.lock().unwrap();
            match script.pages_left.as_mut() {
                Some(0) => return Err(ProviderError::Unavailable("connection reset".to_owned())),
                Some(left) => *left -= 1,
                None => {}
            }
            let lane = &account.settings["lane"];
            let in_range = |row: &ReportRow| row.taken_at >= from && row.taken_at < until;
            let rows: Vec<_> = script
                .book
                .iter()
                .filter(|(of, row)| of == lane && in_range(row))
                .map(|(_, row)| row.clone())
                .collect();
            let start: usize = cursor.map_or(0, |cursor| cursor.parse().unwrap());
            let next = (start + 2 < rows.len()).then(|| (start + 2).to_string());
            let page = ReportPage { rows: rows.into_iter().skip(start).take(2).collect(), next };
            if script.hangs { None } else { Some(page) }
        };
        match page {
            Some(page) => Ok(page),
            None => std::future::pending().await,
        }
    }

    async fn check_credentials(&self, _: &AccountContext) -> Result<(), ProviderError> {
        Ok(())
    }
}
