//! Terms of partners as staff keep them on the dashboard: what is in force beside the house's, what was, and a document that is to be next.
//! Where a second person is needed, it waits for one. The rules, and the change itself, are the gateway's.

use serde_json::{Value, json};

use super::desk::{Desk, DeskError};
use super::moderation::{Word, decider};
use super::schemes::SchemeError;
use super::session::SessionOwner;
use crate::config::gateway::HOUSE;
use crate::domain::fee::{FeeRule, FeeSchedule};
use crate::domain::ids::{Mode, Tenant};
use crate::domain::limit::PeriodLimits;
use crate::domain::offer::PriceBook;
use crate::domain::rate::Pair;
use crate::domain::staff::Role;
use crate::gateway::access::audit::Author;
use crate::gateway::approvals::Change;
pub use crate::gateway::terms::{NewTerms, TermsVersion};
use crate::store::{partner_terms, partners};

/// The least role that changes terms.
pub const TERMS: Role = Role::Operator;
/// How many versions a page shows.
const VERSIONS_SHOWN: i64 = 100;

/// A partner with its terms in a mode.
#[derive(Clone, Debug)]
pub struct TermsLine {
    pub partner: String,
    pub name: String,
    /// `None`: it goes by the house's.
    pub in_force: Option<TermsVersion>,
    pub is_readable: bool,
}

/// The terms of a partner in a mode.
#[derive(Clone, Debug)]
pub struct TermsPage {
    pub tenant: Tenant,
    pub partner: String,
    pub current: Option<TermsVersion>,
    pub is_readable: bool,
    /// Newest first.
    pub versions: Vec<TermsVersion>,
    /// What applies where the terms say nothing, as a document.
    pub house: Value,
    /// Of the other modes that are served.
    pub others: Vec<(Mode, Option<TermsVersion>)>,
    pub needs_second_person: bool,
}

impl TermsPage {
    /// The document in force.
    pub fn body(&self) -> Value {
        self.current.as_ref().map_or_else(|| json!({}), |current| current.body.clone())
    }

    /// The version in force; 0: there is none.
    pub fn version(&self) -> i32 {
        self.current.as_ref().map_or(0, |current| current.version)
    }
}

impl Desk {
    /// Every partner but the house, by code.
    pub async fn terms_lines(&self, mode: Mode) -> Result<Vec<TermsLine>, DeskError> {
        let (known, stored) = {
            let mut conn = self.connection().await?;
            let known = partners::all(&mut conn).await?;
            let mut current = partner_terms::current(&conn).await?;
            current.retain(|version| version.mode == mode);
            (known, partner_terms::of_versions(&conn, current).await?)
        };
        let snapshot = self.gateway().snapshot().await?;
        let line = |partner: partners::Partner| TermsLine {
            in_force: stored.iter().find(|version| version.partner_id == partner.id).cloned(),
            is_readable: snapshot.terms(Tenant { partner_id: partner.id, mode }).is_ok(),
            partner: partner.code,
            name: partner.name,
        };
        Ok(known.into_iter().filter(|partner| partner.code != HOUSE).map(line).collect())
    }

    /// The terms of one partner.
    pub async fn partner_terms(&self, mode: Mode, partner: &str) -> Result<TermsPage, SchemeError> {
        let known = {
            let mut conn = self.connection().await?;
            partners::all(&mut conn).await?.into_iter().find(|known| known.code == partner && known.code != HOUSE)
        };
        let known = known.ok_or(SchemeError::NotFound)?;
        let gateway = self.gateway();
        let tenant = Tenant { partner_id: known.id, mode };
        let mut others = Vec::new();
        for other in self.modes().iter().copied().filter(|other| *other != mode) {
            others.push((other, gateway.newest_terms(Tenant { mode: other, ..tenant }).await?));
        }
        Ok(TermsPage {
            tenant,
            current: gateway.newest_terms(tenant).await?,
            is_readable: gateway.snapshot().await?.terms(tenant).is_ok(),
            versions: gateway.list_terms(tenant, i32::MAX, VERSIONS_SHOWN).await?,
            house: house_document(&self.wallet().house, partner, mode),
            others,
            needs_second_person: gateway.needs_second_person(mode),
            partner: known.code,
        })
    }

