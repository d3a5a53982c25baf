//! The request of a call, which may have to go out more than once.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, request};
use http_body_util::BodyExt as _;
use tonic::{Status, body::Body};

use super::{
    exchange::Outbound,
    lent::{EndsRequest, Lent},
};
use crate::{
    context::{Call, PREVIOUS_ATTEMPTS},
    deadline::{Deadline, GRPC_TIMEOUT},
    grpc::GRPC_ACCEPT_ENCODING,
};

/// More than most requests have, so that the map need not grow.
const HEADERS: usize = 12;

/// What a generated client has made.
pub(super) struct Outgoing {
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The time that the user has set for this call.
    pub timeout: Option<Deadline>,
    body: Kept,
    /// The generated client can undo compression.
    pub takes_compressed: bool,
}

enum Kept {
    /// One message, for another attempt too.
    Message(Bytes),
    /// A stream, which can go out again only while nothing of it was taken.
    Stream(Lent),
}

impl Outgoing {
    /// A request without its body.
    pub fn new(head: request::Parts) -> Self {
        let mut headers = head.headers;
        let timeout = Deadline::read(&headers).ok().flatten();
        headers.remove(GRPC_TIMEOUT);
        let takes_compressed = headers.contains_key(GRPC_ACCEPT_ENCODING);
        let mut name = None;
        let headers = headers.into_iter().filter_map(|(next, value)| {
            name = next.or_else(|| name.take());
            Some((name.clone()?, value))
        });
        Outgoing {
            uri: head.uri,
            headers: headers.collect(),
            timeout,
            body: Kept::Message(Bytes::new()),
            takes_compressed,
        }
    }

    /// Takes its body: of one message, all of it. Errors: the generated client could not make the message.
    pub async fn take(&mut self, body: Body, streams: bool) -> Result<(), Status> {
        self.body = match streams {
            false => Kept::Message(body.collect().await?.to_bytes()),
            true => Kept::Stream(Lent::new(body)),
        };
        Ok(())
    }

    /// For one attempt, after `failed` others.
    pub fn attempt(&self, call: &Call, deadline: Option<Deadline>, failed: u32) -> (Request<()>, Outbound) {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.extend(self.headers.iter().cloned());
        // What the handler says wins over what is passed on.
        let is_new = |(name, _): &&(HeaderName, HeaderValue)| self.headers.iter().all(|(own, _)| own != name);
        headers.extend(call.passed_on().iter().filter(is_new).cloned());
        if failed > 0 {
            headers.insert(PREVIOUS_ATTEMPTS, failed.into());
        }
        if let Some(deadline) = deadline {
            headers.insert(GRPC_TIMEOUT, deadline.to_header());
        }
        *request.headers_mut() = headers;
        let body = match &self.body {
            Kept::Message(message) => Outbound::Message(message.clone()),
            Kept::Stream(lent) => Outbound::Stream(lent.clone()),
        };
        (request, body)
    }

    /// What ends a request that is a stream.
    pub fn end(&self) -> EndsRequest {
        EndsRequest::new(match &self.body {
            Kept::Message(_) => None,
            Kept::Stream(lent) => Some(lent.clone()),
        })
    }

    /// Whether it can go out once more.
    pub fn is_whole(&self) -> bool {
        match &self.body {
            Kept::Message(_) => true,
            Kept::Stream(lent) => !lent.was_taken(),
        }
    }
}
