//! Idempotency keys: a write is done once per key, user and 24 hours, and its answer is replayed.
//!
//! The answer of every request that was **carried out** is saved, refusals by a rule included (as the IETF's draft on
//! the header has it). What was never carried out lets go of its key, so that a corrected request may use it: invalid
//! data, an unknown thing, what there is no price or no route for. A failure of ours (5xx) lets the same request go on under its key,
//! and no other: its work may be done. A process that dies loses its key by its lease; if it
//! died after its work was committed and before its answer was saved, the work is done once more, which every write
//! here can bear: the same card is the same card, an offer holds nothing, an address is what it was, and a deleted card
//! stays deleted (the repeat is told 404), a reference stands for one payout request or credit, and what is made without one
//! is made under the id that its key stands for ([`OnceId`]): payout requests and batches.
//!
//! Bodies are compared by HMAC and never stored. An answer that holds a secret is saved without it.

use std::future::Future;
use std::sync::Arc;

use actix_web::HttpRequest;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::body::Body;
use super::call::Answer;
use super::context::RequestContext;
use super::error::{ApiError, Code, FieldProblem};
use crate::domain::card::{strike_numbers, without_ids};
use crate::domain::ids::Tenant;
use crate::gateway::Gateway;
use crate::store::error::DbError;
use crate::store::idempotency::{self as keys, KeyOwner, SavedKey};

/// How often a key is looked at that keeps changing hands.
const TRIES: usize = 4;

/// A key as the caller chose it: 1 to 255 visible ASCII characters.
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub const HEADER: &'static str = "Idempotency-Key";

    pub fn parse(text: &str) -> Result<Self, ApiError> {
        match text.len() {
            1..=255 if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Self(text.to_owned())),
            1..=255 => Err(ApiError::field(Self::HEADER, FieldProblem::Value)),
            _ => Err(ApiError::field(Self::HEADER, FieldProblem::Length)),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request with its key: whose it is, what is to be done, and the MAC of its body.
pub struct KeyedRequest {
    owner: KeyOwner,
    operation: String,
    body_mac: [u8; 32],
    /// How long a process has for its work before another may take the key over.
    lease: TimeDelta,
}

impl KeyedRequest {
    /// `principal` is whose key it is within the tenant: `user:alice`, `key:key_...`.
    pub fn new(
        gateway: &Gateway,
        tenant: Tenant,
        principal: String,
        key: IdempotencyKey,
        request: &HttpRequest,
        body: &Body,
        lease_secs: u32,
    ) -> Self {
        Self {
            owner: KeyOwner { tenant, principal, key: kept_key(gateway, key.0) },
            operation: format!("{} {}", request.method(), strike_numbers(request.path())),
            body_mac: mac_of(gateway, request.query_string(), body),
            lease: TimeDelta::seconds(i64::from(lease_secs)),
        }
    }
}

/// As a key is kept: one that could be a card number, by the vault's MAC of it.
fn kept_key(gateway: &Gateway, key: String) -> String {
    if strike_numbers(&key) == key.as_str() {
        return key;
    }
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key.as_bytes())));
    format!("keyed/{}", hex::encode(gateway.vault.foreign_mac("idempotency key", digest.as_slice())))
}

/// What was asked: the body, and the query where there is one.
fn mac_of(gateway: &Gateway, query: &str, body: &Body) -> [u8; 32] {
    if query.is_empty() {
        return gateway.vault.body_hmac(body.bytes());
    }
    let asked = Zeroizing::new([query.as_bytes(), b"\0", body.bytes()].concat());
    gateway.vault.body_hmac(&asked)
}

/// An id that stands for one key's one work, whoever does it how often: what is made under it is made once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnceId(pub Uuid);

