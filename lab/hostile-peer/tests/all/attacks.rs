//! The half that calls, before servers whose every byte is known: what it sends, what it leaves unsaid, and what it sees.

use std::{future::Future, io, time::Duration};

use bytes::Bytes;
use hostile_peer::client::{Attack, End, Reaction, Target, attacks};
use http::{HeaderMap, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SOON: Duration = Duration::from_secs(5);
/// Long enough for what is written at once to arrive.
const A_MOMENT: Duration = Duration::from_millis(200);
const PREFACE: usize = 24;

const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
const SETTINGS_ACK: &[u8] = b"\0\0\0\x04\x01\0\0\0\0";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0pingping";
const PING_ACK: &[u8] = b"\0\0\x08\x06\x01\0\0\0\0pingping";
/// Last stream 0, ENHANCE_YOUR_CALM.
const GOAWAY: &[u8] = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b";

/// Attacks a listener whose first connection `server` takes; the reaction, of which `within` is waited for, and what `server` gave.
async fn before<T>(name: &str, within: Duration, server: impl AsyncFnOnce(TcpStream) -> T) -> (Reaction, T) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::new(listener.local_addr().unwrap(), "/echo.v1.EchoService/Echo", "/echo");
    let attack: Attack = name.parse().unwrap();
    let attacked = async { attack.run_for(&target, within).await.unwrap() };
    let served = async { server(listener.accept().await.unwrap().0).await };
    tokio::join!(attacked, served)
}

/// Says these, and records everything until the client closes.
fn says(words: &'static [&'static [u8]]) -> impl AsyncFnOnce(TcpStream) -> Vec<u8> {
    async move |mut stream| {
        stream.write_all(&words.concat()).await.unwrap();
        let mut heard = Vec::new();
        // A client that closes while something is unread resets the connection.
        let _ = stream.read_to_end(&mut heard).await;
        heard
    }
}

fn holds(heard: &[u8], part: &[u8]) -> bool {
    heard.windows(part.len()).any(|window| window == part)
}

/// An answer of a server whose library writes header blocks short.
async fn answers(stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let response =
            Response::builder().header("content-type", "application/grpc").header("x-long", r#"{"a": [1, 2]}~"#);
        let mut body = respond.send_response(response.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from_static(b"\0\0\0\0\x02hi"), false).unwrap();
        let trailers = [("grpc-status", "0"), ("grpc-message", "caf%C3%A9")];
        let trailers = trailers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        body.send_trailers(HeaderMap::from_iter(trailers)).unwrap();
    }
}

