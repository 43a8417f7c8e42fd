//! The `[vault]` section: who holds the key-encryption key, and how much of a card number stays in the clear.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::Problems;
use crate::domain::card::IinDigits;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultSettings {
    /// Who holds the key-encryption key.
    pub provider: VaultProvider,
    /// Who held it before: what that one wrapped still opens, and the MAC keys stay there for good.
    #[serde(default)]
    pub moved_from: Option<VaultProvider>,
    /// How many leading digits of a card number are stored in the clear: 6 or 8.
    pub iin_digits: u32,
    /// After so many days a data key is followed by the next; 0: for its age never.
    pub dek_max_age_days: u32,
    /// How many rows all workers together seal anew in a second after a rotation.
    pub reseal_per_sec: u32,
    /// How long nothing must have been sealed under a data key before it may be retired, in seconds.
    pub retire_grace_secs: u32,
    pub file: KeyFileSettings,
    pub transit: TransitSettings,
    pub aws_kms: KmsSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultProvider {
    File,
    /// HashiCorp Vault's or OpenBao's transit engine: `[vault.transit]`.
    Vault,
    /// AWS Key Management Service: `[vault.aws_kms]`.
    AwsKms,
}

/// `[vault.file]`: key files with mode 0600, outside the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFileSettings {
    /// One file with whole keys: for development. Relative to `data_dir`, or absolute.
    pub path: PathBuf,
    /// Whether a missing file is made, with development keys.
    pub generate_if_missing: bool,
    /// Two custodians' component files, instead of `path`. The only way in live mode.
    #[serde(default)]
    pub components: Vec<PathBuf>,
}

/// `[vault.transit]`: the transit engine of HashiCorp Vault or OpenBao. Tokens are in files or variables that are named here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransitSettings {
    /// `https://vault.example:8200`.
    pub address: String,
    pub namespace: Option<String>,
    /// Where the transit engine is mounted.
    pub mount: String,
    /// The key that wraps data keys: made with `derived=true`.
    pub key: String,
    /// The key whose HMAC gives the MAC keys, and the version of it that is used for good.
    pub mac_key: String,
    pub mac_key_version: u32,
    /// A file with the token, read at each call.
    pub token_file: Option<PathBuf>,
    /// The environment variable with the token; `VAULT_TOKEN` where no other way is named.
    pub token_env: Option<String>,
    pub app_role: Option<AppRoleSettings>,
    /// Certificates (PEM) that the server's must descend from, instead of the machine's own.
    pub ca_file: Option<PathBuf>,
    /// Of one try.
    pub timeout_ms: u64,
    /// Of what only reads.
    pub attempts_max: u32,
}

/// `[vault.transit.app_role]`: a login instead of a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRoleSettings {
    #[serde(default = "app_role_mount")]
    pub mount: String,
    pub role_id_file: PathBuf,
    pub secret_id_file: PathBuf,
}

fn app_role_mount() -> String {
    "approle".to_owned()
}

/// `[vault.aws_kms]`: keys of AWS KMS. Credentials come from where `credentials` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmsSettings {
    pub region: String,
    /// Instead of the region's own: a VPC endpoint.
    pub endpoint: Option<String>,
    /// A symmetric key: id, ARN, or `alias/NAME`.
    pub key_id: String,
    /// Keys that wrapped what isn't rewrapped yet.
    #[serde(default)]
    pub key_ids_old: Vec<String>,
    /// An HMAC_256 key, which gives the MAC keys. Never an alias: another key would fingerprint the same card anew.
    pub mac_key_id: String,
    pub credentials: KmsCredentials,
    /// For `file`: instead of `AWS_SHARED_CREDENTIALS_FILE` and of `AWS_PROFILE`.
    pub credentials_file: Option<PathBuf>,
    pub profile: Option<String>,
    /// For `web-identity`: instead of the region's own.
    pub sts_endpoint: Option<String>,
    /// Certificates (PEM) that the service's must descend from, instead of the machine's own.
    pub ca_file: Option<PathBuf>,
    /// Of one try.
    pub timeout_ms: u64,
    /// Of what only reads.
    pub attempts_max: u32,
}

/// Where credentials for AWS come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KmsCredentials {
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    Environment,
    /// A profile of a shared credentials file.
    File,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`, over STS.
    WebIdentity,
    /// `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `_FULL_URI`: ECS, EKS Pod Identity.
    Container,
    /// The instance's role, by IMDSv2.
    Instance,
}

