//! Percent-encoding in `grpc-message`: what a peer encoded is what it said, and what it did not encode breaks nothing.

use futures_util::FutureExt;
use http::{HeaderValue, Response};
use tonic::{Status, body::Body};

use service_runtime::harness::{Encoding, check_answer};

pub const WORDS: &str = r"% %25 %20 %2 %zz %C3%BC %FF %00 \xc3\xbc \xff \x7f \x20";

pub fn holds(input: &[u8]) -> bool {
    if let Ok(text) = std::str::from_utf8(input) {
        let sent = Status::not_found(text).into_http();
        assert_eq!(message(sent), text, "encoded and decoded");
    }
    let Ok(value) = HeaderValue::from_bytes(input) else { return false };
    let mut sent = Response::new(Body::empty());
    sent.headers_mut().insert(Status::GRPC_STATUS, HeaderValue::from_static("5"));
    sent.headers_mut().insert(Status::GRPC_MESSAGE, value);
    assert_eq!(message(sent), decoded(input), "decoded");
    input.contains(&b'%')
}

fn message(sent: Response<Body>) -> String {
    let checked = check_answer(sent, 64, Encoding::Identity).now_or_never().expect("there is nothing to wait for");
    let status = checked.expect_err("NOT_FOUND is no answer");
    assert_eq!(status.code(), tonic::Code::NotFound);
    status.message().to_owned()
}

/// What is no escape is text; what is no text is marked as such (docs/contract.md, row 17).
fn decoded(input: &[u8]) -> String {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < input.len() {
        let escape = input.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escape = escape.filter(|digits| digits.chars().all(|digit| digit.is_ascii_hexdigit()));
        match escape.filter(|_| input[at] == b'%') {
            Some(digits) => {
                bytes.push(u8::from_str_radix(digits, 16).expect("two hex digits"));
                at += 3;
            }
            None => {
                bytes.push(input[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
