//! The simulator's settings file (TOML): accounts, timings, faults. `docs/simulator.md` shows one.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::bank::{BankAccount, BankSettings};
use super::faults::Faults;
use super::payment::Timings;
use crate::config::providers::{Balances, TestProviderSettings};

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// Picks which calls meet which of the rated faults.
    pub seed: u64,
    pub timings: TimingsMs,
    pub accounts: Vec<AccountEntry>,
    pub faults: Faults,
}

/// [`Timings`] in milliseconds; what isn't there is as usual.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingsMs {
    pub latency_ms: Option<u64>,
    pub latency_spike_ms: Option<u64>,
    pub later_ms: Option<u64>,
    pub returned_after_ms: Option<u64>,
    pub hidden_for_ms: Option<u64>,
    pub flips_after_ms: Option<u64>,
    pub late_by_ms: Option<u64>,
    pub repeats_known_for_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    pub name: String,
    #[serde(deserialize_with = "secret")]
    pub api_key: SecretString,
    #[serde(deserialize_with = "secret")]
    pub callback_secret: SecretString,
    pub callback_url: Option<String>,
    /// Whether a repeated reference gets the first one's fate; otherwise it is paid again.
    #[serde(default = "yes")]
    pub knows_repeats: bool,
    #[serde(default)]
    pub balances: Balances,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn yes() -> bool {
    true
}

/// Why the settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{0}")]
    Refused(String),
}

impl SimulatorSettings {
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        read(text)
    }

    /// What the bank is made of.
    pub fn bank(self) -> Result<BankSettings, SettingsError> {
        let refused = |what: String| Err(SettingsError::Refused(what));
        let timings = self.timings.timings()?;
        if let Err(error) = self.faults.check() {
            return refused(error.to_string());
        }
        let mut accounts: Vec<BankAccount> = Vec::new();
        for AccountEntry { name, api_key, callback_secret, callback_url, knows_repeats, balances } in self.accounts {
            if name.is_empty() || api_key.expose_secret().is_empty() || callback_secret.expose_secret().is_empty() {
                return refused("an account has a name, an API key and a callback secret".to_owned());
            }
            if callback_url.as_deref().is_some_and(|url| !is_url(url)) {
                return refused(format!("the callback URL of the account {name:?} is none"));
            }
            let is_taken =
                |other: &BankAccount| other.name == name || other.api_key.expose_secret() == api_key.expose_secret();
            if accounts.iter().any(is_taken) {
                return refused(format!("the name or the API key of the account {name:?} is another's too"));
            }
            let balances = balances.iter().collect();
            accounts.push(BankAccount { name, api_key, callback_secret, callback_url, knows_repeats, balances });
        }
        if accounts.is_empty() {
            return refused("there is no account".to_owned());
        }
        Ok(BankSettings { seed: self.seed, timings, accounts, faults: self.faults, keeps_records: true })
    }
}

impl TimingsMs {
    fn timings(&self) -> Result<Timings, SettingsError> {
        let usual = Timings::default();
        let or = |value: Option<u64>, usual: Duration| match value {
            // A day: what is added to a time stays within the calendar.
            Some(millis) if millis > TestProviderSettings::DELAY_MS_MAX => Err(SettingsError::Refused(format!(
                "timings are at most {} milliseconds",
                TestProviderSettings::DELAY_MS_MAX
            ))),
            Some(millis) => Ok(Duration::from_millis(millis)),
            None => Ok(usual),
        };
        Ok(Timings {
            latency: or(self.latency_ms, usual.latency)?,
            latency_spike: or(self.latency_spike_ms, usual.latency_spike)?,
            later: or(self.later_ms, usual.later)?,
            returned_after: or(self.returned_after_ms, usual.returned_after)?,
            hidden_for: or(self.hidden_for_ms, usual.hidden_for)?,
            flips_after: or(self.flips_after_ms, usual.flips_after)?,
            late_by: or(self.late_by_ms, usual.late_by)?,
            repeats_known_for: or(self.repeats_known_for_ms, usual.repeats_known_for)?,
        })
    }
}

/// Whether `text` is where a callback can be posted.
pub fn is_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The faults of a file of their own.
pub fn parse_faults(text: &str) -> Result<Faults, SettingsError> {
    let faults: Faults = read(text)?;
    faults.check().map_err(|error| SettingsError::Refused(error.to_string()))?;
    Ok(faults)
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, SettingsError> {
    let source = config::File::from_str(text, config::FileFormat::Toml);
    let read = config::Config::builder().add_source(source).build().and_then(config::Config::try_deserialize);
    read.map_err(|error| SettingsError::Refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::faults::{Call, Fault};

    const FILE: &str = r#"
        seed = 7
        [timings]
        later_ms = 50
        [[accounts]]
        name = "house"
        api_key = "k"
        callback_secret = "s"
        balances = { EUR = "100.00" }
        [[accounts]]
        name = "careless"
        api_key = "k2"
        callback_secret = "s"
        knows_repeats = false
        callback_url = "http://127.0.0.1:8080/v1/provider-callbacks/x"
        [faults]
        pay = { lost_answer = "0.01", amount_less = "0.5" }
        ask = { reset_before = "0.02" }
        script = [{ on = "pay", fault = "reset_after", times = 2 }, { on = "ask", fault = "lost_answer", reference = "po_1" }]
        outages = [{ from = "2026-01-01T00:00:00Z", until = "2026-01-01T01:00:00Z" }]
    "#;

    #[test]
    fn a_file_is_read_whole() {
        let bank = SimulatorSettings::parse(FILE).unwrap().bank().unwrap();
        assert_eq!((bank.seed, bank.timings.later, bank.accounts.len()), (7, Duration::from_millis(50), 2));
        assert_eq!(bank.timings.late_by, Timings::default().late_by);
        assert!(bank.accounts[0].knows_repeats && !bank.accounts[1].knows_repeats && bank.keeps_records);
        assert_eq!(bank.accounts[0].balances.len(), 1);
        assert_eq!(bank.faults.pay[&Fault::LostAnswer].millionths(), 10_000);
        assert_eq!((bank.faults.script[1].on, bank.faults.script[1].times), (Call::Ask, 1));
    }

    #[test]
    fn bad_settings_are_refused() {
        let refused = |text: &str| SimulatorSettings::parse(text).and_then(SimulatorSettings::bank).is_err();
        for (from, to) in [
            ("name = \"careless\"", "name = \"house\""),
            ("api_key = \"k2\"", "api_key = \"k\""),
            ("api_key = \"k2\"", "api_key = \"\""),
            ("http://127.0.0.1", "file://127.0.0.1"),
            ("later_ms = 50", "later_ms = 86400001"),
            ("later_ms = 50", "later = 50"),
            ("lost_answer = \"0.01\"", "lost_answers = \"0.01\""),
            ("lost_answer = \"0.01\"", "lost_answer = \"0.6\", reset_after = \"0.5\""),
        ] {
            assert!(FILE.contains(from) && refused(&FILE.replacen(from, to, 1)), "{to}");
        }
        assert!(refused("seed = 1"), "no account");
        assert!(parse_faults("pay = { lost_answer = \"2\" }").is_err());
        assert!(parse_faults("pay = { lost_answer = \"1\" }").is_ok());
    }
}
