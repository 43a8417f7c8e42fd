//! Making payout requests: judged first, then written whole in one transaction - customer, request, card, hold, events and job - or
//! not at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::json;

use super::super::access::{Caller, Problem, Refusal};
use super::super::journal::{self, Draft};
use super::super::sealing::sealed_again;
use super::super::{Gateway, GatewayError};
use super::details::PlainCard;
use super::judge::Judged;
use super::new_request::{NewCustomer, NewRequest};
use super::terms::partner_total;
use crate::domain::asset::AssetCode;
use crate::domain::block::BlockKind;
use crate::domain::card::Iin;
use crate::domain::exact;
use crate::domain::ids::{CardId, CustomerId, PayoutRequestId, Tenant};
use crate::domain::ledger::{self, Entry, Holder};
use crate::domain::payout_request::{Funding, RequestStatus};
use crate::store::batches::{self, Batch, BatchProblem};
use crate::store::blocks::{self, Concerned, TwoPrints};
use crate::store::customers::CustomerDetails;
use crate::store::events::{self, Event};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::request_cards::{self, RequestCard};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
use crate::store::{accounts, cards, customers, entries, partner_requests};
use crate::vault::{CardOwner, RecordId};

/// What became of a request that was asked for.
#[derive(Clone, Debug)]
pub struct Submitted {
    pub request: PayoutRequest,
    /// `false`: the same was asked before under the same reference, and this is the original.
    pub is_new: bool,
}

/// A request ready to be written.
pub(super) struct Prepared {
    row: PayoutRequest,
    card: Option<RequestCard>,
    /// Of that card's number.
    prints: Option<TwoPrints>,
    customer: Option<NewCustomer>,
    event: Event,
    hold: Option<Entry>,
}

type Answer = Result<Submitted, Refusal>;

impl Gateway {
    /// Makes one payout request. The same reference asked for again with the same body answers the original.
    pub async fn create_request(&self, caller: &Caller, ask: NewRequest) -> Result<Submitted, Refusal> {
        let mut answers = self.create_requests(caller, std::slice::from_ref(&ask)).await?;
        answers.pop().unwrap_or_else(|| Err(GatewayError::Corrupt("a request had no answer".to_owned()).into()))
    }

    /// Makes requests of one partner, each on its own: one that is refused doesn't keep the others from being made. Answers are in
    /// the order of what was asked.
    pub async fn create_requests(&self, caller: &Caller, asked: &[NewRequest]) -> Result<Vec<Answer>, Refusal> {
        self.create_with(caller, asked, None).await
    }

    /// [`Gateway::create_requests`] with the batch that they are items of, in one transaction.
    pub(in crate::gateway) async fn create_with(
        &self,
        caller: &Caller,
        asked: &[NewRequest],
        batch: Option<&BatchDraft>,
    ) -> Result<Vec<Answer>, Refusal> {
        sealed_again(&self.vault, caller.tenant, || self.try_create_with(caller, asked, batch)).await
    }

