//! AES-256-GCM with random 96-bit nonces, and the check value by which a key is recognised. Knows no contexts and no formats: what is
//! bound to a ciphertext is the caller's to say.

use std::fmt;

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit, Nonce, Tag};
use zeroize::Zeroizing;

use super::mac;
use super::secret::{RandomError, SecretKey32, fill_random};

pub(super) const NONCE_LEN: usize = 12;
pub(super) const TAG_LEN: usize = 16;

/// A one-way mark of a key, kept in the clear beside what the key wraps or seals: a wrong key is told from a damaged ciphertext.
#[derive(Clone, Copy)]
pub struct KeyCheckValue(pub [u8; 8]);

impl KeyCheckValue {
    /// The first 64 bits of an HMAC under the key.
    pub(super) fn of(key: &SecretKey32) -> Self {
        let mark = mac::mac(key, &[b"landfall/key-check"]);
        let mut value = [0; 8];
        value.copy_from_slice(&mark[..8]);
        Self(value)
    }
}

impl PartialEq for KeyCheckValue {
    fn eq(&self, other: &Self) -> bool {
        mac::equal(&self.0, &other.0)
    }
}

impl Eq for KeyCheckValue {}

impl fmt::Debug for KeyCheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCheckValue")
    }
}

/// The tag didn't fit: an altered ciphertext, another context, or another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAuthentic;

/// A key that is ready to seal and open. The expanded key is wiped on drop.
pub(super) struct AeadKey {
    cipher: Box<Aes256Gcm>,
    pub check: KeyCheckValue,
}

impl AeadKey {
    pub fn new(key: &SecretKey32) -> Self {
        let cipher = Aes256Gcm::new_from_slice(key.expose()).expect("an AES-256 key has 32 bytes");
        Self { cipher: Box::new(cipher), check: KeyCheckValue::of(key) }
    }

    /// Answers `header`, a fresh nonce, the ciphertext and its tag, one after the other. The header is bound only if `bound` holds it.
    pub fn seal(&self, header: &[u8], bound: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, RandomError> {
        let mut nonce = [0; NONCE_LEN];
        fill_random(&mut nonce)?;
        // The whole length at once: the plaintext is written into it once and encrypted where it lies.
        let mut out = Vec::with_capacity(header.len() + NONCE_LEN + plaintext.len() + TAG_LEN);
        out.extend_from_slice(header);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let tag = self
            .cipher
            .encrypt_inout_detached(&Nonce::from(nonce), bound, InOutBuf::from(&mut out[start..]))
            .expect("GCM refuses only texts of 64 GiB, which don't fit a request");
        out.extend_from_slice(&tag);
        Ok(out)
    }

    /// Opens what [`AeadKey::seal`] wrote after its header.
    pub fn open(&self, sealed: &[u8], bound: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotAuthentic> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(NotAuthentic)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(NotAuthentic)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        self.cipher
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                bound,
                InOutBuf::from(plaintext.as_mut_slice()),
                &Tag::from(*tag),
            )
            .map_err(|_| NotAuthentic)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AeadKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Test case 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega): AES-256 with a 96-bit nonce and bound data.
    #[test]
    fn a_published_test_vector_opens() {
        let bytes = |text: &str| hex::decode(text).unwrap();
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let sealed = bytes(concat!(
            "cafebabefacedbaddecaf888",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ));
        let plaintext = bytes(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let key = AeadKey::new(&SecretKey32::from_slice(&key).unwrap());
        let opened = key.open(&sealed, &bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2")).unwrap();
        assert_eq!(*opened, plaintext);
    }

    #[test]
    fn no_nonce_is_used_twice() {
        let key = AeadKey::new(&SecretKey32::random().unwrap());
        let mut seen = HashSet::new();
        for _ in 0..20_000 {
            let sealed = key.seal(b"", b"", b"4111111111111111").unwrap();
            assert!(seen.insert(sealed[..NONCE_LEN].to_vec()));
        }
    }

    #[test]
    fn the_check_value_tells_keys_apart_and_shows_nothing() {
        let (one, two) = (SecretKey32::random().unwrap(), SecretKey32::random().unwrap());
        assert_eq!(KeyCheckValue::of(&one), KeyCheckValue::of(&one));
        assert_ne!(KeyCheckValue::of(&one), KeyCheckValue::of(&two));
        assert_eq!(format!("{:?}", AeadKey::new(&one)), "AeadKey(redacted)");
    }
}
