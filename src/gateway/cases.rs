//! Cases about money, closed by hand: what came back is booked, what never will is written off, what was right is explained. A case is
//! closed once, with a reason, in one transaction with its entries, its event and its audit row.
//!
//! What becomes of a payout request that waits in moderation isn't decided here; while it waits for the case, the case stays open.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::access::audit::{self, Action, Author, Gate};
use super::complete::{Changes, Told};
use super::moderation::Decider;
use super::{Gateway, GatewayError};
use crate::domain::asset::AssetCode;
use crate::domain::exact;
use crate::domain::ids::{DepositAccountId, Tenant};
use crate::domain::ledger::{self, Entry, EntryKind, FiatSide};
use crate::store::cases::{self, Case, Closing};
use crate::store::error::DbError;
use crate::store::retry::{TransactionError, transaction};
use crate::store::unmatched::{self, Unmatched};

/// The longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 1_000;

/// How a person closes a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseClosing {
    pub end: CaseEnd,
    /// Why, in words; required.
    pub reason: String,
    /// What shows it: a bank's statement, a provider's ticket.
    pub evidence: Option<Value>,
}

/// What became of the money that a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseEnd {
    /// What is open of it came back to the deposit account, or never will: both together are all that is open, in its currency.
    Settled {
        #[serde(with = "rust_decimal::serde::str")]
        recovered: Decimal,
        #[serde(with = "rust_decimal::serde::str")]
        written_off: Decimal,
    },
    /// No money is missing: the payment was rightly made, or what differed is understood.
    Explained,
}

impl CaseEnd {
    const fn how(self) -> &'static str {
        match self {
            CaseEnd::Settled { recovered, written_off } if written_off.is_zero() && !recovered.is_zero() => "recovered",
            CaseEnd::Settled { recovered, .. } if recovered.is_zero() => "written_off",
            CaseEnd::Settled { .. } => "recovered_in_part",
            CaseEnd::Explained => "explained",
        }
    }

    /// What of `open` doesn't come back.
    const fn forgone(self, open: Decimal) -> Decimal {
        match self {
            CaseEnd::Settled { written_off, .. } => written_off,
            CaseEnd::Explained => open,
        }
    }
}

/// What is booked for a case and neither back nor written off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenMoney {
    pub deposit_account: DepositAccountId,
    pub asset: AssetCode,
    pub amount: Decimal,
}

/// Why a case isn't closed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CaseRefusal {
    #[error("no case {0}")]
    NotFound(Uuid),
    #[error("a case is closed with a reason of 1 to {REASON_CHARS_MAX} characters")]
    NoReason,
    #[error("the case was closed already, as {how} by {by}")]
    ClosedAlready { how: String, by: String },
    #[error("its payout request waits for a decision on it: decide about the request first")]
    RequestWaits,
    #[error("{open} {asset} is open; what came back and what is written off don't come to that")]
    Amounts { open: Decimal, asset: AssetCode },
    #[error("nothing is booked for this case that could come back: explain it, or correct the payout")]
    NothingBooked,
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl From<DbError> for CaseRefusal {
    fn from(error: DbError) -> Self {
        CaseRefusal::Gateway(error.into())
    }
}

impl From<diesel::result::Error> for CaseRefusal {
    fn from(error: diesel::result::Error) -> Self {
        CaseRefusal::Gateway(error.into())
    }
}

impl TransactionError for CaseRefusal {
    fn db_error(&self) -> Option<&DbError> {
        match self {
            CaseRefusal::Gateway(error) => error.db_error(),
            _ => None,
        }
    }
}

impl Gateway {
    /// Closes a case by a person's word. The same closing again changes nothing more.
    pub async fn close_case(
        &self,
        decider: &Decider,
        case_id: Uuid,
        closing: CaseClosing,
    ) -> Result<Case, CaseRefusal> {
        self.close_case_through(&Gate::Open, decider, case_id, closing).await
    }