impl OnceId {
    /// Of the key as it was first claimed at that time. A version 7 UUID, so that it stands in the order of time like others.
    fn of(gateway: &Gateway, request: &KeyedRequest, claimed_at: DateTime<Utc>) -> Self {
        let KeyOwner { tenant, principal, key } = &request.owner;
        let words = [
            "once",
            &tenant.partner_id.to_string(),
            tenant.mode.as_str(),
            principal,
            key,
            &request.operation,
            &claimed_at.timestamp_micros().to_string(),
        ];
        let mac = gateway.vault.body_hmac(words.join("\0").as_bytes());
        let mut drawn = [0; 10];
        drawn.copy_from_slice(&mac[..10]);
        let millis = u64::try_from(claimed_at.timestamp_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &drawn).into_uuid())
    }
}

/// What a saved key means for a request that names it again.
#[derive(Debug, PartialEq, Eq)]
enum Known {
    Replay(Answer),
    Mismatch,
    Running {
        secs: u64,
    },
    /// Its process died, or its time is over.
    Free,
}

/// How long a key is kept, by the configuration: 24 hours at least.
fn kept(gateway: &Gateway) -> TimeDelta {
    TimeDelta::hours(i64::from(gateway.settings.retention.idempotency_hours))
}

fn is_over(saved: &SavedKey, kept: TimeDelta, now: DateTime<Utc>) -> bool {
    saved.created_at + kept <= now
}

fn judge(saved: &SavedKey, request: &KeyedRequest, kept: TimeDelta, now: DateTime<Utc>) -> Known {
    if is_over(saved, kept, now) {
        return Known::Free;
    }
    if saved.operation != request.operation || saved.body_mac != request.body_mac {
        return Known::Mismatch;
    }
    match (saved.response_status, &saved.response_body) {
        (Some(status), Some(body)) => {
            let answer = Answer::new(u16::try_from(status).unwrap_or(500), body.clone());
            Known::Replay(Answer { replayed: true, ..answer })
        }
        _ if saved.lease_until <= now => Known::Free,
        _ => Known::Running { secs: u64::try_from((saved.lease_until - now).num_seconds()).unwrap_or(0).clamp(1, 5) },
    }
}

/// An API's error, as a refusal that may have to be replayed.
pub trait Replayable: From<ApiError> {
    /// The refusal of a request that was carried out, as it is to be replayed; `None` for one that wasn't.
    fn to_save(&self, context: &RequestContext) -> Option<Answer>;

    /// Whether it is a failure of ours after which nobody knows that nothing was done.
    fn may_be_done(&self) -> bool;
}

impl Replayable for ApiError {
    fn to_save(&self, context: &RequestContext) -> Option<Answer> {
        let status = self.code.status();
        let carried_out = status.is_client_error()
            && !matches!(self.code, Code::NotValidRequestData | Code::NotFound | Code::RequestInProgress);
        if !carried_out {
            return None;
        }
        let body = serde_json::to_string(&self.body(context)).ok()?;
        Some(Answer::new(status.as_u16(), body))
    }

    fn may_be_done(&self) -> bool {
        matches!(self.code, Code::Common | Code::ServiceUnavailable)
    }
}

/// Does `work` once for the key of `request`, or answers what was answered before.
pub async fn once<W, F, E>(
    gateway: Arc<Gateway>,
    request: KeyedRequest,
    context: RequestContext,
    work: W,
) -> Result<Answer, E>
where
    W: FnOnce(OnceId) -> F,
    F: Future<Output = Result<Answer, E>>,
    E: Replayable,
{
    let (lease_until, claimed_at) = match claim(&gateway, &request).await? {
        Claimed::Ours { lease_until, claimed_at } => (lease_until, claimed_at),
        Claimed::Answered(answer) => return Ok(answer),
    };
    let done = work(OnceId::of(&gateway, &request, claimed_at)).await;
    let saved = match &done {
        Ok(answer) => Some(answer.clone()),
        Err(error) => error.to_save(&context),
    };
    let kept = match saved {
        Some(mut answer) if holds_card_number(kept_body(&answer)) => {
            tracing::error!(
                operation = request.operation,
                "an answer seems to hold a card number: it is saved without"
            );
            // The key stays taken all the same: what was done isn't done again.
            answer.saved_body = Some(strike_numbers(kept_body(&answer)).into_owned());
            save(&gateway, &request, lease_until, &answer).await
        }
        Some(answer) => save(&gateway, &request, lease_until, &answer).await,
        None if done.as_ref().is_err_and(E::may_be_done) => release(&gateway, &request, lease_until).await,
        None => let_go(&gateway, &request, lease_until).await,
    };
    if let Err(error) = kept {
        // The work is done: its answer stands, and the key is free again when its lease is over.
        tracing::error!(%error, operation = request.operation, "an idempotent answer could not be saved");
    }
    done
}

