//! The guard around calls to addresses that an account names: what is dialled, whatever its name means at the moment.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall::config::providers::ProvidersSettings;
use landfall::outgoing::{Guard, Names};
use landfall::providers::http::HttpProvider;
use landfall::providers::provider::{Outcome, Provider};
use landfall::providers::transport::{TcpTransport, Transport, TransportError, WireRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::line::account_at;

/// A name whose answers are written down beforehand; the last one stays.
struct Scripted(Mutex<Vec<Vec<IpAddr>>>);

impl Names for Scripted {
    fn addresses(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

/// Answers every request with `answer` and closes; counts who came.
async fn server(address: &str, answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (port, came)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn ask(base_url: String) -> WireRequest {
    WireRequest {
        method: "GET",
        base_url,
        path: "/".to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: Zeroizing::new(Vec::new()),
        timeout: Duration::from_secs(10),
    }
}

fn transport(inner: &[&str], answers: &[&[&str]]) -> TcpTransport {
    let parse = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let names = Scripted(Mutex::new(answers.iter().map(parse).collect()));
    let inner = inner.iter().map(|text| text.parse().unwrap()).collect();
    TcpTransport::guarded(Arc::new(Guard::new(inner, false).with_names(Arc::new(names)))).unwrap()
}

fn is_unsent(answer: &Result<landfall::providers::transport::WireResponse, TransportError>) -> bool {
    matches!(answer, Err(TransportError::NotConnected(_)))
}

/// 127.0.0.2 stands for the internet here: a test has none.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_means_something_else_a_moment_later_is_not_followed_inside() {
    let (port, came) = server("127.0.0.2:0", OK).await;
    let (_, trap) = server(&format!("127.0.0.1:{port}"), OK).await;
    let transport = transport(&["127.0.0.2"], &[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]]);
    let url = || format!("http://partner.example:{port}");
    assert_eq!(transport.call(ask(url())).await.unwrap().status, 200);
    assert_eq!(came.load(Ordering::SeqCst), 1);
    let rebound = transport.call(ask(url())).await;
    assert!(is_unsent(&rebound), "{rebound:?}");
    // Of several addresses, those that may be called.
    assert_eq!(transport.call(ask(url())).await.unwrap().status, 200);
    assert_eq!((came.load(Ordering::SeqCst), trap.load(Ordering::SeqCst)), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_leads_inside() {
    let (inside, trap) = server("127.0.0.1:0", OK).await;
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{inside}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let (port, _) = server("127.0.0.2:0", redirect.leak()).await;
    let transport = transport(&["127.0.0.2"], &[&["127.0.0.2"]]);
    assert_eq!(transport.call(ask(format!("http://partner.example:{port}"))).await.unwrap().status, 307);
    assert_eq!(trap.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_the_inside_and_its_addresses_are_not_called() {
    let (port, trap) = server("127.0.0.1:0", OK).await;
    let inside = [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "fd00:ec2::254",
        "64:ff9b::7f00:1",
    ];
    for address in inside {
        let answer = transport(&[], &[&[address]]).call(ask(format!("http://partner.example:{port}"))).await;
        assert!(is_unsent(&answer), "{address}: {answer:?}");
    }
    let by_the_machine = TcpTransport::guarded(Arc::new(Guard::new(Vec::new(), false))).unwrap();
    for host in
        ["127.0.0.1", "localhost", "localhost.", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "127.0.0.1.", "0"]
    {
        let answer = by_the_machine.call(ask(format!("http://{host}:{port}"))).await;
        assert!(is_unsent(&answer), "{host}: {answer:?}");
    }
    assert_eq!(trap.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_leads_the_adapter_nowhere_inside() {
    let (port, trap) = server("127.0.0.1:0", OK).await;
    let provider = HttpProvider::new(&ProvidersSettings::shipped().http).unwrap();
    let (order, to) = crate::sandbox::arranged(crate::contract::Situation::Paid);
    for base_url in
        [format!("http://127.0.0.1:{port}"), format!("http://localhost:{port}"), "http://169.254.169.254".to_owned()]
    {
        let outcome = provider.send(&account_at(&base_url), &order, &to).await;
        assert!(matches!(outcome, Outcome::NotSent { .. }), "{base_url}: {outcome:?}");
    }
    assert_eq!(trap.load(Ordering::SeqCst), 0);
}
