//! Payouts and customers as staff look at them, and what is found by whatever a customer reads out. Changes nothing.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::desk::{After, Desk, DeskError, Page, Span, limit};
use crate::domain::asset::AssetCode;
use crate::domain::card::Pan;
use crate::domain::ids::{CardId, CustomerId, Mode, OfferId, PartnerId, PayoutId, Tenant};
use crate::domain::ledger::AccountKind;
use crate::domain::limit::{Period, PeriodLimits, Sums};
use crate::store::dashboard::offers::{self, OfferLine, OfferSearch};
use crate::store::dashboard::requests::{self, PayoutLine, RequestLine};
use crate::store::dashboard::{customers, payouts};
use crate::store::events::{self, Event};
use crate::store::limits::{self, Subject};
use crate::store::{accounts, partners};

pub use crate::store::dashboard::customers::{BlockLine, CardRow, CustomerRow, CustomerSearch, LedgerLine};
pub use crate::store::dashboard::payouts::{PayoutRow, PayoutSearch};

/// How many of a customer's offers are shown beside them.
const OFFERS_SHOWN: i64 = 20;

/// One payout with everything around it.
#[derive(Clone, Debug)]
pub struct PayoutPage {
    pub row: PayoutRow,
    pub payout: PayoutLine,
    /// Its own, in order.
    pub events: Vec<Event>,
    pub card: Option<super::desk::MaskedCard>,
    pub customer: Option<String>,
}

/// What somebody has used of a limit, in the reference currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitLine {
    /// The customer, or a card by its id.
    pub card: Option<CardId>,
    pub period: Period,
    pub used: Decimal,
    /// `None`: it isn't limited.
    pub limit: Option<Decimal>,
    pub left: Option<Decimal>,
}

/// One customer with all that is theirs.
#[derive(Clone, Debug)]
pub struct CustomerPage {
    pub row: CustomerRow,
    pub cards: Vec<CardRow>,
    /// By currency: what can be spent, and what accepted offers hold.
    pub balances: BTreeMap<AssetCode, (Decimal, Decimal)>,
    pub limits: Vec<LimitLine>,
    /// What limits are counted in.
    pub reference_currency: AssetCode,
    /// Whether their KYC level lets them pay at all.
    pub may_pay: bool,
    pub blocks: Vec<BlockLine>,
    pub offers: Vec<OfferLine>,
    pub entries: Page<LedgerLine, Uuid>,
}

impl Desk {
    pub async fn payouts(
        &self,
        mode: Mode,
        search: &PayoutSearch,
        span: Span,
        after: Option<After<PayoutId>>,
        lines_max: usize,
    ) -> Result<Page<PayoutRow, PayoutId>, DeskError> {
        let mut conn = self.connection().await?;
        let after = after.unwrap_or_else(|| After::newest(PayoutId(Uuid::max())));
        let rows = payouts::search(&mut conn, mode, search, span, after, limit(lines_max)).await?;
        Ok(Page::of(rows, lines_max, |row| After { at: row.created_at, id: row.id }))
    }

    /// `None`: that partner has no such payout in that mode.
    pub async fn payout(&self, mode: Mode, partner: &str, id: PayoutId) -> Result<Option<PayoutPage>, DeskError> {
        let mut conn = self.connection().await?;
        let after = After::newest(PayoutId(Uuid::max()));
        let found = payouts::search(&mut conn, mode, &PayoutSearch::Id(id), Span::default(), after, 2).await?;
        let Some(row) = found.into_iter().find(|row| row.partner == partner) else { return Ok(None) };
        let tenant = Tenant { partner_id: row.partner_id, mode };
        let of_request = requests::payouts(&mut conn, tenant, row.request_id).await?;
        let around = requests::context(&mut conn, partner, mode, row.request_id).await?;
        let Some((payout, around)) = of_request.into_iter().find(|payout| payout.id == id).zip(around) else {
            return Ok(None);
        };
        let mut events = events::of_request(&conn, tenant, row.request_id).await?;
        events.retain(|event| event.payout_id == Some(id));
        Ok(Some(PayoutPage { row, payout, events, card: around.card, customer: around.customer }))
    }

    pub async fn customers(
        &self,
        mode: Mode,
        search: &CustomerSearch,
        after: Option<After<CustomerId>>,
        lines_max: usize,
    ) -> Result<Page<CustomerRow, CustomerId>, DeskError> {
        let mut conn = self.connection().await?;
        let after = after.unwrap_or_else(|| After::newest(CustomerId(Uuid::max())));
        let rows = customers::search(&mut conn, mode, search, after, limit(lines_max)).await?;
        Ok(Page::of(rows, lines_max, |row| After { at: row.created_at, id: row.id }))
    }

