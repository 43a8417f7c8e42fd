//! What must hold of everybody after each happening, and when it is calm again.

use std::collections::{BTreeMap, BTreeSet};

use landfall::domain::ids::{PayoutId, PayoutRequestId};
use landfall::domain::payout::{PayoutEvent, PayoutStatus};
use landfall::domain::payout_request::{RequestEvent, RequestStatus};
use rust_decimal::Decimal;

use super::orders::State;
use super::scene::{Kind, PREFUNDED, Scene};

impl Scene {
    /// Reads everything again and holds it against what was there before and against what was told.
    pub(super) async fn look(&mut self, when: &str) {
        let before: Vec<(RequestStatus, BTreeMap<PayoutId, PayoutStatus>)> = self
            .actors
            .iter()
            .map(|actor| (actor.row.status, actor.payouts.iter().map(|p| (p.id, p.status)).collect()))
            .collect();
        self.read().await;
        let mut problems = Vec::new();
        for (actor, (request, payouts)) in self.actors.iter().zip(before) {
            if !request_ways(request).contains(&actor.row.status) {
                problems.push(format!("{when}: from {request} on: {}", actor.what()));
            }
            for payout in &actor.payouts {
                let from = payouts.get(&payout.id).copied().unwrap_or(PayoutStatus::Created);
                if !payout_ways(from).contains(&payout.status) {
                    problems.push(format!("{when}: from {from} on: {}", actor.what()));
                }
                let Some(told) = actor.told.get(&payout.id) else {
                    if payout.sends > 0 {
                        problems.push(format!("{when}: sent by nobody: {}", actor.what()));
                    }
                    continue;
                };
                let is_as_told = payout.status.is_open() == told.is_open()
                    && payout.amount_processed == told.paid
                    && payout.amount_returned == told.returned
                    && (payout.status == PayoutStatus::LateProcessed) == told.is_late();
                if !is_as_told {
                    problems.push(format!("{when}: {told:?}, but {}", actor.what()));
                }
            }
        }
        self.problems.extend(problems);
        let report = self.world.verify().await;
        if !report.is_clean() {
            self.problems.push(format!("{when}: {report}"));
        }
    }

    /// When it is calm: everybody is over or before a person, and the money is where it was told to be.
    pub(super) async fn judge(&mut self, kind: Kind) {
        self.look("calm").await;
        let cases = self.cases().await;
        let mut problems = Vec::new();
        let (mut spent, mut held, mut moved) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for actor in &self.actors {
            let row = &actor.row;
            let mut wrong = |what: &str| problems.push(format!("{what}: {}", actor.what()));
            let waits = matches!(actor.state, State::WaitingDetails | State::Ready) && !actor.is_stopped;
            let has_open_case = cases.iter().any(|case| case.request == row.id && case.is_open);
            if !row.status.is_final() && !waits && (row.moderation_reason.is_none() || !has_open_case) {
                wrong("neither over nor before a person");
            }
            let counted = || actor.told.values().filter(|told| !told.is_late());
            let covered: Decimal = counted().map(|told| told.paid).sum();
            let back: Decimal = counted().map(|told| told.returned).sum();
            moved += actor.told.values().map(|told| told.paid - told.returned).sum::<Decimal>();
            let end = match row.status {
                status if !status.is_final() => status,
                _ if !back.is_zero() => RequestStatus::Returned,
                _ if covered >= row.amount => RequestStatus::Processed,
                _ if !covered.is_zero() => RequestStatus::PartiallyProcessed,
                RequestStatus::Terminated => RequestStatus::Terminated,
                // A card that is refused ends it before the stop does.
                RequestStatus::Failed => RequestStatus::Failed,
                _ => actor.end.unwrap_or(RequestStatus::Failed),
            };
            if row.status != end {
                wrong(&format!("should be {end}"));
            }
            for (payout_id, told) in &actor.told {
                for kind in &told.cases {
                    let case = cases.iter().find(|case| case.payout == Some(*payout_id) && case.kind == *kind);
                    // A late success that came back whole leaves nothing to be decided, once the request is over.
                    let is_settled =
                        *kind == "late_success" && told.returned == told.paid && case.is_some_and(|c| !c.is_open);
                    if !case.is_some_and(|case| case.is_open) && !is_settled {
                        wrong(&format!("no case {kind}"));
                    }
                }
            }
            let known = ["not_found_at_provider", "partly_paid", "processed_more_than_asked", "late_success"];
            for case in cases.iter().filter(|case| case.request == row.id) {
                let told = case.payout.and_then(|id| actor.told.get(&id));
                if !known.contains(&&*case.kind) && !told.is_some_and(|told| told.cases.contains(&*case.kind)) {
                    wrong(&format!("a case {} too many", case.kind));
                }
            }
            for payout in &actor.payouts {
                let Some(from) = payout.placement.settled_from else { continue };
                let charged = (from + payout.amount_processed).min(row.amount) - from.min(row.amount);
                spent += charged - payout.amount_returned.min(charged);
            }
            if !row.status.is_final() {
                held += row.amount - row.amount_processed.min(row.amount);
            }
        }
        self.problems.extend(problems);
        self.judge_funds(kind, spent, held, moved).await;
    }

