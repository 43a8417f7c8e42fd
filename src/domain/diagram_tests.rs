//! The pictures in `docs/images` are what the transition tables and the ledger say.

use std::collections::BTreeSet;
use std::fs;

use rust_decimal::Decimal;

use super::asset::AssetCode;
use super::diagram::{Machine, Place, STYLE};
use super::ids::{CustomerId, DepositAccountId, Mode, PartnerId, Tenant};
use super::ledger::{self, AccountKind, CryptoTerms, Entry, FiatSide};
use super::offer::{OfferEvent, OfferStatus};
use super::payout::{PayoutEvent, PayoutStatus};
use super::payout_request::{RequestEvent, RequestStatus};

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images");
const OFFER_EVENTS: [OfferEvent; 7] = [
    OfferEvent::Reprice,
    OfferEvent::Accept,
    OfferEvent::Expire,
    OfferEvent::PayInFull,
    OfferEvent::PayInPart,
    OfferEvent::Release,
    OfferEvent::Return,
];

/// Every pair of states with all that moves it.
fn moves<S: Copy, E: Copy>(
    states: &[S],
    events: &[E],
    name: impl Fn(S) -> &'static str,
    says: impl Fn(E) -> String,
    apply: impl Fn(S, E) -> Option<S>,
) -> Vec<(&'static str, &'static str, String)> {
    let mut moves: Vec<(&'static str, &'static str, String)> = Vec::new();
    for (from, event) in states.iter().flat_map(|from| events.iter().map(|event| (*from, *event))) {
        let Some(to) = apply(from, event).map(&name) else { continue };
        match moves.iter_mut().find(|(f, t, _)| (*f, *t) == (name(from), to)) {
            Some((.., said)) => *said = format!("{said}, {}", says(event)),
            None => moves.push((name(from), to, says(event))),
        }
    }
    moves
}

fn offer() -> Machine {
    use OfferStatus as S;
    let place = |status: S| match status {
        S::Quoted | S::Accepted => Place::Column,
        S::Paid | S::PartlyPaid | S::Released | S::Expired => Place::End,
        S::Returned => Place::After,
    };
    // "an offer that is quoted can't be accepted"
    let says = |event: OfferEvent| event.to_string().trim_start_matches("be ").to_owned();
    Machine {
        about: "The states of an offer",
        states: S::ALL.map(|status| (status.as_str(), place(status))).to_vec(),
        moves: moves(&S::ALL, &OFFER_EVENTS, S::as_str, says, |from, event| from.apply(event).ok()),
    }
}

fn request() -> Machine {
    use RequestStatus as S;
    let place = |status: S| match status {
        S::Created | S::WaitingDetails | S::Ready | S::Dispatching | S::Pending => Place::Column,
        S::Processed | S::PartiallyProcessed | S::Failed | S::Expired | S::Canceled | S::Terminated => Place::End,
        S::Returned => Place::After,
    };
    let says = |event: RequestEvent| event.as_str().to_owned();
    Machine {
        about: "The states of a payout request",
        states: S::ALL.map(|status| (status.as_str(), place(status))).to_vec(),
        moves: moves(&S::ALL, &RequestEvent::ALL, S::as_str, says, |from, event| from.apply(event).ok()),
    }
}

fn payout() -> Machine {
    use PayoutStatus as S;
    let place = |status: S| match status {
        S::Created | S::Invoking | S::Pending | S::Unknown => Place::Column,
        S::Processed | S::Failed | S::Canceled => Place::End,
        S::Returned | S::LateProcessed => Place::After,
    };
    let says = |event: PayoutEvent| event.as_str().to_owned();
    Machine {
        about: "The states of a payout",
        states: S::ALL.map(|status| (status.as_str(), place(status))).to_vec(),
        moves: moves(&S::ALL, &PayoutEvent::ALL, S::as_str, says, |from, event| from.apply(event).ok()),
    }
}

#[test]
fn the_pictures_of_states_are_what_the_transition_tables_say() {
    for (file, machine) in
        [("offer-states.svg", offer()), ("request-states.svg", request()), ("payout-states.svg", payout())]
    {
        let path = format!("{IMAGES}/{file}");
        if std::env::var_os("LANDFALL_BLESS").is_some() {
            fs::write(&path, machine.svg()).unwrap();
        }
        let drawn = fs::read_to_string(&path).unwrap();
        assert!(drawn == machine.svg(), "docs/images/{file} is old: LANDFALL_BLESS=1 cargo test --lib diagram");
    }
}

