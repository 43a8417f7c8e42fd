//! Hashing passwords: argon2id with the parameters of OWASP's first recommendation (19 MiB, two passes, one lane), on threads
//! that may block, a few at once, so that sign-ins can't take the machine's memory.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use zxcvbn::Score;

use super::StaffError;
use crate::domain::staff::{Email, has_letters_and_digits, is_password_length};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many passwords are hashed at once in a process.
const AT_ONCE: usize = 4;
/// How long a sign-in waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Judges a password that somebody chose: its length, its kinds of characters (PCI DSS 8.3.6), and whether it would be among the first
/// ten thousand million guesses of somebody with lists of common passwords, words, names, dates and the account's own (zxcvbn).
///
/// # Errors
/// [`StaffError::PasswordLength`], [`StaffError::PasswordKinds`], [`StaffError::PasswordWeak`].
pub fn check_choice(password: &str, email: &Email, name: &str) -> Result<(), StaffError> {
    if !is_password_length(password) {
        return Err(StaffError::PasswordLength);
    }
    if !has_letters_and_digits(password) {
        return Err(StaffError::PasswordKinds);
    }
    let about = email.as_str().split(['@', '.']).chain(name.split_whitespace());
    let known: Vec<&str> = about.chain([email.as_str(), name, "landfall", "payout", "dashboard"]).collect();
    if zxcvbn::zxcvbn(password, &known).score() < Score::Four { Err(StaffError::PasswordWeak) } else { Ok(()) }
}

pub struct Passwords {
    turns: Semaphore,
    /// What is verified when there is no account.
    decoy: String,
}

impl Passwords {
    pub fn new() -> Result<Self, StaffError> {
        Ok(Self { turns: Semaphore::new(AT_ONCE), decoy: hash("the password of nobody")? })
    }

    /// A place among those that are hashed now; [`StaffError::Busy`] if there is none for a while.
    pub async fn turn(&self) -> Result<SemaphorePermit<'_>, StaffError> {
        match timeout(WAIT_MAX, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(StaffError::Busy),
        }
    }

    /// The hash of a new password, as a PHC string.
    pub async fn hash(&self, password: &SecretString) -> Result<String, StaffError> {
        let _turn = self.turn().await?;
        let password = password.clone();
        blocking(move || hash(password.expose_secret())).await?
    }

    /// Whether `password` is the one of `hash`. Without a hash it takes as long and is `false`. The caller holds a
    /// [`turn`](Self::turn).
    pub async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<bool, StaffError> {
        let (password, exists) = (password.clone(), hash.is_some());
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let matches = blocking(move || verify(password.expose_secret(), &hash)).await??;
        Ok(matches && exists)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StaffError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| StaffError::Hash(error.to_string()))
}

fn hasher() -> Result<Argon2<'static>, StaffError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| StaffError::Hash(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, StaffError> {
    let hashed: PasswordHash =
        hasher()?.hash_password(password.as_bytes()).map_err(|error| StaffError::Hash(error.to_string()))?;
    Ok(hashed.to_string())
}

/// By the parameters that the hash names, so that older hashes stay good when ours are raised.
fn verify(password: &str, hash: &str) -> Result<bool, StaffError> {
    let hash = PasswordHash::new(hash).map_err(|error| StaffError::Hash(error.to_string()))?;
    match hasher()?.verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(StaffError::Hash(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new().unwrap();
        let right = SecretString::from("correct horse battery");
        let hash = passwords.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(passwords.hash(&right).await.unwrap(), hash, "each has its own salt");
        assert!(passwords.verify(&right, Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&SecretString::from("correct horse batterz"), Some(hash)).await.unwrap());
        assert!(passwords.verify(&right, Some("nonsense".to_owned())).await.is_err());
    }

    #[test]
    fn common_passwords_and_those_of_ones_own_name_are_refused() {
        let email = "ada.lovelace@landfall.example".parse().unwrap();
        let judge = |password: &str| check_choice(password, &email, "Ada Lovelace");
        for weak in [
            "password1234",
            "Passw0rd12345",
            "qwertyuiop123",
            "123456789abc",
            "aaaaaaaaaaa1",
            "AdaLovelace2026",
            "landfall2026!",
        ] {
            assert!(matches!(judge(weak), Err(StaffError::PasswordWeak)), "{weak}");
        }
        assert!(matches!(judge("correct horse battery staple"), Err(StaffError::PasswordKinds)));
        assert!(matches!(judge("7 short"), Err(StaffError::PasswordLength)));
        judge("7 tin boats over gravel").unwrap();
        judge("kf4t-m9xw-27pq-bz6a").unwrap();
    }

    #[tokio::test]
    async fn nobody_signs_in_with_the_decoy() {
        let passwords = Passwords::new().unwrap();
        assert!(!passwords.verify(&SecretString::from("the password of nobody"), None).await.unwrap());
    }
}
