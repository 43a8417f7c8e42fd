//! Whose requests to AWS ours are: one source, named in configuration. Keys of the environment and of a file are read at each use; those
//! that are lent for a while (web identity, container, instance) are kept until shortly before their end.
//!
//! Source: "Standardized credential providers" of the AWS SDKs reference guide, and "Use IMDS" of the EC2 user guide (version 2 only).

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::{KeyError, KmsSettings};
use crate::config::vault::KmsCredentials;
use crate::vault::keys::secret_file;
use crate::vault::keys::service::{Answer, Line, Repeat, unreadable};

/// Lent keys are fetched anew so long before their end.
const RENEW_BEFORE: TimeDelta = TimeDelta::minutes(5);
/// This machine's host answers at once, or isn't there.
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);
const INSTANCE_ENDPOINT: &str = "http://169.254.169.254";
const CONTAINER_HOST: &str = "http://169.254.170.2";
/// Where a container's keys may be asked for without TLS: ECS's address, EKS's, and this machine.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];

/// How environment variables are read.
pub(super) type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub access_key_id: String,
    pub secret_access_key: SecretString,
    pub session_token: Option<SecretString>,
    /// `None`: for good.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Keys {
    pub fn is_same(&self, other: &Self) -> bool {
        let token = |keys: &Self| keys.session_token.as_ref().map(|token| token.expose_secret().to_owned());
        self.access_key_id == other.access_key_id
            && self.secret_access_key.expose_secret() == other.secret_access_key.expose_secret()
            && token(self) == token(other)
    }
}

pub(super) struct Credentials {
    source: KmsCredentials,
    variables: Variables,
    /// To STS.
    line: Line,
    /// To the host.
    direct: Line,
    region: String,
    sts_endpoint: Option<String>,
    file: Option<PathBuf>,
    profile: Option<String>,
    held: Mutex<Option<Keys>>,
}

/// What a container's and an instance's endpoint answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Lent {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: DateTime<Utc>,
}

impl Credentials {
    pub fn new(settings: &KmsSettings, variables: Variables) -> Result<Self, KeyError> {
        Ok(Self {
            source: settings.credentials,
            variables,
            line: Line::new(settings.ca_file.as_deref(), settings.timeout(), settings.attempts_max)?,
            direct: Line::direct(METADATA_TIMEOUT)?,
            region: settings.region.clone(),
            sts_endpoint: settings.sts_endpoint.clone(),
            file: settings.credentials_file.clone(),
            profile: settings.profile.clone(),
            held: Mutex::default(),
        })
    }

    pub async fn get(&self, now: DateTime<Utc>) -> Result<Keys, KeyError> {
        match self.source {
            KmsCredentials::Environment => self.of_environment(),
            KmsCredentials::File => self.of_file(),
            KmsCredentials::WebIdentity | KmsCredentials::Container | KmsCredentials::Instance => self.lent(now).await,
        }
    }

