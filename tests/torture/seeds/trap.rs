//! Deaths and failures in the middle of a step: a trap is laid at the so-many-th failpoint that the step will reach.

use std::sync::{Arc, Mutex, OnceLock};

use landfall::torture::{self, Action};
use tokio::sync::Notify;

#[derive(Default)]
struct Trap {
    /// How many failpoints are passed before, and what happens then.
    laid: Option<(usize, Action)>,
    /// Where it went off.
    sprung: Option<(String, Action)>,
}

static TRAP: Mutex<Trap> = Mutex::new(Trap { laid: None, sprung: None });
static HUNG: OnceLock<Notify> = OnceLock::new();

fn hung() -> &'static Notify {
    HUNG.get_or_init(Notify::new)
}

/// Hears of every failpoint from now on.
pub fn listen() {
    torture::set_hook(Some(Arc::new(|place: &str| {
        let mut trap = TRAP.lock().unwrap();
        let (left, action) = trap.laid?;
        if left > 0 {
            trap.laid = Some((left - 1, action));
            return None;
        }
        trap.laid = None;
        trap.sprung = Some((place.to_owned(), action));
        if action == Action::Hang {
            hung().notify_one();
        }
        Some(action)
    })));
}

pub fn lay(after: usize, action: Action) {
    *TRAP.lock().unwrap() = Trap { laid: Some((after, action)), sprung: None };
}

/// Takes the trap away, and answers where it went off if it did.
pub fn lift() -> Option<(String, Action)> {
    std::mem::take(&mut *TRAP.lock().unwrap()).sprung
}

/// Does a step. `None`: whoever did it died in it, its transaction and its memory with it.
pub async fn survive<T>(step: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = step => Some(done),
        () = hung().notified() => None,
    }
}
