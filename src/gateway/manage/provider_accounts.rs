//! Provider accounts: whose credentials and limits payouts go out under. Credentials are taken in and never told again: answers
//! show their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::credentials::{self, Credentials, EARLIER_KEYS_MAX, EarlierKeys};
use super::form::Form;
use super::{Attributes, code_taken, noted, version_conflict};
use crate::config::gateway::CALLBACK_KEY_OVERLAP_SECS_MAX;
use crate::domain::asset::Assets;
use crate::domain::card::{Pan, identify};
use crate::domain::ids::ProviderAccountId;
use crate::gateway::access::{Caller, Refusal};
use crate::gateway::account_checks::Health;
use crate::gateway::sealing::sealed_again;
use crate::gateway::{Gateway, GatewayError};
use crate::providers::provider::{Provider, SettingField, SettingValue};
use crate::store::Slice;
use crate::store::provider_accounts;
use crate::store::retry::transaction;

pub use crate::store::provider_accounts::{ProviderAccount, ProviderAccountFilter};

/// What a refusal calls it.
const WHAT: &str = "provider account";
const SETTINGS_MAX: usize = 50;
const SETTING_CHARS_MAX: usize = 2_000;
const KNOWN: &[&str] = &["code", "name", "provider", "enabled", "settings", "credentials", "turnover_limits"];
/// What only a change has.
const OVERLAP: &str = "callback_key_overlap_secs";

impl Gateway {
    /// Makes a provider account.
    pub async fn create_provider_account(
        &self,
        caller: &Caller,
        given: &Attributes,
    ) -> Result<ProviderAccount, Refusal> {
        let now = self.clock.now();
        let id = ProviderAccountId::new();
        let mut account = ProviderAccount {
            partner_id: caller.tenant.partner_id,
            mode: caller.tenant.mode,
            id,
            code: id.to_string(),
            name: None,
            provider: String::new(),
            enabled: true,
            settings: json!({}),
            credentials_sealed: None,
            credential_names: Vec::new(),
            callback_keys_sealed: None,
            callback_keys_until: None,
            turnover_limits: json!({}),
            health: "unknown".to_owned(),
            health_detail: None,
            health_checked_at: None,
            breaker_state: "closed".to_owned(),
            breaker_since: None,
            breaker_until: None,
            breaker_openings: 0,
            breaker_probes: 0,
            version: 1,
            created_at: now,
            updated_at: None,
        };
        let mut form = Form::create(given, KNOWN, &["provider"]);
        if let Some(code) = form.code("code") {
            account.code = code;
        }
        let provider = match form.text("provider", 64) {
            Some(code) => self.known_provider(&mut form, &code, caller),
            None => None,
        };
        if let Some(provider) = &provider {
            account.provider = provider.code().to_owned();
        }
        let credentials = self.fill_account(&mut form, &mut account, provider.as_ref(), Some(Credentials::new()));
        form.finish()?;
        let account = sealed_again(&self.vault, caller.tenant, || async {
            let mut account = account.clone();
            self.seal_credentials(&mut account, credentials.clone()).await?;
            self.write_new_account(caller, &account, now).await?;
            Ok::<_, Refusal>(account)
        })
        .await?;
        self.routes.forget();
        Ok(account)
    }

    async fn write_new_account(
        &self,
        caller: &Caller,
        account: &ProviderAccount,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let id = account.id;
        transaction(&self.db, async |conn| {
            provider_accounts::insert(conn, account).await?;
            noted(conn, caller, "provider_account.create", id, None, Some(told(account)), now).await
        })
        .await
        .map_err(|refusal| code_taken(refusal, "provider_account_code_partner_id_mode_key"))
    }

    /// Changes what was given of a provider account. Credentials that are named are replaced, or removed by null; the others stay.
    /// New ones are in force at the next send, without a restart; callbacks under a key that is replaced are taken for a while longer.
    pub async fn change_provider_account(
        &self,
        caller: &Caller,
        id: ProviderAccountId,
        given: &Attributes,
    ) -> Result<ProviderAccount, Refusal> {
        sealed_again(&self.vault, caller.tenant, || self.try_change_provider_account(caller, id, given)).await
    }

    async fn try_change_provider_account(
        &self,
        caller: &Caller,
        id: ProviderAccountId,
        given: &Attributes,
    ) -> Result<ProviderAccount, Refusal> {
        let before = self.find_provider_account(caller, id).await?;
        let mut account = before.clone();
        let known: Vec<&str> = KNOWN.iter().copied().chain([OVERLAP]).collect();
        let mut form = Form::change(given, &known, &["code", "provider"]);
        form.check_version(before.version)?;
        let provider = self.providers.get(&account.provider).cloned();
        let set = if form.has("credentials") { Some(self.credentials_set(&before).await?) } else { None };
        let credentials = self.fill_account(&mut form, &mut account, provider.as_ref(), set.clone());
        let overlap = form.integer(OVERLAP, 0..=i64::from(CALLBACK_KEY_OVERLAP_SECS_MAX));
        form.finish()?;
        let now = self.clock.now();
        let replaced = match (&set, &credentials, &provider) {
            (Some(was), Some(is), Some(provider)) => EarlierKeys::replaced(was, is, provider.callback_credentials()),
            _ => None,
        };
        if replaced.is_some() || overlap.is_some() {
            self.keep_callback_keys(&mut account, replaced, overlap, now).await?;
        }
        self.seal_credentials(&mut account, credentials).await?;
        transaction(&self.db, async |conn| {
            if !provider_accounts::update(conn, &account, now).await? {
                return Err(version_conflict());
            }
            let (was, mut is) = (told(&before), told(&account));
            if before.credentials_sealed != account.credentials_sealed
                && let Some(is) = is.as_object_mut()
            {
                is.insert("credentials_replaced".to_owned(), json!(true));
            }
            noted(conn, caller, "provider_account.change", id, Some(was), Some(is), now).await
        })
        .await?;
        self.routes.forget();
        self.find_provider_account(caller, id).await
    }

