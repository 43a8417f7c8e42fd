//! How many may hold something open at once: so many of each, and so many altogether in this process.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for those whom `W` tells apart.
pub struct Places<W> {
    all: Arc<Semaphore>,
    each_max: usize,
    taken: Arc<Taken<W>>,
}

type Taken<W> = Mutex<HashMap<W, usize>>;

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// Whoever asks has as many as one may have.
    Own,
    /// All are taken, or the process ends.
    All,
}

/// A place, until it is dropped.
pub struct Place<W: Eq + Hash> {
    who: W,
    taken: Arc<Taken<W>>,
    _permit: OwnedSemaphorePermit,
}

fn lock<W>(taken: &Taken<W>) -> MutexGuard<'_, HashMap<W, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Clone + Eq + Hash> Places<W> {
    pub fn new(all_max: usize, each_max: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all_max)), each_max, taken: Arc::default() }
    }

    /// # Errors
    /// [`NoPlace`] where there is none; nothing is taken then.
    pub fn take(&self, who: W) -> Result<Place<W>, NoPlace> {
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| NoPlace::All)?;
        let mut taken = lock(&self.taken);
        let count = taken.get(&who).copied().unwrap_or(0);
        if count >= self.each_max {
            return Err(NoPlace::Own);
        }
        taken.insert(who.clone(), count.saturating_add(1));
        Ok(Place { who, taken: Arc::clone(&self.taken), _permit: permit })
    }

    /// Nobody is let in from now on.
    pub fn close(&self) {
        self.all.close();
    }
}

impl<W: Eq + Hash> Drop for Place<W> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.who) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_come_back() {
        let places = Places::new(5, 2);
        let mut held = vec![places.take("a").unwrap(), places.take("a").unwrap()];
        assert_eq!(places.take("a").err(), Some(NoPlace::Own));
        for who in ["b", "b", "c"] {
            held.push(places.take(who).unwrap());
        }
        assert_eq!(places.take("d").err(), Some(NoPlace::All));
        drop(held);
        assert!(lock(&places.taken).is_empty(), "nothing is left of those who left");
        assert!(places.take("a").is_ok());
        places.close();
        assert_eq!(places.take("a").err(), Some(NoPlace::All), "nobody comes in at the end");
    }
}