impl VaultSettings {
    /// `data_dir` is where the private database lies.
    pub fn check(&self, live: bool, data_dir: &Path, problems: &mut Problems) {
        if let Err(error) = IinDigits::try_from(self.iin_digits) {
            problems.add("vault.iin_digits", error.to_string());
        }
        if self.dek_max_age_days > 3_650 {
            problems.add("vault.dek_max_age_days", "from 0 (never) to 3650 days");
        }
        if !(1..=100_000).contains(&self.reseal_per_sec) {
            problems.add("vault.reseal_per_sec", "from 1 to 100000 rows");
        }
        // A process asks once a minute which key is primary, and what it read before that it may still open and write.
        if !(300..=31_536_000).contains(&self.retire_grace_secs) {
            problems.add("vault.retire_grace_secs", "from 300 seconds to a year");
        }
        // Whichever is chosen: all of it is printed.
        for (key, url) in [
            ("vault.transit.address", Some(&self.transit.address)),
            ("vault.aws_kms.endpoint", self.aws_kms.endpoint.as_ref()),
            ("vault.aws_kms.sts_endpoint", self.aws_kms.sts_endpoint.as_ref()),
        ] {
            if url.is_some_and(|url| url.contains(['@', '?', '#'])) {
                // What it says isn't repeated: it may be a password.
                problems.add(key, "without a user, a password or parameters: credentials are named apart");
            }
        }
        if self.moved_from == Some(self.provider) {
            problems.add("vault.moved_from", "must not be the provider that is used now");
        }
        for provider in std::iter::once(self.provider).chain(self.moved_from) {
            match provider {
                VaultProvider::File => self.file.check(live, data_dir, problems),
                VaultProvider::Vault => self.transit.check(live, problems),
                VaultProvider::AwsKms => self.aws_kms.check(live, problems),
            }
        }
    }

    /// [`VaultSettings::iin_digits`] as the domain has it. `check` has refused what is neither 6 nor 8; six show less.
    pub fn iin_kept(&self) -> IinDigits {
        IinDigits::try_from(self.iin_digits).unwrap_or(IinDigits::Six)
    }
}

impl KeyFileSettings {
    /// The two component files, where they are configured. Relative paths start at `data_dir`.
    pub fn component_paths(&self, data_dir: &Path) -> Option<(PathBuf, PathBuf)> {
        match self.components.as_slice() {
            [one, other] => Some((data_dir.join(one), data_dir.join(other))),
            _ => None,
        }
    }

    fn check(&self, live: bool, data_dir: &Path, problems: &mut Problems) {
        match self.components.as_slice() {
            [] if live => problems.add(
                "vault.file.components",
                "live mode wants the key in two custodians' components, or provider = \"vault\" or \"aws-kms\" (docs/keys.md)",
            ),
            [] => {}
            [one, other] => {
                if one.file_name().is_none() || other.file_name().is_none() {
                    problems.add("vault.file.components", "name two files");
                } else if plain(&data_dir.join(one)) == plain(&data_dir.join(other)) {
                    problems.add("vault.file.components", "the two components must not come from one file");
                }
            }
            _ => problems.add("vault.file.components", "name two files, one of each custodian"),
        }
        if self.path.file_name().is_none() {
            problems.add("vault.file.path", "name a file");
        }
        if live && self.generate_if_missing {
            problems.add(
                "vault.file.generate_if_missing",
                "must be false in live mode: a generated key is for development; make components with `landfall keys component`",
            );
        }
        // The private database lies there, and whoever copies or backs it up would take the key along.
        let lies_beside = |path: &&PathBuf| plain(&data_dir.join(path)).starts_with(plain(data_dir));
        let beside = self.components.iter().filter(|path| path.file_name().is_some()).find(lies_beside);
        if let (true, Some(path)) = (live, beside) {
            problems.add(
                "vault.file.components",
                format!(
                    "{} lies under data_dir, beside the database: live mode wants the key apart from it",
                    path.display()
                ),
            );
        }
    }
}

impl TransitSettings {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn check(&self, live: bool, problems: &mut Problems) {
        check_url("vault.transit.address", &self.address, live, problems);
        for (key, text) in [("vault.transit.key", &self.key), ("vault.transit.mac_key", &self.mac_key)] {
            if !is_name(text) {
                problems.add(key, "letters, digits, '_', '-' and '.'");
            }
        }
        if self.key == self.mac_key {
            problems.add("vault.transit.mac_key", "must not be the key that wraps: that one is rotated");
        }
        if self.mount.trim_matches('/').is_empty() || !self.mount.trim_matches('/').split('/').all(is_name) {
            problems.add("vault.transit.mount", "a path of letters, digits, '_', '-' and '.'");
        }
        if self.mac_key_version == 0 {
            problems.add("vault.transit.mac_key_version", "from 1");
        }
        if self.namespace.as_ref().is_some_and(|namespace| !namespace.trim_matches('/').split('/').all(is_name)) {
            problems.add("vault.transit.namespace", "a path of letters, digits, '_', '-' and '.'");
        }
        let ways = [self.token_file.is_some(), self.token_env.is_some(), self.app_role.is_some()];
        if ways.iter().filter(|way| **way).count() > 1 {
            problems.add("vault.transit", "name one of token_file, token_env and app_role");
        }
        check_calls("vault.transit", self.timeout_ms, self.attempts_max, problems);
    }
}

