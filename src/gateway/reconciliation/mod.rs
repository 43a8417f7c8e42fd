//! Reconciliation: a provider account's report, asked for or read from a file, held against our payouts. What the provider knows and we
//! don't is applied like a callback; what differs becomes a case with both sides, and money that no payout stands for is booked at once.
//!
//! A run changes nothing before it has the whole report, and each line is written in a transaction of its own: a run that dies is
//! repeated, and what was written isn't written again. One run of an account is under way at a time.

mod evidence;
mod fetch;
pub mod file;
mod job;
mod record;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use uuid::Uuid;

pub use job::ReconcileTask;

use super::complete::{Report, Source};
use super::{Gateway, GatewayError};
use crate::domain::card::strike_and_cut;
use crate::domain::ids::{ProviderAccountId, Tenant};
use crate::domain::payout::Resolution;
use crate::domain::reconciliation::{self, DifferenceKind, Finding, Line, Ours, Scope, Truth};
use crate::providers::provider::{Outcome, ProviderIds, ReportRow};
use crate::store::account_health::CheckedAccount;
use crate::store::error::DbError;
use crate::store::provider_accounts;
use crate::store::reconciliations::{self, NewRun, OurPayout};
use crate::store::retry::{TransactionError, transaction};
use crate::store::unmatched;

pub use crate::store::reconciliations::Counts;

/// A report is asked for with so much on either side of the range: the provider takes a payment a little after we write it down.
const MARGIN: TimeDelta = TimeDelta::hours(1);
/// How long a run may go without a sign of life.
const RUN_LEASE: TimeDelta = TimeDelta::minutes(3);
/// The most payments that one run holds in memory, of either side.
const ROWS_MAX: usize = 200_000;
/// How many references one look-up asks for.
const LOOKUP_MAX: usize = 1_000;
/// How many reports one transaction applies.
const APPLIED_MAX: usize = 50;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub account: CheckedAccount,
    /// By the time of our payouts' making.
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// The lines of a file, which is complete for the range; without them the provider is asked.
    pub rows: Option<Vec<ReportRow>>,
    /// Who wants it: `gateway`, or a person.
    pub by: String,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Reconciled {
    pub id: Uuid,
    pub counts: Counts,
    /// What was applied, and what differs and waits for a person, by reference.
    pub lines: Vec<Line>,
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("another run over this account is under way")]
    Busy,
    /// Nothing was changed.
    #[error("the report: {0}")]
    Report(String),
    #[error("the run took too long and another one has begun")]
    Lost,
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl From<DbError> for ReconcileError {
    fn from(error: DbError) -> Self {
        ReconcileError::Gateway(error.into())
    }
}

impl From<diesel::result::Error> for ReconcileError {
    fn from(error: diesel::result::Error) -> Self {
        ReconcileError::Gateway(error.into())
    }
}

impl TransactionError for ReconcileError {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            ReconcileError::Gateway(error) => error.db_error(),
            ReconcileError::Busy | ReconcileError::Report(_) | ReconcileError::Lost => None,
        }
    }
}

/// A run under way.
#[derive(Clone, Debug)]
struct Run {
    id: Uuid,
    /// The provider account's owner.
    owner: Tenant,
    account_id: ProviderAccountId,
    started_at: DateTime<Utc>,
}

/// What became of a line that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    /// A case is open for it.
    Open,
    /// It agrees, or a person has closed it as it is.
    Closed,
    /// It changed meanwhile.
    Left,
}

