//! What payouts run over and who may call, as staff look at it: accounts, routes, points, prices and fees, keys, the audit trail. Changes
//! nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::desk::{After, Desk, DeskError, Page, RateLine, limit};
use crate::domain::fee::ScheduleEntry;
use crate::domain::ids::{ApiKeyId, Mode, PartnerId};
use crate::domain::rate::Pair;
use crate::gateway::access::audit::{CHAIN_START, hash};
use crate::rates::health::SourceHealth;
use crate::store::audit::AuditRow;
use crate::store::dashboard::books;
use crate::store::partners;
use crate::store::verify::audit as chain;

pub use crate::store::dashboard::books::{
    AccountRow, DepositLine, ExchangeLine, KeyLine, PointLine, RouteLine, SHOWN_MAX, TrailLine, TurnoverLine,
};
pub use crate::store::partners::Partner;

/// How many days of turnover are shown.
const TURNOVER_DAYS: i64 = 14;

/// All that payouts of a mode run over.
#[derive(Clone, Debug)]
pub struct Accounts {
    pub now: DateTime<Utc>,
    pub accounts: Vec<AccountRow>,
    pub deposits: Vec<DepositLine>,
    pub routes: Vec<RouteLine>,
    pub points: Vec<PointLine>,
    /// Of the last 14 days (UTC).
    pub turnover: Vec<TurnoverLine>,
}

/// What one source says of a pair now.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub pair: Pair,
    pub source: String,
    pub age: TimeDelta,
    pub is_fresh: bool,
    pub is_outlier: bool,
    pub quote: Option<(Decimal, Decimal)>,
    /// How far its bid lies from the price that all of them make: 0.001 is 0.1 %.
    pub deviation: Option<Decimal>,
}

/// The board, and what is charged.
#[derive(Clone, Debug)]
pub struct Prices {
    pub now: DateTime<Utc>,
    pub rates: Vec<RateLine>,
    pub quotes: Vec<Quoted>,
    pub sources: Vec<SourceHealth>,
    pub schemes: Vec<ExchangeLine>,
    pub schedules: Vec<ScheduleEntry>,
}

/// What a look at the chains of the audit trail found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrailCheck {
    pub rows: u64,
    pub findings: Vec<String>,
    /// Whether it broke off after [`TRAIL_ROWS_MAX`] rows.
    pub is_cut: bool,
}

/// How many rows of the trail a page looks at; `landfall verify` looks at all of them.
pub const TRAIL_ROWS_MAX: u64 = 200_000;

impl Desk {
    pub async fn accounts(&self, mode: Mode) -> Result<Accounts, DeskError> {
        let now = self.now();
        let mut conn = self.connection().await?;
        let accounts = books::accounts(&mut conn, mode).await?;
        let ids = accounts.iter().map(|account| account.id).collect();
        let from = (now - TimeDelta::days(TURNOVER_DAYS - 1)).date_naive();
        Ok(Accounts {
            now,
            turnover: books::turnover(&mut conn, ids, from).await?,
            deposits: books::deposits(&mut conn, mode).await?,
            routes: books::routes(&mut conn, mode).await?,
            points: books::points(&mut conn, mode).await?,
            accounts,
        })
    }

    pub async fn prices(&self, mode: Mode) -> Result<Prices, DeskError> {
        let now = self.now();
        let schemes = {
            let mut conn = self.connection().await?;
            books::exchange_schemes(&mut conn, mode).await?
        };
        let (wallet, fees) = (self.wallet(), &self.wallet().house.fees);
        let schedules = fees.entries().iter().filter(|entry| entry.mode.is_none_or(|of| of == mode)).cloned().collect();
        let Some(board) = wallet.rates.board(mode) else {
            let (rates, quotes, sources) = Default::default();
            return Ok(Prices { now, rates, quotes, sources, schemes, schedules });
        };
        let line = |pair: &Pair| RateLine {
            pair: *pair,
            price: board.price(*pair, now).map_err(|crate::rates::RateError::Unavailable { why, .. }| why.to_string()),
        };
        let quotes = board
            .heard(now)
            .into_iter()
            .map(|heard| {
                let quote = board.quote_of(&heard.source, heard.pair, now);
                let price = board.price(heard.pair, now).ok().map(|price| price.price);
                let deviation = quote.zip(price).and_then(|((bid, _), price)| deviation(bid, price));
                Quoted {
                    pair: heard.pair,
                    source: heard.source,
                    age: heard.age,
                    is_fresh: heard.is_fresh,
                    is_outlier: heard.is_outlier,
                    quote,
                    deviation,
                }
            })
            .collect();
        let rates = wallet.house.pairs.iter().map(line).collect();
        Ok(Prices { now, rates, quotes, sources: board.health(), schemes, schedules })
    }