impl KmsSettings {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    fn check(&self, live: bool, problems: &mut Problems) {
        let is_region = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.region.is_empty() || !self.region.chars().all(is_region) {
            problems.add("vault.aws_kms.region", "a region, such as eu-central-1");
        }
        for (key, endpoint) in
            [("vault.aws_kms.endpoint", &self.endpoint), ("vault.aws_kms.sts_endpoint", &self.sts_endpoint)]
        {
            if let Some(endpoint) = endpoint {
                check_url(key, endpoint, live, problems);
            }
        }
        for (key, text) in [("vault.aws_kms.key_id", &self.key_id), ("vault.aws_kms.mac_key_id", &self.mac_key_id)] {
            if text.is_empty() {
                problems.add(key, "name a key");
            }
        }
        if self.mac_key_id.contains("alias/") {
            problems.add(
                "vault.aws_kms.mac_key_id",
                "name the key itself: where an alias moves on, every fingerprint changes",
            );
        }
        check_calls("vault.aws_kms", self.timeout_ms, self.attempts_max, problems);
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text != ".." && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

fn check_url(key: &str, text: &str, live: bool, problems: &mut Problems) {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        None | Some("") => problems.add(key, "a URL, such as https://vault.example:8200"),
        Some(_) if live && !text.starts_with("https://") => problems.add(key, "must be https in live mode"),
        Some(_) => {}
    }
}

fn check_calls(section: &str, timeout_ms: u64, attempts_max: u32, problems: &mut Problems) {
    if !(50..=30_000).contains(&timeout_ms) {
        problems.add(format!("{section}.timeout_ms"), "from 50 to 30000 milliseconds");
    }
    if !(1..=10).contains(&attempts_max) {
        problems.add(format!("{section}.attempts_max"), "from 1 to 10");
    }
}

/// The path without `.` and `..`, as far as its text tells.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT_TOML;

    fn settings(more: &str) -> Result<VaultSettings, config::ConfigError> {
        config::Config::builder()
            .add_source(config::File::from_str(DEFAULT_TOML, config::FileFormat::Toml))
            .add_source(config::File::from_str(more, config::FileFormat::Toml))
            .build()?
            .get("vault")
    }

