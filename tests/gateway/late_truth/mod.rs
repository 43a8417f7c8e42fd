//! Cancel, expiry and late truth: a request is brought to every state it can be in, and from there everything that can happen to it
//! happens in every order of up to three. After each of them the rules hold; when it is calm again, the request is over or before a
//! person, and the money is where the provider says it is.
//!
//! The suite runs a part of the orders; `LATE_TRUTH=all` runs all of them, `LATE_TRUTH=N/M` a share.

mod judge;
mod orders;
mod scene;
mod told;

use orders::{State, chosen};
use scene::{Kind, run};

/// How many requests share a world.
const CROWD: usize = 300;

async fn play(kind: Kind, states: &[State]) {
    let mut problems = Vec::new();
    for (number, crowd) in chosen(states).chunks(CROWD).enumerate() {
        // In every other world what is due is dispatched between what happens; in the others only when it is calm again.
        let found = Box::pin(run(kind, crowd, number % 2 == 0)).await;
        problems.extend(found.into_iter().map(|problem| format!("crowd {number}: {problem}")));
    }
    let first: Vec<_> = problems.iter().take(12).collect();
    assert!(problems.is_empty(), "{} problems: {first:#?}", problems.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_try_after_the_other_the_truth_is_booked_whenever_it_comes() {
    play(Kind::OneByOne, &State::ONE_BY_ONE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_may_be_sent_again_the_truth_is_booked_whenever_it_comes() {
    play(Kind::SentAgain, &State::SENT_AGAIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_parts_the_truth_is_booked_whenever_it_comes() {
    play(Kind::InParts, &State::IN_PARTS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_offer_the_truth_is_booked_whenever_it_comes() {
    play(Kind::OfAnOffer, &State::OF_AN_OFFER).await;
}
