//! Double entry: accounts, balanced entries, and the recipes that turn what happened into postings.
//!
//! An entry's postings sum to zero per asset (invariant 4), or it can't be made. A posting is never changed;
//! a correction is another entry. A recipe never decides whether something may happen: it says how it is booked.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::asset::AssetCode;
use super::exact;
use super::ids::{CustomerId, DepositAccountId, PartnerId, Tenant};

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountKind {
    /// What a user can spend.
    UserAvailable,
    /// What a user's accepted offers hold.
    UserHeld,
    PartnerAvailable,
    PartnerHeld,
    /// Fees that we owe to the partner.
    PartnerPayable,
    /// Crypto that the house took for the fiat it paid.
    HouseInventory,
    FeeIncome,
    SpreadIncome,
    /// Residues of rounding, so that nothing is lost.
    Rounding,
    /// Fiat at a provider, one per deposit account. May go below zero: the truth is posted, then alarmed.
    ProviderFunding,
    PayoutCost,
    /// Fiat paid that nobody has been charged for.
    Recoverable,
    /// The other side of what waits for a person.
    Suspense,
    /// The world outside.
    External,
}

impl AccountKind {
    pub const ALL: [AccountKind; 14] = [
        AccountKind::UserAvailable,
        AccountKind::UserHeld,
        AccountKind::PartnerAvailable,
        AccountKind::PartnerHeld,
        AccountKind::PartnerPayable,
        AccountKind::HouseInventory,
        AccountKind::FeeIncome,
        AccountKind::SpreadIncome,
        AccountKind::Rounding,
        AccountKind::ProviderFunding,
        AccountKind::PayoutCost,
        AccountKind::Recoverable,
        AccountKind::Suspense,
        AccountKind::External,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            AccountKind::UserAvailable => "user_available",
            AccountKind::UserHeld => "user_held",
            AccountKind::PartnerAvailable => "partner_available",
            AccountKind::PartnerHeld => "partner_held",
            AccountKind::PartnerPayable => "partner_payable",
            AccountKind::HouseInventory => "house_inventory",
            AccountKind::FeeIncome => "fee_income",
            AccountKind::SpreadIncome => "spread_income",
            AccountKind::Rounding => "rounding",
            AccountKind::ProviderFunding => "provider_funding",
            AccountKind::PayoutCost => "payout_cost",
            AccountKind::Recoverable => "recoverable",
            AccountKind::Suspense => "suspense",
            AccountKind::External => "external",
        }
    }

    /// Accounts whose row is updated with each posting and never goes below zero. The balance of all others is
    /// gathered in batches, since every payout touches them.
    pub const fn has_own_row_balance(self) -> bool {
        match self {
            AccountKind::UserAvailable
            | AccountKind::UserHeld
            | AccountKind::PartnerAvailable
            | AccountKind::PartnerHeld => true,
            AccountKind::PartnerPayable
            | AccountKind::HouseInventory
            | AccountKind::FeeIncome
            | AccountKind::SpreadIncome
            | AccountKind::Rounding
            | AccountKind::ProviderFunding
            | AccountKind::PayoutCost
            | AccountKind::Recoverable
            | AccountKind::Suspense
            | AccountKind::External => false,
        }
    }
}

/// Whose account it is, within its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountOwner {
    House,
    Partner,
    Customer(CustomerId),
    DepositAccount(DepositAccountId),
}

impl AccountOwner {
    pub const fn kind_str(self) -> &'static str {
        match self {
            AccountOwner::House => "house",
            AccountOwner::Partner => "partner",
            AccountOwner::Customer(_) => "customer",
            AccountOwner::DepositAccount(_) => "deposit_account",
        }
    }

    pub const fn id(self) -> Option<Uuid> {
        match self {
            AccountOwner::House | AccountOwner::Partner => None,
            AccountOwner::Customer(id) => Some(id.0),
            AccountOwner::DepositAccount(id) => Some(id.0),
        }
    }
}

/// Names one account. Its id is derived from its name, so that nobody has to look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey {
    pub owner: AccountOwner,
    pub kind: AccountKind,
    pub asset: AssetCode,
}

/// The namespace of account ids (a random UUID, fixed for good).
const ACCOUNT_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3a52_9c0b_4d57_8f6e_21c4_b0a7_e9d3);

