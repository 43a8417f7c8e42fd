//! The end of a case: all is final or with a person, our books are whole, and they are the provider's to the cent.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde_json::Value;

use super::client::{Call, Client, Who};
use super::ground::{Database, Ground, connect};
use super::load::{Funding, Meant, REQUESTS, What};

/// How long after the load the last payout may become final.
const PATIENCE: Duration = Duration::from_secs(150);

/// What a case came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Payouts that the provider made.
    pub paid: u64,
    pub requests: u64,
    pub moderated: u64,
    /// How requests ended.
    pub ends: BTreeMap<String, u64>,
    /// Returns in the provider's book that nobody told us of, since what was to tell died.
    pub untold_returns: u64,
    /// What doesn't fit. Nothing, if all is well.
    pub differences: Vec<String>,
}

impl Outcome {
    pub fn join(&mut self, other: Outcome) {
        self.paid += other.paid;
        self.requests += other.requests;
        self.moderated += other.moderated;
        self.untold_returns += other.untold_returns;
        self.differences.extend(other.differences);
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
    }
}

/// What still moves: requests that aren't final and wait for nobody, payouts that the provider knows more about, work to do.
const MOVING: &str = "SELECT \
     (SELECT count(*) FROM payout_request WHERE final_at IS NULL AND moderation_reason IS NULL) \
   + (SELECT count(*) FROM payout p JOIN payout_request r ON r.id = p.request_id \
      WHERE p.status IN ('created', 'invoking', 'pending', 'unknown') AND r.moderation_reason IS NULL) \
   + (SELECT count(*) FROM payout p JOIN test_payment t ON t.reference = p.provider_reference \
      WHERE t.amount_processed > 0 AND p.status IN ('created', 'invoking', 'pending', 'unknown', 'failed')) \
   + (SELECT count(*) FROM test_payment WHERE returned_at > now() - interval '1 second') \
   + (SELECT count(*) FROM job WHERE kind IN ('dispatch', 'invoke', 'callback') AND dead_at IS NULL)";

/// Both books, by reference: what we say, what the provider says.
const BOOKS: &str = "SELECT COALESCE(p.provider_reference, t.reference), p.status, \
     COALESCE(p.amount_processed, 0)::text, p.request_id::text, t.reference IS NOT NULL, \
     COALESCE(t.amount_processed, 0)::text, t.returned_at IS NOT NULL \
   FROM payout p FULL JOIN test_payment t ON t.reference = p.provider_reference AND t.account_id = p.provider_account_id";

/// Requests with what all of the provider's payments for them come to, and whether somebody is asked to decide.
const REQUESTED: &str = "SELECT r.id::text, r.status, r.amount::text, r.amount_processed::text, r.moderation_reason IS NOT NULL, \
     EXISTS (SELECT FROM staff_case c WHERE c.request_id = r.id AND c.closed_at IS NULL), \
     COALESCE((SELECT sum(t.amount_processed) FROM payout p JOIN test_payment t ON t.reference = p.provider_reference \
               WHERE p.request_id = r.id), 0)::text \
   FROM payout_request r";

/// Waits until nothing moves any more; answers what still does.
pub async fn settled(database: &Database) -> Option<String> {
    let deadline = Instant::now() + PATIENCE;
    let (sql, driver) = connect(&database.url).await;
    let mut still = 0_i64;
    while Instant::now() < deadline {
        still = sql.query_one(MOVING, &[]).await.unwrap().get(0);
        if still == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let mut stuck = None;
    if still > 0 {
        let text = "SELECT COALESCE(string_agg(r.id || ' ' || r.reference_id || ' ' || r.status, '; '), '') \
             FROM payout_request r WHERE final_at IS NULL AND moderation_reason IS NULL";
        let which: String = sql.query_one(text, &[]).await.unwrap().get(0);
        stuck = Some(format!("{still} still move after {} s: {which}", PATIENCE.as_secs()));
    }
    drop(sql);
    driver.abort();
    stuck
}

/// Holds everything against everything, while a server still answers. Not `strictly`: so much died that any of it may have been left
/// to a person.
pub async fn checked(ground: &Ground, database: &Database, client: &Client, meant: &Meant, strictly: bool) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.differences.extend(settled(database).await);
    books(database, &mut outcome).await;
    asked(client, meant, strictly, &mut outcome).await;
    if outcome.requests != u64::try_from(meant.intents.len()).unwrap() {
        outcome.differences.push(format!("{} requests for {} intents", outcome.requests, meant.intents.len()));
    }
    let verified = ground.run(&database.url, &["verify"]).await;
    if !verified.status.success() {
        outcome.differences.push(format!("verify: {}", String::from_utf8_lossy(&verified.stdout)));
    }
    outcome
}

fn decimal(row: &tokio_postgres::Row, column: usize) -> Decimal {
    row.get::<_, &str>(column).parse().unwrap()
}

