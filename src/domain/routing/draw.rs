//! Chance that replays: numbers derived from identifiers by a stable hash. Owns no randomness; the same request draws the
//! same numbers on every machine and in every version.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use crate::domain::ids::{PayoutRequestId, RouteId};

/// The steps that 0..100 is divided into: four decimals.
const PERCENT_STEPS: u64 = 1_000_000;

/// A number from 0 up to but not including 100, with four decimals: the attribute `draw`.
pub fn percent(request: PayoutRequestId) -> Decimal {
    let step = hash(b"landfall/routing/percent", request, &[]) % PERCENT_STEPS;
    Decimal::new(i64::try_from(step).unwrap_or(0), 4)
}

/// Numbers in sequence, uniform over all 64 bits (splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number
/// generators", 2014).
#[derive(Clone, Debug)]
pub struct Draws(u64);

/// What one try of a request draws from.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64);

impl Seed {
    /// Every part and every attempt draws anew.
    pub fn new(request: PayoutRequestId, part: i16, attempt: i16) -> Self {
        let [p0, p1] = part.to_be_bytes();
        let [a0, a1] = attempt.to_be_bytes();
        Self(hash(b"landfall/routing/seed", request, &[p0, p1, a0, a1]))
    }

    /// The draws of one route.
    pub fn of(self, route: RouteId) -> Draws {
        let (high, low) = route.0.as_u64_pair();
        Draws(mix(self.0 ^ mix(high ^ mix(low))))
    }
}

impl Draws {
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

fn mix(value: u64) -> u64 {
    let z = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn hash(purpose: &[u8], request: PayoutRequestId, place: &[u8]) -> u64 {
    let digest = Sha256::new().chain_update(purpose).chain_update(request.0.as_bytes()).chain_update(place).finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use rust_decimal::dec;
    use uuid::Uuid;

    use super::*;

    fn request(n: u128) -> PayoutRequestId {
        PayoutRequestId(Uuid::from_u128(n))
    }

    #[test]
    fn the_draw_of_a_request_never_changes() {
        assert_eq!(percent(request(1)), percent(request(1)));
        let mut a = Seed::new(request(1), 0, 1).of(RouteId(Uuid::from_u128(7)));
        let mut b = Seed::new(request(1), 0, 1).of(RouteId(Uuid::from_u128(7)));
        assert_eq!(a.next_u64(), b.next_u64());
        let mut other = Seed::new(request(1), 0, 2).of(RouteId(Uuid::from_u128(7)));
        assert_ne!(b.next_u64(), other.next_u64());
    }

    #[test]
    fn draws_spread_evenly_over_the_hundred() {
        let below_ten = (0..10_000).map(|n| percent(request(n))).inspect(|p| assert!(*p >= dec!(0) && *p < dec!(100)));
        let below_ten = below_ten.filter(|p| *p < dec!(10)).count();
        assert!((900..1_100).contains(&below_ten), "{below_ten}");
    }
}
