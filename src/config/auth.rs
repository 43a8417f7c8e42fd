//! The `[auth]` section: which issuers may name a wallet user, with what keys, and for which partner and mode.
//!
//! It names files and environment variables that hold keys; it never holds a key, and never opens them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Problems;
use crate::domain::ids::Mode;

/// A clock may be off by this much at most before it is the clock that should be mended.
const LEEWAY_SECS_MAX: u32 = 300;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSettings {
    /// Age at which a key set is fetched again in the background, in seconds.
    pub jwks_refresh_secs: u32,
    /// Least time between two fetches of one key set, in seconds: what tokens with invented key ids can cause at most.
    pub jwks_refresh_secs_min: u32,
    /// How long a fetched key set is trusted while its URL does not answer, in seconds.
    pub jwks_stale_secs_max: u32,
    /// Bound on one fetch as a whole, in milliseconds.
    pub jwks_timeout_ms: u32,
    /// Whose tokens are accepted.
    pub issuers: Vec<IssuerSettings>,
}

/// One issuer of wallet users' tokens. It fixes the partner and the mode of everyone it names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// Our name for it, in logs and problems.
    pub name: String,
    /// The exact `iss` of its tokens.
    pub iss: String,
    /// Its tokens must name one of these in `aud`.
    pub aud: Vec<String>,
    /// The code of the partner whose users it names.
    pub partner: String,
    pub mode: Mode,
    /// `RS256`, `ES256`, `EdDSA`; `HS256` alone and only with a secret.
    pub algorithms: Vec<String>,
    #[serde(default)]
    pub jwks_url: Option<String>,
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// One public key as PEM.
    #[serde(default)]
    pub public_key_file: Option<PathBuf>,
    /// The environment variable that holds the HS256 secret.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// The file that holds the HS256 secret; a line end after it does not count.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Tokens are minted here (`landfall token`) with a key made at first use. Never in live mode.
    #[serde(default)]
    pub development: bool,
    #[serde(default)]
    pub kyc: KycSetting,
    /// How far the issuer's clock may be from ours, in seconds; applies to `exp`, `nbf` and `iat`.
    #[serde(default = "default_leeway_secs")]
    pub leeway_secs: u32,
    /// When set, `iat` is required and a token older than this is refused, whatever its `exp`.
    #[serde(default)]
    pub max_token_age_secs: Option<u32>,
    /// When set, the `scope` claim must contain it.
    #[serde(default)]
    pub required_scope: Option<String>,
}

fn default_leeway_secs() -> u32 {
    30
}

/// Where a user's KYC level comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KycSetting {
    /// From our record of the customer.
    #[default]
    Record,
    /// From this claim of the token, an integer; a token without it has level 0.
    Claim(String),
}

/// The `iss` of the tokens that we sign ourselves, for partners' customers.
pub const RESERVED_ISS: &str = "urn:landfall:customer-tokens";

/// A signature algorithm that a token may use. There is no `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenAlgorithm {
    Rs256,
    Es256,
    EdDsa,
    Hs256,
}

impl TokenAlgorithm {
    /// Reads the name as it stands in a token's header (RFC 7518 section 3.1: case-sensitive).
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            "HS256" => Some(Self::Hs256),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }
}