impl Gateway {
    /// Compares, applies, and writes down what differs.
    pub async fn reconcile(&self, wanted: &Wanted) -> Result<Reconciled, ReconcileError> {
        let run = self.begin_run(wanted).await?;
        let outcome = self.compare(wanted, &run).await;
        let (counts, error) = match &outcome {
            Ok(reconciled) => (reconciled.counts, None),
            Err(error) => (Counts::default(), Some(strike_and_cut(&error.to_string(), 300))),
        };
        let is_ours = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            Ok::<_, ReconcileError>(reconciliations::finish(conn, run.owner, run.id, counts, error.clone(), now).await?)
        })
        .await?;
        if outcome.is_ok() && !is_ours { Err(ReconcileError::Lost) } else { outcome }
    }

    /// The accounts of that code, whosever they are; without one, those whose provider has a report.
    pub async fn accounts_to_reconcile(&self, code: Option<&str>) -> Result<Vec<CheckedAccount>, GatewayError> {
        let conn = self.db.get().await?;
        let all = provider_accounts::all(&conn).await?;
        let reporting = self.reporting_providers();
        let is_wanted = |account: &provider_accounts::ProviderAccount| match code {
            Some(code) => account.code == code,
            None => reporting.contains(&account.provider),
        };
        let wanted = all.into_iter().filter(is_wanted).map(|account| CheckedAccount {
            partner_id: account.partner_id,
            mode: account.mode,
            id: account.id,
            code: account.code,
            provider: account.provider,
            enabled: account.enabled,
        });
        Ok(wanted.collect())
    }

    /// The adapters whose provider has a report.
    pub(super) fn reporting_providers(&self) -> Vec<String> {
        let has_report = |code: &&str| self.providers.get(code).is_some_and(|provider| provider.has_report());
        self.providers.codes().filter(has_report).map(str::to_owned).collect()
    }

    async fn begin_run(&self, wanted: &Wanted) -> Result<Run, ReconcileError> {
        let account = &wanted.account;
        let owner = Tenant { partner_id: account.partner_id, mode: account.mode };
        if wanted.from >= wanted.until {
            return Err(ReconcileError::Report("its range ends before it begins".to_owned()));
        }
        let now = self.clock.now();
        let new = NewRun {
            owner,
            id: Uuid::now_v7(),
            provider_account_id: account.id,
            source: if wanted.rows.is_some() { "file" } else { "api" },
            range_from: wanted.from,
            range_until: wanted.until,
            started_by: wanted.by.clone(),
            lease_until: now + RUN_LEASE,
        };
        let has_begun = transaction(&self.db, async |conn| {
            let has_begun = reconciliations::begin(conn, &new, now).await?;
            if has_begun {
                self.rename_unkeyed(conn, account.id).await?;
            }
            Ok::<_, ReconcileError>(has_begun)
        })
        .await?;
        if !has_begun {
            return Err(ReconcileError::Busy);
        }
        Ok(Run { id: new.id, owner, account_id: account.id, started_at: now })
    }

    /// Gives what earlier versions named by a hash without a key the name that it has now, before anything of the run looks for it: what is
    /// booked and what waits is found again, and nothing is booked twice.
    async fn rename_unkeyed(
        &self,
        conn: &AsyncPgConnection,
        account_id: ProviderAccountId,
    ) -> Result<(), ReconcileError> {
        let old = unmatched::names_with(conn, account_id, evidence::UNKEYED).await?;
        if old.is_empty() {
            return Ok(());
        }
        let new = old.iter().map(|name| evidence::keyed(&self.vault, name)).collect();
        unmatched::rename(conn, account_id, old, new).await?;
        Ok(())
    }

    /// A sign of life. No run goes on that another one has taken over.
    async fn keep_run(&self, run: &Run) -> Result<(), ReconcileError> {
        let lease_until = self.clock.now() + RUN_LEASE;
        let is_ours = transaction(&self.db, async |conn| {
            Ok::<_, ReconcileError>(reconciliations::extend(conn, run.owner, run.id, lease_until).await?)
        })
        .await?;
        if is_ours { Ok(()) } else { Err(ReconcileError::Lost) }
    }

    async fn compare(&self, wanted: &Wanted, run: &Run) -> Result<Reconciled, ReconcileError> {
        let theirs = match &wanted.rows {
            Some(rows) => rows.clone(),
            None => self.fetch_report(wanted, run).await?,
        };
        let theirs = fetch::readable(theirs)?;
        let rows_read = i32::try_from(theirs.len()).unwrap_or(i32::MAX);
        let scope = Scope {
            started_at: run.started_at,
            settled_until: run.started_at - self.settling_age(&wanted.account.provider),
        };
        // Ours are read after theirs: a payment in the report was written down by us before.
        let ours = self.read_ours(wanted, &theirs, scope).await?;
        let lines = reconciliation::reconcile(ours, theirs, scope).map_err(GatewayError::from)?;
        let mut counts = Counts { rows_read, ..Counts::default() };
        self.keep_run(run).await?;
        let (applied, not_applied) = self.apply_truths(run, &lines).await?;
        counts.applied = applied;
        counts.left_for_later = not_applied;
        let waiting = self.waiting_subjects(run).await?;
        let forgone = self.forgone_subjects(run).await?;
        let mut told = Vec::new();
        for line in lines {
            match &line.finding {
                // What was given up is back after all.
                Finding::Agrees if forgone.contains(&evidence::subject_of(&self.vault, &line)) => {
                    // Nothing is out beyond ours.
                    let ours = line.ours.as_ref().map(|ours| ours.currency);
                    let currency = ours.or(line.theirs.first().map(|row| row.currency));
                    let surplus = currency.map(|currency| (Decimal::ZERO, currency));
                    match self.record_difference(run, &line, DifferenceKind::ReturnDiffers, surplus).await? {
                        Recorded::Open => {
                            counts.differing += 1;
                            told.push(line);
                        }
                        Recorded::Closed => counts.agreed += 1,
                        Recorded::Left => counts.left_for_later += 1,
                    }
                }
                Finding::Agrees => {
                    if waiting.contains(&evidence::subject_of(&self.vault, &line)) {
                        self.close_agreeing(run, &line).await?;
                    }
                    counts.agreed += 1;
                }
                Finding::Left => counts.left_for_later += 1,
                Finding::Apply(_) => told.push(line),
                Finding::LateSuccessReturned { amount } => match self.recover_late(run, &line, *amount).await? {
                    Recorded::Open => {
                        counts.differing += 1;
                        told.push(line);
                    }
                    Recorded::Closed => counts.agreed += 1,
                    Recorded::Left => counts.left_for_later += 1,
                },
                Finding::Differs { kind, surplus } => {
                    match self.record_difference(run, &line, *kind, *surplus).await? {
                        Recorded::Open => {
                            count_open(&mut counts, *kind);
                            told.push(line);
                        }
                        Recorded::Closed => counts.agreed += 1,
                        Recorded::Left => counts.left_for_later += 1,
                    }
                }
            }
        }
        Ok(Reconciled { id: run.id, counts, lines: told })
    }

    /// How old something has to be before its absence, or a difference, means anything.
    fn settling_age(&self, provider: &str) -> TimeDelta {
        let configured = TimeDelta::seconds(i64::from(self.settings.reconcile_age_secs));
        let needed = self.providers.get(provider).map_or(TimeDelta::zero(), |provider| {
            let capabilities = provider.capabilities();
            let needed = capabilities.settling_time.saturating_add(capabilities.posting_lag);
            TimeDelta::from_std(needed).unwrap_or(TimeDelta::days(365))
        });
        configured.max(needed)
    }

    /// Our payouts that the report names, and those that it must have.
    async fn read_ours(
        &self,
        wanted: &Wanted,
        theirs: &[reconciliation::Theirs],
        scope: Scope,
    ) -> Result<Vec<Ours>, ReconcileError> {
        let conn = self.db.get().await?;
        let account_id = wanted.account.id;
        let unchanged_since = wanted.until.min(scope.settled_until);
        let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX).saturating_add(1);
        let expected =
            reconciliations::paid_in_range(&conn, account_id, wanted.from, wanted.until, unchanged_since, limit)
                .await?;
        if expected.len() > ROWS_MAX {
            return Err(too_many());
        }
        let mut ours: std::collections::BTreeMap<_, _> =
            expected.into_iter().map(|payout| (payout.id, of_row(payout, true))).collect();
        let references: std::collections::BTreeSet<&str> = theirs.iter().map(|row| row.reference.as_str()).collect();
        let references: Vec<String> = references.into_iter().map(str::to_owned).collect();
        for some in references.chunks(LOOKUP_MAX) {
            for payout in reconciliations::ours(&conn, account_id, some.to_vec()).await? {
                // Read last: it says how the payout stands.
                let is_expected = ours.contains_key(&payout.id);
                ours.insert(payout.id, of_row(payout, is_expected));
            }
        }
        Ok(ours.into_values().collect())
    }

    /// Hands over what the provider knows and we don't, as a callback would. One that can't be applied holds up no other. Answers how many
    /// payouts were handed over, and how many couldn't be.
    async fn apply_truths(&self, run: &Run, lines: &[Line]) -> Result<(i32, i32), ReconcileError> {
        let truths: Vec<Vec<Report>> = lines.iter().filter_map(reports_of).collect();
        let (mut applied, mut failed) = (0, 0);
        for batch in truths.chunks(APPLIED_MAX) {
            self.keep_run(run).await?;
            let reports: Vec<Report> = batch.iter().flatten().cloned().collect();
            if let Err(error) = self.complete(&reports).await {
                tracing::warn!(%error, reports = reports.len(), "a report's lines could not be applied; one by one now");
                for one in batch {
                    match self.complete(one).await {
                        Ok(()) => applied += 1,
                        Err(error) => {
                            failed += 1;
                            tracing::error!(payout = ?one.first().map(|report| report.payout_id), %error, "a report's line could not be applied");
                        }
                    }
                }
                continue;
            }
            applied += i32::try_from(batch.len()).unwrap_or(i32::MAX);
        }
        Ok((applied, failed))
    }
}

