//! What partners are told in sums: their payout requests by day, currency, service and status, and what moved their balances. The sums are
//! the database's own, over the rows themselves: nothing is counted beside them that could differ.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;

use super::Gateway;
use super::access::{Caller, Refusal};
use crate::domain::asset::AssetCode;
use crate::domain::exact;
pub use crate::store::reports::Usage;
use crate::store::{partner_funds, reports};

/// How many days a report has at most.
pub const DAYS_MAX: i64 = 92;
/// What the database calls the balances of now.
const BALANCE: &str = "balance";

/// Days, UTC, the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    from: NaiveDate,
    to: NaiveDate,
}

impl Range {
    /// `None`: they are in the wrong order, or too many.
    pub fn new(from: NaiveDate, to: NaiveDate) -> Option<Self> {
        let days = to.signed_duration_since(from).num_days();
        (0..DAYS_MAX).contains(&days).then_some(Self { from, to })
    }

    fn begin(self) -> DateTime<Utc> {
        self.from.and_time(NaiveTime::MIN).and_utc()
    }

    fn end(self) -> DateTime<Utc> {
        self.to.checked_add_days(Days::new(1)).unwrap_or(self.to).and_time(NaiveTime::MIN).and_utc()
    }
}

/// A day of a partner's balance in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceDay {
    pub day: NaiveDate,
    pub currency: AssetCode,
    pub opening: Decimal,
    /// By kind of entry, what it moved on what is available and held together: a hold moves nothing.
    pub moved: BTreeMap<String, Decimal>,
    pub closing: Decimal,
    /// What of `closing` open requests held.
    pub closing_held: Decimal,
}

impl Gateway {
    /// The requests that were made in these days, as they stand now.
    pub async fn usage(&self, caller: &Caller, range: Range) -> Result<Vec<Usage>, Refusal> {
        let conn = self.db.get().await?;
        Ok(reports::usage(&conn, caller.tenant, range.begin(), range.end()).await?)
    }

    /// The balances on these days: one line for each day and currency in which something moved.
    pub async fn balance_days(&self, caller: &Caller, range: Range) -> Result<Vec<BalanceDay>, Refusal> {
        let accounts = partner_funds::accounts_of(caller.tenant, &self.assets);
        let conn = self.db.get().await?;
        let moves = reports::moves(&conn, caller.tenant, accounts, range.begin()).await?;
        Ok(days(moves, range).map_err(super::GatewayError::from)?)
    }
}

/// From the balances of now back to the range, day by day.
fn days(moves: Vec<reports::Move>, range: Range) -> Result<Vec<BalanceDay>, exact::ArithmeticError> {
    let (now, moves): (Vec<_>, Vec<_>) = moves.into_iter().partition(|one| one.kind == BALANCE);
    // Available and held.
    let mut balances: BTreeMap<AssetCode, (Decimal, Decimal)> =
        now.into_iter().map(|one| (one.currency, (one.available, one.held))).collect();
    let mut by_day: BTreeMap<(NaiveDate, AssetCode), Vec<reports::Move>> = BTreeMap::new();
    for one in moves {
        by_day.entry((one.day, one.currency)).or_default().push(one);
    }
    let mut lines = Vec::new();
    for ((day, currency), moves) in by_day.into_iter().rev() {
        let closed = balances.get(&currency).copied().unwrap_or_default();
        let mut opened = closed;
        let mut moved = BTreeMap::new();
        for one in moves {
            opened = (exact::sub(opened.0, one.available)?, exact::sub(opened.1, one.held)?);
            moved.insert(one.kind, exact::add(one.available, one.held)?);
        }
        balances.insert(currency, opened);
        if day <= range.to {
            let (opening, closing) = (exact::add(opened.0, opened.1)?, exact::add(closed.0, closed.1)?);
            lines.push(BalanceDay { day, currency, opening, moved, closing, closing_held: closed.1 });
        }
    }
    lines.reverse();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_has_a_day_at_least_and_a_quarter_at_most() {
        assert!(Range::new(day("2026-11-22"), day("2026-11-22")).is_some());
        assert!(Range::new(day("2026-08-01"), day("2026-10-31")).is_some());
        assert!(Range::new(day("2026-08-01"), day("2026-11-01")).is_none());
        assert!(Range::new(day("2026-11-22"), day("2026-11-21")).is_none());
    }

    #[test]
    fn each_day_opens_with_what_the_one_before_closed_with() {
        let of = |at: &str, kind: &str, available: Decimal, held: Decimal| reports::Move {
            day: day(at),
            currency: "USD".parse().unwrap(),
            kind: kind.to_owned(),
            available,
            held,
        };
        let moves = vec![
            of("2026-11-20", "credit", dec!(100), dec!(0)),
            of("2026-11-20", "hold", dec!(-30), dec!(30)),
            of("2026-11-21", "settle", dec!(0), dec!(-30)),
            of("2026-11-23", "credit", dec!(5), dec!(0)),
            of("0001-01-01", BALANCE, dec!(75), dec!(0)),
        ];
        let lines = days(moves, Range::new(day("2026-11-20"), day("2026-11-22")).unwrap()).unwrap();
        let told: Vec<_> = lines.iter().map(|line| (line.opening, line.closing, line.closing_held)).collect();
        assert_eq!(told, [(dec!(0), dec!(100), dec!(30)), (dec!(100), dec!(70), dec!(0))]);
        assert_eq!(lines[0].moved.get("hold"), Some(&dec!(0)));
    }
}
