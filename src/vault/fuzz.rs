//! Targets for fuzzing of what the vault reads; see [`crate::fuzz`].

use std::sync::LazyLock;

use uuid::Uuid;

use super::aead::AeadKey;
use super::context::{Context, RecordId};
use super::dek::DekId;
use super::envelope::{self, Sealed};
use super::secret::SecretKey32;
use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};

const PLAINTEXT: &[u8] = b"4111111111111111";

struct Place {
    key: AeadKey,
    context: Context,
    sealed: Sealed,
}

static PLACE: LazyLock<Option<Place>> = LazyLock::new(|| {
    let key = AeadKey::new(&SecretKey32::random().ok()?);
    let context = Context {
        tenant: Tenant { partner_id: PartnerId(Uuid::from_u128(1)), mode: Mode::Test },
        customer_id: Some(CustomerId(Uuid::from_u128(2))),
        record: RecordId::Number(1_000_000_000_000_001),
        column: "pan",
    };
    let sealed = envelope::seal(&key, DekId(Uuid::from_u128(3)), &context, PLAINTEXT).ok()?;
    Some(Place { key, context, sealed })
});

/// Any bytes in a sealed column, alone and laid over what was sealed for it: only what was sealed opens.
pub fn sealed(data: &[u8]) {
    let Some(Place { key, context, sealed }) = &*PLACE else { panic!("nothing could be sealed") };
    let _ = Sealed(data.to_vec()).dek_id();
    // A fuzzer that watches comparisons comes by the very value that was sealed.
    let is_the_sealed = data == sealed.0.as_slice();
    assert!(envelope::open(key, context, &Sealed(data.to_vec())).is_ok() == is_the_sealed, "it was never sealed");
    let Some((at, over)) = data.split_first() else { return };
    let mut edited = sealed.0.clone();
    for (byte, with) in edited.iter_mut().skip(usize::from(*at)).zip(over) {
        *byte ^= with;
    }
    match envelope::open(key, context, &Sealed(edited.clone())) {
        Ok(plain) => assert!(edited == sealed.0 && plain.as_slice() == PLAINTEXT, "an edited value opens"),
        Err(_) => assert!(edited != sealed.0, "what was sealed doesn't open"),
    }
}
