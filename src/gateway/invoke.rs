//! Invoking: sending what was written down. The lease is looked at again right before the first byte; whatever comes
//! back, or doesn't, is a report, and nothing is decided here.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::json;

use super::account_calls::CallPermit;
use super::complete::{Report, Source};
use super::journal::{self, Draft};
use super::{Gateway, GatewayError};
use crate::domain::card::{BillingAddress, CardDetails, CardExpiry, CardScheme};
use crate::domain::ids::PayoutRequestId;
use crate::domain::payout::{PayoutEvent, PayoutStatus};
use crate::providers::echo::{self, Sent};
use crate::providers::provider::{Destination, Outcome, PayoutOrder};
use crate::store::cards::{self, Card};
use crate::store::events;
use crate::store::jobs::{self, ClaimedJob, JobKind};
use crate::store::payouts::{self, Payout};
use crate::store::request_cards::{self, RequestCard};
use crate::store::requests::{self, PayoutRequest};
use crate::store::retry::transaction;
use crate::torture::{self, Place, Rule};
use crate::vault::{CardOwner, RecordId, Sealed, SealedCard};

/// How long a lease may have been ours before the epoch is looked up again right before sending.
const TRUSTED_FOR: Duration = Duration::from_secs(2);

/// The card that a payout goes to, in envelopes.
#[derive(Clone, Debug)]
pub enum TargetCard {
    /// A wallet user's.
    Vaulted(Box<Card>),
    /// One that came in with its request.
    OfRequest(Box<RequestCard>),
}

impl TargetCard {
    /// The card that a request names, to be opened as one of the request's customer: another customer's, to which somebody has led the request
    /// in the database, doesn't open.
    pub fn vaulted(card: Card, request: &PayoutRequest) -> Self {
        let customer_id = request.customer_id.unwrap_or(card.customer_id);
        TargetCard::Vaulted(Box::new(Card { customer_id, ..card }))
    }

    pub fn scheme(&self) -> CardScheme {
        match self {
            TargetCard::Vaulted(card) => card.scheme,
            TargetCard::OfRequest(card) => card.scheme,
        }
    }

    /// The first six or eight digits, as many as are kept.
    pub fn iin(&self) -> &str {
        match self {
            TargetCard::Vaulted(card) => &card.iin,
            TargetCard::OfRequest(card) => &card.iin,
        }
    }

    pub fn is_destroyed(&self) -> bool {
        match self {
            TargetCard::Vaulted(card) => card.pan_sealed.is_none(),
            TargetCard::OfRequest(card) => card.pan_sealed.is_none(),
        }
    }
}

/// A payout that was written down and is to be sent by this process, now.
#[derive(Clone, Debug)]
pub struct SendTask {
    pub payout: Payout,
    pub epoch: i32,
    pub lease_until: DateTime<Utc>,
    card: Option<TargetCard>,
    fields: BTreeMap<String, String>,
    description: Option<String>,
    statement_descriptor: Option<String>,
    /// Leave for the call; held until the task is dropped.
    permit: Option<CallPermit>,
}

impl SendTask {
    pub(super) fn new(
        payout: Payout,
        card: Option<TargetCard>,
        request: &PayoutRequest,
        epoch: i32,
        lease_until: DateTime<Utc>,
    ) -> Self {
        let fields = request
            .fields
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| value.as_str().map(|text| (key.clone(), text.to_owned())))
            .collect();
        let description = request.description.clone();
        let statement_descriptor = request.terms.statement_descriptor.clone();
        Self { payout, epoch, lease_until, card, fields, description, statement_descriptor, permit: None }
    }

    pub(super) fn permitted(self, permit: Option<CallPermit>) -> Self {
        Self { permit, ..self }
    }

    /// Whether its account has a place for the call; otherwise its sender waits for one.
    pub fn may_call(&self) -> bool {
        self.permit.is_some()
    }
}

/// What became of due invoke jobs.
#[derive(Debug, Default)]
pub struct Invokes {
    /// To be sent again, under the same reference.
    pub tasks: Vec<SendTask>,
    /// Whose sender died or overstayed: their outcome is unknown.
    pub reports: Vec<Report>,
    pub claimed: usize,
}

