//! The vault as use cases call it: seal and open values and cards, fingerprint numbers, MAC bodies and events.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::context::{Context, RecordId};
use super::dek::{DekId, DekRow, DekStore};
use super::envelope::{self, Sealed};
use super::error::VaultError;
use super::keys::{KeyError, KeyProvider, WrappedDek};
use super::mac::{Fingerprint, MacKeys};
use super::ring::{KeyRing, Limits};
use super::standing::Standing;
use crate::domain::card::{BillingAddress, CardDetails, CardExpiry, HolderName, Pan};
use crate::domain::ids::{CustomerId, Tenant};

/// The column, as ciphertexts are bound to it, of a card's number.
pub const PAN_COLUMN: &str = "pan";
/// The column, as ciphertexts are bound to it, of a card holder's name.
pub const HOLDER_COLUMN: &str = "holder_name";
/// The column, as ciphertexts are bound to it, of a card's billing address.
pub const BILLING_COLUMN: &str = "billing_address";

/// Whose card it is and which row it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardOwner {
    pub tenant: Tenant,
    pub customer_id: Option<CustomerId>,
    pub record: RecordId,
}

impl CardOwner {
    fn column(&self, column: &'static str) -> Context {
        Context { tenant: self.tenant, customer_id: self.customer_id, record: self.record, column }
    }
}

/// A card's secrets, as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedCard {
    pub pan: Sealed,
    pub holder: Sealed,
}

/// The card vault of this process. Shared; every method takes `&self`.
#[derive(Debug)]
pub struct Vault {
    provider: Arc<dyn KeyProvider>,
    ring: KeyRing,
    macs: MacKeys,
    standing: Standing,
}

impl Vault {
    /// Opens the vault: resolves the MAC keys and proves that the provider works. `live` says that live mode is served, which refuses
    /// development keys.
    pub async fn start(
        provider: Arc<dyn KeyProvider>,
        store: Arc<dyn DekStore>,
        live: bool,
    ) -> Result<Self, VaultError> {
        if live && provider.is_development() {
            return Err(VaultError::DevelopmentKeys);
        }
        provider.health().await?;
        let macs = MacKeys::resolve(provider.as_ref()).await?;
        let ring = KeyRing::new(Arc::clone(&provider), store, Limits::default());
        let standing = Standing::of(Arc::clone(&provider));
        Ok(Self { provider, ring, macs, standing })
    }

    /// Seals `plaintext` (64 KiB at most) for its place.
    pub async fn seal(&self, context: &Context, plaintext: &[u8]) -> Result<Sealed, VaultError> {
        let dek = self.ring.for_seal(context.tenant).await?;
        Ok(envelope::seal(&dek.key, dek.id, context, plaintext)?)
    }

    /// Opens what was sealed for this very place.
    pub async fn open(&self, context: &Context, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let dek = self.ring.for_open(context.tenant, sealed.dek_id()?).await?;
        Ok(envelope::open(&dek.key, context, sealed)?)
    }

    /// The same value under its tenant's primary key; `None` if it is already.
    pub async fn reseal(&self, context: &Context, sealed: &Sealed) -> Result<Option<Sealed>, VaultError> {
        let dek = self.ring.for_seal(context.tenant).await?;
        if dek.id == sealed.dek_id()? {
            return Ok(None);
        }
        let plaintext = self.open(context, sealed).await?;
        Ok(Some(envelope::seal(&dek.key, dek.id, context, &plaintext)?))
    }

    pub async fn seal_card(&self, owner: &CardOwner, pan: &Pan, holder: &HolderName) -> Result<SealedCard, VaultError> {
        Ok(SealedCard {
            pan: self.seal(&owner.column(PAN_COLUMN), pan.expose().as_bytes()).await?,
            holder: self.seal(&owner.column(HOLDER_COLUMN), holder.expose().as_bytes()).await?,
        })
    }

