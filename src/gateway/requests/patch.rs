//! Changing a request: its attempts and whether a part will do, until it is over; its fields, while they are waited for; and an
//! item of a batch altogether, until it is processed.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::super::access::{Caller, Refusal};
use super::super::complete::Changes;
use super::super::complete::conclude::Conclusion;
use super::super::sealing::sealed_again;
use super::super::{Gateway, GatewayError};
use super::cancel::{is_over, locked};
use super::create::{blocked_refusal, book_holds, dispatch_job};
use super::details::details_of;
use super::ground::Ground;
use super::new_request::NewRequest;
use super::terms::partner_total;
use super::words::Problems;
use crate::domain::ids::PayoutRequestId;
use crate::domain::ledger::{self, Holder};
use crate::domain::moderation::Reason;
use crate::domain::payout_point::ATTEMPTS;
use crate::domain::payout_request::{Funding, RequestEvent, RequestStatus};
use crate::store::blocks::{self, Concerned, TwoPrints};
use crate::store::jobs::{self, JobKind};
use crate::store::request_cards::{self, RequestCard};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
use crate::store::{entries, partner_requests};

/// What is to be changed; what is `None` stays.
#[derive(Clone, Default)]
pub struct Patch {
    pub attempts_limit: Option<u16>,
    pub allow_partially: Option<bool>,
    /// Added to what was given, field by field; a card's fields only all together.
    pub fields: Option<Map<String, Value>>,
    /// Of an item of a batch only.
    pub service_amount: Option<Decimal>,
    /// Of an item of a batch only.
    pub description: Option<String>,
    /// The language in which the fields' hints are told.
    pub language: Option<String>,
}

impl Patch {
    fn edits_item(&self) -> bool {
        self.service_amount.is_some() || self.description.is_some()
    }
}

/// What a change comes to, before it is written.
struct Change {
    row: PayoutRequest,
    card: Option<RequestCard>,
    /// Of that card's number.
    prints: Option<TwoPrints>,
}

impl Gateway {
    /// Changes a request and answers it as it then is.
    pub async fn patch_request(
        &self,
        caller: &Caller,
        id: PayoutRequestId,
        patch: &Patch,
    ) -> Result<PayoutRequest, Refusal> {
        let tenant = caller.tenant;
        let ground = {
            let mut conn = self.db.get().await?;
            let found = requests::find(&conn, tenant, id).await?;
            let row = found.ok_or(Refusal::NotFound { what: "payout request" })?;
            let asked = [NewRequest::new(row.point_id, row.service.clone())];
            // What the card holder reads was settled when it came in.
            self.submission_ground(&mut conn, tenant, &asked, None).await?
        };
        let actor = caller.actor();
        let row = sealed_again(&self.vault, tenant, || {
            transaction(&self.db, async |conn| self.patch_in(conn, &ground, id, patch, &actor).await)
        })
        .await?;
        if takes_a_part(&row) {
            self.conclude(&[Conclusion { tenant, request_id: id, no_route: None }]).await?;
            let conn = self.db.get().await?;
            return Ok(requests::find(&conn, tenant, id).await?.unwrap_or(row));
        }
        if row.status == RequestStatus::Ready && row.terms.auto_process {
            self.dispatch_hint.notify_waiters();
        }
        Ok(row)
    }

