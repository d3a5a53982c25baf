//! What a server must do, and whether it did.

use std::{fmt, time::Duration};

use hostile_peer::client::{End, Reaction};

use super::describe::{code_and_reason, http_and_reason};

/// What a server must do.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// What it says to the request that matters.
    pub answered: Answered,
    /// What becomes of the connection.
    pub then: Then,
    /// When, from the connect on.
    pub within: Window,
}

/// The earliest and the latest moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Not before this.
    pub earliest: Duration,
    /// Not after this.
    pub latest: Duration,
}

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// Nothing that matters.
    Nothing,
    /// A gRPC status: the code's name, and the reason; empty where any will do.
    Grpc(&'static str, &'static str),
    /// Plain HTTP: the status, and the reason; empty where any will do, or none.
    Http(u16, &'static str),
    /// RST_STREAM with the error code of this name.
    Reset(&'static str),
    /// A gRPC message that begins so, and the call stays open.
    Message(&'static [u8]),
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It serves a good call.
    ServesOn,
    /// It is still open at the earliest moment, and serves a good call.
    StaysOpen,
    /// It is closed, in whatever way.
    Closed,
    /// It is closed, after a GOAWAY with the error code of this name.
    GoAway(&'static str),
    /// It is closed before the flood is over.
    HasEnough,
    /// It is closed, and a new one is served once another has gone.
    ClosedUntilThereIsRoom,
    /// It may be closed, and the answer may be lost with it.
    MayClose,
}

/// How much earlier or later than it should a connection may end, or a call be answered, on two cores that also compile.
const SLACK: Duration = Duration::from_millis(1000);

impl Expected {
    /// What is not as it must be, if anything.
    pub fn unmet(&self, seen: &Reaction) -> Option<String> {
        let lost = self.then == Then::MayClose && seen.end.is_some();
        // What stays has stayed long enough where the look comes late.
        let may_be_late = self.then == Then::StaysOpen;
        let wrong = [
            (!lost).then(|| self.answered.unmet(seen)).flatten(),
            self.then.unmet(seen).map(str::to_owned),
            (seen.took < self.within.earliest)
                .then(|| format!("expected not before {} ms", self.within.earliest.as_millis())),
            (!may_be_late && seen.took > self.within.latest + SLACK)
                .then(|| format!("expected within {} ms", self.within.latest.as_millis())),
        ];
        let wrong: Vec<_> = wrong.into_iter().flatten().collect();
        (!wrong.is_empty()).then(|| wrong.join(", "))
    }

    /// The same for a server that tells no reasons.
    pub fn without_reasons(self) -> Self {
        let answered = match self.answered {
            Answered::Grpc(code, _) => Answered::Grpc(code, ""),
            Answered::Http(status, _) => Answered::Http(status, ""),
            other => other,
        };
        Expected { answered, ..self }
    }
}

impl Answered {
    fn unmet(self, seen: &Reaction) -> Option<String> {
        let answer = seen.answer.clone().unwrap_or_default();
        let is = |expected: &str, seen: &str| expected.is_empty() || expected == seen;
        let met = match self {
            Answered::Nothing => true,
            Answered::Grpc(code, reason) => code_and_reason(&answer)
                .is_some_and(|(seen, why)| answer.status == 200 && seen == code && is(reason, &why)),
            Answered::Http(status, reason) => {
                let (seen, why) = http_and_reason(&answer);
                answer.whole && seen == status && is(reason, &why)
            }
            Answered::Reset(name) => seen.reset_name().is_some_and(|seen| seen == name),
            Answered::Message(bytes) => answer.body.starts_with(bytes) && !answer.whole && answer.reset.is_none(),
        };
        (!met).then(|| format!("expected {self}"))
    }
}

impl Then {
    fn unmet(self, seen: &Reaction) -> Option<&'static str> {
        let closed = seen.end.is_some();
        let serves_on = seen.serves_on == Some(true);
        match self {
            Then::ServesOn | Then::StaysOpen => (!serves_on).then_some("expected it to serve on"),
            Then::Closed | Then::HasEnough => (!closed).then_some("expected it closed"),
            Then::GoAway(name) => {
                // A close with something unread resets the connection, and may overtake what was said before.
                let is_named = seen.goaway_name().map_or(seen.end == Some(End::Reset), |seen| seen == name);
                (!closed || !is_named).then_some("expected another GOAWAY")
            }
            Then::ClosedUntilThereIsRoom => {
                (!closed || !serves_on).then_some("expected it closed, and room afterwards")
            }
            Then::MayClose => (!closed && !serves_on).then_some("expected it to serve on, or closed"),
        }
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answered::Nothing => f.write_str(""),
            Answered::Grpc(code, "") => f.write_str(code),
            Answered::Grpc(code, reason) => write!(f, "{code} {reason}"),
            Answered::Http(status, "") => write!(f, "HTTP {status}"),
            Answered::Http(status, reason) => write!(f, "HTTP {status} {reason}"),
            Answered::Reset(name) => write!(f, "RST_STREAM {name}"),
            Answered::Message(_) => f.write_str("a message, and open"),
        }
    }
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Then::ServesOn | Then::StaysOpen => f.write_str("serves on"),
            Then::Closed | Then::HasEnough => f.write_str("closed"),
            Then::GoAway(name) => write!(f, "GOAWAY {name}"),
            Then::ClosedUntilThereIsRoom => f.write_str("closed, until there is room"),
            Then::MayClose => f.write_str("may close"),
        }
    }
}

impl fmt::Display for Expected {
    /// `INTERNAL BAD_TIMEOUT · serves on`, `closed · 10 s`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.answered != Answered::Nothing {
            write!(f, "{} · ", self.answered)?;
        }
        write!(f, "{}{}", self.then, self.within)
    }
}

impl fmt::Display for Window {
    /// Nothing where it is at once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { earliest, latest } = self;
        match (earliest.as_secs_f64(), latest.as_secs_f64()) {
            (earliest, latest) if earliest == latest => write!(f, " · after {earliest} s"),
            (_, ..=1.0) => Ok(()),
            (0.0, latest) => write!(f, " · within {latest} s"),
            (earliest, latest) => write!(f, " · after {earliest} to {latest} s"),
        }
    }
}

#[cfg(test)]
mod tests;
