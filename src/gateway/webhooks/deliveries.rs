//! Deliveries as a partner and the house look at them, and ask for them anew.

use chrono::{DateTime, Utc};

use super::endpoints::NOT_FOUND as NO_ENDPOINT;
use super::{Attempt, Delivery, Place, message};
use crate::domain::ids::{EventId, Tenant, WebhookEndpointId};
use crate::domain::webhook::{PING, wants};
use crate::gateway::access::Refusal;
use crate::gateway::access::audit::{self, Action, Author};
use crate::gateway::{Gateway, GatewayError};
use crate::store::Slice;
use crate::store::events::{self, Event, EventFilter};
use crate::store::retry::transaction;
use crate::store::webhooks::deliveries::{self, Replayed, To};
use crate::store::webhooks::endpoints::{self, EndpointRow, KIND_CALLBACK};
use crate::store::webhooks::messages::{self, NewMessage};

/// How many events are looked at in one step of a replay, and in all.
const PAGE: i64 = 500;
const EVENTS_MAX: usize = 10_000;
/// How many deliveries that are over go in one step.
const BITE: i64 = 1_000;

const NOT_FOUND: Refusal = Refusal::NotFound { what: "delivery" };

/// Which events are to be told again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Happened at or after.
    pub from: DateTime<Utc>,
    /// Happened before; `None`: until now.
    pub to: Option<DateTime<Utc>>,
    /// Those too that were delivered.
    pub all: bool,
}

/// What a replay came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayal {
    /// How many messages are to be told.
    pub count: usize,
    /// Where to go on, where there were more events than one replay takes.
    pub next_from: Option<DateTime<Utc>>,
}

impl Gateway {
    /// An endpoint's deliveries; in one state, or in any.
    pub async fn list_deliveries(
        &self,
        tenant: Tenant,
        id: WebhookEndpointId,
        state: Option<String>,
        slice: Slice,
    ) -> Result<Vec<Delivery>, Refusal> {
        let conn = self.db.get().await?;
        endpoints::find(&conn, tenant, id).await?.ok_or(NO_ENDPOINT)?;
        Ok(deliveries::list(&conn, tenant, id, state, slice).await?)
    }

    /// A delivery with its attempts.
    pub async fn find_delivery(&self, place: Place) -> Result<(Delivery, Vec<Attempt>), Refusal> {
        let conn = self.db.get().await?;
        endpoints::find(&conn, place.tenant, place.endpoint_id).await?.ok_or(NO_ENDPOINT)?;
        let delivery = deliveries::find(&conn, place).await?.ok_or(NOT_FOUND)?;
        Ok((delivery, deliveries::attempts(&conn, place).await?))
    }

