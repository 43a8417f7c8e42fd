//! Whether a request may be made, and what it becomes. Decides; writes nothing.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::access::Refusal;
use super::super::journal::CHAIN_START;
use super::super::{Gateway, GatewayError};
use super::details::{PlainCard, check_token, details_of};
use super::ground::{Ground, PointGround};
use super::new_request::{NewCustomer, NewRequest};
use super::words::Problems;
use crate::domain::ids::{Mode, PayoutRequestId};
use crate::domain::payout_point::{ATTEMPTS, EXPIRES_IN_SECS};
use crate::domain::payout_request::{RequestEvent, RequestStatus};
use crate::domain::service::{FieldProblem, Service};
use crate::store::requests::{PayoutRequest, RequestTerms};
use crate::torture::{self, Rule};

/// A request that may be made, all but its customer's id.
pub(super) struct Judged {
    pub row: PayoutRequest,
    pub card: Option<PlainCard>,
    pub customer: Option<NewCustomer>,
    pub missing: Vec<FieldProblem>,
}

impl Gateway {
    pub(super) fn judge(&self, ask: &NewRequest, ground: &Ground, now: DateTime<Utc>) -> Result<Judged, Refusal> {
        let mut problems = Problems::default();
        let tenant = ground.tenant;
        if ask.test_mode.is_some_and(|test| test != (tenant.mode == Mode::Test)) {
            let detail = format!("the key is one of {} mode", tenant.mode);
            problems.add("test_mode", "MODE_MISMATCH", detail);
        }
        let Some(point) = ground.points.get(&ask.point_id) else {
            problems.add("point_id", "UNKNOWN_POINT", "there is no such payout point");
            return Err(Refusal::Invalid(problems.0));
        };
        let service = self.service_of_ask(ask, ground, &mut problems);
        self.check_words(ask, tenant.mode, &mut problems);
        let Some(service) = service else { return Err(Refusal::Invalid(problems.0)) };
        let amounts = self.amounts(ask, point, service, tenant.mode, now, &mut problems);
        let id = ask.once_id.filter(|_| ask.reference_id.is_none()).unwrap_or_else(PayoutRequestId::new);
        let card_id = check_token(ask, ground, service, now, &mut problems);
        let details = details_of(&ask.fields, service, card_id, &ask.language, now, &mut problems);
        let mut row = self.row_of(ask, id, ground, point, service, now, &mut problems);
        // What the state forbids is told once nothing is wrong with the request itself.
        if !problems.0.is_empty() {
            return Err(Refusal::Invalid(problems.0));
        }
        if ground.terms.is_none() {
            return Err(GatewayError::TermsUnavailable(tenant).into());
        }
        if !point.enabled {
            return Err(Refusal::conflict("POINT_DISABLED", "the payout point is disabled"));
        }
        if !service.enabled {
            return Err(Refusal::conflict("SERVICE_DISABLED", "the service is disabled"));
        }
        let (Some(amounts), Some(details)) = (amounts?, details) else {
            return Err(Refusal::Failed(GatewayError::Corrupt("a problem was not told".to_owned())));
        };
        row.amount = amounts.service.amount();
        row.terms.point_amount = amounts.point.amount();
        row.terms.point_currency = amounts.point.asset().code;
        row.terms.fee = amounts.fee;
        row.terms.exchange = amounts.exchange;
        row.card_id = card_id;
        row.customer_id = card_id.and_then(|id| ground.cards.get(&id)).map(|card| card.customer_id);
        row.fields = details.fields;
        let event = if details.missing.is_empty() { RequestEvent::MadeReady } else { RequestEvent::DetailsMissing };
        row.status = row.status.apply(event).map_err(|error| GatewayError::Request(id, error))?;
        let customer = ask.customer.clone();
        Ok(Judged { row, card: details.card, customer, missing: details.missing })
    }

