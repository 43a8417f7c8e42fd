//! What differs, written down: a case with both sides, an event of the payout's request, and the ledger entry for money that no payout
//! stands for. Each line is one transaction under the run's row, so that no two runs write at once, and is decided by the payout as it
//! stands under its request's lock. The same line written again changes nothing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::evidence::{evidence_of, says_the_same, subject_of};
use super::{RUN_LEASE, ReconcileError, Recorded, Run};
use crate::domain::asset::AssetCode;
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, PayoutId, PayoutRequestId, Tenant};
use crate::domain::ledger::{self, FiatSide};
use crate::domain::moderation::Reason;
use crate::domain::reconciliation::{DifferenceKind, Line, Ours};
use crate::gateway::cases::{OpenMoney, book_recovery, close_by_rule, late_success_money};
use crate::gateway::complete::{Changes, Subject, Told};
use crate::gateway::{Gateway, GatewayError, statistics};
use crate::store::cases::{self, Case, NewCase};
use crate::store::payouts::Payout;
use crate::store::reconciliations;
use crate::store::retry::transaction;
use crate::store::unmatched::{self, Unmatched};

/// Where money is booked that no payout stands for.
#[derive(Clone, Copy, Debug)]
struct Till {
    tenant: Tenant,
    deposit_account: DepositAccountId,
    asset: AssetCode,
}

/// What a booking came to.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    recovered: Decimal,
    /// What is open of it now.
    open: Decimal,
}

fn is_of_reconciliation(case: &Case) -> bool {
    DifferenceKind::ALL.iter().any(|kind| kind.as_str() == case.kind)
}

/// Whether the request waits for a person to decide on just this.
fn waits_for(subject: Option<&Subject<'_>>, kind: &str) -> bool {
    subject.is_some_and(|subject| {
        !subject.request.status.is_final() && subject.request.moderation_reason.as_deref() == Some(kind)
    })
}

/// The payout of a line as it stands now; `None`: it has changed since it was compared.
fn unchanged<'a>(subject: Option<&'a Subject<'_>>, ours: &Ours) -> Option<&'a Payout> {
    let payout = subject?.payouts.iter().find(|payout| payout.id == ours.payout_id)?;
    (payout.updated_at == ours.updated_at && payout.status == ours.status).then_some(payout)
}

impl Gateway {
    /// The references that cases are open for.
    pub(super) async fn waiting_subjects(&self, run: &Run) -> Result<BTreeSet<String>, ReconcileError> {
        let conn = self.db.get().await?;
        let kinds = DifferenceKind::ALL.iter().map(|kind| kind.as_str()).collect();
        let open = cases::open_of_account(&conn, run.account_id, kinds).await?;
        Ok(open.into_iter().filter_map(|case| case.subject).collect())
    }

    /// The references of which a person has given money up.
    pub(super) async fn forgone_subjects(&self, run: &Run) -> Result<BTreeSet<String>, ReconcileError> {
        let conn = self.db.get().await?;
        Ok(unmatched::forgone(&conn, run.account_id).await?.into_iter().collect())
    }

