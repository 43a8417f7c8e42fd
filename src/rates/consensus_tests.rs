use proptest::prelude::*;
use rust_decimal::dec;

use super::*;
use crate::rates::pair_text;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).unwrap()
}

fn pair() -> Pair {
    pair_text::parse("USDT/EUR").unwrap()
}

fn rules(min_sources: usize) -> Rules {
    Rules { max_age: TimeDelta::seconds(10), max_deviation: dec!(0.02), min_sources }
}

fn quote(bid: Decimal, ask: Decimal, age: TimeDelta) -> Quote {
    Quote::of(&Tick { pair: pair(), bid, ask, source_time: Some(now() - age) }, now())
}

fn candidates(bids: &[Decimal]) -> Vec<Candidate> {
    let fresh = |(n, bid): (usize, &Decimal)| Candidate {
        source: format!("source{n}").into(),
        pair: pair(),
        inverted: false,
        quote: quote(*bid, *bid, TimeDelta::zero()),
    };
    bids.iter().enumerate().map(fresh).collect()
}

fn bid_of(bids: &[Decimal], min_sources: usize) -> Result<Decimal, WhyUnavailable> {
    agree(pair(), candidates(bids), &rules(min_sources), now()).map(|agreed| agreed.bid.round_down().unwrap())
}

#[test]
fn the_price_is_the_median_and_the_lower_middle_of_an_even_count() {
    assert_eq!(bid_of(&[dec!(0.93)], 1), Ok(dec!(0.93)));
    assert_eq!(bid_of(&[dec!(0.931), dec!(0.93), dec!(0.932)], 1), Ok(dec!(0.931)));
    assert_eq!(bid_of(&[dec!(0.931), dec!(0.93)], 1), Ok(dec!(0.93)));
    assert_eq!(bid_of(&[dec!(0.931), dec!(0.93), dec!(0.932), dec!(0.929)], 1), Ok(dec!(0.93)));
}

#[test]
fn one_of_three_that_deviates_is_dropped() {
    let agreed =
        agree(pair(), candidates(&[dec!(0.93), dec!(9.3), dec!(0.931)]), &rules(2), now()).expect("two of three agree");
    assert_eq!(agreed.bid.round_down(), Some(dec!(0.93)), "the median again, without the outlier");
    assert_eq!(agreed.used.len(), 2);
    assert!(agreed.used.iter().all(|candidate| &*candidate.source != "source1"));
}

#[test]
fn sources_that_contradict_each_other_make_no_price() {
    let refused = |fresh, agreeing, needed| WhyUnavailable::Disagreement { leg: pair(), fresh, agreeing, needed };
    assert_eq!(bid_of(&[dec!(0.93), dec!(1.2)], 1), Err(refused(2, 1, 1)));
    assert_eq!(bid_of(&[dec!(0.93), dec!(0.93), dec!(1.2), dec!(1.2)], 1), Err(refused(4, 2, 1)));
    assert_eq!(bid_of(&[dec!(0.93), dec!(0.931), dec!(1.2)], 3), Err(refused(3, 2, 3)));
}

#[test]
fn fewer_fresh_than_needed_make_no_price() {
    let refused = |fresh, needed| WhyUnavailable::TooFewFresh { leg: pair(), fresh, needed };
    assert_eq!(bid_of(&[], 1), Err(refused(0, 1)));
    assert_eq!(bid_of(&[], 0), Err(refused(0, 1)), "no source is never enough");
    assert_eq!(bid_of(&[dec!(0.93)], 2), Err(refused(1, 2)));
}

#[test]
fn a_quote_is_fresh_to_the_last_microsecond_of_its_age_and_not_from_the_future() {
    let fresh = |age| quote(dec!(1), dec!(1), age).is_fresh(now(), TimeDelta::seconds(10));
    assert!(fresh(TimeDelta::seconds(10)));
    assert!(!fresh(TimeDelta::seconds(10) + TimeDelta::microseconds(1)));
    // Its receipt bounds its time, so a source's clock ahead of ours doesn't make it younger.
    assert_eq!(quote(dec!(1), dec!(1), TimeDelta::seconds(-1)).at(), now());
    let received_later = Quote::of(
        &Tick { pair: pair(), bid: dec!(1), ask: dec!(1), source_time: None },
        now() + FUTURE_TOLERANCE + TimeDelta::microseconds(1),
    );
    assert!(!received_later.is_fresh(now(), TimeDelta::seconds(10)), "the clock was set back");
}

