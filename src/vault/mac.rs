//! Keyed hashes: card fingerprints, idempotent bodies, the chains of payout events, the anchors of the audit trail, what others sent. All in
//! memory after start-up, so none waits for a key provider. Never encrypts.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keys::{KeyError, KeyProvider, MacKey, MacPurpose};
use super::secret::SecretKey32;
use crate::domain::card::Pan;
use crate::domain::ids::Tenant;

/// What an event chain's first MAC takes as its predecessor.
pub const EVENT_CHAIN_START: [u8; 32] = [0; 32];

/// HMAC-SHA256 of a full card number under a key that never enters the database: equal for the same number of the same partner and
/// mode, and comparable nowhere else. Redacts `Debug`, since a fingerprint links cards.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(redacted)")
    }
}

/// HMAC-SHA256 over `parts`, each preceded by its length: no two lists of parts give the same message.
pub(super) fn mac(key: &SecretKey32, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(&length_of(part));
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The key of a purpose: HMAC-SHA256 of its label under a root key, which is what a key service's HMAC call answers too.
pub(super) fn derive(root: &SecretKey32, label: &str) -> SecretKey32 {
    let mut mac = keyed(root);
    mac.update(label.as_bytes());
    let derived = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
    SecretKey32::from_slice(derived.as_slice()).expect("SHA-256 gives 32 bytes")
}

fn keyed(key: &SecretKey32) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length (RFC 2104)")
}

/// The bytes that stand before a part wherever parts are joined: its length, big-endian.
pub(super) fn length_of(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).expect("a length in memory fits 64 bits").to_be_bytes()
}

/// Whether two MACs are equal, in constant time.
pub(super) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The MAC keys of this process, resolved once.
#[derive(Debug)]
pub(super) struct MacKeys {
    fingerprint: MacKey,
    body: MacKey,
    event: MacKey,
    anchor: MacKey,
    foreign: MacKey,
    customer_token: MacKey,
}

impl MacKeys {
    pub async fn resolve(provider: &dyn KeyProvider) -> Result<Self, KeyError> {
        Ok(Self {
            fingerprint: provider.mac_key(MacPurpose::Fingerprint).await?,
            body: provider.mac_key(MacPurpose::IdempotentBody).await?,
            event: provider.mac_key(MacPurpose::Event).await?,
            anchor: provider.mac_key(MacPurpose::AuditAnchor).await?,
            foreign: provider.mac_key(MacPurpose::Foreign).await?,
            customer_token: provider.mac_key(MacPurpose::CustomerToken).await?,
        })
    }

    pub fn fingerprint(&self, tenant: Tenant, pan: &Pan) -> Fingerprint {
        let partner = tenant.partner_id.0;
        Fingerprint(mac(
            &self.fingerprint.key,
            &[partner.as_bytes(), tenant.mode.as_str().as_bytes(), pan.expose().as_bytes()],
        ))
    }

    pub fn fingerprint_key_id(&self) -> &str {
        &self.fingerprint.id
    }

    pub fn body_hmac(&self, data: &[u8]) -> [u8; 32] {
        mac(&self.body.key, &[data])
    }

    pub fn event_mac(&self, previous: &[u8; 32], data: &[u8]) -> [u8; 32] {
        mac(&self.event.key, &[previous, data])
    }

    pub fn anchor_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(&self.anchor.key, parts)
    }

    pub fn is_anchor_mac(&self, parts: &[&[u8]], sent: &[u8]) -> bool {
        equal(&self.anchor_mac(parts), sent)
    }

    pub fn foreign_mac(&self, what: &str, digest: &[u8]) -> [u8; 32] {
        mac(&self.foreign.key, &[what.as_bytes(), digest])
    }

    pub fn customer_token_key(&self, day: i64) -> [u8; 32] {
        mac(&self.customer_token.key, &[&day.to_be_bytes()])
    }

    pub fn event_key_id(&self) -> &str {
        &self.event.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Mode, PartnerId};

    fn keys() -> MacKeys {
        let key = |byte: u8| MacKey { id: format!("mac-{byte}"), key: SecretKey32::from_slice(&[byte; 32]).unwrap() };
        MacKeys {
            fingerprint: key(1),
            body: key(2),
            event: key(3),
            anchor: key(4),
            foreign: key(5),
            customer_token: key(6),
        }
    }

    fn tenant(mode: Mode) -> Tenant {
        Tenant { partner_id: PartnerId::new(), mode }
    }

    #[test]
    fn the_same_number_has_the_same_fingerprint_in_its_tenant_only() {
        let keys = keys();
        let ours = tenant(Mode::Test);
        let pan = Pan::parse("4111111111111111").unwrap();
        let print = keys.fingerprint(ours, &pan);
        assert_eq!(print, keys.fingerprint(ours, &Pan::parse("4111 1111-1111 1111").unwrap()));
        assert_ne!(print, keys.fingerprint(ours, &Pan::parse("4242424242424242").unwrap()));
        assert_ne!(print, keys.fingerprint(Tenant { mode: Mode::Live, ..ours }, &pan));
        assert_ne!(print, keys.fingerprint(tenant(Mode::Test), &pan));
        assert_eq!(format!("{print:?}"), "Fingerprint(redacted)");
    }

    #[test]
    fn parts_are_joined_without_ambiguity() {
        let key = SecretKey32::from_slice(&[7; 32]).unwrap();
        assert_ne!(mac(&key, &[b"ab", b"c"]), mac(&key, &[b"a", b"bc"]));
        assert_ne!(mac(&key, &[b"abc"]), mac(&key, &[b"abc", b""]));
        assert_ne!(mac(&key, &[]), mac(&key, &[b""]));
    }

    #[test]
    fn each_purpose_has_its_own_key() {
        let keys = keys();
        assert_ne!(keys.body_hmac(b"data"), mac(&keys.event.key, &[b"data"]));
        assert_ne!(keys.body_hmac(b"data"), keys.body_hmac(b"data "));
        assert_ne!(keys.foreign_mac("callback", b"data"), keys.foreign_mac("reference", b"data"));
        assert_ne!(keys.foreign_mac("callback", b"data"), mac(&keys.body.key, &[b"callback", b"data"]));
    }

    #[test]
    fn an_event_chain_breaks_where_an_event_is_edited_dropped_or_moved() {
        let keys = keys();
        let chain = |events: &[&[u8]]| {
            events.iter().fold(EVENT_CHAIN_START, |previous, event| keys.event_mac(&previous, event))
        };
        let head = chain(&[b"one", b"two", b"three"]);
        for other in [&[b"one".as_slice(), b"TWO", b"three"][..], &[b"one", b"three"], &[b"two", b"one", b"three"]] {
            assert_ne!(head, chain(other));
        }
    }
}