enum Claimed {
    Ours {
        lease_until: DateTime<Utc>,
        /// When it was claimed first: by another process, where this one takes over.
        claimed_at: DateTime<Utc>,
    },
    Answered(Answer),
}

async fn claim(gateway: &Gateway, request: &KeyedRequest) -> Result<Claimed, ApiError> {
    let mut conn = gateway.db.get().await?;
    for _ in 0..TRIES {
        let now = gateway.clock.now();
        let lease_until = now + request.lease;
        let (owner, operation, mac) = (&request.owner, &request.operation, &request.body_mac);
        if keys::claim(&mut conn, owner, operation, mac, lease_until, now).await.map_err(DbError::from)? {
            return Ok(Claimed::Ours { lease_until, claimed_at: now });
        }
        let Some(saved) = keys::find(&mut conn, owner).await.map_err(DbError::from)? else { continue };
        match judge(&saved, request, kept(gateway), now) {
            Known::Replay(answer) => return Ok(Claimed::Answered(answer)),
            Known::Mismatch => return Err(ApiError::new(Code::IdempotencyMismatch)),
            Known::Running { secs } => return Err(ApiError::new(Code::RequestInProgress).retry_after(secs)),
            Known::Free => {
                // The work of a process that died is still the same work; a key that is old begins anew.
                let claimed_at = if is_over(&saved, kept(gateway), now) { now } else { saved.created_at };
                let seen = saved.lease_until;
                let taken = keys::take_over(&mut conn, owner, operation, mac, seen, lease_until, claimed_at).await;
                if taken.map_err(DbError::from)? {
                    return Ok(Claimed::Ours { lease_until, claimed_at });
                }
            }
        }
    }
    Err(ApiError::new(Code::RequestInProgress))
}

async fn save(
    gateway: &Gateway,
    request: &KeyedRequest,
    lease_until: DateTime<Utc>,
    answer: &Answer,
) -> Result<(), DbError> {
    let mut conn = gateway.db.get().await?;
    Ok(keys::save(&mut conn, &request.owner, lease_until, answer.status, kept_body(answer)).await?)
}

/// The key stays this request's, and whoever sends it again goes on with it at once.
async fn release(gateway: &Gateway, request: &KeyedRequest, lease_until: DateTime<Utc>) -> Result<(), DbError> {
    let mut conn = gateway.db.get().await?;
    Ok(keys::release(&mut conn, &request.owner, lease_until, gateway.clock.now()).await?)
}

async fn let_go(gateway: &Gateway, request: &KeyedRequest, lease_until: DateTime<Utc>) -> Result<(), DbError> {
    let mut conn = gateway.db.get().await?;
    Ok(keys::forget(&mut conn, &request.owner, lease_until).await?)
}

fn kept_body(answer: &Answer) -> &str {
    answer.saved_body.as_deref().unwrap_or(&answer.body)
}

