//! Balances of deposit accounts over time, as staff look at them. Changes nothing.

use std::collections::HashMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Timelike, Utc};
use diesel_async::AsyncPgConnection;
use uuid::Uuid;

use super::books::DepositLine;
use super::desk::{After, Desk, DeskError, Page, limit};
use crate::domain::ids::{DepositAccountId, Mode};
use crate::store::dashboard::{balances, books};

pub use crate::store::dashboard::balances::{Point, SampleLine};

/// How far back a chart goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// 24 hours, by the hour.
    Day,
    /// 30 days, by the day (UTC).
    Month,
}

impl Reach {
    const fn step(self) -> TimeDelta {
        match self {
            Reach::Day => TimeDelta::hours(1),
            Reach::Month => TimeDelta::days(1),
        }
    }

    const fn columns(self) -> i32 {
        match self {
            Reach::Day => 24,
            Reach::Month => 30,
        }
    }

    /// When each column begins; the last one goes on.
    pub fn begins(self, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let last = match self {
            Reach::Day => today + TimeDelta::hours(i64::from(now.hour())),
            Reach::Month => today,
        };
        (0..self.columns()).rev().map(|ago| last - self.step() * ago).collect()
    }
}

/// What an account had at the end of each column; `None`: not known.
pub type History = Vec<(DateTime<Utc>, Option<Point>)>;

/// One deposit account with its balances over time.
#[derive(Clone, Debug)]
pub struct DepositPage {
    pub line: DepositLine,
    pub day: History,
    pub month: History,
}

impl Desk {
    /// `None`: that partner has no such deposit account in that mode.
    pub async fn deposit(
        &self,
        mode: Mode,
        partner: &str,
        id: DepositAccountId,
    ) -> Result<Option<DepositPage>, DeskError> {
        let mut conn = self.connection().await?;
        let lines = books::deposits(&mut conn, mode).await?;
        let Some(line) = lines.into_iter().find(|line| line.id == id && line.partner == partner) else {
            return Ok(None);
        };
        let now = self.now();
        let day = histories(&mut conn, vec![id], Reach::Day, now).await?.remove(&id).unwrap_or_default();
        let month = histories(&mut conn, vec![id], Reach::Month, now).await?.remove(&id).unwrap_or_default();
        Ok(Some(DepositPage { line, day, month }))
    }

    /// The deposit accounts of a mode, for whoever chooses one.
    pub async fn deposits(&self, mode: Mode) -> Result<Vec<DepositLine>, DeskError> {
        let mut conn = self.connection().await?;
        Ok(books::deposits(&mut conn, mode).await?)
    }

    /// What was on one account, or on all, the newest first.
    pub async fn balances(
        &self,
        mode: Mode,
        of: Option<DepositAccountId>,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<Page<SampleLine, Uuid>, DeskError> {
        let mut conn = self.connection().await?;
        let after = after.unwrap_or_else(|| After::newest(Uuid::max()));
        let lines = balances::newest(&mut conn, mode, of, after, limit(lines_max)).await?;
        Ok(Page::of(lines, lines_max, |line| After { at: line.at, id: line.id.0 }))
    }
}

/// What each of these accounts had over time.
pub(super) async fn histories(
    conn: &mut AsyncPgConnection,
    ids: Vec<DepositAccountId>,
    reach: Reach,
    now: DateTime<Utc>,
) -> Result<HashMap<DepositAccountId, History>, DeskError> {
    let begins = reach.begins(now);
    let (from, until) = (begins.first().copied().unwrap_or(now), begins.last().copied().unwrap_or(now));
    let found = balances::last_of_each(conn, ids.clone(), (from, until), reach.step()).await?;
    let of = |id: DepositAccountId| {
        let point = |at: &DateTime<Utc>| (*at, found.iter().find(|point| point.id == id && point.at == *at).cloned());
        (id, begins.iter().map(point).collect())
    };
    Ok(ids.into_iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_24_hours_and_a_month_30_days_the_present_one_last() {
        let now: DateTime<Utc> = "2026-03-14T12:34:56Z".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (day, month) = (Reach::Day.begins(now), Reach::Month.begins(now));
        assert_eq!((day.len(), day[0], day[23]), (24, at("2026-03-13T13:00:00Z"), at("2026-03-14T12:00:00Z")));
        assert_eq!((month.len(), month[0], month[29]), (30, at("2026-02-13T00:00:00Z"), at("2026-03-14T00:00:00Z")));
    }
}
