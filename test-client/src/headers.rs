//! The flags that may come several times: `-H 'key: value'`, metadata that goes out with the call, and `--expect-header`, metadata
//! that is to come back.
//!
//! They are no global flags: of a list before and a list after the command, clap would drop one without a word.

use http::{HeaderMap, HeaderName, HeaderValue};
use service_runtime::client::AnswerMetadata;

use crate::{glob::matches, metadata};

/// The metadata of a call, from the command line.
#[derive(Clone, Debug, clap::Args)]
pub struct MetadataFlags {
    /// To send.
    #[command(flatten)]
    pub sent: Headers,
    /// To expect.
    #[command(flatten)]
    pub expected: ExpectHeaders,
}

/// Request metadata from the command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Headers {
    /// Metadata to send, such as 'x-request-id: 7'; repeatable
    #[arg(short = 'H', long = "header", value_name = "KEY: VALUE", value_parser = header)]
    list: Vec<(HeaderName, HeaderValue)>,
}

impl Headers {
    /// These and then `others`, as metadata; a key that comes twice has two values.
    pub fn followed_by(&self, others: &Headers) -> HeaderMap {
        let mut metadata = HeaderMap::new();
        for (name, value) in self.list.iter().chain(&others.list) {
            metadata.append(name, value.clone());
        }
        metadata
    }
}

/// The headers that are expected.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Expectations (exit code 1 where they are not met)")]
pub struct ExpectHeaders {
    /// Metadata that comes back, as a header or a trailer: 'KEY: GLOB', or KEY with any value; repeatable. Of several values one has to
    /// fit, or all of them with commas between; of a binary key (-bin) its base64
    #[arg(long = "expect-header", value_name = "KEY[: GLOB]", value_parser = expected_header)]
    expect_headers: Vec<ExpectedHeader>,
}

/// A key, and what its value is to be; `None` is any.
#[derive(Clone, Debug)]
pub struct ExpectedHeader {
    name: HeaderName,
    glob: Option<String>,
}

impl ExpectHeaders {
    /// These and then `others`.
    pub fn followed_by<'a>(&'a self, others: &'a ExpectHeaders) -> Vec<&'a ExpectedHeader> {
        self.expect_headers.iter().chain(&others.expect_headers).collect()
    }
}

impl ExpectedHeader {
    /// Whether what came has it.
    pub fn is_met(&self, came: &AnswerMetadata) -> bool {
        let values = self.values(came);
        let fits = |glob: &str| values.iter().any(|value| matches(glob, value)) || matches(glob, &values.join(", "));
        !values.is_empty() && self.glob.as_deref().is_none_or(fits)
    }

    /// Of headers, then of trailers.
    fn values(&self, came: &AnswerMetadata) -> Vec<String> {
        let AnswerMetadata { headers, trailers } = came;
        [headers, trailers].into_iter().flat_map(|part| metadata::values(part, &self.name)).collect()
    }

    /// `x-gateway: envoy-*`
    pub fn describe(&self) -> String {
        let glob = self.glob.as_ref().map(|glob| format!(": {glob}"));
        format!("{}{}", self.name, glob.unwrap_or_default())
    }

    /// ` with x-gateway: nginx`, or ` without x-gateway`
    pub fn describe_what_came(&self, came: &AnswerMetadata) -> String {
        let values = self.values(came);
        if values.is_empty() {
            format!(" without {}", self.name)
        } else {
            format!(" with {}: {}", self.name, values.join(", "))
        }
    }
}

/// What gRPC and HTTP/2 keep for themselves; tonic would drop some of these silently, h2 would fail on others.
const RESERVED: [&str; 13] = [
    "connection",
    "content-length",
    "content-type",
    "grpc-encoding",
    "grpc-message",
    "grpc-message-type",
    "grpc-status",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = text.split_once(':').and_then(|(name, value)| {
        let value = HeaderValue::from_str(value.trim()).ok().filter(|value| value.to_str().is_ok())?;
        Some((name.trim().parse::<HeaderName>().ok()?, value))
    });
    let (name, value) = parsed.ok_or("expected 'key: value' in ASCII, such as 'x-request-id: 7'")?;
    match RESERVED.contains(&name.as_str()) {
        true => Err("gRPC sets this one itself: expected a key of your own, such as 'x-request-id: 7'".into()),
        false => Ok((name, value)),
    }
}

fn expected_header(text: &str) -> Result<ExpectedHeader, String> {
    let (name, glob) = text.split_once(':').map_or((text, None), |(name, glob)| (name, Some(glob.trim().to_owned())));
    let name = name.trim().parse::<HeaderName>();
    let name = name.map_err(|_| "expected 'key: value', or a key alone, such as 'x-gateway: envoy-*'")?;
    Ok(ExpectedHeader { name, glob })
}
