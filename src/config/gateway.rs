//! The `[gateway]` section: how requests are tried, and the accounts and routes that are written down at start.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::Problems;
use crate::domain::asset::AssetCode;
use crate::domain::ids::Mode;
use crate::domain::payout_request::Funding;
use crate::domain::routing::breaker::BreakerSettings;
use crate::domain::service::{FIELDS_MAX, ServiceCode, ServiceField};

/// The partner code under which the house's own accounts and routes stand.
pub const HOUSE: &str = "house";

/// The longest that callbacks under a replaced key are taken: 30 days.
pub const CALLBACK_KEY_OVERLAP_SECS_MAX: u32 = 30 * 24 * 60 * 60;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// A file of card issuers by the first digits, for routing (`docs/routing.md`); relative to the working directory.
    pub issuers_file: Option<PathBuf>,
    /// How many payouts a request may start, over all routes. 1 to 100.
    pub attempts_limit: u16,
    /// How long after its creation a request starts payouts, in seconds.
    pub request_ttl_secs: u32,
    /// How often the same payout may be sent under the same reference, where the provider makes that safe.
    pub sends_max: u16,
    /// How long after a send, and then after each inquiry, a payout without an answer is asked about, in milliseconds: rising, and the
    /// last of them for as long as it takes.
    pub inquiry_intervals_ms: Vec<u64>,
    /// How long a provider is asked about a payout that it tells nothing of before a person is to see to it, and again after each such
    /// time, in seconds.
    pub fate_unknown_secs: u32,
    /// The same where the provider says that it is still working on it, in seconds.
    pub fate_pending_secs: u32,
    /// How often a deposit account's balance is asked for where its provider reports it, in seconds.
    pub balance_sync_secs: u32,
    /// How often provider accounts' credentials are tried, in seconds.
    pub account_check_secs: u32,
    /// How long callbacks under a key that was replaced are still taken, in seconds, unless the change says otherwise.
    pub callback_key_overlap_secs: u32,
    /// How often a provider's report is compared with our payouts, in seconds.
    pub reconcile_every_secs: u32,
    /// How far back a report is asked for, in days.
    pub reconcile_days: u32,
    /// What is younger isn't compared yet, in seconds; never less than its provider takes to settle and to post.
    pub reconcile_age_secs: u32,
    /// How long what nothing open refers to is kept.
    pub retention: Retention,
    /// When a provider account that fails is left alone.
    pub breaker: BreakerSettings,
    /// How deposit accounts are used that hold another currency than their route's service pays out.
    pub deposit_exchange: DepositExchange,
    /// Partners that are served. They are written down at start; one that is no longer named stays.
    pub partners: Vec<PartnerSeed>,
    pub payout_points: Vec<PointSeed>,
    pub provider_accounts: Vec<ProviderAccountSeed>,
    pub deposit_accounts: Vec<DepositAccountSeed>,
    pub routes: Vec<RouteSeed>,
    /// What can be asked for, over the house's routes and partners' own.
    pub services: Vec<ServiceSeed>,
    /// The house's payout schemes. A point without one goes by the scheme `default`.
    #[serde(default)]
    pub payout_schemes: Vec<SchemeSeed>,
    /// The house's exchange-rate schemes.
    #[serde(default)]
    pub exchange_rate_schemes: Vec<SchemeSeed>,
    /// What partners are charged on top, where their balance pays: the first that fits applies.
    #[serde(default)]
    pub fees: Vec<FeeSeed>,
}

/// `[gateway.retention]`: how long what nothing open refers to any more is kept. Events and cards are kept for good unless a time is set:
/// how long they have to be there is the law's, and what is gone is gone.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Idempotency keys with their saved answers: a request that is repeated within them is done once. 24 to 720.
    pub idempotency_hours: u32,
    /// Providers' callbacks with their bodies, after they came. 7 to 3650.
    pub callback_days: u32,
    /// What was on deposit accounts every quarter of an hour. 31 to 3650.
    pub balance_days: u32,
    /// The events of a payout request, after it was over. 90 to 3650; `None`, or 0: for good.
    #[serde(default, deserialize_with = "unless_zero")]
    pub event_days: Option<u32>,
    /// A card that is neither added again nor paid to. 30 to 3650; `None`, or 0: for good.
    #[serde(default, deserialize_with = "unless_zero")]
    pub unused_card_days: Option<u32>,
}

