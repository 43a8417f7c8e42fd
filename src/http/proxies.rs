//! Where a call came from: the peer's address, or, behind trusted proxies, what they say of it. Whoever may write the header decides
//! what stands in it, so it is read from its end, where our own proxies write, and no further than they vouch for.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName, X_FORWARDED_FOR};

use crate::config::http::{ForwardedHeader, HttpSettings};
use crate::config::networks::Network;

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who holds the connection. `None` where there is none, as in tests.
    pub peer: Option<IpAddr>,
    /// Who calls. `None` where a trusted proxy doesn't tell it in a way that can be read.
    pub caller: Option<IpAddr>,
}

impl Origin {
    /// What the edge has found out; without the edge, the peer.
    pub fn of(request: &actix_web::HttpRequest) -> Self {
        let known = request.extensions().get::<Origin>().copied();
        known.unwrap_or_else(|| Self::direct(request.peer_addr().map(|peer| peer.ip())))
    }

    /// A call without a proxy.
    pub fn direct(peer: Option<IpAddr>) -> Self {
        let peer = peer.map(|peer| peer.to_canonical());
        Self { peer, caller: peer }
    }

    pub fn find(request: &ServiceRequest, settings: &HttpSettings) -> Self {
        let direct = Self::direct(request.peer_addr().map(|peer| peer.ip()));
        let Some(peer) = direct.peer.filter(|peer| is_trusted(&settings.trusted_proxies, *peer)) else { return direct };
        let said = said(request.headers(), settings.forwarded_header);
        Self { caller: caller(peer, said.as_deref(), settings), ..direct }
    }

    /// What counts as one caller: an IPv4 address, or the network of 64 bits that an IPv6 host has to itself. A caller that nobody names
    /// counts as its proxy.
    pub fn subject(self) -> Option<IpAddr> {
        self.caller.or(self.peer).map(|address| match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        })
    }
}

/// How long what was said of a proxy isn't said again.
const SAID_EVERY: Duration = Duration::from_secs(3_600);

/// Says that calls come through a proxy which isn't believed: then all its callers count as one, in rate limits, API keys' networks and
/// the audit trail. Anybody can send such headers, so it is said at the first of them and then seldom.
#[derive(Default)]
pub struct Unbelieved(Mutex<Option<Instant>>);

impl Unbelieved {
    /// Looks at a request. Answers whether something was said.
    pub fn heed(&self, headers: &HeaderMap, origin: Origin, settings: &HttpSettings) -> bool {
        let has = |name: HeaderName| headers.contains_key(name);
        let Some(peer) = origin.peer.filter(|_| has(X_FORWARDED_FOR) || has(FORWARDED)) else { return false };
        let is_named = is_trusted(&settings.trusted_proxies, peer);
        if is_named && has(header_of(settings.forwarded_header)) {
            return false;
        }
        {
            let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if said.is_some_and(|at| at.elapsed() < SAID_EVERY) {
                return false;
            }
            *said = Some(Instant::now());
        }
        if is_named {
            tracing::warn!(%peer, "a proxy writes another header than http.forwarded_header: its callers count as one");
        } else {
            tracing::warn!(
                %peer,
                "a request was forwarded by an address that http.trusted_proxies doesn't name: if it is a proxy of yours, its callers count as one"
            );
        }
        true
    }
}

const fn header_of(which: ForwardedHeader) -> HeaderName {
    match which {
        ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
        ForwardedHeader::Forwarded => FORWARDED,
    }
}

pub fn is_trusted(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.contains(address))
}

/// The whole of the header, however many lines it came in. `None`: it isn't there.
fn said(headers: &HeaderMap, which: ForwardedHeader) -> Option<String> {
    // A line that is no text hides what is left of it, and nothing to its right.
    let lines: Vec<&str> = headers.get_all(header_of(which)).map(|line| line.to_str().unwrap_or("?")).collect();
    if lines.is_empty() { None } else { Some(lines.join(",")) }
}

