//! Configuration: compiled-in defaults (`config/default.toml`), then a file (`--config` or `LANDFALL_CONFIG`), then the environment
//! (`LANDFALL__HTTP__LISTEN=127.0.0.1:8080`; two underscores between levels). A bad value is refused by its name.
//!
//! Each section is a struct in its own file with `deny_unknown_fields` and a `check` that names what is wrong. Secrets never come
//! from here directly: sections name files or environment variables that hold them.

pub mod audit;
pub mod auth;
pub mod database;
pub mod gateway;
pub mod http;
pub mod networks;
pub mod pricing;
pub mod providers;
pub mod rate_sources;
pub mod rates;
pub mod screening;
pub mod staff;
pub mod telemetry;
pub mod vault;
pub mod wallet;
pub mod webhooks;
pub mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

use crate::domain::ids::Mode;

/// The defaults that every installation starts from.
pub const DEFAULT_TOML: &str = include_str!("../config/default.toml");

/// Everything that an operator can set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The modes served. `live` turns development keys, fixed rates and the like into start-up errors.
    #[serde(deserialize_with = "list_or_text")]
    pub modes: Vec<Mode>,
    /// Where keys of development and the private cluster live. Relative to the working directory.
    pub data_dir: PathBuf,
    pub http: http::HttpSettings,
    pub telemetry: telemetry::TelemetrySettings,
    pub database: database::DatabaseSettings,
    pub vault: vault::VaultSettings,
    pub auth: auth::AuthSettings,
    pub rates: rates::RatesSettings,
    pub pricing: pricing::PricingSettings,
    pub providers: providers::ProvidersSettings,
    pub wallet: wallet::WalletSettings,
    pub screening: screening::ScreeningSettings,
    pub gateway: gateway::GatewaySettings,
    pub staff: staff::StaffSettings,
    pub audit: audit::AuditSettings,
    pub worker: worker::WorkerSettings,
    pub webhooks: webhooks::WebhookSettings,
}

/// What is wrong with a setting, by its dotted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub what: String,
}

/// Everything wrong with a configuration, so that an operator mends it in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    pub fn add(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.0.push(Problem { key: key.into(), what: what.into() });
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", problem.key, problem.what)?;
        }
        Ok(())
    }
}

/// A list, or the same as text with commas, which is what the environment can hold.
fn list_or_text<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        List(Vec<String>),
        Text(String),
    }
    let refused = |text: &str, error: T::Err| serde::de::Error::custom(format!("{text:?}: {error}"));
    let parse = |text: &str| text.trim().parse().map_err(|error| refused(text, error));
    match Either::deserialize(deserializer)? {
        Either::List(items) => items.iter().map(|item| parse(item)).collect(),
        Either::Text(text) if text.trim().is_empty() => Ok(Vec::new()),
        Either::Text(text) => text.split(',').map(parse).collect(),
    }
}

impl Settings {
    /// Loads and checks the configuration. `file` is the operator's own, if any.
    pub fn load(file: Option<&Path>) -> Result<Self, Problems> {
        let mut builder =
            config::Config::builder().add_source(config::File::from_str(DEFAULT_TOML, config::FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(config::File::from(file).format(config::FileFormat::Toml));
        }
        // Not parsed: a number stays the text that was written, and is read by its digits.
        builder =
            builder.add_source(config::Environment::with_prefix("LANDFALL").prefix_separator("__").separator("__"));
        let settings: Settings = builder
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| Problems(vec![Problem { key: "configuration".into(), what: error.to_string() }]))?;
        settings.check()?;
        Ok(settings)
    }

    /// Whether live money is served, which turns development conveniences into errors.
    pub fn is_live(&self) -> bool {
        self.modes.contains(&Mode::Live)
    }

    /// What is configured for a mode that isn't served, or missing for one that is.
    fn check_modes(&self, problems: &mut Problems) {
        for issuer_mode in self.gateway.payout_points.iter().map(|p| p.mode) {
            if !self.modes.contains(&issuer_mode) {
                problems.add("gateway.payout_points", format!("one is for {issuer_mode} mode, which isn't in modes"));
            }
        }
    }

    fn check(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        if self.modes.is_empty() {
            problems.add("modes", "name at least one of \"test\" and \"live\"");
        }
        self.database.check(self.is_live(), &mut problems);
        self.vault.check(self.is_live(), &self.data_dir, &mut problems);
        self.auth.check(self.is_live(), &mut problems);
        self.rates.check(self.is_live(), &mut problems);
        self.pricing.check(&mut problems);
        self.providers.check(self.is_live(), &mut problems);
        self.http.check(&mut problems);
        self.telemetry.check(self.is_live(), &mut problems);
        self.wallet.check(&mut problems);
        self.screening.check(&mut problems);
        self.gateway.check(&mut problems);
        self.staff.check(self.is_live(), &mut problems);
        self.audit.check(&mut problems);
        self.worker.check(&mut problems);
        self.webhooks.check(self.is_live(), &mut problems);
        self.check_modes(&mut problems);
        if problems.0.is_empty() { Ok(()) } else { Err(problems) }
    }
}