    fn service_of_ask<'g>(&self, ask: &NewRequest, ground: &'g Ground, problems: &mut Problems) -> Option<&'g Service> {
        let mut code = ask.service.as_str();
        if let Some(route_id) = ask.single_route_id {
            match ground.routes.get(&route_id) {
                None => {
                    problems.add("route_id", "UNKNOWN_ROUTE", "there is no such payout route");
                    return None;
                }
                Some(route) if code.is_empty() || code == route.service => code = &route.service,
                Some(route) => {
                    let detail = format!("the route serves {}", route.service);
                    problems.add("service", "ROUTE_MISMATCH", detail);
                }
            }
        }
        let service = ground.services.get(code);
        if service.is_none() {
            problems.add("service", "UNKNOWN_SERVICE", "there is no such payout service");
        }
        service
    }

    fn check_words(&self, ask: &NewRequest, mode: Mode, problems: &mut Problems) {
        match &ask.reference_id {
            Some(reference) => {
                problems.reference("reference_id", reference, 128);
                // Under these stand the requests of the wallet's offers.
                if reference.starts_with("offer-") {
                    problems.add(
                        "reference_id",
                        "RESERVED_REFERENCE",
                        "references that begin with offer- are the wallet's",
                    );
                }
            }
            None if mode == Mode::Live && ask.batch.is_none() => {
                problems.add("reference_id", "REFERENCE_REQUIRED", "is required in live mode");
            }
            None => {}
        }
        if let Some(description) = &ask.description {
            problems.text("description", description, 500);
        }
        if let Some(url) = &ask.callback_url {
            problems.callback_url("callback_url", url, mode);
        }
        problems.metadata("metadata", &ask.metadata);
        if let Some(customer) = &ask.customer {
            check_customer(customer, problems);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what one row is made of")]
    fn row_of(
        &self,
        ask: &NewRequest,
        id: PayoutRequestId,
        ground: &Ground,
        point: &PointGround,
        service: &Service,
        now: DateTime<Utc>,
        problems: &mut Problems,
    ) -> PayoutRequest {
        let (options, defaults) = (&ask.options, &point.options);
        let mut attempts = |attribute: &str, asked: Option<u16>, default: u16| {
            let count = asked.unwrap_or(default);
            if !ATTEMPTS.contains(&count) {
                let detail = format!("is {} to {}", ATTEMPTS.start(), ATTEMPTS.end());
                problems.add(&format!("options/{attribute}"), "OUT_OF_RANGE", detail);
            }
            i16::try_from(count).unwrap_or(i16::MAX)
        };
        let by_default = defaults.attempts_limit.unwrap_or(self.settings.attempts_limit);
        let mut attempts_limit = attempts("attempts_limit", options.attempts_limit, by_default);
        let per_route = defaults.attempts_per_route_limit.unwrap_or(1);
        let per_route = attempts("attempts_per_route_limit", options.attempts_per_route_limit, per_route);
        let expires_in = defaults.expires_in_secs.unwrap_or(self.settings.request_ttl_secs);
        let expires_at = options.expires_at.unwrap_or(now + TimeDelta::seconds(i64::from(expires_in)));
        let latest = now + TimeDelta::seconds(i64::from(*EXPIRES_IN_SECS.end()));
        if options.expires_at.is_some_and(|at| at <= now || at > latest) {
            problems.add("options/expires_at", "OUT_OF_RANGE", "lies ahead, by 90 days at most");
        }
        if ask.single_route_id.is_some() {
            attempts_limit = 1;
        }
        let reference_id = match (&ask.reference_id, ask.batch) {
            (Some(reference), _) => reference.clone(),
            (None, Some((batch, row))) => format!("{batch}-{row}"),
            (None, None) => id.to_string(),
        };
        let reference_id = if torture::is_off(Rule::Idempotency) && ask.reference_id.is_some() {
            format!("{reference_id}.{}", id.0.simple())
        } else {
            reference_id
        };
        let split_mode = options.split_mode.or(defaults.split_mode).unwrap_or_default();
        let mut terms = RequestTerms::plain(Decimal::ONE, service.currency);
        terms.metadata = Value::Object(ask.metadata.clone());
        terms.callback_url = ask.callback_url.clone().or_else(|| point.callback_url.clone());
        terms.attempts_per_route_limit = per_route;
        terms.auto_process = options.auto_process.or(defaults.auto_process).unwrap_or(true);
        terms.split_mode = if ask.single_route_id.is_some() { Default::default() } else { split_mode };
        terms.parallel_mode = options.parallel_mode.or(defaults.parallel_mode).unwrap_or(false);
        terms.single_route_id = ask.single_route_id;
        terms.batch_id = ask.batch.map(|(batch, _)| batch);
        terms.batch_row = ask.batch.map(|(_, row)| row);
        terms.body_mac = Some(ask.body_mac(&self.vault).to_vec());
        terms.statement_descriptor = ground.descriptor();
        PayoutRequest {
            partner_id: ground.tenant.partner_id,
            mode: ground.tenant.mode,
            id,
            point_id: ask.point_id,
            reference_id,
            customer_id: None,
            card_id: None,
            offer_id: None,
            funding: point.funding,
            service: service.code.to_string(),
            amount: Decimal::ONE,
            currency: service.currency,
            fields: json!({}),
            description: ask.description.clone(),
            status: RequestStatus::Created,
            resolution: None,
            amount_processed: Decimal::ZERO,
            amount_returned: Decimal::ZERO,
            attempts_limit,
            attempts_made: 0,
            allow_partially: options.allow_partially.or(defaults.allow_partially).unwrap_or(false),
            stop_requested: None,
            moderation_reason: None,
            expires_at,
            event_seq: 0,
            event_mac: CHAIN_START.to_vec(),
            created_at: now,
            updated_at: now,
            final_at: None,
            terms,
        }
    }
}

fn check_customer(customer: &NewCustomer, problems: &mut Problems) {
    problems.reference("customer/reference_id", &customer.reference_id, 128);
    if let Some(email) = &customer.email {
        problems.text("customer/email", email, 254);
        if email.len() < 3 || email.matches('@').count() != 1 || email.contains(char::is_whitespace) {
            problems.add("customer/email", "INVALID_EMAIL", "is no e-mail address");
        }
    }
    if let Some(name) = &customer.name {
        problems.text("customer/name", name, 200);
    }
    if let Some(country) = &customer.country
        && (country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()))
    {
        problems.add("customer/country", "INVALID_COUNTRY", "is two capital letters (ISO 3166-1 alpha-2)");
    }
    if let Some(metadata) = &customer.metadata {
        problems.metadata("customer/metadata", metadata);
    }
}