    /// The same through a gate.
    pub(super) async fn close_case_through(
        &self,
        gate: &Gate,
        decider: &Decider,
        case_id: Uuid,
        closing: CaseClosing,
    ) -> Result<Case, CaseRefusal> {
        let actor = decider.actor.as_str();
        if closing.reason.trim().is_empty() || closing.reason.chars().count() > REASON_CHARS_MAX {
            return Err(CaseRefusal::NoReason);
        }
        let known = {
            let conn = self.db.get().await?;
            cases::find(&conn, case_id).await?.ok_or(CaseRefusal::NotFound(case_id))?
        };
        self.snapshot().await?;
        let told = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let keys: Vec<_> = known.request_id.map(|id| (known.tenant(), id)).into_iter().collect();
            let mut ground = self.lock_ground(conn, &keys).await?;
            // Before its case, as reconciliation has it.
            let money = self.lock_open_money(conn, &known).await?;
            let case = cases::lock(conn, known.tenant(), case_id).await?.ok_or(CaseRefusal::NotFound(case_id))?;
            // Named anew meanwhile: its money was looked for under the old name.
            if case.subject != known.subject {
                return Err(GatewayError::from(DbError::Conflict("the case's name".into())).into());
            }
            if let (Some(how), Some(by)) = (&case.closing, &case.closed_by) {
                let is_same = how == closing.end.how() && case.closing_reason.as_ref() == Some(&closing.reason);
                let (how, by) = (how.clone(), by.clone());
                return if is_same { Ok(None) } else { Err(CaseRefusal::ClosedAlready { how, by }) };
            }
            let waits = |subject: &super::complete::Subject<'_>| {
                !subject.request.status.is_final() && subject.request.moderation_reason.as_ref() == Some(&case.kind)
            };
            if ground.subjects().any(|subject| waits(&subject)) {
                return Err(CaseRefusal::RequestWaits);
            }
            let mut changes = self.changes();
            let booked = book_end(&case, money.as_ref().map(|(open, _)| *open), closing.end, &mut changes)?;
            if let Some((open, Some(mut row))) = money
                && let (Some(account_id), Some(subject)) = (case.provider_account_id, &case.subject)
            {
                row.closed = exact::add(row.closed, open.amount).map_err(GatewayError::from)?;
                let forgone = closing.end.forgone(open.amount);
                row.forgone = exact::add(row.forgone, forgone).map_err(GatewayError::from)?;
                unmatched::write(conn, account_id, subject, &row, now).await?;
            }
            let done = Closing {
                how: closing.end.how(),
                by: actor.to_owned(),
                reason: Some(closing.reason.clone()),
                evidence: closing.evidence.clone(),
            };
            if !cases::close(conn, case.tenant(), case_id, done, now).await? {
                return Err(CaseRefusal::NotFound(case_id));
            }
            let mut data = json!({"case": case.kind, "how": closing.end.how(), "reason": closing.reason});
            if let (Value::Object(fields), Value::Object(booked)) = (&mut data, booked) {
                fields.extend(booked);
            }
            for subject in ground.subjects() {
                changes.event_by(&self.vault, subject.request, actor, "case_closed", data.clone(), now);
            }
            let told = self.write_ground(conn, ground, changes, now).await?;
            let (tenant, origin, gate) = (case.tenant(), decider.origin.clone(), gate.clone());
            let author = Author { tenant, actor: actor.to_owned(), origin, gate };
            let action = Action {
                action: "case.close",
                object: case_id.simple().to_string(),
                before: Some(json!({"kind": case.kind, "evidence": case.evidence})),
                after: Some(json!({"closing": data, "evidence": closing.evidence})),
                result: audit::DONE,
            };
            audit::record(conn, &author, action, now).await?;
            Ok::<Option<Told>, CaseRefusal>(Some(told))
        })
        .await?;
        if let Some(told) = told {
            self.tell(told);
        }
        let conn = self.db.get().await?;
        cases::find(&conn, case_id).await?.ok_or(CaseRefusal::NotFound(case_id))
    }

    /// What is open of a case's money, if anything was booked for it.
    pub async fn open_money(&self, case: &Case) -> Result<Option<OpenMoney>, GatewayError> {
        transaction(&self.db, async |conn| {
            Ok::<_, GatewayError>(self.lock_open_money(conn, case).await?.map(|(open, _)| open))
        })
        .await
    }

    /// With the row that keeps it, where a provider's report made the case.
    async fn lock_open_money(
        &self,
        conn: &AsyncPgConnection,
        case: &Case,
    ) -> Result<Option<(OpenMoney, Option<Unmatched>)>, GatewayError> {
        if let ("late_success", Some(payout_id)) = (case.kind.as_str(), case.payout_id) {
            let open = late_success_money(conn, case.tenant(), &payout_id.0.simple().to_string()).await?;
            return Ok(open.map(|open| (open, None)));
        }
        let (Some(account_id), Some(subject)) = (case.provider_account_id, &case.subject) else { return Ok(None) };
        let Some(row) = unmatched::lock(conn, account_id, subject).await? else { return Ok(None) };
        let amount = exact::sub(row.booked, row.closed)?;
        let open = OpenMoney { deposit_account: row.deposit_account_id, asset: row.asset, amount };
        Ok(Some((open, Some(row))).filter(|_| !amount.is_zero()))
    }
}

