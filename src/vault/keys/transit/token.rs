//! The token that transit is asked with: from a file or a variable, read at each call so that a renewed one counts at once, or from an
//! AppRole login, which is made anew when its token is about to end or is refused.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Mutex;

use super::{Answer, KeyError, Line, Repeat, TransitSettings, clipped, failed, is_passing, unreadable, with_namespace};
use crate::config::vault::AppRoleSettings;
use crate::vault::keys::secret_file;

pub(super) enum Tokens {
    File(PathBuf),
    Variable(String),
    AppRole { role: AppRoleSettings, held: Mutex<Option<Held>> },
}

/// The token of a login.
pub(super) struct Held {
    token: SecretString,
    renew_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Login {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    /// In seconds; 0: without end.
    lease_duration: u64,
}

impl Tokens {
    /// `check` has seen to it that exactly one way is named.
    pub fn new(settings: &TransitSettings) -> Self {
        match (&settings.app_role, &settings.token_file) {
            (Some(role), _) => Self::AppRole { role: role.clone(), held: Mutex::default() },
            (None, Some(path)) => Self::File(path.clone()),
            (None, None) => Self::Variable(settings.token_env.clone().unwrap_or_else(|| "VAULT_TOKEN".to_owned())),
        }
    }

    pub async fn get(&self, line: &Line, address: &str, namespace: Option<&str>) -> Result<SecretString, KeyError> {
        match self {
            Self::File(path) => secret_file::read(path),
            Self::Variable(name) => std::env::var(name)
                .map(SecretString::from)
                .map_err(|_| KeyError::Misconfigured(format!("the environment variable {name} isn't set"))),
            Self::AppRole { role, held } => {
                let mut held = held.lock().await;
                if let Some(held) = held.as_ref()
                    && held.renew_at.is_none_or(|at| Instant::now() < at)
                {
                    return Ok(held.token.clone());
                }
                let fresh = log_in(role, line, address, namespace).await?;
                Ok(held.insert(fresh).token.clone())
            }
        }
    }

    /// Another token than the one that was refused, if there is one by now.
    pub async fn renewed(
        &self,
        refused: &SecretString,
        line: &Line,
        address: &str,
        namespace: Option<&str>,
    ) -> Result<Option<SecretString>, KeyError> {
        if let Self::AppRole { held, .. } = self {
            let mut held = held.lock().await;
            // Of many that were refused at once, the first logs in again.
            if held.as_ref().is_some_and(|held| held.token.expose_secret() == refused.expose_secret()) {
                *held = None;
            }
        }
        let token = self.get(line, address, namespace).await?;
        Ok((token.expose_secret() != refused.expose_secret()).then_some(token))
    }
}

async fn log_in(role: &AppRoleSettings, line: &Line, address: &str, namespace: Option<&str>) -> Result<Held, KeyError> {
    let (role_id, secret_id) = (secret_file::read(&role.role_id_file)?, secret_file::read(&role.secret_id_file)?);
    let body = json!({"role_id": role_id.expose_secret(), "secret_id": secret_id.expose_secret()});
    let url = format!("{address}/v1/auth/{}/login", role.mount.trim_matches('/'));
    // Not repeated: a secret id may be good for a number of logins only.
    let answer: Answer = line
        .call(Repeat::Never, is_passing, |client| {
            let request = client.request(Method::POST, &url).header("X-Vault-Request", "true");
            Ok(with_namespace(request, namespace).json(&body))
        })
        .await?;
    match answer.status {
        200 => {}
        400 | 403 => return Err(KeyError::Denied(clipped("the AppRole login was refused"))),
        _ => return Err(failed(&answer, "")),
    }
    let Login { auth } = serde_json::from_slice(&answer.body).map_err(|_| unreadable(&answer))?;
    // Two thirds of its life: time for another try before its end.
    let life = Duration::from_secs(auth.lease_duration) / 3 * 2;
    let renew_at = (!life.is_zero()).then(|| Instant::now() + life);
    Ok(Held { token: SecretString::from(auth.client_token), renew_at })
}
