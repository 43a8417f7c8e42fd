//! Terms of partners: what each goes by now, and how they are changed. A change is a whole document, checked as configuration is, written as
//! the next version with its row of the audit trail, and in force on every node a second later: nobody restarts anything.

use std::sync::Arc;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::audit::{self, Action, Author};
use super::access::{Caller, Problem, Refusal};
use super::route_book::Snapshot;
use super::{Gateway, GatewayError};
use crate::config::Problems;
use crate::config::pricing::terms::{self as document, TermsGround};
use crate::domain::card::strike_numbers;
use crate::domain::ids::Tenant;
use crate::domain::offer::PriceBook;
use crate::domain::terms::{PartnerTerms, TermsInForce};
use crate::store::error::DbError;
use crate::store::partner_terms;
pub use crate::store::partner_terms::TermsVersion;
use crate::store::retry::transaction;

/// For how long a partner is priced by terms that can't be looked up again; they are a second old while they can.
const AGE_SECS_MAX: i64 = 10;
const REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=500;
/// The longest document, in bytes of its shortest text.
pub const DOCUMENT_BYTES_MAX: usize = 65_536;
/// Where a document's problems stand.
const POINTER: &str = "/data/attributes/terms";

/// The next version of a partner's terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewTerms {
    pub document: Value,
    /// 3 to 500 characters.
    pub reason: String,
    /// The version in force when it was written; 0: there was none.
    pub follows: i32,
}

/// What the audit trail keeps of a version.
fn audited(version: &TermsVersion) -> Value {
    json!({"version": version.version, "terms": version.body})
}

/// The partner is the house, whose terms are its configuration.
fn is_the_house() -> Refusal {
    Refusal::conflict("HOUSE_TERMS", "the house goes by its configuration ([pricing]), and has no terms beside it")
}

/// What is wrong in a document, each with its dotted name.
fn refused(problems: Problems) -> Refusal {
    let told = |problem: crate::config::Problem| {
        let detail = format!("{}: {}", problem.key, problem.what);
        Problem::new(POINTER, "INVALID_VALUE", strike_numbers(&detail).into_owned())
    };
    Refusal::Invalid(problems.0.into_iter().map(told).collect())
}

impl Gateway {
    /// What prices and limits go by, a second old; where it can't be read again, up to ten.
    pub async fn terms_snapshot(&self) -> Result<Arc<Snapshot>, GatewayError> {
        let snapshot = self.snapshot().await?;
        let age = self.clock.now().signed_duration_since(snapshot.read_at());
        if age.abs() > TimeDelta::seconds(AGE_SECS_MAX) {
            return Err(DbError::Unavailable("the terms of partners can't be looked up".to_owned()).into());
        }
        Ok(snapshot)
    }

    /// What a partner goes by in a mode.
    ///
    /// # Errors
    /// [`GatewayError::TermsUnavailable`], where this program can't read its terms.
    pub async fn terms_in_force(&self, tenant: Tenant) -> Result<Arc<TermsInForce>, GatewayError> {
        self.terms_snapshot().await?.terms(tenant).cloned()
    }

    /// What whoever calls goes by, with its partner's code.
    pub async fn own_terms(&self, caller: &Caller) -> Result<(String, Arc<TermsInForce>), Refusal> {
        let snapshot = self.terms_snapshot().await?;
        let partner = snapshot.partner_code(caller.tenant.partner_id).ok_or(Refusal::NotFound { what: "partner" })?;
        Ok((partner.to_owned(), Arc::clone(snapshot.terms(caller.tenant)?)))
    }