/// `0` is for good.
fn unless_zero<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(Some(u32::deserialize(deserializer)?).filter(|days| *days > 0))
}

impl Retention {
    fn check(&self, problems: &mut Problems) {
        if !(24..=720).contains(&self.idempotency_hours) {
            problems.add("gateway.retention.idempotency_hours", "must be 24 to 720");
        }
        if !(7..=3650).contains(&self.callback_days) {
            problems.add("gateway.retention.callback_days", "must be 7 to 3650");
        }
        if !(31..=3650).contains(&self.balance_days) {
            problems.add("gateway.retention.balance_days", "must be 31 to 3650");
        }
        if self.event_days.is_some_and(|days| !(90..=3650).contains(&days)) {
            problems.add("gateway.retention.event_days", "must be 90 to 3650, or 0 to keep them for good");
        }
        if self.unused_card_days.is_some_and(|days| !(30..=3650).contains(&days)) {
            problems.add("gateway.retention.unused_card_days", "must be 30 to 3650, or 0 to keep them for good");
        }
    }
}

/// A fee on partners' requests, in the point's currency: percent and fixed add up, then minimum and maximum apply, rounded up.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeSeed {
    /// Every partner, if absent; the same of the other conditions.
    pub partner: Option<String>,
    pub mode: Option<Mode>,
    pub service: Option<String>,
    /// The point's currency.
    pub currency: Option<AssetCode>,
    /// Percent of the amount.
    pub percent: Option<String>,
    pub fixed: Option<String>,
    pub min: Option<String>,
    pub max: Option<String>,
}

/// What a payout out of a deposit account in another currency is expected to take of it. Percentages are texts, so that every digit counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositExchange {
    /// Whose price counts: a source of the mode's board, or `board` for what its sources agree on.
    pub source: String,
    /// Percent of the amount that the provider's own exchange is expected to lose; the strategy `cost` counts it.
    pub spread_percent: String,
    /// Percent of the amount that is reserved beyond the price, since the provider settles at its own.
    pub buffer_percent: String,
}

impl DepositExchange {
    fn check(&self, problems: &mut Problems) {
        if self.source.is_empty() {
            problems.add("gateway.deposit_exchange.source", "names a source of the board, or board");
        }
        for (name, text) in [("spread_percent", &self.spread_percent), ("buffer_percent", &self.buffer_percent)] {
            if decimal(text).is_none_or(|percent| percent > Decimal::ONE_HUNDRED) {
                problems.add(format!("gateway.deposit_exchange.{name}"), "is a decimal number from 0 to 100");
            }
        }
    }

    pub fn spread(&self) -> Decimal {
        decimal(&self.spread_percent).unwrap_or_default()
    }

    pub fn buffer(&self) -> Decimal {
        decimal(&self.buffer_percent).unwrap_or_default()
    }
}

/// A service for each code: they share limits and fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSeed {
    /// `method_currency`: `card_eur`.
    pub codes: Vec<String>,
    #[serde(default = "both_modes")]
    pub modes: Vec<Mode>,
    #[serde(default = "yes")]
    pub enabled: bool,
    pub amount_min: Option<String>,
    pub amount_max: Option<String>,
    pub fields: Vec<ServiceField>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemeSeed {
    pub code: String,
    #[serde(default = "both_modes")]
    pub modes: Vec<Mode>,
    pub name: String,
    /// The body, as JSON text.
    pub body: String,
}

