//! The same operations by clients at once: they share users, offers and a partner, and draw what they do. When they are done and it is
//! calm, every sum is what the provider's own ledger and the credits make of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use landfall::domain::ids::{CardId, OfferId, PayoutRequestId};
use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::SplitMode;
use landfall::gateway::complete::Report;
use landfall::gateway::requests::RequestOptions;
use landfall::providers::provider::{Outcome, ProviderIds};
use landfall::store::payouts::{self, Payout};
use landfall::store::requests::{self, PayoutRequest};
use landfall::wallet::User;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::offers::OfferInput;
use rust_decimal::{Decimal, dec};
use tokio::sync::Mutex;

use crate::partner::Partner;
use crate::scripted::{Says, Scripted, routed_over};
use crate::wallet::{lanes, provider, scheme, with_card_lanes};
use crate::world::{PAID, World};

/// Drawn numbers, the same for the same seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        if items.is_empty() { None } else { Some(items[self.below(items.len())].clone()) }
    }
}

/// What the clients share.
struct Hall {
    world: World,
    scripted: Arc<Scripted>,
    partner: Partner,
    people: Vec<(User, CardId)>,
    offers: Mutex<Vec<(usize, OfferId)>>,
    requests: Mutex<Vec<PayoutRequestId>>,
    reports: Mutex<Vec<Report>>,
    /// Credited to users, in cents, and to the partner.
    credited: AtomicU64,
    prefunded: AtomicU64,
}

async fn client(hall: Arc<Hall>, number: usize, seed: u64, operations: usize) {
    let mut draw = Draw(seed);
    for turn in 0..operations {
        let gateway = &hall.world.app.gateway;
        match draw.below(14) {
            0 => {
                // Two clients tell of each credit.
                let who = draw.below(hall.people.len());
                let amount = 100 + draw.below(400);
                let reference = format!("clients-{number}-{turn}");
                let text = amount.to_string();
                let once = hall.world.app.wallet.credit(&hall.people[who].0, "USDT", &text, &reference);
                let again = hall.world.app.wallet.credit(&hall.people[who].0, "USDT", &text, &reference);
                let (once, again) = tokio::join!(once, again);
                once.unwrap();
                again.unwrap();
                hall.credited.fetch_add(u64::try_from(amount).unwrap() * 100, Ordering::Relaxed);
            }
            1 | 2 => {
                let who = draw.below(hall.people.len());
                let input = OfferInput {
                    amount: None,
                    amount_to: Some((25 + draw.below(60)).to_string()),
                    currency_from: "USDT".to_owned(),
                    currency_to: "EUR".to_owned(),
                };
                hall.world.quote_rates();
                let (user, card) = &hall.people[who];
                if let Ok(offer) = hall.world.app.wallet.create_offer(user, input, *card).await {
                    hall.offers.lock().await.push((who, offer.id));
                }
            }
            3..=5 => {
                // The same offer is often paid by several at once, and now and then changed meanwhile.
                let Some((who, offer_id)) = draw.of(&hall.offers.lock().await.clone()) else { continue };
                let user = hall.people[who].0.clone();
                let pay =
                    || Pay { user: user.clone(), offer_id, seen_version: None, request_id: PayoutRequestId::new() };
                let (one, two) = ([pay()], [pay()]);
                let (one, two) = tokio::join!(hall.world.app.wallet.accept(&one), hall.world.app.wallet.accept(&two));
                let answers = [one.unwrap().remove(0), two.unwrap().remove(0)];
                let accepted: Vec<_> = answers
                    .iter()
                    .filter_map(|answer| if let Answer::Accepted(id) = answer { Some(*id) } else { None })
                    .collect();
                assert!(accepted.len() <= 1, "accepted twice");
                hall.requests.lock().await.extend(accepted);
            }
            6 => {
                let options = RequestOptions {
                    attempts_limit: Some(3),
                    allow_partially: Some(draw.below(2) == 0),
                    split_mode: Some(SplitMode::Never),
                    ..RequestOptions::default()
                };
                let amount = Decimal::new(i64::try_from(100 + draw.below(9_900)).unwrap(), 2);
                let mut ask = hall.partner.sample_of(amount, &format!("clients-{number}-{turn}"));
                ask.options = options;
                // Asked twice, made once.
                let (one, two) = tokio::join!(
                    gateway.create_request(&hall.partner.caller, ask.clone()),
                    gateway.create_request(&hall.partner.caller, ask)
                );
                let made: Vec<_> = [one, two].into_iter().filter_map(Result::ok).map(|view| view.request.id).collect();
                assert!(!made.is_empty() && made.iter().all(|id| *id == made[0]));
                hall.requests.lock().await.push(made[0]);
            }
            7 => {
                let id = draw.of(&hall.requests.lock().await.clone());
                if let (Some(id), 0) = (id, draw.below(3)) {
                    // What is over is refused.
                    let _ = gateway.cancel_request(&hall.partner.caller, id).await;
                }
            }
            8 | 9 => {
                let (tasks, _) = gateway.dispatch(1 + draw.below(4)).await.unwrap();
                for task in tasks {
                    // Now and then its process dies.
                    if draw.below(20) > 0 {
                        let report = gateway.send(&task).await;
                        hall.reports.lock().await.extend(report);
                    }
                }
            }
            10 | 11 => {
                let known = hall.reports.lock().await.clone();
                let told: Vec<Report> = (0..1 + draw.below(4)).filter_map(|_| draw.of(&known)).collect();
                gateway.complete(&told).await.unwrap();
            }
            12 => {
                for payout in gateway.claim_inquiries(3).await.unwrap() {
                    let report = gateway.inquire(&payout).await;
                    hall.reports.lock().await.extend(report);
                }
                hall.world.advance(500);
            }
            _ => {
                // A card credit that came back, told of something that was paid.
                let Some(report) = draw.of(&hall.reports.lock().await.clone()) else { continue };
                if let (Outcome::Processed { amount, .. }, 0) = (&report.outcome, draw.below(4)) {
                    let outcome = Outcome::Returned { amount: *amount, ids: ProviderIds::default() };
                    hall.reports.lock().await.push(Report { outcome, ..report });
                }
                hall.partner.credit(&hall.world, "USD", dec!(10)).await;
                hall.prefunded.fetch_add(1_000, Ordering::Relaxed);
            }
        }
    }
}