    pub async fn partner_keys(
        &self,
        mode: Mode,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<Page<KeyLine, Uuid>, DeskError> {
        let mut conn = self.connection().await?;
        let after = after.unwrap_or_else(|| After::newest(Uuid::max()));
        let lines = books::keys(&mut conn, mode, after, limit(lines_max)).await?;
        Ok(Page::of(lines, lines_max, |line| After { at: line.created_at, id: line.id.0 }))
    }

    /// One key. `None`: that partner has no such key in that mode.
    pub async fn partner_key(&self, mode: Mode, partner: &str, id: ApiKeyId) -> Result<Option<KeyLine>, DeskError> {
        let mut conn = self.connection().await?;
        let found = books::key(&mut conn, mode, id).await?;
        Ok(found.filter(|key| key.partner == partner))
    }

    /// All partners, by code: they are few.
    pub async fn partners(&self) -> Result<Vec<Partner>, DeskError> {
        let mut conn = self.connection().await?;
        Ok(partners::all(&mut conn).await?)
    }

    /// A partner's trail, newest first, before the row that a page ended with.
    pub async fn trail(
        &self,
        mode: Mode,
        partner: &str,
        before: Option<i64>,
        lines_max: usize,
    ) -> Result<(Vec<TrailLine>, Option<i64>), DeskError> {
        let mut conn = self.connection().await?;
        let mut lines = books::trail(&mut conn, mode, partner, before.unwrap_or(i64::MAX), limit(lines_max)).await?;
        let is_more = lines.len() > lines_max;
        lines.truncate(lines_max);
        let next = if is_more { lines.last().map(|line| line.seq) } else { None };
        Ok((lines, next))
    }

    /// Looks at every chain of the trail: rows count up from 1, each has the hash of its chain, and the last one is its partner's head.
    pub async fn check_trail(&self) -> Result<TrailCheck, DeskError> {
        let mut conn = self.connection().await?;
        let codes: BTreeMap<PartnerId, String> =
            partners::all(&mut conn).await?.into_iter().map(|partner| (partner.id, partner.code)).collect();
        let named = |row: &AuditRow| codes.get(&row.partner_id).cloned().unwrap_or_else(|| row.partner_id.to_string());
        let mut check = TrailCheck::default();
        let mut last: Option<(AuditRow, Option<chain::Head>)> = None;
        loop {
            let page = chain::page(&mut conn, last.as_ref().map(|(row, _)| row)).await?;
            if page.is_empty() {
                break;
            }
            for (row, head) in page {
                let previous = match last.take() {
                    Some((before, _)) if before.partner_id == row.partner_id => Some(before),
                    Some((end, head)) => {
                        judge_end(&named(&end), &end, head.as_ref(), &mut check);
                        None
                    }
                    None => None,
                };
                judge(&named(&row), previous.as_ref(), &row, &mut check);
                check.rows += 1;
                last = Some((row, head));
            }
            if check.rows >= TRAIL_ROWS_MAX {
                check.is_cut = true;
                return Ok(check);
            }
        }
        if let Some((end, head)) = last {
            judge_end(&named(&end), &end, head.as_ref(), &mut check);
        }
        Ok(check)
    }
}

fn judge(partner: &str, previous: Option<&AuditRow>, row: &AuditRow, check: &mut TrailCheck) {
    let expected = previous.map_or(1, |previous| previous.seq.saturating_add(1));
    let before = previous.map_or(CHAIN_START.as_slice(), |previous| previous.hash.as_slice());
    if row.seq != expected {
        check.findings.push(format!("{partner}, row {}: no row {expected} stands before it.", row.seq));
    } else if hash(before, row).as_slice() != row.hash {
        check.findings.push(format!("{partner}, row {}: it or its place was changed ({}).", row.seq, row.action));
    }
}

fn judge_end(partner: &str, end: &AuditRow, head: Option<&chain::Head>, check: &mut TrailCheck) {
    if head.is_none_or(|head| head.seq != end.seq || head.hash != end.hash) {
        check.findings.push(format!("{partner}: the trail doesn't end where its head says; rows may be missing."));
    }
}

fn deviation(bid: Decimal, price: Decimal) -> Option<Decimal> {
    bid.checked_sub(price)?.checked_div(price).map(|fraction| fraction.round_dp(6))
}
