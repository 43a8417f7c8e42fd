//! The simulator's bank: accounts, the ledger of what they paid, and what it will tell of it. Pure: whoever drives it says what
//! time it is and does the waiting and the sending. Nothing is ever removed from the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::callback::{self, DueCallback};
use super::faults::{BALANCE_OUT, Call, Fault, FaultGroup, Faults, OUTAGE, Scripted};
use super::payment::{Change, Payment, Telling, Timings};
use crate::domain::asset::AssetCode;
use crate::domain::card::Pan;
use crate::domain::payout::Resolution;
use crate::providers::provider::{ReportPage, ReportedStatus};
use crate::providers::test::behaviour::{Answer, Behaviour, Callbacks};
use crate::providers::test::book::{after, rrn_of};
use crate::providers::test::table::{CURRENCIES, MINOR_UNIT_SCALE};
use crate::providers::test::{draw, letters};

/// An account at the bank.
#[derive(Clone, Debug)]
pub struct BankAccount {
    /// Its name: what callbacks and `GET /v1/account` say.
    pub name: String,
    /// Who presents it, is the account's owner.
    pub api_key: SecretString,
    /// Callbacks are signed with it.
    pub callback_secret: SecretString,
    /// Where callbacks go, unless an order says otherwise.
    pub callback_url: Option<String>,
    /// Whether a reference that was sent already gets the first one's fate; otherwise it is paid again.
    pub knows_repeats: bool,
    /// What it holds at first. A currency that isn't named never runs out and has no balance.
    pub balances: BTreeMap<AssetCode, Decimal>,
}

#[derive(Clone, Debug, Default)]
pub struct BankSettings {
    pub seed: u64,
    pub timings: Timings,
    pub accounts: Vec<BankAccount>,
    pub faults: Faults,
    /// Whether [`Bank::take_records`] is going to be called: off, nothing is kept for it.
    pub keeps_records: bool,
}

/// An order to pay. `Debug` shows no card number and no field's value.
#[derive(Clone)]
pub struct Order {
    pub reference: String,
    /// In units of `currency`.
    pub amount: Decimal,
    pub currency: AssetCode,
    pub pan: Option<Pan>,
    pub fields: BTreeMap<String, String>,
    pub callback_url: Option<String>,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("reference", &self.reference)
            .field("amount", &self.amount)
            .field("currency", &self.currency)
            .field("pan", &self.pan)
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// A definite refusal, as the published API says it: the call took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: &'static str,
}

impl Refusal {
    pub const UNAUTHORIZED: Refusal =
        Refusal { status: 401, code: "unauthorized", message: "no account has this API key" };
    pub const RATE_LIMITED: Refusal =
        Refusal { status: 429, code: "rate_limited", message: "too many calls: nothing was taken" };
    pub const NOT_TAKEN: Refusal =
        Refusal { status: 503, code: "not_taken", message: "not available: nothing was taken" };
}

/// How a call ends for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With what the ledger says.
    Answered,
    Refused(Refusal),
    /// With a 5xx that says nothing.
    Error,
    /// Reset before it was looked at.
    ResetBefore,
    /// Reset after it took effect.
    ResetAfter,
    /// Never.
    NoAnswer,
    /// There was no connection.
    NotConnected,
}

/// What came of an order to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub ending: Ending,
    /// What the ledger has for it now; `None`: nothing was taken.
    pub payment: Option<Payment>,
    /// Whether this call took it; `false` with a payment: a repeat of one that was taken before.
    pub taken: bool,
    /// How long the caller waits for the ending.
    pub after: Duration,
    /// Whether what [`Bank::due_callbacks`] gives now is to be delivered before the answer.
    pub callbacks_first: bool,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked<T> {
    pub ending: Ending,
    /// What is answered, if [`Ending::Answered`].
    pub answer: T,
    pub after: Duration,
}

