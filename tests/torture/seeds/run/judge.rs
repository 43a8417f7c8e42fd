//! The end of a seed, judged: everything has ended or waits for a person, our books are the provider's to the cent, and everybody's
//! balance is what a plain model says.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use tokio_postgres::Row;

use super::super::ground::LANES;
use super::Run;

const REQUESTS: &str = "
SELECT r.id::text, r.status, r.amount::text, r.amount_processed::text, r.currency, r.funding, r.moderation_reason, r.final_at IS NOT NULL,
    EXISTS (SELECT 1 FROM staff_case c WHERE c.request_id = r.id AND c.closed_at IS NULL), r.reference_id
FROM payout_request r ORDER BY r.id";

const PAYOUTS: &str = "
SELECT p.request_id::text, p.status, p.provider_reference, p.amount::text, p.amount_processed::text, p.amount_returned::text,
    p.amount_reserved::text, p.settled_from::text, p.cost::text, d.code, p.part, p.attempt, p.final_at IS NOT NULL,
    EXISTS (SELECT 1 FROM staff_case c WHERE c.payout_id = p.id AND c.closed_at IS NULL)
FROM payout p JOIN deposit_account d ON d.id = p.deposit_account_id ORDER BY p.request_id, p.part, p.attempt";

struct RequestRow {
    id: String,
    status: String,
    amount: Decimal,
    processed: Decimal,
    currency: String,
    of_wallet: bool,
    moderation: Option<String>,
    is_final: bool,
    has_case: bool,
    reference: String,
}

struct PayoutRow {
    request: String,
    status: String,
    reference: String,
    amount: Decimal,
    processed: Decimal,
    returned: Decimal,
    reserved: Decimal,
    settled_from: Option<Decimal>,
    cost: Decimal,
    lane: String,
    is_final: bool,
    has_case: bool,
    place: (i16, i16),
}

fn decimal(row: &Row, index: usize) -> Decimal {
    row.get::<_, &str>(index).parse().unwrap()
}

