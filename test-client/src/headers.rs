//! The flags that may come several times: `-H 'key: value'`, metadata that goes out with the call, and `--expect-header`, metadata
//! that is to come back.
//!
//! They are no global flags: of a list before and a list after the command, clap would drop one without a word.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::expect::ExpectHeaders;

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