/// Our book beside the provider's.
async fn books(database: &Database, outcome: &mut Outcome) {
    let (sql, driver) = connect(&database.url).await;
    for row in sql.query(BOOKS, &[]).await.unwrap() {
        let reference: &str = row.get(0);
        let status: Option<&str> = row.get(1);
        let (ours, theirs) = (decimal(&row, 2), decimal(&row, 5));
        let (known, returned): (bool, bool) = (row.get(4), row.get(6));
        outcome.paid += u64::from(!theirs.is_zero());
        match status {
            None => outcome.differences.push(format!("{reference}: paid {theirs} without a payout")),
            Some("processed" | "returned" | "late_processed") if !known || ours != theirs => {
                outcome.differences.push(format!("{reference}: {status:?} {ours} here, {theirs} at the provider"));
            }
            Some("processed") if returned => outcome.untold_returns += 1,
            Some("returned") if !returned => {
                outcome.differences.push(format!("{reference}: returned here, not at the provider"));
            }
            Some("processed" | "returned" | "late_processed") => {}
            Some(other) if !theirs.is_zero() => {
                outcome.differences.push(format!("{reference}: {other} here, {theirs} paid by the provider"));
            }
            Some(_) => {}
        }
    }
    for row in sql.query(REQUESTED, &[]).await.unwrap() {
        let (id, status): (&str, &str) = (row.get(0), row.get(1));
        let (amount, ours, theirs) = (decimal(&row, 2), decimal(&row, 3), decimal(&row, 6));
        let (moderated, has_case): (bool, bool) = (row.get(4), row.get(5));
        outcome.requests += 1;
        outcome.moderated += u64::from(moderated);
        *outcome.ends.entry(if moderated { "moderated".to_owned() } else { status.to_owned() }).or_default() += 1;
        if theirs > amount {
            outcome.differences.push(format!("request {id}: {theirs} paid of {amount} asked"));
        }
        if theirs != ours {
            outcome.differences.push(format!("request {id}: {ours} processed here, {theirs} paid by the provider"));
        }
        if moderated && !has_case {
            outcome.differences.push(format!("request {id} waits for a person and has no case"));
        }
    }
    drop(sql);
    driver.abort();
}

/// What the clients see, against what they meant: each intent's end, and the balances by plain addition.
async fn asked(client: &Client, meant: &Meant, strictly: bool, outcome: &mut Outcome) {
    let mut spent: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut held: BTreeMap<String, Decimal> = BTreeMap::new();
    let mut by_user: Vec<(Decimal, Decimal)> = vec![Default::default(); meant.users.len()];
    for intent in &meant.intents {
        let mut resolution = String::new();
        let end = match &intent.what {
            What::Request { id, funding } => {
                let seen = client.done(&Call::new(Who::Partner, "GET", format!("{REQUESTS}/{id}"))).await;
                let of = &seen["data"]["attributes"];
                let amount = |name: &str| of[name].as_str().unwrap_or("0").parse::<Decimal>().unwrap();
                let is_final = of["final"] == true;
                if *funding == Funding::Balance {
                    let currency = of["point_currency"].as_str().unwrap().to_owned();
                    let taken = amount("processed_amount") - amount("returned_amount");
                    *spent.entry(currency.clone()).or_default() += taken;
                    if !is_final {
                        *held.entry(currency).or_default() += amount("point_amount") - amount("processed_amount");
                    }
                }
                resolution = text(&of["resolution"]);
                if !is_final && of["moderation"] != false { "moderated".to_owned() } else { text(&of["status"]) }
            }
            What::Offer { user, id } => {
                let who = Who::User(&meant.users[*user].token);
                let seen = client.done(&Call::new(who, "GET", format!("/v4/payout/pay/{id}"))).await;
                let total: Decimal = seen["totalFrom"].to_string().trim_matches('"').parse().unwrap();
                let status = text(&seen["status"]);
                match status.as_str() {
                    "SUCCESS" | "PARTIAL" => by_user[*user].0 += total,
                    "PENDING" => by_user[*user].1 += total,
                    _ => {}
                }
                if status == "PENDING" { "moderated".to_owned() } else { status }
            }
        };
        let may_be_left = !strictly && end == "moderated";
        if !intent.ends.contains(&end.as_str()) && !may_be_left {
            outcome
                .differences
                .push(format!("{}: {end} {resolution}, wanted {:?} ({:?})", intent.label, intent.ends, intent.what));
        }
    }
    let mut credited: BTreeMap<String, Decimal> = BTreeMap::new();
    for (currency, amount) in &meant.credited {
        *credited.entry((*currency).to_owned()).or_default() += amount;
    }
    let accounts = client.done(&Call::new(Who::Partner, "GET", "/v1/partner-accounts")).await;
    for (currency, credited) in credited {
        let account = accounts["data"].as_array().unwrap().iter().find(|account| account["id"] == currency.as_str());
        let amount = |name: &str| -> Decimal {
            account.map_or(Decimal::ZERO, |account| text(&account["attributes"][name]).parse().unwrap())
        };
        let (spent, held) = (spent.get(&currency).copied(), held.get(&currency).copied());
        let (spent, held) = (spent.unwrap_or_default(), held.unwrap_or_default());
        if (amount("available"), amount("held")) != (credited - spent - held, held) {
            outcome.differences.push(format!(
                "the partner's {currency}: {} and {} held, wanted {} and {held}",
                amount("available"),
                amount("held"),
                credited - spent - held
            ));
        }
    }
    for (user, (spent, held)) in meant.users.iter().zip(by_user) {
        let seen = client.done(&Call::new(Who::User(&user.token), "GET", "/v4/wallet/balances")).await;
        let balance = &seen["balances"][0];
        let amount = |name: &str| -> Decimal { balance[name].to_string().trim_matches('"').parse().unwrap() };
        let (available, now_held) = (amount("available"), amount("held"));
        // What came back of a return is priced by the wallet's own rule: no more than was spent.
        let returned = meant.intents.iter().any(|intent| {
            matches!(&intent.what, What::Offer { user: of, .. } if std::ptr::eq(&raw const meant.users[*of], user))
                && intent.ends.contains(&"RETURNED")
        });
        let fits = if returned {
            available <= user.credited && now_held.is_zero()
        } else {
            (available, now_held) == (user.credited - spent - held, held)
        };
        if !fits {
            let wanted = user.credited - spent - held;
            outcome.differences.push(format!("a user: {available} and {now_held} held, wanted {wanted} and {held}"));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