impl Gateway {
    /// Sends one payout. `None`: nothing was sent and nothing is to be reported; the lease's end brings it up again.
    pub async fn send(&self, task: &SendTask) -> Option<Report> {
        let payout = &task.payout;
        let provider = self.providers.get(&payout.provider)?;
        // Boxed: what only leads up to the call takes no memory while the call is waited for.
        let destination = match Box::pin(self.destination(task)).await {
            Ok(destination) => destination,
            Err(error) => {
                tracing::error!(payout = %payout.id, %error, "the card or its address can't be opened; nothing was sent");
                return Some(self.unopened(task, &error));
            }
        };
        let snapshot = Box::pin(self.snapshot()).await.ok()?;
        let (_, account) = snapshot.account(payout.provider_account_id)?;
        let order = PayoutOrder {
            reference: payout.provider_reference.clone(),
            deposit_account_id: payout.deposit_account_id,
            amount: payout.amount,
            currency: payout.currency,
            description: task.description.clone(),
            statement_descriptor: task.statement_descriptor.clone(),
            resend: u32::try_from(payout.sends - 1).unwrap_or(0),
        };
        let send_timeout = provider.capabilities().send_timeout;
        if !Box::pin(self.still_ours(task, send_timeout)).await {
            tracing::warn!(payout = %payout.id, "the lease is over before the send; nothing was sent");
            return Some(self.withheld(task, "its turn came too late"));
        }
        torture::reach(Place::Call("send before")).await.ok()?;
        // From here on bytes may leave: whatever happens is reported, and what can't be told is unknown.
        let outcome = match tokio::time::timeout(send_timeout, provider.send(account, &order, &destination)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::unknown(format!("no answer within {} ms", send_timeout.as_millis())),
        };
        torture::reach(Place::Call("send after")).await.ok()?;
        let outcome = match destination.address() {
            Some(address) => echo::without_address(outcome, &address),
            None => outcome,
        };
        let sent = destination.card.as_ref().map_or(Sent::NoNumber, |card| Sent::Number(&card.pan));
        let outcome = echo::without_number(outcome, sent);
        Some(self.report(payout, Source::Send { epoch: task.epoch, sends: payout.sends }, outcome))
    }

    /// How long a send may still wait for its turn: what its provider may take is left of the lease after it.
    pub fn patience(&self, task: &SendTask) -> Duration {
        let send_timeout =
            self.providers.get(&task.payout.provider).map(|provider| provider.capabilities().send_timeout);
        let left = (task.lease_until - self.clock.now()).to_std().unwrap_or_default();
        // Half a second on top: the lease is looked up once more before the first byte.
        left.saturating_sub(send_timeout.unwrap_or_default() + Duration::from_millis(500))
    }

    /// The report of a send that we don't begin, for a reason of ours: nothing left, no provider is to blame, and it is begun again later.
    /// Whoever has taken the job over meanwhile isn't contradicted by it.
    pub fn withheld(&self, task: &SendTask, why: &str) -> Report {
        let source = Source::Withheld { epoch: task.epoch, sends: task.payout.sends, begun_at: task.payout.sent_at };
        // What stands in our own row is no fault of a provider's.
        self.report(&task.payout, source, Outcome::NotSent { why: why.to_owned(), is_unfit: true })
    }

    /// The report of a payout whose card can't be opened, so that no byte of it has left: one that may open later is tried again.
    fn unopened(&self, task: &SendTask, error: &DestinationError) -> Report {
        let why = "the card can't be opened";
        if matches!(error, DestinationError::Vault(error) if error.may_pass()) {
            return self.withheld(task, why);
        }
        let source = Source::Send { epoch: task.epoch, sends: task.payout.sends };
        // What stands in our own row is no fault of a provider's.
        self.report(&task.payout, source, Outcome::NotSent { why: why.to_owned(), is_unfit: true })
    }

    pub(super) fn report(&self, payout: &Payout, source: Source, outcome: Outcome) -> Report {
        Report { tenant: payout.tenant(), request_id: payout.request_id, payout_id: payout.id, source, outcome }
    }

