//! What velocity rules count: acceptances in a window, by customer, by card number or by partner. Read under the locks of their
//! subjects where a payout is decided, and without any where one is only quoted.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::sql_types::{Array, BigInt, Bytea, Integer, Nullable, Numeric, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use rust_decimal::Decimal;

use super::statement::statement;
use crate::domain::card::CardScheme;
use crate::domain::ids::{CustomerId, Mode, PartnerId, Tenant};
use crate::domain::rate::Pair;
use crate::domain::velocity::Counted;

/// Whose acceptances are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Whose {
    Customer(CustomerId),
    /// A card number's fingerprint in its tenant.
    Card([u8; 32]),
    Partner,
}

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct Question {
    pub tenant: Tenant,
    pub whose: Whose,
    /// Acceptances after this instant.
    pub since: DateTime<Utc>,
    pub pair: Option<Pair>,
    pub card_scheme: Option<CardScheme>,
}

/// What narrows a count, with `k` for what is asked, `o` for the offer, and `s` for its card where a scheme is asked for.
macro_rules! narrowed {
    () => {
        "AND (k.currency_from IS NULL OR (o.currency_from = k.currency_from AND o.currency_to = k.currency_to)) \
         AND (k.scheme IS NULL OR EXISTS (SELECT 1 FROM card s WHERE (s.id, s.partner_id, s.mode) = (o.card_id, o.partner_id, o.mode) \
             AND s.scheme = k.scheme))"
    };
}

statement! {
    /// By `offer_history`.
    struct CountOfCustomers {
        numbers: Vec<i32> as Array<Integer>, partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>,
        since: Vec<DateTime<Utc>> as Array<Timestamptz>, currencies_from: Vec<Option<String>> as Array<Nullable<Text>>,
        currencies_to: Vec<Option<String>> as Array<Nullable<Text>>, schemes: Vec<Option<CardScheme>> as Array<Nullable<Text>>,
        customer_ids: Vec<CustomerId> as Array<SqlUuid>,
    } => (Integer, BigInt, Numeric)
      = concat!("SELECT k.n, a.count, a.sum \
         FROM UNNEST(?::int[], ?::uuid[], ?::text[], ?::timestamptz[], ?::text[], ?::text[], ?::text[], ?::uuid[]) \
             AS k (n, partner_id, mode, since, currency_from, currency_to, scheme, customer_id) \
         CROSS JOIN LATERAL (SELECT count(*) AS count, COALESCE(sum(o.amount_reference), 0) AS sum FROM offer o \
             WHERE o.customer_id = k.customer_id AND o.accepted_at > k.since AND o.partner_id = k.partner_id AND o.mode = k.mode ",
             narrowed!(), ") a")
}

statement! {
    /// By `card_by_fingerprint`, and for each customer who has such a card by `offer_history`: deleted cards count too.
    struct CountOfCards {
        numbers: Vec<i32> as Array<Integer>, partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>,
        since: Vec<DateTime<Utc>> as Array<Timestamptz>, currencies_from: Vec<Option<String>> as Array<Nullable<Text>>,
        currencies_to: Vec<Option<String>> as Array<Nullable<Text>>, schemes: Vec<Option<CardScheme>> as Array<Nullable<Text>>,
        fingerprints: Vec<Vec<u8>> as Array<Bytea>,
    } => (Integer, BigInt, Numeric)
      = concat!("SELECT k.n, a.count, a.sum \
         FROM UNNEST(?::int[], ?::uuid[], ?::text[], ?::timestamptz[], ?::text[], ?::text[], ?::text[], ?::bytea[]) \
             AS k (n, partner_id, mode, since, currency_from, currency_to, scheme, fingerprint) \
         CROSS JOIN LATERAL (SELECT count(*) AS count, COALESCE(sum(o.amount_reference), 0) AS sum FROM card c \
             JOIN offer o ON o.customer_id = c.customer_id AND (o.card_id, o.partner_id, o.mode) = (c.id, c.partner_id, c.mode) \
             WHERE c.fingerprint = k.fingerprint AND c.partner_id = k.partner_id AND c.mode = k.mode AND o.accepted_at > k.since ",
             narrowed!(), ") a")
}

