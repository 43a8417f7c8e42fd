//! What configuration names is written down at start: partners, payout points, provider accounts, deposit accounts
//! and routes, by their codes. Doing it again changes what configuration changed and nothing else.

use rust_decimal::Decimal;
use serde_json::json;

use super::{Gateway, GatewayError};
use crate::config::gateway::{DepositAccountSeed, HOUSE, RouteSeed, decimal};
use crate::domain::ids::{DepositAccountId, PartnerId, ProviderAccountId, Tenant};
use crate::domain::ledger::{self, EntryKind, FiatSide};
use crate::store::retry::transaction;
use crate::store::{entries, partners, routes};

impl Gateway {
    /// Writes the configured entities down.
    pub async fn seed(&self) -> Result<(), GatewayError> {
        transaction(&self.db, async |conn| {
            let now = self.clock.now();
            partners::ensure(conn, HOUSE, "The house", now).await?;
            for partner in &self.settings.partners {
                partners::ensure(conn, &partner.code, &partner.name, now).await?;
            }
            let known = partners::all(conn).await?;
            let id_of = |code: &str| -> Result<PartnerId, GatewayError> {
                known
                    .iter()
                    .find(|partner| partner.code == code)
                    .map(|partner| partner.id)
                    .ok_or_else(|| GatewayError::Corrupt(format!("partner {code} isn't there")))
            };
            for point in &self.settings.payout_points {
                let tenant = Tenant { partner_id: id_of(&point.partner)?, mode: point.mode };
                routes::ensure_point(conn, tenant, &point.code, &point.name, point.currencies.clone(), now).await?;
            }
            let house = id_of(HOUSE)?;
            for account in &self.settings.provider_accounts {
                let owner = Tenant { partner_id: house, mode: account.mode };
                let settings = json!(account.settings);
                let account_id = routes::ensure_provider_account(
                    conn,
                    owner,
                    &account.code,
                    &account.provider,
                    account.enabled,
                    settings,
                    now,
                )
                .await?;
                let deposits = self.settings.deposit_accounts.iter();
                for deposit in deposits.filter(|deposit| deposit.provider_account == account.code) {
                    let id = self.seed_deposit(conn, owner, account_id, deposit).await?;
                    let of_deposit = self.settings.routes.iter().filter(|r| r.deposit_account == deposit.code);
                    for route in of_deposit {
                        routes::ensure_route(conn, owner, id, route_row(route), now).await?;
                    }
                }
            }
            Ok::<_, GatewayError>(())
        })
        .await?;
        self.routes.forget();
        Ok(())
    }

    async fn seed_deposit(
        &self,
        conn: &mut diesel_async::AsyncPgConnection,
        owner: Tenant,
        account_id: ProviderAccountId,
        deposit: &DepositAccountSeed,
    ) -> Result<DepositAccountId, GatewayError> {
        let now = self.clock.now();
        let (id, _) =
            routes::ensure_deposit_account(conn, owner, &deposit.code, account_id, deposit.currency, now).await?;
        let amount = deposit.initial_balance.as_deref().and_then(decimal).unwrap_or(Decimal::ZERO);
        let reference = format!("initial-{}", id.0.simple());
        let is_due = !amount.is_zero() && !entries::is_booked(conn, owner, EntryKind::TopUp, &reference).await?;
        if is_due {
            let fiat = FiatSide { deposit_account: id, asset: deposit.currency, amount };
            entries::book(conn, &[ledger::top_up(owner, fiat, &reference)?], now).await?;
            routes::top_up(conn, id, amount).await?;
        }
        Ok(id)
    }
}

fn route_row(route: &RouteSeed) -> routes::RouteSeed {
    // Configuration was checked: what isn't a number was refused at start.
    let number = |text: &str| decimal(text).unwrap_or(Decimal::ZERO);
    routes::RouteSeed {
        code: route.code.clone(),
        service: route.service.clone(),
        enabled: route.enabled,
        amount_min: route.amount_min.as_deref().map(number),
        amount_max: route.amount_max.as_deref().map(number),
        cost_percent: number(&route.cost_percent),
        cost_fixed: number(&route.cost_fixed),
        position: route.position,
    }
}