/// Whether `text` has 13 to 19 digits in a row that pass the Luhn check. The decimals of a number may, and digits within an id:
/// neither is a card number.
fn holds_card_number(text: &str) -> bool {
    let bytes = without_ids(text);
    let mut start = 0;
    while start < bytes.len() {
        if !bytes[start].is_ascii_digit() {
            start += 1;
            continue;
        }
        let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let decimals = start > 0 && bytes[start - 1] == b'.';
        if !decimals && (13..=19).contains(&length) && luhn(&bytes[start..start + length]) {
            return true;
        }
        start += length;
    }
    false
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, byte)| match (place % 2, u32::from(byte - b'0')) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Mode, PartnerId};
    use crate::http::messages::Language;

    const DAY: TimeDelta = TimeDelta::days(1);

    fn at(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + secs, 0).unwrap()
    }

    fn request() -> KeyedRequest {
        let tenant = Tenant { partner_id: PartnerId::new(), mode: Mode::Test };
        KeyedRequest {
            owner: KeyOwner { tenant, principal: "user:alice".into(), key: "k".into() },
            operation: "POST /v4/payout/offer".into(),
            body_mac: [7; 32],
            lease: TimeDelta::seconds(60),
        }
    }

    fn saved(answer: Option<(i16, &str)>) -> SavedKey {
        SavedKey {
            operation: "POST /v4/payout/offer".into(),
            body_mac: vec![7; 32],
            lease_until: at(60),
            response_status: answer.map(|(status, _)| status),
            response_body: answer.map(|(_, body)| body.to_owned()),
            created_at: at(0),
        }
    }

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        for good in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", &"k".repeat(255)] {
            assert!(IdempotencyKey::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\tb", "é", &"k".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_finished_request_is_replayed_as_long_as_it_is_kept() {
        let saved = saved(Some((200, "{}")));
        let replay = Known::Replay(Answer { replayed: true, ..Answer::new(200, "{}".into()) });
        assert_eq!(judge(&saved, &request(), DAY, at(86_399)), replay);
        assert_eq!(judge(&saved, &request(), DAY, at(86_400)), Known::Free);
        assert_ne!(judge(&saved, &request(), DAY + DAY, at(86_400)), Known::Free);
    }

    #[test]
    fn another_body_or_operation_is_a_mismatch_even_while_the_first_runs() {
        let other_body = SavedKey { body_mac: vec![8; 32], ..saved(None) };
        let other_operation = SavedKey { operation: "DELETE /x".into(), ..saved(Some((204, ""))) };
        assert_eq!(judge(&other_body, &request(), DAY, at(1)), Known::Mismatch);
        assert_eq!(judge(&other_operation, &request(), DAY, at(1)), Known::Mismatch);
    }

    #[test]
    fn a_running_request_holds_its_key_until_its_lease_is_over() {
        assert_eq!(judge(&saved(None), &request(), DAY, at(58)), Known::Running { secs: 2 });
        assert_eq!(judge(&saved(None), &request(), DAY, at(60)), Known::Free);
    }

    #[test]
    fn only_refusals_by_a_rule_are_saved() {
        let context = RequestContext::new(None, Language::En);
        let is_saved = |code| ApiError::new(code).to_save(&context).is_some();
        assert!(is_saved(Code::OfferExpired) && is_saved(Code::CardNotSupported));
        for code in [Code::NotValidRequestData, Code::NotFound, Code::Common, Code::RatesUnavailable, Code::NoRoute] {
            assert!(!is_saved(code), "{code:?}");
        }
    }

    #[test]
    fn a_card_number_in_an_answer_is_noticed() {
        assert!(holds_card_number(r#"{"n":"4907000000003896"}"#) == luhn(b"4907000000003896"));
        assert!(holds_card_number("4111111111111111"));
        assert!(!holds_card_number("0.4111111111111111"));
        assert!(!holds_card_number(r#"{"id":"pop_01a1f4111111111111111ae1f396aabb"}"#));
        assert!(holds_card_number(r#"{"id":"pop_4111111111111111"}"#));
        assert!(holds_card_number(r#"{"id":"x01a1f4111111111111111ae1f396aabbb"}"#));
        assert!(!holds_card_number(r#"{"maskedPan":"4111***1111","offerId":4111111111111112}"#));
    }
}
