//! Chooses the issuer, verifies the token with that issuer's keys, and applies its rules, in this order: nothing that
//! a token says is believed before its signature holds, but for which issuer to measure it against.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use zeroize::Zeroizing;

use super::claims::Claims;
use super::customer_tokens::{self, CustomerTokens, Minted, NewToken, NotMinted};
use super::development::{DevIssuer, DevIssuerError};
use super::error::AuthError;
use super::jwks::{FetchError, JwksCache, Origin, Pace};
use super::keys::{KeyError, VerifyingKey};
use super::token::Token;
use super::{KycSource, Principal};
use crate::clock::Clock;
use crate::config::Problems;
use crate::config::auth::{AuthSettings, IssuerSettings, KeySource, KycSetting, TokenAlgorithm};
use crate::domain::ids::Mode;

/// Why authentication can't start. Carries no secret.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    #[error("{0}")]
    Settings(Problems),
    #[error("issuer {issuer}: {}: {source}", path.display())]
    File { issuer: String, path: PathBuf, source: std::io::Error },
    #[error("issuer {issuer}: the environment variable {variable} is not set")]
    Environment { issuer: String, variable: String },
    #[error("issuer {issuer}: the key {source}")]
    Key { issuer: String, source: KeyError },
    #[error("issuer {issuer}: the key set {source}")]
    KeySet { issuer: String, source: FetchError },
    #[error("issuer {issuer}: {source}")]
    Development { issuer: String, source: DevIssuerError },
    #[error("the client that fetches key sets: {0}")]
    Client(#[from] reqwest::Error),
}

/// Turns bearer tokens into [`Principal`]s.
pub struct Authenticator {
    issuers: Vec<Issuer>,
    /// What we sign for partners' customers.
    own: Option<CustomerTokens>,
    clock: Arc<dyn Clock>,
}

struct Issuer {
    name: String,
    iss: String,
    audiences: Vec<String>,
    partner_code: String,
    mode: Mode,
    algorithms: Vec<TokenAlgorithm>,
    kyc: KycSetting,
    leeway: TimeDelta,
    age_max: Option<TimeDelta>,
    required_scope: Option<String>,
    keys: Keys,
}

enum Keys {
    /// The only key there is, whatever the token calls it.
    One(Box<VerifyingKey>),
    Set(Arc<JwksCache>),
}

impl Authenticator {
    /// Reads the issuers' files and secrets, and makes the development key at first use. Key sets behind URLs are
    /// fetched when first needed, or by [`Authenticator::warm`].
    ///
    /// `http` brings what the installation wants of a client (roots of trust, a proxy); redirects are switched off and
    /// the time is bounded here, because a client that follows redirects can't be told not to for one request.
    pub fn new(
        settings: &AuthSettings,
        http: reqwest::ClientBuilder,
        clock: Arc<dyn Clock>,
        data_dir: &Path,
    ) -> Result<Self, AuthSetupError> {
        let mut problems = Problems::default();
        let live = settings.issuers.iter().any(|issuer| issuer.mode == Mode::Live);
        settings.check(live, &mut problems);
        if !problems.0.is_empty() {
            return Err(AuthSetupError::Settings(problems));
        }
        let client = match settings.issuers.iter().any(|issuer| issuer.jwks_url.is_some()) {
            true => Some(http.redirect(reqwest::redirect::Policy::none()).referer(false).build()?),
            false => None,
        };
        let setup = Setup { pace: Pace::of(settings), client, clock: clock.clone(), data_dir };
        let issuers = settings.issuers.iter().map(|issuer| setup.issuer(issuer)).collect::<Result<_, _>>()?;
        Ok(Self { issuers, own: None, clock })
    }

    /// Takes the tokens that we sign ourselves too.
    #[must_use]
    pub fn with_customer_tokens(mut self, own: CustomerTokens) -> Self {
        self.own = Some(own);
        self
    }

