//! Rolling sums that limits are checked against: one row a subject, locked in one order.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, Jsonb, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::statement::statement;
use crate::domain::ids::{CardId, CustomerId, Mode, PartnerId, Tenant};
use crate::domain::limit::UsageWindow;

/// Whose sum it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    Customer(CustomerId),
    Card(CardId),
    /// A stripe of the partner's sum: it is spread over several rows, so that no lock is shared by all.
    Partner(i16),
    /// Counts nothing: whoever holds its lock may count what was accepted to a card number, by its fingerprint, across customers.
    VelocityCard([u8; 32]),
    /// Counts nothing: as above, for all that a partner's users were paid.
    VelocityPartner,
}

impl Subject {
    /// Whether it keeps a sum; the others are there to be locked.
    pub const fn has_sum(self) -> bool {
        match self {
            Subject::Customer(_) | Subject::Card(_) | Subject::Partner(_) => true,
            Subject::VelocityCard(_) | Subject::VelocityPartner => false,
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Subject::Customer(_) => "customer",
            Subject::Card(_) => "card",
            Subject::Partner(_) => "partner",
            Subject::VelocityCard(_) => "velocity_card",
            Subject::VelocityPartner => "velocity_partner",
        }
    }

    fn id(self) -> String {
        match self {
            Subject::Customer(id) => id.0.simple().to_string(),
            Subject::Card(id) => id.to_string(),
            Subject::VelocityCard(fingerprint) => hex::encode(fingerprint),
            Subject::Partner(_) | Subject::VelocityPartner => String::new(),
        }
    }

    const fn stripe(self) -> i16 {
        match self {
            Subject::Customer(_) | Subject::Card(_) | Subject::VelocityCard(_) | Subject::VelocityPartner => 0,
            Subject::Partner(stripe) => stripe,
        }
    }
}

statement! {
    struct EnsureUsage {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        ids: Vec<String> as Array<Text>, stripes: Vec<i16> as Array<SmallInt>, empty: serde_json::Value as Jsonb,
        now: DateTime<Utc> as Timestamptz,
    } = "INSERT INTO limit_usage (partner_id, mode, subject_kind, subject_id, stripe, usage, updated_at) \
         SELECT k.*, n.empty, n.now FROM UNNEST(?::uuid[], ?::text[], ?::text[], ?::text[], ?::smallint[]) AS k, \
              (SELECT ?::jsonb AS empty, ?::timestamptz AS now) n \
         ON CONFLICT (partner_id, mode, subject_kind, subject_id, stripe) DO NOTHING"
}

statement! {
    struct LockUsage {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        ids: Vec<String> as Array<Text>, stripes: Vec<i16> as Array<SmallInt>,
    } -> UsageRow {
        partner_id: PartnerId as SqlUuid, mode: Mode as Text, kind: String as Text, id: String as Text, stripe: i16 as SmallInt,
        usage: serde_json::Value as Jsonb,
    } = "SELECT u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe, u.usage FROM limit_usage u \
         JOIN UNNEST(?::uuid[], ?::text[], ?::text[], ?::text[], ?::smallint[]) AS k (partner_id, mode, kind, id, stripe) \
         ON (u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe) = (k.partner_id, k.mode, k.kind, k.id, k.stripe) \
         ORDER BY u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe FOR UPDATE OF u"
}

statement! {
    struct ReadUsage {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        ids: Vec<String> as Array<Text>, stripes: Vec<i16> as Array<SmallInt>,
    } => (SqlUuid, Text, Text, Text, SmallInt, Jsonb)
      = "SELECT u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe, u.usage FROM limit_usage u \
         JOIN UNNEST(?::uuid[], ?::text[], ?::text[], ?::text[], ?::smallint[]) AS k (partner_id, mode, kind, id, stripe) \
         ON (u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe) = (k.partner_id, k.mode, k.kind, k.id, k.stripe)"
}

statement! {
    struct WriteUsage {
        partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>, kinds: Vec<&'static str> as Array<Text>,
        ids: Vec<String> as Array<Text>, stripes: Vec<i16> as Array<SmallInt>, usages: Vec<serde_json::Value> as Array<Jsonb>,
        now: DateTime<Utc> as Timestamptz,
    } = "UPDATE limit_usage u SET usage = k.usage, updated_at = n.now \
         FROM UNNEST(?::uuid[], ?::text[], ?::text[], ?::text[], ?::smallint[], ?::jsonb[]) \
              AS k (partner_id, mode, kind, id, stripe, usage), (SELECT ?::timestamptz AS now) n \
         WHERE (u.partner_id, u.mode, u.subject_kind, u.subject_id, u.stripe) = (k.partner_id, k.mode, k.kind, k.id, k.stripe)"
}