impl AccountKey {
    pub const fn user_available(customer: CustomerId, asset: AssetCode) -> Self {
        Self { owner: AccountOwner::Customer(customer), kind: AccountKind::UserAvailable, asset }
    }

    pub const fn user_held(customer: CustomerId, asset: AssetCode) -> Self {
        Self { owner: AccountOwner::Customer(customer), kind: AccountKind::UserHeld, asset }
    }

    pub const fn house(kind: AccountKind, asset: AssetCode) -> Self {
        Self { owner: AccountOwner::House, kind, asset }
    }

    pub const fn provider_funding(deposit_account: DepositAccountId, asset: AssetCode) -> Self {
        Self { owner: AccountOwner::DepositAccount(deposit_account), kind: AccountKind::ProviderFunding, asset }
    }

    /// The account's id: UUIDv5 of tenant, owner, kind and asset.
    pub fn id(&self, tenant: Tenant) -> Uuid {
        let PartnerId(partner) = tenant.partner_id;
        let name = format!(
            "{}/{}/{}/{}/{}/{}",
            partner.simple(),
            tenant.mode,
            self.owner.kind_str(),
            self.owner.id().unwrap_or_default().simple(),
            self.kind.as_str(),
            self.asset
        );
        Uuid::new_v5(&ACCOUNT_NAMESPACE, name.as_bytes())
    }
}

/// What an entry was made for. Together with its reference it names the entry: the same pair is booked once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryKind {
    Credit,
    Debit,
    Hold,
    Release,
    Settle,
    Return,
    PayoutCost,
    LateSuccess,
    TopUp,
    /// A provider's payment that no payout of ours stands for.
    Unmatched,
    /// Fiat of a case that came back.
    Recovery,
    /// What a case leaves that nobody will pay.
    WriteOff,
    /// What was taken for recoverable and isn't: a case that was explained.
    Correction,
}

impl EntryKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            EntryKind::Credit => "credit",
            EntryKind::Debit => "debit",
            EntryKind::Hold => "hold",
            EntryKind::Release => "release",
            EntryKind::Settle => "settle",
            EntryKind::Return => "return",
            EntryKind::PayoutCost => "payout_cost",
            EntryKind::LateSuccess => "late_success",
            EntryKind::TopUp => "top_up",
            EntryKind::Unmatched => "unmatched",
            EntryKind::Recovery => "recovery",
            EntryKind::WriteOff => "write_off",
            EntryKind::Correction => "correction",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    pub account: AccountKey,
    /// In units of the account's asset; never zero. Positive adds to the account.
    pub amount: Decimal,
}