    /// Whether the lease outlasts a send that begins now, and nobody else took the job over.
    async fn still_ours(&self, task: &SendTask, send_timeout: Duration) -> bool {
        if torture::is_off(Rule::LeaseEpoch) {
            return true;
        }
        let now = self.clock.now();
        let send_timeout = TimeDelta::from_std(send_timeout).unwrap_or(TimeDelta::hours(1));
        if now + send_timeout >= task.lease_until {
            return false;
        }
        let claimed_at = task.lease_until - TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::zero());
        let trusted_for = TimeDelta::from_std(TRUSTED_FOR).unwrap_or(TimeDelta::zero());
        if now - claimed_at < trusted_for {
            return true;
        }
        let job = (task.payout.tenant(), JobKind::Invoke, task.payout.id.0);
        let epochs = async {
            let conn = self.db.get().await?;
            Ok::<_, GatewayError>(jobs::epochs(&conn, &[job]).await?)
        };
        match epochs.await {
            Ok(epochs) => epochs.get(&(JobKind::Invoke.as_str().to_owned(), task.payout.id.0)) == Some(&task.epoch),
            Err(error) => {
                tracing::warn!(%error, "the lease can't be looked up");
                false
            }
        }
    }

    /// Everything or nothing: with a part that can't be opened nothing is sent, whether or not this provider would need it.
    async fn destination(&self, task: &SendTask) -> Result<Destination, DestinationError> {
        let (card, billing) = match &task.card {
            Some(TargetCard::Vaulted(card)) => {
                let (card, billing) = self.open_card(card).await?;
                (Some(card), billing)
            }
            Some(TargetCard::OfRequest(card)) => (Some(self.open_request_card(card).await?), None),
            None => (None, None),
        };
        Ok(Destination { card, billing, fields: task.fields.clone() })
    }

    async fn open_request_card(&self, card: &RequestCard) -> Result<CardDetails, DestinationError> {
        let Some(pan) = &card.pan_sealed else { return Err(DestinationError::Destroyed) };
        let owner = CardOwner { tenant: card.tenant(), customer_id: None, record: RecordId::from(card.request_id.0) };
        let sealed = SealedCard { pan: Sealed(pan.clone()), holder: Sealed(card.holder_sealed.clone()) };
        let expiry = CardExpiry {
            year: u16::try_from(card.expiry_year).unwrap_or(0),
            month: u8::try_from(card.expiry_month).unwrap_or(0),
        };
        Ok(self.vault.open_card(&owner, &sealed, expiry).await?)
    }

    async fn open_card(&self, card: &Card) -> Result<(CardDetails, Option<BillingAddress>), DestinationError> {
        let Some(pan) = &card.pan_sealed else { return Err(DestinationError::Destroyed) };
        let owner =
            CardOwner { tenant: card.tenant(), customer_id: Some(card.customer_id), record: RecordId::from(card.id) };
        let sealed = SealedCard { pan: Sealed(pan.clone()), holder: Sealed(card.holder_sealed.clone()) };
        let expiry = CardExpiry {
            year: u16::try_from(card.expiry_year).unwrap_or(0),
            month: u8::try_from(card.expiry_month).unwrap_or(0),
        };
        let details = self.vault.open_card(&owner, &sealed, expiry).await?;
        let billing = match &card.billing_sealed {
            Some(sealed) => Some(self.vault.open_billing(&owner, &Sealed(sealed.clone())).await?),
            None => None,
        };
        Ok((details, billing))
    }

    /// Takes due invoke jobs: resends that were decided, and payouts whose sender is gone.
    pub async fn claim_invokes(&self, batch_size: usize) -> Result<Invokes, GatewayError> {
        // In a transaction of its own, as dispatch does it: a job doesn't stay locked while its payout's request is waited for.
        let (claimed, lease_until) = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let claimed = jobs::claim(conn, JobKind::Invoke, now, lease_until, batch_size).await?;
            Ok::<_, GatewayError>((claimed, lease_until))
        })
        .await?;
        if claimed.is_empty() {
            return Ok(Invokes::default());
        }
        transaction(&self.db, async |conn| self.begin_invokes(conn, &claimed, lease_until).await).await
    }

    async fn begin_invokes(
        &self,
        conn: &mut AsyncPgConnection,
        claimed: &[ClaimedJob],
        lease_until: DateTime<Utc>,
    ) -> Result<Invokes, GatewayError> {
        let now = self.clock.now();
        let mut invokes = Invokes { claimed: claimed.len(), ..Invokes::default() };
        let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), job.subject_id)).collect();
        let seen = payouts::find(conn, &keys).await?;
        let mut request_keys: Vec<_> = seen.iter().map(|p| (p.tenant(), p.request_id)).collect();
        request_keys.sort_unstable();
        request_keys.dedup();
        let mut rows = requests::lock(conn, &request_keys).await?;
        // Read again: under their requests' locks they stand still.
        let mut current = payouts::find(conn, &keys).await?;
        let sends: Vec<_> = keys.iter().map(|(tenant, id)| (*tenant, JobKind::Invoke, *id)).collect();
        let epochs = jobs::epochs(conn, &sends).await?;
        let (mut done, mut given_back) = (Vec::new(), Vec::new());
        let (mut resent, mut log) = (Vec::new(), Vec::new());
        for job in claimed {
            if epochs.get(&(JobKind::Invoke.as_str().to_owned(), job.subject_id)) != Some(&job.epoch) {
                // Whoever changed the payout meanwhile has seen to what follows.
                continue;
            }
            let Some(payout) = current.iter_mut().find(|p| p.id.0 == job.subject_id) else {
                done.push((job.tenant(), JobKind::Invoke, job.subject_id));
                continue;
            };
            if !payout.status.is_open() {
                done.push((job.tenant(), JobKind::Invoke, job.subject_id));
                continue;
            }
            let Some(row) = rows.iter_mut().find(|row| row.id == payout.request_id) else { continue };
            let is_resend = job.attempts == 1 && payout.status == PayoutStatus::Unknown;
            let may_send = row.moderation_reason.is_none() && row.stop_requested.is_none();
            if !is_resend || !may_send {
                let why = if is_resend { "not sent again: stopped" } else { "its sender is gone" };
                let outcome = Outcome::unknown(why.to_owned());
                invokes.reports.push(self.report(payout, Source::Reclaimed, outcome));
                continue;
            }
            let Some(permit) = self.account_calls.permit(payout.provider_account_id) else {
                given_back.push((job.clone(), self.account_calls.next_look(payout.provider_account_id, now)));
                continue;
            };
            payout.status =
                payout.status.apply(PayoutEvent::Invoked).map_err(|error| GatewayError::Payout(payout.id, error))?;
            payout.sends += 1;
            payout.sent_at = Some(now);
            let draft = Draft {
                payout_id: Some(payout.id),
                kind: "payout_resent",
                actor: "gateway",
                data: json!({"sends": payout.sends, "provider_reference": payout.provider_reference}),
            };
            log.push(journal::append(&self.vault, row, draft, now));
            resent.push((payout.clone(), job.epoch, permit));
        }
        let touched: Vec<Payout> = resent.iter().map(|(payout, ..)| payout.clone()).collect();
        // Each once, as it is after the last of its payouts: of two versions of a row, either might be the one that is written.
        let heads: Vec<_> = rows.into_iter().filter(|row| touched.iter().any(|p| p.request_id == row.id)).collect();
        payouts::write(conn, &touched, now).await?;
        requests::write(conn, &heads, now).await?;
        events::insert(conn, &log).await?;
        jobs::delete(conn, &done).await?;
        jobs::give_back(conn, JobKind::Invoke, &given_back).await?;
        let wanted: Vec<_> = heads.iter().filter_map(|row| Some((row.tenant(), row.card_id?))).collect();
        let came_along: Vec<_> = heads.iter().filter(|row| row.may_bring_card()).map(|r| (r.tenant(), r.id)).collect();
        let (vaulted, came_along) =
            tokio::try_join!(biased; cards::find_all(conn, &wanted), request_cards::find_all(conn, &came_along))?;
        for (payout, epoch, permit) in resent {
            let Some(row) = heads.iter().find(|row| row.id == payout.request_id) else { continue };
            let of_request = || came_along.iter().find(|card| card.request_id == row.id).cloned();
            let card = match row.card_id {
                Some(id) => {
                    vaulted.iter().find(|card| card.id == id).cloned().map(|card| TargetCard::vaulted(card, row))
                }
                None => of_request().map(Box::new).map(TargetCard::OfRequest),
            };
            let task = SendTask::new(payout, card, row, epoch, lease_until);
            invokes.tasks.push(task.permitted(Some(permit)));
        }
        Ok(invokes)
    }
}

/// Why a card can't be opened for a send. Nothing was sent.
#[derive(Debug, thiserror::Error)]
enum DestinationError {
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    #[error("the card's number is destroyed")]
    Destroyed,
}

/// What a task is about, for logs.
impl SendTask {
    pub fn request_id(&self) -> PayoutRequestId {
        self.payout.request_id
    }
}