    /// Opens a case for a difference, or restates the one that is open, and books what left without a payout of ours.
    pub(super) async fn record_difference(
        &self,
        run: &Run,
        line: &Line,
        kind: DifferenceKind,
        surplus: Option<(Decimal, AssetCode)>,
    ) -> Result<Recorded, ReconcileError> {
        let name = subject_of(&self.vault, line);
        let (recorded, told) = transaction(&self.db, async |conn| {
            let now = self.enter(conn, run).await?;
            let mut ground = self.lock_ground(conn, &keys_of(line)).await?;
            let mut changes = self.changes();
            let mut subject = ground.subjects().next();
            let payout = match &line.ours {
                None => None,
                Some(ours) => match unchanged(subject.as_ref(), ours) {
                    Some(payout) => Some(payout.clone()),
                    None => return Ok((Recorded::Left, None)),
                },
            };
            let (till, target) = self.till_of(conn, run, payout.as_ref(), surplus).await?;
            // What can't be told changes nothing of what is booked.
            let target = surplus.map(|_| target);
            let moved = book_surplus(conn, run, &name, till, target, &mut changes, now).await?;
            let evidence = evidence_of(&name, line, surplus, till.is_some());
            let known = cases::of_subject(conn, run.account_id, &name).await?;
            let mut is_known = false;
            for case in known.iter().filter(|case| case.closed_at.is_none() && is_of_reconciliation(case)) {
                if case.kind == kind.as_str() {
                    is_known = true;
                    if case.evidence != evidence {
                        cases::restate(conn, case.tenant(), case.id, evidence.clone()).await?;
                    }
                } else if !waits_for(subject.as_ref(), &case.kind) {
                    close_by_rule(conn, case, "superseded", evidence.clone(), now).await?;
                    note_closed(subject.as_mut(), case, "superseded", payout.as_ref(), &mut changes);
                }
            }
            let is_closed_by_hand = known.iter().any(|case| {
                case.kind == kind.as_str()
                    && case.closed_by.as_deref().is_some_and(|by| by != "gateway")
                    && says_the_same(case, &evidence)
            });
            let recorded = if is_known {
                Recorded::Open
            } else if is_closed_by_hand && moved.open.is_zero() {
                Recorded::Closed
            } else {
                tracing::error!(account = %run.account_id, kind = kind.as_str(), reference = name, "a provider's report differs from our payouts");
                open_case(run, line, kind.as_str(), &name, evidence, subject.as_mut(), &mut changes);
                if kind == DifferenceKind::UnsentAtProvider {
                    moderate(subject.as_mut(), Reason::UnsentAtProvider, payout.as_ref(), &mut changes);
                }
                Recorded::Open
            };
            let told = self.write_ground(conn, ground, changes, now).await?;
            Ok::<(Recorded, Option<Told>), ReconcileError>((recorded, Some(told)))
        })
        .await?;
        if let Some(told) = told {
            self.tell(told);
        }
        Ok(recorded)
    }

    /// Both sides agree by now: what was open about it is closed, and what was booked of it is back.
    pub(super) async fn close_agreeing(&self, run: &Run, line: &Line) -> Result<(), ReconcileError> {
        let name = subject_of(&self.vault, line);
        let told = transaction(&self.db, async |conn| {
            let now = self.enter(conn, run).await?;
            let mut ground = self.lock_ground(conn, &keys_of(line)).await?;
            let mut changes = self.changes();
            let mut subject = ground.subjects().next();
            if let Some(ours) = &line.ours
                && unchanged(subject.as_ref(), ours).is_none()
            {
                return Ok(None);
            }
            let open: Vec<Case> = cases::of_subject(conn, run.account_id, &name)
                .await?
                .into_iter()
                .filter(|case| case.closed_at.is_none() && is_of_reconciliation(case))
                .collect();
            // A request that waits for a decision on it keeps its case, and what is booked for it.
            if open.iter().any(|case| waits_for(subject.as_ref(), &case.kind)) {
                return Ok(None);
            }
            let moved = book_surplus(conn, run, &name, None, Some(Decimal::ZERO), &mut changes, now).await?;
            let how = if moved.recovered.is_zero() { "agrees" } else { "returned" };
            for case in &open {
                close_by_rule(conn, case, how, evidence_of(&name, line, None, false), now).await?;
                note_closed(subject.as_mut(), case, how, None, &mut changes);
            }
            Ok::<Option<Told>, ReconcileError>(Some(self.write_ground(conn, ground, changes, now).await?))
        })
        .await?;
        if let Some(told) = told {
            self.tell(told);
        }
        Ok(())
    }

