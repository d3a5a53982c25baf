//! THE list of attacks, one file a group.
//!
//! In a name, `<1..1000>` is a number in that range; in a sentence, `<n>` is that number.

mod deadlines;
mod floods;
mod http1;
mod http2;
mod messages;
mod metadata;
mod others;
mod protocol;
mod request;
mod requests;
mod stalls;

use super::{
    Target,
    step::{Next, Script, Step, Watch},
};
use crate::frame;
use request::Request;

/// One attack, or several that differ by a number.
#[derive(Debug)]
pub(crate) struct Row {
    pub name: &'static str,
    pub does: &'static str,
    /// For that target, and from the number in the name, or 0.
    pub script: fn(&Target, u32) -> Script,
}

/// From a request that is merely wrong to a peer that means it.
pub(crate) const GROUPS: &[(&str, &[Row])] = &[
    ("gRPC: what is asked", requests::ROWS),
    ("gRPC: until when", deadlines::ROWS),
    ("gRPC: the message", messages::ROWS),
    ("gRPC: metadata", metadata::ROWS),
    ("plain HTTP/1.1", http1::ROWS),
    ("plain HTTP/2", http2::ROWS),
    ("HTTP/2 broken", protocol::ROWS),
    ("stalls", stalls::ROWS),
    ("floods", floods::ROWS),
    ("crowds", others::ROWS),
];

/// A stream after all those that an attack uses.
pub(crate) const LAST_STREAM: u32 = 0x00ff_ffff;

/// A message of grpc.health.v1 with a status in it.
const FIRST_STATUS: Watch = Watch::Body(1, 7);

const fn row(name: &'static str, does: &'static str, script: fn(&Target, u32) -> Script) -> Row {
    Row { name, does, script }
}

/// What an HTTP/2 client says first.
pub(crate) fn greeting() -> Vec<u8> {
    greeting_with(&[])
}

/// The same with these settings.
fn greeting_with(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut out = frame::PREFACE.to_vec();
    frame::put_settings(&mut out, settings);
    out
}

/// One frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, kind, flags, stream, payload);
    out
}

/// Says hello as an HTTP/2 client should, and hears the server's own.
fn greet() -> [Step; 2] {
    [Step::Say(greeting()), Step::HearSettings]
}

/// Says hello, then this.
fn greet_and_say(bytes: Vec<u8>) -> impl Iterator<Item = Step> {
    greet().into_iter().chain([Step::Say(bytes)])
}

/// Makes that request over HTTP/2, waits for its answer, and makes a good call after it.
fn ask(request: &Request) -> Script {
    Script::until_answer(greet_and_say(request.frames(1)), Next::Grpc)
}

/// Says this over HTTP/1.1, waits for the answer, and asks well on the same connection after it.
fn ask_http1(text: String) -> Script {
    Script::until_answer([Step::Say(text.into_bytes())], Next::Http1)
}

/// A good request over HTTP/1.1.
fn get(target: &Target) -> String {
    get_with(target, "")
}

/// The same with these fields, each with its end of line.
fn get_with(target: &Target, fields: &str) -> String {
    format!("GET {}?msg=hello HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", target.path, target.address)
}

/// A call that a healthy server answers with OK.
pub(crate) fn good_call(target: &Target, next: Next, stream: u32) -> Vec<u8> {
    match next {
        Next::Http1 => get(target).into_bytes(),
        Next::Grpc | Next::Nothing => Request::grpc(target).frames(stream),
    }
}
