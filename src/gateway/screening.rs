//! Screening cards and pays: who is asked and what follows. Asked outside any transaction; what was answered is written by itself. Nobody
//! being able to tell is never taken for a pass: a card stays pending, and a pay is refused until somebody can.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use super::access::audit::{self, Action, Author};
use super::access::{Problem, Refusal};
use super::blocks::checked_reason;
use super::{Gateway, GatewayError};
use crate::domain::ids::{CardId, OfferId, Tenant};
use crate::domain::screening::{Answer, Subject, Unavailable};
use crate::screening::Screen;
use crate::store::retry::transaction;
use crate::store::screenings::{self, ScreenedCard, Settled};
use crate::vault::{Context, HOLDER_COLUMN, RecordId, Sealed};

pub use crate::store::screenings::WaitingCard;

/// How many cards one step takes.
const BITE: i64 = 50;
/// After how long a card that nobody could tell about is asked about again.
const AGAIN_SECS: i64 = 30;

/// Who screens, and when.
#[derive(Clone, Default)]
pub struct Screening {
    /// `None`: nobody does.
    pub screen: Option<Arc<dyn Screen>>,
    pub at_card: bool,
    pub at_pay: bool,
    /// How long one question may take.
    pub timeout: Duration,
}

/// What pays were answered, by offer.
pub type PayScreenings = BTreeMap<(Tenant, OfferId), Result<Answer, Unavailable>>;

impl Gateway {
    /// Whether a card that is added waits for a screening.
    pub fn screens_cards(&self) -> bool {
        self.screening.screen.is_some() && self.screening.at_card
    }

    /// Whether pays are screened before they are accepted.
    pub fn screens_pays(&self) -> bool {
        self.screening.screen.is_some() && self.screening.at_pay
    }

    async fn ask(&self, card: &ScreenedCard) -> Result<Answer, Unavailable> {
        let Some(screen) = &self.screening.screen else { return Err(Unavailable("nobody screens".to_owned())) };
        let context = Context {
            tenant: card.tenant(),
            customer_id: Some(card.customer_id),
            record: RecordId::from(card.card_id),
            column: HOLDER_COLUMN,
        };
        let sealed = Sealed(card.holder_sealed.clone());
        let opened = self.vault.open(&context, &sealed).await;
        let opened = opened.map_err(|error| Unavailable(format!("the holder of card {}: {error}", card.card_id)))?;
        let name = std::str::from_utf8(&opened)
            .map_err(|_| Unavailable(format!("the holder of card {} is no text", card.card_id)))?;
        let issuer_country = self.issuers.find(&card.iin).and_then(|issuer| issuer.country.as_deref());
        let subject = Subject { name, reference: &card.reference, country: card.country.as_deref(), issuer_country };
        match tokio::time::timeout(self.screening.timeout, screen.screen(&subject)).await {
            Ok(answer) => answer,
            Err(_) => Err(Unavailable("it took too long".to_owned())),
        }
    }

    /// Screens the pays of these offers, as far as they are open. Nothing is asked where pays aren't screened.
    pub async fn screen_pays(&self, offers: &[(Tenant, OfferId)]) -> Result<PayScreenings, GatewayError> {
        if !self.screens_pays() || offers.is_empty() {
            return Ok(PayScreenings::new());
        }
        let cards = {
            let conn = self.db.get().await?;
            screenings::cards_of_offers(&conn, offers, self.clock.now()).await?
        };
        let mut asked = Vec::with_capacity(cards.len());
        for (_, card) in &cards {
            asked.push(self.ask(card));
        }
        let answers = join_all(asked).await;
        let keys = cards.iter().map(|(offer, card)| (card.tenant(), *offer));
        Ok(keys.zip(answers).collect())
    }

    /// Screens cards that wait for it. Answers how many were taken.
    pub async fn screen_cards(&self) -> Result<usize, GatewayError> {
        if !self.screens_cards() {
            return Ok(0);
        }
        let claimed = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            Ok::<_, GatewayError>(screenings::claim(conn, now, now + TimeDelta::seconds(AGAIN_SECS), BITE).await?)
        })
        .await?;
        let keys: Vec<_> = claimed.iter().map(|claimed| (claimed.tenant(), claimed.card_id)).collect();
        if keys.is_empty() {
            return Ok(0);
        }
        let cards = {
            let conn = self.db.get().await?;
            screenings::cards(&conn, &keys).await?
        };
        for claimed in &claimed {
            let is_it = |card: &&ScreenedCard| card.tenant() == claimed.tenant() && card.card_id == claimed.card_id;
            let Some(card) = cards.iter().find(is_it) else { continue };
            let settled = match self.ask(card).await {
                Ok(Answer::Pass) => Settled { state: "approved", status: "approved", why: None },
                Ok(Answer::Refuse { why }) => Settled { state: "declined", status: "declined", why: Some(why) },
                Ok(Answer::Review { why }) => Settled { state: "review", status: "pending", why: Some(why) },
                Err(error) => {
                    // Comes up again when its lease is over.
                    tracing::warn!(card = %claimed.card_id, %error, "a card could not be screened");
                    continue;
                }
            };
            transaction(&self.db, async |conn| {
                Ok::<_, GatewayError>(screenings::settle(conn, claimed, settled.clone(), self.clock.now()).await?)
            })
            .await?;
        }
        Ok(claimed.len())
    }

    /// A tenant's cards that wait for their screening (`open`) or for a person (`review`).
    pub async fn waiting_cards(&self, tenant: Tenant) -> Result<Vec<WaitingCard>, Refusal> {
        let conn = self.db.get().await?;
        Ok(screenings::waiting(&conn, tenant).await?)
    }

    /// Settles a card by a person's word, whatever a screening said or is about to say. Again, it changes nothing.
    pub async fn settle_card(&self, author: &Author, id: CardId, approve: bool, reason: &str) -> Result<(), Refusal> {
        let now = self.clock.now();
        let reason = checked_reason(reason).map_err(|problem: Problem| Refusal::Invalid(vec![problem]))?;
        let (status, action) = if approve { ("approved", "card.approve") } else { ("declined", "card.decline") };
        transaction(&self.db, async |conn| {
            let before = screenings::lock_status(conn, author.tenant, id).await?;
            let before = before.ok_or(Refusal::NotFound { what: "card" })?;
            if before == status {
                return Ok(());
            }
            let by = author.actor.clone();
            screenings::settle_by_hand(conn, author.tenant, id, status, by, reason.clone(), now).await?;
            let action = Action {
                action,
                object: id.to_string(),
                before: Some(json!({"validation_status": before})),
                after: Some(json!({"validation_status": status, "reason": reason})),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok::<_, Refusal>(())
        })
        .await
    }
}
