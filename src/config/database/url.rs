//! A PostgreSQL URL, parsed once. Never shows its password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;
use tokio_postgres::config::Host;

/// How a connection is encrypted, with libpq's meanings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    /// Encrypted when the server can, unverified: protects from listeners only.
    Prefer,
    /// Encrypted, unverified.
    Require,
    /// The certificate descends from a known authority; its name isn't looked at.
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub const fn as_str(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        }
    }

    /// Whether the server is known to be the one that was asked for.
    pub const fn verifies_host(self) -> bool {
        matches!(self, SslMode::VerifyFull)
    }
}

impl FromStr for SslMode {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Ok(match text {
            "disable" => SslMode::Disable,
            // libpq's "allow" starts in the clear; encrypting first is no weaker.
            "allow" | "prefer" => SslMode::Prefer,
            "require" => SslMode::Require,
            "verify-ca" => SslMode::VerifyCa,
            "verify-full" => SslMode::VerifyFull,
            _ => return Err(UrlError::SslMode),
        })
    }
}

/// What is wrong with a URL. Never repeats it, since it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("wants postgresql://user:password@host:port/name")]
    Scheme,
    #[error("names no host")]
    NoHost,
    #[error("names no database")]
    NoDatabase,
    #[error("sslmode is one of disable, prefer, require, verify-ca, verify-full")]
    SslMode,
    #[error("can't be read as a PostgreSQL URL")]
    Malformed,
}

/// Where a server is and how to talk to it. `Display` and `Debug` leave the password out.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: tokio_postgres::Config,
    ssl: SslMode,
    ca_file: Option<PathBuf>,
    shown: String,
}

impl DatabaseUrl {
    /// Reads `postgresql://` or `postgres://` with tokio-postgres's parameters and, of libpq's, all of `sslmode` and `sslrootcert`.
    /// Without `sslmode`, a local server is spoken to in the clear and a remote one with `prefer`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgresql://") && !text.starts_with("postgres://") {
            return Err(UrlError::Scheme);
        }
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut ssl = None;
        let mut ca_file = None;
        let mut rest = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", mode)) => ssl = Some(mode.parse()?),
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => ca_file = Some(PathBuf::from(file.replace("%2F", "/"))),
                _ => rest.push(parameter),
            }
        }
        let mut kept = address.to_owned();
        for (n, parameter) in rest.iter().enumerate() {
            kept.push(if n == 0 { '?' } else { '&' });
            kept.push_str(parameter);
        }
        let mut config: tokio_postgres::Config = kept.parse().map_err(|_| UrlError::Malformed)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(UrlError::NoHost);
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(UrlError::NoDatabase);
        }
        let ssl = ssl.unwrap_or(if is_local(&config) { SslMode::Disable } else { SslMode::Prefer });
        config.ssl_mode(match ssl {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
        });
        Ok(Self { config, ssl, ca_file, shown: without_password(address) })
    }

    /// Whether the server is on this machine: a socket or a loopback address.
    pub fn is_local(&self) -> bool {
        is_local(&self.config)
    }

    pub fn ssl(&self) -> SslMode {
        self.ssl
    }

    /// `sslrootcert` of the URL.
    pub fn ca_file(&self) -> Option<&PathBuf> {
        self.ca_file.as_ref()
    }

    /// What tokio-postgres needs to connect, password included.
    pub fn config(&self) -> &tokio_postgres::Config {
        &self.config
    }

    /// The same server with `password`, unless the URL has one of its own.
    pub fn with_password(mut self, password: &str) -> Self {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
        self
    }
}

fn is_local(config: &tokio_postgres::Config) -> bool {
    let local_host = |host: &Host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(local_host) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

/// The URL up to its parameters (which may hold a password too), without what stands between `user:` and `@`.
fn without_password(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return String::new() };
    match rest.split_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{place}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({}, sslmode={})", self.shown, self.ssl.as_str())
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = zeroize::Zeroizing::new(String::deserialize(deserializer)?);
        DatabaseUrl::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for text in ["postgresql://u:hunter2@h:5433/d", "postgres://u@h:5433/d?password=hunter2"] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert!(!format!("{url} {url:?}").contains("hunter2"), "{url:?}");
            assert_eq!(url.config().get_password(), Some(b"hunter2".as_slice()));
            assert_eq!(url.clone().with_password("other").config().get_password(), Some(b"hunter2".as_slice()));
        }
        assert!(!format!("{:?}", DatabaseUrl::parse("mysql://u:hunter2@h/d")).contains("hunter2"));
    }

    #[test]
    fn sslmode_has_a_default_by_place_and_refuses_what_it_does_not_know() {
        let ssl = |text: &str| DatabaseUrl::parse(text).map(|url| url.ssl());
        assert_eq!(ssl("postgresql://u@localhost/d"), Ok(SslMode::Disable));
        assert_eq!(ssl("postgresql://u@[::1]/d"), Ok(SslMode::Disable));
        assert_eq!(ssl("postgresql://u@%2Frun%2Fpg/d"), Ok(SslMode::Disable));
        assert_eq!(ssl("postgresql:///d?host=/run/pg"), Ok(SslMode::Disable));
        assert_eq!(ssl("postgresql://u@10.0.0.1/d"), Ok(SslMode::Prefer));
        assert_eq!(ssl("postgresql://u@localhost,db.example/d"), Ok(SslMode::Prefer));
        assert_eq!(ssl("postgresql://u@localhost/d?sslmode=verify-full"), Ok(SslMode::VerifyFull));
        assert_eq!(ssl("postgresql://u@h/d?sslmode=verify_full"), Err(UrlError::SslMode));
    }

    #[test]
    fn what_libpq_adds_is_read_and_the_rest_is_passed_on() {
        let text = "postgresql://u@h/d?sslrootcert=%2Fetc%2Fca.pem&sslmode=verify-ca&channel_binding=require";
        let url = DatabaseUrl::parse(text).unwrap();
        assert_eq!(url.ca_file(), Some(&PathBuf::from("/etc/ca.pem")));
        assert_eq!(url.config().get_channel_binding(), tokio_postgres::config::ChannelBinding::Require);
        assert!(!url.ssl().verifies_host());
    }

    #[test]
    fn half_a_url_is_refused() {
        assert_eq!(DatabaseUrl::parse("host=h dbname=d").err(), Some(UrlError::Scheme));
        assert_eq!(DatabaseUrl::parse("postgresql:///d").err(), Some(UrlError::NoHost));
        assert_eq!(DatabaseUrl::parse("postgresql://u@h").err(), Some(UrlError::NoDatabase));
        assert_eq!(DatabaseUrl::parse("postgresql://u@h/d?frobnicate=1").err(), Some(UrlError::Malformed));
        assert_eq!(DatabaseUrl::parse("postgresql://u@h:port/d").err(), Some(UrlError::Malformed));
    }
}
