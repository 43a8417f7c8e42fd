//! Crypto that reached a user's wallet, credited through the ledger.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use rust_decimal::Decimal;
use serde_json::json;

use super::{User, Wallet, WalletError};
use crate::domain::asset::AssetCode;
use crate::domain::exact::parse_amount;
use crate::domain::ids::{CustomerId, Tenant};
use crate::domain::ledger::{self, AccountKey, EntryKind};
use crate::gateway::GatewayError;
use crate::gateway::access::Refusal;
use crate::gateway::access::audit::{self, Action, Author};
use crate::store::entries::CreditRow;
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
            self.house.assets.find(currency).ok_or_else(|| WalletError::not_valid("asset", "isn't configured"))?;
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

/// What the references of credits that partners ask for begin with in the ledger: no other credit's does.
const OF_PARTNERS: &str = "api-";
const NOT_FOUND: Refusal = Refusal::NotFound { what: "credit" };

/// Who is credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreditedCustomer {
    Id(CustomerId),
    /// The partner's own name; written down on first sight.
    Reference(String),
}

/// A credit that a partner asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCredit {
    pub customer: CreditedCustomer,
    pub asset: String,
    /// In units of the asset.
    pub amount: Decimal,
    /// 1 to 120 characters; booked once.
    pub reference: String,
}

/// A credit that is booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    pub reference: String,
    pub customer_id: CustomerId,
    pub customer_reference: String,
    pub asset: AssetCode,
    /// In units of the asset.
    pub amount: Decimal,
    pub booked_at: DateTime<Utc>,
}

impl Credit {
    fn of(reference: &str, row: CreditRow) -> Self {
        Self {
            reference: reference.to_owned(),
            customer_id: row.customer_id,
            customer_reference: row.customer_reference,
            asset: row.asset,
            amount: row.amount,
            booked_at: row.created_at,
        }
    }
}

impl Wallet {
    /// Credits a customer as a partner asks. The same reference is booked once: the same credit again answers what was booked,
    /// another one is a conflict.
    pub async fn credit_customer(&self, author: &Author, new: NewCredit) -> Result<Credit, Refusal> {
        let asset = self.house.assets.find(&new.asset);
        let asset = asset
            .ok_or_else(|| Refusal::invalid("/data/attributes/asset", "INVALID_VALUE", "There is no such currency."))?;
        let refused = |detail: String| Refusal::invalid("/data/attributes/amount", "INVALID_VALUE", detail);
        let amount = parse_amount(&new.amount.to_string(), asset.scale, 15)
            .map_err(|error| refused(format!("This is no amount: {error}.")))?;
        if amount.is_zero() {
            return Err(refused("This is above zero.".to_owned()));
        }
        let booked = transaction(&self.gateway.db, async |conn| {
            let now = self.now();
            let tenant = author.tenant;
            let (customer_id, customer_reference) = credited(conn, tenant, &new.customer, now).await?;
            let available = AccountKey::user_available(customer_id, asset.code);
            let held = AccountKey::user_held(customer_id, asset.code);
            accounts::ensure(conn, &[(tenant, available), (tenant, held)], now).await?;
            // Locked first, so that of two credits of one reference the second sees the first.
            accounts::lock_balances(conn, &[(tenant, available.id(tenant))]).await?;
            let reference = format!("{OF_PARTNERS}{}", new.reference);
            if let Some(row) = entries::find_credit(conn, tenant, &reference).await? {
                let is_same = (row.customer_id, row.asset, row.amount) == (customer_id, asset.code, amount);
                return if is_same { Ok(Credit::of(&new.reference, row)) } else { Err(taken()) };
            }
            let entry = ledger::credit(tenant, customer_id, asset.code, amount, &reference)
                .map_err(|error| Refusal::Failed(error.into()))?;
            entries::book(conn, &[entry], now).await?;
            let credit = Credit {
                reference: new.reference.clone(),
                customer_id,
                customer_reference,
                asset: asset.code,
                amount,
                booked_at: now,
            };
            let action = Action {
                action: "wallet.credit",
                object: customer_id.to_string(),
                before: None,
                after: Some(json!({
                    "reference_id": credit.reference, "asset": asset.code.to_string(), "amount": amount.to_string(),
                })),
                result: audit::DONE,
            };
            audit::record(conn, author, action, now).await?;
            Ok(credit)
        })
        .await;
        match booked {
            // Another customer's credit of that reference was booked a moment before.
            Err(Refusal::Failed(GatewayError::Db(error))) if error.is_conflict_on("entry_booked_once") => Err(taken()),
            booked => booked,
        }
    }

    /// A credit that a partner asked for.
    pub async fn find_credit(&self, tenant: Tenant, reference: &str) -> Result<Credit, Refusal> {
        let conn = self.gateway.db.get().await?;
        let row = entries::find_credit(&conn, tenant, &format!("{OF_PARTNERS}{reference}")).await?;
        Ok(Credit::of(reference, row.ok_or(NOT_FOUND)?))
    }
}

fn taken() -> Refusal {
    Refusal::conflict("REFERENCE_TAKEN", "Another credit was booked with this reference_id.")
}

async fn credited(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    customer: &CreditedCustomer,
    now: DateTime<Utc>,
) -> Result<(CustomerId, String), Refusal> {
    match customer {
        CreditedCustomer::Reference(reference) => {
            let customer = customers::find_or_insert(conn, tenant, reference, now).await?;
            Ok((customer.id, customer.reference))
        }
        CreditedCustomer::Id(id) => {
            let pointer = "/data/attributes/customer_id";
            let customer = customers::find_profile(conn, tenant, *id).await?;
            let customer =
                customer.ok_or_else(|| Refusal::invalid(pointer, "INVALID_VALUE", "There is no such customer."))?;
            Ok((customer.id, customer.reference))
        }
    }
}