    /// A version of them, whether it is in force or was.
    pub async fn partner_terms_version(&self, page: &TermsPage, version: i32) -> Result<TermsVersion, SchemeError> {
        self.gateway().terms_version(page.tenant, version).await?.ok_or(SchemeError::NotFound)
    }

    /// Tells what would keep a document from being put in force.
    pub async fn check_partner_terms(&self, page: &TermsPage, document: &Value) -> Result<(), SchemeError> {
        let next = page.version().saturating_add(1);
        self.gateway().checked_terms(page.tenant, next, document).await?;
        Ok(())
    }

    /// Puts a document in force, or asks for it where another person has to approve.
    pub async fn set_partner_terms(
        &self,
        owner: &SessionOwner,
        origin: Option<String>,
        page: &TermsPage,
        new: NewTerms,
    ) -> Result<Word<TermsVersion>, SchemeError> {
        if owner.role < TERMS {
            return Err(SchemeError::Role);
        }
        let who = decider(owner, origin);
        let author = Author::new(page.tenant, who.actor, who.origin);
        if page.needs_second_person
            && let Some(waits) = Box::pin(self.gateway().ask_for(&author, &Change::Terms(new.clone()))).await?
        {
            return Ok(Word::Waits(waits));
        }
        Ok(Word::Done(self.gateway().set_terms(&author, &new).await?))
    }
}

/// The house's, in the form of a partner's document: what the partner would have to set to be priced and limited as it is without terms.
fn house_document(book: &PriceBook, partner: &str, mode: Mode) -> Value {
    let spread =
        |pair: &Pair| json!({"pair": pair.to_string(), "spread": book.spreads.get(partner, *pair).to_string()});
    let pairs: Vec<String> = book.pairs.iter().map(ToString::to_string).collect();
    let spreads: Vec<Value> = book.pairs.iter().map(spread).collect();
    let schedules: Vec<Value> = book.fees.of_partner(partner, mode).map(schedule).collect();
    let limits = &book.limits;
    json!({
        "spreads": spreads,
        "fee_schedules": schedules,
        "limits": {
            "reference": limits.reference.code.as_str(), "offer_min": limits.offer_min.to_string(),
            "offer_max": limits.offer_max.to_string(), "customer": periods(&limits.customer), "card": periods(&limits.card),
            "partner": periods(&limits.partner),
        },
        "pairs": pairs,
    })
}

fn schedule(schedule: &FeeSchedule) -> Value {
    let conditions = schedule.conditions();
    let mut told = json!({"id": schedule.id(), "rules": schedule.rules().iter().map(rule).collect::<Vec<_>>()});
    if !conditions.pairs.is_empty() {
        told["pairs"] = conditions.pairs.iter().map(ToString::to_string).collect();
    }
    if !conditions.card_schemes.is_empty() {
        told["card_schemes"] = conditions.card_schemes.iter().map(ToString::to_string).collect();
    }
    for (name, edge) in [("amount_from", conditions.amount_from), ("amount_below", conditions.amount_below)] {
        if let Some(edge) = edge {
            told[name] = json!(edge.to_string());
        }
    }
    told
}

fn rule(rule: &FeeRule) -> Value {
    let mut told = json!({"kind": rule.kind.as_str()});
    let parts = [
        ("percent", rule.percent),
        ("fixed_target", rule.fixed_target),
        ("fixed_source", rule.fixed_source),
        ("min", rule.min),
        ("max", rule.max),
    ];
    for (name, part) in parts {
        if let Some(part) = part {
            told[name] = json!(part.to_string());
        }
    }
    told
}

fn periods(limits: &PeriodLimits) -> Value {
    let mut told = json!({});
    for (name, limit) in [("day", limits.day), ("month", limits.month), ("year", limits.year)] {
        if let Some(limit) = limit {
            told[name] = json!(limit.to_string());
        }
    }
    told
}
