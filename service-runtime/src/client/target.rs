//! Where a peer is.

use std::{fmt, net::IpAddr, str::FromStr};

use http::Uri;

/// Where a peer listens: `http://host:port`, or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    uri: Uri,
    host: String,
    port: u16,
}

impl Target {
    /// `http://host:port`.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// `host:port`.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Whether the host is an address and not a name.
    pub(super) fn is_address(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    /// Host and port, for the resolver.
    pub fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected one address such as http://127.0.0.1:8080".to_owned();
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = full.parse().map_err(|_| wrong())?;
        let (Some(host), Some(port)) = (uri.host(), uri.port_u16()) else {
            return Err(wrong());
        };
        let nothing_else = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !nothing_else || host.is_empty() || port == 0 || full.contains('@') {
            return Err(wrong());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Target { host, port, uri })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, address) in [
            ("http://127.0.0.1:8080", ("127.0.0.1", 8080)),
            ("http://localhost:8080/", ("localhost", 8080)),
            ("service-a.internal:80", ("service-a.internal", 80)),
            ("[::1]:8080", ("::1", 8080)),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().address(), address, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "nonsense",
            "http://",
            "http://host",
            "ftp://h:1",
            "https://h:1",
            "http://h:99999",
            "http://h:0",
            "http://h:1/path",
            "http://h:1,http://h:2",
            "http://u@h:1",
            "h:1?q",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