    fn problems(more: &str, live: bool) -> Vec<String> {
        let mut problems = Problems::default();
        settings(more).unwrap().check(live, Path::new("/var/lib/landfall"), &mut problems);
        problems.0.into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn the_defaults_serve_test_mode_only() {
        assert_eq!(settings("").unwrap().iin_kept(), IinDigits::Six);
        assert_eq!(problems("", false), Vec::<String>::new());
        assert_eq!(problems("", true), ["vault.file.components", "vault.file.generate_if_missing"]);
        assert_eq!(problems("vault.file.generate_if_missing = false", true), ["vault.file.components"]);
    }

    #[test]
    fn an_iin_has_six_or_eight_digits() {
        for bad in ["vault.iin_digits = 7", "vault.iin_digits = 0", "vault.iin_digits = 262"] {
            assert_eq!(problems(bad, false), ["vault.iin_digits"]);
        }
        assert_eq!(problems("vault.iin_digits = 8", false), Vec::<String>::new());
        assert_eq!(settings("vault.iin_digits = 8").unwrap().iin_kept(), IinDigits::Eight);
    }

    #[test]
    fn the_life_of_keys_has_its_bounds() {
        for (bad, key) in [
            ("vault.dek_max_age_days = 3651", "vault.dek_max_age_days"),
            ("vault.reseal_per_sec = 0", "vault.reseal_per_sec"),
            ("vault.moved_from = \"file\"", "vault.moved_from"),
            ("vault.retire_grace_secs = 299", "vault.retire_grace_secs"),
        ] {
            assert_eq!(problems(bad, false), [key]);
        }
        // Both providers are looked at.
        let both = "vault = { provider = \"vault\", moved_from = \"file\" }";
        let wrong = problems(both, true);
        for key in ["vault.transit.address", "vault.file.components"] {
            assert!(wrong.iter().any(|wrong| wrong == key), "{wrong:?}");
        }
        assert_eq!(problems("vault.dek_max_age_days = 0", true).len(), 2, "the two of key files");
    }

    #[test]
    fn a_key_file_without_a_name_is_refused() {
        assert_eq!(problems("vault.file.path = \"\"", false), ["vault.file.path"]);
        assert_eq!(problems("vault.file.path = \"..\"", false), ["vault.file.path"]);
    }

    #[test]
    fn live_mode_wants_two_component_files_apart_from_the_database() {
        let with =
            |components: &str| format!("vault.file = {{ generate_if_missing = false, components = {components} }}");
        assert_eq!(problems(&with(r#"["/etc/a/kek.json", "/etc/b/kek.json"]"#), true), Vec::<String>::new());
        for bad in [
            "[]",
            r#"["/etc/a/kek.json"]"#,
            r#"["/etc/a.json", "/etc/b.json", "/etc/c.json"]"#,
            r#"["/etc/a/kek.json", "/etc/a/kek.json"]"#,
            r#"["/etc/a/kek.json", "/etc/b/../a/./kek.json"]"#,
            r#"["/etc/a/kek.json", "/var/lib/landfall/kek.json"]"#,
            r#"["/etc/a/kek.json", "kek.json"]"#,
            r#"["/etc/a/kek.json", "/etc/../var/lib/landfall/x/kek.json"]"#,
            r#"["/etc/a/kek.json", ""]"#,
        ] {
            assert_eq!(problems(&with(bad), true), ["vault.file.components"], "{bad}");
        }
        // Beside the database only where nothing is live.
        assert_eq!(problems(&with(r#"["a.json", "b.json"]"#), false), Vec::<String>::new());
        assert_eq!(problems(&with(r#"["a.json"]"#), false), ["vault.file.components"]);
    }

    #[test]
    fn a_transit_engine_is_named_whole_and_over_tls_in_live_mode() {
        let with = |more: &str| format!("vault.provider = \"vault\"\n[vault.transit]\n{more}");
        let good = "address = \"https://vault.example:8200\"";
        assert_eq!(problems(&with(good), true), Vec::<String>::new());
        assert_eq!(problems(&with("address = \"http://127.0.0.1:8200\""), false), Vec::<String>::new());
        for (more, key) in [
            ("", "vault.transit.address"),
            ("address = \"http://127.0.0.1:8200\"", "vault.transit.address"),
            ("address = \"https://me:secret@vault.example\"", "vault.transit.address"),
            ("address = \"https://v\"\nkey = \"a/b\"", "vault.transit.key"),
            ("address = \"https://v\"\nkey = \"\"", "vault.transit.key"),
            ("address = \"https://v\"\nkey = \"one\"\nmac_key = \"one\"", "vault.transit.mac_key"),
            ("address = \"https://v\"\nmac_key_version = 0", "vault.transit.mac_key_version"),
            ("address = \"https://v\"\nmount = \"/\"", "vault.transit.mount"),
            ("address = \"https://v\"\nmount = \"a/../b\"", "vault.transit.mount"),
            ("address = \"https://v\"\nnamespace = \"a b\"", "vault.transit.namespace"),
            ("address = \"https://v\"\ntoken_file = \"/t\"\ntoken_env = \"T\"", "vault.transit"),
            ("address = \"https://v\"\ntimeout_ms = 0", "vault.transit.timeout_ms"),
            ("address = \"https://v\"\nattempts_max = 0", "vault.transit.attempts_max"),
        ] {
            assert_eq!(problems(&with(more), true), [key], "{more}");
        }
    }

    #[test]
    fn keys_of_aws_are_named_and_the_mac_key_by_no_alias() {
        let with = |more: &str| format!("vault.provider = \"aws-kms\"\n[vault.aws_kms]\n{more}");
        let good = "region = \"eu-central-1\"\nkey_id = \"alias/cards\"\nmac_key_id = \"mrk-1\"";
        assert_eq!(problems(&with(good), true), Vec::<String>::new());
        for credentials in ["environment", "file", "web-identity", "container", "instance"] {
            let more = format!("{good}\ncredentials = \"{credentials}\"");
            assert_eq!(problems(&with(&more), true), Vec::<String>::new());
        }
        let keys = ["vault.aws_kms.region", "vault.aws_kms.key_id", "vault.aws_kms.mac_key_id"];
        assert_eq!(problems(&with(""), true), keys);
        let endpoint = format!("{good}\nendpoint = \"http://127.0.0.1:5000\"");
        assert_eq!(problems(&with(&endpoint), true), ["vault.aws_kms.endpoint"]);
        assert_eq!(problems(&with(&endpoint), false), Vec::<String>::new());
        let alias = "region = \"eu-central-1\"\nkey_id = \"k\"\nmac_key_id = \"alias/mac\"";
        assert_eq!(problems(&with(alias), false), ["vault.aws_kms.mac_key_id"]);
        assert!(settings(&with("credentials = \"any\"")).is_err());
        assert!(settings(&with("secret_access_key = \"x\"")).is_err());
    }

    #[test]
    fn bad_values_are_refused_by_their_name() {
        for (bad, name) in [
            ("vault.provider = \"env\"", "VaultProvider"),
            ("vault.file.pth = \"x\"", "pth"),
            ("vault.colour = 1", "colour"),
        ] {
            let error = settings(bad).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
