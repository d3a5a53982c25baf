//! Which pages of other origins may read the answers of the JSON face (the Fetch standard, "CORS protocol"); none by default.
//!
//! tower-http's layer is for tower's services, takes any OPTIONS for a preflight, also of an origin that is not allowed, and would stand
//! around the answers of gRPC too.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};
use tonic::body::Body;

use crate::fields::single;

/// What a page may send. `authorization` is for services that have a layer which asks for it.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, grpc-timeout, rpc-behavior, traceparent, tracestate, x-explain, x-request-id",
);
/// What a page may read, beside what the Fetch standard lets it read anyway.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "allow, grpc-retry-pushback-ms, grpc-status, received-timeout-ms, retry-after, rpc-behavior-ignored, sent-attempts, sent-timeout-ms, served-by, \
     x-request-id",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
/// For this long, in seconds, a browser does not ask again. Chromium keeps no answer for longer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose pages may read answers, as `http://localhost:5173,https://example.com` or `*`, which is all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorsOrigins(Arc<Allowed>);

#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    All,
    /// As browsers write them.
    These(BTreeSet<String>),
}

impl FromStr for CorsOrigins {
    type Err = String;

    /// Errors: a sentence that says what is wrong, and what would be right.
    fn from_str(text: &str) -> Result<Self, String> {
        let origins: Vec<&str> = text.split(',').map(str::trim).collect();
        let allowed = match &origins[..] {
            ["*"] => Allowed::All,
            origins if origins.contains(&"*") => return Err("expected * alone, for it is every origin".to_owned()),
            origins => Allowed::These(origins.iter().map(|origin| normal(origin)).collect::<Result<_, _>>()?),
        };
        Ok(CorsOrigins(Arc::new(allowed)))
    }
}

impl fmt::Display for CorsOrigins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Allowed::All => f.write_str("*"),
            Allowed::These(origins) => f.write_str(&origins.iter().map(String::as_str).collect::<Vec<_>>().join(",")),
        }
    }
}

impl CorsOrigins {
    /// The page that a request comes from, if one does, and what it may do.
    pub(crate) fn page_of(&self, request: &Request<Body>) -> Page {
        let headers = request.headers();
        let asks_first = request.method() == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Page { allowed: self.allow(headers), asks_first }
    }

    /// `None` where the page may not read the answer.
    fn allow(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        match &*self.0 {
            Allowed::All => Some(HeaderValue::from_static("*")),
            Allowed::These(origins) => {
                let origin = single(headers, ORIGIN).ok()??;
                origins.contains(origin.to_str().ok()?).then(|| origin.clone())
            }
        }
    }
}

/// A page of another origin, or whoever else asks.
pub(crate) struct Page {
    /// What `access-control-allow-origin` says to it.
    allowed: Option<HeaderValue>,
    /// Its browser asks whether it may ask: a preflight. Its own request comes later, and is the call.
    asks_first: bool,
}

impl Page {
    /// The answer to the preflight of a page that is allowed. The same for any path: the page is to read what is wrong with it.
    pub fn preflight_answer(&self) -> Option<Response<Body>> {
        let is_allowed = self.asks_first && self.allowed.is_some();
        is_allowed.then(|| {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            let headers = answer.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            self.mark(headers);
            answer
        })
    }

    /// Adds to an answer whether the page may read it, and what of it.
    pub fn mark(&self, headers: &mut HeaderMap) {
        // Also where no page asks: a cache would give one page's answer to another.
        headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = &self.allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

/// The origin as browsers write it: in lower case, without the port that its scheme has anyway.
fn normal(text: &str) -> Result<String, String> {
    const RIGHT: &str = "expected origins such as http://localhost:5173, without a path, comma separated, or *";
    if text.eq_ignore_ascii_case("null") {
        return Err("expected * if every sandboxed page, which all say null, may read the answers".to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://").ok_or(RIGHT)?;
    let uri: Uri = lower.parse().map_err(|_| RIGHT)?;
    let (host, port) = (uri.host().unwrap_or(""), uri.port());
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter);
    // A user's name, a path, an empty port or one above 65535 are in none of the two.
    let as_written = match &port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    if !is_scheme || host.is_empty() || !host.chars().all(plain) || as_written != authority {
        return Err(RIGHT.to_owned());
    }
    let port = port.map(|port| port.as_u16());
    let is_usual = matches!((scheme, port), (_, None) | ("http", Some(80)) | ("https", Some(443)));
    Ok(if is_usual { format!("{scheme}://{host}") } else { lower })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<CorsOrigins>().map(|origins| origins.to_string())
    }

    #[test]
    fn reads_origins_as_people_write_them_and_keeps_them_as_browsers_do() {
        for (text, kept) in [
            ("*", "*"),
            (" * ", "*"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("HTTPS://Example.COM:443", "https://example.com"),
            ("http://a:80, https://b:80,http://a", "http://a,https://b:80"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(kept), "{text}");
        }
    }

    #[test]
    fn refuses_what_no_browser_would_send_and_says_what_is_right() {
        for text in [
            "",
            ",",
            "http://a,",
            "a",
            "localhost:5173",
            "//a",
            "http://",
            "file://",
            "http://a:",
            "http://a:65536",
            "http://a:x",
            "http://me@a",
            "https://*.example.com",
            "http://a b",
            "http://münchen.de",
            "http:///",
            "://a",
            "http://a/",
            "http://a/x",
            "http://a?x",
            "http://a#x",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                error
                    .ends_with("expected origins such as http://localhost:5173, without a path, comma separated, or *"),
                "{text}: {error}"
            );
        }
        assert_eq!(read("*,http://a").unwrap_err(), "expected * alone, for it is every origin");
        assert!(read("null").unwrap_err().starts_with("expected * if every sandboxed page"));
    }

    #[test]
    fn allows_exactly_the_origins_that_it_was_given() {
        let one: CorsOrigins = "http://a:1,https://b".parse().unwrap();
        let all: CorsOrigins = "*".parse().unwrap();
        let asked = |origins: &CorsOrigins, given: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for origin in given {
                headers.append(ORIGIN, HeaderValue::from_static(origin));
            }
            origins.allow(&headers).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(asked(&one, &["http://a:1"]).as_deref(), Some("http://a:1"));
        for others in
            [&["http://a"][..], &["http://a:1", "http://a:1"], &["null"], &["http://a:1.evil"], &["https://a:1"], &[]]
        {
            assert_eq!(asked(&one, others), None, "{others:?}");
        }
        for any in [&["null"][..], &["http://c"], &[]] {
            assert_eq!(asked(&all, any).as_deref(), Some("*"), "{any:?}");
        }
    }
}
