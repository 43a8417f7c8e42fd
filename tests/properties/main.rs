//! What must hold for every amount, rate, fee and sequence of payouts, tried on random ones: nothing vanishes, nothing is negative, and
//! every rounding is in the house's favour and accounted for. And what comes in as a price from outside.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod allocations;
mod fuzz;
mod rates;
mod routing;

use chrono::{DateTime, TimeDelta, Utc};
use landfall::domain::asset::{Asset, AssetKind};
use landfall::domain::card::CardScheme;
use landfall::domain::exact::{self, Rounding};
use landfall::domain::fee::{
    FeeConditions, FeeItem, FeeKind, FeeRule, FeeSchedule, FeeSchedules, FeeTariff, ScheduleEntry,
};
use landfall::domain::ids::Mode;
use landfall::domain::limit::{self, Period, PeriodLimits, Sums, UsageWindow};
use landfall::domain::money::{Money, MoneyError};
use landfall::domain::offer::{Quote, ReturnedFees, Settlement, SettlementRest, Terms};
use landfall::domain::rate::{Pair, Price, Rate, Spread};
use num_bigint::BigInt;
use proptest::prelude::*;
use proptest::sample::Index;
use rust_decimal::{Decimal, dec};

fn asset(code: &str, kind: AssetKind, scale: u8) -> Asset {
    Asset { code: code.parse().unwrap(), kind, scale }
}

fn crypto(scale: u8) -> Asset {
    asset("USDT", AssetKind::Crypto, scale)
}

fn fiat(scale: u8) -> Asset {
    asset("EUR", AssetKind::Fiat, scale)
}

fn units(count: i128, of: Asset) -> Money {
    Money::from_units(count, of).unwrap()
}

fn sum(parts: impl IntoIterator<Item = Decimal>) -> Decimal {
    parts.into_iter().fold(Decimal::ZERO, |sum, part| exact::add(sum, part).unwrap())
}

fn sum_of(items: &[FeeItem]) -> Decimal {
    sum(items.iter().map(|item| item.amount))
}

/// Units of 10^-scale, with small, round and large ones all likely.
fn count() -> impl Strategy<Value = i128> {
    prop_oneof![1..200_i128, 1..1_000_000_i128, 1..10_i128.pow(14)]
}

