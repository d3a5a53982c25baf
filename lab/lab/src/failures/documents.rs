//! What gRPC's own documents say of a failure, for the contract departs from them in places, and other people's services follow them.
//!
//! Sources, all of github.com/grpc: `doc/statuscodes.md`, `doc/http-grpc-status-mapping.md`, `doc/PROTOCOL-HTTP2.md` ("Errors"), gRFC A6
//! (retries). What B tells its own caller of a call that it makes itself is the application's business there: where a B may pass on
//! what it got, both that and the contract's code are right.

use super::failure::Failure;

/// The codes that gRPC's documents allow in place of the contract's one; none where they say nothing, or leave it to the application.
fn codes(slug: &str) -> Option<&'static [&'static str]> {
    Some(match slug {
        // http-grpc-status-mapping.md: "all other codes".
        "a-web-page" => &["UNKNOWN"],
        "a-401" => &["UNAUTHENTICATED"],
        // PROTOCOL-HTTP2.md: CANCEL is the call's cancellation.
        "a-reset-8" => &["CANCELLED"],
        // statuscodes.md: "error parsing returned status".
        "a-no-status" | "a-bad-status" => &["UNKNOWN"],
        // statuscodes.md: "response cardinality violation".
        "a-no-message" | "a-two-messages" | "a-endless" => &["UNIMPLEMENTED"],
        // statuscodes.md: "received message was larger than configured limit".
        "a-oversize" => &["RESOURCE_EXHAUSTED"],
        // The call to A has ended by a deadline that B set itself.
        "a-frozen" | "a-slow" | "a-stalls" | "no-deadline" | "a-no-stream" => &["DEADLINE_EXCEEDED", "UNAVAILABLE"],
        // A's own code, passed on.
        "a-gives-up" => &["DEADLINE_EXCEEDED", "UNAVAILABLE"],
        "a-cancels" => &["CANCELLED", "UNAVAILABLE"],
        "a-error" => &["NOT_FOUND", "INTERNAL"],
        // What an answer says and what a request must have are the application's; keepalive of clients is off by default; how
        // soon a lowered limit of streams holds is nowhere said.
        "a-another-text" | "msg-missing" | "a-half-open" | "a-lowers-its-limit" => &[],
        _ => return None,
    })
}

impl Failure {
    /// The codes that are right by gRPC's own documents; none where they say nothing of it.
    pub fn codes_by_the_documents(&self) -> Vec<&'static str> {
        codes(self.slug).map_or_else(|| vec![self.expected.code], <[_]>::to_vec)
    }

    /// The same in words, for a table.
    pub fn by_the_documents(&self) -> String {
        match &self.codes_by_the_documents()[..] {
            [] => "–".to_owned(),
            [code] if *code == self.expected.code => "the same".to_owned(),
            codes => codes.join(" or "),
        }
    }

    /// Whether the contract departs from gRPC's own tables here, on purpose (docs/contract.md): rows 15 to 18, and a retry although
    /// response headers have come.
    pub fn departs_from_the_documents(&self) -> bool {
        let codes = self.codes_by_the_documents();
        self.slug == "a-cut" || !codes.is_empty() && !codes.contains(&self.expected.code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::failures::table::{FAILURES, find};

    #[test]
    fn departs_where_the_contract_says_so_and_nowhere_else() {
        let departures = FAILURES.iter().filter(|failure| failure.departs_from_the_documents());
        let rows: BTreeSet<u8> = departures.map(|failure| failure.row).collect();
        assert_eq!(rows, BTreeSet::from([6, 15, 16, 17, 18]));
        assert_eq!(find("a-two-messages").unwrap().codes_by_the_documents(), ["UNIMPLEMENTED"]);
        assert!(!find("a-frozen").unwrap().departs_from_the_documents());
        assert_eq!(find("a-down").unwrap().codes_by_the_documents(), ["UNAVAILABLE"]);
    }
}
