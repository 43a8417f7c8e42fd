//! Identifiers and the tenant. Gateway entities carry a prefix on the wire (`porq_0198...`); inside they are
//! UUIDv7. The wallet's cards and offers are integers below 2^53 that can't be guessed in sequence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Whether a row moves test money or real money. Rows of one mode never meet rows of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Test,
    Live,
}

impl Mode {
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Test => "test",
            Mode::Live => "live",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not an identifier of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct IdError {
    pub kind: &'static str,
}

impl FromStr for Mode {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "test" => Ok(Mode::Test),
            "live" => Ok(Mode::Live),
            _ => Err(IdError { kind: "mode" }),
        }
    }
}

/// Who a row belongs to: one partner, in one mode (invariant 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tenant {
    pub partner_id: PartnerId,
    pub mode: Mode,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the wire form starts with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: UUIDv7, so that rows made together lie together. Nothing is ordered by it.
            #[expect(clippy::new_without_default, reason = "an id is drawn, it has no default")]
            pub fn new() -> Self {
                Self(crate::torture::new_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let refused = IdError { kind: stringify!($name) };
                let digits = text.strip_prefix($prefix).ok_or_else(|| refused.clone())?;
                if digits.len() != 32 {
                    return Err(refused);
                }
                Uuid::try_parse(digits).map(Self).map_err(|_| refused)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

uuid_id!(
    /// A partner: a company whose users or customers are paid out to.
    PartnerId, "par_"
);
uuid_id!(
    /// A partner's end customer.
    CustomerId, "cus_"
);
uuid_id!(
    /// A payout point: what a payout request is submitted to.
    PayoutPointId, "pop_"
);
uuid_id!(PayoutRequestId, "porq_");
uuid_id!(
    /// One try at one provider.
    PayoutId, "po_"
);
uuid_id!(
    /// Our account at a provider, with its credentials.
    ProviderAccountId, "pac_"
);
uuid_id!(
    /// Money in one currency at a provider account.
    DepositAccountId, "dac_"
);
uuid_id!(
    /// A payout service over a deposit account.
    RouteId, "prt_"
);
uuid_id!(EventId, "evt_");
uuid_id!(
    /// A routing scheme.
    PayoutSchemeId, "posc_"
);
uuid_id!(
    /// An exchange-rate scheme.
    ExchangeSchemeId, "ers_"
);
uuid_id!(
    /// A partner's API key. Never the secret.
    ApiKeyId, "key_"
);
uuid_id!(
    /// Payout requests that came in one file.
    BatchId, "bat_"
);
uuid_id!(
    /// An entry of the block list.
    BlockId, "blk_"
);
uuid_id!(
    /// A row of the audit trail.
    AuditId, "aud_"
);
uuid_id!(
    /// A change that waits for a second person.
    ApprovalId, "apr_"
);
uuid_id!(
    /// Where a partner is told what happened.
    WebhookEndpointId, "whe_"
);
uuid_id!(
    /// A member of staff, who signs in to the dashboard.
    StaffId, "stf_"
);

/// The least id that [`WalletId`]s are drawn from: all of them have 16 digits.
const WALLET_ID_MIN: i64 = 1_000_000_000_000_000;
/// JSON integers are safe below 2^53 in every client.
const WALLET_ID_MAX: i64 = (1 << 53) - 1;

/// Draws an integer id from `random`, a function that answers uniformly distributed 64-bit numbers.
///
/// Ids are 16 digits below 2^53 and never pass the Luhn check, so that no scanner that looks for card numbers
/// in logs, dumps or traffic takes one for a card number.
fn draw_wallet_id(mut random: impl FnMut() -> u64) -> i64 {
    let span = (WALLET_ID_MAX - WALLET_ID_MIN + 1).unsigned_abs();
    loop {
        // 2^64 is about 2 300 spans: the bias of the remainder is far below what an id needs.
        let offset = i64::try_from(random() % span).unwrap_or(0);
        let id = WALLET_ID_MIN + offset;
        if !passes_luhn(id) {
            return id;
        }
    }
}

fn passes_luhn(number: i64) -> bool {
    let mut rest = number;
    let mut sum = 0;
    let mut double = false;
    while rest > 0 {
        let mut digit = rest % 10;
        if double {
            digit *= 2;
            if digit > 9 {
                digit -= 9;
            }
        }
        sum += digit;
        double = !double;
        rest /= 10;
    }
    sum % 10 == 0
}

macro_rules! wallet_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// A new random id; the caller's unique key refuses the rare repeat.
            pub fn draw(random: impl FnMut() -> u64) -> Self {
                Self(draw_wallet_id(random))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let refused = IdError { kind: stringify!($name) };
                if text.is_empty() || text.len() > 16 || !text.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(refused);
                }
                match text.parse::<i64>() {
                    Ok(id) if (1..=WALLET_ID_MAX).contains(&id) => Ok(Self(id)),
                    _ => Err(refused),
                }
            }
        }
    };
}

wallet_id!(
    /// A card of a wallet user: `cardId` on the wire.
    CardId
);
wallet_id!(
    /// An offer to a wallet user: `offerId` on the wire.
    OfferId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixed_ids_survive_the_trip_and_refuse_each_other() {
        let id = PayoutRequestId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().parse::<PayoutId>().is_err());
        assert!("porq_".parse::<PayoutRequestId>().is_err());
        assert!("porq_0".parse::<PayoutRequestId>().is_err());
    }

    #[test]
    fn wallet_ids_are_safe_json_integers_that_no_card_scanner_takes_for_a_card() {
        let mut state = 7_u64;
        for _ in 0..10_000 {
            let id = OfferId::draw(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state
            });
            assert!((WALLET_ID_MIN..=WALLET_ID_MAX).contains(&id.0));
            assert!(!passes_luhn(id.0));
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in ["", "-1", "0", "9007199254740992", "1e3", " 1", "١٢"] {
            assert!(bad.parse::<OfferId>().is_err(), "{bad:?}");
        }
    }
}
