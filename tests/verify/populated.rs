//! A database in which everything has happened once: paid, partly paid, failed, pending, unknown, in moderation, returned, late,
//! and offers that were never accepted; and a partner's own requests.

use std::collections::BTreeSet;

use landfall::domain::ids::{CardId, Mode};
use landfall::gateway::access::Scope;
use landfall::gateway::access::audit::Author;
use landfall::gateway::access::keys::{KeyChange, NewKey};
use landfall::gateway::cases::{CaseClosing, CaseEnd};
use landfall::gateway::moderation::Decider;
use landfall::gateway::reconciliation::Wanted;
use landfall::gateway::requests::{NewRequest, RequestOptions};
use landfall::gateway::terms::NewTerms;
use landfall::gateway::webhooks::endpoints::NewEndpoint;
use landfall::providers::provider::{Outcome, ProviderIds, ReportRow, ReportedStatus};
use landfall::store::cases;
use landfall::wallet::User;
use landfall::wallet::cards::BillingAddress;
use rust_decimal::dec;

use crate::partner::Partner;
use crate::world::{Accepted, PAID, World};

const PAID_PARTLY: &str = "4000000000130809";
const PENDING: &str = "4000000000131500";
const RESTRICTED: &str = "4000000000130205";
const DECLINED_FOR_ROUTE: &str = "4000000000000002";
const NEVER_FOUND: &str = "4000000000130601";

async fn pay(world: &World, user: &User, card: CardId, amount_to: &str) -> Accepted {
    let offer = world.offer_to(user, card, amount_to).await;
    match world.accept(user, offer.id).await {
        landfall::wallet::accept::Answer::Accepted(request_id) => Accepted { user: user.clone(), offer, request_id },
        other => panic!("not accepted: {other:?}"),
    }
}

/// Two versions of the partner's terms, by which nothing is priced otherwise.
async fn terms(world: &World) {
    let user = world.app.wallet.user("demo", Mode::Test, "terms", None).await.unwrap();
    let author = Author::new(user.tenant, "cli:ada".to_owned(), None);
    for follows in 0..2 {
        let document = serde_json::json!({"statement_descriptor": format!("DEMO {follows}")});
        let new = NewTerms { document, reason: "agreed".to_owned(), follows };
        world.app.gateway.set_terms(&author, &new).await.unwrap();
    }
}

/// An address that is to be told of what happens from now on; nobody tells it.
async fn webhooks(world: &World) {
    let user = world.app.wallet.user("demo", Mode::Test, "webhooks", None).await.unwrap();
    let author = Author::new(user.tenant, "cli:ada".to_owned(), None);
    let url = "https://partner.example/hooks".to_owned();
    let new = NewEndpoint { url, description: String::new(), types: Vec::new() };
    world.app.gateway.create_endpoint(&author, new).await.unwrap();
}

pub async fn world() -> World {
    let world = World::new().await;
    // In moderation: sent three times, never found.
    let alice = world.funded("alice", "5000").await;
    let card = world.card(&alice, NEVER_FOUND).await;
    pay(&world, &alice, card, "61").await;
    for _ in 0..40 {
        world.step().await;
        world.advance(20_000);
    }

    for (number, amount_to) in [(PAID, "100"), (PAID_PARTLY, "80"), (RESTRICTED, "70.5"), (DECLINED_FOR_ROUTE, "50")] {
        let card = world.card(&alice, number).await;
        pay(&world, &alice, card, amount_to).await;
    }
    for _ in 0..4 {
        world.step().await;
    }

    let bob = world.funded("bob", "2000").await;
    let card = world.card(&bob, PAID).await;
    let address = BillingAddress {
        address: "1 Main Street".to_owned(),
        city: "Springfield".to_owned(),
        country_code: "DE".to_owned(),
        zip: "12345".to_owned(),
        state: None,
    };
    world.app.wallet.set_billing_address(&bob, card, address).await.unwrap();
    let returned = pay(&world, &bob, card, "120").await;
    world.step().await;
    let paid = world.payouts(&returned).await.remove(0);
    let back = Outcome::Returned { amount: dec!(60), ids: ProviderIds::default() };
    world.app.gateway.complete(&[world.callback(&paid, back)]).await.unwrap();

    // Balances of the house: some folded, some not.
    world.app.gateway.fold_deltas().await.unwrap();

    let card = world.card(&bob, RESTRICTED).await;
    let late = pay(&world, &bob, card, "44").await;
    world.step().await;
    let failed = world.payouts(&late).await.remove(0);
    let paid = Outcome::Processed { amount: dec!(44), ids: ProviderIds::default() };
    world.app.gateway.complete(&[world.callback(&failed, paid)]).await.unwrap();

    let card = world.card(&bob, PENDING).await;
    pay(&world, &bob, card, "90").await;
    world.step().await;
    world.offer(&bob, card, "100").await;
    prefunded(&world).await;
    keys(&world, alice.tenant).await;
    webhooks(&world).await;
    let card = world.card(&alice, PAID).await;
    // Ready, and not dispatched yet.
    pay(&world, &alice, card, "33").await;
    unmatched(&world).await;
    world
}

