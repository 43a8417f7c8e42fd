//! `/health/live`: the process answers. `/health/ready`: it can serve, as its probes say.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::Mode;
use crate::domain::rate::Pair;
use crate::http::call::Edge;
use crate::http::error::ApiError;
use crate::rates::RateError;
use crate::store::error::DbError;
use crate::store::pool::Db;
use crate::vault::Vault;
use crate::wallet::Wallet;

/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Something that must be there for the process to serve. Its complaint is shown to whoever asks, without
/// authentication.
#[derive(Clone)]
pub struct Probe {
    pub name: &'static str,
    /// Whether the process can't serve without it.
    is_essential: bool,
    check: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Probe {
    /// `check` answers what is missing, in words for an operator and without anything internal.
    pub fn new<F>(name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, is_essential: true, check: Arc::new(move || Box::pin(check())) }
    }

    /// The key provider works. While it doesn't, what is sealed under keys that this process has unwrapped is served as ever: taking every
    /// node away would only make it worse.
    pub fn keys(vault: &Arc<Vault>) -> Self {
        let vault = Arc::clone(vault);
        let check = Self::new("keys", move || {
            let vault = Arc::clone(&vault);
            async move {
                vault.standing().await.map_err(|what| format!("the key provider ({}) {what}", vault.provider_code()))
            }
        });
        Self { is_essential: false, ..check }
    }

    /// The database answers, and takes writes.
    pub fn database(db: &Db) -> Self {
        let db = db.clone();
        Self::new("database", move || {
            let db = db.clone();
            async move {
                db.ping().await.map_err(|error| {
                    tracing::warn!(%error, "not ready");
                    let what =
                        if matches!(error, DbError::ReadOnly(_)) { "takes no writes" } else { "does not answer" };
                    what.to_owned()
                })
            }
        })
    }

    /// Every pair that the wallet offers has a price in every mode served.
    pub fn rates(wallet: &Arc<Wallet>, modes: &[Mode]) -> Self {
        let (wallet, modes) = (Arc::clone(wallet), modes.to_vec());
        Self::new("rates", move || {
            let pairs: Vec<Pair> = wallet.house.pairs.iter().copied().collect();
            let mut without: Vec<String> = Vec::new();
            for mode in &modes {
                match wallet.rates.board(*mode) {
                    // Which source fails, and how, is for the log and for staff.
                    Some(board) => without.extend(
                        board
                            .unavailable(&pairs, wallet.now())
                            .into_iter()
                            .map(|RateError::Unavailable { pair, .. }| format!("no price for {pair} ({mode})")),
                    ),
                    None => without.push(format!("no prices in {mode} mode")),
                }
            }
            std::future::ready(if without.is_empty() { Ok(()) } else { Err(without.join("; ")) })
        })
    }

    async fn complaint(&self) -> Option<NotReady> {
        let what = match tokio::time::timeout(PROBE_TIMEOUT, (self.check)()).await {
            Ok(Ok(())) => return None,
            Ok(Err(what)) => what,
            Err(_) => format!("no answer within {} s", PROBE_TIMEOUT.as_secs()),
        };
        Some(NotReady { name: self.name, is_essential: self.is_essential, what })
    }
}

/// Whether the process can serve.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `live`, `ready`, `degraded` (it serves, though something is missing) or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// What is missing.
    problems: Vec<NotReady>,
}

/// Something that is missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotReady {
    /// Which part it is.
    #[schema(example = "rates")]
    name: &'static str,
    #[serde(skip)]
    is_essential: bool,
    /// In words, for an operator.
    #[schema(example = "no price for BTC/EUR")]
    what: String,
}

/// Whether the process answers at all.
#[utoipa::path(
    get, path = "/health/live", operation_id = "getLiveness", tag = "operations", security(()),
    responses((status = 200, description = "The process answers.", body = Health))
)]
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live", problems: Vec::new() })
}

/// Whether the process can serve: the database answers within a second and takes writes, and the configured pairs have rates.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "getReadiness", tag = "operations", security(()),
    responses(
        (status = 200, description = "Ready; or degraded, and `problems` names what is missing: the key provider.", body = Health),
        (status = 503, description = "Not ready: `problems` names what is missing.", body = Health),
    )
)]
pub async fn ready(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let edge: Arc<Edge> = Edge::part(&request)?;
    let problems: Vec<NotReady> =
        join_all(edge.probes.iter().map(Probe::complaint)).await.into_iter().flatten().collect();
    Ok(match problems.iter().any(|problem| problem.is_essential) {
        true => HttpResponse::ServiceUnavailable().json(Health { status: "not_ready", problems }),
        false if problems.is_empty() => HttpResponse::Ok().json(Health { status: "ready", problems }),
        false => HttpResponse::Ok().json(Health { status: "degraded", problems }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_that_hangs_or_complains_is_named() {
        let fine = Probe::new("a", || async { Ok(()) });
        let bad = Probe::new("b", || async { Err("down".to_owned()) });
        let hangs = Probe::new("c", std::future::pending);
        assert!(fine.complaint().await.is_none());
        assert_eq!(bad.complaint().await.map(|problem| problem.what), Some("down".into()));
        assert_eq!(hangs.complaint().await.map(|problem| problem.what), Some("no answer within 1 s".into()));
    }
}