/// What has to be written down before a call is answered, so that [`Bank::replay`] finds it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "record")]
pub enum Record {
    /// A payment with everything that is planned for it.
    Taken { payment: Box<Payment> },
    /// A change that wasn't planned, and takes the place of what was planned after it.
    Changed { number: u64, change: Change },
    /// A callback that arrived or was given up.
    Told { number: u64, telling: usize },
}

/// What an account paid in a currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Payments that sent money out.
    pub payments: u64,
    pub processed: Decimal,
    pub returned: Decimal,
}

/// The ledger summed up at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// By account and currency.
    pub accounts: BTreeMap<(String, AssetCode), Total>,
    /// Every payment that was taken, by reference, oldest first, however it stands.
    pub references: BTreeMap<String, Vec<Payment>>,
}

/// The ledger with its accounts. See the module's head.
#[derive(Debug)]
pub struct Bank {
    seed: u64,
    pub timings: Timings,
    /// What goes wrong from now on. May be changed at any time.
    pub faults: Faults,
    accounts: BTreeMap<String, BankAccount>,
    /// In the order of their numbers, which start at 1.
    payments: Vec<Payment>,
    /// By account and reference.
    by_reference: HashMap<(String, String), Vec<usize>>,
    calls: HashMap<(Call, String), u32>,
    /// Payment and telling, by time and then in the order in which they were planned.
    deliveries: BTreeMap<(DateTime<Utc>, u64), (usize, usize)>,
    deliveries_planned: u64,
    injected: BTreeMap<&'static str, u64>,
    keeps_records: bool,
    records: Vec<Record>,
}

impl Bank {
    pub fn new(settings: BankSettings) -> Self {
        Self {
            seed: settings.seed,
            timings: settings.timings,
            faults: settings.faults,
            accounts: settings.accounts.into_iter().map(|account| (account.name.clone(), account)).collect(),
            payments: Vec::new(),
            by_reference: HashMap::new(),
            calls: HashMap::new(),
            deliveries: BTreeMap::new(),
            deliveries_planned: 0,
            injected: BTreeMap::new(),
            keeps_records: settings.keeps_records,
            records: Vec::new(),
        }
    }

    /// The bank as it was when `records` had been written: payments, changes, and the callbacks that are still to come. Counts of
    /// calls and of faults start anew.
    pub fn replay(settings: BankSettings, records: impl IntoIterator<Item = Record>) -> Self {
        let mut bank = Self::new(settings);
        let mut told = HashSet::new();
        for record in records {
            match record {
                Record::Taken { payment } => bank.enter(*payment),
                Record::Changed { number, change } => bank.change(number, change),
                Record::Told { number, telling } => {
                    told.insert((number, telling));
                }
            }
        }
        bank.deliveries.retain(|_, (payment, telling)| {
            let number = bank.payments.get(*payment).map_or(0, |payment| payment.number);
            !told.contains(&(number, *telling))
        });
        bank
    }

    /// Adds an account; one of the same name is replaced, with its payments kept.
    pub fn open_account(&mut self, account: BankAccount) {
        self.accounts.insert(account.name.clone(), account);
    }

    pub fn accounts(&self) -> impl Iterator<Item = &BankAccount> {
        self.accounts.values()
    }

    pub fn account(&self, name: &str) -> Option<&BankAccount> {
        self.accounts.get(name)
    }

    /// Has `scripted` strike before anything that was scripted later, or is drawn.
    pub fn script(&mut self, scripted: Scripted) {
        self.faults.script.push_back(scripted);
    }

