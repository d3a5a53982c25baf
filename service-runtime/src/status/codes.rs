//! Codes in gRPC's words, and as HTTP.

use std::borrow::Cow;

use http::StatusCode;
use tonic::Code;

/// The HTTP status that a JSON caller sees, and the log tells, for a code and its reason.
pub fn http_status(code: Code, reason: Option<&str>) -> StatusCode {
    match (code, reason) {
        (_, Some("METADATA_TOO_LARGE")) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        (_, Some("UNKNOWN_METHOD")) => StatusCode::NOT_FOUND,
        (_, Some("WRONG_HTTP_METHOD")) => StatusCode::METHOD_NOT_ALLOWED,
        (_, Some("WRONG_CONTENT_TYPE")) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        (_, Some("NEEDS_HTTP2")) => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        (_, Some("MESSAGE_TOO_LARGE")) => StatusCode::PAYLOAD_TOO_LARGE,
        (_, Some("REQUEST_TIMEOUT")) => StatusCode::REQUEST_TIMEOUT,
        (Code::Ok, _) => StatusCode::OK,
        (Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange, _) => StatusCode::BAD_REQUEST,
        (Code::Unauthenticated, _) => StatusCode::UNAUTHORIZED,
        (Code::PermissionDenied, _) => StatusCode::FORBIDDEN,
        (Code::NotFound, _) => StatusCode::NOT_FOUND,
        (Code::AlreadyExists | Code::Aborted, _) => StatusCode::CONFLICT,
        (Code::ResourceExhausted, _) => StatusCode::TOO_MANY_REQUESTS,
        (Code::Cancelled, _) => StatusCode::from_u16(499).expect("a valid HTTP status"),
        (Code::Unimplemented, _) => StatusCode::NOT_IMPLEMENTED,
        (Code::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
        (Code::DeadlineExceeded, _) => StatusCode::GATEWAY_TIMEOUT,
        (Code::Unknown | Code::Internal | Code::DataLoss, _) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whether a call that ends with this code failed by the service's doing, and not by its caller's.
pub fn is_fault_of_service(code: Code) -> bool {
    use Code::{DataLoss, DeadlineExceeded, Internal, Unavailable, Unknown};
    matches!(code, Unavailable | Internal | Unknown | DeadlineExceeded | DataLoss)
}

/// A code as gRPC writes it: `DEADLINE_EXCEEDED`.
pub fn code_name(code: Code) -> &'static str {
    CODE_NAMES[code as usize]
}

/// The code that gRPC writes so, in upper case.
pub fn code_of_name(name: &str) -> Option<Code> {
    let number = CODE_NAMES.iter().position(|known| *known == name)?;
    Some(Code::from(i32::try_from(number).ok()?))
}

/// Every code's name, in the order of their numbers.
pub const CODE_NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A code's name; its number where gRPC has no name for it.
pub(crate) fn code_text(number: u32) -> Cow<'static, str> {
    match CODE_NAMES.get(number as usize) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(number.to_string()),
    }
}

/// gRPC's code for an answer that is HTTP and nothing more. Source: gRPC, "HTTP to gRPC Status Code Mapping".
pub(crate) fn code_of_http(status: u16) -> Code {
    match status {
        400 | 431 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// gRPC's code for a stream that the peer reset. Source: gRPC over HTTP/2, "Errors".
pub(crate) fn code_of_reset(reason: u32) -> Code {
    match h2::Reason::from(reason) {
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        // Not in gRPC's table.
        h2::Reason::STREAM_CLOSED | h2::Reason::HTTP_1_1_REQUIRED => Code::Unknown,
        _ if reason <= 13 => Code::Internal,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_code_as_grpc_does() {
        for number in 0..17 {
            let code = Code::from(number);
            assert_eq!(code_of_name(code_name(code)), Some(code));
        }
        assert_eq!(code_name(Code::DeadlineExceeded), "DEADLINE_EXCEEDED");
        assert_eq!(code_of_name("NOPE"), None);
        assert_eq!((code_text(16), code_text(17)), ("UNAUTHENTICATED".into(), "17".into()));
    }

    #[test]
    fn reads_http_as_grpc_does() {
        let internal = [400, 431];
        let unavailable = [429, 502, 503, 504];
        for status in 100..600 {
            let expected = match status {
                401 => Code::Unauthenticated,
                403 => Code::PermissionDenied,
                404 => Code::Unimplemented,
                _ if internal.contains(&status) => Code::Internal,
                _ if unavailable.contains(&status) => Code::Unavailable,
                _ => Code::Unknown,
            };
            assert_eq!(code_of_http(status), expected, "{status}");
        }
    }

    #[test]
    fn reads_reset_streams_as_grpc_does() {
        use Code::{Cancelled, Internal, PermissionDenied, ResourceExhausted, Unavailable, Unknown};
        let codes = [
            Internal,
            Internal,
            Internal,
            Internal,
            Internal,
            Unknown,
            Internal,
            Unavailable,
            Cancelled,
            Internal,
            Internal,
            ResourceExhausted,
            PermissionDenied,
            Unknown,
            Unknown,
        ];
        for (reason, code) in (0..).zip(codes) {
            assert_eq!(code_of_reset(reason), code, "RST_STREAM {reason}");
        }
    }

    #[test]
    fn tells_http_callers_the_same_by_code_and_by_reason() {
        let of_codes = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
        for (number, http) in (0..).zip(of_codes) {
            assert_eq!(http_status(Code::from(number), None).as_u16(), http, "{}", code_text(number.unsigned_abs()));
        }
        for (reason, http) in [
            ("METADATA_TOO_LARGE", 431),
            ("UNKNOWN_METHOD", 404),
            ("WRONG_HTTP_METHOD", 405),
            ("WRONG_CONTENT_TYPE", 415),
            ("NEEDS_HTTP2", 505),
            ("MESSAGE_TOO_LARGE", 413),
            ("REQUEST_TIMEOUT", 408),
        ] {
            assert_eq!(http_status(Code::Internal, Some(reason)).as_u16(), http, "{reason}");
        }
    }
}
