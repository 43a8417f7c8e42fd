//! The failpoints themselves: what is done at which place, told by the environment, a plan or a hook.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Injected, Place, Rule};

/// What happens at a failpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// kill -9 of this very process.
    Kill,
    /// The step fails: before a commit it is rolled back, after it its answer is lost.
    Error,
    /// The step stands still for that long, and goes on.
    Pause(Duration),
    /// The step stands still for good: whoever drives it drops it, as a process that died would.
    Hang,
}

/// What is to happen where. As text: `place=action@nth`, joined by `;`. `*` is any place; `action` is `kill`, `error`, `hang` or
/// `pause:MILLISECONDS`; `nth` counts from 1, which it is where it isn't given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan(Vec<Order>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    place: String,
    action: Action,
    nth: u64,
}

/// A text that is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a failpoint is written `place=action@nth`, not {0:?}")]
pub struct PlanError(String);

impl Plan {
    /// One action at the so-many-th time that a place is reached.
    pub fn at(place: &str, action: Action, nth: u64) -> Self {
        Self(vec![Order { place: place.to_owned(), action, nth }])
    }
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let orders = text.split(';').map(str::trim).filter(|order| !order.is_empty());
        let read = |order: &str| -> Option<Order> {
            let (place, what) = order.split_once('=')?;
            let (action, nth) = what.split_once('@').unwrap_or((what, "1"));
            let action = match action.split_once(':') {
                Some(("pause", ms)) => Action::Pause(Duration::from_millis(ms.parse().ok()?)),
                Some(_) => return None,
                None if action == "kill" => Action::Kill,
                None if action == "error" => Action::Error,
                None if action == "hang" => Action::Hang,
                None => return None,
            };
            Some(Order { place: place.to_owned(), action, nth: nth.parse().ok().filter(|nth| *nth > 0)? })
        };
        orders.map(|order| read(order).ok_or_else(|| PlanError(order.to_owned()))).collect::<Result<_, _>>().map(Self)
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, Order { place, action, nth }) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_char(';')?;
            }
            match action {
                Action::Kill => write!(f, "{place}=kill@{nth}")?,
                Action::Error => write!(f, "{place}=error@{nth}")?,
                Action::Hang => write!(f, "{place}=hang@{nth}")?,
                Action::Pause(time) => write!(f, "{place}=pause:{}@{nth}", time.as_millis())?,
            }
        }
        Ok(())
    }
}

/// Decides at each place that is reached.
pub type Hook = Arc<dyn Fn(&str) -> Option<Action> + Send + Sync>;

#[derive(Default)]
struct State {
    plan: Plan,
    hook: Option<Hook>,
    /// How often each place was reached.
    seen: BTreeMap<String, u64>,
    reached: u64,
    /// Where each place is written down when it is first reached.
    seen_file: Option<std::path::PathBuf>,
    /// Where each order of the plan is written down that is carried out.
    done_file: Option<std::path::PathBuf>,
}

/// Names a plan for a process.
const PLAN_ENV: &str = "LANDFALL_FAILPOINTS";
/// Names a file that every place is appended to, a line each, when it is first reached.
const SEEN_ENV: &str = "LANDFALL_FAILPOINTS_SEEN";
/// Names a file that every place is appended to where an order of the plan is carried out, right before it is.
const DONE_ENV: &str = "LANDFALL_FAILPOINTS_DONE";
/// Names rules that are off in a process, joined by commas.
const OFF_ENV: &str = "LANDFALL_RULES_OFF";

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| {
    let plan = std::env::var(PLAN_ENV).unwrap_or_default();
    let plan = plan.parse().unwrap_or_else(|error| panic!("{PLAN_ENV}: {error}"));
    let file = |name| std::env::var_os(name).map(Into::into);
    Mutex::new(State { plan, seen_file: file(SEEN_ENV), done_file: file(DONE_ENV), ..State::default() })
});

static OFF: LazyLock<[AtomicBool; Rule::ALL.len()]> = LazyLock::new(|| {
    let off = std::env::var(OFF_ENV).unwrap_or_default();
    let known = |name: &str| Rule::ALL.iter().any(|rule| rule.as_str() == name);
    assert!(off.split(',').all(|name| name.is_empty() || known(name)), "{OFF_ENV}: no such rule in {off:?}");
    Rule::ALL.map(|rule| AtomicBool::new(off.split(',').any(|name| name == rule.as_str())))
});

