//! Which addresses are on the internet: nothing of the machine, its networks, its cloud or a tunnel into any of them.
//!
//! The list is IANA's special-purpose registries (IPv4 and IPv6) as of 2026-11-22, taken narrowly: what isn't globally reachable by its
//! registry is out, and of IPv6 only global unicast is in, without the ranges that hold an IPv4 address in them.

use std::net::IpAddr;
use std::sync::LazyLock;

use crate::config::networks::Network;

/// Global unicast, of which everything below is taken out.
const GLOBAL_V6: &str = "2000::/3";

const NOT_PUBLIC: [&str; 22] = [
    "0.0.0.0/8",         // this host (RFC 791)
    "10.0.0.0/8",        // private (RFC 1918)
    "100.64.0.0/10",     // shared, behind a carrier's translation (RFC 6598)
    "127.0.0.0/8",       // loopback
    "169.254.0.0/16",    // link-local (RFC 3927), clouds' metadata among it
    "172.16.0.0/12",     // private
    "192.0.0.0/24",      // protocol assignments (RFC 6890)
    "192.0.2.0/24",      // documentation (RFC 5737)
    "192.88.99.0/24",    // 6to4 relays (RFC 7526)
    "192.168.0.0/16",    // private
    "198.18.0.0/15",     // benchmarking (RFC 2544)
    "198.51.100.0/24",   // documentation
    "203.0.113.0/24",    // documentation
    "224.0.0.0/4",       // multicast
    "240.0.0.0/4",       // reserved, and broadcast
    "168.63.129.16/32",  // a cloud's host agent, at an address that is public by its form
    "2001::/23",         // protocol assignments (RFC 2928): Teredo, benchmarking, ORCHID
    "2001:db8::/32",     // documentation (RFC 3849)
    "2002::/16",         // 6to4 (RFC 3056): holds any IPv4 address
    "2620:4f:8000::/48", // direct delegation of AS112 (RFC 7534)
    "3fff::/20",         // documentation (RFC 9637)
    "192.52.193.0/24",   // AMT (RFC 7450)
];

static TABLE: LazyLock<(Option<Network>, Vec<Network>)> = LazyLock::new(|| {
    let not_public = NOT_PUBLIC.iter().filter_map(|text| text.parse().ok()).collect();
    (GLOBAL_V6.parse().ok(), not_public)
});

/// Whether `address` is one of the internet. An IPv4 address within an IPv6 one (`::ffff:10.0.0.1`) counts as itself.
pub fn is_public(address: IpAddr) -> bool {
    let (global_v6, not_public) = &*TABLE;
    let address = address.to_canonical();
    let is_global = address.is_ipv4() || global_v6.is_some_and(|network| network.contains(address));
    is_global && !not_public.iter().any(|network| network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        assert_eq!(TABLE.1.len(), NOT_PUBLIC.len());
        assert!(TABLE.0.is_some());
    }

    #[test]
    fn nothing_inside_is_public() {
        for inside in [
            "0.0.0.0",
            "0.1.2.3",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn the_internet_is_public() {
        for outside in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }
}
