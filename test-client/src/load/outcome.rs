//! What came of a call, in three words that calls can be counted by.

use std::borrow::Cow;

use service_runtime::{printable::is_harmful, status::code_name};
use tonic::Code;

use crate::options::TEST_CLIENT;

/// The longest word that is kept of what a peer says.
const LONGEST: usize = 48;

/// Code, hop and reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// The gRPC code.
    pub code: Code,
    /// Who decided; empty for a call that went well.
    pub hop: Cow<'static, str>,
    /// Why; where the client decided, a word in small letters.
    pub reason: Cow<'static, str>,
}

impl Outcome {
    /// The answer came, with the text that was sent.
    pub const OK: Outcome = Outcome { code: Code::Ok, hop: Cow::Borrowed(""), reason: Cow::Borrowed("") };

    /// OK, by the word of the service, but with another text.
    pub const SWAPPED: Outcome =
        Outcome { code: Code::Ok, hop: Cow::Borrowed(TEST_CLIENT), reason: Cow::Borrowed("another text") };

    /// Stands for all others once there are too many different ones.
    pub const OTHERS: Outcome =
        Outcome { code: Code::Unknown, hop: Cow::Borrowed("(others)"), reason: Cow::Borrowed("(others)") };

    /// A failure. What a peer said is cut to 48 characters, without those that a terminal would obey: neither memory takes harm nor eye.
    pub fn new(code: Code, hop: &str, reason: &str) -> Self {
        Outcome { code, hop: tame(hop, LONGEST).into(), reason: tame(reason, LONGEST).into() }
    }

    /// The code's name.
    pub fn code_name(&self) -> &'static str {
        code_name(self.code)
    }
}

/// The first `longest` characters of `text`, on one line; `?` stands for each that a terminal would obey.
pub fn tame(text: &str, longest: usize) -> String {
    text.chars().take(longest).map(|c| if is_harmful(c) { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_peers_words_short_and_harmless() {
        let outcome = Outcome::new(Code::Internal, "a\x1b[2J\n\u{9b}\u{7f}\u{202e}", &"é".repeat(1000));
        assert_eq!((outcome.hop.as_ref(), outcome.reason.chars().count()), ("a?[2J????", LONGEST));
    }
}
