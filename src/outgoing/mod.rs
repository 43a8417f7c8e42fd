//! Calls to addresses that somebody else has named: an account's settings, a partner's callback URL. The guard lets them reach the internet
//! and nothing of ours. A name is judged when it is connected to, by the addresses that are then dialled, so that one which means something
//! else a moment later gains nothing; an address that stands in the URL itself is judged before. Redirects aren't followed, and no proxy of
//! the environment is asked, which would resolve names by itself.

mod addresses;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;

pub use addresses::is_public;

use crate::config::networks::Network;

/// Below it only a web server's ports are called: nobody's mail or name server is spoken to in our name.
const PORT_FREE_MIN: u16 = 1024;
const WEB_PORTS: [u16; 2] = [80, 443];

/// Which addresses a name has.
pub trait Names: Send + Sync + 'static {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The machine's own resolver.
pub struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// Why something isn't called. Names neither the address nor the network, which whoever wrote the URL may not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("the URL is neither http nor https")]
    Scheme,
    #[error("the URL isn't https")]
    NotTls,
    #[error("the URL holds a user name or a password")]
    Credentials,
    #[error("the URL names no host")]
    NoHost,
    #[error("the URL names a port that isn't called")]
    Port,
    #[error("the address isn't a public one")]
    NotPublic,
}

/// What may be called.
pub struct Guard {
    /// What is called though it isn't public.
    inner_networks: Vec<Network>,
    https_only: bool,
    names: Arc<dyn Names>,
}

impl Guard {
    /// `inner_networks` are the networks which aren't public and may be called all the same.
    pub fn new(inner_networks: Vec<Network>, https_only: bool) -> Self {
        Self { inner_networks, https_only, names: Arc::new(SystemNames) }
    }

    #[must_use]
    pub fn with_names(self, names: Arc<dyn Names>) -> Self {
        Self { names, ..self }
    }

    fn permits(&self, address: IpAddr) -> bool {
        is_public(address) || self.inner_networks.iter().any(|network| network.contains(address))
    }

    /// Judges a URL as far as that goes without asking for its name's addresses. Every form of an address that a URL can have, such as
    /// `0x7f.1` and `2130706433`, is an address once it is parsed.
    ///
    /// # Errors
    /// [`Forbidden`], for what isn't called.
    pub fn check(&self, url: &Url) -> Result<(), Forbidden> {
        match url.scheme() {
            "https" => {}
            "http" if self.https_only => return Err(Forbidden::NotTls),
            "http" => {}
            _ => return Err(Forbidden::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Forbidden::Credentials);
        }
        let host = url.host_str().ok_or(Forbidden::NoHost)?;
        let literal = host.trim_start_matches('[').trim_end_matches([']', '.']).parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.permits(address)) {
            return Err(Forbidden::NotPublic);
        }
        match url.port_or_known_default() {
            Some(port) if port >= PORT_FREE_MIN || WEB_PORTS.contains(&port) => Ok(()),
            _ => Err(Forbidden::Port),
        }
    }

    /// A client that dials nothing but what the guard permits. Each URL is [checked](Self::check) by the caller first: an address in it is
    /// dialled without asking for it.
    pub fn client(self: &Arc<Self>) -> reqwest::ClientBuilder {
        let builder = reqwest::Client::builder().no_proxy().redirect(Policy::none()).referer(false);
        builder.https_only(self.https_only).dns_resolver(Filtered(Arc::clone(self)))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("inner_networks", &self.inner_networks).finish_non_exhaustive()
    }
}

/// Leaves out of a name's addresses what isn't called.
struct Filtered(Arc<Guard>);

impl Resolve for Filtered {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        let asked = guard.names.addresses(name.as_str());
        Box::pin(async move {
            let permitted: Vec<SocketAddr> = asked
                .await?
                .into_iter()
                .filter(|address| guard.permits(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if permitted.is_empty() {
                return Err(Forbidden::NotPublic.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(guard: &Guard, url: &str) -> Result<(), Forbidden> {
        guard.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn an_address_in_a_url_is_judged_in_every_form() {
        let guard = Guard::new(Vec::new(), false);
        for url in [
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://0/",
            "http://1\u{ff12}7.0.0.1/",
            "http://127\u{3002}0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:7f00:1]:8080/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:a00:1::]/",
            "http://[fd00:ec2::254]/",
        ] {
            assert_eq!(checked(&guard, url), Err(Forbidden::NotPublic), "{url}");
        }
        assert_eq!(checked(&guard, "http://1.1.1.1/"), Ok(()));
        assert_eq!(checked(&guard, "https://[2606:4700::1111]:8443/"), Ok(()));
        let inner = Guard::new(vec!["127.0.0.0/8".parse().unwrap()], false);
        assert_eq!(checked(&inner, "http://2130706433:8090/"), Ok(()));
        assert_eq!(checked(&inner, "http://10.0.0.1:8090/"), Err(Forbidden::NotPublic));
    }

    #[test]
    fn schemes_ports_and_credentials_are_bounded() {
        let guard = Guard::new(Vec::new(), false);
        assert_eq!(checked(&guard, "http://partner.example/hook?x=1"), Ok(()));
        assert_eq!(checked(&guard, "https://partner.example:8443/"), Ok(()));
        for (url, why) in [
            ("ftp://partner.example/", Forbidden::Scheme),
            ("file:///etc/passwd", Forbidden::Scheme),
            ("gopher://partner.example:70/", Forbidden::Scheme),
            ("http://partner.example:22/", Forbidden::Port),
            ("http://partner.example:25/", Forbidden::Port),
            ("http://user@partner.example/", Forbidden::Credentials),
            ("http://partner.example:443@127.0.0.1/", Forbidden::Credentials),
            ("http://:secret@partner.example/", Forbidden::Credentials),
        ] {
            assert_eq!(checked(&guard, url), Err(why), "{url}");
        }
        let live = Guard::new(Vec::new(), true);
        assert_eq!(checked(&live, "http://partner.example/"), Err(Forbidden::NotTls));
        assert_eq!(checked(&live, "https://partner.example/"), Ok(()));
    }
}
