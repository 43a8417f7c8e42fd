//! The `[providers]` section: how the built-in `test` provider behaves, and where the other adapters' providers are and what may be relied
//! on of them. Accounts at providers, with their credentials, are rows and never configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;

use super::Problems;
use super::networks::Network;
use crate::domain::asset::AssetCode;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvidersSettings {
    pub test: TestProviderSettings,
    pub http: HttpProviderSettings,
    pub adyen: RemoteProviderSettings,
    pub tabapay: RemoteProviderSettings,
    pub worldpay: RemoteProviderSettings,
    pub checkout: RemoteProviderSettings,
}

/// A provider on the internet: `[providers.adyen]` and the like. One place for all of its accounts, so that no account can choose where
/// it connects to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteProviderSettings {
    /// Its sandbox, which test mode calls: an `http` or `https` URL without a slash at the end.
    pub test_url: String,
    /// What live mode calls. Without it, no account of live mode can be made.
    pub live_url: Option<String>,
    /// How long a call may take before its outcome is unknown. From 100 to 60000.
    pub send_timeout_ms: u64,
    /// How long after a send "not found" means nothing.
    pub settling_time_ms: u64,
    /// How many "not found" answers in a row count, after the settling time.
    pub not_found_confirmations: u32,
    /// How long after a payout was final an account's balance may still be without it.
    pub posting_lag_ms: u64,
}

/// `[providers.http]`: what the adapter for a provider behind the simulator's API may rely on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpProviderSettings {
    /// How long a call may take before its outcome is unknown. From 100 to 60000.
    pub send_timeout_ms: u64,
    /// How long after a send "not found" means nothing.
    pub settling_time_ms: u64,
    /// How many "not found" answers in a row count, after the settling time.
    pub not_found_confirmations: u32,
    /// How long after a payout was final an account's balance may still be without it.
    pub posting_lag_ms: u64,
    /// Whether an order may be sent again after an ambiguous answer.
    pub resend: Resend,
    /// Networks that are no part of the internet and may be called all the same. None where live mode is served.
    #[serde(deserialize_with = "super::list_or_text")]
    pub inner_networks: Vec<Network>,
}

/// What the provider does with a reference that it has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resend {
    /// It answers with the first one's fate, for a day.
    SameReference,
    /// It may pay again.
    Never,
}

/// `[providers.test]`: how the sandbox provider misbehaves, for every payout alike. What one payout meets is picked by
/// its card, amount or fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestProviderSettings {
    /// How long every answer takes, at most [`TestProviderSettings::WAIT_MS_MAX`].
    pub latency_ms: u64,
    /// How long a send may take before its outcome is unknown. At least 100.
    pub send_timeout_ms: u64,
    /// How long a send that "times out" keeps its caller waiting, at most [`TestProviderSettings::WAIT_MS_MAX`].
    pub timeout_ms: u64,
    /// The share of sends that are answered with an internal error; half of those are taken all the same.
    pub error_rate: Share,
    /// Picks which sends meet `error_rate`: the same seed and references meet the same errors.
    pub seed: u64,
    /// How long after a send "not found" means nothing.
    pub settling_time_ms: u64,
    /// How many "not found" answers in a row count, after the settling time.
    pub not_found_confirmations: u32,
    /// How long what is "paid later" takes, and how late callbacks come.
    pub later_ms: u64,
    /// How long after it was paid a payout that comes back comes back.
    pub returned_after_ms: u64,
    /// How long after a payout was final an account's balance may still be without it. The sandbox's never is; its callers
    /// wait all the same.
    pub posting_lag_ms: u64,
    /// When the provider refuses every connection.
    pub outages: Vec<Outage>,
    /// What each account holds at first, by currency. A currency that isn't named never runs out and reports no
    /// balance.
    pub balances: Balances,
}

/// A time without the provider, from `from` until just before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

impl Outage {
    pub fn covers(&self, now: DateTime<Utc>) -> bool {
        self.from <= now && now < self.until
    }
}

/// A share of all, from 0 to 1, in millionths. Written as a decimal fraction in text: `"0.05"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share {
    millionths: u32,
}