/// A partner's own requests: one paid out of its balance, and one with a card that is held for and waits.
async fn prefunded(world: &World) {
    let partner = Partner::with(world, dec!(100)).await;
    partner.credit(world, "EUR", dec!(500)).await;
    partner.make(world, partner.to_card(PAID)).await;
    world.step().await;
    let options = RequestOptions { auto_process: Some(false), ..RequestOptions::default() };
    partner.make(world, NewRequest { options, ..partner.to_card(PAID) }).await;
    partner.make(world, NewRequest { options, ..partner.sample() }).await;
}

/// Payments in a provider's report that aren't ours: one that waits, one that came back in part and was written off for the rest, and
/// one that was explained.
async fn unmatched(world: &World) {
    let gateway = &world.app.gateway;
    let row = |reference: &str| ReportRow {
        reference: reference.to_owned(),
        original_id: None,
        status: ReportedStatus::Processed,
        amount_processed: dec!(25),
        amount_returned: dec!(0),
        currency: "EUR".parse().unwrap(),
        taken_at: "2020-01-01T12:00:00Z".parse().unwrap(),
    };
    let wanted = Wanted {
        account: gateway.accounts_to_reconcile(Some("sandbox-a")).await.unwrap().remove(0),
        from: "2020-01-01T00:00:00Z".parse().unwrap(),
        until: "2020-01-02T00:00:00Z".parse().unwrap(),
        rows: Some(vec![row("by hand"), row("waits"), row("wrong")]),
        by: "test".to_owned(),
    };
    assert_eq!(gateway.reconcile(&wanted).await.unwrap().counts.only_theirs, 3);
    let conn = world.app.db.get().await.unwrap();
    let settled = CaseEnd::Settled { recovered: dec!(15), written_off: dec!(10) };
    for (subject, end) in [("by hand", CaseEnd::Explained), ("wrong", settled)] {
        let case = cases::of_subject(&conn, wanted.account.id, subject).await.unwrap().remove(0);
        let closing = CaseClosing { end, reason: "looked into".to_owned(), evidence: None };
        let closer = Decider { actor: "test".to_owned(), origin: None };
        gateway.close_case(&closer, case.id, closing).await.unwrap();
    }
}

/// Keys made, changed and revoked: four rows of the audit trail.
async fn keys(world: &World, tenant: landfall::domain::ids::Tenant) {
    let author = Author::command(tenant);
    let gateway = &world.app.gateway;
    let new = |name: &str| NewKey {
        name: name.to_owned(),
        scopes: BTreeSet::from(Scope::ALL),
        allowed_ips: vec!["192.0.2.0/24".to_owned()],
        expires_at: None,
        signing_required: false,
    };
    let (first, _) = gateway.make_key(&author, false, new("first")).await.unwrap();
    let change = KeyChange { name: Some("first, renamed".to_owned()), ..KeyChange::default() };
    gateway.change_key(&author, first.id, change).await.unwrap();
    terms(world).await;
    gateway.make_key(&author, false, new("second")).await.unwrap();
    gateway.revoke_key(&author, first.id).await.unwrap();
}
