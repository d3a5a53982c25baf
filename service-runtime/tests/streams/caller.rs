//! Callers: the one that tonic generates, and one that writes its own frames of gRPC into streams of h2.

use std::{net::SocketAddr, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream, SendStream,
    client::{ResponseFuture, SendRequest},
};
use http::{HeaderMap, Request};
use prost::Message as _;
use service_runtime::origin::Origin;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};

use crate::generated::{Item, streams_client::StreamsClient};

/// A window of HTTP/2 where no SETTINGS change it, in bytes. Source: RFC 9113, 6.9.2.
pub const DEFAULT_WINDOW: u32 = 65_535;

/// What takes longer than this does not come, and its test fails instead of waiting for ever.
const LONGEST: Duration = Duration::from_secs(20);

/// What `future` comes to.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(LONGEST, future).await.expect("it comes within 20 s")
}

/// The caller that tonic generates.
pub async fn client(address: SocketAddr) -> StreamsClient<Channel> {
    StreamsClient::new(Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap())
}

/// The code and the reason of a failure.
pub fn said(status: &Status) -> (Code, String) {
    (status.code(), Origin::of(status).map(|origin| origin.reason).unwrap_or_default())
}

/// An item with gRPC's frame header before it.
pub fn item(content: impl Into<Vec<u8>>) -> Bytes {
    frame(0, &Item { content: content.into() }.encode_to_vec())
}

/// Any bytes with gRPC's frame header before them. `flag` is 1 where they are compressed.
pub fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// Time for the server to do more, if it would: round trips on a connection of its own, each of which takes several turns of the
/// runtime that the test and the server share.
pub async fn turns(connection: &Connection) {
    for _ in 0..30 {
        assert_eq!(connection.echo("").await.unwrap().status.code(), Code::Ok);
    }
}

/// A connection.
pub struct Connection {
    requests: SendRequest<Bytes>,
    /// Resolves once the connection is over.
    pub over: JoinHandle<Result<(), h2::Error>>,
}

impl Connection {
    /// Each stream may bring this many bytes, in `window`, before its caller reads on.
    pub async fn open(address: SocketAddr, window: u32) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(1 << 24);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        Connection { requests, over: tokio::spawn(connection) }
    }

    /// A call to a method, with more headers. Its messages follow.
    pub async fn call(&self, method: &str, headers: &[(&str, &str)]) -> Result<Call, h2::Error> {
        let mut request = Request::post(format!("http://x/streams.v1.Streams/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut requests = self.requests.clone().ready().await?;
        let (answer, items) = requests.send_request(request.body(()).unwrap(), false)?;
        Ok(Call { items, answer })
    }

    /// A call of `Download`, whose one message is sent.
    pub async fn download(&self, headers: &[(&str, &str)]) -> Call {
        let mut call = self.call("Download", headers).await.unwrap();
        call.items.send_data(item(""), true).unwrap();
        call
    }

    /// A unary call. Errors: the connection does not take it.
    pub async fn echo(&self, content: &str) -> Result<Answer, h2::Error> {
        let mut call = self.call("Echo", &[]).await?;
        call.items.send_data(item(content), true)?;
        call.answer().await
    }
}

/// A call under way.
pub struct Call {
    pub items: SendStream<Bytes>,
    answer: ResponseFuture,
}

/// An answer to its end.
pub struct Answer {
    pub headers: HeaderMap,
    /// The frames of gRPC, one after the other.
    pub body: Bytes,
    pub status: Status,
}

impl Call {
    /// The begin of the answer, and its body.
    pub async fn begun(self) -> (SendStream<Bytes>, Stream) {
        let (head, body) = soon(self.answer).await.unwrap().into_parts();
        (self.items, Stream { headers: head.headers, body })
    }

    /// The whole answer. Errors: it is cut.
    pub async fn answer(self) -> Result<Answer, h2::Error> {
        soon(async {
            let (head, body) = self.answer.await?.into_parts();
            Stream { headers: head.headers, body }.rest().await
        })
        .await
    }
}

/// The answer from its headers on.
pub struct Stream {
    pub headers: HeaderMap,
    body: RecvStream,
}

impl Stream {
    /// What came next, read.
    pub async fn next(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let data = soon(self.body.data()).await?;
        if let Ok(data) = &data {
            self.body.flow_control().release_capacity(data.len()).unwrap();
        }
        Some(data)
    }

    /// All that comes. Errors: it is cut.
    pub async fn rest(mut self) -> Result<Answer, h2::Error> {
        let mut body = BytesMut::new();
        while let Some(data) = self.next().await {
            body.extend_from_slice(&data?);
        }
        let trailers = self.body.trailers().await?;
        let status = Status::from_header_map(trailers.as_ref().unwrap_or(&self.headers)).unwrap();
        Ok(Answer { headers: self.headers, body: body.freeze(), status })
    }
}