    /// Keys that were refused aren't used again.
    pub async fn forget(&self, refused: &Keys) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.is_same(refused)) {
            *held = None;
        }
    }

    async fn lent(&self, now: DateTime<Utc>) -> Result<Keys, KeyError> {
        let mut held = self.held.lock().await;
        let left = held.as_ref().and_then(|keys| keys.expires_at).map(|until| until - now);
        if let (Some(keys), Some(left)) = (held.as_ref(), left)
            && left > RENEW_BEFORE
        {
            return Ok(keys.clone());
        }
        let fetched = match self.source {
            KmsCredentials::WebIdentity => self.of_web_identity().await,
            KmsCredentials::Container => self.of_container().await,
            KmsCredentials::Environment | KmsCredentials::File | KmsCredentials::Instance => self.of_instance().await,
        };
        match (fetched, held.as_ref(), left) {
            (Ok(keys), ..) => Ok(held.insert(keys).clone()),
            // They can't be renewed now, and still hold.
            (Err(error), Some(keys), Some(left)) if left > TimeDelta::zero() => {
                tracing::warn!(%error, "credentials for AWS can't be renewed; the last ones hold a while");
                Ok(keys.clone())
            }
            (Err(error), ..) => Err(error),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str) -> Result<String, KeyError> {
        self.variable(name).ok_or_else(|| KeyError::Misconfigured(format!("the environment variable {name} isn't set")))
    }

    fn of_environment(&self) -> Result<Keys, KeyError> {
        Ok(Keys {
            access_key_id: self.required("AWS_ACCESS_KEY_ID")?,
            secret_access_key: self.required("AWS_SECRET_ACCESS_KEY")?.into(),
            session_token: self.variable("AWS_SESSION_TOKEN").map(SecretString::from),
            expires_at: None,
        })
    }

    /// A profile of a shared credentials file.
    fn of_file(&self) -> Result<Keys, KeyError> {
        let default = || self.variable("HOME").map(|home| PathBuf::from(home).join(".aws/credentials"));
        let path = self.file.clone().or_else(|| self.variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from));
        let path =
            path.or_else(default).ok_or_else(|| KeyError::Misconfigured("no credentials_file is named".into()))?;
        let profile = self.profile.clone().or_else(|| self.variable("AWS_PROFILE")).unwrap_or_else(|| "default".into());
        let text = secret_file::read_lines(&path)?;
        let lacks =
            |what: &str| KeyError::Misconfigured(format!("{}: profile {profile} has no {what}", path.display()));
        let of = |key: &str| profile_value(text.expose_secret(), &profile, key);
        Ok(Keys {
            access_key_id: of("aws_access_key_id").ok_or_else(|| lacks("aws_access_key_id"))?,
            secret_access_key: of("aws_secret_access_key").ok_or_else(|| lacks("aws_secret_access_key"))?.into(),
            session_token: of("aws_session_token").map(SecretString::from),
            expires_at: None,
        })
    }

    /// A role that the platform's token stands for: `AssumeRoleWithWebIdentity`, which needs no signature.
    async fn of_web_identity(&self) -> Result<Keys, KeyError> {
        let token = secret_file::read_mounted(&PathBuf::from(self.required("AWS_WEB_IDENTITY_TOKEN_FILE")?))?;
        let role = self.required("AWS_ROLE_ARN")?;
        let session = self.variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "landfall".to_owned());
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let default = || format!("https://sts.{}.{suffix}", self.region);
        let endpoint = self.sts_endpoint.clone().unwrap_or_else(default);
        let body = reqwest::Url::parse_with_params(
            "https://sts.invalid/",
            [
                ("Action", "AssumeRoleWithWebIdentity"),
                ("Version", "2011-06-15"),
                ("RoleArn", &role),
                ("RoleSessionName", &session),
                ("WebIdentityToken", token.expose_secret()),
            ],
        )
        .ok()
        .and_then(|url| url.query().map(str::to_owned))
        .ok_or_else(|| KeyError::Misconfigured("the web identity can't be sent".into()))?;
        let url = format!("{}/", endpoint.trim_end_matches('/'));
        let answer = self
            .line
            .call(
                Repeat::Safely,
                |answer| answer.status >= 500,
                |client| {
                    let request = client.post(&url).header("content-type", "application/x-www-form-urlencoded");
                    Ok(request.body(body.clone()))
                },
            )
            .await?;
        match answer.status {
            200 => assumed(&answer).ok_or_else(|| unreadable(&answer)),
            400 | 403 => Err(KeyError::Denied("STS refused the web identity".into())),
            status => Err(KeyError::Unavailable(format!("STS answered HTTP {status}"))),
        }
    }

    /// ECS, and EKS Pod Identity.
    async fn of_container(&self) -> Result<Keys, KeyError> {
        let url = match self.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            Some(path) => format!("{CONTAINER_HOST}{path}"),
            None => self.required("AWS_CONTAINER_CREDENTIALS_FULL_URI")?,
        };
        if !may_be_asked(&url) {
            let why = "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor an address of the container's host";
            return Err(KeyError::Misconfigured(why.into()));
        }
        let token = match self.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            Some(path) => Some(secret_file::read_mounted(&PathBuf::from(path))?),
            None => self.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(SecretString::from),
        };
        let header = token.as_ref().map(|token| ("authorization", token.expose_secret()));
        lent(&self.ask(Method::GET, &url, header).await?)
    }

    async fn of_instance(&self) -> Result<Keys, KeyError> {
        let endpoint = self.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let host = endpoint.unwrap_or_else(|| INSTANCE_ENDPOINT.to_owned());
        let host = host.trim_end_matches('/');
        let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        let session = self.ask(Method::PUT, &format!("{host}/latest/api/token"), Some(ttl)).await?;
        let session = std::str::from_utf8(&session.body).map_err(|_| unreadable(&session))?.to_owned();
        let header = ("x-aws-ec2-metadata-token", session.as_str());
        let roles = format!("{host}/latest/meta-data/iam/security-credentials/");
        let role = self.ask(Method::GET, &roles, Some(header)).await?;
        let role = std::str::from_utf8(&role.body).ok().and_then(|text| text.lines().next()).map(str::to_owned);
        let role = role.ok_or_else(|| KeyError::Misconfigured("the instance has no role".into()))?;
        lent(&self.ask(Method::GET, &format!("{roles}{role}"), Some(header)).await?)
    }

    async fn ask(&self, method: Method, url: &str, header: Option<(&str, &str)>) -> Result<Answer, KeyError> {
        let answer = self
            .direct
            .call(
                Repeat::Never,
                |_| false,
                |client| {
                    let request = client.request(method.clone(), url);
                    Ok(match header {
                        Some((name, value)) => request.header(name, value),
                        None => request,
                    })
                },
            )
            .await?;
        match answer.status {
            200 => Ok(answer),
            status => Err(KeyError::Unavailable(format!("the credentials' endpoint answered HTTP {status}"))),
        }
    }
}