    pub async fn find_provider_account(
        &self,
        caller: &Caller,
        id: ProviderAccountId,
    ) -> Result<ProviderAccount, Refusal> {
        let conn = self.db.get().await?;
        provider_accounts::find(&conn, caller.tenant, id).await?.ok_or(Refusal::NotFound { what: WHAT })
    }

    pub async fn list_provider_accounts(
        &self,
        caller: &Caller,
        filter: &ProviderAccountFilter,
        slice: Slice,
    ) -> Result<Vec<ProviderAccount>, Refusal> {
        let conn = self.db.get().await?;
        Ok(provider_accounts::list(&conn, caller.tenant, filter, slice).await?)
    }

    /// Asks the provider whether it takes the account's credentials, and notes what it said.
    pub async fn check_provider_account(
        &self,
        caller: &Caller,
        id: ProviderAccountId,
    ) -> Result<ProviderAccount, Refusal> {
        self.find_provider_account(caller, id).await?;
        // By the row as it is now.
        self.routes.forget();
        if self.check_account(caller.tenant, id).await?.health == Health::Unknown {
            return Err(Refusal::conflict("NOT_SUPPORTED", "the provider has no way to check an account"));
        }
        self.routes.forget();
        self.find_provider_account(caller, id).await
    }

    /// The credentials in force: sealed in the row, or for the house's accounts those of configuration.
    async fn credentials_set(&self, account: &ProviderAccount) -> Result<Credentials, Refusal> {
        let from_configuration = || self.credentials.get(&account.code).cloned().unwrap_or_default();
        match &account.credentials_sealed {
            Some(sealed) => Ok(credentials::open(&self.vault, account.tenant(), account.id, sealed)
                .await
                .map_err(GatewayError::from)?),
            None if self.snapshot().await?.house() == account.partner_id => Ok(from_configuration()),
            None => Ok(Credentials::new()),
        }
    }

    async fn seal_credentials(
        &self,
        account: &mut ProviderAccount,
        credentials: Option<Credentials>,
    ) -> Result<(), Refusal> {
        let Some(credentials) = credentials else { return Ok(()) };
        let sealed = credentials::seal(&self.vault, account.tenant(), account.id, &credentials).await;
        account.credentials_sealed = Some(sealed.map_err(GatewayError::from)?);
        account.credential_names = credentials.into_keys().collect();
        Ok(())
    }

    /// Keeps the keys that callbacks were verified with until now beside those that were kept already.
    async fn keep_callback_keys(
        &self,
        account: &mut ProviderAccount,
        replaced: Option<Credentials>,
        overlap_secs: Option<i64>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let (tenant, id) = (account.tenant(), account.id);
        let mut kept = match &account.callback_keys_sealed {
            Some(sealed) => {
                credentials::open_earlier(&self.vault, tenant, id, sealed).await.map_err(GatewayError::from)?
            }
            None => Vec::new(),
        };
        let secs = overlap_secs.unwrap_or(i64::from(self.settings.callback_key_overlap_secs));
        let until = now + TimeDelta::seconds(secs);
        if overlap_secs.is_some() {
            kept.iter_mut().for_each(|keys| keys.until = keys.until.min(until));
        }
        kept.splice(0..0, replaced.map(|credentials| EarlierKeys { until, credentials }));
        kept.retain(|keys| now < keys.until);
        kept.truncate(EARLIER_KEYS_MAX);
        account.callback_keys_until = kept.iter().map(|keys| keys.until).max();
        account.callback_keys_sealed = match account.callback_keys_until {
            Some(_) => {
                Some(credentials::seal_earlier(&self.vault, tenant, id, &kept).await.map_err(GatewayError::from)?)
            }
            None => None,
        };
        Ok(())
    }

    fn known_provider(&self, form: &mut Form<'_>, code: &str, caller: &Caller) -> Option<Arc<dyn Provider>> {
        let for_partners = |code: &&str| self.providers.get(code).is_some_and(|provider| !provider.is_house_only());
        let Some(provider) = self.providers.get(code).filter(|_| for_partners(&code)) else {
            let codes = self.providers.codes().filter(for_partners).collect::<Vec<_>>().join(", ");
            form.add("provider", "UNKNOWN_PROVIDER", format!("is one of {codes}"));
            return None;
        };
        let mode = caller.tenant.mode;
        if !provider.modes().contains(&mode) {
            form.add("provider", "WRONG_MODE", format!("doesn't serve {mode} mode"));
        }
        Some(Arc::clone(provider))
    }

