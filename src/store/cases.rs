//! Cases: what waits for a person. Opened by whoever finds something that must not be decided by itself, closed by a rule or a
//! person; never deleted.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;
use uuid::Uuid;

use super::statement::statement;
use crate::domain::ids::{Mode, PartnerId, PayoutId, PayoutRequestId, ProviderAccountId, Tenant};

/// A case to be opened.
#[derive(Clone, Debug)]
pub struct NewCase {
    pub tenant: Tenant,
    pub kind: &'static str,
    /// `None` where it is about a provider's payment that none of our requests stands for; then `provider_account_id` is given.
    pub request_id: Option<PayoutRequestId>,
    pub payout_id: Option<PayoutId>,
    pub provider_account_id: Option<ProviderAccountId>,
    /// What else it is about: a reference in a provider's report.
    pub subject: Option<String>,
    pub evidence: Value,
}

/// How a case ends.
#[derive(Clone, Debug)]
pub struct Closing {
    /// The rule or the decision: `agrees`, `recovered`, `marked_paid`.
    pub how: &'static str,
    /// `gateway`, or who decided.
    pub by: String,
    pub reason: Option<String>,
    pub evidence: Option<Value>,
}

impl Closing {
    /// By a rule of ours.
    pub fn by_gateway(how: &'static str) -> Self {
        Self { how, by: "gateway".to_owned(), reason: None, evidence: None }
    }
}

/// Which open cases of a request are closed.
#[derive(Clone, Debug)]
pub struct Closed {
    pub tenant: Tenant,
    pub request_id: PayoutRequestId,
    /// Those about this payout; `None`: about whichever.
    pub payout_id: Option<PayoutId>,
    pub kinds: Vec<&'static str>,
}

