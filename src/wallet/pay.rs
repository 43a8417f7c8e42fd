//! Paying an offer: accepts it once, and tells how the payout stands, waiting a while for its end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::accept::{Answer, Pay};
use super::view::{PayStatus, PayView};
use super::{User, Wallet, WalletError};
use crate::domain::exact;
use crate::domain::ids::{OfferId, PayoutRequestId};
use crate::domain::offer::{OfferStatus, SettlementRest};
use crate::gateway::settle;
use crate::store::offers::{self, Offer};

/// How often the end is looked for when nobody in this process announces it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

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
        let woken = waiter.woken();
        tokio::pin!(woken);
        woken.as_mut().enable();
        match self.accept_in_line(pay.clone()).await? {
            Answer::NotFound => Err(WalletError::NotFound("offer")),
            Answer::Version { current } => Err(WalletError::VersionConflict { current }),
            Answer::Refused(refusal) => Err(WalletError::Refused(refusal)),
            Answer::Unscreened => Err(WalletError::ScreeningUnavailable),
            Answer::Before(offer) => self.wait_for_end(user, *offer, deadline).await,
            Answer::Accepted(request_id) if request_id == pay.request_id => {
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_EVERY)) => {}
                }
                let offer = self.stored_offer(user, offer_id).await?;
                self.wait_for_end(user, offer, deadline).await
            }
            // A pay beside this one, in the same batch.
            Answer::Accepted(_) => {
                let offer = self.stored_offer(user, offer_id).await?;
                self.wait_for_end(user, offer, deadline).await
            }
        }
    }

    /// The payout of an accepted offer as it stands now.
    pub async fn pay_state(&self, user: &User, offer_id: OfferId) -> Result<PayView, WalletError> {
        let offer = self.stored_offer(user, offer_id).await?;
        if offer.request_id.is_none() {
            return Err(WalletError::NotFound("payout"));
        }
        self.pay_view(&offer)
    }

    async fn stored_offer(&self, user: &User, id: OfferId) -> Result<Offer, WalletError> {
        let conn = self.gateway.db.get().await?;
        offers::find(&conn, user.tenant, &user.reference, id).await?.ok_or(WalletError::NotFound("offer"))
    }

    async fn wait_for_end(&self, user: &User, offer: Offer, deadline: Instant) -> Result<PayView, WalletError> {
        let mut offer = offer;
        let Some(request_id) = offer.request_id else {
            return Err(WalletError::Internal(format!("offer {} is accepted by nothing", offer.id)));
        };
        let waiter = self.gateway.waiters.join(request_id);
        while offer.status == OfferStatus::Accepted && Instant::now() < deadline {
            let woken = waiter.woken();
            tokio::pin!(woken);
            woken.as_mut().enable();
            // Looked at again after the place in line is taken: what ended in between is seen here.
            offer = self.stored_offer(user, offer.id).await?;
            if offer.status != OfferStatus::Accepted {
                break;
            }
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_EVERY)) => {}
            }
            offer = self.stored_offer(user, offer.id).await?;
        }
        self.pay_view(&offer)
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
            let taken = settle::settlement_of(&self.book.assets, offer)?
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
