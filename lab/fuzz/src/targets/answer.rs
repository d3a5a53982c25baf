//! What a peer answers: one message, or a cause with a code of the contract, within its size; never a panic.
//!
//! Source of the expected causes: docs/contract.md, rows 14 to 18 and 20 to 23, which `status/cause.rs` tells.

use std::str;

use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tonic::{Code, Status, body::Body, client::Grpc};
use tonic_prost::ProstCodec;

use super::{
    cuts,
    framing::{LIMIT, one},
    text::{Text, headers, split},
};
use service_runtime::{
    Identity, Peer,
    client::WholeBody,
    harness::{Encoding, check_answer},
    origin::{self, Facts},
    status::{Broken, Cause},
};

pub const WORDS: &str = r"200 404 429 503 content-type:\x20application/grpc text/html +proto ;a=b grpc-status:\x200 grpc-status:\x2014 \
    grpc-status:\x204 grpc-status:\x20-1 grpc-message:\x20%20 grpc-status-details-bin:\x20aGk= grpc-encoding:\x20gzip \n \n\n \x1e \x1e! \
    \x00\x00\x00\x00\x01a \x00\x00\x00\x00\x00 \x00\x00\x00\x00\x04\n\x02hi \x01\x00\x00\x00\x00";

/// More would not fit beside the rest of an answer (docs/contract.md, "Terms").
const OUTWARD: usize = 4096;

/// Before the byte 30 status, headers and data; after it trailers, or `!` and the number of RST_STREAM.
pub fn holds(input: &[u8]) -> bool {
    let (head, end) = split(input, 0x1e);
    let text = Text::read(head);
    let status = str::from_utf8(text.first).ok().and_then(|first| first.trim().parse().ok());
    let Some(status) = status.and_then(|number| StatusCode::from_u16(number).ok()) else { return false };
    let end = match end {
        [b'!', reason, ..] => Some(Err(Cause::Reset((*reason).into()))),
        trailers => input.contains(&0x1e).then(|| Ok(headers(trailers))),
    };
    let expected = expected(status, &text, end.as_ref());
    for pieces in cuts(text.body) {
        let answer = answer(status, &text.headers, &pieces, end.clone());
        let checked = check_answer(answer, LIMIT, Encoding::Identity);
        match checked.now_or_never().expect("there is nothing to wait for") {
            Ok(checked) => {
                assert_eq!(expected.as_deref(), Ok(&checked.body().message().expect("a message")[..]));
                is_read_by_tonic(checked);
            }
            Err(status) => {
                assert_eq!(expected, Err(Cause::of(&status)));
                is_told_by_the_contract(Cause::of(&status));
            }
        }
    }
    expected.is_ok()
}

type End = Option<Result<HeaderMap, Cause>>;

fn answer(status: StatusCode, headers: &HeaderMap, pieces: &[&[u8]], end: End) -> Response<Body> {
    let data = pieces.iter().map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))));
    let end = end.map(|end| end.map(Frame::trailers).map_err(Status::from));
    let ends = end.is_none() && pieces.iter().all(|piece| piece.is_empty());
    let frames: Vec<_> = data.chain(end).collect();
    let mut answer = Response::new(if ends { Body::empty() } else { Body::new(StreamBody::new(stream::iter(frames))) });
    (*answer.status_mut(), *answer.headers_mut()) = (status, headers.clone());
    answer
}

fn expected(status: StatusCode, text: &Text, end: Option<&Result<HeaderMap, Cause>>) -> Result<Vec<u8>, Cause> {
    let http = Err(Cause::Http(status.as_u16()));
    // Headers are the status only where they end the stream.
    let early = (text.body.is_empty() && end.is_none()).then(|| told(&text.headers)).flatten();
    match early {
        Some(Ok(0)) => {}
        Some(failed) => return Err(failed.map_or(Cause::Broken(Broken::BadStatus), Cause::Answered)),
        None if !is_grpc(&text.headers) => return http,
        None => {}
    }
    let message = one(text.body).map_err(broken);
    match (&message, end) {
        (Err(Cause::Broken(Broken::NoMessage | Broken::CutShort)) | Ok(_), Some(Err(reset))) => {
            return Err(*reset);
        }
        (Err(Cause::Broken(Broken::NoMessage | Broken::CutShort)) | Ok(_), _) => {}
        (Err(cause), _) => return Err(*cause),
    }
    match end.and_then(|end| told(end.as_ref().ok()?)).or(early) {
        Some(Ok(0)) => message,
        Some(Ok(number)) => Err(Cause::Answered(number)),
        Some(Err(())) => Err(Cause::Broken(Broken::BadStatus)),
        None if status != StatusCode::OK => http,
        None => Err(Cause::Broken(Broken::NoStatus)),
    }
}

fn broken(word: &str) -> Cause {
    Cause::Broken(match word {
        "missing" => Broken::NoMessage,
        "second" => Broken::TwoMessages,
        "cut short" => Broken::CutShort,
        "compressed" => Broken::Compressed,
        "bad flag" => Broken::BadFrame,
        _ => Broken::TooLarge,
    })
}

/// The one `grpc-status`, where there is one.
fn told(headers: &HeaderMap) -> Option<Result<u32, ()>> {
    let values: Vec<_> = headers.get_all("grpc-status").iter().collect();
    let [value] = values[..] else { return (!values.is_empty()).then_some(Err(())) };
    let digits = str::from_utf8(value.as_bytes()).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    Some(digits.filter(|digits| digits.len() <= 9).and_then(|digits| digits.parse().ok()).ok_or(()))
}

pub fn is_grpc(headers: &HeaderMap) -> bool {
    let values: Vec<_> = headers.get_all("content-type").iter().collect();
    let [value] = values[..] else { return false };
    let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let rest =
        value.trim_start().strip_prefix("application/grpc").map(|rest| rest.strip_prefix("+proto").unwrap_or(rest));
    rest.is_some_and(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with(';'))
}

/// What goes out to our own caller.
fn is_told_by_the_contract(cause: Cause) {
    let peer = Peer::new("service-a");
    let b = Identity::new("service-b", "echo.v1").calls(peer.clone());
    let status = origin::failed(&b, &peer, cause, Facts::default());
    assert!(matches!(status.code(), Code::Unavailable | Code::Internal | Code::ResourceExhausted), "{status:?}");
    let sent: usize =
        status.into_http::<Body>().headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(sent <= OUTWARD, "{sent} bytes for {cause:?}");
}

/// tonic decodes what was let through, and does not panic at what it finds.
fn is_read_by_tonic(checked: Response<WholeBody>) {
    let mut once = Some(checked);
    let service = tower::service_fn(move |_| {
        let checked = once.take().expect("one call");
        std::future::ready(Ok::<_, Status>(checked))
    });
    let path = http::uri::PathAndQuery::from_static("/hello.v1.Greeter/Hello");
    let call = async { Grpc::new(service).unary(tonic::Request::new(()), path, ProstCodec::<(), ()>::default()).await };
    let read: Result<_, Status> = call.now_or_never().expect("there is nothing to wait for");
    drop(read);
}
