//! What the wallet answers, before it becomes JSON. Amounts are exact decimals in units of the currency beside them.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::asset::AssetCode;
use crate::domain::card::CardScheme;
use crate::domain::fee::FeeKind;
use crate::domain::ids::{CardId, OfferId};
use crate::domain::offer::{OfferStatus, RefusalCode};
use crate::domain::payout::Resolution;

/// `validationStatus` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardValidation {
    Approved,
    Pending,
    Declined,
    Expired,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardView {
    pub id: CardId,
    pub scheme: CardScheme,
    /// First four, three stars, last four: `4907***3896`.
    pub masked_pan: String,
    pub validation: CardValidation,
    pub pair_limits: Vec<PairLimits>,
    pub billing_address_required: bool,
    pub fast_funds: bool,
}

/// What may be paid to a card in one offer, in units of `currency_from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairLimits {
    pub currency_from: AssetCode,
    pub currency_to: AssetCode,
    pub amount_from_min: Decimal,
    pub amount_from_max: Decimal,
    /// What "spend everything" comes to now: zero if nothing can be spent.
    pub amount_from_all: Decimal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairView {
    pub currency_from: AssetCode,
    pub currency_to: AssetCode,
    /// What the user gets for one unit, spread included, shown to 6 decimals.
    pub rate: Decimal,
    pub amount_scale_from: u8,
    pub amount_scale_to: u8,
    pub default_amount_from_min: Decimal,
    pub default_amount_from_max: Decimal,
    pub default_amount_max_all: Decimal,
}

/// The fees as an app shows them ahead of an offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeesView {
    /// The spread, in percent.
    pub rate: Decimal,
    /// Percent of the amount.
    pub transaction_fee: Decimal,
    /// In fiat.
    pub fix_fee: Decimal,
    /// Percent of the amount.
    pub additional_fee: Decimal,
    /// In the source currency.
    pub network_gas: Decimal,
    /// Percent of the amount.
    pub partner_fee: Decimal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataView {
    pub cards: Vec<CardView>,
    /// Pairs that have a price now.
    pub pairs: Vec<PairView>,
    pub fees: FeesView,
    pub valid_seconds: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeView {
    /// The wire folds `Fixed` into `Transaction`: `TRANSACTION_FEE`, `ADDITIONAL_FEE`, `CRYPTERIUM_GAS`, `PARTNER_FEE`.
    pub kind: FeeKind,
    pub currency: AssetCode,
    pub scale: u8,
    pub value: Decimal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferView {
    pub id: OfferId,
    /// Whole seconds from `server_time` to `expires_at`, rounded down; 0 if over.
    pub valid_seconds: u64,
    pub amount: Decimal,
    pub currency_from: AssetCode,
    pub amount_to: Decimal,
    pub currency_to: AssetCode,
    /// Shown to 6 decimals.
    pub rate: Decimal,
    pub fees: Vec<FeeView>,
    pub total_from: Decimal,
    pub status: OfferStatus,
    pub version: i32,
    pub expires_at: DateTime<Utc>,
    pub server_time: DateTime<Utc>,
    pub possible_to_execute: bool,
    /// The first rule that refuses, and the limit that it refuses by.
    pub reason: Option<RefusalCode>,
    pub limit: Option<(Decimal, AssetCode)>,
}

/// `status` of a pay on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayStatus {
    Success,
    /// Accepted, not final: ask again.
    Pending,
    Partial,
    /// Everything was released.
    Failed,
    Returned,
}

impl PayStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            PayStatus::Success => "SUCCESS",
            PayStatus::Pending => "PENDING",
            PayStatus::Partial => "PARTIAL",
            PayStatus::Failed => "FAILED",
            PayStatus::Returned => "RETURNED",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayView {
    pub offer_id: OfferId,
    pub status: PayStatus,
    /// The offer's amounts; of a partial payout what was really taken and paid.
    pub amount_from: Decimal,
    pub currency_from: AssetCode,
    pub amount_to: Decimal,
    pub currency_to: AssetCode,
    pub fee_amount: Decimal,
    pub total_from: Decimal,
    pub resolution: Option<Resolution>,
}

/// Where an offer stands, and of which version that is said: a change of either is one to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferStage {
    pub version: i32,
    pub status: OfferStatus,
}

impl OfferStage {
    /// Nothing is waited for any more. What was paid may still come back, days later.
    pub const fn is_final(self) -> bool {
        !matches!(self.status, OfferStatus::Quoted | OfferStatus::Accepted)
    }
}

/// What became of an offer so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FateView {
    pub offer_id: OfferId,
    pub stage: OfferStage,
    /// `None`: nobody has paid it.
    pub pay: Option<PayView>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    pub pay: PayView,
    pub masked_pan: String,
    pub accepted_at: DateTime<Utc>,
    pub final_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryView {
    /// Newest first.
    pub items: Vec<HistoryItem>,
    /// Where the next page begins; `None`: there is none.
    pub next_cursor: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceView {
    pub currency: AssetCode,
    pub available: Decimal,
    pub held: Decimal,
    pub scale: u8,
}
