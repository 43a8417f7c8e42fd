//! Targets for fuzzing of what rate sources say; see [`crate::fuzz`].

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::source::Tick;
use super::{binance_stream, ecb};
use crate::domain::rate::Pair;

/// The stream's messages, and the daily file of the ECB: what is read is of a pair that was asked for, and no market that is taken is crossed.
pub fn answer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (Ok(eur), Ok(usd)) = ("EUR".parse(), "USD".parse()) else { return };
    let pair = Pair { from: eur, to: usd };
    let pairs = BTreeMap::from([("EURUSDT".to_owned(), pair)]);
    let of_stream = binance_stream::read_message(text, &pairs);
    let of_file = ecb::read(data, &[pair]).map(|fetched| fetched.ticks).unwrap_or_default();
    for Tick { pair: of, bid, ask, source_time } in of_stream.into_iter().chain(of_file) {
        assert_eq!(of, pair);
        assert!(bid >= Decimal::ZERO && ask >= Decimal::ZERO, "{text}");
        let tick = Tick { pair: of, bid, ask, source_time };
        if tick.check_market().is_ok() {
            assert!(bid > Decimal::ZERO && bid <= ask, "{tick:?}");
        }
    }
}
