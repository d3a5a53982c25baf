//! Is this a gRPC answer? No answer is believed before it has been read to the end of what is asked of it.
//!
//! Stock tonic panics on details that are not base64, decodes a proxy's web page as a message, takes the first of two
//! messages, believes a status in headers that do not end the stream, and hangs on a peer that never ends its answer. Here an answer is
//! checked before tonic sees it: status and content-type, framing, trailers, size, and of a unary answer that it is one message.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body;
use percent_encoding::percent_decode;
use tonic::{Code, Status, metadata::MetadataMap};

use super::whole::WholeBody;
use crate::{
    grpc::{self, Encoding, GRPC_ENCODING, Wrong, has_grpc_content},
    status::{Broken, Cause},
};

const DETAILS: &str = "grpc-status-details-bin";

/// A unary answer as tonic can take it: one message, and a status that is there.
pub async fn whole(
    answer: Response<impl Body<Data = Bytes, Error = Status> + Unpin>,
    max_message: usize,
    encoding: Encoding,
) -> Result<Response<WholeBody>, Status> {
    let (mut head, body) = answer.into_parts();
    let early = early_status(&mut head.headers, &body);
    // Where there is a status it wins, over HTTP's too.
    if let Some(Err(_) | Ok(1..)) = early {
        return Err(failure(early, &head.headers));
    }
    if early.is_none() && !has_grpc_content(&head.headers) {
        return Err(Cause::Http(head.status.as_u16()).into());
    }
    let whole = grpc::read(body, max_message, encoding).await.map_err(|wrong| cause(&wrong))?;
    match status_of(&whole.trailers).or(early) {
        Some(Ok(0)) => {}
        None if head.status != StatusCode::OK => return Err(Cause::Http(head.status.as_u16()).into()),
        status => {
            head.headers.extend(whole.trailers);
            return Err(failure(status, &head.headers));
        }
    }
    let (message, trailers) = whole.message();
    let message = message.and_then(|frame| encoding.undo(frame, max_message));
    let message = message.map_err(|wrong: Wrong<Status>| cause(&wrong))?;
    head.status = StatusCode::OK;
    // What was said of compression does not matter any more: the message is not compressed.
    head.headers.remove(GRPC_ENCODING);
    head.headers = safe(head.headers);
    Ok(Response::from_parts(head, WholeBody { message: Some(message), trailers: Some(safe(trailers)) }))
}

/// The headers of a streamed answer as tonic can take them: they are the status only where they end the stream.
pub fn head<B: Body>(answer: Response<B>) -> Result<Response<B>, Status> {
    let (mut head, body) = answer.into_parts();
    match early_status(&mut head.headers, &body) {
        Some(Ok(0)) => {}
        status @ Some(_) => return Err(failure(status, &head.headers)),
        None if head.status != StatusCode::OK || !has_grpc_content(&head.headers) => {
            return Err(Cause::Http(head.status.as_u16()).into());
        }
        None if body.is_end_stream() => return Err(Cause::Broken(Broken::NoStatus).into()),
        None => {}
    }
    head.status = StatusCode::OK;
    // The messages are handed on as they were before they were compressed.
    head.headers.remove(GRPC_ENCODING);
    head.headers = safe(head.headers);
    Ok(Response::from_parts(head, body))
}

/// The end of a streamed answer. Errors: what it says, unless that is OK.
pub fn trailers(trailers: &HeaderMap) -> Result<(), Status> {
    match status_of(trailers) {
        Some(Ok(0)) => Ok(()),
        status => Err(failure(status, trailers)),
    }
}

/// There is nothing to say of OK: tonic reads the details of any status, and panics where they are not base64.
pub fn safe(mut metadata: HeaderMap) -> HeaderMap {
    // Few headers, and the next look at each is cheaper than one hash.
    if metadata.keys().any(|name| name == DETAILS) {
        metadata.remove(DETAILS);
    }
    metadata
}

/// The status in headers that are the end of the answer. In others it is none, and is taken out.
fn early_status(headers: &mut HeaderMap, body: &impl Body) -> Option<Result<u32, NoNumber>> {
    if body.is_end_stream() {
        return status_of(headers);
    }
    if headers.keys().any(|name| name.as_str().starts_with("grpc-")) {
        for name in [Status::GRPC_STATUS, Status::GRPC_MESSAGE, Status::GRPC_STATUS_DETAILS] {
            headers.remove(name);
        }
    }
    None
}

/// `grpc-status`: a number, or something that is none, such as two of them; `None` where it is not there.
fn status_of(headers: &HeaderMap) -> Option<Result<u32, NoNumber>> {
    let mut values = headers.get_all(Status::GRPC_STATUS).iter();
    let value = values.next()?.as_bytes();
    let digits = values.next().is_none() && (1..=9).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let number = || value.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
    Some(if digits { Ok(number()) } else { Err(NoNumber) })
}

/// A `grpc-status` that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NoNumber;

