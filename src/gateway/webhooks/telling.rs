//! Telling: due deliveries are claimed under a lease, made ready to be sent, and what came of it is written back. A process that dies on
//! the way loses nothing: the lease runs out, and the message goes out once more under the same id.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::message;
use super::secrets::{Secrets, SigningSecret};
use crate::domain::ids::{EventId, Tenant, WebhookEndpointId};
use crate::domain::webhook::pause_after;
use crate::gateway::{Gateway, GatewayError};
use crate::store::webhooks::claims::{self, ClaimedDelivery, Outcome};
use crate::store::webhooks::endpoints::{self, KIND_URL};
use crate::store::webhooks::messages::{self, NewMessage};

pub use crate::store::webhooks::claims::{LanePlaces, Places};

/// How long a delivery waits that can't be made ready, such as while the key provider is away.
const NOT_READY_PAUSE: TimeDelta = TimeDelta::seconds(30);
/// How long is spent on readying one by one. What fails by itself fails at once; what takes this long is a database or a key provider that
/// is away.
const ONE_BY_ONE_MAX: Duration = Duration::from_secs(5);
/// How much of a reason is kept.
const ERROR_CHARS_MAX: usize = 300;

/// A delivery that may be sent now.
#[derive(Clone, Debug)]
pub struct Ready {
    pub claimed: ClaimedDelivery,
    pub body: Arc<str>,
    /// What it is signed with: each of them.
    pub secrets: Arc<[SigningSecret]>,
}

/// What came of sending one.
#[derive(Clone, Debug)]
pub struct Tried {
    pub claimed: ClaimedDelivery,
    pub at: DateTime<Utc>,
    pub took: TimeDelta,
    /// What was answered; `None`: nothing.
    pub status: Option<u16>,
    /// Why it doesn't count as told; `None`: it does.
    pub error: Option<String>,
    /// How long the receiver asked to be left alone.
    pub asked: Option<TimeDelta>,
}

impl Tried {
    /// HTTP's 410: nothing is to be sent there any more (Standard Webhooks, "Deliverability and reliability").
    fn is_gone(&self) -> bool {
        self.status == Some(410)
    }

    fn outcome(&self) -> Outcome {
        let again = match &self.error {
            None => None,
            // Requests' own addresses have no endpoint that could be switched off: the message is given up.
            Some(_) if self.is_gone() && self.claimed.endpoint_kind != KIND_URL => None,
            Some(_) => {
                // Its last random byte: the same at each try, and another one for each message.
                let [.., spread] = self.claimed.message_id.0.into_bytes();
                pause_after(self.claimed.tries, spread, self.asked)
            }
        };
        let due_at = again.map(|pause| self.at + self.took + pause);
        Outcome {
            tenant: self.claimed.tenant(),
            endpoint_id: self.claimed.endpoint_id,
            message_id: self.claimed.message_id,
            epoch: self.claimed.epoch,
            state: match (&self.error, due_at) {
                (None, _) => "delivered",
                (Some(_), Some(_)) => "pending",
                (Some(_), None) => "failed",
            },
            due_at,
            at: self.at,
            took_ms: i32::try_from(self.took.num_milliseconds()).unwrap_or(i32::MAX).max(0),
            status: self.status.and_then(|status| i16::try_from(status).ok()),
            error: self.error.as_ref().map(|error| error.chars().take(ERROR_CHARS_MAX).collect()),
        }
    }
}

impl Gateway {
    /// Claims what is due and makes it ready to be sent.
    pub async fn claim_deliveries(&self, places: Places) -> Result<Vec<Ready>, GatewayError> {
        let now = self.clock.now();
        let claimed = {
            let conn = self.db.get().await?;
            claims::claim(&conn, places, now, now + self.webhooks.lease()).await?
        };
        match self.make_ready(claimed.clone(), now).await {
            Ok(ready) => Ok(ready),
            Err(error) => {
                tracing::warn!(%error, deliveries = claimed.len(), "claimed webhooks can't be made ready; one by one now");
                self.make_each_ready(&claimed, now).await
            }
        }
    }

    /// One that can't be made ready holds nobody else up: it alone is given back, and so is the rest only where time runs out.
    async fn make_each_ready(
        &self,
        claimed: &[ClaimedDelivery],
        now: DateTime<Utc>,
    ) -> Result<Vec<Ready>, GatewayError> {
        let (mut ready, mut unready) = (Vec::new(), Vec::new());
        let until = Instant::now() + ONE_BY_ONE_MAX;
        for delivery in claimed {
            if Instant::now() > until {
                unready.push(delivery);
                continue;
            }
            match self.make_ready(vec![delivery.clone()], now).await {
                Ok(one) => ready.extend(one),
                Err(error) => {
                    tracing::warn!(%error, endpoint = %delivery.endpoint_id, message = %delivery.message_id, "a webhook can't be made ready");
                    unready.push(delivery);
                }
            }
        }
        let conn = self.db.get().await?;
        claims::give_back(&conn, &unready, now + NOT_READY_PAUSE).await?;
        Ok(ready)
    }