/// What the drawing could lose: every state is a box, and every move an arrow, or a dot where its line meets an end's.
#[test]
fn a_picture_has_every_state_and_every_move() {
    for machine in [offer(), request(), payout()] {
        let svg = machine.svg();
        let place = |name: &str| machine.states.iter().find(|(state, _)| *state == name).unwrap().1;
        for (state, _) in &machine.states {
            assert!(svg.contains(&format!(">{state}</text>")), "{}: {state}", machine.about);
        }
        let (mut arrows, mut dots) = (0, 0);
        let mut reached = BTreeSet::new();
        for (from, to, _) in &machine.moves {
            match (place(from), place(to)) {
                (Place::Column, Place::Column) => arrows += 1,
                (Place::Column, Place::End) => {
                    dots += 1;
                    arrows += usize::from(reached.insert(*to));
                }
                (Place::End, Place::After) if reached.insert(*to) => arrows += 1,
                (Place::End, Place::After) => dots += 1,
                (Place::After, Place::After) if from == to => arrows += 1,
                other => panic!("{}: {from} to {to} can't be drawn: {other:?}", machine.about),
            }
        }
        assert_eq!(svg.matches("marker-end").count(), arrows, "{}", machine.about);
        assert_eq!(svg.matches("<circle").count(), dots, "{}", machine.about);
    }
}

/// Which accounts an entry takes from, and which it gives to.
fn sides(entry: &Entry) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let names = |gives: bool| {
        let of_side = entry.postings().iter().filter(move |posting| posting.amount.is_sign_positive() == gives);
        of_side.map(|posting| posting.account.kind.as_str()).collect()
    };
    (names(false), names(true))
}

/// Drawn by hand: what its arrows of one entry take from and give to, together, is what the ledger's recipe books.
#[test]
fn the_arrows_of_the_money_are_the_ledgers_recipes() {
    let (tenant, user, one) =
        (Tenant { partner_id: PartnerId::new(), mode: Mode::Test }, CustomerId::new(), Decimal::ONE);
    let (crypto, euro): (AssetCode, AssetCode) = ("USDT".parse().unwrap(), "EUR".parse().unwrap());
    let terms =
        CryptoTerms { house_inventory: one, spread_income: one, rounding: one, fee_income: one, partner_payable: one };
    let fiat = FiatSide { deposit_account: DepositAccountId::new(), asset: euro, amount: one };
    let recipes = [
        ledger::hold(tenant, user, crypto, one, "a").unwrap(),
        ledger::release(tenant, user, crypto, one, "a").unwrap(),
        ledger::settle(tenant, user, crypto, &terms, fiat, "a").unwrap(),
        ledger::return_payout(tenant, user, crypto, &terms, fiat, "a").unwrap(),
    ];
    let drawn = fs::read_to_string(format!("{IMAGES}/money.svg")).unwrap();
    let mut arrows = 0;
    for recipe in &recipes {
        let mark = format!("data-entry=\"{}\" ", recipe.kind.as_str());
        let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
        for group in drawn.split(mark.as_str()).skip(1) {
            let side = |name: &str| group.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
            from.extend(side("data-from").split(' '));
            to.extend(side("data-to").split(' '));
            arrows += 1;
        }
        assert_eq!((from, to), sides(recipe), "{}", recipe.kind.as_str());
    }
    assert_eq!(drawn.matches("data-entry").count(), arrows, "an arrow is of no entry");
}

/// Drawn by hand, in the same colours, and held to the ledger's names.
#[test]
fn the_picture_of_the_money_names_accounts_of_the_ledger() {
    for file in ["money.svg", "concepts.svg"] {
        let drawn = fs::read_to_string(format!("{IMAGES}/{file}")).unwrap();
        assert!(drawn.contains(STYLE), "docs/images/{file} has other colours than the rest");
        let known = AccountKind::ALL.map(AccountKind::as_str);
        let named: Vec<&str> =
            drawn.split("class=\"account\"").skip(1).filter_map(|rest| rest.split(['>', '<']).nth(1)).collect();
        assert!(file != "money.svg" || named.len() > 6, "{named:?}");
        for name in named {
            assert!(known.contains(&name), "docs/images/{file}: there is no account {name}");
        }
    }
}