    /// The card in the clear, for a provider's request body only (invariant 7).
    pub async fn open_card(
        &self,
        owner: &CardOwner,
        sealed: &SealedCard,
        expiry: CardExpiry,
    ) -> Result<CardDetails, VaultError> {
        let pan = self.open(&owner.column(PAN_COLUMN), &sealed.pan).await?;
        let pan = std::str::from_utf8(&pan).ok().and_then(|digits| Pan::parse(digits).ok());
        let holder = self.open(&owner.column(HOLDER_COLUMN), &sealed.holder).await?;
        let holder = std::str::from_utf8(&holder).ok().map(|name| HolderName::new(name.to_owned()));
        match (pan, holder) {
            (Some(pan), Some(holder)) => Ok(CardDetails { pan, expiry, holder }),
            _ => Err(VaultError::NotACard),
        }
    }

    /// A card's billing address, sealed for the card's row like its number.
    pub async fn seal_billing(&self, owner: &CardOwner, address: &BillingAddress) -> Result<Sealed, VaultError> {
        let text = address.to_plaintext().map_err(|_| VaultError::NotAnAddress)?;
        self.seal(&owner.column(BILLING_COLUMN), &text).await
    }

    /// The address in the clear, for a provider's request body only. What was edited, moved or swapped opens no more than a number does:
    /// whoever pays then sends nothing, rather than an address that isn't known to be the user's.
    pub async fn open_billing(&self, owner: &CardOwner, sealed: &Sealed) -> Result<BillingAddress, VaultError> {
        let text = self.open(&owner.column(BILLING_COLUMN), sealed).await?;
        BillingAddress::from_plaintext(&text).ok_or(VaultError::NotAnAddress)
    }

    /// [`Vault::reseal`] for a card: `None` if both its secrets are under the primary key already.
    pub async fn reseal_card(&self, owner: &CardOwner, sealed: &SealedCard) -> Result<Option<SealedCard>, VaultError> {
        let pan = self.reseal(&owner.column(PAN_COLUMN), &sealed.pan).await?;
        let holder = self.reseal(&owner.column(HOLDER_COLUMN), &sealed.holder).await?;
        if pan.is_none() && holder.is_none() {
            return Ok(None);
        }
        Ok(Some(SealedCard {
            pan: pan.unwrap_or_else(|| sealed.pan.clone()),
            holder: holder.unwrap_or_else(|| sealed.holder.clone()),
        }))
    }

    /// Begins a new epoch of `tenant`'s data keys: what is sealed from now on is under the key that this answers.
    pub async fn rotate(&self, tenant: Tenant) -> Result<DekId, VaultError> {
        self.ring.rotate(tenant).await
    }

    /// A key for the epoch after `epoch`, which nothing keeps yet: whoever writes its row down makes it primary.
    pub async fn make_epoch(&self, tenant: Tenant, epoch: i32) -> Result<DekRow, VaultError> {
        self.ring.make_epoch(tenant, epoch).await
    }

    /// The next seal for `tenant` asks which key is primary.
    pub async fn forget_primary(&self, tenant: Tenant) {
        self.ring.forget_primary(tenant).await;
    }

    /// The same where this process takes one of `old` for primary.
    pub async fn forget_primary_among(&self, tenant: Tenant, old: &[DekId]) {
        self.ring.forget_primary_among(tenant, old).await;
    }

    /// Wipes keys from this process's memory that were destroyed in the database; answers how many.
    pub async fn forget_retired(&self) -> Result<usize, VaultError> {
        self.ring.forget_retired().await
    }

    /// The key-encryption key that wraps now.
    pub async fn kek_id(&self) -> Result<String, KeyError> {
        self.provider.kek_id().await
    }

    /// The row's key under the provider's current key-encryption key, read back; `None` if it is already.
    pub async fn rewrap(&self, row: &DekRow) -> Result<Option<WrappedDek>, VaultError> {
        self.ring.rewrap(row).await
    }

    /// Equal for the same number of the same partner and mode. The customer is not part of it: a card is unique per customer by the
    /// row's key, and a block list finds it with every customer.
    pub fn fingerprint(&self, tenant: Tenant, pan: &Pan) -> Fingerprint {
        self.macs.fingerprint(tenant, pan)
    }

