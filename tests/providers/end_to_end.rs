//! A wallet's pay over a real provider's adapter, over the stages of the contract, with everything else as it runs in production. Its
//! answer is lost: the provider has taken the money, the wallet's user sees a payout under way, an inquiry finds it, and it was paid once.
//! And it carries the user's billing address, or nothing is sent.

use std::collections::BTreeSet;

use landfall::config::Settings;
use landfall::domain::ids::{ApiKeyId, Mode, PayoutRequestId, PayoutSchemeId, Tenant};
use landfall::domain::payout::PayoutStatus;
use landfall::domain::payout_request::RequestStatus;
use landfall::gateway::access::{Caller, Principal, Scope};
use landfall::gateway::manage::Attributes;
use landfall::providers::provider::PayoutOrder;
use landfall::store::payouts::Payout;
use landfall::wallet::accept::{Answer, Pay};
use landfall::wallet::cards::BillingAddress;
use landfall::wallet::offers::OfferInput;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::contract::Subject;
use crate::stage::{Mishap, Seen};
use crate::world::{Accepted, PAID, World};

/// How the wallet's pays reach a provider.
pub struct Way {
    pub subject: Box<dyn Subject>,
    /// The currency that is paid out.
    pub currency: &'static str,
    /// Puts the stage's URL where the provider's is, and takes away its patience.
    pub point: fn(&mut Settings, &str),
}

struct Joined {
    world: World,
    way: Way,
}

/// Where the holders of the tests' cards live.
pub fn home() -> landfall::domain::card::BillingAddress {
    let text = br#"{"address": "274 Brannan St", "city": "San Francisco", "country_code": "US", "zip": "94107", "state": "CA"}"#;
    landfall::domain::card::BillingAddress::from_plaintext(text).unwrap()
}

/// The same, as a user types it.
fn as_typed() -> BillingAddress {
    BillingAddress {
        address: "274 Brannan St".to_owned(),
        city: "San Francisco".to_owned(),
        country_code: "US".to_owned(),
        zip: "94107".to_owned(),
        state: Some("California".to_owned()),
    }
}

fn given(value: Value) -> Attributes {
    value.as_object().unwrap().clone()
}

impl Joined {
    /// A world whose cards are paid over one account at the provider, made as an operator makes it.
    async fn new(way: Way) -> Self {
        let url = way.subject.stage().unwrap().url.clone();
        let point = way.point;
        let world = World::with(|settings| point(settings, &url), Vec::new()).await;
        let gateway = &world.app.gateway;
        let snapshot = gateway.snapshot().await.unwrap();
        let house = Caller {
            tenant: Tenant { partner_id: snapshot.partner("house").unwrap(), mode: Mode::Test },
            by: Principal::Key(ApiKeyId::new()),
            scopes: BTreeSet::from(Scope::ALL),
            is_house: true,
            origin: None,
            gate: landfall::gateway::access::audit::Gate::Open,
        };
        let account = way.subject.account();
        let credentials: serde_json::Map<String, Value> =
            account.credentials.iter().map(|(name, secret)| (name.clone(), json!(secret.expose_secret()))).collect();
        let provider = way.subject.provider().code();
        let account =
            json!({ "code": "real", "provider": provider, "settings": account.settings, "credentials": credentials });
        let account = gateway.create_provider_account(&house, &given(account)).await.unwrap();
        let deposit =
            json!({ "code": "real", "provider_account_id": account.id.to_string(), "currency": way.currency });
        let deposit = gateway.create_deposit_account(&house, &given(deposit)).await.unwrap();
        let funds = json!({ "amount": "10000", "reference": "funds" });
        gateway.top_up_deposit_account(&house, deposit.id, &given(funds)).await.unwrap();
        let service = format!("card_{}", way.currency.to_lowercase());
        let route = json!({ "code": "real", "service": service, "deposit_account_id": deposit.id.to_string() });
        gateway.create_route(&house, &given(route)).await.unwrap();
        let mut services = serde_json::Map::new();
        services.insert(service, json!({ "strategies": [{ "strategy": "direct", "routes": ["real"] }] }));
        let scheme = json!({ "code": "default", "name": "Default", "body": { "services": services } });
        gateway.create_scheme::<PayoutSchemeId>(&house, &given(scheme)).await.unwrap();
        // Where the provider tells the balance, it is asked for first.
        world.advance(1);
        for task in gateway.claim_syncs(10).await.unwrap() {
            gateway.sync(&task).await.unwrap();
        }
        Self { world, way }
    }

    async fn pays(&self, name: &str, amount: &str) -> Accepted {
        let world = &self.world;
        let user = world.funded(name, "3000").await;
        let card = world.card(&user, PAID).await;
        world.app.wallet.set_billing_address(&user, card, as_typed()).await.unwrap();
        world.quote_rates();
        let tick = landfall::rates::source::Tick {
            pair: format!("USDT/{}", self.way.currency).parse().unwrap(),
            bid: "0.9297".parse().unwrap(),
            ask: "0.9301".parse().unwrap(),
            source_time: None,
        };
        world.app.rates.board(Mode::Test).unwrap().record("fixed", &[tick], world.app.clock.now());
        let input = OfferInput {
            amount: None,
            amount_to: Some(amount.to_owned()),
            currency_from: "USDT".to_owned(),
            currency_to: self.way.currency.to_owned(),
        };
        let offer = world.app.wallet.create_offer(&user, input, card).await.unwrap();
        let pay =
            Pay { user: user.clone(), offer_id: offer.id, seen_version: None, request_id: PayoutRequestId::new() };
        match world.app.wallet.accept(&[pay]).await.unwrap().remove(0) {
            Answer::Accepted(request_id) => Accepted { user, offer, request_id },
            other => panic!("not accepted: {other:?}"),
        }
    }