    /// `None`: that partner has no such customer in that mode.
    pub async fn customer(
        &self,
        mode: Mode,
        partner: &str,
        id: CustomerId,
        after: Option<After<Uuid>>,
        lines_max: usize,
    ) -> Result<Option<CustomerPage>, DeskError> {
        let mut conn = self.connection().await?;
        let newest = After::newest(CustomerId(Uuid::max()));
        let found = customers::search(&mut conn, mode, &CustomerSearch::Id(id), newest, 2).await?;
        let Some(row) = found.into_iter().find(|row| row.partner == partner) else { return Ok(None) };
        let tenant = Tenant { partner_id: row.partner_id, mode };
        let cards = customers::cards(&mut conn, tenant, id).await?;
        let mut balances = BTreeMap::<AssetCode, (Decimal, Decimal)>::new();
        for balance in accounts::balances_of_customer(&conn, tenant, id).await? {
            let (available, held) = balances.entry(balance.asset).or_default();
            let is_available = balance.kind == AccountKind::UserAvailable.as_str();
            *(if is_available { available } else { held }) = balance.balance;
        }
        let blocks = customers::blocks(&mut conn, tenant, id, &row.reference).await?;
        let search = OfferSearch { customer: Some(row.reference.clone()), ..OfferSearch::default() };
        let newest = After::newest(OfferId(i64::MAX));
        let mut offers = offers::search(&mut conn, mode, &search, newest, OFFERS_SHOWN).await?;
        // Another partner may call one of its customers the same.
        offers.retain(|offer| offer.partner == partner);
        let after = after.unwrap_or_else(|| After::newest(Uuid::max()));
        let entries = customers::entries(&mut conn, tenant, id, after, limit(lines_max)).await?;
        let entries = Page::of(entries, lines_max, |line| After { at: line.created_at, id: line.id });
        // As its partner's terms have them; of terms that can't be read nothing is told.
        let book = self.gateway().routes.latest();
        let rules = book.terms(tenant).ok().map(|terms| &terms.book.limits);
        let level = u8::try_from(row.kyc_level).unwrap_or(0);
        let of_customer = rules.and_then(|rules| rules.customer_limits(level));
        let subjects: Vec<(Tenant, Subject)> = cards
            .iter()
            .filter(|card| card.hidden_at.is_none())
            .map(|card| (tenant, Subject::Card(card.id)))
            .chain([(tenant, Subject::Customer(id))])
            .collect();
        let usages = limits::read(&conn, &subjects).await?;
        let now = self.now();
        let mut lines = Vec::new();
        for (_, subject) in subjects.iter().rev() {
            let sums = usages.get(&(tenant, *subject)).and_then(|window| window.sums(now).ok()).unwrap_or_default();
            let (card, limits) = match subject {
                Subject::Card(card) => (Some(*card), rules.map(|rules| rules.card).unwrap_or_default()),
                _ => (None, of_customer.unwrap_or_default()),
            };
            lines.extend(Period::ALL.map(|period| limit_line(card, period, &sums, &limits)));
        }
        Ok(Some(CustomerPage {
            cards,
            balances,
            limits: lines,
            reference_currency: self.wallet().house.limits.reference.code,
            may_pay: of_customer.is_some(),
            blocks,
            offers,
            entries,
            row,
        }))
    }

    /// What each partner knows a card number by. The number itself goes no further.
    async fn prints(&self, mode: Mode, pan: &Pan) -> Result<Vec<(PartnerId, Vec<u8>)>, DeskError> {
        let mut conn = self.connection().await?;
        let all = partners::all(&mut conn).await?;
        let vault = &self.gateway().vault;
        let print = |partner_id| vault.fingerprint(Tenant { partner_id, mode }, pan).0.to_vec();
        Ok(all.into_iter().map(|partner| (partner.id, print(partner.id))).collect())
    }

    /// Whose card a number is, and which requests it came in with. The number is turned into fingerprints, and forgotten.
    pub async fn of_number(&self, mode: Mode, pan: &Pan) -> Result<(Vec<CustomerRow>, Vec<RequestLine>), DeskError> {
        let prints = self.prints(mode, pan).await?;
        let mut conn = self.connection().await?;
        let customers = customers::of_prints(&mut conn, mode, prints.clone()).await?;
        let requests = requests::of_prints(&mut conn, mode, prints).await?;
        Ok((customers, requests))
    }
}

fn limit_line(card: Option<CardId>, period: Period, sums: &Sums, limits: &PeriodLimits) -> LimitLine {
    let (used, limit) = (sums.get(period), limits.get(period));
    let left = limit.map(|limit| limit.checked_sub(used).unwrap_or_default().max(Decimal::ZERO));
    LimitLine { card, period, used, limit, left }
}
