//! The format of a sealed value: one version byte, the data key's id (16 bytes), a nonce (12), the ciphertext and its tag (16).

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use super::aead::{AeadKey, NONCE_LEN, NotAuthentic, TAG_LEN};
use super::context::Context;
use super::dek::DekId;
use super::secret::RandomError;

const VERSION: u8 = 1;
const HEADER_LEN: usize = 1 + 16;
/// Card fields and credentials are short. A change that waits for a second person is as long as what was sent, up to the most that
/// `http.body_bytes_max` takes, with who asked; JSON that was written with escapes gets no longer by being read. Anything longer is a mistake.
const PLAINTEXT_LEN_MAX: usize = 1_048_576 + 16 * 1024;

/// A sealed value, as it is stored. Only its place of origin opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

/// Why bytes are not a sealed value, or not one of this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("a sealed value is empty")]
    Empty,
    #[error("a sealed value is cut short")]
    Truncated,
    #[error("a sealed value has the unknown format {0}")]
    UnknownVersion(u8),
    #[error("a sealed value was altered, or moved from where it belongs")]
    NotAuthentic,
    #[error("a value is too long to be sealed")]
    TooLong,
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl Sealed {
    /// The data key that it needs. Read before it is verified: treat it as a question, not as a fact.
    pub fn dek_id(&self) -> Result<DekId, EnvelopeError> {
        self.read().map(|(dek_id, _)| dek_id)
    }

    fn read(&self) -> Result<(DekId, &[u8]), EnvelopeError> {
        match self.0.first() {
            None => return Err(EnvelopeError::Empty),
            Some(&VERSION) => {}
            Some(&version) => return Err(EnvelopeError::UnknownVersion(version)),
        }
        let (dek_id, body) = self.0[1..].split_first_chunk::<16>().ok_or(EnvelopeError::Truncated)?;
        if body.len() < NONCE_LEN + TAG_LEN {
            return Err(EnvelopeError::Truncated);
        }
        Ok((DekId(Uuid::from_bytes(*dek_id)), body))
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// Seals `plaintext` for `context` under the data key `dek_id`.
pub(super) fn seal(key: &AeadKey, dek_id: DekId, context: &Context, plaintext: &[u8]) -> Result<Sealed, EnvelopeError> {
    if plaintext.len() > PLAINTEXT_LEN_MAX {
        return Err(EnvelopeError::TooLong);
    }
    let mut header = [VERSION; HEADER_LEN];
    header[1..].copy_from_slice(dek_id.0.as_bytes());
    Ok(Sealed(key.seal(&header, &context.bound(VERSION, dek_id), plaintext)?))
}

/// Opens a value that was sealed for `context` under `key`.
pub(super) fn open(key: &AeadKey, context: &Context, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
    let (dek_id, body) = sealed.read()?;
    key.open(body, &context.bound(VERSION, dek_id)).map_err(|NotAuthentic| EnvelopeError::NotAuthentic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};
    use crate::vault::context::RecordId;
    use crate::vault::secret::SecretKey32;

    fn place() -> Context {
        Context {
            tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Test },
            customer_id: Some(CustomerId::new()),
            record: RecordId::Number(1_000_000_000_000_001),
            column: "pan",
        }
    }

    fn key() -> AeadKey {
        AeadKey::new(&SecretKey32::random().unwrap())
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let (key, dek, ours) = (key(), DekId::new(), place());
        let sealed = seal(&key, dek, &ours, b"4111111111111111").unwrap();
        assert_eq!(sealed.dek_id(), Ok(dek));
        assert_eq!(open(&key, &ours, &sealed).unwrap().as_slice(), b"4111111111111111");

        for (moved, other) in [
            ("row", Context { record: RecordId::Number(2), ..ours }),
            ("kind of row", Context { record: RecordId::Uuid(Uuid::nil()), ..ours }),
            ("column", Context { column: "holder_name", ..ours }),
            ("customer", Context { customer_id: Some(CustomerId::new()), ..ours }),
            ("no customer", Context { customer_id: None, ..ours }),
            ("partner", Context { tenant: Tenant { partner_id: PartnerId::new(), ..ours.tenant }, ..ours }),
            ("mode", Context { tenant: Tenant { mode: Mode::Live, ..ours.tenant }, ..ours }),
        ] {
            assert_eq!(open(&key, &other, &sealed).err(), Some(EnvelopeError::NotAuthentic), "{moved}");
        }
    }

    #[test]
    fn another_key_or_key_id_does_not_open() {
        let (key, ours) = (key(), place());
        let sealed = seal(&key, DekId::new(), &ours, b"x").unwrap();
        assert_eq!(open(&self::key(), &ours, &sealed).err(), Some(EnvelopeError::NotAuthentic));
        let mut relabelled = sealed.clone();
        relabelled.0[1..17].copy_from_slice(DekId::new().0.as_bytes());
        assert_eq!(open(&key, &ours, &relabelled).err(), Some(EnvelopeError::NotAuthentic));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let (key, ours) = (key(), place());
        let sealed = seal(&key, DekId::new(), &ours, b"4111111111111111").unwrap();
        for bit in 0..sealed.0.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.0[bit / 8] ^= 1 << (bit % 8);
            let error = open(&key, &ours, &flipped).unwrap_err();
            match bit / 8 {
                0 => assert_eq!(error, EnvelopeError::UnknownVersion(flipped.0[0])),
                _ => assert_eq!(error, EnvelopeError::NotAuthentic, "bit {bit}"),
            }
        }
    }

    #[test]
    fn every_cut_and_every_addition_is_refused() {
        let (key, ours) = (key(), place());
        let sealed = seal(&key, DekId::new(), &ours, b"4111111111111111").unwrap();
        for len in 0..sealed.0.len() {
            let error = open(&key, &ours, &Sealed(sealed.0[..len].to_vec())).unwrap_err();
            let expected = match len {
                0 => EnvelopeError::Empty,
                1..45 => EnvelopeError::Truncated,
                _ => EnvelopeError::NotAuthentic,
            };
            assert_eq!(error, expected, "{len} bytes");
        }
        let mut longer = sealed.clone();
        longer.0.push(0);
        assert_eq!(open(&key, &ours, &longer).err(), Some(EnvelopeError::NotAuthentic));
    }

    #[test]
    fn an_empty_value_is_sealed_and_one_too_long_is_not() {
        let (key, ours) = (key(), place());
        let sealed = seal(&key, DekId::new(), &ours, b"").unwrap();
        assert!(open(&key, &ours, &sealed).unwrap().is_empty());
        let long = vec![0; PLAINTEXT_LEN_MAX + 1];
        assert_eq!(seal(&key, DekId::new(), &ours, &long), Err(EnvelopeError::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(bytes in proptest::collection::vec(0_u8.., 0..200)) {
            proptest::prop_assert!(open(&key(), &place(), &Sealed(bytes)).is_err());
        }
    }
}
