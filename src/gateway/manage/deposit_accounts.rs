//! Deposit accounts: the money that payouts take.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::form::Form;
use super::{Attributes, code_taken, noted, version_conflict};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{DepositAccountId, Mode};
use crate::domain::ledger::{self, EntryKind, FiatSide};
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::balance_syncs::balance_source;
use crate::gateway::route_book::text_map;
use crate::gateway::{Gateway, GatewayError};
use crate::providers::provider::AccountContext;
use crate::store::deposit_accounts::BalanceSource;
use crate::store::provider_accounts::ProviderAccount;
use crate::store::retry::transaction;
use crate::store::{Slice, balance_syncs, deposit_accounts, entries, provider_accounts};

pub use crate::store::deposit_accounts::{DepositAccount, DepositAccountFilter};

/// What a refusal calls it.
const WHAT: &str = "deposit account";
const KNOWN: &[&str] = &["code", "name", "provider_account_id", "currency", "enabled"];
const REFERENCE_CHARS_MAX: usize = 64;

impl Gateway {
    /// Makes a deposit account at one of the caller's provider accounts. Nothing is on it yet.
    pub async fn create_deposit_account(&self, caller: &Caller, given: &Attributes) -> Result<DepositAccount, Refusal> {
        let now = self.clock.now();
        let id = DepositAccountId::new();
        let mut form = Form::create(given, KNOWN, &["provider_account_id", "currency"]);
        let code = form.code("code").unwrap_or_else(|| id.to_string());
        let account_id = form.parsed("provider_account_id", "the id of a provider account (pac_...)");
        let currency = form.currency("currency", &self.assets);
        let name = form.text_or_null("name", 200).flatten();
        let enabled = form.flag("enabled").unwrap_or(true);
        let account = match account_id {
            Some(id) => {
                let conn = self.db.get().await?;
                let found = provider_accounts::find(&conn, caller.tenant, id).await?;
                if found.is_none() {
                    form.add("provider_account_id", "UNKNOWN_ACCOUNT", "names no provider account of yours");
                }
                found
            }
            None => None,
        };
        if let (Some(account), Some(currency)) = (&account, currency) {
            let provider = self.providers.get(&account.provider);
            if !provider.is_some_and(|provider| provider.capabilities().currencies.contains(&currency.code)) {
                let detail = format!("isn't paid out by {}", account.provider);
                form.add("currency", "UNSUPPORTED_CURRENCY", detail);
            }
        }
        form.finish()?;
        let (Some(account), Some(currency)) = (account, currency) else {
            return Err(GatewayError::Corrupt("a deposit account without account or currency".to_owned()).into());
        };
        let source = self.source_of(&account, currency.code);
        let deposit = DepositAccount {
            partner_id: caller.tenant.partner_id,
            mode: caller.tenant.mode,
            id,
            code,
            name,
            provider_account_id: account.id,
            currency: currency.code,
            enabled,
            balance: Decimal::ZERO,
            balance_source: source.as_str().to_owned(),
            reserved: Decimal::ZERO,
            synced_at: None,
            sync_error: None,
            version: 1,
            created_at: now,
            updated_at: None,
        };
        transaction(&self.db, async |conn| {
            deposit_accounts::insert(conn, &deposit).await?;
            balance_syncs::ensure_jobs(conn, now).await?;
            noted(conn, caller, "deposit_account.create", id, None, Some(told(&deposit)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, "deposit_account_code_partner_id_mode_key"))?;
        self.routes.forget();
        Ok(deposit)
    }

    /// Who keeps the balance of an account in `currency` there.
    fn source_of(&self, account: &ProviderAccount, currency: AssetCode) -> BalanceSource {
        let Some(provider) = self.providers.get(&account.provider) else { return BalanceSource::Books };
        // Its settings decide; nobody is called.
        let context = AccountContext {
            account_id: account.id,
            mode: account.mode,
            settings: text_map(&account.settings),
            credentials: BTreeMap::new(),
        };
        balance_source(provider.as_ref(), &context, currency)
    }

    /// Changes what was given of a deposit account. Its balance and its reservations are not an owner's to write.
    pub async fn change_deposit_account(
        &self,
        caller: &Caller,
        id: DepositAccountId,
        given: &Attributes,
    ) -> Result<DepositAccount, Refusal> {
        let before = self.find_deposit_account(caller, id).await?;
        let mut account = before.clone();
        let mut form = Form::change(given, KNOWN, &["code", "provider_account_id", "currency"]);
        form.check_version(before.version)?;
        if let Some(name) = form.text_or_null("name", 200) {
            account.name = name;
        }
        if let Some(enabled) = form.flag("enabled") {
            account.enabled = enabled;
        }
        form.finish()?;
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            if !deposit_accounts::update(conn, &account, now).await? {
                return Err(version_conflict());
            }
            let (was, is) = (told(&before), told(&account));
            noted(conn, caller, "deposit_account.change", id, Some(was), Some(is), now).await
        })
        .await?;
        self.routes.forget();
        self.find_deposit_account(caller, id).await
    }

