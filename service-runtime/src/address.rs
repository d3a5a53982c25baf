//! An address that something listens on: an IP address and a port, or the file of a Unix socket.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs as _},
    os::unix,
    path::PathBuf,
    str::FromStr,
};

/// An address that something listens on. It is written `127.0.0.1:8080`, `[fe80::1%eth0]:8080` or `unix:/run/a.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket, by its path.
    Unix(PathBuf),
}

impl Address {
    /// As the log's `url=` has it: `http://127.0.0.1:8080` or `unix:/run/a.sock`.
    pub fn url(&self) -> String {
        match self {
            Address::Tcp(address) => format!("http://{address}"),
            Address::Unix(_) => self.to_string(),
        }
    }

    /// The IP address and the port; `None` of a Unix socket.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        }
    }

    /// Reads what follows `unix:`: a path, or `//` and an absolute path. Source: gRPC Name Resolution.
    ///
    /// Errors: what would be right.
    pub(crate) fn unix(path: &str) -> Result<Self, String> {
        let path = match path.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => absolute,
            Some(_) => return Err("expected an absolute path after unix://, such as unix:///run/a.sock".into()),
            None => path,
        };
        let fits = !path.is_empty() && unix::net::SocketAddr::from_pathname(path).is_ok();
        if fits { Ok(Address::Unix(path.into())) } else { Err(UNIX_PATH.into()) }
    }

    /// The address that `host` is, without brackets; `None` where it is a name. An IPv6 address may have a zone: `fe80::1%eth0`, or
    /// the interface's number.
    ///
    /// Errors: why the zone does not fit.
    pub(crate) fn ip(host: &str, port: u16) -> Result<Option<SocketAddr>, String> {
        match host.split_once('%') {
            Some((ip, zone)) => with_zone(ip, zone, port).map(Some),
            None => Ok(host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port))),
        }
    }
}

const UNIX_PATH: &str = "expected the path of a socket, of at most 100 bytes or so, such as unix:/run/a.sock";

/// Source of zones: RFC 4007, 11.
fn with_zone(ip: &str, zone: &str, port: u16) -> Result<SocketAddr, String> {
    let ip: Ipv6Addr = ip.parse().map_err(|_| format!("expected an IPv6 address before the zone %{zone}"))?;
    if let Ok(index) = zone.parse() {
        return Ok(SocketAddrV6::new(ip, port, 0, index).into());
    }
    // The system's resolver knows the names of its interfaces, and sends no query to a name server for an address with a zone.
    let found = (format!("{ip}%{zone}").as_str(), port).to_socket_addrs();
    let found = found.ok().and_then(|mut found| found.next());
    found.ok_or_else(|| {
        format!(
            "expected a network interface of this machine after %, and a link-local address before it, not {ip}%{zone}"
        )
    })
}

/// `[host]:port` or `host:port`, in its parts; `None` where it is neither.
pub(crate) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        None if host.contains([':', ']', '%']) => return None,
        None => host,
    };
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    Some((host, port.parse().ok().filter(|_| digits)?))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Address::unix(path);
        }
        let wrong = || "expected an address and a port such as 127.0.0.1:8080, or unix:/run/a.sock".to_owned();
        let (host, port) = host_and_port(text).ok_or_else(wrong)?;
        let bracketed = text.starts_with('[');
        let address = Address::ip(host, port)?.filter(|address| address.is_ipv6() == bracketed);
        address.map(Address::Tcp).ok_or_else(wrong)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Address::Tcp(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for Address {
    fn from((ip, port): (I, u16)) -> Self {
        Address::Tcp((ip, port).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<Address>().map(|address| address.to_string())
    }

    #[test]
    fn reads_what_people_write_and_writes_it_the_same_way() {
        for text in ["127.0.0.1:8080", "0.0.0.0:0", "[::1]:8080", "[fe80::1%7]:8080", "unix:/run/a.sock", "unix:a.sock"]
        {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(read("unix:///run/a.sock").as_deref(), Ok("unix:/run/a.sock"));
    }

    #[test]
    fn finds_the_number_of_the_interface_that_a_zone_names() {
        // The loopback interface has the number 1 on every Linux.
        #[cfg(target_os = "linux")]
        assert_eq!(read("[fe80::1%lo]:8080").as_deref(), Ok("[fe80::1%1]:8080"));
        for zone in ["nosuch", "", "-1", "99999999999"] {
            let error = read(&format!("[fe80::1%{zone}]:8080")).unwrap_err();
            assert!(error.starts_with("expected a network interface of this machine after %"), "{zone}: {error}");
        }
        assert!(read("[1.2.3.4%lo]:1").unwrap_err().starts_with("expected an IPv6 address before the zone %lo"));
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in
            ["", "8080", "localhost:8080", "::1:8080", "[127.0.0.1]:80", "1.2.3.4:", "1.2.3.4:+1", "1.2.3.4:70000"]
        {
            assert!(read(text).unwrap_err().starts_with("expected an address and a port such as"), "{text}");
        }
        for text in ["unix:", "unix://a.sock", "unix:a\0b", &format!("unix:/{}", "x".repeat(200))] {
            assert!(read(text).unwrap_err().contains("unix:"), "{text:?}");
        }
    }
}
