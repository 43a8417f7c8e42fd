//! What a change of requests stands on: their rows, payouts and offers, locked in one order, and how they are written back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;

use super::changes::{Changes, Told};
use crate::domain::ids::{OfferId, PayoutRequestId, Tenant};
use crate::domain::payout_request::Funding;
use crate::gateway::settle::Purse;
use crate::gateway::{Gateway, GatewayError};
use crate::store::offers::{self, Offer};
use crate::store::payouts::{self, Payout};
use crate::store::requests::{self, PayoutRequest};

/// One request with everything that a report on it may change.
pub(in crate::gateway) struct Subject<'a> {
    pub request: &'a mut PayoutRequest,
    pub payouts: &'a mut Vec<Payout>,
    pub offer: Option<&'a mut Offer>,
}

impl Subject<'_> {
    /// Who pays.
    pub fn purse(&mut self) -> Result<Purse<'_>, GatewayError> {
        match self.request.funding {
            Funding::WalletHold => match self.offer.as_deref_mut() {
                Some(offer) => Ok(Purse::Offer(offer)),
                None => Err(GatewayError::Corrupt(format!("request {} has no offer", self.request.id))),
            },
            Funding::PartnerBalance => Ok(Purse::Partner(self.request)),
            Funding::OwnDeposit => Ok(Purse::Own),
        }
    }
}

/// Locked rows.
pub(in crate::gateway) struct Ground {
    rows: Vec<(PayoutRequest, Vec<Payout>)>,
    offers: BTreeMap<OfferId, Offer>,
}

impl Ground {
    /// Each request with its own; an offer is one request's.
    pub fn subjects(&mut self) -> impl Iterator<Item = Subject<'_>> {
        let mut offers: BTreeMap<OfferId, &mut Offer> =
            self.offers.iter_mut().map(|(id, offer)| (*id, offer)).collect();
        self.rows.iter_mut().map(move |(request, payouts)| {
            let offer = request.offer_id.and_then(|id| offers.remove(&id));
            Subject { request, payouts, offer }
        })
    }
}

impl Gateway {
    /// Locks requests, then the offers that hold their funding, each in one order.
    pub(in crate::gateway) async fn lock_ground(
        &self,
        conn: &mut AsyncPgConnection,
        keys: &[(Tenant, PayoutRequestId)],
    ) -> Result<Ground, GatewayError> {
        let rows = requests::lock(conn, keys).await?;
        let held: Vec<(Tenant, OfferId)> = rows
            .iter()
            .filter(|row| row.funding == Funding::WalletHold)
            .filter_map(|row| row.offer_id.map(|id| (row.tenant(), id)))
            .collect();
        let mut by_request: BTreeMap<PayoutRequestId, Vec<Payout>> = BTreeMap::new();
        for payout in payouts::of_requests(conn, keys).await? {
            by_request.entry(payout.request_id).or_default().push(payout);
        }
        let offers = offers::lock(conn, &held).await?.into_iter().map(|offer| (offer.id, offer)).collect();
        let rows = rows.into_iter().map(|row| (by_request.remove(&row.id).unwrap_or_default(), row));
        Ok(Ground { rows: rows.map(|(payouts, row)| (row, payouts)).collect(), offers })
    }

    /// Writes back what was touched, and everything that follows from it.
    pub(in crate::gateway) async fn write_ground(
        &self,
        conn: &mut AsyncPgConnection,
        mut ground: Ground,
        mut changes: Changes,
        now: DateTime<Utc>,
    ) -> Result<Told, GatewayError> {
        for (request, _) in &mut ground.rows {
            changes.append_events(&self.vault, request, now);
        }
        let (rows, payouts): (Vec<PayoutRequest>, Vec<Vec<Payout>>) = ground.rows.into_iter().unzip();
        let touched: Vec<Payout> =
            payouts.into_iter().flatten().filter(|payout| changes.payouts.contains(&payout.id)).collect();
        let followed: Vec<Offer> =
            ground.offers.into_values().filter(|offer| changes.offers.contains(&offer.id)).collect();
        {
            let conn = &*conn;
            tokio::try_join!(
                biased;
                requests::write(conn, &rows, now),
                payouts::write(conn, &touched, now),
                offers::follow(conn, &followed),
            )?;
        }
        changes.write(self, conn, now).await
    }
}
