//! Where a user stands, in one read: the customer, one of their cards, a balance and the rolling sums. Quotes are
//! judged by it without a lock; a pay looks again under locks.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Numeric, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;
use serde_json::Value;

use super::blocks::{self, listed_for};
use super::offers::{OfferCard, OfferCardSql, offer_card_columns};
use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::block::Listed;
use crate::domain::ids::{CardId, CustomerId, Mode, PartnerId, Tenant};
use crate::domain::limit::UsageWindow;

type StandingSql = (
    (SqlUuid, SmallInt, Bool, Nullable<Text>),
    OfferCardSql,
    Nullable<Numeric>,
    Nullable<Jsonb>,
    Nullable<Jsonb>,
    Array<Text>,
);

statement! {
    struct FindStanding {
        now: DateTime<Utc> as Timestamptz, card_id: CardId as BigInt, asset: AssetCode as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, reference: String as Text,
    } => StandingSql
      = concat!("SELECT u.id, u.kyc_level, u.blocked_at IS NOT NULL, u.country, ", offer_card_columns!(), ", a.balance, lu.usage, lc.usage, ",
             listed_for!(), " \
         FROM customer u CROSS JOIN (SELECT ?::timestamptz AS now) n \
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
    /// The customer's, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// What the block list has that may concern a payout to the card.
    pub listed: Listed,
    pub card: OfferCard,
    pub balance: Decimal,
    pub customer_usage: UsageWindow,
    pub card_usage: UsageWindow,
}

type Row =
    ((CustomerId, i16, bool, Option<String>), OfferCard, Option<Decimal>, Option<Value>, Option<Value>, Vec<String>);

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
    now: DateTime<Utc>,
) -> QueryResult<Option<Standing>> {
    let row: Option<Row> = FindStanding {
        now,
        card_id,
        asset,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        reference: reference.to_owned(),
    }
    .get_result(conn)
    .await
    .optional()?;
    row.map(|((customer_id, kyc_level, is_blocked, country), card, balance, customer_usage, card_usage, texts)| {
        Ok(Standing {
            customer_id,
            kyc_level,
            is_blocked,
            country,
            listed: blocks::listed(&texts)?,
            card,
            balance: balance.unwrap_or_default(),
            customer_usage: window(customer_usage)?,
            card_usage: window(card_usage)?,
        })
    })
    .transpose()
}
