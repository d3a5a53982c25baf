//! The JSON face of a stranger's service: what `GET /` says, and which pages of other origins may read its answers.

use std::collections::BTreeMap;

use http::{Request, StatusCode};
use service_runtime::{Server, ServerConfig, json::Route};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    log::line_with,
    scripted::{Receipt, Running, config, line, server, start},
};

fn routes() -> [Route; 2] {
    let say = |query: &service_runtime::json::Query| {
        let mut said = line(&query.text("text"));
        said.name = query.text("name");
        said
    };
    let dictate = Route::get("/bare", "/chat.v1.Chat/Say", |_| line(""), |reply: Receipt| reply.lines.into());
    [Route::get("/say", "/chat.v1.Chat/Say", say, |reply: Receipt| reply.lines.into()), dictate]
}

fn with_json() -> Server {
    server(config(|_| {})).json(routes())
}

/// The whole answer to a request without a body.
async fn ask(running: &Running, request: &str, headers: &[(&str, &str)]) -> String {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{request} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn says_at_its_root_which_paths_there_are() {
    let running = start!(with_json());
    let answer = ask(&running, "GET /", &[("x-request-id", "the-root")]).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\ncontent-type: application/json\r\n") && answer.contains("served-by: chatter/1\r\n"));
    let listing = "{\"service\":\"chatter\",\"paths\":[\"/say?text=…&name=…\",\"/bare\"]}\n";
    assert!(answer.ends_with(&format!("\r\n\r\n{listing}")), "{answer}");
    let line = line_with("the-root").await;
    assert!(line.starts_with("INFO endpoint=\"/\" status=\"ok\"") && line.contains("http=200"), "{line}");
    let head = ask(&running, "HEAD /?x=y", &[]).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains(&format!("content-length: {}\r\n", listing.len())), "{head}");
    let post = ask(&running, "POST /", &[]).await;
    assert!(post.starts_with("HTTP/1.1 405 ") && post.contains("\r\nallow: GET, HEAD\r\n"), "{post}");
    let unknown = ask(&running, "GET /nope", &[]).await;
    assert!(unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("\"code\":\"UNIMPLEMENTED\""), "{unknown}");
}

#[tokio::test]
async fn leaves_the_root_to_a_service_that_has_it_or_that_has_no_paths() {
    let own = Route::get("/", "/chat.v1.Chat/Say", |_| line(""), |reply: Receipt| reply.lines.into());
    let running = start!(server(config(|_| {})).json([own]));
    assert!(ask(&running, "GET /", &[]).await.ends_with("\r\n\r\n1\n"));
    let running = start!(server(config(|_| {})));
    assert!(ask(&running, "GET /", &[]).await.starts_with("HTTP/1.1 404 "));
}

/// A server whose answers pages of these origins may read, with `more` of its configuration changed.
macro_rules! with_cors {
    ($origins:expr, $change:expr) => {
        start!(
            server(config(|config| {
                config.cors = Some($origins.parse().unwrap());
                $change(config);
            }))
            .json(routes())
        )
    };
    ($origins:expr) => {
        with_cors!($origins, |_: &mut ServerConfig| {})
    };
}

const PAGE: (&str, &str) = ("origin", "http://localhost:5173");
const PREFLIGHT: (&str, &str) = ("access-control-request-method", "GET");

/// The headers of an answer that speak to browsers, without the prefix that most have in common.
fn told(answer: &str) -> BTreeMap<&str, &str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let fields = head.split("\r\n").skip(1).map(|field| field.split_once(": ").unwrap());
    let told = fields.map(|(name, value)| (name.strip_prefix("access-control-").unwrap_or(name), value));
    told.filter(|(name, _)| ["allow-", "expose-", "max-", "vary"].iter().any(|cors| name.starts_with(cors))).collect()
}

const EXPOSED: &str = "allow, grpc-retry-pushback-ms, grpc-status, received-timeout-ms, retry-after, rpc-behavior-ignored, \
                       sent-attempts, sent-timeout-ms, served-by, x-request-id";

#[tokio::test]
async fn tells_a_browser_that_a_page_of_an_allowed_origin_may_ask() {
    let running = with_cors!("https://example.com,http://localhost:5173");
    let wants = ("access-control-request-headers", "grpc-timeout,x-request-id");
    // Also where there is nothing: the page is to read that.
    for path in ["/say?text=hello", "/nope", "/"] {
        let answer = ask(&running, &format!("OPTIONS {path}"), &[PAGE, PREFLIGHT, wants]).await;
        assert!(answer.starts_with("HTTP/1.1 204 ") && answer.ends_with("\r\n\r\n"), "{answer}");
        let expected = BTreeMap::from([
            (
                "allow-headers",
                "authorization, content-type, grpc-timeout, rpc-behavior, traceparent, tracestate, x-explain, x-request-id",
            ),
            ("allow-methods", "GET, HEAD"),
            ("allow-origin", "http://localhost:5173"),
            ("expose-headers", EXPOSED),
            ("max-age", "7200"),
            ("vary", "Origin"),
        ]);
        assert_eq!(told(&answer), expected);
    }
}