    /// Signs a token for a partner's customer.
    pub fn mint_for_customer(&self, new: &NewToken) -> Result<Minted, NotMinted> {
        self.own.as_ref().ok_or(NotMinted::Sign)?.mint(new, self.clock.now())
    }

    /// Fetches the key sets that are not there yet, so that the first user need not wait. A failure is logged, and
    /// the next token tries again.
    pub async fn warm(&self) {
        for issuer in &self.issuers {
            if let Keys::Set(keys) = &issuer.keys {
                keys.refresh().await;
            }
        }
    }

    /// Who `token` names. The error says why for the log; the caller must not be told.
    pub async fn authenticate(&self, token: &str) -> Result<Principal, AuthError> {
        let token = Token::parse(token)?;
        if let (Some(own), Ok(customer_tokens::ISS)) = (&self.own, token.claims.issuer()) {
            return own.verify(&token, self.clock.now());
        }
        let issuer = self.issuer_of(&token.claims)?;
        issuer.verify(&token).await?;
        issuer.admit(&token.claims, self.clock.now())
    }

    /// The one issuer whose `iss` and `aud` the unverified claims name.
    fn issuer_of(&self, claims: &Claims) -> Result<&Issuer, AuthError> {
        let iss = claims.issuer()?;
        let mut of_iss = self.issuers.iter().filter(|issuer| issuer.iss == iss).peekable();
        if of_iss.peek().is_none() {
            return Err(AuthError::IssuerUnknown);
        }
        let audiences = claims.audiences()?;
        let mut meant = of_iss.filter(|issuer| issuer.audiences.iter().any(|aud| audiences.contains(&aud.as_str())));
        match (meant.next(), meant.next()) {
            (None, _) => Err(AuthError::AudienceOther),
            (Some(issuer), None) => Ok(issuer),
            // Two configurations may be two tenants: the token must not choose between them.
            (Some(_), Some(_)) => Err(AuthError::AudienceAmbiguous),
        }
    }
}

impl Issuer {
    async fn verify(&self, token: &Token<'_>) -> Result<(), AuthError> {
        if !self.algorithms.contains(&token.algorithm) {
            return Err(AuthError::AlgorithmRefused);
        }
        let signed = match &self.keys {
            Keys::One(key) if key.algorithm != token.algorithm => return Err(AuthError::KeyMismatch),
            Keys::One(key) => token.is_signed_by(key),
            Keys::Set(keys) => token.is_signed_by(&keys.find(token.key_id.as_deref(), token.algorithm).await?),
        };
        if signed { Ok(()) } else { Err(AuthError::SignatureInvalid) }
    }

    /// Applies the rules to claims whose signature held.
    fn admit(&self, claims: &Claims, now: DateTime<Utc>) -> Result<Principal, AuthError> {
        let expires_at = claims.instant("exp")?.ok_or(AuthError::ExpiryMissing)?;
        if now >= expires_at + self.leeway {
            return Err(AuthError::Expired);
        }
        if claims.instant("nbf")?.is_some_and(|not_before| now < not_before - self.leeway) {
            return Err(AuthError::NotYetValid);
        }
        let issued_at = claims.instant("iat")?;
        if issued_at.is_some_and(|issued_at| now < issued_at - self.leeway) {
            return Err(AuthError::IssuedInFuture);
        }
        if let Some(age_max) = self.age_max {
            let issued_at = issued_at.ok_or(AuthError::IssuedAtMissing)?;
            if now >= issued_at + age_max + self.leeway {
                return Err(AuthError::TooOld);
            }
        }
        if self.required_scope.as_deref().is_some_and(|scope| !claims.has_scope(scope)) {
            return Err(AuthError::ScopeMissing);
        }
        let kyc = match &self.kyc {
            KycSetting::Record => KycSource::FromRecord,
            KycSetting::Claim(name) => KycSource::Claim(claims.kyc_level(name)?),
        };
        Ok(Principal {
            partner_code: self.partner_code.clone(),
            mode: self.mode,
            subject: claims.subject()?.to_owned(),
            kyc,
            issuer: self.name.clone(),
            token_id: claims.token_id()?.map(str::to_owned),
            expires_at,
            signed_by_us: None,
        })
    }
}

