//! What staff look at: one function a page, each a few reads. Changes nothing and decides nothing; what it says of an offer's
//! chances is the wallet's own check, and what may be decided about a request is the gateway's.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::balances::{History, Reach, histories};
use super::live::Live;
use super::pulse::{Hours, Pulse};
use crate::clock::Clock;
use crate::domain::asset::Assets;
use crate::domain::ids::{Mode, OfferId, PayoutRequestId, Tenant};
use crate::domain::offer::OfferStatus;
use crate::domain::rate::Pair;
use crate::gateway::moderation::Options;
use crate::gateway::{Gateway, GatewayError};
use crate::rates::health::SourceHealth;
use crate::rates::{BoardPrice, RateError};
use crate::store::dashboard::{cases, ledger, offers, overview, requests};
use crate::store::error::DbError;
use crate::store::events;
use crate::store::pool::{Conn, Db};
use crate::wallet::view::OfferView;
use crate::wallet::{User, Wallet, WalletError};

pub use crate::store::dashboard::cases::{CaseEnded, CaseLine, CaseRequest, RequestCase};
pub use crate::store::dashboard::ledger::Booked;
pub use crate::store::dashboard::offers::{OfferContext, OfferLine, OfferSearch};
pub use crate::store::dashboard::overview::{Deposit, Open};
pub use crate::store::dashboard::requests::{Group, PayoutLine, RequestContext, RequestLine};
pub use crate::store::dashboard::{After, MaskedCard, Span};
pub use crate::store::events::Event;
pub use crate::store::offers::Offer;
pub use crate::store::requests::PayoutRequest;

/// How many lines a page of a list has.
pub const PAGE_LINES: usize = 50;
/// How many deposit accounts are drawn on the overview.
const DRAWN_MAX: usize = 6;
/// How many lines are read at once for a file with a whole list.
pub const FILE_LINES: usize = 500;

/// What the pages are read from.
pub struct Desk {
    db: Db,
    clock: Arc<dyn Clock>,
    wallet: Arc<Wallet>,
    modes: Vec<Mode>,
    pub(super) hours: Hours,
    /// Those who watch the overview.
    pub live: Live,
}

