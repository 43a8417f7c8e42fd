//! Customers: a partner's users, by the partner's own reference (a token's `sub`).

use chrono::{DateTime, Utc};
use diesel::sql_types::{Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::statement::statement;
use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};

statement! {
    struct InsertCustomer {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CustomerId as SqlUuid, reference: String as Text,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO customer (partner_id, mode, id, reference, created_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (partner_id, mode, reference) DO NOTHING"
}

statement! {
    struct FindCustomer { partner_id: PartnerId as SqlUuid, mode: Mode as Text, reference: String as Text } -> pub Customer {
        id: CustomerId as SqlUuid, reference: String as Text, kyc_level: i16 as SmallInt,
        blocked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT id, reference, kyc_level, blocked_at FROM customer WHERE partner_id = ? AND mode = ? AND reference = ?"
}

statement! {
    struct SetKycLevel { level: i16 as SmallInt, partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CustomerId as SqlUuid }
        = "UPDATE customer SET kyc_level = ? WHERE partner_id = ? AND mode = ? AND id = ?"
}

pub async fn find(conn: &mut AsyncPgConnection, tenant: Tenant, reference: &str) -> QueryResult<Option<Customer>> {
    FindCustomer { partner_id: tenant.partner_id, mode: tenant.mode, reference: reference.to_owned() }
        .get_result(conn)
        .await
        .optional()
}

/// The customer of that reference, written down on first sight.
pub async fn find_or_insert(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    reference: &str,
    now: DateTime<Utc>,
) -> QueryResult<Customer> {
    if let Some(customer) = find(conn, tenant, reference).await? {
        return Ok(customer);
    }
    InsertCustomer {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id: CustomerId::new(),
        reference: reference.to_owned(),
        now,
    }
    .execute(conn)
    .await?;
    FindCustomer { partner_id: tenant.partner_id, mode: tenant.mode, reference: reference.to_owned() }
        .get_result(conn)
        .await
}

pub async fn set_kyc_level(conn: &mut AsyncPgConnection, tenant: Tenant, id: CustomerId, level: u8) -> QueryResult<()> {
    SetKycLevel { level: i16::from(level), partner_id: tenant.partner_id, mode: tenant.mode, id }.execute(conn).await?;
    Ok(())
}