    pub async fn find_deposit_account(&self, caller: &Caller, id: DepositAccountId) -> Result<DepositAccount, Refusal> {
        let conn = self.db.get().await?;
        deposit_accounts::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })
    }

    pub async fn list_deposit_accounts(
        &self,
        caller: &Caller,
        filter: &DepositAccountFilter,
        slice: Slice,
    ) -> Result<Vec<DepositAccount>, Refusal> {
        let conn = self.db.get().await?;
        Ok(deposit_accounts::list(&conn, caller.tenant, filter, slice).await?)
    }

    /// Notes money that was put on a deposit account, with its ledger entry. Once per `reference`: again it changes nothing. In live
    /// mode only the house says that money is there.
    pub async fn top_up_deposit_account(
        &self,
        caller: &Caller,
        id: DepositAccountId,
        given: &Attributes,
    ) -> Result<DepositAccount, Refusal> {
        if caller.tenant.mode == Mode::Live && !caller.is_house {
            let detail = "in live mode only the house notes a top-up";
            return Err(Refusal::Forbidden { code: "HOUSE_ONLY", detail: detail.to_owned() });
        }
        let account = self.find_deposit_account(caller, id).await?;
        let scale = self.assets.get(account.currency).map_or(2, |asset| asset.scale);
        let mut form = Form::create(given, &["amount", "reference"], &["amount", "reference"]);
        let amount = form.amount("amount", scale);
        if amount.is_some_and(|amount| amount.is_zero()) {
            form.add("amount", "OUT_OF_RANGE", "is above zero");
        }
        let reference = form.text("reference", REFERENCE_CHARS_MAX);
        form.finish()?;
        let (Some(amount), Some(reference)) = (amount, reference) else {
            return Err(GatewayError::Corrupt("a top-up without amount or reference".to_owned()).into());
        };
        let booked_as = format!("deposit-{}-{reference}", id.0.simple());
        let now = self.clock.now();
        transaction(&self.db, async |conn| {
            // Who tops the same account up waits here, so that a reference is booked once.
            deposit_accounts::lock_deposits(conn, &[id]).await?;
            match entries::amount_booked(conn, caller.tenant, EntryKind::TopUp, &booked_as).await? {
                Some(booked) if booked == amount => return Ok(()),
                Some(_) => {
                    let detail = "the reference names a top-up of another amount";
                    return Err(Refusal::conflict("REFERENCE_TAKEN", detail));
                }
                None => {}
            }
            let fiat = FiatSide { deposit_account: id, asset: account.currency, amount };
            let entry = ledger::top_up(caller.tenant, fiat, &booked_as).map_err(GatewayError::from)?;
            entries::book(conn, &[entry], now).await?;
            deposit_accounts::top_up(conn, id, amount).await?;
            let after = json!({ "amount": amount.to_string(), "currency": account.currency, "reference": reference });
            noted(conn, caller, "deposit_account.top_up", id, None, Some(after), now).await
        })
        .await?;
        self.routes.forget();
        self.find_deposit_account(caller, id).await
    }
}

/// What the audit trail keeps of an account.
fn told(account: &DepositAccount) -> Value {
    json!({
        "code": account.code,
        "name": account.name,
        "provider_account_id": account.provider_account_id.to_string(),
        "currency": account.currency,
        "enabled": account.enabled,
    })
}