fn both_modes() -> Vec<Mode> {
    vec![Mode::Test, Mode::Live]
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerSeed {
    pub code: String,
    pub name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointSeed {
    pub code: String,
    pub partner: String,
    pub mode: Mode,
    pub name: String,
    pub currencies: Vec<AssetCode>,
    /// `partner_balance` or `own_deposit`.
    #[serde(default = "partner_balance")]
    pub funding: Funding,
    /// The code of a scheme of `gateway.payout_schemes`.
    pub payout_scheme: Option<String>,
    /// The code of a scheme of `gateway.exchange_rate_schemes`.
    pub exchange_rate_scheme: Option<String>,
}

fn partner_balance() -> Funding {
    Funding::PartnerBalance
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderAccountSeed {
    pub code: String,
    pub provider: String,
    pub mode: Mode,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Adapter-specific settings that are not secret.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Adapter-specific secrets: name to the environment variable that holds it.
    #[serde(default)]
    pub credentials_env: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositAccountSeed {
    pub code: String,
    pub provider_account: String,
    pub currency: AssetCode,
    /// What a new account of test mode starts with, posted as a top-up. Refused in live mode.
    pub initial_balance: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSeed {
    pub code: String,
    /// `method_currency`: `card_eur`.
    pub service: String,
    pub deposit_account: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    pub amount_min: Option<String>,
    pub amount_max: Option<String>,
    /// Percent of the amount.
    #[serde(default = "zero")]
    pub cost_percent: String,
    #[serde(default = "zero")]
    pub cost_fixed: String,
    /// The provider charges at least, and at most, this.
    pub cost_min: Option<String>,
    pub cost_max: Option<String>,
    /// The route's share under the strategy `weight`.
    #[serde(default = "one")]
    pub weight: u32,
    /// Routes are tried from the least position up.
    pub position: i32,
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

fn zero() -> String {
    "0".to_owned()
}

/// Reads a decimal by its digits.
pub fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok().filter(|d| !d.is_sign_negative() || d.is_zero())
}

impl GatewaySettings {
    pub fn check(&self, problems: &mut Problems) {
        if !(1..=100).contains(&self.attempts_limit) {
            problems.add("gateway.attempts_limit", "must be 1 to 100");
        }
        if self.request_ttl_secs == 0 {
            problems.add("gateway.request_ttl_secs", "must be above zero");
        }
        let intervals = &self.inquiry_intervals_ms;
        let rises = intervals.windows(2).all(|pair| pair[0] <= pair[1]);
        if intervals.is_empty() || !rises || !intervals.iter().all(|ms| (50..=86_400_000).contains(ms)) {
            problems.add("gateway.inquiry_intervals_ms", "are 50 to 86400000 each, and rise");
        }
        if !(1..=10).contains(&self.sends_max) {
            problems.add("gateway.sends_max", "must be 1 to 10");
        }
        self.deposit_exchange.check(problems);
        self.retention.check(problems);
        for (key, value) in
            [("fate_unknown_secs", self.fate_unknown_secs), ("fate_pending_secs", self.fate_pending_secs)]
        {
            if !(60..=31_536_000).contains(&value) {
                problems.add(format!("gateway.{key}"), "must be 60 to 31536000");
            }
        }
        for (key, value) in [
            ("balance_sync_secs", self.balance_sync_secs),
            ("account_check_secs", self.account_check_secs),
            ("reconcile_every_secs", self.reconcile_every_secs),
        ] {
            if !(1..=86_400).contains(&value) {
                problems.add(format!("gateway.{key}"), "must be 1 to 86400");
            }
        }
        if !(1..=366).contains(&self.reconcile_days) {
            problems.add("gateway.reconcile_days", "must be 1 to 366");
        }
        if self.callback_key_overlap_secs > CALLBACK_KEY_OVERLAP_SECS_MAX {
            let detail = format!("must be 0 to {CALLBACK_KEY_OVERLAP_SECS_MAX}");
            problems.add("gateway.callback_key_overlap_secs", detail);
        }
        if self.reconcile_age_secs > 604_800 {
            problems.add("gateway.reconcile_age_secs", "must be 0 to 604800");
        }
        let breaker = &self.breaker;
        for (key, value) in [
            ("window_secs", breaker.window_secs),
            ("calls_min", breaker.calls_min),
            ("open_secs", breaker.open_secs),
            ("probes_max", breaker.probes_max),
        ] {
            if value == 0 {
                problems.add(format!("gateway.breaker.{key}"), "must be above zero");
            }
        }
        let partners: BTreeSet<_> = self.partners.iter().map(|p| p.code.as_str()).collect();
        for (n, partner) in self.partners.iter().enumerate() {
            let well_formed = (1..=64).contains(&partner.code.len())
                && partner.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
            if !well_formed {
                problems.add(format!("gateway.partners[{n}].code"), "has 1 to 64 characters of a-z, 0-9, _ and -");
            }
        }
        unique(problems, "gateway.partners", self.partners.iter().map(|p| p.code.as_str()));
        unique(problems, "gateway.provider_accounts", self.provider_accounts.iter().map(|a| a.code.as_str()));
        unique(problems, "gateway.deposit_accounts", self.deposit_accounts.iter().map(|a| a.code.as_str()));
        unique(problems, "gateway.routes", self.routes.iter().map(|r| r.code.as_str()));
        for (n, point) in self.payout_points.iter().enumerate() {
            if !partners.contains(point.partner.as_str()) {
                problems.add(format!("gateway.payout_points[{n}].partner"), "names no partner of gateway.partners");
            }
            if point.currencies.is_empty() {
                problems.add(format!("gateway.payout_points[{n}].currencies"), "name at least one currency");
            }
        }
        let accounts: BTreeMap<_, _> = self.provider_accounts.iter().map(|a| (a.code.as_str(), a)).collect();
        for (n, deposit) in self.deposit_accounts.iter().enumerate() {
            let key = format!("gateway.deposit_accounts[{n}]");
            let account = accounts.get(deposit.provider_account.as_str());
            if account.is_none() {
                problems.add(format!("{key}.provider_account"), "names no account of gateway.provider_accounts");
            }
            if let Some(balance) = &deposit.initial_balance {
                if decimal(balance).is_none() {
                    problems.add(format!("{key}.initial_balance"), "is no decimal number");
                }
                if account.is_some_and(|a| a.mode == Mode::Live) {
                    problems.add(format!("{key}.initial_balance"), "live money isn't made by configuration");
                }
            }
        }
        let deposits: BTreeSet<_> = self.deposit_accounts.iter().map(|d| d.code.as_str()).collect();
        for (n, fee) in self.fees.iter().enumerate() {
            fee.check(&format!("gateway.fees[{n}]"), &partners, problems);
        }
        for (n, route) in self.routes.iter().enumerate() {
            route.check(&format!("gateway.routes[{n}]"), &deposits, problems);
        }
        for (n, service) in self.services.iter().enumerate() {
            service.check(&format!("gateway.services[{n}]"), problems);
        }
        unique(problems, "gateway.services", self.services.iter().flat_map(|s| s.codes.iter().map(String::as_str)));
        for (name, schemes) in
            [("payout_schemes", &self.payout_schemes), ("exchange_rate_schemes", &self.exchange_rate_schemes)]
        {
            for (n, scheme) in schemes.iter().enumerate() {
                if serde_json::from_str::<serde_json::Map<_, _>>(&scheme.body).is_err() {
                    problems.add(format!("gateway.{name}[{n}].body"), "is no JSON object");
                }
            }
            unique(problems, &format!("gateway.{name}"), schemes.iter().map(|scheme| scheme.code.as_str()));
        }
        for (n, point) in self.payout_points.iter().enumerate() {
            let known = |schemes: &[SchemeSeed], code: &Option<String>| {
                code.as_ref().is_none_or(|code| schemes.iter().any(|scheme| scheme.code == *code))
            };
            if !known(&self.payout_schemes, &point.payout_scheme) {
                problems.add(format!("gateway.payout_points[{n}].payout_scheme"), "names no scheme of the house's");
            }
            if !known(&self.exchange_rate_schemes, &point.exchange_rate_scheme) {
                problems
                    .add(format!("gateway.payout_points[{n}].exchange_rate_scheme"), "names no scheme of the house's");
            }
            let is_own = point.funding == Funding::OwnDeposit;
            if point.funding == Funding::WalletHold {
                problems.add(format!("gateway.payout_points[{n}].funding"), "is partner_balance or own_deposit");
            }
            if is_own && (point.payout_scheme.is_some() || point.exchange_rate_scheme.is_some()) {
                problems
                    .add(format!("gateway.payout_points[{n}].funding"), "the house's schemes don't serve own deposits");
            }
        }
    }
}

impl ServiceSeed {
    fn check(&self, key: &str, problems: &mut Problems) {
        if self.codes.is_empty() || self.codes.iter().any(|code| code.parse::<ServiceCode>().is_err()) {
            problems.add(format!("{key}.codes"), "are method_currency in lower case, such as card_eur");
        }
        if self.fields.len() > FIELDS_MAX {
            problems.add(format!("{key}.fields"), format!("has at most {FIELDS_MAX} fields"));
        }
        unique(problems, &format!("{key}.fields"), self.fields.iter().map(|field| field.key.as_str()));
        for (name, text) in [("amount_min", &self.amount_min), ("amount_max", &self.amount_max)] {
            if text.as_deref().is_some_and(|text| decimal(text).is_none()) {
                problems.add(format!("{key}.{name}"), "is no decimal number");
            }
        }
        check_order(problems, key, "amount", self.amount_min.as_deref(), self.amount_max.as_deref());
    }
}

impl FeeSeed {
    fn check(&self, key: &str, partners: &BTreeSet<&str>, problems: &mut Problems) {
        if self.partner.as_deref().is_some_and(|partner| !partners.contains(partner)) {
            problems.add(format!("{key}.partner"), "names no partner of gateway.partners");
        }
        let parts = [("percent", &self.percent), ("fixed", &self.fixed), ("min", &self.min), ("max", &self.max)];
        for (name, text) in parts {
            if text.as_deref().is_some_and(|text| decimal(text).is_none()) {
                problems.add(format!("{key}.{name}"), "is no decimal number");
            }
        }
        let number = |text: &Option<String>| text.as_deref().and_then(decimal);
        if number(&self.percent).is_some_and(|percent| percent > Decimal::ONE_HUNDRED) {
            problems.add(format!("{key}.percent"), "is at most 100");
        }
        if number(&self.min).zip(number(&self.max)).is_some_and(|(min, max)| min > max) {
            problems.add(format!("{key}.min"), "is above max");
        }
    }
}

impl RouteSeed {
    fn check(&self, key: &str, deposits: &BTreeSet<&str>, problems: &mut Problems) {
        if !deposits.contains(self.deposit_account.as_str()) {
            problems.add(format!("{key}.deposit_account"), "names no account of gateway.deposit_accounts");
        }
        if self.service.parse::<ServiceCode>().is_err() {
            problems.add(format!("{key}.service"), "is method_currency, such as card_eur");
        }
        let numbers = [
            ("amount_min", self.amount_min.as_deref()),
            ("amount_max", self.amount_max.as_deref()),
            ("cost_percent", Some(self.cost_percent.as_str())),
            ("cost_fixed", Some(self.cost_fixed.as_str())),
            ("cost_min", self.cost_min.as_deref()),
            ("cost_max", self.cost_max.as_deref()),
        ];
        for (name, text) in numbers {
            if text.is_some_and(|text| decimal(text).is_none()) {
                problems.add(format!("{key}.{name}"), "is no decimal number");
            }
        }
        check_order(problems, key, "amount", self.amount_min.as_deref(), self.amount_max.as_deref());
        check_order(problems, key, "cost", self.cost_min.as_deref(), self.cost_max.as_deref());
        if self.weight > 1_000_000 {
            problems.add(format!("{key}.weight"), "is at most 1000000");
        }
    }
}

fn check_order(problems: &mut Problems, key: &str, what: &str, least: Option<&str>, most: Option<&str>) {
    if let (Some(least), Some(most)) = (least.and_then(decimal), most.and_then(decimal))
        && least > most
    {
        problems.add(format!("{key}.{what}_max"), format!("is below {what}_min"));
    }
}

fn unique<'a>(problems: &mut Problems, key: &str, codes: impl Iterator<Item = &'a str>) {
    let mut seen = BTreeSet::new();
    for code in codes {
        if !seen.insert(code) {
            problems.add(key, format!("{code:?} is named twice"));
        }
    }
}
