//! Making staff accounts.

use secrecy::{ExposeSecret, SecretString};

use super::{Staff, StaffError};
use crate::domain::ids::StaffId;
use crate::domain::staff::{Email, Role, is_password_length};
use crate::store::error::DbError;
use crate::store::staff;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 200;

impl Staff {
    /// Makes an account.
    ///
    /// # Errors
    /// [`StaffError::Email`], [`StaffError::Name`] and [`StaffError::PasswordLength`] for what was typed,
    /// [`StaffError::EmailTaken`] if there is one already.
    pub async fn create(
        &self,
        email: &str,
        name: &str,
        role: Role,
        password: &SecretString,
    ) -> Result<StaffId, StaffError> {
        let email: Email = email.parse()?;
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(StaffError::Name);
        }
        if !is_password_length(password.expose_secret()) {
            return Err(StaffError::PasswordLength);
        }
        let hash = self.passwords.hash(password).await?;
        let id = StaffId::new();
        let mut conn = self.db.get().await?;
        match staff::insert(&mut conn, id, &email, name, role, hash, self.clock.now()).await.map_err(DbError::from) {
            Ok(()) => Ok(id),
            Err(error) if error.is_conflict_on(staff::EMAIL_ONCE) => Err(StaffError::EmailTaken),
            Err(error) => Err(error.into()),
        }
    }
}
