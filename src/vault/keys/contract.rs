//! What every key provider must keep: its tests call these functions.

use super::provider::{DekContext, KeyProvider, MacPurpose, WrappedDek};
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::vault::dek::DekId;

fn place() -> DekContext {
    DekContext { dek_id: DekId::new(), tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Test }, epoch: 3 }
}

/// Asserts the whole contract for one provider.
pub(crate) async fn holds_for(provider: &dyn KeyProvider) {
    provider.health().await.unwrap();
    assert!(!provider.code().is_empty());
    keys_open_in_their_context_only(provider).await;
    altered_keys_are_refused(provider).await;
    rewrapping_keeps_the_key(provider).await;
    mac_keys_differ_by_purpose(provider).await;
}

/// Asserts that two instances over the same keys understand each other.
pub(crate) async fn agree(one: &dyn KeyProvider, other: &dyn KeyProvider) {
    let context = place();
    let made = one.generate_dek(&context).await.unwrap();
    assert_eq!(other.unwrap(&made.wrapped, &context).await.unwrap().expose(), made.key.expose());
    for purpose in MacPurpose::ALL {
        let (left, right) = (one.mac_key(purpose).await.unwrap(), other.mac_key(purpose).await.unwrap());
        assert_eq!((left.id, left.key.expose()), (right.id, right.key.expose()));
    }
}

async fn keys_open_in_their_context_only(provider: &dyn KeyProvider) {
    let context = place();
    let made = provider.generate_dek(&context).await.unwrap();
    assert_eq!(made.wrapped.kek_id, provider.kek_id().await.unwrap());
    assert_eq!(provider.unwrap(&made.wrapped, &context).await.unwrap().expose(), made.key.expose());
    assert!(!made.wrapped.bytes.windows(8).any(|window| made.key.expose().windows(8).any(|key| key == window)));
    let shown = format!("{made:?}");
    assert!(shown.contains("redacted") && !shown.contains(&format!("{:?}", made.wrapped.bytes)), "{shown}");

    let second = provider.generate_dek(&context).await.unwrap();
    assert_ne!(second.key.expose(), made.key.expose());

    let tenant = context.tenant;
    for other in [
        DekContext { dek_id: DekId::new(), ..context },
        DekContext { tenant: Tenant { partner_id: PartnerId::new(), ..tenant }, ..context },
        DekContext { tenant: Tenant { mode: Mode::Live, ..tenant }, ..context },
        DekContext { epoch: 4, ..context },
    ] {
        assert!(provider.unwrap(&made.wrapped, &other).await.is_err(), "{other:?}");
        assert!(provider.rewrap(&made.wrapped, &other).await.is_err(), "{other:?}");
    }
}

/// Wrapped keys may be text with more than one spelling: what matters is that no alteration gives another key.
async fn altered_keys_are_refused(provider: &dyn KeyProvider) {
    let context = place();
    let made = provider.generate_dek(&context).await.unwrap();
    for byte in 0..made.wrapped.bytes.len() {
        let mut altered = made.wrapped.clone();
        altered.bytes[byte] ^= 1;
        if let Ok(key) = provider.unwrap(&altered, &context).await {
            assert_eq!(key.expose(), made.key.expose(), "byte {byte}");
        }
    }
    let shorter = made.wrapped.bytes[..made.wrapped.bytes.len() / 2].to_vec();
    for bytes in [Vec::new(), vec![0], vec![0xff; 200], shorter] {
        let altered = WrappedDek { bytes, ..made.wrapped.clone() };
        assert!(provider.unwrap(&altered, &context).await.is_err());
    }
    let foreign = WrappedDek { kek_id: "no-such-key".to_owned(), ..made.wrapped.clone() };
    assert!(provider.unwrap(&foreign, &context).await.is_err());
}

async fn rewrapping_keeps_the_key(provider: &dyn KeyProvider) {
    let context = place();
    let made = provider.generate_dek(&context).await.unwrap();
    let rewrapped = provider.rewrap(&made.wrapped, &context).await.unwrap();
    assert_eq!(rewrapped.kek_id, provider.kek_id().await.unwrap());
    assert_eq!(provider.unwrap(&rewrapped, &context).await.unwrap().expose(), made.key.expose());
    assert_eq!(provider.unwrap(&made.wrapped, &context).await.unwrap().expose(), made.key.expose());
}

async fn mac_keys_differ_by_purpose(provider: &dyn KeyProvider) {
    let mut seen = Vec::new();
    for purpose in MacPurpose::ALL {
        let key = provider.mac_key(purpose).await.unwrap();
        assert!(!key.id.is_empty());
        assert_eq!(provider.mac_key(purpose).await.unwrap().key.expose(), key.key.expose(), "{purpose:?}");
        assert!(!seen.contains(key.key.expose()), "{purpose:?}");
        seen.push(*key.key.expose());
    }
}
