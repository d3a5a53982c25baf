//! One answer, of either HTTP.

use std::fmt;

/// What a server answered to one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 before there is one.
    pub status: u16,
    /// Names in lower case, and values: headers and then trailers.
    pub fields: Vec<(String, String)>,
    /// What has come of the body.
    pub body: Vec<u8>,
    /// All of it has come.
    pub whole: bool,
    /// The stream was reset with this error code.
    pub reset: Option<u32>,
}

impl Answer {
    /// The last field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().rfind(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The number in `grpc-status`.
    pub fn grpc_status(&self) -> Option<u32> {
        self.field("grpc-status")?.parse().ok()
    }

    /// HTTP 200, and if it is a gRPC answer, OK.
    pub fn is_good(&self) -> bool {
        self.whole && self.status == 200 && self.grpc_status().is_none_or(|status| status == 0)
    }

    /// Nothing more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.whole || self.reset.is_some()
    }
}

impl fmt::Display for Answer {
    /// `HTTP 200 · grpc-status 13`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Answer::default() {
            return f.write_str("no answer");
        }
        let status = (self.status != 0).then(|| format!("HTTP {}", self.status));
        let grpc = self.field("grpc-status").map(|number| format!("grpc-status {number}"));
        let reset = self.reset.map(|code| format!("RST_STREAM {}", crate::frame::error_name(code)));
        let open = (!self.is_over()).then(|| format!("{} bytes, open", self.body.len()));
        let told: Vec<_> = [status, grpc, reset, open].into_iter().flatten().collect();
        f.write_str(&told.join(" · "))
    }
}