/// A balanced set of postings, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub tenant: Tenant,
    pub kind: EntryKind,
    pub reference: String,
    /// Whose statement shows it.
    pub customer: Option<CustomerId>,
    postings: Vec<Posting>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    #[error("entry {kind}/{reference} is out of balance by {by} {asset}")]
    Unbalanced { kind: &'static str, reference: String, by: Decimal, asset: AssetCode },
    #[error("entry {kind}/{reference} has no postings")]
    Empty { kind: &'static str, reference: String },
    #[error(transparent)]
    Arithmetic(#[from] exact::ArithmeticError),
}

impl Entry {
    /// Zero postings are dropped; what is left must balance per asset and be something.
    pub fn new(
        tenant: Tenant,
        kind: EntryKind,
        reference: impl Into<String>,
        customer: Option<CustomerId>,
        postings: impl IntoIterator<Item = Posting>,
    ) -> Result<Self, LedgerError> {
        let reference = reference.into();
        let postings: Vec<Posting> = postings.into_iter().filter(|p| !p.amount.is_zero()).collect();
        if postings.is_empty() {
            return Err(LedgerError::Empty { kind: kind.as_str(), reference });
        }
        let mut sums: BTreeMap<AssetCode, Decimal> = BTreeMap::new();
        for posting in &postings {
            let sum = sums.entry(posting.account.asset).or_default();
            *sum = exact::add(*sum, posting.amount)?;
        }
        if let Some((&asset, &by)) = sums.iter().find(|(_, sum)| !sum.is_zero()) {
            return Err(LedgerError::Unbalanced { kind: kind.as_str(), reference, by, asset });
        }
        Ok(Self { tenant, kind, reference, customer, postings })
    }

    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

/// Whose money a payout request holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// A wallet's user.
    Customer(CustomerId),
    /// The tenant's partner itself.
    Partner,
}

impl Holder {
    pub const fn available(self, asset: AssetCode) -> AccountKey {
        match self {
            Holder::Customer(customer) => AccountKey::user_available(customer, asset),
            Holder::Partner => AccountKey { owner: AccountOwner::Partner, kind: AccountKind::PartnerAvailable, asset },
        }
    }

    pub const fn held(self, asset: AssetCode) -> AccountKey {
        match self {
            Holder::Customer(customer) => AccountKey::user_held(customer, asset),
            Holder::Partner => AccountKey { owner: AccountOwner::Partner, kind: AccountKind::PartnerHeld, asset },
        }
    }

    /// The customer whose statement shows it, if it is one's.
    pub const fn customer(self) -> Option<CustomerId> {
        match self {
            Holder::Customer(customer) => Some(customer),
            Holder::Partner => None,
        }
    }
}

impl From<CustomerId> for Holder {
    fn from(customer: CustomerId) -> Self {
        Holder::Customer(customer)
    }
}

fn posting(account: AccountKey, amount: Decimal) -> Posting {
    Posting { account, amount }
}

/// Money that reached the holder from outside: crypto a user's wallet, fiat or crypto a partner's balance.
pub fn credit(
    tenant: Tenant,
    holder: impl Into<Holder>,
    asset: AssetCode,
    amount: Decimal,
    reference: &str,
) -> Result<Entry, LedgerError> {
    let holder = holder.into();
    Entry::new(
        tenant,
        EntryKind::Credit,
        reference,
        holder.customer(),
        [posting(AccountKey::house(AccountKind::External, asset), -amount), posting(holder.available(asset), amount)],
    )
}

/// An accepted offer, or a partner's payout request, holds its total.
pub fn hold(
    tenant: Tenant,
    holder: impl Into<Holder>,
    asset: AssetCode,
    total: Decimal,
    reference: &str,
) -> Result<Entry, LedgerError> {
    let holder = holder.into();
    Entry::new(
        tenant,
        EntryKind::Hold,
        reference,
        holder.customer(),
        [posting(holder.available(asset), -total), posting(holder.held(asset), total)],
    )
}

/// What a hold no longer needs goes back to its holder.
pub fn release(
    tenant: Tenant,
    holder: impl Into<Holder>,
    asset: AssetCode,
    amount: Decimal,
    reference: &str,
) -> Result<Entry, LedgerError> {
    let holder = holder.into();
    Entry::new(
        tenant,
        EntryKind::Release,
        reference,
        holder.customer(),
        [posting(holder.held(asset), -amount), posting(holder.available(asset), amount)],
    )
}

/// How the crypto side of a settlement is divided, in units of the source asset (see `offer::settlement`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CryptoTerms {
    pub house_inventory: Decimal,
    pub spread_income: Decimal,
    pub rounding: Decimal,
    pub fee_income: Decimal,
    pub partner_payable: Decimal,
}

impl CryptoTerms {
    fn postings(&self, asset: AssetCode, sign: Decimal) -> [Posting; 5] {
        [
            posting(AccountKey::house(AccountKind::HouseInventory, asset), sign * self.house_inventory),
            posting(AccountKey::house(AccountKind::SpreadIncome, asset), sign * self.spread_income),
            posting(AccountKey::house(AccountKind::Rounding, asset), sign * self.rounding),
            posting(AccountKey::house(AccountKind::FeeIncome, asset), sign * self.fee_income),
            posting(
                AccountKey { owner: AccountOwner::Partner, kind: AccountKind::PartnerPayable, asset },
                sign * self.partner_payable,
            ),
        ]
    }

    fn sum(&self) -> Result<Decimal, exact::ArithmeticError> {
        [self.house_inventory, self.spread_income, self.rounding, self.fee_income, self.partner_payable]
            .into_iter()
            .try_fold(Decimal::ZERO, exact::add)
    }
}

/// The fiat side of a payout: which deposit account paid how much of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiatSide {
    pub deposit_account: DepositAccountId,
    pub asset: AssetCode,
    pub amount: Decimal,
}

impl FiatSide {
    fn leaves(&self) -> [Posting; 2] {
        [
            posting(AccountKey::provider_funding(self.deposit_account, self.asset), -self.amount),
            posting(AccountKey::house(AccountKind::External, self.asset), self.amount),
        ]
    }
}