    fn times_paid(&self, payout: &Payout) -> usize {
        let order = PayoutOrder {
            reference: payout.provider_reference.clone(),
            deposit_account_id: payout.deposit_account_id,
            amount: payout.amount,
            currency: payout.currency,
            description: None,
            statement_descriptor: None,
            resend: 0,
        };
        self.way.subject.times_paid(&order)
    }

    /// Changes one bit of the only card's envelope; once more, it is as it was.
    async fn flip(&self, column: &str) {
        let sql = format!("UPDATE card SET {column} = set_byte({column}, 40, get_byte({column}, 40) # 1) RETURNING id");
        self.world.row(&sql, &[]).await;
    }

    /// How many tables have a text in the clear.
    async fn tables_with(&self, text: &str) -> i64 {
        let sql = "SELECT count(*) FROM information_schema.tables t WHERE t.table_type = 'BASE TABLE' \
                   AND t.table_schema NOT IN ('pg_catalog', 'information_schema') AND position(lower($1::text) IN lower(query_to_xml( \
                   format('SELECT * FROM %I.%I', t.table_schema, t.table_name), true, false, '')::text)) > 0";
        self.world.row(sql, &[&text]).await.get(0)
    }

    /// Time passes and everything that falls due is done, until the request is over.
    async fn until_over(&self, accepted: &Accepted) -> RequestStatus {
        for _ in 0..40 {
            let row = self.world.request(accepted).await;
            if row.status.is_final() || row.moderation_reason.is_some() {
                return row.status;
            }
            self.world.step().await;
            self.world.advance(30_000);
        }
        panic!("it goes on and on: {:?}", self.world.payouts(accepted).await);
    }
}

/// Each way of losing an answer, with the money taken.
pub async fn what_was_taken_is_found_and_paid_once(way: Way) {
    let joined = Joined::new(way).await;
    let stage = joined.way.subject.stage().unwrap();
    let mishaps = [Mishap::Silence, Mishap::Reset, Mishap::Cut, Mishap::Page(500), Mishap::Page(504)];
    for (n, mishap) in mishaps.into_iter().enumerate() {
        stage.next(mishap, true);
        let accepted = joined.pays(&format!("user-{n}"), "25").await;
        let reports = joined.world.send_due().await;
        joined.world.app.gateway.complete(&reports).await.unwrap();
        let row = joined.world.request(&accepted).await;
        assert_eq!((row.status, row.attempts_made), (RequestStatus::Pending, 1), "{mishap:?}: {row:?}");
        let payout = joined.world.payouts(&accepted).await.remove(0);
        assert_eq!(payout.status, PayoutStatus::Unknown, "{mishap:?}");
        assert_eq!(joined.times_paid(&payout), 1, "{mishap:?}");

        assert_eq!(joined.until_over(&accepted).await, RequestStatus::Processed, "{mishap:?}");
        let payouts = joined.world.payouts(&accepted).await;
        assert_eq!((payouts.len(), payouts[0].status), (1, PayoutStatus::Processed), "{mishap:?}");
        assert_eq!(joined.times_paid(&payouts[0]), 1, "{mishap:?}");
    }
    joined.world.finish().await;
}

/// What the scripted provider sees of the address that a user typed; `at` is where in the request it stands. Nothing of it is kept in the
/// clear.
pub async fn the_users_address_is_sent(way: Way, at: &str, expected: Value) {
    let joined = Joined::new(way).await;
    let accepted = joined.pays("user", "25").await;
    assert_eq!(joined.until_over(&accepted).await, RequestStatus::Processed);
    let stage = joined.way.subject.stage().unwrap();
    let orders: Vec<Value> = stage.seen().iter().filter(|seen| seen.is_order()).map(Seen::json).collect();
    assert_eq!(orders.len(), 1);
    assert_eq!(orders[0].pointer(at), Some(&expected), "{}", orders[0]);
    assert!(joined.tables_with(&accepted.user.reference).await > 0, "the search finds what is there");
    assert_eq!(joined.tables_with("Brannan").await, 0);
    joined.world.finish().await;
}

/// An address that was edited in the database: nothing is sent, as if the number were edited, and the user gets everything back.
pub async fn nothing_is_sent_with_an_edited_address(way: Way) {
    let joined = Joined::new(way).await;
    let stage = joined.way.subject.stage().unwrap();
    let accepted = joined.pays("user", "25").await;
    joined.flip("billing_sealed").await;
    assert_eq!(joined.until_over(&accepted).await, RequestStatus::Failed);
    assert_eq!(stage.seen().iter().filter(|seen| seen.is_order()).count(), 0);
    let payouts = joined.world.payouts(&accepted).await;
    assert!(payouts.iter().all(|payout| payout.status == PayoutStatus::Failed), "{payouts:?}");
    assert_eq!(joined.world.balance(&accepted.user).await.1, rust_decimal::Decimal::ZERO, "nothing stays held");
    // Put right, so that everything opens for the look at the whole.
    joined.flip("billing_sealed").await;
    joined.world.finish().await;
}