    async fn patch_in(
        &self,
        conn: &mut AsyncPgConnection,
        ground: &Ground,
        id: PayoutRequestId,
        patch: &Patch,
        actor: &str,
    ) -> Result<PayoutRequest, Refusal> {
        let now = self.clock.now();
        let before = locked(conn, ground.tenant, id).await?;
        if before.status.is_final() {
            return Err(is_over(before.status));
        }
        let is_queued = !jobs::epochs(conn, &[(ground.tenant, JobKind::Dispatch, id.0)]).await?.is_empty();
        let is_item = before.terms.batch_id.is_some() && !is_queued && before.status == RequestStatus::Ready;
        let waits = before.status == RequestStatus::WaitingDetails;
        if patch.fields.is_some() && !waits && !is_item {
            return Err(Refusal::conflict("FIELDS_FIXED", "fields change only while details are waited for"));
        }
        let may_edit = is_item || (waits && before.terms.batch_id.is_some());
        if patch.edits_item() && !may_edit {
            let detail = "amount and description change only of an item of a batch that isn't processed yet";
            return Err(Refusal::conflict("NOT_EDITABLE", detail));
        }
        let Change { mut row, card, prints } = self.changed(&before, ground, patch, now).await?;
        if let Some(card) = &card {
            // A number that was supplied later is held against the list as one that came at once.
            blocks::spread(conn, row.tenant(), prints.into_iter().collect()).await?;
            let number = Some((card.fingerprint.clone(), card.iin.clone()));
            let concerned = Concerned { card_id: None, number, customer_id: row.customer_id };
            if let Some(by) = self.blocked(conn, row.tenant(), &[concerned], now).await?.into_iter().flatten().next() {
                return Err(blocked_refusal(by));
            }
        }
        let mut changes = Changes::default();
        let mut data = json!({});
        if row.attempts_limit != before.attempts_limit {
            data["attempts_limit"] = json!([before.attempts_limit, row.attempts_limit]);
        }
        if row.allow_partially != before.allow_partially {
            data["allow_partially"] = json!([before.allow_partially, row.allow_partially]);
        }
        if row.amount != before.amount {
            data["amount"] = json!([before.amount.to_string(), row.amount.to_string()]);
            data["point_amount"] = json!([before.terms.point_amount.to_string(), row.terms.point_amount.to_string()]);
        }
        if row.description != before.description {
            data["description"] = json!(true);
        }
        if let Some(fields) = &patch.fields {
            data["fields"] = json!(fields.keys().filter(|key| !is_unknown(ground, &row, key)).collect::<Vec<_>>());
        }
        if data == json!({}) {
            return Ok(before);
        }
        let kind = if patch.fields.is_some() { "details_supplied" } else { "request_changed" };
        changes.event_by(&self.vault, &mut row, actor, kind, data, now);
        if row.funding == Funding::PartnerBalance && partner_total(&row)? != partner_total(&before)? {
            self.hold_anew(conn, &before, &row, now).await?;
        }
        partner_requests::write_details(conn, &row).await?;
        requests::write(conn, std::slice::from_ref(&row), now).await?;
        request_cards::insert(conn, card.as_slice()).await?;
        // That a part will do is looked at as soon as this is written; the job stands for that look if its process dies first.
        if (waits && row.status == RequestStatus::Ready && row.terms.auto_process) || takes_a_part(&row) {
            jobs::insert(conn, &[dispatch_job(&row, now)], now).await?;
        }
        changes.write(self, conn, now).await?;
        Ok(row)
    }

