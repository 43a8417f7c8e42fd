//! A key service's proof that it works: a data key is made and opened again, in a context that no row has.

use uuid::Uuid;

use super::provider::{DekContext, KeyError, KeyProvider};
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::vault::dek::DekId;

pub(super) async fn round_trip(provider: &dyn KeyProvider) -> Result<(), KeyError> {
    let tenant = Tenant { partner_id: PartnerId(Uuid::nil()), mode: Mode::Test };
    let place = DekContext { dek_id: DekId(Uuid::nil()), tenant, epoch: 0 };
    let made = provider.generate_dek(&place).await?;
    let opened = provider.unwrap(&made.wrapped, &place).await?;
    if opened.expose() == made.key.expose() { Ok(()) } else { Err(KeyError::WrongKek(made.wrapped.kek_id)) }
}
