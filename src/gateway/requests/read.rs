//! Showing requests, their payouts and their events to their partner.

use std::collections::HashMap;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use tokio::time::{Instant, timeout_at};

use super::super::Gateway;
use super::super::access::{Caller, Refusal};
use crate::domain::card::{CardExpiry, CardScheme};
use crate::domain::ids::{CustomerId, PayoutId, PayoutRequestId, Tenant};
use crate::store::Slice;
use crate::store::customers::{self, CustomerBrief};
use crate::store::events;
pub use crate::store::events::{Event, EventFilter};
use crate::store::partner_requests;
pub use crate::store::partner_requests::{PayoutFilter, RequestFilter};
use crate::store::payouts;
pub use crate::store::payouts::Payout;
use crate::store::requests;
pub use crate::store::requests::PayoutRequest;
use crate::store::{cards, request_cards};

/// What may be shown of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardMask {
    pub scheme: CardScheme,
    pub iin: String,
    pub last_four: String,
    pub expiry: CardExpiry,
}

/// A request with what belongs to it.
#[derive(Clone, Debug)]
pub struct RequestView {
    pub request: PayoutRequest,
    /// In the order of part and attempt.
    pub payouts: Vec<Payout>,
    pub card: Option<CardMask>,
    pub customer: Option<CustomerBrief>,
}

impl Gateway {
    pub async fn request(&self, caller: &Caller, id: PayoutRequestId) -> Result<RequestView, Refusal> {
        let mut conn = self.db.get().await?;
        let row =
            requests::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: "payout request" })?;
        self.views(&mut conn, caller.tenant, vec![row]).await?.pop().ok_or(Refusal::NotFound { what: "payout request" })
    }

    /// A request as it is at its end or after `wait`, whichever comes first.
    pub async fn request_at_end(
        &self,
        caller: &Caller,
        id: PayoutRequestId,
        wait: Duration,
    ) -> Result<RequestView, Refusal> {
        let deadline = Instant::now() + wait;
        // In line before the first look: an end that comes in between isn't missed.
        let mut waiter = self.waiters.join(id);
        loop {
            let view = self.request(caller, id).await?;
            if view.request.status.is_final() || timeout_at(deadline, waiter.woken()).await.is_err() {
                return Ok(view);
            }
        }
    }

    /// Looks for ends that another process brought about, for good.
    pub async fn look_for_ends(&self) {
        let find = |ids| {
            let db = self.db.clone();
            async move { Ok(requests::statuses(&*db.get().await?, ids).await?) }
        };
        self.waiters.look(find).await;
    }

    /// A page of the partner's requests, each with what belongs to it.
    pub async fn requests(
        &self,
        caller: &Caller,
        filter: &RequestFilter,
        slice: Slice,
    ) -> Result<Vec<RequestView>, Refusal> {
        let mut conn = self.db.get().await?;
        let rows = partner_requests::list(&conn, caller.tenant, filter, slice).await?;
        self.views(&mut conn, caller.tenant, rows).await
    }

    /// What belongs to rows, in a few reads however many they are.
    pub(in crate::gateway) async fn views(
        &self,
        conn: &mut AsyncPgConnection,
        tenant: Tenant,
        rows: Vec<PayoutRequest>,
    ) -> Result<Vec<RequestView>, Refusal> {
        let keys: Vec<(Tenant, PayoutRequestId)> = rows.iter().map(|row| (tenant, row.id)).collect();
        let mut by_request: HashMap<PayoutRequestId, Vec<Payout>> = HashMap::new();
        for payout in payouts::of_requests(conn, &keys).await? {
            by_request.entry(payout.request_id).or_default().push(payout);
        }
        let mut people: Vec<CustomerId> = rows.iter().filter_map(|row| row.customer_id).collect();
        people.sort_unstable();
        people.dedup();
        let people: HashMap<CustomerId, CustomerBrief> =
            customers::of_ids(conn, tenant, people).await?.into_iter().map(|brief| (brief.id, brief)).collect();
        let mut masks: HashMap<PayoutRequestId, CardMask> = request_cards::find_all(conn, &keys)
            .await?
            .into_iter()
            .map(|c| (c.request_id, mask(c.scheme, c.iin, c.last_four, c.expiry_year, c.expiry_month)))
            .collect();
        let tokens: Vec<_> = rows.iter().filter_map(|row| Some((tenant, row.card_id?))).collect();
        let vaulted: HashMap<_, _> =
            cards::find_all(conn, &tokens).await?.into_iter().map(|card| (card.id, card)).collect();
        Ok(rows
            .into_iter()
            .map(|request| {
                let token = request
                    .card_id
                    .and_then(|id| vaulted.get(&id))
                    .map(|c| mask(c.scheme, c.iin.clone(), c.last_four.clone(), c.expiry_year, c.expiry_month));
                RequestView {
                    payouts: by_request.remove(&request.id).unwrap_or_default(),
                    card: masks.remove(&request.id).or(token),
                    customer: request.customer_id.and_then(|id| people.get(&id).cloned()),
                    request,
                }
            })
            .collect())
    }

    /// The request's payouts in the order of part and attempt.
    pub async fn payouts_of_request(&self, caller: &Caller, id: PayoutRequestId) -> Result<Vec<Payout>, Refusal> {
        let conn = self.db.get().await?;
        let found = requests::find(&conn, caller.tenant, id).await?;
        found.ok_or(Refusal::NotFound { what: "payout request" })?;
        Ok(payouts::of_requests(&conn, &[(caller.tenant, id)]).await?)
    }

    /// The request's events in order.
    pub async fn events_of_request(&self, caller: &Caller, id: PayoutRequestId) -> Result<Vec<Event>, Refusal> {
        let conn = self.db.get().await?;
        let found = requests::find(&conn, caller.tenant, id).await?;
        found.ok_or(Refusal::NotFound { what: "payout request" })?;
        Ok(events::of_request(&conn, caller.tenant, id).await?)
    }

    pub async fn payout(&self, caller: &Caller, id: PayoutId) -> Result<Payout, Refusal> {
        let conn = self.db.get().await?;
        let found = partner_requests::find_payout(&conn, caller.tenant, id).await?;
        found.ok_or(Refusal::NotFound { what: "payout" })
    }

    pub async fn payouts(&self, caller: &Caller, filter: &PayoutFilter, slice: Slice) -> Result<Vec<Payout>, Refusal> {
        let conn = self.db.get().await?;
        Ok(partner_requests::list_payouts(&conn, caller.tenant, filter, slice).await?)
    }

    /// A page of all the partner's events.
    pub async fn events(&self, caller: &Caller, filter: &EventFilter, slice: Slice) -> Result<Vec<Event>, Refusal> {
        let conn = self.db.get().await?;
        Ok(events::list(&conn, caller.tenant, filter, slice).await?)
    }
}

fn mask(scheme: CardScheme, iin: String, last_four: String, year: i16, month: i16) -> CardMask {
    CardMask { scheme, iin, last_four, expiry: super::details::stored_expiry(year, month) }
}
