//! What messages to an endpoint are signed with: 256 random bits in the form of the Standard Webhooks specification, several at once while
//! one follows another. Sealed in the vault for the endpoint's row; shown once, when they are drawn.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::ids::{Tenant, WebhookEndpointId};
use crate::gateway::GatewayError;
use crate::vault::{Context, Sealed, Vault, WEBHOOK_COLUMN};

/// What a secret begins with ("Symmetric signatures").
const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;
/// How many replaced secrets sign beside the current one at most; the oldest go first.
const EARLIER_MAX: usize = 3;

/// A secret as its owner holds it. Redacts `Debug`, is wiped on drop.
#[derive(Clone)]
pub struct SigningSecret(Zeroizing<String>);

impl SigningSecret {
    /// Draws one.
    pub fn draw() -> Result<Self, GatewayError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        let drawn = SysRng.try_fill_bytes(bytes.as_mut_slice());
        drawn.map_err(|_| GatewayError::Corrupt("the system gives no random bytes".to_owned()))?;
        let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
        Ok(Self(Zeroizing::new(format!("{PREFIX}{}", text.as_str()))))
    }

    /// The whole secret. For its owner's eyes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The bytes that sign.
    pub fn key(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.0.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()).map(Zeroizing::new)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(redacted)")
    }
}

impl PartialEq for SigningSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Serialize for SigningSecret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for SigningSecret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// A secret that was replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Earlier {
    signing: SigningSecret,
    /// From then on nothing is signed with it.
    until: DateTime<Utc>,
}

/// An endpoint's secrets. Sealed as they are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secrets {
    signing: SigningSecret,
    earlier: Vec<Earlier>,
}

fn place(tenant: Tenant, id: WebhookEndpointId) -> Context {
    Context { tenant, customer_id: None, record: id.0.into(), column: WEBHOOK_COLUMN }
}

impl Secrets {
    pub fn new(signing: SigningSecret) -> Self {
        Self { signing, earlier: Vec::new() }
    }

    /// Replaces the current secret, which signs too until `until`.
    #[must_use]
    pub fn followed_by(self, next: SigningSecret, until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut earlier: Vec<Earlier> = self.earlier.into_iter().filter(|earlier| earlier.until > now).collect();
        earlier.insert(0, Earlier { signing: self.signing, until });
        earlier.retain(|earlier| earlier.until > now);
        earlier.truncate(EARLIER_MAX);
        Self { signing: next, earlier }
    }

    /// Those that sign at `now`, the current one first.
    pub fn in_force(&self, now: DateTime<Utc>) -> Vec<SigningSecret> {
        let earlier = self.earlier.iter().filter(|earlier| earlier.until > now).map(|earlier| earlier.signing.clone());
        std::iter::once(self.signing.clone()).chain(earlier).collect()
    }

    pub async fn seal(&self, vault: &Vault, tenant: Tenant, id: WebhookEndpointId) -> Result<Vec<u8>, GatewayError> {
        let text = serde_json::to_vec(self).map_err(|_| GatewayError::Corrupt(format!("the secrets of {id}")))?;
        Ok(vault.seal(&place(tenant, id), &Zeroizing::new(text)).await?.0)
    }

    pub async fn open(
        vault: &Vault,
        tenant: Tenant,
        id: WebhookEndpointId,
        sealed: &[u8],
    ) -> Result<Self, GatewayError> {
        let opened = vault.open(&place(tenant, id), &Sealed(sealed.to_vec())).await?;
        serde_json::from_slice(&opened).map_err(|_| GatewayError::Corrupt(format!("the secrets of {id} are none")))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_secret_has_the_specifications_form_and_shows_itself_nowhere() {
        let secret = SigningSecret::draw().unwrap();
        assert!(secret.expose().starts_with("whsec_"));
        assert_eq!(secret.key().unwrap().len(), 32);
        assert!(secret != SigningSecret::draw().unwrap());
        assert_eq!(format!("{secret:?}"), "SigningSecret(redacted)");
    }

    #[test]
    fn a_replaced_secret_signs_until_its_time_is_over() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let later = |hours| now + TimeDelta::hours(hours);
        let drawn: Vec<_> = (0..7).map(|_| SigningSecret::draw().unwrap()).collect();
        let secrets = Secrets::new(drawn[0].clone()).followed_by(drawn[1].clone(), later(24), now);
        assert_eq!(secrets.in_force(now), vec![drawn[1].clone(), drawn[0].clone()]);
        assert_eq!(secrets.in_force(later(24)), vec![drawn[1].clone()]);
        // At once: a secret that is known to others.
        let secrets = secrets.followed_by(drawn[2].clone(), now, now);
        assert_eq!(secrets.in_force(now), vec![drawn[2].clone(), drawn[0].clone()]);
        let many = drawn[3..].iter().fold(secrets, |secrets, next| secrets.followed_by(next.clone(), later(1), now));
        assert_eq!(many.in_force(now).len(), 4);
    }
}