#[tokio::test]
async fn lets_a_page_read_refusals_as_well_as_answers() {
    let running = with_cors!("http://localhost:5173");
    let expected =
        BTreeMap::from([("allow-origin", "http://localhost:5173"), ("expose-headers", EXPOSED), ("vary", "Origin")]);
    for (request, header, status) in [
        ("GET /say?text=hello", ("x", "y"), "200"),
        ("HEAD /say", ("x", "y"), "200"),
        ("GET /", ("x", "y"), "200"),
        ("GET /nope", ("x", "y"), "404"),
        ("DELETE /say", ("x", "y"), "405"),
        ("OPTIONS /say", ("x", "y"), "405"),
        ("GET /say?text=%", ("x", "y"), "400"),
        ("GET /say", ("host", "twice"), "400"),
        ("GET /say", ("script", "bare"), "404"),
        ("GET /say", ("grpc-timeout", "soon"), "500"),
        ("GET /say", ("grpc-timeout", "0m"), "504"),
        ("POST /chat.v1.Chat/Say", ("content-type", "text/plain"), "415"),
    ] {
        let answer = ask(&running, request, &[PAGE, header]).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        let told: BTreeMap<_, _> = told(&answer).into_iter().filter(|(name, _)| *name != "allow").collect();
        assert_eq!(told, expected, "{request}");
    }
}

#[tokio::test]
async fn lets_a_page_read_that_the_service_is_overloaded() {
    let running = with_cors!("*", |config: &mut ServerConfig| config.max_concurrent_calls = 0);
    let answer = ask(&running, "GET /say", &[PAGE]).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert_eq!(told(&answer)["allow-origin"], "*");
}

#[tokio::test]
async fn tells_pages_of_other_origins_nothing() {
    let running = with_cors!("http://localhost:5173");
    for origin in
        ["http://localhost:5174", "https://localhost:5173", "http://localhost", "null", "http://localhost:5173.evil"]
    {
        let answer = ask(&running, "GET /say", &[("origin", origin)]).await;
        // It is answered as ever; that its page may not read it is for the browser to hold.
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(told(&answer), BTreeMap::from([("vary", "Origin")]), "{origin}");
        let answer = ask(&running, "OPTIONS /say", &[("origin", origin), PREFLIGHT]).await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
        assert_eq!(answer.matches("access-control-").count(), 0, "{answer}");
    }
    let answer = ask(&running, "GET /say", &[]).await;
    assert_eq!(told(&answer), BTreeMap::from([("vary", "Origin")]));
}

#[tokio::test]
async fn lets_pages_of_every_origin_read_where_it_is_told_so_and_none_where_it_is_told_nothing() {
    let running = with_cors!("*");
    for origin in ["http://localhost:5173", "null"] {
        let answer = ask(&running, "GET /say", &[("origin", origin)]).await;
        assert_eq!((told(&answer)["allow-origin"], told(&answer)["vary"]), ("*", "Origin"));
        let answer = ask(&running, "OPTIONS /say", &[("origin", origin), PREFLIGHT]).await;
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    }
    let running = start!(with_json());
    let answer = ask(&running, "GET /say", &[PAGE]).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && told(&answer).is_empty(), "{answer}");
    let answer = ask(&running, "OPTIONS /say", &[PAGE, PREFLIGHT]).await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
    assert_eq!(answer.matches("access-control-").count(), 0, "{answer}");
}

#[tokio::test]
async fn tells_pages_the_same_over_http_2_and_callers_of_grpc_nothing() {
    let running = with_cors!("http://localhost:5173");
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let calls = async {
        let preflight = Request::options("http://a/say").header("origin", PAGE.1).header(PREFLIGHT.0, "GET");
        let answer = sender.send_request(preflight.body(()).unwrap(), true).unwrap().0.await.unwrap();
        assert_eq!(
            (answer.status(), answer.headers()["access-control-allow-origin"].to_str().unwrap()),
            (StatusCode::NO_CONTENT, PAGE.1)
        );
        let get = Request::get("http://a/say").header("origin", PAGE.1);
        let answer = sender.send_request(get.body(()).unwrap(), true).unwrap().0.await.unwrap();
        assert_eq!(answer.headers()["access-control-allow-origin"], PAGE.1);
        let grpc = crate::raw::request("/chat.v1.Chat/Nope", &[PAGE]);
        let answer = sender.send_request(grpc, true).unwrap().0.await.unwrap();
        assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{answer:?}");
    };
    tokio::select! {
        () = calls => {}
        ended = connection => panic!("the connection ended first: {ended:?}"),
    }
}
