//! What somebody changes of their own account: the password and the second factor. Each asks once more who it is, ends every other
//! session, and stands in the audit trail.

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zeroize::Zeroizing;

use super::password::check_choice;
use super::session::SessionOwner;
use super::sign_in::{From, new_session, owner_of, take};
use super::totp::{Authenticator, draw_recovery_code, qr_path, recovery_hash};
use super::{SessionToken, SignedIn, Staff, StaffError, note};
use crate::domain::staff::{OFFER_AGE_MAX, PASSWORD_CHARS, PASSWORDS_REMEMBERED, RECOVERY_CODES, actor_of};
use crate::gateway::access::audit::DONE;
use crate::gateway::sealing::sealed_again;
use crate::store::retry::transaction;
use crate::store::staff::{self, Account, NewSession};

/// What somebody must do before they are shown anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Somebody else chose the password (PCI DSS 8.3.5).
    ChangePassword,
    EnrolTotp,
}

/// A secret that is shown, to be scanned or typed into an authenticator app.
pub struct Offer {
    pub secret: String,
    pub uri: String,
    /// The path of an SVG of the URI as a QR code, and the length of its sides.
    pub qr: (String, i32),
}

impl Staff {
    /// What this person has to do first.
    pub fn demands(&self, owner: &SessionOwner) -> Option<Demand> {
        if owner.must_change_password {
            Some(Demand::ChangePassword)
        } else if self.policy.needs_totp && !owner.has_totp {
            Some(Demand::EnrolTotp)
        } else {
            None
        }
    }

    /// Changes one's own password; every session ends, and this browser goes on under the new token that is answered.
    ///
    /// # Errors
    /// [`StaffError::Refused`] where the old one is wrong or too often was; [`StaffError::PasswordUsed`] for one of the last five;
    /// others say what the new one lacks. Then nothing was changed.
    pub async fn change_password(
        &self,
        signed_in: &SignedIn,
        old: &SecretString,
        new: &SecretString,
        from: &From,
    ) -> Result<SignedIn, StaffError> {
        let owner = &signed_in.owner;
        check_choice(new.expose_secret(), &owner.email, &owner.name)?;
        let account = self.prove(owner, old, from).await?;
        let earlier = {
            let mut conn = self.db.get().await?;
            staff::earlier_passwords(&mut conn, owner.id).await?
        };
        let turn = self.passwords.turn().await?;
        for hash in std::iter::once(account.password_hash.clone()).chain(earlier) {
            if self.passwords.verify(new, Some(hash)).await? {
                return Err(StaffError::PasswordUsed);
            }
        }
        drop(turn);
        let hash = self.passwords.hash(new).await?;
        let (token, now) = (SessionToken::random()?, self.clock.now());
        let author = self.author(actor_of(&owner.email, owner.id), from.origin()).await?;
        let owner = transaction(&self.db, async |conn| {
            let locked = staff::lock(conn, owner.id).await?.ok_or(StaffError::Refused)?;
            if locked.password_hash != account.password_hash {
                return Err(StaffError::Refused);
            }
            staff::set_password(conn, owner.id, hash.clone(), false, PASSWORDS_REMEMBERED, now).await?;
            let session = NewSession { device_id: owner.device_id.clone(), ..new_session(&token, &locked, from, now) };
            staff::insert_session(conn, session, now).await?;
            note(conn, &author, "staff.change_password", owner.id, (None, None), DONE, now).await?;
            let changed = Account { must_change_password: false, ..locked };
            Ok(owner_of(&changed, owner.device_id.clone(), now))
        })
        .await?;
        Ok(SignedIn { owner, token })
    }