    /// A late success is back at the deposit account: its case is over. If a person has closed it in another way, they have to know.
    pub(super) async fn recover_late(
        &self,
        run: &Run,
        line: &Line,
        amount: Decimal,
    ) -> Result<Recorded, ReconcileError> {
        let Some(ours) = &line.ours else { return Ok(Recorded::Left) };
        let name = subject_of(&self.vault, line);
        let (recorded, told) = transaction(&self.db, async |conn| {
            let now = self.enter(conn, run).await?;
            let mut ground = self.lock_ground(conn, &keys_of(line)).await?;
            let mut changes = self.changes();
            let mut subject = ground.subjects().next();
            let Some(payout) = unchanged(subject.as_ref(), ours).cloned() else { return Ok((Recorded::Left, None)) };
            let cases_of = cases::of_payout(conn, ours.request_id, ours.payout_id, "late_success").await?;
            let Some(case) = cases_of.last() else { return Ok((Recorded::Left, None)) };
            match case.closing.as_deref() {
                None if waits_for(subject.as_ref(), &case.kind) => return Ok((Recorded::Left, None)),
                None => {
                    let reference = payout.id.0.simple().to_string();
                    if let Some(money) = late_success_money(conn, payout.tenant(), &reference).await? {
                        book_recovery(payout.tenant(), money, &case.id.simple().to_string(), &mut changes)?;
                    }
                    close_by_rule(conn, case, "returned", evidence_of(&name, line, None, false), now).await?;
                    note_closed(subject.as_mut(), case, "returned", Some(&payout), &mut changes);
                }
                Some("returned" | "recovered") => return Ok((Recorded::Closed, None)),
                Some(_) => return Ok((Recorded::Open, None)),
            }
            let told = self.write_ground(conn, ground, changes, now).await?;
            Ok::<(Recorded, Option<Told>), ReconcileError>((Recorded::Closed, Some(told)))
        })
        .await?;
        if let Some(told) = told {
            tracing::info!(payout = %ours.payout_id, %amount, "a late success came back");
            self.tell(told);
        }
        if recorded == Recorded::Open {
            return self.record_difference(run, line, DifferenceKind::ReturnDiffers, None).await;
        }
        Ok(recorded)
    }

    /// Enters a transaction of the run: nobody else's, until it ends.
    async fn enter(&self, conn: &AsyncPgConnection, run: &Run) -> Result<DateTime<Utc>, ReconcileError> {
        let now = self.clock.now();
        if !reconciliations::extend(conn, run.owner, run.id, now + RUN_LEASE).await? {
            return Err(ReconcileError::Lost);
        }
        Ok(now)
    }

    /// Where a surplus is booked, and how much of that account's currency it is: the payout's own deposit account, or the one that the
    /// provider account has in the payment's currency.
    async fn till_of(
        &self,
        conn: &AsyncPgConnection,
        run: &Run,
        payout: Option<&Payout>,
        surplus: Option<(Decimal, AssetCode)>,
    ) -> Result<(Option<Till>, Decimal), ReconcileError> {
        let Some((amount, currency)) = surplus else { return Ok((None, Decimal::ZERO)) };
        if let Some(payout) = payout {
            let till = Till {
                tenant: payout.tenant(),
                deposit_account: payout.deposit_account_id,
                asset: payout.placement.deposit_currency,
            };
            return Ok((Some(till), statistics::deposit_amount(&self.assets, payout, amount)?));
        }
        let found = reconciliations::deposit_for(conn, run.account_id, currency).await?;
        let till = found.map(|deposit_account| Till { tenant: run.owner, deposit_account, asset: currency });
        Ok((till, if till.is_some() { amount } else { Decimal::ZERO }))
    }
}

fn keys_of(line: &Line) -> Vec<(Tenant, PayoutRequestId)> {
    line.ours.iter().map(|ours| (ours.tenant, ours.request_id)).collect()
}

