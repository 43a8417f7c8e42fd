//! The faults that the simulator can inject, when each strikes, and how often it did. Scripted ones strike the next calls; seeded
//! ones are drawn from the seed, the account, the reference and the call's number, so that the same run meets the same faults.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::config::providers::{Outage, Share};
use crate::providers::test::draw;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    // How a call ends.
    /// Not even a connection: nothing was sent. Over TCP a server that already listens can only reset.
    ConnectionRefused,
    /// The connection is reset before the request was looked at.
    ResetBefore,
    /// The connection is reset after the request took effect.
    ResetAfter,
    /// A 5xx without effect.
    ErrorWithoutEffect,
    /// A 5xx after the request took effect.
    ErrorWithEffect,
    /// The request takes effect and is never answered.
    LostAnswer,
    /// A definite 429: nothing was taken by this call.
    RateLimited,
    /// A definite 503: nothing was taken by this call.
    Unavailable,
    // What becomes of the payment.
    /// Taken, but look-ups don't find it for a while.
    Hidden,
    /// Pending first, processed later.
    PendingThenProcessed,
    /// Pending first, declined later.
    PendingThenDeclined,
    /// Declined when it is asked about first, processed in the end.
    DeclinedThenProcessed,
    /// Processed, and all of it comes back later.
    ProcessedThenReturned,
    /// Less goes out than was asked.
    AmountLess,
    /// More goes out than was asked.
    AmountMore,
    /// Declined as if the account held too little.
    OutOfFunds,
    // What is told of it.
    /// Each callback comes twice.
    DuplicateCallback,
    /// Callbacks come late.
    LateCallback,
    /// The newest callback comes first.
    ReorderedCallbacks,
    /// No callback comes.
    LostCallback,
    /// A callback comes before the answer.
    EarlyCallback,
    // When the answer comes.
    /// The answer takes long.
    Latency,
}

/// Faults of one group exclude each other; of each group a call meets at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultGroup {
    /// How the call ends.
    Call,
    /// What becomes of the payment.
    Fate,
    /// What is told of it.
    Callbacks,
    /// When the answer comes.
    Time,
}

impl FaultGroup {
    pub const ALL: [FaultGroup; 4] = [FaultGroup::Call, FaultGroup::Fate, FaultGroup::Callbacks, FaultGroup::Time];

    const fn as_str(self) -> &'static str {
        match self {
            FaultGroup::Call => "call",
            FaultGroup::Fate => "fate",
            FaultGroup::Callbacks => "callbacks",
            FaultGroup::Time => "time",
        }
    }
}

/// What is counted beside the kinds: a call in an outage window.
pub const OUTAGE: &str = "outage";
/// What is counted beside the kinds: a payment that the account's own balance could not bear.
pub const BALANCE_OUT: &str = "balance_out";