impl Share {
    /// `millionths` of a million; `None` above all of them.
    pub const fn of_millionths(millionths: u32) -> Option<Self> {
        if millionths > 1_000_000 { None } else { Some(Self { millionths }) }
    }

    pub const fn millionths(self) -> u32 {
        self.millionths
    }
}

/// A text that is not a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a share is a fraction from \"0\" to \"1\" with at most 6 decimals")]
pub struct ShareError;

impl TryFrom<String> for Share {
    type Error = ShareError;

    fn try_from(text: String) -> Result<Self, ShareError> {
        let fraction = Decimal::from_str_exact(&text).map_err(|_| ShareError)?.normalize();
        if fraction.scale() > 6 || fraction.is_sign_negative() || fraction > Decimal::ONE {
            return Err(ShareError);
        }
        let millionths = fraction.checked_mul(Decimal::from(1_000_000)).ok_or(ShareError)?;
        Ok(Self { millionths: u32::try_from(millionths).map_err(|_| ShareError)? })
    }
}

/// Amounts by currency, written as decimals in text: `{ EUR = "1000000.00" }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Balances(BTreeMap<AssetCode, Decimal>);

impl Balances {
    pub fn get(&self, currency: AssetCode) -> Option<Decimal> {
        self.0.get(&currency).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (AssetCode, Decimal)> + '_ {
        self.0.iter().map(|(currency, amount)| (*currency, *amount))
    }
}

/// A balance that can't be read, by the currency's name as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the balance of {0:?} is a currency's code and a decimal from \"0\" with at most 2 decimals")]
pub struct BalancesError(String);

impl TryFrom<BTreeMap<String, String>> for Balances {
    type Error = BalancesError;

    /// Codes are taken in either case, since names from the environment arrive in lower case.
    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, BalancesError> {
        let mut balances = BTreeMap::new();
        for (name, text) in texts {
            let code = name.to_ascii_uppercase().parse::<AssetCode>();
            let amount = Decimal::from_str_exact(&text);
            match (code, amount) {
                (Ok(code), Ok(amount)) if amount >= Decimal::ZERO && amount.normalize().scale() <= 2 => {
                    balances.insert(code, amount);
                }
                _ => return Err(BalancesError(name)),
            }
        }
        Ok(Self(balances))
    }
}

impl TestProviderSettings {
    /// The longest latency or time-out, in milliseconds, so that every send answers within the provider's own time-out.
    pub const WAIT_MS_MAX: u64 = 5_000;

    /// The longest that something may stay pending or be on its way back, in milliseconds: a day.
    pub const DELAY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

    fn check(&self, problems: &mut Problems) {
        let waits = [("latency_ms", self.latency_ms), ("timeout_ms", self.timeout_ms)];
        for (key, value) in waits {
            if value > Self::WAIT_MS_MAX {
                problems.add(format!("providers.test.{key}"), format!("at most {} milliseconds", Self::WAIT_MS_MAX));
            }
        }
        let delays = [
            ("settling_time_ms", self.settling_time_ms),
            ("later_ms", self.later_ms),
            ("returned_after_ms", self.returned_after_ms),
            ("posting_lag_ms", self.posting_lag_ms),
        ];
        for (key, value) in delays {
            if value > Self::DELAY_MS_MAX {
                problems.add(format!("providers.test.{key}"), format!("at most {} milliseconds", Self::DELAY_MS_MAX));
            }
        }
        if !(100..=60_000).contains(&self.send_timeout_ms) {
            problems.add("providers.test.send_timeout_ms", "from 100 to 60000 milliseconds");
        }
        if self.not_found_confirmations == 0 {
            problems.add("providers.test.not_found_confirmations", "at least 1");
        }
        for (n, outage) in self.outages.iter().enumerate() {
            if outage.from >= outage.until {
                problems.add(format!("providers.test.outages[{n}]"), "`until` lies after `from`");
            }
        }
    }
}

