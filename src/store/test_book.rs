//! The sandbox provider's own book. It stands in the same database for convenience only: nothing else reads it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::sql_types::{Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use rust_decimal::Decimal;

use super::error::DbError;
use super::pool::Db;
use super::retry::transaction;
use super::statement::statement;
use crate::domain::asset::AssetCode;
use crate::domain::ids::ProviderAccountId;
use crate::domain::payout::Resolution;
use crate::providers::test::book::{Book, BookError, Payment, Taken};

statement! {
    struct Take {
        account_id: ProviderAccountId as SqlUuid, reference: String as Text, original_id: String as Text, rrn: String as Text,
        amount: Decimal as Numeric, currency: AssetCode as Text, behaviour: String as Text, resolution: Resolution as Text,
        amount_processed: Decimal as Numeric, taken_at: DateTime<Utc> as Timestamptz, due_at: DateTime<Utc> as Timestamptz,
        returned_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "INSERT INTO test_payment (account_id, reference, original_id, rrn, amount, currency, behaviour, resolution, \
             amount_processed, taken_at, due_at, returned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (account_id, reference) DO NOTHING"
}

statement! {
    struct Find { account_id: ProviderAccountId as SqlUuid, reference: String as Text } -> Row {
        account_id: ProviderAccountId as SqlUuid, reference: String as Text, original_id: String as Text, rrn: String as Text,
        amount: Decimal as Numeric, currency: AssetCode as Text, behaviour: String as Text, resolution: Resolution as Text,
        amount_processed: Decimal as Numeric, taken_at: DateTime<Utc> as Timestamptz, due_at: DateTime<Utc> as Timestamptz,
        returned_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
    } = "SELECT account_id, reference, original_id, rrn, amount, currency, behaviour, resolution, amount_processed, taken_at, \
             due_at, returned_at FROM test_payment WHERE account_id = ? AND reference = ?"
}

statement! {
    struct GiveBack { now: DateTime<Utc> as Timestamptz, account_id: ProviderAccountId as SqlUuid, reference: String as Text }
      = "WITH n AS (SELECT ?::timestamptz AS now) \
         UPDATE test_payment SET returned_at = least(returned_at, n.now) FROM n \
         WHERE account_id = ? AND reference = ? AND resolution = 'ok' AND due_at <= n.now"
}

statement! {
    struct Debited { account_id: ProviderAccountId as SqlUuid, currency: AssetCode as Text, now: DateTime<Utc> as Timestamptz }
        => (Numeric,)
        = "SELECT COALESCE(sum(amount_processed), 0) FROM test_payment \
           WHERE account_id = ? AND currency = ? AND (returned_at IS NULL OR returned_at > ?)"
}

statement! {
    struct LockAccount { account_id: ProviderAccountId as SqlUuid } => (SqlUuid,)
        = "SELECT id FROM provider_account WHERE id = ? FOR UPDATE"
}

/// The book on PostgreSQL.
pub struct PgBook {
    pub db: Db,
}

fn failed(error: impl std::fmt::Display) -> BookError {
    BookError(error.to_string())
}

async fn find(
    conn: &mut AsyncPgConnection,
    account_id: ProviderAccountId,
    reference: &str,
) -> QueryResult<Option<Payment>> {
    let row: Option<Row> = Find { account_id, reference: reference.to_owned() }.get_result(conn).await.optional()?;
    Ok(row.map(|row| Payment {
        account_id: row.account_id,
        reference: row.reference,
        original_id: row.original_id,
        rrn: row.rrn,
        amount: row.amount,
        currency: row.currency,
        behaviour: row.behaviour,
        resolution: row.resolution,
        amount_processed: row.amount_processed,
        taken_at: row.taken_at,
        due_at: row.due_at,
        returned_at: row.returned_at,
    }))
}

async fn insert(conn: &mut AsyncPgConnection, payment: &Payment) -> QueryResult<bool> {
    let p = payment.clone();
    let inserted = Take {
        account_id: p.account_id,
        reference: p.reference,
        original_id: p.original_id,
        rrn: p.rrn,
        amount: p.amount,
        currency: p.currency,
        behaviour: p.behaviour,
        resolution: p.resolution,
        amount_processed: p.amount_processed,
        taken_at: p.taken_at,
        due_at: p.due_at,
        returned_at: p.returned_at,
    }
    .execute(conn)
    .await?;
    Ok(inserted == 1)
}

async fn debited(
    conn: &mut AsyncPgConnection,
    account_id: ProviderAccountId,
    currency: AssetCode,
    now: DateTime<Utc>,
) -> QueryResult<Decimal> {
    let (sum,): (Decimal,) = Debited { account_id, currency, now }.get_result(conn).await?;
    Ok(sum)
}

/// What the book holds of a reference that was there already.
async fn already(conn: &mut AsyncPgConnection, payment: &Payment) -> QueryResult<Taken> {
    find(conn, payment.account_id, &payment.reference).await?.map(Taken::Already).ok_or(diesel::result::Error::NotFound)
}

#[async_trait]
impl Book for PgBook {
    async fn take(&self, payment: Payment, funds: Option<Decimal>) -> Result<Taken, BookError> {
        transaction(&self.db, async |conn| {
            // No flush of its own. The log is written in order, so whatever Landfall makes durable after this answer is
            // behind it; and if the server dies before, the sandbox has never heard of the payment, which is the truth then.
            conn.batch_execute("SET LOCAL synchronous_commit = off").await?;
            let Some(funds) = funds else {
                let is_new = insert(conn, &payment).await?;
                let taken = if is_new { Taken::New(payment.clone()) } else { already(conn, &payment).await? };
                return Ok::<_, DbError>(taken);
            };
            let _: (uuid::Uuid,) = LockAccount { account_id: payment.account_id }.get_result(conn).await?;
            let before = debited(conn, payment.account_id, payment.currency, payment.taken_at).await?;
            let fits = before.checked_add(payment.amount_processed).is_some_and(|sum| sum <= funds);
            let written = if fits { payment.clone() } else { payment.clone().declined_for_funds() };
            let is_new = insert(conn, &written).await?;
            Ok(if is_new { Taken::New(written) } else { already(conn, &payment).await? })
        })
        .await
        .map_err(failed)
    }

    async fn find(&self, account_id: ProviderAccountId, reference: &str) -> Result<Option<Payment>, BookError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        find(&mut conn, account_id, reference).await.map_err(failed)
    }

    async fn give_back(
        &self,
        account_id: ProviderAccountId,
        reference: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Payment>, BookError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        let given_back = GiveBack { now, account_id, reference: reference.to_owned() };
        match given_back.execute(&mut conn).await.map_err(failed)? {
            0 => Ok(None),
            _ => find(&mut conn, account_id, reference).await.map_err(failed),
        }
    }

    async fn debited(
        &self,
        account_id: ProviderAccountId,
        currency: AssetCode,
        now: DateTime<Utc>,
    ) -> Result<Decimal, BookError> {
        let mut conn = self.db.get().await.map_err(failed)?;
        debited(&mut conn, account_id, currency, now).await.map_err(failed)
    }
}
