//! Balance syncs: what is on the deposit accounts whose provider reports it. The provider is asked outside any transaction; one
//! transaction writes what it said and releases what the balance has in it. What paid stays reserved until then, so that no sum is
//! counted twice: a balance may be without a payout for the provider's posting lag.
//!
//! A sync that fails changes nothing but its error: what was known stays, and what is reserved stays reserved.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{Gateway, GatewayError};
use crate::domain::asset::AssetCode;
use crate::domain::card::strike_and_cut;
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, ProviderAccountId, Tenant};
use crate::providers::provider::{AccountContext, Provider, ProviderError};
use crate::store::balance_syncs::{self, LockedDeposit, SyncedDeposit};
use crate::store::deposit_accounts::BalanceSource;
use crate::store::error::DbError;
use crate::store::jobs::{self, ClaimedJob, JobKind};
use crate::store::requests;
use crate::store::retry::{TransactionError, transaction};

/// How many reservations one transaction ends.
const RELEASED_MAX: i64 = 200;
/// The longest that failures put a job off, in seconds, unless it is due more seldom anyway.
const BACKOFF_SECS_MAX: i64 = 3_600;
/// At most so much of a provider's text is kept, in characters.
const TEXT_CHARS_MAX: usize = 300;
/// How far the clocks of two nodes may be apart, with room: whoever saw a payout end and whoever asks for the balance may be two. What
/// ended at the very moment of the question may not be in the answer either.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::seconds(1);

/// A deposit account whose balance is to be asked for, under its job's lease.
#[derive(Clone, Debug)]
pub struct SyncTask {
    pub deposit: SyncedDeposit,
    job: ClaimedJob,
}

/// What the provider said.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When the question began.
    pub started_at: DateTime<Utc>,
    /// The balance in the deposit account's currency, or why there is none.
    pub answer: Result<Decimal, String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// Written; `released` is what is no longer reserved, over so many payouts.
    Written { released: Decimal, payouts: i64 },
    /// The provider couldn't tell; asked again later.
    Failed,
    /// Somebody else has taken the job over, or written a later balance: nothing changed.
    Stale,
}

/// An adapter and what it is called with, or why an account can't be called.
pub(super) type Called = Result<(Arc<dyn Provider>, Arc<AccountContext>), String>;

impl SyncTask {
    fn owner(&self) -> Tenant {
        Tenant { partner_id: self.deposit.partner_id, mode: self.deposit.mode }
    }
}

/// Who keeps the balance of a deposit account in that currency at that provider account.
pub fn balance_source(provider: &dyn Provider, account: &AccountContext, currency: AssetCode) -> BalanceSource {
    if provider.has_balance(account, currency) { BalanceSource::Provider } else { BalanceSource::Books }
}

