//! Crypto that reached a user's wallet, credited through the ledger.

use rust_decimal::Decimal;

use super::{User, Wallet, WalletError};
use crate::domain::exact::parse_amount;
use crate::domain::ledger::{self, AccountKey, EntryKind};
use crate::store::retry::transaction;
use crate::store::{accounts, customers, entries};

impl Wallet {
    /// Credits `amount` of `currency` to the user's available balance and answers the new balance. The same reference is
    /// credited once: again, it changes nothing.
    pub async fn credit(
        &self,
        user: &User,
        currency: &str,
        amount: &str,
        reference: &str,
    ) -> Result<Decimal, WalletError> {
        let asset =
            self.book.assets.find(currency).ok_or_else(|| WalletError::not_valid("asset", "isn't configured"))?;
        let amount = parse_amount(amount, asset.scale, 15)
            .map_err(|error| WalletError::not_valid("amount", error.to_string()))?;
        if amount.is_zero() {
            return Err(WalletError::not_valid("amount", "must be above zero"));
        }
        transaction(&self.gateway.db, async |conn| {
            let now = self.now();
            let tenant = user.tenant;
            let customer = customers::find_or_insert(conn, tenant, &user.reference, now).await?;
            let available = AccountKey::user_available(customer.id, asset.code);
            let held = AccountKey::user_held(customer.id, asset.code);
            accounts::ensure(conn, &[(tenant, available), (tenant, held)], now).await?;
            // Locked first, so that of two credits of one reference the second sees the first.
            let id = available.id(tenant);
            let before = accounts::lock_balances(conn, &[(tenant, id)]).await?.remove(&id).unwrap_or_default();
            if entries::is_booked(conn, tenant, EntryKind::Credit, reference).await? {
                return Ok(before);
            }
            let entry = ledger::credit(tenant, customer.id, asset.code, amount, reference)
                .map_err(|error| WalletError::Internal(error.to_string()))?;
            entries::book(conn, &[entry], now).await?;
            let after = accounts::lock_balances(conn, &[(tenant, id)]).await?.remove(&id).unwrap_or_default();
            Ok(after)
        })
        .await
    }
}
