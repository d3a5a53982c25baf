//! A status out of headers or trailers, as much of it as can be read.

use http::{HeaderMap, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use tonic::{Status, metadata::MetadataMap};

/// The status in `headers`, which may also be trailers; `None` where there is no `grpc-status`.
///
/// A code stands, whatever is said beside it: of a message, what is not UTF-8 becomes U+FFFD (gRPC over HTTP/2, "Responses": a
/// message must not be thrown away for that), and details that are not base64 are left out. [`Status::from_header_map`] would
/// make UNKNOWN of the one and panic at the other.
pub fn of_headers(headers: &HeaderMap) -> Option<Status> {
    let message = headers.get(Status::GRPC_MESSAGE).map(|value| percent_decode(value.as_bytes()));
    let is_utf8 = message.clone().is_none_or(|message| message.decode_utf8().is_ok());
    if is_utf8 && has_good_details(headers) {
        return Status::from_header_map(headers);
    }
    let mut readable = headers.clone();
    if let Some(message) = message {
        let encoded = utf8_percent_encode(&message.decode_utf8_lossy(), NON_ALPHANUMERIC).to_string();
        readable.insert(Status::GRPC_MESSAGE, HeaderValue::try_from(encoded).expect("percent-encoded text is ASCII"));
    }
    if !has_good_details(headers) {
        readable.remove(Status::GRPC_STATUS_DETAILS);
    }
    Status::from_header_map(&readable)
}

fn has_good_details(headers: &HeaderMap) -> bool {
    let mut details = HeaderMap::new();
    details.extend(headers.get(Status::GRPC_STATUS_DETAILS).map(|value| (Status::GRPC_STATUS_DETAILS, value.clone())));
    let details = MetadataMap::from_headers(details);
    details.get_bin("grpc-status-details-bin").is_none_or(|value| value.to_bytes().is_ok())
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn read(message: &'static str, details: &'static str) -> Status {
        let fields = [("grpc-status", "5"), ("grpc-message", message), ("grpc-status-details-bin", details)];
        let fields = fields.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        of_headers(&HeaderMap::from_iter::<[(http::HeaderName, _); 3]>(fields)).unwrap()
    }

    #[test]
    fn keeps_of_a_message_what_can_be_decoded_and_its_code() {
        for (sent, text) in [
            ("caf%E9 not found", "caf\u{fffd} not found"),
            ("caf%C3%A9 not found", "café not found"),
            ("%FF%FE", "\u{fffd}\u{fffd}"),
            ("100%ZZ sure", "100%ZZ sure"),
            ("", ""),
        ] {
            let status = read(sent, "aGk");
            assert_eq!((status.code(), status.message()), (Code::NotFound, text), "{sent}");
            assert_eq!(status.details(), b"hi", "{sent}");
        }
    }

    #[test]
    fn leaves_out_details_that_are_not_base64_and_keeps_the_rest() {
        for sent in ["caf%E9", "caf%C3%A9"] {
            let status = read(sent, "*** not base64 ***");
            assert_eq!((status.code(), status.details()), (Code::NotFound, &b""[..]));
            assert!(status.message().starts_with("caf"));
        }
    }

    #[test]
    fn is_nothing_without_a_code() {
        assert!(of_headers(&HeaderMap::new()).is_none());
    }
}