    /// Draws a secret for a second factor, which is shown until it is proved or a quarter of an hour has passed. Where one is enrolled
    /// already, `code` is one of it, or a recovery code.
    ///
    /// # Errors
    /// [`StaffError::Refused`] for a wrong password, [`StaffError::WrongCode`].
    pub async fn offer_totp(
        &self,
        signed_in: &SignedIn,
        password: &SecretString,
        code: &str,
        from: &From,
    ) -> Result<(), StaffError> {
        let owner = &signed_in.owner;
        let account = self.prove(owner, password, from).await?;
        let enrolled = self.authenticator(&account).await?;
        let place = self.totp_place(&account).await?;
        let secret = Authenticator::draw()?;
        let now = self.clock.now();
        if let Some(authenticator) = enrolled {
            self.prove_by_code(owner, &authenticator, code, from).await?;
        }
        sealed_again(&self.vault, place.tenant, || async {
            let sealed = self.vault.seal(&place, secret.as_slice()).await?;
            transaction(&self.db, async |conn| {
                staff::offer_totp(conn, owner.id, sealed.0.clone(), place.tenant, now).await?;
                Ok(())
            })
            .await
        })
        .await
    }

    /// The secret that is shown now, if any.
    pub async fn offered_totp(&self, owner: &SessionOwner) -> Result<Option<Offer>, StaffError> {
        let Some((_, authenticator)) = self.offered(owner).await? else { return Ok(None) };
        let uri = authenticator.uri()?;
        Ok(Some(Offer { secret: authenticator.secret_text(), qr: qr_path(&uri)?, uri }))
    }

    async fn offered(&self, owner: &SessionOwner) -> Result<Option<(Account, Authenticator)>, StaffError> {
        let now = self.clock.now();
        let account: Result<_, StaffError> =
            transaction(&self.db, async |conn| Ok(staff::lock(conn, owner.id).await?)).await;
        let Some(account) = account? else { return Ok(None) };
        let Some((sealed, _)) = account.totp_offered.clone().filter(|(_, at)| now - *at < OFFER_AGE_MAX) else {
            return Ok(None);
        };
        let authenticator = self.open_totp(&account, &sealed).await?;
        Ok(Some((account, authenticator)))
    }

