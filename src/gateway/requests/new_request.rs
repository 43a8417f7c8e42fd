//! What a partner asks for, as it came in, and the one text by which a repeat is compared.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::super::journal::canonical_json;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{BatchId, CardId, PayoutPointId, PayoutRequestId, RouteId};
use crate::domain::payout_request::SplitMode;
use crate::vault::Vault;

/// A payout request to be made. What is `None` was not said.
#[derive(Clone)]
pub struct NewRequest {
    pub point_id: PayoutPointId,
    /// What the partner is charged, before the fee, in `point_currency`. It or `service_amount`, or both if they agree.
    pub point_amount: Option<Decimal>,
    pub point_currency: Option<AssetCode>,
    /// `method_currency`; of a single payout it may be empty, and is then the route's.
    pub service: String,
    /// What is to be paid out, in the service's currency.
    pub service_amount: Option<Decimal>,
    /// Must agree with the key's mode if it is said.
    pub test_mode: Option<bool>,
    /// As they came: they can hold a card number.
    pub fields: Map<String, Value>,
    /// A card of the wallet, instead of a card's fields.
    pub token: Option<CardId>,
    /// Required in live mode.
    pub reference_id: Option<String>,
    /// The id that stands for this very call, however often it is made: it tells the request again where no reference does.
    pub once_id: Option<PayoutRequestId>,
    pub description: Option<String>,
    pub callback_url: Option<String>,
    pub customer: Option<NewCustomer>,
    pub metadata: Map<String, Value>,
    pub options: RequestOptions,
    /// A single payout on this route: no routing, no failover.
    pub single_route_id: Option<RouteId>,
    /// The batch that it is an item of, and its row.
    pub batch: Option<(BatchId, i32)>,
    /// The language in which the fields' hints are told.
    pub language: String,
}

/// The partner's customer that a request is for: written down on first sight, and brought up to date by later ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewCustomer {
    /// The partner's own.
    pub reference_id: String,
    pub email: Option<String>,
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub metadata: Option<Map<String, Value>>,
}

/// A request's options; what is `None` is the payout point's default, and without one the installation's.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RequestOptions {
    pub attempts_limit: Option<u16>,
    pub attempts_per_route_limit: Option<u16>,
    pub allow_partially: Option<bool>,
    pub auto_process: Option<bool>,
    pub split_mode: Option<SplitMode>,
    pub parallel_mode: Option<bool>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewRequest {
    /// What the request is known by, if anything: its reference, or what stands in its place.
    pub(super) fn known_as(&self) -> Option<String> {
        self.reference_id.clone().or_else(|| self.once_id.map(|id| id.to_string()))
    }

    /// A request for `service` through a point, with nothing else said.
    pub fn new(point_id: PayoutPointId, service: impl Into<String>) -> Self {
        Self {
            point_id,
            point_amount: None,
            point_currency: None,
            service: service.into(),
            service_amount: None,
            test_mode: None,
            fields: Map::new(),
            token: None,
            reference_id: None,
            once_id: None,
            description: None,
            callback_url: None,
            customer: None,
            metadata: Map::new(),
            options: RequestOptions::default(),
            single_route_id: None,
            batch: None,
            language: "en".to_owned(),
        }
    }

    /// HMAC of everything that was asked: the same reference with another is another request.
    pub(super) fn body_mac(&self, vault: &Vault) -> [u8; 32] {
        let amount = |amount: Option<Decimal>| amount.map(|amount| amount.normalize().to_string());
        let options = &self.options;
        let asked = json!({
            "point_id": self.point_id,
            "point_amount": amount(self.point_amount),
            "point_currency": self.point_currency.map(|code| code.to_string()),
            "service": self.service,
            "service_amount": amount(self.service_amount),
            "fields": self.fields,
            "token": self.token.map(|token| token.to_string()),
            "reference_id": self.reference_id,
            "description": self.description,
            "callback_url": self.callback_url,
            "customer": self.customer.as_ref().map(|customer| json!({
                "reference_id": customer.reference_id,
                "email": customer.email,
                "name": customer.name,
                "country": customer.country,
                "metadata": customer.metadata,
            })),
            "metadata": self.metadata,
            "attempts_limit": options.attempts_limit,
            "attempts_per_route_limit": options.attempts_per_route_limit,
            "allow_partially": options.allow_partially,
            "auto_process": options.auto_process,
            "split_mode": options.split_mode.map(SplitMode::as_str),
            "parallel_mode": options.parallel_mode,
            "expires_at": options.expires_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)),
            "single_route_id": self.single_route_id,
        });
        let text = Zeroizing::new(canonical_json(&asked));
        vault.body_hmac(text.as_bytes())
    }
}

impl fmt::Debug for NewRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRequest")
            .field("point_id", &self.point_id)
            .field("service", &self.service)
            .field("point_amount", &self.point_amount)
            .field("service_amount", &self.service_amount)
            .field("fields", &self.fields.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