/// What the late success of a payout made recoverable and didn't come back by itself.
pub(super) async fn late_success_money(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    reference: &str,
) -> Result<Option<OpenMoney>, GatewayError> {
    let Some(paid) = unmatched::booked(conn, tenant, EntryKind::LateSuccess, reference).await? else { return Ok(None) };
    let Some(deposit_account) = paid.deposit_account_id else { return Ok(None) };
    // What the provider said came back of it is booked already, below zero.
    let back = unmatched::booked(conn, tenant, EntryKind::Recovery, reference).await?;
    let amount = exact::add(paid.amount, back.map_or(Decimal::ZERO, |fiat| fiat.amount))?;
    Ok(Some(OpenMoney { deposit_account, asset: paid.asset, amount }).filter(|open| !open.amount.is_zero()))
}

/// Books how a case ends, and answers what was booked, for its event.
fn book_end(case: &Case, open: Option<OpenMoney>, end: CaseEnd, changes: &mut Changes) -> Result<Value, CaseRefusal> {
    let (tenant, reference) = (case.tenant(), case.id.simple().to_string());
    match (end, open) {
        (CaseEnd::Explained, None) => Ok(json!({})),
        (CaseEnd::Explained, Some(open)) => {
            changes.entries.push(explained(tenant, open, &reference)?);
            Ok(json!({"explained": open.amount.to_string(), "currency": open.asset.as_str()}))
        }
        (CaseEnd::Settled { .. }, None) => Err(CaseRefusal::NothingBooked),
        (CaseEnd::Settled { recovered, written_off }, Some(open)) => {
            let sum = exact::add(recovered, written_off).map_err(GatewayError::from)?;
            let is_negative = [recovered, written_off].iter().any(|amount| *amount < Decimal::ZERO);
            if is_negative || sum != open.amount {
                return Err(CaseRefusal::Amounts { open: open.amount, asset: open.asset });
            }
            if !recovered.is_zero() {
                book_recovery(tenant, OpenMoney { amount: recovered, ..open }, &reference, changes)?;
            }
            if !written_off.is_zero() {
                let entry = ledger::write_off(tenant, open.asset, written_off, &reference);
                changes.entries.push(entry.map_err(GatewayError::from)?);
            }
            Ok(json!({
                "recovered": recovered.to_string(),
                "written_off": written_off.to_string(),
                "currency": open.asset.as_str(),
            }))
        }
    }
}

/// Recoverable fiat is back at its deposit account.
pub(super) fn book_recovery(
    tenant: Tenant,
    money: OpenMoney,
    reference: &str,
    changes: &mut Changes,
) -> Result<(), GatewayError> {
    let fiat = FiatSide { deposit_account: money.deposit_account, asset: money.asset, amount: money.amount };
    changes.entries.push(ledger::recovery(tenant, fiat, reference)?);
    changes.deposit(money.deposit_account, Decimal::ZERO, -money.amount)
}

fn explained(tenant: Tenant, open: OpenMoney, reference: &str) -> Result<Entry, GatewayError> {
    Ok(ledger::explained(tenant, open.asset, open.amount, reference)?)
}

/// Closes a case by a rule: what differed is so no longer.
pub(super) async fn close_by_rule(
    conn: &mut AsyncPgConnection,
    case: &Case,
    how: &'static str,
    evidence: Value,
    now: DateTime<Utc>,
) -> Result<bool, GatewayError> {
    let closing = Closing { how, by: "gateway".to_owned(), reason: None, evidence: Some(evidence) };
    Ok(cases::close(conn, case.tenant(), case.id, closing, now).await?)
}
