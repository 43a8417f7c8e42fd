//! What new requests are judged by, read once for all of them: points with their exchange schemes, services, routes, cards, and
//! the requests that stand under their references already.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use diesel_async::AsyncPgConnection;
use serde_json::Value;

use super::super::{Gateway, GatewayError};
use super::new_request::NewRequest;
use crate::domain::asset::AssetCode;
use crate::domain::exchange::ExchangeScheme;
use crate::domain::ids::{CardId, Mode, PayoutPointId, RouteId, Tenant};
use crate::domain::payout_point::PointOptions;
use crate::domain::payout_request::Funding;
use crate::domain::service::Service;
use crate::domain::terms::TermsInForce;
use crate::store::cards::{self, Card};
use crate::store::requests::PayoutRequest;
use crate::store::submissions::{self, SubmissionPoint, SubmissionRoute, SubmissionService};
use crate::store::{customers, partner_requests};

/// A payout point as a request meets it.
pub(super) struct PointGround {
    pub partner_code: String,
    pub enabled: bool,
    pub currencies: Vec<AssetCode>,
    pub funding: Funding,
    pub callback_url: Option<String>,
    pub options: PointOptions,
    pub exchange: Option<(u32, ExchangeScheme)>,
}

/// Everything that was read.
pub(super) struct Ground {
    pub tenant: Tenant,
    pub points: BTreeMap<PayoutPointId, PointGround>,
    pub services: BTreeMap<String, Service>,
    pub routes: BTreeMap<RouteId, SubmissionRoute>,
    pub cards: BTreeMap<CardId, Card>,
    /// The customers of those cards, by the partner's own reference.
    pub card_owners: HashMap<CardId, String>,
    /// By reference.
    pub existing: BTreeMap<String, PayoutRequest>,
    /// What the partner goes by; `None`: that can't be told, and nothing new is taken.
    pub terms: Option<Arc<TermsInForce>>,
}

impl Ground {
    /// What the card holder reads of a new request.
    pub fn descriptor(&self) -> Option<String> {
        self.terms.as_ref()?.descriptor.as_ref().map(ToString::to_string)
    }

    /// A reference's request, if there is one already.
    pub fn existing_of(&self, ask: &NewRequest) -> Option<&PayoutRequest> {
        self.existing.get(&ask.known_as()?)
    }
}

impl Gateway {
    pub(super) async fn submission_ground(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: Tenant,
        asked: &[NewRequest],
        terms: Option<Arc<TermsInForce>>,
    ) -> Result<Ground, GatewayError> {
        let distinct = |texts: BTreeSet<String>| texts.into_iter().collect::<Vec<_>>();
        let points: BTreeSet<PayoutPointId> = asked.iter().map(|ask| ask.point_id).collect();
        let routes: BTreeSet<RouteId> = asked.iter().filter_map(|ask| ask.single_route_id).collect();
        let references = asked.iter().filter_map(NewRequest::known_as).collect();
        let tokens: BTreeSet<CardId> = asked.iter().filter_map(|ask| ask.token).collect();
        let mut codes: BTreeSet<String> = asked.iter().map(|ask| ask.service.clone()).collect();
        let routes = submissions::routes(conn, tenant, routes.into_iter().collect()).await?;
        codes.extend(routes.iter().map(|route| route.service.clone()));
        let (points, services, existing) = {
            let conn = &*conn;
            tokio::try_join!(
                biased;
                submissions::points(conn, tenant, points.into_iter().collect()),
                submissions::services(conn, tenant, distinct(codes)),
                partner_requests::by_references(conn, tenant, distinct(references)),
            )?
        };
        let keys: Vec<(Tenant, CardId)> = tokens.into_iter().map(|token| (tenant, token)).collect();
        let found = cards::find_all(conn, &keys).await?;
        let owners: Vec<_> = found.iter().map(|card| card.customer_id).collect();
        let owners: HashMap<_, _> = customers::of_ids(conn, tenant, owners)
            .await?
            .into_iter()
            .map(|customer| (customer.id, customer.reference))
            .collect();
        let card_owners =
            found.iter().filter_map(|card| Some((card.id, owners.get(&card.customer_id)?.clone()))).collect();
        let mut by_code = BTreeMap::new();
        for row in services {
            // The tenant's own service comes first and stands.
            if !by_code.contains_key(&row.code) {
                by_code.insert(row.code.clone(), service_of(row)?);
            }
        }
        let mut by_id = BTreeMap::new();
        for row in points {
            by_id.insert(row.id, self.point_of(tenant.mode, row)?);
        }
        Ok(Ground {
            tenant,
            points: by_id,
            services: by_code,
            routes: routes.into_iter().map(|route| (route.id, route)).collect(),
            cards: found.into_iter().map(|card| (card.id, card)).collect(),
            card_owners,
            existing: existing.into_iter().map(|row| (row.reference_id.clone(), row)).collect(),
            terms,
        })
    }

    fn point_of(&self, mode: Mode, row: SubmissionPoint) -> Result<PointGround, GatewayError> {
        let corrupt = |what: String| GatewayError::Corrupt(format!("payout point {}: {what}", row.id));
        let options = serde_json::from_value(row.options).map_err(|error| corrupt(error.to_string()))?;
        let exchange = match (row.exchange_version, &row.exchange_body) {
            (Some(version), Some(body)) => {
                let sources = self.prices.sources(mode);
                let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
                let scheme = ExchangeScheme::compile(body, &self.assets, &sources)
                    .map_err(|problems| corrupt(format!("its exchange-rate scheme can't be read: {problems:?}")))?;
                Some((u32::try_from(version).unwrap_or(0), scheme))
            }
            _ => None,
        };
        Ok(PointGround {
            partner_code: row.partner_code,
            enabled: row.enabled,
            currencies: row.currencies,
            funding: row.funding,
            callback_url: row.callback_url,
            options,
            exchange,
        })
    }
}

fn service_of(row: SubmissionService) -> Result<Service, GatewayError> {
    let corrupt = |what: String| GatewayError::Corrupt(format!("payout service {}: {what}", row.code));
    let fields: Value = row.fields;
    let mut service = Service {
        code: row.code.parse().map_err(|error| corrupt(format!("{error}")))?,
        currency: row.currency,
        enabled: row.enabled,
        amount_min: row.amount_min,
        amount_max: row.amount_max,
        fields: serde_json::from_value(fields).map_err(|error| corrupt(error.to_string()))?,
    };
    service.fields.sort_by_key(|field| field.position);
    Ok(service)
}
