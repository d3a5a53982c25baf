//! What a stranger asks, over both faces: the answer that the contract's checks give, in their order, and no other.

mod asked;
mod seen;

use std::rc::Rc;

use futures_util::FutureExt;
use http::{HeaderMap, Method, Request, response::Parts};
use http_body_util::BodyExt;
use service_runtime::layers::Handle as _;
use tokio::runtime;
use tonic::body::Body;

use super::{cuts, text::Text};
use crate::greeter::greeter;
use asked::{Answer, Asked};

pub const WORDS: &str = r"GET HEAD POST PUT /hello ?name= /hello.v1.Greeter/Hello /grpc.health.v1.Health/Check /grpc.health.v1.Health/Watch \
    /grpc.health.v1.Health/List / \x201 \x202 content-type:\x20application/grpc +proto grpc-timeout:\x20 1S 0n 1n 99999999H \
    grpc-encoding:\x20snappy grpc-encoding:\x20identity rpc-behavior:\x20sleep-1 x-request-id:\x20 host:\x20x te:\x20trailers \n \n\n %20 %FF + \
    \x00\x00\x00\x00\x00 \x00\x00\x00\x00\x04\n\x02hi \x00\x00\x00\x00\x04\n\x02\xff\xff \x01\x00\x00\x00\x00";

/// More would not fit beside the rest of an answer (docs/contract.md, "Terms").
const OUTWARD: usize = 4096;

/// Method, path and version; headers; body.
pub fn holds(input: &[u8]) -> bool {
    let text = Text::read(input);
    let Some(asked) = Asked::read(&text) else { return false };
    let expected = asked.expected();
    // One way to cut it is enough here: framing has a target of its own.
    let pieces = &cuts(text.body)[input.len() % 3];
    let (head, data, trailers) = answer(asked.request(pieces));
    let size: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(size <= OUTWARD && head.headers.contains_key("served-by"));
    assert!(asked.speaks_grpc() || head.headers.contains_key("x-request-id"));
    match asked.speaks_grpc() {
        true => seen::is_in_grpc(&expected, &head.headers, &data, &trailers),
        false => seen::is_in_json(&expected, asked.method == Method::HEAD, head.status.as_u16(), &data),
    }
    matches!(expected, Answer::Ok(_) | Answer::Health)
}

/// Head, data and trailers; made and read on a clock that stands still, so that no deadline passes that has not passed already.
type Answered = (Parts, Vec<u8>, HeaderMap);

fn answer(request: Request<Body>) -> Answered {
    type Server = Rc<dyn Fn(Request<Body>) -> Answered>;
    thread_local! {
        static SERVER: Server = {
            let worker = greeter();
            let runtime = runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
            let runtime = runtime.expect("a runtime");
            let answer = move |request| {
                let _clock = runtime.enter();
                let answer = worker.handle(request).now_or_never().expect("there is nothing to wait for");
                let (head, body) = answer.into_parts();
                let (data, trailers) = come_so_far(body);
                (head, data, trailers)
            };
            Rc::new(answer)
        };
    }
    SERVER.with(|server| server(request))
}

/// Data and trailers; a stream may have more to say later.
fn come_so_far(mut body: Body) -> (Vec<u8>, HeaderMap) {
    let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
    while let Some(Some(frame)) = body.frame().now_or_never() {
        match frame.expect("an answer does not fail").into_data() {
            Ok(bytes) => data.extend_from_slice(&bytes),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    (data, trailers)
}
