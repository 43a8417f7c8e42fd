//! Anchors of the audit trail: where each partner's chain ended at a time, one JSON document a line, with a MAC under a key that never
//! enters the database. Kept where whoever writes the database can't write, they tell a chain that was written anew, or cut short, from
//! the one that was. Each line's MAC covers the line before it, so that none can be taken out of the middle of the file either.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::ids::PartnerId;
use crate::gateway::{Gateway, GatewayError};
use crate::store::audit::{self, ChainHead};
use crate::vault::Vault;

/// What the first line of a file has as the line before it.
const START: [u8; 32] = [0; 32];

/// A line: where a chain ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    pub partner: Uuid,
    /// The number of the chain's last row then.
    pub seq: i64,
    /// Its hash.
    #[serde(with = "hex::serde")]
    pub hash: [u8; 32],
    pub at: DateTime<Utc>,
    /// Over all of it and the MAC of the line before.
    #[serde(with = "hex::serde")]
    pub mac: [u8; 32],
}

/// Why heads weren't anchored.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// Nothing is appended to what can't be vouched for.
    #[error("line {0} of it is no anchor, or not one that these keys made")]
    Broken(usize),
    #[error("writing was broken off: {0}")]
    BrokenOff(String),
}

impl Anchor {
    /// The anchor of a head behind the line with the MAC `previous`.
    fn new(vault: &Vault, previous: &[u8; 32], head: &ChainHead, at: DateTime<Utc>) -> Result<Self, GatewayError> {
        let hash = <[u8; 32]>::try_from(head.hash.as_slice());
        let hash =
            hash.map_err(|_| GatewayError::Corrupt(format!("the audit head of {} has no hash", head.partner_id)))?;
        let mut anchor = Self { partner: head.partner_id.0, seq: head.seq, hash, at, mac: START };
        anchor.mac = anchor.with_parts(previous, |parts| vault.anchor_mac(parts));
        Ok(anchor)
    }

    /// Whether these keys made it, as the line behind the one with the MAC `previous`.
    pub fn is_genuine(&self, vault: &Vault, previous: &[u8; 32]) -> bool {
        self.with_parts(previous, |parts| vault.is_anchor_mac(parts, &self.mac))
    }

    fn with_parts<T>(&self, previous: &[u8; 32], with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        with(&[
            b"landfall/audit-anchor/1",
            previous,
            self.partner.as_bytes(),
            &self.seq.to_be_bytes(),
            &self.hash,
            at.as_bytes(),
        ])
    }

    fn line(&self) -> Result<String, GatewayError> {
        serde_json::to_string(self).map_err(|error| GatewayError::Corrupt(error.to_string()))
    }
}

/// Reads a file of anchors: each line, with whether it is genuine; `None` for what is no anchor at all. Behind a line that isn't genuine
/// the next ones are judged by what it says, so that one edit is one finding.
pub fn read(vault: &Vault, text: &str) -> Vec<Option<(Anchor, bool)>> {
    let mut previous = START;
    text.lines()
        .map(|line| {
            let anchor: Anchor = serde_json::from_str(line).ok()?;
            let is_genuine = anchor.is_genuine(vault, &previous);
            previous = anchor.mac;
            Some((anchor, is_genuine))
        })
        .collect()
}

impl Gateway {
    /// Where each chain ends now, as the lines of a file that begins with them.
    pub async fn audit_heads(&self) -> Result<Vec<String>, GatewayError> {
        let heads = self.heads().await?;
        self.lines(START, &heads).map(|(lines, _)| lines)
    }

    /// Appends the heads that have moved since the file's last lines; how many. The file is made if it isn't there, private to its owner.
    pub async fn anchor_heads(&self, path: &Path) -> Result<usize, AnchorError> {
        let heads = self.heads().await?;
        let (path, vault) = (path.to_owned(), std::sync::Arc::clone(&self.vault));
        let now = self.clock.now();
        let writing = tokio::task::spawn_blocking(move || append(&vault, &path, heads, now));
        writing.await.map_err(|error| AnchorError::BrokenOff(error.to_string()))?
    }

    async fn heads(&self) -> Result<Vec<ChainHead>, GatewayError> {
        let conn = self.db.get().await?;
        Ok(audit::heads(&conn).await?)
    }

    fn lines(&self, previous: [u8; 32], heads: &[ChainHead]) -> Result<(Vec<String>, [u8; 32]), GatewayError> {
        sign(&self.vault, previous, heads, self.clock.now())
    }
}

fn sign(
    vault: &Vault,
    mut previous: [u8; 32],
    heads: &[ChainHead],
    now: DateTime<Utc>,
) -> Result<(Vec<String>, [u8; 32]), GatewayError> {
    let mut lines = Vec::with_capacity(heads.len());
    for head in heads {
        let anchor = Anchor::new(vault, &previous, head, now)?;
        previous = anchor.mac;
        lines.push(anchor.line()?);
    }
    Ok((lines, previous))
}

/// Workers of several nodes may share a file: one at a time reads its end and writes behind it.
fn append(vault: &Vault, path: &Path, heads: Vec<ChainHead>, now: DateTime<Utc>) -> Result<usize, AnchorError> {
    let mut file: File = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let mut known: std::collections::BTreeMap<Uuid, (i64, [u8; 32])> = std::collections::BTreeMap::new();
    let mut previous = START;
    // A line that was cut off by a crash ends without its line feed: what follows begins anew, and `verify` tells of it.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    for (number, line) in read(vault, &text[..whole]).into_iter().enumerate() {
        let Some((anchor, true)) = line else { return Err(AnchorError::Broken(number + 1)) };
        known.insert(anchor.partner, (anchor.seq, anchor.hash));
        previous = anchor.mac;
    }
    if whole < text.len() {
        file.set_len(u64::try_from(whole).unwrap_or(u64::MAX))?;
    }
    let is_new = |head: &ChainHead| {
        known
            .get(&head.partner_id.0)
            .is_none_or(|(seq, hash)| (*seq, hash.as_slice()) != (head.seq, head.hash.as_slice()))
    };
    let moved: Vec<ChainHead> = heads.into_iter().filter(is_new).collect();
    let (lines, _) = sign(vault, previous, &moved, now)?;
    if lines.is_empty() {
        return Ok(0);
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all((lines.join("\n") + "\n").as_bytes())?;
    file.sync_all()?;
    Ok(lines.len())
}

impl Anchor {
    pub fn partner_id(&self) -> PartnerId {
        PartnerId(self.partner)
    }
}