/// The failure that a status tells, with whatever of it can be read.
fn failure(status: Option<Result<u32, NoNumber>>, headers: &HeaderMap) -> Status {
    match status {
        None => Cause::Broken(Broken::NoStatus).into(),
        Some(Err(NoNumber)) => Cause::Broken(Broken::BadStatus).into(),
        Some(Ok(number)) => answered(Cause::Answered(number), headers),
    }
}

/// The peer's own status. What of its text cannot be decoded is marked as such (U+FFFD), broken details are dropped; the code stands.
fn answered(cause: Cause, headers: &HeaderMap) -> Status {
    let raw = headers.get(Status::GRPC_MESSAGE).map_or(&[][..], |value| value.as_bytes());
    let message = percent_decode(raw).decode_utf8_lossy();
    let mut metadata = MetadataMap::from_headers(headers.clone());
    let details = metadata.get_bin(DETAILS).and_then(|value| value.to_bytes().ok()).unwrap_or_default();
    metadata.remove_bin(DETAILS);
    for name in [Status::GRPC_STATUS, Status::GRPC_MESSAGE] {
        metadata.as_mut().remove(name);
    }
    let code: Code = cause.code();
    cause.on(Status::with_details_and_metadata(code, message, details, metadata))
}

/// What is wrong with the messages of an answer.
pub fn cause(wrong: &Wrong<Status>) -> Cause {
    Cause::Broken(match wrong {
        Wrong::Failed(status) => return Cause::of(status),
        Wrong::Missing => Broken::NoMessage,
        Wrong::Second => Broken::TwoMessages,
        Wrong::CutShort => Broken::CutShort,
        Wrong::Compressed => Broken::Compressed,
        Wrong::BadFlag => Broken::BadFrame,
        Wrong::TooLarge => Broken::TooLarge,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use tonic::body::Body as TonicBody;

    use super::*;

    const MESSAGE: &[u8] = b"\0\0\0\0\x02hi";

    /// An answer; what follows `|` among the headers is trailers.
    fn answer(status: u16, headers: &[(&str, &str)], data: &'static [u8]) -> Response<TonicBody> {
        let at = headers.iter().position(|(name, _)| *name == "|").unwrap_or(headers.len());
        let map = |pairs: &[(&str, &str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
        };
        let mut frames = vec![Ok::<_, Status>(Frame::data(Bytes::from_static(data)))];
        frames.extend(headers.get(at + 1..).map(|trailers| Ok(Frame::trailers(map(trailers)))));
        let ends = data.is_empty() && at == headers.len();
        let body = || TonicBody::new(StreamBody::new(futures_util::stream::iter(frames)));
        let mut answer = Response::new(if ends { TonicBody::empty() } else { body() });
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        *answer.headers_mut() = map(&headers[..at]);
        answer
    }

    async fn checked(status: u16, headers: &[(&str, &str)], data: &'static [u8]) -> Result<Bytes, Status> {
        let answer = whole(answer(status, headers, data), 64, Encoding::Identity).await?;
        Ok(answer.into_body().collect().await.unwrap().to_bytes())
    }

    async fn caused(status: u16, headers: &[(&str, &str)], data: &'static [u8]) -> Cause {
        Cause::of(&checked(status, headers, data).await.unwrap_err())
    }

    const GRPC: (&str, &str) = ("content-type", "application/grpc");
    const HTML: (&str, &str) = ("content-type", "text/html");
    const THEN: (&str, &str) = ("|", "");
    const OK: (&str, &str) = ("grpc-status", "0");

    #[tokio::test]
    async fn takes_a_whole_answer() {
        assert_eq!(checked(200, &[GRPC, THEN, OK], MESSAGE).await.unwrap(), MESSAGE);
        let named = [GRPC, ("grpc-encoding", "gzip"), THEN, OK];
        let answer = whole(answer(200, &named, MESSAGE), 64, Encoding::Identity).await.unwrap();
        assert_eq!((answer.headers().get(GRPC_ENCODING), answer.headers().get(Status::GRPC_STATUS)), (None, None));
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()[Status::GRPC_STATUS], "0");
    }

    #[tokio::test]
    async fn believes_the_status_before_http() {
        let unavailable = ("grpc-status", "14");
        assert_eq!(caused(503, &[GRPC, unavailable], b"").await, Cause::Answered(14));
        assert_eq!(caused(500, &[HTML, unavailable], b"").await, Cause::Answered(14));
        assert_eq!(caused(503, &[GRPC, THEN, unavailable], MESSAGE).await, Cause::Answered(14));
        assert_eq!(checked(503, &[GRPC, THEN, OK], MESSAGE).await.unwrap(), MESSAGE);
    }

    #[tokio::test]
    async fn believes_headers_only_where_they_end_the_stream() {
        let unavailable = ("grpc-status", "14");
        for early in [OK, unavailable, ("grpc-status", "abc")] {
            assert_eq!(caused(200, &[GRPC, early, THEN, ("grpc-status", "5")], MESSAGE).await, Cause::Answered(5));
            assert_eq!(caused(200, &[GRPC, early], MESSAGE).await, Cause::Broken(Broken::NoStatus));
            assert_eq!(caused(503, &[HTML, early], b"<html>").await, Cause::Http(503));
            assert_eq!(checked(200, &[GRPC, early, THEN, OK], MESSAGE).await.unwrap(), MESSAGE);
            let streamed = head(answer(200, &[GRPC, early, THEN, OK], MESSAGE)).unwrap();
            assert_eq!(streamed.headers().get(Status::GRPC_STATUS), None);
        }
        let streamed = head(answer(200, &[GRPC, unavailable], b"")).unwrap_err();
        assert_eq!(Cause::of(&streamed), Cause::Answered(14));
    }

    #[tokio::test]
    async fn tells_what_is_not_grpc_by_its_http_status() {
        assert_eq!(caused(503, &[HTML], b"<html>").await, Cause::Http(503));
        assert_eq!(caused(200, &[HTML, THEN, OK], MESSAGE).await, Cause::Http(200));
        assert_eq!(caused(200, &[THEN, OK], MESSAGE).await, Cause::Http(200));
        assert_eq!(caused(503, &[GRPC], MESSAGE).await, Cause::Http(503));
    }

    #[tokio::test]
    async fn tells_a_missing_status_from_one_that_is_none() {
        assert_eq!(caused(200, &[GRPC], MESSAGE).await, Cause::Broken(Broken::NoStatus));
        assert_eq!(caused(200, &[GRPC, THEN, GRPC], MESSAGE).await, Cause::Broken(Broken::NoStatus));
        for status in ["abc", "", "-1", "+1", "1.0", " 1", "9999999999"] {
            for headers in [&[GRPC, ("grpc-status", status)][..], &[GRPC, THEN, ("grpc-status", status)]] {
                assert_eq!(caused(200, headers, b"").await, Cause::Broken(Broken::BadStatus), "{status:?}");
            }
        }
        assert_eq!(caused(200, &[GRPC, THEN, OK, OK], MESSAGE).await, Cause::Broken(Broken::BadStatus));
        assert_eq!(caused(200, &[GRPC, THEN, ("grpc-status", "99")], b"").await, Cause::Answered(99));
        assert_eq!(caused(200, &[GRPC, THEN, ("grpc-status", "999999999")], b"").await, Cause::Answered(999_999_999));
    }

    #[tokio::test]
    async fn takes_exactly_one_message() {
        for (data, how) in [
            (&b""[..], Broken::NoMessage),
            (b"\0\0\0\0\x01a\0\0\0\0\x01b", Broken::TwoMessages),
            (b"\0\0\0\0\x05half", Broken::CutShort),
            (b"\x01\0\0\0\0", Broken::Compressed),
            (b"\x07\0\0\0\0", Broken::BadFrame),
            (b"\0\0\0\0\x41", Broken::TooLarge),
        ] {
            assert_eq!(caused(200, &[GRPC, THEN, OK], data).await, Cause::Broken(how), "{data:?}");
        }
        assert_eq!(caused(200, &[GRPC, OK], b"").await, Cause::Broken(Broken::NoMessage));
        // A failure needs no message, and may cut one short.
        assert_eq!(caused(200, &[GRPC, THEN, ("grpc-status", "5")], b"\0\0\0\0\x05half").await, Cause::Answered(5));
    }

    #[tokio::test]
    async fn keeps_the_code_and_drops_what_cannot_be_read() {
        let failed = |message, details| async move {
            let trailers =
                [GRPC, THEN, ("grpc-status", "5"), ("grpc-message", message), (DETAILS, details), ("a", "b")];
            let status = checked(200, &trailers, b"").await.unwrap_err();
            assert_eq!((status.code(), status.metadata().len()), (Code::NotFound, 2), "{status:?}");
            (status.message().to_owned(), status.details().to_vec())
        };
        assert_eq!(failed("no%20such", "aGk=").await, ("no such".into(), b"hi".into()));
        assert_eq!(failed("caf%E9 not found", "aGk").await, ("caf\u{fffd} not found".into(), b"hi".into()));
        assert_eq!(failed("100%", "!!!").await, ("100%".into(), Vec::new()));
    }

    #[tokio::test]
    async fn drops_the_details_of_ok_which_tonic_would_panic_at() {
        for headers in [&[GRPC, (DETAILS, "!!!"), THEN, OK][..], &[GRPC, THEN, OK, (DETAILS, "!!!")]] {
            let checked = whole(answer(200, headers, MESSAGE), 64, Encoding::Identity).await.unwrap();
            assert_eq!(checked.headers().get(DETAILS), None);
            let trailers = checked.into_body().collect().await.unwrap().trailers().cloned().unwrap();
            let status = Status::from_header_map(&trailers).unwrap();
            assert_eq!((status.code(), status.details()), (Code::Ok, &b""[..]));
        }
    }

    #[tokio::test]
    async fn reads_a_body_that_ends_early_by_the_error_it_ends_with() {
        let frames = [Err::<Frame<Bytes>, Status>(Cause::ConnectionLost("reset").into())];
        let mut answer = Response::new(TonicBody::new(StreamBody::new(futures_util::stream::iter(frames))));
        answer.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        let status = whole(answer, 64, Encoding::Identity).await.unwrap_err();
        assert_eq!(Cause::of(&status), Cause::ConnectionLost("reset"));
    }
}
