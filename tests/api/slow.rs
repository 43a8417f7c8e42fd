//! Clients that drip, that send too much, and that are too many: over bare sockets, so that nothing of theirs is polite.

use std::time::Duration;

use futures_util::future::join_all;
use landfall::config::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

/// Far above every bound that a test sets: who isn't cut by then never is.
const FOREVER: Duration = Duration::from_secs(30);

fn hurried(settings: &mut Settings) {
    settings.http.client_timeout_ms = 1_000;
    settings.http.keep_alive_ms = 500;
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Sends `start`, then one byte after another until the server has had enough; answers what it said.
async fn drip(mut stream: TcpStream, start: &str, byte: u8) -> String {
    // What is refused at once may be closed at once.
    let _ = stream.write_all(start.as_bytes()).await;
    let (mut reader, mut writer) = stream.into_split();
    let reading = tokio::spawn(async move {
        let mut said = Vec::new();
        let _ = reader.read_to_end(&mut said).await;
        String::from_utf8_lossy(&said).into_owned()
    });
    let dripping = tokio::spawn(async move {
        while writer.write_all(&[byte]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    tokio::time::timeout(FOREVER, dripping).await.expect("the connection was never cut").unwrap();
    tokio::time::timeout(FOREVER, reading).await.expect("the connection was never ended").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_drip_are_cut_the_first_and_those_that_follow() {
    let world = World::with(hurried).await;
    let said = drip(connect(&world).await, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: ", b'a').await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    // A good request first, and then a head that never ends.
    let start = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\nX-A: ";
    let said = drip(connect(&world).await, start, b'a').await;
    assert!(said.starts_with("HTTP/1.1 200") && said.matches("HTTP/1.1").count() <= 2, "{said}");
    // Not even a first line.
    drip(connect(&world).await, "", b'G').await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_drip_are_cut_wherever_they_go() {
    let world = World::with(hurried).await;
    let with_token = format!("Authorization: Bearer {}\r\n", world.token("alice", 3));
    let key = world.backend().await.key.clone();
    let with_key = format!("Authorization: Bearer {key}\r\nContent-Type: application/json\r\n");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let posts = [
        ("/v4/payout/card", with_token.as_str(), "Content-Length: 5000", "408"),
        ("/v4/payout/card", with_token.as_str(), "Transfer-Encoding: chunked", "4"),
        ("/v1/api-keys", with_key.as_str(), "Content-Length: 5000", "408"),
        ("/v1/provider-callbacks/pac_00000000000000000000000000000001", "", "Content-Length: 5000", "408"),
        ("/dashboard/sign-in", form, "Content-Length: 5000", "408"),
        // Refused before the body is looked at; it goes on all the same.
        ("/v4/payout/card", "", "Content-Length: 5000", "401"),
        ("/v1/api-keys", "", "Content-Length: 5000", "401"),
        ("/nowhere", "", "Content-Length: 5000", "404"),
        ("/dashboard/sign-out", form, "Content-Length: 5000", "303"),
    ];
    let dripped = posts.map(async |(path, headers, length, status)| {
        let start = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}{length}\r\n\r\n");
        let said = drip(connect(&world).await, &start, b'a').await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{path} {length}: {said}");
    });
    join_all(dripped).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_answer_is_cut() {
    let world = World::with(hurried).await;
    let mut stream = connect(&world).await;
    let request = "GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n";
    // As many answers as no buffer holds, none of them read.
    let asking = async {
        while stream.write_all(request.as_bytes()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(FOREVER, asking).await.expect("the connection was never cut");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_their_number_are_closed_and_others_go_on() {
    let world = World::with(|settings| {
        settings.http.address_connections_max = 4;
        settings.http.client_timeout_ms = 60_000;
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(connect(&world).await);
    }
    // They are taken in before the next one comes.
    let mut closed = 0;
    for _ in 0..4 {
        let mut more = connect(&world).await;
        let _ = more.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut said = Vec::new();
        let read = tokio::time::timeout(FOREVER, more.read_to_end(&mut said)).await.expect("it is kept");
        closed += usize::from(said.is_empty() || read.is_err());
    }
    assert_eq!(closed, 4);
    held.pop();
    for attempt in 0.. {
        // The server hears of the end a little later.
        let answer = world.client.get(format!("{}/health/live", world.url)).send().await;
        if answer.is_ok_and(|answer| answer.status() == 200) {
            break;
        }
        assert!(attempt < 1_000, "the place isn't given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_their_number_are_told_to_come_again() {
    let world = World::with(|settings| settings.http.requests_max = 2).await;
    let head = format!(
        "POST /v4/payout/card HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        world.token("alice", 3)
    );
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&world).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let alice = world.user("alice");
    let mut answer = alice.get("/v4/payout/data").await;
    for _ in 0..200 {
        if answer.status == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer = alice.get("/v4/payout/data").await;
    }
    answer.refused(503, "SERVICE_UNAVAILABLE");
    assert!(answer.header("retry-after").is_some());
    world.get("/v1/customers").await.errors(503, &[("SERVICE_UNAVAILABLE", "")]);
    let page = world.get("/dashboard").await;
    assert_eq!((page.status, page.header("content-type")), (503, Some("text/html; charset=utf-8")));
    world.get("/health/live").await.ok();
    drop(held);
    for attempt in 0.. {
        if alice.get("/v4/payout/data").await.status == 200 {
            break;
        }
        assert!(attempt < 1_000, "the places aren't given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded_in_size_and_number() {
    let world = World::new().await;
    let alice = world.user("alice");
    let long = "x".repeat(20_000);
    alice.header("X-Long", &long).get("/v4/payout/data").await.refused(431, "HEADERS_TOO_LARGE");
    alice.get(&format!("/v4/payout/history?cursor={long}")).await.refused(431, "HEADERS_TOO_LARGE");
    let partner = world.backend().await;
    partner.header("X-Long", &long).get("/v1/customers").await.errors(431, &[("HEADERS_TOO_LARGE", "")]);
    let mut many = alice.clone();
    for _ in 0..70 {
        many = many.header("X-A", "a");
    }
    many.get("/v4/payout/data").await.refused(431, "HEADERS_TOO_LARGE");
    alice.get("/v4/payout/data").await.ok();
    world.stop().await;
}

/// Two ways to say how long a body is: a proxy may believe the other one.
#[tokio::test(flavor = "multi_thread")]
async fn no_second_request_is_smuggled_in_a_body() {
    let world = World::with(hurried).await;
    for heads in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 40\r\n",
        "Content-Length: +4\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
    ] {
        let start = format!(
            "POST /nowhere HTTP/1.1\r\nHost: x\r\n{heads}\r\n0\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        );
        let said = drip(connect(&world).await, &start, b'a').await;
        assert!(said.starts_with("HTTP/1.1 400") && said.matches("HTTP/1.1").count() == 1, "{heads}: {said}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_to_come_over_tls_where_it_is_configured() {
    let world = World::with(|settings| settings.http.hsts_max_age_secs = 31_536_000).await;
    for path in ["/health/live", "/nowhere", "/v1/customers", "/dashboard/sign-in"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{path}");
    }
    world.stop().await;
    let world = World::new().await;
    assert_eq!(world.get("/health/live").await.header("strict-transport-security"), None);
    world.stop().await;
}