impl fmt::Display for TokenAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an issuer's keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource<'a> {
    JwksUrl(&'a str),
    JwksFile(&'a Path),
    PublicKeyFile(&'a Path),
    SecretEnv(&'a str),
    SecretFile(&'a Path),
    Development,
}

impl KeySource<'_> {
    fn is_secret(&self) -> bool {
        matches!(self, KeySource::SecretEnv(_) | KeySource::SecretFile(_))
    }
}

impl IssuerSettings {
    /// The one source of its keys; `None` when there is none, or more than one.
    pub fn key_source(&self) -> Option<KeySource<'_>> {
        let named = [
            self.jwks_url.as_deref().map(KeySource::JwksUrl),
            self.jwks_file.as_deref().map(KeySource::JwksFile),
            self.public_key_file.as_deref().map(KeySource::PublicKeyFile),
            self.secret_env.as_deref().map(KeySource::SecretEnv),
            self.secret_file.as_deref().map(KeySource::SecretFile),
            self.development.then_some(KeySource::Development),
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(source), None) => Some(source),
            _ => None,
        }
    }

    /// The algorithms that are known by name; `check` refuses the others.
    pub fn known_algorithms(&self) -> Vec<TokenAlgorithm> {
        self.algorithms.iter().filter_map(|name| TokenAlgorithm::parse(name)).collect()
    }

    fn check(&self, key: &str, live: bool, problems: &mut Problems) {
        let mut add = |field: &str, what: String| problems.add(format!("{key}.{field}"), what);
        if !is_one_word(&self.name) {
            add("name", "name the issuer with 1 to 64 characters without spaces".into());
        }
        if self.iss.is_empty() || self.iss.len() > 255 {
            add("iss", "must be the exact `iss` of its tokens, 1 to 255 bytes".into());
        }
        if self.iss == RESERVED_ISS {
            add("iss", "is the name under which tokens of partners' customers are signed here".into());
        }
        if self.aud.is_empty() || self.aud.iter().any(String::is_empty) {
            add("aud", "name at least one audience, none of them empty".into());
        }
        if !is_one_word(&self.partner) {
            add("partner", "must be the code of a partner".into());
        }
        if self.mode == Mode::Live && !live {
            add("mode", "is \"live\", but `modes` does not serve it".into());
        }
        if self.leeway_secs > LEEWAY_SECS_MAX {
            add("leeway_secs", format!("must be {LEEWAY_SECS_MAX} at most"));
        }
        if self.max_token_age_secs == Some(0) {
            add("max_token_age_secs", "would refuse every token; leave it out for no limit".into());
        }
        if self.required_scope.as_deref().is_some_and(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            add("required_scope", "must be one scope".into());
        }
        if self.kyc == KycSetting::Claim(String::new()) {
            add("kyc.claim", "must name a claim".into());
        }
        self.check_keys(key, live, problems);
    }

    fn check_keys(&self, key: &str, live: bool, problems: &mut Problems) {
        let mut add = |field: &str, what: String| problems.add(format!("{key}.{field}"), what);
        if self.algorithms.is_empty() {
            add("algorithms", "name at least one of RS256, ES256, EdDSA, or HS256 alone".into());
        }
        for name in self.algorithms.iter().filter(|name| TokenAlgorithm::parse(name).is_none()) {
            if name.eq_ignore_ascii_case("none") {
                add("algorithms", "an unsigned token is never accepted: remove \"none\"".into());
            } else {
                add("algorithms", format!("{name:?} is not one of RS256, ES256, EdDSA, HS256"));
            }
        }
        let algorithms = self.known_algorithms();
        let hmac = algorithms.contains(&TokenAlgorithm::Hs256);
        if hmac && algorithms.iter().any(|algorithm| *algorithm != TokenAlgorithm::Hs256) {
            add("algorithms", "HS256 can't stand beside a public-key algorithm: make it an issuer of its own".into());
        }
        let Some(source) = self.key_source() else {
            let sources = "jwks_url, jwks_file, public_key_file, secret_env, secret_file, development";
            add("jwks_url", format!("exactly one source of keys is needed, of {sources}"));
            return;
        };
        if hmac && !source.is_secret() {
            add("algorithms", "HS256 needs a secret of its own: secret_env or secret_file".into());
        }
        if !hmac && source.is_secret() {
            add("algorithms", "a secret serves HS256 only".into());
        }
        match source {
            KeySource::JwksUrl(url) => {
                if let Err(what) = check_url(url, live) {
                    add("jwks_url", what.into());
                }
            }
            KeySource::Development => {
                if live || self.mode == Mode::Live {
                    add("development", "a development issuer is refused where live mode is served".into());
                }
                if algorithms != [TokenAlgorithm::Es256] {
                    add("algorithms", "the development key signs with ES256".into());
                }
            }
            KeySource::PublicKeyFile(_) => {
                if algorithms.len() != 1 {
                    add("algorithms", "one public key serves one algorithm".into());
                }
            }
            KeySource::JwksFile(_) | KeySource::SecretEnv(_) | KeySource::SecretFile(_) => {}
        }
    }
}

fn is_one_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn check_url(url: &str, live: bool) -> Result<(), &'static str> {
    let Ok(url) = reqwest::Url::parse(url) else {
        return Err("is not a URL");
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry a user or a password");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if !live => Ok(()),
        "http" => Err("must be https where live mode is served"),
        _ => Err("must be https"),
    }
}

impl AuthSettings {
    pub fn check(&self, live: bool, problems: &mut Problems) {
        if self.jwks_refresh_secs_min == 0 {
            problems.add("auth.jwks_refresh_secs_min", "must be 1 at least");
        }
        if self.jwks_refresh_secs < self.jwks_refresh_secs_min {
            problems.add("auth.jwks_refresh_secs", "must not be below auth.jwks_refresh_secs_min");
        }
        if self.jwks_stale_secs_max < self.jwks_refresh_secs {
            problems.add("auth.jwks_stale_secs_max", "must not be below auth.jwks_refresh_secs");
        }
        if !(100..=30_000).contains(&self.jwks_timeout_ms) {
            problems.add("auth.jwks_timeout_ms", "must be between 100 and 30000");
        }
        if self.issuers.is_empty() {
            problems.add("auth.issuers", "name at least one issuer");
        }
        let mut names = BTreeSet::new();
        let mut audiences = BTreeSet::new();
        for (n, issuer) in self.issuers.iter().enumerate() {
            let key = format!("auth.issuers[{n}]");
            issuer.check(&key, live, problems);
            if !names.insert(issuer.name.as_str()) {
                problems.add(format!("{key}.name"), format!("{:?} is used twice", issuer.name));
            }
            for aud in &issuer.aud {
                if !audiences.insert((issuer.iss.as_str(), aud.as_str())) {
                    problems.add(format!("{key}.aud"), format!("{aud:?} of this iss belongs to an issuer already"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(extra: &str) -> String {
        let start =
            "jwks_refresh_secs = 300\njwks_refresh_secs_min = 30\njwks_stale_secs_max = 3600\njwks_timeout_ms = 3000\n";
        format!("{start}[[issuers]]\nname = \"app\"\niss = \"https://id.example\"\npartner = \"demo\"\n{extra}\n")
    }

    const PLAIN: &str = "aud = [\"landfall\"]\nmode = \"test\"\n";

    fn settings(toml: &str) -> AuthSettings {
        config::Config::builder()
            .add_source(config::File::from_str(toml, config::FileFormat::Toml))
            .build()
            .and_then(config::Config::try_deserialize)
            .unwrap()
    }

    fn problems(toml: &str, live: bool) -> String {
        let mut problems = Problems::default();
        settings(toml).check(live, &mut problems);
        problems.to_string()
    }

    #[test]
    fn the_defaults_hold_one_development_issuer_and_pass() {
        let settings = crate::config::Settings::load(None).unwrap().auth;
        assert_eq!(settings.issuers.len(), 1);
        let issuer = &settings.issuers[0];
        assert_eq!((issuer.partner.as_str(), issuer.mode, issuer.development), ("demo", Mode::Test, true));
        assert_eq!(issuer.kyc, KycSetting::Claim("kyc_level".into()));
        assert_eq!(issuer.leeway_secs, 30);
    }

    #[test]
    fn a_development_issuer_is_refused_where_live_is_served() {
        let mut problems = Problems::default();
        crate::config::Settings::load(None).unwrap().auth.check(true, &mut problems);
        assert_eq!(problems.0.len(), 1, "{problems}");
        assert_eq!(problems.0[0].key, "auth.issuers[0].development");
    }

    #[test]
    fn sound_issuers_pass() {
        for source in [
            "algorithms = [\"RS256\", \"ES256\", \"EdDSA\"]\njwks_url = \"https://id.example/jwks\"",
            "algorithms = [\"ES256\"]\njwks_file = \"keys.json\"\nkyc = \"record\"",
            "algorithms = [\"EdDSA\"]\npublic_key_file = \"key.pem\"\nkyc = { claim = \"level\" }",
            "algorithms = [\"HS256\"]\nsecret_env = \"APP_SECRET\"\nrequired_scope = \"payout\"",
            "algorithms = [\"HS256\"]\nsecret_file = \"secret\"\nmax_token_age_secs = 600",
        ] {
            assert_eq!(problems(&issuer(&format!("{PLAIN}{source}")), false), "", "{source}");
            let live = "aud = [\"landfall\"]\nmode = \"live\"\n";
            assert_eq!(problems(&issuer(&format!("{live}{source}")), true), "", "{source}");
            assert!(problems(&issuer(&format!("{live}{source}")), false).contains("issuers[0].mode"), "{source}");
        }
    }

    #[test]
    fn each_bad_value_is_refused_by_its_name() {
        let jwks = "jwks_url = \"https://id.example/jwks\"";
        for (bad, key, what) in [
            (format!("algorithms = [\"none\"]\n{jwks}"), "algorithms", "unsigned"),
            (format!("algorithms = [\"None\", \"RS256\"]\n{jwks}"), "algorithms", "unsigned"),
            (format!("algorithms = [\"RS1\"]\n{jwks}"), "algorithms", "RS1"),
            (format!("algorithms = [\"rs256\"]\n{jwks}"), "algorithms", "rs256"),
            (format!("algorithms = []\n{jwks}"), "algorithms", "at least one"),
            (format!("algorithms = [\"HS256\"]\n{jwks}"), "algorithms", "secret"),
            (
                "algorithms = [\"HS256\", \"RS256\"]\nsecret_env = \"S\"".into(),
                "algorithms",
                "can't stand beside a public-key",
            ),
            ("algorithms = [\"RS256\"]\nsecret_env = \"S\"".into(), "algorithms", "HS256 only"),
            ("algorithms = [\"RS256\"]".into(), "jwks_url", "exactly one"),
            (format!("algorithms = [\"RS256\"]\n{jwks}\njwks_file = \"x\""), "jwks_url", "exactly one"),
            (format!("algorithms = [\"RS256\"]\n{jwks}\ndevelopment = true"), "jwks_url", "exactly one"),
            ("algorithms = [\"RS256\"]\njwks_url = \"file:///etc/passwd\"".into(), "jwks_url", "https"),
            ("algorithms = [\"RS256\"]\njwks_url = \"https://u:p@id.example/\"".into(), "jwks_url", "password"),
            ("algorithms = [\"RS256\", \"ES256\"]\npublic_key_file = \"k\"".into(), "algorithms", "one algorithm"),
            ("algorithms = [\"RS256\"]\ndevelopment = true".into(), "algorithms", "ES256"),
            (format!("algorithms = [\"RS256\"]\n{jwks}\nleeway_secs = 3600"), "leeway_secs", "300"),
            (format!("algorithms = [\"RS256\"]\n{jwks}\nmax_token_age_secs = 0"), "max_token_age_secs", "every"),
            (format!("algorithms = [\"RS256\"]\n{jwks}\nrequired_scope = \"a b\""), "required_scope", "one"),
            (format!("algorithms = [\"RS256\"]\n{jwks}\nkyc = {{ claim = \"\" }}"), "kyc.claim", "name"),
        ] {
            let found = problems(&issuer(&format!("{PLAIN}{bad}")), false);
            assert!(found.contains(&format!("auth.issuers[0].{key}: ")) && found.contains(what), "{bad}\n{found}");
        }
    }

    #[test]
    fn audiences_must_be_named_and_belong_to_one_issuer() {
        let keys = "algorithms = [\"RS256\"]\njwks_url = \"https://id.example/jwks\"\nmode = \"test\"\n";
        for aud in ["aud = []", "aud = [\"\"]"] {
            assert!(problems(&issuer(&format!("{keys}{aud}")), false).contains("[0].aud: "), "{aud}");
        }
        let second = |name: &str, aud: &str| {
            issuer(&format!(
                "{keys}aud = [\"a\", \"b\"]\n[[issuers]]\nname = {name:?}\niss = \"https://id.example\"\npartner = \"other\"\n{keys}aud = [{aud:?}]"
            ))
        };
        assert_eq!(problems(&second("other", "c"), false), "");
        assert!(problems(&second("other", "b"), false).contains("auth.issuers[1].aud: \"b\""));
        assert!(problems(&second("app", "c"), false).contains("auth.issuers[1].name: "));
    }

    #[test]
    fn keys_in_the_clear_are_refused_where_live_is_served() {
        let http = format!("{PLAIN}algorithms = [\"RS256\"]\njwks_url = \"http://id.example/jwks\"");
        assert_eq!(problems(&issuer(&http), false), "");
        assert!(problems(&issuer(&http), true).contains("auth.issuers[0].jwks_url: must be https"));
    }
}
