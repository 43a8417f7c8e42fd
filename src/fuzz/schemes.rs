//! Routing and exchange schemes, as partners write them.

use std::collections::HashMap;

use rust_decimal::{Decimal, dec};
use serde_json::Value;
use uuid::Uuid;

use super::assert_tells_no_number;
use crate::domain::asset::{Asset, AssetCode, AssetKind, Assets};
use crate::domain::card::CardScheme;
use crate::domain::exchange::{BidAsk, ExchangeScheme};
use crate::domain::ids::{DepositAccountId, Mode, PayoutRequestId, PayoutSchemeId, ProviderAccountId, RouteId};
use crate::domain::rate::Pair;
use crate::domain::routing::{
    BreakerGate, Facts, Known, KnownRoute, Route, Scheme, SchemeRef, Situation, Statistics, Trace, decide,
};

const SERVICE: &str = "card_eur";
/// Some that fall on, under and above what the routes take.
const AMOUNTS: [Decimal; 4] = [dec!(0.01), dec!(10), dec!(999.99), dec!(1000000)];

fn code(text: &str) -> AssetCode {
    match text.parse() {
        Ok(code) => code,
        Err(_) => unreachable!("{text} is a code"),
    }
}

fn route(n: u128) -> Route {
    Route {
        id: RouteId(Uuid::from_u128(0x1000 + n)),
        code: format!("r{n}"),
        service: SERVICE.to_owned(),
        mode: Mode::Test,
        currency: code("EUR"),
        currency_scale: 2,
        deposit_account_id: DepositAccountId(Uuid::from_u128(n)),
        provider_account_id: ProviderAccountId(Uuid::from_u128(n)),
        provider: "test".to_owned(),
        enabled: n != 3,
        amount_min: (n == 2).then_some(dec!(5)),
        amount_max: (n > 0).then_some(dec!(1000)),
        cost_percent: dec!(1),
        cost_fixed: Decimal::from(n),
        cost_min: None,
        cost_max: None,
        weight: 1,
        fast_funds: n != 1,
        card_schemes: vec![CardScheme::Visa],
        breaker: BreakerGate::Closed,
        deposit_currency: code("EUR"),
        deposit_scale: 2,
        deposit_rate: Some(dec!(1)),
        exchange_spread_percent: dec!(0),
        exchange_buffer_percent: dec!(0),
        available: dec!(100000),
        turnover_left: None,
    }
}

/// A body that compiles decides on anything, and what it decided replays.
pub(super) fn payout(data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let routes: Vec<Route> = (0..4).map(route).collect();
    let services = HashMap::from([(SERVICE.to_owned(), code("EUR"))]);
    let known_routes: Vec<KnownRoute> = routes.iter().map(KnownRoute::from).collect();
    let scheme = SchemeRef { id: PayoutSchemeId(Uuid::from_u128(7)), version: 1 };
    let known = Known { scheme, services: &services, routes: &known_routes };
    let scheme = match Scheme::compile(&body, &known) {
        Ok(scheme) => scheme,
        Err(problems) => {
            assert!(!problems.is_empty(), "it is refused for nothing");
            return;
        }
    };
    for (n, amount) in (1_u128..).zip(AMOUNTS) {
        let facts = Facts {
            request_id: PayoutRequestId(Uuid::from_u128(n)),
            ..Facts::bare(Mode::Test, code("EUR"), SERVICE, amount, Some(CardScheme::Visa))
        };
        let situation = Situation {
            request_id: facts.request_id,
            part: 0,
            attempt: 1,
            amount,
            facts: &facts,
            attempted: &[],
            attempts_per_route_limit: 1,
        };
        let decision = decide(&scheme, &routes, &situation, &Statistics::default());
        let ranked: Vec<RouteId> =
            decision.ranked.iter().map(|index| routes.get(*index).map_or(RouteId(Uuid::nil()), |r| r.id)).collect();
        assert!(ranked.iter().all(|id| *id != RouteId(Uuid::from_u128(0x1003))), "a disabled route is taken");
        assert_eq!(decision.trace.replay(), ranked, "the trace tells another story");
        let _ = decision.trace.in_words();
        let written = serde_json::to_string(&decision.trace).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Trace>(&written).ok().as_ref(), Some(&decision.trace), "{written}");
    }
}

/// A body that compiles quotes, never above the market, and what is stored of the quote is read again.
pub(super) fn exchange(data: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let assets = Assets::new([("EUR", 2), ("USD", 2), ("JPY", 0)].map(|(name, scale)| Asset {
        code: code(name),
        kind: AssetKind::Fiat,
        scale,
    }));
    let scheme = match ExchangeScheme::compile(&body, &assets, &["board", "binance"]) {
        Ok(scheme) => scheme,
        Err(problems) => {
            assert!(!problems.is_empty(), "it is refused for nothing");
            for problem in problems {
                assert_tells_no_number("a problem's place", &problem.detail);
            }
            return;
        }
    };
    let prices = |source: &str, _: Pair| (source == "board").then_some(BidAsk { bid: dec!(1.1), ask: dec!(1.2) });
    for rule in scheme.rules() {
        let Ok(applied) = scheme.quote(rule.pair, &prices) else { continue };
        assert!(applied.price_quoted > Decimal::ZERO, "{applied:?}");
        let stored = applied.to_stored().map(crate::domain::exchange::AppliedRate::from_stored);
        assert_eq!(stored.ok().and_then(Result::ok).map(|again| again.rate), Some(applied.rate));
    }
}