    /// How often each fault struck with an effect. Faults that struck nothing aren't counted.
    pub fn injected(&self) -> BTreeMap<&'static str, u64> {
        self.injected.clone()
    }

    /// Every payment, oldest first.
    pub fn payments(&self) -> &[Payment] {
        &self.payments
    }

    /// What is to be written down before the call that led to it is answered.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// Takes an order, unless something keeps it from arriving; a repeat is paid again where the account doesn't know repeats.
    pub fn pay(&mut self, account: &str, order: &Order, now: DateTime<Utc>) -> Verdict {
        let key = format!("{account}/{}", order.reference);
        let number = self.count_call(Call::Pay, &key);
        let mut after = self.latency(Call::Pay, &key, &order.reference, number);
        let ends = |ending, after| Verdict { ending, payment: None, taken: false, after, callbacks_first: false };
        if self.is_out(now) {
            return ends(Ending::NotConnected, Duration::ZERO);
        }
        if !self.accounts.contains_key(account) {
            return ends(Ending::Refused(Refusal::UNAUTHORIZED), after);
        }
        let struck = self.strike(FaultGroup::Call, Call::Pay, &key, &order.reference, number);
        if let Some(ending) = struck.and_then(without_effect) {
            return ends(ending, after);
        }
        let by_fault = struck.and_then(with_effect);
        if let Some(first) = self.known_repeat(account, &order.reference, now) {
            let ending = by_fault.unwrap_or(Ending::Answered);
            return Verdict { ending, payment: Some(first), taken: false, after, callbacks_first: false };
        }
        let behaviour = behaviour_of(order);
        match behaviour.answer() {
            Answer::Refused => return ends(Ending::Refused(Refusal::NOT_TAKEN), after),
            Answer::After(slow) => after = after.saturating_add(slow),
            Answer::AtOnce | Answer::AfterCallback | Answer::TimesOut | Answer::InternalError => {}
        }
        if !behaviour.is_taken() {
            return ends(Ending::NoAnswer, after);
        }
        let fate = self.faults.strike(self.seed, FaultGroup::Fate, Call::Pay, &key, &order.reference, number);
        let told = self.faults.strike(self.seed, FaultGroup::Callbacks, Call::Pay, &key, &order.reference, number);
        let (payment, callbacks_first) = self.take(account, order, behaviour, fate, told, now);
        let ending = by_fault.unwrap_or(match behaviour.answer() {
            Answer::TimesOut => Ending::NoAnswer,
            Answer::InternalError => Ending::Error,
            Answer::AtOnce | Answer::After(_) | Answer::AfterCallback | Answer::Refused => Ending::Answered,
        });
        Verdict { ending, payment: Some(payment), taken: true, after, callbacks_first }
    }

    /// What look-ups find under a reference: nothing that is hidden still. Meets the faults of asking.
    pub fn find(&mut self, account: &str, reference: &str, now: DateTime<Utc>) -> Asked<Vec<Payment>> {
        let (ending, after) = self.ask(account, reference, now);
        let found = self.under(account, reference).filter(|payment| payment.is_visible(now)).cloned().collect();
        Asked { ending, answer: found, after }
    }

    /// What the account holds; `None`: the currency never runs out, and has no balance. Meets the faults of asking.
    pub fn balance(&mut self, account: &str, currency: AssetCode, now: DateTime<Utc>) -> Asked<Option<Decimal>> {
        let (ending, after) = self.ask(account, "balance", now);
        Asked { ending, answer: self.left(account, currency, now), after }
    }

    /// The next `limit` payments that the account took from `from` until just before `until`, as they stand at `now`, oldest
    /// first. Meets the faults of asking.
    pub fn report(
        &mut self,
        account: &str,
        (from, until): (DateTime<Utc>, DateTime<Utc>),
        cursor: Option<u64>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Asked<ReportPage> {
        let (ending, after) = self.ask(account, "report", now);
        let mut rows = self.payments.iter().filter(|payment| {
            payment.account == account
                && cursor.is_none_or(|last| payment.number > last)
                && from <= payment.taken_at
                && payment.taken_at < until
                && payment.is_visible(now)
        });
        let page: Vec<&Payment> = rows.by_ref().take(limit.max(1)).collect();
        let next = rows.next().and(page.last()).map(|last| last.number.to_string());
        Asked { ending, answer: ReportPage { rows: page.iter().map(|row| row.report_row(now)).collect(), next }, after }
    }

    /// How a question that reads nothing of the ledger ends.
    pub fn ask(&mut self, account: &str, about: &str, now: DateTime<Utc>) -> (Ending, Duration) {
        let key = format!("{account}/{about}");
        let number = self.count_call(Call::Ask, &key);
        if self.is_out(now) {
            return (Ending::NotConnected, Duration::ZERO);
        }
        let after = self.latency(Call::Ask, &key, about, number);
        let struck = self.strike(FaultGroup::Call, Call::Ask, &key, about, number);
        // A question has no effect: with or without is alike.
        let ending = struck.and_then(|fault| without_effect(fault).or_else(|| with_effect(fault)));
        (ending.unwrap_or(Ending::Answered), after)
    }

    /// The callbacks that are due, in the order in which they go out. Each is given once.
    pub fn due_callbacks(&mut self, now: DateTime<Utc>) -> Vec<DueCallback> {
        let mut due = Vec::new();
        while let Some(entry) = self.deliveries.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (payment, telling) = entry.remove();
            let Some(payment) = self.payments.get(payment) else { continue };
            let Some(account) = self.accounts.get(&payment.account) else { continue };
            due.extend(callback::compose(payment, telling, account));
        }
        due
    }

    /// When the next callback is due.
    pub fn next_callback_at(&self) -> Option<DateTime<Utc>> {
        self.deliveries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Writes down that a callback arrived or was given up, so that a replay doesn't send it again.
    pub fn told(&mut self, number: u64, telling: usize) {
        self.record(|| Record::Told { number, telling });
    }

    /// Changes how a payment stands from `change.at` on, whatever was planned for later, and tells of it then. `false`: there is no
    /// such payment at that time.
    pub fn amend(&mut self, number: u64, change: Change) -> bool {
        let Some(payment) = self.payment(number) else { return false };
        if payment.taken_at > change.at {
            return false;
        }
        self.record(|| Record::Changed { number, change: change.clone() });
        self.change(number, change);
        true
    }

    /// From when on nothing more becomes of any payment, and no callback is to come.
    pub fn quiet_at(&self) -> Option<DateTime<Utc>> {
        self.payments.iter().map(Payment::quiet_at).max()
    }

    /// What was paid by `now`, hidden payments included: the truth that another book is compared with.
    pub fn totals(&self, now: DateTime<Utc>) -> Totals {
        let mut totals = Totals::default();
        for payment in &self.payments {
            totals.references.entry(payment.reference.clone()).or_default().push(payment.clone());
            let state = payment.state(now);
            let total = totals.accounts.entry((payment.account.clone(), payment.currency)).or_default();
            if !state.amount_processed.is_zero() {
                total.payments += 1;
            }
            // Amounts are bounded by what orders ask: their sum fits.
            total.processed = total.processed.saturating_add(state.amount_processed);
            total.returned = total.returned.saturating_add(state.amount_returned);
        }
        totals
    }

    fn payment(&self, number: u64) -> Option<&Payment> {
        self.payments.get(index_of(number)?)
    }

    fn under(&self, account: &str, reference: &str) -> impl Iterator<Item = &Payment> {
        let indices = self.by_reference.get(&(account.to_owned(), reference.to_owned()));
        indices.into_iter().flatten().filter_map(|index| self.payments.get(*index))
    }

    /// The payment whose fate a repeat gets.
    fn known_repeat(&self, account: &str, reference: &str, now: DateTime<Utc>) -> Option<Payment> {
        if !self.accounts.get(account)?.knows_repeats {
            return None;
        }
        let first = self.under(account, reference).last()?;
        (now < after(first.taken_at, self.timings.repeats_known_for)).then(|| first.clone())
    }

    fn left(&self, account: &str, currency: AssetCode, now: DateTime<Utc>) -> Option<Decimal> {
        let first = self.accounts.get(account)?.balances.get(&currency)?;
        let of_account =
            self.payments.iter().filter(|payment| payment.account == account && payment.currency == currency);
        let debited = of_account.map(|payment| payment.debited(now)).fold(Decimal::ZERO, Decimal::saturating_add);
        Some(first.saturating_sub(debited))
    }

    /// Enters what becomes of an order in the ledger. Answers the payment, and whether its first callback comes before the answer.
    fn take(
        &mut self,
        account: &str,
        order: &Order,
        behaviour: Behaviour,
        fate: Option<Fault>,
        told: Option<Fault>,
        now: DateTime<Utc>,
    ) -> (Payment, bool) {
        let mut faults = Vec::new();
        let (mut changes, mut met) = planned(order.amount, behaviour, fate, &self.timings, now);
        let most_of =
            |changes: &[Change]| changes.iter().map(|change| change.amount_processed).max().unwrap_or_default();
        let left = self.left(account, order.currency, now);
        if left.is_some_and(|left| order.amount <= left && left < most_of(&changes)) {
            // What was asked is there, and what the fault would pay on top isn't.
            (changes, met) = planned(order.amount, behaviour, None, &self.timings, now);
        }
        let most = most_of(&changes);
        let needed = if most.is_zero() { Decimal::ZERO } else { most.max(order.amount) };
        if left.is_some_and(|left| left < needed) {
            self.count(BALANCE_OUT);
            changes = vec![Change::declined(now, Resolution::InsufficientFunds)];
        } else {
            faults.extend(met);
        }
        let hidden = fate == Some(Fault::Hidden);
        faults.extend(fate.filter(|_| hidden));
        let (tellings, met) = tellings_of(&changes, behaviour.callbacks(), told, &self.timings, now);
        faults.extend(met);
        for fault in &faults {
            self.count(fault.as_str());
        }
        let callbacks_first = behaviour.callbacks() == Callbacks::BeforeAnswer || met == Some(Fault::EarlyCallback);
        let number = u64::try_from(self.payments.len()).unwrap_or(u64::MAX).saturating_add(1);
        let key = format!("{account}/{}/{number}", order.reference);
        let payment = Payment {
            number,
            id: format!(
                "sp_{}{}",
                letters(draw(self.seed, "id-high", &key, 0)),
                letters(draw(self.seed, "id-low", &key, 0))
            ),
            rrn: rrn_of(&key),
            account: account.to_owned(),
            reference: order.reference.clone(),
            last_four: order.pan.as_ref().map(|pan| pan.last_four().to_owned()),
            amount_asked: order.amount,
            currency: order.currency,
            behaviour: behaviour.name().to_owned(),
            faults,
            taken_at: now,
            visible_from: if hidden { after(now, self.timings.hidden_for) } else { now },
            changes,
            tellings,
            callback_url: order.callback_url.clone(),
        };
        self.record(|| Record::Taken { payment: Box::new(payment.clone()) });
        self.enter(payment.clone());
        (payment, callbacks_first)
    }

    fn enter(&mut self, payment: Payment) {
        let index = self.payments.len();
        for (telling, Telling { at, .. }) in payment.tellings.iter().enumerate() {
            self.deliveries.insert((*at, self.deliveries_planned), (index, telling));
            self.deliveries_planned += 1;
        }
        let key = (payment.account.clone(), payment.reference.clone());
        self.by_reference.entry(key).or_default().push(index);
        self.payments.push(payment);
    }

    fn change(&mut self, number: u64, change: Change) {
        let Some((index, payment)) = index_of(number).and_then(|index| Some((index, self.payments.get_mut(index)?)))
        else {
            return;
        };
        let at = change.at;
        payment.changes.retain(|planned| planned.at <= at);
        payment.changes.push(change);
        let telling = Telling { at, change: payment.changes.len() - 1 };
        payment.tellings.push(telling);
        let kept = payment.tellings.len() - 1;
        // What was planned to be told of changes that won't come.
        let gone = |telling: &usize| *telling != kept && payment.tellings[*telling].at > at;
        self.deliveries.retain(|_, (of, telling)| *of != index || !gone(telling));
        self.deliveries.insert((at, self.deliveries_planned), (index, kept));
        self.deliveries_planned += 1;
    }

    fn record(&mut self, record: impl FnOnce() -> Record) {
        if self.keeps_records {
            self.records.push(record());
        }
    }

    fn is_out(&mut self, now: DateTime<Utc>) -> bool {
        let out = self.faults.is_out(now);
        if out {
            self.count(OUTAGE);
        }
        out
    }

    /// A fault that strikes whatever the call is about, counted.
    fn strike(&mut self, group: FaultGroup, call: Call, key: &str, reference: &str, number: u32) -> Option<Fault> {
        let struck = self.faults.strike(self.seed, group, call, key, reference, number)?;
        self.count(struck.as_str());
        Some(struck)
    }

    fn latency(&mut self, call: Call, key: &str, reference: &str, number: u32) -> Duration {
        match self.strike(FaultGroup::Time, call, key, reference, number) {
            Some(_) => self.timings.latency.saturating_add(self.timings.latency_spike),
            None => self.timings.latency,
        }
    }

    /// Which call about `key` this is, from 0.
    fn count_call(&mut self, call: Call, key: &str) -> u32 {
        let count = self.calls.entry((call, key.to_owned())).or_default();
        *count = count.saturating_add(1);
        *count - 1
    }

    fn count(&mut self, what: &'static str) {
        *self.injected.entry(what).or_default() += 1;
    }
}

