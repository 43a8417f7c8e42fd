//! Where a page begins: the time and id of the row before it, bound to the list, its order and its filters. Opaque to callers, and
//! no secret: a made-up cursor shows nothing that the list doesn't.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const CHECK_BYTES: usize = 8;
const BYTES: usize = 8 + 16 + CHECK_BYTES;

/// The row before a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: DateTime<Utc>,
    pub id: Uuid,
}

impl Cursor {
    /// As text, for a list that `scope` describes wholly.
    pub fn encode(&self, scope: &str) -> String {
        let mut bytes = [self.at.timestamp_micros().to_be_bytes().as_slice(), self.id.as_bytes()].concat();
        let check = check(&bytes, scope);
        bytes.extend_from_slice(&check);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None`: it is no cursor of that list.
    pub fn decode(text: &str, scope: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == BYTES)?;
        let (row, checked) = bytes.split_at(BYTES - CHECK_BYTES);
        if check(row, scope) != checked {
            return None;
        }
        let (micros, id) = row.split_at(8);
        let at = DateTime::from_timestamp_micros(i64::from_be_bytes(micros.try_into().ok()?))?;
        Some(Self { at, id: Uuid::from_slice(id).ok()? })
    }
}

fn check(row: &[u8], scope: &str) -> Vec<u8> {
    let digest = Sha256::new().chain_update(b"landfall/cursor/").chain_update(row).chain_update(scope).finalize();
    digest.iter().copied().take(CHECK_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_its_list_only() {
        let at = DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap();
        let cursor = Cursor { at, id: Uuid::now_v7() };
        let text = cursor.encode("/v1/api-keys|-created");
        assert_eq!(Cursor::decode(&text, "/v1/api-keys|-created"), Some(cursor));
        assert_eq!(Cursor::decode(&text, "/v1/api-keys|created"), None);
        let other = if text.starts_with('B') { "C" } else { "B" };
        for bad in ["", "x", &text[1..], &format!("{text}A"), &format!("{other}{}", &text[1..])] {
            assert_eq!(Cursor::decode(bad, "/v1/api-keys|-created"), None, "{bad}");
        }
    }
}