statement! {
    struct InsertCase {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid, kind: &'static str as Text,
        request_id: Option<PayoutRequestId> as Nullable<SqlUuid>, payout_id: Option<PayoutId> as Nullable<SqlUuid>,
        account_id: Option<ProviderAccountId> as Nullable<SqlUuid>, subject: Option<String> as Nullable<Text>,
        evidence: Value as Jsonb, now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO staff_case (partner_id, mode, id, kind, request_id, payout_id, provider_account_id, subject, evidence, opened_at) \
         SELECT k.* FROM (SELECT ?::uuid AS partner_id, ?::text AS mode, ?::uuid AS id, ?::text AS kind, ?::uuid AS request_id, \
             ?::uuid AS payout_id, ?::uuid AS provider_account_id, ?::text AS subject, ?::jsonb, ?::timestamptz) k \
         WHERE NOT EXISTS (SELECT 1 FROM staff_case c WHERE c.request_id = k.request_id AND c.kind = k.kind \
             AND c.payout_id IS NOT DISTINCT FROM k.payout_id AND c.partner_id = k.partner_id AND c.mode = k.mode AND c.closed_at IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM staff_case c WHERE k.request_id IS NULL AND c.provider_account_id = k.provider_account_id \
             AND c.subject IS NOT DISTINCT FROM k.subject AND c.kind = k.kind AND c.mode = k.mode AND c.closed_at IS NULL)"
}

statement! {
    struct CloseCase {
        now: DateTime<Utc> as Timestamptz, how: &'static str as Text, by: String as Text, reason: Option<String> as Nullable<Text>,
        evidence: Option<Value> as Nullable<Jsonb>, id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
    } = "UPDATE staff_case SET closed_at = ?, closing = ?, closed_by = ?, closing_reason = ?, closing_evidence = ? \
         WHERE id = ? AND partner_id = ? AND mode = ? AND closed_at IS NULL"
}

statement! {
    struct CloseCases {
        now: DateTime<Utc> as Timestamptz, how: &'static str as Text, by: String as Text, reason: Option<String> as Nullable<Text>,
        evidence: Option<Value> as Nullable<Jsonb>, partner_id: PartnerId as SqlUuid, mode: Mode as Text,
        request_id: PayoutRequestId as SqlUuid, kinds: Vec<&'static str> as Array<Text>,
        any: Option<PayoutId> as Nullable<SqlUuid>, payout_id: Option<PayoutId> as Nullable<SqlUuid>,
    } = "UPDATE staff_case SET closed_at = ?, closing = ?, closed_by = ?, closing_reason = ?, closing_evidence = ? \
         WHERE partner_id = ? AND mode = ? AND request_id = ? AND kind = ANY (?) AND (?::uuid IS NULL OR payout_id = ?) \
         AND closed_at IS NULL"
}

statement! {
    struct OpenOfRequest { partner_id: PartnerId as SqlUuid, mode: Mode as Text, request_id: PayoutRequestId as SqlUuid }
      -> pub OpenCase { id: Uuid as SqlUuid, kind: String as Text, payout_id: Option<PayoutId> as Nullable<SqlUuid> }
      = "SELECT id, kind, payout_id FROM staff_case \
         WHERE partner_id = ? AND mode = ? AND request_id = ? AND closed_at IS NULL ORDER BY opened_at, id"
}

macro_rules! case_columns {
    () => {
        "c.partner_id, c.mode, c.id, c.kind, c.request_id, c.payout_id, c.provider_account_id, c.subject, c.evidence, c.opened_at, \
         c.closed_at, c.closing, c.closed_by, c.closing_reason"
    };
}

type CaseSql = (
    SqlUuid,
    Text,
    SqlUuid,
    Text,
    Nullable<SqlUuid>,
    Nullable<SqlUuid>,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Jsonb,
    Timestamptz,
    Nullable<Timestamptz>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
);

/// A case as stored.
#[derive(Clone, Debug, diesel::Queryable)]
pub struct Case {
    pub partner_id: PartnerId,
    pub mode: Mode,
    pub id: Uuid,
    pub kind: String,
    pub request_id: Option<PayoutRequestId>,
    pub payout_id: Option<PayoutId>,
    pub provider_account_id: Option<ProviderAccountId>,
    pub subject: Option<String>,
    pub evidence: Value,
    pub opened_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    pub closing: Option<String>,
    pub closed_by: Option<String>,
    pub closing_reason: Option<String>,
}

impl Case {
    pub fn tenant(&self) -> Tenant {
        Tenant { partner_id: self.partner_id, mode: self.mode }
    }
}

statement! {
    struct FindCase { id: Uuid as SqlUuid } => CaseSql = concat!("SELECT ", case_columns!(), " FROM staff_case c WHERE c.id = ?")
}

statement! {
    struct LockCase { partner_id: PartnerId as SqlUuid, mode: Mode as Text, id: Uuid as SqlUuid } => CaseSql
      = concat!("SELECT ", case_columns!(), " FROM staff_case c WHERE c.partner_id = ? AND c.mode = ? AND c.id = ? FOR UPDATE")
}

statement! {
    // staff_case_of_account
    struct OfSubject { account_id: ProviderAccountId as SqlUuid, subject: String as Text } => CaseSql
      = concat!("SELECT ", case_columns!(), " FROM staff_case c WHERE c.provider_account_id = ? AND c.subject = ? ORDER BY c.opened_at, c.id")
}

statement! {
    // staff_case_of_account
    struct OpenOfAccount { account_id: ProviderAccountId as SqlUuid, kinds: Vec<&'static str> as Array<Text> } => CaseSql
      = concat!("SELECT ", case_columns!(), " FROM staff_case c WHERE c.provider_account_id = ? AND c.kind = ANY (?) AND c.closed_at IS NULL \
         ORDER BY c.opened_at, c.id")
}

statement! {
    // staff_case_of_request
    struct OfPayout { request_id: PayoutRequestId as SqlUuid, payout_id: PayoutId as SqlUuid, kind: String as Text } => CaseSql
      = concat!("SELECT ", case_columns!(), " FROM staff_case c WHERE c.request_id = ? AND c.payout_id = ? AND c.kind = ? \
         ORDER BY c.opened_at, c.id")
}

statement! {
    struct RestateCase { evidence: Value as Jsonb, id: Uuid as SqlUuid, partner_id: PartnerId as SqlUuid, mode: Mode as Text }
      = "UPDATE staff_case SET evidence = ? WHERE id = ? AND partner_id = ? AND mode = ? AND closed_at IS NULL"
}

/// A case, whosever it is.
pub async fn find(conn: &AsyncPgConnection, id: Uuid) -> QueryResult<Option<Case>> {
    FindCase { id }.get_result(&mut &*conn).await.optional()
}

/// A case, until the transaction ends. Its request is locked before it.
pub async fn lock(conn: &AsyncPgConnection, tenant: Tenant, id: Uuid) -> QueryResult<Option<Case>> {
    let Tenant { partner_id, mode } = tenant;
    LockCase { partner_id, mode, id }.get_result(&mut &*conn).await.optional()
}

/// Cases about a reference in a provider account's reports, open and closed, oldest first.
pub async fn of_subject(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    subject: &str,
) -> QueryResult<Vec<Case>> {
    OfSubject { account_id, subject: subject.to_owned() }.load(&mut &*conn).await
}

/// Open cases of these kinds about a provider account's payments.
pub async fn open_of_account(
    conn: &AsyncPgConnection,
    account_id: ProviderAccountId,
    kinds: Vec<&'static str>,
) -> QueryResult<Vec<Case>> {
    OpenOfAccount { account_id, kinds }.load(&mut &*conn).await
}

/// Cases of that kind about a payout, open and closed, oldest first.
pub async fn of_payout(
    conn: &AsyncPgConnection,
    request_id: PayoutRequestId,
    payout_id: PayoutId,
    kind: &str,
) -> QueryResult<Vec<Case>> {
    OfPayout { request_id, payout_id, kind: kind.to_owned() }.load(&mut &*conn).await
}

/// Puts what is known now in the place of an open case's evidence.
pub async fn restate(conn: &AsyncPgConnection, tenant: Tenant, id: Uuid, evidence: Value) -> QueryResult<()> {
    let Tenant { partner_id, mode } = tenant;
    RestateCase { evidence, id, partner_id, mode }.execute(&mut &*conn).await?;
    Ok(())
}

/// Opens cases. What is open already, of the same kind about the same payout or subject, isn't opened twice.
pub async fn open(conn: &AsyncPgConnection, cases: Vec<NewCase>, now: DateTime<Utc>) -> QueryResult<()> {
    for case in cases {
        InsertCase {
            partner_id: case.tenant.partner_id,
            mode: case.tenant.mode,
            id: Uuid::now_v7(),
            kind: case.kind,
            request_id: case.request_id,
            payout_id: case.payout_id,
            account_id: case.provider_account_id,
            subject: case.subject,
            evidence: case.evidence,
            now,
        }
        .execute(&mut &*conn)
        .await?;
    }
    Ok(())
}

/// Closes a case. Answers whether it was open.
pub async fn close(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    id: Uuid,
    closing: Closing,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let Closing { how, by, reason, evidence } = closing;
    let Tenant { partner_id, mode } = tenant;
    Ok(CloseCase { now, how, by, reason, evidence, id, partner_id, mode }.execute(conn).await? == 1)
}

/// Closes those of a request's cases that are open.
pub async fn close_all(
    conn: &mut AsyncPgConnection,
    closed: Closed,
    closing: Closing,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let Closing { how, by, reason, evidence } = closing;
    let Closed { tenant: Tenant { partner_id, mode }, request_id, payout_id, kinds } = closed;
    let statement =
        CloseCases { now, how, by, reason, evidence, partner_id, mode, request_id, kinds, any: payout_id, payout_id };
    statement.execute(conn).await?;
    Ok(())
}

/// A request's open cases, oldest first.
pub async fn open_of_request(
    conn: &mut AsyncPgConnection,
    tenant: Tenant,
    request_id: PayoutRequestId,
) -> QueryResult<Vec<OpenCase>> {
    OpenOfRequest { partner_id: tenant.partner_id, mode: tenant.mode, request_id }.load(conn).await
}
