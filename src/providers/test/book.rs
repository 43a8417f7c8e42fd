//! The sandbox provider's own memory of what it took, apart from ours, so that two independent books can be compared.
//! One insert-or-get a send and one read an inquiry. It keeps declines too, and it never forgets.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::behaviour::Behaviour;
use super::{draw, letters};
use crate::config::providers::TestProviderSettings;
use crate::domain::asset::AssetCode;
use crate::domain::card::Pan;
use crate::domain::ids::ProviderAccountId;
use crate::domain::payout::Resolution;
use crate::providers::provider::{Outcome, PayoutOrder, ProviderIds};

/// One payment that the provider took, paid or declined. Written once, and changed by [`Book::give_back`] alone: what it is worth at a time
/// follows from [`Payment::outcome`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// With `reference`, the key.
    pub account_id: ProviderAccountId,
    /// The caller's reference, at most 36 characters.
    pub reference: String,
    /// The provider's own identifier of it.
    pub original_id: String,
    /// Retrieval reference number: 12 digits that no scanner takes for a card number.
    pub rrn: String,
    /// What was asked, in units of `currency`.
    pub amount: Decimal,
    pub currency: AssetCode,
    /// [`Behaviour::name`], for people who read the book.
    pub behaviour: String,
    /// Why it is declined; [`Resolution::Ok`] if it isn't.
    pub resolution: Resolution,
    /// What goes out in the end; zero if it is declined.
    pub amount_processed: Decimal,
    pub taken_at: DateTime<Utc>,
    /// From when on it is final; pending before.
    pub due_at: DateTime<Utc>,
    /// When what went out is back, if it comes back.
    pub returned_at: Option<DateTime<Utc>>,
}

impl Payment {
    /// What the provider takes of `order` under `behaviour` at `now`; `None` if it never takes it.
    pub fn of(
        account_id: ProviderAccountId,
        order: &PayoutOrder,
        behaviour: Behaviour,
        settings: &TestProviderSettings,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        if !behaviour.is_taken() {
            return None;
        }
        let resolution = behaviour.resolution();
        let paid = resolution == Resolution::Ok;
        Some(Self {
            account_id,
            reference: order.reference.clone(),
            original_id: original_id(account_id, &order.reference),
            rrn: rrn(account_id, &order.reference),
            amount: order.amount,
            currency: order.currency,
            behaviour: behaviour.name().to_owned(),
            resolution,
            amount_processed: if paid { behaviour.amount_processed(order.amount) } else { Decimal::ZERO },
            taken_at: now,
            due_at: after(now, behaviour.paid_after(Duration::from_millis(settings.later_ms))),
            returned_at: behaviour
                .returned_after(Duration::from_millis(settings.returned_after_ms))
                .map(|delay| after(now, delay)),
        })
    }

    /// The same payment, declined because the account holds too little.
    pub fn declined_for_funds(self) -> Self {
        Self {
            behaviour: Behaviour::InsufficientFunds.name().to_owned(),
            resolution: Resolution::InsufficientFunds,
            amount_processed: Decimal::ZERO,
            due_at: self.taken_at,
            returned_at: None,
            ..self
        }
    }

    /// What the provider says of it at `now`.
    pub fn outcome(&self, now: DateTime<Utc>) -> Outcome {
        if self.resolution != Resolution::Ok {
            return Outcome::Declined {
                resolution: self.resolution,
                code: self.resolution.as_str().to_owned(),
                message: format!("the sandbox declines this payment: {}", self.resolution),
            };
        }
        let ids = self.ids();
        match self.returned_at {
            _ if now < self.due_at => Outcome::Pending { ids },
            Some(returned_at) if returned_at <= now => Outcome::Returned { amount: self.amount_processed, ids },
            _ => Outcome::Processed { amount: self.amount_processed, ids },
        }
    }

    /// Whether it went out by `now`, also where it came back since.
    pub fn is_paid(&self, now: DateTime<Utc>) -> bool {
        self.resolution == Resolution::Ok && self.due_at <= now
    }

    /// What of the account's money it holds at `now`: pending counts, what came back doesn't.
    pub fn debited(&self, now: DateTime<Utc>) -> Decimal {
        match self.returned_at {
            Some(returned_at) if returned_at <= now => Decimal::ZERO,
            _ => self.amount_processed,
        }
    }

    pub fn ids(&self) -> ProviderIds {
        ProviderIds {
            original_id: Some(self.original_id.clone()),
            rrn: Some(self.rrn.clone()),
            ..ProviderIds::default()
        }
    }
}

/// `now` and `delay` later. Delays are a day at most, so neither step fails before the calendar ends.
pub fn after(now: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(delay).ok().and_then(|delta| now.checked_add_signed(delta)).unwrap_or(now)
}

/// The same for the same reference, and without digits: no run of it can look like a card number.
fn original_id(account_id: ProviderAccountId, reference: &str) -> String {
    let key = format!("{account_id}/{reference}");
    format!("tp_{}{}", letters(draw(0, "id-high", &key, 0)), letters(draw(0, "id-low", &key, 0)))
}

fn rrn(account_id: ProviderAccountId, reference: &str) -> String {
    rrn_of(&format!("{account_id}/{reference}"))
}