fn lent(answer: &Answer) -> Result<Keys, KeyError> {
    let lent: Lent = serde_json::from_slice(&answer.body).map_err(|_| unreadable(answer))?;
    Ok(Keys {
        access_key_id: lent.access_key_id,
        secret_access_key: lent.secret_access_key.into(),
        session_token: Some(lent.token.into()),
        expires_at: Some(lent.expiration),
    })
}

/// Reads STS's answer, which is XML.
fn assumed(answer: &Answer) -> Option<Keys> {
    let text = std::str::from_utf8(&answer.body).ok()?;
    let document = roxmltree::Document::parse(text).ok()?;
    let credentials = document.descendants().find(|node| node.tag_name().name() == "Credentials")?;
    let of = |name: &str| {
        let node = credentials.children().find(|node| node.tag_name().name() == name)?;
        node.text().map(str::to_owned)
    };
    Some(Keys {
        access_key_id: of("AccessKeyId")?,
        secret_access_key: of("SecretAccessKey")?.into(),
        session_token: Some(of("SessionToken")?.into()),
        expires_at: Some(of("Expiration")?.parse().ok()?),
    })
}

fn may_be_asked(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let is_here = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || (url.scheme() == "http" && (is_here || CONTAINER_HOSTS.contains(&host)))
}

/// A value of a profile: `key = value` under `[profile]`, `#` and `;` before comments.
fn profile_value(text: &str, profile: &str, key: &str) -> Option<String> {
    let mut is_ours = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_ours = name.trim() == profile;
        } else if is_ours
            && let Some((name, value)) = line.split_once('=')
            && name.trim() == key
        {
            return Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        }
    }
    None
}

#[cfg(test)]
mod tests;
