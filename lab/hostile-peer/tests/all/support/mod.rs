//! A caller that sees everything.

use std::{pin::pin, time::Duration};

use h2::client::{self, SendRequest};
use http::{HeaderMap, HeaderName, Request};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

/// A gRPC message as `EchoRequest { msg: "hello" }` has it.
pub const HELLO: &[u8] = b"\0\0\0\0\x07\x0a\x05hello";

/// The healthy answer.
pub const HEALTHY: &str = "200 application/grpc · echo · grpc-status=0";

/// Longer than anything but a stall takes.
const NEVER: Duration = Duration::from_secs(100);

/// Connects, makes a call, and tells what it sees of it.
pub async fn seen(io: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let connecting = client::Builder::new().max_header_list_size(1 << 20).handshake(io);
    let (mut sender, connection) = match patient(connecting).await {
        Ok(connected) => connected,
        Err(end) => return end,
    };
    let mut call = pin!(ask(&mut sender, HELLO));
    // The connection does the work, and the call tells of its end.
    tokio::select! {
        biased;
        seen = &mut call => return seen,
        _ = connection => {}
    }
    call.await
}

/// Makes a call with that message, and tells what it sees of it, part by part.
pub async fn ask(sender: &mut SendRequest<&'static [u8]>, message: &'static [u8]) -> String {
    let mut seen = Vec::new();
    let request = Request::post("http://peer/echo.v1.EchoService/Echo").body(()).unwrap();
    let end = match sender.send_request(request, false) {
        Ok((response, mut body)) => match body.send_data(message, true) {
            Ok(()) => see(response, 5 * message.len(), &mut seen).await,
            Err(error) => Err(what(&error)),
        },
        Err(error) => Err(what(&error)),
    };
    seen.extend(end.err());
    seen.join(" · ")
}

/// The parts of an answer, as they come.
async fn see(response: client::ResponseFuture, enough: usize, seen: &mut Vec<String>) -> Result<(), String> {
    let (head, mut body) = patient(response).await?.into_parts();
    seen.push(format!("{} {}", head.status.as_u16(), fields(&head.headers)).trim_end().to_owned());
    let mut data = Vec::new();
    let end = loop {
        match patient(async { body.data().await.transpose() }).await {
            Ok(Some(part)) if data.len() < enough => {
                body.flow_control().release_capacity(part.len()).unwrap();
                data.extend_from_slice(&part);
            }
            Ok(Some(_)) => break Err("and so on".into()),
            Ok(None) => break Ok(()),
            Err(end) => break Err(end),
        }
    };
    if !data.is_empty() {
        seen.push(shown(&data));
    }
    end?;
    let trailers = patient(body.trailers()).await?;
    seen.extend(trailers.map(|trailers| fields(&trailers)));
    Ok(())
}

/// Waits for this part, but not for ever.
async fn patient<T>(part: impl Future<Output = Result<T, h2::Error>>) -> Result<T, String> {
    timeout(NEVER, part).await.map_err(|_| "stall".to_owned())?.map_err(|error| what(&error))
}

/// Bytes as text; a long tail of x is cut.
fn shown(data: &[u8]) -> String {
    let text = data.escape_ascii().to_string();
    match data.strip_prefix(HELLO) {
        _ if data.len() > 10_000 => format!("{} bytes", data.len()),
        Some([]) => "echo".into(),
        Some(more) => format!("echo {}", shown(more)),
        None if text.starts_with('<') => "html".into(),
        None if text.ends_with("xxx") => text.trim_end_matches('x').to_owned() + "xxx",
        None => text,
    }
}

/// Every field; the content-type without its name, and of a long one how long it is.
fn fields(fields: &HeaderMap) -> String {
    let field = |name: &HeaderName| {
        let values: Vec<_> =
            fields.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        let value = values.join(",");
        let length = values.iter().map(|value| value.len()).sum();
        match (name.as_str(), length) {
            ("content-type", _) => value,
            (name, 100..) => format!("{name}={length} bytes"),
            (name, _) => format!("{name}={value}"),
        }
    };
    fields.keys().map(field).collect::<Vec<_>>().join(" ")
}

fn what(error: &h2::Error) -> String {
    match error.reason().map(u32::from) {
        Some(reason) if error.is_go_away() => format!("GOAWAY {reason}"),
        Some(reason) => format!("RST {reason}"),
        None => "lost".into(),
    }
}