/// Twelve digits that fail the Luhn check, the same for the same key.
pub fn rrn_of(key: &str) -> String {
    let drawn = draw(0, "rrn", key, 0) % 100_000_000_000;
    let passes = |digit: u64| Pan::parse(&format!("{drawn:011}{digit}")).is_ok_and(|pan| pan.passes_luhn());
    // Exactly one last digit passes.
    let last = u64::from(passes(0));
    format!("{drawn:011}{last}")
}

/// What came of a payment that was offered to the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It was written, as it stands here.
    New(Payment),
    /// Its reference was in the book already; nothing was written. Holds what was written then.
    Already(Payment),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the test provider's book can't be used: {0}")]
pub struct BookError(pub String);

/// The memory. Shared by every process that plays the same provider.
#[async_trait]
pub trait Book: Send + Sync + 'static {
    /// Writes `payment` unless its account has its reference already; atomic, so that of two concurrent takes of a
    /// reference exactly one answers [`Taken::New`].
    ///
    /// With `funds`, the account's first balance in the payment's currency: if what the account's payments in that
    /// currency debit at `taken_at`, with this one, exceeds it, [`Payment::declined_for_funds`] is written instead, in
    /// the same step. An error may mean that it was written all the same.
    async fn take(&self, payment: Payment, funds: Option<Decimal>) -> Result<Taken, BookError>;

    async fn find(&self, account_id: ProviderAccountId, reference: &str) -> Result<Option<Payment>, BookError>;

    /// Has a payment that was paid come back at `now`, unless it did before. `None`: there is none that was paid.
    async fn give_back(
        &self,
        account_id: ProviderAccountId,
        reference: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Payment>, BookError>;

    /// The sum of [`Payment::debited`] at `now`.
    async fn debited(
        &self,
        account_id: ProviderAccountId,
        currency: AssetCode,
        now: DateTime<Utc>,
    ) -> Result<Decimal, BookError>;
}

/// A book that lasts as long as its process: for tests.
#[derive(Debug, Default)]
pub struct MemoryBook {
    payments: Mutex<HashMap<(ProviderAccountId, String), Payment>>,
}

type Payments = HashMap<(ProviderAccountId, String), Payment>;

impl MemoryBook {
    fn payments(&self) -> MutexGuard<'_, Payments> {
        // Every change is one insert: a panic elsewhere leaves nothing half written.
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything in the book, in no order.
    pub fn all(&self) -> Vec<Payment> {
        self.payments().values().cloned().collect()
    }
}

fn debited_of(
    payments: &Payments,
    account_id: ProviderAccountId,
    currency: AssetCode,
    now: DateTime<Utc>,
) -> Result<Decimal, BookError> {
    payments
        .values()
        .filter(|payment| payment.account_id == account_id && payment.currency == currency)
        .try_fold(Decimal::ZERO, |sum, payment| sum.checked_add(payment.debited(now)))
        .ok_or_else(|| BookError("its sum is out of range".to_owned()))
}

#[async_trait]
impl Book for MemoryBook {
    async fn take(&self, payment: Payment, funds: Option<Decimal>) -> Result<Taken, BookError> {
        let mut payments = self.payments();
        let key = (payment.account_id, payment.reference.clone());
        if let Some(first) = payments.get(&key) {
            return Ok(Taken::Already(first.clone()));
        }
        let payment = match funds {
            Some(funds) => {
                let debited = debited_of(&payments, payment.account_id, payment.currency, payment.taken_at)?;
                match debited.checked_add(payment.amount_processed) {
                    Some(sum) if sum <= funds => payment,
                    // A decline debits nothing and keeps its own reason.
                    _ if payment.amount_processed.is_zero() => payment,
                    _ => payment.declined_for_funds(),
                }
            }
            None => payment,
        };
        payments.insert(key, payment.clone());
        Ok(Taken::New(payment))
    }

    async fn find(&self, account_id: ProviderAccountId, reference: &str) -> Result<Option<Payment>, BookError> {
        Ok(self.payments().get(&(account_id, reference.to_owned())).cloned())
    }

    async fn give_back(
        &self,
        account_id: ProviderAccountId,
        reference: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Payment>, BookError> {
        let mut payments = self.payments();
        let payment = payments.get_mut(&(account_id, reference.to_owned())).filter(|payment| payment.is_paid(now));
        Ok(payment.map(|payment| {
            payment.returned_at = Some(payment.returned_at.map_or(now, |at| at.min(now)));
            payment.clone()
        }))
    }

    async fn debited(
        &self,
        account_id: ProviderAccountId,
        currency: AssetCode,
        now: DateTime<Utc>,
    ) -> Result<Decimal, BookError> {
        debited_of(&self.payments(), account_id, currency, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_steady_per_reference_and_look_like_no_card_number() {
        let account = ProviderAccountId::new();
        let other = ProviderAccountId::new();
        for n in 0..2_000 {
            let reference = format!("po_{n}");
            let (id, rrn) = (original_id(account, &reference), rrn(account, &reference));
            assert_eq!(id, original_id(account, &reference));
            assert_ne!(id, original_id(other, &reference));
            assert!(id.len() == 35 && !id.bytes().any(|byte| byte.is_ascii_digit()));
            assert!(rrn.len() == 12 && !Pan::parse(&rrn).unwrap().passes_luhn());
        }
    }
}