/// Fiat reached the card: the held crypto becomes the house's, and the provider's balance goes down.
pub fn settle(
    tenant: Tenant,
    holder: impl Into<Holder>,
    asset: AssetCode,
    terms: &CryptoTerms,
    fiat: FiatSide,
    reference: &str,
) -> Result<Entry, LedgerError> {
    let holder = holder.into();
    let taken = terms.sum()?;
    Entry::new(
        tenant,
        EntryKind::Settle,
        reference,
        holder.customer(),
        terms.postings(asset, Decimal::ONE).into_iter().chain([
            posting(holder.held(asset), -taken),
            posting(AccountKey::provider_funding(fiat.deposit_account, fiat.asset), -fiat.amount),
            posting(AccountKey::house(AccountKind::External, fiat.asset), fiat.amount),
        ]),
    )
}

/// Fiat came back from the card: what was taken for it goes back to the user at the original rate.
///
/// `terms` are the amounts to reverse (see `offer::settlement`); fees are in them only where configured.
pub fn return_payout(
    tenant: Tenant,
    holder: impl Into<Holder>,
    asset: AssetCode,
    terms: &CryptoTerms,
    fiat: FiatSide,
    reference: &str,
) -> Result<Entry, LedgerError> {
    let holder = holder.into();
    let given_back = terms.sum()?;
    Entry::new(
        tenant,
        EntryKind::Return,
        reference,
        holder.customer(),
        terms.postings(asset, Decimal::NEGATIVE_ONE).into_iter().chain([
            posting(holder.available(asset), given_back),
            posting(AccountKey::provider_funding(fiat.deposit_account, fiat.asset), fiat.amount),
            posting(AccountKey::house(AccountKind::External, fiat.asset), -fiat.amount),
        ]),
    )
}

/// Fiat reached the card out of a partner's own deposit account: nobody holds anything for it but the account itself.
pub fn settle_own(tenant: Tenant, fiat: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    Entry::new(tenant, EntryKind::Settle, reference, None, fiat.leaves())
}

/// Fiat came back to a partner's own deposit account.
pub fn return_own(tenant: Tenant, fiat: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    let came_back = FiatSide { amount: -fiat.amount, ..fiat };
    Entry::new(tenant, EntryKind::Return, reference, None, came_back.leaves())
}

/// What the provider charges for a payout.
pub fn payout_cost(tenant: Tenant, cost: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    Entry::new(
        tenant,
        EntryKind::PayoutCost,
        reference,
        None,
        [
            posting(AccountKey::provider_funding(cost.deposit_account, cost.asset), -cost.amount),
            posting(AccountKey::house(AccountKind::PayoutCost, cost.asset), cost.amount),
        ],
    )
}

/// A success that showed up after a failure was recorded. The user is never debited without an acceptance, so the
/// fiat that left is recoverable, against suspense, until a person closes the case.
pub fn late_success(tenant: Tenant, fiat: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    Entry::new(
        tenant,
        EntryKind::LateSuccess,
        reference,
        None,
        [
            posting(AccountKey::provider_funding(fiat.deposit_account, fiat.asset), -fiat.amount),
            posting(AccountKey::house(AccountKind::External, fiat.asset), fiat.amount),
            posting(AccountKey::house(AccountKind::Recoverable, fiat.asset), fiat.amount),
            posting(AccountKey::house(AccountKind::Suspense, fiat.asset), -fiat.amount),
        ],
    )
}

/// A provider's payment that no payout of ours stands for: the fiat is gone, and recoverable until its case is closed.
pub fn unmatched(tenant: Tenant, fiat: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    let [funding, external] = fiat.leaves();
    let open = recoverable(fiat.asset, fiat.amount);
    Entry::new(tenant, EntryKind::Unmatched, reference, None, [funding, external].into_iter().chain(open))
}

/// Recoverable fiat that is back at the deposit account.
pub fn recovery(tenant: Tenant, fiat: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    let came_back = FiatSide { amount: -fiat.amount, ..fiat };
    let closed = recoverable(fiat.asset, -fiat.amount);
    Entry::new(tenant, EntryKind::Recovery, reference, None, came_back.leaves().into_iter().chain(closed))
}

/// Recoverable fiat that nobody will pay back.
pub fn write_off(tenant: Tenant, asset: AssetCode, amount: Decimal, reference: &str) -> Result<Entry, LedgerError> {
    Entry::new(tenant, EntryKind::WriteOff, reference, None, recoverable(asset, -amount))
}