fn count_open(counts: &mut Counts, kind: DifferenceKind) {
    match kind {
        DifferenceKind::MissingAtProvider => counts.only_ours += 1,
        DifferenceKind::UnmatchedAtProvider => counts.only_theirs += 1,
        DifferenceKind::PaidTwiceAtProvider
        | DifferenceKind::UnsentAtProvider
        | DifferenceKind::StatusDiffers
        | DifferenceKind::AmountDiffers
        | DifferenceKind::CurrencyDiffers
        | DifferenceKind::ReturnDiffers => counts.differing += 1,
    }
}

fn too_many() -> ReconcileError {
    ReconcileError::Report(format!("more than {ROWS_MAX} payments: take a shorter range"))
}

fn of_row(row: OurPayout, is_expected: bool) -> Ours {
    Ours {
        tenant: Tenant { partner_id: row.partner_id, mode: row.mode },
        request_id: row.request_id,
        payout_id: row.id,
        reference: row.reference,
        original_id: row.original_id,
        status: row.status,
        was_sent: row.was_sent,
        amount_processed: row.amount_processed,
        amount_returned: row.amount_returned,
        currency: row.currency,
        updated_at: row.updated_at,
        is_expected,
    }
}

/// What a line tells of its payout, in the order in which it happened.
fn reports_of(line: &Line) -> Option<Vec<Report>> {
    let (Some(ours), Finding::Apply(truth)) = (&line.ours, &line.finding) else { return None };
    let report = |outcome| Report {
        tenant: ours.tenant,
        request_id: ours.request_id,
        payout_id: ours.payout_id,
        source: Source::Reconciliation,
        outcome,
    };
    let ids = |original_id: &Option<String>| ProviderIds { original_id: original_id.clone(), ..ProviderIds::default() };
    Some(match truth {
        Truth::Processed { amount, original_id } => {
            vec![report(Outcome::Processed { amount: *amount, ids: ids(original_id) })]
        }
        Truth::Declined => vec![report(Outcome::Declined {
            resolution: Resolution::DeclinedError,
            code: "declined".to_owned(),
            message: "declined, by the provider's report".to_owned(),
        })],
        // Its success is known already, or is told first.
        Truth::Returned { processed, amount, original_id } => vec![
            report(Outcome::Processed { amount: *processed, ids: ids(original_id) }),
            report(Outcome::Returned { amount: *amount, ids: ids(original_id) }),
        ],
    })
}
