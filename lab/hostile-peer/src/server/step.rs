//! What a behavior's script is made of.

use std::borrow::Cow;

use crate::frame::{Fields, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS};

/// What a peer does from the listener to the last frame. The default is a healthy peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub door: Door,
    pub opening: Opening,
    pub call: Call,
    pub which: Which,
    pub when: When,
    pub pings: Pings,
    /// After this number of answers on a connection it says goodbye.
    pub answers: Option<usize>,
}

/// What a client finds where the peer should listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Door {
    #[default]
    Open,
    /// The peer does not listen, and the port stays reserved.
    Refused,
    /// Connects get no answer at all.
    Vanished,
}

/// What happens on a new connection, before any frame of the client is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub steps: Vec<Greet>,
    /// Such a connection is of no use once the peer is healed, so it is closed then.
    pub spoilt: bool,
    /// Whether a stream's window is opened again for what the client has sent.
    pub gives_windows: bool,
    /// SETTINGS_MAX_CONCURRENT_STREAMS as the first SETTINGS have it, and those that tell older connections of it.
    pub stream_limit: Option<u32>,
}

/// One step on a new connection.
#[derive(Clone, Debug)]
pub(crate) enum Greet {
    /// A SETTINGS frame with these.
    Settings(Vec<(u16, u32)>),
    /// Waits for the client's connection preface: 24 bytes.
    Preface,
    /// These bytes, whatever they mean.
    Bytes(Vec<u8>),
    /// Waits for that many milliseconds.
    Wait(u64),
    /// Reads what comes, and says nothing more.
    Hold,
    Close,
    Reset,
}

/// What happens on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// The healthy answer.
    Echo,
    Steps(Vec<Step>),
}

/// One step of an answer. After the last one nothing more comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// HEADERS.
    Headers(Fields),
    /// HEADERS with END_STREAM: the trailers, or an answer that is nothing else.
    Trailers(Fields),
    /// DATA, as far as the client's windows let it.
    Data(Body),
    /// The same with END_STREAM.
    LastData(Body),
    /// The same data again and again, with that many milliseconds between.
    Drip(Body, u64),
    /// A DATA frame of which only the first half is sent; so nothing more can be said on this connection.
    HalfFrame(Body),
    /// RST_STREAM with this error code.
    ResetStream(u32),
    /// GOAWAY with this error code.
    GoAway(Last, u32),
    /// Waits for that many milliseconds.
    Wait(u64),
    /// Says nothing more. (The same as the script's end; it makes the script say so.)
    Stall,
    /// Closes the connection: FIN.
    Close,
    /// Resets the connection: RST.
    Reset,
}

/// The payload of DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The request's message.
    Echo,
    /// The same with this flag byte: 1 says that it is compressed.
    Flagged(u8),
    /// The first half of it, and of the five bytes before it.
    HalfEcho,
    /// The request's message, announced ten bytes longer than it is.
    Overstated,
    /// Another message.
    Message(&'static [u8]),
    /// Bytes that are no whole message.
    Raw(Cow<'static, [u8]>),
}

/// The last stream that a GOAWAY names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    Zero,
    ThisCall,
}

/// The calls that a script is for, counted since the behavior was set; all others get the healthy answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Which {
    #[default]
    All,
    First,
    /// Every n-th.
    Every(usize),
}

/// When the script of a call starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    /// Once the whole request is there: END_STREAM was seen.
    #[default]
    Whole,
    /// As soon as HEADERS are there.
    Headers,
}

/// Whether PINGs are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pings {
    #[default]
    Answered,
    Ignored,
    /// The first is one too many: GOAWAY, and the connection is closed.
    TooMany,
}

impl Default for Opening {
    fn default() -> Self {
        Opening { steps: vec![Greet::Settings(Vec::new())], spoilt: false, gives_windows: true, stream_limit: None }
    }
}

impl Default for Call {
    /// Healthy.
    fn default() -> Self {
        Call::Echo
    }
}

/// A script that greets as it should, and does this on every call.
pub(crate) fn on_call(steps: impl IntoIterator<Item = Step>) -> Script {
    Script { call: Call::Steps(steps.into_iter().collect()), ..Script::default() }
}

/// A script that does this on every new connection, and on a call of an older one what fits to it.
pub(crate) fn on_connect(steps: impl IntoIterator<Item = Greet>, on_older: Step) -> Script {
    let opening = Opening { steps: steps.into_iter().collect(), spoilt: true, ..Opening::default() };
    Script { opening, ..on_call([on_older]) }
}

/// A script for a peer that takes no connections. Calls on the connections that there are get this.
pub(crate) fn at_the_door(door: Door, on_older: Step) -> Script {
    Script { door, ..on_call([on_older]) }
}

impl Script {
    pub(crate) fn only(self, which: Which) -> Self {
        Script { which, ..self }
    }

    pub(crate) fn at_headers(self) -> Self {
        Script { when: When::Headers, ..self }
    }

    pub(crate) fn without_pings(self) -> Self {
        Script { pings: Pings::Ignored, ..self }
    }

    /// A greeting that lets no request body through.
    pub(crate) fn without_windows(self) -> Self {
        let steps = vec![Greet::Settings(vec![(INITIAL_WINDOW_SIZE, 0)])];
        Script { opening: Opening { steps, spoilt: true, gives_windows: false, ..Opening::default() }, ..self }
    }

    /// A greeting that lets no call through.
    pub(crate) fn without_streams(self) -> Self {
        let steps = vec![Greet::Settings(vec![(MAX_CONCURRENT_STREAMS, 0)])];
        Script { opening: Opening { steps, spoilt: true, ..Opening::default() }, ..self }
    }

    /// Takes this number of calls at once on a connection, and tells those that are there of it.
    pub(crate) fn with_stream_limit(self, limit: u32) -> Self {
        let steps = vec![Greet::Settings(vec![(MAX_CONCURRENT_STREAMS, limit)])];
        Script { opening: Opening { steps, stream_limit: Some(limit), ..Opening::default() }, ..self }
    }

    /// A connection is used up by this number of answers.
    pub(crate) fn answers(self, number: u32) -> Self {
        Script { answers: Some(number as usize), ..self }
    }

    pub(crate) fn has_too_many_pings(self) -> Self {
        Script { pings: Pings::TooMany, ..self }
    }
}