/// What the issuers are made with.
struct Setup<'a> {
    pace: Pace,
    client: Option<reqwest::Client>,
    clock: Arc<dyn Clock>,
    data_dir: &'a Path,
}

impl Setup<'_> {
    fn issuer(&self, settings: &IssuerSettings) -> Result<Issuer, AuthSetupError> {
        Ok(Issuer {
            name: settings.name.clone(),
            iss: settings.iss.clone(),
            audiences: settings.aud.clone(),
            partner_code: settings.partner.clone(),
            mode: settings.mode,
            algorithms: settings.known_algorithms(),
            kyc: settings.kyc.clone(),
            leeway: TimeDelta::seconds(settings.leeway_secs.into()),
            age_max: settings.max_token_age_secs.map(|secs| TimeDelta::seconds(secs.into())),
            required_scope: settings.required_scope.clone(),
            keys: self.keys(settings)?,
        })
    }

    fn keys(&self, settings: &IssuerSettings) -> Result<Keys, AuthSetupError> {
        let issuer = || settings.name.clone();
        let unsound = |source| AuthSetupError::Key { issuer: issuer(), source };
        let read = |path: &Path| match std::fs::read(path) {
            Ok(bytes) => Ok(Zeroizing::new(bytes)),
            Err(source) => Err(AuthSetupError::File { issuer: issuer(), path: path.to_owned(), source }),
        };
        let one = |key: VerifyingKey| Keys::One(Box::new(key));
        let algorithms = settings.known_algorithms();
        match (settings.key_source(), self.client.as_ref()) {
            (Some(KeySource::JwksUrl(url)), Some(client)) => match reqwest::Url::parse(url) {
                Ok(url) => Ok(Keys::Set(self.cache(settings, Origin::Url(client.clone(), url)))),
                Err(_) => Err(unsound(KeyError::NotAJwks)),
            },
            (Some(KeySource::JwksFile(path)), _) => {
                let cache = self.cache(settings, Origin::File(path.to_owned()));
                let keys = cache.read(&read(path)?);
                let keys = keys.map_err(|source| AuthSetupError::KeySet { issuer: issuer(), source })?;
                cache.keep(keys, self.clock.now());
                Ok(Keys::Set(cache))
            }
            (Some(KeySource::PublicKeyFile(path)), _) => match algorithms[..] {
                [algorithm] => VerifyingKey::from_pem(&read(path)?, algorithm).map(one).map_err(unsound),
                _ => Err(unsound(KeyError::NotAPublicKey)),
            },
            (Some(KeySource::SecretEnv(variable)), _) => match std::env::var(variable).map(Zeroizing::new) {
                Ok(secret) => VerifyingKey::from_secret(secret.as_bytes()).map(one).map_err(unsound),
                Err(_) => Err(AuthSetupError::Environment { issuer: issuer(), variable: variable.to_owned() }),
            },
            (Some(KeySource::SecretFile(path)), _) => {
                let secret = read(path)?;
                let line = secret.strip_suffix(b"\n").unwrap_or(&secret);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                VerifyingKey::from_secret(line).map(one).map_err(unsound)
            }
            (Some(KeySource::Development), _) => match DevIssuer::load_or_generate(self.data_dir) {
                Ok(development) => Ok(one(development.verifying_key())),
                Err(source) => Err(AuthSetupError::Development { issuer: issuer(), source }),
            },
            // `check` has refused these before.
            (Some(KeySource::JwksUrl(_)), None) | (None, _) => Err(unsound(KeyError::NotAJwks)),
        }
    }

    fn cache(&self, settings: &IssuerSettings, origin: Origin) -> Arc<JwksCache> {
        let algorithms = settings.known_algorithms();
        JwksCache::new(settings.name.clone(), origin, algorithms, self.pace, self.clock.clone())
    }
}
