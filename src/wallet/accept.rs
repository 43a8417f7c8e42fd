//! Accepting offers: the one transaction in which an offer becomes a payout. The offer is accepted only if it is open and
//! the check passes under locks; the balance is held, the limits are reserved, the payout request is written with its
//! first event and its job. Either all of it is there, or nothing is.
//!
//! Pays that arrive together are accepted together, as many as wait, in one commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::facts::{Around, sums};
use super::offers::{STRIPES, has_partner_limits};
use super::velocity::{Judged, VelocityCounts};
use super::{User, Wallet, WalletError};
use crate::domain::block::BlockKind;
use crate::domain::exact;
use crate::domain::ids::{OfferId, PayoutRequestId, Tenant};
use crate::domain::ledger::{self, AccountKey, Entry};
use crate::domain::limit::{self, LimitRules, StripeError, stripe_limits};
use crate::domain::money::Money;
use crate::domain::offer::{
    OfferEvent, OfferStatus, Refusal, RefusalCode, RuleRefusal, RuleResult, RuleVerdict, check_execution,
};
use crate::domain::screening::Answer as Verdict;
use crate::gateway::route_book::Snapshot;
use crate::gateway::screening::PayScreenings;
use crate::gateway::settle::Reservation;
use crate::gateway::submit::{Stop, WalletSubmission};
use crate::store::error::DbError;
use crate::store::limits::{self as usage_store, Subject, Usages};
use crate::store::offers::{self, Acceptance, ForAcceptance, Offer};
use crate::store::retry::transaction;
use crate::store::{accounts, entries};

/// How many pays one transaction takes at most.
const BATCH_MAX: usize = 64;
/// How many acceptance transactions run at once in a process.
const LANES: usize = 4;

/// A pay to be decided.
#[derive(Clone, Debug)]
pub struct Pay {
    pub user: User,
    pub offer_id: OfferId,
    /// The version that the payer saw; another one is refused.
    pub seen_version: Option<i32>,
    /// The request that pays the offer if this pay is the one that accepts it.
    pub request_id: PayoutRequestId,
}

/// What became of a pay.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This pay, or one beside it, accepted the offer: this request pays it.
    Accepted(PayoutRequestId),
    /// It was accepted before. Holds the offer as it stands.
    Before(Box<Offer>),
    NotFound,
    Version {
        current: i32,
    },
    Refused(Refusal),
    /// Nothing refuses it but that nobody can screen it now. It may be paid later.
    Unscreened,
    /// What the partner is limited by can't be read now.
    NoTerms,
}

struct Waiting {
    pay: Pay,
    answer: oneshot::Sender<Result<Answer, WalletError>>,
}

/// The line in which pays wait for their batch.
pub struct Acceptances {
    line: mpsc::UnboundedSender<Waiting>,
    inbox: Mutex<Option<mpsc::UnboundedReceiver<Waiting>>>,
}

impl Default for Acceptances {
    fn default() -> Self {
        // As long as there are requests under way: the HTTP server bounds those.
        let (line, inbox) = mpsc::unbounded_channel();
        Self { line, inbox: Mutex::new(Some(inbox)) }
    }
}

impl Wallet {
    /// Starts the lanes that accept pays. They end when the wallet is dropped.
    pub fn start_accepting(self: &Arc<Self>) -> JoinSet<()> {
        let mut lanes = JoinSet::new();
        let inbox = self.acceptances.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(inbox) = inbox else { return lanes };
        let inbox = Arc::new(tokio::sync::Mutex::new(inbox));
        for _ in 0..LANES {
            lanes.spawn(lane(Arc::downgrade(self), Arc::clone(&inbox)));
        }
        lanes
    }

    /// Puts a pay in line and waits for what became of it.
    pub(super) async fn accept_in_line(&self, pay: Pay) -> Result<Answer, WalletError> {
        let (answer, outcome) = oneshot::channel();
        let gone = || WalletError::Internal("nobody accepts pays".to_owned());
        self.acceptances.line.send(Waiting { pay, answer }).map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }

    /// Decides pays in one transaction. Doing it again accepts nothing more.
    pub async fn accept(&self, pays: &[Pay]) -> Result<Vec<Answer>, WalletError> {
        let gateway = &self.gateway;
        // One snapshot for the whole batch: every rule is looked up under the terms that it was locked and counted for.
        let snapshot = gateway.terms_snapshot().await?;
        let offers: BTreeSet<_> = pays.iter().map(|pay| (pay.user.tenant, pay.offer_id)).collect();
        let screened = gateway.screen_pays(&offers.into_iter().collect::<Vec<_>>()).await?;
        let answers =
            transaction(&gateway.db, async |conn| self.accept_in(conn, &snapshot, pays, &screened).await).await?;
        gateway.dispatch_hint.notify_waiters();
        self.watches.waiters.wake(pays.iter().map(|pay| (pay.user.tenant, pay.offer_id)));
        Ok(answers)
    }

    async fn accept_in(
        &self,
        conn: &mut AsyncPgConnection,
        snapshot: &Snapshot,
        pays: &[Pay],
        screened: &PayScreenings,
    ) -> Result<Vec<Answer>, WalletError> {
        let now = self.now();
        let keys: BTreeSet<(Tenant, OfferId)> = pays.iter().map(|pay| (pay.user.tenant, pay.offer_id)).collect();
        let keys: Vec<_> = keys.into_iter().collect();
        let mut found: BTreeMap<(Tenant, OfferId), ForAcceptance> = offers::lock_for_acceptance(conn, &keys, now)
            .await?
            .into_iter()
            .map(|row| ((row.offer.tenant(), row.offer.id), row))
            .collect();
        // What only strangers ask for is nobody's here: of its owner nothing is locked or opened.
        let owned: BTreeSet<(Tenant, OfferId, &str)> =
            pays.iter().map(|pay| (pay.user.tenant, pay.offer_id, pay.user.reference.as_str())).collect();
        found.retain(|(tenant, id), row| owned.contains(&(*tenant, *id, row.customer.reference.as_str())));
        // Whose terms can't be read isn't judged, and keeps nobody else from being paid.
        let may_be_judged =
            |offer: &&Offer| offer.status == OfferStatus::Quoted && snapshot.terms(offer.tenant()).is_ok();
        let open: Vec<&Offer> = found.values().map(|row| &row.offer).filter(may_be_judged).collect();
        let judged: Vec<Judged<'_>> = pays
            .iter()
            .filter_map(|pay| self.judged(snapshot, pay, found.get(&(pay.user.tenant, pay.offer_id))?))
            .collect();
        let mut ground = self.lock_ground(conn, snapshot, &open, &judged, now).await?;

        let mut answers = Vec::with_capacity(pays.len());
        let mut accepted: Vec<Accepted> = Vec::new();
        for pay in pays {
            let Some(row) = found.get(&(pay.user.tenant, pay.offer_id)) else {
                answers.push(Answer::NotFound);
                continue;
            };
            let offer = &row.offer;
            if row.customer.reference != pay.user.reference {
                answers.push(Answer::NotFound);
                continue;
            }
            if let Some(request_id) = ground.accepted_here.get(&(offer.tenant(), offer.id)) {
                answers.push(Answer::Accepted(*request_id));
                continue;
            }
            if offer.request_id.is_some() {
                answers.push(Answer::Before(Box::new(offer.clone())));
                continue;
            }
            if pay.seen_version.is_some_and(|seen| seen != offer.version) {
                answers.push(Answer::Version { current: offer.version });
                continue;
            }
            match self.decide(pay, row, &mut ground, snapshot, screened, now)? {
                Ok(acceptance) => {
                    answers.push(Answer::Accepted(pay.request_id));
                    ground.accepted_here.insert((offer.tenant(), offer.id), pay.request_id);
                    accepted.push(acceptance);
                }
                Err(answer) => answers.push(answer),
            }
        }
        self.write(conn, &accepted, ground.usages, now).await?;
        Ok(answers)
    }