/// The sums of several subjects, as loaded.
pub type Usages = std::collections::BTreeMap<(Tenant, Subject), UsageWindow>;

fn collect(subjects: &[(Tenant, Subject)], rows: Vec<UsageRow>) -> QueryResult<Usages> {
    let mut usages = Usages::new();
    for row in rows {
        let tenant = Tenant { partner_id: row.partner_id, mode: row.mode };
        let found = subjects
            .iter()
            .find(|(t, s)| *t == tenant && s.kind() == row.kind && s.stripe() == row.stripe && s.id() == row.id);
        if let Some(key) = found {
            let window = serde_json::from_value(row.usage)
                .map_err(|error| diesel::result::Error::DeserializationError(error.into()))?;
            usages.insert(*key, window);
        }
    }
    Ok(usages)
}

/// Locks the sums of `subjects`, opening those that aren't there. Every subject is in the answer.
pub async fn lock(conn: &AsyncPgConnection, subjects: &[(Tenant, Subject)], now: DateTime<Utc>) -> QueryResult<Usages> {
    if subjects.is_empty() {
        return Ok(Usages::new());
    }
    let columns = Columns::of(subjects);
    let rows: Vec<UsageRow> = columns.clone().into_lock().load(&mut &*conn).await?;
    let usages = collect(subjects, rows)?;
    if usages.len() == subjects.len() {
        return Ok(usages);
    }
    let empty = serde_json::to_value(UsageWindow::default())
        .map_err(|error| diesel::result::Error::SerializationError(error.into()))?;
    let Columns { partner_ids, modes, kinds, ids, stripes } = columns.clone();
    EnsureUsage { partner_ids, modes, kinds, ids, stripes, empty, now }.execute(&mut &*conn).await?;
    let rows: Vec<UsageRow> = columns.into_lock().load(&mut &*conn).await?;
    collect(subjects, rows)
}

/// The sums of `subjects` without a lock; one that isn't there is empty.
pub async fn read(conn: &AsyncPgConnection, subjects: &[(Tenant, Subject)]) -> QueryResult<Usages> {
    if subjects.is_empty() {
        return Ok(Usages::new());
    }
    let Columns { partner_ids, modes, kinds, ids, stripes } = Columns::of(subjects);
    let rows: Vec<UsageRow> = ReadUsage { partner_ids, modes, kinds, ids, stripes }.load(&mut &*conn).await?;
    let mut usages = collect(subjects, rows)?;
    for key in subjects {
        usages.entry(*key).or_default();
    }
    Ok(usages)
}

/// Writes sums back that were locked in this transaction.
pub async fn write(conn: &AsyncPgConnection, usages: &Usages, now: DateTime<Utc>) -> QueryResult<()> {
    if usages.is_empty() {
        return Ok(());
    }
    let subjects: Vec<_> = usages.keys().copied().collect();
    let Columns { partner_ids, modes, kinds, ids, stripes } = Columns::of(&subjects);
    let usages = usages
        .values()
        .map(serde_json::to_value)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| diesel::result::Error::SerializationError(error.into()))?;
    WriteUsage { partner_ids, modes, kinds, ids, stripes, usages, now }.execute(&mut &*conn).await?;
    Ok(())
}

#[derive(Clone)]
struct Columns {
    partner_ids: Vec<PartnerId>,
    modes: Vec<Mode>,
    kinds: Vec<&'static str>,
    ids: Vec<String>,
    stripes: Vec<i16>,
}

impl Columns {
    fn of(subjects: &[(Tenant, Subject)]) -> Self {
        Self {
            partner_ids: subjects.iter().map(|(tenant, _)| tenant.partner_id).collect(),
            modes: subjects.iter().map(|(tenant, _)| tenant.mode).collect(),
            kinds: subjects.iter().map(|(_, subject)| subject.kind()).collect(),
            ids: subjects.iter().map(|(_, subject)| subject.id()).collect(),
            stripes: subjects.iter().map(|(_, subject)| subject.stripe()).collect(),
        }
    }

    fn into_lock(self) -> LockUsage {
        let Self { partner_ids, modes, kinds, ids, stripes } = self;
        LockUsage { partner_ids, modes, kinds, ids, stripes }
    }
}