/// Brings what is booked of a reference to `target`: what left since is unmatched, what is back is recovered. What a person has closed
/// stays closed.
async fn book_surplus(
    conn: &AsyncPgConnection,
    run: &Run,
    name: &str,
    till: Option<Till>,
    target: Option<Decimal>,
    changes: &mut Changes,
    now: DateTime<Utc>,
) -> Result<Moved, ReconcileError> {
    let known = unmatched::lock(conn, run.account_id, name).await?;
    let mut row = match (known, till) {
        (Some(row), _) => row,
        (None, Some(till)) if target.is_some_and(|target| target > Decimal::ZERO) => Unmatched {
            partner_id: till.tenant.partner_id,
            mode: till.tenant.mode,
            id: Uuid::now_v7(),
            deposit_account_id: till.deposit_account,
            asset: till.asset,
            booked: Decimal::ZERO,
            closed: Decimal::ZERO,
            forgone: Decimal::ZERO,
            entries: 0,
        },
        (None, _) => return Ok(Moved::default()),
    };
    // Of another currency than what is booked, nothing can be told.
    let target = target.filter(|_| till.is_none_or(|till| till.asset == row.asset));
    let goal = target.map_or(row.booked, |target| target.max(row.closed));
    let by = exact::sub(goal, row.booked).map_err(GatewayError::from)?;
    let open = exact::sub(goal, row.closed).map_err(GatewayError::from)?;
    let mut moved = Moved { open, ..Moved::default() };
    if by.is_zero() {
        return Ok(moved);
    }
    let (deposit_account, asset) = (row.deposit_account_id, row.asset);
    let (tenant, reference) = (row.tenant(), row.next_entry());
    if by > Decimal::ZERO {
        let fiat = FiatSide { deposit_account, asset, amount: by };
        changes.entries.push(ledger::unmatched(tenant, fiat, &reference).map_err(GatewayError::from)?);
        changes.deposit(deposit_account, Decimal::ZERO, by)?;
    } else {
        book_recovery(tenant, OpenMoney { deposit_account, asset, amount: -by }, &reference, changes)?;
        moved.recovered = -by;
    }
    row.booked = goal;
    unmatched::write(conn, run.account_id, name, &row, now).await?;
    Ok(moved)
}

fn open_case(
    run: &Run,
    line: &Line,
    kind: &'static str,
    name: &str,
    evidence: Value,
    subject: Option<&mut Subject<'_>>,
    changes: &mut Changes,
) {
    let payout_id = line.ours.as_ref().map(|ours| ours.payout_id);
    if let Some(subject) = subject {
        let data = json!({"case": kind, "evidence": evidence, "source": "reconciliation"});
        changes.event(subject.request, payout_id, "case_opened", data);
    }
    changes.account_case(NewCase {
        tenant: line.ours.as_ref().map_or(run.owner, |ours| ours.tenant),
        kind,
        request_id: line.ours.as_ref().map(|ours| ours.request_id),
        payout_id,
        provider_account_id: Some(run.account_id),
        subject: Some(name.to_owned()),
        evidence,
    });
}

fn note_closed(
    subject: Option<&mut Subject<'_>>,
    case: &Case,
    how: &'static str,
    payout: Option<&Payout>,
    changes: &mut Changes,
) {
    let payout_id: Option<PayoutId> = case.payout_id.or(payout.map(|payout| payout.id));
    if let Some(subject) = subject {
        let data = json!({"case": case.kind, "how": how, "source": "reconciliation"});
        changes.event(subject.request, payout_id, "case_closed", data);
    }
}

/// Nothing more is sent of a request until a person has looked.
fn moderate(subject: Option<&mut Subject<'_>>, why: Reason, payout: Option<&Payout>, changes: &mut Changes) {
    let Some(subject) = subject else { return };
    // It takes the place of any other reason: nothing that a person may decide about those may send this.
    if subject.request.status.is_final() || subject.request.moderation_reason.as_deref() == Some(why.as_str()) {
        return;
    }
    subject.request.moderation_reason = Some(why.as_str().to_owned());
    changes.event(subject.request, payout.map(|payout| payout.id), "moderation_started", json!({"why": why.as_str()}));
}
