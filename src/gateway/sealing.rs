//! The one way to write what is sealed: a process that doesn't know yet that a data key is over seals under it, the database takes nothing
//! that is (migration 16), and it is sealed again under the key that followed.

use crate::domain::ids::Tenant;
use crate::store::error::DbError;
use crate::store::retry::TransactionError;
use crate::vault::Vault;

/// Does `work`, which seals for `tenant` and writes; once more where the database refused it for its key. It must seal anew each time.
///
/// # Errors
/// Those of `work`: of its second time, where there was one.
pub async fn sealed_again<T, E, W>(vault: &Vault, tenant: Tenant, work: impl Fn() -> W) -> Result<T, E>
where
    W: Future<Output = Result<T, E>>,
    E: TransactionError,
{
    // On the heap: the work is a whole use case, and would be in its caller's future twice.
    match Box::pin(work()).await {
        Err(error) if error.db_error().is_some_and(DbError::is_seal_refused) => {
            vault.forget_primary(tenant).await;
            Box::pin(work()).await
        }
        other => other,
    }
}