    /// Tells a message again at once, whatever came of it before.
    pub async fn resend_delivery(&self, author: &Author, place: Place) -> Result<Delivery, Refusal> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            switched_on(endpoints::find(conn, place.tenant, place.endpoint_id).await?)?;
            if !deliveries::resend(conn, place, now).await? {
                return Err(NOT_FOUND);
            }
            let object = place.endpoint_id.to_string();
            let after = Some(serde_json::json!({"event_id": place.message_id.to_string()}));
            let action = Action { action: "webhook_endpoint.resend", object, before: None, after, result: audit::DONE };
            audit::record(conn, author, action, now).await?;
            deliveries::find(conn, place).await?.ok_or(NOT_FOUND)
        })
        .await
    }

    /// Sends an endpoint a message that tells of nothing.
    pub async fn ping_endpoint(&self, tenant: Tenant, id: WebhookEndpointId) -> Result<Delivery, Refusal> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let row = switched_on(endpoints::find(conn, tenant, id).await?)?;
            with_address(&row)?;
            let message_id = EventId::new();
            let news = message::of_endpoint(id, row.url, tenant.mode, None);
            let body = message::body(message_id, PING, now, news)?;
            let ping = NewMessage { tenant, id: message_id, kind: PING.to_owned(), body };
            messages::insert(conn, std::slice::from_ref(&ping), now).await?;
            deliveries::insert_for(conn, &ping, To::One(id), now).await?;
            let place = Place { tenant, endpoint_id: id, message_id };
            deliveries::find(conn, place).await?.ok_or(NOT_FOUND)
        })
        .await
    }

    /// Tells an endpoint what it wants to hear of and wasn't told, or all of it, from a time on.
    pub async fn replay_events(
        &self,
        author: &Author,
        id: WebhookEndpointId,
        what: Replay,
    ) -> Result<Replayal, Refusal> {
        let tenant = author.tenant;
        let row = {
            let conn = self.db.get().await?;
            switched_on(endpoints::find(&conn, tenant, id).await?)?
        };
        with_address(&row)?;
        let filter = EventFilter { from: Some(what.from), to: what.to, ..EventFilter::default() };
        let mut slice = Slice { newest_first: false, after: Slice::start(false), limit: PAGE };
        let (mut looked_at, mut count) = (0, 0);
        let mut next_from = None;
        loop {
            let now = self.clock.now();
            let page = {
                let conn = self.db.get().await?;
                events::list(&conn, tenant, &filter, slice).await?
            };
            let told: Vec<Replayed> = page.iter().filter_map(|event| replayed(event, &row)).collect();
            let told = &told;
            // A page at a time: what was asked for anew stays so, whatever becomes of the rest.
            count += transaction(&self.db, async |conn| {
                let when = deliveries::When { now, later: now + self.webhooks.lease() };
                Ok::<_, Refusal>(deliveries::replay(conn, tenant, id, told, what.all, when).await?)
            })
            .await?;
            looked_at += page.len();
            let Some(last) = page.last().filter(|_| i64::try_from(page.len()).is_ok_and(|n| n == PAGE)) else { break };
            slice.after = (last.at, last.id.0);
            if looked_at >= EVENTS_MAX {
                next_from = Some(last.at);
                break;
            }
        }
        let after = Some(serde_json::json!({
            "from": what.from, "to": what.to, "all": what.all, "count": count, "next_from": next_from,
        }));
        let object = id.to_string();
        let action = Action { action: "webhook_endpoint.replay", object, before: None, after, result: audit::DONE };
        let action = &action;
        transaction(&self.db, async |conn| {
            audit::record(conn, author, action.clone(), self.clock.now()).await?;
            Ok::<_, Refusal>(())
        })
        .await?;
        Ok(Replayal { count, next_from })
    }

    /// Forgets deliveries that have been over for long, with their messages; answers how many.
    pub async fn forget_deliveries(&self) -> Result<usize, GatewayError> {
        let days = chrono::TimeDelta::days(i64::from(self.webhooks.settings.retention_days));
        transaction(&self.db, async |conn| Ok(deliveries::forget(conn, self.clock.now() - days, BITE).await?)).await
    }
}

fn switched_on(row: Option<EndpointRow>) -> Result<EndpointRow, Refusal> {
    let row = row.ok_or(NO_ENDPOINT)?;
    match row.disabled_at {
        Some(_) => Err(Refusal::conflict("ENDPOINT_DISABLED", "It is switched off: switch it on first.")),
        None => Ok(row),
    }
}

fn with_address(row: &EndpointRow) -> Result<(), Refusal> {
    if row.kind == KIND_CALLBACK {
        let detail = "It has no address of its own: payout requests name theirs.";
        return Err(Refusal::conflict("NO_ADDRESS", detail));
    }
    Ok(())
}

fn replayed(event: &Event, row: &EndpointRow) -> Option<Replayed> {
    let kind = event.told_as().filter(|kind| wants(&row.types, kind))?;
    let (message_id, request_id, sequence) = (event.id, event.request_id, event.seq);
    Some(Replayed { message_id, kind: kind.to_owned(), request_id, sequence })
}
