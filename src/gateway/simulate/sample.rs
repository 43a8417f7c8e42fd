//! A sample request: one that nobody made.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Decided, whole};
use crate::domain::card::{CardScheme, Iin, IinDigits};
use crate::domain::ids::{CustomerId, PayoutPointId, PayoutRequestId, Tenant};
use crate::domain::payout_request::{Funding, RequestStatus, SplitMode};
use crate::domain::routing::{Facts, Scheme};
use crate::gateway::dispatch::{Wish, card_facts, choose_by, customer_facts, facts_of};
use crate::gateway::manage::Attributes;
use crate::gateway::manage::form::Form;
use crate::gateway::route_book::Snapshot;
use crate::gateway::{Gateway, GatewayError};
use crate::store::customers::RoutedCustomer;
use crate::store::requests::{PayoutRequest, RequestTerms};

const KNOWN: &[&str] =
    &["service", "service_amount", "card", "customer", "metadata", "at", "split_mode", "payout_request_id"];
const CUSTOMER: &[&str] = &["reference_id", "kyc_level", "country", "metadata", "paid_count", "failed_count"];
const COUNT_MAX: i64 = 1_000_000_000;

/// A request that nobody made, with what conditions look at beside it.
pub struct Sample {
    row: PayoutRequest,
    scheme: Option<CardScheme>,
    iin: String,
    customer: Option<RoutedCustomer>,
    at: DateTime<Utc>,
}

/// `None` only after a problem was told.
pub fn read(
    form: &mut Form<'_>,
    given: &Attributes,
    tenant: Tenant,
    snapshot: &Snapshot,
    gateway: &Gateway,
) -> Option<Sample> {
    let mut inner = Form::create(given, KNOWN, &["service", "service_amount"]);
    let code = inner.text("service", 64);
    let service = code.and_then(|code| {
        let found = snapshot.service(tenant.mode, &code);
        if found.is_none() {
            inner.add("service", "UNKNOWN_SERVICE", format!("is a payout service of {} mode", tenant.mode));
        }
        found
    });
    let scale = service.and_then(|service| gateway.assets.get(service.currency)).map_or(18, |asset| asset.scale);
    let amount = inner.amount("service_amount", scale);
    if amount.is_some_and(|amount| amount.is_zero()) {
        inner.add("service_amount", "OUT_OF_RANGE", "is above zero");
    }
    let mut card = (None, String::new());
    if let Some(given) = inner.object("card") {
        let mut card_form = Form::create(given, &["scheme", "iin"], &[]);
        let schemes = CardScheme::ALL.map(CardScheme::as_str).join(", ");
        card.0 = card_form.parsed::<CardScheme>("scheme", &format!("one of {schemes}"));
        if let Some(iin) = card_form.text("iin", 8) {
            if Iin::parse(&iin).is_err() {
                card_form.add("iin", "INVALID_VALUE", "is the first six or eight digits of a card number");
            }
            card.1 = iin;
        }
        inner.adopt("card", card_form);
    }
    let customer = inner.object("customer").map(|given| {
        let mut customer_form = Form::create(given, CUSTOMER, &[]);
        let customer = read_customer(&mut customer_form, tenant);
        inner.adopt("customer", customer_form);
        customer
    });
    let metadata = inner.object("metadata").cloned().map_or_else(|| json!({}), Value::Object);
    let at: Option<DateTime<Utc>> = inner.parsed("at", "a time like 2030-12-31T23:59:59Z");
    let split_mode = inner.parsed::<SplitMode>("split_mode", "never, auto or always");
    let id: Option<PayoutRequestId> = inner.parsed("payout_request_id", "the id of a payout request (porq_...)");
    form.adopt("sample", inner);
    let (service, amount) = (service?, amount?);
    let now = gateway.clock.now();
    let terms = RequestTerms {
        metadata,
        split_mode: split_mode.unwrap_or_default(),
        ..RequestTerms::plain(amount, service.currency)
    };
    let row = PayoutRequest {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id: id.unwrap_or_else(PayoutRequestId::new),
        point_id: PayoutPointId(Uuid::nil()),
        reference_id: String::new(),
        customer_id: None,
        card_id: None,
        offer_id: None,
        // Whoever owns the scheme owns the routes.
        funding: Funding::OwnDeposit,
        service: service.code.to_string(),
        amount,
        currency: service.currency,
        fields: json!({}),
        description: None,
        status: RequestStatus::Ready,
        resolution: None,
        amount_processed: Decimal::ZERO,
        amount_returned: Decimal::ZERO,
        attempts_limit: 1,
        attempts_made: 0,
        allow_partially: false,
        stop_requested: None,
        moderation_reason: None,
        expires_at: now,
        event_seq: 0,
        event_mac: Vec::new(),
        created_at: now,
        updated_at: now,
        final_at: None,
        terms,
    };
    Some(Sample { row, scheme: card.0, iin: card.1, customer, at: at.unwrap_or(now) })
}

fn read_customer(form: &mut Form<'_>, tenant: Tenant) -> RoutedCustomer {
    let count = |form: &mut Form<'_>, name: &str| form.integer(name, 0..=COUNT_MAX).and_then(|n| i32::try_from(n).ok());
    RoutedCustomer {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id: CustomerId(Uuid::nil()),
        reference: form.text("reference_id", 255).unwrap_or_default(),
        kyc_level: form.integer("kyc_level", 0..=3).and_then(|n| i16::try_from(n).ok()).unwrap_or_default(),
        country: form.text("country", 2),
        metadata: form.object("metadata").cloned().map_or_else(|| json!({}), Value::Object),
        paid_count: count(form, "paid_count").unwrap_or_default(),
        failed_count: count(form, "failed_count").unwrap_or_default(),
    }
}

impl Gateway {
    pub(super) async fn decide_sample(
        &self,
        owner: Tenant,
        snapshot: &Snapshot,
        scheme: &Arc<Scheme>,
        sample: Sample,
    ) -> Result<Decided, GatewayError> {
        let rows = [sample.row];
        let ground = self.ground_for(snapshot, scheme, &rows, self.clock.now()).await?;
        let [row] = &rows;
        // No more than what is kept of real ones.
        let kept = match self.iin_digits {
            IinDigits::Six => sample.iin.get(..6).unwrap_or_default(),
            IinDigits::Eight => &sample.iin,
        };
        let facts = Facts {
            card: card_facts(sample.scheme, kept, ground.issuers.find(kept)),
            customer: sample.customer.as_ref().map(customer_facts).unwrap_or_default(),
            ..facts_of(row, None, None, None, ground.amount_reference(row), sample.at)
        };
        let routes = ground.routes_of(owner);
        choose_by(scheme, &Wish::of(row), &whole(row.amount), routes, &facts, &ground.statistics).map(Decided::of)
    }
}
