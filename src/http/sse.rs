//! Server-sent events: how a stream of them is answered, and how one is written.

use std::convert::Infallible;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use futures_util::{Stream, StreamExt};

/// How soon a browser comes again, in milliseconds.
pub const RETRY: &str = "retry: 2000\n\n";
/// What is said where there is nothing to say.
pub const BEAT: &str = ": still here\n\n";

/// The answer that goes on for as long as `events` do.
pub fn answer(events: impl Stream<Item = String> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // Proxies must not gather it.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events.map(|text| Ok::<_, Infallible>(web::Bytes::from(text))))
}

/// An event; each line of its data is one of the event.
pub fn event(name: &str, data: &str) -> String {
    let mut text = format!("event: {name}\n");
    for line in data.replace("\r\n", "\n").replace('\r', " ").lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_the_data_is_taken_for_another_field() {
        assert_eq!(
            event("overview", "<p>\nevent: over\r\nid: 1\rretry: 1\n\n</p>"),
            "event: overview\ndata: <p>\ndata: event: over\ndata: id: 1 retry: 1\ndata: \ndata: </p>\n\n"
        );
    }
}
