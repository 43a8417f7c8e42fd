//! The block list, as staff keep it: added, removed and looked at, each change in the audit trail. And what it says of a payout: asked anew
//! each time, so that an entry works as soon as it is written, and no longer than it stands.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use serde_json::{Value, json};

use super::access::audit::{self, Action, Author};
use super::access::{Problem, Refusal};
use super::{Gateway, GatewayError};
use crate::config::gateway::HOUSE;
use crate::domain::block::{BlockKind, Listed};
use crate::domain::card::{Iin, IinDigits, Pan, masked_pan, strike_numbers};
use crate::domain::ids::{BlockId, Mode, Tenant};
pub use crate::store::blocks::Block;
use crate::store::blocks::{self, Concerned, Found, TwoPrints};
use crate::store::partners;
use crate::store::retry::transaction;

const REASON_CHARS: std::ops::RangeInclusive<usize> = 3..=500;
const IIN_DIGITS_MIN: usize = 4;

/// Whom or what an entry is about.
pub enum About {
    /// A number, of which only its fingerprints, and its digits with the middle left out, are kept.
    Card(Pan),
    /// The first 4 to 8 digits.
    Iin(String),
    /// ISO 3166-1 alpha-2.
    Country(String),
    /// The partner's own name for a customer, who needn't be known yet.
    Customer(String),
}

/// An entry to be made.
pub struct NewBlock {
    pub about: About,
    /// 3 to 500 characters.
    pub reason: String,
    /// `None`: now.
    pub starts_at: Option<DateTime<Utc>>,
    /// `None`: until somebody removes it.
    pub ends_at: Option<DateTime<Utc>>,
}

const NOT_FOUND: Refusal = Refusal::NotFound { what: "entry of the block list" };

/// What the audit trail keeps of an entry.
fn audited(block: &blocks::NewBlock) -> Value {
    json!({
        "kind": block.kind.as_str(), "value": block.value, "reason": block.reason, "from": block.starts_at, "until": block.ends_at,
    })
}

