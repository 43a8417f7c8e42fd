//! Where a user stands, in one read: the customer, one of their cards, a balance and the rolling sums. Quotes are
//! judged by it without a lock; a pay looks again under locks.

use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Numeric, SmallInt, Text, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::offers::{OfferCard, OfferCardSql, offer_card_columns};
use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::{CardId, CustomerId, Mode, PartnerId, Tenant};
use crate::domain::limit::UsageWindow;

type StandingSql = ((SqlUuid, SmallInt, Bool), OfferCardSql, Nullable<Numeric>, Nullable<Jsonb>, Nullable<Jsonb>);

statement! {
    struct FindStanding {
        card_id: CardId as BigInt, asset: AssetCode as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, reference: String as Text,
    } => StandingSql
      = concat!("SELECT u.id, u.kyc_level, u.blocked_at IS NOT NULL, ", offer_card_columns!(), ", a.balance, lu.usage, lc.usage \
         FROM customer u \
         JOIN card c ON (c.partner_id, c.mode, c.customer_id) = (u.partner_id, u.mode, u.id) AND c.id = ? \
         LEFT JOIN account a ON (a.partner_id, a.mode, a.owner_id) = (u.partner_id, u.mode, u.id) \
              AND a.kind = 'user_available' AND a.asset = ? \
         LEFT JOIN limit_usage lu ON (lu.partner_id, lu.mode, lu.subject_kind, lu.subject_id, lu.stripe) \
              = (u.partner_id, u.mode, 'customer', replace(u.id::text, '-', ''), 0) \
         LEFT JOIN limit_usage lc ON (lc.partner_id, lc.mode, lc.subject_kind, lc.subject_id, lc.stripe) \
              = (u.partner_id, u.mode, 'card', c.id::text, 0) \
         WHERE u.partner_id = ? AND u.mode = ? AND u.reference = ?")
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Standing {
    pub customer_id: CustomerId,
    pub kyc_level: i16,
    pub is_blocked: bool,
    pub card: OfferCard,
    pub balance: Decimal,
    pub customer_usage: UsageWindow,
    pub card_usage: UsageWindow,
}

type Row = ((CustomerId, i16, bool), OfferCard, Option<Decimal>, Option<Value>, Option<Value>);

fn window(stored: Option<Value>) -> QueryResult<UsageWindow> {
    stored
        .map_or(Ok(UsageWindow::default()), serde_json::from_value)
        .map_err(|error| diesel::result::Error::DeserializationError(error.into()))
}

/// The standing of a user and one of their cards, hidden or not, in one currency; `None` if they have no such card.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    reference: &str,
    card_id: CardId,
    asset: AssetCode,
) -> QueryResult<Option<Standing>> {
    let row: Option<Row> = FindStanding {
        card_id,
        asset,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        reference: reference.to_owned(),
    }
    .get_result(conn)
    .await
    .optional()?;
    row.map(|((customer_id, kyc_level, is_blocked), card, balance, customer_usage, card_usage)| {
        Ok(Standing {
            customer_id,
            kyc_level,
            is_blocked,
            card,
            balance: balance.unwrap_or_default(),
            customer_usage: window(customer_usage)?,
            card_usage: window(card_usage)?,
        })
    })
    .transpose()
}
