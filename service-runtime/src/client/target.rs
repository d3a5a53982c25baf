//! Where a peer is, as a user writes it.

use std::{borrow::Cow, fmt, net::SocketAddr, str::FromStr};

use http::Uri;

use super::Authority;
use crate::address::{Address, host_and_port};

/// Where a peer listens: `http://host:port`, `host:port`, `unix:/run/a.sock`, or as gRPC has it: `dns:///host:port`,
/// `ipv4:1.2.3.4:80`, `ipv6:[::1]:80`. Source: gRPC Name Resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    place: Place,
    /// What calls name.
    uri: Uri,
    /// What the log names.
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Name(String, u16),
    Address(Address),
}

impl Target {
    /// What calls name, as a URL: `http://host:port`; of a Unix socket `http://localhost`. No zone: it means nothing elsewhere
    /// (RFC 6874, 4).
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The same as it stands in `:authority`: `host:port`, or `localhost`.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// The same place, where calls name something else: a gateway routes by that.
    #[must_use]
    pub fn with_authority(self, authority: &Authority) -> Self {
        let uri = format!("http://{}", authority.as_str()).parse().expect("an authority makes a URL");
        Target { uri, ..self }
    }

    /// The address that the target is; `None` where it is a name.
    pub fn address(&self) -> Option<&Address> {
        match &self.place {
            Place::Address(address) => Some(address),
            Place::Name(..) => None,
        }
    }

    /// The name and the port to look up; `None` where the target is an address.
    pub fn name(&self) -> Option<(&str, u16)> {
        match &self.place {
            Place::Name(name, port) => Some((name, *port)),
            Place::Address(_) => None,
        }
    }

    /// A target that needs no look-up, for a dialer that takes no notice of it.
    pub(super) fn in_process() -> Self {
        Self::unix("in-process").expect("it is a path")
    }

    fn unix(path: &str) -> Result<Self, String> {
        let address = Address::unix(path)?;
        // gRPC's clients name it so too: a path is no host.
        let uri = Uri::from_static("http://localhost");
        Ok(Target { text: address.to_string(), place: Place::Address(address), uri })
    }

    /// Of `host:port`, or `[address]:port` where the address is of IPv6.
    fn tcp(text: &str) -> Result<Self, String> {
        let text = unescaped(text);
        let (host, port) =
            host_and_port(&text).filter(|(host, port)| !host.is_empty() && *port > 0).ok_or_else(wrong)?;
        let address = Address::ip(host, port)?;
        if address.is_some_and(|address| address.is_ipv6()) != text.starts_with('[') {
            return Err(wrong());
        }
        let ip = host.split_once('%').map(|(ip, _)| format!("[{ip}]:{port}"));
        let place =
            address.map_or_else(|| Place::Name(host.to_owned(), port), |address| Place::Address(address.into()));
        Ok(Target { place, uri: named(ip.as_deref().unwrap_or(&text))?, text: format!("http://{text}") })
    }

    /// Of an address alone, as `ipv4:` and `ipv6:` take it.
    fn ip(text: &str, scheme: &str, is_right: fn(&SocketAddr) -> bool) -> Result<Self, String> {
        let target = Self::tcp(text)?;
        let fits = target.address().and_then(Address::tcp).is_some_and(|address| is_right(&address));
        let example = if scheme == "ipv4" { "ipv4:127.0.0.1:8080" } else { "ipv6:[::1]:8080" };
        let wrong = || format!("expected an address after {scheme}:, such as {example}; a name is dns:///host:8080");
        if fits { Ok(target) } else { Err(wrong()) }
    }
}

fn wrong() -> String {
    "expected one address such as http://127.0.0.1:8080, dns:///host:8080 or unix:/run/a.sock".into()
}

/// RFC 6874 writes the `%` before a zone as `%25`, most people do not.
fn unescaped(text: &str) -> Cow<'_, str> {
    match text.split_once("%25") {
        Some((ip, zone)) if !zone.starts_with(']') => Cow::Owned(format!("{ip}%{zone}")),
        _ => Cow::Borrowed(text),
    }
}

