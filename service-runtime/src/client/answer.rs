//! The body of an answer to a call over a channel.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::Status;

use super::{stream::Incoming, whole::WholeBody};

/// What a peer answers, as generated code may see it.
pub enum AnswerBody {
    /// Of a call that is answered once: all of it is there.
    Whole(#[doc(hidden)] WholeBody),
    /// Message by message.
    Stream(#[doc(hidden)] Box<Incoming>),
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.get_mut() {
            AnswerBody::Whole(whole) => Pin::new(whole).poll_frame(cx).map_err(|never| match never {}),
            AnswerBody::Stream(stream) => Pin::new(&mut **stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            AnswerBody::Whole(whole) => whole.is_end_stream(),
            AnswerBody::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            AnswerBody::Whole(whole) => whole.size_hint(),
            AnswerBody::Stream(_) => SizeHint::default(),
        }
    }
}