    /// Enrols the secret that is shown, by a code that proves that an app has it. Answers the recovery codes, which are shown once; every
    /// other session ends, and this browser goes on under the new token.
    ///
    /// # Errors
    /// [`StaffError::NothingOffered`], [`StaffError::WrongCode`].
    pub async fn enrol_totp(
        &self,
        signed_in: &SignedIn,
        code: &str,
        from: &From,
    ) -> Result<(SignedIn, Vec<Zeroizing<String>>), StaffError> {
        let owner = &signed_in.owner;
        let (account, authenticator) = self.offered(owner).await?.ok_or(StaffError::NothingOffered)?;
        let now = self.clock.now();
        let plain: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = authenticator.check(&plain, now.timestamp(), None).ok_or(StaffError::WrongCode)?;
        let codes = (0..RECOVERY_CODES).map(|_| draw_recovery_code()).collect::<Result<Vec<_>, _>>()?;
        let hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| recovery_hash(code)).collect();
        let token = SessionToken::random()?;
        let author = self.author(actor_of(&owner.email, owner.id), from.origin()).await?;
        let owner = transaction(&self.db, async |conn| {
            let locked = staff::lock(conn, owner.id).await?.ok_or(StaffError::Refused)?;
            if locked.totp_offered != account.totp_offered {
                return Err(StaffError::NothingOffered);
            }
            staff::enrol_totp(conn, owner.id, step, hashes.clone(), now).await?;
            staff::delete_sessions_of(conn, owner.id).await?;
            let session = NewSession { device_id: owner.device_id.clone(), ..new_session(&token, &locked, from, now) };
            staff::insert_session(conn, session, now).await?;
            let told = json!({"recovery_codes": hashes.len(), "replaces_another": locked.totp_secret.is_some()});
            note(conn, &author, "staff.enrol_totp", owner.id, (None, Some(told)), DONE, now).await?;
            Ok(SessionOwner { has_totp: true, ..owner_of(&locked, owner.device_id.clone(), now) })
        })
        .await?;
        Ok((SignedIn { owner, token }, codes))
    }

    /// How many recovery codes somebody has left.
    pub async fn recovery_codes_left(&self, owner: &SessionOwner) -> Result<i64, StaffError> {
        let mut conn = self.db.get().await?;
        Ok(staff::count_codes(&mut conn, owner.id).await?)
    }

    /// In which zone times are told beside UTC, by its name; nothing: in none.
    ///
    /// # Errors
    /// [`StaffError::Zone`] for what names none.
    pub async fn set_zone(&self, owner: &SessionOwner, zone: &str) -> Result<(), StaffError> {
        let zone = match zone.trim() {
            "" => None,
            name => Some(name.parse::<Tz>().map_err(|_| StaffError::Zone)?.name().to_owned()),
        };
        let mut conn = self.db.get().await?;
        Ok(staff::set_zone(&mut conn, owner.id, zone).await?)
    }

    /// Asks once more who it is, for what may not be done in a browser that was left open: by a code where a second factor is enrolled, by
    /// the password where there is none. It holds for [`PROOF_AGE_MAX`](crate::domain::staff::PROOF_AGE_MAX).
    ///
    /// # Errors
    /// [`StaffError::WrongCode`]; [`StaffError::Refused`] for a wrong password, or where there were too many failures.
    pub async fn prove_again(
        &self,
        signed_in: SignedIn,
        proof: &SecretString,
        from: &From,
    ) -> Result<SignedIn, StaffError> {
        let owner = &signed_in.owner;
        if owner.has_totp {
            let account: Result<_, StaffError> =
                transaction(&self.db, async |conn| Ok(staff::lock(conn, owner.id).await?)).await;
            let account = account?.ok_or(StaffError::Refused)?;
            let authenticator = self.authenticator(&account).await?.ok_or(StaffError::Refused)?;
            self.prove_by_code(owner, &authenticator, proof.expose_secret(), from).await?;
        } else {
            self.prove(owner, proof, from).await?;
        }
        let now = self.clock.now();
        let author = self.author(actor_of(&owner.email, owner.id), from.origin()).await?;
        let proved: Result<(), StaffError> = transaction(&self.db, async |conn| {
            staff::prove_session(conn, &signed_in.token.id(), now).await?;
            Ok(note(conn, &author, "staff.prove", owner.id, (None, None), DONE, now).await?)
        })
        .await;
        proved?;
        let owner = SessionOwner { proved_at: now, ..signed_in.owner };
        Ok(SignedIn { owner, token: signed_in.token })
    }

    /// By a code, or a recovery code. Failures count as those of a sign-in.
    async fn prove_by_code(
        &self,
        owner: &SessionOwner,
        authenticator: &Authenticator,
        code: &str,
        from: &From,
    ) -> Result<(), StaffError> {
        let now = self.clock.now();
        let Some(attempt) = self.begin_own_attempt(owner).await? else { return Err(StaffError::Refused) };
        let is_right: Result<bool, StaffError> = transaction(&self.db, async |conn| {
            let locked = staff::lock(conn, owner.id).await?.ok_or(StaffError::Refused)?;
            Ok(take(conn, &locked, authenticator, code, now).await?.is_some())
        })
        .await;
        if !is_right? {
            self.note_refusal(&attempt, from, "code").await?;
            return Err(StaffError::WrongCode);
        }
        self.forget_attempt(&attempt).await
    }

    /// Asks once more who it is. Failures count as those of a sign-in.
    async fn prove(&self, owner: &SessionOwner, password: &SecretString, from: &From) -> Result<Account, StaffError> {
        let is_long = password.expose_secret().chars().count() > *PASSWORD_CHARS.end();
        let password = if is_long { SecretString::default() } else { password.clone() };
        let turn = self.passwords.turn().await?;
        let Some(attempt) = self.begin_own_attempt(owner).await? else { return Err(StaffError::Refused) };
        let is_right = self.passwords.verify(&password, Some(attempt.account.password_hash.clone())).await?;
        drop(turn);
        if !is_right {
            self.note_refusal(&attempt, from, "own_password").await?;
            return Err(StaffError::Refused);
        }
        self.forget_attempt(&attempt).await?;
        Ok(attempt.account)
    }
}
