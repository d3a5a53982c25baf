use futures_util::stream;
use h2::Reason;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::sleep,
};

use super::{
    super::{
        io::STALLED,
        lent::{EndsRequest, Lent},
        seen::NOT_HTTP2,
    },
    *,
};
use crate::frames::{DATA, END_STREAM, GOAWAY, SETTINGS};

const SETTINGS_FRAME: [u8; 9] = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];

/// Opens a connection to a peer that `acts` on its end of the wire, and tells what became of it.
async fn open<Fut: Future<Output = DuplexStream>>(acts: impl FnOnce(DuplexStream) -> Fut) -> Result<(), Cause> {
    let (client, peer) = duplex(64 * 1024);
    let (opened, _peer) =
        tokio::join!(timeout(Duration::from_secs(1), Connection::over(client, Opening::for_tests())), acts(peer));
    opened.unwrap_or(Err(Cause::Timeout)).map(|_| ())
}

async fn says(mut peer: DuplexStream, bytes: &[u8]) -> DuplexStream {
    peer.write_all(bytes).await.unwrap();
    peer
}

#[tokio::test(start_paused = true)]
async fn is_connected_once_the_peers_settings_are_there() {
    assert_eq!(open(|peer| says(peer, &SETTINGS_FRAME)).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn is_not_connected_to_a_peer_that_accepts_and_says_nothing() {
    assert_eq!(open(|peer| says(peer, b"")).await, Err(Cause::Timeout));
}

#[tokio::test(start_paused = true)]
async fn tells_a_peer_that_is_no_grpc_server_from_one_that_is_not_there() {
    let http1 = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    let tls_alert = [0x15, 3, 1, 0, 2, 2, 0x46];
    let ack = [0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];
    for bytes in [&http1[..], b"H", &tls_alert, &ack, b"\0garbage and more of it"] {
        assert_eq!(open(|peer| says(peer, bytes)).await, Err(NOT_HTTP2), "{bytes:?}");
    }
    let closes = |peer| async {
        drop(peer);
        duplex(1).0
    };
    assert_eq!(open(closes).await, Err(Cause::Unreachable("closed")));
}

#[tokio::test(start_paused = true)]
async fn is_gone_when_the_peer_goes_away_and_when_it_closes() {
    let goaway = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for bytes in [&goaway[..], &[]] {
        let (client, mut peer) = duplex(64 * 1024);
        peer.write_all(&SETTINGS_FRAME).await.unwrap();
        let connection = Connection::over(client, Opening::for_tests()).await.unwrap();
        assert!(timeout(Duration::from_secs(1), connection.gone()).await.is_err(), "gone too early");
        peer.write_all(bytes).await.unwrap();
        let _open = (!bytes.is_empty()).then_some(peer);
        timeout(Duration::from_secs(1), connection.gone()).await.expect("gone");
    }
}

#[tokio::test(start_paused = true)]
async fn is_gone_when_the_peer_takes_no_byte_for_as_long_as_keepalive_would_wait() {
    // As much as it takes until the preface is sent, and less than what follows.
    let (client, mut peer) = duplex(32);
    peer.write_all(&SETTINGS_FRAME).await.unwrap();
    let connection = Connection::over(client, Opening::for_tests()).await.unwrap();
    assert!(timeout(STALLED - Duration::from_millis(10), connection.gone()).await.is_err(), "gone too early");
    timeout(Duration::from_millis(20), connection.gone()).await.expect("gone");
    assert_eq!(connection.seen().end.get(), Some(&Cause::ConnectionLost("no answer to keepalive")));
}

#[tokio::test(start_paused = true)]
async fn has_failed_where_the_peer_answers_what_nobody_has_asked_and_goes() {
    for stream in [0, 1] {
        let (client, mut peer) = duplex(64 * 1024);
        peer.write_all(&SETTINGS_FRAME).await.unwrap();
        let connection = Connection::over(client, Opening::for_tests()).await.unwrap();
        peer.write_all(&[0, 0, 0, DATA, END_STREAM, 0, 0, 0, stream]).await.unwrap();
        drop(peer);
        connection.gone().await;
        assert_eq!(connection.was(), Gone::Failed, "stream {stream}");
    }
}

/// A peer that answers no call, and each PING after this time.
async fn answers_pings_after(mut peer: DuplexStream, late: Duration) {
    const PING: u8 = 6;
    const ACK: u8 = 1;
    peer.write_all(&SETTINGS_FRAME).await.unwrap();
    peer.read_exact(&mut [0; 24]).await.unwrap();
    let mut head = [0; 9];
    while peer.read_exact(&mut head).await.is_ok() {
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        peer.read_exact(&mut payload).await.unwrap();
        if (head[3], head[4]) == (PING, 0) {
            sleep(late).await;
            head[4] = ACK;
            // A connection that has been given up takes nothing.
            let _ = peer.write_all(&[&head[..], &payload].concat()).await;
        }
    }
}

/// What becomes of a call within a minute, with a PING every 10 s.
async fn called(late: Duration) -> Option<Cause> {
    let (client, peer) = duplex(64 * 1024);
    tokio::spawn(answers_pings_after(peer, late));
    let keepalive = Some(Keepalive::every(Duration::from_secs(10)));
    let connection = Connection::over(client, Opening { keepalive, ..Opening::for_tests() }).await.unwrap();
    let request = Request::post("/x.Y/Z").body(()).unwrap();
    let answer = timeout(Duration::from_secs(60), connection.send(request, Outbound::Message(Bytes::new()))).await;
    answer.ok().map(|answer| answer.map(drop).unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn is_kept_where_the_peer_answers_pings_late_and_lost_where_it_is_too_late() {
    assert_eq!(called(Duration::from_millis(2900)).await, None);
    let lost = Cause::ConnectionLost("no answer to keepalive");
    assert_eq!(called(Duration::from_millis(3100)).await, Some(lost));
}

#[tokio::test(start_paused = true)]
async fn tells_the_peer_that_a_call_is_given_up_also_while_its_request_waits_for_the_window() {
    let (client, server) = duplex(64 * 1024);
    let peer = tokio::spawn(async move {
        let mut server = h2::server::Builder::new().initial_window_size(0).handshake::<_, Bytes>(server).await.unwrap();
        let (request, mut respond) = server.accept().await.unwrap().unwrap();
        let _answer = respond.send_response(Response::new(()), false).unwrap();
        tokio::spawn(async move { while server.accept().await.is_some() {} });
        request.into_body().data().await.unwrap().unwrap_err().reason()
    });
    let connection = Connection::over(client, Opening::for_tests()).await.unwrap();
    let messages = stream::iter([Ok::<_, tonic::Status>(Frame::data(Bytes::from_static(b"waits")))]);
    let lent = Lent::new(tonic::body::Body::new(StreamBody::new(messages)));
    let ends = EndsRequest::new(Some(lent.clone()));
    let request = Request::post("/x.Y/Z").body(()).unwrap();
    let answer = connection.send(request, Outbound::Stream(lent)).await.unwrap();
    drop((answer, ends));
    let told = timeout(Duration::from_secs(1), peer).await.expect("at once").unwrap();
    assert_eq!(told, Some(Reason::CANCEL));
}
