//! The JSON face of a stranger's service: what `GET /` says.

use service_runtime::{Server, json::Route};
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
