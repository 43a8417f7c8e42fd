//! Sessions: a random token that only the browser has, found again by its hash; over after 15 idle minutes, or after 12 hours.
//! The token of the forms (against cross-site requests) is derived from it, so whoever can make one holds the other.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{RandomError, Staff, StaffError, note};
use crate::domain::staff::{SESSION_IDLE_MAX, actor_of};
use crate::gateway::access::audit::DONE;
use crate::store::retry::transaction;
use crate::store::staff;
pub use crate::store::staff::{OpenSession, SessionOwner};

const TOKEN_BYTES: usize = 32;

/// 256 random bits that stand for a session, or for a browser that has none yet. Redacts `Debug`, is wiped on drop.
#[derive(Clone, zeroize::ZeroizeOnDrop)]
pub struct SessionToken([u8; TOKEN_BYTES]);

impl SessionToken {
    pub fn random() -> Result<Self, RandomError> {
        let mut token = Self([0; TOKEN_BYTES]);
        SysRng.try_fill_bytes(&mut token.0).map_err(|_| RandomError)?;
        Ok(token)
    }

    /// Reads a cookie's value; anything but what [`encode`](Self::encode) writes is nobody's.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let token = <[u8; TOKEN_BYTES]>::try_from(bytes.as_slice()).ok().map(Self);
        bytes.zeroize();
        token
    }

    /// The cookie's value.
    pub fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the session is stored under.
    pub fn id(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// What each form that this browser is given must send back.
    pub fn form_token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.form_mac())
    }

    /// Whether a form was given to this very browser. Takes the same time for any wrong answer of the right length.
    pub fn is_form_token(&self, sent: &str) -> bool {
        URL_SAFE_NO_PAD.decode(sent).is_ok_and(|sent| bool::from(sent.as_slice().ct_eq(&self.form_mac())))
    }

    fn form_mac(&self) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(b"landfall/dashboard/form");
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(redacted)")
    }
}

/// Somebody with a living session.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub owner: SessionOwner,
    pub token: SessionToken,
}

impl Staff {
    /// Whose session this is; `None` if it is over, unknown, or its owner is disabled. Asking counts as use.
    pub async fn session(&self, token: SessionToken) -> Result<Option<SignedIn>, StaffError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        let owner = staff::touch_session(&mut conn, &token.id(), now, now - SESSION_IDLE_MAX).await?;
        Ok(owner.map(|owner| SignedIn { owner, token }))
    }

    /// The same for a page that asks by itself, without anybody doing anything: it doesn't count as use.
    pub async fn living_session(&self, token: &SessionToken) -> Result<Option<SessionOwner>, StaffError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        Ok(staff::see_session(&mut conn, &token.id(), now, now - SESSION_IDLE_MAX).await?)
    }

    /// Ends the session for good.
    pub async fn sign_out(&self, signed_in: &SignedIn, origin: Option<String>) -> Result<(), StaffError> {
        let owner = &signed_in.owner;
        let author = self.author(actor_of(&owner.email, owner.id), origin).await?;
        let now = self.clock.now();
        let done: Result<(), StaffError> = transaction(&self.db, async |conn| {
            staff::delete_session(conn, &signed_in.token.id()).await?;
            Ok(note(conn, &author, "staff.sign_out", owner.id, (None, None), DONE, now).await?)
        })
        .await;
        done?;
        tracing::info!(staff = %signed_in.owner.id, "signed out");
        Ok(())
    }

    /// One's own living sessions, those used last first.
    pub async fn sessions_of(&self, owner: &SessionOwner) -> Result<Vec<OpenSession>, StaffError> {
        let now = self.clock.now();
        let mut conn = self.db.get().await?;
        Ok(staff::sessions_of(&mut conn, owner.id, now, now - SESSION_IDLE_MAX).await?)
    }

    /// Ends sessions of one's own elsewhere: the named one, or with `None` all but the one that asks. Whether there was any: somebody
    /// else's is none.
    pub async fn end_sessions(
        &self,
        signed_in: &SignedIn,
        id: Option<Vec<u8>>,
        origin: Option<String>,
    ) -> Result<bool, StaffError> {
        let owner = &signed_in.owner;
        let author = self.author(actor_of(&owner.email, owner.id), origin).await?;
        let now = self.clock.now();
        let ended: Result<usize, StaffError> = transaction(&self.db, async |conn| {
            let ended = match &id {
                Some(id) => usize::from(staff::end_session(conn, owner.id, id.clone()).await?),
                None => staff::end_other_sessions(conn, owner.id, &signed_in.token.id()).await?,
            };
            if ended > 0 {
                let told = json!({ "sessions": ended });
                note(conn, &author, "staff.end_sessions", owner.id, (None, Some(told)), DONE, now).await?;
            }
            Ok(ended)
        })
        .await;
        let ended = ended?;
        tracing::info!(staff = %owner.id, ended, "sessions were ended from another one");
        Ok(ended > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_cookie_and_nothing_else_is_one() {
        let token = SessionToken::random().unwrap();
        assert_eq!(SessionToken::parse(&token.encode()).unwrap().id(), token.id());
        assert_ne!(SessionToken::random().unwrap().id(), token.id());
        let long = format!("{}A", token.encode());
        for bad in ["", "x", "not base64!", long.as_str(), &token.encode()[1..]] {
            assert!(SessionToken::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(format!("{token:?}"), "SessionToken(redacted)");
    }

    #[test]
    fn a_form_token_is_its_own_sessions() {
        let (ours, theirs) = (SessionToken::random().unwrap(), SessionToken::random().unwrap());
        assert!(ours.is_form_token(&ours.form_token()));
        for bad in [theirs.form_token(), String::new(), ours.encode(), ours.form_token()[1..].to_owned()] {
            assert!(!ours.is_form_token(&bad));
        }
    }
}
