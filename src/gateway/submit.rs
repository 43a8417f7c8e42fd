//! Submitting a payout request: its row, its first event and its job, made ready for the transaction that causes it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::json;

use super::journal::{self, CHAIN_START, Draft};
use super::{Gateway, GatewayError};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{CardId, CustomerId, OfferId, PayoutPointId, PayoutRequestId, Tenant};
use crate::domain::moderation::Reason;
use crate::domain::offer::{RuleResult, RuleVerdict};
use crate::domain::payout_request::{Funding, RequestEvent, RequestStatus};
use crate::store::cases::{self, NewCase};
use crate::store::events::{self, Event};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::requests::{self, PayoutRequest, RequestTerms};

/// What the wallet asks for when an offer is accepted: an exact fiat amount to a vaulted card.
#[derive(Clone, Debug)]
pub struct WalletSubmission {
    pub tenant: Tenant,
    pub id: PayoutRequestId,
    pub point_id: PayoutPointId,
    pub offer_id: OfferId,
    pub customer_id: CustomerId,
    pub card_id: CardId,
    /// In units of `currency`.
    pub amount: Decimal,
    pub currency: AssetCode,
    /// What the card holder reads, by the partner's terms; `None`: what the provider account says.
    pub statement_descriptor: Option<String>,
    /// Nothing is sent before a person has decided; `None`: it goes on its way.
    pub stop: Option<Stop>,
}

/// Why a person has to look at a request before anything is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Names of rules and what a screening said, for the case.
    pub why: Vec<String>,
}

impl Stop {
    /// What rules that refuse nothing want looked at.
    pub fn by_rules(rules: &[RuleResult]) -> Option<Self> {
        let wants_a_person = |rule: &&RuleResult| rule.verdict == RuleVerdict::Moderate;
        let why: Vec<String> = rules.iter().filter(wants_a_person).map(|rule| rule.rule.clone()).collect();
        (!why.is_empty()).then_some(Self { why })
    }
}

/// The service that pays `currency` to a card: `card_eur`.
pub fn card_service(currency: AssetCode) -> String {
    format!("card_{}", currency.as_str().to_ascii_lowercase())
}

/// The reference under which an offer's request stands: unique for good, so that an offer is paid by one request.
pub fn offer_reference(offer_id: OfferId) -> String {
    format!("offer-{offer_id}")
}

impl Gateway {
    /// Writes requests down that are ready to be dispatched, within the caller's transaction.
    pub async fn submit(
        &self,
        conn: &AsyncPgConnection,
        submissions: &[WalletSubmission],
        now: DateTime<Utc>,
    ) -> Result<(), GatewayError> {
        let mut rows: Vec<PayoutRequest> = Vec::with_capacity(submissions.len());
        let mut log: Vec<Event> = Vec::with_capacity(submissions.len());
        let mut stopped: Vec<NewCase> = Vec::new();
        for submission in submissions {
            let (mut row, event) = self.request_of(submission, now)?;
            log.push(event);
            if let Some(stop) = &submission.stop {
                let (case, event) = self.stop_before_it_begins(&mut row, stop, now)?;
                stopped.push(case);
                log.push(event);
            }
            rows.push(row);
        }
        let due: Vec<NewJob> = rows
            .iter()
            .filter(|row| row.moderation_reason.is_none())
            .map(|row| NewJob {
                tenant: row.tenant(),
                kind: JobKind::Dispatch,
                subject_id: row.id.0,
                run_at: now,
                claimed: false,
            })
            .collect();
        tokio::try_join!(
            biased;
            requests::insert(conn, &rows),
            events::insert(conn, &log),
            jobs::insert(conn, &due, now),
            cases::open(conn, stopped, now),
        )?;
        Ok(())
    }

    /// A request that waits for a person from its first moment: it has no job that could begin it, in the very transaction that makes it.
    fn stop_before_it_begins(
        &self,
        row: &mut PayoutRequest,
        stop: &Stop,
        now: DateTime<Utc>,
    ) -> Result<(NewCase, Event), GatewayError> {
        let why = Reason::Screening.as_str();
        let status = row.status.apply(RequestEvent::DispatchStarted);
        row.status = status.map_err(|error| GatewayError::Request(row.id, error))?;
        row.moderation_reason = Some(why.to_owned());
        let evidence = json!({"amount": row.amount.to_string(), "currency": row.currency.as_str(), "rules": stop.why});
        let case = NewCase {
            tenant: row.tenant(),
            kind: why,
            request_id: Some(row.id),
            payout_id: None,
            provider_account_id: None,
            subject: None,
            evidence: evidence.clone(),
        };
        let data = json!({"why": why, "evidence": evidence});
        let draft = Draft { payout_id: None, kind: "moderation_started", actor: "wallet", data };
        let event = journal::append(&self.vault, row, draft, now);
        Ok((case, event))
    }

    fn request_of(
        &self,
        submission: &WalletSubmission,
        now: DateTime<Utc>,
    ) -> Result<(PayoutRequest, Event), GatewayError> {
        let status = RequestStatus::Created
            .apply(RequestEvent::MadeReady)
            .map_err(|error| GatewayError::Request(submission.id, error))?;
        let mut row = PayoutRequest {
            partner_id: submission.tenant.partner_id,
            mode: submission.tenant.mode,
            id: submission.id,
            point_id: submission.point_id,
            reference_id: offer_reference(submission.offer_id),
            customer_id: Some(submission.customer_id),
            card_id: Some(submission.card_id),
            offer_id: Some(submission.offer_id),
            funding: Funding::WalletHold,
            service: card_service(submission.currency),
            amount: submission.amount,
            currency: submission.currency,
            fields: json!({}),
            description: None,
            status,
            resolution: None,
            amount_processed: Decimal::ZERO,
            amount_returned: Decimal::ZERO,
            attempts_limit: i16::try_from(self.settings.attempts_limit).unwrap_or(i16::MAX),
            attempts_made: 0,
            // What reached the card of a wallet's payout can't be taken back: the rest is released to the user.
            allow_partially: true,
            stop_requested: None,
            moderation_reason: None,
            expires_at: now + TimeDelta::seconds(i64::from(self.settings.request_ttl_secs)),
            event_seq: 0,
            event_mac: CHAIN_START.to_vec(),
            created_at: now,
            updated_at: now,
            final_at: None,
            terms: RequestTerms {
                statement_descriptor: submission.statement_descriptor.clone(),
                ..RequestTerms::plain(submission.amount, submission.currency)
            },
        };
        let draft = Draft {
            payout_id: None,
            kind: "request_created",
            actor: "wallet",
            data: json!({
                "offer_id": submission.offer_id,
                "amount": submission.amount.to_string(),
                "currency": submission.currency.as_str(),
                "service": row.service,
                "funding": row.funding.as_str(),
            }),
        };
        let event = journal::append(&self.vault, &mut row, draft, now);
        Ok((row, event))
    }
}
