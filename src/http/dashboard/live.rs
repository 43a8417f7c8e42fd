//! The overview as it goes on: server-sent events, each with the overview's changing part as HTML. It is read and rendered once for all
//! who watch a mode. A stream ends by itself after a minute, and the browser opens the next: so no connection is held for good, and a
//! session that is over is noticed within seconds. Watching doesn't count as using the session.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout_at};

use super::error::PageError;
use super::frame::served;
use super::overview;
use super::visitor::Onlooker;
use crate::domain::ids::Mode;
use crate::http::sse;
use crate::staff::desk::Desk;
use crate::staff::live::{Place, Shown, Writer};

/// How often the overview is read while anybody watches.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How often a stream looks whether its session is alive, and tells the browser that it still is there.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Shorter than a quiet connection is held.
const STREAM_AGE_MAX: Duration = Duration::from_secs(60);
struct Watcher {
    onlooker: Onlooker,
    shown: watch::Receiver<Shown>,
    ended: watch::Receiver<bool>,
    look: Interval,
    until: Instant,
    state: State,
    _place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Watching,
    Over,
}

pub async fn events(
    onlooker: Onlooker,
    desk: web::Data<Desk>,
    mode: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let mode = served(&desk, &mode)?;
    let place = desk.live.place(onlooker.token.id());
    let place = place.ok_or_else(|| PageError::Unavailable("too many watch the overview".to_owned()))?;
    let (mut shown, writer) = desk.live.watch(mode);
    // Whoever comes later is shown at once what was read last.
    shown.mark_changed();
    if let Some(writer) = writer {
        // On this worker's own thread: it ends with the last who watches.
        actix_web::rt::spawn(write(desk.clone(), mode, writer));
    }
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    let watcher = Watcher {
        onlooker,
        shown,
        ended: desk.live.ended(),
        look,
        until: Instant::now() + STREAM_AGE_MAX,
        state: State::New,
        _place: place,
    };
    Ok(sse::answer(events_of(watcher)))
}

/// Reads and renders for all who watch, while anybody does.
async fn write(desk: web::Data<Desk>, mode: Mode, writer: Writer) {
    while writer.is_watched() {
        match overview::changing(&desk, mode).await {
            Ok(html) => writer.show(html),
            // They see by its time how old it is.
            Err(error) => tracing::warn!(%error, %mode, "the overview can't be read for those who watch"),
        }
        sleep(READ_EVERY).await;
    }
}

fn events_of(watcher: Watcher) -> impl Stream<Item = String> {
    stream::unfold(watcher, |mut watcher| async move {
        let event = next(&mut watcher).await?;
        Some((event, watcher))
    })
}

/// The next thing to be sent; `None`: the stream is over.
async fn next(watcher: &mut Watcher) -> Option<String> {
    match watcher.state {
        State::Over => return None,
        State::New => {
            watcher.state = State::Watching;
            return Some(sse::RETRY.to_owned());
        }
        State::Watching => {}
    }
    loop {
        if *watcher.ended.borrow() {
            return None;
        }
        let until = watcher.until;
        let come = async {
            tokio::select! {
                changed = watcher.shown.changed() => changed.ok().map(|()| true),
                _ = watcher.look.tick() => Some(false),
                _ = watcher.ended.changed() => None,
            }
        };
        // Too old, or everybody is sent away.
        let is_shown = timeout_at(until, come).await.ok()??;
        match watcher.onlooker.may_look().await {
            Ok(true) => {}
            Ok(false) => {
                watcher.state = State::Over;
                return Some(sse::event("over", "signed out"));
            }
            // Nothing is shown to somebody of whom nothing is known.
            Err(_) => return None,
        }
        if !is_shown {
            return Some(sse::BEAT.to_owned());
        }
        let html = watcher.shown.borrow_and_update().clone();
        if let Some(html) = html {
            return Some(sse::event("overview", &html));
        }
    }
}
