//! Those who watch the overview: how many may, what they are shown, and that all of them are sent away when the process ends. What is
//! shown is read once for all who watch a mode, and by nobody while nobody watches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::domain::ids::Mode;
use crate::gateway::places::{self, Places};

/// How many streams a process has at once.
pub const STREAMS_MAX: usize = 64;
/// How many of them one session has: a tab each.
pub const STREAMS_OF_SESSION_MAX: usize = 4;

/// What is shown to those who watch; `None`: nothing was read yet.
pub type Shown = Option<Arc<str>>;

/// A place among those who watch, by the session's token.
pub type Place = places::Place<[u8; 32]>;

pub struct Live {
    places: Places<[u8; 32]>,
    open: Arc<Mutex<Open>>,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Open {
    /// With the number of whoever writes.
    modes: HashMap<Mode, (u64, watch::Sender<Shown>)>,
    writers: u64,
}

impl Default for Live {
    fn default() -> Self {
        let (ended, _) = watch::channel(false);
        Self { places: Places::new(STREAMS_MAX, STREAMS_OF_SESSION_MAX), open: Arc::default(), ended }
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// A place for a session; `None`: it has as many as it may have, or all are taken.
    pub fn place(&self, session: [u8; 32]) -> Option<Place> {
        self.places.take(session).ok()
    }

    /// What those who watch a mode are shown. The second is there for whoever comes first: they have to see to it that it is written.
    pub fn watch(&self, mode: Mode) -> (watch::Receiver<Shown>, Option<Writer>) {
        let mut open = lock(&self.open);
        if let Some((_, sender)) = open.modes.get(&mode) {
            return (sender.subscribe(), None);
        }
        let (sender, receiver) = watch::channel(None);
        open.writers = open.writers.wrapping_add(1);
        let number = open.writers;
        open.modes.insert(mode, (number, sender));
        (receiver, Some(Writer { mode, number, open: Arc::clone(&self.open) }))
    }

    /// Tells when everybody is to be sent away.
    pub fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Sends everybody away, and whoever comes from now on.
    pub fn end(&self) {
        self.ended.send_replace(true);
        self.places.close();
    }
}

/// Writes what a mode's watchers are shown. Dropped, it leaves the place to the next who comes.
pub struct Writer {
    mode: Mode,
    number: u64,
    open: Arc<Mutex<Open>>,
}

impl Open {
    /// What that writer writes, unless another took its place.
    fn written_by(&self, writer: &Writer) -> Option<&watch::Sender<Shown>> {
        self.modes.get(&writer.mode).filter(|(number, _)| *number == writer.number).map(|(_, sender)| sender)
    }

    fn leave(&mut self, writer: &Writer) {
        if self.written_by(writer).is_some() {
            self.modes.remove(&writer.mode);
        }
    }
}

impl Writer {
    /// Whether anybody still watches. If nobody does, whoever comes next begins anew.
    pub fn is_watched(&self) -> bool {
        let mut open = lock(&self.open);
        let is_watched = open.written_by(self).is_some_and(|sender| sender.receiver_count() > 0);
        if !is_watched {
            open.leave(self);
        }
        is_watched
    }

    pub fn show(&self, text: String) {
        if let Some(sender) = lock(&self.open).written_by(self) {
            sender.send_replace(Some(text.into()));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock(&self.open).leave(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writes_for_all_and_the_next_begins_anew() {
        let live = Live::default();
        let (mut first, writer) = live.watch(Mode::Test);
        let writer = writer.unwrap();
        let (second, none) = live.watch(Mode::Test);
        assert!(none.is_none(), "one writer a mode");
        writer.show("a".to_owned());
        assert_eq!(first.borrow_and_update().as_deref(), Some("a"));
        drop((first, second));
        assert!(!writer.is_watched());
        let (third, anew) = live.watch(Mode::Test);
        let anew = anew.unwrap();
        drop(writer);
        anew.show("b".to_owned());
        assert_eq!(third.borrow().as_deref(), Some("b"), "whoever left takes nothing along");
    }
}
