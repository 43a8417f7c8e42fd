//! Tokens that a partner's server obtains for its own customers, for its app to call the wallet API with. We sign them and we alone read
//! them, so one key does both (HS256). It comes from the vault and changes with each day; nothing of it is stored.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use uuid::Uuid;

use super::claims::Claims;
use super::error::AuthError;
use super::keys::VerifyingKey;
use super::token::Token;
use super::{KycSource, Principal, Signed};
use crate::config::auth::{RESERVED_ISS, TokenAlgorithm};
use crate::domain::ids::{CustomerId, Mode};
use crate::vault::Vault;

/// Whose tokens these are. No configured issuer may be called so.
pub const ISS: &str = RESERVED_ISS;
const AUDIENCE: &str = "landfall-wallet";
/// How long one key signs.
const DAY_SECS: i64 = 86_400;
/// How far the clock of the node that signed may be ahead of ours.
const AHEAD_MAX: TimeDelta = TimeDelta::seconds(30);
/// What a token for everything, and one for reading alone, is granted.
pub const SCOPES: [&str; 2] = ["wallet", "wallet:read"];
/// How long a token may last, in seconds: a key isn't taken longer after its day.
pub const LIFETIME_SECS: std::ops::RangeInclusive<i64> = 60..=3_600;

/// What a token is to say.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub partner_code: String,
    pub mode: Mode,
    pub customer_id: CustomerId,
    /// The partner's own name for the customer.
    pub reference: String,
    /// Of the customer's tokens, as it was read when nobody had blocked them.
    pub generation: i64,
    /// `None`: the record's, as it is when the token is used.
    pub kyc_level: Option<u8>,
    pub reads_only: bool,
    pub lifetime_secs: i64,
}

/// A signed token.
pub struct Minted {
    pub token: String,
    pub id: Uuid,
    pub expires_at: DateTime<Utc>,
}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMinted {
    #[error("the customer's reference can't be a token's subject")]
    Subject,
    #[error("the token could not be signed")]
    Sign,
}

#[derive(Serialize)]
struct Written<'a> {
    iss: &'static str,
    aud: &'static str,
    sub: &'a str,
    partner: &'a str,
    mode: &'a str,
    customer: Uuid,
    scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kyc_level: Option<u8>,
    iat: i64,
    exp: i64,
    generation: i64,
    jti: Uuid,
}

/// Which key signs then.
fn day_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(DAY_SECS)
}

/// Signs and reads these tokens.
pub struct CustomerTokens {
    vault: Arc<Vault>,
}

impl CustomerTokens {
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    pub fn mint(&self, new: &NewToken, now: DateTime<Utc>) -> Result<Minted, NotMinted> {
        if Claims::new([("sub".to_owned(), new.reference.as_str().into())].into()).subject().is_err() {
            return Err(NotMinted::Subject);
        }
        let id = Uuid::new_v4();
        let exp = now.timestamp().saturating_add(new.lifetime_secs);
        let [all, reads] = SCOPES;
        let claims = Written {
            iss: ISS,
            aud: AUDIENCE,
            sub: &new.reference,
            partner: &new.partner_code,
            mode: new.mode.as_str(),
            customer: new.customer_id.0,
            scope: if new.reads_only { reads } else { all },
            kyc_level: new.kyc_level,
            iat: now.timestamp(),
            exp,
            generation: new.generation,
            jti: id,
        };
        let day = day_of(now);
        let header = Header { kid: Some(day.to_string()), ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(self.vault.customer_token_key(day).as_slice());
        let token = jsonwebtoken::encode(&header, &claims, &key).map_err(|_| NotMinted::Sign)?;
        Ok(Minted { token, id, expires_at: DateTime::from_timestamp(exp, 0).unwrap_or(now) })
    }

    /// Whom a token names, where its signature and its claims hold. Whether it was revoked since is asked of the customer's record.
    pub(super) fn verify(&self, token: &Token<'_>, now: DateTime<Utc>) -> Result<Principal, AuthError> {
        if token.algorithm != TokenAlgorithm::Hs256 {
            return Err(AuthError::AlgorithmRefused);
        }
        let day: i64 = token.key_id.as_deref().and_then(|kid| kid.parse().ok()).ok_or(AuthError::KeyUnknown)?;
        if !(day_of(now).saturating_sub(1)..=day_of(now + AHEAD_MAX)).contains(&day) {
            return Err(AuthError::KeyUnknown);
        }
        let key = VerifyingKey::from_secret(self.vault.customer_token_key(day).as_slice());
        if !token.is_signed_by(&key.map_err(|_| AuthError::KeyUnknown)?) {
            return Err(AuthError::SignatureInvalid);
        }
        let claims = &token.claims;
        if claims.audiences()? != [AUDIENCE] {
            return Err(AuthError::AudienceOther);
        }
        let expires_at = claims.instant("exp")?.ok_or(AuthError::ExpiryMissing)?;
        if now >= expires_at {
            return Err(AuthError::Expired);
        }
        let malformed = AuthError::ClaimsMalformed;
        if now + AHEAD_MAX < claims.instant("iat")?.ok_or(malformed)? {
            return Err(AuthError::IssuedInFuture);
        }
        let [all, reads] = SCOPES;
        let reads_only = claims.has_scope(reads);
        if !reads_only && !claims.has_scope(all) {
            return Err(AuthError::ScopeMissing);
        }
        let text = |name| claims.text(name).ok().flatten().ok_or(malformed);
        let generation = claims.whole("generation").ok_or(malformed)?;
        let customer_id = CustomerId(text("customer")?.parse().map_err(|_| malformed)?);
        let kyc = if claims.has("kyc_level") {
            KycSource::Claim(claims.kyc_level("kyc_level")?)
        } else {
            KycSource::FromRecord
        };
        Ok(Principal {
            partner_code: text("partner")?.to_owned(),
            mode: text("mode")?.parse().map_err(|_| malformed)?,
            subject: claims.subject()?.to_owned(),
            kyc,
            issuer: "landfall".to_owned(),
            token_id: claims.token_id()?.map(str::to_owned),
            expires_at,
            signed_by_us: Some(Signed { customer_id, generation, reads_only }),
        })
    }
}
