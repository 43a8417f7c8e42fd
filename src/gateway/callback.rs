//! Providers' callbacks: verified, stored, answered, and applied once by a job. They come late, twice and out of order.
//! One that can't be verified only makes us ask.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::complete::{Report, Source};
use super::{Gateway, GatewayError};
use crate::domain::card::strike_encoded;
use crate::domain::ids::{ProviderAccountId, Tenant};
use crate::providers::echo::{self, Sent, passes_for_number};
use crate::providers::provider::{CallbackError, Outcome, ReportedOutcome};
use crate::store::callbacks::{self, Callback, NewCallback};
use crate::store::jobs::{self, JobKind, NewJob};
use crate::store::payouts;
use crate::store::retry::transaction;

/// What callbacks are known again by, in the vault's MAC.
const KNOWN_BY: &str = "provider callback";
/// The longest body that is kept, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// How many callbacks of an account are kept that can't be verified: the newest.
const STRAYS_KEPT: i64 = 100;

/// What became of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Stored, or known already.
    Stored,
    /// It can't be verified: it is not believed, but what it names is asked about.
    NotVerified,
    /// The same, and there are too many of those: nothing is done about it.
    Unheeded,
    /// It can't be read.
    Malformed,
    NoSuchAccount,
}

impl Gateway {
    /// Takes a callback in. It is durable when this answers.
    pub async fn receive_callback(
        &self,
        account_id: ProviderAccountId,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<Received, GatewayError> {
        self.receive_callback_from(account_id, headers, body, || true).await
    }

    /// The same for one from outside: `heeds_stray` is asked whether one that can't be verified is still to be looked at.
    pub async fn receive_callback_from(
        &self,
        account_id: ProviderAccountId,
        headers: &[(String, String)],
        body: &[u8],
        heeds_stray: impl FnOnce() -> bool + Send,
    ) -> Result<Received, GatewayError> {
        let now = self.clock.now();
        let snapshot = self.routes.snapshot(&self.db, &self.assets, &self.providers, &self.credentials, now).await?;
        let Some((provider_code, account)) = snapshot.account(account_id) else {
            return Ok(Received::NoSuchAccount);
        };
        let Some(provider) = self.providers.get(provider_code) else { return Ok(Received::NoSuchAccount) };
        let read = match provider.parse_callback(account, headers, body) {
            Err(CallbackError::NotVerified { references }) => {
                let earlier = snapshot.account_state(account_id).into_iter().flat_map(|s| s.earlier_contexts(now));
                let mut reads = earlier.map(|context| provider.parse_callback(context, headers, body));
                match reads.find(|read| !matches!(read, Err(CallbackError::NotVerified { .. }))) {
                    Some(read) => {
                        tracing::info!(account = %account_id, "a callback came under a key that was replaced");
                        read
                    }
                    None => Err(CallbackError::NotVerified { references }),
                }
            }
            read => read,
        };
        let (verified, mut reports, references) = match read {
            Ok(mut reports) => {
                reports.retain(|report| !passes_for_number(&report.reference));
                for report in &mut reports {
                    let outcome = std::mem::replace(&mut report.outcome, Outcome::NotFound);
                    report.outcome = echo::without_number(outcome, Sent::NotKnown);
                }
                (true, serde_json::to_value(&reports).unwrap_or_default(), Vec::new())
            }
            Err(CallbackError::NotVerified { .. }) if !heeds_stray() => return Ok(Received::Unheeded),
            Err(CallbackError::NotVerified { mut references }) => {
                references.retain(|reference| !passes_for_number(reference));
                (false, json!(references), references)
            }
            Err(CallbackError::Malformed(_) | CallbackError::NotSupported) => return Ok(Received::Malformed),
        };
        without_nul(&mut reports);
        let mut hasher = Sha256::new();
        hasher.update([u8::from(verified)]);
        hasher.update(body);
        let unkeyed = hasher.finalize().to_vec();
        let digest = self.vault.foreign_mac(KNOWN_BY, &unkeyed).to_vec();
        let body_redacted = redacted(body);
        transaction(&self.db, async |conn| {
            let known = payouts::find_by_references(conn, account_id, &references).await?;
            let asked: Vec<NewJob> = known
                .iter()
                .filter(|payout| payout.status.is_open())
                .map(|payout| job(payout.tenant(), JobKind::Inquire, payout.id.0, now))
                .collect();
            // A callback stands under its account's owner.
            let tenant =
                snapshot.account_state(account_id).map_or(snapshot.house_in(account.mode), |state| state.owner);
            let callback = NewCallback {
                tenant,
                id: Uuid::now_v7(),
                provider_account_id: account_id,
                digest: digest.clone(),
                unkeyed: unkeyed.clone(),
                verified,
                reports: reports.clone(),
                body_redacted: body_redacted.clone(),
            };
            let id = callback.id;
            let is_new = callbacks::insert(conn, callback, now).await?;
            if is_new && !verified {
                // Anybody can send them.
                callbacks::prune_strays(conn, account_id, STRAYS_KEPT).await?;
            }
            if is_new && verified {
                jobs::insert(conn, &[job(tenant, JobKind::Callback, id, now)], now).await?;
            } else if is_new {
                jobs::insert(conn, &asked, now).await?;
            }
            Ok::<_, GatewayError>(())
        })
        .await?;
        self.callback_hint.notify_waiters();
        Ok(if verified { Received::Stored } else { Received::NotVerified })
    }

    /// Callbacks that an earlier version knew again by a SHA-256 of their bodies are known by the vault's MAC of it from now on, so that the
    /// same message again is still the same one. Answers how many were left to do in this bite.
    pub(super) async fn key_callbacks(&self, bite: i64) -> Result<usize, GatewayError> {
        transaction(&self.db, async |conn| {
            let old = callbacks::unkeyed(conn, bite).await?;
            let count = old.len();
            if count > 0 {
                let keyed = old.into_iter().map(|callback| {
                    let digest = self.vault.foreign_mac(KNOWN_BY, &callback.digest).to_vec();
                    let other = [digest.as_slice(), callback.id.as_bytes()].concat();
                    let other = self.vault.foreign_mac("provider callback, again", &other).to_vec();
                    (callback, digest, other)
                });
                callbacks::set_digests(conn, keyed.collect()).await?;
            }
            Ok::<_, GatewayError>(count)
        })
        .await
    }

    /// Applies due callbacks; answers how many jobs were taken.
    pub async fn apply_callbacks(&self, batch_size: usize) -> Result<usize, GatewayError> {
        let (claimed, found) = transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let lease_until = now + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::minutes(1));
            let claimed = jobs::claim(conn, JobKind::Callback, now, lease_until, batch_size).await?;
            let keys: Vec<_> = claimed.iter().map(|job| (job.tenant(), job.subject_id)).collect();
            let found = callbacks::find(conn, &keys).await?;
            Ok::<_, GatewayError>((keys, found))
        })
        .await?;
        for callback in found {
            // One that can't be applied doesn't hold up the others: its lease brings it up again.
            if let Err(error) = self.apply_callback(&callback).await {
                tracing::error!(callback = %callback.id, %error, "a callback could not be applied");
            }
        }
        Ok(claimed.len())
    }

    async fn apply_callback(&self, callback: &Callback) -> Result<(), GatewayError> {
        let tenant = Tenant { partner_id: callback.partner_id, mode: callback.mode };
        let reports = self.reports_of(callback.provider_account_id, &callback.reports).await?;
        self.complete(&reports).await?;
        transaction(&self.db, async |conn| {
            callbacks::mark_processed(conn, tenant, callback.id, self.clock.now()).await?;
            jobs::delete(conn, &[(tenant, JobKind::Callback, callback.id)]).await?;
            Ok(())
        })
        .await
    }

    async fn reports_of(
        &self,
        account_id: ProviderAccountId,
        stored: &serde_json::Value,
    ) -> Result<Vec<Report>, GatewayError> {
        let reported: Vec<ReportedOutcome> = serde_json::from_value(stored.clone())
            .map_err(|error| GatewayError::Corrupt(format!("a stored callback: {error}")))?;
        let references: Vec<String> = reported.iter().map(|r| r.reference.clone()).collect();
        let conn = self.db.get().await?;
        let known = payouts::find_by_references(&conn, account_id, &references).await?;
        Ok(reported
            .into_iter()
            .filter_map(|report| {
                let payout = known.iter().find(|payout| payout.provider_reference == report.reference);
                if payout.is_none() {
                    tracing::warn!(account = %account_id, "a callback names a payout that isn't ours");
                }
                payout.map(|payout| self.report(payout, Source::Callback, report.outcome))
            })
            .collect())
    }
}

