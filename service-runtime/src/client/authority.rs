//! What a call names, where that is not where it goes: the name that a gateway routes by.

use std::{net::Ipv6Addr, str::FromStr};

use http::uri;

/// The longest name there is in the Domain Name System, and the longest part of one. Source: RFC 1035, 2.3.4.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// What stands in `:authority`: a host, and a port where it has one, such as `echo.example`, `echo.example:443` or `[::1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority(uri::Authority);

impl Authority {
    /// As it stands on the wire.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for Authority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a host, with a port or without one, such as echo.example, echo.example:8080 or [::1]";
        let authority = text.parse().ok().filter(|_| is_host_and_port(text));
        authority.map(Authority).ok_or_else(|| wrong().to_owned())
    }
}

fn is_host_and_port(text: &str) -> bool {
    let (is_right, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        // No zone: it means nothing elsewhere (RFC 6874, 4).
        Some(Some((ip, port))) => (ip.parse::<Ipv6Addr>().is_ok(), port),
        Some(None) => return false,
        None => {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_host(host), port)
        }
    };
    is_right && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// A name, or an address of IPv4, which looks like one. Underscores are not in any standard, and in many a name.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=LONGEST_LABEL).contains(&label.len()) && label.bytes().all(plain)
    };
    text.len() <= LONGEST_NAME && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_host_with_a_port_and_without() {
        for text in [
            "echo.example",
            "echo.example:443",
            "echo.example.",
            "localhost",
            "echo_b.svc-1",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:65535",
            "[fe80::1]",
            "xn--bcher-kva.example",
        ] {
            assert_eq!(text.parse::<Authority>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_is_neither() {
        let longest = format!("{}.example", "x".repeat(64));
        for text in [
            "",
            ":8080",
            "echo.example:",
            "echo.example:0",
            "echo.example:65536",
            "echo.example:+1",
            "echo.example:http",
            "echo..example",
            ".",
            "http://x:1",
            "http://x",
            "x/y",
            "u@x",
            "x?q",
            "a b",
            "a,b",
            "*.example",
            "bücher.example",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[1.2.3.4]",
            "[fe80::1%lo]",
            "[]",
            "x\u{7f}",
            &longest,
            &"x.".repeat(127),
        ] {
            assert!(text.parse::<Authority>().is_err(), "{text}");
        }
    }
}