    async fn make_ready(&self, claimed: Vec<ClaimedDelivery>, now: DateTime<Utc>) -> Result<Vec<Ready>, GatewayError> {
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        let bodies = self.bodies_of(&claimed).await?;
        let mut secrets: HashMap<WebhookEndpointId, Option<Arc<[SigningSecret]>>> = HashMap::new();
        let (mut ready, mut waiting, mut untold) = (Vec::new(), Vec::new(), Vec::new());
        for claimed in claimed {
            let Some(body) = bodies.get(&(claimed.tenant(), claimed.message_id)) else {
                untold.push(claimed);
                continue;
            };
            let known = match secrets.get(&claimed.endpoint_id) {
                Some(known) => known.clone(),
                None => {
                    let opened = self.secrets_of(&claimed, now).await;
                    secrets.insert(claimed.endpoint_id, opened.clone());
                    opened
                }
            };
            match known {
                Some(secrets) => ready.push(Ready { claimed, body: Arc::clone(body), secrets }),
                None => waiting.push(claimed),
            }
        }
        if !waiting.is_empty() {
            let conn = self.db.get().await?;
            claims::give_back(&conn, &waiting.iter().collect::<Vec<_>>(), now + NOT_READY_PAUSE).await?;
        }
        // Its event is gone, by the operator's retention: there is nothing to tell any more.
        let gone: Vec<Outcome> = untold
            .iter()
            .map(|claimed| Outcome {
                tenant: claimed.tenant(),
                endpoint_id: claimed.endpoint_id,
                message_id: claimed.message_id,
                epoch: claimed.epoch,
                state: "failed",
                due_at: None,
                at: now,
                took_ms: 0,
                status: None,
                error: Some("its event isn't kept any more".to_owned()),
            })
            .collect();
        let conn = self.db.get().await?;
        claims::write(&conn, &gone).await?;
        Ok(ready)
    }

    /// `None`: they can't be opened now.
    async fn secrets_of(&self, claimed: &ClaimedDelivery, now: DateTime<Utc>) -> Option<Arc<[SigningSecret]>> {
        let opened = Secrets::open(&self.vault, claimed.tenant(), claimed.endpoint_id, &claimed.secrets_sealed).await;
        match opened {
            Ok(secrets) => Some(secrets.in_force(now).into()),
            Err(error) => {
                tracing::warn!(endpoint = %claimed.endpoint_id, %error, "a webhook's secrets can't be opened; it waits");
                None
            }
        }
    }

    /// The bodies of what was claimed: as they were sent before, or built now and kept.
    async fn bodies_of(
        &self,
        claimed: &[ClaimedDelivery],
    ) -> Result<HashMap<(Tenant, EventId), Arc<str>>, GatewayError> {
        let wanted: BTreeSet<(Tenant, EventId)> =
            claimed.iter().map(|delivery| (delivery.tenant(), delivery.message_id)).collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let conn = self.db.get().await?;
        let mut bodies = known_bodies(messages::find(&conn, &wanted).await?);
        let missing: HashMap<(Tenant, EventId), &ClaimedDelivery> = claimed
            .iter()
            .map(|delivery| ((delivery.tenant(), delivery.message_id), delivery))
            .filter(|(key, _)| !bodies.contains_key(key))
            .collect();
        if missing.is_empty() {
            return Ok(bodies);
        }
        let events: Vec<_> = missing
            .values()
            .filter_map(|delivery| Some((delivery.tenant(), delivery.request_id?, delivery.sequence?)))
            .collect();
        let mut built = Vec::with_capacity(events.len());
        for source in messages::sources(&conn, &events).await? {
            let key = (source.tenant(), source.event_id);
            let Some(delivery) = missing.get(&key) else { continue };
            let (kind, body) = (delivery.kind.clone(), message::of_event(&source, &delivery.kind)?);
            built.push(NewMessage { tenant: key.0, id: key.1, kind, body });
        }
        messages::insert(&conn, &built, self.clock.now()).await?;
        // Another process may have built it first: what it sends is what everybody sends.
        let keys: Vec<_> = built.iter().map(|message| (message.tenant, message.id)).collect();
        bodies.extend(known_bodies(messages::find(&conn, &keys).await?));
        Ok(bodies)
    }

    /// Writes what came of deliveries: told, to be tried again at its time, or given up.
    pub async fn complete_deliveries(&self, tried: &[Tried]) -> Result<(), GatewayError> {
        let outcomes: Vec<Outcome> = tried.iter().map(Tried::outcome).collect();
        let of_endpoints = |is_wanted: fn(&Tried) -> bool| -> Vec<WebhookEndpointId> {
            let ids: BTreeSet<_> = tried
                .iter()
                .filter(|tried| tried.claimed.endpoint_kind == KIND_URL && is_wanted(tried))
                .map(|tried| tried.claimed.endpoint_id)
                .collect();
            ids.into_iter().collect()
        };
        let arrived = of_endpoints(|tried| tried.error.is_none());
        let mut failing = of_endpoints(|tried| tried.error.is_some());
        // One that arrived says that the endpoint works.
        failing.retain(|id| arrived.binary_search(id).is_err());
        {
            let conn = self.db.get().await?;
            claims::write(&conn, &outcomes).await?;
            endpoints::note_arrivals(&conn, arrived).await?;
            endpoints::note_failures(&conn, failing, self.clock.now()).await?;
        }
        let gone: BTreeSet<(Tenant, WebhookEndpointId, &str)> = tried
            .iter()
            .filter(|tried| tried.is_gone())
            .map(|tried| (tried.claimed.tenant(), tried.claimed.endpoint_id, tried.claimed.url.as_str()))
            .collect();
        for (tenant, id, url) in gone {
            self.disable_gone(tenant, id, url).await?;
        }
        Ok(())
    }
}

fn known_bodies(messages: Vec<messages::Message>) -> HashMap<(Tenant, EventId), Arc<str>> {
    messages
        .into_iter()
        .map(|message| {
            let tenant = Tenant { partner_id: message.partner_id, mode: message.mode };
            ((tenant, message.id), message.body.into())
        })
        .collect()
}