    /// A pay as the velocity rules look at it, if it can come to be judged at all.
    fn judged<'a>(
        &self,
        snapshot: &'a Snapshot,
        pay: &'a Pay,
        ForAcceptance { offer, customer, card, .. }: &'a ForAcceptance,
    ) -> Option<Judged<'a>> {
        if offer.status != OfferStatus::Quoted || customer.reference != pay.user.reference {
            return None;
        }
        let book = &snapshot.terms(offer.tenant()).ok()?.book;
        Some(Judged { book, user: &pay.user, offer, card, kyc_level: self.kyc_level(&pay.user, customer.kyc_level) })
    }

    /// Locks what the open offers are judged by, each kind in one order: balances, then rolling sums and what velocity rules count under.
    async fn lock_ground(
        &self,
        conn: &mut AsyncPgConnection,
        snapshot: &Snapshot,
        open: &[&Offer],
        judged: &[Judged<'_>],
        now: DateTime<Utc>,
    ) -> Result<Ground, WalletError> {
        let mut balance_keys: Vec<(Tenant, Uuid)> = open
            .iter()
            .map(|offer| {
                let key = AccountKey::user_available(offer.customer_id, offer.currency_from);
                (offer.tenant(), key.id(offer.tenant()))
            })
            .collect();
        balance_keys.sort_unstable();
        balance_keys.dedup();
        let balances = accounts::lock_balances(conn, &balance_keys).await?;
        let mut subjects: Vec<(Tenant, Subject)> = open
            .iter()
            .flat_map(|offer| {
                [Subject::Customer(offer.customer_id), Subject::Card(offer.card_id)].map(|s| (offer.tenant(), s))
            })
            .collect();
        let stripes = self.stripes_to_lock(conn, snapshot, open, now).await?;
        let crowded: BTreeSet<Tenant> = stripes
            .iter()
            .filter(|(_, stripes)| stripes.len() == usize::try_from(STRIPES).unwrap_or(0))
            .map(|(tenant, _)| *tenant)
            .collect();
        for (tenant, stripes) in stripes {
            subjects.extend(stripes.into_iter().map(|stripe| (tenant, Subject::Partner(stripe))));
        }
        subjects.extend(self.velocity_locks(judged)?);
        subjects.sort_unstable();
        subjects.dedup();
        // One statement, one order: parallel acceptances queue up instead of locking each other out.
        let usages = usage_store::lock(conn, &subjects, now).await?;
        for offer in open {
            let rules = &snapshot.terms(offer.tenant())?.book.limits;
            if has_partner_limits(rules)
                && !crowded.contains(&offer.tenant())
                && !fits_own_stripe(rules, &usages, offer, now)?
            {
                // It filled up since it was looked at: once more, with all stripes in hand.
                return Err(DbError::Collision("a partner's stripe filled up".to_owned()).into());
            }
        }
        // Counted once nobody else can accept what is counted.
        let velocity = self.velocity_counts(conn, judged, now).await?;
        Ok(Ground { balances, usages, velocity, accepted_here: BTreeMap::new() })
    }

    /// Which of the partners' stripes a batch needs: each offer's own, or all of them where one is full or shared.
    async fn stripes_to_lock(
        &self,
        conn: &mut AsyncPgConnection,
        snapshot: &Snapshot,
        open: &[&Offer],
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<Tenant, BTreeSet<i16>>, WalletError> {
        let mut wanted: BTreeMap<Tenant, BTreeSet<i16>> = BTreeMap::new();
        let limits = |offer: &Offer| Ok::<_, WalletError>(&snapshot.terms(offer.tenant())?.book.limits);
        let mut limited = Vec::new();
        for offer in open {
            let rules = limits(offer)?;
            if has_partner_limits(rules) {
                limited.push((*offer, rules));
            }
        }
        if limited.is_empty() {
            return Ok(wanted);
        }
        let own: BTreeSet<_> =
            limited.iter().map(|(offer, _)| (offer.tenant(), Subject::Partner(stripe_of(offer.id)))).collect();
        let seen = usage_store::read(conn, &own.into_iter().collect::<Vec<_>>()).await?;
        for (offer, rules) in limited {
            let stripes = wanted.entry(offer.tenant()).or_default();
            let is_shared = !stripes.insert(stripe_of(offer.id));
            if is_shared || !fits_own_stripe(rules, &seen, offer, now)? {
                stripes.extend(0..STRIPES);
            }
        }
        Ok(wanted)
    }

    fn decide(
        &self,
        pay: &Pay,
        row: &ForAcceptance,
        ground: &mut Ground,
        snapshot: &Snapshot,
        screened: &PayScreenings,
        now: DateTime<Utc>,
    ) -> Result<Result<Accepted, Answer>, WalletError> {
        let ForAcceptance { offer, customer, card, listed } = row;
        let tenant = offer.tenant();
        let Ok(in_force) = snapshot.terms(tenant) else { return Ok(Err(Answer::NoTerms)) };
        let book = &in_force.book;
        let usage = |subject| ground.usages.get(&(tenant, subject));
        let available = AccountKey::user_available(offer.customer_id, offer.currency_from).id(tenant);
        let balance = ground.balances.get(&available).copied().unwrap_or_default();
        let kyc_level = self.kyc_level(&pay.user, customer.kyc_level);
        let judged = Judged { book, user: &pay.user, offer, card, kyc_level };
        // An offer that is open no more was neither locked nor counted for; its status refuses it.
        let mut rules = match offer.status {
            OfferStatus::Quoted => self.velocity_results(judged, &ground.velocity)?,
            _ => Vec::new(),
        };
        let is_screened = self.screened(offer, screened, &mut rules);
        let stop = Stop::by_rules(&rules);
        let countries = [card.billing_country.as_deref(), customer.country.as_deref()];
        let blocked = self.gateway.blocked_by(listed, &card.iin, countries);
        let rules = blocked.map(BlockKind::refusal).into_iter().chain(rules).collect();
        let around = Around {
            now,
            kyc_level,
            customer_blocked: customer.is_blocked || blocked == Some(BlockKind::Customer),
            card: self.card_facts(card),
            scheme: card.scheme,
            customer_sums: sums(usage(Subject::Customer(offer.customer_id)), now)?,
            card_sums: sums(usage(Subject::Card(offer.card_id)), now)?,
            // The partner's own sum is judged below, on the stripe that is locked.
            partner_sums: Vec::new(),
            limits: &book.limits,
            rules,
            balance,
            routes: snapshot.routes(tenant.mode),
        };
        if let Err(refusal) = check_execution(&self.execution_facts(offer, around)?) {
            return Ok(Err(Answer::Refused(refusal)));
        }
        if !is_screened {
            return Ok(Err(Answer::Unscreened));
        }
        let partner_shares = match partner_shares(&book.limits, ground, offer, now)? {
            Ok(shares) => shares,
            Err(refusal) => return Ok(Err(Answer::Refused(refusal))),
        };
        let Some(point_id) = snapshot.point(tenant, offer.currency_to) else {
            return Ok(Err(Answer::Refused(RefusalCode::NoRoute.into())));
        };

        // From here on it is accepted: what the next pays of this batch see is what is left.
        let internal = |error: String| WalletError::Internal(format!("offer {}: {error}", offer.id));
        let left = exact::sub(balance, offer.total).map_err(|error| internal(error.to_string()))?;
        ground.balances.insert(available, left);
        let mut reservations = vec![
            Reservation { subject: Subject::Customer(offer.customer_id), amount: offer.amount_reference },
            Reservation { subject: Subject::Card(offer.card_id), amount: offer.amount_reference },
        ];
        reservations.extend(partner_shares);
        for reservation in &reservations {
            let window = ground
                .usages
                .get_mut(&(tenant, reservation.subject))
                .ok_or_else(|| internal("its rolling sums aren't locked".to_owned()))?;
            window.reserve(now, reservation.amount).map_err(|error| internal(error.to_string()))?;
        }
        self.count_accepted(judged, &mut ground.velocity)?;
        let status = offer.status.apply(OfferEvent::Accept).map_err(|error| internal(error.to_string()))?;
        debug_assert_eq!(status, OfferStatus::Accepted);
        let hold = ledger::hold(
            tenant,
            offer.customer_id,
            offer.currency_from,
            offer.total,
            &pay.request_id.0.simple().to_string(),
        )
        .map_err(|error| internal(error.to_string()))?;
        Ok(Ok(Accepted {
            acceptance: Acceptance {
                tenant,
                id: offer.id,
                request_id: pay.request_id,
                limit_reservations: serde_json::to_value(&reservations).map_err(|error| internal(error.to_string()))?,
            },
            hold,
            submission: WalletSubmission {
                tenant,
                id: pay.request_id,
                point_id,
                offer_id: offer.id,
                customer_id: offer.customer_id,
                card_id: offer.card_id,
                amount: offer.amount_to,
                currency: offer.currency_to,
                statement_descriptor: in_force.descriptor.as_ref().map(ToString::to_string),
                stop,
            },
        }))
    }

    /// Adds what a screening said to what the rules say. `false`: nobody could tell.
    fn screened(&self, offer: &Offer, screened: &PayScreenings, rules: &mut Vec<RuleResult>) -> bool {
        if !self.gateway.screens_pays() {
            return true;
        }
        let (why, verdict) = match screened.get(&(offer.tenant(), offer.id)) {
            Some(Ok(Verdict::Pass)) => return true,
            Some(Ok(Verdict::Review { why })) => (why, RuleVerdict::Moderate),
            Some(Ok(Verdict::Refuse { why })) => {
                // For support; the user is told that they are blocked, and not by which list.
                tracing::warn!(offer = %offer.id, why, "a screening refuses a pay");
                (why, RuleVerdict::Refuse { code: RuleRefusal::Blocked, limit: None })
            }
            Some(Err(error)) => {
                tracing::warn!(offer = %offer.id, %error, "a pay could not be screened");
                return false;
            }
            // It wasn't open when it was asked about: then its status refuses it.
            None => return false,
        };
        rules.push(RuleResult { rule: why.clone(), verdict });
        true
    }

    async fn write(
        &self,
        conn: &AsyncPgConnection,
        accepted: &[Accepted],
        usages: Usages,
        now: DateTime<Utc>,
    ) -> Result<(), WalletError> {
        if accepted.is_empty() {
            return Ok(());
        }
        let touched: BTreeSet<Tenant> = accepted.iter().map(|a| a.acceptance.tenant).collect();
        let has_changed = |tenant: &Tenant, subject: &Subject| touched.contains(tenant) && subject.has_sum();
        let usages: Usages = usages.into_iter().filter(|((tenant, subject), _)| has_changed(tenant, subject)).collect();
        let submissions: Vec<_> = accepted.iter().map(|a| a.submission.clone()).collect();
        let holds: Vec<_> = accepted.iter().map(|a| a.hold.clone()).collect();
        let acceptances: Vec<_> = accepted.iter().map(|a| a.acceptance.clone()).collect();
        tokio::try_join!(
            biased;
            async { Ok::<_, WalletError>(entries::book(conn, &holds, now).await?) },
            async { Ok(usage_store::write(conn, &usages, now).await?) },
            async { Ok(self.gateway.submit(conn, &submissions, now).await?) },
            async { Ok(offers::accept(conn, &acceptances, now).await?) },
        )?;
        Ok(())
    }
}

/// What a batch is judged by: locked, and less what the batch itself took so far.
struct Ground {
    balances: std::collections::HashMap<Uuid, Decimal>,
    usages: Usages,
    velocity: VelocityCounts,
    accepted_here: BTreeMap<(Tenant, OfferId), PayoutRequestId>,
}

struct Accepted {
    acceptance: Acceptance,
    hold: Entry,
    submission: WalletSubmission,
}

/// The stripe of the partner's sum that an offer counts on.
fn stripe_of(id: OfferId) -> i16 {
    i16::try_from(id.0.rem_euclid(i64::from(STRIPES))).unwrap_or(0)
}

/// Where on the partner's stripes the amount counts. Each stripe keeping to its share of the limit keeps their sum to
/// the limit, whatever other transactions decide on the others at the same time.
fn partner_shares(
    rules: &LimitRules,
    ground: &Ground,
    offer: &Offer,
    now: DateTime<Utc>,
) -> Result<Result<Vec<Reservation>, Refusal>, WalletError> {
    if !has_partner_limits(rules) {
        return Ok(Ok(Vec::new()));
    }
    if fits_own_stripe(rules, &ground.usages, offer, now)? {
        let subject = Subject::Partner(stripe_of(offer.id));
        return Ok(Ok(vec![Reservation { subject, amount: offer.amount_reference }]));
    }
    let stripes = (0..STRIPES)
        .map(|n| sums(ground.usages.get(&(offer.tenant(), Subject::Partner(n))), now))
        .collect::<Result<Vec<_>, _>>()?;
    let preferred = usize::try_from(stripe_of(offer.id)).unwrap_or(0);
    let scale = rules.reference.scale;
    match limit::plan_striped(&stripes, &rules.partner, offer.amount_reference, preferred, scale) {
        Ok(shares) => Ok(Ok(shares
            .into_iter()
            .map(|share| Reservation {
                subject: Subject::Partner(i16::try_from(share.stripe).unwrap_or(0)),
                amount: share.amount,
            })
            .collect())),
        Err(StripeError::Limit(refused)) => {
            let limit = Money::new(refused.limit, rules.reference).ok();
            Ok(Err(Refusal { code: RefusalCode::LimitExceeded, limit }))
        }
        Err(error @ (StripeError::NoStripes | StripeError::Arithmetic(_))) => {
            Err(WalletError::Internal(error.to_string()))
        }
    }
}

fn fits_own_stripe(
    rules: &LimitRules,
    usages: &Usages,
    offer: &Offer,
    now: DateTime<Utc>,
) -> Result<bool, WalletError> {
    let stripe = stripe_of(offer.id);
    let index = usize::try_from(stripe).unwrap_or(0);
    let count = usize::try_from(STRIPES).unwrap_or(1);
    let own = stripe_limits(&rules.partner, index, count, rules.reference.scale)
        .map_err(|error| WalletError::Internal(error.to_string()))?;
    let used = sums(usages.get(&(offer.tenant(), Subject::Partner(stripe))), now)?;
    Ok(limit::check(&used, &own, offer.amount_reference).is_ok())
}

async fn lane(wallet: std::sync::Weak<Wallet>, inbox: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Waiting>>>) {
    loop {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        {
            let mut inbox = inbox.lock().await;
            if inbox.recv_many(&mut batch, BATCH_MAX).await == 0 {
                return;
            }
        }
        let Some(wallet) = wallet.upgrade() else { return };
        let pays: Vec<Pay> = batch.iter().map(|waiting| waiting.pay.clone()).collect();
        match wallet.accept(&pays).await {
            Ok(answers) => {
                for (waiting, answer) in batch.into_iter().zip(answers) {
                    // Nobody listens any more: the payout goes on all the same.
                    let _ = waiting.answer.send(Ok(answer));
                }
            }
            Err(error) if batch.len() > 1 => {
                tracing::warn!(%error, pays = batch.len(), "a batch of pays could not be accepted; one by one now");
                for waiting in batch {
                    let answer = one(&wallet, &waiting.pay).await;
                    let _ = waiting.answer.send(answer);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a pay could not be accepted; once more");
                for waiting in batch {
                    let answer = one(&wallet, &waiting.pay).await;
                    let _ = waiting.answer.send(answer);
                }
            }
        }
    }
}

/// One pay by itself. After a COMMIT whose answer was lost this reads back: an offer that was accepted answers so.
async fn one(wallet: &Wallet, pay: &Pay) -> Result<Answer, WalletError> {
    let answers = wallet.accept(std::slice::from_ref(pay)).await?;
    answers.into_iter().next().ok_or_else(|| WalletError::Internal("a pay without an answer".to_owned()))
}