    /// Reads what may change. Answers the credentials to be sealed, if there are any: `set` are those to begin with.
    fn fill_account(
        &self,
        form: &mut Form<'_>,
        account: &mut ProviderAccount,
        provider: Option<&Arc<dyn Provider>>,
        set: Option<Credentials>,
    ) -> Option<Credentials> {
        if let Some(name) = form.text_or_null("name", 200) {
            account.name = name;
        }
        if let Some(enabled) = form.flag("enabled") {
            account.enabled = enabled;
        }
        if let Some(settings) = form.object("settings") {
            read_settings(form, settings);
            account.settings = Value::Object(settings.clone());
        }
        if let Some(schema) = provider.and_then(|provider| provider.settings_schema()) {
            check_settings(form, &account.settings, schema);
        }
        if let Some(limits) = form.object("turnover_limits") {
            account.turnover_limits = read_limits(form, limits, &self.assets, provider);
        }
        let given = form.object("credentials");
        let schema = provider.map_or(&[][..], |provider| provider.credentials_schema());
        set.map(|set| credentials::read(form, given, schema, set))
    }
}

fn read_settings(form: &mut Form<'_>, settings: &Attributes) {
    if settings.len() > SETTINGS_MAX {
        form.add("settings", "TOO_MANY", format!("has at most {SETTINGS_MAX} members"));
    }
    let passes = |text: &str| Pan::parse(text).is_ok_and(|pan| pan.passes_luhn() && identify(&pan).is_ok());
    if settings.iter().any(|(name, value)| passes(name) || value.as_str().is_some_and(passes)) {
        return form.add("settings", "CARD_NUMBER", "holds what passes for a card number, which must not stand here");
    }
    for (name, value) in settings {
        let sound = value
            .as_str()
            .is_some_and(|text| text.chars().count() <= SETTING_CHARS_MAX && !text.chars().any(char::is_control));
        if !super::form::is_code(name) {
            form.add("settings", "INVALID_VALUE", "has names of 1 to 64 characters of a-z, 0-9, _ and -");
        } else if !sound {
            let detail = format!("is a string of at most {SETTING_CHARS_MAX} characters");
            form.add(&format!("settings/{name}"), "WRONG_TYPE", detail);
        }
    }
}

/// What the provider doesn't know is refused, and what it can't do without is told where it is missing.
fn check_settings(form: &mut Form<'_>, settings: &Value, schema: &[SettingField]) {
    let names: Vec<&String> = settings.as_object().into_iter().flat_map(Attributes::keys).collect();
    if names.iter().any(|name| !schema.iter().any(|field| field.name == name.as_str())) {
        form.add("settings", "UNKNOWN_SETTING", "names a setting that the provider doesn't know");
    }
    for field in schema {
        let at = format!("settings/{}", field.name);
        match settings.get(field.name) {
            None if field.is_required => form.add(&at, "MISSING", "is required by the provider"),
            // That it is no text at all is told already.
            Some(value) if value.as_str().is_some_and(|text| !field.takes(text)) => {
                form.add(&at, "INVALID_VALUE", words(field.value));
            }
            None | Some(_) => {}
        }
    }
}

/// What a setting may say.
fn words(value: SettingValue) -> String {
    match value {
        SettingValue::Text => "is a text".to_owned(),
        SettingValue::OneOf(choices) => format!("is one of {}", choices.join(", ")),
        SettingValue::SomeOf(choices) => format!("is one or several of {}, with commas between", choices.join(", ")),
    }
}

/// Reads the limits by currency; they replace those that were there.
fn read_limits(
    form: &mut Form<'_>,
    limits: &Attributes,
    assets: &Assets,
    provider: Option<&Arc<dyn Provider>>,
) -> Value {
    let mut read = BTreeMap::new();
    for (currency, value) in limits {
        let asset = assets.find(currency);
        let paid_out = |provider: &Arc<dyn Provider>| {
            asset.is_some_and(|asset| provider.capabilities().currencies.contains(&asset.code))
        };
        let Some(asset) = asset.filter(|_| provider.is_none_or(paid_out)) else {
            form.add("turnover_limits", "UNKNOWN_CURRENCY", "is by currencies that the provider pays out, such as EUR");
            continue;
        };
        let at = format!("turnover_limits/{currency}");
        if let Some(limit) = form.amount_of(&at, value, asset.scale) {
            read.insert(asset.code.to_string(), limit.to_string());
        }
    }
    json!(read)
}

/// What the audit trail keeps of an account: never a credential.
fn told(account: &ProviderAccount) -> Value {
    json!({
        "code": account.code,
        "name": account.name,
        "provider": account.provider,
        "enabled": account.enabled,
        "settings": account.settings,
        "credentials_set": account.credential_names,
        "previous_callback_keys_until": account.callback_keys_until,
        "turnover_limits": account.turnover_limits,
    })
}
