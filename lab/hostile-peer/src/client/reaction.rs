//! What came of an attack.

use std::{fmt, time::Duration};

use super::answer::Answer;
use crate::frame::error_name;

/// How a connection ended that the server did not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Closed in order.
    Closed,
    /// Reset, which is what a system makes of a close while something is unread.
    Reset,
}

/// What the server did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// The answer to the request that mattered, where one was waited for; nothing is in it if none came.
    pub answer: Option<Answer>,
    /// The error code of its GOAWAY.
    pub goaway: Option<u32>,
    /// The debug data of its GOAWAY; empty where there is none.
    pub goaway_debug: String,
    /// None: the connection is still open.
    pub end: Option<End>,
    /// Whether the same connection served a good call afterwards, where one was tried.
    pub serves_on: Option<bool>,
    /// How much of a flood was written before its end.
    pub sent: Option<u32>,
    /// From the connection's beginning until this was seen.
    pub took: Duration,
}

impl Reaction {
    /// The name of GOAWAY's error code, such as `ENHANCE_YOUR_CALM`.
    pub fn goaway_name(&self) -> Option<String> {
        self.goaway.map(|code| error_name(code).into_owned())
    }

    /// The name of RST_STREAM's error code.
    pub fn reset_name(&self) -> Option<String> {
        self.answer.as_ref()?.reset.map(|code| error_name(code).into_owned())
    }

    /// What became of the connection: `serves on`, `GOAWAY PROTOCOL_ERROR · closed`, `closed after 1000`, `open`.
    pub fn connection(&self) -> String {
        let goaway = self.goaway_name().map(|name| format!("GOAWAY {name}"));
        let end = match (self.end, self.serves_on) {
            (Some(End::Closed), _) => "closed",
            (Some(End::Reset), _) => "reset",
            (None, Some(true)) => "serves on",
            (None, Some(false)) => "open, and serves no more",
            (None, None) => "open",
        };
        let after = self.sent.map_or(String::new(), |sent| format!(" after {sent}"));
        goaway.into_iter().chain([format!("{end}{after}")]).collect::<Vec<_>>().join(" · ")
    }
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(answer) = &self.answer {
            write!(f, "{answer} · ")?;
        }
        write!(f, "{} · {} ms", self.connection(), self.took.as_millis())
    }
}