fn decimal(count: impl Strategy<Value = i128>, scale: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Decimal> {
    (count, scale).prop_map(|(count, scale)| exact::from_units(count, scale).unwrap())
}

fn rate() -> impl Strategy<Value = Rate> {
    let price = decimal(1..100_000_000_i128, 0..=8).prop_map(|price| Price::new(price).unwrap());
    let spread = decimal(0..1_000_i128, 3..=8).prop_map(|spread| Spread::new(spread).unwrap());
    (price, spread).prop_map(|(price, spread)| Rate { price, spread })
}

fn rule() -> impl Strategy<Value = FeeRule> {
    let kind = proptest::sample::select(FeeKind::ALL.to_vec());
    let percent = proptest::option::of(decimal(0..=10_000_i128, 2..=6));
    let amount = || proptest::option::of(decimal(0..5_000_i128, 0..=9));
    (kind, percent, amount(), amount(), amount(), amount()).prop_map(|(kind, percent, target, source, min, max)| {
        let (min, max) = match (min, max) {
            (Some(a), Some(b)) => (Some(a.min(b)), Some(a.max(b))),
            one => one,
        };
        // A rule has to charge something.
        let percent = if target.or(source).or(min).is_none() { percent.or(Some(Decimal::ONE)) } else { percent };
        FeeRule { kind, percent, fixed_target: target, fixed_source: source, min, max }
    })
}

fn schedule(id: &str, rules: Vec<FeeRule>, conditions: FeeConditions) -> FeeSchedule {
    FeeSchedule::new(id, 1, rules, conditions).unwrap()
}

fn terms() -> impl Strategy<Value = Terms> {
    (rate(), proptest::collection::vec(rule(), 0..4), 0..=12_u8, 0..=3_u8).prop_map(|(rate, rules, from, to)| Terms {
        source: crypto(from),
        target: fiat(to),
        rate,
        tariff: FeeTariff::single(schedule("any", rules, FeeConditions::default())),
    })
}

/// A quote from either side, of something that reaches the card.
fn quote() -> impl Strategy<Value = (Terms, Quote)> {
    (terms(), count(), any::<bool>()).prop_filter_map("nothing reaches the card", |(terms, count, by_source)| {
        let quote = match by_source {
            true => terms.price_by_source(&units(count, terms.source)).unwrap(),
            false => terms.price_by_target(&units(count.min(1_000_000_000), terms.target)).unwrap(),
        };
        quote.amount_to.is_positive().then_some((terms, quote))
    })
}

/// Ascending units from 0 to `whole`, both included.
fn steps(whole: i128, cuts: &[Index]) -> Vec<i128> {
    let size = usize::try_from(whole).unwrap_or(usize::MAX).saturating_add(1);
    let cuts = cuts.iter().map(|cut| i128::try_from(cut.index(size)).unwrap());
    let mut steps: Vec<i128> = cuts.chain([0, whole]).collect();
    steps.sort_unstable();
    steps
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn products_and_quotients_match_big_integers(
        a in decimal(any::<i64>().prop_map(i128::from), 0..=28),
        b in decimal(any::<i64>().prop_map(|b| i128::from(b) * 1_000_003), 0..=28),
        c in decimal((1..i64::MAX).prop_map(i128::from), 0..=28),
        scale in 0..=12_u8,
    ) {
        let ten = |power: u32| BigInt::from(10).pow(power);
        let above = BigInt::from(a.mantissa()) * b.mantissa() * ten(c.scale()) * ten(u32::from(scale));
        let below = BigInt::from(c.mantissa()) * ten(a.scale()) * ten(b.scale());
        let truncated: BigInt = &above / &below;
        let away = match (&truncated * &below == above, above < BigInt::from(0)) {
            (true, _) => truncated.clone(),
            (false, true) => &truncated - 1,
            (false, false) => &truncated + 1,
        };
        let limit = BigInt::from(1_u8) << 96_u32;
        for (rounding, wanted) in [(Rounding::Down, truncated), (Rounding::Up, away)] {
            let result = exact::mul_div(a, b, c, scale, rounding);
            if wanted < limit && -&wanted < limit {
                prop_assert_eq!(BigInt::from(result.unwrap().mantissa()), wanted);
            } else {
                prop_assert_eq!(result, Err(exact::ArithmeticError::Overflow));
            }
        }
    }

    #[test]
    fn amounts_survive_being_written_and_read(count in 0..10_i128.pow(18), scale in 0..=18_u8) {
        let written = exact::from_units(count, scale).unwrap();
        let read = |text: &str| exact::parse_amount(text, scale, 18);
        prop_assert_eq!(read(&written.to_string()), Ok(written));
        prop_assert_eq!(read(&format!("{count}e-{scale}")), Ok(written));
        prop_assert_eq!(read(&format!("-{written}")), Err(exact::AmountError::Negative));
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[-+0-9eE. x]{0,40}|\\PC{0,20}", scale in 0..=28_u8) {
        if let Ok(amount) = exact::parse_amount(&text, scale, 28) {
            prop_assert_eq!(amount.scale(), u32::from(scale));
            prop_assert!(amount >= Decimal::ZERO);
        }
    }

    #[test]
    fn mixed_assets_are_refused(a in count(), b in count()) {
        let (left, right) = (units(a, crypto(8)), units(b, fiat(2)));
        let mixed = MoneyError::MixedAssets { left: left.asset().code, right: right.asset().code };
        prop_assert_eq!(left.add(&right), Err(mixed));
        prop_assert_eq!(left.sub(&right), Err(mixed));
        prop_assert_eq!(left.compare(&right), Err(mixed));
        prop_assert!(!left.covers(&right) && !right.covers(&left));
    }

    #[test]
    fn fees_only_grow_with_the_amount(
        rules in proptest::collection::vec(rule(), 1..4),
        rate in rate(),
        (a, b) in (count(), count()),
        scale in 0..=12_u8,
    ) {
        let schedule = schedule("any", rules, FeeConditions::default());
        let (less, more) = (a.min(b), a.max(b));
        let amount = |count| exact::from_units(count, scale).unwrap();
        let fees = |count| schedule.sum(amount(count), rate.price, scale).unwrap();
        let items = schedule.items(amount(less), rate.price, scale).unwrap();
        prop_assert!(fees(less) <= fees(more));
        prop_assert_eq!(sum_of(&items), fees(less));
        prop_assert!(items.iter().all(|item| item.amount >= Decimal::ZERO));
    }

    #[test]
    fn a_quote_adds_up_and_rounds_for_the_house((terms, quote) in quote()) {
        prop_assert_eq!(quote.amount.add(&quote.fee_total).unwrap(), quote.total);
        prop_assert_eq!(sum_of(&quote.fees), quote.fee_total.amount());
        prop_assert_eq!(terms.total(&quote.amount).unwrap(), quote.total);
        // What the card gets is never worth more than the amount.
        let worth = exact::mul(quote.amount.amount(), quote.rate.value(), terms.target.scale, Rounding::Down).unwrap();
        prop_assert!(quote.amount_to.amount() <= worth);
        prop_assert_eq!(terms.price_by_source(&quote.amount).unwrap().amount_to.amount(), worth);
        // Naming what one gets never costs more than naming what one gives.
        let by_target = terms.price_by_target(&quote.amount_to).unwrap();
        prop_assert!(quote.amount.covers(&by_target.amount));
        prop_assert_eq!(by_target.amount_to, quote.amount_to);
    }

    #[test]
    fn limits_in_the_source_keep_to_those_in_the_target(
        terms in terms(), a in 1..1_000_000_i128, b in 1..1_000_000_i128,
    ) {
        let limits = terms.limits(units(a.min(b), terms.target), units(a.max(b), terms.target)).unwrap();
        let brings = |amount: Money| terms.price_by_source(&amount).unwrap().amount_to;
        prop_assert!(brings(limits.source_min).covers(&limits.target_min));
        if limits.source_min.units() > 1 {
            prop_assert!(!brings(units(limits.source_min.units() - 1, terms.source)).covers(&limits.target_min));
        }
        if limits.source_max.is_positive() {
            prop_assert!(limits.target_max.covers(&brings(limits.source_max)));
        }
    }

    #[test]
    fn all_is_spendable_to_the_last_unit(terms in terms(), balance in count(), cap in count()) {
        let (balance, cap) = (units(balance, terms.source), units(cap, terms.source));
        let covered = |count: i128| balance.covers(&terms.total(&units(count, terms.source)).unwrap());
        match terms.all_amount(&balance, &cap) {
            Some(all) => {
                prop_assert!(all.is_positive() && cap.covers(&all) && covered(all.units()));
                prop_assert!(all == cap || !covered(all.units() + 1));
            }
            None => prop_assert!(!covered(1)),
        }
    }

    #[test]
    fn all_is_right_across_amount_bands(
        rate in rate(),
        bands in proptest::collection::vec((rule(), 0..60_i128, 1..60_i128, any::<bool>()), 1..5),
        balance in 0..150_i128,
        cap in 1..150_i128,
    ) {
        let source = crypto(1);
        let entries = bands.into_iter().enumerate().map(|(n, (rule, from, width, open))| {
            // Some edges lie between the asset's units.
            let edge = |count| exact::from_units(count * 5, 2).unwrap();
            let amount_below = (!open).then(|| edge(from + width));
            let conditions = FeeConditions { amount_from: Some(edge(from)), amount_below, ..FeeConditions::default() };
            let schedule = schedule(&n.to_string(), vec![rule], conditions).into();
            ScheduleEntry { partner: None, mode: None, schedule }
        });
        let pair = Pair { from: source.code, to: fiat(2).code };
        let tariff = FeeSchedules::new(entries.collect()).tariff("any", Mode::Test, pair, CardScheme::Visa);
        let terms = Terms { source, target: fiat(2), rate, tariff };
        let balance = units(balance, source);
        let affordable = |amount: &Money| terms.total(amount).is_ok_and(|total| balance.covers(&total));
        let searched = (1..=cap).rev().map(|count| units(count, source)).find(affordable);
        prop_assert_eq!(terms.all_amount(&balance, &units(cap, source)), searched);
    }

    #[test]
    fn partial_settlements_add_up_to_the_full_terms((_, quote) in quote(), cuts in cuts()) {
        let settlement = Settlement::of(&quote).unwrap();
        let at = |count: i128| units(count, quote.amount_to.asset()).amount();
        let full = settlement.settle(dec!(0), quote.amount_to.amount(), SettlementRest::Released).unwrap();
        prop_assert!(full.rounding >= Decimal::ZERO);
        prop_assert_eq!(full.released, Decimal::ZERO);

        let (mut taken, mut inventory, mut income) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for step in steps(quote.amount_to.units(), &cuts).windows(2) {
            let (before, after) = (at(step[0]), at(step[1]));
            let open = settlement.settle(before, after, SettlementRest::StaysHeld).unwrap();
            let mut parts = vec![open.house_inventory, open.spread_income, open.rounding, open.partner_fee];
            parts.extend(open.fees.iter().map(|item| item.amount));
            prop_assert!(parts.iter().all(|part| *part >= Decimal::ZERO));
            taken = sum([taken, sum(parts)]);
            inventory = sum([inventory, open.house_inventory]);
            income = sum([income, open.spread_income]);

            // Should it end here, what is taken and what is released make up the held total exactly.
            let end = settlement.settle(after, after, SettlementRest::Released).unwrap();
            prop_assert!(end.released >= Decimal::ZERO);
            prop_assert_eq!(sum([taken, end.released]), quote.total.amount());
            // The house holds at least the crypto that the fiat sent so far is worth.
            let cost = exact::div(after, quote.rate.price.value(), quote.amount.asset().scale, Rounding::Up).unwrap();
            prop_assert!(inventory >= cost);
        }
        prop_assert_eq!(taken, quote.total.amount());
        prop_assert_eq!(inventory, full.house_inventory);
        prop_assert_eq!(income, full.spread_income);
    }

    #[test]
    fn returns_give_back_at_most_what_was_taken_and_all_of_it_in_the_end(
        (_, quote) in quote(), part in any::<Index>(), cuts in cuts(), with_fees in any::<bool>(),
    ) {
        let settlement = Settlement::of(&quote).unwrap();
        let at = |count: i128| units(count, quote.amount_to.asset()).amount();
        let processed = steps(quote.amount_to.units(), &[part])[1];
        let taken = settlement.settle(dec!(0), at(processed), SettlementRest::Released).unwrap();
        let (fees, taken_fees) = match with_fees {
            true => (ReturnedFees::GivenBack, sum([sum_of(&taken.fees), taken.partner_fee])),
            false => (ReturnedFees::Kept, Decimal::ZERO),
        };
        let returnable = sum([taken.house_inventory, taken.spread_income, taken.rounding, taken_fees]);

        let mut returned = Decimal::ZERO;
        for step in steps(processed, &cuts).windows(2) {
            let terms = settlement.give_back(at(processed), at(step[0]), at(step[1]), fees).unwrap();
            let mut parts = vec![terms.house_inventory, terms.spread_income, terms.rounding, terms.partner_fee];
            parts.extend(terms.fees.iter().map(|item| item.amount));
            prop_assert!(parts.iter().all(|part| *part >= Decimal::ZERO));
            prop_assert_eq!(sum(parts), terms.to_user);
            returned = sum([returned, terms.to_user]);
            // Never ahead of the share that came back.
            if processed > 0 {
                let share = exact::mul_div(returnable, at(step[1]), at(processed), 12, Rounding::Down).unwrap();
                prop_assert!(returned <= share);
            }
        }
        prop_assert_eq!(returned, returnable);
    }

    #[test]
    fn rolling_sums_never_leave_an_amount_out(
        payouts in proptest::collection::vec((0..20 * 3_600_i64, 0..1_000_i128), 1..40),
        later in 0..400 * 86_400_i64,
    ) {
        let mut now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut usage = UsageWindow::default();
        let mut made: Vec<(DateTime<Utc>, Decimal)> = Vec::new();
        for (pause, cents) in payouts {
            now += TimeDelta::seconds(pause);
            let amount = exact::from_units(cents, 2).unwrap();
            usage.reserve(now, amount).unwrap();
            made.push((now, amount));
        }
        let text = serde_json::to_string(&usage).unwrap();
        prop_assert_eq!(&serde_json::from_str::<UsageWindow>(&text).unwrap(), &usage);

        for at in [now, now + TimeDelta::seconds(later)] {
            let sums = usage.sums(at).unwrap();
            for (period, window, slack) in [
                (Period::Day, TimeDelta::hours(24), TimeDelta::hours(1)),
                (Period::Month, TimeDelta::days(30), TimeDelta::days(1)),
                (Period::Year, TimeDelta::days(365), TimeDelta::days(1)),
            ] {
                let within = |window| sum(made.iter().filter(|(when, _)| at - *when <= window).map(|made| made.1));
                prop_assert!(sums.get(period) >= within(window));
                prop_assert!(sums.get(period) <= within(window + slack));
            }
        }
        // Everything that still counts can be given back, once.
        for (when, amount) in &made {
            usage.release(*when, *amount).unwrap();
        }
        prop_assert_eq!(usage.sums(now).unwrap(), Sums::default());
    }

    #[test]
    fn striped_sums_never_pass_the_limit_and_can_use_it_up(
        limit in 0..5_000_i128,
        count in 1..6_usize,
        payouts in proptest::collection::vec((1..1_500_i128, any::<usize>()), 1..30),
    ) {
        let limit = exact::from_units(limit, 2).unwrap();
        let limits = PeriodLimits { day: Some(limit), ..PeriodLimits::default() };
        let mut stripes = vec![Sums::default(); count];
        let total = |stripes: &[Sums]| sum(stripes.iter().map(|sums| sums.day));
        for (cents, preferred) in payouts {
            let amount = exact::from_units(cents, 2).unwrap();
            let before = total(&stripes);
            match limit::plan_striped(&stripes, &limits, amount, preferred, 2) {
                Ok(shares) => {
                    prop_assert_eq!(sum(shares.iter().map(|share| share.amount)), amount);
                    prop_assert!(shares.is_sorted_by_key(|share| share.stripe));
                    for share in shares {
                        let sums = &mut stripes[share.stripe];
                        let own = limit::stripe_limits(&limits, share.stripe, count, 2).unwrap();
                        prop_assert_eq!(limit::check(sums, &own, share.amount), Ok(()));
                        sums.day = sum([sums.day, share.amount]);
                    }
                }
                Err(limit::StripeError::Limit(refusal)) => {
                    prop_assert_eq!(sum([before, refusal.remaining]), limit);
                    prop_assert!(amount > refusal.remaining);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
            prop_assert!(total(&stripes) <= limit);
        }
    }
}

#[test]
fn the_published_example_comes_out_and_settles_to_the_last_unit() {
    let rules = vec![
        FeeRule { percent: Some(dec!(3.5)), ..FeeRule::of(FeeKind::Transaction) },
        FeeRule { fixed_target: Some(dec!(2.5)), ..FeeRule::of(FeeKind::Fixed) },
    ];
    let terms = Terms {
        source: crypto(8),
        target: fiat(2),
        rate: Rate { price: Price::new(dec!(0.9297)).unwrap(), spread: Spread::new(dec!(0.02)).unwrap() },
        tariff: FeeTariff::single(schedule("published", rules, FeeConditions::default())),
    };
    let quote = terms.price_by_source(&Money::new(dec!(760.06209697), terms.source).unwrap()).unwrap();
    assert_eq!(quote.rate.shown(), dec!(0.911106));
    assert_eq!(quote.fee_total.to_string(), "29.29121288 USDT");
    assert_eq!(quote.total.to_string(), "789.35330985 USDT");
    assert_eq!(quote.amount_to.to_string(), "692.49 EUR");

    let paid = Settlement::of(&quote).unwrap().settle(dec!(0), dec!(692.49), SettlementRest::Released).unwrap();
    let parts = [paid.house_inventory, paid.spread_income, paid.rounding, sum_of(&paid.fees)];
    assert_eq!(sum(parts), dec!(789.35330985));
}