    /// Puts new terms in force: those of the author's tenant.
    pub async fn set_terms(&self, author: &Author, new: &NewTerms) -> Result<TermsVersion, Refusal> {
        let now = self.clock.now();
        let reason = checked_reason(&new.reason)?;
        let (body, _) = self.checked_terms(author.tenant, new.follows.saturating_add(1), &new.document).await?;
        let next = TermsVersion {
            partner_id: author.tenant.partner_id,
            mode: author.tenant.mode,
            version: new.follows.saturating_add(1),
            body,
            reason,
            created_by: author.actor.clone(),
            created_at: now,
        };
        let outcome = transaction(&self.db, async |conn| {
            let before = partner_terms::newest(conn, author.tenant).await?;
            if before.as_ref().map_or(0, |before| before.version) != new.follows {
                return Err(changed_meanwhile());
            }
            partner_terms::insert(conn, &next).await?;
            let action = Action {
                action: "partner_terms.set",
                object: author.tenant.partner_id.to_string(),
                // Not `None`: a partner has terms from its first day, the house's.
                before: Some(before.as_ref().map_or_else(|| json!({"version": 0, "terms": {}}), audited)),
                after: Some(json!({"version": next.version, "terms": next.body, "reason": next.reason})),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok(())
        })
        .await;
        match outcome {
            Err(Refusal::Failed(GatewayError::Db(error))) if error.is_conflict_on(partner_terms::ONCE) => {
                return Err(changed_meanwhile());
            }
            outcome => outcome?,
        }
        self.routes.forget();
        Ok(next)
    }

    /// A document as it would be kept, and what it means. Nothing is changed.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub async fn checked_terms(
        &self,
        tenant: Tenant,
        version: i32,
        new: &Value,
    ) -> Result<(Value, PartnerTerms), Refusal> {
        let snapshot = self.snapshot().await?;
        if snapshot.house() == tenant.partner_id {
            return Err(is_the_house());
        }
        let partner = snapshot.partner_code(tenant.partner_id).ok_or(Refusal::NotFound { what: "partner" })?;
        let house = &snapshot.house_terms().ok_or(GatewayError::TermsUnavailable(tenant))?.book;
        let body = document::kept(new.clone());
        if body.to_string().len() > DOCUMENT_BYTES_MAX {
            return Err(Refusal::invalid(POINTER, "TOO_LONG", "terms: are longer than 64 KiB"));
        }
        let version = u32::try_from(version).unwrap_or(0);
        let ground = TermsGround { house, partner, mode: tenant.mode, version, is_new: true };
        let terms = document::read(&body, &ground).map_err(refused)?;
        Ok((body, terms))
    }

    /// The version in force; `None`: the partner goes by the house's.
    pub async fn newest_terms(&self, tenant: Tenant) -> Result<Option<TermsVersion>, GatewayError> {
        let conn = self.db.get().await?;
        Ok(partner_terms::newest(&conn, tenant).await?)
    }

    pub async fn terms_version(&self, tenant: Tenant, version: i32) -> Result<Option<TermsVersion>, GatewayError> {
        let conn = self.db.get().await?;
        Ok(partner_terms::find(&conn, tenant, version).await?)
    }

    /// At most `size` versions before `before`, newest first.
    pub async fn list_terms(&self, tenant: Tenant, before: i32, size: i64) -> Result<Vec<TermsVersion>, GatewayError> {
        let conn = self.db.get().await?;
        Ok(partner_terms::list(&conn, tenant, before, size).await?)
    }
}

/// What a stored version means now.
///
/// # Errors
/// Everything that this program can't read in it.
pub fn stored_terms(house: &PriceBook, partner: &str, stored: &TermsVersion) -> Result<PartnerTerms, Problems> {
    let version = u32::try_from(stored.version).unwrap_or(0);
    document::read(&stored.body, &TermsGround { house, partner, mode: stored.mode, version, is_new: false })
}

fn changed_meanwhile() -> Refusal {
    Refusal::conflict("VERSION_CONFLICT", "the terms were changed meanwhile: look at them again")
}

/// As it is kept: trimmed, without control characters and card numbers.
fn checked_reason(reason: &str) -> Result<String, Refusal> {
    let plain: String = reason.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let struck = strike_numbers(&plain).into_owned();
    if REASON_CHARS.contains(&struck.chars().count()) {
        return Ok(struck);
    }
    Err(Refusal::invalid("/data/attributes/reason", "WRONG_LENGTH", "reason: has 3 to 500 characters"))
}