statement! {
    /// By `offer_accepted`.
    struct CountOfPartners {
        numbers: Vec<i32> as Array<Integer>, partner_ids: Vec<PartnerId> as Array<SqlUuid>, modes: Vec<Mode> as Array<Text>,
        since: Vec<DateTime<Utc>> as Array<Timestamptz>, currencies_from: Vec<Option<String>> as Array<Nullable<Text>>,
        currencies_to: Vec<Option<String>> as Array<Nullable<Text>>, schemes: Vec<Option<CardScheme>> as Array<Nullable<Text>>,
    } => (Integer, BigInt, Numeric)
      = concat!("SELECT k.n, a.count, a.sum \
         FROM UNNEST(?::int[], ?::uuid[], ?::text[], ?::timestamptz[], ?::text[], ?::text[], ?::text[]) \
             AS k (n, partner_id, mode, since, currency_from, currency_to, scheme) \
         CROSS JOIN LATERAL (SELECT count(*) AS count, COALESCE(sum(o.amount_reference), 0) AS sum FROM offer o \
             WHERE (o.partner_id::text || o.mode) = (k.partner_id::text || k.mode) AND o.accepted_at > k.since ",
             narrowed!(), ") a")
}

/// The columns that all three statements share, of the questions that `pick` takes with what it makes of them.
#[derive(Default)]
struct Columns<T> {
    numbers: Vec<i32>,
    partner_ids: Vec<PartnerId>,
    modes: Vec<Mode>,
    since: Vec<DateTime<Utc>>,
    currencies_from: Vec<Option<String>>,
    currencies_to: Vec<Option<String>>,
    schemes: Vec<Option<CardScheme>>,
    picked: Vec<T>,
}

impl<T> Columns<T> {
    fn of(questions: &[Question], pick: impl Fn(Whose) -> Option<T>) -> Self {
        let mut columns = Self {
            numbers: Vec::new(),
            partner_ids: Vec::new(),
            modes: Vec::new(),
            since: Vec::new(),
            currencies_from: Vec::new(),
            currencies_to: Vec::new(),
            schemes: Vec::new(),
            picked: Vec::new(),
        };
        for (question, n) in questions.iter().zip(0_i32..) {
            let Some(picked) = pick(question.whose) else { continue };
            columns.numbers.push(n);
            columns.partner_ids.push(question.tenant.partner_id);
            columns.modes.push(question.tenant.mode);
            columns.since.push(question.since);
            columns.currencies_from.push(question.pair.map(|pair| pair.from.to_string()));
            columns.currencies_to.push(question.pair.map(|pair| pair.to.to_string()));
            columns.schemes.push(question.card_scheme);
            columns.picked.push(picked);
        }
        columns
    }
}

type Row = (i32, i64, Decimal);

/// What each question counts, in the order of the questions: one round trip, and none where nothing is asked.
pub async fn count(conn: &AsyncPgConnection, questions: &[Question]) -> QueryResult<Vec<Counted>> {
    let of_customers = async {
        let k = Columns::of(questions, |whose| match whose {
            Whose::Customer(id) => Some(id),
            Whose::Card(_) | Whose::Partner => None,
        });
        if k.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let Columns { numbers, partner_ids, modes, since, currencies_from, currencies_to, schemes, picked } = k;
        let customer_ids = picked;
        CountOfCustomers { numbers, partner_ids, modes, since, currencies_from, currencies_to, schemes, customer_ids }
            .load::<Row>(&mut &*conn)
            .await
    };
    let of_cards = async {
        let k = Columns::of(questions, |whose| match whose {
            Whose::Card(fingerprint) => Some(fingerprint.to_vec()),
            Whose::Customer(_) | Whose::Partner => None,
        });
        if k.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let Columns { numbers, partner_ids, modes, since, currencies_from, currencies_to, schemes, picked } = k;
        let fingerprints = picked;
        CountOfCards { numbers, partner_ids, modes, since, currencies_from, currencies_to, schemes, fingerprints }
            .load::<Row>(&mut &*conn)
            .await
    };
    let of_partners = async {
        let k = Columns::of(questions, |whose| match whose {
            Whose::Partner => Some(()),
            Whose::Customer(_) | Whose::Card(_) => None,
        });
        if k.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let Columns { numbers, partner_ids, modes, since, currencies_from, currencies_to, schemes, picked: _ } = k;
        CountOfPartners { numbers, partner_ids, modes, since, currencies_from, currencies_to, schemes }
            .load::<Row>(&mut &*conn)
            .await
    };
    let (customers, cards, partners) = tokio::try_join!(biased; of_customers, of_cards, of_partners)?;
    let mut counted = vec![Counted::default(); questions.len()];
    for (n, count, sum) in customers.into_iter().chain(cards).chain(partners) {
        if let Some(slot) = usize::try_from(n).ok().and_then(|n| counted.get_mut(n)) {
            *slot = Counted { count: u64::try_from(count).unwrap_or(0), sum };
        }
    }
    Ok(counted)
}
