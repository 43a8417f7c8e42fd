//! Paying an offer: accepts it once, and tells how the payout stands, waiting a while for its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::accept::{Answer, Pay};
use super::view::{PayStatus, PayView};
use super::{User, Wallet, WalletError};
use crate::domain::exact;
use crate::domain::ids::{OfferId, PayoutRequestId};
use crate::domain::offer::{OfferStatus, SettlementRest};
use crate::domain::payout_request::RequestStatus;
use crate::gateway::waiters::Waiter;
use crate::gateway::{GatewayError, settle};
use crate::store::offers::{self, Offer};

impl Wallet {
    /// Pays an offer and waits up to `wait` for the final result. Paying an accepted offer again accepts nothing and answers
    /// with the payout as it stands. The acceptance goes on when the caller goes away.
    pub async fn pay(
        self: &Arc<Self>,
        user: &User,
        offer_id: OfferId,
        seen_version: Option<i32>,
        wait: Duration,
    ) -> Result<PayView, WalletError> {
        let deadline = Instant::now() + wait;
        let pay = Pay { user: user.clone(), offer_id, seen_version, request_id: PayoutRequestId::new() };
        // In line before the acceptance: an end that comes at once is not missed.
        let waiter = self.gateway.waiters.join(pay.request_id);
        match self.accept_in_line(pay.clone()).await? {
            Answer::NotFound => Err(WalletError::NotFound("offer")),
            Answer::Version { current } => Err(WalletError::VersionConflict { current }),
            Answer::Refused(refusal) => Err(WalletError::Refused(refusal)),
            Answer::Unscreened => Err(WalletError::ScreeningUnavailable),
            Answer::NoTerms => Err(GatewayError::TermsUnavailable(user.tenant).into()),
            Answer::Accepted(request_id) if request_id == pay.request_id => {
                self.end_of(user, offer_id, waiter, deadline).await
            }
            // By a pay before this one, or beside it in the same batch.
            Answer::Before(_) | Answer::Accepted(_) => self.wait_for_end(user, offer_id, deadline).await,
        }
    }

    /// The payout of an accepted offer, as it stands at its end or after `wait`, whichever comes first.
    pub async fn pay_state(&self, user: &User, offer_id: OfferId, wait: Duration) -> Result<PayView, WalletError> {
        self.wait_for_end(user, offer_id, Instant::now() + wait).await
    }

    pub(super) async fn stored_offer(&self, user: &User, id: OfferId) -> Result<Offer, WalletError> {
        let conn = self.gateway.db.get().await?;
        offers::find(&conn, user.tenant, &user.reference, id).await?.ok_or(WalletError::NotFound("offer"))
    }

    async fn wait_for_end(&self, user: &User, id: OfferId, deadline: Instant) -> Result<PayView, WalletError> {
        let offer = self.stored_offer(user, id).await?;
        let request_id = offer.request_id.ok_or(WalletError::NotFound("payout"))?;
        if offer.status != OfferStatus::Accepted || Instant::now() >= deadline {
            return self.pay_view(&offer);
        }
        let waiter = self.gateway.waiters.join(request_id);
        // Looked at again after the place in line is taken: what ended in between is seen here.
        let offer = self.stored_offer(user, id).await?;
        if offer.status != OfferStatus::Accepted {
            return self.pay_view(&offer);
        }
        self.end_of(user, id, waiter, deadline).await
    }

    async fn end_of(
        &self,
        user: &User,
        id: OfferId,
        mut waiter: Waiter<PayoutRequestId, RequestStatus>,
        deadline: Instant,
    ) -> Result<PayView, WalletError> {
        loop {
            let is_woken = timeout_at(deadline, waiter.woken()).await.is_ok();
            let offer = self.stored_offer(user, id).await?;
            if !is_woken || offer.status != OfferStatus::Accepted {
                return self.pay_view(&offer);
            }
        }
    }

    /// What is told of an accepted offer.
    pub(super) fn pay_view(&self, offer: &Offer) -> Result<PayView, WalletError> {
        let status = match offer.status {
            OfferStatus::Paid => PayStatus::Success,
            OfferStatus::PartlyPaid => PayStatus::Partial,
            OfferStatus::Released => PayStatus::Failed,
            OfferStatus::Returned => PayStatus::Returned,
            OfferStatus::Accepted | OfferStatus::Quoted | OfferStatus::Expired => PayStatus::Pending,
        };
        let mut view = PayView {
            offer_id: offer.id,
            status,
            amount_from: offer.amount,
            currency_from: offer.currency_from,
            amount_to: offer.amount_to,
            currency_to: offer.currency_to,
            fee_amount: offer.fee_total,
            total_from: offer.total,
            resolution: offer.resolution,
        };
        if status == PayStatus::Partial {
            let internal = |error: String| WalletError::Internal(format!("offer {}: {error}", offer.id));
            let taken = settle::settlement_of(&self.house.assets, offer)?
                .settle(Default::default(), offer.amount_to_processed, SettlementRest::Released)
                .map_err(|error| internal(error.to_string()))?;
            let fees = taken
                .fees
                .iter()
                .map(|item| item.amount)
                .chain([taken.partner_fee])
                .try_fold(Default::default(), exact::add)
                .map_err(|error| internal(error.to_string()))?;
            let total = exact::sub(offer.total, taken.released).map_err(|error| internal(error.to_string()))?;
            view.amount_to = offer.amount_to_processed;
            view.fee_amount = fees;
            view.total_from = total;
            view.amount_from = exact::sub(total, fees).map_err(|error| internal(error.to_string()))?;
        }
        Ok(view)
    }
}