impl Gateway {
    /// Lists somebody or something: for the author's partner, or for all of them if that is the house. What is listed already stays as it is,
    /// and is answered with `false`.
    pub async fn add_block(&self, author: &Author, new: NewBlock) -> Result<(Block, bool), Refusal> {
        let now = self.clock.now();
        let house = self.house(author.tenant.mode).await?;
        let row = self.checked_block(author, &new, now)?;
        let answer = transaction(&self.db, async |conn| {
            if let Some(same) = blocks::find_same(conn, &row).await? {
                if same.ends_at.is_none_or(|end| end > now) {
                    self.note_prints(conn, house, &same, &new.about).await?;
                    return Ok((same, false));
                }
                // Its time is over: it makes room.
                let (by, why) = (author.actor.clone(), "its time was over".to_owned());
                blocks::remove(conn, author.tenant, same.id, by, why, now).await?;
            }
            if !blocks::insert(conn, &row, now).await? {
                let same = blocks::find_same(conn, &row).await?;
                let vanished = || GatewayError::Corrupt("an entry of the block list vanished".to_owned());
                return Ok((same.ok_or_else(vanished)?, false));
            }
            let block = blocks::lock(conn, author.tenant, row.id).await?.ok_or(NOT_FOUND)?;
            self.note_prints(conn, house, &block, &new.about).await?;
            let action = Action {
                action: "block_list.add",
                object: block.id.to_string(),
                before: None,
                after: Some(audited(&row)),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok::<_, Refusal>((block, true))
        })
        .await?;
        // A partner that was made in between, and its cards, didn't see the entry and weren't seen by it.
        let mut conn = self.db.get().await?;
        self.note_prints(&mut conn, house, &answer.0, &new.about).await?;
        Ok(answer)
    }

    /// Takes an entry off the list, which keeps it for the record. Again, it changes nothing.
    pub async fn remove_block(&self, author: &Author, id: BlockId, reason: &str) -> Result<Block, Refusal> {
        let now = self.clock.now();
        let reason = checked_reason(reason).map_err(|problem| Refusal::Invalid(vec![problem]))?;
        transaction(&self.db, async |conn| {
            let before = blocks::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            if before.removed_at.is_some() {
                return Ok(before);
            }
            blocks::remove(conn, author.tenant, id, author.actor.clone(), reason.clone(), now).await?;
            let after = blocks::lock(conn, author.tenant, id).await?.ok_or(NOT_FOUND)?;
            let action = Action {
                action: "block_list.remove",
                object: id.to_string(),
                before: Some(json!({"kind": before.kind.as_str(), "value": before.value, "until": before.ends_at})),
                after: Some(json!({"removed_at": after.removed_at, "reason": reason})),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok(after)
        })
        .await
    }

    /// A tenant's own entries, oldest first, in pages; `all`: also what was removed or is over.
    pub async fn list_blocks(
        &self,
        tenant: Tenant,
        all: bool,
        after: (DateTime<Utc>, BlockId),
        limit: i64,
    ) -> Result<Vec<Block>, Refusal> {
        let conn = self.db.get().await?;
        Ok(blocks::list(&conn, tenant, all, after, limit, self.clock.now()).await?)
    }

    /// What blocks a payout, by what is listed and the countries that it has to do with.
    pub fn blocked_by(&self, listed: &Listed, iin: &str, countries: [Option<&str>; 2]) -> Option<BlockKind> {
        let issuer = self.issuers.find(iin).and_then(|issuer| issuer.country.as_deref());
        listed.blocks(&[issuer, countries[0], countries[1]])
    }

    /// [`Gateway::blocked_by`] of what was read.
    pub fn blocked_by_found(&self, found: &Found) -> Option<BlockKind> {
        let countries = [found.billing_country.as_deref(), found.customer_country.as_deref()];
        self.blocked_by(&found.listed, found.iin.as_deref().unwrap_or(""), countries)
    }

    /// What blocks each of these now.
    pub async fn blocked(
        &self,
        conn: &AsyncPgConnection,
        tenant: Tenant,
        concerned: &[Concerned],
        now: DateTime<Utc>,
    ) -> Result<Vec<Option<BlockKind>>, GatewayError> {
        let found = blocks::find_listed(conn, tenant, concerned, now).await?;
        Ok(found.iter().map(|found| self.blocked_by_found(found)).collect())
    }

    /// A number as the house and this tenant know it: to be noted with [`blocks::spread`] before it is held against the list.
    pub async fn two_prints(&self, tenant: Tenant, pan: &Pan) -> Result<TwoPrints, GatewayError> {
        let house = self.house(tenant.mode).await?;
        let print = |tenant| self.vault.fingerprint(tenant, pan).0.to_vec();
        Ok(TwoPrints { at_house: print(house), here: print(tenant) })
    }

    async fn house(&self, mode: Mode) -> Result<Tenant, GatewayError> {
        let house = self.snapshot().await?.partner(HOUSE);
        let partner_id = house.ok_or_else(|| GatewayError::Corrupt("the house is not written down".to_owned()))?;
        Ok(Tenant { partner_id, mode })
    }

    /// Where the house lists a number, it is listed as each partner knows it.
    async fn note_prints(
        &self,
        conn: &mut AsyncPgConnection,
        house: Tenant,
        block: &Block,
        about: &About,
    ) -> Result<(), GatewayError> {
        let About::Card(pan) = about else { return Ok(()) };
        let mut whose = vec![block.partner_id];
        if block.partner_id == house.partner_id {
            whose = partners::all(conn).await?.into_iter().map(|partner| partner.id).collect();
        }
        let print = |partner_id| (partner_id, self.vault.fingerprint(Tenant { partner_id, ..house }, pan).0.to_vec());
        Ok(blocks::insert_prints(conn, block.id, block.mode, whose.into_iter().map(print).collect()).await?)
    }

    fn checked_block(&self, author: &Author, new: &NewBlock, now: DateTime<Utc>) -> Result<blocks::NewBlock, Refusal> {
        let mut problems = Vec::new();
        let reason = checked_reason(&new.reason).map_err(|problem| problems.push(problem)).unwrap_or_default();
        let starts_at = new.starts_at.unwrap_or(now);
        if new.ends_at.is_some_and(|end| end <= starts_at || end <= now) {
            problems.push(Problem::new(
                "/data/attributes/until",
                "OUT_OF_RANGE",
                "lies ahead, and after the beginning",
            ));
        }
        let value = |problem: &str| Problem::new("/data/attributes/value", "INVALID_VALUE", problem);
        let kept = match self.iin_digits {
            IinDigits::Six => 6,
            IinDigits::Eight => 8,
        };
        let (kind, text, fingerprint) = match &new.about {
            About::Card(pan) => {
                let masked = masked_pan(&Iin::of(pan, self.iin_digits), pan.last_four());
                (BlockKind::Card, masked, Some(self.vault.fingerprint(author.tenant, pan).0.to_vec()))
            }
            About::Iin(digits) => {
                // Of a card only so many digits are kept that a longer prefix could be compared with.
                if !(IIN_DIGITS_MIN..=kept).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    problems.push(value(&format!("is {IIN_DIGITS_MIN} to {kept} digits")));
                }
                (BlockKind::Iin, digits.clone(), None)
            }
            About::Country(code) => {
                if code.len() != 2 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
                    problems.push(value("is two capital letters (ISO 3166-1 alpha-2)"));
                }
                (BlockKind::Country, code.clone(), None)
            }
            About::Customer(reference) => {
                if !(1..=255).contains(&reference.len()) || reference.chars().any(char::is_control) {
                    problems.push(value("is a customer's reference, of 1 to 255 characters"));
                } else if strike_numbers(reference) != reference.as_str() {
                    problems.push(value("looks like a card number: list it as a card"));
                }
                (BlockKind::Customer, reference.clone(), None)
            }
        };
        if !problems.is_empty() {
            return Err(Refusal::Invalid(problems));
        }
        Ok(blocks::NewBlock {
            tenant: author.tenant,
            id: BlockId::new(),
            kind,
            value: text,
            fingerprint,
            reason,
            added_by: author.actor.clone(),
            starts_at,
            ends_at: new.ends_at,
        })
    }
}

pub(super) fn checked_reason(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    let is_sound = REASON_CHARS.contains(&reason.chars().count()) && !reason.chars().any(char::is_control);
    let wrong = || Problem::new("/data/attributes/reason", "INVALID_VALUE", "is a text of 3 to 500 characters");
    if is_sound { Ok(strike_numbers(reason).into_owned()) } else { Err(wrong()) }
}