    async fn try_create_with(
        &self,
        caller: &Caller,
        asked: &[NewRequest],
        batch: Option<&BatchDraft>,
    ) -> Result<Vec<Answer>, Refusal> {
        let now = self.clock.now();
        let tenant = caller.tenant;
        // Before a connection is held: this may need one itself.
        let terms = match self.terms_in_force(tenant).await {
            Ok(terms) => Some(terms),
            Err(GatewayError::TermsUnavailable(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let ground = {
            let mut conn = self.db.get().await?;
            self.submission_ground(&mut conn, tenant, asked, terms).await?
        };
        let mut answers: Vec<Option<Answer>> = Vec::with_capacity(asked.len());
        let mut prepared: Vec<(usize, Prepared)> = Vec::new();
        for (index, ask) in asked.iter().enumerate() {
            let answer = match ground.existing_of(ask) {
                Some(existing) => Some(self.repeated(ask, existing)),
                None => match self.judge(ask, &ground, now) {
                    Ok(judged) => {
                        prepared.push((index, self.prepare(caller, judged, now).await?));
                        None
                    }
                    Err(Refusal::Failed(error)) => return Err(error.into()),
                    Err(refusal) => Some(Err(refusal)),
                },
            };
            answers.push(answer);
        }
        if prepared.iter().any(|(_, one)| one.row.terms.callback_url.is_some()) {
            self.ensure_callbacks(tenant).await?;
        }
        let rows: Vec<&Prepared> = prepared.iter().map(|(_, one)| one).collect();
        let indexes: Vec<usize> = prepared.iter().map(|(index, _)| *index).collect();
        let written = if rows.is_empty() && batch.is_none() {
            Vec::new()
        } else {
            let answers = &answers;
            transaction(&self.db, async |conn| {
                let written = self.write_requests(conn, tenant, &rows, now).await?;
                if let Some(draft) = batch {
                    write_batch(conn, draft, answers, &indexes, &written).await?;
                }
                Ok::<_, Refusal>(written)
            })
            .await?
        };
        if rows.iter().any(|one| one.is_due()) {
            self.dispatch_hint.notify_waiters();
        }
        for ((index, _), outcome) in prepared.iter().zip(written) {
            let answer = match outcome {
                Written::New(row) => Ok(Submitted { request: *row, is_new: true }),
                Written::Existing(row) => match asked.get(*index) {
                    Some(ask) => self.repeated(ask, &row),
                    None => Err(reference_reused()),
                },
                Written::Refused(refusal) => Err(refusal),
            };
            if let Some(slot) = answers.get_mut(*index) {
                *slot = Some(answer);
            }
        }
        let missing = || Err(GatewayError::Corrupt("a request had no answer".to_owned()).into());
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(missing)).collect())
    }

    /// What a repeat of a reference is answered.
    fn repeated(&self, ask: &NewRequest, existing: &PayoutRequest) -> Answer {
        let same = existing.terms.body_mac.as_deref() == Some(ask.body_mac(&self.vault).as_slice());
        if same { Ok(Submitted { request: existing.clone(), is_new: false }) } else { Err(reference_reused()) }
    }

    /// Seals the card, and makes the first event and the hold.
    async fn prepare(&self, caller: &Caller, judged: Judged, now: DateTime<Utc>) -> Result<Prepared, Refusal> {
        let Judged { mut row, card, customer, missing } = judged;
        let (card, prints) = match card {
            Some(card) => {
                let prints = self.two_prints(row.tenant(), &card.pan).await?;
                (Some(self.seal_request_card(&row, &card, now).await?), Some(prints))
            }
            None => (None, None),
        };
        let hold = match row.funding {
            Funding::PartnerBalance => Some(hold_of(&row)?),
            Funding::OwnDeposit | Funding::WalletHold => None,
        };
        let missing: Vec<String> = missing.into_iter().map(|problem| problem.key).collect();
        let draft = Draft {
            payout_id: None,
            kind: "request_created",
            actor: "",
            data: json!({
                "amount": row.amount.to_string(),
                "currency": row.currency.as_str(),
                "point_amount": row.terms.point_amount.to_string(),
                "point_currency": row.terms.point_currency.as_str(),
                "fee": row.terms.fee.to_string(),
                "exchange": row.terms.exchange,
                "service": row.service,
                "funding": row.funding.as_str(),
                "missing": missing,
            }),
        };
        let event = journal::append_by(&self.vault, &mut row, draft, &caller.actor(), now);
        Ok(Prepared { row, card, prints, customer, event, hold })
    }

    /// A card in the vault's envelopes, bound to the request's row.
    pub(super) async fn seal_request_card(
        &self,
        row: &PayoutRequest,
        card: &PlainCard,
        now: DateTime<Utc>,
    ) -> Result<RequestCard, Refusal> {
        let owner = CardOwner { tenant: row.tenant(), customer_id: None, record: RecordId::from(row.id.0) };
        let failed = |error: crate::vault::VaultError| {
            Refusal::Failed(GatewayError::Corrupt(format!("sealing the card of request {}: {error}", row.id)))
        };
        let sealed = self.vault.seal_card(&owner, &card.pan, &card.holder).await.map_err(failed)?;
        Ok(RequestCard {
            partner_id: row.partner_id,
            mode: row.mode,
            request_id: row.id,
            fingerprint: self.vault.fingerprint(row.tenant(), &card.pan).0.to_vec(),
            fingerprint_key_id: self.vault.fingerprint_key_id().to_owned(),
            scheme: card.scheme,
            iin: Iin::of(&card.pan, self.iin_digits).as_str().to_owned(),
            last_four: card.pan.last_four().to_owned(),
            expiry_year: i16::try_from(card.expiry.year).unwrap_or(i16::MAX),
            expiry_month: i16::from(card.expiry.month),
            pan_sealed: Some(sealed.pan.0),
            holder_sealed: sealed.holder.0,
            destroyed_at: None,
            created_at: now,
        })
    }

    async fn write_requests(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: Tenant,
        prepared: &[&Prepared],
        now: DateTime<Utc>,
    ) -> Result<Vec<Written>, Refusal> {
        let known = upsert_customers(conn, tenant, prepared, now).await?;
        let (usable, blocked) = self.usable_cards(conn, tenant, prepared, &known, now).await?;
        let affordable = affordable(conn, tenant, prepared).await?;
        let mut outcomes: Vec<Option<Written>> = Vec::with_capacity(prepared.len());
        let mut rows: Vec<PayoutRequest> = Vec::with_capacity(prepared.len());
        for ((one, affordable), blocked) in prepared.iter().zip(affordable).zip(blocked) {
            let mut row = one.row.clone();
            let refusal = match one.customer.as_ref().map(|customer| known.get(customer.reference_id.as_str())) {
                Some(Some((_, true))) => Some(Refusal::conflict("CUSTOMER_BLOCKED", "the customer is blocked")),
                Some(Some((id, false))) => {
                    row.customer_id = Some(*id);
                    None
                }
                Some(None) => Some(GatewayError::Corrupt("a customer was not written".to_owned()).into()),
                None => None,
            };
            let refusal = refusal.or_else(|| match row.card_id {
                Some(card) if !usable.contains(&card) => {
                    Some(Refusal::invalid("/data/attributes/token", "UNKNOWN_CARD", "there is no such card"))
                }
                _ => None,
            });
            let refusal = refusal.or_else(|| blocked.map(blocked_refusal));
            let refusal = refusal.or_else(|| (!affordable).then(insufficient_funds));
            outcomes.push(refusal.map(Written::Refused));
            if outcomes.last().is_some_and(Option::is_none) {
                rows.push(row);
            }
        }
        let new: BTreeSet<PayoutRequestId> = requests::insert_new(conn, &rows).await?.into_iter().collect();
        let lost: Vec<String> =
            rows.iter().filter(|row| !new.contains(&row.id)).map(|row| row.reference_id.clone()).collect();
        let existing: BTreeMap<String, PayoutRequest> = partner_requests::by_references(conn, tenant, lost)
            .await?
            .into_iter()
            .map(|row| (row.reference_id.clone(), row))
            .collect();
        let made: Vec<&&Prepared> = prepared.iter().filter(|one| new.contains(&one.row.id)).collect();
        self.write_around(conn, &made, now).await?;
        let mut rows: HashMap<PayoutRequestId, PayoutRequest> = rows.into_iter().map(|row| (row.id, row)).collect();
        let answer = |(one, refused): (&&Prepared, Option<Written>)| match (refused, rows.remove(&one.row.id)) {
            (Some(refused), _) => refused,
            (None, Some(row)) if new.contains(&row.id) => Written::New(Box::new(row)),
            (None, Some(row)) => match existing.get(&row.reference_id) {
                Some(existing) => Written::Existing(Box::new(existing.clone())),
                None => Written::Refused(reference_reused()),
            },
            (None, None) => Written::Refused(reference_reused()),
        };
        Ok(prepared.iter().zip(outcomes).map(answer).collect())
    }

    /// Those of the wallet's cards that are still there, kept there until the transaction ends; and what blocks each request now.
    async fn usable_cards(
        &self,
        conn: &AsyncPgConnection,
        tenant: Tenant,
        prepared: &[&Prepared],
        known: &BTreeMap<String, (CustomerId, bool)>,
        now: DateTime<Utc>,
    ) -> Result<(BTreeSet<CardId>, Vec<Option<BlockKind>>), Refusal> {
        let tokens: BTreeSet<CardId> = prepared.iter().filter_map(|one| one.row.card_id).collect();
        let prints = prepared.iter().filter_map(|one| one.prints.clone()).collect();
        let concerned: Vec<Concerned> = prepared
            .iter()
            .map(|one| Concerned {
                card_id: one.row.card_id,
                number: one.card.as_ref().map(|card| (card.fingerprint.clone(), card.iin.clone())),
                customer_id: match &one.customer {
                    Some(customer) => known.get(customer.reference_id.as_str()).map(|(id, _)| *id),
                    None => one.row.customer_id,
                },
            })
            .collect();
        let (usable, (), blocked) = tokio::try_join!(
            biased;
            async { Ok::<_, Refusal>(cards::lock_usable(conn, tenant, tokens.into_iter().collect()).await?) },
            async { Ok(blocks::spread(conn, tenant, prints).await?) },
            async { Ok(self.blocked(conn, tenant, &concerned, now).await?) },
        )?;
        Ok((usable.into_iter().collect(), blocked))
    }

    /// What stands beside new rows: cards, holds, first events, jobs.
    async fn write_around(
        &self,
        conn: &AsyncPgConnection,
        made: &[&&Prepared],
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let sealed: Vec<RequestCard> = made.iter().filter_map(|one| one.card.clone()).collect();
        let holds: Vec<Entry> = made.iter().filter_map(|one| one.hold.clone()).collect();
        let log: Vec<Event> = made.iter().map(|one| one.event.clone()).collect();
        let due: Vec<NewJob> = made.iter().filter(|one| one.is_due()).map(|one| dispatch_job(&one.row, now)).collect();
        tokio::try_join!(
            biased;
            request_cards::insert(conn, &sealed),
            events::insert(conn, &log),
            jobs::insert(conn, &due, now),
        )?;
        // Last, since the partner's balance is the one row that all of its requests share.
        book_holds(conn, &holds, now).await
    }
}

/// What became of a row that was to be written.
enum Written {
    New(Box<PayoutRequest>),
    /// Somebody else was faster with the same reference.
    Existing(Box<PayoutRequest>),
    Refused(Refusal),
}

impl Prepared {
    /// Whether it is to be dispatched at once.
    fn is_due(&self) -> bool {
        self.row.status == RequestStatus::Ready && self.row.terms.auto_process
    }
}

/// A batch about to be written with its items.
pub(in crate::gateway) struct BatchDraft {
    pub batch: Batch,
    /// The file's line of each request that is asked for.
    pub lines: Vec<i32>,
    /// What was wrong with lines that became no request.
    pub problems: Vec<BatchProblem>,
}

/// Writes a batch down with all that was wrong with its lines.
async fn write_batch(
    conn: &AsyncPgConnection,
    draft: &BatchDraft,
    answers: &[Option<Answer>],
    indexes: &[usize],
    written: &[Written],
) -> Result<(), Refusal> {
    let mut problems = draft.problems.clone();
    let reused = || vec![Problem::new("/data/attributes/reference_id", "REFERENCE_REUSED", "the reference is taken")];
    for (answer, line) in answers.iter().zip(&draft.lines) {
        match answer {
            Some(Ok(_)) => problems.extend(lines_of(draft, *line, reused())),
            Some(Err(refusal)) => problems.extend(lines_of(draft, *line, problems_of(refusal))),
            None => {}
        }
    }
    for (index, outcome) in indexes.iter().zip(written) {
        let line = draft.lines.get(*index).copied().unwrap_or(1);
        match outcome {
            Written::New(_) => {}
            Written::Existing(_) => problems.extend(lines_of(draft, line, reused())),
            Written::Refused(refusal) => problems.extend(lines_of(draft, line, problems_of(refusal))),
        }
    }
    batches::insert(conn, &draft.batch).await?;
    batches::insert_problems(conn, &problems).await?;
    Ok(())
}

fn problems_of(refusal: &Refusal) -> Vec<Problem> {
    match refusal {
        Refusal::Invalid(problems) => problems.clone(),
        Refusal::Conflict { code, detail } | Refusal::Forbidden { code, detail } => {
            vec![Problem::new("", code, detail.clone())]
        }
        Refusal::NotFound { what } => vec![Problem::new("", "NOT_FOUND", format!("there is no such {what}"))],
        Refusal::Failed(_) => vec![Problem::new("", "INTERNAL_ERROR", "could not be made")],
    }
}

fn lines_of(draft: &BatchDraft, line: i32, problems: Vec<Problem>) -> Vec<BatchProblem> {
    let column = |pointer: &str| {
        let name = pointer.strip_prefix("/data/attributes/")?.replace('/', ".");
        (!name.is_empty()).then_some(name)
    };
    problems
        .into_iter()
        .zip(0_i16..)
        .map(|(problem, number)| BatchProblem {
            partner_id: draft.batch.partner_id,
            mode: draft.batch.mode,
            batch_id: draft.batch.id,
            line,
            number,
            field: column(&problem.pointer),
            code: problem.code.into_owned(),
            detail: problem.detail,
        })
        .collect()
}

pub(super) fn dispatch_job(row: &PayoutRequest, now: DateTime<Utc>) -> NewJob {
    NewJob { tenant: row.tenant(), kind: JobKind::Dispatch, subject_id: row.id.0, run_at: now, claimed: false }
}

fn hold_of(row: &PayoutRequest) -> Result<Entry, GatewayError> {
    let reference = row.id.0.simple().to_string();
    Ok(ledger::hold(row.tenant(), Holder::Partner, row.terms.point_currency, partner_total(row)?, &reference)?)
}

fn reference_reused() -> Refusal {
    Refusal::conflict("REFERENCE_REUSED", "the reference stands for a request with another body")
}

pub(super) fn insufficient_funds() -> Refusal {
    Refusal::conflict("INSUFFICIENT_FUNDS", "the partner's balance doesn't cover amount and fee")
}

/// Books what moves a partner's balance: one that would fall below zero, or was never filled, is told as such.
pub(super) async fn book_holds(conn: &AsyncPgConnection, holds: &[Entry], now: DateTime<Utc>) -> Result<(), Refusal> {
    use diesel::result::{DatabaseErrorKind, Error};
    match entries::book(conn, holds, now).await {
        Ok(()) => Ok(()),
        Err(Error::NotFound | Error::DatabaseError(DatabaseErrorKind::CheckViolation, _)) => Err(insufficient_funds()),
        Err(error) => Err(error.into()),
    }
}

/// The customers that requests name, by their references: written down or brought up to date. With each, whether it is blocked.
async fn upsert_customers(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    prepared: &[&Prepared],
    now: DateTime<Utc>,
) -> Result<BTreeMap<String, (CustomerId, bool)>, Refusal> {
    let mut named: BTreeMap<&str, CustomerDetails> = BTreeMap::new();
    for customer in prepared.iter().filter_map(|one| one.customer.as_ref()) {
        let details = CustomerDetails {
            reference: customer.reference_id.clone(),
            email: customer.email.clone(),
            name: customer.name.clone(),
            country: customer.country.clone(),
            metadata: customer.metadata.clone().map(serde_json::Value::Object),
        };
        named.insert(&customer.reference_id, details);
    }
    let named: Vec<CustomerDetails> = named.into_values().collect();
    let found = customers::upsert(conn, tenant, &named, now).await?;
    Ok(found.into_iter().map(|row| (row.reference, (row.id, row.blocked_at.is_some()))).collect())
}

/// What is told of a payout that the block list keeps from being made.
pub(super) fn blocked_refusal(by: BlockKind) -> Refusal {
    match by {
        BlockKind::Customer => Refusal::conflict("CUSTOMER_BLOCKED", "the customer is blocked"),
        BlockKind::Card | BlockKind::Iin | BlockKind::Country => {
            Refusal::conflict("CARD_BLOCKED", "the card, its issuer or a country that it has to do with is blocked")
        }
    }
}

/// Which of several requests the partner's balances carry, one after the other. One alone is left to the ledger to refuse, so that
/// its balance is locked no longer than needed.
async fn affordable(conn: &AsyncPgConnection, tenant: Tenant, prepared: &[&Prepared]) -> Result<Vec<bool>, Refusal> {
    let paid_by_partner = |one: &&&Prepared| one.hold.is_some();
    if prepared.iter().filter(paid_by_partner).count() < 2 {
        return Ok(vec![true; prepared.len()]);
    }
    let currencies: BTreeSet<AssetCode> =
        prepared.iter().filter(paid_by_partner).map(|one| one.row.terms.point_currency).collect();
    let keys: Vec<_> =
        currencies.into_iter().map(|currency| (tenant, Holder::Partner.available(currency).id(tenant))).collect();
    let mut left: HashMap<uuid::Uuid, Decimal> = accounts::lock_balances(conn, &keys).await?;
    let mut carried = Vec::with_capacity(prepared.len());
    for one in prepared {
        if one.hold.is_none() {
            carried.push(true);
            continue;
        }
        let total = partner_total(&one.row)?;
        let account = Holder::Partner.available(one.row.terms.point_currency).id(tenant);
        let balance = left.entry(account).or_default();
        let covers = *balance >= total;
        if covers {
            *balance = exact::sub(*balance, total).map_err(GatewayError::from)?;
        }
        carried.push(covers);
    }
    Ok(carried)
}