fn index_of(number: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

/// How a call ends that a fault keeps from having an effect.
const fn without_effect(fault: Fault) -> Option<Ending> {
    match fault {
        Fault::ConnectionRefused => Some(Ending::NotConnected),
        Fault::ResetBefore => Some(Ending::ResetBefore),
        Fault::ErrorWithoutEffect => Some(Ending::Error),
        Fault::RateLimited => Some(Ending::Refused(Refusal::RATE_LIMITED)),
        Fault::Unavailable => Some(Ending::Refused(Refusal::NOT_TAKEN)),
        _ => None,
    }
}

/// How a call ends that had its effect, for its caller.
const fn with_effect(fault: Fault) -> Option<Ending> {
    match fault {
        Fault::ResetAfter => Some(Ending::ResetAfter),
        Fault::ErrorWithEffect => Some(Ending::Error),
        Fault::LostAnswer => Some(Ending::NoAnswer),
        _ => None,
    }
}

/// What the table says of an order. What the bank can't pay at all is declined whatever card or fields say.
fn behaviour_of(order: &Order) -> Behaviour {
    if !CURRENCIES.contains(&order.currency.as_str()) {
        return Behaviour::DeclinedForRoute(Resolution::InvalidMethod);
    }
    if order.amount <= Decimal::ZERO || order.amount.normalize().scale() > MINOR_UNIT_SCALE {
        return Behaviour::DeclinedForRoute(Resolution::LimitViolation);
    }
    Behaviour::pick(&order.reference, order.amount, order.pan.as_ref().map(Pan::expose), &order.fields)
}

/// Everything that becomes of an order, and the fate's fault if it had its effect.
fn planned(
    asked: Decimal,
    behaviour: Behaviour,
    fate: Option<Fault>,
    timings: &Timings,
    now: DateTime<Utc>,
) -> (Vec<Change>, Option<Fault>) {
    if behaviour.resolution() != Resolution::Ok {
        return (vec![Change::declined(now, behaviour.resolution())], None);
    }
    let minor_unit = Decimal::new(1, MINOR_UNIT_SCALE);
    let amount = match fate {
        Some(Fault::AmountLess) if asked > minor_unit => Behaviour::PaidPartly.amount_processed(asked),
        Some(Fault::AmountMore) => asked.saturating_add(Decimal::ONE),
        _ => behaviour.amount_processed(asked),
    };
    let (later, due) = (after(now, timings.later), after(now, behaviour.paid_after(timings.later)));
    let mut changes = match fate {
        Some(Fault::OutOfFunds) => vec![Change::declined(now, Resolution::InsufficientFunds)],
        Some(Fault::PendingThenDeclined) => {
            vec![Change::pending(now), Change::declined(later, Resolution::DeclinedError)]
        }
        Some(Fault::DeclinedThenProcessed) => vec![
            Change::declined(now, Resolution::DeclinedError),
            Change::processed(after(now, timings.flips_after), amount),
        ],
        Some(Fault::PendingThenProcessed) => vec![Change::pending(now), Change::processed(later.max(due), amount)],
        _ if due > now => vec![Change::pending(now), Change::processed(due, amount)],
        _ => vec![Change::processed(now, amount)],
    };
    let returned_after = match fate {
        Some(Fault::ProcessedThenReturned) => Some(timings.returned_after),
        _ => behaviour.returned_after(timings.returned_after),
    };
    if let (Some(returned_after), Some(last)) = (returned_after, changes.last().cloned())
        && last.status == ReportedStatus::Processed
    {
        changes.push(Change::returned(after(now, returned_after).max(last.at), amount, amount));
    }
    let met = fate.filter(|fate| match fate {
        Fault::Hidden => false,
        Fault::AmountLess => amount < asked,
        _ => true,
    });
    (changes, met)
}

/// The callbacks of a payment in the order in which they go out, and the callbacks' fault if it had its effect.
fn tellings_of(
    changes: &[Change],
    usual: Callbacks,
    fault: Option<Fault>,
    timings: &Timings,
    now: DateTime<Utc>,
) -> (Vec<Telling>, Option<Fault>) {
    let last = changes.len() - 1;
    let later = after(now, timings.later);
    // What wasn't in the first answer is told.
    let mut tellings: Vec<Telling> =
        changes.iter().enumerate().skip(1).map(|(change, planned)| Telling { at: planned.at, change }).collect();
    match usual {
        Callbacks::BeforeAnswer => tellings.insert(0, Telling { at: now, change: 0 }),
        Callbacks::Later if tellings.is_empty() => tellings.push(Telling { at: later, change: last }),
        Callbacks::LaterTwice => tellings = twice(&tellings),
        Callbacks::LaterOutOfOrder => tellings = newest_first(changes),
        Callbacks::None | Callbacks::Later | Callbacks::WhenReturned => {}
    }
    let Some(fault) = fault else { return (tellings, None) };
    if tellings.is_empty() && matches!(fault, Fault::DuplicateCallback | Fault::LateCallback) {
        tellings.push(Telling { at: later, change: last });
    }
    match fault {
        Fault::DuplicateCallback => tellings = twice(&tellings),
        Fault::LateCallback => {
            for telling in &mut tellings {
                telling.at = after(telling.at, timings.late_by);
            }
        }
        Fault::ReorderedCallbacks if last > 0 => tellings = newest_first(changes),
        Fault::EarlyCallback => tellings.insert(0, Telling { at: now, change: 0 }),
        Fault::LostCallback if !tellings.is_empty() => tellings.clear(),
        _ => return (tellings, None),
    }
    (tellings, Some(fault))
}

fn twice(tellings: &[Telling]) -> Vec<Telling> {
    tellings.iter().flat_map(|telling| [*telling, *telling]).collect()
}

/// All changes at the time of the last, the last first.
fn newest_first(changes: &[Change]) -> Vec<Telling> {
    let Some(at) = changes.last().map(|last| last.at) else { return Vec::new() };
    (0..changes.len()).rev().map(|change| Telling { at, change }).collect()
}

#[cfg(test)]
#[path = "bank_tests.rs"]
mod tests;
