//! One payment in the simulator's ledger. Everything that becomes of it is planned when it is taken, each change with its time, so
//! that what it is worth at a time needs no task that moves it on. Holds no card number: only its last four digits.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::domain::asset::AssetCode;
use crate::domain::payout::Resolution;
use crate::providers::provider::{ReportRow, ReportedStatus};

/// How a payment stands from a time on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub at: DateTime<Utc>,
    pub status: ReportedStatus,
    /// What went out, in the payment's currency; zero while pending and where declined.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount_processed: Decimal,
    /// What of it came back.
    #[serde(with = "rust_decimal::serde::str")]
    pub amount_returned: Decimal,
    /// Why it is declined; [`Resolution::Ok`] if it isn't.
    pub resolution: Resolution,
}

impl Change {
    pub fn pending(at: DateTime<Utc>) -> Self {
        Self::new(at, ReportedStatus::Pending, Decimal::ZERO, Decimal::ZERO, Resolution::Ok)
    }

    pub fn processed(at: DateTime<Utc>, amount: Decimal) -> Self {
        Self::new(at, ReportedStatus::Processed, amount, Decimal::ZERO, Resolution::Ok)
    }

    pub fn declined(at: DateTime<Utc>, resolution: Resolution) -> Self {
        Self::new(at, ReportedStatus::Declined, Decimal::ZERO, Decimal::ZERO, resolution)
    }

    /// `amount_returned` of `amount_processed` is back.
    pub fn returned(at: DateTime<Utc>, amount_processed: Decimal, amount_returned: Decimal) -> Self {
        Self::new(at, ReportedStatus::Returned, amount_processed, amount_returned, Resolution::Ok)
    }

    fn new(
        at: DateTime<Utc>,
        status: ReportedStatus,
        amount_processed: Decimal,
        amount_returned: Decimal,
        resolution: Resolution,
    ) -> Self {
        Self { at, status, amount_processed, amount_returned, resolution }
    }
}

/// A callback that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    pub at: DateTime<Utc>,
    /// Which of the payment's changes it tells of, from 0.
    pub change: usize,
}

/// A payment that was taken, whatever became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its place in the ledger, from 1.
    pub number: u64,
    /// The simulator's own identifier of it.
    pub id: String,
    /// Retrieval reference number: 12 digits that no scanner takes for a card number.
    pub rrn: String,
    /// The account's name.
    pub account: String,
    /// The caller's reference. Where the account pays repeats, several payments have the same.
    pub reference: String,
    /// The last four digits of the card that was paid, if it was one.
    pub last_four: Option<String>,
    #[serde(with = "rust_decimal::serde::str")]
    pub amount_asked: Decimal,
    pub currency: AssetCode,
    /// What the order met in the behaviour table, by its name there.
    pub behaviour: String,
    /// The faults that struck its taking.
    pub faults: Vec<super::faults::Fault>,
    pub taken_at: DateTime<Utc>,
    /// Look-ups and reports don't show it before.
    pub visible_from: DateTime<Utc>,
    /// Never empty, by time; the first is at `taken_at`. How it stands is what the last one that has come says.
    pub changes: Vec<Change>,
    pub tellings: Vec<Telling>,
    /// Where its callbacks go, if not where the account's usually do.
    pub callback_url: Option<String>,
}

impl Payment {
    /// The index of the change that holds at `now`.
    pub fn change_index(&self, now: DateTime<Utc>) -> usize {
        self.changes.iter().rposition(|change| change.at <= now).unwrap_or(0)
    }

    /// How it stands at `now`.
    pub fn state(&self, now: DateTime<Utc>) -> &Change {
        &self.changes[self.change_index(now)]
    }

    /// How it stands when nothing more will come.
    pub fn end(&self) -> &Change {
        &self.changes[self.changes.len().saturating_sub(1)]
    }

    /// What went out and stayed out by `now`.
    pub fn paid(&self, now: DateTime<Utc>) -> Decimal {
        let state = self.state(now);
        state.amount_processed.checked_sub(state.amount_returned).unwrap_or(Decimal::ZERO)
    }

    /// What of the account's money it holds at `now`: pending counts as asked.
    pub fn debited(&self, now: DateTime<Utc>) -> Decimal {
        match self.state(now).status {
            ReportedStatus::Pending => self.amount_asked,
            ReportedStatus::Processed | ReportedStatus::Declined | ReportedStatus::Returned => self.paid(now),
        }
    }

    pub fn is_visible(&self, now: DateTime<Utc>) -> bool {
        self.visible_from <= now
    }

    /// Its line in a report at `now`.
    pub fn report_row(&self, now: DateTime<Utc>) -> ReportRow {
        let state = self.state(now);
        ReportRow {
            reference: self.reference.clone(),
            original_id: Some(self.id.clone()),
            status: state.status,
            amount_processed: state.amount_processed,
            amount_returned: state.amount_returned,
            currency: self.currency,
            taken_at: self.taken_at,
        }
    }

    /// When nothing more becomes of it: its last change, its coming to light and its last callback.
    pub fn quiet_at(&self) -> DateTime<Utc> {
        let told = self.tellings.iter().map(|telling| telling.at);
        told.chain([self.end().at, self.visible_from]).max().unwrap_or(self.taken_at)
    }
}

/// A status as the published API names it.
pub const fn status_name(status: ReportedStatus) -> &'static str {
    match status {
        ReportedStatus::Pending => "pending",
        ReportedStatus::Processed => "processed",
        ReportedStatus::Declined => "declined",
        ReportedStatus::Returned => "returned",
    }
}

/// How long things take at the simulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// What every answer takes.
    pub latency: Duration,
    /// What an answer takes that [`Fault::Latency`](super::faults::Fault::Latency) struck, on top.
    pub latency_spike: Duration,
    /// What is "paid later" is paid after this, and usual callbacks come then.
    pub later: Duration,
    /// What comes back comes back after this.
    pub returned_after: Duration,
    /// How long a hidden payment isn't found.
    pub hidden_for: Duration,
    /// After how long a status that was wrong is put right.
    pub flips_after: Duration,
    /// How late a late callback is, on top of its usual time.
    pub late_by: Duration,
    /// How long an account that knows repeats knows them.
    pub repeats_known_for: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            latency_spike: Duration::from_secs(3),
            later: Duration::from_secs(2),
            returned_after: Duration::from_secs(5),
            hidden_for: Duration::from_secs(1),
            flips_after: Duration::from_secs(4),
            late_by: Duration::from_secs(10),
            repeats_known_for: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl fmt::Display for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "payment {} of {} for {}", self.id, self.account, self.reference)
    }
}