    /// The key that fingerprints are made with, to be kept beside them.
    pub fn fingerprint_key_id(&self) -> &str {
        self.macs.fingerprint_key_id()
    }

    /// By which a repeated request's body is compared.
    pub fn body_hmac(&self, data: &[u8]) -> [u8; 32] {
        self.macs.body_hmac(data)
    }

    /// By which something of others' is known again that isn't kept, since it may hold a card number: `what` it is, and its SHA-256. A hash
    /// of a number alone is undone by trying all numbers (PCI DSS 3.5.1.1); of the hash, so that what was once kept by that can be carried
    /// over.
    pub fn foreign_mac(&self, what: &str, digest: &[u8]) -> [u8; 32] {
        self.macs.foreign_mac(what, digest)
    }

    /// The MAC of an event that follows the one with the MAC `previous` ([`super::EVENT_CHAIN_START`] for the first). `data` must name
    /// the request, so that a whole chain can't be moved to another.
    pub fn event_mac(&self, previous: &[u8; 32], data: &[u8]) -> [u8; 32] {
        self.macs.event_mac(previous, data)
    }

    /// The key that tokens of partners' customers are signed with on a day since 1970. Of one day's key no other's is told.
    pub fn customer_token_key(&self, day: i64) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.macs.customer_token_key(day))
    }

    /// The MAC of an anchor of the audit trail.
    pub fn anchor_mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.macs.anchor_mac(parts)
    }

    /// Whether `sent` is that MAC. Takes the same time for any wrong one of the right length.
    pub fn is_anchor_mac(&self, parts: &[&[u8]], sent: &[u8]) -> bool {
        self.macs.is_anchor_mac(parts, sent)
    }

    /// The key that event MACs are made with.
    pub fn event_key_id(&self) -> &str {
        self.macs.event_key_id()
    }

    /// Who holds the key-encryption key: `file`, `vault`, `aws-kms`.
    pub fn provider_code(&self) -> &'static str {
        self.provider.code()
    }

    /// Whether the key provider worked when it was last asked, which is at most a quarter of a minute ago. What is wrong is told without
    /// anything internal.
    pub async fn standing(&self) -> Result<(), &'static str> {
        self.standing.now().await
    }

    /// Whether the key provider works now.
    pub async fn health(&self) -> Result<(), KeyError> {
        self.provider.health().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Mode, PartnerId};
    use crate::vault::envelope::EnvelopeError;
    use crate::vault::keys::{FileKeys, generate_file};
    use crate::vault::testing::MemoryDeks;

    const EXPIRY: CardExpiry = CardExpiry { year: 2030, month: 1 };

    struct Fixture {
        folder: tempfile::TempDir,
        store: Arc<MemoryDeks>,
    }

    impl Fixture {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), store: Arc::default() }
        }

        async fn vault(&self) -> Vault {
            let keys = FileKeys::open_or_generate(&self.folder.path().join("kek.json")).unwrap();
            Vault::start(Arc::new(keys), Arc::clone(&self.store) as Arc<dyn DekStore>, false).await.unwrap()
        }
    }

    fn owner() -> CardOwner {
        CardOwner {
            tenant: Tenant { partner_id: PartnerId::new(), mode: Mode::Test },
            customer_id: Some(CustomerId::new()),
            record: RecordId::Number(1_000_000_000_000_003),
        }
    }

    fn card() -> (Pan, HolderName) {
        (Pan::parse("4111111111111111").unwrap(), HolderName::parse("Zaphod Beeblebrox").unwrap())
    }

    #[tokio::test]
    async fn a_card_comes_back_in_another_process() {
        let (fixture, owner, (pan, holder)) = (Fixture::new(), owner(), card());
        let sealed = fixture.vault().await.seal_card(&owner, &pan, &holder).await.unwrap();
        let opened = fixture.vault().await.open_card(&owner, &sealed, EXPIRY).await.unwrap();
        assert_eq!((opened.pan, opened.holder, opened.expiry), (pan, holder, EXPIRY));
    }

    #[tokio::test]
    async fn a_card_opens_for_its_owner_only() {
        let (fixture, ours, (pan, holder)) = (Fixture::new(), owner(), card());
        let vault = fixture.vault().await;
        let sealed = vault.seal_card(&ours, &pan, &holder).await.unwrap();
        for other in [
            CardOwner { customer_id: Some(CustomerId::new()), ..ours },
            CardOwner { customer_id: None, ..ours },
            CardOwner { record: RecordId::Number(4), ..ours },
        ] {
            let refused = vault.open_card(&other, &sealed, EXPIRY).await;
            assert!(matches!(refused, Err(VaultError::Envelope(EnvelopeError::NotAuthentic))), "{other:?}");
        }
        for tenant in
            [Tenant { mode: Mode::Live, ..ours.tenant }, Tenant { partner_id: PartnerId::new(), ..ours.tenant }]
        {
            let refused = vault.open_card(&CardOwner { tenant, ..ours }, &sealed, EXPIRY).await;
            assert!(matches!(refused, Err(VaultError::ForeignDek(_))));
        }
        let swapped = SealedCard { pan: sealed.holder.clone(), holder: sealed.pan.clone() };
        let refused = vault.open_card(&ours, &swapped, EXPIRY).await;
        assert!(matches!(refused, Err(VaultError::Envelope(EnvelopeError::NotAuthentic))));
    }

    #[tokio::test]
    async fn a_billing_address_opens_for_its_card_only() {
        let (fixture, ours, (pan, holder)) = (Fixture::new(), owner(), card());
        let vault = fixture.vault().await;
        let mut address = BillingAddress::default();
        (address.line1, address.country) = (Some("221B Baker Street".to_owned()), Some("GB".to_owned()));
        let sealed = vault.seal_billing(&ours, &address).await.unwrap();
        assert_eq!(fixture.vault().await.open_billing(&ours, &sealed).await.unwrap(), address);
        let not_authentic = |refused: Result<BillingAddress, VaultError>| {
            matches!(refused, Err(VaultError::Envelope(EnvelopeError::NotAuthentic)))
        };
        for other in [
            CardOwner { customer_id: Some(CustomerId::new()), ..ours },
            CardOwner { record: RecordId::Number(4), ..ours },
        ] {
            assert!(not_authentic(vault.open_billing(&other, &sealed).await), "{other:?}");
        }
        let another = vault.seal_card(&ours, &pan, &holder).await.unwrap();
        assert!(not_authentic(vault.open_billing(&ours, &another.holder).await), "from another column");
        let no_address = vault.seal(&ours.column(BILLING_COLUMN), b"4111").await.unwrap();
        assert!(matches!(vault.open_billing(&ours, &no_address).await, Err(VaultError::NotAnAddress)));
    }

    #[tokio::test]
    async fn a_value_relabelled_with_another_key_does_not_open() {
        let (fixture, owner) = (Fixture::new(), owner());
        let vault = fixture.vault().await;
        let context = owner.column(PAN_COLUMN);
        let sealed = vault.seal(&context, b"x").await.unwrap();
        let other_key = vault.rotate(owner.tenant).await.unwrap();
        let mut relabelled = sealed.clone();
        relabelled.0[1..17].copy_from_slice(other_key.0.as_bytes());
        let refused = vault.open(&context, &relabelled).await;
        assert!(matches!(refused, Err(VaultError::Envelope(EnvelopeError::NotAuthentic))));
        relabelled.0[1..17].copy_from_slice(DekId::new().0.as_bytes());
        assert!(matches!(vault.open(&context, &relabelled).await, Err(VaultError::UnknownDek(_))));
        assert!(matches!(
            vault.open(&context, &Sealed(Vec::new())).await,
            Err(VaultError::Envelope(EnvelopeError::Empty))
        ));
    }

    #[tokio::test]
    async fn every_flipped_bit_of_a_stored_card_is_refused() {
        let (fixture, owner, (pan, holder)) = (Fixture::new(), owner(), card());
        let vault = fixture.vault().await;
        let sealed = vault.seal_card(&owner, &pan, &holder).await.unwrap();
        for bit in 0..sealed.pan.0.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.pan.0[bit / 8] ^= 1 << (bit % 8);
            assert!(vault.open_card(&owner, &flipped, EXPIRY).await.is_err(), "bit {bit}");
        }
    }

    #[tokio::test]
    async fn after_a_rotation_old_cards_open_and_are_sealed_anew() {
        let (fixture, owner, (pan, holder)) = (Fixture::new(), owner(), card());
        let vault = fixture.vault().await;
        let old = vault.seal_card(&owner, &pan, &holder).await.unwrap();
        assert_eq!(vault.reseal_card(&owner, &old).await.unwrap(), None);
        let primary = vault.rotate(owner.tenant).await.unwrap();
        assert_eq!(vault.open_card(&owner, &old, EXPIRY).await.unwrap().pan, pan);
        let new = vault.reseal_card(&owner, &old).await.unwrap().unwrap();
        assert_eq!((new.pan.dek_id(), new.holder.dek_id()), (Ok(primary), Ok(primary)));
        assert_eq!(vault.open_card(&owner, &new, EXPIRY).await.unwrap().holder, holder);
        assert_eq!(vault.reseal_card(&owner, &new).await.unwrap(), None);
    }

    #[tokio::test]
    async fn live_mode_refuses_development_keys() {
        let fixture = Fixture::new();
        let store = || Arc::clone(&fixture.store) as Arc<dyn DekStore>;
        let path = fixture.folder.path().join("development.json");
        let development = Arc::new(FileKeys::open_or_generate(&path).unwrap());
        assert!(matches!(Vault::start(development, store(), true).await, Err(VaultError::DevelopmentKeys)));
        let path = fixture.folder.path().join("live.json");
        generate_file(&path, false).unwrap();
        let live = Arc::new(FileKeys::open(&path).unwrap());
        assert!(Vault::start(live, store(), true).await.is_ok());
    }

    #[tokio::test]
    async fn macs_are_the_same_in_every_process() {
        let (fixture, owner, (pan, _)) = (Fixture::new(), owner(), card());
        let (one, two) = (fixture.vault().await, fixture.vault().await);
        assert_eq!(one.fingerprint(owner.tenant, &pan), two.fingerprint(owner.tenant, &pan));
        assert_eq!(one.fingerprint_key_id(), two.fingerprint_key_id());
        assert_eq!(one.body_hmac(b"body"), two.body_hmac(b"body"));
        assert_eq!(one.event_mac(&[1; 32], b"event"), two.event_mac(&[1; 32], b"event"));
        assert_ne!(one.event_mac(&[1; 32], b"event"), one.event_mac(&[2; 32], b"event"));
        assert_ne!(one.event_key_id(), one.fingerprint_key_id());
    }

    #[tokio::test]
    async fn nothing_printed_holds_a_digit_of_the_card() {
        let (fixture, owner, (pan, holder)) = (Fixture::new(), owner(), card());
        let vault = fixture.vault().await;
        let sealed = vault.seal_card(&owner, &pan, &holder).await.unwrap();
        let details = vault.open_card(&owner, &sealed, EXPIRY).await.unwrap();
        let print = vault.fingerprint(owner.tenant, &pan);
        let shown = format!("{details:?} {:?} {sealed:?} {print:?} {vault:?}", (&pan, &holder));
        for secret in ["4111", "1111", "Zaphod", "Beeblebrox", &hex::encode(print.0), &format!("{:?}", sealed.pan.0)] {
            assert!(!shown.contains(secret), "{secret}");
        }
        assert!(!format!("{pan:?}{holder:?}{sealed:?}{print:?}").chars().any(|c| c.is_ascii_digit()));
    }
}