impl Hall {
    async fn rows(&self) -> Vec<(PayoutRequest, Vec<Payout>)> {
        let conn = self.world.app.db.get().await.unwrap();
        let keys: Vec<_> = self.requests.lock().await.iter().map(|id| (self.partner.tenant(), *id)).collect();
        let payouts = payouts::of_requests(&conn, &keys).await.unwrap();
        let of = |row: PayoutRequest| {
            let own = payouts.iter().filter(|payout| payout.request_id == row.id).cloned().collect();
            (row, own)
        };
        requests::lock(&conn, &keys).await.unwrap().into_iter().map(of).collect()
    }

    async fn calm_down(&self) {
        let gateway = &self.world.app.gateway;
        gateway.complete(&self.reports.lock().await.clone()).await.unwrap();
        for _ in 0..60 {
            self.world.step().await;
            let open = "SELECT (SELECT count(*) FROM payout WHERE final_at IS NULL) + (SELECT count(*) FROM payout_request WHERE \
                        final_at IS NULL AND moderation_reason IS NULL) AS count";
            if self.world.test_db.count(open).await == 0 {
                break;
            }
            self.world.advance(120_000);
        }
        // Everything that was ever said, once more; and the truth of what was denied and paid.
        gateway.complete(&self.reports.lock().await.clone()).await.unwrap();
        for (_, payouts) in self.rows().await {
            for payout in payouts.iter().filter(|payout| payout.status == PayoutStatus::Failed) {
                if let Some(amount) = self.scripted.paid_for(&payout.provider_reference) {
                    let outcome = Outcome::Processed { amount, ids: ProviderIds::default() };
                    gateway.complete(&[self.world.callback(payout, outcome)]).await.unwrap();
                }
            }
        }
    }

