//! Payouts, listed and found by what anybody calls them.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::query_builder::Query;
use diesel::sql_types::{BigInt, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use super::{After, Span};
use crate::domain::asset::AssetCode;
use crate::domain::ids::{Mode, PartnerId, PayoutId, PayoutRequestId};
use crate::domain::payout::{PayoutStatus, Resolution};
use crate::store::statement::statement;

macro_rules! line_sql {
    ($from:expr) => {
        concat!(
            "SELECT o.partner_id, p.code, o.id, o.request_id, o.created_at, o.final_at, o.status, o.resolution, o.provider, \
             COALESCE(a.code, 'gone'), COALESCE(t.code, 'gone'), o.provider_reference, o.provider_original_id, o.rrn, o.arn, o.amount, \
             o.currency, o.amount_processed, r.reference_id FROM ",
            $from,
            " o JOIN partner p ON p.id = o.partner_id \
             JOIN payout_request r ON (r.partner_id, r.mode, r.id) = (o.partner_id, o.mode, o.request_id) \
             LEFT JOIN provider_account a ON a.id = o.provider_account_id \
             LEFT JOIN payout_route t ON t.id = o.route_id \
             ORDER BY o.created_at DESC, o.id DESC"
        )
    };
}

statement! {
    // payout_of_partner, a short piece of it for each partner.
    struct Newest {
        mode: Mode as Text, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz, id: PayoutId as SqlUuid,
        limit_each: i64 as BigInt, limit: i64 as BigInt,
    } -> pub PayoutRow {
        partner_id: PartnerId as SqlUuid, partner: String as Text, id: PayoutId as SqlUuid, request_id: PayoutRequestId as SqlUuid,
        created_at: DateTime<Utc> as Timestamptz, final_at: Option<DateTime<Utc>> as Nullable<Timestamptz>,
        status: PayoutStatus as Text, resolution: Option<Resolution> as Nullable<Text>, provider: String as Text,
        account: String as Text, route: String as Text, provider_reference: String as Text,
        provider_original_id: Option<String> as Nullable<Text>, rrn: Option<String> as Nullable<Text>,
        arn: Option<String> as Nullable<Text>, amount: Decimal as Numeric, currency: AssetCode as Text,
        amount_processed: Decimal as Numeric, reference_id: String as Text,
    } = line_sql!(
            "(SELECT n.* FROM partner w CROSS JOIN LATERAL ( \
                 SELECT * FROM payout x WHERE (x.partner_id::text || x.mode) = (w.id::text || ?) AND x.created_at >= ? \
                     AND (x.created_at, x.id) < (?, ?) ORDER BY x.created_at DESC, x.id DESC LIMIT ?) n \
             ORDER BY n.created_at DESC, n.id DESC LIMIT ?)"
        )
}

statement! {
    // payout_one_open_a_part: what is open is little.
    struct Open {
        mode: Mode as Text, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz, id: PayoutId as SqlUuid,
        limit: i64 as BigInt,
    } => <Newest as Query>::SqlType
      = line_sql!(
            "(SELECT * FROM payout WHERE status IN ('created', 'invoking', 'pending', 'unknown') AND (mode || '') = ? \
                 AND created_at >= ? AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?)"
        )
}

statement! {
    // payout_unknown
    struct Unknown {
        mode: Mode as Text, from: DateTime<Utc> as Timestamptz, at: DateTime<Utc> as Timestamptz, id: PayoutId as SqlUuid,
        limit: i64 as BigInt,
    } => <Newest as Query>::SqlType
      = line_sql!(
            "(SELECT * FROM payout WHERE status = 'unknown' AND (mode || '') = ? AND created_at >= ? \
                 AND (created_at, id) < (?, ?) ORDER BY created_at DESC, id DESC LIMIT ?)"
        )
}

statement! {
    // payout_reference_once, account by account; payout_by_original_id, payout_by_rrn, payout_by_arn.
    struct Called {
        reference: String as Text, original_id: String as Text, rrn: String as Text, arn: String as Text, mode: Mode as Text,
        limit: i64 as BigInt,
    } => <Newest as Query>::SqlType
      = line_sql!(
            "(SELECT y.* FROM ( \
                 SELECT x.id, x.partner_id FROM provider_account v \
                     JOIN payout x ON (x.provider_account_id, x.provider_reference) = (v.id, ?) \
                 UNION SELECT id, partner_id FROM payout WHERE provider_original_id = ? \
                 UNION SELECT id, partner_id FROM payout WHERE rrn = ? \
                 UNION SELECT id, partner_id FROM payout WHERE arn = ?) f \
             JOIN payout y ON (y.id, y.partner_id) = (f.id, f.partner_id) WHERE y.mode = ? \
             ORDER BY y.created_at DESC, y.id DESC LIMIT ?)"
        )
}

statement! {
    // The primary key.
    struct ById { id: PayoutId as SqlUuid, mode: Mode as Text } => <Newest as Query>::SqlType
      = line_sql!("(SELECT * FROM payout WHERE id = ? AND mode = ?)")
}

/// The index that each list reads by, and the list's statement.
pub(super) const PLANS: &[(&str, &str)] = &[
    ("payout_of_partner", Newest::SQL),
    ("payout_unknown", Unknown::SQL),
    ("payout_reference_once", Called::SQL),
    ("payout_by_original_id", Called::SQL),
    ("payout_by_rrn", Called::SQL),
    ("payout_by_arn", Called::SQL),
    ("payout_pkey", ById::SQL),
];

/// Which payouts are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PayoutSearch {
    #[default]
    All,
    /// Not ended.
    Open,
    /// Whether they were paid isn't known.
    Unknown,
    Id(PayoutId),
    /// Our reference, the provider's id, an RRN or an ARN, exactly.
    Called(String),
}

/// Up to `limit` payouts of that mode, newest first, whosever they are. What names a payout is looked for at any time.
pub async fn search(
    conn: &mut AsyncPgConnection,
    mode: Mode,
    search: &PayoutSearch,
    span: Span,
    after: After<PayoutId>,
    limit: i64,
) -> QueryResult<Vec<PayoutRow>> {
    let (from, After { at, id }) = (span.from(), span.cut(after));
    match search.clone() {
        PayoutSearch::All => Newest { mode, from, at, id, limit_each: limit, limit }.load(conn).await,
        PayoutSearch::Open => Open { mode, from, at, id, limit }.load(conn).await,
        PayoutSearch::Unknown => Unknown { mode, from, at, id, limit }.load(conn).await,
        PayoutSearch::Id(id) => ById { id, mode }.load(conn).await,
        PayoutSearch::Called(text) => {
            let (original_id, rrn, arn) = (text.clone(), text.clone(), text.clone());
            Called { reference: text, original_id, rrn, arn, mode, limit }.load(conn).await
        }
    }
}
