//! What operators watch: counted when somebody asks, from the database, so that every node answers the same.

use super::{Gateway, GatewayError};
use crate::store::metrics;

pub use crate::store::metrics::{
    Counted, DataKeyCount, DeadJob, DueJob, LatestRun, ModeratedRequest, OpenCase, OpenPayout,
};
pub use crate::store::sealed::Pass;

impl Gateway {
    /// Counts what is open, what waits, and how the last reconciliations ended.
    pub async fn count(&self) -> Result<Counted, GatewayError> {
        let conn = self.db.get().await?;
        Ok(metrics::count(&conn, self.clock.now()).await?)
    }
}