/// Fiat that counted as recoverable and was rightly paid: no money moves.
pub fn explained(tenant: Tenant, asset: AssetCode, amount: Decimal, reference: &str) -> Result<Entry, LedgerError> {
    Entry::new(tenant, EntryKind::Correction, reference, None, recoverable(asset, -amount))
}

/// What becomes recoverable, against suspense; below zero: what no longer is.
fn recoverable(asset: AssetCode, amount: Decimal) -> [Posting; 2] {
    [
        posting(AccountKey::house(AccountKind::Recoverable, asset), amount),
        posting(AccountKey::house(AccountKind::Suspense, asset), -amount),
    ]
}

/// Fiat put into a deposit account.
pub fn top_up(tenant: Tenant, fiat: FiatSide, reference: &str) -> Result<Entry, LedgerError> {
    Entry::new(
        tenant,
        EntryKind::TopUp,
        reference,
        None,
        [
            posting(AccountKey::house(AccountKind::External, fiat.asset), -fiat.amount),
            posting(AccountKey::provider_funding(fiat.deposit_account, fiat.asset), fiat.amount),
        ],
    )
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;

    use super::*;
    use crate::domain::ids::Mode;

    /// What the entries come to on each account.
    fn sums(entries: &[Entry]) -> BTreeMap<AccountKind, Decimal> {
        let mut sums = BTreeMap::new();
        for posting in entries.iter().flat_map(Entry::postings) {
            *sums.entry(posting.account.kind).or_insert(Decimal::ZERO) += posting.amount;
        }
        sums.retain(|_, sum: &mut Decimal| !sum.is_zero());
        sums
    }

    fn ground() -> (Tenant, FiatSide) {
        let tenant = Tenant { partner_id: PartnerId(Uuid::nil()), mode: Mode::Test };
        let deposit_account = DepositAccountId(Uuid::nil());
        (tenant, FiatSide { deposit_account, asset: "EUR".parse().unwrap(), amount: dec!(100) })
    }

    #[test]
    fn an_unmatched_payment_leaves_the_deposit_account_and_is_recoverable() {
        let (tenant, fiat) = ground();
        let booked = unmatched(tenant, fiat, "a").unwrap();
        let expected = [
            (AccountKind::ProviderFunding, dec!(-100)),
            (AccountKind::External, dec!(100)),
            (AccountKind::Recoverable, dec!(100)),
            (AccountKind::Suspense, dec!(-100)),
        ];
        assert_eq!(sums(&[booked]), BTreeMap::from(expected));
    }

    #[test]
    fn what_is_recovered_in_full_leaves_nothing_behind() {
        let (tenant, fiat) = ground();
        let entries = [unmatched(tenant, fiat, "a").unwrap(), recovery(tenant, fiat, "b").unwrap()];
        assert_eq!(sums(&entries), BTreeMap::new());
        let entries = [late_success(tenant, fiat, "a").unwrap(), recovery(tenant, fiat, "b").unwrap()];
        assert_eq!(sums(&entries), BTreeMap::new());
    }

    #[test]
    fn what_is_written_off_or_explained_is_gone_and_no_longer_recoverable() {
        let (tenant, fiat) = ground();
        let gone = BTreeMap::from([(AccountKind::ProviderFunding, dec!(-100)), (AccountKind::External, dec!(100))]);
        for end in [write_off, explained] {
            let closed = end(tenant, fiat.asset, fiat.amount, "b").unwrap();
            assert_eq!(sums(&[unmatched(tenant, fiat, "a").unwrap(), closed]), gone);
        }
        let part = FiatSide { amount: dec!(30), ..fiat };
        let entries = [
            unmatched(tenant, fiat, "a").unwrap(),
            recovery(tenant, part, "b").unwrap(),
            write_off(tenant, fiat.asset, dec!(70), "b").unwrap(),
        ];
        let left = BTreeMap::from([(AccountKind::ProviderFunding, dec!(-70)), (AccountKind::External, dec!(70))]);
        assert_eq!(sums(&entries), left);
    }

    #[test]
    fn nothing_is_booked_of_nothing() {
        let (tenant, fiat) = ground();
        assert!(matches!(write_off(tenant, fiat.asset, Decimal::ZERO, "b"), Err(LedgerError::Empty { .. })));
    }
}
