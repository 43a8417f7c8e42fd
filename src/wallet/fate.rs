//! What becomes of an offer, told as it goes: first how it stands, then each change, the final one last. A watch holds no connection and
//! looks at the database when something changed; what changes by itself it is told of by [`Waiters`].

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::sleep;

use super::offers::status_at;
use super::view::{FateView, OfferStage};
use super::{User, Wallet, WalletError};
use crate::config::wallet::WalletSettings;
use crate::domain::ids::{OfferId, PayoutRequestId, Tenant};
use crate::domain::offer::OfferStatus;
use crate::domain::payout_request::RequestStatus;
use crate::gateway::places::{NoPlace, Place, Places};
use crate::gateway::waiters::{Waiter, Waiters};
use crate::store::offers;

/// How often a watch says that it goes on, where nothing else is said: below what proxies close quiet connections after.
const BEAT: Duration = Duration::from_secs(15);
/// So that no connection is held for good, and a process that is about to end is left by itself.
const AGE_MAX: Duration = Duration::from_secs(900);

/// All watches of a process.
pub struct Watches {
    pub(super) waiters: Waiters<(Tenant, OfferId), (OfferStatus, i32)>,
    places: Places<(Tenant, String)>,
    ended: watch::Sender<bool>,
}

impl Watches {
    pub fn new(settings: &WalletSettings) -> Self {
        Self {
            waiters: Waiters::default(),
            places: Places::new(settings.streams_max, settings.user_streams_max),
            ended: watch::channel(false).0,
        }
    }

    /// Ends all watches, and lets none begin.
    pub fn end(&self) {
        self.ended.send_replace(true);
        self.places.close();
    }
}

/// One user's watch over one offer.
pub struct Watch {
    user: User,
    offer_id: OfferId,
    /// When its user's token is over, and the watch with it.
    until: DateTime<Utc>,
    line: Line,
    /// What was told last.
    told: Option<OfferStage>,
    /// Whether something may have changed since it was looked at.
    is_due: bool,
    is_over: bool,
    expires_at: DateTime<Utc>,
    began: tokio::time::Instant,
    ended: watch::Receiver<bool>,
    _place: Place<(Tenant, String)>,
}

/// Who tells of the next change: before it is accepted the offer's own line, from then on its request's, where the end is announced.
enum Line {
    Offer(Waiter<(Tenant, OfferId), (OfferStatus, i32)>),
    Request(Waiter<PayoutRequestId, RequestStatus>),
}

/// What a watch tells.
pub enum Told {
    Fate(FateView),
    /// Nothing changed; the watch goes on.
    Beat,
}

impl Wallet {
    /// A watch over an offer of the user's, for as long as their token lasts. `seen` is what they were told before, on a watch that broke:
    /// it isn't told again. `None`: they saw how it ended, and there is nothing more to tell.
    ///
    /// # Errors
    /// [`WalletError::NotFound`] for what isn't theirs; [`NoPlace`] inside where too many watch.
    pub async fn watch(
        &self,
        user: &User,
        offer_id: OfferId,
        seen: Option<OfferStage>,
        until: DateTime<Utc>,
    ) -> Result<Result<Option<Watch>, NoPlace>, WalletError> {
        let offer = self.stored_offer(user, offer_id).await?;
        let stage = self.fate_of(&offer)?.stage;
        if stage.is_final() && seen == Some(stage) {
            return Ok(Ok(None));
        }
        let place = match self.watches.places.take((user.tenant, user.reference.clone())) {
            Ok(place) => place,
            Err(refused) => return Ok(Err(refused)),
        };
        Ok(Ok(Some(Watch {
            user: user.clone(),
            offer_id,
            until,
            line: Line::Offer(self.watches.waiters.join((user.tenant, offer_id))),
            told: seen,
            is_due: true,
            is_over: false,
            expires_at: offer.expires_at,
            began: tokio::time::Instant::now(),
            ended: self.watches.ended.subscribe(),
            _place: place,
        })))
    }

    /// The next thing to tell; `None`: the watch is over.
    pub async fn next_fate(&self, watch: &mut Watch) -> Result<Option<Told>, WalletError> {
        while !watch.is_over && !*watch.ended.borrow() {
            if watch.is_due {
                if let Some(fate) = self.look_at(watch).await? {
                    return Ok(Some(Told::Fate(fate)));
                }
                continue;
            }
            let now = self.now();
            if now >= watch.until || watch.began.elapsed() >= AGE_MAX {
                break;
            }
            // An offer that nobody pays expires by itself.
            let is_open = watch.told.is_some_and(|told| told.status == OfferStatus::Quoted);
            let next = if is_open { watch.expires_at.min(watch.until) } else { watch.until };
            let Ok(left) = next.signed_duration_since(now).to_std() else {
                watch.is_due = true;
                continue;
            };
            tokio::select! {
                () = watch.line.woken() => watch.is_due = true,
                () = sleep(left.min(BEAT)) => {
                    watch.is_due = is_open && left <= BEAT;
                    if left > BEAT {
                        return Ok(Some(Told::Beat));
                    }
                }
                _ = watch.ended.changed() => {}
            }
        }
        Ok(None)
    }

    /// Looks at the offer; answers what is new.
    async fn look_at(&self, watch: &mut Watch) -> Result<Option<FateView>, WalletError> {
        watch.is_due = false;
        let offer = self.stored_offer(&watch.user, watch.offer_id).await?;
        if let (Line::Offer(_), Some(request_id)) = (&watch.line, offer.request_id) {
            watch.line = Line::Request(self.gateway.waiters.join(request_id));
            // It may have ended before the place in that line was taken.
            watch.is_due = true;
        }
        let fate = self.fate_of(&offer)?;
        watch.expires_at = offer.expires_at;
        watch.is_over = fate.stage.is_final();
        if watch.told == Some(fate.stage) {
            return Ok(None);
        }
        watch.told = Some(fate.stage);
        Ok(Some(fate))
    }

    fn fate_of(&self, offer: &offers::Offer) -> Result<FateView, WalletError> {
        let pay = offer.request_id.map(|_| self.pay_view(offer)).transpose()?;
        let stage = OfferStage { version: offer.version, status: status_at(offer, self.now()) };
        Ok(FateView { offer_id: offer.id, stage, pay })
    }

    /// Looks for what other processes did to offers that are watched, for good.
    pub async fn look_for_moves(&self) {
        let find = |keys: Vec<(Tenant, OfferId)>| {
            let db = self.gateway.db.clone();
            async move { Ok(offers::standings(&*db.get().await?, &keys).await?) }
        };
        self.watches.waiters.look(find).await;
    }
}

impl Line {
    async fn woken(&mut self) {
        match self {
            Line::Offer(waiter) => waiter.woken().await,
            Line::Request(waiter) => waiter.woken().await,
        }
    }
}
