//! Webhooks as staff look at them: every partner's endpoints, what was told there and how each try went; telling it again, and switching an
//! endpoint off and on. The changes are the gateway's own. No secret is ever shown here: partners draw their own.

use uuid::Uuid;

use super::desk::{After, Desk, DeskError, Page, limit};
use super::manage::{Done, MANAGES, done};
use super::session::SessionOwner;
use crate::domain::ids::{EventId, Mode, Tenant, WebhookEndpointId};
use crate::gateway::access::Refusal;
use crate::gateway::access::audit::Author;
use crate::gateway::webhooks::endpoints::EndpointChange;
use crate::gateway::webhooks::{Attempt, Delivery, Place};
use crate::store::Slice;
use crate::store::dashboard::webhooks as lines;

pub use crate::store::dashboard::webhooks::EndpointLine;

/// How many of an endpoint's deliveries its page shows.
const DELIVERIES: i64 = 50;

/// An endpoint with the deliveries that its page shows, newest first.
pub struct WebhookEndpoint {
    pub line: EndpointLine,
    pub deliveries: Vec<Delivery>,
}

/// What is done to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookDeed {
    Enable,
    Disable,
    Resend(EventId),
}

impl Desk {
    /// A page of every partner's endpoints, those that were made last first.
    pub async fn webhook_endpoints(
        &self,
        mode: Mode,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<Page<EndpointLine, Uuid>, DeskError> {
        let mut conn = self.connection().await?;
        let after = after.unwrap_or_else(|| After::newest(Uuid::max()));
        let found = lines::endpoints(&mut conn, mode, after, limit(lines_max)).await?;
        Ok(Page::of(found, lines_max, |line| After { at: line.created_at, id: line.id.0 }))
    }

    /// One endpoint, with its last deliveries; of one state, or of any. `None`: that partner has no such endpoint in that mode.
    pub async fn webhook_endpoint(
        &self,
        mode: Mode,
        partner: &str,
        id: WebhookEndpointId,
        state: Option<String>,
    ) -> Result<Option<WebhookEndpoint>, DeskError> {
        let found = {
            let mut conn = self.connection().await?;
            lines::endpoint(&mut conn, mode, id).await?
        };
        let Some(line) = found.filter(|line| line.partner == partner) else { return Ok(None) };
        let slice = Slice { newest_first: true, after: Slice::start(true), limit: DELIVERIES };
        let tenant = Tenant { partner_id: line.partner_id, mode };
        match self.gateway().list_deliveries(tenant, id, state, slice).await {
            Ok(deliveries) => Ok(Some(WebhookEndpoint { line, deliveries })),
            Err(Refusal::Failed(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// One delivery of an endpoint, with its tries.
    pub async fn webhook_delivery(
        &self,
        mode: Mode,
        line: &EndpointLine,
        message_id: EventId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, DeskError> {
        let tenant = Tenant { partner_id: line.partner_id, mode };
        match self.gateway().find_delivery(Place { tenant, endpoint_id: line.id, message_id }).await {
            Ok(found) => Ok(Some(found)),
            Err(Refusal::Failed(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Switches an endpoint off or on, or tells a message again.
    pub async fn do_to_webhook(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        (mode, partner): (Mode, &str),
        id: WebhookEndpointId,
        deed: WebhookDeed,
    ) -> Result<Done, DeskError> {
        if owner.role < MANAGES {
            return Ok(Done::Refused(format!("A role of {MANAGES} or above does this.")));
        }
        let Some(caller) = self.staff_caller(owner, origin, mode, partner).await? else {
            return Ok(Done::Refused("There is no such partner.".to_owned()));
        };
        let (gateway, author) = (self.gateway(), Author::from(&caller));
        let switch = |enabled| EndpointChange { enabled: Some(enabled), ..EndpointChange::default() };
        done(match deed {
            WebhookDeed::Enable => gateway.change_endpoint(&author, id, switch(true)).await.map(drop),
            WebhookDeed::Disable => gateway.change_endpoint(&author, id, switch(false)).await.map(drop),
            WebhookDeed::Resend(message_id) => {
                let place = Place { tenant: caller.tenant, endpoint_id: id, message_id };
                gateway.resend_delivery(&author, place).await.map(drop)
            }
        })
    }
}