    /// `moved` is what the provider has paid and not got back.
    async fn judge_funds(&mut self, kind: Kind, spent: Decimal, held: Decimal, moved: Decimal) {
        let world = &self.world;
        if kind == Kind::OfAnOffer {
            let all_over = self.actors.iter().all(|actor| actor.row.status.is_final());
            for (user, _) in &self.users {
                let (_, held) = world.balance(user).await;
                if all_over && !held.is_zero() {
                    self.problems.push(format!("{held} stays held of {user:?}"));
                }
            }
        } else {
            let (available, held_now) = self.partner.funds(world, "USD").await;
            if held_now != held.normalize() || available + held != PREFUNDED - spent {
                self.problems.push(format!("{available} + {held_now}, not {} + {held}", PREFUNDED - spent - held));
            }
        }
        let sql = "SELECT COALESCE(sum(p.amount), 0)::text FROM posting p JOIN entry e ON (e.partner_id, e.mode, e.id) = \
             (p.partner_id, p.mode, p.entry_id) JOIN account a ON (a.partner_id, a.mode, a.id) = (p.partner_id, p.mode, p.account_id) \
             WHERE a.kind = 'provider_funding' AND e.kind IN ('settle', 'return', 'late_success', 'recovery')";
        let booked: Decimal = world.row(sql, &[]).await.get::<_, String>(0).parse().unwrap();
        if booked != -moved {
            self.problems.push(format!("{booked} is booked at the provider, and {moved} left it"));
        }
    }

    async fn cases(&self) -> Vec<Case> {
        let (client, driver) = self.world.test_db.database_url().config().connect(tokio_postgres::NoTls).await.unwrap();
        let driver = tokio::spawn(driver);
        let sql = "SELECT request_id::text, payout_id::text, kind, closed_at IS NULL FROM staff_case WHERE request_id IS NOT NULL";
        let rows = client.query(sql, &[]).await.unwrap();
        driver.abort();
        rows.iter()
            .map(|row| Case {
                request: PayoutRequestId(row.get::<_, &str>(0).parse().unwrap()),
                payout: row.get::<_, Option<&str>>(1).map(|id| PayoutId(id.parse().unwrap())),
                kind: row.get(2),
                is_open: row.get(3),
            })
            .collect()
    }
}

struct Case {
    request: PayoutRequestId,
    payout: Option<PayoutId>,
    kind: String,
    is_open: bool,
}

/// Where the table leads to from a status, in as many moves as it takes.
fn request_ways(from: RequestStatus) -> BTreeSet<RequestStatus> {
    ways(from, |status| RequestEvent::ALL.into_iter().filter_map(|event| status.apply(event).ok()).collect())
}

fn payout_ways(from: PayoutStatus) -> BTreeSet<PayoutStatus> {
    ways(from, |status| PayoutEvent::ALL.into_iter().filter_map(|event| status.apply(event).ok()).collect())
}

fn ways<S: Copy + Ord>(from: S, next: impl Fn(S) -> Vec<S>) -> BTreeSet<S> {
    let mut known = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(status) = open.pop() {
        open.extend(next(status).into_iter().filter(|status| known.insert(*status)));
    }
    known
}
