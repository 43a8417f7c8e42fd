//! What test mode does on demand beside the provider's outcomes: an offer, a payout request or a card expires now.
//!
//! There is one clock. A second one for a partner's tests would tell other times than the leases, limits and entries that stand beside
//! the same rows, and what is booked in order would be booked out of it. So the thing's own end is moved to now, once, and what ends it is
//! what ends it in live mode.

use chrono::{DateTime, Datelike, Months, Utc};
use serde_json::json;

use super::Gateway;
use super::access::audit::{self, Action, Author};
use super::access::{Caller, Refusal};
use crate::domain::ids::{CardId, Mode, OfferId, PayoutRequestId};
pub use crate::providers::test::table::{EXPIRIES, Expiry};
use crate::store::retry::transaction;
use crate::store::sandbox;

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
        if matches!(what, Expiring::Request(_)) {
            self.expire_requests().await?;
        }
        Ok(now)
    }
}