/// The URL whose authority is `text`, and nothing else of which is there.
fn named(text: &str) -> Result<Uri, String> {
    let uri: Uri = format!("http://{text}").parse().map_err(|_| wrong())?;
    let is_all = uri.authority().is_some_and(|authority| authority == text) && !text.contains('@');
    if is_all { Ok(uri) } else { Err(wrong()) }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        match scheme {
            "http" if rest.starts_with("//") => Self::tcp(rest[2..].strip_suffix('/').unwrap_or(&rest[2..])),
            "https" if rest.starts_with("//") => Err("expected http:// and not https://: there is no TLS yet".into()),
            "unix" => Self::unix(rest),
            // A host may have that name; no port has a colon after it.
            "dns" | "ipv4" | "ipv6" if !rest.contains(':') => Self::tcp(text),
            "dns" => match rest.strip_prefix("///").unwrap_or(rest) {
                server if server.starts_with('/') => {
                    Err("expected dns:///host:8080: the system says which name server is asked".into())
                }
                name => Self::tcp(name),
            },
            "ipv4" => Self::ip(rest, scheme, SocketAddr::is_ipv4),
            "ipv6" => Self::ip(rest, scheme, SocketAddr::is_ipv6),
            _ => Self::tcp(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it is to the resolver or the dialer, to calls, and to the log.
    fn read(text: &str) -> (String, String, String) {
        let target: Target = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let place = match (target.name(), target.address()) {
            (Some((name, port)), None) => format!("{name} {port}"),
            (None, Some(address)) => address.to_string(),
            _ => panic!("{target:?}"),
        };
        (place, target.authority().to_owned(), target.to_string())
    }

    #[test]
    fn reads_what_people_write() {
        for (text, place, authority, url) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://localhost:8080/", "localhost 8080", "localhost:8080", "http://localhost:8080"),
            ("service-a.internal:80", "service-a.internal 80", "service-a.internal:80", "http://service-a.internal:80"),
            ("[::1]:8080", "[::1]:8080", "[::1]:8080", "http://[::1]:8080"),
            ("dns:8080", "dns 8080", "dns:8080", "http://dns:8080"),
        ] {
            assert_eq!(read(text), (place.into(), authority.into(), url.into()), "{text}");
        }
    }

    #[test]
    fn reads_grpcs_names() {
        for (text, place, authority, url) in [
            ("dns:///service-a:80", "service-a 80", "service-a:80", "http://service-a:80"),
            ("dns:service-a:80", "service-a 80", "service-a:80", "http://service-a:80"),
            ("dns:///127.0.0.1:80", "127.0.0.1:80", "127.0.0.1:80", "http://127.0.0.1:80"),
            ("ipv4:1.2.3.4:80", "1.2.3.4:80", "1.2.3.4:80", "http://1.2.3.4:80"),
            ("ipv6:[::1]:80", "[::1]:80", "[::1]:80", "http://[::1]:80"),
            ("unix:/run/a.sock", "unix:/run/a.sock", "localhost", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock", "localhost", "unix:/run/a.sock"),
            ("unix:a.sock", "unix:a.sock", "localhost", "unix:a.sock"),
        ] {
            assert_eq!(read(text), (place.into(), authority.into(), url.into()), "{text}");
        }
    }

    #[test]
    fn reads_zones_escaped_and_not_and_keeps_them_to_itself() {
        for text in ["http://[fe80::1%257]:80", "http://[fe80::1%7]:80", "[fe80::1%7]:80", "ipv6:[fe80::1%257]:80"] {
            let url = "http://[fe80::1%7]:80";
            assert_eq!(read(text), ("[fe80::1%7]:80".into(), "[fe80::1]:80".into(), url.into()), "{text}");
        }
        assert_eq!(read("[fe80::1%25]:80").0, "[fe80::1%25]:80", "a number of its own");
        #[cfg(target_os = "linux")]
        for text in ["http://[fe80::1%25lo]:80", "http://[fe80::1%lo]:80"] {
            assert_eq!(read(text).0, "[fe80::1%1]:80", "{text}");
        }
        let error = "http://[fe80::1%25nosuch]:80".parse::<Target>().unwrap_err();
        assert!(error.starts_with("expected a network interface of this machine after %"), "{error}");
    }

    #[test]
    fn says_what_would_be_right_in_place_of_a_wrong_scheme() {
        for (text, right) in [
            ("https://h:1", "expected http:// and not https://"),
            ("ftp://h:1", "expected one address such as http://127.0.0.1:8080"),
            ("ipv4:name:80", "expected an address after ipv4:, such as ipv4:127.0.0.1:8080"),
            ("ipv4:[::1]:80", "expected an address after ipv4:, such as ipv4:127.0.0.1:8080"),
            ("ipv6:1.2.3.4:80", "expected an address after ipv6:, such as ipv6:[::1]:8080"),
            ("dns://8.8.8.8/h:1", "expected dns:///host:8080"),
            ("unix:", "expected the path of a socket"),
            ("unix://a.sock", "expected an absolute path after unix://"),
        ] {
            let error = text.parse::<Target>().unwrap_err();
            assert!(error.starts_with(right) && !error.contains('\n'), "{text}: {error}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "nonsense",
            "http://",
            "http://host",
            "http://h:99999",
            "http://h:0",
            "http://h:+1",
            "http://h:1/path",
            "http://h:1,http://h:2",
            "http://u@h:1",
            "h:1?q",
            "::1:80",
            "[h]:80",
            "fe80::1%lo:80",
            "dns:///",
            "dns:///h",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