fn job(tenant: Tenant, kind: JobKind, subject_id: Uuid, run_at: DateTime<Utc>) -> NewJob {
    NewJob { tenant, kind, subject_id, run_at, claimed: false }
}

/// PostgreSQL's text and JSON take no NUL: a callback that holds one must not be refused for ever.
fn without_nul(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::String(_) => {}
        Value::Array(items) => items.iter_mut().for_each(without_nul),
        Value::Object(fields) => fields.values_mut().for_each(without_nul),
    }
}

/// The body as text without anything that could be a card number: what passes for one in any spelling, and every run of 12 or more digits,
/// whether or not it passes (PCI DSS 3.5.1).
fn redacted(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_MAX)]);
    let text = strike_encoded(&text);
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let flush = |run: &mut String, out: &mut String| {
        let digits = run.chars().filter(char::is_ascii_digit).count();
        if digits >= 12 {
            out.push_str("[digits]");
        } else {
            out.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        // PostgreSQL's text takes no NUL.
        let c = if c == '\0' { '\u{fffd}' } else { c };
        if c.is_ascii_digit() || (!run.is_empty() && (c == ' ' || c == '-')) {
            run.push(c);
        } else {
            flush(&mut run, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{redacted, without_nul};

    #[test]
    fn digits_that_could_be_a_card_are_struck_out() {
        assert_eq!(redacted(br#"{"pan":"4111 1111-1111 1111","n":12345}"#), r#"{"pan":"[card number]","n":12345}"#);
        assert_eq!(redacted(br#"{"pan":"4111 1111-1111 1112","n":12345}"#), r#"{"pan":"[digits]","n":12345}"#);
        assert_eq!(redacted(b"pan=%34%31111111%2011111111"), "pan=[card number]");
        assert_eq!(redacted(b"pan=NDExMTExMTExMTExMTExMQ=="), "pan=[card number]==");
        assert_eq!(redacted(b"\0ok"), "\u{fffd}ok");
    }

    #[test]
    fn what_the_database_cannot_hold_is_replaced() {
        let mut reports = json!([{"reference": "a\0b", "n": 1, "nested": {"why": "\0"}}]);
        without_nul(&mut reports);
        assert_eq!(reports, json!([{"reference": "a\u{fffd}b", "n": 1, "nested": {"why": "\u{fffd}"}}]));
    }
}
