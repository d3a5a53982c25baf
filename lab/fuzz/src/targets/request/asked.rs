//! A request out of a text, and what the contract says of it.

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Version};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tonic::{Code, Status, body::Body};

use super::super::{
    answer::is_grpc,
    framing::one,
    query::pairs,
    text::{Text, split},
    timeout::nanoseconds,
};
use crate::greeter::hello::HelloRequest;

/// What the checks of the contract come to, in their order.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The greeting.
    Ok(String),
    Refused(Code, &'static str),
    /// Which paths there are.
    Paths,
    /// Health has answers of its own.
    Health,
}

pub struct Asked<'a> {
    pub method: Method,
    path: http::uri::PathAndQuery,
    version: Version,
    text: &'a Text<'a>,
}

impl<'a> Asked<'a> {
    pub fn read(text: &'a Text) -> Option<Self> {
        let (method, rest) = split(text.first, b' ');
        let (path, version) = split(rest, b' ');
        Some(Asked {
            method: Method::from_bytes(method).ok()?,
            path: path.try_into().ok().filter(|_| path.first() == Some(&b'/'))?,
            version: if version == b"1" { Version::HTTP_11 } else { Version::HTTP_2 },
            text,
        })
    }

    pub fn request(&self, pieces: &[&[u8]]) -> Request<Body> {
        let data: Vec<_> =
            pieces.iter().map(|piece| Ok::<_, Status>(Frame::data(Bytes::copy_from_slice(piece)))).collect();
        let mut request = Request::new(Body::new(StreamBody::new(stream::iter(data))));
        (*request.method_mut(), *request.version_mut()) = (self.method.clone(), self.version);
        (*request.uri_mut(), *request.headers_mut()) = (self.path.clone().into(), self.text.headers.clone());
        request
    }

    /// All values of a name, as one list; none of the headers that are read here may be one.
    fn header(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<_> = self.text.headers.get_all(name).iter().map(|value| value.as_bytes()).collect();
        if values.is_empty() { None } else { Some(values.join(&b", "[..])) }
    }

    fn has_grpc_content(&self) -> bool {
        is_grpc(&self.text.headers)
    }

    pub fn speaks_grpc(&self) -> bool {
        self.version == Version::HTTP_2 && self.method == Method::POST && self.has_grpc_content()
    }

    pub fn expected(&self) -> Answer {
        if self.version == Version::HTTP_11 && self.text.headers.get_all("host").iter().count() != 1 {
            return Answer::Refused(Code::InvalidArgument, "BAD_HOST");
        }
        let is_plain = !self.speaks_grpc() && ["/", "/hello"].contains(&self.path.path());
        let asked = if is_plain { self.plain() } else { self.grpc() };
        let checked = asked.and_then(|message| self.deadline().map(|()| message));
        let checked = checked.and_then(|message| match self.header("grpc-encoding").as_deref() {
            None | Some(b"identity") => Ok(message),
            _ => Err((Code::Unimplemented, "WRONG_ENCODING")),
        });
        let content = checked.and_then(|message| {
            one(&message).map_err(|word| match word {
                "missing" | "second" => (Code::Unimplemented, "NOT_ONE_MESSAGE"),
                "too large" => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
                _ => (Code::Internal, "BAD_FRAME"),
            })
        });
        match content {
            Err((code, reason)) => Answer::Refused(code, reason),
            Ok(_) if self.path.path() == "/" => Answer::Paths,
            Ok(_) if self.path.path().starts_with("/grpc.health.") => Answer::Health,
            Ok(message) => HelloRequest::decode(&message[5..])
                .map_or(Answer::Refused(Code::Internal, "BAD_MESSAGE"), |hello| Answer::Ok(hello.name)),
        }
    }

    fn plain(&self) -> Result<Vec<u8>, (Code, &'static str)> {
        if self.method != Method::GET && self.method != Method::HEAD {
            return Err((Code::Unimplemented, "WRONG_HTTP_METHOD"));
        }
        let pairs = pairs(self.path.query().unwrap_or_default().as_bytes());
        let pairs = pairs.ok_or((Code::InvalidArgument, "BAD_QUERY"))?;
        let name = pairs.into_iter().find(|(key, _)| key == "name").map_or(String::new(), |(_, value)| value);
        let message = HelloRequest { name }.encode_to_vec();
        let length = u32::try_from(message.len()).expect("inputs are short");
        Ok([&[0][..], &length.to_be_bytes(), &message].concat())
    }

    fn grpc(&self) -> Result<Vec<u8>, (Code, &'static str)> {
        let health =
            ["Check", "List", "Watch"].iter().any(|name| self.path.path() == format!("/grpc.health.v1.Health/{name}"));
        let (post, grpc) = (self.method == Method::POST, self.has_grpc_content());
        let reason = match health || self.path.path() == "/hello.v1.Greeter/Hello" {
            _ if grpc && !post => "WRONG_HTTP_METHOD",
            false => "UNKNOWN_METHOD",
            true if !post => "WRONG_HTTP_METHOD",
            true if !grpc => "WRONG_CONTENT_TYPE",
            true if self.version != Version::HTTP_2 => "NEEDS_HTTP2",
            true => return Ok(self.text.body.to_vec()),
        };
        Err((Code::Unimplemented, reason))
    }

    fn deadline(&self) -> Result<(), (Code, &'static str)> {
        match self.header("grpc-timeout").map(|value| nanoseconds(&value)) {
            Some(None) => Err((Code::Internal, "BAD_TIMEOUT")),
            Some(Some(0)) => Err((Code::DeadlineExceeded, "DEADLINE_EXCEEDED")),
            _ => Ok(()),
        }
    }
}
