//! Key bytes in memory, and where their randomness comes from.

use std::fmt;

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The operating system gave no randomness. Nothing can be sealed without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no randomness")]
pub struct RandomError;

/// Fills `bytes` from the operating system's generator, the only source of keys and nonces here.
pub(super) fn fill_random(bytes: &mut [u8]) -> Result<(), RandomError> {
    SysRng.try_fill_bytes(bytes).map_err(|_| RandomError)
}

/// 32 secret bytes: redacts `Debug`, can't be serialized or cloned, is wiped on drop. On the heap, so that moving it copies nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey32(Box<[u8; 32]>);

impl SecretKey32 {
    pub fn random() -> Result<Self, RandomError> {
        let mut key = Self(Box::new([0; 32]));
        fill_random(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// A copy of `bytes`, if there are 32 of them; the caller wipes its own.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != 32 {
            return None;
        }
        let mut key = Self(Box::new([0; 32]));
        key.0.copy_from_slice(bytes);
        Some(key)
    }

    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretKey32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_nothing_and_is_wiped() {
        let mut key = SecretKey32::from_slice(&[0xab; 32]).unwrap();
        let shown = format!("{key:?} {key:#?}");
        assert!(!shown.contains("ab") && !shown.chars().any(|c| c.is_ascii_digit()), "{shown}");
        fn wiped_on_drop<T: ZeroizeOnDrop>() {}
        wiped_on_drop::<SecretKey32>();
        key.zeroize();
        assert_eq!(key.expose(), &[0; 32]);
    }

    #[test]
    fn a_key_has_32_bytes_and_none_is_drawn_twice() {
        assert!(SecretKey32::from_slice(&[1; 31]).is_none());
        assert!(SecretKey32::from_slice(&[1; 33]).is_none());
        assert_ne!(SecretKey32::random().unwrap().expose(), SecretKey32::random().unwrap().expose());
    }
}
