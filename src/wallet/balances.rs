//! What a user has.

use std::collections::BTreeMap;

use super::view::BalanceView;
use super::{User, Wallet, WalletError};
use crate::domain::ledger::AccountKind;
use crate::store::{accounts, customers};

impl Wallet {
    /// The user's balances by currency: what can be spent and what accepted offers hold.
    pub async fn balances(&self, user: &User) -> Result<Vec<BalanceView>, WalletError> {
        let mut conn = self.gateway.db.get().await?;
        let Some(customer) = customers::find(&mut conn, user.tenant, &user.reference).await? else {
            return Ok(Vec::new());
        };
        let mut by_currency: BTreeMap<_, BalanceView> = BTreeMap::new();
        for row in accounts::balances_of_customer(&conn, user.tenant, customer.id).await? {
            let Some(asset) = self.house.assets.get(row.asset) else { continue };
            let view = by_currency.entry(row.asset).or_insert_with(|| BalanceView {
                currency: row.asset,
                available: Default::default(),
                held: Default::default(),
                scale: asset.scale,
            });
            if row.kind == AccountKind::UserAvailable.as_str() {
                view.available = row.balance;
            } else {
                view.held = row.balance;
            }
        }
        Ok(by_currency.into_values().collect())
    }
}
