//! What partners prefund: credits, balances and statements of their own accounts.

use rust_decimal::Decimal;

use super::Gateway;
use super::access::{Caller, Refusal};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, Tenant};
use crate::domain::ledger::{self, EntryKind, Holder};
use crate::domain::money::Money;
use crate::store::Slice;
use crate::store::partner_funds;
pub use crate::store::partner_funds::StatementLine;
use crate::store::retry::transaction;
use crate::store::{accounts, entries, partners};

/// Money that reached a partner's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerCredit {
    /// The partner; `None` is the caller's own.
    pub partner_id: Option<PartnerId>,
    pub currency: AssetCode,
    /// In units of `currency`.
    pub amount: Decimal,
    /// Credited once.
    pub reference: String,
}

/// A partner's balance in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerFunds {
    pub currency: AssetCode,
    pub available: Decimal,
    /// What open payout requests hold.
    pub held: Decimal,
}

impl Gateway {
    /// Credits a partner's balance and answers it. In test mode partners credit themselves; live money only the house credits. The
    /// same reference is credited once: again, it changes nothing; with another amount it is refused.
    pub async fn credit_partner(&self, caller: &Caller, credit: &PartnerCredit) -> Result<PartnerFunds, Refusal> {
        let tenant = self.credited_tenant(caller, credit.partner_id).await?;
        let currency = "/data/attributes/currency";
        let asset = self
            .assets
            .get(credit.currency)
            .ok_or_else(|| Refusal::invalid(currency, "UNKNOWN_CURRENCY", "the currency is not configured"))?;
        let wrong_amount = |detail: String| Refusal::invalid("/data/attributes/amount", "INVALID_AMOUNT", detail);
        if credit.amount <= Decimal::ZERO {
            return Err(wrong_amount("is above zero".to_owned()));
        }
        let money = Money::new(credit.amount, asset).map_err(|error| wrong_amount(error.to_string()))?;
        let reference = &credit.reference;
        if !(1..=128).contains(&reference.chars().count()) || reference.chars().any(char::is_control) {
            let detail = "has 1 to 128 characters";
            return Err(Refusal::invalid("/data/attributes/reference_id", "WRONG_LENGTH", detail));
        }
        if crate::domain::card::strike_numbers(reference) != reference.as_str() {
            let detail = "holds what passes for a card number";
            return Err(Refusal::invalid("/data/attributes/reference_id", "CARD_NUMBER", detail));
        }
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            let keys = [Holder::Partner.available(asset.code), Holder::Partner.held(asset.code)];
            accounts::ensure(conn, &keys.map(|key| (tenant, key)), now).await?;
            let [available, held] = keys.map(|key| key.id(tenant));
            // Locked first, so that of two credits of one reference the second sees the first.
            let before = accounts::lock_balances(conn, &[(tenant, available), (tenant, held)]).await?;
            let of = |id| before.get(&id).copied().unwrap_or_default();
            let mut funds = PartnerFunds { currency: asset.code, available: of(available), held: of(held) };
            match partner_funds::moved_by(conn, tenant, available, EntryKind::Credit, reference).await? {
                Some(moved) if moved == money.amount() => return Ok(funds),
                Some(_) => {
                    let detail = "the reference stands for another credit";
                    return Err(Refusal::conflict("REFERENCE_REUSED", detail));
                }
                None => {}
            }
            let entry = ledger::credit(tenant, Holder::Partner, asset.code, money.amount(), reference)
                .map_err(super::GatewayError::from)?;
            entries::book(conn, &[entry], now).await?;
            funds.available += money.amount();
            Ok(funds)
        })
        .await
    }

    /// Whose balance a credit is for, if the caller may.
    async fn credited_tenant(&self, caller: &Caller, partner_id: Option<PartnerId>) -> Result<Tenant, Refusal> {
        let own = caller.tenant;
        let forbidden = |detail: &str| Refusal::Forbidden { code: "CREDIT_FORBIDDEN", detail: detail.to_owned() };
        if !caller.is_house {
            if own.mode == Mode::Live {
                return Err(forbidden("live balances are credited by the house"));
            }
            return match partner_id {
                Some(other) if other != own.partner_id => Err(forbidden("the balance is another partner's")),
                _ => Ok(own),
            };
        }
        let pointer = "/data/attributes/partner";
        let partner_id =
            partner_id.ok_or_else(|| Refusal::invalid(pointer, "PARTNER_REQUIRED", "the house names the partner"))?;
        let mut conn = self.db.get().await?;
        let known = partners::all(&mut conn).await?.iter().any(|partner| partner.id == partner_id);
        if !known {
            return Err(Refusal::invalid(pointer, "UNKNOWN_PARTNER", "there is no such partner"));
        }
        Ok(Tenant { partner_id, mode: own.mode })
    }

    /// The caller's balances, in every currency that it ever had one in.
    pub async fn partner_funds(&self, caller: &Caller) -> Result<Vec<PartnerFunds>, Refusal> {
        let conn = self.db.get().await?;
        let rows = partner_funds::balances(&conn, caller.tenant, &self.assets).await?;
        let mut funds: Vec<PartnerFunds> = Vec::new();
        for row in rows {
            if funds.last().is_none_or(|last| last.currency != row.asset) {
                funds.push(PartnerFunds { currency: row.asset, available: Decimal::ZERO, held: Decimal::ZERO });
            }
            let Some(last) = funds.last_mut() else { continue };
            if row.kind == "partner_held" { last.held = row.balance } else { last.available = row.balance }
        }
        Ok(funds)
    }

    /// A part of the caller's statement.
    pub async fn partner_statement(&self, caller: &Caller, slice: Slice) -> Result<Vec<StatementLine>, Refusal> {
        let conn = self.db.get().await?;
        Ok(partner_funds::lines(&conn, caller.tenant, slice).await?)
    }
}