    async fn judge(&self) {
        let (mut spent, mut held, mut paid) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for (row, payouts) in self.rows().await {
            assert!(row.status.is_final() || row.moderation_reason.is_some(), "{} {}", row.id, row.status);
            for payout in &payouts {
                let truth = self.scripted.paid_for(&payout.provider_reference).unwrap_or_default();
                assert_eq!(payout.amount_processed, truth, "{} {}", payout.id, payout.status);
                paid += truth;
                let Some(from) = payout.placement.settled_from else { continue };
                let charged = (from + truth).min(row.amount) - from.min(row.amount);
                if row.offer_id.is_none() {
                    spent += charged - payout.amount_returned.min(charged);
                }
            }
            if row.offer_id.is_none() && !row.status.is_final() {
                held += row.amount - row.amount_processed.min(row.amount);
            }
        }
        assert_eq!(paid, self.scripted.paid());
        let prefunded = Decimal::from(self.prefunded.load(Ordering::Relaxed)) / dec!(100);
        let (available, held_now) = self.partner.funds(&self.world, "USD").await;
        assert_eq!((held_now, available + held), (held.normalize(), prefunded - spent));
        self.judge_users().await;
        let report = self.world.verify().await;
        assert!(report.is_clean(), "{report}");
    }

    /// What users were credited is what they have, what their open offers hold, and what the house took.
    async fn judge_users(&self) {
        let mut theirs = Decimal::ZERO;
        for (user, _) in &self.people {
            let (available, held) = self.world.balance(user).await;
            assert!(available >= Decimal::ZERO && held >= Decimal::ZERO);
            theirs += available + held;
        }
        let sql = "SELECT COALESCE(sum(p.amount), 0)::text FROM posting p JOIN account a ON (a.partner_id, a.mode, a.id) = \
             (p.partner_id, p.mode, p.account_id) WHERE a.asset = 'USDT' AND a.kind IN ('house_inventory', 'spread_income', \
             'rounding', 'fee_income', 'partner_payable')";
        let taken: Decimal = self.world.row(sql, &[]).await.get::<_, String>(0).parse().unwrap();
        let credited = Decimal::from(self.credited.load(Ordering::Relaxed)) / dec!(100);
        assert_eq!(theirs + taken, credited);
        // Nobody would notice anything if nobody had paid.
        assert!(taken > Decimal::ZERO);
    }
}

async fn crowd(seed: u64, clients: usize, operations: usize) {
    let scripted = provider();
    let (world, partner) = routed_over(&scripted, &lanes(), scheme(&lanes()), with_card_lanes).await;
    let mut draw = Draw(seed);
    for lane in ["a", "b"] {
        let says: Vec<Says> = (0..200)
            .map(|_| match draw.below(14) {
                0 => Says::PaysOnly(dec!(0.5)),
                1 | 2 => Says::DeclinesRoute,
                3 => Says::DeclinesCard,
                4 => Says::PaysSilently,
                5 => Says::PaysLater,
                6 => Says::LiesAndPays,
                7 => Says::DeclinesLater,
                8 => Says::NotSent,
                _ => Says::Pays,
            })
            .collect();
        scripted.next(lane, &says);
    }
    let mut people = Vec::new();
    for who in 0..3 {
        let user = world.funded(&format!("client-{who}"), "300").await;
        let card = world.card(&user, PAID).await;
        people.push((user, card));
    }
    let hall = Arc::new(Hall {
        world,
        scripted,
        partner,
        people,
        offers: Mutex::default(),
        requests: Mutex::default(),
        reports: Mutex::default(),
        credited: AtomicU64::new(90_000),
        prefunded: AtomicU64::new(10_000_000),
    });
    let tasks: Vec<_> = (0..clients)
        .map(|number| {
            tokio::spawn(client(Arc::clone(&hall), number, seed * 1_000 + u64::try_from(number).unwrap(), operations))
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    hall.calm_down().await;
    hall.judge().await;
}

/// `CROWDS=from..to` runs other seeds than the few of the suite.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_what_at_the_same_time_the_money_adds_up() {
    let seeds = std::env::var("CROWDS").unwrap_or_else(|_| "0..3".to_owned());
    let (from, to) = seeds.split_once("..").unwrap();
    for seed in from.parse::<u64>().unwrap()..to.parse().unwrap() {
        if let Err(error) = tokio::spawn(crowd(seed, 6, 40)).await {
            panic!("seed {seed}: {error}");
        }
    }
}