/// What ids are drawn from, and how many were.
static IDS: Mutex<Option<(u64, u64)>> = Mutex::new(None);

/// Ids made before this can't be those that are drawn, in milliseconds since 1970.
const IDS_FROM_MS: u64 = 1_900_000_000_000;

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What happens from now on in this process, instead of what the environment says. Counting begins anew.
pub fn set_plan(plan: Plan) {
    let mut state = state();
    (state.plan, state.reached) = (plan, 0);
    state.seen.clear();
}

/// Asks `hook` at each place from now on, before the plan; `None` asks nobody.
pub fn set_hook(hook: Option<Hook>) {
    state().hook = hook;
}

/// How often each place was reached since the plan was set.
pub fn seen() -> BTreeMap<String, u64> {
    state().seen.clone()
}

/// Switches a rule off, or on again, in this process.
pub fn set_off(rule: Rule, off: bool) {
    OFF[rule as usize].store(off, Ordering::SeqCst);
}

/// Whether a rule is switched off.
pub fn is_off(rule: Rule) -> bool {
    OFF[rule as usize].load(Ordering::SeqCst)
}

/// Draws every id from `seed` from now on, each after the one before it; `None`: they are new ones again.
pub fn set_ids(seed: Option<u64>) {
    *IDS.lock().unwrap_or_else(PoisonError::into_inner) = seed.map(|seed| (seed, 0));
}

/// A new UUIDv7, or the next one that is drawn.
pub fn new_uuid() -> Uuid {
    let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((seed, count)) = ids.as_mut() else { return Uuid::now_v7() };
    *count += 1;
    let drawn = Sha256::digest([seed.to_be_bytes(), count.to_be_bytes()].concat());
    let mut random = [0; 10];
    random.copy_from_slice(&drawn[..10]);
    uuid::Builder::from_unix_timestamp_millis(IDS_FROM_MS + *count, &random).into_uuid()
}

fn append(path: &std::path::Path, name: &str) {
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| writeln!(file, "{name}"));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn decide(name: &str) -> Option<Action> {
    let hook = {
        let mut state = state();
        state.reached += 1;
        let count = state.seen.entry(name.to_owned()).or_default();
        *count += 1;
        let (count, reached) = (*count, state.reached);
        if count == 1
            && let Some(path) = &state.seen_file
        {
            append(path, name);
        }
        let due =
            state.plan.0.iter().find(|order| {
                (order.place == name && order.nth == count) || (order.place == "*" && order.nth == reached)
            });
        if let Some(order) = due {
            if let Some(path) = &state.done_file {
                append(path, name);
            }
            return Some(order.action);
        }
        state.hook.clone()
    };
    hook.and_then(|hook| hook(name))
}

/// A step has come to `place`: what is to happen there happens.
pub async fn reach(place: Place) -> Result<(), Injected> {
    match decide(&place.to_string()) {
        None => Ok(()),
        Some(Action::Error) => Err(Injected),
        Some(Action::Pause(time)) => {
            tokio::time::sleep(time).await;
            Ok(())
        }
        Some(Action::Hang) => std::future::pending().await,
        Some(Action::Kill) => {
            // Nothing is flushed, closed or told.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        let text = "send before=kill@3;gateway/dispatch.rs:117 after commit=pause:5000@1;*=error@40";
        let plan: Plan = text.parse().unwrap();
        assert_eq!(plan.to_string(), text);
        assert_eq!("send after=kill".parse(), Ok(Plan::at("send after", Action::Kill, 1)));
        assert_eq!("".parse(), Ok(Plan::default()));
        for bad in ["send", "send=explode", "send=kill@0", "send=kill@x", "send=pause", "send=pause:x"] {
            assert!(bad.parse::<Plan>().is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_so_many_th_time_counts_and_no_other() {
        set_plan(Plan::at("here", Action::Error, 2));
        let here = Place::Call("here");
        assert_eq!([reach(here).await, reach(here).await, reach(here).await], [Ok(()), Err(Injected), Ok(())]);
        assert_eq!(seen(), BTreeMap::from([("here".to_owned(), 3)]));
    }
}