impl HttpProviderSettings {
    fn check(&self, problems: &mut Problems) {
        let delay_ms_max = TestProviderSettings::DELAY_MS_MAX;
        for (key, value) in [("settling_time_ms", self.settling_time_ms), ("posting_lag_ms", self.posting_lag_ms)] {
            if value > delay_ms_max {
                problems.add(format!("providers.http.{key}"), format!("at most {delay_ms_max} milliseconds"));
            }
        }
        if !(100..=60_000).contains(&self.send_timeout_ms) {
            problems.add("providers.http.send_timeout_ms", "from 100 to 60000 milliseconds");
        }
        if self.not_found_confirmations == 0 {
            problems.add("providers.http.not_found_confirmations", "at least 1");
        }
    }
}

impl RemoteProviderSettings {
    pub fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.send_timeout_ms)
    }

    pub fn settling_time(&self) -> Duration {
        Duration::from_millis(self.settling_time_ms)
    }

    pub fn posting_lag(&self) -> Duration {
        Duration::from_millis(self.posting_lag_ms)
    }

    fn check(&self, name: &str, problems: &mut Problems) {
        let at = |key: &str| format!("providers.{name}.{key}");
        if !is_base_url(&self.test_url) || self.test_url.ends_with('/') {
            problems.add(at("test_url"), "an http or https URL without a slash at the end");
        }
        if let Some(url) = &self.live_url
            && (!is_base_url(url) || url.ends_with('/') || !is_private(url))
        {
            problems.add(at("live_url"), "an https URL without a slash at the end");
        }
        let delay_ms_max = TestProviderSettings::DELAY_MS_MAX;
        for (key, value) in [("settling_time_ms", self.settling_time_ms), ("posting_lag_ms", self.posting_lag_ms)] {
            if value > delay_ms_max {
                problems.add(at(key), format!("at most {delay_ms_max} milliseconds"));
            }
        }
        if !(100..=60_000).contains(&self.send_timeout_ms) {
            problems.add(at("send_timeout_ms"), "from 100 to 60000 milliseconds");
        }
        if self.not_found_confirmations == 0 {
            problems.add(at("not_found_confirmations"), "at least 1");
        }
    }
}

/// Whether a text is the beginning of HTTP URLs: no query, no fragment.
pub fn is_base_url(text: &str) -> bool {
    reqwest::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none()
    })
}

/// Whether nobody reads what goes there: TLS, or the machine itself.
pub(super) fn is_private(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "wss")
            || url.host_str().is_some_and(|host| {
                host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            })
    })
}

impl ProvidersSettings {
    pub fn check(&self, is_live: bool, problems: &mut Problems) {
        if is_live && !self.http.inner_networks.is_empty() {
            problems
                .add("providers.http.inner_networks", "live mode calls nothing inside for accounts: leave it empty");
        }
        // Each by its name: one that is added and not checked doesn't compile.
        let Self { test, http, adyen, tabapay, worldpay, checkout } = self;
        test.check(problems);
        http.check(problems);
        for (name, provider) in [("adyen", adyen), ("tabapay", tabapay), ("worldpay", worldpay), ("checkout", checkout)]
        {
            provider.check(name, problems);
        }
    }

    /// The section as it is shipped, whatever file and environment say: what documentation states and tests start from.
    pub fn shipped() -> Self {
        config::Config::builder()
            .add_source(config::File::from_str(super::DEFAULT_TOML, config::FileFormat::Toml))
            .build()
            .and_then(|defaults| defaults.get("providers"))
            .expect("the defaults are compiled in, and a test reads them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: &str) -> Result<Problems, String> {
        let settings: ProvidersSettings = config::Config::builder()
            .add_source(config::File::from_str(super::super::DEFAULT_TOML, config::FileFormat::Toml))
            .add_source(config::File::from_str(change, config::FileFormat::Toml))
            .build()
            .and_then(|all| all.get("providers"))
            .map_err(|error| error.to_string())?;
        let mut problems = Problems::default();
        settings.check(false, &mut problems);
        Ok(problems)
    }

    #[test]
    fn live_mode_calls_nothing_inside_for_accounts() {
        let mut settings = ProvidersSettings::shipped();
        settings.http.inner_networks = vec!["127.0.0.0/8".parse().unwrap()];
        for (is_live, named) in [(false, vec![]), (true, vec!["providers.http.inner_networks"])] {
            let mut problems = Problems::default();
            settings.check(is_live, &mut problems);
            assert_eq!(problems.0.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), named);
        }
    }

