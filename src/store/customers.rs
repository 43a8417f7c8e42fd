//! Customers: a partner's users, by the partner's own reference (a token's `sub`).

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use serde_json::Value;
use uuid::Uuid;

use super::statement::statement;
use super::{Slice, of_tenant};
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

statement! {
    struct TokenStands {
        generation: i64 as BigInt, id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        reference: String as Text,
    } => (Bool,)
      = "SELECT blocked_at IS NULL AND token_generation = ? FROM customer \
         WHERE id = ? AND partner_id = ? AND mode = ? AND reference = ?"
}

statement! {
    struct TokenGeneration { id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => (BigInt,)
      = "SELECT token_generation FROM customer WHERE id = ? AND partner_id = ? AND mode = ? AND blocked_at IS NULL"
}

statement! {
    struct RevokeTokens { id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => (BigInt,)
      = "UPDATE customer SET token_generation = token_generation + 1 WHERE id = ? AND partner_id = ? AND mode = ? \
         RETURNING token_generation"
}

type ProfileSql = (
    SqlUuid,
    Text,
    SmallInt,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Jsonb,
    Integer,
    Timestamptz,
    Nullable<Timestamptz>,
);

/// A customer with everything that the partner keeps of them.
#[derive(Clone, Debug, PartialEq, Eq, diesel::Queryable)]
pub struct Profile {
    pub id: CustomerId,
    /// The partner's own name for the customer.
    pub reference: String,
    pub kyc_level: i16,
    pub blocked_at: Option<DateTime<Utc>>,
    pub email: Option<String>,
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// An object of strings.
    pub metadata: Value,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: Option<DateTime<Utc>>,
}

statement! {
    struct InsertProfile {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CustomerId as SqlUuid, reference: String as Text,
        kyc_level: i16 as SmallInt, blocked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, email: Option<String> as Nullable<Text>,
        name: Option<String> as Nullable<Text>, country: Option<String> as Nullable<Text>, metadata: Value as Jsonb,
        created_at: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO customer (partner_id, mode, id, reference, kyc_level, blocked_at, email, name, country, metadata, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

statement! {
    struct FindProfile { id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE id = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct LockProfile { id: CustomerId as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE id = ? AND partner_id = ? AND mode = ? FOR UPDATE"
}

statement! {
    struct FindProfileByReference { reference: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE reference = ? AND partner_id = ? AND mode = ?"
}

statement! {
    struct NewestFirst {
        tenant: String as Text, created_at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt,
    } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE (partner_id::text || mode) = ? AND (created_at, id) < (?, ?) \
         ORDER BY created_at DESC, id DESC LIMIT ?"
}

statement! {
    struct OldestFirst {
        tenant: String as Text, created_at: DateTime<Utc> as Timestamptz, id: Uuid as SqlUuid, limit: i64 as BigInt,
    } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE (partner_id::text || mode) = ? AND (created_at, id) > (?, ?) \
         ORDER BY created_at, id LIMIT ?"
}

statement! {
    struct NewestFirstByEmail {
        email: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, created_at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, limit: i64 as BigInt,
    } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE email = ? AND partner_id = ? AND mode = ? AND (created_at, id) < (?, ?) \
         ORDER BY created_at DESC, id DESC LIMIT ?"
}

statement! {
    struct OldestFirstByEmail {
        email: String as Text, partner_id: PartnerId as SqlUuid, mode: Mode as Text, created_at: DateTime<Utc> as Timestamptz,
        id: Uuid as SqlUuid, limit: i64 as BigInt,
    } => ProfileSql
      = "SELECT id, reference, kyc_level, blocked_at, email, name, country, metadata, version, created_at, updated_at \
         FROM customer WHERE email = ? AND partner_id = ? AND mode = ? AND (created_at, id) > (?, ?) \
         ORDER BY created_at, id LIMIT ?"
}

statement! {
    struct UpdateProfile {
        kyc_level: i16 as SmallInt, blocked_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, email: Option<String> as Nullable<Text>,
        name: Option<String> as Nullable<Text>, country: Option<String> as Nullable<Text>, metadata: Value as Jsonb,
        version: i32 as Integer, updated_at: Option<DateTime<Utc>> as Nullable<Timestamptz>, id: CustomerId as SqlUuid,
        partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } = "UPDATE customer SET kyc_level = ?, blocked_at = ?, email = ?, name = ?, country = ?, metadata = ?, version = ?, \
             updated_at = ? WHERE id = ? AND partner_id = ? AND mode = ?"
}

/// Writes a customer down; a reference that is taken is a unique violation.
pub async fn insert_profile(conn: &AsyncPgConnection, tenant: Tenant, customer: &Profile) -> QueryResult<()> {
    let customer = customer.clone();
    InsertProfile {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        id: customer.id,
        reference: customer.reference,
        kyc_level: customer.kyc_level,
        blocked_at: customer.blocked_at,
        email: customer.email,
        name: customer.name,
        country: customer.country,
        metadata: customer.metadata,
        created_at: customer.created_at,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

pub async fn find_profile(conn: &AsyncPgConnection, tenant: Tenant, id: CustomerId) -> QueryResult<Option<Profile>> {
    FindProfile { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

pub async fn lock_profile(conn: &AsyncPgConnection, tenant: Tenant, id: CustomerId) -> QueryResult<Option<Profile>> {
    LockProfile { id, partner_id: tenant.partner_id, mode: tenant.mode }.get_result(&mut &*conn).await.optional()
}

pub async fn find_profile_by_reference(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    reference: &str,
) -> QueryResult<Option<Profile>> {
    FindProfileByReference { reference: reference.to_owned(), partner_id: tenant.partner_id, mode: tenant.mode }
        .get_result(&mut &*conn)
        .await
        .optional()
}

/// A tenant's customers, in the slice's order.
pub async fn list(conn: &AsyncPgConnection, tenant: Tenant, slice: Slice) -> QueryResult<Vec<Profile>> {
    let Slice { newest_first, after: (created_at, id), limit } = slice;
    let tenant = of_tenant(tenant);
    if newest_first {
        NewestFirst { tenant, created_at, id, limit }.load(&mut &*conn).await
    } else {
        OldestFirst { tenant, created_at, id, limit }.load(&mut &*conn).await
    }
}

/// Those with that very e-mail address.
pub async fn list_by_email(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    email: &str,
    slice: Slice,
) -> QueryResult<Vec<Profile>> {
    let Slice { newest_first, after: (created_at, id), limit } = slice;
    let Tenant { partner_id, mode } = tenant;
    let email = email.to_owned();
    if newest_first {
        NewestFirstByEmail { email, partner_id, mode, created_at, id, limit }.load(&mut &*conn).await
    } else {
        OldestFirstByEmail { email, partner_id, mode, created_at, id, limit }.load(&mut &*conn).await
    }
}

/// Writes what can change of a customer. The row is locked by the caller.
pub async fn update_profile(conn: &AsyncPgConnection, tenant: Tenant, customer: &Profile) -> QueryResult<()> {
    let customer = customer.clone();
    UpdateProfile {
        kyc_level: customer.kyc_level,
        blocked_at: customer.blocked_at,
        email: customer.email,
        name: customer.name,
        country: customer.country,
        metadata: customer.metadata,
        version: customer.version,
        updated_at: customer.updated_at,
        id: customer.id,
        partner_id: tenant.partner_id,
        mode: tenant.mode,
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

statement! {
    /// Brings up to date what is said; what isn't stays.
    struct UpsertCustomers {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, now: DateTime<Utc> as Timestamptz, ids: Vec<CustomerId> as Array<SqlUuid>,
        references: Vec<String> as Array<Text>, emails: Vec<Option<String>> as Array<Nullable<Text>>,
        names: Vec<Option<String>> as Array<Nullable<Text>>, countries: Vec<Option<String>> as Array<Nullable<Text>>,
        metadata: Vec<Option<Value>> as Array<Nullable<Jsonb>>,
    } = "WITH ask AS (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::timestamptz AS now) \
         INSERT INTO customer AS u (partner_id, mode, id, reference, email, name, country, metadata, created_at) \
         SELECT ask.partner_id, ask.mode, k.id, k.reference, k.email, k.name, k.country, COALESCE(k.metadata, '{}'), ask.now \
         FROM ask, UNNEST(?::uuid[], ?::text[], ?::text[], ?::text[], ?::text[], ?::jsonb[]) \
             AS k (id, reference, email, name, country, metadata) ORDER BY k.reference \
         ON CONFLICT (partner_id, mode, reference) DO UPDATE SET email = COALESCE(EXCLUDED.email, u.email), \
             name = COALESCE(EXCLUDED.name, u.name), country = COALESCE(EXCLUDED.country, u.country), \
             metadata = CASE WHEN EXCLUDED.metadata = '{}' THEN u.metadata ELSE EXCLUDED.metadata END, \
             updated_at = EXCLUDED.created_at, version = u.version + 1 \
         WHERE (u.email, u.name, u.country) IS DISTINCT FROM (COALESCE(EXCLUDED.email, u.email), COALESCE(EXCLUDED.name, u.name), \
                 COALESCE(EXCLUDED.country, u.country)) \
             OR (EXCLUDED.metadata <> '{}' AND EXCLUDED.metadata <> u.metadata)"
}

statement! {
    struct ByReferences { partner_id: PartnerId as SqlUuid, mode: Mode as Text, references: Vec<String> as Array<Text> }
      => (SqlUuid, Text, SmallInt, Nullable<Timestamptz>)
      = "SELECT id, reference, kyc_level, blocked_at FROM customer WHERE partner_id = ? AND mode = ? AND reference = ANY (?)"
}

statement! {
    struct ByIds { partner_id: PartnerId as SqlUuid, mode: Mode as Text, ids: Vec<CustomerId> as Array<SqlUuid> }
      -> pub CustomerBrief {
        id: CustomerId as SqlUuid, reference: String as Text, email: Option<String> as Nullable<Text>,
        name: Option<String> as Nullable<Text>, country: Option<String> as Nullable<Text>, metadata: Value as Jsonb,
    } = "SELECT id, reference, email, name, country, metadata FROM customer WHERE partner_id = ? AND mode = ? AND id = ANY (?)"
}

/// What a partner says of a customer; what is `None` isn't said.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomerDetails {
    pub reference: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub country: Option<String>,
    pub metadata: Option<Value>,
}

/// Writes customers down on first sight and brings the others up to date; answers them all. Each reference at most once.
pub async fn upsert(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    customers: &[CustomerDetails],
    now: DateTime<Utc>,
) -> QueryResult<Vec<Customer>> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    let upsert = UpsertCustomers {
        partner_id: tenant.partner_id,
        mode: tenant.mode,
        now,
        ids: customers.iter().map(|_| CustomerId::new()).collect(),
        references: customers.iter().map(|c| c.reference.clone()).collect(),
        emails: customers.iter().map(|c| c.email.clone()).collect(),
        names: customers.iter().map(|c| c.name.clone()).collect(),
        countries: customers.iter().map(|c| c.country.clone()).collect(),
        metadata: customers.iter().map(|c| c.metadata.clone()).collect(),
    };
    let references = customers.iter().map(|c| c.reference.clone()).collect();
    let found = ByReferences { partner_id: tenant.partner_id, mode: tenant.mode, references };
    let (_, found) = tokio::try_join!(biased; upsert.execute(&mut &*conn), found.load::<Customer>(&mut &*conn))?;
    Ok(found)
}

/// The tenant's customers of these ids.
pub async fn of_ids(conn: &AsyncPgConnection, tenant: Tenant, ids: Vec<CustomerId>) -> QueryResult<Vec<CustomerBrief>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    ByIds { partner_id: tenant.partner_id, mode: tenant.mode, ids }.load(&mut &*conn).await
}

pub async fn find(conn: &mut AsyncPgConnection, tenant: Tenant, reference: &str) -> QueryResult<Option<Customer>> {
    FindCustomer { partner_id: tenant.partner_id, mode: tenant.mode, reference: reference.to_owned() }
        .get_result(conn)
        .await
        .optional()
}

/// Whether a token of the customer of that generation is taken. One that doesn't exist has none.
pub async fn token_stands(
    conn: &AsyncPgConnection,
    tenant: Tenant,
    id: CustomerId,
    reference: &str,
    generation: i64,
) -> QueryResult<bool> {
    let reference = reference.to_owned();
    let stands = TokenStands { generation, id, partner_id: tenant.partner_id, mode: tenant.mode, reference };
    Ok(stands.get_result::<(bool,)>(&mut &*conn).await.optional()?.is_some_and(|(stands,)| stands))
}

/// Of which generation a token of the customer is that is signed now; `None`: they are blocked, or there is no such customer.
pub async fn token_generation(conn: &AsyncPgConnection, tenant: Tenant, id: CustomerId) -> QueryResult<Option<i64>> {
    let ask = TokenGeneration { id, partner_id: tenant.partner_id, mode: tenant.mode };
    Ok(ask.get_result::<(i64,)>(&mut &*conn).await.optional()?.map(|(generation,)| generation))
}

/// No token of the customer whose generation was read until now is taken from now on. Answers the next one; `None`: there is no such customer.
pub async fn revoke_tokens(conn: &AsyncPgConnection, tenant: Tenant, id: CustomerId) -> QueryResult<Option<i64>> {
    let revoke = RevokeTokens { id, partner_id: tenant.partner_id, mode: tenant.mode };
    Ok(revoke.get_result::<(i64,)>(&mut &*conn).await.optional()?.map(|(generation,)| generation))
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

statement! {
    struct CountEnded {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<CustomerId> as Array<SqlUuid>,
        paid: Vec<i32> as Array<Integer>, failed: Vec<i32> as Array<Integer>,
    } = "WITH k AS MATERIALIZED ( \
             SELECT * FROM UNNEST(?::uuid[], ?::text[], ?::uuid[], ?::int[], ?::int[]) AS k (partner_id, mode, id, paid, failed)), \
         locked AS MATERIALIZED ( \
             SELECT c.partner_id, c.mode, c.id, k.paid, k.failed FROM customer c \
             JOIN k ON (c.id, c.partner_id, c.mode) = (k.id, k.partner_id, k.mode) ORDER BY c.id FOR NO KEY UPDATE OF c) \
         UPDATE customer c SET paid_count = c.paid_count + l.paid, failed_count = c.failed_count + l.failed \
         FROM locked l WHERE (c.id, c.partner_id, c.mode) = (l.id, l.partner_id, l.mode)"
}

/// Counts requests of customers that ended: paid, and unpaid.
pub async fn count_ended(conn: &AsyncPgConnection, counted: &[(Tenant, CustomerId, i32, i32)]) -> QueryResult<()> {
    if counted.is_empty() {
        return Ok(());
    }
    CountEnded {
        partner_ids: counted.iter().map(|(tenant, ..)| tenant.partner_id).collect(),
        modes: counted.iter().map(|(tenant, ..)| tenant.mode).collect(),
        ids: counted.iter().map(|(_, id, ..)| *id).collect(),
        paid: counted.iter().map(|(.., paid, _)| *paid).collect(),
        failed: counted.iter().map(|(.., failed)| *failed).collect(),
    }
    .execute(&mut &*conn)
    .await?;
    Ok(())
}

statement! {
    struct Routed {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, ids: Vec<CustomerId> as Array<SqlUuid>,
    } -> pub RoutedCustomer {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: CustomerId as SqlUuid, reference: String as Text,
        kyc_level: i16 as SmallInt, country: Option<String> as Nullable<Text>, metadata: serde_json::Value as Jsonb,
        paid_count: i32 as Integer, failed_count: i32 as Integer,
    } = "SELECT c.partner_id, c.mode, c.id, c.reference, c.kyc_level, c.country, c.metadata, c.paid_count, c.failed_count \
         FROM customer c JOIN UNNEST(?::uuid[], ?::text[], ?::uuid[]) AS k (partner_id, mode, id) \
         ON (c.id, c.partner_id, c.mode) = (k.id, k.partner_id, k.mode)"
}

impl RoutedCustomer {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

/// What routing may ask of these customers.
pub async fn routed(conn: &AsyncPgConnection, customers: &[(Tenant, CustomerId)]) -> QueryResult<Vec<RoutedCustomer>> {
    if customers.is_empty() {
        return Ok(Vec::new());
    }
    Routed {
        partner_ids: customers.iter().map(|(tenant, _)| tenant.partner_id).collect(),
        modes: customers.iter().map(|(tenant, _)| tenant.mode).collect(),
        ids: customers.iter().map(|(_, id)| *id).collect(),
    }
    .load(&mut &*conn)
    .await
}
