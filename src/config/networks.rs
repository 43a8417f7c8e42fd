//! Addresses and networks (CIDR), IPv4 and IPv6: where API keys may be used from, which proxies are trusted, what may be called.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One address, or all addresses that share its first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// A text that is neither an address nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a network like 192.0.2.0/24 or 2001:db8::/32 with no bit set behind its prefix")]
pub struct NetworkError;

/// An address as a number of `width` bits.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    }
}

/// Without its last `count` bits.
fn without_last(number: u128, count: u8) -> u128 {
    number.checked_shr(u32::from(count)).unwrap_or(0)
}

impl Network {
    /// Whether `address` lies in it. An IPv4 address that came over IPv6 (`::ffff:192.0.2.1`) is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (network, width) = bits(self.address);
        let (address, address_width) = bits(address.to_canonical());
        let free = width - self.prefix_bits;
        width == address_width && without_last(network, free) == without_last(address, free)
    }

    /// Whether every address in it lies in `other` too.
    pub fn is_within(&self, other: &Network) -> bool {
        self.prefix_bits >= other.prefix_bits && other.contains(self.address)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        if address != address.to_canonical() {
            return Err(NetworkError);
        }
        let (number, width) = bits(address);
        let prefix_bits = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= width).ok_or(NetworkError)?
            }
            Some(_) => return Err(NetworkError),
        };
        // A mistaken network is told rather than widened.
        let free = width - prefix_bits;
        let head = without_last(number, free).checked_shl(u32::from(free)).unwrap_or(0);
        if head == number { Ok(Self { address, prefix_bits }) } else { Err(NetworkError) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix_bits == bits(self.address).1 {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.prefix_bits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_lie_in_their_networks_only() {
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("192.0.2.0/24", "192.0.2.255") && !contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("0.0.0.0/0", "255.255.255.255") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1") && !contains("2001:db8::/32", "2001:db9::"));
        assert!(contains("::/0", "::1") && !contains("::/0", "192.0.2.1"));
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.9"));
    }

    #[test]
    fn a_network_lies_within_a_wider_one_of_its_kind() {
        let within = |one: &str, other: &str| one.parse::<Network>().unwrap().is_within(&other.parse().unwrap());
        assert!(within("192.0.2.0/24", "192.0.2.0/24") && within("192.0.2.7", "192.0.2.0/24"));
        assert!(!within("192.0.2.0/24", "192.0.2.7") && !within("192.0.2.0/24", "192.0.3.0/24"));
        assert!(!within("192.0.2.0/24", "::/0") && !within("::1", "0.0.0.0/0") && within("::1", "::/0"));
    }

    #[test]
    fn networks_are_read_strictly_and_written_back() {
        for text in ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::1", "0.0.0.0/0"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "192.0.2",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "::1/129",
            "a/8",
            "10.0.0.0/",
            "::ffff:1.2.3.4",
        ] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }
}
