//! How a server starts, and what does not fit together at its start.

use std::time::Duration;

use service_runtime::{Server, ServerConfig, Services, server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tonic::Code;

use crate::scripted::{DESCRIPTORS, Receipt, config, failed, identity, line, parts, scripted, server, start};

/// What the start says.
async fn refused(server: Server, twice: bool) -> String {
    let (listener, _trigger, shutdown, scripted, ..) = parts().await;
    let services = move |_: &server::Worker| {
        let services = scripted.services(None);
        if twice { services.add(crate::scripted::ChatServer::new(scripted.clone())) } else { services }
    };
    server.serve(listener, services, shutdown).await.unwrap_err().to_string()
}

#[tokio::test]
async fn serves_on_threads_of_its_own_until_any_future_ends() {
    let (listener, _, _, handler, _) = parts().await;
    let address = listener.local_addr().unwrap();
    let (end, ended) = oneshot::channel::<()>();
    let server = server(config(|config| config.workers = Some(2)));
    let services = move |_: &server::Worker| handler.services(None);
    let served = tokio::spawn(server.serve(listener, services, async { drop(ended.await) }));
    let mut client = crate::scripted::client_of(address).await;
    assert_eq!(client.say(scripted("", line("hello"))).await.unwrap().into_inner(), Receipt { lines: 1 });
    end.send(()).unwrap();
    served.await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn says_that_the_descriptors_lack_a_service() {
    let health_only = Server::new(identity(), &b""[..]).config(config(|_| {}));
    let error = refused(health_only, false).await;
    assert!(error.starts_with("the descriptors do not describe the service chat.v1.Chat"), "{error}");
    let broken = Server::new(identity(), &b"\xff\xff"[..]).config(config(|config| config.reflection = false));
    assert_eq!(refused(broken, false).await, "the descriptor set cannot be decoded");
}

#[tokio::test]
async fn says_that_a_service_is_added_twice() {
    assert_eq!(refused(server(config(|_| {})), true).await, "the service chat.v1.Chat is added twice");
}

#[tokio::test]
async fn says_what_in_its_configuration_contradicts_itself() {
    let error = refused(server(config(|config| config.max_connections = 0)), false).await;
    assert!(error.starts_with("max_connections is 0"), "{error}");
    let (listener, _trigger, shutdown, handler, ..) = parts().await;
    let services = move |_: &server::Worker| handler.services(None);
    let many = server(config(|config| config.workers = Some(4)));
    let error = many.serve_here(listener, services, shutdown).await.unwrap_err().to_string();
    assert!(error.starts_with("serve_here has one worker"), "{error}");
}

#[tokio::test]
async fn says_that_its_port_is_taken_and_names_no_flag_where_it_was_given_none() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let server = Server::new(identity(), DESCRIPTORS).config(ServerConfig::default());
    let error = server.serve(address, |_| Services::new(), std::future::pending()).await.unwrap_err().to_string();
    assert_eq!(error, format!("port {} is taken; try 127.0.0.1:0", address.port()));
}

#[tokio::test]
async fn cuts_its_calls_when_serve_here_is_dropped_in_the_middle() {
    let mut running = start!(server(config(|_| {})));
    let mut client = running.client().await;
    let call = tokio::spawn(async move { client.say(scripted("pending", line("hello"))).await });
    // The first word that the handler has the call is its end: so the call is seen by another one being answered.
    let mut other = running.client().await;
    other.say(scripted("", line("hello"))).await.unwrap();
    running.served.abort();
    assert!(running.served.await.unwrap_err().is_cancelled());
    running.dropped.recv().await.unwrap();
    let (code, _) = failed(call.await.unwrap());
    assert!(matches!(code, Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled), "{code:?}");
    // The port is free again.
    TcpListener::bind(running.address).await.unwrap();
}

#[tokio::test]
async fn serves_with_the_largest_values_that_a_configuration_can_hold() {
    let running = start!(server(config(|config| {
        config.drain_timeout = Duration::MAX;
        config.lame_duck = Duration::MAX;
        config.max_connection_idle = Duration::MAX;
        config.max_connection_age = Duration::MAX;
        config.http1_keep_alive = Duration::MAX;
        config.max_message_size = u32::MAX as usize;
        config.max_concurrent_calls = usize::MAX;
        config.max_connections = usize::MAX;
    })));
    assert_eq!(running.client().await.say(line("hello")).await.unwrap().into_inner().lines, 1);
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(b"GET /nope HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404");
        // The rest of the answer.
        let mut rest = Vec::new();
        while !rest.ends_with(b"}\n") {
            assert!(stream.read_buf(&mut rest).await.unwrap() > 0);
        }
    }
}