#[tokio::test]
async fn sees_the_answer_and_that_the_connection_serves_on() {
    let (seen, ()) = before("good-call", SOON, answers).await;
    let answer = seen.answer.clone().unwrap();
    assert!(answer.is_good() && seen.serves_on == Some(true) && seen.end.is_none(), "{seen}");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"\0\0\0\0\x02hi"[..]));
    for (name, value) in
        [("content-type", "application/grpc"), ("x-long", r#"{"a": [1, 2]}~"#), ("grpc-message", "caf%C3%A9")]
    {
        assert_eq!(answer.field(name), Some(value));
    }
    assert!(seen.to_string().starts_with("HTTP 200 · grpc-status 0 · serves on · "), "{seen}");
}

#[tokio::test]
async fn does_right_what_its_script_does_not_speak_of() {
    let (_, heard) = before("window-0", A_MOMENT, says(&[SETTINGS, PING])).await;
    assert!(heard.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    assert!(holds(&heard, SETTINGS_ACK) && holds(&heard, PING_ACK), "{heard:?}");
}

#[tokio::test]
async fn leaves_pings_unanswered_and_headers_unfinished_where_that_is_the_attack() {
    for name in ["vanished", "unfinished-headers", "half-a-data-frame"] {
        let (seen, heard) = before(name, A_MOMENT, async |mut stream: TcpStream| {
            stream.write_all(SETTINGS).await.unwrap();
            let mut heard = vec![0; PREFACE + 2 * SETTINGS.len() + 9];
            // What the attack is about has begun: from now on it says nothing else.
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(PING).await.unwrap();
            let _ = stream.read_to_end(&mut heard).await;
            heard
        })
        .await;
        assert!(holds(&heard, SETTINGS_ACK) && !holds(&heard, PING_ACK), "{name}: {heard:?}");
        assert_eq!((seen.end, seen.connection().as_str()), (None, "open"), "{name}");
    }
}

#[tokio::test]
async fn says_nothing_at_all_to_a_server_that_greets_first() {
    for (name, length) in [("silent", 0), ("half-preface", 12), ("preface-without-settings", PREFACE)] {
        let (_, heard) = before(name, A_MOMENT, says(&[SETTINGS])).await;
        assert_eq!(heard.len(), length, "{name}");
    }
}

#[tokio::test]
async fn tells_how_a_connection_ends() {
    let goaway = async |mut stream: TcpStream| {
        stream.write_all(&[SETTINGS, GOAWAY].concat()).await.unwrap();
        stream.shutdown().await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap()
    };
    let (seen, _) = before("hpack-garbage", SOON, goaway).await;
    assert_eq!((seen.end, seen.goaway_name().as_deref()), (Some(End::Closed), Some("ENHANCE_YOUR_CALM")));
    assert_eq!(seen.connection(), "GOAWAY ENHANCE_YOUR_CALM · closed");

    // Closing with something unread.
    let (seen, ()) =
        before("unknown-frame-flood", SOON, async |stream: TcpStream| stream.readable().await.unwrap()).await;
    assert!(seen.end.is_some() && seen.goaway.is_none(), "{seen}");
}

#[tokio::test]
async fn floods_until_the_server_has_enough_or_the_bound_is_reached() {
    let (seen, heard) = before("ping-flood", A_MOMENT, says(&[SETTINGS])).await;
    assert_eq!((seen.sent, seen.end), (Some(100_000), None));
    assert!(heard.len() > 100_000 * 17, "{}", heard.len());

    let (seen, _) = before("ping-flood", A_MOMENT, async |mut stream: TcpStream| {
        stream.write_all(SETTINGS).await.unwrap();
        let mut heard = vec![0; 100 * 17];
        stream.read_exact(&mut heard).await.unwrap();
        stream.write_all(GOAWAY).await.unwrap();
        stream.read_to_end(&mut heard).await.unwrap()
    })
    .await;
    assert!(seen.sent.unwrap() < 100_000 && seen.connection().contains("GOAWAY ENHANCE_YOUR_CALM"), "{seen}");
}

#[tokio::test]
async fn reads_one_answer_of_http_1_after_the_other() {
    let answered = async |mut stream: TcpStream| {
        let mut heard = vec![0; 4096];
        let mut length = stream.read(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nX-Way: out\r\n\r\nno").await.unwrap();
        length += stream.read(&mut heard[length..]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await.unwrap();
        String::from_utf8(heard[..length].to_vec()).unwrap()
    };
    let (seen, heard) = before("http1-unknown-path", SOON, answered).await;
    let answer = seen.answer.clone().unwrap();
    assert_eq!((answer.status, answer.field("x-way"), seen.serves_on), (404, Some("out"), Some(true)), "{seen}");
    let lines: Vec<&str> = heard.lines().filter(|line| line.starts_with("GET ")).collect();
    assert_eq!(lines, ["GET /no-such-path HTTP/1.1", "GET /echo?msg=hello HTTP/1.1"]);
}

#[tokio::test]
async fn takes_no_bad_answer_for_serving_on() {
    let fails = async |mut stream: TcpStream| {
        let mut heard = [0; 4096];
        for answer in ["404 Not Found", "500 Internal Server Error"] {
            assert!(stream.read(&mut heard).await.unwrap() > 0);
            stream.write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes()).await.unwrap();
        }
        stream.read(&mut heard).await.unwrap()
    };
    let (seen, _) = before("http1-unknown-path", SOON, fails).await;
    assert_eq!((seen.serves_on, seen.connection().as_str()), (Some(false), "open, and serves no more"));
}

#[tokio::test]
async fn reads_nothing_where_that_is_the_attack() {
    let (_, stuck) = before("http1-never-reads", 5 * A_MOMENT, async |stream: TcpStream| {
        let (mut reader, mut writer) = stream.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
        // Far more than two small buffers hold, and no work for somebody who reads.
        tokio::time::timeout(3 * A_MOMENT, writer.write_all(&vec![b'x'; 1 << 20])).await.is_err()
    })
    .await;
    assert!(stuck);
}

#[tokio::test]
async fn finds_out_that_it_is_gone_also_where_it_reads_nothing() {
    let (seen, ()) =
        before("http1-never-reads", SOON, async |stream: TcpStream| stream.readable().await.unwrap()).await;
    assert_eq!(seen.end, Some(End::Reset));
    assert!(seen.took < SOON, "{seen}");
}

/// Serves connections up to a number of them at once, and closes each one more at once.
async fn lets_in(limit: usize, listener: TcpListener) -> io::Result<()> {
    let mut served = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(_) = served.join_next() => {}
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                if served.len() < limit {
                    served.spawn(answers(stream));
                }
            }
        }
    }
}

#[tokio::test]
async fn comes_again_when_one_of_the_connections_before_it_has_gone() {
    for (limit, closed) in [(3, true), (4, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::new(listener.local_addr().unwrap(), "/echo.v1.EchoService/Echo", "/echo");
        let attack: Attack = "one-connection-over-3".parse().unwrap();
        let seen = raced(attack.run_for(&target, A_MOMENT), lets_in(limit, listener)).await;
        assert_eq!((seen.end.is_some(), seen.serves_on), (closed, Some(true)), "{seen}");
    }
}

async fn raced(
    attack: impl Future<Output = io::Result<Reaction>>,
    server: impl Future<Output = io::Result<()>>,
) -> Reaction {
    tokio::select! {
        seen = attack => seen.unwrap(),
        ended = server => panic!("the server ended: {ended:?}"),
    }
}

#[test]
fn lists_every_attack_once_in_a_table_that_fits_110_columns() {
    let mut names: Vec<String> = attacks().iter().map(Attack::name).collect();
    for attack in attacks() {
        assert_eq!(attack.name().parse::<Attack>().unwrap().does(), attack.does());
        assert!(attack.name().len() <= 30 && attack.does().len() <= 80, "{}: {}", attack.name(), attack.does());
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!("ping".parse::<Attack>().unwrap_err().to_string(), "no attack 'ping'");
    assert_eq!("silnt".parse::<Attack>().unwrap_err().to_string(), "no attack 'silnt'; did you mean 'silent'?");
}