impl Fault {
    pub const ALL: [Fault; 22] = [
        Fault::ConnectionRefused,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::ErrorWithoutEffect,
        Fault::ErrorWithEffect,
        Fault::LostAnswer,
        Fault::RateLimited,
        Fault::Unavailable,
        Fault::Hidden,
        Fault::PendingThenProcessed,
        Fault::PendingThenDeclined,
        Fault::DeclinedThenProcessed,
        Fault::ProcessedThenReturned,
        Fault::AmountLess,
        Fault::AmountMore,
        Fault::OutOfFunds,
        Fault::DuplicateCallback,
        Fault::LateCallback,
        Fault::ReorderedCallbacks,
        Fault::LostCallback,
        Fault::EarlyCallback,
        Fault::Latency,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::ConnectionRefused => "connection_refused",
            Fault::ResetBefore => "reset_before",
            Fault::ResetAfter => "reset_after",
            Fault::ErrorWithoutEffect => "error_without_effect",
            Fault::ErrorWithEffect => "error_with_effect",
            Fault::LostAnswer => "lost_answer",
            Fault::RateLimited => "rate_limited",
            Fault::Unavailable => "unavailable",
            Fault::Hidden => "hidden",
            Fault::PendingThenProcessed => "pending_then_processed",
            Fault::PendingThenDeclined => "pending_then_declined",
            Fault::DeclinedThenProcessed => "declined_then_processed",
            Fault::ProcessedThenReturned => "processed_then_returned",
            Fault::AmountLess => "amount_less",
            Fault::AmountMore => "amount_more",
            Fault::OutOfFunds => "out_of_funds",
            Fault::DuplicateCallback => "duplicate_callback",
            Fault::LateCallback => "late_callback",
            Fault::ReorderedCallbacks => "reordered_callbacks",
            Fault::LostCallback => "lost_callback",
            Fault::EarlyCallback => "early_callback",
            Fault::Latency => "latency",
        }
    }

    pub const fn group(self) -> FaultGroup {
        match self {
            Fault::ConnectionRefused
            | Fault::ResetBefore
            | Fault::ResetAfter
            | Fault::ErrorWithoutEffect
            | Fault::ErrorWithEffect
            | Fault::LostAnswer
            | Fault::RateLimited
            | Fault::Unavailable => FaultGroup::Call,
            Fault::Hidden
            | Fault::PendingThenProcessed
            | Fault::PendingThenDeclined
            | Fault::DeclinedThenProcessed
            | Fault::ProcessedThenReturned
            | Fault::AmountLess
            | Fault::AmountMore
            | Fault::OutOfFunds => FaultGroup::Fate,
            Fault::DuplicateCallback
            | Fault::LateCallback
            | Fault::ReorderedCallbacks
            | Fault::LostCallback
            | Fault::EarlyCallback => FaultGroup::Callbacks,
            Fault::Latency => FaultGroup::Time,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such fault")]
pub struct UnknownFault;

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == text).ok_or(UnknownFault)
    }
}

/// Which calls a fault is for: orders to pay, or everything that only asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Pay,
    Ask,
}

impl Call {
    const fn as_str(self) -> &'static str {
        match self {
            Call::Pay => "pay",
            Call::Ask => "ask",
        }
    }
}

/// A fault that strikes the next `times` calls that it is for, before anything is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scripted {
    pub on: Call,
    pub fault: Fault,
    /// How many calls it strikes still.
    #[serde(default = "once")]
    pub times: u32,
    /// Only calls about this reference; `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

fn once() -> u32 {
    1
}

/// The share of calls that meet each kind. Kinds of one group share a die: together at most 1.
pub type Rates = BTreeMap<Fault, Share>;

/// Everything that goes wrong, and when. Empty: nothing does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// What orders to pay meet.
    pub pay: Rates,
    /// What look-ups, balances and reports meet: only [`FaultGroup::Call`] and [`FaultGroup::Time`].
    pub ask: Rates,
    pub script: VecDeque<Scripted>,
    /// Times without the provider.
    pub outages: Vec<Outage>,
}

/// Rates that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rates of faults on `{on}` add up to more than 1 within the group `{group}`")]
pub struct RatesError {
    on: &'static str,
    group: &'static str,
}

impl Faults {
    pub fn check(&self) -> Result<(), RatesError> {
        for (call, rates) in [(Call::Pay, &self.pay), (Call::Ask, &self.ask)] {
            for group in FaultGroup::ALL {
                let of_group = rates.iter().filter(|(fault, _)| fault.group() == group);
                if of_group.map(|(_, share)| u64::from(share.millionths())).sum::<u64>() > 1_000_000 {
                    return Err(RatesError { on: call.as_str(), group: group.as_str() });
                }
            }
        }
        Ok(())
    }

