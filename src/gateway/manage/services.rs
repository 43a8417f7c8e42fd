//! Payout services: the house's, read by every key of the mode. They come from configuration.

use std::sync::Arc;

use crate::domain::asset::AssetCode;
use crate::domain::service::{FieldProblem, Service};
use crate::gateway::Gateway;
use crate::gateway::access::{Caller, Problem, Refusal};

/// What a refusal calls it.
const WHAT: &str = "payout service";

/// Which services a list has; what is `None` doesn't matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceFilter {
    pub method: Option<String>,
    pub currency: Option<AssetCode>,
    pub enabled: Option<bool>,
}

impl Gateway {
    pub async fn find_service(&self, caller: &Caller, code: &str) -> Result<Arc<Service>, Refusal> {
        let snapshot = self.snapshot().await?;
        snapshot.service(caller.tenant.mode, code).cloned().ok_or(Refusal::NotFound { what: WHAT })
    }

    /// The services of the mode by their codes: few, as configuration names them.
    pub async fn list_services(&self, caller: &Caller, filter: &ServiceFilter) -> Result<Vec<Arc<Service>>, Refusal> {
        let snapshot = self.snapshot().await?;
        let wanted = |service: &&Arc<Service>| {
            filter.method.as_deref().is_none_or(|method| service.code.method() == method)
                && filter.currency.is_none_or(|currency| service.currency == currency)
                && filter.enabled.is_none_or(|enabled| service.enabled == enabled)
        };
        Ok(snapshot.services(caller.tenant.mode).filter(wanted).cloned().collect())
    }
}

impl From<FieldProblem> for Problem {
    fn from(problem: FieldProblem) -> Self {
        Problem::new(problem.pointer(), problem.code, problem.detail)
    }
}
