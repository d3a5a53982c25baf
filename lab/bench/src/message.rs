//! Calls as bytes: a gRPC frame with one text in it, and what comes back.

use anyhow::{Context as _, bail, ensure};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::{RecvStream, client::SendRequest};
use http::{HeaderMap, Request, header::CONTENT_TYPE};

/// A's method.
pub const ECHO: &str = "/echo.v1.EchoService/Echo";
/// B's method.
pub const CALL_ECHO: &str = "/echo.v1.CallEchoService/CallEcho";

/// A frame whose message has a text of `size` bytes as its first field.
pub fn of_size(size: usize) -> Bytes {
    let mut body = BytesMut::with_capacity(size + 8);
    body.put_u8(0x0a);
    put_varint(&mut body, size);
    body.put_bytes(b'x', size);
    framed(&body)
}

/// The message in gRPC's frame: not compressed, its length, its bytes.
pub fn framed(body: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(body.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    frame.put_slice(body);
    frame.freeze()
}

/// A length as protobuf writes it.
pub fn put_varint(into: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        into.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.put_u8(value as u8);
}

/// The head of a call; `timeout` is a `grpc-timeout`.
pub fn head(path: &str, timeout: Option<&str>) -> anyhow::Result<Request<()>> {
    let head = Request::post(format!("http://127.0.0.1{path}")).header("te", "trailers");
    let head = head.header(CONTENT_TYPE, "application/grpc");
    let head = match timeout {
        Some(timeout) => head.header("grpc-timeout", timeout),
        None => head,
    };
    Ok(head.body(())?)
}

/// Makes a call and gives the answer's frame. Errors: whatever is not an OK with a message.
pub async fn call(
    requests: SendRequest<Bytes>,
    path: &str,
    frame: Bytes,
    timeout: Option<&str>,
) -> anyhow::Result<Bytes> {
    let (answer, mut body) = requests.ready().await?.send_request(head(path, timeout)?, false)?;
    body.send_data(frame, true)?;
    let (head, body) = answer.await?.into_parts();
    let (message, trailers) = read(body).await?;
    let status = trailers.get("grpc-status").or(head.headers.get("grpc-status")).context("no grpc-status")?;
    if status != "0" {
        bail!("a call came to grpc-status {status:?}: {:?} {:?}", head.headers, trailers);
    }
    ensure!(message.len() > 5, "an answer without a message");
    Ok(message)
}

/// All of a body, and its trailers.
pub async fn read(mut body: RecvStream) -> anyhow::Result<(Bytes, HeaderMap)> {
    let mut whole: Option<Bytes> = None;
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        // Most messages come in one frame, and need no copy.
        whole = Some(match whole {
            Some(before) => [before, part].concat().into(),
            None => part,
        });
    }
    Ok((whole.unwrap_or_default(), body.trailers().await?.unwrap_or_default()))
}