#[test]
fn an_older_quote_never_takes_the_place_of_a_newer_one() {
    let old = quote(dec!(1), dec!(1), TimeDelta::seconds(5));
    let new = quote(dec!(2), dec!(2), TimeDelta::seconds(1));
    assert!(new.supersedes(&old) && !old.supersedes(&new));
    assert!(old.supersedes(&old), "said again, it is heard again");
}

#[test]
fn after_the_clock_was_set_back_new_quotes_are_heard() {
    let received = |ahead| {
        let tick = Tick { pair: pair(), bid: dec!(1), ask: dec!(1), source_time: None };
        Quote::of(&tick, now() + ahead)
    };
    assert!(received(TimeDelta::zero()).supersedes(&received(TimeDelta::hours(1))));
    assert!(!received(TimeDelta::zero()).supersedes(&received(TimeDelta::seconds(1))));
}

#[test]
fn an_inverted_quote_counts_with_one_over_its_ask() {
    let inverted = Candidate {
        source: "inverse".into(),
        pair: pair_text::inverse(pair()),
        inverted: true,
        quote: quote(dec!(1.07), dec!(1.08), TimeDelta::zero()),
    };
    let agreed = agree(pair(), vec![inverted], &rules(1), now()).expect("one is enough");
    assert_eq!(agreed.bid.round_down(), Some(dec!(0.925925925925)), "1 / 1.08, down");
    // (1 / 1.08 + 1 / 1.07) / 2
    assert_eq!(agreed.mid.round_down(), Some(dec!(0.930252682589)));
}

fn any_bids() -> impl Strategy<Value = Vec<Decimal>> {
    // Around 0.9 to 1.1, so that some agree and some don't.
    proptest::collection::vec((900_u32..1_100).prop_map(|n| Decimal::new(n.into(), 3)), 1..9)
}

proptest! {
    #[test]
    fn the_price_was_quoted_and_a_majority_is_near_it(bids in any_bids(), min_sources in 1_usize..4) {
        let fresh = bids.len();
        match agree(pair(), candidates(&bids), &rules(min_sources), now()) {
            Ok(agreed) => {
                let price = agreed.bid.round_down().unwrap();
                prop_assert!(bids.contains(&price));
                prop_assert!(agreed.mid >= agreed.bid);
                prop_assert!(agreed.used.len() >= min_sources && agreed.used.len() * 2 > fresh);
                // Those that agree lie within the deviation of one center, so at most twice as far from each other.
                for candidate in &agreed.used {
                    let distance = (candidate.quote.bid - price).abs();
                    prop_assert!(distance <= price * dec!(0.0409));
                }
            }
            Err(WhyUnavailable::TooFewFresh { fresh, needed, .. }) => prop_assert!(fresh < needed),
            Err(WhyUnavailable::Disagreement { agreeing, needed, .. }) => {
                prop_assert!(agreeing < needed || agreeing * 2 <= fresh);
            }
            Err(WhyUnavailable::OutOfBounds) => prop_assert!(false, "rounding is not done here"),
        }
    }

    #[test]
    fn the_order_of_the_sources_is_irrelevant(bids in any_bids(), seed in any::<u64>()) {
        let mut shuffled = bids.clone();
        shuffled.rotate_left(usize::try_from(seed % 9).unwrap() % bids.len());
        shuffled.reverse();
        prop_assert_eq!(bid_of(&bids, 1), bid_of(&shuffled, 1));
    }

    #[test]
    fn one_liar_among_three_honest_cannot_move_the_price_out_of_their_range(
        honest in proptest::collection::vec(995_u32..1_005, 3),
        lie in 1_u32..1_000_000,
    ) {
        let mut bids: Vec<Decimal> = honest.iter().map(|n| Decimal::new((*n).into(), 3)).collect();
        let (low, high) = (*bids.iter().min().unwrap(), *bids.iter().max().unwrap());
        bids.push(Decimal::new(lie.into(), 3));
        let price = bid_of(&bids, 2).unwrap();
        prop_assert!(low <= price && price <= high);
    }

    #[test]
    fn whatever_arrives_first_the_newest_quote_is_held(ages in proptest::collection::vec(0_i64..100, 1..10)) {
        let quotes: Vec<Quote> =
            ages.iter().map(|age| quote(Decimal::from(age + 1), Decimal::from(age + 1), TimeDelta::seconds(*age))).collect();
        let mut held = quotes[0].clone();
        for quote in &quotes {
            if quote.supersedes(&held) {
                held = quote.clone();
            }
        }
        prop_assert_eq!(held.at(), now() - TimeDelta::seconds(*ages.iter().min().unwrap()));
    }
}
