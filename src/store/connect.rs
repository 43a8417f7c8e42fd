//! One connection: encrypted as the URL says, with the time-outs of the configuration. It owns no retrying and no pooling.

use std::path::Path;
use std::sync::Arc;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::database::DatabaseSettings;
use crate::config::database::url::{DatabaseUrl, SslMode};

/// What keeps a connection from being configured at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("database.password_file: {0}")]
    PasswordFile(#[source] std::io::Error),
    #[error("no certificates in {file}: {why}")]
    CaFile { file: String, why: String },
    #[error("this machine has no certificates: install ca-certificates, or set database.ca_file")]
    NoCertificates,
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("TLS: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
}

/// Opens connections to one server.
#[derive(Clone)]
pub struct Connector {
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
    session: String,
}

impl Connector {
    /// Reads certificates and the password file; talks to nobody yet.
    pub fn new(url: &DatabaseUrl, settings: &DatabaseSettings) -> Result<Self, ConnectError> {
        let url = match &settings.password_file {
            Some(file) => {
                let text = zeroize::Zeroizing::new(std::fs::read_to_string(file).map_err(ConnectError::PasswordFile)?);
                url.clone().with_password(text.lines().next().unwrap_or_default())
            }
            None => url.clone(),
        };
        if !url.is_local() && !url.ssl().verifies_host() {
            tracing::warn!(server = %url, sslmode = url.ssl().as_str(), "the database server's identity is not verified");
        }
        let tls = match url.ssl() {
            SslMode::Disable => None,
            mode => Some(MakeRustlsConnect::new(client_config(
                mode,
                url.ca_file().or(settings.ca_file.as_ref()).map(|f| &**f),
            )?)),
        };
        let mut config = url.config().clone();
        config.application_name("landfall").connect_timeout(settings.acquire_timeout());
        Ok(Self { config, tls, session: session_sql(settings) })
    }

    /// Opens a connection. Its driver runs as a task of its own until the connection is dropped. (diesel-async caches prepared
    /// statements by query type, and pipelines queries that are polled together over `&conn`; it sets the time zone to UTC.)
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let mut conn = match &self.tls {
            None => {
                let (client, driver) = self.config.connect(NoTls).await.map_err(refused)?;
                AsyncPgConnection::try_from_client_and_connection(client, driver).await?
            }
            Some(tls) => {
                let (client, driver) = self.config.connect(tls.clone()).await.map_err(refused)?;
                AsyncPgConnection::try_from_client_and_connection(client, driver).await?
            }
        };
        conn.batch_execute(&self.session).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        speak_plain_english(&mut conn).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
}

/// A connection error with its cause, which tokio-postgres leaves out of its message.
fn refused(error: tokio_postgres::Error) -> ConnectionError {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    ConnectionError::BadConnection(text)
}

fn session_sql(settings: &DatabaseSettings) -> String {
    format!(
        "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}",
        settings.statement_timeout_ms, settings.lock_timeout_ms, settings.idle_in_transaction_timeout_ms
    )
}

/// Deadlocks and time-outs are known by their message (see `store::error`), so messages must be untranslated. Setting that needs
/// a privilege; a server that already speaks English is left alone, and another is warned about.
async fn speak_plain_english(conn: &mut AsyncPgConnection) -> diesel::QueryResult<()> {
    #[derive(diesel::QueryableByName)]
    struct Spoken {
        #[diesel(sql_type = diesel::sql_types::Text)]
        messages: String,
    }
    let spoken: Spoken =
        diesel::sql_query("SELECT current_setting('lc_messages') AS messages").get_result(conn).await?;
    let plain = matches!(spoken.messages.as_str(), "C" | "POSIX" | "C.UTF-8" | "C.utf8");
    if !plain
        && conn.batch_execute("SET lc_messages = 'C'").await.is_err()
        && !spoken.messages.starts_with("en")
        && !spoken.messages.is_empty()
    {
        tracing::warn!(
            lc_messages = spoken.messages,
            "the server's messages are translated and this role may not change it: deadlocks will not be retried. \
             ALTER ROLE ... SET lc_messages = 'C' as a superuser"
        );
    }
    Ok(())
}

fn client_config(mode: SslMode, ca_file: Option<&Path>) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match mode {
        SslMode::VerifyFull => {
            return Ok(builder.with_root_certificates(roots(ca_file)?).with_no_client_auth());
        }
        SslMode::VerifyCa => {
            let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca_file)?), Arc::clone(&provider));
            Arc::new(Lenient { provider, chain: Some(chain.build()?) })
        }
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Arc::new(Lenient { provider, chain: None }),
    };
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, ConnectError> {
    let mut store = RootCertStore::empty();
    if let Some(file) = ca_file {
        let bad = |why: String| ConnectError::CaFile { file: file.display().to_string(), why };
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))? {
            store.add(certificate.map_err(|error| bad(error.to_string()))?)?;
        }
        return if store.is_empty() { Err(bad("none found".into())) } else { Ok(store) };
    }
    // One broken certificate of the machine is no reason to do without the others.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(ConnectError::NoCertificates) } else { Ok(store) }
}

/// What `sslmode` weaker than verify-full means: any certificate, or any that descends from a known authority, whatever its name.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last, when the chain has been found good.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            answer => answer,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