/// The last address that isn't a trusted proxy's; the peer where there is none but proxies.
fn caller(peer: IpAddr, said: Option<&str>, settings: &HttpSettings) -> Option<IpAddr> {
    let Some(said) = said else { return Some(peer) };
    for element in elements(said).into_iter().rev() {
        let text = match settings.forwarded_header {
            ForwardedHeader::XForwardedFor => Some(element.trim()),
            ForwardedHeader::Forwarded => node(element),
        };
        let address = text.and_then(address_of)?;
        if !is_trusted(&settings.trusted_proxies, address) {
            return Some(address);
        }
    }
    Some(peer)
}

/// What stands between commas, but for those in quotes. A quote that isn't closed holds the rest.
fn elements(text: &str) -> Vec<&str> {
    let (mut found, mut from, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => {
                found.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[from..]);
    found
}

/// The one `for=` of an element of `Forwarded` (RFC 7239 section 4), without its quotes.
fn node(element: &str) -> Option<&str> {
    let mut nodes = element.split(';').filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value)
    });
    let node = nodes.next().filter(|_| nodes.next().is_none())?;
    match node.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(node),
    }
}

/// An address, perhaps with a port: `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`. Anything else, such
/// as `unknown`, is nobody's.
fn address_of(text: &str) -> Option<IpAddr> {
    let is_port =
        |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let address: IpAddr = if let Some(rest) = text.strip_prefix('[') {
        let (inside, behind) = rest.split_once(']')?;
        let has_port = behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
        IpAddr::V6(inside.parse().ok().filter(|_| has_port)?)
    } else if let Some((host, port)) = text.split_once(':').filter(|(_, port)| !port.contains(':')) {
        IpAddr::V4(host.parse().ok().filter(|_| is_port(port))?)
    } else {
        text.parse().ok()?
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    fn settings(which: ForwardedHeader) -> HttpSettings {
        let mut settings = Settings::load(None).unwrap().http;
        settings.trusted_proxies = ["10.0.0.0/8", "2001:db8:1::/48"].map(|text| text.parse().unwrap()).to_vec();
        settings.forwarded_header = which;
        settings
    }

    fn found(which: ForwardedHeader, peer: &str, headers: &[(&str, &str)]) -> Option<String> {
        let peer = format!("{peer}:4711").parse().unwrap();
        let request = headers.iter().fold(actix_web::test::TestRequest::get().peer_addr(peer), |request, header| {
            request.append_header((header.0.to_owned(), header.1.to_owned()))
        });
        Origin::find(&request.to_srv_request(), &settings(which)).caller.map(|address| address.to_string())
    }

    fn x(peer: &str, lines: &[&str]) -> Option<String> {
        let headers: Vec<_> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
        found(ForwardedHeader::XForwardedFor, peer, &headers)
    }

    fn rfc(lines: &[&str]) -> Option<String> {
        let headers: Vec<_> = lines.iter().map(|line| ("Forwarded", *line)).collect();
        found(ForwardedHeader::Forwarded, "10.0.0.1", &headers)
    }

    #[test]
    fn a_proxy_that_is_not_believed_is_told_of_once() {
        let settings = settings(ForwardedHeader::XForwardedFor);
        let heeds = |unbelieved: &Unbelieved, peer: &str, header: &'static str| {
            let request = actix_web::test::TestRequest::get().append_header((header, "198.51.100.1")).to_srv_request();
            unbelieved.heed(request.headers(), Origin::direct(peer.parse().ok()), &settings)
        };
        let unbelieved = Unbelieved::default();
        for (peer, header) in [("192.0.2.7", "Accept"), ("10.0.0.1", "X-Forwarded-For"), ("10.0.0.1", "Accept")] {
            assert!(!heeds(&unbelieved, peer, header), "{peer} {header}");
        }
        assert!(heeds(&unbelieved, "192.0.2.7", "X-Forwarded-For"));
        assert!(!heeds(&unbelieved, "192.0.2.8", "Forwarded"), "seldom");
        assert!(heeds(&Unbelieved::default(), "192.0.2.7", "Forwarded"));
        assert!(heeds(&Unbelieved::default(), "10.0.0.1", "Forwarded"), "the other header than the one that is read");
    }

    #[test]
    fn only_a_trusted_peer_is_believed() {
        assert_eq!(x("192.0.2.7", &["198.51.100.1"]).as_deref(), Some("192.0.2.7"));
        assert_eq!(x("[::ffff:192.0.2.7]", &["198.51.100.1"]).as_deref(), Some("192.0.2.7"));
        assert_eq!(x("10.0.0.1", &["198.51.100.1"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(x("[::ffff:10.0.0.1]", &["198.51.100.1"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(x("10.0.0.1", &[]).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn what_a_stranger_wrote_to_the_left_counts_for_nothing() {
        for lines in [
            vec!["203.0.113.9, 198.51.100.1"],
            vec!["10.0.0.2,198.51.100.1 , 10.1.2.3"],
            vec!["garbage, 198.51.100.1"],
            vec!["203.0.113.9", "198.51.100.1", "10.1.2.3"],
            vec!["\u{e9}", "198.51.100.1"],
            vec!["\"203.0.113.9", "\", 198.51.100.1"],
            vec!["198.51.100.1:65535"],
            vec!["::ffff:198.51.100.1"],
            vec!["[::ffff:198.51.100.1]:80, [2001:db8:1::7]:443"],
        ] {
            assert_eq!(x("10.0.0.1", &lines).as_deref(), Some("198.51.100.1"), "{lines:?}");
        }
    }

    #[test]
    fn the_other_header_is_not_read() {
        let headers = [("Forwarded", "for=203.0.113.9"), ("X-Real-IP", "203.0.113.9")];
        assert_eq!(found(ForwardedHeader::XForwardedFor, "10.0.0.1", &headers).as_deref(), Some("10.0.0.1"));
        let headers = [("X-Forwarded-For", "203.0.113.9")];
        assert_eq!(found(ForwardedHeader::Forwarded, "10.0.0.1", &headers).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn proxies_alone_are_the_peer() {
        assert_eq!(x("10.0.0.1", &["10.0.0.9, 10.0.0.8"]).as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn a_proxy_that_cannot_be_understood_names_nobody() {
        let quoted = "\"198.51.100.1";
        for bad in [
            "",
            "unknown",
            "_hidden",
            "198.51.100.1,",
            "198.51.100",
            "198.51.100.01",
            "198.51.100.1:",
            "198.51.100.1:65536",
            "198.51.100.1:+1",
            "[198.51.100.1]",
            "[2001:db8::1",
            "[2001:db8::1]4711",
            "fe80::1%eth0",
            "0x7f000001",
            "198.51.100.1/32",
            quoted,
        ] {
            assert_eq!(x("10.0.0.1", &[bad]), None, "{bad:?}");
            assert_eq!(x("10.0.0.1", &["198.51.100.1", bad]), None, "{bad:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_by_its_grammar() {
        for good in [
            "for=198.51.100.1",
            "For=\"198.51.100.1:4711\";proto=https;by=203.0.113.43",
            "for=203.0.113.9, proto=https; for=198.51.100.1",
            "for=203.0.113.9, for=198.51.100.1, for=\"[2001:db8:1::1]:80\"",
            "for=\"a,b\", for=198.51.100.1",
        ] {
            assert_eq!(rfc(&[good]).as_deref(), Some("198.51.100.1"), "{good}");
        }
        assert_eq!(rfc(&["for=\"[2001:db8::17]\""]).as_deref(), Some("2001:db8::17"));
        for bad in
            ["", "198.51.100.1", "for=", "for=unknown", "for=_SEVKISEK", "for=198.51.100.1;for=203.0.113.9", "for=\"x"]
        {
            assert_eq!(rfc(&[bad]), None, "{bad}");
        }
    }

    #[test]
    fn an_ipv6_host_is_its_network_and_an_unknown_caller_its_proxy() {
        let subject = |text: &str| Origin::direct(Some(text.parse().unwrap())).subject().unwrap().to_string();
        assert_eq!(subject("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!((subject("192.0.2.7").as_str(), subject("::ffff:192.0.2.7").as_str()), ("192.0.2.7", "192.0.2.7"));
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(Origin { peer: Some(peer), caller: None }.subject(), Some(peer));
    }
}