    #[test]
    fn the_shipped_section_is_read_and_has_no_problem() {
        let settings = ProvidersSettings::shipped();
        assert!(settings.test.outages.is_empty() && settings.test.balances.is_empty());
        assert_eq!(settings.test.error_rate.millionths(), 0);
        assert_eq!(with(""), Ok(Problems::default()));
    }

    #[test]
    fn outages_balances_and_rates_are_read_exactly() {
        let settings: ProvidersSettings = config::Config::builder()
            .add_source(config::File::from_str(super::super::DEFAULT_TOML, config::FileFormat::Toml))
            .add_source(config::File::from_str(
                "[providers.test]\nerror_rate = \"0.05\"\nbalances = { EUR = \"1000000.01\", usd = \"0\" }\n\
                 outages = [{ from = \"2026-01-01T00:00:00Z\", until = \"2026-01-01T01:00:00Z\" }]",
                config::FileFormat::Toml,
            ))
            .build()
            .and_then(|all| all.get("providers"))
            .expect("a good section");
        assert_eq!(settings.test.error_rate.millionths(), 50_000);
        let balance = |code: &str| settings.test.balances.get(code.parse().expect("a code"));
        assert_eq!(balance("EUR"), Some(Decimal::new(100_000_001, 2)));
        assert_eq!((balance("USD"), balance("GBP")), (Some(Decimal::ZERO), None));
        let outage = settings.test.outages[0];
        assert!(outage.covers(outage.from) && !outage.covers(outage.until));
    }

    #[test]
    fn bad_values_are_refused_by_their_name() {
        for (change, key) in [
            ("[providers.test]\nlatency_ms = 5001", "providers.test.latency_ms"),
            ("[providers.test]\ntimeout_ms = 60000", "providers.test.timeout_ms"),
            ("[providers.test]\nnot_found_confirmations = 0", "providers.test.not_found_confirmations"),
            ("[providers.test]\nlater_ms = 86400001", "providers.test.later_ms"),
            ("[providers.http]\nsend_timeout_ms = 99", "providers.http.send_timeout_ms"),
            ("[providers.http]\nnot_found_confirmations = 0", "providers.http.not_found_confirmations"),
            ("[providers.http]\nsettling_time_ms = 86400001", "providers.http.settling_time_ms"),
            ("[providers.adyen]\ntest_url = \"adyen\"", "providers.adyen.test_url"),
            ("[providers.adyen]\nlive_url = \"http://pay.example\"", "providers.adyen.live_url"),
            ("[providers.worldpay]\nlive_url = \"https://pay.example/\"", "providers.worldpay.live_url"),
            ("[providers.tabapay]\nsend_timeout_ms = 60001", "providers.tabapay.send_timeout_ms"),
            (
                "[providers.test]\noutages = [{ from = \"2026-01-02T00:00:00Z\", until = \"2026-01-01T00:00:00Z\" }]",
                "providers.test.outages[0]",
            ),
        ] {
            let problems = with(change).expect("well formed");
            assert_eq!(problems.0.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), [key]);
        }
        for (change, named) in [
            ("[providers.test]\nerror_rate = \"1.01\"", "a share is a fraction"),
            ("[providers.test]\nerror_rate = \"-0.1\"", "a share is a fraction"),
            ("[providers.test]\nerror_rate = \"0.0000001\"", "a share is a fraction"),
            ("[providers.test]\nerror_rate = \"often\"", "a share is a fraction"),
            ("[providers.test.balances]\nEUR = \"-1\"", "\"EUR\""),
            ("[providers.test.balances]\nEUR = \"0.001\"", "\"EUR\""),
            ("[providers.test.balances]\n\"E-R\" = \"1\"", "\"E-R\""),
            ("[providers.test]\nlatency = 5", "latency"),
            ("[providers.http]\nresend = \"sometimes\"", "sometimes"),
        ] {
            let refusal = with(change).expect_err(change);
            assert!(refusal.contains(named), "{change}: {refusal}");
        }
    }
}