impl Run<'_> {
    async fn rows(&self) -> (Vec<RequestRow>, Vec<PayoutRow>) {
        let requests = self.ground.eye.query(REQUESTS, &[]).await.unwrap();
        let payouts = self.ground.eye.query(PAYOUTS, &[]).await.unwrap();
        let request = |row: &Row| RequestRow {
            id: row.get(0),
            status: row.get(1),
            amount: decimal(row, 2),
            processed: decimal(row, 3),
            currency: row.get(4),
            of_wallet: row.get::<_, &str>(5) == "wallet_hold",
            moderation: row.get(6),
            is_final: row.get(7),
            has_case: row.get(8),
            reference: row.get(9),
        };
        let payout = |row: &Row| PayoutRow {
            request: row.get(0),
            status: row.get(1),
            reference: row.get(2),
            amount: decimal(row, 3),
            processed: decimal(row, 4),
            returned: decimal(row, 5),
            reserved: decimal(row, 6),
            settled_from: row.get::<_, Option<&str>>(7).map(|text| text.parse().unwrap()),
            cost: decimal(row, 8),
            lane: row.get(9),
            place: (row.get(10), row.get(11)),
            is_final: row.get(12),
            has_case: row.get(13),
        };
        (requests.iter().map(request).collect(), payouts.iter().map(payout).collect())
    }

    pub(super) async fn judge(&mut self) {
        let (requests, payouts) = self.rows().await;
        self.count(&requests, &payouts).await;
        self.judge_ends(&requests, &payouts);
        self.judge_ledgers(&payouts).await;
        self.judge_partner(&requests, &payouts).await;
        self.judge_users(&requests, &payouts).await;
        let report = self.ground.world.verify().await;
        self.tally.add("invariants checked", "by verify", u64::try_from(report.checks.len()).unwrap());
        for (check, finding) in report.findings() {
            self.broken(&format!("verify: {check}"), format!("{} {}", finding.row, finding.what));
        }
    }

    async fn count(&mut self, requests: &[RequestRow], payouts: &[PayoutRow]) {
        self.tally.add("run", "requests", u64::try_from(requests.len()).unwrap());
        self.tally.add("run", "payouts", u64::try_from(payouts.len()).unwrap());
        for request in requests {
            let status = match &request.moderation {
                Some(reason) => format!("{} in moderation: {reason}", request.status),
                None => request.status.clone(),
            };
            self.tally.note("request", status);
        }
        for payout in payouts {
            self.tally.note("payout", payout.status.clone());
        }
        for row in self.ground.eye.query("SELECT kind, count(*) FROM staff_case GROUP BY 1", &[]).await.unwrap() {
            let count: i64 = row.get(1);
            self.tally.add("case", row.get::<_, String>(0), count.unsigned_abs());
        }
    }

    fn judge_ends(&mut self, requests: &[RequestRow], payouts: &[PayoutRow]) {
        for request in requests {
            let waits = request.moderation.is_some() && request.has_case;
            if !request.is_final && !waits {
                let what =
                    format!("{} ({}) is {} without an end or a case", request.id, request.reference, request.status);
                self.broken("every request ends or has a case", what);
            }
            if request.is_final && payouts.iter().any(|p| p.request == request.id && !p.is_final) {
                self.broken("every request ends or has a case", format!("{} ended with an open payout", request.id));
            }
        }
        for payout in payouts.iter().filter(|payout| payout.is_final) {
            let may_reserve = !payout.processed.is_zero() && !payout.has_case;
            if !payout.reserved.is_zero() && !may_reserve {
                self.broken("an end gives its reservation back", format!("{} {}", payout.reference, payout.reserved));
            }
        }
        let made = requests.iter().filter(|request| !request.of_wallet).count();
        let asked = self.asks.iter().filter(|ask| !ask.came_too_late).count();
        if made != asked {
            self.broken("one request a reference", format!("{asked} were asked for, {made} made"));
        }
        let accepted = self.offers.iter().filter(|offer| offer.request.is_some()).count();
        let of_offers = requests.len() - made;
        if of_offers < accepted || of_offers > self.offers.len() {
            self.broken("an offer is paid once", format!("{accepted} accepted, {of_offers} requests"));
        }
    }

    /// Per reference, per account, and in total.
    async fn judge_ledgers(&mut self, payouts: &[PayoutRow]) {
        let mut broken = Vec::new();
        let mut of_lanes: BTreeMap<&str, (Decimal, Decimal)> = BTreeMap::new();
        let (ours, states) = {
            let books = self.ground.bank.books();
            for payout in payouts {
                let (paid, returned) =
                    books.payments.get(&payout.reference).map_or_else(Default::default, |p| (p.paid, p.returned));
                if (payout.processed, payout.returned) != (paid, returned) {
                    broken.push(format!(
                        "{} {} {:?} of {}: ours {} - {}, the provider's {paid} - {returned}",
                        payout.reference, payout.status, payout.place, payout.amount, payout.processed, payout.returned
                    ));
                }
                let sums = of_lanes.entry(&payout.lane).or_default();
                sums.0 += payout.processed - payout.returned;
                sums.1 += if payout.processed.is_zero() { Decimal::ZERO } else { payout.cost };
            }
            let (ours, theirs): (Decimal, Decimal) = (
                of_lanes.values().map(|sums| sums.0).sum(),
                books.lanes.values().map(|lane| lane.at_first - lane.balance).sum(),
            );
            if ours != theirs {
                broken.push(format!("in total we say {ours} went out, the provider {theirs}"));
            }
            let states: BTreeMap<String, Decimal> =
                books.lanes.iter().map(|(code, lane)| (code.clone(), lane.balance)).collect();
            (ours, states)
        };
        let cents = ours.max(Decimal::ZERO) * Decimal::ONE_HUNDRED;
        self.tally.add("run", "cents paid out", u64::try_from(cents.mantissa() / 10_i128.pow(cents.scale())).unwrap());
        let rows = self
            .ground
            .eye
            .query("SELECT code, balance::text, reserved::text, balance_source FROM deposit_account", &[]);
        for row in rows.await.unwrap() {
            let code: &str = row.get(0);
            let Some(balance) = states.get(code) else { continue };
            let is_synced = row.get::<_, &str>(3) == "provider";
            let costs = of_lanes.get(code).map_or(Decimal::ZERO, |sums| sums.1);
            let ours = decimal(&row, 1) + if is_synced { Decimal::ZERO } else { costs };
            if ours != *balance {
                broken.push(format!("{code} holds {ours} by our books, {balance} by the provider's"));
            }
            let lane_payouts = payouts.iter().filter(|payout| payout.lane == code && !payout.is_final);
            let open: Decimal = lane_payouts.map(|payout| payout.reserved).sum();
            if decimal(&row, 2) != open {
                broken.push(format!("{code} still reserves {}, what waits for a person {open}", decimal(&row, 2)));
            }
        }
        assert!(LANES.iter().all(|lane| states.contains_key(lane.code)));
        for what in broken {
            self.broken("books are equal", what);
        }
    }

    /// What a partner was charged: what reached its recipients, up to what it asked for, without what came back.
    async fn judge_partner(&mut self, requests: &[RequestRow], payouts: &[PayoutRow]) {
        for (currency, at_first) in Self::currencies() {
            let (mut spent, mut held) = (Decimal::ZERO, Decimal::ZERO);
            for request in requests.iter().filter(|r| !r.of_wallet && r.currency == currency) {
                for payout in payouts.iter().filter(|payout| payout.request == request.id) {
                    let Some(from) = payout.settled_from else { continue };
                    let charged = (from + payout.processed).min(request.amount) - from.min(request.amount);
                    spent += charged - payout.returned.min(charged);
                }
                if !request.is_final {
                    held += request.amount - request.processed.min(request.amount);
                }
            }
            let (available, held_now) = self.ground.partner.funds(&self.ground.world, currency).await;
            if held_now != held.normalize() {
                self.broken("the partner's balance", format!("holds {held_now} {currency}, the model {held}"));
            }
            if available + held != at_first - spent {
                let what = format!("has {available} {currency}, the model {}", at_first - spent - held);
                self.broken("the partner's balance", what);
            }
        }
    }

    /// A user pays for an offer what it says if all of it was paid out, nothing if nothing was, and something between if a part was, or
    /// if it came back.
    async fn judge_users(&mut self, requests: &[RequestRow], payouts: &[PayoutRow]) {
        for (index, (user, _)) in self.users.clone().into_iter().enumerate() {
            let (mut least, mut most) = (Decimal::ZERO, Decimal::ZERO);
            let mut held = Decimal::ZERO;
            for offer in self.offers.iter().filter(|offer| offer.user == index) {
                let reference = format!("offer-{}", offer.id);
                let Some(request) = requests.iter().find(|request| request.reference == reference) else { continue };
                let settled: Vec<_> =
                    payouts.iter().filter(|p| p.request == request.id && p.settled_from.is_some()).collect();
                let left: Decimal = settled.iter().map(|payout| payout.processed - payout.returned).sum();
                if left >= offer.amount_to {
                    least += offer.total;
                }
                // Of what came back, fees are kept.
                if !settled.is_empty() || !request.is_final {
                    most += offer.total;
                }
                if !request.is_final {
                    held += offer.total;
                }
            }
            let (available, held_now) = self.ground.world.balance(&user).await;
            let spent = Self::user_funds() - available - held_now;
            if held_now > held || spent < least || spent > most {
                let what =
                    format!("user {index} spent {spent} and holds {held_now}, the model {least} to {most}, {held}");
                self.broken("a user's balance", what);
            }
        }
    }
}