    async fn changed(
        &self,
        before: &PayoutRequest,
        ground: &Ground,
        patch: &Patch,
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        let mut row = before.clone();
        let mut problems = Problems::default();
        if let Some(limit) = patch.attempts_limit {
            // Tries are counted by part: one below what was made already ends a part with its present try.
            if !ATTEMPTS.contains(&limit) {
                let detail = format!("is {} to {}", ATTEMPTS.start(), ATTEMPTS.end());
                problems.add("options/attempts_limit", "OUT_OF_RANGE", detail);
            } else if row.terms.single_route_id.is_some() && limit != 1 {
                problems.add("options/attempts_limit", "OUT_OF_RANGE", "a single payout has one attempt");
            }
            row.attempts_limit = i16::try_from(limit).unwrap_or(i16::MAX);
        }
        row.allow_partially = patch.allow_partially.unwrap_or(row.allow_partially);
        if let Some(description) = &patch.description {
            problems.text("description", description, 500);
            row.description = Some(description.clone());
        }
        let corrupt = |what: &str| GatewayError::Corrupt(format!("request {}: its {what} is gone", row.id));
        let mut plain = None;
        if let Some(fields) = &patch.fields {
            let service = ground.services.get(&row.service).ok_or_else(|| corrupt("service"))?;
            let mut given = row.fields.as_object().cloned().unwrap_or_default();
            given.extend(fields.clone());
            let names_card = fields.keys().any(|key| service.field(key).is_some_and(|field| field.kind.is_card()));
            let language = patch.language.as_deref().unwrap_or("en");
            // A ready item keeps the card it has unless a new one is given.
            let keeps_card = row.status == RequestStatus::Ready && !names_card;
            let stand_in = row.card_id.or(keeps_card.then_some(crate::domain::ids::CardId(0)));
            let details = details_of(&given, service, stand_in, language, now, &mut problems);
            if let Some(details) = details {
                row.fields = details.fields;
                if row.status == RequestStatus::WaitingDetails && details.missing.is_empty() {
                    let ready = row.status.apply(RequestEvent::MadeReady);
                    row.status = ready.map_err(|error| GatewayError::Request(before.id, error))?;
                } else if row.status == RequestStatus::Ready && !details.missing.is_empty() {
                    problems.0.extend(details.missing.iter().map(super::details::problem_of));
                }
                plain = details.card;
            }
        }
        if let Some(amount) = patch.service_amount {
            let point = ground.points.get(&row.point_id).ok_or_else(|| corrupt("payout point"))?;
            let service = ground.services.get(&row.service).ok_or_else(|| corrupt("service"))?;
            let mut ask = NewRequest::new(row.point_id, row.service.clone());
            ask.service_amount = Some(amount);
            ask.point_currency = Some(row.terms.point_currency);
            if let Some(amounts) = self.amounts(&ask, point, service, row.mode, now, &mut problems)? {
                row.amount = amounts.service.amount();
                row.terms.point_amount = amounts.point.amount();
                row.terms.fee = if row.funding == Funding::PartnerBalance { amounts.fee } else { Decimal::ZERO };
                row.terms.exchange = amounts.exchange;
            }
        }
        if !problems.0.is_empty() {
            return Err(Refusal::Invalid(problems.0));
        }
        let (card, prints) = match plain {
            Some(card) => {
                let prints = self.two_prints(row.tenant(), &card.pan).await?;
                (Some(self.seal_request_card(&row, &card, now).await?), Some(prints))
            }
            None => (None, None),
        };
        Ok(Change { row, card, prints })
    }

    /// The old hold goes back and the new one is taken, both under the number of the change.
    async fn hold_anew(
        &self,
        conn: &AsyncPgConnection,
        before: &PayoutRequest,
        after: &PayoutRequest,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let reference = format!("{}.{}", after.id.0.simple(), after.event_seq);
        let currency = after.terms.point_currency;
        let failed = |error: ledger::LedgerError| Refusal::Failed(error.into());
        let back = ledger::release(after.tenant(), Holder::Partner, currency, partner_total(before)?, &reference);
        entries::book(conn, &[back.map_err(failed)?], now).await?;
        let hold = ledger::hold(after.tenant(), Holder::Partner, currency, partner_total(after)?, &reference);
        book_holds(conn, &[hold.map_err(failed)?], now).await
    }
}

/// Whether a name is none of the service's fields: it isn't repeated then.
/// Whether the caller has answered what a person was to decide: a part will do.
fn takes_a_part(row: &PayoutRequest) -> bool {
    row.allow_partially && row.moderation_reason.as_deref() == Some(Reason::PartlyPaid.as_str())
}

fn is_unknown(ground: &Ground, row: &PayoutRequest, key: &str) -> bool {
    ground.services.get(&row.service).is_none_or(|service| service.field(key).is_none())
}