/// Why a page can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("judging an offer: {0}")]
    Wallet(#[from] WalletError),
    #[error("what may be decided: {0}")]
    Gateway(#[from] GatewayError),
}

impl DeskError {
    /// Whether the same may work a moment later.
    pub fn is_passing(&self) -> bool {
        match self {
            DeskError::Db(error) | DeskError::Wallet(WalletError::Db(error)) => super::is_passing(error),
            DeskError::Gateway(GatewayError::Db(error)) => super::is_passing(error),
            DeskError::Wallet(_) | DeskError::Gateway(_) => false,
        }
    }
}

impl From<diesel::result::Error> for DeskError {
    fn from(error: diesel::result::Error) -> Self {
        DeskError::Db(error.into())
    }
}

/// A pair's price now.
#[derive(Clone, Debug)]
pub struct RateLine {
    pub pair: Pair,
    /// Or why there is none.
    pub price: Result<BoardPrice, String>,
}

#[derive(Clone, Debug)]
pub struct Overview {
    pub now: DateTime<Utc>,
    /// The last 24 hours, and today's before them.
    pub pulse: Pulse,
    pub open: Open,
    pub rates: Vec<RateLine>,
    pub sources: Vec<SourceHealth>,
    pub deposits: Vec<Deposit>,
    /// What the first few of them had over the last day.
    pub histories: Vec<(Deposit, History)>,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page<T, Id> {
    pub lines: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<After<Id>>,
}

impl<T, Id> Page<T, Id> {
    /// From one line more than a page of `lines_max` has.
    pub(super) fn of(mut lines: Vec<T>, lines_max: usize, key: impl Fn(&T) -> After<Id>) -> Self {
        let is_more = lines.len() > lines_max;
        lines.truncate(lines_max);
        let next = if is_more { lines.last().map(key) } else { None };
        Self { lines, next }
    }
}

/// One offer with everything around it.
#[derive(Clone, Debug)]
pub struct OfferPage {
    pub offer: Offer,
    pub around: OfferContext,
    /// Of an offer that is still quoted: whether it could be paid now, by the customer's record. A token may vouch for a higher
    /// KYC level than the record has.
    pub check: Option<OfferView>,
    pub now: DateTime<Utc>,
}

/// One payout request with everything around it.
#[derive(Clone, Debug)]
pub struct RequestPage {
    pub request: PayoutRequest,
    pub around: RequestContext,
    pub payouts: Vec<PayoutLine>,
    pub events: Vec<Event>,
    pub cases: Vec<RequestCase>,
    /// What the ledger booked for it and its payouts, posting by posting.
    pub booked: Vec<Booked>,
    /// The offer that it pays, if it is a wallet's.
    pub offer: Option<Offer>,
    /// What may be decided about it now.
    pub options: Options,
}

/// How a request is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestSearch {
    Id(PayoutRequestId),
    /// The partner's reference, exactly.
    Reference(String),
    /// What it is to pay, exactly.
    Amount(Decimal),
    /// The last four of the card that it is paid to.
    LastFour(String),
    Group(Group),
}

impl Default for RequestSearch {
    fn default() -> Self {
        Self::Group(Group::default())
    }
}

/// One line more than a page tells whether there is another.
pub(super) fn limit(lines_max: usize) -> i64 {
    i64::try_from(lines_max).unwrap_or(i64::MAX).saturating_add(1)
}

impl Desk {
    /// `modes` are those that are served.
    pub fn new(wallet: Arc<Wallet>, modes: Vec<Mode>) -> Self {
        let gateway = &wallet.gateway;
        Self {
            db: gateway.db.clone(),
            clock: Arc::clone(&gateway.clock),
            wallet,
            modes,
            hours: Hours::default(),
            live: Live::default(),
        }
    }

    pub(super) fn wallet(&self) -> &Arc<Wallet> {
        &self.wallet
    }

    pub(super) fn gateway(&self) -> &Gateway {
        &self.wallet.gateway
    }

    pub(super) async fn connection(&self) -> Result<Conn, DeskError> {
        Ok(self.db.get().await?)
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    pub fn assets(&self) -> &Assets {
        &self.wallet.house.assets
    }

    pub async fn overview(&self, mode: Mode) -> Result<Overview, DeskError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        let pulse = self.pulse(&mut conn, mode, now).await?;
        let open = overview::open_now(&mut conn, mode).await?;
        let deposits = overview::deposits(&mut conn, mode).await?;
        let drawn: Vec<Deposit> = deposits.iter().filter(|one| one.account_enabled).take(DRAWN_MAX).cloned().collect();
        let ids = drawn.iter().map(|deposit| deposit.id).collect();
        let mut found = histories(&mut conn, ids, Reach::Day, now).await?;
        let histories =
            drawn.into_iter().filter_map(|one| found.remove(&one.id).map(|history| (one, history))).collect();
        let board = self.wallet.rates.board(mode);
        let rates = board.map_or(Vec::new(), |board| {
            let line = |pair: &Pair| RateLine {
                pair: *pair,
                price: board.price(*pair, now).map_err(|RateError::Unavailable { why, .. }| why.to_string()),
            };
            self.wallet.house.pairs.iter().map(line).collect()
        });
        let sources = board.map_or(Vec::new(), |board| board.health());
        Ok(Overview { now, pulse, open, rates, sources, deposits, histories })
    }

    pub async fn offers(
        &self,
        mode: Mode,
        search: &OfferSearch,
        after: Option<After<OfferId>>,
        lines_max: usize,
    ) -> Result<Page<OfferLine, OfferId>, DeskError> {
        let mut conn = self.db.get().await?;
        let after = after.unwrap_or_else(|| After::newest(OfferId(i64::MAX)));
        let lines = offers::search(&mut conn, mode, search, after, limit(lines_max)).await?;
        Ok(Page::of(lines, lines_max, |line| After { at: line.quoted_at, id: line.id }))
    }

    /// `None`: that partner has no such offer in that mode.
    pub async fn offer(&self, mode: Mode, partner: &str, id: OfferId) -> Result<Option<OfferPage>, DeskError> {
        let now = self.clock.now();
        let Some((offer, around)) = ({
            let mut conn = self.db.get().await?;
            read_offer(&mut conn, mode, partner, id).await?
        }) else {
            return Ok(None);
        };
        let check = if offer.status == OfferStatus::Quoted {
            let user = User {
                tenant: offer.tenant(),
                partner_code: partner.to_owned(),
                reference: around.customer.clone(),
                kyc_claimed: None,
            };
            Some(self.wallet.offer(&user, id).await?)
        } else {
            None
        };
        Ok(Some(OfferPage { offer, around, check, now }))
    }

    pub async fn requests(
        &self,
        mode: Mode,
        search: &RequestSearch,
        span: Span,
        after: Option<After<PayoutRequestId>>,
        lines_max: usize,
    ) -> Result<Page<RequestLine, PayoutRequestId>, DeskError> {
        let mut conn = self.db.get().await?;
        let after = after.unwrap_or_else(|| After::newest(PayoutRequestId(Uuid::max())));
        let lines = match search {
            RequestSearch::Id(id) => requests::by_id(&mut conn, mode, *id).await?,
            RequestSearch::Reference(reference) => requests::by_reference(&mut conn, mode, reference).await?,
            RequestSearch::Amount(amount) => {
                requests::of_amount(&mut conn, mode, *amount, span, after, limit(lines_max)).await?
            }
            RequestSearch::LastFour(last_four) => {
                requests::of_last_four(&mut conn, mode, last_four, span, after, limit(lines_max)).await?
            }
            RequestSearch::Group(group) => {
                requests::list(&mut conn, mode, *group, span, after, limit(lines_max)).await?
            }
        };
        Ok(Page::of(lines, lines_max, |line| After { at: line.created_at, id: line.id }))
    }

    /// `None`: that partner has no such request in that mode.
    pub async fn request(
        &self,
        mode: Mode,
        partner: &str,
        id: PayoutRequestId,
    ) -> Result<Option<RequestPage>, DeskError> {
        let mut conn = self.db.get().await?;
        let Some(around) = requests::context(&mut conn, partner, mode, id).await? else { return Ok(None) };
        let tenant = Tenant { partner_id: around.partner_id, mode };
        let Some(request) = crate::store::requests::find(&conn, tenant, id).await? else { return Ok(None) };
        let payouts = requests::payouts(&mut conn, tenant, id).await?;
        let events = events::of_request(&conn, tenant, id).await?;
        let cases = cases::of_request(&mut conn, tenant, id).await?;
        let references = std::iter::once(id.0).chain(payouts.iter().map(|payout| payout.id.0));
        let references = references.map(|id| id.simple().to_string()).collect();
        let booked = ledger::of_references(&mut conn, tenant, references).await?;
        let offer = match (request.offer_id, &around.customer) {
            (Some(offer_id), Some(customer)) => crate::store::offers::find(&conn, tenant, customer, offer_id).await?,
            _ => None,
        };
        drop(conn);
        // Judged by what is there when it is decided: here it is only shown.
        let Some(mut options) = self.gateway().decisions(tenant, id).await? else { return Ok(None) };
        options.seen = options.seen.min(request.event_seq);
        Ok(Some(RequestPage { request, around, payouts, events, cases, booked, offer, options }))
    }

    /// Everything that waits for a person, oldest first.
    pub async fn waiting(
        &self,
        mode: Mode,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<(Page<CaseLine, Uuid>, DateTime<Utc>), DeskError> {
        let mut conn = self.db.get().await?;
        let after = after.unwrap_or(After { at: DateTime::<Utc>::UNIX_EPOCH, id: Uuid::nil() });
        let lines = cases::waiting(&mut conn, mode, after, limit(lines_max)).await?;
        Ok((Page::of(lines, lines_max, |line| After { at: line.opened_at, id: line.id }), self.clock.now()))
    }
}

async fn read_offer(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    partner: &str,
    id: OfferId,
) -> Result<Option<(Offer, OfferContext)>, DeskError> {
    let Some(around) = offers::context(conn, partner, mode, id).await? else { return Ok(None) };
    let tenant = Tenant { partner_id: around.partner_id, mode };
    let offer = crate::store::offers::find(conn, tenant, &around.customer, id).await?;
    Ok(offer.map(|offer| (offer, around)))
}

/// How old something is, in whole seconds; never negative.
pub fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> TimeDelta {
    now.signed_duration_since(then).max(TimeDelta::zero())
}
