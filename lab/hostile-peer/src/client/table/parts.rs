//! What the rows of the table are put together from.

use super::request::Request;
use crate::{
    client::{
        step::{Next, Script, Step, Watch},
        target::Target,
    },
    frame, row,
};

/// Makes an attack's script, for that target, and from the number in its name, or 0.
pub(crate) type Make = fn(&Target, u32) -> Script;

/// One attack, or several that differ by a number.
pub(crate) type Row = row::Row<Make>;

/// A stream after all those that an attack uses.
pub(crate) const LAST_STREAM: u32 = 0x00ff_ffff;

/// A message of grpc.health.v1 with a status in it.
pub(super) const FIRST_STATUS: Watch = Watch::Body(1, 7);

pub(super) const fn row(name: &'static str, does: &'static str, script: fn(&Target, u32) -> Script) -> Row {
    Row { name, does, script }
}

/// What an HTTP/2 client says first.
pub(crate) fn greeting() -> Vec<u8> {
    greeting_with(&[])
}

/// The same with these settings.
pub(super) fn greeting_with(settings: &[(u16, u32)]) -> Vec<u8> {
    let mut out = frame::PREFACE.to_vec();
    frame::put_settings(&mut out, settings);
    out
}

/// One frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, kind, flags, stream, payload);
    out
}

/// Says hello as an HTTP/2 client should, and hears the server's own.
pub(super) fn greet() -> [Step; 2] {
    [Step::Say(greeting()), Step::HearSettings]
}

/// Says hello, then this.
pub(super) fn greet_and_say(bytes: Vec<u8>) -> impl Iterator<Item = Step> {
    greet().into_iter().chain([Step::Say(bytes)])
}

/// Makes that request over HTTP/2, waits for its answer, and makes a good call after it.
pub(super) fn ask(request: &Request) -> Script {
    Script::until_answer(greet_and_say(request.frames(1)), Next::Grpc)
}

/// Says this over HTTP/1.1, waits for the answer, and asks well on the same connection after it.
pub(super) fn ask_http1(text: String) -> Script {
    Script::until_answer([Step::Say(text.into_bytes())], Next::Http1)
}

/// A good request over HTTP/1.1.
pub(super) fn get(target: &Target) -> String {
    get_with(target, "")
}

/// The same with these fields, each with its end of line.
pub(super) fn get_with(target: &Target, fields: &str) -> String {
    format!("GET {}?msg=hello HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", target.path, target.address)
}

/// A call that a healthy server answers with OK.
pub(crate) fn good_call(target: &Target, next: Next, stream: u32) -> Vec<u8> {
    match next {
        Next::Http1 => get(target).into_bytes(),
        Next::Grpc | Next::Nothing => Request::grpc(target).frames(stream),
    }
}
