//! The wallet's use cases, one verb a file: cards, prices, offers, and paying them.
//!
//! A user here is somebody whom authentication has named; what isn't theirs doesn't exist for them (invariant 8).
//! Paying accepts an offer in one transaction and submits a payout request to the gateway; the rest is the gateway's.

pub mod accept;
pub mod balances;
pub mod cards;
pub mod credit;
pub mod data;
pub mod error;
pub mod facts;
pub mod fate;
pub mod history;
pub mod offers;
pub mod pay;
mod velocity;
pub mod view;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::wallet::WalletSettings;
use crate::domain::ids::{CustomerId, Mode, Tenant};
use crate::domain::offer::PriceBook;
use crate::domain::terms::TermsInForce;
use crate::gateway::Gateway;
use crate::rates::Rates;
use crate::store::customers;
pub use error::WalletError;

/// What the wallet's use cases need.
pub struct Wallet {
    pub gateway: Arc<Gateway>,
    pub rates: Arc<Rates>,
    /// What partners are priced and limited by as far as their own terms leave it: see [`Wallet::terms`].
    pub house: PriceBook,
    pub settings: WalletSettings,
    pub cards: cards::CardPolicy,
    pub acceptances: accept::Acceptances,
    pub watches: fate::Watches,
}

/// Who is asking: a partner's user, in a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub tenant: Tenant,
    pub partner_code: String,
    /// The partner's own name for the user (a token's `sub`), 1 to 255 characters.
    pub reference: String,
    /// The KYC level that a trusted issuer claims; `None`: the customer's record says it.
    pub kyc_claimed: Option<u8>,
}

impl Wallet {
    pub fn now(&self) -> DateTime<Utc> {
        self.gateway.clock.now()
    }

    /// What the user's partner is priced and limited by now.
    async fn terms(&self, user: &User) -> Result<Arc<TermsInForce>, WalletError> {
        Ok(self.gateway.terms_in_force(user.tenant).await?)
    }

    /// How long a pay waits for its end unless asked to wait less.
    pub fn pay_wait(&self) -> Duration {
        Duration::from_secs(self.settings.pay_wait_secs)
    }

    /// Whether a token that we signed for a customer stands: nobody has revoked those of its generation or blocked the customer since.
    pub async fn token_stands(
        &self,
        user: &User,
        customer_id: CustomerId,
        generation: i64,
    ) -> Result<bool, WalletError> {
        let conn = self.gateway.db.get().await?;
        Ok(customers::token_stands(&conn, user.tenant, customer_id, &user.reference, generation).await?)
    }

    /// The user whom a token names. A partner that isn't written down is nobody.
    pub async fn user(
        &self,
        partner_code: &str,
        mode: Mode,
        reference: &str,
        kyc_claimed: Option<u8>,
    ) -> Result<User, WalletError> {
        let gateway = &self.gateway;
        let snapshot = gateway
            .routes
            .snapshot(&gateway.db, &gateway.assets, &gateway.providers, &gateway.credentials, self.now())
            .await?;
        let partner_id = snapshot.partner(partner_code).ok_or(WalletError::UnknownPartner)?;
        Ok(User {
            tenant: Tenant { partner_id, mode },
            partner_code: partner_code.to_owned(),
            reference: reference.to_owned(),
            kyc_claimed,
        })
    }
}
