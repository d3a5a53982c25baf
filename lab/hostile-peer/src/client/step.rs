//! What an attack's script is made of.

use std::{fmt, sync::Arc, time::Duration};

use bytes::BytesMut;

/// One step on a connection. Unless a script says otherwise, SETTINGS and PING are answered meanwhile.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// These bytes.
    Say(Vec<u8>),
    /// These bytes, one at a time, with that time between.
    Drip(Vec<u8>, Duration),
    /// Reads until the server's SETTINGS are there.
    HearSettings,
    /// Reads until the answer on that stream is over.
    HearAnswer(u32),
    /// From now on nothing is said but what the script says.
    Mute,
    /// From now on nothing is read.
    Deaf,
    /// The same with another number again and again, until the server has enough or that many were written.
    Flood(Flood, u32),
}

/// Writes one part of a flood, from its number.
pub(crate) type Part = dyn Fn(u32, &mut BytesMut) + Send + Sync;

/// What a flood is made of.
#[derive(Clone)]
pub(crate) struct Flood(pub Arc<Part>);

impl fmt::Debug for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flood")
    }
}

/// What is looked at once the script was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// The answer on that stream.
    Answer(u32),
    /// That many bytes of its body: it need not end.
    Body(u32, usize),
    /// The end of the connection.
    End,
    /// The same, after the answer on that stream.
    EndAfterAnswer(u32),
    /// The end where nothing is read: these bytes, now and then, find out.
    EndByWriting(&'static [u8]),
}

/// The good call that shows whether a connection serves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// None: there is no connection left, or that is not the question.
    Nothing,
    /// Over HTTP/2, gRPC.
    Grpc,
    /// Over HTTP/1.1, on the same connection.
    Http1,
}

/// What a client does from the connect to the last byte.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Healthy connections before it, which are held.
    pub before: u32,
    /// A receive buffer of a few KiB, and small segments.
    pub small: bool,
    pub steps: Vec<Step>,
    pub watch: Watch,
    pub next: Next,
}

impl Script {
    /// Plays these, and then waits for the connection's end.
    pub(crate) fn until_end(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Script { before: 0, small: false, steps, watch: Watch::End, next: Next::Nothing }
    }

    /// Plays these, waits for the answer on stream 1, and makes a good call after it.
    pub(crate) fn until_answer(steps: impl IntoIterator<Item = Step>, next: Next) -> Self {
        Script { watch: Watch::Answer(1), next, ..Script::until_end(steps) }
    }

    pub(crate) fn watching(self, watch: Watch) -> Self {
        Script { watch, ..self }
    }
}