impl Gateway {
    /// Takes due syncs. A job whose account is gone ends.
    pub async fn claim_syncs(&self, batch_size: usize) -> Result<Vec<SyncTask>, GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let claimed = jobs::claim(conn, JobKind::SyncBalance, now, lease_until, batch_size).await?;
            let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), DepositAccountId(job.subject_id))).collect();
            let found = balance_syncs::find(conn, &keys).await?;
            let (mut tasks, mut done) = (Vec::new(), Vec::new());
            for job in claimed {
                match found.iter().find(|deposit| deposit.id.0 == job.subject_id) {
                    Some(deposit) => tasks.push(SyncTask { deposit: deposit.clone(), job }),
                    None => done.push((job.tenant(), JobKind::SyncBalance, job.subject_id)),
                }
            }
            jobs::delete(conn, &done).await?;
            Ok(tasks)
        })
        .await
    }

    /// Asks for one balance and writes it down.
    pub async fn sync(&self, task: &SyncTask) -> Result<Synced, GatewayError> {
        let asked = self.ask_balance(task).await?;
        self.write_balance(task, &asked).await
    }

    /// Asks the provider. No transaction is open.
    pub async fn ask_balance(&self, task: &SyncTask) -> Result<Asked, GatewayError> {
        let deposit = &task.deposit;
        let called = self.called_account(deposit.provider_account_id, &deposit.provider).await?;
        let started_at = self.clock.now();
        let (provider, account) = match called {
            Ok(called) => called,
            Err(why) => return Ok(Asked { started_at, answer: Err(why) }),
        };
        let timeout = provider.capabilities().send_timeout;
        let answer = match tokio::time::timeout(timeout, provider.balance(&account, deposit.currency)).await {
            Ok(answer) => answer.map_err(|error| told(&error)),
            Err(_) => Err(no_answer(timeout)),
        };
        Ok(Asked { started_at, answer })
    }

    /// Writes an answer down and makes the job due again.
    pub async fn write_balance(&self, task: &SyncTask, asked: &Asked) -> Result<Synced, GatewayError> {
        let balance = match &asked.answer {
            Ok(balance) => *balance,
            Err(error) => return self.put_sync_off(task, error).await,
        };
        let lag = self.providers.get(&task.deposit.provider).map(|provider| provider.capabilities().posting_lag);
        let lag = lag.map_or(Some(TimeDelta::zero()), |lag| TimeDelta::from_std(lag).ok());
        let lag = lag.and_then(|lag| lag.checked_add(&CLOCKS_APART_MAX));
        // A lag beyond the calendar releases nothing.
        let until = lag.and_then(|lag| asked.started_at.checked_sub_signed(lag)).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let (mut released, mut payouts) = (Decimal::ZERO, 0);
        loop {
            let round = self.write_round(task, asked.started_at, balance, until).await?;
            let Some(round) = round else {
                return Ok(if payouts > 0 { Synced::Written { released, payouts } } else { Synced::Stale });
            };
            released = exact::add(released, round.released)?;
            payouts += round.payouts;
            if !round.is_more {
                return Ok(Synced::Written { released, payouts });
            }
        }
    }

    /// One transaction: the balance, and as many reservations as one may end. `None`: it is no longer ours to write.
    async fn write_round(
        &self,
        task: &SyncTask,
        started_at: DateTime<Utc>,
        balance: Decimal,
        until: DateTime<Utc>,
    ) -> Result<Option<Round>, GatewayError> {
        let (owner, id) = (task.owner(), task.deposit.id);
        transaction(&self.db, async |conn| {
            let posted = balance_syncs::posted(conn, id, until, RELEASED_MAX).await?;
            // Requests before deposit accounts, as everybody locks them: whoever changes a payout holds its request.
            let mut keys: Vec<_> =
                posted.iter().map(|p| (Tenant { partner_id: p.partner_id, mode: p.mode }, p.request_id)).collect();
            keys.sort_unstable();
            keys.dedup();
            requests::lock(conn, &keys).await?;
            let (released, payouts) = balance_syncs::release(conn, id, until, &posted).await?;
            let Some(before) = balance_syncs::lock(conn, owner, id).await? else { return Err(Refusal::Stale) };
            let is_late = before.synced_at.is_some_and(|synced_at| synced_at > started_at);
            if is_late || !before.is_synced {
                return Err(Refusal::Stale);
            }
            balance_syncs::write(conn, owner, id, balance, released, started_at).await?;
            let is_more = i64::try_from(posted.len()).is_ok_and(|count| count >= RELEASED_MAX);
            let now = self.clock.now();
            // The rest is done under the same lease.
            let run_at = if is_more { now + self.lease_left() } else { now + self.sync_interval() };
            if !jobs::repeat(conn, JobKind::SyncBalance, &task.job, run_at, None).await? {
                return Err(Refusal::Stale);
            }
            if let Err(error) = compare(task, &before, balance, released) {
                tracing::warn!(deposit_account = %id, %error, "a balance can't be compared");
            }
            Ok(Some(Round { released, payouts, is_more }))
        })
        .await
        .or_else(|refusal| match refusal {
            Refusal::Stale => Ok(None),
            Refusal::Gateway(error) => Err(error),
        })
    }

    async fn put_sync_off(&self, task: &SyncTask, error: &str) -> Result<Synced, GatewayError> {
        tracing::warn!(deposit_account = %task.deposit.id, code = task.deposit.code, error, "a balance could not be asked for");
        transaction(&self.db, async |conn| {
            let run_at = self.clock.now() + backoff(self.sync_interval(), &task.job);
            if !jobs::repeat(conn, JobKind::SyncBalance, &task.job, run_at, Some(error)).await? {
                return Ok(Synced::Stale);
            }
            balance_syncs::write_error(conn, task.owner(), task.deposit.id, error).await?;
            Ok(Synced::Failed)
        })
        .await
    }

    fn sync_interval(&self) -> TimeDelta {
        TimeDelta::seconds(i64::from(self.settings.balance_sync_secs))
    }

    fn lease_left(&self) -> TimeDelta {
        TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1))
    }

    /// The adapter of a provider account, and what it is called with; or why it can't be called.
    pub(super) async fn called_account(&self, id: ProviderAccountId, provider: &str) -> Result<Called, GatewayError> {
        let Some(provider) = self.providers.get(provider) else {
            return Ok(Err(format!("the provider {provider} isn't compiled in")));
        };
        let mut known = self.snapshot().await?.account(id).cloned();
        if known.is_none() {
            // One that was made a moment ago, on another node.
            self.routes.forget();
            known = self.snapshot().await?.account(id).cloned();
        }
        let called = known.map(|(_, account)| (Arc::clone(provider), account));
        Ok(called.ok_or_else(|| "its credentials can't be opened".to_owned()))
    }
}

