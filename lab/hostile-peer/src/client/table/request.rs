//! A request over HTTP/2, as it should be until a row changes it.

use std::borrow::Cow;

use crate::{
    client::target::Target,
    frame::{self, Fields},
};

/// A message whose field 1 is "hello", with gRPC's five bytes before it.
pub(super) const HELLO: &[u8] = b"\0\0\0\0\x07\x0a\x05hello";

/// Header fields and a body.
#[derive(Clone, Debug)]
pub(super) struct Request {
    fields: Fields,
    body: Vec<u8>,
    ends: bool,
}

impl Request {
    /// A good gRPC call.
    pub(super) fn grpc(target: &Target) -> Self {
        Request::post(target, &target.method).body(HELLO)
    }

    /// A call of that method without a message.
    pub(super) fn post(target: &Target, method: &str) -> Self {
        let fields: Fields = vec![
            (":method", "POST".into()),
            (":scheme", "http".into()),
            (":path", method.to_owned().into()),
            (":authority", target.address.to_string().into()),
            ("content-type", "application/grpc".into()),
            ("te", "trailers".into()),
        ];
        Request { fields, body: Vec::new(), ends: true }
    }

    /// A plain GET.
    pub(super) fn get(target: &Target, path: &str) -> Self {
        Request::post(target, path).set(":method", "GET").without("content-type").without("te")
    }

    /// With that field, instead of one that is there.
    pub(super) fn set(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some(field) => field.1 = value.into(),
            None => self.fields.push((name, value.into())),
        }
        self
    }

    /// With these fields too.
    pub(super) fn and(mut self, more: impl Iterator<Item = (&'static str, Cow<'static, str>)>) -> Self {
        self.fields.extend(more);
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| *known != name);
        self
    }

    pub(super) fn body(self, body: &[u8]) -> Self {
        Request { body: body.to_vec(), ..self }
    }

    /// Whose end never comes.
    pub(super) fn unfinished(self) -> Self {
        Request { ends: false, ..self }
    }

    /// Its header block.
    pub(super) fn block(&self) -> Vec<u8> {
        frame::header_block(&self.fields)
    }

    /// As frames on that stream.
    pub(super) fn frames(&self, stream: u32) -> Vec<u8> {
        let mut out = Vec::new();
        frame::put_headers(&mut out, stream, &self.fields, self.ends && self.body.is_empty());
        frame::put_body(&mut out, stream, &self.body, self.ends);
        out
    }
}
