//! Where a sealed value belongs. All of it is bound to the ciphertext, so that one moved to another row, column, customer, partner,
//! mode or key doesn't open.

use uuid::Uuid;

use super::dek::DekId;
use super::mac::length_of;
use crate::domain::ids::{CardId, CustomerId, Tenant};

/// The row that a sealed value stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordId {
    /// A row with an integer key: a wallet card.
    Number(i64),
    /// A row with a UUID key.
    Uuid(Uuid),
}

impl From<CardId> for RecordId {
    fn from(id: CardId) -> Self {
        Self::Number(id.0)
    }
}

impl From<Uuid> for RecordId {
    fn from(id: Uuid) -> Self {
        Self::Uuid(id)
    }
}

/// The place of one sealed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub tenant: Tenant,
    /// `None` for what belongs to no customer, such as a provider's credentials.
    pub customer_id: Option<CustomerId>,
    pub record: RecordId,
    pub column: &'static str,
}

impl Context {
    /// The bytes bound to a ciphertext of format `version` under `dek_id`: every part preceded by its length and parts of unlike kinds
    /// of unlike lengths, so that no two contexts give the same bytes.
    pub(super) fn bound(&self, version: u8, dek_id: DekId) -> Vec<u8> {
        let (number, uuid);
        let record: &[u8] = match self.record {
            RecordId::Number(id) => {
                number = id.to_be_bytes();
                &number
            }
            RecordId::Uuid(id) => {
                uuid = id;
                uuid.as_bytes()
            }
        };
        let customer = self.customer_id.map(|id| id.0);
        joined(&[
            b"landfall/sealed",
            &[version],
            dek_id.0.as_bytes(),
            self.tenant.partner_id.0.as_bytes(),
            self.tenant.mode.as_str().as_bytes(),
            customer.as_ref().map_or(&[], |id| id.as_bytes().as_slice()),
            record,
            self.column.as_bytes(),
        ])
    }
}

/// The parts one after the other, each preceded by its length.
pub(super) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&length_of(part));
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::domain::ids::{Mode, PartnerId};

    #[test]
    fn no_two_contexts_are_bound_alike() {
        let ours = Context {
            tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Test },
            customer_id: Some(CustomerId::new()),
            record: RecordId::Number(7),
            column: "pan",
        };
        let dek = DekId::new();
        let others = [
            ours,
            Context { tenant: Tenant { partner_id: PartnerId::new(), ..ours.tenant }, ..ours },
            Context { tenant: Tenant { mode: Mode::Live, ..ours.tenant }, ..ours },
            Context { customer_id: Some(CustomerId::new()), ..ours },
            Context { customer_id: None, ..ours },
            Context { record: RecordId::Number(8), ..ours },
            Context { record: RecordId::Uuid(Uuid::from_u128(7)), ..ours },
            Context { column: "holder_name", ..ours },
            Context { column: "", ..ours },
        ];
        let mut bound: HashSet<Vec<u8>> = others.iter().map(|context| context.bound(1, dek)).collect();
        bound.insert(ours.bound(2, dek));
        bound.insert(ours.bound(1, DekId::new()));
        assert_eq!(bound.len(), others.len() + 2);
        assert_ne!(joined(&[b"a", b"bc"]), joined(&[b"ab", b"c"]));
    }
}
