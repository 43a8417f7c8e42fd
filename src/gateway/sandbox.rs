//! What test mode does on demand beside the provider's outcomes: an offer, a payout request or a card expires now, and what was paid comes
//! back.
//!
//! There is one clock. A second one for a partner's tests would tell other times than the leases, limits and entries that stand beside
//! the same rows, and what is booked in order would be booked out of it. So the thing's own end is moved to now, once, and what ends it is
//! what ends it in live mode.

use chrono::{DateTime, Datelike, Months, Utc};
use serde_json::json;

use super::access::audit::{self, Action, Author};
use super::access::{Caller, Refusal};
use super::{Gateway, GatewayError};
use crate::domain::ids::{CardId, Mode, OfferId, PayoutRequestId, Tenant};
use crate::providers::provider::ProviderError;
pub use crate::providers::test::table::{ON_DEMAND, OnDemand};
use crate::store::error::DbError;
use crate::store::payouts::{self, Payout};
use crate::store::retry::transaction;
use crate::store::sandbox;

/// What is to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returning {
    Offer(OfferId),
    Request(PayoutRequestId),
}

/// What is to expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiring {
    Offer(OfferId),
    Request(PayoutRequestId),
    Card(CardId),
}

impl Gateway {
    /// Lets something of the caller's test mode expire, and answers when. In live mode there is nothing of the kind.
    pub async fn expire_now(&self, caller: &Caller, what: Expiring) -> Result<DateTime<Utc>, Refusal> {
        let tenant = caller.tenant;
        let (kind, id) = match what {
            Expiring::Offer(id) => ("offer", id.to_string()),
            Expiring::Request(id) => ("payout request", id.to_string()),
            Expiring::Card(id) => ("card", id.to_string()),
        };
        if tenant.mode != Mode::Test {
            return Err(Refusal::NotFound { what: kind });
        }
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            let moved = match what {
                Expiring::Offer(id) => sandbox::expire_offer(conn, tenant, id, now).await?,
                Expiring::Request(id) => sandbox::expire_request(conn, tenant, id, now).await?,
                Expiring::Card(id) => {
                    // The month before: a card holds to the end of its month, wherever on earth that is.
                    let last = now.checked_sub_months(Months::new(2)).unwrap_or(now);
                    sandbox::expire_card(conn, tenant, id, last.year(), last.month(), now).await?
                }
            };
            match moved {
                None => return Err(Refusal::NotFound { what: kind }),
                Some(false) => return Err(Refusal::conflict("NOT_OPEN", format!("the {kind} is over, or under way"))),
                Some(true) => {}
            }
            let action = Action {
                action: "sandbox.expire",
                object: id.clone(),
                before: None,
                after: Some(json!({ "what": kind, "expired_at": now })),
                result: audit::DONE,
            };
            Ok(audit::record(conn, &Author::from(caller), action, now).await?)
        })
        .await?;
        if let Expiring::Request(id) = what {
            self.expire_request(tenant, id).await?;
        }
        Ok(now)
    }

    /// Has what was paid of something of the caller's test mode come back now, as a bank returns it, and answers when. In live mode there is
    /// nothing of the kind.
    ///
    /// The provider's book is written first, and Landfall then learns of it as of any return, by asking and by the callback. What dies in
    /// between is caught up by the callback, or by the same call again.
    pub async fn return_now(&self, caller: &Caller, what: Returning) -> Result<DateTime<Utc>, Refusal> {
        let tenant = caller.tenant;
        let (kind, object) = match what {
            Returning::Offer(id) => ("offer", id.to_string()),
            Returning::Request(id) => ("payout request", id.to_string()),
        };
        if tenant.mode != Mode::Test {
            return Err(Refusal::NotFound { what: kind });
        }
        let of_it: Vec<_> = {
            let conn = self.db.get().await.map_err(GatewayError::from)?;
            let request_id = match what {
                Returning::Offer(id) => sandbox::request_of_offer(&conn, tenant, id).await,
                Returning::Request(id) => sandbox::request(&conn, tenant, id).await,
            };
            let found = request_id.map_err(DbError::from)?.ok_or(Refusal::NotFound { what: kind })?;
            found.into_iter().map(|id| (tenant, id)).collect()
        };
        let now = self.clock.now();
        let mut returned = Vec::new();
        for payout in self.out_there(&of_it).await? {
            if self.give_back(&payout).await? {
                returned.push(payout);
            }
        }
        if returned.is_empty() {
            let why = format!("nothing of the {kind} is paid by a test provider, or it came back already");
            return Err(Refusal::conflict("NOT_PAID", why));
        }
        // Before Landfall's own books say it: after that the same call finds nothing to do.
        transaction(&self.db, async |conn| {
            let payouts: Vec<String> = returned.iter().map(|payout| payout.id.to_string()).collect();
            let action = Action {
                action: "sandbox.return",
                object: object.clone(),
                before: None,
                after: Some(json!({ "what": kind, "payouts": payouts, "returned_at": now })),
                result: audit::DONE,
            };
            Ok::<_, Refusal>(audit::record(conn, &Author::from(caller), action, now).await?)
        })
        .await?;
        let mut reports = Vec::new();
        for payout in &returned {
            reports.extend(self.inquire(payout).await);
        }
        self.complete(&reports).await?;
        let is_out = self.out_there(&of_it).await?.iter().any(|left| returned.iter().any(|one| one.id == left.id));
        if is_out {
            let why = "the provider couldn't be asked about what came back".to_owned();
            return Err(GatewayError::Provider(ProviderError::Unavailable(why)).into());
        }
        Ok(now)
    }

    /// Payouts of which something that was paid hasn't come back.
    async fn out_there(&self, requests: &[(Tenant, PayoutRequestId)]) -> Result<Vec<Payout>, GatewayError> {
        let conn = self.db.get().await?;
        let mut payouts = payouts::of_requests(&conn, requests).await?;
        payouts.retain(|payout| !payout.status.is_open() && payout.amount_returned < payout.amount_processed);
        Ok(payouts)
    }

    /// `false`: its provider has nothing to give back, or moves real money.
    async fn give_back(&self, payout: &Payout) -> Result<bool, GatewayError> {
        let Some(provider) = self.providers.get(&payout.provider) else { return Ok(false) };
        let snapshot = self.snapshot().await?;
        let Some((_, account)) = snapshot.account(payout.provider_account_id) else { return Ok(false) };
        match provider.give_back(account, &payout.provider_reference).await {
            Ok(gave) => Ok(gave),
            Err(ProviderError::NotSupported) => Ok(false),
            Err(error) => Err(GatewayError::Provider(error)),
        }
    }
}
