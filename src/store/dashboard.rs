//! What the dashboard's pages read: one statement a list, whatever its length, over all partners of one mode. Each reads by an
//! index; which one stands beside it. Nothing is written here, and of a card no more is read than its first four and last four.

pub mod balances;
pub mod books;
pub mod cases;
pub mod customers;
pub mod ledger;
pub mod offers;
pub mod overview;
pub mod payouts;
pub mod pulse;
pub mod requests;
pub mod schemes;
pub mod webhooks;

use chrono::{DateTime, Utc};

use crate::domain::card::CardScheme;

/// Each list's index and statement, its parameters as `?`: for those who look at plans.
pub fn plans() -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = [
        offers::PLANS,
        requests::PLANS,
        payouts::PLANS,
        customers::PLANS,
        ledger::PLANS,
        balances::PLANS,
        books::PLANS,
        overview::PLANS,
        cases::PLANS,
        pulse::PLANS,
        schemes::PLANS,
        webhooks::PLANS,
    ];
    all.into_iter().flatten().copied()
}

/// A card as staff see it.
#[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable)]
pub struct MaskedCard {
    pub scheme: CardScheme,
    pub first_four: String,
    pub last_four: String,
}

/// Where a page of a list begins: after this time and id, which are the last ones of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct After<Id> {
    pub at: DateTime<Utc>,
    pub id: Id,
}

impl<Id> After<Id> {
    /// Before every row of a list that runs from the newest to the oldest: the end of the year 9999.
    pub fn newest(id_max: Id) -> Self {
        let at = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self { at, id: id_max }
    }
}

/// A stretch of time that a list is kept to, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

impl Span {
    fn from(self) -> DateTime<Utc> {
        self.from.unwrap_or(DateTime::<Utc>::UNIX_EPOCH)
    }

    /// Where a list from the newest to the oldest begins within it.
    fn cut<Id>(self, after: After<Id>) -> After<Id> {
        After { at: self.until.map_or(after.at, |until| after.at.min(until)), ..after }
    }
}