    /// The fault of `group` that the call meets, if any: the script's first that fits, else what is drawn.
    pub fn strike(
        &mut self,
        seed: u64,
        group: FaultGroup,
        call: Call,
        key: &str,
        reference: &str,
        number: u32,
    ) -> Option<Fault> {
        let fits = |scripted: &Scripted| {
            scripted.times > 0
                && scripted.on == call
                && scripted.fault.group() == group
                && scripted.reference.as_deref().is_none_or(|only| only == reference)
        };
        if let Some(at) = self.script.iter().position(fits) {
            let scripted = self.script.get_mut(at)?;
            scripted.times -= 1;
            let fault = scripted.fault;
            if scripted.times == 0 {
                self.script.remove(at);
            }
            return Some(fault);
        }
        let rates = match call {
            Call::Pay => &self.pay,
            Call::Ask => &self.ask,
        };
        let mut of_group =
            rates.iter().filter(|(fault, share)| fault.group() == group && share.millionths() > 0).peekable();
        of_group.peek()?;
        let purpose = format!("{}/{}", call.as_str(), group.as_str());
        let drawn = draw(seed, &purpose, key, number) % 1_000_000;
        let mut below = 0;
        of_group
            .find(|(_, share)| {
                below += u64::from(share.millionths());
                drawn < below
            })
            .map(|(fault, _)| *fault)
    }

    pub fn is_out(&self, now: DateTime<Utc>) -> bool {
        self.outages.iter().any(|outage| outage.covers(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Share {
        Share::try_from(text.to_owned()).expect("a share")
    }

    #[test]
    fn every_kind_has_one_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.as_str().parse(), Ok(fault));
            assert_eq!(serde_json::to_string(&fault).expect("a name"), format!("{:?}", fault.as_str()));
        }
        assert_eq!("often".parse::<Fault>(), Err(UnknownFault));
    }

    #[test]
    fn a_script_strikes_as_often_as_it_says_and_only_what_it_is_for() {
        let only = |reference: &str| Some(reference.to_owned());
        let mut faults = Faults {
            script: [
                Scripted { on: Call::Pay, fault: Fault::ResetAfter, times: 2, reference: None },
                Scripted { on: Call::Ask, fault: Fault::LostAnswer, times: 1, reference: only("po_7") },
            ]
            .into(),
            ..Faults::default()
        };
        let mut meets = |call, reference| faults.strike(1, FaultGroup::Call, call, reference, reference, 0);
        assert_eq!(meets(Call::Ask, "po_1"), None);
        assert_eq!(meets(Call::Pay, "po_1"), Some(Fault::ResetAfter));
        assert_eq!(meets(Call::Ask, "po_7"), Some(Fault::LostAnswer));
        assert_eq!(meets(Call::Pay, "po_2"), Some(Fault::ResetAfter));
        assert_eq!(meets(Call::Pay, "po_3"), None);
        assert_eq!(meets(Call::Ask, "po_7"), None);
        assert!(faults.script.is_empty());
    }

    #[test]
    fn rates_strike_about_as_often_as_they_say_and_the_same_calls_again() {
        let rates =
            [(Fault::ResetBefore, share("0.1")), (Fault::LostAnswer, share("0.2")), (Fault::Hidden, share("1"))];
        let mut faults = Faults { pay: rates.into(), ..Faults::default() };
        let mut run = |seed| -> Vec<Option<Fault>> {
            let keys: Vec<String> = (0..5_000).map(|n| format!("a/po_{n}")).collect();
            keys.iter().map(|key| faults.strike(seed, FaultGroup::Call, Call::Pay, key, key, 0)).collect()
        };
        let (first, again, other) = (run(1), run(1), run(2));
        assert!(first == again && first != other);
        let count = |fault| first.iter().filter(|met| **met == Some(fault)).count();
        assert!((400..600).contains(&count(Fault::ResetBefore)), "{}", count(Fault::ResetBefore));
        assert!((850..1150).contains(&count(Fault::LostAnswer)), "{}", count(Fault::LostAnswer));
        assert_eq!(count(Fault::Hidden), 0, "another group has another die");
    }

    #[test]
    fn rates_beyond_one_are_refused_by_group() {
        let both = |less: &str| Faults {
            pay: [(Fault::ResetBefore, share("0.6")), (Fault::LostAnswer, share(less))].into(),
            ..Faults::default()
        };
        assert_eq!(both("0.4").check(), Ok(()));
        assert!(both("0.400001").check().is_err_and(|refusal| refusal.to_string().contains("`call`")));
    }
}