struct Round {
    released: Decimal,
    payouts: i64,
    is_more: bool,
}

/// Why a round is rolled back.
#[derive(Debug)]
enum Refusal {
    Stale,
    Gateway(GatewayError),
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        Refusal::Gateway(error.into())
    }
}

impl From<diesel::result::Error> for Refusal {
    fn from(error: diesel::result::Error) -> Self {
        Refusal::Gateway(error.into())
    }
}

impl TransactionError for Refusal {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            Refusal::Stale => None,
            Refusal::Gateway(error) => error.db_error(),
        }
    }
}

/// What our own payouts don't explain is told in the log: more than was expected is a top-up or money that came back; less than
/// all that is still reserved could have taken is a matter for a person.
fn compare(task: &SyncTask, before: &LockedDeposit, balance: Decimal, released: Decimal) -> Result<(), GatewayError> {
    if before.synced_at.is_none() {
        return Ok(());
    }
    let expected = exact::sub(before.balance, released)?;
    let least = exact::sub(expected, exact::sub(before.reserved, released)?)?;
    let code = &task.deposit.code;
    if balance < least {
        tracing::error!(deposit_account = %task.deposit.id, code, %balance, %expected, %least, "a balance fell by more than our payouts explain");
    } else if balance > expected {
        tracing::info!(deposit_account = %task.deposit.id, code, %balance, %expected, "a balance rose");
    }
    Ok(())
}

/// A provider's refusal in words that may be kept: clipped, and without NUL, which PostgreSQL's text doesn't take.
pub(super) fn told(error: &ProviderError) -> String {
    strike_and_cut(&error.to_string(), TEXT_CHARS_MAX).chars().map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}

pub(super) fn no_answer(timeout: Duration) -> String {
    format!("no answer within {} ms", timeout.as_millis())
}

/// How long a job that never ends is put off after a failure: twice as long each time, and never all of them at once.
pub(super) fn backoff(interval: TimeDelta, job: &ClaimedJob) -> TimeDelta {
    let doublings = u32::try_from(job.attempts.saturating_sub(1)).unwrap_or(0).min(16);
    let secs = interval.num_seconds().saturating_mul(1_i64 << doublings);
    let most = interval.num_seconds().max(BACKOFF_SECS_MAX);
    let secs = secs.min(most);
    // A tenth or so that follows from whose job it is: accounts of one provider don't come back together.
    let spread = i64::try_from(job.subject_id.as_u128() % 100).unwrap_or(0);
    TimeDelta::milliseconds(secs.saturating_mul(1_000).saturating_add(secs.saturating_mul(spread)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_put_a_job_off_for_longer_each_time_up_to_an_hour() {
        let job = |attempts| ClaimedJob {
            partner_id: crate::domain::ids::PartnerId(uuid::Uuid::nil()),
            mode: crate::domain::ids::Mode::Test,
            subject_id: uuid::Uuid::from_u128(50),
            epoch: 1,
            attempts,
        };
        let minute = TimeDelta::seconds(60);
        let delays: Vec<_> = [1, 2, 3, 7, 40].map(|n| backoff(minute, &job(n)).num_milliseconds()).to_vec();
        assert_eq!(delays, [63_000, 126_000, 252_000, 3_780_000, 3_780_000]);
        assert_eq!(backoff(TimeDelta::hours(5), &job(3)).num_seconds(), 5 * 3_600 * 105 / 100);
    }
}
